//! What a custom resource has to know how to do; everything else is the protocol's.

use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};

use crate::Request;

/// What a resource answers when it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<D> {
    /// Its id, 1 to 1,024 bytes. **A new id in answer to an update tells CloudFormation that the resource
    /// was replaced**: the old one is deleted after it.
    pub physical_resource_id: String,
    /// Its attributes, what `Fn::GetAtt` reads: a struct or a map of texts.
    pub data: D,
}

/// A custom resource. CloudFormation may ask for the same thing twice, so each of these has to be
/// idempotent.
pub trait CustomResource: Send + Sync + 'static {
    /// Its properties. Values come as text, whatever they were in the template.
    type Properties: DeserializeOwned + Send + 'static;
    /// Its attributes.
    type Data: Serialize + Send + 'static;
    /// Why it couldn't. It and its sources, one after the other, are the reason in the stack's events.
    type Error: std::error::Error + Send + 'static;

    /// Whether [`create`](Self::create) or [`update`](Self::update) made this id. CloudFormation also
    /// deletes resources whose creation failed, by an id that they never had: those deletions succeed
    /// without asking the resource.
    fn owns(&self, physical_resource_id: &str) -> bool;

    /// Makes the resource.
    fn create(
        &self,
        request: Request<Self::Properties>,
    ) -> impl Future<Output = Result<Answer<Self::Data>, Self::Error>> + Send;

    /// Changes the resource.
    fn update(
        &self,
        request: Request<Self::Properties>,
    ) -> impl Future<Output = Result<Answer<Self::Data>, Self::Error>> + Send;

    /// Removes the resource.
    fn delete(&self, request: Request<Self::Properties>) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
