//! What CloudFormation asks, in two steps: first where to answer, so that whatever is wrong with
//! the rest can be answered.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref-requests.html>

use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::Instant;

/// Where the answer goes, and what it has to repeat.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Sender {
    /// Presigned: who has it can answer in the resource's name.
    #[serde(rename = "ResponseURL")]
    pub(crate) response_url: SecretString,
    #[serde(default)]
    pub(crate) stack_id: String,
    #[serde(default)]
    pub(crate) request_id: String,
    #[serde(default)]
    pub(crate) logical_resource_id: String,
    pub(crate) physical_resource_id: Option<String>,
}

impl Sender {
    pub(crate) fn read(event: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(event)
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum RequestType {
    Create,
    Update,
    Delete,
}

impl RequestType {
    pub(crate) fn read(event: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(event.get("RequestType").unwrap_or(&Value::Null))
    }
}

/// A request as the resource sees it.
#[derive(Debug, Clone)]
pub struct Request<P> {
    /// The ARN of the stack.
    pub stack_id: String,
    /// The id of this request; a repeated one has it again.
    pub request_id: String,
    /// The resource's name in the template.
    pub logical_resource_id: String,
    /// The resource's own id, from its creation on.
    pub physical_resource_id: Option<String>,
    /// The properties.
    pub properties: P,
    /// When the work has to be done. What isn't done by then is dropped and answered as failed.
    pub deadline: Instant,
}

impl<P: DeserializeOwned> Request<P> {
    pub(crate) fn read(event: &Value, sender: &Sender, deadline: Instant) -> Result<Self, serde_json::Error> {
        Ok(Self {
            stack_id: sender.stack_id.clone(),
            request_id: sender.request_id.clone(),
            logical_resource_id: sender.logical_resource_id.clone(),
            physical_resource_id: sender.physical_resource_id.clone(),
            properties: P::deserialize(event.get("ResourceProperties").unwrap_or(&Value::Null))?,
            deadline,
        })
    }
}
