//! A token of SoftHSM that was moved here, and what both say of it.
#![allow(dead_code)] // Each file uses what it needs.

#[allow(dead_code, unused_macros, unused_imports)] // Cases of the comparison use what is not used here.
#[path = "../../../../softhsm-compat/cases/hsm.rs"]
pub(crate) mod hsm;

use std::{collections::BTreeMap, env, fs, path::Path};

use cryptoki_sys::*;
use engine::{Engine, Error};
use types::{AttributeType as A, Mechanism, MechanismType as M, ObjectClass, ObjectHandle, Output, OutputResult};
use types::{Params, SessionHandle, Value};

use crate::store::Store;
use hsm::{Attribute, Hsm, bytes, no, number, yes};

pub(crate) const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub(crate) const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
pub(crate) const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// The 2048-bit group of RFC 3526.
pub(crate) const MODP: &str = concat!(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd",
    "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed",
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f",
    "83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b",
    "e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510",
    "15728e5a8aacaa68ffffffffffffffff",
);
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

pub(crate) fn named(label: &str) -> Vec<Attribute> {
    vec![yes(CKA_TOKEN), bytes(CKA_LABEL, label.as_bytes()), bytes(CKA_ID, label.as_bytes())]
}

/// Every file below with its bytes.
pub(crate) fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            found.insert(entry.display().to_string(), fs::read(&entry).unwrap());
        }
    }
    found
}

/// A value as C gives it.
pub(crate) fn raw(value: &Value) -> Vec<u8> {
    match value {
        Value::Flag(flag) => vec![u8::from(*flag)],
        Value::Number(number) => number.to_ne_bytes().to_vec(),
        Value::Numbers(numbers) => numbers.iter().flat_map(|number| number.to_ne_bytes()).collect(),
        Value::Date(date) => date.map_or(Vec::new(), |date| date.0.to_vec()),
        Value::Bytes(bytes) => bytes.expose().to_vec(),
        Value::Template(_) => panic!("C gives pointers"),
    }
}

/// The migrated token.
pub(crate) struct Moved {
    pub(crate) engine: Engine,
    pub(crate) session: SessionHandle,
}

impl Moved {
    pub(crate) fn find(&self, class: ObjectClass, label: &str) -> ObjectHandle {
        let wanted = vec![(A::CLASS, Value::Number(class.0)), (A::LABEL, Value::bytes(label))];
        self.engine.find_init(self.session, wanted).unwrap();
        let found = self.engine.find(self.session, 2).unwrap();
        self.engine.find_final(self.session).unwrap();
        assert_eq!(found.len(), 1, "{label}");
        found[0]
    }

    pub(crate) fn sign(&self, id: M, label: &str, class: ObjectClass, message: &[u8]) -> Vec<u8> {
        let key = self.find(class, label);
        self.engine.sign_init(self.session, &Mechanism { id, params: Params::None }, key).unwrap();
        let mut out = vec![0; 1024];
        let OutputResult::Written(len) = self.engine.sign(self.session, message, Output::Buffer(&mut out)).unwrap()
        else {
            panic!("{label}")
        };
        out.truncate(len);
        out
    }

    /// Fails unless a public key verifies the signature.
    pub(crate) fn verify(&self, id: M, label: &str, message: &[u8], signature: &[u8]) {
        let key = self.find(ObjectClass::PUBLIC_KEY, label);
        self.engine.verify_init(self.session, &Mechanism { id, params: Params::None }, key).unwrap();
        self.engine.verify(self.session, message, signature).unwrap_or_else(|why| panic!("{label}: {why}"));
    }

    pub(crate) fn encrypt(&self, id: M, label: &str, message: &[u8]) -> Vec<u8> {
        let key = self.find(ObjectClass::SECRET_KEY, label);
        self.engine.encrypt_init(self.session, &Mechanism { id, params: Params::None }, key).unwrap();
        let mut out = vec![0; 1024];
        let written = self.engine.encrypt(self.session, message, Output::Buffer(&mut out)).unwrap();
        let OutputResult::Written(len) = written else { panic!("{label}") };
        out.truncate(len);
        out
    }

