use types::{Mechanism, ObjectHandle, Output, OutputResult, SessionHandle};

use crate::{
    Engine, Error, mechanism,
    operation::{Keyed, Operation},
};

use super::key_usage::{SIGN, SIGN_RECOVER};

impl Engine {
    /// # Errors
    /// [`Error::OperationActive`], [`Error::MechanismInvalid`], [`Error::MechanismParamInvalid`], and those
    /// of a key that may not be used.
    pub fn sign_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<(), Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        operations.signature.must_be_idle()?;
        let row = mechanism::find(mechanism.id).ok_or(Error::MechanismInvalid)?;
        let begin = row.sign.ok_or(Error::MechanismInvalid)?;
        let key = session.key(key, &SIGN, row)?;
        session.must_be_long_enough(&mechanism.params)?;
        let run = crypto::keys(|| begin(&key, &mechanism.params))?;
        operations.signature = Operation::Ready(Keyed { run, authorization: session.authorization(&key) });
        Ok(())
    }

    /// Signs a whole message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], [`Error::OperationActive`] after a part was fed,
    /// [`Error::UserNotLoggedIn`] if the key asks for the PIN, and the algorithm's. Each of them ends the
    /// operation.
    pub fn sign(&self, session: SessionHandle, message: &[u8], out: Output<'_>) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        session.operations.lock().signature.once(session.now(), message, out)
    }

    /// A part of a message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], also for a mechanism that takes whole messages only, and the
    /// algorithm's. Each of them ends the operation.
    pub fn sign_update(&self, session: SessionHandle, part: &[u8]) -> Result<(), Error> {
        let session = self.session(session)?;
        session.operations.lock().signature.update(session.now(), part)
    }

    /// The end of a message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], and the algorithm's. Each of them ends the operation.
    pub fn sign_final(&self, session: SessionHandle, out: Output<'_>) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        session.operations.lock().signature.finish(session.now(), out)
    }

    /// # Errors
    /// Those of [`Engine::sign_init`].
    pub fn sign_recover_init(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        key: ObjectHandle,
    ) -> Result<(), Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        operations.signature_recovery.must_be_idle()?;
        let row = mechanism::find(mechanism.id).ok_or(Error::MechanismInvalid)?;
        let begin = row.sign_recover.ok_or(Error::MechanismInvalid)?;
        let key = session.key(key, &SIGN_RECOVER, row)?;
        let run = crypto::keys(|| begin(&key, &mechanism.params))?;
        operations.signature_recovery = Operation::Ready(Keyed { run, authorization: session.authorization(&key) });
        Ok(())
    }

    /// Makes a signature from which the data can be recovered.
    ///
    /// # Errors
    /// Those of [`Engine::sign`].
    pub fn sign_recover(&self, session: SessionHandle, data: &[u8], out: Output<'_>) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        session.operations.lock().signature_recovery.once(session.now(), data, out)
    }
}
