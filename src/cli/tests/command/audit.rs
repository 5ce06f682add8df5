//! `strongroom audit`.

use std::{fs, path::PathBuf, process::Command};

use crate::store::{Store, refused, said};

/// What a verb says to the user's PIN.
fn run(store: &Store, arguments: &[&str]) -> std::process::Output {
    store.run(&[arguments, &["--pin", "env:PIN"]].concat())
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// A token with a key that was made, renamed, disabled, deleted, and a checkpoint.
fn with_acts(name: &str) -> (Store, PathBuf) {
    let store = Store::new(name);
    let key = ["payroll", "--pin", "env:PIN"];
    said(&store.run(&[&["key", "create", "--kind", "aes-256"], &key[..]].concat()));
    said(&store.run(&[&["key", "disable"], &key[..]].concat()));
    said(&store.run(&[&["key", "enable"], &key[..]].concat()));
    said(&store.run(&[&["key", "delete", "--yes"], &key[..]].concat()));
    said(&run(&store, &["audit", "checkpoint"]));
    let directory = store.tokens().with_file_name(format!("audit-{name}"));
    fs::create_dir_all(&directory).unwrap();
    (store, directory)
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_was_done_is_listed_with_who_and_to_what() {
    let (store, _) = with_acts("list");
    let all = said(&run(&store, &["audit", "list"]));
    let events: Vec<&str> = all.lines().map(|line| line.split_whitespace().nth(2).unwrap()).collect();
    assert!(events.starts_with(&["token-initialized", "pin-set", "object-created", "key-state", "key-state"]), "{all}");
    assert!(events.ends_with(&["object-destroyed", "checkpoint"]), "{all}");
    assert!(all.lines().all(|line| line.contains("strongroom (")), "each names its program: {all}");
    let states = said(&run(&store, &["audit", "list", "--key", "payroll", "--event", "key-state"]));
    assert_eq!(states.lines().count(), 2);
    assert!(states.lines().next().unwrap().contains("from=enabled id="), "{states}");
    let last = said(&run(&store, &["--json", "audit", "list", "--last", "1"]));
    assert_eq!(json(&last)["data"]["entries"][0]["event"], "checkpoint");
    assert!(said(&run(&store, &["audit", "list", "--key", "nobody"])).contains("nothing"));
}

#[test]
fn an_export_is_verified_with_the_public_key_alone_here_and_by_python() {
    let (store, directory) = with_acts("export");
    let (file, key) = (directory.join("audit.jsonl"), directory.join("audit.pem"));
    fs::write(&key, said(&run(&store, &["audit", "key"]))).unwrap();
    said(&run(&store, &["audit", "export", "--out", path(&file)]));
    let verify = ["audit", "verify", path(&file), "--public-key", path(&key)];
    let whole = said(&store.run(&verify));
    assert!(whole.contains("all 7 entries") && whole.contains("checkpoint 7, is right"), "{whole}");
    let page = include_str!("../../../../docs/format-audit.md");
    let script = page.split("```python check.py\n").nth(1).unwrap().split("```").next().unwrap();
    fs::write(directory.join("check.py"), script).unwrap();
    let python = |file: &std::path::Path| {
        Command::new("python3").arg(directory.join("check.py")).args([file, &key]).output().unwrap()
    };
    let checked = python(&file);
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(
        String::from_utf8_lossy(&checked.stdout),
        "7 entries up to a checkpoint are signed\n7 entries are chained\n"
    );
    let lines = fs::read_to_string(&file).unwrap();
    let changed = directory.join("changed.jsonl");
    fs::write(&changed, lines.replacen("payroll", "payrolI", 1)).unwrap();
    let found = store.run(&["audit", "verify", path(&changed), "--public-key", path(&key)]);
    assert_eq!(found.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&found.stdout).starts_with("entry 3 is not as it was written"), "{found:?}");
    assert!(!python(&changed).status.success());
    // What follows the last checkpoint is chained, and anybody can chain.
    said(&run(&store, &["key", "create", "later", "--kind", "aes-256"]));
    let longer = directory.join("longer.jsonl");
    said(&run(&store, &["audit", "export", "--out", path(&longer)]));
    let found = store.run(&["audit", "verify", path(&longer), "--public-key", path(&key)]);
    assert_eq!(found.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&found.stdout).contains("the 1 after them are chained"), "{found:?}");
    // Piped, it is data only; and it can be read from a pipe.
    let piped = run(&store, &["audit", "export"]);
    assert!(String::from_utf8_lossy(&piped.stdout).starts_with(&lines));
}

#[test]
fn a_head_that_was_kept_elsewhere_shows_an_older_token() {
    let (store, directory) = with_acts("head");
    let backup = directory.join("backup");
    store.copy(&backup);
    said(&run(&store, &["key", "create", "later", "--kind", "aes-256"]));
    let head = directory.join("head.json");
    fs::write(&head, said(&run(&store, &["audit", "head"]))).unwrap();
    let verify = ["audit", "verify", "--head", path(&head)];
    assert!(said(&run(&store, &verify)).starts_with("all 8 entries"));
    said(&run(&store, &["key", "create", "latest", "--kind", "aes-256"]));
    assert!(said(&run(&store, &verify)).starts_with("all 9 entries"), "what came later is no fault");
    let export = directory.join("older.jsonl");
    let key = directory.join("audit.pem");
    fs::write(&key, said(&run(&store, &["audit", "key"]))).unwrap();
    let lines = String::from_utf8(run(&store, &["audit", "export"]).stdout).unwrap();
    let older: Vec<&str> = lines.lines().take(7).collect();
    fs::write(&export, older.join("\n") + "\n").unwrap();
    let file = ["audit", "verify", path(&export), "--public-key", path(&key)];
    assert!(said(&store.run(&file)).starts_with("all 7"), "it is whole, as far as it says itself");
    let found = store.run(&[&file[..], &["--head", path(&head)]].concat());
    assert_eq!(found.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&found.stdout).contains("entry 8 is not the one that was seen"), "{found:?}");
}

#[test]
fn entries_go_to_other_systems_in_their_own_words() {
    let (store, _) = with_acts("formats");
    let lines = |format| {
        let put = run(&store, &["audit", "export", "--format", format, "--after", "2"]);
        String::from_utf8(put.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (cef, syslog) = (lines("cef"), lines("rfc5424"));
    assert_eq!((cef.len(), syslog.len()), (5, 5));
    assert!(
        cef[0].starts_with("CEF:0|strongroom|strongroom|") && cef[0].contains(" strongroomLabel=payroll"),
        "{cef:?}"
    );
    assert!(syslog[0].starts_with("<109>1 20") && syslog[0].contains(" label=\"payroll\""), "{syslog:?}");
}

#[test]
fn what_is_no_export_or_key_is_refused_in_words() {
    let (store, directory) = with_acts("words");
    let key = directory.join("audit.pem");
    fs::write(&key, said(&run(&store, &["audit", "key"]))).unwrap();
    let no_key = directory.join("no.pem");
    fs::write(&no_key, "no key").unwrap();
    let empty = directory.join("empty");
    fs::write(&empty, "").unwrap();
    let refusal = |file: &std::path::Path, key: &std::path::Path| {
        refused(&store.run(&["audit", "verify", path(file), "--public-key", path(key)]))
    };
    assert_eq!(refusal(&directory.join("nothing"), &key).0, 2);
    assert!(refusal(&empty, &key).1.contains("has no entry"));
    assert!(refusal(&no_key, &key).1.contains("--serial"));
    assert!(refusal(&empty, &no_key).1.contains("is not what `audit key` prints"));
}
