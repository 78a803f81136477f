//! The zip that Lambda unpacks: one executable named `bootstrap`. It is deterministic, because its
//! name is its hash.

use std::io::{Cursor, Write};

use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::Profile;

/// Zips `bootstrap`. A release is compressed as much as possible, since every cold start downloads
/// it; a build for the local cloud is compressed fast.
pub(super) fn zip(bootstrap: &[u8], profile: Profile) -> ZipResult<Vec<u8>> {
    let level = match profile {
        Profile::Release => 9,
        Profile::Dev => 1,
    };
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options)?;
    zip.write_all(bootstrap)?;
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn same_binary_gives_identical_zip() {
        let binary = b"\x7fELF".repeat(10_000);
        for profile in [Profile::Release, Profile::Dev] {
            assert_eq!(zip(&binary, profile).unwrap(), zip(&binary, profile).unwrap());
        }
        assert_ne!(zip(&binary, Profile::Dev).unwrap(), zip(b"other", Profile::Dev).unwrap());
    }

    #[test]
    fn unzip_finds_one_executable_bootstrap() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("asset.zip");
        fs::write(&file, zip(b"#!/bin/sh\n", Profile::Release).unwrap()).unwrap();

        let listing = Command::new("unzip").arg("-Z").arg(&file).output().expect("unzip is installed");
        assert!(listing.status.success());
        let listing = String::from_utf8(listing.stdout).unwrap();
        let entries: Vec<_> = listing.lines().filter(|line| line.ends_with(" bootstrap")).collect();
        assert_eq!(entries.len(), 1, "{listing}");
        assert!(entries[0].starts_with("-rwxr-xr-x") && entries[0].contains("80-Jan-01 00:00"), "{listing}");
        assert!(listing.contains("number of entries: 1"), "{listing}");

        let unzipped = Command::new("unzip").arg("-q").arg(&file).arg("-d").arg(directory.path()).status().unwrap();
        assert!(unzipped.success());
        let bootstrap = directory.path().join("bootstrap");
        assert_eq!(fs::read(&bootstrap).unwrap(), b"#!/bin/sh\n");
        assert_eq!(fs::metadata(bootstrap).unwrap().permissions().mode() & 0o777, 0o755);
    }
}
