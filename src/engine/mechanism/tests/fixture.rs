//! Keys to try mechanisms with.

use std::sync::LazyLock;

use types::{AttributeType, KeyType, MechanismType, ObjectClass, Params, SessionHandle, Template, Value};

use crate::{
    Error, Profile,
    curve::Curve,
    mechanism::{self, Mechanism, Parts},
    object::{Attributes, Object, ObjectBuilder, ObjectLocation, Origin, SessionRights},
};

use super::groups;

/// A key pair.
pub(crate) struct Pair {
    pub(crate) public: Object,
    pub(crate) private: Object,
}

pub(crate) static RSA: LazyLock<Pair> = LazyLock::new(|| rsa_pair(2048));

pub(crate) fn row(id: MechanismType) -> &'static Mechanism {
    mechanism::find(id).unwrap()
}

pub(crate) fn number(name: AttributeType, number: u64) -> (AttributeType, Value) {
    (name, Value::Number(number))
}

/// A builder of a key of this class and type.
pub(crate) fn builder(
    class: ObjectClass,
    key_type: KeyType,
    origin: Origin,
    mut template: Template,
) -> Result<ObjectBuilder, Error> {
    template.push(number(AttributeType::CLASS, class.0));
    template.push(number(AttributeType::KEY_TYPE, key_type.0));
    ObjectBuilder::new(
        template,
        origin,
        SessionRights { officer: false, user: true, profile: Profile::Compatible },
        &[],
    )
}

pub(crate) fn object(class: ObjectClass, key_type: KeyType, parts: Parts) -> Object {
    let mut attributes: Attributes = parts.into_iter().collect();
    attributes.set(AttributeType::CLASS, Value::Number(class.0));
    attributes.set(AttributeType::KEY_TYPE, Value::Number(key_type.0));
    Object::new(attributes, ObjectLocation::Session(SessionHandle(1)))
}

pub(crate) fn secret(key_type: KeyType, value: &[u8]) -> Object {
    object(ObjectClass::SECRET_KEY, key_type, vec![(AttributeType::VALUE, Value::bytes(value))])
}

/// Bytes that are not all alike.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|index| u8::try_from(index * 7 % 251).unwrap() ^ 0x35).collect()
}

pub(crate) fn pair(id: MechanismType, template: Template) -> Pair {
    let row = row(id);
    let key_type = row.makes.unwrap();
    let origin = || Origin::Generated(id);
    let public = builder(ObjectClass::PUBLIC_KEY, key_type, origin(), template).unwrap();
    let private = builder(ObjectClass::PRIVATE_KEY, key_type, origin(), vec![]).unwrap();
    let (public, private) = row.generate_pair.unwrap()(&Params::None, &public, &private).unwrap();
    Pair {
        public: object(ObjectClass::PUBLIC_KEY, key_type, public),
        private: object(ObjectClass::PRIVATE_KEY, key_type, private),
    }
}

pub(crate) fn rsa_pair(bits: u64) -> Pair {
    pair(MechanismType::RSA_PKCS_KEY_PAIR_GEN, vec![number(AttributeType::MODULUS_BITS, bits)])
}

pub(crate) fn curve_pair(curve: Curve) -> Pair {
    let id = match curve {
        Curve::Weierstrass(_) => MechanismType::EC_KEY_PAIR_GEN,
        Curve::Edwards(_) => MechanismType::EC_EDWARDS_KEY_PAIR_GEN,
        Curve::Montgomery(_) => MechanismType::EC_MONTGOMERY_KEY_PAIR_GEN,
    };
    pair(id, vec![(AttributeType::EC_PARAMS, Value::bytes(curve.params().unwrap()))])
}

pub(crate) fn dh_pair() -> Pair {
    pair(MechanismType::DH_PKCS_KEY_PAIR_GEN, groups::dh())
}

/// A pair of each group.
pub(crate) fn dsa_pairs() -> [Pair; 2] {
    groups::dsa().map(|group| pair(MechanismType::DSA_KEY_PAIR_GEN, group))
}
