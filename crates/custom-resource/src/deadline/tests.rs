//! Each way a resource can end, against an HTTP server that plays CloudFormation.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::json;
use wiremock::{Mock, MockServer, Request as HttpRequest, ResponseTemplate, matchers::method};

use super::*;

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    behaviour: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    greeting: &'static str,
}

#[derive(Debug, thiserror::Error)]
#[error("could not encrypt the key")]
struct Denied(#[source] std::io::Error);

/// Whether it was denied before.
#[derive(Default)]
struct Thing(AtomicBool);

impl CustomResource for Thing {
    type Properties = Properties;
    type Data = Data;
    type Error = Denied;

    fn owns(&self, physical_resource_id: &str) -> bool {
        physical_resource_id == "thing"
    }

    fn lacks_rights(error: &Denied) -> bool {
        error.0.kind() == std::io::ErrorKind::PermissionDenied
    }

    async fn create(&self, request: Request<Properties>) -> Result<Answer<Data>, Denied> {
        match request.properties.behaviour.as_str() {
            "panic" => panic!("index out of bounds"),
            "hang" => std::future::pending().await,
            "denied once" if !self.0.swap(true, Ordering::Relaxed) => {
                Err(Denied(std::io::Error::from(std::io::ErrorKind::PermissionDenied)))
            }
            "denied" => Err(Denied(std::io::Error::from(std::io::ErrorKind::PermissionDenied))),
            "fail" => Err(Denied(std::io::Error::other("AccessDeniedException"))),
            _ => Ok(Answer { physical_resource_id: "thing".into(), data: Data { greeting: "hello" } }),
        }
    }

    async fn update(&self, request: Request<Properties>) -> Result<Answer<Data>, Denied> {
        self.create(request).await
    }

    async fn delete(&self, request: Request<Properties>) -> Result<(), Denied> {
        self.create(request).await.map(drop)
    }
}

/// The bodies that CloudFormation received.
async fn bodies(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().map(|request: &HttpRequest| request.body_json().unwrap()).collect()
}

async fn cloudformation(status: u16) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("PUT")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
    server
}

fn event(server: &MockServer, kind: &str, behaviour: &str) -> Value {
    json!({
        "RequestType": kind, "ResponseURL": format!("{}/answer?X-Amz-Signature=s", server.uri()),
        "StackId": "arn:stack", "RequestId": "r1", "LogicalResourceId": "Thing", "ResourceType": "Custom::Thing",
        "ResourceProperties": { "ServiceToken": "arn:lambda", "Behaviour": behaviour },
    })
}

fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_mins(1)
}

/// The only response to `event`.
async fn answer(server: &MockServer, event: Value, deadline: SystemTime) -> Value {
    run(event, deadline, Thing::default()).await.unwrap();
    let mut bodies = bodies(server).await;
    assert_eq!(bodies.len(), 1);
    bodies.remove(0)
}

/// The reason why `event` failed.
async fn reason(edit: impl FnOnce(&mut Value), deadline: SystemTime) -> String {
    let server = cloudformation(200).await;
    let mut event = event(&server, "Create", "");
    edit(&mut event);
    let answer = answer(&server, event, deadline).await;
    assert_eq!(answer["Status"], "FAILED");
    answer["Reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn success_response_carries_attributes() {
    let server = cloudformation(200).await;
    let answer = answer(&server, event(&server, "Create", ""), soon()).await;
    assert_eq!(answer["Data"], json!({ "Greeting": "hello" }));
    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("SUCCESS"), &json!("thing")));
    assert_eq!(server.received_requests().await.unwrap()[0].headers["content-type"], "");
}

#[tokio::test]
async fn failure_reason_includes_causes() {
    let reason = reason(|event| event["ResourceProperties"]["Behaviour"] = json!("fail"), soon()).await;
    assert_eq!(reason, "could not encrypt the key: AccessDeniedException");
}

