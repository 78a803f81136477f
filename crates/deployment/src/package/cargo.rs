//! Builds the functions with Cargo, also for another processor than this machine's.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde::Deserialize;

use super::{Architecture, FUNCTIONS, Profile, Target, only_functions};

/// Why there are no binaries.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A program that the build needs did not start.
    #[error("cannot run {program}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Rust's standard library for the target is missing.
    #[error("rust cannot build for {target}: its standard library is not installed")]
    StandardLibrary {
        /// The Rust target.
        target: &'static str,
    },
    /// There is no linker for the target.
    #[error("cannot link for {target}: there is no {linker}")]
    Linker {
        /// The Rust target.
        target: &'static str,
        /// The program that was looked for.
        linker: &'static str,
    },
    /// Cargo's output could not be read.
    #[error("cannot read what cargo says")]
    Read(#[source] std::io::Error),
    /// Cargo failed; it has printed why.
    #[error("cargo build ended with {status}")]
    Cargo {
        /// Its exit status.
        status: ExitStatus,
    },
    /// Cargo succeeded, but named no binary.
    #[error("cargo built no binary {binary}")]
    Missing {
        /// The binary's name.
        binary: &'static str,
    },
}

impl BuildError {
    /// What to do about it, if known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::StandardLibrary { target } | Self::Linker { target, .. } => Some(match linker(target) {
                Some((_, package)) => format!(
                    "rustup target add {target} && apt-get install {package} (or name a linker in {}); or choose this \
                     machine's processor with --architecture",
                    linker_variable(target)
                ),
                None => format!("rustup target add {target}"),
            }),
            _ => None,
        }
    }
}

/// Builds every function and returns the paths of the binaries.
pub(super) fn build(target: Target, profile: Profile) -> Result<Vec<(&'static str, PathBuf)>, BuildError> {
    let mut command = cargo();
    command.args(["build", "--message-format", "json-render-diagnostics", "--profile"]);
    command.arg(match profile {
        Profile::Release => "release",
        Profile::Dev => "dev",
    });
    for function in FUNCTIONS {
        command.args(["--bin", function]);
    }
    match target {
        Target::Lambda(architecture) => {
            command.args(only_functions());
            cross(&mut command, architecture)?;
        }
        // A dependency's features depend on what is built with it: with the whole workspace they
        // are the same as for the tests, and nothing is built twice.
        Target::Host => {
            command.arg("--workspace");
        }
    }
    let binaries = run(command)?;
    FUNCTIONS
        .into_iter()
        .map(|function| match binaries.get(function) {
            Some(path) => Ok((function, path.clone())),
            None => Err(BuildError::Missing { binary: function }),
        })
        .collect()
}

/// Cargo as started from a shell. Under `cargo run` or a test runner, Cargo sets variables that
/// some build scripts watch: passed on, they would make Cargo rebuild half the dependencies.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| text.starts_with(prefix))
            || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&&*text)
        {
            command.env_remove(&name);
        }
    }
    command
}

fn run(mut command: Command) -> Result<HashMap<String, PathBuf>, BuildError> {
    let start = |source| BuildError::Start { program: "cargo".to_owned(), source };
    let mut cargo = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(start)?;
    let mut binaries = HashMap::new();
    if let Some(stdout) = cargo.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            if let Some((name, path)) = binary(&line.map_err(BuildError::Read)?) {
                binaries.insert(name, path);
            }
        }
    }
    let status = cargo.wait().map_err(start)?;
    if status.success() { Ok(binaries) } else { Err(BuildError::Cargo { status }) }
}

/// The binary that a line of [Cargo's messages][messages] announces.
///
/// [messages]: https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages
fn binary(message: &str) -> Option<(String, PathBuf)> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
        target: BuildTarget,
    }
    #[derive(Deserialize)]
    struct BuildTarget {
        name: String,
    }
    let message: Message = serde_json::from_str(message).ok()?;
    Some((message.target.name, message.executable?))
}

