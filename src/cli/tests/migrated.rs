//! A token that Debian's SoftHSM made of keys of every kind, moved by the command: it says the same of itself, and its keys
//! do the same. One test, since SoftHSM is one for a process and takes its configuration from the environment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.
#![cfg(target_pointer_width = "64")]

mod moved;
mod store;

use std::{fs, ptr};

use cryptoki_sys::*;
use engine::{Access, User};
use moved::hsm::{Attribute, Do, Hsm, bytes, joined, no, number, plain, yes};
use moved::{ED25519, MODP, Moved, P256, agreed, differences, files, hsm, named, raw, softhsm, unhex};
use store::{Store, said, text};
use types::{AttributeType as A, Kdf, MechanismType as M, ObjectClass, Params, SlotId, Value};

const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const SECP256K1: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];
const BRAINPOOL: &[u8] = &[0x06, 0x09, 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07];
const X25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x6e];
const MESSAGE: &[u8] = b"thirty-two bytes, as a digest has";

/// Makes a pair, both halves with the label.
fn pair(hsm: &Hsm, label: &str, mechanism: CK_MECHANISM_TYPE, public: &[Attribute], private: &[Attribute]) {
    let made = hsm.try_pair(&plain(mechanism), &joined(&named(label), public), &joined(&named(label), private));
    made.map_err(hsm::name).unwrap_or_else(|why| panic!("{label}: {why}"));
}

/// An attribute whose value is a template, for as long as the template lives.
fn nested(name: CK_ATTRIBUTE_TYPE, inner: &[CK_ATTRIBUTE]) -> Attribute {
    // SAFETY: C structs of numbers and pointers, read as bytes.
    let raw = unsafe { std::slice::from_raw_parts(inner.as_ptr().cast::<u8>(), size_of_val(inner)) };
    Attribute(name, raw.to_vec())
}

