//! Quotas of CloudFormation and the services behind it that can't be raised. AWS reports an excess
//! only while a stack is being created, so a template is checked before it is deployed.
//!
//! Sources:
//! [CloudFormation](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html),
//! [IAM](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html),
//! [Lambda](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html), and the
//! registry's schemas for descriptions.

use serde_json::Value as Json;

use crate::{longest::Longest, texts};

/// The largest template that a request can hold, in bytes; a larger one has to be in S3.
pub const TEMPLATE_BYTES_INLINE: usize = 51_200;
/// The largest template, in bytes.
pub const TEMPLATE_BYTES: usize = 1_000_000;

/// All variables of a function, in bytes of their JSON object without white space. Lambda measures
/// that, as its error says ("Lambda was unable to configure your environment variables because the
/// environment variables you have provided exceeded the 4KB limit. String measured: {...}").
pub const ENVIRONMENT_BYTES: usize = 4_096;

/// Entries of a section, at most.
const ENTRIES: [(&str, usize); 4] = [("Resources", 500), ("Parameters", 200), ("Outputs", 200), ("Mappings", 200)];
/// The name of an entry of any section, in characters.
const NAME: usize = 255;
/// The template's own description, in bytes.
const DESCRIPTION: usize = 1_024;
/// Descriptions of a section's entries, in bytes.
const DESCRIPTIONS: [(&str, usize); 2] = [("Parameters", 4_000), ("Outputs", 1_024)];
/// A parameter's value, in bytes, and therefore its default.
const PARAMETER_VALUE: usize = 4_096;
/// Inline code in the template, in bytes.
const INLINE_CODE: usize = 4_096;
/// All inline policies of one role, in characters; IAM doesn't count white space.
const INLINE_POLICIES: usize = 10_240;
/// One managed policy, in characters.
const MANAGED_POLICY: usize = 6_144;
/// One trust policy, in characters.
const TRUST_POLICY: usize = 2_048;
/// A quota that is exceeded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} has {size} {unit}, at most {limit} are allowed", subject(name, what))]
pub struct Excess {
    /// The section, resource, parameter or output; empty for the template itself.
    pub name: String,
    /// Which part of it; empty for a whole section.
    pub what: &'static str,
    /// The size.
    pub size: usize,
    /// The unit of the size.
    pub unit: &'static str,
    /// The quota.
    pub limit: usize,
}

fn subject(name: &str, what: &str) -> String {
    match (name, what) {
        ("", what) => format!("the template's {what}"),
        (section, "") => section.to_owned(),
        (name, what) => format!("{name}'s {what}"),
    }
}

/// Every quota that `template`, a file of `bytes`, exceeds. In names and environments, values that
/// only a deployment knows count with their maximum length; elsewhere a reference counts as
/// nothing.
pub fn exceeded(template: &Json, bytes: usize) -> Vec<Excess> {
    let mut found = Found { template, excesses: Vec::new() };
    found.check("", "text", bytes, "bytes", TEMPLATE_BYTES);
    found.check("", "description", text(&template["Description"]), "bytes", DESCRIPTION);
    for (section, limit) in ENTRIES {
        let entries = template[section].as_object();
        found.check(section, "", entries.map_or(0, serde_json::Map::len), "entries", limit);
        for (name, entry) in entries.into_iter().flatten() {
            found.check(name, "name", name.len(), "characters", NAME);
            match section {
                "Resources" => found.resource(name, entry),
                _ => found.entry(section, name, entry),
            }
        }
    }
    found.excesses
}

struct Found<'a> {
    template: &'a Json,
    excesses: Vec<Excess>,
}

