//! The archive APIs of the Git hosts, and Git itself, over HTTPS: their requirements and responses,
//! for the same bare repositories that sshd serves. Each kind of server has its own loopback
//! address, so that one stack can use all of them.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use contract::HostKind;
use git_http::Authority;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{Full, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{process::free_port, references};

/// The address of this kind of server.
pub fn address(kind: HostKind) -> IpAddr {
    let last = match kind {
        HostKind::GitHub => 11,
        HostKind::GitLab => 12,
        HostKind::Bitbucket => 13,
        HostKind::BitbucketDataCenter => 14,
        HostKind::Gitea => 15,
        HostKind::Azure => 16,
    };
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// The target of GitHub's redirects: a host that must not get a credential.
const CODELOAD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 21);

/// The file in a bare repository that makes it public on GitHub.
pub const PUBLIC: &str = "git-daemon-export-ok";
/// The access token that all servers accept, and the consumer's secret of Bitbucket Cloud.
pub const TOKEN: &str = "stand-in-token";
/// The key of Bitbucket Cloud's consumer.
pub const CONSUMER: &str = "stand-in-consumer";
/// The credential for large files, which no other host may get.
const OBJECT: &str = "stand-in-object";
const OBJECT_HEADER: &str = "x-object";
/// The access token that Bitbucket Cloud returns for both.
const ACCESS: &str = "stand-in-access";

/// A received request.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The address that received it.
    pub address: IpAddr,
    /// Path and query.
    pub target: String,
    /// Whether any header contained a credential.
    pub has_credential: bool,
}

