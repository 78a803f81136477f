//! Keys made by ssh-keygen, which also computes the expected fingerprints.

use std::{fs, process::Command};

use fetch::{PrivateKey, PrivateKeyError};

use crate::host;

#[test]
fn debug_shows_only_key_fingerprint() {
    let temp = tempfile::tempdir().unwrap();
    for kind in ["ed25519", "rsa"] {
        let path = temp.path().join(kind);
        host::generate_key(&path, kind);
        let expected = host::fingerprint(&path.with_extension("pub"));
        assert_eq!(format!("{:?}", host::private_key(&path)), format!("PrivateKey({expected})"));
    }
}

#[test]
fn unsupported_and_encrypted_keys_are_refused() {
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

#[test]
fn odd_length_rsa_key_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("key");
    host::generate_rsa_key(&path, "2560");
    let error = PrivateKey::from_openssh(&fs::read_to_string(path).unwrap().into()).unwrap_err();
    let expected = "the RSA key of 2560 bits can't sign (PrivateModulusLenNotMultipleOf512Bits), expected one of 2048, 3072 or 4096 bits";
    assert_eq!(error.to_string(), expected);
}
