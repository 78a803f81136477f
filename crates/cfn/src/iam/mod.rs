//! IAM: who may do what. Rights come from grants, methods on the resource that they are for; an
//! action is one of [`Action`], so that a wildcard can't be written, and a resource of `*` needs a
//! reason.

mod action;
mod document;
mod policy;
mod role;

pub use action::Action;
pub use document::{PolicyDocument, Principal, Statement};
pub use policy::Policy;
pub use role::Role;
