//! The two workers. Each has its own path in the API, so that the webhook's URL selects one.

use serde::{Deserialize, Serialize};

/// A function that processes jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Worker {
    /// Fetches over SSH with the stack's key.
    GitPull,
    /// Downloads the provider's archive with a token.
    ZipDl,
}

impl Worker {
    /// All workers.
    pub const ALL: [Self; 2] = [Self::GitPull, Self::ZipDl];

    /// The part of the endpoint's URL that selects it, without a slash.
    pub const fn path_part(self) -> &'static str {
        match self {
            Self::GitPull => "gitpull",
            Self::ZipDl => "zipdl",
        }
    }

    /// The worker of an API Gateway resource, such as `/gitpull`.
    pub fn of_resource(resource: &str) -> Option<Self> {
        let part = resource.strip_prefix('/')?;
        Self::ALL.into_iter().find(|worker| worker.path_part() == part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_has_one_worker() {
        assert_eq!(Worker::of_resource("/gitpull"), Some(Worker::GitPull));
        assert_eq!(Worker::of_resource("/zipdl"), Some(Worker::ZipDl));
        for other in ["", "/", "gitpull", "/gitpull/", "/zipdl/x", "/{proxy+}"] {
            assert_eq!(Worker::of_resource(other), None, "{other}");
        }
    }
}
