//! The audit of a token whose file somebody has changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod raw;

use std::{
    fs,
    path::{Path, PathBuf},
    ptr,
};

use cryptoki_sys::*;
use engine::{Access, Engine, Settings, User, audit::Verified};
use raw::Module;
use rusqlite::Connection;
use types::SlotId;

/// The file of the only token.
fn token_file(store: &Path) -> PathBuf {
    let mut files = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "token")).unwrap()
}

/// The number of the first entry that is not as it was written.
fn first_broken(slot: CK_SLOT_ID) -> Result<Verified, u64> {
    let engine = Engine::new(Settings::load());
    let session = engine.open_session(SlotId(slot), Access::ReadWrite).unwrap();
    engine.login(session, User::User, raw::USER_PIN).unwrap();
    let found = engine.audit(session, &mut |_| {}).unwrap().map_err(|broken| broken.number);
    engine.finalize();
    found
}

/// What a check of the token finds.
fn faults(slot: CK_SLOT_ID) -> Vec<String> {
    let engine = Engine::new(Settings::load());
    let session = engine.open_session(SlotId(slot), Access::ReadWrite).unwrap();
    engine.login(session, User::User, raw::USER_PIN).unwrap();
    let found = engine.check_token(session).unwrap().faults;
    engine.finalize();
    found
}

/// A token with some entries: initialised, the user's PIN, three keys and a checkpoint.
fn with_entries() -> Module {
    let module = Module::new();
    let session = module.session();
    for _ in 0..3 {
        raw::token_key(session);
    }
    assert_eq!(p11!(C_Finalize(ptr::null_mut())), CKR_OK);
    module
}

#[test]
fn each_change_of_the_log_is_noticed_and_the_first_bad_entry_named() {
    let module = with_entries();
    let file = token_file(&module.turn.store);
    assert_eq!(first_broken(module.slot).map(|verified| verified.entries), Ok(5));
    let (whole, state) = (fs::read(&file).unwrap(), module.turn.store.join("state"));
    let witnesses = module.turn.store.join("witnesses");
    fs::create_dir_all(&witnesses).unwrap();
    for entry in fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        fs::copy(&entry, witnesses.join(entry.file_name().unwrap())).unwrap();
    }
    let changes = [
        (
            "edit",
            "UPDATE log SET entry = CAST(substr(entry, 1, 30) || x'00' || substr(entry, 32) AS BLOB) WHERE number = 3",
            3,
        ),
        ("delete", "DELETE FROM log WHERE number = 2", 2),
        ("cut off", "DELETE FROM log WHERE number > 3", 4),
        ("empty", "DELETE FROM log", 1),
        ("put in", "INSERT INTO log SELECT 6, entry FROM log WHERE number = 4", 6),
        (
            "reorder",
            "UPDATE log SET number = CASE number WHEN 3 THEN -4 WHEN 4 THEN -3 ELSE number END; UPDATE log SET number = abs(number)",
            3,
        ),
        ("repeat", "UPDATE log SET entry = (SELECT entry FROM log WHERE number = 3) WHERE number = 4", 4),
    ];
    for (how, sql, number) in changes {
        let changed = Connection::open(&file).unwrap();
        changed.execute_batch(sql).unwrap();
        changed.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
        drop(changed);
        assert_eq!(first_broken(module.slot), Err(number), "{how}");
        assert!(faults(module.slot).iter().any(|fault| fault.starts_with(&format!("entry {number} of"))), "{how}");
        let restored = Connection::open(&file).unwrap();
        drop(restored);
        fs::write(&file, &whole).unwrap();
        assert!(first_broken(module.slot).is_ok(), "{how}");
    }
}

#[test]
fn nothing_more_is_done_to_a_token_whose_log_was_cut_off() {
    let module = with_entries();
    Connection::open(token_file(&module.turn.store))
        .unwrap()
        .execute_batch("DELETE FROM log WHERE number = 5")
        .unwrap();
    assert_eq!(p11!(C_Initialize(ptr::null_mut())), CKR_OK);
    let session = module.session();
    let (mut mechanism, mut key) = (raw::mechanism(CKM_AES_KEY_GEN), 0);
    let (length, yes): (CK_ULONG, _) = (32, CK_TRUE);
    let mut template = [raw::attribute(CKA_VALUE_LEN, &length), raw::attribute(CKA_TOKEN, &yes)];
    let rv = p11!(C_GenerateKey(session, &raw mut mechanism, template.as_mut_ptr(), 2, &raw mut key));
    assert_eq!(rv, CKR_DEVICE_ERROR, "what would not be written down after the others is not done");
}

#[test]
fn a_token_whose_header_is_damaged_is_made_anew_and_its_log_says_that_it_began_again() {
    let module = with_entries();
    let file = Connection::open(token_file(&module.turn.store)).unwrap();
    file.execute_batch("UPDATE head SET sealed = CAST(substr(sealed, 1, 40) || x'00' || substr(sealed, 42) AS BLOB)")
        .unwrap();
    drop(file);
    let engine = Engine::new(Settings::load());
    let slot = SlotId(module.slot);
    let session = engine.open_session(slot, Access::ReadWrite).unwrap();
    assert!(engine.login(session, User::User, raw::USER_PIN).is_err());
    engine.close_session(session).unwrap();
    engine.init_token(slot, raw::OFFICER_PIN, &[b' '; 32]).unwrap();
    let session = engine.open_session(slot, Access::ReadWrite).unwrap();
    engine.login(session, User::Officer, raw::OFFICER_PIN).unwrap();
    let mut texts = Vec::new();
    let found = engine.audit(session, &mut |entry| texts.push(entry.text.clone())).unwrap();
    assert_eq!((found.map(|found| found.entries), texts.len()), (Ok(1), 1));
    assert!(texts[0].contains("\"entries_lost\":\"somebody has changed the token's header\""), "{texts:?}");
    engine.finalize();
}
