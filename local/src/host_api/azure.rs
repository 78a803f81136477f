//! Azure DevOps. Service hooks belong to the organisation and name identifiers.

use serde_json::{Value, json};

use super::state::{Hook, Repository, State, Status};
use super::{Asked, Reply, number, uuid};

const TIME: &str = "2026-11-30T12:00:00.000Z";

/// The identifier of a project, from its name.
fn project_id(name: &str) -> String {
    uuid(name.bytes().map(u64::from).sum::<u64>() + 500_000)
}

fn described(one: &Repository) -> Value {
    let (owner, name) = one.names();
    let project = owner.rsplit('/').next().unwrap_or_default();
    let mut described = json!({ "id": uuid(one.id), "name": name, "isDisabled": one.is_archived, "size": 1,
        "project": { "id": project_id(project), "name": project, "state": "wellFormed", "visibility": "private" } });
    if let Some(branch) = &one.default_branch {
        described["defaultBranch"] = format!("refs/heads/{branch}").into();
    }
    described
}

fn subscription(hook: &Hook, one: &Repository) -> Value {
    let owner = one.names().0;
    let mut consumer = json!({ "url": hook.url });
    if hook.secret.is_some() {
        consumer["basicAuthUsername"] = "git2s3".into();
        consumer["basicAuthPassword"] = "********".into();
    }
    let publisher = json!({ "projectId": project_id(owner.rsplit('/').next().unwrap_or_default()),
        "repository": uuid(one.id), "branch": hook.branches });
    json!({ "id": uuid(hook.id), "status": if hook.is_active { "enabled" } else { "disabledByUser" },
        "publisherId": "tfs", "eventType": "git.push", "resourceVersion": "1.0", "consumerId": "webHooks",
        "consumerActionId": "httpRequest", "createdDate": TIME, "modifiedDate": TIME,
        "publisherInputs": publisher, "consumerInputs": consumer })
}

fn status(one: &Status) -> Value {
    json!({ "id": one.id, "state": one.state, "description": one.description, "targetUrl": one.url,
        "context": { "name": one.name, "genre": "git2s3" }, "creationDate": TIME, "updatedDate": TIME })
}

fn refused(status: u16, message: &str) -> Reply {
    Reply::json(status, json!({ "message": message, "typeKey": "Refused", "errorCode": 0, "eventId": 3000 }))
}

fn change(hook: &mut Hook, asked: &Asked) {
    asked.text("/consumerInputs/url").unwrap_or_default().clone_into(&mut hook.url);
    // Stars mean: as it was.
    match asked.text("/consumerInputs/basicAuthPassword") {
        Some("********") => {}
        password => hook.secret = password.map(str::to_owned),
    }
    asked.text("/publisherInputs/branch").unwrap_or_default().clone_into(&mut hook.branches);
    hook.is_active = asked.text("/status").is_none_or(|status| status == "enabled");
}

/// The repository of a subscription that is to be created.
fn subject<'s>(state: &'s mut State, asked: &Asked) -> Option<&'s mut Repository> {
    let id = number(asked.text("/publisherInputs/repository")?)?;
    let found = state.repositories.iter_mut().find(|one| one.id == id)?;
    let project = project_id(found.names().0.rsplit('/').next()?);
    (asked.text("/publisherInputs/projectId") == Some(project.as_str())).then_some(found)
}

/// The repository with a subscription, and its place there.
fn holder(state: &State, id: &str) -> Option<(Repository, usize)> {
    let id = number(id)?;
    let one = state.repositories.iter().find(|one| one.hooks.iter().any(|hook| hook.id == id))?;
    Some((one.clone(), one.hooks.iter().position(|hook| hook.id == id)?))
}

