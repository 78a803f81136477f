//! Whether rights allow a request, as [IAM
//! decides](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html)
//! within one account: a deny wins, and without an allow it is denied. `tests/tests/rights`
//! compares this with two other engines.

use std::collections::{BTreeMap, BTreeSet};

use super::permissions::{Condition, Effect, Grant, matches};

/// A request as IAM sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// The principal, as in [`Grant::who`].
    pub who: String,
    /// The action.
    pub action: String,
    /// The resource, not a pattern.
    pub resource: String,
    /// The condition keys of the request.
    pub context: BTreeMap<String, String>,
}

/// Whether these rights allow a request. They have to be resolved: an unresolved reference in a
/// right is compared as text. A permissions boundary is ignored, since its policy is in no
/// template.
pub fn permits(rights: &BTreeSet<Grant>, request: &Request) -> bool {
    let applies = |effect| rights.iter().any(|right| right.effect == effect && right.is_about(request));
    applies(Effect::Allow) && !applies(Effect::Deny)
}

impl Grant {
    fn is_about(&self, request: &Request) -> bool {
        (self.who == request.who || self.who == "*")
            && matches(&self.action.to_ascii_lowercase(), &request.action.to_ascii_lowercase())
            && matches(&self.resource, &request.resource)
            && self.conditions.iter().all(|condition| condition.holds(request, self.effect))
    }
}

impl Condition {
    /// An unknown operator holds for a deny, but not for an allow.
    fn holds(&self, request: &Request, effect: Effect) -> bool {
        // The template's conditions aren't known here, so every branch counts.
        let actual = request.context.get(&self.key);
        match self.operator.as_str() {
            "Fn::If" => true,
            "StringEquals" => actual.is_some_and(|actual| self.values.contains(actual)),
            "Bool" => actual.is_some_and(|actual| self.values.iter().any(|value| value.eq_ignore_ascii_case(actual))),
            _ => effect == Effect::Deny,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::diff::grants;

    fn rights(statements: &Value) -> BTreeSet<Grant> {
        let policy = json!({ "PolicyName": "P", "PolicyDocument": { "Statement": statements } });
        grants(&json!({ "Resources": { "R": { "Type": "AWS::IAM::Role", "Properties": { "Policies": [policy] } } } }))
    }

    fn check(statements: &Value, action: &str, resource: &str, context: &[(&str, &str)], expected: bool) {
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let [who, action, resource] = ["R", action, resource].map(str::to_owned);
        let request = Request { who, action, resource, context };
        assert_eq!(permits(&rights(statements), &request), expected, "{request:?} by {statements}");
    }

    #[test]
    fn request_needs_allow_and_no_deny() {
        let get = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/a/*" });
        check(&json!([get]), "s3:GetObject", "arn:aws:s3:::b/a/x", &[], true);
        check(&json!([get]), "S3:getobject", "arn:aws:s3:::b/a/x", &[], true);
        check(&json!([get]), "s3:GetObjectVersion", "arn:aws:s3:::b/a/x", &[], false);
        check(&json!([get]), "s3:GetObject", "arn:aws:s3:::b/A/x", &[], false);
        check(&json!([get]), "s3:GetObject", "arn:aws:s3:::other/a/x", &[], false);
        let deny = json!({ "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/a/secret" });
        check(&json!([get, deny]), "s3:GetObject", "arn:aws:s3:::b/a/secret", &[], false);
        check(&json!([get, deny]), "s3:GetObject", "arn:aws:s3:::b/a/x", &[], true);
    }

    #[test]
    fn every_condition_has_to_hold() {
        let condition =
            json!({ "StringEquals": { "kms:EncryptionContext:a": "1", "kms:EncryptionContext:b": ["2", "3"] } });
        let decrypt = json!([{ "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "k", "Condition": condition }]);
        let (a, b) = ("kms:EncryptionContext:a", "kms:EncryptionContext:b");
        check(&decrypt, "kms:Decrypt", "k", &[(a, "1"), (b, "3")], true);
        check(&decrypt, "kms:Decrypt", "k", &[(a, "1"), (b, "1")], false);
        check(&decrypt, "kms:Decrypt", "k", &[(a, "1")], false);
        check(&decrypt, "kms:Decrypt", "k", &[], false);
    }

    #[test]
    fn unknown_condition_never_grants_access() {
        let with = |effect: &str| json!({ "Effect": effect, "Action": "s3:GetObject", "Resource": "b", "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } });
        check(&json!([with("Allow")]), "s3:GetObject", "b", &[("aws:SourceIp", "10.0.0.1")], false);
        let all = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" });
        check(&json!([all, with("Deny")]), "s3:GetObject", "b", &[], false);
    }
}
