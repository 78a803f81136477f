//! The repositories of the cases, generated once and kept in `target/bench`.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use gix::objs::find::Never;

use crate::generate::{Shape, VERSION};
use crate::git;

/// The folder of all inputs.
#[derive(Debug)]
pub(crate) struct Inputs {
    dir: PathBuf,
}

impl Inputs {
    /// The inputs in the build's folder.
    pub(crate) fn new(target: &Path) -> Result<Self> {
        let dir = target.join(format!("bench/v{VERSION}"));
        fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        Ok(Self { dir })
    }

    /// A bare repository of this shape.
    pub(crate) fn repository(&self, name: &str, shape: Shape) -> Result<PathBuf> {
        self.once(&format!("{name}.git"), |new| {
            fs::create_dir_all(new)?;
            git::generate(new, shape)
        })
    }

    /// The bare clone of a repository after a fetch of one commit.
    pub(crate) fn shallow(&self, name: &str, of: &Path) -> Result<PathBuf> {
        self.once(&format!("{name}-shallow.git"), |new| {
            let url = format!("file://{}", of.display());
            git::run(&self.dir, &["clone", "--quiet", "--bare", "--depth=1", &url, &new.to_string_lossy()]).map(drop)
        })
    }

    /// The same with the pack as a function stores it.
    pub(crate) fn kept(&self, name: &str, of: &Path) -> Result<PathBuf> {
        let shallow = self.shallow(name, of)?;
        self.once(&format!("{name}-kept.git"), |new| {
            git::run(
                &self.dir,
                &["clone", "--quiet", "--bare", "--local", &shallow.to_string_lossy(), &new.to_string_lossy()],
            )?;
            fs::copy(shallow.join("shallow"), new.join("shallow"))?;
            receive_again(&new.join("objects/pack"))
        })
    }

    /// The zip that a Git host would send for a repository's commit.
    pub(crate) fn archive(&self, name: &str, of: &Path) -> Result<PathBuf> {
        self.once(&format!("{name}.zip"), |new| {
            let out = format!("--output={}", new.display());
            git::run(of, &["archive", "--format=zip", "--prefix=acme-rocket-0123abc/", &out, "HEAD"]).map(drop)
        })
    }

    /// Returns an existing input, or creates it: under another name until it is complete.
    fn once(&self, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let whole = self.dir.join(name);
        if !whole.exists() {
            crate::progress::progress(&format!("making {name}"));
            let new = self.dir.join(format!("new-{name}"));
            if new.is_dir() {
                fs::remove_dir_all(&new)?;
            }
            make(&new).with_context(|| format!("make {name}"))?;
            fs::rename(&new, &whole).with_context(|| format!("keep {name}"))?;
        }
        Ok(whole)
    }
}

/// Replaces git's pack in a folder by a received one.
fn receive_again(packs: &Path) -> Result<()> {
    let gits: Vec<_> = fs::read_dir(packs)?.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
    let pack = gits.iter().find(|file| file.extension().is_some_and(|extension| extension == "pack"));
    let pack = pack.with_context(|| format!("there is no pack in {}", packs.display()))?;
    let apart = tempfile::tempdir_in(packs)?;
    pack::receive(&mut BufReader::new(File::open(pack)?), apart.path(), &Never, &AtomicBool::new(false))?;
    for file in &gits {
        fs::remove_file(file)?;
    }
    for file in fs::read_dir(apart.path())? {
        let file = file?;
        fs::rename(file.path(), packs.join(file.file_name()))?;
    }
    Ok(())
}
