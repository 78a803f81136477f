//! What the `.gitattributes` of the archived tree say: which entries are left out, and how files are converted.
//!
//! Only the tree's own files count: neither the configuration nor `info/attributes` nor anything of the machine, so that a
//! tree gives the same zip everywhere. Of `filter` only Git LFS is known: a driver is a program, and this crate runs none.

use gix::{
    ObjectId,
    attrs::{
        Search, StateRef,
        search::{MetadataCollection, Outcome},
    },
    bstr::{BString, ByteSlice},
    filter::plumbing::eol::AttributesDigest,
    glob::pattern::Case,
    objs::{Kind, tree::EntryKind},
    worktree::{
        Stack,
        stack::{State, state},
    },
};

use crate::{
    ArchiveError,
    convert::Conversion,
    objects::Objects,
    tree::{Entry, Walk},
};

/// The attributes that count.
const NAMES: [&str; 8] =
    ["export-ignore", "export-subst", "filter", "text", "crlf", "eol", "ident", "working-tree-encoding"];

/// What is to be done with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is archived, after these conversions if it is a file.
    Kept(Conversion),
    /// It is left out.
    LeftOut,
}

/// The attributes of a tree.
pub(crate) struct Attributes {
    stack: Stack,
    outcome: Outcome,
    purpose: Purpose,
}

/// What the files are for, which decides on the attributes that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An archive, as `git archive` makes it.
    Archive,
    /// A work tree, as `git checkout` makes it: nothing is left out or expanded.
    WorkTree,
}

impl Attributes {
    /// Finds the `.gitattributes` of `tree`. Going through the whole tree, it also refuses a bad name before the first byte
    /// of a zip is written. Of a link Git takes the text, and doesn't follow it; so does this.
    pub(crate) fn of(objects: &Objects<'_>, tree: ObjectId, purpose: Purpose) -> Result<Self, ArchiveError> {
        let mut files = Vec::new();
        let mut walk = Walk::new(objects, tree)?;
        while let Some(entry) = walk.next() {
            match entry.kind {
                EntryKind::Tree => walk.enter(&entry)?,
                EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link if is_attributes(&entry.path) => {
                    objects.read(entry.id, Kind::Blob)?;
                    files.push((entry.path, entry.id));
                }
                _ => {}
            }
        }
        // The stack searches in halves.
        files.sort();
        let mut known = MetadataCollection::default();
        let none: [std::path::PathBuf; 0] = [];
        let builtin = Search::new_globals(none, &mut Vec::new(), &mut known);
        let builtin = builtin
            .map_err(|error| ArchiveError::Attributes { path: "what Git has built in".into(), source: error.into() })?;
        let source = state::attributes::Source::IdMapping;
        let attributes = State::AttributesStack(state::Attributes::new(builtin, None, source, known));
        // The root is but a name: with these attributes the stack reads no file.
        let root = objects.repository().git_dir();
        let stack = Stack::new(root, attributes, Case::Sensitive, Vec::new(), files);
        let outcome = stack.selected_attribute_matches(NAMES);
        Ok(Self { stack, outcome, purpose })
    }

    /// What is to be done with an entry.
    pub(crate) fn treatment(&mut self, objects: &Objects<'_>, entry: &Entry) -> Result<Treatment, ArchiveError> {
        let mode = gix::index::entry::Mode::from(gix::objs::tree::EntryMode::from(entry.kind));
        let found = self.stack.at_entry(entry.path.as_bstr(), Some(mode), &objects.repository().objects);
        let found =
            found.map_err(|error| ArchiveError::Attributes { path: entry.path.clone(), source: error.into() })?;
        self.outcome.reset();
        if !found.matching_attributes(&mut self.outcome) {
            return Ok(Treatment::Kept(Conversion::default()));
        }
        let (mut text, mut crlf, mut eol) = (None, None, StateRef::Unspecified);
        let mut conversion = Conversion::default();
        for found in self.outcome.iter_selected() {
            let state = found.assignment.state;
            match found.assignment.name.as_str() {
                "export-ignore" | "export-subst" if self.purpose == Purpose::WorkTree => {}
                "export-ignore" if state == StateRef::Set => return Ok(Treatment::LeftOut),
                "export-subst" => conversion.substitute = state == StateRef::Set,
                "filter" => conversion.lfs = value(state) == Some(b"lfs"),
                "ident" => conversion.ident = state == StateRef::Set,
                "text" => text = line_ends(state),
                "crlf" => crlf = line_ends(state),
                "eol" => eol = state,
                "working-tree-encoding" => conversion.encoding = value(state).map(Into::into),
                _ => {}
            }
        }
        conversion.crlf = to_crlf(text.or(crlf), value(eol));
        Ok(Treatment::Kept(conversion))
    }
}

fn is_attributes(path: &BString) -> bool {
    path.rsplit_str("/").next() == Some(b".gitattributes")
}

fn value(state: StateRef<'_>) -> Option<&[u8]> {
    match state {
        StateRef::Value(value) => Some(value.as_bstr().as_bytes()),
        _ => None,
    }
}

/// What `text`, or `crlf` as it was called before, says (`git_path_check_crlf`).
fn line_ends(state: StateRef<'_>) -> Option<AttributesDigest> {
    match state {
        StateRef::Set => Some(AttributesDigest::Text),
        StateRef::Unset => Some(AttributesDigest::Binary),
        StateRef::Value(value) if value.as_bstr() == "input" => Some(AttributesDigest::TextInput),
        StateRef::Value(value) if value.as_bstr() == "auto" => Some(AttributesDigest::TextAuto),
        StateRef::Value(_) | StateRef::Unspecified => None,
    }
}

/// Whether a checkout on Unix gives a file CRLF: only where `eol=crlf` says so, and the file is text (`convert_attrs`).
fn to_crlf(text: Option<AttributesDigest>, eol: Option<&[u8]>) -> Option<AttributesDigest> {
    match text {
        _ if eol != Some(b"crlf") => None,
        Some(AttributesDigest::Binary) => None,
        Some(AttributesDigest::TextAuto) => Some(AttributesDigest::TextAutoCrlf),
        _ => Some(AttributesDigest::TextCrlf),
    }
}
