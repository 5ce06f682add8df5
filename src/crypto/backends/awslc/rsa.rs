use std::{
    ffi::{c_int, c_void},
    mem, ptr,
    sync::Arc,
};

use aws_lc_sys as ffi;

use super::{
    bignum::{Modulus, Number, gcd, inverse_mod_even, product, quotient},
    digest::descriptor,
    handle::{Owned, done, succeeded},
    mac,
};
use crate::{
    Error, Secret, padding,
    rsa::{CrtParts, KeyPair, MAX_BITS, MIN_BITS, Oaep, PrivateKey, PrivateParts, Pss, PublicKey},
};

pub(super) fn public(n: &[u8], e: &[u8]) -> Result<Arc<dyn PublicKey>, Error> {
    let (n, e) = (modulus(n)?, Number::from_be(e)?);
    // SAFETY: two numbers of ours, which are copied. The key is ours.
    let rsa = unsafe { Owned::new(ffi::RSA_new_public_key_large_e(n.as_ptr(), e.as_ptr())) };
    Ok(Arc::new(Key::new(rsa.ok_or(Error::KeyInvalid)?, &n)?))
}

pub(super) fn private(parts: PrivateParts<'_>) -> Result<Arc<dyn PrivateKey>, Error> {
    let PrivateParts { n, e, d, crt } = parts;
    let (n, d) = (modulus(n)?, Number::from_be(d)?);
    if d >= n || !d.is_odd() {
        return Err(Error::KeyInvalid);
    }
    let crt = crt.map(Crt::read).transpose()?;
    let e = match &crt {
        _ if e.iter().any(|byte| *byte != 0) => Number::from_be(e)?,
        Some(crt) => crt.undo(&d)?,
        None => short_exponent(&n, &d)?,
    };
    let crt = match crt {
        Some(crt) => crt,
        None => Crt::recover(&n, &e, &d)?,
    };
    let rsa = assemble(&n, &e, &d, &crt)?;
    // SAFETY: what the constructor returns is ours.
    let mut packed = unsafe { Owned::new(ffi::EVP_PKEY_new()) }.ok_or(Error::Fault)?;
    // SAFETY: two objects of ours; the second gets one more owner.
    done(unsafe { ffi::EVP_PKEY_set1_RSA(packed.as_mut_ptr(), rsa.as_ptr().cast_mut()) })?;
    Ok(Arc::new(Private { key: Key::new(rsa, &n)?, packed }))
}

pub(super) fn generate(bits: usize, e: &[u8]) -> Result<KeyPair, Error> {
    if !(MIN_BITS..=MAX_BITS).contains(&bits) {
        return Err(Error::KeySize);
    }
    if e.len() > MAX_BITS {
        return Err(Error::Parameter);
    }
    let e = Number::from_be(e)?;
    if !e.is_odd() || e.is_one() || e.bits() >= bits {
        return Err(Error::Parameter);
    }
    // The library rounds other sizes down, and refuses longer exponents.
    let rsa = if bits.is_multiple_of(128) && e.bits() <= 32 {
        generate_usual(bits, &e)?
    } else {
        generate_unusual(bits, &e)?
    };
    let number = |get: unsafe extern "C" fn(*const ffi::RSA) -> *const ffi::BIGNUM| {
        // SAFETY: reads a key of ours; the number inside stays put while the key does.
        unsafe { Number::copy_of(get(rsa.as_ptr())) }?.to_be()
    };
    Ok(KeyPair {
        n: number(ffi::RSA_get0_n)?.to_vec(),
        e: number(ffi::RSA_get0_e)?.to_vec(),
        d: number(ffi::RSA_get0_d)?,
        p: number(ffi::RSA_get0_p)?,
        q: number(ffi::RSA_get0_q)?,
        dp: number(ffi::RSA_get0_dmp1)?,
        dq: number(ffi::RSA_get0_dmq1)?,
        qinv: number(ffi::RSA_get0_iqmp)?,
    })
}

type Rsa = Owned<ffi::RSA>;

/// A modulus of a size that we take.
fn modulus(n: &[u8]) -> Result<Number, Error> {
    // Kept small before the library gets it: what it does with numbers may take their length squared.
    let significant = n.iter().position(|byte| *byte != 0).map_or(0, |zeros| n.len() - zeros);
    if significant > MAX_BITS / 8 {
        return Err(Error::KeySize);
    }
    let n = Number::from_be(n)?;
    if (MIN_BITS..=MAX_BITS).contains(&n.bits()) { Ok(n) } else { Err(Error::KeySize) }
}

