use types::{Output, OutputResult, SessionHandle};

use crate::{
    Engine, Error,
    operation::{Given, Operations},
};

/// Feeds a second operation, which must be going on.
type Feed = fn(&mut Operations, &[u8]) -> Result<(), Error>;

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
        self.encrypt_and_feed(session, part, out, |operations, part| operations.digest.update(part))
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
        self.decrypt_and_feed(session, part, out, |operations, part| operations.digest.update(part))
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
        self.encrypt_and_feed(session, part, out, |operations, part| operations.signature.update(part))
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
        self.decrypt_and_feed(session, part, out, |operations, part| {
            operations.verification.update(part, Given::AtTheEnd)
        })
    }

    fn encrypt_and_feed(
        &self,
        session: SessionHandle,
        part: &[u8],
        out: Output<'_>,
        feed: Feed,
    ) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        // An empty part changes nothing and shows whether the second operation is there.
        feed(&mut operations, &[])?;
        let produced = operations.encryption.update(part, out)?;
        if let OutputResult::Written(_) = produced {
            feed(&mut operations, part)?;
        }
        Ok(produced)
    }

    fn decrypt_and_feed(
        &self,
        session: SessionHandle,
        part: &[u8],
        out: Output<'_>,
        feed: Feed,
    ) -> Result<OutputResult, Error> {
        let session = self.session(session)?;
        let mut operations = session.operations.lock();
        feed(&mut operations, &[])?;
        let Output::Buffer(output) = out else { return operations.decryption.update(part, Output::LengthQuery) };
        let produced = operations.decryption.update(part, Output::Buffer(output))?;
        if let OutputResult::Written(len) = produced {
            feed(&mut operations, output.get(..len).unwrap_or_default())?;
        }
        Ok(produced)
    }
}
