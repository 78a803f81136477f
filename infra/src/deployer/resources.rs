//! What `CloudFormation` does for each of the template's resource types, when it creates, reads,
//! updates, tags and deletes them. A test compares this with the permissions that the registry's
//! schema lists for a type's handlers: each of them is listed here, or known not to be needed.
//!
//! Only `CloudFormation` may use these rights: it [calls services with the rights of a role or a
//! person](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/fas-requests-and-permission-evaluation.html),
//! and says so in `aws:CalledVia`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Allowed, Part, Scope};

/// Actions and their resources.
type On = (&'static [&'static str], &'static str);

/// The rights of one type.
struct OfType {
    kind: &'static str,
    part: Part,
    rights: &'static [On],
}

const fn of(part: Part, kind: &'static str, rights: &'static [On]) -> OfType {
    OfType { kind, part, rights }
}

const ANYTHING: &str = "*";
const API: &str = "arn:${Partition}:apigateway:${Region}::/restapis*";
const API_ACCOUNT: &str = "arn:${Partition}:apigateway:${Region}::/account";
const API_DOMAINS: &str = "arn:${Partition}:apigateway:${Region}::/domainnames*";
const API_STAGES: &str = "arn:${Partition}:apigateway:${Region}::/restapis/*/stages/*";
const API_TAGS: &str = "arn:${Partition}:apigateway:${Region}::/tags/*";
const ALARMS: &str = "arn:${Partition}:cloudwatch:${Region}:${Account}:alarm:${Stack}-*";
const ALL_ALARMS: &str = "arn:${Partition}:cloudwatch:${Region}:${Account}:alarm:*";
const ALIASES: &str = "arn:${Partition}:kms:${Region}:${Account}:alias/${Stack}-*";
const ASSETS: &str = "arn:${Partition}:s3:::git2s3-assets-${Account}-${Region}/git2s3/*";
const CERTIFICATES: &str = "arn:${Partition}:acm:${Region}:${Account}:certificate/*";
const EVENT_SOURCES: &str = "arn:${Partition}:lambda:${Region}:${Account}:event-source-mapping:*";
const EVENT_RULES: &str = "arn:${Partition}:events:${Region}:${Account}:rule/${Made}*";
const FUNCTIONS: &str = "arn:${Partition}:lambda:${Region}:${Account}:function:${Made}*";
const KEYS: &str = "arn:${Partition}:kms:${Region}:${Account}:key/*";
const QUEUES: &str = "arn:${Partition}:sqs:${Region}:${Account}:git2s3-*.fifo";
const ROLES: &str = "arn:${Partition}:iam::${Account}:role${RolePath}${Made}*";
const SECURITY_GROUPS: &str = "arn:${Partition}:ec2:${Region}:${Account}:security-group/*";
const SECURITY_GROUP_RULES: &str = "arn:${Partition}:ec2:${Region}:${Account}:security-group-rule/*";
const TOPIC: &str = "arn:${Partition}:sns:${Region}:${Account}:${Stack}-alarms";
const VPCS: &str = "arn:${Partition}:ec2:${Region}:${Account}:vpc/*";
/// Placeholders for the stack's resources of which there are several.
const BUCKETS: &str = "(buckets)";
const LOG_GROUPS: &str = "(log groups)";
const SECRETS: &str = "(secrets)";
const WEB_ACL: &str = "(web ACL)";

const EVERY_VERB: &[&str] =
    &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"];
const ALL_BUT_PUT: &[&str] = &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST"];
const TAGS_OF_APIS: On = (&["apigateway:DELETE", "apigateway:GET", "apigateway:PUT"], API_TAGS);
const PASSED_ROLE: On = (&["iam:GetRole", "iam:PassRole"], ROLES);

