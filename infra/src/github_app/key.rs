//! An App's private key on its way from the host to KMS: in memory only, and wiped there.
//!
//! The host gives it as PKCS#1 in PEM. KMS takes PKCS#8 in DER, [wrapped][aws] with an AES key (RFC
//! 5649) that is encrypted with KMS's own RSA key.
//!
//! [aws]: https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-encrypt-key-material.html

use aes_kw::{KeyInit as _, KwpAes256};
use aws_sdk_kms::types::KeySpec;
use rsa::{
    Oaep, RsaPrivateKey, RsaPublicKey,
    pkcs1::DecodeRsaPrivateKey as _,
    pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _},
    traits::PublicKeyParts as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The first bytes of a wrapped key, and how much its length is rounded up to: 64 bits.
const BLOCK: usize = 8;

/// Why a private key can't be imported. No message quotes it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It isn't a private key in PEM.
    #[error("this is not an RSA private key in PEM, as GitHub gives it")]
    Format,
    /// Its length isn't one that KMS has.
    #[error("the private key has {0} bits, which KMS does not take")]
    Bits(usize),
    /// The public key to wrap it with is none.
    #[error("KMS gave a wrapping key that can't be used")]
    WrappingKey,
}

/// An App's private key.
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    spec: KeySpec,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl PrivateKey {
    /// Parses PKCS#1 or PKCS#8 in PEM.
    ///
    /// # Errors
    /// It is neither, or of a length that KMS doesn't have.
    pub fn parse(pem: &SecretString) -> Result<Self, KeyError> {
        let pem = pem.expose_secret().trim();
        let key = RsaPrivateKey::from_pkcs1_pem(pem).ok().or_else(|| RsaPrivateKey::from_pkcs8_pem(pem).ok());
        let key = key.ok_or(KeyError::Format)?;
        let spec = match key.n().bit_width() {
            2048 => KeySpec::Rsa2048,
            3072 => KeySpec::Rsa3072,
            4096 => KeySpec::Rsa4096,
            bits => return Err(KeyError::Bits(bits as usize)),
        };
        let pkcs8 = key.to_pkcs8_der().map_err(|_| KeyError::Format)?;
        Ok(Self { pkcs8: Zeroizing::new(pkcs8.as_bytes().to_vec()), spec })
    }

    /// What KMS calls its kind.
    pub fn spec(&self) -> KeySpec {
        self.spec.clone()
    }

    /// The key for KMS alone: `RSA_AES_KEY_WRAP_SHA_256` with this public key (DER).
    ///
    /// # Errors
    /// The public key can't be used.
    pub fn wrapped(&self, public: &[u8]) -> Result<Vec<u8>, KeyError> {
        let public = RsaPublicKey::from_public_key_der(public).map_err(|_| KeyError::WrappingKey)?;
        let aes: Zeroizing<[u8; 32]> = Zeroizing::new(rand::random());
        let padding = Oaep::<Sha256>::new();
        let mut wrapped =
            public.encrypt(&mut rand::rng(), padding, aes.as_slice()).map_err(|_| KeyError::WrappingKey)?;
        let mut buffer = vec![0; self.pkcs8.len().next_multiple_of(BLOCK) + BLOCK];
        let cipher = KwpAes256::new_from_slice(aes.as_slice()).map_err(|_| KeyError::WrappingKey)?;
        let material = cipher.wrap_key(&self.pkcs8, &mut buffer).map_err(|_| KeyError::WrappingKey)?;
        wrapped.extend_from_slice(material);
        Ok(wrapped)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn openssl(arguments: &[&str]) -> SecretString {
        let output = Command::new("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().into()
    }

    #[test]
    fn both_forms_of_openssl_are_read() {
        for (arguments, spec) in [
            (&["genrsa", "-traditional", "2048"][..], KeySpec::Rsa2048),
            (&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], KeySpec::Rsa3072),
        ] {
            let key = PrivateKey::parse(&openssl(arguments)).unwrap();
            assert_eq!(key.spec(), spec);
            assert_eq!(format!("{key:?}"), format!("PrivateKey {{ spec: {spec:?}, .. }}"));
        }
    }

    #[test]
    fn other_keys_are_refused() {
        let check = |pem: &SecretString, expected: &str| {
            assert_eq!(PrivateKey::parse(pem).unwrap_err().to_string(), expected);
        };
        let none = "this is not an RSA private key in PEM, as GitHub gives it";
        check(&"hunter2".into(), none);
        check(&openssl(&["genpkey", "-algorithm", "ED25519"]), none);
        check(&openssl(&["genrsa", "-traditional", "1024"]), "the private key has 1024 bits, which KMS does not take");
        let key = PrivateKey::parse(&openssl(&["genrsa", "-traditional", "2048"])).unwrap();
        assert!(matches!(key.wrapped(b"no key"), Err(KeyError::WrappingKey)));
    }

    #[test]
    fn wrapped_key_is_of_its_length() {
        let key = PrivateKey::parse(&openssl(&["genrsa", "-traditional", "2048"])).unwrap();
        let public = RsaPrivateKey::new(&mut rand::rng(), 2048).unwrap().to_public_key();
        let public = rsa::pkcs8::EncodePublicKey::to_public_key_der(&public).unwrap();
        let [one, other] = [(); 2].map(|()| key.wrapped(public.as_bytes()).unwrap());
        assert_eq!(one.len(), 256 + key.pkcs8.len().next_multiple_of(8) + 8);
        assert_ne!(one, other, "each has its own AES key");
    }
}
