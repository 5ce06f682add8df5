//! Objects: what they are made of, and the rules for their attributes.

mod attributes;
mod change;
pub(crate) mod check_value;
pub(crate) mod parts;
mod reading;
pub(crate) mod rules;
mod state;
mod template;
#[cfg(test)]
mod tests;
mod uses;

use std::sync::OnceLock;

use store::{RecordId, Revision};
use types::{AttributeType, SessionHandle, Value};

use crate::{Error, key::Material};

pub(crate) use attributes::{Attributes, Visibility};
pub(crate) use change::{copy, modify};
pub(crate) use reading::{matches, readable, size};
pub(crate) use rules::Origin;
pub use state::KeyState;
pub(crate) use template::{ObjectBuilder, SessionRights, like};
pub(crate) use uses::ever;

/// An object as it is at one time. Changing an object makes a new one.
pub(crate) struct Object {
    pub(crate) attributes: Attributes,
    pub(crate) location: ObjectLocation,
    /// What may be done with it, if it is a key. Asked at each use, so looked up once.
    pub(crate) state: KeyState,
    /// Whether it has a date, which may hold.
    pub(crate) dated: bool,
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

impl Object {
    pub(crate) fn new(attributes: Attributes, location: ObjectLocation) -> Self {
        let has_date = |name| matches!(attributes.get(name), Some(Value::Date(Some(_))));
        let dated = has_date(AttributeType::START_DATE) || has_date(AttributeType::END_DATE);
        Self { state: KeyState::of(&attributes), dated, attributes, location, material: OnceLock::new() }
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
