//! The life of a stack by the `infra` command alone, as a person types it, in the local cloud.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_cloudformation::types::ExecutionStatus;
use aws_sdk_sqs::types::QueueAttributeName;
use git2s3_infra::render::progress::Silent;
use git2s3_tests::artifact::Artifact;
use git2s3_tests::aws::{ACCESS_KEY, Account, REGION, Resources, SECRET_KEY};
use git2s3_tests::call::Call;
use git2s3_tests::local::{Local, STACK};
use git2s3_tests::webhook;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The network that the account has from the beginning.
const VPC: &str = "vpc-00000001";
const SUBNET: &str = "subnet-00000001";
const LOCAL: &str = env!("CARGO_BIN_EXE_local");

/// Runs a command at a terminal, gives the answer to its question, and ends as it does. What is typed before it is asked waits, but for
/// `^C`, which is Ctrl-C at the question.
const TERMINAL: &str = r"
import os, pty, sys
child, terminal = pty.fork()
if not child:
    os.execv(sys.argv[2], sys.argv[2:])
interrupts, all_told = sys.argv[1] == '^C', b''
if not interrupts:
    os.write(terminal, sys.argv[1].encode() + b'\n')
while True:
    try:
        told = os.read(terminal, 4096)
    except OSError:
        break
    if not told:
        break
    sys.stdout.buffer.write(told)
    all_told += told
    if interrupts and (b'[y/N]' in all_told or b'type the' in all_told):
        interrupts = False
        os.write(terminal, b'\x03')
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";

/// A working directory with packaged functions, a configuration and an account.
struct Desk<'a> {
    account: &'a Account,
    dir: &'a Path,
}

impl<'a> Desk<'a> {
    /// An empty one in the folder `dir`, which is made.
    fn new(account: &'a Account, dir: &'a Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        Self { account, dir }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.run(Command::new(Path::new(LOCAL).with_file_name("infra")), arguments)
    }

    /// The same at a terminal, where a person answers.
    async fn answered(&self, arguments: &[&str], answer: &str) -> (Option<i32>, String) {
        let output = self.at_a_terminal(arguments, answer).output().await.unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn at_a_terminal(&self, arguments: &[&str], answer: &str) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut python = Command::new(root.join(".tools/ministack/bin/python3"));
        python.args(["-c", TERMINAL, answer]).arg(Path::new(LOCAL).with_file_name("infra"));
        self.run(python, arguments)
    }

    fn run(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).current_dir(self.dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("AWS_ENDPOINT_URL", &self.account.endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command.env("GIT2S3_REFS", "main").kill_on_drop(true);
        command
    }

    async fn infra(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.unwrap()
    }

    /// The exit code, and what was said on both channels.
    async fn told(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.infra(arguments).await;
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }

    async fn check(&self, arguments: &[&str], code: i32, expected: &[&str]) -> String {
        let (got, text) = self.told(arguments).await;
        assert_eq!(got, Some(code), "{arguments:?}: {text}");
        for words in expected {
            assert!(text.contains(words), "{arguments:?} does not say {words:?}: {text}");
        }
        assert!(!text.contains("hunter2"), "{arguments:?} tells the secret: {text}");
        text
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).unwrap();
    }