    /// A secret that the key agrees on with its own public half.
    pub(crate) fn agree(&self, id: M, label: &str, params: Params) -> Vec<u8> {
        let key = self.find(ObjectClass::PRIVATE_KEY, label);
        let template = vec![
            (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
            (A::KEY_TYPE, Value::Number(types::KeyType::GENERIC_SECRET.0)),
            (A::VALUE_LEN, Value::Number(32)),
            (A::SENSITIVE, Value::Flag(false)),
            (A::EXTRACTABLE, Value::Flag(true)),
        ];
        let made = self.engine.derive_key(self.session, &Mechanism { id, params }, key, template).unwrap();
        let view = self.engine.object(self.session, made).unwrap();
        view.attribute(A::VALUE).unwrap().as_bytes().unwrap().to_vec()
    }
}

/// SoftHSM with a token named "case" that has both PINs, and a session of its user; and its configuration. It is one for a
/// process, and takes that from the environment: a file has one test with it.
/// Its tokens are in memory if that is to be had: it writes each file many times, and a disk is slow at that.
pub(crate) fn softhsm(store: &Store) -> (Hsm, String, tempfile::TempDir) {
    let memory = Path::new("/dev/shm");
    let tokens = tempfile::tempdir_in(if memory.is_dir() { memory } else { &store.0 }).unwrap();
    let conf = store.0.join("softhsm2.conf");
    fs::write(&conf, format!("directories.tokendir = {}\n", tokens.path().display())).unwrap();
    // SAFETY: this is the only test of its process, and no thread of it reads the environment.
    unsafe { env::set_var("SOFTHSM2_CONF", &conf) };
    let mut hsm = Hsm::load(Path::new(SOFTHSM), fs::File::create(store.0.join("said")).unwrap());
    hsm.user();
    (hsm, conf.to_str().unwrap().to_owned(), tokens)
}

/// Every attribute that SoftHSM tells of an object and that is another here.
pub(crate) fn differences(
    hsm: &Hsm,
    moved: &Moved,
    theirs: CK_OBJECT_HANDLE,
    class: CK_ULONG,
    label: &str,
) -> Vec<String> {
    let class = ObjectClass(class);
    let view = moved.engine.object(moved.session, moved.find(class, label)).unwrap();
    let (mut found, mut told) = (Vec::new(), 0);
    for (name, _) in A::ALL {
        let here = view.attribute(*name);
        let same = match hsm.get(theirs, name.0) {
            Ok(value) => {
                told += 1;
                here.is_ok_and(|here| match here {
                    // Pointers stand in it: its length will do here.
                    Value::Template(inner) => inner.len() * size_of::<CK_ATTRIBUTE>() == value.len(),
                    other => raw(other) == value,
                })
            }
            Err(CKR_ATTRIBUTE_SENSITIVE) => here == Err(Error::AttributeSensitive(*name)),
            // SoftHSM does not have it, and this one may.
            Err(CKR_ATTRIBUTE_TYPE_INVALID) => true,
            Err(_) => false,
        };
        if !same {
            found.push(format!("{class} {label} {name}"));
        }
    }
    assert!(told > 8, "{label}");
    found
}

/// The secret that a private key of SoftHSM agrees on.
pub(crate) fn agreed(hsm: &Hsm, private: CK_OBJECT_HANDLE, mechanism: &hsm::Mechanism) -> Vec<u8> {
    let template = [
        number(CKA_CLASS, CKO_SECRET_KEY),
        number(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
        number(CKA_VALUE_LEN, 32),
        no(CKA_TOKEN),
        no(CKA_SENSITIVE),
        yes(CKA_EXTRACTABLE),
    ];
    let made = hsm.derive(mechanism, private, &template).map_err(hsm::name).unwrap();
    hsm.get(made, CKA_VALUE).unwrap()
}
