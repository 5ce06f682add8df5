use types::{ObjectHandle, SessionHandle};

use crate::{
    Engine, Error,
    attestation::LONGEST_CHALLENGE,
    object::{ObjectLocation, is_key},
};

impl Engine {
    /// A statement of the token about one of its keys, signed by the key of [`Engine::audit_key`]: a line of JSON without its end.
    /// Its text is made here, of what the key is; of the caller's it has the challenge. Nothing is written, so a read-only session does.
    ///
    /// # Errors
    /// [`Error::KeyHandleInvalid`] for what is no key of the token: a session object is in no statement, since it is gone with its
    /// session. [`Error::ArgumentsBad`] for a challenge without bytes or with more than [`LONGEST_CHALLENGE`],
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub fn attest(&self, session: SessionHandle, key: ObjectHandle, challenge: Option<&str>) -> Result<String, Error> {
        let session = self.session(session)?;
        let object = session.slot.object_or(key, &Error::KeyHandleInvalid)?;
        if !is_key(&object.attributes) || matches!(object.location, ObjectLocation::Session(_)) {
            return Err(Error::KeyHandleInvalid);
        }
        if challenge.is_some_and(|challenge| !(1..=LONGEST_CHALLENGE).contains(&challenge.len())) {
            return Err(Error::ArgumentsBad);
        }
        session.slot.attest(&object.attributes, challenge)
    }
}
