//! Evaluates the placeholders of `git log --format` for a commit.

use gix::{
    ObjectId,
    bstr::{BString, ByteSlice},
    mailmap::Snapshot,
    objs::{Kind, TreeRefIter},
    prelude::ObjectIdExt,
};

use pack::{Person, skip_blank_lines, subject};

use crate::{
    date::Date,
    error::ArchiveError,
    objects::Objects,
    pushed::Pushed,
    refs::{Name, Style, decorations, joined},
};

/// Git's default length of abbreviated IDs.
const SHORT: usize = 7;

/// The largest `.mailmap` that is read, in bytes: twenty times that of the largest projects.
const LARGEST_MAILMAP: u64 = 1 << 20;

/// The colours without brackets.
const COLOURS: [&str; 4] = ["Cred", "Cgreen", "Cblue", "Creset"];

/// The length of the placeholder at the start of `text`, if there is one.
pub(crate) fn length(text: &[u8]) -> Option<usize> {
    match *text.first()? {
        b'(' if text.starts_with(b"(decorate") => text.find_byte(b')').map(|end| end + 1),
        b'g' => text.get(1).filter(|what| b"dDsnNeE".contains(what)).map(|_| 2),
        b'C' if text.starts_with(b"C(") => text.find_byte(b')').map(|end| end + 1),
        b'C' => COLOURS.iter().find(|name| text.starts_with(name.as_bytes())).map(|name| name.len()),
        b'm' | b'n' | b'H' | b'h' | b'T' | b't' | b'P' | b'p' | b'e' | b's' | b'f' | b'b' | b'B' | b'D' | b'd' => {
            Some(1)
        }
        b'x' => text.get(1..3)?.iter().all(u8::is_ascii_hexdigit).then_some(3),
        b'a' | b'c' => text.get(1).filter(|what| b"nNeElLtdDiIs".contains(what)).map(|_| 2),
        _ => None,
    }
}

/// Whether Git parses the commit's text for the start of `text`, whether it is a placeholder or not
/// (`format_commit_one` of pretty.c).
pub(crate) fn is_of_text(text: &[u8]) -> bool {
    match text.first() {
        Some(character) if b"nCw<>mHhTtPpDdgNSG".contains(character) => false,
        Some(b'x') => length(text).is_none(),
        _ => !text.starts_with(b"(describe") && !text.starts_with(b"(decorate"),
    }
}

/// The data of a commit.
pub(crate) struct Placeholders<'a, 'c> {
    pub(crate) objects: &'a Objects<'a>,
    pub(crate) id: ObjectId,
    pub(crate) tree: ObjectId,
    pub(crate) commit: &'a pack::Commit<'c>,
    pub(crate) pushed: Option<&'a Pushed>,
}

impl Placeholders<'_, '_> {
    /// The value of a placeholder without its `%`. `None` if the commit lacks it.
    pub(crate) fn value(&self, placeholder: &[u8]) -> Result<Option<Vec<u8>>, ArchiveError> {
        let Self { id, tree, commit, .. } = self;
        Ok(match placeholder {
            b"n" => Some(b"\n".to_vec()),
            [b'x', digits @ ..] => {
                digits.to_str().ok().and_then(|digits| Some(vec![u8::from_str_radix(digits, 16).ok()?]))
            }
            b"H" => Some(id.to_string().into()),
            b"h" => Some(self.short(*id)),
            b"T" => Some(tree.to_string().into()),
            b"t" => Some(self.short(*tree)),
            b"P" => Some(joined(commit.parents.iter().map(|id| id.to_string().into_bytes()), b" ")),
            b"p" => Some(joined(commit.parents.iter().map(|id| self.short(*id)), b" ")),
            [b'a', what] => self.person(commit.author(), *what)?,
            [b'c', what] => self.person(commit.committer(), *what)?,
            b"e" => Some(commit.encoding().map(<[u8]>::to_vec).unwrap_or_default()),
            b"s" => Some(subject(commit.message()).0),
            b"f" => Some(sanitized(commit.message())),
            b"b" => Some(subject(commit.message()).1.to_vec()),
            b"B" => Some(commit.message().to_vec()),
            // The mark that `git log` gives to requested commits.
            b"m" => Some(b">".to_vec()),
            // Reflog placeholders, and colours, which aren't written to files.
            [b'g' | b'C', ..] => Some(Vec::new()),
            b"D" => Some(Style::bare().show(&self.names())),
            b"d" => Some(Style::bracketed().show(&self.names())),
            [b'(', b'd', b'e', b'c', b'o', b'r', b'a', b't', b'e', options @ .., b')'] => {
                Style::parse(options).map(|style| style.show(&self.names()))
            }
            _ => None,
        })
    }

    fn names(&self) -> Vec<Name> {
        decorations(self.objects.repository(), self.id, self.pushed)
    }

    fn short(&self, id: ObjectId) -> Vec<u8> {
        let short = id.attach(self.objects.repository()).shorten();
        // The parents are missing in a shallow clone.
        short.map_or_else(|_| id.to_hex_with_len(SHORT).to_string(), |short| short.to_string()).into()
    }

    /// The parts of an author or a committer (`format_person_part` of pretty.c).
    fn person(&self, person: Option<Person<'_>>, what: u8) -> Result<Option<Vec<u8>>, ArchiveError> {
        // For a missing part, Git writes nothing for the older placeholders, and keeps the newer
        // ones unexpanded.
        let nothing = b"netdDi".contains(&what).then(Vec::new);
        let Some(person) = person else { return Ok(nothing) };
        let (name, email) = (person.name.as_bstr(), person.email.as_bstr());
        let mapped = || {
            let known = gix::actor::SignatureRef { name, email, time: "" };
            self.mailmap().map(|mailmap| mailmap.resolve(known))
        };
        let local = |mail: &[u8]| mail.split(|byte| *byte == b'@').next().unwrap_or_default().to_vec();
        Ok(match what {
            b'n' => Some(name.to_vec()),
            b'N' => Some(mapped()?.name.into()),
            b'e' => Some(email.to_vec()),
            b'E' => Some(mapped()?.email.into()),
            b'l' => Some(local(email)),
            b'L' => Some(local(&mapped()?.email)),
            b't' => person.date.map(<[u8]>::to_vec).or(nothing),
            _ => Date::of(&person).map_or(nothing, |date| date.show(what)),
        })
    }

    /// The `.mailmap` of the archived tree.
    fn mailmap(&self) -> Result<Snapshot, ArchiveError> {
        let root = self.objects.read(self.tree, Kind::Tree)?;
        let mut entries = TreeRefIter::from_bytes(&root, self.tree.kind()).filter_map(Result::ok);
        let file = entries.find(|entry| entry.filename == ".mailmap" && entry.mode.is_blob());
        let Some(id) = file.map(|file| file.oid.to_owned()) else { return Ok(Snapshot::default()) };
        let size = self.objects.size(id)?;
        if size > LARGEST_MAILMAP {
            return Err(ArchiveError::ControlFile { path: ".mailmap".into(), size, most: LARGEST_MAILMAP });
        }
        Ok(Snapshot::from_bytes(&self.objects.read(id, Kind::Blob)?))
    }
}

/// The first line in a form for file names.
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
    BString::from(name).trim_end_with(|character| character == '.' || character == '-').to_vec()
}
