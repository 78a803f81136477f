//! What happens to a stack's stored zips when its parameters change: new zips go to another bucket,
//! and a shorter retention deletes existing versions. A list of changed resources shows neither.

use super::settings::{Change, Settings};

/// The parameters that decide where zips are stored, and how long.
const BUCKET: &str = "OutputBucketName";
const DAYS: &str = "NoncurrentDays";
const NEWER: &str = "NewerNoncurrentVersions";
const DELETED: &str = "DeletedReferences";

/// How long the output bucket keeps replaced versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// `NoncurrentDays`; without it every version is kept.
    pub days: Option<u16>,
    /// `NewerNoncurrentVersions`: so many of each zip stay, however old they are.
    pub newer: u16,
}

impl Retention {
    /// The retention for these values of the parameters.
    pub fn of(days: &str, newer: &str) -> Self {
        Self { days: days.parse().ok(), newer: newer.parse().unwrap_or_default() }
    }

    /// In words.
    pub fn told(&self) -> String {
        match self {
            Self { days: None, .. } => "every version".to_owned(),
            Self { days: Some(days), newer: 0 } => format!("NoncurrentDays={days}"),
            Self { days: Some(days), newer } => format!("NoncurrentDays={days}, NewerNoncurrentVersions={newer}"),
        }
    }
}

impl Settings {
    /// How long replaced zips are kept.
    pub fn retention(&self) -> Retention {
        Retention::of(self.value(DAYS), self.value(NEWER))
    }

    /// Sets the name of the stack's output bucket, which the parameters alone don't tell.
    #[must_use]
    pub fn of_bucket(mut self, bucket: Option<&str>) -> Self {
        self.zips = in_words(&self, bucket);
        self
    }
}

/// Describes it in sentences, for a stack whose output bucket is `bucket`, if known.
fn in_words(settings: &Settings, bucket: Option<&str>) -> Vec<String> {
    // The old bucket keeps its lifecycle rules.
    let moved = moved(settings, bucket);
    if moved.is_some() {
        return moved.into_iter().collect();
    }
    [shortened(settings), expiring_deleted(settings)].into_iter().flatten().collect()
}

fn moved(settings: &Settings, bucket: Option<&str>) -> Option<String> {
    let name = settings.get(BUCKET).filter(|name| name.change == Change::Changed)?;
    let old = bucket.or(name.old.as_deref().filter(|old| !old.is_empty()));
    // It has that name already: nothing is left behind.
    if old == Some(name.new.as_str()) {
        return None;
    }
    let new = if name.new.is_empty() { "with a generated name".to_owned() } else { name.new.clone() };
    let old = old.map_or_else(|| "the bucket until now".to_owned(), |old| format!("bucket {old}"));
    Some(format!(
        "a new, empty bucket {new} is made. {old} stays in the account with every version of every zip, outside of the stack: nothing is \
         copied, no deletion of the stack takes it along, and it is paid for until somebody deletes it. What reads it, such as a \
         pipeline's S3 source, has to be pointed at the new one"
    ))
}

fn shortened(settings: &Settings) -> Option<String> {
    let (days, newer) = (settings.get(DAYS)?, settings.get(NEWER)?);
    let new = settings.retention();
    let old = Retention::of(days.old.as_deref()?, newer.old.as_deref().unwrap_or_default());
    let is_shorter = match (old.days, new.days) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old_days), Some(new_days)) => new_days < old_days || new.newer < old.newer,
    };
    is_shorter.then(|| expiring(new)).flatten()
}

/// What an earlier expiration of deleted references does to the zips that are marked already.
fn expiring_deleted(settings: &Settings) -> Option<String> {
    let setting = settings.get(DELETED)?;
    let days = |value: &str| value.parse::<u16>().ok();
    let (old, new) = (days(setting.old.as_deref()?), days(&setting.new)?);
    old.is_none_or(|old| new < old).then(|| {
        format!(
            "S3 hides the zip of each branch and tag that was deleted within two days, and deletes it {new} days later: those, too, that \
             are marked with git2s3=deleted already. After that they can't be had back"
        )
    })
}

/// What a retention does to existing versions; `None` if it keeps all of them.
pub(super) fn expiring(retention: Retention) -> Option<String> {
    let days = retention.days?;
    let but = match retention.newer {
        0 => String::new(),
        newer => format!(", but for the {newer} newest of each zip"),
    };
    Some(format!(
        "S3 deletes each version that a newer one replaced more than {days} days ago{but}: those, too, that are there already. They can't be \
         had back"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::deploy::Parameters;

    /// The sentences for a stack with the bucket `zips-1` that has some values and is given others.
    fn said(given: &[(&'static str, &str)], stack: &[(&str, &str)]) -> String {
        let template = crate::stack::template(None).unwrap();
        let given = given.iter().fold(Parameters::default(), |all, (name, value)| all.with(name, *value));
        let before = [(BUCKET, ""), (DAYS, ""), (NEWER, ""), (DELETED, "keep")];
        let stack: BTreeMap<_, _> = before.iter().chain(stack).copied().collect();
        let stack = stack.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Settings::new(&template, &given, Some(&stack)).of_bucket(Some("zips-1")).zips.join("\n")
    }

    #[test]
    fn another_name_leaves_the_bucket_behind() {
        let told = said(&[(BUCKET, "other")], &[]);
        assert!(told.starts_with("a new, empty bucket other is made. bucket zips-1 stays in the account"), "{told}");
        let told = said(&[(BUCKET, "")], &[(BUCKET, "zips-1")]);
        assert!(told.starts_with("a new, empty bucket with a generated name is made. bucket zips-1 stays"), "{told}");
        assert_eq!(said(&[(BUCKET, "zips-1")], &[]), "", "the name that it has");
        assert_eq!(said(&[], &[(BUCKET, "zips-1")]), "");
    }

    #[test]
    fn expiration_warns_of_marked_zips() {
        let warns = |new: &str, old: &str| said(&[(DELETED, new)], &[(DELETED, old)]).contains("marked");
        assert!(warns("30", "mark") && warns("30", "keep") && warns("7", "30"));
        assert!(!warns("30", "7") && !warns("mark", "30") && !warns("keep", "30") && !warns("30", "30"));
    }

    #[test]
    fn shorter_retention_warns_of_deletion() {
        let deletes =
            |given: &[(&'static str, &str)], stack: &[(&str, &str)]| said(given, stack).contains("S3 deletes");
        assert!(deletes(&[(DAYS, "30")], &[]));
        assert!(deletes(&[(DAYS, "30")], &[(DAYS, "31")]));
        assert!(deletes(&[(NEWER, "1")], &[(DAYS, "30"), (NEWER, "2")]));
        assert!(!deletes(&[(DAYS, "30")], &[(DAYS, "30")]));
        assert!(!deletes(&[(DAYS, "")], &[(DAYS, "30")]), "all are kept");
        assert!(!deletes(&[(NEWER, "3")], &[(DAYS, "30"), (NEWER, "2")]));
        let told = said(&[(DAYS, "30"), (NEWER, "5")], &[]);
        assert!(told.contains("more than 30 days ago, but for the 5 newest of each zip"), "{told}");
    }
}
