//! Fetches from a real OpenSSH server and real repositories, compared with git.

use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};

use contract::Retry;
use fetch::{Clones, FetchError, Fetched, KnownHosts, Limits, Origin, Seed, Sessions, Wanted, fetch_seeded};

use crate::host::{self, Repo, Setup, SshHost};

/// A change to the bytes of a file.
type Harm = fn(&[u8]) -> Vec<u8>;

const MAIN: &str = "refs/heads/main";

/// Files that don't compress, so that the received bytes show what was sent.
fn noise(seed: u32, count: u32) -> Vec<(String, Vec<u8>)> {
    let mut state = u64::from(seed) << 32 | 0x9E37_79B9;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..count).map(|n| (format!("dir{}/file{n}", n % 7), (0..4096).map(|_| byte()).collect())).collect()
}

fn files(owned: &[(String, Vec<u8>)]) -> Vec<(&str, Vec<u8>)> {
    owned.iter().map(|(path, content)| (path.as_str(), content.clone())).collect()
}

fn check_is(fetched: &Fetched, repo: &Repo, revision: &str) {
    assert_eq!(fetched.commit.to_string(), repo.git(&["rev-parse", &format!("{revision}^{{commit}}")]));
    assert_eq!(fetched.tree.to_string(), repo.git(&["rev-parse", &format!("{revision}^{{tree}}")]));
}

/// The same reference with an expected commit.
fn expecting(wanted: &Wanted, commit: contract::CommitId) -> Wanted {
    let Wanted::Reference { name, .. } = wanted else { panic!("{wanted}") };
    Wanted::Reference { name: name.clone(), expected: Some(commit) }
}

fn check(error: &FetchError, message: &str, retry: Retry) {
    assert_eq!((error.to_string().as_str(), error.retry()), (message, retry));
}

#[tokio::test]
async fn first_fetch_brings_only_its_commit() {
    let host = SshHost::start();
    let repo = host.repository();
    let before = repo.commit("main", &files(&noise(1, 50)));
    repo.commit("main", &[("README", b"hello\n".to_vec())]);
    let fetched = host.fetch(MAIN).await;
    check_is(&fetched, &repo, "main");
    assert_eq!(fetched.summary, "A summary.");
    assert_eq!(fetched.default_branch.as_deref(), Some("main"));
    assert_eq!(fetched.superseded, None);
    assert!(!fetched.clone.has_object(before.parse::<gix::ObjectId>().unwrap()));
    assert!(fetched.received < 2_000, "{}", fetched.received);
}

#[tokio::test]
async fn later_fetches_bring_only_what_changed() {
    let host = SshHost::start();
    let repo = host.repository();
    let mut tree = noise(1, 200);
    repo.commit("main", &files(&tree));
    let first = host.fetch(MAIN).await.received;
    assert!(first > 800_000, "{first}");

    tree[0].1[0] ^= 1;
    tree.push(noise(2, 1).remove(0));
    repo.commit("main", &files(&tree));
    let changed = host.fetch(MAIN).await;
    check_is(&changed, &repo, "main");
    assert!(changed.received < 12_000, "{} of {first}", changed.received);
    drop(changed);

    let unchanged = host.fetch(MAIN).await;
    check_is(&unchanged, &repo, "main");
    assert!(unchanged.received < 1_000, "{}", unchanged.received);
    drop(unchanged);

    // After many commits, the difference is still that of two trees.
    for number in 0..20_u8 {
        tree[1].1[7] = number;
        repo.commit("main", &files(&[noise(u32::from(number) + 10, 20), tree.clone()].concat()));
    }
    repo.commit("main", &files(&tree));
    let skipping = host.fetch(MAIN).await;
    check_is(&skipping, &repo, "main");
    assert!(skipping.received < 12_000, "{} of {first}", skipping.received);
}

