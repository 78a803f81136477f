//! What a trace is about, as a person names it: a delivery, a commit or a repository. Which of the
//! first two some hexadecimal digits are, only the logs know.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use contract::{RefName, RepositoryPath};

use super::push::Push;
use crate::logs::{Condition, Kind, Record};

/// The fewest digits of an abbreviated commit: fewer name too many.
const FEWEST_DIGITS: usize = 4;

/// What a person has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A delivery.
    Delivery(String),
    /// A delivery or a commit, whose ID may be abbreviated: hexadecimal digits.
    Digits(String),
    /// A repository, with its host or without.
    Repository {
        /// `owner/name` or `host/owner/name`.
        name: String,
        /// A branch or tag, by its short or its full name.
        reference: Option<String>,
    },
}

/// Why a text names nothing.
#[derive(Debug, thiserror::Error)]
#[error("expected the ID of a delivery, a commit, or owner/name@reference: {0}")]
pub struct WantedError(String);

/// More than one thing has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is ambiguous: {}", .several.join(", "))]
pub struct Ambiguous {
    /// What was named.
    pub what: String,
    /// What it may be.
    pub several: Vec<String>,
}

impl Ambiguous {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        Some("name one of them in full".to_owned())
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivery(id) => write!(f, "delivery {id}"),
            Self::Digits(digits) => write!(f, "delivery or commit {digits}"),
            Self::Repository { name, reference: None } => f.write_str(name),
            Self::Repository { name, reference: Some(reference) } => write!(f, "{name} {reference}"),
        }
    }
}

impl FromStr for Wanted {
    type Err = WantedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('/') {
            return repository(text);
        }
        text.parse::<contract::DeliveryId>().map_err(|error| WantedError(error.to_string()))?;
        let is_digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(if is_digits && (FEWEST_DIGITS..=64).contains(&text.len()) {
            Self::Digits(text.to_ascii_lowercase())
        } else {
            Self::Delivery(text.to_owned())
        })
    }
}

