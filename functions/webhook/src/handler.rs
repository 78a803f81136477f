//! Handles a request: authenticates it, parses it, queues jobs. It knows AWS only as a source of
//! secrets and as queues.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayProxyResponse};
use contract::{ApiSecrets, DeliveryId, PathSpelling, Trigger, Worker};
use forge::{AuthenticJob, AuthenticationError, Delivery, Endpoint, Event, Push, Refusal};
use futures_util::{StreamExt as _, stream};
use job_queue::AT_ONCE;
use secrecy::SecretString;
use secret::{CachedSecret, MAX_AGE, ROTATION_AGE, SecretSource};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::{answer::Answer, request};

/// The queues for jobs.
pub trait JobSink {
    /// Queues at most [`AT_ONCE`] jobs for a worker. A job that was queued in the last five minutes
    /// isn't queued again.
    fn send(&self, worker: Worker, jobs: &[AuthenticJob]) -> impl Future<Output = Result<()>>;
}

/// The number of concurrent calls: 5,000 references need 500 calls, which would take too long one
/// after the other.
const CALLS: usize = 16;

/// The time limit for queuing a whole push: senders wait ten seconds, part of which a cold start
/// and the secrets take.
const QUEUEING: Duration = Duration::from_secs(6);

/// The function.
#[derive(Debug)]
pub struct Webhook<S, Q> {
    endpoint: Endpoint,
    secrets: CachedSecret<S, ApiSecrets>,
    queues: Q,
}

/// What is logged of a request beside its delivery.
struct Origin {
    source: Option<IpAddr>,
    /// API Gateway's ID of the request, which its access log has, too.
    request: Option<String>,
}

/// The response of a function that can't read its configuration, for this reason. If it exited
/// instead, neither the sender nor the log would have an explanation.
pub fn unavailable(request_id: &str, reason: &str) -> ApiGatewayProxyResponse {
    error!(delivery = request_id, cause = reason, "cannot read the function's configuration");
    Answer::Unavailable.into()
}

impl<S: SecretSource, Q: JobSink> Webhook<S, Q> {
    /// Creates the function from an endpoint, the source of its secrets, and its queues.
    pub fn new(endpoint: Endpoint, secrets: S, queues: Q) -> Self {
        Self { endpoint, secrets: CachedSecret::new(secrets, understand), queues }
    }

    /// Responds to a request with Lambda's ID `request_id`.
    ///
    /// # Errors
    /// The event isn't one that API Gateway sends to this function. Every request of a sender gets
    /// a response.
    pub async fn handle(
        &self,
        request: ApiGatewayProxyRequest,
        request_id: &str,
        now: Instant,
    ) -> Result<ApiGatewayProxyResponse> {
        let resource = request.resource.as_deref().unwrap_or_default();
        let worker = Worker::of_resource(resource).with_context(|| format!("{resource:?} has no worker"))?;
        let gateway_request = request.request_context.request_id.clone();
        let delivery = request::delivery(request, request_id)?;
        let (id, origin) = (delivery.id(), Origin { source: delivery.source, request: gateway_request });
        let answer = match self.receive(&delivery, now).await {
            Ok(Ok(event)) => self.act(&id, worker, event, &origin).await,
            Ok(Err(refusal)) => Ok(refuse(&id, &refusal, &origin)),
            Err(error) => Err(error),
        };
        let answer = answer.unwrap_or_else(|error| {
            error!(delivery = %id, cause = format!("{error:#}"), gateway_request = origin.request, "failed");
            Answer::Unavailable
        });
        Ok(answer.into())
    }

    /// Authenticates the delivery with the cached secrets and, if that fails, with fresh ones.
    async fn receive(&self, delivery: &Delivery, now: Instant) -> Result<Result<Event, Refusal>> {
        let received = self.endpoint.receive(delivery, &*self.secrets.get(now, MAX_AGE).await?);
        if !matches!(received, Err(Refusal::Unauthenticated(AuthenticationError::Signature(_)))) {
            return Ok(received);
        }
        Ok(self.endpoint.receive(delivery, &*self.secrets.get(now, ROTATION_AGE).await?))
    }

