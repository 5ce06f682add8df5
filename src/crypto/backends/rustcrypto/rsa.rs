//! RSA: the raw operations are the crate's, the paddings are in `pss`, `oaep` and `crate::padding`.

use std::sync::Arc;

use ::rsa::{
    BoxedUint,
    hazmat::{rsa_decrypt_and_check, rsa_encrypt},
    traits::{PrivateKeyParts, PublicKeyParts},
};
use crypto_bigint::{
    ConcatenatingMul, Gcd, NonZero, Odd, Resize,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use zeroize::Zeroizing;

use super::{hash, oaep, pss, random, rng};
use crate::{
    Error, Secret, padding,
    rsa::{CrtParts, KeyPair, MAX_BITS, MIN_BITS, Oaep, PrivateKey, PrivateParts, Pss, PublicKey},
};

/// How many pairs of primes are tried until one fits the public exponent. For 3, every fourth does.
const TRIES: usize = 200;

/// The exponents that nearly all keys have, the most usual first: tried where a key comes without one.
const USUAL_EXPONENTS: [u32; 5] = [65537, 3, 17, 5, 257];

pub(super) fn public(n: &[u8], e: &[u8]) -> Result<Arc<dyn PublicKey>, Error> {
    let (n, e) = (modulus(n)?, exponent(e)?);
    if e >= *n.as_ref() {
        return Err(Error::KeyInvalid);
    }
    Ok(Arc::new(Public::new(&n, e)))
}

pub(super) fn private(parts: PrivateParts<'_>) -> Result<Arc<dyn PrivateKey>, Error> {
    let PrivateParts { n, e, d, crt } = parts;
    let n = modulus(n)?;
    let d = private_number(d, &n)?;
    let key = match crt {
        Some(crt) => with_primes(&n, e, &d, crt)?,
        None => without_primes(&n, e, &d)?,
    };
    let public = Public::new(&n, key.e().clone());
    Ok(Arc::new(Private { d: secret(key.d()), key, public }))
}

pub(super) fn generate(bits: usize, e: &[u8]) -> Result<KeyPair, Error> {
    if !(MIN_BITS..=MAX_BITS).contains(&bits) {
        return Err(Error::KeySize);
    }
    let e = strip(e);
    if e.len() * 8 >= bits {
        return Err(Error::Parameter);
    }
    let e = exponent(e).map_err(|_| Error::Parameter)?;
    for _ in 0..TRIES {
        // The crate takes short exponents only, and has no function that makes nothing but primes.
        let made = ::rsa::PrivateKey::new(&mut rng(), bits).map_err(|_| Error::Fault)?;
        let [p, q] = made.primes() else { return Err(Error::Fault) };
        // Some want the greater prime to be the first.
        let (p, q) = if p.as_ref() > q.as_ref() { (p, q) } else { (q, p) };
        if let Some(d) = inverse(&e, p.as_ref(), q.as_ref()) {
            let primes = vec![p.as_ref().clone(), q.as_ref().clone()];
            return key_pair(&assemble(made.n(), e, &d, primes)?);
        }
    }
    Err(Error::Fault)
}

fn key_pair(key: &::rsa::PrivateKey) -> Result<KeyPair, Error> {
    let Some((dp, dq, qinv)) = crt_numbers(key) else { return Err(Error::Fault) };
    let [p, q] = key.primes() else { return Err(Error::Fault) };
    Ok(KeyPair {
        n: key.n_bytes().into_vec(),
        e: key.e_bytes().into_vec(),
        d: secret(key.d()),
        p: secret(p.as_ref()),
        q: secret(q.as_ref()),
        dp: secret(dp),
        dq: secret(dq),
        qinv: secret(&qinv),
    })
}

/// A private key of which all numbers are known; `e` may be empty.
fn with_primes(n: &Odd<BoxedUint>, e: &[u8], d: &BoxedUint, crt: CrtParts<'_>) -> Result<::rsa::PrivateKey, Error> {
    let CrtParts { p, q, dp, dq, qinv } = crt;
    let (p, q) = (private_number(p, n)?, private_number(q, n)?);
    let e = if strip(e).is_empty() {
        inverse(d, &p, &q).map(|e| public_number(&e.to_be_bytes())).ok_or(Error::KeyInvalid)?
    } else {
        exponent(e)?
    };
    let key = assemble(n.as_nz_ref(), e, d, vec![(*p).clone(), (*q).clone()])?;
    let (own_dp, own_dq, own_qinv) = crt_numbers(&key).ok_or(Error::KeyInvalid)?;
    let same = *private_number(dp, n)? == *own_dp
        && *private_number(dq, n)? == *own_dq
        && *private_number(qinv, n)? == *own_qinv;
    if same { Ok(key) } else { Err(Error::KeyInvalid) }
}

/// A private key whose primes are recovered; `e` may be empty if it is a usual one.
fn without_primes(n: &Odd<BoxedUint>, e: &[u8], d: &BoxedUint) -> Result<::rsa::PrivateKey, Error> {
    if !strip(e).is_empty() {
        let e = exponent(e)?;
        let primes = primes(n, &e, d).ok_or(Error::KeyInvalid)?;
        return assemble(n.as_nz_ref(), e, d, primes);
    }
    for e in USUAL_EXPONENTS {
        let e = BoxedUint::from(e);
        if let Some(primes) = primes(n, &e, d) {
            return assemble(n.as_nz_ref(), e, d, primes);
        }
    }
    Err(Error::Unsupported)
}

/// The crate's key, all of whose numbers fit together.
fn assemble(n: &BoxedUint, e: BoxedUint, d: &BoxedUint, primes: Vec<BoxedUint>) -> Result<::rsa::PrivateKey, Error> {
    ::rsa::PrivateKey::from_components_with_large_exponent(n.clone(), e, d.clone(), primes)
        .map_err(|_| Error::KeyInvalid)
}

/// `d mod (p-1)`, `d mod (q-1)` and `q^-1 mod p`.
fn crt_numbers(key: &::rsa::PrivateKey) -> Option<(&BoxedUint, &BoxedUint, Zeroizing<BoxedUint>)> {
    Some((key.dp()?, key.dq()?, Zeroizing::new(key.qinv()?.retrieve())))
}

/// The exponent that undoes another: its inverse modulo the least common multiple of `p-1` and `q-1`.
fn inverse(exponent: &BoxedUint, p: &BoxedUint, q: &BoxedUint) -> Option<Zeroizing<BoxedUint>> {
    let less = |prime: &BoxedUint| Zeroizing::new(prime.wrapping_sub(BoxedUint::one()));
    let (p, q) = (less(p), less(q));
    let common = NonZero::new(p.gcd(&q)).into_option()?;
    let order = NonZero::new((&*p / common).concatenating_mul(&*q)).into_option()?;
    let exponent = Zeroizing::new(exponent.rem(&order).resize(order.bits_precision()));
    exponent.invert_mod(&order).into_option().map(Zeroizing::new)
}

/// The primes of a modulus (SP 800-56B Rev. 2, C.1), if the exponents belong to it. Small bases serve as well
/// as random ones. Happens once in a key's life here; its time depends on the key.
fn primes(n: &Odd<BoxedUint>, e: &BoxedUint, d: &BoxedUint) -> Option<Vec<BoxedUint>> {
    let multiple = Zeroizing::new(d.concatenating_mul(e).wrapping_sub(BoxedUint::one()));
    let twos = multiple.trailing_zeros_vartime();
    if multiple.is_zero().into() || twos == 0 {
        return None;
    }
    let odd = Zeroizing::new(multiple.shr_vartime(twos)?);
    let params = BoxedMontyParams::new(n.clone());
    let one = BoxedMontyForm::one(&params);
    let minus_one = one.neg();
    for base in 2_u32..102 {
        let base = BoxedUint::from(base).resize(n.bits_precision());
        let mut power = BoxedMontyForm::new(base, &params).pow(&odd);
        if power == one {
            continue;
        }
        let mut root = None;
        for _ in 0..twos {
            let square = power.square();
            if square == one {
                root = Some(power);
                break;
            }
            power = square;
        }
        // Without a root of one, the exponents are not those of this modulus.
        let root = root?;
        if root == minus_one {
            continue;
        }
        let p = NonZero::new(root.sub(&one).retrieve().gcd(n.as_ref())).into_option()?;
        let q = n.as_ref() / &p;
        return Some(vec![p.get(), q]);
    }
    None
}

struct Public {
    key: ::rsa::PublicKey,
    bits: usize,
}

impl Public {
    fn new(n: &Odd<BoxedUint>, e: BoxedUint) -> Self {
        let bits = bits(n.as_ref());
        Self { key: ::rsa::PublicKey::new_unchecked(n.as_ref().clone(), e), bits }
    }

    /// A number below the modulus.
    fn number(&self, input: &[u8]) -> Result<Zeroizing<BoxedUint>, Error> {
        if input.len() > self.size() {
            return Err(Error::InputLength);
        }
        let number = BoxedUint::from_be_slice(input, self.key.n_bits_precision()).map_err(|_| Error::InputLength)?;
        let number = Zeroizing::new(number);
        if *number >= *self.key.n().as_ref() {
            return Err(Error::InputValue);
        }
        Ok(number)
    }

    /// A number below the modulus as bytes, as long as the modulus.
    fn bytes(&self, number: &BoxedUint) -> Secret {
        let bytes = Zeroizing::new(number.to_be_bytes());
        let zeros = bytes.len() - self.size();
        Secret::new(bytes[zeros..].to_vec())
    }

    /// What was signed, from a signature of the right length.
    fn recover(&self, signature: &[u8]) -> Result<Vec<u8>, Error> {
        if signature.len() != self.size() {
            return Err(Error::SignatureLength);
        }
        self.raw(signature).map_err(|_| Error::SignatureInvalid)
    }

    /// `00 01 ff … ff 00` and the data (RFC 8017, 9.2, from step 3).
    fn pad_pkcs1(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        let room = self.size().checked_sub(padding::PKCS1_OVERHEAD).ok_or(Error::InputLength)?;
        if data.len() > room {
            return Err(Error::InputLength);
        }
        let mut encoded = vec![0xff; self.size()];
        encoded[..2].copy_from_slice(&[0, 1]);
        let start = encoded.len() - data.len();
        encoded[start - 1] = 0;
        encoded[start..].copy_from_slice(data);
        Ok(encoded)
    }
}

impl PublicKey for Public {
    fn size(&self) -> usize {
        self.bits.div_ceil(8)
    }

    fn raw(&self, input: &[u8]) -> Result<Vec<u8>, Error> {
        let number = self.number(input)?;
        let output = rsa_encrypt(&self.key, &number).map_err(|_| Error::Fault)?;
        Ok(self.bytes(&output).to_vec())
    }

    fn verify_pkcs1(&self, data: &[u8], signature: &[u8]) -> Result<(), Error> {
        let found = self.recover(signature)?;
        // Data too long for the modulus has no signature.
        match self.pad_pkcs1(data) {
            Ok(expected) if found == expected => Ok(()),
            _ => Err(Error::SignatureInvalid),
        }
    }

    fn verify_pss(&self, pss: Pss, digest: &[u8], signature: &[u8]) -> Result<(), Error> {
        // What the caller asked for is looked at first, whatever the signature is.
        pss::padding_len(pss, digest, self.bits)?;
        let encoded = self.recover(signature)?;
        let excess = encoded.len() - pss::encoded_len(self.bits);
        let (excess, encoded) = encoded.split_at(excess);
        if excess.iter().any(|byte| *byte != 0) {
            return Err(Error::SignatureInvalid);
        }
        pss::verify(pss, digest, encoded, self.bits)
    }

    fn encrypt_pkcs1(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut encoded = Secret::new(self.pad_pkcs1(message)?);
        encoded[1] = 2;
        let separator = encoded.len() - message.len() - 1;
        let filling = &mut encoded[2..separator];
        random(filling)?;
        for byte in filling {
            while *byte == 0 {
                random(std::slice::from_mut(byte))?;
            }
        }
        self.raw(&encoded)
    }

    fn encrypt_oaep(&self, oaep: Oaep<'_>, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.raw(&oaep::encode(oaep, message, self.size())?)
    }
}

struct Private {
    /// Wipes itself.
    key: ::rsa::PrivateKey,
    d: Secret,
    public: Public,
}

impl Private {
    /// The raw operation on a ciphertext.
    fn decrypt(&self, ciphertext: &[u8]) -> Result<Secret, Error> {
        if ciphertext.len() != self.size() {
            return Err(Error::CiphertextLength);
        }
        self.raw(ciphertext).map_err(|error| match error {
            Error::InputValue => Error::CiphertextInvalid,
            other => other,
        })
    }
}

impl PrivateKey for Private {
    fn size(&self) -> usize {
        self.public.size()
    }

    fn raw(&self, input: &[u8]) -> Result<Secret, Error> {
        let number = self.public.number(input)?;
        let output = rsa_decrypt_and_check(&self.key, Some(&mut rng()), &number).map_err(|_| Error::Fault)?;
        Ok(self.public.bytes(&Zeroizing::new(output)))
    }

    fn sign_pkcs1(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.raw(&self.public.pad_pkcs1(data)?)?.to_vec())
    }

    fn sign_pss(&self, pss: Pss, digest: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.raw(&pss::encode(pss, digest, self.public.bits)?)?.to_vec())
    }

    fn decrypt_pkcs1(&self, ciphertext: &[u8]) -> Result<Secret, Error> {
        let encoded = self.decrypt(ciphertext)?;
        padding::unpad_pkcs1(&encoded, &self.d, ciphertext, hash::hmac)
    }

    fn decrypt_oaep(&self, oaep: Oaep<'_>, ciphertext: &[u8]) -> Result<Secret, Error> {
        oaep::decode(oaep, self.decrypt(ciphertext)?)
    }
}

