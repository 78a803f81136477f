//! Parses one line of a log. Our functions write JSON. A crash of a function is reported only by
//! Lambda, as text or JSON by the function's log format. API Gateway writes its own JSON about each
//! request.

use aws_sdk_cloudwatchlogs::primitives::{DateTime, DateTimeFormat};
use serde::Serialize;
use serde_json::Value;

/// The level of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Success.
    Info,
    /// A warning.
    Warn,
    /// A failure.
    Error,
}

/// The kind of event in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A push was authenticated.
    Received,
    /// A worker began a try.
    Begun,
    /// A job was queued.
    Queued,
    /// There was nothing to fetch.
    Ignored,
    /// The request was refused.
    Refused,
    /// A reference was skipped.
    LeftOut,
    /// A zip was written.
    Stored,
    /// The zip existed already.
    Unchanged,
    /// A try failed and will be repeated.
    Failed,
    /// A job was given up.
    GaveUp,
    /// The endpoint answered: without calling the function, if it is a failure.
    Answered,
    /// A function crashed or timed out.
    Died,
    /// Another warning or error of a function.
    Error,
    /// Anything else.
    Other,
}

/// A parsed line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// When, in milliseconds since 1970.
    #[serde(skip)]
    pub millis: i64,
    /// Its source: a function, or `endpoint`.
    pub function: String,
    /// Its level.
    pub level: Level,
    /// Its kind.
    pub kind: Kind,
    /// The delivery of the Git host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// The repository, `host/owner/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The branch or tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The status of the answer, if it isn't a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The ID of the run that crashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// What happened, in plain words.
    pub text: String,
}

/// The log that contains a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of<'a> {
    /// The log of the function with this name.
    Function(&'a str),
    /// The endpoint's log.
    Endpoint,
}

impl Line {
    /// Parses a line that was logged at `millis`; `None` if it is of no interest, such as the start
    /// of a run.
    pub(super) fn read(of: Of<'_>, text: &str, millis: i64) -> Option<Self> {
        let text = text.trim();
        let json = serde_json::from_str(text).ok().filter(Value::is_object);
        match (of, json) {
            (Of::Endpoint, Some(json)) => answered(&json, millis),
            (Of::Endpoint, None) => None,
            (Of::Function(function), Some(json)) if json["type"].is_string() => platform(function, &json, millis),
            (Of::Function(function), Some(json)) => Some(told(function, &json, millis)),
            (Of::Function(function), None) => died(text).map(|death| death.line(function, millis)),
        }
    }

    fn new(function: &str, millis: i64, level: Level, kind: Kind, text: String) -> Self {
        Self {
            millis,
            function: function.to_owned(),
            level,
            kind,
            delivery: None,
            repository: None,
            reference: None,
            status: None,
            request: None,
            text,
        }
    }
}

/// Parses a line of our own.
fn told(function: &str, json: &Value, millis: i64) -> Line {
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    let level = match json["level"].as_str() {
        Some("ERROR") => Level::Error,
        Some("WARN") => Level::Warn,
        _ => Level::Info,
    };
    let message = json["message"].as_str().unwrap_or_default();
    let (kind, words) = said(json, level, message);
    // The functions' own timestamps are more exact than those of the log, which may receive lines
    // in batches.
    let time = json["timestamp"].as_str().and_then(|time| DateTime::from_str(time, DateTimeFormat::DateTime).ok());
    let millis = time.and_then(|time| time.to_millis().ok()).unwrap_or(millis);
    let status = json["status"].as_u64().and_then(|status| status.try_into().ok());
    Line {
        delivery: text("delivery"),
        repository: text("repository"),
        reference: text("reference"),
        status,
        ..Line::new(function, millis, level, kind, words)
    }
}

