use types::AttributeType as A;

use super::{COPY, ERASE, OFF, ON, Rule, Silent, rule};

/// PKCS#11, "Secret key objects", and "Generic secret key objects" and "AES secret key objects", which are
/// alike. Only CKA_WRAP_WITH_TRUSTED can be set later among what has no footnote 8: footnote 11 says until
/// when.
pub(super) const RULES: &[Rule] = &[
    rule(A::PRIVATE, &[COPY], ON),
    rule(A::SENSITIVE, &[8, 11], ON),
    rule(A::ENCRYPT, &[8], Silent::Able),
    rule(A::DECRYPT, &[8], Silent::Able),
    rule(A::SIGN, &[8], Silent::Able),
    rule(A::VERIFY, &[8], Silent::Able),
    rule(A::WRAP, &[8], Silent::Able),
    rule(A::UNWRAP, &[8], Silent::Able),
    rule(A::EXTRACTABLE, &[8, 12], OFF),
    rule(A::ALWAYS_SENSITIVE, &[2, 4, 6], Silent::Computed),
    rule(A::NEVER_EXTRACTABLE, &[2, 4, 6], Silent::Computed),
    rule(A::CHECK_VALUE, &[ERASE], Silent::Computed),
    rule(A::WRAP_WITH_TRUSTED, &[11], OFF),
    rule(A::TRUSTED, &[10], OFF),
    rule(A::WRAP_TEMPLATE, &[], Silent::Absent),
    rule(A::UNWRAP_TEMPLATE, &[], Silent::Absent),
    rule(A::DERIVE_TEMPLATE, &[], Silent::Absent),
    rule(A::VALUE, &[1, 4, 6, 7], Silent::Absent),
    // Ours: include/strongroom.h says what they are.
    rule(A::SR_ROTATE_EVERY, &[2, 4, 6, 8], Silent::Absent),
    rule(A::SR_ROTATE_AT, &[2, 4, 6], Silent::Absent),
];

/// The length of a key of a type that has several.
pub(super) const LENGTH: &[Rule] = &[rule(A::VALUE_LEN, &[2, 3], Silent::Computed)];

/// The length of a key of a type that has one: the specification has no such attribute for it, and programs name it.
pub(super) const ONLY_LENGTH: &[Rule] = &[rule(A::VALUE_LEN, &[2], Silent::Computed)];
