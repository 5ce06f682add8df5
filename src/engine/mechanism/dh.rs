use crypto::{
    Error as Fault, Secret,
    dh::{MAX_BITS, MIN_BITS},
};
use types::{AttributeType, KeyType, MechanismType, Params, Shape, Value};

use crate::{
    Error,
    key::{Material, prepare::dh_group},
    object::{Object, ObjectBuilder},
};

use super::{Mechanism, Parts, no_parameter, secret};

/// What both rows have. Sizes are those of the prime in bits.
const DH: Mechanism = Mechanism { key_size: (MIN_BITS as u64, MAX_BITS as u64), ..Mechanism::BLANK };

pub(super) static MECHANISMS: &[Mechanism] = &[
    Mechanism {
        id: MechanismType::DH_PKCS_KEY_PAIR_GEN,
        makes: Some(KeyType::DH),
        generate_pair: Some(generate_pair),
        ..DH
    },
    Mechanism {
        id: MechanismType::DH_PKCS_DERIVE,
        shape: Shape::PublicValue,
        keys: &[KeyType::DH],
        derive: Some(derive),
        ..DH
    },
];

fn generate_pair(params: &Params, public: &ObjectBuilder, private: &ObjectBuilder) -> Result<(Parts, Parts), Error> {
    no_parameter(params)?;
    let group = dh_group(public.attributes())?;
    let bits = private.attributes().number(AttributeType::VALUE_BITS);
    let wrong_bits = || Error::AttributeValueInvalid(AttributeType::VALUE_BITS);
    let bits = bits.map(usize::try_from).transpose().map_err(|_| wrong_bits())?;
    let pair = group.generate(bits).map_err(|fault| match fault {
        Fault::Parameter => wrong_bits(),
        Fault::KeyInvalid | Fault::KeySize => Error::DomainParamsInvalid,
        other => Error::Crypto(other),
    })?;
    // Both sides of an agreement must come to the same.
    let other = group.generate(bits)?;
    let here = group.private(&pair.private)?.agree(&other.public)?;
    if here != group.private(&other.private)?.agree(&pair.public)? {
        return Err(Error::Crypto(Fault::Fault));
    }
    let parts = |value| {
        vec![
            (AttributeType::PRIME, Value::bytes(group.p)),
            (AttributeType::BASE, Value::bytes(group.g)),
            (AttributeType::VALUE, value),
        ]
    };
    Ok((parts(Value::bytes(pair.public)), parts(Value::Bytes(pair.private.into()))))
}

/// The bytes of the key that the builder describes, from a shared secret as long as the prime.
fn derive(key: &Object, params: &Params, builder: &ObjectBuilder) -> Result<Secret, Error> {
    let Params::PublicValue(peer) = params else { return Err(Error::MechanismParamInvalid) };
    let template = builder.attributes();
    let lengths = secret::lengths_of(template)?;
    let wanted = lengths.wanted(template)?;
    match key.material()? {
        Material::DhPrivate(key) => secret::of_agreed(key.agree(peer)?, lengths, wanted),
        _ => Err(Error::KeyTypeInconsistent),
    }
}
