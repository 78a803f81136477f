//! A deployer's day, from the first command to the last: the output of each is a reviewed snapshot.

use std::fmt::Write as _;
use std::fs;

use local::aws::REGION;
use local::local::Local;

use tokio::process::Command;

use crate::bucket::pushed;
use crate::desk::Desk;

/// What varies between runs, and its replacements.
const FILTERS: [(&str, &str); 13] = [
    (r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?", "DAY"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"\d+(\.\d+)? (s|ms)\b", "DURATION"),
    (r"\d+(\.\d+)? (KiB|MiB|bytes)\b", "SIZE"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "ID"),
    (r"(output|key|cache)bucket-[0-9a-f]+\b", "${1}bucket-ID"),
    (r"ApiLogRole-\w+", "ApiLogRole-ID"),
    (r"git2s3-assets-[0-9a-z-]+", "git2s3-assets-ID"),
    (r"https://[0-9a-z]+\.execute-api", "https://API.execute-api"),
    (r"\w+@127\.0\.0\.1(:|, port )\d+( {2,})?", "git@127.0.0.1${1}PORT  "),
    (r"(127\.0\.0\.1\]?:|keyscan -p )\d+", "${1}PORT"),
    (r"ssh-ed25519 [A-Za-z0-9+/]{68}", "ssh-ed25519 KEY"),
    (r" at [0-9a-f]{12}\b", " at COMMIT"),
];

/// An invalid value for every parameter.
const BROKEN: [(&str, &str); 39] = [
    ("AlarmEmail", "platform"),
    ("AllowedGitHosts", "github.com=gitlub"),
    ("AllowedIps", "github.com=10.0.0.0/33"),
    ("ApiSecret", "[github.com/acme/*secret"),
    ("CaBundle", "certificate"),
    ("CommitStatus", "yes"),
    ("CustomDomainName", "https://git.example.com"),
    ("DeletedReferences", "forget"),
    ("ExcludeGit", "yes"),
    ("FetchOver", "git"),
    ("GitHubAppHost", "https://github.com"),
    ("GitHubAppId", "our-app"),
    ("GitHubAppKey", "alias/git2s3"),
    ("GitToken", "a\"b"),
    ("KeepCommits", "0"),
    ("KeyLayout", "flat"),
    ("KeyType", "dsa"),
    ("KnownHosts", "garbage"),
    ("Lfs", "yes"),
    ("MaxArchiveBytes", "10 GB"),
    ("MinimumSignature", "md5"),
    ("NewerNoncurrentVersions", "101"),
    ("NoncurrentDays", "a year"),
    ("OAuthKey", "a\"b"),
    ("OAuthSecret", "a\"b"),
    ("OutputBucketName", "My_Bucket"),
    ("Paths", "{src"),
    ("PermissionsBoundary", "boundary"),
    ("QSS3BucketName", "My_Bucket"),
    ("QSS3KeyPrefix", "no-slash"),
    ("ReconcileEvery", "45"),
    ("Refs", "{main"),
    ("Repositories", "["),
    ("RolePath", "teams"),
    ("Submodules", "yes"),
    ("SubnetIds", "subnet"),
    ("VPCId", "vpc"),
    ("WebAclArn", "acl"),
    ("WorkerConcurrency", "1"),
];

/// A desk for a day.
struct Day<'a> {
    desk: Desk<'a>,
}

impl Day<'_> {
    /// A command with all settings in the file, and no variables.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.desk.command(arguments);
        command.env_remove("GIT2S3_REFS");
        command
    }

    /// Runs a command, and compares its output with the snapshot `name`.
    async fn types(&self, name: &str, command: &[&str], code: i32) -> String {
        let output = self.command(command).output().await.unwrap();
        let [said, told] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(output.status.code(), Some(code), "{command:?}: {told}{said}");
        Self::told(name, &format!("$ infra {}\n{told}{said}", command.join(" ")));
        said
    }

    /// Everything that is wrong with a value is reported before anything happens.
    async fn is_told_of_broken_values(&self) {
        let declared = deployment::stack::template(None).unwrap().into_value();
        let mut names: Vec<_> = declared["Parameters"].as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, BROKEN.map(|(name, _)| name), "every parameter has a broken value");
        let mut told = String::new();
        for (name, value) in BROKEN {
            let mut command = self.command(&["deploy", "--yes"]);
            let output = if declared["Parameters"][name]["NoEcho"] == true {
                self.desk.write("broken.txt", value);
                command.args(["--secret-file", &format!("{name}=broken.txt")]).output()
            } else {
                command.args(["--parameter", &format!("{name}={value}")]).output()
            };
            let output = output.await.unwrap();
            let said = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
            assert_eq!(output.status.code(), Some(2), "{name}: {said}");
            writeln!(told, "{name}={value}\n{said}").unwrap();
        }
        Self::told("11_broken_values", &told);
    }

    fn told(name: &str, text: &str) {
        assert!(!text.contains("hunter2"), "{name} tells the secret: {text}");
        insta::with_settings!({ filters => FILTERS, omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("day_{name}"), short(text));
        });
    }
}

