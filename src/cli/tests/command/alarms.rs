//! `strongroom alarms look`: what is out of the ordinary in how keys were used is found, and told once.

use std::{fs, process::Output};

use rusqlite::Connection;
use serde_json::Value as Json;

use crate::store::{Store, promised, refused, said, text};

fn run(store: &Store, arguments: &[&str]) -> Output {
    store.run(&[arguments, &["--pin", "env:PIN"]].concat())
}

/// A token that writes each use down, with a key that was used once.
fn used(name: &str) -> Store {
    let store = Store::new(name);
    said(&store.run(&["token", "set", "--use-audit", "each", "--so-pin", "env:SO_PIN"]));
    said(&run(&store, &["key", "create", "payroll", "--kind", "hmac-sha256"]));
    fs::write(store.0.join("message"), "a message").unwrap();
    said(&mac(&store));
    store
}

fn mac(store: &Store) -> Output {
    run(store, &["mac", "payroll", store.0.join("message").to_str().unwrap()])
}

#[test]
fn a_burst_of_refused_uses_is_found_and_told_once() {
    let store = used("look-burst");
    assert!(said(&run(&store, &["alarms", "look"])).contains("nothing is out of the ordinary"));
    said(&run(&store, &["key", "disable", "payroll"]));
    for _ in 0..10 {
        assert_eq!(refused(&mac(&store)).0, 5);
    }
    let nowhere = run(&store, &["alarms", "look", "--notify", "file:/nonexistent/told"]);
    let words = text(&nowhere.stdout);
    assert!(words.contains("failure-burst") && words.contains("/nonexistent/told could not be told"), "{nowhere:?}");
    let (file, copy) = (store.0.join("told.jsonl"), store.0.join("copy"));
    let program = store.0.join("tell");
    fs::write(&program, format!("#!/bin/sh\ncat >> {}\n", copy.display())).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let (to_file, to_program) = (format!("file:{}", file.display()), format!("command:{}", program.display()));
    let look = ["--json", "alarms", "look", "--notify", &to_file, "--notify", &to_program];
    for told in [1, 0] {
        let output = run(&store, &look);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let answer = serde_json::from_str::<Json>(&text(&output.stdout)).unwrap()["data"].clone();
        let finding = &answer["findings"][0];
        assert_eq!((&finding["rule"], &finding["key"]), (&"failure-burst".into(), &"payroll".into()), "{answer}");
        assert_eq!((&finding["caller"], &finding["token"]), (&"strongroom (user)".into(), &"mine".into()));
        assert_eq!((&answer["notified"], answer["findings"].as_array().unwrap().len()), (&told.into(), 1));
        for field in promised("alarms look") {
            assert!(answer.get(&field).or(finding.get(&field)).is_some(), "{field}");
        }
        let lines = fs::read_to_string(&file).unwrap();
        assert_eq!(lines.lines().count(), 1, "{lines}");
        assert_eq!(&serde_json::from_str::<Json>(&lines).unwrap(), finding);
        assert_eq!(fs::read_to_string(&copy).unwrap(), lines);
    }
    let output = run(&store, &["alarms", "look"]);
    assert!(
        text(&output.stdout).contains("failure-burst  key 'payroll': 10 uses were refused or failed"),
        "{output:?}"
    );
    let rules = store.0.join("rules.toml");
    fs::write(&rules, "[failure-burst]\nrefused_uses = 11\n").unwrap();
    said(&run(&store, &["alarms", "look", "--rules", rules.to_str().unwrap()]));
    said(&run(&store, &["alarms", "look", "--since", "2100-01-01T00:00:00Z"]));
}

