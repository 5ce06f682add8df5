//! AES key wrapping (SP 800-38F). The `aes-kw` crate knows the default initial values only, and PKCS#11 lets
//! the caller choose.

use ::aes::Block;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::aes::Blocks;
use crate::{Error, Secret, aes::BLOCK, aes::KeyWrap, room};

/// Half a block: what the wrapping function moves about.
const SEMIBLOCK: usize = 8;

/// How often each semiblock is encrypted.
const ROUNDS: usize = 6;

pub(super) fn wrap(aes: &Blocks, how: KeyWrap, key: &[u8]) -> Result<Vec<u8>, Error> {
    match how {
        KeyWrap::Kw(iv) => {
            if key.len() < 2 * SEMIBLOCK || !key.len().is_multiple_of(SEMIBLOCK) {
                return Err(Error::InputLength);
            }
            Ok(forward(aes, iv, key))
        }
        KeyWrap::Kwp(upper) => {
            let length = u32::try_from(key.len()).map_err(|_| Error::InputLength)?;
            if length == 0 {
                return Err(Error::InputLength);
            }
            let padded = room::padded(key, key.len().next_multiple_of(SEMIBLOCK))?;
            Ok(forward(aes, initial_value(upper, length), &padded))
        }
    }
}

pub(super) fn unwrap(aes: &Blocks, how: KeyWrap, wrapped: &[u8]) -> Result<Secret, Error> {
    let shortest = match how {
        KeyWrap::Kw(_) => 3 * SEMIBLOCK,
        KeyWrap::Kwp(_) => 2 * SEMIBLOCK,
    };
    if wrapped.len() < shortest || !wrapped.len().is_multiple_of(SEMIBLOCK) {
        return Err(Error::CiphertextLength);
    }
    let (found, mut key) = backward(aes, wrapped)?;
    match how {
        KeyWrap::Kw(iv) => {
            if bool::from(found[..].ct_ne(&iv)) {
                return Err(Error::CiphertextInvalid);
            }
        }
        KeyWrap::Kwp(upper) => {
            let length = u32::from_be_bytes([found[4], found[5], found[6], found[7]]);
            let right = found[..].ct_eq(&initial_value(upper, length));
            let length = usize::try_from(length).map_err(|_| Error::CiphertextInvalid)?;
            // Nothing of the key is looked at before the initial value was found right, which no forgery is.
            if !bool::from(right) || length == 0 || length.div_ceil(SEMIBLOCK) * SEMIBLOCK != key.len() {
                return Err(Error::CiphertextInvalid);
            }
            if bool::from(key[length..].ct_ne(&[0; SEMIBLOCK][..key.len() - length])) {
                return Err(Error::CiphertextInvalid);
            }
            key.truncate(length);
        }
    }
    Ok(key)
}

/// The alternative initial value of RFC 5649, section 3.
fn initial_value(upper: [u8; 4], length: u32) -> [u8; SEMIBLOCK] {
    let [a, b, c, d] = upper;
    let [e, f, g, h] = length.to_be_bytes();
    [a, b, c, d, e, f, g, h]
}

/// The wrapping function W (SP 800-38F, algorithm 1); one semiblock is encrypted as KWP says.
fn forward(aes: &Blocks, iv: [u8; SEMIBLOCK], key: &[u8]) -> Vec<u8> {
    let mut block = Zeroizing::new([0; BLOCK]);
    block[..SEMIBLOCK].copy_from_slice(&iv);
    let mut wrapped = [&iv[..], key].concat();
    if key.len() == SEMIBLOCK {
        block[SEMIBLOCK..].copy_from_slice(key);
        encrypt(aes, &mut block);
        wrapped.copy_from_slice(&*block);
        return wrapped;
    }
    let mut step = 0_u64;
    for _ in 0..ROUNDS {
        for semiblock in wrapped[SEMIBLOCK..].chunks_exact_mut(SEMIBLOCK) {
            step += 1;
            block[SEMIBLOCK..].copy_from_slice(semiblock);
            encrypt(aes, &mut block);
            semiblock.copy_from_slice(&block[SEMIBLOCK..]);
            count(&mut block, step);
        }
    }
    wrapped[..SEMIBLOCK].copy_from_slice(&block[..SEMIBLOCK]);
    wrapped
}

/// The unwrapping function (SP 800-38F, algorithm 2): the initial value that was found, and the key.
fn backward(aes: &Blocks, wrapped: &[u8]) -> Result<(Zeroizing<[u8; SEMIBLOCK]>, Secret), Error> {
    let mut block = Zeroizing::new([0; BLOCK]);
    let mut key = room::copy(&wrapped[SEMIBLOCK..])?;
    block[..SEMIBLOCK].copy_from_slice(&wrapped[..SEMIBLOCK]);
    if key.len() == SEMIBLOCK {
        block[SEMIBLOCK..].copy_from_slice(&key);
        decrypt(aes, &mut block);
        key.copy_from_slice(&block[SEMIBLOCK..]);
    } else {
        let mut step = u64::try_from(ROUNDS * (key.len() / SEMIBLOCK)).map_err(|_| Error::CiphertextLength)?;
        for _ in 0..ROUNDS {
            for semiblock in key.chunks_exact_mut(SEMIBLOCK).rev() {
                count(&mut block, step);
                step -= 1;
                block[SEMIBLOCK..].copy_from_slice(semiblock);
                decrypt(aes, &mut block);
                semiblock.copy_from_slice(&block[SEMIBLOCK..]);
            }
        }
    }
    let mut found = Zeroizing::new([0; SEMIBLOCK]);
    found.copy_from_slice(&block[..SEMIBLOCK]);
    Ok((found, key))
}

/// Adds the step's number to the upper half.
fn count(block: &mut [u8; BLOCK], step: u64) {
    for (byte, step) in block.iter_mut().zip(step.to_be_bytes()) {
        *byte ^= step;
    }
}

fn encrypt(aes: &Blocks, block: &mut [u8; BLOCK]) {
    let block: &mut Block = block.into();
    aes.encrypt(std::slice::from_mut(block));
}

fn decrypt(aes: &Blocks, block: &mut [u8; BLOCK]) {
    let block: &mut Block = block.into();
    aes.decrypt(std::slice::from_mut(block));
}
