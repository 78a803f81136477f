//! The order of the entries: the tree's own, a folder before what is in it, as `git archive` gives them.

use gix::{
    ObjectId,
    bstr::{BStr, BString, ByteSlice},
    objs::tree::EntryKind,
};

use crate::ArchiveError;

/// An entry of the tree, by its whole path.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// Parts between slashes; no slash at either end.
    pub(crate) path: &'a BStr,
    pub(crate) kind: EntryKind,
    pub(crate) id: ObjectId,
}

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visit {
    /// It is in the zip; what is in a folder comes next.
    Kept,
    /// It is left out, with all that is in it.
    LeftOut,
}

/// Trees inside of trees: Git itself stops there (`core.maxTreeDepth`).
const MAX_DEPTH: usize = 2048;

/// Calls `visit` for each entry below `tree`.
pub(crate) fn walk(
    repository: &gix::Repository,
    tree: ObjectId,
    visit: &mut dyn FnMut(&Entry<'_>) -> Result<Visit, ArchiveError>,
) -> Result<(), ArchiveError> {
    // What is still to be visited, the next one last.
    let mut pending = children(repository, tree, b"".as_bstr())?;
    while let Some((path, kind, id)) = pending.pop() {
        let visited = visit(&Entry { path: path.as_bstr(), kind, id })?;
        if kind == EntryKind::Tree && visited == Visit::Kept {
            if path.find_iter("/").count() >= MAX_DEPTH {
                return Err(ArchiveError::Path { path });
            }
            pending.extend(children(repository, id, path.as_bstr())?);
        }
    }
    Ok(())
}

/// The entries of a tree, the first one last.
fn children(
    repository: &gix::Repository,
    tree: ObjectId,
    parent: &BStr,
) -> Result<Vec<(BString, EntryKind, ObjectId)>, ArchiveError> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| ArchiveError::Object { id: tree, source };
    let object = repository.find_tree(tree).map_err(|error| unreadable(error.into()))?;
    let mut entries = Vec::new();
    for entry in object.iter() {
        let entry = entry.map_err(|error| unreadable(error.into()))?;
        let mut path = parent.to_owned();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(entry.filename());
        check(entry.filename(), &path)?;
        entries.push((path, entry.mode().kind(), entry.object_id()));
    }
    entries.reverse();
    Ok(entries)
}

/// A name that Git itself wouldn't check out is none for a zip either: `..`, `.git` in all its spellings, a slash.
fn check(name: &BStr, path: &BString) -> Result<(), ArchiveError> {
    // Names that only Windows can't have are for who unpacks there to refuse.
    let options = gix_validate::path::component::Options { protect_windows: false, ..Default::default() };
    let legal = gix_validate::path::component(name, None, options).is_ok();
    if legal && !name.contains(&0) { Ok(()) } else { Err(ArchiveError::Path { path: path.clone() }) }
}
