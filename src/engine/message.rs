//! Message-based encryption (PKCS#11, 5.9 and 5.11): one key, and many messages, each with a nonce that the token can make.

use crypto::{aes::Cipher, room};
use types::{Generator, MechanismType, MessageParams, ObjectHandle};

use crate::{Error, mechanism, operation::KeyAuthorization};

/// What `C_MessageEncryptInit` or `C_MessageDecryptInit` has begun.
pub(crate) struct Messages {
    pub(crate) key: ObjectHandle,
    pub(crate) mechanism: MechanismType,
    pub(crate) authorization: KeyAuthorization,
    pub(crate) nonces: Nonces,
    /// The message that is being fed in parts.
    pub(crate) message: Option<Message>,
}

/// The nonces of one process, from its Init call to its end.
#[derive(Default)]
pub(crate) struct Nonces {
    made: u64,
    /// What is counted up from, where the caller gave that.
    base: Option<Vec<u8>>,
}

/// No key encrypts more messages than this under random nonces (SP 800-38D, 8.3).
const RANDOM_AT_MOST: u64 = 1 << 32;
/// The bits of a random nonce that must be random (SP 800-38D, 8.2.2).
const RANDOM_BITS: usize = 96;

/// Whether the token makes nonces that do not come again. A counter begins anew with each Init call, so that what keeps its
/// nonces apart is the caller's fixed part.
pub(crate) fn is_made_here(generator: Generator) -> bool {
    matches!(generator, Generator::GENERATE | Generator::GENERATE_RANDOM)
}

impl Nonces {
    /// The nonce of the next message.
    ///
    /// # Errors
    /// [`Error::MechanismParamInvalid`] for one that cannot be made like this, [`Error::NoncesExhausted`] if all were used.
    pub(crate) fn next(&mut self, params: &MessageParams) -> Result<Vec<u8>, Error> {
        let bits = params.iv.len().saturating_mul(8);
        let fixed = usize::try_from(params.fixed_bits).ok().filter(|fixed| *fixed <= bits);
        let free = bits - fixed.ok_or(Error::MechanismParamInvalid)?;
        if bits == 0 {
            return Err(Error::MechanismParamInvalid);
        }
        let nonce = match params.generator {
            Generator::NO_GENERATE => params.iv.clone(),
            Generator::GENERATE | Generator::GENERATE_RANDOM if free < RANDOM_BITS => {
                return Err(Error::MechanismParamInvalid);
            }
            Generator::GENERATE | Generator::GENERATE_RANDOM => {
                self.must_be_below(RANDOM_AT_MOST)?;
                let mut random = vec![0; params.iv.len()];
                (crypto::SUITE.random)(&mut random)?;
                joined(&params.iv, &random, free, |_, random| random)
            }
            Generator::GENERATE_COUNTER => joined(&params.iv, &self.counter(params, free)?, free, |_, counter| counter),
            Generator::GENERATE_COUNTER_XOR => {
                if *self.base.get_or_insert_with(|| params.iv.clone()) != params.iv {
                    return Err(Error::MechanismParamInvalid);
                }
                joined(&params.iv, &self.counter(params, free)?, free, |given, counter| given ^ counter)
            }
            _ => return Err(Error::MechanismParamInvalid),
        };
        self.made = self.made.saturating_add(1);
        Ok(nonce)
    }

    fn must_be_below(&self, limit: u64) -> Result<(), Error> {
        if self.made < limit { Ok(()) } else { Err(Error::NoncesExhausted) }
    }

    /// How many nonces were made, as the lowest bytes of one.
    fn counter(&self, params: &MessageParams, free: usize) -> Result<Vec<u8>, Error> {
        let shift = u32::try_from(free).unwrap_or(u32::MAX);
        self.must_be_below(1_u64.checked_shl(shift).unwrap_or(u64::MAX))?;
        let mut bytes = vec![0; params.iv.len()];
        for (place, byte) in bytes.iter_mut().rev().zip(self.made.to_le_bytes()) {
            *place = byte;
        }
        Ok(bytes)
    }
}

