//! What a repository's references name now, without fetching anything: one request for those that
//! are wanted, however many there are.
//!
//! Over HTTPS, `git` asks first what the host supports. Version 2 of Git's protocol is
//! [stateless](https://git-scm.com/docs/protocol-v2#_http_transport) there, so the request for the
//! references is sent at once; a host that doesn't answer it is asked as `git` does.

use std::{sync::Arc, time::Duration};

use contract::{CommitId, PathSpelling, RefName};
use gix::{
    bstr::ByteSlice,
    protocol::{
        handshake::Ref,
        transport::{
            Protocol,
            client::git::{ConnectMode, blocking_io::Connection},
        },
    },
};
use https::{HeaderMap, HeaderName, HeaderValue, HttpsError};

use crate::{
    FetchError, HttpsAccess, Remote, SshAccess,
    advertisement::{self, greet},
    over_https, over_ssh,
    repository::explain,
    request::Access,
    transport::{self, Transport},
    wire::Wire,
};

/// What the references of a repository name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct References {
    /// The short name of the branch that `HEAD` points to.
    pub default_branch: Option<String>,
    /// The branches and tags. A list that was cut off is an error, so what has a wanted prefix and
    /// isn't here was not there.
    pub tips: Vec<Tip>,
    /// Whether the host named nothing at all, not even what `HEAD` is: the repository is empty, or
    /// the host can't read its references just now. It says of no reference that it is gone.
    pub is_empty: bool,
    /// How many requests it took: sessions over SSH, requests over HTTPS.
    pub requests: u32,
}

/// What a reference names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The reference.
    pub name: RefName,
    /// The commit, also if it names a tag of that.
    pub commit: CommitId,
    /// What it names itself: the commit, or the annotated tag.
    pub object: CommitId,
}

/// Asks for the branches and tags whose full names begin with one of these prefixes, and for the
/// default branch. A prefix is a hint: the host may answer with more.
///
/// # Errors
/// See [`FetchError`].
pub async fn references(remote: &Remote, prefixes: &[String]) -> Result<References, FetchError> {
    let mut requests = 0;
    match asked(remote, remote.spelling, prefixes, &mut requests).await {
        Err(error) if error.is_refusal() => match remote.host.other_spelling(remote.spelling) {
            // If the host refuses both, its message about its own spelling is returned.
            Some(other) => asked(remote, other, prefixes, &mut requests).await.map_err(|_| error),
            None => Err(error),
        },
        answer => answer,
    }
}

async fn asked(
    remote: &Remote,
    spelling: PathSpelling,
    prefixes: &[String],
    requests: &mut u32,
) -> Result<References, FetchError> {
    // On the heap: with a session in it, it is large.
    let work = Box::pin(async {
        match &remote.access {
            Access::Ssh(access) => {
                *requests += 1;
                asked_over_ssh(remote, access, spelling, prefixes).await
            }
            Access::Https(access) => asked_over_https(remote, access, spelling, prefixes, requests).await,
        }
    });
    let left = Duration::MAX;
    let found = remote.limits.keep(left, work).await;
    let found = found.map_err(|late| late.into_error(&remote.repository, left))??;
    Ok(understood(&found, *requests))
}

async fn asked_over_ssh(
    remote: &Remote,
    access: &SshAccess,
    spelling: PathSpelling,
    prefixes: &[String],
) -> Result<Vec<Ref>, FetchError> {
    let path = remote.host.ssh_argument(&remote.repository.path, spelling);
    let (channel, session) = access.sessions.run(remote, access, &format!("git-upload-pack {path}")).await?;
    let wire = Arc::new(Wire::new(remote.limits));
    let transport = over_ssh::connect(channel, &wire, &remote.repository);
    let found = converse(Transport::Ssh(Box::new(transport)), wire, remote, prefixes).await;
    access.sessions.take_back(&remote.host, access, session, found.is_ok()).await;
    found
}

async fn asked_over_https(
    remote: &Remote,
    access: &HttpsAccess,
    spelling: PathSpelling,
    prefixes: &[String],
    requests: &mut u32,
) -> Result<Vec<Ref>, FetchError> {
    *requests += 1;
    match asked_at_once(remote, access, spelling, prefixes).await {
        Ok(Some(found)) => return Ok(found),
        // The host speaks another version of the protocol, or knows the repository by another name.
        Ok(None)
        | Err(
            HttpsError::Status { .. }
            | HttpsError::NotFound { .. }
            | HttpsError::Answer { .. }
            | HttpsError::Server { status: 500 | 501, .. },
        ) => {}
        Err(source) => return Err(over_https::unserved(&remote.repository, &access.credential, source)),
    }
    *requests += 2;
    let wire = Arc::new(Wire::new(remote.limits));
    let HttpsAccess { client, credential } = access;
    let connected = over_https::connect(remote.https_url(spelling), client, credential, &wire, &remote.repository);
    let (transport, last) =
        connected.map_err(|source| FetchError::Conversation { repository: remote.repository.clone(), source })?;
    converse(Transport::Https(Box::new(transport), last), wire, remote, prefixes).await
}