/// The library's key, if it finds that all these numbers fit together.
fn assemble(n: &Number, e: &Number, d: &Number, crt: &Crt) -> Result<Rsa, Error> {
    let Crt { p, q, dp, dq, qinv } = crt;
    // SAFETY: numbers of ours, which are copied. The key is ours.
    let rsa = unsafe {
        Owned::new(ffi::RSA_new_private_key_large_e(
            n.as_ptr(),
            e.as_ptr(),
            d.as_ptr(),
            p.as_ptr(),
            q.as_ptr(),
            dp.as_ptr(),
            dq.as_ptr(),
            qinv.as_ptr(),
        ))
    };
    rsa.ok_or(Error::KeyInvalid)
}

fn generate_usual(bits: usize, e: &Number) -> Result<Rsa, Error> {
    let bits = c_int::try_from(bits).map_err(|_| Error::KeySize)?;
    // SAFETY: what the constructor returns is ours.
    let mut rsa = unsafe { Owned::new(ffi::RSA_new()) }.ok_or(Error::Fault)?;
    // SAFETY: a key and a number of ours; no callback.
    done(unsafe { ffi::RSA_generate_key_ex(rsa.as_mut_ptr(), bits, e.as_ptr(), ptr::null_mut()) })?;
    Ok(rsa)
}

/// How often something is tried that goes well every few times.
const TRIES: usize = 100;

/// Key generation after FIPS 186-5, A.1.3, for what the library's own does not do.
fn generate_unusual(bits: usize, e: &Number) -> Result<Rsa, Error> {
    for _ in 0..TRIES {
        let (p, q) = (prime(bits.div_ceil(2), e)?, prime(bits / 2, e)?);
        let (p, q) = if p > q { (p, q) } else { (q, p) };
        // SAFETY: numbers of ours.
        let distance = Number::by(|result| unsafe { ffi::BN_sub(result, p.as_ptr(), q.as_ptr()) })?;
        let d = inverse_mod_even(e, &product(&p.less_one()?, &q.less_one()?)?)?;
        if distance.bits() > bits / 2 - 100 && d.bits() > bits / 2 {
            return assemble(&product(&p, &q)?, e, &d, &Crt::of(p, q, e)?);
        }
    }
    Err(Error::Fault)
}

/// A prime whose two highest bits are set, so that the product of two has as many bits as both together,
/// and with which `e` is invertible.
fn prime(bits: usize, e: &Number) -> Result<Number, Error> {
    let bits = c_int::try_from(bits).map_err(|_| Error::KeySize)?;
    for _ in 0..TRIES {
        let (add, rest, callback) = (ptr::null(), ptr::null(), ptr::null_mut());
        // SAFETY: the place for the result is ours; null for what is not wanted.
        let prime = Number::by(|result| unsafe { ffi::BN_generate_prime_ex(result, bits, 0, add, rest, callback) })?;
        if gcd(&prime.less_one()?, e)?.is_one() {
            return Ok(prime);
        }
    }
    Err(Error::Fault)
}

/// [`CrtParts`], as numbers.
struct Crt {
    p: Number,
    q: Number,
    dp: Number,
    dq: Number,
    qinv: Number,
}

impl Crt {
    fn read(parts: CrtParts<'_>) -> Result<Self, Error> {
        let CrtParts { p, q, dp, dq, qinv } = parts;
        let number = |bytes: &[u8]| {
            let number = Number::from_be(bytes)?;
            if number.bits() <= MAX_BITS { Ok(number) } else { Err(Error::KeyInvalid) }
        };
        Ok(Self { p: number(p)?, q: number(q)?, dp: number(dp)?, dq: number(dq)?, qinv: number(qinv)? })
    }

    /// What follows from the primes.
    fn of(p: Number, q: Number, e: &Number) -> Result<Self, Error> {
        let less_one = p.less_one()?;
        let (dp, dq) = (inverse_mod_even(e, &less_one)?, inverse_mod_even(e, &q.less_one()?)?);
        // q^(p-2) is the inverse of q, as p is a prime.
        let qinv = Modulus::new(&p)?.power(&q, &less_one.less_one()?)?;
        Ok(Self { p, q, dp, dq, qinv })
    }

