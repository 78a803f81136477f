//! Writes the template: in JSON for CloudFormation, in YAML for readers.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use cfn::{Template, TemplateError};

use crate::{
    package::{Manifest, ManifestError},
    stack,
};

/// Why the template can't be made or written.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// The list of packaged functions exists but can't be read.
    #[error("cannot tell which functions were packaged")]
    Assets(#[source] ManifestError),
    /// The stack breaks a rule of CloudFormation.
    #[error("the stack can't become a template")]
    Template(#[source] TemplateError),
    /// A file can't be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
}

/// The template for the functions that were packaged into the directory `dist`, or else for zips
/// that are named after the functions.
///
/// # Errors
/// See [`SynthError`].
pub fn synthesize(dist: &Path) -> Result<Template, SynthError> {
    let assets = match Manifest::read(dist) {
        Ok(assets) => Some(assets),
        Err(ManifestError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(SynthError::Assets(error)),
    };
    stack::template(assets.as_ref()).map_err(SynthError::Template)
}

/// Writes `git2s3.template.json` and `git2s3.template.yaml` into the directory `dist`, and returns
/// their paths.
///
/// # Errors
/// See [`SynthError`].
pub fn write(template: &Template, dist: &Path) -> Result<[PathBuf; 2], SynthError> {
    let write = |name: &str, text: &str| {
        let path = dist.join(name);
        let written = fs::create_dir_all(dist).and_then(|()| fs::write(&path, text));
        written.map(|()| path.clone()).map_err(|source| SynthError::Write { path, source })
    };
    Ok([write("git2s3.template.json", template.text())?, write("git2s3.template.yaml", &template.to_yaml())?])
}
