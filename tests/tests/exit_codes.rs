//! The exit codes have the same meaning for all commands, by the guide's table. Scripts and CI rely
//! on them.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::fs;
use std::path::Path;

use local::empty_account;
use local::process::built;
use tokio::process::Command;

fn infra() -> Command {
    let mut infra = Command::new(built("infra").unwrap());
    infra.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).kill_on_drop(true);
    infra
}

/// The codes and their names, from the command's help.
async fn said() -> Vec<(u8, String)> {
    let help = infra().arg("--help").output().await.unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let list = help.split("Exit codes: ").nth(1).unwrap().split('.').next().unwrap();
    let all = list.split(',').map(|one| one.trim().split_once(' ').unwrap());
    all.map(|(code, name)| (code.parse().unwrap(), name.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
}

#[tokio::test]
async fn the_guide_has_the_commands_table() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/deploy.md")).unwrap();
    let chapter = guide.split("\n## Exit codes\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = chapter.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let rows: Vec<(u8, String)> = rows
        .map(|row| {
            let mut cells = row.split(" | ");
            (cells.next().unwrap().parse().unwrap(), cells.next().unwrap().to_owned())
        })
        .collect();
    assert_eq!(rows, said().await);
}

#[tokio::test]
async fn exit_codes_are_consistent_across_commands() {
    let account = empty_account::start().await;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("handle.json", r#"{ "Resources": { "H": { "Type": "AWS::CloudFormation::WaitConditionHandle" } } }"#);
    write("queue.json", r#"{ "Resources": { "Q": { "Type": "AWS::SQS::Queue" } } }"#);
    write("bukket.json", r#"{ "Resources": { "B": { "Type": "AWS::S3::Bukket" } } }"#);
    let said = said().await;
    let code = |name: &str| said.iter().find(|(_, called)| called == name).map(|(code, _)| i32::from(*code));
    for (command, name, words) in [
        (&["check"][..], "fine", "0 findings"),
        (&["check", "--template", "queue.json"], "findings", "sqs/queue_encryption"),
        (
            &["check", "--template", "bukket.json"],
            "findings",
            "there is no type AWS::S3::Bukket: write AWS::S3::Bucket",
        ),
        (&["check", "--template", "none.json"], "failure", "cannot read none.json"),
        (&["check", "--format", "yaml"], "usage", "invalid value"),
        (&["diff", "--template", "queue.json", "--against", "queue.json"], "fine", "0 changed"),
        (&["diff", "--template", "queue.json", "--against", "handle.json"], "findings", "+ Q"),
        (&["diff", "--template", "queue.json", "--against", "handle.json", "--fail-on", "never"], "fine", "+ Q"),
        (&["diff", "--against", ""], "usage", "a value is required for '--against"),
        (&["diff", "--against", "no-such-commit"], "usage", "neither `deployed` nor a file nor a commit"),
        (&["diff", "--against", ":0"], "usage", "neither `deployed` nor a file nor a commit"),
        (&["diff", "--against", "-p"], "usage", "'-p'"),
        (&["review", "--against", ""], "usage", "a value is required for '--against"),
        // There is nothing to compare with: everything is new.
        (&["diff"], "findings", "there is no stack git2s3"),
        (&["diff", "--fail-on", "never"], "fine", "there is no stack git2s3"),
        (&["status"], "no such stack", "there is no stack git2s3"),
        (&["logs"], "no such stack", "there is no stack git2s3"),
        (&["logs", "--since", "yesterday"], "usage", "a number and s, m, h or d"),
        (&["logs", "--repository", "["], "usage", "expected a glob"),
        (&["init"], "usage", "no terminal"),
        (&["init", "--yes", "--repositories", "acme", "--config", "first.toml"], "fine", "first.toml is written"),
        (&["init", "--yes", "--repositories", "acme", "--config", "first.toml"], "usage", "is there already"),
        (&["redrive"], "no such stack", "there is no stack git2s3"),
        (&["trace", "72d3162e"], "no such stack", "there is no stack git2s3"),
        (&["trace"], "usage", "DELIVERY"),
        (&["trace", "acme//rocket"], "usage", "expected the ID of a delivery"),
        (&["trace", "72d3162e", "--last", "6"], "usage", "--last"),
        (&["replay", "72d3162e", "--yes"], "no such stack", "there is no stack git2s3"),
        (&["replay", "72d3162e"], "usage", "no terminal"),
        (&["replay", "72d3162e", "--dry-run"], "no such stack", "there is no stack git2s3"),
        (&["connect", "github.com/acme/app"], "no such stack", "there is no stack git2s3"),
        (&["connect"], "usage", "REPOSITORY"),
        (&["connect", "acme"], "usage", "expected host/owner/name"),
        (&["disconnect", "github.com/acme/app"], "no such stack", "there is no stack git2s3"),
        (&["doctor"], "no such stack", "there is no stack git2s3"),
        (&["keys"], "no such stack", "there is no stack git2s3"),
        (&["destroy", "--yes"], "no such stack", "there is no stack git2s3"),
        (&["destroy"], "usage", "no terminal"),
        (&["deploy", "--yes", "--template", "queue.json"], "findings", "sqs/queue_encryption"),
        (&["deploy", "--yes", "--parameter", "x"], "usage", "given as Name=Value"),
        // Commands that check a stack check its values, too.
        (&["synth", "--parameter", "WorkerConcurrency=1"], "usage", "expected a number from 2 to 1000"),
        (&["synth", "--parameter", "ApiSecret=x"], "usage", "must not stand on the command line"),
        (&["review", "--parameter", "Repositories=["], "usage", "expected a glob"),
        (&["review", "--parameter", "Reffs=main"], "usage", "there is no parameter Reffs"),
        (&["deploy", "--yes", "--reset", "Refs", "--parameter", "Refs=x"], "usage", "Refs is given and reset"),
        (&["status", "--stack-name", ""], "usage", "a value is required"),
        (&["status", "--region", ""], "usage", "a value is required"),
        (&["status", "--profile", ""], "usage", "a value is required"),
        (&["status", "--profile", "none"], "failure", "there is no profile none"),
        (&["completions", "bash"], "fine", "--dry-run"),
        (&["completions", "zsh"], "fine", "--dry-run"),
        (&["completions", "fish"], "fine", "dry-run"),
        (&["completions", "cmd"], "usage", "invalid value"),
        (&["deployer-policy", "--account", "123456789012"], "fine", "stack/git2s3/*"),
        (&["deployer-policy", "--account", "1234"], "usage", "1234 isn't the number of an account"),
        (&["deployer-policy", "--account", "123456789012", "--role-arn", "cfn"], "usage", "isn't the ARN of a role"),
        (&["deployer-policy", "--parameter", "RolePath=delivery"], "usage", "RolePath"),
        (&["deploy", "--yes", "--tag", "team"], "usage", "expected KEY=VALUE"),
        (&["deploy", "--yes", "--tag", "aws:team=x"], "usage", "only AWS's own do"),
        (&["deploy", "--yes", "--role-arn", "arn:aws:iam::999999999999:role/cfn"], "usage", "of another account"),
        (&["destroy", "--yes", "--role-arn", "cfn"], "usage", "isn't the ARN of a role"),
        (&["nothing"], "usage", "unrecognized subcommand"),
        (&["--version"], "fine", "infra"),
    ] {
        let mut infra = infra();
        infra.args(command).current_dir(dir.path()).env("AWS_ENDPOINT_URL", account.uri());
        infra.env("AWS_ACCESS_KEY_ID", "A").env("AWS_SECRET_ACCESS_KEY", "x").env("AWS_REGION", "eu-west-1");
        infra.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", dir.path());
        let output = infra.output().await.unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.code() == code(name) && text.contains(words), "{command:?}: {text}");
    }
}

#[tokio::test]
async fn commands_print_facts_as_json() {
    let account = empty_account::start().await;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::write(dir.path().join("queue.json"), r#"{ "Resources": { "Q": { "Type": "AWS::SQS::Queue" } } }"#).unwrap();
    for (command, key) in [
        (&["check"][..], "findings"),
        (&["synth"], "yaml"),
        (&["review"], "meaning"),
        (&["review", "--parameter", "Refs=main"], "parameters"),
        (&["diff", "--against", "queue.json"], "entries"),
        (&["deploy", "--dry-run"], "resources"),
        (&["schema"], "properties"),
        (&["deployer-policy", "--account", "123456789012"], "Statement"),
    ] {
        let mut infra = infra();
        infra
            .args(command)
            .args((!["schema", "deployer-policy"].contains(&command[0])).then_some("--json"))
            .current_dir(dir.path());
        infra.env("AWS_ENDPOINT_URL", account.uri()).env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", dir.path());
        infra.env("AWS_ACCESS_KEY_ID", "A").env("AWS_SECRET_ACCESS_KEY", "x").env("AWS_REGION", "eu-west-1");
        let output = infra.output().await.unwrap();
        let json: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{command:?}: {error}: {output:?}"));
        assert!(!json[key].is_null(), "{command:?}: {json}");
    }
}

#[tokio::test]
async fn completions_are_scripts_of_their_shell() {
    let script = infra().args(["completions", "bash"]).output().await.unwrap().stdout;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::write(dir.path().join("infra.bash"), script).unwrap();
    let asked = "source infra.bash; COMP_WORDS=(infra deploy --dry); COMP_CWORD=2; _infra infra --dry deploy; echo ${COMPREPLY[@]}";
    let output = Command::new("bash").args(["-c", asked]).current_dir(dir.path()).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "--dry-run", "{output:?}");
}

#[tokio::test]
async fn unreachable_endpoint_gets_hint() {
    let mut infra = infra();
    infra.arg("status").env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env("AWS_REGION", "eu-west-1");
    infra.env("AWS_ACCESS_KEY_ID", "A").env("AWS_SECRET_ACCESS_KEY", "x").env("AWS_EC2_METADATA_DISABLED", "true");
    let told = String::from_utf8(infra.output().await.unwrap().stderr).unwrap();
    assert!(told.contains("hint: nothing listens there") && told.contains("AWS_ENDPOINT_URL"), "{told}");
}
