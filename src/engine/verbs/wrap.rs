use crypto::Error as Fault;
use types::{
    AttributeType, Generator, Mechanism, MechanismType, MessageParams, ObjectClass, ObjectHandle, Output, OutputResult,
    Params, SessionHandle, Template, Value,
};

use crate::{
    Engine, Error,
    audit::Event,
    key::{MAX_SECRET_LEN, strength},
    mechanism::{self, Integrity},
    message::{self, Nonces},
    object::{self, Attributes, KeyState, Object, ObjectBuilder, ObjectLocation, Origin},
    profile::Risk,
    session::Session,
    uses::{Operation, Outcome},
    wrapping,
};

use super::{
    key_usage::{UNWRAP, UsableKey, WRAP},
    objects::duplicate,
};

impl Engine {
    /// Wraps a secret or private key.
    ///
    /// # Errors
    /// [`Error::WrappingKeyHandleInvalid`] and the others of a wrapping key that may not be used,
    /// [`Error::KeyHandleInvalid`], [`Error::KeyUnextractable`], [`Error::KeyNotWrappable`],
    /// [`Error::KeySizeRange`] if the mechanism cannot wrap one of its size.
    pub fn wrap_key(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        wrapping_key: ObjectHandle,
        key: ObjectHandle,
        out: Output<'_>,
    ) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let row = mechanism::find(mechanism.id).ok_or(Error::MechanismInvalid)?;
        session.must_have_integrity(row)?;
        let told = out.put(&session.wrapped(row, &mechanism.params, wrapping_key, key)?);
        session.note_wrapping(told, row, wrapping_key, key);
        Ok(told)
    }

    /// Wraps a key with associated data and a nonce that the token can make. If something was put out, the parameters have
    /// the nonce and the tag afterwards.
    ///
    /// # Errors
    /// As [`Engine::wrap_key`]; [`Error::MechanismParamInvalid`] also for a nonce that counts: each call would begin anew.
    pub fn wrap_key_authenticated(
        &self,
        session: SessionHandle,
        (mechanism, params): (MechanismType, &mut MessageParams),
        wrapping_key: ObjectHandle,
        key: ObjectHandle,
        aad: &[u8],
        out: Output<'_>,
    ) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let row = mechanism::find(mechanism).ok_or(Error::MechanismInvalid)?;
        let with = row.message.filter(|_| row.wrap.is_some()).ok_or(Error::MechanismInvalid)?;
        if !message::is_made_here(params.generator) {
            if params.generator != Generator::NO_GENERATE {
                return Err(Error::MechanismParamInvalid);
            }
            session.must_have_integrity(row)?;
        }
        let iv = Nonces::default().next(params)?;
        let wrapped =
            session.wrapped(row, &with(iv.clone(), message::copied(&[aad])?, params.tag_bits), wrapping_key, key)?;
        let split = wrapped
            .len()
            .checked_sub(message::tag_len(params.tag_bits)?)
            .and_then(|middle| wrapped.split_at_checked(middle));
        let (wrapped, tag) = split.ok_or(Error::Internal("a wrapped key without its tag"))?;
        let told = out.put(wrapped);
        if matches!(told, OutputResult::Written(_)) {
            (params.iv, params.tag) = (iv, tag.to_vec());
        }
        session.note_wrapping(told, row, wrapping_key, key);
        Ok(told)
    }

    /// Unwraps a key that was wrapped with associated data.
    ///
    /// # Errors
    /// As [`Engine::unwrap_key`]; [`Error::AeadDecryptFailed`] if it is not what was wrapped.
    pub fn unwrap_key_authenticated(
        &self,
        session: SessionHandle,
        (mechanism, params): (MechanismType, MessageParams),
        unwrapping_key: ObjectHandle,
        wrapped: &[u8],
        template: Template,
        aad: &[u8],
    ) -> Result<ObjectHandle, Error> {
        let session = self.session(session)?;
        let row = mechanism::find(mechanism).ok_or(Error::MechanismInvalid)?;
        let with = row.message.filter(|_| row.unwrap.is_some()).ok_or(Error::MechanismInvalid)?;
        if wrapped.len() > MOST_WRAPPED {
            return Err(Error::WrappedKeyLenRange);
        }
        if params.tag.len() != message::tag_len(params.tag_bits)? {
            return Err(Error::MechanismParamInvalid);
        }
        let joined = message::copied(&[wrapped, &params.tag])?;
        let params = with(params.iv, message::copied(&[aad])?, params.tag_bits);
        session.unwrapped(row, &params, unwrapping_key, &joined, template).map_err(|error| match error {
            Error::WrappedKeyInvalid => Error::AeadDecryptFailed,
            other => other,
        })
    }

    /// Unwraps a key and makes an object of it.
    ///
    /// # Errors
    /// [`Error::UnwrappingKeyHandleInvalid`] and the others of an unwrapping key that may not be used,
    /// [`Error::WrappedKeyInvalid`], [`Error::WrappedKeyLenRange`], those of templates and of
    /// [`Engine::create_object`].
    pub fn unwrap_key(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        unwrapping_key: ObjectHandle,
        wrapped: &[u8],
        template: Template,
    ) -> Result<ObjectHandle, Error> {
        let session = self.session(session)?;
        let row = mechanism::find(mechanism.id).ok_or(Error::MechanismInvalid)?;
        if row.unwrap.is_none() {
            return Err(Error::MechanismInvalid);
        }
        if wrapped.len() > MOST_WRAPPED {
            return Err(Error::WrappedKeyLenRange);
        }
        session.must_have_integrity(row)?;
        session.unwrapped(row, &mechanism.params, unwrapping_key, wrapped, template)
    }
}

