//! An old token file in the place of the new one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod raw;

use std::{
    fs,
    path::{Path, PathBuf},
    ptr,
};

use cryptoki_sys::*;
use raw::Module;

/// The token's files: everything in the store but the state directory.
fn files(store: &Path) -> Vec<PathBuf> {
    fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

fn save(store: &Path, backup: &Path) {
    fs::create_dir_all(backup).unwrap();
    for file in files(store) {
        fs::copy(&file, backup.join(file.file_name().unwrap())).unwrap();
    }
}

fn restore(store: &Path, backup: &Path) {
    files(store).iter().for_each(|file| fs::remove_file(file).unwrap());
    for file in files(backup) {
        fs::copy(&file, store.join(file.file_name().unwrap())).unwrap();
    }
}

fn initialize() {
    assert_eq!(p11!(C_Initialize(ptr::null_mut())), CKR_OK);
}

fn finalize() {
    assert_eq!(p11!(C_Finalize(ptr::null_mut())), CKR_OK);
}

fn login(module: &Module) -> CK_RV {
    let session = raw::open(module.slot, raw::WRITABLE);
    let rv = raw::login(session, CKU_USER, raw::USER_PIN);
    assert_eq!(p11!(C_CloseSession(session)), CKR_OK);
    rv
}

fn commit(module: &Module) {
    let session = module.session();
    raw::token_key(session);
    assert_eq!(p11!(C_CloseSession(session)), CKR_OK);
}

#[test]
fn an_older_token_file_is_noticed_by_the_next_process_and_accepted_on_purpose_only() {
    let module = Module::new();
    let (store, backup) = (module.turn.store.clone(), module.turn.store.join("state/backup"));
    commit(&module);
    finalize();
    save(&store, &backup);

    initialize();
    commit(&module);
    finalize();
    restore(&store, &backup);

    for _ in 0..2 {
        // A finalised and initialised module knows nothing of before: as a new process does not.
        initialize();
        assert_eq!(login(&module), CKR_DEVICE_ERROR, "somebody has put an old file back");
        finalize();
    }
    let engine = engine::Engine::new(engine::Settings::load());
    let slot = types::SlotId(module.slot);
    assert!(engine.accept_rollback(slot, b"wrong-pin").is_err(), "not without the officer");
    engine.accept_rollback(slot, raw::OFFICER_PIN).unwrap();
    drop(engine);
    initialize();
    assert_eq!(login(&module), CKR_OK);
    commit(&module);
    assert_eq!(login(&module), CKR_OK);
}

#[test]
fn a_copy_that_was_put_back_and_gone_on_with_is_noticed_too() {
    let module = Module::new();
    let (store, backup) = (module.turn.store.clone(), module.turn.store.join("state/backup"));
    finalize();
    save(&store, &backup);
    initialize();
    commit(&module);
    finalize();
    let ours = module.turn.store.join("state/ours");
    save(&store, &ours);
    // Somebody elsewhere commits to the copy, so that it has the same revision.
    restore(&store, &backup);
    let state = store.join("state");
    // SAFETY: the turn is ours, and nobody else looks at the environment.
    unsafe { std::env::set_var("STRONGROOM_STATE", store.join("state/elsewhere")) };
    initialize();
    commit(&module);
    finalize();
    // SAFETY: as above.
    unsafe { std::env::set_var("STRONGROOM_STATE", &state) };
    initialize();
    assert_eq!(login(&module), CKR_DEVICE_ERROR, "another state with the same number");
    finalize();
    restore(&store, &ours);
    initialize();
    assert_eq!(login(&module), CKR_OK, "ours is the one that was seen");
}

#[test]
fn a_process_that_logs_out_late_does_not_take_back_what_another_has_seen() {
    let module = Module::new();
    let (store, backup) = (module.turn.store.clone(), module.turn.store.join("state/backup"));
    // This process is the late one: it logs in now, and out when another has committed.
    let session = module.session();
    let other = engine::Engine::new(engine::Settings::load());
    let slot = types::SlotId(module.slot);
    let theirs = other.open_session(slot, engine::Access::ReadWrite).unwrap();
    other.login(theirs, engine::User::User, raw::USER_PIN).unwrap();
    let object = |label: u8| {
        let text = types::Value::bytes([label]);
        vec![
            (types::AttributeType::CLASS, types::Value::Number(types::ObjectClass::DATA.0)),
            (types::AttributeType::TOKEN, types::Value::Flag(true)),
            (types::AttributeType::LABEL, text),
        ]
    };
    other.create_object(theirs, object(1)).unwrap();
    save(&store, &backup);
    other.create_object(theirs, object(2)).unwrap();
    other.finalize();
    assert_eq!(p11!(C_CloseSession(session)), CKR_OK);
    finalize();
    drop(other);
    restore(&store, &backup);
    initialize();
    assert_eq!(login(&module), CKR_DEVICE_ERROR);
}

#[test]
fn a_log_that_was_cut_is_noticed() {
    let module = Module::new();
    let store = module.turn.store.clone();
    // What is there so far goes into the token file.
    finalize();
    initialize();
    commit(&module);
    // The log has the last commits while the token is open. A process that dies leaves it behind.
    let backup = store.join("state/open");
    save(&store, &backup);
    finalize();
    restore(&store, &backup);
    let log = files(&store).into_iter().find(|file| file.to_string_lossy().ends_with("-wal")).unwrap();
    assert!(fs::metadata(&log).unwrap().len() > 0, "the log is in use");
    initialize();
    assert_eq!(login(&module), CKR_OK, "a whole log is read");
    finalize();

    restore(&store, &backup);
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(100).unwrap();
    initialize();
    assert_eq!(login(&module), CKR_DEVICE_ERROR);
}