    /// From the primes of a modulus, if the exponents belong to it (SP 800-56B Rev. 2, C.1).
    fn recover(n: &Number, e: &Number, d: &Number) -> Result<Self, Error> {
        if *e >= *n || !e.is_odd() || e.is_one() {
            return Err(Error::KeyInvalid);
        }
        let multiple = product(e, d)?.less_one()?;
        // SAFETY: reads a number of ours.
        let twos = unsafe { ffi::BN_count_low_zero_bits(multiple.as_ptr()) };
        // SAFETY: reads a number of ours.
        let odd = Number::by(|result| unsafe { ffi::BN_rshift(result, multiple.as_ptr(), twos) })?;
        for _ in 0..TRIES {
            // SAFETY: numbers of ours.
            let base = Number::by(|result| unsafe { ffi::BN_rand_range_ex(result, 2, n.as_ptr()) })?;
            if let Some(root) = root_of_one(n, &base, &odd, twos)? {
                let (p, q) = (gcd(&root.less_one()?, n)?, gcd(&root.plus_one()?, n)?);
                return if p > q { Self::of(p, q, e) } else { Self::of(q, p, e) };
            }
        }
        Err(Error::KeyInvalid)
    }

    /// The exponent that undoes another. Its time depends on the primes; it happens where a key comes
    /// without public exponent.
    fn undo(&self, exponent: &Number) -> Result<Number, Error> {
        if !self.p.is_odd() || !self.q.is_odd() || self.p.is_one() || self.q.is_one() {
            return Err(Error::KeyInvalid);
        }
        let (p, q) = (self.p.less_one()?, self.q.less_one()?);
        inverse_mod_even(exponent, &quotient(&product(&p, &q)?, &gcd(&p, &q)?)?)
    }
}

/// A root of 1 other than 1 and n-1, if there is one among `base^odd` and its first squares. The last of
/// them is 1 for every base, or the exponents do not belong to the modulus: [`Error::KeyInvalid`].
fn root_of_one(n: &Number, base: &Number, odd: &Number, squares: c_int) -> Result<Option<Number>, Error> {
    let (one, two, last) = (Number::from_word(1)?, Number::from_word(2)?, n.less_one()?);
    let mut modulus = Modulus::new(n)?;
    let mut root = modulus.power(base, odd)?;
    for _ in 0..squares {
        if root == one || root == last {
            return Ok(None);
        }
        let square = modulus.power(&root, &two)?;
        if square == one {
            return Ok(Some(root));
        }
        root = square;
    }
    Err(Error::KeyInvalid)
}

/// The public exponent of a key that comes without: every odd one to 65537 is tried. A greater one cannot be
/// found, and without it no result could be blinded or checked.
fn short_exponent(n: &Number, d: &Number) -> Result<Number, Error> {
    let (mut modulus, two) = (Modulus::new(n)?, Number::from_word(2)?);
    let root = modulus.power(&two, d)?;
    let usual = Number::from_word(65537)?;
    if modulus.power(&root, &usual)? == two {
        return Ok(usual);
    }
    let (root, two) = (modulus.enter(&root)?, modulus.enter(&two)?);
    let square = modulus.product(&root, &root)?;
    let mut power = modulus.product(&root, &square)?;
    for exponent in (3..65537).step_by(2) {
        if power == two {
            return Number::from_word(exponent);
        }
        power = modulus.product(&power, &square)?;
    }
    Err(Error::Unsupported)
}

/// A key with what is known of it, at least its public half.
struct Key {
    rsa: Rsa,
    /// The modulus, without leading zeros.
    n: Vec<u8>,
    bits: usize,
}

impl Key {
    fn new(rsa: Rsa, n: &Number) -> Result<Self, Error> {
        Ok(Self { rsa, n: n.to_be()?.to_vec(), bits: n.bits() })
    }

    /// The library takes keys as mutable; what it changes is behind their own lock (see `Shared`).
    fn as_ptr(&self) -> *mut ffi::RSA {
        self.rsa.as_ptr().cast_mut()
    }

    fn size(&self) -> usize {
        self.n.len()
    }

    /// `input` with leading zeros, if it is below the modulus.
    fn extend(&self, input: &[u8]) -> Result<Secret, Error> {
        let zeros = self.size().checked_sub(input.len()).ok_or(Error::InputLength)?;
        let mut number = Secret::new(vec![0; self.size()]);
        number[zeros..].copy_from_slice(input);
        if *number < self.n { Ok(number) } else { Err(Error::InputValue) }
    }

    /// What an operation of the library writes to a buffer of the modulus' length, all of it.
    fn output(&self, operation: impl FnOnce(*mut usize, *mut u8, usize) -> c_int) -> Result<Secret, Error> {
        let (mut output, mut len) = (Secret::new(vec![0; self.size()]), 0);
        done(operation(&raw mut len, output.as_mut_ptr(), output.len()))?;
        if len == output.len() { Ok(output) } else { Err(Error::Fault) }
    }

