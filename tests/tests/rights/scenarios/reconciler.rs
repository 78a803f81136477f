//! What lost webhooks need from the reconciler.

use anyhow::{Context as _, Result, ensure};
use contract::repository_keys::{KeyRequest, object_key, stored_name};
use contract::{HostKind, Job, Repository, Trigger, Worker};
use local::archives::address;
use local::reconcile::reconcile;

use super::Props;
use crate::stage::{APP_HOST, Repo, Stage};

/// A run finds that this repository of this host has another commit than its zip, which this worker
/// has stored. Returns the job.
async fn is_queued(stage: &Stage, repo: &Repo, host: &str, worker: Worker) -> Result<Job> {
    let jobs = queued(stage, repo, host, worker, &repo.artifact(), "refs/heads/main").await?;
    let job = jobs.into_iter().find(|job| job.repository.path.as_str() == repo.clone.path).context("no job")?;
    ensure!(job.commit.as_ref().is_some_and(|commit| commit.as_str() == repo.commit), "another commit: {job:?}");
    ensure!(job.trigger == Trigger::Reconciled && job.repository.host.as_str() == host, "another job: {job:?}");
    Ok(job)
}

/// What a run queues if the bucket has only this zip, by this worker, of this repository and
/// reference.
async fn queued(
    stage: &Stage,
    repo: &Repo,
    host: &str,
    worker: Worker,
    key: &str,
    reference: &str,
) -> Result<Vec<Job>> {
    let (account, bucket) = (stage.account(), stage.id("OutputBucket")?);
    let memory = account.s3.delete_object().bucket(stage.id("CacheBucket")?).key("runs/memory.json");
    memory.send().await?;
    stage.forget(repo).await?;
    let put = account.s3.put_object().bucket(bucket).key(key);
    let put = put.metadata("repository", format!("{host}/{}", repo.clone.path)).metadata("commit", "1".repeat(40));
    let put = put.metadata("ref", reference).metadata("delivery-id", "d-1").metadata("worker", worker.path_part());
    put.send().await?;
    stage.make_cold("ReconcilerFunction").await?;
    let ran = reconcile(account, &stage.resources, &stage.next_run()).await;
    let jobs = stage.take_jobs(if worker == Worker::GitPull { "GitPullQueue" } else { "ZipDlQueue" }).await;
    account.s3.delete_object().bucket(bucket).key(key).send().await?;
    stage.forget(repo).await?;
    ran?;
    jobs
}

fn github() -> String {
    address(HostKind::GitHub).to_string()
}

/// Over SSH, with the stack's key.
pub(super) async fn reconciler_queues_a_lost_push(stage: &Stage, props: &Props) -> Result<()> {
    is_queued(stage, &props.rocket, &github(), Worker::GitPull).await.map(drop)
}

/// The bucket has the zip of a branch that the host doesn't have, and nobody was told.
pub(super) async fn reconciler_queues_a_lost_deletion(stage: &Stage, props: &Props) -> Result<()> {
    let (repo, key) = (&props.rocket, "acme/rocket/branch/lost/acme_rocket.zip");
    let jobs = queued(stage, repo, &github(), Worker::GitPull, key, "refs/heads/lost").await?;
    let job = jobs.into_iter().find(|job| job.deleted).context("no deletion")?;
    ensure!(job.reference.as_str() == "refs/heads/lost" && job.commit.is_none(), "another job: {job:?}");
    Ok(())
}

/// Over HTTPS, with the token for downloads.
pub(super) async fn reconciler_queues_a_lost_download(stage: &Stage, props: &Props) -> Result<()> {
    is_queued(stage, &props.probe, &github(), Worker::ZipDl).await.map(drop)
}

/// What the next run needn't decrypt one by one.
pub(super) async fn reconciler_decrypts_all_keys_at_once(stage: &Stage, _: &Props) -> Result<()> {
    let (account, cache) = (stage.account(), stage.id("CacheBucket")?);
    let repository: Repository = format!("{}/acme/keyed", github()).parse()?;
    let object = object_key(&repository);
    account.s3.delete_object().bucket(cache).key("runs/keys.json").send().await?;
    let make = serde_json::to_value(KeyRequest::Make { repository: repository.clone() })?;
    account.invoke(stage.id("SshKeyFunction")?, &make).await?;
    stage.make_cold("ReconcilerFunction").await?;
    let ran = reconcile(account, &stage.resources, &stage.next_run()).await;
    account.s3.delete_object().bucket(stage.id("KeyBucket")?).key(object).send().await?;
    stage.take_jobs("GitPullQueue").await?;
    ran?;
    let ring = account.s3.get_object().bucket(cache).key("runs/keys.json").send().await?.body.collect().await?;
    let ring = String::from_utf8(ring.to_vec())?;
    ensure!(ring.contains(&stored_name(&repository)) && !ring.contains("PRIVATE KEY"), "{} bytes", ring.len());
    Ok(())
}

pub(super) async fn reconciler_asks_with_a_github_app(stage: &Stage, props: &Props) -> Result<()> {
    stage.install_app(&props.rocket);
    is_queued(stage, &props.rocket, APP_HOST, Worker::GitPull).await.map(drop)
}

/// What a job may fetch besides is known from the secrets.
pub(super) async fn reconciler_limits_submodules_to_the_secrets(stage: &Stage, props: &Props) -> Result<()> {
    let job = is_queued(stage, &props.rocket, &github(), Worker::GitPull).await?;
    let expected = Some(vec![format!("127.0.0.*/**,{APP_HOST}/**")]);
    ensure!(job.scope == expected, "{:?}", job.scope);
    Ok(())
}
