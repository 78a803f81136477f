//! A Git host with one archive over HTTPS: a file of any size, streamed from the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The running host, on 127.0.0.1.
#[derive(Debug)]
pub(crate) struct ArchiveHost {
    /// Its port.
    pub(crate) port: u16,
    /// The certificate authority in PEM.
    pub(crate) ca: String,
    task: JoinHandle<()>,
}

impl Drop for ArchiveHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ArchiveHost {
    /// Starts a GitHub with one repository, whose `main` is this commit with this archive.
    pub(crate) async fn start(archive: &Path, commit: &str) -> Result<Self> {
        let (ca, tls) = tls()?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen as a Git host")?;
        let port = listener.local_addr()?.port();
        let (archive, commit) = (archive.to_owned(), commit.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // A client that doesn't trust the certificate or disconnects is no error.
                let sending = send(connection, tls.clone(), archive.clone(), commit.clone());
                tokio::spawn(async move { sending.await.ok() });
            }
        });
        Ok(Self { port, ca, task })
    }
}

/// An authority, and a server with its certificate.
fn tls() -> Result<(String, TlsAcceptor)> {
    let mut authority = CertificateParams::default();
    // With the default name of all certificates, OpenSSL would consider the server's self-signed.
    authority.distinguished_name.push(DnType::CommonName, "bench authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let configuration = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok((authority.pem(), TlsAcceptor::from(Arc::new(configuration))))
}

/// Answers one request: for the repository's reference, its default branch, or the archive.
async fn send(connection: TcpStream, tls: TlsAcceptor, archive: PathBuf, commit: String) -> Result<()> {
    let mut stream = BufReader::new(tls.accept(connection).await?);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    while stream.read_line(&mut line).await? > 2 {
        line.clear();
    }
    if target.starts_with("/api/") && !target.contains("/zipball/") {
        let answer = serde_json::json!({ "sha": commit, "default_branch": "main" }).to_string();
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.write_all((head + &answer).as_bytes()).await?;
        return stream.shutdown().await.context("end the answer");
    }
    let mut file = BufReader::with_capacity(1 << 20, File::open(&archive).await?);
    let length = tokio::fs::metadata(&archive).await?.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/zip\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    tokio::io::copy_buf(&mut file, &mut stream).await?;
    stream.shutdown().await.context("end the answer")
}
