//! The hosts' published specifications, which `.ci/specs` cuts down. Whatever our client sends and
//! the stand-ins answer must be in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use contract::HostKind;
use local::host_api::Exchange;
use serde_json::{Value, json};

/// A host's specification.
pub(crate) struct Spec {
    name: &'static str,
    document: Value,
}

/// The specifications of a kind of host: GitHub has one for each product.
pub(crate) fn of(kind: HostKind) -> Vec<Spec> {
    let names: &[&'static str] = match kind {
        HostKind::GitHub => &["github", "ghes"],
        HostKind::GitLab => &["gitlab"],
        HostKind::Bitbucket => &["bitbucket"],
        HostKind::BitbucketDataCenter => &["bitbucket-dc"],
        HostKind::Gitea => &["gitea"],
        HostKind::Azure => &["azure"],
    };
    names.iter().map(|name| Spec::load(name)).collect()
}

/// Whether Bitbucket's types lack a field that it sends: identifiers, which the paths of changes
/// and deletions need, and two times.
fn is_missing_in_types(what: &str, field: &str) -> bool {
    let is_key = what.starts_with("bitbucket: ") && what.contains("/deploy-keys");
    let is_webhook = what.starts_with("bitbucket-dc: ") && what.contains("/webhooks");
    match field {
        "id" => is_key || is_webhook,
        "createdDate" | "updatedDate" => is_webhook,
        _ => false,
    }
}

/// What was compared.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    pub(crate) requests: usize,
    pub(crate) responses: usize,
    /// Refusals that the specification doesn't list.
    pub(crate) unlisted: usize,
}

/// A file that `.ci/specs` writes.
fn read(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(".tools/specs");
    let path = folder.join(format!("{name}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run .ci/specs", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The answers of real hosts that other clients have recorded.
pub(crate) fn recorded() -> Vec<Value> {
    read("recorded").as_array().unwrap().clone()
}

impl Spec {
    fn load(name: &'static str) -> Self {
        Self { name, document: read(name) }
    }

    /// Compares exchanges, without planted faults. What every request may be answered isn't listed.
    pub(crate) fn compare(&self, exchanges: &[Exchange]) -> Compared {
        let mut compared = Compared::default();
        for exchange in exchanges.iter().filter(|one| !one.is_planted && ![304, 401].contains(&one.status)) {
            self.compare_one(exchange, &mut compared);
        }
        compared
    }

    fn compare_one(&self, exchange: &Exchange, compared: &mut Compared) {
        let Exchange { method, target, request, status, response, kind, .. } = exchange;
        let what = format!("{}: {method} {target} {status}", self.name);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let operation =
            self.operation(method.as_str(), path).unwrap_or_else(|| panic!("{what}: there is no such path"));
        let known: BTreeSet<&str> = operation["query"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for name in query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty()) {
            assert!(known.contains(name), "{what}: there is no parameter {name}");
        }
        if let Some(body) = request {
            let mut body = body.clone();
            if *kind == HostKind::Bitbucket {
                // Required in the type, but in no request of the documentation.
                body["type"] = match path.rsplit('/').next() {
                    Some("deploy-keys") => "deploy_key",
                    Some("build") => "commitstatus",
                    _ => "webhook_subscription",
                }
                .into();
            }
            assert!(!operation["request"].is_null(), "{what}: there is no body");
            self.check(&format!("{what}: request"), &operation["request"], &body);
        } else {
            assert!(operation["request"].is_null(), "{what}: the body is missing");
        }
        compared.requests += 1;
        let Some(schema) = operation["responses"].get(status.to_string()) else {
            assert!(*status >= 400, "{what}: there is no such status");
            compared.unlisted += 1;
            return;
        };
        let is_empty = response.as_ref().is_none_or(|body| *body == json!({}));
        // An object of which nothing is said may be empty.
        let may_be_empty = schema.is_null() || *schema == json!({ "type": "object" });
        assert!(
            *status >= 400 || (!schema.is_null() || is_empty) && (may_be_empty || !is_empty),
            "{what}: a body or none"
        );
        if let (Some(body), false) = (response, schema.is_null()) {
            self.check(&format!("{what}: response"), schema, body);
        }
        compared.responses += 1;
    }

    /// The operation whose path has the most literal segments.
    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let segments: Vec<&str> = path.split('/').collect();
        let fits = |operation: &&Value| {
            let template: Vec<&str> = operation["path"].as_str().unwrap().split('/').collect();
            let is_one = |(part, segment): (&&str, &&str)| part.starts_with('{') || part == segment;
            operation["method"] == method
                && template.len() == segments.len()
                && template.iter().zip(&segments).all(is_one)
        };
        let all = self.document["operations"].as_array().unwrap();
        all.iter().filter(fits).min_by_key(|operation| operation["path"].as_str().unwrap().matches('{').count())
    }

    fn check(&self, what: &str, schema: &Value, body: &Value) {
        let whole = json!({ "definitions": self.document["definitions"], "allOf": [schema] });
        let validator = jsonschema::options().should_validate_formats(true).build(&whole);
        let validator = validator.unwrap_or_else(|error| panic!("{what}: {error}"));
        let wrong: Vec<_> =
            validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{what}: {wrong:#?}");
        let mut unknown = Vec::new();
        self.undocumented(&[schema], body, "", &mut unknown);
        unknown.retain(|field| !is_missing_in_types(what, field.rsplit('/').next().unwrap_or_default()));
        assert!(unknown.is_empty(), "{what} has fields that the specification doesn't have: {unknown:?}");
    }

    /// The fields of a body that its schema doesn't name. A validator accepts them.
    fn undocumented(&self, schemas: &[&Value], body: &Value, at: &str, unknown: &mut Vec<String>) {
        let mut parts = Vec::new();
        for schema in schemas {
            self.parts(schema, &mut parts);
        }
        match body {
            Value::Array(items) => {
                let of: Vec<&Value> = parts.iter().filter_map(|part| part.get("items")).collect();
                for item in items {
                    self.undocumented(&of, item, at, unknown);
                }
            }
            Value::Object(fields) => {
                let mut named: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
                for part in &parts {
                    for (name, schema) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
                        named.entry(name).or_default().push(schema);
                    }
                }
                let is_open =
                    parts.iter().any(|part| part.get("additionalProperties").is_some_and(|more| more != false));
                if is_open || named.is_empty() {
                    return;
                }
                for (name, value) in fields {
                    match named.get(name.as_str()) {
                        Some(schemas) => self.undocumented(schemas, value, &format!("{at}/{name}"), unknown),
                        None => unknown.push(format!("{at}/{name}")),
                    }
                }
            }
            _ => {}
        }
    }

    /// The schemas that a schema consists of.
    fn parts<'s>(&'s self, schema: &'s Value, parts: &mut Vec<&'s Value>) {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.trim_start_matches("#/definitions/");
            self.parts(&self.document["definitions"][name], parts);
        }
        for list in ["allOf", "anyOf", "oneOf"] {
            for part in schema.get(list).and_then(Value::as_array).into_iter().flatten() {
                self.parts(part, parts);
            }
        }
        parts.push(schema);
    }
}