#[tokio::test]
async fn another_branch_shares_what_is_there() {
    let host = SshHost::start();
    let repo = host.repository();
    let mut tree = noise(1, 100);
    repo.commit("main", &files(&tree));
    host.fetch(MAIN).await;
    repo.git(&["branch", "topic/one", "main"]);
    tree.push(("more".to_owned(), b"x".to_vec()));
    repo.commit("topic/one", &files(&tree));
    let fetched = host.fetch("refs/heads/topic/one").await;
    check_is(&fetched, &repo, "topic/one");
    assert_eq!(fetched.default_branch.as_deref(), Some("main"));
    assert!(fetched.received < 8_000, "{}", fetched.received);
}

#[tokio::test]
async fn attack_02_reference_never_becomes_command() {
    let host = SshHost::start();
    let repo = host.repository();
    repo.commit("main", &[("a", b"1".to_vec())]);
    let trap = std::env::temp_dir().join(format!("pwned-{}", std::process::id()));
    let touch = format!("touch${{IFS}}{}", trap.display());
    let names = [format!("$({touch})"), format!("main;{touch}"), format!("x|{touch}&"), format!("`{touch}`")];
    for (number, name) in names.into_iter().chain(["-cfoo=bar".to_owned(), "a'b\"c".to_owned()]).enumerate() {
        let commit = repo.commit("main", &[("a", number.to_string().into_bytes())]);
        repo.git(&["update-ref", &format!("refs/heads/{name}"), &commit]);
        let fetched = host.fetch(&format!("refs/heads/{name}")).await;
        assert_eq!(fetched.commit.to_string(), commit, "{name}");
    }
    assert!(!trap.exists());
}

#[tokio::test]
async fn a_commit_needs_no_reference() {
    let host = SshHost::start();
    let repo = host.repository();
    let older = repo.commit("main", &[("a", b"1".to_vec())]);
    let newer = repo.commit("main", &[("a", b"2".to_vec())]);
    for commit in [older, newer] {
        let mut request = host.request(MAIN);
        request.wanted = Wanted::Commit(commit.parse().unwrap());
        check_is(&fetch::fetch(&request, &host.clones()).await.unwrap(), &repo, &commit);
    }
    let mut request = host.request(MAIN);
    request.wanted = Wanted::Commit("1".repeat(40).parse().unwrap());
    let error = fetch::fetch(&request, &host.clones()).await.unwrap_err();
    assert!(error.to_string().starts_with("could not receive"), "{error}");
}

#[tokio::test]
async fn a_tag_that_moved_is_followed() {
    let host = SshHost::start();
    let repo = host.repository();
    repo.commit("main", &[("a", b"1".to_vec())]);
    repo.git(&["tag", "v1", "main"]);
    check_is(&host.fetch("refs/tags/v1").await, &repo, "v1");
    repo.commit("main", &[("a", b"2".to_vec())]);
    for options in [&["--force"][..], &["--force", "--annotate", "--message=x"]] {
        repo.git(&[&["tag"], options, &["v1", "main"]].concat());
        check_is(&host.fetch("refs/tags/v1").await, &repo, "v1");
    }
}

#[tokio::test]
async fn thousands_of_references_cost_nothing() {
    let host = SshHost::start();
    let repo = host.repository();
    repo.commit("main", &[("README", b"hello\n".to_vec())]);
    repo.branches(3000);
    let fetched = host.fetch(MAIN).await;
    assert!(fetched.received < 2_000, "{}", fetched.received);
}

/// The peak memory of this process, in bytes.
fn most_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn many_references_take_little_memory() {
    for (settings, told) in [("AcceptEnv GIT_PROTOCOL", 0..2_000), ("", 6_000_000..10_000_000)] {
        let host = SshHost::start_as(&Setup { settings, ..Setup::default() });
        let repo = host.repository();
        let commit = repo.commit("main", &[("README", b"hello\n".to_vec())]);
        repo.packed_branches(100_000);
        let fetched = host.fetch(MAIN).await;
        assert_eq!(fetched.commit.to_string(), commit);
        assert!(told.contains(&fetched.received), "{}", fetched.received);
    }
    assert!(most_memory() < 256 << 20, "{}", most_memory());
}

