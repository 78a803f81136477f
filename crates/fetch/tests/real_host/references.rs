//! What references name, asked of real hosts and compared with git, and how often a host is asked
//! for that.

use std::{collections::BTreeMap, fs};

use fetch::{FetchError, References, references};
use https::HttpsError;

use crate::{
    host::{Repo, SshHost},
    https::{GIT, HttpsHost, Reply, TOKEN, private, status},
};

const ALL: [&str; 2] = ["refs/heads/", "refs/tags/"];

fn prefixes(of: &[&str]) -> Vec<String> {
    of.iter().map(|prefix| (*prefix).to_owned()).collect()
}

/// Branches, a plain tag and an annotated one.
fn fill(repo: &Repo) {
    repo.commit("main", &[("a", b"1\n".to_vec())]);
    repo.git(&["tag", "plain", "main"]);
    repo.git(&["-c", "user.name=A", "-c", "user.email=a@b", "tag", "-a", "-m", "x", "annotated", "main"]);
    repo.commit("main", &[("a", b"2\n".to_vec())]);
    repo.branches(3);
}

/// The commits of all branches and tags, from git.
fn from_git(repo: &Repo) -> BTreeMap<String, String> {
    let format = "--format=%(refname) %(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)";
    let text = repo.git(&["for-each-ref", format]);
    text.lines().map(|line| line.split_once(' ').unwrap()).map(|(name, id)| (name.to_owned(), id.to_owned())).collect()
}

fn told(references: &References) -> BTreeMap<String, String> {
    references.tips.iter().map(|tip| (tip.name.to_string(), tip.commit.to_string())).collect()
}

#[tokio::test]
async fn references_over_ssh_match_git() {
    let host = SshHost::start();
    let repo = host.repository();
    fill(&repo);
    let found = references(&host.remote(), &prefixes(&ALL)).await.unwrap();
    assert_eq!(told(&found), from_git(&repo));
    assert_eq!((found.default_branch.as_deref(), found.requests), (Some("main"), 1));
    let found = references(&host.remote(), &prefixes(&["refs/heads/topic/", "refs/tags/p"])).await.unwrap();
    let mut expected = from_git(&repo);
    expected.retain(|name, _| name.starts_with("refs/heads/topic/") || name == "refs/tags/plain");
    assert_eq!((told(&found), found.default_branch.as_deref()), (expected, Some("main")));
}

#[tokio::test]
async fn old_ssh_host_lists_all_references() {
    let host = SshHost::start_as(&crate::host::Setup { settings: "", ..crate::host::Setup::default() });
    let repo = host.repository();
    fill(&repo);
    let found = references(&host.remote(), &prefixes(&["refs/heads/main"])).await.unwrap();
    assert_eq!((told(&found), found.default_branch.as_deref()), (from_git(&repo), Some("main")));
}

#[tokio::test]
async fn references_over_https_take_one_request() {
    let host = HttpsHost::start(private).await;
    let repo = host.repository();
    fill(&repo);
    let remote = host.remote("kind=gitea", Some(TOKEN));
    let found = references(&remote, &prefixes(&ALL)).await.unwrap();
    assert_eq!((told(&found), found.requests), (from_git(&repo), 1));
    assert_eq!(found.default_branch.as_deref(), Some("main"));
    let heard = host.heard();
    assert_eq!(heard.iter().map(|one| one.target.as_str()).collect::<Vec<_>>(), ["/owner/name.git/git-upload-pack"]);
    let found = references(&remote, &prefixes(&["refs/tags/annotated"])).await.unwrap();
    assert_eq!(told(&found).into_keys().collect::<Vec<_>>(), ["refs/tags/annotated"]);
}

#[tokio::test]
async fn old_https_host_is_asked_again() {
    let host = HttpsHost::start(|_| Reply::Git { speaks_version_2: false }).await;
    let repo = host.repository();
    fill(&repo);
    let found = references(&host.remote("kind=gitea", None), &prefixes(&ALL)).await.unwrap();
    assert_eq!((told(&found), found.default_branch.as_deref()), (from_git(&repo), Some("main")));
    assert!(found.requests <= 3, "{}", found.requests);
    // Whatever such a host thinks of the first request.
    for code in [400, 404, 500, 501] {
        let host = HttpsHost::start(move |request| {
            let is_of_version_2 = request.method() == "POST";
            if is_of_version_2 { status(code, &[], "") } else { Reply::Git { speaks_version_2: false } }
        })
        .await;
        fill(&host.repository());
        let found = references(&host.remote("kind=gitea", None), &prefixes(&ALL)).await.unwrap();
        assert_eq!(
            (found.tips.len(), found.default_branch.as_deref()),
            (from_git(&repo).len(), Some("main")),
            "{code}"
        );
    }
}

#[tokio::test]
async fn moved_repository_is_found_by_redirect() {
    let host = HttpsHost::start(|request| match request.uri().path().strip_prefix("/owner/name.git/") {
        Some("info/refs") => status(301, &[("location", "/owner/renamed.git/info/refs?service=git-upload-pack")], ""),
        Some(_) => status(301, &[("location", "/owner/renamed.git/git-upload-pack")], ""),
        None => GIT,
    })
    .await;
    let repo = host.repository();
    fill(&repo);
    let expected = from_git(&repo);
    let old = host.remote("kind=gitea", None);
    let dir = repo.git(&["rev-parse", "--absolute-git-dir"]);
    fs::rename(&dir, dir.replace("name.git", "renamed.git")).unwrap();
    assert_eq!(told(&references(&old, &prefixes(&ALL)).await.unwrap()), expected);
}

#[tokio::test]
async fn empty_repository_has_no_references() {
    let host = SshHost::start();
    host.repository();
    let found = references(&host.remote(), &prefixes(&ALL)).await.unwrap();
    assert!(found.tips.is_empty(), "{found:?}");
}

#[tokio::test]
async fn refusals_name_their_kind() {
    let host = HttpsHost::start(private).await;
    host.repository();
    let error = references(&host.remote("kind=gitea", None), &prefixes(&ALL)).await.unwrap_err();
    assert!(matches!(error, FetchError::NoToken { .. }), "{error:?}");
    // Asked once: another request wouldn't help.
    assert_eq!(host.heard().len(), 1);

    let host = HttpsHost::start(|_| status(429, &[("retry-after", "7")], "")).await;
    let error = references(&host.remote("kind=gitea", Some(TOKEN)), &prefixes(&ALL)).await.unwrap_err();
    let FetchError::Https { source: HttpsError::Busy { after, .. }, .. } = &error else { panic!("{error:?}") };
    assert_eq!((after.as_secs(), host.heard().len()), (7, 1));

    let host = SshHost::start();
    let error = references(&host.remote(), &prefixes(&ALL)).await.unwrap_err();
    assert!(matches!(error, FetchError::Refused { .. }), "{error:?}");
}
