//! [`AWS::Lambda::Function`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html),
//! on the runtime for compiled binaries.

use aws_names::{Arn, BucketName};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{Handle, Resource, Value, iam::Role, logs::LogGroup};

/// The processor that a function runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Architecture {
    /// Graviton.
    #[serde(rename = "arm64")]
    Arm64,
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
}

/// The location of a function's zip.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Code {
    /// The bucket, in the function's region.
    #[serde(rename = "S3Bucket")]
    pub bucket: Value<BucketName>,
    /// The zip's key in it.
    #[serde(rename = "S3Key")]
    pub key: Value<String>,
}

/// The subnets and security groups that a function's network interfaces are in.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct VpcConfig {
    /// IDs of security groups.
    pub security_group_ids: Vec<Value<String>>,
    /// IDs of subnets.
    pub subnet_ids: Value<Vec<String>>,
}

/// A function on `provided.al2023`: a binary named `bootstrap`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Function {
    /// What the function does, for lists of functions.
    pub description: String,
    runtime: &'static str,
    handler: &'static str,
    architectures: [Architecture; 1],
    code: Code,
    role: Value<Arn<Role>>,
    /// Memory in MiB (128 to 10,240); CPU time grows with it, one full vCPU at 1,769.
    pub memory_size: u16,
    /// The timeout in seconds (1 to 900).
    pub timeout: u16,
    logging_config: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    ephemeral_storage: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_config: Option<Value<VpcConfig>>,
}

impl Function {
    /// A function with what every function needs: its code, its role, and the log group that the
    /// role may write to.
    pub fn new(code: Code, architecture: Architecture, role: &Handle<Role>, log_group: &Handle<LogGroup>) -> Self {
        Self {
            description: String::new(),
            runtime: "provided.al2023",
            handler: "bootstrap",
            architectures: [architecture],
            code,
            role: role.arn(),
            memory_size: 128,
            timeout: 10,
            logging_config: json!({ "LogGroup": log_group.name() }),
            ephemeral_storage: None,
            environment: None,
            vpc_config: None,
        }
    }

    /// Sets the environment: each field of the struct is a variable, by its serialized name.
    #[must_use]
    pub fn environment(mut self, variables: &impl Serialize) -> Self {
        self.environment = Some(json!({ "Variables": variables }));
        self
    }

    /// The size of `/tmp` in MiB (512 to 10,240).
    #[must_use]
    pub fn storage(mut self, mebibytes: u16) -> Self {
        self.ephemeral_storage = Some(json!({ "Size": mebibytes }));
        self
    }

    /// Runs the function in a VPC, or outside if the value is [`Value::none`].
    #[must_use]
    pub fn vpc(mut self, config: Value<VpcConfig>) -> Self {
        self.vpc_config = Some(config);
        self
    }
}

impl Resource for Function {
    const TYPE: &'static str = "AWS::Lambda::Function";
}

impl Handle<Function> {
    /// The function's name.
    pub fn name(&self) -> Value<String> {
        self.reference()
    }

    /// The function's ARN.
    pub fn arn(&self) -> Value<Arn<Function>> {
        self.attribute("Arn")
    }
}
