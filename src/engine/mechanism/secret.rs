use crypto::Secret;
use types::{AttributeType, KeyType, MechanismType, Params, Value};

use crate::{
    Error,
    key::{Lengths, MAX_SECRET_LEN},
    object::{Attributes, ObjectBuilder},
};

use super::{Mechanism, Parts, no_parameter, random};

pub(super) static MECHANISMS: &[Mechanism] = &[Mechanism {
    id: MechanismType::GENERIC_SECRET_KEY_GEN,
    // In bits here, unlike all others.
    key_size: (8, 8 * MAX_SECRET_LEN as u64),
    makes: Some(KeyType::GENERIC_SECRET),
    generate: Some(|params, builder| generate(params, builder, KeyType::GENERIC_SECRET)),
    ..Mechanism::BLANK
}];

/// A secret key of the length that the template asks for.
pub(super) fn generate(params: &Params, builder: &ObjectBuilder, key_type: KeyType) -> Result<Parts, Error> {
    no_parameter(params)?;
    let lengths = Lengths::of(key_type).ok_or(Error::Internal("a mechanism makes keys of no length"))?;
    let wanted = lengths.wanted(builder.attributes())?;
    let len = wanted.ok_or(Error::TemplateIncomplete(AttributeType::VALUE_LEN))?;
    Ok(vec![(AttributeType::VALUE, Value::Bytes(random(len)?.into()))])
}

/// The lengths of the key that a derivation makes.
pub(super) fn lengths_of(template: &Attributes) -> Result<Lengths, Error> {
    let key_type = template.key_type().unwrap_or(KeyType::GENERIC_SECRET);
    Lengths::of(key_type).ok_or(Error::TemplateInconsistent("such a key cannot be derived"))
}

/// The value of a key from an agreed secret: all of it, or its end. What is too much is taken away at the front
/// (PKCS#11, ECDH and Diffie-Hellman key derivation).
pub(super) fn of_agreed(secret: Secret, lengths: Lengths, wanted: Option<usize>) -> Result<Secret, Error> {
    match wanted {
        Some(len) => {
            let excess = secret.len().checked_sub(len).ok_or(Error::KeySizeRange)?;
            Ok(Secret::new(secret.get(excess..).unwrap_or_default().to_vec()))
        }
        None if lengths.allows(secret.len()) => Ok(secret),
        // Of a secret that is no key of the type there may be several.
        None => Err(Error::TemplateIncomplete(AttributeType::VALUE_LEN)),
    }
}
