use types::{AttributeType, Mechanism, ObjectClass, ObjectHandle, SessionHandle, Template, Value};

use crate::{
    Engine, Error, mechanism,
    object::{Attributes, ObjectBuilder, Origin},
    session::Session,
};

impl Engine {
    /// Makes a secret key.
    ///
    /// # Errors
    /// [`Error::MechanismInvalid`], [`Error::MechanismParamInvalid`], those of templates and of
    /// [`Engine::create_object`].
    pub fn generate_key(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        template: Template,
    ) -> Result<ObjectHandle, Error> {
        let session = self.session(session)?;
        let key = session.made_key(mechanism, template)?;
        session.place(key)
    }

    /// Makes a key pair: the public key and the private one. If neither template gives a CKA_ID, both get
    /// the same, made of the public key: many programs find a private key by its certificate's.
    ///
    /// # Errors
    /// Those of [`Engine::generate_key`].
    pub fn generate_key_pair(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        public: Template,
        private: Template,
    ) -> Result<(ObjectHandle, ObjectHandle), Error> {
        let session = self.session(session)?;
        let (public, private) = session.made_pair(mechanism, public, private)?;
        session.place_pair(public, private)
    }
}

impl Session {
    /// A secret key that is nowhere yet.
    pub(super) fn made_key(&self, mechanism: &Mechanism, template: Template) -> Result<Attributes, Error> {
        let row = mechanism::find(mechanism.id).ok_or(Error::MechanismInvalid)?;
        let generate = row.generate.ok_or(Error::MechanismInvalid)?;
        let preset = preset(ObjectClass::SECRET_KEY, row);
        let builder = ObjectBuilder::new(template, Origin::Generated(row.id), self.rights()?, &preset)?;
        self.must_be_able_to_make(&builder)?;
        crypto::keys(|| {
            let parts = generate(&mechanism.params, &builder)?;
            builder.complete(parts)
        })
    }

    /// A pair that is nowhere yet.
    pub(super) fn made_pair(
        &self,
        mechanism: &Mechanism,
        public: Template,
        private: Template,
    ) -> Result<(Attributes, Attributes), Error> {
        let row = mechanism::find(mechanism.id).ok_or(Error::MechanismInvalid)?;
        let generate = row.generate_pair.ok_or(Error::MechanismInvalid)?;
        let rights = self.rights()?;
        let origin = || Origin::Generated(row.id);
        let public = ObjectBuilder::new(public, origin(), rights, &preset(ObjectClass::PUBLIC_KEY, row))?;
        let private = ObjectBuilder::new(private, origin(), rights, &preset(ObjectClass::PRIVATE_KEY, row))?;
        self.must_be_able_to_make(&public)?;
        self.must_be_able_to_make(&private)?;
        let nameless = !public.attributes().has(AttributeType::ID) && !private.attributes().has(AttributeType::ID);
        let (mut public, mut private) = crypto::keys(|| {
            let (public_parts, private_parts) = generate(&mechanism.params, &public, &private)?;
            Ok::<_, Error>((public.complete(public_parts)?, private.complete(private_parts)?))
        })?;
        if nameless {
            name_after_public_key(&mut public, &mut private)?;
        }
        Ok((public, private))
    }
}

/// What the mechanism says about the key that it makes.
fn preset(class: ObjectClass, row: &mechanism::Mechanism) -> Vec<(AttributeType, Value)> {
    let class = (AttributeType::CLASS, Value::Number(class.0));
    let key_type = row.makes.map(|key_type| (AttributeType::KEY_TYPE, Value::Number(key_type.0)));
    [Some(class), key_type].into_iter().flatten().collect()
}

/// Gives both keys of a pair the SHA-1 of the public one as CKA_ID.
fn name_after_public_key(public: &mut Attributes, private: &mut Attributes) -> Result<(), Error> {
    let info = public.bytes(AttributeType::PUBLIC_KEY_INFO).unwrap_or_default();
    let mut digest = (crypto::SUITE.digest)(crypto::Hash::Sha1)?;
    digest.update(info);
    let mut id = [0; crypto::Hash::Sha1.output_len()];
    digest.finish(&mut id);
    for key in [public, private] {
        key.set(AttributeType::ID, Value::bytes(id));
    }
    Ok(())
}
