//! How often a fetch waits for a distant host, in round trips as `local::trips` counts them.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use fetch::{FetchError, FetchRequest, Fetched, KnownHosts, Limits, Remote, Sessions, Wanted};
use local::{
    proxy::{Network, Proxy},
    trips::Latency,
};
use tokio::process::Command;

use crate::{
    host::{self, Repo, Setup, SshHost},
    https::{HttpsHost, Reply},
};

const MAIN: &str = "refs/heads/main";

/// TCP, names of the software, key exchange, the request to authenticate, the question whether the
/// key is known, the signature, the channel, the program: the exchange with Git comes after them.
const SESSION: u64 = 8;
/// The channel and the program, if a session is open.
const KEPT_SESSION: u64 = 2;
/// TCP and TLS.
const TLS_CONNECTION: u64 = 2;

async fn line_to(port: u16) -> Proxy {
    let network = Network { latency: Latency::UntilIdle, ..Network::default() };
    Proxy::start(port, network).await.unwrap()
}

/// Long enough for a busy machine: each trip waits until everybody sleeps.
fn patient() -> Limits {
    let long = Duration::from_mins(5);
    Limits { connect: long, idle: long, deadline: Instant::now() + long }
}

/// What a delivery wants that names this commit.
fn main_at(commit: Option<&str>) -> Wanted {
    Wanted::Reference { name: MAIN.parse().unwrap(), expected: commit.map(|commit| commit.parse().unwrap()) }
}

/// A host over SSH, and the line to it.
struct Distant {
    host: SshHost,
    line: Proxy,
}

impl Distant {
    async fn new(setup: &Setup) -> Self {
        let host = SshHost::start_as(setup);
        Self { line: line_to(host.port).await, host }
    }

    fn address(&self) -> String {
        self.host.address().replace(&format!(":{}", self.host.port), &format!(":{}", self.line.port))
    }

    fn remote(&self) -> Remote {
        let remote = host::remote(self.host.temp.path(), &self.address(), "owner/name");
        Remote { limits: patient(), ..remote }
    }

    /// Fetches `main`, which a delivery says points to this commit. Returns the round trips.
    async fn fetch(&self, commit: Option<&str>) -> (Fetched, u64) {
        self.fetch_by(self.remote(), commit).await
    }

    async fn fetch_by(&self, remote: Remote, commit: Option<&str>) -> (Fetched, u64) {
        let request = FetchRequest { remote, wanted: main_at(commit) };
        let before = self.line.round_trips();
        let fetched = fetch::fetch(&request, &self.host.clones()).await.unwrap();
        (fetched, self.line.round_trips() - before)
    }

    /// The round trips of a fetch of `commit`, which succeeds.
    async fn trips_to(&self, commit: &str) -> u64 {
        let (fetched, trips) = self.fetch(Some(commit)).await;
        assert_eq!((fetched.commit.to_string().as_str(), fetched.superseded), (commit, None));
        trips
    }

    /// The round trips of Git over OpenSSH.
    async fn git(&self, arguments: &[&str]) -> u64 {
        let root = self.host.temp.path();
        let ssh = format!(
            "ssh -F /dev/null -i '{}' -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
             -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            root.join("client_key").display()
        );
        let mut git = Command::new("git");
        git.args(arguments).current_dir(root).env("GIT_SSH_COMMAND", ssh).stderr(Stdio::null());
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        let before = self.line.round_trips();
        assert!(git.status().await.unwrap().success(), "{arguments:?}");
        self.line.round_trips() - before
    }
}

fn push(repo: &Repo, text: &str) -> String {
    repo.commit("main", &[("a", text.into()), ("b", b"2".to_vec())])
}

#[tokio::test]
async fn ssh_fetch_needs_nine_round_trips() {
    let distant = Distant::new(&Setup::default()).await;
    let repo = distant.host.repository();
    let first = push(&repo, "1");
    assert_eq!(distant.trips_to(&first).await, SESSION + 1, "the first fetch");
    let second = push(&repo, "2");
    assert_eq!(distant.trips_to(&second).await, SESSION + 1, "a changed file");
    assert_eq!(distant.trips_to(&second).await, SESSION + 1, "nothing has changed");
}

#[tokio::test]
async fn openssh_fetch_needs_twelve_round_trips() {
    let distant = Distant::new(&Setup::default()).await;
    let repo = distant.host.repository();
    push(&repo, "1");
    let url = format!("ssh://{}/owner/name.git", distant.address());
    let first = distant.git(&["clone", "--quiet", "--depth", "1", &url, "clone"]).await;
    push(&repo, "2");
    let next = distant.git(&["-C", "clone", "fetch", "--quiet", "--depth", "1", "origin", "main"]).await;
    assert_eq!((first, next), (12, 12));
}

