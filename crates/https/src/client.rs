//! The client: one way to ask, with every rule on it.

use std::{
    error::Error as _,
    io::{self, Read},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use contract::AllowedHosts;
use futures_util::TryStreamExt as _;
use reqwest::{Body, Certificate, Response, StatusCode, Url, header, redirect::Policy};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::{
    CaBundleError, Credential, HttpsError,
    address::{Guard, NoPublicAddress},
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

/// What is sent, and what is wanted for it.
#[derive(Debug, Clone, Copy)]
pub struct MediaTypes {
    /// The type of the body.
    pub sent: &'static str,
    /// The type of the answer.
    pub accepted: &'static str,
}

/// The way to the hosts.
#[derive(Debug, Clone)]
pub struct Client {
    /// Made when it is first needed: to read the machine's authorities takes longer than all else
    /// that a function does at its start.
    client: Arc<OnceLock<reqwest::Client>>,
    authorities: Vec<Certificate>,
    guard: Guard,
}

impl Client {
    /// Trusts the machine's authorities and those in `ca_bundle`, certificates in PEM.
    ///
    /// # Errors
    /// `ca_bundle` can't be read.
    pub fn new(hosts: &AllowedHosts, ca_bundle: &str) -> Result<Self, CaBundleError> {
        let authorities = Certificate::from_pem_bundle(ca_bundle.as_bytes()).map_err(CaBundleError)?;
        Ok(Self { client: Arc::default(), authorities, guard: Guard::new(hosts) })
    }

    fn client(&self) -> Result<&reqwest::Client, HttpsError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // The client demands a provider for all of TLS; a second call finds it there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .https_only(true)
            .no_proxy()
            .redirect(Policy::none())
            .dns_resolver(self.guard.clone())
            .tls_certs_merge(self.authorities.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent("git2s3")
            .build()
            .map_err(HttpsError::Client)?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Asks for `url`, which `from` gave, and follows redirects to an answer of status 200.
    pub async fn get(&self, url: &str, from: &str, credential: &Credential) -> Result<Response, HttpsError> {
        let mut url = parse(url, from)?;
        let mut headers = credential.headers();
        for _ in 0..=REDIRECTS {
            let host = self.permit(&url)?;
            let answer = self.client()?.get(url.clone()).headers(headers.clone()).send().await;
            let answer = answer.map_err(|error| asked(&host, error))?;
            if !answer.status().is_redirection() {
                return check_status(answer, host);
            }
            let location = answer.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            let next = next.ok_or(HttpsError::Location { from: host })?;
            // Once the credential's host was left, it isn't shown again, wherever the way leads.
            if next.origin() != url.origin() {
                headers.clear();
            }
            url = next;
        }
        Err(HttpsError::Redirects { host: url.host_str().unwrap_or_default().to_owned() })
    }

    /// Sends `body` to `url`, which `from` gave. It isn't followed anywhere else.
    pub async fn post(
        &self,
        url: &str,
        from: &str,
        credential: &Credential,
        media: &MediaTypes,
        body: impl Into<Body>,
    ) -> Result<Response, HttpsError> {
        let url = parse(url, from)?;
        let host = self.permit(&url)?;
        let request = self.client()?.post(url).headers(credential.headers());
        let request = request.header(header::CONTENT_TYPE, media.sent).header(header::ACCEPT, media.accepted);
        let answer = request.body(body).send().await;
        check_status(answer.map_err(|error| asked(&host, error))?, host)
    }

    /// The host of a URL that may be asked.
    fn permit(&self, url: &Url) -> Result<String, HttpsError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        if url.scheme() != "https" {
            return Err(HttpsError::Insecure { host });
        }
        self.guard.permit(&host).map_err(HttpsError::Private)?;
        Ok(host)
    }
}

/// What of a JSON document is asked for; of another answer, or a very long one, that it isn't
/// `what` it should be.
pub async fn read_json<T: DeserializeOwned>(answer: Response, what: &'static str) -> Result<T, HttpsError> {
    let host = answer.url().host_str().unwrap_or_default().to_owned();
    let text = read_bytes(answer, MAX_JSON).await?;
    let read = Some(text).filter(|text| text.len() <= MAX_JSON).and_then(|text| serde_json::from_slice(&text).ok());
    read.ok_or(HttpsError::Answer { host, what })
}

/// The bytes of an answer; of one that is longer than `most`, only so many that one sees it.
pub async fn read_bytes(mut answer: Response, most: usize) -> Result<Vec<u8>, HttpsError> {
    let host = answer.url().host_str().unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    while bytes.len() <= most {
        let Some(piece) = answer.chunk().await.map_err(|error| asked(&host, error))? else { break };
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The bytes of an answer for a thread that may block, as they come.
pub fn reader(answer: Response, runtime: Handle) -> impl Read {
    let bytes = answer.bytes_stream().map_err(|error| io::Error::other(error.without_url()));
    SyncIoBridge::new_with_handle(StreamReader::new(bytes), runtime)
}

fn parse(url: &str, from: &str) -> Result<Url, HttpsError> {
    url.parse().map_err(|_| HttpsError::Location { from: from.to_owned() })
}

/// Errors of the client hold the URL, which after a redirect may have a token in it.
fn asked(host: &str, error: reqwest::Error) -> HttpsError {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(NoPublicAddress { .. }) = error.downcast_ref() {
            return HttpsError::Private(NoPublicAddress::of(host));
        }
        cause = error.source();
    }
    HttpsError::Ask { host: host.to_owned(), source: error.without_url() }
}

fn check_status(answer: Response, host: String) -> Result<Response, HttpsError> {
    let status = answer.status();
    let number = status.as_u16();
    Err(match status {
        StatusCode::OK => return Ok(answer),
        StatusCode::UNAUTHORIZED => HttpsError::Unauthorized { host },
        _ if is_busy(&answer) => HttpsError::Busy { host, status: number, after: retry_after(&answer) },
        StatusCode::FORBIDDEN => HttpsError::Forbidden { host },
        StatusCode::NOT_FOUND | StatusCode::GONE => HttpsError::NotFound { host, status: number },
        _ if status.is_server_error() => HttpsError::Server { host, status: number },
        _ => HttpsError::Status { host, status: number },
    })
}

/// [GitHub](https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api) says
/// 403 for what others say 429.
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

/// When to come again: in seconds or at a time ([RFC
/// 9110](https://www.rfc-editor.org/rfc/rfc9110#field.retry-after)), an hour from now at most.
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
