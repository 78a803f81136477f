//! The seeds of a fuzzer: real payloads that `.ci/payloads` installs, and zips and packs made by
//! git.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    events::{FORM, KINDS},
    sender::{self, SECRET},
};

/// Longer ones add nothing and are slow.
const LONGEST: usize = 16 * 1024;

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/payloads")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}: run .ci/payloads", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// Payloads, with the kinds in their headers.
fn payloads() -> Vec<(u8, String)> {
    let mut payloads = Vec::new();
    let mut add = |header: &str, kind: &str, payload: &Value| {
        let number = KINDS.iter().position(|known| *known == (header, kind));
        payloads.extend(number.map(|number| (u8::try_from(number).unwrap(), payload.to_string())));
    };
    for event in
        read(&tools().join("node_modules/@octokit/webhooks-examples/api.github.com/index.json")).as_array().unwrap()
    {
        let kind = event["name"].as_str().unwrap();
        for payload in event["examples"].as_array().unwrap() {
            add("x-github-event", kind, payload);
        }
    }
    let gitlab = tools().join("debian/usr/share/gocode/src/github.com/xanzy/go-gitlab/testdata");
    for (folder, file, kind) in [
        ("webhooks", "push", "Push Hook"),
        ("webhooks", "tag_push", "Tag Push Hook"),
        ("webhooks", "release", "Release Hook"),
        ("systemhooks", "push", "System Hook"),
        ("systemhooks", "tag_push", "System Hook"),
    ] {
        add("x-gitlab-event", kind, &read(&gitlab.join(folder).join(format!("{file}.json"))));
    }
    for (file, header, kind) in [
        ("bitbucket-webhook", "x-event-key", "repo:push"),
        ("bitbucket-webhook-closed", "x-event-key", "repo:push"),
        ("bitbucket-server", "x-event-key", "repo:refs_changed"),
        ("gitea", "x-gitea-event", "push"),
        ("gitea", "x-forgejo-event", "push"),
        ("gitea", "x-gogs-event", "push"),
        ("azure-new", "x-vss-subscriptionid", "1"),
        ("azure-old", "x-vss-subscriptionid", "1"),
    ] {
        add(header, kind, &read(&tools().join(format!("received/{file}.json"))));
    }
    let generic = json!({ "ref": "refs/heads/main", "repository": { "ssh_url": "git@github.com:octo/hello.git" } });
    add("x-other-event", "push", &generic);
    payloads.push((0, minimal().to_string()));
    payloads.retain(|(_, payload)| payload.len() < LONGEST);
    payloads
}

/// The parts of GitHub's push payload that are read.
fn minimal() -> Value {
    json!({
        "ref": "refs/heads/main", "after": "a".repeat(40), "deleted": false, "head_commit": { "message": "Say hello" },
        "repository": {
            "full_name": "octo-org/hello", "default_branch": "main", "ssh_url": "git@github.com:octo-org/hello.git",
            "clone_url": "https://github.com/octo-org/hello.git",
        },
    })
}

pub(crate) fn events() -> Vec<Vec<u8>> {
    let payloads = payloads();
    let json = payloads.iter().map(|(kind, payload)| [&[*kind], payload.as_bytes()].concat());
    let forms = payloads.iter().map(|(kind, payload)| {
        let form = { form_urlencoded::Serializer::new(String::new()) }.append_pair("payload", payload).finish();
        [&[kind | FORM], form.as_bytes()].concat()
    });
    json.chain(forms.step_by(4).filter(|form| form.len() < LONGEST)).collect()
}

pub(crate) fn signatures() -> Vec<Vec<u8>> {
    let body = minimal().to_string();
    let head = |number: u8, made: u8| [number, made, 128, 0, 0, 0, 0, 0, 0, 0, 0];
    let genuine = (0..10).map(|number| [head(number, 0).as_slice(), body.as_bytes()].concat());
    let own = (0..10).map(|number| [head(number, 1).as_slice(), SECRET.as_bytes(), b"\n{}"].concat());
    let odd = [b"sha256=".as_slice(), b"sha1=00", b"Basic Og==", b"v1,AAAA v1a,AAAA v1,", b"", b"\xff"];
    let odd = odd.iter().flat_map(|value| {
        (0..10).map(move |number| [head(number, 1).as_slice(), value, b"\n{}"].concat()).collect::<Vec<_>>()
    });
    genuine.chain(own).chain(odd).collect()
}

pub(crate) fn known_hosts() -> Vec<Vec<u8>> {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf";
    let lines = [
        format!("git.example {key}"),
        format!("[git.example]:7999,!bad.example,*.example,10.0.?.1 {key} somebody"),
        format!("@revoked * {key}"),
        format!("@cert-authority *.example {key}"),
        format!("|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak= {key}"),
        "# a comment\r\n\r\n\tgit.example ssh-ed25519 AAAA".to_owned(),
        include_str!("../../crates/fetch/src/known_hosts").chars().take(4000).collect(),
    ];
    lines.into_iter().map(String::into_bytes).collect()
}

