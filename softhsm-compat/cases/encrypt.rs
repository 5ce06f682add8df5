//! Encryption and decryption.

use std::ptr;

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*, keys::*};

const IV: [u8; 16] = [9; 16];

fn gcm(tag_bits: CK_ULONG, iv_length: usize) -> Mechanism {
    let (iv, aad) = (vec![9; iv_length], b"header".to_vec());
    let parameter = CK_GCM_PARAMS {
        pIv: iv.as_ptr().cast_mut(),
        ulIvLen: iv.len() as CK_ULONG,
        ulIvBits: iv.len() as CK_ULONG * 8,
        pAAD: aad.as_ptr().cast_mut(),
        ulAADLen: aad.len() as CK_ULONG,
        ulTagBits: tag_bits,
    };
    with_struct(CKM_AES_GCM, &parameter, vec![iv, aad])
}

fn ctr(bits: CK_ULONG) -> Mechanism {
    with_struct(CKM_AES_CTR, &CK_AES_CTR_PARAMS { ulCounterBits: bits, cb: IV }, vec![])
}

fn oaep(hash: CK_MECHANISM_TYPE, mgf: CK_RSA_PKCS_MGF_TYPE, label: &[u8]) -> Mechanism {
    let label = label.to_vec();
    let parameter = CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: hash,
        mgf,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: if label.is_empty() { ptr::null_mut() } else { label.as_ptr().cast_mut().cast() },
        ulSourceDataLen: label.len() as CK_ULONG,
    };
    with_struct(CKM_RSA_PKCS_OAEP, &parameter, vec![label])
}

/// Encrypts at once and in parts, and decrypts both.
fn full(t: &mut Hsm, mechanism: &Mechanism, key: CK_OBJECT_HANDLE, text: &[u8]) {
    let secret = t.run(Do::Encrypt, mechanism, key, text);
    t.answer(secret.clone());
    let Ok(secret) = secret else { return };
    let (start, rest) = text.split_at(text.len() / 2);
    let parts = t.parts(Do::Encrypt, mechanism, key, &[start, rest]);
    t.word(match &parts {
        Ok(parts) if *parts == secret => "same",
        _ => "other",
    });
    let clear = t.run(Do::Decrypt, mechanism, key, &secret);
    t.word(match &clear {
        Ok(clear) if clear == text => "same",
        _ => "other",
    });
    let (start, rest) = secret.split_at(secret.len() / 2 + 1);
    let clear = t.parts(Do::Decrypt, mechanism, key, &[start, rest]);
    t.word(match &clear {
        Ok(clear) if clear == text => "same",
        _ => "other",
    });
}

