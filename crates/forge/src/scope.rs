//! The repositories that a proof is valid for: all, or those that its globs match.

use contract::{AllowedHost, Repositories, Repository};

/// The combined scope of the secrets that match one signature.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    everything: bool,
    some: Vec<Repositories>,
}

impl Scope {
    /// Adds the scope of another secret.
    pub(crate) fn add(&mut self, secret: Option<&Repositories>) {
        match secret {
            Some(scope) => self.some.push(scope.clone()),
            None => self.everything = true,
        }
    }

    /// Whether one of the secrets is valid for the repository, which is on `host`.
    pub(crate) fn covers(&self, repository: &Repository, host: &AllowedHost) -> bool {
        self.everything || self.some.iter().any(|scope| scope.permit(repository, host).is_ok())
    }

    /// As globs. `None` if it is valid for everything.
    pub(crate) fn globs(&self) -> Option<String> {
        let globs = || self.some.iter().map(Repositories::globs).collect::<Vec<_>>().join(",");
        (!self.everything).then(globs)
    }
}

#[cfg(test)]
mod tests {
    use contract::ApiSecrets;

    use super::*;

    fn scope(secrets: &str) -> Scope {
        let mut scope = Scope::default();
        for secret in ApiSecrets::parse(&secrets.into()).iter() {
            scope.add(secret.repositories.as_ref());
        }
        scope
    }

    #[test]
    fn scope_covers_union_of_secrets() {
        let check = |secrets: &str, expected: bool| {
            let repository = Repository::new("github.com".parse().unwrap(), "octo/hello".parse().unwrap());
            let host = "github.com".parse().unwrap();
            assert_eq!(scope(secrets).covers(&repository, &host), expected, "{secrets}");
        };
        check("", false);
        check("a", true);
        check("[github.com/x/*]a,[github.com/octo/*]b", true);
        check("[GitHub.com/OCTO/*]b", true);
        check("[github.com/x/*]a", false);
        check("[github.com/**,!github.com/octo/*]a", false);
        check("[[]a", false);
    }

    #[test]
    fn a_scope_is_told_as_globs() {
        assert_eq!(scope("a").globs(), None);
        assert_eq!(scope("a,[github.com/x/*]b").globs(), None);
        assert_eq!(
            scope("[github.com/x/*]a,[github.com/y/*]b").globs().as_deref(),
            Some("github.com/x/*,github.com/y/*")
        );
    }
}
