//! What a delivery says, in words that all hosts have in common.

use contract::Trigger;

/// What a delivery says, in the sender's words: nothing in it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// References of a repository changed.
    Push(Pushed),
    /// The sender tries out whether it is heard.
    Ping,
    /// Something that concerns no archive, and what it is.
    Ignored(String),
}

/// References of a repository changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The repository's own name, `owner/name`.
    pub full_name: String,
    /// What the payload says of where it is.
    pub origin: Origin,
    /// What changed.
    pub changes: Vec<Change>,
    /// What happened to it.
    pub trigger: Trigger,
    /// The delivery's id, where it stands in the payload and in no header.
    pub delivery_id: Option<String>,
}

/// What a payload says of where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The URLs by which it can be cloned or looked at: each has the repository's full name for a
    /// path. The first one tells the host to fetch from.
    Urls(Vec<String>),
    /// The host; the paths of this host's URLs aren't the repositories' names.
    Host(String),
    /// Nothing: it can only be the one allowed host of that kind.
    Unsaid,
}

/// A reference changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its full name.
    pub reference: String,
    /// What it names now.
    pub after: After,
    /// The message of the commit that it names now, where the payload has it.
    pub summary: Option<String>,
}

/// What a reference names after a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// The object with this id.
    Object(String),
    /// The sender doesn't tell.
    Unknown,
    /// Nothing: it was deleted.
    Deleted,
}

impl From<String> for After {
    /// The null id means that the reference was deleted.
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
