//! EC2: what a function needs in a VPC.

mod security_group;

pub use security_group::SecurityGroup;
