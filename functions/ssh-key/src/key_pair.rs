//! Generates key pairs in OpenSSH's formats.

use contract::custom::KeyType;
use russh::keys::ssh_key::{
    self, LineEnding, PrivateKey,
    private::{Ed25519Keypair, KeypairData, RsaKeypair},
};
use secrecy::SecretString;

/// Azure DevOps requires this length of RSA keys, and no provider refuses it.
const RSA_BITS: usize = 4096;

/// A new SSH key.
#[derive(Debug)]
pub(crate) struct KeyPair {
    /// The private key as OpenSSH's `openssh-key-v1` in PEM, without a passphrase: KMS encrypts it.
    pub(crate) private: SecretString,
    /// The public key as a line of `authorized_keys`.
    pub(crate) public: String,
}

/// Why there is no key pair.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GenerateError {
    #[error("could not generate the key pair")]
    Failed(#[source] ssh_key::Error),
    #[error("generating the key pair was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl KeyPair {
    /// Generates a key pair on a thread of its own: RSA takes seconds of CPU time.
    pub(crate) async fn generate(key_type: KeyType, comment: String) -> Result<Self, GenerateError> {
        let pair = tokio::task::spawn_blocking(move || Self::generate_here(key_type, &comment)).await;
        pair.map_err(GenerateError::Interrupted)?.map_err(GenerateError::Failed)
    }

    fn generate_here(key_type: KeyType, comment: &str) -> Result<Self, ssh_key::Error> {
        let mut random = rand::rng();
        let data = match key_type {
            KeyType::Ed25519 => KeypairData::from(Ed25519Keypair::random(&mut random)),
            KeyType::Rsa => KeypairData::from(RsaKeypair::random(&mut random, RSA_BITS)?),
        };
        let key = PrivateKey::new(data, comment)?;
        let pem = key.to_openssh(LineEnding::LF)?;
        Ok(Self { private: SecretString::from(pem.as_str()), public: key.public_key().to_openssh()? })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::Path, process::Command};

    use secrecy::ExposeSecret;

    use super::*;

    fn ssh_keygen(arguments: &[&str], file: &Path) -> String {
        let output = Command::new("ssh-keygen").args(arguments).arg(file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn openssh_reads(key_type: KeyType, length_and_kind: (&str, &str)) {
        let pair = KeyPair::generate_here(key_type, "git2s3-demo").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, pair.private.expose_secret()).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(ssh_keygen(&["-y", "-P", "", "-f"], &file), pair.public);
        let listed = ssh_keygen(&["-l", "-f"], &file);
        assert!(listed.starts_with(length_and_kind.0) && listed.ends_with(length_and_kind.1), "{listed}");
        assert!(listed.contains("git2s3-demo"), "{listed}");
        // The most that KMS encrypts in one call:
        // https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
        assert!(pair.private.expose_secret().len() <= 4096);
    }

    #[test]
    fn openssh_reads_ed25519() {
        openssh_reads(KeyType::Ed25519, ("256 ", "(ED25519)"));
    }

    #[test]
    fn openssh_reads_rsa_of_4096_bits() {
        openssh_reads(KeyType::Rsa, ("4096 ", "(RSA)"));
    }

    #[test]
    fn key_pairs_are_unique_and_hidden() {
        let [one, other] = [(), ()].map(|()| KeyPair::generate_here(KeyType::Ed25519, "c").unwrap());
        assert_ne!(one.public, other.public);
        assert!(!format!("{one:?}").contains("PRIVATE"));
    }
}
