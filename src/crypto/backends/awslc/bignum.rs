//! Numbers of any size, in AWS-LC's representation. Each is treated as a secret: it is wiped when dropped.

use aws_lc_sys as ffi;
use zeroize::Zeroize;

use super::handle::{Owned, done, forget_errors};
use crate::{Error, Secret};

/// A number that is not negative.
pub(super) struct Number(Owned<ffi::BIGNUM>);

impl Number {
    pub(super) fn zero() -> Result<Self, Error> {
        // SAFETY: what the constructor returns is ours.
        unsafe { Owned::new(ffi::BN_new()) }.map(Self).ok_or(Error::Fault)
    }

    /// From big-endian bytes, with or without leading zeros.
    pub(super) fn from_be(bytes: &[u8]) -> Result<Self, Error> {
        let null = std::ptr::null_mut();
        // SAFETY: pointer and length are those of one slice; for null, a new number of ours is returned.
        unsafe { Owned::new(ffi::BN_bin2bn(bytes.as_ptr(), bytes.len(), null)) }.map(Self).ok_or(Error::Fault)
    }

    pub(super) fn from_word(word: u64) -> Result<Self, Error> {
        Self::from_be(&word.to_be_bytes())
    }

    /// A copy of a number inside another object.
    ///
    /// # Safety
    /// Unless null, `number` must be a number that stays put during the call.
    pub(super) unsafe fn copy_of(number: *const ffi::BIGNUM) -> Result<Self, Error> {
        // SAFETY: the caller's promise; null gives null. The copy is ours.
        unsafe { Owned::new(ffi::BN_dup(number)) }.map(Self).ok_or(Error::Fault)
    }

    pub(super) fn as_ptr(&self) -> *const ffi::BIGNUM {
        self.0.as_ptr()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut ffi::BIGNUM {
        self.0.as_mut_ptr()
    }

    /// Gives the number away, to an AWS-LC function that takes it over.
    pub(super) fn into_raw(self) -> *mut ffi::BIGNUM {
        self.0.into_raw()
    }

    pub(super) fn bits(&self) -> usize {
        // SAFETY: reads a number of ours.
        let bits = unsafe { ffi::BN_num_bits(self.as_ptr()) };
        usize::try_from(bits).unwrap_or(usize::MAX)
    }

    pub(super) fn is_odd(&self) -> bool {
        // SAFETY: reads a number of ours.
        unsafe { ffi::BN_is_odd(self.as_ptr()) == 1 }
    }

    pub(super) fn is_one(&self) -> bool {
        // SAFETY: reads a number of ours.
        unsafe { ffi::BN_is_one(self.as_ptr()) == 1 }
    }

    /// Big-endian, without leading zeros.
    pub(super) fn to_be(&self) -> Result<Secret, Error> {
        let mut bytes = Secret::new(vec![0; self.bits().div_ceil(8)]);
        self.write_be(&mut bytes)?;
        Ok(bytes)
    }

    /// Big-endian, with as many leading zeros as make it as long as `output`.
    pub(super) fn write_be(&self, output: &mut [u8]) -> Result<(), Error> {
        // SAFETY: a number and a slice of ours.
        unsafe { write_be(self.as_ptr(), output) }
    }

    /// A number that a function writes to the place it is given.
    pub(super) fn by(write: impl FnOnce(*mut ffi::BIGNUM) -> std::ffi::c_int) -> Result<Self, Error> {
        let mut number = Self::zero()?;
        done(write(number.as_mut_ptr()))?;
        Ok(number)
    }

    pub(super) fn plus_one(&self) -> Result<Self, Error> {
        // SAFETY: a number of ours, and its new copy.
        let mut number = unsafe { Self::copy_of(self.as_ptr()) }?;
        // SAFETY: the copy is ours.
        done(unsafe { ffi::BN_add_word(number.as_mut_ptr(), 1) })?;
        Ok(number)
    }

    /// Of a number that is not 0.
    pub(super) fn less_one(&self) -> Result<Self, Error> {
        // SAFETY: a number of ours, and its new copy.
        let mut number = unsafe { Self::copy_of(self.as_ptr()) }?;
        // SAFETY: the copy is ours.
        done(unsafe { ffi::BN_sub_word(number.as_mut_ptr(), 1) })?;
        Ok(number)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        // SAFETY: reads two numbers of ours.
        unsafe { ffi::BN_cmp(self.as_ptr(), other.as_ptr()) == 0 }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        // SAFETY: reads two numbers of ours.
        Some(unsafe { ffi::BN_cmp(self.as_ptr(), other.as_ptr()) }.cmp(&0))
    }
}

/// Writes a number inside another object as [`Number::write_be`] does.
///
/// # Safety
/// `number` must be a number that stays put during the call.
pub(super) unsafe fn write_be(number: *const ffi::BIGNUM, output: &mut [u8]) -> Result<(), Error> {
    // SAFETY: the caller's promise, and pointer and length of one slice.
    let result = done(unsafe { ffi::BN_bn2bin_padded(output.as_mut_ptr(), output.len(), number) });
    if result.is_err() {
        output.zeroize();
    }
    result
}

/// Room for intermediate results.
pub(super) struct Scratch(Owned<ffi::BN_CTX>);

impl Scratch {
    pub(super) fn new() -> Result<Self, Error> {
        // SAFETY: what the constructor returns is ours.
        unsafe { Owned::new(ffi::BN_CTX_new()) }.map(Self).ok_or(Error::Fault)
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut ffi::BN_CTX {
        self.0.as_mut_ptr()
    }
}

/// An odd modulus and what makes reducing by it fast.
pub(super) struct Modulus<'a> {
    number: &'a Number,
    montgomery: Owned<ffi::BN_MONT_CTX>,
    scratch: Scratch,
}

impl<'a> Modulus<'a> {
    /// The modulus may be secret; it is odd, or this is [`Error::KeyInvalid`].
    pub(super) fn new(number: &'a Number) -> Result<Self, Error> {
        if !number.is_odd() || number.is_one() {
            return Err(Error::KeyInvalid);
        }
        let mut scratch = Scratch::new()?;
        // SAFETY: an odd number and room of ours; the result is ours.
        let montgomery = unsafe { Owned::new(ffi::BN_MONT_CTX_new_consttime(number.as_ptr(), scratch.as_mut_ptr())) };
        Ok(Self { number, montgomery: montgomery.ok_or(Error::Fault)?, scratch })
    }

