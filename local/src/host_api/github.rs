//! GitHub Enterprise Server.

use contract::repository_keys::is_same_key;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::state::{Hook, Key, Repository, State, Status, plain};
use super::{Asked, Reply, github_app, linked};

pub(super) const TIME: &str = "2026-11-30T12:00:00Z";

/// Names of a repository's URLs.
const URLS: [&str; 38] = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "html",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
    "clone",
];

const OWNER_URLS: [&str; 11] = [
    "avatar",
    "events",
    "followers",
    "following",
    "gists",
    "html",
    "organizations",
    "received_events",
    "repos",
    "starred",
    "subscriptions",
];

fn urls(names: &[&str], base: &str) -> Map<String, Value> {
    names.iter().map(|name| (format!("{name}_url"), format!("{base}/{name}").into())).collect()
}

fn merged(mut fields: Map<String, Value>, more: Value) -> Value {
    if let Value::Object(more) = more {
        fields.extend(more);
    }
    Value::Object(fields)
}

/// A user or an organisation.
pub(super) fn owner(login: &str, base: &str) -> Value {
    let url = format!("{base}/api/v3/users/{login}");
    merged(
        urls(&OWNER_URLS, &url),
        json!({ "login": login, "id": 1, "node_id": "O_1", "gravatar_id": "", "type": "Organization",
            "site_admin": false, "url": url }),
    )
}

pub(super) fn repository(one: &Repository, base: &str) -> Value {
    let (login, name) = one.names();
    let url = format!("{base}/api/v3/repos/{}", one.path);
    let owner = owner(login, base);
    let is = one.may_administer;
    merged(
        urls(&URLS, &url),
        json!({ "id": one.id, "node_id": "R_1", "name": name, "full_name": one.path, "private": true, "owner": owner,
            "description": null, "fork": false, "url": url, "archived": one.is_archived, "disabled": false,
            "default_branch": one.default_branch.as_deref().unwrap_or("main"),
            "permissions": { "admin": is, "maintain": is, "push": is, "triage": true, "pull": true } }),
    )
}

/// The fields that only the description of one repository has.
pub(super) fn in_full(described: Value, base: &str, path: &str) -> Value {
    let Value::Object(fields) = described else { return described };
    merged(
        fields,
        json!({ "forks": 0, "forks_count": 0, "git_url": format!("git://git.example/{path}.git"), "has_issues": true,
            "has_projects": true, "has_wiki": true, "has_pages": false, "has_discussions": false, "homepage": null,
            "has_downloads": true, "language": null, "mirror_url": null, "open_issues": 0, "open_issues_count": 0,
            "license": null, "pushed_at": TIME, "size": 1, "ssh_url": format!("git@git.example:{path}.git"),
            "stargazers_count": 0, "svn_url": format!("{base}/{path}"), "watchers": 0, "watchers_count": 0,
            "created_at": TIME, "updated_at": TIME, "network_count": 0, "subscribers_count": 0 }),
    )
}

/// What `/user/repos` doesn't have.
pub(super) fn of_user(mut described: Value) -> Value {
    if let Some(fields) = described.as_object_mut() {
        for name in ["network_count", "subscribers_count", "has_discussions"] {
            fields.remove(name);
        }
    }
    described
}

fn key(one: &Key, base: &str, path: &str) -> Value {
    json!({ "id": one.id, "key": plain(&one.key), "title": one.title, "verified": true, "created_at": TIME,
        "read_only": !one.may_push, "url": format!("{base}/api/v3/repos/{path}/keys/{}", one.id),
        "added_by": "person", "last_used": null, "enabled": true })
}

fn hook(one: &Hook, base: &str, path: &str) -> Value {
    let url = format!("{base}/api/v3/repos/{path}/hooks/{}", one.id);
    let mut config = json!({ "url": one.url, "content_type": one.content_type,
        "insecure_ssl": if one.verifies_tls { "0" } else { "1" } });
    if one.secret.is_some() {
        config["secret"] = "********".into();
    }
    json!({ "type": "Repository", "id": one.id, "name": "web", "active": one.is_active, "events": one.events,
        "config": config, "created_at": TIME, "updated_at": TIME, "url": url, "test_url": format!("{url}/test"),
        "ping_url": format!("{url}/pings"), "deliveries_url": format!("{url}/deliveries"),
        "last_response": { "code": null, "status": "unused", "message": null } })
}

fn status(one: &Status, base: &str) -> Value {
    json!({ "id": one.id, "node_id": "SC_1", "state": one.state, "description": one.description,
        "target_url": one.url, "context": one.name, "created_at": TIME, "updated_at": TIME,
        "url": format!("{base}/api/v3/statuses/{}", one.commit), "avatar_url": null, "creator": owner("person", base) })
}