#[tokio::test]
async fn endless_references_are_refused() {
    let host = SshHost::start();
    host.repository().commit("main", &[("README", b"hello\n".to_vec())]);
    let id = "1".repeat(40);
    let first = format!("{id} HEAD\\0 side-band-64k ofs-delta shallow\\n");
    let length = 4 + first.len() - 2;
    let other = format!("{:04x}{id} refs/heads/topic", 4 + 40 + 1 + 16 + 1);
    host.serves_by(&format!("printf '{length:04x}{first}'\nexec yes '{other}'"));
    let error = host.try_fetch(MAIN).await.unwrap_err();
    assert!(matches!(error, FetchError::Talkative { .. }), "{error:?}");
    check(&error, "the host sent more than 64 MiB for 127.0.0.1/owner/name before the pack", Retry::Never);
    assert!(most_memory() < 768 << 20, "{}", most_memory());
    host.serves_again();
    host.fetch(MAIN).await;
}

#[tokio::test]
async fn endless_shallow_lines_are_refused() {
    let host = SshHost::start();
    host.repository().commit("main", &[("README", b"hello\n".to_vec())]);
    let id = "1".repeat(40);
    let first = format!("{id} {MAIN}\\0 side-band-64k ofs-delta shallow multi_ack_detailed\\n");
    let length = 4 + first.len() - 2;
    host.serves_by(&format!("printf '{length:04x}{first}0000'\nexec yes '0035shallow {id}'"));
    let error = host.try_fetch(MAIN).await.unwrap_err();
    check(&error, "the host sent more than 256 KiB for 127.0.0.1/owner/name before the pack", Retry::Never);
    assert!(most_memory() < 768 << 20, "{}", most_memory());
    host.serves_again();
    host.fetch(MAIN).await;
}

#[tokio::test]
async fn a_forced_push_is_followed() {
    let host = SshHost::start();
    let repo = host.repository();
    let mut tree = noise(1, 50);
    repo.commit("main", &files(&tree));
    host.fetch(MAIN).await;
    tree[3].1[0] ^= 1;
    repo.recommit("main", &files(&tree));
    // The host no longer has our commit.
    repo.git(&["-c", "gc.pruneExpire=now", "gc", "--quiet", "--prune=now"]);
    let fetched = host.fetch(MAIN).await;
    check_is(&fetched, &repo, "main");
}

#[tokio::test]
async fn moved_reference_gives_newest_commit() {
    let host = SshHost::start();
    let repo = host.repository();
    let told = repo.commit("main", &[("a", b"1".to_vec())]);
    let newest = repo.commit("main", &[("a", b"2".to_vec())]);
    let mut request = host.request(MAIN);
    request.wanted = expecting(&request.wanted, told.parse().unwrap());
    let fetched = fetch::fetch(&request, &host.clones()).await.unwrap();
    check_is(&fetched, &repo, "main");
    assert_eq!(fetched.superseded, Some(told.parse().unwrap()));
    drop(fetched);
    request.wanted = expecting(&request.wanted, newest.parse().unwrap());
    assert_eq!(fetch::fetch(&request, &host.clones()).await.unwrap().superseded, None);
}

#[tokio::test]
async fn tags_are_peeled() {
    let host = SshHost::start();
    let repo = host.repository();
    let commit = repo.commit("main", &[("a", b"1".to_vec())]);
    repo.git(&["tag", "light"]);
    repo.git(&["tag", "--annotate", "--message=x", "v1", "main"]);
    repo.git(&["tag", "--annotate", "--message=x", "v1-again", "v1"]);
    let tag = repo.git(&["rev-parse", "v1"]);
    for name in ["light", "v1", "v1-again"] {
        check_is(&host.fetch(&format!("refs/tags/{name}")).await, &repo, name);
    }
    // Senders use either.
    for told in [commit, tag] {
        let mut request = host.request("refs/tags/v1");
        request.wanted = expecting(&request.wanted, told.parse().unwrap());
        assert_eq!(fetch::fetch(&request, &host.clones()).await.unwrap().superseded, None);
    }
}

