//! One entry of the tree becomes one entry of the zip, in the cheapest way that there is: copied,
//! if Git has compressed it; inflated and then copied, if nobody has noted its CRC-32; compressed,
//! if it lies there as a delta or has to be converted.

use std::{collections::VecDeque, io::Write, thread::Scope};

use gix::{
    ObjectId,
    bstr::{BString, ByteSlice},
    objs::{Kind, tree::EntryKind},
};
use pack::{Packed, Packs};
use zip_writer::{Announced, Method, Stream, Sums, Writer};

use crate::{
    copy::deflate_length,
    error::ArchiveError,
    lfs::{self, Filtered, LargeFile, LargeFiles, Pointer},
    output,
    selection::{File, Root},
    summary::Summary,
    workers::{Job, Ready, Tools, Workers},
};

/// How much may be in memory at once of files that are compressed or inflated, in bytes. A file
/// that is larger is alone.
const IN_MEMORY: u64 = 8 << 20;
/// And how many files.
const FILES: usize = 256;
/// The longest target of a link, in bytes. Linux takes 4,095, Windows 32,767, and no system more
/// than 64 KiB. It goes into the zip by way of memory.
const LONGEST_LINK: u64 = 64 << 10;

/// A zip that is being written, and what it gets that isn't in a tree.
pub(crate) struct Output<'a, W> {
    pub(crate) zip: Writer<W>,
    pub(crate) large: Option<&'a mut dyn LargeFiles>,
    pub(crate) summary: Summary,
}

/// Puts the files of a tree into a zip.
pub(crate) struct Files<'scope, 'env> {
    root: &'env Root<'env>,
    packs: &'env Packs,
    workers: Workers<'scope, 'env>,
    tools: Tools<'env>,
    /// What comes next in the zip, the first one first.
    next: VecDeque<Next<'env>>,
    /// The sizes of what is in memory, or will be.
    in_memory: u64,
}

/// An entry that waits for its turn.
struct Next<'a> {
    path: BString,
    mode: u32,
    content: Waiting<'a>,
    size: u64,
}

enum Waiting<'a> {
    Folder,
    Ready(Ready),
    /// A worker has it.
    Given,
    /// It lies in a pack as the zip wants it.
    Packed {
        packed: Packed<'a>,
        id: ObjectId,
        crc: u32,
    },
}

impl<'scope, 'env> Files<'scope, 'env> {
    pub(crate) fn new(root: &'env Root<'env>, packs: &'env Packs, scope: &'scope Scope<'scope, 'env>) -> Self {
        let workers = Workers::new(scope, root.objects);
        let tools = Tools::new(root.objects.interrupt());
        Self { root, packs, workers, tools, next: VecDeque::new(), in_memory: 0 }
    }

    /// Puts a folder into the zip.
    pub(crate) fn folder<W: Write>(&mut self, output: &mut Output<'_, W>, at: BString) -> Result<(), ArchiveError> {
        self.come(output, Next { path: at, mode: 0, content: Waiting::Folder, size: 0 })
    }

    /// Puts an entry into the zip, under the name `at`. A submodule is an empty folder, as in
    /// `git archive`.
    pub(crate) fn add<W: Write>(
        &mut self,
        output: &mut Output<'_, W>,
        at: BString,
        file: &File,
    ) -> Result<(), ArchiveError> {
        match file.entry.kind {
            EntryKind::Tree | EntryKind::Commit => self.folder(output, at),
            EntryKind::Link => {
                let size = self.root.objects.size(file.entry.id)?;
                if size > LONGEST_LINK {
                    return Err(ArchiveError::LongLink { path: at, size, most: LONGEST_LINK });
                }
                let target = self.root.objects.read(file.entry.id, Kind::Blob)?;
                self.ready(output, at, 0o120_777, Ready::stored(target))
            }
            EntryKind::Blob => self.file(output, at, file, 0o100_644),
            EntryKind::BlobExecutable => self.file(output, at, file, 0o100_755),
        }
    }

    /// Writes whatever waits.
    pub(crate) fn write_all<W: Write>(&mut self, output: &mut Output<'_, W>) -> Result<(), ArchiveError> {
        while let Some(next) = self.next.pop_front() {
            self.write(output, next)?;
        }
        Ok(())
    }

    fn file<W: Write>(
        &mut self,
        output: &mut Output<'_, W>,
        at: BString,
        file: &File,
        mode: u32,
    ) -> Result<(), ArchiveError> {
        match &file.filtered {
            Filtered::Itself => self.blob(output, at, file, mode),
            Filtered::Empty => self.ready(output, at, mode, Ready::stored(Vec::new())),
            Filtered::Pointer(pointer) => {
                // It comes from the network in pieces, and can't wait in memory for its turn.
                self.write_all(output)?;
                self.large(output, at, pointer, mode)
            }
        }
    }

