use std::{ptr, sync::Arc};

use aws_lc_sys as ffi;

use super::{
    bignum::{self, Number},
    handle::{Owned, done, forget_errors, succeeded},
};
use crate::{
    Error, Secret,
    ec::{Curve, KeyPair, PrivateKey, PublicKey},
};

pub(super) fn public(curve: Curve, point: &[u8]) -> Result<Arc<dyn PublicKey>, Error> {
    let point = Point::read(curve, point)?.ok_or(Error::KeyInvalid)?;
    let mut key = new_key(curve)?;
    // SAFETY: a key and a point of ours on the same curve; the point is copied.
    done(unsafe { ffi::EC_KEY_set_public_key(key.as_mut_ptr(), point.0.as_ptr()) })?;
    Ok(Arc::new(Public { curve, key }))
}

pub(super) fn private(curve: Curve, scalar: &[u8]) -> Result<Arc<dyn PrivateKey>, Error> {
    let significant = scalar.iter().position(|byte| *byte != 0).ok_or(Error::KeyInvalid)?;
    let scalar = &scalar[significant..];
    if scalar.len() > curve.field_len() {
        return Err(Error::KeyInvalid);
    }
    let (scalar, mut key) = (Number::from_be(scalar)?, new_key(curve)?);
    // SAFETY: a key and a number of ours, which is copied.
    if !succeeded(unsafe { ffi::EC_KEY_set_private_key(key.as_mut_ptr(), scalar.as_ptr()) }) {
        return Err(Error::KeyInvalid);
    }
    let mut point = Point::new(curve)?;
    let (group, result, factor) = (group(curve), point.0.as_mut_ptr(), scalar.as_ptr());
    // SAFETY: a static, and a point and a number of ours; null for the second product, which is not wanted.
    done(unsafe { ffi::EC_POINT_mul(group, result, factor, ptr::null(), ptr::null(), ptr::null_mut()) })?;
    // SAFETY: a key and a point of ours on the same curve; the point is copied.
    done(unsafe { ffi::EC_KEY_set_public_key(key.as_mut_ptr(), point.0.as_ptr()) })?;
    Ok(Arc::new(Private { curve, point: point.write(curve)?, key }))
}

pub(super) fn generate(curve: Curve) -> Result<KeyPair, Error> {
    let mut key = new_key(curve)?;
    // SAFETY: a key of ours.
    done(unsafe { ffi::EC_KEY_generate_key(key.as_mut_ptr()) })?;
    let mut scalar = Secret::new(vec![0; curve.field_len()]);
    // SAFETY: reads a key of ours, which has both halves now; they stay put while the key does.
    let point = unsafe {
        bignum::write_be(ffi::EC_KEY_get0_private_key(key.as_ptr()), &mut scalar)?;
        write_point(curve, ffi::EC_KEY_get0_public_key(key.as_ptr()))?
    };
    Ok(KeyPair { scalar, point })
}

fn group(curve: Curve) -> *const ffi::EC_GROUP {
    // SAFETY: these take nothing and return a static.
    unsafe {
        match curve {
            Curve::P224 => ffi::EC_group_p224(),
            Curve::P256 => ffi::EC_group_p256(),
            Curve::P384 => ffi::EC_group_p384(),
            Curve::P521 => ffi::EC_group_p521(),
            Curve::Secp256k1 => ffi::EC_group_secp256k1(),
        }
    }
}

/// A key without numbers yet.
fn new_key(curve: Curve) -> Result<Owned<ffi::EC_KEY>, Error> {
    // SAFETY: what the constructor returns is ours.
    let mut key = unsafe { Owned::new(ffi::EC_KEY_new()) }.ok_or(Error::Fault)?;
    // SAFETY: a key of ours, and a static.
    done(unsafe { ffi::EC_KEY_set_group(key.as_mut_ptr(), group(curve)) })?;
    Ok(key)
}

struct Point(Owned<ffi::EC_POINT>);

impl Point {
    fn new(curve: Curve) -> Result<Self, Error> {
        // SAFETY: a static; what the constructor returns is ours.
        unsafe { Owned::new(ffi::EC_POINT_new(group(curve))) }.map(Self).ok_or(Error::Fault)
    }