    async fn act(&self, delivery: &DeliveryId, worker: Worker, event: Event, origin: &Origin) -> Result<Answer> {
        let reason = match event {
            Event::Push(push) => {
                accept(&push, worker, origin)?;
                return self.queue(delivery, worker, &push).await;
            }
            Event::Ignored { reason, .. } => reason,
            Event::Ping { .. } => "ping".to_owned(),
        };
        info!(%delivery, reason, gateway_request = origin.request, "ignored");
        Ok(Answer::Ignored(reason))
    }

    /// Queues all jobs, or as many as possible and fails. A redelivery doesn't queue the same jobs
    /// again.
    async fn queue(&self, delivery: &DeliveryId, worker: Worker, push: &Push) -> Result<Answer> {
        for reason in push.unusable() {
            warn!(%delivery, reason, "left out");
        }
        let mut jobs = push.jobs();
        // Jobs are created one by one: each has a copy of its scope.
        let some = std::iter::from_fn(|| Some(jobs.by_ref().take(AT_ONCE).collect::<Vec<_>>()));
        let calls = some.take_while(|jobs| !jobs.is_empty()).map(|jobs| self.send(worker, jobs));
        let mut calls = stream::iter(calls).buffered(CALLS);
        let (mut ids, mut failure) = (Vec::new(), None);
        let all = async {
            while let Some(sent) = calls.next().await {
                match sent {
                    Ok(sent) => ids.extend(sent),
                    Err(error) => failure = Some(error),
                }
            }
        };
        if timeout(QUEUEING, all).await.is_err() {
            failure = Some(anyhow::anyhow!("it took too long"));
        }
        let (queued, count) = (ids.len(), push.updates().len());
        match failure {
            Some(failure) => Err(failure.context(format!("queue {count} jobs, of which {queued} are queued"))),
            None => Ok(Answer::Queued(ids)),
        }
    }

    async fn send(&self, worker: Worker, jobs: Vec<AuthenticJob>) -> Result<Vec<String>> {
        self.queues.send(worker, &jobs).await?;
        let mut ids = Vec::new();
        for job in jobs {
            let (id, repository, reference) = (job.id(), &job.repository, &job.reference);
            info!(
                delivery = %job.delivery, job = id, %repository, %reference, commit = job.commit.as_ref().map(display),
                trigger = (job.trigger == Trigger::Release).then_some("release"), deleted = job.deleted.then_some(true),
                worker = worker.path_part(), "queued"
            );
            ids.push(id);
        }
        Ok(ids)
    }
}

/// Parses the secrets. An invalid entry is logged by its number, and the others still work.
#[expect(clippy::unnecessary_wraps, reason = "parsing other secrets may fail")]
fn understand(list: &SecretString) -> Result<ApiSecrets> {
    let secrets = ApiSecrets::parse(list);
    for refused in secrets.refused() {
        error!(cause = %refused, "an entry of ApiSecret is refused");
    }
    Ok(secrets)
}

/// Logs how an authentic push came. What a job can have only from its sender is logged once for all
/// its references, so that a job can be made again.
fn accept(push: &Push, worker: Worker, origin: &Origin) -> Result<()> {
    let (proof, spelling) = (push.proof(), push.spelling());
    let scope = serde_json::to_string(&proof.scope).context("write the scope")?;
    let spelling = (spelling != PathSpelling::default()).then(|| serde_json::to_string(&spelling)).transpose();
    info!(
        delivery = %push.delivery(), repository = %push.repository(), worker = worker.path_part(), proof = proof.by,
        source = origin.source.map(display), scope, spelling = spelling.context("write the spelling")?,
        references = push.updates().len(), gateway_request = origin.request, "received"
    );
    Ok(())
}

