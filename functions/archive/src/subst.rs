//! `export-subst`: what `$Format:...$` in an archived file says of the commit, in the placeholders of `git log --format`.
//!
//! Expanded: `%H %h %T %t %P %p`, author and committer (`%an %aN %ae %aE %al %aL %ad %aD %at %ai %aI %as`, the same with
//! `%c`), `%s %f %b %B %e`, `%d %D`, `%(describe)` with its options, `%n %%  %x00`, and the signs `+`, `-` and space before
//! one. The rest stays as it is written, as Git leaves what it doesn't know: dates relative to now (`%ar`, `%ah`), since the
//! same commit has to give the same zip; signatures, notes, trailers, colours and columns. What isn't in the clone isn't
//! known: `%d` sees the refs that were fetched, and a shallow clone has no older tags to describe by. But parents are what
//! the commit says, and nothing is called grafted: the zip is to be that of the repository that was cloned.

use std::cell::{Cell, OnceCell};

use gix::{
    ObjectId,
    bstr::{BString, ByteSlice},
    date::time::format,
    mailmap::Snapshot,
    objs::{CommitRef, Kind, TreeRefIter},
    prelude::ObjectIdExt,
};

use crate::{
    ArchiveError, describe,
    objects::Objects,
    refs::{decorations, joined},
};

/// What Git shortens ids to, where nothing asks for more.
const SHORT: usize = 7;

/// The commit that is archived.
pub(crate) struct Commit<'a> {
    objects: &'a Objects<'a>,
    id: ObjectId,
    tree: ObjectId,
    /// Seconds since 1970.
    time: i64,
    content: Vec<u8>,
    mailmap: OnceCell<Snapshot>,
    described: Cell<bool>,
}

impl<'a> Commit<'a> {
    /// Reads the commit `id`.
    pub(crate) fn read(objects: &'a Objects<'a>, id: ObjectId) -> Result<Self, ArchiveError> {
        let content = objects.read(id, Kind::Commit)?;
        let parsed = CommitRef::from_bytes(&content, id.kind());
        let parsed = parsed.map_err(|error| ArchiveError::Object { id, source: error.into() })?;
        let committer = parsed.committer().map_err(|error| ArchiveError::Object { id, source: error.into() })?;
        let (tree, time) = (parsed.tree(), committer.seconds());
        drop(parsed);
        Ok(Self { objects, id, tree, time, content, mailmap: OnceCell::new(), described: Cell::new(false) })
    }

    pub(crate) fn tree(&self) -> ObjectId {
        self.tree
    }

    pub(crate) fn time(&self) -> i64 {
        self.time
    }

    /// Replaces each `$Format:...$` in `content`.
    pub(crate) fn substitute(&self, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(content.len());
        let mut rest = content;
        while let Some((before, after)) = rest.split_once_str("$Format:") {
            let Some((format, behind)) = after.split_once_str("$") else { break };
            out.extend_from_slice(before);
            self.expand(format, &mut out);
            rest = behind;
        }
        out.extend_from_slice(rest);
        out
    }

    fn expand(&self, format: &[u8], out: &mut Vec<u8>) {
        let Ok(commit) = CommitRef::from_bytes(&self.content, self.id.kind()) else { return };
        let mut rest = format;
        while let Some((before, after)) = rest.split_once_str("%") {
            out.extend_from_slice(before);
            rest = match after.first() {
                Some(b'%') => {
                    out.push(b'%');
                    after.get(1..).unwrap_or_default()
                }
                Some(sign @ (b'+' | b'-' | b' ')) => {
                    self.signed(&commit, *sign, after.get(1..).unwrap_or_default(), out)
                }
                _ => {
                    let (value, length) = self.value(&commit, after).unwrap_or_else(|| (b"%".to_vec(), 0));
                    out.extend(value);
                    after.get(length..).unwrap_or_default()
                }
            };
        }
        out.extend_from_slice(rest);
    }

    /// `%+s`, `%-b`, `% d`: a line end or space before what isn't empty, or no line end before what is. What Git doesn't know
    /// it takes for something empty. Gives what follows.
    fn signed<'t>(&self, commit: &CommitRef<'_>, sign: u8, text: &'t [u8], out: &mut Vec<u8>) -> &'t [u8] {
        let (value, length) = self.value(commit, text).unwrap_or_default();
        match sign {
            b'+' if !value.is_empty() => out.push(b'\n'),
            b' ' if !value.is_empty() => out.push(b' '),
            b'-' if value.is_empty() => out.truncate(out.trim_end_with(|letter| letter == '\n').len()),
            _ => {}
        }
        out.extend(value);
        text.get(length..).unwrap_or_default()
    }

