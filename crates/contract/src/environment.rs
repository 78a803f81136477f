//! The environment of each function: one struct that the template writes and the function reads.
//!
//! A field's variable is its name in upper case: `output_bucket` is `OUTPUT_BUCKET`. A missing
//! variable doesn't compile:
//!
//! ```compile_fail,E0063
//! use aws_names::SecretId;
//! use contract::{environment::ZipDlEnvironment, side::Side};
//!
//! fn environment<S: Side>(credentials: S::Of<SecretId>) -> ZipDlEnvironment<S> {
//!     ZipDlEnvironment { credentials } // missing fields `allowed_hosts`, `ca_bundle`, `dead_letter_queue` and 7 other fields
//! }
//! ```
//!
//! During a stack update, new code runs with the old environment for seconds, and old code with the
//! new one. So a variable that the last release lacks gets a default in [`OF_OLDER`], and variables
//! that the last release reads are still written in its syntax. `tests/released.rs` compares this
//! file with the last release's contract in `released/environment.json`.

use std::collections::BTreeSet;

use aws_names::{BucketName, KeyId, QueueUrl, SecretId};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, value::MapDeserializer},
};

use crate::{
    custom::KeyType,
    side::{Runtime, Side},
};

/// The environment of the webhook function.
#[derive(Debug, Serialize, Deserialize)]
#[serde(
    rename_all = "SCREAMING_SNAKE_CASE",
    bound(
        serialize = "S::Of<SecretId>: Serialize, S::Of<QueueUrl>: Serialize, S::Of<String>: Serialize",
        deserialize = "S::Of<SecretId>: Deserialize<'de>, S::Of<QueueUrl>: Deserialize<'de>, S::Of<String>: Deserialize<'de>"
    )
)]
pub struct WebhookEnvironment<S: Side> {
    /// The secret with the webhook secrets, separated by commas. It always exists: without the
    /// `ApiSecret` parameter, the template generates a random one.
    pub api_secret: S::Of<SecretId>,
    /// gitpull's queue.
    pub gitpull_queue: S::Of<QueueUrl>,
    /// zipdl's queue.
    pub zipdl_queue: S::Of<QueueUrl>,
    /// The `AllowedIps` parameter, see [`crate::AllowedIps`].
    pub allowed_ips: S::Of<String>,
    /// The `Repositories` parameter, see [`crate::Repositories`].
    pub repositories: S::Of<String>,
    /// The `Refs` parameter, see [`crate::Refs`].
    pub refs: S::Of<String>,
    /// The `MinimumSignature` parameter: `sha1` or `sha256`.
    pub minimum_signature: S::Of<String>,
    /// The `AllowedGitHosts` parameter, see [`crate::AllowedHosts`].
    pub allowed_hosts: S::Of<String>,
}

/// The key prefix of packs in the cache bucket, before `{host}/{repository}.pack`.
pub const PACK_PREFIX: &str = "packs/";

