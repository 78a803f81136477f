//! Resolves deltas: each once, right after its base, so that only the part of a chain that is still
//! needed is in memory. Independent chains are resolved in parallel.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use gix::{
    ObjectId,
    hash::Kind as Hash,
    objs::{Find, Kind, encode::loose_header},
};
use tempfile::NamedTempFile;

use crate::{
    Compressor, PackError,
    delta::{self, DeltaError},
    whole::{LARGEST_BUT_BLOBS, TOO_LARGE_BUT_BLOBS, Whole},
    write::{Sums, Writer},
};

/// The largest base and the largest delta, in bytes: the largest result of [`delta::apply`] with
/// some margin.
const LARGEST: u64 = 1 << 30;

/// The memory limit for a chain and its results: two versions of a file of 500 MiB, of which one is
/// being compressed. A few bytes can encode a chain of any length whose objects are all needed at
/// the same time.
const MOST: u64 = 1536 << 20;
/// Above this, only one chain at a time continues.
const LIGHT: u64 = 128 << 20;

/// The base of a delta.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Base {
    /// The entry at this offset of the received pack.
    Offset(u64),
    /// The object with this ID, in the pack or in the clone.
    Id(ObjectId),
}

/// A received delta.
#[derive(Debug)]
pub(crate) struct Delta {
    /// Its offset in the received pack.
    pub(crate) came: u64,
    pub(crate) base: Base,
    /// The offset of its zlib stream in the temporary file.
    pub(crate) at: u64,
    /// The length of its zlib stream.
    pub(crate) packed: u64,
    pub(crate) size: u64,
}

/// The unresolved deltas of a pack, and other objects that are written later.
pub(crate) struct Deltas {
    file: BufWriter<NamedTempFile>,
    /// The size of the temporary file, in bytes.
    pub(crate) length: u64,
    all: Vec<Delta>,
}

impl Deltas {
    pub(crate) fn new(file: NamedTempFile) -> Self {
        Self { file: BufWriter::new(file), length: 0, all: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.length += piece.len() as u64;
        self.file.write_all(piece)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// The temporary file, flushed.
    pub(crate) fn read(&self, at: u64, length: u64) -> io::Result<Vec<u8>> {
        read(self.file.get_ref().as_file(), at, length)
    }

    pub(crate) fn add(&mut self, delta: Delta) {
        self.all.push(delta);
    }
}

type Pack = Writer<BufWriter<NamedTempFile>>;

/// Adds the results of the deltas to the pack.
pub(crate) fn resolve(
    pack: &mut Pack,
    whole: &[Whole],
    deltas: &Deltas,
    clone: &(impl Find + Clone + Send),
    interrupt: &AtomicBool,
    failed: &(dyn Fn(io::Error) -> PackError + Sync),
) -> Result<(), PackError> {
    if deltas.is_empty() {
        return Ok(());
    }
    pack.out().flush().map_err(failed)?;
    let read = pack.out().get_ref().reopen().map_err(failed)?;
    let (mut by_offset, mut by_id) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
    for (number, delta) in deltas.all.iter().enumerate() {
        match delta.base {
            Base::Offset(offset) => by_offset.entry(offset).or_default().push(number),
            Base::Id(id) => by_id.entry(id).or_default().push(number),
        }
    }
    let mut roots = Vec::new();
    for object in whole {
        let id = pack.entries.get(object.entry).map(|entry| entry.id);
        let by_id = id.and_then(|id| by_id.remove(&id));
        let children = [by_offset.remove(&object.came).unwrap_or_default(), by_id.unwrap_or_default()].concat();
        if !children.is_empty() {
            roots.push((*object, children));
        }
    }
    let work = Work {
        read,
        deltas,
        failed,
        interrupt,
        pack: Mutex::new(pack),
        waiting: Mutex::new(Waiting { by_offset, by_id }),
        heavy: Mutex::new(()),
    };
    work.in_parallel(&roots, |(object, children), tools| {
        let mut memory = work.memory();
        memory.room_for(object.size, object.came)?;
        let content = work.content(object, tools)?;
        work.chain(object.kind, content, children.clone(), memory, tools)
    })?;
    work.outside(clone)?;
    let waiting = work.waiting.into_inner().unwrap_or_else(PoisonError::into_inner);
    let count = waiting.by_offset.values().chain(waiting.by_id.values()).map(Vec::len).sum();
    if count == 0 { Ok(()) } else { Err(PackError::Unresolved { count }) }
}

/// The deltas without an available base.
struct Waiting {
    by_offset: HashMap<u64, Vec<usize>>,
    by_id: HashMap<ObjectId, Vec<usize>>,
}

struct Work<'a> {
    /// The pack, to read whole objects from.
    read: File,
    deltas: &'a Deltas,
    failed: &'a (dyn Fn(io::Error) -> PackError + Sync),
    interrupt: &'a AtomicBool,
    pack: Mutex<&'a mut Pack>,
    waiting: Mutex<Waiting>,
    /// Held by a chain that needs much memory.
    heavy: Mutex<()>,
}

/// The memory of a chain.
struct Memory<'a> {
    /// The size of its objects that are needed later.
    held: u64,
    heavy: &'a Mutex<()>,
    alone: Option<MutexGuard<'a, ()>>,
}

