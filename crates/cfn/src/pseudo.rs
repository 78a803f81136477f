//! The [pseudo
//! parameters](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html).

use crate::{
    sub::{Part, sub},
    value::{Expression, Value},
};

fn pseudo(name: &str) -> Value<String> {
    Value::new(Expression::Ref(format!("AWS::{name}")))
}

/// The account ID, 12 digits.
pub fn account_id() -> Value<String> {
    pseudo("AccountId")
}

/// `aws`, `aws-cn` or `aws-us-gov`: the second part of every ARN.
pub fn partition() -> Value<String> {
    pseudo("Partition")
}

/// The region, such as `eu-west-1`.
pub fn region() -> Value<String> {
    pseudo("Region")
}

/// The stack's name.
pub fn stack_name() -> Value<String> {
    pseudo("StackName")
}

/// The UUID at the end of the stack's ARN, which differs even from that of a deleted stack with the
/// same name. For names without room for the stack's name, which may have 128 characters.
pub fn stack_uuid() -> Value<String> {
    pseudo("StackId").split("/").select(2)
}

/// The domain of AWS's endpoints in this partition, such as `amazonaws.com`.
pub fn url_suffix() -> Value<String> {
    pseudo("URLSuffix")
}

/// The ARN of a service's resource in this account and region.
pub fn arn<T>(service: &str, resource: impl IntoIterator<Item = Part>) -> Value<T> {
    let front: [Part; 7] = [
        "arn:".into(),
        partition().into(),
        format!(":{service}:").as_str().into(),
        region().into(),
        ":".into(),
        account_id().into(),
        ":".into(),
    ];
    sub(front.into_iter().chain(resource))
}
