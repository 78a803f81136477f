//! RSA signatures by ring, which runs in constant time. The crate `rsa`, which `ssh_key` would use,
//! doesn't (RUSTSEC-2023-0071), so no RSA private key is kept in its format.

use crypto_bigint::{NonZero, U4096};
use ring::{
    rand::SystemRandom,
    rsa::{KeyPair, KeyPairComponents, PublicKeyComponents},
    signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding},
};
use russh::{
    SendError, Signer,
    keys::{
        HashAlg,
        agent::AgentIdentity,
        signature,
        ssh_encoding::Encode,
        ssh_key::{Algorithm, Mpint, PublicKey, Signature, private::RsaKeypair},
    },
};
use zeroize::Zeroizing;

/// A key pair for ring.
pub(crate) struct RsaKey {
    pair: KeyPair,
    public: PublicKey,
}

impl RsaKey {
    /// Converts a key from OpenSSH's format. The error is ring's.
    pub(crate) fn from_openssh(kept: &RsaKeypair) -> Result<Self, String> {
        let (public, private) = (kept.public(), kept.private());
        let [d, p, q] = [private.d(), private.p(), private.q()].map(bytes);
        let (to_p, to_q) = (exponent(d, p)?, exponent(d, q)?);
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: bytes(public.n()), e: bytes(public.e()) },
            d,
            p,
            q,
            dP: &to_p,
            dQ: &to_q,
            qInv: bytes(private.iqmp()),
        };
        let pair = KeyPair::from_components(&components).map_err(|rejected| rejected.to_string())?;
        Ok(Self { pair, public: PublicKey::from(public.clone()) })
    }

    /// The public key.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, hash: HashAlg, text: &[u8]) -> Result<Signature, russh::Error> {
        let scheme: &dyn RsaEncoding = match hash {
            HashAlg::Sha512 => &RSA_PKCS1_SHA512,
            _ => &RSA_PKCS1_SHA256,
        };
        let mut signed = vec![0; self.pair.public().modulus_len()];
        let outcome = self.pair.sign(scheme, &SystemRandom::new(), text, &mut signed);
        outcome.map_err(|_| signature::Error::from_source("ring can't sign with the RSA key"))?;
        Ok(Signature::new(Algorithm::Rsa { hash: Some(hash) }, signed)?)
    }
}

/// A number in ring's format. The numbers of a parsed key are positive.
fn bytes(number: &Mpint) -> &[u8] {
    number.as_positive_bytes().unwrap_or_default()
}

/// The CRT exponent `d mod (prime - 1)`, which OpenSSH doesn't store and ring requires.
fn exponent(d: &[u8], prime: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let d = number(d)?;
    let below = Zeroizing::new(number(prime)?.wrapping_sub(&U4096::ONE));
    let below = Zeroizing::new(NonZero::new(*below).into_option().ok_or("one of its primes is 1")?);
    let (quotient, rest) = d.div_rem(&below);
    let _quotient = Zeroizing::new(quotient);
    let rest = Zeroizing::new(Zeroizing::new(rest).to_be_bytes());
    // Has the length of the prime.
    let (_, bytes) = rest.as_slice().split_at(U4096::BYTES - prime.len());
    Ok(Zeroizing::new(bytes.to_vec()))
}

fn number(bytes: &[u8]) -> Result<Zeroizing<U4096>, String> {
    let mut whole = Zeroizing::new([0; U4096::BYTES]);
    let start = U4096::BYTES.checked_sub(bytes.len()).ok_or("it has more than 4096 bits")?;
    whole.split_at_mut(start).1.copy_from_slice(bytes);
    Ok(Zeroizing::new(U4096::from_be_slice(&whole[..])))
}

/// Signs a session's authentication request.
impl Signer for &RsaKey {
    type Error = NotSigned;

    async fn auth_sign(
        &mut self,
        _key: &AgentIdentity,
        hash: Option<HashAlg>,
        mut text: Vec<u8>,
    ) -> Result<Vec<u8>, NotSigned> {
        let signature = self.sign(hash.unwrap_or(HashAlg::Sha256), &text).map_err(NotSigned)?;
        // The session sends the signed data, followed by the signature.
        signature.encode_prefixed(&mut text).map_err(|error| NotSigned(error.into()))?;
        Ok(text)
    }
}

/// russh's error for a failed signature.
pub(crate) struct NotSigned(pub(crate) russh::Error);

impl From<SendError> for NotSigned {
    fn from(_: SendError) -> Self {
        Self(russh::Error::SendError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use russh::keys::{
        signature::Verifier,
        ssh_key::{self, public::KeyData},
    };

    use super::*;

    fn generate(bits: usize) -> RsaKeypair {
        RsaKeypair::random(&mut rand::rng(), bits).unwrap()
    }

    #[test]
    fn ring_signatures_verify_with_public_key() {
        for bits in [2048, 3072] {
            let kept = generate(bits);
            let key = RsaKey::from_openssh(&kept).unwrap();
            let public = KeyData::from(kept.public().clone());
            assert_eq!(key.public().key_data(), &public);
            for hash in [HashAlg::Sha256, HashAlg::Sha512] {
                let signature = key.sign(hash, b"text").unwrap();
                assert_eq!(signature.algorithm(), Algorithm::Rsa { hash: Some(hash) });
                public.verify(b"text", &signature).unwrap();
                public.verify(b"test", &signature).unwrap_err();
            }
        }
    }

    #[test]
    fn unusable_rsa_key_is_refused() {
        let reason = |kept: &RsaKeypair| RsaKey::from_openssh(kept).map(|_| ()).unwrap_err();
        assert_eq!(reason(&generate(2560)), "PrivateModulusLenNotMultipleOf512Bits");
        let [one, other] = [generate(2048), generate(2048)];
        let mixed = RsaKeypair::new(one.public().clone(), other.private().clone()).unwrap();
        assert_eq!(reason(&mixed), "InconsistentComponents");
        let private = |p: &[u8]| {
            let [d, inverse, q] = [one.private().d(), one.private().iqmp(), one.private().q()].map(Clone::clone);
            ssh_key::private::RsaPrivateKey::new(d, inverse, Mpint::from_positive_bytes(p), q).unwrap()
        };
        let with = |p: &[u8]| RsaKeypair::new(one.public().clone(), private(p)).unwrap();
        assert_eq!(reason(&with(&[1])), "one of its primes is 1");
        assert_eq!(reason(&with(&[255; 513])), "it has more than 4096 bits");
    }

    proptest! {
        #[test]
        fn exponent_is_remainder_of_division(d in 1_u128.., prime in 2_u128..) {
            let strip = |number: u128| {
                let bytes = number.to_be_bytes();
                bytes[usize::try_from(number.leading_zeros() / 8).unwrap()..].to_vec()
            };
            let found = exponent(&strip(d), &strip(prime)).unwrap();
            let mut wide = [0; 16];
            wide[16 - found.len()..].copy_from_slice(&found);
            prop_assert_eq!(u128::from_be_bytes(wide), d % (prime - 1));
        }
    }
}
