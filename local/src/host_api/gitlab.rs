//! GitLab.

use contract::repository_keys::is_same_key;
use serde_json::{Value, json};

use super::state::{Hook, Key, Repository, State, Status, plain};
use super::{Asked, Reply, linked};

const TIME: &str = "2026-11-30T12:00:00.000Z";

fn described(one: &Repository) -> Value {
    let (owner, name) = one.names();
    let level = if one.may_administer { 40 } else { 30 };
    json!({ "id": one.id, "name": name, "path": name, "path_with_namespace": one.path, "visibility": "private",
        "default_branch": one.default_branch, "archived": one.is_archived, "created_at": TIME,
        "namespace": { "id": 1, "name": owner, "path": owner, "kind": "group", "full_path": owner },
        "permissions": { "project_access": { "access_level": level, "notification_level": 3 }, "group_access": null } })
}

fn key(one: &Key) -> Value {
    json!({ "id": one.id, "title": one.title, "key": one.key, "created_at": TIME, "can_push": one.may_push })
}

fn hook(one: &Hook, project: u64) -> Value {
    let has = |event: &str| one.events.iter().any(|name| name == event);
    json!({ "id": one.id, "url": one.url, "project_id": project, "created_at": TIME,
        "push_events": has("push_events"), "tag_push_events": has("tag_push_events"),
        "releases_events": has("releases_events"), "push_events_branch_filter": one.branches,
        "enable_ssl_verification": one.verifies_tls, "alert_status": "executable", "disabled_until": null,
        "issues_events": false, "merge_requests_events": false, "note_events": false, "job_events": false,
        "pipeline_events": false, "wiki_page_events": false, "deployment_events": false,
        "confidential_issues_events": false, "confidential_note_events": false })
}

/// The events that exist, and whether each is on by default.
const EVENTS: [(&str, bool); 3] = [("push_events", true), ("tag_push_events", false), ("releases_events", false)];

fn change(hook: &mut Hook, asked: &Asked) {
    if let Some(url) = asked.text("/url") {
        url.clone_into(&mut hook.url);
    }
    for (event, _) in EVENTS {
        match asked.flag(&format!("/{event}")) {
            Some(true) if !hook.events.iter().any(|name| name == event) => hook.events.push(event.to_owned()),
            Some(false) => hook.events.retain(|name| name != event),
            _ => {}
        }
    }
    if let Some(token) = asked.text("/token") {
        hook.secret = Some(token.to_owned());
    }
    if let Some(filter) = asked.text("/push_events_branch_filter") {
        filter.clone_into(&mut hook.branches);
    }
    if let Some(verifies) = asked.flag("/enable_ssl_verification") {
        hook.verifies_tls = verifies;
    }
}

pub(super) fn answer(state: &mut State, asked: &Asked) -> Option<Reply> {
    match (asked.method, &asked.parts[..]) {
        ("GET", ["groups", name, "projects"]) if !state.users.iter().any(|user| user == name) => {
            let found = state.of(name);
            (!found.is_empty()).then(|| linked(asked, found.iter().map(described).collect()))
        }
        ("GET", ["users", name, "projects"]) if state.users.iter().any(|user| user == name) => {
            Some(linked(asked, state.of(name).iter().map(described).collect()))
        }
        (method, ["projects", path, rest @ ..]) => {
            let one = state.find(path)?.clone();
            if method == "GET" && rest.is_empty() {
                return Some(Reply::json(200, described(&one)));
            }
            if !one.may_administer || (method != "GET" && one.is_archived) {
                return Some(Reply::json(403, json!({ "message": "403 Forbidden" })));
            }
            of_project(state, asked, &one, rest)
        }
        _ => None,
    }
}

