//! `strongroom key`, and what the command says when it cannot.

use std::{fs, process::Output};

use crate::store::{Store, promised, refused, said, text};

fn key(store: &Store, arguments: &[&str]) -> Output {
    store.run(&[&["key"], arguments, &["--pin", "env:PIN"]].concat())
}

#[test]
fn keys_of_every_kind_are_made_listed_shown_and_deleted() {
    let store = Store::new("kinds");
    let kinds = [
        "rsa-2048",
        "p256",
        "p384",
        "p521",
        "secp256k1",
        "ed25519",
        "x25519",
        "aes-128",
        "aes-192",
        "aes-256",
        "hmac-sha256",
        "hmac-sha384",
        "hmac-sha512",
        "secret-256",
    ];
    for kind in kinds {
        let made = said(&key(&store, &["create", kind, "--kind", kind]));
        assert_eq!(made, format!("Key {kind} of kind {kind} is in token mine.\n"));
    }
    let listed = said(&key(&store, &["list"]));
    assert_eq!(listed.lines().count(), 1 + kinds.len(), "a pair is one key: {listed}");
    for kind in kinds {
        let shown = said(&key(&store, &["show", kind]));
        assert!(shown.contains(&format!("kind         {kind}\n")) && shown.contains("extractable  no"), "{shown}");
        let uri = said(&key(&store, &["uri", kind]));
        assert!(said(&key(&store, &["show", uri.trim()])).contains(kind), "the URI names it: {uri}");
        assert!(said(&key(&store, &["delete", kind, "--yes"])).contains("deleted"));
    }
    assert!(said(&store.run(&["object", "list", "--pin", "env:PIN"])).is_empty(), "both halves are gone");
}

#[test]
fn a_key_is_disabled_enabled_and_compromised_and_says_so() {
    let store = Store::new("states");
    said(&key(&store, &["create", "k", "-k", "p256"]));
    let sign = || store.run(&["sign", "k", "/dev/null", "--pin", "env:PIN"]);
    let signature = sign();
    said(&signature);
    assert_eq!(said(&key(&store, &["disable", "k"])), "Key k of token mine is disabled.\n");
    let (code, why) = refused(&sign());
    assert!(code == 5 && why.contains("`key enable` brings back"), "{why}");
    assert!(said(&key(&store, &["show", "k"])).contains("state        disabled"));
    assert!(said(&key(&store, &["list"])).contains("disabled"));
    said(&key(&store, &["enable", "k"]));
    said(&sign());
    assert_eq!(refused(&key(&store, &["compromised", "k"])).0, 2);
    said(&key(&store, &["compromised", "k", "--yes"]));
    assert_eq!(refused(&sign()).0, 5);
    let file = store.0.join("signature");
    fs::write(&file, signature.stdout).unwrap();
    said(&store.run(&["verify", "k", "/dev/null", "--signature", file.to_str().unwrap(), "--pin", "env:PIN"]));
    let (code, why) = refused(&key(&store, &["enable", "k"]));
    assert!(code == 5 && why.contains("CKR_ATTRIBUTE_READ_ONLY"), "{why}");
}

