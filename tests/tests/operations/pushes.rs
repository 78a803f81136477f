//! The history of pushes in `infra status` and `infra logs`.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use local::aws::{Account, REGION};
use local::call::Call;
use local::local::{Local, STACK};
use local::webhook;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::desk::Desk;

/// Writes lines to a log of the stack, with times `ago`.
async fn log(account: &Account, part: &str, ago: Duration, lines: &[String]) {
    log_of(account, STACK, part, ago, lines).await;
}

/// The same for the stack with this name.
pub(crate) async fn log_of(account: &Account, stack: &str, part: &str, ago: Duration, lines: &[String]) {
    let (group, stream) = (format!("/git2s3/{stack}/{part}"), hex::encode(rand::random::<[u8; 8]>()));
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

/// The access log's line for a request that the endpoint itself answered.
fn answered(status: u16) -> String {
    json!({
        "requestId": "r", "time": "30/Nov/2026:03:37:31 +0000", "ip": "203.0.113.7", "method": "POST", "path": "/Prod/gitpull",
        "status": status.to_string(), "responseLength": "2", "integrationStatus": "-", "integrationLatency": "-", "error": "-",
    })
    .to_string()
}

/// A text without what varies between runs: times, and the values in `names`.
fn neutral(text: &str, names: &[(&str, &str)]) -> String {
    let renamed = names.iter().fold(text.to_owned(), |text, (value, name)| text.replace(value, name));
    let word = |word: &str| {
        let shape: String =
            word.chars().map(|character| if character.is_ascii_digit() { '0' } else { character }).collect();
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
async fn logs_and_status_report_pushes() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, stack) = Local::with_stack(&dir.path().join("cloud")).await.unwrap();
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

    // Follows the log during a push.
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
    assert_eq!(kinds, ["received", "queued", "begun", "stored"]);
    watch.kill().await.unwrap();

    // An unauthenticated request, and a ping.
    for (id, secret, event, body) in
        [("unknown", "guess", "ping", json!({})), ("ping", &*stack.api_secret, "ping", json!({}))]
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
    // Unauthenticated requests alone need no attention.
    desk.check(&["status"], 0, &["401", "the signature or the secret doesn't fit", "matches none of the secrets"])
        .await;

    // Lambda's messages about killed runs, in all formats, and the endpoint's about refused
    // requests.
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