#[test]
fn a_book_that_was_changed_wrong_pins_and_a_rotation_that_is_due_are_found() {
    let store = used("look-others");
    for _ in 0..3 {
        assert_eq!(refused(&store.run(&["key", "list", "--pin", "env:WRONG"])).0, 4);
    }
    said(&run(&store, &["key", "rotate", "payroll", "--every", "1d"]));
    let mut files = fs::read_dir(store.state()).unwrap().map(|entry| entry.unwrap().path());
    let book = files.find(|path| path.extension().is_some_and(|extension| extension == "uses")).unwrap();
    Connection::open(book).unwrap().execute_batch("UPDATE entry SET text = replace(text, 'sign', 'seal')").unwrap();
    let output = run(&store, &["alarms", "look", "--since", "1h"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output.stdout);
    for wanted in
        ["chain-broken  the book of uses: entry 1", "pin-failures  3 wrong PINs of the user", "due  key 'payroll'"]
    {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn what_the_rules_cannot_see_is_said() {
    let store = Store::new("look-blind");
    assert!(said(&run(&store, &["alarms", "look"])).contains("note: uses of keys are not written down"));
    said(&store.run(&["token", "set", "--use-audit", "counted", "--so-pin", "env:SO_PIN"]));
    assert!(said(&run(&store, &["alarms", "look"])).contains("note: uses are counted only: clock-back looks"));
    assert_eq!(said(&store.run(&["alarms"])), "no alarm was raised\n");
}

#[test]
fn wrong_rules_and_ways_are_refused() {
    let store = Store::new("look-wrong");
    let rules = store.0.join("rules.toml");
    fs::write(&rules, "[rate-jump]\nfactors = 3\n").unwrap();
    let (code, why) = refused(&run(&store, &["alarms", "look", "--rules", rules.to_str().unwrap()]));
    assert!(code == 2 && why.contains("[rate-jump] has no 'factors': it has on, learning_weeks, factor"), "{why}");
    for wrong in [["--notify", "mail:me"], ["--since", "yesterday"], ["--rules", "/nonexistent/rules"]] {
        assert_eq!(refused(&run(&store, &[&["alarms", "look"][..], &wrong].concat())).0, 2, "{wrong:?}");
    }
}

#[test]
fn who_asks_a_key_as_an_oracle_is_found_and_a_rule_can_shut_the_key_until_somebody_has_looked() {
    let store = used("look-oracle");
    said(&run(&store, &["key", "create", "door", "--kind", "aes-256"]));
    let path = |name: &str| store.0.join(name).to_str().unwrap().to_owned();
    said(&run(&store, &["encrypt", "door", &path("message"), "--out", &path("sealed")]));
    let guess = || {
        let mut bytes = fs::read(path("sealed")).unwrap();
        bytes[40] ^= 1;
        fs::write(path("guess"), bytes).unwrap();
        assert_eq!(refused(&run(&store, &["decrypt", "door", &path("guess"), "--out", &path("open")])).0, 1);
    };
    (0..9).for_each(|_| guess());
    assert!(said(&run(&store, &["alarms", "look"])).contains("nothing is out of the ordinary"));
    guess();
    let rules = path("rules.toml");
    fs::write(&rules, "[failure-burst]\ndisable = true\n").unwrap();
    let look = |more: &[&str]| {
        let output = run(&store, &[&["--json", "alarms", "look", "--rules", &rules], more].concat());
        serde_json::from_str::<Json>(&text(&output.stdout)).unwrap()["data"].clone()
    };
    let open = || run(&store, &["decrypt", "door", &path("sealed"), "--out", &path("open")]);
    let plain = run(&store, &["alarms", "look"]);
    let found = text(&plain.stdout);
    assert!(found.contains("failure-burst  key 'door': 10 uses were refused or failed within ten minutes"), "{found}");
    said(&open());

    assert_eq!(look(&["--since", "1d"])["disabled"], serde_json::json!(["door"]));
    assert_eq!(refused(&open()).0, 5);
    assert_eq!(look(&[])["disabled"], serde_json::json!([]), "it is");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    said(&run(&store, &["key", "enable", "door"]));
    let again = look(&["--since", "1d"]);
    assert_eq!(again["disabled"], serde_json::json!([]), "somebody has looked");
    assert_eq!(again["findings"].as_array().unwrap().len(), 1);
    said(&open());
    // What failed before that does not count any more.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    (0..9).for_each(|_| guess());
    assert_eq!(look(&["--since", "1d"])["disabled"], serde_json::json!([]));
    guess();
    let told = path("told.jsonl");
    let to_file = format!("file:{told}");
    let quiet = run(&store, &["alarms", "look", "--rules", &rules, "--since", "1s", "--notify", &to_file]);
    assert_eq!(quiet.status.code(), Some(1), "what is done is never nothing: {quiet:?}");
    assert!(fs::read_to_string(&told).unwrap().contains("\"act\":\"key-disabled\""));
    assert_eq!(refused(&open()).0, 5, "it goes on, though that is not told again");
    said(&run(&store, &["key", "enable", "door"]));

    // What failed is no use more than there was, and no refusal.
    let listed = said(&run(&store, &["audit", "uses", "list", "--key", "door"]));
    assert!(listed.contains("door  decrypt failed  CKM_SR_ENVELOPE  20 ×"), "{listed}");
    assert!(listed.contains("door  decrypt  CKM_SR_ENVELOPE  22 ×"), "{listed}");
    let top = said(&run(&store, &["--json", "top", "--once"]));
    let top: Json = serde_json::from_str(&top).unwrap();
    let door = top["data"]["keys"].as_array().unwrap().iter().find(|key| key["label"] == "door").unwrap();
    assert_eq!((&door["uses"]["total"], &door["uses"]["refused"]), (&23.into(), &2.into()), "{door}");
}

#[test]
fn the_book_says_whose_program_it_was_and_where_it_lies() {
    let store = used("look-caller");
    let entries = run(&store, &["--json", "audit", "uses", "of", "payroll"]);
    let entries = serde_json::from_str::<Json>(&text(&entries.stdout)).unwrap();
    let caller = &entries["data"]["entries"][0]["caller"];
    let path = caller["path"].as_str().unwrap();
    assert!(path.ends_with("/strongroom") && fs::exists(path).unwrap(), "{caller}");
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(store.state()).unwrap());
    assert_eq!(caller["uid"], owner);
    let words = said(&run(&store, &["audit", "uses", "of", "payroll"]));
    assert!(words.contains(&format!(", uid {owner}, {path})")), "{words}");
}

#[test]
fn changes_that_are_in_no_backup_are_found_until_there_is_one() {
    let store = Store::new("look-backup");
    let rules = store.0.join("rules.toml");
    fs::write(&rules, "[old-backup]\ndays = 0\n").unwrap();
    let look = || {
        let output = run(&store, &["--json", "alarms", "look", "--rules", rules.to_str().unwrap(), "--since", "1s"]);
        let answer = serde_json::from_str::<Json>(&text(&output.stdout)).unwrap()["data"].clone();
        answer["findings"].as_array().unwrap().clone()
    };
    let backup = |name: &str| {
        let (file, shares) = (store.0.join(name), store.0.join(format!("{name}-shares")));
        let create = ["backup", "create", "--out", file.to_str().unwrap(), "--shares", "1", "--threshold", "1"];
        said(&store.run(&[&create[..], &["--share-dir", shares.to_str().unwrap()]].concat()));
    };
    let wait = || std::thread::sleep(std::time::Duration::from_millis(2100));
    said(&run(&store, &["key", "create", "one", "--kind", "aes-256"]));
    wait();
    assert_eq!(look(), Vec::<Json>::new(), "who makes no backups here may make them elsewhere");
    backup("first");
    wait();
    assert_eq!(look(), Vec::<Json>::new());
    said(&run(&store, &["key", "create", "two", "--kind", "aes-256"]));
    said(&run(&store, &["audit", "checkpoint"]));
    wait();
    let [old] = &look()[..] else { panic!("it is one finding") };
    assert_eq!(old["rule"], "old-backup");
    let words = old["words"].as_str().unwrap();
    assert!(words.starts_with("1 change is in no backup, since 2"), "{words}");
    backup("second");
    assert_eq!(look(), Vec::<Json>::new());
}

#[test]
fn a_webhook_gets_what_was_found_and_one_that_refuses_is_named_and_gets_it_the_next_time() {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        net::TcpListener,
    };
    let store = used("look-webhook");
    said(&run(&store, &["key", "disable", "payroll"]));
    for _ in 0..10 {
        assert_eq!(refused(&mac(&store)).0, 5);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/alarms", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        ["500 Internal Server Error", "204 No Content"].map(|answer| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut len) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    len = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; len];
            reader.read_exact(&mut body).unwrap();
            write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            (head, String::from_utf8(body).unwrap())
        })
    });
    let look = || run(&store, &["--json", "alarms", "look", "--notify", &address]);
    let answers = [look(), look(), look()]
        .map(|output| serde_json::from_str::<Json>(&text(&output.stdout)).unwrap()["data"].clone());
    assert!(answers[0]["failed"][0].as_str().unwrap().contains("could not be told of the findings (1)"), "{answers:?}");
    assert_eq!(answers.each_ref().map(|answer| answer["notified"].as_u64().unwrap()), [0, 1, 0]);
    for (head, body) in server.join().unwrap() {
        assert!(head.starts_with("POST /alarms HTTP/1.1") && head.contains("application/x-ndjson"), "{head}");
        assert_eq!(serde_json::from_str::<Json>(body.trim()).unwrap(), answers[0]["findings"][0]);
    }
}