    /// `None` if it is not a point of the curve, or at infinity, or not in one of the two usual forms.
    fn read(curve: Curve, bytes: &[u8]) -> Result<Option<Self>, Error> {
        let expected = match bytes.first() {
            Some(2 | 3) => 1 + curve.field_len(),
            Some(4) => 1 + 2 * curve.field_len(),
            _ => return Ok(None),
        };
        if bytes.len() != expected {
            return Ok(None);
        }
        let mut point = Self::new(curve)?;
        let (group, result, no_room) = (group(curve), point.0.as_mut_ptr(), ptr::null_mut());
        // SAFETY: a static, a point of ours on that curve, and pointer and length of one slice.
        let good = succeeded(unsafe { ffi::EC_POINT_oct2point(group, result, bytes.as_ptr(), bytes.len(), no_room) });
        Ok(good.then_some(point))
    }

    fn write(&self, curve: Curve) -> Result<Vec<u8>, Error> {
        // SAFETY: a point of ours on this curve.
        unsafe { write_point(curve, self.0.as_ptr()) }
    }
}

/// A point, uncompressed.
///
/// # Safety
/// `point` must be a point of this curve that stays put during the call.
unsafe fn write_point(curve: Curve, point: *const ffi::EC_POINT) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; 1 + 2 * curve.field_len()];
    let form = ffi::point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED;
    let (to, room) = (bytes.as_mut_ptr(), bytes.len());
    // SAFETY: a static, the caller's promise, and pointer and length of one slice.
    let len = unsafe { ffi::EC_POINT_point2oct(group(curve), point, form, to, room, ptr::null_mut()) };
    if len == bytes.len() {
        return Ok(bytes);
    }
    forget_errors();
    Err(Error::Fault)
}

struct Public {
    curve: Curve,
    key: Owned<ffi::EC_KEY>,
}

impl PublicKey for Public {
    fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), Error> {
        if signature.len() != 2 * self.curve.field_len() {
            return Err(Error::SignatureLength);
        }
        let (r, s) = signature.split_at(self.curve.field_len());
        let (r, s) = (Number::from_be(r)?, Number::from_be(s)?);
        // SAFETY: what the constructor returns is ours.
        let mut numbers = unsafe { Owned::new(ffi::ECDSA_SIG_new()) }.ok_or(Error::Fault)?;
        // SAFETY: an object of ours, which takes over two numbers of ours. It refuses only null.
        done(unsafe { ffi::ECDSA_SIG_set0(numbers.as_mut_ptr(), r.into_raw(), s.into_raw()) })?;
        let (numbers, key) = (numbers.as_ptr(), self.key.as_ptr());
        // SAFETY: objects of ours, which are read, and pointer and length of one slice.
        let good = succeeded(unsafe { ffi::ECDSA_do_verify(digest.as_ptr(), digest.len(), numbers, key) });
        if good { Ok(()) } else { Err(Error::SignatureInvalid) }
    }
}

struct Private {
    curve: Curve,
    point: Vec<u8>,
    key: Owned<ffi::EC_KEY>,
}

impl PrivateKey for Private {
    fn point(&self) -> Vec<u8> {
        self.point.clone()
    }

    fn sign(&self, digest: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let output = output.get_mut(..2 * self.curve.field_len()).ok_or(Error::OutputLength)?;
        // SAFETY: a key of ours, which is read, and pointer and length of one slice; what is returned is ours.
        let numbers = unsafe { Owned::new(ffi::ECDSA_do_sign(digest.as_ptr(), digest.len(), self.key.as_ptr())) };
        let numbers = numbers.ok_or(Error::Fault)?;
        let (r, s) = output.split_at_mut(self.curve.field_len());
        // SAFETY: the numbers stay put while the object does, which is ours.
        unsafe {
            bignum::write_be(ffi::ECDSA_SIG_get0_r(numbers.as_ptr()), r)?;
            bignum::write_be(ffi::ECDSA_SIG_get0_s(numbers.as_ptr()), s)?;
        }
        Ok(output.len())
    }

