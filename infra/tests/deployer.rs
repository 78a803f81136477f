//! Compares what `deployer-policy` allows CloudFormation with what each type's handlers need
//! according to the registry, and checks that each action exists and is limited to a resource if it
//! supports one. The data comes with cfn-lint.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what surprises a test fails it")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deployment::deploy::Parameters;
use deployment::stack;
use infra::deployer::{self, Part, Scope};
use serde_json::{Value, json};

/// The folder of the data in the package that `.ci/tools` installs.
fn data() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/py/lib");
    let mut versions = std::fs::read_dir(&tools).expect("cfn-lint is installed by .ci/tools");
    let found = versions.find_map(|version| {
        let data = version.ok()?.path().join("site-packages/cfnlint/data");
        data.is_dir().then_some(data)
    });
    found.expect("cfn-lint brings the schemas along")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What the handlers of a type need to create, read, update, tag and delete a resource, without
/// listing all of the account's.
fn handlers(types: &Value, kind: &str) -> BTreeSet<String> {
    let Some(hash) = types[kind].as_str() else { return BTreeSet::new() };
    let schema = read(&data().join("schemas/resources").join(format!("{hash}.json")));
    let of =
        |found: &Value| found.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let handlers = ["create", "read", "update", "delete"].map(|name| of(&schema["handlers"][name]["permissions"]));
    let mut all: Vec<Vec<String>> = handlers.into();
    all.push(of(&schema["tagging"]["permissions"]));
    all.into_iter().flatten().collect()
}

const PROPERTY: &str = "for a property that the template doesn't have";
const KIND: &str = "for another kind of what the type can be about";
const NONE: &str = "no action of IAM's, or one of another service than the type's";

