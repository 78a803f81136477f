//! The page of the S3 console that a status leads to. Only who may sign in to the account sees it.

use aws_names::BucketName;
use contract::url_path::segment;
use host_api::CommitStatus;

use crate::Zip;

/// A bucket of zips, as its account's console shows it.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(crate) name: BucketName,
    region: String,
}

impl Bucket {
    /// The bucket with this name in a region, such as `eu-central-1`.
    pub fn new(name: BucketName, region: &str) -> Self {
        Self { name, region: region.to_owned() }
    }

    /// The page of the bucket.
    pub(crate) fn url(&self) -> String {
        format!("{}/buckets/{}?region={}", self.base(), self.name, self.region)
    }

    /// The page of a version of a zip, or that of the bucket if hosts don't take an address of that
    /// length.
    pub(crate) fn url_of(&self, zip: &Zip<'_>) -> String {
        let version = zip.version_id.map(|version| format!("&versionId={}", segment(version)));
        let (base, name, region) = (self.base(), &self.name, &self.region);
        let prefix = segment(zip.key);
        let url = format!("{base}/object/{name}?region={region}&prefix={prefix}{}", version.unwrap_or_default());
        if url.len() <= CommitStatus::LONGEST_URL { url } else { self.url() }
    }

    fn base(&self) -> String {
        // https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/appendix-b---global-service-guidance.html
        let domain = match self.region.split('-').next() {
            Some("cn") => "console.amazonaws.cn",
            Some("us") if self.region.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
            _ => "console.aws.amazon.com",
        };
        format!("https://{}.{domain}/s3", self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(region: &str) -> Bucket {
        Bucket::new("zips".parse().unwrap(), region)
    }

    fn zip<'a>(commit: &'a contract::CommitId, key: &'a str) -> Zip<'a> {
        Zip { commit, key, version_id: Some("v.1_2") }
    }

    #[test]
    fn url_names_version_and_region() {
        let commit = "a".repeat(40).parse().unwrap();
        assert_eq!(
            bucket("eu-central-1").url_of(&zip(&commit, "acme/branch/a&b#c/é.zip")),
            "https://eu-central-1.console.aws.amazon.com/s3/object/zips?region=eu-central-1\
             &prefix=acme%2Fbranch%2Fa%26b%23c%2F%C3%A9.zip&versionId=v.1_2"
        );
        let china = bucket("cn-north-1").url();
        assert_eq!(china, "https://cn-north-1.console.amazonaws.cn/s3/buckets/zips?region=cn-north-1");
        assert!(bucket("us-gov-west-1").url().contains("us-gov-west-1.console.amazonaws-us-gov.com/"));
        assert!(bucket("us-west-2").url().contains("us-west-2.console.aws.amazon.com/"));
    }

    #[test]
    fn longest_key_leads_to_bucket() {
        let (commit, bucket) = ("a".repeat(40).parse().unwrap(), bucket("eu-central-1"));
        assert_eq!(bucket.url_of(&zip(&commit, &"x".repeat(1_024))), bucket.url());
    }
}