    /// The value of the placeholder that `text` begins with, and the placeholder's length.
    fn value(&self, commit: &CommitRef<'_>, text: &[u8]) -> Option<(Vec<u8>, usize)> {
        let one = |value: Vec<u8>| Some((value, 1));
        match *text.first()? {
            b'n' => one(b"\n".to_vec()),
            b'x' => {
                let digits = text.get(1..3)?.to_str().ok().filter(|digits| !digits.starts_with('+'))?;
                Some((vec![u8::from_str_radix(digits, 16).ok()?], 3))
            }
            b'H' => one(self.id.to_string().into()),
            b'h' => one(self.short(self.id)),
            b'T' => one(self.tree.to_string().into()),
            b't' => one(self.short(self.tree)),
            b'P' => one(joined(commit.parents().map(|id| id.to_string().into_bytes()), b" ")),
            b'p' => one(joined(commit.parents().map(|id| self.short(id)), b" ")),
            b'a' => self.person(commit.author().ok()?, *text.get(1)?).map(|value| (value, 2)),
            b'c' => self.person(commit.committer().ok()?, *text.get(1)?).map(|value| (value, 2)),
            b'e' => one(commit.encoding.map(|name| name.to_vec()).unwrap_or_default()),
            b's' => one(subject(commit.message).0),
            b'f' => one(sanitized(commit.message)),
            b'b' => one(subject(commit.message).1.to_vec()),
            b'B' => one(commit.message.to_vec()),
            b'D' => one(joined(decorations(self.objects.repository(), self.id), b", ")),
            b'd' => {
                let names = joined(decorations(self.objects.repository(), self.id), b", ");
                one(if names.is_empty() { names } else { [b" (".as_slice(), &names, b")"].concat() })
            }
            b'(' => self.describe(text),
            _ => None,
        }
    }

    /// Describing can be long work, so Git does it once an archive, and leaves the others as they are.
    fn describe(&self, text: &[u8]) -> Option<(Vec<u8>, usize)> {
        let options = text.strip_prefix(b"(describe")?;
        if self.described.replace(true) {
            return None;
        }
        let (options, _) = options.split_once_str(")")?;
        let wanted = describe::Options::parse(options)?;
        let name = describe::describe(self.objects.repository(), self.id, &wanted).unwrap_or_default();
        Some((name.into_bytes(), "(describe".len() + options.len() + ")".len()))
    }

    fn short(&self, id: ObjectId) -> Vec<u8> {
        let short = id.attach(self.objects.repository()).shorten();
        // The parents of a shallow clone's commit aren't there.
        short.map_or_else(|_| id.to_hex_with_len(SHORT).to_string(), |short| short.to_string()).into()
    }

    fn person(&self, person: gix::actor::SignatureRef<'_>, what: u8) -> Option<Vec<u8>> {
        let person = person.trim();
        let mapped = || self.mailmap.get_or_init(|| self.read_mailmap()).resolve(person);
        let local = |mail: &[u8]| mail.split(|byte| *byte == b'@').next().unwrap_or_default().to_vec();
        let time = person.time().unwrap_or_default();
        let date = |format: gix::date::time::CustomFormat| Some(time.format_or_unix(format).into_bytes());
        match what {
            b'n' => Some(person.name.to_vec()),
            b'N' => Some(mapped().name.into()),
            b'e' => Some(person.email.to_vec()),
            b'E' => Some(mapped().email.into()),
            b'l' => Some(local(person.email)),
            b'L' => Some(local(&mapped().email)),
            b't' => Some(time.seconds.to_string().into()),
            b'd' => date(format::DEFAULT),
            b'D' => date(format::GIT_RFC2822),
            b'i' => date(format::ISO8601),
            b'I' if time.offset == 0 => Some(time.format_or_unix(format::ISO8601_STRICT).replace("+00:00", "Z").into()),
            b'I' => date(format::ISO8601_STRICT),
            b's' => date(format::SHORT),
            _ => None,
        }
    }

    /// The `.mailmap` of the archived tree.
    fn read_mailmap(&self) -> Snapshot {
        let root = self.objects.read(self.tree, Kind::Tree).unwrap_or_default();
        let mut entries = TreeRefIter::from_bytes(&root, self.tree.kind()).filter_map(Result::ok);
        let file = entries.find(|entry| entry.filename == ".mailmap" && entry.mode.is_blob());
        let content = file.and_then(|entry| self.objects.read(entry.oid.to_owned(), Kind::Blob).ok());
        content.map(|content| Snapshot::from_bytes(&content)).unwrap_or_default()
    }
}

/// The first paragraph on one line, and what follows it.
fn subject(message: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut rest = skip_blank_lines(message);
    let mut subject = Vec::new();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.find_byte(b'\n').map_or(rest.len(), |end| end + 1));
        rest = after;
        if line.trim_ascii_end().is_empty() {
            break;
        }
        if !subject.is_empty() {
            subject.push(b' ');
        }
        subject.extend_from_slice(line.trim_ascii_end());
    }
    (subject, skip_blank_lines(rest))
}

fn skip_blank_lines(mut text: &[u8]) -> &[u8] {
    while let Some((line, after)) = text.split_once_str("\n") {
        if !line.trim_ascii().is_empty() {
            break;
        }
        text = after;
    }
    text
}

/// The first line, fit for a file's name.
fn sanitized(message: &[u8]) -> Vec<u8> {
    let line = skip_blank_lines(message).lines().next().unwrap_or_default();
    let mut name: Vec<u8> = Vec::new();
    let mut gap = false;
    for &byte in line {
        if !(byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_') {
            gap = !name.is_empty();
            continue;
        }
        if gap {
            name.push(b'-');
        }
        if gap || byte != b'.' || name.last() != Some(&b'.') {
            name.push(byte);
        }
        gap = false;
    }
    BString::from(name).trim_end_with(|letter| letter == '.' || letter == '-').to_vec()
}
