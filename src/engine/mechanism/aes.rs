use std::sync::Arc;

use crypto::{
    Error as Fault, Secret,
    aes::{AesKey, BLOCK, Cipher, KeyWrap, Mode},
    room,
};
use types::{KeyType, MechanismType, Params, Shape};

use crate::{Error, object::Object, profile::Risk, wrapping::Padding};

use super::{ALL_KEYS, Integrity, Mechanism, SECRET_KEYS, SinglePart, Transform, mac, no_parameter, secret};

/// What all rows have that use an AES key. Sizes are in bytes.
const AES: Mechanism = Mechanism { key_size: (16, 32), keys: &[KeyType::AES], ..Mechanism::BLANK };

/// Half a block: what the key wraps work with.
const SEMIBLOCK: usize = 8;

/// Encryption and decryption in a mode.
macro_rules! mode {
    ($id:ident, $shape:expr, $mode:ident) => {
        Mechanism {
            id: MechanismType::$id,
            shape: $shape,
            encrypt: Some(|key, params| Ok(Transform::Stream(encryptor(key, $mode(params)?)?))),
            decrypt: Some(|key, params| Ok(Transform::Stream(decryptor(key, $mode(params)?)?))),
            ..AES
        }
    };
}

/// The same, and wrapping.
macro_rules! wrapping_mode {
    ($id:ident, $shape:expr, $mode:ident, $wraps:expr, $padding:expr) => {
        Mechanism {
            wrap: Some(|key, params, plain| {
                Ok(std::mem::take(&mut *run(encryptor(key, $mode(params)?)?, &*filled(plain, $padding)?)?))
            }),
            unwrap: Some(|key, params, wrapped| run(decryptor(key, $mode(params)?)?, wrapped)),
            wraps: $wraps,
            padding: $padding,
            ..mode!($id, $shape, $mode)
        }
    };
}

/// A key wrap, which also encrypts and decrypts in one part.
macro_rules! key_wrap {
    ($id:ident, $shape:expr, $how:ident, $padding:expr) => {
        Mechanism {
            id: MechanismType::$id,
            shape: $shape,
            encrypt: Some(|key, params| {
                Ok(Transform::SinglePart(Box::new(Wrapping { key: Arc::clone(aes(key)?), how: $how(params)? })))
            }),
            decrypt: Some(|key, params| {
                Ok(Transform::SinglePart(Box::new(Unwrapping { key: Arc::clone(aes(key)?), how: $how(params)? })))
            }),
            wrap: Some(|key, params, plain| Ok(aes(key)?.wrap($how(params)?, &*filled(plain, $padding)?)?)),
            unwrap: Some(|key, params, wrapped| Ok(aes(key)?.unwrap($how(params)?, wrapped)?)),
            wraps: ALL_KEYS,
            padding: $padding,
            integrity: Integrity::Checked,
            ..AES
        }
    };
}

