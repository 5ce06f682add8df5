//! Paddings, where no library takes them off the way we need: in constant time, and for PKCS#1 v1.5
//! encryption without ever saying whether it was right.

use std::sync::Arc;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess};
use zeroize::Zeroizing;

use crate::{Error, Hash, Secret, mac::MacKey};

/// `00 02`, eight bytes that are not zero, `00` (RFC 8017, 7.2.1).
pub(crate) const PKCS1_OVERHEAD: usize = 11;

/// How many lengths are drawn for the message that stands in for a wrong padding.
const LENGTH_DRAWS: usize = 128;

/// Length of an HMAC-SHA256 code.
const CODE: usize = 32;

/// Length of a block of SHA-256.
const HASH_BLOCK: usize = 64;

/// A backend's HMAC, as in [`crate::Suite::hmac`].
pub(crate) type Hmac = fn(Hash, &[u8]) -> Result<Arc<dyn MacKey>, Error>;

/// Takes PKCS#1 v1.5 encryption padding off `em`, the raw RSA decryption of `ciphertext`, all of the
/// modulus' length; `d` is the private exponent, which may lack leading zeros. A wrong padding gives a
/// message of which an observer cannot tell that it was never sent: it depends on `d` and `ciphertext`
/// alone (builder-irtf-cfrg-rsa-guidance, section 7). No branch and no address depends on a secret; only the
/// length of what is returned is seen, and the caller gives that out anyway.
///
/// # Errors
/// [`Error::CiphertextLength`] if `em` and `ciphertext` cannot be of one RSA key, or what `hmac` says.
pub(crate) fn unpad_pkcs1(em: &[u8], d: &[u8], ciphertext: &[u8], hmac: Hmac) -> Result<Secret, Error> {
    let size = em.len();
    let bits = u16::try_from(size.saturating_mul(8)).map_err(|_| Error::CiphertextLength)?;
    if size <= HASH_BLOCK || ciphertext.len() != size || d.len() > size {
        return Err(Error::CiphertextLength);
    }
    let derivation = derivation_key(d, ciphertext, hmac)?;
    let mut lengths = Zeroizing::new([0; 2 * LENGTH_DRAWS]);
    expand(&*derivation, b"length", 16 * 128, &mut *lengths)?;
    let mut substitute = Secret::new(vec![0; size]);
    expand(&*derivation, b"message", bits, &mut substitute)?;

    let size = u32::from(bits / 8);
    let (right, start) = message_start(em);
    let start = u32::conditional_select(&(size - draw_length(&*lengths, size)), &start, right);
    for (substitute, sent) in substitute.iter_mut().zip(em) {
        substitute.conditional_assign(sent, right);
    }
    let start = usize::try_from(start).map_err(|_| Error::Fault)?;
    Ok(Secret::new(substitute.get(start..).ok_or(Error::Fault)?.to_vec()))
}

/// Takes the padding off the last block of a message (RFC 5652, 6.3). Only whether it is right, and the
/// length of what is left, can be seen from outside.
pub(crate) fn unpad_block<const N: usize>(block: &[u8; N]) -> Option<&[u8]> {
    let pad = *block.last()?;
    let mut wide = Zeroizing::new([0; 16]);
    wide.get_mut(16_usize.checked_sub(N)?..)?.copy_from_slice(block);
    let right = u128::from(pad) * (u128::MAX / 0xff);
    // Only the last `pad` bytes are compared; what this gives for a `pad` out of range does not matter.
    let compared = u128::MAX >> (8 * (16_u8.wrapping_sub(pad) & 15));
    let wrong = (u128::from_be_bytes(*wide) ^ right) & compared;
    let most = u8::try_from(N).ok()?;
    if !bool::from(wrong.ct_eq(&0) & pad.ct_gt(&0) & !pad.ct_gt(&most)) {
        return None;
    }
    block.get(..N.checked_sub(usize::from(pad))?)
}

/// Whether the padding is right, and where the message then begins.
fn message_start(em: &[u8]) -> (Choice, u32) {
    let mut found = Choice::from(0);
    let mut separator = 0_u32;
    for (index, byte) in (0_u32..).zip(em).skip(2) {
        let zero = byte.ct_eq(&0);
        separator.conditional_assign(&index, zero & !found);
        found |= zero;
    }
    let [first, second] = [0, 1].map(|index| em.get(index).copied().unwrap_or(0xff));
    // At least eight bytes are before the separator; without one its index has stayed 0.
    let right = first.ct_eq(&0) & second.ct_eq(&2) & separator.ct_gt(&9);
    (right, separator.wrapping_add(1))
}

