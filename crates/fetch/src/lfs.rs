//! Access to the large files of a repository: Git LFS keeps them on an HTTPS server, and
//! [`git-lfs-authenticate`](https://github.com/git-lfs/git-lfs/blob/main/docs/api/server-discovery.md#ssh)
//! is how a host tells where, and proves to it that whoever may fetch may download.

use std::{collections::BTreeMap, time::Duration};

use russh::ChannelMsg;
use secrecy::SecretString;
use serde::Deserialize;

use crate::{FetchError, Remote, ssh::Session, transport::in_one_line};

/// The longest answer that is read, in bytes.
const LONGEST: usize = 64 << 10;
/// For how long an answer is good that doesn't say so. Hosts mean at least this.
const UNTOLD: Duration = Duration::from_mins(5);

/// Where a repository's large files are, and what opens them.
#[derive(Debug, Clone)]
pub struct LfsAccess {
    /// The URL of the LFS server, without `/objects/batch`. The host chose it: it may lead
    /// anywhere.
    pub href: String,
    /// Headers to send to it.
    pub headers: BTreeMap<String, SecretString>,
    /// For how long it is good.
    pub valid_for: Duration,
}

#[derive(Deserialize)]
struct Answer {
    href: Option<String>,
    #[serde(default)]
    header: BTreeMap<String, SecretString>,
    expires_in: Option<u64>,
}

/// Asks a repository's host for access to download its large files.
///
/// # Errors
/// See [`FetchError`]; [`FetchError::Lfs`] when the host gives no access.
pub async fn lfs_access(remote: &Remote) -> Result<LfsAccess, FetchError> {
    let session = Session::open(remote).await?;
    let heard = ask(&session, remote).await;
    session.close().await;
    let Heard { out, said } = heard?;
    // What the answer holds is secret, so nothing of it is told.
    let refused = || FetchError::Lfs { repository: remote.repository.clone(), said: in_one_line(&said) };
    let answer: Answer = serde_json::from_slice(&out).map_err(|_| refused())?;
    Ok(LfsAccess {
        href: answer.href.unwrap_or_else(|| format!("{}/{}.git/info/lfs", remote.host.web, remote.repository.path)),
        headers: answer.header,
        valid_for: answer.expires_in.filter(|seconds| *seconds > 0).map_or(UNTOLD, Duration::from_secs),
    })
}

/// What a program put out, and what it said beside that.
#[derive(Default)]
struct Heard {
    out: Vec<u8>,
    said: Vec<u8>,
}

async fn ask(session: &Session, remote: &Remote) -> Result<Heard, FetchError> {
    let path = remote.host.ssh_argument(&remote.repository.path, remote.spelling);
    let mut channel = session.run(remote, &format!("git-lfs-authenticate {path} download")).await?;
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
