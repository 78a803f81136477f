//! Compares the submodules and their URLs with `git clone --recurse-submodules`: no documentation
//! specifies how Git interprets a `.gitmodules`.

use std::{collections::BTreeMap, fs, path::Path, process::Command, sync::atomic::AtomicBool};

use archive::Options;
use contract::{AllowedHosts, Location, PathSpelling, Repository};
use gix::bstr::BString;
use proptest::prelude::*;

use tempfile::TempDir;

use super::{Parent, pinned, resolve};

/// A repository with submodules, beside three repositories that each may be one.
struct Around {
    folder: TempDir,
    pinned: String,
}

/// The URL of each submodule by path, or `None` if the file is refused.
type Fetched = Option<BTreeMap<String, String>>;

const LINKS: [&str; 4] = ["a", "b", "sub/c", "d e"];
const MODULES: [&str; 3] = ["one", "two", "three"];

impl Around {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let one = folder.path().join("one.git");
        git(folder.path(), &["init", "-q", "-b", "main", "one.git"]).unwrap();
        fs::write(one.join("file"), "x").unwrap();
        git(&one, &["add", "-A"]).unwrap();
        git(&one, &["commit", "-q", "-m", "x"]).unwrap();
        for other in &MODULES[1..] {
            git(folder.path(), &["clone", "-q", "one.git", &format!("{other}.git")]).unwrap();
        }
        git(folder.path(), &["init", "-q", "-b", "main", "top"]).unwrap();
        Self { pinned: git(&one, &["rev-parse", "HEAD"]).unwrap(), folder }
    }

    fn top(&self) -> std::path::PathBuf {
        self.folder.path().join("top")
    }

    /// Commits this `.gitmodules` and its submodules, and nothing else.
    fn commit(&self, modules: &[u8]) {
        let top = self.top();
        fs::write(top.join("modules"), modules).unwrap();
        let blob = git(&top, &["hash-object", "-w", "modules"]).unwrap();
        git(&top, &["read-tree", "--empty"]).unwrap();
        let files = [".gitmodules", "file"].map(|path| format!("100644,{blob},{path}"));
        let entries = files.into_iter().chain(LINKS.map(|link| format!("160000,{},{link}", self.pinned)));
        let entries: Vec<_> = entries.collect();
        let arguments = entries.iter().flat_map(|entry| ["--cacheinfo", entry]);
        let arguments: Vec<_> = ["update-index", "--add"].into_iter().chain(arguments).collect();
        git(&top, &arguments).unwrap();
        git(&top, &["commit", "-q", "--allow-empty", "-m", "x"]).unwrap();
    }

    /// Git's result.
    fn gits(&self) -> Fetched {
        let clone = self.folder.path().join("clone");
        drop(fs::remove_dir_all(&clone));
        let arguments = ["-c", "protocol.file.allow=always", "clone", "-q", "--recurse-submodules", "top", "clone"];
        git(self.folder.path(), &arguments)?;
        let populated = LINKS.iter().filter(|link| clone.join(link).join("file").exists());
        let url = |link: &&str| git(&clone.join(link), &["config", "remote.origin.url"]).unwrap();
        Some(populated.map(|link| ((*link).to_owned(), self.relative(&url(link)))).collect())
    }

    /// Our result.
    fn ours(&self) -> Fetched {
        let clone = gix::open_opts(self.top(), gix::open::Options::isolated()).unwrap();
        let commit = clone.head_id().unwrap().detach();
        let repository = Repository::new("git.example".parse().unwrap(), "octo/top".parse().unwrap());
        let location = Location { repository, spelling: PathSpelling::default() };
        let parent = Parent { location, clone, commit, prefix: BString::default(), around: Vec::new() };
        let pinned = pinned(&parent, &Options::default(), &AtomicBool::new(false)).ok()?;
        let fetched = pinned.into_iter().map(|pinned| {
            resolve(&parent.location, &pinned.path, pinned.url.as_ref(), &AllowedHosts::default()).ok()?;
            Some((pinned.path.to_string(), self.relative(&pinned.url.to_string())))
        });
        fetched.collect()
    }

    /// Git makes a URL absolute. Only the name matters here.
    fn relative(&self, url: &str) -> String {
        let here = format!("{}/", self.folder.path().display());
        let url = url.replace(&here, "../");
        url.trim_end_matches('/').to_owned()
    }

    fn check(&self, modules: &[u8]) -> Result<(), String> {
        self.commit(modules);
        let (gits, ours) = (self.gits(), self.ours());
        let shown = String::from_utf8_lossy(modules);
        if gits == ours { Ok(()) } else { Err(format!("{shown}\ngit: {gits:?}\nours: {ours:?}")) }
    }
}

