//! The
//! [role](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html)
//! that `CloudFormation` assumes for a stack: with one, the caller needs no rights on the stack's
//! resources.

use std::str::FromStr;

/// The ARN of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRole(String);

/// A text that isn't the ARN of a role.
#[derive(Debug, thiserror::Error)]
#[error("{0} isn't the ARN of a role: expected one such as arn:aws:iam::123456789012:role/deployments")]
pub struct NotARole(String);

impl FromStr for ServiceRole {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let is_role = matches!(parts[..], ["arn", partition, "iam", "", account, resource]
            if ["aws", "aws-cn", "aws-us-gov"].contains(&partition)
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && resource.strip_prefix("role/").is_some_and(is_path_and_name));
        if is_role { Ok(Self(text.to_owned())) } else { Err(NotARole(text.to_owned())) }
    }
}

/// Whether it is an IAM name, with an optional path.
fn is_path_and_name(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or_default();
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_of_name) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl ServiceRole {
    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.0
    }

    /// The same as requests to AWS need it.
    pub(super) fn arn_of(role: Option<&Self>) -> Option<String> {
        role.map(|role| role.0.clone())
    }

    /// The ID of its account: `CloudFormation` accepts only a role of the stack's account.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }
}

/// The role that `CloudFormation` will assume: a stack remembers the role that it was given, and
/// uses it for every later caller. `None` if it uses the caller's rights.
pub fn acting(given: Option<&ServiceRole>, remembered: Option<&str>) -> Option<String> {
    match (given.map(ServiceRole::arn), remembered) {
        (None, None) => None,
        (None, Some(role)) => Some(format!("CloudFormation acts as {role}, which the stack remembers")),
        (Some(role), Some(other)) if role == other => Some(format!("CloudFormation acts as {role}, as before")),
        (Some(role), Some(other)) => {
            Some(format!("CloudFormation acts as {role} from now on, and not as {other} any more"))
        }
        (Some(role), None) => {
            Some(format!("CloudFormation acts as {role}, which the stack remembers: also for who doesn't name it"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_role_arn_is_accepted() {
        for arn in ["arn:aws:iam::123456789012:role/cfn", "arn:aws-cn:iam::123456789012:role/teams/platform/c.f_n@x"] {
            assert_eq!(arn.parse::<ServiceRole>().unwrap().account(), "123456789012");
        }
        for other in [
            "",
            "cfn",
            "arn:aws:iam::123456789012:user/cfn",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::1234:role/cfn",
            "arn:aws:iam::123456789012:role/two words",
            "arn:aws:sts::123456789012:assumed-role/cfn/session",
            "arn:other:iam::123456789012:role/cfn",
        ] {
            assert!(other.parse::<ServiceRole>().is_err(), "{other}");
        }
    }

    #[test]
    fn acting_role_is_determined() {
        let role: ServiceRole = "arn:aws:iam::123456789012:role/new".parse().unwrap();
        let old = "arn:aws:iam::123456789012:role/old";
        assert_eq!(acting(None, None), None);
        for (given, remembered, words) in [
            (None, Some(old), "old, which the stack remembers"),
            (Some(&role), None, "new, which the stack remembers"),
            (Some(&role), Some(old), "not as arn:aws:iam::123456789012:role/old any more"),
            (Some(&role), Some(role.arn()), "as before"),
        ] {
            let said = acting(given, remembered).unwrap();
            assert!(said.contains(words), "{said}");
        }
    }
}
