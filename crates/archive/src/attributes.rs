//! The `.gitattributes` of the archived tree: which entries are left out, and how files are
//! converted.
//!
//! Only the tree's own files count, not the configuration, `info/attributes` or anything of the
//! machine, so that a tree gives the same zip everywhere. The only supported `filter` is Git LFS:
//! others are programs, and this crate runs none.

mod lines;
mod macros;
mod names;
mod pattern;
mod search;

use gix::{
    ObjectId,
    attrs::State,
    bstr::{BStr, ByteSlice},
    filter::plumbing::eol::AttributesDigest,
    objs::tree::EntryKind,
};

pub(crate) use self::search::Steps;
use self::{names::NAMES, search::Search};
use crate::{convert::Conversion, error::ArchiveError, objects::Objects, tree::Entry};

/// What to do with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Archive it, with these conversions if it is a file.
    Kept(Conversion),
    /// Leave it out.
    LeftOut,
}

/// The attributes of a tree, for a walk through its folders.
pub(crate) struct Attributes<'a> {
    search: Search<'a>,
    purpose: Purpose,
}

/// What the files are for, which determines the relevant attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An archive, like `git archive`.
    Archive,
    /// A work tree, like `git checkout`: nothing is left out or expanded.
    WorkTree,
}

impl<'a> Attributes<'a> {
    /// The attributes before the root folder.
    pub(crate) fn new(objects: &'a Objects<'a>, steps: &'a Steps, purpose: Purpose) -> Self {
        Self { search: Search::new(objects, steps), purpose }
    }

    /// Enters a folder, which may have a `.gitattributes`.
    pub(crate) fn enter(&mut self, folder: &BStr, file: Option<ObjectId>) -> Result<(), ArchiveError> {
        file.map_or(Ok(()), |file| self.search.enter(folder, file))
    }

    /// What to do with an entry of the current folder.
    pub(crate) fn treatment(&mut self, entry: &Entry) -> Result<Treatment, ArchiveError> {
        let is_folder = matches!(entry.kind, EntryKind::Tree | EntryKind::Commit);
        let states = self.search.states(entry.path.as_bstr(), is_folder)?;
        let (mut text, mut crlf, mut eol) = (None, None, &State::Unspecified);
        let mut conversion = Conversion::default();
        for (name, state) in NAMES.into_iter().zip(states) {
            let state = state.unwrap_or(&State::Unspecified);
            match name {
                "export-ignore" | "export-subst" if self.purpose == Purpose::WorkTree => {}
                "export-ignore" if *state == State::Set => return Ok(Treatment::LeftOut),
                "export-subst" => conversion.substitute = *state == State::Set,
                "filter" => conversion.lfs = value(state) == Some(b"lfs"),
                "ident" => conversion.ident = *state == State::Set,
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

fn value(state: &State) -> Option<&[u8]> {
    match state {
        State::Value(value) => Some(value.as_ref().as_bstr().as_bytes()),
        _ => None,
    }
}

/// The meaning of `text`, or of its former name `crlf` (`git_path_check_crlf`).
fn line_ends(state: &State) -> Option<AttributesDigest> {
    match (state, value(state)) {
        (State::Set, _) => Some(AttributesDigest::Text),
        (State::Unset, _) => Some(AttributesDigest::Binary),
        (_, Some(b"input")) => Some(AttributesDigest::TextInput),
        (_, Some(b"auto")) => Some(AttributesDigest::TextAuto),
        _ => None,
    }
}

/// Whether a checkout on Unix gives a file CRLF: only if `eol=crlf` is set and the file is text
/// (`convert_attrs`).
fn to_crlf(text: Option<AttributesDigest>, eol: Option<&[u8]>) -> Option<AttributesDigest> {
    match text {
        _ if eol != Some(b"crlf") => None,
        Some(AttributesDigest::Binary) => None,
        Some(AttributesDigest::TextAuto) => Some(AttributesDigest::TextAutoCrlf),
        _ => Some(AttributesDigest::TextCrlf),
    }
}