    /// The salt's length in the library's type, if digest and salt fit.
    fn check(&self, pss: Pss, digest: &[u8]) -> Result<c_int, Error> {
        if digest.len() != pss.hash.output_len() {
            return Err(Error::InputLength);
        }
        let room = (self.bits - 1).div_ceil(8).checked_sub(pss.hash.output_len() + 2).ok_or(Error::Parameter)?;
        if pss.salt_len > room {
            return Err(Error::Parameter);
        }
        c_int::try_from(pss.salt_len).map_err(|_| Error::Parameter)
    }
}

impl PublicKey for Key {
    fn size(&self) -> usize {
        self.size()
    }

    fn raw(&self, input: &[u8]) -> Result<Vec<u8>, Error> {
        let input = self.extend(input)?;
        // SAFETY: a key of ours; pointers and lengths of slices.
        let output = self.output(|len, output, room| unsafe {
            ffi::RSA_encrypt(self.as_ptr(), len, output, room, input.as_ptr(), input.len(), ffi::RSA_NO_PADDING)
        });
        output.map(public_bytes)
    }

    fn verify_pkcs1(&self, data: &[u8], signature: &[u8]) -> Result<(), Error> {
        if signature.len() != self.size() {
            return Err(Error::SignatureLength);
        }
        let (mut recovered, mut len) = (vec![0; self.size()], 0);
        // SAFETY: a key of ours; pointers and lengths of slices.
        let good = succeeded(unsafe {
            ffi::RSA_verify_raw(
                self.as_ptr(),
                &raw mut len,
                recovered.as_mut_ptr(),
                recovered.len(),
                signature.as_ptr(),
                signature.len(),
                ffi::RSA_PKCS1_PADDING,
            )
        });
        if good && recovered.get(..len) == Some(data) { Ok(()) } else { Err(Error::SignatureInvalid) }
    }

    fn verify_pss(&self, pss: Pss, digest: &[u8], signature: &[u8]) -> Result<(), Error> {
        let salt_len = self.check(pss, digest)?;
        if signature.len() != self.size() {
            return Err(Error::SignatureLength);
        }
        // SAFETY: a key of ours; pointers and lengths of slices; statics.
        let good = succeeded(unsafe {
            ffi::RSA_verify_pss_mgf1(
                self.as_ptr(),
                digest.as_ptr(),
                digest.len(),
                descriptor(pss.hash),
                descriptor(pss.mgf),
                salt_len,
                signature.as_ptr(),
                signature.len(),
            )
        });
        if good { Ok(()) } else { Err(Error::SignatureInvalid) }
    }

    fn encrypt_pkcs1(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        if message.len() > self.size() - padding::PKCS1_OVERHEAD {
            return Err(Error::InputLength);
        }
        let (from, len, how) = (message.as_ptr(), message.len(), ffi::RSA_PKCS1_PADDING);
        // SAFETY: a key of ours; pointers and lengths of slices.
        self.output(|put, output, room| unsafe { ffi::RSA_encrypt(self.as_ptr(), put, output, room, from, len, how) })
            .map(public_bytes)
    }

    fn encrypt_oaep(&self, oaep: Oaep<'_>, message: &[u8]) -> Result<Vec<u8>, Error> {
        let Oaep { hash, mgf, label } = oaep;
        let room = self.size().checked_sub(2 * hash.output_len() + 2).ok_or(Error::Parameter)?;
        if message.len() > room {
            return Err(Error::InputLength);
        }
        let mut padded = Secret::new(vec![0; self.size()]);
        // SAFETY: pointers and lengths of slices; statics.
        done(unsafe {
            ffi::RSA_padding_add_PKCS1_OAEP_mgf1(
                padded.as_mut_ptr(),
                padded.len(),
                message.as_ptr(),
                message.len(),
                label.as_ptr(),
                label.len(),
                descriptor(hash),
                descriptor(mgf),
            )
        })?;
        PublicKey::raw(self, &padded)
    }
}

/// Of a result that is not secret.
fn public_bytes(mut output: Secret) -> Vec<u8> {
    mem::take(&mut *output)
}

struct Private {
    key: Key,
    /// The same key, as OAEP decryption wants it.
    packed: Owned<ffi::EVP_PKEY>,
}

impl Private {
    /// Whether it is a number that a ciphertext can be.
    fn check_ciphertext(&self, ciphertext: &[u8]) -> Result<(), Error> {
        if ciphertext.len() != self.key.size() {
            return Err(Error::CiphertextLength);
        }
        self.key.extend(ciphertext).map(drop).map_err(|_| Error::CiphertextInvalid)
    }
}

