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
    function::{ExecutionRole, Functions, Settings, add_execution_role},
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
    pub(super) cleaner: &'a Cleaner,
}

/// The workers.
pub(super) struct Workers {
    pub(super) gitpull: Handle<Function>,
    pub(super) zipdl: Handle<Function>,
}

const GITPULL: Settings = Settings {
    id: "GitPull",
    binary: "gitpull",
    description: "Fetches a repository over SSH and stores its zip",
    memory: 1769,
    timeout: GITPULL_TIMEOUT,
};
const ZIPDL: Settings = Settings {
    id: "ZipDl",
    binary: "zipdl",
    description: "Downloads the archive that a Git host makes and stores it as a zip",
    memory: 1769,
    timeout: ZIPDL_TIMEOUT,
};

/// Adds both workers and what feeds them.
pub(super) fn add(stack: &mut Stack, functions: &Functions<'_>, around: &Surroundings<'_>) -> Workers {
    let credentials = credentials(stack, around.parameters);
    let gitpull = gitpull_role(stack, around);
    let zipdl = zipdl_role(stack, around, &credentials);
    let network = network::add(stack, around.parameters, &[&gitpull.role, &zipdl.role]);
    Workers {
        gitpull: add_gitpull(stack, functions, around, &gitpull, &network),
        zipdl: add_zipdl(stack, functions, around, &zipdl, &network, &credentials),
    }
}

fn credentials(stack: &mut Stack, parameters: &Parameters) -> Handle<Secret> {
    let fields = [
        ("GitToken", &parameters.git_token),
        ("OAuthKey", &parameters.oauth_key),
        ("OAuthSecret", &parameters.oauth_secret),
    ];
    let credentials = Secret::of_fields("Credentials for the archives of Git hosts", fields);
    stack.add_with("ProviderCredentials", credentials, Attributes::default().deleted_with_stack())
}

fn gitpull_role(stack: &mut Stack, around: &Surroundings<'_>) -> ExecutionRole {
    let Surroundings { parameters, queues, keys, storage, cleaner } = around;
    add_execution_role(stack, parameters, &GITPULL, Attributes::default().after(cleaner), |role| {
        grant_work(role, &queues.gitpull, storage);
        Keys::grant(&keys.key, role, Action::KmsDecrypt);
        storage.keys.grant(role, &[Action::S3GetObject], &format!("{SSH_KEY_PREFIX}*"));
        storage.cache.grant(role, &STORE, &format!("{PACK_PREFIX}*"));
        storage.cache.grant_on_bucket(role, &[Action::S3ListBucket]);
    })
}

fn zipdl_role(stack: &mut Stack, around: &Surroundings<'_>, credentials: &Handle<Secret>) -> ExecutionRole {
    let Surroundings { parameters, queues, storage, cleaner, .. } = around;
    add_execution_role(stack, parameters, &ZIPDL, Attributes::default().after(cleaner), |role| {
        grant_work(role, &queues.zipdl, storage);
        credentials.grant_read(role);
    })
}

fn add_gitpull(
    stack: &mut Stack,
    functions: &Functions<'_>,
    around: &Surroundings<'_>,
    execution_role: &ExecutionRole,
    network: &Network,
) -> Handle<Function> {
    let Surroundings { parameters, queues, keys, storage, .. } = around;
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
    let function = functions.add_running_by(stack, &GITPULL, execution_role, |function| {
        function.environment(&environment).storage(GITPULL_STORAGE).vpc(network.config.clone())
    });
    feed(stack, "GitPullEventSource", &queues.gitpull.queue, &function, around);
    function
}

fn add_zipdl(
    stack: &mut Stack,
    functions: &Functions<'_>,
    around: &Surroundings<'_>,
    execution_role: &ExecutionRole,
    network: &Network,
    credentials: &Handle<Secret>,
) -> Handle<Function> {
    let Surroundings { parameters, queues, storage, .. } = around;
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
    let function = functions.add_running_by(stack, &ZIPDL, execution_role, |function| {
        function.environment(&environment).vpc(network.config.clone())
    });
    feed(stack, "ZipDlEventSource", &queues.zipdl.queue, &function, around);
    function
}

/// What every worker does: take jobs from its queue, bury those that failed, see what is stored,
/// store zips.
fn grant_work(role: &mut Role, jobs: &Jobs, storage: &Storage) {
    let consume = [
        Action::SqsReceiveMessage,
        Action::SqsDeleteMessage,
        Action::SqsGetQueueAttributes,
        Action::SqsChangeMessageVisibility,
    ];
    jobs.queue.grant(role, &consume);
    jobs.dead_letters.grant(role, &[Action::SqsSendMessage]);
    storage.output.grant(role, &STORE, "*");
    storage.output.grant_on_bucket(role, &[Action::S3ListBucket]);
}

/// Lets a queue invoke a worker.
fn feed(stack: &mut Stack, id: &str, queue: &Handle<Queue>, function: &Handle<Function>, around: &Surroundings<'_>) {
    let mapping = EventSourceMapping::new(queue, function, around.parameters.worker_concurrency.value());
    stack.add(id, mapping);
}