fn person() -> [(&'static str, &'static str); 4] {
    [
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@example.com"),
        ("GIT_COMMITTER_NAME", "A"),
        ("GIT_COMMITTER_EMAIL", "a@example.com"),
    ]
}

/// Git's output, or `None` if it fails.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    let out = command.envs(person()).output().unwrap();
    if !out.status.success() {
        eprintln!("git {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        return None;
    }
    Some(String::from_utf8(out.stdout).unwrap().trim().to_owned())
}

/// One submodule, and what may stand beside it.
const ORDINARY: &str = "[submodule \"one\"]\n\tpath = a\n\turl = ../one.git\n";

/// Files for which Git and we must have the same result.
const SAME: [&str; 76] = [
    ORDINARY,
    "",
    "# nothing\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate = none\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate = checkout\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate = merge\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate = rebase\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate = None\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate = !echo\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate = nonsense\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate =\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate = none\nupdate = merge\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate = merge\nupdate = none\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate = \" none\"\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nupdate = \"no\"ne ; x\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nUPDATE = none\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nactive = false\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nactive = nonsense\n",
    "[submodule]\nactive = b\n[submodule \"one\"]\npath = a\nurl = ../one.git\n",
    "[submodule]\npath = a\nurl = ../one.git\nupdate = none\n",
    "[submodule.one]\npath = a\nurl = ../one.git\n",
    "[submodule.ONE]\npath = a\nurl = ../one.git\n[submodule \"one\"]\nupdate = none\n",
    "[submodule \"\"]\npath = a\nurl = ../one.git\n",
    "[submodule \"..\"]\npath = a\nurl = ../one.git\n",
    "[submodule \"x/../y\"]\npath = a\nurl = ../one.git\n",
    "[submodule \"x\\\\..\\\\y\"]\npath = a\nurl = ../one.git\n",
    "[submodule \"..x\"]\npath = a\nurl = ../one.git\n",
    "[submodule \"x y.z\"]\npath = a\nurl = ../one.git\n",
    "[submodule \"x\\\"y\"]\npath = a\nurl = ../one.git\n",
    "[SubModule \"one\"]\nPath = a\nURL = ../one.git\n",
    "[submodule \"One\"]\npath = a\n[submodule \"one\"]\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\n[submodule \"one\"]\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\n[other]\nurl = ../two.git\n[submodule \"one\"]\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\n",
    "[submodule \"one\"]\npath = a\nupdate = none\n",
    "[submodule \"one\"]\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\nurl\n",
    "[submodule \"one\"]\npath\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\nurl =\n",
    "[submodule \"one\"]\npath =\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nurl = ../two.git\n",
    "[submodule \"one\"]\npath = a\npath = b\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\npath = a\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = b\npath = nothing\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\n[submodule \"two\"]\npath = a\nurl = ../two.git\n",
    "[submodule \"two\"]\npath = a\nurl = ../two.git\n[submodule \"one\"]\npath = a\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\n[submodule \"two\"]\npath = a\n",
    "[submodule \"one\"]\npath = a\n[submodule \"two\"]\npath = a\nurl = ../two.git\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\n[submodule \"two\"]\npath = a\npath = b\nurl = ../two.git\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\n[submodule \"two\"]\npath = a\nurl = ../two.git\nupdate = none\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\n[submodule \"two\"]\npath = a\nurl = ../two.git\n[submodule \"one\"]\npath = a\n",
    "[submodule \"one\"]\npath = a/\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = ./a\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = /a\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = A\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = sub\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = file\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = nothing\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = -a\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\nurl = -one\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nurl = -x\n",
    "[submodule \"one\"]\npath = d e\nurl = ../one.git\n[submodule \"two\"]\npath = sub/c\nurl = ../two.git\n",
    "[submodule \"one\"]\npath = \"d e\"\nurl = \"../one.git\"\n",
    "[submodule \"one\"]\npath = \"a\" # x\nurl = ../one.git ; x\n",
    "[submodule \"one\"]\npath = a\nurl = ../one\\\n.git\n",
    "[submodule \"one\"] path = a\nurl = ../one.git\n",
    "[submodule \"one\"]\r\n\tpath = a\r\n\turl = ../one.git\r\n",
    "\u{feff}[submodule \"one\"]\npath = a\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\n[include]\npath = modules\n[includeIf \"onbranch:main\"]\npath = x\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nshallow = true\nbranch = nothing\nignore = all\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\nignore = nonsense\nfetchRecurseSubmodules = false\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\n[core]\nworktree = /etc\nbare = true\n[alias]\nx = !id\n",
    "[submodule \"one\"\npath = a\nurl = ../one.git\n",
    "[submodule \"one\"]\npath = a\nurl = ../one.git\n= x\n",
    "[submodule \"one\"]\npath = a\nurl = \"../one.git\n",
];

