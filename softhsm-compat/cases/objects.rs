//! Objects of every class, and their attributes.

use std::ptr;

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*, keys::*};

const DATA: &[u8] = b"some bytes";

/// A certificate that OpenSSL made.
const CERTIFICATE: &str = concat!(
    "3082012e3081e1a0030201020214779a327d0d54dd548e134c81ace250b99d9161f4300506032b6570300c310a300806",
    "035504030c01783020170d3236313132373139313131315a180f32313236313130333139313131315a300c310a300806",
    "035504030c0178302a300506032b6570032100e45f19216e8e68d7e7952369e65e52fe1d60959ac5ba517dd0ee01e091",
    "74cccea3533051301d0603551d0e041604140536c7bb74046b894cd217c2680d78b6f0b561b0301f0603551d23041830",
    "1680140536c7bb74046b894cd217c2680d78b6f0b561b0300f0603551d130101ff040530030101ff300506032b657003",
    "4100597dc53886d29d0df34babc82d96d282be8d16ae6cd0b062856e302bbb2e678c2406c8d8b6dc59b309ac5dd943a8",
    "0ce675407bf3f547c8908abbf0c9bc3d3e0f"
);

fn datum(more: &[Attribute]) -> Vec<Attribute> {
    let mut all = vec![number(CKA_CLASS, CKO_DATA), bytes(CKA_VALUE, DATA), bytes(CKA_LABEL, b"datum")];
    all.extend(open());
    all.retain(|one| more.iter().all(|other| other.0 != one.0));
    all.extend_from_slice(more);
    all
}

fn certificate() -> Vec<Attribute> {
    let mut all = vec![
        number(CKA_CLASS, CKO_CERTIFICATE),
        number(CKA_CERTIFICATE_TYPE, CKC_X_509),
        bytes(CKA_SUBJECT, &[0x30, 0]),
        bytes(CKA_VALUE, &[0x30, 3, 2, 1, 0]),
    ];
    all.extend(open());
    all
}

fn without(mut all: Vec<Attribute>, name: CK_ATTRIBUTE_TYPE) -> Vec<Attribute> {
    all.retain(|one| one.0 != name);
    all
}

fn ec_public() -> Vec<Attribute> {
    // The base point of P-256, as an OCTET STRING.
    let point = unhex(concat!(
        "0441",
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    ));
    let mut all = vec![
        number(CKA_CLASS, CKO_PUBLIC_KEY),
        number(CKA_KEY_TYPE, CKK_EC),
        bytes(CKA_EC_PARAMS, P256),
        bytes(CKA_EC_POINT, &point),
        yes(CKA_VERIFY),
    ];
    all.extend(open());
    all
}

fn ec_private() -> Vec<Attribute> {
    let mut scalar = vec![0; 32];
    scalar[31] = 1;
    let mut all = vec![
        number(CKA_CLASS, CKO_PRIVATE_KEY),
        number(CKA_KEY_TYPE, CKK_EC),
        bytes(CKA_EC_PARAMS, P256),
        bytes(CKA_VALUE, &scalar),
        yes(CKA_SIGN),
    ];
    all.extend(readable());
    all
}

