//! Keys that come in under a pair that was made for that. OpenSSL alone wraps them.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    thread,
    time::Duration,
};

use crate::store::{Store, refused, said, text};
use serde_json::Value;

fn key(store: &Store, arguments: &[&str]) -> Output {
    let line = [&["key"], arguments, &["--pin", "env:PIN"]].concat();
    store.command(&line).current_dir(&store.0).output().unwrap()
}

fn told(store: &Store, arguments: &[&str]) -> Value {
    let answer: Value = serde_json::from_str(&said(&key(store, &[&["--json"], arguments].concat()))).unwrap();
    answer["data"].clone()
}

fn sh(store: &Store, line: &str) -> String {
    let output = Command::new("sh").args(["-ec", line]).current_dir(&store.0).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    text(&output.stdout)
}

/// Begins an import, and gives the lines of OpenSSL that the answer has.
fn begin(store: &Store, arguments: &[&str]) -> String {
    let words = said(&key(store, &[&["import", "begin", "--out", "w.pem"], arguments].concat()));
    let lines: Vec<&str> = words
        .lines()
        .filter(|line| ["  openssl", "  cat", "  rm"].iter().any(|start| line.starts_with(start)))
        .collect();
    assert!(lines.len() >= 5, "{words}");
    lines.join("\n")
}

fn finish(store: &Store, label: &str) -> Output {
    key(store, &["import", "finish", "wrapped.bin", "--label", label])
}

fn labels(store: &Store) -> Vec<String> {
    let listed = told(store, &["list"]);
    listed.as_array().unwrap().iter().map(|key| key["label"].as_str().unwrap().to_owned()).collect()
}

/// The events of the token's audit log.
fn events(store: &Store) -> String {
    said(&store.run(&["audit", "list", "--pin", "env:PIN"]))
}

#[test]
fn a_secret_key_that_openssl_has_wrapped_comes_in_once_and_does_the_same() {
    let store = Store::new("byok-secret");
    said(&store.run(&["token", "set", "--deletion-days", "30", "--so-pin", "env:SO_PIN"]));
    let lines = begin(&store, &["--label", "payroll", "--kind", "aes-256", "--id", "a1"]);
    let listed = said(&key(&store, &["list"]));
    assert!(listed.contains("payroll (import of aes-256)") && listed.contains("import until 20"), "{listed}");
    sh(&store, &format!("openssl rand -out key.bin 32\n{lines}"));
    let words = said(&finish(&store, "payroll"));
    assert!(words.starts_with("Key payroll of kind aes-256 is in token mine"), "{words}");
    let shown = told(&store, &["show", "payroll"]);
    assert!(shown["id"] == "a1" && shown["extractable"] == false && shown["sensitive"] == true, "{shown}");
    assert_eq!(labels(&store), ["payroll"]);
    assert_eq!(
        said(&key(&store, &["list", "--pending"])),
        "no deleted key can be restored\n",
        "the pair is gone for good"
    );
    assert_eq!(refused(&finish(&store, "payroll")).0, 3);

    // The same key, by what it wraps.
    said(&key(&store, &["create", "other", "-k", "hmac-sha256", "--extractable"]));
    said(&key(&store, &["wrap", "other", "--by", "payroll", "--out", "other.kwp"]));
    said(&key(&store, &["export", "other", "--private", "--plain", "--out", "other.b64"]));
    let opened = sh(
        &store,
        "openssl enc -d -id-aes256-wrap-pad -K $(od -An -v -tx1 key.bin | tr -d ' \\n') -iv A65959A6 -in other.kwp | base64 -w0",
    );
    assert_eq!(opened.trim(), fs::read_to_string(store.0.join("other.b64")).unwrap().trim());
    let events = events(&store);
    assert!(events.contains("key-imported"), "{events}");
}