impl Session {
    /// Writes down that a token key has left, wrapped. Where the token cannot be written, it leaves all the same.
    fn note_wrapping(&self, told: OutputResult, row: &mechanism::Mechanism, by: ObjectHandle, key: ObjectHandle) {
        let Ok(key) = self.slot.object(key) else { return };
        if !matches!(told, OutputResult::Written(_)) || !matches!(key.location, ObjectLocation::Token { .. }) {
            return;
        }
        let by = self.slot.object(by).ok();
        let text = |name| {
            let bytes = by.as_ref().and_then(|by| by.attributes.bytes(name)).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        let event = Event::wrapped(&key.attributes)
            .with("mechanism", row.id.to_string())
            .with("by_label", text(AttributeType::LABEL))
            .with("by_unique_id", text(AttributeType::UNIQUE_ID));
        if let Err(fault) = self.slot.note(&event) {
            tracing::warn!(%fault, "that a key was wrapped is not written down");
        }
    }

    /// A key as it leaves, wrapped.
    fn wrapped(
        &self,
        row: &mechanism::Mechanism,
        params: &Params,
        wrapping_key: ObjectHandle,
        key: ObjectHandle,
    ) -> Result<Vec<u8>, Error> {
        let wrap = row.wrap.ok_or(Error::MechanismInvalid)?;
        let wrapping_key = self.key(wrapping_key, &WRAP, row)?;
        let key = self.slot.object_or(key, &Error::KeyHandleInvalid)?;
        let may_leave = must_be_wrappable(&key, &wrapping_key, row).and_then(|()| {
            let is_weaker = strength::of(&wrapping_key) < strength::of(&key);
            let refused = is_weaker && self.profile()?.refuses(Risk::WeakWrapping);
            if refused { Err(Error::WrappingKeySizeRange) } else { Ok(()) }
        });
        may_leave.inspect_err(|_| {
            // It is refused whether it can be written down or not.
            let _ = self.slot.note_use(&self.tally, &key, (Operation::Wrapped, Some(row.id), Outcome::Denied));
        })?;
        self.slot.note_use(&self.tally, &key, (Operation::Wrapped, Some(row.id), Outcome::Allowed))?;
        let plain = crypto::keys(|| wrapping::to_wrap(&key, row))?;
        wrap(&wrapping_key, params, &plain).map_err(|error| match error {
            Error::Crypto(Fault::InputLength | Fault::InputValue) => Error::KeySizeRange,
            Error::KeySizeRange => Error::WrappingKeySizeRange,
            Error::KeyTypeInconsistent => Error::WrappingKeyTypeInconsistent,
            other => other,
        })
    }

    /// The object that a wrapped key becomes.
    fn unwrapped(
        &self,
        row: &mechanism::Mechanism,
        params: &Params,
        unwrapping_key: ObjectHandle,
        wrapped: &[u8],
        template: Template,
    ) -> Result<ObjectHandle, Error> {
        // A key of another kind, or none, is no import that is refused.
        let once = self.slot.object(unwrapping_key).ok().filter(|by| by.facts.import_until.is_some());
        let by = self.key(unwrapping_key, &UNWRAP, row);
        let opened = by.and_then(|by| self.opened_by_any(row, params, (unwrapping_key, &by), wrapped, template));
        let Some(by) = once else { return self.place(opened?) };
        match opened.and_then(|key| self.placed_once(unwrapping_key, &by, key)) {
            Ok(key) => {
                let text = |name| String::from_utf8_lossy(by.attributes.bytes(name).unwrap_or_default()).into_owned();
                let key_object = self.slot.object(key)?;
                let event = Event::imported(&key_object.attributes)
                    .with("mechanism", row.id.to_string())
                    .with("by_label", text(AttributeType::LABEL))
                    .with("by_unique_id", text(AttributeType::UNIQUE_ID));
                self.note_import(&event);
                Ok(key)
            }
            Err(fault) => {
                self.note_import(&Event::import_refused(&by.attributes, &fault));
                Err(fault)
            }
        }
    }

    /// Keeps what a key has unwrapped that does so once. That one goes first: of two who try, one finds it.
    fn placed_once(&self, handle: ObjectHandle, by: &Object, key: Attributes) -> Result<ObjectHandle, Error> {
        self.must_be_read_write()?;
        self.slot.destroy(handle, by).map_err(|error| match error {
            Error::ObjectHandleInvalid => Error::UnwrappingKeyHandleInvalid,
            other => other,
        })?;
        self.place(key)
    }

    /// Writes down what became of an import. Where the token cannot be written, that is not.
    fn note_import(&self, event: &Event) {
        if let Err(fault) = self.slot.note(event) {
            tracing::warn!(%fault, "what became of an import is not written down");
        }
    }

    /// What a wrapped key is to become, opened by a key or an older version of it.
    fn opened_by_any(
        &self,
        row: &mechanism::Mechanism,
        params: &Params,
        (handle, newest): (ObjectHandle, &UsableKey),
        wrapped: &[u8],
        template: Template,
    ) -> Result<Attributes, Error> {
        let mut opened = self.opened(row, params, newest, wrapped, duplicate(&template));
        let is_nothing = |opened: &Result<_, Unopened>| matches!(opened, Err(Unopened::Nothing(_)));
        if is_nothing(&opened) {
            for version in self.older(newest, &UNWRAP, row)? {
                let by_older = self.opened(row, params, &version, wrapped, duplicate(&template));
                if !is_nothing(&by_older) {
                    let way = (Operation::By(UNWRAP.attribute), Some(row.id), Outcome::Allowed);
                    self.slot.note_use(&self.tally, version.object(), way)?;
                    opened = by_older;
                    break;
                }
            }
        }
        opened.map_err(|unopened| match unopened {
            Unopened::Nothing(fault) => {
                self.note_failed(Some((handle, row.id)), &UNWRAP, &fault);
                fault
            }
            Unopened::Refused(fault) => fault,
        })
    }

    /// What a wrapped key is to become, checked and kept nowhere.
    fn opened(
        &self,
        row: &mechanism::Mechanism,
        params: &Params,
        unwrapping_key: &UsableKey,
        wrapped: &[u8],
        template: Template,
    ) -> Result<Attributes, Unopened> {
        let unwrap = row.unwrap.ok_or(Error::MechanismInvalid)?;
        unwrapping_key.must_not_ask_for_pin()?;
        let mut preset = embedded(&unwrapping_key.attributes, AttributeType::UNWRAP_TEMPLATE);
        // Also a copy of a trusted key, and one whose trust was taken back, unwrap what the trusted one has wrapped.
        let trusted = object::ever(&unwrapping_key.attributes, AttributeType::TRUSTED);
        if trusted {
            if row.integrity == Integrity::Unchecked {
                return Err(Error::MechanismInvalid.into());
            }
            // What a trusted key has wrapped could leave in no other way. It stays so.
            preset.extend(BOUND_TO_TRUST.map(|name| (name, Value::Flag(true))));
        }
        let builder = ObjectBuilder::new(template, Origin::Unwrapped, self.rights()?, &preset)?;
        self.must_be_able_to_make(&builder)?;
        let plain = crypto::keys(|| unwrap(unwrapping_key, params, wrapped)).map_err(|error| match error {
            Error::Crypto(Fault::CiphertextLength | Fault::InputLength) => Unopened::Nothing(Error::WrappedKeyLenRange),
            Error::Crypto(Fault::CiphertextInvalid | Fault::InputValue) => Unopened::Nothing(Error::WrappedKeyInvalid),
            Error::KeySizeRange => Unopened::Refused(Error::UnwrappingKeySizeRange),
            Error::KeyTypeInconsistent => Unopened::Refused(Error::UnwrappingKeyTypeInconsistent),
            other => Unopened::Refused(other),
        })?;
        let parts = crypto::keys(|| wrapping::from_wrapped(&plain, &builder, row))?;
        if trusted && wrapping::is_disguised(&plain, &builder) {
            return Err(Error::WrappedKeyInvalid.into());
        }
        Ok(crypto::keys(|| builder.complete(parts))?)
    }
}

/// Why a wrapped key becomes none.
enum Unopened {
    /// The key does not open it.
    Nothing(Error),
    /// It may not be, or what is in it is not what the template says.
    Refused(Error),
}

impl From<Error> for Unopened {
    fn from(fault: Error) -> Self {
        Self::Refused(fault)
    }
}

/// The template that a key carries for the keys that come out of it.
pub(super) fn embedded(key: &Attributes, name: AttributeType) -> Vec<(AttributeType, Value)> {
    let template = key.get(name).and_then(Value::as_template);
    template.into_iter().flatten().map(|(name, value)| (*name, value.duplicate())).collect()
}

impl Session {
    /// Refuses a wrapping that notices no change, where the token does.
    fn must_have_integrity(&self, row: &mechanism::Mechanism) -> Result<(), Error> {
        let refused = row.integrity == Integrity::Unchecked && self.profile()?.refuses(Risk::OpenWrapping);
        if refused { Err(Error::MechanismInvalid) } else { Ok(()) }
    }
}

/// No wrapped key is longer: that of the longest secret one, and what a mechanism puts around it.
const MOST_WRAPPED: usize = MAX_SECRET_LEN + 4096;

/// What a key that was wrapped by a trusted one has at least.
pub(super) const BOUND_TO_TRUST: [AttributeType; 2] = [AttributeType::SENSITIVE, AttributeType::WRAP_WITH_TRUSTED];

fn must_be_wrappable(key: &Object, wrapping_key: &Object, row: &mechanism::Mechanism) -> Result<(), Error> {
    let attributes = &key.attributes;
    if !matches!(attributes.class(), Some(ObjectClass::SECRET_KEY | ObjectClass::PRIVATE_KEY)) {
        return Err(Error::KeyNotWrappable);
    }
    if !attributes.flag(AttributeType::EXTRACTABLE) {
        return Err(Error::KeyUnextractable);
    }
    // Unwrapped again, it would be as if nothing had happened.
    if KeyState::of(attributes) != KeyState::Enabled {
        return Err(Error::KeyNotWrappable);
    }
    let needs_trust = attributes.flag(AttributeType::WRAP_WITH_TRUSTED);
    let trusted = wrapping_key.attributes.flag(AttributeType::TRUSTED) && row.integrity == Integrity::Checked;
    if needs_trust && !trusted {
        return Err(Error::KeyNotWrappable);
    }
    let demanded = wrapping_key.attributes.get(AttributeType::WRAP_TEMPLATE).and_then(Value::as_template);
    match demanded {
        Some(template) if !object::matches(attributes, template) => Err(Error::KeyNotWrappable),
        _ => Ok(()),
    }
}
