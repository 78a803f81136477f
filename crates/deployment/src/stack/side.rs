//! The template's side of the contract: a field holds the expression that CloudFormation resolves
//! to what the function reads.

use cfn::Value;
use contract::Side;

/// The side of the template.
#[derive(Debug)]
pub(super) enum Deployment {}

impl Side for Deployment {
    type Of<T> = Value<T>;
}
