//! A host with canned responses, byte for byte, over TLS with its own certificate authority.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

pub(crate) use git_http::Authority;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// A response.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    /// How much is sent at once.
    pub(crate) piece: usize,
    /// Whether it never comes, though the connection stays open.
    pub(crate) is_silent: bool,
}

impl Answer {
    /// A response with these headers and this body, which ends with the connection.
    pub(crate) fn of(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut bytes = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        Self { bytes, piece: usize::MAX, is_silent: false }
    }

    pub(crate) fn never() -> Self {
        Self { is_silent: true, ..Self::of("200 OK", &[], b"") }
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self::of("302 Found", &[("Location", location)], b"")
    }

    /// A body with a declared length, so that truncation can be detected.
    pub(crate) fn zip(body: &[u8]) -> Self {
        Self::of("200 OK", &[("Content-Length", &body.len().to_string())], body)
    }
}

/// A response about the repository `octo/hello` to every request for a reference or the default
/// branch, in the formats of all kinds of hosts at once.
pub(crate) fn facts(commit: &str, tree: &str, default_branch: &str) -> Value {
    json!({
        "sha": commit, "default_branch": default_branch, "mainbranch": { "name": default_branch },
        "commit": { "id": commit, "message": "Say hello", "tree": { "sha": tree } },
        "target": { "hash": commit, "message": "Say hello" },
    })
}

/// Whether a request is about a reference or the default branch.
fn is_question(request: &str) -> bool {
    let path = request.split([' ', '?']).nth(1).unwrap_or_default();
    let about = ["/commits/", "/branches/", "/tags/"].iter().any(|part| path.contains(part));
    about
        || ["/octo/hello", "octo%2Fhello", "/octo/FindLists", "/repositories/hello/refs"]
            .iter()
            .any(|repository| path.ends_with(repository))
}

/// A host that runs until this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    questions: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// A host at this address. The first closure responds to requests about references, the second
    /// to all others. They get the request and its number.
    pub(crate) async fn start(
        authority: &Authority,
        address: &str,
        facts: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
        answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let tls = authority.acceptor(vec![address.to_string()]).unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let questions = Arc::<Mutex<Vec<String>>>::default();
        let (seen, asked) = (Arc::clone(&requests), Arc::clone(&questions));
        let (answer, facts) = (Arc::new(answer), Arc::new(facts));
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (tls, seen, answer) = (tls.clone(), Arc::clone(&seen), Arc::clone(&answer));
                let (asked, facts) = (Arc::clone(&asked), Arc::clone(&facts));
                tokio::spawn(async move {
                    let Some((mut stream, request)) = hear(connection, &tls).await else { return };
                    let count = |heard: &Mutex<Vec<String>>| {
                        let mut heard = heard.lock().unwrap();
                        heard.push(request.clone());
                        heard.len()
                    };
                    let Answer { bytes, piece, is_silent } = if is_question(&request) {
                        facts(&request, count(&asked))
                    } else {
                        answer(&request, count(&seen))
                    };
                    if is_silent {
                        return std::future::pending().await;
                    }
                    for piece in bytes.chunks(piece.min(bytes.len()).max(1)) {
                        if stream.write_all(piece).await.is_err() || stream.flush().await.is_err() {
                            return;
                        }
                    }
                    drop(stream.shutdown().await);
                });
            }
        });
        Self { address, requests, questions, task }
    }

    /// The heads of all requests about references.
    pub(crate) fn questions(&self) -> Vec<String> {
        self.questions.lock().unwrap().clone()
    }

    /// The heads of all other requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// The head of a request. `None` if the client doesn't trust the certificate.
async fn hear(connection: TcpStream, tls: &TlsAcceptor) -> Option<(TlsStream<TcpStream>, String)> {
    let mut stream = tls.accept(connection).await.ok()?;
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut byte = [0; 1];
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        head.extend(byte);
    }
    Some((stream, String::from_utf8(head).ok()?))
}