/// The group of similar lines that a line belongs to.
fn kind(line: &str) -> Option<&'static str> {
    match line {
        line if line.starts_with("Add     ") => Some("resources to add"),
        line if line.starts_with("uploading ") => Some("uploads"),
        line if line.contains("_IN_PROGRESS") || line.contains("_COMPLETE  ") => Some("events"),
        _ => None,
    }
}

/// A text in which each group of similar lines is one line, as on a terminal.
fn short(text: &str) -> String {
    let mut lines: Vec<(Option<&str>, usize, &str)> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some((before, count, _)) if before.is_some() && *before == kind(line) => *count += 1,
            _ => lines.push((kind(line), 1, line)),
        }
    }
    let lines = lines.into_iter().map(|(kind, count, line)| match kind {
        Some(kind) if count > 1 => format!("[{count} {kind}]"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_from_init_to_destroy() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud")).await.unwrap();
    let account = &local.cloud.account;
    let work = dir.path().join("work");
    let day = Day { desk: Desk::packaged(&local, &work) };
    let desk = &day.desk;

    let host = format!("{}@127.0.0.1:{}", local.sshd.user, local.sshd.port);
    let answers = format!("{host}\nacme\nmain\ny\n\ny");
    let flags = ["init", "--stack-name", "zips", "--region", REGION];
    let (code, told) = desk.answered(&flags, &answers).await;
    assert_eq!(code, Some(0), "{told}");
    Day::told("01_init", &told.replace('\r', ""));
    desk.write("api-secret.txt", "hunter2\n");
    let file = fs::read_to_string(work.join("git2s3.toml")).unwrap();
    let known = format!("[parameters]\nKnownHosts = \"{}\"", local.sshd.known_hosts_line().unwrap());
    let file = file.replace("[parameters]", &known);
    desk.write("git2s3.toml", &file);

    day.types("02_check", &["check"], 0).await;
    day.types("03_review", &["review", "--against", "deployed"], 0).await;
    day.types("04_deploy", &["deploy", "--yes"], 0).await;

    // As a person enters it at the Git host.
    let stack = local.connect("zips", desk.outputs().await, "hunter2".to_owned()).unwrap();
    let bucket = stack.output("OutputBucketName").unwrap();
    let clone = local.host.create("acme/rocket").await.unwrap();
    pushed(account, &clone, bucket, "First").await;
    day.types("05_status", &["status"], 0).await;
    day.types("06_logs", &["logs"], 0).await;

    // Another value.
    desk.write("git2s3.toml", &file.replace("Refs = \"main\"", "Refs = \"main,release/*\""));
    day.types("07_diff", &["diff"], 1).await;
    day.types("08_deploy_parameter", &["deploy", "--yes"], 0).await;

    // A new secret: both for a while, then only the new one.
    desk.write("api-secret.txt", "hunter2-new,hunter2\n");
    day.types("09_deploy_both_secrets", &["deploy", "--yes"], 0).await;
    desk.write("api-secret.txt", "hunter2-new\n");
    day.types("10_deploy_new_secret", &["deploy", "--yes"], 0).await;
    local.host.report_to(&stack.webhook_url, "hunter2-new").unwrap();
    pushed(account, &clone, bucket, "Second").await;

    day.is_told_of_broken_values().await;

    day.types("12_destroy", &["destroy", "--yes", "--keep-output"], 0).await;
    day.types("13_status_without_a_stack", &["status"], 4).await;

    // The kept zips in a new stack, which has another key and another address.
    day.types("14_import", &["deploy", "--yes", "--import-bucket", bucket], 0).await;
    let outputs = desk.outputs().await;
    assert_eq!(outputs["OutputBucketName"], *bucket);
    local.connect("zips", outputs, "hunter2-new".to_owned()).unwrap();
    pushed(account, &clone, bucket, "Third").await;
    day.types("15_destroy_with_assets", &["destroy", "--yes", "--assets"], 0).await;
    let left = account.s3.list_buckets().send().await.unwrap();
    assert!(left.buckets().is_empty(), "{left:?}");
}
