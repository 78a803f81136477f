//! `export-subst`: expands `$Format:...$` in archived files, with the placeholders of
//! `git log --format`.
//!
//! Expanded: `%H %h %T %t %P %p`, author and committer
//! (`%an %aN %ae %aE %al %aL %ad %aD %at %ai %aI %as`, the same with `%c`), `%s %f %b %B %e %m`,
//! `%d %D`, `%(decorate)` and `%(describe)` with their options, `%g?` and colours, which are empty,
//! `%n %% %x00`, and the modifiers `+`, `-` and space. Anything else is kept, like unknown
//! placeholders in Git: dates relative to now (`%ar`, `%ah`), because the same commit must give the
//! same zip; signatures, notes, trailers and columns. Data that isn't in the clone is unknown: `%d`
//! knows only the pushed branch or tag, and `%(describe)` no older tags. But parents are those in
//! the commit, and nothing is marked as grafted: the zip must equal that of the full repository.
//!
//! Git decodes a commit to UTF-8. After each format that contains its text, Git converts the whole
//! result so far to the commit's own encoding, if it can represent all characters. So text before a
//! format changes as well, even repeatedly, which garbles it. Encodings that don't contain ASCII
//! are ignored: no commit uses one.
//!
//! Each value is computed once and reused: a file can repeat a placeholder a hundred million times,
//! and the value may take as long as the commit's message.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use gix::{
    ObjectId,
    bstr::{BStr, BString, ByteSlice},
    objs::Kind,
};

use crate::{
    describe, encoding,
    error::ArchiveError,
    objects::Objects,
    output::Output,
    placeholders::{self, Placeholders},
    pushed::Pushed,
};

/// The largest commit, in bytes, that can be expanded into files: an expansion may be a dozen times
/// as large.
const LARGEST: u64 = 4 << 20;

/// The limit for bytes converted to the commit's encoding. A format after a long text costs as much
/// as the text, so a small file could take hours. This limit takes a few seconds.
const MOST_IN_ENCODING: usize = 64 << 20;