impl Found<'_> {
    fn check(&mut self, name: &str, what: &'static str, size: usize, unit: &'static str, limit: usize) {
        if size > limit {
            self.excesses.push(Excess { name: name.to_owned(), what, size, unit, limit });
        }
    }

    fn entry(&mut self, section: &str, name: &str, entry: &Json) {
        for (_, limit) in DESCRIPTIONS.iter().filter(|(of, _)| *of == section) {
            self.check(name, "description", text(&entry["Description"]), "bytes", *limit);
        }
        self.check(name, "default", text(&entry["Default"]), "bytes", PARAMETER_VALUE);
    }

    fn resource(&mut self, name: &str, resource: &Json) {
        let properties = &resource["Properties"];
        let kind = resource["Type"].as_str().unwrap_or_default();
        let measure = |text: &str| text.chars().count();
        let longest = Longest { template: self.template, measure, is_name: true };
        for text in texts::of(kind) {
            let what = text.path.last().copied().unwrap_or_default();
            for value in texts::values(properties, text.path) {
                self.check(name, what, longest.of(value), "characters", text.longest);
            }
        }
        match kind {
            "AWS::IAM::Role" => {
                let policies = properties["Policies"].as_array().into_iter().flatten();
                let size = policies.map(|policy| document(&policy["PolicyDocument"])).sum();
                self.check(name, "inline policies", size, "characters", INLINE_POLICIES);
                let size = document(&properties["AssumeRolePolicyDocument"]);
                self.check(name, "trust policy", size, "characters", TRUST_POLICY);
            }
            "AWS::IAM::ManagedPolicy" => {
                self.check(name, "policy", document(&properties["PolicyDocument"]), "characters", MANAGED_POLICY);
            }
            "AWS::Lambda::Function" => {
                self.check(name, "inline code", text(&properties["Code"]["ZipFile"]), "bytes", INLINE_CODE);
                let size = environment(self.template, &properties["Environment"]["Variables"]);
                self.check(name, "environment", size, "bytes", ENVIRONMENT_BYTES);
            }
            _ => {}
        }
    }
}

/// The maximum size of variables in bytes, as [`ENVIRONMENT_BYTES`] counts them. A parameter counts
/// as nothing; [evaluate](mod@crate::evaluate) the template to count it.
pub fn environment(template: &Json, variables: &Json) -> usize {
    let longest = Longest { template, measure: in_json, is_name: false };
    let of = |(name, value): (&String, &Json)| in_json(name) + longest.of(value) + "\"\":\"\",".len();
    let variables = variables.as_object().into_iter().flatten();
    // One comma too many, and two braces.
    variables.map(of).reduce(|sum, one| sum + one).map_or(0, |sum| sum + 1)
}

/// The length of a text in JSON, without the quotation marks around it: a line end counts as two.
fn in_json(text: &str) -> usize {
    Json::from(text).to_string().len() - 2
}

/// The length of a plain text, in bytes.
fn text(value: &Json) -> usize {
    value.as_str().map_or(0, str::len)
}

