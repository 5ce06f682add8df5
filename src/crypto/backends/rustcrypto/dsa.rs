//! DSA.

use std::sync::Arc;

use ::dsa::{
    Components, Signature, SigningKey, VerifyingKey,
    signature::hazmat::{PrehashVerifier, RandomizedPrehashSigner},
};
use crypto_bigint::BoxedUint;

use super::rng;
use crate::{
    Error,
    dsa::{Group, PrivateKey, PublicKey},
    number,
    suite::Prepared,
};

pub(super) fn public(group: Group<'_>, y: &[u8]) -> Prepared<dyn PublicKey> {
    group.check_public(y)?;
    Ok(Arc::new(Public { half: group.half_len(), key: verifying(group, y)? }))
}

pub(super) fn private(group: Group<'_>, x: &[u8]) -> Prepared<dyn PrivateKey> {
    // Computing it checks the value and the group.
    let y = group.public(x)?;
    let x = number(x, number::bits(group.q))?;
    let key = SigningKey::from_components(verifying(group, &y)?, x).map_err(|_| Error::KeyInvalid)?;
    Ok(Arc::new(Private { half: group.half_len(), key }))
}

fn verifying(group: Group<'_>, y: &[u8]) -> Result<VerifyingKey, Error> {
    let (p_bits, q_bits) = (number::bits(group.p), number::bits(group.q));
    let (p, q, g) = (number(group.p, p_bits)?, number(group.q, q_bits)?, number(group.g, p_bits)?);
    let components = Components::from_components(p, q, g).map_err(|_| Error::KeyInvalid)?;
    VerifyingKey::from_components(components, number(y, p_bits)?).map_err(|_| Error::KeyInvalid)
}

/// A number with room for so many bits, in whole limbs.
fn number(bytes: &[u8], bits: usize) -> Result<BoxedUint, Error> {
    let precision = u32::try_from(bits.next_multiple_of(64)).map_err(|_| Error::KeySize)?;
    BoxedUint::from_be_slice(number::strip(bytes), precision).map_err(|_| Error::KeyInvalid)
}

struct Public {
    half: usize,
    key: VerifyingKey,
}

impl PublicKey for Public {
    fn signature_len(&self) -> usize {
        2 * self.half
    }

    fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), Error> {
        if signature.len() != 2 * self.half {
            return Err(Error::SignatureLength);
        }
        let (r, s) = signature.split_at(self.half);
        let (r, s) = (number(r, 8 * self.half)?, number(s, 8 * self.half)?);
        let numbers = Signature::from_components(r, s).ok_or(Error::SignatureInvalid)?;
        self.key.verify_prehash(digest, &numbers).map_err(|_| Error::SignatureInvalid)
    }
}

struct Private {
    half: usize,
    key: SigningKey,
}

impl PrivateKey for Private {
    fn signature_len(&self) -> usize {
        2 * self.half
    }

    fn sign(&self, digest: &[u8], output: &mut [u8]) -> Result<(), Error> {
        let output = output.get_mut(..2 * self.half).ok_or(Error::OutputLength)?;
        let numbers = self.key.sign_prehash_with_rng(&mut rng(), digest).map_err(|_| Error::Fault)?;
        let (first, second) = output.split_at_mut(self.half);
        write(numbers.r(), first)?;
        write(numbers.s(), second)
    }
}

/// With as many leading zeros as make it as long as `output`.
fn write(number: &BoxedUint, output: &mut [u8]) -> Result<(), Error> {
    let bytes = number.to_be_bytes_trimmed_vartime();
    let zeros = output.len().checked_sub(bytes.len()).ok_or(Error::Fault)?;
    output.fill(0);
    output[zeros..].copy_from_slice(&bytes);
    Ok(())
}
