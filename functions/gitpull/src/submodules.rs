//! The submodules of a commit, recursively: each is fetched over SSH like any repository, at the
//! commit that its parent's tree pins. Anyone who can push can write `.gitmodules`, so its URLs
//! only select among repositories of allowed hosts.

use std::{
    collections::{HashMap, VecDeque},
    sync::atomic::AtomicBool,
};

use archive::{ArchiveError, Options, Submodule};
use contract::{AllowedHosts, CommitId, Job, Location, PathSpelling, PermitError, Repository};
use fetch::{Fetched, Reading, Wanted};
use gix::{
    ObjectId,
    bstr::{BStr, BString, ByteSlice},
};

/// The deepest nesting of submodules.
const DEEPEST: usize = 8;
/// The most submodules in total.
const MOST: usize = 200;
/// The largest `.gitmodules`, in bytes: with two hundred submodules, each may use five thousand.
const LARGEST: u64 = 1 << 20;

/// Why the submodules of a repository can't be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmoduleError {
    #[error("the .gitmodules of {repository} can't be read")]
    Modules { repository: Repository, source: gix::Error },
    #[error("the .gitmodules of {repository} has {size} bytes, more than {LARGEST}")]
    Large { repository: Repository, size: u64 },
    #[error("the .gitmodules of {repository} has a {key} for {name:?} that Git refuses")]
    Value { repository: Repository, name: BString, key: &'static str },
    #[error("could not list the submodules of {repository}")]
    Tree { repository: Repository, source: ArchiveError },
    #[error("listing the submodules stopped")]
    Stopped(#[source] tokio::task::JoinError),
    #[error("the submodule {path} of {repository} has no URL in .gitmodules")]
    NoUrl { repository: Repository, path: BString },
    #[error("the submodule {path} of {repository} has an invalid URL")]
    Url { repository: Repository, path: BString, source: forge::CloneUrlError },
    #[error("the submodule {path} of {repository} leaves its host with {url:?}")]
    Outside { repository: Repository, path: BString, url: String },
    #[error("the submodule {path} of {repository} must not be fetched from {url:?}")]
    Refused { repository: Repository, path: BString, url: String, source: Box<PermitError> },
    #[error("{repository} is a submodule of itself, through {path}")]
    Cycle { repository: Repository, path: BString },
    #[error("the submodules are nested more than {DEEPEST} deep, at {path}")]
    Deep { path: BString },
    #[error("there are more than {MOST} submodules")]
    Many,
    #[error("the commit of the submodule {path} isn't a valid object ID")]
    Pinned { path: BString, source: contract::git::CommitIdError },
}

/// A commit whose submodules to fetch.
struct Parent {
    location: Location,
    clone: gix::Repository,
    commit: ObjectId,
    prefix: BString,
    /// The enclosing repositories, outermost first.
    around: Vec<Repository>,
}

/// Fetches all submodules of `root`, a job's commit, that go into a zip with these options. Calls
/// `fetch` for each permitted one. Returns their paths, commits and clones.
pub(crate) async fn fetch_all<E: From<SubmoduleError>>(
    job: &Job,
    hosts: &AllowedHosts,
    root: &Fetched,
    options: Options,
    fetch: impl AsyncFn(&Location, Wanted) -> Result<Fetched, E>,
) -> Result<Vec<(Location, Submodule, Reading)>, E> {
    let mut found = Vec::new();
    let mut parents = VecDeque::from([Parent {
        location: job.location(),
        clone: root.clone.clone(),
        commit: root.commit,
        prefix: BString::default(),
        around: Vec::new(),
    }]);
    while let Some(parent) = parents.pop_front() {
        let options = options.clone();
        let look = move |interrupt: &AtomicBool| pinned(&parent, &options, interrupt).map(|pinned| (parent, pinned));
        let looked = blocking::spawn(look);
        let (parent, all) = looked.await.map_err(SubmoduleError::Stopped)??;
        for Pinned { path, url, commit } in all {
            let location = resolve(&parent.location, &path, url.as_bstr(), hosts)?;
            let around_it = &parent.location.repository;
            job.permit(&location.repository, hosts).map_err(|source| {
                let (repository, path, source) = (around_it.clone(), path.clone(), Box::new(source));
                SubmoduleError::Refused { repository, path, url: without_credentials(url.as_bstr()), source }
            })?;
            let around = [&parent.around[..], std::slice::from_ref(around_it)].concat();
            let whole: BString = [parent.prefix.as_slice(), &path].concat().into();
            if around.contains(&location.repository) {
                return Err(SubmoduleError::Cycle { repository: location.repository, path: whole }.into());
            }
            if around.len() > DEEPEST {
                return Err(SubmoduleError::Deep { path: whole }.into());
            }
            if found.len() == MOST {
                return Err(SubmoduleError::Many.into());
            }
            let id: CommitId =
                commit.to_string().parse().map_err(|source| SubmoduleError::Pinned { path: whole.clone(), source })?;
            // Unlocks its clone, in case the next submodule is of the same repository.
            let Fetched { clone, commit, reading, .. } = fetch(&location, Wanted::Commit(id)).await?;
            let prefix = [whole.as_slice(), b"/"].concat().into();
            found.push((location.clone(), Submodule { path: whole, clone: clone.clone(), commit }, reading));
            parents.push_back(Parent { location, clone, commit, prefix, around });
        }
    }
    Ok(found)
}

/// A submodule, by the tree and `.gitmodules`.
struct Pinned {
    path: BString,
    url: BString,
    commit: ObjectId,
}

/// The submodules of a commit. One that `.gitmodules` lacks stays an empty folder, as with Git, and
/// so does one with `update = none`.
fn pinned(parent: &Parent, options: &Options, interrupt: &AtomicBool) -> Result<Vec<Pinned>, SubmoduleError> {
    let repository = || parent.location.repository.clone();
    let Some(modules) = modules(parent)? else { return Ok(Vec::new()) };
    let modules =
        by_path(&modules).map_err(|(name, key)| SubmoduleError::Value { repository: repository(), name, key })?;
    let prefix = parent.prefix.as_bstr();
    let links = archive::pinned_submodules(&parent.clone, parent.commit, options, prefix, interrupt);
    let mut links = links.map_err(|source| SubmoduleError::Tree { repository: repository(), source })?;
    links.sort();
    let mut pinned = Vec::new();
    for (path, commit) in links {
        let Some(Module { url, update, .. }) = modules.get(&path) else { continue };
        let url = url.clone().ok_or_else(|| SubmoduleError::NoUrl { repository: repository(), path: path.clone() })?;
        if update.as_ref().is_some_and(|update| update == "none") {
            continue;
        }
        if pinned.len() == MOST {
            return Err(SubmoduleError::Many);
        }
        pinned.push(Pinned { path, url, commit });
    }
    Ok(pinned)
}

/// The `.gitmodules` file of a commit. A link of that name isn't followed.
fn modules(parent: &Parent) -> Result<Option<gix::submodule::File>, SubmoduleError> {
    let repository = || parent.location.repository.clone();
    let failed = |source| SubmoduleError::Modules { repository: repository(), source };
    let find = || {
        let entry = parent.clone.find_commit(parent.commit)?.tree()?.lookup_entry_by_path(".gitmodules")?;
        let Some(entry) = entry.filter(|entry| entry.mode().is_blob()) else { return Ok(None) };
        Ok(Some((entry.object_id(), parent.clone.find_header(entry.object_id())?.size())))
    };
    let Some((id, size)) = find().map_err(failed)? else { return Ok(None) };
    if size > LARGEST {
        return Err(SubmoduleError::Large { repository: repository(), size });
    }
    let blob = parent.clone.find_blob(id).map_err(failed)?;
    gix::submodule::File::from_bytes(&blob.data, None, &gix::config::File::default()).map(Some).map_err(failed)
}

/// A submodule's settings in `.gitmodules`. `active` is ignored there: Git reads it only from a
/// clone's own configuration.
#[derive(Default)]
struct Module {
    path: Option<BString>,
    url: Option<BString>,
    update: Option<BString>,
}

/// A value that Git refuses, so that it fetches no submodule at all: the name of the submodule and
/// the key.
type Refused = (BString, &'static str);

/// The submodules by path (`parse_config` of submodule-config.c). The last of several values
/// counts. Of several submodules with one path, the one whose path was set last counts, even if it
/// had another path before.
fn by_path(modules: &gix::submodule::File) -> Result<HashMap<BString, Module>, Refused> {
    let mut by_name: HashMap<BString, Module> = HashMap::new();
    let mut names: HashMap<BString, BString> = HashMap::new();
    for section in modules.config().sections() {
        let header = section.header();
        let Some(name) = header.subsection_name().filter(|_| header.name().eq_ignore_ascii_case(b"submodule")) else {
            continue;
        };
        let name: BString = if header.is_legacy() { name.to_ascii_lowercase().into() } else { name.to_owned() };
        if !is_name(&name) {
            continue;
        }
        let module = by_name.entry(name.clone()).or_default();
        let values = |key| match section.value_implicit(key) {
            Some(None) => Err((name.clone(), key)),
            _ => Ok(section.values(key)),
        };
        for path in values("path")?.into_iter().filter(is_no_option) {
            module.path.take().and_then(|before| names.remove(&before));
            names.insert(path.clone(), name.clone());
            module.path = Some(path);
        }
        if let Some(url) = values("url")?.into_iter().rfind(is_no_option) {
            module.url = Some(url);
        }
        for update in values("update")? {
            // Also a command, which anyone who can push could run on the cloning machine.
            if !["none", "checkout", "rebase", "merge"].iter().any(|known| update == *known) {
                return Err((name, "update"));
            }
            module.update = Some(update);
        }
    }
    Ok(names.into_iter().filter_map(|(path, name)| Some((path, by_name.remove(&name)?))).collect())
}

/// Whether it is a valid submodule name: Git creates a folder of that name
/// (`check_submodule_name`).
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.split(|byte| matches!(byte, b'/' | b'\\')).all(|part| part != b"..")
}

/// Whether no program would parse it as an option. Such a value is ignored.
fn is_no_option(value: &BString) -> bool {
    !value.starts_with(b"-")
}

/// A URL without its password, for messages: it wasn't meant to be published.
fn without_credentials(url: &BStr) -> String {
    let text = url.to_str_lossy().into_owned();
    let Ok(mut url) = gix::url::parse(url) else { return text };
    if url.host.is_none() {
        return text;
    }
    url.password = None;
    url.user = url.user.filter(|_| url.scheme == gix::url::Scheme::Ssh);
    url.to_bstring().to_string()
}

/// The repository of a URL in the `.gitmodules` of `parent`: relative to the parent's URL, as in
/// Git, or any URL that a payload could have.
fn resolve(parent: &Location, path: &BString, url: &BStr, hosts: &AllowedHosts) -> Result<Location, SubmoduleError> {
    let repository = || parent.repository.clone();
    let text = url.to_str_lossy();
    if !text.starts_with("./") && !text.starts_with("../") {
        let found = forge::location(&text, hosts);
        return found.map_err(|source| SubmoduleError::Url { repository: repository(), path: path.clone(), source });
    }
    let outside =
        || SubmoduleError::Outside { repository: repository(), path: path.clone(), url: text.clone().into_owned() };
    let mut parts: Vec<&str> = parent.repository.path.as_str().split('/').collect();
    for part in text.trim_end_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop().ok_or_else(outside)?),
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    let without = joined.strip_suffix(".git");
    let own = without.unwrap_or(&joined).parse().map_err(|_| outside())?;
    // If a URL leads back to the parent, Git keeps the parent's suffix.
    let is_parent = own == parent.repository.path;
    let without_git = if is_parent { parent.spelling.without_git } else { without.is_none() };
    let spelling = PathSpelling { without_git, ..parent.spelling };
    Ok(Location { repository: Repository::new(parent.repository.host.clone(), own), spelling })
}

