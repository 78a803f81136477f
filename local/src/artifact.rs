//! The zip in the bucket, as its user sees it.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::aws::Account;
use crate::tree::Tree;

/// An object written by the stack.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Its content.
    pub zip: Vec<u8>,
    /// Its user metadata.
    pub metadata: HashMap<String, String>,
    /// Its version.
    pub version: String,
    /// Its media type.
    pub content_type: Option<String>,
}

impl Artifact {
    /// Waits until the object at `key` is the zip of `commit`.
    ///
    /// # Errors
    /// It isn't within `patience`. The error contains the functions' logs.
    pub async fn wait(account: &Account, bucket: &str, key: &str, commit: &str, patience: Duration) -> Result<Self> {
        let deadline = Instant::now() + patience;
        loop {
            let head = account.s3.head_object().bucket(bucket).key(key).send().await;
            let found = head.ok().and_then(|head| head.metadata.and_then(|mut data| data.remove("commit")));
            if found.as_deref() == Some(commit) {
                return Self::get(account, bucket, key).await;
            }
            if Instant::now() > deadline {
                let log: Vec<String> = account.log_lines().await?.iter().map(Value::to_string).collect();
                bail!(
                    "s3://{bucket}/{key} isn't the zip of {commit} after {} s but {found:?}; the log:\n{}",
                    patience.as_secs(),
                    log.join("\n")
                );
            }
            sleep(Duration::from_millis(25)).await;
        }
    }

    /// Downloads an object.
    ///
    /// # Errors
    /// It doesn't exist.
    pub async fn get(account: &Account, bucket: &str, key: &str) -> Result<Self> {
        let object = account.s3.get_object().bucket(bucket).key(key).send().await;
        let object = object.with_context(|| format!("get s3://{bucket}/{key}"))?;
        let metadata = object.metadata.clone().unwrap_or_default();
        let version = object.version_id.clone().unwrap_or_default();
        let content_type = object.content_type.clone();
        let zip = object.body.collect().await.context("download the zip")?.to_vec();
        Ok(Self { zip, metadata, version, content_type })
    }

    /// Compares the zip with `git archive`'s tar of the same commit. Returns the tree.
    ///
    /// # Errors
    /// They differ. The error lists every differing path.
    pub fn same_tree(&self, archive: &[u8]) -> Result<Tree> {
        let (zip, tar) = (Tree::of_zip(&self.zip)?, Tree::of_tar(archive)?);
        let differences = zip.differences(&tar);
        ensure!(differences.is_empty(), "the zip's tree isn't git archive's:\n{}", differences.join("\n"));
        Ok(zip)
    }
}

/// The bytes that the worker received over SSH for the zip of `commit`, from its log.
///
/// # Errors
/// The log doesn't contain it within ten seconds.
pub async fn bytes_received(account: &Account, commit: &str) -> Result<u64> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let lines = account.log_lines().await?;
        let of_commit = lines.iter().rev().filter(|line| field(line, "commit").and_then(Value::as_str) == Some(commit));
        if let Some(bytes) = of_commit.filter_map(|line| field(line, "bytes_received")).find_map(Value::as_u64) {
            return Ok(bytes);
        }
        ensure!(Instant::now() < deadline, "the log doesn't say how much was fetched for {commit}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// A field of a log line, wherever the formatter puts it.
pub fn field<'a>(line: &'a Value, name: &str) -> Option<&'a Value> {
    let object = line.as_object()?;
    object.get(name).or_else(|| object.values().find_map(|value| field(value, name)))
}
