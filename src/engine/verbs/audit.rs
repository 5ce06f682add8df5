use types::SessionHandle;

use crate::{
    Engine, Error,
    audit::{AuditEntry, Broken, Verified},
};

impl Engine {
    /// Reads what was written down of a token, the oldest first, and checks it. `each` sees the entries that are as they were
    /// written, up to the first that is not.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub fn audit(
        &self,
        session: SessionHandle,
        each: &mut dyn FnMut(&AuditEntry),
    ) -> Result<Result<Verified, Broken>, Error> {
        self.session(session)?.slot.audit(each)
    }

    /// Adds a checkpoint: an entry with a signature over those before it. It names the end of the chain of uses on this machine.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], [`Error::SessionReadOnly`], and the store's.
    pub fn audit_checkpoint(&self, session: SessionHandle) -> Result<(), Error> {
        let session = self.session(session)?;
        session.must_be_read_write()?;
        self.gather_uses(&session.slot);
        session.slot.try_to_write_uses();
        session.slot.audit_checkpoint()
    }

    /// The public key that checks the signatures of checkpoints: Ed25519, 32 bytes.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub fn audit_key(&self, session: SessionHandle) -> Result<Vec<u8>, Error> {
        self.session(session)?.slot.audit_key()
    }
}
