//! `strongroom policy`.

use std::{fs, path::PathBuf, process::Output};

use serde_json::Value;

use crate::store::{Store, refused, said};

fn run(store: &Store, arguments: &[&str]) -> Output {
    store.run(&[&["policy"], arguments].concat())
}

fn apply(store: &Store, file: &str, more: &[&str]) -> Output {
    run(store, &[&["apply", file, "--so-pin", "env:SO_PIN"], more].concat())
}

fn write(store: &Store, name: &str, text: &str) -> String {
    let path: PathBuf = store.0.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn shown(store: &Store) -> Value {
    let answer: Value = serde_json::from_str(&said(&store.run(&["--json", "policy", "show"]))).unwrap();
    answer["data"].clone()
}

#[test]
fn what_is_shown_is_a_policy_from_which_the_token_does_not_differ() {
    let store = Store::new("policy-show");
    let file = write(&store, "policy.toml", &said(&run(&store, &["show"])));
    assert_eq!(said(&run(&store, &["diff", &file])), "the token is as the policy says\n");
    said(&apply(&store, &file, &[]));
    assert_eq!(said(&run(&store, &["diff", &file])), "the token is as the policy says\n");
    assert_eq!(shown(&store)["rules"].as_object().unwrap().len(), 9);
}

#[test]
fn a_policy_is_compared_and_applied_and_what_it_does_not_name_stays() {
    let store = Store::new("policy-apply");
    let rules = "[rules]\nprofile = \"strict\"\ndeletion-days = 7\nlock-deletion = true\ndates = \"hold\"\nuse-audit = \"counted\"\n\
                 pin-tries = 5\npin-memory-kib = 65536\npin-passes = 3\n";
    let file = write(&store, "policy.toml", rules);
    let (code, differences) =
        (run(&store, &["diff", &file]), ["profile: \"compatible\", and the policy says \"strict\"", "pin-tries: 10,"]);
    let text = String::from_utf8(code.stdout).unwrap();
    assert_eq!(code.status.code(), Some(1));
    assert!(differences.iter().all(|line| text.contains(line)) && !text.contains("recovery"), "{text}");
    let words = said(&apply(&store, &file, &[]));
    assert!(words.contains("other than before: profile, deletion-days, lock-deletion, dates"), "{words}");
    assert_eq!(said(&run(&store, &["diff", &file])), "the token is as the policy says\n");
    let now = shown(&store);
    assert!(now["rules"]["profile"] == "strict" && now["rules"]["recovery"] == "officer", "{now}");

    let looser = write(&store, "looser.toml", "[rules]\nlock-deletion = false\n");
    assert!(refused(&apply(&store, &looser, &[])).1.contains("lock-deletion cannot be undone"));
    let shorter = write(&store, "shorter.toml", "[rules]\ndeletion-days = 1\n");
    assert_eq!(refused(&apply(&store, &shorter, &[])).0, 5);
    let never = write(&store, "never.toml", "[rules]\nrecovery = \"never\"\n");
    said(&apply(&store, &never, &["--pin", "env:PIN"]));
    assert_eq!(shown(&store)["rules"]["recovery"], "never");
}

#[test]
fn what_is_no_policy_is_refused_with_what_can_be_said() {
    let store = Store::new("policy-wrong");
    for (text, why) in [
        ("rules = 3", "'rules' must be a table"),
        ("[rule]\n", "there is no 'rule': there are version, token, signer, rules"),
        ("[rules]\nprofil = \"strict\"\n", "there is no rule 'profil': there are profile, recovery"),
        ("[rules]\nprofile = \"loose\"\n", "profile must be compatible or strict"),
        ("[rules]\nprofile = 1\n", "profile must be a word"),
        ("[rules]\npin-tries = 0\n", "pin-tries must be a number from 1 to 1000"),
        ("[rules]\ndeletion-days = 99999\n", "deletion-days must be a number from 0 to 3650"),
        ("[rules]\ndates = true\n", "dates must be \"hold\" or \"reference\""),
        ("[rules]\nlock-deletion = true\n", "has nothing to lock"),
        (
            "[rules]\nprofile = \"strict\"\npin-memory-kib = 19456\n",
            "pin-memory-kib must be 65536 at least in a strict token",
        ),
        ("token = \"another\"\n[rules]\n", "the policy is for token 'another', and not for '"),
        ("version = 0\n", "version must be a number from 1"),
        ("signer = \"nobody\"\nversion = 1\n", "signer must be an Ed25519 public key in PEM"),
        ("[rules", ""),
    ] {
        let file = write(&store, "wrong.toml", text);
        let (code, said) = refused(&apply(&store, &file, &[]));
        assert!(code == 2 && said.contains(why), "{text}: {said}");
    }
    let missing = store.0.join("missing.toml");
    assert!(refused(&run(&store, &["diff", missing.to_str().unwrap()])).1.contains("cannot be read"));
}

/// A policy that a key of the token signs, with its signature.
fn signed(store: &Store, version: u32, signer: &str, by: &str) -> (String, String) {
    let pem = said(&store.run(&["key", "export", signer, "--pin", "env:PIN"]));
    let serial = shown(store)["token"].as_str().unwrap().to_owned();
    let text = format!(
        "version = {version}\ntoken = \"{serial}\"\nsigner = \"\"\"\n{pem}\"\"\"\n[rules]\npin-tries = {}\n",
        3 + version
    );
    let file = write(store, "signed.toml", &text);
    let signature = store.0.join("signed.sig").to_str().unwrap().to_owned();
    said(&store.run(&["sign", by, &file, "--out", &signature, "--pin", "env:PIN"]));
    (file, signature)
}

#[test]
fn after_a_signed_policy_only_a_newer_one_of_the_same_signer_changes_the_rules() {
    let store = Store::new("policy-signed");
    for label in ["board", "other"] {
        said(&store.run(&["key", "create", label, "--kind", "ed25519", "--pin", "env:PIN"]));
    }
    let (file, signature) = signed(&store, 2, "board", "board");
    let differs = run(&store, &["diff", &file]);
    assert!(
        differs.status.code() == Some(1) && String::from_utf8(differs.stdout).unwrap().contains("signer: \"none\"")
    );
    let of_any = write(&store, "any.toml", &fs::read_to_string(&file).unwrap().replace("token = ", "# token = "));
    assert!(refused(&apply(&store, &of_any, &["--signature", &signature])).1.contains("by its serial number"));
    let serial = shown(&store)["token"].as_str().unwrap().to_owned();
    let named = write(&store, "named.toml", &fs::read_to_string(&file).unwrap().replace(&serial, "mine"));
    assert!(refused(&apply(&store, &named, &["--signature", &signature])).1.contains("the policy is for token 'mine'"));
    assert!(refused(&apply(&store, &file, &[])).1.contains("--signature names the file"));
    let words = said(&apply(&store, &file, &["--signature", &signature]));
    assert!(words.starts_with("Version 2 of the policy holds for token mine"), "{words}");
    assert_eq!(shown(&store)["signer"]["version"], 2);

    let (code, why) = refused(&store.run(&["token", "set", "--pin-tries", "9", "--so-pin", "env:SO_PIN"]));
    assert!(code == 5 && why.contains("come from a signed policy") && why.contains("policy apply"), "{why}");
    let plain = write(&store, "plain.toml", "[rules]\npin-tries = 9\n");
    assert_eq!(refused(&apply(&store, &plain, &[])).0, 5);
    assert!(
        refused(&apply(&store, &file, &["--signature", &signature])).1.contains("which had version 2"),
        "no replay"
    );
    let (file, signature) = signed(&store, 3, "other", "other");
    assert!(refused(&apply(&store, &file, &["--signature", &signature])).1.contains("not signed by whom"));
    let (file, signature) = signed(&store, 3, "other", "board");
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("pin-tries = 6", "pin-tries = 7")).unwrap();
    assert!(refused(&apply(&store, &file, &["--signature", &signature])).1.contains("not signed by whom"));
    let (file, signature) = signed(&store, 3, "other", "board");
    said(&apply(&store, &file, &["--signature", &signature]));
    let (file, signature) = signed(&store, 4, "other", "other");
    said(&apply(&store, &file, &["--signature", &signature]));

    let next = said(&run(&store, &["show"]));
    assert!(next.contains("version = 5\n") && next.contains("-----BEGIN PUBLIC KEY-----"), "{next}");
    let file = write(&store, "next.toml", &next);
    let differs = String::from_utf8(run(&store, &["diff", &file]).stdout).unwrap();
    assert_eq!(differs, "version: 4, and the policy says 5\n");
}

