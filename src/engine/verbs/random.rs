use types::SessionHandle;

use crate::{Engine, Error};

impl Engine {
    /// 128 random bits as hexadecimal digits, for who needs them before there is a token.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn random_text(&self) -> Result<String, Error> {
        let mut bytes = [0; 16];
        (crypto::SUITE.random)(&mut bytes)?;
        Ok(crate::hex::digits(&bytes))
    }

    /// The generator seeds itself from the system; what a caller adds is not taken.
    ///
    /// # Errors
    /// [`Error::RandomSeedNotSupported`].
    pub fn seed_random(&self, session: SessionHandle, _seed: &[u8]) -> Result<(), Error> {
        self.session(session)?;
        Err(Error::RandomSeedNotSupported)
    }

    /// Fills a buffer with random bytes that are fit for keys.
    ///
    /// # Errors
    /// [`Error::SessionHandleInvalid`], and [`Error::Crypto`] if the generator fails.
    pub fn random(&self, session: SessionHandle, output: &mut [u8]) -> Result<(), Error> {
        self.session(session)?;
        Ok((crypto::SUITE.random)(output)?)
    }
}