pub(super) fn answer(state: &mut State, asked: &Asked) -> Option<Reply> {
    let list = |values: Vec<Value>| Reply::json(200, json!({ "count": values.len(), "value": values }));
    match (asked.method, &asked.parts[..]) {
        (_, parts) if parts.contains(&"_apis") && asked.query("api-version").is_none() && asked.method != "GET" => {
            Some(refused(400, "No api-version was supplied"))
        }
        ("GET", [owner @ .., "_apis", "git", "repositories"]) => {
            let found = state.of(&owner.join("/"));
            (!found.is_empty()).then(|| list(found.iter().map(described).collect()))
        }
        ("GET", [organisation, project, "_apis", "git", "repositories", name]) => {
            state.find(&format!("{organisation}/{project}/{name}")).map(|one| Reply::json(200, described(one)))
        }
        ("POST", [organisation, project, "_apis", "git", "repositories", name, "commits", commit, "statuses"]) => {
            let path = format!("{organisation}/{project}/{name}");
            let fields = ["/context/name", "/state", "/description", "/targetUrl"];
            state.set_status(&path, asked, commit, fields).map(|one| Reply::json(201, status(&one)))
        }
        (method, [organisation, "_apis", "hooks", rest @ ..]) => {
            if state.of(organisation).iter().any(|one| !one.may_administer) && method != "GET" {
                return Some(refused(403, "Access denied: the permission Edit subscriptions is missing."));
            }
            hooks(state, asked, organisation, rest)
        }
        _ => None,
    }
}

fn hooks(state: &mut State, asked: &Asked, organisation: &str, rest: &[&str]) -> Option<Reply> {
    match (asked.method, rest) {
        ("GET", ["subscriptions"]) => {
            let found = state.of(organisation);
            let of = |one: &Repository| one.hooks.iter().map(|hook| subscription(hook, one)).collect::<Vec<_>>();
            let values: Vec<Value> = found.iter().flat_map(of).collect();
            Some(Reply::json(200, json!({ "count": values.len(), "value": values })))
        }
        ("POST", ["subscriptions"]) => {
            let id = state.next();
            let Some(one) = subject(state, asked) else { return Some(refused(400, "Subscription input is invalid")) };
            let mut added = Hook {
                id,
                url: String::new(),
                is_active: true,
                events: vec!["git.push".to_owned()],
                content_type: "json".to_owned(),
                secret: None,
                verifies_tls: true,
                branches: String::new(),
                sent: Vec::new(),
            };
            change(&mut added, asked);
            one.hooks.push(added.clone());
            Some(Reply::json(200, subscription(&added, one)))
        }
        (method, ["subscriptions", id]) => {
            let (one, at) = holder(state, id)?;
            let known = state.find(&one.path)?.hooks.get_mut(at)?;
            match method {
                "GET" => Some(Reply::json(200, subscription(known, &one))),
                "PUT" => {
                    change(known, asked);
                    Some(Reply::json(200, subscription(known, &one)))
                }
                "DELETE" => {
                    state.find(&one.path)?.hooks.remove(at);
                    Some(Reply::empty(204))
                }
                _ => None,
            }
        }
        ("POST", ["testnotifications"]) => {
            let (one, at) = holder(state, asked.text("/subscriptionId")?)?;
            let hook = one.hooks.get(at)?;
            state.send(&one.path, hook.id, "git.push", false);
            Some(Reply::json(200, json!({ "subscriptionId": uuid(hook.id), "status": "queued", "result": "pending" })))
        }
        ("POST", ["notificationsquery"]) => {
            let wanted = asked.texts("/subscriptionIds")?;
            let (one, at) = holder(state, wanted.first()?)?;
            let sent = one.hooks.get(at)?.sent.iter().rev().map(|sent| {
                let is_ok = sent.status < 300;
                json!({ "id": sent.id, "subscriptionId": wanted.first(), "createdDate": TIME, "modifiedDate": TIME,
                    "status": "completed", "result": if is_ok { "succeeded" } else { "failed" },
                    "details": { "eventType": sent.event, "response": format!("Status Code: {}\r\n", sent.status),
                        "errorMessage": "" } })
            });
            let results: Vec<Value> = sent.collect();
            Some(Reply::json(200, json!({ "includeDetails": true, "results": results })))
        }
        _ => None,
    }
}
