use std::sync::Arc;

use crypto::{
    Error as Fault,
    digest::MAX_OUTPUT_LEN,
    mac::{Mac, MacKey},
};
use subtle::ConstantTimeEq;
use types::Params;
use zeroize::Zeroizing;

use crate::Error;

use super::{Signer, Signing, Verifier, Verifying, put};

/// A running code of which the first `len` bytes are wanted.
struct Code {
    key: Arc<dyn MacKey>,
    len: usize,
    /// Started with the first part.
    running: Option<Box<dyn Mac>>,
}

/// A whole code.
pub(super) fn sign(key: &Arc<dyn MacKey>) -> Signing {
    Signing::Stream(Box::new(Code::new(key, key.output_len())))
}

/// A code of the length that the parameter says.
pub(super) fn sign_general(key: &Arc<dyn MacKey>, params: &Params) -> Result<Signing, Error> {
    Ok(Signing::Stream(Box::new(Code::new(key, general_len(key, params)?))))
}

/// Checks a whole code.
pub(super) fn verify(key: &Arc<dyn MacKey>) -> Verifying {
    Verifying::Stream(Box::new(Code::new(key, key.output_len())))
}

/// Checks a code of the length that the parameter says.
pub(super) fn verify_general(key: &Arc<dyn MacKey>, params: &Params) -> Result<Verifying, Error> {
    Ok(Verifying::Stream(Box::new(Code::new(key, general_len(key, params)?))))
}

/// The shortest code. The specification allows one byte, which is guessed at once.
const SHORTEST: usize = 4;

/// From [`SHORTEST`] to all (PKCS#11, General-length HMAC and AES-CMAC).
fn general_len(key: &Arc<dyn MacKey>, params: &Params) -> Result<usize, Error> {
    let Params::OutputLength(len) = params else { return Err(Error::MechanismParamInvalid) };
    match usize::try_from(*len) {
        Ok(len) if (SHORTEST..=key.output_len()).contains(&len) => Ok(len),
        _ => Err(Error::MechanismParamInvalid),
    }
}

impl Code {
    fn new(key: &Arc<dyn MacKey>, len: usize) -> Self {
        Self { key: Arc::clone(key), len, running: None }
    }

    fn running(&mut self) -> &mut Box<dyn Mac> {
        self.running.get_or_insert_with(|| self.key.start())
    }

    /// Gives `taker` the code of what was fed.
    fn end(&mut self, taker: impl FnOnce(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let mut code = Zeroizing::new([0; MAX_OUTPUT_LEN]);
        self.running.take().unwrap_or_else(|| self.key.start()).finish(&mut *code);
        taker(code.get(..self.len).unwrap_or_default())
    }

    /// Gives `taker` the code of `data`.
    fn of(&self, data: &[u8], taker: impl FnOnce(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let mut code = Zeroizing::new([0; MAX_OUTPUT_LEN]);
        self.key.once(data, &mut *code);
        taker(code.get(..self.len).unwrap_or_default())
    }
}

/// In a time that does not depend on where they differ.
fn compare(code: &[u8], signature: &[u8]) -> Result<(), Error> {
    if signature.len() != code.len() || code.is_empty() {
        return Err(Error::Crypto(Fault::SignatureLength));
    }
    if bool::from(code.ct_eq(signature)) { Ok(()) } else { Err(Error::Crypto(Fault::SignatureInvalid)) }
}

impl Signer for Code {
    fn signature_len(&self) -> usize {
        self.len
    }

    fn update(&mut self, data: &[u8]) -> Result<(), Error> {
        self.running().update(data);
        Ok(())
    }

    fn finish(&mut self, output: &mut [u8]) -> Result<(), Error> {
        self.end(|code| put(output, code))
    }

    fn once(&mut self, data: &[u8], output: &mut [u8]) -> Result<(), Error> {
        self.of(data, |code| put(output, code))
    }
}

impl Verifier for Code {
    fn update(&mut self, data: &[u8]) -> Result<(), Error> {
        self.running().update(data);
        Ok(())
    }

    fn finish(&mut self, signature: &[u8]) -> Result<(), Error> {
        self.end(|code| compare(code, signature))
    }

    fn once(&mut self, data: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.of(data, |code| compare(code, signature))
    }
}