/// Parses `owner/name`, `host/owner/name` or the URL that one clones, each with `@reference`.
fn repository(text: &str) -> Result<Wanted, WantedError> {
    let plain = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (start, path) = plain.split_once('/').unwrap_or((plain, ""));
    let start = start.rsplit_once('@').map_or(start, |(_, host)| host);
    let (path, reference) = match path.split_once('@') {
        Some((path, reference)) => (path, Some(reference)),
        None => (path, None),
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    // git@github.com:owner/name
    let name = format!("{}/{path}", start.replacen(':', "/", 1));
    // A path has what a host has, and more.
    name.parse::<RepositoryPath>().map_err(|error| WantedError(error.to_string()))?;
    if let Some(reference) = reference {
        let full =
            if reference.starts_with("refs/") { reference.to_owned() } else { format!("refs/heads/{reference}") };
        full.parse::<RefName>().map_err(|error| WantedError(error.to_string()))?;
    }
    Ok(Wanted::Repository { name, reference: reference.map(str::to_owned) })
}

/// Whether a reference has this short or full name.
fn is_named(reference: &str, name: &str) -> bool {
    let short = ["refs/heads/", "refs/tags/"].iter().find_map(|folder| reference.strip_prefix(folder));
    reference == name || short == Some(name)
}

impl Wanted {
    /// The conditions of lines that tell which deliveries it is about.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        match self {
            Self::Delivery(id) => vec![Condition::is("delivery", id)],
            Self::Digits(digits) => {
                let commits = ["commit", "superseded"].map(|field| Condition::begins(field, digits));
                [&[Condition::is("delivery", digits)][..], &commits].concat()
            }
            Self::Repository { name, .. } => {
                vec![Condition::is("repository", name), Condition::ends("repository", &format!("/{name}"))]
            }
        }
    }

    /// Whether it names this repository, which is `host/owner/name`.
    pub(super) fn is_repository(&self, repository: &str) -> bool {
        let Self::Repository { name, .. } = self else { return false };
        repository == name || repository.split_once('/').is_some_and(|(_, path)| path == name)
    }

    /// Whether it names this delivery.
    pub(super) fn is_delivery(&self, found: &str) -> bool {
        matches!(self, Self::Delivery(id) | Self::Digits(id) if id == found)
    }

    fn is_reference(&self, found: &str) -> bool {
        match self {
            Self::Repository { reference: Some(reference), .. } => is_named(found, reference),
            _ => true,
        }
    }

    /// The deliveries that it is about, newest first, at most `last`.
    ///
    /// # Errors
    /// It may be one of several things.
    pub(super) fn deliveries(&self, records: &[Record], last: usize) -> Result<Vec<String>, Ambiguous> {
        let of = |records: &mut dyn Iterator<Item = &Record>| newest(records, last);
        match self {
            Self::Delivery(id) => Ok(vec![id.clone()]),
            Self::Digits(digits) => {
                let is_delivery = |record: &Record| record.line.delivery.as_deref() == Some(digits);
                if records.iter().any(is_delivery) {
                    return Ok(vec![digits.clone()]);
                }
                let Some(commit) = self.commit(records)? else { return Ok(Vec::new()) };
                let pushed = of(&mut records.iter().filter(|record| is_push_of(record, &commit)));
                if !pushed.is_empty() {
                    return Ok(pushed);
                }
                Ok(of(&mut records.iter().filter(|record| record.text("commit") == Some(&commit))))
            }
            Self::Repository { name, .. } => {
                let is_wanted = |record: &&Record| {
                    let (repository, reference) = (record.line.repository.as_deref(), record.line.reference.as_deref());
                    repository.is_some_and(|found| self.is_repository(found))
                        && reference.is_some_and(|found| self.is_reference(found))
                };
                let wanted: Vec<_> = records.iter().filter(is_wanted).collect();
                let names = wanted.iter().filter_map(|record| record.line.repository.as_deref());
                single(name, names.collect())?;
                Ok(of(&mut wanted.into_iter()))
            }
        }
    }

    /// The commit with these digits; `None` if there is none, or if it isn't about a commit.
    ///
    /// # Errors
    /// Several begin with the digits.
    pub(super) fn commit(&self, records: &[Record]) -> Result<Option<String>, Ambiguous> {
        let Self::Digits(digits) = self else { return Ok(None) };
        let all = records.iter().flat_map(|record| ["commit", "superseded"].map(|field| record.text(field)));
        let all = all.flatten().filter(|commit| commit.starts_with(digits.as_str()));
        Ok(single(digits, all.collect())?.map(str::to_owned))
    }

    /// Whether a push of a delivery that was found is meant.
    pub(super) fn is_about(&self, push: &Push, commit: Option<&str>) -> bool {
        match (self, commit) {
            (Self::Digits(_), Some(commit)) => {
                let stored = push.stored.as_ref().map(|stored| stored.commit.as_str());
                push.commit.as_deref() == Some(commit) || stored == Some(commit)
            }
            (Self::Delivery(_) | Self::Digits(_), _) => true,
            (Self::Repository { .. }, _) => {
                push.repository.as_deref().is_some_and(|found| self.is_repository(found))
                    && push.reference.as_deref().is_some_and(|found| self.is_reference(found))
            }
        }
    }
}

/// Whether the line says that the commit was pushed, and not only that it was stored.
fn is_push_of(record: &Record, commit: &str) -> bool {
    record.text("superseded") == Some(commit)
        || (record.line.kind == Kind::Queued && record.text("commit") == Some(commit))
}

/// The deliveries of these lines, that with the newest line first.
fn newest(records: &mut dyn Iterator<Item = &Record>, last: usize) -> Vec<String> {
    let mut records: Vec<_> = records.collect();
    // By its first line: a late try doesn't make an old push a new one.
    let mut seen = BTreeSet::new();
    records.sort_by_key(|record| record.line.millis);
    records.retain(|record| record.line.delivery.as_ref().is_some_and(|delivery| seen.insert(delivery.clone())));
    records.iter().rev().filter_map(|record| record.line.delivery.clone()).take(last).collect()
}