/// The exchange as `git` has it.
async fn converse(
    mut transport: Transport,
    wire: Arc<Wire>,
    remote: &Remote,
    prefixes: &[String],
) -> Result<Vec<Ref>, FetchError> {
    let (repository, prefixes) = (remote.repository.clone(), prefixes.to_vec());
    let work = blocking::spawn(move |_| {
        let found = greet(&mut transport, &repository)
            .and_then(|greeting| advertisement::all(&mut transport, greeting, &repository, &prefixes))
            .map_err(|error| explain(error, &wire, &repository));
        transport::hear_out(transport::end(transport, &wire));
        found
    });
    work.await.map_err(|source| FetchError::Stopped { repository: remote.repository.clone(), source })?
}

/// What a host with version 2 of the protocol says of itself, as far as it matters here.
const VERSION_2: &[u8] = b"000eversion 2\n000cls-refs\n0012fetch=shallow\n0000";
/// The media types of the request and its response.
const REQUEST: &str = "application/x-git-upload-pack-request";
const RESULT: &str = "application/x-git-upload-pack-result";
/// The most that the host may say, in bytes. A hundred thousand references take about eight
/// million.
const MOST: usize = 64 << 20;

/// Sends the request without asking first what the host supports. `None` if the response is none.
async fn asked_at_once(
    remote: &Remote,
    access: &HttpsAccess,
    spelling: PathSpelling,
    prefixes: &[String],
) -> Result<Option<Vec<Ref>>, HttpsError> {
    let host = remote.host.host.as_str();
    let answer = |what| HttpsError::Answer { host: host.to_owned(), what };
    let Some((_, request)) = spoken(b"0000", remote, prefixes) else { return Ok(None) };
    let headers = [("content-type", REQUEST), ("accept", RESULT), ("git-protocol", "version=2")];
    let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let url = format!("{}/git-upload-pack", remote.https_url(spelling));
    let headers = HeaderMap::from_iter(headers);
    let response = access.client.post_with(&url, host, &access.credential, headers, request).await?;
    if response.headers().get("content-type").is_none_or(|kind| kind != RESULT) {
        return Err(answer("the request for references"));
    }
    let said = https::read_bytes(response, MOST).await?;
    if said.len() > MOST {
        return Err(answer("a list of references of at most 64 MiB"));
    }
    Ok(spoken(&said, remote, prefixes).map(|(found, _)| found))
}

/// What the request for references is, and what this response to it says. `None` if it is none.
fn spoken(response: &[u8], remote: &Remote, prefixes: &[String]) -> Option<(Vec<Ref>, Vec<u8>)> {
    let host_that_says = |said| {
        let (path, host): (_, Option<(String, _)>) = (remote.repository.path.as_str(), None);
        Connection::new(said, Vec::new(), Protocol::V2, path, host, ConnectMode::Process, false)
    };
    let greeting = greet(&mut host_that_says(VERSION_2), &remote.repository).ok()?;
    let mut host = host_that_says(response);
    let found = advertisement::all(&mut host, greeting, &remote.repository, prefixes).ok()?;
    Some((found, host.into_inner().1))
}

/// The branches and tags among what a host has said, and its default branch.
fn understood(found: &[Ref], requests: u32) -> References {
    let tip = |reference: &Ref| {
        let (name, target, peeled) = reference.unpack();
        let id = |id: &gix::oid| id.to_string().parse().ok();
        let name: RefName = name.to_str().ok()?.parse().ok()?;
        Some(Tip { name, commit: id(peeled.or(target)?)?, object: id(target?)? })
    };
    let default_branch = advertisement::default_branch(found);
    let is_empty = found.iter().all(|reference| reference.unpack().1.is_none());
    References { default_branch, tips: found.iter().filter_map(tip).collect(), is_empty, requests }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use https::{Client, Credential};

    use super::*;
    use crate::Limits;

    fn remote() -> Remote {
        let hosts: contract::AllowedHosts = "git.example kind=gitea".parse().unwrap();
        let access = HttpsAccess { client: Client::new(&hosts, "").unwrap(), credential: Credential::default() };
        Remote {
            host: hosts.find("git.example").unwrap().clone(),
            repository: "git.example/o/r".parse().unwrap(),
            spelling: PathSpelling::default(),
            access: Access::Https(access),
            limits: Limits::until(Instant::now() + Duration::from_mins(1)),
        }
    }

    /// What the host's lines mean. `None` if they aren't a whole list.
    fn read(lines: &[&str], end: &str) -> Option<References> {
        let line = |line: &&str| format!("{:04x}{line}\n", line.len() + 5);
        let said: String = lines.iter().map(line).chain([end.to_owned()]).collect();
        let (found, _) = spoken(said.as_bytes(), &remote(), &["refs/heads/".to_owned()])?;
        Some(understood(&found, 1))
    }

    #[test]
    fn truncated_list_is_none() {
        let commit = "1".repeat(40);
        let lines = [format!("{commit} HEAD symref-target:refs/heads/main"), format!("{commit} refs/heads/main")];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(read(&lines, "0000").unwrap().tips.len(), 1);
        for count in 0..=lines.len() {
            for end in ["", "00", "0032", &format!("0045{commit} refs/heads/ma")] {
                assert_eq!(read(&lines[..count], end), None, "{count} {end:?}");
            }
        }
    }

    #[test]
    fn empty_list_differs_from_unwanted_references() {
        assert!(read(&[], "0000").unwrap().is_empty);
        assert!(read(&["unborn HEAD symref-target:refs/heads/main"], "0000").unwrap().is_empty);
        let of_others = read(&[&format!("{} HEAD symref-target:refs/heads/main", "1".repeat(40))], "0000").unwrap();
        assert_eq!((of_others.is_empty, of_others.tips.len()), (false, 0));
    }
}