const TABLE: &[OfType] = &[
    of(Part::Code, "AWS::ApiGateway::Account", &[(&["apigateway:GET", "apigateway:PATCH"], API_ACCOUNT), PASSED_ROLE]),
    of(Part::Code, "AWS::ApiGateway::BasePathMapping", &[(ALL_BUT_PUT, API_DOMAINS)]),
    of(Part::Code, "AWS::ApiGateway::Deployment", &[(EVERY_VERB, API)]),
    of(Part::Code, "AWS::ApiGateway::DomainName", &[(EVERY_VERB, API_DOMAINS), TAGS_OF_APIS]),
    of(Part::Code, "AWS::ApiGateway::Method", &[(&["apigateway:DELETE", "apigateway:GET", "apigateway:PUT"], API)]),
    of(Part::Code, "AWS::ApiGateway::RequestValidator", &[(ALL_BUT_PUT, API)]),
    of(Part::Code, "AWS::ApiGateway::Resource", &[(ALL_BUT_PUT, API)]),
    of(Part::Code, "AWS::ApiGateway::RestApi", &[(EVERY_VERB, API), TAGS_OF_APIS]),
    of(Part::Code, "AWS::ApiGateway::Stage", &[(EVERY_VERB, API), TAGS_OF_APIS]),
    of(
        Part::Code,
        "AWS::CertificateManager::Certificate",
        &[
            (&["acm:RequestCertificate"], ANYTHING),
            (
                &[
                    "acm:AddTagsToCertificate",
                    "acm:DeleteCertificate",
                    "acm:DescribeCertificate",
                    "acm:ListTagsForCertificate",
                    "acm:RemoveTagsFromCertificate",
                    "acm:UpdateCertificateOptions",
                ],
                CERTIFICATES,
            ),
        ],
    ),
    of(Part::Code, "AWS::CloudFormation::CustomResource", &[(&["lambda:InvokeFunction"], FUNCTIONS)]),
    of(
        Part::Data,
        "AWS::CloudWatch::Alarm",
        &[
            (&["cloudwatch:DescribeAlarms"], ALL_ALARMS),
            (
                &[
                    "cloudwatch:DeleteAlarms",
                    "cloudwatch:ListTagsForResource",
                    "cloudwatch:PutMetricAlarm",
                    "cloudwatch:TagResource",
                    "cloudwatch:UntagResource",
                ],
                ALARMS,
            ),
        ],
    ),
    of(
        Part::Code,
        "AWS::EC2::SecurityGroup",
        &[
            (&["ec2:DescribeInstances", "ec2:DescribeSecurityGroups"], ANYTHING),
            (&["ec2:CreateSecurityGroup"], VPCS),
            (
                &[
                    "ec2:AuthorizeSecurityGroupEgress",
                    "ec2:CreateSecurityGroup",
                    "ec2:CreateTags",
                    "ec2:DeleteSecurityGroup",
                    "ec2:DeleteTags",
                    "ec2:RevokeSecurityGroupEgress",
                    "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
                ],
                SECURITY_GROUPS,
            ),
            (
                &["ec2:AuthorizeSecurityGroupEgress", "ec2:UpdateSecurityGroupRuleDescriptionsEgress"],
                SECURITY_GROUP_RULES,
            ),
        ],
    ),
    of(
        Part::Data,
        "AWS::Events::Rule",
        &[(
            &[
                "events:DeleteRule",
                "events:DescribeRule",
                "events:ListTagsForResource",
                "events:ListTargetsByRule",
                "events:PutRule",
                "events:PutTargets",
                "events:RemoveTargets",
                "events:TagResource",
                "events:UntagResource",
            ],
            EVENT_RULES,
        )],
    ),
    of(Part::Code, "AWS::IAM::Policy", &[(&["iam:DeleteRolePolicy", "iam:GetRolePolicy", "iam:PutRolePolicy"], ROLES)]),
    of(
        Part::Code,
        "AWS::IAM::Role",
        &[(
            &[
                "iam:CreateRole",
                "iam:DeleteRole",
                "iam:DeleteRolePermissionsBoundary",
                "iam:DeleteRolePolicy",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
                "iam:ListRoleTags",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
                "iam:UpdateRoleDescription",
            ],
            ROLES,
        )],
    ),
    of(
        Part::Data,
        "AWS::KMS::Alias",
        &[
            (&["kms:ListAliases"], ANYTHING),
            (&["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"], ALIASES),
            (&["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"], KEYS),
        ],
    ),
    of(
        Part::Data,
        "AWS::KMS::Key",
        &[
            (&["kms:CreateKey"], ANYTHING),
            (
                &[
                    "kms:DescribeKey",
                    "kms:DisableKeyRotation",
                    "kms:EnableKeyRotation",
                    "kms:GetKeyPolicy",
                    "kms:GetKeyRotationStatus",
                    "kms:ListResourceTags",
                    "kms:PutKeyPolicy",
                    "kms:ScheduleKeyDeletion",
                    "kms:TagResource",
                    "kms:UntagResource",
                    "kms:UpdateKeyDescription",
                ],
                KEYS,
            ),
        ],
    ),
    of(
        Part::Code,
        "AWS::Lambda::EventSourceMapping",
        &[
            (&["lambda:CreateEventSourceMapping"], ANYTHING),
            (
                &[
                    "lambda:DeleteEventSourceMapping",
                    "lambda:GetEventSourceMapping",
                    "lambda:ListTags",
                    "lambda:TagResource",
                    "lambda:UntagResource",
                    "lambda:UpdateEventSourceMapping",
                ],
                EVENT_SOURCES,
            ),
        ],
    ),
    of(
        Part::Code,
        "AWS::Lambda::Function",
        &[
            (
                &[
                    "lambda:CreateFunction",
                    "lambda:DeleteFunction",
                    "lambda:GetFunction",
                    "lambda:GetFunctionCodeSigningConfig",
                    "lambda:GetFunctionRecursionConfig",
                    "lambda:GetFunctionScalingConfig",
                    "lambda:GetRuntimeManagementConfig",
                    "lambda:ListTags",
                    "lambda:TagResource",
                    "lambda:UntagResource",
                    "lambda:UpdateFunctionCode",
                    "lambda:UpdateFunctionConfiguration",
                ],
                FUNCTIONS,
            ),
            (
                &[
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                ],
                ANYTHING,
            ),
            (&["iam:PassRole"], ROLES),
            (&["s3:GetObject"], ASSETS),
        ],
    ),
    of(
        Part::Code,
        "AWS::Lambda::Permission",
        &[(&["lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"], FUNCTIONS)],
    ),
    of(
        Part::Data,
        "AWS::Logs::LogGroup",
        &[
            (&["logs:DescribeIndexPolicies", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies"], ANYTHING),
            (
                &[
                    "logs:CreateLogGroup",
                    "logs:DeleteLogGroup",
                    "logs:DeleteRetentionPolicy",
                    "logs:GetDataProtectionPolicy",
                    "logs:ListTagsForResource",
                    "logs:PutRetentionPolicy",
                    "logs:TagResource",
                    "logs:UntagResource",
                ],
                LOG_GROUPS,
            ),
        ],
    ),
    of(
        Part::Data,
        "AWS::Logs::MetricFilter",
        &[(&["logs:DeleteMetricFilter", "logs:DescribeMetricFilters", "logs:PutMetricFilter"], LOG_GROUPS)],
    ),
    of(
        Part::Data,
        "AWS::S3::Bucket",
        &[(
            &[
                "s3:CreateBucket",
                "s3:DeleteBucket",
                "s3:GetAccelerateConfiguration",
                "s3:GetAnalyticsConfiguration",
                "s3:GetBucketAbac",
                "s3:GetBucketCORS",
                "s3:GetBucketLogging",
                "s3:GetBucketMetadataTableConfiguration",
                "s3:GetBucketNotification",
                "s3:GetBucketObjectLockConfiguration",
                "s3:GetBucketOwnershipControls",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketTagging",
                "s3:GetBucketVersioning",
                "s3:GetBucketWebsite",
                "s3:GetEncryptionConfiguration",
                "s3:GetIntelligentTieringConfiguration",
                "s3:GetInventoryConfiguration",
                "s3:GetLifecycleConfiguration",
                "s3:GetMetricsConfiguration",
                "s3:GetReplicationConfiguration",
                "s3:ListBucket",
                "s3:ListTagsForResource",
                "s3:PutBucketNotification",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutBucketVersioning",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
                "s3:TagResource",
                "s3:UntagResource",
            ],
            BUCKETS,
        )],
    ),
    of(
        Part::Data,
        "AWS::S3::BucketPolicy",
        &[(&["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"], BUCKETS)],
    ),
    of(
        Part::Data,
        "AWS::SNS::Subscription",
        &[
            (&["sns:Subscribe"], TOPIC),
            (&["sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"], ANYTHING),
        ],
    ),
    of(
        Part::Data,
        "AWS::SNS::Topic",
        &[(
            &[
                "sns:CreateTopic",
                "sns:DeleteTopic",
                "sns:GetDataProtectionPolicy",
                "sns:GetTopicAttributes",
                "sns:ListSubscriptionsByTopic",
                "sns:ListTagsForResource",
                "sns:SetTopicAttributes",
                "sns:TagResource",
                "sns:UntagResource",
            ],
            TOPIC,
        )],
    ),
    of(Part::Data, "AWS::SNS::TopicPolicy", &[(&["sns:SetTopicAttributes"], TOPIC)]),
    of(
        Part::Data,
        "AWS::SQS::Queue",
        &[(
            &[
                "sqs:CreateQueue",
                "sqs:DeleteQueue",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ListQueueTags",
                "sqs:SetQueueAttributes",
                "sqs:TagQueue",
                "sqs:UntagQueue",
            ],
            QUEUES,
        )],
    ),
    of(Part::Data, "AWS::SQS::QueuePolicy", &[(&["sqs:SetQueueAttributes"], QUEUES)]),
    of(
        Part::Data,
        "AWS::SecretsManager::Secret",
        &[
            (&["secretsmanager:GetRandomPassword"], ANYTHING),
            (
                &[
                    "secretsmanager:CreateSecret",
                    "secretsmanager:DeleteSecret",
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:TagResource",
                    "secretsmanager:UntagResource",
                    "secretsmanager:UpdateSecret",
                ],
                SECRETS,
            ),
        ],
    ),
    of(
        Part::Code,
        "AWS::WAFv2::WebACLAssociation",
        &[
            (&["wafv2:AssociateWebACL", "wafv2:GetWebACL", "wafv2:GetWebACLForResource"], WEB_ACL),
            (
                &[
                    "apigateway:SetWebACL",
                    "wafv2:AssociateWebACL",
                    "wafv2:DisassociateWebACL",
                    "wafv2:GetWebACLForResource",
                ],
                API_STAGES,
            ),
        ],
    ),
];

/// The actions that `CloudFormation` needs for a type; `None` for an unknown type.
pub fn rights(kind: &str) -> Option<BTreeSet<&'static str>> {
    let found = TABLE.iter().find(|of_type| of_type.kind == kind)?;
    Some(found.rights.iter().flat_map(|(actions, _)| actions.iter().copied()).collect())
}

/// The services that roles are passed to.
const PASSED_TO: [&str; 2] = ["apigateway.amazonaws.com", "lambda.amazonaws.com"];
/// The IAM actions that support a condition on the permissions boundary:
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>
const BY_BOUNDARY: [&str; 4] =
    ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"];

pub(super) fn allowed(part: Part, scope: &Scope) -> Vec<Allowed> {
    let is_there = |of_type: &&OfType| of_type.part == part && scope.of_type(of_type.kind).next().is_some();
    let mut by_resource: BTreeMap<(&str, Condition), BTreeSet<&'static str>> = BTreeMap::new();
    let boundary = scope.property("AWS::IAM::Role", "PermissionsBoundary");
    for (actions, resource) in TABLE.iter().filter(is_there).flat_map(|of_type| of_type.rights) {
        for action in *actions {
            let condition = match *action {
                "iam:PassRole" => Condition::Passed,
                // A boundary doesn't limit anybody who may remove it.
                "iam:DeleteRolePermissionsBoundary" if boundary.is_some() => continue,
                action if boundary.is_some() && BY_BOUNDARY.contains(&action) => Condition::Bounded,
                _ => Condition::Plain,
            };
            by_resource.entry((resource, condition)).or_default().insert(action);
        }
    }
    let statement = |(number, ((resource, condition), actions)): (usize, ((&str, Condition), _))| Allowed {
        sid: format!("{part:?}{}", number + 1),
        actions,
        resources: resources(resource, scope),
        condition: condition.written(boundary),
    };
    by_resource.into_iter().enumerate().map(statement).collect()
}

/// A condition in addition to the one that `CloudFormation` makes the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Condition {
    Plain,
    Bounded,
    Passed,
}

impl Condition {
    fn written(self, boundary: Option<&str>) -> Value {
        let mut written = json!({ "ForAnyValue:StringEquals": { "aws:CalledVia": "cloudformation.amazonaws.com" } });
        match self {
            Self::Plain => {}
            Self::Bounded => written["StringEquals"] = json!({ "iam:PermissionsBoundary": boundary }),
            Self::Passed => written["StringEquals"] = json!({ "iam:PassedToService": PASSED_TO }),
        }
        written
    }
}

fn resources(pattern: &str, scope: &Scope) -> Vec<String> {
    match pattern {
        BUCKETS => scope.buckets(),
        LOG_GROUPS => scope.log_groups(),
        SECRETS => {
            let secrets = scope.of_type("AWS::SecretsManager::Secret").map(|(id, _)| id);
            let arn = |id| format!("arn:${{Partition}}:secretsmanager:${{Region}}:${{Account}}:secret:{id}-*");
            secrets.map(|id| scope.arn(&arn(id))).collect()
        }
        WEB_ACL => {
            scope.property("AWS::WAFv2::WebACLAssociation", "WebACLArn").map(str::to_owned).into_iter().collect()
        }
        pattern => vec![scope.arn(pattern)],
    }
}
