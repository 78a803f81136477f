//! `export-subst`: what `$Format:...$` in an archived file says of the commit, in the placeholders of `git log --format`.
//!
//! Expanded: `%H %h %T %t %P %p`, author and committer (`%an %aN %ae %aE %al %aL %ad %aD %at %ai %aI %as`, the same with
//! `%c`), `%s %f %b %B %e %m`, `%d %D`, `%(decorate)` and `%(describe)` with their options, `%g?` and colours, which are empty, `%n %% %x00`, and the signs `+`, `-` and space before
//! one. The rest stays as it is written, as Git leaves what it doesn't know: dates relative to now (`%ar`, `%ah`), since the
//! same commit has to give the same zip; signatures, notes, trailers and columns. What isn't in the clone isn't
//! known: `%d` sees the branch or the tag that was pushed, and `%(describe)` no older tags. But parents are what
//! the commit says, and nothing is called grafted: the zip is to be that of the repository that was cloned.

//!
//! Each value is made once and then repeated: a file can name one a hundred million times, and making it may take as long as the
//! commit's message is.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use gix::{
    ObjectId,
    bstr::{BString, ByteSlice},
    objs::Kind,
};

use crate::{
    ArchiveError, Pushed, describe,
    objects::Objects,
    output::Output,
    placeholders::{self, Placeholders},
};

/// The largest commit, in bytes, of which something is put into files: what is put there of it may be a dozen times as much.
const LARGEST: u64 = 4 << 20;

/// The commit that is archived.
pub(crate) struct Commit<'a> {
    objects: &'a Objects<'a>,
    id: ObjectId,
    tree: ObjectId,
    /// Seconds since 1970.
    time: i64,
    content: Vec<u8>,
    /// Its only name, if that is known.
    pushed: Option<Pushed>,
    /// What placeholders have become.
    values: RefCell<HashMap<Vec<u8>, Option<Value>>>,
    described: Cell<bool>,
}

type Value = Rc<[u8]>;

impl<'a> Commit<'a> {
    /// Reads the commit `id`.
    pub(crate) fn read(objects: &'a Objects<'a>, id: ObjectId) -> Result<Self, ArchiveError> {
        let content = objects.read(id, Kind::Commit)?;
        let parsed = pack::Commit::parse(&content).map_err(|source| ArchiveError::Malformed { id, source })?;
        let (tree, time) = (parsed.tree, parsed.time());
        let (values, described) = (RefCell::default(), Cell::new(false));
        Ok(Self { objects, id, tree, time, content, pushed: None, values, described })
    }

    /// The commit by the name by which it was pushed, and by no other.
    pub(crate) fn named(self, pushed: Option<Pushed>) -> Self {
        Self { pushed, ..self }
    }

    pub(crate) fn objects(&self) -> &'a Objects<'a> {
        self.objects
    }

    pub(crate) fn tree(&self) -> ObjectId {
        self.tree
    }

    pub(crate) fn time(&self) -> i64 {
        self.time
    }

    /// Replaces each `$Format:...$` in the `content` of the file at `path`.
    pub(crate) fn substitute(
        &self,
        content: &[u8],
        path: &BString,
        mut out: Output<'_>,
    ) -> Result<Vec<u8>, ArchiveError> {
        let mut rest = content;
        while let Some((before, after)) = rest.split_once_str("$Format:") {
            let Some((format, behind)) = after.split_once_str("$") else { break };
            out.push(before)?;
            self.expand(format, path, &mut out)?;
            rest = behind;
        }
        out.push(rest)?;
        Ok(out.into_bytes())
    }

