//! The least rights for running `infra`: IAM policies for a stack, its account and its region.
//!
//! `calls` lists what the commands call, and a test compares it with a record of every request that
//! they send. `resources` lists what `CloudFormation` does for the stack's resources; a test
//! compares it with the permissions that the registry lists for each type. The role that
//! `CloudFormation` assumes needs these rights, or without a role the caller.

mod calls;
mod resources;

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use serde_json::{Value, json};

use deployment::deploy::{self, Parameters, ServiceRole, Template};

pub use calls::UNRECORDED;
pub use resources::rights as of_type;

/// The maximum length of a managed policy in characters, without white space:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length>
const LONGEST: usize = 6_144;
/// How many characters of a long stack name are at least in the names that `CloudFormation`
/// generates for roles, functions and buckets. AWS doesn't document it; no name was seen with
/// fewer.
const KEPT_OF_NAME: usize = 24;

/// The part of the rights that a policy covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Who only looks: status, logs, diff, review, and deploy --dry-run
    Look,
    /// Who runs every command, as far as the commands themselves go
    Deploy,
    /// What `CloudFormation` does with roles, functions, the endpoint and the network
    Code,
    /// What `CloudFormation` does with buckets, queues, keys, secrets, logs and alarms
    Data,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Look, Self::Deploy, Self::Code, Self::Data];
}

/// The stack that the policies are for.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// The role that `CloudFormation` assumes, if any.
    pub role: Option<ServiceRole>,
    /// The template, evaluated with the parameters.
    template: Value,
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The template can't be evaluated with these parameters.
    #[error("the template can't be evaluated")]
    Template(#[source] cfn::EvaluateError),
    /// The account ID is invalid.
    #[error("{0} isn't the number of an account, which has 12 digits")]
    Account(String),
    /// The role is in another account.
    #[error("{role} is a role of another account than {account}")]
    Role {
        /// The role's ARN.
        role: String,
        /// The account's number.
        account: String,
    },
    /// It is longer than IAM accepts.
    #[error("the policy has {count} characters, and IAM takes {LONGEST}")]
    TooLong {
        /// How many it has, without white space.
        count: usize,
    },
}

impl PolicyError {
    /// Whether the caller has to change the arguments.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Account(_) | Self::Role { .. })
    }
}

/// Actions on resources, with conditions.
#[derive(Debug)]
struct Allowed {
    sid: String,
    actions: BTreeSet<&'static str>,
    resources: Vec<String>,
    condition: Value,
}

/// The IAM policy of a part.
///
/// # Errors
/// It is too long: a stack's name can have 128 characters.
pub fn policy(part: Part, scope: &Scope) -> Result<Value, PolicyError> {
    let allowed = match part {
        Part::Look | Part::Deploy => calls::allowed(part, scope),
        Part::Code | Part::Data => resources::allowed(part, scope),
    };
    let statements: Vec<_> = allowed.iter().map(Allowed::statement).collect();
    let policy = json!({ "Version": "2012-10-17", "Statement": statements });
    let count = policy.to_string().chars().filter(|character| !character.is_whitespace()).count();
    if count > LONGEST { Err(PolicyError::TooLong { count }) } else { Ok(policy) }
}

impl Allowed {
    fn statement(&self) -> Value {
        let mut statement = json!({
            "Sid": self.sid, "Effect": "Allow", "Action": self.actions, "Resource": self.resources
        });
        if !self.condition.is_null() {
            statement["Condition"] = self.condition.clone();
        }
        statement
    }
}

