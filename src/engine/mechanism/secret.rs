use types::{AttributeType, KeyType, MechanismType, Params, Value};

use crate::{
    Error,
    key::{Lengths, MAX_SECRET_LEN},
    object::ObjectBuilder,
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
