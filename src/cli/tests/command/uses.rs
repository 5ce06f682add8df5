//! `strongroom audit uses`: uses of keys are written down, and every change of what was written is found.

use std::{fs, path::PathBuf, process::Output};

use engine::{Access, KeyState, User};
use rusqlite::Connection;
use serde_json::Value as Json;
use types::{AttributeType, Mechanism, MechanismType, ObjectClass, Output as Room, Params, SlotId, Value};

use crate::store::{PIN, Store, promised, refused, said, text};

fn run(store: &Store, arguments: &[&str]) -> Output {
    store.run(&[arguments, &["--pin", "env:PIN"]].concat())
}

fn json(output: &Output) -> Json {
    serde_json::from_str::<Json>(&said(output)).unwrap()["data"].clone()
}

/// A token that writes each use down, with two keys of which the first was used three times and the second once.
fn used(name: &str) -> Store {
    let store = Store::new(name);
    let rules = ["token", "set", "--use-audit", "each", "--so-pin", "env:SO_PIN"];
    assert!(said(&store.run(&rules)).contains("use audit each"));
    for key in ["payroll", "other"] {
        said(&run(&store, &["key", "create", key, "--kind", "hmac-sha256"]));
    }
    let file = store.0.join("message");
    fs::write(&file, "a message").unwrap();
    for key in ["payroll", "other", "payroll", "payroll"] {
        said(&run(&store, &["mac", key, file.to_str().unwrap()]));
    }
    store
}

/// The file with the uses.
fn book(store: &Store) -> PathBuf {
    let mut files = fs::read_dir(store.state()).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "uses")).unwrap()
}

#[test]
fn uses_are_listed_by_key_with_who_used_them_and_when() {
    let store = used("uses-list");
    let listed = json(&run(&store, &["--json", "audit", "uses", "list"]));
    let uses = listed["uses"].as_array().unwrap();
    assert_eq!(uses.len(), 2, "{listed}");
    for field in promised("audit uses list") {
        assert!(field == "uses" || uses[0].get(&field).is_some(), "{field}");
    }
    let of = |label: &str| uses.iter().find(|one| one["label"] == label).unwrap();
    assert_eq!((&of("payroll")["uses"], &of("other")["uses"]), (&Json::from(3), &Json::from(1)));
    assert_eq!((&of("other")["operation"], &of("other")["program"]), (&"sign".into(), &"strongroom".into()));
    let one = said(&run(&store, &["audit", "uses", "list", "--key", "payroll"]));
    assert!(
        one.starts_with("payroll  sign  CKM_SHA256_HMAC  3 ×  strongroom (user)  ") && one.lines().count() == 1,
        "{one}"
    );
    let last = said(&run(&store, &["audit", "uses", "of", "payroll", "--last", "2"]));
    let numbers: Vec<&str> = last.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(numbers, ["4", "3"], "{last}");
    assert!(said(&run(&store, &["audit", "uses", "of", "nobody"])).contains("no use of 'nobody'"));
    assert!(said(&run(&store, &["audit", "uses", "verify"])).contains("all 4 entries"));
}

