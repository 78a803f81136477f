//! Compatibility with the last release: both versions run for seconds during a stack update, and
//! read each other's jobs and environment. The release's format is recorded in `released/`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use contract::{
    AllowedHosts, AllowedIps, Job, KeyLayout, Refs, Repositories, Runtime, Switch, Truth,
    environment::{GitPullEnvironment, WebhookEnvironment, ZipDlEnvironment, from_variables},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The files, from the project's root.
const FILES: [&str; 2] = ["crates/contract/released/environment.json", "crates/contract/released/job.json"];

/// A variable as the release's function reads it.
#[derive(Debug, Deserialize)]
struct Variable {
    /// A value in the release's syntax.
    example: String,
    /// Whether the function fails to start without it.
    required: bool,
}

#[derive(Debug, Deserialize)]
struct Environments {
    /// The release, without `v`; `None` before the first one.
    release: Option<String>,
    functions: BTreeMap<String, BTreeMap<String, Variable>>,
}

#[derive(Debug, Deserialize)]
struct Jobs {
    release: Option<String>,
    /// As the release's webhook writes them: a minimal one, and one with all fields.
    jobs: Vec<Value>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

fn file(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn environments() -> Environments {
    serde_json::from_str(&file(FILES[0])).unwrap()
}

fn jobs() -> Jobs {
    serde_json::from_str(&file(FILES[1])).unwrap()
}

/// Reads a function's released environment with this code, and returns what this code writes for
/// it.
fn check<T: DeserializeOwned + Serialize>(function: &str, understand: impl Fn(&T)) {
    let released = &environments().functions[function];
    let variables = released.iter().map(|(name, variable)| (name.clone(), variable.example.clone()));
    let read: T = from_variables(variables).unwrap_or_else(|error| panic!("{function}: {error:?}"));
    understand(&read);
    let written = serde_json::to_value(&read).unwrap();
    for (name, variable) in released {
        let value = written.get(name).unwrap_or(&Value::Null);
        assert!(!variable.required || !value.is_null(), "{function}: {name} isn't written any more");
        assert!(value.is_null() || *value == variable.example, "{function}: {name} is written as {value}");
    }
}

#[test]
fn released_environments_still_round_trip() {
    let hosts = |hosts: &str| drop(hosts.parse::<AllowedHosts>().unwrap());
    check("webhook", |environment: &WebhookEnvironment<Runtime>| {
        hosts(&environment.allowed_hosts);
        drop(environment.allowed_ips.parse::<AllowedIps>().unwrap());
        drop(environment.repositories.parse::<Repositories>().unwrap());
        drop(environment.refs.parse::<Refs>().unwrap());
    });
    check("gitpull", |environment: &GitPullEnvironment<Runtime>| {
        hosts(&environment.allowed_hosts);
        environment.key_layout.parse::<KeyLayout>().unwrap();
        environment.lfs.parse::<Switch>().unwrap();
        environment.submodules.parse::<Switch>().unwrap();
        environment.exclude_git.parse::<Truth>().unwrap();
    });
    check("zipdl", |environment: &ZipDlEnvironment<Runtime>| {
        hosts(&environment.allowed_hosts);
        environment.key_layout.parse::<KeyLayout>().unwrap();
        environment.max_archive_bytes.parse::<u64>().unwrap();
    });
    assert_eq!(environments().functions.len(), 3);
}

#[test]
fn released_jobs_round_trip_unchanged() {
    let jobs = jobs().jobs;
    assert!(jobs.len() >= 2);
    for job in jobs {
        let read: Job = serde_json::from_value(job.clone()).unwrap_or_else(|error| panic!("{job}: {error}"));
        let written = serde_json::to_value(&read).unwrap();
        for (name, value) in job.as_object().unwrap() {
            assert_eq!(written.get(name), Some(value), "{name} isn't written as it was");
        }
    }
}

/// The variables that this code requires.
fn required<T: DeserializeOwned>(released: &BTreeMap<String, Variable>) -> BTreeSet<String> {
    let reads_without = |missing: &String| {
        let others = released.iter().filter(|(name, _)| *name != missing);
        from_variables::<T>(others.map(|(name, variable)| (name.clone(), variable.example.clone()))).is_ok()
    };
    released.keys().filter(|name| !reads_without(name)).cloned().collect()
}

/// What this code writes. The files must match it when it is released.
fn assert_is_this_code<T: DeserializeOwned + Serialize>(function: &str) {
    let released = &environments().functions[function];
    let said = released.iter().filter(|(_, variable)| variable.required).map(|(name, _)| name.clone()).collect();
    assert_eq!(required::<T>(released), said, "{function}: what `required` says in {}", FILES[0]);
    let variables = released.iter().map(|(name, variable)| (name.clone(), variable.example.clone()));
    let written = serde_json::to_value(from_variables::<T>(variables).unwrap()).unwrap();
    let written: BTreeSet<&String> = written.as_object().unwrap().keys().collect();
    assert_eq!(written, released.keys().collect(), "{function}: the variables in {}", FILES[0]);
}

fn git(args: &[&str]) -> Option<String> {
    let out = Command::new("git").args(args).current_dir(root()).output().unwrap();
    out.status.success().then(|| String::from_utf8(out.stdout).unwrap())
}

/// The newest released version in the changelog.
fn newest_in_changelog() -> Option<String> {
    let changelog = file("CHANGELOG.md");
    let mut headings = changelog.lines().filter_map(|line| line.strip_prefix("## [")?.split_once(']'));
    headings.find(|(heading, _)| *heading != "Unreleased").map(|(version, _)| version.to_owned())
}

#[test]
fn released_fixtures_match_last_release() {
    let tags = git(&["tag", "--list", "v*", "--sort=-version:refname"]).unwrap();
    let (tag, version) = (tags.lines().next(), newest_in_changelog());
    for release in [environments().release, jobs().release] {
        assert_eq!(release, version, "the release in {FILES:?} is the newest in CHANGELOG.md");
    }
    let Some(version) = version else {
        assert_eq!(tag, None, "CHANGELOG.md has no released version");
        return;
    };
    if tag == Some(format!("v{version}").as_str()) {
        for path in FILES {
            let released = git(&["show", &format!("v{version}:{path}")]);
            assert!(released.is_some_and(|released| released == file(path)), "{path} isn't that of v{version}");
        }
        return;
    }
    // During a release, before its tag exists. In a clone without tags, this fails with the first
    // variable that was added since.
    assert_is_this_code::<WebhookEnvironment<Runtime>>("webhook");
    assert_is_this_code::<GitPullEnvironment<Runtime>>("gitpull");
    assert_is_this_code::<ZipDlEnvironment<Runtime>>("zipdl");
}
