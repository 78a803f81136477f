//! The account's bucket for code and large templates, one per region, since Lambda loads code from
//! its own region only. Everything in it is named by its content, so existing objects are not
//! uploaded again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_names::BucketName;
use aws_sdk_cloudformation::types::Parameter;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::create_bucket::CreateBucketError;
use aws_sdk_s3::operation::put_bucket_encryption::PutBucketEncryptionError;
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use aws_sdk_s3::types::{
    CreateBucketConfiguration, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag,
};
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use crate::account::Account;
use crate::call_error::CallError;
use crate::package::{Asset, Manifest, ManifestError};
use crate::render::progress::Progress;
use crate::typed::typed;
use cfn::Template;

/// The prefix of every key, since the bucket may serve other purposes one day.
pub(super) const PREFIX: &str = "git2s3/";
const AT_ONCE: usize = 4;
/// How long emptying the bucket may take: it holds a few zips a release.
const EMPTYING: Duration = Duration::from_mins(5);

/// Why code or template could not be put into the bucket.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// The list of assets can't be read.
    #[error("cannot tell what to upload")]
    Manifest(#[source] ManifestError),
    /// The template was made for other code than that in `dist`.
    #[error("the template does not name {file}: it was made before the functions were packaged")]
    Stale {
        /// The zip.
        file: String,
    },
    /// A bucket of that name exists but can't be used.
    #[error("bucket {bucket} exists, and is not account {account}'s or not open to these credentials")]
    Inaccessible {
        /// The bucket.
        bucket: String,
        /// The account that it should belong to.
        account: String,
    },
    /// A zip can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: ByteStreamError,
    },
    /// The bucket can't be emptied.
    #[error("cannot empty bucket {bucket}")]
    Empty {
        /// The bucket.
        bucket: String,
        /// What failed.
        source: Box<empty_bucket::EmptyError>,
    },
    /// AWS could not be asked, or refused.
    #[error("cannot use bucket {bucket}")]
    Call {
        /// The bucket.
        bucket: String,
        /// What was tried, and what AWS answered.
        source: CallError,
    },
}

impl AssetsError {
    /// What to do about it, if known and not said by the error's source.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Stale { .. } => Some(format!("{} makes it anew", typed("synth"))),
            _ => None,
        }
    }
}

/// The zips in `dist`, which have to be those that the template names.
pub(super) fn listed(dist: &Path, template: &Template) -> Result<Manifest, AssetsError> {
    let manifest = Manifest::read(dist).map_err(AssetsError::Manifest)?;
    match manifest.assets.iter().find(|asset| !template.text().contains(&asset.file)) {
        Some(asset) => Err(AssetsError::Stale { file: asset.file.clone() }),
        None => Ok(manifest),
    }
}

/// Whether the account has its bucket for code already.
///
/// # Errors
/// AWS could not be asked, or the bucket belongs to another account.
pub async fn exists(account: &Account) -> Result<bool, AssetsError> {
    Bucket::of(account).is_there().await
}

/// The account's bucket for code, and the stacks that use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    /// The bucket's name.
    pub bucket: String,
    /// The stacks, except one that is being deleted.
    pub stacks: Vec<String>,
}

/// The account's bucket for code and the stacks that use it, except `except`; `None` if there is no
/// such bucket.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn users(account: &Account, except: &str) -> Result<Option<Users>, AssetsError> {
    let bucket = Bucket::of(account);
    if !bucket.is_there().await? {
        return Ok(None);
    }
    let mut stacks = Vec::new();
    let mut pages = account.cloudformation.describe_stacks().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| bucket.failed(CallError::new("look which stacks use it", error)))?;
        for stack in page.stacks.unwrap_or_default() {
            let takes = |parameter: &Parameter| {
                parameter.parameter_key() == Some(super::ASSET_BUCKET)
                    && parameter.parameter_value() == Some(&bucket.name)
            };
            let name = stack.stack_name.unwrap_or_default();
            if name != except && stack.parameters.unwrap_or_default().iter().any(takes) {
                stacks.push(name);
            }
        }
    }
    stacks.sort();
    Ok(Some(Users { bucket: bucket.name, stacks }))
}

