//! OAEP with any two hashes (RFC 8017, 7.1), around the raw operation.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{hash, pss::add_mask, random};
use crate::{Error, Secret, digest::MAX_OUTPUT_LEN, rsa::Oaep};

/// The encoded message of `size` bytes.
pub(super) fn encode(oaep: Oaep<'_>, message: &[u8], size: usize) -> Result<Secret, Error> {
    let Oaep { hash, mgf, label } = oaep;
    let len = hash.output_len();
    let room = size.checked_sub(2 * len + 2).ok_or(Error::Parameter)?;
    if message.len() > room {
        return Err(Error::InputLength);
    }
    let mut encoded = Secret::new(vec![0; size]);
    let (seed, block) = encoded[1..].split_at_mut(len);
    label_hash(oaep, label, block);
    let start = block.len() - message.len();
    block[start - 1] = 1;
    block[start..].copy_from_slice(message);
    random(seed)?;
    add_mask(mgf, seed, block);
    add_mask(mgf, block, seed);
    Ok(encoded)
}

/// The message in an encoded message. Until the last step no branch and no address depends on a byte of it,
/// so that all faults look alike.
pub(super) fn decode(oaep: Oaep<'_>, mut encoded: Secret) -> Result<Secret, Error> {
    let Oaep { hash, mgf, label } = oaep;
    let len = hash.output_len();
    if encoded.len() < 2 * len + 2 {
        return Err(Error::Parameter);
    }
    let (first, rest) = encoded.split_at_mut(1);
    let (seed, block) = rest.split_at_mut(len);
    add_mask(mgf, block, seed);
    add_mask(mgf, seed, block);

    let mut expected = Zeroizing::new([0; MAX_OUTPUT_LEN]);
    label_hash(oaep, label, &mut *expected);
    let mut right: Choice = first.ct_eq(&[0]) & block[..len].ct_eq(&expected[..len]);
    let mut found = Choice::from(0);
    let mut start = 0_u32;
    for (index, byte) in (0_u32..).zip(&block[len..]) {
        let one = byte.ct_eq(&1);
        start.conditional_assign(&index, one & !found);
        found |= one;
        right &= found | byte.ct_eq(&0);
    }
    right &= found;

    if !bool::from(right) {
        return Err(Error::CiphertextInvalid);
    }
    let start = usize::try_from(start).map_err(|_| Error::Fault)?;
    Ok(Secret::new(block[len + start + 1..].to_vec()))
}

fn label_hash(oaep: Oaep<'_>, label: &[u8], output: &mut [u8]) {
    let mut digest = hash::start(oaep.hash);
    digest.update(label);
    digest.finish(output);
}
