//! One request to a host's API: its pace, its limits, its retries, and what its status means.
//!
//! [GitHub](https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api)
//! asks for one request at a time that changes something, and at least a second between two.

use std::{sync::Arc, time::Duration};

use contract::{AllowedHost, RepositoryPath};
use https::{Client, Credential, HttpsError, MediaTypes, Method, StatusCode, header};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{Action, Attempt, Clock, HostApiError, Pause, action::Subject, said::said};

/// The most bytes of a response: a page of a hundred repositories has about 600,000.
const MAX_BYTES: usize = 8 << 20;
/// The most pages of a list.
pub(crate) const MAX_PAGES: usize = 1000;
/// How often a request waits for a limit to end.
const LIMIT_WAITS: u32 = 3;
/// How often a request without side effects is repeated after a failure.
const RETRIES: u32 = 3;
/// The wait after a [secondary
/// limit](https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit)
/// whose response doesn't say how long.
const SECONDARY_WAIT: Duration = Duration::from_mins(1);

/// How a host is called.
#[derive(Debug)]
pub(crate) struct Caller {
    client: Client,
    credential: Credential,
    token: SecretString,
    media: MediaTypes,
    host: String,
    base: String,
    /// The least time between two requests that change something.
    pace: Duration,
    needs: fn(Subject) -> &'static str,
    pub(crate) clock: Arc<dyn Clock>,
    /// When the next request may change something. Locked while one does.
    next_write: Mutex<Duration>,
    /// When the host's limit ends, for all tasks that share it.
    limited_until: Mutex<Duration>,
}

/// What differs between hosts.
pub(crate) struct Manner {
    /// The base of all URLs.
    pub(crate) base: String,
    /// The headers of every request: name and value.
    pub(crate) headers: Vec<(&'static str, SecretString)>,
    /// The media type of responses.
    pub(crate) accepted: &'static str,
    /// The least time between two requests that change something.
    pub(crate) pace: Duration,
    /// The rights that a token needs, in the host's words.
    pub(crate) needs: fn(Subject) -> &'static str,
}

/// A successful response.
pub(crate) struct Answer {
    attempt: Attempt,
    /// Whether the `Link` header names a next page.
    has_next: bool,
    /// Gitea's number of all entries.
    total: Option<usize>,
    body: Vec<u8>,
}

impl Answer {
    /// Whether there is no content: status 204.
    pub(crate) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// The response as JSON.
    pub(crate) fn json<T: DeserializeOwned>(self) -> Result<T, HostApiError> {
        let Self { attempt, body, .. } = self;
        serde_json::from_slice(&body).map_err(|error| HostApiError::Answer { attempt, source: Some(error) })
    }
}

impl Caller {
    pub(crate) fn new(
        host: &AllowedHost,
        client: Client,
        token: &SecretString,
        clock: Arc<dyn Clock>,
        manner: Manner,
    ) -> Result<Self, HostApiError> {
        let Manner { base, headers, accepted, pace, needs } = manner;
        let host = host.host.to_string();
        let credential = Credential::new(headers.iter().map(|(name, value)| (*name, value)));
        let credential = credential.ok_or_else(|| HostApiError::Token { host: host.clone() })?;
        let media = MediaTypes { sent: "application/json", accepted };
        Ok(Self {
            client,
            credential,
            token: token.clone(),
            media,
            host,
            base,
            pace,
            needs,
            clock,
            next_write: Mutex::default(),
            limited_until: Mutex::default(),
        })
    }

    /// An action on a repository.
    pub(crate) fn attempt(&self, action: Action, repository: &RepositoryPath) -> Attempt {
        self.attempt_on(action, repository.as_str())
    }

    /// An action on an organisation.
    pub(crate) fn attempt_on(&self, action: Action, target: &str) -> Attempt {
        Attempt { action, target: format!("{}/{target}", self.host), needs: (self.needs)(action.subject()) }
    }

    /// The error for a path without the parts that this host's paths have.
    pub(crate) fn no_path(&self, path: &RepositoryPath, expected: &'static str) -> HostApiError {
        HostApiError::Path { host: self.host.clone(), repository: path.to_string(), expected }
    }

    /// Reads one JSON document.
    pub(crate) async fn get<T: DeserializeOwned>(&self, attempt: &Attempt, path: &str) -> Result<T, HostApiError> {
        self.send(attempt, Method::GET, path, None).await?.json()
    }