fn said(json: &Value, level: Level, message: &str) -> (Kind, String) {
    let text = |name: &str| json[name].as_str().unwrap_or_default();
    let hint = || json["hint"].as_str().map(|hint| format!(" ({hint})")).unwrap_or_default();
    let seconds = |name: &str| json[name].as_u64().unwrap_or_default();
    match message {
        "received" => {
            let by = if text("proof") == "address" { "its address" } else { text("proof") };
            let source = json["source"].as_str().map(|source| format!(" from {source}")).unwrap_or_default();
            (Kind::Received, format!("received{source}, authenticated by {by}"))
        }
        "queued" => (Kind::Queued, format!("queued for {}", text("worker"))),
        // Of the reconciler, with the reason.
        _ if message.starts_with("queued: ") => (Kind::Queued, message.to_owned()),
        "begun" => (Kind::Begun, begun(json)),
        "ignored" => (Kind::Ignored, format!("ignored: {}", text("reason"))),
        "left out" => (Kind::LeftOut, format!("left out: {}", text("reason"))),
        "refused" => (Kind::Refused, format!("refused with {}: {}", json["status"], text("cause"))),
        "failed" if json["receives"].is_u64() => {
            let (receives, wait) = (seconds("receives"), seconds("retry_in_seconds"));
            (Kind::Failed, format!("try {receives} failed, the next one in {wait} s: {}{}", text("error"), hint()))
        }
        "failed" if json["delivery"].is_string() => {
            (Kind::Error, format!("answered with 503, since the jobs could not be queued: {}", text("cause")))
        }
        "gave up" => {
            (Kind::GaveUp, format!("given up, and moved to the dead-letter queue: {}{}", text("error"), hint()))
        }
        "nothing left to do" => (Kind::Unchanged, format!("nothing left to do: {}{}", text("error"), hint())),
        "unchanged" => (Kind::Unchanged, format!("unchanged: {}", text("reason"))),
        "trying again" => {
            (Kind::Other, format!("asks the host again in {} s: {}", seconds("wait_seconds"), text("error")))
        }
        "asked the host to deliver it again" => {
            let (event, times) = (text("event"), seconds("times"));
            (Kind::Other, format!("asked GitHub to deliver it again, for the {} time: {event}", ordinal(times)))
        }
        "compared with what is stored" => (Kind::Other, compared(json)),
        "read the delivery journal" => {
            let (requests, again) = (seconds("requests"), seconds("again"));
            let waiting = seconds("waiting");
            let words =
                format!("read GitHub's deliveries in {requests} requests: {again} repeated, {waiting} to watch");
            (Kind::Other, words)
        }
        _ if message.starts_with("deleted: ") => (Kind::Unchanged, format!("{message}: {}", text("artifact"))),
        _ if json["artifact"].is_string() => stored(json, message),
        _ => {
            let kind = if level == Level::Error { Kind::Error } else { Kind::Other };
            let causes = ["reason", "error", "cause"].map(text);
            let cause = causes.iter().find(|cause| !cause.is_empty()).map(|cause| format!(": {cause}"));
            (kind, format!("{message}{}{}", cause.unwrap_or_default(), hint()))
        }
    }
}

/// The begin of a try. One that was not queued by the webhook says who put it into the queue.
fn begun(json: &Value) -> String {
    let receives = json["receives"].as_u64().unwrap_or_default();
    let waited = json["waited_ms"].as_u64().map(|waited| format!(", {} s after", seconds(waited)));
    match (waited, json["again"].as_str()) {
        (Some(waited), None) => format!("try {receives} begins{waited} it was queued"),
        (Some(waited), Some(again)) => format!("try {receives} begins{waited} {again} put it into the queue again"),
        (None, _) => format!("try {receives} begins"),
    }
}

/// What a run of the reconciler did at a host.
fn compared(json: &Value) -> String {
    let (host, count) =
        (json["host"].as_str().unwrap_or_default(), |name: &str| json[name].as_u64().unwrap_or_default());
    let others = [("queued", "queued"), ("refused", "refused by the host"), ("skipped", "left out")];
    let others = others.into_iter().filter(|(name, _)| count(name) > 0);
    let others: Vec<_> = others.map(|(name, what)| format!(", {} {what}", count(name))).collect();
    let (asked, requests) = (count("asked"), count("requests"));
    let words = format!("{host}: compared {asked} repositories in {requests} requests{}", others.concat());
    match json["failure"].as_str() {
        Some(failure) => format!("{words}: {failure}"),
        None => words,
    }
}

