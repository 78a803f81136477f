//! What pushes need from gitpull.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use contract::KeyLayout;
use local::artifact::field;
use serde_json::Value;

use super::{Props, zipdl};
use crate::stage::{APP_HOST, Repo, Run, Stage};

const WORKER: &str = "GitPull";

/// A push to an unknown repository, with a cold function.
async fn first_push(stage: &Stage, repo: &Repo) -> Result<Run> {
    stage.forget(repo).await?;
    stage.make_cold("GitPullFunction").await?;
    stage.work(WORKER, repo, "receipt").await
}

pub(super) async fn gitpull_makes_a_zip_of_a_first_push(stage: &Stage, props: &Props) -> Result<()> {
    let run = first_push(stage, &props.rocket).await?;
    ensure!(run.done, "the job failed");
    let expected = props.rocket.clone.archive(&props.rocket.commit).await?;
    stage.artifact(&props.rocket).await?.same_tree(&expected).map(drop)
}

/// With the token of the secret and without the key.
pub(super) async fn gitpull_fetches_over_https_with_a_token(stage: &Stage, props: &Props) -> Result<()> {
    let (function, secret) = (stage.id("GitPullFunction")?, stage.id("ProviderCredentials")?);
    stage.account().set_variable(function, "TOKENS", secret).await?;
    let (before, run) = (stage.fetches(), first_push(stage, &props.rocket).await);
    stage.account().set_variable(function, "TOKENS", "").await?;
    ensure!(run?.done, "the job failed");
    ensure!(stage.fetches() > before, "nothing was fetched over HTTPS");
    let expected = props.rocket.clone.archive(&props.rocket.commit).await?;
    stage.artifact(&props.rocket).await?.same_tree(&expected).map(drop)
}

/// Without the key, and with a token that the App has for this repository alone.
pub(super) async fn gitpull_fetches_with_a_github_app(stage: &Stage, props: &Props) -> Result<()> {
    let repo = &props.rocket;
    stage.install_app(repo);
    stage.make_cold("GitPullFunction").await?;
    let mut job = repo.job("main", &repo.commit)?;
    job.repository.host = APP_HOST.parse()?;
    // Another repository's artifact is never replaced, and the key has no host.
    stage.forget(repo).await?;
    let run = stage.deliver(WORKER, &job, "receipt").await?;
    let artifact = stage.artifact(repo).await;
    stage.forget(repo).await?;
    ensure!(run.done, "the job failed");
    artifact?.same_tree(&repo.clone.archive(&repo.commit).await?).map(drop)
}

/// A warning is for something that a person must look at.
pub(super) async fn gitpull_warns_of_nothing_at_a_first_push(stage: &Stage, props: &Props) -> Result<()> {
    let before: BTreeSet<_> = stage.account().log_lines().await?.iter().map(Value::to_string).collect();
    let run = first_push(stage, &props.rocket).await?;
    ensure!(run.done, "the job failed");
    let (delivery, pack) = (run.delivery, props.rocket.pack());
    let mut lines = stage.account().log_lines().await?;
    lines.retain(|line| !before.contains(&line.to_string()));
    ensure!(lines.iter().any(|line| line.to_string().contains(&delivery)), "nothing was logged");
    // Messages about the pack have no delivery ID.
    lines.retain(|line| [&delivery, &pack].iter().any(|word| line.to_string().contains(*word)));
    lines.retain(|line| field(line, "level").is_some_and(|level| level == "WARN"));
    ensure!(lines.is_empty(), "{lines:?}");
    Ok(())
}

pub(super) async fn gitpull_stores_no_tree_twice(stage: &Stage, props: &Props) -> Result<()> {
    first_push(stage, &props.rocket).await?;
    let stored = stage.artifact(&props.rocket).await?;
    let again = stage.work(WORKER, &props.rocket, "receipt").await?;
    ensure!(again.done, "the job failed");
    ensure!(stage.artifact(&props.rocket).await?.version == stored.version, "the same tree was stored again");
    Ok(())
}

pub(super) async fn gitpull_begins_with_the_pack_that_was_kept(stage: &Stage, props: &Props) -> Result<()> {
    let repo = &props.rocket;
    first_push(stage, repo).await?;
    stage.forget_clone(repo)?;
    stage.make_cold("GitPullFunction").await?;
    let run = stage.work(WORKER, repo, "receipt").await?;
    let log = stage.log_of(&run).await?;
    let received = log.iter().find_map(|line| field(line, "bytes_received")).and_then(Value::as_u64);
    let received = received.context("the log doesn't say how much was fetched")?;
    ensure!(received < 5000, "{received} bytes were fetched");
    Ok(())
}

pub(super) async fn gitpull_keeps_the_zip_of_a_commit(stage: &Stage, props: &Props) -> Result<()> {
    zipdl::is_kept(stage, &props.rocket, WORKER).await
}

pub(super) async fn gitpull_marks_the_zip_of_a_deleted_branch(stage: &Stage, props: &Props) -> Result<()> {
    zipdl::is_marked(stage, &props.rocket, WORKER).await
}

/// The last file is a Git LFS file that the host doesn't have. By then, the first part is uploaded.
pub(super) async fn gitpull_leaves_no_half_a_zip(stage: &Stage, props: &Props) -> Result<()> {
    stage.make_cold("GitPullFunction").await?;
    let job = props.large.job("lfs", &props.lfs)?;
    let run = stage.deliver(WORKER, &job, "receipt").await?;
    ensure!(!run.done, "the zip lacks a file");
    stage.has_no_upload("OutputBucket", &job.artifact_key(KeyLayout::default(), Some("main"))).await
}

/// Somebody else's object is at the pack's key: S3 reports that after all parts are uploaded.
pub(super) async fn gitpull_leaves_no_half_a_pack(stage: &Stage, props: &Props) -> Result<()> {
    stage.forget(&props.large).await?;
    let put = stage.account().s3.put_object().bucket(stage.id("CacheBucket")?).key(props.large.pack());
    put.body(b"no pack".to_vec().into()).send().await?;
    stage.make_cold("GitPullFunction").await?;
    let run = stage.work(WORKER, &props.large, "receipt").await?;
    ensure!(run.done, "the job failed");
    stage.has_no_upload("CacheBucket", &props.large.pack()).await
}

pub(super) async fn gitpull_tries_a_failed_job_again_within_seconds(stage: &Stage, props: &Props) -> Result<()> {
    zipdl::is_tried_again(stage, props, WORKER).await
}

pub(super) async fn gitpull_failed_job_becomes_dead_letter(stage: &Stage, props: &Props) -> Result<()> {
    zipdl::is_given_up(stage, props, WORKER).await
}
