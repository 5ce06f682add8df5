//! Uses of keys that must stay apart, also one after the other.

use types::{AttributeType as A, ObjectClass, Value};

use super::{Attributes, SessionRights};
use crate::{Error, profile::Risk};

/// All uses of keys. Their places are bits of [`A::PAST_USES`], so they stay as they are.
const USES: [A; 12] = [
    A::ENCRYPT,
    A::DECRYPT,
    A::SIGN,
    A::SIGN_RECOVER,
    A::VERIFY,
    A::VERIFY_RECOVER,
    A::WRAP,
    A::UNWRAP,
    A::DERIVE,
    A::ENCAPSULATE,
    A::DECAPSULATE,
    // Not a use; but what a key was trusted for once, it stays bound to.
    A::TRUSTED,
];

/// Uses of which one shows what the other hides.
const APART: [(A, A, Risk); 2] =
    [(A::WRAP, A::DECRYPT, Risk::WrapAndDecrypt), (A::UNWRAP, A::ENCRYPT, Risk::UnwrapAndEncrypt)];

/// What a trusted key may do.
const OF_TRUST: [A; 2] = [A::WRAP, A::UNWRAP];

/// All uses of keys.
pub(crate) fn all() -> impl Iterator<Item = A> {
    USES.into_iter().filter(|name| *name != A::TRUSTED)
}

/// Whether an object is a key.
pub(crate) fn is_key(attributes: &Attributes) -> bool {
    let keys = [ObjectClass::SECRET_KEY, ObjectClass::PUBLIC_KEY, ObjectClass::PRIVATE_KEY];
    attributes.class().is_some_and(|class| keys.contains(&class))
}

/// Whether a key has a use, or had it once.
pub(crate) fn ever(attributes: &Attributes, name: A) -> bool {
    let past = attributes.number(A::PAST_USES).unwrap_or(0);
    let bit = USES.iter().position(|known| *known == name).map_or(0, |place| 1_u64 << place);
    attributes.flag(name) || past & bit != 0
}

/// What `after` has to remember of the uses that `before` had.
pub(super) fn remember(before: &Attributes, after: &mut Attributes) {
    let lost = USES.iter().enumerate().filter(|(_, name)| ever(before, **name) && !after.flag(**name));
    let past = lost.fold(0, |past, (place, _)| past | 1_u64 << place);
    if past != 0 {
        after.set(A::PAST_USES, Value::Number(past));
    }
}

/// Uses that a new key does not get unless they are asked for: those that would contradict what is asked for.
pub(super) fn not_by_default(asked: &Attributes, rights: SessionRights, name: A) -> bool {
    if asked.flag(A::TRUSTED) {
        return USES.contains(&name) && !OF_TRUST.contains(&name);
    }
    APART.iter().any(|&(wraps, shows, risk)| {
        // Where nobody asks for either, the key encrypts and decrypts.
        let yields =
            (name == wraps && (asked.flag(shows) || !asked.has(wraps))) || (name == shows && asked.flag(wraps));
        yields && rights.profile.refuses(risk)
    })
}

/// Refuses uses that a key must not have together, or ever have had.
///
/// # Errors
/// [`Error::TemplateInconsistent`].
pub(super) fn must_stay_apart(key: &Attributes, rights: SessionRights) -> Result<(), Error> {
    if !is_key(key) {
        return Ok(());
    }
    for (one, other, risk) in APART {
        if key.flag(one) && key.flag(other) && rights.profile.refuses(risk) {
            return Err(Error::TemplateInconsistent("one of the key's uses shows what the other hides"));
        }
    }
    if key.flag(A::TRUSTED) && rights.profile.refuses(Risk::LeakyTrust) {
        let others = USES.iter().filter(|name| !OF_TRUST.contains(name) && **name != A::TRUSTED);
        if others.into_iter().any(|name| ever(key, *name)) {
            return Err(Error::TemplateInconsistent("a trusted key wraps and unwraps, and never did anything else"));
        }
        let can_leave = key.flag(A::EXTRACTABLE) && !key.flag(A::WRAP_WITH_TRUSTED);
        // Who does not say whether a key is sensitive gets one that is.
        let can_be_read = key.get(A::SENSITIVE) == Some(&Value::Flag(false));
        if can_leave || can_be_read {
            return Err(Error::TemplateInconsistent("a trusted key cannot be read or wrapped by an untrusted one"));
        }
    }
    Ok(())
}

/// Whether two states of a key differ in what [`must_stay_apart`] looks at. A key that has been as it is may stay so.
pub(super) fn differ(before: &Attributes, after: &Attributes) -> bool {
    let protection = [A::SENSITIVE, A::EXTRACTABLE, A::WRAP_WITH_TRUSTED];
    USES.iter().chain(&protection).any(|name| before.flag(*name) != after.flag(*name))
}

/// Whether a key that is there may get or lose a use.
pub(super) fn may_change(object: &Attributes, name: A, value: &Value, rights: SessionRights) -> bool {
    if !is_key(object) || !USES.contains(&name) || name == A::TRUSTED {
        return true;
    }
    let changes = *value != Value::Flag(object.flag(name));
    if changes && ever(object, A::TRUSTED) && rights.profile.refuses(Risk::ChangedTrust) {
        return false;
    }
    let gained = changes && *value == Value::Flag(true);
    let beside = APART
        .iter()
        .any(|&(one, other, _)| (name == one && ever(object, other)) || (name == other && ever(object, one)));
    !(gained && beside && rights.profile.refuses(Risk::GainedUse))
}
