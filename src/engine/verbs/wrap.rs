use crypto::Error as Fault;
use types::{
    AttributeType, Mechanism, ObjectClass, ObjectHandle, Output, OutputResult, SessionHandle, Template, Value,
};

use crate::{
    Engine, Error, mechanism,
    object::{self, Attributes, Object, ObjectBuilder, Origin},
    wrapping,
};

use super::key_usage::{UNWRAP, WRAP};

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
        let wrap = row.wrap.ok_or(Error::MechanismInvalid)?;
        let wrapping_key = session.key(wrapping_key, &WRAP, row)?;
        let key = session.slot.object(key).map_err(|_| Error::KeyHandleInvalid)?;
        must_be_wrappable(&key, &wrapping_key)?;
        let plain = wrapping::to_wrap(&key, row)?;
        let wrapped = wrap(&wrapping_key, &mechanism.params, &plain).map_err(|error| match error {
            Error::Crypto(Fault::InputLength | Fault::InputValue) => Error::KeySizeRange,
            Error::KeySizeRange => Error::WrappingKeySizeRange,
            Error::KeyTypeInconsistent => Error::WrappingKeyTypeInconsistent,
            other => other,
        })?;
        Ok(out.put(&wrapped))
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
        let unwrap = row.unwrap.ok_or(Error::MechanismInvalid)?;
        let unwrapping_key = session.key(unwrapping_key, &UNWRAP, row)?;
        unwrapping_key.must_not_ask_for_pin()?;
        let preset = embedded(&unwrapping_key.attributes, AttributeType::UNWRAP_TEMPLATE);
        let builder = ObjectBuilder::new(template, Origin::Unwrapped, session.rights(), &preset)?;
        session.must_be_able_to_make(&builder)?;
        let plain = unwrap(&unwrapping_key, &mechanism.params, wrapped).map_err(|error| match error {
            Error::Crypto(Fault::CiphertextLength | Fault::InputLength) => Error::WrappedKeyLenRange,
            Error::Crypto(Fault::CiphertextInvalid | Fault::InputValue) => Error::WrappedKeyInvalid,
            Error::KeySizeRange => Error::UnwrappingKeySizeRange,
            Error::KeyTypeInconsistent => Error::UnwrappingKeyTypeInconsistent,
            other => other,
        })?;
        let parts = wrapping::from_wrapped(&plain, &builder, row)?;
        session.place(builder.complete(parts)?)
    }
}

/// The template that a key carries for the keys that come out of it.
pub(super) fn embedded(key: &Attributes, name: AttributeType) -> Vec<(AttributeType, Value)> {
    let template = key.get(name).and_then(Value::as_template);
    template.into_iter().flatten().map(|(name, value)| (*name, value.duplicate())).collect()
}

fn must_be_wrappable(key: &Object, wrapping_key: &Object) -> Result<(), Error> {
    let attributes = &key.attributes;
    if !matches!(attributes.class(), Some(ObjectClass::SECRET_KEY | ObjectClass::PRIVATE_KEY)) {
        return Err(Error::KeyNotWrappable);
    }
    if !attributes.flag(AttributeType::EXTRACTABLE) {
        return Err(Error::KeyUnextractable);
    }
    let needs_trust = attributes.flag(AttributeType::WRAP_WITH_TRUSTED);
    if needs_trust && !wrapping_key.attributes.flag(AttributeType::TRUSTED) {
        return Err(Error::KeyNotWrappable);
    }
    let demanded = wrapping_key.attributes.get(AttributeType::WRAP_TEMPLATE).and_then(Value::as_template);
    match demanded {
        Some(template) if !object::matches(attributes, template) => Err(Error::KeyNotWrappable),
        _ => Ok(()),
    }
}
