//! The functions' zips, made once for all tests of a run. For each test, packaging and unpacking
//! took half of the time.

use std::fs::{self, File};
use std::io::{ErrorKind, copy};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use deployment::package::{self, Manifest, Packaging, Profile, Target};
use deployment::render::progress::Progress;
use zip::ZipArchive;

/// The variable that names the folder of a run's zips.
const VARIABLE: &str = "PACKAGED_FUNCTIONS";

/// The folder in it with the functions as Lambda unpacks them, by the SHA-256 of their zips.
const UNPACKED: &str = "unpacked";

/// Builds the functions for this machine and zips them into `dist`.
///
/// # Errors
/// They don't build.
pub fn package(dist: &Path, progress: &mut dyn Progress) -> Result<Manifest> {
    let packaging = Packaging { target: Target::Host, profile: Profile::Dev, dist: dist.to_owned() };
    package::package(&packaging, progress).context("package the functions")
}

/// The same for all tests of a run, whose `PACKAGED_FUNCTIONS` names `dist` as an absolute path.
///
/// # Errors
/// They don't build, or can't be unpacked.
pub fn package_for_run(dist: &Path, progress: &mut dyn Progress) -> Result<()> {
    let manifest = package(dist, progress)?;
    let unpacked = dist.join(UNPACKED);
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).context("remove the functions of an earlier run")?;
    }
    for asset in manifest.assets {
        let folder = unpacked.join(&asset.sha256);
        fs::create_dir_all(&folder)?;
        let mut zip = ZipArchive::new(File::open(dist.join("assets").join(&asset.file))?)?;
        let mut bootstrap = File::options().write(true).create_new(true).mode(0o755).open(folder.join("bootstrap"))?;
        copy(&mut zip.by_name("bootstrap")?, &mut bootstrap).with_context(|| format!("unpack {}", asset.file))?;
    }
    Ok(())
}

/// The folder of the run's zips, if they were made.
fn of_run() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

/// The folder of the run's unpacked functions, for the emulator.
pub(crate) fn unpacked() -> Option<PathBuf> {
    Some(of_run()?.join(UNPACKED))
}

/// Makes the run's zips those of `dist`. Returns whether there are any.
pub(crate) fn link(dist: &Path) -> Result<bool> {
    let Some(run) = of_run() else { return Ok(false) };
    fs::create_dir_all(dist)?;
    fs::copy(run.join("assets.json"), dist.join("assets.json"))
        .with_context(|| format!("use the functions in {}, which {VARIABLE} names", run.display()))?;
    match symlink(run.join("assets"), dist.join("assets")) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error).context("link the functions' zips"),
        _ => Ok(true),
    }
}