#[test]
fn a_private_key_comes_in_with_its_public_half_also_into_a_strict_token() {
    for (name, profile) in [("byok-open", "compatible"), ("byok-strict", "strict")] {
        let store = Store::new(name);
        said(&store.run(&["token", "set", "--profile", profile, "--so-pin", "env:SO_PIN"]));
        for (label, kind, made) in [
            ("signer", "p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
            ("rsa", "rsa-2048", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
        ] {
            let lines = begin(&store, &["--label", label, "--kind", kind, "--can", "sign"]);
            sh(
                &store,
                &format!(
                    "openssl genpkey {made} -out key.pem 2>/dev/null\nopenssl pkey -in key.pem -pubout -out public.pem\n{lines}"
                ),
            );
            let words = said(&finish(&store, label));
            assert!(words.contains("Its public half was derived"), "{words}");
            assert_eq!(told(&store, &["show", label])["can"], serde_json::json!(["sign", "verify"]));
            fs::write(store.0.join("m"), "a message").unwrap();
            let signed =
                store.command(&["sign", label, "m", "--out", "s", "--pin", "env:PIN"]).current_dir(&store.0).output();
            said(&signed.unwrap());
            let how = if label == "rsa" { "-sigopt rsa_padding_mode:pss" } else { "" };
            sh(&store, &format!("openssl dgst -sha256 {how} -verify public.pem -signature s m"));
        }
        assert_eq!(labels(&store), ["rsa", "signer"]);
    }
}

#[test]
fn what_is_damaged_or_of_another_kind_is_refused_in_words_and_leaves_nothing() {
    let store = Store::new("byok-damaged");
    let lines = begin(&store, &["--label", "payroll", "--kind", "aes-256"]);
    sh(&store, &format!("openssl rand -out key.bin 32\n{lines}"));
    let good = fs::read(store.0.join("wrapped.bin")).unwrap();
    for at in [0, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(store.0.join("wrapped.bin"), bad).unwrap();
        let (code, words) = refused(&finish(&store, "payroll"));
        assert!(code != 0 && words.contains("Nothing has come in"), "{code} {words}");
        assert_eq!(labels(&store), ["payroll (import of aes-256)"]);
    }
    assert!(events(&store).contains("key-import-refused"));
    // A shorter key, and a private one.
    sh(&store, &format!("openssl rand -out key.bin 16\n{lines}"));
    refused(&finish(&store, "payroll"));
    assert_eq!(labels(&store), ["payroll (import of aes-256)"]);
    // The template holds for who does not use `finish`, too.
    fs::write(store.0.join("wrapped.bin"), &good).unwrap();
    let by = ["unwrap", "wrapped.bin", "--by", "payroll (import of aes-256)", "--label", "payroll"];
    for wrong in [&["--kind", "aes-256", "--extractable"][..], &["--kind", "hmac-sha256"]] {
        refused(&key(&store, &[&by, wrong].concat()));
    }
    assert_eq!(labels(&store), ["payroll (import of aes-256)"]);
    assert_ne!(key(&store, &["copy", "payroll (import of aes-256)", "again"]).status.code(), Some(0));
    said(&finish(&store, "payroll"));
}

#[test]
fn an_import_whose_time_is_over_is_refused_and_its_pair_deleted() {
    let store = Store::new("byok-late");
    let lines = begin(&store, &["--label", "payroll", "--kind", "aes-256", "--within", "1s"]);
    sh(&store, &format!("openssl rand -out key.bin 32\n{lines}"));
    thread::sleep(Duration::from_secs(2));
    // The token says so, too.
    let by =
        ["unwrap", "wrapped.bin", "--by", "payroll (import of aes-256)", "--label", "payroll", "--kind", "aes-256"];
    assert_eq!(refused(&key(&store, &by)).0, 5);
    let (code, words) = refused(&finish(&store, "payroll"));
    assert!(code == 1 && words.contains("was over at 20"), "{words}");
    assert_eq!(labels(&store), [""; 0]);
    assert_eq!(refused(&finish(&store, "payroll")).0, 3);
}

#[test]
fn an_import_is_begun_once_and_can_be_cancelled() {
    let store = Store::new("byok-cancel");
    begin(&store, &["--label", "payroll", "--kind", "aes-256"]);
    let again = ["import", "begin", "--out", "w.pem", "--label", "payroll", "--kind", "p256"];
    assert!(refused(&key(&store, &again)).1.contains("begun already"));
    assert!(said(&key(&store, &["import", "cancel", "--label", "payroll"])).contains("is over"));
    assert_eq!(refused(&key(&store, &["import", "cancel", "--label", "payroll"])).0, 3);
    begin(&store, &["--label", "payroll", "--kind", "aes-256"]);
    said(&key(&store, &["delete", "payroll (import of aes-256)", "--yes"]));
    assert_eq!(labels(&store), [""; 0]);
    said(&key(&store, &["create", "payroll", "-k", "aes-128"]));
    assert!(refused(&key(&store, &again)).1.contains("there is a key payroll"));
    for wrong in [&["import"][..], &["import", "begin"], &["import", "w.pem", "begin"]] {
        assert_eq!(refused(&key(&store, wrong)).0, 2, "{wrong:?}");
    }
}

/// What somebody types on a machine of his own, where `strongroom` is in the path and his token's PIN is known.
fn typed(store: &Store, directory: &Path, lines: &str) -> String {
    let bin = store.0.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let (wrapper, real) = (bin.join("strongroom"), env!("CARGO_BIN_EXE_strongroom"));
    fs::write(&wrapper, format!("#!/bin/sh\nexec '{real}' \"$@\" --pin env:PIN\n")).unwrap();
    fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o700)).unwrap();
    let mut shell = Command::new("sh");
    for (name, value) in store.command(&[]).get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.env("PATH", format!("{}:{}", bin.display(), env::var("PATH").unwrap()));
    let output = shell.args(["-ec", lines]).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{lines}: {output:?}");
    text(&output.stdout)
}

