//! Key wrapping (SP 800-38F). The library's functions do not take an initial value of the caller's for
//! KWP, so both kinds are made here of single blocks.

use subtle::{Choice, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess};
use zeroize::Zeroizing;

use super::aes::Schedules;
use crate::{
    Error, Secret,
    aes::{BLOCK, KeyWrap},
    room,
};

/// Half a block, the unit of wrapping.
const HALF: usize = 8;

pub(super) fn wrap(schedules: &Schedules, how: KeyWrap, key: &[u8]) -> Result<Vec<u8>, Error> {
    let first = match how {
        KeyWrap::Kw(_) if !key.len().is_multiple_of(HALF) || key.len() < 2 * HALF => return Err(Error::InputLength),
        KeyWrap::Kw(iv) => iv,
        KeyWrap::Kwp(_) if key.is_empty() => return Err(Error::InputLength),
        KeyWrap::Kwp(iv) => {
            let len = u32::try_from(key.len()).map_err(|_| Error::InputLength)?;
            join(iv, len.to_be_bytes())
        }
    };
    let mut wrapped = room::zeros(HALF + key.len().next_multiple_of(HALF))?;
    let (front, rest) = wrapped.split_at_mut(HALF);
    rest[..key.len()].copy_from_slice(key);
    front.copy_from_slice(&first);
    match wrapped.as_mut_array() {
        Some(block) => schedules.encrypt_block(block),
        None => rounds(&mut wrapped, |block, step| {
            schedules.encrypt_block(block);
            count(block, step);
        }),
    }
    Ok(std::mem::take(&mut *wrapped))
}

pub(super) fn unwrap(schedules: &Schedules, how: KeyWrap, wrapped: &[u8]) -> Result<Secret, Error> {
    let shortest = match how {
        KeyWrap::Kw(_) => 3 * HALF,
        KeyWrap::Kwp(_) => 2 * HALF,
    };
    if !wrapped.len().is_multiple_of(HALF) || wrapped.len() < shortest {
        return Err(Error::CiphertextLength);
    }
    let mut work = room::copy(wrapped)?;
    match work.as_mut_array() {
        Some(block) => schedules.decrypt_block(block),
        None => rounds_back(&mut work, |block, step| {
            count(block, step);
            schedules.decrypt_block(block);
        }),
    }
    let (first, key) = work.split_at(HALF);
    let (good, len) = match how {
        KeyWrap::Kw(iv) => (iv.ct_eq(first), key.len()),
        KeyWrap::Kwp(iv) => kwp_len(iv, first, key)?,
    };
    if bool::from(good) { room::copy(&key[..len]) } else { Err(Error::CiphertextInvalid) }
}

/// Whether the parts of KWP's initial value and the zeroes after the key are right, and the key's length,
/// at most that of `padded`. Nothing is said before all of it was looked at.
fn kwp_len(iv: [u8; 4], first: &[u8], padded: &[u8]) -> Result<(Choice, usize), Error> {
    let total = u32::try_from(padded.len()).map_err(|_| Error::CiphertextLength)?;
    let shortest = total.saturating_sub(7);
    let len = first[4..].iter().fold(0_u32, |len, byte| len << 8 | u32::from(*byte));
    let mut good = iv.ct_eq(&first[..4]) & !len.ct_gt(&total) & !len.ct_lt(&shortest);
    for (index, byte) in (0..total).zip(padded).skip(padded.len() - HALF) {
        good &= index.ct_lt(&len) | byte.ct_eq(&0);
    }
    Ok((good, usize::try_from(len).map_or(0, |len| len.min(padded.len()))))
}

/// `W` of SP 800-38F, 6.1. `step` is given the first half and one other as a block.
fn rounds(work: &mut [u8], step: impl Fn(&mut [u8; BLOCK], u64)) {
    let (first, others) = work.split_at_mut(HALF);
    for number in 1..=6 * halves(others) {
        pair(first, others, number, &step);
    }
}

/// The inverse of [`rounds`].
fn rounds_back(work: &mut [u8], step: impl Fn(&mut [u8; BLOCK], u64)) {
    let (first, others) = work.split_at_mut(HALF);
    for number in (1..=6 * halves(others)).rev() {
        pair(first, others, number, &step);
    }
}

fn halves(others: &[u8]) -> usize {
    others.len() / HALF
}

