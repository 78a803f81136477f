//! The meaning of an authenticated delivery, in validated names. [`crate::Endpoint::receive`] is
//! the only source of an [`Event`].

use std::ops::Deref;

use contract::{
    CommitId, DeliveryId, Job, PathSpelling, RefName, Refs, Repository, Trigger, error_chain, git::RefNameError,
};
use serde::Serialize;

use crate::{
    authenticate::Authenticated,
    content,
    endpoint::Endpoint,
    event_error::EventError,
    host::{self, After, Change, Message},
    place::{Place, place},
};

/// The meaning of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// There are references to fetch.
    Push(Push),
    /// A ping: the sender tests the webhook.
    #[non_exhaustive]
    Ping,
    /// There is nothing to fetch.
    #[non_exhaustive]
    Ignored {
        /// The reason, for the sender.
        reason: String,
    },
}

/// Pushed references of a permitted repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    delivery: DeliveryId,
    repository: Repository,
    spelling: PathSpelling,
    trigger: Trigger,
    updates: Vec<RefUpdate>,
    unusable: Vec<String>,
    scope: Vec<String>,
    proof: Proof,
}

/// How the sender of a push was authenticated, for the log. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The name of the header that proved knowledge of a secret, or `address`.
    pub by: &'static str,
    /// The lists of globs of repositories that it covers; none if it covers all.
    pub scope: Vec<String>,
}

/// A job that an authenticated sender has asked for. Only [`Push::jobs`] makes one, and it is what
/// goes to a queue: a [`Job`] that somebody wrote doesn't.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AuthenticJob(Job);

/// A reference that was created, moved or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// The reference.
    pub reference: RefName,
    /// What it names now, if the sender says.
    pub commit: Option<CommitId>,
    /// The first line of the commit's message, if the sender says.
    pub summary: Option<String>,
    /// Whether it was deleted.
    pub deleted: bool,
}

impl Push {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The references to fetch or deleted ones, at least one.
    pub fn updates(&self) -> &[RefUpdate] {
        &self.updates
    }

    /// The delivery.
    pub fn delivery(&self) -> &DeliveryId {
        &self.delivery
    }

    /// How its sender was authenticated.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// How the host spells the repository's path.
    pub fn spelling(&self) -> PathSpelling {
        self.spelling
    }

    /// Why references with invalid names or IDs were left out.
    pub fn unusable(&self) -> &[String] {
        &self.unusable
    }

    /// One job for each reference.
    pub fn jobs(&self) -> impl Iterator<Item = AuthenticJob> {
        self.updates.iter().map(|update| {
            AuthenticJob(Job {
                delivery: self.delivery.clone(),
                repository: self.repository.clone(),
                reference: update.reference.clone(),
                commit: update.commit.clone(),
                trigger: self.trigger,
                summary: update.summary.clone(),
                scope: Some(self.scope.clone()),
                spelling: self.spelling,
                deleted: update.deleted,
            })
        })
    }
}

impl Deref for AuthenticJob {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.0
    }
}

