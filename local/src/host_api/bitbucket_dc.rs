//! Bitbucket Data Center.

use contract::repository_keys::is_same_key;
use serde_json::{Value, json};

use super::state::{Hook, Key, Repository, State, plain};
use super::{Asked, Reply};

const TIME: u64 = 1_796_040_000_000;

fn described(one: &Repository) -> Value {
    let (project, name) = one.names();
    json!({ "id": one.id, "slug": name, "name": name, "archived": one.is_archived, "public": false,
        "scmId": "git", "state": "AVAILABLE", "forkable": true,
        "project": { "id": 1, "key": project, "name": project, "public": false, "type": "NORMAL" } })
}

fn key(one: &Key) -> Value {
    json!({ "key": { "id": one.id, "text": one.key, "label": one.title, "algorithmType": "ssh-ed25519" },
        "permission": if one.may_push { "REPO_WRITE" } else { "REPO_READ" } })
}

/// With the secret in clear, as some versions do.
fn hook(one: &Hook) -> Value {
    let mut configuration = json!({});
    if let Some(secret) = &one.secret {
        configuration["secret"] = secret.clone().into();
    }
    json!({ "id": one.id, "name": "git2s3", "createdDate": TIME, "updatedDate": TIME, "events": one.events,
        "configuration": configuration, "url": one.url, "active": one.is_active, "scopeType": "repository",
        "sslVerificationRequired": one.verifies_tls })
}

fn listed(asked: &Asked, list: Vec<Value>) -> Reply {
    let (limit, start) = (asked.number("limit", 25), asked.number("start", 0));
    let is_last = list.len() <= start + limit;
    let values: Vec<Value> = list.into_iter().skip(start).take(limit).collect();
    let mut body = json!({ "size": values.len(), "limit": limit, "start": start, "isLastPage": is_last });
    if !is_last {
        body["nextPageStart"] = (start + limit).into();
    }
    body["values"] = values.into();
    Reply::json(200, body)
}

fn refused(status: u16, message: &str) -> Reply {
    let error = json!({ "context": null, "message": message, "exceptionName": null });
    Reply::json(status, json!({ "errors": [error] }))
}

fn change(hook: &mut Hook, asked: &Asked) {
    asked.text("/url").unwrap_or_default().clone_into(&mut hook.url);
    hook.is_active = asked.flag("/active").unwrap_or(true);
    hook.events = asked.texts("/events").unwrap_or_default();
    hook.secret = asked.text("/configuration/secret").map(str::to_owned);
    hook.verifies_tls = asked.flag("/sslVerificationRequired").unwrap_or(true);
}

pub(super) fn answer(state: &mut State, asked: &Asked) -> Option<Reply> {
    match (asked.method, &asked.parts[..]) {
        ("GET", ["api", "latest", "projects", project, "repos"]) => {
            let found = state.of(project);
            (!found.is_empty()).then(|| listed(asked, found.iter().map(described).collect()))
        }
        (method, [api @ ("api" | "keys"), "latest", "projects", project, "repos", name, rest @ ..]) => {
            let one = state.find(&format!("{project}/{name}"))?.clone();
            if method == "GET" && *api == "api" && rest.is_empty() {
                return Some(Reply::json(200, described(&one)));
            }
            if method == "GET" && *api == "api" && *rest == ["default-branch"] {
                let branch = one.default_branch?;
                let id = format!("refs/heads/{branch}");
                return Some(Reply::json(200, json!({ "id": id, "displayId": branch, "type": "BRANCH" })));
            }
            if let ("POST", ["commits", commit, "builds"]) = (method, rest) {
                return build(state, asked, &one, commit);
            }
            if !one.may_administer {
                return Some(refused(401, "You are not permitted to access this resource"));
            }
            if method != "GET" && one.is_archived {
                return Some(refused(409, "The repository is archived and can't be changed."));
            }
            if *api == "keys" { keys(state, asked, &one, rest) } else { hooks(state, asked, &one, rest) }
        }
        _ => None,
    }
}

fn build(state: &mut State, asked: &Asked, one: &Repository, commit: &str) -> Option<Reply> {
    let fields = ["/key", "/state", "/description", "/url"];
    let limits = [("/key", 255), ("/name", 255), ("/description", 255), ("/url", 450)];
    let is_long =
        |(field, longest): (&str, usize)| asked.text(field).is_some_and(|text| text.chars().count() > longest);
    if limits.into_iter().any(is_long) || asked.text("/url").is_none() {
        return Some(refused(400, "The build status is not valid."));
    }
    state.set_status(&one.path, asked, commit, fields).map(|_| Reply::empty(204))
}

fn keys(state: &mut State, asked: &Asked, one: &Repository, rest: &[&str]) -> Option<Reply> {
    let path = one.path.as_str();
    match (asked.method, rest) {
        ("GET", ["ssh"]) => Some(listed(asked, one.keys.iter().map(key).collect())),
        ("POST", ["ssh"]) => {
            let Some(text) = asked.text("/key/text") else { return Some(refused(400, "key.text is missing")) };
            if one.keys.iter().any(|known| is_same_key(&known.key, text)) {
                return Some(refused(409, "This key is already in use."));
            }
            let title = asked.text("/key/label").unwrap_or_default().to_owned();
            let may_push = asked.text("/permission") != Some("REPO_READ");
            let added = Key { id: state.next(), title, key: plain(text), may_push };
            state.find(path)?.keys.push(added.clone());
            Some(Reply::json(201, key(&added)))
        }
        ("DELETE", ["ssh", id]) => {
            let keys = &mut state.find(path)?.keys;
            let at = keys.iter().position(|key| key.id.to_string() == *id)?;
            keys.remove(at);
            Some(Reply::empty(204))
        }
        _ => None,
    }
}

fn hooks(state: &mut State, asked: &Asked, one: &Repository, rest: &[&str]) -> Option<Reply> {
    let path = one.path.as_str();
    match (asked.method, rest) {
        ("GET", ["webhooks"]) => Some(listed(asked, one.hooks.iter().map(hook).collect())),
        ("POST", ["webhooks"]) => {
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
            Some(Reply::json(200, hook(&added)))
        }
        ("POST", ["webhooks", "test"]) => {
            let id = asked.query("webhookId")?.parse().ok()?;
            let status = state.send(path, id, "diagnostics:ping", false)?;
            let request = json!({ "url": asked.query("url"), "method": "POST" });
            Some(Reply::json(200, json!({ "request": request, "response": { "statusCode": status } })))
        }
        (method, ["webhooks", id, rest @ ..]) => {
            let at = one.hooks.iter().position(|hook| hook.id.to_string() == *id)?;
            match (method, rest) {
                ("PUT", []) => {
                    let known = state.find(path)?.hooks.get_mut(at)?;
                    change(known, asked);
                    Some(Reply::json(200, hook(known)))
                }
                ("DELETE", []) => {
                    state.find(path)?.hooks.remove(at);
                    Some(Reply::empty(204))
                }
                ("GET", ["latest"]) => {
                    let Some(sent) = one.hooks.get(at)?.sent.last() else { return Some(Reply::empty(204)) };
                    let outcome = if sent.status < 300 { "SUCCESS" } else { "FAILURE" };
                    let result = json!({ "description": sent.status.to_string(), "outcome": outcome });
                    Some(Reply::json(
                        200,
                        json!({ "id": sent.id, "event": sent.event, "duration": 90, "start": TIME, "finish": TIME + 90,
                            "request": { "url": "https://stack.example", "method": "POST" }, "result": result }),
                    ))
                }
                _ => None,
            }
        }
        _ => None,
    }
}