#[test]
fn a_policy_is_tried_on_the_uses_that_were_written_down_before_it_holds() {
    let store = Store::new("policy-replay");
    let strict = write(&store, "strict.toml", "[rules]\nprofile = \"strict\"\n");
    let test = |file: &str, more: &[&str]| run(&store, &[&["test", file, "--pin", "env:PIN"], more].concat());
    assert!(refused(&test(&strict, &[])).1.contains("no use was written down"));
    said(&store.run(&["token", "set", "--use-audit", "each", "--so-pin", "env:SO_PIN"]));
    said(&store.run(&["key", "create", "signer", "--kind", "p256", "--pin", "env:PIN"]));
    said(&store.run(&["key", "create", "old", "--kind", "aes-256", "--pin", "env:PIN"]));
    let text = write(&store, "text", "once upon a time");
    said(&store.run(&["sign", "signer", &text, "--out", "/dev/null", "--pin", "env:PIN"]));
    said(&store.run(&["encrypt", "old", &text, "--out", "/dev/null", "--pin", "env:PIN"]));
    let tried = test(&strict, &[]);
    let words = String::from_utf8(tried.stdout).unwrap();
    assert_eq!(tried.status.code(), Some(1), "{words}");
    assert!(
        words.starts_with("old: encrypt with CKM_AES_GCM by ") && words.contains(", once, may be refused: "),
        "{words}"
    );
    assert!(!words.contains("signer"), "{words}");
    let compatible = write(&store, "compatible.toml", "[rules]\npin-tries = 4\n");
    assert!(said(&test(&compatible, &[])).starts_with("none of the "));

    let export = store.0.join("uses.jsonl").to_str().unwrap().to_owned();
    said(&store.run(&["audit", "uses", "export", "--out", &export, "--pin", "env:PIN"]));
    let replayed = String::from_utf8(test(&strict, &["--replay", &export]).stdout).unwrap();
    assert_eq!(replayed, words, "an export says the same");
    assert!(refused(&test(&strict, &["--replay", &text])).1.contains("line 1 of "));

    let engine = store.engine();
    let session = engine.open_session(types::SlotId(0), engine::Access::ReadWrite).unwrap();
    engine.login(session, engine::User::User, crate::store::PIN.as_bytes()).unwrap();
    let label = vec![(types::AttributeType::LABEL, types::Value::bytes("signer"))];
    engine.find_init(session, label).unwrap();
    for key in engine.find(session, 10).unwrap() {
        let ended = types::Value::Date(Some(types::Date(*b"20200101")));
        engine.set_attributes(session, key, vec![(types::AttributeType::END_DATE, ended)]).unwrap();
    }
    drop(engine);
    let hold = write(&store, "hold.toml", "[rules]\ndates = \"hold\"\n");
    let words = String::from_utf8(test(&hold, &[]).stdout).unwrap();
    assert!(words.contains("signer: sign with ") && words.contains("outside its dates"), "{words}");
}
