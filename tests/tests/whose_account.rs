//! Which account a command uses, with realistic files and variables: the order is that of the AWS
//! CLI, and commands that change something print the account first.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::fs;
use std::process::Output;

use local::empty_account::{self, signed_by};
use local::process::built;
use tempfile::TempDir;
use tokio::process::Command;
use wiremock::MockServer;

/// A user's folder with AWS's files, and a project.
struct Desk {
    dir: TempDir,
    aws: MockServer,
}

impl Desk {
    async fn new() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let profiles = "[default]\nregion = eu-west-1\n[profile production]\nregion = eu-west-2\n[profile bare]\nregion = eu-west-3\n\
                        [profile program]\nregion = eu-west-2\ncredential_process = sh process\n";
        fs::write(dir.path().join("config"), profiles).unwrap();
        let key =
            |profile: &str, key: &str| format!("[{profile}]\naws_access_key_id = {key}\naws_secret_access_key = x\n");
        fs::write(dir.path().join("credentials"), key("default", "DEFAULT") + &key("production", "PRODUCTION"))
            .unwrap();
        let process = r#"echo '{ "Version": 1, "AccessKeyId": "PROGRAM", "SecretAccessKey": "x" }'"#;
        fs::write(dir.path().join("process"), process).unwrap();
        Self { dir, aws: empty_account::start().await }
    }

    async fn infra(&self, arguments: &[&str], environment: &[(&str, &str)], file: &str) -> Output {
        fs::write(self.dir.path().join("git2s3.toml"), file).unwrap();
        let program = built("infra").unwrap();
        let mut infra = Command::new(program);
        infra.args(arguments).current_dir(self.dir.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        infra
            .env("HOME", self.dir.path())
            .env("AWS_ENDPOINT_URL", self.aws.uri())
            .env("AWS_EC2_METADATA_DISABLED", "true");
        infra.env("AWS_CONFIG_FILE", self.dir.path().join("config"));
        infra.env("AWS_SHARED_CREDENTIALS_FILE", self.dir.path().join("credentials"));
        infra.envs(environment.iter().copied()).kill_on_drop(true).output().await.unwrap()
    }

    /// The key and the region that `redrive` uses, or its error.
    async fn asks(&self, flags: &[&str], environment: &[(&str, &str)], file: &str) -> Result<(String, String), String> {
        let before = self.aws.received_requests().await.unwrap().len();
        let output = self.infra(&[&["redrive"], flags].concat(), environment, file).await;
        let requests = self.aws.received_requests().await.unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let Some(first) = requests.get(before) else { return Err(told) };
        let (key, region) = signed_by(first);
        let announced =
            format!("stack git2s3 in account 111122223333, {region}, as arn:aws:iam::111122223333:user/{key}");
        assert!(told.starts_with(&announced), "{told}");
        Ok((key, region))
    }
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "ENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", "x")];