/// The only one; `None` if there is none.
fn single<'t>(what: &str, all: BTreeSet<&'t str>) -> Result<Option<&'t str>, Ambiguous> {
    if all.len() > 1 {
        let several = all.into_iter().map(str::to_owned).collect();
        return Err(Ambiguous { what: what.to_owned(), several });
    }
    Ok(all.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{records, told};
    use super::*;

    fn wanted(text: &str) -> Wanted {
        text.parse().unwrap()
    }

    fn of(name: &str, reference: Option<&str>) -> Wanted {
        Wanted::Repository { name: name.to_owned(), reference: reference.map(str::to_owned) }
    }

    #[test]
    fn slash_or_digits_tell_kind() {
        assert_eq!(wanted("72d3162e-ab12"), Wanted::Delivery("72d3162e-ab12".to_owned()));
        assert_eq!(wanted("72D3162E"), Wanted::Digits("72d3162e".to_owned()));
        assert_eq!(wanted("abc"), Wanted::Delivery("abc".to_owned()));
        assert_eq!(wanted(&"a".repeat(65)), Wanted::Delivery("a".repeat(65)));
        for text in ["", "two words", "tab\t", "acme/../rocket", "acme/rocket@a..b", "acme/rocket@", "/"] {
            assert!(text.parse::<Wanted>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn repository_may_have_host_and_reference() {
        assert_eq!(wanted("acme/rocket"), of("acme/rocket", None));
        assert_eq!(wanted("github.com/acme/rocket@main"), of("github.com/acme/rocket", Some("main")));
        assert_eq!(wanted("acme/rocket@refs/tags/v@1"), of("acme/rocket", Some("refs/tags/v@1")));
        for url in [
            "https://github.com/acme/rocket.git@feature/x",
            "https://somebody@github.com/acme/rocket@feature/x",
            "git@github.com:acme/rocket.git@feature/x",
            "ssh://git@github.com/acme/rocket.git@feature/x",
        ] {
            assert_eq!(wanted(url), of("github.com/acme/rocket", Some("feature/x")), "{url}");
        }
        let rocket = wanted("acme/rocket");
        assert!(rocket.is_repository("github.com/acme/rocket") && rocket.is_repository("acme/rocket"));
        assert!(!rocket.is_repository("gitlab.com/group/acme/rocket"));
        assert!(is_named("refs/tags/v1", "v1") && is_named("refs/heads/a/b", "a/b"));
        assert!(!is_named("refs/heads/main", "refs/tags/main"));
    }

    /// The deliveries of what is named, in all recorded stories.
    fn deliveries(text: &str, last: usize) -> Result<Vec<String>, Vec<String>> {
        wanted(text).deliveries(&records(&told()), last).map_err(|error| error.several)
    }

    #[test]
    fn commit_finds_delivery_that_pushed_it() {
        let [first, second] = ["1a", "2b"].map(|digits| digits.repeat(20));
        // Stored by both, and pushed by the later one.
        assert_eq!(deliveries(&second, 5).unwrap(), ["d-newer"]);
        assert_eq!(deliveries("2b2b", 5).unwrap(), ["d-newer"]);
        assert_eq!(deliveries(&first, 2).unwrap(), ["d-killed", "d-behind"]);
        assert_eq!(deliveries("ffff", 1).unwrap(), [""; 0]);
        assert_eq!(deliveries("7d7d7d", 1).unwrap(), ["7d7d7d"], "a delivery");
    }

    #[test]
    fn ambiguous_name_lists_its_meanings() {
        assert_eq!(
            deliveries("3c3c", 1).unwrap_err(),
            [format!("3c3c1{}", "0".repeat(35)), format!("3c3c2{}", "0".repeat(35))]
        );
        assert_eq!(deliveries("acme/twin", 1).unwrap_err(), ["github.com/acme/twin", "gitlab.com/acme/twin"]);
        assert_eq!(deliveries("gitlab.com/acme/twin", 1).unwrap(), ["d-twin-2"]);
    }

    #[test]
    fn repository_finds_its_latest_pushes() {
        assert_eq!(deliveries("acme/rocket@main", 1).unwrap(), ["d-newer"]);
        assert_eq!(deliveries("acme/rocket@main", 2).unwrap(), ["d-newer", "d-superseded"]);
        assert_eq!(deliveries("acme/rocket@refs/tags/main", 1).unwrap(), [""; 0]);
    }
}