fn of_project(state: &mut State, asked: &Asked, one: &Repository, rest: &[&str]) -> Option<Reply> {
    let path = one.path.as_str();
    match (asked.method, rest) {
        ("GET", ["deploy_keys"]) => Some(linked(asked, one.keys.iter().map(key).collect())),
        ("POST", ["deploy_keys"]) => {
            let Some(text) = asked.text("/key") else {
                return Some(Reply::json(400, json!({ "error": "key is missing" })));
            };
            if let Some(known) = one.keys.iter().find(|known| is_same_key(&known.key, text)) {
                return Some(Reply::json(201, key(known)));
            }
            let elsewhere = state
                .repositories
                .iter()
                .any(|one| !one.may_administer && one.keys.iter().any(|k| is_same_key(&k.key, text)));
            if elsewhere {
                let taken = json!({ "deploy_key.fingerprint_sha256": ["has already been taken"] });
                return Some(Reply::json(400, json!({ "message": taken })));
            }
            let title = asked.text("/title").unwrap_or_default().to_owned();
            let may_push = asked.flag("/can_push") == Some(true);
            let added = Key { id: state.next(), title, key: plain(text), may_push };
            state.find(path)?.keys.push(added.clone());
            Some(Reply::json(201, key(&added)))
        }
        ("DELETE", ["deploy_keys", id]) => {
            let keys = &mut state.find(path)?.keys;
            let at = keys.iter().position(|key| key.id.to_string() == *id)?;
            keys.remove(at);
            Some(Reply::empty(204))
        }
        ("GET", ["hooks"]) => Some(linked(asked, one.hooks.iter().map(|hooked| hook(hooked, one.id)).collect())),
        ("POST", ["hooks"]) => {
            if asked.text("/url").is_none() {
                return Some(Reply::json(400, json!({ "error": "url is missing" })));
            }
            let on = EVENTS.into_iter().filter(|(_, is_on)| *is_on).map(|(event, _)| event.to_owned());
            let mut added = Hook {
                id: state.next(),
                url: String::new(),
                is_active: true,
                events: on.collect(),
                content_type: "json".to_owned(),
                secret: None,
                verifies_tls: true,
                branches: String::new(),
                sent: Vec::new(),
            };
            change(&mut added, asked);
            state.find(path)?.hooks.push(added.clone());
            Some(Reply::json(201, hook(&added, one.id)))
        }
        (method, ["hooks", id, rest @ ..]) => {
            let at = one.hooks.iter().position(|hook| hook.id.to_string() == *id)?;
            match (method, rest) {
                ("PUT", []) => {
                    if asked.text("/url").is_none() {
                        return Some(Reply::json(400, json!({ "error": "url is missing" })));
                    }
                    let known = state.find(path)?.hooks.get_mut(at)?;
                    change(known, asked);
                    Some(Reply::json(200, hook(known, one.id)))
                }
                ("DELETE", []) => {
                    state.find(path)?.hooks.remove(at);
                    Some(Reply::empty(204))
                }
                ("POST", ["test", "push_events"]) => {
                    if one.default_branch.is_none() {
                        return Some(Reply::json(
                            422,
                            json!({ "message": "Ensure the project has at least one commit." }),
                        ));
                    }
                    state.send(path, one.hooks.get(at)?.id, "push_hooks", true);
                    Some(Reply::json(201, json!({ "message": "201 Created" })))
                }
                ("GET", ["events"]) => Some(linked(asked, one.hooks.get(at)?.sent.iter().rev().map(sent).collect())),
                _ => None,
            }
        }
        _ => statuses(state, asked, one, rest),
    }
}

fn statuses(state: &mut State, asked: &Asked, one: &Repository, rest: &[&str]) -> Option<Reply> {
    match (asked.method, rest) {
        ("POST", ["statuses", commit]) => {
            let (name, wanted) = (asked.text("/name").unwrap_or_default(), asked.text("/state").unwrap_or_default());
            let newest = one.statuses_of(commit).find(|known| known.name == name);
            if newest.is_some_and(|known| known.state == wanted) {
                let message = format!(
                    "Cannot transition status via :enqueue from :{wanted} (Reason(s): Status cannot transition via \"enqueue\")"
                );
                return Some(Reply::json(400, json!({ "message": message })));
            }
            if asked.text("/description").is_some_and(|text| text.chars().count() > 255) {
                return Some(Reply::json(400, json!({ "message": { "description": ["is too long"] } })));
            }
            let fields = ["/name", "/state", "/description", "/target_url"];
            state.set_status(&one.path, asked, commit, fields).map(|one| Reply::json(201, status(&one)))
        }
        _ => None,
    }
}

fn status(one: &Status) -> Value {
    json!({ "id": one.id, "sha": one.commit, "ref": "main", "status": one.state, "name": one.name,
        "created_at": "2026-11-30T12:00:00.000Z", "started_at": null, "finished_at": null, "allow_failure": false,
        "coverage": null, "author": { "id": 1, "username": "person" }, "description": one.description,
        "target_url": one.url })
}

fn sent(one: &super::Sent) -> Value {
    json!({ "id": one.id, "url": "https://stack.example", "trigger": one.event, "request_headers": {},
        "request_data": {}, "response_headers": {}, "response_body": "", "execution_duration": 0.3,
        "response_status": one.status.to_string() })
}
