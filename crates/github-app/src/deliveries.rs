//! The journal of an App's webhook: what it has [sent](https://docs.github.com/en/rest/apps/webhooks)
//! in the last three days, and sending it again. GitHub never does that by itself. It takes no
//! permission, only the App's signature.

use std::time::SystemTime;

use contract::HostKind;
use https::{HttpsError, Method, StatusCode, Url, header, read_json};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::{AppError, GitHubApp, Signer};

/// The most entries that GitHub returns for a request.
const AT_ONCE: &str = "100";
/// What is expected of an answer.
const JOURNAL: &str = "the request for the deliveries of the GitHub App";
/// The longest cursor and entity tag that are taken.
const LONGEST: usize = 512;

/// An attempt to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Delivery {
    /// This attempt.
    pub id: u64,
    /// The delivery, whose attempts all have it.
    pub guid: String,
    /// When it was made.
    #[serde(deserialize_with = "timestamp")]
    pub delivered_at: Timestamp,
    /// The outcome in words.
    pub status: String,
    /// The endpoint's status. 0 if there was no response.
    pub status_code: u16,
    /// GitHub's name of the event.
    pub event: String,
}

fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// A page of the journal, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The attempts.
    pub deliveries: Vec<Delivery>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
    /// What changes whenever the page does.
    pub etag: Option<String>,
}

impl<S: Signer> GitHubApp<S> {
    /// The page of the journal that begins at a cursor, or the newest one. `None` if that is the
    /// same as when it had this entity tag.
    ///
    /// # Errors
    /// See [`AppError`].
    pub async fn deliveries(
        &self,
        cursor: Option<&str>,
        etag: Option<&str>,
        now: SystemTime,
    ) -> Result<Option<Page>, AppError> {
        let host = self.host().host.to_string();
        let mut url = self.journal("")?;
        url.query_pairs_mut().append_pair("per_page", AT_ONCE).extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
        let credential = self.credential_with(etag.map(|etag| ("if-none-match", etag)), now).await?;
        let answer = self.ask(Method::GET, url.as_str(), None, &credential, now).await?;
        match answer.status() {
            StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(None),
            StatusCode::OK => {}
            status if status.is_success() || status == StatusCode::NOT_MODIFIED => {
                return Err(HttpsError::Answer { host, what: JOURNAL }.into());
            }
            status => return Err(self.not_served(status)),
        }
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let next = text(header::LINK).and_then(|link| next(&link));
        let etag = text(header::ETAG).filter(|etag| etag.len() <= LONGEST);
        Ok(Some(Page { deliveries: read_json(answer, JOURNAL).await?, next, etag }))
    }

    /// Asks GitHub to make another attempt of a delivery.
    ///
    /// # Errors
    /// See [`AppError`].
    pub async fn deliver_again(&self, id: u64, now: SystemTime) -> Result<(), AppError> {
        let credential = self.credential_with(None, now).await?;
        let url = self.journal(&format!("/{id}/attempts"))?;
        let answer = self.ask(Method::POST, url.as_str(), None, &credential, now).await?;
        match answer.status() {
            StatusCode::ACCEPTED => Ok(()),
            status => Err(self.not_served(status)),
        }
    }

    fn journal(&self, rest: &str) -> Result<Url, AppError> {
        let url = format!("{}/app/hook/deliveries{rest}", self.host().api(HostKind::GitHub));
        url.parse().map_err(|_| HttpsError::Location { from: self.host().host.to_string() }.into())
    }

    fn not_served(&self, status: StatusCode) -> AppError {
        AppError::Journal { host: self.host().host.to_string(), id: self.id().to_owned(), status: status.as_u16() }
    }
}

/// The cursor of the next page in a header of [RFC 8288](https://www.rfc-editor.org/rfc/rfc8288).
/// Nothing else is taken from it: the host stays the App's.
fn next(link: &str) -> Option<String> {
    let is_next = |entry: &&str| entry.split(';').skip(1).any(|part| part.trim() == "rel=\"next\"");
    let entry = link.split(',').find(is_next)?;
    let url: Url = entry.split_once('<')?.1.split_once('>')?.0.parse().ok()?;
    let cursor = url.query_pairs().find(|(name, _)| name == "cursor")?.1.into_owned();
    (1..=LONGEST).contains(&cursor.len()).then_some(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_of_next_page_is_found() {
        let link = |query: &str, rel: &str| format!("<https://api.example/app/hook/deliveries?{query}>; rel=\"{rel}\"");
        assert_eq!(next(&link("per_page=100&cursor=v1_17%3D", "next")).as_deref(), Some("v1_17="));
        let both = format!("{}, {}", link("cursor=a", "prev"), link("cursor=b", "next"));
        assert_eq!(next(&both).as_deref(), Some("b"));
        for none in [link("cursor=a", "prev"), link("page=2", "next"), link("cursor=", "next"), "nonsense".to_owned()] {
            assert_eq!(next(&none), None, "{none}");
        }
        assert_eq!(next(&link(&format!("cursor={}", "x".repeat(LONGEST + 1)), "next")), None);
    }

    #[test]
    fn recorded_attempt_is_read() {
        // <https://docs.github.com/en/rest/apps/webhooks#list-deliveries-for-an-app-webhook>
        let text = r#"{ "id": 12345678, "guid": "0b989ba4-242f-11e5-81e1-c7b6966d2516",
            "delivered_at": "2019-06-03T00:57:16Z", "redelivery": false, "duration": 0.27, "status": "OK",
            "status_code": 200, "event": "issues", "action": "opened", "installation_id": 123, "repository_id": 456,
            "throttled_at": "2019-06-03T00:57:16Z" }"#;
        let read: Delivery = serde_json::from_str(text).unwrap();
        assert_eq!((read.id, read.status_code, read.delivered_at.as_second()), (12_345_678, 200, 1_559_523_436));
    }
}
