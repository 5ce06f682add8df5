//! The table as data, and every row at work: each result is checked by the second suite or by going back.

pub(crate) mod fixture;
pub(crate) mod groups;
mod openssl;
mod parameters;
mod reference;
mod walk;

use types::{KeyType, Shape};

use super::{Mechanism, all, find, flag::*};

const MESSAGES: u64 = MESSAGE_ENCRYPT | MESSAGE_DECRYPT | MULTI_MESSAGE;
const CRYPT: u64 = ENCRYPT | DECRYPT;
const SIGNATURE: u64 = SIGN | VERIFY;
const RECOVERY: u64 = SIGN_RECOVER | VERIFY_RECOVER;
const WRAPPING: u64 = WRAP | UNWRAP;
const CURVES: u64 = 0x0790_0000;

/// What the specification's tables allow a mechanism to do, and we do.
const OFFERED: &[(&str, u64)] = &[
    ("RSA_PKCS_KEY_PAIR_GEN", GENERATE_KEY_PAIR),
    ("RSA_PKCS", CRYPT | SIGNATURE | RECOVERY | WRAPPING),
    ("RSA_X_509", CRYPT | SIGNATURE | RECOVERY),
    ("RSA_PKCS_OAEP", CRYPT | WRAPPING),
    ("RSA_PKCS_PSS", SIGNATURE),
    ("SHA1_RSA_PKCS", SIGNATURE),
    ("SHA224_RSA_PKCS", SIGNATURE),
    ("SHA256_RSA_PKCS", SIGNATURE),
    ("SHA384_RSA_PKCS", SIGNATURE),
    ("SHA512_RSA_PKCS", SIGNATURE),
    ("SHA1_RSA_PKCS_PSS", SIGNATURE),
    ("SHA224_RSA_PKCS_PSS", SIGNATURE),
    ("SHA256_RSA_PKCS_PSS", SIGNATURE),
    ("SHA384_RSA_PKCS_PSS", SIGNATURE),
    ("SHA512_RSA_PKCS_PSS", SIGNATURE),
    ("RSA_AES_KEY_WRAP", WRAPPING),
    ("EC_KEY_PAIR_GEN", GENERATE_KEY_PAIR | CURVES),
    ("ECDSA", SIGNATURE | CURVES),
    ("ECDSA_SHA1", SIGNATURE | CURVES),
    ("ECDSA_SHA224", SIGNATURE | CURVES),
    ("ECDSA_SHA256", SIGNATURE | CURVES),
    ("ECDSA_SHA384", SIGNATURE | CURVES),
    ("ECDSA_SHA512", SIGNATURE | CURVES),
    ("ECDH1_DERIVE", DERIVE | CURVES),
    ("ECDH1_COFACTOR_DERIVE", DERIVE | CURVES),
    ("EC_EDWARDS_KEY_PAIR_GEN", GENERATE_KEY_PAIR | CURVES),
    ("EDDSA", SIGNATURE | CURVES),
    ("EC_MONTGOMERY_KEY_PAIR_GEN", GENERATE_KEY_PAIR | CURVES),
    ("DH_PKCS_KEY_PAIR_GEN", GENERATE_KEY_PAIR),
    ("DH_PKCS_DERIVE", DERIVE),
    ("DSA_KEY_PAIR_GEN", GENERATE_KEY_PAIR),
    ("DSA", SIGNATURE),
    ("DSA_SHA1", SIGNATURE),
    ("DSA_SHA224", SIGNATURE),
    ("DSA_SHA256", SIGNATURE),
    ("DSA_SHA384", SIGNATURE),
    ("DSA_SHA512", SIGNATURE),
    ("AES_KEY_GEN", GENERATE),
    ("AES_ECB", CRYPT),
    ("AES_CBC", CRYPT | WRAPPING),
    ("AES_CBC_PAD", CRYPT | WRAPPING),
    ("AES_CTR", CRYPT),
    ("AES_GCM", CRYPT | WRAPPING | MESSAGES),
    ("AES_CMAC", SIGNATURE),
    ("AES_CMAC_GENERAL", SIGNATURE),
    ("AES_KEY_WRAP", CRYPT | WRAPPING),
    ("AES_KEY_WRAP_PAD", CRYPT | WRAPPING),
    ("AES_KEY_WRAP_KWP", CRYPT | WRAPPING),
    ("DES2_KEY_GEN", GENERATE),
    ("DES3_KEY_GEN", GENERATE),
    ("DES3_ECB", CRYPT),
    ("DES3_CBC", CRYPT | WRAPPING),
    ("DES3_CBC_PAD", CRYPT | WRAPPING),
    ("DES3_CMAC", SIGNATURE),
    ("DES3_CMAC_GENERAL", SIGNATURE),
    ("GENERIC_SECRET_KEY_GEN", GENERATE),
    ("SHA_1_HMAC", SIGNATURE),
    ("SHA_1_HMAC_GENERAL", SIGNATURE),
    ("SHA_1_KEY_GEN", GENERATE),
    ("SHA224_HMAC", SIGNATURE),
    ("SHA224_HMAC_GENERAL", SIGNATURE),
    ("SHA224_KEY_GEN", GENERATE),
    ("SHA256_HMAC", SIGNATURE),
    ("SHA256_HMAC_GENERAL", SIGNATURE),
    ("SHA256_KEY_GEN", GENERATE),
    ("SHA384_HMAC", SIGNATURE),
    ("SHA384_HMAC_GENERAL", SIGNATURE),
    ("SHA384_KEY_GEN", GENERATE),
    ("SHA512_HMAC", SIGNATURE),
    ("SHA512_HMAC_GENERAL", SIGNATURE),
    ("SHA512_KEY_GEN", GENERATE),
    ("SHA_1", DIGEST),
    ("SHA224", DIGEST),
    ("SHA256", DIGEST),
    ("SHA384", DIGEST),
    ("SHA512", DIGEST),
    ("SR_ENVELOPE", CRYPT | WRAPPING),
];

