use types::{Mechanism, ObjectHandle, Output, OutputResult, SessionHandle};

use crate::{
    Engine, Error, mechanism,
    operation::{Keyed, LengthHint, Operation},
};

use super::key_usage::ENCRYPT;

/// What is known of a nonce that comes from outside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nonce {
    Anybodys,
    Unique,
}

impl Engine {
    /// # Errors
    /// [`Error::OperationActive`], [`Error::MechanismInvalid`], [`Error::MechanismParamInvalid`], and those
    /// of a key that may not be used.
    pub fn encrypt_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<(), Error> {
        self.begin_encryption(session, mechanism, key, Nonce::Anybodys)
    }

    /// As [`Engine::encrypt_init`], for a caller who knows that the nonce never comes again under this key. Not to be offered to
    /// others: the command's own formats use it, which have a fresh key for each file and a number for each part.
    ///
    /// # Errors
    /// Those of [`Engine::encrypt_init`].
    pub fn encrypt_init_with_own_nonce(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        key: ObjectHandle,
    ) -> Result<(), Error> {
        self.begin_encryption(session, mechanism, key, Nonce::Unique)
    }

    fn begin_encryption(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        key: ObjectHandle,
        nonce: Nonce,
    ) -> Result<(), Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        operations.encryption.must_be_idle()?;
        let row = mechanism::find(mechanism.id).ok_or(Error::MechanismInvalid)?;
        let begin = row.encrypt.ok_or(Error::MechanismInvalid)?;
        if row.takes_nonce() && nonce == Nonce::Anybodys {
            session.must_take_nonces()?;
        }
        let key = session.key(key, &ENCRYPT, row)?;
        let run = crypto::keys(|| begin(&key, &mechanism.params))?;
        operations.encryption = Operation::Ready(Keyed { run, authorization: session.authorization(&key) });
        Ok(())
    }

    /// A whole message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], [`Error::OperationActive`] after a part was fed, and the
    /// algorithm's. Each of them ends the operation.
    pub fn encrypt(&self, session: SessionHandle, input: &[u8], out: Output<'_>) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        session.operations.lock().encryption.once(session.now(), input, out, LengthHint::Exactly)
    }

    /// A part of a message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], also for a mechanism that takes whole messages only, and the
    /// algorithm's. Each of them ends the operation.
    pub fn encrypt_update(&self, session: SessionHandle, input: &[u8], out: Output<'_>) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        session.operations.lock().encryption.update(session.now(), input, out)
    }

    /// The end of a message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], and the algorithm's. Each of them ends the operation.
    pub fn encrypt_final(&self, session: SessionHandle, out: Output<'_>) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        session.operations.lock().encryption.finish(session.now(), out)
    }
}
