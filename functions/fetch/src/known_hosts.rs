//! Which key a host has to prove that it holds. Without this, whoever sits on the way could serve any
//! tree under a repository's name.
//!
//! The format is that of OpenSSH's
//! [`known_hosts`](https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT), hashed names, wildcards,
//! negations and `@revoked` included. A port other than 22 needs a line for `[host]:port`.

use std::sync::Arc;

use contract::AllowedHost;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::{
    self, Algorithm, HashAlg, PublicKey,
    known_hosts::{Entry, HostPatterns, Marker},
};
use sha1::Sha1;

/// The keys of the big providers, each compared with the fingerprints that its provider publishes.
const BUILT_IN: &str = include_str!("known_hosts");

/// The keys of hosts.
#[derive(Debug, Clone)]
pub struct KnownHosts(Arc<[Entry]>);

/// Why a text is not a list of [`KnownHosts`].
#[derive(Debug, thiserror::Error)]
pub enum KnownHostsError {
    /// A line isn't one of a `known_hosts` file.
    #[error("line {line} of KnownHosts is not `host key-type key`")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: ssh_key::Error,
    },
    /// A line names an authority for host certificates, which aren't supported.
    #[error("line {line} of KnownHosts has @cert-authority, which is not supported")]
    CertificateAuthority {
        /// The line, from 1.
        line: usize,
    },
}

/// What is known of the key that a host offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the host's.
    Known,
    /// The host has other keys.
    Different,
    /// No line names the host.
    Unknown,
    /// A line says that it must not be trusted any more.
    Revoked,
}

impl KnownHosts {
    /// The keys of github.com, gitlab.com, bitbucket.org, ssh.dev.azure.com and codeberg.org, and the
    /// lines of `extra`. Empty lines and comments are allowed.
    pub fn built_in_and(extra: &str) -> Result<Self, KnownHostsError> {
        let mut entries = parse(BUILT_IN)?;
        entries.extend(parse(extra)?);
        Ok(Self(entries.into()))
    }

    /// What is known of a key that a host offered.
    pub fn judge(&self, host: &AllowedHost, key: &PublicKey) -> Verdict {
        let name = name(host);
        let revoked = |entry: &&Entry| entry.marker() == Some(&Marker::Revoked);
        let same = |entry: &Entry| entry.public_key().key_data() == key.key_data();
        let (refused, trusted): (Vec<_>, Vec<_>) =
            self.0.iter().filter(|entry| matches(entry, &name)).partition(revoked);
        if refused.into_iter().any(same) {
            Verdict::Revoked
        } else if trusted.is_empty() {
            Verdict::Unknown
        } else if trusted.into_iter().any(same) {
            Verdict::Known
        } else {
            Verdict::Different
        }
    }

    /// What the host is asked to prove itself with: the kinds of key that are known of it first, so that
    /// it offers one of them if it can; then the others, so that its refusal can name what it offered.
    /// RSA never with SHA-1.
    pub(crate) fn algorithms(&self, host: &AllowedHost) -> Vec<Algorithm> {
        let name = name(host);
        let known: Vec<_> = self
            .0
            .iter()
            .filter(|entry| entry.marker().is_none() && matches(entry, &name))
            .map(|entry| entry.public_key().algorithm())
            .collect();
        let mut algorithms: Vec<_> = russh::Preferred::DEFAULT.key.iter().cloned().collect();
        algorithms.retain(|algorithm| *algorithm != Algorithm::Rsa { hash: None });
        algorithms.sort_by_key(|algorithm| !known.contains(&without_hash(algorithm)));
        algorithms
    }
}

/// The host as `known_hosts` names it.
pub(crate) fn name(host: &AllowedHost) -> String {
    let name = host.ssh_name();
    if host.port == 22 { name.to_owned() } else { format!("[{name}]:{}", host.port) }
}

/// A key's fingerprint as `ssh-keygen -l` shows it.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn parse(text: &str) -> Result<Vec<Entry>, KnownHostsError> {
    let lines = text.lines().map(str::trim).zip(1..);
    lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')).map(|(text, line)| entry(text, line)).collect()
}