/// Everything that SoftHSM has.
fn fill(hsm: &Hsm) {
    let date = |name, text: &[u8]| bytes(name, text);
    let dated = [date(CKA_START_DATE, b"20240229"), date(CKA_END_DATE, b"20991231")];
    let rsa = [number(CKA_MODULUS_BITS, 2048), bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])];
    let hidden = [yes(CKA_SENSITIVE), no(CKA_EXTRACTABLE)];
    pair(hsm, "rsa", CKM_RSA_PKCS_KEY_PAIR_GEN, &rsa, &hidden);
    let open = [no(CKA_SENSITIVE), yes(CKA_EXTRACTABLE), yes(CKA_WRAP_WITH_TRUSTED), no(CKA_MODIFIABLE)];
    pair(hsm, "rsa-open", CKM_RSA_PKCS_KEY_PAIR_GEN, &joined(&rsa, &dated), &joined(&open, &dated));
    for (label, curve) in [("p256", P256), ("p384", P384), ("secp256k1", SECP256K1)] {
        pair(
            hsm,
            label,
            CKM_EC_KEY_PAIR_GEN,
            &[bytes(CKA_EC_PARAMS, curve)],
            &[yes(CKA_DERIVE), bytes(CKA_SUBJECT, b"me")],
        );
    }
    pair(hsm, "brainpool", CKM_EC_KEY_PAIR_GEN, &[bytes(CKA_EC_PARAMS, BRAINPOOL)], &hidden);
    pair(hsm, "ed25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, &[bytes(CKA_EC_PARAMS, ED25519)], &hidden);
    let agrees = [yes(CKA_DERIVE), no(CKA_SIGN), no(CKA_DECRYPT), no(CKA_UNWRAP)];
    pair(hsm, "x25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, &[bytes(CKA_EC_PARAMS, X25519)], &agrees);
    let group = [bytes(CKA_PRIME, &unhex(MODP)), bytes(CKA_BASE, &[2])];
    pair(hsm, "dh", CKM_DH_PKCS_KEY_PAIR_GEN, &group, &[yes(CKA_DERIVE)]);
    let group = [no(CKA_TOKEN), number(CKA_PRIME_BITS, 1024)];
    let group = hsm.try_generate(&plain(CKM_DSA_PARAMETER_GEN), &group).map_err(hsm::name).unwrap();
    let group = [CKA_PRIME, CKA_SUBPRIME, CKA_BASE].map(|name| bytes(name, &hsm.get(group, name).unwrap()));
    pair(hsm, "dsa", CKM_DSA_KEY_PAIR_GEN, &group, &hidden);

    let secret = |label: &str, mechanism, attributes: &[Attribute]| {
        let made = hsm.try_generate(&plain(mechanism), &joined(&named(label), attributes));
        made.map_err(hsm::name).unwrap_or_else(|why| panic!("{label}: {why}"));
    };
    secret("aes", CKM_AES_KEY_GEN, &joined(&[number(CKA_VALUE_LEN, 32)], &hidden));
    let shown = [no(CKA_SENSITIVE), yes(CKA_EXTRACTABLE), no(CKA_PRIVATE), no(CKA_COPYABLE), no(CKA_DESTROYABLE)];
    secret("aes-open", CKM_AES_KEY_GEN, &joined(&[number(CKA_VALUE_LEN, 16)], &shown));
    let mechanisms: Vec<u8> = [CKM_AES_ECB, CKM_AES_CBC].iter().flat_map(|one| one.to_ne_bytes()).collect();
    let [id, extractable] = [bytes(CKA_ID, b"inner"), yes(CKA_EXTRACTABLE)];
    let inner = [id, extractable];
    let inner = hsm::template(&inner);
    let bound = [
        number(CKA_VALUE_LEN, 24),
        bytes(CKA_ALLOWED_MECHANISMS, &mechanisms),
        nested(CKA_WRAP_TEMPLATE, &inner),
        nested(CKA_UNWRAP_TEMPLATE, &inner[1..]),
    ];
    secret("aes-bound", CKM_AES_KEY_GEN, &joined(&bound, &hidden));
    secret("des3", CKM_DES3_KEY_GEN, &hidden);
    secret("generic", CKM_GENERIC_SECRET_KEY_GEN, &joined(&[number(CKA_VALUE_LEN, 40)], &hidden));
    let value = [number(CKA_CLASS, CKO_SECRET_KEY), number(CKA_KEY_TYPE, CKK_AES), bytes(CKA_VALUE, &[7; 32])];
    hsm.create(&joined(&joined(&named("aes-created"), &value), &hidden));

    let der = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/command/certificate.der")).unwrap();
    let certificate = [
        number(CKA_CLASS, CKO_CERTIFICATE),
        number(CKA_CERTIFICATE_TYPE, CKC_X_509),
        bytes(CKA_SUBJECT, b"subject"),
        bytes(CKA_VALUE, &der),
    ];
    hsm.create(&joined(&named("certificate"), &certificate));
    let mut broken = certificate.to_vec();
    broken[3] = bytes(CKA_VALUE, b"no certificate");
    hsm.create(&joined(&named("broken"), &broken));
    let data = [
        number(CKA_CLASS, CKO_DATA),
        yes(CKA_TOKEN),
        yes(CKA_PRIVATE),
        bytes(CKA_LABEL, b"data"),
        bytes(CKA_APPLICATION, b"app"),
        bytes(CKA_OBJECT_ID, &[6, 1, 42]),
        bytes(CKA_VALUE, b"a note"),
    ];
    hsm.create(&data);

    // What is trusted is the security officer's.
    assert_eq!(hsm::call!(hsm, C_Logout(hsm.session)), CKR_OK);
    assert_eq!(hsm.login(hsm.session, CKU_SO, hsm::OFFICER_PIN), CKR_OK);
    let trusted = [yes(CKA_TRUSTED), no(CKA_PRIVATE)];
    hsm.create(&joined(&joined(&named("trusted"), &certificate), &trusted));
    assert_eq!(hsm::call!(hsm, C_Logout(hsm.session)), CKR_OK);
    assert_eq!(hsm.login(hsm.session, CKU_USER, hsm::USER_PIN), CKR_OK);
}

fn find(hsm: &Hsm, class: CK_ULONG, label: &str) -> CK_OBJECT_HANDLE {
    let mut wanted = [number(CKA_CLASS, class), bytes(CKA_LABEL, label.as_bytes())];
    let mut template = hsm::template(&wanted);
    let (mut found, mut count) = ([0; 2], 0);
    assert_eq!(hsm::call!(hsm, C_FindObjectsInit(hsm.session, template.as_mut_ptr(), 2)), CKR_OK);
    assert_eq!(hsm::call!(hsm, C_FindObjects(hsm.session, found.as_mut_ptr(), 2, &raw mut count)), CKR_OK);
    assert_eq!(hsm::call!(hsm, C_FindObjectsFinal(hsm.session)), CKR_OK);
    wanted.reverse();
    assert_eq!(count, 1, "{label}");
    found[0]
}

#[test]
fn a_moved_token_says_the_same_of_itself_and_its_keys_do_the_same() {
    let store = Store::new("migrated");
    let (hsm, conf, tokens) = softhsm(&store);
    fill(&hsm);

    let before = files(tokens.path());
    let arguments = ["--json", "migrate", "softhsm", "--from", &conf, "--pin", "env:PIN", "--so-pin", "env:SO_PIN"];
    let output = store.run(&arguments);
    assert_eq!(output.status.code(), Some(8), "{output:?}");
    assert!(files(tokens.path()) == before, "SoftHSM's files are as they were");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let token = &told["data"]["tokens"][0];
    let left = token["left"].as_array().unwrap();
    let mut left: Vec<_> =
        left.iter().map(|one| (one["label"].as_str().unwrap(), one["reason"].as_str().unwrap())).collect();
    left.sort_unstable();
    assert_eq!(
        left,
        [
            ("brainpool", "the elliptic curve is not offered"),
            ("brainpool", "the elliptic curve is not offered"),
            ("broken", "CKA_VALUE cannot have this value"),
        ]
    );
    let slot = SlotId(token["slot"].as_u64().unwrap());
    let engine = store.engine();
    let session = engine.open_session(slot, Access::ReadWrite).unwrap();
    engine.login(session, User::User, hsm::USER_PIN).unwrap();
    let moved = Moved { engine, session };

    let pairs = ["rsa", "rsa-open", "p256", "p384", "secp256k1", "ed25519", "x25519", "dh", "dsa"];
    let secrets = ["aes", "aes-open", "aes-bound", "des3", "generic", "aes-created"];
    let objects: Vec<(CK_ULONG, &str)> = pairs
        .into_iter()
        .flat_map(|label| [(CKO_PUBLIC_KEY, label), (CKO_PRIVATE_KEY, label)])
        .chain(secrets.map(|label| (CKO_SECRET_KEY, label)))
        .chain([(CKO_CERTIFICATE, "certificate"), (CKO_CERTIFICATE, "trusted"), (CKO_DATA, "data")])
        .collect();
    let different =
        |(class, label): &(CK_ULONG, &str)| differences(&hsm, &moved, find(&hsm, *class, label), *class, label);
    let mut different: Vec<String> = objects.iter().flat_map(different).collect();
    // Computed here, and never by SoftHSM.
    different.retain(|one| !one.ends_with("CKA_PUBLIC_KEY_INFO"));
    assert_eq!(
        different,
        [
            // Which SoftHSM stores, and cannot read again.
            "CKO_PRIVATE_KEY rsa-open CKA_START_DATE",
            "CKO_PRIVATE_KEY rsa-open CKA_END_DATE",
            // Its type of that name.
            "CKO_PUBLIC_KEY x25519 CKA_KEY_TYPE",
            "CKO_PRIVATE_KEY x25519 CKA_KEY_TYPE",
        ]
    );
    let open = moved.engine.object(session, moved.find(ObjectClass::PRIVATE_KEY, "rsa-open")).unwrap();
    assert_eq!(raw(open.attribute(A::START_DATE).unwrap()), b"20240229");
    assert_eq!(raw(open.attribute(A::END_DATE).unwrap()), b"20991231");
    let trusted = moved.engine.object(session, moved.find(ObjectClass::CERTIFICATE, "trusted")).unwrap();
    assert!(*trusted.attribute(A::TRUSTED).unwrap() == Value::Flag(true));
    let bound = moved.engine.object(session, moved.find(ObjectClass::SECRET_KEY, "aes-bound")).unwrap();
    let extractable = (A::EXTRACTABLE, Value::Flag(true));
    let inner = vec![(A::ID, Value::bytes("inner")), (A::EXTRACTABLE, Value::Flag(true))];
    assert!(*bound.attribute(A::WRAP_TEMPLATE).unwrap() == Value::Template(inner));
    assert!(*bound.attribute(A::UNWRAP_TEMPLATE).unwrap() == Value::Template(vec![extractable]));

    // What is the same each time is the same in both.
    let private = |label: &str| find(&hsm, CKO_PRIVATE_KEY, label);
    for label in ["rsa", "rsa-open"] {
        let theirs = hsm.run(Do::Sign, &plain(CKM_SHA256_RSA_PKCS), private(label), MESSAGE).unwrap();
        assert!(moved.sign(M::SHA256_RSA_PKCS, label, ObjectClass::PRIVATE_KEY, MESSAGE) == theirs, "{label}");
    }
    let theirs = hsm.run(Do::Sign, &plain(CKM_EDDSA), private("ed25519"), MESSAGE).unwrap();
    assert!(moved.sign(M::EDDSA, "ed25519", ObjectClass::PRIVATE_KEY, MESSAGE) == theirs);
    let secret = |label: &str| find(&hsm, CKO_SECRET_KEY, label);
    for label in ["aes", "aes-open", "aes-bound", "aes-created"] {
        let theirs = hsm.run(Do::Encrypt, &plain(CKM_AES_ECB), secret(label), &MESSAGE[..32]).unwrap();
        assert!(moved.encrypt(M::AES_ECB, label, &MESSAGE[..32]) == theirs, "{label}");
    }
    let theirs = hsm.run(Do::Encrypt, &plain(CKM_DES3_ECB), secret("des3"), &MESSAGE[..32]).unwrap();
    assert!(moved.encrypt(M::DES3_ECB, "des3", &MESSAGE[..32]) == theirs);
    let theirs = hsm.run(Do::Sign, &plain(CKM_SHA256_HMAC), secret("generic"), MESSAGE).unwrap();
    assert!(moved.sign(M::SHA256_HMAC, "generic", ObjectClass::SECRET_KEY, MESSAGE) == theirs);

    // What is another each time is verified by the other one, both ways.
    let digest = &MESSAGE[..32];
    for (label, id, theirs, digest) in [
        ("p256", M::ECDSA, CKM_ECDSA, digest),
        ("p384", M::ECDSA, CKM_ECDSA, digest),
        ("secp256k1", M::ECDSA, CKM_ECDSA, digest),
        ("dsa", M::DSA, CKM_DSA, &digest[..20]),
    ] {
        let signature = moved.sign(id, label, ObjectClass::PRIVATE_KEY, digest);
        let public = find(&hsm, CKO_PUBLIC_KEY, label);
        assert_eq!(hsm.verify(&plain(theirs), public, digest, &signature), CKR_OK, "{label}");
        let signature = hsm.run(Do::Sign, &plain(theirs), private(label), digest).unwrap();
        moved.verify(id, label, digest, &signature);
    }

    // A secret agreed on with the key's own public half.
    for label in ["p256", "p384", "secp256k1", "x25519"] {
        let public = hsm.get(find(&hsm, CKO_PUBLIC_KEY, label), CKA_EC_POINT).unwrap();
        let parameter = CK_ECDH1_DERIVE_PARAMS {
            kdf: CKD_NULL,
            ulSharedDataLen: 0,
            pSharedData: ptr::null_mut(),
            ulPublicDataLen: public.len() as CK_ULONG,
            pPublicData: public.as_ptr().cast_mut(),
        };
        let theirs = agreed(&hsm, private(label), &hsm::with_struct(CKM_ECDH1_DERIVE, &parameter, vec![]));
        let params = Params::Ecdh { kdf: Kdf::NULL, shared: Vec::new(), public };
        assert!(moved.agree(M::ECDH1_DERIVE, label, params) == theirs, "{label}");
    }
    let public = hsm.get(find(&hsm, CKO_PUBLIC_KEY, "dh"), CKA_VALUE).unwrap();
    let theirs = agreed(&hsm, private("dh"), &hsm::with(CKM_DH_PKCS_DERIVE, &public));
    assert!(moved.agree(M::DH_PKCS_DERIVE, "dh", Params::PublicValue(public)) == theirs);

    // The officer's PIN is his still.
    let reset = ["pin", "reset", "--token", "case", "--so-pin", "env:SO_PIN", "--new-pin", "env:PIN"];
    said(&store.run(&reset));
    let again = store.run(&arguments[1..]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("there is a token 'case' here already"), "{again:?}");
}