/// A name that a shell takes for more than one word.
const LABEL: &str = "it's payroll";

/// The lines of an answer, as they are printed: with OpenSSL, with strongroom, and what is typed here then.
fn printed(store: &Store, kind: &[&str]) -> [String; 3] {
    let words = said(&key(
        store,
        &[&["import", "begin", "--out", "its key.pem", "--label", LABEL, "--extractable", "--kind"], kind].concat(),
    ));
    let mut blocks = vec![String::new()];
    for line in words.lines() {
        match line.strip_prefix("  ") {
            Some(line) => blocks.last_mut().unwrap().push_str(&format!("{line}\n")),
            None => blocks.push(String::new()),
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks.try_into().unwrap_or_else(|blocks| panic!("{words}: {blocks:?}"))
}

#[test]
fn the_lines_that_are_printed_wrap_a_key_with_openssl_and_from_another_token() {
    let (here, there) = (Store::new("byok-here"), Store::new("byok-there"));
    let owner = there.0.join("owner");
    fs::create_dir(&owner).unwrap();
    fs::write(owner.join("m"), "a message").unwrap();
    fs::write(here.0.join("m"), "a message").unwrap();
    let made_secret = "openssl rand -out key.bin 32
        openssl dgst -sha256 -mac HMAC -macopt \"hexkey:$(od -An -v -tx1 key.bin | tr -d ' \n')\" -r m | cut -d' ' -f1 >proof";
    let made_private = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
        openssl pkey -in key.pem -pubout -out proof";
    let token_secret = "strongroom key create KEY --kind hmac-sha256 --extractable >out
        strongroom mac KEY m | grep -oE '[0-9a-f]{64}' >proof";
    let token_private = "strongroom key create KEY --kind p256 --extractable >out
        strongroom key export KEY --out proof";
    // Which of the blocks, the profile of the token that the key is in, what for, and what makes the key and a proof of which it is.
    let rows = [
        (0, "compatible", &["hmac-sha256"][..], made_secret),
        (0, "compatible", &["p256", "--can", "sign"], made_private),
        (1, "compatible", &["hmac-sha256"], token_secret),
        (1, "compatible", &["p256", "--can", "sign"], token_private),
        (1, "strict", &["p256", "--can", "sign"], token_private),
    ];
    for (block, profile, kind, made) in rows {
        said(&there.run(&["token", "set", "--profile", profile, "--so-pin", "env:SO_PIN"]));
        let lines = printed(&here, kind);
        fs::copy(here.0.join("its key.pem"), owner.join("its key.pem")).unwrap();
        typed(&there, &owner, &format!("rm -f wrapped.bin proof\n{made}"));
        typed(&there, &owner, &lines[block]);
        fs::copy(owner.join("wrapped.bin"), here.0.join("wrapped.bin")).unwrap();
        assert!(typed(&here, &here.0, &lines[2]).starts_with("Key it's payroll of kind"));
        fs::copy(owner.join("proof"), here.0.join("proof")).unwrap();
        if kind.len() == 1 {
            let mac = typed(&here, &here.0, "strongroom --json mac \"it's payroll\" m");
            let proof = fs::read_to_string(here.0.join("proof")).unwrap();
            assert!(proof.trim().len() == 64 && mac.contains(proof.trim()), "{proof} {mac}");
        } else {
            typed(
                &here,
                &here.0,
                "strongroom sign \"it's payroll\" m --out s; openssl dgst -sha256 -verify proof -signature s m",
            );
        }
        said(&key(&here, &["delete", LABEL, "--yes"]));
        if block == 1 {
            said(&key(&there, &["delete", "KEY", "--yes"]));
        }
        let left = sh(&there, "ls owner");
        assert!(["kek", "key.kwp", "key.der"].iter().all(|rest| !left.contains(rest)), "{left}");
    }
    assert_eq!(labels(&there), [""; 0], "the owner's token has no key of the import's left");
}
