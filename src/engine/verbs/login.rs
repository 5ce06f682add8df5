use types::SessionHandle;

use crate::{Engine, Error, operation::ContextLogin, session::Session, token::Role};

use super::sessions::log_out;

/// As whom somebody logs in (`CK_USER_TYPE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// The security officer.
    Officer,
    /// The user.
    User,
    /// Who is logged in already, for one use of a key that asks for the PIN each time.
    ContextSpecific,
}

impl Engine {
    /// Logs in to the session's token, for every session of this process with it.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::UserPinNotInitialized`],
    /// [`Error::UserAlreadyLoggedIn`], [`Error::UserAnotherAlreadyLoggedIn`],
    /// [`Error::SessionReadOnlyExists`], and [`Error::OperationNotInitialized`] if no operation waits for
    /// a context-specific login.
    pub fn login(&self, session: SessionHandle, user: User, pin: &[u8]) -> Result<(), Error> {
        let session = self.session(session)?;
        match user {
            User::Officer => log_in_officer(&session, pin),
            User::User => session.slot.token.login(Role::User, pin),
            User::ContextSpecific => self.context_login(&session, pin),
        }
    }

    /// Logs in with a name. This release has no named users: only an empty name is known.
    ///
    /// # Errors
    /// [`Error::UserTypeInvalid`] for a name, and those of [`Engine::login`].
    pub fn login_user(&self, session: SessionHandle, user: User, pin: &[u8], username: &[u8]) -> Result<(), Error> {
        self.session(session)?;
        if !username.is_empty() {
            return Err(Error::UserTypeInvalid);
        }
        self.login(session, user, pin)
    }

    /// Logs out of the session's token, for every session of this process with it. Private session
    /// objects are destroyed, and operations with private keys end.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`].
    pub fn logout(&self, session: SessionHandle) -> Result<(), Error> {
        let session = self.session(session)?;
        if session.slot.token.role().is_none() {
            return Err(Error::UserNotLoggedIn);
        }
        log_out(&session.slot);
        self.end_private_operations(&session);
        Ok(())
    }

    fn context_login(&self, session: &Session, pin: &[u8]) -> Result<(), Error> {
        if session.operations.lock().context_logins().next().is_none() {
            return Err(Error::OperationNotInitialized);
        }
        // The user's key, so the user's PIN: officers see no private object.
        let verified = session.slot.token.verify_pin(Role::User, pin);
        if verified == Err(Error::PinLocked) {
            log_out(&session.slot);
            self.end_private_operations(session);
        }
        verified?;
        for context_login in session.operations.lock().context_logins() {
            *context_login = ContextLogin::Given;
        }
        Ok(())
    }

    /// Ends what is going on with private keys in all sessions with the token. One that is computing just
    /// now is not waited for: it sees at its next call that the login is over.
    fn end_private_operations(&self, session: &Session) {
        let sessions = session.slot.open_sessions.lock().all();
        for handle in sessions {
            if let Ok(other) = self.session(handle)
                && let Some(mut operations) = other.operations.try_lock()
            {
                operations.end_private();
            }
        }
    }
}

fn log_in_officer(session: &Session, pin: &[u8]) -> Result<(), Error> {
    let slot = &session.slot;
    if !slot.open_sessions.lock().read_only.is_empty() {
        return Err(Error::SessionReadOnlyExists);
    }
    slot.token.login(Role::Officer, pin)?;
    // Checking a PIN takes long, so a read-only session may have been opened in between.
    if slot.open_sessions.lock().read_only.is_empty() {
        return Ok(());
    }
    log_out(slot);
    Err(Error::SessionReadOnlyExists)
}
