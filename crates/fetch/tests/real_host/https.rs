//! The same over HTTPS: against a real `git http-backend` behind TLS with its own authority, and
//! against hosts that refuse, redirect or stay silent.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use contract::{PathSpelling, Retry, error_chain};
use fetch::{Access, Clones, FetchError, FetchRequest, Fetched, HttpsAccess, Limits, Origin, Remote, Wanted};
use git_http::Authority;
use http::{Request, Response};
use http_body_util::Full;
use https::{Client, Credential};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::host::{Repo, SshHost};

const MAIN: &str = "refs/heads/main";
/// `x-access-token:s3cret`.
pub(crate) const TOKEN: &str = "Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0";

/// What the host does with a request.
pub(crate) enum Reply {
    /// What git says, with the header that asks for version 2 of its protocol or without.
    Git {
        speaks_version_2: bool,
    },
    Answer(Response<Bytes>),
    Nothing,
}

pub(crate) const GIT: Reply = Reply::Git { speaks_version_2: true };

/// A request as the host heard it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) target: String,
    authorization: Option<String>,
}

pub(crate) struct HttpsHost {
    temp: TempDir,
    pub(crate) port: u16,
    client: Client,
    heard: Arc<Mutex<Vec<Heard>>>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for HttpsHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn status(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Reply::Answer(response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
}

/// Git for whoever has the token.
pub(crate) fn private(request: &Request<Bytes>) -> Reply {
    match request.headers().get("authorization") {
        Some(value) if value == TOKEN => GIT,
        _ => status(401, &[("www-authenticate", "Basic")], ""),
    }
}

impl HttpsHost {
    pub(crate) async fn start(reply: impl Fn(&Request<Bytes>) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_for("127.0.0.1", reply).await
    }

    /// A host with a certificate for this name.
    async fn start_for(name: &str, reply: impl Fn(&Request<Bytes>) -> Reply + Send + Sync + 'static) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let authority = Authority::new().unwrap();
        let tls = authority.acceptor(vec![name.to_owned()]).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, connections) = (Arc::<Mutex<Vec<Heard>>>::default(), Arc::<AtomicUsize>::default());
        let (root, reply) = (temp.path().to_owned(), Arc::new(reply));
        let (log, count) = (Arc::clone(&heard), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let (root, reply, log) = (root.clone(), Arc::clone(&reply), Arc::clone(&log));
                let answer = move |mut request: Request<Bytes>| {
                    let (root, reply, log) = (root.clone(), Arc::clone(&reply), Arc::clone(&log));
                    async move {
                        let authorization = request.headers().get("authorization");
                        let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
                        let target = request.uri().path_and_query().unwrap().to_string();
                        log.lock().unwrap().push(Heard { target, authorization });
                        let answer = match reply(&request) {
                            Reply::Answer(answer) => answer,
                            Reply::Nothing => pending().await,
                            Reply::Git { speaks_version_2 } => {
                                if !speaks_version_2 {
                                    request.headers_mut().remove("git-protocol");
                                }
                                let path = request.uri().path().to_owned();
                                let ran =
                                    tokio::task::spawn_blocking(move || git_http::backend(&root, &path, &request));
                                ran.await.unwrap().unwrap()
                            }
                        };
                        answer.map(Full::new)
                    }
                };
                tokio::spawn(git_http::talk::<Full<Bytes>, _>(connection, tls.clone(), answer));
            }
        });
        let hosts = "127.0.0.1 private".parse().unwrap();
        let client = Client::new(&hosts, &authority.pem()).unwrap();
        Self { temp, port, client, heard, connections, task }
    }

    pub(crate) fn repository(&self) -> Repo {
        Repo::init(self.temp.path().join("owner/name.git"))
    }

    pub(crate) fn remote(&self, kind: &str, credential: Option<&str>) -> Remote {
        let headers = credential.map(|value| ("authorization", SecretString::from(value)));
        let credential = Credential::new(headers.iter().map(|(name, value)| (*name, value))).unwrap();
        Remote {
            host: format!("127.0.0.1 {kind} web=https://127.0.0.1:{} private", self.port).parse().unwrap(),
            repository: "127.0.0.1/owner/name".parse().unwrap(),
            spelling: PathSpelling::default(),
            access: Access::Https(HttpsAccess { client: self.client.clone(), credential }),
            limits: Limits::until(Instant::now() + Duration::from_mins(2)),
        }
    }

    pub(crate) fn request(&self, reference: &str) -> FetchRequest {
        let wanted = Wanted::Reference { name: reference.parse().unwrap(), expected: None };
        FetchRequest { remote: self.remote("kind=gitea", Some(TOKEN)), wanted }
    }

    pub(crate) fn clones(&self) -> Clones {
        Clones::in_folder(self.temp.path().join("clones"))
    }

    async fn try_fetch(&self, request: &FetchRequest) -> Result<Fetched, FetchError> {
        fetch::fetch(request, &self.clones()).await
    }

    async fn fetch(&self, reference: &str) -> Fetched {
        self.try_fetch(&self.request(reference)).await.unwrap()
    }

    /// The requests since the last call.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