/// Parses an authenticated delivery.
pub(crate) fn read(authenticated: &Authenticated<'_>, endpoint: &Endpoint) -> Result<Event, EventError> {
    let delivery = authenticated.delivery();
    let payload = content::payload(delivery).map_err(EventError::Content)?;
    let host = host::detect_by_payload(authenticated.host(), &payload);
    authenticated.sender().may_send_as(host).map_err(EventError::Unauthenticated)?;
    let pushed = match host.read(&delivery.headers, &payload).map_err(EventError::Payload)? {
        Message::Push(pushed) => pushed,
        Message::Ping => return Ok(Event::Ping),
        Message::Ignored(reason) => return Ok(Event::Ignored { reason }),
    };
    let Place { repository, on, spelling } = place(&pushed, &endpoint.allowed_hosts, host.kind())?;
    let included = endpoint.repositories.includes(&repository, on);
    let may = authenticated.sender().may_ask_for(&repository, on, host.kind(), included);
    may.map_err(EventError::Unauthenticated)?;
    if !included && !endpoint.repositories.is_empty() {
        return Err(EventError::Repository { repository });
    }
    if endpoint.repositories.excludes(&repository) {
        return Ok(Event::Ignored { reason: format!("Repositories excludes {repository}") });
    }
    let Sorted { updates, unusable, ignored } = sort(pushed.changes, &endpoint.refs);
    if updates.is_empty() {
        let first = unusable.into_iter().next();
        return first.map_or_else(|| Ok(Event::Ignored { reason: reason(&ignored) }), Err);
    }
    let unusable = unusable.iter().map(|error| error_chain(error)).collect();
    let id = pushed.delivery_id.and_then(|id| id.parse().ok()).unwrap_or_else(|| delivery.id_by(authenticated.host()));
    let sender = authenticated.sender();
    let proof = Proof { by: sender.proof(), scope: sender.scope() };
    let mut scope = proof.scope.clone();
    scope.extend(Some(endpoint.repositories.globs().to_owned()).filter(|globs| !globs.is_empty()));
    let trigger = pushed.trigger;
    Ok(Event::Push(Push { delivery: id, repository, spelling, trigger, updates, unusable, scope, proof }))
}

/// The references of a push, sorted by outcome. An invalid one doesn't affect the others.
#[derive(Debug, Default)]
struct Sorted {
    updates: Vec<RefUpdate>,
    unusable: Vec<EventError>,
    /// Why a valid reference is ignored.
    ignored: Vec<String>,
}

fn sort(changes: Vec<Change>, refs: &Refs) -> Sorted {
    let mut sorted = Sorted::default();
    for change in changes {
        let reference = match RefName::try_from(change.reference) {
            Ok(reference) => reference,
            Err(RefNameError::NeitherBranchNorTag(name)) if name.starts_with("refs/") => {
                sorted.ignored.push(format!("{name} is neither a branch nor a tag"));
                continue;
            }
            Err(error) => {
                sorted.unusable.push(EventError::Reference(error));
                continue;
            }
        };
        if !refs.include(&reference) {
            sorted.ignored.push(format!("{reference} doesn't match Refs"));
            continue;
        }
        let deleted = change.after == After::Deleted;
        let commit = match change.after {
            After::Deleted | After::Unknown => None,
            After::Object(id) => match CommitId::try_from(id) {
                Ok(commit) => Some(commit),
                Err(source) => {
                    sorted.unusable.push(EventError::Commit { reference, source });
                    continue;
                }
            },
        };
        let summary = change.summary.as_deref().filter(|_| !deleted).and_then(first_line);
        sorted.updates.push(RefUpdate { reference, commit, summary, deleted });
    }
    sorted
}

/// The most references that a reason names. The reason is sent to the sender, and a push may have
/// thousands of references.
const NAMED: usize = 5;

