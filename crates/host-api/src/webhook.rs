//! Webhooks: what is wanted, what a host has, and what it has sent.

use std::{collections::BTreeSet, fmt};

use jiff::Timestamp;
use secrecy::SecretString;

use crate::WebhookId;

/// An event to be reported. Hosts with one event for all pushes report both kinds of pushes or
/// none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// A push to a branch.
    Push,
    /// A push of a tag.
    TagPush,
    /// The deletion of a branch or a tag. At most hosts it is a push, at Gitea and Forgejo an event
    /// of its own.
    Deletion,
    /// A published release. Only GitHub, GitLab, Gitea and Forgejo report releases; the other hosts
    /// ignore it.
    Release,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Push => "pushes",
            Self::TagPush => "tags",
            Self::Deletion => "deletions",
            Self::Release => "releases",
        })
    }
}

/// A webhook as it should be. It is always active, sends JSON, and verifies certificates.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// The stack's endpoint.
    pub url: String,
    /// The secret that signs deliveries. At Azure DevOps it is the password, and at GitLab the
    /// token, that deliveries contain.
    pub secret: SecretString,
    /// What is reported.
    pub events: BTreeSet<Event>,
}

/// The format of a delivery's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// `application/json`.
    Json,
    /// A form: GitHub's and Gitea's default, which the stack refuses.
    Form,
}

/// What a host says about a webhook's secret. None gives the secret away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretState {
    /// It has one.
    Set,
    /// It has none: deliveries aren't signed.
    Missing,
    /// The host doesn't say.
    Unknown,
}

/// A webhook as its host describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The host's identifier.
    pub id: WebhookId,
    /// Where it sends deliveries to.
    pub url: String,
    /// Whether it is switched on.
    pub is_active: bool,
    /// Which of our events it reports.
    pub events: BTreeSet<Event>,
    /// What it sends.
    pub content: Content,
    /// Whether it has a secret.
    pub secret: SecretState,
    /// Whether the host verifies the endpoint's certificate.
    pub verifies_tls: bool,
    /// The only branches whose pushes are reported, if it has such a filter.
    pub branches: Option<String>,
    /// Why the host itself has stopped sending deliveries, in its words.
    pub stopped: Option<String>,
}

/// A difference between a webhook and what is wanted: [`crate::HostApi::update_webhook`] fixes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookFault {
    /// It is switched off.
    Inactive,
    /// The host has stopped it.
    Stopped(String),
    /// It sends a form.
    Form,
    /// It has no secret.
    Unsigned,
    /// The endpoint's certificate isn't verified.
    UnverifiedTls,
    /// An event isn't reported.
    Misses(Event),
    /// Only some branches are reported.
    OnlyBranches(String),
}

impl fmt::Display for WebhookFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inactive => f.write_str("it is inactive"),
            Self::Stopped(why) => write!(f, "the host has stopped it: {why}"),
            Self::Form => f.write_str("its content type is a form, not application/json"),
            Self::Unsigned => f.write_str("it has no secret"),
            Self::UnverifiedTls => f.write_str("it doesn't verify certificates"),
            Self::Misses(event) => write!(f, "it doesn't report {event}"),
            Self::OnlyBranches(branches) => write!(f, "it only reports pushes to the branches {branches}"),
        }
    }
}

impl Webhook {
    /// What is wrong with it. A wrong secret can't be seen, because no host shows it: a refused
    /// delivery shows that.
    pub fn faults(&self, wanted: &BTreeSet<Event>) -> Vec<WebhookFault> {
        let conditions = [
            (!self.is_active, WebhookFault::Inactive),
            (self.content == Content::Form, WebhookFault::Form),
            (self.secret == SecretState::Missing, WebhookFault::Unsigned),
            (!self.verifies_tls, WebhookFault::UnverifiedTls),
        ];
        let mut faults: Vec<_> = conditions.into_iter().filter_map(|(is_so, fault)| is_so.then_some(fault)).collect();
        faults.extend(self.stopped.clone().map(WebhookFault::Stopped));
        faults.extend(wanted.difference(&self.events).copied().map(WebhookFault::Misses));
        faults.extend(self.branches.clone().map(WebhookFault::OnlyBranches));
        faults
    }
}

/// What a host does when asked to test a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tested {
    /// It sends the newest commit as a push, if there is a commit. A zip follows.
    Push,
    /// It sent a ping and got this status from the endpoint. No zip follows.
    Ping(Option<u16>),
    /// It has no API for that. This is what a person can do instead.
    NotOffered(&'static str),
}

/// A delivery as its host saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The host's identifier.
    pub id: String,
    /// When it was sent, if the host says so.
    pub at: Option<Timestamp>,
    /// The event, in the host's words.
    pub event: String,
    /// The endpoint's status. `None` if there was no answer.
    pub status: Option<u16>,
    /// The outcome in the host's words, such as `OK` or `failed to connect to host`.
    pub outcome: String,
}

impl Delivery {
    /// Whether the endpoint accepted it.
    pub fn is_accepted(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}