/// The commit that is archived.
pub(crate) struct Commit<'a> {
    objects: &'a Objects<'a>,
    id: ObjectId,
    tree: ObjectId,
    /// Seconds since 1970.
    time: i64,
    content: Vec<u8>,
    /// The encoding of its text, unless it is UTF-8.
    encoding: Option<BString>,
    in_encoding: Cell<usize>,
    /// The text in UTF-8, if it could be decoded.
    decoded: OnceCell<Option<String>>,
    /// Its only name, if known.
    pushed: Option<Pushed>,
    /// The values of placeholders so far.
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
        let is_utf_8 = |name: &[u8]| name.eq_ignore_ascii_case(b"utf-8") || name.eq_ignore_ascii_case(b"utf8");
        let encoding = parsed.encoding().filter(|name| !is_utf_8(name)).map(BString::from);
        let (values, described) = (RefCell::default(), Cell::default());
        let (in_encoding, decoded) = (Cell::default(), OnceCell::new());
        Ok(Self { objects, id, tree, time, content, encoding, in_encoding, decoded, pushed: None, values, described })
    }

    /// The commit with the pushed reference as its only name.
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
            let is_of_text = self.expand(format, path, &mut out)?;
            if let Some(label) = self.encoding.as_ref().filter(|_| is_of_text) {
                self.encode(label.as_bstr(), &mut out)?;
            }
            rest = behind;
        }
        out.push(rest)?;
        Ok(out.into_bytes())
    }

    /// Converts the result so far to the commit's encoding. Keeps it if that lacks a character.
    fn encode(&self, label: &BStr, out: &mut Output<'_>) -> Result<(), ArchiveError> {
        let from = if encoding::keeps_ascii(label) { out.plain() } else { 0 };
        let made = out.made().get(from..).unwrap_or_default();
        if made.is_empty() {
            return Ok(());
        }
        self.in_encoding.set(self.in_encoding.get() + made.len());
        if self.in_encoding.get() > MOST_IN_ENCODING {
            return Err(ArchiveError::Reencoded { path: out.path().clone() });
        }
        if let Some(encoded) = encoding::encode(made, label, out.another())? {
            out.replace(from, &encoded)?;
        }
        Ok(())
    }

    /// Writes a format. Returns whether it contains text of the commit.
    fn expand(&self, format: &[u8], path: &BString, out: &mut Output<'_>) -> Result<bool, ArchiveError> {
        let (mut rest, mut is_of_text) = (format, false);
        while let Some((before, after)) = rest.split_once_str("%") {
            out.push(before)?;
            let sign = after.first().filter(|sign| b"+- ".contains(sign)).copied();
            if after.starts_with(b"%") {
                out.push(b"%")?;
                rest = after.get(1..).unwrap_or_default();
                continue;
            }
            let text = after.get(usize::from(sign.is_some())..).unwrap_or_default();
            is_of_text |= placeholders::is_of_text(text);
            let found = self.value(text, path)?;
            // After a modifier, an unknown placeholder counts as empty.
            let unknown: Value = if sign.is_some() { Rc::default() } else { Rc::from(&b"%"[..]) };
            let (value, length) = found.unwrap_or((unknown, 0));
            // `%+s`, `%-b`, `% d`: a line end or space before a value that isn't empty, or no line
            // ends before an empty one.
            match sign {
                Some(b'+') if !value.is_empty() => out.push(b"\n")?,
                Some(b' ') if !value.is_empty() => out.push(b" ")?,
                Some(b'-') if value.is_empty() => out.trim_line_ends(),
                _ => {}
            }
            out.push(&value)?;
            rest = text.get(length..).unwrap_or_default();
        }
        out.push(rest)?;
        Ok(is_of_text)
    }

    /// The value of the placeholder at the start of `text`, and the placeholder's length.
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
        let decoded = self.decoded.get_or_init(|| {
            let text = self.content.split(|byte| *byte == 0).next()?;
            encoding::decode(text, self.encoding.as_ref()?.as_bstr())
        });
        let content = decoded.as_ref().map_or(self.content.as_slice(), String::as_bytes);
        let Ok(commit) = pack::Commit::parse(content) else { return Ok(None) };
        let Self { objects, id, tree, .. } = *self;
        let placeholders = Placeholders { objects, id, tree, commit: &commit, pushed: self.pushed.as_ref() };
        placeholders.value(placeholder)
    }

    /// Describing can be slow, so Git expands only the first one per archive, and keeps the others.
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
    fn commit_reencoding_work_is_limited() {
        let folder = tempfile::tempdir().unwrap();
        let (repository, never) = (gix::init_bare(folder.path()).unwrap(), AtomicBool::new(false));
        let objects = Objects::of(&repository, &never);
        let headers = "author A <a> 1 +0000\ncommitter C <c> 1 +0000\nencoding latin1\n\nx";
        let commit = format!("tree {}\n{headers}", repository.empty_tree().id);
        let commit = gix::objs::Write::write_buf(&repository.objects, Kind::Commit, commit.as_bytes()).unwrap();
        let (commit, path) = (Commit::read(&objects, commit).unwrap(), "file".into());
        commit.in_encoding.set(MOST_IN_ENCODING - (8 << 20));
        // Unconvertible text is kept, and would be tried again after each format.
        let long = ["\u{fc}".repeat(1 << 20).as_str(), "\u{65e5}", &"$Format:%s$".repeat(200)].concat();
        let error = commit.substitute(long.as_bytes(), &path, Output::new(&path, &objects)).unwrap_err();
        assert!(matches!(error, ArchiveError::Reencoded { .. }), "{error:?}");
        let plain = ["a".repeat(1 << 20).as_str(), &"$Format:%s$".repeat(10_000)].concat();
        let commit = Commit { in_encoding: Cell::default(), ..commit };
        let made = commit.substitute(plain.as_bytes(), &path, Output::new(&path, &objects)).unwrap();
        assert_eq!((made.len(), commit.in_encoding.get()), ((1 << 20) + 10_000, 0));
    }

    #[test]
    fn a_value_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let (repository, never) = (gix::init_bare(folder.path()).unwrap(), AtomicBool::new(false));
        let objects = Objects::of(&repository, &never);
        let person = gix::actor::SignatureRef { name: "A".into(), email: "a@example.com".into(), time: "1 +0000" };
        let none: [ObjectId; 0] = [];
        // Its first line is empty, but takes a megabyte to find.
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
