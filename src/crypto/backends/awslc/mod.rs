//! AWS-LC, through `aws-lc-sys`.
//!
//! The only place of this crate with `unsafe`. Each file covers one family; what they share are owned
//! pointers (`handle`) and big numbers (`bignum`). AWS-LC leaves a queue of errors behind in the thread when
//! a call fails; whoever asks `handle` whether a call has succeeded empties it, so nobody finds it later.
//!
//! AWS-LC generates RSA keys of multiples of 128 bits and with exponents of up to 32 bits only, has no
//! PKCS#1 v1.5 decryption that hides wrong paddings, no KWP with an initial value of the caller's, and a
//! CMAC that is slower than it need be: these are made here of its parts.

mod aes;
mod bignum;
mod digest;
mod dsa;
mod ec;
mod edwards;
mod gcm;
mod handle;
mod heap;
mod key_wrap;
mod mac;
mod montgomery;
mod random;
mod rsa;
mod stream;

pub use heap::use_heap;

use crate::{Error, Suite};

/// AWS-LC alone.
pub static SUITE: Suite = Suite {
    name: "awslc",
    digest: digest::start,
    digest_resume: digest::resume,
    hmac: mac::hmac,
    aes: aes::prepare,
    // It has Triple DES, which nobody waits for.
    tdes: |_| Err(Error::Unsupported),
    rsa_public: rsa::public,
    rsa_private: rsa::private,
    rsa_generate: rsa::generate,
    ec_public: ec::public,
    ec_private: ec::private,
    ec_generate: ec::generate,
    edwards_public: edwards::public,
    edwards_private: edwards::private,
    edwards_generate: edwards::generate,
    montgomery_private: montgomery::private,
    montgomery_generate: montgomery::generate,
    power: bignum::power,
    dsa_public: dsa::public,
    dsa_private: dsa::private,
    random: random::fill,
};

#[cfg(test)]
mod tests {
    /// Bytes from hexadecimal digits, between which there may be spaces.
    pub(super) fn hex(digits: &str) -> Vec<u8> {
        let digits: Vec<u8> = digits
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
            .collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }
}
