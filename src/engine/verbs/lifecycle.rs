use store::RecordId;
use types::SessionHandle;

use super::View;
use crate::{Engine, Error, alarms};

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

    /// Brings a key back, disabled.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if it is gone or was restored already, [`Error::SessionReadOnly`],
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub fn restore_key(&self, session: SessionHandle, key: &PendingKey) -> Result<(), Error> {
        let session = self.session(session)?;
        session.must_be_read_write()?;
        session.slot.restore(key.record)
    }

    /// The alarms that were raised on this machine for this user's tokens, a line of JSON each, the oldest first.
    ///
    /// # Errors
    /// Those of reading a file.
    pub fn alarms(&self) -> std::io::Result<Vec<String>> {
        alarms::read(&self.settings().state)
    }
}
