//! The names of a commit, as `git log --decorate` tells them: `HEAD -> main, tag: v1, origin/main`.

use gix::{ObjectId, Repository, bstr::ByteSlice};

use crate::Pushed;

/// The names of the commit `id`, in Git's order: HEAD, and then the refs from the last to the first. A branch that was pushed is
/// taken for the one that is checked out, and a tag for the one that is asked for where nothing is.
pub(crate) fn decorations(repository: &Repository, id: ObjectId, pushed: Option<&Pushed>) -> Vec<Vec<u8>> {
    if let Some(Pushed { reference, .. }) = pushed {
        let kind = if reference.branch().is_some() { "HEAD -> " } else { "tag: " };
        return vec![[kind, reference.short()].concat().into_bytes()];
    }
    let head = repository.head().ok();
    let mut head = head.filter(|_| repository.head_id().is_ok_and(|head| head == id));
    let branch = head.as_mut().and_then(|head| head.referent_name().map(|name| name.as_bstr().to_owned()));
    let mut names: Vec<_> = names_of(repository, id);
    names.sort();
    names.reverse();
    names.retain(|name| branch.as_ref().is_none_or(|branch| name != branch.as_slice()));
    let mut all = Vec::new();
    if head.is_some() {
        all.push(branch.map_or_else(|| b"HEAD".to_vec(), |branch| [b"HEAD -> ", short(&branch)].concat()));
    }
    all.extend(names.iter().map(|name| {
        let kind: &[u8] = if name.starts_with(b"refs/tags/") { b"tag: " } else { b"" };
        [kind, short(name)].concat()
    }));
    all
}

/// The parts with `separator` between them.
pub(crate) fn joined(parts: impl IntoIterator<Item = Vec<u8>>, separator: &[u8]) -> Vec<u8> {
    parts.into_iter().collect::<Vec<_>>().join(separator)
}

fn names_of(repository: &Repository, id: ObjectId) -> Vec<Vec<u8>> {
    let Ok(references) = repository.references() else { return Vec::new() };
    let Ok(all) = references.all() else { return Vec::new() };
    let of_commit = all.filter_map(Result::ok).filter_map(|mut reference| {
        // Peeling a symbolic ref turns it into the one that it points to.
        let name = reference.name().as_bstr().to_vec();
        (reference.peel_to_id().ok()? == id).then_some(name)
    });
    of_commit.collect()
}

fn short(name: &[u8]) -> &[u8] {
    let prefixes = ["refs/heads/", "refs/tags/", "refs/remotes/"];
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix.as_bytes())).unwrap_or(name.as_bytes())
}
