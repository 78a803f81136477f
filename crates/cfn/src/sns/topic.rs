//! [`AWS::SNS::Topic`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html).

use aws_names::{Arn, KeyId};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Handle, Resource, Value, kms::Key};

/// A topic whose messages are encrypted with the stack's own key. Publishers need rights on the key
/// as well; AWS services can be given rights on it, but not on the account's SNS key.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Topic {
    topic_name: Value<String>,
    kms_master_key_id: Value<KeyId>,
}

impl Topic {
    /// The topic of this name.
    pub fn encrypted(name: Value<String>, key: &Handle<Key>) -> Self {
        Self { topic_name: name, kms_master_key_id: key.id_of_key() }
    }
}

impl Resource for Topic {
    const TYPE: &'static str = "AWS::SNS::Topic";
}

impl Handle<Topic> {
    /// The topic's ARN.
    pub fn arn(&self) -> Value<Arn<Topic>> {
        self.reference()
    }
}
