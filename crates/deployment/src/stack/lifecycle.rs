//! The cleaner, which empties the buckets when the stack is deleted: CloudFormation deletes only
//! empty ones.

use cfn::iam::{Action, Evidence, Grant};
use cfn::{Attributes, Handle, Stack, cloudformation::CustomResource, s3::Bucket};
use contract::custom::BucketCleanerProperties;

use super::{
    function::{Functions, Settings},
    side::Deployment,
    storage::Storage,
};

/// The custom resource whose deletion empties the buckets.
pub(super) type Cleaner = Handle<CustomResource<BucketCleanerProperties<Deployment>>>;

/// The cleaner's timeout in seconds: Lambda's limit, since a bucket may have years of versions.
const TIMEOUT: u16 = 900;
const EMPTIED: Evidence = Evidence::Scenario("a_deleted_stack_leaves_its_buckets_empty");

/// Adds the cleaner. The roles that may write to the buckets depend on it, so that they are deleted
/// when it runs: a function that is deleted while it runs goes on, but can't write without its
/// role.
pub(super) fn add(stack: &mut Stack, functions: &Functions<'_>, storage: &Storage) -> Cleaner {
    let settings = Settings {
        id: "BucketCleaner",
        binary: "bucket-cleaner",
        description: "Empties the buckets when the stack is deleted",
        memory: 256,
        timeout: TIMEOUT,
    };
    let buckets: [&Handle<Bucket>; 3] = [&storage.output, &storage.keys, &storage.cache];
    let function = functions.add(
        stack,
        &settings,
        Attributes::default(),
        |role| {
            for bucket in buckets {
                let find = [Action::S3ListBucketVersions, Action::S3ListBucketMultipartUploads];
                bucket.grant_on_bucket(role, Grant::because("finds what there is to delete", EMPTIED, &find));
                let clean = [Action::S3DeleteObject, Action::S3DeleteObjectVersion, Action::S3AbortMultipartUpload];
                let reason = "deletes every version and unfinished upload when the stack goes";
                bucket.grant(role, "*", Grant::because(reason, EMPTIED, &clean));
            }
        },
        |function| function,
    );
    let properties = BucketCleanerProperties { buckets: buckets.map(Handle::<Bucket>::name).to_vec() };
    stack.add("BucketCleaner", CustomResource::new(&function, TIMEOUT, properties))
}
