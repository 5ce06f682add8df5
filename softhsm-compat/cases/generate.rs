//! Keys that are made inside.

use std::ptr;

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*, keys::*};

/// The OIDs of curves, in DER.
pub(crate) const CURVES: &[(&str, &[u8], &str)] = &[
    ("P-192", &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1], "51 48"),
    ("P-224", &[6, 5, 0x2b, 0x81, 4, 0, 0x21], "59 56"),
    ("P-256", &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "67 64"),
    ("P-384", &[6, 5, 0x2b, 0x81, 4, 0, 0x22], "99 96"),
    ("P-521", &[6, 5, 0x2b, 0x81, 4, 0, 0x23], "136 132"),
    ("secp256k1", &[6, 5, 0x2b, 0x81, 4, 0, 0x0a], "67 64"),
    ("brainpoolP256r1", &[6, 9, 0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7], "67 64"),
];

pub(crate) const ED25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];

fn uses(t: &mut Hsm, key: CK_OBJECT_HANDLE, names: &[CK_ATTRIBUTE_TYPE]) {
    for name in names {
        t.word(t.flag(key, *name));
    }
}

pub(crate) fn cases(list: &mut Cases) {
    list.group("Generation");
    for (what, mechanism, attributes, want) in [
        ("an AES key of 16 bytes", CKM_AES_KEY_GEN, vec![number(CKA_VALUE_LEN, 16)], "16"),
        ("an AES key of 24 bytes", CKM_AES_KEY_GEN, vec![number(CKA_VALUE_LEN, 24)], "24"),
        ("an AES key of 32 bytes", CKM_AES_KEY_GEN, vec![number(CKA_VALUE_LEN, 32)], "32"),
        ("an AES key of 17 bytes", CKM_AES_KEY_GEN, vec![number(CKA_VALUE_LEN, 17)], "ATTRIBUTE_VALUE_INVALID"),
        ("an AES key of no length", CKM_AES_KEY_GEN, vec![], "TEMPLATE_INCOMPLETE"),
        (
            "an AES key with a value",
            CKM_AES_KEY_GEN,
            vec![number(CKA_VALUE_LEN, 16), bytes(CKA_VALUE, &[1; 16])],
            "ATTRIBUTE_READ_ONLY",
        ),
        (
            "an AES key that says DES3",
            CKM_AES_KEY_GEN,
            vec![number(CKA_VALUE_LEN, 16), number(CKA_KEY_TYPE, CKK_DES3)],
            "TEMPLATE_INCONSISTENT",
        ),
        (
            "an AES key that says public key",
            CKM_AES_KEY_GEN,
            vec![number(CKA_VALUE_LEN, 16), number(CKA_CLASS, CKO_PUBLIC_KEY)],
            "ATTRIBUTE_VALUE_INVALID",
        ),
        ("a generic secret of 20 bytes", CKM_GENERIC_SECRET_KEY_GEN, vec![number(CKA_VALUE_LEN, 20)], "20"),
        ("a generic secret of one byte", CKM_GENERIC_SECRET_KEY_GEN, vec![number(CKA_VALUE_LEN, 1)], "1"),
        (
            "a generic secret of no byte",
            CKM_GENERIC_SECRET_KEY_GEN,
            vec![number(CKA_VALUE_LEN, 0)],
            "TEMPLATE_INCOMPLETE",
        ),
        ("a DES2 key", CKM_DES2_KEY_GEN, vec![], "16"),
        ("a DES3 key", CKM_DES3_KEY_GEN, vec![], "24"),
        ("a DES key", CKM_DES_KEY_GEN, vec![], "8"),
        ("a key by a mechanism for pairs", CKM_EC_KEY_PAIR_GEN, vec![], "MECHANISM_INVALID"),
    ] {
        list.add(format!("make {what}"), want, move |t| {
            t.user();
            match t.try_generate(&plain(mechanism), &joined(&readable(), &attributes)) {
                Ok(key) => t.size(&t.get(key, CKA_VALUE)),
                Err(rv) => t.rv(rv),
            }
        });
    }
    list.add(
        "the attributes of a secret key when nobody says anything",
        "no yes no no yes yes yes yes yes yes no yes",
        |t| {
            t.user();
            let key = t.try_generate(&plain(CKM_AES_KEY_GEN), &[number(CKA_VALUE_LEN, 16)]).unwrap();
            uses(
                t,
                key,
                &[
                    CKA_TOKEN,
                    CKA_PRIVATE,
                    CKA_SENSITIVE,
                    CKA_EXTRACTABLE,
                    CKA_ENCRYPT,
                    CKA_DECRYPT,
                    CKA_SIGN,
                    CKA_VERIFY,
                    CKA_WRAP,
                    CKA_UNWRAP,
                    CKA_DERIVE,
                    CKA_MODIFIABLE,
                ],
            );
        },
    );
    list.add(
        "the attributes of a pair when nobody says anything",
        "no no yes yes yes yes no no yes no no yes yes yes yes no",
        |t| {
            t.user();
            let public = [number(CKA_MODULUS_BITS, 1024)];
            let (public, private) = t.try_pair(&plain(CKM_RSA_PKCS_KEY_PAIR_GEN), &public, &[]).unwrap();
            uses(
                t,
                public,
                &[CKA_TOKEN, CKA_PRIVATE, CKA_ENCRYPT, CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_WRAP, CKA_DERIVE],
            );
            uses(
                t,
                private,
                &[
                    CKA_TOKEN,
                    CKA_PRIVATE,
                    CKA_SENSITIVE,
                    CKA_EXTRACTABLE,
                    CKA_DECRYPT,
                    CKA_SIGN,
                    CKA_SIGN_RECOVER,
                    CKA_UNWRAP,
                    CKA_DERIVE,
                ],
            );
        },
    );
    for (bits, want) in
        [(512, "64"), (1024, "128"), (1025, "129"), (2048, "256"), (128, "GENERAL_ERROR"), (20_000, "GENERAL_ERROR")]
    {
        list.add(format!("make an RSA pair of {bits} bits"), want, move |t| {
            t.user();
            let public = joined(&open(), &[number(CKA_MODULUS_BITS, bits), bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])]);
            match t.try_pair(&plain(CKM_RSA_PKCS_KEY_PAIR_GEN), &public, &readable()) {
                Ok((key, _)) => t.size(&t.get(key, CKA_MODULUS)),
                Err(rv) => t.rv(rv),
            }
        });
    }
    for (what, attributes, want) in [
        ("without its size", vec![], "TEMPLATE_INCOMPLETE"),
        ("with the exponent 3", vec![number(CKA_MODULUS_BITS, 1024), bytes(CKA_PUBLIC_EXPONENT, &[3])], "OK"),
        (
            "with the exponent 2",
            vec![number(CKA_MODULUS_BITS, 1024), bytes(CKA_PUBLIC_EXPONENT, &[2])],
            "GENERAL_ERROR",
        ),
        ("with a modulus", vec![number(CKA_MODULUS_BITS, 1024), bytes(CKA_MODULUS, &[1; 128])], "ATTRIBUTE_READ_ONLY"),
        ("that says EC", vec![number(CKA_MODULUS_BITS, 1024), number(CKA_KEY_TYPE, CKK_EC)], "TEMPLATE_INCONSISTENT"),
    ] {
        list.add(format!("make an RSA pair {what}"), want, move |t| {
            t.user();
            t.rv(outcome(&t.try_pair(&plain(CKM_RSA_PKCS_KEY_PAIR_GEN), &joined(&open(), &attributes), &readable())));
        });
    }
    for (curve, oid, want) in CURVES {
        list.add(format!("make a pair on {curve}, and sign"), *want, move |t| {
            t.user();
            let public = joined(&open(), &[bytes(CKA_EC_PARAMS, oid), yes(CKA_VERIFY)]);
            match t.try_pair(&plain(CKM_EC_KEY_PAIR_GEN), &public, &joined(&readable(), &[yes(CKA_SIGN)])) {
                Ok((public, private)) => {
                    t.size(&t.get(public, CKA_EC_POINT));
                    let signature = t.run(Do::Sign, &plain(CKM_ECDSA), private, &[7; 20]);
                    t.size(&signature);
                    assert_eq!(t.verify(&plain(CKM_ECDSA), public, &[7; 20], &signature.unwrap()), CKR_OK);
                }
                Err(rv) => t.rv(rv),
            }
        });
    }
    list.add("make a pair on no curve", "TEMPLATE_INCOMPLETE", |t| {
        t.user();
        t.rv(outcome(&t.try_pair(&plain(CKM_EC_KEY_PAIR_GEN), &open(), &readable())));
    });
    list.add("make a pair on an unknown curve", "GENERAL_ERROR", |t| {
        t.user();
        let public = joined(&open(), &[bytes(CKA_EC_PARAMS, &[6, 3, 0x2a, 3, 4])]);
        t.rv(outcome(&t.try_pair(&plain(CKM_EC_KEY_PAIR_GEN), &public, &readable())));
    });
    for (curve, oid, want) in [
        ("Ed25519", ED25519, "34"),
        (
            "Ed25519 by its name",
            &[0x13, 0x0c, b'e', b'd', b'w', b'a', b'r', b'd', b's', b'2', b'5', b'5', b'1', b'9'],
            "34",
        ),
        ("Ed448", &[6, 3, 0x2b, 0x65, 0x71], "59"),
        ("X25519, by the mechanism for Edwards curves", &[6, 3, 0x2b, 0x65, 0x6e], "34"),
    ] {
        list.add(format!("make a pair on {curve}"), want, move |t| {
            t.user();
            let public = joined(&open(), &[bytes(CKA_EC_PARAMS, oid)]);
            match t.try_pair(&plain(CKM_EC_EDWARDS_KEY_PAIR_GEN), &public, &readable()) {
                Ok((public, _)) => t.size(&t.get(public, CKA_EC_POINT)),
                Err(rv) => t.rv(rv),
            }
        });
    }
    list.add("make a pair on X25519, by the mechanism for Montgomery curves", "MECHANISM_INVALID", |t| {
        t.user();
        let public = joined(&open(), &[bytes(CKA_EC_PARAMS, &[6, 3, 0x2b, 0x65, 0x6e])]);
        t.rv(outcome(&t.try_pair(&plain(CKM_EC_MONTGOMERY_KEY_PAIR_GEN), &public, &readable())));
    });
    list.add("make DSA parameters", "OK", |t| {
        t.user();
        t.rv(outcome(&t.try_generate(&plain(CKM_DSA_PARAMETER_GEN), &joined(&open(), &[number(CKA_PRIME_BITS, 512)]))));
    });
    list.add("make DH parameters", "OK", |t| {
        t.user();
        t.rv(outcome(
            &t.try_generate(&plain(CKM_DH_PKCS_PARAMETER_GEN), &joined(&open(), &[number(CKA_PRIME_BITS, 512)])),
        ));
    });
    list.add("make a DH pair", "OK", |t| {
        t.user();
        // The prime of RFC 2409's first group.
        let prime = unhex(concat!(
            "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd",
            "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a3620ffffffffffffffff"
        ));
        let public = joined(&open(), &[bytes(CKA_PRIME, &prime), bytes(CKA_BASE, &[2])]);
        t.rv(outcome(&t.try_pair(&plain(CKM_DH_PKCS_KEY_PAIR_GEN), &public, &readable())));
    });
    list.add("make a key to nowhere", "ARGUMENTS_BAD ARGUMENTS_BAD", |t| {
        let session = t.user();
        let mut template = template(&[number(CKA_VALUE_LEN, 16)]);
        let mut key = 0;
        say!(t, C_GenerateKey(session, plain(CKM_AES_KEY_GEN).raw(), template.as_mut_ptr(), 1, ptr::null_mut()));
        say!(t, C_GenerateKey(session, ptr::null_mut(), template.as_mut_ptr(), 1, &raw mut key));
    });
    list.add("make a private key without a log-in", "USER_NOT_LOGGED_IN", |t| {
        t.public();
        let key = [number(CKA_VALUE_LEN, 16), no(CKA_TOKEN), yes(CKA_PRIVATE)];
        t.rv(outcome(&t.try_generate(&plain(CKM_AES_KEY_GEN), &key)));
    });
    list.add("make a public session key without a log-in", "OK", |t| {
        t.public();
        t.rv(outcome(&t.try_generate(&plain(CKM_AES_KEY_GEN), &joined(&readable(), &[number(CKA_VALUE_LEN, 16)]))));
    });
    list.add("make a token key in a read-only session", "SESSION_READ_ONLY", |t| {
        t.user();
        t.session = t.open(READER);
        t.rv(outcome(&t.try_generate(&plain(CKM_AES_KEY_GEN), &[number(CKA_VALUE_LEN, 16), yes(CKA_TOKEN)])));
    });
}
