//! Generates realistic repositories that are the same everywhere: source text with a vocabulary,
//! binaries, a history. They are streamed into `git fast-import`, so that their size isn't limited
//! by the machine's memory.

mod content;
mod random;

use std::collections::HashMap;
use std::io::{self, Write};

use content::Kind;
use random::Random;

/// A part of the names of generated repositories. Increase it to generate new ones.
pub(crate) const VERSION: u32 = 2;

/// The time of the first commit. Every other one follows an hour after the previous one.
const FIRST_COMMIT: u64 = 1_750_000_000;

/// The shape of a repository.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The number of files in the tree.
    pub(crate) files: u64,
    /// The approximate size of all files, in bytes.
    pub(crate) bytes: u64,
    /// The percentage of files with random bytes, like pictures and archives.
    pub(crate) random_percent: u64,
    /// The percentage of files with bytes that compress to half, like programs.
    pub(crate) half_percent: u64,
    /// The length of the history.
    pub(crate) commits: u64,
    /// The number of files that each further commit changes.
    pub(crate) changed: u64,
}

impl Shape {
    /// The size of Git's own repository.
    pub(crate) const GIT: Self =
        Self { files: 5_000, bytes: 45 << 20, random_percent: 0, half_percent: 0, commits: 400, changed: 25 };
    /// A service with its configuration.
    pub(crate) const SMALL: Self =
        Self { files: 200, bytes: 2 << 20, random_percent: 0, half_percent: 0, commits: 50, changed: 5 };
    /// A monorepo.
    pub(crate) const LARGE: Self =
        Self { files: 100_000, bytes: 1 << 30, random_percent: 10, half_percent: 10, commits: 50, changed: 40 };
    /// Four times the size with as many files.
    pub(crate) const HUGE: Self = Self { bytes: 4 << 30, ..Self::LARGE };
    /// One file that is larger than a function's memory.
    pub(crate) const SINGLE: Self =
        Self { files: 1, bytes: 2 << 30, random_percent: 0, half_percent: 100, commits: 1, changed: 0 };
    /// Its pack has about 100 MB, which take five seconds at 20 MB/s.
    pub(crate) const HEAVY: Self =
        Self { files: 4_000, bytes: 150 << 20, random_percent: 60, half_percent: 0, commits: 20, changed: 10 };
    /// Its zip has about 1 GB.
    pub(crate) const DOWNLOAD: Self =
        Self { files: 20_000, bytes: 1_450 << 20, random_percent: 60, half_percent: 0, commits: 1, changed: 0 };
}

/// The sizes of files: eighths of the mean, which add up to sixteen means.
const SIZES: [u64; 16] = [1, 1, 2, 2, 3, 4, 4, 6, 6, 8, 8, 10, 12, 16, 20, 25];

/// A repository that is streamed to `git fast-import`.
struct Repository {
    shape: Shape,
    seed: u64,
    /// How often a block of a file was changed, if at all, by file and block.
    edits: HashMap<(u64, u64), u64>,
}

/// Writes the whole repository as a stream for `git fast-import`. It depends only on the shape and
/// the seed.
pub(crate) fn write(shape: Shape, seed: u64, mut out: impl Write) -> io::Result<()> {
    let mut repository = Repository { shape, seed, edits: HashMap::new() };
    commit(&mut out, 0, "Begin")?;
    for file in 0..shape.files {
        repository.file(&mut out, file)?;
    }
    for number in 1..shape.commits {
        commit(&mut out, number, &format!("Change {} files", shape.changed))?;
        repository.change(&mut out, number)?;
    }
    writeln!(out, "done")
}

fn commit(out: &mut impl Write, number: u64, message: &str) -> io::Result<()> {
    let time = FIRST_COMMIT + number * 3600;
    writeln!(out, "commit refs/heads/main")?;
    writeln!(out, "committer Bench <bench@example.org> {time} +0000")?;
    writeln!(out, "data {}\n{message}", message.len())
}

impl Repository {
    /// Changes one block in each of some files.
    fn change(&mut self, out: &mut impl Write, commit: u64) -> io::Result<()> {
        let mut random = Random::of(&[self.seed, commit, 1]);
        for _ in 0..self.shape.changed {
            let file = random.below(self.shape.files);
            let block = random.below(self.blocks(file));
            *self.edits.entry((file, block)).or_default() += 1;
            self.file(out, file)?;
        }
        Ok(())
    }

    fn file(&self, out: &mut impl Write, file: u64) -> io::Result<()> {
        let mode = if file % 50 == 7 { "100755" } else { "100644" };
        let kind = self.kind(file);
        writeln!(out, "M {mode} inline {}", path(file, kind))?;
        let blocks = self.blocks(file);
        writeln!(out, "data {}", (0..blocks).map(|block| self.length(file, block)).sum::<usize>())?;
        for block in 0..blocks {
            let mut random = Random::of(&[self.seed, file, block, self.edits(file, block), 2]);
            out.write_all(&content::block(kind, &mut random)[..self.length(file, block)])?;
        }
        writeln!(out)
    }

    fn edits(&self, file: u64, block: u64) -> u64 {
        self.edits.get(&(file, block)).copied().unwrap_or_default()
    }

    /// A changed block may become shorter: Git uses the longest version of a file as the base of
    /// the others, so that a third of all files are deltas in their current version, too.
    fn length(&self, file: u64, block: u64) -> usize {
        let edits = self.edits(file, block);
        let mut random = Random::of(&[self.seed, file, block, edits, 5]);
        let shorter = edits > 0 && random.below(4) == 0;
        content::BLOCK_LENGTH - if shorter { usize::try_from(random.below(512)).unwrap_or_default() } else { 0 }
    }

    fn kind(&self, file: u64) -> Kind {
        let Shape { random_percent, half_percent, .. } = self.shape;
        match Random::of(&[self.seed, file, 3]).below(100) {
            percent if percent < random_percent => Kind::Random,
            percent if percent < random_percent + half_percent => Kind::Half,
            _ => Kind::Text,
        }
    }

    fn blocks(&self, file: u64) -> u64 {
        let mean = self.shape.bytes / self.shape.files;
        // With few files, the sizes don't average out.
        let eighths = if self.shape.files < 16 { 8 } else { SIZES[usize::try_from(file % 16).unwrap_or_default()] };
        (mean * eighths / 8).div_ceil(content::BLOCK).max(1)
    }
}

/// Thirty files per folder, thirty folders per folder.
fn path(file: u64, kind: Kind) -> String {
    let (folder, name) = (file / 30, content::name(file));
    format!("{}/{}/{name}_{file}.{}", content::name(folder / 30 + 7), content::name(folder), kind.extension())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Shape =
        Shape { files: 40, bytes: 80 << 10, random_percent: 20, half_percent: 20, commits: 5, changed: 3 };

    fn stream(seed: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(SMALL, seed, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn same_seed_gives_identical_bytes() {
        assert_eq!(stream(1), stream(1));
        assert_ne!(stream(1), stream(2));
        // The original value: a change of the generator needs another VERSION.
        let sum = stream(1).iter().fold(0u32, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte));
        assert_eq!((stream(1).len(), sum), (114_647, 642_720_792));
    }
}
