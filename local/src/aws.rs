//! The local account's services for tests and the demo. CloudFormation, S3 and SQS use the SDK. The
//! others need only a few calls each, for which their SDKs would make clean builds much slower, so
//! they use [`Call`].

use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_cloudformation::types::StackResource;
use aws_sdk_sqs::types::QueueAttributeName;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::dead_letter::REASON;
use serde_json::{Value, json};

pub use crate::call::REGION;
use crate::call::{Answer, Call};

/// The account owner's key, as MiniStack expects it.
pub const ACCESS_KEY: &str = "test";
/// The secret of [`ACCESS_KEY`], with AWS's length and alphabet: the account contains nothing
/// valuable, but this value is recognisable wherever it appears.
pub const SECRET_KEY: &str = "local/cloud+owner/secret+key/0123456789A";

/// A local account, as its owner or an assumed role sees it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The base URL of all services.
    pub endpoint: String,
    credentials: Credentials,
    /// The SDK configuration, for code of `infra deploy` that creates its own clients.
    pub config: SdkConfig,
    /// Stacks.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// Buckets.
    pub s3: aws_sdk_s3::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    http: reqwest::Client,
}

impl Account {
    /// The account at `endpoint`. Sends nothing yet.
    ///
    /// # Errors
    /// The HTTP client can't be created.
    pub async fn new(endpoint: &str) -> Result<Self> {
        Self::seen_by(endpoint, Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "local cloud")).await
    }

    /// The account at `endpoint` with these credentials. Sends nothing yet.
    ///
    /// # Errors
    /// The HTTP client can't be created.
    pub async fn seen_by(endpoint: &str, credentials: Credentials) -> Result<Self> {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::from_static(REGION))
            .credentials_provider(credentials.clone())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .load()
            .await;
        Ok(Self {
            endpoint: endpoint.to_owned(),
            credentials,
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            s3: aws_sdk_s3::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            http: crate::webhook::http_client()?,
            config,
        })
    }

    /// Whether the emulator responds yet.
    pub async fn is_ready(&self) -> bool {
        let url = format!("{}/_ministack/health", self.endpoint);
        let answer = self.http.get(url).timeout(Duration::from_secs(2)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// The resources of a stack.
    ///
    /// # Errors
    /// There is no such stack.
    pub async fn resources(&self, stack: &str) -> Result<Resources> {
        let found = self.cloudformation.describe_stack_resources().stack_name(stack).send().await;
        let found = found.with_context(|| format!("list the resources of stack {stack}"))?;
        let of = |resource: &StackResource| {
            [resource.logical_resource_id(), resource.resource_type(), resource.physical_resource_id()]
                .map(|text| text.unwrap_or_default().to_owned())
        };
        Ok(Resources(found.stack_resources().iter().map(of).collect()))
    }

    /// The number of messages in a queue, including those in progress.
    ///
    /// # Errors
    /// There is no such queue.
    pub async fn messages(&self, queue_url: &str) -> Result<u64> {
        let all = self.sqs.get_queue_attributes().queue_url(queue_url).attribute_names(QueueAttributeName::All);
        let all =
            all.send().await.with_context(|| format!("get the length of {queue_url}"))?.attributes.unwrap_or_default();
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        Ok(counts.iter().filter_map(|name| all.get(name)).filter_map(|count| count.parse::<u64>().ok()).sum())
    }

    /// The messages of a queue without a consumer: body and reason. They stay in the queue.
    ///
    /// # Errors
    /// There is no such queue.
    pub async fn dead_letters(&self, queue_url: &str) -> Result<Vec<(Value, Option<String>)>> {
        let mut messages = Vec::new();
        loop {
            // A group's next message is delivered only when the previous ones are deleted or
            // visible again.
            let request =
                self.sqs.receive_message().queue_url(queue_url).max_number_of_messages(10).visibility_timeout(60);
            let received =
                request.message_attribute_names("All").send().await.context("read the dead-letter messages")?;
            let more = received.messages.unwrap_or_default();
            if more.is_empty() {
                break;
            }
            messages.extend(more);
        }
        let mut read = Vec::new();
        for message in messages {
            let attributes = message.message_attributes.unwrap_or_default();
            let reason = attributes.get(REASON).and_then(|value| value.string_value.clone());
            read.push((serde_json::from_str(message.body.as_deref().unwrap_or_default())?, reason));
            let shown = self.sqs.change_message_visibility().queue_url(queue_url).visibility_timeout(0);
            shown.set_receipt_handle(message.receipt_handle).send().await.context("release a dead-letter message")?;
        }
        Ok(read)
    }

    /// All versions and delete markers in a bucket: key and version.
    ///
    /// # Errors
    /// There is no such bucket.
    pub async fn versions(&self, bucket: &str) -> Result<Vec<(String, String)>> {
        let mut all = Vec::new();
        let (mut key, mut version) = (None, None);
        loop {
            let page = self.s3.list_object_versions().bucket(bucket).set_key_marker(key).set_version_id_marker(version);
            let page = page.send().await.with_context(|| format!("list the versions in {bucket}"))?;
            let versions = page.versions().iter().map(|object| (object.key(), object.version_id()));
            let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            all.extend(versions.chain(markers).map(|(key, version)| (text(key), text(version))));
            if page.is_truncated() != Some(true) {
                return Ok(all);
            }
            (key, version) = (page.next_key_marker, page.next_version_id_marker);
        }
    }

    /// All JSON log lines of functions, oldest first for each function.
    ///
    /// # Errors
    /// The log service refuses.
    pub async fn log_lines(&self) -> Result<Vec<Value>> {
        let messages = self.log_messages().await?;
        let lines = messages.iter().flat_map(|message| message.lines());
        Ok(lines.filter_map(|line| serde_json::from_str::<Value>(line.trim()).ok()).collect())
    }

    /// All logs, verbatim.
    ///
    /// # Errors
    /// The log service refuses.
    pub async fn log_messages(&self) -> Result<Vec<String>> {
        let groups = self.logs("DescribeLogGroups", json!({})).await?;
        let mut messages = Vec::new();
        for group in groups["logGroups"].as_array().into_iter().flatten() {
            let events =
                self.logs("FilterLogEvents", json!({ "logGroupName": group["logGroupName"], "limit": 10_000 })).await?;
            let events = events["events"].as_array().into_iter().flatten();
            messages.extend(events.filter_map(|event| event["message"].as_str().map(str::to_owned)));
        }
        Ok(messages)
    }

    /// Invokes a function and waits for its response, which may be an error of the function.
    ///
    /// # Errors
    /// The function service refuses.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        self.send(&Call::rest("lambda", "POST", &path, event)).await?.json()
    }

    /// Stops the delivery from queues to functions. The caller takes over.
    ///
    /// # Errors
    /// The function service refuses.
    pub async fn stop_event_sources(&self) -> Result<()> {
        const PATH: &str = "/2015-03-31/event-source-mappings/";
        let all = self.send(&Call::rest("lambda", "GET", PATH, &Value::Null)).await?.json()?;
        for mapping in all["EventSourceMappings"].as_array().context("list the event sources")? {
            let path = format!("{PATH}{}", mapping["UUID"].as_str().unwrap_or_default());
            self.send(&Call::rest("lambda", "PUT", &path, &json!({ "Enabled": false }))).await?.text()?;
        }
        Ok(())
    }

    /// Changes a function's timeout, in seconds.
    ///
    /// # Errors
    /// The function service refuses.
    pub async fn limit(&self, function: &str, seconds: u16) -> Result<()> {
        self.configure(function, &json!({ "Timeout": seconds })).await
    }

    /// Changes a variable of a function's environment. Returns the old value.
    ///
    /// # Errors
    /// The function service refuses, or the function has no such variable.
    pub async fn set_variable(&self, function: &str, name: &str, value: &str) -> Result<String> {
        let mut environment = self.function(function).await?["Environment"].take();
        let old = environment["Variables"][name].as_str().context("the function has no such variable")?.to_owned();
        environment["Variables"][name] = value.into();
        self.configure(function, &json!({ "Environment": environment })).await?;
        Ok(old)
    }

    /// Restarts a function: its memory is empty then, but not its disk.
    ///
    /// # Errors
    /// The function service refuses.
    pub async fn make_cold(&self, function: &str) -> Result<()> {
        // Any update does it, even without a change.
        self.configure(function, &json!({ "Handler": "bootstrap" })).await
    }

    async fn configure(&self, function: &str, change: &Value) -> Result<()> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        self.send(&Call::rest("lambda", "PUT", &path, change)).await?.text().map(drop)
    }

    /// Calls CloudWatch with JSON: the installed emulator doesn't support CBOR, the SDK's protocol.
    ///
    /// # Errors
    /// CloudWatch refuses.
    pub async fn cloudwatch(&self, action: &str, body: &Value) -> Result<Value> {
        self.send(&Call::json("monitoring", &format!("GraniteServiceVersion20100801.{action}"), body)).await?.json()
    }

    /// A function's configuration, including its environment.
    ///
    /// # Errors
    /// There is no such function.
    pub async fn function(&self, function: &str) -> Result<Value> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        self.send(&Call::rest("lambda", "GET", &path, &Value::Null)).await?.json()
    }

    /// The value of a secret.
    ///
    /// # Errors
    /// There is no such secret.
    pub async fn secret(&self, id: &str) -> Result<String> {
        let call = Call::json("secretsmanager", "secretsmanager.GetSecretValue", &json!({ "SecretId": id }));
        let answer = self.send(&call).await?.json()?;
        answer["SecretString"].as_str().map(str::to_owned).context("the secret isn't text")
    }

    /// Decrypts a ciphertext with an encryption context.
    ///
    /// # Errors
    /// KMS refuses, as it does with another context.
    pub async fn decrypt(&self, ciphertext: &[u8], context: &Value) -> Result<Vec<u8>> {
        let body = json!({ "CiphertextBlob": STANDARD.encode(ciphertext), "EncryptionContext": context });
        let answer = self.send(&Call::json("kms", "TrentService.Decrypt", &body)).await?.json()?;
        STANDARD.decode(answer["Plaintext"].as_str().unwrap_or_default()).context("decode KMS's plaintext")
    }

    /// Sends a call, and accepts any response.
    ///
    /// # Errors
    /// There is no response.
    pub async fn send(&self, call: &Call) -> Result<Answer> {
        call.send(&self.http, &self.endpoint, &self.credentials).await
    }

    async fn logs(&self, action: &str, body: Value) -> Result<Value> {
        self.send(&Call::json("logs", &format!("Logs_20140328.{action}"), &body)).await?.json()
    }
}

/// The resources of a stack: logical ID, type and physical ID of each.
#[derive(Clone, Debug)]
pub struct Resources(Vec<[String; 3]>);

impl Resources {
    /// The number of resources.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no resources.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The physical IDs of all resources of a type.
    pub fn of_type(&self, kind: &str) -> Vec<String> {
        self.0.iter().filter(|[_, of, _]| of == kind).map(|[_, _, id]| id.clone()).collect()
    }

    /// The physical ID of the resource with this logical ID.
    ///
    /// # Errors
    /// The stack has no such resource.
    pub fn id(&self, logical: &str) -> Result<&str> {
        let found = self.0.iter().find(|[id, ..]| id == logical);
        found.map(|[_, _, id]| id.as_str()).with_context(|| format!("the stack has no resource {logical}"))
    }
}
