use std::sync::Arc;

use types::{AttributeType, ObjectHandle, SessionHandle, Template, Value};

use crate::{
    Engine, Error,
    audit::Event,
    object::{self, Attributes, Object, ObjectBuilder, ObjectLocation, Origin, SessionRights},
    session::Session,
    token::Role,
};

/// An object as a caller sees it. It stays as it was when it was asked for.
pub struct View(Arc<Object>);

impl View {
    pub(super) fn of(object: Object) -> Self {
        Self(Arc::new(object))
    }

    /// An attribute's value.
    ///
    /// # Errors
    /// [`Error::AttributeSensitive`] if it may not be seen, [`Error::AttributeTypeInvalid`] if the object
    /// has no such attribute.
    pub fn attribute(&self, name: AttributeType) -> Result<&Value, Error> {
        object::readable(&self.0.attributes, name)
    }

    /// Every attribute that the object has and the caller may see.
    pub fn attributes(&self) -> impl Iterator<Item = (AttributeType, &Value)> {
        self.0.attributes.iter().filter(|(name, _)| self.attribute(*name).is_ok())
    }
}

/// An object with its handle.
type Held = (ObjectHandle, Arc<Object>);

impl Engine {
    /// Makes an object of what the template says.
    ///
    /// # Errors
    /// Those of templates, [`Error::SessionReadOnly`], [`Error::UserNotLoggedIn`], and the store's.
    pub fn create_object(&self, session: SessionHandle, template: Template) -> Result<ObjectHandle, Error> {
        let session = self.session(session)?;
        let builder = ObjectBuilder::new(template, Origin::Created, session.rights()?, &[])?;
        session.must_be_able_to_make(&builder)?;
        session.place(crypto::keys(|| builder.complete(Vec::new()))?)
    }

    /// Makes an object like another, but for what the template says.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`], [`Error::ActionProhibited`], and those of
    /// [`Engine::create_object`].
    pub fn copy_object(
        &self,
        session: SessionHandle,
        object: ObjectHandle,
        template: Template,
    ) -> Result<ObjectHandle, Error> {
        let session = self.session(session)?;
        let (handle, object) = (object, session.slot.object(object)?);
        let rights = session.rights()?;
        let copy = crypto::keys(|| object::copy(&object.attributes, template, rights));
        let copy = copy.inspect_err(|fault| session.note_refusal(handle, &object, "copy", fault))?;
        session.slot.note_copy(&session.tally, &object, &copy)?;
        session.place(copy)
    }

    /// # Errors
    /// [`Error::ObjectHandleInvalid`], [`Error::ActionProhibited`], [`Error::SessionReadOnly`], and the
    /// store's.
    pub fn destroy_object(&self, session: SessionHandle, handle: ObjectHandle) -> Result<(), Error> {
        let session = self.session(session)?;
        let object = session.slot.object(handle)?;
        if let ObjectLocation::Token { .. } = object.location {
            session.must_be_read_write()?;
        }
        session.must_be_destroyable(handle, &object)?;
        session.slot.destroy(handle, &object)
    }

    /// About how many bytes an object takes.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`].
    pub fn object_size(&self, session: SessionHandle, object: ObjectHandle) -> Result<u64, Error> {
        let session = self.session(session)?;
        Ok(object::size(&session.slot.object(object)?.attributes))
    }

    /// An object, to read its attributes.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`].
    pub fn object(&self, session: SessionHandle, object: ObjectHandle) -> Result<View, Error> {
        Ok(View(self.session(session)?.slot.object(object)?))
    }

    /// Changes attributes, all or none.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`], [`Error::ActionProhibited`], [`Error::AttributeReadOnly`] and the
    /// others of templates, [`Error::SessionReadOnly`], and the store's.
    pub fn set_attributes(&self, session: SessionHandle, handle: ObjectHandle, changes: Template) -> Result<(), Error> {
        let session = self.session(session)?;
        let object = session.slot.object(handle)?;
        let rights = session.rights()?;
        if let ObjectLocation::Token { .. } = object.location {
            session.must_be_read_write()?;
        }
        let changed =
            session.slot.change(handle, &mut |now| crypto::keys(|| object::modify(now, duplicate(&changes), rights)));
        changed.inspect_err(|fault| session.note_refusal(handle, &object, "change", fault))
    }

    /// Destroys token objects together, all or none: both halves of a pair.
    ///
    /// # Errors
    /// As [`Engine::destroy_object`]; [`Error::ObjectHandleInvalid`] also for a session object.
    pub fn destroy_objects(&self, session: SessionHandle, handles: &[ObjectHandle]) -> Result<(), Error> {
        let (session, objects) = self.together(session, handles)?;
        objects.iter().try_for_each(|(handle, object)| session.must_be_destroyable(*handle, object))?;
        session.slot.destroy_all(&objects)
    }