/// The given bytes, and in their lowest `free` bits what is made of those and the others.
fn joined(given: &[u8], other: &[u8], free: usize, make: fn(u8, u8) -> u8) -> Vec<u8> {
    let places = given.iter().zip(other).rev().enumerate();
    let mut bytes: Vec<u8> = places
        .map(|(place, (given, other))| {
            let mask = match free.saturating_sub(place.saturating_mul(8)) {
                left @ 0..8 => (1_u8 << left) - 1,
                _ => 0xff,
            };
            (given & !mask) | (make(*given, *other) & mask)
        })
        .collect();
    bytes.reverse();
    bytes
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Encrypt,
    Decrypt,
}

/// A message that has begun.
pub(crate) struct Message {
    cipher: Box<dyn Cipher>,
    tag_len: usize,
    /// How much has gone in, and come out.
    fed: usize,
    given: usize,
}

impl Message {
    pub(crate) fn new(cipher: Box<dyn Cipher>, tag_bits: u64) -> Result<Self, Error> {
        Ok(Self { cipher, tag_len: tag_len(tag_bits)?, fed: 0, given: 0 })
    }

    /// Refuses a tag of another length than was said at the beginning.
    pub(crate) fn must_have_tag(&self, tag_bits: u64) -> Result<(), Error> {
        if tag_len(tag_bits)? == self.tag_len { Ok(()) } else { Err(Error::MechanismParamInvalid) }
    }

    /// How many bytes come out of a part that is not the last.
    pub(crate) fn update_len(&self, len: usize) -> usize {
        self.cipher.update_len(len)
    }

    /// How much room to tell somebody to have for that.
    pub(crate) fn update_hint(&self, len: usize) -> usize {
        self.cipher.update_hint(len)
    }

    /// How many bytes come out at the end.
    pub(crate) fn end_len(&self, len: usize) -> usize {
        self.fed.saturating_add(len).saturating_sub(self.given)
    }

    /// A part that is not the last. `output` has the bytes of [`Message::update_len`] at least.
    pub(crate) fn update(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let given = self.cipher.update(input, output)?;
        self.fed = self.fed.saturating_add(input.len());
        self.given = self.given.saturating_add(given);
        Ok(given)
    }

    /// The last part of an encryption, and the tag. `output` has the bytes of [`Message::end_len`] at least.
    pub(crate) fn seal(mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, Vec<u8>), Error> {
        // A short message is quicker in one step; a long one is not worth its copy.
        let whole = self.fed == 0 && input.len() <= IN_ONE_STEP;
        let given = if whole { 0 } else { self.cipher.update(input, output)? };
        let len = if whole { self.cipher.once_len(input.len()) } else { self.cipher.finish_len() };
        let mut rest = room::zeros(len)?;
        let len = if whole { self.cipher.once(input, &mut rest)? } else { self.cipher.finish(&mut rest)? };
        let split = len.checked_sub(self.tag_len).and_then(|middle| rest.get(..len)?.split_at_checked(middle));
        let (ciphertext, tag) = split.ok_or(Error::Internal("an encryption without its tag"))?;
        let end = given.saturating_add(ciphertext.len());
        output.get_mut(given..end).ok_or(Error::Crypto(crypto::Error::OutputLength))?.copy_from_slice(ciphertext);
        Ok((end, tag.to_vec()))
    }

    /// The last part of a decryption, with the tag. `output` has the bytes of [`Message::end_len`] at least.
    pub(crate) fn open(mut self, input: &[u8], tag: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        if tag.len() != self.tag_len {
            return Err(Error::MechanismParamInvalid);
        }
        // Nothing comes out before the tag was checked.
        self.cipher.update(input, &mut [])?;
        self.cipher.update(tag, &mut [])?;
        let opened = self.cipher.finish(output);
        opened.map_err(|fault| match fault {
            crypto::Error::CiphertextInvalid => Error::AeadDecryptFailed,
            other => Error::Crypto(other),
        })
    }
}

/// What the caller gave in these places, one after the other. None of it is secret; it may be more than there is room for.
pub(crate) fn copied(parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let mut copy = Vec::new();
    parts.iter().try_for_each(|part| room::append(&mut copy, part))?;
    Ok(copy)
}

/// Length of a tag in bytes.
pub(crate) fn tag_len(bits: u64) -> Result<usize, Error> {
    usize::try_from(bits.div_ceil(8)).map_err(|_| Error::MechanismParamInvalid)
}

/// Up to so many bytes.
const IN_ONE_STEP: usize = 4096;

