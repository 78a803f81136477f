//! The HTTPS endpoint that Git hosts post to, and its function: the only one that the internet
//! reaches, without access to a key, a token or a bucket.

use cfn::{
    Attributes, Handle, Optional, Stack, Value,
    apigateway::{
        Account, ApiResource, BasePathMapping, Deployment as Snapshot, DomainName, Method, RequestValidator, RestApi,
        Stage,
    },
    certificatemanager::Certificate,
    iam::{Action, Evidence, Grant, Role},
    lambda::{Function, Permission},
    logs::LogGroup,
    pseudo,
    secretsmanager::Secret,
    sub,
    wafv2::WebAclAssociation,
};
use contract::{Worker, environment::WebhookEnvironment};

use super::{
    function::{Functions, Settings, add_log_group, add_named_log_group},
    parameters::Parameters,
    queues::Queues,
    side::Deployment,
};

/// The endpoint of the stack.
pub(super) struct Endpoint {
    /// The URL that reaches gitpull.
    pub(super) gitpull_url: Value<String>,
    /// The URL that reaches zipdl.
    pub(super) zipdl_url: Value<String>,
    /// The API's name, by which CloudWatch identifies it.
    pub(super) api_name: Value<String>,
    /// The log of all requests, also those that never reach the function.
    pub(super) access_log: Handle<LogGroup>,
    /// The domain, if one was given.
    pub(super) domain: Optional<Handle<DomainName>>,
    /// The webhook secrets.
    pub(super) api_secret: Handle<Secret>,
}

/// The stage, as in the URLs that users know.
pub(super) const STAGE: &str = "Prod";
/// Requests per second, and burst: far more than pushes need, and so few that a flood costs little.
const THROTTLE: (u32, u32) = (50, 100);

/// Adds the endpoint.
pub(super) fn add(stack: &mut Stack, functions: &Functions<'_>, parameters: &Parameters, queues: &Queues) -> Endpoint {
    let (webhook, api_secret) = webhook(stack, functions, parameters, queues);
    let api_name = pseudo::stack_name();
    let api = RestApi::regional(api_name.clone(), "Receives webhooks of Git hosts");
    let api = stack.add("Api", api);
    let validator = stack.add("ApiRequestValidator", RequestValidator::of_parameters(&api));
    let methods = Worker::ALL.map(|worker| {
        let (id, part) = (logical_id(worker), worker.path_part());
        let path = stack.add(&format!("{id}Path"), ApiResource::new(&api, part));
        stack.add(&format!("{id}Method"), Method::post(&api, &path, &validator, "Content-Type", &webhook))
    });
    let snapshot = Snapshot::add(stack, "ApiDeployment", &api, &methods);
    let access_log = add_log_group(stack, "ApiAccessLog", "access");
    let stage = stage(stack, parameters, &api, &snapshot, &access_log);
    for worker in Worker::ALL {
        let path = format!("/{STAGE}/POST/{}", worker.path_part());
        let source = pseudo::arn("execute-api", [api.api_id().into(), path.as_str().into()]);
        let permission = Permission::invoke(&webhook, "apigateway.amazonaws.com", source);
        stack.add(&format!("{}Permission", logical_id(worker)), permission);
    }
    let domain = domain(stack, parameters, &api, &stage);
    stack.when(&parameters.has_web_acl, |stack| {
        // As a text, so that the linter finding about the empty default is here, where it is
        // accepted.
        let web_acl = sub([parameters.web_acl_arn.value().into()]);
        let association = WebAclAssociation::of_stage(&stage, &api, web_acl);
        stack.add("WebAclAssociation", association)
    });
    let url = |worker| url(parameters, &api, &stage, worker);
    Endpoint {
        gitpull_url: url(Worker::GitPull),
        zipdl_url: url(Worker::ZipDl),
        api_name,
        access_log,
        domain,
        api_secret,
    }
}

fn logical_id(worker: Worker) -> &'static str {
    match worker {
        Worker::GitPull => "GitPull",
        Worker::ZipDl => "ZipDl",
    }
}

