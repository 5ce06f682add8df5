//! The RustCrypto crates: pure Rust, no C compiler. All of a portable build, and in every other build the
//! overlay of [`crate::SUITE`] and the second opinion in tests.
#![forbid(unsafe_code)]

mod aes;
mod chain;
mod dsa;
mod ec;
mod edwards;
mod hash;
mod key_wrap;
mod mode;
mod montgomery;
mod oaep;
mod power;
mod pss;
mod rsa;
mod tdes;

use getrandom::SysRng;

use crate::{Error, Suite};

/// RustCrypto alone. Does all that the traits ask for, but for an RSA private key that has neither primes nor
/// public exponent, unless the exponent is a usual one.
pub static SUITE: Suite = Suite {
    name: "rustcrypto",
    digest: hash::digest,
    digest_resume: hash::resume,
    hmac: hash::hmac,
    aes: aes::key,
    tdes: tdes::key,
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
    power: power::power,
    dsa_public: dsa::public,
    dsa_private: dsa::private,
    random,
};

fn random(output: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(output).map_err(|_| Error::Fault)
}

/// The operating system's generator, for the crates that ask for one. It may fail; they say so.
const fn rng() -> SysRng {
    SysRng
}
