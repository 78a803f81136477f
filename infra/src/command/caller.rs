//! Paths that the caller types. `just` runs everything in the project's folder, wherever it is
//! called: so a typed path is relative to the caller's folder, and a default to the project's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};

/// The variable with the caller's folder, if it isn't the working directory.
const FOLDER: &str = "GIT2S3_CALLER";

/// Parses a typed path.
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(|typed| of(&typed))
}

/// Resolves `typed` relative to the caller's folder.
pub(crate) fn of(typed: impl AsRef<Path>) -> PathBuf {
    resolve(std::env::var_os(FOLDER), std::env::current_dir().ok().as_deref(), typed.as_ref())
}

/// The directory of packaged functions and written templates; by default the project's `dist`.
pub(crate) fn dist(typed: Option<&Path>) -> PathBuf {
    typed.unwrap_or(Path::new("dist")).to_owned()
}

/// A caller in the working directory sees the path as typed in messages.
fn resolve(caller: Option<OsString>, working: Option<&Path>, typed: &Path) -> PathBuf {
    match caller.map(PathBuf::from) {
        Some(caller) if caller.is_absolute() && Some(&*caller) != working => caller.join(typed),
        _ => typed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_the_callers() {
        let of = |caller: Option<&str>, typed: &str| {
            resolve(caller.map(OsString::from), Some(Path::new("/project")), Path::new(typed)).display().to_string()
        };
        assert_eq!(of(Some("/project/infra"), "../x.json"), "/project/infra/../x.json");
        assert_eq!(of(Some("/project/infra"), "/x.json"), "/x.json");
        for caller in [None, Some("/project"), Some(""), Some("infra")] {
            assert_eq!(of(caller, "x.json"), "x.json", "{caller:?}");
        }
    }
}
