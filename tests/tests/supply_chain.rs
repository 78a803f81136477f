//! The contents of the functions: the bills of materials list exactly what is linked into each, in
//! a valid format; our own code has no unsafe line; and a known vulnerability is only ignored with
//! a reason.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use deployment::package::{Architecture, Asset, FUNCTIONS, Manifest, bills};
use local::tally;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// As if every function were packaged.
fn manifest(architecture: Architecture) -> Manifest {
    let asset =
        |name: &str| Asset { function: name.into(), file: format!("{name}.zip"), size: 3, sha256: "ab".repeat(32) };
    Manifest { architecture, assets: FUNCTIONS.into_iter().map(asset).collect() }
}

/// The bills of all functions, by name.
fn read(architecture: Architecture) -> BTreeMap<String, Value> {
    let bills = bills(&manifest(architecture)).unwrap();
    bills.into_iter().map(|(function, bill)| (function, serde_json::from_slice(&bill).unwrap())).collect()
}

fn names(bill: &Value) -> BTreeSet<&str> {
    bill["components"].as_array().unwrap().iter().map(|component| component["name"].as_str().unwrap()).collect()
}

#[test]
fn bill_of_materials_lists_linked_crates() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let mut count = 0;
    for architecture in [Architecture::Arm64, Architecture::X86_64] {
        let bills = read(architecture);
        let has = |function: &str, name: &str| names(&bills[function]).contains(name);
        assert_eq!(bills.len(), FUNCTIONS.len());
        // The purpose of each crate, and what the internet-facing function must not contain.
        assert!(["gix", "russh", "git2s3-archive"].iter().all(|name| has("gitpull", name)));
        assert!(["gix-pack", "russh", "aws-sdk-kms", "aws-sdk-s3"].iter().all(|name| !has("webhook", name)));
        assert!(has("zipdl", "reqwest") && !has("zipdl", "russh") && has("ssh-key", "ssh-key"));
        assert!(!has("zipdl", "gix") && !has("webhook", "aws-sdk-eventbridge"));
        // The reconciler asks hosts as gitpull does, and stores nothing.
        assert!(has("reconciler", "russh") && !has("reconciler", "git2s3-archive"));
        for (function, bill) in &bills {
            assert_eq!(
                (&bill["metadata"]["component"]["name"], &bill["serialNumber"]),
                (&function.as_str().into(), &Value::Null)
            );
            // Crates that only run at compile time aren't linked, nor are those for tests, plans
            // and checks.
            assert!(
                ["serde_derive", "syn", "cc", "insta", "git2s3-cfn", "git2s3-infra"]
                    .iter()
                    .all(|name| !has(function, name))
            );
            let components = bill["components"].as_array().unwrap();
            for component in components {
                let [name, version] = ["name", "version"].map(|key| component[key].as_str().unwrap());
                let entry = lock
                    .split("\n[[package]]\n")
                    .find(|entry| entry.starts_with(&format!("name = \"{name}\"\nversion = \"{version}\"\n")));
                let checksum = entry.unwrap().split("checksum = \"").nth(1).and_then(|rest| rest.split('"').next());
                assert_eq!(component["hashes"][0]["content"].as_str(), checksum, "{name}");
                assert_eq!(component["purl"].is_string(), checksum.is_some(), "{name}");
                assert!(component["licenses"].is_array(), "{name}");
            }
            count += components.len();
        }
    }
    assert!(count > 500, "only {count} components");
    tally::tried(count);
}

#[test]
fn bill_of_materials_is_reproducible() {
    let manifest = manifest(Architecture::Arm64);
    assert_eq!(bills(&manifest).unwrap(), bills(&manifest).unwrap());
}

/// `CycloneDX`'s own library, with the format's JSON Schema.
const VALIDATE: &str = "
import sys, pathlib
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
validator = JsonStrictValidator(SchemaVersion.V1_5)
for file in sys.argv[1:]:
    error = validator.validate_str(pathlib.Path(file).read_text())
    print(file, 'is sound' if error is None else error)
";

#[test]
fn a_bill_is_what_cyclonedx_takes() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (function, bill) in bills(&manifest(Architecture::Arm64)).unwrap() {
        files.push(folder.path().join(format!("{function}.cdx.json")));
        std::fs::write(files.last().unwrap(), bill).unwrap();
    }
    files.push(folder.path().join("wrong.cdx.json"));
    std::fs::write(
        files.last().unwrap(),
        r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"name":"x"}]}"#,
    )
    .unwrap();
    let python = root().join(".tools/py/bin/python3");
    let output = Command::new(python).args(["-c", VALIDATE]).args(&files).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sound = told.lines().filter(|line| line.ends_with("is sound")).count();
    assert!(sound == FUNCTIONS.len() && told.contains("wrong.cdx.json"), "{told}");
    tally::tried(files.len());
}

/// The crates of this repository, from Cargo.
fn own_crates() -> Vec<Value> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let mut metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    serde_json::from_value(metadata["packages"].take()).unwrap()
}

