//! The [batch API](https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md): returns the
//! download links of files.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use archive::Pointer;
use https::{Client, Credential, HttpsError, MediaTypes, Response, read_json};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{access::Access, error::LfsError};

/// The media type of the API.
const JSON: MediaTypes = MediaTypes { sent: "application/vnd.git-lfs+json", accepted: "application/vnd.git-lfs+json" };
/// The longest quote of a store's message, in characters.
const MESSAGE: usize = 200;

/// A file's download link.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) href: String,
    /// The host that gave it.
    pub(super) from: String,
    pub(super) credential: Credential,
    pub(super) size: u64,
}

impl Link {
    /// Starts the download.
    pub(super) async fn open(&self, client: &Client) -> Result<Response, LfsError> {
        Ok(client.get(&self.href, &self.from, &self.credential).await?)
    }
}

#[derive(Serialize)]
struct Request<'a> {
    operation: &'static str,
    transfers: [&'static str; 1],
    hash_algo: &'static str,
    objects: BTreeSet<RequestedObject<'a>>,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct RequestedObject<'a> {
    oid: &'a str,
    size: u64,
}

#[derive(Deserialize)]
struct Answer {
    transfer: Option<String>,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    actions: Option<Actions>,
    error: Option<ObjectError>,
}

#[derive(Deserialize)]
struct Actions {
    download: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    header: Option<BTreeMap<String, SecretString>>,
}

#[derive(Deserialize)]
struct ObjectError {
    code: u16,
    message: String,
}

/// Requests the links of these files. Links, or the errors, are in the same order.
pub(super) async fn ask(
    client: &Client,
    access: &Access,
    pointers: &[Pointer],
) -> Result<Vec<Result<Link, LfsError>>, LfsError> {
    let objects = pointers.iter().map(|pointer| RequestedObject { oid: &pointer.oid, size: pointer.size });
    let request =
        Request { operation: "download", transfers: ["basic"], hash_algo: "sha256", objects: objects.collect() };
    // Only strings and numbers, so it can always be serialized.
    let body = serde_json::to_vec(&request).unwrap_or_default();
    let host = access.repository.host.as_str();
    let url = format!("{}/objects/batch", access.href.trim_end_matches('/'));
    let answer = client.post(&url, host, &access.credential, &JSON, body).await?;
    let store = answer.url().host_str().unwrap_or(host).to_owned();
    let answer: Answer = read_json(answer, "the request for large files").await?;
    links(access, &store, answer, pointers)
}

fn links(
    access: &Access,
    store: &str,
    answer: Answer,
    pointers: &[Pointer],
) -> Result<Vec<Result<Link, LfsError>>, LfsError> {
    if let Some(transfer) = answer.transfer.filter(|transfer| transfer != "basic") {
        return Err(LfsError::Transfer { repository: access.repository.clone(), transfer });
    }
    let found: HashMap<_, _> = answer.objects.iter().map(|object| (object.oid.as_str(), object)).collect();
    let link = |pointer: &Pointer| link(access, store, found.get(pointer.oid.as_str()).copied(), pointer);
    Ok(pointers.iter().map(link).collect())
}

fn link(access: &Access, store: &str, object: Option<&Object>, pointer: &Pointer) -> Result<Link, LfsError> {
    let action = object.and_then(|object| object.actions.as_ref()?.download.as_ref());
    let Some(Action { href, header }) = action else {
        let error = object.and_then(|object| object.error.as_ref());
        let (code, message) = error.map_or((404, "not mentioned"), |error| (error.code, error.message.as_str()));
        let message = message.chars().take(MESSAGE).collect();
        return Err(LfsError::Absent { repository: access.repository.clone(), code, message });
    };
    let credential = header.as_ref().map(|headers| credential(headers, store)).transpose()?.unwrap_or_default();
    Ok(Link { href: href.clone(), from: store.to_owned(), credential, size: pointer.size })
}

/// The headers that `host` requires.
fn credential(headers: &BTreeMap<String, SecretString>, host: &str) -> Result<Credential, HttpsError> {
    let credential = Credential::new(headers.iter().map(|(name, value)| (name.as_str(), value)));
    credential.ok_or_else(|| HttpsError::Credential { host: host.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use contract::{Repository, Retry};

    use super::*;

    fn read(answer: &str, oids: &[&str]) -> Result<Vec<Result<Link, LfsError>>, LfsError> {
        let access = Access {
            repository: Repository::new("git.example.com".parse().unwrap(), "octo/hello".parse().unwrap()),
            href: "https://git.example.com/octo/hello.git/info/lfs".to_owned(),
            credential: Credential::default(),
            until: Instant::now(),
        };
        let pointers: Vec<_> = oids.iter().map(|oid| Pointer { oid: (*oid).to_owned(), size: 7 }).collect();
        links(&access, "lfs.example.com", serde_json::from_str(answer).unwrap(), &pointers)
    }

    #[test]
    fn links_keep_order_despite_missing_ones() {
        let answer = r#"{"objects":[
            {"oid":"b","size":7,"actions":{"download":{"href":"https://b","header":{"Authorization":"s3cret"},"expires_in":60}}},
            {"oid":"a","size":7,"authenticated":true,"actions":{"download":{"href":"https://a"}}},
            {"oid":"c","size":7,"error":{"code":404,"message":"Object does not exist"}},
            {"oid":"d","size":7,"actions":{}},
            {"oid":"e","size":7,"actions":{"download":{"href":"https://e","header":{"A":"x\r\nHost: y"}}}}
        ]}"#;
        let links = read(answer, &["a", "b", "a", "c", "d", "e", "f"]).unwrap();
        assert!(!format!("{links:?}").contains("s3cret"), "{links:?}");
        let told: Vec<_> =
            links.iter().map(|link| link.as_ref().map_or_else(ToString::to_string, |link| link.href.clone())).collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn unsupported_lfs_transfer_is_not_retried() {
        let error = read(r#"{"transfer":"tus","objects":[]}"#, &["a"]).unwrap_err();
        assert!(error.retry() == Retry::Never && error.hint().is_some(), "{error}");
        assert!(read(r#"{"transfer":"basic","objects":[]}"#, &["a"]).unwrap()[0].is_err());
    }
}
