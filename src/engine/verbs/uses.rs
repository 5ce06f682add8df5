use std::sync::Arc;

use store::{UseEntry, UseTotal};
use types::SessionHandle;

use crate::{
    Engine, Error,
    audit::{Broken, Link},
    slot::Slot,
    token::UsesHead,
};

impl Engine {
    /// Reads what was written down of uses of a token's keys on this machine, the oldest first, and checks it. `each` sees the
    /// entries, with their links, up to the first that is not as it was written. `None` if nothing was written down.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], [`Error::Tampered`] if the end of the chain is not signed by the token, and the store's.
    pub fn uses(
        &self,
        session: SessionHandle,
        each: &mut dyn FnMut(&UseEntry, &Link),
    ) -> Result<Result<Option<UsesHead>, Broken>, Error> {
        let session = self.session(session)?;
        self.gather_uses(&session.slot);
        session.slot.try_to_write_uses();
        session.slot.read_uses(each)
    }

    /// How often keys of a token were used on this machine, in which ways, by which programs; or one, by its
    /// `CKA_UNIQUE_ID`.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub fn use_totals(&self, session: SessionHandle, key: Option<&str>) -> Result<Vec<UseTotal>, Error> {
        self.session(session)?.slot.use_totals(key)
    }

    /// The last uses of a key, the newest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub fn uses_of(&self, session: SessionHandle, key: &str, limit: usize) -> Result<Vec<UseEntry>, Error> {
        self.session(session)?.slot.uses_of(key, limit)
    }

    /// Takes over what the sessions with a slot have counted.
    pub(super) fn gather_uses(&self, slot: &Arc<Slot>) {
        for handle in slot.sessions() {
            if let Ok(session) = self.session(handle) {
                slot.tell(&session.tally);
            }
        }
    }

    /// Writes down what waits in every slot, as the module is finalised.
    pub(crate) fn write_all_uses(&self) {
        for slot in self.slots.all_opened() {
            self.gather_uses(&slot);
            slot.try_to_write_uses();
            slot.give_up_uses();
        }
    }
}
