//! What a custom resource has to know how to do; everything else is the protocol's.

use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};

use crate::Request;

/// What a resource answers when it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<D> {
    /// Its id, 1 to 1,024 bytes. **A new id in answer to an update tells CloudFormation that the
    /// resource was replaced**: the old one is deleted after it.
    pub physical_resource_id: String,
    /// Its attributes, what `Fn::GetAtt` reads: a struct or a map of texts.
    pub data: D,
}

/// A custom resource. CloudFormation may ask for the same thing twice, and what fails for lack of
/// rights is done again, so each of these has to be idempotent.
pub trait CustomResource: Send + Sync + 'static {
    /// Its properties. Values come as text, whatever they were in the template.
    type Properties: DeserializeOwned + Clone + Send + Sync + 'static;
    /// Its attributes.
    type Data: Serialize + Send + 'static;
    /// Why it couldn't. It and its sources, one after the other, are the reason in the stack's
    /// events.
    type Error: std::error::Error + Send + 'static;

    /// Whether [`create`](Self::create) or [`update`](Self::update) made this id. CloudFormation
    /// also deletes resources whose creation failed, by an id that they never had: those deletions
    /// succeed without asking the resource.
    fn owns(&self, physical_resource_id: &str) -> bool;

    /// Whether the function's role lacked the right to do it: CloudFormation calls the function
    /// seconds after it made the role, and rights take seconds to spread.
    /// [`is_lack_of_rights`](crate::is_lack_of_rights) knows AWS's codes for that.
    fn lacks_rights(error: &Self::Error) -> bool {
        let _ = error;
        false
    }

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
