//! Checks whether a clone has a complete commit. The push decides how much work that is, so the
//! caller can interrupt it.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use gix::{ObjectId, Repository, objs::Kind};
use pack::{Commit, NoCommit};

/// A complete commit.
#[derive(Debug)]
pub(crate) struct WholeCommit {
    pub(crate) id: ObjectId,
    pub(crate) tree: ObjectId,
    /// The first paragraph of its message on one line.
    pub(crate) summary: String,
}

/// Why there is no complete commit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WholeError {
    /// An object is missing or unreadable.
    #[error("an object of the commit is missing")]
    Missing(#[source] gix::Error),
    /// It is stored as a commit, but isn't a valid one.
    #[error("the object {0} is not a commit")]
    Malformed(ObjectId, #[source] NoCommit),
    /// It has another type.
    #[error("it is a {0}")]
    NotACommit(Kind),
    /// The check was interrupted.
    #[error("checking the commit was interrupted")]
    Interrupted,
}

impl From<gix::Error> for WholeError {
    fn from(error: gix::Error) -> Self {
        Self::Missing(error)
    }
}

/// A missing blob.
#[derive(Debug, thiserror::Error)]
#[error("the object {0} is missing")]
struct Missing(ObjectId);

/// The commit that `target` points to, directly or through annotated tags, if its tree is complete.
pub(crate) fn whole_commit(
    clone: &Repository,
    target: ObjectId,
    interrupt: &AtomicBool,
) -> Result<WholeCommit, WholeError> {
    let mut object = clone.find_object(target)?;
    // A tag may point to a tag, in a chain of any length that a push contains.
    while object.kind == Kind::Tag {
        go_on(interrupt)?;
        let next = object.try_into_tag()?.target_id()?.detach();
        object = clone.find_object(next)?;
    }
    if object.kind != Kind::Commit {
        return Err(WholeError::NotACommit(object.kind));
    }
    let id = object.id;
    let commit = Commit::parse(&object.data).map_err(|source| WholeError::Malformed(id, source))?;
    let (tree, summary) = (commit.tree, commit.summary());
    check_tree(clone, tree, interrupt)?;
    Ok(WholeCommit { id, tree, summary })
}

/// Reads every tree once and looks up every blob. We tell the host that a kept clone has these
/// objects, so a lost one would never be sent again.
fn check_tree(clone: &Repository, tree: ObjectId, interrupt: &AtomicBool) -> Result<(), WholeError> {
    let (mut seen, mut open) = (HashSet::from([tree]), vec![tree]);
    while let Some(id) = open.pop() {
        go_on(interrupt)?;
        let tree = clone.find_tree(id)?;
        for entry in tree.iter() {
            go_on(interrupt)?;
            let entry = entry?;
            let (mode, id) = (entry.mode(), entry.object_id());
            if mode.is_commit() || !seen.insert(id) {
                continue;
            }
            if mode.is_tree() {
                open.push(id);
            } else if !clone.has_object(id) {
                return Err(gix::Error::from_error(Missing(id)).into());
            }
        }
    }
    Ok(())
}

fn go_on(interrupt: &AtomicBool) -> Result<(), WholeError> {
    if interrupt.load(Ordering::Relaxed) { Err(WholeError::Interrupted) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use gix::objs::{
        Commit, Tag, Tree, WriteTo,
        tree::{Entry, EntryKind},
    };

    use super::*;

    fn write(clone: &Repository, object: impl WriteTo) -> ObjectId {
        clone.write_object(object).unwrap().detach()
    }

    fn entry(name: u8, kind: EntryKind, oid: ObjectId) -> Entry {
        Entry { mode: kind.into(), filename: vec![name].into(), oid }
    }

    fn commit(clone: &Repository, tree: ObjectId) -> ObjectId {
        let who = gix::actor::Signature::default();
        write(
            clone,
            Commit {
                tree,
                parents: Vec::new().into(),
                author: who.clone(),
                committer: who,
                encoding: None,
                message: "A summary.\n\nMore.".into(),
                extra_headers: Vec::new(),
            },
        )
    }

    #[test]
    fn a_strange_commit_is_whole() {
        let (_temp, clone) = clone();
        let tree = write(&clone, Tree { entries: Vec::new() });
        for headers in [
            "author A 1282910542 +0200\ncommitter A 1282910542 +0200\n\nsubject\n",
            "\nsubject",
            "encoding latin1\ncommitter C\ncommitter D\n\nsubject\r\n\r\nbody",
        ] {
            let content = format!("tree {tree}\n{headers}");
            let id = gix::objs::Write::write_buf(&clone.objects, Kind::Commit, content.as_bytes()).unwrap();
            let whole = whole_commit(&clone, id, &AtomicBool::new(false)).unwrap();
            assert_eq!((whole.tree, whole.summary.as_str()), (tree, "subject"), "{headers:?}");
        }
        let id = gix::objs::Write::write_buf(&clone.objects, Kind::Commit, b"author A\n\nx").unwrap();
        let error = whole_commit(&clone, id, &AtomicBool::new(false)).unwrap_err();
        assert!(matches!(error, WholeError::Malformed(found, NoCommit) if found == id), "{error:?}");
    }

    /// Eleven trees that represent ten billion files.
    fn repeated(clone: &Repository) -> ObjectId {
        let blob = clone.write_blob("x").unwrap().detach();
        let mut below = (EntryKind::Blob, blob);
        for _ in 0..10 {
            let entries = (b'a'..=b'j').map(|name| entry(name, below.0, below.1)).collect();
            below = (EntryKind::Tree, write(clone, Tree { entries }));
        }
        below.1
    }

    fn tag(clone: &Repository, target: ObjectId, target_kind: Kind) -> ObjectId {
        write(clone, Tag { target, target_kind, name: "v1".into(), tagger: None, message: "x".into(), signature: None })
    }

    fn clone() -> (tempfile::TempDir, Repository) {
        let temp = tempfile::tempdir().unwrap();
        let clone = gix::init_bare(temp.path()).unwrap();
        (temp, clone)
    }

    #[test]
    fn commit_with_repeated_trees_is_whole() {
        let (_temp, clone) = clone();
        let tree = repeated(&clone);
        let commit = commit(&clone, tree);
        let whole = whole_commit(&clone, commit, &AtomicBool::new(false)).unwrap();
        assert_eq!((whole.id, whole.tree, whole.summary.as_str()), (commit, tree, "A summary."));
    }

    #[test]
    fn a_set_interrupt_ends_every_look() {
        let (_temp, clone) = clone();
        let small = commit(&clone, write(&clone, Tree { entries: Vec::new() }));
        let large = commit(&clone, repeated(&clone));
        let tagged = tag(&clone, small, Kind::Commit);
        for target in [small, large, tagged, tag(&clone, tagged, Kind::Tag)] {
            let error = whole_commit(&clone, target, &AtomicBool::new(true)).unwrap_err();
            assert!(matches!(error, WholeError::Interrupted), "{error:?}");
        }
    }

    #[test]
    fn nested_tags_lead_to_commit() {
        let (_temp, clone) = clone();
        let tree = write(&clone, Tree { entries: Vec::new() });
        let commit = commit(&clone, tree);
        let mut target = tag(&clone, commit, Kind::Commit);
        for _ in 0..1_000 {
            target = tag(&clone, target, Kind::Tag);
        }
        assert_eq!(whole_commit(&clone, target, &AtomicBool::new(false)).unwrap().id, commit);
        let error = whole_commit(&clone, tag(&clone, tree, Kind::Tree), &AtomicBool::new(false)).unwrap_err();
        assert!(matches!(error, WholeError::NotACommit(Kind::Tree)), "{error:?}");
    }

    #[test]
    fn a_missing_blob_is_named() {
        let (_temp, clone) = clone();
        let missing = ObjectId::from_hex(&[b'1'; 40]).unwrap();
        let commit = commit(&clone, write(&clone, Tree { entries: vec![entry(b'a', EntryKind::Blob, missing)] }));
        let error = whole_commit(&clone, commit, &AtomicBool::new(false)).unwrap_err();
        assert!(contract::error_chain(&error).contains(&missing.to_string()), "{error:?}");
    }
}
