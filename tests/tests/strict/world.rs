//! An account in which each test creates its own small stacks.

use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::{Capability, Stack, StackResource};
use local::aws::Account;
use local::call::Call;
use local::cloud::Cloud;
use local::process::Lifetime;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct World {
    // Must be dropped before its folder.
    pub(crate) cloud: Cloud,
    pub(crate) account: Account,
    _dir: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let cloud = Cloud::start(dir.path(), Lifetime::Tied).await.unwrap();
        Self { account: cloud.account.clone(), cloud, _dir: dir }
    }

    /// The final status of a creation.
    pub(crate) async fn create(&self, stack: &str, resources: &Value) -> String {
        let template = json!({ "Resources": resources }).to_string();
        let request = self.account.cloudformation.create_stack().stack_name(stack).template_body(template);
        request.capabilities(Capability::CapabilityNamedIam).send().await.unwrap();
        self.ended(stack).await
    }

    /// The final status of an update.
    pub(crate) async fn update(&self, stack: &str, resources: &Value) -> String {
        let template = json!({ "Resources": resources }).to_string();
        let request = self.account.cloudformation.update_stack().stack_name(stack).template_body(template);
        request.capabilities(Capability::CapabilityNamedIam).send().await.unwrap();
        self.ended(stack).await
    }

    /// The final status of a deletion.
    pub(crate) async fn delete(&self, stack: &str) -> String {
        let described = self.account.cloudformation.describe_stacks().stack_name(stack).send().await.unwrap();
        let id = described.stacks()[0].stack_id().unwrap().to_owned();
        self.account.cloudformation.delete_stack().stack_name(stack).send().await.unwrap();
        self.ended(&id).await
    }

    /// Creates a stack that AWS would refuse. Returns the reason for its resource.
    pub(crate) async fn refusal(&self, stack: &str, logical_id: &str, resources: &Value) -> String {
        assert_eq!(self.create(stack, resources).await, "ROLLBACK_COMPLETE", "{resources}");
        self.reason(stack, logical_id).await
    }

    /// The reason of a resource's last failure.
    pub(crate) async fn reason(&self, stack: &str, logical_id: &str) -> String {
        let events = self.account.cloudformation.describe_stack_events().stack_name(stack).send().await.unwrap();
        let mut failed = events.stack_events().iter().filter(|event| {
            event.logical_resource_id() == Some(logical_id)
                && event.resource_status().is_some_and(|status| status.as_str().ends_with("_FAILED"))
        });
        failed.next().and_then(|event| event.resource_status_reason()).unwrap_or_default().to_owned()
    }

    /// The resources of a stack by logical ID, with their status.
    pub(crate) async fn statuses(&self, stack: &str) -> Vec<(String, String)> {
        let found = self.account.cloudformation.describe_stack_resources().stack_name(stack).send().await.unwrap();
        let of = |resource: &StackResource| {
            let status = resource.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default();
            (resource.logical_resource_id().unwrap_or_default().to_owned(), status)
        };
        let mut statuses: Vec<_> = found.stack_resources().iter().map(of).collect();
        statuses.sort();
        statuses
    }

    /// The physical ID of a stack's resource.
    pub(crate) async fn id(&self, stack: &str, logical_id: &str) -> String {
        self.account.resources(stack).await.unwrap().id(logical_id).unwrap().to_owned()
    }

    /// The response of a function.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> String {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        self.account.send(&Call::rest("lambda", "POST", &path, event)).await.unwrap().body
    }

    /// A function that a test waits for by its log.
    pub(crate) async fn logged(&self, word: &str) {
        until(word, async || self.account.log_messages().await.unwrap().iter().any(|line| line.contains(word))).await;
    }

    /// Stores an object that a function may wait for.
    pub(crate) async fn put(&self, key: &str) {
        self.account.s3.put_object().bucket("out").key(key).send().await.unwrap();
    }

    /// The status of a stack once nothing is in progress.
    pub(crate) async fn ended(&self, stack: &str) -> String {
        ended(&self.account, stack, Duration::from_secs(30)).await.stack_status().unwrap().as_str().to_owned()
    }
}

/// Waits until nothing is in progress.
pub(crate) async fn ended(account: &Account, stack: &str, patience: Duration) -> Stack {
    let deadline = Instant::now() + patience;
    loop {
        let described = account.cloudformation.describe_stacks().stack_name(stack).send().await.unwrap();
        let stack = described.stacks.unwrap_or_default().remove(0);
        let status = stack.stack_status().unwrap().as_str();
        if !status.ends_with("_IN_PROGRESS") {
            return stack;
        }
        assert!(Instant::now() < deadline, "{:?} is still {status}", stack.stack_name());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A role for functions that may write logs, with these additional rights on all resources.
pub(crate) fn role(actions: &[&str]) -> Value {
    let logging = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
    let actions: Vec<&str> = logging.iter().chain(actions).copied().collect();
    let policy = json!({ "PolicyName": "rights", "PolicyDocument": document(&actions) });
    json!({ "Type": "AWS::IAM::Role", "Properties": {
        "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "lambda.amazonaws.com" },
        }] },
        "Policies": [policy],
    } })
}

/// A policy that allows something on all resources.
pub(crate) fn document(actions: &[&str]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] })
}

/// A function with the role `Role` and further properties.
pub(crate) fn function(code: &str, properties: &Value) -> Value {
    let mut all = json!({
        "Runtime": "python3.12", "Handler": "index.handler", "Timeout": 20, "Code": { "ZipFile": code },
        "Role": { "Fn::GetAtt": ["Role", "Arn"] },
    });
    for (name, value) in properties.as_object().unwrap() {
        all[name] = value.clone();
    }
    json!({ "Type": "AWS::Lambda::Function", "Properties": all })
}

/// A function that waits for an object in the bucket `out` and then stores another one there, or
/// reports why it can't.
pub(crate) const PUTS: &str = r#"
import botocore.session, os, time
def handler(event, context):
    s3 = botocore.session.get_session().create_client("s3", "us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    while event.get("after") and not s3.list_objects_v2(Bucket="out", Prefix=event["after"]).get("Contents"):
        time.sleep(0.05)
    try:
        s3.put_object(Bucket="out", Key=event["key"], Body=b"x")
    except Exception as error:
        return str(error)
    return "stored"
"#;
