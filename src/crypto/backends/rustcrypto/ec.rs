//! ECDSA and ECDH, once for every curve.

use std::sync::Arc;

use ecdsa::{
    EcdsaCurve, Signature, SignatureSize,
    hazmat::{sign_prehashed_rfc6979, verify_prehashed},
};
use elliptic_curve::{
    AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize, Generate, NonZeroScalar, SecretKey,
    array::ArraySize,
    ecdh::diffie_hellman,
    sec1::{FromSec1Point, ModulusSize, ToSec1Point},
};
use k256::Secp256k1;
use p224::NistP224;
use p256::NistP256;
use p384::NistP384;
use p521::NistP521;
use sha2::Sha512;
use zeroize::Zeroizing;

use super::{random, rng};
use crate::{
    Error, Secret,
    ec::{Curve, KeyPair, PrivateKey, PublicKey},
};

/// How much entropy goes into a nonce beside the key and the digest.
const ENTROPY: usize = 32;

/// `$body` with the type name `C` standing for the crate's type of a [`Curve`].
macro_rules! with_curve {
    ($curve:expr, $body:expr) => {
        match $curve {
            Curve::P224 => {
                type C = NistP224;
                $body
            }
            Curve::P256 => {
                type C = NistP256;
                $body
            }
            Curve::P384 => {
                type C = NistP384;
                $body
            }
            Curve::P521 => {
                type C = NistP521;
                $body
            }
            Curve::Secp256k1 => {
                type C = Secp256k1;
                $body
            }
        }
    };
}

pub(super) fn public(curve: Curve, point: &[u8]) -> Result<Arc<dyn PublicKey>, Error> {
    with_curve!(curve, Ok(Arc::new(Public::<C> { curve, point: decode(point).ok_or(Error::KeyInvalid)? })))
}

pub(super) fn private(curve: Curve, scalar: &[u8]) -> Result<Arc<dyn PrivateKey>, Error> {
    with_curve!(curve, Ok(Arc::new(Private::<C>::new(curve, scalar)?)))
}

pub(super) fn generate(curve: Curve) -> Result<KeyPair, Error> {
    with_curve!(curve, {
        let key = SecretKey::<C>::try_generate_from_rng(&mut rng()).map_err(|_| Error::Fault)?;
        Ok(KeyPair { scalar: Secret::new(key.to_bytes().to_vec()), point: encode(&key.public_key()) })
    })
}

struct Public<C: CurveArithmetic> {
    curve: Curve,
    point: elliptic_curve::PublicKey<C>,
}

impl<C> PublicKey for Public<C>
where
    C: EcdsaCurve + CurveArithmetic,
    SignatureSize<C>: ArraySize,
{
    fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), Error> {
        if signature.len() != 2 * self.curve.field_len() {
            return Err(Error::SignatureLength);
        }
        let mut signature = Signature::<C>::from_slice(signature).map_err(|_| Error::SignatureInvalid)?;
        if C::NORMALIZE_S {
            // The crate takes only the smaller of s and -s there; ECDSA takes both.
            signature = signature.normalize_s();
        }
        let digest = leftmost(self.curve, digest);
        verify_prehashed(&self.point.to_projective(), &digest, &signature).map_err(|_| Error::SignatureInvalid)
    }
}

struct Private<C: CurveArithmetic> {
    curve: Curve,
    /// Wipes itself.
    key: SecretKey<C>,
    point: elliptic_curve::PublicKey<C>,
}

impl<C: CurveArithmetic> Private<C> {
    fn new(curve: Curve, scalar: &[u8]) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new(FieldBytes::<C>::default());
        let excess = scalar.len().saturating_sub(bytes.len());
        let (excess, scalar) = scalar.split_at(excess);
        if excess.iter().any(|byte| *byte != 0) {
            return Err(Error::KeyInvalid);
        }
        let zeros = bytes.len() - scalar.len();
        bytes[zeros..].copy_from_slice(scalar);
        let key = SecretKey::from_bytes(&bytes).map_err(|_| Error::KeyInvalid)?;
        let point = key.public_key();
        Ok(Self { curve, key, point })
    }
}

impl<C> PrivateKey for Private<C>
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
    SignatureSize<C>: ArraySize,
{
    fn point(&self) -> Vec<u8> {
        encode(&self.point)
    }

    fn sign(&self, digest: &[u8], output: &mut [u8]) -> Result<usize, Error> {
        let length = 2 * self.curve.field_len();
        let output = output.get_mut(..length).ok_or(Error::OutputLength)?;
        let digest = leftmost(self.curve, digest);
        // RFC 6979, 3.6: the nonce depends on the key, the digest and fresh entropy, so that neither a weak
        // generator nor a fault repeats it. The digest is in there whole: the crate shortens its own copy.
        let mut entropy = Zeroizing::new([0; ENTROPY]);
        random(&mut *entropy)?;
        let additional = Zeroizing::new([&*entropy, &*digest].concat());
        let scalar: NonZeroScalar<C> = self.key.to_nonzero_scalar();
        let (signature, _) = sign_prehashed_rfc6979::<C, Sha512>(&scalar, &digest, &additional);
        output.copy_from_slice(&signature.to_bytes());
        Ok(length)
    }

    fn agree(&self, peer: &[u8]) -> Result<Secret, Error> {
        let peer = decode::<C>(peer).ok_or(Error::PeerInvalid)?;
        let secret = diffie_hellman(self.key.to_nonzero_scalar(), peer.as_affine());
        Ok(Secret::new(secret.raw_secret_bytes().to_vec()))
    }
}

/// The point of these bytes, if it is on the curve and not at infinity.
fn decode<C>(point: &[u8]) -> Option<elliptic_curve::PublicKey<C>>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    // Compressed with an even or an odd y, and uncompressed. The crate also knows a form without any y.
    match point.first() {
        Some(2..=4) => elliptic_curve::PublicKey::from_sec1_bytes(point).ok(),
        _ => None,
    }
}

fn encode<C>(point: &elliptic_curve::PublicKey<C>) -> Vec<u8>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    point.as_affine().to_sec1_point(false).as_bytes().to_vec()
}

/// The leftmost bits of a digest, as many as the order has (FIPS 186-5, 6.4.1, step 2), as a number of
/// [`Curve::field_len`] bytes. The order of each of our curves has as many bits as the field.
fn leftmost(curve: Curve, digest: &[u8]) -> Vec<u8> {
    let mut number = vec![0; curve.field_len()];
    let kept = digest.len().min(number.len());
    let zeros = number.len() - kept;
    number[zeros..].copy_from_slice(&digest[..kept]);
    let surplus = (8 * kept).saturating_sub(curve.bits());
    if surplus > 0 {
        let mut carried = 0;
        for byte in &mut number {
            let shifted = *byte >> surplus | carried;
            carried = *byte << (8 - surplus);
            *byte = shifted;
        }
    }
    number
}
