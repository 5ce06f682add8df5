use store::RecordId;
use types::{AttributeType, Mechanism, MechanismType, ObjectClass, ObjectHandle, Params, SessionHandle, Shape, Value};

use super::View;
use crate::{
    Engine, Error, alarms, mechanism,
    object::{self, Attributes, KeyState, Object, ObjectLocation, Origin},
    session::Session,
};

/// A key that was destroyed and can be restored.
pub struct PendingKey {
    record: RecordId,
    /// What it was.
    pub view: View,
}

impl Engine {
    /// The keys that were destroyed and can be restored. Those that are due are destroyed for good.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub fn pending_keys(&self, session: SessionHandle) -> Result<Vec<PendingKey>, Error> {
        let pending = self.session(session)?.slot.pending()?;
        Ok(pending.into_iter().map(|(record, object)| PendingKey { record, view: View::of(object) }).collect())
    }

    /// Brings keys back, disabled: all or none, as both halves of a pair.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if one is gone or was restored already, [`Error::SessionReadOnly`],
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub fn restore_keys(&self, session: SessionHandle, keys: &[&PendingKey]) -> Result<(), Error> {
        let session = self.session(session)?;
        session.must_be_read_write()?;
        let records: Vec<RecordId> = keys.iter().map(|key| key.record).collect();
        session.slot.restore(&records)
    }

    /// Puts a new version of a key in its place, with the same label and id: a secret key, or both halves of the pair of a private
    /// one. The old version decrypts and verifies only, and is found by its state or version, not by its name. The new one has the
    /// period of the old one, which begins anew.
    ///
    /// # Errors
    /// [`Error::KeyHandleInvalid`] if it is no token key that can be made here or has no public half, [`Error::KeyFunctionNotPermitted`]
    /// if it is not enabled, and those of [`Engine::generate_key`].
    pub fn rotate_key(&self, session: SessionHandle, key: ObjectHandle) -> Result<ObjectHandle, Error> {
        let session = self.session(session)?;
        session.must_be_read_write()?;
        let object = session.slot.object_or(key, &Error::KeyHandleInvalid)?;
        let ObjectLocation::Token { record, .. } = object.location else { return Err(Error::KeyHandleInvalid) };
        // What is for one import has no versions.
        if KeyState::of(&object.attributes) != KeyState::Enabled || object.facts.import_until.is_some() {
            return Err(Error::KeyFunctionNotPermitted);
        }
        let made_here = object.attributes.number(AttributeType::KEY_GEN_MECHANISM).map(MechanismType);
        let pair = object.attributes.class() == Some(ObjectClass::PRIVATE_KEY);
        let makes = |row: &&mechanism::Mechanism| {
            let able = if pair { row.generate_pair.is_some() } else { row.generate.is_some() };
            able && row.makes == object.attributes.key_type() && row.shape == Shape::None
        };
        let row = mechanism::all().filter(makes).max_by_key(|row| Some(row.id) == made_here);
        let row = row.ok_or(Error::KeyHandleInvalid)?;
        let mechanism = Mechanism { id: row.id, params: Params::None };
        let next = object::version(&object.attributes).saturating_add(1);
        let numbered = |mut attributes: Attributes| {
            attributes.set(AttributeType::SR_KEY_VERSION, Value::Number(next));
            if let Some(least) = object.attributes.number(AttributeType::SR_MIN_VERSION) {
                attributes.set(AttributeType::SR_MIN_VERSION, Value::Number(least));
            }
            attributes
        };
        // The half that is rotated has the period.
        let every = object.attributes.number(AttributeType::SR_ROTATE_EVERY).unwrap_or(0);
        let scheduled = |mut attributes: Attributes| {
            object::schedule(&mut attributes, every, alarms::now());
            numbered(attributes)
        };
        let origin = Origin::Generated(row.id);
        if !pair {
            let made = session.made_key(&mechanism, object::like(&object.attributes, origin))?;
            let handles = session.slot.rotate(vec![scheduled(made)], &[record])?;
            return handles.first().copied().ok_or(Error::KeyHandleInvalid);
        }
        let (public_record, public) = session.public_half(&object.attributes)?;
        let (public, private) = session.made_pair(
            &mechanism,
            object::like(&public.attributes, origin),
            object::like(&object.attributes, origin),
        )?;
        let handles = session.slot.rotate(vec![scheduled(private), numbered(public)], &[record, public_record])?;
        handles.first().copied().ok_or(Error::KeyHandleInvalid)
    }

    /// The alarms that were raised on this machine for this user's tokens, a line of JSON each, the oldest first.
    ///
    /// # Errors
    /// Those of reading a file.
    pub fn alarms(&self) -> std::io::Result<Vec<String>> {
        alarms::read(&self.settings().state)
    }
}

impl Session {
    /// The public half of a private key.
    fn public_half(&self, private: &Attributes) -> Result<(RecordId, Object), Error> {
        let info = private.bytes(AttributeType::PUBLIC_KEY_INFO).unwrap_or_default();
        let id = private.bytes(AttributeType::ID).unwrap_or_default();
        let template =
            [(AttributeType::CLASS, Value::Number(ObjectClass::PUBLIC_KEY.0)), (AttributeType::ID, Value::bytes(id))];
        for record in self.slot.search(&template)? {
            if let Some(public) = self.slot.load(record)?
                && object::matches(&public.attributes, &template)
                && public.attributes.bytes(AttributeType::PUBLIC_KEY_INFO) == Some(info)
            {
                return Ok((record, public));
            }
        }
        Err(Error::KeyHandleInvalid)
    }
}