/// Actions that handlers list and don't get, by type and prefix of the action, with the reason.
const NOT_NEEDED: &[(&str, &str, &str)] = &[
    ("AWS::ApiGateway::Method", "iam:PassRole", PROPERTY),
    ("AWS::ApiGateway::RestApi", "apigateway:UpdateRestApiPolicy", PROPERTY),
    ("AWS::ApiGateway::RestApi", "iam:PassRole", PROPERTY),
    ("AWS::ApiGateway::RestApi", "s3:GetObject", PROPERTY),
    ("AWS::CertificateManager::Certificate", "acm-pca:", PROPERTY),
    ("AWS::CertificateManager::Certificate", "route53:", PROPERTY),
    ("AWS::EC2::SecurityGroup", "ec2:AuthorizeSecurityGroupIngress", PROPERTY),
    ("AWS::EC2::SecurityGroup", "ec2:RevokeSecurityGroupIngress", PROPERTY),
    ("AWS::EC2::SecurityGroup", "ec2:UpdateSecurityGroupRuleDescriptionsIngress", PROPERTY),
    ("AWS::Events::Rule", "iam:PassRole", PROPERTY),
    ("AWS::IAM::Policy", "iam:DeleteGroupPolicy", KIND),
    ("AWS::IAM::Policy", "iam:DeleteUserPolicy", KIND),
    ("AWS::IAM::Policy", "iam:GetGroupPolicy", KIND),
    ("AWS::IAM::Policy", "iam:GetUserPolicy", KIND),
    ("AWS::IAM::Policy", "iam:PutGroupPolicy", KIND),
    ("AWS::IAM::Policy", "iam:PutUserPolicy", KIND),
    ("AWS::IAM::Role", "iam:AttachRolePolicy", PROPERTY),
    ("AWS::IAM::Role", "iam:DetachRolePolicy", PROPERTY),
    ("AWS::KMS::Key", "kms:DisableKey", PROPERTY),
    ("AWS::KMS::Key", "kms:EnableKey", PROPERTY),
    ("AWS::Lambda::EventSourceMapping", "kms:", PROPERTY),
    ("AWS::Lambda::Function", "elasticfilesystem:", PROPERTY),
    ("AWS::Lambda::Function", "kms:", PROPERTY),
    ("AWS::Lambda::Function", "lambda:AssociateRuntimeAlias", PROPERTY),
    ("AWS::Lambda::Function", "lambda:DeleteFunctionCodeSigningConfig", PROPERTY),
    ("AWS::Lambda::Function", "lambda:DeleteFunctionConcurrency", PROPERTY),
    ("AWS::Lambda::Function", "lambda:GetCodeSigningConfig", PROPERTY),
    ("AWS::Lambda::Function", "lambda:GetLayerVersion", PROPERTY),
    ("AWS::Lambda::Function", "lambda:PassCapacityProvider", PROPERTY),
    ("AWS::Lambda::Function", "lambda:PublishVersion", PROPERTY),
    ("AWS::Lambda::Function", "lambda:PutFunction", PROPERTY),
    ("AWS::Lambda::Function", "lambda:PutRuntimeManagementConfig", PROPERTY),
    ("AWS::Lambda::Function", "s3:GetObjectVersion", PROPERTY),
    ("AWS::Lambda::Function", "s3files:", PROPERTY),
    ("AWS::Logs::LogGroup", "firehose:", NONE),
    ("AWS::Logs::LogGroup", "logs:AssociateKmsKey", PROPERTY),
    ("AWS::Logs::LogGroup", "logs:CreateLogDelivery", PROPERTY),
    ("AWS::Logs::LogGroup", "logs:DeleteDataProtectionPolicy", PROPERTY),
    ("AWS::Logs::LogGroup", "logs:DeleteIndexPolicy", PROPERTY),
    ("AWS::Logs::LogGroup", "logs:DeleteResourcePolicy", PROPERTY),
    ("AWS::Logs::LogGroup", "logs:DisassociateKmsKey", PROPERTY),
    ("AWS::Logs::LogGroup", "logs:PutBearerTokenAuthentication", PROPERTY),
    ("AWS::Logs::LogGroup", "logs:PutDataProtectionPolicy", PROPERTY),
    ("AWS::Logs::LogGroup", "logs:PutIndexPolicy", PROPERTY),
    ("AWS::Logs::LogGroup", "logs:PutLogGroupDeletionProtection", PROPERTY),
    ("AWS::Logs::LogGroup", "logs:PutResourcePolicy", PROPERTY),
    ("AWS::Logs::LogGroup", "s3:REST.PUT.OBJECT", NONE),
    ("AWS::S3::Bucket", "iam:PassRole", PROPERTY),
    ("AWS::S3::Bucket", "s3:CreateBucketMetadataTableConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:DeleteBucketAnalyticsConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:DeleteBucketCors", PROPERTY),
    ("AWS::S3::Bucket", "s3:DeleteBucketEncryption", PROPERTY),
    ("AWS::S3::Bucket", "s3:DeleteBucketLifecycle", PROPERTY),
    ("AWS::S3::Bucket", "s3:DeleteBucketMetadataTableConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:DeleteBucketMetricsConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:DeleteBucketReplication", PROPERTY),
    ("AWS::S3::Bucket", "s3:DeleteBucketWebsite", PROPERTY),
    ("AWS::S3::Bucket", "s3:DeleteBucketTagging", NONE),
    ("AWS::S3::Bucket", "s3:DeleteObject", PROPERTY),
    ("AWS::S3::Bucket", "s3:GetBucketAcl", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutAccelerateConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutAnalyticsConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutBucketAbac", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutBucketAcl", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutBucketCORS", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutBucketLogging", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutBucketObjectLockConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutBucketReplication", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutBucketWebsite", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutIntelligentTieringConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutInventoryConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutMetricsConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutObjectAcl", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutObjectLockConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:PutReplicationConfiguration", PROPERTY),
    ("AWS::S3::Bucket", "s3:UpdateBucketMetadata", PROPERTY),
    ("AWS::S3::Bucket", "s3tables:", PROPERTY),
    ("AWS::SNS::Subscription", "iam:", PROPERTY),
    ("AWS::SNS::Topic", "iam:", PROPERTY),
    ("AWS::SNS::Topic", "sns:PutDataProtectionPolicy", PROPERTY),
    ("AWS::SNS::Topic", "sns:Subscribe", PROPERTY),
    ("AWS::SNS::Topic", "sns:Unsubscribe", PROPERTY),
    ("AWS::SecretsManager::Secret", "secretsmanager:RemoveRegionsFromReplication", PROPERTY),
    ("AWS::SecretsManager::Secret", "secretsmanager:ReplicateSecretToRegions", PROPERTY),
    ("AWS::WAFv2::WebACLAssociation", "amplify:", KIND),
    ("AWS::WAFv2::WebACLAssociation", "apprunner:", KIND),
    ("AWS::WAFv2::WebACLAssociation", "appsync:", KIND),
    ("AWS::WAFv2::WebACLAssociation", "bedrock-agentcore:", KIND),
    ("AWS::WAFv2::WebACLAssociation", "cognito-idp:", KIND),
    ("AWS::WAFv2::WebACLAssociation", "ec2:", KIND),
    ("AWS::WAFv2::WebACLAssociation", "elasticloadbalancing:", KIND),
    ("AWS::WAFv2::WebACLAssociation", "wafv2:GetPermissionPolicy", KIND),
    ("AWS::WAFv2::WebACLAssociation", "wafv2:PutPermissionPolicy", KIND),
];