#[tokio::test]
async fn connection_begins_without_key() {
    let distant = Distant::new(&Setup::default()).await;
    let commit = push(&distant.host.repository(), "1");
    let mut remote = distant.remote();
    let address = remote.host.clone();
    let access = host::ssh(&mut remote);
    let connecting = access.sessions.connect_early(&address);
    // TCP, names of the software, key exchange.
    while distant.line.round_trips() < 3 {
        // Nothing arrives while this test is awake.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    access.connecting = connecting;
    let request = FetchRequest { remote, wanted: main_at(Some(&commit)) };
    // The second fetch uses the session.
    for trips in [SESSION + 1, SESSION + 1 + KEPT_SESSION + 1] {
        fetch::fetch(&request, &distant.host.clones()).await.unwrap();
        assert_eq!(distant.line.round_trips(), trips);
    }
}

#[tokio::test]
async fn early_connection_serves_only_its_host() {
    let distant = Distant::new(&Setup::default()).await;
    let commit = push(&distant.host.repository(), "1");
    let mut remote = distant.remote();
    let mut other = distant.host.remote();
    let access = host::ssh(&mut remote);
    let elsewhere = other.host.clone();
    access.connecting = host::ssh(&mut other).sessions.connect_early(&elsewhere);
    let request = FetchRequest { remote, wanted: main_at(Some(&commit)) };
    fetch::fetch(&request, &distant.host.clones()).await.unwrap();
    assert_eq!(distant.line.round_trips(), SESSION + 1, "the whole session is on this line");
}

#[tokio::test]
async fn early_connection_verifies_host_key() {
    let distant = Distant::new(&Setup::default()).await;
    let commit = push(&distant.host.repository(), "1");
    let mut remote = distant.remote();
    let address = remote.host.clone();
    let unknown = Sessions::new(KnownHosts::built_in_and("").unwrap());
    host::ssh(&mut remote).connecting = unknown.connect_early(&address);
    let request = FetchRequest { remote, wanted: main_at(Some(&commit)) };
    let error = fetch::fetch(&request, &distant.host.clones()).await.unwrap_err();
    assert!(matches!(error, FetchError::HostKeyUnknown { .. }), "{error:?}");
}

#[tokio::test]
async fn unnamed_commit_costs_two_round_trips() {
    let distant = Distant::new(&Setup::default()).await;
    let repo = distant.host.repository();
    for text in ["1", "2"] {
        push(&repo, text);
        let (_, trips) = distant.fetch(None).await;
        assert_eq!(trips, SESSION + 3, "references, pack, end");
    }
}

#[tokio::test]
async fn newest_commit_beats_named_one() {
    let distant = Distant::new(&Setup::default()).await;
    let repo = distant.host.repository();
    let old = push(&repo, "1");
    // Its pack isn't there yet, then it is: neither changes what the reference says.
    for text in ["2", "3"] {
        let newest = push(&repo, text);
        let (fetched, trips) = distant.fetch(Some(&old)).await;
        assert_eq!(fetched.commit.to_string(), newest);
        assert_eq!(fetched.superseded.map(|commit| commit.to_string()).as_deref(), Some(old.as_str()));
        assert_eq!(trips, SESSION + KEPT_SESSION + 4, "a channel more");
    }
    // A commit that the host doesn't have.
    let newest = push(&repo, "4");
    let (fetched, _) = distant.fetch(Some(&"1".repeat(40))).await;
    assert_eq!(fetched.commit.to_string(), newest);
}

#[tokio::test]
async fn kept_session_saves_six_round_trips() {
    let distant = Distant::new(&Setup::default()).await;
    let repo = distant.host.repository();
    let remote = distant.remote();
    for (text, expected) in [("1", SESSION + 1), ("2", KEPT_SESSION + 1), ("3", KEPT_SESSION + 1)] {
        let commit = push(&repo, text);
        let (fetched, trips) = distant.fetch_by(remote.clone(), Some(&commit)).await;
        assert_eq!((fetched.commit.to_string(), trips), (commit, expected));
    }
    // A delivery that is too late doesn't open another one.
    let newest = push(&repo, "4");
    let (fetched, trips) = distant.fetch_by(remote, Some(&"1".repeat(40))).await;
    assert_eq!((fetched.commit.to_string(), trips), (newest, 2 * KEPT_SESSION + 4));
}

#[tokio::test]
async fn broken_session_is_replaced() {
    let host = SshHost::start();
    let line = Proxy::start(host.port, Network::default()).await.unwrap();
    let address = host.address().replace(&format!(":{}", host.port), &format!(":{}", line.port));
    let remote = host::remote(host.temp.path(), &address, "owner/name");
    let repo = host.repository();
    let mut expected = 0;
    for breaks in [Proxy::cut, Proxy::silence] {
        let commit = push(&repo, "1");
        let request = FetchRequest { remote: remote.clone(), wanted: main_at(Some(&commit)) };
        for _ in 0..2 {
            let fetched = fetch::fetch(&request, &host.clones()).await.unwrap();
            assert_eq!(fetched.commit.to_string(), commit);
        }
        expected += 1;
        assert_eq!(line.connections(), expected, "the second fetch uses the same session");
        breaks(&line);
    }
    let request = FetchRequest { remote, wanted: main_at(None) };
    fetch::fetch(&request, &host.clones()).await.unwrap();
    assert_eq!(line.connections(), expected + 1);
}

#[tokio::test]
async fn session_serves_only_its_key() {
    let distant = Distant::new(&Setup::default()).await;
    let commit = push(&distant.host.repository(), "1");
    let mut remote = distant.remote();
    distant.fetch_by(remote.clone(), Some(&commit)).await;
    let other = distant.host.temp.path().join("other_key");
    host::generate_key(&other, "ed25519");
    host::ssh(&mut remote).key = host::private_key(&other);
    let request = FetchRequest { remote: remote.clone(), wanted: main_at(Some(&commit)) };
    let error = fetch::fetch(&request, &distant.host.clones()).await.unwrap_err();
    assert!(matches!(error, FetchError::KeyRefused { .. }), "{error:?}");
    distant.host.lets_in(&other);
    let (_, trips) = distant.fetch_by(remote, Some(&commit)).await;
    assert_eq!(trips, SESSION + 1, "a session of its own");
}

#[tokio::test]
async fn version_0_gets_no_requests_ahead() {
    let distant = Distant::new(&Setup { settings: "", ..Setup::default() }).await;
    let repo = distant.host.repository();
    for text in ["1", "2"] {
        let commit = push(&repo, text);
        assert_eq!(distant.trips_to(&commit).await, SESSION + 1, "its references come by themselves");
    }
    let newest = push(&repo, "3");
    let (fetched, trips) = distant.fetch(Some(&"1".repeat(40))).await;
    assert_eq!((fetched.commit.to_string(), trips), (newest, SESSION + 1));
}

#[tokio::test]
async fn failed_requests_ahead_are_repeated() {
    let distant = Distant::new(&Setup::default()).await;
    let repo = distant.host.repository();
    // It serves one request after the other, and none if several come together.
    distant.host.serves_by(
        r#"
git upload-pack --advertise-refs "$repository"
exec perl -e '
  my $in = "";
  sub need {
    while (length $in < $_[0]) { sysread(STDIN, $in, 65536, length $in) or exit }
  }
  sub request {
    for (my $all = "";;) {
      need(4);
      my $length = hex substr($in, 0, 4);
      my $packet = $length < 4 ? 4 : $length;
      need($packet);
      $all .= substr($in, 0, $packet, "");
      return $all if $length == 0;
    }
  }
  while ((my $all = request()) ne "0000") {
    exit if length $in;
    open(my $git, "|-", "git", "upload-pack", "--stateless-rpc", $ARGV[0]);
    print $git $all;
    close $git;
  }' "$repository""#,
    );
    for text in ["1", "2"] {
        let commit = push(&repo, text);
        assert_eq!(distant.trips_to(&commit).await, SESSION + KEPT_SESSION + 4, "a channel more");
    }
}

#[tokio::test]
async fn kept_connection_saves_two_round_trips() {
    for (speaks_version_2, expected) in [(true, 3), (false, 2)] {
        let mut host = HttpsHost::start(move |_| Reply::Git { speaks_version_2 }).await;
        let line = line_to(host.port).await;
        host.port = line.port;
        let repo = host.repository();
        let mut trips = Vec::new();
        for text in ["1", "2", "3"] {
            let commit = push(&repo, text);
            let before = line.round_trips();
            let mut request = FetchRequest { wanted: main_at(Some(&commit)), ..host.request(MAIN) };
            request.remote.limits = patient();
            let fetched = fetch::fetch(&request, &host.clones()).await.unwrap();
            assert_eq!(fetched.commit.to_string(), commit);
            trips.push(line.round_trips() - before);
        }
        assert_eq!(trips, [TLS_CONNECTION + expected, expected, expected]);
        // The reference has moved on.
        let newest = push(&repo, "4");
        let before = line.round_trips();
        let mut request = FetchRequest { wanted: main_at(Some(&"1".repeat(40))), ..host.request(MAIN) };
        request.remote.limits = patient();
        let fetched = fetch::fetch(&request, &host.clones()).await.unwrap();
        assert_eq!((fetched.commit.to_string(), line.round_trips() - before), (newest, expected));
    }
}
