//! The syntax of an `AllowedGitHosts` entry: the host name, followed by settings separated by
//! spaces.
//!
//! ```text
//! git.example.com kind=gitlab ssh=git@ssh.example.com:2222 web=https://git.example.com/gitlab private
//! ```
//!
//! - `kind=` what the host runs, needed for `/zipdl`: one of [`HostKind::ALL`]
//! - `ssh=[user@]host[:port][/folder]` where it is reached over SSH, and the folder that the
//!   repositories lie in (`/~` is the user's home)
//! - `web=https://host[:port][/path]` where its web pages are
//! - `api=https://host[:port][/path]` where its API is
//! - `private` archives may be downloaded from it although its address is a private one
//!
//! The most common settings have a short form:
//! `[user@]name[:ssh-port][=kind[:https-port]][+private]`.

use std::str::FromStr;

use crate::{
    allowed_host::{AllowedHost, HostKind, SshAddress, WebAddress},
    repository::{HostError, HostName},
};

/// Why a text is not a list of [`AllowedHosts`](crate::AllowedHosts).
#[derive(Debug, thiserror::Error)]
#[error("AllowedGitHosts has the entry {entry:?}, {problem}")]
pub struct AllowedHostsError {
    entry: String,
    #[source]
    problem: Problem,
}