impl Memory<'_> {
    /// Waits until this much more memory is available, for the entry at `came`.
    fn room_for(&mut self, more: u64, came: u64) -> Result<(), PackError> {
        let all = self.held.saturating_add(more);
        if all > MOST {
            let reason = "it is in a chain of deltas that takes more than 1.5 GiB of memory";
            return Err(PackError::TooLarge { offset: came, reason });
        }
        if all > LIGHT && self.alone.is_none() {
            self.alone = Some(self.heavy.lock().unwrap_or_else(PoisonError::into_inner));
        }
        Ok(())
    }
}

/// The state of each thread.
#[derive(Default)]
struct Tools {
    compressor: Compressor,
    decompressor: libdeflater::Decompressor,
}

/// An object that is the base of unresolved deltas.
struct Open {
    content: Vec<u8>,
    children: Vec<usize>,
}

impl Work<'_> {
    /// Runs `one` for all items in parallel. The first error ends it.
    fn in_parallel<T: Sync>(
        &self,
        all: &[T],
        one: impl Fn(&T, &mut Tools) -> Result<(), PackError> + Sync,
    ) -> Result<(), PackError> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut tools = Tools::default();
            while let Some(item) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.interrupt.load(Ordering::Relaxed) {
                    return Err(PackError::Interrupted);
                }
                one(item, &mut tools).inspect_err(|_| next.store(all.len(), Ordering::Relaxed))?;
            }
            Ok(())
        };
        let threads = thread::available_parallelism().map_or(1, usize::from).min(all.len());
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let own = work();
            let all = others.into_iter().map(|other| other.join().unwrap_or(Err(PackError::Interrupted)));
            all.fold(own, Result::and)
        })
    }

    /// The deltas whose bases are only in the clone.
    fn outside(&self, clone: &impl Find) -> Result<(), PackError> {
        let ids: Vec<_> = self.waiting().by_id.keys().copied().collect();
        let mut tools = Tools::default();
        let mut missing = None;
        for id in ids {
            // Another chain may have written it meanwhile.
            if !self.waiting().by_id.contains_key(&id) {
                continue;
            }
            let mut content = Vec::new();
            let found = clone.try_find(&id, &mut content).map_err(|source| PackError::Base { id, source })?;
            let Some(kind) = found.map(|found| found.kind) else {
                missing = missing.or(Some(id));
                continue;
            };
            let children = self.waiting().by_id.remove(&id).unwrap_or_default();
            self.chain(kind, content, children, self.memory(), &mut tools)?;
        }
        match missing.filter(|id| self.waiting().by_id.contains_key(id)) {
            Some(id) => Err(PackError::NoBase { id }),
            None => Ok(()),
        }
    }

    /// Resolves all deltas that are based on an object, directly or indirectly.
    fn chain(
        &self,
        kind: Kind,
        content: Vec<u8>,
        children: Vec<usize>,
        mut memory: Memory<'_>,
        tools: &mut Tools,
    ) -> Result<(), PackError> {
        memory.held = content.len() as u64;
        let mut open = vec![Open { content, children }];
        // Depth first, with a stack of our own: the sender chooses how deep a chain is, and only
        // the bases between here and the root are in memory.
        while let Some(mut base) = open.pop() {
            let Some(delta) = base.children.pop().and_then(|child| self.deltas.all.get(child)) else { continue };
            if self.interrupt.load(Ordering::Relaxed) {
                return Err(PackError::Interrupted);
            }
            let content = self.apply(&base.content, delta, &mut memory, tools)?;
            if kind != Kind::Blob && content.len() as u64 > LARGEST_BUT_BLOBS {
                return Err(PackError::TooLarge { offset: delta.came, reason: TOO_LARGE_BUT_BLOBS });
            }
            // Freed before its last result's own deltas are resolved: a chain without branches
            // needs two objects, however long it is.
            if base.children.is_empty() {
                memory.held -= base.content.len() as u64;
            } else {
                open.push(base);
            }
            let children = self.add(kind, &content, delta.came, tools)?;
            if !children.is_empty() {
                memory.held += content.len() as u64;
                open.push(Open { content, children });
            }
        }
        Ok(())
    }

    fn memory(&self) -> Memory<'_> {
        Memory { held: 0, heavy: &self.heavy, alone: None }
    }

    fn apply(
        &self,
        base: &[u8],
        delta: &Delta,
        memory: &mut Memory<'_>,
        tools: &mut Tools,
    ) -> Result<Vec<u8>, PackError> {
        let refused = |error: DeltaError| error.at(delta.came);
        let file = self.deltas.file.get_ref().as_file();
        let stream = Stream { file, at: delta.at, packed: delta.packed, size: delta.size };
        memory.room_for(delta.size.saturating_add(delta.packed), delta.came)?;
        let bytes = self.inflate(&stream, delta.came, tools)?;
        // The delta says how long its result will be, so there is room for it before it is made.
        let result = delta::result_length(&bytes).map_err(refused)? as u64;
        // The result, and the same for its compressed form.
        memory.room_for(delta.size.saturating_add(result.saturating_mul(2)), delta.came)?;
        delta::apply(base, &bytes).map_err(refused)
    }

    /// The content of a whole object.
    fn content(&self, object: &Whole, tools: &mut Tools) -> Result<Vec<u8>, PackError> {
        let stream = Stream { file: &self.read, at: object.zlib, packed: object.packed, size: object.size };
        self.inflate(&stream, object.came, tools)
    }

    /// Inflates data of the entry at `came`.
    fn inflate(&self, stream: &Stream<'_>, came: u64, tools: &mut Tools) -> Result<Vec<u8>, PackError> {
        if stream.size.max(stream.packed) > LARGEST {
            let reason = "it is a delta, or a base of one, of more than 1 GiB";
            return Err(PackError::TooLarge { offset: came, reason });
        }
        let zlib = read(stream.file, stream.at, stream.packed).map_err(self.failed)?;
        let mut content = vec![0; usize::try_from(stream.size).unwrap_or_default()];
        match tools.decompressor.zlib_decompress(&zlib, &mut content) {
            Ok(length) if length == content.len() => Ok(content),
            _ => Err(PackError::Entry { offset: came, reason: "it can't be inflated again" }),
        }
    }

    /// Writes an object to the pack. Returns the deltas based on it.
    fn add(&self, kind: Kind, content: &[u8], came: u64, tools: &mut Tools) -> Result<Vec<usize>, PackError> {
        let size = content.len() as u64;
        let mut id = gix::hash::hasher(Hash::Sha1);
        id.update(&loose_header(kind, size));
        id.update(content);
        let id = id.try_finalize().map_err(PackError::Collision)?;
        // Compressed before the lock, which is held only to append.
        let zlib = tools.compressor.zlib(content);
        let sums = Sums { id, content: crc32fast::hash(content), packed: zlib.len() as u64 };
        let mut pack = self.pack.lock().unwrap_or_else(PoisonError::into_inner);
        pack.object(kind, size, &zlib, sums).map_err(self.failed)?;
        drop(pack);
        let mut waiting = self.waiting();
        let by_offset = waiting.by_offset.remove(&came).unwrap_or_default();
        Ok([by_offset, waiting.by_id.remove(&id).unwrap_or_default()].concat())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, at).map(|()| bytes)
}

/// A zlib stream in a file.
struct Stream<'a> {
    file: &'a File,
    at: u64,
    packed: u64,
    size: u64,
}
