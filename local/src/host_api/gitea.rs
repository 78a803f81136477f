//! Gitea and Forgejo.

use contract::repository_keys::is_same_key;
use serde_json::{Value, json};

use super::state::{Hook, Key, Repository, State, Status, plain};
use super::{Asked, Reply, page};

const TIME: &str = "2026-11-30T12:00:00Z";

fn described(one: &Repository, base: &str) -> Value {
    let (owner, name) = one.names();
    let is = one.may_administer;
    json!({ "id": one.id, "name": name, "full_name": one.path, "private": true, "archived": one.is_archived,
        "empty": one.default_branch.is_none(), "default_branch": one.default_branch.as_deref().unwrap_or("main"),
        "owner": { "id": 1, "login": owner }, "html_url": format!("{base}/{}", one.path),
        "clone_url": format!("{base}/{}.git", one.path), "created_at": TIME, "updated_at": TIME,
        "permissions": { "admin": is, "push": is, "pull": true } })
}

fn key(one: &Key) -> Value {
    json!({ "id": one.id, "key_id": one.id, "key": one.key, "title": one.title, "created_at": TIME,
        "fingerprint": "SHA256:AAAA", "read_only": !one.may_push, "url": "https://git.example/key" })
}

fn hook(one: &Hook) -> Value {
    json!({ "id": one.id, "type": "gitea", "active": one.is_active, "events": one.events,
        "branch_filter": one.branches, "authorization_header": "", "created_at": TIME, "updated_at": TIME,
        "config": { "url": one.url, "content_type": one.content_type } })
}

fn status(one: &Status) -> Value {
    json!({ "id": one.id, "status": one.state, "description": one.description, "target_url": one.url,
        "context": one.name, "url": "https://git.example/status", "created_at": TIME, "updated_at": TIME,
        "creator": { "id": 1, "login": "person" } })
}

/// A list with the number of all entries in a header.
fn listed(asked: &Asked, list: Vec<Value>) -> Reply {
    let total = list.len().to_string();
    let (entries, _) = page(list, asked.number("limit", 30).min(50), asked.number("page", 1));
    Reply::json(200, entries.into()).with("x-total-count", total)
}

fn invalid(message: &str) -> Reply {
    Reply::json(422, json!({ "message": message, "url": "https://git.example/api/swagger" }))
}

/// Changes what an update changes. The secret isn't among it.
fn change(hook: &mut Hook, asked: &Asked) {
    if let Some(is_active) = asked.flag("/active") {
        hook.is_active = is_active;
    }
    hook.events = asked.texts("/events").filter(|events| !events.is_empty()).unwrap_or(vec!["push".to_owned()]);
    asked.text("/branch_filter").unwrap_or_default().clone_into(&mut hook.branches);
    if let Some(url) = asked.text("/config/url") {
        url.clone_into(&mut hook.url);
    }
    if let Some(content_type) = asked.text("/config/content_type") {
        content_type.clone_into(&mut hook.content_type);
    }
}

pub(super) fn answer(state: &mut State, asked: &Asked) -> Option<Reply> {
    match (asked.method, &asked.parts[..]) {
        ("GET", [owners @ ("orgs" | "users"), name, "repos"]) => {
            let is_user = state.users.iter().any(|user| user == name);
            let found = state.of(name);
            if found.is_empty() || is_user != (*owners == "users") {
                return None;
            }
            Some(listed(asked, found.iter().map(|one| described(one, asked.base)).collect()))
        }
        (method, ["repos", owner, name, rest @ ..]) => {
            let one = state.find(&format!("{owner}/{name}"))?.clone();
            if method == "GET" && rest.is_empty() {
                return Some(Reply::json(200, described(&one, asked.base)));
            }
            if !one.may_administer {
                return Some(Reply::json(
                    403,
                    json!({ "message": "user should be an owner or a collaborator with admin write of a repository", "url": "" }),
                ));
            }
            if method != "GET" && one.is_archived {
                let message = format!("Repo {} is archived.", one.path);
                return Some(Reply::json(423, json!({ "message": message, "url": "" })));
            }
            of_repository(state, asked, &one, rest)
        }
        _ => None,
    }
}

fn of_repository(state: &mut State, asked: &Asked, one: &Repository, rest: &[&str]) -> Option<Reply> {
    let path = one.path.as_str();
    match (asked.method, rest) {
        ("GET", ["keys"]) => Some(listed(asked, one.keys.iter().map(key).collect())),
        ("POST", ["keys"]) => {
            let (Some(text), Some(title)) = (asked.text("/key"), asked.text("/title")) else {
                return Some(invalid("[Key]: Required"));
            };
            if one.keys.iter().any(|known| is_same_key(&known.key, text)) {
                return Some(invalid("This key has already been added to this repository"));
            }
            if one.keys.iter().any(|known| known.title == title) {
                return Some(invalid("Key title has been used"));
            }
            let may_push = asked.flag("/read_only") != Some(true);
            let added = Key { id: state.next(), title: title.to_owned(), key: plain(text), may_push };
            state.find(path)?.keys.push(added.clone());
            Some(Reply::json(201, key(&added)))
        }
        ("DELETE", ["keys", id]) => {
            let keys = &mut state.find(path)?.keys;
            let at = keys.iter().position(|key| key.id.to_string() == *id)?;
            keys.remove(at);
            Some(Reply::empty(204))
        }
        ("GET", ["hooks"]) => Some(listed(asked, one.hooks.iter().map(hook).collect())),
        ("POST", ["hooks"]) => {
            let wants = ["/type", "/config/url", "/config/content_type"];
            if wants.iter().any(|pointer| asked.text(pointer).is_none()) {
                return Some(invalid("Missing config option"));
            }
            let mut added = Hook {
                id: state.next(),
                url: String::new(),
                // Off, unless the request says otherwise.
                is_active: false,
                events: Vec::new(),
                content_type: String::new(),
                secret: asked.text("/config/secret").map(str::to_owned),
                verifies_tls: true,
                branches: String::new(),
                sent: Vec::new(),
            };
            change(&mut added, asked);
            state.find(path)?.hooks.push(added.clone());
            Some(Reply::json(201, hook(&added)))
        }
        ("POST", ["statuses", commit]) => {
            let fields = ["/context", "/state", "/description", "/target_url"];
            state.set_status(path, asked, commit, fields).map(|one| Reply::json(201, status(&one)))
        }
        (method, ["hooks", id, rest @ ..]) => {
            let at = one.hooks.iter().position(|hook| hook.id.to_string() == *id)?;
            match (method, rest) {
                ("PATCH", []) => {
                    let known = state.find(path)?.hooks.get_mut(at)?;
                    change(known, asked);
                    Some(Reply::json(200, hook(known)))
                }
                ("DELETE", []) => {
                    state.find(path)?.hooks.remove(at);
                    Some(Reply::empty(204))
                }
                ("POST", ["tests"]) => {
                    state.send(path, one.hooks.get(at)?.id, "push", false);
                    Some(Reply::empty(204))
                }
                _ => None,
            }
        }
        _ => None,
    }
}
