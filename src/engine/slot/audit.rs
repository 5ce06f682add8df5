//! What was written down of a slot's token.

use super::Slot;
use crate::{
    Error,
    audit::{AuditEntry, Broken, Event, Verified},
    object::Attributes,
};

impl Slot {
    /// Reads and checks it.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn audit(&self, each: &mut dyn FnMut(&AuditEntry)) -> Result<Result<Verified, Broken>, Error> {
        let login = self.must_be_logged_in()?;
        self.watched(self.token.audit(&login, each))
    }

    /// Writes down what changes nothing else.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn note(&self, event: &Event) -> Result<(), Error> {
        let login = self.must_be_logged_in()?;
        self.watched(self.token.note(&login, event))
    }

    /// Adds a checkpoint.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn audit_checkpoint(&self) -> Result<(), Error> {
        let login = self.must_be_logged_in()?;
        self.watched(self.token.checkpoint(&login))
    }

    /// A signed statement about a key.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn attest(&self, key: &Attributes, challenge: Option<&str>) -> Result<String, Error> {
        let login = self.must_be_logged_in()?;
        self.watched(self.token.attest(&login, key, challenge))
    }

    /// The public key that checks checkpoints.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn audit_key(&self) -> Result<Vec<u8>, Error> {
        let login = self.must_be_logged_in()?;
        self.watched(self.token.audit_key(&login))
    }
}
