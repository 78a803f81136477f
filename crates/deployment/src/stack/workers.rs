//! The workers, which fetch, zip and store.

use cfn::{
    Attributes, Handle, Stack, Value,
    iam::{Action, Evidence, Grant, Policy, Role},
    lambda::{EventSourceMapping, Function},
    pseudo,
    secretsmanager::Secret,
    sqs::Queue,
};
use contract::{
    custom::SSH_KEY_PREFIX,
    environment::{GitPullEnvironment, PACK_PREFIX, ZipDlEnvironment},
    events,
};

use super::{
    function::{ExecutionRole, Functions, Settings, add_execution_role},
    keys::Keys,
    lifecycle::Cleaner,
    network::{self, Network},
    parameters::Parameters,
    queues::{Jobs, Queues},
    reconciler,
    side::Deployment,
    storage::Storage,
};

/// The timeout of gitpull, in seconds.
pub(super) const GITPULL_TIMEOUT: u16 = 300;
/// The timeout of zipdl, in seconds: Lambda's limit, since an archive may have gigabytes.
pub(super) const ZIPDL_TIMEOUT: u16 = 900;
/// Both timeouts.
pub(super) const TIMEOUTS: [u16; 2] = [GITPULL_TIMEOUT, ZIPDL_TIMEOUT];
/// The size of gitpull's `/tmp` in MiB, where clones stay between pushes.
const GITPULL_STORAGE: u16 = 4096;

/// The scenarios that fail without the rights of both workers.
struct Missed {
    /// Makes a zip.
    zip: Evidence,
    /// Stores no zip twice.
    twice: Evidence,
    /// Keeps the zip of a commit.
    kept: Evidence,
    /// Marks the zip of a deleted reference.
    marked: Evidence,
    /// An upload fails midway.
    half: Evidence,
    /// A job fails and is retried.
    again: Evidence,
    /// A job is given up.
    dead_letter: Evidence,
}

const MISSED_BY_GITPULL: Missed = Missed {
    zip: Evidence::Scenario("gitpull_makes_a_zip_of_a_first_push"),
    twice: Evidence::Scenario("gitpull_stores_no_tree_twice"),
    kept: Evidence::Scenario("gitpull_keeps_the_zip_of_a_commit"),
    marked: Evidence::Scenario("gitpull_marks_the_zip_of_a_deleted_branch"),
    half: Evidence::Scenario("gitpull_leaves_no_half_a_zip"),
    again: Evidence::Scenario("gitpull_tries_a_failed_job_again_within_seconds"),
    dead_letter: Evidence::Scenario("gitpull_failed_job_becomes_dead_letter"),
};
const MISSED_BY_ZIPDL: Missed = Missed {
    zip: Evidence::Scenario("zipdl_makes_a_zip_of_a_download"),
    twice: Evidence::Scenario("zipdl_downloads_no_commit_twice"),
    kept: Evidence::Scenario("zipdl_keeps_the_zip_of_a_commit"),
    marked: Evidence::Scenario("zipdl_marks_the_zip_of_a_deleted_branch"),
    half: Evidence::Scenario("zipdl_leaves_no_half_a_zip"),
    again: Evidence::Scenario("zipdl_tries_a_failed_job_again_within_seconds"),
    dead_letter: Evidence::Scenario("zipdl_failed_job_becomes_dead_letter"),
};
/// AWS's page about the rights with which Lambda receives jobs for a function.
const EVENT_SOURCE: Evidence = Evidence::Documented(
    "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions",
);
/// Why a worker may list what it stores.
const SEE: &str = "learns that an object isn't there, instead of that it may not know";

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
    /// What the reconciler has in common with them.
    pub(super) shared: Shared,
}

/// What the reconciler has in common with the workers.
pub(super) struct Shared {
    pub(super) role: ExecutionRole,
    pub(super) credentials: Handle<Secret>,
    pub(super) network: Network,
}