fn reason(ignored: &[String]) -> String {
    if ignored.is_empty() {
        return "no reference changed".to_owned();
    }
    let named = ignored.get(..NAMED).unwrap_or(ignored).join("; ");
    match ignored.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

/// The longest part of a commit's message that is kept, in characters: jobs are small.
const SUMMARY_CHARACTERS: usize = 200;

/// The first line of a message, unless it is empty.
fn first_line(message: &str) -> Option<String> {
    let line = message.lines().next()?.trim();
    (!line.is_empty()).then(|| line.chars().take(SUMMARY_CHARACTERS).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sender::{Request, github_push, ordinary_push};

    #[test]
    fn a_push_becomes_a_job() {
        let request = Request::signed(&ordinary_push()).header("X-GitHub-Delivery", "72d3162e");
        let Event::Push(push) = request.receive().unwrap() else { panic!("not a push") };
        let jobs: Vec<_> = push.jobs().collect();
        assert_eq!(
            serde_json::to_value(&jobs).unwrap(),
            json!([{
                "delivery": "72d3162e",
                "repository": { "host": "github.com", "path": "octo-org/hello" },
                "reference": "refs/heads/main",
                "commit": "a".repeat(40),
                "summary": "Say hello",
                "scope": [],
            }])
        );
    }

    #[test]
    fn proof_names_header_and_scope() {
        let proof = |request: Request| match request.receive().unwrap() {
            Event::Push(push) => push.proof().clone(),
            other => panic!("{other:?}"),
        };
        let signed = proof(Request::signed(&ordinary_push()));
        assert_eq!((signed.by, signed.scope), ("x-hub-signature-256", Vec::new()));
        let scoped = Request { secrets: "[github.com/octo-org/*]s3cret", ..Request::signed(&ordinary_push()) };
        assert_eq!(proof(scoped).scope, ["github.com/octo-org/*"]);
        let mut by_address = Request {
            allowed_ips: "github.com=203.0.113.0/24",
            repositories: "github.com/octo-org/*",
            ..Request::new(&ordinary_push())
        };
        by_address.delivery.source = Some("203.0.113.9".parse().unwrap());
        let by_address = proof(by_address);
        assert_eq!((by_address.by, by_address.scope), ("address", vec!["github.com/**".to_owned()]));
    }

    #[test]
    fn tag_is_fetched_like_branch() {
        let request = Request::signed(&github_push("refs/tags/v1.0", &"b".repeat(64)));
        assert_eq!(request.outcome().unwrap(), ["refs/tags/v1.0".parse().unwrap()]);
    }

    #[test]
    fn ignored_event_gives_reason() {
        let check = |request: Request, expected: &str| match request.receive().unwrap() {
            Event::Ignored { reason } => assert_eq!(reason, expected),
            other => panic!("{other:?}"),
        };
        let notes = github_push("refs/notes/commits", &"a".repeat(40));
        check(Request::signed(&notes), "refs/notes/commits is neither a branch nor a tag");
        let create = Request::signed(&ordinary_push()).header("X-GitHub-Event", "create");
        check(create, "create is covered by its push");
        assert_eq!(Request::signed(&json!({})).header("X-GitHub-Event", "ping").receive().unwrap(), Event::Ping);
    }

    #[test]
    fn malformed_names_are_refused() {
        let check = |change: &dyn Fn(&mut serde_json::Value), status: u16| {
            let mut payload = ordinary_push();
            change(&mut payload);
            assert_eq!(Request::signed(&payload).outcome(), Err(status), "{payload}");
        };
        check(&|payload| payload["ref"] = json!("main"), 400);
        check(&|payload| payload["ref"] = json!("refs/heads/a b"), 400);
        check(&|payload| payload["after"] = json!("abc"), 400);
        check(&|payload| payload["after"] = json!(""), 400);
        check(&|payload| payload["repository"]["ssh_url"] = json!("file:///srv/octo-org/hello"), 400);
        check(&|payload| payload["repository"]["clone_url"] = json!("https://github.com/octo-org/other"), 400);
        check(&|payload| payload["repository"]["clone_url"] = json!("https://evil.example/octo-org/hello"), 403);
        check(&|payload| drop(payload["repository"].take()), 400);
    }

    #[test]
    fn an_unusable_reference_loses_no_other() {
        let change = |reference: &str, id: &str| Change {
            reference: reference.to_owned(),
            after: After::from(id.to_owned()),
            summary: None,
        };
        let id = "a".repeat(40);
        let long = format!("refs/heads/{}", "x".repeat(500));
        let changes = [change(&long, &id), change("refs/heads/a..b", &id), change("refs/heads/c", "HEAD")];
        let alone = sort(changes.to_vec(), &Refs::default());
        assert_eq!((alone.updates.len(), alone.unusable.len()), (0, 3));
        let beside = sort([&changes[..], &[change("refs/heads/main", &id)]].concat(), &Refs::default());
        assert_eq!((beside.updates.len(), beside.unusable.len()), (1, 3));
    }

    #[test]
    fn a_reason_names_some_references() {
        let ignored = |count: usize| reason(&(0..count).map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!(ignored(0), "no reference changed");
        assert_eq!(ignored(5), "0; 1; 2; 3; 4");
        assert_eq!(ignored(5_000), "0; 1; 2; 3; 4; and 4995 more");
    }

    #[test]
    fn deletion_among_updates_becomes_a_job() {
        let change =
            |reference: &str, after| Change { reference: reference.to_owned(), after, summary: Some("x".into()) };
        let changes = vec![
            change("refs/heads/a", After::Deleted),
            change("refs/heads/b", After::Unknown),
            change("refs/heads/c", After::Deleted),
        ];
        let Sorted { updates, ignored, .. } = sort(changes, &"a,b".parse().unwrap());
        let update = |reference: &str, summary: Option<&str>, deleted| RefUpdate {
            reference: reference.parse().unwrap(),
            commit: None,
            summary: summary.map(str::to_owned),
            deleted,
        };
        assert_eq!(updates, [update("refs/heads/a", None, true), update("refs/heads/b", Some("x"), false)]);
        assert_eq!(ignored, ["refs/heads/c doesn't match Refs"]);
    }

    #[test]
    fn deletion_becomes_a_deletion_job() {
        let request = Request::signed(&github_push("refs/heads/old", &"0".repeat(40)));
        let Event::Push(push) = request.receive().unwrap() else { panic!("not a push") };
        let job = push.jobs().next().unwrap();
        assert_eq!((job.deleted, &job.commit, &job.summary), (true, &None, &None));
        let pushed = Request::signed(&ordinary_push());
        let Event::Push(push) = pushed.receive().unwrap() else { panic!("not a push") };
        // In the same group as the pushes of the reference, so that their order stays.
        let other = Request::signed(&github_push("refs/heads/main", &"0".repeat(40)));
        let Event::Push(deletion) = other.receive().unwrap() else { panic!("not a push") };
        assert_eq!(push.jobs().next().unwrap().group_id(), deletion.jobs().next().unwrap().group_id());
    }

    #[test]
    fn azure_push_is_recognized_by_body() {
        let payload = json!({
            "id": "03c164c2", "eventType": "git.push", "publisherId": "tfs",
            "resource": {
                "refUpdates": [{ "name": "refs/heads/main", "newObjectId": "a".repeat(40) }],
                "repository": {
                    "name": "hello", "project": { "name": "web" }, "remoteUrl": "https://dev.azure.com/acme/web/_git/hello",
                },
            },
        });
        let mut request = Request::new(&payload).header("Authorization", "Basic YXp1cmU6czNjcmV0");
        request.delivery.headers.remove("X-GitHub-Event");
        let Event::Push(push) = request.receive().unwrap() else { panic!("not a push") };
        assert_eq!(push.repository().to_string(), "dev.azure.com/acme/web/hello");
        assert_eq!(push.jobs().next().unwrap().delivery.as_str(), "03c164c2");
    }

    #[test]
    fn an_excluded_repository_is_ignored() {
        let request = Request { repositories: "!github.com/octo-org/*", ..Request::signed(&ordinary_push()) };
        let Event::Ignored { reason } = request.receive().unwrap() else { panic!("not ignored") };
        assert_eq!(reason, "Repositories excludes github.com/octo-org/hello");
    }

    #[test]
    fn only_wanted_references_are_fetched() {
        let refs = "main,release/*".parse().unwrap();
        let change = |name: &str| Change { reference: name.to_owned(), after: After::Unknown, summary: None };
        let changes = ["refs/heads/main", "refs/heads/wip", "refs/heads/release/1"].map(change);
        let Sorted { updates, ignored, .. } = sort(changes.into(), &refs);
        assert_eq!(updates.len(), 2);
        assert_eq!(ignored, ["refs/heads/wip doesn't match Refs"]);
    }

    #[test]
    fn a_summary_is_one_short_line() {
        assert_eq!(first_line("Fix\n\nAnd more"), Some("Fix".to_owned()));
        assert_eq!(first_line(&"é".repeat(300)).unwrap().chars().count(), SUMMARY_CHARACTERS);
        assert_eq!(first_line("\nFix"), None);
        assert_eq!(first_line(""), None);
    }
}
