//! The order in which CloudFormation creates and deletes resources: what another resource depends
//! on is created before it and deleted after it. Some orders matter although no property implies
//! them, and only a deployment to AWS would show that, so a template is checked before it is
//! deployed.
//!
//! Sources:
//! [`DependsOn`](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-dependson.html),
//! and the page that each [`Rule`] names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::reference::{Reference, attributes, references};

/// Why one resource has to depend on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// [API
    /// Gateway](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-account.html)
    /// accepts the account's log role only if there has been an API.
    AccountAfterApi,
    /// API Gateway refuses a stage that writes logs before [the account has a role for
    /// them](https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html).
    StageAfterAccount,
    /// API Gateway creates a stage's execution log at the first event if it doesn't exist: without
    /// retention, and left behind by the stack ([its
    /// name](https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html)).
    StageAfterLog,
    /// Only empty buckets are deleted, so nothing may write to one after it was emptied. A function
    /// that is [deleted while it
    /// runs](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html) goes on;
    /// without its role it can't write any more.
    WriterAfterCleaner,
    /// Lambda deletes a function's network interfaces with [the function's
    /// role](https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions),
    /// after the function has left the VPC: the right to do so has to outlive the security group,
    /// which waits for that.
    GroupAfterRights,
    /// A separate policy has to exist before and after the functions that use its rights.
    FunctionAfterRights,
}

impl Rule {
    fn reason(self) -> &'static str {
        match self {
            Self::AccountAfterApi => "API Gateway takes no log role before the account has an API",
            Self::StageAfterAccount => "a stage that writes logs is refused before the account has a log role",
            Self::StageAfterLog => {
                "API Gateway makes the stage's execution log where it is missing, and nobody deletes that"
            }
            Self::WriterAfterCleaner => {
                "it may write into a bucket that is emptied when the stack is deleted, and has to be gone by then"
            }
            Self::GroupAfterRights => {
                "Lambda deletes the network interfaces of the group by these rights, which have to outlive it"
            }
            Self::FunctionAfterRights => {
                "the function runs by these rights, which have to be there before it and after it"
            }
        }
    }
}

/// A missing dependency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{name} has to depend on {on}: {}", rule.reason())]
pub struct Disorder {
    /// The logical ID of the resource that should be created later.
    pub name: String,
    /// What it should depend on: a logical ID, or the kind of resource that is missing.
    pub on: String,
    /// The reason.
    pub rule: Rule,
}

/// What each resource of a template depends on, by a reference or by `DependsOn`.
pub fn dependencies(template: &Json) -> BTreeMap<String, BTreeSet<String>> {
    let resources = || template["Resources"].as_object().into_iter().flatten();
    let of = |entry: &Json| {
        let mut found = of_resource(entry);
        found.retain(|id| template["Resources"].get(id).is_some());
        found
    };
    resources().map(|(id, entry)| (id.clone(), of(entry))).collect()
}

/// Every dependency that `template` lacks.
pub fn missing(template: &Json) -> Vec<Disorder> {
    let graph = Graph::of(template);
    let mut found = BTreeSet::new();
    api_gateway(&graph, &mut found);
    writers(&graph, &mut found);
    network(&graph, &mut found);
    found.into_iter().collect()
}

struct Graph<'a> {
    resources: BTreeMap<&'a str, &'a Json>,
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Graph<'a> {
    fn of(template: &'a Json) -> Self {
        let resources: BTreeMap<_, _> =
            template["Resources"].as_object().into_iter().flatten().map(|(id, entry)| (id.as_str(), entry)).collect();
        Self { resources, edges: dependencies(template) }
    }

    fn of_type(&self, kind: &str) -> impl Iterator<Item = (&'a str, &'a Json)> {
        self.resources.iter().filter(move |(_, entry)| entry["Type"] == kind).map(|(id, entry)| (*id, *entry))
    }

    /// Whether one resource depends on another, directly or through others.
    fn depends(&self, name: &str, on: &str) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![name]);
        while let Some(next) = open.pop() {
            for dependency in self.edges.get(next).into_iter().flatten() {
                if dependency == on {
                    return true;
                }
                if seen.insert(dependency) {
                    open.push(dependency);
                }
            }
        }
        false
    }

    fn demand(&self, name: &str, on: &str, rule: Rule, found: &mut BTreeSet<Disorder>) {
        if !self.depends(name, on) {
            found.insert(Disorder { name: name.to_owned(), on: on.to_owned(), rule });
        }
    }
}

