//! The HTTPS endpoint that Git hosts post to, and the function behind it: the only one that the internet reaches, and it
//! holds no key, no token and no bucket.

use cfn::{
    Attributes, Handle, Optional, Stack, Value,
    apigateway::{
        Account, ApiResource, BasePathMapping, Deployment as Snapshot, DomainName, Method, RequestValidator, RestApi,
        Stage,
    },
    certificatemanager::Certificate,
    iam::{Action, Role},
    lambda::{Function, Permission},
    pseudo,
    secretsmanager::Secret,
    sub,
};
use contract::environment::WebhookEnvironment;

use super::{
    function::{Functions, Settings, add_log_group},
    parameters::Parameters,
    queues::Queues,
    side::Deployment,
};

/// The endpoint of the stack.
pub(super) struct Endpoint {
    /// The URL of `/gitpull`.
    pub(super) gitpull_url: Value<String>,
    /// The domain, where one was given.
    pub(super) domain: Optional<Handle<DomainName>>,
}

/// The stage, as in the URLs that users know.
const STAGE: &str = "Prod";
/// Requests a second, and at once: many times what pushes come to, and little enough that a flood costs little.
const THROTTLE: (u32, u32) = (50, 100);

/// Adds the endpoint.
pub(super) fn add(stack: &mut Stack, functions: &Functions<'_>, parameters: &Parameters, queues: &Queues) -> Endpoint {
    let webhook = webhook(stack, functions, parameters, queues);
    let api = RestApi::regional(pseudo::stack_name(), "Receives webhooks of Git hosts");
    let api = stack.add("Api", api);
    let validator = stack.add("ApiRequestValidator", RequestValidator::of_parameters(&api));
    let path = stack.add("GitPullPath", ApiResource::new(&api, "gitpull"));
    let method = stack.add("GitPullMethod", Method::post(&api, &path, &validator, "Content-Type", &webhook));
    let snapshot = Snapshot::add(stack, "ApiDeployment", &api, &[method]);
    let stage = stage(stack, &api, &snapshot);
    let source = pseudo::arn("execute-api", [api.api_id().into(), format!("/{STAGE}/POST/gitpull").as_str().into()]);
    stack.add("WebhookPermission", Permission::invoke(&webhook, "apigateway.amazonaws.com", source));
    let domain = domain(stack, parameters, &api, &stage);
    Endpoint { gitpull_url: gitpull_url(parameters, &api, &stage), domain }
}

fn webhook(stack: &mut Stack, functions: &Functions<'_>, parameters: &Parameters, queues: &Queues) -> Handle<Function> {
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
        gitpull_queue: queues.gitpull.url(),
        allowed_ips: parameters.allowed_ips.value(),
        repositories: parameters.repositories.value(),
        allowed_hosts: parameters.allowed_git_hosts.value(),
    };
    functions.add(
        stack,
        &settings,
        |role| {
            secret.grant_read(role);
            queues.gitpull.grant(role, &[Action::SqsSendMessage]);
        },
        |function| function.environment(&environment),
    )
}

/// Adds the stage with its access log. The role by which API Gateway writes logs belongs to the whole account and region:
/// it stays when the stack goes, for other APIs may have come to rely on it.
fn stage(stack: &mut Stack, api: &Handle<RestApi>, snapshot: &Handle<Snapshot>) -> Handle<Stage> {
    let access_log = add_log_group(stack, "ApiAccessLog", "access");
    let mut role = Role::for_service("apigateway.amazonaws.com", "Lets API Gateway write logs");
    let actions = [
        Action::LogsCreateLogGroup,
        Action::LogsCreateLogStream,
        Action::LogsDescribeLogGroups,
        Action::LogsDescribeLogStreams,
        Action::LogsPutLogEvents,
        Action::LogsGetLogEvents,
        Action::LogsFilterLogEvents,
    ];
    let reason = "API Gateway refuses a role without these on every log group, see \
                  https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html#set-up-access-logging-permissions";
    role.grant_on_all("ApiLogs", &actions, reason);
    let role = stack.add_with("ApiLogRole", role, Attributes::default().kept());
    let account = stack.add_with("ApiAccount", Account::logging_by(&role), Attributes::default().kept());
    let stage = Stage::new(STAGE, api, snapshot, &access_log, THROTTLE);
    stack.add_with("ApiStage", stage, Attributes::default().after(&account))
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

fn gitpull_url(parameters: &Parameters, api: &Handle<RestApi>, stage: &Handle<Stage>) -> Value<String> {
    let own = sub(["https://".into(), parameters.custom_domain_name.value().into(), "/gitpull".into()]);
    let generated = sub([
        "https://".into(),
        api.api_id().into(),
        ".execute-api.".into(),
        pseudo::region().into(),
        ".".into(),
        pseudo::url_suffix().into(),
        "/".into(),
        stage.stage_name().into(),
        "/gitpull".into(),
    ]);
    parameters.has_custom_domain.either(own, generated)
}
