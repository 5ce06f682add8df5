//! Keys that were destroyed and can be restored for a time.

use std::collections::HashMap;

use store::RecordId;
use types::{AttributeType, ObjectHandle, Value};

use super::Slot;
use crate::{
    Error,
    alarms::{self, Alarm},
    hex::digits,
    object::{Attributes, KeyState, Object, common, is_barred, is_key, unschedule, version},
    token::Domain,
};

/// By what somebody looks for one key.
const NAMES: [AttributeType; 3] = [AttributeType::UNIQUE_ID, AttributeType::ID, AttributeType::LABEL];

/// So many seconds after a key was first seen to be late it is destroyed, if it is late then.
const SECOND_LOOK: u64 = 86_400;

pub(super) fn is_pending(attributes: &Attributes) -> bool {
    KeyState::of(attributes) == KeyState::PendingDeletion
}

/// Where a template looks: keys that are not found by what they are, are found by their state or version.
pub(crate) fn domains(template: &[(AttributeType, Value)]) -> &'static [Domain] {
    let named = |name| template.iter().find(|(given, _)| *given == name).map(|(_, value)| value);
    let state = named(AttributeType::SR_KEY_STATE).and_then(Value::as_number).map(KeyState::from_number);
    match (state, named(AttributeType::SR_KEY_VERSION)) {
        (Some(state), _) if state.is_hidden() => &[Domain::Hidden],
        (None, Some(_)) => &[Domain::Live, Domain::Hidden],
        _ => &[Domain::Live],
    }
}

pub(crate) fn asks_for_hidden(template: &[(AttributeType, Value)]) -> bool {
    domains(template).contains(&Domain::Hidden)
}

impl Slot {
    /// Destroys token objects, all or none; keys only after the token's window, if it has one. What is no key does not stand
    /// beside a key. A pair for an import (CKA_SR_IMPORT_UNTIL) goes at once.
    pub(super) fn destroy_records(&self, records: &[(RecordId, &Attributes)]) -> Result<(), Error> {
        let login = self.must_be_logged_in()?;
        let keys = records.iter().all(|(_, attributes)| is_key(attributes));
        // What is for one use only must not come back.
        let once = records.iter().any(|(_, attributes)| attributes.has(AttributeType::SR_IMPORT_UNTIL));
        let window = self.watched(self.token.lifecycle(Some(&login)))?.window().filter(|_| keys && !once);
        let records: Vec<RecordId> = records.iter().map(|(record, _)| *record).collect();
        let Some(window) = window else { return self.watched(self.token.remove(&login, &records)) };
        let until = alarms::now().saturating_add(window);
        let pending = |now: &Attributes| {
            if is_pending(now) {
                return Err(Error::ObjectHandleInvalid);
            }
            let mut pending = now.duplicate();
            pending.set(AttributeType::PAST_STATE, KeyState::of(now).value());
            pending.set(AttributeType::SR_KEY_STATE, KeyState::PendingDeletion.value());
            pending.set(AttributeType::SR_DELETE_AT, Value::Number(until));
            Ok(pending)
        };
        self.watched(self.token.replace(&login, Vec::new(), &records, &pending)).map(|_| ())
    }

