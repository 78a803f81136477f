//! The local account's services as tests and the demo use them. CloudFormation, S3 and SQS come
//! from the SDK; of the log and function services a single call each is needed, and their SDKs
//! would cost every clean build more than the request that is signed here.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::{Value, json};

/// The account owner's key, as MiniStack knows it.
pub const ACCESS_KEY: &str = "test";
/// The secret to [`ACCESS_KEY`]: the account holds nothing.
pub const SECRET_KEY: &str = "test";
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

    /// Every line that functions wrote as JSON to their logs, oldest first within a function.
    ///
    /// # Errors
    /// When the log service refuses.
    pub async fn log_lines(&self) -> Result<Vec<Value>> {
        let groups = self.logs("DescribeLogGroups", json!({})).await?;
        let mut lines = Vec::new();
        for group in groups["logGroups"].as_array().into_iter().flatten() {
            let events =
                self.logs("FilterLogEvents", json!({ "logGroupName": group["logGroupName"], "limit": 10_000 })).await?;
            for event in events["events"].as_array().into_iter().flatten() {
                let message = event["message"].as_str().unwrap_or_default();
                lines.extend(message.lines().filter_map(|line| serde_json::from_str::<Value>(line.trim()).ok()));
            }
        }
        Ok(lines)
    }

    /// Calls a function and waits for its answer, which is an error of its own when it failed.
    ///
    /// # Errors
    /// When the function service refuses.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value> {
        self.request("lambda", &format!("/2015-03-31/functions/{function}/invocations"), None, event).await
    }

    async fn logs(&self, action: &str, body: Value) -> Result<Value> {
        self.request("logs", "/", Some(&format!("Logs_20140328.{action}")), &body).await
    }

    async fn request(&self, service: &str, path: &str, target: Option<&str>, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.endpoint);
        let body = serde_json::to_vec(body)?;
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
        let signable = SignableRequest::new("POST", &url, headers.iter().copied(), SignableBody::Bytes(&body))?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let (signed, _) = instructions.into_parts();

        let mut request = self.http.post(&url).timeout(Duration::from_secs(120));
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

fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "local cloud")
}
