//! A commit's tree as a zip, written as a stream: entry for entry what `git archive --format=zip`
//! gives, attributes applied, but without compressing again what Git has compressed already.
//!
//! In the pack of a shallow fetch nine blobs of ten aren't deltas. Such a blob lies there as a zlib
//! stream, which is a deflate stream between two bytes in front and four behind; a zip entry wants
//! just that deflate stream. So it is inflated once, for the CRC-32 that a zip demands, and copied.
//!
//! The crate knows no network and no AWS, runs no program, and lets nothing decide but the commit:
//! neither configuration nor the machine. A filter that a `.gitattributes` names changes nothing,
//! as where it isn't configured; but for Git LFS, whose files whoever calls may bring.

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
pub use pushed::Pushed;
pub use summary::Summary;

use crate::{
    attributes::Steps,
    selection::{Root, Selected, Selection},
};

/// Writes the tree of `commit` to `out` as a zip, whose comment is the commit's id and whose
/// entries have the commit's time, as those of `git archive` do. Without `large`, what stands in
/// the tree for a file that Git LFS keeps goes into the zip, and not the file.
///
/// Memory doesn't grow with the repository, but for one line a file in the zip's directory, and for
/// each file that isn't copied, which is held while it is compressed. What is copied goes from the
/// mapped pack to `out` in one piece, and what Git LFS keeps passes through in small ones.
///
/// Setting `interrupt` ends it soon: what isn't interrupted is at most the inflating or compressing
/// of one file in memory.
///
/// # Errors
/// See [`ArchiveError`]. A name that can't be in a zip is refused before the first byte is written.
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
        // Being interrupted looks like a file that can't be read there.
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

/// Writes a pack of `commit`: its trees and blobs, and nothing else that the repository has.
/// Another clone can begin with it.
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