    /// The keys that can be restored. Those that are due are gone.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn pending(&self) -> Result<Vec<(RecordId, Object)>, Error> {
        let login = self.must_be_logged_in()?;
        let state = [(AttributeType::SR_KEY_STATE, KeyState::PendingDeletion.value())];
        let mut pending = Vec::new();
        for record in self.watched(self.token.search(Some(&login), Domain::Hidden, &state))? {
            match self.watched(self.token.load(Some(&login), record)) {
                Ok(Some(object)) if is_pending(&object.attributes) => pending.push((record, object)),
                Ok(_) | Err(Error::ObjectDamaged) => {}
                Err(fault) => return Err(fault),
            }
        }
        let now = alarms::now();
        let at = |attributes: &Attributes, name| attributes.number(name);
        let late = |attributes: &Attributes| {
            is_pending(attributes) && at(attributes, AttributeType::SR_DELETE_AT).is_some_and(|at| at <= now)
        };
        // One clock that is wrong for a while destroys nothing: a key is late, and a day later it is so still.
        let is_due = |attributes: &Attributes| {
            let seen = at(attributes, AttributeType::DUE_SEEN);
            late(attributes) && seen.is_some_and(|seen| seen.saturating_add(SECOND_LOOK) <= now)
        };
        for (record, object) in &pending {
            let seen = at(&object.attributes, AttributeType::DUE_SEEN);
            if self.token.is_writable() && late(&object.attributes) != seen.is_some() {
                self.watched(self.token.update(&login, *record, &mut |attributes| {
                    let mut noted = attributes.duplicate();
                    match late(attributes) {
                        true if !attributes.has(AttributeType::DUE_SEEN) => {
                            noted.set(AttributeType::DUE_SEEN, Value::Number(now));
                        }
                        true => {}
                        false => drop(noted.remove(AttributeType::DUE_SEEN)),
                    }
                    Ok(noted)
                }))?;
            }
        }
        let due: Vec<RecordId> =
            pending.iter().filter(|(_, object)| is_due(&object.attributes)).map(|(record, _)| *record).collect();
        if !due.is_empty() {
            self.watched(self.token.purge(&login, &due, &is_due))?;
            pending.retain(|(record, _)| !due.contains(record));
        }
        Ok(pending)
    }

    /// Brings keys back, all or none: disabled, or what they were if that could do less.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if one is gone or was restored already, and the store's.
    pub(crate) fn restore(&self, records: &[RecordId]) -> Result<(), Error> {
        let login = self.must_be_logged_in()?;
        let mut least = HashMap::new();
        for record in records {
            if let Some(key) = self.watched(self.token.load(Some(&login), *record))? {
                least.insert(key.attributes.bytes(AttributeType::UNIQUE_ID).map(<[u8]>::to_vec), self.least_of(&key)?);
            }
        }
        let restored = |now: &Attributes| {
            if !is_pending(now) {
                return Err(Error::ObjectHandleInvalid);
            }
            let mut restored = now.duplicate();
            let before = restored.remove(AttributeType::PAST_STATE).and_then(|state| state.as_number());
            let state = before.map_or(KeyState::Disabled, KeyState::from_number).restored();
            restored.set(AttributeType::SR_KEY_STATE, state.value());
            restored.remove(AttributeType::SR_DELETE_AT);
            restored.remove(AttributeType::DUE_SEEN);
            // What was said of the versions while it was deleted holds for it, too.
            let unique_id = now.bytes(AttributeType::UNIQUE_ID).map(<[u8]>::to_vec);
            // The newest one is never barred.
            let bars = |least: &u64| state != KeyState::Disabled || *least <= version(now);
            if let Some(least) = least.get(&unique_id).copied().flatten().filter(bars) {
                restored.set(AttributeType::SR_MIN_VERSION, Value::Number(least));
            }
            Ok(restored)
        };
        self.watched(self.token.replace(&login, Vec::new(), records, &restored)).map(|_| ())
    }

    /// The least version that does anything, as the other versions of a key have it (CKA_SR_MIN_VERSION), retired and deleted ones too.
    fn least_of(&self, key: &Object) -> Result<Option<u64>, Error> {
        let (Some(login), Some(template)) = (self.login(), common(&key.attributes)) else { return Ok(None) };
        let unique_id = |key: &Object| key.attributes.bytes(AttributeType::UNIQUE_ID).map(<[u8]>::to_vec);
        let is_other = |other: &Object| unique_id(other) != unique_id(key);
        let mut least = None;
        for domain in [Domain::Live, Domain::Hidden] {
            for record in self.watched(self.token.search(Some(&login), domain, &template))? {
                match self.watched(self.token.load(Some(&login), record)) {
                    Ok(Some(other)) if is_other(&other) && crate::object::matches(&other.attributes, &template) => {
                        least = least.max(other.attributes.number(AttributeType::SR_MIN_VERSION));
                    }
                    // A damaged one says nothing.
                    Ok(_) | Err(Error::ObjectDamaged) => {}
                    Err(fault) => return Err(fault),
                }
            }
        }
        Ok(least)
    }

    /// Puts new versions of a key in the place of those that there are, which are retired: all or nothing.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if one is gone or was retired by somebody else, and the store's.
    pub(crate) fn rotate(&self, new: Vec<Attributes>, old: &[RecordId]) -> Result<Vec<ObjectHandle>, Error> {
        let login_number = self.login_number();
        let login = self.must_be_logged_in()?;
        let retired = |now: &Attributes| {
            if KeyState::of(now) != KeyState::Enabled {
                return Err(Error::ObjectHandleInvalid);
            }
            let mut retired = now.duplicate();
            retired.set(AttributeType::SR_KEY_STATE, KeyState::Retired.value());
            retired.set(AttributeType::SR_KEY_VERSION, Value::Number(version(now)));
            unschedule(&mut retired);
            Ok(retired)
        };
        let stored = self.watched(self.token.replace(&login, new, old, &retired))?;
        Ok(self.handles_of(stored, login_number))
    }

    /// Raises an alarm if somebody looks for a key that is pending.
    pub(super) fn notice_lookup(&self, template: &[(AttributeType, Value)]) -> Result<(), Error> {
        let Some(login) = self.login() else { return Ok(()) };
        let named = template.iter().any(|(name, _)| NAMES.contains(name));
        if !named || self.watched(self.token.lifecycle(Some(&login)))?.window().is_none() {
            return Ok(());
        }
        for record in self.watched(self.token.search(Some(&login), Domain::Hidden, template))? {
            if let Ok(Some(object)) = self.token.load(Some(&login), record)
                && is_pending(&object.attributes)
                && crate::object::matches(&object.attributes, template)
            {
                self.alarm(&object, "lookup");
            }
        }
        Ok(())
    }

    /// Raises an alarm for a key that is pending.
    pub(super) fn alarm(&self, object: &Object, operation: &'static str) {
        let deadline = object.attributes.number(AttributeType::SR_DELETE_AT).unwrap_or(0);
        let unique = object.attributes.bytes(AttributeType::UNIQUE_ID).unwrap_or_default();
        let (serial, unique) = (self.token.serial(), String::from_utf8_lossy(unique));
        let more = [
            ("gone_at", deadline.to_string()),
            ("restore", format!("strongroom key restore unique:{unique} --token {serial}")),
        ];
        self.alarm_about("pending-key", object, operation, &more);
    }

    /// Raises an alarm for a key whose state does not allow what somebody wants to do with it.
    pub(crate) fn alarm_of_state(&self, object: &Object, wanted: AttributeType) {
        let state = KeyState::of(&object.attributes);
        // What it would be allowed by its state, it is refused by the bar.
        let barred = is_barred(&object.attributes) && state.allows(wanted, object.facts.class);
        let state = if barred { "barred".to_owned() } else { state.to_string() };
        self.alarm_about("key-state", object, &wanted.to_string(), &[("state", state)]);
    }

    fn alarm_about(&self, kind: &'static str, object: &Object, operation: &str, more: &[(&'static str, String)]) {
        let attributes = &object.attributes;
        let text = |name| String::from_utf8_lossy(attributes.bytes(name).unwrap_or_default()).into_owned();
        let common = [
            ("unique_id", text(AttributeType::UNIQUE_ID)),
            ("operation", operation.to_owned()),
            ("token", self.token.serial()),
            ("key", text(AttributeType::LABEL)),
            ("id", digits(attributes.bytes(AttributeType::ID).unwrap_or_default())),
            ("user", self.role().map_or("nobody", |role| role.word()).to_owned()),
        ];
        let facts: Vec<_> = common.into_iter().chain(more.iter().cloned()).collect();
        self.alarms.raise(&Alarm { kind, facts: &facts });
    }
}

#[cfg(test)]
impl Slot {
    /// Changes an attribute of pending keys to what `number` says of their labels.
    pub(crate) fn set_pending(&self, name: AttributeType, number: &dyn Fn(&[u8]) -> u64) -> Result<(), Error> {
        let login = self.must_be_logged_in()?;
        let state = [(AttributeType::SR_KEY_STATE, KeyState::PendingDeletion.value())];
        for record in self.token.search(Some(&login), Domain::Hidden, &state)? {
            self.token.update(&login, record, &mut |now| {
                let mut changed = now.duplicate();
                changed.set(name, Value::Number(number(now.bytes(AttributeType::LABEL).unwrap_or_default())));
                Ok(changed)
            })?;
        }
        Ok(())
    }

    /// A pending key, due or not.
    pub(crate) fn first_pending(&self) -> Option<RecordId> {
        let state = [(AttributeType::SR_KEY_STATE, KeyState::PendingDeletion.value())];
        self.token.search(self.login().as_deref(), Domain::Hidden, &state).ok()?.first().copied()
    }
}
