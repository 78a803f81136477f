//! Bitbucket Cloud.

use contract::repository_keys::is_same_key;
use serde_json::{Value, json};

use super::state::{Hook, Key, Repository, State, Status, plain};
use super::{Asked, Reply, number, page, uuid};

const TIME: &str = "2026-11-30T12:00:00+00:00";

fn described(one: &Repository) -> Value {
    let branch = one.default_branch.as_ref().map(|name| json!({ "type": "branch", "name": name }));
    let mut described = json!({ "type": "repository", "uuid": format!("{{{}}}", uuid(one.id)), "full_name": one.path,
        "name": one.names().1, "is_private": true, "scm": "git", "created_on": TIME, "updated_on": TIME });
    if let Some(branch) = branch {
        described["mainbranch"] = branch;
    }
    described
}

fn key(one: &Key) -> Value {
    json!({ "type": "deploy_key", "id": one.id, "key": one.key, "label": one.title, "comment": "", "added_on": TIME })
}

fn hook(one: &Hook) -> Value {
    json!({ "type": "webhook_subscription", "uuid": format!("{{{}}}", uuid(one.id)), "url": one.url,
        "description": "git2s3", "subject_type": "repository", "active": one.is_active, "events": one.events,
        "created_at": TIME, "secret_set": one.secret.is_some() })
}

fn listed(asked: &Asked, list: Vec<Value>) -> Reply {
    let (size, at) = (asked.number("pagelen", 10), asked.number("page", 1));
    let (values, more) = page(list, size, at);
    let mut body = json!({ "pagelen": size, "page": at, "values": values });
    if more {
        let path = asked.parts.join("/");
        body["next"] = format!("{}/2.0/{path}?pagelen={size}&page={}", asked.base, at + 1).into();
    }
    Reply::json(200, body)
}

fn refused(status: u16, message: &str) -> Reply {
    Reply::json(status, json!({ "type": "error", "error": { "message": message } }))
}

fn change(hook: &mut Hook, asked: &Asked) {
    if let Some(url) = asked.text("/url") {
        url.clone_into(&mut hook.url);
    }
    if let Some(is_active) = asked.flag("/active") {
        hook.is_active = is_active;
    }
    if let Some(events) = asked.texts("/events") {
        hook.events = events;
    }
    // Without it, the secret stays.
    match asked.body.get("secret") {
        Some(Value::String(secret)) if !secret.is_empty() => hook.secret = Some(secret.clone()),
        Some(_) => hook.secret = None,
        None => {}
    }
}

fn status(one: &Status) -> Value {
    json!({ "type": "commitstatus", "key": one.name, "state": one.state, "name": one.name, "url": one.url,
        "description": one.description, "uuid": uuid(one.id), "refname": "main",
        "created_on": "2026-11-30T12:00:00+00:00", "updated_on": "2026-11-30T12:00:00+00:00", "links": {} })
}

pub(super) fn answer(state: &mut State, asked: &Asked) -> Option<Reply> {
    match (asked.method, &asked.parts[..]) {
        ("GET", ["repositories", workspace]) => {
            let found = state.of(workspace);
            (!found.is_empty()).then(|| listed(asked, found.iter().map(described).collect()))
        }
        (method, ["repositories", workspace, name, rest @ ..]) => {
            let one = state.find(&format!("{workspace}/{name}"))?.clone();
            if method == "GET" && rest.is_empty() {
                return Some(Reply::json(200, described(&one)));
            }
            if !one.may_administer {
                return Some(refused(403, "Your credentials lack one or more required privilege scopes."));
            }
            of_repository(state, asked, &one, rest)
        }
        _ => None,
    }
}

fn of_repository(state: &mut State, asked: &Asked, one: &Repository, rest: &[&str]) -> Option<Reply> {
    let path = one.path.as_str();
    match (asked.method, rest) {
        ("POST", ["commit", commit, "statuses", "build"]) => {
            let key = asked.text("/key").unwrap_or_default();
            if key.is_empty() || key.len() > 40 || asked.text("/url").is_none() {
                return Some(refused(400, "key: at most 40 characters; url: required"));
            }
            let fields = ["/key", "/state", "/description", "/url"];
            state.set_status(path, asked, commit, fields).map(|one| Reply::json(201, status(&one)))
        }
        ("GET", ["deploy-keys"]) => Some(listed(asked, one.keys.iter().map(key).collect())),
        ("POST", ["deploy-keys"]) => {
            let Some(text) = asked.text("/key") else { return Some(refused(400, "key: required")) };
            if one.keys.iter().any(|known| is_same_key(&known.key, text)) {
                return Some(refused(400, "Someone has already added that access key to this repository."));
            }
            let title = asked.text("/label").unwrap_or_default().to_owned();
            let added = Key { id: state.next(), title, key: plain(text), may_push: false };
            state.find(path)?.keys.push(added.clone());
            // Not 201.
            Some(Reply::json(200, key(&added)))
        }
        ("DELETE", ["deploy-keys", id]) => {
            let keys = &mut state.find(path)?.keys;
            let at = keys.iter().position(|key| key.id.to_string() == *id)?;
            keys.remove(at);
            Some(Reply::empty(204))
        }
        ("GET", ["hooks"]) => Some(listed(asked, one.hooks.iter().map(hook).collect())),
        ("POST", ["hooks"]) => {
            let mut added = Hook {
                id: state.next(),
                url: String::new(),
                is_active: true,
                events: Vec::new(),
                content_type: "json".to_owned(),
                secret: None,
                verifies_tls: true,
                branches: String::new(),
                sent: Vec::new(),
            };
            change(&mut added, asked);
            state.find(path)?.hooks.push(added.clone());
            Some(Reply::json(201, hook(&added)))
        }
        (method, ["hooks", id]) => {
            let id = number(id)?;
            let at = one.hooks.iter().position(|hook| hook.id == id)?;
            match method {
                "PUT" => {
                    let known = state.find(path)?.hooks.get_mut(at)?;
                    change(known, asked);
                    Some(Reply::json(200, hook(known)))
                }
                "DELETE" => {
                    state.find(path)?.hooks.remove(at);
                    Some(Reply::empty(204))
                }
                _ => None,
            }
        }
        _ => None,
    }
}
