//! The algorithms offered to SSH servers: everything in russh that is considered safe, so that
//! servers in FIPS mode, which support only NIST curves and AES, and hardened ones find a match.
//! russh's default lacks these curves, and AES-GCM with 128 bits.
//!
//! Sources: the [lists of Mozilla and OpenSSH](https://infosec.mozilla.org/guidelines/openssh), and
//! [RFC 9142](https://www.rfc-editor.org/rfc/rfc9142) for key exchange: nothing with SHA-1, no
//! groups of 1,024 bits.

use std::borrow::Cow;

use russh::{AlgorithmKind, Preferred, cipher, kex, keys::Algorithm};

/// The fastest undisputed ones first.
const KEY_EXCHANGE: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G18_SHA512,
    kex::DH_G17_SHA512,
    kex::DH_G16_SHA512,
    kex::DH_G15_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

/// Neither CBC nor 3DES.
const CIPHERS: &[cipher::Name] = &[
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// The algorithms offered to a server, with these host key types in order of preference.
pub(crate) fn offered(host_keys: Vec<Algorithm>) -> Preferred {
    Preferred {
        kex: Cow::Borrowed(KEY_EXCHANGE),
        key: host_keys.into(),
        cipher: Cow::Borrowed(CIPHERS),
        ..Preferred::DEFAULT
    }
}

/// The name of OpenSSH's setting for a kind of algorithm.
pub(crate) fn name(kind: &AlgorithmKind) -> &'static str {
    match kind {
        AlgorithmKind::Kex => "key exchange (KexAlgorithms)",
        AlgorithmKind::Key => "kind of host key (HostKeyAlgorithms)",
        AlgorithmKind::Cipher => "cipher (Ciphers)",
        AlgorithmKind::Compression => "compression (Compression)",
        AlgorithmKind::Mac => "message authentication (MACs)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All offered algorithms, by name.
    fn names() -> Vec<String> {
        let offered = offered(Vec::new());
        let names = offered.kex.iter().map(AsRef::<str>::as_ref);
        let names = names.chain(offered.cipher.iter().map(AsRef::as_ref)).chain(offered.mac.iter().map(AsRef::as_ref));
        names.map(str::to_owned).collect()
    }

    #[test]
    fn broken_algorithms_are_never_offered() {
        for name in names() {
            for broken in ["sha1", "cbc", "3des", "group1-", "none", "clear", "md5"] {
                assert!(!name.contains(broken), "{name}");
            }
        }
    }

    #[test]
    fn the_runbook_lists_what_is_offered() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/runbook.md")).unwrap();
        let (_, listed) = page.split_once("## What is spoken with SSH servers").unwrap();
        let is_algorithm = |name: &String| !name.starts_with("ext-info") && !name.starts_with("kex-strict");
        for name in names().into_iter().filter(is_algorithm) {
            assert!(listed.contains(&format!("`{name}`")), "{name}");
        }
    }
}
