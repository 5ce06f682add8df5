//! The Digital Signature Algorithm (FIPS 186-4).

use crate::{Error, SUITE, Secret, number, number::is_inside};

/// Sizes of prime and subprime in bits (FIPS 186-4, 4.2).
pub const SIZES: [(usize, usize); 4] = [(1024, 160), (2048, 224), (2048, 256), (3072, 256)];

/// Domain parameters. That prime and subprime are primes is the word of who gives them.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    /// The prime.
    pub p: &'a [u8],
    /// The subprime, which divides `p - 1`.
    pub q: &'a [u8],
    /// The base, which has the order `q`.
    pub g: &'a [u8],
}

/// A new key pair.
pub struct KeyPair {
    /// The private value, without leading zeros.
    pub private: Secret,
    /// The public value, as long as the prime.
    pub public: Vec<u8>,
}

/// A public key that is ready for use.
pub trait PublicKey: Send + Sync {
    /// Length of a signature in bytes: r and s, each as long as the subprime.
    fn signature_len(&self) -> usize;

    /// Checks a signature over a digest, of which the leftmost bits are used.
    fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), Error>;
}

/// A private key that is ready for use.
pub trait PrivateKey: Send + Sync {
    /// Length of a signature in bytes.
    fn signature_len(&self) -> usize;

    /// Signs a digest, of which the leftmost bits are used. `output` has [`PrivateKey::signature_len`] bytes.
    fn sign(&self, digest: &[u8], output: &mut [u8]) -> Result<(), Error>;
}

impl Group<'_> {
    /// Length of a half of a signature in bytes.
    pub(crate) fn half_len(&self) -> usize {
        number::bits(self.q) / 8
    }

    /// [`Error::KeySize`] if prime and subprime have no usual sizes, [`Error::KeyInvalid`] if the base has another
    /// order than the subprime.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !SIZES.contains(&(number::bits(self.p), number::bits(self.q))) {
            return Err(Error::KeySize);
        }
        let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        if odd(self.p) && odd(self.q) && self.has_order_q(self.g)? { Ok(()) } else { Err(Error::KeyInvalid) }
    }

    /// [`Error::KeyInvalid`] if it is not of the group that the base generates, and those of the group.
    pub(crate) fn check_public(&self, public: &[u8]) -> Result<(), Error> {
        self.check()?;
        if self.has_order_q(public)? { Ok(()) } else { Err(Error::KeyInvalid) }
    }

    /// [`Error::KeyInvalid`] if it is 0 or not below the subprime, and those of the group.
    pub(crate) fn check_private(&self, private: &[u8]) -> Result<(), Error> {
        self.check()?;
        let fits = number::bits(private) > 0 && number::is_below(private, self.q);
        if fits { Ok(()) } else { Err(Error::KeyInvalid) }
    }

    fn has_order_q(&self, element: &[u8]) -> Result<bool, Error> {
        if !is_inside(element, self.p) {
            return Ok(false);
        }
        let power = (SUITE.power)(number::strip(self.p), number::strip(element), number::strip(self.q))?;
        Ok(number::strip(&power) == [1])
    }

    /// The public value of a private one, as long as the prime.
    ///
    /// # Errors
    /// [`Error::KeyInvalid`] if it is none, and those of the group.
    pub fn public(&self, private: &[u8]) -> Result<Vec<u8>, Error> {
        self.check_private(private)?;
        Ok((SUITE.power)(number::strip(self.p), number::strip(self.g), number::strip(private))?.to_vec())
    }

    /// Makes a key pair (FIPS 186-4, B.1.2).
    ///
    /// # Errors
    /// [`Error::KeySize`] and [`Error::KeyInvalid`] for the group.
    pub fn generate(&self) -> Result<KeyPair, Error> {
        self.check()?;
        let mut private = Secret::new(vec![0; self.half_len()]);
        // The subprime's highest bit is set, so half of all draws fit.
        for _ in 0..128 {
            (SUITE.random)(&mut private)?;
            if number::bits(&private) > 0 && number::is_below(&private, self.q) {
                let public = self.public(&private)?;
                return Ok(KeyPair { private: Secret::new(number::strip(&private).to_vec()), public });
            }
        }
        Err(Error::Fault)
    }
}
