//! Converts an archive, and reads the result with other tools.

use std::{
    io::{Cursor, Write},
    process::{Command, Stdio},
};

use git_repository::{Tree, tree};
use provider_zip::{ProviderError, ProviderSummary, ProviderZip, TopFolder, copy_zip};

/// Limits that suffice for all but the largest tests.
pub(crate) const MAX: u64 = 64 << 20;

/// An archive whose top folder is dropped.
pub(crate) const TOP: ProviderZip<'static> =
    ProviderZip { top_folder: TopFolder::Always, commit: None, max_bytes: MAX };

/// An archive without a top folder.
pub(crate) const FLAT: ProviderZip<'static> = ProviderZip { top_folder: TopFolder::Never, ..TOP };

/// Our zip.
pub(crate) fn take(archive: &[u8], expected: &ProviderZip<'_>) -> Result<(Vec<u8>, ProviderSummary), ProviderError> {
    let mut zip = Vec::new();
    let summary = copy_zip(archive, expected, &mut zip)?;
    assert_eq!((summary.bytes, summary.received), (zip.len() as u64, archive.len() as u64));
    assert_eq!(summary.entries, tree(&zip).len() as u64);
    Ok((zip, summary))
}

/// The tree of our zip.
pub(crate) fn taken(archive: &[u8], expected: &ProviderZip<'_>) -> Tree {
    tree(&take(archive, expected).unwrap().0)
}

/// The error. The output up to then isn't a zip.
pub(crate) fn refused(archive: &[u8], expected: &ProviderZip<'_>) -> ProviderError {
    let mut zip = Vec::new();
    let error = copy_zip(archive, expected, &mut zip).unwrap_err();
    assert!(zip::ZipArchive::new(Cursor::new(zip)).is_err(), "a zip was finished in spite of {error:?}");
    error
}

/// Runs a program on `input` and returns its output.
pub(crate) fn run(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{program} {arguments:?}");
    output.stdout
}
