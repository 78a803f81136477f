//! The HTTPS client, which enforces all rules.

use std::{
    error::Error as _,
    io::{self, Read},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use contract::AllowedHosts;
use futures_util::TryStreamExt as _;
use reqwest::{
    Body, Certificate, Method, Response, StatusCode, Url,
    header::{self, HeaderMap, HeaderValue},
    redirect::Policy,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::{
    CaBundleError, Credential, HttpsError,
    address::{Guard, NoPublicAddress},
};

/// The timeout of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a host may send nothing.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// The most redirects that are followed.
const REDIRECTS: usize = 5;
/// The largest response that isn't an archive, in bytes.
const MAX_JSON: usize = 1 << 20;
/// The default pause for a busy host that requests none.
const BUSY: Duration = Duration::from_secs(30);

/// The media types of a request.
#[derive(Debug, Clone, Copy)]
pub struct MediaTypes {
    /// The type of the body.
    pub sent: &'static str,
    /// The expected type of the response.
    pub accepted: &'static str,
}

/// Which redirects are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Redirects {
    /// All. A credential stays with its own origin.
    Anywhere,
    /// Those within the origin of the URL.
    SameOrigin,
}

/// An HTTPS client for Git hosts and the hosts that they redirect to.
#[derive(Debug, Clone)]
pub struct Client {
    /// Created on first use: reading the system's certificates takes longer than anything else at a
    /// function's start.
    client: Arc<OnceLock<reqwest::Client>>,
    authorities: Vec<Certificate>,
    guard: Guard,
}

impl Client {
    /// Trusts the system's authorities and those in `ca_bundle` (PEM).
    ///
    /// # Errors
    /// `ca_bundle` can't be parsed.
    pub fn new(hosts: &AllowedHosts, ca_bundle: &str) -> Result<Self, CaBundleError> {
        let authorities = Certificate::from_pem_bundle(ca_bundle.as_bytes()).map_err(CaBundleError)?;
        Ok(Self { client: Arc::default(), authorities, guard: Guard::new(hosts) })
    }

    fn client(&self) -> Result<&reqwest::Client, HttpsError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // The client requires a process-wide TLS provider. A second call finds it installed.
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

    /// Requests `url`, which `from` gave, and follows redirects until a response with status 200.
    pub async fn get(&self, url: &str, from: &str, credential: &Credential) -> Result<Response, HttpsError> {
        self.follow(url, from, credential.headers(), Redirects::Anywhere).await
    }

    /// The same for a protocol that is spoken with one server: sends these headers too, and refuses
    /// a redirect to another one.
    pub async fn get_from_one(
        &self,
        url: &str,
        from: &str,
        credential: &Credential,
        headers: HeaderMap,
    ) -> Result<Response, HttpsError> {
        self.follow(url, from, credential.beside(headers), Redirects::SameOrigin).await
    }

    async fn follow(
        &self,
        url: &str,
        from: &str,
        mut headers: HeaderMap,
        redirects: Redirects,
    ) -> Result<Response, HttpsError> {
        let mut url = parse(url, from)?;
        for _ in 0..=REDIRECTS {
            let host = self.permit(&url)?;
            let answer = self.client()?.get(url.clone()).headers(headers.clone()).send().await;
            let answer = answer.map_err(|error| asked(&host, error))?;
            if !answer.status().is_redirection() {
                return check_status(answer, host);
            }
            let location = answer.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            let next = next.ok_or_else(|| HttpsError::Location { from: host.clone() })?;
            if next.origin() != url.origin() {
                if redirects == Redirects::SameOrigin {
                    return Err(HttpsError::Elsewhere { host, to: next.origin().ascii_serialization() });
                }
                // After a redirect to another origin, the credential is never sent again.
                headers.clear();
            }
            url = next;
        }
        Err(HttpsError::Redirects { host: url.host_str().unwrap_or_default().to_owned() })
    }

    /// Posts `body` to `url`, which `from` gave. Redirects aren't followed.
    pub async fn post(
        &self,
        url: &str,
        from: &str,
        credential: &Credential,
        media: &MediaTypes,
        body: impl Into<Body>,
    ) -> Result<Response, HttpsError> {
        let types = [(header::CONTENT_TYPE, media.sent), (header::ACCEPT, media.accepted)];
        let types = types.map(|(name, value)| (name, HeaderValue::from_static(value)));
        self.post_with(url, from, credential, HeaderMap::from_iter(types), body).await
    }

    /// The same with any headers.
    pub async fn post_with(
        &self,
        url: &str,
        from: &str,
        credential: &Credential,
        headers: HeaderMap,
        body: impl Into<Body>,
    ) -> Result<Response, HttpsError> {
        let url = parse(url, from)?;
        let host = self.permit(&url)?;
        let answer = self.client()?.post(url).headers(credential.beside(headers)).body(body).send().await;
        check_status(answer.map_err(|error| asked(&host, error))?, host)
    }

    /// Sends a request to the API at `url`, with a JSON body if it has one. Returns the response
    /// whatever its status. Redirects aren't followed.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        from: &str,
        credential: &Credential,
        media: &MediaTypes,
        body: Option<&Value>,
    ) -> Result<Response, HttpsError> {
        let url = parse(url, from)?;
        let host = self.permit(&url)?;
        let mut request = self.client()?.request(method, url).headers(credential.headers());
        request = request.header(header::ACCEPT, media.accepted);
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, media.sent).body(body.to_string());
        }
        request.send().await.map_err(|error| asked(&host, error))
    }

    /// The host of a URL, if it may be contacted.
    fn permit(&self, url: &Url) -> Result<String, HttpsError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        if url.scheme() != "https" {
            return Err(HttpsError::Insecure { host });
        }
        self.guard.permit(&host).map_err(HttpsError::Private)?;
        Ok(host)
    }
}

