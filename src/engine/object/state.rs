//! States of keys (NIST SP 800-57, part 1, section 7).

use types::{AttributeType, ObjectClass, Value};

use super::{Attributes, rotation::is_barred};

/// What may be done with a key now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// What it was made for.
    Enabled,
    /// Nothing, until somebody enables it again.
    Disabled,
    /// What it has protected may be opened and checked; nothing is protected with it any more. There is no way back.
    Compromised,
    /// Nothing: it was destroyed, and can be restored for a time. It is not found.
    PendingDeletion,
    /// As [`Self::Compromised`], since a newer version has taken its place. It is not found by its name.
    Retired,
}

/// The numbers of CKA_SR_KEY_STATE, which never change: `include/strongroom.h` has them too.
const NUMBERS: [(KeyState, u64, &str); 5] = [
    (KeyState::Enabled, 1, "enabled"),
    (KeyState::Disabled, 2, "disabled"),
    (KeyState::Compromised, 3, "compromised"),
    (KeyState::PendingDeletion, 4, "pending deletion"),
    (KeyState::Retired, 5, "retired"),
];

impl KeyState {
    /// The state of a key. One that has none is enabled; one that is not known lets nothing be done.
    #[must_use]
    pub(crate) fn of(attributes: &Attributes) -> Self {
        attributes.number(AttributeType::SR_KEY_STATE).map_or(Self::Enabled, Self::from_number)
    }

    /// What a key's uses are held against: one below the least version that does anything is as disabled.
    pub(crate) fn in_effect(attributes: &Attributes) -> Self {
        if is_barred(attributes) { Self::Disabled } else { Self::of(attributes) }
    }

    /// The state with this number.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        NUMBERS.iter().find(|(_, known, _)| *known == number).map_or(Self::Disabled, |(state, ..)| *state)
    }

    /// Its number (CKA_SR_KEY_STATE).
    #[must_use]
    pub fn number(self) -> u64 {
        NUMBERS.iter().find(|(state, ..)| *state == self).map_or(0, |(_, number, _)| *number)
    }

    /// Whether it is not found by what it is.
    pub(crate) fn is_hidden(self) -> bool {
        matches!(self, Self::PendingDeletion | Self::Retired)
    }

    /// As an attribute's value.
    #[must_use]
    pub fn value(self) -> Value {
        Value::Number(self.number())
    }

    /// Whether a key in this state may be used in this way, if it was made for it.
    pub(crate) fn allows(self, usage: AttributeType, class: Option<ObjectClass>) -> bool {
        const OPENS: [AttributeType; 4] =
            [AttributeType::DECRYPT, AttributeType::VERIFY, AttributeType::VERIFY_RECOVER, AttributeType::UNWRAP];
        match self {
            Self::Enabled => true,
            // To agree is how a private key opens what was encrypted for its public half.
            Self::Compromised | Self::Retired => {
                let agrees = usage == AttributeType::DERIVE && class == Some(ObjectClass::PRIVATE_KEY);
                agrees || OPENS.contains(&usage)
            }
            Self::Disabled | Self::PendingDeletion => false,
        }
    }

    /// What a key is that was destroyed in this state and is restored: never more than it was.
    pub(crate) fn restored(self) -> Self {
        match self {
            Self::Compromised | Self::Retired => self,
            Self::Enabled | Self::Disabled | Self::PendingDeletion => Self::Disabled,
        }
    }

    /// Whether a user may bring a key from this state to another by hand (`C_SetAttributeValue`).
    pub(crate) fn may_become(self, next: &Value) -> bool {
        let Some(next) = NUMBERS.iter().find(|(_, number, _)| next.as_number() == Some(*number)) else { return false };
        match (self, next.0) {
            (Self::Enabled | Self::Disabled, Self::Enabled | Self::Disabled | Self::Compromised) => true,
            (Self::Retired, Self::Compromised) => true,
            (now, next) => now == next,
        }
    }
}

impl std::fmt::Display for KeyState {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.pad(NUMBERS.iter().find(|(state, ..)| state == self).map_or("unknown", |(_, _, word)| word))
    }
}

#[cfg(test)]
mod tests {
    use AttributeType as A;

    use super::*;

    const USES: [A; 9] =
        [A::ENCRYPT, A::DECRYPT, A::SIGN, A::SIGN_RECOVER, A::VERIFY, A::VERIFY_RECOVER, A::WRAP, A::UNWRAP, A::DERIVE];

    #[test]
    fn each_state_allows_what_it_says() {
        let allowed =
            |state: KeyState, class| USES.into_iter().filter(|usage| state.allows(*usage, Some(class))).count();
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY, ObjectClass::PUBLIC_KEY] {
            assert_eq!(allowed(KeyState::Enabled, class), USES.len());
            assert_eq!(allowed(KeyState::Disabled, class) + allowed(KeyState::PendingDeletion, class), 0);
            let opens = if class == ObjectClass::PRIVATE_KEY { 5 } else { 4 };
            assert_eq!([KeyState::Compromised, KeyState::Retired].map(|state| allowed(state, class)), [opens; 2]);
        }
        assert!(!KeyState::Compromised.allows(A::SIGN, Some(ObjectClass::PRIVATE_KEY)));
        assert_eq!(KeyState::from_number(99), KeyState::Disabled, "a state of a newer release lets nothing be done");
    }

    #[test]
    fn nobody_comes_back_from_a_compromise_or_sets_what_only_the_token_sets() {
        let states = NUMBERS.map(|(state, ..)| state);
        let reached = |from: KeyState| {
            let next = states.into_iter().filter(|next| *next != from && from.may_become(&next.value()));
            next.collect::<Vec<_>>()
        };
        assert_eq!(reached(KeyState::Enabled), [KeyState::Disabled, KeyState::Compromised]);
        assert_eq!(reached(KeyState::Disabled), [KeyState::Enabled, KeyState::Compromised]);
        assert_eq!(reached(KeyState::Compromised), []);
        assert_eq!(reached(KeyState::PendingDeletion), []);
        assert_eq!(reached(KeyState::Retired), [KeyState::Compromised]);
        assert!(!KeyState::Enabled.may_become(&Value::Number(99)));
    }
}
