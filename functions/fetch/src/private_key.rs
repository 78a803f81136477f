//! The key that we prove ourselves with. It is a secret, so it can't be printed.

use std::{fmt, sync::Arc};

use russh::keys::{HashAlg, PrivateKeyWithHashAlg, ssh_key};
use secrecy::{ExposeSecret, SecretString};

/// A private key: Ed25519, or RSA with at least 2,048 bits (signed with SHA-2, never with SHA-1).
///
/// Its memory is zeroed when the last copy goes.
#[derive(Clone)]
pub struct PrivateKey(Arc<ssh_key::PrivateKey>);

/// Why a text is not a [`PrivateKey`].
#[derive(Debug, thiserror::Error)]
pub enum PrivateKeyError {
    /// It isn't a key in OpenSSH's own format (`-----BEGIN OPENSSH PRIVATE KEY-----`).
    #[error("the private key is not in OpenSSH's format")]
    Malformed(#[source] ssh_key::Error),
    /// It needs a passphrase, which nobody is there to type.
    #[error("the private key is encrypted with a passphrase")]
    Passphrase,
    /// It is of a kind that isn't made here.
    #[error("the private key is of type {0}, expected ssh-ed25519 or ssh-rsa")]
    Unsupported(String),
}

impl PrivateKey {
    /// Reads a key in
    /// [OpenSSH's format](https://cvsweb.openbsd.org/src/usr.bin/ssh/PROTOCOL.key?annotate=HEAD).
    pub fn from_openssh(text: &SecretString) -> Result<Self, PrivateKeyError> {
        let key = ssh_key::PrivateKey::from_openssh(text.expose_secret()).map_err(PrivateKeyError::Malformed)?;
        if key.is_encrypted() {
            return Err(PrivateKeyError::Passphrase);
        }
        match key.algorithm() {
            ssh_key::Algorithm::Ed25519 | ssh_key::Algorithm::Rsa { .. } => Ok(Self(Arc::new(key))),
            other => Err(PrivateKeyError::Unsupported(other.to_string())),
        }
    }

    /// The fingerprint of its public half, as providers show it: `SHA256:...`.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Whether it signs with a hash of its own choice, which the server has to support.
    pub(crate) fn is_rsa(&self) -> bool {
        matches!(self.0.algorithm(), ssh_key::Algorithm::Rsa { .. })
    }

    pub(crate) fn signing_with(&self, hash: Option<HashAlg>) -> PrivateKeyWithHashAlg {
        PrivateKeyWithHashAlg::new(Arc::clone(&self.0), hash)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_key_is_not_repeated() {
        for text in ["", "hunter2", "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n"]
        {
            let error = PrivateKey::from_openssh(&text.into()).unwrap_err();
            assert!(matches!(error, PrivateKeyError::Malformed(_)));
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}
