//! Text from a token, in what people read and in what programs read.

use std::fs;

use crate::store::{Store, refused, said, text};

/// It wipes the screen, begins a line of its own, and turns round what follows.
const LABEL: &str = "k\u{1b}[2J\nforged\u{202e}";
const SHOWN: &str = "k\\u{1b}[2J\\nforged\\u{202e}";

#[test]
fn a_label_that_tells_the_terminal_what_to_do_is_shown_and_not_obeyed() {
    let store = Store::new("labels");
    let pin = ["--pin", "env:PIN"];
    let run = |arguments: &[&str]| store.run(&[arguments, &pin].concat());
    said(&run(&["key", "create", LABEL, "-k", "p256"]));
    said(&run(&["cert", "self-sign", LABEL, "--subject", "CN=a\u{1b}[2Jb"]));
    let lists: [&[&str]; 6] = [
        &["key", "list"],
        &["key", "show", LABEL],
        &["object", "list"],
        &["object", "show", LABEL, "--class", "private-key"],
        &["cert", "list"],
        &["cert", "show", LABEL],
    ];
    for list in lists {
        let said = said(&run(list));
        let hex = data_encoding::HEXLOWER.encode(LABEL.as_bytes());
        assert!(said.contains(SHOWN) || said.contains(&hex), "{list:?}: {said}");
        assert!(!said.contains(['\u{1b}', '\u{202e}']) && !said.contains("\nforged"), "{list:?}: {said}");
    }
    let (_, why) = refused(&run(&["key", "show", "other"]));
    assert!(why.contains(SHOWN) && !why.contains(['\u{1b}', '\u{202e}']), "{why}");
    // It is still its name, and programs get it as it is.
    let told = said(&run(&["--json", "key", "show", LABEL]));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap()["data"]["label"], LABEL);

    said(&store.run(&["token", "init", "t\u{1b}c\nx", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"]));
    let list = said(&store.run(&["token", "list"]));
    assert!(list.contains("t\\u{1b}c\\nx") && list.lines().count() == 2, "{list}");
    let (_, why) = refused(&store.run(&["key", "list", "--slot", "1", "--pin", "env:WRONG"]));
    assert!(why.contains("token 't\\u{1b}c\\nx'") && !why.contains('\u{1b}'), "{why}");
}

#[test]
fn what_goes_to_standard_output_as_data_has_no_words_and_no_error_in_it() {
    let store = Store::new("data");
    let run = |arguments: &[&str]| {
        store.command(&[arguments, &["--pin", "env:PIN"]].concat()).current_dir(&store.0).output().unwrap()
    };
    said(&run(&["key", "create", "k", "-k", "aes-256"]));
    said(&run(&["key", "create", "p", "-k", "p256", "--extractable"]));
    let message = vec![b'm'; 200_000];
    fs::write(store.0.join("m"), &message).unwrap();
    said(&run(&["encrypt", "k", "m", "-o", "e"]));
    for out in [&[][..], &["-o", "-"]] {
        let decrypted = run(&[&["--json", "decrypt", "k", "e"], out].concat());
        assert!(decrypted.status.success() && decrypted.stdout == message, "{out:?}");
    }
    // Changed far behind, so that a part is out already.
    let mut changed = fs::read(store.0.join("e")).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(store.0.join("e"), changed).unwrap();
    let stopped = run(&["--json", "decrypt", "k", "e"]);
    assert!(!stopped.stdout.is_empty() && stopped.stdout.iter().all(|byte| *byte == b'm'), "{stopped:?}");
    let error: serde_json::Value = serde_json::from_slice(&stopped.stderr).unwrap();
    assert!(error["ok"] == false && error["error"]["message"].as_str().unwrap().contains("begins at byte"), "{error}");
    // Also before there was any.
    for verb in
        [&["encrypt", "nothing", "m"][..], &["sign", "nothing", "m", "-o", "-"], &["key", "export", "no", "-o", "-"]]
    {
        let stopped = run(&[&["--json"], verb].concat());
        assert!(stopped.stdout.is_empty() && text(&stopped.stderr).starts_with("{\"error\""), "{verb:?}: {stopped:?}");
    }
    // Where words and data could go the same way, there is data only.
    let wrapped = run(&["key", "wrap", "p", "--by", "k", "-o", "-"]);
    assert!(wrapped.status.success() && !text(&wrapped.stdout).contains("is wrapped by"), "{wrapped:?}");
    let signed = run(&["--json", "sign", "p", "m", "-o", "-", "--encoding", "hex"]);
    assert!(data_encoding::HEXLOWER.decode(text(&signed.stdout).trim().as_bytes()).is_ok(), "{signed:?}");
}
