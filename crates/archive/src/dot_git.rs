//! The `.git` folder of a zip that unpacks to a shallow clone: a pack with only the commit's own
//! objects, an index, one reference, the remote. No hooks, no logs, nothing of the machine.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufReader, BufWriter, Seek, Write},
    path::Path,
};

use gix::{
    ObjectId,
    bstr::{BString, ByteSlice},
    index::entry::Flags,
    objs::find::Never,
    odb::pack::{Bundle, bundle::write},
    progress::Discard,
};
use zip_writer::{Content, Writer};

use crate::{
    commit_pack,
    error::ArchiveError,
    objects::{Objects, ReadUntil},
    paths::{Inclusion, Paths},
};

/// The origin of the work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DotGit {
    /// The full name of the checked-out branch. `None` for a tag, whose commit is checked out with
    /// a detached `HEAD`.
    pub branch: Option<String>,
    /// The URL of `origin`.
    pub url: String,
}

/// Creates an [`ArchiveError::DotGit`].
fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(what: &'static str) -> impl Fn(E) -> ArchiveError {
    move |source| ArchiveError::DotGit { what, source: source.into() }
}

impl DotGit {
    /// Writes the folder.
    pub(crate) fn write<W: Write>(
        &self,
        objects: &Objects<'_>,
        commit: ObjectId,
        tree: ObjectId,
        paths: &Paths,
        zip: &mut Writer<W>,
    ) -> Result<(), ArchiveError> {
        let mut folder = Folder { zip, written: HashSet::new(), objects };
        let line = |text: &str| format!("{text}\n").into_bytes();
        let id = line(&commit.to_string());
        folder.enter("refs/heads")?;
        if let Some(branch) = &self.branch {
            folder.file("HEAD", &line(&format!("ref: {branch}")))?;
            folder.file(branch, &id)?;
        } else {
            folder.file("HEAD", &id)?;
        }
        folder.file("config", self.config(objects).as_bytes())?;
        folder.file("shallow", &id)?;
        // Next to the clone, on the disk with space for a repository.
        let scratch = tempfile::tempdir_in(objects.repository().git_dir()).map_err(failed("the pack"))?;
        folder.file_on_disk("index", index(objects, tree, paths, scratch.path())?)?;
        let indexed = write_indexed(objects, commit, scratch.path())?;
        let kept = [indexed.data_path.as_deref(), indexed.index_path.as_deref()];
        for path in kept.into_iter().flatten() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let file = File::open(path).map_err(failed("the pack"))?;
            folder.file_on_disk(&format!("objects/pack/{name}"), file)?;
        }
        Ok(())
    }

    fn config(&self, objects: &Objects<'_>) -> String {
        let hash = objects.repository().object_hash();
        let format = if hash == gix::hash::Kind::Sha1 { "0" } else { "1" };
        let extension = if hash == gix::hash::Kind::Sha1 { "" } else { "[extensions]\n\tobjectFormat = sha256\n" };
        format!(
            "[core]\n\trepositoryformatversion = {format}\n\tfilemode = true\n\tbare = false\n{extension}[remote \"origin\"]\n\t\
             url = \"{}\"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
            self.url.replace('\\', "\\\\").replace('"', "\\\"")
        )
    }
}

/// The folder while it is written: every folder once.
struct Folder<'a, W> {
    zip: &'a mut Writer<W>,
    written: HashSet<String>,
    objects: &'a Objects<'a>,
}

impl<W: Write> Folder<'_, W> {
    fn file(&mut self, name: &str, content: &[u8]) -> Result<(), ArchiveError> {
        let path = self.place(name)?;
        Ok(self.zip.file(path.as_bstr(), 0o100_644, &Content::stored(content))?)
    }

    fn file_on_disk(&mut self, name: &str, file: File) -> Result<(), ArchiveError> {
        let path = self.place(name)?;
        Ok(self.zip.file_on_disk(path.as_bstr(), 0o100_644, ReadUntil(file, self.objects.interrupt()))?)
    }

    /// The path of a file in the zip. Writes its folders before.
    fn place(&mut self, name: &str) -> Result<BString, ArchiveError> {
        self.enter(name.rsplit_once('/').map_or("", |(above, _)| above))?;
        Ok(format!(".git/{name}").into())
    }

    /// Writes a folder and its missing parents.
    fn enter(&mut self, name: &str) -> Result<(), ArchiveError> {
        let path = if name.is_empty() { ".git".to_owned() } else { format!(".git/{name}") };
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for above in ends.filter_map(|end| path.get(..end)) {
            if self.written.insert(above.to_owned()) {
                self.zip.folder(above.into())?;
            }
        }
        Ok(())
    }
}

/// Writes the index of the tree to a file in `folder`: memory may not suffice for it as well. Files
/// missing from the zip are marked as skipped, so that Git doesn't consider them deleted.
fn index(objects: &Objects<'_>, tree: ObjectId, paths: &Paths, folder: &Path) -> Result<File, ArchiveError> {
    let mut index = objects.repository().index_from_tree(&tree).map_err(failed("the index"))?;
    let mut inclusion = Inclusion::of(paths);
    for (entry, path) in index.entries_mut_with_paths() {
        if !inclusion.include(path) {
            entry.flags |= Flags::EXTENDED | Flags::SKIP_WORKTREE;
        }
    }
    let mut out = BufWriter::new(tempfile::tempfile_in(folder).map_err(failed("the index"))?);
    index.write_to(&mut out, gix::index::write::Options::default()).map_err(failed("the index"))?;
    let mut file = out.into_inner().map_err(|error| failed("the index")(error.into_error()))?;
    file.rewind().map_err(failed("the index"))?;
    Ok(file)
}

/// Writes a pack of the commit, and the pack's index.
fn write_indexed(objects: &Objects<'_>, commit: ObjectId, folder: &Path) -> Result<write::Outcome, ArchiveError> {
    let path = folder.join("new");
    let mut out = BufWriter::new(File::create(&path).map_err(failed("the pack"))?);
    commit_pack::write(objects, commit, &mut out).map_err(|error| match error {
        ArchiveError::Write(source) => failed("the pack")(source),
        error => error,
    })?;
    out.flush().map_err(failed("the pack"))?;
    let mut new = BufReader::new(File::open(&path).map_err(failed("the pack"))?);
    let hash = objects.repository().object_hash();
    let options = write::Options::default();
    Bundle::write_to_directory(&mut new, Some(folder), &mut Discard, objects.interrupt(), None::<Never>, hash, options)
        .map_err(failed("the pack's index"))
}
