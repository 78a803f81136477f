//! Real payloads with independent signers: the public examples and the libraries that
//! `.ci/payloads` installs. The result must match the example, and be refused if the signature is
//! by another secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails a test")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::{ApiSecrets, Trigger};
use forge::{AuthenticJob, Delivery, Endpoint, Event, Push};
use serde_json::{Value, json};

const SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw==";
const NOW: i64 = 1_700_000_000;

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(".tools")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}: run .ci/payloads", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// An example of an event, and the kind in its header.
struct Example {
    name: String,
    kind: String,
    body: String,
}

/// How to sign an example.
#[derive(Clone, Copy)]
struct Scheme {
    name: &'static str,
    header: &'static str,
}

/// The signatures of all examples, computed by one process.
fn sign(examples: &[Example], scheme: Scheme) -> Vec<String> {
    // It finds its libraries in its working directory.
    let mut child = Command::new(tools().join("py/bin/node"))
        .args(["--input-type=module", "--eval", include_str!("../sign.mjs")])
        .current_dir(tools().join("payloads"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is installed by .ci/tools");
    let mut stdin = child.stdin.take().unwrap();
    let out = std::thread::scope(|scope| {
        scope.spawn(move || {
            for Example { name, body, .. } in examples {
                let request =
                    json!({ "scheme": scheme.name, "secret": SECRET, "body": body, "id": name, "seconds": NOW });
                writeln!(stdin, "{request}").unwrap();
            }
        });
        child.wait_with_output().unwrap()
    });
    assert!(out.status.success());
    let signatures: Vec<_> = String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(signatures.len(), examples.len());
    signatures
}

/// The endpoint's result for an example with this proof.
fn receive(example: &Example, event: &'static str, proof: (&'static str, &str), secret: &str) -> Result<Event, u16> {
    let mut delivery = Delivery::new("request-1".parse().unwrap(), example.body.clone().into_bytes());
    delivery.received_at = NOW;
    let headers = [
        ("content-type", "application/json"),
        (event, &*example.kind),
        ("webhook-id", &*example.name),
        ("webhook-timestamp", &*NOW.to_string()),
        proof,
    ];
    for (name, value) in headers {
        delivery.headers.insert(name, value.parse().unwrap());
    }
    let hosts =
        "github.com,octocoders.github.io,gitlab.com,example.com,bitbucket.org,dev.azure.com,localhost".parse().unwrap();
    let endpoint = Endpoint { allowed_hosts: hosts, ..Endpoint::default() };
    endpoint.receive(&delivery, &ApiSecrets::parse(&secret.into())).map_err(|refusal| {
        let status = refusal.status();
        assert!(status == 401, "{}: {}", example.name, refusal.cause());
        status
    })
}

/// Sends every example with each scheme. Returns all results.
fn receive_all(examples: &[Example], event: &'static str, schemes: &[Scheme]) -> Vec<Event> {
    let mut events = Vec::new();
    for scheme in schemes {
        for (example, signature) in examples.iter().zip(sign(examples, *scheme)) {
            let proof = (scheme.header, &*signature);
            assert_eq!(receive(example, event, proof, "another"), Err(401), "{} {}", example.name, scheme.name);
            events.push(receive(example, event, proof, SECRET).unwrap());
        }
    }
    events
}

fn push(event: &Event) -> Option<&Push> {
    match event {
        Event::Push(push) => Some(push),
        _ => None,
    }
}

/// All of GitHub's examples, from github.com and five versions of Enterprise Server.
fn github() -> Vec<(Example, Value)> {
    let folder = tools().join("payloads/node_modules/@octokit/webhooks-examples");
    let mut examples = Vec::new();
    for version in ["api.github.com", "ghes-31", "ghes-32", "ghes-33", "ghes-34", "ghes-35"] {
        for event in read(&folder.join(version).join("index.json")).as_array().unwrap() {
            let kind = event["name"].as_str().unwrap();
            for (number, payload) in event["examples"].as_array().unwrap().iter().enumerate() {
                let name = format!("{version}-{kind}-{number}");
                let example = Example { name, kind: kind.to_owned(), body: payload.to_string() };
                examples.push((example, payload.clone()));
            }
        }
    }
    examples
}

#[test]
fn github_examples_parse_under_both_signatures() {
    let (examples, payloads): (Vec<_>, Vec<_>) = github().into_iter().unzip();
    let schemes = [
        Scheme { name: "github-sha256", header: "x-hub-signature-256" },
        Scheme { name: "github-sha1", header: "x-hub-signature" },
    ];
    let events = receive_all(&examples, "x-github-event", &schemes);
    let (mut pushes, mut deletions, mut releases, mut pings) = (0, 0, 0, 0);
    for ((example, payload), event) in examples.iter().zip(&payloads).cycle().zip(&events) {
        let is_deletion = payload["deleted"] == true;
        match (example.kind.as_str(), payload["action"].as_str()) {
            ("push", _) => {
                let push = push(event).unwrap_or_else(|| panic!("{}: {event:?}", example.name));
                let job = push.jobs().next().unwrap();
                assert_eq!(job.reference.as_str(), payload["ref"]);
                assert_eq!(job.repository.path.as_str(), payload["repository"]["full_name"]);
                assert_eq!(job.deleted, is_deletion);
                let after = payload["after"].as_str().filter(|_| !is_deletion);
                assert_eq!(job.commit.as_ref().map(contract::CommitId::as_str), after);
                *(if is_deletion { &mut deletions } else { &mut pushes }) += 1;
            }
            ("release", Some("published")) => {
                let job = push(event).unwrap_or_else(|| panic!("{}: {event:?}", example.name)).jobs().next().unwrap();
                assert_eq!(job.reference.tag(), payload["release"]["tag_name"].as_str());
                assert_eq!(job.trigger, Trigger::Release);
                releases += 1;
            }
            ("ping", _) => {
                assert!(matches!(event, Event::Ping { .. }), "{}", example.name);
                pings += 1;
            }
            _ => assert!(matches!(event, Event::Ignored { .. }), "{}: {event:?}", example.name),
        }
    }
    assert!(events.len() > 1000, "{}", events.len());
    assert_eq!((pushes, deletions, releases, pings), (16, 12, 20, 22));
}

/// What becomes of events: their jobs, or why there are none. It doesn't depend on the proof.
fn outcomes(events: &[Event]) -> Vec<Result<Vec<AuthenticJob>, &str>> {
    let outcomes = events.iter().map(|event| match event {
        Event::Push(push) => Ok(push.jobs().collect()),
        Event::Ignored { reason, .. } => Err(reason.as_str()),
        Event::Ping { .. } => Err("a ping"),
    });
    outcomes.collect()
}

#[test]
fn gitlab_examples_parse_under_both_schemes() {
    let folder = tools().join("payloads/debian/usr/share/gocode/src/github.com/xanzy/go-gitlab/testdata");
    let mut examples = Vec::new();
    for (kind, folder) in [("webhooks", folder.join("webhooks")), ("systemhooks", folder.join("systemhooks"))] {
        let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        for file in files {
            let payload = read(&file);
            let header = match (kind, payload["object_kind"].as_str()) {
                ("systemhooks", _) => "System Hook",
                (_, Some("push")) => "Push Hook",
                (_, Some("tag_push")) => "Tag Push Hook",
                (_, Some("release")) => "Release Hook",
                _ => "Other Hook",
            };
            let name = format!("{kind}-{}", file.file_stem().unwrap().to_string_lossy());
            examples.push(Example { name, kind: header.to_owned(), body: payload.to_string() });
        }
    }
    let by_token = |example: &Example| receive(example, "x-gitlab-event", ("x-gitlab-token", SECRET), SECRET).unwrap();
    let tokens: Vec<Event> = examples.iter().map(by_token).collect();
    let signed = receive_all(&examples, "x-gitlab-event", &[Scheme { name: "standard", header: "webhook-signature" }]);
    assert_eq!(outcomes(&tokens), outcomes(&signed));

    let found: Vec<_> =
        examples.iter().zip(&signed).filter_map(|(example, event)| Some((example, push(event)?))).collect();
    let names: Vec<_> = found.iter().map(|(example, _)| example.name.as_str()).collect();
    let expected =
        ["webhooks-push", "webhooks-release", "webhooks-tag_push", "systemhooks-push", "systemhooks-tag_push"];
    assert_eq!(names, expected);
    for (example, push) in found {
        let payload: Value = serde_json::from_str(&example.body).unwrap();
        let job = push.jobs().next().unwrap();
        assert_eq!(job.repository.path.as_str(), payload["project"]["path_with_namespace"], "{}", example.name);
        let release = job.trigger == Trigger::Release;
        let reference = if release {
            format!("refs/tags/{}", payload["tag"].as_str().unwrap())
        } else {
            payload["ref"].as_str().unwrap().to_owned()
        };
        assert_eq!(job.reference.as_str(), reference);
        let commit = if release { &payload["commit"]["id"] } else { &payload["checkout_sha"] };
        assert_eq!(job.commit.as_ref().unwrap().as_str(), commit);
    }
    assert!(examples.len() > 35, "{}", examples.len());
}

/// Recorded deliveries of other kinds of servers, and their content.
struct Received {
    file: &'static str,
    kind: &'static str,
    /// The repository, the reference and the commit. `None` if it isn't a push.
    told: Option<(&'static str, &'static str, &'static str)>,
}

const fn received(
    file: &'static str,
    kind: &'static str,
    told: Option<(&'static str, &'static str, &'static str)>,
) -> Received {
    Received { file, kind, told }
}

/// Checks the results of payloads with a signature, or with the password of Basic authentication.
fn check_received(event: &'static str, scheme: Option<Scheme>, payloads: &[Received]) {
    let example = |Received { file, kind, .. }: &Received| {
        let body = read(&tools().join(format!("payloads/received/{file}.json"))).to_string();
        Example { name: (*file).to_owned(), kind: (*kind).to_owned(), body }
    };
    let examples: Vec<_> = payloads.iter().map(example).collect();
    let events = if let Some(scheme) = scheme {
        receive_all(&examples, event, &[scheme])
    } else {
        let basic = format!("Basic {}", STANDARD.encode(format!("hook:{SECRET}")));
        let proof = ("authorization", basic.as_str());
        let receive = |example| {
            assert_eq!(receive(example, event, proof, "another"), Err(401));
            receive(example, event, proof, SECRET).unwrap()
        };
        examples.iter().map(receive).collect()
    };
    for (Received { file, told, .. }, event) in payloads.iter().zip(&events) {
        let job = push(event).and_then(|push| push.jobs().next());
        let found = job.map(|job| {
            let commit = job.commit.as_ref().map(ToString::to_string).unwrap_or_default();
            (job.repository.to_string(), job.reference.to_string(), commit)
        });
        let expected = told
            .map(|(repository, reference, commit)| (repository.to_owned(), reference.to_owned(), commit.to_owned()));
        assert_eq!(found, expected, "{file}: {event:?}");
    }
}

#[test]
fn bitbucket_azure_gitea_payloads_are_understood() {
    let hub = Scheme { name: "github-sha256", header: "x-hub-signature" };
    let branch = "709d658dc5b6d6afcd46049c2f332ee3f515a67d";
    check_received(
        "x-event-key",
        Some(hub),
        &[
            received(
                "bitbucket-webhook",
                "repo:push",
                Some(("bitbucket.org/team_name/repo_name", "refs/heads/name-of-branch", branch)),
            ),
            // A deletion names no commit.
            received(
                "bitbucket-webhook-closed",
                "repo:push",
                Some(("bitbucket.org/team_name/repo_name", "refs/heads/name-of-branch", "")),
            ),
            received("bitbucket-merged", "pullrequest:fulfilled", None),
            received(
                "bitbucket-server",
                "repo:refs_changed",
                Some(("example.com/SANDPIT/my-repo", "refs/heads/main", "7cb42185f7d8eab95f5fac3de2648a16361ecf34")),
            ),
            received("bitbucket-server-merged", "pr:merged", None),
        ],
    );
    check_received(
        "x-gitea-event",
        Some(Scheme { name: "gitea", header: "x-gitea-signature" }),
        &[received(
            "gitea",
            "push",
            Some(("localhost/gitea/webhooks", "refs/heads/main", "bffeb74224043ba2feb48d137756c8a9331c449a")),
        )],
    );
    // It has no distinctive header.
    let localization = "7d85491a4f0289f2ffcf70939b7c7160e8ce2865";
    check_received(
        "x-vss-subscriptionid",
        None,
        &[
            received("azure-new", "1", Some(("dev.azure.com/f/p/ATEST", "refs/heads/feat/localization", localization))),
            // Its subscription is null: the "Test" button sent it.
            received("azure-old", "1", None),
        ],
    );
}

#[test]
fn gitea_family_signatures_are_verified() {
    let payload = json!({
        "ref": "refs/heads/main", "after": "a".repeat(40),
        "repository": { "full_name": "octo/hello", "ssh_url": "git@example.com:octo/hello.git" },
    });
    for (event, header) in [
        ("x-gitea-event", "x-gitea-signature"),
        ("x-forgejo-event", "x-forgejo-signature"),
        ("x-gogs-event", "x-gogs-signature"),
    ] {
        let example = Example { name: "push".to_owned(), kind: "push".to_owned(), body: payload.to_string() };
        let events = receive_all(&[example], event, &[Scheme { name: "gitea", header }]);
        assert!(push(&events[0]).is_some());
    }
}