    fn expand(&self, format: &[u8], path: &BString, out: &mut Output<'_>) -> Result<(), ArchiveError> {
        let mut rest = format;
        while let Some((before, after)) = rest.split_once_str("%") {
            out.push(before)?;
            let sign = after.first().filter(|sign| b"+- ".contains(sign)).copied();
            if after.starts_with(b"%") {
                out.push(b"%")?;
                rest = after.get(1..).unwrap_or_default();
                continue;
            }
            let text = after.get(usize::from(sign.is_some())..).unwrap_or_default();
            let found = self.value(text, path)?;
            // Behind a sign, what Git doesn't know is taken for something empty.
            let unknown: Value = if sign.is_some() { Rc::default() } else { Rc::from(&b"%"[..]) };
            let (value, length) = found.unwrap_or((unknown, 0));
            // `%+s`, `%-b`, `% d`: a line end or space before what isn't empty, or no line end before what is.
            match sign {
                Some(b'+') if !value.is_empty() => out.push(b"\n")?,
                Some(b' ') if !value.is_empty() => out.push(b" ")?,
                Some(b'-') if value.is_empty() => out.trim_line_ends(),
                _ => {}
            }
            out.push(&value)?;
            rest = text.get(length..).unwrap_or_default();
        }
        out.push(rest)
    }

    /// The value of the placeholder that `text` begins with, and the placeholder's length.
    fn value(&self, text: &[u8], path: &BString) -> Result<Option<(Value, usize)>, ArchiveError> {
        if text.starts_with(b"(describe") {
            return self.describe(text, path);
        }
        let Some(placeholder) = placeholders::length(text).and_then(|length| text.get(..length)) else {
            return Ok(None);
        };
        let known = self.values.borrow().get(placeholder).cloned();
        let value = if let Some(known) = known {
            known
        } else {
            let made = self.make(placeholder)?.map(Rc::from);
            self.values.borrow_mut().insert(placeholder.to_owned(), made.clone());
            made
        };
        Ok(value.map(|value| (value, placeholder.len())))
    }

    fn make(&self, placeholder: &[u8]) -> Result<Option<Vec<u8>>, ArchiveError> {
        let size = self.content.len() as u64;
        if size > LARGEST {
            return Err(ArchiveError::LongCommit { id: self.id, size, most: LARGEST });
        }
        let Ok(commit) = pack::Commit::parse(&self.content) else { return Ok(None) };
        let Self { objects, id, tree, .. } = *self;
        let placeholders = Placeholders { objects, id, tree, commit: &commit, pushed: self.pushed.as_ref() };
        placeholders.value(placeholder)
    }

    /// Describing can be long work, so Git does it once an archive, and leaves the others as they are.
    fn describe(&self, text: &[u8], path: &BString) -> Result<Option<(Value, usize)>, ArchiveError> {
        let Some(options) = text.strip_prefix(b"(describe").filter(|_| !self.described.replace(true)) else {
            return Ok(None);
        };
        let Some((options, _)) = options.split_once_str(")") else { return Ok(None) };
        let Some(wanted) = describe::Options::parse(options) else { return Ok(None) };
        let name = describe::describe(self.objects.repository(), self.id, self.pushed.as_ref(), &wanted);
        let name = name.map_err(|describe::Costly| ArchiveError::Costly { path: path.clone() })?;
        let length = "(describe".len() + options.len() + ")".len();
        Ok(Some((name.unwrap_or_default().into_bytes().into(), length)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn a_value_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let (repository, never) = (gix::init_bare(folder.path()).unwrap(), AtomicBool::new(false));
        let objects = Objects::of(&repository, &never);
        let person = gix::actor::SignatureRef { name: "A".into(), email: "a@example.com".into(), time: "1 +0000" };
        let none: [ObjectId; 0] = [];
        // Git's first line of it is empty, and a megabyte long to find.
        let message = "\n".repeat(1 << 20);
        let tree = repository.empty_tree().id;
        let commit = repository.new_commit_as(person, person, &message, tree, none).unwrap().id;
        let (commit, path) = (Commit::read(&objects, commit).unwrap(), "file".into());
        let [one, other] = [(); 2].map(|()| commit.value(b"f", &path).unwrap().unwrap().0);
        assert!(one.is_empty() && Rc::ptr_eq(&one, &other));
        let format = format!("<$Format:{}$>", "%f".repeat(100_000));
        let made = commit.substitute(format.as_bytes(), &path, Output::new(&path, &objects)).unwrap();
        assert_eq!(made.as_bstr(), "<>");
    }
}
