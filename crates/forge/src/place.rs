//! Locates the repository of a payload. The payload's full name and all its URLs must agree. A host
//! may have several names, and several hosts may share one.

use contract::{AllowedHost, AllowedHosts, HostKind, PathSpelling, Repository};

use crate::{
    clone_url::CloneUrl,
    event_error::EventError,
    host::{Origin, Pushed},
};

/// The location of a payload's repository.
pub(crate) struct Place<'h> {
    pub(crate) repository: Repository,
    /// The allowed host.
    pub(crate) on: &'h AllowedHost,
    /// How the host spells its path, if that matters.
    pub(crate) spelling: PathSpelling,
}

/// Locates the repository of `pushed`, from a sender of this kind.
pub(crate) fn place<'h>(
    pushed: &Pushed,
    hosts: &'h AllowedHosts,
    kind: Option<HostKind>,
) -> Result<Place<'h>, EventError> {
    let on = match &pushed.origin {
        Origin::Urls(urls) => return place_of_urls(&pushed.full_name, urls, hosts, kind),
        Origin::Host(name) => {
            let known = hosts.known_as(name).min_by_key(|host| host.kind != kind);
            let unknown = || match name.parse() {
                Ok(host) => EventError::Host { host },
                Err(source) => EventError::HostName(source),
            };
            known.ok_or_else(unknown)?
        }
        Origin::Unsaid => kind.and_then(|kind| hosts.only(kind)).ok_or(EventError::NoHost)?,
    };
    let path = pushed.full_name.parse().map_err(EventError::Path)?;
    Ok(Place { repository: Repository::new(on.host.clone(), path), on, spelling: PathSpelling::default() })
}

/// The repository that the full name and every URL agree on. A host with SSH or HTTP disabled
/// leaves that URL empty.
fn place_of_urls<'h>(
    full_name: &str,
    urls: &[String],
    hosts: &'h AllowedHosts,
    kind: Option<HostKind>,
) -> Result<Place<'h>, EventError> {
    let mut agreed: Option<Vec<Place<'h>>> = None;
    for url in urls.iter().filter(|url| !url.is_empty()) {
        let url = CloneUrl::parse(url).map_err(EventError::CloneUrl)?;
        let named = url.on(hosts, kind).map_err(EventError::CloneUrl)?;
        let Some((first, _)) = named.first() else { return Err(EventError::Host { host: url.host }) };
        let path = first.path.clone();
        let fitting: Vec<_> = named.into_iter().filter(|(named, _)| named.path.as_str() == full_name).collect();
        if fitting.is_empty() {
            return Err(EventError::OtherRepository { full_name: full_name.to_owned(), path: path.into() });
        }
        // If one URL matches several entries, the other URL decides, if it can.
        match &mut agreed {
            None => {
                let place = |(repository, on): (Repository, &'h AllowedHost)| {
                    let spelling = if on.kind.is_none() { url.spelling } else { PathSpelling::default() };
                    Place { repository, on, spelling }
                };
                agreed = Some(fitting.into_iter().map(place).collect());
            }
            Some(places) => places.sort_by_key(|place| !fitting.iter().any(|(_, on)| *on == place.on)),
        }
    }
    agreed.and_then(|places| places.into_iter().next()).ok_or(EventError::NoHost)
}

#[cfg(test)]
mod tests {
    use contract::ApiSecrets;
    use serde_json::{Value, json};

    use crate::{
        ArchiveApi, Event,
        endpoint::Endpoint,
        sender::{Request, ordinary_push},
    };

