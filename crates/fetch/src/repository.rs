//! A fetch, from the session to the clone, with a second try if the kept clone is broken.

use std::{
    error::Error,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use contract::{CommitId, PathSpelling, Repository};
use gix::{ObjectId, protocol::transport::packetline};

use crate::{
    Clones, FetchError, Reading, Remote,
    advertisement::{self, Advertisement},
    ahead::{self, Ahead},
    clone_dir::{Age, CloneDir},
    conversation, over_https, over_ssh,
    request::{Access, FetchRequest, HttpsAccess},
    room::is_out_of_room,
    seed::{self, Seed},
    transport::{self, Transport},
    wanted::Wanted,
    whole::{WholeCommit, WholeError, whole_commit},
    wire::Wire,
};

/// What was there before the fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nothing: everything came from the host.
    New,
    /// Nothing, but the fetch started with a [`Seed`].
    Seeded,
    /// The clone of an earlier fetch.
    Kept,
}

/// A commit in the clone with its whole tree. The clone stays locked until this is dropped. To read
/// longer, while others fetch into it, keep `reading`.
pub struct Fetched {
    /// The clone. It has no references, and no history if the host supports shallow fetches.
    pub clone: gix::Repository,
    /// The commit that the reference points to, directly or through an annotated tag.
    pub commit: ObjectId,
    /// The object that the reference points to: the commit or an annotated tag.
    pub target: ObjectId,
    /// The commit's tree.
    pub tree: ObjectId,
    /// The first line of the commit's message.
    pub summary: String,
    /// The short name of the default branch. `None` if `HEAD` doesn't point to a branch.
    pub default_branch: Option<String>,
    /// The expected commit, if the reference points to another one now.
    pub superseded: Option<CommitId>,
    /// Received bytes of Git's protocol, without the overhead of SSH, TLS and TCP.
    pub received: u64,
    /// The fingerprint of the key that the host accepted: `SHA256:...`. `None` over HTTPS.
    pub ssh_key: Option<String>,
    /// What was there before.
    pub origin: Origin,
    /// The host's messages to the user, shortened: for example, that a repository was renamed or a
    /// key expires.
    pub said: Option<String>,
    /// While this exists, nothing is removed from the clone.
    pub reading: Reading,
    dir: CloneDir,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("commit", &self.commit)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

impl Fetched {
    /// Removes the clone, because an object in it can't be read.
    ///
    /// # Errors
    /// Its directory can't be removed, or others read from it.
    pub fn discard(self) -> io::Result<()> {
        drop(self.reading);
        self.dir.discard()
    }
}

/// A single fetch, without making room. Dropping the future ends it. The clone stays locked until
/// its thread has noticed.
pub(crate) async fn fetch_once(
    request: &FetchRequest,
    clones: &Clones,
    mut seed: impl AsyncFnMut() -> Option<Seed>,
) -> Result<Fetched, FetchError> {
    let mut dir = clones.lock(&request.remote.repository)?;
    let mut origin = if dir.kept().is_some() { Origin::Kept } else { Origin::New };
    if origin == Origin::New
        && let Some(seed) = seed().await
    {
        let planted;
        (dir, planted) = seed::plant(dir, seed).await?;
        origin = if planted { Origin::Seeded } else { Origin::New };
    }
    let repository = &request.remote.repository;
    let mut spelling = request.remote.spelling;
    let mut other = request.remote.host.other_spelling(spelling);
    let mut refusal = None;
    let mut foresight = Foresight::Used;
    loop {
        match attempt(request, spelling, foresight, dir).await {
            Ok(Attempt::Fetched(fetched)) => return Ok(Fetched { origin, ..*fetched }),
            Ok(Attempt::Spoiled(error, emptied)) => {
                let error: &dyn Error = &error;
                tracing::warn!(error, %repository, "a kept clone was broken: fetching a new one");
                (dir, origin) = (emptied, Origin::New);
            }
            Ok(Attempt::Unforeseen(kept)) => (dir, foresight) = (kept, Foresight::Unused),
            Err(error) if error.is_refusal() => {
                // If the host refuses both spellings, its message about its own spelling is
                // returned.
                let refused = refusal.take().unwrap_or(error);
                let Some(next) = other.take() else { return Err(refused) };
                (spelling, refusal) = (next, Some(refused));
                dir = clones.lock(repository)?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether requests are sent ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Foresight {
    Used,
    Unused,
}

/// The result of an attempt, unless it failed permanently.
enum Attempt {
    Fetched(Box<Fetched>),
    /// The host didn't reply to the requests that were sent ahead as they need it.
    Unforeseen(CloneDir),
    /// The kept clone was broken and has been removed, so this can happen only once.
    Spoiled(FetchError, CloneDir),
}

async fn attempt(
    request: &FetchRequest,
    spelling: PathSpelling,
    foresight: Foresight,
    dir: CloneDir,
) -> Result<Attempt, FetchError> {
    let remote = &request.remote;
    let wire = Arc::new(Wire::new(remote.limits));
    match &remote.access {
        Access::Ssh(access) => {
            let path = remote.host.ssh_argument(&remote.repository.path, spelling);
            let (channel, session) = access.sessions.run(remote, access, &format!("git-upload-pack {path}")).await?;
            let transport = over_ssh::connect(channel, &wire, &remote.repository);
            let attempt = attempt_over(Transport::Ssh(Box::new(transport)), wire, request, foresight, dir).await;
            access.sessions.take_back(&remote.host, access, session, attempt.is_ok()).await;
            attempt
        }
        Access::Https(HttpsAccess { client, credential }) => {
            let url = remote.https_url(spelling);
            let connected = over_https::connect(url, client, credential, &wire, &remote.repository);
            let (transport, last) = connected
                .map_err(|source| FetchError::Conversation { repository: remote.repository.clone(), source })?;
            let transport = Transport::Https(Box::new(transport), last);
            // Over one connection, requests don't overlap.
            attempt_over(transport, wire, request, Foresight::Unused, dir).await
        }
    }
}

async fn attempt_over(
    transport: Transport,
    wire: Arc<Wire>,
    request: &FetchRequest,
    foresight: Foresight,
    dir: CloneDir,
) -> Result<Attempt, FetchError> {
    let own = request.clone();
    let work = blocking::spawn(move |interrupt| receive(transport, &wire, &own, foresight, dir, interrupt));
    let repository = || request.remote.repository.clone();
    match tokio::time::timeout_at(request.remote.limits.deadline.into(), work).await {
        Ok(Ok(result)) => result,
        Ok(Err(source)) => Err(FetchError::Stopped { repository: repository(), source }),
        Err(_) => Err(FetchError::Deadline { repository: repository() }),
    }
}

/// The blocking part.
fn receive(
    mut transport: Transport,
    wire: &Arc<Wire>,
    request: &FetchRequest,
    foresight: Foresight,
    dir: CloneDir,
    interrupt: &AtomicBool,
) -> Result<Attempt, FetchError> {
    let (clone, age) = dir.open()?;
    let advertisement = match receive_into(&clone, &mut transport, wire, request, foresight, interrupt) {
        Ok(Received::Unforeseen) => return Ok(Attempt::Unforeseen(dir)),
        Ok(Received::Object(advertisement)) => Ok(advertisement),
        Err(error) => Err(error),
    };
    let received = advertisement.and_then(|advertisement| {
        // Checks the objects while the host ends the exchange.
        let ended = transport::end(transport, wire);
        let commit =
            whole_commit(&clone, advertisement.target, interrupt).map_err(|error| not_whole(error, request))?;
        transport::hear_out(ended);
        Ok((advertisement, commit))
    });
    match received {
        Ok((advertisement, commit)) => {
            Ok(Attempt::Fetched(Box::new(finish(clone, dir, wire, request, advertisement, commit)?)))
        }
        // An interrupted check says nothing about the clone.
        Err(_) if interrupt.load(Ordering::Relaxed) => {
            Err(FetchError::Deadline { repository: request.remote.repository.clone() })
        }
        Err(error) if age == Age::Kept && spoils(&error) && dir.discard().is_ok() => Ok(Attempt::Spoiled(error, dir)),
        Err(error) => Err(error),
    }
}

/// What a conversation has come to.
enum Received {
    /// The wanted object is in the clone.
    Object(Advertisement),
    /// The replies to what was sent ahead are of no use.
    Unforeseen,
}

fn receive_into(
    clone: &gix::Repository,
    transport: &mut Transport,
    wire: &Wire,
    request: &FetchRequest,
    foresight: Foresight,
    interrupt: &AtomicBool,
) -> Result<Received, FetchError> {
    let FetchRequest { remote: Remote { repository, .. }, wanted } = request;
    let explained = |error| explain(error, wire, repository);
    let greeting = advertisement::greet(transport, repository).map_err(explained)?;
    let ahead = match foresight {
        Foresight::Used => ahead::rehearse(&greeting, repository, wanted, clone, interrupt),
        Foresight::Unused => None,
    };
    if let Some(Ahead { requests, .. }) = &ahead {
        let sent = transport::send_ahead(transport, requests, wire).map_err(gix::Error::from_error);
        sent.map_err(|source| explained(FetchError::Conversation { repository: repository.clone(), source }))?;
    }
    let mut received = advertisement::ask(transport, greeting, repository, wanted).map_err(explained);
    if let (Ok(advertisement), Some(Ahead { commit, .. })) = (&received, &ahead)
        && advertisement.target != *commit
    {
        return Ok(Received::Unforeseen);
    }
    if let Ok(advertisement) = &mut received
        && !clone.has_object(advertisement.target)
    {
        wire.expect_answer();
        let result = conversation::receive(transport, advertisement, clone, || wire.expect_pack(), interrupt);
        if let Err(source) = result {
            received = Err(wire.blame(repository).unwrap_or_else(|| unreceived(source, repository.clone())));
        }
    }
    match received {
        Ok(advertisement) => Ok(Received::Object(advertisement)),
        Err(error) if ahead.is_some() && error.is_of_the_exchange() && !is_out_of_room(&error) => {
            let error: &dyn Error = &error;
            tracing::warn!(error, %repository, "the host failed at requests ahead: asking one by one");
            Ok(Received::Unforeseen)
        }
        Err(error) => Err(error),
    }
}

/// Maps an error of receiving the pack: because of its content, or of the connection.
fn unreceived(source: gix::Error, repository: Repository) -> FetchError {
    match source.downcast_any_ref() {
        Some(pack::PackError::TooLarge { .. } | pack::PackError::TooMany { .. }) => {
            FetchError::TooLarge { repository, source }
        }
        _ => FetchError::Receive { repository, source },
    }
}

/// Maps an error of the exchange: the connection broke, the host refused, or the protocol was
/// violated.
pub(crate) fn explain(error: FetchError, wire: &Wire, repository: &Repository) -> FetchError {
    if !matches!(error, FetchError::Conversation { .. }) {
        return error;
    }
    if let Some(broken) = wire.blame(repository) {
        return broken;
    }
    match wire.said().or_else(|| refusal(&error)) {
        Some(said) => FetchError::Refused { repository: repository.clone(), said },
        None => error,
    }
}

/// The message in an error packet of Git's protocol.
fn refusal(error: &FetchError) -> Option<String> {
    let FetchError::Conversation { source, .. } = error else { return None };
    let packet = source.downcast_any_ref::<io::Error>()?.get_ref()?.downcast_ref::<packetline::read::Error>()?;
    Some(packet.message.to_string())
}

/// Whether a new clone may help.
fn spoils(error: &FetchError) -> bool {
    error.spoils_clone() && !is_out_of_room(error)
}

fn not_whole(error: WholeError, request: &FetchRequest) -> FetchError {
    let repository = request.remote.repository.clone();
    match error {
        WholeError::Missing(source) => FetchError::NotWhole { repository, source },
        WholeError::Malformed(id, source) => FetchError::Malformed { repository, id: id.to_string(), source },
        WholeError::NotACommit(kind) => {
            FetchError::NotACommit { repository, wanted: request.wanted.clone(), kind: kind.to_string() }
        }
        WholeError::Interrupted => FetchError::Deadline { repository },
    }
}

fn finish(
    clone: gix::Repository,
    dir: CloneDir,
    wire: &Wire,
    request: &FetchRequest,
    advertisement: Advertisement,
    commit: WholeCommit,
) -> Result<Fetched, FetchError> {
    // Senders name a tag by the tag's ID or by its commit.
    let now = [advertisement.target.to_string(), commit.id.to_string()];
    let expected = match &request.wanted {
        Wanted::Reference { expected, .. } => expected.clone(),
        Wanted::Commit(_) => None,
    };
    let superseded = expected.filter(|expected| !now.iter().any(|id| id == expected.as_str()));
    let reading = dir.read().map_err(|source| FetchError::PrepareClone { path: dir.path().to_owned(), source })?;
    Ok(Fetched {
        clone,
        commit: commit.id,
        target: advertisement.target,
        tree: commit.tree,
        summary: commit.summary,
        default_branch: advertisement.default_branch,
        superseded,
        received: wire.received(),
        ssh_key: match &request.remote.access {
            Access::Ssh(access) => Some(access.key.fingerprint()),
            Access::Https(_) => None,
        },
        origin: Origin::New,
        said: wire.said(),
        reading,
        dir,
    })
}
