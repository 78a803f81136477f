//! Access to a repository's large files: Git LFS stores them on an HTTPS server. Over SSH, the host
//! returns its URL and a credential by
//! [`git-lfs-authenticate`](https://github.com/git-lfs/git-lfs/blob/main/docs/api/server-discovery.md#ssh).
//! Over HTTPS, it is below the repository's own URL, with the same credential.

use std::{collections::BTreeMap, time::Duration};

use https::Credential;
use russh::{Channel, ChannelMsg, client::Msg};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{Access, FetchError, HttpsAccess, Remote, SshAccess, wire::in_one_line};

/// The longest response, in bytes.
const LONGEST: usize = 64 << 10;
/// How long a response without an expiry is valid. Hosts intend at least this.
const UNTOLD: Duration = Duration::from_mins(5);

/// The server of a repository's large files, with the credential for it.
#[derive(Debug, Clone)]
pub struct LfsAccess {
    /// The URL of the LFS server, without `/objects/batch`. The host chose it: it may lead
    /// anywhere.
    pub href: String,
    /// What to send to it.
    pub credential: Credential,
    /// How long it is valid.
    pub valid_for: Duration,
}

#[derive(Deserialize)]
struct Answer {
    href: Option<String>,
    #[serde(default)]
    header: BTreeMap<String, SecretString>,
    expires_in: Option<u64>,
}

/// Requests access to a repository's large files from its host.
///
/// # Errors
/// See [`FetchError`]. [`FetchError::Lfs`] if the host denies access.
pub async fn lfs_access(remote: &Remote) -> Result<LfsAccess, FetchError> {
    match &remote.access {
        Access::Ssh(access) => over_ssh(remote, access).await,
        Access::Https(HttpsAccess { credential, .. }) => {
            let url = remote.https_url(remote.spelling);
            let href = format!("{}.git/info/lfs", url.strip_suffix(".git").unwrap_or(&url));
            Ok(LfsAccess { href, credential: credential.clone(), valid_for: UNTOLD })
        }
    }
}

async fn over_ssh(remote: &Remote, access: &SshAccess) -> Result<LfsAccess, FetchError> {
    let path = remote.host.ssh_argument(&remote.repository.path, remote.spelling);
    let command = format!("git-lfs-authenticate {path} download");
    let (channel, session) = access.sessions.run(remote, access, &command).await?;
    let heard = hear(channel, remote).await;
    access.sessions.take_back(&remote.host, access, session, heard.is_ok()).await;
    let Heard { out, said } = heard?;
    // The response contains a secret, so no error quotes it.
    let refused = || FetchError::Lfs { repository: remote.repository.clone(), said: in_one_line(&said) };
    let answer: Answer = serde_json::from_slice(&out).map_err(|_| refused())?;
    let headers = answer.header.iter().map(|(name, value)| (name.as_str(), value));
    Ok(LfsAccess {
        href: answer.href.unwrap_or_else(|| format!("{}/{}.git/info/lfs", remote.host.web, remote.repository.path)),
        credential: Credential::new(headers).ok_or_else(refused)?,
        valid_for: answer.expires_in.filter(|seconds| *seconds > 0).map_or(UNTOLD, Duration::from_secs),
    })
}

/// The standard output and standard error of a program.
#[derive(Default)]
struct Heard {
    out: Vec<u8>,
    said: Vec<u8>,
}

async fn hear(mut channel: Channel<Msg>, remote: &Remote) -> Result<Heard, FetchError> {
    let mut heard = Heard::default();
    loop {
        let idle = remote.limits.idle;
        let message = remote.limits.keep(idle, channel.wait()).await;
        match message.map_err(|late| late.into_error(&remote.repository, idle))? {
            Some(ChannelMsg::Data { data }) => keep(&mut heard.out, &data),
            Some(ChannelMsg::ExtendedData { data, .. }) => keep(&mut heard.said, &data),
            Some(ChannelMsg::Close) => return Ok(heard),
            Some(_) => {}
            None => return Err(FetchError::Lost { repository: remote.repository.clone() }),
        }
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = LONGEST.saturating_sub(kept.len()).min(bytes.len());
    kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
}