    /// Creates or changes something, and reads what it is then.
    pub(crate) async fn change<T: DeserializeOwned>(
        &self,
        attempt: &Attempt,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<T, HostApiError> {
        self.send(attempt, method, path, Some(body)).await?.json()
    }

    /// Deletes something.
    pub(crate) async fn delete(&self, attempt: &Attempt, path: &str) -> Result<(), HostApiError> {
        self.send(attempt, Method::DELETE, path, None).await.map(drop)
    }

    /// Reads all pages of a list. `path` has a query already. The next page is requested by its
    /// number: a URL from a response would have to be trusted with the token.
    pub(crate) async fn pages<T: DeserializeOwned>(
        &self,
        attempt: &Attempt,
        path: &str,
    ) -> Result<Vec<T>, HostApiError> {
        let mut all = Vec::new();
        for page in 1..=MAX_PAGES {
            let answer = self.send(attempt, Method::GET, &format!("{path}&page={page}"), None).await?;
            let (has_next, total) = (answer.has_next, answer.total);
            let entries: Vec<T> = answer.json()?;
            let is_empty = entries.is_empty();
            all.extend(entries);
            if is_empty || !(has_next || total.is_some_and(|total| total > all.len())) {
                return Ok(all);
            }
        }
        Err(HostApiError::Answer { attempt: attempt.clone(), source: None })
    }

    /// Sends a request until it succeeds, fails for good, or was repeated often enough. A request
    /// is repeated if the host says that it did nothing, or if doing it twice changes nothing.
    pub(crate) async fn send(
        &self,
        attempt: &Attempt,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, HostApiError> {
        let mut limits = 0;
        let mut failures = 0;
        loop {
            let error = match self.send_once(attempt, &method, path, body).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match &error {
                HostApiError::Limited { after, .. } if limits < LIMIT_WAITS && *after <= self.clock.longest_limit() => {
                    limits += 1;
                    let end = self.clock.now() + (*after).max(Duration::from_secs(1));
                    let mut until = self.limited_until.lock().await;
                    *until = end.max(*until);
                }
                HostApiError::Server { .. } | HostApiError::Transport { source: HttpsError::Ask { .. }, .. }
                    if failures < RETRIES && method != Method::POST =>
                {
                    failures += 1;
                    self.clock.wait(Duration::from_secs(1 << failures), Pause::Retry).await;
                }
                // The repeated request finds what the lost one deleted.
                HostApiError::NotFound { .. } if failures > 0 && method == Method::DELETE => {
                    return Ok(Answer { attempt: attempt.clone(), has_next: false, total: None, body: Vec::new() });
                }
                _ => return Err(error),
            }
        }
    }

    async fn wait_until(&self, time: Duration, why: Pause) {
        let early = time.saturating_sub(self.clock.now());
        if !early.is_zero() {
            self.clock.wait(early, why).await;
        }
    }

    async fn send_once(
        &self,
        attempt: &Attempt,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, HostApiError> {
        // Held until the response is there.
        let mut next_write = if *method == Method::GET { None } else { Some(self.next_write.lock().await) };
        let limit = *self.limited_until.lock().await;
        self.wait_until(limit, Pause::Limit).await;
        if let Some(next) = &mut next_write {
            self.wait_until(**next, Pause::Pace).await;
            **next = self.clock.now() + self.pace;
        }
        let url = format!("{}{path}", self.base);
        let failed = |source| HostApiError::Transport { attempt: attempt.clone(), source };
        let request = self.client.send(method.clone(), &url, &self.host, &self.credential, &self.media, body);
        let response = request.await.map_err(failed)?;
        let status = response.status();
        let pause = https::pause(&response);
        let has_next = response.headers().get_all(header::LINK).iter().any(|link| {
            link.to_str().is_ok_and(|link| link.split([',', ';']).any(|part| part.trim() == "rel=\"next\""))
        });
        let total = response.headers().get("x-total-count").and_then(|total| total.to_str().ok()?.parse().ok());
        let body_read = https::read_bytes(response, MAX_BYTES).await.map_err(failed)?;
        let attempt = attempt.clone();
        if status.is_success() {
            return if body_read.len() > MAX_BYTES {
                Err(HostApiError::Answer { attempt, source: None })
            } else {
                Ok(Answer { attempt, has_next, total, body: body_read })
            };
        }
        let said = said(&body_read, &self.token, body);
        Err(refusal(attempt, status, pause, said))
    }
}

fn refusal(attempt: Attempt, status: StatusCode, pause: Option<Duration>, said: String) -> HostApiError {
    let number = status.as_u16();
    let lower = said.to_lowercase();
    match status {
        _ if pause.is_some() => HostApiError::Limited { attempt, after: pause.unwrap_or_default() },
        StatusCode::FORBIDDEN if lower.contains("rate limit") => {
            HostApiError::Limited { attempt, after: SECONDARY_WAIT }
        }
        StatusCode::UNAUTHORIZED => HostApiError::Unauthorized { attempt },
        _ if status.is_client_error() && lower.contains("archived") => HostApiError::Archived { attempt },
        StatusCode::FORBIDDEN => HostApiError::Forbidden { attempt, said },
        StatusCode::NOT_FOUND | StatusCode::GONE => HostApiError::NotFound { attempt, status: number },
        _ if status.is_redirection() => HostApiError::Moved { attempt, status: number },
        _ if status.is_server_error() => HostApiError::Server { attempt, status: number },
        _ => HostApiError::Refused { attempt, status: number, said },
    }
}
