//! Which names an archive's entries may have, next to one another: each leads into the folder that
//! the zip is unpacked into, no two are the same, and nothing is inside of what is no folder. So no
//! order of unpacking follows a link.

use std::{collections::HashMap, rc::Rc};

use bstr::{BStr, BString, ByteSlice};

use crate::error::ProviderError;
use zip_writer::path;

/// An entry's whole path in the archive, its top folder included, without a slash at its end.
pub(crate) type Path = Rc<[u8]>;

/// What the name of an entry says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    /// A file or a link: only the archive's directory knows which.
    File,
}

/// What a path is taken by.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    File,
    Folder,
    /// A folder that has no entry yet, but something in it.
    Implied,
}

/// The names until now.
pub(crate) struct Names {
    taken: HashMap<Path, Taken>,
    /// How much memory is left for names and what is kept with them.
    room: usize,
}

/// A name that is legal and was free.
#[derive(Debug)]
pub(crate) struct Name {
    pub(crate) path: Path,
    pub(crate) kind: Kind,
    /// The folders that it is in and that are new by it, outermost first.
    pub(crate) implied: Vec<Path>,
    /// It was itself implied, by something in it.
    pub(crate) known: bool,
}

/// About what memory an entry takes, but for its path, which is held twice.
const ENTRY: usize = 256;

impl Names {
    /// With so much memory for names and what is kept with them.
    pub(crate) fn new(room: usize) -> Self {
        Self { taken: HashMap::new(), room }
    }

    /// Takes an entry's name, in which a slash at the end means a folder.
    pub(crate) fn take(&mut self, name: &BStr) -> Result<Name, ProviderError> {
        let (bare, kind, taken) = match name.strip_suffix(b"/") {
            Some(bare) => (bare, Kind::Folder, Taken::Folder),
            None => (name.as_bytes(), Kind::File, Taken::File),
        };
        let path = legal(bare).ok_or_else(|| ProviderError::Path { path: name.to_owned() })?;
        let path = self.charge(path.as_slice())?;
        let known = match self.taken.insert(Rc::clone(&path), taken) {
            None => false,
            Some(Taken::Implied) if kind == Kind::Folder => true,
            Some(_) => return Err(ProviderError::Collision { path: name.to_owned() }),
        };
        let implied = self.imply(&path, name)?;
        Ok(Name { path, kind, implied, known })
    }

    fn imply(&mut self, path: &[u8], name: &BStr) -> Result<Vec<Path>, ProviderError> {
        let mut implied = Vec::new();
        for end in path.rfind_iter("/") {
            let folder = path.get(..end).unwrap_or_default();
            match self.taken.get(folder) {
                // The folders that it is in are taken, then.
                Some(Taken::Folder | Taken::Implied) => break,
                Some(Taken::File) => return Err(ProviderError::Collision { path: name.to_owned() }),
                None => {
                    let folder = self.charge(folder)?;
                    self.taken.insert(Rc::clone(&folder), Taken::Implied);
                    implied.push(folder);
                }
            }
        }
        implied.reverse();
        Ok(implied)
    }

    fn charge(&mut self, path: &[u8]) -> Result<Path, ProviderError> {
        self.room = self.room.checked_sub(ENTRY + 2 * path.len()).ok_or(ProviderError::TooMany)?;
        Ok(path.into())
    }
}

/// The path, if it could be in a commit's tree too.
fn legal(path: &[u8]) -> Option<BString> {
    let mut parts = path.split(|byte| *byte == b'/');
    let path = parts.try_fold(BString::default(), |parent, part| path::join(parent.as_bstr(), part.as_bstr()).ok())?;
    (!path.contains(&0)).then_some(path)
}