    async fn parameter(&self, name: &str) -> Option<String> {
        let stacks = self.account.cloudformation.describe_stacks().stack_name("zips").send().await.unwrap();
        let found = stacks.stacks()[0].parameters().iter().find(|one| one.parameter_key() == Some(name));
        found.and_then(|one| one.parameter_value()).map(str::to_owned)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_lives_and_ends_by_the_command() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud"), Path::new(LOCAL)).await.unwrap();
    local.package(&mut Silent).unwrap();
    let account = &local.cloud.account;
    let work = dir.path().join("work");
    let desk = Desk::new(account, &work);
    std::os::unix::fs::symlink(local.dist(), work.join("dist")).unwrap();

    desk.write("secret", "hunter2\n");
    let configuration = format!(
        "stack-name = 'zips'\nregion = '{REGION}'\n[parameters]\nRepositories = 'github.com/acme/**'\n\
         [secrets]\nApiSecret = {{ file = 'secret' }}\n[tags]\nteam = 'platform'\n"
    );
    desk.write("git2s3.toml", &configuration);

    // Nothing is there, and looking at it makes nothing.
    desk.check(&["status"], 4, &["there is no stack zips"]).await;
    desk.check(&["diff"], 1, &["there is no stack zips", "+ OutputBucket"]).await;
    let said = [
        "stack zips would be created",
        "may be fetched from: github.com: /gitpull as git@github.com",
        "AWS::S3::Bucket\n",
        "+  Repositories  github.com/acme/**",
        "dry run: nothing was changed",
    ];
    desk.check(&["deploy", "--dry-run"], 0, &said).await;
    desk.check(&["status"], 4, &["there is no stack zips"]).await;
    desk.check(&["deploy"], 2, &["there is no terminal", "--yes"]).await;

    let next = [
        "CREATE_COMPLETE",
        "GitPullWebHookApi",
        "Next, for each repository:",
        "github.com (GitHub)",
        "key  ssh-ed25519 ",
    ];
    desk.check(&["deploy", "--yes"], 0, &next).await;
    assert_eq!(desk.parameter("Repositories").await.unwrap(), "github.com/acme/**");
    assert_eq!(desk.parameter("Refs").await.unwrap(), "main", "by the environment");
    let stacks = account.cloudformation.describe_stacks().stack_name("zips").send().await.unwrap();
    assert_eq!(stacks.stacks()[0].tags()[0].value(), Some("platform"));
    desk.check(&["diff"], 0, &["0 changed entries"]).await;
    desk.check(&["deploy", "--yes"], 0, &["no change"]).await;
    desk.check(&["deploy", "--dry-run"], 0, &["nothing would be but secrets"]).await;
    // What a value does to a resource is seen, too: another name makes another bucket.
    let said = ["± OutputBucket", "~  OutputBucketName", "made anew", "dry run: nothing was changed"];
    desk.check(&["deploy", "--dry-run", "--parameter", "OutputBucketName=another-name"], 0, &said).await;
    let json = desk.infra(&["deploy", "--dry-run", "--json", "--parameter", "Refs=dev"]).await;
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let refs = json["parameters"].as_array().unwrap().iter().find(|one| one["name"] == "Refs").unwrap();
    assert_eq!((&refs["old"], &refs["new"], &refs["change"]), (&json!("main"), &json!("dev"), &json!("changed")));
    assert_eq!((&json["stack"], &json["creates"]), (&json!("zips"), &json!(false)));

    // What was done by hand is told before anything is planned.
    let queue = account.resources("zips").await.unwrap().id("GitPullQueue").unwrap().to_owned();
    let by_hand = account.sqs.set_queue_attributes().queue_url(&queue);
    by_hand.attributes(QueueAttributeName::VisibilityTimeout, "77").send().await.unwrap();
    let by_hand = ["changed by hand: GitPullQueue (AWS::SQS::Queue): /VisibilityTimeout"];
    let drift = desk.check(&["deploy", "--dry-run"], 0, &by_hand).await;
    assert_eq!(drift.matches("changed by hand").count(), 1, "{drift}");
    let quiet = desk.check(&["deploy", "--dry-run", "--no-drift"], 0, &[]).await;
    assert!(!quiet.contains("by hand"), "{quiet}");

    // A flag comes before the file; somebody else may execute.
    let said =
        ["  aws cloudformation describe-change-set --change-set-name arn:", "  aws cloudformation execute-change-set"];
    let waiting = desk.check(&["deploy", "--no-execute", "--parameter", "Refs=dev"], 0, &said).await;
    let commands = waiting.lines().filter(|line| line.starts_with("  aws "));
    assert!(commands.map(|line| line.ends_with(&format!(" --region {REGION}"))).eq([true, true]), "{waiting}");
    assert_eq!(desk.parameter("Refs").await.unwrap(), "main");
    let id = waiting.split("--change-set-name ").nth(1).unwrap().split_whitespace().next().unwrap();
    account.cloudformation.execute_change_set().change_set_name(id).send().await.unwrap();
    while desk.told(&["status"]).await.0 != Some(0) {}
    assert_eq!(desk.parameter("Refs").await.unwrap(), "dev");

    // A line that goes out of the file leaves the stack its value, until it is reset.
    desk.write("git2s3.toml", &configuration.replace("Repositories = 'github.com/acme/**'", ""));
    let said = ["the stack keeps what nothing gives now: Repositories; `--reset NAME`", "security: AllowedIps"];
    desk.check(&["deploy", "--dry-run", "--parameter", "AllowedIps=bitbucket.org=0.0.0.0/0"], 0, &said).await;
    let said = ["~  Repositories  (empty)", "security: Repositories is empty"];
    desk.check(&["deploy", "--dry-run", "--reset", "Repositories"], 0, &said).await;
    desk.check(&["deploy", "--dry-run", "--reset", "Reps"], 2, &["there is no parameter Reps"]).await;
    desk.write("git2s3.toml", &configuration);

    // More rights need more than a yes.
    let mut template: Value = serde_json::from_str(local.template().unwrap().text()).unwrap();
    template["Resources"]["WebhookRole"]["Properties"]["Policies"][1]["PolicyDocument"]["Statement"][0]["Action"] =
        json!(["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]);
    desk.write("broader.json", &template.to_string());
    let broader = ["deploy", "--yes", "--template", "broader.json"];
    desk.check(&broader, 2, &["somebody may do more", "--allow-broader", "PutSecretValue"]).await;
    let left = account.cloudformation.list_change_sets().stack_name("zips").send().await.unwrap();
    let waiting = left.summaries().iter().filter(|one| one.execution_status() == Some(&ExecutionStatus::Available));
    assert_eq!(waiting.count(), 0, "{left:?}");
    // Another value is a difference, too.
    desk.check(&["diff"], 1, &["0 changed entries", "~  Refs", "?  ApiSecret     set"]).await;
    desk.check(&["diff", "--parameter", "Refs=dev"], 0, &["0 changed entries"]).await;
    let json: Value = serde_json::from_slice(&desk.infra(&["diff", "--json"]).await.stdout).unwrap();
    assert!(json["entries"] == json!([]) && json["parameters"].as_array().unwrap().len() > 20, "{json}");
    desk.check(&[&broader[..], &["--allow-broader"]].concat(), 0, &["UPDATE_COMPLETE"]).await;
    desk.check(&["diff", "--fail-on", "broadened"], 0, &["~ WebhookRole", "PutSecretValue", "0 of them broader"]).await;

    // A letter that failed goes back, once.
    let resources = account.resources("zips").await.unwrap();
    let dead = resources.id("ZipDlDeadLetterQueue").unwrap();
    let sent = account.sqs.send_message().queue_url(dead).message_body("{}").message_group_id("g");
    sent.message_deduplication_id("d").send().await.unwrap();
    desk.check(&["status"], 1, &["ZipDlDeadLetterQueue", "UPDATE_COMPLETE"]).await;
    let moved = desk.check(&["redrive", "--worker", "ZipDl"], 0, &["ZipDlQueue: 1 dead letters went back"]).await;
    assert!(!moved.contains("GitPull"), "{moved}");
    assert_eq!(account.messages(dead).await.unwrap(), 0);
    desk.check(&["redrive"], 0, &["GitPullQueue: 0 dead letters", "ZipDlQueue: 0 dead letters"]).await;
    let moved: Value = serde_json::from_slice(&desk.infra(&["redrive", "--json"]).await.stdout).unwrap();
    assert_eq!(moved[1], json!({ "queue": "ZipDlQueue", "count": 0 }));

    // The zips survive the stack.
    let bucket = resources.id("OutputBucket").unwrap().to_owned();
    account.s3.put_object().bucket(&bucket).key("acme/a.zip").body(b"zip".to_vec().into()).send().await.unwrap();
    let status: Value = serde_json::from_slice(&desk.infra(&["status", "--json"]).await.stdout).unwrap();
    assert_eq!(status["objects"][0]["key"], "acme/a.zip");
    let said = [bucket.as_str(), "stays, and all that is in it", "AWS::KMS::Key", "stack zips is gone"];
    let gone = desk.check(&["destroy", "--yes", "--keep-output", "--json"], 0, &said).await;
    let json: Value = serde_json::from_str(gone.split_inclusive('}').take(2).collect::<String>().as_str()).unwrap();
    assert_eq!((&json["kept"], &json["stack"]), (&json!([bucket]), &json!("zips")));
    let kept = account.s3.get_object().bucket(&bucket).key("acme/a.zip").send().await.unwrap();
    assert_eq!(kept.body.collect().await.unwrap().to_vec(), b"zip");
    let buckets = account.s3.list_buckets().send().await.unwrap();
    let left: Vec<_> = buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert!(left.iter().all(|name| *name == bucket || name.contains("assets")), "{left:?}");
    desk.check(&["destroy", "--yes"], 4, &["there is no stack zips"]).await;
}

/// Puts lines into a log of the stack, as they came there `ago`.
async fn log(account: &Account, part: &str, ago: Duration, lines: &[String]) {
    let (group, stream) = (format!("/git2s3/{STACK}/{part}"), hex::encode(rand::random::<[u8; 8]>()));
    let call = async |action: &str, body: Value| {
        let answer = account.send(&Call::json("logs", &format!("Logs_20140328.{action}"), &body)).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    call("CreateLogStream", json!({ "logGroupName": group, "logStreamName": stream })).await;
    let then = (std::time::SystemTime::now() - ago).duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let then = u64::try_from(then.as_millis()).unwrap();
    let events: Vec<_> = lines.iter().map(|line| json!({ "timestamp": then, "message": line })).collect();
    call("PutLogEvents", json!({ "logGroupName": group, "logStreamName": stream, "logEvents": events })).await;
}

/// What the access log says of a request that the endpoint answered by itself.
fn answered(status: u16) -> String {
    json!({
        "requestId": "r", "time": "30/Nov/2026:03:37:31 +0000", "ip": "203.0.113.7", "method": "POST", "path": "/Prod/gitpull",
        "status": status.to_string(), "responseLength": "2", "integrationStatus": "-", "integrationLatency": "-", "error": "-",
    })
    .to_string()
}

/// A text without what differs from run to run: times, and whatever `names` stands for.
fn neutral(text: &str, names: &[(&str, &str)]) -> String {
    let renamed = names.iter().fold(text.to_owned(), |text, (value, name)| text.replace(value, name));
    let word = |word: &str| {
        let shape: String = word.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
        match shape.as_str() {
            "0000-00-00" => "DAY".to_owned(),
            "00:00:00" => "TIME".to_owned(),
            "0.0" | "00.0" => "N".to_owned(),
            _ => word.to_owned(),
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    renamed.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_pushes_is_told() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, stack) = Local::with_stack(&dir.path().join("cloud"), Path::new(LOCAL)).await.unwrap();
    let account = &local.cloud.account;
    let work = dir.path().join("work");
    let desk = Desk::new(account, &work);
    desk.write("git2s3.toml", &format!("region = '{REGION}'\n"));
    desk.check(&["logs", "--stack-name", "other"], 4, &["there is no stack other"]).await;
    desk.check(&["logs", "--repository", "["], 2, &["expected a glob", "--repository 'acme/*'"]).await;
    desk.check(&["logs"], 0, &["there is nothing in the logs"]).await;
    let said = [
        &format!("Stack {STACK} in account 000000000000, {REGION}: CREATE_COMPLETE"),
        "Nothing needs attention",
        "Repositories       127.0.0.1/**",
        "ApiSecret          hidden",
    ];
    desk.check(&["status"], 0, &said).await;

    // While somebody watches, a push goes its whole way.
    let mut watch = desk.command(&["logs", "--follow", "--json"]);
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut watched = BufReader::new(watch.stdout.take().unwrap()).lines();
    let clone = local.host.create("acme/rocket").await.unwrap();
    fs::write(clone.dir().join("a"), "x").unwrap();
    let commit = clone.commit("First").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let mut kinds = Vec::new();
    let delivery = loop {
        let line: Value = serde_json::from_str(&watched.next_line().await.unwrap().unwrap()).unwrap();
        kinds.push(line["kind"].clone());
        if line["kind"] == "stored" {
            assert_eq!(
                (&line["repository"], &line["reference"]),
                (&json!("127.0.0.1/acme/rocket"), &json!("refs/heads/main"))
            );
            break line["delivery"].as_str().unwrap().to_owned();
        }
    };
    assert_eq!(kinds, ["queued", "stored"]);
    watch.kill().await.unwrap();

    // A stranger, and a ping.
    for (id, secret, event, body) in
        [("stranger", "guess", "ping", json!({})), ("ping", &*stack.api_secret, "ping", json!({}))]
    {
        let body = body.to_string().into_bytes();
        let signature = webhook::signature(secret, &body);
        let headers = [("x-github-event", event), ("x-hub-signature-256", &*signature), ("x-github-delivery", id)];
        webhook::post(&stack.webhook_url, &headers, body).await.unwrap();
    }
    let told = loop {
        let told = desk.check(&["logs"], 0, &[]).await;
        if told.contains("ignored: ping") {
            break told;
        }
    };
    let bucket = stack.output("OutputBucketName").unwrap();
    let names = [(&*delivery, "DELIVERY"), (bucket, "BUCKET"), (&commit[..12], "COMMIT")];
    insta::assert_snapshot!(neutral(&told, &names));
    let one = desk.check(&["logs", "--delivery", "ping"], 0, &["ignored: ping"]).await;
    assert!(!one.contains("refused"), "{one}");
    let one = desk.check(&["logs", "--repository", "acme/*"], 0, &["stored", "queued for gitpull"]).await;
    assert!(!one.contains("refused") && !one.contains("ping"), "{one}");
    let one = desk.check(&["logs", "--level", "warn"], 0, &["refused with 401"]).await;
    assert!(!one.contains("stored"), "{one}");
    // Strangers alone are no reason to look.
    desk.check(&["status"], 0, &["401", "the signature or the secret doesn't fit", "matches none of the secrets"])
        .await;

    // What Lambda says of a run that died, in each of its formats, and the endpoint of what it kept out.
    let hours = Duration::from_hours(2);
    let report = "REPORT RequestId: 8f5e\tDuration: 9.00 ms\tMemory Size: 256 MB\tMax Memory Used: 256 MB\tStatus: error\t\
                  Error Type: Runtime.ExitError";
    let timeout = json!({ "time": "2026-11-30T03:42:31.120Z", "type": "platform.report", "record": {
        "requestId": "9a6f", "metrics": { "memorySizeMB": 256, "maxMemoryUsedMB": 24 }, "status": "timeout" } });
    log(account, "gitpull", hours, &[report.to_owned()]).await;
    log(account, "zipdl", hours, &[timeout.to_string()]).await;
    log(account, "access", hours, &[answered(429), answered(503), answered(202)]).await;
    let needs = [
        "Needs attention: the endpoint answered 429 to 1 request",
        "Needs attention: the endpoint answered 503 to 1 request",
        "Needs attention: gitpull ended without a word 1 time",
        "Needs attention: zipdl ended without a word 1 time",
        "with all of its 256 MB of memory in use",
        "it ran out of time",
    ];
    desk.check(&["status"], 1, &needs).await;
    let status: Value = serde_json::from_slice(&desk.infra(&["status", "--json"]).await.stdout).unwrap();
    assert_eq!(status["attention"].as_array().unwrap().len(), 4, "{status}");
    assert_eq!((&status["account"], &status["region"]), (&json!("000000000000"), &json!(REGION)));
    let statuses: Vec<_> = status["answers"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [401, 429, 503]);
    desk.check(&["status", "--since", "1h"], 0, &["Nothing needs attention"]).await;
    desk.check(&["logs", "--since", "1d"], 0, &["POST /Prod/gitpull of 203.0.113.7 was answered with 429"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_configuration_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    let account = Account::new(&server.uri()).await.unwrap();
    let path = dir.path().join("git2s3.toml");
    let fresh = || {
        fs::remove_file(&path).ok();
        Desk::new(&account, dir.path())
    };
    let written = || fs::read_to_string(&path).unwrap();

    // At a terminal: a wrong answer is asked for again, no answer is the usual one.
    let answers = "git hub\ngit.example.com kind=gitlab\n\nacme\n{main\n\n\nplatform\nplatform@example.com\ny";
    let (code, told) = fresh().answered(&["init"], answers).await;
    assert_eq!(code, Some(0), "{told}");
    for words in [
        "That won't do: the host has to be one entry",
        "That won't do: no repository is named",
        "That won't do: Refs has a value that the functions can't read",
        "That won't do: the address for alarms has to be a mail address",
        "branches and tags [main]:",
        "write this to git2s3.toml? [Y/n]",
        "git2s3.toml is written. Next:",
        "ssh-keyscan -p 22 git.example.com",
        "./justw package",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let asked = written();
    for line in [
        "AllowedGitHosts = \"git.example.com kind=gitlab\"",
        "Repositories = \"git.example.com/acme/**\"",
        "Refs = \"main\"",
        "AlarmEmail = \"platform@example.com\"",
        "ApiSecret = { file = \"api-secret.txt\" }",
        "# GitToken =",
    ] {
        assert!(asked.lines().any(|found| found.starts_with(line)), "{line}: {asked}");
    }

    // Never over a file that is there, and not where somebody says no.
    let (code, told) = Desk::new(&account, dir.path()).answered(&["init"], "").await;
    assert!(code == Some(2) && told.contains("is there already"), "{told}");
    assert_eq!(written(), asked);
    let (code, told) = fresh().answered(&["init"], "\nacme\n*\nn\n\nn").await;
    assert!(code == Some(5) && told.contains("nothing was written") && !path.exists(), "{told}");

    // Without a terminal, by flags alone; what is written deploys.
    let desk = fresh();
    desk.check(&["init"], 2, &["there is no terminal", "--yes"]).await;
    desk.check(&["init", "--yes"], 2, &["no repository is named", "--repositories acme"]).await;
    desk.check(&["init", "--yes", "--repositories", "acme", "--host", "x y"], 2, &["one entry of AllowedGitHosts"])
        .await;
    desk.check(&["init", "--yes", "--repositories", "acme/["], 2, &["expected a glob"]).await;
    assert!(!path.exists());
    let flags =
        ["--repositories", "acme/rocket", "--refs", "", "--public", "--region", "eu-central-1", "--stack-name", "zips"];
    desk.check(&[&["init", "--yes"][..], &flags].concat(), 0, &["Next:", "openssl rand"]).await;
    let file = written();
    assert!(!file.contains("Refs") && !file.contains("GitToken") && file.contains("stack-name = \"zips\""), "{file}");
    assert!(server.received_requests().await.unwrap().is_empty(), "AWS was asked");
    let other = ["init", "--yes", "--repositories", "acme", "--config", "other.toml"];
    desk.check(&other, 0, &["other.toml"]).await;
    desk.check(&other, 2, &["other.toml is there already"]).await;
}

/// CloudFormation in a state that the local cloud doesn't come to by itself.
#[derive(Default)]
struct Told {
    /// There is a stack whose rollback got stuck, and gets through when it is continued; else none, and one that is created never
    /// gets ready.
    is_stuck: bool,
    /// The client request token of what was begun, by which its events are known.
    token: Mutex<Option<String>>,
}

impl Respond for Told {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        const STACK: &str = "arn:aws:cloudformation:us-east-1:1:stack/zips/1";
        let fields: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let mut token = self.token.lock().unwrap();
        let result = match fields["Action"].as_str() {
            "GetCallerIdentity" => "<Account>111122223333</Account>".to_owned(),
            "ContinueUpdateRollback" | "ExecuteChangeSet" => {
                *token = fields.get("ClientRequestToken").cloned();
                String::new()
            }
            "DescribeStacks" if !self.is_stuck => {
                let error = "<Code>ValidationError</Code><Message>Stack with id zips does not exist</Message>";
                return ResponseTemplate::new(400)
                    .set_body_string(format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>"));
            }
            "DeleteChangeSet" | "DeleteStack" => String::new(),
            "CreateChangeSet" => format!("<Id>{STACK}/changes</Id><StackId>{STACK}</StackId>"),
            "DescribeChangeSet" => "<Status>CREATE_COMPLETE</Status><Changes/>".to_owned(),
            "DescribeStacks" => {
                let status = if token.is_some() { "UPDATE_ROLLBACK_COMPLETE" } else { "UPDATE_ROLLBACK_FAILED" };
                format!("<Stacks><member><StackName>zips</StackName><StackId>{STACK}</StackId><CreationTime>2026-11-24T00:00:00Z\
                         </CreationTime><StackStatus>{status}</StackStatus></member></Stacks>")
            }
            "DescribeStackEvents" => format!(
                "<StackEvents><member><StackId>{STACK}</StackId><StackName>zips</StackName><EventId>1</EventId><Timestamp>\
                 2026-11-24T00:00:00Z</Timestamp><LogicalResourceId>zips</LogicalResourceId><PhysicalResourceId>{STACK}\
                 </PhysicalResourceId><ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>\
                 {}</ResourceStatus><ClientRequestToken>{}</ClientRequestToken></member></StackEvents>",
                if self.is_stuck { "UPDATE_ROLLBACK_COMPLETE" } else { "CREATE_IN_PROGRESS" },
                token.as_deref().unwrap_or_default()
            ),
            // What comes after is another test's.
            action => return ResponseTemplate::new(400).set_body_string(format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/dev is \
                 not authorized to perform: cloudformation:{action} on resource: *</Message></Error></ErrorResponse>"
            )),
        };
        let action = &fields["Action"];
        ResponseTemplate::new(200)
            .set_body_string(format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_that_got_stuck_is_continued_and_a_missing_right_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(Told { is_stuck: true, ..Told::default() }).mount(&server).await;
    let account = Account::new(&server.uri()).await.unwrap();
    let desk = Desk::new(&account, dir.path());
    desk.write("git2s3.toml", "stack-name = 'zips'\nregion = 'us-east-1'\n");
    let said = ["stuck in a rollback", "UPDATE_ROLLBACK_COMPLETE", "the right cloudformation:GetTemplate"];
    desk.check(&["deploy", "--yes", "--continue-rollback"], 3, &said).await;
}

/// An account whose stack is as `status` says, and which only lets itself be looked at: everything that was asked of it.
async fn looked_at(status: &'static str) -> MockServer {
    let server = MockServer::start().await;
    let answer = move |request: &Request| {
        let fields: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let Some(action) = fields.get("Action") else { return ResponseTemplate::new(403) };
        let deployed = r#"{"Parameters": {"Refs": {"Type": "String", "Default": ""}}, "Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}"#;
        let result = match action.as_str() {
            "GetCallerIdentity" => {
                "<Account>111122223333</Account><Arn>arn:aws:iam::111122223333:user/dev</Arn>".to_owned()
            }
            "DescribeStacks" => format!(
                "<Stacks><member><StackName>zips</StackName><StackId>arn:zips</StackId><CreationTime>2026-11-24T00:00:00Z</CreationTime>\
                 <StackStatus>{status}</StackStatus><Parameters><member><ParameterKey>Refs</ParameterKey><ParameterValue>main\
                 </ParameterValue></member></Parameters></member></Stacks>"
            ),
            "GetTemplate" => format!("<TemplateBody>{deployed}</TemplateBody>"),
            "DetectStackDrift" => "<StackDriftDetectionId>1</StackDriftDetectionId>".to_owned(),
            "DescribeStackDriftDetectionStatus" => {
                "<DetectionStatus>DETECTION_COMPLETE</DetectionStatus><StackId>arn:zips</StackId>\
                 <StackDriftDetectionId>1</StackDriftDetectionId><Timestamp>2026-11-24T00:00:00Z</Timestamp>"
                    .to_owned()
            }
            "DescribeStackResourceDrifts" => "<StackResourceDrifts/>".to_owned(),
            _ => return ResponseTemplate::new(403),
        };
        let body = format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>");
        ResponseTemplate::new(200).set_body_string(body)
    };
    Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
    server
}

/// Which actions were asked for, of CloudFormation by name and of others by method and path, and how often.
async fn asked(server: &MockServer) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for request in server.received_requests().await.unwrap() {
        let fields: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let other = || format!("{} {}", request.method, request.url.path());
        *asked.entry(fields.get("Action").cloned().unwrap_or_else(other)).or_default() += 1;
    }
    asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_only_looks() {
    let reads = [
        "DescribeStackDriftDetectionStatus",
        "DescribeStackResourceDrifts",
        "DescribeStacks",
        // To IAM, too, it is one that reads.
        "DetectStackDrift",
        "GET /2016-08-19/account-settings",
        "GetCallerIdentity",
        "GetTemplate",
    ];
    let dir = tempfile::tempdir().unwrap();
    // The product's own template, which is large and has code: nothing of it is uploaded, nor looked for in `dist`.
    for (status, said) in [
        ("UPDATE_COMPLETE", &["- Handle", "+ OutputBucket", "changed rights"][..]),
        ("ROLLBACK_COMPLETE", &["(ROLLBACK_COMPLETE): the remains would be deleted first", "would be created, with"]),
        ("REVIEW_IN_PROGRESS", &["(REVIEW_IN_PROGRESS): the remains would be deleted first", "AWS::SQS::Queue\n"]),
    ] {
        let server = looked_at(status).await;
        let account = Account::new(&server.uri()).await.unwrap();
        let desk = Desk::new(&account, dir.path());
        desk.write("git2s3.toml", "stack-name = 'zips'\nregion = 'us-east-1'\n");
        desk.check(&["deploy", "--dry-run"], 0, said).await;
        let asked = asked(&server).await;
        assert!(asked.keys().all(|action| reads.contains(&action.as_str())), "{status}: {asked:?}");
        assert!(asked["DescribeStacks"] > 0 && asked.values().sum::<usize>() < 15, "{status}: {asked:?}");

        // What a real plan refuses, it refuses.
        let many = "# a comment that says little\n".repeat(60);
        desk.write(
            "many.json",
            &json!({
                "Lfs": "on",
                "KnownHosts": many,
                "CaBundle": format!("-----BEGIN CERTIFICATE-----{:y<2400}-----END CERTIFICATE-----", ""),
            })
            .to_string(),
        );
        desk.check(&["deploy", "--dry-run", "--parameter-file", "many.json"], 3, &["GitPullFunction's environment"])
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_value_comes_before_everything_else() {
    let dir = tempfile::tempdir().unwrap();
    for (given, said) in [
        ("AllowedGitHosts=github.com=gitlub", "whose kind is none of"),
        ("Repositories=[", "expected a glob"),
        ("KnownHosts=garbage", "line 1 of KnownHosts"),
        ("WorkerConcurrency=1", "expected a number from 2 to 1000"),
        ("MaxArchiveBytes=x", "expected a number of bytes"),
        ("KeyType=dsa", "expected one of ed25519, rsa"),
        ("Reffs=main", "there is no parameter Reffs"),
    ] {
        for command in [&["deploy", "--yes"][..], &["deploy", "--dry-run"], &["deploy", "--no-execute"]] {
            let server = looked_at("UPDATE_COMPLETE").await;
            let account = Account::new(&server.uri()).await.unwrap();
            let desk = Desk::new(&account, dir.path());
            desk.write("git2s3.toml", "stack-name = 'zips'\nregion = 'us-east-1'\n");
            desk.check(&[command, &["--parameter", given]].concat(), 2, &[said]).await;
            assert_eq!(asked(&server).await, BTreeMap::new(), "{given}");
        }
    }
    // What the stack has is seen before drift is looked for, and before anything is uploaded.
    let server = looked_at("UPDATE_COMPLETE").await;
    let account = Account::new(&server.uri()).await.unwrap();
    let desk = Desk::new(&account, dir.path());
    let template = r#"{"Parameters": {"Refs": {"Type": "String", "AllowedPattern": "[0-9]*", "Default": ""}},
        "Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}"#;
    desk.write("numbers.json", template);
    let mut kept = desk.command(&["deploy", "--yes", "--template", "numbers.json"]);
    let output = kept.env_remove("GIT2S3_REFS").output().await.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && told.contains("doesn't allow any more"), "{told}");
    assert_eq!(asked(&server).await.into_keys().collect::<Vec<_>>(), ["DescribeStacks", "GetCallerIdentity"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_interrupts_is_told_what_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(Told::default()).mount(&server).await;
    let account = Account::new(&server.uri()).await.unwrap();
    let desk = Desk::new(&account, dir.path());
    desk.write("git2s3.toml", "stack-name = 'zips'\nregion = 'us-east-1'\n");
    desk.write("handle.json", r#"{"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}"#);
    let mut deploy = desk.command(&["deploy", "--yes", "--template", "handle.json"]);
    let mut deploy = deploy.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(deploy.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("CREATE_IN_PROGRESS") {
            let id = rustix::process::Pid::from_raw(deploy.id().unwrap().try_into().unwrap()).unwrap();
            rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        }
        said.push(line);
    }
    let said = said.join("\n");
    assert_eq!(deploy.wait().await.unwrap().code(), Some(130), "{said}");
    for words in
        ["interrupted: CloudFormation goes on with stack zips", "`infra status", "`infra destroy --stack-name zips`"]
    {
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_agree_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (none, late) = (MockServer::start().await, MockServer::start().await);
    Mock::given(method("POST")).respond_with(Told::default()).mount(&none).await;
    Mock::given(wiremock::matchers::any()).respond_with(Late::default()).mount(&late).await;
    for (server, command, answers, asked) in [
        (
            &none,
            &["deploy", "--template", "handle.json"][..],
            &["n", "", "N", "no"][..],
            "create stack zips with 0 changes? [y/N]",
        ),
        (&late, &["destroy"], &["n", "y", ""], "type the stack's name, zips"),
    ] {
        let account = Account::new(&server.uri()).await.unwrap();
        let desk = Desk::new(&account, dir.path());
        desk.write("git2s3.toml", "stack-name = 'zips'\nregion = 'us-east-1'\n");
        desk.write("handle.json", r#"{"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}"#);
        for answer in answers {
            let (code, told) = desk.answered(command, answer).await;
            assert_eq!(code, Some(5), "{command:?} {answer:?}: {told}");
            assert!(told.contains(asked) && told.contains("nothing was"), "{command:?} {answer:?}: {told}");
        }
        // Who goes away is told what stays.
        let (code, told) = desk.answered(command, "^C").await;
        assert_eq!(code, Some(130), "{command:?}: {told}");
        let stays = if command[0] == "deploy" {
            &[
                "nothing was changed; the change set arn:",
                "stack zips without a resource",
                "`infra destroy --stack-name zips`",
            ][..]
        } else {
            &["interrupted: nothing was deleted"]
        };
        assert!(stays.iter().all(|words| told.contains(words)), "{command:?}: {told}");
        let requests = server.received_requests().await.unwrap();
        let begun = requests.iter().any(|request| {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            body.contains("Action=ExecuteChangeSet") || (command[0] == "destroy" && body.contains("Action=DeleteStack"))
        });
        assert!(!begun, "{command:?} began all the same");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_secret_is_made_and_shown_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(Told::default()).mount(&server).await;
    let account = Account::new(&server.uri()).await.unwrap();
    let desk = Desk::new(&account, dir.path());
    desk.write("git2s3.toml", "stack-name = 'zips'\nregion = 'us-east-1'\n");
    let template = r#"{"Parameters": {"ApiSecret": {"Type": "String", "NoEcho": true, "Default": ""}},
        "Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}"#;
    desk.write("secret.json", template);
    let run = async |desk: &Desk<'_>, arguments: &[&str], answer: Option<&str>| {
        let arguments = [arguments, &["--template", "secret.json"]].concat();
        let run = |mut command: Command| async move { command.env_remove("GIT2S3_REFS").output().await.unwrap() };
        let output = match answer {
            Some(answer) => run(desk.at_a_terminal(&arguments, answer)).await,
            None => run(desk.command(&arguments)).await,
        };
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let told = run(&desk, &["deploy"], Some("y\nn")).await;
    let is_secret = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let secrets: Vec<_> = told.split_whitespace().filter(is_secret).collect();
    let [secret] = secrets[..] else { panic!("{told}") };
    assert!(told.contains("generate one, and show it once? [y/N]") && told.contains("+  ApiSecret  set"), "{told}");
    let requests = server.received_requests().await.unwrap();
    let given = requests.iter().filter(|request| String::from_utf8_lossy(&request.body).contains(secret)).count();
    assert_eq!(given, 1, "it goes into the change set, and nowhere else");

    let told = run(&desk, &["deploy"], Some("n\nn")).await;
    assert!(!told.split_whitespace().any(|word| is_secret(&word)), "{told}");
    assert!(told.contains("every push is refused"), "{told}");
    // Nobody would see it.
    let told = run(&desk, &["deploy", "--no-execute"], None).await;
    assert!(
        told.contains("security: ApiSecret is not set") && !told.split_whitespace().any(|word| is_secret(&word)),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_before_anything_is_asked_of_aws() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::tied(&dir.path().join("cloud"), Path::new(LOCAL)).await.unwrap();
    let work = dir.path().join("work");
    let desk = Desk::new(&local.cloud.account, &work);
    desk.write("git2s3.toml", "region = 'us-east-1'\n[parameters]\nApiSecret = 'hunter2'\n");
    desk.check(&["deploy", "--yes", "--no-drift"], 2, &["ApiSecret is a secret", "[secrets]"]).await;
    desk.write("git2s3.toml", "regoin = 'hunter2'\n");
    desk.check(&["status"], 2, &["git2s3.toml is wrong at line 1", "infra schema"]).await;
    desk.write("git2s3.toml", "[secrets]\nApiSecret = 'prompt'\n");
    desk.check(&["deploy", "--yes"], 2, &["cannot get ApiSecret from the terminal"]).await;
    // No value of a secret's table is in an error, nor what was typed where a name or a file belongs: `check` looks for it.
    for table in ["ApiSecret = 'hunter2'", "ApiSecret = hunter2", "ApiSecret = { value = 'hunter2' }"] {
        desk.write("git2s3.toml", &format!("[secrets]\n{table}\n"));
        for command in [&["status"][..], &["deploy", "--yes"], &["destroy", "--yes"], &["redrive"], &["diff"]] {
            desk.check(command, 2, &["git2s3.toml is wrong at line 2"]).await;
        }
    }
    for origin in ["{ file = 'hunter2' }", "{ environment = 'hunter2' }"] {
        desk.write("git2s3.toml", &format!("[secrets]\nApiSecret = {origin}\n"));
        desk.check(&["deploy", "--yes"], 2, &["cannot get ApiSecret", "named for it"]).await;
    }
    desk.write("git2s3.toml", "region = 'us-east-1'\n");
    desk.write("parameters.json", r#"{ "ApiSecret": ["hunter2"] }"#);
    for (arguments, expected) in [
        (&["--parameter", "ApiSecret=hunter2"][..], "ApiSecret is a secret"),
        (&["--parameter", "ApiSecret:hunter2=x"], "letters and digits only"),
        (&["--parameter", "hunter2"], "given as Name=Value"),
        (&["--secret-file", "ApiSecret=hunter2"], "cannot get ApiSecret"),
        (&["--secret-file", "hunter2"], "given as Name=File"),
        (&["--ask", "ApiSecret=hunter2"], "its name alone"),
        (&["--parameter-file", "parameters.json"], "not a JSON object of texts"),
        (&["ApiSecret=hunter2"], "unexpected argument 'ApiSecret=...'"),
        (&["--ApiSecret=hunter2"], "unexpected argument '--ApiSecret"),
        (&["--api-secret=hunter2"], "unexpected argument '--api-secret"),
        (&["--yes=hunter2"], "--yes"),
    ] {
        desk.check(&[&["deploy", "--yes"], arguments].concat(), 2, &[expected]).await;
    }
    let mut broken = desk.command(&["deploy", "--yes"]);
    broken.env("GIT2S3_API_SECRET", "good,[github.com/acme/*hunter2");
    let output = broken.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && text.contains("entry 2 of ApiSecret"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");

    desk.write("git2s3.toml", "");
    desk.check(&["status"], 3, &["no region is configured", "--region"]).await;
    let schema = desk.infra(&["schema", "ssh-key"]).await;
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    assert_eq!(schema["required"], json!(["KeyBucket", "KmsKey", "KeyType", "StackName"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_has_a_domain_of_its_own_works_in_a_network_and_raises_alarms() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud"), Path::new(LOCAL)).await.unwrap();
    local.package(&mut Silent).unwrap();
    let account = &local.cloud.account;
    let web_acl = web_acl(account).await;
    let stack = local
        .deploy_with(&mut Silent, |parameters| {
            let parameters = parameters.with("CustomDomainName", "git.example.com").with("WebAclArn", &*web_acl);
            parameters.with("VPCId", VPC).with("SubnetIds", SUBNET).with("AlarmEmail", "platform@example.com")
        })
        .await
        .unwrap();
    assert_eq!(stack.output("GitPullWebHookApi").unwrap(), "https://git.example.com/gitpull");
    assert!(!stack.output("CustomDomainNameTarget").unwrap().is_empty());

    let resources = account.resources(STACK).await.unwrap();
    // The emulator makes the group and forgets which functions are in it: that is the snapshot's to show.
    assert!(resources.id("WorkerSecurityGroup").unwrap().starts_with("sg-"));

    // The endpoint answers under its own name, with the path that the output says.
    let url = format!("{}/gitpull", account.endpoint);
    let ping = |secret: &str| {
        let body = b"{}".to_vec();
        let signature = webhook::signature(secret, &body);
        let url = url.clone();
        async move {
            let headers =
                [("host", "git.example.com"), ("x-github-event", "ping"), ("x-hub-signature-256", &*signature)];
            webhook::post(&url, &headers, body).await.unwrap().status
        }
    };
    assert_eq!(ping(&stack.api_secret).await, 200);
    assert_eq!(ping("guess").await, 401);

    // A push goes its whole way to the worker in the network.
    let api = resources.id("Api").unwrap();
    let direct = format!("{}/_aws/execute-api/{api}/Prod/gitpull", account.endpoint);
    local.host.report_to(&direct, &stack.api_secret).unwrap();
    let clone = local.host.create("acme/rocket").await.unwrap();
    fs::write(clone.dir().join("a"), "x").unwrap();
    let commit = clone.commit("First").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let bucket = stack.output("OutputBucketName").unwrap();
    Artifact::wait(account, bucket, "acme/rocket/acme_rocket.zip", &commit, Duration::from_secs(30)).await.unwrap();

    let stage = format!("arn:aws:apigateway:{REGION}::/restapis/{api}/stages/Prod");
    assert_eq!(waf(account, "GetWebACLForResource", &json!({ "ResourceArn": stage })).await["WebACL"]["ARN"], web_acl);
    assert_eq!(resources.of_type("AWS::CloudWatch::Alarm").len(), 8);
    a_dead_letter_raises_its_alarm(account, &resources).await;
    a_refusal_raises_its_alarm(account, &resources).await;
    local.destroy(STACK, &mut Silent).await.unwrap();
    let none = waf(account, "ListResourcesForWebACL", &json!({ "WebACLArn": web_acl })).await;
    assert_eq!(none["ResourceArns"], json!([]));
}

/// A stack whose deletion fails at a bucket that got an object late, as AWS tells of it; without its cleaner, which is gone by then.
/// The local cloud deletes buckets with all that is in them.
#[derive(Default)]
struct Late {
    state: Mutex<LateState>,
}

#[derive(Default)]
struct LateState {
    /// The client request tokens of the deletions.
    tokens: Vec<String>,
    is_emptied: bool,
    /// How often the stack has been looked at.
    looks: usize,
    /// Whether somebody else deletes it at first.
    is_busy: bool,
    /// What can't be deleted besides.
    stuck: Option<&'static str>,
    retained: Option<String>,
    /// What gets through the second time: type and reason.
    slow: Option<(&'static str, &'static str)>,
}

impl Late {
    const STACK: &'static str = "arn:aws:cloudformation:us-east-1:1:stack/zips/1";
    const BUCKET: &'static str = "zips-outputbucket-1";

    fn is_gone(state: &LateState) -> bool {
        let tries = if state.slow.is_some() { 2 } else { 1 };
        state.tokens.len() >= tries && (state.is_emptied || state.retained.is_some()) && state.stuck.is_none()
    }

    fn cloudformation(state: &mut LateState, fields: &BTreeMap<String, String>) -> String {
        let stack = Self::STACK;
        match fields["Action"].as_str() {
            "GetCallerIdentity" => {
                "<Account>111122223333</Account><Arn>arn:aws:iam::111122223333:user/dev</Arn>".to_owned()
            }
            "DescribeStacks" => {
                state.looks += 1;
                let status = if Self::is_gone(state) {
                    "DELETE_COMPLETE"
                } else if state.is_busy && state.looks < 4 {
                    "DELETE_IN_PROGRESS"
                } else {
                    "DELETE_FAILED"
                };
                format!(
                    "<Stacks><member><StackName>zips</StackName><StackId>{stack}</StackId><CreationTime>2026-11-24T00:00:00Z\
                     </CreationTime><StackStatus>{status}</StackStatus></member></Stacks>"
                )
            }
            "ListStackResources" => {
                let one = |id: &str, kind: &str, physical: &str, status: &str, reason: &str| {
                    format!(
                        "<member><LogicalResourceId>{id}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
                         <ResourceType>{kind}</ResourceType><LastUpdatedTimestamp>2026-11-24T00:00:00Z</LastUpdatedTimestamp>\
                         <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason></member>"
                    )
                };
                let not_empty = "The bucket you tried to delete is not empty (Service: S3, Status Code: 409)";
                let mut all = vec![one("GitPullQueue", "AWS::SQS::Queue", "q", "DELETE_COMPLETE", "")];
                if !state.is_emptied && !Self::is_gone(state) {
                    all.push(one("OutputBucket", "AWS::S3::Bucket", Self::BUCKET, "DELETE_FAILED", not_empty));
                }
                let slow = state.slow.filter(|_| !Self::is_gone(state));
                all.extend(slow.map(|(kind, reason)| one("Slow", kind, "s", "DELETE_FAILED", reason)));
                all.extend(state.stuck.map(|reason| one("KeyRole", "AWS::IAM::Role", "r", "DELETE_FAILED", reason)));
                format!("<StackResourceSummaries>{}</StackResourceSummaries>", all.concat())
            }
            "DeleteStack" => {
                state.tokens.extend(fields.get("ClientRequestToken").cloned());
                state.retained = fields.get("RetainResources.member.1").cloned();
                String::new()
            }
            "DescribeStackEvents" => {
                let (status, reason) = match state.stuck {
                    _ if Self::is_gone(state) => ("DELETE_COMPLETE", ""),
                    Some(reason) => ("DELETE_FAILED", reason),
                    None => ("DELETE_FAILED", "The following resource(s) failed to delete: [OutputBucket]."),
                };
                format!(
                    "<StackEvents><member><StackId>{stack}</StackId><StackName>zips</StackName><EventId>{0}</EventId><Timestamp>\
                     2026-11-24T00:00:00Z</Timestamp><LogicalResourceId>zips</LogicalResourceId><PhysicalResourceId>{stack}\
                     </PhysicalResourceId><ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>{status}\
                     </ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason><ClientRequestToken>{1}\
                     </ClientRequestToken></member></StackEvents>",
                    state.tokens.len(),
                    state.tokens.last().unwrap()
                )
            }
            _ => String::new(),
        }
    }
}

impl Respond for Late {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.state.lock().unwrap();
        let query = request.url.query().unwrap_or_default();
        if request.url.path() == format!("/{}", Self::BUCKET) || request.url.path() == format!("/{}/", Self::BUCKET) {
            if query.contains("delete") {
                state.is_emptied = true;
                return ResponseTemplate::new(200).set_body_string("<DeleteResult/>");
            }
            let version = "<Version><Key>late.zip</Key><VersionId>v1</VersionId><IsLatest>true</IsLatest></Version>";
            let left = if state.is_emptied || query.contains("uploads") { "" } else { version };
            let list = if query.contains("uploads") { "ListMultipartUploadsResult" } else { "ListVersionsResult" };
            return ResponseTemplate::new(200)
                .set_body_string(format!("<{list}><IsTruncated>false</IsTruncated>{left}</{list}>"));
        }
        let fields: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        if fields.get("Action").is_none_or(|action| action == "DescribeEvents") {
            return ResponseTemplate::new(403);
        }
        let (action, result) = (fields["Action"].clone(), Self::cloudformation(&mut state, &fields));
        ResponseTemplate::new(200)
            .set_body_string(format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"))
    }
}

/// What `infra destroy` says and leaves of such a stack: exit code, text, and how many deletions it took, whether the bucket was
/// emptied and what was retained.
async fn destroyed(state: LateState, arguments: &[&str]) -> (Option<i32>, String, usize, bool, Option<String>) {
    let dir = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    let late = std::sync::Arc::new(Late { state: Mutex::new(state) });
    let shared = std::sync::Arc::clone(&late);
    Mock::given(wiremock::matchers::any())
        .respond_with(move |request: &Request| shared.respond(request))
        .mount(&server)
        .await;
    let account = Account::new(&server.uri()).await.unwrap();
    let desk = Desk::new(&account, dir.path());
    desk.write("git2s3.toml", "stack-name = 'zips'\nregion = 'us-east-1'\n");
    let (code, text) = desk.told(&[&["destroy", "--yes"], arguments].concat()).await;
    let state = late.state.lock().unwrap();
    (code, text, state.tokens.len(), state.is_emptied, state.retained.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_failed_is_repeated() {
    // What came late is taken away first, since the cleaner is gone.
    let (code, text, deletions, is_emptied, _) = destroyed(LateState::default(), &[]).await;
    assert_eq!((code, deletions, is_emptied), (Some(0), 1, true), "{text}");
    for words in ["stack zips has 1 resources", "bucket zips-outputbucket-1 is empty: 1 versions", "stack zips is gone"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    // A deletion that somebody else began, or that was left, is waited for.
    let busy = LateState { is_busy: true, ..LateState::default() };
    let (code, text, deletions, is_emptied, _) = destroyed(busy, &[]).await;
    assert_eq!((code, deletions, is_emptied), (Some(0), 1, true), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_aws_time_is_waited_for() {
    for (kind, reason, words) in [
        (
            "AWS::CertificateManager::Certificate",
            "Certificate c is in use. (Service: Acm)",
            "usually for less than ten minutes",
        ),
        (
            "AWS::EC2::SecurityGroup",
            "resource sg-1 has a dependent object (Service: Ec2)",
            "usually for 20 to 45 minutes",
        ),
    ] {
        let slow = LateState { slow: Some((kind, reason)), is_emptied: true, ..LateState::default() };
        let (code, text, deletions, ..) = destroyed(slow, &[]).await;
        assert_eq!((code, deletions), (Some(0), 2), "{text}");
        assert!(text.contains("Slow is deleted again") && text.contains(words), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_kept_is_never_emptied() {
    let (code, text, deletions, is_emptied, retained) = destroyed(LateState::default(), &["--keep-output"]).await;
    assert_eq!((code, deletions, is_emptied), (Some(0), 1, false), "{text}");
    assert_eq!(retained.as_deref(), Some("OutputBucket"), "{text}");
    assert!(text.contains("has left the stack's care"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_nothing_helps_is_told() {
    let stuck = LateState { stuck: Some("Access Denied"), ..LateState::default() };
    let (code, text, deletions, is_emptied, _) = destroyed(stuck, &[]).await;
    assert_eq!((code, deletions, is_emptied), (Some(3), 1, false), "{text}");
    assert!(text.contains("Access Denied") && text.contains("can be repeated"), "{text}");
}

/// Lambda as a new account has it, or as nobody may ask it.
async fn lambda(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let settings = wiremock::matchers::path_regex("/2016-08-19/account-settings/?");
    Mock::given(settings).respond_with(answer).mount(&server).await;
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_account_gets_as_many_workers_as_fit() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud"), Path::new(LOCAL)).await.unwrap();
    let work = dir.path().join("work");
    let desk = Desk::new(&local.cloud.account, &work);
    desk.write("git2s3.toml", &format!("stack-name = 'zips'\nregion = '{REGION}'\n"));
    let limits = json!({ "AccountLimit": { "ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10 } });
    let small = lambda(ResponseTemplate::new(200).set_body_json(limits)).await;
    let refusal = ResponseTemplate::new(403).insert_header("x-amzn-ErrorType", "AccessDeniedException");
    let closed = lambda(refusal.set_body_json(json!({ "Message": "no" }))).await;
    let deploy = async |lambda: &MockServer, more: &[&str]| {
        let mut command = desk.command(&[&["deploy", "--yes", "--template", "small.json"], more].concat());
        let output = command.env("AWS_ENDPOINT_URL_LAMBDA", lambda.uri()).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let template = json!({
        "Parameters": { "WorkerConcurrency": { "Type": "String", "Default": "50" } },
        "Resources": {
            "Handle": { "Type": "AWS::SSM::Parameter", "Properties": { "Type": "String", "Value": { "Ref": "WorkerConcurrency" } } },
        },
    });
    desk.write("small.json", &template.to_string());

    let said = deploy(&closed, &["--dry-run"]).await;
    assert!(said.contains("not looked how many functions the account can run at once"), "{said}");
    let said = deploy(&small, &[]).await;
    let proposed = said.find("WorkerConcurrency=3 instead of 50").unwrap();
    assert!(proposed < said.find("Add     Handle").unwrap(), "{said}");
    assert_eq!(desk.parameter("WorkerConcurrency").await.unwrap(), "3");

    // What somebody has said, now or before, stays.
    let said = deploy(&small, &["--parameter", "WorkerConcurrency=20"]).await;
    assert!(said.contains("warning: the account can run 10 functions at once, and WorkerConcurrency=20"), "{said}");
    assert!(said.contains("WorkerConcurrency=3 fits"), "{said}");
    assert_eq!(desk.parameter("WorkerConcurrency").await.unwrap(), "20");
    let said = deploy(&small, &[]).await;
    assert!(said.contains("WorkerConcurrency=20 of each kind don't fit"), "{said}");
    assert_eq!(desk.parameter("WorkerConcurrency").await.unwrap(), "20");
    // Until it is taken back.
    let said = deploy(&small, &["--reset", "WorkerConcurrency"]).await;
    assert!(said.contains("WorkerConcurrency=3 instead of 50"), "{said}");
    assert_eq!(desk.parameter("WorkerConcurrency").await.unwrap(), "3");
}

async fn waf(account: &Account, action: &str, body: &Value) -> Value {
    let call = Call::json("wafv2", &format!("AWSWAF_20190729.{action}"), body);
    account.send(&call).await.unwrap().json().unwrap()
}

/// The ARN of a web ACL, as whoever minds the network makes one.
async fn web_acl(account: &Account) -> String {
    let visibility =
        json!({ "SampledRequestsEnabled": false, "CloudWatchMetricsEnabled": false, "MetricName": "git2s3" });
    let web_acl = json!({
        "Name": "git2s3", "Scope": "REGIONAL", "DefaultAction": { "Allow": {} }, "VisibilityConfig": visibility,
    });
    waf(account, "CreateWebACL", &web_acl).await["Summary"]["ARN"].as_str().unwrap().to_owned()
}

/// The emulator counts nothing in logs, so that a line was found is said for it.
async fn a_refusal_raises_its_alarm(account: &Account, resources: &Resources) {
    let filter = resources.id("ApiRefusals").unwrap();
    let log = format!("/git2s3/{STACK}/access");
    let call = Call::json("logs", "Logs_20140328.DescribeMetricFilters", &json!({ "logGroupName": log }));
    let filters = account.send(&call).await.unwrap().json().unwrap();
    let found = &filters["metricFilters"][0];
    assert_eq!(found["filterName"], filter);
    let metric = &found["metricTransformations"][0];
    let refusal = json!({
        "Namespace": metric["metricNamespace"], "MetricData": [{ "MetricName": metric["metricName"], "Value": 1 }],
    });
    account.cloudwatch("PutMetricData", &refusal).await.unwrap();
    let alarms = account.cloudwatch("DescribeAlarms", &json!({ "StateValue": "ALARM" })).await.unwrap();
    let name = json!(format!("{STACK}-EndpointOverload"));
    let raised = alarms["MetricAlarms"].as_array().unwrap().iter().find(|alarm| alarm["AlarmName"] == name);
    assert_eq!(raised.unwrap()["AlarmActions"], json!([resources.id("AlarmTopic").unwrap()]));
}

/// The emulator's queues measure nothing, so what SQS would measure is said for it.
async fn a_dead_letter_raises_its_alarm(account: &Account, resources: &Resources) {
    let queue = resources.id("GitPullDeadLetterQueue").unwrap().rsplit('/').next().unwrap();
    let letter = json!({
        "MetricName": "ApproximateNumberOfMessagesVisible", "Dimensions": [{ "Name": "QueueName", "Value": queue }], "Value": 1,
    });
    let letter = json!({ "Namespace": "AWS/SQS", "MetricData": [letter] });
    account.cloudwatch("PutMetricData", &letter).await.unwrap();
    let alarms = account.cloudwatch("DescribeAlarms", &json!({ "StateValue": "ALARM" })).await.unwrap();
    let name = json!(format!("{STACK}-GitPullDeadLetters"));
    let raised = alarms["MetricAlarms"].as_array().unwrap().iter().find(|alarm| alarm["AlarmName"] == name);
    let alarm = raised.unwrap();
    assert_eq!(alarm["Dimensions"][0]["Value"], queue);
    assert_eq!(alarm["AlarmActions"], json!([resources.id("AlarmTopic").unwrap()]));
}