pub(crate) fn cases(list: &mut Cases) {
    list.group("Objects");
    type Make = fn() -> Vec<Attribute>;
    let makes: [(&str, Make, &str); 26] = [
        ("a data object", || datum(&[]), "OK"),
        ("a data object without a value", || without(datum(&[]), CKA_VALUE), "OK"),
        ("a certificate", certificate, "OK"),
        ("a certificate without a value", || without(certificate(), CKA_VALUE), "TEMPLATE_INCOMPLETE"),
        ("a certificate without a subject", || without(certificate(), CKA_SUBJECT), "TEMPLATE_INCOMPLETE"),
        ("a certificate without a type", || without(certificate(), CKA_CERTIFICATE_TYPE), "TEMPLATE_INCOMPLETE"),
        ("an RSA public key", rsa_public_template, "OK"),
        ("an RSA public key without a modulus", || without(rsa_public_template(), CKA_MODULUS), "TEMPLATE_INCOMPLETE"),
        ("an RSA private key", rsa_private_template, "OK"),
        (
            "an RSA private key without its primes",
            || {
                rsa_private_template()
                    .into_iter()
                    .filter(|one| {
                        ![CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT].contains(&one.0)
                    })
                    .collect()
            },
            "OK",
        ),
        (
            "an RSA private key without a modulus",
            || without(rsa_private_template(), CKA_MODULUS),
            "TEMPLATE_INCOMPLETE",
        ),
        ("an EC public key", ec_public, "OK"),
        ("an EC public key without a point", || without(ec_public(), CKA_EC_POINT), "TEMPLATE_INCOMPLETE"),
        ("an EC private key", ec_private, "OK"),
        ("an EC private key without a value", || without(ec_private(), CKA_VALUE), "TEMPLATE_INCOMPLETE"),
        ("an AES key", || secret_template(CKK_AES, &[1; 16]), "OK"),
        ("an AES key of 15 bytes", || secret_template(CKK_AES, &[1; 15]), "OK"),
        ("an AES key without a value", || without(secret_template(CKK_AES, &[]), CKA_VALUE), "TEMPLATE_INCOMPLETE"),
        ("a generic secret", || secret_template(CKK_GENERIC_SECRET, &[1; 20]), "OK"),
        ("an HMAC key", || secret_template(CKK_SHA256_HMAC, &[1; 32]), "OK"),
        ("a DES3 key", || secret_template(CKK_DES3, &[1; 24]), "OK"),
        ("a DES key", || secret_template(CKK_DES, &[1; 8]), "OK"),
        (
            "DSA parameters",
            || {
                let mut all = vec![
                    number(CKA_CLASS, CKO_DOMAIN_PARAMETERS),
                    number(CKA_KEY_TYPE, CKK_DSA),
                    bytes(CKA_PRIME, &[0xff; 128]),
                    bytes(CKA_SUBPRIME, &[0xff; 20]),
                    bytes(CKA_BASE, &[2]),
                ];
                all.extend(open());
                all
            },
            "OK",
        ),
        (
            "a DH public key",
            || {
                let mut all = vec![
                    number(CKA_CLASS, CKO_PUBLIC_KEY),
                    number(CKA_KEY_TYPE, CKK_DH),
                    bytes(CKA_PRIME, &[0xff; 128]),
                    bytes(CKA_BASE, &[2]),
                    bytes(CKA_VALUE, &[4]),
                ];
                all.extend(open());
                all
            },
            "OK",
        ),
        ("an object of no class", || without(datum(&[]), CKA_CLASS), "TEMPLATE_INCOMPLETE"),
        (
            "an object of an unknown class",
            || {
                let mut all = datum(&[]);
                all[0] = number(CKA_CLASS, 0x77);
                all
            },
            "ATTRIBUTE_VALUE_INVALID",
        ),
    ];
    for (what, make, want) in makes {
        list.add(format!("create {what}"), want, move |t| {
            t.user();
            t.rv(outcome(&t.try_create(&make())));
        });
    }
    let refused: [(&str, Make, &str); 9] = [
        ("with an unknown attribute", || datum(&[bytes(0x7777, b"x")]), "ATTRIBUTE_TYPE_INVALID"),
        ("with a vendor's attribute", || datum(&[bytes(CKA_VENDOR_DEFINED | 7, b"x")]), "ATTRIBUTE_TYPE_INVALID"),
        ("with an attribute of another class", || datum(&[yes(CKA_SIGN)]), "ATTRIBUTE_TYPE_INVALID"),
        ("with a flag of four bytes", || datum(&[bytes(CKA_MODIFIABLE, &[1, 0, 0, 0])]), "ATTRIBUTE_VALUE_INVALID"),
        ("with a flag of two", || datum(&[bytes(CKA_MODIFIABLE, &[2])]), "OK"),
        (
            "with an attribute twice",
            || {
                let mut all = datum(&[]);
                all.push(bytes(CKA_LABEL, b"other"));
                all
            },
            "OK",
        ),
        (
            "that says CKA_LOCAL",
            || joined(&secret_template(CKK_AES, &[1; 16]), &[yes(CKA_LOCAL)]),
            "ATTRIBUTE_READ_ONLY",
        ),
        (
            "that says CKA_ALWAYS_SENSITIVE",
            || joined(&secret_template(CKK_AES, &[1; 16]), &[yes(CKA_ALWAYS_SENSITIVE)]),
            "ATTRIBUTE_READ_ONLY",
        ),
        ("that is trusted", || joined(&secret_template(CKK_AES, &[1; 16]), &[yes(CKA_TRUSTED)]), "ATTRIBUTE_READ_ONLY"),
    ];
    for (what, make, want) in refused {
        list.add(format!("create an object {what}"), want, move |t| {
            t.user();
            t.rv(outcome(&t.try_create(&make())));
        });
    }
    list.add("create a real certificate, and read it and its check value", "OK 3082012e3081e1a0/306 26ab0a/3", |t| {
        t.user();
        let mut all = without(certificate(), CKA_VALUE);
        all.push(bytes(CKA_VALUE, &unhex(CERTIFICATE)));
        let object = t.try_create(&all);
        t.rv(outcome(&object));
        t.answer(t.get(object.unwrap_or(0), CKA_VALUE));
        t.answer(t.get(object.unwrap_or(0), CKA_CHECK_VALUE));
    });
    list.add("create an object of nothing", "ARGUMENTS_BAD", |t| {
        let session = t.user();
        let mut object = 0;
        say!(t, C_CreateObject(session, ptr::null_mut(), 1, &raw mut object));
    });
    list.add("create a private object without a log-in", "USER_NOT_LOGGED_IN", |t| {
        t.public();
        t.rv(outcome(&t.try_create(&datum(&[yes(CKA_PRIVATE)]))));
    });
    list.add("create a public token object without a log-in", "OK", |t| {
        t.public();
        t.rv(outcome(&t.try_create(&datum(&[yes(CKA_TOKEN)]))));
    });
    list.add("create a public session object without a log-in", "OK", |t| {
        t.public();
        t.rv(outcome(&t.try_create(&datum(&[]))));
    });
    list.add("create an object that says nothing of CKA_PRIVATE without a log-in", "USER_NOT_LOGGED_IN", |t| {
        t.public();
        t.rv(outcome(&t.try_create(&[number(CKA_CLASS, CKO_DATA), no(CKA_TOKEN)])));
    });
    list.add("a token object is there after the end", "1 736f6d6520627974/10", |t| {
        let _ = t.user();
        t.create(&datum(&[yes(CKA_TOKEN), yes(CKA_PRIVATE)]));
        call!(t, C_Finalize(ptr::null_mut()));
        t.start();
        t.session = t.open(WRITER);
        t.login(t.session, CKU_USER, USER_PIN);
        let (mut object, mut found) = (0, 0);
        call!(t, C_FindObjectsInit(t.session, ptr::null_mut(), 0));
        call!(t, C_FindObjects(t.session, &raw mut object, 1, &raw mut found));
        t.word(found);
        t.answer(t.get(object, CKA_VALUE));
    });

    list.group("Copies and destruction");
    list.add("copy an object with a new label", "OK 6f74686572/5 736f6d6520627974/10", |t| {
        t.user();
        let object = t.create(&datum(&[]));
        let copy = t.try_copy(object, &[bytes(CKA_LABEL, b"other")]);
        t.rv(outcome(&copy));
        t.answer(t.get(copy.unwrap_or(0), CKA_LABEL));
        t.answer(t.get(copy.unwrap_or(0), CKA_VALUE));
    });
    list.add("copy an object that may not be copied", "ACTION_PROHIBITED", |t| {
        t.user();
        let object = t.create(&datum(&[no(CKA_COPYABLE)]));
        t.rv(outcome(&t.try_copy(object, &[])));
    });
    list.add("copy what is not there", "OBJECT_HANDLE_INVALID", |t| {
        t.user();
        t.rv(outcome(&t.try_copy(NOBODY, &[])));
    });
    list.add("a copy is more public", "TEMPLATE_INCONSISTENT", |t| {
        t.user();
        let object = t.create(&datum(&[yes(CKA_PRIVATE)]));
        t.rv(outcome(&t.try_copy(object, &[no(CKA_PRIVATE)])));
    });
    list.add("a copy of a key is sensitive, and one of that is not", "OK ATTRIBUTE_READ_ONLY", |t| {
        t.user();
        let key = t.create(&secret_template(CKK_AES, &[1; 16]));
        let copy = t.try_copy(key, &[yes(CKA_SENSITIVE)]);
        t.rv(outcome(&copy));
        t.rv(outcome(&t.try_copy(copy.unwrap_or(0), &[no(CKA_SENSITIVE)])));
    });
    list.add("a copy of a key is extractable when that was not", "ATTRIBUTE_READ_ONLY", |t| {
        t.user();
        let key = joined(&without(secret_template(CKK_AES, &[1; 16]), CKA_EXTRACTABLE), &[no(CKA_EXTRACTABLE)]);
        let key = t.create(&key);
        t.rv(outcome(&t.try_copy(key, &[yes(CKA_EXTRACTABLE)])));
    });
    list.add("a copy with another value", "ATTRIBUTE_READ_ONLY", |t| {
        t.user();
        let key = t.create(&secret_template(CKK_AES, &[1; 16]));
        t.rv(outcome(&t.try_copy(key, &[bytes(CKA_VALUE, &[2; 16])])));
    });
    list.add("a copy to the token", "OK yes", |t| {
        t.user();
        let object = t.create(&datum(&[]));
        let copy = t.try_copy(object, &[yes(CKA_TOKEN)]);
        t.rv(outcome(&copy));
        t.word(t.flag(copy.unwrap_or(0), CKA_TOKEN));
    });
    list.add("destroy an object twice", "OK OBJECT_HANDLE_INVALID", |t| {
        let session = t.user();
        let object = t.create(&datum(&[]));
        say!(t, C_DestroyObject(session, object));
        say!(t, C_DestroyObject(session, object));
    });
    list.add("destroy an object that may not be destroyed", "ACTION_PROHIBITED", |t| {
        let session = t.user();
        let object = t.create(&datum(&[no(CKA_DESTROYABLE)]));
        say!(t, C_DestroyObject(session, object));
    });
    list.add("destroy a key in the middle of its use", "OK 32", |t| {
        let session = t.user();
        let key = generic(t, 32);
        t.begin(Do::Sign, &plain(CKM_SHA256_HMAC), key);
        say!(t, C_DestroyObject(session, key));
        t.size(&t.whole(Do::Sign, b"abc"));
    });
    list.add("the size of an object", "OK unknown", |t| {
        let session = t.user();
        let object = t.create(&datum(&[]));
        let mut size = 0;
        say!(t, C_GetObjectSize(session, object, &raw mut size));
        t.word(if size == CK_UNAVAILABLE_INFORMATION { "unknown" } else { "known" });
    });
    list.add("the size of what is not there, and to nowhere", "OBJECT_HANDLE_INVALID ARGUMENTS_BAD", |t| {
        let session = t.user();
        let object = t.create(&datum(&[]));
        let mut size = 0;
        say!(t, C_GetObjectSize(session, NOBODY, &raw mut size));
        say!(t, C_GetObjectSize(session, object, ptr::null_mut()));
    });

    list.group("Attributes");
    list.add("the length of an attribute", "OK 10", |t| {
        let session = t.user();
        let object = t.create(&datum(&[]));
        let mut one = CK_ATTRIBUTE { type_: CKA_VALUE, pValue: ptr::null_mut(), ulValueLen: 0 };
        say!(t, C_GetAttributeValue(session, object, &raw mut one, 1));
        t.word(one.ulValueLen);
    });
    list.add("an attribute in too small a place", "BUFFER_TOO_SMALL unknown", |t| {
        let session = t.user();
        let object = t.create(&datum(&[]));
        let mut place = [0u8; 9];
        let mut one = CK_ATTRIBUTE { type_: CKA_VALUE, pValue: place.as_mut_ptr().cast(), ulValueLen: 9 };
        say!(t, C_GetAttributeValue(session, object, &raw mut one, 1));
        t.word(if one.ulValueLen == CK_UNAVAILABLE_INFORMATION { "unknown" } else { "known" });
    });
    list.add("an attribute of another class", "ATTRIBUTE_TYPE_INVALID", |t| {
        t.user();
        let object = t.create(&datum(&[]));
        t.answer(t.get(object, CKA_MODULUS));
    });
    list.add("several attributes, one of them wrong", "ATTRIBUTE_TYPE_INVALID 10 unknown 5", |t| {
        let session = t.user();
        let object = t.create(&datum(&[]));
        let one = |type_| CK_ATTRIBUTE { type_, pValue: ptr::null_mut(), ulValueLen: 0 };
        let mut all = [one(CKA_VALUE), one(CKA_MODULUS), one(CKA_LABEL)];
        say!(t, C_GetAttributeValue(session, object, all.as_mut_ptr(), 3));
        for one in all {
            t.word(if one.ulValueLen == CK_UNAVAILABLE_INFORMATION {
                "unknown".into()
            } else {
                one.ulValueLen.to_string()
            });
        }
    });
    list.add("attributes of what is not there, and to nowhere", "OBJECT_HANDLE_INVALID ARGUMENTS_BAD", |t| {
        let session = t.user();
        let object = t.create(&datum(&[]));
        t.answer(t.get(NOBODY, CKA_VALUE));
        say!(t, C_GetAttributeValue(session, object, ptr::null_mut(), 1));
    });
    list.add("the value of a sensitive key", "ATTRIBUTE_SENSITIVE", |t| {
        t.user();
        let key = t.create(&joined(&without(secret_template(CKK_AES, &[1; 16]), CKA_SENSITIVE), &[yes(CKA_SENSITIVE)]));
        t.answer(t.get(key, CKA_VALUE));
    });
    list.add("the value of a key that is not extractable", "ATTRIBUTE_SENSITIVE", |t| {
        t.user();
        let key =
            t.create(&joined(&without(secret_template(CKK_AES, &[1; 16]), CKA_EXTRACTABLE), &[no(CKA_EXTRACTABLE)]));
        t.answer(t.get(key, CKA_VALUE));
    });
    list.add("the value of a key that can be read", "0101010101010101/16", |t| {
        t.user();
        let key = t.create(&secret_template(CKK_AES, &[1; 16]));
        t.answer(t.get(key, CKA_VALUE));
    });
    list.add(
        "the private parts of a sensitive RSA key",
        "ATTRIBUTE_SENSITIVE ATTRIBUTE_SENSITIVE a98db7ceae2ed076/128",
        |t| {
            t.user();
            let key = t.create(&joined(&without(rsa_private_template(), CKA_SENSITIVE), &[yes(CKA_SENSITIVE)]));
            t.answer(t.get(key, CKA_PRIVATE_EXPONENT));
            t.answer(t.get(key, CKA_PRIME_1));
            t.answer(t.get(key, CKA_MODULUS));
        },
    );
    list.add("what an imported key was", "no no no no", |t| {
        t.user();
        let key = t.create(&joined(&without(secret_template(CKK_AES, &[1; 16]), CKA_SENSITIVE), &[yes(CKA_SENSITIVE)]));
        for name in [CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL, CKA_TRUSTED] {
            t.word(t.flag(key, name));
        }
    });
    list.add("what a key that was made inside was", "yes yes yes", |t| {
        t.user();
        let key = [number(CKA_VALUE_LEN, 32), no(CKA_TOKEN), yes(CKA_PRIVATE), yes(CKA_SENSITIVE), no(CKA_EXTRACTABLE)];
        let key = t.try_generate(&plain(CKM_AES_KEY_GEN), &key).unwrap_or(0);
        for name in [CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL] {
            t.word(t.flag(key, name));
        }
    });
    list.add("what a key that can be read was", "no no yes", |t| {
        t.user();
        let key =
            t.try_generate(&plain(CKM_AES_KEY_GEN), &joined(&readable(), &[number(CKA_VALUE_LEN, 32)])).unwrap_or(0);
        for name in [CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL] {
            t.word(t.flag(key, name));
        }
    });
    list.add("the check value of an AES key", "c6a13b/3", |t| {
        t.user();
        let key = aes(t, 16);
        t.answer(t.get(key, CKA_CHECK_VALUE));
    });
    list.add("an empty attribute of a key that nobody set", "/0 /0 /0", |t| {
        t.user();
        let key = aes(t, 16);
        for name in [CKA_LABEL, CKA_ID, CKA_ALLOWED_MECHANISMS] {
            t.answer(t.get(key, name));
        }
    });
    list.add("change a label", "OK 6e6577/3", |t| {
        t.user();
        let object = t.create(&datum(&[]));
        t.rv(t.set(object, &[bytes(CKA_LABEL, b"new")]));
        t.answer(t.get(object, CKA_LABEL));
    });
    list.add("change the value of a datum", "ATTRIBUTE_READ_ONLY", |t| {
        t.user();
        let object = t.create(&datum(&[]));
        t.rv(t.set(object, &[bytes(CKA_VALUE, b"new")]));
    });
    list.add("change what may not be changed", "ACTION_PROHIBITED", |t| {
        t.user();
        let object = t.create(&datum(&[no(CKA_MODIFIABLE)]));
        t.rv(t.set(object, &[bytes(CKA_LABEL, b"new")]));
    });
    for (what, attribute, want) in [
        ("CKA_CLASS", number(CKA_CLASS, CKO_DATA), "ATTRIBUTE_READ_ONLY"),
        ("CKA_KEY_TYPE", number(CKA_KEY_TYPE, CKK_DES3), "ATTRIBUTE_READ_ONLY"),
        ("CKA_TOKEN", yes(CKA_TOKEN), "ATTRIBUTE_READ_ONLY"),
        ("CKA_PRIVATE", yes(CKA_PRIVATE), "ATTRIBUTE_READ_ONLY"),
        ("CKA_MODIFIABLE", no(CKA_MODIFIABLE), "ATTRIBUTE_READ_ONLY"),
        ("CKA_VALUE", bytes(CKA_VALUE, &[2; 16]), "ATTRIBUTE_READ_ONLY"),
        ("CKA_LOCAL", yes(CKA_LOCAL), "ATTRIBUTE_READ_ONLY"),
        ("CKA_SENSITIVE to true", yes(CKA_SENSITIVE), "OK"),
        ("CKA_SENSITIVE to false", no(CKA_SENSITIVE), "OK"),
        ("CKA_EXTRACTABLE to false", no(CKA_EXTRACTABLE), "OK"),
        ("CKA_ENCRYPT", no(CKA_ENCRYPT), "OK"),
        ("CKA_DERIVE", no(CKA_DERIVE), "OK"),
        ("CKA_ID", bytes(CKA_ID, b"id"), "OK"),
        ("CKA_TRUSTED", yes(CKA_TRUSTED), "ATTRIBUTE_READ_ONLY"),
        ("CKA_WRAP_WITH_TRUSTED", yes(CKA_WRAP_WITH_TRUSTED), "ATTRIBUTE_READ_ONLY"),
        ("CKA_COPYABLE to false", no(CKA_COPYABLE), "ATTRIBUTE_READ_ONLY"),
        ("CKA_DESTROYABLE to false", no(CKA_DESTROYABLE), "ATTRIBUTE_READ_ONLY"),
        ("CKA_START_DATE", bytes(CKA_START_DATE, b"20260101"), "OK"),
        ("CKA_START_DATE to what is none", bytes(CKA_START_DATE, b"2026"), "ATTRIBUTE_VALUE_INVALID"),
        ("an attribute of another class", bytes(CKA_MODULUS, b"x"), "ATTRIBUTE_TYPE_INVALID"),
        ("an unknown attribute", bytes(0x7777, b"x"), "ATTRIBUTE_TYPE_INVALID"),
    ] {
        list.add(format!("change {what} of an AES key"), want, move |t| {
            t.user();
            let key = aes(t, 16);
            t.rv(t.set(key, std::slice::from_ref(&attribute)));
        });
    }
    list.add(
        "a sensitive key stays so, and one that is not extractable",
        "ATTRIBUTE_READ_ONLY ATTRIBUTE_READ_ONLY",
        |t| {
            t.user();
            let key = aes(t, 16);
            t.set(key, &[yes(CKA_SENSITIVE)]);
            t.set(key, &[no(CKA_EXTRACTABLE)]);
            t.rv(t.set(key, &[no(CKA_SENSITIVE)]));
            t.rv(t.set(key, &[yes(CKA_EXTRACTABLE)]));
        },
    );
    list.add("of several changes one is wrong", "ATTRIBUTE_READ_ONLY 6e6577/3", |t| {
        t.user();
        let object = t.create(&datum(&[]));
        t.rv(t.set(object, &[bytes(CKA_LABEL, b"new"), number(CKA_CLASS, CKO_DATA)]));
        t.answer(t.get(object, CKA_LABEL));
    });
    list.add("change what is not there, and to nothing", "OBJECT_HANDLE_INVALID ARGUMENTS_BAD", |t| {
        let session = t.user();
        let object = t.create(&datum(&[]));
        t.rv(t.set(NOBODY, &[bytes(CKA_LABEL, b"new")]));
        say!(t, C_SetAttributeValue(session, object, ptr::null_mut(), 1));
    });
}
