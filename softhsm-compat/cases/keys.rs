//! Keys that cases begin with. All are session objects that can be read, so that both modules take them alike.

use cryptoki_sys::*;

use crate::hsm::*;

/// The OID of P-256.
pub(crate) const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// A key of 1024 bits that OpenSSL made; it protects nothing.
const RSA: [(CK_ATTRIBUTE_TYPE, &str); 8] = [
    (
        CKA_MODULUS,
        "a98db7ceae2ed0761735f309fe05c63f9babd4e9d8f43d8b60d3be3e8e3c9c1fa852f2c9e376e0fbc119b333295ab67a91ddc6e6aed53e06dc1c00689a8034145b861fa03e4fdaaf19a4c582e39f5ae0173991e4afbeb570f1d53ad0e32aeab334b0ed33498df7d0ab65d9c94bef6d130fb2196a564784d32e04446b9433feb1",
    ),
    (
        CKA_PRIVATE_EXPONENT,
        "8c6a22e874f3ac0bc0191b9710d9b35e860afd9e53dfa1004645d4ed7559d869973a6a7aab778dc6b01a1a7faa25c7ad2613a65ef03704d12583c30addb882676858071e718e3c2d41f8d95f28b5ca8a5562509ba53eb14a84fd7a5f3a1d30bf53d2653689ba49e675448e565a5d787dc5e91b78cb9e96a09e5c1fd889051a49",
    ),
    (
        CKA_PRIME_1,
        "d617ce443f0ba945074ebc0d28f698016162b3ec73b3d4cecbd7434088e76d90fb772b3618ec65c24a7709a7e345b82a1db222c74f851192648c6c3dd896dae7",
    ),
    (
        CKA_PRIME_2,
        "cabe0b37dcfb3e804be8af82a4b3e57b36de86f6b028c5235bfb0baeb529f9eb49f64fddbe484ae5177586e235b1a54f708c326fdcde27d35ca107d7f556fea7",
    ),
    (
        CKA_EXPONENT_1,
        "0292289cf330dda8818cf57f26f5c71f851edd5042976f3fc87cde46e11dfe57d65d38fc9e52006ad3e01812970d18481131396fb149c4cb403fdb70e6aff113",
    ),
    (
        CKA_EXPONENT_2,
        "58ebd16fc6f44b0d6a3dbbfcc8d03e2e347a95274d4c146ad5c4ddf2da7276b2c3d5cc61ad3b77ddd2d4313cb5e01c69232bda5345c40a23a1d4dee3d12f3eb1",
    ),
    (
        CKA_COEFFICIENT,
        "907c70542b42caf7512bdb95bfc62e59aab350f844352cc888d62eb55c8f2c415ec2cb0571ddf0d2623fd4d2be7ec0e053ca1dfe1905b79d8e62d7181ba61d1a",
    ),
    (CKA_PUBLIC_EXPONENT, "010001"),
];

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn rsa(names: &[CK_ATTRIBUTE_TYPE]) -> Vec<Attribute> {
    RSA.iter().filter(|(name, _)| names.contains(name)).map(|(name, value)| Attribute(*name, unhex(value))).collect()
}

/// What every object of a case is: of the session, for anybody.
pub(crate) fn open() -> Vec<Attribute> {
    vec![no(CKA_TOKEN), no(CKA_PRIVATE)]
}

/// The same for keys: it can be read, too.
pub(crate) fn readable() -> Vec<Attribute> {
    vec![no(CKA_TOKEN), no(CKA_PRIVATE), no(CKA_SENSITIVE), yes(CKA_EXTRACTABLE)]
}

pub(crate) fn rsa_public_template() -> Vec<Attribute> {
    let mut all = vec![
        number(CKA_CLASS, CKO_PUBLIC_KEY),
        number(CKA_KEY_TYPE, CKK_RSA),
        yes(CKA_VERIFY),
        yes(CKA_ENCRYPT),
        yes(CKA_WRAP),
    ];
    all.extend(open());
    all.extend(rsa(&[CKA_MODULUS, CKA_PUBLIC_EXPONENT]));
    all
}

pub(crate) fn rsa_private_template() -> Vec<Attribute> {
    let mut all = vec![
        number(CKA_CLASS, CKO_PRIVATE_KEY),
        number(CKA_KEY_TYPE, CKK_RSA),
        yes(CKA_SIGN),
        yes(CKA_DECRYPT),
        yes(CKA_UNWRAP),
    ];
    all.extend(readable());
    all.extend(rsa(&RSA.map(|(name, _)| name)));
    all
}

/// The key's two halves.
pub(crate) fn rsa_pair(hsm: &Hsm) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    (hsm.create(&rsa_public_template()), hsm.create(&rsa_private_template()))
}

pub(crate) fn secret_template(kind: CK_KEY_TYPE, value: &[u8]) -> Vec<Attribute> {
    let mut all = vec![number(CKA_CLASS, CKO_SECRET_KEY), number(CKA_KEY_TYPE, kind), bytes(CKA_VALUE, value)];
    all.extend(readable());
    all
}

/// An AES key of bytes that count from zero, for all that it can do.
pub(crate) fn aes(hsm: &Hsm, length: u8) -> CK_OBJECT_HANDLE {
    let value: Vec<u8> = (0..length).collect();
    let uses = [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_SIGN, CKA_VERIFY, CKA_DERIVE].map(yes);
    hsm.create(&joined(&secret_template(CKK_AES, &value), &uses))
}

/// A generic secret of bytes that count from zero, for MACs.
pub(crate) fn generic(hsm: &Hsm, length: u8) -> CK_OBJECT_HANDLE {
    let value: Vec<u8> = (0..length).collect();
    let uses = [CKA_SIGN, CKA_VERIFY, CKA_DERIVE].map(yes);
    hsm.create(&joined(&secret_template(CKK_GENERIC_SECRET, &value), &uses))
}

/// A pair on a named curve, made inside: for signatures and for agreement.
pub(crate) fn ec_pair(hsm: &Hsm, curve: &[u8]) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let public = joined(&open(), &[bytes(CKA_EC_PARAMS, curve), yes(CKA_VERIFY)]);
    let private = joined(&readable(), &[yes(CKA_SIGN), yes(CKA_DERIVE)]);
    hsm.try_pair(&plain(CKM_EC_KEY_PAIR_GEN), &public, &private).map_err(name).unwrap()
}
