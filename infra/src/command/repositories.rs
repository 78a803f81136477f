//! The repositories that a command is about: named one by one, or all of an organisation.

use std::collections::BTreeMap;

use anyhow::Context as _;
use contract::{AllowedHost, HostName, Patterns, Repository};
use deployment::render::progress::Progress;
use host_api::HostApi;
use infra::connect::{HostAccess, Target};

use super::host_token;
use crate::report::Usage;

#[derive(Debug, clap::Args)]
pub(crate) struct Chosen {
    /// Repositories: github.com/owner/name, or the URL that one clones
    #[arg(value_name = "REPOSITORY", value_parser = read, required_unless_present = "organisation")]
    repositories: Vec<Repository>,
    /// All repositories of this organisation, group, workspace or project
    #[arg(long, value_name = "NAME", conflicts_with = "repositories")]
    organisation: Option<String>,
    /// With --organisation: the host that it is at [default: the first of `AllowedGitHosts`]
    #[arg(long, value_name = "HOST", requires = "organisation")]
    host: Option<HostName>,
    /// With --organisation: only repositories whose path matches one of these globs, such as
    /// `acme/app-*`; with `!` in front, all but these
    #[arg(long, value_name = "GLOBS", requires = "organisation", default_value = "")]
    include: String,
}

/// Parses `host/owner/name`, also as a URL for cloning.
pub(crate) fn read(text: &str) -> Result<Repository, String> {
    let plain = text.split_once("://").map_or(text, |(_, rest)| rest);
    let plain = plain.rsplit_once('@').map_or(plain, |(_, rest)| rest);
    // git@github.com:owner/name.git
    let plain = match plain.split_once(':') {
        Some((host, path)) if !host.contains('/') && !path.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{host}/{path}")
        }
        _ => plain.to_owned(),
    };
    let plain = plain.trim_end_matches('/');
    let plain = plain.strip_suffix(".git").unwrap_or(plain);
    plain.parse().map_err(|error: contract::repository::RepositoryError| {
        format!("{}: expected host/owner/name", contract::error_chain(&error))
    })
}

/// The repositories of one host, with its API.
pub(crate) struct AtHost {
    pub(crate) access: HostAccess,
    pub(crate) repositories: Vec<Repository>,
}

/// How hosts may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By a person's token.
    Token,
    /// By the stack's GitHub App at its host, and by a person's token at the others.
    AppOrToken,
}

impl Way {
    fn is_app(self, target: &Target, host: &HostName) -> bool {
        self == Self::AppOrToken && target.app_of(host).is_some()
    }
}

impl Chosen {
    /// Whether they are not named one by one.
    pub(crate) fn is_organisation(&self) -> bool {
        self.organisation.is_some()
    }

    /// Finds them, and asks for the tokens of their hosts.
    pub(crate) async fn find(
        &self,
        target: &Target,
        way: Way,
        progress: &mut dyn Progress,
    ) -> anyhow::Result<Vec<AtHost>> {
        let access = |host: &HostName, progress: &mut dyn Progress| {
            if way.is_app(target, host) {
                progress.step(&format!("the stack's GitHub App is the way to {host}"));
                return Ok(HostAccess::App);
            }
            api(target, host, progress).map(|api| HostAccess::Token(api.into()))
        };
        if let Some(organisation) = &self.organisation {
            let host = match &self.host {
                Some(host) => host.clone(),
                None => target.hosts.first().map(|first| first.host.clone()).context("AllowedGitHosts is empty")?,
            };
            let api = api(target, &host, progress)?;
            progress.waiting(&format!("looking for the repositories of {organisation} at {host}"));
            let include = Patterns::parse("--include", &self.include)?;
            let all = api.repositories(organisation).await?;
            let wanted = all.into_iter().map(|found| found.path).filter(|path| is_wanted(&include, path.as_str()));
            let repositories = wanted.map(|path| Repository::new(host.clone(), path)).collect();
            let access = if way.is_app(target, &host) { HostAccess::App } else { HostAccess::Token(api.into()) };
            return Ok(vec![AtHost { access, repositories }]);
        }
        let mut by_host: BTreeMap<&str, Vec<Repository>> = BTreeMap::new();
        for repository in &self.repositories {
            by_host.entry(repository.host.as_str()).or_default().push(repository.clone());
        }
        let mut found = Vec::new();
        for repositories in by_host.into_values() {
            let Some(first) = repositories.first() else { continue };
            found.push(AtHost { access: access(&first.host, progress)?, repositories });
        }
        Ok(found)
    }
}

/// Whether a repository of an organisation is wanted: without globs, or with exclusions only, all
/// others are.
fn is_wanted(globs: &Patterns, path: &str) -> bool {
    (globs.includes_nothing() || globs.includes(path)) && !globs.excludes(path)
}

/// The API of a host that the stack serves, with a person's token.
pub(crate) fn api(target: &Target, host: &HostName, progress: &mut dyn Progress) -> anyhow::Result<HostApi> {
    let allowed: &AllowedHost = target.hosts.find(host.as_str()).ok_or_else(|| Usage {
        message: format!("{host} is not in the stack's parameter AllowedGitHosts"),
        hint: Some("deploy with the host in AllowedGitHosts".to_owned()),
    })?;
    let (token, source) = host_token::find(allowed)?;
    progress.step(&format!("the token for {host} is from {source}"));
    let client = https::Client::new(&target.hosts, &target.ca_bundle).context("read the CaBundle parameter")?;
    Ok(HostApi::new(allowed, client, &token)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_select_among_an_organisation() {
        for (globs, path, expected) in [
            ("", "acme/app", true),
            ("acme/app-*", "acme/app-1", true),
            ("acme/app-*", "acme/other", false),
            ("!acme/secret", "acme/app", true),
            ("!acme/secret", "acme/secret", false),
            ("acme/*, !acme/secret", "acme/secret", false),
        ] {
            assert_eq!(is_wanted(&Patterns::parse("--include", globs).unwrap(), path), expected, "{globs} {path}");
        }
    }

    #[test]
    fn repository_is_named_as_cloned() {
        for text in [
            "github.com/octo/hello",
            "https://github.com/octo/hello",
            "https://github.com/octo/hello.git",
            "https://somebody@github.com/octo/hello/",
            "git@github.com:octo/hello.git",
            "ssh://git@github.com/octo/hello.git",
        ] {
            assert_eq!(read(text).unwrap().to_string(), "github.com/octo/hello", "{text}");
        }
        for text in ["", "octo", "github.com", "https://github.com/", "github.com/../x"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