fn entry(text: &str, line: usize) -> Result<Entry, KnownHostsError> {
    // OpenSSH takes any white space between the fields, the parser a single space.
    let fields: Vec<_> = text.split_whitespace().collect();
    let entry: Entry = fields.join(" ").parse().map_err(|source| KnownHostsError::Malformed { line, source })?;
    if entry.marker() == Some(&Marker::CertAuthority) {
        return Err(KnownHostsError::CertificateAuthority { line });
    }
    Ok(entry)
}

fn without_hash(algorithm: &Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::Rsa { .. } => Algorithm::Rsa { hash: None },
        other => other.clone(),
    }
}

fn matches(entry: &Entry, name: &str) -> bool {
    match entry.host_patterns() {
        HostPatterns::HashedName { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
            .is_ok_and(|hmac| hmac.chain_update(name.as_bytes()).verify_slice(hash).is_ok()),
        HostPatterns::Patterns(patterns) => {
            let negated = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!'));
            let mut plain = patterns.iter().filter(|pattern| !pattern.starts_with('!'));
            !negated.into_iter().any(|pattern| glob(pattern, name)) && plain.any(|pattern| glob(pattern, name))
        }
    }
}

/// Compares without regard to case; `*` stands for any text, `?` for one character.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut rest) = (pattern, name);
    // Where the last `*` stood and what it has not swallowed yet: one step back suffices.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        match (at.split_first(), rest.split_first()) {
            (Some((b'*', after)), _) => {
                star = Some((after, rest));
                at = after;
            }
            (Some((p, after)), Some((n, others))) if *p == b'?' || p.eq_ignore_ascii_case(n) => {
                (at, rest) = (after, others);
            }
            (None, None) => return true,
            _ => match star {
                Some((after, [_, others @ ..])) => {
                    star = Some((after, others));
                    (at, rest) = (after, others);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf";

    fn check(lines: &str, host: &str, expected: Verdict) {
        let verdict = KnownHosts::built_in_and(lines).unwrap().judge(&host.parse().unwrap(), &ONE.parse().unwrap());
        assert_eq!(verdict, expected, "{host} by {lines:?}");
    }

    #[test]
    fn the_built_in_keys_are_the_published_ones() {
        // https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints
        // https://docs.gitlab.com/user/gitlab_com/#ssh-host-keys-fingerprints
        // https://support.atlassian.com/bitbucket-cloud/docs/configure-ssh-and-two-step-verification/
        // https://learn.microsoft.com/en-us/azure/devops/repos/git/use-ssh-keys-to-authenticate
        // https://docs.codeberg.org/security/ssh-fingerprint/
        let entries = parse(BUILT_IN).unwrap();
        let fingerprints: Vec<_> = entries.iter().map(|entry| fingerprint(entry.public_key())).collect();
        assert_eq!(
            fingerprints,
            [
                "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
                "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
                "SHA256:uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s",
                "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
                "SHA256:HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw",
                "SHA256:ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ",
                "SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
                "SHA256:FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
                "SHA256:46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E",
                "SHA256:ohD8VZEXGWo6Ez8GSEJQ9WpafgLFsOfLOtGGQCQo6Og",
                "SHA256:mIlxA9k46MmM6qdJOdMnAQpzGxF4WIVVL+fj+wZbw0g",
                "SHA256:T9FYDEHELhVkulEKKwge5aVhVTbqCW0MIRwAfpARs/E",
                "SHA256:6QQmYi4ppFS4/+zSZ5S4IU+4sa6rwvQ4PbhCtPEBekQ",
            ]
        );
    }

    #[test]
    fn a_known_key_another_key_and_an_unknown_host() {
        check("", "github.com", Verdict::Known);
        check("", "gitlab.com", Verdict::Different);
        check("", "git.example.com", Verdict::Unknown);
        check(&format!("git.example.com {OTHER}"), "git.example.com", Verdict::Different);
        check(&format!("git.example.com {OTHER}\ngit.example.com {ONE}"), "git.example.com", Verdict::Known);
    }

    #[test]
    fn a_port_needs_its_own_line() {
        check(&format!("git.example.com {ONE}"), "git.example.com:7999", Verdict::Unknown);
        check(&format!("[git.example.com]:7999 {ONE}"), "git.example.com:7999", Verdict::Known);
        check(&format!("[git.example.com]:7999 {ONE}"), "git.example.com", Verdict::Unknown);
        check(&format!("[git.example.com]:7999 {ONE}"), "git.example.com:7998", Verdict::Unknown);
    }

    #[test]
    fn a_revoked_key_is_refused_whatever_else_stands_there() {
        check(&format!("@revoked github.com {ONE}"), "github.com", Verdict::Revoked);
        check(&format!("@revoked * {ONE}"), "github.com", Verdict::Revoked);
        check(&format!("@revoked github.com {OTHER}"), "github.com", Verdict::Known);
        check(&format!("@revoked git.example.com {OTHER}"), "git.example.com", Verdict::Unknown);
    }

    #[test]
    fn lists_wildcards_and_negations() {
        let wild = format!("*.example.com,!bad.example.com,10.0.?.1 {ONE}");
        check(&wild, "git.example.com", Verdict::Known);
        check(&wild, "GIT.EXAMPLE.COM", Verdict::Known);
        check(&wild, "bad.example.com", Verdict::Unknown);
        check(&wild, "example.com", Verdict::Unknown);
        check(&wild, "10.0.7.1", Verdict::Known);
        check(&wild, "10.0.77.1", Verdict::Unknown);
    }

    #[test]
    fn hashed_names() {
        // From the tests of russh: `example.com`, hashed by ssh-keygen -H.
        let hashed = "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak=";
        check(&format!("{hashed} {ONE}"), "example.com", Verdict::Known);
        check(&format!("{hashed} {OTHER}"), "example.com", Verdict::Different);
        check(&format!("{hashed} {ONE}"), "example.org", Verdict::Unknown);
    }

    #[test]
    fn comments_tabs_and_windows_line_ends() {
        check(
            &format!("# a comment\r\n\r\n\tgit.example.com\t{ONE} someone@somewhere\r\n"),
            "git.example.com",
            Verdict::Known,
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, line) in [
            ("git.example.com", 1),
            ("\n\ngit.example.com ssh-ed25519 AAAA", 3),
            ("# fine\n@nonsense git.example.com ssh-ed25519 AAAA", 2),
            ("|1|x git.example.com", 1),
        ] {
            let error = KnownHosts::built_in_and(text).unwrap_err();
            assert_eq!(error.to_string(), format!("line {line} of KnownHosts is not `host key-type key`"));
        }
        let error = KnownHosts::built_in_and(&format!("@cert-authority * {ONE}")).unwrap_err();
        assert_eq!(error.to_string(), "line 1 of KnownHosts has @cert-authority, which is not supported");
    }

    #[test]
    fn the_known_kinds_come_first_and_sha_1_never() {
        let first = |host: &str| {
            let algorithms = KnownHosts::built_in_and("").unwrap().algorithms(&host.parse().unwrap());
            assert!(!algorithms.contains(&Algorithm::Rsa { hash: None }));
            assert_eq!(algorithms.len(), 6);
            algorithms.into_iter().next().unwrap()
        };
        assert_eq!(first("github.com"), Algorithm::Ed25519);
        assert_eq!(first("ssh.dev.azure.com"), Algorithm::Rsa { hash: Some(HashAlg::Sha512) });
    }

    proptest! {
        #[test]
        fn foreign_lines_never_panic_and_never_vouch_for_github(text in "[ -~\n\t]{0,200}") {
            if let Ok(hosts) = KnownHosts::built_in_and(&text) {
                prop_assert_eq!(hosts.judge(&"github.com".parse().unwrap(), &OTHER.parse().unwrap()), Verdict::Different);
            }
        }

        #[test]
        fn globs_agree_with_the_obvious_definition(pattern in "[ab*?]{0,6}", name in "[ab]{0,6}") {
            fn obvious(pattern: &[u8], name: &[u8]) -> bool {
                match (pattern, name) {
                    ([], []) => true,
                    ([b'*', after @ ..], _) if obvious(after, name) => true,
                    ([b'*', ..], [_, rest @ ..]) => obvious(pattern, rest),
                    ([p, after @ ..], [n, rest @ ..]) => (*p == b'?' || p == n) && obvious(after, rest),
                    _ => false,
                }
            }
            prop_assert_eq!(glob(&pattern, &name), obvious(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
