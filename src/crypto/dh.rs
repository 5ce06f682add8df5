//! Diffie-Hellman modulo a prime (PKCS #3, SP 800-56A).

use std::sync::Arc;

use crate::{Error, SUITE, Secret, number, number::is_inside, suite::Prepared};

/// The smallest prime that is taken, in bits.
pub const MIN_BITS: usize = 1024;
/// The largest one.
pub const MAX_BITS: usize = 8192;
/// The shortest private value that is made, in bits.
pub const MIN_PRIVATE_BITS: usize = 160;

/// Prime and base. That the prime is one, and of a good form, is the word of who gives it.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    /// The prime.
    pub p: &'a [u8],
    /// The base, which generates the group or a large part of it.
    pub g: &'a [u8],
}

/// A new key pair.
pub struct KeyPair {
    /// The private value, without leading zeros.
    pub private: Secret,
    /// The public value, as long as the prime.
    pub public: Vec<u8>,
}

/// A private key that is ready for use.
pub struct PrivateKey {
    p: Vec<u8>,
    g: Vec<u8>,
    x: Secret,
}

impl Group<'_> {
    /// [`Error::KeySize`] if the prime is too small or too large, [`Error::KeyInvalid`] if it is even or the base
    /// is none.
    fn check(&self) -> Result<(), Error> {
        if !(MIN_BITS..=MAX_BITS).contains(&number::bits(self.p)) {
            return Err(Error::KeySize);
        }
        let odd = self.p.last().is_some_and(|last| last % 2 == 1);
        if odd && is_inside(self.g, self.p) { Ok(()) } else { Err(Error::KeyInvalid) }
    }

    /// Whether a number can be somebody's public value (SP 800-56A, 5.6.2.3.2).
    ///
    /// # Errors
    /// [`Error::KeyInvalid`] if it cannot, and those of the group.
    pub fn check_public(&self, public: &[u8]) -> Result<(), Error> {
        self.check()?;
        if is_inside(public, self.p) { Ok(()) } else { Err(Error::KeyInvalid) }
    }

    /// Prepares a private key.
    ///
    /// # Errors
    /// [`Error::KeyInvalid`] if the value is not below the prime less one, and those of the group.
    pub fn private(&self, x: &[u8]) -> Prepared<PrivateKey> {
        self.check()?;
        let x = number::strip(x);
        let mut last = number::strip(self.p).to_vec();
        if let Some(byte) = last.last_mut() {
            *byte &= 0xfe;
        }
        if x.is_empty() || !number::is_below(x, &last) {
            return Err(Error::KeyInvalid);
        }
        let owned = |bytes: &[u8]| number::strip(bytes).to_vec();
        Ok(Arc::new(PrivateKey { p: owned(self.p), g: owned(self.g), x: Secret::new(x.to_vec()) }))
    }

    /// Makes a key pair. The private value has exactly so many bits if they are given, else any number of them that
    /// is less than the prime's (PKCS #3, 7.1).
    ///
    /// # Errors
    /// [`Error::Parameter`] for less than [`MIN_PRIVATE_BITS`] bits and for as many as the prime has, and those of
    /// the group.
    pub fn generate(&self, private_bits: Option<usize>) -> Result<KeyPair, Error> {
        self.check()?;
        let most = number::bits(self.p) - 1;
        let len = private_bits.unwrap_or(most);
        if !(MIN_PRIVATE_BITS..=most).contains(&len) {
            return Err(Error::Parameter);
        }
        let mut x = Secret::new(vec![0; len.div_ceil(8)]);
        (SUITE.random)(&mut x)?;
        if let Some(first) = x.first_mut() {
            let top = (len - 1) % 8;
            *first &= 0xff >> (7 - top);
            if private_bits.is_some() {
                *first |= 1 << top;
            }
        }
        // A value of so few bits comes once in 2^128 times at most: the generator is broken.
        if number::bits(&x) < 32 {
            return Err(Error::Fault);
        }
        let public = self.private(&x)?.public()?;
        Ok(KeyPair { private: Secret::new(number::strip(&x).to_vec()), public })
    }
}

impl PrivateKey {
    /// The public value, as long as the prime.
    ///
    /// # Errors
    /// [`Error::Fault`] if the library fails.
    pub fn public(&self) -> Result<Vec<u8>, Error> {
        Ok((SUITE.power)(&self.p, &self.g, &self.x)?.to_vec())
    }

    /// The shared secret, as long as the prime.
    ///
    /// # Errors
    /// [`Error::PeerInvalid`] if the peer's value cannot be one, or gives a secret that everybody knows.
    pub fn agree(&self, peer: &[u8]) -> Result<Secret, Error> {
        if !is_inside(peer, &self.p) {
            return Err(Error::PeerInvalid);
        }
        let secret = (SUITE.power)(&self.p, number::strip(peer), &self.x)?;
        if is_inside(&secret, &self.p) { Ok(secret) } else { Err(Error::PeerInvalid) }
    }
}