const GITPULL: Settings = Settings {
    id: "GitPull",
    binary: "gitpull",
    description: "Fetches a repository and stores its zip",
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

/// Adds both workers and their event sources.
pub(super) fn add(stack: &mut Stack, functions: &Functions<'_>, around: &Surroundings<'_>) -> Workers {
    let credentials = credentials(stack, around.parameters);
    let gitpull = gitpull_role(stack, around);
    let zipdl = zipdl_role(stack, around, &credentials);
    let reconciler = reconciler::role(stack, around, &credentials);
    let network = network::add(stack, around.parameters, &[&gitpull.role, &zipdl.role, &reconciler.role]);
    Workers {
        gitpull: add_gitpull(stack, functions, around, &gitpull, &network, &credentials),
        zipdl: add_zipdl(stack, functions, around, &zipdl, &network, &credentials),
        shared: Shared { role: reconciler, credentials, network },
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
        let zip = MISSED_BY_GITPULL.zip;
        grant_work(role, &queues.gitpull, storage, &MISSED_BY_GITPULL);
        let reason = "decrypts the SSH keys of this stack and nothing else";
        Keys::grant(&keys.key, role, Grant::because(reason, zip, &[Action::KmsDecrypt]));
        let read = Grant::because("reads the encrypted SSH keys", zip, &[Action::S3GetObject]);
        storage.keys.grant(role, &format!("{SSH_KEY_PREFIX}*"), read);
        storage.keys.grant_on_bucket(role, Grant::because(SEE, zip, &[Action::S3ListBucket]));
        let kept = Evidence::Scenario("gitpull_begins_with_the_pack_that_was_kept");
        let half = Evidence::Scenario("gitpull_leaves_no_half_a_pack");
        let reason = "begins with the pack that an earlier function kept, and keeps one; aborts a failed upload";
        let keep = Grant::because(reason, kept, &[Action::S3PutObject])
            .and(half, &[Action::S3AbortMultipartUpload])
            .and(kept, &[Action::S3GetObject]);
        storage.cache.grant(role, &format!("{PACK_PREFIX}*"), keep);
        let first = Evidence::Scenario("gitpull_warns_of_nothing_at_a_first_push");
        storage.cache.grant_on_bucket(role, Grant::because(SEE, first, &[Action::S3ListBucket]));
    })
}

fn zipdl_role(stack: &mut Stack, around: &Surroundings<'_>, credentials: &Handle<Secret>) -> ExecutionRole {
    let Surroundings { parameters, queues, storage, cleaner, .. } = around;
    add_execution_role(stack, parameters, &ZIPDL, Attributes::default().after(cleaner), |role| {
        grant_work(role, &queues.zipdl, storage, &MISSED_BY_ZIPDL);
        credentials.grant_read(role, "shows the host a token for the archive", MISSED_BY_ZIPDL.zip);
    })
}

fn add_gitpull(
    stack: &mut Stack,
    functions: &Functions<'_>,
    around: &Surroundings<'_>,
    execution_role: &ExecutionRole,
    network: &Network,
    credentials: &Handle<Secret>,
) -> Handle<Function> {
    let Surroundings { parameters, queues, keys, storage, .. } = around;
    // Over SSH and without statuses, gitpull has no right to a token.
    let may_read = stack.when(&parameters.needs_tokens, |stack| {
        let evidence = Evidence::Scenario("gitpull_fetches_over_https_with_a_token");
        let reason = "shows the host a token; only with FetchOver=https or CommitStatus=on";
        stack.add("GitPullCredentials", credentials.read_policy(&execution_role.role, reason, evidence))
    });
    let may_sign = stack.when(&parameters.has_github_app, |stack| {
        let evidence = Evidence::Scenario("gitpull_fetches_with_a_github_app");
        stack.add("GitPullGitHubAppKey", signing(parameters, &execution_role.role, evidence))
    });
    // Without an App, not even the names: an environment has 4 KB.
    let of_app = |value| parameters.has_github_app.either(value, Value::none());
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
        keep_commits: parameters.keep_commits.value(),
        deleted_references: parameters.deleted_references.value(),
        known_hosts: parameters.known_hosts.value(),
        tokens: parameters.has_https.either(credentials.secret_id().meaning(), Value::from("")),
        github_app_host: of_app(parameters.github_app_host.value()),
        github_app_id: of_app(parameters.github_app_id.value()),
        github_app_key: of_app(parameters.github_app_key.value()),
        // Absent unless needed, like what concerns the App.
        status_tokens: parameters.sets_statuses.either(credentials.secret_id().meaning(), Value::none()),
        exclude_git: parameters.exclude_git.value(),
        submodules: parameters.submodules.value(),
        lfs: parameters.lfs.value(),
        // Set only if needed, since the known hosts leave little room for it.
        ca_bundle: parameters.needs_ca_bundle.either(parameters.ca_bundle.value(), Value::from("")),
        paths: parameters.paths.value(),
    };
    let attributes = Attributes::default().after_any(&may_read).after_any(&may_sign);
    let function = functions.add_running_by(stack, &GITPULL, execution_role, attributes, |function| {
        function.environment(&environment).storage(GITPULL_STORAGE).vpc(network.config.clone())
    });
    feed(stack, "GitPullEventSource", &queues.gitpull.queue, &function, around);
    function
}