/// The servers, which run until this is dropped.
#[derive(Debug)]
pub struct Archives {
    /// Their common port.
    pub port: u16,
    /// The certificate authority in PEM.
    pub ca: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Archives {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Archives {
    /// Starts a server of each kind over the bare repositories in `root`.
    ///
    /// # Errors
    /// An address doesn't exist, or no port is free on all of them.
    pub async fn start(root: PathBuf) -> Result<Self> {
        Self::start_below(root, "").await
    }

    /// The same, with a URL path prefix for all servers that support one.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub async fn start_below(root: PathBuf, below: &'static str) -> Result<Self> {
        let addresses = || HostKind::ALL.into_iter().map(address).chain([CODELOAD.into()]);
        let authority = Authority::new()?;
        let tls = authority.acceptor(addresses().map(|address| address.to_string()).collect())?;
        let port = free_port()?;
        let mut archives = Self { port, ca: authority.pem(), seen: Arc::default(), tasks: Vec::new() };
        for address in addresses() {
            let listener = TcpListener::bind(SocketAddr::new(address, port)).await.context("listen for archives")?;
            let host = ArchiveServer {
                address,
                port,
                root: root.clone(),
                below: below_of(address, below),
                seen: Arc::clone(&archives.seen),
            };
            let answer = move |request| {
                let host = host.clone();
                async move { host.answer(&request).await }
            };
            archives.tasks.push(tokio::spawn(git_http::serve(listener, tls.clone(), answer)));
        }
        Ok(archives)
    }

    /// Gives a bare repository the large files of a clone, and its readers access to them.
    ///
    /// # Errors
    /// They can't be copied.
    pub fn keep_large_files(&self, bare: &Path, clone: &Path, path: &str) -> Result<()> {
        let href = format!("https://{}:{}/{path}.git/info/lfs", address(HostKind::Gitea), self.port);
        let access = json!({ "href": href, "header": { "Authorization": format!("Bearer {TOKEN}") } });
        let copied = Command::new("cp").arg("-r").arg(clone.join(".git/lfs")).arg(bare).output();
        ensure!(copied.context("run cp")?.status.success(), "copy the large files of {path}");
        std::fs::write(bare.join("lfs/access.json"), access.to_string()).context("give access to large files")
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().map(|seen| seen.clone()).unwrap_or_default()
    }
}

/// The URL path prefix of a server, if it supports one.
fn below_of(address_of_it: IpAddr, path: &'static str) -> &'static str {
    let can = [HostKind::GitLab, HostKind::BitbucketDataCenter, HostKind::Gitea];
    if can.into_iter().any(|kind| address(kind) == address_of_it) { path } else { "" }
}

type Body = BoxBody<Bytes, Infallible>;

/// One server.
#[derive(Clone)]
struct ArchiveServer {
    address: IpAddr,
    port: u16,
    root: PathBuf,
    /// The path prefix of all its URLs.
    below: &'static str,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl ArchiveServer {
    async fn answer(&self, request: &Request<Bytes>) -> Response<Body> {
        let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let has_credential =
            [header::AUTHORIZATION.as_str(), "private-token"].iter().any(|name| request.headers().contains_key(*name));
        if let Ok(mut seen) = self.seen.lock() {
            seen.push(Seen { address: self.address, target: target.clone(), has_credential });
        }
        let below = target.strip_prefix(self.below).ok_or(StatusCode::NOT_FOUND);
        let below = below.map(str::to_owned);
        if let Ok(target) = &below
            && let Some(answer) = self.git(request, target).await
        {
            return answer;
        }
        below.and_then(|target| self.route(request, &target)).unwrap_or_else(|status| text(status, String::new()))
    }

    fn route(&self, request: &Request<Bytes>, target: &str) -> Result<Response<Body>, StatusCode> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let parameter = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.ok_or(StatusCode::BAD_REQUEST)
        };
        let is_public = self.is_public(&parts);
        let authorization = |expected: String| {
            if is_public { Ok(()) } else { demand(request, "authorization", &expected) }
        };
        let basic = |user: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{TOKEN}")));
        let kind = HostKind::ALL.into_iter().find(|kind| address(*kind) == self.address);
        match (kind, &parts[..]) {
            (None, ["codeload", owner, name, commit]) => {
                self.archive(&format!("{owner}/{name}"), commit, &format!("{owner}-{name}-{}/", short(commit)))
            }
            (None, ["lfs", owner, name, oid]) => {
                demand(request, OBJECT_HEADER, OBJECT)?;
                self.large_file(&format!("{owner}/{name}"), oid)
            }
            (_, [owner, name, "info", "lfs", "objects", "batch"]) if request.method() == Method::POST => {
                // What SSH gives access with, or what Git itself shows.
                authorization(format!("Bearer {TOKEN}")).or_else(|_| authorization(basic("git")))?;
                demand(request, "content-type", "application/vnd.git-lfs+json")?;
                demand(request, "accept", "application/vnd.git-lfs+json")?;
                self.batch(&format!("{owner}/{}", name.trim_end_matches(".git")), request.body())
            }
            (Some(HostKind::GitHub), ["api", "v3", "repos", owner, name, "zipball", commit]) => {
                authorization(format!("Bearer {TOKEN}"))?;
                let location = format!("https://{CODELOAD}:{}/codeload/{owner}/{name}/{commit}", self.port);
                redirect(&location)
            }
            (Some(HostKind::GitLab), ["api", "v4", "projects", project, "repository", "archive.zip"]) => {
                demand(request, "private-token", TOKEN)?;
                let (project, commit) = (project.replace("%2F", "/"), parameter("sha")?);
                let name = project.rsplit('/').next().unwrap_or_default();
                self.archive(&project, commit, &format!("{name}-{commit}-{commit}/"))
            }
            (Some(HostKind::Bitbucket), ["site", "oauth2", "access_token"]) if request.method() == Method::POST => {
                authorization(basic(CONSUMER))?;
                Ok(text(StatusCode::OK, format!(r#"{{"access_token":"{ACCESS}","expires_in":7200}}"#)))
            }
            (Some(HostKind::Bitbucket), [workspace, name, "get", file]) => {
                authorization(format!("Bearer {ACCESS}"))?;
                let commit = file.strip_suffix(".zip").ok_or(StatusCode::NOT_FOUND)?;
                let folder = format!("{workspace}-{name}-{}/", short(commit));
                self.archive(&format!("{workspace}/{name}"), commit, &folder)
            }
            (
                Some(HostKind::BitbucketDataCenter),
                ["rest", "api", "latest", "projects", project, "repos", name, "archive"],
            ) => {
                authorization(format!("Bearer {TOKEN}"))?;
                (parameter("format")? == "zip").then_some(()).ok_or(StatusCode::BAD_REQUEST)?;
                self.archive(&format!("{project}/{name}"), parameter("at")?, "")
            }
            (Some(HostKind::Gitea), ["api", "v1", "repos", owner, name, "archive", file]) => {
                authorization(format!("token {TOKEN}"))?;
                let commit = file.strip_suffix(".zip").ok_or(StatusCode::NOT_FOUND)?;
                self.archive(&format!("{owner}/{name}"), commit, &format!("{name}/"))
            }
            (Some(HostKind::Azure), [organisation, project, "_apis", "git", "repositories", name, "items"]) => {
                authorization(basic(""))?;
                let commit = parameter("versionDescriptor.version")?;
                self.archive(&format!("{organisation}/{project}/{name}"), commit, "")
            }
            (Some(kind), parts) => {
                match kind {
                    HostKind::GitLab => demand(request, "private-token", TOKEN)?,
                    HostKind::GitHub | HostKind::BitbucketDataCenter => authorization(format!("Bearer {TOKEN}"))?,
                    HostKind::Bitbucket => authorization(format!("Bearer {ACCESS}"))?,
                    HostKind::Gitea => authorization(format!("token {TOKEN}"))?,
                    HostKind::Azure => authorization(basic(""))?,
                }
                let said = references::answer(kind, &self.root, parts, query).ok_or(StatusCode::NOT_FOUND)?;
                Ok(text(StatusCode::OK, said.to_string()))
            }
            (None, _) => Err(StatusCode::NOT_FOUND),
        }
    }

    /// What git answers to one of its own requests, at the URL and with the credential that this
    /// kind of host requires. `None` if it is another request.
    async fn git(&self, request: &Request<Bytes>, target: &str) -> Option<Response<Body>> {
        let (path, _) = target.split_once('?').unwrap_or((target, ""));
        let (repository, service) = path
            .strip_suffix("/info/refs")
            .map(|path| (path, "info/refs"))
            .or_else(|| path.strip_suffix("/git-upload-pack").map(|path| (path, "git-upload-pack")))?;
        let kind = HostKind::ALL.into_iter().find(|kind| address(*kind) == self.address)?;
        let repository = match kind {
            HostKind::Azure => repository.replacen("/_git/", "/", 1) + ".git",
            HostKind::BitbucketDataCenter => repository.strip_prefix("/scm")?.to_owned(),
            _ => repository.to_owned(),
        };
        let basic = |user: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{TOKEN}")));
        let expected = match kind {
            HostKind::GitHub => basic("x-access-token"),
            HostKind::GitLab => basic("oauth2"),
            HostKind::Bitbucket => format!("Basic {}", STANDARD.encode(format!("x-token-auth:{ACCESS}"))),
            HostKind::BitbucketDataCenter => format!("Bearer {TOKEN}"),
            HostKind::Gitea => basic("git"),
            HostKind::Azure => basic(""),
        };
        let is_public = kind == HostKind::GitHub && self.root.join(format!(".{repository}/{PUBLIC}")).is_file();
        if !is_public && let Err(status) = demand(request, "authorization", &expected) {
            return Some(text(status, String::new()));
        }
        let (root, request) = (self.root.clone(), request.clone());
        let ran =
            tokio::task::spawn_blocking(move || git_http::backend(&root, &format!("{repository}/{service}"), &request));
        let failed = || text(StatusCode::INTERNAL_SERVER_ERROR, String::new());
        let answer = ran.await.ok().and_then(Result::ok).map(|answer| answer.map(|body| BoxBody::new(Full::new(body))));
        Some(answer.unwrap_or_else(failed))
    }

    /// Whether the request is for a public repository on GitHub, which this file marks.
    fn is_public(&self, parts: &[&str]) -> bool {
        let ["api", "v3", "repos", owner, name, ..] = parts else { return false };
        self.root.join(format!("{owner}/{name}.git/{PUBLIC}")).is_file()
    }

    /// The download links of large files: on another host, which requires another header.
    fn batch(&self, repository: &str, request: &[u8]) -> Result<Response<Body>, StatusCode> {
        let request: Value = serde_json::from_slice(request).map_err(|_| StatusCode::BAD_REQUEST)?;
        let asked = request["objects"].as_array().ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
        let objects = asked.iter().map(|object| {
            let oid = object["oid"].as_str().unwrap_or_default();
            let mut answer = json!({ "oid": oid, "size": object["size"] });
            if self.large_file_path(repository, oid).is_some() {
                let href = format!("https://{CODELOAD}:{}/lfs/{repository}/{oid}", self.port);
                answer["actions"] = json!({ "download": { "href": href, "header": { OBJECT_HEADER: OBJECT } } });
            } else {
                answer["error"] = json!({ "code": 404, "message": "Object does not exist" });
            }
            answer
        });
        // In another order than requested.
        let objects: Vec<_> = objects.rev().collect();
        Ok(text(StatusCode::OK, json!({ "transfer": "basic", "objects": objects }).to_string()))
    }

    fn large_file_path(&self, repository: &str, oid: &str) -> Option<PathBuf> {
        let path = format!("{repository}.git/lfs/objects/{}/{}/{oid}", oid.get(..2)?, oid.get(2..4)?);
        Some(self.root.join(path)).filter(|path| path.is_file())
    }

    fn large_file(&self, repository: &str, oid: &str) -> Result<Response<Body>, StatusCode> {
        let path = self.large_file_path(repository, oid).ok_or(StatusCode::NOT_FOUND)?;
        let content = std::fs::read(path).map_err(|_| StatusCode::NOT_FOUND)?;
        Ok(Response::new(BoxBody::new(Full::new(content.into()))))
    }

    /// `git archive` of a commit, sent in pieces and without a length, like the real hosts.
    fn archive(&self, repository: &str, commit: &str, folder: &str) -> Result<Response<Body>, StatusCode> {
        let zip = git_archive(&self.root.join(format!("{repository}.git")), commit, folder);
        let zip = zip.map_err(|_| StatusCode::NOT_FOUND)?;
        let pieces: Vec<_> = zip.chunks(16_384).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
        let body = BoxBody::new(StreamBody::new(futures_util::stream::iter(pieces)));
        let answer = Response::builder().header(header::CONTENT_TYPE, "application/zip").body(body);
        answer.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
    }
}

fn git_archive(repository: &Path, commit: &str, folder: &str) -> Result<Vec<u8>> {
    ensure!(commit.bytes().all(|digit| digit.is_ascii_hexdigit()), "not a commit ID: {commit}");
    let mut git = Command::new("git");
    git.arg("--git-dir").arg(repository).args(["archive", "--format=zip", &format!("--prefix={folder}"), commit]);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let Output { status, stdout, stderr } = git.output().context("run git archive")?;
    ensure!(status.success(), "git archive failed: {}", String::from_utf8_lossy(&stderr));
    Ok(stdout)
}

/// 401 unless a header has exactly this value.
fn demand(request: &Request<Bytes>, name: &str, expected: &str) -> Result<(), StatusCode> {
    let value = request.headers().get(name).and_then(|value| value.to_str().ok());
    (value == Some(expected)).then_some(()).ok_or(StatusCode::UNAUTHORIZED)
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

fn redirect(location: &str) -> Result<Response<Body>, StatusCode> {
    let answer = Response::builder().status(StatusCode::FOUND).header(header::LOCATION, location);
    answer.body(BoxBody::new(Full::default())).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut answer = Response::new(BoxBody::new(Full::new(Bytes::from(text))));
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bare repository `o/r` in `root`, and its only commit.
    fn repository(root: &Path) -> String {
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.args(arguments).current_dir(root);
            for who in ["AUTHOR", "COMMITTER"] {
                git.env(format!("GIT_{who}_NAME"), "A").env(format!("GIT_{who}_EMAIL"), "a@example.org");
            }
            let out = git.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            String::from_utf8(out.stdout).unwrap().trim().to_owned()
        };
        git(&["init", "--quiet", "--bare", "o/r.git"]);
        git(&["init", "--quiet", "work"]);
        std::fs::write(root.join("work/a"), "x").unwrap();
        git(&["-C", "work", "add", "a"]);
        git(&["-C", "work", "commit", "--quiet", "--message", "One"]);
        git(&["-C", "work", "push", "--quiet", "../o/r.git", "HEAD:refs/heads/main"]);
        git(&["-C", "work", "rev-parse", "HEAD"])
    }

    #[tokio::test]
    async fn archive_is_served_only_with_credential() {
        let root = tempfile::tempdir().unwrap();
        let commit = repository(root.path());
        let archives = Archives::start(root.path().to_owned()).await.unwrap();
        drop(rustls::crypto::ring::default_provider().install_default());
        let authority = reqwest::Certificate::from_pem(archives.ca.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
        let url = |kind: HostKind, path: &str| format!("https://{}:{}/{path}", address(kind), archives.port);

        let github = url(HostKind::GitHub, &format!("api/v3/repos/o/r/zipball/{commit}"));
        assert_eq!(client.get(&github).send().await.unwrap().status(), 401);
        let answer = client.get(&github).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.content_length()), (200, None));
        let zip = answer.bytes().await.unwrap();
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
        assert_eq!(zip.comment(), commit.as_bytes());
        assert!(zip.by_name(&format!("o-r-{}/a", &commit[..7])).is_ok());
        let last = archives.seen().pop().unwrap();
        assert_eq!((last.address, last.has_credential), (CODELOAD.into(), false));

        let token = client.post(url(HostKind::Bitbucket, "site/oauth2/access_token"));
        let token = token.basic_auth(CONSUMER, Some(TOKEN)).send().await.unwrap().text().await.unwrap();
        assert!(token.contains(ACCESS), "{token}");
        let bitbucket = client.get(url(HostKind::Bitbucket, &format!("o/r/get/{commit}.zip")));
        assert_eq!(bitbucket.bearer_auth(ACCESS).send().await.unwrap().status(), 200);
    }
}
