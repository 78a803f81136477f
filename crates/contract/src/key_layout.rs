//! What the key of an artifact begins with: the `KeyLayout` parameter.

use std::str::FromStr;

use crate::Repository;

/// Where in the bucket the artifacts of a repository lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyLayout {
    /// Under the repository's path. For stacks that fetch from one host: on two hosts, repositories
    /// may have the same path, and which one came first keeps it.
    #[default]
    Path,
    /// Under the host's name and the repository's path. For stacks that fetch from several.
    HostPath,
}

/// `KeyLayout` is none of those that there are.
#[derive(Debug, thiserror::Error)]
#[error("KeyLayout is {0:?}, expected path or host/path")]
pub struct KeyLayoutError(String);

impl KeyLayout {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Path, Self::HostPath];

    /// Its name as the parameter has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::HostPath => "host/path",
        }
    }

    /// What the keys of a repository's artifacts begin with, without a slash at the end.
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
