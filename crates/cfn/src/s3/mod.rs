//! S3: buckets and the policies on them.

mod bucket;
mod bucket_policy;

pub use bucket::Bucket;
pub use bucket_policy::BucketPolicy;
