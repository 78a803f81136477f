//! What the bucket has of a push: the versions at its key, and the manifest beside it. Objects
//! themselves are never read: who may look at a stack needn't be allowed to read the code in it.

use aws_sdk_s3::types::ObjectVersion;
use contract::manifest::manifest_key;
use deployment::account::Account;
use deployment::call_error::CallError;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::logs::Record;

/// The maximum number of pages of versions, of 1,000 each.
const PAGES: usize = 10;

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// The commit.
    pub commit: String,
    /// The address of the zip, `s3://bucket/key`; unknown if nothing had to be stored.
    pub artifact: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its size in bytes.
    pub bytes: Option<i64>,
    /// Its SHA-256, by the manifest.
    pub sha256: Option<String>,
    /// The address of the zip that is kept of the commit, with `KeepCommits`.
    pub kept: Option<String>,
    /// What has become of it.
    pub now: Option<Now>,
}

/// What has become of a stored version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Now {
    /// It is the current one.
    Current,
    /// Another one has replaced it.
    Replaced {
        /// The current version.
        by: Option<String>,
    },
    /// It was removed.
    Removed,
}

impl Stored {
    /// What a worker's line says; `None` if it names no commit.
    pub(super) fn told_by(record: &Record) -> Option<Self> {
        let text = |name: &str| record.text(name).map(str::to_owned);
        let artifact = text("artifact");
        let bucket = artifact.as_deref().and_then(parts).map(|(bucket, _)| bucket);
        let kept = record.text("kept").zip(bucket).map(|(key, bucket)| format!("s3://{bucket}/{key}"));
        let bytes = record.fields["zip_bytes"].as_i64().filter(|bytes| *bytes > 0);
        let (commit, version) = (text("commit")?, text("version"));
        Some(Self { commit, artifact, version, bytes, sha256: None, kept, now: None })
    }

    /// Adds what the bucket has of it now.
    ///
    /// # Errors
    /// AWS could not be asked, or refused.
    pub(super) async fn look(&mut self, account: &Account) -> Result<(), CallError> {
        let Some((bucket, key)) = self.artifact.as_deref().and_then(parts) else { return Ok(()) };
        let manifest = async {
            match self.kept.as_deref().and_then(parts) {
                Some((bucket, kept)) => manifest(account, bucket, kept).await,
                None => None,
            }
        };
        let (versions, manifest) = tokio::join!(versions(account, bucket, key), manifest);
        let (versions, is_complete) = versions?;
        let own = versions.iter().find(|one| one.version_id() == self.version.as_deref());
        self.now = match own {
            Some(own) if own.is_latest() == Some(true) => Some(Now::Current),
            Some(_) => Some(Now::Replaced { by: latest(&versions) }),
            None if self.version.is_none() || !is_complete => None,
            None => Some(Now::Removed),
        };
        self.bytes = self.bytes.or_else(|| own?.size());
        let of_commit = manifest.filter(|manifest| manifest["commit"] == *self.commit);
        self.sha256 = of_commit.and_then(|manifest| manifest["sha256"].as_str().map(str::to_owned));
        Ok(())
    }
}

fn latest(versions: &[ObjectVersion]) -> Option<String> {
    let latest = versions.iter().find(|one| one.is_latest() == Some(true));
    latest.and_then(|one| one.version_id().map(str::to_owned))
}

/// The bucket and the key of an address.
fn parts(address: &str) -> Option<(&str, &str)> {
    address.strip_prefix("s3://")?.split_once('/')
}

/// The versions of an object, newest first, and whether these are all.
pub(super) async fn versions(
    account: &Account,
    bucket: &str,
    key: &str,
) -> Result<(Vec<ObjectVersion>, bool), CallError> {
    let (mut found, mut markers) = (Vec::new(), (None, None));
    for _ in 0..PAGES {
        let request = account.s3.list_object_versions().bucket(bucket).prefix(key);
        let (key_marker, version_marker) = markers;
        let page = request.set_key_marker(key_marker).set_version_id_marker(version_marker).send().await;
        let page = page.map_err(|error| CallError::new(format!("list the versions of s3://{bucket}/{key}"), error))?;
        let is_last = page.is_truncated() != Some(true)
            || page.versions().last().is_some_and(|version| version.key().is_some_and(|other| other > key));
        markers = (page.next_key_marker.clone(), page.next_version_id_marker.clone());
        found.extend(page.versions.unwrap_or_default().into_iter().filter(|version| version.key() == Some(key)));
        if is_last {
            return Ok((found, true));
        }
    }
    Ok((found, false))
}

/// The manifest beside a zip. Without one, or without the right to read it, the rest is still
/// told.
pub(super) async fn manifest(account: &Account, bucket: &str, zip: &str) -> Option<Value> {
    let answer = account.s3.get_object().bucket(bucket).key(manifest_key(zip)).send().await.ok()?;
    let body = answer.body.collect().await.ok()?;
    serde_json::from_slice(&body.into_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_names_bucket_key_and_version() {
        let line = r#"{"message":"stored","commit":"1a","artifact":"s3://zips/acme/rocket/acme_rocket.zip","version":"v1","kept":"acme/rocket/commit/1a/acme_rocket.zip","zip_bytes":512}"#;
        let record = &Record::read("gitpull", line, 7)[0];
        let stored = Stored::told_by(record).unwrap();
        assert_eq!(stored.kept.as_deref(), Some("s3://zips/acme/rocket/commit/1a/acme_rocket.zip"));
        assert_eq!((stored.version.as_deref(), stored.bytes), (Some("v1"), Some(512)));
        assert_eq!(parts("s3://zips/a/b.zip"), Some(("zips", "a/b.zip")));
        let gone = &Record::read("gitpull", r#"{"message":"nothing left to do","error":"gone"}"#, 7)[0];
        assert_eq!(Stored::told_by(gone), None);
    }
}
