//! What downloads need from zipdl.

use anyhow::{Context as _, Result, ensure};
use contract::{
    DeletedReferences, HostKind, Job, KeepCommits, KeyLayout, Repository, dead_letter::TRIES, manifest::manifest_key,
};
use local::archives::address;
use local::artifact::Artifact;

use super::Props;
use crate::stage::{Repo, Run, SECONDS, Stage};

const WORKER: &str = "ZipDl";

/// A first download, with a cold function.
async fn first_download(stage: &Stage, repo: &Repo) -> Result<Run> {
    stage.forget(repo).await?;
    stage.make_cold("ZipDlFunction").await?;
    stage.work(WORKER, repo, "receipt").await
}

pub(super) async fn zipdl_makes_a_zip_of_a_download(stage: &Stage, props: &Props) -> Result<()> {
    let run = first_download(stage, &props.probe).await?;
    ensure!(run.done, "the job failed");
    let expected = props.probe.clone.archive(&props.probe.commit).await?;
    stage.artifact(&props.probe).await?.same_tree(&expected).map(drop)
}

pub(super) async fn zipdl_downloads_no_commit_twice(stage: &Stage, props: &Props) -> Result<()> {
    first_download(stage, &props.probe).await?;
    stage.artifact(&props.probe).await?;
    let before = stage.downloads();
    let again = stage.work(WORKER, &props.probe, "receipt").await?;
    ensure!(again.done && stage.downloads() == before, "the same commit was downloaded again: {again:?}");
    Ok(())
}

pub(super) async fn zipdl_keeps_the_zip_of_a_commit(stage: &Stage, props: &Props) -> Result<()> {
    is_kept(stage, &props.probe, WORKER).await
}

/// With `KeepCommits`, the zip of a commit lies at a key of its own, too, with a tag by which it
/// expires.
pub(super) async fn is_kept(stage: &Stage, repo: &Repo, worker: &str) -> Result<()> {
    let (account, bucket) = (stage.account(), stage.id("OutputBucket")?);
    let key = repo.job("main", &repo.commit)?.commit_key(KeyLayout::default(), &repo.commit.parse()?);
    stage.forget(repo).await?;
    for key in [&key, &manifest_key(&key)] {
        account.s3.delete_object().bucket(bucket).key(key).send().await?;
    }
    let function = stage.id(&format!("{worker}Function"))?;
    account.set_variable(function, "KEEP_COMMITS", "1").await?;
    let run = stage.work(worker, repo, "receipt").await;
    account.set_variable(function, "KEEP_COMMITS", "off").await?;
    ensure!(run?.done, "the job failed");
    let kept = Artifact::get(account, bucket, &key).await?;
    ensure!(kept.zip == stage.artifact(repo).await?.zip, "the zip of the commit is another one");
    let tags = account.s3.get_object_tagging().bucket(bucket).key(&key).send().await?;
    let has_tag = tags.tag_set().iter().any(|tag| (tag.key(), tag.value()) == KeepCommits::TAG);
    ensure!(has_tag, "the zip of the commit never expires: {tags:?}");
    Ok(())
}

pub(super) async fn zipdl_marks_the_zip_of_a_deleted_branch(stage: &Stage, props: &Props) -> Result<()> {
    is_marked(stage, &props.probe, WORKER).await
}

/// With `DeletedReferences=mark`, the zip of a branch that the host doesn't have any more gets a
/// tag.
pub(super) async fn is_marked(stage: &Stage, repo: &Repo, worker: &str) -> Result<()> {
    let (account, bucket) = (stage.account(), stage.id("OutputBucket")?);
    let job = Job { commit: None, deleted: true, ..repo.job("gone", &repo.commit)? };
    let key = job.artifact_key(KeyLayout::default(), None);
    let metadata = [
        ("repository", job.repository.to_string()),
        ("commit", repo.commit.clone()),
        ("ref", job.reference.to_string()),
        ("delivery-id", "before".to_owned()),
    ];
    let put = account.s3.put_object().bucket(bucket).key(&key);
    let put = metadata.iter().fold(put, |put, (name, value)| put.metadata(*name, value));
    put.send().await?;
    stage.make_cold(&format!("{worker}Function")).await?;
    let run = stage.deliver(worker, &job, "receipt").await?;
    let tags = account.s3.get_object_tagging().bucket(bucket).key(&key).send().await?;
    account.s3.delete_object().bucket(bucket).key(&key).send().await?;
    ensure!(run.done, "the job failed");
    let is_marked = tags.tag_set().iter().any(|tag| (tag.key(), tag.value()) == DeletedReferences::TAG);
    ensure!(is_marked, "the zip of the deleted branch has no mark: {tags:?}");
    Ok(())
}