pub(super) static MECHANISMS: &[Mechanism] = &[
    Mechanism {
        id: MechanismType::AES_KEY_GEN,
        key_size: (16, 32),
        makes: Some(KeyType::AES),
        generate: Some(|params, builder| secret::generate(params, builder, KeyType::AES)),
        ..Mechanism::BLANK
    },
    // No wrapping by ECB and CTR: blocks and bytes of a key could be cut off and tried alone.
    mode!(AES_ECB, Shape::None, ecb),
    mode!(AES_CTR, Shape::Ctr, ctr),
    wrapping_mode!(AES_CBC, Shape::Iv(BLOCK), cbc, SECRET_KEYS, Padding::Zeros(BLOCK)),
    Mechanism {
        oracle: Some(Risk::CbcPadDecryption),
        ..wrapping_mode!(AES_CBC_PAD, Shape::Iv(BLOCK), cbc_pad, ALL_KEYS, Padding::None)
    },
    // Its integrity holds only as long as no IV comes twice, and the IV is the caller's: two keys that are wrapped with one
    // give each other away.
    Mechanism {
        message: Some(|iv, aad, tag_bits| Params::Gcm { iv, aad, tag_bits }),
        ..wrapping_mode!(AES_GCM, Shape::Gcm, gcm, ALL_KEYS, Padding::None)
    },
    Mechanism {
        id: MechanismType::AES_CMAC,
        sign: Some(|key, params| {
            no_parameter(params)?;
            Ok(mac::sign(key.material()?.aes()?.cmac()))
        }),
        verify: Some(|key, params| {
            no_parameter(params)?;
            Ok(mac::verify(key.material()?.aes()?.cmac()))
        }),
        ..AES
    },
    Mechanism {
        id: MechanismType::AES_CMAC_GENERAL,
        shape: Shape::OutputLength,
        sign: Some(|key, params| mac::sign_general(key.material()?.aes()?.cmac(), params)),
        verify: Some(|key, params| mac::verify_general(key.material()?.aes()?.cmac(), params)),
        ..AES
    },
    key_wrap!(AES_KEY_WRAP, Shape::OptionalIv(8), kw, Padding::Zeros(SEMIBLOCK)),
    // Deprecated without ever having been said what it is; modules that have it mean RFC 5649.
    key_wrap!(AES_KEY_WRAP_PAD, Shape::OptionalIv(4), kwp, Padding::None),
    key_wrap!(AES_KEY_WRAP_KWP, Shape::OptionalIv(4), kwp, Padding::None),
];

pub(super) fn aes(key: &Object) -> Result<&Arc<dyn AesKey>, Error> {
    Ok(key.material()?.aes()?.key())
}

fn encryptor(key: &Object, mode: Mode<'_>) -> Result<Box<dyn Cipher>, Error> {
    Ok(bounded(aes(key)?.encryptor(mode)?, mode))
}

fn decryptor(key: &Object, mode: Mode<'_>) -> Result<Box<dyn Cipher>, Error> {
    Ok(bounded(aes(key)?.decryptor(mode)?, mode))
}

fn ecb(params: &Params) -> Result<Mode<'_>, Error> {
    no_parameter(params)?;
    Ok(Mode::Ecb)
}

fn cbc(params: &Params) -> Result<Mode<'_>, Error> {
    Ok(Mode::Cbc { iv: iv(params)? })
}

fn cbc_pad(params: &Params) -> Result<Mode<'_>, Error> {
    Ok(Mode::CbcPad { iv: iv(params)? })
}

fn ctr(params: &Params) -> Result<Mode<'_>, Error> {
    let Params::Ctr { counter_bits, block } = params else { return Err(Error::MechanismParamInvalid) };
    match u32::try_from(*counter_bits) {
        Ok(counter_bits @ 1..=128) => Ok(Mode::Ctr { block, counter_bits }),
        _ => Err(Error::MechanismParamInvalid),
    }
}

fn gcm(params: &Params) -> Result<Mode<'_>, Error> {
    let Params::Gcm { iv, aad, tag_bits } = params else { return Err(Error::MechanismParamInvalid) };
    // The tag lengths of SP 800-38D, 5.2.1.2; the specification would let it be as short as nothing.
    let tag_len = match tag_bits {
        32 => 4,
        64 => 8,
        96 => 12,
        104 => 13,
        112 => 14,
        120 => 15,
        128 => 16,
        _ => return Err(Error::MechanismParamInvalid),
    };
    if iv.is_empty() {
        return Err(Error::MechanismParamInvalid);
    }
    Ok(Mode::Gcm { iv, aad, tag_len })
}

fn iv(params: &Params) -> Result<&[u8; BLOCK], Error> {
    let Params::Iv(iv) = params else { return Err(Error::MechanismParamInvalid) };
    iv.as_slice().try_into().map_err(|_| Error::MechanismParamInvalid)
}

fn kw(params: &Params) -> Result<KeyWrap, Error> {
    Ok(KeyWrap::Kw(initial_value(params, KeyWrap::KW_IV)?))
}