#[test]
fn sample_gitmodules_match_git() {
    let around = Around::new();
    let wrong: Vec<_> = SAME.iter().filter_map(|modules| around.check(modules.as_bytes()).err()).collect();
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), SAME.len(), wrong.join("\n\n"));
}

/// The intended differences, with the reason. `HERE` is the folder of all repositories.
const DIFFERENT: [(&str, &str, bool, bool); 8] = [
    ("a local path isn't a host's repository", "path = a\nurl = HERE/one.git", true, false),
    ("a file URL isn't one either", "path = a\nurl = file://HERE/one.git", true, false),
    ("unread values aren't checked", "path = a\nurl = ../one.git\nshallow = nonsense", false, true),
    ("unread values aren't checked", "path = a\nurl = ../one.git\nfetchRecurseSubmodules = nonsense", false, true),
    ("unread values aren't checked", "path = a\nurl = ../one.git\nbranch", false, true),
    ("a missing value counts only if it is the last", "path\npath = a\nurl = ../one.git", false, true),
    ("an empty name doesn't affect another submodule", "path = a\nurl = ../one.git\n[submodule]\nurl = x", true, true),
    ("a missing repository is reported by its fetch", "path = a\nurl = ../nothing.git", false, true),
];

#[test]
fn differences_from_git_are_intended() {
    let around = Around::new();
    for (reason, lines, git, ours) in DIFFERENT {
        let lines = lines.replace("HERE", &around.folder.path().display().to_string());
        around.commit(format!("[submodule \"one\"]\n{lines}\n").as_bytes());
        assert_eq!((around.gits().is_some(), around.ours().is_some()), (git, ours), "{reason}: {lines}");
    }
}

#[test]
fn submodule_with_update_none_stays_empty() {
    let around = Around::new();
    let bundle = concat!(env!("CARGO_MANIFEST_DIR"), "/src/submodules/update-none.bundle");
    git(&around.top(), &["fetch", "-q", "-u", bundle, "main:main"]).unwrap();
    let links = git(&around.top(), &["ls-tree", "-r", "--format=%(objectmode) %(path)", "main"]).unwrap();
    assert!(links.contains("160000 packages/ios"), "{links}");
    assert_eq!((around.gits(), around.ours()), (Some(BTreeMap::new()), Some(BTreeMap::new())));
}

#[test]
fn gitmodules_file_modes_match_git() {
    let around = Around::new();
    for mode in ["100755", "120000"] {
        around.commit(ORDINARY.as_bytes());
        let blob = git(&around.top(), &["rev-parse", "HEAD:.gitmodules"]).unwrap();
        // Git refuses such a link in its index, but a tree may have one.
        let tree = git(&around.top(), &["ls-tree", "HEAD"]).unwrap();
        let tree =
            tree.replace(&format!("100644 blob {blob}\t.gitmodules"), &format!("{mode} blob {blob}\t.gitmodules"));
        fs::write(around.top().join("tree"), tree + "\n").unwrap();
        let script = "git commit-tree -m x $(git mktree <tree) | xargs git update-ref HEAD";
        assert!(
            Command::new("sh")
                .current_dir(around.top())
                .args(["-c", script])
                .envs(person())
                .status()
                .unwrap()
                .success()
        );
        let (gits, ours) = (around.gits().unwrap_or_default(), around.ours().unwrap_or_default());
        assert_eq!(gits, ours, "{mode}");
        assert_eq!(ours.is_empty(), mode == "120000");
    }
}