/// What is wrong with an entry.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(
        "expected `[user@]host[:port][=kind[:https-port]][+private]`, then `kind=`, `ssh=`, `web=`, `api=`, `private`"
    )]
    Host(#[source] HostError),
    #[error("which doesn't begin with a host name")]
    Unnamed,
    #[error("whose port is not a number from 1 to 65535")]
    Port,
    #[error("whose user is not a login name")]
    User,
    #[error("whose kind is none of {}", HostKind::ALL.map(HostKind::name).join(", "))]
    Kind,
    #[error("in which {0:?} isn't one of `kind=`, `ssh=`, `web=`, `api=` and `private`")]
    Setting(String),
    #[error("which says {0} twice")]
    Twice(&'static str),
    #[error("whose {0} is not an address such as https://git.example.com/path")]
    Web(&'static str),
    #[error("whose SSH address is not one such as git@ssh.example.com:22")]
    Ssh(#[source] HostError),
    #[error("in which {0:?} is not a path of plain characters")]
    Path(String),
}

/// The settings parsed so far.
#[derive(Default)]
struct Settings {
    kind: Option<HostKind>,
    ssh: Option<SshAddress>,
    web: Option<WebAddress>,
    api: Option<WebAddress>,
    private: Option<()>,
}

impl FromStr for AllowedHost {
    type Err = AllowedHostsError;

    fn from_str(entry: &str) -> Result<Self, Self::Err> {
        read(entry).map_err(|problem| AllowedHostsError { entry: entry.to_owned(), problem })
    }
}

fn read(entry: &str) -> Result<AllowedHost, Problem> {
    let mut words = entry.split_ascii_whitespace();
    let (host, mut settings) = head(words.next().unwrap_or_default())?;
    for word in words {
        match word.split_once('=') {
            Some(("kind", name)) => once(&mut settings.kind, "its kind", kind(name)?)?,
            Some(("ssh", address)) => once(&mut settings.ssh, "its SSH address", ssh(address)?)?,
            Some(("web", url)) => once(&mut settings.web, "its web address", web(url, "web address")?)?,
            Some(("api", url)) => once(&mut settings.api, "its API's address", web(url, "API's address")?)?,
            None if word == "private" => once(&mut settings.private, "`private`", ())?,
            _ => return Err(Problem::Setting(word.to_owned())),
        }
    }
    Ok(AllowedHost {
        kind: settings.kind.or_else(|| HostKind::of(&host)),
        ssh: settings.ssh.unwrap_or_else(|| usual_ssh(&host)),
        web: settings.web.unwrap_or_else(|| WebAddress { host: host.clone(), port: 443, path: String::new() }),
        api: settings.api,
        is_private: settings.private.is_some(),
        host,
    })
}

fn once<T>(setting: &mut Option<T>, name: &'static str, value: T) -> Result<(), Problem> {
    if setting.replace(value).is_some() { Err(Problem::Twice(name)) } else { Ok(()) }
}

fn usual_ssh(host: &HostName) -> SshAddress {
    SshAddress { user: "git".to_owned(), host: AllowedHost::usual_ssh_name(host), port: 22, folder: String::new() }
}

/// Parses the name with its short settings.
fn head(word: &str) -> Result<(HostName, Settings), Problem> {
    if ["kind=", "ssh=", "web=", "api="].iter().any(|setting| word.starts_with(setting)) {
        return Err(Problem::Unnamed);
    }
    let mut settings = Settings::default();
    let (rest, is_private) = word.strip_suffix("+private").map_or((word, false), |rest| (rest, true));
    settings.private = is_private.then_some(());
    let (address, https) = rest.split_once('=').map_or((rest, None), |(address, https)| (address, Some(https)));
    let (user, address) = address.rsplit_once('@').map_or((None, address), |(user, address)| (Some(user), address));
    let user = user.map(login).transpose()?;
    let (name, port) = with_port(address)?;
    let host = HostName::try_from(name.to_ascii_lowercase()).map_err(Problem::Host)?;
    if user.is_some() || port.is_some() {
        let usual = usual_ssh(&host);
        let (user, port) = (user.unwrap_or(usual.user), port.unwrap_or(usual.port));
        settings.ssh = Some(SshAddress { user, port, ..usual });
    }
    if let Some(https) = https {
        let (name, port) = with_port(https)?;
        settings.kind = Some(kind(name)?);
        settings.web = port.map(|port| WebAddress { host: host.clone(), port, path: String::new() });
    }
    Ok((host, settings))
}

fn kind(name: &str) -> Result<HostKind, Problem> {
    HostKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or(Problem::Kind)
}

fn login(user: &str) -> Result<String, Problem> {
    let is_login = user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if user.is_empty() || user.starts_with('-') || !is_login { Err(Problem::User) } else { Ok(user.to_owned()) }
}

fn ssh(text: &str) -> Result<SshAddress, Problem> {
    let (address, folder) = with_path(text)?;
    let (user, address) = address.rsplit_once('@').unwrap_or(("git", address));
    let (host, port) = with_port(address)?;
    let host = HostName::try_from(host.to_ascii_lowercase()).map_err(Problem::Ssh)?;
    Ok(SshAddress { user: login(user)?, host, port: port.unwrap_or(22), folder })
}

fn web(url: &str, name: &'static str) -> Result<WebAddress, Problem> {
    let (address, path) = with_path(url.strip_prefix("https://").ok_or(Problem::Web(name))?)?;
    let (host, port) = with_port(address)?;
    let host = HostName::try_from(host.to_ascii_lowercase()).map_err(|_| Problem::Web(name))?;
    Ok(WebAddress { host, port: port.unwrap_or(443), path })
}

/// Splits a text into the part before the colon and the port.
fn with_port(text: &str) -> Result<(&str, Option<u16>), Problem> {
    let Some((text, port)) = text.rsplit_once(':') else { return Ok((text, None)) };
    let port = port.parse().ok().filter(|port| *port != 0).ok_or(Problem::Port)?;
    Ok((text, Some(port)))
}

/// Splits a text at its first slash. The path loses its trailing slash. It is used as is in URLs
/// and for SSH servers.
fn with_path(text: &str) -> Result<(&str, String), Problem> {
    let (text, path) = text.split_at(text.find('/').unwrap_or(text.len()));
    let path = path.strip_suffix('/').unwrap_or(path);
    // Unreserved by RFC 3986.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_plain);
    if path.split('/').skip(1).all(is_part) { Ok((text, path.to_owned())) } else { Err(Problem::Path(path.to_owned())) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::AllowedHosts;

    fn host(entry: &str) -> AllowedHost {
        entry.parse().unwrap()
    }

    #[test]
    fn bare_name_uses_default_addresses() {
        let github = host("github.com");
        assert_eq!((github.ssh.user.as_str(), github.ssh.host.as_str(), github.ssh.port), ("git", "github.com", 22));
        assert_eq!((github.web.to_string().as_str(), github.is_private), ("https://github.com", false));
        assert_eq!(host("dev.azure.com").ssh.host.as_str(), "ssh.dev.azure.com");
    }

    #[test]
    fn host_name_carries_common_settings() {
        let own = host("alice@Git.Example.com:7999=bitbucket-dc:8443+private");
        assert_eq!((own.ssh.user.as_str(), own.ssh.host.as_str(), own.ssh.port), ("alice", "git.example.com", 7999));
        assert_eq!((own.kind, own.is_private), (Some(HostKind::BitbucketDataCenter), true));
        assert_eq!(own.web.to_string(), "https://git.example.com:8443");
        let azure = host("dev.azure.com:443");
        assert_eq!((azure.ssh.host.as_str(), azure.ssh.port), ("ssh.dev.azure.com", 443));
    }

    #[test]
    fn everything_can_be_said_by_name() {
        let own = host(
            "Git.Example kind=gitlab ssh=alice@SSH.example:2222/srv/git/ web=https://www.example:8443/git/lab/ \
             api=https://api.example private",
        );
        assert_eq!((own.host.as_str(), own.kind, own.is_private), ("git.example", Some(HostKind::GitLab), true));
        let ssh = (own.ssh.user.as_str(), own.ssh.host.as_str(), own.ssh.port, own.ssh.folder.as_str());
        assert_eq!(ssh, ("alice", "ssh.example", 2222, "/srv/git"));
        assert_eq!(own.web.to_string(), "https://www.example:8443/git/lab");
        assert_eq!(own.api(HostKind::GitLab), "https://api.example");
        assert_eq!(
            host("git.example  ssh=ssh.example").ssh,
            SshAddress { user: "git".to_owned(), ..host("ssh.example").ssh }
        );
        assert_eq!(host("git.example:443 kind=gitea").ssh.port, 443);
    }

    #[test]
    fn a_kind_is_known_or_said() {
        for (name, expected) in [
            ("github.com", HostKind::GitHub),
            ("acme.ghe.com", HostKind::GitHub),
            ("gitlab.com", HostKind::GitLab),
            ("bitbucket.org", HostKind::Bitbucket),
            ("codeberg.org", HostKind::Gitea),
            ("dev.azure.com", HostKind::Azure),
        ] {
            assert_eq!(host(name).kind, Some(expected), "{name}");
        }
        assert_eq!(host("git.example").kind, None);
        for expected in HostKind::ALL {
            assert_eq!(host(&format!("git.example={expected}")).kind, Some(expected));
            assert_eq!(host(&format!("git.example kind={expected}")).kind, Some(expected));
        }
    }

    #[test]
    fn bad_entries_are_named() {
        let check = |entry: &str, expected: &str| {
            let error = entry.parse::<AllowedHosts>().unwrap_err().to_string();
            assert_eq!(error, format!("AllowedGitHosts has the entry {entry:?}, {expected}"));
        };
        let port = "whose port is not a number from 1 to 65535";
        let kind = "whose kind is none of github, gitlab, bitbucket, bitbucket-dc, gitea, azure";
        let form = "expected `[user@]host[:port][=kind[:https-port]][+private]`, then `kind=`, `ssh=`, `web=`, `api=`, `private`";
        let web = "whose web address is not an address such as https://git.example.com/path";
        let ssh = "whose SSH address is not one such as git@ssh.example.com:22";
        check("-oX@github.com", "whose user is not a login name");
        check("github.com:0", port);
        check("git.example=gitea:x", port);
        check("git.example=svn", kind);
        check("git.example=", kind);
        check("git.example kind=GitLab", kind);
        check("*", form);
        check("git.example+public", form);
        check("kind=gitea git.example", "which doesn't begin with a host name");
        check("git.example ssh=-x@ssh.example", "whose user is not a login name");
        check("git.example ssh=ssh.example:x", port);
        check("git.example ssh=", ssh);
        check("git.example ssh=ssh://ssh.example", "in which \"//ssh.example\" is not a path of plain characters");
        check("git.example ssh=ssh.example/a/../b", "in which \"/a/../b\" is not a path of plain characters");
        check("git.example ssh=ssh.example/a'b", "in which \"/a'b\" is not a path of plain characters");
        check("git.example web=http://git.example", web);
        check("git.example web=git.example", web);
        check("git.example web=https://", web);
        check("git.example web=https://u@git.example", web);
        check("git.example web=https://git.example?x", web);
        check("git.example web=https://git.example/a?x", "in which \"/a?x\" is not a path of plain characters");
        check(
            "git.example api=ftp://git.example",
            "whose API's address is not an address such as https://git.example.com/path",
        );
        check("git.example public", "in which \"public\" isn't one of `kind=`, `ssh=`, `web=`, `api=` and `private`");
        check("git.example:22 ssh=git.example", "which says its SSH address twice");
        check("git.example=gitea kind=gitea", "which says its kind twice");
        check("git.example=gitea:8443 web=https://git.example", "which says its web address twice");
        check("git.example api=https://a api=https://a", "which says its API's address twice");
        check("git.example+private private", "which says `private` twice");
    }

    proptest! {
        #[test]
        fn no_text_panics(entry in "(git.example|[@:=+/a-z .~-]|kind=|ssh=|web=https://|api=https://|private){0,12}") {
            if let Ok(host) = entry.parse::<AllowedHost>() {
                prop_assert!(!host.to_string().is_empty());
                prop_assert!(!host.web.path.ends_with('/') && !host.ssh.folder.ends_with('/'));
            }
        }
    }
}
