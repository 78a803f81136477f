//! `infra acceptance` against the local cloud, and checks that apply to any of its records.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use contract::HostKind;
use infra::acceptance::order::disorder;
use infra::acceptance::record::Kind;
use infra::acceptance::{NO_ACCOUNT, Promise, Record, Row, Verdict};
use local::archives::{Archives, PUBLIC, address};
use local::aws::{ACCESS_KEY, Account, REGION, SECRET_KEY};
use local::local::Local;
use local::process::built;
use local::sshd::Access;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

const STACK: &str = "git2s3-acceptance";

/// Everything needed for a run.
struct Desk {
    local: Local,
    archives: Archives,
    work: PathBuf,
}

impl Desk {
    async fn new(dir: &Path) -> Self {
        let local = Local::tied(&dir.join("cloud")).await.unwrap();
        let archives = Archives::start(local.host.root()).await.unwrap();
        for path in ["octo/rocket", "acme/secret"] {
            let clone = local.host.create(path).await.unwrap();
            fs::write(clone.dir().join("README.md"), "# Rocket\n").unwrap();
            clone.commit("Build a rocket").await.unwrap();
            clone.push(&["main"]).await.unwrap();
        }
        fs::write(local.host.root().join("octo/rocket.git").join(PUBLIC), "").unwrap();
        local.packaged().unwrap();
        let work = dir.join("work");
        fs::create_dir_all(&work).unwrap();
        std::os::unix::fs::symlink(local.dist(), work.join("dist")).unwrap();
        let desk = Self { local, archives, work };
        desk.write_last_release();
        desk.write_parameters();
        desk
    }

    /// The same functions with a template that differs from today's.
    fn write_last_release(&self) {
        let from = self.work.join("last");
        fs::create_dir(&from).unwrap();
        for name in ["assets", "assets.json"] {
            std::os::unix::fs::symlink(self.local.dist().join(name), from.join(name)).unwrap();
        }
        let mut template = self.local.template().unwrap().into_value();
        template["Resources"]["WebhookFunction"]["Properties"]["Description"] = "as it was".into();
        template["Parameters"].as_object_mut().unwrap().remove("WebAclArn").unwrap();
        let text = template.to_string().replace(r#"{"Ref":"WebAclArn"}"#, r#""""#);
        fs::write(from.join("git2s3.template.json"), text).unwrap();
    }

    fn write_parameters(&self) {
        let (user, ssh, https) = (&self.local.sshd.user, self.local.sshd.port, self.archives.port);
        let github = address(HostKind::GitHub);
        let parameters = json!({
            "AllowedGitHosts": format!("{user}@{github}:{ssh}=github:{https}+private,127.0.0.21+private,{user}@127.0.0.1:{ssh}"),
            "KnownHosts": self.local.sshd.known_hosts_line().unwrap(),
            "CaBundle": self.archives.ca,
        });
        fs::write(self.work.join("parameters.json"), parameters.to_string()).unwrap();
        fs::write(self.work.join("token"), format!("{github}=hunter2")).unwrap();
    }

    fn account(&self) -> &Account {
        &self.local.cloud.account
    }

    fn command(&self, more: &[&str]) -> Command {
        let program = built("infra").unwrap();
        let mut command = Command::new(program);
        let public = format!("{}/octo/rocket#main", address(HostKind::GitHub));
        command.args(["acceptance", "--public-repository", &public, "--parameter-file", "parameters.json"]);
        command.args(["--secret-file", "GitToken=token", "--region", REGION]).args(more);
        command.current_dir(&self.work).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("AWS_ENDPOINT_URL", &self.account().endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// The output until the end, the exit code and stdout. Calls `seen` with each line.
    async fn finish(&self, mut child: Child, mut seen: impl FnMut(&Child, &str)) -> (Option<i32>, String, String) {
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            seen(&child, &line);
            said.push(line);
        }
        let mut data = String::new();
        child.stdout.take().unwrap().read_to_string(&mut data).await.unwrap();
        (child.wait().await.unwrap().code(), said.join("\n"), data)
    }

    fn record(&self, name: &str) -> Record {
        serde_json::from_str(&fs::read_to_string(self.work.join(name)).unwrap()).unwrap()
    }

    async fn buckets(&self) -> Vec<String> {
        let buckets = self.account().s3.list_buckets().send().await.unwrap();
        buckets.buckets().iter().filter_map(|bucket| bucket.name()).map(str::to_owned).collect()
    }
}

/// The emulator's queues have no metrics, so this publishes SQS's metric as soon as there is a
/// dead-letter message.
async fn measure_dead_letters(account: Account) {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let Ok(resources) = account.resources(STACK).await else { continue };
        let Ok(queue) = resources.id("ZipDlDeadLetterQueue") else { continue };
        if account.messages(queue).await.unwrap_or_default() > 0 {
            let name = queue.rsplit('/').next().unwrap();
            let message = json!({
                "MetricName": "ApproximateNumberOfMessagesVisible", "Value": 1,
                "Dimensions": [{ "Name": "QueueName", "Value": name }],
            });
            let message = json!({ "Namespace": "AWS/SQS", "MetricData": [message] });
            account.cloudwatch("PutMetricData", &message).await.unwrap();
            return;
        }
    }
}

/// Checks the invariants of every record, whenever it was written.
fn checked(name: &str, text: &str) -> Record {
    let value: Value = serde_json::from_str(text).unwrap();
    let schema = schema_of_records();
    let errors: Vec<_> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?}");
    let record: Record = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&record).unwrap(), value, "{name}: not the same when it was read and written");

    assert_eq!(record.rows.iter().map(|row| row.promise).collect::<Vec<_>>(), Promise::ALL, "{name}");
    for forbidden in ["X-Amz-Signature", "X-Amz-Security-Token", "AKIA", "ASIA", "PRIVATE KEY"] {
        assert!(!text.contains(forbidden), "{name} has {forbidden}");
    }
    for number in text.split("arn:aws").skip(1).filter_map(|arn| arn.split(':').nth(4)) {
        assert!(number.is_empty() || number == "aws" || number == NO_ACCOUNT, "{name} names an account: {number}");
    }
    for operation in &record.operations {
        assert_eq!(disorder(operation), [""; 0], "{name}: {}", operation.what);
    }
    record
}

