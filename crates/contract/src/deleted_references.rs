//! The `DeletedReferences` parameter: what becomes of the zip of a deleted branch or tag.

use std::str::FromStr;

/// What is done with the zip of a deleted reference. Nothing deletes it by itself: a rule of the
/// bucket does, for zips that are marked. Each zip gets a tag that says that the deletion was told,
/// so that it is told once, whoever reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeletedReferences {
    /// It stays, with a [tag](Self::KEPT) on which no rule acts.
    #[default]
    Keep,
    /// It gets the [tag](Self::TAG), for people and for rules of their own.
    Mark,
    /// It gets the tag, by which the bucket's lifecycle rule hides it, and deletes it so many days
    /// later.
    Days(u16),
}

/// `DeletedReferences` has an invalid value.
#[derive(Debug, thiserror::Error)]
#[error("DeletedReferences is {0:?}, expected keep, mark or a number of days from 1 to 9999")]
pub struct DeletedReferencesError(String);

impl DeletedReferences {
    /// The value of the parameter with which zips stay.
    pub const KEEP: &str = "keep";

    /// The value with which they only get a tag.
    pub const MARK: &str = "mark";

    /// The tag of the zip of a deleted reference: characters that [S3
    /// accepts](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html).
    pub const TAG: (&str, &str) = ("git2s3", "deleted");

    /// The tag of the zip of a deleted reference that stays, such as that of the default branch,
    /// whatever the parameter says.
    pub const KEPT: (&str, &str) = ("git2s3", "gone");
}

impl FromStr for DeletedReferences {
    type Err = DeletedReferencesError;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        match value {
            Self::KEEP => return Ok(Self::Keep),
            Self::MARK => return Ok(Self::Mark),
            _ => {}
        }
        let days = value.parse().ok().filter(|days| (1..=9999).contains(days));
        days.map(Self::Days).ok_or_else(|| DeletedReferencesError(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zips_stay_are_marked_or_expire() {
        assert_eq!("keep".parse::<DeletedReferences>().unwrap(), DeletedReferences::Keep);
        assert_eq!("mark".parse::<DeletedReferences>().unwrap(), DeletedReferences::Mark);
        assert_eq!("30".parse::<DeletedReferences>().unwrap(), DeletedReferences::Days(30));
        for value in ["", "off", "Keep", "0", "10000", "-1", "1.5"] {
            assert!(value.parse::<DeletedReferences>().is_err(), "{value}");
        }
    }
}
