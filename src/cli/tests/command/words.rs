//! What a verb says when it does not do it, or has decided something itself.

use std::{fs, process::Output};

use crate::store::{Store, refused, said};

fn run(store: &Store, arguments: &[&str]) -> Output {
    store.command(&[arguments, &["--pin", "env:PIN"]].concat()).current_dir(&store.0).output().unwrap()
}

#[test]
fn a_compromised_key_is_said_to_stay_so() {
    let store = Store::new("compromised");
    said(&run(&store, &["key", "create", "k", "-k", "p256"]));
    said(&run(&store, &["key", "compromised", "k", "--yes"]));
    for verb in ["enable", "disable"] {
        let (code, why) = refused(&run(&store, &["key", verb, "k"]));
        assert!(code == 5 && why.contains("key k of token mine is compromised, and stays so"), "{code} {why}");
        assert!(!why.contains("CKA_"), "{why}");
    }
}

#[test]
fn a_key_that_is_not_enabled_is_said_not_to_be_rotated_and_what_to_do() {
    let store = Store::new("rotated-not");
    said(&run(&store, &["key", "create", "k", "-k", "aes-256"]));
    for (state, cure) in [(&["disable", "k"][..], "key enable"), (&["compromised", "k", "--yes"], "key create")] {
        said(&run(&store, &[&["key"], state].concat()));
        let (code, why) = refused(&run(&store, &["key", "rotate", "k"]));
        assert!(code == 5 && why.contains("and is not rotated: `strongroom ") && why.contains(cure), "{code} {why}");
    }
}

#[test]
fn a_data_key_that_rsa_does_not_take_is_refused_with_the_limit() {
    let store = Store::new("data-key");
    said(&run(&store, &["key", "create", "k", "-k", "rsa-2048"]));
    let (code, why) = refused(&run(&store, &["datakey", "generate", "k", "--bytes", "1024"]));
    assert!(code == 2 && why.contains("encrypts 190 bytes at most"), "{code} {why}");
    said(&run(&store, &["datakey", "generate", "k", "--bytes", "190"]));
    assert_eq!(refused(&run(&store, &["datakey", "generate", "k", "--bytes", "191"])).0, 2);
}

#[test]
fn what_a_deletion_means_is_said_for_the_token_that_it_is_in() {
    let store = Store::new("deletion");
    for (key, kind) in [("k", "p256"), ("s", "aes-256")] {
        said(&run(&store, &["key", "create", key, "-k", kind]));
    }
    let verbs: [&[&str]; 2] = [&["key", "delete", "k"], &["object", "delete", "s"]];
    for verb in verbs {
        let (code, why) = refused(&run(&store, verb));
        assert!(code == 2 && why.contains("is gone for good: --yes"), "{why}");
    }
    said(&store.run(&["token", "set", "--deletion-days", "7", "--so-pin", "env:SO_PIN"]));
    for verb in verbs {
        let (code, why) = refused(&run(&store, verb));
        assert!(code == 2 && why.contains("can be restored for 7 days (`strongroom key restore`)"), "{why}");
        let deleted = said(&run(&store, &[verb, &["--yes"]].concat()));
        assert!(deleted.contains("For 7 days `strongroom key restore` brings it back"), "{deleted}");
    }
    said(&run(&store, &["key", "restore", "s"]));
}

#[test]
fn a_copy_of_a_secret_key_has_an_id_of_its_own_and_one_of_a_pair_has_the_same() {
    let store = Store::new("copy-id");
    let id = |key: &str| {
        let told = said(&run(&store, &["--json", "key", "show", key]));
        serde_json::from_str::<serde_json::Value>(&told).unwrap()["data"]["id"].as_str().unwrap().to_owned()
    };
    for (key, kind) in [("s", "aes-256"), ("p", "p256")] {
        said(&run(&store, &["key", "create", key, "-k", kind]));
        said(&run(&store, &["key", "copy", key, &format!("{key}2")]));
    }
    assert!(id("s") != id("s2") && id("s2").len() == 32);
    assert_eq!(id("p"), id("p2"));
    said(&run(&store, &["key", "copy", "s", "s3", "--id", "0102"]));
    assert_eq!(id("s3"), "0102");
    // What was encrypted for one of them is decrypted by both.
    fs::write(store.0.join("m"), "a message").unwrap();
    said(&run(&store, &["encrypt", "s", "m", "-o", "e"]));
    assert_eq!(said(&run(&store, &["decrypt", "s2", "e"])), "a message");
}

#[test]
fn digits_that_are_as_many_as_the_bytes_of_a_key_are_taken_as_is_said() {
    let store = Store::new("digits");
    let digits = "00112233445566778899aabbccddeeff";
    fs::write(store.0.join("digits"), digits).unwrap();
    let import = |kind: &str, more: &[&str]| {
        run(&store, &[&["key", "import", "digits", "-l", kind, "-k", kind, "--extractable"], more].concat())
    };
    let export = |key: &str| said(&run(&store, &["key", "export", key, "--private", "--plain"]));
    assert!(said(&import("aes-256", &[])).contains("taken as the bytes themselves"));
    assert_eq!(export("aes-256").trim(), data_encoding::BASE64.encode(digits.as_bytes()));
    assert!(said(&import("aes-128", &[])).contains("taken as hexadecimal digits"));
    assert_eq!(export("aes-128").trim(), "ABEiM0RVZneImaq7zN3u/w==");
    let (code, why) = refused(&import("hmac-sha256", &["--encoding", "hex"]));
    assert!(
        code == 2 && why.contains("has not the 32 bytes of a key of kind hmac-sha256 in hexadecimal digits"),
        "{why}"
    );
    let (code, why) = refused(&import("aes-128", &["--encoding", "raw"]));
    assert!(code == 2 && why.contains("has not the 16 bytes"), "{why}");
    assert!(said(&import("aes-192", &["--encoding", "base64"])).contains("taken as base64"));
}
