//! A recipe's arguments reach its command verbatim: no shell parses them again. CI passes names of
//! branches, which others choose. The recipes really run, in a copy of `Justfile` and `justw` with
//! programs that record their arguments.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use local::process::built;
use serde_json::Value;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Records its name, its caller's folder, the command that was typed, and its arguments, each
/// terminated by a zero byte, which no argument can contain.
const PROGRAM: &str = r#"#!/bin/sh
{ printf '%s\0' "${0##*/}" "$GIT2S3_CALLER" "$GIT2S3_TYPED"; [ $# = 0 ] || printf '%s\0' "$@"; } > "$RECORD"
exit "${ENDS_WITH:-0}"
"#;

/// A tree with only the recipes, and programs that do nothing.
struct Copy {
    dir: TempDir,
}

/// The recorded arguments of a program.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    program: String,
    caller: PathBuf,
    typed: String,
    arguments: Vec<String>,
}

impl Copy {
    fn new() -> Self {
        // Paths may contain quotes, spaces and dollars, too.
        let dir =
            tempfile::Builder::new().prefix("it's $HOME; a tree").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let copy = Self { dir };
        for name in ["Justfile", "justw"] {
            fs::copy(root().join(name), copy.path(name)).unwrap();
        }
        let scripts = fs::read_dir(root().join(".ci")).unwrap().map(|entry| entry.unwrap());
        let scripts = scripts.filter(|entry| entry.file_type().unwrap().is_file());
        let scripts = scripts.map(|entry| format!(".ci/{}", entry.file_name().to_string_lossy()));
        let programs = ["target/debug/infra", "target/debug/local", ".tools/bin/cargo"].map(str::to_owned);
        for name in scripts.chain(programs) {
            let path = copy.path(&name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, PROGRAM).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir(copy.path("below")).unwrap();
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn justw(&self, from: &Path, arguments: &[&str]) -> Command {
        let just = root().join(".tools/bin");
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(self.path("justw"));
        command.args(arguments).current_dir(from).env("PATH", format!("{}:{path}", just.display()));
        command.env("RECORD", self.path("record")).env_remove("GIT2S3_CALLER").env_remove("ENDS_WITH");
        command
    }

    /// The last program that a recipe ran.
    fn run(&self, from: &Path, arguments: &[&str]) -> Call {
        let output = self.justw(from, arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        let record = fs::read_to_string(self.path("record")).unwrap();
        fs::remove_file(self.path("record")).unwrap();
        let mut words = record.strip_suffix('\0').unwrap().split('\0').map(str::to_owned);
        let (program, caller) = (words.next().unwrap(), words.next().unwrap().into());
        Call { program, caller, typed: words.next().unwrap(), arguments: words.collect() }
    }

    /// The recipes with arguments, from `just` itself.
    fn recipes(&self) -> Vec<String> {
        let output = self.justw(self.dir.path(), &["--dump", "--dump-format", "json"]).output().unwrap();
        let dump: Value = serde_json::from_slice(&output.stdout).unwrap();
        let recipes = dump["recipes"].as_object().unwrap().iter();
        let taking = recipes.filter(|(_, recipe)| !recipe["parameters"].as_array().unwrap().is_empty());
        taking.map(|(name, _)| name.clone()).collect()
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Arguments that a shell or `just` could misinterpret.
const ARGUMENTS: [&str; 46] = [
    "--parameter",
    "--",
    "-",
    "NAME=value",
    "check",
    "Refs=main, release/*",
    "Refs=main;touch INJECTED",
    "$(touch INJECTED)",
    "`touch INJECTED`",
    "&& touch INJECTED",
    "|| touch INJECTED",
    "| touch INJECTED",
    "& touch INJECTED",
    "\ntouch INJECTED\n",
    "> INJECTED",
    "< INJECTED",
    "<<INJECTED",
    "{{ `touch INJECTED` }}",
    "{{ args }}",
    "'; touch INJECTED; '",
    "\"; touch INJECTED; \"",
    "'",
    "\"",
    "\\",
    "\\\\",
    "$HOME",
    "${HOME}",
    "$1",
    "$@",
    "$$",
    "*",
    "?",
    "[a-z]*",
    "{a,b}",
    "~",
    "~root",
    "#",
    "!",
    "!!",
    "^",
    "(x)",
    "%s %n",
    "",
    " two  spaces\t",
    "\u{fc}ml\u{e4}ut \u{202e}",
    "end\\",
];

#[test]
fn arguments_arrive_as_they_were_typed() {
    let copy = Copy::new();
    let recipes = copy.recipes();
    assert!(recipes.len() > 15, "{recipes:?}");
    for recipe in &recipes {
        let bare = copy.run(copy.dir.path(), &[recipe]);
        let all = copy.run(copy.dir.path(), &[&[recipe.as_str()], &ARGUMENTS[..]].concat());
        assert_eq!(all.program, bare.program, "{recipe}");
        let expected: Vec<&str> = bare.arguments.iter().map(String::as_str).chain(ARGUMENTS).collect();
        assert_eq!(all.arguments, expected, "{recipe}");
    }
    // Separately, because `just` inspects the first one.
    for argument in ARGUMENTS {
        assert_eq!(copy.run(copy.dir.path(), &["deploy", argument]).arguments, ["deploy", argument]);
    }
    for folder in ["", "below"] {
        assert!(!copy.path(folder).join("INJECTED").exists(), "a shell has read an argument");
    }
    let names = |call: &Call| format!("{} {}", call.program, call.arguments.join(" "));
    assert_eq!(names(&copy.run(copy.dir.path(), &["deploy", "--yes"])), "infra deploy --yes");
    assert_eq!(names(&copy.run(copy.dir.path(), &["test", "-E", "all()"])), "test -E all()");
}

#[test]
fn just_adds_no_error_lines() {
    let copy = Copy::new();
    let run = |recipe: &String| copy.run(copy.dir.path(), &[recipe]).program;
    let ours: Vec<_> = copy.recipes().into_iter().filter(|recipe| run(recipe) == "infra").collect();
    assert!(ours.len() > 10, "{ours:?}");
    for recipe in ours {
        let output = copy.justw(copy.dir.path(), &[&recipe]).env("ENDS_WITH", "3").output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{recipe}");
        assert!(!told(&output).contains("ecipe"), "{recipe}: {}", told(&output));
    }
}

#[test]
fn hint_names_typed_command() {
    let copy = Copy::new();
    // As typed: from another folder, it has another name.
    assert_eq!(copy.run(copy.dir.path(), &["check"]).typed, copy.path("justw").display().to_string());
    let infra = built("infra").unwrap();
    fs::write(copy.path("git2s3.toml"), "stack-name = 5\n").unwrap();
    for (typed, expected) in
        [(None, "`infra schema configuration`"), (Some("./justw"), "`./justw schema configuration`")]
    {
        let mut infra = Command::new(&infra);
        infra
            .arg("status")
            .current_dir(copy.dir.path())
            .env_remove("GIT2S3_TYPED")
            .envs(typed.map(|typed| ("GIT2S3_TYPED", typed)));
        let said = told(&infra.output().unwrap());
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn command_knows_caller_directory() {
    let copy = Copy::new();
    for folder in ["", "below"] {
        let folder = copy.path(folder).canonicalize().unwrap();
        let call = copy.run(&folder, &["check", "--template", "x.json"]);
        assert_eq!((call.caller.canonicalize().unwrap(), &call.arguments[2]), (folder, &"x.json".to_owned()));
    }
}

#[test]
fn paths_follow_caller_defaults_follow_project() {
    let infra = built("infra").unwrap();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (project, caller) = (dir.path().join("project"), dir.path().join("caller"));
    for folder in [&project, &caller] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(caller.join("mine.json"), r#"{ "Resources": { "Q": { "Type": "AWS::SQS::Queue" } } }"#).unwrap();
    fs::write(project.join("git2s3.toml"), "stack-name = 5\n").unwrap();
    fs::write(caller.join("mine.toml"), "region = 5\n").unwrap();
    fs::write(caller.join("parameters.json"), "[]").unwrap();
    let run = |arguments: &[&str]| {
        let mut infra = Command::new(&infra);
        infra.args(arguments).current_dir(&project).env("GIT2S3_CALLER", &caller);
        let output = infra.output().unwrap();
        (output.status.code(), told(&output))
    };
    let mine = |name: &str| caller.join(name).display().to_string();
    for (arguments, code, expected) in [
        (&["check", "--template", "mine.json"][..], 1, "sqs/queue_encryption".to_owned()),
        (&["diff", "--template", "mine.json", "--against", "mine.json"], 0, "0 changed entries".to_owned()),
        (&["synth", "--dist", "out"], 0, mine("out/git2s3.template.json")),
        (&["synth"], 0, "dist/git2s3.template.json".to_owned()),
        (&["review", "--output", "page.html", "--config", "/dev/null"], 0, mine("page.html")),
        (&["review", "--svg", "a.svg"], 0, mine("a.svg")),
        (&["status", "--config", "mine.toml"], 2, mine("mine.toml")),
        (&["status"], 2, "git2s3.toml is wrong at line 1".to_owned()),
        (
            &["deploy", "--dry-run", "--config", "/dev/null", "--parameter-file", "parameters.json"],
            2,
            mine("parameters.json"),
        ),
        (
            &["deploy", "--dry-run", "--config", "/dev/null", "--secret-file", "ApiSecret=none"],
            2,
            "cannot get ApiSecret".to_owned(),
        ),
    ] {
        let (ended, text) = run(arguments);
        assert!(ended == Some(code) && text.contains(&expected), "{arguments:?} ended with {ended:?}: {text}");
    }
    for file in ["out/git2s3.template.yaml", "page.html", "a.svg"] {
        assert!(caller.join(file).exists() && !project.join(file).exists(), "{file}");
    }
    assert!(project.join("dist/git2s3.template.json").exists());
}

#[test]
fn missing_program_skips_its_tests() {
    let require = |ci: Option<&str>, filter: &str| {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", ".tools"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        // Without apt-get and sudo.
        std::os::unix::fs::symlink("/usr/bin/id", folder.path().join("bin/id")).unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", ". \"$0\"; require a-package no-such-program \"$1\""]);
        shell.arg(root().join(".ci/require")).arg(filter);
        shell.current_dir(folder.path()).env_clear().env("PATH", folder.path().join("bin"));
        let output = shell.envs(ci.map(|value| ("CI", value))).output().unwrap();
        (output.status.code(), told(&output), fs::read_to_string(folder.path().join(".tools/missing")).ok())
    };
    let (code, text, missing) = require(None, "binary(review)");
    assert!(code == Some(0) && text.contains("the tests that need no-such-program are skipped"), "{code:?}: {text}");
    assert_eq!(missing.unwrap(), "no-such-program\tbinary(review)\n");
    // With CI=true it fails instead, and so does a program that isn't only for tests.
    for (ci, filter) in [(Some("true"), "binary(review)"), (None, "")] {
        let (code, text, missing) = require(ci, filter);
        assert!(code == Some(1) && text.contains("install the package a-package"), "{code:?}: {text}");
        assert_eq!(missing, None);
    }
}
