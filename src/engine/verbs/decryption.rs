use types::{Mechanism, ObjectHandle, Output, OutputResult, SessionHandle};

use crate::{
    Engine, Error, mechanism,
    operation::{Keyed, LengthHint, Operation},
};

use super::key_usage::DECRYPT;

impl Engine {
    /// # Errors
    /// [`Error::OperationActive`], [`Error::MechanismInvalid`], [`Error::MechanismParamInvalid`], and those
    /// of a key that may not be used.
    pub fn decrypt_init(&self, session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<(), Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        operations.decryption.must_be_idle()?;
        let row = mechanism::find(mechanism.id).ok_or(Error::MechanismInvalid)?;
        let begin = row.decrypt.ok_or(Error::MechanismInvalid)?;
        let handle = key;
        let key = session.key(key, &DECRYPT, row)?;
        let run = crypto::keys(|| begin(&key, &mechanism.params))?;
        let run = session.with_older(run, (handle, row), (begin, &mechanism.params));
        operations.decrypts_by = Some((handle, row.id));
        operations.decryption = Operation::Ready(Keyed { run, authorization: session.authorization(&key) });
        Ok(())
    }

    /// A whole message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], [`Error::OperationActive`] after a part was fed, and the
    /// algorithm's. Each of them ends the operation.
    pub fn decrypt(&self, session: SessionHandle, input: &[u8], out: Output<'_>) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        let opened = operations.decryption.once(session.now(), input, out, LengthHint::AtMost);
        opened.inspect_err(|fault| session.note_failed(operations.decrypts_by, &DECRYPT, fault))
    }

    /// A part of a message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], also for a mechanism that takes whole messages only, and the
    /// algorithm's. Each of them ends the operation.
    pub fn decrypt_update(&self, session: SessionHandle, input: &[u8], out: Output<'_>) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        let opened = operations.decryption.update(session.now(), input, out);
        opened.inspect_err(|fault| session.note_failed(operations.decrypts_by, &DECRYPT, fault))
    }

    /// The end of a message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], and the algorithm's. Each of them ends the operation.
    pub fn decrypt_final(&self, session: SessionHandle, out: Output<'_>) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        let opened = operations.decryption.finish(session.now(), out);
        opened.inspect_err(|fault| session.note_failed(operations.decrypts_by, &DECRYPT, fault))
    }
}
