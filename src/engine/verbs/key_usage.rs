use std::{ops::Deref, sync::Arc};

use types::{AttributeType, MechanismType, ObjectHandle, Params, Value};

use crate::{
    Error, alarms,
    mechanism::Mechanism,
    object::{Attributes, Object, Visibility},
    operation::{ContextLogin, ContextLoginRequest, KeyAuthorization},
    profile::Risk,
    session::Session,
    slot::LoginNumber,
    uses::{Operation, Outcome},
};

/// A use of a key: what must be true of the key, and what is said if it is not.
pub(super) struct KeyUsage {
    /// The attribute that allows it.
    pub(super) attribute: AttributeType,
    /// There is no such key.
    pub(super) no_key: Error,
    /// The mechanism does not take this type of key.
    pub(super) wrong_type: Error,
}

impl KeyUsage {
    const fn of(attribute: AttributeType) -> Self {
        Self { attribute, no_key: Error::KeyHandleInvalid, wrong_type: Error::KeyTypeInconsistent }
    }
}

pub(super) const ENCRYPT: KeyUsage = KeyUsage::of(AttributeType::ENCRYPT);
pub(super) const DECRYPT: KeyUsage = KeyUsage::of(AttributeType::DECRYPT);
pub(super) const SIGN: KeyUsage = KeyUsage::of(AttributeType::SIGN);
pub(super) const SIGN_RECOVER: KeyUsage = KeyUsage::of(AttributeType::SIGN_RECOVER);
pub(super) const VERIFY: KeyUsage = KeyUsage::of(AttributeType::VERIFY);
pub(super) const VERIFY_RECOVER: KeyUsage = KeyUsage::of(AttributeType::VERIFY_RECOVER);
pub(super) const DERIVE: KeyUsage = KeyUsage::of(AttributeType::DERIVE);
pub(super) const WRAP: KeyUsage = KeyUsage {
    attribute: AttributeType::WRAP,
    no_key: Error::WrappingKeyHandleInvalid,
    wrong_type: Error::WrappingKeyTypeInconsistent,
};
pub(super) const UNWRAP: KeyUsage = KeyUsage {
    attribute: AttributeType::UNWRAP,
    no_key: Error::UnwrappingKeyHandleInvalid,
    wrong_type: Error::UnwrappingKeyTypeInconsistent,
};

impl Session {
    /// The key behind a handle, if it may be used in this way with this mechanism.
    pub(super) fn key(&self, handle: ObjectHandle, usage: &KeyUsage, row: &Mechanism) -> Result<UsableKey, Error> {
        // Before the key is looked for: a logout in between ends the use.
        let login = self.now();
        let key = self.slot.key(&self.recent, handle, &usage.no_key)?;
        let checked = self.must_allow(&key, usage, row);
        // A key of another kind is a mistake, and no attempt.
        if checked.as_ref().err().is_none_or(|fault| *fault != usage.no_key && *fault != usage.wrong_type) {
            let outcome = if checked.is_ok() { Outcome::Allowed } else { Outcome::Denied };
            self.slot.note_use(&self.tally, &key, (Operation::By(usage.attribute), Some(row.id), outcome))?;
        }
        checked.map(|()| UsableKey { object: key, login })
    }

    /// The same without a word about it.
    pub(super) fn usable(&self, handle: ObjectHandle, usage: &KeyUsage, row: &Mechanism) -> Result<UsableKey, Error> {
        let login = self.now();
        let object = self.slot.object_or(handle, &usage.no_key)?;
        self.must_allow(&object, usage, row)?;
        Ok(UsableKey { object, login })
    }

    /// Writes down that a key was used on something that it does not open, if that is what the fault says.
    pub(super) fn note_failed(&self, by: Option<(ObjectHandle, MechanismType)>, usage: &KeyUsage, fault: &Error) {
        use crypto::Error as Fault;
        let opens_nothing = matches!(
            fault,
            Error::Crypto(Fault::CiphertextInvalid | Fault::CiphertextLength)
                | Error::AeadDecryptFailed
                | Error::WrappedKeyInvalid
                | Error::WrappedKeyLenRange
        );
        let Some((handle, mechanism)) = by.filter(|_| opens_nothing) else { return };
        let Ok(key) = self.slot.object(handle) else { return };
        let way = (Operation::By(usage.attribute), Some(mechanism), Outcome::Failed);
        // It does no harm that it cannot be written: that the key was used is written down before.
        let _ = self.slot.note_use(&self.tally, &key, way);
    }

