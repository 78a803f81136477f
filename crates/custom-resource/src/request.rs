//! CloudFormation's request, parsed in two steps: first where to respond, so that errors in the
//! rest can be reported.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref-requests.html>

use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::Instant;

/// Where to respond, and what to repeat.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Sender {
    /// Presigned: anyone who has it can respond for the resource.
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

/// What to do.
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

/// The request for a resource.
#[derive(Debug, Clone)]
pub struct Request<P> {
    /// The ARN of the stack.
    pub stack_id: String,
    /// The ID of this request. A repeated one has the same ID.
    pub request_id: String,
    /// The resource's name in the template.
    pub logical_resource_id: String,
    /// The resource's physical ID, once it is created.
    pub physical_resource_id: Option<String>,
    /// The properties.
    pub properties: P,
    /// The deadline. Unfinished work is cancelled and reported as failed.
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
