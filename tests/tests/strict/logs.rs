//! What a search of CloudWatch Logs finds, and what API Gateway logs about a request.

use local::call::Call;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn filter_patterns_follow_cloudwatch_semantics() {
    let world = World::start().await;
    let logs = async |action: &str, body: Value| {
        let answer = world.account.send(&Call::json("logs", &format!("Logs_20140328.{action}"), &body)).await.unwrap();
        answer.json().unwrap()
    };
    logs("CreateLogGroup", json!({ "logGroupName": "x" })).await;
    logs("CreateLogStream", json!({ "logGroupName": "x", "logStreamName": "x" })).await;
    // The examples of the syntax documentation.
    let messages = [
        "[ERROR 400] BAD REQUEST",
        "[ERROR 401] UNAUTHORIZED REQUEST",
        "[ERROR 419] MISSING ARGUMENTS",
        "[WARN] Task timed out after 3.00 seconds",
        r#"{"eventType": "UpdateTrail", "status": "429", "record": {"status": "timeout"}}"#,
        r#"{"eventType": "DeleteTrail", "status": "202"}"#,
    ];
    let events: Vec<_> = messages.iter().map(|message| json!({ "timestamp": 1, "message": message })).collect();
    logs("PutLogEvents", json!({ "logGroupName": "x", "logStreamName": "x", "logEvents": events })).await;
    for (pattern, expected) in [
        ("", &[0, 1, 2, 3, 4, 5][..]),
        ("ERROR", &[0, 1, 2]),
        ("error", &[]),
        ("ERROR ARGUMENTS", &[2]),
        (r#""BAD REQUEST""#, &[0]),
        ("?ERROR ?Trail", &[0, 1, 2, 4, 5]),
        (r#"?"timed out" ?"REQUEST BAD""#, &[3]),
        // Besides other terms, optional ones are ignored.
        ("ERROR ?ARGUMENTS", &[0, 1, 2]),
        ("ERROR -BAD", &[1, 2]),
        (r#"{ $.eventType = "UpdateTrail" }"#, &[4]),
        (r#"{ $.eventType != "UpdateTrail" }"#, &[5]),
        (r#"{ $.record.status = "timeout" }"#, &[4]),
        (r#"{ ($.status = "4*") || ($.status = "5*") }"#, &[4]),
        (r#"{ ($.status = "4*") && ($.eventType = "*Trail") }"#, &[4]),
        (r#"{ $.none = "*" }"#, &[]),
    ] {
        let found = logs("FilterLogEvents", json!({ "logGroupName": "x", "filterPattern": pattern })).await;
        let found: Vec<_> = found["events"].as_array().unwrap().iter().map(|event| event["message"].clone()).collect();
        let expected: Vec<_> = expected.iter().map(|at| json!(messages[*at])).collect();
        assert_eq!(found, expected, "{pattern}");
    }
}
