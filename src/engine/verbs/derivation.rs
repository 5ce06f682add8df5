use types::{
    AttributeType, KeyType, Mechanism, MechanismType, ObjectClass, ObjectHandle, SessionHandle, Template, Value,
};

use crate::{
    Engine, Error, mechanism,
    object::{ObjectBuilder, Origin},
    profile::Risk,
};

use super::{
    key_usage::DERIVE,
    wrap::{BOUND_TO_TRUST, embedded},
};

/// Keys that are shorter are found by trying: 112 bits (NIST SP 800-131A).
const SHORTEST: usize = 14;

impl Engine {
    /// Writes down that what a key was derived for was opened by nothing of it, as `derive failed`: for a caller who finds that out
    /// by itself, since what is derived is a key of the session. No harm is done where it cannot be written.
    ///
    /// # Errors
    /// [`Error::SessionHandleInvalid`].
    pub fn note_vain_derivation(
        &self,
        session: SessionHandle,
        mechanism: MechanismType,
        base: ObjectHandle,
    ) -> Result<(), Error> {
        let session = self.session(session)?;
        session.note_failed(Some((base, mechanism)), &DERIVE, &Error::AeadDecryptFailed);
        Ok(())
    }

    /// Derives a key from another. A template that does not say so gets a secret key, a generic one.
    ///
    /// # Errors
    /// [`Error::MechanismInvalid`], [`Error::MechanismParamInvalid`], those of a key that may not be used,
    /// of templates and of [`Engine::create_object`].
    pub fn derive_key(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        base: ObjectHandle,
        mut template: Template,
    ) -> Result<ObjectHandle, Error> {
        let session = self.session(session)?;
        let row = mechanism::find(mechanism.id).ok_or(Error::MechanismInvalid)?;
        let derive = row.derive.ok_or(Error::MechanismInvalid)?;
        let base = session.key(base, &DERIVE, row)?;
        base.must_not_ask_for_pin()?;
        let defaults =
            [(AttributeType::CLASS, ObjectClass::SECRET_KEY.0), (AttributeType::KEY_TYPE, KeyType::GENERIC_SECRET.0)];
        for (name, number) in defaults {
            if !template.iter().any(|(given, _)| *given == name) {
                template.push((name, Value::Number(number)));
            }
        }
        let flags = &base.attributes;
        // An agreed secret is as much the peer's as ours: it says nothing about the private key, and the
        // template says what becomes of it.
        let agreement = flags.class() == Some(ObjectClass::PRIVATE_KEY);
        let rights = session.rights()?;
        let free = agreement && !rights.profile.refuses(Risk::ReadableAgreement);
        let origin = Origin::Derived {
            always_sensitive: flags.flag(AttributeType::ALWAYS_SENSITIVE),
            never_extractable: flags.flag(AttributeType::NEVER_EXTRACTABLE),
            sensitive: !free && flags.flag(AttributeType::SENSITIVE),
            extractable: free || flags.flag(AttributeType::EXTRACTABLE),
        };
        let mut preset = embedded(flags, AttributeType::DERIVE_TEMPLATE);
        if !agreement && flags.flag(AttributeType::WRAP_WITH_TRUSTED) {
            preset.extend(BOUND_TO_TRUST.map(|name| (name, Value::Flag(true))));
        }
        let builder = ObjectBuilder::new(template, origin, rights, &preset)?;
        session.must_be_able_to_make(&builder)?;
        let value = crypto::keys(|| derive(&base, &mechanism.params, &builder))?;
        if value.len() < SHORTEST && rights.profile.refuses(Risk::ShortDerivation) {
            return Err(Error::KeySizeRange);
        }
        let mut key = crypto::keys(|| builder.complete(vec![(AttributeType::VALUE, Value::Bytes(value.into()))]))?;
        if flags.flag(AttributeType::ADOPTED) {
            // It has from its base how it was protected.
            key.set(AttributeType::ADOPTED, Value::Flag(true));
        }
        session.place(key)
    }
}
