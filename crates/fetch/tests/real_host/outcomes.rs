//! What may happen to a reference or a repository between push and fetch: each case has its own
//! outcome, and none is retried forever.

use contract::{Retry, error_chain, git::CommitId};
use fetch::{FetchError, Fetched, Origin, Wanted};

use crate::host::{Repo, Setup, SshHost};

const MAIN: &str = "refs/heads/main";

/// A host with version 2 of Git's protocol, and one without.
fn hosts() -> [SshHost; 2] {
    [SshHost::start(), SshHost::start_as(&Setup { settings: "", ..Setup::default() })]
}

fn file(content: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![("a", content.as_bytes().to_vec())]
}

fn tip(repo: &Repo, revision: &str) -> String {
    repo.git(&["rev-parse", &format!("{revision}^{{commit}}")])
}

async fn check_gone(host: &SshHost, reference: &str) {
    let error = host.try_fetch(reference).await.unwrap_err();
    assert_eq!(error.to_string(), format!("127.0.0.1/owner/name has no {reference}"));
    assert_eq!(error.retry(), Retry::Obsolete);
    assert!(error.hint().unwrap().contains("the zip of an earlier push stays"));
}

#[tokio::test]
async fn deleted_reference_keeps_clone() {
    for host in hosts() {
        let repo = host.repository();
        repo.commit("main", &[("a", vec![7; 100_000]), ("b", b"1".to_vec())]);
        repo.git(&["branch", "topic", "main"]);
        repo.git(&["tag", "--annotate", "--message=x", "v1", "main"]);
        for (reference, name) in [("refs/heads/topic", "topic"), ("refs/tags/v1", "v1")] {
            assert_eq!(host.fetch(reference).await.commit.to_string(), tip(&repo, name));
            repo.git(&["update-ref", "-d", reference]);
            check_gone(&host, reference).await;
        }
        assert!(host.fetch(MAIN).await.received < 1_000, "nothing came again");
    }
}

#[tokio::test]
async fn missing_default_branch_differs_from_empty() {
    for host in hosts() {
        let repo = host.repository();
        assert!(matches!(host.try_fetch(MAIN).await.unwrap_err(), FetchError::Empty { .. }));
        repo.commit("topic", &file("1"));
        check_gone(&host, MAIN).await;
        check_gone(&host, "refs/tags/v1").await;
        // A note isn't a branch: the repository has a reference, but nothing to archive.
        repo.git(&["update-ref", "refs/notes/commits", "refs/heads/topic"]);
        repo.git(&["update-ref", "-d", "refs/heads/topic"]);
        assert_eq!(host.try_fetch(MAIN).await.unwrap_err().retry(), Retry::Obsolete);
    }
}

#[tokio::test]
async fn head_decides_default_branch() {
    for (host, speaks_version_2) in hosts().iter().zip([true, false]) {
        let repo = host.repository();
        let first = repo.commit("main", &file("1"));
        let default_branch = async || host.fetch(MAIN).await.default_branch;
        assert_eq!(default_branch().await.as_deref(), Some("main"));
        // As on a server whose `init.defaultBranch` differs from the pushed branch.
        repo.git(&["symbolic-ref", "HEAD", "refs/heads/master"]);
        assert_eq!(default_branch().await.as_deref(), speaks_version_2.then_some("master"));
        repo.git(&["update-ref", "--no-deref", "HEAD", &first]);
        repo.commit("main", &file("2"));
        assert_eq!(default_branch().await, None, "HEAD is detached");
    }
}

async fn fetch_told(host: &SshHost, reference: &str, told: &str) -> Fetched {
    let mut request = host.request(reference);
    request.wanted = Wanted::Reference { name: reference.parse().unwrap(), expected: Some(told.parse().unwrap()) };
    fetch::fetch(&request, &host.clones()).await.unwrap()
}

#[tokio::test]
async fn moved_tag_gives_newest_commit() {
    for host in hosts() {
        let repo = host.repository();
        for options in [&["--force"][..], &["--force", "--annotate", "--message=x"]] {
            let tag = || repo.git(&[&["tag"], options, &["v1", "main"]].concat());
            repo.commit("main", &file("1"));
            tag();
            let told = [repo.git(&["rev-parse", "v1"]), tip(&repo, "v1")];
            repo.commit("main", &file("2"));
            tag();
            for told in told {
                let fetched = fetch_told(&host, "refs/tags/v1", &told).await;
                assert_eq!(fetched.commit.to_string(), tip(&repo, "v1"));
                assert_eq!(fetched.superseded.as_ref().map(CommitId::as_str), Some(told.as_str()));
            }
        }
    }
}

#[tokio::test]
async fn force_pushed_away_commit_is_superseded() {
    for host in hosts() {
        let repo = host.repository();
        let told = repo.commit("main", &file("1"));
        host.fetch(MAIN).await;
        let newest = repo.recommit("main", &file("2"));
        repo.git(&["-c", "gc.pruneExpire=now", "gc", "--quiet", "--prune=now"]);
        let fetched = fetch_told(&host, MAIN, &told).await;
        assert_eq!(fetched.commit.to_string(), newest);
        assert_eq!(fetched.superseded.as_ref().map(CommitId::as_str), Some(told.as_str()));
    }
}

