use types::{AttributeType, Mechanism, ObjectClass, ObjectHandle, Output, OutputResult, SessionHandle};

use crate::{
    Engine, Error, mechanism,
    operation::Operation,
    uses::{self, Outcome},
};

impl Engine {
    /// # Errors
    /// [`Error::OperationActive`], [`Error::MechanismInvalid`].
    pub fn digest_init(&self, session: SessionHandle, mechanism: &Mechanism) -> Result<(), Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        operations.digest.must_be_idle()?;
        let hash = mechanism::find(mechanism.id).and_then(|row| row.digest).ok_or(Error::MechanismInvalid)?;
        operations.digest = Operation::Ready((crypto::SUITE.digest)(hash)?);
        Ok(())
    }

    /// A whole message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`], [`Error::OperationActive`] after a part was fed.
    pub fn digest(&self, session: SessionHandle, input: &[u8], out: Output<'_>) -> Result<OutputResult, Error> {
        self.session(session)?.operations.lock().digest.once(input, out)
    }

    /// A part of a message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`].
    pub fn digest_update(&self, session: SessionHandle, input: &[u8]) -> Result<(), Error> {
        self.session(session)?.operations.lock().digest.update(input)
    }

    /// The value of a secret key as a part of a message.
    ///
    /// # Errors
    /// [`Error::KeyHandleInvalid`], [`Error::KeyIndigestible`] if it is not a secret key or its value may
    /// not be made known in this way, [`Error::OperationNotInitialized`].
    pub fn digest_key(&self, session: SessionHandle, key: ObjectHandle) -> Result<(), Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        if !operations.digest.is_active() {
            return Err(Error::OperationNotInitialized);
        }
        let digested = session.slot.object_or(key, &Error::KeyHandleInvalid).and_then(|key| {
            let is_secret_key = key.attributes.class() == Some(ObjectClass::SECRET_KEY);
            let value = key.attributes.bytes(AttributeType::VALUE).filter(|_| is_secret_key);
            session.slot.note_use(&session.tally, &key, (uses::Operation::Digest, None, Outcome::Allowed))?;
            operations.digest.update(value.ok_or(Error::KeyIndigestible)?)
        });
        if digested.is_err() {
            operations.digest = Operation::Idle;
        }
        digested
    }

    /// The end of a message.
    ///
    /// # Errors
    /// [`Error::OperationNotInitialized`].
    pub fn digest_final(&self, session: SessionHandle, out: Output<'_>) -> Result<OutputResult, Error> {
        self.session(session)?.operations.lock().digest.finish(out)
    }
}
