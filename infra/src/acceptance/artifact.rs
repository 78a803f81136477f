//! Reads and checks the zip of a push as its consumers would.

use std::collections::HashMap;
use std::io::Cursor;

use contract::{CommitId, Repository};
use zip::ZipArchive;

use deployment::account::Account;
use deployment::call_error::CallError;

/// The names of the metadata that every artifact has.
const COMMIT: &str = "commit";
const REPOSITORY: &str = "repository";
const REFERENCE: &str = "ref";
const SUMMARY: &str = "codepipeline-artifact-revision-summary";

/// What is wrong with a zip.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// AWS could not be asked, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The object can't be read to its end.
    #[error("cannot read s3://{bucket}/{key}")]
    Read {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// What failed.
        source: aws_sdk_s3::primitives::ByteStreamError,
    },
    /// The object's metadata is not what it should be.
    #[error("{key} says {name}={found:?}, expected {expected}")]
    Metadata {
        /// The object's key.
        key: String,
        /// The name of the metadata.
        name: &'static str,
        /// What it says.
        found: Option<String>,
        /// What it should say.
        expected: String,
    },
    /// The object is not a zip.
    #[error("{key} is no zip that can be listed")]
    Zip {
        /// The object's key.
        key: String,
        /// What is wrong.
        source: zip::result::ZipError,
    },
    /// The zip is empty.
    #[error("{0} is an empty zip")]
    Empty(String),
}

/// The keys of a repository's stored objects, in either layout.
pub(super) async fn keys(account: &Account, bucket: &str, repository: &Repository) -> Result<Vec<String>, CallError> {
    let mut found = Vec::new();
    for prefix in [format!("{}/", repository.path), format!("{repository}/")] {
        let listed = account.s3.list_objects_v2().bucket(bucket).prefix(prefix).send().await;
        let listed = listed.map_err(|error| CallError::new(format!("list bucket {bucket}"), error))?;
        found.extend(listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
    }
    Ok(found)
}

/// Deletes a repository's zips, so that the next one is known to be new. The bucket is versioned:
/// they are only hidden.
pub(super) async fn hide(account: &Account, bucket: &str, repository: &Repository) -> Result<(), CallError> {
    for key in keys(account, bucket, repository).await? {
        let deleted = account.s3.delete_object().bucket(bucket).key(&key).send().await;
        deleted.map_err(|error| CallError::new(format!("delete s3://{bucket}/{key}"), error))?;
    }
    Ok(())
}

/// Downloads a zip, checks it and returns a summary.
pub(super) async fn look(
    account: &Account,
    bucket: &str,
    key: &str,
    repository: &Repository,
    branch: &str,
) -> Result<String, ArtifactError> {
    let object = account.s3.get_object().bucket(bucket).key(key).send().await;
    let object = object.map_err(|error| CallError::new(format!("get s3://{bucket}/{key}"), error))?;
    let metadata = object.metadata.unwrap_or_default();
    let content_type = object.content_type.clone();
    let body = object.body.collect().await;
    let body = body.map_err(|source| ArtifactError::Read { bucket: bucket.to_owned(), key: key.to_owned(), source })?;
    let body = body.into_bytes();

    let commit = check(key, content_type, &metadata, repository, branch)?;
    let zip = ZipArchive::new(Cursor::new(&body));
    let zip = zip.map_err(|source| ArtifactError::Zip { key: key.to_owned(), source })?;
    if zip.is_empty() {
        return Err(ArtifactError::Empty(key.to_owned()));
    }
    Ok(format!("{key}: {} entries, {} bytes, commit {:.10}", zip.len(), body.len(), commit.as_str()))
}

/// Checks the metadata and returns the commit that it names.
fn check(
    key: &str,
    content_type: Option<String>,
    metadata: &HashMap<String, String>,
    repository: &Repository,
    branch: &str,
) -> Result<CommitId, ArtifactError> {
    let wrong = |name, found, expected: &str| {
        Err(ArtifactError::Metadata { key: key.to_owned(), name, found, expected: expected.to_owned() })
    };
    let told = |name: &str| metadata.get(name).cloned();
    if content_type.as_deref() != Some("application/zip") {
        return wrong("content-type", content_type, "application/zip");
    }
    for (name, expected) in [(REPOSITORY, repository.to_string()), (REFERENCE, format!("refs/heads/{branch}"))] {
        // Hosts with case-insensitive names report their own spelling.
        if !told(name).is_some_and(|found| found.eq_ignore_ascii_case(&expected)) {
            return wrong(name, told(name), &expected);
        }
    }
    if told(SUMMARY).is_none() {
        return wrong(SUMMARY, None, "the first line of the commit's message");
    }
    match told(COMMIT).map(|commit| commit.parse::<CommitId>()) {
        Some(Ok(commit)) => Ok(commit),
        _ => wrong(COMMIT, told(COMMIT), "the id of a commit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_artifact_metadata_is_refused() {
        let repository = "github.com/acme/rocket".parse().unwrap();
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let right = [
            (REPOSITORY, "github.com/acme/rocket"),
            (REFERENCE, "refs/heads/main"),
            (COMMIT, commit),
            (SUMMARY, "Build a rocket"),
        ];
        let checked = |change: Option<(&str, &str)>| {
            let changed = right.into_iter().chain(change).map(|(name, value)| (name.to_owned(), value.to_owned()));
            let kind = Some("application/zip".to_owned());
            check("k", kind, &changed.collect(), &repository, "main").map(|commit| commit.as_str().to_owned())
        };
        assert_eq!(checked(None).unwrap(), commit);
        for wrong in [(REPOSITORY, "github.com/acme/other"), (REFERENCE, "refs/heads/x"), (COMMIT, "x")] {
            let error = checked(Some(wrong)).unwrap_err().to_string();
            assert!(error.contains(wrong.0) && error.contains(wrong.1), "{error}");
        }
        assert!(check("k", None, &HashMap::new(), &repository, "main").is_err());
    }
}
