//! Which characters, and how many, the services behind CloudFormation accept in names and
//! descriptions. They report a wrong one only while the resource is being created, so a template is
//! checked before it is deployed.
//!
//! The source of each is the operation that creates the resource, as
//! [botocore](https://github.com/boto/botocore) describes it: by patterns and lengths, or in its
//! documentation. `infra/tests/texts.rs` compares the table with them.

use serde_json::Value as Json;

/// A text of a resource, and what it may contain.
#[derive(Debug)]
pub struct Text {
    /// The type of the resource.
    pub kind: &'static str,
    /// The path of properties to the text; a list means each of its entries.
    pub path: &'static [&'static str],
    /// The allowed characters.
    pub characters: Characters,
    /// The maximum number of characters.
    pub longest: usize,
    /// The source: service, operation and member, as botocore names them.
    pub source: [&'static str; 3],
}

/// Which characters a text may have.
#[derive(Debug)]
pub enum Characters {
    /// Any.
    Any,
    /// Those for which the function returns true; the text is AWS's description.
    These(fn(char) -> bool, &'static str),
}

use Characters::{Any, These};

const EC2: Characters = These(ec2, "a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*");
const IAM_NAME: Characters = These(iam_name, r"[\w+=,.@-]+");
const METRIC: Characters = These(|character| !":*$".contains(character), "[^:*$]*");

const fn text(
    kind: &'static str,
    path: &'static [&'static str],
    characters: Characters,
    longest: usize,
    source: [&'static str; 3],
) -> Text {
    Text { kind, path, characters, longest, source }
}

/// Every limited text of the modelled types.
pub const TEXTS: &[Text] = &[
    text(
        "AWS::ApiGateway::Stage",
        &["StageName"],
        These(word, "can only contain alphanumeric characters, hyphens, and underscores"),
        128,
        ["apigateway", "CreateStage", "stageName"],
    ),
    // The first of a certificate's names is its common name.
    text("AWS::CertificateManager::Certificate", &["DomainName"], Any, 64, ["acm", "RequestCertificate", "DomainName"]),
    text(
        "AWS::CloudWatch::Alarm",
        &["AlarmName"],
        These(|character| !character.is_ascii_control(), "can't contain ASCII control characters"),
        255,
        ["cloudwatch", "PutMetricAlarm", "AlarmName"],
    ),
    text(
        "AWS::CloudWatch::Alarm",
        &["AlarmDescription"],
        Any,
        1_024,
        ["cloudwatch", "PutMetricAlarm", "AlarmDescription"],
    ),
    text("AWS::EC2::SecurityGroup", &["GroupDescription"], EC2, 255, ["ec2", "CreateSecurityGroup", "Description"]),
    text("AWS::EC2::SecurityGroup", &["GroupName"], EC2, 255, ["ec2", "CreateSecurityGroup", "GroupName"]),
    text("AWS::EC2::SecurityGroup", &["SecurityGroupEgress", "Description"], EC2, 255, EGRESS),
    text("AWS::EC2::SecurityGroup", &["SecurityGroupIngress", "Description"], EC2, 255, EGRESS),
    text(
        "AWS::IAM::Role",
        &["Description"],
        These(
            |character| matches!(character, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}'),
            r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*",
        ),
        1_000,
        ["iam", "CreateRole", "Description"],
    ),
    text("AWS::IAM::Role", &["RoleName"], IAM_NAME, 64, ["iam", "CreateRole", "RoleName"]),
    text("AWS::IAM::Role", &["Policies", "PolicyName"], IAM_NAME, 128, ["iam", "PutRolePolicy", "PolicyName"]),
    text("AWS::IAM::Policy", &["PolicyName"], IAM_NAME, 128, ["iam", "PutRolePolicy", "PolicyName"]),
    text(
        "AWS::KMS::Alias",
        &["AliasName"],
        These(|character| word(character) || ":/".contains(character), "^[a-zA-Z0-9:/_-]+$"),
        256,
        ["kms", "CreateAlias", "AliasName"],
    ),
    text("AWS::KMS::Key", &["Description"], Any, 8_192, ["kms", "CreateKey", "Description"]),
    text(
        "AWS::Lambda::Function",
        &["FunctionName"],
        These(word, "([a-zA-Z0-9-_]+)"),
        64,
        ["lambda", "CreateFunction", "FunctionName"],
    ),
    text("AWS::Lambda::Function", &["Description"], Any, 256, ["lambda", "CreateFunction", "Description"]),
    text(
        "AWS::Logs::LogGroup",
        &["LogGroupName"],
        These(|character| word(character) || "./#".contains(character), r"[\.\-_/#A-Za-z0-9]+"),
        512,
        ["logs", "CreateLogGroup", "logGroupName"],
    ),
    text(
        "AWS::Logs::MetricFilter",
        &["FilterName"],
        These(|character| !":*".contains(character), "[^:*]*"),
        512,
        ["logs", "PutMetricFilter", "filterName"],
    ),
    text(
        "AWS::Logs::MetricFilter",
        &["MetricTransformations", "MetricName"],
        METRIC,
        255,
        ["logs", "PutMetricFilter", "metricTransformations.metricName"],
    ),
    text(
        "AWS::Logs::MetricFilter",
        &["MetricTransformations", "MetricNamespace"],
        METRIC,
        255,
        ["logs", "PutMetricFilter", "metricTransformations.metricNamespace"],
    ),
    text(
        "AWS::SecretsManager::Secret",
        &["Description"],
        Any,
        2_048,
        ["secretsmanager", "CreateSecret", "Description"],
    ),
    text(
        "AWS::SNS::Topic",
        &["TopicName"],
        These(word, "only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens"),
        256,
        ["sns", "CreateTopic", "Name"],
    ),
    text(
        "AWS::SQS::Queue",
        &["QueueName"],
        // A FIFO queue's name ends in `.fifo`.
        These(
            |character| word(character) || character == '.',
            "alphanumeric characters, hyphens (-), and underscores (_)",
        ),
        80,
        ["sqs", "CreateQueue", "QueueName"],
    ),
];

const EGRESS: [&str; 3] = ["ec2", "AuthorizeSecurityGroupEgress", "IpPermissions.IpRanges.Description"];

fn ec2(character: char) -> bool {
    character.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(character)
}

fn word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_".contains(character)
}

