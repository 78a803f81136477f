//! The life of a stack with the `infra` command in the local cloud.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod bucket;
mod connect;
mod day;
mod deletion;
mod deployer;
mod desk;
mod doctor;
mod github_app;
mod pushes;
mod questions;
mod statuses;
mod trace;

use std::fs;
use std::time::Duration;

use aws_sdk_cloudformation::types::ExecutionStatus;
use aws_sdk_sqs::types::QueueAttributeName;
use deployment::render::progress::Silent;
use local::artifact::Artifact;
use local::aws::{Account, REGION, Resources};
use local::call::Call;
use local::local::{Local, STACK};
use local::webhook;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::desk::Desk;

/// The account's default network.
const VPC: &str = "vpc-00000001";
const SUBNET: &str = "subnet-00000001";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stack_lifecycle_runs_through_commands() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud")).await.unwrap();
    let account = &local.cloud.account;
    let work = dir.path().join("work");
    let desk = Desk::packaged(&local, &work);

    desk.write("secret", "hunter2\n");
    let configuration = format!(
        "stack-name = 'zips'\nregion = '{REGION}'\n[parameters]\nRepositories = 'github.com/acme/**'\n\
         [secrets]\nApiSecret = {{ file = 'secret' }}\n[tags]\nteam = 'platform'\n"
    );
    desk.write("git2s3.toml", &configuration);

    // There is no stack, and read-only commands don't create one.
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
    // The effects of values on resources are shown, too: another name creates another bucket.
    let left = format!("{} stays in the account", account.resources("zips").await.unwrap().id("OutputBucket").unwrap());
    let said = ["± OutputBucket", "~  OutputBucketName", "made anew", &left, "dry run: nothing was changed"];
    desk.check(&["deploy", "--dry-run", "--parameter", "OutputBucketName=another-name"], 0, &said).await;
    let json = desk.infra(&["deploy", "--dry-run", "--json", "--parameter", "Refs=dev"]).await;
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let refs = json["parameters"].as_array().unwrap().iter().find(|one| one["name"] == "Refs").unwrap();
    assert_eq!((&refs["old"], &refs["new"], &refs["change"]), (&json!("main"), &json!("dev"), &json!("changed")));
    assert_eq!((&json["stack"], &json["creates"]), (&json!("zips"), &json!(false)));

    // Manual changes are reported before the plan.
    let queue = account.resources("zips").await.unwrap().id("GitPullQueue").unwrap().to_owned();
    let by_hand = account.sqs.set_queue_attributes().queue_url(&queue);
    by_hand.attributes(QueueAttributeName::VisibilityTimeout, "77").send().await.unwrap();
    let by_hand = ["changed by hand: GitPullQueue (AWS::SQS::Queue): /VisibilityTimeout"];
    let drift = desk.check(&["deploy", "--dry-run"], 0, &by_hand).await;
    assert_eq!(drift.matches("changed by hand").count(), 1, "{drift}");
    let quiet = desk.check(&["deploy", "--dry-run", "--no-drift"], 0, &[]).await;
    assert!(!quiet.contains("by hand"), "{quiet}");

    // Flags override the file. Somebody else may execute the change set.
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

    // Removing a line from the file keeps the stack's value, until it is reset.
    desk.write("git2s3.toml", &configuration.replace("Repositories = 'github.com/acme/**'", ""));
    let said = ["the stack keeps what nothing gives now: Repositories; `--reset NAME`", "security: AllowedIps"];
    desk.check(&["deploy", "--dry-run", "--parameter", "AllowedIps=bitbucket.org=0.0.0.0/0"], 0, &said).await;
    let said = ["~  Repositories  (empty)", "security: Repositories is empty"];
    desk.check(&["deploy", "--dry-run", "--reset", "Repositories"], 0, &said).await;
    desk.check(&["deploy", "--dry-run", "--reset", "Reps"], 2, &["there is no parameter Reps"]).await;
    desk.write("git2s3.toml", &configuration);

    // Broader rights need more than a yes.
    let mut template = local.template().unwrap().into_value();
    template["Resources"]["WebhookRole"]["Properties"]["Policies"][1]["PolicyDocument"]["Statement"][0]["Action"] =
        json!(["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]);
    desk.write("broader.json", &template.to_string());
    let broader = ["deploy", "--yes", "--template", "broader.json"];
    desk.check(&broader, 2, &["somebody may do more", "--allow-broader", "PutSecretValue"]).await;
    let left = account.cloudformation.list_change_sets().stack_name("zips").send().await.unwrap();
    let waiting = left.summaries().iter().filter(|one| one.execution_status() == Some(&ExecutionStatus::Available));
    assert_eq!(waiting.count(), 0, "{left:?}");
    // Another value is a difference as well.
    desk.check(&["diff"], 1, &["0 changed entries", "~  Refs", "?  ApiSecret     set"]).await;
    desk.check(&["diff", "--parameter", "Refs=dev"], 0, &["0 changed entries"]).await;
    let json: Value = serde_json::from_slice(&desk.infra(&["diff", "--json"]).await.stdout).unwrap();
    assert!(json["entries"] == json!([]) && json["parameters"].as_array().unwrap().len() > 20, "{json}");
    desk.check(&[&broader[..], &["--allow-broader"]].concat(), 0, &["UPDATE_COMPLETE"]).await;
    desk.check(&["diff", "--fail-on", "broadened"], 0, &["~ WebhookRole", "PutSecretValue", "0 of them broader"]).await;

    // A failed message is redriven, once.
    let resources = account.resources("zips").await.unwrap();
    let dead = resources.id("ZipDlDeadLetterQueue").unwrap();
    let sent = account.sqs.send_message().queue_url(dead).message_body("{}").message_group_id("g");
    sent.message_deduplication_id("d").send().await.unwrap();
    desk.check(&["status"], 1, &["ZipDlDeadLetterQueue", "UPDATE_COMPLETE"]).await;
    let moved =
        desk.check(&["redrive", "--worker", "ZipDl"], 0, &["ZipDlQueue: 1 dead-letter messages went back"]).await;
    assert!(!moved.contains("GitPull"), "{moved}");
    assert_eq!(account.messages(dead).await.unwrap(), 0);
    desk.check(&["redrive"], 0, &["GitPullQueue: 0 dead-letter messages", "ZipDlQueue: 0 dead-letter messages"]).await;
    let moved: Value = serde_json::from_slice(&desk.infra(&["redrive", "--json"]).await.stdout).unwrap();
    assert_eq!(moved[1], json!({ "queue": "ZipDlQueue", "count": 0 }));

    // The zips outlive the stack.
    let bucket = resources.id("OutputBucket").unwrap().to_owned();
    account.s3.put_object().bucket(&bucket).key("acme/a.zip").body(b"zip".to_vec().into()).send().await.unwrap();
    let status: Value = serde_json::from_slice(&desk.infra(&["status", "--json"]).await.stdout).unwrap();
    assert_eq!(status["objects"][0]["key"], "acme/a.zip");
    let said = [bucket.as_str(), "what stays in the account:", "AWS::KMS::Key", "stack zips is gone"];
    let gone = desk.check(&["destroy", "--yes", "--keep-output", "--json"], 0, &said).await;
    // The output is written to standard error.
    let json = serde_json::Deserializer::from_str(&gone).into_iter::<Value>().next().unwrap().unwrap();
    assert_eq!((&json["kept"], &json["stack"]), (&json!([bucket]), &json!("zips")));
    let kept = account.s3.get_object().bucket(&bucket).key("acme/a.zip").send().await.unwrap();
    assert_eq!(kept.body.collect().await.unwrap().to_vec(), b"zip");
    let buckets = account.s3.list_buckets().send().await.unwrap();
    let left: Vec<_> = buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert!(left.iter().all(|name| *name == bucket || name.contains("assets")), "{left:?}");
    desk.check(&["destroy", "--yes"], 4, &["there is no stack zips"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stack_uses_domain_network_and_alarms() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud")).await.unwrap();
    local.packaged().unwrap();
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
    // The emulator creates the group but forgets its functions: the snapshot shows them.
    assert!(resources.id("WorkerSecurityGroup").unwrap().starts_with("sg-"));

    // The endpoint is reachable under its own name, with the path in the output.
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

    // A push reaches the worker in the network.
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
    assert_eq!(resources.of_type("AWS::CloudWatch::Alarm").len(), 10);
    a_dead_letter_raises_its_alarm(account, &resources).await;
    a_refusal_raises_its_alarm(account, &resources).await;
    local.destroy(STACK, &mut Silent).await.unwrap();
    let none = waf(account, "ListResourcesForWebACL", &json!({ "WebACLArn": web_acl })).await;
    assert_eq!(none["ResourceArns"], json!([]));
}

/// Lambda with the quota of a new account, or without permission to read it.
async fn lambda(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let settings = wiremock::matchers::path_regex("/2016-08-19/account-settings/?");
    Mock::given(settings).respond_with(answer).mount(&server).await;
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_account_gets_fitting_worker_count() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(&dir.path().join("cloud")).await.unwrap();
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

    // Explicit values are kept, old or new.
    let said = deploy(&small, &["--parameter", "WorkerConcurrency=20"]).await;
    assert!(said.contains("warning: the account can run 10 functions at once, and WorkerConcurrency=20"), "{said}");
    assert!(said.contains("WorkerConcurrency=3 fits"), "{said}");
    assert_eq!(desk.parameter("WorkerConcurrency").await.unwrap(), "20");
    let said = deploy(&small, &[]).await;
    assert!(said.contains("WorkerConcurrency=20 of each kind don't fit"), "{said}");
    assert_eq!(desk.parameter("WorkerConcurrency").await.unwrap(), "20");
    // Until it is reset.
    let said = deploy(&small, &["--reset", "WorkerConcurrency"]).await;
    assert!(said.contains("WorkerConcurrency=3 instead of 50"), "{said}");
    assert_eq!(desk.parameter("WorkerConcurrency").await.unwrap(), "3");
}

async fn waf(account: &Account, action: &str, body: &Value) -> Value {
    let call = Call::json("wafv2", &format!("AWSWAF_20190729.{action}"), body);
    account.send(&call).await.unwrap().json().unwrap()
}

/// The ARN of a new web ACL.
async fn web_acl(account: &Account) -> String {
    let visibility =
        json!({ "SampledRequestsEnabled": false, "CloudWatchMetricsEnabled": false, "MetricName": "git2s3" });
    let web_acl = json!({
        "Name": "git2s3", "Scope": "REGIONAL", "DefaultAction": { "Allow": {} }, "VisibilityConfig": visibility,
    });
    waf(account, "CreateWebACL", &web_acl).await["Summary"]["ARN"].as_str().unwrap().to_owned()
}

/// The emulator doesn't count log lines, so this publishes the metric.
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

/// The emulator's queues have no metrics, so this publishes SQS's metric.
async fn a_dead_letter_raises_its_alarm(account: &Account, resources: &Resources) {
    let queue = resources.id("GitPullDeadLetterQueue").unwrap().rsplit('/').next().unwrap();
    let message = json!({
        "MetricName": "ApproximateNumberOfMessagesVisible", "Dimensions": [{ "Name": "QueueName", "Value": queue }], "Value": 1,
    });
    let message = json!({ "Namespace": "AWS/SQS", "MetricData": [message] });
    account.cloudwatch("PutMetricData", &message).await.unwrap();
    let alarms = account.cloudwatch("DescribeAlarms", &json!({ "StateValue": "ALARM" })).await.unwrap();
    let name = json!(format!("{STACK}-GitPullDeadLetters"));
    let raised = alarms["MetricAlarms"].as_array().unwrap().iter().find(|alarm| alarm["AlarmName"] == name);
    let alarm = raised.unwrap();
    assert_eq!(alarm["Dimensions"][0]["Value"], queue);
    assert_eq!(alarm["AlarmActions"], json!([resources.id("AlarmTopic").unwrap()]));
}
