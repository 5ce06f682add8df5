//! Objects: what they are made of, and the rules for their attributes.

mod attributes;
mod change;
pub(crate) mod check_value;
pub(crate) mod parts;
mod reading;
mod rotation;
pub(crate) mod rules;
mod state;
mod template;
#[cfg(test)]
mod tests;
mod uses;

use std::sync::OnceLock;

use store::{RecordId, Revision};
use types::{AttributeType, KeyType, ObjectClass, SessionHandle, Value};

use crate::{Error, key::Material};

pub(crate) use attributes::{Attributes, Visibility};
pub(crate) use change::{copy, modify};
pub(crate) use reading::{matches, readable, size};
pub(crate) use rotation::{common, is_barred, schedule, unschedule, version};
pub(crate) use rules::Origin;
pub use state::KeyState;
pub(crate) use template::{ObjectBuilder, SessionRights, like};
pub(crate) use uses::{all as all_uses, ever, is_key};

/// An object as it is at one time. Changing an object makes a new one.
pub(crate) struct Object {
    pub(crate) attributes: Attributes,
    pub(crate) location: ObjectLocation,
    /// What each use of a key asks, looked up once.
    pub(crate) facts: Facts,
    /// What is ready to compute with; made at first use.
    material: OnceLock<Result<Material, Error>>,
}

/// Where an object lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectLocation {
    /// In the memory of this process, until the session that made it ends.
    Session(SessionHandle),
    /// In the token's store.
    Token { record: RecordId, version: Revision },
}

/// What is asked of a key at each use.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) class: Option<ObjectClass>,
    pub(crate) key_type: Option<KeyType>,
    pub(crate) visibility: Visibility,
    pub(crate) state: KeyState,
    /// It has a date, which may hold.
    pub(crate) dated: bool,
    /// Until when it unwraps, once, if it is for that (CKA_SR_IMPORT_UNTIL), in seconds since 1970.
    pub(crate) import_until: Option<u64>,
    /// It names the mechanisms that may use it.
    pub(crate) names_mechanisms: bool,
    /// It asks for the PIN before each use.
    pub(crate) asks_for_pin: bool,
}

impl Facts {
    fn of(attributes: &Attributes) -> Self {
        let has_date = |name| matches!(attributes.get(name), Some(Value::Date(Some(_))));
        let named = attributes.get(AttributeType::ALLOWED_MECHANISMS).and_then(Value::as_numbers);
        Self {
            class: attributes.class(),
            key_type: attributes.key_type(),
            visibility: attributes.visibility(),
            state: KeyState::in_effect(attributes),
            dated: has_date(AttributeType::START_DATE) || has_date(AttributeType::END_DATE),
            import_until: attributes.number(AttributeType::SR_IMPORT_UNTIL),
            names_mechanisms: named.is_some_and(|named| !named.is_empty()),
            asks_for_pin: attributes.flag(AttributeType::ALWAYS_AUTHENTICATE),
        }
    }
}

impl Object {
    pub(crate) fn new(attributes: Attributes, location: ObjectLocation) -> Self {
        Self { facts: Facts::of(&attributes), attributes, location, material: OnceLock::new() }
    }

    /// What is ready to compute with.
    ///
    /// # Errors
    /// Those of [`Material::prepare`], each time again.
    pub(crate) fn material(&self) -> Result<&Material, Error> {
        self.material
            .get_or_init(|| crypto::keys(|| Material::prepare(&self.attributes)))
            .as_ref()
            .map_err(Clone::clone)
    }
}
