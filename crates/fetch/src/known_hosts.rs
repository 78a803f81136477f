//! The host keys that are trusted. Without this check, a man in the middle could serve any tree
//! under a repository's name.
//!
//! The format is OpenSSH's
//! [`known_hosts`](https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT), including hashed
//! names, wildcards, negations and `@revoked`. A port other than 22 needs a line for `[host]:port`.

use std::sync::Arc;

use contract::{AllowedHost, allowed_host::SshAddress};
use hmac::{Hmac, KeyInit, Mac};
pub use known_hosts_file::KnownHostsError;
use russh::keys::ssh_key::{
    Algorithm, HashAlg, PublicKey,
    known_hosts::{Entry, HostPatterns, Marker},
};
use sha1::Sha1;

/// The keys of the large providers, each compared with the published fingerprints. Their
/// alternative names on port 443, for firewalls, use the same keys.
const BUILT_IN: &str = include_str!("known_hosts");

/// The keys of hosts.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    entries: Arc<[Entry]>,
    /// Hosts with a revoked key that couldn't be parsed: none of their keys is trusted.
    distrusted: Arc<[HostPatterns]>,
}

/// The result of checking a host's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is a key of the host.
    Known,
    /// The host has other keys.
    Different,
    /// No line names the host.
    Unknown,
    /// A line revokes it.
    Revoked,
}

impl KnownHosts {
    /// The keys of github.com, gitlab.com, bitbucket.org, ssh.dev.azure.com and codeberg.org, and
    /// the lines of `extra`. Empty lines and comments are allowed.
    ///
    /// A line is unusable.
    pub fn built_in_and(extra: &str) -> Result<Self, KnownHostsError> {
        let entries = known_hosts_file::read(BUILT_IN).chain(known_hosts_file::read(extra));
        Ok(Self { entries: entries.collect::<Result<_, _>>()?, distrusted: Arc::default() })
    }

    /// The same with only the usable lines of `extra`, and the errors of the others: one host's
    /// line must not affect other hosts. If a line revokes a key that can't be parsed, its hosts
    /// aren't trusted at all.
    ///
    /// # Errors
    /// A line revokes a key, and neither the key nor its hosts can be parsed.
    pub fn built_in_and_usable(extra: &str) -> Result<(Self, Vec<KnownHostsError>), KnownHostsError> {
        let mut entries = known_hosts_file::read(BUILT_IN).collect::<Result<Vec<_>, _>>()?;
        let (mut distrusted, mut unusable) = (Vec::new(), Vec::new());
        for line in known_hosts_file::read(extra) {
            match line {
                Ok(entry) => entries.push(entry),
                Err(KnownHostsError::Revocation { hosts: None, line, source }) => {
                    return Err(KnownHostsError::Revocation { hosts: None, line, source });
                }
                Err(error) => {
                    if let KnownHostsError::Revocation { hosts: Some(hosts), .. } = &error {
                        distrusted.push(HostPatterns::clone(hosts));
                    }
                    unusable.push(error);
                }
            }
        }
        Ok((Self { entries: entries.into(), distrusted: distrusted.into() }, unusable))
    }

    /// Checks a key that a host offered.
    pub fn check(&self, host: &AllowedHost, key: &PublicKey) -> Verdict {
        let name = name(host);
        let revoked = |entry: &&Entry| entry.marker() == Some(&Marker::Revoked);
        let same = |entry: &Entry| entry.public_key().key_data() == key.key_data();
        let (refused, trusted): (Vec<_>, Vec<_>) =
            self.entries.iter().filter(|entry| matches(entry.host_patterns(), &name)).partition(revoked);
        let is_distrusted = self.distrusted.iter().any(|hosts| matches(hosts, &name));
        if is_distrusted || refused.into_iter().any(same) {
            Verdict::Revoked
        } else if trusted.is_empty() {
            Verdict::Unknown
        } else if trusted.into_iter().any(same) {
            Verdict::Known
        } else {
            Verdict::Different
        }
    }

    /// The host key algorithms to request: first those with a known key of the host, so that it
    /// offers one of them if it can, then the others, so that its refusal can name its offer. Never
    /// RSA with SHA-1.
    pub(crate) fn algorithms(&self, host: &AllowedHost) -> Vec<Algorithm> {
        let name = name(host);
        let known: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| entry.marker().is_none() && matches(entry.host_patterns(), &name))
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
    let SshAddress { host: name, port, .. } = &host.ssh;
    if *port == 22 { name.to_string() } else { format!("[{name}]:{port}") }
}