fn pair(first: &mut [u8], others: &mut [u8], number: usize, step: impl Fn(&mut [u8; BLOCK], u64)) {
    let index = (number - 1) % halves(others) * HALF;
    let other = &mut others[index..][..HALF];
    let mut block = Zeroizing::new([0; BLOCK]);
    block[..HALF].copy_from_slice(first);
    block[HALF..].copy_from_slice(other);
    step(&mut block, number as u64);
    first.copy_from_slice(&block[..HALF]);
    other.copy_from_slice(&block[HALF..]);
}

/// Mixes the number of the step into the first half.
fn count(block: &mut [u8; BLOCK], step: u64) {
    block.iter_mut().zip(step.to_be_bytes()).for_each(|(byte, count)| *byte ^= count);
}

fn join(front: [u8; 4], back: [u8; 4]) -> [u8; HALF] {
    let mut joined = [0; HALF];
    joined[..4].copy_from_slice(&front);
    joined[4..].copy_from_slice(&back);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::awslc::{SUITE, tests::hex};

    const KW: KeyWrap = KeyWrap::Kw(KeyWrap::KW_IV);
    const KWP: KeyWrap = KeyWrap::Kwp(KeyWrap::KWP_IV);

    #[test]
    fn the_examples_of_rfc_3394_and_5649_come_out() {
        let kek = (SUITE.aes)(&hex("000102030405060708090a0b0c0d0e0f")).unwrap();
        let key = hex("00112233445566778899aabbccddeeff");
        let wrapped = hex("1fa68b0a8112b447 aef34bd8fb5a7b82 9d3e862371d2cfe5");
        assert_eq!(kek.wrap(KW, &key).unwrap(), wrapped);
        assert_eq!(*kek.unwrap(KW, &wrapped).unwrap(), key);

        let kek = (SUITE.aes)(&hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")).unwrap();
        let key = hex("c37b7e6492584340bed12207808941155068f738");
        let wrapped = hex("138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a");
        assert_eq!(kek.wrap(KWP, &key).unwrap(), wrapped);
        assert_eq!(*kek.unwrap(KWP, &wrapped).unwrap(), key);
        assert_eq!(kek.wrap(KWP, &hex("466f7250617369")).unwrap(), hex("afbeb0f07dfbf5419200f2ccb50bb24f"));
    }

    #[test]
    fn what_was_wrapped_comes_back_and_a_flipped_bit_does_not() {
        let kek = (SUITE.aes)(&[3; 32]).unwrap();
        for how in [KW, KWP, KeyWrap::Kw(*b"my value"), KeyWrap::Kwp(*b"mine")] {
            for len in 1..=40 {
                let key: Vec<u8> = (1..=len).collect();
                let Ok(mut wrapped) = kek.wrap(how, &key) else {
                    assert!(matches!(how, KeyWrap::Kw(_)) && (len < 16 || len % 8 != 0), "{len}");
                    continue;
                };
                assert_eq!(*kek.unwrap(how, &wrapped).unwrap(), key, "{how:?} of {len}");
                for index in 0..wrapped.len() {
                    wrapped[index] ^= 1;
                    assert_eq!(kek.unwrap(how, &wrapped).err(), Some(Error::CiphertextInvalid));
                    wrapped[index] ^= 1;
                }
                let other = KeyWrap::Kwp(*b"not.");
                assert_eq!(kek.unwrap(other, &wrapped).err(), Some(Error::CiphertextInvalid));
            }
        }
    }

    #[test]
    fn impossible_lengths_are_refused() {
        let kek = (SUITE.aes)(&[3; 16]).unwrap();
        assert_eq!(kek.wrap(KW, &[0; 17]).err(), Some(Error::InputLength));
        assert_eq!(kek.wrap(KW, &[0; 8]).err(), Some(Error::InputLength));
        assert_eq!(kek.wrap(KWP, &[]).err(), Some(Error::InputLength));
        for len in [0, 8, 16, 25] {
            assert_eq!(kek.unwrap(KW, &vec![0; len]).err(), Some(Error::CiphertextLength), "{len}");
        }
        for len in [0, 8, 17] {
            assert_eq!(kek.unwrap(KWP, &vec![0; len]).err(), Some(Error::CiphertextLength), "{len}");
        }
        assert_eq!(kek.unwrap(KWP, &[0; 16]).err(), Some(Error::CiphertextInvalid));
    }
}