/// The names that an entry mentions, parameters included.
fn of_resource(entry: &Json) -> BTreeSet<String> {
    let mut found: BTreeSet<_> =
        attributes(entry).into_iter().filter_map(|(_, reference)| name_of(reference)).collect();
    mentioned(&entry["Properties"], &mut found);
    found
}

fn mentioned(value: &Json, found: &mut BTreeSet<String>) {
    found.extend(references(value).into_iter().filter_map(name_of));
    match value {
        Json::Object(map) => map.values().for_each(|child| mentioned(child, found)),
        Json::Array(list) => list.iter().for_each(|child| mentioned(child, found)),
        _ => {}
    }
}

fn name_of(reference: Reference) -> Option<String> {
    match reference {
        Reference::Resource(name) | Reference::Any(name) => Some(name),
        Reference::Condition(_) => None,
    }
}

fn mentions(value: &Json) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    mentioned(value, &mut found);
    found
}

fn api_gateway(graph: &Graph<'_>, found: &mut BTreeSet<Disorder>) {
    let account = graph.of_type("AWS::ApiGateway::Account").next().map(|(id, _)| id);
    if let (Some(account), Some((api, _))) = (account, graph.of_type("AWS::ApiGateway::RestApi").next()) {
        graph.demand(account, api, Rule::AccountAfterApi, found);
    }
    for (id, stage) in graph.of_type("AWS::ApiGateway::Stage") {
        let properties = &stage["Properties"];
        let levels = properties["MethodSettings"].as_array().into_iter().flatten();
        let writes_executions = levels.filter_map(|method| method["LoggingLevel"].as_str()).any(|level| level != "OFF");
        let writes = writes_executions || properties.get("AccessLogSetting").is_some();
        if let Some(account) = account.filter(|_| writes) {
            graph.demand(id, account, Rule::StageAfterAccount, found);
        }
        if writes_executions {
            let apis = mentions(&properties["RestApiId"]);
            let log = graph.of_type("AWS::Logs::LogGroup").find(|(_, log)| is_execution_log(log, &apis));
            let on = log.map_or("its log group API-Gateway-Execution-Logs_{api}/{stage}", |(log, _)| log);
            graph.demand(id, on, Rule::StageAfterLog, found);
        }
    }
}

fn is_execution_log(log: &Json, apis: &BTreeSet<String>) -> bool {
    let name = &log["Properties"]["LogGroupName"];
    name.to_string().contains("API-Gateway-Execution-Logs_") && !mentions(name).is_disjoint(apis)
}

/// Roles that may write into a bucket, and the custom resource whose function empties it.
fn writers(graph: &Graph<'_>, found: &mut BTreeSet<Disorder>) {
    for (cleaner, resource) in graph.of_type("AWS::CloudFormation::CustomResource") {
        let own: BTreeSet<_> = mentions(&resource["Properties"]["ServiceToken"])
            .iter()
            .filter_map(|function| graph.resources.get(function.as_str()))
            .flat_map(|function| mentions(&function["Properties"]["Role"]))
            .collect();
        let buckets: BTreeSet<_> = own.iter().flat_map(|role| buckets(graph, role, "s3:DeleteObjectVersion")).collect();
        for (role, _) in graph.of_type("AWS::IAM::Role").filter(|(role, _)| !own.contains(*role)) {
            if !buckets.is_disjoint(&self::buckets(graph, role, "s3:PutObject")) {
                graph.demand(role, cleaner, Rule::WriterAfterCleaner, found);
            }
        }
    }
}

