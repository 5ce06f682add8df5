use types::{ObjectHandle, SessionHandle, Template};

use crate::{
    Engine, Error,
    object::{self, KeyState},
    operation::Search,
    session::Session,
    slot::asks_for_hidden,
};

impl Engine {
    /// Starts a search. What it finds are the objects that may be seen now and have every attribute of
    /// the template; sensitive values never match.
    ///
    /// # Errors
    /// [`Error::OperationActive`], and the store's.
    pub fn find_init(&self, session: SessionHandle, template: Template) -> Result<(), Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        if operations.search.is_some() {
            return Err(Error::OperationActive);
        }
        operations.search = Some(Search {
            records: session.slot.search(&template)?.into_iter(),
            session_objects: session.slot.session_objects().into_iter(),
            template,
        });
        Ok(())
    }

    /// The next objects of the search, at most `max`; none if it is at its end.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], and the store's: then the search is over.
    pub fn find(&self, session: SessionHandle, max: usize) -> Result<Vec<ObjectHandle>, Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        let mut search = operations.search.take().ok_or(Error::OperationNotInitialized)?;
        let mut found = Vec::new();
        while found.len() < max {
            match session.next(&mut search)? {
                Some(handle) => found.push(handle),
                None => break,
            }
        }
        operations.search = Some(search);
        Ok(found)
    }

    /// Ends a search.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`].
    pub fn find_final(&self, session: SessionHandle) -> Result<(), Error> {
        let session = self.session(session)?;
        let search = session.operations.lock().search.take();
        search.map(|_| ()).ok_or(Error::OperationNotInitialized)
    }
}

impl Session {
    /// The next object that matches.
    fn next(&self, search: &mut Search) -> Result<Option<ObjectHandle>, Error> {
        let slot = &self.slot;
        for handle in search.session_objects.by_ref() {
            // One that has ended in between is not found.
            if let Ok(object) = slot.object(handle)
                && object::matches(&object.attributes, &search.template)
            {
                return Ok(Some(handle));
            }
        }
        for record in search.records.by_ref() {
            let now = slot.freshness(record)?;
            let object = match slot.load(record) {
                Ok(Some(object)) => object,
                Ok(None) => continue,
                // It is there, and nobody can say what it is: whoever uses it is told.
                Err(Error::ObjectDamaged) => return Ok(Some(slot.handle_of_damaged(record, now))),
                Err(fault) => return Err(fault),
            };
            let hidden = KeyState::of(&object.attributes).is_hidden() && !asks_for_hidden(&search.template);
            if !hidden && object::matches(&object.attributes, &search.template) {
                return Ok(Some(slot.handle_of(record, object, now)));
            }
        }
        Ok(None)
    }
}