/// A crate can't override `forbid`, so nothing needs to be searched.
#[test]
fn own_crates_forbid_unsafe_code() {
    let forbids = |text: &str| text.lines().any(|line| line.trim() == "unsafe_code = \"forbid\"");
    assert!(forbids(&std::fs::read_to_string(root().join("Cargo.toml")).unwrap()));
    let crates = own_crates();
    for one in &crates {
        let manifest = std::fs::read_to_string(one["manifest_path"].as_str().unwrap()).unwrap();
        assert!(manifest.contains("\n[lints]\nworkspace = true\n"), "{} has lints of its own", one["name"]);
    }
    let told = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let expected = "Every crate of this repository forbids unsafe code";
    assert!(told.contains(expected), "docs/security.md doesn't say: {expected}");
    tally::tried(crates.len());
}

/// The date after these words, if there is one.
fn date_behind<'a>(words: &str, text: &'a str) -> Option<&'a str> {
    let date = text.split_once(words)?.1.get(..10)?;
    let is_date = date
        .char_indices()
        .all(|(at, character)| if matches!(at, 4 | 7) { character == '-' } else { character.is_ascii_digit() });
    is_date.then_some(date)
}

#[test]
fn ignored_advisory_has_reason_and_date() {
    let deny: toml::Value = toml::from_str(&std::fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap();
    let ignored = deny["advisories"]["ignore"].as_array().unwrap();
    for one in ignored {
        let reason = one.get("reason").and_then(toml::Value::as_str).unwrap_or_default();
        assert!(one["id"].as_str().unwrap().starts_with("RUSTSEC-"), "{one:?}");
        assert!(date_behind("Look again by ", reason).is_some() && reason.len() > 60, "{one:?}");
    }
    tally::tried(ignored.len());
}

/// The reason in `deny.toml` for RUSTSEC-2023-0071. `ssh_key` signs with the crate `rsa` if it gets
/// an RSA private key, so no RSA private key may get there.
#[test]
fn functions_never_sign_with_rsa_crate() {
    // `infra` parses the key of a GitHub App, and `local` makes one. No function uses these crates.
    let elsewhere = ["git2s3-infra", "git2s3-local", "git2s3-tests"];
    for one in own_crates().into_iter().filter(|one| !elsewhere.contains(&one["name"].as_str().unwrap())) {
        let dependencies = one["dependencies"].as_array().unwrap();
        let mut linked = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
        assert!(linked.all(|dependency| dependency["name"] != "rsa"), "{} imports rsa", one["name"]);
    }
    // All identifiers that create or use an RSA private key, and the files that contain them.
    let allowed: [(&str, &[&str]); 6] = [
        ("RsaKeypair", &["crates/fetch/src/rsa.rs", "functions/ssh-key/src/key_pair.rs"]),
        ("RsaPrivateKey", &["crates/fetch/src/rsa.rs"]),
        ("PrivateKeyWithHashAlg", &["crates/fetch/src/private_key.rs"]),
        ("authenticate_publickey(", &["crates/fetch/src/private_key.rs"]),
        ("try_sign", &[]),
        ("SigningKey", &[]),
    ];
    let out = Command::new("git")
        .args(["ls-files", "functions/*/src/*.rs", "crates/*/src/*.rs"])
        .current_dir(root())
        .output()
        .unwrap();
    let files = String::from_utf8(out.stdout).unwrap();
    assert!(files.lines().count() > 50, "{files}");
    for file in files.lines() {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        for (word, files) in allowed {
            assert!(!text.contains(word) || files.contains(&file), "{file} has {word}");
        }
    }
    let key = std::fs::read_to_string(root().join("crates/fetch/src/private_key.rs")).unwrap();
    let [_, made] = key.split("PrivateKeyWithHashAlg::new(").collect::<Vec<_>>()[..] else {
        panic!("more than one is made")
    };
    assert!(
        made.starts_with("Arc::new(key), None)")
            && key.contains("ssh_key::PrivateKey::from(Ed25519Keypair::clone(pair))")
    );
    tally::tried(files.lines().count());
}

/// Runs `.ci/advisories` without a network and with a `cargo` that prints its arguments, with or
/// without a copy of the database.
fn advisories(on_github: bool, is_kept: bool) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, script: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    program("git", "exit 128");
    program("cargo", "echo \"cargo $*\"");
    if is_kept {
        std::fs::create_dir_all(folder.path().join("advisory-dbs/db")).unwrap();
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut script = Command::new(root().join(".ci/advisories"));
    script.env("PATH", path).env("CARGO_HOME", folder.path()).env("GITHUB_ACTIONS", on_github.to_string());
    let output = script.output().unwrap();
    (output.status.success(), [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat())
}

#[test]
fn unchecked_advisories_are_always_reported() {
    for is_kept in [false, true] {
        let (passed, told) = advisories(true, is_kept);
        assert!(!passed && told.contains("NOT CHECKED"), "{told}");
    }
    let (passed, told) = advisories(false, false);
    assert!(passed && told.contains("NOT CHECKED") && !told.contains("cargo"), "{told}");
    let (passed, told) = advisories(false, true);
    assert!(passed && told.contains("OLD") && told.contains("check --disable-fetch advisories"), "{told}");
}
