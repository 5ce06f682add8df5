use std::sync::Arc;

use aws_lc_sys as ffi;
use zeroize::Zeroizing;

use super::{handle::succeeded, random};
use crate::{
    Error, Secret,
    montgomery::{Curve, KeyPair, PrivateKey},
};

const KEY: usize = 32;

pub(super) fn private(curve: Curve, scalar: &[u8]) -> Result<Arc<dyn PrivateKey>, Error> {
    let Curve::X25519 = curve;
    Ok(Arc::new(Private(Zeroizing::new(*scalar.as_array().ok_or(Error::KeyInvalid)?))))
}

pub(super) fn generate(curve: Curve) -> Result<KeyPair, Error> {
    let Curve::X25519 = curve;
    let mut scalar = Zeroizing::new([0; KEY]);
    random::fill(&mut *scalar)?;
    Ok(KeyPair { scalar: Secret::new(scalar.to_vec()), public: Private(scalar).public() })
}

struct Private(Zeroizing<[u8; KEY]>);

impl PrivateKey for Private {
    fn public(&self) -> Vec<u8> {
        let mut public = vec![0; KEY];
        // SAFETY: two buffers of the length that curve25519.h names.
        unsafe { ffi::X25519_public_from_private(public.as_mut_ptr(), self.0.as_ptr()) };
        public
    }

    fn agree(&self, peer: &[u8]) -> Result<Secret, Error> {
        let peer: &[u8; KEY] = peer.as_array().ok_or(Error::PeerInvalid)?;
        let mut secret = Secret::new(vec![0; KEY]);
        // SAFETY: three buffers of the length that curve25519.h names.
        let code = unsafe { ffi::X25519(secret.as_mut_ptr(), self.0.as_ptr(), peer.as_ptr()) };
        // It fails only if the secret is all zero.
        if succeeded(code) { Ok(secret) } else { Err(Error::PeerInvalid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::awslc::tests::hex;

    #[test]
    fn the_first_test_of_rfc_7748_comes_out() {
        let key = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
        let peer = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
        let secret = private(Curve::X25519, &key).unwrap().agree(&peer).unwrap();
        assert_eq!(*secret, hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"));
    }

    #[test]
    fn two_sides_agree() {
        let [one, other] = [(); 2].map(|()| generate(Curve::X25519).unwrap());
        let secret =
            |pair: &KeyPair, peer: &KeyPair| private(Curve::X25519, &pair.scalar).unwrap().agree(&peer.public).unwrap();
        assert_eq!(secret(&one, &other), secret(&other, &one));
    }

    #[test]
    fn a_peer_that_gives_no_secret_is_refused() {
        let key = private(Curve::X25519, &[9; 32]).unwrap();
        assert_eq!(key.agree(&[0; 32]).err(), Some(Error::PeerInvalid), "a point of small order");
        assert_eq!(key.agree(&[9; 31]).err(), Some(Error::PeerInvalid));
        assert_eq!(private(Curve::X25519, &[9; 33]).err(), Some(Error::KeyInvalid));
    }
}
