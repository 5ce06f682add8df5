//! How hard a key is to find, in bits (NIST SP 800-57 part 1, table 2).

use ::types::AttributeType;

use super::types;
use crate::{
    curve::Curve,
    object::{Attributes, Object},
};

/// Bits of an RSA modulus or of the prime of a group, and the strength from there on.
const MODULUS: [(usize, usize); 6] = [(15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80), (0, 0)];

/// Nothing is stronger.
const MOST: usize = 256;

/// The strength of a key; 0 for what is none.
pub(crate) fn of(key: &Object) -> usize {
    let row = key.attributes.key_type().and_then(types::find);
    row.map_or(0, |row| (row.strength)(&key.attributes))
}

/// That of a secret key: its length.
pub(super) fn of_secret(attributes: &Attributes) -> usize {
    len(attributes, AttributeType::VALUE).saturating_mul(8).min(MOST)
}

/// That of a Triple DES key: of two keys, and of three.
pub(super) fn of_tdes(attributes: &Attributes) -> usize {
    match len(attributes, AttributeType::VALUE) {
        24 => 112,
        16 => 80,
        _ => 0,
    }
}

/// That of an RSA key, by its modulus.
pub(super) fn of_rsa(attributes: &Attributes) -> usize {
    of_modulus(attributes, AttributeType::MODULUS)
}

/// That of a Diffie-Hellman key, by its prime.
pub(super) fn of_dh(attributes: &Attributes) -> usize {
    of_modulus(attributes, AttributeType::PRIME)
}

/// That of a DSA key, by its prime and its subprime.
pub(super) fn of_dsa(attributes: &Attributes) -> usize {
    let subprime = len(attributes, AttributeType::SUBPRIME).saturating_mul(8);
    of_modulus(attributes, AttributeType::PRIME).min(subprime / 2)
}

fn of_modulus(attributes: &Attributes, name: AttributeType) -> usize {
    let bits = len(attributes, name).saturating_mul(8);
    MODULUS.iter().find(|(least, _)| bits >= *least).map_or(0, |(_, strength)| *strength)
}

/// That of a key of an elliptic curve: half of what its field has.
pub(super) fn of_curve(attributes: &Attributes) -> usize {
    let params = attributes.bytes(AttributeType::EC_PARAMS).unwrap_or_default();
    match Curve::of(params) {
        Ok(Curve::Weierstrass(curve)) => (curve.bits() / 2).min(MOST),
        // Both of 25519.
        Ok(Curve::Edwards(_) | Curve::Montgomery(_)) => 128,
        Err(_) => 0,
    }
}

fn len(attributes: &Attributes, name: AttributeType) -> usize {
    attributes.bytes(name).map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanism::fixture;

    #[test]
    fn strengths_are_those_of_nist() {
        assert_eq!(of(&fixture::rsa_pair(1024).private), 80);
        assert_eq!(of(&fixture::rsa_pair(2048).public), 112);
        assert_eq!(of(&fixture::dh_pair().private), 112);
        assert_eq!(fixture::dsa_pairs().map(|pair| of(&pair.public)), [80, 112]);
        assert_eq!(of(&fixture::secret(::types::KeyType::DES3, &[1; 24])), 112);
        for (curve, strength) in [
            (Curve::Weierstrass(crypto::ec::Curve::P256), 128),
            (Curve::Weierstrass(crypto::ec::Curve::P384), 192),
            (Curve::Edwards(crypto::edwards::Curve::Ed25519), 128),
        ] {
            assert_eq!(of(&fixture::curve_pair(curve).private), strength);
        }
    }
}