#[tokio::test]
async fn flag_overrides_environment_overrides_file() {
    let desk = Desk::new().await;
    let region = |name: &'static str| ("AWS_REGION", name);
    let production = "profile = 'production'\n";
    for (flags, environment, file, key, expected) in [
        // The order of the AWS CLI.
        (&[][..], &[][..], "", "DEFAULT", "eu-west-1"),
        (&[], &KEYS, "", "ENVIRONMENT", "eu-west-1"),
        (&[], &[("AWS_PROFILE", "production")], "", "PRODUCTION", "eu-west-2"),
        (&[], &[KEYS[0], KEYS[1], ("AWS_PROFILE", "production")], "", "ENVIRONMENT", "eu-west-2"),
        (&["--profile", "production"], &KEYS, "", "PRODUCTION", "eu-west-2"),
        (&["--profile", "program"], &KEYS, "", "PROGRAM", "eu-west-2"),
        (&["--profile", "production"], &[("AWS_PROFILE", "default")], "", "PRODUCTION", "eu-west-2"),
        (&["--profile", "production"], &[region("eu-north-1")], "", "PRODUCTION", "eu-north-1"),
        (&["--region", "eu-south-1"], &[region("eu-north-1")], "", "DEFAULT", "eu-south-1"),
        (&[], &[("AWS_DEFAULT_REGION", "eu-north-1")], "", "DEFAULT", "eu-north-1"),
        (&[], &[("AWS_DEFAULT_REGION", "eu-south-2"), region("eu-north-1")], "", "DEFAULT", "eu-north-1"),
        // git2s3.toml comes between the environment and AWS's own files.
        (&[], &[], production, "PRODUCTION", "eu-west-2"),
        (&[], &[("AWS_PROFILE", "default")], production, "DEFAULT", "eu-west-1"),
        (&[], &[("AWS_PROFILE", "")], production, "PRODUCTION", "eu-west-2"),
        (&["--profile", "default"], &[], production, "DEFAULT", "eu-west-1"),
        (&[], &KEYS, production, "ENVIRONMENT", "eu-west-2"),
        (&[], &KEYS, "profile = 'of-developers'\n", "ENVIRONMENT", "eu-west-1"),
        (&[], &[], "region = 'eu-central-2'\n", "DEFAULT", "eu-central-2"),
        (&[], &[region("eu-north-1")], "region = 'eu-central-2'\n", "DEFAULT", "eu-north-1"),
        (&[], &[("AWS_DEFAULT_REGION", "eu-north-1")], "region = 'eu-central-2'\n", "DEFAULT", "eu-north-1"),
        (&["--region", "eu-south-1"], &[], "region = 'eu-central-2'\n", "DEFAULT", "eu-south-1"),
        (&[], &[], "region = 'eu-central-2'\nprofile = 'production'\n", "PRODUCTION", "eu-central-2"),
    ] {
        let asked = desk.asks(flags, environment, file).await;
        assert_eq!(asked, Ok((key.to_owned(), expected.to_owned())), "{flags:?} {environment:?} {file:?}");
    }
}

#[tokio::test]
async fn missing_profile_is_never_substituted() {
    let desk = Desk::new().await;
    for (flags, environment, file, named_by) in [
        (&["--profile", "prodution"][..], &[][..], "", "--profile"),
        (&["--profile", "prodution"], &KEYS, "", "--profile"),
        (&[], &[("AWS_PROFILE", "prodution")], "", "AWS_PROFILE"),
        (&[], &[KEYS[0], KEYS[1], ("AWS_PROFILE", "prodution")], "", "AWS_PROFILE"),
        (&[], &[], "profile = 'prodution'\n", "git2s3.toml"),
    ] {
        let told = desk.asks(flags, environment, file).await.unwrap_err();
        let expected = format!("there is no profile prodution, which {named_by} names");
        assert!(told.contains(&expected) && told.contains("aws configure list-profiles"), "{told}");
    }
    // A profile without credentials doesn't fall back to others.
    let told = desk.asks(&["--profile", "bare"], &KEYS, "").await.unwrap_err();
    assert!(told.contains("credentials"), "{told}");
}

#[tokio::test]
async fn unused_profile_is_reported() {
    let desk = Desk::new().await;
    let output = desk.infra(&["redrive"], &KEYS, "profile = 'production'\n").await;
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("the credentials of AWS_ACCESS_KEY_ID come before profile production of git2s3.toml"),
        "{told}"
    );
}

#[tokio::test]
async fn whose_account_it_is_comes_first() {
    let desk = Desk::new().await;
    let template = r#"{ "Resources": { "Handle": { "Type": "AWS::CloudFormation::WaitConditionHandle" } } }"#;
    fs::write(desk.dir.path().join("template.json"), template).unwrap();
    for command in [
        &["deploy", "--yes", "--template", "template.json"][..],
        &["deploy", "--no-execute", "--template", "template.json"],
        &["destroy", "--yes"],
        &["redrive"],
        &["acceptance", "--yes", "--stack-name", "git2s3"],
    ] {
        let output = desk.infra(command, &[], "").await;
        let told = String::from_utf8(output.stderr).unwrap();
        let first = "stack git2s3 in account 111122223333, eu-west-1, as arn:aws:iam::111122223333:user/DEFAULT\n";
        assert!(told.starts_with(first), "{command:?}: {told}");
    }
}
