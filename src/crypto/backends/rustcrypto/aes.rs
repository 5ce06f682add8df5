//! AES keys. Modes are in `mode`, key wrapping in `key_wrap`.

use std::sync::{Arc, OnceLock};

use ::aes::{
    Aes128, Aes192, Aes256, Block,
    cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use cmac::Cmac;
use ghash::GHash;

use super::{chain::BlockCipher, hash::Keyed, key_wrap, mode};
use crate::{
    Error, Secret,
    aes::{AesKey, BLOCK, Cipher, KeyWrap, Mode},
    mac::MacKey,
};

pub(super) fn key(key: &[u8]) -> Result<Arc<dyn AesKey>, Error> {
    let (blocks, cmac) = match key.len() {
        16 => (Blocks::Aes128(schedule(key)?), keyed::<Cmac<Aes128>>(key)?),
        24 => (Blocks::Aes192(schedule(key)?), keyed::<Cmac<Aes192>>(key)?),
        32 => (Blocks::Aes256(schedule(key)?), keyed::<Cmac<Aes256>>(key)?),
        _ => return Err(Error::KeySize),
    };
    Ok(Arc::new(Key { blocks: Arc::new(blocks), cmac, ghash: OnceLock::new() }))
}

fn schedule<C: KeyInit>(key: &[u8]) -> Result<C, Error> {
    C::new_from_slice(key).map_err(|_| Error::KeySize)
}

fn keyed<M>(key: &[u8]) -> Result<Arc<dyn MacKey>, Error>
where
    M: KeyInit,
    Keyed<M>: MacKey + 'static,
{
    Ok(Arc::new(Keyed(schedule::<M>(key)?)))
}

/// The block cipher with its key schedule, which wipes itself.
pub(super) enum Blocks {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

impl Blocks {
    /// Encrypts each block by itself.
    pub(super) fn encrypt(&self, blocks: &mut [Block]) {
        match self {
            Self::Aes128(aes) => aes.encrypt_blocks(blocks),
            Self::Aes192(aes) => aes.encrypt_blocks(blocks),
            Self::Aes256(aes) => aes.encrypt_blocks(blocks),
        }
    }

    /// Decrypts each block by itself.
    pub(super) fn decrypt(&self, blocks: &mut [Block]) {
        match self {
            Self::Aes128(aes) => aes.decrypt_blocks(blocks),
            Self::Aes192(aes) => aes.decrypt_blocks(blocks),
            Self::Aes256(aes) => aes.decrypt_blocks(blocks),
        }
    }
}

impl BlockCipher<BLOCK> for Blocks {
    fn encrypt(&self, blocks: &mut [[u8; BLOCK]]) {
        self.encrypt(Block::cast_slice_from_core_mut(blocks));
    }

    fn decrypt(&self, blocks: &mut [[u8; BLOCK]]) {
        self.decrypt(Block::cast_slice_from_core_mut(blocks));
    }
}

struct Key {
    blocks: Arc<Blocks>,
    cmac: Arc<dyn MacKey>,
    ghash: OnceLock<GHash>,
}

impl Key {
    /// GHASH under the hash subkey (SP 800-38D, 7.1, step 1), which is computed once.
    fn ghash(&self) -> GHash {
        let hash = self.ghash.get_or_init(|| {
            let mut subkey = [Block::from([0; BLOCK])];
            self.blocks.encrypt(&mut subkey);
            <GHash as KeyInit>::new(&subkey[0])
        });
        hash.clone()
    }
}

impl AesKey for Key {
    fn encryptor(&self, mode: Mode<'_>) -> Result<Box<dyn Cipher>, Error> {
        mode::encryptor(&self.blocks, mode, || self.ghash())
    }

    fn decryptor(&self, mode: Mode<'_>) -> Result<Box<dyn Cipher>, Error> {
        mode::decryptor(&self.blocks, mode, || self.ghash())
    }

    fn cmac(&self) -> Arc<dyn MacKey> {
        Arc::clone(&self.cmac)
    }

    fn wrap(&self, how: KeyWrap, key: &[u8]) -> Result<Vec<u8>, Error> {
        key_wrap::wrap(&self.blocks, how, key)
    }

    fn unwrap(&self, how: KeyWrap, wrapped: &[u8]) -> Result<Secret, Error> {
        key_wrap::unwrap(&self.blocks, how, wrapped)
    }
}