#[test]
fn a_key_that_is_deleted_by_mistake_raises_an_alarm_and_is_restored() {
    let store = Store::new("restore");
    let set = |option: &[&str]| store.run(&[&["token", "set", "--so-pin", "env:SO_PIN"], option].concat());
    assert_eq!(refused(&set(&["--lock-deletion"])).0, 2);
    assert!(said(&set(&["--deletion-days", "30"])).contains("can be restored for 30 days"));
    for label in ["payroll", "other"] {
        said(&key(&store, &["create", label, "-k", "p256"]));
    }
    let sign = |label: &str| store.run(&["sign", label, "/dev/null", "--pin", "env:PIN"]);
    assert!(said(&key(&store, &["delete", "payroll", "--yes"])).contains("For 30 days `strongroom key restore`"));
    let (code, _) = refused(&key(&store, &["show", "payroll"]));
    assert_eq!(code, 3);
    let pending = said(&key(&store, &["list", "--pending"]));
    assert!(pending.lines().count() == 2 && pending.contains("payroll"), "both halves: {pending}");
    // As another program does: by label.
    let engine = store.engine();
    let session = engine.open_session(types::SlotId(0), engine::Access::ReadOnly).unwrap();
    engine.login(session, engine::User::User, crate::store::PIN.as_bytes()).unwrap();
    engine.find_init(session, vec![(types::AttributeType::LABEL, types::Value::bytes("payroll"))]).unwrap();
    assert!(engine.find(session, 10).unwrap().is_empty());
    let state = store.tokens().join("state");
    let alarms = said(&store.command(&["alarms"]).env("STRONGROOM_STATE", state).output().unwrap());
    assert!(
        alarms.contains("lookup of the deleted key 'payroll'") && alarms.contains("strongroom key restore unique:"),
        "{alarms}"
    );
    let (code, why) = refused(&store.run(&["token", "delete", "--label", "mine", "--so-pin", "env:SO_PIN"]));
    assert!(code == 5 && why.contains("--deletion-days"), "{why}");
    // What is in the place of the file is not waited for.
    let file = store.tokens().join("state/alarms.jsonl");
    fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    let state = store.tokens().join("state");
    let (code, why) = refused(&store.command(&["alarms"]).env("STRONGROOM_STATE", state).output().unwrap());
    assert!(code == 1 && why.contains("it is no file"), "{why}");
    assert_eq!(refused(&key(&store, &["restore", "nothing"])).0, 3);
    assert!(said(&key(&store, &["restore", "payroll"])).contains("disabled"));
    assert_eq!(refused(&sign("payroll")).0, 5);
    said(&key(&store, &["enable", "payroll"]));
    said(&sign("payroll"));
    assert!(said(&key(&store, &["list", "--pending"])).contains("no deleted key"));
    said(&set(&["--lock-deletion"]));
    let (code, why) = refused(&set(&["--deletion-days", "1"]));
    assert!(code == 5 && why.contains("unless it is locked"), "{why}");
}

#[test]
fn a_key_can_what_it_was_made_for_and_nothing_else() {
    let store = Store::new("uses");
    said(&key(&store, &["create", "wrapping", "-k", "aes-256", "--can", "wrap,unwrap", "--id", "0a:0B"]));
    let shown = said(&key(&store, &["show", "id:0a0b"]));
    assert!(shown.contains("can          wrap, unwrap\n"), "{shown}");
    let (code, why) = refused(&key(&store, &["create", "x", "-k", "p256", "--can", "encrypt"]));
    assert_eq!((code, why.as_str()), (2, "strongroom: a key of kind p256 cannot encrypt\n"));
    let (code, why) = refused(&key(&store, &["create", "x", "-k", "p256", "--can", "fly"]));
    assert!(code == 2 && why.contains("a key can sign, verify, encrypt"), "{why}");
}

