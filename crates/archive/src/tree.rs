//! Walks the entries of a tree in its own order, a folder before its content, like `git archive`.

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
    /// The whole path: without leading and trailing slashes.
    pub(crate) path: BString,
    pub(crate) kind: EntryKind,
    pub(crate) id: ObjectId,
}

/// The memory limit for the entries of a tree, as lines of the zip's directory: four million files.
/// A few nested trees that repeat one another can have more entries than there is time for.
const ROOM: u64 = 384 << 20;
/// The approximate memory of an entry, without its path.
const ENTRY: u64 = 96;

/// A walk through a tree. The caller decides which folders to enter.
pub(crate) struct Walk<'a> {
    objects: &'a Objects<'a>,
    /// The remaining entries, the next one last.
    pending: Vec<Entry>,
    /// The rest of [`ROOM`].
    room: u64,
    root: ObjectId,
    attributes: Option<ObjectId>,
}

impl<'a> Walk<'a> {
    /// Walks a whole tree, which refuses unsafe names and too many entries.
    pub(crate) fn through(objects: &'a Objects<'a>, tree: ObjectId) -> Result<(), ArchiveError> {
        let mut walk = Self::new(objects, tree)?;
        while let Some(entry) = walk.next() {
            if entry.kind == EntryKind::Tree {
                walk.enter(&entry)?;
            }
        }
        Ok(())
    }

    /// A walk from the root `tree`.
    pub(crate) fn new(objects: &'a Objects<'a>, tree: ObjectId) -> Result<Self, ArchiveError> {
        let mut walk = Self { objects, pending: Vec::new(), room: ROOM, root: tree, attributes: None };
        walk.push(tree, b"".as_bstr())?;
        Ok(walk)
    }

    /// The next entry. `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        self.pending.pop()
    }

    /// Enters a folder: its content comes next.
    pub(crate) fn enter(&mut self, folder: &Entry) -> Result<(), ArchiveError> {
        self.push(folder.id, folder.path.as_bstr())
    }

    /// The `.gitattributes` of the folder that was entered last. Like Git, it reads the target text
    /// of a link instead of following it.
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
            // Counted early: nested trees of a few kilobytes can have billions of entries.
            let taken = ENTRY + path.len() as u64;
            self.room = self.room.checked_sub(taken).ok_or(ArchiveError::TooMany { tree: self.root })?;
            if entry.filename == ".gitattributes" && !matches!(entry.mode.kind(), EntryKind::Tree | EntryKind::Commit) {
                self.attributes = Some(entry.oid.to_owned());
            }
            self.pending.push(Entry { path, kind: entry.mode.kind(), id: entry.oid.to_owned() });
        }
        // The next one is taken from the end.
        self.pending.get_mut(start..).unwrap_or_default().reverse();
        Ok(())
    }
}

/// The entered folders that aren't written yet. Git has no empty folders, so `git archive` writes a
/// folder only before its first file. A folder with only excluded content isn't written.
#[derive(Debug, Default)]
pub(crate) struct Folders(Vec<BString>);

impl Folders {
    /// Enters a folder.
    pub(crate) fn enter(&mut self, folder: BString) {
        self.leave(&folder);
        self.0.push(folder);
    }

    /// The folders to write before the file at `path`, outermost first.
    pub(crate) fn before(&mut self, path: &BString) -> Vec<BString> {
        self.leave(path);
        std::mem::take(&mut self.0)
    }

    /// Leaves the folders that don't contain `path`.
    fn leave(&mut self, path: &BString) {
        let is_in = |folder: &BString| path.strip_prefix(folder.as_slice()).is_some_and(|rest| rest.starts_with(b"/"));
        // Each is inside the previous one.
        while self.0.pop_if(|folder| !is_in(folder)).is_some() {}
    }
}