#[tokio::test]
async fn missing_reference_is_not_retried() {
    let host = SshHost::start();
    let repo = host.repository();
    let error = host.try_fetch(MAIN).await.unwrap_err();
    check(&error, "127.0.0.1/owner/name is empty", Retry::Obsolete);

    repo.commit("main", &[("a", b"1".to_vec())]);
    repo.git(&["branch", "main2", "main"]);
    let error = host.try_fetch("refs/heads/mai").await.unwrap_err();
    check(&error, "127.0.0.1/owner/name has no refs/heads/mai", Retry::Obsolete);

    repo.git(&["tag", "tree", "main^{tree}"]);
    let error = host.try_fetch("refs/tags/tree").await.unwrap_err();
    check(&error, "refs/tags/tree of 127.0.0.1/owner/name names a tree, expected a commit", Retry::Never);
}

#[tokio::test]
async fn sha256_repository_is_refused() {
    let host = SshHost::start();
    let dir = host.temp.path().join("owner/name.git");
    let repo = host.repository();
    fs::remove_dir_all(&dir).unwrap();
    fs::create_dir(&dir).unwrap();
    repo.git(&["init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main", "."]);
    repo.commit("main", &[("a", b"1".to_vec())]);
    let error = host.try_fetch(MAIN).await.unwrap_err();
    check(&error, "127.0.0.1/owner/name has the object format sha256, only sha1 is supported", Retry::Never);
}

#[tokio::test]
async fn host_refusal_message_is_shown() {
    let host = SshHost::start();
    let error = host.try_fetch(MAIN).await.unwrap_err();
    let expected = "the host does not serve 127.0.0.1/owner/name to this key: \"ERROR: Repository not found.\"";
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.retry(), Retry::Again);
    assert!(error.hint().unwrap().contains("PublicSSHKey"));
}

#[tokio::test]
async fn protocol_version_0_is_understood() {
    let host = SshHost::start_as(&Setup { settings: "", ..Setup::default() });
    let repo = host.repository();
    assert!(matches!(host.try_fetch(MAIN).await.unwrap_err(), FetchError::Empty { .. }));
    let mut tree = noise(1, 100);
    repo.commit("main", &files(&tree));
    repo.git(&["tag", "--annotate", "--message=x", "v1", "main"]);
    let first = host.fetch(MAIN).await;
    check_is(&first, &repo, "main");
    assert_eq!(first.default_branch.as_deref(), Some("main"));
    drop(first);
    check_is(&host.fetch("refs/tags/v1").await, &repo, "v1");
    tree[0].1[0] ^= 1;
    repo.commit("main", &files(&tree));
    let second = host.fetch(MAIN).await;
    check_is(&second, &repo, "main");
    assert!(second.received < 12_000, "{}", second.received);
}

#[tokio::test]
async fn rsa_keys_on_both_sides() {
    let host = SshHost::start_as(&Setup { host_key: "rsa", client_key: "rsa", ..Setup::default() });
    let repo = host.repository();
    repo.commit("main", &[("a", b"1".to_vec())]);
    check_is(&host.fetch(MAIN).await, &repo, "main");
}

#[tokio::test]
async fn rsa_2048_and_4096_keys_work() {
    let host = SshHost::start();
    host.repository().commit("main", &[("a", b"1".to_vec())]);
    for bits in ["2048", "4096"] {
        let key = host.temp.path().join(bits);
        host::generate_rsa_key(&key, bits);
        host.lets_in(&key);
        let mut request = host.request(MAIN);
        host::ssh(&mut request.remote).key = host::private_key(&key);
        fetch::fetch(&request, &host.clones()).await.unwrap();
    }
}

