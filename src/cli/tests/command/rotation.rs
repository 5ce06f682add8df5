//! Keys that are to be rotated every so often.

use std::{
    process::Output,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::store::{Store, refused, said, text};
use serde_json::Value;

fn key(store: &Store, arguments: &[&str]) -> Output {
    store.run(&[&["key"], arguments, &["--pin", "env:PIN"]].concat())
}

fn told(store: &Store, arguments: &[&str]) -> Value {
    let answer: Value = serde_json::from_str(&said(&key(store, &[&["--json"], arguments].concat()))).unwrap();
    answer["data"].clone()
}

/// A store with a secret key and a pair, which are due every second, and two keys that are not due.
fn with_due_keys(name: &str) -> Store {
    let store = Store::new(name);
    for (label, kind) in [("records", "aes-256"), ("signer", "p256"), ("later", "aes-128"), ("never", "aes-128")] {
        said(&key(&store, &["create", label, "-k", kind]));
    }
    said(&key(&store, &["rotate", "later", "--every", "90d"]));
    for label in ["records", "signer"] {
        said(&key(&store, &["rotate", label, "--every", "1s"]));
    }
    thread::sleep(Duration::from_secs(2));
    store
}

#[test]
fn a_period_is_shown_with_the_time_when_it_is_over_and_can_be_ended() {
    let store = Store::new("period");
    said(&key(&store, &["create", "records", "-k", "aes-256"]));
    assert!(said(&key(&store, &["show", "records"])).contains("\nrotation     no period\n"));
    assert!(!said(&key(&store, &["list"])).contains("rotation due"));
    let words = said(&key(&store, &["rotate", "records", "--every", "90d"]));
    assert!(words.starts_with("Key records of token mine is to be rotated every 90 days, due 20"), "{words}");
    let shown = said(&key(&store, &["show", "records"]));
    assert!(shown.contains("\nversion      1\nrotation     every 90 days, due 20"), "not rotated now: {shown}");
    assert!(said(&key(&store, &["list"])).lines().next().unwrap().contains("  rotation due          can"));
    let shown = told(&store, &["show", "records"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let left = shown["rotate_at"].as_u64().unwrap() - now;
    assert!(shown["rotate_every"] == 90 * 86_400 && (90 * 86_400 - 60..=90 * 86_400).contains(&left), "{shown}");

    said(&key(&store, &["rotate", "records"]));
    let shown = told(&store, &["show", "records"]);
    assert!(shown["version"] == 2 && shown["rotate_every"] == 90 * 86_400, "the new version has it: {shown}");
    let words = said(&key(&store, &["rotate", "records", "--every", "never"]));
    assert_eq!(words, "Key records of token mine has no period.\n");
    assert!(told(&store, &["show", "records"])["rotate_at"].is_null());
    for wrong in ["0d", "90", "soon"] {
        assert_eq!(refused(&key(&store, &["rotate", "records", "--every", wrong])).0, 2, "{wrong}");
    }
    for wrong in [&["rotate"][..], &["rotate", "records", "--due"], &["rotate", "--due", "--every", "1d"]] {
        assert_eq!(refused(&key(&store, wrong)).0, 2, "{wrong:?}");
    }
}

#[test]
fn keys_that_are_due_are_listed_and_rotated_and_no_others() {
    let store = with_due_keys("due");
    let due = |store: &Store| -> Vec<String> {
        let listed = told(store, &["list", "--due"]);
        listed.as_array().unwrap().iter().map(|key| key["label"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(due(&store), ["records", "signer"]);
    for label in ["records", "signer"] {
        // Else they would be due again before this test has looked.
        assert_eq!(told(&store, &["show", label])["version"], 1);
    }
    let words = said(&key(&store, &["rotate", "--due"]));
    for label in ["records", "signer"] {
        assert!(words.contains(&format!("Key {label} of token mine has version 2 now.")), "{words}");
        assert_eq!(told(&store, &["show", label])["version"], 2);
        said(&key(&store, &["rotate", label, "--every", "1d"]));
    }
    assert_eq!(told(&store, &["show", "signer"])["objects"], serde_json::json!(["private key", "public key"]));
    for label in ["later", "never"] {
        assert_eq!(told(&store, &["show", label])["version"], 1);
    }
    assert_eq!(due(&store), [""; 0]);
    assert_eq!(said(&key(&store, &["list", "--due"])), "no key is due\n");
    assert_eq!(said(&key(&store, &["rotate", "--due"])), "no key is due\n");
}

#[test]
fn a_key_that_is_disabled_is_not_due_and_one_that_cannot_be_rotated_does_not_stop_the_others() {
    let store = with_due_keys("due-disabled");
    said(&key(&store, &["disable", "records"]));
    // Without its public half, a pair is not made anew.
    let listed = told(&store, &["list"]);
    let signer = listed.as_array().unwrap().iter().find(|key| key["label"] == "signer").unwrap();
    let id = signer["id"].as_str().unwrap();
    said(&store.run(&["object", "delete", &format!("id:{id}"), "--class", "public-key", "--yes", "--pin", "env:PIN"]));
    said(&key(&store, &["rotate", "later", "--every", "1s"]));
    thread::sleep(Duration::from_secs(2));
    let done = key(&store, &["--json", "rotate", "--due"]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let answer: Value = serde_json::from_str(&text(&done.stdout)).unwrap();
    let (made, failed) = (&answer["data"]["rotated"], &answer["data"]["failed"]);
    assert!(made.as_array().unwrap().len() == 1 && made[0]["label"] == "later", "{answer}");
    assert!(failed.as_array().unwrap().len() == 1 && failed[0]["label"] == "signer", "{answer}");
}

#[test]
fn versions_below_the_least_one_open_and_check_nothing_until_they_are_let_again() {
    let store = Store::new("least-version");
    let path = |name: &str| store.0.join(name).to_str().unwrap().to_owned();
    std::fs::write(path("text"), "once upon a time").unwrap();
    let run = |arguments: &[&str]| store.run(&[arguments, &["--pin", "env:PIN"]].concat());
    for (label, kind) in [("records", "aes-256"), ("signer", "p256")] {
        said(&key(&store, &["create", label, "-k", kind]));
    }
    said(&run(&["encrypt", "records", &path("text"), "--out", &path("first")]));
    said(&run(&["sign", "signer", &path("text"), "--out", &path("signature")]));
    for label in ["records", "signer"] {
        said(&key(&store, &["rotate", label]));
    }
    said(&run(&["encrypt", "records", &path("text"), "--out", &path("second")]));
    let opens = |name: &str| run(&["decrypt", "records", &path(name), "--out", &path("opened")]);
    let verify = || run(&["verify", "signer", &path("text"), "--signature", &path("signature"), "--key-version", "1"]);
    let bar = |label: &str, least: &str| key(&store, &["versions", label, "--min-decrypt-version", least]);
    said(&opens("first"));
    said(&verify());

    let listed = said(&bar("records", "2"));
    assert!(listed.starts_with("version 2     enabled  ") && listed.contains("\nversion 1     barred  "), "{listed}");
    said(&bar("signer", "2"));
    assert!(refused(&opens("first")).1.contains("key versions"), "{:?}", opens("first"));
    said(&opens("second"));
    refused(&verify());
    let versions = told(&store, &["versions", "records"]);
    assert!(versions[1]["barred"] == true && versions[1]["state"] == "retired", "{versions}");
    assert!(refused(&bar("records", "3")).1.contains("there is no version 3 yet"));
    for wrong in ["0", "-1", "last"] {
        assert_eq!(refused(&bar("records", wrong)).0, 2, "{wrong}");
    }

    for label in ["records", "signer"] {
        said(&bar(label, "1"));
    }
    said(&opens("first"));
    said(&verify());
}