/// The environment of the gitpull function.
#[derive(Debug, Serialize, Deserialize)]
#[serde(
    rename_all = "SCREAMING_SNAKE_CASE",
    bound(
        serialize = "S::Of<BucketName>: Serialize, S::Of<KeyId>: Serialize, S::Of<QueueUrl>: Serialize, S::Of<String>: Serialize",
        deserialize = "S::Of<BucketName>: Deserialize<'de>, S::Of<KeyId>: Deserialize<'de>, S::Of<QueueUrl>: Deserialize<'de>, S::Of<String>: Deserialize<'de>"
    )
)]
pub struct GitPullEnvironment<S: Side> {
    /// The bucket with the encrypted SSH key.
    pub key_bucket: S::Of<BucketName>,
    /// The key of the object in it: [`crate::custom::SshKeyData::object_key`]. A new SSH key
    /// changes it, so that no warm function keeps using the old key.
    pub key_object: S::Of<String>,
    /// The KMS key that encrypts the SSH key.
    pub kms_key: S::Of<KeyId>,
    /// The stack name, part of the encryption context.
    pub stack_name: S::Of<String>,
    /// The bucket for artifacts.
    pub output_bucket: S::Of<BucketName>,
    /// The bucket that caches packs for functions that start with an empty disk, see
    /// [`PACK_PREFIX`].
    pub cache_bucket: S::Of<BucketName>,
    /// The queue that the jobs come from, to extend a job's visibility timeout and to schedule its
    /// retry.
    pub queue: S::Of<QueueUrl>,
    /// The queue for jobs that are given up.
    pub dead_letter_queue: S::Of<QueueUrl>,
    /// The `AllowedGitHosts` parameter, see [`crate::AllowedHosts`].
    pub allowed_hosts: S::Of<String>,
    /// The `KeyLayout` parameter, see [`crate::KeyLayout`].
    pub key_layout: S::Of<String>,
    /// The `KeepCommits` parameter, see [`crate::KeepCommits`].
    pub keep_commits: S::Of<String>,
    /// The `DeletedReferences` parameter, see [`crate::DeletedReferences`].
    pub deleted_references: S::Of<String>,
    /// The `KnownHosts` parameter: lines of an OpenSSH `known_hosts` file.
    pub known_hosts: S::Of<String>,
    /// The secret that holds [`crate::ProviderCredentials`], with `FetchOver=https`. Else empty:
    /// everything is fetched over SSH.
    pub tokens: S::Of<String>,
    /// The `GitHubAppHost` parameter: repositories of this host are fetched with the App's tokens.
    pub github_app_host: S::Of<String>,
    /// The `GitHubAppId` parameter: an ID or a client ID. Empty: there is no App.
    pub github_app_id: S::Of<String>,
    /// The `GitHubAppKey` parameter: the ARN of the KMS key that signs for the App.
    pub github_app_key: S::Of<String>,
    /// The secret that holds [`crate::ProviderCredentials`], with `CommitStatus=on`. Else empty: no
    /// statuses are set.
    pub status_tokens: S::Of<String>,
    /// The `ExcludeGit` parameter: `True` or `False`.
    pub exclude_git: S::Of<String>,
    /// The `Submodules` parameter: `on` or `off`.
    pub submodules: S::Of<String>,
    /// The `Lfs` parameter: `on` or `off`.
    pub lfs: S::Of<String>,
    /// The `CaBundle` parameter: PEM certificates of additional authorities.
    pub ca_bundle: S::Of<String>,
    /// The `Paths` parameter: globs of the files that go into the zip, separated by commas.
    pub paths: S::Of<String>,
}

/// The environment of the zipdl function.
#[derive(Debug, Serialize, Deserialize)]
#[serde(
    rename_all = "SCREAMING_SNAKE_CASE",
    bound(
        serialize = "S::Of<BucketName>: Serialize, S::Of<SecretId>: Serialize, S::Of<QueueUrl>: Serialize, S::Of<String>: Serialize",
        deserialize = "S::Of<BucketName>: Deserialize<'de>, S::Of<SecretId>: Deserialize<'de>, S::Of<QueueUrl>: Deserialize<'de>, S::Of<String>: Deserialize<'de>"
    )
)]
pub struct ZipDlEnvironment<S: Side> {
    /// The secret that holds [`crate::ProviderCredentials`].
    pub credentials: S::Of<SecretId>,
    /// The bucket for artifacts.
    pub output_bucket: S::Of<BucketName>,
    /// The queue that the jobs come from, to extend a job's visibility timeout and to schedule its
    /// retry.
    pub queue: S::Of<QueueUrl>,
    /// The queue for jobs that are given up.
    pub dead_letter_queue: S::Of<QueueUrl>,
    /// The `AllowedGitHosts` parameter, see [`crate::AllowedHosts`].
    pub allowed_hosts: S::Of<String>,
    /// The `KeyLayout` parameter, see [`crate::KeyLayout`].
    pub key_layout: S::Of<String>,
    /// The `KeepCommits` parameter, see [`crate::KeepCommits`].
    pub keep_commits: S::Of<String>,
    /// The `DeletedReferences` parameter, see [`crate::DeletedReferences`].
    pub deleted_references: S::Of<String>,
    /// The `CaBundle` parameter: PEM certificates of additional authorities.
    pub ca_bundle: S::Of<String>,
    /// The `MaxArchiveBytes` parameter: the largest archive, in bytes.
    pub max_archive_bytes: S::Of<String>,
    /// The stack's name, with `CommitStatus=on`: the statuses of several stacks are told apart by
    /// it. Else empty: no statuses are set.
    pub status_stack: S::Of<String>,
}

