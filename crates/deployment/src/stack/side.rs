//! The template's side of the contract: each field has the expression that CloudFormation resolves
//! to the value that the function reads.

use cfn::Value;
use contract::Side;

/// The side of the template.
#[derive(Debug)]
pub(super) enum Deployment {}

impl Side for Deployment {
    type Of<T> = Value<T>;
}
