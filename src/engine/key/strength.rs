//! How hard a key is to find, in bits (NIST SP 800-57 part 1, table 2).

use types::{AttributeType, KeyType, ObjectClass};

use crate::{curve::Curve, object::Object};

/// Bits of an RSA modulus, and the strength from there on.
const RSA: [(usize, usize); 6] = [(15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80), (0, 0)];

/// Nothing is stronger.
const MOST: usize = 256;

/// The strength of a key; 0 for what is none.
pub(crate) fn of(key: &Object) -> usize {
    let attributes = &key.attributes;
    let len = |name| attributes.bytes(name).map_or(0, <[u8]>::len);
    match (attributes.class(), attributes.key_type()) {
        (Some(ObjectClass::SECRET_KEY), _) => len(AttributeType::VALUE).saturating_mul(8).min(MOST),
        (_, Some(KeyType::RSA)) => {
            let bits = len(AttributeType::MODULUS).saturating_mul(8);
            RSA.iter().find(|(least, _)| bits >= *least).map_or(0, |(_, strength)| *strength)
        }
        _ => {
            let params = attributes.bytes(AttributeType::EC_PARAMS).unwrap_or_default();
            match Curve::of(params) {
                Ok(Curve::Weierstrass(curve)) => (curve.bits() / 2).min(MOST),
                // Both of 25519.
                Ok(Curve::Edwards(_) | Curve::Montgomery(_)) => 128,
                Err(_) => 0,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanism::fixture;

    #[test]
    fn strengths_are_those_of_nist() {
        assert_eq!(of(&fixture::rsa_pair(1024).private), 80);
        assert_eq!(of(&fixture::rsa_pair(2048).public), 112);
        for (curve, strength) in [
            (Curve::Weierstrass(crypto::ec::Curve::P256), 128),
            (Curve::Weierstrass(crypto::ec::Curve::P384), 192),
            (Curve::Edwards(crypto::edwards::Curve::Ed25519), 128),
        ] {
            assert_eq!(of(&fixture::curve_pair(curve).private), strength);
        }
    }
}
