//! The prefix of artifact keys: the `KeyLayout` parameter.

use std::str::FromStr;

use crate::Repository;

/// Where the artifacts of a repository are stored in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyLayout {
    /// Below the repository's path. For stacks with one host: if two hosts have a repository with
    /// the same path, the first one keeps it.
    #[default]
    Path,
    /// Below the host name and the repository's path. For stacks with several hosts.
    HostPath,
}

/// `KeyLayout` has an unknown value.
#[derive(Debug, thiserror::Error)]
#[error("KeyLayout is {0:?}, expected path or host/path")]
pub struct KeyLayoutError(String);

impl KeyLayout {
    /// All layouts.
    pub const ALL: [Self; 2] = [Self::Path, Self::HostPath];

    /// Its name in the parameter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::HostPath => "host/path",
        }
    }

    /// The common prefix of a repository's artifact keys, without a trailing slash.
    pub fn prefix(self, repository: &Repository) -> String {
        match self {
            Self::Path => repository.path.to_string(),
            Self::HostPath => repository.to_string(),
        }
    }
}

impl FromStr for KeyLayout {
    type Err = KeyLayoutError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|layout| layout.name() == name);
        named.ok_or_else(|| KeyLayoutError(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_layout_parses_from_its_name() {
        for layout in KeyLayout::ALL {
            assert_eq!(layout.name().parse::<KeyLayout>().unwrap(), layout);
        }
        let error = "host".parse::<KeyLayout>().unwrap_err().to_string();
        assert_eq!(error, "KeyLayout is \"host\", expected path or host/path");
    }
}
