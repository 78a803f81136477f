//! What a delivery says, in words that all hosts have in common.

use contract::Trigger;

/// The content of a delivery. Nothing in it has been validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// References of a repository changed.
    Push(Pushed),
    /// A ping: the sender tests the webhook.
    Ping,
    /// An event that creates no zip, with the reason.
    Ignored(String),
}

/// References of a repository changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The repository's full name, `owner/name`.
    pub full_name: String,
    /// Where it is, by the payload.
    pub origin: Origin,
    /// What changed.
    pub changes: Vec<Change>,
    /// What triggered it.
    pub trigger: Trigger,
    /// The delivery's ID, if the payload has it and no header.
    pub delivery_id: Option<String>,
}

/// What a payload says about a repository's location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The URLs to clone or view it: each has the repository's full name as its path. The first one
    /// determines the host to fetch from.
    Urls(Vec<String>),
    /// Only the host: the paths of its URLs aren't repository names.
    Host(String),
    /// Nothing: it must be the only allowed host of its kind.
    Unsaid,
}

/// A reference changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its full name.
    pub reference: String,
    /// What it names now.
    pub after: After,
    /// The message of that commit, if the payload has it.
    pub summary: Option<String>,
}

/// What a reference names after a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// The object with this ID.
    Object(String),
    /// The sender doesn't say.
    Unknown,
    /// Nothing: it was deleted. The worker asks the host whether it is still gone.
    Deleted,
}

impl From<String> for After {
    /// The null ID means that the reference was deleted.
    fn from(id: String) -> Self {
        if !id.is_empty() && id.bytes().all(|digit| digit == b'0') { Self::Deleted } else { Self::Object(id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_null_ids_mean_deletion() {
        assert_eq!(After::from("0".repeat(40)), After::Deleted);
        assert_eq!(After::from("0".repeat(64)), After::Deleted);
        assert_eq!(After::from("0a".to_owned()), After::Object("0a".to_owned()));
        assert_eq!(After::from(String::new()), After::Object(String::new()));
    }
}
