//! The reconciler, which compares what the hosts have with what is stored, and its schedule. The
//! function exists without a schedule, too, so that it can be scheduled by an update that changes
//! nothing else.

use cfn::{
    Attributes, Handle, Stack, Value,
    events::{Rule, TIME},
    iam::{Action, Evidence, Grant},
    lambda::{Function, Permission},
    pseudo,
    secretsmanager::Secret,
    sub,
};
use contract::{
    custom::SSH_KEY_PREFIX,
    environment::{RECONCILER_PREFIX, ReconcilerEnvironment},
};

use super::{
    endpoint::Endpoint,
    function::{ExecutionRole, Functions, Settings, add_execution_role},
    keys::Keys,
    side::Deployment,
    workers::{Shared, Surroundings, Workers, signing},
};

/// A run that can't begin is given up after so many seconds: as long as the shortest time between
/// two runs.
const PATIENCE: u32 = 900;

const RECONCILER: Settings = Settings {
    id: "Reconciler",
    binary: "reconciler",
    description: "Compares what the Git hosts have with what is stored, and queues what differs",
    memory: 256,
    timeout: 900,
};

const PUSH: Evidence = Evidence::Scenario("reconciler_queues_a_lost_push");
/// Why it may list buckets.
const LISTED: &str = "lists what is there";
const AHEAD: Evidence = Evidence::Scenario("reconciler_decrypts_all_keys_at_once");
const DELETION: Evidence = Evidence::Scenario("reconciler_queues_a_lost_deletion");
const DOWNLOAD: Evidence = Evidence::Scenario("reconciler_queues_a_lost_download");

/// Adds its role.
pub(super) fn role(stack: &mut Stack, around: &Surroundings<'_>, credentials: &Handle<Secret>) -> ExecutionRole {
    let Surroundings { parameters, queues, keys, storage, cleaner } = around;
    add_execution_role(stack, parameters, &RECONCILER, Attributes::default().after(cleaner), |role| {
        let send = [Action::SqsSendMessage];
        let reason = "queues what the bucket lacks";
        queues.gitpull.queue.grant(role, Grant::because(reason, PUSH, &send));
        queues.zipdl.queue.grant(role, Grant::because(reason, DOWNLOAD, &send));
        let decrypt =
            Grant::because("decrypts the SSH keys of this stack, and its copy of them", PUSH, &[Action::KmsDecrypt]);
        Keys::grant(&keys.key, role, decrypt.and(AHEAD, &[Action::KmsGenerateDataKey]));
        let reason = "reads the encrypted SSH keys";
        storage.keys.grant(role, &format!("{SSH_KEY_PREFIX}*"), Grant::because(reason, PUSH, &[Action::S3GetObject]));
        storage.keys.grant_on_bucket(role, Grant::because(LISTED, PUSH, &[Action::S3ListBucket]));
        let reason = "reads what is stored, and what was told";
        let read = Grant::because(reason, PUSH, &[Action::S3GetObject]);
        storage.output.grant(role, "*", read.and(DELETION, &[Action::S3GetObjectVersionTagging]));
        storage.output.grant_on_bucket(role, Grant::because(LISTED, PUSH, &[Action::S3ListBucket]));
        let keep = Grant::because("keeps what the next run needs", PUSH, &[Action::S3GetObject, Action::S3PutObject]);
        storage.cache.grant(role, &format!("{RECONCILER_PREFIX}*"), keep);
        storage.cache.grant_on_bucket(role, Grant::because(LISTED, PUSH, &[Action::S3ListBucket]));
        credentials.grant_read(role, "shows a host a token", DOWNLOAD);
    })
}

/// Adds the function and its schedule.
pub(super) fn add(
    stack: &mut Stack,
    functions: &Functions<'_>,
    around: &Surroundings<'_>,
    workers: &Workers,
    endpoint: &Endpoint,
) -> Handle<Function> {
    let Surroundings { parameters, queues, keys, storage, .. } = around;
    let Shared { role, credentials, network } = &workers.shared;
    let may_sign = stack.when(&parameters.has_github_app, |stack| {
        let evidence = Evidence::Scenario("reconciler_asks_with_a_github_app");
        stack.add("ReconcilerGitHubAppKey", signing(parameters, &role.role, evidence))
    });
    let may_read = stack.when(&parameters.has_submodules, |stack| {
        let evidence = Evidence::Scenario("reconciler_limits_submodules_to_the_secrets");
        let reason = "limits a job's submodules to what the secrets allow; only with Submodules=on";
        stack.add("ReconcilerApiSecret", endpoint.api_secret.read_policy(&role.role, reason, evidence))
    });
    let of_app = |value| parameters.has_github_app.either(value, Value::none());
    let environment: ReconcilerEnvironment<Deployment> = ReconcilerEnvironment {
        key_bucket: storage.keys.name(),
        key_object: keys.ssh_key.object_key.clone(),
        kms_key: keys.key.id_of_key(),
        stack_name: pseudo::stack_name(),
        output_bucket: storage.output.name(),
        cache_bucket: storage.cache.name(),
        gitpull_queue: queues.gitpull.queue.url(),
        zipdl_queue: queues.zipdl.queue.url(),
        credentials: credentials.secret_id(),
        api_secret: parameters.has_submodules.either(endpoint.api_secret.secret_id().meaning(), Value::from("")),
        allowed_hosts: parameters.allowed_git_hosts.value(),
        key_layout: parameters.key_layout.value(),
        known_hosts: parameters.known_hosts.value(),
        tokens: parameters.has_https.either(credentials.secret_id().meaning(), Value::from("")),
        github_app_host: of_app(parameters.github_app_host.value()),
        github_app_id: of_app(parameters.github_app_id.value()),
        github_app_key: of_app(parameters.github_app_key.value()),
    };
    let attributes = Attributes::default().after_any(&may_sign).after_any(&may_read);
    let function = functions.add_running_by(stack, &RECONCILER, role, attributes, |function| {
        function.environment(&environment).vpc(network.config.clone())
    });
    stack.when(&parameters.reconciles, |stack| {
        let rule = Rule::scheduled(
            "Compares what the Git hosts have with what is stored",
            sub(["rate(".into(), parameters.reconcile_every.value().into(), " minutes)".into()]),
            &function,
            input(around),
            PATIENCE,
        );
        let rule = stack.add("ReconcilerSchedule", rule);
        let permission = Permission::invoke(&function, "events.amazonaws.com", rule.arn().meaning());
        stack.add("ReconcilerPermission", permission);
    });
    function
}

/// The event of a run. It has the parameters that don't fit into the environment.
fn input(around: &Surroundings<'_>) -> Value<String> {
    let parameters = around.parameters;
    let text = |name: &str| format!(",\"{name}\":\"");
    sub([
        format!("{{\"time\":\"{TIME}\",\"everyMinutes\":\"").as_str().into(),
        parameters.reconcile_every.value().into(),
        "\"".into(),
        text("repositories").as_str().into(),
        parameters.repositories.value().base64().into(),
        "\"".into(),
        text("refs").as_str().into(),
        parameters.refs.value().base64().into(),
        "\"".into(),
        text("caBundle").as_str().into(),
        parameters.ca_bundle.value().base64().into(),
        "\"}".into(),
    ])
}
