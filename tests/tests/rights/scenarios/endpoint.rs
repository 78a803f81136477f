//! What a Git host needs from the endpoint: it accepts a signed request, and passes it to its
//! worker.

use anyhow::{Context as _, Result, ensure};
use contract::Job;
use local::webhook::{delivery_id, post, signature};
use serde_json::json;

use super::Props;
use crate::stage::{Repo, Stage};

pub(super) async fn a_signed_push_is_queued(stage: &Stage, props: &Props) -> Result<()> {
    is_queued(stage, &props.rocket, &stage.stack.webhook_url, "GitPullQueue").await
}

pub(super) async fn a_signed_request_for_a_download_is_queued(stage: &Stage, props: &Props) -> Result<()> {
    is_queued(stage, &props.probe, &stage.stack.zip_download_url, "ZipDlQueue").await
}

async fn is_queued(stage: &Stage, repo: &Repo, url: &str, queue: &str) -> Result<()> {
    stage.make_cold("WebhookFunction").await?;
    let job = repo.job("main", &repo.commit)?;
    let (host, path) = (&job.repository.host, &job.repository.path);
    let body = json!({
        "ref": "refs/heads/main", "after": repo.commit, "head_commit": { "id": repo.commit, "message": "Build a rocket" },
        "repository": { "full_name": path, "ssh_url": format!("ssh://git@{host}/{path}.git"), "default_branch": "main" },
    });
    let (body, delivery) = (body.to_string().into_bytes(), delivery_id());
    let signature = signature(&stage.stack.api_secret, &body);
    let headers = [("x-github-event", "push"), ("x-github-delivery", &*delivery), ("x-hub-signature-256", &*signature)];
    let answer = post(url, &headers, body).await?;
    ensure!(answer.status == 202, "{}: {}", answer.status, answer.body);

    let (sqs, queue) = (&stage.account().sqs, stage.id(queue)?);
    let found = sqs.receive_message().queue_url(queue).send().await?;
    let message = found.messages().first().context("the queue is empty")?;
    sqs.delete_message().queue_url(queue).receipt_handle(message.receipt_handle().unwrap_or_default()).send().await?;
    let queued: Job = serde_json::from_str(message.body().unwrap_or_default())?;
    ensure!(queued.delivery.as_str() == delivery, "another delivery: {queued:?}");
    Ok(())
}