/// The right to sign for the GitHub App.
pub(super) fn signing(parameters: &Parameters, role: &Handle<Role>, evidence: Evidence) -> Policy {
    let reason = "signs for the GitHub App, to get tokens for single repositories; only with GitHubAppId";
    let grant = Grant::because(reason, evidence, &[Action::KmsSign]);
    let policy = Policy::on("GitHubAppKey", &[role], grant, parameters.github_app_key.value());
    // The only algorithm of an App's signatures.
    policy.when("StringEquals", "kms:SigningAlgorithm", &"RSASSA_PKCS1_V1_5_SHA_256".into())
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
        keep_commits: parameters.keep_commits.value(),
        deleted_references: parameters.deleted_references.value(),
        ca_bundle: parameters.ca_bundle.value(),
        max_archive_bytes: parameters.max_archive_bytes.value(),
        status_stack: parameters.sets_statuses.either(pseudo::stack_name(), Value::none()),
    };
    let function = functions.add_running_by(stack, &ZIPDL, execution_role, Attributes::default(), |function| {
        function.environment(&environment).vpc(network.config.clone())
    });
    feed(stack, "ZipDlEventSource", &queues.zipdl.queue, &function, around);
    function
}

/// The rights of every worker: receive jobs from its queue, move failed ones to the dead-letter
/// queue, list stored zips, store zips.
fn grant_work(role: &mut Role, jobs: &Jobs, storage: &Storage, missed: &Missed) {
    let reason = "takes jobs, and says for how long one is worked on and when a failed one is tried again";
    let consume = [Action::SqsReceiveMessage, Action::SqsDeleteMessage, Action::SqsGetQueueAttributes];
    let consume = Grant::because(reason, EVENT_SOURCE, &consume);
    jobs.queue.grant(role, consume.and(missed.again, &[Action::SqsChangeMessageVisibility]));
    let reason = "puts a job that has failed for good there, with the reason";
    jobs.dead_letters.grant(role, Grant::because(reason, missed.dead_letter, &[Action::SqsSendMessage]));
    let reason = "stores the zip, after a look at the one that is there; tags what KeepCommits keeps, and what was deleted; aborts a failed upload";
    let store = Grant::because(reason, missed.zip, &[Action::S3PutObject])
        .and(missed.kept, &[Action::S3PutObjectTagging])
        .and(missed.marked, &[Action::S3GetObjectVersionTagging, Action::S3PutObjectVersionTagging])
        .and(missed.half, &[Action::S3AbortMultipartUpload])
        .and(missed.twice, &[Action::S3GetObject]);
    storage.output.grant(role, "*", store);
    storage.output.grant_on_bucket(role, Grant::because(SEE, missed.zip, &[Action::S3ListBucket]));
    let reason = "tells EventBridge which artifact is ready, or that there is none, in its own name only";
    role.grant_on_event_bus(events::SOURCE, Grant::because(reason, missed.zip, &[Action::EventsPutEvents]));
}

/// Lets a queue invoke a worker.
fn feed(stack: &mut Stack, id: &str, queue: &Handle<Queue>, function: &Handle<Function>, around: &Surroundings<'_>) {
    let mapping = EventSourceMapping::new(queue, function, around.parameters.worker_concurrency.value());
    stack.add(id, mapping);
}
