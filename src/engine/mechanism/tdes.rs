use crypto::tdes::{BLOCK, Mode};
use types::{KeyType, MechanismType, Params, Shape};

use crate::{Error, profile::Risk, wrapping::Padding};

use super::{
    ALL_KEYS, Mechanism, SECRET_KEYS, Transform,
    aes::{filled, run},
    mac, no_parameter, secret,
};

/// What all rows have that use a Triple DES key, of two or of three keys. Sizes are in bytes.
const TDES: Mechanism = Mechanism {
    key_size: (16, 24),
    keys: &[KeyType::DES2, KeyType::DES3],
    outdated: Some(Risk::TripleDes),
    ..Mechanism::BLANK
};

/// Encryption and decryption in a mode.
macro_rules! mode {
    ($id:ident, $shape:expr, $mode:ident) => {
        Mechanism {
            id: MechanismType::$id,
            shape: $shape,
            encrypt: Some(|key, params| Ok(Transform::Stream(key.material()?.tdes()?.encryptor($mode(params)?)))),
            decrypt: Some(|key, params| Ok(Transform::Stream(key.material()?.tdes()?.decryptor($mode(params)?)))),
            ..TDES
        }
    };
}

/// The same, and wrapping.
macro_rules! wrapping_mode {
    ($id:ident, $mode:ident, $wraps:expr, $padding:expr) => {
        Mechanism {
            wrap: Some(|key, params, plain| {
                let cipher = key.material()?.tdes()?.encryptor($mode(params)?);
                Ok(std::mem::take(&mut *run(cipher, &*filled(plain, $padding)?)?))
            }),
            unwrap: Some(|key, params, wrapped| run(key.material()?.tdes()?.decryptor($mode(params)?), wrapped)),
            wraps: $wraps,
            padding: $padding,
            ..mode!($id, Shape::Iv(BLOCK), $mode)
        }
    };
}

macro_rules! key_gen {
    ($id:ident, $key_type:ident, $len:expr) => {
        Mechanism {
            id: MechanismType::$id,
            key_size: ($len, $len),
            makes: Some(KeyType::$key_type),
            generate: Some(|params, builder| secret::generate(params, builder, KeyType::$key_type)),
            ..Mechanism::BLANK
        }
    };
}

pub(super) static MECHANISMS: &[Mechanism] = &[
    key_gen!(DES2_KEY_GEN, DES2, 16),
    key_gen!(DES3_KEY_GEN, DES3, 24),
    // No wrapping by ECB: blocks of a key could be cut off and tried alone.
    mode!(DES3_ECB, Shape::None, ecb),
    wrapping_mode!(DES3_CBC, cbc, SECRET_KEYS, Padding::Zeros(BLOCK)),
    Mechanism {
        oracle: Some(Risk::CbcPadDecryption),
        ..wrapping_mode!(DES3_CBC_PAD, cbc_pad, ALL_KEYS, Padding::None)
    },
    Mechanism {
        id: MechanismType::DES3_CMAC,
        sign: Some(|key, params| {
            no_parameter(params)?;
            Ok(mac::sign(&key.material()?.tdes()?.cmac()))
        }),
        verify: Some(|key, params| {
            no_parameter(params)?;
            Ok(mac::verify(&key.material()?.tdes()?.cmac()))
        }),
        ..TDES
    },
    Mechanism {
        id: MechanismType::DES3_CMAC_GENERAL,
        shape: Shape::OutputLength,
        sign: Some(|key, params| mac::sign_general(&key.material()?.tdes()?.cmac(), params)),
        verify: Some(|key, params| mac::verify_general(&key.material()?.tdes()?.cmac(), params)),
        ..TDES
    },
];

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

fn iv(params: &Params) -> Result<&[u8; BLOCK], Error> {
    let Params::Iv(iv) = params else { return Err(Error::MechanismParamInvalid) };
    iv.as_slice().try_into().map_err(|_| Error::MechanismParamInvalid)
}
