//! Triple DES (SP 800-67) and its modes (SP 800-38A, -38B).

use std::sync::Arc;

use crate::{aes::Cipher, mac::MacKey};

/// Length of a block in bytes.
pub const BLOCK: usize = 8;

/// How blocks are chained.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    /// Electronic codebook; whole blocks only.
    Ecb,
    /// Cipher block chaining; whole blocks only.
    Cbc {
        /// The initialisation vector.
        iv: &'a [u8; BLOCK],
    },
    /// Cipher block chaining with PKCS#7 padding; any length.
    CbcPad {
        /// The initialisation vector.
        iv: &'a [u8; BLOCK],
    },
}

/// A Triple DES key that is ready for use.
pub trait TdesKey: Send + Sync {
    /// An encryption in this mode.
    fn encryptor(&self, mode: Mode<'_>) -> Box<dyn Cipher>;

    /// A decryption in this mode.
    fn decryptor(&self, mode: Mode<'_>) -> Box<dyn Cipher>;

    /// CMAC under this key.
    fn cmac(&self) -> Arc<dyn MacKey>;
}

/// Whether each byte of a key has an odd number of bits set (FIPS 46-3).
#[must_use]
pub fn has_odd_parity(key: &[u8]) -> bool {
    key.iter().all(|byte| byte.count_ones() % 2 == 1)
}

/// Sets the lowest bit of each byte, which is no part of the key, so that it has.
pub fn set_odd_parity(key: &mut [u8]) {
    for byte in key {
        let even = (*byte >> 1).count_ones().is_multiple_of(2);
        *byte = (*byte & 0xfe) | u8::from(even);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_parity_changes_the_lowest_bits_only() {
        let mut key = [0x00, 0x01, 0xfe, 0xff, 0x80, 0x81];
        assert!(!has_odd_parity(&key));
        set_odd_parity(&mut key);
        assert_eq!(key, [0x01, 0x01, 0xfe, 0xfe, 0x80, 0x80]);
        assert!(has_odd_parity(&key));
    }
}
