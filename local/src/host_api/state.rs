//! What a host contains, whatever its kind.

use std::time::{Duration, SystemTime};

use contract::repository_keys::is_same_key;
use serde_json::Value;

use super::github_app::{App, Fetch, Token};

/// A repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// Its identifier.
    pub id: u64,
    /// Its path on the host.
    pub path: String,
    /// Its default branch, if it has a commit.
    pub default_branch: Option<String>,
    /// Whether it is archived.
    pub is_archived: bool,
    /// Whether the token's owner may administer it.
    pub may_administer: bool,
    /// Its deploy keys.
    pub keys: Vec<Key>,
    /// Its webhooks.
    pub hooks: Vec<Hook>,
    /// All statuses that its commits got, oldest first.
    pub statuses: Vec<Status>,
}

/// A status that a commit got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its identifier.
    pub id: u64,
    /// The commit.
    pub commit: String,
    /// What identifies it: GitHub's context, Bitbucket's key.
    pub name: String,
    /// The host's name of its state.
    pub state: String,
    /// Its description.
    pub description: String,
    /// Where it leads to.
    pub url: String,
    /// The token that set it, as the request has shown it.
    pub authorization: String,
}

impl Repository {
    /// The statuses of a commit, newest first.
    pub(super) fn statuses_of(&self, commit: &str) -> impl Iterator<Item = &Status> {
        self.statuses.iter().rev().filter(move |status| status.commit == commit)
    }

    /// All but the last part of the path, and the last part.
    pub(super) fn names(&self) -> (&str, &str) {
        self.path.rsplit_once('/').unwrap_or_default()
    }
}

/// A deploy key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its identifier.
    pub id: u64,
    /// Its title.
    pub title: String,
    /// Algorithm and key.
    pub key: String,
    /// Whether its owner may push.
    pub may_push: bool,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its identifier.
    pub id: u64,
    /// Its target.
    pub url: String,
    /// Whether it is switched on.
    pub is_active: bool,
    /// The host's names of its events.
    pub events: Vec<String>,
    /// `json` or `form`.
    pub content_type: String,
    /// Its secret.
    pub secret: Option<String>,
    /// Whether the target's certificate is verified.
    pub verifies_tls: bool,
    /// The filter of branches.
    pub branches: String,
    /// Its deliveries, oldest first.
    pub sent: Vec<Sent>,
}

/// A delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Its identifier.
    pub id: u64,
    /// The host's name of its event.
    pub event: String,
    /// The endpoint's status. 0 if there was no response.
    pub status: u16,
    /// What all its attempts have in common, if there is more than one.
    pub guid: Option<String>,
    /// When it was made, if that matters.
    pub at: Option<SystemTime>,
    /// The payload, if it can be delivered again.
    pub payload: Vec<u8>,
}

/// A delivery that is to be made again: whoever runs the host can make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repetition {
    /// The App.
    pub app: u64,
    /// The attempt that is repeated.
    pub of: Sent,
}

/// A requested test that sends a push: whoever runs the host can deliver it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The repository's path.
    pub repository: String,
    /// The webhook's target.
    pub url: String,
    /// The webhook's secret.
    pub secret: Option<String>,
}

/// All repositories of a host.
#[derive(Debug)]
pub struct State {
    /// The repositories.
    pub repositories: Vec<Repository>,
    /// The owners that are users.
    pub users: Vec<String>,
    /// The organisations that forbid deploy keys.
    pub without_deploy_keys: Vec<String>,
    /// What the endpoint answers to deliveries.
    pub endpoint_status: u16,
    /// The tests that were requested and sent a push.
    pub tests: Vec<Test>,
    /// GitHub's Apps.
    pub apps: Vec<App>,
    /// The deliveries of Apps that are to be made again.
    pub repetitions: Vec<Repetition>,
    /// The tokens that they got.
    pub tokens: Vec<Token>,
    /// How long a token lasts, if not an hour.
    pub token_lifetime: Option<Duration>,
    /// The signatures that requests have shown.
    pub jwts: Vec<String>,
    /// Git's requests over HTTPS.
    pub fetches: Vec<Fetch>,
    /// How far the host's clock is ahead.
    pub clock_ahead: Duration,
    /// The manifests of Apps to create, each with its code and the App's owner.
    pub(super) codes: Vec<(String, String, Value)>,
    last_id: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            repositories: Vec::new(),
            users: Vec::new(),
            without_deploy_keys: Vec::new(),
            endpoint_status: 202,
            tests: Vec::new(),
            apps: Vec::new(),
            repetitions: Vec::new(),
            tokens: Vec::new(),
            token_lifetime: None,
            jwts: Vec::new(),
            fetches: Vec::new(),
            clock_ahead: Duration::ZERO,
            codes: Vec::new(),
            last_id: 0,
        }
    }
}

impl State {
    /// Adds a repository that the token's owner administers.
    pub fn add(&mut self, path: &str) -> &mut Repository {
        let id = self.next();
        self.repositories.push(Repository {
            id,
            path: path.to_owned(),
            default_branch: Some("main".to_owned()),
            may_administer: true,
            ..Repository::default()
        });
        let last = self.repositories.len() - 1;
        &mut self.repositories[last]
    }

    /// A repository by its path. Case doesn't matter.
    pub fn find(&mut self, path: &str) -> Option<&mut Repository> {
        self.repositories.iter_mut().find(|one| one.path.eq_ignore_ascii_case(path))
    }

    /// Adds a status to a commit, from the fields of a request with these names: its name, its
    /// state, its description and its URL.
    pub(super) fn set_status(
        &mut self,
        path: &str,
        asked: &super::Asked,
        commit: &str,
        fields: [&str; 4],
    ) -> Option<Status> {
        let id = self.next();
        let [name, state, description, url] = fields.map(|field| asked.text(field).unwrap_or_default().to_owned());
        let (commit, authorization) = (commit.to_owned(), asked.authorization.to_owned());
        let status = Status { id, commit, name, state, description, url, authorization };
        self.find(path)?.statuses.push(status.clone());
        Some(status)
    }

    /// A new identifier.
    pub(super) fn next(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The repositories below an owner.
    pub(super) fn of(&self, owner: &str) -> Vec<Repository> {
        let prefix = format!("{}/", owner.to_lowercase());
        self.repositories.iter().filter(|one| one.path.to_lowercase().starts_with(&prefix)).cloned().collect()
    }

    /// Whether another repository has this key.
    pub(super) fn uses(&self, key: &str, except: &str) -> bool {
        let others = self.repositories.iter().filter(|one| !one.path.eq_ignore_ascii_case(except));
        others.flat_map(|one| &one.keys).any(|known| is_same_key(&known.key, key))
    }

    /// Sends an event to a webhook, which must exist, and returns the endpoint's status.
    pub(super) fn send(&mut self, path: &str, hook: u64, event: &str, is_push: bool) -> Option<u16> {
        let (id, status) = (self.next(), self.endpoint_status);
        let repository = self.find(path)?;
        let path = repository.path.clone();
        let hook = repository.hooks.iter_mut().find(|one| one.id == hook)?;
        hook.sent.push(Sent { id, event: event.to_owned(), status, ..Sent::default() });
        let test = Test { repository: path, url: hook.url.clone(), secret: hook.secret.clone() };
        if is_push {
            self.tests.push(test);
        }
        Some(status)
    }
}

/// A key without its comment.
pub(super) fn plain(key: &str) -> String {
    key.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" ")
}
