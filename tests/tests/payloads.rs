//! Sends all payloads of the public collections that `.ci/payloads` installs to the endpoint:
//! `payloads.txt` lists the expected outcomes. Most are events that create no zip. That none of
//! them is refused or mistaken for a push can't be tested by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails a test")]

use std::path::{Path, PathBuf};

use contract::{ApiSecrets, Trigger};
use forge::{Delivery, Endpoint, Event};
use local::tally;
use serde_json::Value;

const SECRET: &str = "the secret of the tests";

/// The sources of the collections.
const HOSTS: &str =
    "github.com,octocoders.github.io,gitlab.com,example.com,bitbucket.org,dev.azure.com,gitee.com,localhost";

/// A payload, and the header with its kind.
struct Payload {
    name: String,
    header: (&'static str, String),
    body: Value,
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(".tools/payloads")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}: run .ci/payloads", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The JSON files in a folder of the collections, by name.
fn files(folder: &str) -> Vec<(String, Value)> {
    let folder = tools().join(folder);
    let inside =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}: run .ci/payloads", folder.display()));
    let paths = inside.map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        paths.map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), read(&path))).collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

/// npm's `@octokit/webhooks-examples`: github.com and five versions of Enterprise Server.
fn github() -> Vec<Payload> {
    let mut payloads = Vec::new();
    for version in ["api.github.com", "ghes-31", "ghes-32", "ghes-33", "ghes-34", "ghes-35"] {
        let path = tools().join("node_modules/@octokit/webhooks-examples").join(version).join("index.json");
        for event in read(&path).as_array().unwrap() {
            let kind = event["name"].as_str().unwrap();
            for (number, body) in event["examples"].as_array().unwrap().iter().enumerate() {
                let name = format!("github/{version}/{kind}/{number}");
                payloads.push(Payload { name, header: ("x-github-event", kind.to_owned()), body: body.clone() });
            }
        }
    }
    payloads
}

/// GitLab's documented examples, from Debian's `golang-github-xanzy-go-gitlab-dev`.
fn gitlab() -> Vec<Payload> {
    let mut payloads = Vec::new();
    for folder in ["webhooks", "systemhooks"] {
        for (name, body) in files(&format!("debian/usr/share/gocode/src/github.com/xanzy/go-gitlab/testdata/{folder}"))
        {
            // `merge_request` is a "Merge Request Hook".
            let words = body["object_kind"].as_str().unwrap_or("subgroup").split('_');
            let words = words.map(|word| word[..1].to_uppercase() + &word[1..] + " ");
            let kind =
                if folder == "systemhooks" { "System Hook".to_owned() } else { words.collect::<String>() + "Hook" };
            payloads.push(Payload { name: format!("gitlab/{folder}/{name}"), header: ("x-gitlab-event", kind), body });
        }
    }
    payloads
}

/// The tests of `weblate` (`PyPI`): payloads that many kinds of hosts have sent to it.
fn weblate() -> Vec<Payload> {
    let payload = |(name, body): (String, Value)| {
        let header = match name.split('-').next().unwrap() {
            "azure" => ("x-vss-subscriptionid", "1"),
            "bitbucket" if name == "bitbucket-merged" => ("x-event-key", "pullrequest:fulfilled"),
            "bitbucket" if name == "bitbucket-server-merged" => ("x-event-key", "pr:merged"),
            "bitbucket" if body["push"].is_object() => ("x-event-key", "repo:push"),
            "bitbucket" if body["changes"].is_array() => ("x-event-key", "repo:refs_changed"),
            // Its former service "POST".
            "bitbucket" => ("user-agent", "Bitbucket.org"),
            "gitea" => ("x-gitea-event", "push"),
            "gitee" => ("x-gitee-event", "Push Hook"),
            "github" => ("x-github-event", "push"),
            "gitlab" => ("x-gitlab-event", "Push Hook"),
            "pagure" => ("x-pagure-topic", "git.receive"),
            other => panic!("{other} is new here"),
        };
        Payload { name: format!("weblate/{name}"), header: (header.0, header.1.to_owned()), body }
    };
    files("received").into_iter().map(payload).collect()
}

/// The outcome of a payload, in a line.
fn outcome(payload: &Payload) -> String {
    let mut delivery = Delivery::new("request-1".parse().unwrap(), payload.body.to_string().into_bytes());
    let (header, kind) = &payload.header;
    for (name, value) in [("content-type", "application/json"), (header, kind), ("x-git-token", SECRET)] {
        delivery.headers.insert(name, value.parse().unwrap());
    }
    let endpoint = Endpoint { allowed_hosts: HOSTS.parse().unwrap(), ..Endpoint::default() };
    match endpoint.receive(&delivery, &ApiSecrets::parse(&SECRET.into())) {
        Ok(Event::Push(push)) => {
            let what = push
                .jobs()
                .next()
                .map_or("push", |job| if job.trigger == Trigger::Release { "release" } else { "push" });
            let update = |update: &forge::RefUpdate| {
                let commit = update.commit.as_ref().map(|commit| format!("@{}", &commit.as_str()[..7]));
                let deleted = if update.deleted { " was deleted" } else { "" };
                format!(" {}{}{deleted}", update.reference, commit.unwrap_or_default())
            };
            let updates: String = push.updates().iter().map(update).collect();
            format!("{what} {}{updates}", push.repository())
        }
        Ok(Event::Ping { .. }) => "ping".to_owned(),
        Ok(Event::Ignored { reason, .. }) => format!("ignored: {reason}"),
        Err(refusal) => format!("{} {}", refusal.status(), refusal.cause()),
    }
}

/// Whether a name matches a pattern, in which `*` is any text.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, behind)) => name.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| fits(behind, &rest[at..]))
        }),
    }
}

/// The patterns that a pattern with alternatives in braces stands for.
fn alternatives(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let (inside, behind) = rest.split_once('}').unwrap();
    let behind = alternatives(behind);
    inside.split(',').flat_map(|part| behind.iter().map(move |behind| format!("{before}{part}{behind}"))).collect()
}

/// The expected outcomes: names on a line, and the indented outcome below.
fn stated() -> Vec<(String, &'static str)> {
    let mut stated = Vec::new();
    let mut names = Vec::new();
    for line in include_str!("payloads.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("    ") {
            Some(outcome) => stated.extend(std::mem::take(&mut names).into_iter().map(|name| (name, outcome))),
            None => names.extend(line.split_whitespace().flat_map(alternatives)),
        }
    }
    assert!(names.is_empty(), "{names:?} have no outcome");
    stated
}

#[test]
fn every_public_payload_has_stated_outcome() {
    let stated = stated();
    let mut used = vec![0; stated.len()];
    let mut wrong = Vec::new();
    let payloads: Vec<_> = [github(), gitlab(), weblate()].into_iter().flatten().collect();
    for payload in &payloads {
        let found = outcome(payload);
        let Some(at) = stated.iter().position(|(pattern, _)| fits(pattern, &payload.name)) else {
            wrong.push(format!("{}\n    {found}", payload.name));
            continue;
        };
        used[at] += 1;
        if !fits(stated[at].1, &found) {
            wrong.push(format!("{}\n    {found}\n    stated is {}", payload.name, stated[at].1));
        }
    }
    let unused: Vec<_> = stated.iter().zip(&used).filter(|(_, used)| **used == 0).map(|((name, _), _)| name).collect();
    assert!(wrong.is_empty(), "{} payloads:\n{}", wrong.len(), wrong.join("\n"));
    assert!(unused.is_empty(), "there is no {unused:?}");
    assert!(payloads.len() > 600, "{}", payloads.len());
    tally::tried(payloads.len());
}
