use std::fmt;

/// What may go wrong in an algorithm. Says nothing about which byte was wrong: a padding, a tag and a
/// length that do not fit look alike where the difference would be an oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The input has a length that the algorithm does not take.
    InputLength,
    /// The input has a right length and a wrong value (not below the modulus, for instance).
    InputValue,
    /// The ciphertext has a length that no encryption gives.
    CiphertextLength,
    /// The ciphertext, its padding or its tag is wrong. One error for all of them.
    CiphertextInvalid,
    /// The signature or MAC has a length that no signing gives.
    SignatureLength,
    /// The signature or MAC does not belong to the message and key.
    SignatureInvalid,
    /// The key's numbers are not a key of this algorithm.
    KeyInvalid,
    /// The key's size is outside what the algorithm takes.
    KeySize,
    /// The peer's public key is not a point of the curve, or gives no secret.
    PeerInvalid,
    /// A parameter (IV, tag length, salt length, hash) is outside what the algorithm takes.
    Parameter,
    /// The counter or nonce space is used up.
    Exhausted,
    /// This backend does not have the algorithm.
    Unsupported,
    /// The caller's output buffer is too short; nothing was done.
    OutputLength,
    /// There is no memory for it.
    Memory,
    /// The library failed, or a result did not pass its check and was thrown away.
    Fault,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InputLength => "the input's length is not one the algorithm takes",
            Self::InputValue => "the input's value is not one the algorithm takes",
            Self::CiphertextLength => "the ciphertext's length is impossible",
            Self::CiphertextInvalid => "the ciphertext is invalid",
            Self::SignatureLength => "the signature's length is impossible",
            Self::SignatureInvalid => "the signature is invalid",
            Self::KeyInvalid => "these numbers are not a key",
            Self::KeySize => "the key's size is not one the algorithm takes",
            Self::PeerInvalid => "the peer's public key is invalid",
            Self::Parameter => "a parameter is outside the algorithm's range",
            Self::Exhausted => "the counter is used up",
            Self::Unsupported => "this backend does not have the algorithm",
            Self::OutputLength => "the output does not fit",
            Self::Memory => "there is no memory for it",
            Self::Fault => "the cryptographic library failed",
        })
    }
}

impl std::error::Error for Error {}