/// The name of a row, which every row has.
fn name(row: &Mechanism) -> &'static str {
    row.id.name().unwrap_or_else(|| panic!("{} has no name", row.id))
}

#[test]
fn every_row_does_what_the_specification_says_and_nothing_else() {
    for row in all() {
        let bare = name(row).strip_prefix("CKM_").unwrap();
        let offered = OFFERED.iter().find(|(known, _)| *known == bare);
        let (_, flags) = offered.unwrap_or_else(|| panic!("{bare} is not expected"));
        assert_eq!(row.flags(), *flags, "{bare}");
    }
    assert_eq!(all().len(), OFFERED.len(), "every row that is expected is there, once");
}

#[test]
fn rows_are_found_by_their_numbers() {
    for row in all() {
        assert!(std::ptr::eq(find(row.id).unwrap(), row), "{}", name(row));
    }
    assert!(find(types::MechanismType(0x8000_0000)).is_none());
}

#[test]
fn sizes_of_curves_are_those_of_their_fields() {
    let bits = crypto::ec::Curve::ALL.map(|curve| curve.bits() as u64);
    let most = (bits.into_iter().min().unwrap(), bits.into_iter().max().unwrap());
    for row in all().filter(|row| row.traits != 0) {
        let key_type = row.keys.first().copied().or(row.makes);
        let expected = if key_type == Some(KeyType::EC) { most } else { (255, 255) };
        assert_eq!(row.key_size, expected, "{}", name(row));
    }
}

#[test]
fn the_columns_of_a_row_fit_each_other() {
    for row in all() {
        let name = name(row);
        let makes_key = row.flags() & (GENERATE | GENERATE_KEY_PAIR) != 0;
        let uses_key = row.flags() & (CRYPT | SIGNATURE | RECOVERY | WRAPPING | DERIVE) != 0;
        assert_eq!(row.makes.is_some(), makes_key, "{name} makes a key of a type");
        assert_eq!(!row.keys.is_empty(), uses_key, "{name} uses keys of a type");
        assert_eq!(!row.wraps.is_empty(), row.flags() & WRAPPING != 0, "{name} wraps keys of a class");
        assert!(row.key_size.0 <= row.key_size.1, "{name} takes no key");
        assert_eq!(row.key_size.1 != 0, makes_key || uses_key, "{name} has a size of key");
        if makes_key {
            assert_eq!(row.shape, Shape::None, "{name} is told by templates alone");
        }
        let curves = [KeyType::EC, KeyType::EC_EDWARDS, KeyType::EC_MONTGOMERY];
        let uses_curve = row.keys.iter().chain(&row.makes).any(|key_type| curves.contains(key_type));
        assert_eq!(row.traits != 0, uses_curve, "{name} says what curves it takes");
    }
}
