//! Checksums of keys and certificates (CKA_CHECK_VALUE): three bytes that tell whether two tokens have the
//! same thing, and nothing about it.

use crypto::{Hash, SUITE, aes::Mode, tdes};

use crate::Error;

/// Length of a check value in bytes.
pub(crate) const LEN: usize = 3;

/// That of a secret key: the beginning of a block of zeros encrypted with it, if it is one to encrypt with,
/// else of its SHA-1 (PKCS#11, "Secret key objects" and "Generic secret key objects").
pub(crate) type OfKey = fn(&[u8]) -> Result<[u8; LEN], Error>;

/// That of an AES key.
pub(crate) fn of_aes(value: &[u8]) -> Result<[u8; LEN], Error> {
    let zeros = [0; crypto::aes::BLOCK];
    let mut output = [0; crypto::aes::BLOCK];
    let mut cipher = (SUITE.aes)(value)?.encryptor(Mode::Ecb)?;
    cipher.once(&zeros, &mut output)?;
    Ok(beginning(&output))
}

/// That of a Triple DES key.
pub(crate) fn of_tdes(value: &[u8]) -> Result<[u8; LEN], Error> {
    let zeros = [0; tdes::BLOCK];
    let mut output = [0; tdes::BLOCK];
    (SUITE.tdes)(value)?.encryptor(tdes::Mode::Ecb).once(&zeros, &mut output)?;
    Ok(beginning(&output))
}

/// That of a certificate, and of a key without an algorithm: the beginning of its SHA-1.
pub(crate) fn of_bytes(value: &[u8]) -> Result<[u8; LEN], Error> {
    let mut digest = (SUITE.digest)(Hash::Sha1)?;
    digest.update(value);
    let mut output = [0; Hash::Sha1.output_len()];
    digest.finish(&mut output);
    Ok(beginning(&output))
}

fn beginning(bytes: &[u8]) -> [u8; LEN] {
    bytes.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_an_aes_key_is_an_encrypted_block_of_zeros() {
        // FIPS 197's key of zeros: AES-128 of a zero block is 66e94bd4…
        assert_eq!(of_aes(&[0; 16]), Ok([0x66, 0xe9, 0x4b]));
    }

    #[test]
    fn the_check_value_of_a_triple_des_key_is_an_encrypted_block_of_zeros() {
        // Three keys alike are DES (FIPS 46-3): of zeros with 0101…01 it is 8ca64de9c1b123a7 (SP 800-17, table A.1).
        assert_eq!(of_tdes(&[1; 24]), Ok([0x8c, 0xa6, 0x4d]));
        assert_eq!(of_tdes(&[1; 16]), Ok([0x8c, 0xa6, 0x4d]));
    }

    #[test]
    fn other_check_values_are_a_digest() {
        // SHA-1 of "abc" (FIPS 180).
        assert_eq!(of_bytes(b"abc"), Ok([0xa9, 0x99, 0x3e]));
    }
}
