//! Downloads Git LFS files while the zip is written: small ones slightly ahead, large ones when it
//! is their turn, directly into the zip. Over SSH, the repository's host gives access to them; over
//! HTTPS, its token does. `.lfsconfig` is never read, because anyone who can push can write it.

mod access;
mod batch;
mod error;

use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    io::{Cursor, Read},
    time::{Duration, Instant},
};

use archive::{LargeFile, LargeFiles};
use fetch::{LfsAccess, Remote};
use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use gix::bstr::BString;
use https::Client;
use tokio::{runtime::Handle, time::sleep};
use tokio_util::task::AbortOnDropHandle;

pub(crate) use self::error::LfsError;
use self::{access::Access, batch::Link};

/// The most files in one request. Hosts refuse many more.
const BATCH: usize = 100;
/// The largest file that is downloaded ahead, in bytes.
const SMALL: u64 = 1 << 20;
/// How many files are downloaded ahead.
const AHEAD: usize = 8;
/// How often a download is tried.
const TRIES: u32 = 3;
/// How long before its expiry an access isn't used any more.
const MARGIN: Duration = Duration::from_secs(30);

/// The sources of the large files of a commit and its submodules.
pub(crate) struct Stores {
    pub(crate) client: Client,
    /// The repositories, by the path of the submodule.
    pub(crate) remotes: HashMap<BString, Remote>,
}

/// The downloads in progress.
pub(crate) struct Downloads {
    client: Client,
    runtime: Handle,
    files: BoxStream<'static, Result<Download, LfsError>>,
}

/// A file to download.
enum Download {
    Small(Vec<u8>),
    Large(Link),
}

impl Stores {
    /// Downloads `files` in this order, as they are opened.
    pub(crate) fn download(self, files: Vec<LargeFile>, runtime: Handle) -> Downloads {
        let client = self.client.clone();
        let source = Source { stores: self, accesses: HashMap::new(), files: files.into() };
        let links = stream::try_unfold(source, async |mut source| {
            // A missing one is reported at its turn, when its path is known.
            Ok::<_, LfsError>(source.batch().await?.map(|links| (stream::iter(links.into_iter().map(Ok)), source)))
        });
        let ahead = client.clone();
        let files = links.try_flatten().map_ok(move |link| {
            // In its own task: it continues while the zip is being written.
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
    // The reader detects one that is too long.
    let most = usize::try_from(link.size).unwrap_or(usize::MAX);
    let content = persist(|| async { Ok(https::read_bytes(link.open(&client).await?, most).await?) });
    content.await.map(Download::Small)
}

/// Retries errors that may pass.
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
            "requesting a large file again"
        );
        sleep(wait).await;
    }
}

/// The source of the links.
struct Source {
    stores: Stores,
    accesses: HashMap<BString, Access>,
    files: VecDeque<LargeFile>,
}

impl Source {
    /// Requests links to the next files, which are of one repository. Empty at the end.
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
        let LfsAccess { href, credential, valid_for } =
            fetch::lfs_access(remote).await.map_err(|error| LfsError::Access(Box::new(error)))?;
        let access = Access {
            repository: remote.repository.clone(),
            href,
            credential,
            until: Instant::now() + valid_for.saturating_sub(MARGIN),
        };
        self.accesses.insert(submodule.clone(), access.clone());
        Ok(access)
    }
}
