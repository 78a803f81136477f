//! The entries of a tree as a stream, in the tree's own order, a folder before what is in it: as
//! `git archive` gives them.

use gix::{
    ObjectId,
    bstr::{BStr, BString, ByteSlice},
    objs::{Kind, TreeRefIter, tree::EntryKind},
};

use zip_writer::path::{self, IllegalPath};

use crate::{error::ArchiveError, objects::Objects};

/// An entry of the tree.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The whole path: parts between slashes, and no slash at either end.
    pub(crate) path: BString,
    pub(crate) kind: EntryKind,
    pub(crate) id: ObjectId,
}

/// What the entries of a tree may take of memory, as lines of the zip's directory: four million
/// files. A few trees, each of which holds the next one ten times, have more entries than there is
/// time for.
const ROOM: u64 = 384 << 20;
/// About what an entry takes, but for its path.
const ENTRY: u64 = 96;

/// A walk through a tree. Whoever walks says which folders to go into.
pub(crate) struct Walk<'a> {
    objects: &'a Objects<'a>,
    /// What is still to come, the next one last.
    pending: Vec<Entry>,
    /// What is left of [`ROOM`].
    room: u64,
    root: ObjectId,
    attributes: Option<ObjectId>,
}

impl<'a> Walk<'a> {
    /// Goes through a whole tree, which refuses a name that no zip may have, or too many.
    pub(crate) fn through(objects: &'a Objects<'a>, tree: ObjectId) -> Result<(), ArchiveError> {
        let mut walk = Self::new(objects, tree)?;
        while let Some(entry) = walk.next() {
            if entry.kind == EntryKind::Tree {
                walk.enter(&entry)?;
            }
        }
        Ok(())
    }

    /// A walk that begins at the root `tree`.
    pub(crate) fn new(objects: &'a Objects<'a>, tree: ObjectId) -> Result<Self, ArchiveError> {
        let mut walk = Self { objects, pending: Vec::new(), room: ROOM, root: tree, attributes: None };
        walk.push(tree, b"".as_bstr())?;
        Ok(walk)
    }

    /// The next entry; none at the end.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        self.pending.pop()
    }

    /// Goes into a folder: what is in it comes next.
    pub(crate) fn enter(&mut self, folder: &Entry) -> Result<(), ArchiveError> {
        self.push(folder.id, folder.path.as_bstr())
    }

    /// The `.gitattributes` of the folder that was gone into last. Of a link Git takes the text,
    /// and doesn't follow it.
    pub(crate) fn attributes(&self) -> Option<ObjectId> {
        self.attributes
    }

    fn push(&mut self, tree: ObjectId, parent: &BStr) -> Result<(), ArchiveError> {
        let content = self.objects.read(tree, Kind::Tree)?;
        let start = self.pending.len();
        self.attributes = None;
        for entry in TreeRefIter::from_bytes(&content, tree.kind()) {
            let entry = entry.map_err(|error| ArchiveError::Object { id: tree, source: error.into() })?;
            let path = path::join(parent, entry.filename).map_err(|IllegalPath(path)| ArchiveError::Path { path })?;
            let taken = ENTRY + path.len() as u64;
            self.room = self.room.checked_sub(taken).ok_or(ArchiveError::TooMany { tree: self.root })?;
            if entry.filename == ".gitattributes" && !matches!(entry.mode.kind(), EntryKind::Tree | EntryKind::Commit) {
                self.attributes = Some(entry.oid.to_owned());
            }
            self.pending.push(Entry { path, kind: entry.mode.kind(), id: entry.oid.to_owned() });
        }
        self.pending.get_mut(start..).unwrap_or_default().reverse();
        Ok(())
    }
}

/// Folders that are walked through and not written yet. Git has no empty folders, so `git archive`
/// writes one not before a file in it comes by: one in which everything is left out as a folder is
/// not written at all.
#[derive(Debug, Default)]
pub(crate) struct Folders(Vec<BString>);

impl Folders {
    /// Walks into a folder.
    pub(crate) fn enter(&mut self, folder: BString) {
        self.leave(&folder);
        self.0.push(folder);
    }

    /// The folders to write before the file at `path`, outermost first.
    pub(crate) fn before(&mut self, path: &BString) -> Vec<BString> {
        self.leave(path);
        std::mem::take(&mut self.0)
    }

    /// Forgets the folders that `path` isn't in.
    fn leave(&mut self, path: &BString) {
        let is_in = |folder: &BString| path.strip_prefix(folder.as_slice()).is_some_and(|rest| rest.starts_with(b"/"));
        // Each is in the one before.
        while self.0.pop_if(|folder| !is_in(folder)).is_some() {}
    }
}
