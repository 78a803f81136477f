//! The files that Git LFS keeps, downloaded while the zip is written: small ones some ahead of
//! their turn, large ones at it, straight into the zip. Access comes from the repository's host
//! over SSH; `.lfsconfig`, which is whoever pushes' to write, is never read.

mod batch;

use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    io::{Cursor, Read},
    time::{Duration, Instant},
};

use archive::{LargeFile, LargeFiles};
use contract::{Repository, Retry};
use fetch::{FetchError, LfsAccess, Remote};
use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use gix::bstr::BString;
use https::{Client, Credential, HttpsError};
use tokio::{runtime::Handle, time::sleep};
use tokio_util::task::AbortOnDropHandle;

use self::batch::Link;

/// How many files are asked for at once; hosts refuse much more.
const BATCH: usize = 100;
/// Up to which length files are fetched ahead of their turn, in bytes.
const SMALL: u64 = 1 << 20;
/// How many are.
const AHEAD: usize = 8;
/// How often a file is asked for.
const TRIES: u32 = 3;
/// How long before its end an access isn't used any more.
const MARGIN: Duration = Duration::from_secs(30);

/// Why a large file can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LfsError {
    #[error("could not get access to the large files")]
    Access(#[source] Box<FetchError>),
    #[error(transparent)]
    Https(#[from] HttpsError),
    #[error("the store of {repository} doesn't have the file: {message:?} (code {code})")]
    Absent { repository: Repository, code: u16, message: String },
    #[error("the store of {repository} supports only the transfer {transfer:?}, not plain downloads")]
    Transfer { repository: Repository, transfer: String },
    #[error("the download was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
    #[error("the file wasn't requested before")]
    Unexpected,
}

impl LfsError {
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Access(error) => error.retry(),
            Self::Https(error) => error.retry(),
            Self::Transfer { .. } | Self::Unexpected => Retry::Never,
            Self::Absent { .. } | Self::Interrupted(_) => Retry::Again,
        }
    }

    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Access(error) => error.hint(),
            Self::Https(error) => error.hint(),
            Self::Absent { .. } => Some("who pushed has to push the large files as well: git lfs push --all origin"),
            Self::Transfer { .. } => Some("switch the transfer \"basic\" on at the store, or set Lfs to off"),
            Self::Interrupted(_) | Self::Unexpected => None,
        }
    }

    /// How long to wait before another try within the same run.
    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Https(error) => error.wait(Duration::from_secs(1)),
            _ => None,
        }
    }
}

/// Where the large files of a commit and its submodules are.
pub(crate) struct Stores {
    pub(crate) client: Client,
    /// The repositories that they are of, by the path of the submodule.
    pub(crate) remotes: HashMap<BString, Remote>,
}

/// Large files on their way.
pub(crate) struct Downloads {
    client: Client,
    runtime: Handle,
    files: BoxStream<'static, Result<Download, LfsError>>,
}

/// A file whose turn it is.
enum Download {
    Small(Vec<u8>),
    Large(Link),
}

impl Stores {
    /// Downloads `files` in their order, as they are opened.
    pub(crate) fn download(self, files: Vec<LargeFile>, runtime: Handle) -> Downloads {
        let client = self.client.clone();
        let source = Source { stores: self, accesses: HashMap::new(), files: files.into() };
        let links = stream::try_unfold(source, async |mut source| {
            // One that isn't there is told at its turn, when it is known which file it would be.
            Ok::<_, LfsError>(source.batch().await?.map(|links| (stream::iter(links.into_iter().map(Ok)), source)))
        });
        let ahead = client.clone();
        let files = links.try_flatten().map_ok(move |link| {
            // By itself: it goes on while nobody looks, since the zip is being written.
            let fetched = AbortOnDropHandle::new(tokio::spawn(fetch_ahead(ahead.clone(), link)));
            async { fetched.await? }
        });
        Downloads { client, runtime, files: files.try_buffered(AHEAD).boxed() }
    }
}

impl LargeFiles for Downloads {
    fn open(&mut self, _: &LargeFile) -> Result<Box<dyn Read + '_>, Box<dyn Error + Send + Sync>> {
        let file = self.runtime.block_on(self.files.next()).ok_or(LfsError::Unexpected)?;
        Ok(match file? {
            Download::Small(content) => Box::new(Cursor::new(content)),
            Download::Large(link) => {
                let answer = self.runtime.block_on(persist(|| link.open(&self.client)))?;
                Box::new(https::reader(answer, self.runtime.clone()))
            }
        })
    }
}

async fn fetch_ahead(client: Client, link: Result<Link, LfsError>) -> Result<Download, LfsError> {
    let link = link?;
    if link.size > SMALL {
        return Ok(Download::Large(link));
    }
    // One that is too long is found out by who opens it.
    let most = usize::try_from(link.size).unwrap_or(usize::MAX);
    let content = persist(|| async { Ok(https::read_bytes(link.open(&client).await?, most).await?) });
    content.await.map(Download::Small)
}

/// Tries again what may pass by itself.
async fn persist<T, F: Future<Output = Result<T, LfsError>>>(work: impl Fn() -> F) -> Result<T, LfsError> {
    let mut tries = 1;
    loop {
        let error = match work().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(wait) = error.wait().filter(|_| tries < TRIES) else { return Err(error) };
        tries += 1;
        tracing::warn!(
            error = contract::error_chain(&error),
            wait_seconds = wait.as_secs(),
            "asking for a large file again"
        );
        sleep(wait).await;
    }
}

/// Where the links come from.
struct Source {
    stores: Stores,
    accesses: HashMap<BString, Access>,
    files: VecDeque<LargeFile>,
}

/// Access to the large files of a repository.
#[derive(Debug, Clone)]
struct Access {
    repository: Repository,
    href: String,
    credential: Credential,
    until: Instant,
}

impl Source {
    /// Links to the next files, which are of one repository; nothing at the end.
    async fn batch(&mut self) -> Result<Option<Vec<Result<Link, LfsError>>>, LfsError> {
        let Some(first) = self.files.front() else { return Ok(None) };
        let submodule = first.submodule.clone();
        let count = self.files.iter().take(BATCH).take_while(|file| file.submodule == submodule).count();
        let pointers: Vec<_> = self.files.drain(..count).map(|file| file.pointer).collect();
        let access = self.access(&submodule).await?;
        persist(|| batch::ask(&self.stores.client, &access, &pointers)).await.map(Some)
    }

    async fn access(&mut self, submodule: &BString) -> Result<Access, LfsError> {
        if let Some(access) = self.accesses.get(submodule).filter(|access| access.until > Instant::now()) {
            return Ok(access.clone());
        }
        let remote = self.stores.remotes.get(submodule).ok_or(LfsError::Unexpected)?;
        let LfsAccess { href, headers, valid_for } =
            fetch::lfs_access(remote).await.map_err(|error| LfsError::Access(Box::new(error)))?;
        let access = Access {
            repository: remote.repository.clone(),
            href,
            credential: batch::credential(&headers, remote.repository.host.as_str())?,
            until: Instant::now() + valid_for.saturating_sub(MARGIN),
        };
        self.accesses.insert(submodule.clone(), access.clone());
        Ok(access)
    }
}