fn noise(seed: u8, count: u8) -> Vec<(String, Vec<u8>)> {
    let content =
        |n: u8| (0..4096u32).map(move |at| at.wrapping_mul(2_654_435_761).to_be_bytes()[1] ^ n ^ seed).collect();
    (0..count).map(|n| (format!("dir{}/file{n}", n % 7), content(n))).collect()
}

fn files(owned: &[(String, Vec<u8>)]) -> Vec<(&str, Vec<u8>)> {
    owned.iter().map(|(path, content)| (path.as_str(), content.clone())).collect()
}

fn check_is(fetched: &Fetched, repo: &Repo, revision: &str) {
    assert_eq!(fetched.commit.to_string(), repo.git(&["rev-parse", &format!("{revision}^{{commit}}")]));
    assert_eq!(fetched.tree.to_string(), repo.git(&["rev-parse", &format!("{revision}^{{tree}}")]));
}

#[tokio::test]
async fn private_repository_is_fetched_incrementally() {
    let host = HttpsHost::start(private).await;
    let repo = host.repository();
    let mut tree = noise(1, 200);
    repo.commit("main", &files(&tree));
    let first = host.fetch(MAIN).await;
    check_is(&first, &repo, "main");
    assert_eq!((first.origin, first.default_branch.as_deref()), (Origin::New, Some("main")));
    let whole = first.received;
    drop(first);

    tree[3].1[7] ^= 1;
    repo.commit("main", &files(&tree));
    let second = host.fetch(MAIN).await;
    check_is(&second, &repo, "main");
    assert_eq!(second.origin, Origin::Kept);
    assert!(second.received * 20 < whole, "{} of {whole} bytes came again", second.received);
    drop(second);
    // Nothing has changed: only the references are requested.
    let third = host.fetch(MAIN).await;
    assert!(third.received < 1_000, "{}", third.received);

    let heard = host.heard();
    assert_eq!(heard.len(), 3 + 3 + 2, "{heard:?}");
    assert!(heard.iter().all(|request| request.authorization.as_deref() == Some(TOKEN)), "{heard:?}");
    assert_eq!(heard[0].target, "/owner/name.git/info/refs?service=git-upload-pack");
    assert_eq!(heard[1].target, "/owner/name.git/git-upload-pack");
    // The client may open another one before the last answer is read to its end.
    let connections = host.connections.load(Ordering::Relaxed);
    assert!(connections <= 3, "{connections} connections: they are kept");
}

#[tokio::test]
async fn both_ways_share_a_clone() {
    let (host, ssh) = (HttpsHost::start(private).await, SshHost::start());
    let repo = ssh.repository();
    let mut tree = noise(2, 60);
    repo.commit("main", &files(&tree));
    let over_ssh = ssh.fetch(MAIN).await;
    std::os::unix::fs::symlink(ssh.temp.path().join("owner"), host.temp.path().join("owner")).unwrap();
    let over_https = host.fetch(MAIN).await;
    assert_eq!((over_ssh.commit, over_ssh.tree), (over_https.commit, over_https.tree));
    let difference = over_ssh.received.abs_diff(over_https.received);
    assert!(difference < 1_000, "{} and {} bytes", over_ssh.received, over_https.received);
    drop((over_ssh, over_https));

    tree[1].1[1] ^= 1;
    repo.commit("main", &files(&tree));
    let changed = fetch::fetch(&host.request(MAIN), &ssh.clones()).await.unwrap();
    check_is(&changed, &repo, "main");
    assert_eq!(changed.origin, Origin::Kept);
    assert!(changed.received < 10_000, "{}", changed.received);
}

