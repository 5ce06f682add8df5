use std::sync::Arc;

use types::{ObjectHandle, Output, OutputResult, SessionHandle, SlotId};

use crate::{
    Access, Engine, Error, SessionInfo,
    handles::Table,
    operation::{Operation, Operations},
    saved::StateKey,
    session::Session,
};

/// Ends the operations of one kind.
type Cancel = fn(&mut Operations);

/// The `CKF_` bits of `C_SessionCancel`, and what each of them ends.
const CANCELS: &[(u64, Cancel)] = &[
    (0x0000_0002, |operations| operations.message_encryption = None),
    (0x0000_0004, |operations| operations.message_decryption = None),
    (0x0000_0040, |operations| operations.search = None),
    (0x0000_0100, |operations| operations.encryption = Operation::Idle),
    (0x0000_0200, |operations| operations.decryption = Operation::Idle),
    (0x0000_0400, |operations| operations.digest = Operation::Idle),
    (0x0000_0800, |operations| operations.signature = Operation::Idle),
    (0x0000_1000, |operations| operations.signature_recovery = Operation::Idle),
    (0x0000_2000, |operations| operations.verification = Operation::Idle),
    (0x0000_4000, |operations| operations.verification_recovery = Operation::Idle),
];

impl Engine {
    /// # Errors
    /// [`Error::SlotIdInvalid`], [`Error::TokenNotInitialized`], [`Error::SessionReadWriteSoExists`].
    pub fn open_session(&self, slot: SlotId, access: Access) -> Result<SessionHandle, Error> {
        let slot = self.slots.open(slot, &self.settings)?;
        let handle = SessionHandle(Table::<Arc<Session>>::reserve());
        let generation = slot.open_session(handle, access)?;
        self.sessions.insert(handle.0, Arc::new(Session::new(handle, slot, access, generation)));
        Ok(handle)
    }

    /// Closes a session. Its session objects end with it, and with the token's last session the login.
    ///
    /// # Errors
    /// [`Error::SessionHandleInvalid`].
    pub fn close_session(&self, session: SessionHandle) -> Result<(), Error> {
        let session = self.sessions.remove(session.0).ok_or(Error::SessionHandleInvalid)?;
        session.slot.tell(&session.tally);
        if session.slot.uses_wait() && session.slot.sessions() == [session.handle] {
            // The login ends with it.
            session.slot.try_to_write_uses();
        }
        session.slot.close_session(session.handle)
    }

    /// Closes every session of this process with a slot.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`].
    pub fn close_all_sessions(&self, slot: SlotId) -> Result<(), Error> {
        let slot = match self.slots.open(slot, &self.settings) {
            Err(Error::TokenNotInitialized) => return Ok(()),
            opened => opened?,
        };
        for session in slot.sessions() {
            match self.close_session(session) {
                // Another thread may have closed it in between.
                Ok(()) | Err(Error::SessionHandleInvalid) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// # Errors
    /// [`Error::SessionHandleInvalid`].
    pub fn session_info(&self, session: SessionHandle) -> Result<SessionInfo, Error> {
        let session = self.session(session)?;
        Ok(SessionInfo { slot: session.slot.id, state: session.state(), access: session.access, device_error: 0 })
    }

    /// Ends the operations whose `CKF_` bits are set. Bits of kinds that this module does not have, and of
    /// operations that are not going on, end nothing.
    ///
    /// # Errors
    /// [`Error::SessionHandleInvalid`].
    pub fn session_cancel(&self, session: SessionHandle, flags: u64) -> Result<(), Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        for (bit, cancel) in CANCELS {
            if flags & bit != 0 {
                cancel(&mut operations);
            }
        }
        Ok(())
    }

    /// Saves a digest that is going on. No other operation is saved: one with a key could be run again with the same nonce, or
    /// after the login in which it may be.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`] if none is going on, [`Error::StateUnsaveable`] for any other than a digest alone.
    pub fn operation_state(&self, session: SessionHandle, room: Output<'_>) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let operations = session.operations.lock();
        if !operations.any_active() {
            return Err(Error::OperationNotInitialized);
        }
        let (digest, fed) = operations.only_digest().ok_or(Error::StateUnsaveable)?;
        match room {
            Output::LengthQuery => Ok(OutputResult::Length(StateKey::len(digest))),
            room @ Output::Buffer(_) => Ok(room.put(&self.state_key.seal(digest, fed)?)),
        }
    }

    /// Goes on with a digest that was saved in this process. What was going on in the session ends.
    ///
    /// # Errors
    /// [`Error::SavedStateInvalid`], and [`Error::KeyNotNeeded`] if a key is named: a digest has none.
    pub fn set_operation_state(
        &self,
        session: SessionHandle,
        state: &[u8],
        encryption_key: Option<ObjectHandle>,
        authentication_key: Option<ObjectHandle>,
    ) -> Result<(), Error> {
        let session = self.session(session)?;
        let (digest, fed) = self.state_key.open(state)?;
        if encryption_key.is_some() || authentication_key.is_some() {
            return Err(Error::KeyNotNeeded);
        }
        let digest = if fed { Operation::Streaming(digest) } else { Operation::Ready(digest) };
        *session.operations.lock() = Operations { digest, ..Operations::default() };
        Ok(())
    }
}
