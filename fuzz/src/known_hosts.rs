//! Lines of `known_hosts`: whatever they are, only keys in them are trusted for a provider.

use contract::AllowedHost;
use fetch::{KnownHosts, KnownHostsError, Verdict};
use russh::keys::ssh_key::PublicKey;

/// GitHub's key.
const GITHUB: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
/// Another key.
const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf";

/// The input is the text.
pub fn known_hosts(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let hosts = match KnownHosts::built_in_and(&text) {
        Ok(hosts) => hosts,
        Err(
            KnownHostsError::Malformed { line, .. }
            | KnownHostsError::CertificateAuthority { line }
            | KnownHostsError::Revocation { line, .. },
        ) => {
            assert!((1..=text.lines().count()).contains(&line), "{line}");
            let Ok((usable, unusable)) = KnownHosts::built_in_and_usable(&text) else {
                assert!(text.contains("@revoked"), "no line can be used");
                return;
            };
            assert!(!unusable.is_empty());
            usable
        }
    };
    let (github, other): (PublicKey, PublicKey) =
        (GITHUB.parse().unwrap(), format!("ssh-ed25519 {OTHER}").parse().unwrap());
    let verdict = |host: &str, key: &PublicKey| hosts.check(&host.parse::<AllowedHost>().unwrap(), key);
    assert!(matches!(verdict("github.com", &github), Verdict::Known | Verdict::Revoked));
    for host in ["github.com", "git.example", "git.example:7999", "127.0.0.1:2222"] {
        if verdict(host, &other) == Verdict::Known {
            assert!(text.contains(OTHER), "{host} is believed");
        }
        if verdict(host, &other) == Verdict::Revoked {
            assert!(text.contains("@revoked"), "{host}'s key is revoked by nobody");
        }
    }
    let spaced = text.lines().fold("\n# a comment\n".to_owned(), |all, line| format!("{all}\t{line} \r\n\n"));
    let (same, _) = KnownHosts::built_in_and_usable(&spaced).unwrap();
    let host = "git.example".parse().unwrap();
    assert_eq!(same.check(&host, &other), hosts.check(&host, &other));
}
