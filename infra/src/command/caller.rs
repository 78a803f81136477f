//! Files that the caller names. `just` runs everything in the project's folder, whoever calls it
//! from wherever: so a path that a person types is the caller's, and a default is the project's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};

/// Tells in which folder the caller is, where that isn't the working directory.
const FOLDER: &str = "GIT2S3_CALLER";

/// Reads a path that a person types.
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(|typed| of(&typed))
}

/// What `typed` means to the caller.
pub(crate) fn of(typed: impl AsRef<Path>) -> PathBuf {
    resolve(std::env::var_os(FOLDER), std::env::current_dir().ok().as_deref(), typed.as_ref())
}

/// Where functions are packaged and what is made of them is written, unless the caller says so.
pub(crate) fn dist(typed: Option<&Path>) -> PathBuf {
    typed.unwrap_or(Path::new("dist")).to_owned()
}

/// Who calls from the working directory sees its own words in messages.
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
