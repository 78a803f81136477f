//! Failures: they are reported, retried if that can help, and leave nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails a test")]

mod aws;
mod deliveries;
mod host;
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName;
use deployment::deploy::{self, DeployError, Deployment, Template};
use deployment::render::progress::Silent;
use local::aws::Account;
use local::custom_resource::{self, RequestType};
use local::local::{Local, STACK};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

fn scratch() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the test")
}

/// Stores `count` small objects under a few keys, so that nearly all are old versions.
async fn put_versions(account: &Account, bucket: &str, count: usize) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (s3, bucket) = (account.s3.clone(), bucket.to_owned());
        let share = count / 8 + usize::from(writer < count % 8);
        writers.spawn(async move {
            for _ in 0..share {
                let key = format!("acme/rocket/{writer}.zip");
                s3.put_object()
                    .bucket(&bucket)
                    .key(key)
                    .body(b"x".to_vec().into())
                    .send()
                    .await
                    .expect("put an object");
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_job_reaches_dead_letter_queue() {
    let dir = scratch();
    let (mut local, stack) = Local::with_stack(dir.path()).await.unwrap();
    let account = local.cloud.account.clone();
    let resources = account.resources(STACK).await.unwrap();
    let (queue, dead) = (resources.id("GitPullQueue").unwrap(), resources.id("GitPullDeadLetterQueue").unwrap());
    // Only waiting is shortened: a job is hidden for minutes while it may be in progress.
    let patience =
        account.sqs.set_queue_attributes().queue_url(queue).attributes(QueueAttributeName::VisibilityTimeout, "1");
    patience.send().await.unwrap();

    let clone = local.host.create("acme/rocket").await.unwrap();
    clone.commit("First").await.unwrap();
    local.sshd.replace_host_key().await.unwrap();
    local.host.trust(&local.sshd).unwrap();
    let said = clone.push(&["main"]).await.unwrap();
    assert!(said.contains(": 202"), "{said}");

    let deadline = Instant::now() + Duration::from_mins(1);
    // The worker first sends the message to the dead-letter queue, and then deletes it from its
    // own.
    while account.messages(dead).await.unwrap() == 0 || account.messages(queue).await.unwrap() > 0 {
        assert!(Instant::now() < deadline, "not moved; the log: {:?}", account.log_lines().await.unwrap());
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(account.messages(dead).await.unwrap(), 1);
    assert!(account.versions(stack.output("OutputBucketName").unwrap()).await.unwrap().is_empty());

    let fingerprint = local.sshd.fingerprint().unwrap();
    let lines = account.log_lines().await.unwrap();
    let failures: Vec<String> = lines.iter().map(Value::to_string).filter(|line| line.contains(&fingerprint)).collect();
    assert_eq!(failures.len(), 3, "it has to be tried three times: {failures:?}");
    assert!(failures.iter().all(|failure| failure.contains("127.0.0.1")), "{failures:?}");
    let [(job, Some(reason))] = &account.dead_letters(dead).await.unwrap()[..] else { panic!("not one with a reason") };
    assert_eq!(job["repository"]["path"], "acme/rocket");
    assert!(reason.contains(&fingerprint) && reason.contains("KnownHosts parameter"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_custom_resource_rolls_back_cleanly() {
    let dir = scratch();
    let local = Local::tied(dir.path()).await.unwrap();
    local.packaged().unwrap();
    let account = &local.cloud.account;
    let (parameters, _) = local.parameters().unwrap();
    // KMS refuses: the role may use the key only for something else.
    let text = local.template().unwrap().text().replace("\"git-ssh-key\"", "\"something-else\"");
    let template = Template::parse(text).unwrap();
    let deployment = Deployment {
        stack_name: STACK.to_owned(),
        template,
        dist: local.dist(),
        parameters,
        tags: BTreeMap::new(),
        role: None,
    };

    let begun = Instant::now();
    let error = deploy::deploy(&account.config, &deployment, &mut Silent).await.unwrap_err();
    // For most of a minute, the permission could still have arrived.
    assert!(begun.elapsed() < Duration::from_mins(2), "{:?}", begun.elapsed());
    let DeployError::Failed { status, failure, .. } = error else { panic!("{error:?}") };
    assert_eq!(failure.logical_id, "SshKey", "{failure:?}");
    assert!(failure.reason.contains("KMS") || failure.reason.contains("kms:"), "{}", failure.reason);
    assert!(failure.reason.contains("the permission was missing for"), "{}", failure.reason);
    assert_eq!(status, "ROLLBACK_COMPLETE");

    let buckets = account.s3.list_buckets().send().await.unwrap();
    let names: Vec<_> = buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert!(names.iter().all(|name| !name.starts_with(STACK) || name.contains("assets")), "{names:?}");
    local.destroy(STACK, &mut Silent).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stack_deletion_removes_thousands_of_versions() {
    let dir = scratch();
    let (local, stack) = Local::with_stack(dir.path()).await.unwrap();
    let account = &local.cloud.account;
    let bucket = stack.output("OutputBucketName").unwrap();
    let resources = account.resources(STACK).await.unwrap();
    let buckets = resources.of_type("AWS::S3::Bucket");
    assert_eq!(buckets.len(), 3);

    // Calls the cleaner like CloudFormation: a stack's deletion proves nothing here, because
    // MiniStack deletes buckets that aren't empty.
    put_versions(account, bucket, 2_500).await;
    account.s3.delete_object().bucket(bucket).key("acme/rocket/0.zip").send().await.unwrap();
    let upload = account.s3.create_multipart_upload().bucket(bucket).key("half").send().await.unwrap();
    assert!(upload.upload_id().is_some());
    assert_eq!(account.versions(bucket).await.unwrap().len(), 2_501, "versions and a delete marker");
    let cache = resources.id("CacheBucket").unwrap();
    put_versions(account, cache, 16).await;
    let packs = account.versions(cache).await.unwrap();
    assert_eq!(packs.len(), 8, "no versions");
    assert!(packs.iter().all(|(_, version)| version == "null"), "{packs:?}");
    let cleaner = resources.of_type("AWS::Lambda::Function").into_iter().find(|name| name.contains("Cleaner")).unwrap();
    let answer = custom_resource::request(
        account,
        &cleaner,
        RequestType::Delete,
        "bucket-cleaner",
        json!({ "Buckets": buckets }),
    )
    .await
    .unwrap();
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    for bucket in &buckets {
        assert!(account.versions(bucket).await.unwrap().is_empty(), "{bucket}");
        let uploads = account.s3.list_multipart_uploads().bucket(bucket).send().await.unwrap();
        assert!(uploads.uploads().is_empty(), "{bucket}");
    }

    // The same during the deletion of the stack, before the buckets are deleted.
    put_versions(account, bucket, 2_500).await;
    let id = account.cloudformation.describe_stacks().stack_name(STACK).send().await.unwrap();
    let id = id.stacks()[0].stack_id().unwrap().to_owned();
    local.destroy(STACK, &mut Silent).await.unwrap();
    let left = account.s3.list_buckets().send().await.unwrap();
    assert!(left.buckets().iter().all(|left| !buckets.contains(&left.name().unwrap().to_owned())));
    let events = account.cloudformation.describe_stack_events().stack_name(&id).send().await.unwrap();
    let deleted: Vec<_> = events.stack_events().iter().rev().collect();
    let position = |logical: &str, status: &str| {
        let is = |event: &&aws_sdk_cloudformation::types::StackEvent| {
            event.logical_resource_id() == Some(logical)
                && event.resource_status().is_some_and(|is| is.as_str() == status)
        };
        deleted.iter().position(is).unwrap_or_else(|| panic!("{logical} was never {status}"))
    };
    for bucket in ["OutputBucket", "KeyBucket", "CacheBucket"] {
        assert!(position("BucketCleaner", "DELETE_COMPLETE") < position(bucket, "DELETE_COMPLETE"), "{bucket}");
    }
}
