//! Packages the functions for Lambda: one zip per function, named by its content. So an unchanged
//! function is uploaded only once, and the template changes exactly when the code does.

mod bill;
mod bundle;
mod cargo;
mod glibc;
mod manifest;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

pub use bill::{BillError, bills};
pub use cargo::BuildError;
pub use cargo::cargo;
pub use manifest::{Architecture, Asset, Manifest, ManifestError};

use crate::render::progress::Progress;

/// The binary name of every function, which is also its name in [`Manifest`].
pub const FUNCTIONS: [&str; 6] = ["webhook", "gitpull", "zipdl", "reconciler", "ssh-key", "bucket-cleaner"];

/// The arguments that limit Cargo to the functions' packages.
fn only_functions() -> impl Iterator<Item = String> {
    FUNCTIONS.into_iter().map(|function| format!("--package=git2s3-{function}"))
}

/// What the binaries are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Lambda on AWS: an explicit target, so that the host's own build artifacts stay untouched,
    /// and a glibc no newer than the one of `provided.al2023`.
    Lambda(Architecture),
    /// This machine: the local cloud runs the binaries as processes, from the target directory that
    /// tests share.
    Host,
}

impl Target {
    /// The architecture of the binaries.
    ///
    /// # Errors
    /// This machine's processor is neither of the two that Lambda has.
    pub fn architecture(self) -> Result<Architecture, PackageError> {
        match self {
            Self::Lambda(architecture) => Ok(architecture),
            Self::Host => Architecture::of_this_machine()
                .ok_or_else(|| PackageError::Processor { processor: std::env::consts::ARCH.to_owned() }),
        }
    }
}

/// The Cargo profile of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Small and fast binaries that build slowly: for AWS.
    Release,
    /// The profile that the tests build anyway: for the local cloud.
    Dev,
}

/// What to package, and where to.
#[derive(Debug, Clone)]
pub struct Packaging {
    /// What the binaries are built for.
    pub target: Target,
    /// The Cargo profile.
    pub profile: Profile,
    /// The directory that receives `assets.json`, `assets/*.zip` and, of what is for AWS,
    /// `*.cdx.json`; created if missing.
    pub dist: PathBuf,
}

/// Why packaging failed.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Lambda doesn't support this machine's processor, so the local cloud can't run functions on
    /// it.
    #[error("functions run on arm64 and x86_64, this machine is {processor}")]
    Processor {
        /// The processor, as Rust calls it.
        processor: String,
    },
    /// The binaries could not be built.
    #[error("cannot build the functions")]
    Build(#[source] BuildError),
    /// A binary could not be read or zipped.
    #[error("cannot zip {}", binary.display())]
    Zip {
        /// The binary.
        binary: PathBuf,
        /// What the zip writer or the file system said.
        source: std::io::Error,
    },
    /// The binary would not start on Lambda.
    #[error("{function} needs glibc 2.{needs}, provided.al2023 has 2.{has}", has = glibc::NEWEST_ON_LAMBDA)]
    Glibc {
        /// The function.
        function: &'static str,
        /// The minor version of glibc 2 that it needs.
        needs: u32,
    },
    /// A zip could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The bills of materials could not be made.
    #[error("cannot say what the functions are made of")]
    Bill(#[source] BillError),
    /// The list of assets could not be written.
    #[error("cannot list the assets")]
    Manifest(#[source] ManifestError),
}

impl PackageError {
    /// What to do about it, if known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Build(error) => error.hint(),
            Self::Glibc { .. } => Some("build on Debian 12, Ubuntu 22.04 or Amazon Linux 2023".to_owned()),
            _ => None,
        }
    }
}

/// Builds every function, writes the zips to `dist/assets/`, their bills of materials to
/// `dist/{function}.cdx.json`, and then `dist/assets.json`. Zips of earlier builds are removed. The
/// same binaries give the same bytes.
///
/// # Errors
/// See [`PackageError`].
pub fn package(packaging: &Packaging, progress: &mut dyn Progress) -> Result<Manifest, PackageError> {
    let architecture = packaging.target.architecture()?;
    progress.step(&format!("building {} functions for {architecture}", FUNCTIONS.len()));
    let begun = Instant::now();
    let binaries = cargo::build(packaging.target, packaging.profile).map_err(PackageError::Build)?;
    progress.step(&format!("built in {:.1} s", begun.elapsed().as_secs_f64()));

    let begun = Instant::now();
    let directory = packaging.dist.join("assets");
    fs::create_dir_all(&directory).map_err(|source| PackageError::Write { path: directory.clone(), source })?;
    let assets = thread::scope(|scope| {
        let zips: Vec<_> = binaries
            .iter()
            .map(|(function, binary)| scope.spawn(|| zip(function, binary, packaging, &directory)))
            .collect();
        zips.into_iter()
            .map(|zip| zip.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Result<Vec<_>, _>>()
    })?;
    progress.step(&format!("zipped in {:.1} s", begun.elapsed().as_secs_f64()));

    let manifest = Manifest { architecture, assets };
    // The local cloud's functions share the features of the tests, and need no bill of materials.
    if let Target::Lambda(_) = packaging.target {
        write_bills(&manifest, &packaging.dist)?;
    }
    manifest.write(&packaging.dist).map_err(PackageError::Manifest)?;
    remove_others(&directory, &manifest).map_err(|source| PackageError::Write { path: directory, source })?;
    Ok(manifest)
}

fn zip(function: &'static str, binary: &Path, packaging: &Packaging, directory: &Path) -> Result<Asset, PackageError> {
    let failed = |source| PackageError::Zip { binary: binary.to_owned(), source };
    let bootstrap = fs::read(binary).map_err(failed)?;
    if let Target::Lambda(_) = packaging.target {
        let needs = glibc::newest_needed(&bootstrap).map_err(|error| failed(std::io::Error::other(error)))?;
        if needs > glibc::NEWEST_ON_LAMBDA {
            return Err(PackageError::Glibc { function, needs });
        }
    }
    let zip = bundle::zip(&bootstrap, packaging.profile).map_err(|error| failed(std::io::Error::other(error)))?;
    let asset = Asset::of(function, &zip);
    let path = directory.join(&asset.file);
    manifest::replace(&path, &zip).map_err(|source| PackageError::Write { path, source })?;
    Ok(asset)
}

fn write_bills(manifest: &Manifest, dist: &Path) -> Result<(), PackageError> {
    for (function, bill) in bills(manifest).map_err(PackageError::Bill)? {
        let path = dist.join(format!("{function}.cdx.json"));
        manifest::replace(&path, &bill).map_err(|source| PackageError::Write { path, source })?;
    }
    Ok(())
}

fn remove_others(directory: &Path, manifest: &Manifest) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let stale = path.extension().is_some_and(|extension| extension == "zip")
            && !manifest.assets.iter().any(|asset| path.ends_with(&asset.file));
        if stale {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packaging_removes_only_outdated_zips() {
        let directory = tempfile::tempdir().unwrap();
        let asset = Asset::of("webhook", b"new");
        for name in [asset.file.as_str(), "webhook-0000000000000000.zip", "notes.txt"] {
            fs::write(directory.path().join(name), name).unwrap();
        }
        let manifest = Manifest { architecture: Architecture::Arm64, assets: vec![asset.clone()] };
        remove_others(directory.path(), &manifest).unwrap();
        let mut left: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["notes.txt".to_owned(), asset.file]);
    }
}
