//! Wrapped keys.

use std::ptr;

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*, keys::*};

const IV: [u8; 16] = [9; 16];

fn oaep() -> Mechanism {
    let parameter = CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA_1,
        mgf: CKG_MGF1_SHA1,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: ptr::null_mut(),
        ulSourceDataLen: 0,
    };
    with_struct(CKM_RSA_PKCS_OAEP, &parameter, vec![])
}

/// A secret key as it comes out.
fn unwrapped(kind: CK_KEY_TYPE) -> Vec<Attribute> {
    joined(&[number(CKA_CLASS, CKO_SECRET_KEY), number(CKA_KEY_TYPE, kind)], &readable())
}

pub(crate) fn cases(list: &mut Cases) {
    list.group("Wrapped keys");
    type Make = fn() -> Mechanism;
    let mechanisms: [(&str, Make, &str); 5] = [
        ("CKM_AES_KEY_WRAP", || plain(CKM_AES_KEY_WRAP), "8cc4bfeca8a9f2f3/24 0001020304050607/16"),
        ("CKM_AES_KEY_WRAP_PAD", || plain(CKM_AES_KEY_WRAP_PAD), "337e07dce17686cd/24 0001020304050607/16"),
        ("CKM_AES_CBC", || with(CKM_AES_CBC, &IV), "885768d9fabb87fb/16 MECHANISM_INVALID"),
        ("CKM_AES_CBC_PAD", || with(CKM_AES_CBC_PAD, &IV), "MECHANISM_INVALID"),
        ("CKM_AES_ECB", || plain(CKM_AES_ECB), "MECHANISM_INVALID"),
    ];
    for (name, make, want) in mechanisms {
        list.add(format!("wrap and unwrap an AES key by {name}"), want, move |t| {
            t.user();
            let (kek, key) = (aes(t, 32), aes(t, 16));
            let wrapped = t.wrap(&make(), kek, key);
            t.answer(wrapped.clone());
            let Ok(wrapped) = wrapped else { return };
            match t.unwrap(&make(), kek, &wrapped, &unwrapped(CKK_AES)) {
                Ok(key) => t.answer(t.get(key, CKA_VALUE)),
                Err(rv) => t.rv(rv),
            }
        });
    }
    let mechanisms: [(&str, Make, &str); 2] = [
        ("CKM_RSA_PKCS", || plain(CKM_RSA_PKCS), "128 0001020304050607/16"),
        ("CKM_RSA_PKCS_OAEP", oaep, "128 0001020304050607/16"),
    ];
    for (name, make, want) in mechanisms {
        list.add(format!("wrap and unwrap an AES key by {name}"), want, move |t| {
            t.user();
            let ((public, private), key) = (rsa_pair(t), aes(t, 16));
            let wrapped = t.wrap(&make(), public, key);
            t.size(&wrapped);
            let Ok(wrapped) = wrapped else { return };
            match t.unwrap(&make(), private, &wrapped, &unwrapped(CKK_AES)) {
                Ok(key) => t.answer(t.get(key, CKA_VALUE)),
                Err(rv) => t.rv(rv),
            }
        });
    }
    list.add("wrap a secret of 20 bytes by CKM_AES_KEY_WRAP", "46e24d8da92d8e0f/32", |t| {
        t.user();
        let (kek, key) = (aes(t, 32), generic(t, 20));
        t.answer(t.wrap(&plain(CKM_AES_KEY_WRAP), kek, key));
    });
    list.add("wrap and unwrap a secret of 20 bytes by CKM_AES_KEY_WRAP_PAD", "32 0001020304050607/24", |t| {
        t.user();
        let (kek, key) = (aes(t, 32), generic(t, 20));
        let wrapped = t.wrap(&plain(CKM_AES_KEY_WRAP_PAD), kek, key);
        t.size(&wrapped);
        match t.unwrap(&plain(CKM_AES_KEY_WRAP_PAD), kek, &wrapped.unwrap_or_default(), &unwrapped(CKK_GENERIC_SECRET))
        {
            Ok(key) => t.answer(t.get(key, CKA_VALUE)),
            Err(rv) => t.rv(rv),
        }
    });
    list.add("wrap and unwrap an RSA private key by CKM_AES_KEY_WRAP_PAD", "648 OK a98db7ceae2ed076/128 128", |t| {
        t.user();
        let (kek, (_, key)) = (aes(t, 32), rsa_pair(t));
        let wrapped = t.wrap(&plain(CKM_AES_KEY_WRAP_PAD), kek, key);
        t.size(&wrapped);
        let template =
            joined(&[number(CKA_CLASS, CKO_PRIVATE_KEY), number(CKA_KEY_TYPE, CKK_RSA), yes(CKA_SIGN)], &readable());
        let key = t.unwrap(&plain(CKM_AES_KEY_WRAP_PAD), kek, &wrapped.unwrap_or_default(), &template);
        t.rv(outcome(&key));
        t.answer(t.get(key.unwrap_or(0), CKA_MODULUS));
        t.size(&t.run(Do::Sign, &plain(CKM_RSA_PKCS), key.unwrap_or(0), b"abc"));
    });
    list.add(
        "the PKCS #8 of a wrapped RSA private key",
        "640 30820277020100300d06092a864886f70d0101010500048202613082025d02010002818100a98db7",
        |t| {
            t.user();
            let (kek, (_, key)) = (aes(t, 32), rsa_pair(t));
            let wrapped = t.wrap(&plain(CKM_AES_KEY_WRAP_PAD), kek, key).unwrap();
            let key = t.unwrap(&plain(CKM_AES_KEY_WRAP_PAD), kek, &wrapped, &unwrapped(CKK_GENERIC_SECRET)).unwrap();
            let value = t.get(key, CKA_VALUE).unwrap();
            t.word(value.len());
            let head: String = value.iter().take(40).map(|byte| format!("{byte:02x}")).collect();
            t.word(head);
        },
    );
    list.add("wrap and unwrap an EC private key by CKM_AES_KEY_WRAP_PAD", "OK 64", |t| {
        t.user();
        let (kek, (_, key)) = (aes(t, 32), ec_pair(t, P256));
        let wrapped = t.wrap(&plain(CKM_AES_KEY_WRAP_PAD), kek, key).unwrap();
        let template =
            joined(&[number(CKA_CLASS, CKO_PRIVATE_KEY), number(CKA_KEY_TYPE, CKK_EC), yes(CKA_SIGN)], &readable());
        let key = t.unwrap(&plain(CKM_AES_KEY_WRAP_PAD), kek, &wrapped, &template);
        t.rv(outcome(&key));
        t.size(&t.run(Do::Sign, &plain(CKM_ECDSA), key.unwrap_or(0), &[7; 32]));
    });
    list.add("the length of a wrapped key, too small a place, and the key", "OK 24 BUFFER_TOO_SMALL 24 OK 24", |t| {
        let session = t.user();
        let (kek, key) = (aes(t, 32), aes(t, 16));
        let (mut place, mut room, wrap) = ([0; 64], 0, plain(CKM_AES_KEY_WRAP));
        say!(t, C_WrapKey(session, wrap.raw(), kek, key, NULL, &raw mut room));
        t.word(room);
        room = 23;
        say!(t, C_WrapKey(session, wrap.raw(), kek, key, place.as_mut_ptr(), &raw mut room));
        t.word(room);
        say!(t, C_WrapKey(session, wrap.raw(), kek, key, place.as_mut_ptr(), &raw mut room));
        t.word(room);
    });
    list.add("wrap a key that is not extractable", "KEY_UNEXTRACTABLE", |t| {
        t.user();
        let (kek, key) = (aes(t, 32), aes(t, 16));
        t.set(key, &[no(CKA_EXTRACTABLE)]);
        t.answer(t.wrap(&plain(CKM_AES_KEY_WRAP), kek, key));
    });
    list.add("wrap a sensitive key", "24", |t| {
        t.user();
        let (kek, key) = (aes(t, 32), aes(t, 16));
        t.set(key, &[yes(CKA_SENSITIVE)]);
        t.size(&t.wrap(&plain(CKM_AES_KEY_WRAP), kek, key));
    });
    list.add("wrap with a key that may not", "KEY_FUNCTION_NOT_PERMITTED", |t| {
        t.user();
        let (kek, key) = (aes(t, 32), aes(t, 16));
        t.set(kek, &[no(CKA_WRAP)]);
        t.answer(t.wrap(&plain(CKM_AES_KEY_WRAP), kek, key));
    });
    list.add("wrap a key for trusted ones with another", "8cc4bfeca8a9f2f3/24", |t| {
        t.user();
        let (kek, key) = (aes(t, 32), aes(t, 16));
        t.set(key, &[yes(CKA_WRAP_WITH_TRUSTED)]);
        t.answer(t.wrap(&plain(CKM_AES_KEY_WRAP), kek, key));
    });
    list.add("wrap with a key of another type", "WRAPPING_KEY_TYPE_INCONSISTENT", |t| {
        t.user();
        let ((public, _), key) = (rsa_pair(t), aes(t, 16));
        t.answer(t.wrap(&plain(CKM_AES_KEY_WRAP), public, key));
    });
    list.add("wrap with no key, and no key", "WRAPPING_KEY_HANDLE_INVALID KEY_HANDLE_INVALID", |t| {
        t.user();
        let key = aes(t, 16);
        t.answer(t.wrap(&plain(CKM_AES_KEY_WRAP), NOBODY, key));
        t.answer(t.wrap(&plain(CKM_AES_KEY_WRAP), key, NOBODY));
    });
    list.add("wrap by a mechanism for something else", "MECHANISM_INVALID", |t| {
        t.user();
        let key = aes(t, 16);
        t.answer(t.wrap(&plain(CKM_SHA256), key, key));
    });
    list.add("wrap a public key", "KEY_UNEXTRACTABLE", |t| {
        t.user();
        let ((public, _), key) = (rsa_pair(t), aes(t, 16));
        t.answer(t.wrap(&plain(CKM_AES_KEY_WRAP_PAD), key, public));
    });
    list.add("wrap a private key with an RSA key", "KEY_NOT_WRAPPABLE", |t| {
        t.user();
        let ((public, _), (_, key)) = (rsa_pair(t), ec_pair(t, P256));
        t.answer(t.wrap(&plain(CKM_RSA_PKCS), public, key));
    });
    list.add("unwrap wrong bytes", "GENERAL_ERROR", |t| {
        t.user();
        let kek = aes(t, 32);
        t.rv(outcome(&t.unwrap(&plain(CKM_AES_KEY_WRAP), kek, &[7; 24], &unwrapped(CKK_AES))));
    });
    list.add("unwrap too few bytes", "WRAPPED_KEY_LEN_RANGE", |t| {
        t.user();
        let kek = aes(t, 32);
        t.rv(outcome(&t.unwrap(&plain(CKM_AES_KEY_WRAP), kek, &[7; 23], &unwrapped(CKK_AES))));
    });
    list.add("unwrap with no key", "UNWRAPPING_KEY_HANDLE_INVALID", |t| {
        t.user();
        t.rv(outcome(&t.unwrap(&plain(CKM_AES_KEY_WRAP), NOBODY, &[7; 24], &unwrapped(CKK_AES))));
    });
    list.add("unwrap with a key that may not", "KEY_FUNCTION_NOT_PERMITTED", |t| {
        t.user();
        let (kek, key) = (aes(t, 32), aes(t, 16));
        let wrapped = t.wrap(&plain(CKM_AES_KEY_WRAP), kek, key).unwrap();
        t.set(kek, &[no(CKA_UNWRAP)]);
        t.rv(outcome(&t.unwrap(&plain(CKM_AES_KEY_WRAP), kek, &wrapped, &unwrapped(CKK_AES))));
    });
    list.add("unwrap with a key of another type", "UNWRAPPING_KEY_TYPE_INCONSISTENT", |t| {
        t.user();
        let (_, private) = rsa_pair(t);
        t.rv(outcome(&t.unwrap(&plain(CKM_AES_KEY_WRAP), private, &[7; 24], &unwrapped(CKK_AES))));
    });
    list.add("unwrap to what says no type", "TEMPLATE_INCOMPLETE", |t| {
        t.user();
        let (kek, key) = (aes(t, 32), aes(t, 16));
        let wrapped = t.wrap(&plain(CKM_AES_KEY_WRAP), kek, key).unwrap();
        let template = joined(&[number(CKA_CLASS, CKO_SECRET_KEY)], &readable());
        t.rv(outcome(&t.unwrap(&plain(CKM_AES_KEY_WRAP), kek, &wrapped, &template)));
    });
    list.add("unwrap to a key with a value", "ATTRIBUTE_READ_ONLY", |t| {
        t.user();
        let (kek, key) = (aes(t, 32), aes(t, 16));
        let wrapped = t.wrap(&plain(CKM_AES_KEY_WRAP), kek, key).unwrap();
        let template = joined(&unwrapped(CKK_AES), &[bytes(CKA_VALUE, &[1; 16])]);
        t.rv(outcome(&t.unwrap(&plain(CKM_AES_KEY_WRAP), kek, &wrapped, &template)));
    });
    list.add("unwrap with a length in the template", "ATTRIBUTE_READ_ONLY", |t| {
        t.user();
        let (kek, key) = (aes(t, 32), aes(t, 16));
        let wrapped = t.wrap(&plain(CKM_AES_KEY_WRAP), kek, key).unwrap();
        let template = joined(&unwrapped(CKK_AES), &[number(CKA_VALUE_LEN, 16)]);
        t.rv(outcome(&t.unwrap(&plain(CKM_AES_KEY_WRAP), kek, &wrapped, &template)));
    });
    list.add("what an unwrapped key was", "no no no", |t| {
        t.user();
        let (kek, key) = (aes(t, 32), aes(t, 16));
        let wrapped = t.wrap(&plain(CKM_AES_KEY_WRAP), kek, key).unwrap();
        let template =
            [number(CKA_CLASS, CKO_SECRET_KEY), number(CKA_KEY_TYPE, CKK_AES), yes(CKA_SENSITIVE), no(CKA_TOKEN)];
        let key = t.unwrap(&plain(CKM_AES_KEY_WRAP), kek, &wrapped, &template).unwrap_or(0);
        for name in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE] {
            t.word(t.flag(key, name));
        }
    });
}
