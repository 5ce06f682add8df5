use types::AttributeType as A;

use super::{COPY, OFF, Rule, Silent, rule};

/// PKCS#11, "Data objects". Nothing there may be modified.
pub(super) const RULES: &[Rule] = &[
    rule(A::PRIVATE, &[COPY], OFF),
    rule(A::APPLICATION, &[], Silent::Empty),
    rule(A::OBJECT_ID, &[], Silent::Empty),
    rule(A::VALUE, &[], Silent::Empty),
];
