//! Triple DES keys. Modes are in `chain`.

use std::sync::Arc;

use ::des::{
    TdesEde3,
    cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use cmac::Cmac;

use super::{
    chain::{self, BlockCipher, Chaining},
    hash::Keyed,
};
use crate::{
    Error, Secret,
    aes::Cipher,
    mac::MacKey,
    tdes::{BLOCK, Mode, TdesKey},
};

pub(super) fn key(key: &[u8]) -> Result<Arc<dyn TdesKey>, Error> {
    // Of two keys, the first is the third too (SP 800-67, 3.1).
    let mut three = Secret::new(Vec::with_capacity(24));
    three.extend_from_slice(key);
    match key.len() {
        16 => three.extend_from_slice(&key[..8]),
        24 => {}
        _ => return Err(Error::KeySize),
    }
    let blocks = TdesEde3::new_from_slice(&three).map_err(|_| Error::KeySize)?;
    let cmac = Cmac::<TdesEde3>::new_from_slice(&three).map_err(|_| Error::KeySize)?;
    Ok(Arc::new(Key { blocks: Arc::new(Blocks(blocks)), cmac: Arc::new(Keyed(cmac)) }))
}

/// The block cipher with its key schedule, which wipes itself.
struct Blocks(TdesEde3);

impl BlockCipher<BLOCK> for Blocks {
    fn encrypt(&self, blocks: &mut [[u8; BLOCK]]) {
        self.0.encrypt_blocks(Array::cast_slice_from_core_mut(blocks));
    }

    fn decrypt(&self, blocks: &mut [[u8; BLOCK]]) {
        self.0.decrypt_blocks(Array::cast_slice_from_core_mut(blocks));
    }
}

struct Key {
    blocks: Arc<Blocks>,
    cmac: Arc<dyn MacKey>,
}

fn chaining(mode: Mode<'_>) -> Chaining<'_, BLOCK> {
    match mode {
        Mode::Ecb => Chaining::Ecb,
        Mode::Cbc { iv } => Chaining::Cbc(iv),
        Mode::CbcPad { iv } => Chaining::CbcPad(iv),
    }
}

impl TdesKey for Key {
    fn encryptor(&self, mode: Mode<'_>) -> Box<dyn Cipher> {
        chain::encryptor(Arc::clone(&self.blocks), chaining(mode))
    }

    fn decryptor(&self, mode: Mode<'_>) -> Box<dyn Cipher> {
        chain::decryptor(Arc::clone(&self.blocks), chaining(mode))
    }

    fn cmac(&self) -> Arc<dyn MacKey> {
        Arc::clone(&self.cmac)
    }
}
