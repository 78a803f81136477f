//! Hosts without shallow fetches, or that serve commits only by reference: more than the wanted
//! objects arrive.

use contract::Retry;
use fetch::{Origin, Wanted};

use crate::host::{Setup, SshHost};

const MAIN: &str = "refs/heads/main";

/// Turns a current host into one that doesn't offer `shallow`: its name is replaced by another of
/// the same length.
const WITHOUT_SHALLOW: &str = r#"git upload-pack "$repository" | python3 -c '
import os
while part := os.read(0, 65536):
    os.write(1, part.replace(b" shallow ", b" shallox ").replace(b"fetch=shallow", b"fetch=shallox"))
'"#;

/// Both versions of the protocol.
const VERSIONS: [&str; 2] = ["", "AcceptEnv GIT_PROTOCOL"];

fn content(seed: u8) -> Vec<u8> {
    // Content that no delta shortens.
    (0..20_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761).rotate_left(u32::from(seed)) >> 13).to_le_bytes()[0])
        .collect()
}

#[tokio::test]
async fn host_without_shallow_sends_whole_history() {
    for settings in VERSIONS {
        let host = SshHost::start_as(&Setup { settings, ..Setup::default() });
        let repo = host.repository();
        let oldest = repo.commit("main", &[("a", content(1))]);
        repo.commit("main", &[("a", content(2))]);
        host.serves_by(WITHOUT_SHALLOW);
        let first = host.fetch(MAIN).await;
        assert_eq!(first.commit.to_string(), repo.git(&["rev-parse", "main"]));
        assert!(first.clone.has_object(oldest.parse::<gix::ObjectId>().unwrap()), "{settings:?}");
        assert!(!first.clone.is_shallow().unwrap());
        drop(first);

        // Later, only new content is sent. Old content that reappears is already there.
        repo.commit("main", &[("a", content(2)), ("b", b"new".to_vec())]);
        let second = host.fetch(MAIN).await;
        assert!(second.origin == Origin::Kept && second.received < 5_000, "{settings:?}: {}", second.received);
        drop(second);
        repo.commit("main", &[("a", content(1))]);
        assert_eq!(host.fetch(MAIN).await.commit.to_string(), repo.git(&["rev-parse", "main"]));
    }
}

#[tokio::test]
async fn toggling_shallow_support_keeps_results() {
    let host = SshHost::start();
    let repo = host.repository();
    repo.commit("main", &[("a", content(1))]);
    repo.commit("main", &[("a", content(2))]);
    for (n, script) in [None, Some(WITHOUT_SHALLOW), None, Some(WITHOUT_SHALLOW)].into_iter().enumerate() {
        script.map_or_else(|| host.serves_again(), |script| host.serves_by(script));
        // The oldest file reappears, which a shallow clone lacks.
        let seed = if n % 2 == 0 { 3 } else { 1 };
        let commit = repo.commit("main", &[("a", content(seed)), ("n", vec![u8::try_from(n).unwrap()])]);
        let fetched = host.fetch(MAIN).await;
        assert_eq!(fetched.commit.to_string(), commit);
        let expected = if n == 0 { Origin::New } else { Origin::Kept };
        assert_eq!(fetched.origin, expected, "{n}");
    }
}

#[tokio::test]
async fn historical_commit_is_fetched() {
    let host = SshHost::start_as(&Setup { settings: "", ..Setup::default() });
    let repo = host.repository();
    let older = repo.commit("main", &[("a", content(1))]);
    repo.commit("main", &[("a", content(2))]);
    repo.commit("other", &[("b", b"x".to_vec())]);
    repo.git(&["tag", "--annotate", "--message=x", "v1", "other"]);
    let mut request = host.request(MAIN);
    request.wanted = Wanted::Commit(older.parse().unwrap());
    for _ in 0..2 {
        let fetched = fetch::fetch(&request, &host.clones()).await.unwrap();
        assert_eq!(fetched.commit.to_string(), older);
    }
    request.wanted = Wanted::Commit("1".repeat(40).parse().unwrap());
    let error = fetch::fetch(&request, &host.clones()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Again, "{error:?}");
}
