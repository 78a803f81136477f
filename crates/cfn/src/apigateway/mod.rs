//! API Gateway: a REST API with its resources, stage and domain.

mod account;
mod deployment;
mod domain_name;
mod method;
mod request_validator;
mod resource;
mod rest_api;
mod stage;

pub use account::Account;
pub use deployment::Deployment;
pub use domain_name::{BasePathMapping, DomainName};
pub use method::Method;
pub use request_validator::RequestValidator;
pub use resource::ApiResource;
pub use rest_api::RestApi;
pub use stage::Stage;