/// The buckets in which a role may do an action.
fn buckets(graph: &Graph<'_>, role: &str, action: &str) -> BTreeSet<String> {
    let documents = policies(graph, role).into_iter().flat_map(|(_, document)| statements(document));
    let allowed = documents.filter(|statement| allows(statement, action));
    let is_bucket = |id: &String| graph.resources.get(id.as_str()).is_some_and(|one| one["Type"] == "AWS::S3::Bucket");
    allowed.flat_map(|statement| mentions(&statement["Resource"])).filter(is_bucket).collect()
}

/// The policy documents of a role: its inline ones, and those of attached policies with their
/// logical IDs.
fn policies<'a>(graph: &Graph<'a>, role: &str) -> Vec<(Option<&'a str>, &'a Json)> {
    let inline = graph.resources.get(role).and_then(|role| role["Properties"]["Policies"].as_array());
    let inline = inline.into_iter().flatten().map(|policy| (None, &policy["PolicyDocument"]));
    let is_attached = |policy: &Json| {
        ["Roles", "RoleName"].iter().any(|holders| mentions(&policy["Properties"][*holders]).contains(role))
    };
    let kinds = ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"];
    let attached = kinds.iter().flat_map(|kind| graph.of_type(kind)).filter(|(_, policy)| is_attached(policy));
    inline.chain(attached.map(|(id, policy)| (Some(id), &policy["Properties"]["PolicyDocument"]))).collect()
}

fn statements(document: &Json) -> Vec<&Json> {
    match &document["Statement"] {
        Json::Array(list) => list.iter().collect(),
        Json::Null => Vec::new(),
        one => vec![one],
    }
}

/// Whether a statement allows an action, by its name, `service:*` or `*`.
fn allows(statement: &Json, action: &str) -> bool {
    let service = format!("{}:*", action.split(':').next().unwrap_or_default());
    let is_it = |name: &str| name == "*" || name == service || name == action;
    let named = match &statement["Action"] {
        Json::Array(list) => list.iter().filter_map(Json::as_str).any(is_it),
        one => one.as_str().is_some_and(is_it),
    };
    statement["Effect"] == "Allow" && named
}

fn network(graph: &Graph<'_>, found: &mut BTreeSet<Disorder>) {
    for (function, resource) in graph.of_type("AWS::Lambda::Function") {
        let groups: BTreeSet<_> = mentions(&resource["Properties"]["VpcConfig"])
            .into_iter()
            .filter(|id| graph.resources.get(id.as_str()).is_some_and(|one| one["Type"] == "AWS::EC2::SecurityGroup"))
            .collect();
        for role in mentions(&resource["Properties"]["Role"]) {
            for (policy, document) in policies(graph, &role) {
                let Some(policy) = policy else { continue };
                graph.demand(function, policy, Rule::FunctionAfterRights, found);
                if statements(document).into_iter().any(|one| allows(one, DELETE_INTERFACE)) {
                    for group in &groups {
                        graph.demand(group, policy, Rule::GroupAfterRights, found);
                    }
                }
            }
            let inline = graph.resources.get(role.as_str()).map_or(&Json::Null, |role| &role["Properties"]["Policies"]);
            if is_sometimes_allowed(inline, DELETE_INTERFACE) {
                for group in &groups {
                    let on =
                        "a policy of its own with ec2:DeleteNetworkInterface, which now is in a role under a condition";
                    found.insert(Disorder { name: group.clone(), on: on.to_owned(), rule: Rule::GroupAfterRights });
                }
            }
        }
    }
}

const DELETE_INTERFACE: &str = "ec2:DeleteNetworkInterface";

/// Whether an action is inside an `Fn::If`: an update removes it before the function has changed.
fn is_sometimes_allowed(value: &Json, action: &str) -> bool {
    match value {
        Json::Object(map) => map.iter().any(|(key, child)| match key.as_str() {
            "Fn::If" => child.to_string().contains(action),
            _ => is_sometimes_allowed(child, action),
        }),
        Json::Array(list) => list.iter().any(|child| is_sometimes_allowed(child, action)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