/// URLs with another result than Git's, and why.
const ELSEWHERE: [(&str, &str); 3] = [
    ("../../../../one.git", "out of the host: Git takes the scheme for one"),
    ("./one.git", "below a repository: ours have no .git in their names"),
    ("./one", "below a repository: ours have no .git in their names"),
];

#[test]
fn relative_urls_resolve_like_git() {
    let around = Around::new();
    let urls = [
        "../one.git",
        "../one",
        "../one/",
        "../../team/one.git",
        "./one.git",
        "./one",
        "../././one.git",
        ".././../team/one",
        "../one.git/",
        "../../../one.git",
        "../../../../one.git",
        "../",
        "..",
        ".",
        "./",
        "../one.git/sub/x.git",
        "../one.git?x",
        "../../octo/one.git",
        "https://git.example/team/one.git",
        "https://user@git.example/team/one",
        "ssh://git@git.example/team/one.git",
        "git@git.example:team/one.git",
        "http://git.example/team/one/",
        "https://other.example/x/y.git",
        "../.one",
        "../one.git.git",
        "../-one.git",
    ];
    let (mut differ, hosts) = (Vec::new(), AllowedHosts::default());
    for remote in [
        "https://git.example/octo/top",
        "ssh://git@git.example/octo/top",
        "git@git.example:octo/top.git",
        "https://git.example/octo/top.git",
    ] {
        for url in urls {
            around.commit(format!("[submodule \"one\"]\npath = a\nurl = \"{url}\"\n").as_bytes());
            let top = around.top();
            git(&top, &["checkout", "-q", "-f", "HEAD"]);
            git(&top, &["config", "--remove-section", "submodule.one"]);
            git(&top, &["config", "remote.origin.url", remote]).unwrap();
            let gits =
                git(&top, &["submodule", "init", "-q", "a"]).and_then(|_| git(&top, &["config", "submodule.one.url"]));
            let gits = gits.and_then(|url| forge::location(&url, &hosts).ok());
            let parent = forge::location(remote, &hosts).unwrap();
            let ours = resolve(&parent, &"a".into(), url.into(), &hosts).ok();
            let is_elsewhere = ELSEWHERE.iter().any(|(known, _)| *known == url);
            assert!(gits == ours || is_elsewhere, "{remote} {url}: {gits:?}, ours {ours:?}");
            differ.extend((gits != ours).then_some(url));
        }
    }
    assert!(ELSEWHERE.iter().all(|(url, _)| differ.contains(url)), "{differ:?}");
}

/// Names as in a header. Several may be of one submodule, and some are invalid.
const HEADERS: [&str; 11] = [
    "[submodule \"one\"]",
    "[submodule \"one\"] ; x",
    "[SUBMODULE \"one\"]",
    "[submodule \"two\"]",
    "[submodule \"two\"]",
    "[submodule.one]",
    "[submodule \"One\"]",
    "[submodule]",
    "[submodule \"..\"]",
    "[core]",
    "[submodule \"d e\"]",
];
const LINES: [&str; 30] = [
    "path = a",
    "path = a",
    "path = b",
    "path=sub/c",
    "path = \"d e\"",
    "path = nothing",
    "path = a # x",
    "PATH = b",
    "path = -a",
    "path = a/",
    "url = ../one.git",
    "url = ../one.git",
    "url=../two.git",
    "url = ../three.git",
    "url = \"../two.git\" ; x",
    "Url = ../one.git",
    "url = -x",
    "\turl = ../th\\\nree.git",
    "update = none",
    "update = none",
    "update = merge",
    "update = checkout",
    "update = rebase",
    "update = \"no\"ne",
    "update = !true",
    "active = false",
    "ignore = all",
    "# path = b",
    "",
    "branch = x",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::with_cases(1) })]
    #[test]
    fn random_gitmodules_match_git(files in prop::collection::vec(prop::collection::vec(
        (prop::sample::select(&HEADERS[..]), prop::collection::vec(prop::sample::select(&LINES[..]), 0..6)), 1..5), usize::try_from(tally::cases(30)).unwrap())
    ) {
        let around = Around::new();
        for file in files {
            let sections = file.iter().map(|(header, lines)| [&[*header], lines.as_slice()].concat().join("\n") + "\n");
            let file = sections.collect::<Vec<_>>().concat();
            around.check(file.as_bytes()).map_err(TestCaseError::fail)?;
        }
    }
}
