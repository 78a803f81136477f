//! Counts what a test has tried, for the table of `just prove`: otherwise, one case and ten million
//! cases look the same when they pass. A separate crate, so that tests of all crates can use it.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The variable with the folder for tallies.
pub const FOLDER: &str = "GIT2S3_TALLIES";
/// Set for the long tests.
pub const LONG: &str = "GIT2S3_LONG";

/// Records that this test has tried this many cases. The last record counts.
///
/// # Panics
/// The folder that `just prove` names can't be written.
pub fn tried(cases: usize) {
    // Each test is a process, and nextest gives it its name.
    if let (Some(folder), Ok(test)) = (env::var_os(FOLDER), env::var("NEXTEST_TEST_NAME")) {
        let path = file(Path::new(&folder), &test);
        assert!(fs::write(&path, cases.to_string()).is_ok(), "can't write {}", path.display());
    }
}

/// Records a measurement of this test, for a line below the table.
///
/// # Panics
/// The folder that `just prove` names can't be written.
pub fn note(measured: &str) {
    if let (Some(folder), Ok(test)) = (env::var_os(FOLDER), env::var("NEXTEST_TEST_NAME")) {
        let path = file(Path::new(&folder), &test).with_extension("note");
        assert!(fs::write(&path, measured).is_ok(), "can't write {}", path.display());
    }
}

/// Whether there is time for hours of tests: `just prove --long`.
pub fn is_long() -> bool {
    env::var_os(LONG).is_some()
}

/// How many cases a sweep tries: this many normally, and a hundred times as many with hours of
/// time.
///
/// # Panics
/// The folder that `just prove` names can't be written.
pub fn cases(few: u32) -> u32 {
    let cases = if is_long() { few.saturating_mul(100) } else { few };
    tried(usize::try_from(cases).unwrap_or(usize::MAX));
    cases
}

/// The tally of a test. One if it recorded none.
pub fn of(folder: &Path, test: &str) -> usize {
    fs::read_to_string(file(folder, test)).ok().and_then(|noted| noted.parse().ok()).unwrap_or(1)
}

/// The measurement of a test.
pub fn note_of(folder: &Path, test: &str) -> Option<String> {
    fs::read_to_string(file(folder, test).with_extension("note")).ok()
}

fn file(folder: &Path, test: &str) -> PathBuf {
    folder.join(test.replace("::", "-"))
}
