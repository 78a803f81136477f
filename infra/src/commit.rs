//! The template of a commit of this repository, written by the commit's own `infra synth` and built
//! from its own sources. So it doesn't depend on any file kept in the tree.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use cfn::{ParseError, Template};

use deployment::package::cargo;
use deployment::render::progress::Progress;

/// Where commits are built, in the folder of what Cargo builds: their sources, one commit at a
/// time, and for each commit its template, which never changes.
const FOLDER: &str = "target/against";

/// Why a commit's template can't be made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// It is not a commit, or one without this app.
    #[error("{name} is neither `deployed` nor a file nor a commit of this repository that has a template")]
    Unknown {
        /// The given name.
        name: String,
    },
    /// A program did not start.
    #[error("cannot run {program}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A step failed.
    #[error("cannot {step}: {program} ended with {status}{}{said}", if said.is_empty() { "" } else { ": " })]
    Failed {
        /// What was tried.
        step: &'static str,
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// Its error output; empty if it was printed already.
        said: String,
    },
    /// A file or a folder can't be made or read.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The output is not a template.
    #[error("the template of that commit can't be read")]
    Template(#[source] ParseError),
}

impl CommitError {
    /// What to do about it, if known.
    pub fn hint(&self) -> Option<String> {
        matches!(self, Self::Unknown { .. })
            .then(|| "run it in the repository, for example with `--against main`".to_owned())
    }
}

/// The template of a commit, for zips that are named after the functions. It is built at the first
/// request.
///
/// # Errors
/// See [`CommitError`].
pub fn template(name: &str, progress: &mut dyn Progress) -> Result<Template, CommitError> {
    let unknown = || CommitError::Unknown { name: name.to_owned() };
    // A name that looks like an option must not become one, and one with a colon names a file: `:0`
    // is the index.
    if name.starts_with('-') || name.contains(':') {
        return Err(unknown());
    }
    let root = PathBuf::from(said(&["rev-parse", "--show-toplevel"])?.ok_or_else(unknown)?);
    let id = said(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])?.ok_or_else(unknown)?;
    said(&["cat-file", "-e", &format!("{id}:infra/Cargo.toml")])?.ok_or_else(unknown)?;

    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).map_err(of(&folder))?;
    let lock = folder.join("lock");
    // Locked until this function ends, so that no other process builds here.
    let lock = File::create(&lock).and_then(|file| file.lock().map(|()| file)).map_err(of(&lock))?;
    let kept = folder.join(format!("{id}.json"));
    if !kept.is_file() {
        progress.step(&format!("building commit {id} for its template; Cargo takes a minute, and longer at first"));
        let written = build(&root, &folder, &id)?;
        fs::rename(&written, &kept).map_err(of(&kept))?;
    }
    let text = fs::read_to_string(&kept).map_err(of(&kept))?;
    drop(lock);
    Template::parse(text).map_err(CommitError::Template)
}

/// Builds the commit's `infra`, lets it write its template, and returns the path.
fn build(root: &Path, folder: &Path, id: &str) -> Result<PathBuf, CommitError> {
    let (sources, dist) = (folder.join("sources"), folder.join("dist"));
    for path in [&sources, &dist] {
        match fs::remove_dir_all(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(CommitError::File { path: path.clone(), source });
            }
            _ => fs::create_dir(path).map_err(of(path))?,
        }
    }
    // With a separate index, so the repository and its work tree stay unchanged.
    for arguments in [&["read-tree", id][..], &["checkout-index", "--all", &format!("--prefix={}/", sources.display())]]
    {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(root).env("GIT_INDEX_FILE", folder.join("index"));
        run("check that commit out", git)?;
    }

    // Cargo reuses dependencies from this checkout's target directory. It would also take the
    // commit's own crates for this checkout's, and later believe that they are built: with line
    // numbers, which this checkout's lack, they get other names.
    let shared = root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let mut build = cargo();
    build.args(["build", "--workspace", "--bin", "infra"]).current_dir(&sources).stderr(Stdio::inherit());
    build.env("CARGO_TARGET_DIR", folder).env("CARGO_BUILD_BUILD_DIR", shared);
    build.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    run("build that commit", build)?;

    let mut synth = Command::new(folder.join("debug/infra"));
    synth.args(["synth", "--dist"]).arg(&dist).current_dir(&sources).env_remove("GIT2S3_CALLER");
    run("synthesize that commit", synth)?;
    Ok(dist.join("git2s3.template.json"))
}

/// Git's answer on one line; `None` if it fails.
fn said(arguments: &[&str]) -> Result<Option<String>, CommitError> {
    let start = |source| CommitError::Start { program: "git".to_owned(), source };
    let output = Command::new("git").args(arguments).output().map_err(start)?;
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    Ok(output.status.success().then_some(text))
}

/// Runs a program to its end.
fn run(step: &'static str, mut command: Command) -> Result<(), CommitError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(source) => return Err(CommitError::Start { program, source }),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(CommitError::Failed { step, program, status: output.status, said })
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> CommitError {
    let path = path.to_owned();
    move |source| CommitError::File { path, source }
}
