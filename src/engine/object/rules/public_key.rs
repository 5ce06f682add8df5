use types::AttributeType as A;

use super::{COPY, OFF, Rule, Silent, rule};

/// PKCS#11, "Public key objects". CKA_PUBLIC_CRC64_VALUE is left out here and for private keys: by its
/// footnote no key could be created without it, which no program does, and it has no byte order.
pub(super) const RULES: &[Rule] = &[
    rule(A::PRIVATE, &[COPY], OFF),
    rule(A::SUBJECT, &[8], Silent::Empty),
    rule(A::ENCRYPT, &[8], Silent::Able),
    rule(A::VERIFY, &[8], Silent::Able),
    rule(A::VERIFY_RECOVER, &[8], Silent::Able),
    rule(A::WRAP, &[8], Silent::Able),
    rule(A::ENCAPSULATE, &[8], Silent::Able),
    rule(A::TRUSTED, &[10], OFF),
    rule(A::WRAP_TEMPLATE, &[], Silent::Absent),
    rule(A::ENCAPSULATE_TEMPLATE, &[], Silent::Absent),
    rule(A::PUBLIC_KEY_INFO, &[], Silent::Computed),
];

/// PKCS#11, "RSA public key objects".
pub(super) const RSA: &[Rule] = &[
    rule(A::MODULUS, &[1, 4], Silent::Absent),
    rule(A::MODULUS_BITS, &[2, 3], Silent::Computed),
    rule(A::PUBLIC_EXPONENT, &[1], Silent::Absent),
];

/// PKCS#11, the public key objects of short Weierstrass, Edwards and Montgomery curves.
pub(super) const EC: &[Rule] =
    &[rule(A::EC_PARAMS, &[1, 3], Silent::Absent), rule(A::EC_POINT, &[1, 4], Silent::Absent)];

/// PKCS#11, "Diffie-Hellman public key objects".
pub(super) const DH: &[Rule] = &[
    rule(A::PRIME, &[1, 3], Silent::Absent),
    rule(A::BASE, &[1, 3], Silent::Absent),
    rule(A::VALUE, &[1, 4], Silent::Absent),
];

/// PKCS#11, "DSA public key objects".
pub(super) const DSA: &[Rule] = &[
    rule(A::PRIME, &[1, 3], Silent::Absent),
    rule(A::SUBPRIME, &[1, 3], Silent::Absent),
    rule(A::BASE, &[1, 3], Silent::Absent),
    rule(A::VALUE, &[1, 4], Silent::Absent),
];
