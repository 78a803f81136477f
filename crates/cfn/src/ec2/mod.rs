//! EC2: resources that a function in a VPC needs.

mod security_group;

pub use security_group::SecurityGroup;