/// The last of the drawn lengths that a message can have, or 0.
fn draw_length(draws: &[u8], size: u32) -> u32 {
    let bound = size - 10;
    let mask = (bound + 1).next_power_of_two() - 1;
    draws.chunks_exact(2).fold(0, |length, draw| {
        let drawn = draw.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)) & mask;
        u32::conditional_select(&length, &drawn, drawn.ct_lt(&bound))
    })
}

/// The key for [`expand`], which none but the owner of `d` can compute for this ciphertext.
fn derivation_key(d: &[u8], ciphertext: &[u8], hmac: Hmac) -> Result<Arc<dyn MacKey>, Error> {
    // The builder takes SHA-256 of `d` as the key. HMAC does that by itself to what is longer than a block of
    // SHA-256, as RSA keys are, but `d` must first have the modulus' length.
    let mut exponent = Secret::new(vec![0; ciphertext.len()]);
    if let Some(low) = exponent.get_mut(ciphertext.len() - d.len()..) {
        low.copy_from_slice(d);
    }
    let mut key = Zeroizing::new([0; CODE]);
    hmac(Hash::Sha256, &exponent)?.once(ciphertext, &mut *key);
    hmac(Hash::Sha256, &*key)
}

/// The builder's IRPRF: `bits / 8` pseudorandom bytes for this purpose.
fn expand(key: &dyn MacKey, purpose: &[u8], bits: u16, output: &mut [u8]) -> Result<(), Error> {
    for (index, chunk) in output.chunks_mut(CODE).enumerate() {
        let index = u16::try_from(index).map_err(|_| Error::Fault)?;
        let mut code = Zeroizing::new([0; CODE]);
        key.once(&[&index.to_be_bytes(), purpose, &bits.to_be_bytes()].concat(), &mut *code);
        chunk.copy_from_slice(&code[..chunk.len()]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aes::BLOCK;
    use crate::{
        SUITE,
        rsa::{PrivateKey, PrivateParts},
    };

    // The key and examples of builder-irtf-cfrg-rsa-guidance, B.1.
    const N: &str = "c8cc839714098da56caa23640f93dc8997c16372968fc1b0c6df5113c1c94e8b21e48ad2297e65419011b4e6d8f5e73b\
        1b78b257400321d1ef6b602d4ec8ce8d141c94905eb4ad306639a49206534b6e7f2607423e97dffd133c88d721399def\
        bc7e96ccdcbd7f3aae1fe892712bfb4929817d511666440a1facb7a208f5ea165910add8a3f2d497202360ccb632024f\
        0d07169c1918f316f794b143aef54ec87522a4c02978f9689980bffbf649c307e81819bff88409638d48bd94be152b59\
        ff649fa0bd629d0ffa1813c3abf4b56bd3c2ea5465dffa14589292a9d8a24ad26be7ee0510741b6382d43c83d5bfa40a\
        46613d062be445517dbcaf0cb4e1a769";
    const D: &str = "1455010e0f2d587663a666a6ff1ccdbbf0edd8100646d02a023922908992c4ad39e5565929726ef6508c3a71158ef0b6\
        ff751d39d07580bb2d2f063210442d0603ff50dbbd7b35fe2c9bb19a47a1af85a4c24901e02ca8b58b7919b20edf32aa\
        cfbf51adb4bc4b61b9b7e968caa4d570f70ef18d8063228893e47d439efca793259bcf2cd108a3d8688cdf078e7ac799\
        969f2339d2c1f522b969684629a933baaec2681625eab84f4e56f4447e9d88fb9a199cf71023e0e257b14441b33c84d3\
        bc67ca8031d2612618103a7a0a40844262f75d8890cd616e51f9035488fd6e099de8ff6d65a4ff118254807c9f58d2fb\
        ba8ba151dc8c68be349c977a204e04c1";
    const POSITIVE: &str = "8bfe264e85d3bdeaa6b8851b8e3b956ee3d226fd3f69063a86880173a273d9f283b2eebdd1ed35f7e02d91c571981b67\
        37d5320bd8396b0f3ad5b019daec1b0aab3cbbc026395f4fd14f13673f2dfc81f9b660ec26ac381e6db3299b4e460b43\
        fab9955df2b3cfaa20e900e19c856238fd371899c2bf2ce8c868b76754e5db3b036533fd603746be13c10d4e3e6022eb\
        c905d20c2a7f32b215a4cd53b3f44ca1c327d2c2b651145821c08396c89071f665349c25e44d2733cd9305985ceef643\
        0c3cf57af5fa224089221218fa34737c79c446d28a94c41c96e4e92ac53fbcf384dea8419ea089f8784445a492c812eb\
        0d409467f75afd7d4d1078886205a066";
    const EMPTY: &str = "20aaa8adbbc593a924ba1c5c7990b5c2242ae4b99d0fe636a19a4cf754edbcee774e472fe028160ed42634f8864900cb\
        514006da642cae6ae8c7d087caebcfa6dad1551301e130344989a1d462d4164505f6393933450c67bc6d39d8f5160907\
        cabc251b737925a1cf21e5c6aa5781b7769f6a2a583d97cce008c0f8b6add5f0b2bd80bee60237aa39bb20719fe75749\
        f4bc4e42466ef5a861ae3a92395c7d858d430bfe38040f445ea93fa2958b503539800ffa5ce5f8cf51fa8171a91f36cb\
        4f4575e8de6b4d3f096ee140b938fd2f50ee13f0d050222e2a72b0a3069ff3a6738e82c87090caa5aed4fcbe882c4964\
        6aa250b98f12f83c8d528113614a29e7";
    const THIRD: &str = "1690ebcceece2ce024f382e467cf8510e74514120937978576caf684d4a02ad569e8d76cbe365a060e00779de2f0865c\
        cf0d923de3b4783a4e2c74f422e2f326086c390b658ba47f31ab013aa80f468c71256e5fa5679b24e83cd82c3d1e05e3\
        98208155de2212993cd2b8bab6987cf4cc1293f19909219439d74127545e9ed8a706961b8ee2119f6bfacafbef91b75a\
        789ba65b8b833bc6149cf49b5c4d2c6359f62808659ba6541e1cd24bf7f7410486b5103f6c0ea29334ea6f4975b17387\
        474fe920710ea61568d7b7c0a7916acf21665ad5a31c4eabcde44f8fb6120d8457afa1f3c85d517cda364af620113ae5\
        a3c52a048821731922737307f77a1081";
    const FIRST: &str = "9b2ec9c0c917c98f1ad3d0119aec6be51ae3106e9af1914d48600ab6a2c0c0c8ae02a2dc3039906ff3aac904af32ec79\
        8fd65f3ad1afa2e69400e7c1de81f5728f3b3291f38263bc7a90a0563e43ce7a0d4ee9c0d8a716621ca5d3d081188769\
        ce1b131af7d35b13dea99153579c86db31fe07d5a2c14d621b77854e48a8df41b5798563af489a291e417b6a334c6322\
        2627376118c02c53b6e86310f728734ffc86ef9d7c8bf56c0c841b24b82b59f51aee4526ba1c4268506d301e4ebc498c\
        6aebb6fd5258c876bf900bac8ca4d309dd522f6a6343599a8bc3760f422c10c72d0ad527ce4af1874124ace3d99bb74d\
        b8d69d2528db22c3a37644640f95c05f";
    const LONGEST: &str = "48cceab10f39a4db32f60074feea473cbcdb7accf92e150417f76b44756b190e843e79ec12aa85083a21f5437e7bad0a\
        60482e601198f9d86923239c8786ee728285afd0937f7dde12717f28389843d7375912b07b991f4fdb0190fced8ba665\
        314367e8c5f9d2981d0f5128feeb46cb50fc237e64438a86df198dd0209364ae3a842d77532b66b7ef263b83b1541ed6\
        71b120dfd660462e2107a4ee7b964e734a7bd68d90dda61770658a3c242948532da32648687e0318286473f675b412d6\
        468f013f14d760a358dfcad3cda2afeec5e268a37d250c37f722f468a70dfd92d7294c3c1ee1e7f8843b7d16f9f37ef3\
        5748c3ae93aa155cdcdfeb4e78567303";
    const LONGEST_OUT: &str = "22d850137b9eebe092b24f602dc5bb7918c16bd89ddbf20467b119d205f9c2e4bd7d2592cf1e532106e0f33557565923\
        c73a02d4f09c0c22bea89148183e60317f7028b3aa1f261f91c979393101d7e15f4067e63979b32751658ef769610fe9\
        7cf9cef3278b3117d384051c3b1d82c251c2305418c8f6840530e631aad63e70e20e025bcd8efb54c92ec6d3b106a2f8\
        e64eeff7d38495b0fc50c97138af4b1c0a67a1c4e27b077b8439332edfa8608dfeae653cd6a628ac550395f7e74390e4\
        2c11682234870925eeaa1fa71b76cf1f2ee3bda69f6717033ff8b7c95c9799e7a3bea5e7e4a1c359772fb6b1c6e6c516\
        661dfe30c3";

    fn hex(digits: &str) -> Vec<u8> {
        let digits: Vec<u8> = digits.chars().map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn key() -> Arc<dyn PrivateKey> {
        (SUITE.rsa_private)(PrivateParts { n: &hex(N), e: &[1, 0, 1], d: &hex(D), crt: None }).unwrap()
    }

    #[test]
    fn the_examples_of_the_draft_come_out() {
        let key = key();
        for (ciphertext, message, what) in [
            (POSITIVE, b"lorem ipsum dolor sit amet".to_vec(), "a right padding"),
            (EMPTY, vec![], "a drawn length of 0"),
            (THIRD, hex("4f02"), "the last two draws do not fit"),
            (FIRST, hex("a1f8c9255c35cfba403ccc"), "a wrong first byte"),
            (LONGEST, hex(LONGEST_OUT), "the longest message there is"),
        ] {
            assert_eq!(*key.decrypt_pkcs1(&hex(ciphertext)).unwrap(), message, "{what}");
        }
    }

    #[test]
    fn every_fault_of_the_padding_gives_the_same_other_message() {
        let (d, ciphertext) = ([7; 128], [9; 128]);
        let mut right = [5; 128];
        (right[0], right[1], right[120]) = (0, 2, 0);
        let unpad = |em: &[u8]| unpad_pkcs1(em, &d, &ciphertext, SUITE.hmac).unwrap().to_vec();
        assert_eq!(unpad(&right), [5; 7]);
        let changed = |changes: &[(usize, u8)]| {
            let mut em = right;
            changes.iter().for_each(|(index, byte)| em[*index] = *byte);
            unpad(&em)
        };
        let other = changed(&[(0, 1)]);
        assert_ne!(other, [5; 7]);
        assert_eq!(changed(&[(1, 1)]), other, "a wrong second byte");
        assert_eq!(changed(&[(120, 1)]), other, "no separator");
        assert_eq!(changed(&[(9, 0)]), other, "seven bytes before the separator");
        assert_eq!(changed(&[(2, 0)]), other, "none");
        assert_eq!(changed(&[(10, 0)]).len(), 117, "eight are enough");
        assert!(changed(&[(120, 1), (127, 0)]).is_empty(), "a message may be empty");
    }

    #[test]
    fn lengths_that_no_key_has_are_refused() {
        let unpad = |em: &[u8], d: &[u8], ciphertext: &[u8]| unpad_pkcs1(em, d, ciphertext, SUITE.hmac).err();
        assert_eq!(unpad(&[0; 128], &[1; 128], &[0; 127]), Some(Error::CiphertextLength));
        assert_eq!(unpad(&[0; 128], &[1; 129], &[0; 128]), Some(Error::CiphertextLength));
        assert_eq!(unpad(&[], &[], &[]), Some(Error::CiphertextLength));
    }

    #[test]
    fn a_block_is_unpadded_if_all_of_its_padding_is_right() {
        for pad in 0..=255_u8 {
            let mut block = [0xee; BLOCK];
            block.iter_mut().rev().take(pad.into()).for_each(|byte| *byte = pad);
            block[15] = pad;
            let expected = (1..=16).contains(&pad).then(|| vec![0xee; 16 - usize::from(pad)]);
            assert_eq!(unpad_block(&block).map(<[u8]>::to_vec), expected, "{pad}");
            for index in 16 - usize::from(pad.min(16))..15 {
                let mut broken = block;
                broken[index] ^= 0x40;
                assert_eq!(unpad_block(&broken), None, "{pad}, broken at {index}");
            }
        }
    }
}
