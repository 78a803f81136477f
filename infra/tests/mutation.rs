//! Removes or falsifies every property of the synthesized template in turn. A rule of `policy/` has
//! to notice, or the property is in the list of those that protect nothing, with the reason.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what surprises a test fails it")]

use std::collections::{BTreeMap, BTreeSet};

use deployment::stack;
use infra::check::{Finding, Rule, Rules, check};
use serde_json::{Value, json};

/// A mutation of a value below a resource's `Properties`.
#[derive(Debug, Clone)]
enum Mutation {
    Removed(String),
    Changed(String, Value),
}

impl Mutation {
    fn pointer(&self) -> &str {
        match self {
            Self::Removed(pointer) | Self::Changed(pointer, _) => pointer,
        }
    }

    fn apply(&self, properties: &mut Value) {
        match self {
            Self::Changed(pointer, value) => *properties.pointer_mut(pointer).unwrap() = value.clone(),
            Self::Removed(pointer) => {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                let key = key.replace("~1", "/");
                match properties.pointer_mut(parent).unwrap() {
                    Value::Object(map) => drop(map.shift_remove(&key).unwrap()),
                    Value::Array(list) => drop(list.remove(key.parse().unwrap())),
                    _ => panic!("{pointer}"),
                }
            }
        }
    }
}

/// Removes each entry, and falsifies each scalar. An intrinsic function's argument is one value.
fn mutations(value: &Value, pointer: &str, found: &mut Vec<Mutation>) {
    let mut below = |key: &str, child: &Value| {
        let pointer = format!("{pointer}/{}", key.replace('/', "~1"));
        found.push(Mutation::Removed(pointer.clone()));
        mutations(child, &pointer, found);
    };
    match value {
        Value::Object(map) if map.keys().any(|key| key == "Ref" || key.starts_with("Fn::")) => {}
        Value::Object(map) => map.iter().for_each(|(key, child)| below(key, child)),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, child)| below(&index.to_string(), child)),
        Value::Bool(value) => found.push(Mutation::Changed(pointer.to_owned(), json!(!value))),
        Value::Number(_) => found.push(Mutation::Changed(pointer.to_owned(), json!(0))),
        Value::String(text) => found.push(Mutation::Changed(pointer.to_owned(), json!(format!("{text}x")))),
        Value::Null => {}
    }
}

/// A part of the template, and the rules that read it.
struct Part {
    rules: Rules,
    seen: Value,
}

impl Part {
    /// For the rules that look at resources one by one, and for those that relate them to others.
    fn of(id: &str, all: &Rules, template: &Value) -> Vec<Self> {
        let kind = template["Resources"][id]["Type"].as_str().unwrap();
        let scope = |rule: &Rule| rule.text.lines().find_map(|line| line.strip_prefix("# Scope: ")).unwrap().to_owned();
        let shows = |scope: &str, kind: &str| scope.split(", ").any(|part| part.split('.').next() == Some(kind));
        let each = |scope: &str| match scope.strip_prefix("each ") {
            Some(of) => of == "resource" || of.starts_with("with ") || shows(of, kind),
            None => false,
        };
        let related = |scope: &str| !scope.starts_with("each ") && shows(scope, kind);
        let rules = |concerned: &dyn Fn(&str) -> bool| {
            Rules::new(all.iter().filter(|rule| concerned(&scope(rule))).cloned()).ok()
        };
        let part = |rules: Rules, is_seen: &dyn Fn(&str, &str) -> bool| {
            let mut seen = template.clone();
            let resources = seen["Resources"].as_object_mut().unwrap();
            resources.retain(|id, resource| is_seen(id, resource["Type"].as_str().unwrap()));
            Self { rules, seen }
        };
        let each = rules(&each).map(|rules| {
            let alone = part(rules.clone(), &|other, _| other == id);
            // A dead-letter queue, for example, is one only beside its queue.
            if alone.findings(alone.seen.clone()).is_empty() { alone } else { part(rules, &|_, name| name == kind) }
        });
        let related = rules(&related).map(|rules| {
            let scopes: Vec<_> = rules.iter().map(scope).collect();
            part(rules, &|_, name| scopes.iter().any(|scope| shows(scope, name)))
        });
        each.into_iter().chain(related).collect()
    }