#[tokio::test]
async fn rsa_login_works_except_with_sha1() {
    for settings in ["PubkeyAcceptedAlgorithms rsa-sha2-256", "PubkeyAcceptedAlgorithms rsa-sha2-512"] {
        let host = SshHost::start_as(&Setup { client_key: "rsa", settings, ..Setup::default() });
        let repo = host.repository();
        repo.commit("main", &[("a", b"1".to_vec())]);
        check_is(&host.fetch(MAIN).await, &repo, "main");
    }
    let host = SshHost::start_as(&Setup {
        client_key: "rsa",
        settings: "PubkeyAcceptedAlgorithms ssh-rsa",
        ..Setup::default()
    });
    host.repository();
    assert!(matches!(host.try_fetch(MAIN).await.unwrap_err(), FetchError::KeyRefused { .. }), "SHA-1 is never used");
}

#[tokio::test]
async fn a_key_that_is_not_authorized() {
    let host = SshHost::start();
    host.repository();
    let other = host.temp.path().join("other");
    host::generate_key(&other, "ed25519");
    let mut request = host.request(MAIN);
    host::ssh(&mut request.remote).key = host::private_key(&other);
    let error = fetch::fetch(&request, &host.clones()).await.unwrap_err();
    let fingerprint = host::fingerprint(&other.with_extension("pub"));
    let expected =
        format!("[127.0.0.1]:{} refused the SSH key {fingerprint} of user {}", host.port, request.remote.host.ssh.user);
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.retry(), Retry::Again);
    assert_eq!(host::ssh(&mut request.remote).key.fingerprint(), fingerprint);
}

#[tokio::test]
async fn attack_07_untrusted_host_key_fails() {
    let host = SshHost::start();
    let repo = host.repository();
    repo.commit("main", &[("a", b"1".to_vec())]);
    let other = host.temp.path().join("other");
    let (address, fingerprint) = (format!("[127.0.0.1]:{}", host.port), host.host_fingerprint());
    let offered = format!("{address} {{}}: it offered ssh-ed25519 {fingerprint}");
    let offered = |what: &str| format!("the host key of {}", offered.replace("{}", what));
    for kind in ["ed25519", "rsa"] {
        host::generate_key(&other.with_extension(kind), kind);
        let line = fs::read_to_string(other.with_extension(format!("{kind}.pub"))).unwrap();
        let wrong = offered("is wrong") + ", which isn't one of its known keys";
        check_host_key(&host, &format!("{address} {line}"), &wrong).await;
    }
    check_host_key(&host, "", &offered("is unknown")).await;
    let revoked = format!("{0}@revoked {0}", host.known_hosts_line());
    check_host_key(&host, &revoked, &offered("is revoked")).await;
    assert!(!host.clone_dir().join("HEAD").exists(), "nothing was fetched");
}

async fn check_host_key(host: &SshHost, lines: &str, message: &str) {
    let mut request = host.request(MAIN);
    host::ssh(&mut request.remote).sessions = Sessions::new(KnownHosts::built_in_and(lines).unwrap());
    let error = fetch::fetch(&request, &host.clones()).await.unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(error.retry(), Retry::Again);
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn hashed_known_hosts_line_is_understood() {
    let host = SshHost::start();
    let repo = host.repository();
    repo.commit("main", &[("a", b"1".to_vec())]);
    let file = host.temp.path().join("hashed");
    fs::write(&file, host.known_hosts_line()).unwrap();
    let hash = std::process::Command::new("ssh-keygen").arg("-Hf").arg(&file).output().unwrap();
    assert!(hash.status.success());
    let hashed = fs::read_to_string(&file).unwrap();
    assert!(hashed.starts_with("|1|"), "{hashed}");
    let mut request = host.request(MAIN);
    host::ssh(&mut request.remote).sessions = Sessions::new(KnownHosts::built_in_and(&hashed).unwrap());
    check_is(&fetch::fetch(&request, &host.clones()).await.unwrap(), &repo, "main");
}

#[tokio::test]
async fn broken_clone_is_fetched_anew() {
    let host = SshHost::start();
    let repo = host.repository();
    let mut tree = noise(1, 30);
    repo.commit("main", &files(&tree));
    let whole = host.fetch(MAIN).await.received;
    let packs = host.clone_dir().join("objects/pack");
    let harms: [(&str, Harm); 4] = [
        ("idx", |_| Vec::new()),
        ("pack", |_| Vec::new()),
        ("pack", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("idx", |bytes| bytes.iter().map(|byte| !byte).collect()),
    ];
    for (number, (extension, harm)) in (0_u8..).zip(harms) {
        for entry in fs::read_dir(&packs).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|found| found == extension) {
                let harmed = harm(&fs::read(&path).unwrap());
                fs::remove_file(&path).unwrap();
                fs::write(&path, harmed).unwrap();
            }
        }
        tree[0].1[0] = number;
        repo.commit("main", &files(&tree));
        let fetched = host.fetch(MAIN).await;
        check_is(&fetched, &repo, "main");
        assert!(fetched.received > whole / 2, "everything was fetched again");
    }
    // Objects that were lost, although the list of what we have contains them.
    for entry in fs::read_dir(&packs).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    check_is(&host.fetch(MAIN).await, &repo, "main");
}

