//! Signatures and MACs.

use std::ptr;

use cryptoki_sys::*;

use crate::{case::Cases, generate::ED25519, hsm::*, keys::*};

fn pss(mechanism: CK_MECHANISM_TYPE, hash: CK_MECHANISM_TYPE, mgf: CK_RSA_PKCS_MGF_TYPE, salt: CK_ULONG) -> Mechanism {
    with_struct(mechanism, &CK_RSA_PKCS_PSS_PARAMS { hashAlg: hash, mgf, sLen: salt }, vec![])
}

/// Signs at once and in parts, verifies both, and refuses another message and another signature.
fn full(t: &mut Hsm, mechanism: &Mechanism, private: CK_OBJECT_HANDLE, public: CK_OBJECT_HANDLE, message: &[u8]) {
    let (start, rest) = message.split_at(message.len() / 2);
    let signature = t.run(Do::Sign, mechanism, private, message);
    t.size(&signature);
    let Ok(mut signature) = signature else { return };
    t.rv(t.verify(mechanism, public, message, &signature));
    let parts = t.parts(Do::Sign, mechanism, private, &[start, rest]);
    t.size(&parts);
    if let Ok(parts) = parts {
        t.rv(t.verify_parts(mechanism, public, &[message], &parts));
    }
    let mut other = message.to_vec();
    other[0] ^= 1;
    t.rv(t.verify(mechanism, public, &other, &signature));
    t.rv(t.verify(mechanism, public, message, &signature[1..]));
    let last = signature.len() - 1;
    signature[last] ^= 1;
    t.rv(t.verify(mechanism, public, message, &signature));
}