    fn notices(&self, mutation: &Mutation) -> bool {
        let mut spoilt = self.seen.clone();
        mutation.apply(&mut spoilt["Resources"]);
        !self.findings(spoilt).is_empty()
    }

    /// Without those about the order of resources, which are of the whole template.
    fn findings(&self, seen: Value) -> Vec<Finding> {
        let mut findings = check(&seen.into(), &self.rules).unwrap().findings;
        findings.retain(|finding| finding.rule != "cloudformation/order");
        findings
    }
}

const IDENTITY: &str =
    "says which thing is meant: a wrong or missing one fails the deployment, or names something else of this stack";
const PURPOSE: &str = "what the resource does, not what it protects: the end-to-end tests miss it";
const TEXT: &str = "for readers only";
const LIMIT: &str = "how much and how long: wrong ones cost time or money, and nothing leaks";
const REJECTED: &str = "the service refuses the policy without it";
const ADMINISTRATORS: &str = "what the account's administrators ask for: where they do, IAM refuses a role without it, and `stack` holds every role to it";
const NARROWER: &str = "a wrong or missing one allows less: the end-to-end tests miss it";

/// Properties that no rule checks, by type and place, with the reason: everything below included,
/// except for places after `=`.
const UNGUARDED: &[(&str, &str, &str)] = &[
    ("AWS::ApiGateway::Account", "CloudWatchRoleArn", IDENTITY),
    ("AWS::ApiGateway::Account", "DeletionPolicy", PURPOSE),
    ("AWS::ApiGateway::Account", "UpdateReplacePolicy", PURPOSE),
    ("AWS::ApiGateway::BasePathMapping", "DomainName", IDENTITY),
    ("AWS::ApiGateway::BasePathMapping", "RestApiId", IDENTITY),
    ("AWS::ApiGateway::BasePathMapping", "Stage", IDENTITY),
    ("AWS::ApiGateway::Deployment", "RestApiId", IDENTITY),
    ("AWS::ApiGateway::DomainName", "DomainName", IDENTITY),
    ("AWS::ApiGateway::DomainName", "EndpointConfiguration", PURPOSE),
    ("AWS::ApiGateway::DomainName", "RegionalCertificateArn", IDENTITY),
    ("AWS::ApiGateway::Method", "AuthorizationType", PURPOSE),
    ("AWS::ApiGateway::Method", "HttpMethod", PURPOSE),
    ("AWS::ApiGateway::Method", "Integration", PURPOSE),
    ("AWS::ApiGateway::Method", "RequestParameters", PURPOSE),
    ("AWS::ApiGateway::Method", "RequestValidatorId", IDENTITY),
    ("AWS::ApiGateway::Method", "ResourceId", IDENTITY),
    ("AWS::ApiGateway::Method", "RestApiId", IDENTITY),
    ("AWS::ApiGateway::RequestValidator", "Name", TEXT),
    ("AWS::ApiGateway::RequestValidator", "RestApiId", IDENTITY),
    ("AWS::ApiGateway::RequestValidator", "ValidateRequestBody", PURPOSE),
    ("AWS::ApiGateway::RequestValidator", "ValidateRequestParameters", PURPOSE),
    ("AWS::ApiGateway::Resource", "ParentId", IDENTITY),
    ("AWS::ApiGateway::Resource", "PathPart", PURPOSE),
    ("AWS::ApiGateway::Resource", "RestApiId", IDENTITY),
    ("AWS::ApiGateway::RestApi", "BinaryMediaTypes", PURPOSE),
    ("AWS::ApiGateway::RestApi", "Description", TEXT),
    ("AWS::ApiGateway::RestApi", "EndpointConfiguration", PURPOSE),
    ("AWS::ApiGateway::RestApi", "Name", TEXT),
    ("AWS::ApiGateway::Stage", "AccessLogSetting.Format", PURPOSE),
    ("AWS::ApiGateway::Stage", "DeploymentId", IDENTITY),
    ("AWS::ApiGateway::Stage", "MethodSettings.MetricsEnabled", PURPOSE),
    ("AWS::ApiGateway::Stage", "RestApiId", IDENTITY),
    ("AWS::ApiGateway::Stage", "StageName", IDENTITY),
    ("AWS::CertificateManager::Certificate", "DomainName", IDENTITY),
    ("AWS::CertificateManager::Certificate", "ValidationMethod", PURPOSE),
    ("AWS::CloudFormation::CustomResource", "Buckets", IDENTITY),
    ("AWS::CloudFormation::CustomResource", "KeyBucket", IDENTITY),
    ("AWS::CloudFormation::CustomResource", "KeyType", PURPOSE),
    ("AWS::CloudFormation::CustomResource", "KmsKey", IDENTITY),
    ("AWS::CloudFormation::CustomResource", "ServiceTimeout", LIMIT),
    ("AWS::CloudFormation::CustomResource", "ServiceToken", IDENTITY),
    ("AWS::CloudFormation::CustomResource", "StackName", IDENTITY),
    ("AWS::CloudWatch::Alarm", "AlarmActions", PURPOSE),
    ("AWS::CloudWatch::Alarm", "AlarmDescription", TEXT),
    ("AWS::CloudWatch::Alarm", "AlarmName", IDENTITY),
    ("AWS::CloudWatch::Alarm", "ComparisonOperator", PURPOSE),
    ("AWS::CloudWatch::Alarm", "Dimensions", IDENTITY),
    ("AWS::CloudWatch::Alarm", "EvaluationPeriods", LIMIT),
    ("AWS::CloudWatch::Alarm", "MetricName", PURPOSE),
    ("AWS::CloudWatch::Alarm", "Namespace", PURPOSE),
    ("AWS::CloudWatch::Alarm", "Period", LIMIT),
    ("AWS::CloudWatch::Alarm", "Statistic", PURPOSE),
    ("AWS::CloudWatch::Alarm", "Threshold", LIMIT),
    ("AWS::CloudWatch::Alarm", "TreatMissingData", PURPOSE),
    ("AWS::EC2::SecurityGroup", "GroupDescription", TEXT),
    // Removing a single egress rule; removing all of them is noticed.
    ("AWS::EC2::SecurityGroup", "=SecurityGroupEgress", NARROWER),
    ("AWS::EC2::SecurityGroup", "SecurityGroupEgress.CidrIp", NARROWER),
    ("AWS::EC2::SecurityGroup", "SecurityGroupEgress.Description", TEXT),
    ("AWS::EC2::SecurityGroup", "VpcId", IDENTITY),
    ("AWS::Events::Rule", "Description", TEXT),
    ("AWS::Events::Rule", "ScheduleExpression", PURPOSE),
    ("AWS::Events::Rule", "State", PURPOSE),
    ("AWS::Events::Rule", "Targets.Arn", IDENTITY),
    ("AWS::Events::Rule", "Targets.Id", IDENTITY),
    ("AWS::Events::Rule", "Targets.InputTransformer", PURPOSE),
    ("AWS::Events::Rule", "Targets.RetryPolicy.MaximumEventAgeInSeconds", LIMIT),
    ("AWS::IAM::Policy", "=PolicyDocument", REJECTED),
    ("AWS::IAM::Policy", "=PolicyDocument.Statement", NARROWER),
    ("AWS::IAM::Policy", "PolicyDocument.Statement.Action", NARROWER),
    ("AWS::IAM::Policy", "PolicyDocument.Statement.Resource", NARROWER),
    ("AWS::IAM::Policy", "PolicyDocument.Statement.Sid", TEXT),
    ("AWS::IAM::Policy", "PolicyDocument.Version", REJECTED),
    ("AWS::IAM::Policy", "PolicyName", TEXT),
    ("AWS::IAM::Policy", "Roles", IDENTITY),
    ("AWS::IAM::Role", "AssumeRolePolicyDocument", NARROWER),
    ("AWS::IAM::Role", "DeletionPolicy", PURPOSE),
    ("AWS::IAM::Role", "UpdateReplacePolicy", PURPOSE),
    ("AWS::IAM::Role", "Description", TEXT),
    ("AWS::IAM::Role", "Path", IDENTITY),
    ("AWS::IAM::Role", "PermissionsBoundary", ADMINISTRATORS),
    ("AWS::IAM::Role", "=Policies", NARROWER),
    ("AWS::IAM::Role", "=Policies.PolicyDocument", NARROWER),
    ("AWS::IAM::Role", "=Policies.PolicyDocument.Statement", NARROWER),
    ("AWS::IAM::Role", "Policies.PolicyDocument.Statement.Action", NARROWER),
    ("AWS::IAM::Role", "Policies.PolicyDocument.Statement.Resource", NARROWER),
    ("AWS::IAM::Role", "Policies.PolicyDocument.Statement.Sid", TEXT),
    ("AWS::IAM::Role", "Policies.PolicyDocument.Version", REJECTED),
    ("AWS::IAM::Role", "Policies.PolicyName", TEXT),
    ("AWS::KMS::Alias", "AliasName", IDENTITY),
    ("AWS::KMS::Alias", "TargetKeyId", IDENTITY),
    ("AWS::KMS::Key", "Description", TEXT),
    ("AWS::KMS::Key", "=KeyPolicy.Statement", NARROWER),
    ("AWS::KMS::Key", "KeyPolicy.Statement.Action", NARROWER),
    ("AWS::KMS::Key", "KeyPolicy.Statement.Principal.Service", NARROWER),
    ("AWS::KMS::Key", "KeyPolicy.Statement.Resource", REJECTED),
    ("AWS::KMS::Key", "KeyPolicy.Statement.Sid", TEXT),
    ("AWS::KMS::Key", "KeyPolicy.Version", REJECTED),
    ("AWS::KMS::Key", "PendingWindowInDays", LIMIT),
    ("AWS::Lambda::EventSourceMapping", "BatchSize", LIMIT),
    ("AWS::Lambda::EventSourceMapping", "FunctionName", IDENTITY),
    ("AWS::Lambda::EventSourceMapping", "FunctionResponseTypes", PURPOSE),
    ("AWS::Lambda::EventSourceMapping", "ScalingConfig", LIMIT),
    ("AWS::Lambda::Function", "Architectures", PURPOSE),
    ("AWS::Lambda::Function", "Code", IDENTITY),
    ("AWS::Lambda::Function", "Description", TEXT),
    ("AWS::Lambda::Function", "Environment", PURPOSE),
    ("AWS::Lambda::Function", "EphemeralStorage", LIMIT),
    ("AWS::Lambda::Function", "Handler", PURPOSE),
    ("AWS::Lambda::Function", "MemorySize", LIMIT),
    ("AWS::Lambda::Function", "Role", IDENTITY),
    ("AWS::Lambda::Function", "Timeout", LIMIT),
    ("AWS::Lambda::Function", "VpcConfig", PURPOSE),
    ("AWS::Lambda::Permission", "Action", NARROWER),
    ("AWS::Lambda::Permission", "FunctionName", IDENTITY),
    ("AWS::Lambda::Permission", "Principal", NARROWER),
    ("AWS::Logs::LogGroup", "LogGroupName", IDENTITY),
    ("AWS::Logs::MetricFilter", "FilterPattern", PURPOSE),
    ("AWS::Logs::MetricFilter", "LogGroupName", IDENTITY),
    ("AWS::Logs::MetricFilter", "MetricTransformations", IDENTITY),
    ("AWS::S3::Bucket", "BucketName", IDENTITY),
    ("AWS::S3::Bucket", "=LifecycleConfiguration.Rules", LIMIT),
    ("AWS::S3::Bucket", "LifecycleConfiguration.Rules.Id", TEXT),
    ("AWS::S3::Bucket", "NotificationConfiguration", PURPOSE),
    ("AWS::S3::BucketPolicy", "DeletionPolicy", PURPOSE),
    ("AWS::S3::BucketPolicy", "PolicyDocument.Statement.Sid", TEXT),
    ("AWS::S3::BucketPolicy", "PolicyDocument.Version", REJECTED),
    ("AWS::S3::BucketPolicy", "UpdateReplacePolicy", PURPOSE),
    ("AWS::SNS::Subscription", "Endpoint", IDENTITY),
    ("AWS::SNS::Subscription", "Protocol", PURPOSE),
    ("AWS::SNS::Subscription", "TopicArn", IDENTITY),
    ("AWS::SNS::Topic", "TopicName", IDENTITY),
    ("AWS::SNS::TopicPolicy", "=PolicyDocument.Statement", NARROWER),
    ("AWS::SNS::TopicPolicy", "PolicyDocument.Statement.Action", NARROWER),
    ("AWS::SNS::TopicPolicy", "PolicyDocument.Statement.Principal.Service", NARROWER),
    ("AWS::SNS::TopicPolicy", "PolicyDocument.Statement.Resource", REJECTED),
    ("AWS::SNS::TopicPolicy", "PolicyDocument.Statement.Sid", TEXT),
    ("AWS::SNS::TopicPolicy", "PolicyDocument.Version", REJECTED),
    ("AWS::SQS::Queue", "DeduplicationScope", PURPOSE),
    ("AWS::SQS::Queue", "FifoQueue", PURPOSE),
    ("AWS::SQS::Queue", "FifoThroughputLimit", LIMIT),
    ("AWS::SQS::Queue", "MessageRetentionPeriod", LIMIT),
    ("AWS::SQS::Queue", "QueueName", IDENTITY),
    ("AWS::SQS::Queue", "RedrivePolicy.maxReceiveCount", LIMIT),
    ("AWS::SQS::Queue", "VisibilityTimeout", LIMIT),
    ("AWS::SQS::QueuePolicy", "PolicyDocument.Statement.Resource", REJECTED),
    ("AWS::SQS::QueuePolicy", "PolicyDocument.Statement.Sid", TEXT),
    ("AWS::SQS::QueuePolicy", "PolicyDocument.Version", REJECTED),
    ("AWS::SecretsManager::Secret", "Description", TEXT),
    ("AWS::SecretsManager::Secret", "GenerateSecretString", PURPOSE),
    ("AWS::SecretsManager::Secret", "SecretString", PURPOSE),
    ("AWS::WAFv2::WebACLAssociation", "ResourceArn", IDENTITY),
    ("AWS::WAFv2::WebACLAssociation", "WebACLArn", IDENTITY),
];