pub(crate) fn names() -> Vec<Vec<u8>> {
    [
        "refs/heads/main",
        "refs/tags/v1.0",
        "refs/heads/../x",
        "refs/heads/a.lock/b",
        "octo-org/hello",
        "~alice/hello",
        "group/sub/name.git",
        "git@github.com:octo/hello.git",
        "ssh://git@git.example:7999/~alice/hello.git",
        "https://user:token@github.com/octo/hello.git",
        "git@ssh.dev.azure.com:v3/acme/Our%20Project/hello",
        "https://acme@dev.azure.com/acme/Our%20Project/_git/hello",
        "https://[::1]/octo/hello",
        "ext::sh -c id",
        "file:///etc/passwd",
        "-oProxyCommand=id",
        "github.com, alice@Git.Example.com:7999=bitbucket-dc:8443+private",
        "xn--bcher-kva.example",
        "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ]
    .map(|name| name.as_bytes().to_vec())
    .to_vec()
}

/// A repository of two commits with similar files.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(TempDir::new().unwrap());
        let write = |name: &str, content: &str| {
            let path = repository.0.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        repository.git(&["init", "--quiet", "--initial-branch=main"], "");
        for round in 0..2 {
            for number in 0..4 {
                let line = |line: i32| format!("line {} of {number}\n", line * (number % 2 + 1));
                write(&format!("deep/er/{number}"), &format!("{}{round}\n", (0..30).map(line).collect::<String>()));
            }
            write("empty", "");
            write("name with \u{fc}", "x");
            repository.git(&["add", "--all"], "");
            repository.git(&["commit", "--quiet", "--message=x"], "");
        }
        repository
    }

    fn git(&self, arguments: &[&str], input: &str) -> Vec<u8> {
        let mut command = Command::new("git");
        command.current_dir(self.0.path()).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        for (name, value) in [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_AUTHOR_NAME", "A"),
            ("GIT_AUTHOR_EMAIL", "a@example.com"),
            ("GIT_AUTHOR_DATE", "1700000001 +0100"),
            ("GIT_COMMITTER_NAME", "C"),
            ("GIT_COMMITTER_EMAIL", "c@example.com"),
            ("GIT_COMMITTER_DATE", "1700000003 +0100"),
        ] {
            command.env(name, value);
        }
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        output.stdout
    }
}

pub(crate) fn zips() -> Vec<Vec<u8>> {
    let repository = Repository::new();
    let archive = |options: &[&str]| repository.git(&[&["archive", "--format=zip"], options, &["HEAD"]].concat(), "");
    let zips = [
        (0, archive(&[])),
        (0, archive(&["-0"])),
        (1, archive(&["--prefix=owner-name-1a2b3c4/"])),
        (2, archive(&["--prefix=top/"])),
    ];
    zips.into_iter().chain([(0, streamed())]).map(|(top, zip)| [&[top], zip.as_slice()].concat()).collect()
}

/// A zip with its sums after the data.
fn streamed() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new_stream(Vec::new());
    for (name, content) in [("a", "aaaaaaaa"), ("b/c", "")] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(crate) fn zip_entries() -> Vec<Vec<u8>> {
    let entry = |how: u8, name: &str, content: &str| {
        let lengths = [name.len(), content.len()].map(|length| u8::try_from(length).unwrap());
        [&[how, 0, lengths[0]], name.as_bytes(), &[lengths[1]], content.as_bytes()].concat()
    };
    let (stored, deflated) = (entry(0, "top/a", "content"), entry(1, "top/b/c", "content content"));
    let (described, folder) = (entry(7, "top/\u{fc}", "x"), entry(0x18, "top/d/", ""));
    let link = entry(0x10, "top/link", "../../etc/passwd");
    let all = [[1].as_slice(), &folder, &stored, &deflated, &described, &link].concat();
    let bad = ["../x", ".git/config", "a\\..\\x", "/etc/passwd", "a", "a", "A"];
    let bad = bad.iter().map(|name| entry(0, name, "x"));
    let bad: Vec<u8> = [0].into_iter().chain(bad.flatten()).collect();
    vec![all, bad, [[0].as_slice(), &stored].concat(), [[2].as_slice(), &deflated, &described].concat()]
}

pub(crate) fn packs() -> Vec<Vec<u8>> {
    let repository = Repository::new();
    let pack = |options: &[&str], revisions: &str| {
        repository.git(&[&["pack-objects", "--stdout", "--revs", "-q"], options].concat(), revisions)
    };
    vec![
        pack(&["--depth=0", "--window=0"], "main~1\n"),
        pack(&["--depth=50"], "main\n"),
        pack(&["--depth=50", "--delta-base-offset"], "main\n"),
        pack(&["--compression=0", "--delta-base-offset"], "main\n"),
        pack(&["--thin"], "main\n^main~1\n"),
    ]
}