#[tokio::test]
async fn a_discarded_clone_starts_anew() {
    let host = SshHost::start();
    let repo = host.repository();
    repo.commit("main", &files(&noise(1, 10)));
    let first = host.fetch(MAIN).await;
    assert!(first.received > 40_000);
    first.discard().unwrap();
    assert!(host.fetch(MAIN).await.received > 40_000);
}

#[tokio::test]
async fn truncated_transfer_leaves_working_clone() {
    let host = SshHost::start();
    let repo = host.repository();
    let mut tree = noise(1, 100);
    repo.commit("main", &files(&tree));
    // The host ends in the middle of the pack.
    host.serves_by(r#"git upload-pack "$repository" | stdbuf -o0 head -c 100000"#);
    let error = host.try_fetch(MAIN).await.unwrap_err();
    assert!(matches!(error, FetchError::Receive { .. }), "{error:?}");
    assert_eq!(error.retry(), Retry::Again);
    host.serves_again();
    check_is(&host.fetch(MAIN).await, &repo, "main");

    tree.extend(noise(2, 100));
    repo.commit("main", &files(&tree));
    host.serves_by(r#"git upload-pack "$repository" | stdbuf -o0 head -c 100000"#);
    host.try_fetch(MAIN).await.unwrap_err();
    host.serves_again();
    check_is(&host.fetch(MAIN).await, &repo, "main");
}

#[tokio::test]
async fn lost_session_keeps_clone() {
    let host = SshHost::start();
    let repo = host.repository();
    let mut tree = noise(1, 100);
    repo.commit("main", &files(&tree));
    let whole = host.fetch(MAIN).await.received;
    tree.extend(noise(2, 10));
    repo.commit("main", &files(&tree));
    let mut request = host.request(MAIN);
    request.remote.host.ssh.port = host.behind_a_line_that_breaks_after(20_000);
    let port = request.remote.host.ssh.port;
    host::ssh(&mut request.remote).sessions = Sessions::new(host.known_hosts_at(port));
    let error = fetch::fetch(&request, &host.clones()).await.unwrap_err();
    assert!(matches!(error, FetchError::Lost { .. }), "{error:?}");
    let fetched = host.fetch(MAIN).await;
    check_is(&fetched, &repo, "main");
    assert!(fetched.received < whole / 2, "{}", fetched.received);
}

#[tokio::test]
async fn nothing_waits_forever() {
    let short = Duration::from_millis(300);
    let host = SshHost::start();
    let repo = host.repository();
    repo.commit("main", &[("a", b"1".to_vec())]);
    host.serves_by("exec sleep 60");

    let mut silent = host.request(MAIN);
    silent.remote.limits.idle = short;
    check_slow(&host, &silent, "the host sent nothing for 300ms while fetching 127.0.0.1/owner/name").await;

    let mut late = host.request(MAIN);
    late.remote.limits = Limits::until(Instant::now() + short);
    check_slow(&host, &late, "time ran out before 127.0.0.1/owner/name was fetched").await;

    // A server that accepts connections and sends nothing.
    let mute = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = mute.local_addr().unwrap().port();
    let mut slow = host.request(MAIN);
    slow.remote.host.ssh.port = port;
    slow.remote.limits.connect = short;
    let expected = format!("[127.0.0.1]:{port} opened no SSH session within 300ms");
    check_slow(&host, &slow, &expected).await;

    drop(mute);
    let error = fetch::fetch(&slow, &host.clones()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("could not connect to 127.0.0.1:{port}"));
    assert_eq!(error.retry(), Retry::Again);
}

async fn check_slow(host: &SshHost, request: &fetch::FetchRequest, message: &str) {
    let start = Instant::now();
    // A fetch that was given up holds its clone until its thread has noticed: each has its own.
    let clones = tempfile::tempdir_in(host.temp.path()).unwrap();
    let error = fetch::fetch(request, &Clones::in_folder(clones.path())).await.unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(error.retry(), Retry::Again);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn clone_in_use_reports_busy() {
    let host = SshHost::start();
    let repo = host.repository();
    repo.commit("main", &[("a", b"1".to_vec())]);
    let first = host.fetch(MAIN).await;
    let error = host.try_fetch(MAIN).await.unwrap_err();
    assert!(matches!(error, FetchError::Busy { .. }));
    assert_eq!(error.retry(), Retry::Again);
    drop(first);
    host.fetch(MAIN).await;
}

/// A pack of `reference`, as another function has cached it.
fn seed_of(repo: &Repo, reference: &str) -> Seed {
    let commit = repo.git(&["rev-parse", reference]);
    let objects = repo.git(&["rev-list", "--objects", "--no-object-names", "-1", reference]);
    let pack = repo.git_bytes(&["pack-objects", "--stdout", "-q"], &format!("{objects}\n"));
    Seed { commit: commit.parse().unwrap(), pack: Box::new(std::io::Cursor::new(pack)) }
}

#[tokio::test]
async fn a_seed_spares_what_it_holds() {
    let host = SshHost::start();
    let repo = host.repository();
    let mut tree = noise(1, 200);
    repo.commit("main", &files(&tree));
    let seed = seed_of(&repo, "main");
    tree[0].1[0] ^= 1;
    repo.commit("main", &files(&tree));
    let mut seed = Some(seed);
    let fetched = fetch_seeded(&host.request(MAIN), &host.clones(), async || seed.take()).await.unwrap();
    check_is(&fetched, &repo, "main");
    assert_eq!(fetched.origin, Origin::Seeded);
    assert!(fetched.received < 12_000, "{}", fetched.received);
    drop(fetched);

    // A kept clone needs no seed.
    let kept = fetch_seeded(&host.request(MAIN), &host.clones(), async || unreachable!()).await.unwrap();
    assert_eq!(kept.origin, Origin::Kept);
}

#[tokio::test]
async fn wrong_seed_is_ignored() {
    let host = SshHost::start();
    let repo = host.repository();
    let tree = noise(1, 200);
    let before = repo.commit("main", &files(&tree));
    let whole = seed_of(&repo, "main");
    let mut pack = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut { whole.pack }, &mut pack).await.unwrap();
    let other = repo.commit("other", &[("a", b"1".to_vec())]);
    let mut damaged = pack.clone();
    damaged[5_000] ^= 1;
    let cases = [
        ("damaged", &before, damaged),
        ("cut off", &before, pack[..pack.len() / 2].to_vec()),
        ("empty", &before, Vec::new()),
        ("of another commit", &other, pack.clone()),
    ];
    for (what, commit, pack) in cases {
        let seed = Seed { commit: commit.trim().parse().unwrap(), pack: Box::new(std::io::Cursor::new(pack)) };
        let (mut seed, clones) = (Some(seed), Clones::in_folder(host.temp.path().join(what)));
        let fetched = fetch_seeded(&host.request(MAIN), &clones, async || seed.take()).await.unwrap();
        check_is(&fetched, &repo, "main");
        assert_eq!(fetched.origin, Origin::New, "{what}");
        assert!(fetched.received > 800_000, "{what}: {}", fetched.received);
    }
}
