//! Tokens of each release are opened by this one. `tests/tokens` has a directory for each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
};

use engine::{Access, Engine, Settings, User};
use types::{AttributeType as A, KeyType, Mechanism, MechanismType, ObjectClass, Output, Params, SlotId, Value};

const SO_PIN: &[u8] = b"officer-pin";
const PIN: &[u8] = b"user-pin";

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokens")
}

fn engine(store: &Path) -> Engine {
    let settings = Settings { store: store.to_owned(), state: store.join("state"), ..Settings::load() };
    Engine::new(settings)
}

fn scratch(name: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("strongroom-tokens-{}-{name}", process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn the_tokens_of_every_release_are_opened_and_their_keys_work() {
    let mut releases = 0;
    for release in fs::read_dir(kept()).unwrap() {
        let release = release.unwrap();
        let store = scratch(&release.file_name().to_string_lossy());
        for file in fs::read_dir(release.path()).unwrap() {
            let file = file.unwrap();
            let copy = store.join(file.file_name());
            fs::copy(file.path(), &copy).unwrap();
            // Whatever a checkout made of it.
            fs::set_permissions(copy, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let engine = engine(&store);
        let session = engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
        engine.login(session, User::User, PIN).unwrap();
        engine.find_init(session, vec![(A::LABEL, Value::bytes(*b"key"))]).unwrap();
        let found = engine.find(session, 10).unwrap();
        assert_eq!(found.len(), 1, "{release:?}");
        let mut out = [0; 16];
        engine
            .encrypt_init(session, &Mechanism { id: MechanismType::AES_ECB, params: Params::None }, found[0])
            .unwrap();
        // FIPS 197, appendix C.1.
        let plain: [u8; 16] = std::array::from_fn(|index| u8::try_from(index).unwrap() * 0x11);
        engine.encrypt(session, &plain, Output::Buffer(&mut out)).unwrap();
        assert_eq!(out[..4], [0x69, 0xc4, 0xe0, 0xd8], "{release:?}");
        engine.check_token(session).map(|report| assert_eq!(report.faults, Vec::<String>::new())).unwrap();
        engine.logout(session).unwrap();
        engine.login(session, User::Officer, SO_PIN).unwrap();
        engine.init_pin(session, b"another-pin").unwrap();
        drop(engine);
        fs::remove_dir_all(&store).unwrap();
        releases += 1;
    }
    assert!(releases > 0);
}

/// The head's clear part in a token file of `tests/tokens/0.1`.
fn token_header() -> Vec<u8> {
    let directory = kept().join("0.1");
    let mut files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let token = files.find(|path| path.extension().is_some_and(|extension| extension == "token")).unwrap();
    let uri = format!("file:{}?immutable=1", token.display());
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let connection = rusqlite::Connection::open_with_flags(uri, flags).unwrap();
    connection.query_row("SELECT clear FROM head", [], |row| row.get(0)).unwrap()
}

#[test]
fn the_example_in_the_description_of_the_format_is_that_of_the_token() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/format.md")).unwrap();
    let hex = text.split("```hex\n").nth(1).unwrap().split("```").next().unwrap();
    let shown: Vec<u8> = hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let header = token_header();
    assert_eq!(header[..shown.len()], shown);
    // Each row of the example, in order, is what the bytes say.
    let mut at = 0;
    let mut take = |len: usize| {
        at += len;
        &shown[at - len..at]
    };
    assert_eq!(take(10), b"STRGROOM\x00\x02");
    assert_eq!(take(10), [0, 1, 0, 0, 0, 4, 0, 0, 0, 1], "the release");
    assert_eq!(take(6), [0x80, 2, 0, 0, 0, 0x48], "the identity");
    assert!(take(16).iter().all(u8::is_ascii_hexdigit), "the serial");
    assert_eq!(take(8), [0, 0, 0, 0, 0, 0, 0, 1], "the epoch");
    take(16);
    assert_eq!(take(32), b"example                         ", "the label");
    assert_eq!(take(6), [0x80, 3, 0, 0, 0, 0x12], "the PINs");
    assert_eq!(take(18), [0, 0, 0, 10, 4, 255, 0, 0, 0x4c, 0, 0, 0, 0, 2, 0, 0, 0, 1]);
    assert_eq!(take(8), [0x80, 4, 0, 0, 0, 2, 1, 1], "the policy");
    assert_eq!(take(2), [0x80, 5], "the officer");
    take(4);
    assert_eq!(take(7), [0, 0, 0, 1, 1, 0, 0], "id, role, no name");
    assert_eq!(shown.len(), at);
}

#[test]
#[ignore = "makes the token of this release: run it once for each, and keep what it makes"]
fn make_the_token_of_this_release() {
    let store = kept().join("0.1");
    fs::create_dir_all(&store).unwrap();
    let engine = engine(&store);
    engine.init_token(SlotId(0), SO_PIN, b"example                         ").unwrap();
    let session = engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
    engine.login(session, User::Officer, SO_PIN).unwrap();
    engine.init_pin(session, PIN).unwrap();
    engine.logout(session).unwrap();
    engine.login(session, User::User, PIN).unwrap();
    let value: Vec<u8> = (0..16).collect();
    let template = vec![
        (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
        (A::KEY_TYPE, Value::Number(KeyType::AES.0)),
        (A::LABEL, Value::bytes(*b"key")),
        (A::VALUE, Value::bytes(value)),
        (A::TOKEN, Value::Flag(true)),
        (A::PRIVATE, Value::Flag(true)),
        (A::ENCRYPT, Value::Flag(true)),
    ];
    engine.create_object(session, template).unwrap();
    engine.finalize();
    drop(engine);
    // What is no part of the token stays behind.
    fs::remove_dir_all(store.join("state")).unwrap();
    for file in fs::read_dir(&store).unwrap().map(|file| file.unwrap().path()) {
        if file.ends_with(".lock") || file.extension().is_some_and(|extension| extension == "seq") {
            fs::remove_file(file).unwrap();
        }
    }
}
