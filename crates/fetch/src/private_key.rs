//! The stack's SSH key. It is secret, so it can't be printed.

use std::{fmt, sync::Arc};

use russh::{
    client::{Handle, Handler},
    keys::{
        HashAlg, PrivateKeyWithHashAlg,
        ssh_key::{
            self, Fingerprint,
            private::{Ed25519Keypair, KeypairData},
        },
    },
};
use secrecy::{ExposeSecret, SecretString};

use crate::rsa::{NotSigned, RsaKey};

/// A private key: Ed25519, or RSA with at least 2,048 bits (signed with SHA-2, never with SHA-1).
#[derive(Clone)]
pub struct PrivateKey {
    kind: Kind,
    fingerprint: Fingerprint,
}

/// The signing key.
#[derive(Clone)]
enum Kind {
    /// Its memory is zeroed when the last copy is dropped.
    Ed25519(Arc<Ed25519Keypair>),
    Rsa(Arc<RsaKey>),
}

/// Why a text is not a [`PrivateKey`].
#[derive(Debug, thiserror::Error)]
pub enum PrivateKeyError {
    /// It isn't a key in OpenSSH's own format (`-----BEGIN OPENSSH PRIVATE KEY-----`).
    #[error("the private key is not in OpenSSH's format")]
    Malformed(#[source] ssh_key::Error),
    /// It is encrypted with a passphrase, which is unknown.
    #[error("the private key is encrypted with a passphrase")]
    Passphrase,
    /// It is of an unsupported type.
    #[error("the private key is of type {0}, expected ssh-ed25519 or ssh-rsa")]
    Unsupported(String),
    /// It is an RSA key of an unsupported length, or its numbers are inconsistent.
    #[error("the RSA key of {bits} bits can't sign ({reason}), expected one of 2048, 3072 or 4096 bits")]
    Rsa {
        /// The length of its modulus.
        bits: u32,
        /// The cause.
        reason: String,
    },
}

impl PrivateKey {
    /// Reads a key in
    /// [OpenSSH's format](https://cvsweb.openbsd.org/src/usr.bin/ssh/PROTOCOL.key?annotate=HEAD).
    pub fn from_openssh(text: &SecretString) -> Result<Self, PrivateKeyError> {
        let key = ssh_key::PrivateKey::from_openssh(text.expose_secret()).map_err(PrivateKeyError::Malformed)?;
        let kind = match key.key_data() {
            KeypairData::Ed25519(pair) => Kind::Ed25519(Arc::new(pair.clone())),
            KeypairData::Rsa(pair) => {
                let key = RsaKey::from_openssh(pair);
                Kind::Rsa(Arc::new(key.map_err(|reason| PrivateKeyError::Rsa { bits: pair.key_size(), reason })?))
            }
            _ if key.is_encrypted() => return Err(PrivateKeyError::Passphrase),
            _ => return Err(PrivateKeyError::Unsupported(key.algorithm().to_string())),
        };
        Ok(Self { kind, fingerprint: key.fingerprint(HashAlg::Sha256) })
    }

    /// The fingerprint of its public key, as providers show it: `SHA256:...`.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.to_string()
    }

    /// Authenticates a session. Returns whether the host accepts the key.
    pub(crate) async fn log_in<H: Handler>(&self, session: &mut Handle<H>, user: &str) -> Result<bool, russh::Error> {
        match &self.kind {
            Kind::Ed25519(pair) => {
                let key = ssh_key::PrivateKey::from(Ed25519Keypair::clone(pair));
                let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
                Ok(session.authenticate_publickey(user, key).await?.success())
            }
            Kind::Rsa(key) => {
                // RSA signs only with SHA-2 (RFC 8332). What a server announces and what it accepts
                // may differ, so both hashes are tried.
                for hash in [HashAlg::Sha512, HashAlg::Sha256] {
                    let public = key.public().clone();
                    let answer = session.authenticate_publickey_with(user, public, Some(hash), &mut key.as_ref()).await;
                    if answer.map_err(|NotSigned(error)| error)?.success() {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
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
    fn malformed_key_text_is_not_repeated() {
        for text in ["", "hunter2", "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n"]
        {
            let error = PrivateKey::from_openssh(&text.into()).unwrap_err();
            assert!(matches!(error, PrivateKeyError::Malformed(_)));
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}
