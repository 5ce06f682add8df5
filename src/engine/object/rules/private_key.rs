use types::AttributeType as A;

use super::{COPY, OFF, ON, Rule, Silent, rule};

/// PKCS#11, "Private key objects". CKA_PUBLIC_KEY_INFO could be modified there, but only to what it is
/// already.
pub(super) const RULES: &[Rule] = &[
    rule(A::PRIVATE, &[COPY], ON),
    rule(A::SUBJECT, &[8], Silent::Empty),
    rule(A::SENSITIVE, &[8, 11], ON),
    rule(A::DECRYPT, &[8], Silent::Able),
    rule(A::SIGN, &[8], Silent::Able),
    rule(A::SIGN_RECOVER, &[8], Silent::Able),
    rule(A::UNWRAP, &[8], Silent::Able),
    rule(A::DECAPSULATE, &[8], Silent::Able),
    rule(A::EXTRACTABLE, &[8, 12], OFF),
    rule(A::ALWAYS_SENSITIVE, &[2, 4, 6], Silent::Computed),
    rule(A::NEVER_EXTRACTABLE, &[2, 4, 6], Silent::Computed),
    rule(A::WRAP_WITH_TRUSTED, &[11], OFF),
    rule(A::UNWRAP_TEMPLATE, &[], Silent::Absent),
    rule(A::DECAPSULATE_TEMPLATE, &[], Silent::Absent),
    rule(A::DERIVE_TEMPLATE, &[], Silent::Absent),
    rule(A::ALWAYS_AUTHENTICATE, &[], OFF),
    rule(A::PUBLIC_KEY_INFO, &[], Silent::Computed),
    // Ours: include/strongroom.h says what they are.
    rule(A::SR_ROTATE_EVERY, &[2, 4, 6, 8], Silent::Absent),
    rule(A::SR_ROTATE_AT, &[2, 4, 6], Silent::Absent),
];

/// PKCS#11, "RSA private key objects".
pub(super) const RSA: &[Rule] = &[
    rule(A::MODULUS, &[1, 4, 6], Silent::Absent),
    rule(A::PUBLIC_EXPONENT, &[1, 4, 6], Silent::Absent),
    rule(A::PRIVATE_EXPONENT, &[1, 4, 6, 7], Silent::Absent),
    rule(A::PRIME_1, &[4, 6, 7], Silent::Absent),
    rule(A::PRIME_2, &[4, 6, 7], Silent::Absent),
    rule(A::EXPONENT_1, &[4, 6, 7], Silent::Absent),
    rule(A::EXPONENT_2, &[4, 6, 7], Silent::Absent),
    rule(A::COEFFICIENT, &[4, 6, 7], Silent::Absent),
];

/// PKCS#11, the private key objects of short Weierstrass, Edwards and Montgomery curves.
pub(super) const EC: &[Rule] =
    &[rule(A::EC_PARAMS, &[1, 4, 6], Silent::Absent), rule(A::VALUE, &[1, 4, 6, 7], Silent::Absent)];

/// PKCS#11, "Diffie-Hellman private key objects". How long the value shall be, a template for a new pair may say.
pub(super) const DH: &[Rule] = &[
    rule(A::PRIME, &[1, 4, 6], Silent::Absent),
    rule(A::BASE, &[1, 4, 6], Silent::Absent),
    rule(A::VALUE, &[1, 4, 6, 7], Silent::Absent),
    rule(A::VALUE_BITS, &[2, 6], Silent::Computed),
];

/// PKCS#11, "DSA private key objects".
pub(super) const DSA: &[Rule] = &[
    rule(A::PRIME, &[1, 4, 6], Silent::Absent),
    rule(A::SUBPRIME, &[1, 4, 6], Silent::Absent),
    rule(A::BASE, &[1, 4, 6], Silent::Absent),
    rule(A::VALUE, &[1, 4, 6, 7], Silent::Absent),
];