// The library blinds each operation, and checks the result with the public exponent, which every key here has.
impl PrivateKey for Private {
    fn size(&self) -> usize {
        self.key.size()
    }

    fn raw(&self, input: &[u8]) -> Result<Secret, Error> {
        let input = self.key.extend(input)?;
        if is_fixed(&input, &self.key.n) {
            return Ok(input);
        }
        let (key, from, len, how) = (self.key.as_ptr(), input.as_ptr(), input.len(), ffi::RSA_NO_PADDING);
        // The first use computes with the primes, and keeps that.
        crate::keys(|| {
            // SAFETY: a key of ours; pointers and lengths of slices.
            self.key.output(|put, output, room| unsafe { ffi::RSA_decrypt(key, put, output, room, from, len, how) })
        })
    }

    fn sign_pkcs1(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        if data.len() > self.size() - padding::PKCS1_OVERHEAD {
            return Err(Error::InputLength);
        }
        let (key, from, len, how) = (self.key.as_ptr(), data.as_ptr(), data.len(), ffi::RSA_PKCS1_PADDING);
        crate::keys(|| {
            // SAFETY: a key of ours; pointers and lengths of slices.
            self.key.output(|put, output, room| unsafe { ffi::RSA_sign_raw(key, put, output, room, from, len, how) })
        })
        .map(public_bytes)
    }

    fn sign_pss(&self, pss: Pss, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let salt_len = self.key.check(pss, digest)?;
        let (hash, mgf) = (descriptor(pss.hash), descriptor(pss.mgf));
        let output = crate::keys(|| {
            // SAFETY: a key of ours; pointers and lengths of slices; statics.
            self.key.output(|put, output, room| unsafe {
                let (key, from, len) = (self.key.as_ptr(), digest.as_ptr(), digest.len());
                ffi::RSA_sign_pss_mgf1(key, put, output, room, from, len, hash, mgf, salt_len)
            })
        });
        output.map(public_bytes)
    }

    fn decrypt_pkcs1(&self, ciphertext: &[u8]) -> Result<Secret, Error> {
        self.check_ciphertext(ciphertext)?;
        let padded = self.raw(ciphertext)?;
        // SAFETY: reads a key of ours; the number inside stays put while the key does.
        let d = unsafe { Number::copy_of(ffi::RSA_get0_d(self.key.rsa.as_ptr())) }?.to_be()?;
        padding::unpad_pkcs1(&padded, &d, ciphertext, mac::hmac)
    }

    fn decrypt_oaep(&self, oaep: Oaep<'_>, ciphertext: &[u8]) -> Result<Secret, Error> {
        let Oaep { hash, mgf, label } = oaep;
        if self.size() < 2 * hash.output_len() + 2 {
            return Err(Error::Parameter);
        }
        self.check_ciphertext(ciphertext)?;
        let (key, engine) = (self.packed.as_ptr().cast_mut(), ptr::null_mut());
        // SAFETY: the key is ours, and is not changed but for its count of owners; what is returned is ours.
        let mut context = unsafe { Owned::new(ffi::EVP_PKEY_CTX_new(key, engine)) }.ok_or(Error::Fault)?;
        let context = context.as_mut_ptr();
        // SAFETY: the context is ours; statics.
        unsafe {
            done(ffi::EVP_PKEY_decrypt_init(context))?;
            done(ffi::EVP_PKEY_CTX_set_rsa_padding(context, ffi::RSA_PKCS1_OAEP_PADDING))?;
            done(ffi::EVP_PKEY_CTX_set_rsa_oaep_md(context, descriptor(hash)))?;
            done(ffi::EVP_PKEY_CTX_set_rsa_mgf1_md(context, descriptor(mgf)))?;
        }
        if !label.is_empty() {
            // SAFETY: a slice; the copy is ours until the context takes it, which it does if it succeeds.
            unsafe {
                let copy = ffi::OPENSSL_memdup(label.as_ptr().cast::<c_void>(), label.len());
                if copy.is_null() {
                    return Err(Error::Fault);
                }
                done(ffi::EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy.cast(), label.len()))
                    .inspect_err(|_| ffi::OPENSSL_free(copy))?;
            }
        }
        let mut message = Secret::new(vec![0; self.size()]);
        let mut len = message.len();
        let (output, input) = (message.as_mut_ptr(), ciphertext.as_ptr());
        // SAFETY: the context is ours; pointers and lengths of slices.
        let good = succeeded(unsafe { ffi::EVP_PKEY_decrypt(context, output, &raw mut len, input, ciphertext.len()) });
        if !good {
            return Err(Error::CiphertextInvalid);
        }
        message.truncate(len);
        Ok(message)
    }
}

