//! A signed AWS request, for tests that need only a few calls of a service, or calls that no SDK
//! would send.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use serde_json::Value;

/// The account's region.
pub const REGION: &str = "us-east-1";

/// An unsigned request.
#[derive(Clone, Debug)]
pub struct Call {
    service: String,
    method: &'static str,
    /// Path and query.
    path: String,
    content_type: &'static str,
    target: Option<String>,
    body: Vec<u8>,
}

/// A service's response.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The service.
    pub service: String,
    /// HTTP status.
    pub status: u16,
    /// The body: JSON, XML or empty.
    pub body: String,
}

impl Call {
    /// A call of AWS's JSON protocol, such as `TrentService.Decrypt` of KMS.
    pub fn json(service: &str, target: &str, body: &Value) -> Self {
        let content_type = "application/x-amz-json-1.1";
        let body = body.to_string().into_bytes();
        let (service, target) = (service.to_owned(), Some(target.to_owned()));
        Self { service, method: "POST", path: "/".to_owned(), content_type, target, body }
    }

    /// A call of the query protocol, such as `PutRolePolicy` of IAM.
    pub fn query(service: &str, action: &str, parameters: &[(&str, &str)]) -> Self {
        let fields = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", version(service))
            .extend_pairs(parameters)
            .finish();
        let content_type = "application/x-www-form-urlencoded; charset=utf-8";
        let body = fields.into_bytes();
        Self { service: service.to_owned(), method: "POST", path: "/".to_owned(), content_type, target: None, body }
    }

    /// A REST call with method and path. A body of `null` is omitted.
    pub fn rest(service: &str, method: &'static str, path: &str, body: &Value) -> Self {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let (service, path) = (service.to_owned(), path.to_owned());
        Self { service, method, path, content_type: "application/json", target: None, body }
    }

    /// An S3 call with any body.
    pub fn s3(method: &'static str, path: &str, body: &str) -> Self {
        let (service, path, body) = ("s3".to_owned(), path.to_owned(), body.as_bytes().to_vec());
        Self { service, method, path, content_type: "application/octet-stream", target: None, body }
    }

    /// Signs and sends it.
    ///
    /// # Errors
    /// There is no response.
    pub async fn send(&self, http: &reqwest::Client, endpoint: &str, credentials: &Credentials) -> Result<Answer> {
        let url = format!("{endpoint}{}", self.path);
        let mut headers = vec![("content-type", self.content_type)];
        headers.extend(self.target.as_deref().map(|target| ("x-amz-target", target)));
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(&self.service)
            .time(SystemTime::now())
            .settings(settings)
            .build()?
            .into();
        let body = SignableBody::Bytes(&self.body);
        let signable = SignableRequest::new(self.method, &url, headers.iter().copied(), body)?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let (signed, _) = instructions.into_parts();

        let mut request = http.request(self.method.parse()?, &url).timeout(Duration::from_mins(2));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for header in &signed {
            request = request.header(header.name(), header.value());
        }
        let answer = request.body(self.body.clone()).send().await;
        let answer = answer.with_context(|| format!("call {}", self.service))?;
        let status = answer.status().as_u16();
        Ok(Answer { service: self.service.clone(), status, body: answer.text().await? })
    }
}

impl Answer {
    /// The body of a successful response.
    ///
    /// # Errors
    /// The call failed.
    pub fn text(self) -> Result<String> {
        let Self { service, status, body } = self;
        ensure!((200..300).contains(&status), "{service} answered {status}: {body}");
        Ok(body)
    }

    /// The JSON of a successful response. `null` if the body is empty.
    ///
    /// # Errors
    /// The call failed, or the body isn't JSON.
    pub fn json(self) -> Result<Value> {
        let service = self.service.clone();
        let text = self.text()?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("read the answer of {service}"))
    }
}

/// The version of a service's query protocol.
fn version(service: &str) -> &'static str {
    match service {
        "sts" => "2011-06-15",
        "ec2" => "2016-11-15",
        "cloudformation" => "2010-05-15",
        _ => "2010-05-08",
    }
}
