//! CloudFormation sends a custom resource an event and waits an hour for the response. This crate
//! guarantees a response: on success, on errors, panics and invalid events, and before the
//! function's time runs out.
//!
//! The protocol:
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref.html>.
//!
//! ```
//! use custom_resource::{Answer, CustomResource, Request};
//!
//! struct Greeting;
//!
//! impl CustomResource for Greeting {
//!     type Properties = std::collections::BTreeMap<String, String>;
//!     type Data = String;
//!     type Error = std::io::Error;
//!
//!     fn owns(&self, physical_resource_id: &str) -> bool {
//!         physical_resource_id.starts_with("greeting/")
//!     }
//!
//!     async fn create(&self, request: Request<Self::Properties>) -> Result<Answer<String>, Self::Error> {
//!         let name = request.properties.get("Name").cloned().unwrap_or_default();
//!         Ok(Answer { physical_resource_id: format!("greeting/{name}"), data: format!("Hello, {name}") })
//!     }
//!
//!     async fn update(&self, request: Request<Self::Properties>) -> Result<Answer<String>, Self::Error> {
//!         self.create(request).await
//!     }
//!
//!     async fn delete(&self, _request: Request<Self::Properties>) -> Result<(), Self::Error> {
//!         Ok(())
//!     }
//! }
//! # let _ = Greeting;
//! ```

mod deadline;
mod request;
mod resource;
mod response;
mod rights;
mod serve;

pub use deadline::{RunError, run};
pub use request::Request;
pub use resource::{Answer, CustomResource};
pub use response::RespondError;
pub use rights::is_lack_of_rights;
pub use serve::serve;
