//! How much a test has tried, for the table of `just prove`: what is shown once and what is shown
//! ten million times look the same when both have passed. A crate of its own, so that tests of any
//! crate can tell.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Names the folder that tallies go to.
pub const FOLDER: &str = "GIT2S3_TALLIES";
/// Set for the long proofs.
pub const LONG: &str = "GIT2S3_LONG";

/// Notes that this test has tried so many cases. The last note counts.
///
/// # Panics
/// When the folder that `just prove` names can't be written to.
pub fn tried(cases: usize) {
    // One process is one test, and nextest tells it its name.
    if let (Some(folder), Ok(test)) = (env::var_os(FOLDER), env::var("NEXTEST_TEST_NAME")) {
        let path = file(Path::new(&folder), &test);
        assert!(fs::write(&path, cases.to_string()).is_ok(), "can't write {}", path.display());
    }
}

/// Notes what this test has measured, for a line below the table.
///
/// # Panics
/// When the folder that `just prove` names can't be written to.
pub fn note(measured: &str) {
    if let (Some(folder), Ok(test)) = (env::var_os(FOLDER), env::var("NEXTEST_TEST_NAME")) {
        let path = file(Path::new(&folder), &test).with_extension("note");
        assert!(fs::write(&path, measured).is_ok(), "can't write {}", path.display());
    }
}

/// Whether there is time for hours of it: `just prove --long`.
pub fn is_long() -> bool {
    env::var_os(LONG).is_some()
}

/// How many cases a sweep tries: so many beside all other tests, and a hundred times as many when
/// there are hours.
///
/// # Panics
/// When the folder that `just prove` names can't be written to.
pub fn cases(few: u32) -> u32 {
    let cases = if is_long() { few.saturating_mul(100) } else { few };
    tried(usize::try_from(cases).unwrap_or(usize::MAX));
    cases
}

/// What a test has noted; one, where it noted nothing.
pub fn of(folder: &Path, test: &str) -> usize {
    fs::read_to_string(file(folder, test)).ok().and_then(|noted| noted.parse().ok()).unwrap_or(1)
}

/// What a test has measured.
pub fn note_of(folder: &Path, test: &str) -> Option<String> {
    fs::read_to_string(file(folder, test).with_extension("note")).ok()
}

fn file(folder: &Path, test: &str) -> PathBuf {
    folder.join(test.replace("::", "-"))
}
