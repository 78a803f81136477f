//! The workers: what fetches, zips and stores.

use cfn::{
    Attributes, Handle, Stack, Value,
    iam::{Action, Role},
    lambda::{EventSourceMapping, Function},
    pseudo,
    secretsmanager::Secret,
    sqs::Queue,
};
use contract::{
    custom::SSH_KEY_PREFIX,
    environment::{GitPullEnvironment, PACK_PREFIX, ZipDlEnvironment},
};

use super::{
    function::{Functions, Settings},
    keys::Keys,
    lifecycle::Cleaner,
    network::{self, Network},
    parameters::Parameters,
    queues::{Jobs, Queues},
    side::Deployment,
    storage::Storage,
};

/// The longest run of gitpull, in seconds.
pub(super) const GITPULL_TIMEOUT: u16 = 300;
/// The longest run of zipdl, in seconds: Lambda's limit, since an archive may have gigabytes.
pub(super) const ZIPDL_TIMEOUT: u16 = 900;
/// `/tmp` of gitpull, where the clones stay between pushes. In MiB.
const GITPULL_STORAGE: u16 = 4096;

/// What it takes to store an object, and to see which one is there.
const STORE: [Action; 3] = [Action::S3PutObject, Action::S3AbortMultipartUpload, Action::S3GetObject];

/// Everything that the workers refer to.
pub(super) struct Surroundings<'a> {
    pub(super) parameters: &'a Parameters,
    pub(super) queues: &'a Queues,
    pub(super) keys: &'a Keys,
    pub(super) storage: &'a Storage,
    pub(super) network: &'a Network,
    pub(super) cleaner: &'a Cleaner,
}

/// The workers.
pub(super) struct Workers {
    pub(super) gitpull: Handle<Function>,
    pub(super) zipdl: Handle<Function>,
}

/// Adds both workers and what feeds them.
pub(super) fn add(stack: &mut Stack, functions: &Functions<'_>, around: &Surroundings<'_>) -> Workers {
    Workers { gitpull: add_gitpull(stack, functions, around), zipdl: add_zipdl(stack, functions, around) }
}

fn add_gitpull(stack: &mut Stack, functions: &Functions<'_>, around: &Surroundings<'_>) -> Handle<Function> {
    let Surroundings { parameters, queues, keys, storage, network, .. } = around;
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
        cache_bucket: storage.cache.name(),
        queue: queues.gitpull.queue.url(),
        dead_letter_queue: queues.gitpull.dead_letters.url(),
        allowed_hosts: parameters.allowed_git_hosts.value(),
        key_layout: parameters.key_layout.value(),
        known_hosts: parameters.known_hosts.value(),
        exclude_git: parameters.exclude_git.value(),
        submodules: parameters.submodules.value(),
        lfs: parameters.lfs.value(),
        // Beside the known hosts there is room for it only where somebody needs it.
        ca_bundle: parameters.has_lfs.either(parameters.ca_bundle.value(), Value::from("")),
        paths: parameters.paths.value(),
    };
    let function = functions.add(
        stack,
        &settings,
        |role| {
            grant_work(role, &queues.gitpull, around);
            Keys::grant(&keys.key, role, Action::KmsDecrypt);
            storage.keys.grant(role, &[Action::S3GetObject], &format!("{SSH_KEY_PREFIX}*"));
            storage.cache.grant(role, &STORE, &format!("{PACK_PREFIX}*"));
            storage.cache.grant_on_bucket(role, &[Action::S3ListBucket]);
        },
        |function| function.environment(&environment).storage(GITPULL_STORAGE).vpc(network.config.clone()),
    );
    feed(stack, "GitPullEventSource", &queues.gitpull.queue, &function, around);
    function
}

fn add_zipdl(stack: &mut Stack, functions: &Functions<'_>, around: &Surroundings<'_>) -> Handle<Function> {
    let Surroundings { parameters, queues, storage, network, .. } = around;
    let fields = [
        ("GitToken", &parameters.git_token),
        ("OAuthKey", &parameters.oauth_key),
        ("OAuthSecret", &parameters.oauth_secret),
    ];
    let credentials = Secret::of_fields("Credentials for the archives of Git hosts", fields);
    let credentials = stack.add_with("ProviderCredentials", credentials, Attributes::default().deleted_with_stack());
    let settings = Settings {
        id: "ZipDl",
        binary: "zipdl",
        description: "Downloads the archive that a Git host makes and stores it as a zip",
        memory: 1769,
        timeout: ZIPDL_TIMEOUT,
    };
    let environment: ZipDlEnvironment<Deployment> = ZipDlEnvironment {
        credentials: credentials.secret_id(),
        output_bucket: storage.output.name(),
        queue: queues.zipdl.queue.url(),
        dead_letter_queue: queues.zipdl.dead_letters.url(),
        allowed_hosts: parameters.allowed_git_hosts.value(),
        key_layout: parameters.key_layout.value(),
        ca_bundle: parameters.ca_bundle.value(),
        max_archive_bytes: parameters.max_archive_bytes.value(),
    };
    let function = functions.add(
        stack,
        &settings,
        |role| {
            grant_work(role, &queues.zipdl, around);
            credentials.grant_read(role);
        },
        |function| function.environment(&environment).vpc(network.config.clone()),
    );
    feed(stack, "ZipDlEventSource", &queues.zipdl.queue, &function, around);
    function
}

/// What every worker does: take jobs from its queue, bury those that failed, see what is stored, store zips.
fn grant_work(role: &mut Role, jobs: &Jobs, around: &Surroundings<'_>) {
    let consume = [
        Action::SqsReceiveMessage,
        Action::SqsDeleteMessage,
        Action::SqsGetQueueAttributes,
        Action::SqsChangeMessageVisibility,
    ];
    jobs.queue.grant(role, &consume);
    jobs.dead_letters.grant(role, &[Action::SqsSendMessage]);
    around.storage.output.grant(role, &STORE, "*");
    around.storage.output.grant_on_bucket(role, &[Action::S3ListBucket]);
    network::grant(role, around.parameters);
}

/// Lets a queue invoke a worker. It is gone before the cleaner runs, so that no worker writes into an emptied bucket.
fn feed(stack: &mut Stack, id: &str, queue: &Handle<Queue>, function: &Handle<Function>, around: &Surroundings<'_>) {
    let mapping = EventSourceMapping::new(queue, function, around.parameters.worker_concurrency.value());
    stack.add_with(id, mapping, Attributes::default().after(around.cleaner));
}