/// The archive is too long. By then, the first part is uploaded.
pub(super) async fn zipdl_leaves_no_half_a_zip(stage: &Stage, props: &Props) -> Result<()> {
    stage.make_cold("ZipDlFunction").await?;
    let job = props.large.job("download", &props.large.commit)?;
    stage.deliver(WORKER, &job, "receipt").await?;
    let key = job.artifact_key(KeyLayout::default(), Some("main"));
    let stored = Artifact::get(stage.account(), stage.id("OutputBucket")?, &key).await;
    ensure!(stored.is_err(), "the archive isn't too long");
    stage.has_no_upload("OutputBucket", &key).await
}

pub(super) async fn zipdl_tries_a_failed_job_again_within_seconds(stage: &Stage, props: &Props) -> Result<()> {
    is_tried_again(stage, props, WORKER).await
}

/// A job for a missing repository fails. A worker that can't schedule its retry leaves that to the
/// queue, which waits for minutes.
pub(super) async fn is_tried_again(stage: &Stage, props: &Props, worker: &str) -> Result<()> {
    stage.make_cold(&format!("{worker}Function")).await?;
    let job = job_that_fails(props)?;
    let (sqs, queue) = (&stage.account().sqs, stage.id(&format!("{worker}Queue"))?);
    let id = job.id();
    let send = sqs.send_message().queue_url(queue).message_body(serde_json::to_string(&job)?);
    send.message_group_id(&id).message_deduplication_id(&id).send().await?;
    let receive = || sqs.receive_message().queue_url(queue);
    let first = receive().send().await?;
    let receipt =
        first.messages().first().and_then(|message| message.receipt_handle()).context("the queue is empty")?;
    let run = stage.deliver(worker, &job, receipt).await?;
    ensure!(!run.done, "the job didn't fail");
    let wait = i32::try_from(SECONDS.as_secs())?;
    let again = receive().wait_time_seconds(wait).send().await?;
    let last = again.messages().first().and_then(|message| message.receipt_handle());
    sqs.delete_message().queue_url(queue).receipt_handle(last.unwrap_or(receipt)).send().await?;
    ensure!(last.is_some(), "the job didn't come again within {wait} s");
    Ok(())
}

pub(super) async fn zipdl_failed_job_becomes_dead_letter(stage: &Stage, props: &Props) -> Result<()> {
    is_given_up(stage, props, WORKER).await
}

/// After the last try, the job is moved to the dead-letter queue, where a person finds it.
pub(super) async fn is_given_up(stage: &Stage, props: &Props, worker: &str) -> Result<()> {
    stage.make_cold(&format!("{worker}Function")).await?;
    let job = job_that_fails(props)?;
    let run = stage.deliver_again(worker, &job, "receipt", TRIES).await?;
    let messages = stage.account().dead_letters(stage.id(&format!("{worker}DeadLetterQueue"))?).await?;
    let is_there = messages.iter().any(|(message, _)| message["delivery"] == job.delivery.as_str());
    ensure!(run.done && is_there, "the job isn't in the dead-letter queue: {run:?}");
    Ok(())
}

/// A job for a missing repository.
fn job_that_fails(props: &Props) -> Result<Job> {
    let mut job = props.rocket.job("main", &props.rocket.commit)?;
    job.repository = Repository::new(address(HostKind::GitHub).to_string().parse()?, "acme/gone".parse()?);
    Ok(job)
}