pub(crate) fn cases(list: &mut Cases) {
    list.group("Signatures");
    for (name, mechanism, want) in [
        ("RSA_PKCS", CKM_RSA_PKCS, "OPERATION_NOT_INITIALIZED"),
        ("MD5_RSA_PKCS", CKM_MD5_RSA_PKCS, "128 OK"),
        ("SHA1_RSA_PKCS", CKM_SHA1_RSA_PKCS, "128 OK"),
        ("SHA224_RSA_PKCS", CKM_SHA224_RSA_PKCS, "128 OK"),
        ("SHA256_RSA_PKCS", CKM_SHA256_RSA_PKCS, "128 OK"),
        ("SHA384_RSA_PKCS", CKM_SHA384_RSA_PKCS, "128 OK"),
        ("SHA512_RSA_PKCS", CKM_SHA512_RSA_PKCS, "128 OK"),
    ] {
        let want = format!("128 OK {want} SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID");
        list.add(format!("CKM_{name} at once, in parts, and verified"), want, move |t| {
            t.user();
            let (public, private) = rsa_pair(t);
            full(t, &plain(mechanism), private, public, b"a message");
        });
    }
    for (name, mechanism, want) in [
        ("RSA_PKCS", CKM_RSA_PKCS, "875a87285fdbe76f/128"),
        ("SHA1_RSA_PKCS", CKM_SHA1_RSA_PKCS, "a45a11905b851bbd/128"),
        ("SHA256_RSA_PKCS", CKM_SHA256_RSA_PKCS, "54c694f6a2ab6e6b/128"),
        ("SHA512_RSA_PKCS", CKM_SHA512_RSA_PKCS, "0891816678e9e6d1/128"),
    ] {
        list.add(format!("the value of a signature by CKM_{name}"), want, move |t| {
            t.user();
            let (_, private) = rsa_pair(t);
            t.answer(t.run(Do::Sign, &plain(mechanism), private, b"a message"));
        });
    }
    for (name, mechanism, hash, mgf, salt) in [
        ("SHA1_RSA_PKCS_PSS", CKM_SHA1_RSA_PKCS_PSS, CKM_SHA_1, CKG_MGF1_SHA1, 20),
        ("SHA224_RSA_PKCS_PSS", CKM_SHA224_RSA_PKCS_PSS, CKM_SHA224, CKG_MGF1_SHA224, 28),
        ("SHA256_RSA_PKCS_PSS", CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32),
        ("SHA256_RSA_PKCS_PSS without salt", CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 0),
        ("SHA384_RSA_PKCS_PSS", CKM_SHA384_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 48),
        ("SHA512_RSA_PKCS_PSS", CKM_SHA512_RSA_PKCS_PSS, CKM_SHA512, CKG_MGF1_SHA512, 62),
    ] {
        let want = "128 OK 128 OK SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID";
        list.add(format!("CKM_{name} at once, in parts, and verified"), want, move |t| {
            t.user();
            let (public, private) = rsa_pair(t);
            full(t, &pss(mechanism, hash, mgf, salt), private, public, b"a message");
        });
    }
    type Make = fn() -> Mechanism;
    let cases: [(&str, Make, &str); 8] = [
        ("of a digest of 32 bytes", || pss(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32), "OK 128"),
        (
            "of a digest whose length is another's",
            || pss(CKM_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 32),
            "OK GENERAL_ERROR",
        ),
        ("whose two hashes differ", || pss(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA1, 32), "ARGUMENTS_BAD"),
        ("without a parameter", || plain(CKM_RSA_PKCS_PSS), "ARGUMENTS_BAD"),
        ("with half a parameter", || with(CKM_RSA_PKCS_PSS, &[0; 12]), "ARGUMENTS_BAD"),
        (
            "with more salt than there is room for",
            || pss(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 200),
            "OK GENERAL_ERROR",
        ),
        ("of a hash that is none", || pss(CKM_RSA_PKCS_PSS, CKM_AES_CBC, CKG_MGF1_SHA256, 32), "ARGUMENTS_BAD"),
        (
            "of another hash than its mechanism's",
            || pss(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 32),
            "ARGUMENTS_BAD",
        ),
    ];
    for (what, make, want) in cases {
        list.add(format!("PSS {what}"), want, move |t| {
            t.user();
            let (_, private) = rsa_pair(t);
            let rv = t.begin(Do::Sign, &make(), private);
            t.rv(rv);
            if rv == CKR_OK {
                t.size(&t.whole(Do::Sign, &[7; 32]));
            }
        });
    }
    for (what, length, want) in [("117 bytes", 117, "128"), ("118 bytes", 118, "GENERAL_ERROR"), ("nothing", 0, "128")]
    {
        list.add(format!("CKM_RSA_PKCS of {what} with 1024 bits"), want, move |t| {
            t.user();
            let (_, private) = rsa_pair(t);
            t.size(&t.run(Do::Sign, &plain(CKM_RSA_PKCS), private, &vec![1; length]));
        });
    }
    for (what, length, want) in [("128 bytes", 128, "128"), ("three bytes", 3, "128"), ("129 bytes", 129, "exit 5")] {
        list.add(format!("CKM_RSA_X_509 of {what} with 1024 bits"), want, move |t| {
            t.user();
            let (_, private) = rsa_pair(t);
            t.size(&t.run(Do::Sign, &plain(CKM_RSA_X_509), private, &vec![1; length]));
        });
    }
    list.add(
        "CKM_ECDSA at once, in parts, and verified",
        "64 OK OPERATION_NOT_INITIALIZED SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID",
        |t| {
            t.user();
            let (public, private) = ec_pair(t, P256);
            full(t, &plain(CKM_ECDSA), private, public, &[7; 32]);
        },
    );
    list.add("CKM_ECDSA of 64 bytes on P-256", "64 OK", |t| {
        t.user();
        let (public, private) = ec_pair(t, P256);
        let signature = t.run(Do::Sign, &plain(CKM_ECDSA), private, &[7; 64]);
        t.size(&signature);
        t.rv(t.verify(&plain(CKM_ECDSA), public, &[7; 64], &signature.unwrap()));
    });
    list.add("CKM_ECDSA_SHA256", "MECHANISM_INVALID", |t| {
        t.user();
        let (public, private) = ec_pair(t, P256);
        full(t, &plain(CKM_ECDSA_SHA256), private, public, b"a message");
    });
    list.add(
        "CKM_EDDSA at once, in parts, and verified",
        "64 OK OPERATION_NOT_INITIALIZED SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID",
        |t| {
            t.user();
            let public = joined(&open(), &[bytes(CKA_EC_PARAMS, ED25519), yes(CKA_VERIFY)]);
            let private = joined(&readable(), &[yes(CKA_SIGN)]);
            let (public, private) = t.try_pair(&plain(CKM_EC_EDWARDS_KEY_PAIR_GEN), &public, &private).unwrap();
            full(t, &plain(CKM_EDDSA), private, public, b"a message");
        },
    );
    list.add(
        "a signature's length, too small a place, and the signature",
        "OK 128 BUFFER_TOO_SMALL 128 OK OPERATION_NOT_INITIALIZED",
        |t| {
            t.user();
            let (_, private) = rsa_pair(t);
            t.begin(Do::Sign, &plain(CKM_SHA256_RSA_PKCS), private);
            let (mut place, mut room) = ([0; 256], 0);
            t.rv(t.whole_in(Do::Sign, b"abc", NULL, &mut room));
            t.word(room);
            room = 127;
            t.rv(t.whole_in(Do::Sign, b"abc", place.as_mut_ptr(), &mut room));
            t.word(room);
            t.rv(t.whole_in(Do::Sign, b"abc", place.as_mut_ptr(), &mut room));
            t.rv(t.whole_in(Do::Sign, b"abc", place.as_mut_ptr(), &mut room));
        },
    );
    list.add("the length of a signature in parts, and too small a place", "OK 32 BUFFER_TOO_SMALL 32 OK", |t| {
        let session = t.user();
        let key = generic(t, 32);
        t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), key);
        t.update(Do::Sign, b"abc").unwrap();
        let (mut place, mut room) = ([0; 64], 0);
        say!(t, C_SignFinal(session, NULL, &raw mut room));
        t.word(room);
        room = 31;
        say!(t, C_SignFinal(session, place.as_mut_ptr(), &raw mut room));
        t.word(room);
        say!(t, C_SignFinal(session, place.as_mut_ptr(), &raw mut room));
    });
    list.add("a signature at once after a part", "OPERATION_NOT_INITIALIZED", |t| {
        t.user();
        let key = generic(t, 32);
        t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), key);
        t.update(Do::Sign, b"abc").unwrap();
        t.answer(t.whole(Do::Sign, b"abc"));
    });
    list.add(
        "sign and verify with the other half of a pair",
        "KEY_FUNCTION_NOT_PERMITTED KEY_FUNCTION_NOT_PERMITTED",
        |t| {
            t.user();
            let (public, private) = rsa_pair(t);
            t.rv(t.begin(Do::Sign, &plain(CKM_RSA_PKCS), public));
            t.rv(t.verify(&plain(CKM_RSA_PKCS), private, b"abc", &[0; 128]));
        },
    );
    list.add("sign with a key of another type", "OK OPERATION_ACTIVE OPERATION_ACTIVE", |t| {
        t.user();
        let (_, private) = rsa_pair(t);
        let secret = generic(t, 32);
        t.rv(t.begin(Do::Sign, &plain(CKM_ECDSA), private));
        t.rv(t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), private));
        t.rv(t.begin(Do::Sign, &plain(CKM_RSA_PKCS), secret));
    });
    list.add("sign with a key that may not", "KEY_FUNCTION_NOT_PERMITTED", |t| {
        t.user();
        let key = generic(t, 32);
        t.set(key, &[no(CKA_SIGN)]);
        t.rv(t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), key));
    });
    list.add(
        "sign with no key, by no mechanism, by one for something else",
        "OBJECT_HANDLE_INVALID ARGUMENTS_BAD MECHANISM_INVALID",
        |t| {
            let session = t.user();
            let key = generic(t, 32);
            t.rv(t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), NOBODY));
            say!(t, C_SignInit(session, ptr::null_mut(), key));
            t.rv(t.begin(Do::Sign, &with(CKM_AES_CBC, &[0; 16]), key));
        },
    );
    list.add("sign by a mechanism that the key does not allow", "MECHANISM_INVALID OK", |t| {
        t.user();
        let only = bytes(CKA_ALLOWED_MECHANISMS, &CKM_SHA384_HMAC.to_ne_bytes());
        let key = t.create(&joined(&secret_template(CKK_GENERIC_SECRET, &[1; 64]), &[yes(CKA_SIGN), only]));
        t.rv(t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), key));
        t.rv(t.begin(Do::Sign, &plain(CKM_SHA384_HMAC), key));
    });
    list.add(
        "begin anew after parts of what has none",
        "OK OPERATION_NOT_INITIALIZED OPERATION_NOT_INITIALIZED OK",
        |t| {
            t.user();
            let (_, private) = rsa_pair(t);
            t.rv(t.begin(Do::Sign, &plain(CKM_RSA_PKCS), private));
            t.size(&t.update(Do::Sign, b"abc"));
            t.size(&t.whole(Do::Sign, b"abc"));
            t.rv(t.begin(Do::Sign, &plain(CKM_RSA_PKCS), private));
        },
    );
    list.add(
        "verify without a beginning",
        "OPERATION_NOT_INITIALIZED OPERATION_NOT_INITIALIZED OPERATION_NOT_INITIALIZED",
        |t| {
            let session = t.user();
            say!(t, C_Verify(session, data(b"abc"), 3, data(b"abc"), 3));
            say!(t, C_VerifyUpdate(session, data(b"abc"), 3));
            say!(t, C_VerifyFinal(session, data(b"abc"), 3));
        },
    );
    list.add("verify nothing", "ARGUMENTS_BAD", |t| {
        let session = t.user();
        let key = generic(t, 32);
        call!(t, C_VerifyInit(session, plain(CKM_SHA256_HMAC).raw(), key));
        say!(t, C_Verify(session, data(b"abc"), 3, NULL, 32));
    });
    list.add("sign and verify with recovery", "FUNCTION_NOT_SUPPORTED FUNCTION_NOT_SUPPORTED", |t| {
        let session = t.user();
        let (public, private) = rsa_pair(t);
        t.set(private, &[yes(CKA_SIGN_RECOVER)]);
        t.set(public, &[yes(CKA_VERIFY_RECOVER)]);
        say!(t, C_SignRecoverInit(session, plain(CKM_RSA_PKCS).raw(), private));
        say!(t, C_VerifyRecoverInit(session, plain(CKM_RSA_PKCS).raw(), public));
    });
    list.add("sign beside an encryption", "OK OPERATION_ACTIVE", |t| {
        t.user();
        let (key, secret) = (aes(t, 16), generic(t, 32));
        t.rv(t.begin(Do::Encrypt, &with(CKM_AES_CBC, &[0; 16]), key));
        t.rv(t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), secret));
    });

    list.group("MACs");
    for (name, mechanism, want) in [
        (
            "MD5_HMAC",
            CKM_MD5_HMAC,
            "58a44ec5690ac773/16 16 OK 16 OK SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID",
        ),
        (
            "SHA_1_HMAC",
            CKM_SHA_1_HMAC,
            "8950b0b291a16af5/20 20 OK 20 OK SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID",
        ),
        (
            "SHA224_HMAC",
            CKM_SHA224_HMAC,
            "fc41796cc701c4bb/28 28 OK 28 OK SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID",
        ),
        (
            "SHA256_HMAC",
            CKM_SHA256_HMAC,
            "189d6adac1927a27/32 32 OK 32 OK SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID",
        ),
        (
            "SHA384_HMAC",
            CKM_SHA384_HMAC,
            "cc5599bcaeaab905/48 48 OK 48 OK SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID",
        ),
        (
            "SHA512_HMAC",
            CKM_SHA512_HMAC,
            "1df870585f5481e6/64 64 OK 64 OK SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID",
        ),
    ] {
        list.add(format!("CKM_{name} at once, in parts, and verified"), want, move |t| {
            t.user();
            let key = generic(t, 64);
            let mac = t.run(Do::Sign, &plain(mechanism), key, b"a message");
            t.answer(mac);
            full(t, &plain(mechanism), key, key, b"a message");
        });
    }
    list.add(
        "CKM_AES_CMAC at once, in parts, and verified",
        "6808c06bc4a96228/16 16 OK 16 OK SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID",
        |t| {
            t.user();
            let key = aes(t, 16);
            t.answer(t.run(Do::Sign, &plain(CKM_AES_CMAC), key, b"a message"));
            full(t, &plain(CKM_AES_CMAC), key, key, b"a message");
        },
    );
    list.add("CKM_SHA256_HMAC with a key of 31 bytes", "KEY_SIZE_RANGE", |t| {
        t.user();
        let key = generic(t, 31);
        t.rv(t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), key));
    });
    list.add("CKM_SHA256_HMAC with a key of its own type", "32", |t| {
        t.user();
        let key = t.create(&joined(&secret_template(CKK_SHA256_HMAC, &[1; 32]), &[yes(CKA_SIGN)]));
        t.size(&t.run(Do::Sign, &plain(CKM_SHA256_HMAC), key, b"abc"));
    });
    list.add("CKM_SHA256_HMAC with a key of another hash's type", "KEY_TYPE_INCONSISTENT", |t| {
        t.user();
        let key = t.create(&joined(&secret_template(CKK_SHA384_HMAC, &[1; 64]), &[yes(CKA_SIGN)]));
        t.rv(t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), key));
    });
    list.add("CKM_SHA256_HMAC with an AES key", "KEY_TYPE_INCONSISTENT", |t| {
        t.user();
        let key = aes(t, 32);
        t.rv(t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), key));
    });
    list.add("CKM_SHA256_HMAC_GENERAL", "MECHANISM_INVALID", |t| {
        t.user();
        let key = generic(t, 32);
        t.size(&t.run(Do::Sign, &with(CKM_SHA256_HMAC_GENERAL, &16u64.to_ne_bytes()), key, b"abc"));
    });
    list.add("CKM_DES3_CMAC", "8", |t| {
        t.user();
        let value: Vec<u8> = (0..24).collect();
        match t.try_create(&joined(&secret_template(CKK_DES3, &value), &[yes(CKA_SIGN)])) {
            Ok(key) => t.size(&t.run(Do::Sign, &plain(CKM_DES3_CMAC), key, b"abc")),
            Err(rv) => t.rv(rv),
        }
    });
}