/// The environment of the ssh-key function, for the keys of repositories. The stack's own key comes
/// with the properties of its custom resource.
#[derive(Debug, Serialize, Deserialize)]
#[serde(
    rename_all = "SCREAMING_SNAKE_CASE",
    bound(
        serialize = "S::Of<BucketName>: Serialize, S::Of<KeyId>: Serialize, S::Of<KeyType>: Serialize, S::Of<String>: Serialize",
        deserialize = "S::Of<BucketName>: Deserialize<'de>, S::Of<KeyId>: Deserialize<'de>, S::Of<KeyType>: Deserialize<'de>, S::Of<String>: Deserialize<'de>"
    )
)]
pub struct SshKeyEnvironment<S: Side> {
    /// The bucket for the encrypted private keys.
    pub key_bucket: S::Of<BucketName>,
    /// The KMS key that encrypts them.
    pub kms_key: S::Of<KeyId>,
    /// The type of new keys.
    pub key_type: S::Of<KeyType>,
    /// The stack name, part of the encryption context.
    pub stack_name: S::Of<String>,
}

/// The environment of the reconciler. What doesn't fit into it comes with the events of its
/// schedule.
#[derive(Debug, Serialize, Deserialize)]
#[serde(
    rename_all = "SCREAMING_SNAKE_CASE",
    bound(
        serialize = "S::Of<BucketName>: Serialize, S::Of<KeyId>: Serialize, S::Of<SecretId>: Serialize, S::Of<QueueUrl>: Serialize, S::Of<String>: Serialize",
        deserialize = "S::Of<BucketName>: Deserialize<'de>, S::Of<KeyId>: Deserialize<'de>, S::Of<SecretId>: Deserialize<'de>, S::Of<QueueUrl>: Deserialize<'de>, S::Of<String>: Deserialize<'de>"
    )
)]
pub struct ReconcilerEnvironment<S: Side> {
    /// The bucket with the encrypted SSH keys.
    pub key_bucket: S::Of<BucketName>,
    /// The key of the object with the stack's.
    pub key_object: S::Of<String>,
    /// The KMS key that encrypts them.
    pub kms_key: S::Of<KeyId>,
    /// The stack name, part of the encryption context.
    pub stack_name: S::Of<String>,
    /// The bucket for artifacts.
    pub output_bucket: S::Of<BucketName>,
    /// The bucket for what a run tells the next one.
    pub cache_bucket: S::Of<BucketName>,
    /// gitpull's queue.
    pub gitpull_queue: S::Of<QueueUrl>,
    /// zipdl's queue.
    pub zipdl_queue: S::Of<QueueUrl>,
    /// The secret that holds [`crate::ProviderCredentials`], for repositories that zipdl downloads.
    pub credentials: S::Of<SecretId>,
    /// The secret with the webhook secrets, with `Submodules=on`: their globs limit what else a job
    /// fetches. Else empty.
    pub api_secret: S::Of<String>,
    /// The `AllowedGitHosts` parameter, see [`crate::AllowedHosts`].
    pub allowed_hosts: S::Of<String>,
    /// The `KeyLayout` parameter, see [`crate::KeyLayout`].
    pub key_layout: S::Of<String>,
    /// The `KnownHosts` parameter: lines of an OpenSSH `known_hosts` file.
    pub known_hosts: S::Of<String>,
    /// As gitpull has it: the secret with the tokens, with `FetchOver=https`. Else empty.
    pub tokens: S::Of<String>,
    /// The `GitHubAppHost` parameter.
    pub github_app_host: S::Of<String>,
    /// The `GitHubAppId` parameter. Empty: there is no App.
    pub github_app_id: S::Of<String>,
    /// The `GitHubAppKey` parameter.
    pub github_app_key: S::Of<String>,
}