    fn agree(&self, peer: &[u8]) -> Result<Secret, Error> {
        let peer = Point::read(self.curve, peer)?.ok_or(Error::PeerInvalid)?;
        let mut secret = Secret::new(vec![0; self.curve.field_len()]);
        let (to, room) = (secret.as_mut_ptr().cast(), secret.len());
        // SAFETY: a point and a key of ours, which are read, and pointer and length of one slice.
        let len = unsafe { ffi::ECDH_compute_key(to, room, peer.0.as_ptr(), self.key.as_ptr(), None) };
        if usize::try_from(len) == Ok(secret.len()) {
            return Ok(secret);
        }
        forget_errors();
        Err(Error::Fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::awslc::tests::hex;

    #[test]
    fn the_public_point_is_that_of_rfc_6979() {
        let key =
            private(Curve::P256, &hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")).unwrap();
        let point = hex("04 60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6
                         7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
        assert_eq!(key.point(), point);
        let digest = hex("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf");
        let mut signature = hex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716
                                 f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
        let key = public(Curve::P256, &point).unwrap();
        assert_eq!(key.verify(&digest, &signature), Ok(()));
        signature[40] ^= 1;
        assert_eq!(key.verify(&digest, &signature), Err(Error::SignatureInvalid));
    }

    #[test]
    fn signatures_over_digests_of_any_length_are_good() {
        for curve in Curve::ALL {
            let pair = generate(curve).unwrap();
            let (private, len) = (private(curve, &pair.scalar).unwrap(), curve.field_len());
            let public = public(curve, &pair.point).unwrap();
            assert_eq!(private.point(), pair.point);
            for digest in [&[][..], &[1], &[0xff; 20], &[0xff; 32], &[0xff; 64], &[0xff; 200]] {
                let mut signature = vec![0xaa; 2 * len + 1];
                assert_eq!(private.sign(digest, &mut signature), Ok(2 * len));
                assert_eq!(signature.pop(), Some(0xaa), "no more is written");
                assert_eq!(public.verify(digest, &signature), Ok(()), "{curve:?}, {}", digest.len());
                assert_eq!(public.verify(&[9; 20], &signature), Err(Error::SignatureInvalid));
                signature[len - 1] ^= 1;
                assert_eq!(public.verify(digest, &signature), Err(Error::SignatureInvalid));
            }
            assert_eq!(private.sign(&[0; 32], &mut vec![0; 2 * len - 1]), Err(Error::OutputLength));
            assert_eq!(public.verify(&[0; 32], &vec![1; 2 * len - 1]), Err(Error::SignatureLength));
            assert_eq!(public.verify(&[0; 32], &vec![0; 2 * len]), Err(Error::SignatureInvalid));
        }
    }

    #[test]
    fn only_the_leftmost_bits_of_a_digest_count() {
        let pair = generate(Curve::P224).unwrap();
        let mut signature = [0; 56];
        private(Curve::P224, &pair.scalar).unwrap().sign(&[7; 64], &mut signature).unwrap();
        assert_eq!(public(Curve::P224, &pair.point).unwrap().verify(&[7; 28], &signature), Ok(()));
    }

    #[test]
    fn two_sides_agree_and_a_compressed_point_is_as_good() {
        for curve in Curve::ALL {
            let [one, other] = [(); 2].map(|()| generate(curve).unwrap());
            let secret = private(curve, &one.scalar).unwrap().agree(&other.point).unwrap();
            assert_eq!(secret.len(), curve.field_len());
            let (x, last) = (&one.point[1..=curve.field_len()], one.point.last().unwrap());
            let compressed = [&[2 + (last & 1)], x].concat();
            assert_eq!(private(curve, &other.scalar).unwrap().agree(&compressed).unwrap(), secret, "{curve:?}");
            assert!(public(curve, &compressed).is_ok());
        }
    }

    #[test]
    fn what_is_no_point_is_refused() {
        for curve in Curve::ALL {
            let pair = generate(curve).unwrap();
            let private = private(curve, &pair.scalar).unwrap();
            let mut off = pair.point.clone();
            *off.last_mut().unwrap() ^= 1;
            let mut hybrid = pair.point.clone();
            hybrid[0] = 6 + (pair.point.last().unwrap() & 1);
            let longer = [&pair.point[..], &[0]].concat();
            for bad in [&[][..], &[0], &[2], &[4], &off, &hybrid, &longer, &pair.point[1..]] {
                assert_eq!(public(curve, bad).err(), Some(Error::KeyInvalid), "{curve:?} {bad:x?}");
                assert_eq!(private.agree(bad).err(), Some(Error::PeerInvalid));
            }
        }
    }

    #[test]
    fn a_scalar_is_from_1_to_the_order_less_one() {
        for curve in Curve::ALL {
            // SAFETY: the order of a static group.
            let order = unsafe { Number::copy_of(ffi::EC_GROUP_get0_order(group(curve))) }.unwrap();
            for bad in [order.to_be().unwrap().to_vec(), vec![], vec![0; 10], vec![0xff; curve.field_len() + 1]] {
                assert_eq!(private(curve, &bad).err(), Some(Error::KeyInvalid));
            }
            let last = order.less_one().unwrap().to_be().unwrap();
            let (one, last) =
                (private(curve, &[0, 1]).unwrap(), private(curve, &[&[0; 9], &last[..]].concat()).unwrap());
            assert_eq!(one.point()[..=curve.field_len()], last.point()[..=curve.field_len()], "G and -G");
        }
    }
}
