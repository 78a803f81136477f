//! IAM: who may do what. Rights come from grants, methods on the resource that they are for; each
//! says why, and what fails without it. An action is one of [`Action`], so that a wildcard can't be
//! written, and a resource of `*` needs a reason in the template.

mod action;
mod document;
mod grant;
mod policy;
mod role;

pub use action::Action;
pub use document::{PolicyDocument, Principal, Statement};
pub use grant::{Evidence, Grant, Right};
pub use policy::Policy;
pub use role::Role;