impl Scope {
    /// A stack of the template with these parameters, and defaults for the others.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn new(
        account: String,
        region: String,
        stack: String,
        role: Option<ServiceRole>,
        template: &Template,
        parameters: &Parameters,
    ) -> Result<Self, PolicyError> {
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PolicyError::Account(account));
        }
        if let Some(role) = role.as_ref().filter(|role| role.account() != account) {
            return Err(PolicyError::Role { role: role.arn().to_owned(), account });
        }
        let template = deploy::evaluated(template, std::slice::from_ref(parameters)).map_err(PolicyError::Template)?;
        Ok(Self { account, region, stack, role, template })
    }

    /// Substitutes account, region and stack in a pattern.
    fn arn(&self, pattern: &str) -> String {
        let partition = match self.region.split('-').collect::<Vec<_>>()[..] {
            ["cn", ..] => "aws-cn",
            ["us", "gov", ..] => "aws-us-gov",
            _ => "aws",
        };
        let names = BTreeMap::from([
            ("${Partition}", partition),
            ("${Region}", &self.region),
            ("${Account}", &self.account),
            ("${Stack}", &self.stack),
        ]);
        let mut arn = pattern.replace("${Made}", &self.made()).replace("${MadeBucket}", &self.made().to_lowercase());
        for (name, value) in names {
            arn = arn.replace(name, value);
        }
        arn.replace("${RolePath}", self.property("AWS::IAM::Role", "Path").unwrap_or("/"))
    }

    /// The prefix of the names that `CloudFormation` generates.
    fn made(&self) -> String {
        let kept: String = self.stack.chars().take(KEPT_OF_NAME).collect();
        if kept.len() < self.stack.len() { kept } else { format!("{kept}-") }
    }

    /// The resources of a type: logical ID and properties.
    fn of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.template["Resources"].as_object().into_iter().flatten();
        all.filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
    }

    /// A property that is equal for all resources of a type, if it is a text.
    fn property(&self, kind: &str, name: &str) -> Option<&str> {
        self.of_type(kind).find_map(|(_, properties)| properties[name].as_str())
    }

    /// The stack's log groups, and the one that API Gateway writes for its API.
    fn log_groups(&self) -> Vec<String> {
        let names = ["/git2s3/${Stack}/*", "API-Gateway-Execution-Logs_*"];
        let arn = |name| self.arn(&format!("arn:${{Partition}}:logs:${{Region}}:${{Account}}:log-group:{name}"));
        names.map(arn).to_vec()
    }

    /// The stack's buckets: those that `CloudFormation` names, and the one with a given name.
    fn buckets(&self) -> Vec<String> {
        let made = self.arn("arn:${Partition}:s3:::${MadeBucket}");
        let named = self.of_type("AWS::S3::Bucket").filter_map(|(_, properties)| properties["BucketName"].as_str());
        let named = named.map(|name| self.arn(&format!("arn:${{Partition}}:s3:::{name}")));
        [format!("{made}*bucket-*")].into_iter().chain(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(stack: &str, parameters: &[(&str, &str)]) -> Scope {
        let parameters = parameters.iter().chain(&[("QSS3BucketName", "assets")]);
        let chosen = parameters.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let template = cfn::evaluate(&deployment::stack::template(None).unwrap().into_value(), &chosen).unwrap();
        Scope {
            account: "123456789012".to_owned(),
            region: "eu-central-1".to_owned(),
            stack: stack.to_owned(),
            role: None,
            template,
        }
    }

    const EVERYTHING: &[(&str, &str)] = &[
        ("OutputBucketName", "zips-of-acme"),
        ("CustomDomainName", "git.example.com"),
        ("VPCId", "vpc-1"),
        ("SubnetIds", "subnet-1"),
        ("AlarmEmail", "platform@example.com"),
        ("WebAclArn", "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/x/01234567-89ab-cdef-0123-456789abcdef"),
        ("PermissionsBoundary", "arn:aws:iam::123456789012:policy/teams/platform/developers"),
        ("RolePath", "/delivery/platform/"),
    ];

    #[test]
    fn every_policy_fits_managed_policy_limit() {
        for stack in ["git2s3", &"s".repeat(128)] {
            let mut scope = scope(stack, EVERYTHING);
            scope.role = Some("arn:aws:iam::123456789012:role/delivery/cloudformation".parse().unwrap());
            for part in Part::ALL {
                policy(part, &scope).unwrap_or_else(|error| panic!("{part:?} of {stack}: {error}"));
            }
        }
    }

    #[test]
    fn a_policy_reads_well() {
        let mut scope = scope("git2s3", &[]);
        scope.role = Some("arn:aws:iam::123456789012:role/cloudformation".parse().unwrap());
        for part in Part::ALL {
            let text = serde_json::to_string_pretty(&policy(part, &scope).unwrap()).unwrap();
            insta::assert_snapshot!(format!("{part:?}").to_lowercase(), text);
        }
    }

    #[test]
    fn unused_services_get_no_permissions() {
        let services = |scope: &Scope| -> BTreeSet<String> {
            let policies = [Part::Code, Part::Data].map(|part| policy(part, scope).unwrap().to_string());
            let found = policies.iter().flat_map(|policy| policy.split('"').filter(|word| word.contains(':')));
            found.map(|action| action.split(':').next().unwrap_or_default().to_owned()).collect()
        };
        let (plain, all) = (services(&scope("git2s3", &[])), services(&scope("git2s3", EVERYTHING)));
        let more: Vec<_> = all.difference(&plain).map(String::as_str).collect();
        assert_eq!(more, ["acm", "sns", "wafv2"]);
    }

    #[test]
    fn role_creation_requires_permissions_boundary() {
        let policy = policy(Part::Code, &scope("git2s3", EVERYTHING)).unwrap();
        let statements = policy["Statement"].as_array().unwrap();
        let makes = |statement: &&Value| statement["Action"].to_string().contains("iam:CreateRole");
        let made: Vec<_> = statements.iter().filter(makes).collect();
        let boundary = "arn:aws:iam::123456789012:policy/teams/platform/developers";
        assert_eq!(made.len(), 1);
        assert_eq!(made[0]["Condition"]["StringEquals"]["iam:PermissionsBoundary"], boundary);
        assert_eq!(made[0]["Resource"], json!(["arn:aws:iam::123456789012:role/delivery/platform/git2s3-*"]));
    }

    #[test]
    fn each_partition_has_its_own_arns() {
        for (region, partition) in [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
        {
            let scope = Scope { region: region.to_owned(), ..scope("git2s3", &[]) };
            assert_eq!(scope.arn("arn:${Partition}:x:${Region}"), format!("arn:{partition}:x:{region}"));
        }
    }
}
