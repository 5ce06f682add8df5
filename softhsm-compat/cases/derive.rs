//! Derived keys.

use std::ptr;

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*, keys::*};

fn ecdh(kdf: CK_EC_KDF_TYPE, point: &[u8], shared: &[u8]) -> Mechanism {
    let (point, shared) = (point.to_vec(), shared.to_vec());
    let parameter = CK_ECDH1_DERIVE_PARAMS {
        kdf,
        ulSharedDataLen: shared.len() as CK_ULONG,
        pSharedData: if shared.is_empty() { ptr::null_mut() } else { shared.as_ptr().cast_mut() },
        ulPublicDataLen: point.len() as CK_ULONG,
        pPublicData: point.as_ptr().cast_mut(),
    };
    with_struct(CKM_ECDH1_DERIVE, &parameter, vec![point, shared])
}

fn secret(kind: CK_KEY_TYPE, more: &[Attribute]) -> Vec<Attribute> {
    joined(&joined(&[number(CKA_CLASS, CKO_SECRET_KEY), number(CKA_KEY_TYPE, kind)], &readable()), more)
}

/// A point as a DER octet string, and without that.
fn points(t: &Hsm, public: CK_OBJECT_HANDLE) -> (Vec<u8>, Vec<u8>) {
    let wrapped = t.get(public, CKA_EC_POINT).unwrap();
    (wrapped.clone(), wrapped[2..].to_vec())
}