    /// `base^exponent`, in time that depends on their lengths only. `base` is below the modulus.
    pub(super) fn power(&mut self, base: &Number, exponent: &Number) -> Result<Number, Error> {
        let (modulus, montgomery, scratch) = self.parts();
        // SAFETY: numbers and room of ours.
        Number::by(|result| unsafe {
            ffi::BN_mod_exp_mont_consttime(result, base.as_ptr(), exponent.as_ptr(), modulus, scratch, montgomery)
        })
    }

    /// `number * R`, the form in which [`Modulus::product`] takes and gives numbers.
    pub(super) fn enter(&mut self, number: &Number) -> Result<Number, Error> {
        let (_, montgomery, scratch) = self.parts();
        // SAFETY: numbers and room of ours.
        Number::by(|result| unsafe { ffi::BN_to_montgomery(result, number.as_ptr(), montgomery, scratch) })
    }

    /// The product of two numbers that have entered.
    pub(super) fn product(&mut self, one: &Number, other: &Number) -> Result<Number, Error> {
        let (_, montgomery, scratch) = self.parts();
        // SAFETY: numbers and room of ours.
        Number::by(|result| unsafe {
            ffi::BN_mod_mul_montgomery(result, one.as_ptr(), other.as_ptr(), montgomery, scratch)
        })
    }

    fn parts(&mut self) -> (*const ffi::BIGNUM, *const ffi::BN_MONT_CTX, *mut ffi::BN_CTX) {
        (self.number.as_ptr(), self.montgomery.as_ptr(), self.scratch.as_mut_ptr())
    }
}

/// A power modulo an odd number, as long as it.
pub(super) fn power(modulus: &[u8], base: &[u8], exponent: &[u8]) -> Result<Secret, Error> {
    let (number, base, exponent) = (Number::from_be(modulus)?, Number::from_be(base)?, Number::from_be(exponent)?);
    if base >= number {
        return Err(Error::KeyInvalid);
    }
    let power = Modulus::new(&number)?.power(&base, &exponent)?;
    let mut output = Secret::new(vec![0; modulus.len()]);
    power.write_be(&mut output)?;
    Ok(output)
}

/// The greatest common divisor, in time that depends on lengths only.
pub(super) fn gcd(one: &Number, other: &Number) -> Result<Number, Error> {
    let mut scratch = Scratch::new()?;
    // SAFETY: numbers and room of ours.
    Number::by(|result| unsafe { ffi::BN_gcd(result, one.as_ptr(), other.as_ptr(), scratch.as_mut_ptr()) })
}

pub(super) fn product(one: &Number, other: &Number) -> Result<Number, Error> {
    let mut scratch = Scratch::new()?;
    // SAFETY: numbers and room of ours.
    Number::by(|result| unsafe { ffi::BN_mul(result, one.as_ptr(), other.as_ptr(), scratch.as_mut_ptr()) })
}

/// The quotient, in time that depends on the numbers.
pub(super) fn quotient(number: &Number, divisor: &Number) -> Result<Number, Error> {
    let mut scratch = Scratch::new()?;
    let (rest, number, divisor) = (std::ptr::null_mut(), number.as_ptr(), divisor.as_ptr());
    // SAFETY: numbers and room of ours; null for the remainder, which is not wanted.
    Number::by(|result| unsafe { ffi::BN_div(result, rest, number, divisor, scratch.as_mut_ptr()) })
}

/// `number^-1 mod modulus` for an even modulus, for which the library works in time that depends on
/// lengths only if `number` is below the modulus. [`Error::KeyInvalid`] if there is none.
pub(super) fn inverse_mod_even(number: &Number, modulus: &Number) -> Result<Number, Error> {
    let mut scratch = Scratch::new()?;
    let mut result = Number::zero()?;
    let (number, modulus, scratch) = (number.as_ptr(), modulus.as_ptr(), scratch.as_mut_ptr());
    // SAFETY: numbers and room of ours; what is returned is null or the first argument, which stays ours.
    let found = unsafe { ffi::BN_mod_inverse(result.as_mut_ptr(), number, modulus, scratch) };
    if found.is_null() {
        forget_errors();
        return Err(Error::KeyInvalid);
    }
    Ok(result)
}