/// Begins a message.
///
/// # Errors
/// [`Error::MechanismParamInvalid`] for a nonce or tag of a length that the mechanism does not take.
pub(crate) fn begin(
    row: &mechanism::Mechanism,
    way: Way,
    key: &crate::object::Object,
    iv: Vec<u8>,
    aad: &[u8],
    tag_bits: u64,
) -> Result<Message, Error> {
    let params = row.message.ok_or(Error::MechanismInvalid)?(iv, copied(&[aad])?, tag_bits);
    let start = match way {
        Way::Encrypt => row.encrypt,
        Way::Decrypt => row.decrypt,
    };
    match crypto::keys(|| start.ok_or(Error::MechanismInvalid)?(key, &params))? {
        mechanism::Transform::Stream(cipher) => Message::new(cipher, tag_bits),
        mechanism::Transform::SinglePart(_) => Err(Error::MechanismInvalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(iv: &[u8], fixed_bits: u64, generator: Generator) -> MessageParams {
        MessageParams { iv: iv.to_vec(), fixed_bits, generator, tag: Vec::new(), tag_bits: 128 }
    }

    #[test]
    fn a_counter_starts_at_zero_and_stays_in_its_bits() {
        let mut nonces = Nonces::default();
        let given = params(&[0xff; 3], 13, Generator::GENERATE_COUNTER);
        let first: Vec<_> = (0..3).map(|_| nonces.next(&given).unwrap()).collect();
        assert_eq!(first, [[0xff, 0xf8, 0], [0xff, 0xf8, 1], [0xff, 0xf8, 2]]);
        nonces.made = (1 << 11) - 1;
        assert_eq!(nonces.next(&given).unwrap(), [0xff, 0xff, 0xff]);
        assert_eq!(nonces.next(&given), Err(Error::NoncesExhausted), "no nonce comes twice");
    }

    #[test]
    fn a_counter_is_added_to_what_the_caller_gives_and_goes_on_giving() {
        let mut nonces = Nonces::default();
        let given = params(&[1, 2, 0x83], 8, Generator::GENERATE_COUNTER_XOR);
        let first: Vec<_> = (0..3).map(|_| nonces.next(&given).unwrap()).collect();
        assert_eq!(first, [[1, 2, 0x83], [1, 2, 0x82], [1, 2, 0x81]]);
        let other = params(&[1, 2, 0x81], 8, Generator::GENERATE_COUNTER_XOR);
        assert_eq!(nonces.next(&other), Err(Error::MechanismParamInvalid), "that would be a nonce that was used");
    }

    #[test]
    fn a_random_nonce_keeps_its_fixed_part_and_has_enough_that_is_random() {
        let mut nonces = Nonces::default();
        for generator in [Generator::GENERATE, Generator::GENERATE_RANDOM] {
            let (one, two) = (
                nonces.next(&params(&[0xa5; 16], 32, generator)).unwrap(),
                nonces.next(&params(&[0xa5; 16], 32, generator)).unwrap(),
            );
            assert_eq!((&one[..4], &two[..4]), (&[0xa5; 4][..], &[0xa5; 4][..]));
            assert_ne!(one, two);
            assert_eq!(nonces.next(&params(&[0xa5; 12], 1, generator)), Err(Error::MechanismParamInvalid));
        }
        nonces.made = RANDOM_AT_MOST - 1;
        assert!(nonces.next(&params(&[0; 12], 0, Generator::GENERATE)).is_ok());
        assert_eq!(nonces.next(&params(&[0; 12], 0, Generator::GENERATE)), Err(Error::NoncesExhausted));
    }

    #[test]
    fn a_nonce_that_cannot_be_is_refused() {
        let wrong = [
            params(&[], 0, Generator::NO_GENERATE),
            params(&[0; 12], 97, Generator::GENERATE_COUNTER),
            params(&[0; 12], u64::MAX, Generator::GENERATE_COUNTER),
            params(&[0; 12], 0, Generator(5)),
        ];
        for params in wrong {
            assert_eq!(Nonces::default().next(&params), Err(Error::MechanismParamInvalid));
        }
        let full = params(&[7; 12], 96, Generator::GENERATE_COUNTER);
        let mut nonces = Nonces::default();
        assert_eq!(nonces.next(&full).unwrap(), [7; 12], "one nonce is left");
        assert_eq!(nonces.next(&full), Err(Error::NoncesExhausted));
    }
}
