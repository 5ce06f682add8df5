use crypto::{Hash, SUITE, digest::Digest, digest::MAX_OUTPUT_LEN};

use crate::Error;

use super::{Signer, Signing, Verifier, Verifying};

/// Signs what is short enough: a digest, or a message that the algorithm takes as it is.
pub(super) trait Sign: Send + 'static {
    /// Length of the signature in bytes, exactly.
    fn signature_len(&self) -> usize;

    /// Writes the signature to `output`, which has [`Sign::signature_len`] bytes.
    fn sign(&self, input: &[u8], output: &mut [u8]) -> Result<(), Error>;
}

/// Checks a signature over what is short enough.
pub(super) trait Check: Send + 'static {
    fn check(&self, input: &[u8], signature: &[u8]) -> Result<(), Error>;
}

/// A key, and the message on its way to it.
struct Message<K> {
    key: K,
    intake: Intake,
}

/// How a message gets to a key.
enum Intake {
    /// As it is, in one part.
    SinglePart,
    /// As it is; parts are collected.
    Collected(Vec<u8>),
    /// As its digest.
    Digested(Box<dyn Digest>),
}

/// A signature over what the caller gives, in one part.
pub(super) fn sign_whole(key: impl Sign) -> Signing {
    Signing::SinglePart(Box::new(Message { key, intake: Intake::SinglePart }))
}

/// A signature over a message that has to be there as a whole.
pub(super) fn sign_collected(key: impl Sign) -> Signing {
    Signing::Stream(Box::new(Message { key, intake: Intake::Collected(Vec::new()) }))
}

/// A signature over the digest of a message.
pub(super) fn sign_digested(key: impl Sign, hash: Hash) -> Result<Signing, Error> {
    Ok(Signing::Stream(Box::new(Message { key, intake: Intake::Digested((SUITE.digest)(hash)?) })))
}

/// Checks a signature over what the caller gives, in one part.
pub(super) fn check_whole(key: impl Check) -> Verifying {
    Verifying::SinglePart(Box::new(Message { key, intake: Intake::SinglePart }))
}

/// Checks a signature over a message that has to be there as a whole.
pub(super) fn check_collected(key: impl Check) -> Verifying {
    Verifying::Stream(Box::new(Message { key, intake: Intake::Collected(Vec::new()) }))
}

/// Checks a signature over the digest of a message.
pub(super) fn check_digested(key: impl Check, hash: Hash) -> Result<Verifying, Error> {
    Ok(Verifying::Stream(Box::new(Message { key, intake: Intake::Digested((SUITE.digest)(hash)?) })))
}

impl Intake {
    fn update(&mut self, data: &[u8]) -> Result<(), Error> {
        match self {
            Self::SinglePart => Err(Error::Internal("a message of one part came in several")),
            Self::Collected(message) => {
                message.try_reserve(data.len()).map_err(|_| Error::HostMemory)?;
                message.extend_from_slice(data);
                Ok(())
            }
            Self::Digested(digest) => {
                digest.update(data);
                Ok(())
            }
        }
    }

    /// Gives `key` what was fed.
    fn finish(&mut self, key: impl FnOnce(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        match self {
            Self::SinglePart => Err(Error::Internal("a message of one part came in several")),
            Self::Collected(message) => key(message),
            Self::Digested(digest) => {
                let mut output = [0; MAX_OUTPUT_LEN];
                digest.finish(&mut output);
                key(output.get(..digest.output_len()).unwrap_or_default())
            }
        }
    }

    /// Gives `key` a message of which nothing was fed before.
    fn once(&mut self, data: &[u8], key: impl FnOnce(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        match self {
            Self::SinglePart | Self::Collected(_) => key(data),
            Self::Digested(digest) => {
                digest.update(data);
                self.finish(key)
            }
        }
    }
}

impl<K: Sign> Signer for Message<K> {
    fn signature_len(&self) -> usize {
        self.key.signature_len()
    }

    fn update(&mut self, data: &[u8]) -> Result<(), Error> {
        self.intake.update(data)
    }

    fn finish(&mut self, output: &mut [u8]) -> Result<(), Error> {
        self.intake.finish(|input| self.key.sign(input, output))
    }

    fn once(&mut self, data: &[u8], output: &mut [u8]) -> Result<(), Error> {
        self.intake.once(data, |input| self.key.sign(input, output))
    }
}

impl<K: Check> Verifier for Message<K> {
    fn update(&mut self, data: &[u8]) -> Result<(), Error> {
        self.intake.update(data)
    }

    fn finish(&mut self, signature: &[u8]) -> Result<(), Error> {
        self.intake.finish(|input| self.key.check(input, signature))
    }

    fn once(&mut self, data: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.intake.once(data, |input| self.key.check(input, signature))
    }
}