pub(crate) fn cases(list: &mut Cases) {
    list.group("Derived keys");
    for (what, octets) in [("a DER octet string", true), ("bytes", false)] {
        list.add(format!("ECDH with the point as {what}, both ways"), "32 same", move |t| {
            t.user();
            let ((one, my), (other, your)) = (ec_pair(t, P256), ec_pair(t, P256));
            let pick = |(wrapped, raw)| if octets { wrapped } else { raw };
            let (mine, yours) = (pick(points(t, one)), pick(points(t, other)));
            let template = secret(CKK_GENERIC_SECRET, &[number(CKA_VALUE_LEN, 32)]);
            let (a, b) = (
                t.derive(&ecdh(CKD_NULL, &yours, b""), my, &template),
                t.derive(&ecdh(CKD_NULL, &mine, b""), your, &template),
            );
            match (a, b) {
                (Ok(a), Ok(b)) => {
                    let (a, b) = (t.get(a, CKA_VALUE), t.get(b, CKA_VALUE));
                    t.size(&a);
                    t.word(if a == b { "same" } else { "other" });
                }
                (a, b) => [a, b].iter().for_each(|it| t.rv(outcome(it))),
            }
        });
    }
    type Run = fn(&mut Hsm);
    let cases: [(&str, &str, Run); 11] = [
        ("ECDH to an AES key of 16 bytes", "16", |t| {
            let (public, private) = ec_pair(t, P256);
            let key = t.derive(
                &ecdh(CKD_NULL, &points(t, public).1, b""),
                private,
                &secret(CKK_AES, &[number(CKA_VALUE_LEN, 16)]),
            );
            t.size(&key.and_then(|key| t.get(key, CKA_VALUE)));
        }),
        ("ECDH to an AES key of 16 bytes takes the first or the last", "last", |t| {
            let (public, private) = ec_pair(t, P256);
            let mechanism = ecdh(CKD_NULL, &points(t, public).1, b"");
            let key = t.derive(&mechanism, private, &secret(CKK_AES, &[number(CKA_VALUE_LEN, 16)])).unwrap();
            let all = t.derive(&mechanism, private, &secret(CKK_GENERIC_SECRET, &[number(CKA_VALUE_LEN, 32)])).unwrap();
            let (key, all) = (t.get(key, CKA_VALUE).unwrap(), t.get(all, CKA_VALUE).unwrap());
            t.word(if key == all[16..] {
                "last"
            } else if key == all[..16] {
                "first"
            } else {
                "neither"
            });
        }),
        ("ECDH to a generic secret of no length", "32", |t| {
            let (public, private) = ec_pair(t, P256);
            let key = t.derive(&ecdh(CKD_NULL, &points(t, public).1, b""), private, &secret(CKK_GENERIC_SECRET, &[]));
            t.size(&key.and_then(|key| t.get(key, CKA_VALUE)));
        }),
        ("ECDH to more bytes than there are", "FUNCTION_FAILED", |t| {
            let (public, private) = ec_pair(t, P256);
            let template = secret(CKK_GENERIC_SECRET, &[number(CKA_VALUE_LEN, 33)]);
            t.rv(outcome(&t.derive(&ecdh(CKD_NULL, &points(t, public).1, b""), private, &template)));
        }),
        ("ECDH with a KDF", "MECHANISM_PARAM_INVALID", |t| {
            let (public, private) = ec_pair(t, P256);
            let template = secret(CKK_GENERIC_SECRET, &[number(CKA_VALUE_LEN, 32)]);
            t.rv(outcome(&t.derive(&ecdh(CKD_SHA256_KDF, &points(t, public).1, b""), private, &template)));
        }),
        ("ECDH with shared data and no KDF", "MECHANISM_PARAM_INVALID", |t| {
            let (public, private) = ec_pair(t, P256);
            let template = secret(CKK_GENERIC_SECRET, &[number(CKA_VALUE_LEN, 32)]);
            t.rv(outcome(&t.derive(&ecdh(CKD_NULL, &points(t, public).1, b"shared"), private, &template)));
        }),
        ("ECDH with a point that is none", "GENERAL_ERROR", |t| {
            let (_, private) = ec_pair(t, P256);
            let template = secret(CKK_GENERIC_SECRET, &[number(CKA_VALUE_LEN, 32)]);
            let mut point = [7; 65];
            point[0] = 4;
            t.rv(outcome(&t.derive(&ecdh(CKD_NULL, &point, b""), private, &template)));
        }),
        ("ECDH without a parameter", "MECHANISM_PARAM_INVALID", |t| {
            let (_, private) = ec_pair(t, P256);
            t.rv(outcome(&t.derive(&plain(CKM_ECDH1_DERIVE), private, &secret(CKK_GENERIC_SECRET, &[]))));
        }),
        ("ECDH with a key that may not", "KEY_FUNCTION_NOT_PERMITTED", |t| {
            let (public, private) = ec_pair(t, P256);
            t.set(private, &[no(CKA_DERIVE)]);
            t.rv(outcome(&t.derive(
                &ecdh(CKD_NULL, &points(t, public).1, b""),
                private,
                &secret(CKK_GENERIC_SECRET, &[]),
            )));
        }),
        ("ECDH with a key of another type", "KEY_TYPE_INCONSISTENT", |t| {
            let (public, _) = ec_pair(t, P256);
            let key = aes(t, 16);
            t.rv(outcome(&t.derive(&ecdh(CKD_NULL, &points(t, public).1, b""), key, &secret(CKK_GENERIC_SECRET, &[]))));
        }),
        ("derive from no key, and by no mechanism", "OBJECT_HANDLE_INVALID MECHANISM_INVALID", |t| {
            let key = aes(t, 16);
            t.rv(outcome(&t.derive(&ecdh(CKD_NULL, &[4; 65], b""), NOBODY, &secret(CKK_GENERIC_SECRET, &[]))));
            t.rv(outcome(&t.derive(&plain(CKM_SHA256), key, &secret(CKK_GENERIC_SECRET, &[]))));
        }),
    ];
    for (name, want, run) in cases {
        list.add(name, want, move |t| {
            t.user();
            run(t);
        });
    }
    list.add("CKM_AES_ECB_ENCRYPT_DATA", "ea5e61ae8167caa0/16", |t| {
        t.user();
        let (key, text) = (aes(t, 16), [5u8; 16]);
        let parameter = CK_KEY_DERIVATION_STRING_DATA { pData: text.as_ptr().cast_mut(), ulLen: 16 };
        let mechanism = with_struct(CKM_AES_ECB_ENCRYPT_DATA, &parameter, vec![]);
        match t.derive(&mechanism, key, &secret(CKK_GENERIC_SECRET, &[number(CKA_VALUE_LEN, 16)])) {
            Ok(key) => t.answer(t.get(key, CKA_VALUE)),
            Err(rv) => t.rv(rv),
        }
    });
}
