//! What a host's failure means for the other repositories of the run: a host that is down, busy or
//! not what it should be isn't asked again; one that refuses a repository is asked for the others.

use std::{fmt, time::Duration};

use contract::error_chain;
use fetch::FetchError;
use github_app::AppError;
use host_access::{AccessError, ReachError};
use https::HttpsError;

/// Why a repository's references aren't known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The host doesn't serve this repository.
    Repository(String),
    /// The host doesn't serve us, for at least so long.
    Host(String, Duration),
    /// The stack can't read what it shows the host.
    Own(String),
    /// The run's time was over.
    Time,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(said) | Self::Host(said, _) | Self::Own(said) => f.write_str(said),
            Self::Time => f.write_str("the time is over"),
        }
    }
}

impl From<&ReachError> for Failure {
    fn from(error: &ReachError) -> Self {
        let said = error_chain(error);
        match error {
            ReachError::Access(error) => of_access(error, said),
            ReachError::Fetch(error) => of_fetch(error, said),
        }
    }
}

fn of_access(error: &AccessError, said: String) -> Failure {
    match error {
        AccessError::MalformedKeys { .. } | AccessError::Key(_) | AccessError::NoKey { .. } => {
            Failure::Repository(said)
        }
        AccessError::Token(error) => of_https(error, said),
        AccessError::GitHubApp(error) => of_app_said(error, said),
        _ => Failure::Own(said),
    }
}

/// What the failure of an App's request means.
pub fn of_app(error: &AppError) -> Failure {
    of_app_said(error, error_chain(error))
}

fn of_app_said(error: &AppError, said: String) -> Failure {
    match error {
        AppError::Journal { .. } => Failure::Repository(said),
        AppError::Https(HttpsError::Busy { after, .. }) => Failure::Host(said, *after),
        error if error.is_about_access() => Failure::Repository(said),
        _ => Failure::Host(said, Duration::ZERO),
    }
}

fn of_fetch(error: &FetchError, said: String) -> Failure {
    match error {
        FetchError::Connect { .. }
        | FetchError::Session { .. }
        | FetchError::NoCommonAlgorithm { .. }
        | FetchError::Slow { .. }
        | FetchError::HostKeyUnknown { .. }
        | FetchError::HostKeyWrong { .. }
        | FetchError::HostKeyRevoked { .. }
        | FetchError::Silent { .. } => Failure::Host(said, Duration::ZERO),
        FetchError::Deadline { .. } => Failure::Time,
        FetchError::Https { source, .. } => of_https(source, said),
        _ => Failure::Repository(said),
    }
}

fn of_https(error: &HttpsError, said: String) -> Failure {
    match error {
        HttpsError::Busy { after, .. } => Failure::Host(said, *after),
        HttpsError::Client(_)
        | HttpsError::Insecure { .. }
        | HttpsError::Private(_)
        | HttpsError::Ask { .. }
        | HttpsError::Server { .. } => Failure::Host(said, Duration::ZERO),
        _ => Failure::Repository(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: FetchError, expected: impl Fn(&Failure) -> bool) {
        let failure = Failure::from(&ReachError::Fetch(Box::new(error)));
        assert!(expected(&failure), "{failure:?}");
    }

    #[test]
    fn failures_count_for_host_or_repository() {
        let (host, repository) = (|| "git.example".to_owned(), || "git.example/o/r".parse().unwrap());
        let of_host = |failure: &Failure| matches!(failure, Failure::Host(_, after) if after.is_zero());
        let of_repository = |failure: &Failure| matches!(failure, Failure::Repository(_));
        check(FetchError::Connect { host: host(), source: std::io::ErrorKind::ConnectionRefused.into() }, of_host);
        check(FetchError::Slow { host: host(), after: Duration::from_secs(20) }, of_host);
        check(FetchError::Refused { repository: repository(), said: "no".to_owned() }, of_repository);
        check(
            FetchError::KeyRefused { host: host(), user: "git".to_owned(), fingerprint: "SHA256:x".to_owned() },
            of_repository,
        );
        let https = |source| FetchError::Https { repository: repository(), source };
        let busy = HttpsError::Busy { host: host(), status: 429, after: Duration::from_secs(9) };
        check(https(busy), |failure| matches!(failure, Failure::Host(_, after) if after.as_secs() == 9));
        check(https(HttpsError::Server { host: host(), status: 502 }), of_host);
        check(https(HttpsError::NotFound { host: host(), status: 404 }), of_repository);
        check(FetchError::Deadline { repository: repository() }, |failure| *failure == Failure::Time);
        let busy = AppError::Https(HttpsError::Busy { host: host(), status: 403, after: Duration::from_secs(9) });
        assert!(matches!(of_app(&busy), Failure::Host(_, after) if after.as_secs() == 9));
        let gone = AppError::Journal { host: host(), id: "1".to_owned(), status: 404 };
        assert!(of_repository(&of_app(&gone)));
    }
}
