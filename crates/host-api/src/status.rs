//! The status of a commit that a host shows beside it: what became of the commit here.

use std::fmt;

use contract::CommitId;
use sha2::{Digest as _, Sha256};

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusState {
    /// It is worked on.
    Pending,
    /// It is done.
    Success,
    /// It failed for good.
    Failure,
}

impl StatusState {
    /// The state in a word, which GitHub and Gitea use, too.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// What a status is of: the newest one replaces those with the same commit and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusName {
    /// The commit.
    pub commit: CommitId,
    /// The short name of the branch or the tag, which some hosts show beside the status.
    pub reference: String,
    name: String,
}

/// What is said of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// What became of it.
    pub state: StatusState,
    /// A line about it, in any length.
    pub description: String,
    /// The page that it leads to. It has at most [`CommitStatus::LONGEST_URL`] characters.
    pub url: String,
}

impl CommitStatus {
    /// The longest URL that [every
    /// host](https://developer.atlassian.com/server/bitbucket/rest/) takes.
    pub const LONGEST_URL: usize = 450;

    /// The description for a host that takes so many characters: one line without control
    /// characters, in which a last `…` stands for what is left out.
    pub(crate) fn line(&self, longest: usize) -> String {
        let words = self.description.split(|c: char| c.is_control() || c.is_whitespace());
        let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        shortened(&line, longest)
    }
}

impl StatusName {
    /// The longest name, which each host takes.
    const LONGEST: usize = 200;
    /// The longest key that Bitbucket Cloud takes has 40 characters.
    const KEY_DIGITS: usize = 32;

    /// The status with this name of a commit.
    pub fn new(commit: CommitId, name: &str, reference: &str) -> Self {
        let name = if name.chars().count() <= Self::LONGEST {
            name.to_owned()
        } else {
            // Two long names may begin alike.
            format!("{} {}", shortened(name, Self::LONGEST - Self::KEY_DIGITS - 1), digest(name, Self::KEY_DIGITS))
        };
        Self { commit, reference: reference.to_owned(), name }
    }

    /// The name, as people read it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name for hosts whose names are short: 39 characters.
    pub(crate) fn key(&self) -> String {
        format!("git2s3-{}", digest(&self.name, Self::KEY_DIGITS))
    }
}

impl fmt::Display for StatusName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.commit)
    }
}

fn digest(text: &str, digits: usize) -> String {
    let mut digest = hex::encode(Sha256::digest(text));
    digest.truncate(digits);
    digest
}

fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(description: &str) -> CommitStatus {
        CommitStatus { state: StatusState::Failure, description: description.to_owned(), url: String::new() }
    }

    fn name(name: &str) -> StatusName {
        StatusName::new("a".repeat(40).parse().unwrap(), name, "main")
    }

    #[test]
    fn long_descriptions_end_visibly() {
        assert_eq!(status("a\u{1b}[31m b\n\tc").line(140), "a [31m b c");
        assert_eq!(status(&"é".repeat(140)).line(140), "é".repeat(140));
        assert_eq!(status(&"é".repeat(141)).line(140), format!("{}…", "é".repeat(139)));
    }

    #[test]
    fn long_names_stay_distinct() {
        let long = "x".repeat(300);
        let (one, other) = (name(&format!("{long}1")), name(&format!("{long}2")));
        assert_ne!(one.name(), other.name());
        assert_ne!(one.key(), other.key());
        assert_eq!(name("git2s3/zips: main").name(), "git2s3/zips: main");
    }

    proptest! {
        #[test]
        fn every_description_is_one_short_line(text in any::<String>(), longest in 1_usize..300) {
            let line = status(&text).line(longest);
            prop_assert!(line.chars().count() <= longest);
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert_eq!(line.trim(), line.as_str());
        }

        #[test]
        fn every_name_fits_each_host(text in any::<String>()) {
            let name = name(&text);
            prop_assert!(name.name().chars().count() <= StatusName::LONGEST);
            prop_assert!(name.key().len() < 40);
        }
    }
}
