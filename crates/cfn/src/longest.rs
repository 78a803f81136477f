//! The maximum length of texts that only a deployment knows in full, for the quotas on names and
//! environments.

use serde_json::Value as Json;

use crate::reference::placeholders;

/// The maximum length of a pseudo parameter, in characters.
///
/// Stack names:
/// [128](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html);
/// the longest existing region and partition, with room for one more word.
const PSEUDO: [(&str, usize); 6] = [
    ("AWS::StackName", 128),
    ("AWS::AccountId", 12),
    ("AWS::Region", 20),
    ("AWS::Partition", 12),
    ("AWS::URLSuffix", 18),
    // arn:{partition}:cloudformation:{region}:{account}:stack/{name}/{uuid}
    ("AWS::StackId", 12 + 20 + 12 + 128 + UUID + 32),
];
/// A UUID.
const UUID: usize = 36;
/// A queue's name.
const QUEUE_NAME: usize = 80;
/// The length of a resource's `Ref`, in characters.
const REFS: [(&str, usize); 5] = [
    ("AWS::ApiGateway::RestApi", 10),
    ("AWS::KMS::Key", UUID),
    ("AWS::S3::Bucket", 63),
    // https://sqs.{region}.{suffix}/{account}/{name}
    ("AWS::SQS::Queue", 12 + 20 + 1 + 18 + 1 + 12 + 1 + QUEUE_NAME),
    // arn:{partition}:secretsmanager:{region}:{account}:secret:{logical ID}-{12 characters}-{6
    // characters}
    ("AWS::SecretsManager::Secret", 12 + 20 + 12 + 64 + 20 + 29),
];
/// The length of other attributes: the longest ARN of the modelled types, or an object key that a
/// function chose.
const ATTRIBUTE: usize = 170;

/// How texts of a template are measured.
pub(crate) struct Longest<'a> {
    pub(crate) template: &'a Json,
    /// The length of a text that is known.
    pub(crate) measure: fn(&str) -> usize,
    /// Whether it is a name: then a parameter counts with its longest allowed value or its
    /// `MaxLength`, and as nothing without either. In an environment parameters count as nothing,
    /// since they share the room, and attributes as the longest ARN.
    pub(crate) is_name: bool,
}

impl Longest<'_> {
    /// The maximum length of `value` as a text.
    pub(crate) fn of(&self, value: &Json) -> usize {
        let Some((function, argument)) = value.as_object().and_then(|map| map.iter().next()) else {
            return value.as_str().map_or_else(|| value.to_string().len(), self.measure);
        };
        match (function.as_str(), argument) {
            ("Ref", Json::String(name)) => self.reference(name),
            ("Fn::Sub", Json::String(text)) => self.substitution(text, &Json::Null),
            ("Fn::Sub", Json::Array(parts)) => {
                let text = parts.first().and_then(Json::as_str).unwrap_or_default();
                self.substitution(text, parts.get(1).unwrap_or(&Json::Null))
            }
            ("Fn::If", Json::Array(parts)) => parts.iter().skip(1).map(|part| self.of(part)).max().unwrap_or_default(),
            // The last part of the stack's ARN.
            ("Fn::Select", parts) if parts.to_string().contains("AWS::StackId") => UUID,
            ("Fn::Select" | "Fn::Split", Json::Array(parts)) => parts.get(1).map_or(0, |part| self.of(part)),
            ("Fn::GetAtt", _) => self.attribute(),
            ("Fn::Base64", text) => self.of(text).div_ceil(3) * 4,
            _ => 0,
        }
    }

    fn attribute(&self) -> usize {
        if self.is_name { 0 } else { ATTRIBUTE }
    }

    fn substitution(&self, text: &str, variables: &Json) -> usize {
        let names: Vec<_> = placeholders(text).collect();
        let plain = names.iter().fold(text.to_owned(), |text, name| text.replacen(&format!("${{{name}}}"), "", 1));
        let put = names.into_iter().map(|name| match variables.get(name) {
            Some(variable) => self.of(variable),
            None if name.contains('.') => self.attribute(),
            None => self.reference(name),
        });
        (self.measure)(&plain) + put.sum::<usize>()
    }

    fn reference(&self, name: &str) -> usize {
        if name == "AWS::NoValue" {
            return 0;
        }
        if let Some((_, length)) = PSEUDO.iter().find(|(pseudo, _)| *pseudo == name) {
            return *length;
        }
        if let Some(parameter) = self.template["Parameters"].get(name) {
            let allowed = parameter["AllowedValues"].as_array().into_iter().flatten().filter_map(Json::as_str);
            let most = parameter["MaxLength"].as_u64().and_then(|length| usize::try_from(length).ok());
            let longest = allowed.map(self.measure).max().or(most);
            return longest.filter(|_| self.is_name).unwrap_or_default();
        }
        let kind = &self.template["Resources"][name]["Type"];
        REFS.iter().find(|(of, _)| kind == of).map_or_else(|| self.attribute(), |(_, length)| *length)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_reference_counts_at_its_longest() {
        let template = json!({
            "Parameters": { "Name": { "MaxLength": 40 }, "Switch": { "AllowedValues": ["on", "off"] }, "Any": {} },
            "Resources": { "Bucket": { "Type": "AWS::S3::Bucket" } },
        });
        let uuid = json!({ "Fn::Select": [2, { "Fn::Split": ["/", { "Ref": "AWS::StackId" }] }] });
        for (value, expected) in [
            (json!("plain"), 5),
            (json!({ "Ref": "Name" }), 40),
            (json!({ "Ref": "Switch" }), 3),
            (json!({ "Ref": "Any" }), 0),
            (json!({ "Ref": "Bucket" }), 63),
            (json!({ "Ref": "AWS::NoValue" }), 0),
            (json!({ "Fn::Sub": "a-${AWS::StackName}-${Switch}" }), 2 + 128 + 1 + 3),
            (json!({ "Fn::Sub": ["${Part}.fifo", { "Part": uuid }] }), 36 + 5),
            (json!({ "Fn::If": ["Is", "1", { "Ref": "Switch" }] }), 3),
            (json!({ "Fn::FindInMap": ["Names", "A", "B"] }), 0),
        ] {
            let longest = Longest { template: &template, measure: str::len, is_name: true };
            assert_eq!(longest.of(&value), expected, "{value}");
        }
    }
}
