use types::AttributeType as A;

use super::{Rule, Silent, rule};

/// PKCS#11, "Key objects".
pub(super) const RULES: &[Rule] = &[
    rule(A::KEY_TYPE, &[1, 5], Silent::Absent),
    rule(A::ID, &[8], Silent::Empty),
    rule(A::START_DATE, &[8], Silent::Empty),
    rule(A::END_DATE, &[8], Silent::Empty),
    rule(A::DERIVE, &[8], Silent::Able),
    rule(A::LOCAL, &[2, 4, 6], Silent::Computed),
    rule(A::KEY_GEN_MECHANISM, &[2, 4, 6], Silent::Computed),
    // An empty list is no restriction: that is what other tokens give and what their clients understand.
    rule(A::ALLOWED_MECHANISMS, &[], Silent::Empty),
    rule(A::OBJECT_VALIDATION_FLAGS, &[4, 6], Silent::Number(0)),
    // Ours: include/strongroom.h says what they are.
    rule(A::SR_KEY_STATE, &[2, 4, 6, 8], Silent::Number(1)),
    rule(A::SR_DELETE_AT, &[2, 4, 6], Silent::Absent),
    rule(A::SR_KEY_VERSION, &[2, 4, 6], Silent::Absent),
    rule(A::SR_IMPORT_UNTIL, &[2, 6], Silent::Absent),
    rule(A::SR_MIN_VERSION, &[2, 4, 6, 8], Silent::Absent),
];
