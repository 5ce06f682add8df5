use types::AttributeType as A;

use super::{COPY, OFF, ON, Rule, Silent, rule};

/// PKCS#11, "Common attributes" and "Storage objects". Who may see an object when nobody says anything
/// (CKA_PRIVATE) is in the tables of the classes.
pub(super) const RULES: &[Rule] = &[
    rule(A::CLASS, &[1], Silent::Absent),
    rule(A::UNIQUE_ID, &[2, 4, 6], Silent::Computed),
    rule(A::TOKEN, &[COPY], OFF),
    rule(A::LABEL, &[8], Silent::Empty),
    rule(A::MODIFIABLE, &[COPY], ON),
    // "Can't be set to TRUE once it is set to FALSE."
    rule(A::COPYABLE, &[12], ON),
    rule(A::DESTROYABLE, &[COPY], ON),
];