#[test]
fn an_oracle_that_agrees_is_seen_and_what_was_only_wanted_or_is_a_new_version_is_not_shut() {
    let store = Store::new("look-agrees");
    said(&store.run(&["token", "set", "--use-audit", "each", "--so-pin", "env:SO_PIN"]));
    said(&run(&store, &["key", "create", "curve", "--kind", "p256", "--can", "derive"]));
    let path = |name: &str| store.0.join(name).to_str().unwrap().to_owned();
    let blob = said(&run(&store, &["datakey", "generate", "curve", "--no-plaintext"]));
    fs::write(path("blob"), blob).unwrap();
    for guess in 0..10 {
        let context = format!("a={guess}");
        assert_eq!(refused(&run(&store, &["datakey", "decrypt", "curve", &path("blob"), "--context", &context])).0, 1);
    }
    let rules = path("rules.toml");
    fs::write(&rules, "[failure-burst]\ndisable = true\n[export-or-wrap]\ndisable = true\n").unwrap();
    let look = || {
        let output = run(&store, &["--json", "alarms", "look", "--rules", &rules]);
        serde_json::from_str::<Json>(&text(&output.stdout)).unwrap()["data"]["disabled"].clone()
    };
    assert_eq!(look(), serde_json::json!(["curve"]), "derive failed is a failure");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    said(&run(&store, &["key", "enable", "curve"]));
    said(&run(&store, &["key", "rotate", "curve"]));
    assert_eq!(look(), serde_json::json!([]), "the new version has done nothing");

    said(&run(&store, &["key", "create", "stays", "--kind", "aes-256"]));
    said(&run(&store, &["key", "create", "wraps", "--kind", "aes-256"]));
    assert_eq!(refused(&run(&store, &["key", "wrap", "stays", "--by", "wraps", "--out", &path("no")])).0, 5);
    assert_eq!(look(), serde_json::json!([]), "who only wanted it wrapped shuts no key");
    let found = text(&run(&store, &["alarms", "look"]).stdout);
    assert!(found.contains("wanted it wrapped by another key (it was refused)"), "{found}");
}