fn cross(command: &mut Command, architecture: Architecture) -> Result<(), BuildError> {
    let target = architecture.rust_target();
    command.args(["--target", target]);
    command.env("CARGO_ENCODED_RUSTFLAGS", remapped(&std::env::current_dir().map_err(BuildError::Read)?));
    if !has_standard_library(target)? {
        return Err(BuildError::StandardLibrary { target });
    }
    let variable = linker_variable(target);
    let Some((linker, _)) = linker(target).filter(|_| std::env::var_os(&variable).is_none()) else { return Ok(()) };
    let found = Command::new(linker).arg("--version").stdin(Stdio::null()).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return Err(BuildError::Linker { target, linker });
    }
    command.env(variable, linker);
    Ok(())
}

/// Flags that make a binary independent of the folder in which it is built: panic messages contain
/// source paths. Flags that are set already stay.
fn remapped(workspace: &Path) -> OsString {
    const SEPARATOR: &str = "\x1f";
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |dir| workspace.join(dir));
    // The last match counts.
    let folders = [(Some(workspace.to_owned()), "git2s3"), (Some(target), "target"), (home, "cargo")];
    let mut flags = std::env::var_os("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    for (folder, name) in folders.into_iter().filter_map(|(folder, name)| Some((folder?, name))) {
        if !flags.is_empty() {
            flags.push(SEPARATOR);
        }
        flags.push("--remap-path-prefix=");
        flags.push(folder);
        flags.push(format!("=/{name}"));
    }
    flags
}

/// The linker for another processor than this machine's, and its Debian package.
fn linker(target: &str) -> Option<(&'static str, &'static str)> {
    if Architecture::of_this_machine().map(Architecture::rust_target) == Some(target) {
        return None;
    }
    if target == Architecture::Arm64.rust_target() {
        Some(("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"))
    } else {
        Some(("x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu"))
    }
}

fn has_standard_library(target: &str) -> Result<bool, BuildError> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", target])
        .stdin(Stdio::null())
        .output()
        .map_err(|source| BuildError::Start { program: "rustc".to_owned(), source })?;
    let directory = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && PathBuf::from(directory.trim()).is_dir())
}

/// The variable that sets a target's linker for [Cargo][config].
///
/// [config]: https://doc.rust-lang.org/cargo/reference/config.html#targettriplelinker
fn linker_variable(target: &str) -> String {
    format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_found_among_cargos_messages() {
        let artifact = |executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"kind":["bin"],"name":"webhook"}},"executable":{executable}}}"#
            )
        };
        assert_eq!(binary(&artifact(r#""/t/webhook""#)), Some(("webhook".to_owned(), PathBuf::from("/t/webhook"))));
        assert_eq!(binary(&artifact("null")), None);
        assert_eq!(binary(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(binary("no json"), None);
    }

    #[test]
    fn cross_build_hint_gives_install_command() {
        let (other, package) = match Architecture::of_this_machine() {
            Some(Architecture::Arm64) => (Architecture::X86_64, "apt-get install gcc-x86-64-linux-gnu"),
            _ => (Architecture::Arm64, "apt-get install gcc-aarch64-linux-gnu"),
        };
        let target = other.rust_target();
        let missing = [BuildError::StandardLibrary { target }, BuildError::Linker { target, linker: "gcc" }];
        for hint in missing.map(|error| error.hint().unwrap()) {
            assert!(hint.starts_with(&format!("rustup target add {target} && {package} (")), "{hint}");
            assert!(hint.contains(&linker_variable(target)) && !hint.contains('\n'), "{hint}");
        }
        assert_eq!(linker_variable("aarch64-unknown-linux-gnu"), "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER");
    }

    #[test]
    fn native_target_needs_no_cross_linker() {
        let this = Architecture::of_this_machine().unwrap().rust_target();
        assert_eq!(linker(this), None);
        assert_eq!(BuildError::StandardLibrary { target: this }.hint(), Some(format!("rustup target add {this}")));
    }
}
