//! The VPC that the workers run in, for a Git host that the internet can't reach.

use cfn::{
    Attributes, Handle, Optional, Stack, Value,
    ec2::SecurityGroup,
    iam::{Action, Evidence, Grant, Policy, Role},
    lambda::VpcConfig,
};

use serde_json::json;

use super::parameters::Parameters;

/// What a function in the VPC needs.
pub(super) struct Network {
    /// The function's property, absent without a VPC.
    pub(super) config: Value<VpcConfig>,
}

/// Adds the security group, if a VPC was given, and lets the roles have network interfaces in it.
///
/// Lambda deletes a function's interfaces with the function's own role, up to 45 minutes after the
/// function has left the VPC. So the rights aren't in the roles, which an update changes first, but
/// in a policy that the security group depends on: the group can't be deleted while it has
/// interfaces, and the policy is deleted after it.
pub(super) fn add(stack: &mut Stack, parameters: &Parameters, roles: &[&Handle<Role>]) -> Network {
    let group: Optional<_> = stack.when(&parameters.has_vpc, |stack| {
        let reason = "Lambda demands these of who runs in a VPC; only with a VPCId";
        let grant = Grant::because(reason, Evidence::Documented(PAGE), &INTERFACES);
        let on_all = format!(
            "Lambda demands these on every resource of who runs in a VPC, see {PAGE}; only with the VPCId parameter"
        );
        let policy = stack.add("NetworkInterfaces", Policy::on_all("NetworkInterfaces", roles, grant, &on_all));
        let why = "Git hosts listen on ports of their own; endpoints of AWS on 443";
        let group = SecurityGroup::outgoing_tcp("git2s3 worker", parameters.vpc_id.value(), why);
        stack.add_with("WorkerSecurityGroup", group, Attributes::default().after(&policy))
    });
    let reasons = [
        "W1033: SubnetIds is empty by default, and read only with a VPCId",
        "E3005: GitPullFunction depends on GitPullCredentials, which exists only with HTTPS or statuses; CloudFormation skips a \
         dependency on what a condition leaves out",
    ];
    stack.metadata("cfn-lint", json!({ "config": { "ignore_checks": ["W1033", "E3005"] }, "reasons": reasons }));
    let config = group.either(
        |group| {
            let subnet_ids = parameters.subnet_ids.value().split(",");
            VpcConfig { security_group_ids: vec![group.group_id()], subnet_ids }.into()
        },
        Value::none(),
    );
    Network { config }
}

const INTERFACES: [Action; 6] = [
    Action::Ec2CreateNetworkInterface,
    Action::Ec2DescribeNetworkInterfaces,
    Action::Ec2DescribeSubnets,
    Action::Ec2DeleteNetworkInterface,
    Action::Ec2AssignPrivateIpAddresses,
    Action::Ec2UnassignPrivateIpAddresses,
];
/// AWS's page about the rights that Lambda needs to connect a function to a VPC.
const PAGE: &str = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions";