/// A modulus of a size that is taken.
fn modulus(n: &[u8]) -> Result<Odd<BoxedUint>, Error> {
    let n = strip(n);
    if n.len() > MAX_BITS / 8 || n.len() < MIN_BITS / 8 {
        return Err(Error::KeySize);
    }
    let n = public_number(n);
    if bits(&n) < MIN_BITS {
        return Err(Error::KeySize);
    }
    Odd::new(n).into_option().ok_or(Error::KeyInvalid)
}

/// A public exponent: odd and at least 3.
fn exponent(e: &[u8]) -> Result<BoxedUint, Error> {
    let e = strip(e);
    let odd = e.last().is_some_and(|last| last & 1 == 1);
    if !odd || e == [1] {
        return Err(Error::KeyInvalid);
    }
    Ok(public_number(e))
}

/// A number in as few limbs as it needs.
fn public_number(number: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(strip(number))
}

/// A number below the modulus, in as many limbs.
fn private_number(number: &[u8], n: &Odd<BoxedUint>) -> Result<Zeroizing<BoxedUint>, Error> {
    let number = strip(number);
    if number.is_empty() {
        return Err(Error::KeyInvalid);
    }
    BoxedUint::from_be_slice(number, n.bits_precision()).map(Zeroizing::new).map_err(|_| Error::KeyInvalid)
}

fn secret(number: &BoxedUint) -> Secret {
    Secret::new(number.to_be_bytes_trimmed_vartime().into_vec())
}

fn bits(number: &BoxedUint) -> usize {
    number.bit_width_vartime().try_into().unwrap_or(usize::MAX)
}

/// Without leading zeros.
fn strip(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
