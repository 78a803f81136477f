//! Streams a commit's tree as a zip: the entries of `git archive --format=zip`, with attributes
//! applied, but without recompressing what Git has already compressed.
//!
//! In the pack of a shallow fetch, nine of ten blobs aren't deltas. Such a blob is stored as a zlib
//! stream: two bytes, a deflate stream, four bytes. A zip entry needs exactly that deflate stream.
//! So the blob is inflated once, for the CRC-32 of the zip, and copied.
//!
//! The crate uses no network and no AWS, runs no program, and depends only on the commit: not on
//! configuration or the machine. A filter in `.gitattributes` has no effect, as if it weren't
//! configured, except for Git LFS, whose files the caller may provide.

#![warn(clippy::indexing_slicing)]

mod attributes;
mod charset;
mod commit_pack;
mod convert;
mod copy;
mod date;
mod describe;
mod dot_git;
mod encoding;
mod entry;
mod error;
mod inflate;
mod lfs;
mod listing;
mod objects;
mod options;
mod output;
mod paths;
mod placeholders;
mod provenance;
mod pushed;
mod refs;
mod selection;
mod subst;
mod summary;
mod tree;
mod wildmatch;
mod workers;

use std::{io::Write, sync::atomic::AtomicBool, thread};

use gix::{ObjectId, bstr::BString};
use zip_writer::{Time, Writer};

pub use dot_git::DotGit;
pub use error::ArchiveError;
pub use lfs::{LargeFile, LargeFiles, Pointer};
pub use listing::{large_files, names_its_commit, pinned_submodules};
pub use options::{Options, Submodule};
pub use paths::Paths;
pub use provenance::{Provenance, provenance};
pub use pushed::Pushed;
pub use summary::Summary;

use crate::{
    attributes::Steps,
    selection::{Root, Selected, Selection},
};

/// Writes the tree of `commit` to `out` as a zip. Its comment is the commit's ID and its entries
/// have the commit's time, like those of `git archive`. Without `large`, the zip contains Git LFS
/// pointers instead of the files.
///
/// Memory doesn't grow with the repository, except for one line per file in the zip's directory,
/// and for the files being compressed. Copied data goes from the pack to `out` directly, and Git
/// LFS files are streamed in small pieces.
///
/// Setting `interrupt` ends it soon: at most after inflating or compressing one file in memory.
///
/// # Errors
/// See [`ArchiveError`]. Unsafe names are refused before the first byte is written.
pub fn write_zip<W: Write>(
    repository: &gix::Repository,
    commit: ObjectId,
    options: &Options,
    large: Option<&mut dyn LargeFiles>,
    interrupt: &AtomicBool,
    out: W,
) -> Result<Summary, ArchiveError> {
    let objects = objects::Objects::of(repository, interrupt);
    let read = subst::Commit::read(&objects, commit)?.named(options.pushed.clone());
    let zip = Writer::new(out, Time::from_seconds(read.time()));
    let mut output = entry::Output { zip, large, summary: Summary::default() };
    let steps = Steps::default();
    let root = Root { objects: &objects, commit: &read, prefix: BString::default(), steps: &steps };
    write_tree(&root, options, &mut output)?;
    let entry::Output { mut zip, mut summary, .. } = output;
    if let Some(dot_git) = &options.dot_git {
        let written = dot_git.write(&objects, commit, read.tree(), &options.paths, &mut zip);
        // There, an interruption looks like a read error.
        objects.go_on()?;
        written?;
    }
    (summary.entries, summary.bytes) = zip.finish(commit.to_string().as_bytes())?;
    Ok(summary)
}

fn write_tree<W: Write>(
    root: &Root<'_>,
    options: &Options,
    output: &mut entry::Output<'_, W>,
) -> Result<(), ArchiveError> {
    let packs = root.objects.packs()?;
    let mut selection = Selection::of(root, options, output.large.is_some())?;
    thread::scope(|scope| {
        let mut files = entry::Files::new(root, &packs, scope);
        while let Some(Selected { folders, path, file, submodule }) = selection.next()? {
            for folder in folders {
                files.folder(output, folder)?;
            }
            if let Some(file) = file {
                files.add(output, path, &file)?;
            }
            if let Some(submodule) = submodule {
                files.write_all(output)?;
                submodule.enter(root, |root| write_tree(root, options, output))?;
            }
        }
        files.write_all(output)
    })
}

/// Writes a pack of `commit`: its trees and blobs, and nothing else in the repository. It can seed
/// another clone.
///
/// # Errors
/// Those of [`write_zip`].
pub fn write_pack(
    repository: &gix::Repository,
    commit: ObjectId,
    interrupt: &AtomicBool,
    out: impl Write,
) -> Result<(), ArchiveError> {
    commit_pack::write(&objects::Objects::of(repository, interrupt), commit, out)
}
