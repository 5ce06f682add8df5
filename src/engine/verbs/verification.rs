use types::{Mechanism, ObjectHandle, Output, OutputResult, SessionHandle};

use crate::{
    Engine, Error, mechanism,
    operation::{Checking, Given, Keyed, Operation},
};

use super::key_usage::{VERIFY, VERIFY_RECOVER};

impl Engine {
    /// # Errors
    /// [`Error::OperationActive`], [`Error::MechanismInvalid`], [`Error::MechanismParamInvalid`], and those
    /// of a key that may not be used.
    pub fn verify_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<(), Error> {
        self.start_verification(session, mechanism, key, None)
    }

    /// Checks the signature of a whole message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], [`Error::OperationActive`] after a part was fed, and the
    /// algorithm's: the signature is invalid, or has an impossible length. The operation is over in any case.
    pub fn verify(&self, session: SessionHandle, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let session = self.session(session)?;
        session.operations.lock().verification.once(session.now(), message, Some(signature))
    }

    /// A part of a message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], also for a mechanism that takes whole messages only.
    pub fn verify_update(&self, session: SessionHandle, part: &[u8]) -> Result<(), Error> {
        let session = self.session(session)?;
        session.operations.lock().verification.update(session.now(), part, Given::AtTheEnd)
    }

    /// The end of a message.
    ///
    /// # Errors
    /// Those of [`Engine::verify`].
    pub fn verify_final(&self, session: SessionHandle, signature: &[u8]) -> Result<(), Error> {
        let session = self.session(session)?;
        session.operations.lock().verification.finish(session.now(), Some(signature))
    }

    /// Starts a verification whose signature is known from the start (3.2).
    ///
    /// # Errors
    /// Those of [`Engine::verify_init`].
    pub fn verify_signature_init(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        key: ObjectHandle,
        signature: &[u8],
    ) -> Result<(), Error> {
        let mut kept = Vec::new();
        crypto::room::append(&mut kept, signature)?;
        self.start_verification(session, mechanism, key, Some(kept))
    }

    /// Checks the signature of a whole message.
    ///
    /// # Errors
    /// Those of [`Engine::verify`].
    pub fn verify_signature(&self, session: SessionHandle, message: &[u8]) -> Result<(), Error> {
        let session = self.session(session)?;
        session.operations.lock().verification.once(session.now(), message, None)
    }

    /// A part of a message.
    ///
    /// # Errors
    /// Those of [`Engine::verify_update`].
    pub fn verify_signature_update(&self, session: SessionHandle, part: &[u8]) -> Result<(), Error> {
        let session = self.session(session)?;
        session.operations.lock().verification.update(session.now(), part, Given::AtTheStart)
    }

    /// The end of a message.
    ///
    /// # Errors
    /// Those of [`Engine::verify`].
    pub fn verify_signature_final(&self, session: SessionHandle) -> Result<(), Error> {
        let session = self.session(session)?;
        session.operations.lock().verification.finish(session.now(), None)
    }

    /// # Errors
    /// Those of [`Engine::verify_init`].
    pub fn verify_recover_init(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        key: ObjectHandle,
    ) -> Result<(), Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        operations.verification_recovery.must_be_idle()?;
        let row = mechanism::find(mechanism.id).ok_or(Error::MechanismInvalid)?;
        let begin = row.verify_recover.ok_or(Error::MechanismInvalid)?;
        let key = session.key(key, &VERIFY_RECOVER, row)?;
        let run = crypto::keys(|| begin(&key, &mechanism.params))?;
        operations.verification_recovery = Operation::Ready(Keyed { run, authorization: session.authorization(&key) });
        Ok(())
    }

    /// Checks a signature and recovers its data.
    ///
    /// # Errors
    /// Those of [`Engine::verify`].
    pub fn verify_recover(
        &self,
        session: SessionHandle,
        signature: &[u8],
        out: Output<'_>,
    ) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        session.operations.lock().verification_recovery.once(session.now(), signature, out)
    }

    fn start_verification(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        key: ObjectHandle,
        signature: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        operations.verification.must_be_idle()?;
        let row = mechanism::find(mechanism.id).ok_or(Error::MechanismInvalid)?;
        let begin = row.verify.ok_or(Error::MechanismInvalid)?;
        let key = session.key(key, &VERIFY, row)?;
        session.must_be_long_enough(&mechanism.params)?;
        let run = Checking { verifying: crypto::keys(|| begin(&key, &mechanism.params))?, signature };
        operations.verification = Operation::Ready(Keyed { run, authorization: session.authorization(&key) });
        Ok(())
    }
}
