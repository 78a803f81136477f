//! What a Git host over HTTPS is made of for a test: a certificate authority that only configured
//! clients trust, a server, and real git behind it.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "what fails here fails a test")]

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    io,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Collected};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// No key can be generated.
    pub fn new() -> Result<Self, rcgen::Error> {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate for self-signed if its authority has the same name.
        parameters.distinguished_name.push(DnType::CommonName, "the authority of the tests");
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        CertifiedIssuer::self_signed(parameters, KeyPair::generate()?).map(Self)
    }

    /// Its certificate in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// TLS with a certificate for these names and addresses.
    ///
    /// # Errors
    /// A name is invalid.
    pub fn acceptor(&self, names: Vec<String>) -> Result<TlsAcceptor, rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&key, &self.0)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let configuration =
            builder.unwrap().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        Ok(TlsAcceptor::from(Arc::new(configuration)))
    }
}

/// Answers the requests of one connection. A client that doesn't trust the certificate or
/// disconnects is no error.
pub async fn talk<B, F>(
    connection: TcpStream,
    tls: TlsAcceptor,
    answer: impl Fn(Request<Bytes>) -> F + Clone + Send + 'static,
) where
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
{
    let Ok(stream) = tls.accept(connection).await else { return };
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
            Ok::<_, Infallible>(answer(Request::from_parts(head, body)).await)
        }
    });
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

/// Accepts connections, and answers each in its own task.
pub async fn serve<B, F>(
    listener: TcpListener,
    tls: TlsAcceptor,
    answer: impl Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
) where
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
    B::Data: Send,
    F: Future<Output = Response<B>> + Send + 'static,
{
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(talk(connection, tls.clone(), answer.clone()));
    }
}

/// What `git http-backend` answers for the bare repositories in `root`. `path` is that of the URL
/// below them, such as `/owner/name.git/info/refs`.
///
/// # Errors
/// git can't be run, or gives no response.
pub fn backend(root: &Path, path: &str, request: &Request<Bytes>) -> io::Result<Response<Bytes>> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut git = Command::new("git");
    git.arg("http-backend").env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for (name, value) in [
        ("GIT_HTTP_EXPORT_ALL", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("PATH_INFO", path),
        ("REQUEST_METHOD", request.method().as_str()),
        ("QUERY_STRING", request.uri().query().unwrap_or_default()),
        ("CONTENT_TYPE", header("content-type")),
        ("CONTENT_LENGTH", &request.body().len().to_string()),
        ("HTTP_GIT_PROTOCOL", header("git-protocol")),
    ] {
        git.env(name, value);
    }
    git.env("GIT_PROJECT_ROOT", root).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = git.spawn()?;
    let input = child.stdin.take();
    let body = request.body().clone();
    // On its own thread: git answers while it still reads.
    let writing = std::thread::spawn(move || input.map(|mut input| io::Write::write_all(&mut input, &body)));
    let output = child.wait_with_output()?.stdout;
    drop(writing.join());
    response(&output).ok_or_else(|| io::Error::other("git http-backend gave no response"))
}

/// Parses the output of a [CGI](https://www.rfc-editor.org/rfc/rfc3875#section-6) program.
fn response(output: &[u8]) -> Option<Response<Bytes>> {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (str::from_utf8(output.get(..end)?).ok()?, output.get(end + 4..)?);
    let mut response = Response::builder();
    for line in head.lines() {
        let (name, value) = line.split_once(':')?;
        response = match name {
            "Status" => response.status(StatusCode::from_bytes(value.trim().get(..3)?.as_bytes()).ok()?),
            _ => response.header(name, value.trim()),
        };
    }
    response.header(header::CONTENT_LENGTH, body.len()).body(Bytes::copy_from_slice(body)).ok()
}
