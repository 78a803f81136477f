//! Keys as ssh-keygen makes them; it is also the oracle of their fingerprints.

use std::{fs, process::Command};

use fetch::{PrivateKey, PrivateKeyError};

use crate::host;

#[test]
fn debug_shows_the_fingerprint_and_no_more() {
    let temp = tempfile::tempdir().unwrap();
    for kind in ["ed25519", "rsa"] {
        let path = temp.path().join(kind);
        host::generate_key(&path, kind);
        let expected = host::fingerprint(&path.with_extension("pub"));
        assert_eq!(format!("{:?}", host::private_key(&path)), format!("PrivateKey({expected})"));
    }
}

#[test]
fn keys_of_other_kinds_and_with_a_passphrase_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let read = |kind: &str, passphrase: &str| {
        let path = temp.path().join(kind);
        let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(&path).status();
        assert!(made.unwrap().success());
        PrivateKey::from_openssh(&fs::read_to_string(path).unwrap().into()).unwrap_err()
    };
    assert!(matches!(read("ed25519", "a passphrase"), PrivateKeyError::Passphrase));
    let PrivateKeyError::Unsupported(kind) = read("ecdsa", "") else { panic!("ECDSA is taken") };
    assert_eq!(kind, "ecdsa-sha2-nistp256");
}