/// The length of a policy document, without white space outside strings.
fn document(value: &Json) -> usize {
    if value.is_null() { 0 } else { value.to_string().len() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn many(count: usize) -> Json {
        (0..count).map(|number| (format!("Entry{number}"), json!({}))).collect::<serde_json::Map<_, _>>().into()
    }

    fn resource(kind: &str, properties: &Json) -> Json {
        json!({ "Resources": { "It": { "Type": kind, "Properties": properties } } })
    }

    /// Makes a template from the size of one of its parts; with the quota of that part.
    type Case = (fn(usize) -> Json, usize, &'static str);

    #[test]
    fn each_quota_is_enforced_exactly() {
        let cases: [Case; 23] = [
            (
                |size| resource("AWS::SQS::Queue", &json!({ "QueueName": format!("{}.fifo", "x".repeat(size - 5)) })),
                80,
                "It's QueueName",
            ),
            (
                |size| resource("AWS::IAM::Role", &json!({ "RoleName": { "Fn::Sub": "x".repeat(size) } })),
                64,
                "It's RoleName",
            ),
            (
                |size| {
                    let name = format!("{}${{AWS::StackName}}", "x".repeat(size - 128));
                    resource("AWS::CloudWatch::Alarm", &json!({ "AlarmName": { "Fn::Sub": name } }))
                },
                255,
                "It's AlarmName",
            ),
            (
                |size| {
                    let rule = json!({ "Description": "x".repeat(size) });
                    resource("AWS::EC2::SecurityGroup", &json!({ "SecurityGroupEgress": [rule] }))
                },
                255,
                "It's Description",
            ),
            (|size| json!({ "Resources": many(size) }), 500, "Resources has 501 entries"),
            (|size| json!({ "Parameters": many(size) }), 200, "Parameters has 201 entries"),
            (|size| json!({ "Outputs": many(size) }), 200, "Outputs has 201 entries"),
            (|size| json!({ "Mappings": many(size) }), 200, "Mappings has 201 entries"),
            (|size| json!({ "Description": "x".repeat(size) }), 1_024, "the template's description"),
            (|size| json!({ "Parameters": { "x".repeat(size): {} } }), 255, "name"),
            (|size| json!({ "Parameters": { "It": { "Description": "x".repeat(size) } } }), 4_000, "It's description"),
            (|size| json!({ "Parameters": { "It": { "Default": "x".repeat(size) } } }), 4_096, "It's default"),
            (|size| json!({ "Outputs": { "It": { "Description": "x".repeat(size) } } }), 1_024, "It's description"),
            (
                |size| resource("AWS::Lambda::Function", &json!({ "Description": "x".repeat(size) })),
                256,
                "It's Description",
            ),
            (|size| resource("AWS::IAM::Role", &json!({ "Description": "x".repeat(size) })), 1_000, "It's Description"),
            (
                |size| resource("AWS::CloudWatch::Alarm", &json!({ "AlarmDescription": "x".repeat(size) })),
                1_024,
                "It's AlarmDescription",
            ),
            (|size| resource("AWS::KMS::Key", &json!({ "Description": "x".repeat(size) })), 8_192, "It's Description"),
            (
                |size| resource("AWS::EC2::SecurityGroup", &json!({ "GroupDescription": "x".repeat(size) })),
                255,
                "It's GroupDescription",
            ),
            (
                |size| resource("AWS::Lambda::Function", &json!({ "Code": { "ZipFile": "x".repeat(size) } })),
                4_096,
                "It's inline code",
            ),
            (
                |size| {
                    // {"A":"...","B":"\n...","C":"..."}, of which the last is a bucket's name
                    // of 63.
                    let rest = size - "{'A':'','B':'\\n','C':''}".len() - 100 - 63;
                    let line = format!("\n{}", "x".repeat(rest));
                    let variables = json!({ "A": "x".repeat(100), "B": line, "C": { "Ref": "Kept" } });
                    let mut template =
                        resource("AWS::Lambda::Function", &json!({ "Environment": { "Variables": variables } }));
                    template["Resources"]["Kept"] = json!({ "Type": "AWS::S3::Bucket" });
                    template
                },
                4_096,
                "It's environment",
            ),
            (
                |size| {
                    let half = |size: usize| json!({ "PolicyDocument": "x".repeat(size - 2) });
                    resource("AWS::IAM::Role", &json!({ "Policies": [half(5_000), half(size - 5_000)] }))
                },
                10_240,
                "It's inline policies",
            ),
            (
                |size| resource("AWS::IAM::Role", &json!({ "AssumeRolePolicyDocument": "x".repeat(size - 2) })),
                2_048,
                "It's trust policy",
            ),
            (
                |size| resource("AWS::IAM::ManagedPolicy", &json!({ "PolicyDocument": "x".repeat(size - 2) })),
                6_144,
                "It's policy",
            ),
        ];
        for (of, limit, subject) in cases {
            assert_eq!(exceeded(&of(limit), 0), [], "{subject}");
            let [excess] = &exceeded(&of(limit + 1), 0)[..] else { panic!("{subject}: not one") };
            assert!(excess.to_string().contains(subject), "{excess}");
        }
        assert_eq!(exceeded(&json!({}), TEMPLATE_BYTES), []);
        let told = exceeded(&json!({}), TEMPLATE_BYTES + 1)[0].to_string();
        assert_eq!(told, "the template's text has 1000001 bytes, at most 1000000 are allowed");
    }
}