/// The prefix of what the reconciler keeps in the cache bucket.
pub const RECONCILER_PREFIX: &str = "runs/";

/// Why a function's environment is invalid.
#[derive(Debug, thiserror::Error)]
#[error("the function's environment is invalid")]
pub struct EnvironmentError(#[source] serde::de::value::Error);

impl WebhookEnvironment<Runtime> {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, EnvironmentError> {
        from_variables(process_variables())
    }
}

impl GitPullEnvironment<Runtime> {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, EnvironmentError> {
        from_variables(process_variables())
    }
}

impl SshKeyEnvironment<Runtime> {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, EnvironmentError> {
        from_variables(process_variables())
    }
}

impl ZipDlEnvironment<Runtime> {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, EnvironmentError> {
        from_variables(process_variables())
    }
}

impl ReconcilerEnvironment<Runtime> {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, EnvironmentError> {
        from_variables(process_variables())
    }
}

fn process_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The default of a variable that an older stack doesn't set.
pub const OF_OLDER: [(&str, &str); 9] = [
    ("DELETED_REFERENCES", "keep"),
    ("GITHUB_APP_HOST", ""),
    ("GITHUB_APP_ID", ""),
    ("GITHUB_APP_KEY", ""),
    ("KEEP_COMMITS", "off"),
    ("KEY_LAYOUT", "path"),
    ("STATUS_STACK", ""),
    ("STATUS_TOKENS", ""),
    ("TOKENS", ""),
];

/// Parses an environment from its variables.
pub fn from_variables<T: DeserializeOwned>(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<T, EnvironmentError> {
    let variables: Vec<_> = variables.into_iter().collect();
    let there: BTreeSet<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
    let older = OF_OLDER.into_iter().filter(|(name, _)| !there.contains(name));
    let older: Vec<_> = older.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    T::deserialize(MapDeserializer::new(variables.into_iter().chain(older))).map_err(EnvironmentError)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    const WEBHOOK: [(&str, &str); 9] = [
        ("API_SECRET", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:git2s3-AbCdEf"),
        ("GITPULL_QUEUE", "https://sqs.eu-west-1.amazonaws.com/111122223333/gitpull.fifo"),
        ("ZIPDL_QUEUE", "https://sqs.eu-west-1.amazonaws.com/111122223333/zipdl.fifo"),
        ("ALLOWED_IPS", "bitbucket.org=18.205.93.0/25"),
        ("REPOSITORIES", ""),
        ("REFS", "main"),
        ("MINIMUM_SIGNATURE", "sha256"),
        ("ALLOWED_HOSTS", "github.com"),
        ("PATH", "/usr/bin"),
    ];

    fn read(variables: &[(&str, &str)]) -> Result<WebhookEnvironment<Runtime>, EnvironmentError> {
        from_variables(variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())))
    }

    #[test]
    fn environment_variables_survive_round_trip() {
        let read_back = read(&WEBHOOK).unwrap();
        let written = serde_json::to_value(&read_back).unwrap();
        for (name, value) in &WEBHOOK[..8] {
            assert_eq!(written[name], *value);
        }
    }

    #[test]
    fn missing_key_layout_defaults_to_path() {
        let zipdl = |layout: &[(&str, &str)]| {
            let variables = [
                ("CREDENTIALS", WEBHOOK[0].1),
                ("OUTPUT_BUCKET", "zips"),
                ("QUEUE", WEBHOOK[2].1),
                ("DEAD_LETTER_QUEUE", WEBHOOK[2].1),
                ("ALLOWED_HOSTS", ""),
                ("CA_BUNDLE", ""),
                ("MAX_ARCHIVE_BYTES", "1"),
            ];
            let variables = variables.iter().chain(layout).map(|&(name, value)| (name.to_owned(), value.to_owned()));
            from_variables::<ZipDlEnvironment<Runtime>>(variables).unwrap().key_layout
        };
        assert_eq!(zipdl(&[]), "path");
        assert_eq!(zipdl(&[("KEY_LAYOUT", "host/path")]), "host/path");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = read(&WEBHOOK[1..]).unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), "missing field `API_SECRET`");
    }
}
