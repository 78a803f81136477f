//! The buckets: one for the zips, one for the encrypted SSH key, and one for the packs that
//! functions begin with.

use cfn::{
    Attributes, Handle, Stack, Value,
    s3::{Bucket, BucketPolicy},
};

use super::parameters::Parameters;

/// The buckets of the stack.
pub(super) struct Storage {
    pub(super) output: Handle<Bucket>,
    pub(super) keys: Handle<Bucket>,
    pub(super) cache: Handle<Bucket>,
}

/// For how long a pack is kept after it was written, in days. A repository that nobody pushes to is
/// fetched anew then.
const PACK_DAYS: u16 = 30;

/// Adds the buckets. They are encrypted with S3's own keys: whoever may read the zips needs no
/// right on a key, and the SSH key is a ciphertext of KMS before it gets there. The cache has no
/// versions: nobody asks for a pack that was replaced.
pub(super) fn add(stack: &mut Stack, parameters: &Parameters) -> Storage {
    let mut output = Bucket::encrypted().notifying_event_bridge();
    let name = parameters.has_output_bucket_name.either(parameters.output_bucket_name.value(), Value::none());
    output.bucket_name = Some(name.meaning());
    let newer = parameters.newer_noncurrent_versions.value();
    let newer = parameters.has_newer_noncurrent_versions.either(newer, Value::none());
    let days = parameters.noncurrent_days.value();
    let output = output.expiring_noncurrent_versions(&parameters.has_noncurrent_days, &days, &newer);
    let output = stack.add_with("OutputBucket", output, Attributes::default().deleted_with_stack());
    // A bucket that another name leaves behind goes on speaking TLS only.
    let policy = BucketPolicy::tls_only(&output);
    stack.add_with("OutputBucketPolicy", policy, Attributes::default().deleted_with_stack());
    let keys = stack.add_with("KeyBucket", Bucket::encrypted(), Attributes::default().deleted_with_stack());
    stack.add("KeyBucketPolicy", BucketPolicy::tls_only(&keys));
    let cache = Bucket::expiring_after(PACK_DAYS);
    let cache = stack.add_with("CacheBucket", cache, Attributes::default().deleted_with_stack());
    stack.add("CacheBucketPolicy", BucketPolicy::tls_only(&cache));
    Storage { output, keys, cache }
}