fn webhook(
    stack: &mut Stack,
    functions: &Functions<'_>,
    parameters: &Parameters,
    queues: &Queues,
) -> (Handle<Function>, Handle<Secret>) {
    let description = "Webhook secrets of git2s3, separated by commas";
    let secret = Secret::from_parameter(description, &parameters.api_secret, &parameters.has_api_secret);
    let secret = stack.add_with("ApiSecretValue", secret, Attributes::default().deleted_with_stack());
    let settings = Settings {
        id: "Webhook",
        binary: "webhook",
        description: "Authenticates webhooks and queues what to fetch",
        memory: 256,
        timeout: 10,
    };
    let environment: WebhookEnvironment<Deployment> = WebhookEnvironment {
        api_secret: secret.secret_id(),
        gitpull_queue: queues.gitpull.queue.url(),
        zipdl_queue: queues.zipdl.queue.url(),
        allowed_ips: parameters.allowed_ips.value(),
        repositories: parameters.repositories.value(),
        refs: parameters.refs.value(),
        minimum_signature: parameters.minimum_signature.value(),
        allowed_hosts: parameters.allowed_git_hosts.value(),
    };
    let function = functions.add(
        stack,
        &settings,
        Attributes::default(),
        |role| {
            let pushed = Evidence::Scenario("a_signed_push_is_queued");
            secret.grant_read(role, "knows the secrets that requests are signed with", pushed);
            let send = [Action::SqsSendMessage];
            queues.gitpull.queue.grant(role, Grant::because("queues what to fetch", pushed, &send));
            let requested = Evidence::Scenario("a_signed_request_for_a_download_is_queued");
            queues.zipdl.queue.grant(role, Grant::because("queues what to download", requested, &send));
        },
        |function| function.environment(&environment),
    );
    (function, secret)
}

/// Adds the stage with its logs. API Gateway's log role belongs to the whole account and region: it
/// stays when the stack is deleted, since other APIs may rely on it. An account that never had an
/// API [takes no role before it has
/// one](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-account.html).
fn stage(
    stack: &mut Stack,
    parameters: &Parameters,
    api: &Handle<RestApi>,
    snapshot: &Handle<Snapshot>,
    access_log: &Handle<LogGroup>,
) -> Handle<Stage> {
    let mut role = parameters.confine(Role::for_service("apigateway.amazonaws.com", "Lets API Gateway write logs"));
    let actions = [
        Action::LogsCreateLogGroup,
        Action::LogsCreateLogStream,
        Action::LogsDescribeLogGroups,
        Action::LogsDescribeLogStreams,
        Action::LogsPutLogEvents,
        Action::LogsGetLogEvents,
        Action::LogsFilterLogEvents,
    ];
    let page = "https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html#set-up-access-logging-permissions";
    let reason = "API Gateway writes the access log of every stage of the account by this role";
    let grant = Grant::because(reason, Evidence::Documented(page), &actions);
    role.grant_on_all(
        "ApiLogs",
        grant,
        &format!("API Gateway refuses a role without these on every log group, see {page}"),
    );
    let role = stack.add_with("ApiLogRole", role, Attributes::default().kept());
    let account = stack.add_with("ApiAccount", Account::logging_by(&role), Attributes::default().kept().after(api));
    // API Gateway would create it at the first error, without retention, and the stack would leave
    // it behind.
    let execution_log = sub(["API-Gateway-Execution-Logs_".into(), api.api_id().into(), "/".into(), STAGE.into()]);
    let execution_log = add_named_log_group(stack, "ApiExecutionLog", execution_log);
    let stage = Stage::new(STAGE, api, snapshot, access_log, THROTTLE);
    stack.add_with("ApiStage", stage, Attributes::default().after(&account).after(&execution_log))
}

fn domain(
    stack: &mut Stack,
    parameters: &Parameters,
    api: &Handle<RestApi>,
    stage: &Handle<Stage>,
) -> Optional<Handle<DomainName>> {
    let name = || parameters.custom_domain_name.value();
    stack.when(&parameters.has_custom_domain, |stack| {
        let certificate = stack.add("Certificate", Certificate::by_dns(name()));
        let domain = stack.add("DomainName", DomainName::regional(name(), &certificate));
        stack.add("BasePathMapping", BasePathMapping::new(&domain, api, stage));
        domain
    })
}

fn url(parameters: &Parameters, api: &Handle<RestApi>, stage: &Handle<Stage>, worker: Worker) -> Value<String> {
    let path = format!("/{}", worker.path_part());
    let own = sub(["https://".into(), parameters.custom_domain_name.value().into(), path.as_str().into()]);
    let generated = sub([
        "https://".into(),
        api.api_id().into(),
        ".execute-api.".into(),
        pseudo::region().into(),
        ".".into(),
        pseudo::url_suffix().into(),
        "/".into(),
        stage.stage_name().into(),
        path.as_str().into(),
    ]);
    parameters.has_custom_domain.either(own, generated)
}