/// Deletes the account's bucket for code with its content. It is fine if it doesn't exist.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn remove(account: &Account) -> Result<(), AssetsError> {
    let bucket = Bucket::of(account);
    let Ok(name) = BucketName::try_from(bucket.name.clone()) else { return Ok(()) };
    if !bucket.is_there().await? {
        return Ok(());
    }
    let deadline = tokio::time::Instant::now() + EMPTYING;
    let emptied = empty_bucket::empty(&account.s3, &name, deadline, |_| ()).await;
    emptied.map_err(|source| AssetsError::Empty { bucket: bucket.name.clone(), source: Box::new(source) })?;
    let deleted = account.s3.delete_bucket().bucket(&bucket.name).expected_bucket_owner(&account.id).send().await;
    deleted.map_err(|error| bucket.failed(CallError::new("delete it", error)))?;
    Ok(())
}

/// The bucket, checked to belong to the account.
#[derive(Debug)]
pub(super) struct Bucket<'a> {
    account: &'a Account,
    name: String,
}

impl<'a> Bucket<'a> {
    /// Opens the account's bucket in its region; creates it if missing.
    ///
    /// It serves every stack there, so it gets tags only when it is created: another stack's tags
    /// would be no truer.
    pub(super) async fn open(
        account: &'a Account,
        tags: &BTreeMap<String, String>,
        progress: &mut dyn Progress,
    ) -> Result<Self, AssetsError> {
        let bucket = Self::of(account);
        if !bucket.is_there().await? {
            progress.step(&format!("creating bucket {} for code", bucket.name));
            bucket.create(tags).await?;
        }
        Ok(bucket)
    }

    /// The same without checking whether it exists.
    pub(super) fn of(account: &'a Account) -> Self {
        Self { account, name: format!("git2s3-assets-{}-{}", account.id, account.region) }
    }

