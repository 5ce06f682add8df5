//! The module from outside, as a Rust program uses it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::Mechanism,
    object::{Attribute, AttributeType},
    session::{Session, UserType},
    types::AuthPin,
};

/// The module keeps its settings in the environment, so one test at a time has it.
static ONE: Mutex<()> = Mutex::new(());

struct Fixture {
    module: Pkcs11,
    directory: PathBuf,
    _one: MutexGuard<'static, ()>,
}

fn module_path() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.with_file_name("libstrongroom.so")
}

fn pin(text: &str) -> AuthPin {
    AuthPin::new(text.into())
}

impl Fixture {
    fn new() -> Self {
        let one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("strongroom-module-{}-{count}", std::process::id()));
        // SAFETY: the other tests wait, and nobody else in this process looks at the environment.
        unsafe {
            std::env::set_var("STRONGROOM_STORE", &directory);
            std::env::set_var("STRONGROOM_STATE", directory.join("state"));
        }
        let module = Pkcs11::new(module_path()).unwrap();
        module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let slot = module.get_all_slots().unwrap()[0];
        module.init_token(slot, &pin("so-pin"), "test").unwrap();
        let session = module.open_rw_session(slot).unwrap();
        session.login(UserType::So, Some(&pin("so-pin"))).unwrap();
        session.init_pin(&pin("user-pin")).unwrap();
        drop(session);
        Self { module, directory, _one: one }
    }

    fn session(&self) -> Session {
        let session = self.module.open_rw_session(self.module.get_all_slots().unwrap()[0]).unwrap();
        session.login(UserType::User, Some(&pin("user-pin"))).unwrap();
        session
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.module.clone().finalize();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> RvError {
    match result {
        Err(Error::Pkcs11(code, _)) => code,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_key_pair_that_is_kept_signs_after_the_session_has_ended() {
    let fixture = Fixture::new();
    let template = [Attribute::Token(true), Attribute::Label(b"kept".to_vec())];
    let p256 = vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let public = [&template[..], &[Attribute::EcParams(p256), Attribute::Verify(true)]].concat();
    fixture.session().generate_key_pair(&Mechanism::EccKeyPairGen, &public, &template).unwrap();

    let session = fixture.session();
    let found = session.find_objects(&[Attribute::Label(b"kept".to_vec())]).unwrap();
    assert_eq!(found.len(), 2);
    let of = |sign: bool| {
        let wanted = if sign { Attribute::Sign(true) } else { Attribute::Verify(true) };
        session.find_objects(&[Attribute::Label(b"kept".to_vec()), wanted]).unwrap()[0]
    };
    let signature = session.sign(&Mechanism::EcdsaSha256, of(true), b"message").unwrap();
    session.verify(&Mechanism::EcdsaSha256, of(false), b"message", &signature).unwrap();
    let wrong = session.verify(&Mechanism::EcdsaSha256, of(false), b"massage", &signature);
    assert_eq!(code(wrong), RvError::SignatureInvalid);
    let ids = |key| session.get_attributes(key, &[AttributeType::Id]).unwrap();
    assert_eq!(format!("{:?}", ids(of(true))), format!("{:?}", ids(of(false))), "a pair has one CKA_ID");
}

#[test]
fn a_wrong_pin_is_counted_and_locks_at_the_tenth() {
    let fixture = Fixture::new();
    let session = fixture.module.open_rw_session(fixture.module.get_all_slots().unwrap()[0]).unwrap();
    for _ in 0..9 {
        assert_eq!(code(session.login(UserType::User, Some(&pin("wrong")))), RvError::PinIncorrect);
    }
    assert_eq!(code(session.login(UserType::User, Some(&pin("wrong")))), RvError::PinLocked);
    assert_eq!(code(session.login(UserType::User, Some(&pin("user-pin")))), RvError::PinLocked, "the right one too");
    session.login(UserType::So, Some(&pin("so-pin"))).unwrap();
    session.init_pin(&pin("new-pin")).unwrap();
    session.logout().unwrap();
    session.login(UserType::User, Some(&pin("new-pin"))).unwrap();
}

#[test]
fn private_objects_are_there_for_the_user_alone() {
    let fixture = Fixture::new();
    let session = fixture.session();
    let template = [Attribute::Token(true), Attribute::ValueLen(32.into()), Attribute::Label(b"aes".to_vec())];
    let key = session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
    let read = session.get_attributes(key, &[AttributeType::Value]).unwrap();
    assert!(read.is_empty(), "a sensitive value is not told");
    session.logout().unwrap();
    assert!(session.find_objects(&[]).unwrap().is_empty());
    let encrypted = session.encrypt(&Mechanism::AesEcb, key, &[0; 16]);
    assert_eq!(code(encrypted), RvError::KeyHandleInvalid, "a handle does not outlive the login");
}