#[tokio::test]
async fn late_right_leads_to_success() {
    let server = cloudformation(200).await;
    let answer = answer(&server, event(&server, "Create", "denied once"), soon()).await;
    assert_eq!(answer["Status"], "SUCCESS");
}

#[tokio::test]
async fn missing_right_is_reported() {
    let deadline = SystemTime::now() + Duration::from_secs(2);
    let reason = reason(|event| event["ResourceProperties"]["Behaviour"] = json!("denied"), deadline).await;
    assert_eq!(reason, "the permission was missing for 0 s: could not encrypt the key: permission denied");
}

#[tokio::test]
async fn a_panic_is_answered() {
    let reason = reason(|event| event["ResourceProperties"]["Behaviour"] = json!("panic"), soon()).await;
    assert_eq!(reason, "the function panicked: index out of bounds");
}

#[tokio::test]
async fn hanging_handler_is_answered_before_deadline() {
    let deadline = SystemTime::now() + Duration::from_secs(1);
    let reason = reason(|event| event["ResourceProperties"]["Behaviour"] = json!("hang"), deadline).await;
    assert_eq!(reason, "not done after 0 s, the function's time");
    assert!(SystemTime::now() < deadline);
}

#[tokio::test]
async fn unreadable_request_gets_failure_response() {
    let properties = reason(|event| event["ResourceProperties"] = json!({}), soon()).await;
    assert_eq!(properties, "could not parse the ResourceProperties: missing field `Behaviour`");
    let kind = reason(|event| event["RequestType"] = json!("Explode"), soon()).await;
    assert!(kind.starts_with("could not parse the RequestType: unknown variant `Explode`"), "{kind}");
}

#[tokio::test]
async fn uncreated_resource_is_deleted_without_asking() {
    let server = cloudformation(200).await;
    let mut event = event(&server, "Delete", "fail");
    event["PhysicalResourceId"] = json!("never-made/r0");
    let answer = answer(&server, event, soon()).await;
    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("SUCCESS"), &json!("never-made/r0")));
}

#[tokio::test]
async fn created_resource_keeps_id_on_deletion() {
    for (behaviour, status) in [("", "SUCCESS"), ("fail", "FAILED")] {
        let server = cloudformation(200).await;
        let mut event = event(&server, "Delete", behaviour);
        event["PhysicalResourceId"] = json!("thing");
        let answer = answer(&server, event, soon()).await;
        assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!(status), &json!("thing")));
    }
}

#[tokio::test]
async fn response_retries_only_after_server_error() {
    for (status, attempts) in [(503, 2), (403, 1)] {
        let server = MockServer::start().await;
        Mock::given(method("PUT")).respond_with(ResponseTemplate::new(status)).up_to_n_times(1).mount(&server).await;
        Mock::given(method("PUT")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
        let result = run(event(&server, "Create", ""), soon(), Thing::default()).await;
        assert_eq!(bodies(&server).await.len(), attempts);
        assert_eq!(result.is_ok(), status == 503);
    }
}

#[tokio::test]
async fn refused_response_error_omits_url() {
    let server = cloudformation(403).await;
    let error = run(event(&server, "Create", ""), soon(), Thing::default()).await.unwrap_err();
    assert_eq!(
        error_chain(&error),
        "could not respond for Thing: the response to CloudFormation was refused with status 403 Forbidden"
    );
}

#[tokio::test]
async fn unanswered_response_stops_at_deadline() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_mins(1));
    Mock::given(method("PUT")).respond_with(slow).mount(&server).await;
    let deadline = SystemTime::now() + Duration::from_secs(1);
    let error = run(event(&server, "Create", ""), deadline, Thing::default()).await.unwrap_err();
    assert!(matches!(error, RunError::Respond { source: RespondError::OutOfTime, .. }), "{error:?}");
}

#[tokio::test]
async fn event_without_url_fails() {
    assert!(matches!(
        run(json!({ "RequestType": "Create" }), soon(), Thing::default()).await,
        Err(RunError::NoSender(_))
    ));
}