/// Actions that no handler lists but are allowed, with the reason.
const ADDED: &[(&str, &str, &str)] = &[(
    "AWS::CloudFormation::CustomResource",
    "lambda:InvokeFunction",
    "CloudFormation calls the function with the rights it acts with",
)];

#[test]
fn handlers_get_what_the_registry_lists() {
    let types = read(&data().join("schemas/providers/us-east-1.json"));
    let template = stack::template(None).unwrap().into_value();
    let resources = template["Resources"].as_object().unwrap().values();
    let kinds: BTreeSet<&str> = resources.map(|resource| resource["Type"].as_str().unwrap()).collect();
    let (mut used, mut compared) = (BTreeSet::new(), 0);
    for kind in &kinds {
        let given = deployer::of_type(kind).unwrap_or_else(|| panic!("{kind} is made by nobody's rights"));
        let listed = handlers(&types, kind);
        for action in &listed {
            let excused = NOT_NEEDED.iter().find(|(of, action_of, _)| of == kind && action.starts_with(action_of));
            // `kms:EnableKey` is a prefix of `kms:EnableKeyRotation`, too: an allowed action needs
            // no exception.
            if !given.contains(action.as_str()) {
                let (_, beginning, _) = excused.unwrap_or_else(|| panic!("{kind} is denied {action}"));
                used.insert((*kind, *beginning));
            }
            compared += 1;
        }
        for action in given.iter().filter(|action| !listed.contains(**action)) {
            assert!(ADDED.iter().any(|(of, added, _)| of == kind && added == action), "{kind} needs no {action}");
        }
    }
    let all: BTreeSet<_> = NOT_NEEDED.iter().map(|(kind, beginning, _)| (*kind, *beginning)).collect();
    let idle: Vec<_> = all.difference(&used).collect();
    assert!(idle.is_empty(), "these excuse nothing: {idle:#?}");
    assert!(kinds.len() > 25 && compared > 250, "{} types, {compared} permissions", kinds.len());
}

/// Actions that are newer than cfn-lint's list, by page of the service authorization reference.
const YOUNGER: &[&str] = &[];

/// Actions that could be limited to a resource according to cfn-lint's list but aren't, with the
/// reason.
const UNLIMITED: &[(&str, &str)] = &[
    ("cloudformation:DescribeStackResources", NO_STACK),
    ("cloudformation:DescribeStacks", NO_STACK),
    ("cloudwatch:DescribeAlarms", ALL_ALARMS),
    ("sns:GetSubscriptionAttributes", SUBSCRIPTION),
    ("sns:SetSubscriptionAttributes", SUBSCRIPTION),
    ("sns:Unsubscribe", SUBSCRIPTION),
];
const NO_STACK: &str = "asked without the name of a stack: who has code in the bucket for code, who has a bucket";
const ALL_ALARMS: &str = "a search by prefix and state is a request for all alarms";
const SUBSCRIPTION: &str = "until lately it knew no resource; where that is still so, a limit would deny it";

#[test]
fn each_action_is_one_of_aws() {
    let services = read(&data().join("AdditionalSpecs/Policies.json"));
    let template = stack::template(None).unwrap();
    let parameters = Parameters::default()
        .with("CustomDomainName", "git.example.com")
        .with("VPCId", "vpc-1")
        .with("SubnetIds", "subnet-1")
        .with("AlarmEmail", "platform@example.com")
        .with("WebAclArn", "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/x/1");
    let role = "arn:aws:iam::123456789012:role/cloudformation".parse().unwrap();
    let [account, region, stack] = ["123456789012", "us-east-1", "git2s3"].map(str::to_owned);
    let scope = Scope::new(account, region, stack, Some(role), &template, &parameters).unwrap();
    let (mut count, mut unknown) = (0, BTreeSet::new());
    for part in Part::ALL {
        let policy = deployer::policy(part, &scope).unwrap();
        for statement in policy["Statement"].as_array().unwrap() {
            let is_star = statement["Resource"] == json!(["*"]);
            for action in statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()) {
                let (service, name) = action.split_once(':').unwrap();
                assert!(!name.contains('*'), "{action}");
                let known = services[service]["Actions"].get(name.to_lowercase());
                unknown.extend(known.is_none().then(|| action.to_owned()));
                let (has_resource, is_limited) =
                    (known.is_some_and(|known| known.get("Resources").is_some()), !is_star);
                let is_excused = UNLIMITED.iter().any(|(known, _)| *known == action);
                let is_right = if is_limited { has_resource } else { !has_resource || is_excused };
                assert!(is_right, "{action} on {}", statement["Resource"]);
                count += 1;
            }
        }
    }
    assert_eq!(unknown, YOUNGER.iter().map(|action| (*action).to_owned()).collect());
    assert!(count > 150, "{count}");
}