#[test]
fn the_public_half_is_exported_and_openssl_reads_it() {
    let store = Store::new("export");
    for kind in ["p256", "rsa-2048", "ed25519"] {
        said(&key(&store, &["create", kind, "-k", kind]));
        let file = store.0.join(kind);
        fs::write(&file, said(&key(&store, &["export", kind]))).unwrap();
        let read = std::process::Command::new("openssl")
            .args(["pkey", "-pubin", "-noout", "-in"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(read.status.success(), "{kind}: {read:?}");
    }
    said(&key(&store, &["create", "secret", "-k", "aes-256"]));
    assert!(refused(&key(&store, &["export", "secret"])).1.contains("no public half"));
}

#[test]
fn a_choice_that_is_none_or_several_lists_what_it_could_mean() {
    let store = Store::new("choices");
    assert_eq!(refused(&key(&store, &["show", "tls"])).0, 3);
    said(&key(&store, &["create", "tls", "-k", "p256"]));
    said(&key(&store, &["create", "tls", "-k", "p384"]));
    let (code, why) = refused(&key(&store, &["show", "tls"]));
    assert!(code == 2 && why.contains("p256") && why.contains("p384") && why.contains("id:HEX"), "{why}");
    let (code, why) = refused(&key(&store, &["show", "web"]));
    assert!(code == 3 && why.contains("there is no key 'web' in token mine") && why.contains("p384"), "{why}");
    assert_eq!(refused(&key(&store, &["delete", "tls"])).0, 2, "not without --yes");
    for _ in 0..2 {
        said(&key(&store, &["create", "twin", "-k", "aes-256"]));
    }
    let listed = said(&key(&store, &["list"]));
    assert_eq!(listed.matches("twin").count(), 2, "each of them is there: {listed}");
    assert_eq!(refused(&key(&store, &["delete", "twin", "--yes"])).0, 2, "none is taken for the other");

    let init = |label: &str| store.run(&["token", "init", label, "--so-pin", "env:SO_PIN", "--pin", "env:PIN"]);
    said(&init("with blank "));
    let (code, why) = refused(&key(&store, &["list"]));
    assert!(code == 2 && why.contains("which token?") && why.contains("with blank"), "{why}");
    for name in ["with blank ", "with blank", "slot:1", "pkcs11:token=with%20blank"] {
        said(&key(&store, &["list", "--token", name]));
    }
    said(&init("mine"));
    assert!(refused(&key(&store, &["list", "-t", "mine"])).1.contains("could be any of these"));
}

#[test]
fn wrong_and_locked_pins_say_what_to_do_and_to_which_token() {
    let store = Store::new("pins");
    let wrong = || store.run(&["key", "list", "--pin", "env:WRONG"]);
    let (code, why) = refused(&wrong());
    assert!(
        code == 4 && why.contains("token 'mine': the PIN is wrong") && why.contains("[CKR_PIN_INCORRECT]"),
        "{why}"
    );
    for _ in 0..9 {
        wrong();
    }
    let (code, why) = refused(&wrong());
    assert!(
        code == 4 && why.contains("strongroom pin reset --token mine") && why.contains("[CKR_PIN_LOCKED]"),
        "{why}"
    );
    said(&store.run(&["pin", "unlock", "--so-pin", "env:SO_PIN", "--new-pin", "cmd:printf user-12345"]));
    said(&key(&store, &["list"]));
    let unset = store.run(&["key", "list", "--pin", "env:NOT_THERE"]);
    assert!(refused(&unset).1.contains("there is no environment variable NOT_THERE"));
    let windows = store.0.join("pin");
    fs::write(&windows, "user-12345\r\n").unwrap();
    said(&store.run(&["key", "list", "--pin", &format!("file:{}", windows.display())]));
}

#[test]
fn a_setting_that_is_wrong_stops_the_command_and_names_its_place() {
    let store = Store::new("settings");
    let file = store.0.join("strongroom.toml");
    let with =
        |name: &str, value: &str, arguments: &[&str]| store.command(arguments).env(name, value).output().unwrap();
    for (name, value) in [
        ("STRONGROOM_STORE", "tokens"),
        ("STRONGROOM_STATE", "~/state"),
        ("STRONGROOM_PIN_TRIES", "0"),
        ("STRONGROOM_PROFILE", "lenient"),
        ("STRONGROOM_CONFIG", "/nowhere/strongroom.toml"),
    ] {
        let (code, why) = refused(&with(name, value, &["token", "list"]));
        assert!(code == 2 && (why.contains(name) || why.contains(value)), "{name}: {why}");
        assert!(with(name, value, &["config", "show"]).status.success());
        assert!(!with(name, value, &["config", "check"]).status.success());
    }
    let path = file.display().to_string();
    for (contents, place) in
        [("\npin_tries = 0\n", "line 2"), ("stoer = \"/x\"\n", "line 1: there is no key stoer"), ("a b\n", "line 1")]
    {
        fs::write(&file, contents).unwrap();
        let (code, why) = refused(&with("STRONGROOM_CONFIG", &path, &["token", "list"]));
        assert!(code == 2 && why.contains(&path) && why.contains(place), "{why}");
    }
    fs::write(&file, "pin_tries = 7\n").unwrap();
    assert_eq!(said(&with("STRONGROOM_CONFIG", &path, &["config", "path"])), format!("{path}\n"));
}

#[test]
fn a_damaged_token_is_listed_beside_the_others_and_an_answer_that_nobody_reads_is_no_panic() {
    let store = Store::new("listed");
    said(&store.run(&["token", "init", "other", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"]));
    let first = fs::read_dir(store.tokens()).unwrap().map(|entry| entry.unwrap().path());
    let first = first.filter(|path| path.to_str().unwrap().ends_with(".0.token")).last().unwrap();
    fs::write(&first, b"not a database at all").unwrap();
    let listed = store.run(&["token", "list"]);
    let words = text(&listed.stdout);
    assert!(words.contains("slot 0  damaged") && words.contains("other"), "{words}");

    let mut closed = store.command(&["token", "list"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = closed.stdout(writer).output().unwrap();
    assert!(text(&output.stderr).is_empty(), "{output:?}");
}

#[test]
fn json_has_the_fields_that_the_document_promises() {
    let store = Store::new("json");
    said(&key(&store, &["create", "tls", "-k", "p256"]));
    said(&store.run(&["cert", "self-sign", "tls", "--pin", "env:PIN"]));
    let verbs: [(&str, &[&str]); 17] = [
        ("token list", &[]),
        ("token show", &[]),
        ("token check", &["--pin", "env:PIN"]),
        ("token set", &["--pin-tries", "9", "--so-pin", "env:SO_PIN"]),
        ("token rotate-keys", &["--so-pin", "env:SO_PIN", "--pin", "env:PIN"]),
        ("key list", &["--pin", "env:PIN"]),
        ("key show", &["tls", "--pin", "env:PIN"]),
        ("key uri", &["tls", "--pin", "env:PIN"]),
        ("key export", &["tls", "--pin", "env:PIN"]),
        ("cert export", &["tls", "--pin", "env:PIN"]),
        ("cert csr", &["tls", "--pin", "env:PIN"]),
        ("cert list", &["--pin", "env:PIN"]),
        ("object list", &["--pin", "env:PIN"]),
        ("random", &[]),
        ("config show", &[]),
        ("config check", &[]),
        ("doctor", &[]),
    ];
    for (verb, arguments) in verbs {
        let words: Vec<&str> = ["--json"].into_iter().chain(verb.split(' ')).chain(arguments.iter().copied()).collect();
        let answer: serde_json::Value = serde_json::from_str(&said(&store.run(&words))).unwrap();
        assert_eq!(answer["ok"], true);
        let data = if answer["data"].is_array() { &answer["data"][0] } else { &answer["data"] };
        let fields = if verb.ends_with("list") && verb != "cert list" && verb != "object list" {
            promised(&verb.replace("list", "show"))
        } else {
            promised(verb)
        };
        for field in fields.iter().filter(|field| *field != "new" && *field != "unfinished") {
            let found = data.get(field).is_some() || data["pin_cost"].get(field).is_some();
            assert!(found, "{verb} has no {field}: {data}");
        }
    }
    let wrong = store.run(&["--json", "key", "list", "--pin", "env:WRONG"]);
    let answer: serde_json::Value = serde_json::from_slice(&wrong.stdout).unwrap();
    assert_eq!((answer["ok"].as_bool(), answer["error"]["ckr"].as_str()), (Some(false), Some("CKR_PIN_INCORRECT")));
}