    /// Sets attributes of token objects together, all or none.
    ///
    /// # Errors
    /// As [`Engine::set_attributes`]; [`Error::ObjectHandleInvalid`] also for a session object.
    pub fn set_attributes_of_all(
        &self,
        session: SessionHandle,
        handles: &[ObjectHandle],
        changes: &Template,
    ) -> Result<(), Error> {
        let (session, objects) = self.together(session, handles)?;
        let rights = session.rights()?;
        let changed =
            session.slot.change_all(&objects, &|now| crypto::keys(|| object::modify(now, duplicate(changes), rights)));
        changed.inspect_err(|fault| {
            for (handle, object) in &objects {
                session.note_refusal(*handle, object, "change", fault);
            }
        })
    }

    /// Objects that are changed together.
    fn together(&self, session: SessionHandle, handles: &[ObjectHandle]) -> Result<(Arc<Session>, Vec<Held>), Error> {
        let session = self.session(session)?;
        session.must_be_read_write()?;
        let objects = handles.iter().map(|handle| Ok((*handle, session.slot.object(*handle)?)));
        let objects = objects.collect::<Result<Vec<_>, Error>>()?;
        Ok((session, objects))
    }
}

pub(super) fn duplicate(template: &Template) -> Template {
    template.iter().map(|(name, value)| (*name, value.duplicate())).collect()
}

/// So many refusals are written down of one session. Whoever goes on has been noticed.
const MOST_REFUSALS: usize = 64;

impl Session {
    fn must_be_destroyable(&self, handle: ObjectHandle, object: &Object) -> Result<(), Error> {
        if object.attributes.flag(AttributeType::DESTROYABLE) {
            return Ok(());
        }
        self.note_refusal(handle, object, "destroy", &Error::ActionProhibited);
        Err(Error::ActionProhibited)
    }

    /// Writes down that somebody wanted to do what an object of the token does not allow; once for each object and act, so that a
    /// loop does not fill the token. Where the token cannot be written, it is not.
    fn note_refusal(&self, handle: ObjectHandle, object: &Object, act: &'static str, fault: &Error) {
        let is_refusal = matches!(fault, Error::ActionProhibited | Error::AttributeReadOnly(_));
        if !is_refusal || matches!(object.location, ObjectLocation::Session(_)) {
            return;
        }
        let is_known = {
            let refusals = self.refusals.lock();
            refusals.len() >= MOST_REFUSALS || refusals.contains(&(handle, act))
        };
        if is_known {
            return;
        }
        match self.slot.note(&Event::refused(act, &object.attributes, fault)) {
            Ok(()) => drop(self.refusals.lock().insert((handle, act))),
            Err(fault) => tracing::warn!(%fault, "what was refused is not written down"),
        }
    }

    /// Who asks, as far as attributes care.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn rights(&self) -> Result<SessionRights, Error> {
        let role = self.slot.role();
        let (officer, user) = (role == Some(Role::Officer), role == Some(Role::User));
        Ok(SessionRights { officer, user, profile: self.profile()? })
    }

    /// Refuses early what [`Session::place`] would refuse after the work was done.
    pub(super) fn must_be_able_to_make(&self, builder: &ObjectBuilder) -> Result<(), Error> {
        self.must_be_able_to_keep(builder.attributes())
    }

    fn must_be_able_to_keep(&self, attributes: &Attributes) -> Result<(), Error> {
        if attributes.flag(AttributeType::TOKEN) {
            self.must_be_read_write()?;
        }
        if self.slot.may_see(attributes) { Ok(()) } else { Err(Error::UserNotLoggedIn) }
    }

    /// Keeps a new object where it wants to be, and gives it its handle.
    pub(super) fn place(&self, attributes: Attributes) -> Result<ObjectHandle, Error> {
        self.must_be_able_to_keep(&attributes)?;
        if !attributes.flag(AttributeType::TOKEN) {
            return self.slot.keep(self.handle, attributes);
        }
        let [handle] = self.store([attributes])?;
        Ok(handle)
    }

    /// Keeps a new key pair: if both are token objects, both or neither.
    pub(super) fn place_pair(
        &self,
        public: Attributes,
        private: Attributes,
    ) -> Result<(ObjectHandle, ObjectHandle), Error> {
        self.must_be_able_to_keep(&public)?;
        self.must_be_able_to_keep(&private)?;
        if !(public.flag(AttributeType::TOKEN) && private.flag(AttributeType::TOKEN)) {
            // At most one of the two is stored. It goes first: if it fails, nothing has happened.
            return if public.flag(AttributeType::TOKEN) {
                let public = self.place(public)?;
                Ok((public, self.place(private)?))
            } else {
                let private = self.place(private)?;
                Ok((self.place(public)?, private))
            };
        }
        let [public, private] = self.store([public, private])?;
        Ok((public, private))
    }

    /// Keeps token objects, all or none. Nothing is written for none.
    pub(super) fn place_all(&self, objects: Vec<Attributes>) -> Result<Vec<ObjectHandle>, Error> {
        objects.iter().try_for_each(|attributes| self.must_be_able_to_keep(attributes))?;
        if objects.is_empty() { Ok(Vec::new()) } else { self.slot.insert(objects) }
    }

    /// Stores token objects, all or none.
    fn store<const N: usize>(&self, objects: [Attributes; N]) -> Result<[ObjectHandle; N], Error> {
        let handles = self.slot.insert(objects.into())?;
        handles.try_into().map_err(|_| Error::Internal("the token stored another number of objects than it was given"))
    }
}