/// Parses a JSON response. Fails if it is too long or isn't `what` was requested.
pub async fn read_json<T: DeserializeOwned>(answer: Response, what: &'static str) -> Result<T, HttpsError> {
    let host = answer.url().host_str().unwrap_or_default().to_owned();
    let text = read_bytes(answer, MAX_JSON).await?;
    let read = Some(text).filter(|text| text.len() <= MAX_JSON).and_then(|text| serde_json::from_slice(&text).ok());
    read.ok_or(HttpsError::Answer { host, what })
}

/// The bytes of a response. Stops soon after `most`, so that the caller can detect a longer one.
pub async fn read_bytes(mut answer: Response, most: usize) -> Result<Vec<u8>, HttpsError> {
    let host = answer.url().host_str().unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    while bytes.len() <= most {
        let Some(piece) = answer.chunk().await.map_err(|error| asked(&host, error))? else { break };
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Streams a response to a thread that may block.
pub fn reader(answer: Response, runtime: Handle) -> impl Read {
    let bytes = answer.bytes_stream().map_err(|error| io::Error::other(error.without_url()));
    SyncIoBridge::new_with_handle(StreamReader::new(bytes), runtime)
}

fn parse(url: &str, from: &str) -> Result<Url, HttpsError> {
    url.parse().map_err(|_| HttpsError::Location { from: from.to_owned() })
}

/// Removes the URL from the client's errors: after a redirect, it may contain a token.
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

/// How long a busy host requests to wait. `None` if it isn't busy.
pub fn pause(answer: &Response) -> Option<Duration> {
    is_busy(answer).then(|| retry_after(answer))
}

/// [GitHub](https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api)
/// returns 403 where others return 429.
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

/// When to retry, given in seconds or as a time ([RFC
/// 9110](https://www.rfc-editor.org/rfc/rfc9110#field.retry-after)), at most an hour from now.
fn retry_after(answer: &Response) -> Duration {
    let text = |name| answer.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
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
