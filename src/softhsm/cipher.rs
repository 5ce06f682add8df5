//! What SoftHSM encrypts with: AES-256-CBC with PKCS #7's padding, under a key from a PIN or under the token's.

use aes::Aes256;
use cbc::{
    Decryptor,
    cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7},
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const SALT: usize = 8;
const IV: usize = 16;
const MAGIC: &[u8] = b"RJR";
/// How often a PIN is hashed at least. The last byte of the salt is added.
const ROUNDS: u16 = 1500;

/// A token's key, under which its private values are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct MasterKey(Zeroizing<[u8; 32]>);

/// A token's key under a PIN, as it is stored.
pub(crate) const WRAPPED: usize = SALT + IV + 48;

impl MasterKey {
    /// Opens it; `None` if the PIN is wrong.
    pub(crate) fn open(wrapped: &[u8; WRAPPED], pin: &[u8]) -> Option<Self> {
        let (salt, sealed) = wrapped.split_first_chunk::<SALT>()?;
        let [.., more] = *salt;
        let mut hash = Sha256::new();
        hash.update(salt);
        hash.update(pin);
        let mut key = Zeroizing::new(<[u8; 32]>::from(hash.finalize()));
        for _ in 1..ROUNDS + u16::from(more) {
            *key = Sha256::digest(*key).into();
        }
        let opened = Self(key).decrypt(sealed)?;
        let master = <[u8; 32]>::try_from(opened.strip_prefix(MAGIC)?).ok()?;
        Some(Self(Zeroizing::new(master)))
    }

    /// What is in `IV || ciphertext`; `None` if it does not decrypt.
    pub(crate) fn decrypt(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (iv, ciphertext) = sealed.split_first_chunk::<IV>()?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let cipher = Decryptor::<Aes256>::new_from_slices(&*self.0, iv).ok()?;
        let len = cipher.decrypt_padded::<Pkcs7>(&mut plain).ok()?.len();
        plain.truncate(len);
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_ciphertext_is_none() {
        let key = MasterKey(Zeroizing::new([7; 32]));
        for len in [0, 1, 15, 16, 17, 31, 33, 47] {
            assert!(key.decrypt(&vec![1; len]).is_none(), "{len}");
        }
    }

    #[test]
    fn a_published_ciphertext_decrypts() {
        // NIST SP 800-38A, F.2.6 (CBC-AES256.Decrypt), its first block; the second is the padding of a whole block.
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
        };
        let key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let key = MasterKey(Zeroizing::new(key.try_into().unwrap()));
        let sealed =
            hex("000102030405060708090a0b0c0d0e0ff58c4c04d6e5f1ba779eabfb5f7bfbd6485a5c81519cf378fa36d42b8547edc0");
        assert_eq!(*key.decrypt(&sealed).unwrap(), hex("6bc1bee22e409f96e93d7e117393172a"));
    }
}
