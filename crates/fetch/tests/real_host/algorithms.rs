//! SSH servers with few algorithms: in FIPS mode, hardened, and old.

use fetch::FetchError;

use crate::host::{Setup, SshHost};

const MAIN: &str = "refs/heads/main";

/// The offers of servers, by their type of host key.
const SERVERS: [(&str, &str); 10] = [
    // FIPS: only NIST curves and AES.
    ("ecdsa", "KexAlgorithms ecdh-sha2-nistp256,ecdh-sha2-nistp384\nCiphers aes128-gcm@openssh.com"),
    ("ed25519", "KexAlgorithms ecdh-sha2-nistp256"),
    ("ed25519", "KexAlgorithms ecdh-sha2-nistp384"),
    ("ed25519", "KexAlgorithms ecdh-sha2-nistp521"),
    ("rsa", "KexAlgorithms diffie-hellman-group-exchange-sha256\nHostKeyAlgorithms rsa-sha2-512"),
    ("rsa", "KexAlgorithms diffie-hellman-group14-sha256\nHostKeyAlgorithms rsa-sha2-256"),
    ("ed25519", "KexAlgorithms diffie-hellman-group16-sha512\nCiphers aes256-gcm@openssh.com"),
    ("ed25519", "Ciphers aes128-ctr\nMACs hmac-sha2-256"),
    ("ed25519", "Ciphers aes192-ctr\nMACs hmac-sha2-512-etm@openssh.com"),
    ("ed25519", "Ciphers chacha20-poly1305@openssh.com\nKexAlgorithms curve25519-sha256@libssh.org"),
];

#[tokio::test]
async fn every_server_with_safe_algorithms_works() {
    for (host_key, settings) in SERVERS {
        let host = SshHost::start_as(&Setup { host_key, settings, ..Setup::default() });
        let commit = host.repository().commit("main", &[("a", b"1".to_vec())]);
        assert_eq!(host.fetch(MAIN).await.commit.to_string(), commit, "{settings}");
    }
}

#[tokio::test]
async fn unsafe_server_offer_is_reported() {
    for (settings, expected) in [
        (
            "KexAlgorithms diffie-hellman-group14-sha1",
            "no supported key exchange (KexAlgorithms), only diffie-hellman-group14-sha1",
        ),
        ("Ciphers aes256-cbc,3des-cbc", "no supported cipher (Ciphers), only aes256-cbc, 3des-cbc"),
        ("Ciphers aes128-ctr\nMACs hmac-sha1", "no supported message authentication (MACs), only hmac-sha1"),
    ] {
        let host = SshHost::start_as(&Setup { settings, ..Setup::default() });
        host.repository().commit("main", &[("a", b"1".to_vec())]);
        let error = host.try_fetch(MAIN).await.unwrap_err();
        assert!(matches!(error, FetchError::NoCommonAlgorithm { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
