//! Access to large files: how hosts grant and refuse it.

use std::time::Duration;

use contract::Retry;
use fetch::{FetchError, Limits};
use https::Credential;
use secrecy::SecretString;

use crate::host::SshHost;

/// Responses of hosts, and their expected results: the URL, the value of the header, and the time
/// in seconds.
const ANSWERS: [(&str, &str, &str, &str, u64); 3] = [
    (
        "GitHub",
        r#"{"href":"https://lfs.github.com/owner/name","header":{"Authorization":"RemoteAuth s3cret"},"expires_at":"2026-11-24T09:10:00Z","expires_in":600}"#,
        "https://lfs.github.com/owner/name",
        "RemoteAuth s3cret",
        600,
    ),
    (
        "Gitea",
        r#"{"header":{"Authorization":"Bearer s3cret"},"href":"https://git.example.com/owner/name.git/info/lfs"}"#,
        "https://git.example.com/owner/name.git/info/lfs",
        "Bearer s3cret",
        300,
    ),
    (
        "one that tells no URL",
        r#"{"header":{"Authorization":"Basic s3cret"},"expires_in":0}"#,
        "https://127.0.0.1/owner/name.git/info/lfs",
        "Basic s3cret",
        300,
    ),
];

#[tokio::test]
async fn lfs_access_comes_from_host() {
    let host = SshHost::start();
    for (name, answer, href, header, seconds) in ANSWERS {
        host.authenticates_by(&format!("echo 'Welcome!' >&2\necho '{answer}'"));
        let access = fetch::lfs_access(&host.remote()).await.unwrap();
        assert_eq!((access.href.as_str(), access.valid_for.as_secs()), (href, seconds), "{name}");
        let expected = Credential::new([("Authorization", &SecretString::from(header))]).unwrap();
        assert_eq!(access.credential, expected, "{name}");
        assert!(!format!("{access:?}").contains("s3cret"), "{access:?}");
    }
}

#[tokio::test]
async fn lfs_refusal_is_shown_without_secrets() {
    let host = SshHost::start();
    for (script, expected) in [
        ("echo 'git-lfs-authenticate: command not found' >&2; exit 127", "git-lfs-authenticate: command not found"),
        ("echo 'remote: Not allowed.' >&2; exit 1", "remote: Not allowed."),
        (r#"echo '{"header":{"Authorization":["s3cret"]}}'"#, ""),
        (r#"echo '{"header":{"Authorization":"s3cret"'"#, ""),
        ("exit 0", ""),
        ("yes s3cret | head -c 1000000", ""),
    ] {
        host.authenticates_by(script);
        let error = fetch::lfs_access(&host.remote()).await.unwrap_err();
        let FetchError::Lfs { said, .. } = &error else { panic!("{error:?}") };
        assert_eq!(said, expected);
        assert!(!contract::error_chain(&error).contains("s3cret") && error.hint().is_some());
        assert_eq!(error.retry(), Retry::Again);
    }
}

#[tokio::test]
async fn silent_lfs_host_times_out() {
    let host = SshHost::start();
    host.authenticates_by("exec cat");
    let mut remote = host.remote();
    remote.limits = Limits { idle: Duration::from_millis(300), ..remote.limits };
    let error = fetch::lfs_access(&remote).await.unwrap_err();
    assert!(matches!(error, FetchError::Silent { .. }), "{error:?}");
}
