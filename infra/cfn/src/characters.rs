//! Which characters the services behind CloudFormation take in names and descriptions. They tell only when the resource is
//! being made, hence this: held against a template before anybody deploys it.
//!
//! Sources are the API references of the operations that make the resources, as
//! [botocore](https://github.com/boto/botocore) has them: patterns, and the sentences that begin with "Valid characters",
//! "Allowed characters" or "can contain".

use serde_json::Value as Json;

/// A text of a resource, and what it may hold.
struct Text {
    kind: &'static str,
    /// The properties that lead to it; a list stands for each of its entries.
    path: &'static [&'static str],
    takes: fn(char) -> bool,
    /// As the source says it.
    said: &'static str,
}

const EC2: &str = "a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$* (EC2, CreateSecurityGroup and IpRange)";
const IAM_NAME: &str = r"[\w+=,.@-] (IAM, CreateRole and PutRolePolicy)";
const METRIC: &str = "[^:*$] (CloudWatch Logs, MetricTransformation)";

/// Every text whose characters are limited, of the types that are modelled here.
const TEXTS: [Text; 16] = [
    Text { kind: "AWS::EC2::SecurityGroup", path: &["GroupDescription"], takes: ec2, said: EC2 },
    Text { kind: "AWS::EC2::SecurityGroup", path: &["SecurityGroupEgress", "Description"], takes: ec2, said: EC2 },
    Text { kind: "AWS::EC2::SecurityGroup", path: &["SecurityGroupIngress", "Description"], takes: ec2, said: EC2 },
    Text {
        kind: "AWS::IAM::Role",
        path: &["Description"],
        takes: |letter| matches!(letter, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}'),
        said: r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF] (IAM, CreateRole)",
    },
    Text { kind: "AWS::IAM::Role", path: &["RoleName"], takes: iam_name, said: IAM_NAME },
    Text { kind: "AWS::IAM::Role", path: &["Policies", "PolicyName"], takes: iam_name, said: IAM_NAME },
    Text { kind: "AWS::IAM::Policy", path: &["PolicyName"], takes: iam_name, said: IAM_NAME },
    Text {
        kind: "AWS::Lambda::Function",
        path: &["FunctionName"],
        takes: word,
        said: "[a-zA-Z0-9-_] (Lambda, CreateFunction)",
    },
    Text {
        kind: "AWS::SQS::Queue",
        path: &["QueueName"],
        // A FIFO queue's name ends in `.fifo`.
        takes: |letter| word(letter) || letter == '.',
        said: "alphanumeric characters, hyphens and underscores (SQS, CreateQueue)",
    },
    Text {
        kind: "AWS::Logs::LogGroup",
        path: &["LogGroupName"],
        takes: |letter| word(letter) || "./#".contains(letter),
        said: r"[\.\-_/#A-Za-z0-9] (CloudWatch Logs, CreateLogGroup)",
    },
    Text {
        kind: "AWS::Logs::MetricFilter",
        path: &["FilterName"],
        takes: |letter| !":*".contains(letter),
        said: "[^:*] (CloudWatch Logs, PutMetricFilter)",
    },
    Text {
        kind: "AWS::Logs::MetricFilter",
        path: &["MetricTransformations", "MetricName"],
        takes: metric,
        said: METRIC,
    },
    Text {
        kind: "AWS::Logs::MetricFilter",
        path: &["MetricTransformations", "MetricNamespace"],
        takes: metric,
        said: METRIC,
    },
    Text {
        kind: "AWS::CloudWatch::Alarm",
        path: &["AlarmName"],
        takes: |letter| !letter.is_control(),
        said: "no control characters (CloudWatch, PutMetricAlarm)",
    },
    Text {
        kind: "AWS::SNS::Topic",
        path: &["TopicName"],
        takes: word,
        said: "letters, numbers, underscores and hyphens (SNS, CreateTopic)",
    },
    Text {
        kind: "AWS::ApiGateway::Stage",
        path: &["StageName"],
        takes: word,
        said: "alphanumeric characters, hyphens and underscores (API Gateway, CreateStage)",
    },
];

fn ec2(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(letter)
}

fn word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_".contains(letter)
}

fn iam_name(letter: char) -> bool {
    word(letter) || "+=,.@".contains(letter)
}

fn metric(letter: char) -> bool {
    !":*$".contains(letter)
}

/// A character that a service refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}'s {property} has the character {character:?}; allowed are {allowed}")]
pub struct Refused {
    /// The resource's logical id.
    pub name: String,
    /// The property.
    pub property: String,
    /// The first such character.
    pub character: char,
    /// What is allowed, in the words of its source.
    pub allowed: &'static str,
}

/// Every text of `template` with a character that its service refuses. What only a deployment knows isn't looked at, so
/// whatever is told here certainly is wrong.
pub fn refused(template: &Json) -> Vec<Refused> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources.flat_map(|(name, resource)| of_resource(name, resource)).collect()
}

fn of_resource(name: &str, resource: &Json) -> Vec<Refused> {
    let texts = TEXTS.iter().filter(|text| resource["Type"] == text.kind);
    let refused = |text: &Text| {
        let found = literals(&resource["Properties"], text.path);
        let character = found.into_iter().flat_map(str::chars).find(|letter| !(text.takes)(*letter))?;
        Some(Refused { name: name.to_owned(), property: text.path.join("/"), character, allowed: text.said })
    };
    texts.filter_map(refused).collect()
}

/// The texts at a path that stand in the template as they are.
fn literals<'a>(at: &'a Json, path: &[&str]) -> Vec<&'a str> {
    match (at, path) {
        (Json::Array(entries), _) => entries.iter().flat_map(|entry| literals(entry, path)).collect(),
        (Json::String(text), []) => vec![text],
        (Json::Object(object), [first, rest @ ..]) => {
            object.get(*first).map_or(Vec::new(), |next| literals(next, rest))
        }
        _ => Vec::new(),
    }
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
    fn an_apostrophe_is_none_of_ec2s_characters() {
        let rules = json!({ "GroupDescription": "git2s3 worker", "SecurityGroupEgress": [
            { "Description": "Git hosts: 22; others (443)" }, { "Description": "AWS's endpoints" },
        ] });
        let expected = format!("It's SecurityGroupEgress/Description has the character '\\''; allowed are {EC2}");
        assert_eq!(told("AWS::EC2::SecurityGroup", &rules), [expected]);
    }

    #[test]
    fn each_text_takes_what_its_service_takes() {
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
