//! Hash functions and what is keyed with a hash or a cipher in the same way.

use std::sync::Arc;

use ::hmac::{Hmac, KeyInit};
use sha1::Sha1;
use sha2::{
    Sha224, Sha256, Sha384, Sha512,
    digest::{self, common::hazmat::SerializableState},
};
use zeroize::Zeroizing;

use crate::{
    Error, Hash,
    digest::Digest,
    mac::{Mac, MacKey},
};

/// `$body` with the type name `D` standing for the crate's type of a [`Hash`].
macro_rules! with_hash {
    ($hash:expr, $body:expr) => {
        match $hash {
            Hash::Sha1 => {
                type D = Sha1;
                $body
            }
            Hash::Sha224 => {
                type D = Sha224;
                $body
            }
            Hash::Sha256 => {
                type D = Sha256;
                $body
            }
            Hash::Sha384 => {
                type D = Sha384;
                $body
            }
            Hash::Sha512 => {
                type D = Sha512;
                $body
            }
        }
    };
}

pub(super) fn digest(hash: Hash) -> Result<Box<dyn Digest>, Error> {
    Ok(start(hash))
}

/// A digest that has seen nothing.
pub(super) fn start(hash: Hash) -> Box<dyn Digest> {
    with_hash!(hash, Box::new(Hashing(<D as digest::Digest>::new())))
}

pub(super) fn resume(hash: Hash, state: &[u8]) -> Result<Box<dyn Digest>, Error> {
    with_hash!(hash, {
        let state = state.try_into().map_err(|_| Error::InputValue)?;
        let state = <D as SerializableState>::deserialize(state).map_err(|_| Error::InputValue)?;
        Ok(Box::new(Hashing(state)))
    })
}

pub(super) fn hmac(hash: Hash, key: &[u8]) -> Result<Arc<dyn MacKey>, Error> {
    with_hash!(hash, Ok(Arc::new(Keyed(<Hmac<D> as KeyInit>::new_from_slice(key).map_err(|_| Error::KeySize)?))))
}

struct Hashing<D>(D);

/// Which hash function a type of the crate's is.
trait Named {
    const HASH: Hash;
}

macro_rules! names {
    ($($name:ident)*) => {$(
        impl Named for $name {
            const HASH: Hash = Hash::$name;
        }
    )*};
}

names!(Sha1 Sha224 Sha256 Sha384 Sha512);

impl<D> Digest for Hashing<D>
where
    D: digest::Digest + digest::FixedOutputReset + SerializableState + Named + Clone + Send + 'static,
{
    fn output_len(&self) -> usize {
        <D as digest::Digest>::output_size()
    }

    fn update(&mut self, data: &[u8]) {
        digest::Digest::update(&mut self.0, data);
    }

    fn hash(&self) -> Hash {
        D::HASH
    }

    fn save(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.serialize().to_vec())
    }

    fn finish(&mut self, output: &mut [u8]) {
        output[..self.output_len()].copy_from_slice(&digest::Digest::finalize_reset(&mut self.0));
    }
}

/// A MAC that has its key and has seen nothing: each code starts as a copy of it.
pub(super) struct Keyed<M>(pub(super) M);

impl<M> MacKey for Keyed<M>
where
    M: digest::Mac + Clone + Send + Sync + 'static,
{
    fn output_len(&self) -> usize {
        M::output_size()
    }

    fn start(&self) -> Box<dyn Mac> {
        Box::new(Coding(self.0.clone()))
    }

    fn once(&self, data: &[u8], output: &mut [u8]) {
        let mut coding = self.0.clone();
        coding.update(data);
        output[..M::output_size()].copy_from_slice(&coding.finalize().into_bytes());
    }
}

struct Coding<M>(M);

impl<M> Mac for Coding<M>
where
    M: digest::Mac + Send + 'static,
{
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finish(self: Box<Self>, output: &mut [u8]) {
        output[..M::output_size()].copy_from_slice(&self.0.finalize().into_bytes());
    }
}