/// <https://docs.github.com/en/rest/commits/statuses>
pub(super) fn statuses(state: &mut State, asked: &Asked, one: &Repository, rest: &[&str]) -> Option<Reply> {
    match (asked.method, rest) {
        ("POST", ["statuses", commit]) => {
            if asked.text("/description").is_some_and(|text| text.chars().count() > 140) {
                return Some(refused(422, "Validation failed: Description is too long (maximum is 140 characters)"));
            }
            let context = asked.text("/context");
            if one.statuses_of(commit).filter(|one| Some(one.name.as_str()) == context).count() >= 1000 {
                return Some(refused(422, "This SHA and context has reached the maximum number of statuses."));
            }
            let fields = ["/context", "/state", "/description", "/target_url"];
            state.set_status(&one.path, asked, commit, fields).map(|one| Reply::json(201, status(&one, asked.base)))
        }
        _ => None,
    }
}

fn invalid(field: &str, message: &str) -> Reply {
    let error = json!({ "resource": "PublicKey", "code": "custom", "field": field, "message": message });
    let url = "https://docs.github.com/rest";
    Reply::json(422, json!({ "message": "Validation Failed", "errors": [error], "documentation_url": url }))
}

pub(super) fn refused(status: u16, message: &str) -> Reply {
    Reply::json(status, json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }))
}

fn change(hook: &mut Hook, asked: &Asked) {
    if let Some(is_active) = asked.flag("/active") {
        hook.is_active = is_active;
    }
    if let Some(events) = asked.texts("/events") {
        hook.events = events;
    }
    if let Some(config) = asked.body.get("config") {
        if let Some(url) = asked.text("/config/url") {
            url.clone_into(&mut hook.url);
        }
        asked.text("/config/content_type").unwrap_or("form").clone_into(&mut hook.content_type);
        // What a configuration doesn't have is removed.
        hook.secret = asked.text("/config/secret").map(str::to_owned);
        hook.verifies_tls = config.get("insecure_ssl").is_none_or(|value| value == "0" || value == 0);
    }
}

pub(super) fn answer(state: &mut State, asked: &Asked) -> Option<Reply> {
    if github_app::is_of_app(state, asked) {
        return github_app::answer(state, asked);
    }
    let base = asked.base;
    match (asked.method, &asked.parts[..]) {
        ("GET", ["orgs", org, "repos"]) => {
            let found = state.of(org);
            if found.is_empty() || state.users.iter().any(|user| user == org) {
                return None;
            }
            Some(linked(asked, found.iter().map(|one| repository(one, base)).collect()))
        }
        ("GET", ["user", "repos"]) => {
            let all = &state.repositories;
            let full = |one: &Repository| of_user(in_full(repository(one, base), base, &one.path));
            Some(linked(asked, all.iter().map(full).collect()))
        }
        ("GET", ["orgs", org]) => {
            let url = format!("{base}/api/v3/orgs/{org}");
            let names = ["repos", "events", "hooks", "issues", "members", "public_members", "avatar", "html"];
            let permits = !state.without_deploy_keys.iter().any(|one| one == org);
            Some(Reply::json(
                200,
                merged(
                    urls(&names, &url),
                    json!({ "login": org, "url": url, "id": 1, "node_id": "O_1", "description": null,
                        "has_organization_projects": true, "has_repository_projects": true, "public_repos": 0,
                        "public_gists": 0, "followers": 0, "following": 0, "type": "Organization", "created_at": TIME,
                        "updated_at": TIME, "archived_at": null, "deploy_keys_enabled_for_repositories": permits }),
                ),
            ))
        }
        (method, ["repos", owner, name, rest @ ..]) => {
            let path = format!("{owner}/{name}");
            let one = state.find(&path)?.clone();
            if method == "GET" && rest.is_empty() {
                return Some(Reply::json(200, in_full(repository(&one, base), base, &one.path)));
            }
            if !one.may_administer {
                return None;
            }
            if method != "GET" && one.is_archived {
                return Some(refused(403, "Repository was archived so is read-only."));
            }
            of_repository(state, asked, &one, rest)
        }
        _ => None,
    }
}

