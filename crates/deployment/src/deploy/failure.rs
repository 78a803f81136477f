//! What failed in a deployment, and what to do about it.

use std::fmt;

use crate::call_error;

/// A resource that could not be made, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The resource's logical ID in the template, or the stack's name.
    pub logical_id: String,
    /// The resource's type.
    pub resource_type: String,
    /// CloudFormation's message.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) failed: {}", self.logical_id, self.resource_type, self.reason)
    }
}

impl Failure {
    /// What to do about it, if known.
    pub(crate) fn hint(&self) -> Option<String> {
        let reason = self.reason.as_str();
        if let Some(action) = call_error::missing_right(reason) {
            return Some(format!("grant {action} to the credentials that deploy, or deploy with others (AWS_PROFILE)"));
        }
        if self.resource_type == "AWS::S3::Bucket" && reason.contains("already") {
            return Some(
                "bucket names are shared by all accounts: choose another OutputBucketName, or none, and one is generated; \
                 `--import-bucket` takes one of yours into a new stack"
                    .to_owned(),
            );
        }
        let limit = ["LimitExceeded", "limit exceeded", "quota"].iter().any(|word| reason.contains(word));
        limit.then(|| "the account has a quota for this: see Service Quotas in the console".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_to_do() {
        let hint = |kind: &str, reason: &str| {
            let failure =
                Failure { logical_id: "X".to_owned(), resource_type: kind.to_owned(), reason: reason.to_owned() };
            failure.hint().unwrap_or_default()
        };
        let denied =
            "User: arn:aws:iam::1:user/x is not authorized to perform: sqs:CreateQueue on resource: arn:aws:sqs:x";
        assert!(hint("AWS::SQS::Queue", denied).starts_with("grant sqs:CreateQueue"));
        assert!(hint("AWS::S3::Bucket", "zips already exists").contains("OutputBucketName"));
        assert!(hint("AWS::IAM::Role", "Cannot exceed quota for RolesPerAccount: 1000").contains("Service Quotas"));
        assert_eq!(hint("AWS::SQS::Queue", "queue already exists"), "");
    }
}
