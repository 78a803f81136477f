//! Lists what must be fetched before a commit can be zipped: Git LFS files and submodules.

use std::{ops::ControlFlow, sync::atomic::AtomicBool};

use gix::{
    ObjectId,
    bstr::{BStr, BString, ByteSlice},
    objs::tree::EntryKind,
};

use crate::{
    attributes::{Attributes, Steps, Treatment},
    convert::Conversion,
    error::ArchiveError,
    lfs::{Filtered, LargeFile},
    objects::Objects,
    options::Options,
    selection::{Root, Selected, Selection},
    subst::Commit,
    tree::{Entry, Walk},
};

/// The most large files that are listed. A few nested trees can repeat one pointer a million times,
/// and there is no time to download that many.
const MOST_LARGE: usize = 1 << 19;

/// The Git LFS files of a commit, in the order in which [`write_zip`](crate::write_zip) requests
/// them.
///
/// # Errors
/// Those of [`write_zip`](crate::write_zip).
pub fn large_files(
    repository: &gix::Repository,
    commit: ObjectId,
    options: &Options,
    interrupt: &AtomicBool,
) -> Result<Vec<LargeFile>, ArchiveError> {
    let objects = Objects::of(repository, interrupt);
    let (commit, steps) = (Commit::read(&objects, commit)?, Steps::default());
    let root = Root { objects: &objects, commit: &commit, prefix: BString::default(), steps: &steps };
    let mut found = Vec::new();
    list(&root, options, MOST_LARGE, &mut found)?;
    Ok(found)
}

fn list(root: &Root<'_>, options: &Options, most: usize, found: &mut Vec<LargeFile>) -> Result<(), ArchiveError> {
    let mut selection = Selection::of(root, options, true)?;
    while let Some(Selected { path, file, submodule, .. }) = selection.next()? {
        if let Some(Filtered::Pointer(pointer)) = file.map(|file| file.filtered) {
            if found.len() == most {
                return Err(ArchiveError::TooMany { tree: root.commit.tree() });
            }
            found.push(LargeFile { submodule: root.submodule(), path, pointer });
        }
        if let Some(submodule) = submodule {
            submodule.enter(root, |root| list(root, options, most, found))?;
        }
    }
    Ok(())
}

/// The submodules of `commit` that may have files in the zip, with their pinned commits. The tree
/// is at `prefix` in the zip, which is empty or ends in a slash.
///
/// # Errors
/// Those of [`write_zip`](crate::write_zip).
pub fn pinned_submodules(
    repository: &gix::Repository,
    commit: ObjectId,
    options: &Options,
    prefix: &BStr,
    interrupt: &AtomicBool,
) -> Result<Vec<(BString, ObjectId)>, ArchiveError> {
    let mut pinned = Vec::new();
    let wanted = |kind| matches!(kind, EntryKind::Tree | EntryKind::Commit);
    kept(repository, commit, options, interrupt, wanted, |entry, _| {
        if entry.kind == EntryKind::Commit
            && options.paths.may_hold([prefix.as_bytes(), &entry.path].concat().as_bstr())
        {
            pinned.push((entry.path, entry.id));
        }
        ControlFlow::Continue(())
    })?;
    Ok(pinned)
}

/// Whether the zip depends on the commit and not only on its tree: if an attribute is
/// `export-subst`.
///
/// # Errors
/// Those of [`write_zip`](crate::write_zip).
pub fn names_its_commit(
    repository: &gix::Repository,
    commit: ObjectId,
    options: &Options,
    interrupt: &AtomicBool,
) -> Result<bool, ArchiveError> {
    let mut names_it = false;
    kept(
        repository,
        commit,
        options,
        interrupt,
        |_| true,
        |entry, conversion| {
            names_it = entry.kind != EntryKind::Tree && conversion.substitute;
            if names_it { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    )?;
    Ok(names_it)
}

/// Calls `found` with each included entry of a commit and its conversions, until it breaks. Skips
/// the attributes of kinds that aren't `wanted`, which never are folders.
fn kept(
    repository: &gix::Repository,
    commit: ObjectId,
    options: &Options,
    interrupt: &AtomicBool,
    wanted: impl Fn(EntryKind) -> bool,
    mut found: impl FnMut(Entry, Conversion) -> ControlFlow<()>,
) -> Result<(), ArchiveError> {
    let (objects, steps) = (Objects::of(repository, interrupt), Steps::default());
    let mut attributes = Attributes::new(&objects, &steps, options.purpose());
    let mut walk = Walk::new(&objects, Commit::read(&objects, commit)?.tree())?;
    attributes.enter("".into(), walk.attributes())?;
    while let Some(entry) = walk.next() {
        objects.go_on()?;
        if !wanted(entry.kind) {
            continue;
        }
        let Treatment::Kept(conversion) = attributes.treatment(&entry)? else { continue };
        if entry.kind == EntryKind::Tree {
            walk.enter(&entry)?;
            attributes.enter(entry.path.as_bstr(), walk.attributes())?;
        }
        if found(entry, conversion).is_break() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gix::objs::{Tree, tree::Entry};

    use super::*;

    #[test]
    fn too_many_large_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let repository = gix::init_bare(folder.path()).unwrap();
        let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 7\n", "0".repeat(64));
        let blob = |content: &str| repository.write_blob(content).unwrap().detach();
        let entry = |kind: EntryKind, name: &str, oid| Entry { mode: kind.into(), filename: name.into(), oid };
        let files = ["a", "b", "c"].map(|name| entry(EntryKind::Blob, name, blob(&pointer)));
        let inner = repository.write_object(Tree { entries: files.to_vec() }).unwrap().detach();
        let folders = ["x", "y", "z"].map(|name| entry(EntryKind::Tree, name, inner));
        let attributes = entry(EntryKind::Blob, ".gitattributes", blob("* filter=lfs\n"));
        let entries = [vec![attributes], folders.to_vec()].concat();
        let tree = repository.write_object(Tree { entries }).unwrap();
        let person = gix::actor::SignatureRef { name: "A".into(), email: "a@example.com".into(), time: "1 +0000" };
        let none: [ObjectId; 0] = [];
        let commit = repository.new_commit_as(person, person, "x", tree, none).unwrap().id;

        let (never, steps) = (AtomicBool::new(false), Steps::default());
        let objects = Objects::of(&repository, &never);
        let commit = Commit::read(&objects, commit).unwrap();
        let root = Root { objects: &objects, commit: &commit, prefix: BString::default(), steps: &steps };
        for (most, fits) in [(9, true), (8, false)] {
            let listed = list(&root, &Options::default(), most, &mut Vec::new());
            assert_eq!(listed.is_ok(), fits, "{listed:?}");
            assert!(fits || matches!(listed, Err(ArchiveError::TooMany { .. })));
        }
    }
}
