//! The buckets: one for the zips, one for the encrypted SSH key, and one for the cached packs.

use cfn::{
    Attributes, Handle, Stack, Value,
    s3::{Bucket, BucketPolicy},
};

use contract::{DeletedReferences, KeepCommits};

use super::parameters::Parameters;

/// The buckets of the stack.
pub(super) struct Storage {
    pub(super) output: Handle<Bucket>,
    pub(super) keys: Handle<Bucket>,
    pub(super) cache: Handle<Bucket>,
}

/// How many days a pack is kept after it was written. After that, the repository is fetched in
/// full.
const PACK_DAYS: u16 = 30;

/// Adds the buckets. They are encrypted with S3's own keys, so reading zips needs no right on a
/// key; the SSH key is encrypted with KMS before it is stored. The cache has no versions, since
/// replaced packs aren't needed.
pub(super) fn add(stack: &mut Stack, parameters: &Parameters) -> Storage {
    let mut output = Bucket::encrypted().notifying_event_bridge();
    let name = parameters.has_output_bucket_name.either(parameters.output_bucket_name.value(), Value::none());
    output.bucket_name = Some(name.meaning());
    let newer = parameters.newer_noncurrent_versions.value();
    let newer = parameters.has_newer_noncurrent_versions.either(newer, Value::none());
    let days = parameters.noncurrent_days.value();
    let output = output.expiring_noncurrent_versions(&parameters.has_noncurrent_days, &days, &newer);
    let output = output.expiring_tagged(&parameters.keeps_commits, KeepCommits::TAG, &parameters.keep_commits.value());
    let days = parameters.deleted_references.value();
    let output = output.hiding_tagged(&parameters.expires_deleted_references, DeletedReferences::TAG, &days);
    let output = output.without_delete_markers(&parameters.leaves_delete_markers);
    let output = stack.add_with("OutputBucket", output, Attributes::default().deleted_with_stack());
    // A bucket that is left behind after a rename still denies access without TLS.
    let policy = BucketPolicy::tls_only(&output);
    stack.add_with("OutputBucketPolicy", policy, Attributes::default().deleted_with_stack());
    let keys = stack.add_with("KeyBucket", Bucket::encrypted(), Attributes::default().deleted_with_stack());
    stack.add("KeyBucketPolicy", BucketPolicy::tls_only(&keys));
    let cache = Bucket::expiring_after(PACK_DAYS);
    let cache = stack.add_with("CacheBucket", cache, Attributes::default().deleted_with_stack());
    stack.add("CacheBucketPolicy", BucketPolicy::tls_only(&cache));
    Storage { output, keys, cache }
}
