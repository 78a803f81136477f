//! Selects the entries of a tree that go into the zip, in order, by attributes, `Paths` and
//! submodules.

use gix::{
    bstr::{BString, ByteSlice},
    objs::tree::EntryKind,
};

use crate::{
    attributes::{Attributes, Purpose, Steps, Treatment},
    convert::Conversion,
    error::ArchiveError,
    lfs::{self, Filtered},
    objects::Objects,
    options::{Options, Submodule},
    paths::Inclusion,
    subst::Commit,
    tree::{Entry, Folders, Walk},
};

/// A tree to zip, with a prefix that is empty or ends in a slash.
pub(crate) struct Root<'a> {
    pub(crate) objects: &'a Objects<'a>,
    pub(crate) commit: &'a Commit<'a>,
    pub(crate) prefix: BString,
    pub(crate) steps: &'a Steps,
}

impl Root<'_> {
    /// The path of its submodule. Empty for the repository itself.
    pub(crate) fn submodule(&self) -> BString {
        self.prefix.strip_suffix(b"/").unwrap_or_default().into()
    }

    fn at(&self, path: &BString) -> BString {
        [self.prefix.as_slice(), path].concat().into()
    }
}

/// The selected entries of a tree.
pub(crate) struct Selection<'a> {
    root: &'a Root<'a>,
    options: &'a Options,
    lfs: bool,
    attributes: Attributes<'a>,
    walk: Walk<'a>,
    folders: Folders,
    inclusion: Inclusion<'a>,
}

/// A selected item.
pub(crate) struct Selected<'a> {
    /// The folders to write before it, outermost first.
    pub(crate) folders: Vec<BString>,
    /// Its path in the zip.
    pub(crate) path: BString,
    /// The entry. `None` if only its folders or the submodule's content go into the zip.
    pub(crate) file: Option<File>,
    /// The submodule whose files come next.
    pub(crate) submodule: Option<&'a Submodule>,
}

/// An entry of a tree, and how it is zipped.
pub(crate) struct File {
    pub(crate) entry: Entry,
    pub(crate) conversion: Conversion,
    pub(crate) filtered: Filtered,
}

impl<'a> Selection<'a> {
    /// The entries of `root`, with or without detecting Git LFS pointers.
    pub(crate) fn of(root: &'a Root<'a>, options: &'a Options, lfs: bool) -> Result<Self, ArchiveError> {
        let Root { objects, commit, steps, .. } = root;
        // Unsafe names are refused before the first byte is written.
        Walk::through(objects, commit.tree())?;
        let mut attributes = Attributes::new(objects, steps, options.purpose());
        let walk = Walk::new(objects, commit.tree())?;
        attributes.enter("".into(), walk.attributes())?;
        let inclusion = Inclusion::of(&options.paths);
        Ok(Self { root, options, lfs, attributes, walk, folders: Folders::default(), inclusion })
    }

    /// The next item. `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Selected<'a>>, ArchiveError> {
        while let Some(entry) = self.walk.next() {
            self.root.objects.go_on()?;
            let treatment = self.attributes.treatment(&entry)?;
            if entry.kind == EntryKind::Tree {
                if treatment != Treatment::LeftOut {
                    self.walk.enter(&entry)?;
                    self.attributes.enter(entry.path.as_bstr(), self.walk.attributes())?;
                    self.folders.enter(entry.path);
                }
                continue;
            }
            let path = self.root.at(&entry.path);
            let mut submodules = self.options.submodules.iter().filter(|_| entry.kind == EntryKind::Commit);
            let submodule = submodules.find(|submodule| submodule.path == path);
            let included = self.inclusion.include(path.as_bstr());
            if submodule.is_none() && !included {
                continue;
            }
            let folders = self.folders.before(&entry.path);
            let folders = folders.iter().map(|folder| self.root.at(folder)).collect();
            let Treatment::Kept(conversion) = treatment else {
                return Ok(Some(Selected { folders, path, file: None, submodule: None }));
            };
            let file = if included { Some(self.file(entry, conversion, &path)?) } else { None };
            return Ok(Some(Selected { folders, path, file, submodule }));
        }
        Ok(None)
    }

    fn file(&self, entry: Entry, conversion: Conversion, path: &BString) -> Result<File, ArchiveError> {
        let is_blob = matches!(entry.kind, EntryKind::Blob | EntryKind::BlobExecutable);
        let filtered = if self.lfs && conversion.lfs && is_blob {
            lfs::filtered(self.root.objects, entry.id, path)?
        } else {
            Filtered::Itself
        };
        Ok(File { entry, conversion, filtered })
    }
}

impl Options {
    /// What the files are for.
    pub(crate) fn purpose(&self) -> Purpose {
        if self.dot_git.is_some() { Purpose::WorkTree } else { Purpose::Archive }
    }
}

impl Submodule {
    /// Enters the submodule.
    pub(crate) fn enter<T>(
        &self,
        around: &Root<'_>,
        go: impl FnOnce(&Root<'_>) -> Result<T, ArchiveError>,
    ) -> Result<T, ArchiveError> {
        let objects = Objects::of(&self.clone, around.objects.interrupt());
        let commit = Commit::read(&objects, self.commit)?;
        let prefix = [self.path.as_slice(), b"/"].concat().into();
        go(&Root { objects: &objects, commit: &commit, prefix, steps: around.steps })
    }
}