#[cfg(test)]
mod against_git;

#[cfg(test)]
mod tests {
    use gix::objs::{
        Tree,
        tree::{Entry, EntryKind},
    };

    use super::*;

    fn hello() -> Location {
        let repository = Repository::new("github.com".parse().unwrap(), "octo/hello".parse().unwrap());
        Location { repository, spelling: PathSpelling::default() }
    }

    fn check(url: &str, expected: Option<&str>) {
        let found = resolve(&hello(), &"lib".into(), url.into(), &AllowedHosts::default());
        let found = found.ok().map(|found| found.repository.to_string());
        assert_eq!(found.as_deref(), expected, "{url}");
    }

    #[test]
    fn a_told_url_holds_no_credentials() {
        for (url, expected) in [
            ("https://alice:hunter2@git.example/lib.git", "https://git.example/lib.git"),
            ("https://t0ken@git.example/lib.git", "https://git.example/lib.git"),
            ("ssh://git:hunter2@git.example:7999/lib.git", "ssh://git@git.example:7999/lib.git"),
            ("git@git.example:lib.git", "git@git.example:lib.git"),
            ("../lib.git", "../lib.git"),
        ] {
            assert_eq!(without_credentials(url.into()), expected);
        }
    }

    #[test]
    fn relative_url_stays_on_host() {
        check("../other.git", Some("github.com/octo/other"));
        check("../../team/other", Some("github.com/team/other"));
        check("./nested.git", Some("github.com/octo/hello/nested"));
        check("../other/", Some("github.com/octo/other"));
        check("../../../other", None);
        check("../../..", None);
        check("..", None);
    }

