//! CloudFormation's own resource types.

mod custom_resource;

pub use custom_resource::CustomResource;