#[test]
fn what_older_versions_have_done_and_a_deleted_key_is_found_by_the_name_of_the_key() {
    let store = used("uses-versions");
    let message = store.0.join("message");
    let message = message.to_str().unwrap();
    said(&store.run(&["token", "set", "--deletion-days", "30", "--so-pin", "env:SO_PIN"]));
    said(&run(&store, &["key", "rotate", "payroll"]));
    said(&run(&store, &["mac", "payroll", message]));
    said(&run(&store, &["key", "rotate", "payroll"]));
    said(&run(&store, &["mac", "payroll", message]));
    // A program may say that somebody else has an older version, too.
    let engine = store.engine();
    let session = engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
    engine.login(session, User::User, PIN.as_bytes()).unwrap();
    let retired = (AttributeType::SR_KEY_STATE, KeyState::Retired.value());
    engine.find_init(session, vec![retired, (AttributeType::SR_KEY_VERSION, Value::Number(2))]).unwrap();
    let second = engine.find(session, 2).unwrap()[0];
    let compromised = vec![(AttributeType::SR_KEY_STATE, KeyState::Compromised.value())];
    engine.set_attributes(session, second, compromised).unwrap();
    drop(engine);
    said(&run(&store, &["key", "delete", "other", "--yes"]));
    let uses = |name: &str| {
        let listed = json(&run(&store, &["--json", "audit", "uses", "list", "--key", name]));
        let rows = listed["uses"].as_array().unwrap().clone();
        assert!(rows.iter().all(|row| row["label"] == name), "{listed}");
        rows.iter().map(|row| row["uses"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let mut versions = uses("payroll");
    versions.sort_unstable();
    assert_eq!((versions, uses("other")), (vec![1, 1, 3], vec![1]));
    assert_eq!(said(&run(&store, &["audit", "uses", "of", "payroll"])).lines().count(), 5);
    let nobody = said(&run(&store, &["audit", "uses", "list", "--key", "nobody"]));
    assert_eq!(nobody, "no use of 'nobody' was written down\n");
}

#[test]
fn a_token_without_the_rule_says_how_to_have_it() {
    let store = Store::new("uses-none");
    assert!(said(&run(&store, &["audit", "uses", "list"])).contains("--use-audit counted"));
    assert!(said(&run(&store, &["audit", "uses", "verify"])).contains("no use was written down"));
    let wrong = ["token", "set", "--use-audit", "always", "--so-pin", "env:SO_PIN"];
    assert_eq!(refused(&store.run(&wrong)).0, 2);
}

#[test]
fn each_change_of_the_book_is_found_and_the_first_bad_entry_named() {
    let changes = [
        ("UPDATE entry SET text = replace(text, 'strongroom', 'somebody') WHERE number = 2", "entry 4"),
        ("UPDATE entry SET text = replace(text, '\"n\":2', '\"n\":7') WHERE number = 2", "entry 2"),
        ("DELETE FROM entry WHERE number = 2", "entry 2"),
        ("DELETE FROM entry WHERE number = 4", "entry 4"),
        (
            "INSERT INTO entry SELECT 5, key, replace(text, '\"n\":4', '\"n\":5') FROM entry WHERE number = 4; UPDATE head SET entries = 5",
            "",
        ),
        (
            "UPDATE entry SET number = -2 WHERE number = 2; UPDATE entry SET number = 2 WHERE number = 3; UPDATE entry SET number = 3 WHERE number = -2",
            "entry 2",
        ),
        ("UPDATE entry SET key = (SELECT key FROM entry WHERE number = 2) WHERE number = 1", "entry 1"),
        ("UPDATE total SET uses = uses - 1 WHERE uses = 3", "entry 4"),
        ("DELETE FROM total WHERE uses = 1", "entry 4"),
        ("INSERT INTO entry SELECT 5, key, replace(text, '\"n\":4', '\"n\":5') FROM entry WHERE number = 4", "entry 5"),
        ("UPDATE total SET last = last + 1", "entry 4"),
        ("UPDATE head SET bytes = zeroblob(104)", ""),
        ("UPDATE head SET entries = 3; DELETE FROM entry WHERE number = 4", ""),
    ];
    let store = used("uses-tamper");
    let book = book(&store);
    let kept = fs::read(&book).unwrap();
    for (change, first) in changes {
        let connection = Connection::open(&book).unwrap();
        connection.execute_batch(change).unwrap();
        connection.close().unwrap();
        let output = run(&store, &["audit", "uses", "verify"]);
        assert!(!output.status.success(), "{change}: {output:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        let wanted = if first.is_empty() { "somebody has changed what was written down of uses" } else { first };
        assert!(said.contains(wanted), "{change}: {said}");
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", book.display()));
        }
        fs::write(&book, &kept).unwrap();
    }
    assert!(said(&run(&store, &["audit", "uses", "verify"])).contains("all 4 entries"));
}

#[test]
fn an_export_of_uses_is_verified_with_the_public_key_alone() {
    let store = used("uses-export");
    let [file, key] = ["uses.jsonl", "audit.pem"].map(|name| store.0.join(name));
    let [file_name, key_name] = [&file, &key].map(|path| path.to_str().unwrap());
    fs::write(&key, said(&run(&store, &["audit", "key"]))).unwrap();
    said(&run(&store, &["audit", "uses", "export", "--out", file_name]));
    let verify = ["audit", "uses", "verify", file_name, "--public-key", key_name];
    assert!(said(&store.run(&verify)).contains("all 4 entries"));
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    assert_eq!(lines.len(), 5);
    let wrong = [
        (lines[..4].join("\n"), "entry 5"),
        (whole.replace("\"uses\":1", "\"uses\":2"), "entry 4"),
        ([lines[0], lines[2], lines[3], lines[4]].join("\n"), "entry 2"),
        ([lines[0], lines[1], lines[2], lines[4]].join("\n"), "entry 4"),
        (whole.clone() + lines[0], "entry 5"),
        (whole.replace("\"signature\":\"", "\"signature\":\"00"), "entry 4"),
    ];
    for (text_of, first) in wrong {
        fs::write(&file, &text_of).unwrap();
        let output = store.run(&verify);
        assert!(!output.status.success() && text(&output.stdout).contains(first), "{first}: {output:?}");
    }
}

#[test]
fn a_forced_token_does_nothing_that_it_cannot_write_down() {
    let store = used("uses-forced");
    let rules = ["token", "set", "--use-audit", "forced", "--so-pin", "env:SO_PIN"];
    said(&store.run(&rules));
    let book = book(&store);
    fs::write(&book, "no database").unwrap();
    let message = store.0.join("message");
    let (code, why) = refused(&run(&store, &["mac", "payroll", message.to_str().unwrap()]));
    assert!(why.contains("may not happen without") && why.contains("CKR_DEVICE_ERROR"), "{code} {why}");
    let alarms = said(&store.run(&["alarms"]));
    assert!(
        alarms.contains("could not be written down by strongroom") && alarms.contains("1 uses of keys"),
        "{alarms}"
    );
    fs::remove_file(&book).unwrap();
    said(&run(&store, &["mac", "payroll", message.to_str().unwrap()]));
    let entries = said(&run(&store, &["audit", "uses", "of", "payroll"]));
    assert_eq!(entries.lines().count(), 1, "a new book: {entries}");
}

#[test]
fn a_book_that_goes_back_under_a_program_is_noticed_by_it() {
    let store = used("uses-back");
    let engine = store.engine();
    let session = engine.open_session(SlotId(0), Access::ReadOnly).unwrap();
    engine.login(session, User::User, PIN.as_bytes()).unwrap();
    let class = (AttributeType::CLASS, Value::Number(ObjectClass::SECRET_KEY.0));
    engine.find_init(session, vec![class]).unwrap();
    let key = engine.find(session, 1).unwrap()[0];
    engine.find_final(session).unwrap();
    let mechanism = Mechanism { id: MechanismType::SHA256_HMAC, params: Params::None };
    let sign = || {
        engine.sign_init(session, &mechanism, key).unwrap();
        engine.sign(session, b"x", Room::Buffer(&mut [0; 32])).unwrap();
        engine.uses(session, &mut |_, _| {}).unwrap().unwrap().map(|head| head.entries)
    };
    let book = book(&store);
    let older = fs::read(&book).unwrap();
    assert_eq!(sign(), Some(5));
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", book.display()));
    }
    fs::write(&book, older).unwrap();
    sign();
    let alarms = engine.alarms().unwrap();
    assert!(
        alarms.iter().any(|line| line.contains("uses-not-written") && line.contains("somebody has changed")),
        "{alarms:?}"
    );
}

#[test]
fn a_checkpoint_names_the_end_of_the_book_and_an_older_or_missing_one_is_seen_by_it() {
    let store = used("uses-checkpoint");
    let sign = |times: usize| {
        let file = store.0.join("message");
        (0..times).for_each(|_| drop(said(&run(&store, &["mac", "payroll", file.to_str().unwrap()]))));
    };
    let older = fs::read(book(&store)).unwrap();
    sign(2);
    said(&run(&store, &["audit", "checkpoint"]));
    sign(1);

    let verified = said(&run(&store, &["audit", "uses", "verify"]));
    assert!(verified.contains("all 7 entries") && verified.contains("up to entry 6 checkpoint"), "{verified}");
    let told = json(&run(&store, &["--json", "audit", "uses", "verify"]));
    assert_eq!((&told["checkpoint"]["entries"], &told["checkpoint"]["agrees"]), (&Json::from(6), &Json::from(true)));
    // The audit itself is whole, with what the checkpoint says.
    said(&run(&store, &["audit", "verify"]));

    // What was there before the checkpoint is signed by the token, and too old all the same.
    fs::write(book(&store), &older).unwrap();
    let output = run(&store, &["audit", "uses", "verify"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stdout).contains("older one: checkpoint"), "{output:?}");
    assert!(text(&output.stdout).contains("names 6 entries"), "{output:?}");
    // Nor does it pass once it was signed again.
    said(&run(&store, &["audit", "checkpoint"]));
    let output = run(&store, &["audit", "uses", "verify"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stdout).contains("names 6 entries"), "{output:?}");

    fs::remove_file(book(&store)).unwrap();
    sign(1);
    let verified = said(&run(&store, &["audit", "uses", "verify"]));
    assert!(verified.contains("all 1 entries") && verified.contains("another book"), "{verified}");
    let told = json(&run(&store, &["--json", "audit", "uses", "verify"]));
    assert!(told["checkpoint"]["agrees"].is_null() && told["checkpoint"]["book"] != told["book"], "{told}");
}

#[test]
fn a_wish_to_encrypt_for_a_disabled_key_is_refused_and_written_down() {
    let store = used("uses-disabled");
    said(&run(&store, &["key", "create", "sealed", "--kind", "aes-256"]));
    said(&run(&store, &["key", "disable", "sealed"]));
    let file = store.0.join("message");
    let out = store.0.join("out").display().to_string();
    let (code, why) = refused(&run(&store, &["encrypt", "sealed", file.to_str().unwrap(), "--out", &out]));
    assert!(code == 5 && !fs::exists(&out).unwrap(), "{code} {why}");
    let listed = said(&run(&store, &["audit", "uses", "list", "--key", "sealed"]));
    assert!(listed.starts_with("sealed  encrypt denied  CKM_AES_GCM  1 ×"), "{listed}");
}