    /// The bucket's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn failed(&self, source: CallError) -> AssetsError {
        AssetsError::Call { bucket: self.name.clone(), source }
    }

    async fn is_there(&self) -> Result<bool, AssetsError> {
        let request = self.account.s3.head_bucket().bucket(&self.name).expected_bucket_owner(&self.account.id);
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match status(&error) {
                Some(404) => Ok(false),
                Some(301 | 403) => {
                    Err(AssetsError::Inaccessible { bucket: self.name.clone(), account: self.account.id.clone() })
                }
                _ => Err(self.failed(CallError::new("look at it", error))),
            },
        }
    }

    /// Sets explicitly what AWS does by default with a new bucket: public access blocked, objects
    /// encrypted.
    async fn create(&self, tags: &BTreeMap<String, String>) -> Result<(), AssetsError> {
        let failed = |error| self.failed(CallError::new("create it", error));
        let built = |(key, value)| Tag::builder().key(key).value(value).build();
        let tags: Result<Vec<_>, _> = tags.iter().map(built).collect();
        let tags = tags.map_err(|error| failed(CreateError::construction_failure(error)))?;
        // The first region has no location constraint.
        let region = (self.account.region != "us-east-1").then(|| self.account.region.as_str().into());
        let is_plain = tags.is_empty() && region.is_none();
        let configuration = CreateBucketConfiguration::builder().set_location_constraint(region);
        let configuration = configuration.set_tags((!tags.is_empty()).then_some(tags)).build();
        let request = self.account.s3.create_bucket().bucket(&self.name);
        match request.set_create_bucket_configuration((!is_plain).then_some(configuration)).send().await {
            Err(error) if error.as_service_error().is_some_and(CreateBucketError::is_bucket_already_owned_by_you) => {}
            created => {
                created.map_err(failed)?;
            }
        }
        self.block_public_access().await?;
        self.encrypt().await
    }

    async fn block_public_access(&self) -> Result<(), AssetsError> {
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let request = self.account.s3.put_public_access_block().bucket(&self.name);
        let blocked = request.expected_bucket_owner(&self.account.id).public_access_block_configuration(block).send();
        blocked.await.map_err(|error| self.failed(CallError::new("block public access to it", error)))?;
        Ok(())
    }

    async fn encrypt(&self) -> Result<(), AssetsError> {
        let built = |error| self.failed(CallError::new("encrypt it", EncryptError::construction_failure(error)));
        let aes = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256);
        let aes = aes.build().map_err(built)?;
        let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(aes).build();
        let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(built)?;
        let request = self.account.s3.put_bucket_encryption().bucket(&self.name);
        let request = request.expected_bucket_owner(&self.account.id).server_side_encryption_configuration(rules);
        let encrypted = request.send().await;
        encrypted.map_err(|error| self.failed(CallError::new("encrypt it", error)))?;
        Ok(())
    }

    /// Uploads the zips that are missing.
    pub(super) async fn upload(
        &self,
        manifest: &Manifest,
        dist: &Path,
        progress: &mut dyn Progress,
    ) -> Result<(), AssetsError> {
        let mut missing = Vec::new();
        for asset in &manifest.assets {
            if !self.has(&format!("{PREFIX}{}", asset.file)).await? {
                progress.step(&format!("uploading {} ({} bytes)", asset.file, asset.size));
                missing.push(asset);
            }
        }
        let uploads = missing.iter().map(|asset| self.upload_one(asset, dist));
        progress.waiting("uploading");
        futures_util::stream::iter(uploads).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        let there = manifest.assets.len() - missing.len();
        if there > 0 {
            progress.step(&format!("{there} of {} zips were there already", manifest.assets.len()));
        }
        Ok(())
    }

    async fn upload_one(&self, asset: &Asset, dist: &Path) -> Result<(), AssetsError> {
        let path = dist.join("assets").join(&asset.file);
        let body = ByteStream::from_path(&path).await.map_err(|source| AssetsError::Read { path, source })?;
        self.put(&format!("{PREFIX}{}", asset.file), "application/zip", body).await
    }

    /// Uploads a template and returns its URL for CloudFormation.
    pub(super) async fn upload_template(&self, template: &Template) -> Result<String, AssetsError> {
        let digest = hex::encode(Sha256::digest(template.text()));
        let key = format!("{PREFIX}{digest:.16}.template.json");
        if !self.has(&key).await? {
            self.put(&key, "application/json", template.text().as_bytes().to_vec().into()).await?;
        }
        Ok(url(self.account, &self.name, &key))
    }

    async fn has(&self, key: &str) -> Result<bool, AssetsError> {
        let request = self.account.s3.head_object().bucket(&self.name).key(key);
        match request.expected_bucket_owner(&self.account.id).send().await {
            Ok(_) => Ok(true),
            Err(error) if status(&error) == Some(404) => Ok(false),
            Err(error) => Err(self.failed(CallError::new(format!("look for {key}"), error))),
        }
    }

    async fn put(&self, key: &str, content_type: &str, body: ByteStream) -> Result<(), AssetsError> {
        let request = self.account.s3.put_object().bucket(&self.name).key(key).content_type(content_type);
        let put = request.expected_bucket_owner(&self.account.id).body(body).send().await;
        put.map_err(|error| self.failed(CallError::new(format!("upload {key}"), error)))?;
        Ok(())
    }
}

type CreateError = SdkError<CreateBucketError, HttpResponse>;
type EncryptError = SdkError<PutBucketEncryptionError, HttpResponse>;

/// The HTTP status of an answer to HEAD, which has no body.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn url(account: &Account, bucket: &str, key: &str) -> String {
    if let Some(endpoint) = &account.endpoint {
        return format!("{endpoint}/{bucket}/{key}");
    }
    let suffix = if account.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{bucket}.s3.{}.{suffix}/{key}", account.region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_for_other_zips_is_refused() {
        let dist = tempfile::tempdir().unwrap();
        let list = r#"{"architecture": "arm64", "assets": [
            {"function": "webhook", "file": "webhook-0123456789abcdef.zip", "size": 1, "sha256": "00"}]}"#;
        std::fs::write(dist.path().join("assets.json"), list).unwrap();
        let naming = |file: &str| {
            let text = format!(r#"{{"Resources": {{"F": {{"Type": "T", "Properties": {{"Key": "{file}"}}}}}}}}"#);
            listed(dist.path(), &Template::parse(text).unwrap())
        };
        assert_eq!(naming("webhook-0123456789abcdef.zip").unwrap().assets.len(), 1);
        let error = naming("webhook-fedcba9876543210.zip").unwrap_err();
        assert!(matches!(error, AssetsError::Stale { .. }) && error.hint().unwrap().contains("synth"), "{error}");
    }
}
