use types::SessionHandle;

use crate::{Engine, Error, session::Session, token::Role};

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
    /// [`Error::UserAlreadyLoggedIn`], [`Error::UserAnotherAlreadyLoggedIn`], [`Error::SessionClosed`],
    /// [`Error::SessionReadOnlyExists`], and [`Error::OperationNotInitialized`] if no operation waits for
    /// a context-specific login.
    pub fn login(&self, session: SessionHandle, user: User, pin: &[u8]) -> Result<(), Error> {
        let session = self.session(session)?;
        match user {
            User::Officer => session.slot.log_in(session.handle, Role::Officer, pin),
            User::User => session.slot.log_in(session.handle, Role::User, pin),
            User::ContextSpecific => self.log_in_for_one_operation(&session, pin),
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
        self.gather_uses(&session.slot);
        session.slot.try_to_write_uses();
        session.slot.log_out()?;
        self.end_private_operations(&session);
        Ok(())
    }

    fn log_in_for_one_operation(&self, session: &Session, pin: &[u8]) -> Result<(), Error> {
        let request = session.operations.lock().context_login_request().ok_or(Error::OperationNotInitialized)?;
        // The user's key, so the user's PIN: officers see no private object.
        let verified = session.slot.verify_pin(Role::User, pin);
        if verified == Err(Error::PinLocked) && session.slot.log_out().is_ok() {
            self.end_private_operations(session);
        }
        verified?;
        session.operations.lock().give_context_login(request)
    }

    /// Ends what is going on with private keys in all sessions with the token. One that is computing just
    /// now is not waited for: it sees at its next call that the login is over.
    fn end_private_operations(&self, session: &Session) {
        for handle in session.slot.sessions() {
            if let Ok(other) = self.session(handle)
                && let Some(mut operations) = other.operations.try_lock()
            {
                operations.end_private();
            }
        }
    }
}
