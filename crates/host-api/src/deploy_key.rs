//! Deploy keys, compared by the key itself: comments and titles are for people, and hosts drop or
//! change them.

use std::{fmt, str::FromStr};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use sha2::{Digest as _, Sha256};

use crate::DeployKeyId;

/// A public SSH key without its comment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    algorithm: String,
    blob: String,
}

/// A text isn't a public SSH key.
#[derive(Debug, thiserror::Error)]
#[error("not a public SSH key: expected an algorithm and a key, as in `ssh-ed25519 AAAA…`")]
pub struct PublicKeyError;

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_ascii_whitespace();
        let (Some(algorithm), Some(blob)) = (words.next(), words.next()) else { return Err(PublicKeyError) };
        // The key begins with the length and the name of its algorithm.
        let bytes = STANDARD.decode(blob).map_err(|_| PublicKeyError)?;
        let named = bytes.get(4..).and_then(|rest| rest.get(..algorithm.len()));
        let is_whole = named.is_some_and(|named| named == algorithm.as_bytes());
        if is_whole { Ok(Self { algorithm: algorithm.to_owned(), blob: blob.to_owned() }) } else { Err(PublicKeyError) }
    }
}

impl PublicKey {
    /// The fingerprint as OpenSSH and the hosts show it: `SHA256:...`.
    pub fn fingerprint(&self) -> String {
        let bytes = STANDARD.decode(&self.blob).unwrap_or_default();
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(bytes)))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.blob)
    }
}

/// What the owner of a deploy key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Fetch.
    Read,
    /// Fetch and push: more than git2s3 needs.
    Write,
}

/// A deploy key of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployKey {
    /// The host's identifier.
    pub id: DeployKeyId,
    /// Its title or label.
    pub title: String,
    /// The key.
    pub key: PublicKey,
    /// What it permits.
    pub access: Access,
    /// Whether the host accepts it. GitHub disables existing keys when an organisation forbids
    /// deploy keys.
    pub is_enabled: bool,
}

/// A deploy key to add. It permits only to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDeployKey {
    /// The title shown at the host.
    pub title: String,
    /// The key.
    pub key: PublicKey,
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBb3Yp1Kf3Cq7e0w0bVJzDqgE3n6V1y5lq0l5vY3c9Xw";

    #[test]
    fn keys_are_equal_whatever_comment() {
        let key: PublicKey = KEY.parse().unwrap();
        assert_eq!(format!(" {KEY} git2s3 stack\n").parse::<PublicKey>().unwrap(), key);
        assert_eq!(key.to_string(), KEY);
    }

    #[test]
    fn fingerprint_is_that_of_openssh() {
        let mut keygen = Command::new("ssh-keygen")
            .args(["-l", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        keygen.stdin.take().unwrap().write_all(KEY.as_bytes()).unwrap();
        let told = String::from_utf8(keygen.wait_with_output().unwrap().stdout).unwrap();
        let fingerprint = KEY.parse::<PublicKey>().unwrap().fingerprint();
        assert!(told.contains(&fingerprint), "{told} {fingerprint}");
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-ed25519 !",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            &KEY.replace("ssh-ed25519", "ssh-rsa"),
        ] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
    }
}
