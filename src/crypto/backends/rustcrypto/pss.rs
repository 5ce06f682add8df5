//! PSS with any two hashes (RFC 8017, 9.1), around the raw operation.

use subtle::ConstantTimeEq;

use super::{hash, random};
use crate::{Error, Hash, Secret, digest::MAX_OUTPUT_LEN, rsa::Pss};

/// The last byte of every encoded message.
const TRAILER: u8 = 0xbc;

/// The encoded message for a modulus of `bits` bits, of [`encoded_len`] bytes.
pub(super) fn encode(pss: Pss, digest: &[u8], bits: usize) -> Result<Vec<u8>, Error> {
    let Pss { hash, mgf, salt_len } = pss;
    let padding_len = padding_len(pss, digest, bits)?;
    let mut encoded = vec![0; encoded_len(bits)];
    let (block, rest) = encoded.split_at_mut(padding_len + 1 + salt_len);
    block[padding_len] = 1;
    let salt = &mut block[padding_len + 1..];
    random(salt)?;
    message_hash(hash, digest, salt, rest);
    let code = &rest[..hash.output_len()];
    add_mask(mgf, code, block);
    if let Some(first) = block.first_mut() {
        *first &= first_byte_mask(bits);
    }
    if let Some(last) = rest.last_mut() {
        *last = TRAILER;
    }
    Ok(encoded)
}

/// Checks an encoded message. All of it is public.
pub(super) fn verify(pss: Pss, digest: &[u8], encoded: &[u8], bits: usize) -> Result<(), Error> {
    let Pss { hash, mgf, salt_len } = pss;
    let padding_len = padding_len(pss, digest, bits)?;
    if encoded.len() != encoded_len(bits) {
        return Err(Error::SignatureInvalid);
    }
    let (block, rest) = encoded.split_at(padding_len + 1 + salt_len);
    let (code, trailer) = rest.split_at(hash.output_len());
    let excess = block.first().is_none_or(|first| first & !first_byte_mask(bits) != 0);
    if excess || trailer != [TRAILER] {
        return Err(Error::SignatureInvalid);
    }
    let mut block = block.to_vec();
    add_mask(mgf, code, &mut block);
    if let Some(first) = block.first_mut() {
        *first &= first_byte_mask(bits);
    }
    let (padding, salt) = block.split_at(padding_len + 1);
    let separated = padding.split_last().is_some_and(|(one, zeros)| *one == 1 && zeros.iter().all(|byte| *byte == 0));
    let mut expected = [0; MAX_OUTPUT_LEN];
    message_hash(hash, digest, salt, &mut expected);
    if !separated || bool::from(code.ct_ne(&expected[..code.len()])) {
        return Err(Error::SignatureInvalid);
    }
    Ok(())
}

/// How long an encoded message is: one byte shorter than the modulus, if that has one bit in its first byte.
pub(super) fn encoded_len(bits: usize) -> usize {
    (bits - 1).div_ceil(8)
}

/// MGF1 (RFC 8017, B.2.1) of `seed`, added to `data`.
pub(super) fn add_mask(hash: Hash, seed: &[u8], data: &mut [u8]) {
    let mut mask = Secret::new(vec![0; hash.output_len()]);
    let mut digest = hash::start(hash);
    for (counter, data) in (0_u32..).zip(data.chunks_mut(hash.output_len())) {
        digest.update(seed);
        digest.update(&counter.to_be_bytes());
        digest.finish(&mut mask);
        for (byte, mask) in data.iter_mut().zip(mask.iter()) {
            *byte ^= mask;
        }
    }
}

/// How many zeros are before the separator; an error if digest and salt do not fit.
pub(super) fn padding_len(pss: Pss, digest: &[u8], bits: usize) -> Result<usize, Error> {
    let Pss { hash, mgf: _, salt_len } = pss;
    if digest.len() != hash.output_len() {
        return Err(Error::InputLength);
    }
    let rest = encoded_len(bits).checked_sub(hash.output_len() + 2).ok_or(Error::Parameter)?;
    rest.checked_sub(salt_len).ok_or(Error::Parameter)
}

/// The hash of the message's digest and the salt.
fn message_hash(hash: Hash, digest: &[u8], salt: &[u8], output: &mut [u8]) {
    let mut outer = hash::start(hash);
    outer.update(&[0; 8]);
    outer.update(digest);
    outer.update(salt);
    outer.finish(output);
}

/// The bits of the first byte that are below the modulus.
fn first_byte_mask(bits: usize) -> u8 {
    0xff >> (8 * encoded_len(bits) - (bits - 1))
}
