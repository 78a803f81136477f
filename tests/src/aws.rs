//! The local account's services as tests and the demo use them. CloudFormation, S3 and SQS come
//! from the SDK; of the log and function services a single call each is needed, and their SDKs
//! would cost every clean build more than the request that is signed here.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_cloudformation::types::StackResource;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// The account owner's key, as MiniStack knows it.
pub const ACCESS_KEY: &str = "test";
/// The secret to [`ACCESS_KEY`], of AWS's length and alphabet: the account holds nothing, but where a secret key turns up this
/// one can be told from other words.
pub const SECRET_KEY: &str = "local/cloud+owner/secret+key/0123456789A";
/// The region that the account lives in.
pub const REGION: &str = "us-east-1";

/// The owner's view of a local account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Base URL of every service.
    pub endpoint: String,
    /// For what builds its own clients: the code of `infra deploy`.
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
    /// The account behind `endpoint`; nothing is sent yet.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub async fn new(endpoint: &str) -> Result<Self> {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::from_static(REGION))
            .credentials_provider(credentials())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .load()
            .await;
        Ok(Self {
            endpoint: endpoint.to_owned(),
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            s3: aws_sdk_s3::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            http: crate::webhook::http_client()?,
            config,
        })
    }

    /// Whether the emulator answers yet.
    pub async fn is_ready(&self) -> bool {
        let url = format!("{}/_ministack/health", self.endpoint);
        let answer = self.http.get(url).timeout(Duration::from_secs(2)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// What a stack consists of.
    ///
    /// # Errors
    /// When there is no such stack.
    pub async fn resources(&self, stack: &str) -> Result<Resources> {
        let found = self.cloudformation.describe_stack_resources().stack_name(stack).send().await;
        let found = found.with_context(|| format!("ask for the resources of stack {stack}"))?;
        let of = |resource: &StackResource| {
            [resource.logical_resource_id(), resource.resource_type(), resource.physical_resource_id()]
                .map(|text| text.unwrap_or_default().to_owned())
        };
        Ok(Resources(found.stack_resources().iter().map(of).collect()))
    }

    /// How many messages wait in a queue or are being worked on.
    ///
    /// # Errors
    /// When there is no such queue.
    pub async fn messages(&self, queue_url: &str) -> Result<u64> {
        let all = self.sqs.get_queue_attributes().queue_url(queue_url).attribute_names(QueueAttributeName::All);
        let all = all
            .send()
            .await
            .with_context(|| format!("ask for the length of {queue_url}"))?
            .attributes
            .unwrap_or_default();
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        Ok(counts.iter().filter_map(|name| all.get(name)).filter_map(|count| count.parse::<u64>().ok()).sum())
    }

    /// Every version and delete marker in a bucket: key and version.
    ///
    /// # Errors
    /// When there is no such bucket.
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

    /// Every line that functions wrote as JSON to their logs, oldest first within a function.
    ///
    /// # Errors
    /// When the log service refuses.
    pub async fn log_lines(&self) -> Result<Vec<Value>> {
        let messages = self.log_messages().await?;
        let lines = messages.iter().flat_map(|message| message.lines());
        Ok(lines.filter_map(|line| serde_json::from_str::<Value>(line.trim()).ok()).collect())
    }

    /// Everything that is in the logs, as it was written.
    ///
    /// # Errors
    /// When the log service refuses.
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

    /// Calls a function and waits for its answer, which is an error of its own when it failed.
    ///
    /// # Errors
    /// When the function service refuses.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value> {
        self.request("lambda", &format!("/2015-03-31/functions/{function}/invocations"), None, Some(event)).await
    }

    /// How a function is configured, its environment included.
    ///
    /// # Errors
    /// When there is no such function.
    pub async fn function(&self, function: &str) -> Result<Value> {
        self.request("lambda", &format!("/2015-03-31/functions/{function}/configuration"), None, None).await
    }

    /// What is in a secret.
    ///
    /// # Errors
    /// When there is no such secret.
    pub async fn secret(&self, id: &str) -> Result<String> {
        let target = Some("secretsmanager.GetSecretValue");
        let answer = self.request("secretsmanager", "/", target, Some(&json!({ "SecretId": id }))).await?;
        answer["SecretString"].as_str().map(str::to_owned).context("the secret isn't text")
    }

    /// What KMS makes of a ciphertext under an encryption context.
    ///
    /// # Errors
    /// When KMS refuses, as it does under another context.
    pub async fn decrypt(&self, ciphertext: &[u8], context: &Value) -> Result<Vec<u8>> {
        let body = json!({ "CiphertextBlob": STANDARD.encode(ciphertext), "EncryptionContext": context });
        let answer = self.request("kms", "/", Some("TrentService.Decrypt"), Some(&body)).await?;
        STANDARD.decode(answer["Plaintext"].as_str().unwrap_or_default()).context("read what KMS decrypted")
    }

    async fn logs(&self, action: &str, body: Value) -> Result<Value> {
        self.request("logs", "/", Some(&format!("Logs_20140328.{action}")), Some(&body)).await
    }

    /// A signed call: a POST of `body`, or a GET without one.
    async fn request(&self, service: &str, path: &str, target: Option<&str>, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}{path}", self.endpoint);
        let method = if body.is_some() { http::Method::POST } else { http::Method::GET };
        let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let mut headers = vec![("content-type", "application/x-amz-json-1.1")];
        headers.extend(target.map(|target| ("x-amz-target", target)));

        let identity = credentials().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let signable =
            SignableRequest::new(method.as_str(), &url, headers.iter().copied(), SignableBody::Bytes(&body))?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let (signed, _) = instructions.into_parts();

        let mut request = self.http.request(method, &url).timeout(Duration::from_mins(2));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for header in &signed {
            request = request.header(header.name(), header.value());
        }
        let answer = request.body(body).send().await.with_context(|| format!("call {service}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{service} answered {status}: {text}");
        if text.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_str(&text).with_context(|| format!("read the answer of {service}"))
        }
    }
}

/// What a stack consists of: logical id, type, physical id of each resource.
#[derive(Clone, Debug)]
pub struct Resources(Vec<[String; 3]>);

impl Resources {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Physical ids of all resources of a type.
    pub fn of_type(&self, kind: &str) -> Vec<String> {
        self.0.iter().filter(|[_, of, _]| of == kind).map(|[_, _, id]| id.clone()).collect()
    }

    /// Physical id of the resource with a logical id.
    ///
    /// # Errors
    /// When the stack has no such resource.
    pub fn id(&self, logical: &str) -> Result<&str> {
        let found = self.0.iter().find(|[id, ..]| id == logical);
        found.map(|[_, _, id]| id.as_str()).with_context(|| format!("the stack has no resource {logical}"))
    }
}

fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "local cloud")
}
