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
    assert!(text(&output.stdout).contains("failure-burst  key 'payroll': 10 uses were refused"), "{output:?}");
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