    /// A repository whose commit has this tree and this `.gitmodules`.
    fn parent(clone: gix::Repository, modules: &[u8], mut tree: Tree) -> Parent {
        tree.entries.push(entry(EntryKind::Blob, ".gitmodules", clone.write_blob(modules).unwrap().detach()));
        tree.entries.sort();
        let person = gix::actor::SignatureRef { name: "A".into(), email: "a@example.com".into(), time: "1 +0000" };
        let tree = clone.write_object(tree).unwrap();
        let none: [ObjectId; 0] = [];
        let commit = clone.new_commit_as(person, person, "x", tree, none).unwrap().id;
        Parent { location: hello(), clone, commit, prefix: BString::default(), around: Vec::new() }
    }

    fn entry(kind: EntryKind, name: &str, oid: ObjectId) -> Entry {
        Entry { mode: kind.into(), filename: name.into(), oid }
    }

    fn some_id() -> ObjectId {
        ObjectId::from_hex(b"0123456789012345678901234567890123456789").unwrap()
    }

    fn pinned_of(modules: &[u8], tree: Tree) -> Result<Vec<Pinned>, SubmoduleError> {
        let folder = tempfile::tempdir().unwrap();
        pinned(
            &parent(gix::init_bare(folder.path()).unwrap(), modules, tree),
            &Options::default(),
            &AtomicBool::new(false),
        )
    }

