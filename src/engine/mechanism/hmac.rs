use std::sync::Arc;

use crypto::{Hash, mac::MacKey};
use types::{KeyType, MechanismType, Params, Shape};

use crate::{Error, key::MAX_SECRET_LEN, object::Object};

use super::{Mechanism, Signing, Verifying, mac, no_parameter, secret};

/// HMAC with a key of its own type or a generic one; the specification gives no unit for the key's size,
/// so it is that of the key generation, bytes.
macro_rules! hmac {
    ($id:ident, $key_type:ident, $hash:ident) => {
        Mechanism {
            id: MechanismType::$id,
            key_size: KEY_SIZE,
            keys: &[KeyType::GENERIC_SECRET, KeyType::$key_type],
            sign: Some(|key, params| sign(key, params, Hash::$hash)),
            verify: Some(|key, params| verify(key, params, Hash::$hash)),
            ..Mechanism::BLANK
        }
    };
}

/// The first bytes of it.
macro_rules! general {
    ($id:ident, $key_type:ident, $hash:ident) => {
        Mechanism {
            id: MechanismType::$id,
            shape: Shape::OutputLength,
            key_size: KEY_SIZE,
            keys: &[KeyType::GENERIC_SECRET, KeyType::$key_type],
            sign: Some(|key, params| mac::sign_general(&prepared(key, Hash::$hash)?, params)),
            verify: Some(|key, params| mac::verify_general(&prepared(key, Hash::$hash)?, params)),
            ..Mechanism::BLANK
        }
    };
}

macro_rules! key_gen {
    ($id:ident, $key_type:ident) => {
        Mechanism {
            id: MechanismType::$id,
            key_size: KEY_SIZE,
            makes: Some(KeyType::$key_type),
            generate: Some(|params, builder| secret::generate(params, builder, KeyType::$key_type)),
            ..Mechanism::BLANK
        }
    };
}

const KEY_SIZE: (u64, u64) = (1, MAX_SECRET_LEN as u64);

pub(super) static MECHANISMS: &[Mechanism] = &[
    hmac!(SHA_1_HMAC, SHA_1_HMAC, Sha1),
    hmac!(SHA224_HMAC, SHA224_HMAC, Sha224),
    hmac!(SHA256_HMAC, SHA256_HMAC, Sha256),
    hmac!(SHA384_HMAC, SHA384_HMAC, Sha384),
    hmac!(SHA512_HMAC, SHA512_HMAC, Sha512),
    general!(SHA_1_HMAC_GENERAL, SHA_1_HMAC, Sha1),
    general!(SHA224_HMAC_GENERAL, SHA224_HMAC, Sha224),
    general!(SHA256_HMAC_GENERAL, SHA256_HMAC, Sha256),
    general!(SHA384_HMAC_GENERAL, SHA384_HMAC, Sha384),
    general!(SHA512_HMAC_GENERAL, SHA512_HMAC, Sha512),
    key_gen!(SHA_1_KEY_GEN, SHA_1_HMAC),
    key_gen!(SHA224_KEY_GEN, SHA224_HMAC),
    key_gen!(SHA256_KEY_GEN, SHA256_HMAC),
    key_gen!(SHA384_KEY_GEN, SHA384_HMAC),
    key_gen!(SHA512_KEY_GEN, SHA512_HMAC),
];

fn prepared(key: &Object, hash: Hash) -> Result<Arc<dyn MacKey>, Error> {
    key.material()?.secret()?.hmac(hash)
}

fn sign(key: &Object, params: &Params, hash: Hash) -> Result<Signing, Error> {
    no_parameter(params)?;
    Ok(mac::sign(&prepared(key, hash)?))
}

fn verify(key: &Object, params: &Params, hash: Hash) -> Result<Verifying, Error> {
    no_parameter(params)?;
    Ok(mac::verify(&prepared(key, hash)?))
}