pub(crate) fn pack_entries() -> Vec<Vec<u8>> {
    let whole = |how: u8, content: &[u8]| [&[how, u8::try_from(content.len()).unwrap()], content].concat();
    let delta =
        |how: u8, base: u8, commands: &[u8]| [&[how, base, u8::try_from(commands.len()).unwrap()], commands].concat();
    let text = whole(2, b"a text of thirty characters or so");
    // Copies ten bytes from the fifth on, and inserts two.
    let commands = [0x91, 5, 10, 2, b'x', b'y'];
    vec![
        [whole(0, b"tree 0\n"), whole(1, b""), text.clone(), whole(0x83, b"tag")].concat(),
        [text.clone(), delta(4, 0, &commands), delta(4, 0, &[0x90, 4])].concat(),
        [text.clone(), delta(6, 0, &commands), delta(4, 1, &commands)].concat(),
        [delta(7, 0, &commands), delta(4, 0, &[0x90, 4])].concat(),
        delta(7, 0xff, &commands),
        [text.clone(), delta(0x44, 0, &[&[30, 12], commands.as_slice()].concat())].concat(),
        [text, delta(0x44, 0, &[30, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x90, 1]), whole(0x22, b"longer")].concat(),
    ]
}

pub(crate) fn custom_resources() -> Vec<Vec<u8>> {
    let event = |kind: &str, properties: Value| {
        json!({
            "RequestType": kind, "ResponseURL": "https://example.com/?X-Amz-Signature=1", "RequestId": "r1",
            "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/s/1", "LogicalResourceId": "SshKey",
            "PhysicalResourceId": "ssh-key/1", "ResourceProperties": properties,
        })
    };
    let key = json!({
        "KeyBucket": "keys", "KmsKey": "1234abcd-12ab-34cd-56ef-1234567890ab", "KeyType": "rsa", "StackName": "git2s3",
        "ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:ssh-key",
    });
    let events = [
        event("Create", key.clone()),
        event("Update", key),
        event("Delete", json!({ "Buckets": ["one", "two"] })),
        event("Create", json!([])),
        json!({ "RequestType": "Create" }),
    ];
    events.map(|event| event.to_string().into_bytes()).to_vec()
}

pub(crate) fn requests() -> Vec<Vec<u8>> {
    let event = |resource: &str, headers: Value, body: &str, base64: bool| {
        json!({
            "resource": resource, "path": resource, "httpMethod": "POST", "headers": headers, "body": body,
            "isBase64Encoded": base64, "requestContext": {
                "httpMethod": "POST", "requestTimeEpoch": sender::NOW * 1000, "identity": { "sourceIp": "203.0.113.9" },
            },
        })
    };
    let body = minimal().to_string();
    let headers = |proof: &str, value: String| json!({ "content-type": "application/json", "x-github-event": "push", proof: value });
    let signed = headers("x-hub-signature-256", format!("sha256={}", sender::sha256(body.as_bytes())));
    let token = headers("X-Git-Token", SECRET.to_owned());
    let basic = headers("authorization", format!("Basic {}", STANDARD.encode(format!("u:{SECRET}"))));
    let events = [
        event("/gitpull", signed.clone(), &body, false),
        event("/zipdl", signed, &STANDARD.encode(&body), true),
        event("/gitpull", token, &body, false),
        event("/gitpull", basic, &body, false),
        event("/gitpull", headers("x-gitlab-token", "guess".to_owned()), &body, false),
        event("/other", json!({}), "", false),
    ];
    events.map(|event| event.to_string().into_bytes()).to_vec()
}

pub(crate) fn jobs() -> Vec<Vec<u8>> {
    let job = |branch: &str| {
        json!({
            "delivery": "d-1", "repository": { "host": "github.com", "path": "o/r" },
            "reference": format!("refs/heads/{branch}"), "commit": "1".repeat(40), "scope": ["github.com/**"],
        })
    };
    let record = |id: &str, body: &str| {
        json!({
            "messageId": id, "receiptHandle": id, "body": body, "attributes": { "ApproximateReceiveCount": "2" },
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs", "awsRegion": "eu-west-1",
        })
    };
    let names = ["a", "ab", "abc", "abcd"];
    let records: Vec<_> = names.iter().map(|name| record(name, &job(name).to_string())).collect();
    let events = [json!({ "Records": records }), json!({ "Records": [record("1", "{")] }), json!({ "Records": [] })];
    events.map(|event| event.to_string().into_bytes()).to_vec()
}
