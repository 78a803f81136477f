//! The workers: what fetches, zips and stores.

use cfn::{Attributes, Stack, iam::Action, lambda::EventSourceMapping, pseudo};
use contract::{custom::SSH_KEY_PREFIX, environment::GitPullEnvironment};

use super::{
    function::{Functions, Settings},
    keys::Keys,
    lifecycle::Cleaner,
    network::{self, Network},
    parameters::Parameters,
    queues::Queues,
    side::Deployment,
    storage::Storage,
};

/// The longest run of gitpull, in seconds.
pub(super) const GITPULL_TIMEOUT: u16 = 300;
/// `/tmp` of gitpull, where the clones stay between pushes. In MiB.
const GITPULL_STORAGE: u16 = 4096;

/// Everything that the workers refer to.
pub(super) struct Surroundings<'a> {
    pub(super) parameters: &'a Parameters,
    pub(super) queues: &'a Queues,
    pub(super) keys: &'a Keys,
    pub(super) storage: &'a Storage,
    pub(super) network: &'a Network,
    pub(super) cleaner: &'a Cleaner,
}

/// Adds gitpull and what feeds it.
pub(super) fn add(stack: &mut Stack, functions: &Functions<'_>, around: &Surroundings<'_>) {
    let Surroundings { parameters, queues, keys, storage, network, cleaner } = around;
    let settings = Settings {
        id: "GitPull",
        binary: "gitpull",
        description: "Fetches a repository over SSH and stores its zip",
        memory: 1769,
        timeout: GITPULL_TIMEOUT,
    };
    let environment: GitPullEnvironment<Deployment> = GitPullEnvironment {
        key_bucket: storage.keys.name(),
        key_object: keys.ssh_key.object_key.clone(),
        kms_key: keys.key.id_of_key(),
        stack_name: pseudo::stack_name(),
        output_bucket: storage.output.name(),
        queue: queues.gitpull.url(),
        allowed_hosts: parameters.allowed_git_hosts.value(),
        known_hosts: parameters.known_hosts.value(),
    };
    let function = functions.add(
        stack,
        &settings,
        |role| {
            let consume = [
                Action::SqsReceiveMessage,
                Action::SqsDeleteMessage,
                Action::SqsGetQueueAttributes,
                Action::SqsChangeMessageVisibility,
            ];
            queues.gitpull.grant(role, &consume);
            Keys::grant(&keys.key, role, Action::KmsDecrypt);
            storage.keys.grant(role, &[Action::S3GetObject], &format!("{SSH_KEY_PREFIX}*"));
            let store = [Action::S3PutObject, Action::S3AbortMultipartUpload, Action::S3GetObject];
            storage.output.grant(role, &store, "*");
            storage.output.grant_on_bucket(role, &[Action::S3ListBucket]);
            network::grant(role, parameters);
        },
        |function| function.environment(&environment).storage(GITPULL_STORAGE).vpc(network.config.clone()),
    );
    // Gone before the cleaner runs, so that no worker writes into an emptied bucket.
    let mapping = EventSourceMapping::new(&queues.gitpull, &function);
    stack.add_with("GitPullEventSource", mapping, Attributes::default().after(cleaner));
}