fn iam_name(character: char) -> bool {
    word(character) || "+=,.@".contains(character)
}

/// The texts that a resource of a type may have.
pub(crate) fn of(kind: &str) -> impl Iterator<Item = &'static Text> {
    TEXTS.iter().filter(move |text| text.kind == kind)
}

/// The values at a path below `at`.
pub(crate) fn values<'a>(at: &'a Json, path: &[&str]) -> Vec<&'a Json> {
    match (at, path) {
        (Json::Array(entries), _) => entries.iter().flat_map(|entry| values(entry, path)).collect(),
        (found, []) => vec![found],
        (Json::Object(object), [first, rest @ ..]) => object.get(*first).map_or(Vec::new(), |next| values(next, rest)),
        _ => Vec::new(),
    }
}

/// A character that a service refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}'s {property} has the character {character:?}; allowed are {allowed}")]
pub struct Refused {
    /// The resource's logical ID.
    pub name: String,
    /// The property.
    pub property: String,
    /// The first such character.
    pub character: char,
    /// What is allowed, as the source describes it.
    pub allowed: &'static str,
}

/// Every text of `template` with a character that its service refuses. Values that only a
/// deployment knows aren't checked, so everything reported is certainly wrong.
pub fn refused(template: &Json) -> Vec<Refused> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources.flat_map(|(name, resource)| of_resource(name, resource)).collect()
}

fn of_resource(name: &str, resource: &Json) -> Vec<Refused> {
    let refused = |text: &Text| {
        let These(takes, allowed) = text.characters else { return None };
        let literals = values(&resource["Properties"], text.path).into_iter().filter_map(Json::as_str);
        let character = literals.flat_map(str::chars).find(|character| !takes(*character))?;
        Some(Refused { name: name.to_owned(), property: text.path.join("/"), character, allowed })
    };
    of(resource["Type"].as_str().unwrap_or_default()).filter_map(refused).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(kind: &str, properties: &Json) -> Vec<String> {
        let template = json!({ "Resources": { "It": { "Type": kind, "Properties": properties } } });
        refused(&template).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ec2_description_refuses_apostrophe() {
        let rules = json!({ "GroupDescription": "git2s3 worker", "SecurityGroupEgress": [
            { "Description": "Git hosts: 22; others (443)" }, { "Description": "AWS's endpoints" },
        ] });
        let expected = "It's SecurityGroupEgress/Description has the character '\\''; allowed are a-z, A-Z, 0-9, spaces, and \
                        ._-:/()#,@[]+=&;{}!$*";
        assert_eq!(told("AWS::EC2::SecurityGroup", &rules), [expected]);
    }

    #[test]
    fn each_text_follows_its_service_rules() {
        for (kind, properties, expected) in [
            ("AWS::IAM::Role", json!({ "Description": "gives \u{2014} more" }), 1),
            ("AWS::IAM::Role", json!({ "Description": "gives, more; don't ask" }), 0),
            ("AWS::IAM::Role", json!({ "Policies": [{ "PolicyName": "a b" }, { "PolicyName": "ok" }] }), 1),
            ("AWS::SQS::Queue", json!({ "QueueName": "jobs.fifo" }), 0),
            ("AWS::SQS::Queue", json!({ "QueueName": "jobs/a" }), 1),
            ("AWS::Logs::LogGroup", json!({ "LogGroupName": "/git2s3/a" }), 0),
            ("AWS::Logs::MetricFilter", json!({ "MetricTransformations": [{ "MetricName": "a:b" }] }), 1),
            ("AWS::CloudWatch::Alarm", json!({ "AlarmName": "a\u{7}b" }), 1),
            ("AWS::SNS::Topic", json!({ "TopicName": { "Ref": "x y" } }), 0),
        ] {
            assert_eq!(told(kind, &properties).len(), expected, "{kind} {properties}");
        }
    }
}