/// A key's fingerprint as `ssh-keygen -l` shows it.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn without_hash(algorithm: &Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::Rsa { .. } => Algorithm::Rsa { hash: None },
        other => other.clone(),
    }
}

fn matches(hosts: &HostPatterns, name: &str) -> bool {
    match hosts {
        HostPatterns::HashedName { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
            .is_ok_and(|hmac| hmac.chain_update(name.as_bytes()).verify_slice(hash).is_ok()),
        HostPatterns::Patterns(patterns) => {
            let negated = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!'));
            let mut plain = patterns.iter().filter(|pattern| !pattern.starts_with('!'));
            !negated.into_iter().any(|pattern| glob(pattern, name)) && plain.any(|pattern| glob(pattern, name))
        }
    }
}

/// Ignores case. `*` matches any text, `?` one character.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut rest) = (pattern, name);
    // The position of the last `*` and the text that it hasn't consumed: backtracking to the last
    // one is enough.
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
        let verdict = KnownHosts::built_in_and(lines).unwrap().check(&host.parse().unwrap(), &ONE.parse().unwrap());
        assert_eq!(verdict, expected, "{host} by {lines:?}");
    }

    #[test]
    fn firewall_port_has_host_keys() {
        check("", "github.com ssh=ssh.github.com:443", Verdict::Known);
        check("", "github.com ssh=ssh.github.com", Verdict::Unknown);
        check("", "gitlab.com ssh=altssh.gitlab.com:443", Verdict::Different);
        check("", "bitbucket.org ssh=altssh.bitbucket.org:443", Verdict::Different);
    }

    #[test]
    fn builtin_keys_match_published_fingerprints() {
        // https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints
        // https://docs.gitlab.com/user/gitlab_com/#ssh-host-keys-fingerprints
        // https://support.atlassian.com/bitbucket-cloud/docs/configure-ssh-and-two-step-verification/
        // https://learn.microsoft.com/en-us/azure/devops/repos/git/use-ssh-keys-to-authenticate
        // https://docs.codeberg.org/security/ssh-fingerprint/
        let entries: Vec<_> = known_hosts_file::read(BUILT_IN).map(Result::unwrap).collect();
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
    fn host_key_verdict_matches_known_hosts() {
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
    fn revoked_key_is_always_refused() {
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
    fn hashed_host_names_match() {
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
    fn unusable_line_spares_other_hosts() {
        let text = format!("broken.example ssh-ed25519 AAAA\n@cert-authority * {ONE}\ngit.example {ONE}");
        let (known, unusable) = KnownHosts::built_in_and_usable(&text).unwrap();
        let lines: Vec<_> = unusable.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("line 1 ") && lines[1].starts_with("line 2 "), "{lines:?}");
        let verdict = |host: &str| known.check(&host.parse().unwrap(), &ONE.parse().unwrap());
        assert_eq!((verdict("git.example"), verdict("broken.example")), (Verdict::Known, Verdict::Unknown));
    }

    #[test]
    fn unreadable_revocation_distrusts_its_hosts() {
        let text = format!("git.example,other.example {ONE}\n@revoked git.example ssh-ed25519 AAAA");
        let (known, unusable) = KnownHosts::built_in_and_usable(&text).unwrap();
        assert_eq!(unusable.len(), 1);
        let verdict = |host: &str| known.check(&host.parse().unwrap(), &ONE.parse().unwrap());
        assert_eq!((verdict("git.example"), verdict("other.example")), (Verdict::Revoked, Verdict::Known));
        for of_nobody in ["@revoked", "@revoked |1|x ssh-ed25519 AAAA"] {
            assert!(KnownHosts::built_in_and_usable(of_nobody).is_err(), "{of_nobody}");
        }
    }

    #[test]
    fn known_algorithms_lead_without_sha1() {
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
        fn other_lines_never_vouch_for_github(text in "[ -~\n\t]{0,200}") {
            if let Ok(hosts) = KnownHosts::built_in_and(&text) {
                prop_assert_eq!(hosts.check(&"github.com".parse().unwrap(), &OTHER.parse().unwrap()), Verdict::Different);
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
