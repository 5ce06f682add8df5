//! Versions of keys, and when a key is to be rotated.

use types::{AttributeType, Template, Value};

use super::Attributes;

/// Which version of a key it is, from 1.
pub(crate) fn version(key: &Attributes) -> u64 {
    key.number(AttributeType::SR_KEY_VERSION).unwrap_or(1)
}

/// Whether it is below the least version that does anything (CKA_SR_MIN_VERSION).
pub(crate) fn is_barred(key: &Attributes) -> bool {
    key.number(AttributeType::SR_MIN_VERSION).is_some_and(|least| version(key) < least)
}

/// What all versions of a key have in common; nothing of a key without a name, since it could be any.
pub(crate) fn common(key: &Attributes) -> Option<Template> {
    const NAMES: [AttributeType; 2] = [AttributeType::LABEL, AttributeType::ID];
    const COMMON: [AttributeType; 5] = [
        AttributeType::CLASS,
        AttributeType::KEY_TYPE,
        AttributeType::PRIVATE,
        AttributeType::LABEL,
        AttributeType::ID,
    ];
    let is_named = NAMES.iter().any(|name| key.bytes(*name).is_some_and(|bytes| !bytes.is_empty()));
    let common = COMMON.iter().filter_map(|name| Some((*name, key.get(*name)?.duplicate()))).collect();
    is_named.then_some(common)
}

/// Gives a key a period (CKA_SR_ROTATE_EVERY, in seconds), which begins now; none by 0.
pub(crate) fn schedule(key: &mut Attributes, every: u64, now: u64) {
    if every == 0 {
        unschedule(key);
    } else {
        key.set(AttributeType::SR_ROTATE_EVERY, Value::Number(every));
        key.set(AttributeType::SR_ROTATE_AT, Value::Number(now.saturating_add(every)));
    }
}

/// Takes a key's period from it.
pub(crate) fn unschedule(key: &mut Attributes) {
    key.remove(AttributeType::SR_ROTATE_EVERY);
    key.remove(AttributeType::SR_ROTATE_AT);
}