pub(crate) fn cases(list: &mut Cases) {
    list.group("Encryption with AES");
    type Make = fn() -> Mechanism;
    let mechanisms: [(&str, Make, usize, [&str; 2], &str); 8] = [
        ("CKM_AES_ECB", || plain(CKM_AES_ECB), 48, ["ea5e61ae8167caa0", "151269393fc80ad8"], "/48 same same same"),
        ("CKM_AES_CBC", || with(CKM_AES_CBC, &IV), 48, ["75f8ca79ea87485d", "2f23dd222714c8b5"], "/48 same same same"),
        (
            "CKM_AES_CBC_PAD",
            || with(CKM_AES_CBC_PAD, &IV),
            41,
            ["75f8ca79ea87485d", "2f23dd222714c8b5"],
            "/48 same same same",
        ),
        (
            "CKM_AES_CBC_PAD of whole blocks",
            || with(CKM_AES_CBC_PAD, &IV),
            48,
            ["75f8ca79ea87485d", "2f23dd222714c8b5"],
            "/64 same same same",
        ),
        ("CKM_AES_CTR", || ctr(128), 41, ["e96f663d0f85e471", "f70be34a57a5b341"], "/41 same same same"),
        ("CKM_AES_CTR with 32 bits", || ctr(32), 41, ["e96f663d0f85e471", "f70be34a57a5b341"], "/41 same same same"),
        ("CKM_AES_GCM", || gcm(128, 12), 41, ["3972783e692e7bcc", "b61d0d3e829a46a1"], "/57 same same same"),
        (
            "CKM_AES_GCM with a tag of 96 bits",
            || gcm(96, 12),
            41,
            ["3972783e692e7bcc", "b61d0d3e829a46a1"],
            "/53 same same same",
        ),
    ];
    for (name, make, length, starts, want) in mechanisms {
        for (bytes, start) in [(16, starts[0]), (32, starts[1])] {
            let want = format!("{start}{want}");
            list.add(format!("{name}, a key of {bytes} bytes, at once and in parts"), want, move |t| {
                t.user();
                let key = aes(t, bytes);
                full(t, &make(), key, &vec![5; length]);
            });
        }
    }
    let refused: [(&str, Make, usize, &str); 12] = [
        ("CKM_AES_ECB of half a block", || plain(CKM_AES_ECB), 8, "OK DATA_LEN_RANGE"),
        ("CKM_AES_CBC of half a block", || with(CKM_AES_CBC, &IV), 8, "OK DATA_LEN_RANGE"),
        ("CKM_AES_CBC without an IV", || plain(CKM_AES_CBC), 16, "ARGUMENTS_BAD"),
        ("CKM_AES_CBC with half an IV", || with(CKM_AES_CBC, &[0; 8]), 16, "MECHANISM_INVALID"),
        ("CKM_AES_CBC_PAD of nothing", || with(CKM_AES_CBC_PAD, &IV), 0, "OK 16"),
        ("CKM_AES_CTR without a parameter", || plain(CKM_AES_CTR), 16, "ARGUMENTS_BAD"),
        ("CKM_AES_CTR with no bits", || ctr(0), 16, "MECHANISM_PARAM_INVALID"),
        ("CKM_AES_CTR with 129 bits", || ctr(129), 16, "MECHANISM_PARAM_INVALID"),
        ("CKM_AES_GCM without a parameter", || plain(CKM_AES_GCM), 16, "ARGUMENTS_BAD"),
        ("CKM_AES_GCM with a tag of 129 bits", || gcm(129, 12), 16, "ARGUMENTS_BAD"),
        ("CKM_AES_GCM with an IV of one byte", || gcm(128, 1), 16, "OK 32"),
        ("CKM_AES_GCM of nothing", || gcm(128, 12), 0, "OK 16"),
    ];
    for (what, make, length, want) in refused {
        list.add(format!("encrypt by {what}"), want, move |t| {
            t.user();
            let key = aes(t, 16);
            let rv = t.begin(Do::Encrypt, &make(), key);
            t.rv(rv);
            if rv == CKR_OK {
                t.size(&t.whole(Do::Encrypt, &vec![5; length]));
            }
        });
    }
    let bad: [(&str, Make, usize, &str); 7] = [
        ("CKM_AES_ECB of half a block", || plain(CKM_AES_ECB), 8, "ENCRYPTED_DATA_LEN_RANGE"),
        ("CKM_AES_CBC of half a block", || with(CKM_AES_CBC, &IV), 8, "ENCRYPTED_DATA_LEN_RANGE"),
        ("CKM_AES_CBC_PAD of half a block", || with(CKM_AES_CBC_PAD, &IV), 8, "ENCRYPTED_DATA_LEN_RANGE"),
        ("CKM_AES_CBC_PAD of wrong bytes", || with(CKM_AES_CBC_PAD, &IV), 32, "GENERAL_ERROR"),
        ("CKM_AES_CBC_PAD of nothing", || with(CKM_AES_CBC_PAD, &IV), 0, "GENERAL_ERROR"),
        ("CKM_AES_GCM of wrong bytes", || gcm(128, 12), 32, "GENERAL_ERROR"),
        ("CKM_AES_GCM of less than a tag", || gcm(128, 12), 8, "GENERAL_ERROR"),
    ];
    for (what, make, length, want) in bad {
        list.add(format!("decrypt by {what}"), want, move |t| {
            t.user();
            let key = aes(t, 16);
            t.size(&t.run(Do::Decrypt, &make(), key, &vec![5; length]));
        });
    }
    list.add(
        "an encryption's length, too small a place, and the encryption",
        "OK 48 BUFFER_TOO_SMALL 48 OK 48 OPERATION_NOT_INITIALIZED",
        |t| {
            t.user();
            let key = aes(t, 16);
            t.begin(Do::Encrypt, &with(CKM_AES_CBC_PAD, &IV), key);
            let (mut place, mut room, text) = ([0; 64], 0, [5; 40]);
            t.rv(t.whole_in(Do::Encrypt, &text, NULL, &mut room));
            t.word(room);
            room = 47;
            t.rv(t.whole_in(Do::Encrypt, &text, place.as_mut_ptr(), &mut room));
            t.word(room);
            t.rv(t.whole_in(Do::Encrypt, &text, place.as_mut_ptr(), &mut room));
            t.word(room);
            t.rv(t.whole_in(Do::Encrypt, &text, place.as_mut_ptr(), &mut room));
        },
    );
    list.add("a part's length, too small a place, and the part", "OK 16 BUFFER_TOO_SMALL 16 OK 16", |t| {
        let session = t.user();
        let key = aes(t, 16);
        t.begin(Do::Encrypt, &with(CKM_AES_CBC, &IV), key);
        let (mut place, mut room, text) = ([0; 64], 0, [5; 20]);
        say!(t, C_EncryptUpdate(session, data(&text), 20, NULL, &raw mut room));
        t.word(room);
        room = 15;
        say!(t, C_EncryptUpdate(session, data(&text), 20, place.as_mut_ptr(), &raw mut room));
        t.word(room);
        say!(t, C_EncryptUpdate(session, data(&text), 20, place.as_mut_ptr(), &raw mut room));
        t.word(room);
    });
    list.add("half a block at the end of parts", "DATA_LEN_RANGE", |t| {
        t.user();
        let key = aes(t, 16);
        t.size(&t.parts(Do::Encrypt, &with(CKM_AES_CBC, &IV), key, &[&[5; 20]]));
    });
    list.add("an encryption at once after a part", "16", |t| {
        t.user();
        let key = aes(t, 16);
        t.begin(Do::Encrypt, &with(CKM_AES_CBC, &IV), key);
        t.update(Do::Encrypt, &[5; 16]).unwrap();
        t.size(&t.whole(Do::Encrypt, &[5; 16]));
    });
    list.add("encrypt twice at a time, and decrypt meanwhile", "OK OPERATION_ACTIVE OPERATION_ACTIVE", |t| {
        t.user();
        let key = aes(t, 16);
        let cbc = with(CKM_AES_CBC, &IV);
        t.rv(t.begin(Do::Encrypt, &cbc, key));
        t.rv(t.begin(Do::Encrypt, &cbc, key));
        t.rv(t.begin(Do::Decrypt, &cbc, key));
    });
    list.add(
        "encrypt without a beginning",
        "OPERATION_NOT_INITIALIZED OPERATION_NOT_INITIALIZED OPERATION_NOT_INITIALIZED",
        |t| {
            t.user();
            t.size(&t.whole(Do::Encrypt, &[5; 16]));
            t.size(&t.update(Do::Encrypt, &[5; 16]));
            t.size(&t.end(Do::Encrypt));
        },
    );
    list.add(
        "decrypt without a beginning",
        "OPERATION_NOT_INITIALIZED OPERATION_NOT_INITIALIZED OPERATION_NOT_INITIALIZED",
        |t| {
            t.user();
            t.size(&t.whole(Do::Decrypt, &[5; 16]));
            t.size(&t.update(Do::Decrypt, &[5; 16]));
            t.size(&t.end(Do::Decrypt));
        },
    );
    list.add("encrypt what went wrong once more", "DATA_LEN_RANGE OPERATION_NOT_INITIALIZED", |t| {
        t.user();
        let key = aes(t, 16);
        t.begin(Do::Encrypt, &with(CKM_AES_CBC, &IV), key);
        t.size(&t.whole(Do::Encrypt, &[5; 8]));
        t.size(&t.whole(Do::Encrypt, &[5; 16]));
    });
    list.add("encrypt with a key that may not", "KEY_FUNCTION_NOT_PERMITTED", |t| {
        t.user();
        let key = aes(t, 16);
        t.set(key, &[no(CKA_ENCRYPT)]);
        t.rv(t.begin(Do::Encrypt, &with(CKM_AES_CBC, &IV), key));
    });
    list.add("encrypt with a key of another type", "KEY_TYPE_INCONSISTENT KEY_TYPE_INCONSISTENT", |t| {
        t.user();
        let (public, key) = (rsa_pair(t).0, aes(t, 16));
        t.rv(t.begin(Do::Encrypt, &with(CKM_AES_CBC, &IV), public));
        t.rv(t.begin(Do::Encrypt, &plain(CKM_RSA_PKCS), key));
    });
    list.add(
        "encrypt with no key, by no mechanism, by one for something else",
        "OBJECT_HANDLE_INVALID ARGUMENTS_BAD MECHANISM_INVALID",
        |t| {
            let session = t.user();
            let key = aes(t, 16);
            t.rv(t.begin(Do::Encrypt, &with(CKM_AES_CBC, &IV), NOBODY));
            say!(t, C_EncryptInit(session, ptr::null_mut(), key));
            t.rv(t.begin(Do::Encrypt, &plain(CKM_SHA256), key));
        },
    );
    list.add("encrypt to nowhere", "ARGUMENTS_BAD", |t| {
        let session = t.user();
        let key = aes(t, 16);
        t.begin(Do::Encrypt, &with(CKM_AES_CBC, &IV), key);
        say!(t, C_Encrypt(session, data(&IV), 16, NULL, ptr::null_mut()));
    });
    list.add("encrypt in place", "same", |t| {
        let session = t.user();
        let key = aes(t, 16);
        let apart = t.run(Do::Encrypt, &with(CKM_AES_CBC, &IV), key, &[5; 32]).unwrap();
        t.begin(Do::Encrypt, &with(CKM_AES_CBC, &IV), key);
        let (mut place, mut room) = ([5u8; 32], 32);
        call!(t, C_Encrypt(session, place.as_mut_ptr(), 32, place.as_mut_ptr(), &raw mut room));
        t.word(if place[..] == apart { "same" } else { "other" });
    });
    list.add("two operations at once in one call", "FUNCTION_NOT_SUPPORTED FUNCTION_NOT_SUPPORTED", |t| {
        let session = t.user();
        let (mut place, mut room) = ([0; 64], 64);
        say!(t, C_DigestEncryptUpdate(session, data(&IV), 16, place.as_mut_ptr(), &raw mut room));
        say!(t, C_SignEncryptUpdate(session, data(&IV), 16, place.as_mut_ptr(), &raw mut room));
    });

    list.group("Encryption with RSA");
    let rsa: [(&str, Make, usize, &str); 11] = [
        ("CKM_RSA_PKCS", || plain(CKM_RSA_PKCS), 30, "128 same"),
        ("CKM_RSA_PKCS of nothing", || plain(CKM_RSA_PKCS), 0, "128 same"),
        ("CKM_RSA_PKCS of 117 bytes", || plain(CKM_RSA_PKCS), 117, "128 same"),
        ("CKM_RSA_PKCS of 118 bytes", || plain(CKM_RSA_PKCS), 118, "GENERAL_ERROR"),
        ("CKM_RSA_X_509", || plain(CKM_RSA_X_509), 128, "128 same"),
        ("CKM_RSA_PKCS_OAEP with SHA-1", || oaep(CKM_SHA_1, CKG_MGF1_SHA1, b""), 30, "128 same"),
        ("CKM_RSA_PKCS_OAEP of 87 bytes", || oaep(CKM_SHA_1, CKG_MGF1_SHA1, b""), 87, "GENERAL_ERROR"),
        ("CKM_RSA_PKCS_OAEP with SHA-256", || oaep(CKM_SHA256, CKG_MGF1_SHA256, b""), 30, "ARGUMENTS_BAD"),
        ("CKM_RSA_PKCS_OAEP with two hashes", || oaep(CKM_SHA256, CKG_MGF1_SHA1, b""), 30, "ARGUMENTS_BAD"),
        ("CKM_RSA_PKCS_OAEP with a label", || oaep(CKM_SHA_1, CKG_MGF1_SHA1, b"label"), 30, "ARGUMENTS_BAD"),
        ("CKM_RSA_PKCS_OAEP without a parameter", || plain(CKM_RSA_PKCS_OAEP), 30, "ARGUMENTS_BAD"),
    ];
    for (name, make, length, want) in rsa {
        list.add(format!("{name}, there and back"), want, move |t| {
            t.user();
            let (public, private) = rsa_pair(t);
            let text = vec![5; length];
            let secret = t.run(Do::Encrypt, &make(), public, &text);
            t.size(&secret);
            if let Ok(secret) = secret {
                let clear = t.run(Do::Decrypt, &make(), private, &secret);
                t.word(if clear == Ok(text) { "same" } else { "other" });
            }
        });
    }
    list.add("CKM_RSA_PKCS in parts", "FUNCTION_NOT_SUPPORTED", |t| {
        t.user();
        let (public, _) = rsa_pair(t);
        t.size(&t.parts(Do::Encrypt, &plain(CKM_RSA_PKCS), public, &[b"abc"]));
    });
    list.add("decrypt wrong bytes by CKM_RSA_PKCS_OAEP", "GENERAL_ERROR", |t| {
        t.user();
        let (_, private) = rsa_pair(t);
        t.size(&t.run(Do::Decrypt, &oaep(CKM_SHA_1, CKG_MGF1_SHA1, b""), private, &[1; 128]));
    });
    list.add("decrypt too many bytes by CKM_RSA_PKCS", "GENERAL_ERROR", |t| {
        t.user();
        let (_, private) = rsa_pair(t);
        t.size(&t.run(Do::Decrypt, &plain(CKM_RSA_PKCS), private, &[1; 129]));
    });
    list.add("decrypt with the public key", "KEY_FUNCTION_NOT_PERMITTED", |t| {
        t.user();
        let (public, _) = rsa_pair(t);
        t.rv(t.begin(Do::Decrypt, &plain(CKM_RSA_PKCS), public));
    });

    list.group("Encryption with DES3");
    for (name, mechanism, iv, want) in [
        ("CKM_DES3_ECB", CKM_DES3_ECB, &[][..], "f99b6ea2fbcccd87/24 same same same"),
        ("CKM_DES3_CBC", CKM_DES3_CBC, &[9; 8], "c4dac3742c7c16a5/24 same same same"),
        ("CKM_DES3_CBC_PAD", CKM_DES3_CBC_PAD, &[9; 8], "c4dac3742c7c16a5/32 same same same"),
    ] {
        list.add(format!("{name}, at once and in parts"), want, move |t| {
            t.user();
            let value: Vec<u8> = (0..24).collect();
            match t.try_create(&joined(&secret_template(CKK_DES3, &value), &[yes(CKA_ENCRYPT), yes(CKA_DECRYPT)])) {
                Ok(key) => full(t, &with(mechanism, iv), key, &[5; 24]),
                Err(rv) => t.rv(rv),
            }
        });
    }
}
