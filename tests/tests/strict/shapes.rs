//! Requests and responses are validated with AWS's own models, and a test with a mismatch fails.

use local::call::Call;
use local::cloud::Cloud;
use local::process::Lifetime;
use serde_json::{Value, json};

/// The mismatches of the requests that `ask` sends: side, operation, place, problem.
async fn found(ask: impl AsyncFnOnce(&Cloud)) -> Vec<[String; 4]> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let cloud = Cloud::start(dir.path(), Lifetime::Tied).await.unwrap();
    ask(&cloud).await;
    let file = dir.path().join("mismatches.jsonl");
    let lines = std::fs::read_to_string(&file).unwrap();
    // Intended mismatches don't fail this test.
    std::fs::write(&file, "").unwrap();
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        ["side", "operation", "path", "problem"].map(|name| line[name].as_str().unwrap().to_owned())
    };
    lines.lines().map(read).collect()
}

#[tokio::test]
async fn invalid_request_shape_is_reported() {
    let long = "a".repeat(513);
    let found = found(async |cloud| {
        let account = &cloud.account;
        account.s3.create_bucket().bucket("here").send().await.unwrap();
        account.s3.list_objects_v2().bucket("here").send().await.unwrap();
        for (target, body) in [
            ("Logs_20140328.DescribeLogGroups", json!({ "logGroupNamePrefix": long, "limit": 0 })),
            ("Logs_20140328.DescribeLogGroups", json!({ "logGroupNamePrefix": "with space", "unknown": 1 })),
            ("Logs_20140328.NoSuchThing", json!({})),
        ] {
            account.send(&Call::json("logs", target, &body)).await.unwrap();
        }
    })
    .await;
    let expected = [
        ["request", "DescribeLogGroups", ".logGroupNamePrefix", "513 characters are more than 512"],
        ["request", "DescribeLogGroups", ".limit", "0 as a number are less than 1"],
        ["request", "DescribeLogGroups", ".logGroupNamePrefix", r"doesn't match [\.\-_/#A-Za-z0-9]+"],
        ["request", "DescribeLogGroups", ".unknown", "is no member of the shape"],
        ["request", "POST /", "", "the service has no such operation"],
    ];
    assert_eq!(found, expected.map(|mismatch| mismatch.map(str::to_owned)));
}

#[tokio::test]
async fn a_test_with_a_mismatch_fails() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let cloud = Cloud::start(dir.path(), Lifetime::Tied).await.unwrap();
    cloud.account.send(&Call::json("logs", "Logs_20140328.DescribeLogGroups", &json!({ "limit": 0 }))).await.unwrap();
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(cloud)));
    assert!(dropped.is_err());
}
