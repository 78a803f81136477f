//! The trait of a custom resource. Everything else is part of the protocol.

use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};

use crate::Request;

/// The result for a resource that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<D> {
    /// Its ID, 1 to 1,024 bytes. **A new ID in response to an update tells CloudFormation that the
    /// resource was replaced**: the old one is deleted afterwards.
    pub physical_resource_id: String,
    /// Its attributes for `Fn::GetAtt`: a struct or a map of strings.
    pub data: D,
}

/// A custom resource. All operations must be idempotent: CloudFormation may repeat a request, and
/// an operation that fails for lack of permissions is retried.
pub trait CustomResource: Send + Sync + 'static {
    /// Its properties. Values are strings, whatever they were in the template.
    type Properties: DeserializeOwned + Clone + Send + Sync + 'static;
    /// Its attributes.
    type Data: Serialize + Send + 'static;
    /// Its error. The error and its sources become the reason in the stack's events.
    type Error: std::error::Error + Send + 'static;

    /// Whether [`create`](Self::create) or [`update`](Self::update) made this ID. CloudFormation
    /// also deletes resources whose creation failed, by an ID that they never had. Those deletions
    /// succeed without calling the resource.
    fn owns(&self, physical_resource_id: &str) -> bool;

    /// Whether the function's role lacked a permission: CloudFormation calls the function seconds
    /// after it created the role, and permissions take seconds to propagate.
    /// [`is_lack_of_rights`](crate::is_lack_of_rights) knows AWS's error codes for that.
    fn lacks_rights(error: &Self::Error) -> bool {
        let _ = error;
        false
    }

    /// Creates the resource.
    fn create(
        &self,
        request: Request<Self::Properties>,
    ) -> impl Future<Output = Result<Answer<Self::Data>, Self::Error>> + Send;

    /// Updates the resource.
    fn update(
        &self,
        request: Request<Self::Properties>,
    ) -> impl Future<Output = Result<Answer<Self::Data>, Self::Error>> + Send;

    /// Deletes the resource.
    fn delete(&self, request: Request<Self::Properties>) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
