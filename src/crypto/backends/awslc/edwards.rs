use std::sync::Arc;

use aws_lc_sys as ffi;
use zeroize::Zeroizing;

use super::{handle::succeeded, random};
use crate::{
    Error, Secret,
    edwards::{Curve, KeyPair, PrivateKey, PublicKey},
};

const KEY: usize = 32;
const SIGNATURE: usize = 64;

pub(super) fn public(curve: Curve, point: &[u8]) -> Result<Arc<dyn PublicKey>, Error> {
    let Curve::Ed25519 = curve;
    let point = *point.as_array().ok_or(Error::KeyInvalid)?;
    Ok(Arc::new(Public(point)))
}

pub(super) fn private(curve: Curve, seed: &[u8]) -> Result<Arc<dyn PrivateKey>, Error> {
    let Curve::Ed25519 = curve;
    Ok(Arc::new(Private::new(seed.as_array().ok_or(Error::KeyInvalid)?)))
}

pub(super) fn generate(curve: Curve) -> Result<KeyPair, Error> {
    let Curve::Ed25519 = curve;
    let mut seed = Zeroizing::new([0; KEY]);
    random::fill(&mut *seed)?;
    Ok(KeyPair { public: Private::new(&seed).public(), seed: Secret::new(seed.to_vec()) })
}

/// Whether it is a point at all shows when it is used.
struct Public([u8; KEY]);

impl PublicKey for Public {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let signature: &[u8; SIGNATURE] = signature.as_array().ok_or(Error::SignatureLength)?;
        // SAFETY: the message is a slice; the signature and the key have the lengths that curve25519.h names.
        let code = unsafe { ffi::ED25519_verify(message.as_ptr(), message.len(), signature.as_ptr(), self.0.as_ptr()) };
        if succeeded(code) { Ok(()) } else { Err(Error::SignatureInvalid) }
    }
}

struct Private {
    /// The seed, and the public key.
    pair: Zeroizing<[u8; 2 * KEY]>,
    public: [u8; KEY],
}

impl Private {
    fn new(seed: &[u8; KEY]) -> Self {
        let (mut public, mut pair) = ([0; KEY], Zeroizing::new([0; 2 * KEY]));
        // SAFETY: three arrays of the lengths that curve25519.h names.
        unsafe { ffi::ED25519_keypair_from_seed(public.as_mut_ptr(), pair.as_mut_ptr(), seed.as_ptr()) };
        Self { pair, public }
    }
}

impl PrivateKey for Private {
    fn public(&self) -> Vec<u8> {
        self.public.to_vec()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; SIGNATURE];
        // SAFETY: the message is a slice; the signature and the key have the lengths that curve25519.h names.
        let code =
            unsafe { ffi::ED25519_sign(signature.as_mut_ptr(), message.as_ptr(), message.len(), self.pair.as_ptr()) };
        if succeeded(code) { Ok(signature) } else { Err(Error::Fault) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::awslc::tests::hex;

    #[test]
    fn the_second_test_of_rfc_8032_comes_out() {
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = private(Curve::Ed25519, &seed).unwrap();
        assert_eq!(key.public(), hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
        assert_eq!(
            key.sign(&[0x72]).unwrap(),
            hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
        );
    }

    #[test]
    fn a_signature_belongs_to_its_message_and_key() {
        let pair = generate(Curve::Ed25519).unwrap();
        let signature = private(Curve::Ed25519, &pair.seed).unwrap().sign(b"").unwrap();
        let key = public(Curve::Ed25519, &pair.public).unwrap();
        assert_eq!(key.verify(b"", &signature), Ok(()));
        assert_eq!(key.verify(b"x", &signature), Err(Error::SignatureInvalid));
        assert_eq!(key.verify(b"", &signature[1..]), Err(Error::SignatureLength));
        let other = public(Curve::Ed25519, &generate(Curve::Ed25519).unwrap().public).unwrap();
        assert_eq!(other.verify(b"", &signature), Err(Error::SignatureInvalid));
    }

    #[test]
    fn a_key_has_32_bytes() {
        assert_eq!(private(Curve::Ed25519, &[1; 31]).err(), Some(Error::KeyInvalid));
        assert_eq!(public(Curve::Ed25519, &[1; 33]).err(), Some(Error::KeyInvalid));
    }
}
