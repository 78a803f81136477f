//! The submodules of a commit, and theirs: each fetched over SSH like any repository, at the commit that the tree around it
//! pins. `.gitmodules` is whoever pushes' to write, so a URL in it only chooses among the repositories of allowed hosts.

use std::collections::VecDeque;

use archive::Submodule;
use contract::{CommitId, Repository};
use fetch::{Fetched, Reading, Wanted};
use gix::{
    ObjectId,
    bstr::{BStr, BString, ByteSlice},
};

/// How deep submodules may lie in one another.
const DEEPEST: usize = 8;
/// How many there may be in all.
const MOST: usize = 200;
/// How many folders are looked through for them. Trees that are repeated in trees have more than there is time for.
const FOLDERS: usize = 1_000_000;

/// Why the submodules of a repository can't go along.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmoduleError {
    #[error("the .gitmodules of {repository} can't be read")]
    Modules { repository: Repository, source: gix::Error },
    #[error("a tree of {repository} can't be read")]
    Tree { repository: Repository, source: gix::Error },
    #[error("the tree of {repository} has more than {FOLDERS} folders to look for submodules in")]
    Folders { repository: Repository },
    #[error("the submodule {path} of {repository} has no URL in .gitmodules")]
    NoUrl { repository: Repository, path: BString },
    #[error("the submodule {path} of {repository} has an unusable URL")]
    Url { repository: Repository, path: BString, source: forge::CloneUrlError },
    #[error("the submodule {path} of {repository} leads out of its host by {url:?}")]
    Outside { repository: Repository, path: BString, url: String },
    #[error("{repository} is a submodule of itself, by way of {path}")]
    Cycle { repository: Repository, path: BString },
    #[error("the submodules lie more than {DEEPEST} deep, at {path}")]
    Deep { path: BString },
    #[error("there are more than {MOST} submodules")]
    Many,
    #[error("the submodule {path} is pinned to an id that is none")]
    Pinned { path: BString, source: contract::git::CommitIdError },
}

/// A commit whose submodules are wanted.
struct Parent {
    repository: Repository,
    clone: gix::Repository,
    tree: ObjectId,
    prefix: BString,
    /// The repositories around it, the outermost first.
    around: Vec<Repository>,
}

/// Fetches all submodules of `root`, each by `fetch`: what they are of, what is there, and what keeps it there.
pub(crate) async fn fetch_all<E: From<SubmoduleError>>(
    repository: &Repository,
    root: &Fetched,
    fetch: impl AsyncFn(&Repository, Wanted) -> Result<Fetched, E>,
) -> Result<Vec<(Repository, Submodule, Reading)>, E> {
    let mut found = Vec::new();
    let mut parents = VecDeque::from([Parent {
        repository: repository.clone(),
        clone: root.clone.clone(),
        tree: root.tree,
        prefix: BString::default(),
        around: Vec::new(),
    }]);
    while let Some(parent) = parents.pop_front() {
        for Pinned { path, url, commit } in pinned(&parent)? {
            let repository = resolve(&parent.repository, &path, url.as_bstr())?;
            let around = [&parent.around[..], std::slice::from_ref(&parent.repository)].concat();
            let whole: BString = [parent.prefix.as_slice(), &path].concat().into();
            if around.contains(&repository) {
                return Err(SubmoduleError::Cycle { repository, path: whole }.into());
            }
            if around.len() > DEEPEST {
                return Err(SubmoduleError::Deep { path: whole }.into());
            }
            if found.len() == MOST {
                return Err(SubmoduleError::Many.into());
            }
            let id: CommitId =
                commit.to_string().parse().map_err(|source| SubmoduleError::Pinned { path: whole.clone(), source })?;
            // Its clone is free again when the next submodule may be of the same repository.
            let Fetched { clone, commit, tree, reading, .. } = fetch(&repository, Wanted::Commit(id)).await?;
            let prefix = [whole.as_slice(), b"/"].concat().into();
            found.push((repository.clone(), Submodule { path: whole, clone: clone.clone(), commit }, reading));
            parents.push_back(Parent { repository, clone, tree, prefix, around });
        }
    }
    Ok(found)
}

/// A submodule as the tree and its `.gitmodules` have it.
struct Pinned {
    path: BString,
    url: BString,
    commit: ObjectId,
}

/// The submodules of a commit. What the tree has and `.gitmodules` doesn't stays an empty folder, as with Git.
fn pinned(parent: &Parent) -> Result<Vec<Pinned>, SubmoduleError> {
    let repository = || parent.repository.clone();
    let links = links(&parent.clone, parent.tree, FOLDERS)
        .map_err(|source| SubmoduleError::Tree { repository: repository(), source })?
        .ok_or_else(|| SubmoduleError::Folders { repository: repository() })?;
    if links.is_empty() {
        return Ok(Vec::new());
    }
    let modules = modules(&parent.clone, parent.tree);
    let modules = modules.map_err(|source| SubmoduleError::Modules { repository: repository(), source })?;
    let Some(modules) = modules else { return Ok(Vec::new()) };
    let mut pinned = Vec::new();
    for (path, commit) in links {
        let Some(name) = modules.name_by_path(path.as_bstr()) else { continue };
        let url = modules.config().string_by("submodule", Some(name), "url");
        let url = url.ok_or_else(|| SubmoduleError::NoUrl { repository: repository(), path: path.clone() })?;
        pinned.push(Pinned { path, url, commit });
    }
    Ok(pinned)
}