#[tokio::test]
async fn history_is_cut_over_https() {
    for speaks_version_2 in [true, false] {
        let host = HttpsHost::start(move |_| Reply::Git { speaks_version_2 }).await;
        let repo = host.repository();
        for change in 0..5 {
            repo.commit("main", &files(&noise(change, 40)));
        }
        let fetched = host.fetch(MAIN).await;
        check_is(&fetched, &repo, "main");
        let count = fetched.clone.rev_walk([fetched.commit]).all().unwrap().count();
        assert_eq!(count, 1, "only the newest commit came");
        drop(fetched);
        repo.commit("main", &files(&noise(9, 1)));
        let fetched = host.fetch(MAIN).await;
        check_is(&fetched, &repo, "main");
        assert!(fetched.received < 10_000, "{}", fetched.received);
        drop(fetched);
        let error = host.try_fetch(&host.request("refs/heads/gone")).await.unwrap_err();
        assert!(matches!(error, FetchError::NoSuchReference { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn submodule_commit_is_fetched_over_https() {
    let host = HttpsHost::start(private).await;
    let repo = host.repository();
    let older = repo.commit("main", &[("a", b"1".to_vec())]);
    repo.commit("main", &[("a", b"2".to_vec())]);
    let request = FetchRequest { wanted: Wanted::Commit(older.parse().unwrap()), ..host.request(MAIN) };
    assert_eq!(host.try_fetch(&request).await.unwrap().commit.to_string(), older);
}

async fn refused(host: &HttpsHost, request: &FetchRequest) -> (String, Retry, &'static str) {
    let error = host.try_fetch(request).await.unwrap_err();
    let shown = format!("{} {error:?}", error_chain(&error));
    assert!(!shown.contains("s3cret") && !shown.contains("czNjcmV0"), "{shown}");
    (error_chain(&error), error.retry(), error.hint().unwrap_or_default())
}

#[tokio::test]
async fn refusal_names_the_token_fault() {
    for (number, headers, message, retry, hint) in [
        (401, &[][..], "127.0.0.1 requires another credential (status 401)", Retry::Again, "expired"),
        (403, &[], "127.0.0.1 forbids the download (status 403)", Retry::Again, "the right to read"),
        (404, &[], "127.0.0.1 has nothing at this URL (status 404)", Retry::Again, "renamed or deleted"),
        (429, &[("retry-after", "7")], "retry in 7 seconds", Retry::After(Duration::from_secs(7)), ""),
        (502, &[], "127.0.0.1 failed (status 502)", Retry::Again, ""),
        (
            200,
            &[("content-type", "text/html")],
            "unexpected response to the request for references",
            Retry::Again,
            "web=",
        ),
        (203, &[], "127.0.0.1 returned the status 203", Retry::Again, ""),
    ] {
        let host = HttpsHost::start(move |_| status(number, headers, "<p>Sign in</p>")).await;
        let (said, again, remedy) = refused(&host, &host.request(MAIN)).await;
        assert!(said.starts_with("could not fetch 127.0.0.1/owner/name over HTTPS: "), "{said}");
        assert!(said.contains(message) && remedy.contains(hint), "{said}: {remedy}");
        assert_eq!(again, retry, "{said}");
    }
}

#[tokio::test]
async fn missing_token_differs_from_wrong_one() {
    let host = HttpsHost::start(private).await;
    host.repository().commit("main", &[("a", b"1".to_vec())]);
    let mut request = FetchRequest { remote: host.remote("kind=gitea", None), ..host.request(MAIN) };
    let (said, _, hint) = refused(&host, &request).await;
    assert_eq!(said, "127.0.0.1 serves 127.0.0.1/owner/name only with a token, and there is none for it");
    assert!(hint.contains("GitToken"), "{hint}");
    request.remote = host.remote("kind=gitea", Some("Basic czNjcmV0"));
    let (said, _, hint) = refused(&host, &request).await;
    assert!(said.ends_with("127.0.0.1 requires another credential (status 401)"), "{said}");
    assert!(hint.contains("expired"), "{hint}");
}

#[tokio::test]
async fn redirect_elsewhere_gets_no_credential() {
    // The same machine, but another port is another origin.
    let other = HttpsHost::start(|_| GIT).await;
    other.repository().commit("main", &[("a", b"1".to_vec())]);
    for scheme in ["https", "http"] {
        let location = format!("{scheme}://127.0.0.1:{}/owner/name.git/info/refs", other.port);
        let host = HttpsHost::start(move |_| status(302, &[("location", &location)], "")).await;
        let (said, _, hint) = refused(&host, &host.request(MAIN)).await;
        let to = format!("refused to go on from 127.0.0.1 to {scheme}://127.0.0.1:{}", other.port);
        assert!(said.ends_with(&to) && hint.contains("web="), "{said}: {hint}");
    }
    assert!(other.heard().is_empty());
}

#[tokio::test]
async fn redirected_request_body_is_not_sent() {
    let other = HttpsHost::start(|_| GIT).await;
    let location = format!("https://127.0.0.1:{}/owner/name.git/git-upload-pack", other.port);
    let host = HttpsHost::start(move |request| match request.method().as_str() {
        "POST" => status(307, &[("location", &location)], ""),
        _ => GIT,
    });
    let host = host.await;
    host.repository().commit("main", &[("a", b"1".to_vec())]);
    let (said, ..) = refused(&host, &host.request(MAIN)).await;
    assert!(said.ends_with("127.0.0.1 returned the status 307"), "{said}");
    assert!(other.heard().is_empty());
}

#[tokio::test]
async fn renamed_repository_is_followed() {
    let host =
        HttpsHost::start(|request| match request.uri().path_and_query().unwrap().as_str().split_once("/name.git/") {
            Some((_, rest)) => status(301, &[("location", &format!("/owner/new.git/{rest}"))], ""),
            None => private(request),
        });
    let host = host.await;
    let repo = Repo::init(host.temp.path().join("owner/new.git"));
    repo.commit("main", &[("a", b"1".to_vec())]);
    check_is(&host.fetch(MAIN).await, &repo, "main");
    let heard: Vec<_> = host.heard().into_iter().map(|heard| heard.target).collect();
    assert_eq!(heard[2..], ["/owner/new.git/git-upload-pack", "/owner/new.git/git-upload-pack"]);
}

#[tokio::test]
async fn repository_without_git_suffix_is_found() {
    let host = HttpsHost::start(|request| match request.uri().path().split_once("/name/") {
        Some(_) => GIT,
        None => status(404, &[], ""),
    });
    let host = host.await;
    let repo = Repo::init(host.temp.path().join("owner/name"));
    repo.commit("main", &[("a", b"1".to_vec())]);
    let request = FetchRequest { remote: host.remote("", Some(TOKEN)), ..host.request(MAIN) };
    check_is(&host.try_fetch(&request).await.unwrap(), &repo, "main");
}

#[tokio::test]
async fn silent_https_host_times_out() {
    for answers in [0, 1, 2] {
        let count = AtomicUsize::new(0);
        let host = HttpsHost::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
            asked if asked < answers => GIT,
            _ => Reply::Nothing,
        });
        let host = host.await;
        host.repository().commit("main", &[("a", b"1".to_vec())]);
        let mut request = host.request(MAIN);
        request.remote.limits.idle = Duration::from_millis(500);
        let error = host.try_fetch(&request).await.unwrap_err();
        assert!(matches!(error, FetchError::Silent { .. }), "{answers}: {error:?}");
        request.remote.limits = Limits::until(Instant::now() + Duration::from_millis(500));
        let error = host.try_fetch(&request).await.unwrap_err();
        assert!(matches!(error, FetchError::Deadline { .. }), "{answers}: {error:?}");
    }
}

#[tokio::test]
async fn endless_references_over_https_are_refused() {
    let id = "1".repeat(40);
    let packet = |text: &str| format!("{:04x}{text}", 4 + text.len());
    let mut all = packet("# service=git-upload-pack\n") + "0000";
    all += &packet(&format!("{id} HEAD\0 side-band-64k ofs-delta shallow\n"));
    all += &packet(&format!("{id} refs/heads/topic\n")).repeat(1_200_000);
    let kind = "application/x-git-upload-pack-advertisement";
    let host = HttpsHost::start(move |_| status(200, &[("content-type", kind)], &all)).await;
    let error = host.try_fetch(&host.request(MAIN)).await.unwrap_err();
    assert!(matches!(error, FetchError::Talkative { .. }), "{error:?}");
    assert_eq!(error.retry(), Retry::Never);
}

#[tokio::test]
async fn untrusted_certificate_is_refused() {
    let host = HttpsHost::start_for("other.example", |_| GIT).await;
    let (said, retry, hint) = refused(&host, &host.request(MAIN)).await;
    assert!(said.contains("the request to 127.0.0.1 failed") && hint.contains("CaBundle"), "{said}: {hint}");
    assert_eq!(retry, Retry::Again);
    let mut request = host.request(MAIN);
    let public = Client::new(&"127.0.0.1".parse().unwrap(), "").unwrap();
    request.remote.access = Access::Https(HttpsAccess { client: public, credential: Credential::default() });
    let (said, ..) = refused(&host, &request).await;
    assert!(said.contains("refused to connect to a private address"), "{said}");
    assert!(host.heard().is_empty());
}

#[tokio::test]
async fn large_files_are_below_the_repository() {
    let host = HttpsHost::start(|_| GIT).await;
    let credential = Credential::new([("authorization", &SecretString::from(TOKEN))]).unwrap();
    for (kind, path) in
        [("kind=gitea", "owner/name.git"), ("kind=azure", "owner/_git/name.git"), ("", "owner/name.git")]
    {
        let access = fetch::lfs_access(&host.remote(kind, Some(TOKEN))).await.unwrap();
        assert_eq!(access.href, format!("https://127.0.0.1:{}/{path}/info/lfs", host.port));
        assert_eq!(access.credential, credential);
    }
    assert!(host.heard().is_empty());
}
