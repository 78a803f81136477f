//! Acts as CloudFormation for a custom resource: sends a request to its function, and receives the
//! response at the URL in the request.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::aws::Account;

/// The request type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestType {
    /// The resource is created.
    Create,
    /// The resource is deleted.
    Delete,
}

/// Sends a request to a function. Returns its response to CloudFormation.
///
/// # Errors
/// The function fails, or doesn't respond exactly once.
pub async fn request(
    account: &Account,
    function: &str,
    request: RequestType,
    physical_id: &str,
    mut properties: Value,
) -> Result<Value> {
    let cloudformation = MockServer::start().await;
    Mock::given(method("PUT")).respond_with(ResponseTemplate::new(200)).mount(&cloudformation).await;
    properties["ServiceToken"] = function.into();
    let request = json!({
        "RequestType": format!("{request:?}"),
        "RequestId": "4b3c6b0e-0000-4000-8000-000000000000",
        "ResponseURL": format!("{}/response", cloudformation.uri()),
        "StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/git2s3/4b3c6b0e-0000-4000-8000-000000000000",
        "LogicalResourceId": "Resource",
        "PhysicalResourceId": physical_id,
        "ResourceType": "Custom::Resource",
        "ResourceProperties": properties,
    });
    account.invoke(function, &request).await.with_context(|| format!("invoke {function}"))?;
    let answers = cloudformation.received_requests().await.context("read the answers")?;
    let [answer] = answers.as_slice() else { bail!("{} answers instead of one", answers.len()) };
    serde_json::from_slice(&answer.body).context("read the answer")
}
