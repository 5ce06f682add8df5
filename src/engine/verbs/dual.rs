use types::{Output, OutputResult, SessionHandle};

use crate::{
    Engine, Error,
    operation::{Given, Operation, Operations},
    slot::LoginNumber,
};

/// A second operation that gets the same bytes.
struct Second {
    /// Whether it takes parts.
    ready: fn(&Operations) -> Result<(), Error>,
    feed: fn(&mut Operations, LoginNumber, &[u8]) -> Result<(), Error>,
    end: fn(&mut Operations),
}

const DIGEST: Second = Second {
    ready: |operations| operations.digest.must_take_parts(),
    feed: |operations, _, part| operations.digest.update(part),
    end: |operations| operations.digest = Operation::Idle,
};

const SIGNATURE: Second = Second {
    ready: |operations| operations.signature.must_take_parts(),
    feed: |operations, now, part| operations.signature.update(now, part),
    end: |operations| operations.signature = Operation::Idle,
};

const VERIFICATION: Second = Second {
    ready: |operations| operations.verification.must_take_parts(Given::AtTheEnd),
    feed: |operations, now, part| operations.verification.update(now, part, Given::AtTheEnd),
    end: |operations| operations.verification = Operation::Idle,
};

impl Second {
    /// Refuses to go on without it. That ends it, as every error does.
    fn must_be_ready(&self, operations: &mut Operations) -> Result<(), Error> {
        (self.ready)(operations).inspect_err(|_| (self.end)(operations))
    }
}

impl Engine {
    /// Digests a part and encrypts it.
    ///
    /// # Errors
    /// Those of [`Engine::digest_update`] and [`Engine::encrypt_update`].
    pub fn digest_encrypt_update(
        &self,
        session: SessionHandle,
        part: &[u8],
        out: Output<'_>,
    ) -> Result<OutputResult, Error> {
        self.encrypt_and_feed(session, part, out, &DIGEST)
    }

    /// Decrypts a part and digests what comes out.
    ///
    /// # Errors
    /// Those of [`Engine::decrypt_update`] and [`Engine::digest_update`].
    pub fn decrypt_digest_update(
        &self,
        session: SessionHandle,
        part: &[u8],
        out: Output<'_>,
    ) -> Result<OutputResult, Error> {
        self.decrypt_and_feed(session, part, out, &DIGEST)
    }

    /// Signs a part and encrypts it.
    ///
    /// # Errors
    /// Those of [`Engine::sign_update`] and [`Engine::encrypt_update`].
    pub fn sign_encrypt_update(
        &self,
        session: SessionHandle,
        part: &[u8],
        out: Output<'_>,
    ) -> Result<OutputResult, Error> {
        self.encrypt_and_feed(session, part, out, &SIGNATURE)
    }

    /// Decrypts a part and feeds what comes out to a verification.
    ///
    /// # Errors
    /// Those of [`Engine::decrypt_update`] and [`Engine::verify_update`].
    pub fn decrypt_verify_update(
        &self,
        session: SessionHandle,
        part: &[u8],
        out: Output<'_>,
    ) -> Result<OutputResult, Error> {
        self.decrypt_and_feed(session, part, out, &VERIFICATION)
    }

    fn encrypt_and_feed(
        &self,
        session: SessionHandle,
        part: &[u8],
        out: Output<'_>,
        second: &Second,
    ) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let now = session.now();
        let mut operations = session.operations.lock();
        second.must_be_ready(&mut operations)?;
        let produced = operations.encryption.update(now, part, out)?;
        if let OutputResult::Written(_) = produced {
            (second.feed)(&mut operations, now, part)?;
        }
        Ok(produced)
    }

    fn decrypt_and_feed(
        &self,
        session: SessionHandle,
        part: &[u8],
        out: Output<'_>,
        second: &Second,
    ) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let now = session.now();
        let mut operations = session.operations.lock();
        second.must_be_ready(&mut operations)?;
        let Output::Buffer(output) = out else { return operations.decryption.update(now, part, Output::LengthQuery) };
        let produced = operations.decryption.update(now, part, Output::Buffer(output))?;
        if let OutputResult::Written(len) = produced {
            (second.feed)(&mut operations, now, output.get(..len).unwrap_or_default())?;
        }
        Ok(produced)
    }
}