fn kwp(params: &Params) -> Result<KeyWrap, Error> {
    Ok(KeyWrap::Kwp(initial_value(params, KeyWrap::KWP_IV)?))
}

fn initial_value<const LEN: usize>(params: &Params, usual: [u8; LEN]) -> Result<[u8; LEN], Error> {
    match params {
        Params::None => Ok(usual),
        Params::Iv(iv) => iv.as_slice().try_into().map_err(|_| Error::MechanismParamInvalid),
        _ => Err(Error::MechanismParamInvalid),
    }
}

/// A counter goes from its first value to its last, and not on to the values before the first (PKCS#11,
/// AES with Counter Encryption / Decryption), although none of those would have been used yet.
fn bounded(cipher: Box<dyn Cipher>, mode: Mode<'_>) -> Box<dyn Cipher> {
    let Mode::Ctr { block, counter_bits } = mode else { return cipher };
    let last = u128::MAX >> (128_u32.saturating_sub(counter_bits));
    let after_first = last - (u128::from_be_bytes(*block) & last);
    let left = after_first.saturating_add(1).saturating_mul(BLOCK as u128);
    Box::new(Bounded { cipher, left })
}

/// A cipher that ends after so many bytes.
struct Bounded {
    cipher: Box<dyn Cipher>,
    left: u128,
}

impl Bounded {
    fn take(&mut self, len: usize) -> Result<(), Fault> {
        self.left = self.left.checked_sub(len as u128).ok_or(Fault::Exhausted)?;
        Ok(())
    }
}

impl Cipher for Bounded {
    fn update_len(&self, len: usize) -> usize {
        self.cipher.update_len(len)
    }

    fn update(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Fault> {
        self.take(input.len())?;
        self.cipher.update(input, output)
    }

    fn finish_len(&self) -> usize {
        self.cipher.finish_len()
    }

    fn finish(&mut self, output: &mut [u8]) -> Result<usize, Fault> {
        self.cipher.finish(output)
    }

    fn update_hint(&self, len: usize) -> usize {
        self.cipher.update_hint(len)
    }

    fn once_len(&self, len: usize) -> usize {
        self.cipher.once_len(len)
    }

    fn once(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Fault> {
        self.take(input.len())?;
        self.cipher.once(input, output)
    }
}

/// A key with the zeros that its mechanism puts after it.
pub(super) fn filled(plain: &[u8], padding: Padding) -> Result<Secret, Fault> {
    let len = match padding {
        Padding::Zeros(block) => plain.len().next_multiple_of(block),
        Padding::None | Padding::Concealed => plain.len(),
    };
    room::padded(plain, len)
}

/// A whole message in one step.
pub(super) fn run(mut cipher: Box<dyn Cipher>, input: &[u8]) -> Result<Secret, Error> {
    let mut output = room::zeros(cipher.once_len(input.len()))?;
    let len = cipher.once(input, &mut output)?;
    output.truncate(len);
    Ok(output)
}

struct Wrapping {
    key: Arc<dyn AesKey>,
    how: KeyWrap,
}

impl SinglePart for Wrapping {
    fn output_len(&self, input_len: usize) -> usize {
        input_len.div_ceil(SEMIBLOCK).saturating_add(1).saturating_mul(SEMIBLOCK)
    }

    fn run(&mut self, input: &[u8]) -> Result<Secret, Error> {
        Ok(Secret::new(self.key.wrap(self.how, input)?))
    }
}

struct Unwrapping {
    key: Arc<dyn AesKey>,
    how: KeyWrap,
}

impl SinglePart for Unwrapping {
    fn output_len(&self, input_len: usize) -> usize {
        input_len.saturating_sub(SEMIBLOCK)
    }

    fn run(&mut self, input: &[u8]) -> Result<Secret, Error> {
        Ok(self.key.unwrap(self.how, input)?)
    }
}