#[test]
fn who_looks_for_a_deleted_key_is_told_of_in_the_same_ways() {
    let store = used("look-raised");
    said(&store.run(&["token", "set", "--deletion-days", "7", "--so-pin", "env:SO_PIN"]));
    said(&run(&store, &["key", "delete", "payroll", "--yes"]));
    let told = store.0.join("told.jsonl");
    let to_file = format!("file:{}", told.display());
    // Where the engine of the test has its state.
    let state = store.tokens().join("state");
    let look = || {
        let look = ["alarms", "look", "--notify", &to_file, "--pin", "env:PIN"];
        store.command(&look).env("STRONGROOM_STATE", &state).output().unwrap()
    };
    assert!(said(&look()).contains("nothing is out of the ordinary"));
    // As another program does: by label.
    let engine = store.engine();
    let session = engine.open_session(types::SlotId(0), engine::Access::ReadOnly).unwrap();
    engine.login(session, engine::User::User, crate::store::PIN.as_bytes()).unwrap();
    engine.find_init(session, vec![(types::AttributeType::LABEL, types::Value::bytes("payroll"))]).unwrap();
    drop(engine);
    let found = look();
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let found = text(&found.stdout);
    assert!(found.contains("raised  key 'payroll': lookup of the deleted key 'payroll'"), "{found}");
    assert!(found.contains("strongroom key restore unique:"), "{found}");
    let line: Json = serde_json::from_str(fs::read_to_string(&told).unwrap().trim()).unwrap();
    assert_eq!((&line["rule"], &line["key"]), (&"raised".into(), &"payroll".into()));

    // The command's own look-up is one, and says what to do.
    let (code, why) = refused(&mac(&store));
    assert!(code == 3 && why.contains("key payroll was deleted, and is gone for good at 2"), "{why}");
    assert!(why.contains("`strongroom key restore payroll` brings it back"), "{why}");
    let found = text(&run(&store, &["alarms", "look"]).stdout);
    assert!(found.contains("raised  key 'payroll': lookup of the deleted key 'payroll'"), "{found}");
    assert_eq!(refused(&run(&store, &["key", "show", "nobody"])).0, 3);
}