/// Whether a number is 0, 1 or n-1. Raised to an odd power it does not change, and the library refuses it.
fn is_fixed(number: &[u8], n: &[u8]) -> bool {
    let (Some((low, high)), Some((n_low, n_high))) = (number.split_last(), n.split_last()) else {
        return false;
    };
    (*low <= 1 && high.iter().all(|byte| *byte == 0)) || (*low == n_low - 1 && high == n_high)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::Hash;

    static PAIR: LazyLock<KeyPair> = LazyLock::new(|| generate(1024, &[1, 0, 1]).unwrap());

    fn parts(pair: &KeyPair) -> PrivateParts<'_> {
        let KeyPair { n, e, d, p, q, dp, dq, qinv } = pair;
        PrivateParts { n, e, d, crt: Some(CrtParts { p, q, dp, dq, qinv }) }
    }

    fn keys(pair: &KeyPair) -> (Arc<dyn PrivateKey>, Arc<dyn PublicKey>) {
        (private(parts(pair)).unwrap(), public(&pair.n, &pair.e).unwrap())
    }

    #[test]
    fn all_sizes_and_exponents_are_generated_and_work() {
        for (bits, e) in [
            (1024, &[3][..]),
            (1024, &[1, 0, 1]),
            (1032, &[1, 0, 1]),
            (1025, &[0, 3]),
            (1031, &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0x0d]),
        ] {
            let pair = generate(bits, e).unwrap();
            assert_eq!(Number::from_be(&pair.n).unwrap().bits(), bits);
            assert_eq!(pair.e, Number::from_be(e).unwrap().to_be().unwrap().to_vec());
            let (private, public) = keys(&pair);
            let signature = private.sign_pkcs1(b"data").unwrap();
            assert_eq!(signature.len(), bits.div_ceil(8));
            assert_eq!(public.verify_pkcs1(b"data", &signature), Ok(()), "{bits}");
            let pss = Pss { hash: Hash::Sha256, mgf: Hash::Sha1, salt_len: 20 };
            assert_eq!(public.verify_pss(pss, &[1; 32], &private.sign_pss(pss, &[1; 32]).unwrap()), Ok(()), "{bits}");
        }
    }

    #[test]
    fn generation_refuses_what_is_no_key() {
        assert_eq!(generate(1023, &[3]).err(), Some(Error::KeySize));
        assert_eq!(generate(16385, &[3]).err(), Some(Error::KeySize));
        for e in [&[][..], &[0], &[1], &[4], &[0xff; 128]] {
            assert_eq!(generate(1024, e).err(), Some(Error::Parameter), "{e:?}");
        }
    }

    #[test]
    fn a_key_works_without_its_helpful_numbers() {
        for e in [&[3][..], &[1, 0, 1], &[0x12, 0x35]] {
            let pair = generate(1024, e).unwrap();
            let whole = parts(&pair);
            let expected = private(whole).unwrap().raw(&[2]).unwrap();
            for (e, crt) in [(whole.e, None), (&[][..], whole.crt), (&[], None)] {
                let key = private(PrivateParts { e, crt, ..whole }).unwrap();
                assert_eq!(key.raw(&[2]).unwrap(), expected);
            }
        }
    }

    #[test]
    fn an_exponent_that_cannot_be_found_is_not_guessed() {
        let pair = generate(1024, &[1, 0, 3]).unwrap();
        let whole = parts(&pair);
        assert_eq!(private(PrivateParts { e: &[], crt: None, ..whole }).err(), Some(Error::Unsupported));
        assert!(private(PrivateParts { e: &[], ..whole }).is_ok(), "the primes lead to it");
    }

    #[test]
    fn numbers_that_contradict_each_other_are_no_key() {
        let other = generate(1024, &[1, 0, 1]).unwrap();
        let (whole, other) = (parts(&PAIR), parts(&other));
        let (crt, wrong) = (whole.crt.unwrap(), other.crt.unwrap());
        for broken in [
            PrivateParts { n: other.n, ..whole },
            PrivateParts { d: other.d, ..whole },
            PrivateParts { e: &[3], ..whole },
            PrivateParts { e: &[3], crt: None, ..whole },
            PrivateParts { e: &[2], crt: None, ..whole },
            PrivateParts { d: other.d, crt: None, ..whole },
            PrivateParts { d: &[], crt: None, ..whole },
            PrivateParts { crt: other.crt, ..whole },
            PrivateParts { crt: Some(CrtParts { p: wrong.p, ..crt }), ..whole },
            PrivateParts { crt: Some(CrtParts { dp: wrong.dp, ..crt }), ..whole },
            PrivateParts { crt: Some(CrtParts { qinv: wrong.qinv, ..crt }), ..whole },
            PrivateParts { crt: Some(CrtParts { p: whole.n, q: &[1], ..crt }), ..whole },
            PrivateParts { crt: Some(CrtParts { p: whole.n, q: &[1], ..crt }), e: &[], ..whole },
            PrivateParts { crt: Some(CrtParts { p: &[], ..crt }), e: &[], ..whole },
        ] {
            assert_eq!(private(broken).err(), Some(Error::KeyInvalid));
        }
        assert_eq!(private(PrivateParts { n: &whole.n[1..], ..whole }).err(), Some(Error::KeySize));
        assert_eq!(public(whole.n, &[2]).err(), Some(Error::KeyInvalid), "an even exponent");
        assert_eq!(public(whole.n, &[1]).err(), Some(Error::KeyInvalid));
        assert_eq!(public(whole.n, whole.n).err(), Some(Error::KeyInvalid), "an exponent above the modulus");
        assert_eq!(public(&[0xff; 2049], &[3]).err(), Some(Error::KeySize));
    }

    #[test]
    fn leading_zeros_do_not_matter() {
        let whole = parts(&PAIR);
        let longer = |bytes: &[u8]| [&[0; 5], bytes].concat();
        let (n, e, d) = (longer(whole.n), longer(whole.e), longer(whole.d));
        let key = private(PrivateParts { n: &n, e: &e, d: &d, crt: whole.crt }).unwrap();
        assert_eq!(key.size(), 128);
        assert_eq!(key.raw(&[2]).unwrap(), keys(&PAIR).0.raw(&[0, 2]).unwrap());
    }

    #[test]
    fn raw_takes_every_number_below_the_modulus() {
        let (private, public) = keys(&PAIR);
        let mut last = PAIR.n.clone();
        last[127] -= 1;
        for number in [&[][..], &[0], &[1], &[2], &[7; 128][..127], &last] {
            let power = private.raw(number).unwrap();
            assert_eq!(power.len(), 128);
            let back = public.raw(&power).unwrap();
            assert_eq!(back[128 - number.len()..], *number);
            assert!(back[..128 - number.len()].iter().all(|byte| *byte == 0));
        }
        assert_eq!(private.raw(&PAIR.n).err(), Some(Error::InputValue));
        assert_eq!(public.raw(&PAIR.n).err(), Some(Error::InputValue));
        assert_eq!(private.raw(&[0; 129]).err(), Some(Error::InputLength));
        assert_eq!(public.raw(&[0; 129]).err(), Some(Error::InputLength));
    }

    #[test]
    fn pkcs1_signs_what_fits() {
        let (private, public) = keys(&PAIR);
        for len in [0, 1, 51, 117] {
            let data = vec![0xff; len];
            let mut signature = private.sign_pkcs1(&data).unwrap();
            assert_eq!(public.verify_pkcs1(&data, &signature), Ok(()), "{len}");
            assert_eq!(public.verify_pkcs1(b"other", &signature), Err(Error::SignatureInvalid));
            signature[127] ^= 1;
            assert_eq!(public.verify_pkcs1(&data, &signature), Err(Error::SignatureInvalid));
        }
        assert_eq!(private.sign_pkcs1(&[0; 118]).err(), Some(Error::InputLength));
        assert_eq!(public.verify_pkcs1(b"", &[0; 127]), Err(Error::SignatureLength));
        assert_eq!(public.verify_pkcs1(b"", &PAIR.n), Err(Error::SignatureInvalid));
    }

    #[test]
    fn pss_takes_any_two_hashes_and_any_salt_that_fits() {
        let (private, public) = keys(&PAIR);
        for hash in Hash::ALL {
            for mgf in Hash::ALL {
                let digest = vec![9; hash.output_len()];
                let room = 128 - 2 - hash.output_len();
                for salt_len in [0, 1, hash.output_len(), room] {
                    let pss = Pss { hash, mgf, salt_len };
                    if salt_len > room {
                        continue;
                    }
                    let mut signature = private.sign_pss(pss, &digest).unwrap();
                    assert_eq!(public.verify_pss(pss, &digest, &signature), Ok(()), "{pss:?}");
                    signature[3] ^= 1;
                    assert_eq!(public.verify_pss(pss, &digest, &signature), Err(Error::SignatureInvalid));
                }
                let pss = Pss { hash, mgf, salt_len: room + 1 };
                assert_eq!(private.sign_pss(pss, &digest).err(), Some(Error::Parameter));
                assert_eq!(public.verify_pss(pss, &digest, &[0; 128]), Err(Error::Parameter));
            }
        }
        let pss = Pss { hash: Hash::Sha256, mgf: Hash::Sha256, salt_len: usize::MAX };
        assert_eq!(private.sign_pss(pss, &[0; 32]).err(), Some(Error::Parameter));
        let (pss, other) = (Pss { salt_len: 32, ..pss }, Pss { salt_len: 31, ..pss });
        assert_eq!(private.sign_pss(pss, &[0; 31]).err(), Some(Error::InputLength));
        let signature = private.sign_pss(pss, &[0; 32]).unwrap();
        assert_eq!(public.verify_pss(other, &[0; 32], &signature), Err(Error::SignatureInvalid));
        assert_eq!(public.verify_pss(pss, &[0; 32], &signature[1..]), Err(Error::SignatureLength));
    }

    #[test]
    fn oaep_takes_any_two_hashes_and_any_label() {
        let (private, public) = keys(&PAIR);
        for hash in [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384] {
            for mgf in Hash::ALL {
                for label in [&b""[..], b"label"] {
                    let oaep = Oaep { hash, mgf, label };
                    for len in [0, 1, 128 - 2 - 2 * hash.output_len()] {
                        let mut ciphertext = public.encrypt_oaep(oaep, &vec![7; len]).unwrap();
                        assert_eq!(*private.decrypt_oaep(oaep, &ciphertext).unwrap(), vec![7; len]);
                        let other = Oaep { label: b"other", ..oaep };
                        assert_eq!(private.decrypt_oaep(other, &ciphertext).err(), Some(Error::CiphertextInvalid));
                        ciphertext[127] ^= 1;
                        assert_eq!(private.decrypt_oaep(oaep, &ciphertext).err(), Some(Error::CiphertextInvalid));
                    }
                    let long = vec![7; 128 - 1 - 2 * hash.output_len()];
                    assert_eq!(public.encrypt_oaep(oaep, &long).err(), Some(Error::InputLength));
                }
            }
        }
        let oaep = Oaep { hash: Hash::Sha512, mgf: Hash::Sha1, label: b"" };
        assert_eq!(public.encrypt_oaep(oaep, b"").err(), Some(Error::Parameter), "the modulus is too short");
        assert_eq!(private.decrypt_oaep(oaep, &[1; 128]).err(), Some(Error::Parameter));
    }

    #[test]
    fn decryption_says_only_that_a_ciphertext_has_a_wrong_length_or_value() {
        let (private, public) = keys(&PAIR);
        let oaep = Oaep { hash: Hash::Sha1, mgf: Hash::Sha1, label: b"" };
        for (ciphertext, error) in [
            (&[0; 127][..], Error::CiphertextLength),
            (&[0; 129], Error::CiphertextLength),
            (&PAIR.n, Error::CiphertextInvalid),
        ] {
            assert_eq!(private.decrypt_pkcs1(ciphertext).err(), Some(error));
            assert_eq!(private.decrypt_oaep(oaep, ciphertext).err(), Some(error));
        }
        for ciphertext in [[0; 128], [1; 128]] {
            assert!(private.decrypt_pkcs1(&ciphertext).is_ok(), "a wrong padding is no error");
            assert_eq!(private.decrypt_pkcs1(&ciphertext), private.decrypt_pkcs1(&ciphertext), "nor does it vary");
            assert_eq!(private.decrypt_oaep(oaep, &ciphertext).err(), Some(Error::CiphertextInvalid));
        }
        for len in [0, 1, 117] {
            let ciphertext = public.encrypt_pkcs1(&vec![0; len]).unwrap();
            assert_eq!(*private.decrypt_pkcs1(&ciphertext).unwrap(), vec![0; len]);
        }
        assert_eq!(public.encrypt_pkcs1(&[0; 118]).err(), Some(Error::InputLength));
    }

    #[test]
    fn one_key_serves_several_threads() {
        let (private, public) = keys(&PAIR);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 2..50 {
                        let power = private.raw(&[number]).unwrap();
                        assert_eq!(public.raw(&power).unwrap()[127], number);
                    }
                });
            }
        });
    }
}
