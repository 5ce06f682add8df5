//! A thousand objects of SoftHSM, of ten kinds, moved by the command: each is proven to be what it was. One test, as in
//! `migrated.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.
#![cfg(target_pointer_width = "64")]

mod moved;
mod store;

use std::fs;

use cryptoki_sys::*;
use engine::{Access, User};
use moved::hsm::{Attribute, Do, Hsm, bytes, joined, no, number, plain, yes};
use moved::{ED25519, MODP, Moved, P256, agreed, differences, files, hsm, named, softhsm, unhex};
use serde_json::Value as Json;
use store::{Store, said};
use types::{MechanismType as M, ObjectClass, Params, SlotId};

/// What is signed, or encrypted.
const MESSAGE: &[u8] = b"thirty-two bytes, as a digest is";
/// Of five kinds of pairs each; two objects are a pair.
const PAIRS: usize = 50;
/// Of five kinds of other objects each.
const OTHERS: usize = 100;

/// An object of SoftHSM's: its kind, class, label, and handle.
struct Theirs(&'static str, CK_ULONG, String, CK_OBJECT_HANDLE);

fn pairs(
    hsm: &Hsm,
    kind: &'static str,
    mechanism: CK_MECHANISM_TYPE,
    public: &[Attribute],
    private: &[Attribute],
) -> Vec<Theirs> {
    let mut made = Vec::new();
    let mut last = None;
    for number in 0..PAIRS {
        let label = format!("{kind}-{number}");
        // RSA keys take long: of ten pairs, nine are copies of the first.
        let (one, other) = match last {
            Some((one, other)) if kind == "rsa" && number % 10 != 0 => {
                let copy = |of| hsm.try_copy(of, &named(&label)).map_err(hsm::name).unwrap();
                (copy(one), copy(other))
            }
            _ => {
                let pair =
                    hsm.try_pair(&plain(mechanism), &joined(&named(&label), public), &joined(&named(&label), private));
                pair.map_err(hsm::name).unwrap_or_else(|why| panic!("{label}: {why}"))
            }
        };
        last = Some((one, other));
        made.push(Theirs(kind, CKO_PUBLIC_KEY, label.clone(), one));
        made.push(Theirs(kind, CKO_PRIVATE_KEY, label, other));
    }
    made
}

fn others(kind: &'static str, class: CK_ULONG, make: impl Fn(&str) -> CK_OBJECT_HANDLE) -> Vec<Theirs> {
    let one = |number| {
        let label = format!("{kind}-{number}");
        let handle = make(&label);
        Theirs(kind, class, label, handle)
    };
    (0..OTHERS).map(one).collect()
}

fn fill(hsm: &Hsm) -> Vec<Theirs> {
    let hidden = [yes(CKA_SENSITIVE), no(CKA_EXTRACTABLE)];
    let rsa = [number(CKA_MODULUS_BITS, 2048), bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])];
    let dh = [bytes(CKA_PRIME, &unhex(MODP)), bytes(CKA_BASE, &[2])];
    let group = [no(CKA_TOKEN), number(CKA_PRIME_BITS, 1024)];
    let group = hsm.try_generate(&plain(CKM_DSA_PARAMETER_GEN), &group).map_err(hsm::name).unwrap();
    let dsa = [CKA_PRIME, CKA_SUBPRIME, CKA_BASE].map(|name| bytes(name, &hsm.get(group, name).unwrap()));
    let mut made = pairs(hsm, "rsa", CKM_RSA_PKCS_KEY_PAIR_GEN, &rsa, &hidden);
    made.extend(pairs(hsm, "ec", CKM_EC_KEY_PAIR_GEN, &[bytes(CKA_EC_PARAMS, P256)], &hidden));
    made.extend(pairs(hsm, "ed25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, &[bytes(CKA_EC_PARAMS, ED25519)], &hidden));
    made.extend(pairs(hsm, "dh", CKM_DH_PKCS_KEY_PAIR_GEN, &dh, &[yes(CKA_DERIVE)]));
    made.extend(pairs(hsm, "dsa", CKM_DSA_KEY_PAIR_GEN, &dsa, &hidden));

    let secret = |mechanism, attributes: &[Attribute]| {
        let attributes = joined(&hidden, attributes);
        move |label: &str| {
            hsm.try_generate(&plain(mechanism), &joined(&named(label), &attributes)).map_err(hsm::name).unwrap()
        }
    };
    made.extend(others("aes", CKO_SECRET_KEY, secret(CKM_AES_KEY_GEN, &[number(CKA_VALUE_LEN, 32)])));
    made.extend(others("des3", CKO_SECRET_KEY, secret(CKM_DES3_KEY_GEN, &[])));
    made.extend(others("generic", CKO_SECRET_KEY, secret(CKM_GENERIC_SECRET_KEY_GEN, &[number(CKA_VALUE_LEN, 40)])));
    let der = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/command/certificate.der")).unwrap();
    made.extend(others("certificate", CKO_CERTIFICATE, |label| {
        let certificate = [
            number(CKA_CLASS, CKO_CERTIFICATE),
            number(CKA_CERTIFICATE_TYPE, CKC_X_509),
            bytes(CKA_SUBJECT, label.as_bytes()),
            bytes(CKA_VALUE, &der),
        ];
        hsm.create(&joined(&named(label), &certificate))
    }));
    made.extend(others("data", CKO_DATA, |label| {
        let note = label.repeat(20);
        let data = [number(CKA_CLASS, CKO_DATA), yes(CKA_PRIVATE), bytes(CKA_VALUE, note.as_bytes())];
        hsm.create(&joined(&data, &[yes(CKA_TOKEN), bytes(CKA_LABEL, label.as_bytes())]))
    }));
    made
}

/// Fails unless the object is here what it is there.
fn prove(hsm: &Hsm, moved: &Moved, Theirs(kind, class, label, theirs): &Theirs, public: CK_OBJECT_HANDLE) {
    let mut different = differences(hsm, moved, *theirs, *class, label);
    // Computed here, and never by SoftHSM.
    different.retain(|one| !one.ends_with("CKA_PUBLIC_KEY_INFO"));
    assert!(different.is_empty(), "{different:?}");

    let signed = |mechanism, message: &[u8]| hsm.run(Do::Sign, &plain(mechanism), *theirs, message).unwrap();
    let sign = |id, message| moved.sign(id, label, ObjectClass(*class), message);
    let encrypted = |mechanism| hsm.run(Do::Encrypt, &plain(mechanism), *theirs, MESSAGE).unwrap();
    match (*kind, *class) {
        ("rsa", CKO_PRIVATE_KEY) => {
            let signature = sign(M::SHA256_RSA_PKCS, MESSAGE);
            assert!(signature == signed(CKM_SHA256_RSA_PKCS, MESSAGE), "{label}");
            moved.verify(M::SHA256_RSA_PKCS, label, MESSAGE, &signature);
        }
        ("ed25519", CKO_PRIVATE_KEY) => {
            let signature = sign(M::EDDSA, MESSAGE);
            assert!(signature == signed(CKM_EDDSA, MESSAGE), "{label}");
            moved.verify(M::EDDSA, label, MESSAGE, &signature);
        }
        ("ec", CKO_PRIVATE_KEY) => {
            assert_eq!(hsm.verify(&plain(CKM_ECDSA), public, MESSAGE, &sign(M::ECDSA, MESSAGE)), CKR_OK, "{label}");
            moved.verify(M::ECDSA, label, MESSAGE, &signed(CKM_ECDSA, MESSAGE));
        }
        ("dsa", CKO_PRIVATE_KEY) => {
            let digest = &MESSAGE[..20];
            assert_eq!(hsm.verify(&plain(CKM_DSA), public, digest, &sign(M::DSA, digest)), CKR_OK, "{label}");
            moved.verify(M::DSA, label, digest, &signed(CKM_DSA, digest));
        }
        ("dh", CKO_PRIVATE_KEY) => {
            let value = hsm.get(public, CKA_VALUE).unwrap();
            let secret = agreed(hsm, *theirs, &hsm::with(CKM_DH_PKCS_DERIVE, &value));
            assert!(moved.agree(M::DH_PKCS_DERIVE, label, Params::PublicValue(value)) == secret, "{label}");
        }
        ("aes", _) => assert!(moved.encrypt(M::AES_ECB, label, MESSAGE) == encrypted(CKM_AES_ECB), "{label}"),
        ("des3", _) => assert!(moved.encrypt(M::DES3_ECB, label, MESSAGE) == encrypted(CKM_DES3_ECB), "{label}"),
        ("generic", _) => assert!(sign(M::SHA256_HMAC, MESSAGE) == signed(CKM_SHA256_HMAC, MESSAGE), "{label}"),
        // Of a public key, its attributes and what it verifies for the private one; of what is no key, all attributes.
        (_, CKO_PUBLIC_KEY | CKO_CERTIFICATE | CKO_DATA) => {}
        (kind, class) => panic!("nothing proves a {kind} of class {class}"),
    }
}

#[test]
fn of_a_thousand_objects_each_is_what_it_was() {
    let store = Store::new("thousand");
    let (hsm, conf, tokens) = softhsm(&store);
    let made = fill(&hsm);
    assert_eq!(made.len(), 1000);

    let before = files(tokens.path());
    let migrate = ["--json", "migrate", "softhsm", "--from", &conf, "--pin", "env:PIN", "--so-pin", "env:SO_PIN"];
    let told: Json = serde_json::from_str(&said(&store.run(&migrate))).unwrap();
    assert!(files(tokens.path()) == before, "SoftHSM's files are as they were");
    let token = &told["data"]["tokens"][0];
    let counts: Vec<_> = token["objects"].as_object().unwrap().values().collect();
    assert_eq!(counts.len(), 15, "{counts:?}");
    assert!(counts.iter().all(|count| count["before"] == count["after"]), "{counts:?}");
    assert_eq!(counts.iter().map(|count| count["after"].as_u64().unwrap()).sum::<u64>(), 1000);

    let engine = store.engine();
    let session = engine.open_session(SlotId(token["slot"].as_u64().unwrap()), Access::ReadWrite).unwrap();
    engine.login(session, User::User, hsm::USER_PIN).unwrap();
    let moved = Moved { engine, session };
    let mut public = 0;
    for theirs in &made {
        if theirs.1 == CKO_PUBLIC_KEY {
            public = theirs.3;
        }
        prove(&hsm, &moved, theirs, public);
    }
}
