//! IAM: who may do what. Rights are granted by methods of the resource that they are for; each
//! grant states its reason and what fails without it. An action is an [`Action`], so a wildcard
//! can't be written, and a resource of `*` needs a reason in the template.

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
