//! DSA.

use std::{ptr, sync::Arc};

use aws_lc_sys as ffi;

use super::{
    bignum::{self, Number},
    handle::{Owned, done, succeeded},
};
use crate::{
    Error,
    dsa::{Group, PrivateKey, PublicKey},
    suite::Prepared,
};

pub(super) fn public(group: Group<'_>, y: &[u8]) -> Prepared<dyn PublicKey> {
    group.check_public(y)?;
    Ok(Arc::new(Key { half: group.half_len(), dsa: key(group, y, None)? }))
}

pub(super) fn private(group: Group<'_>, x: &[u8]) -> Prepared<dyn PrivateKey> {
    // Computing it checks the value and the group.
    let y = group.public(x)?;
    Ok(Arc::new(Key { half: group.half_len(), dsa: key(group, &y, Some(x))? }))
}

fn key(group: Group<'_>, y: &[u8], x: Option<&[u8]>) -> Result<Owned<ffi::DSA>, Error> {
    let (p, q, g) = (Number::from_be(group.p)?, Number::from_be(group.q)?, Number::from_be(group.g)?);
    let (y, x) = (Number::from_be(y)?, x.map(Number::from_be).transpose()?);
    // SAFETY: what the constructor returns is ours.
    let mut key = unsafe { Owned::new(ffi::DSA_new()) }.ok_or(Error::Fault)?;
    // SAFETY: an object of ours, which takes over numbers of ours. It refuses null only, and none is.
    done(unsafe { ffi::DSA_set0_pqg(key.as_mut_ptr(), p.into_raw(), q.into_raw(), g.into_raw()) })?;
    let x = x.map_or(ptr::null_mut(), Number::into_raw);
    // SAFETY: the same; no private value is allowed.
    done(unsafe { ffi::DSA_set0_key(key.as_mut_ptr(), y.into_raw(), x) })?;
    Ok(key)
}

struct Key {
    /// Length of a half of a signature in bytes.
    half: usize,
    dsa: Owned<ffi::DSA>,
}

impl PublicKey for Key {
    fn signature_len(&self) -> usize {
        2 * self.half
    }

    fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), Error> {
        if signature.len() != 2 * self.half {
            return Err(Error::SignatureLength);
        }
        let (r, s) = signature.split_at(self.half);
        let (r, s) = (Number::from_be(r)?, Number::from_be(s)?);
        // SAFETY: what the constructor returns is ours.
        let mut numbers = unsafe { Owned::new(ffi::DSA_SIG_new()) }.ok_or(Error::Fault)?;
        // SAFETY: an object of ours, which takes over two numbers of ours. It refuses only null.
        done(unsafe { ffi::DSA_SIG_set0(numbers.as_mut_ptr(), r.into_raw(), s.into_raw()) })?;
        let (numbers, key, mut valid) = (numbers.as_ptr(), self.dsa.as_ptr(), 0);
        // SAFETY: objects of ours, which are read, and pointer and length of one slice.
        let done = succeeded(unsafe {
            ffi::DSA_do_check_signature(&raw mut valid, digest.as_ptr(), digest.len(), numbers, key)
        });
        if done && valid == 1 { Ok(()) } else { Err(Error::SignatureInvalid) }
    }
}

impl PrivateKey for Key {
    fn signature_len(&self) -> usize {
        2 * self.half
    }

    fn sign(&self, digest: &[u8], output: &mut [u8]) -> Result<(), Error> {
        let output = output.get_mut(..2 * self.half).ok_or(Error::OutputLength)?;
        // SAFETY: a key of ours, which is read, and pointer and length of one slice; what is returned is ours.
        let numbers = unsafe { Owned::new(ffi::DSA_do_sign(digest.as_ptr(), digest.len(), self.dsa.as_ptr())) };
        let numbers = numbers.ok_or(Error::Fault)?;
        let (mut r, mut s) = (ptr::null(), ptr::null());
        // SAFETY: an object of ours, and two places of ours for its numbers.
        unsafe { ffi::DSA_SIG_get0(numbers.as_ptr(), &raw mut r, &raw mut s) };
        let (first, second) = output.split_at_mut(self.half);
        // SAFETY: the numbers stay put while the object does, which is ours, and a signature has both.
        unsafe {
            bignum::write_be(r, first)?;
            bignum::write_be(s, second)
        }
    }
}