fn ordinal(number: u64) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        _ => format!("{number}th"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time for people")]
fn seconds(milliseconds: u64) -> String {
    format!("{:.1}", milliseconds as f64 / 1_000.0)
}

fn stored(json: &Value, message: &str) -> (Kind, String) {
    let artifact = json["artifact"].as_str().unwrap_or_default();
    let commit: String = json["commit"].as_str().unwrap_or_default().chars().take(12).collect();
    let newer = json["superseded"].as_str().map(|_| ", which is newer than the push").unwrap_or_default();
    if message.starts_with("unchanged") {
        return (Kind::Unchanged, format!("{message}: {artifact} has {commit}{newer}"));
    }
    let seconds = seconds(json["total_ms"].as_u64().unwrap_or_default());
    let bytes = json["zip_bytes"].as_u64().filter(|bytes| *bytes > 0).map(|bytes| format!(" of {bytes} bytes"));
    let bytes = bytes.unwrap_or_default();
    (Kind::Stored, format!("{message} in {seconds} s: {artifact}{bytes} at {commit}{newer}"))
}

/// An unsuccessful answer of the endpoint. Answers of the function are in its own log.
fn answered(json: &Value, millis: i64) -> Option<Line> {
    request(json, millis).filter(|line| line.status.is_some_and(|status| status >= 400))
}

/// An answer of the endpoint.
pub(super) fn request(json: &Value, millis: i64) -> Option<Line> {
    let text = |name: &str| json[name].as_str().filter(|text| !text.is_empty() && *text != "-");
    let status: u16 = text("status")?.parse().ok()?;
    let level = match status {
        429 | 500.. => Level::Error,
        400.. => Level::Warn,
        _ => Level::Info,
    };
    let (method, path, address) = (text("method")?, text("path")?, text("ip").unwrap_or("somewhere"));
    let cause = text("error").map(|error| format!(": {error}")).unwrap_or_default();
    let words = format!("{method} {path} of {address} was answered with {status}{cause}");
    let by_function = text("integrationStatus") == text("status");
    let kind = if by_function && status >= 400 { Kind::Refused } else { Kind::Answered };
    Some(Line { status: Some(status), ..Line::new("endpoint", millis, level, kind, words) })
}

/// A run that ended without an answer.
#[derive(Debug, PartialEq, Eq)]
struct Death {
    request: Option<String>,
    how: String,
}

impl Death {
    fn line(self, function: &str, millis: i64) -> Line {
        let text = format!("ended without a word: {}", self.how);
        Line { request: self.request, ..Line::new(function, millis, Level::Error, Kind::Died, text) }
    }
}

/// Parses Lambda's lines in its JSON log format:
/// <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>.
fn platform(function: &str, json: &Value, millis: i64) -> Option<Line> {
    let record = &json["record"];
    if let Some(text) = record.as_str() {
        return died(text).map(|death| death.line(function, millis));
    }
    if !["platform.report", "platform.runtimeDone"].contains(&json["type"].as_str()?) {
        return None;
    }
    let how = match record["status"].as_str()? {
        "timeout" => "it ran out of time",
        "error" | "failure" => record["errorType"].as_str().unwrap_or("Lambda tells no reason"),
        _ => return None,
    };
    let (size, used) = (&record["metrics"]["memorySizeMB"], &record["metrics"]["maxMemoryUsedMB"]);
    let how = with_memory(how, size.as_u64(), used.as_u64());
    let request = record["requestId"].as_str().map(str::to_owned);
    Some(Death { request, how }.line(function, millis))
}

/// Parses Lambda's lines in text format, and panics of Rust's runtime.
fn died(text: &str) -> Option<Death> {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
    let first = |rest: &str| rest.split([' ', '\t']).next().unwrap_or_default().to_owned();
    let request = after("RequestId: ").map(first);
    // A failed start is repeated in the run that needs it, which has its own line if it fails, too.
    if text.starts_with("INIT_REPORT ") {
        return None;
    }
    if text.starts_with("REPORT ") {
        let megabytes = |mark: &str| after(mark).and_then(|rest| first(rest).parse().ok());
        let how = match after("Status: ").map(first)?.as_str() {
            "timeout" => "it ran out of time".to_owned(),
            "error" | "failure" => after("Error Type: ").map_or("Lambda tells no reason".to_owned(), first),
            _ => return None,
        };
        let how = with_memory(&how, megabytes("Memory Size: "), megabytes("Max Memory Used: "));
        return Some(Death { request, how });
    }
    if let Some(rest) = after("Task timed out after ") {
        // `2026-11-30T03:37:31.000Z 7f1c... Task timed out after 300.00 seconds`
        let request = text.split_whitespace().nth(1).map(str::to_owned);
        return Some(Death { request, how: format!("it ran out of time after {rest}") });
    }
    if let Some(rest) = after(" Error: ").filter(|_| text.starts_with("RequestId: ")) {
        return Some(Death { request, how: rest.lines().next().unwrap_or_default().to_owned() });
    }
    (text.starts_with("thread '") && text.contains(" panicked at "))
        .then(|| Death { request: None, how: text.to_owned() })
}

fn with_memory(how: &str, size: Option<u64>, used: Option<u64>) -> String {
    match (size, used) {
        (Some(size), Some(used)) if used >= size => format!("{how}, with all of its {size} MB of memory in use"),
        _ => how.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Lines as in the logs, and the result: ours as `tracing` writes them, then Lambda's as text
    /// and as JSON.
    pub(in crate::logs) const LINES: &[(&str, Option<(Kind, &str)>)] = &[
        (
            r#"{"timestamp":"2026-11-30T03:37:31.120412Z","level":"INFO","message":"queued","delivery":"d1","job":"j1","repository":"github.com/acme/rocket","reference":"refs/heads/main","worker":"gitpull","target":"webhook::handler"}"#,
            Some((Kind::Queued, "queued for gitpull")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:31.090412Z","level":"INFO","message":"received","delivery":"d1","repository":"github.com/acme/rocket","worker":"gitpull","proof":"x-hub-signature-256","source":"203.0.113.7","scope":"[]","references":1,"gateway_request":"g1","target":"webhook::handler"}"#,
            Some((Kind::Received, "received from 203.0.113.7, authenticated by x-hub-signature-256")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:31.090412Z","level":"INFO","message":"received","delivery":"d1","repository":"github.com/acme/rocket","worker":"gitpull","proof":"address","scope":"[\"bitbucket.org/**\"]","references":1,"target":"webhook::handler"}"#,
            Some((Kind::Received, "received, authenticated by its address")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:31.920412Z","level":"INFO","message":"begun","job":"j1","delivery":"d1","repository":"github.com/acme/rocket","reference":"refs/heads/main","receives":1,"waited_ms":640,"target":"jobs::batch"}"#,
            Some((Kind::Begun, "try 1 begins, 0.6 s after it was queued")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.920412Z","level":"INFO","message":"begun","job":"j1","delivery":"d1","repository":"github.com/acme/rocket","reference":"refs/heads/main","receives":1,"again":"redrive-5f0e","waited_ms":1240,"target":"jobs::batch"}"#,
            Some((Kind::Begun, "try 1 begins, 1.2 s after redrive-5f0e put it into the queue again")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.920412Z","level":"INFO","message":"unchanged","job":"j1","delivery":"d1","repository":"github.com/acme/rocket","reference":"refs/heads/main","commit":"1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d","superseded":"00","reason":"the host says that refs/heads/main names 1a2b","target":"zipdl::download"}"#,
            Some((Kind::Unchanged, "unchanged: the host says that refs/heads/main names 1a2b")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:31.120412Z","level":"INFO","message":"ignored","delivery":"d2","reason":"ping","target":"webhook::handler"}"#,
            Some((Kind::Ignored, "ignored: ping")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:31.120412Z","level":"WARN","message":"left out","delivery":"d3","reason":"refs/heads/a..b is no reference","target":"webhook::handler"}"#,
            Some((Kind::LeftOut, "left out: refs/heads/a..b is no reference")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:31.120412Z","level":"WARN","message":"refused","delivery":"d4","status":401,"cause":"the request is not authenticated: the signature doesn't verify","source":"203.0.113.7","target":"webhook::handler"}"#,
            Some((Kind::Refused, "refused with 401: the request is not authenticated: the signature doesn't verify")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:31.120412Z","level":"ERROR","message":"failed","delivery":"d5","cause":"queue 2 jobs, of which 1 are queued: AccessDenied","target":"webhook::handler"}"#,
            Some((
                Kind::Error,
                "answered with 503, since the jobs could not be queued: queue 2 jobs, of which 1 are queued: AccessDenied",
            )),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:31.120412Z","level":"ERROR","message":"the function's configuration can't be read","delivery":"d6","cause":"Repositories has the entry \"[\", expected a glob","target":"webhook::handler"}"#,
            Some((
                Kind::Error,
                "the function's configuration can't be read: Repositories has the entry \"[\", expected a glob",
            )),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:32.120412Z","level":"INFO","message":"stored","job":"j1","delivery":"d1","repository":"github.com/acme/rocket","reference":"refs/heads/main","commit":"1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d","artifact":"s3://zips/acme/rocket/acme_rocket.zip","clone":"Fresh","bytes_received":921,"entries":3,"copied":3,"compressed":0,"large":0,"zip_bytes":512,"fetch_ms":310,"total_ms":742,"target":"gitpull::worker"}"#,
            Some((Kind::Stored, "stored in 0.7 s: s3://zips/acme/rocket/acme_rocket.zip of 512 bytes at 1a2b3c4d5e6f")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:32.120412Z","level":"INFO","message":"unchanged: the bucket has the zip of this commit","job":"j1","delivery":"d1","repository":"github.com/acme/rocket","reference":"refs/heads/main","commit":"1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d","superseded":"00","artifact":"s3://zips/a.zip","total_ms":42,"target":"zipdl::download"}"#,
            Some((
                Kind::Unchanged,
                "unchanged: the bucket has the zip of this commit: s3://zips/a.zip has 1a2b3c4d5e6f, which is newer than the push",
            )),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:32.120412Z","level":"INFO","message":"deleted: the zip stays","job":"j1","delivery":"d1","repository":"github.com/acme/rocket","reference":"refs/heads/old","artifact":"s3://zips/acme/rocket/branch/old/acme_rocket.zip","target":"gitpull::puller"}"#,
            Some((Kind::Unchanged, "deleted: the zip stays: s3://zips/acme/rocket/branch/old/acme_rocket.zip")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:33.120412Z","level":"ERROR","message":"failed","job":"j1","delivery":"d1","repository":"github.com/acme/rocket","reference":"refs/heads/main","error":"github.com refuses the key","hint":"add the stack's PublicSSHKey to the repository as a deploy key","receives":1,"retry_in_seconds":5,"target":"jobs::batch"}"#,
            Some((
                Kind::Failed,
                "try 1 failed, the next one in 5 s: github.com refuses the key (add the stack's PublicSSHKey to the repository as a deploy key)",
            )),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.120412Z","level":"ERROR","message":"gave up","job":"j1","delivery":"d1","repository":"github.com/acme/rocket","reference":"refs/heads/main","error":"github.com refuses the key","receives":3,"target":"jobs::batch"}"#,
            Some((Kind::GaveUp, "given up, and moved to the dead-letter queue: github.com refuses the key")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.120412Z","level":"WARN","message":"nothing left to do","job":"j1","delivery":"d1","repository":"github.com/acme/rocket","reference":"refs/heads/gone","error":"github.com/acme/rocket has no refs/heads/gone","target":"jobs::batch"}"#,
            Some((Kind::Unchanged, "nothing left to do: github.com/acme/rocket has no refs/heads/gone")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.120412Z","level":"WARN","message":"trying again","job":"j1","delivery":"d1","error":"github.com failed (status 502)","wait_seconds":2,"target":"zipdl::download"}"#,
            Some((Kind::Other, "asks the host again in 2 s: github.com failed (status 502)")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.120412Z","level":"INFO","message":"compared with what is stored","host":"github.com","run":1796009834,"asked":9,"requests":10,"queued":2,"refused":1,"skipped":0,"target":"reconciler::run"}"#,
            Some((Kind::Other, "github.com: compared 9 repositories in 10 requests, 2 queued, 1 refused by the host")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.120412Z","level":"INFO","message":"compared with what is stored","host":"git.example","run":1796009834,"asked":1,"requests":1,"queued":0,"refused":0,"skipped":9,"failure":"could not connect to git.example","target":"reconciler::run"}"#,
            Some((
                Kind::Other,
                "git.example: compared 1 repositories in 1 requests, 9 left out: could not connect to git.example",
            )),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.120412Z","level":"INFO","message":"queued: the host has no such reference any more","job":"j1","delivery":"d1","repository":"github.com/acme/rocket","reference":"refs/heads/old","worker":"gitpull","trigger":"reconciled","deleted":true,"stored":"1a2b","target":"reconciler::run"}"#,
            Some((Kind::Queued, "queued: the host has no such reference any more")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.120412Z","level":"INFO","message":"read the delivery journal","run":1796009834,"requests":3,"again":2,"waiting":2,"target":"reconciler::run"}"#,
            Some((Kind::Other, "read GitHub's deliveries in 3 requests: 2 repeated, 2 to watch")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.120412Z","level":"INFO","message":"asked the host to deliver it again","delivery":"d1","event":"push","times":2,"target":"reconciler::journal"}"#,
            Some((Kind::Other, "asked GitHub to deliver it again, for the second time: push")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.120412Z","level":"WARN","message":"could not be compared: the host refused it","repository":"github.com/acme/rocket","cause":"github.com has no such repository","target":"reconciler::run"}"#,
            Some((Kind::Other, "could not be compared: the host refused it: github.com has no such repository")),
        ),
        (
            r#"{"timestamp":"2026-11-30T03:37:34.120412Z","level":"ERROR","message":"failed","reason":"Access Denied","target":"custom_resource::deadline"}"#,
            Some((Kind::Error, "failed: Access Denied")),
        ),
        ("START RequestId: 8f5e0a11-0c6a-4c2f-9d1e-2b1f0a6f3c55 Version: $LATEST", None),
        ("END RequestId: 8f5e0a11-0c6a-4c2f-9d1e-2b1f0a6f3c55", None),
        (
            "REPORT RequestId: 8f5e0a11\tDuration: 3.96 ms\tBilled Duration: 4 ms\tMemory Size: 256 MB\tMax Memory Used: 24 MB\t",
            None,
        ),
        ("INIT_REPORT Init Duration: 9983.12 ms\tPhase: init\tStatus: timeout", None),
        (
            "2026-11-30T03:42:31.120Z 8f5e0a11 Task timed out after 300.00 seconds",
            Some((Kind::Died, "ended without a word: it ran out of time after 300.00 seconds")),
        ),
        (
            "REPORT RequestId: 8f5e0a11\tDuration: 300000.00 ms\tBilled Duration: 300000 ms\tMemory Size: 1769 MB\tMax Memory Used: 101 MB\tStatus: timeout",
            Some((Kind::Died, "ended without a word: it ran out of time")),
        ),
        (
            "RequestId: 8f5e0a11 Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
            Some((Kind::Died, "ended without a word: Runtime exited with error: signal: killed")),
        ),
        (
            "REPORT RequestId: 8f5e0a11\tDuration: 900.00 ms\tBilled Duration: 900 ms\tMemory Size: 256 MB\tMax Memory Used: 256 MB\tStatus: error\tError Type: Runtime.ExitError",
            Some((Kind::Died, "ended without a word: Runtime.ExitError, with all of its 256 MB of memory in use")),
        ),
        (
            "thread 'main' (12) panicked at functions/gitpull/src/main.rs:40:9:",
            Some((
                Kind::Died,
                "ended without a word: thread 'main' (12) panicked at functions/gitpull/src/main.rs:40:9:",
            )),
        ),
        (
            r#"{"time":"2026-11-30T03:42:31.120Z","type":"platform.start","record":{"requestId":"8f5e0a11","version":"$LATEST"}}"#,
            None,
        ),
        (
            r#"{"time":"2026-11-30T03:42:31.120Z","type":"platform.report","record":{"requestId":"8f5e0a11","metrics":{"durationMs":4.0,"billedDurationMs":4,"memorySizeMB":256,"maxMemoryUsedMB":24},"status":"success"}}"#,
            None,
        ),
        (
            r#"{"time":"2026-11-30T03:42:31.120Z","type":"platform.report","record":{"requestId":"8f5e0a11","metrics":{"durationMs":300000.0,"billedDurationMs":300000,"memorySizeMB":256,"maxMemoryUsedMB":24},"status":"timeout"}}"#,
            Some((Kind::Died, "ended without a word: it ran out of time")),
        ),
        (
            r#"{"time":"2026-11-30T03:42:31.120Z","type":"platform.report","record":{"requestId":"8f5e0a11","metrics":{"durationMs":9.0,"billedDurationMs":9,"memorySizeMB":256,"maxMemoryUsedMB":256},"status":"error","errorType":"Runtime.ExitError"}}"#,
            Some((Kind::Died, "ended without a word: Runtime.ExitError, with all of its 256 MB of memory in use")),
        ),
        (
            r#"{"time":"2026-11-30T03:42:31.120Z","type":"platform.runtimeDone","record":{"requestId":"8f5e0a11","status":"failure","errorType":"Runtime.InvalidEntrypoint"}}"#,
            Some((Kind::Died, "ended without a word: Runtime.InvalidEntrypoint")),
        ),
        (
            r#"{"time":"2026-11-30T03:42:31.120Z","type":"platform.fault","record":"RequestId: 8f5e0a11 Error: Runtime exited with error: exit status 101\nRuntime.ExitError"}"#,
            Some((Kind::Died, "ended without a word: Runtime exited with error: exit status 101")),
        ),
    ];

    #[test]
    fn log_lines_become_plain_text() {
        for (line, expected) in LINES {
            let told = Line::read(Of::Function("gitpull"), line, 7);
            assert_eq!(told.as_ref().map(|told| (told.kind, &*told.text)), *expected, "{line}");
        }
    }

    #[test]
    fn line_keeps_time_delivery_and_repository() {
        let line = Line::read(Of::Function("webhook"), LINES[0].0, 7).unwrap();
        assert_eq!((line.millis, line.delivery.as_deref()), (1_796_009_851_120, Some("d1")));
        assert_eq!(line.repository.as_deref(), Some("github.com/acme/rocket"));
        let (refused, _) = LINES.iter().find(|(line, _)| line.contains(r#""message":"refused""#)).unwrap();
        let refused = Line::read(Of::Function("webhook"), refused, 7).unwrap();
        assert_eq!((refused.status, refused.level), (Some(401), Level::Warn));
    }

    #[test]
    fn access_log_reports_rejected_requests() {
        let line = |status: &str, integration: &str| {
            format!(
                r#"{{"requestId":"r","time":"30/Nov/2026:03:37:31 +0000","ip":"203.0.113.7","method":"POST","path":"/Prod/gitpull","status":"{status}","responseLength":"2","integrationStatus":"{integration}","integrationLatency":"-","error":"-"}}"#
            )
        };
        let read = |status: &str, integration: &str| Line::read(Of::Endpoint, &line(status, integration), 7);
        assert_eq!(read("202", "202"), None);
        let told = read("429", "-").unwrap();
        assert_eq!((told.status, told.kind, told.level), (Some(429), Kind::Answered, Level::Error));
        assert_eq!(told.text, "POST /Prod/gitpull of 203.0.113.7 was answered with 429");
        assert_eq!(read("401", "401").unwrap().kind, Kind::Refused);
        assert_eq!(read("403", "-").unwrap().level, Level::Warn);
    }
}
