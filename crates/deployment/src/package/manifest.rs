//! `dist/assets.json`: the packaged zips, so that the template can name them and the deployment can
//! upload them without a build.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::typed::typed;

/// A processor that Lambda supports; written as [Lambda's `Architectures`][aws] writes it.
///
/// [aws]: https://docs.aws.amazon.com/lambda/latest/dg/foundation-arch.html
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Architecture {
    /// AWS Graviton: the default, a fifth cheaper per second.
    #[serde(rename = "arm64")]
    #[value(name = "arm64")]
    Arm64,
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    #[value(name = "x86_64")]
    X86_64,
}

impl Architecture {
    /// The processor of this machine, if Lambda supports it.
    pub fn of_this_machine() -> Option<Self> {
        match std::env::consts::ARCH {
            "aarch64" => Some(Self::Arm64),
            "x86_64" => Some(Self::X86_64),
            _ => None,
        }
    }

    /// The name that Lambda uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    /// The Rust target of Lambda functions on it.
    pub fn rust_target(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One function's zip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// The function, by its binary's name.
    pub function: String,
    /// The zip in `dist/assets/` and, behind the key prefix, in the asset bucket:
    /// `{function}-{sha256, 16 digits}.zip`.
    pub file: String,
    /// The zip's size in bytes.
    pub size: u64,
    /// The zip's SHA-256 in lower-case hex.
    pub sha256: String,
}

impl Asset {
    /// The asset for the `zip` of `function`.
    pub(super) fn of(function: &str, zip: &[u8]) -> Self {
        let sha256 = hex::encode(Sha256::digest(zip));
        let file = format!("{function}-{sha256:.16}.zip");
        Self { function: function.to_owned(), file, size: zip.len() as u64, sha256 }
    }
}

/// What was packaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The processor that the functions were built for.
    pub architecture: Architecture,
    /// One per function.
    pub assets: Vec<Asset>,
}

/// Why the list of assets can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The file is not a list of assets.
    #[error("cannot understand {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        source: serde_json::Error,
    },
    /// The file can't be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
}

impl ManifestError {
    /// What to do about it, if known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some(format!("{} builds the functions and writes it", typed("package")))
            }
            Self::Parse { .. } => Some(format!("{} writes it anew", typed("package"))),
            _ => None,
        }
    }
}

impl Manifest {
    /// The asset of `function`, by its binary's name.
    pub fn find(&self, function: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.function == function)
    }

    /// Reads `assets.json` of the directory `dist`.
    ///
    /// # Errors
    /// The file can't be read or understood.
    pub fn read(dist: &Path) -> Result<Self, ManifestError> {
        let path = path(dist);
        let bytes = fs::read(&path).map_err(|source| ManifestError::Read { path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|source| ManifestError::Parse { path, source })
    }

    /// Writes `assets.json` into the directory `dist`.
    pub(super) fn write(&self, dist: &Path) -> Result<(), ManifestError> {
        let path = path(dist);
        let written = serde_json::to_vec_pretty(self).map_err(std::io::Error::from).and_then(|mut json| {
            json.push(b'\n');
            replace(&path, &json)
        });
        written.map_err(|source| ManifestError::Write { path, source })
    }
}

fn path(dist: &Path) -> PathBuf {
    dist.join("assets.json")
}

/// Writes a file atomically: a reader sees the old or the new content, never a part.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_survives_write_and_read() {
        let dist = tempfile::tempdir().unwrap();
        let manifest = Manifest { architecture: Architecture::X86_64, assets: vec![Asset::of("webhook", b"zip")] };
        manifest.write(dist.path()).unwrap();
        assert_eq!(Manifest::read(dist.path()).unwrap(), manifest);
        insta::assert_snapshot!(fs::read_to_string(dist.path().join("assets.json")).unwrap(), @r#"
        {
          "architecture": "x86_64",
          "assets": [
            {
              "function": "webhook",
              "file": "webhook-4a70fe9aa6436e02.zip",
              "size": 3,
              "sha256": "4a70fe9aa6436e02c2dea340fbd1e352e4ef2d8ce6ca52ad25d4b95471fc8bf2"
            }
          ]
        }
        "#);
    }

    #[test]
    fn missing_manifest_hint_names_package_command() {
        let dist = tempfile::tempdir().unwrap();
        let error = Manifest::read(dist.path()).unwrap_err();
        assert!(error.hint().unwrap().contains("`infra package`"), "{error}");
        fs::write(dist.path().join("assets.json"), "{").unwrap();
        assert!(matches!(Manifest::read(dist.path()), Err(ManifestError::Parse { .. })));
    }
}
