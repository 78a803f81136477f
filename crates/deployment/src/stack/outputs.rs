//! Outputs: what is needed to connect a repository, under the established names.

use cfn::Stack;

use super::{endpoint::Endpoint, keys::Keys, storage::Storage};

/// Adds the outputs.
pub(super) fn add(stack: &mut Stack, endpoint: &Endpoint, keys: &Keys, storage: &Storage) {
    let url = endpoint.gitpull_url.clone();
    stack.output("GitPullWebHookApi", "URL for the webhook of a repository that is fetched over SSH", url);
    let url = endpoint.zipdl_url.clone();
    stack.output("ZipDownloadWebHookApi", "URL for the webhook of a repository whose archive is downloaded", url);
    stack.output("OutputBucketName", "Bucket that the zips go to", storage.output.name());
    let public_key = keys.ssh_key.public_key.clone();
    stack.output("PublicSSHKey", "Public key to add to the repository, as a deploy key that may read", public_key);
    endpoint.domain.add(stack, |stack, domain| {
        let target = domain.regional_domain_name();
        stack.output("CustomDomainNameTarget", "Name that the DNS record of the custom domain points to", target);
    });
}
