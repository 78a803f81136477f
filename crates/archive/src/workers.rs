//! Inflates and compresses on all processors. The zip's order doesn't change: jobs are assigned to
//! the workers in turn, and their results are taken in the same order.

use std::{
    num::NonZero,
    sync::{
        atomic::AtomicBool,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, Scope},
};

use gix::{ObjectId, bstr::BString, objs::Kind};
use pack::{Compressor, Packed};
use zip_writer::{Content, Method};

use crate::{
    copy::{Copier, deflate_of},
    error::ArchiveError,
    inflate::Inflate,
    objects::Objects,
};

/// A blob that becomes a file unchanged.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) id: ObjectId,
    pub(crate) path: BString,
    /// Where it is stored compressed, if it is.
    pub(crate) packed: Option<Packed<'a>>,
}

/// The content of a file, in memory.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) data: Vec<u8>,
    pub(crate) method: Method,
    pub(crate) crc: u32,
    pub(crate) size: u64,
    /// Whether it was compressed by Git.
    pub(crate) copied: bool,
}

impl Ready {
    pub(crate) fn stored(data: Vec<u8>) -> Self {
        let Content { method, crc, size, .. } = Content::stored(&data);
        Self { method, crc, size, data, copied: false }
    }

    pub(crate) fn content(&self) -> Content<'_> {
        Content { data: &self.data, method: self.method, crc: self.crc, size: self.size }
    }
}

/// The state of a worker.
pub(crate) struct Tools<'a> {
    pub(crate) inflate: Inflate,
    pub(crate) copier: Copier<'a>,
    compressor: Compressor,
}

impl<'a> Tools<'a> {
    pub(crate) fn new(interrupt: &'a AtomicBool) -> Self {
        Self { inflate: Inflate::default(), copier: Copier::new(interrupt), compressor: Compressor::default() }
    }

    fn ready(&mut self, objects: &Objects<'_>, job: &Job<'_>) -> Result<Ready, ArchiveError> {
        let Some(packed) = &job.packed else { return Ok(self.compressed(objects.read(job.id, Kind::Blob)?)) };
        let damaged = |reason| ArchiveError::Damaged { id: job.id, path: job.path.clone(), reason };
        let mut zlib = Vec::new();
        let keep = |_, piece: &[u8]| {
            zlib.extend_from_slice(piece);
            Ok(())
        };
        self.copier.zlib(packed, keep, damaged)?;
        let crc = self.inflate.whole_crc(&zlib, packed.size).map_err(damaged)?;
        let data = deflate_of(&zlib).ok_or("it is too short").map_err(damaged)?.to_vec();
        Ok(Ready { data, method: Method::Deflated, crc, size: packed.size, copied: true })
    }

    /// A file in its smaller form, stored or compressed.
    pub(crate) fn compressed(&mut self, content: Vec<u8>) -> Ready {
        let deflated = self.compressor.deflate(&content);
        let stored = Ready::stored(content);
        // What doesn't shrink, such as an image, is cheaper to unpack when stored.
        if deflated.len() < stored.data.len() {
            Ready { data: deflated, method: Method::Deflated, ..stored }
        } else {
            stored
        }
    }
}

/// The workers, which are started on first use.
pub(crate) struct Workers<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    objects: &'env Objects<'env>,
    all: Vec<WorkerThread<'env>>,
    given: usize,
    taken: usize,
}

struct WorkerThread<'env> {
    jobs: Sender<Job<'env>>,
    results: Receiver<Result<Ready, ArchiveError>>,
}

impl<'scope, 'env> Workers<'scope, 'env> {
    pub(crate) fn new(scope: &'scope Scope<'scope, 'env>, objects: &'env Objects<'env>) -> Self {
        Self { scope, objects, all: Vec::new(), given: 0, taken: 0 }
    }

    /// Starts a job. [`Workers::take`] returns its result, after those of all earlier jobs.
    pub(crate) fn give(&mut self, job: Job<'env>) -> Result<(), ArchiveError> {
        if self.all.is_empty() {
            // Started for the first job only: after a small push, every file is copied.
            let count = thread::available_parallelism().map_or(1, NonZero::get);
            self.all = (0..count).map(|_| self.start()).collect();
        }
        let worker = self.all.get(self.given % self.all.len()).ok_or_else(stopped)?;
        self.given += 1;
        worker.jobs.send(job).map_err(|_| stopped())
    }

    pub(crate) fn take(&mut self) -> Result<Ready, ArchiveError> {
        let worker = self.all.get(self.taken % self.all.len().max(1)).ok_or_else(stopped)?;
        self.taken += 1;
        worker.results.recv().map_err(|_| stopped())?
    }

    fn start(&self) -> WorkerThread<'env> {
        let (jobs, given) = channel::<Job<'env>>();
        let (done, results) = channel();
        let interrupt = self.objects.interrupt();
        // A clone, since gix's repository has caches that threads can't share.
        let objects = Objects::of(self.objects.repository(), interrupt);
        self.scope.spawn(move || {
            let mut tools = Tools::new(interrupt);
            for job in given {
                if done.send(tools.ready(&objects, &job)).is_err() {
                    break;
                }
            }
        });
        WorkerThread { jobs, results }
    }
}

/// A missing worker has panicked, which is reported when all are joined.
fn stopped() -> ArchiveError {
    std::io::Error::other("a thread that compresses stopped").into()
}