/// The commits that stand in a tree, with their paths; none where it has too many folders.
fn links(clone: &gix::Repository, tree: ObjectId, most: usize) -> gix::Result<Option<Vec<(BString, ObjectId)>>> {
    let (mut links, mut open) = (Vec::new(), vec![(BString::default(), tree)]);
    let mut folders = 0;
    while let Some((prefix, id)) = open.pop() {
        folders += 1;
        if folders > most {
            return Ok(None);
        }
        for entry in clone.find_tree(id)?.iter() {
            let entry = entry?;
            let path: BString = [prefix.as_slice(), entry.filename()].concat().into();
            if entry.mode().is_commit() {
                links.push((path, entry.object_id()));
            } else if entry.mode().is_tree() {
                open.push(([path.as_slice(), b"/"].concat().into(), entry.object_id()));
            }
        }
    }
    links.sort();
    Ok(Some(links))
}

/// The `.gitmodules` of a tree: a file, and not what a link of that name leads to.
fn modules(clone: &gix::Repository, tree: ObjectId) -> gix::Result<Option<gix::submodule::File>> {
    let Some(entry) = clone.find_tree(tree)?.lookup_entry_by_path(".gitmodules")? else { return Ok(None) };
    if !entry.mode().is_blob() {
        return Ok(None);
    }
    let blob = clone.find_blob(entry.object_id())?;
    gix::submodule::File::from_bytes(&blob.data, None, &gix::config::File::default()).map(Some)
}

/// The repository that a URL in the `.gitmodules` of `parent` names: relative to the parent's own, as Git takes it, or any
/// that a payload could name.
fn resolve(parent: &Repository, path: &BString, url: &BStr) -> Result<Repository, SubmoduleError> {
    let repository = || parent.clone();
    let text = url.to_str_lossy();
    if !text.starts_with("./") && !text.starts_with("../") {
        let found = forge::repository_of_url(&text);
        return found.map_err(|source| SubmoduleError::Url { repository: repository(), path: path.clone(), source });
    }
    let outside =
        || SubmoduleError::Outside { repository: repository(), path: path.clone(), url: text.clone().into_owned() };
    let mut parts: Vec<&str> = parent.path.as_str().split('/').collect();
    for part in text.trim_end_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop().ok_or_else(outside)?),
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    let own = joined.strip_suffix(".git").unwrap_or(&joined).parse().map_err(|_| outside())?;
    Ok(Repository::new(parent.host.clone(), own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<&str>) {
        let parent = Repository::new("github.com".parse().unwrap(), "octo/hello".parse().unwrap());
        let found = resolve(&parent, &"lib".into(), url.into()).ok().map(|found| found.to_string());
        assert_eq!(found.as_deref(), expected, "{url}");
    }

    #[test]
    fn a_relative_url_stays_on_the_parents_host() {
        check("../other.git", Some("github.com/octo/other"));
        check("../../team/other", Some("github.com/team/other"));
        check("./nested.git", Some("github.com/octo/hello/nested"));
        check("../other/", Some("github.com/octo/other"));
        check("../../../other", None);
        check("../../..", None);
        check("..", None);
    }

    #[test]
    fn trees_that_are_repeated_in_trees_are_not_walked_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let clone = gix::init_bare(folder.path()).unwrap();
        let link = gix::objs::tree::Entry {
            mode: gix::objs::tree::EntryKind::Commit.into(),
            filename: "link".into(),
            oid: clone.write_blob("x").unwrap().detach(),
        };
        let mut tree = clone.write_object(gix::objs::Tree { entries: vec![link] }).unwrap().detach();
        let entry = |name: u8, oid| gix::objs::tree::Entry {
            mode: gix::objs::tree::EntryKind::Tree.into(),
            filename: BString::from(vec![b'a' + name]),
            oid,
        };
        for _ in 0..3 {
            let entries = (0..10).map(|name| entry(name, tree)).collect();
            tree = clone.write_object(gix::objs::Tree { entries }).unwrap().detach();
        }
        assert_eq!(links(&clone, tree, 2_000).unwrap().unwrap().len(), 1_000);
        assert!(links(&clone, tree, 1_000).unwrap().is_none());
    }

    #[test]
    fn an_absolute_url_names_a_repository_and_nothing_else() {
        check("https://gitlab.com/group/sub/name.git", Some("gitlab.com/group/sub/name"));
        check("git@github.com:octo/other.git", Some("github.com/octo/other"));
        for url in ["ext::sh -c id", "file:///etc", "/etc/passwd", "-oProxyCommand=id", "https://github.com/a/../b", ""]
        {
            check(url, None);
        }
    }
}