fn refuse(id: &DeliveryId, refusal: &Refusal, origin: &Origin) -> Answer {
    let status = refusal.status();
    let Origin { source, request } = origin;
    warn!(
        delivery = %id, status, cause = refusal.cause(), source = source.map(display), gateway_request = request,
        "refused"
    );
    Answer::Refused { status, error: refusal.public_text() }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        io,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use anyhow::bail;
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use contract::KeyLayout;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use serde_json::{Value, json};
    use sha2::Sha256;

    use super::*;

    /// A fake Secrets Manager with one secret that counts reads. Without a secret, it fails.
    #[derive(Default)]
    struct Secrets {
        value: RefCell<Option<&'static str>>,
        reads: RefCell<usize>,
    }

    impl SecretSource for Secrets {
        async fn read(&self) -> Result<SecretString> {
            *self.reads.borrow_mut() += 1;
            match *self.value.borrow() {
                Some(secret) => Ok(secret.into()),
                None => bail!("secrets manager is down"),
            }
        }
    }

    /// Queues that accept this many jobs and then fail.
    struct Jobs {
        capacity: usize,
        sent: RefCell<Vec<(Worker, AuthenticJob)>>,
    }

    impl JobSink for Jobs {
        async fn send(&self, worker: Worker, jobs: &[AuthenticJob]) -> Result<()> {
            assert!((1..=AT_ONCE).contains(&jobs.len()));
            tokio::task::yield_now().await;
            if self.sent.borrow().len() + jobs.len() > self.capacity {
                bail!("the queue is down");
            }
            self.sent.borrow_mut().extend(jobs.iter().map(|job| (worker, job.clone())));
            Ok(())
        }
    }

    fn webhook() -> Webhook<Secrets, Jobs> {
        let endpoint = Endpoint { allowed_hosts: "github.com".parse().unwrap(), ..Endpoint::default() };
        let secrets = Secrets { value: RefCell::new(Some("s3cret")), ..Secrets::default() };
        let queues = Jobs { capacity: 10, sent: RefCell::default() };
        Webhook::new(endpoint, secrets, queues)
    }

    fn push(reference: &str, after: &str) -> Value {
        json!({
            "ref": reference, "after": after,
            "repository": {
                "full_name": "octo-org/hello", "ssh_url": "git@github.com:octo-org/hello.git", "default_branch": "main",
            },
        })
    }

    /// A push in API Gateway's format.
    fn event(kind: &str, payload: &Value, secret: &str) -> ApiGatewayProxyRequest {
        let body = payload.to_string();
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&body).finalize();
        let event = json!({
            "httpMethod": "POST", "resource": "/gitpull", "path": "/git/gitpull",
            "multiValueHeaders": {
                "content-type": ["application/json"],
                "X-GITHUB-EVENT": [kind],
                "X-GitHub-Delivery": ["72d3162e"],
                "x-hub-signature-256": [format!("sha256={}", hex::encode(mac.into_bytes()))],
            },
            "requestContext": { "httpMethod": "POST", "identity": { "sourceIp": "203.0.113.9" } },
            "body": STANDARD.encode(body), "isBase64Encoded": true,
        });
        serde_json::from_value(event).unwrap()
    }

    async fn answer(webhook: &Webhook<Secrets, Jobs>, request: ApiGatewayProxyRequest, now: Instant) -> (i64, Value) {
        let response = webhook.handle(request, "request-1", now).await.unwrap();
        let body: &[u8] = response.body.as_deref().unwrap();
        (response.status_code, serde_json::from_slice(body).unwrap())
    }

    fn main_branch(secret: &str) -> ApiGatewayProxyRequest {
        event("push", &push("refs/heads/main", &"a".repeat(40)), secret)
    }

    #[tokio::test]
    async fn push_is_queued_under_own_id() {
        let webhook = webhook();
        let (status, body) = answer(&webhook, main_branch("s3cret"), Instant::now()).await;
        let sent = webhook.queues.sent.borrow();
        let [(Worker::GitPull, job)] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!((status, body), (202, json!({ "job": job.id() })));
        assert_eq!(job.delivery.as_str(), "72d3162e");
        let key = job.artifact_key(KeyLayout::Path, Some("main"));
        assert_eq!(key, "octo-org/hello/octo-org_hello.zip");
    }

    #[tokio::test]
    async fn only_resource_path_chooses_worker() {
        let webhook = webhook();
        let mut request = main_branch("s3cret");
        request.resource = Some("/zipdl".to_owned());
        request.path = Some("/gitpull".to_owned());
        assert_eq!(answer(&webhook, request, Instant::now()).await.0, 202);
        assert_eq!(webhook.queues.sent.borrow()[0].0, Worker::ZipDl);
        for resource in [None, Some("/{proxy+}".to_owned())] {
            let mut request = main_branch("s3cret");
            request.resource = resource;
            assert!(webhook.handle(request, "request-1", Instant::now()).await.is_err());
        }
        assert_eq!(webhook.queues.sent.borrow().len(), 1);
    }

    #[tokio::test]
    async fn refused_or_ignored_events_stay_unqueued() {
        let commit = "a".repeat(40);
        let branch = push("refs/heads/main", &commit);
        let mut elsewhere = branch.clone();
        elsewhere["repository"]["ssh_url"] = json!("git@evil.example:octo-org/hello.git");
        let mut form = main_branch("s3cret");
        form.multi_value_headers.insert("content-type", "text/plain".parse().unwrap());
        let webhook = webhook();
        for (request, expected) in [
            (event("ping", &json!({}), "s3cret"), 200),
            (event("create", &json!({}), "s3cret"), 200),
            (event("push", &push("refs/notes/commits", &"0".repeat(40)), "s3cret"), 200),
            (event("push", &push("refs/heads/../../x", &commit), "s3cret"), 400),
            (event("push", &json!({}), "s3cret"), 400),
            (event("push", &branch, "guess"), 401),
            (event("push", &branch, ""), 401),
            (event("push", &elsewhere, "s3cret"), 403),
            (form, 415),
        ] {
            let (status, body) = answer(&webhook, request, Instant::now()).await;
            assert_eq!(status, expected, "{body}");
            assert!(body[if expected == 200 { "ignored" } else { "error" }].is_string(), "{body}");
        }
        assert!(webhook.queues.sent.borrow().is_empty());
    }

    #[tokio::test]
    async fn a_large_body_is_refused() {
        let mut request = main_branch("s3cret");
        request.is_base64_encoded = false;
        request.body = Some(" ".repeat(Delivery::MAX_BODY_BYTES + 1));
        let (status, body) = answer(&webhook(), request, Instant::now()).await;
        assert_eq!(status, 413);
        assert!(body["error"].as_str().unwrap().contains("push fewer commits"), "{body}");
    }

    /// The size of the event with a body of this many bytes, and with the largest headers that API
    /// Gateway accepts, all escaped in JSON.
    fn event_bytes(body: usize) -> usize {
        let headers = json!({ "user-agent": "\"".repeat(10_240) });
        let event = json!({
            "httpMethod": "POST", "resource": "/gitpull", "path": "/git/gitpull",
            "headers": headers, "multiValueHeaders": { "user-agent": [headers["user-agent"]] },
            "requestContext": { "identity": { "sourceIp": "203.0.113.9", "userAgent": headers["user-agent"] } },
            "body": STANDARD.encode(vec![b'x'; body]), "isBase64Encoded": true,
        });
        event.to_string().len()
    }

    #[test]
    fn the_largest_body_reaches_the_function() {
        use contract::body::{MAX_BODY_BYTES, MAX_EVENT_BYTES};
        assert!((4_600_000..4_700_000).contains(&MAX_BODY_BYTES));
        assert!(event_bytes(MAX_BODY_BYTES) <= MAX_EVENT_BYTES);
        assert!(STANDARD.encode(vec![b'x'; 4_800_000]).len() > MAX_EVENT_BYTES);
    }

    #[tokio::test]
    async fn unqueued_push_may_be_redelivered() {
        let mut webhook = webhook();
        webhook.queues.capacity = 0;
        let (status, body) = answer(&webhook, main_branch("s3cret"), Instant::now()).await;
        assert_eq!(status, 503);
        assert!(!body.to_string().contains("queue is down"), "{body}");
        webhook.queues.capacity = 1;
        assert_eq!(answer(&webhook, main_branch("s3cret"), Instant::now()).await.0, 202);
    }

    /// A push as Bitbucket Data Center sends it.
    fn several(payload: &Value) -> ApiGatewayProxyRequest {
        let mut request = event("push", payload, "s3cret");
        let headers = &mut request.multi_value_headers;
        let signature = headers.remove("x-hub-signature-256").unwrap();
        headers.remove("x-github-event");
        headers.insert("x-hub-signature", signature);
        headers.insert("x-event-key", "repo:refs_changed".parse().unwrap());
        headers.insert("x-request-id", "72d3162e".parse().unwrap());
        request
    }

    /// A push of `main` and 100 tags.
    fn case() -> Value {
        serde_json::from_str(include_str!("bitbucket-dc-101-references.json")).unwrap()
    }

    /// The same with this many tags.
    fn many_tags(tags: usize) -> Value {
        let mut payload = case();
        let changes = payload["changes"].as_array_mut().unwrap();
        let [tag, branch] = ["refs/tags/v0", "refs/heads/main"]
            .map(|id| changes.iter().find(|change| change["ref"]["id"] == id).unwrap().clone());
        *changes = vec![branch];
        changes.extend((0..tags).map(|n| {
            let mut tag = tag.clone();
            tag["ref"]["id"] = json!(format!("refs/tags/v{n}"));
            tag
        }));
        payload
    }

    fn bitbucket(refs: &str, capacity: usize) -> Webhook<Secrets, Jobs> {
        let mut webhook = webhook();
        webhook.endpoint.allowed_hosts = "git.example=bitbucket-dc".parse().unwrap();
        webhook.endpoint.refs = refs.parse().unwrap();
        webhook.queues.capacity = capacity;
        webhook
    }

    #[tokio::test]
    async fn every_pushed_reference_is_queued() {
        for (payload, count) in [(case(), 101), (many_tags(4_999), 5_000)] {
            assert!(payload.to_string().len() < Delivery::MAX_BODY_BYTES);
            let webhook = bitbucket("", count);
            let (status, body) = answer(&webhook, several(&payload), Instant::now()).await;
            assert_eq!((status, body["jobs"].as_array().unwrap().len()), (202, count));
            let sent = webhook.queues.sent.borrow();
            let references: std::collections::HashSet<_> = sent.iter().map(|(_, job)| &job.reference).collect();
            assert_eq!((sent.len(), references.len()), (count, count));
        }
    }

    #[tokio::test]
    async fn unwanted_references_do_not_count() {
        let webhook = bitbucket("main", 1);
        let (status, body) = answer(&webhook, several(&many_tags(4_999)), Instant::now()).await;
        assert_eq!((status, body["jobs"].is_null()), (202, true), "{body}");
        let none = bitbucket("trunk", 0);
        let (status, body) = answer(&none, several(&many_tags(4_999)), Instant::now()).await;
        assert_eq!(status, 200);
        assert!(body.to_string().len() < 1_000, "{body}");
    }

    #[tokio::test]
    async fn a_failed_call_loses_no_other() {
        let webhook = bitbucket("", 45);
        let (status, _) = answer(&webhook, several(&many_tags(100)), Instant::now()).await;
        // The last call had a single job, which was accepted.
        assert_eq!((status, webhook.queues.sent.borrow().len()), (503, 41));
    }

    #[tokio::test]
    async fn without_the_secrets_nothing_is_believed() {
        let webhook = webhook();
        webhook.secrets.source().value.replace(None);
        assert_eq!(answer(&webhook, main_branch("s3cret"), Instant::now()).await.0, 503);
        webhook.secrets.source().value.replace(Some(""));
        assert_eq!(answer(&webhook, main_branch(""), Instant::now()).await.0, 401);
        assert!(webhook.queues.sent.borrow().is_empty());
    }

    #[tokio::test]
    async fn invalid_secret_is_named_others_work() {
        let log = Log::default();
        let writer = log.clone();
        let guard = tracing::subscriber::set_default(lambda_init::log::subscriber(move || writer.clone()));
        let webhook = webhook();
        webhook.secrets.source().value.replace(Some("s3cret,[github.com/{acme,beta}/*hunter2"));
        for _ in 0..2 {
            assert_eq!(answer(&webhook, main_branch("s3cret"), Instant::now()).await.0, 202);
        }
        drop(guard);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            text.matches("entry 2 of ApiSecret begins with [ and has no ] after its globs").count(),
            1,
            "{text}"
        );
        assert!(!text.contains("hunter2") && !text.contains("s3cret"), "{text}");
    }

    #[tokio::test]
    async fn secrets_refresh_after_expiry_or_mismatch() {
        let webhook = webhook();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let reads = || *webhook.secrets.source().reads.borrow();
        assert_eq!(answer(&webhook, main_branch("s3cret"), at(0)).await.0, 202);
        assert_eq!(answer(&webhook, main_branch("s3cret"), at(300)).await.0, 202);
        assert_eq!(reads(), 1);
        assert_eq!(answer(&webhook, main_branch("s3cret"), at(301)).await.0, 202);
        assert_eq!(reads(), 2);
        webhook.secrets.source().value.replace(Some("n3w"));
        assert_eq!(answer(&webhook, main_branch("n3w"), at(331)).await.0, 401);
        assert_eq!(reads(), 2);
        assert_eq!(answer(&webhook, main_branch("n3w"), at(332)).await.0, 202);
        assert_eq!(reads(), 3);
        for _ in 0..20 {
            assert_eq!(answer(&webhook, main_branch("guess"), at(333)).await.0, 401);
        }
        assert_eq!(reads(), 3);
        assert_eq!(answer(&webhook, main_branch("s3cret"), at(340)).await.0, 401);
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn log_has_what_job_needs() {
        let log = Log::default();
        let writer = log.clone();
        let guard = tracing::subscriber::set_default(lambda_init::log::subscriber(move || writer.clone()));
        let mut webhook = webhook();
        // A host of unknown kind, for which the spelling of the path matters.
        webhook.endpoint.allowed_hosts = "git.example".parse().unwrap();
        webhook.secrets.source().value.replace(Some("[git.example/octo-org/*]s3cret"));
        let mut payload = push("refs/heads/main", &"a".repeat(40));
        payload["repository"]["ssh_url"] = json!("git@git.example:octo-org/hello");
        let mut request = event("push", &payload, "s3cret");
        request.request_context.request_id = Some("gateway-1".to_owned());
        answer(&webhook, request, Instant::now()).await;
        drop(guard);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [received, queued] = &lines[..] else { panic!("{text}") };
        let job = serde_json::to_value(&webhook.queues.sent.borrow()[0].1).unwrap();
        assert_eq!((&received["proof"], &received["source"]), (&json!("x-hub-signature-256"), &json!("203.0.113.9")));
        assert_eq!(received["gateway_request"], "gateway-1");
        let parsed = |name: &str| serde_json::from_str::<Value>(received[name].as_str().unwrap()).unwrap();
        assert_eq!((&parsed("scope"), &parsed("spelling")), (&job["scope"], &job["spelling"]));
        for name in ["delivery", "reference", "commit"] {
            assert_eq!(queued[name], job[name], "{name}");
        }
    }

    #[tokio::test]
    async fn attack_06_log_contains_no_secrets() {
        let log = Log::default();
        let writer = log.clone();
        let guard = tracing::subscriber::set_default(lambda_init::log::subscriber(move || writer.clone()));
        let mut payload = push("refs/heads/main", &"a".repeat(40));
        payload["head_commit"] = json!({ "message": "launch-codes" });
        let mut webhook = webhook();
        for (kind, secret) in [("push", "s3cret"), ("ping", "s3cret"), ("push", "gu3ss")] {
            answer(&webhook, event(kind, &payload, secret), Instant::now()).await;
        }
        let mut token = event("push", &payload, "s3cret");
        token.multi_value_headers.insert("x-git-token", "t0ken".parse().unwrap());
        answer(&webhook, token, Instant::now()).await;
        webhook.queues.capacity = 0;
        webhook.queues.sent.borrow_mut().clear();
        answer(&webhook, event("push", &payload, "s3cret"), Instant::now()).await;
        drop(guard);

        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["received", "queued", "ignored", "refused", "refused", "received", "failed"]);
        assert!(lines.iter().all(|line| line["delivery"] == "72d3162e"), "{text}");
        for secret in ["s3cret", "gu3ss", "t0ken", "launch-codes", "sha256="] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}
