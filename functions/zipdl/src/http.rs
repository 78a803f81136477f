//! Asking over HTTPS, and nothing else: certificates are always verified, redirects are followed one by one, and a
//! credential is shown to the host that it is for and to no other.

use std::{
    error::Error as _,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use contract::AllowedHosts;
use reqwest::{Certificate, Client, Response, StatusCode, Url, header, redirect::Policy};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    address::{Guard, NoPublicAddress},
    error::ZipDlError,
};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a host may say nothing.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// How often a host may send elsewhere.
const REDIRECTS: usize = 5;
/// The largest answer that is no archive, in bytes.
const MAX_JSON: usize = 1 << 20;
/// How long a host that is busy and doesn't say for how long is left alone.
const BUSY: Duration = Duration::from_secs(30);

/// A header that proves who asks.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) header: &'static str,
    pub(crate) value: SecretString,
}

/// The way to the hosts.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    guard: Guard,
}

impl Http {
    /// Trusts the machine's authorities and those in `ca_bundle`, certificates in PEM.
    pub(crate) fn new(hosts: &AllowedHosts, ca_bundle: &str) -> Result<Self> {
        // The client demands a provider for all of TLS; a second call finds it there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let guard = Guard::new(hosts);
        let authorities = Certificate::from_pem_bundle(ca_bundle.as_bytes()).context("read the CaBundle parameter")?;
        let client = Client::builder()
            .https_only(true)
            .no_proxy()
            .redirect(Policy::none())
            .dns_resolver(guard.clone())
            .tls_certs_merge(authorities)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent("git2s3")
            .build();
        Ok(Self { client: client.context("make an HTTPS client")?, guard })
    }

    /// Asks for `url` and follows redirects to an answer of status 200.
    pub(crate) async fn get(&self, url: &str, credential: Option<&Credential>) -> Result<Response, ZipDlError> {
        let mut url = parse(url, "the configuration")?;
        let mut credential = credential;
        for _ in 0..=REDIRECTS {
            let host = self.permit(&url)?;
            let mut request = self.client.get(url.clone());
            if let Some(Credential { header, value }) = credential {
                request = request.header(*header, value.expose_secret());
            }
            let answer = request.send().await.map_err(|error| asked(&host, error))?;
            if !answer.status().is_redirection() {
                return judge(answer, host);
            }
            let location = answer.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            let next = next.ok_or(ZipDlError::Location { from: host })?;
            // Once the credential's host was left, it isn't shown again, wherever the way leads.
            credential = credential.filter(|_| next.origin() == url.origin());
            url = next;
        }
        Err(ZipDlError::Redirects { host: url.host_str().unwrap_or_default().to_owned() })
    }

    /// Gets an access token from Bitbucket Cloud for an OAuth consumer's key and secret.
    pub(crate) async fn post_for_token(
        &self,
        url: &str,
        key: &str,
        secret: &SecretString,
    ) -> Result<Response, ZipDlError> {
        let url = parse(url, "the configuration")?;
        let host = self.permit(&url)?;
        let request = self.client.post(url).basic_auth(key, Some(secret.expose_secret()));
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = request.body("grant_type=client_credentials").send().await;
        judge(answer.map_err(|error| asked(&host, error))?, host)
    }

    /// The host of a URL that may be asked.
    fn permit(&self, url: &Url) -> Result<String, ZipDlError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        if url.scheme() != "https" {
            return Err(ZipDlError::Insecure { host });
        }
        self.guard.permit(&host).map_err(ZipDlError::Private)?;
        Ok(host)
    }
}

/// A JSON document, or nothing where the answer is none, or a very long one.
pub(crate) async fn read_json(mut answer: Response) -> Result<Option<serde_json::Value>, reqwest::Error> {
    let mut text = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        text.extend(piece);
        if text.len() > MAX_JSON {
            return Ok(None);
        }
    }
    Ok(serde_json::from_slice(&text).ok())
}

fn parse(url: &str, from: &str) -> Result<Url, ZipDlError> {
    url.parse().map_err(|_| ZipDlError::Location { from: from.to_owned() })
}

/// Errors of the client hold the URL, which after a redirect may have a token in it.
fn asked(host: &str, error: reqwest::Error) -> ZipDlError {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(NoPublicAddress { .. }) = error.downcast_ref() {
            return ZipDlError::Private(NoPublicAddress::of(host));
        }
        cause = error.source();
    }
    ZipDlError::Ask { host: host.to_owned(), source: error.without_url() }
}

fn judge(answer: Response, host: String) -> Result<Response, ZipDlError> {
    let status = answer.status();
    let number = status.as_u16();
    Err(match status {
        StatusCode::OK => return Ok(answer),
        StatusCode::UNAUTHORIZED => ZipDlError::Unauthorized { host },
        _ if is_busy(&answer) => ZipDlError::Busy { host, status: number, after: retry_after(&answer) },
        StatusCode::FORBIDDEN => ZipDlError::Forbidden { host },
        StatusCode::NOT_FOUND | StatusCode::GONE => ZipDlError::NotFound { host, status: number },
        _ if status.is_server_error() => ZipDlError::Server { host, status: number },
        _ => ZipDlError::Status { host, status: number },
    })
}

/// [GitHub](https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api) says 403 for what others say 429.
fn is_busy(answer: &Response) -> bool {
    let says_when = answer.headers().contains_key(header::RETRY_AFTER);
    let exhausted = answer.headers().get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    match answer.status() {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::SERVICE_UNAVAILABLE => says_when,
        StatusCode::FORBIDDEN => says_when || exhausted,
        _ => false,
    }
}

/// When to come again: in seconds or at a time ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#field.retry-after)), an
/// hour from now at most.
fn retry_after(answer: &Response) -> Duration {
    let text = |name| answer.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let until = |seconds: u64| Duration::from_secs(seconds).saturating_sub(now);
    let said = text("retry-after").and_then(|value| {
        let seconds = value.trim().parse().ok().map(Duration::from_secs);
        seconds.or_else(|| {
            Some(until(u64::try_from(jiff::fmt::rfc2822::parse(value).ok()?.timestamp().as_second()).ok()?))
        })
    });
    let reset = || text("x-ratelimit-reset")?.parse().ok().map(until);
    said.or_else(reset).unwrap_or(BUSY).min(Duration::from_hours(1))
}
