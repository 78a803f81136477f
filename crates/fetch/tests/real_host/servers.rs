//! Servers on which a repository has only one path: a plain `sshd`, `git-shell`, gitolite. Each
//! serves a repository by its clone URL, and we request the same path.

use std::{fs, process::Command};

use contract::{PathSpelling, Repository};
use fetch::{FetchError, Fetched};

use crate::host::SshHost;

/// The home folder of the server's user.
const HOME: &str = "home";

/// A host that handles commands with this shell line. The user's home is `HOME`.
fn server(line: &str) -> SshHost {
    let host = SshHost::start();
    let root = host.temp.path().display();
    fs::create_dir_all(host.temp.path().join(HOME)).unwrap();
    host.runs(&format!(
        "#!/bin/sh\nexport HOME={root}/{HOME} GIT_CONFIG_SYSTEM=/dev/null\ncd \"$HOME\"\n\
         printf '%s\\n' \"$SSH_ORIGINAL_COMMAND\" >> \"{root}/commands\"\n{line}\n"
    ));
    host
}

/// The default of `sshd`: the user's shell runs the command.
const PLAIN: &str = r#"exec sh -c "$SSH_ORIGINAL_COMMAND""#;
const GIT_SHELL: &str = r#"exec git shell -c "$SSH_ORIGINAL_COMMAND""#;

/// Fetches `main` of a repository with this spelling. `{}` in the entry of `AllowedGitHosts` is the
/// host's address.
async fn try_fetch(
    host: &SshHost,
    entry: &str,
    repository: &str,
    (relative, without_git): (bool, bool),
) -> Result<Fetched, FetchError> {
    let mut request = host.request("refs/heads/main");
    request.remote.host = entry.replace("{}", &host.address()).parse().unwrap();
    request.remote.repository = Repository::new("127.0.0.1".parse().unwrap(), repository.parse().unwrap());
    request.remote.spelling = PathSpelling { relative, without_git };
    fetch::fetch(&request, &host.clones()).await
}

/// The repository in the folder is found, and requested by this path.
async fn check(host: &SshHost, entry: &str, repository: &str, spelling: (bool, bool), folder: &str, path: &str) {
    let commit = host.repository_at(folder).commit("main", &[("a", path.into())]);
    let fetched = try_fetch(host, entry, repository, spelling).await.unwrap();
    let asked = format!("git-upload-pack '{path}'");
    assert_eq!((fetched.commit.to_string(), host.last_command()), (commit, asked));
}

#[tokio::test]
async fn plain_sshd_resolves_home_and_root() {
    for line in [PLAIN, GIT_SHELL] {
        let host = server(line);
        let root = host.temp.path().to_str().unwrap();
        check(&host, "{}", "octo/hello", (true, false), "home/octo/hello.git", "octo/hello.git").await;
        check(&host, "{}", "octo/bare", (true, true), "home/octo/bare", "octo/bare").await;
        let absolute = format!("{root}/srv/octo/hello.git");
        let path = absolute.trim_start_matches('/').trim_end_matches(".git");
        check(&host, "{}", path, (false, false), "srv/octo/hello.git", &absolute).await;
        // With its folder in the configuration.
        let entry = format!("127.0.0.1 ssh={{}}{root}/srv");
        check(&host, &entry, "octo/two", (false, false), "srv/octo/two.git", &format!("{root}/srv/octo/two.git")).await;
        check(&host, "127.0.0.1 ssh={}/~/git", "three", (false, true), "home/git/three", "~/git/three").await;
    }
}

#[tokio::test]
async fn a_repository_spelled_otherwise_is_found() {
    let host = server(PLAIN);
    let commit = host.repository_at("home/octo/hello").commit("main", &[("a", b"1".to_vec())]);
    let fetched = try_fetch(&host, "{}", "octo/hello", (true, false)).await.unwrap();
    assert_eq!((fetched.commit.to_string(), host.last_command()), (commit, "git-upload-pack 'octo/hello'".to_owned()));
    // A missing one is reported in its own spelling.
    let error = try_fetch(&host, "{}", "octo/gone", (true, true)).await.unwrap_err();
    assert!(matches!(&error, FetchError::Refused { said, .. } if said.contains("'octo/gone'")), "{error:?}");
}

#[tokio::test]
async fn gitolite_finds_its_repositories() {
    let host = server("exec /usr/share/gitolite3/gitolite-shell tester");
    let home = host.temp.path().join(HOME);
    let mut setup = Command::new("gitolite");
    setup.args(["setup", "--admin", "admin"]).current_dir(&home);
    let out = setup.env("HOME", &home).env("GIT_CONFIG_SYSTEM", "/dev/null").output();
    let out = out.expect("gitolite is not installed: the package is gitolite3");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    // Everybody may read the repository that it creates by itself.
    let commit = host.repository_in("home/repositories/testing.git").commit("main", &[("a", b"1".to_vec())]);
    for (spelling, path) in [
        ((false, false), "/testing.git"),
        ((false, true), "/testing"),
        ((true, false), "testing.git"),
        ((true, true), "testing"),
    ] {
        let fetched = try_fetch(&host, "{}", "testing", spelling).await.unwrap();
        let asked = format!("git-upload-pack '{path}'");
        assert_eq!((fetched.commit.to_string(), host.last_command()), (commit.clone(), asked));
    }
}