    fn must_allow(&self, key: &Object, usage: &KeyUsage, row: &Mechanism) -> Result<(), Error> {
        let (attributes, facts) = (&key.attributes, &key.facts);
        let key_type = facts.key_type.ok_or_else(|| usage.no_key.clone())?;
        if !row.keys.contains(&key_type) {
            return Err(usage.wrong_type.clone());
        }
        if !attributes.flag(usage.attribute) {
            return Err(Error::KeyFunctionNotPermitted);
        }
        if !facts.state.allows(usage.attribute, facts.class) {
            self.slot.alarm_of_state(key, usage.attribute);
            return Err(Error::KeyFunctionNotPermitted);
        }
        if facts.dated && !is_in_time(attributes) && self.slot.dates_hold()? {
            return Err(Error::KeyFunctionNotPermitted);
        }
        if facts.import_until.is_some_and(|until| until <= alarms::now()) {
            return Err(Error::KeyFunctionNotPermitted);
        }
        must_be_allowed(key, row.id)?;
        for risk in row.risks(usage.attribute) {
            // Who names CBC with padding for a key knows what it answers.
            let named = risk == Risk::CbcPadDecryption && is_named(key, row.id);
            if !named && self.profile()?.refuses(risk) {
                return Err(Error::MechanismInvalid);
            }
        }
        Ok(())
    }

    /// What a running operation with this key has to look at before each step.
    pub(super) fn authorization(&self, key: &UsableKey) -> KeyAuthorization {
        let private = key.facts.visibility == Visibility::Private;
        let context_login = match key.must_not_ask_for_pin() {
            Ok(()) => ContextLogin::NotNeeded,
            Err(_) => ContextLogin::Needed(ContextLoginRequest::next()),
        };
        KeyAuthorization::new(private.then_some(key.login), context_login)
    }
}

/// A key that may be used, and the login in which it was found.
pub(super) struct UsableKey {
    object: Arc<Object>,
    login: LoginNumber,
}

impl UsableKey {
    /// The key itself.
    pub(super) fn object(&self) -> &Arc<Object> {
        &self.object
    }

    /// Refuses a key that asks for the PIN before each use (CKA_ALWAYS_AUTHENTICATE), where there is no
    /// operation that a login could release.
    pub(super) fn must_not_ask_for_pin(&self) -> Result<(), Error> {
        if self.facts.asks_for_pin { Err(Error::UserNotLoggedIn) } else { Ok(()) }
    }
}

impl Deref for UsableKey {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.object
    }
}

/// Whether today is between the dates of a key (CKA_START_DATE, CKA_END_DATE), the days themselves included.
fn is_in_time(key: &Attributes) -> bool {
    let date = |name| match key.get(name) {
        Some(Value::Date(date)) => date.map(|date| date.0),
        _ => None,
    };
    let (start, end) = (date(AttributeType::START_DATE), date(AttributeType::END_DATE));
    let today = alarms::today();
    // Digits of years, months and days stand in the order of time.
    start.is_none_or(|start| start <= today) && end.is_none_or(|end| today <= end)
}

/// The mechanisms that a key names; none if it names none.
fn named(key: &Object) -> &[u64] {
    key.attributes.get(AttributeType::ALLOWED_MECHANISMS).and_then(Value::as_numbers).unwrap_or_default()
}

fn is_named(key: &Object, mechanism: MechanismType) -> bool {
    named(key).contains(&mechanism.0)
}

/// A key with a list of mechanisms allows no others; one with an empty list allows all.
fn must_be_allowed(key: &Object, mechanism: MechanismType) -> Result<(), Error> {
    if !key.facts.names_mechanisms || is_named(key, mechanism) { Ok(()) } else { Err(Error::MechanismInvalid) }
}

impl Session {
    /// Refuses a MAC that is cut so short that the token does not take it for one.
    pub(super) fn must_be_long_enough(&self, params: &Params) -> Result<(), Error> {
        let short = matches!(params, Params::OutputLength(len) if *len < SHORTEST_MAC);
        if short && self.profile()?.refuses(Risk::ShortMac) { Err(Error::MechanismParamInvalid) } else { Ok(()) }
    }
}

/// MACs that are shorter than this are short.
const SHORTEST_MAC: u64 = 8;
