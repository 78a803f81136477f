//! What is done at a host, in the words of errors.

use std::fmt;

/// A step at a host. Each needs a right of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// List an organisation's repositories.
    ListRepositories,
    /// Read a repository's description.
    ReadRepository,
    /// List a repository's deploy keys.
    ListDeployKeys,
    /// Add a deploy key.
    AddDeployKey,
    /// Remove a deploy key.
    RemoveDeployKey,
    /// List a repository's webhooks.
    ListWebhooks,
    /// Create a webhook.
    CreateWebhook,
    /// Change a webhook.
    UpdateWebhook,
    /// Delete a webhook.
    DeleteWebhook,
    /// Make the host send a test.
    TestWebhook,
    /// List what a webhook has sent.
    ListDeliveries,
    /// Set a commit's status.
    SetStatus,
    /// Read a GitHub App's description.
    ReadApp,
    /// Create a GitHub App.
    CreateApp,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 14] = [
        Self::ListRepositories,
        Self::ReadRepository,
        Self::ListDeployKeys,
        Self::AddDeployKey,
        Self::RemoveDeployKey,
        Self::ListWebhooks,
        Self::CreateWebhook,
        Self::UpdateWebhook,
        Self::DeleteWebhook,
        Self::TestWebhook,
        Self::ListDeliveries,
        Self::SetStatus,
        Self::ReadApp,
        Self::CreateApp,
    ];

    /// What the action needs a right for.
    pub(crate) fn subject(self) -> Subject {
        match self {
            Self::CreateApp | Self::ListRepositories | Self::ReadApp | Self::ReadRepository => Subject::Repositories,
            Self::ListDeployKeys | Self::AddDeployKey | Self::RemoveDeployKey => Subject::DeployKeys,
            Self::CreateWebhook
            | Self::DeleteWebhook
            | Self::ListDeliveries
            | Self::ListWebhooks
            | Self::TestWebhook
            | Self::UpdateWebhook => Subject::Webhooks,
            Self::SetStatus => Subject::Statuses,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ListRepositories => "list the repositories of",
            Self::ReadApp | Self::ReadRepository => "read the description of",
            Self::ListDeployKeys => "list the deploy keys of",
            Self::AddDeployKey => "add a deploy key to",
            Self::RemoveDeployKey => "remove a deploy key from",
            Self::ListWebhooks => "list the webhooks of",
            Self::CreateWebhook => "create a webhook in",
            Self::UpdateWebhook => "change a webhook of",
            Self::DeleteWebhook => "delete a webhook of",
            Self::TestWebhook => "test a webhook of",
            Self::ListDeliveries => "list the deliveries of a webhook of",
            Self::SetStatus => "set the status of a commit of",
            Self::CreateApp => "create",
        })
    }
}

/// What hosts have separate rights for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Repositories,
    DeployKeys,
    Webhooks,
    Statuses,
}

/// An action on one repository or organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The action.
    pub action: Action,
    /// The repository as `host/owner/name`, or the organisation as `host/name`.
    pub target: String,
    /// The right of the token that the action needs, in the host's words.
    pub needs: &'static str,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.target)
    }
}
