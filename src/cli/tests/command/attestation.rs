//! `strongroom key attest` and `strongroom key verify-attestation`.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::store::{Store, promised, refused, said, text};

/// What a verb says to the user's PIN.
fn run(store: &Store, arguments: &[&str]) -> Output {
    store.run(&[arguments, &["--pin", "env:PIN"]].concat())
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A token with a pair that was made in it, and the public key that checks what it says.
fn with_pair(name: &str) -> (Store, PathBuf) {
    let store = Store::new(name);
    said(&run(&store, &["key", "create", "code", "-k", "p256"]));
    let key = store.0.join("token.pem");
    fs::write(&key, said(&run(&store, &["audit", "key"]))).unwrap();
    (store, key)
}

/// What is said of a file that shows nothing.
fn doubt(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    text(&output.stdout)
}

const PAGE: &str = include_str!("../../../../docs/format-attestation.md");

/// A block of the page that describes statements.
fn block(language: &str) -> &'static str {
    PAGE.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap()
}

#[test]
fn what_a_token_says_of_a_key_is_checked_without_the_token_and_told_in_words() {
    let (store, key) = with_pair("attest");
    let file = store.0.join("statement.json");
    let entries = said(&run(&store, &["audit", "list"]));
    let ask = ["key", "attest", "code", "--challenge", "nonce 42"];
    let line = said(&run(&store, &ask));
    assert!(line.ends_with("\"}\n") && line.lines().count() == 1, "{line}");
    fs::write(&file, &line).unwrap();
    assert_eq!(said(&run(&store, &["audit", "list"])), entries, "it changes nothing");
    // Where the token is not.
    let elsewhere = |arguments: &[&str]| {
        let nowhere = store.0.join("nowhere");
        store.command(arguments).env("STRONGROOM_STORE", &nowhere).env("STRONGROOM_STATE", &nowhere).output().unwrap()
    };
    let verify = ["key", "verify-attestation", path(&file), "--public-key", path(&key)];
    let words = said(&elsewhere(&[&verify[..], &["--challenge", "nonce 42"]].concat()));
    let public = said(&run(&store, &["key", "export", "code"]));
    for part in [
        "the signature is right",
        "label        code\n",
        "is           CKO_PRIVATE_KEY, CKK_EC of 256 bits (secp256r1)\n",
        "made here    yes, by CKM_EC_KEY_PAIR_GEN\n",
        "can leave    no, and it never could\n",
        "can be read  no, and it never could be\n",
        "token        mine, serial ",
        "profile compatible\n",
        "challenge    nonce 42, as was asked\n",
        &public,
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let unasked = said(&elsewhere(&verify));
    assert!(unasked.contains("nonce 42; none was asked for, so this may be an old statement"), "{unasked}");
    let other = elsewhere(&[&verify[..], &["--challenge", "nonce 43"]].concat());
    assert!(doubt(&other).contains("shows nothing: it was made for the challenge 'nonce 42'"), "{other:?}");
    let none = store.0.join("none.json");
    said(&run(&store, &["key", "attest", "code", "--out", path(&none)]));
    let verify = ["key", "verify-attestation", path(&none), "--public-key", path(&key)];
    assert!(said(&elsewhere(&verify)).contains("challenge    none, so this may be an old statement"));
    let challenged = elsewhere(&[&verify[..], &["--challenge", "x"]].concat());
    assert!(doubt(&challenged).contains("without a challenge"), "{challenged:?}");
}

#[test]
fn a_statement_that_was_changed_or_is_of_another_token_is_refused_with_exit_code_1() {
    let (store, key) = with_pair("changed");
    let (_other, other_key) = with_pair("other");
    let line = said(&run(&store, &["key", "attest", "code"]));
    let file = store.0.join("changed.json");
    let check = |bytes: &[u8], key: &Path| {
        fs::write(&file, bytes).unwrap();
        store.run(&["key", "verify-attestation", path(&file), "--public-key", path(key)])
    };
    assert!(said(&check(line.as_bytes(), &key)).starts_with("the signature is right"));
    assert!(
        said(&check(line.trim_end().as_bytes(), &key)).starts_with("the signature is right"),
        "the end of the line"
    );
    assert!(doubt(&check(line.as_bytes(), &other_key)).contains("its signature is wrong"));
    let changed = [
        line.replace("\"local\":true", "\"local\":false"),
        line.replace("\"sign\"", "\"wrap\""),
        line.replace("\"version\":1", "\"version\":2"),
        line.replace(",\"bits\"", ", \"bits\""),
        line.to_uppercase(),
        line.replace('\n', "\r\n"),
        format!("{line}{line}"),
        format!("{line}\n"),
        String::new(),
        "no statement".to_owned(),
        "{\"attestation\":1}".to_owned(),
    ];
    for changed in changed {
        assert!(changed != line);
        assert!(doubt(&check(changed.as_bytes(), &key)).contains(" shows nothing: "), "{changed}");
    }
    assert!(doubt(&check(&[line.as_bytes(), b"\xff"].concat(), &key)).contains("it is no statement"));
    let told = store.run(&["--json", "key", "verify-attestation", path(&file), "--public-key", path(&key)]);
    let told = json(&doubt(&told));
    assert_eq!((&told["ok"], &told["data"]["whole"]), (&true.into(), &false.into()));
    assert!(told["data"]["why"].as_str().unwrap().contains("no statement"), "{told}");
}

#[test]
fn programs_get_the_members_that_are_promised_and_the_line_as_it_was_signed() {
    let (store, key) = with_pair("json");
    let told = json(&said(&run(&store, &["--json", "key", "attest", "code", "--challenge", "é\"\\"])));
    let line = told["data"][&promised("key attest")[0]].as_str().unwrap().to_owned();
    let verify = |from: &str| {
        let arguments =
            ["--json", "key", "verify-attestation", "-", "--public-key", path(&key), "--challenge", "é\"\\"];
        let mut child = store.command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(from.as_bytes()).unwrap();
        json(&said(&child.wait_with_output().unwrap()))
    };
    let told = verify(&line);
    for field in promised("key verify-attestation").iter().filter(|field| *field != "why") {
        assert!(told["data"].get(field).is_some(), "{field}: {told}");
    }
    assert_eq!(told["data"]["statement"]["challenge"], "é\"\\");
    assert!(told["data"]["statement"].get("signature").is_none());
    // Where the result itself goes to standard output, nothing else does.
    let bare = said(&run(&store, &["--json", "key", "attest", "code", "--challenge", "é\"\\", "--out", "-"]));
    assert_eq!(verify(&bare)["data"]["whole"], true);
}

#[test]
fn an_imported_key_an_extractable_one_and_a_rotated_one_are_told_apart() {
    let (store, key) = with_pair("kinds");
    fs::write(store.0.join("bytes"), [7; 32]).unwrap();
    let bytes = store.0.join("bytes");
    said(&run(&store, &["key", "import", path(&bytes), "-l", "imported", "-k", "aes-256"]));
    said(&run(&store, &["key", "create", "loose", "-k", "aes-256", "--extractable"]));
    said(&run(&store, &["key", "rotate", "code"]));
    let words = |label: &str| {
        let file = store.0.join(label);
        let made = said(&run(&store, &["key", "attest", label, "--out", path(&file)]));
        assert!(made.contains(&format!("What key {label} is stands in ")), "{made}");
        said(&store.run(&["key", "verify-attestation", path(&file), "--public-key", path(&key)]))
    };
    let imported = words("imported");
    assert!(imported.contains("made here    no: whoever made it, or had it before, may have it still\n"), "{imported}");
    assert!(imported.contains("can leave    no; that it never could is not said\n"), "{imported}");
    assert!(!imported.contains("BEGIN PUBLIC KEY"), "{imported}");
    let loose = words("loose");
    assert!(loose.contains("made here    yes") && loose.contains("can leave    yes\n"), "{loose}");
    let rotated = words("code");
    assert!(rotated.contains("version      2\nstate        enabled\n"), "{rotated}");
    let older = json(&said(&run(&store, &["key", "attest", "code", "--key-version", "1"])));
    assert_eq!((&older["version"], &older["state"]), (&1.into(), &"retired".into()));
    let (code, why) = refused(&run(&store, &["key", "attest", "code", "--key-version", "3"]));
    assert!(code == 3 && why.contains("version 3"), "{code} {why}");
    let uri = said(&run(&store, &["key", "uri", "code"]));
    assert!(said(&run(&store, &["key", "attest", uri.trim()])).contains("\"version\":2"));
}

#[test]
fn what_is_wrong_with_a_question_is_said_and_nothing_is_written() {
    let (store, key) = with_pair("wrong");
    let file = store.0.join("statement.json");
    let ask = |more: &[&str]| refused(&run(&store, &[&["key", "attest", "--out", path(&file)], more].concat()));
    let (code, why) = ask(&["nobody"]);
    assert!(code == 3 && why.contains("there is no key 'nobody'"), "{why}");
    let (code, why) = ask(&["code", "--challenge", ""]);
    assert!(code == 2 && why.contains("a challenge has one byte at least"), "{why}");
    let (code, why) = ask(&["code", "--challenge", &"é".repeat(129)]);
    assert!(code == 2 && why.contains("it has 258 bytes: 256 at most"), "{why}");
    said(&store.run(&["token", "set", "--deletion-days", "7", "--so-pin", "env:SO_PIN"]));
    said(&run(&store, &["key", "delete", "code", "--yes"]));
    assert_eq!(ask(&["code"]).0, 3, "a deleted key is not there");
    assert_eq!(refused(&store.run(&["key", "attest", "code", "--pin", "env:WRONG"])).0, 4);
    assert!(!file.exists());
    let verify = |file: &Path, key: &Path| {
        refused(&store.run(&["key", "verify-attestation", path(file), "--public-key", path(key)]))
    };
    let (code, why) = verify(&file, &key);
    assert!(code == 2 && why.contains("statement.json cannot be read"), "{why}");
    fs::write(&file, vec![b'a'; (1 << 20) + 1]).unwrap();
    assert_eq!(verify(&file, &key).0, 2, "nobody reads what is longer than every statement");
    let (code, why) = verify(&file, &file);
    assert!(code == 2 && why.contains("is not what `audit key` prints"), "{why}");
    assert_eq!(refused(&store.run(&["key", "verify-attestation", path(&file)])).0, 2, "the key is not optional");
}

#[test]
fn the_statement_of_the_page_is_one_and_each_of_its_members_is_described() {
    let store = Store::new("page");
    let (file, key) = (store.0.join("statement.json"), store.0.join("token.pem"));
    fs::write(&file, block("json")).unwrap();
    fs::write(&key, block("pem")).unwrap();
    let verify = ["key", "verify-attestation", path(&file), "--public-key", path(&key), "--challenge", "7c9e6679"];
    let told = json(&said(&store.run(&[&["--json"], &verify[..]].concat())));
    let statement = &told["data"]["statement"];
    assert_eq!(statement["unique_id"], "b557e247-f364-46a8-a21c-d2dd61357f79");
    assert_eq!((&statement["bits"], &statement["time"]), (&256.into(), &1_795_863_301.into()));
    let words = said(&store.run(&verify));
    assert!(words.contains("time         2026-11-28T10:55:01Z"), "{words}");
    // Each member of a statement has its row.
    let rows: Vec<&str> = PAGE.lines().filter(|line| line.starts_with("| `")).collect();
    let (own, _) = with_pair("rows");
    let own = json(&said(&run(&own, &["key", "attest", "code", "--challenge", "x"])));
    for name in own.as_object().unwrap().keys() {
        assert!(rows.iter().any(|row| row.split('|').nth(1).unwrap().contains(&format!("`{name}`"))), "{name}");
    }
}

#[test]
fn a_statement_is_checked_by_python_and_openssl_as_the_page_says() {
    let (store, key) = with_pair("python");
    fs::write(store.0.join("check.py"), block("python check.py")).unwrap();
    let file = store.0.join("statement.json");
    let python = |key: &Path, challenge: &str| {
        Command::new("python3").arg(store.0.join("check.py")).args([&file, key]).arg(challenge).output().unwrap()
    };
    let line = said(&run(&store, &["key", "attest", "code", "--challenge", "é 1"]));
    fs::write(&file, &line).unwrap();
    let told = said(&python(&key, "é 1"));
    assert!(told.starts_with("key 'code' of token ") && told.ends_with("was made there and never left\n"), "{told}");
    assert!(!python(&key, "é 2").status.success());
    let (_other, other_key) = with_pair("python-other");
    assert!(!python(&other_key, "é 1").status.success());
    fs::write(&file, line.replace("\"version\":1", "\"version\":2")).unwrap();
    assert!(!python(&key, "é 1").status.success());
    fs::write(&file, &line[..line.len() - 3]).unwrap();
    assert!(!python(&key, "é 1").status.success());
    said(&run(&store, &["key", "create", "loose", "-k", "aes-256", "--extractable"]));
    fs::write(&file, said(&run(&store, &["key", "attest", "loose", "--challenge", "1"]))).unwrap();
    assert!(said(&python(&key, "1")).ends_with("may be elsewhere too\n"));
}