fn schema_of_records() -> jsonschema::Validator {
    let program = built("infra").unwrap();
    let output = std::process::Command::new(program).args(["schema", "acceptance"]).output().unwrap();
    jsonschema::validator_for(&serde_json::from_slice(&output.stdout).unwrap()).unwrap()
}

#[test]
fn recorded_aws_runs_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("acceptance");
    // There are none until somebody with an account has run it.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "json"))
    {
        let record = checked(&path.display().to_string(), &fs::read_to_string(&path).unwrap());
        assert!(record.is_aws && record.passes(), "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_promise_holds_in_local_cloud() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let desk = Desk::new(dir.path()).await;
    let sshd = &desk.local.sshd;
    let repository = format!("ssh://{}@127.0.0.1:{}/acme/secret.git#main", sshd.user, sshd.port);
    let measuring = tokio::spawn(measure_dead_letters(desk.account().clone()));

    let whole = ["--yes", "--json", "--repository", &repository, "--from", "last", "--domain", "git.example.com"];
    let network = ["--vpc", "vpc-00000001", "--subnets", "subnet-00000001"];
    let child = desk.command(&[&whole[..], &network].concat()).spawn().unwrap();
    let authorize = |_: &Child, line: &str| {
        if line.starts_with("ssh-ed25519 ") {
            sshd.authorize(line, Access::Read, &desk.local.host.serve()).unwrap();
        }
    };
    let (code, said, data) = desk.finish(child, authorize).await;
    measuring.abort();
    assert_eq!(code, Some(0), "{data}\n{said}");
    for words in
        ["account 000000000000, us-east-1, as arn:aws", "less than a dollar", "127.0.0.1/acme/secret", "cleaned up"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    let rows: Vec<Row> = serde_json::from_str(&data).unwrap();
    assert!(rows.iter().all(|row| row.result == Verdict::Pass), "{data}");

    let text = fs::read_to_string(desk.work.join("acceptance.json")).unwrap();
    assert!(!text.contains("hunter2") && !said.contains("hunter2"), "the token is told");
    let record = checked("acceptance.json", &text);
    assert_eq!(record.rows, rows);
    assert!(!record.is_aws);
    let done: Vec<_> = record.operations.iter().map(|one| (one.kind, one.status.as_str())).collect();
    let update = (Kind::Update, "UPDATE_COMPLETE");
    assert_eq!(
        done,
        [(Kind::Create, "CREATE_COMPLETE"), update, update, update, update, (Kind::Delete, "DELETE_COMPLETE")]
    );
    // There are enough lines for the order to be meaningful.
    let last = record.operations.last().unwrap();
    assert!(last.events.len() > 100 && last.dependencies.len() > 50, "{} events", last.events.len());
    assert!(last.dependencies["GitPullEventSource"].contains("GitPullFunction"));
    assert!(record.answers.iter().any(|answer| answer.bytes == 4_800_000 && answer.status == Some(413)));
    assert_eq!(desk.buckets().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_run_cleans_up_itself() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let desk = Desk::new(dir.path()).await;

    // A stack that somebody else created isn't touched.
    let template = r#"{"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}"#;
    let other = desk.account().cloudformation.create_stack().stack_name("theirs").template_body(template);
    other.send().await.unwrap();
    let refused = desk.command(&["--yes", "--stack-name", "theirs"]).spawn().unwrap();
    let (code, said, _) = desk.finish(refused, |_, _| {}).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there is a stack theirs already") && said.contains("--stack-name"), "{said}");

    // There is no terminal to ask.
    let (code, said, _) = desk.finish(desk.command(&[]).spawn().unwrap(), |_, _| {}).await;
    assert!(code == Some(2) && said.contains("--yes"), "{said}");

    // During the creation and after it.
    for line in ["CREATE_IN_PROGRESS", &Promise::Download.to_string()] {
        let child = desk.command(&["--yes"]).spawn().unwrap();
        let mut is_sent = false;
        let interrupt = |child: &Child, said: &str| {
            if said.contains(line) && !is_sent {
                is_sent = true;
                let id = rustix::process::Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
                rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
            }
        };
        let (code, said, data) = desk.finish(child, interrupt).await;
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("interrupted: cleaning up") && said.contains("nothing is left of stack"), "{said}");
        assert!(data.contains("interrupted"), "{data}");
        let record = desk.record("acceptance.json");
        assert_eq!(record.rows.len(), Promise::ALL.len());
        assert_eq!(record.operations.last().unwrap().kind, Kind::Delete, "{said}");
        assert_eq!(desk.buckets().await, [""; 0], "{said}");
        assert!(desk.account().resources(STACK).await.map_or(true, |left| left.is_empty()), "{said}");
    }
}
