//! Names of AWS resources as types, validated on construction, so that a bucket name can't be
//! mistaken for a queue URL. This crate depends on none of ours: both the CloudFormation model and
//! the functions build on it.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Serialize};

/// The text is not a valid name of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct NameError {
    text: String,
    expected: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(NameError { text, expected: $expected }) }
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a general-purpose S3 bucket, by
    /// [S3's rules](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
    BucketName,
    "a bucket's name (3 to 63 lower-case letters, digits, dots and hyphens)",
    |text| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
        let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        (3..=63).contains(&text.len())
            && text.bytes().all(inner)
            && edge(text.bytes().next())
            && edge(text.bytes().last())
            && !text.contains("..")
    }
);

name!(
    /// The URL of an SQS queue, which the API takes as its name.
    QueueUrl,
    "a queue's URL",
    |text| (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(char::is_whitespace)
);

name!(
    /// What Secrets Manager's `SecretId` takes: a secret's ARN or its name.
    SecretId,
    "a secret's ARN or name (1 to 2048 characters without white space)",
    |text| (1..=2048).contains(&text.len()) && !text.contains(char::is_whitespace)
);

name!(
    /// What KMS's `KeyId` accepts: a key ID, a key ARN, or an alias.
    KeyId,
    "a KMS key's ID, ARN or alias (1 to 2048 characters without white space)",
    |text| (1..=2048).contains(&text.len()) && !text.contains(char::is_whitespace)
);

/// The [Amazon Resource Name](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html)
/// of an `R`.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "String", into = "String", bound = "")]
pub struct Arn<R> {
    text: String,
    of: PhantomData<fn() -> R>,
}

impl<R> Arn<R> {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<R> TryFrom<String> for Arn<R> {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        if text.starts_with("arn:") && text.splitn(6, ':').count() == 6 {
            Ok(Self { text, of: PhantomData })
        } else {
            Err(NameError { text, expected: "an ARN (arn:partition:service:region:account:resource)" })
        }
    }
}

impl<R> FromStr for Arn<R> {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::try_from(text.to_owned())
    }
}

impl<R> From<Arn<R>> for String {
    fn from(arn: Arn<R>) -> String {
        arn.text
    }
}

impl<R> Clone for Arn<R> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), of: PhantomData }
    }
}

impl<R> fmt::Debug for Arn<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Arn").field(&self.text).finish()
    }
}

impl<R> fmt::Display for Arn<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_follow_s3_rules() {
        for name in ["abc", "git2s3-output-1", "a.b-c"] {
            assert!(name.parse::<BucketName>().is_ok(), "{name}");
        }
        for name in ["ab", "-abc", "abc-", "Abc", "a..b", "a_b", "", &"a".repeat(64)] {
            assert!(name.parse::<BucketName>().is_err(), "{name}");
        }
    }

    #[test]
    fn an_arn_has_six_parts() {
        assert!("arn:aws:s3:::bucket".parse::<Arn<()>>().is_ok());
        assert_eq!(
            "arn:aws:s3".parse::<Arn<()>>().unwrap_err().to_string(),
            "\"arn:aws:s3\" is not an ARN (arn:partition:service:region:account:resource)"
        );
    }

    #[test]
    fn names_are_checked_during_deserialization() {
        assert!(serde_json::from_str::<BucketName>("\"../x\"").is_err());
        assert!(serde_json::from_str::<QueueUrl>("\"https://sqs.eu-west-1.amazonaws.com/1/q\"").is_ok());
        assert!(serde_json::from_str::<SecretId>("\"\"").is_err());
        assert!(serde_json::from_str::<KeyId>("\"a b\"").is_err());
    }
}