#[tokio::test]
async fn reference_moving_during_fetch_is_retried() {
    for host in hosts() {
        let repo = host.repository();
        let commit = repo.commit("main", &file("1"));
        let gone = "1".repeat(40);
        // The advertised object is pruned before it is requested. Not `sed`: it would wait for the
        // end of a line, which a packet may lack.
        let rename =
            format!("import os\nwhile some := os.read(0, 65536): os.write(1, some.replace(b'{commit}', b'{gone}'))");
        host.serves_by(&format!(r#"git upload-pack "$repository" | python3 -c "{rename}""#));
        let error = host.try_fetch(MAIN).await.unwrap_err();
        assert!(matches!(error, FetchError::Receive { .. }), "{error:?}");
        assert!(error_chain(&error).contains("not our ref"), "{}", error_chain(&error));
        assert_eq!(error.retry(), Retry::Again);
        host.serves_again();
        assert_eq!(host.fetch(MAIN).await.commit.to_string(), commit);
    }
}

/// How hosts report a missing or unreadable repository, and what is quoted of it.
const REFUSALS: [(&str, &str, &str); 9] = [
    ("GitHub", r"echo 'ERROR: Repository not found.' >&2", "ERROR: Repository not found."),
    (
        "GitLab",
        r#"printf 'remote: \nremote: ====\nremote: \nremote: ERROR: The project you were looking for could not be found or you don'"'"'t have permission to view it.\n\nremote: ====\n' >&2"#,
        "remote: ERROR: The project you were looking for could not be found or you don't have permission to view it.",
    ),
    ("Bitbucket Cloud", "echo 'conq: repository does not exist.' >&2", "conq: repository does not exist."),
    (
        "Bitbucket Data Center",
        r"printf 'Repository not found\r\nThe requested repository does not exist, or you do not have permission to\r\naccess it.\r\n' >&2",
        "Repository not found The requested repository does not exist, or you do not have permission to access it.",
    ),
    // It first writes an empty line to its standard output.
    (
        "Gitea",
        "echo; echo 'Gitea: Cannot find repository: owner/name' >&2",
        "Gitea: Cannot find repository: owner/name",
    ),
    ("Gogs", "echo 'Gogs: Repository does not exist' >&2", "Gogs: Repository does not exist"),
    (
        "Azure DevOps",
        "echo 'remote: TF401019: The Git repository with name or identifier name does not exist or you do not have permissions for the operation you are attempting.' >&2",
        "TF401019: The Git repository with name or identifier name does not exist or you do not have permissions",
    ),
    ("git", r#"exec git upload-pack "$repository/moved""#, "does not appear to be a git repository"),
    // In a packet, like Git's own daemon.
    (
        "a packet",
        "printf '0030ERR access denied or repository not exported'",
        "access denied or repository not exported",
    ),
];

#[tokio::test]
async fn missing_repository_shows_host_message() {
    for host in hosts() {
        host.repository().commit("main", &file("1"));
        for (name, script, expected) in REFUSALS {
            host.serves_by(&format!("{script}\nexit 1"));
            let error = host.try_fetch(MAIN).await.unwrap_err();
            let FetchError::Refused { said, .. } = &error else { panic!("{name}: {error:?}") };
            assert!(said.contains(expected), "{name}: {said}");
            assert_eq!(error.retry(), Retry::Again, "{name}: an operator may let the key in");
            assert!(error.hint().unwrap().contains("renamed"), "{name}");
        }
    }
}

#[tokio::test]
async fn renamed_repository_message_is_reported() {
    for host in hosts() {
        let commit = host.repository().commit("main", &file("1"));
        assert_eq!(host.fetch(MAIN).await.said, None);
        host.serves_by(
            "echo \"remote: Project 'owner/name' was moved to 'owner/new'.\" >&2\nexec git upload-pack \"$repository\"",
        );
        let fetched = host.fetch(MAIN).await;
        assert_eq!(fetched.commit.to_string(), commit);
        assert_eq!(fetched.said.as_deref(), Some("remote: Project 'owner/name' was moved to 'owner/new'."));
    }
}

#[tokio::test]
async fn oversized_commit_fails_and_keeps_clone() {
    let host = SshHost::start();
    let repo = host.repository();
    repo.commit("main", &[("a", vec![7; 100_000]), ("b", b"1".to_vec())]);
    host.fetch(MAIN).await;

    let who = "T <t@example.com> 1700000000 +0000";
    let (tree, message) = (repo.git(&["rev-parse", "main^{tree}"]), "x".repeat(129 << 20));
    let commit = format!("tree {tree}\nauthor {who}\ncommitter {who}\n\n{message}");
    let commit = repo.git_reading(&["hash-object", "-t", "commit", "-w", "--stdin"], &commit);
    repo.git(&["update-ref", "refs/heads/large", &commit]);
    let error = host.try_fetch("refs/heads/large").await.unwrap_err();
    assert_eq!(error.to_string(), "the pack of 127.0.0.1/owner/name exceeds a limit");
    let cause = error_chain(&error);
    assert!(cause.contains("it is a tree, a commit or a tag of more than 128 MiB"), "{cause}");
    assert_eq!(error.retry(), Retry::Never);

    let fetched = host.fetch(MAIN).await;
    assert_eq!(fetched.origin, Origin::Kept);
    assert!(fetched.received < 1_000, "nothing came again");
}