    #[test]
    fn repeated_nested_trees_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let clone = gix::init_bare(folder.path()).unwrap();
        let mut tree = Tree { entries: vec![entry(EntryKind::Commit, "link", some_id())] };
        for _ in 0..10 {
            let inner = clone.write_object(&tree).unwrap().detach();
            let names = (0..10).map(|name| name.to_string().repeat(6_000));
            tree = Tree { entries: names.map(|name| entry(EntryKind::Tree, &name, inner)).collect() };
        }
        let parent = parent(clone, b"[submodule \"a\"]\npath = a\n", tree);
        let error = pinned(&parent, &Options::default(), &AtomicBool::new(false)).err().unwrap();
        assert!(matches!(error, SubmoduleError::Tree { source: ArchiveError::TooMany { .. }, .. }), "{error:?}");
        let error = pinned(&parent, &Options::default(), &AtomicBool::new(true)).err().unwrap();
        assert!(matches!(error, SubmoduleError::Tree { source: ArchiveError::Interrupted, .. }), "{error:?}");
    }

    #[test]
    fn a_large_gitmodules_is_refused_unread() {
        let modules = |length| b"#".repeat(usize::try_from(length).unwrap());
        let tree = || Tree { entries: Vec::new() };
        assert!(pinned_of(&modules(LARGEST), tree()).unwrap().is_empty());
        let error = pinned_of(&modules(LARGEST + 1), tree()).err().unwrap();
        assert!(matches!(error, SubmoduleError::Large { size, .. } if size == LARGEST + 1), "{error:?}");
    }

    #[test]
    fn too_many_submodules_are_refused() {
        let tree = |count| {
            let links = (0..count).map(|n| entry(EntryKind::Commit, &format!("m{n}"), some_id()));
            Tree { entries: links.collect() }
        };
        // As many of the shortest entries as fit: each is looked up once.
        let modules: Vec<_> = (0..28_000).map(|n| format!("[submodule \"{n}\"]path=m{n}\nurl=.\n")).collect();
        let modules = modules.concat();
        assert!(modules.len() > 900_000);
        assert_eq!(pinned_of(modules.as_bytes(), tree(MOST)).unwrap().len(), MOST);
        let error = pinned_of(modules.as_bytes(), tree(28_000)).err().unwrap();
        assert!(matches!(error, SubmoduleError::Many), "{error:?}");
    }

    #[test]
    fn values_refused_by_git_are_named() {
        let refused = |line: &str| {
            let tree = Tree { entries: vec![entry(EntryKind::Commit, "m", some_id())] };
            match pinned_of(format!("[submodule \"a\"]\npath = m\nurl = ../a\n{line}\n").as_bytes(), tree) {
                Err(SubmoduleError::Value { name, key, .. }) => Some(format!("{name} {key}")),
                other => other.map(|_| None).unwrap(),
            }
        };
        assert_eq!(refused("update = !id").as_deref(), Some("a update"));
        assert_eq!(refused("[submodule \"b\"]\nupdate = always").as_deref(), Some("b update"));
        assert_eq!(refused("[submodule \"b\"]\nurl").as_deref(), Some("b url"));
        assert_eq!(refused("update = merge"), None);
    }

    /// The submodules that are fetched for a zip with these options.
    fn fetched(modules: &str, attributes: &str, options: &Options, prefix: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let clone = gix::init_bare(folder.path()).unwrap();
        let attributes = clone.write_blob(attributes).unwrap().detach();
        let inner = Tree { entries: vec![entry(EntryKind::Commit, "ios", some_id())] };
        let inner = clone.write_object(inner).unwrap().detach();
        let entries = vec![
            entry(EntryKind::Blob, ".gitattributes", attributes),
            entry(EntryKind::Commit, "one", some_id()),
            entry(EntryKind::Tree, "packages", inner),
            entry(EntryKind::Commit, "two", some_id()),
        ];
        let parent = Parent { prefix: prefix.into(), ..parent(clone, modules.as_bytes(), Tree { entries }) };
        let found = pinned(&parent, options, &AtomicBool::new(false)).unwrap();
        found.iter().map(|pinned| pinned.path.to_string()).collect()
    }

    const MODULES: &str = "[submodule \"1\"]\npath=one\nurl=../1\n[submodule \"2\"]\npath=two\nurl=../2\n\
        [submodule \"ios\"]\npath = packages/ios\nurl = ../ios.git\n";

    #[test]
    fn update_none_keeps_from_being_fetched() {
        let none = format!("{MODULES}\tupdate = none\n");
        assert_eq!(fetched(&none, "", &Options::default(), ""), ["one", "two"]);
        for other in ["update = checkout", "update = none\nupdate = merge", "update = rebase", "active = false"] {
            let modules = format!("{MODULES}{other}\n");
            assert_eq!(fetched(&modules, "", &Options::default(), ""), ["one", "packages/ios", "two"], "{other}");
        }
    }

    #[test]
    fn paths_keep_from_being_fetched() {
        let check = |paths: &str, prefix: &str, expected: &[&str]| {
            let options = Options { paths: paths.parse().unwrap(), ..Options::default() };
            assert_eq!(fetched(MODULES, "", &options, prefix), expected, "{paths} {prefix}");
        };
        check("", "", &["one", "packages/ios", "two"]);
        check("src, one", "", &["one"]);
        check("packages", "", &["packages/ios"]);
        check("packages/ios/src/*.m", "", &["packages/ios"]);
        check("**/*.m", "", &["one", "packages/ios", "two"]);
        check("!packages", "", &["one", "two"]);
        check("t*", "", &["one", "packages/ios", "two"]);
        check("**, !packages/ios", "", &["one", "two"]);
        check("{two,x}", "", &["one", "packages/ios", "two"]);
        check("top/one", "top/", &["one"]);
        check("one", "top/", &[]);
    }

    #[test]
    fn export_ignore_keeps_from_being_fetched() {
        let options = Options::default();
        assert_eq!(fetched(MODULES, "packages export-ignore\n", &options, ""), ["one", "two"]);
        assert_eq!(fetched(MODULES, "ios export-ignore\ntwo/ export-ignore\n", &options, ""), ["one"]);
        // A work tree needs all of them.
        let dot_git = archive::DotGit { branch: None, url: "ssh://git@github.com/octo/hello".to_owned() };
        let options = Options { dot_git: Some(dot_git), ..options };
        assert_eq!(fetched(MODULES, "packages export-ignore\n", &options, ""), ["one", "packages/ios", "two"]);
    }

    #[test]
    fn absolute_url_must_name_repository() {
        check("https://gitlab.com/group/sub/name.git", Some("gitlab.com/group/sub/name"));
        check("git@github.com:octo/other.git", Some("github.com/octo/other"));
        for url in ["ext::sh -c id", "file:///etc", "/etc/passwd", "-oProxyCommand=id", "https://github.com/a/../b", ""]
        {
            check(url, None);
        }
    }
}
