//! The contents of an archive in any format, to compare the zip in the bucket with `git archive` of
//! the same commit.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Cursor, Read as _};

use anyhow::{Context, Result, bail};

/// The files and links of an archive, by path. Git has no folders of their own.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, Entry>);

/// The modes that Git distinguishes: 100644, 100755 and 120000.
#[derive(Clone, PartialEq, Eq)]
enum Entry {
    File(Vec<u8>),
    Executable(Vec<u8>),
    Link(Vec<u8>),
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(bytes) => write!(f, "file of {} bytes", bytes.len()),
            Self::Executable(bytes) => write!(f, "executable of {} bytes", bytes.len()),
            Self::Link(target) => write!(f, "link to {}", String::from_utf8_lossy(target)),
        }
    }
}

impl Tree {
    /// Reads a zip.
    ///
    /// # Errors
    /// It is damaged, or an entry has a mode that Git doesn't know.
    pub fn of_zip(bytes: &[u8]) -> Result<Self> {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).context("open the zip")?;
        let mut tree = Self::default();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).context("open an entry of the zip")?;
            let name = file.name().context("read a path of the zip")?.into_owned();
            if file.is_dir() {
                continue;
            }
            let mode = file.unix_mode().with_context(|| format!("{name} has no mode"))?;
            let mut content = Vec::new();
            file.read_to_end(&mut content).with_context(|| format!("read {name} from the zip"))?;
            tree.insert(name, mode, content)?;
        }
        Ok(tree)
    }

    /// Reads a tar.
    ///
    /// # Errors
    /// As [`Tree::of_zip`].
    pub fn of_tar(bytes: &[u8]) -> Result<Self> {
        let mut tree = Self::default();
        for entry in tar::Archive::new(bytes).entries().context("open the tar")? {
            let mut entry = entry.context("open an entry of the tar")?;
            let name = String::from_utf8(entry.path_bytes().into_owned()).context("read a path of the tar")?;
            let permissions = entry.header().mode()?;
            match entry.header().entry_type() {
                tar::EntryType::Regular => {
                    let mut content = Vec::new();
                    entry.read_to_end(&mut content).with_context(|| format!("read {name} from the tar"))?;
                    tree.insert(name, REGULAR | permissions, content)?;
                }
                tar::EntryType::Symlink => {
                    let target = entry.link_name_bytes().context("read a link of the tar")?.into_owned();
                    tree.insert(name, LINK | permissions, target)?;
                }
                _ => {}
            }
        }
        Ok(tree)
    }

    /// The number of files and links.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many of them are links, and how many are executable.
    pub fn links_and_executables(&self) -> (usize, usize) {
        let count = |is: fn(&Entry) -> bool| self.0.values().filter(|entry| is(entry)).count();
        (count(|entry| matches!(entry, Entry::Link(_))), count(|entry| matches!(entry, Entry::Executable(_))))
    }

    /// This tree with another one below a prefix that ends in a slash.
    #[must_use]
    pub fn with(mut self, prefix: &str, other: Self) -> Self {
        self.0.extend(other.0.into_iter().map(|(path, entry)| (format!("{prefix}{path}"), entry)));
        self
    }

    /// A line for every differing path. Empty if the trees are the same.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let paths = self.0.keys().chain(other.0.keys().filter(|path| !self.0.contains_key(*path)));
        let unequal = paths.filter(|path| self.0.get(*path) != other.0.get(*path));
        unequal.map(|path| format!("{path}: {:?}, expected {:?}", self.0.get(path), other.0.get(path))).collect()
    }

    fn insert(&mut self, path: String, mode: u32, content: Vec<u8>) -> Result<()> {
        let entry = match mode & KIND {
            LINK => Entry::Link(content),
            REGULAR if mode & 0o111 == 0 => Entry::File(content),
            REGULAR => Entry::Executable(content),
            _ => bail!("{path} has the mode {mode:o}"),
        };
        if self.0.contains_key(&path) {
            bail!("{path} is there twice");
        }
        self.0.insert(path, entry);
        Ok(())
    }
}

const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;

    use super::*;

    fn zipped(mode: u32, content: &[u8]) -> Tree {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("a", SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        writer.write_all(content).unwrap();
        Tree::of_zip(writer.finish().unwrap().get_ref()).unwrap()
    }

    #[test]
    fn mode_content_and_missing_file_differ() {
        let plain = zipped(0o644, b"x");
        assert!(plain.differences(&zipped(0o600, b"x")).is_empty());
        assert_eq!(plain.differences(&zipped(0o755, b"x")).len(), 1);
        assert_eq!(plain.differences(&zipped(0o644, b"y")).len(), 1);
        assert_eq!(plain.differences(&Tree::default()).len(), 1);
        assert_eq!(Tree::default().differences(&plain).len(), 1);
    }
}