fn of_repository(state: &mut State, asked: &Asked, one: &Repository, rest: &[&str]) -> Option<Reply> {
    let (base, path) = (asked.base, one.path.as_str());
    match (asked.method, rest) {
        ("GET", ["keys"]) => Some(linked(asked, one.keys.iter().map(|one| key(one, base, path)).collect())),
        ("POST", ["keys"]) => {
            let Some(text) = asked.text("/key") else { return Some(invalid("key", "key is missing")) };
            if state.without_deploy_keys.iter().any(|org| org == one.names().0) {
                return Some(invalid("key", "Deploy keys are disabled for this repository"));
            }
            if state.uses(text, path) || one.keys.iter().any(|known| is_same_key(&known.key, text)) {
                return Some(invalid("key", "key is already in use"));
            }
            // Only `true` means that it may only read.
            let may_push = asked.flag("/read_only") != Some(true);
            let title = asked.text("/title").unwrap_or_default().to_owned();
            let added = Key { id: state.next(), title, key: text.to_owned(), may_push };
            state.find(path)?.keys.push(added.clone());
            Some(Reply::json(201, key(&added, base, path)))
        }
        ("DELETE", ["keys", id]) => {
            let keys = &mut state.find(path)?.keys;
            let at = keys.iter().position(|key| key.id.to_string() == *id)?;
            keys.remove(at);
            Some(Reply::empty(204))
        }
        ("GET", ["hooks"]) => Some(linked(asked, one.hooks.iter().map(|one| hook(one, base, path)).collect())),
        ("POST", ["hooks"]) => {
            let Some(url) = asked.text("/config/url") else { return Some(refused(422, "url is missing")) };
            if one.hooks.iter().any(|hook| hook.url == url) {
                return Some(refused(422, "Hook already exists on this repository"));
            }
            let mut added = Hook {
                id: state.next(),
                url: String::new(),
                is_active: true,
                events: vec!["push".to_owned()],
                content_type: "form".to_owned(),
                secret: None,
                verifies_tls: true,
                branches: String::new(),
                sent: Vec::new(),
            };
            change(&mut added, asked);
            state.find(path)?.hooks.push(added.clone());
            state.send(path, added.id, "ping", false);
            Some(Reply::json(201, hook(&added, base, path)))
        }
        (_, ["statuses", ..]) => statuses(state, asked, one, rest),
        (method, ["hooks", id, rest @ ..]) => {
            let at = one.hooks.iter().position(|hook| hook.id.to_string() == *id)?;
            match (method, rest) {
                ("PATCH", []) => {
                    let known = state.find(path)?.hooks.get_mut(at)?;
                    change(known, asked);
                    Some(Reply::json(200, hook(known, base, path)))
                }
                ("DELETE", []) => {
                    state.find(path)?.hooks.remove(at);
                    Some(Reply::empty(204))
                }
                ("POST", ["tests"]) => {
                    let known = one.hooks.get(at)?;
                    let is_sent = known.events.iter().any(|event| event == "push" || event == "*");
                    if is_sent && known.is_active && one.default_branch.is_some() {
                        state.send(path, known.id, "push", true);
                    }
                    Some(Reply::empty(204))
                }
                ("POST", ["pings"]) => {
                    state.send(path, one.hooks.get(at)?.id, "ping", false);
                    Some(Reply::empty(204))
                }
                ("GET", ["deliveries"]) => Some(journal(asked, &one.hooks.get(at)?.sent)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The deliveries, newest first, in pages that begin at a cursor.
pub(super) fn journal(asked: &Asked, all: &[super::Sent]) -> Reply {
    let newest_first: Vec<_> = all.iter().rev().collect();
    let from = match asked.query("cursor") {
        None => 0,
        Some(cursor) => match newest_first.iter().position(|one| format!("v1_{}", one.id) == cursor) {
            Some(at) => at,
            None => return refused(422, "The cursor is not valid."),
        },
    };
    let rest = newest_first.get(from..).unwrap_or_default();
    let (page, next) = rest.split_at(rest.len().min(asked.number("per_page", 30).clamp(1, 100)));
    let body = Value::from(page.iter().map(|one| sent(one)).collect::<Vec<_>>());
    let etag = format!("W/\"{}\"", hex::encode(Sha256::digest(body.to_string())));
    if asked.if_none_match == etag {
        return Reply::empty(304).with("etag", etag);
    }
    let reply = Reply::json(200, body).with("etag", etag);
    match next.first() {
        Some(next) => {
            let url = format!("{}/{}?per_page=100&cursor=v1_{}", asked.base, asked.parts.join("/"), next.id);
            reply.with("link", format!("<{url}>; rel=\"next\""))
        }
        None => reply,
    }
}

fn sent(one: &super::Sent) -> Value {
    let status = match one.status {
        200..400 => "OK",
        0 => "failed to connect to host",
        _ => "Invalid HTTP Response",
    };
    let at = one.at.map_or_else(|| TIME.to_owned(), github_app::time);
    let guid = one.guid.clone().unwrap_or_else(|| super::uuid(one.id));
    json!({ "id": one.id, "guid": guid, "delivered_at": at, "redelivery": false, "duration": 0.27, "status": status,
         "status_code": one.status, "event": one.event,
        "action": null, "installation_id": null, "repository_id": null, "throttled_at": null })
}
