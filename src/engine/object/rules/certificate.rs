use types::{AttributeType as A, MechanismType};

use super::{COPY, OFF, Rule, Silent, rule};

/// PKCS#11, "Certificate objects".
pub(super) const RULES: &[Rule] = &[
    rule(A::PRIVATE, &[COPY], OFF),
    rule(A::CERTIFICATE_TYPE, &[1], Silent::Absent),
    rule(A::TRUSTED, &[10], OFF),
    rule(A::CERTIFICATE_CATEGORY, &[], Silent::Number(0)),
    rule(A::CHECK_VALUE, &[], Silent::Computed),
    rule(A::START_DATE, &[], Silent::Empty),
    rule(A::END_DATE, &[], Silent::Empty),
    rule(A::PUBLIC_KEY_INFO, &[], Silent::Empty),
];

/// "Only the CKA_ID, CKA_ISSUER, and CKA_SERIAL_NUMBER attributes may be modified."
pub(super) const X_509: &[Rule] = &[
    rule(A::SUBJECT, &[1], Silent::Absent),
    rule(A::ID, &[8], Silent::Empty),
    rule(A::ISSUER, &[8], Silent::Empty),
    rule(A::SERIAL_NUMBER, &[8], Silent::Empty),
    rule(A::VALUE, &[1], Silent::Absent),
    rule(A::URL, &[], Silent::Empty),
    rule(A::HASH_OF_SUBJECT_PUBLIC_KEY, &[], Silent::Empty),
    rule(A::HASH_OF_ISSUER_PUBLIC_KEY, &[], Silent::Empty),
    rule(A::JAVA_MIDP_SECURITY_DOMAIN, &[], Silent::Number(0)),
    rule(A::NAME_HASH_ALGORITHM, &[], Silent::Number(MechanismType::SHA_1.0)),
];

/// "Only the CKA_AC_ISSUER, CKA_SERIAL_NUMBER and CKA_ATTR_TYPES attributes may be modified."
pub(super) const ATTR_CERT: &[Rule] = &[
    rule(A::OWNER, &[1], Silent::Absent),
    rule(A::AC_ISSUER, &[8], Silent::Empty),
    rule(A::SERIAL_NUMBER, &[8], Silent::Empty),
    rule(A::ATTR_TYPES, &[8], Silent::Empty),
    rule(A::VALUE, &[1], Silent::Absent),
];

/// "Only the CKA_ISSUER attribute may be modified."
pub(super) const WTLS: &[Rule] = &[
    rule(A::SUBJECT, &[1], Silent::Absent),
    rule(A::ISSUER, &[8], Silent::Empty),
    rule(A::VALUE, &[1], Silent::Absent),
    rule(A::URL, &[], Silent::Empty),
    rule(A::HASH_OF_SUBJECT_PUBLIC_KEY, &[], Silent::Empty),
    rule(A::HASH_OF_ISSUER_PUBLIC_KEY, &[], Silent::Empty),
    rule(A::NAME_HASH_ALGORITHM, &[], Silent::Number(MechanismType::SHA_1.0)),
];
