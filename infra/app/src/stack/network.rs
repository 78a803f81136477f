//! The VPC that the worker runs in, for a Git host that the internet doesn't see.

use cfn::{
    Optional, Stack, Value,
    ec2::SecurityGroup,
    iam::{Action, Role},
    lambda::VpcConfig,
};

use serde_json::json;

use super::parameters::Parameters;

/// What a function in the VPC needs.
pub(super) struct Network {
    /// The function's property: none without a VPC.
    pub(super) config: Value<VpcConfig>,
}

/// Adds the security group, where a VPC was given.
pub(super) fn add(stack: &mut Stack, parameters: &Parameters) -> Network {
    let group: Optional<_> = stack.when(&parameters.has_vpc, |stack| {
        let why = "Git hosts listen on ports of their own; endpoints of AWS on 443";
        let group = SecurityGroup::outgoing_tcp("git2s3 worker", parameters.vpc_id.value(), why);
        stack.add("WorkerSecurityGroup", group)
    });
    let ignored = "W1033: SubnetIds is empty by default, and read only with a VPCId";
    stack.metadata("cfn-lint", json!({ "config": { "ignore_checks": ["W1033"] }, "reasons": [ignored] }));
    let config = group.either(
        |group| {
            let subnet_ids = parameters.subnet_ids.value().split(",");
            VpcConfig { security_group_ids: vec![group.group_id()], subnet_ids }.into()
        },
        Value::none(),
    );
    Network { config }
}

/// Lets `role` have network interfaces, where a VPC was given.
pub(super) fn grant(role: &mut Role, parameters: &Parameters) {
    let actions = [
        Action::Ec2CreateNetworkInterface,
        Action::Ec2DescribeNetworkInterfaces,
        Action::Ec2DescribeSubnets,
        Action::Ec2DeleteNetworkInterface,
        Action::Ec2AssignPrivateIpAddresses,
        Action::Ec2UnassignPrivateIpAddresses,
    ];
    let reason = "Lambda demands these on every resource of who runs in a VPC, see \
                  https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions; \
                  only with the VPCId parameter";
    role.grant_on_all_when(&parameters.has_vpc, "NetworkInterfaces", &actions, reason);
}
