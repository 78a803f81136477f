//! The `KeepCommits` parameter: whether the zip of every commit stays, beside the one that moves
//! with its reference.

use std::str::FromStr;

/// Whether the zip of each commit is stored at a key of its own, and for how long it stays there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepCommits {
    /// There is one zip for each reference, in versions.
    #[default]
    Off,
    /// The zip of each commit stays for so many days. The bucket's lifecycle rule removes it.
    Days(u16),
}

/// `KeepCommits` has an invalid value.
#[derive(Debug, thiserror::Error)]
#[error("KeepCommits is {0:?}, expected off or a number of days from 1 to 9999")]
pub struct KeepCommitsError(String);

impl KeepCommits {
    /// The value of the parameter without zips of commits.
    pub const OFF: &str = "off";

    /// The tag of what is kept for a commit. S3's lifecycle rules [select by
    /// tag](https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-filters.html),
    /// since the keys of commits have no prefix in common.
    pub const TAG: (&str, &str) = ("git2s3", "commit");
}

impl FromStr for KeepCommits {
    type Err = KeepCommitsError;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        if value == Self::OFF {
            return Ok(Self::Off);
        }
        let days = value.parse().ok().filter(|days| (1..=9999).contains(days));
        days.map(Self::Days).ok_or_else(|| KeepCommitsError(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_kept_for_days() {
        assert_eq!("off".parse::<KeepCommits>().unwrap(), KeepCommits::Off);
        assert_eq!("1".parse::<KeepCommits>().unwrap(), KeepCommits::Days(1));
        assert_eq!("9999".parse::<KeepCommits>().unwrap(), KeepCommits::Days(9999));
        for value in ["", "on", "0", "10000", "-1", "1.5", "Off"] {
            assert!(value.parse::<KeepCommits>().is_err(), "{value}");
        }
    }
}
