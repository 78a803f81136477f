//! Messages and questions before anything changes, possible answers, and interruptions.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::sync::Mutex;

use local::aws::Account;
use local::local::Local;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::deletion::Late;
use crate::desk::Desk;

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

    // In a terminal: invalid answers are asked again, empty ones mean the default.
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
        "`infra package`",
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

    // It never overwrites a file, and respects a no.
    let (code, told) = Desk::new(&account, dir.path()).answered(&["init"], "").await;
    assert!(code == Some(2) && told.contains("is there already"), "{told}");
    assert_eq!(written(), asked);
    let (code, told) = fresh().answered(&["init"], "\nacme\n*\nn\n\nn").await;
    assert!(code == Some(5) && told.contains("nothing was written") && !path.exists(), "{told}");

    // Without a terminal, by flags only. The written file deploys.
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

/// CloudFormation in states that the local cloud doesn't reach.
#[derive(Default)]
struct Told {
    /// A stack whose rollback is stuck, and succeeds when it is continued. Without it, there is no
    /// stack, and a created one never becomes ready.
    is_stuck: bool,
    /// The client request token of the started operation, which identifies its events.
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
            // The rest is covered by another test.
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

impl Told {
    /// The identity of the caller.
    async fn start(self) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(self).mount(&server).await;
        server
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stuck_rollback_is_continued_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = Told { is_stuck: true, ..Told::default() }.start().await;
    let account = Account::new(&server.uri()).await.unwrap();
    let desk = Desk::of_zips(&account, dir.path());
    let said = ["stuck in a rollback", "UPDATE_ROLLBACK_COMPLETE", "the right cloudformation:GetTemplate"];
    desk.check(&["deploy", "--yes", "--continue-rollback"], 3, &said).await;
}

/// An account with a stack in the state `status` that only allows reads. Records all requests.
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

/// The requested actions and their counts: by name for CloudFormation, by method and path for
/// others.
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
        // For IAM, too, it is a reading action.
        "DetectStackDrift",
        "GET /2016-08-19/account-settings",
        "GetCallerIdentity",
        "GetTemplate",
    ];
    let dir = tempfile::tempdir().unwrap();
    // The product's own template, which is large and has code: none of it is uploaded or looked up
    // in `dist`.
    for (status, said) in [
        ("UPDATE_COMPLETE", &["- Handle", "+ OutputBucket", "changed rights"][..]),
        ("ROLLBACK_COMPLETE", &["(ROLLBACK_COMPLETE): the remains would be deleted first", "would be created, with"]),
        ("REVIEW_IN_PROGRESS", &["(REVIEW_IN_PROGRESS): the remains would be deleted first", "AWS::SQS::Queue\n"]),
    ] {
        let server = looked_at(status).await;
        let account = Account::new(&server.uri()).await.unwrap();
        let desk = Desk::of_zips(&account, dir.path());
        desk.check(&["deploy", "--dry-run"], 0, said).await;
        let asked = asked(&server).await;
        assert!(asked.keys().all(|action| reads.contains(&action.as_str())), "{status}: {asked:?}");
        assert!(asked["DescribeStacks"] > 0 && asked.values().sum::<usize>() < 15, "{status}: {asked:?}");

        // It refuses what a real plan refuses.
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
async fn invalid_value_is_refused_before_changes() {
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
            let desk = Desk::of_zips(&account, dir.path());
            desk.check(&[command, &["--parameter", given]].concat(), 2, &[said]).await;
            assert_eq!(asked(&server).await, BTreeMap::new(), "{given}");
        }
    }
    // Each alone is allowed.
    for (given, said) in [
        ("VPCId=vpc-0123456789abcdef0", "With VPCId, SubnetIds names"),
        ("NewerNoncurrentVersions=3", "NoncurrentDays says when"),
    ] {
        let server = looked_at("UPDATE_COMPLETE").await;
        let account = Account::new(&server.uri()).await.unwrap();
        let desk = Desk::of_zips(&account, dir.path());
        desk.check(&["deploy", "--yes", "--parameter", given], 2, &["don't fit together", said]).await;
        assert_eq!(asked(&server).await.into_keys().collect::<Vec<_>>(), ["DescribeStacks", "GetCallerIdentity"]);
    }
    // The stack's values are checked before drift detection, and before any upload.
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
async fn interrupted_deploy_says_what_continues() {
    let dir = tempfile::tempdir().unwrap();
    let server = Told::default().start().await;
    let account = Account::new(&server.uri()).await.unwrap();
    let desk = Desk::of_zips(&account, dir.path());
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
async fn refused_confirmation_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (none, late) = (Told::default().start().await, MockServer::start().await);
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
        let desk = Desk::of_zips(&account, dir.path());
        desk.write("handle.json", r#"{"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}"#);
        for answer in answers {
            let (code, told) = desk.answered(command, answer).await;
            assert_eq!(code, Some(5), "{command:?} {answer:?}: {told}");
            assert!(told.contains(asked) && told.contains("nothing was"), "{command:?} {answer:?}: {told}");
        }
        // An interrupted user is told what remains.
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
async fn generated_secret_is_shown_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = Told::default().start().await;
    let account = Account::new(&server.uri()).await.unwrap();
    let desk = Desk::of_zips(&account, dir.path());
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
    // There is no terminal to show it.
    let told = run(&desk, &["deploy", "--no-execute"], None).await;
    assert!(
        told.contains("security: ApiSecret is not set") && !told.split_whitespace().any(|word| is_secret(&word)),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configuration_mistakes_are_reported_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::tied(&dir.path().join("cloud")).await.unwrap();
    let work = dir.path().join("work");
    let desk = Desk::new(&local.cloud.account, &work);
    desk.write("git2s3.toml", "region = 'us-east-1'\n[parameters]\nApiSecret = 'hunter2'\n");
    desk.check(&["deploy", "--yes", "--no-drift"], 2, &["ApiSecret is a secret", "[secrets]"]).await;
    desk.write("git2s3.toml", "regoin = 'hunter2'\n");
    desk.check(&["status"], 2, &["git2s3.toml is wrong at line 1", "infra schema"]).await;
    desk.write("git2s3.toml", "[secrets]\nApiSecret = 'prompt'\n");
    desk.check(&["deploy", "--yes"], 2, &["cannot get ApiSecret from the terminal"]).await;
    // No error quotes a value of the secrets table, or a value typed in place of a name or a file:
    // `check` verifies that.
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