    /// The outcome of a push with these entries of `AllowedGitHosts`: the repository, or the status
    /// of the refusal.
    fn outcome(entries: &str, request: &Request) -> Result<String, u16> {
        let endpoint = Endpoint { allowed_hosts: entries.parse().unwrap(), ..Endpoint::default() };
        match endpoint.receive(&request.delivery, &ApiSecrets::parse(&request.secrets.into())) {
            Ok(Event::Push(push)) => Ok(push.repository().to_string()),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.status()),
        }
    }

    fn gitlab(payload: &Value) -> Request {
        let mut request = Request::signed(payload).header("X-Gitlab-Event", "Push Hook");
        request.delivery.headers.remove("X-GitHub-Event");
        request
    }

    #[test]
    fn gitlab_below_path_is_accepted() {
        let payload: Value = serde_json::from_str(include_str!("gitlab-below-a-path.json")).unwrap();
        let check = |entries, expected| assert_eq!(outcome(entries, &gitlab(&payload)), expected, "{entries}");
        check("git.example kind=gitlab web=https://git.example/gitlab", Ok("git.example/group/proj".to_owned()));
        // The prefix isn't configured.
        check("git.example=gitlab", Err(400));
        check("git.example kind=gitlab web=https://git.example/lab", Err(400));
        check("github.com", Err(403));
    }

    #[test]
    fn data_residency_host_is_accepted() {
        let payload: Value = serde_json::from_str(include_str!("github-data-residency.json")).unwrap();
        assert_eq!(outcome("acme.ghe.com", &Request::signed(&payload)), Ok("acme.ghe.com/octo/hello".to_owned()));
        let host = "acme.ghe.com".parse::<contract::AllowedHost>().unwrap();
        let api = ArchiveApi { host: &host, kind: host.kind.unwrap() };
        let commit = "1234567890abcdef1234567890abcdef12345678".parse().unwrap();
        let url = api.archive(&"octo/hello".parse().unwrap(), &commit);
        assert_eq!(url, format!("https://api.acme.ghe.com/repos/octo/hello/zipball/{commit}"));
    }

    #[test]
    fn another_ssh_host_is_accepted() {
        let payload = json!({
            "ref": "refs/heads/main", "after": "a".repeat(40), "checkout_sha": "a".repeat(40),
            "project": {
                "path_with_namespace": "group/hello",
                "git_ssh_url": "ssh://git@git-ssh.corp.example:2222/group/hello.git",
                "git_http_url": "https://git.corp.example/group/hello.git",
            },
        });
        let expected = Ok("git.corp.example/group/hello".to_owned());
        let entry = "git.corp.example kind=gitlab ssh=git@git-ssh.corp.example:2222";
        assert_eq!(outcome(entry, &gitlab(&payload)), expected);
        // The syntax of older versions.
        let both = outcome("git-ssh.corp.example,git.corp.example=gitlab", &gitlab(&payload));
        assert_eq!(both, Ok("git-ssh.corp.example/group/hello".to_owned()));
        assert_eq!(outcome("git.corp.example=gitlab", &gitlab(&payload)), Err(403));
    }

    #[test]
    fn second_url_distinguishes_hosts() {
        let entries = "gitea.example kind=gitea ssh=tools.example web=https://tools.example/gitea,\
            gitlab.example kind=gitlab ssh=tools.example web=https://tools.example/gitlab,\
            other.example kind=gitlab ssh=tools.example web=https://tools.example/other";
        let payload = |path: &str| {
            json!({
                "ref": "refs/heads/main", "after": "a".repeat(40), "checkout_sha": "a".repeat(40),
                "project": {
                    "path_with_namespace": "group/hello", "git_ssh_url": "git@tools.example:group/hello.git",
                    "git_http_url": format!("https://tools.example/{path}/group/hello.git"),
                },
            })
        };
        for (path, expected) in [("gitlab", "gitlab.example"), ("other", "other.example")] {
            assert_eq!(outcome(entries, &gitlab(&payload(path))), Ok(format!("{expected}/group/hello")));
        }
    }

    #[test]
    fn empty_url_counts_as_missing() {
        for (ssh, web) in
            [(json!(""), "https://github.com/octo-org/hello.git"), (Value::Null, "https://github.com/octo-org/hello")]
        {
            let mut payload = ordinary_push();
            payload["repository"]["ssh_url"] = ssh;
            payload["repository"]["clone_url"] = json!(web);
            assert_eq!(outcome("github.com", &Request::signed(&payload)), Ok("github.com/octo-org/hello".to_owned()));
        }
        let mut payload = ordinary_push();
        for url in ["ssh_url", "clone_url"] {
            payload["repository"][url] = json!("");
        }
        assert_eq!(outcome("github.com", &Request::signed(&payload)), Err(400));
    }

    fn data_center_push(links: &Value) -> Request {
        let payload = json!({
            "repository": { "slug": "hello", "project": { "key": "PROJ" }, "links": links },
            "changes": [{ "ref": { "id": "refs/heads/main" }, "toHash": "a".repeat(40), "type": "ADD" }],
        });
        let mut request = Request::signed(&payload).header("X-Event-Key", "repo:refs_changed");
        request.delivery.headers.remove("X-GitHub-Event");
        request
    }

    #[test]
    fn hostless_payload_uses_only_matching_host() {
        let repository = |links| match data_center_push(&links).receive() {
            Ok(Event::Push(push)) => Ok(push.repository().to_string()),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.status()),
        };
        assert_eq!(repository(json!({})), Ok("git.example/PROJ/hello".to_owned()));
        let clone = |url: &str| json!({ "clone": [{ "href": url, "name": "ssh" }] });
        let of_context = clone("https://git.example/context/scm/proj/hello.git");
        assert_eq!(repository(of_context), Ok("git.example/PROJ/hello".to_owned()));
        assert_eq!(repository(clone("ssh://git@evil.example/PROJ/hello.git")), Err(403));
    }
}