    fn blob<W: Write>(
        &mut self,
        output: &mut Output<'_, W>,
        at: BString,
        File { entry, conversion, .. }: &File,
        mode: u32,
    ) -> Result<(), ArchiveError> {
        if !conversion.is_none() {
            let size = self.root.objects.size(entry.id)?;
            if size > output::LARGEST {
                return Err(ArchiveError::TooLarge { path: at, size });
            }
            let blob = self.root.objects.read(entry.id, Kind::Blob)?;
            let blob = conversion.apply(&entry.path, entry.id, blob, self.root.commit)?;
            let ready = self.tools.compressed(blob);
            return self.ready(output, at, mode, ready);
        }
        // An empty file has no deflate stream to copy: it is stored.
        let Some(packed) = self.packs.blob(entry.id).filter(|packed| packed.size > 0) else {
            let size = self.root.objects.size(entry.id)?;
            let job = Job { id: entry.id, path: at.clone(), packed: None };
            return self.give(output, at, mode, job, size);
        };
        let crc = match packed.content_crc {
            Some(crc) => crc,
            // Read twice, since it doesn't fit into memory: the zip has the CRC-32 before the data.
            None if packed.size.max(packed.length) > IN_MEMORY => {
                let damaged = |reason| ArchiveError::Damaged { id: entry.id, path: at.clone(), reason };
                self.tools.inflate.crc(&packed, &mut self.tools.copier, damaged)?
            }
            None => {
                let size = packed.size;
                let job = Job { id: entry.id, path: at.clone(), packed: Some(packed) };
                return self.give(output, at, mode, job, size);
            }
        };
        self.come(output, Next { path: at, mode, size: 0, content: Waiting::Packed { packed, id: entry.id, crc } })
    }

    /// Has a worker make the content of a file.
    fn give<W: Write>(
        &mut self,
        output: &mut Output<'_, W>,
        at: BString,
        mode: u32,
        job: Job<'env>,
        size: u64,
    ) -> Result<(), ArchiveError> {
        self.make_room(output, size)?;
        self.workers.give(job)?;
        self.come(output, Next { path: at, mode, content: Waiting::Given, size })
    }

    fn ready<W: Write>(
        &mut self,
        output: &mut Output<'_, W>,
        at: BString,
        mode: u32,
        ready: Ready,
    ) -> Result<(), ArchiveError> {
        let size = ready.data.len() as u64;
        self.make_room(output, size)?;
        self.come(output, Next { path: at, mode, content: Waiting::Ready(ready), size })
    }

    /// What comes next: at once if nothing waits before it and nobody works on it.
    fn come<W: Write>(&mut self, output: &mut Output<'_, W>, next: Next<'env>) -> Result<(), ArchiveError> {
        self.in_memory += next.size;
        // Most files take this way: copied from the pack, never held in memory.
        if self.next.is_empty() && !matches!(next.content, Waiting::Given) {
            return self.write(output, next);
        }
        self.next.push_back(next);
        Ok(())
    }

    /// Writes until there is room for a file of this size, or nothing waits any more.
    fn make_room<W: Write>(&mut self, output: &mut Output<'_, W>, size: u64) -> Result<(), ArchiveError> {
        while (self.in_memory + size > IN_MEMORY || self.next.len() >= FILES)
            && let Some(next) = self.next.pop_front()
        {
            self.write(output, next)?;
        }
        Ok(())
    }

    fn write<W: Write>(&mut self, output: &mut Output<'_, W>, next: Next<'env>) -> Result<(), ArchiveError> {
        let Next { path, mode, content, size } = next;
        self.in_memory -= size;
        self.root.objects.go_on()?;
        let Output { zip, summary, .. } = output;
        let ready = match content {
            Waiting::Folder => return Ok(zip.folder(path.as_bstr())?),
            Waiting::Packed { packed, id, crc } => {
                let damaged = |reason| ArchiveError::Damaged { id, path: path.clone(), reason };
                let length = deflate_length(&packed).map_err(damaged)?;
                let sums = Sums { crc, packed: length, size: packed.size };
                let record = zip.begin(path.as_bstr(), Method::Deflated, Announced::Before(sums))?;
                self.tools.copier.deflate(&packed, |piece| Ok(zip.data(piece)?), damaged)?;
                summary.copied += 1;
                return Ok(zip.list(path.as_bstr(), mode, &record)?);
            }
            Waiting::Given => self.workers.take()?,
            Waiting::Ready(ready) => ready,
        };
        match ready.method {
            Method::Deflated if ready.copied => summary.copied += 1,
            Method::Deflated => summary.compressed += 1,
            Method::Stored => summary.stored += 1,
        }
        Ok(zip.file(path.as_bstr(), mode, &ready.content())?)
    }

    fn large<W: Write>(
        &self,
        Output { zip, large, summary }: &mut Output<'_, W>,
        path: BString,
        pointer: &Pointer,
        mode: u32,
    ) -> Result<(), ArchiveError> {
        let file = LargeFile { submodule: self.root.submodule(), path, pointer: pointer.clone() };
        let failed = |source| ArchiveError::LargeFile { path: file.path.clone(), oid: pointer.oid.clone(), source };
        let large = large.as_deref_mut().ok_or_else(|| failed("nobody brings it".into()))?;
        let mut content = large.open(&file).map_err(failed)?;
        let mut stream = Stream::begin(zip, file.path.as_bstr(), mode, pointer.size)?;
        let write = |piece: &[u8]| {
            self.root.objects.go_on()?;
            Ok(stream.write(piece)?)
        };
        lfs::copy(pointer, &mut content, write, failed)?;
        summary.large += 1;
        Ok(stream.end()?)
    }
}