fn is_listed(kind: &str, place: &str) -> bool {
    let covers = |prefix: &str| match prefix.strip_prefix('=') {
        Some(itself) => place == itself,
        None => place.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
    };
    UNGUARDED.iter().any(|(of, prefix, _)| *of == kind && covers(prefix))
}

/// Every mutation of a resource.
fn of_resource(id: &str, resource: &Value) -> Vec<Mutation> {
    let mut found = Vec::new();
    mutations(&resource["Properties"], &format!("/{id}/Properties"), &mut found);
    for attribute in ["DeletionPolicy", "UpdateReplacePolicy"].map(|name| format!("/{id}/{name}")) {
        let name = attribute.rsplit('/').next().unwrap();
        if resource.get(name).is_some() {
            found.extend([Mutation::Changed(attribute.clone(), json!("x")), Mutation::Removed(attribute)]);
        }
    }
    found
}

/// The place of a mutation in its resource, without the positions in lists.
fn place(mutation: &Mutation) -> String {
    let parts =
        mutation.pointer().split('/').skip(2).filter(|part| *part != "Properties" && part.parse::<u8>().is_err());
    parts.collect::<Vec<_>>().join(".")
}

#[test]
fn rules_notice_every_unlisted_mutation() {
    let rules = Rules::embedded().unwrap();
    let template = stack::template(None).unwrap().into_value();
    let (mut unnoticed, mut noticed, mut count) = (BTreeMap::new(), BTreeSet::new(), 0);
    for (id, resource) in template["Resources"].as_object().unwrap() {
        let kind = resource["Type"].as_str().unwrap();
        let parts = Part::of(id, &rules, &template);
        for part in &parts {
            assert_eq!(part.findings(part.seen.clone()), [], "{id}");
        }
        if parts.is_empty() {
            continue;
        }
        for mutation in of_resource(id, resource) {
            let place = place(&mutation);
            count += 1;
            if parts.iter().any(|part| part.notices(&mutation)) {
                noticed.insert((kind, place));
            } else if !is_listed(kind, &place) {
                unnoticed.insert((kind, place), mutation);
            }
        }
    }
    assert!(unnoticed.is_empty(), "of {count} mutations nobody notices {unnoticed:#?}");
    assert!(count > 1000 && noticed.len() > 60, "{count} mutations, {} places", noticed.len());
}
