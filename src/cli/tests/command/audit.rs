//! `strongroom audit`.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::{Path, PathBuf},
    process::Command,
};

use crate::store::{Store, promised, refused, said, text};

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

fn path(path: &Path) -> &str {
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
    let python =
        |file: &Path| Command::new("python3").arg(directory.join("check.py")).args([file, &key]).output().unwrap();
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

/// The token as it was copied, on a machine that has seen nothing: somebody has put it back who could write both.
fn put_back(store: &Store, copy: &Path) {
    fs::remove_dir_all(store.state()).unwrap();
    for entry in fs::read_dir(copy).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), store.tokens().join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_head_is_added_to_a_file_and_given_to_a_command_a_line_each() {
    let (store, directory) = with_acts("witness");
    let (file, copy) = (directory.join("heads.jsonl"), directory.join("copy"));
    let (to_file, to_command) = (format!("file:{}", path(&file)), format!("cmd:cat >>{}", path(&copy)));
    let head = ["audit", "head", "--to", &to_file, "--to", &to_command];
    let first = said(&run(&store, &head));
    said(&store.run(&["token", "set", "--use-audit", "each", "--so-pin", "env:SO_PIN"]));
    said(&run(&store, &["key", "create", "mac", "--kind", "hmac-sha256"]));
    said(&run(&store, &["mac", "mac", path(&file)]));
    let second = json(&said(&run(&store, &[&["--json"], &head[..]].concat())))["data"].clone();
    let kept = fs::read_to_string(&file).unwrap();
    assert_eq!(kept, format!("{first}{second}\n"));
    assert_eq!(fs::read_to_string(&copy).unwrap(), kept);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for field in promised("audit head") {
        // Of a book that cannot be read there would be this.
        assert!(second.get(&field).or(second["uses"].get(&field)).is_some() || field == "unread", "{field}: {second}");
    }
    assert_eq!((&json(&first)["n"], &second["n"], &second["uses"]["n"]), (&7.into(), &9.into(), &1.into()));
    assert!(json(&first).get("uses").is_none());
    let verified = said(&run(&store, &["audit", "verify", "--head", path(&file)]));
    assert!(verified.contains("the 2 heads of this token in") && !verified.contains("other"), "{verified}");
}

#[test]
fn where_a_head_cannot_go_is_named_and_the_others_get_it() {
    let (store, directory) = with_acts("witness-fails");
    let (file, pipe) = (directory.join("heads.jsonl"), directory.join("pipe"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let good = format!("file:{}", path(&file));
    let bad = [
        ("file:/nonexistent/heads".to_owned(), "No such file"),
        (format!("file:{}", path(&pipe)), "not a regular file"),
        (format!("file:{}", path(&directory)), "not a regular file"),
        ("cmd:exit 3".to_owned(), "exit status: 3"),
    ];
    let places: Vec<&str> = bad.iter().map(|(place, _)| &**place).chain([&*good]).flat_map(|to| ["--to", to]).collect();
    let (code, why) = refused(&run(&store, &[&["audit", "head"], &places[..]].concat()));
    assert_eq!(code, 1);
    for (place, reason) in &bad {
        let said = why.split("; ").find(|part| part.contains(&format!("{place} does not have the head: ")));
        assert!(said.is_some_and(|said| said.contains(reason)), "{place}: {why}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 1, "the good one is tried after them");
    // Syslog, if there is one here.
    let is_there = UnixDatagram::unbound().unwrap().connect("/dev/log").is_ok();
    let logged = run(&store, &["audit", "head", "--to", "syslog", "--to", &good]);
    assert_eq!(logged.status.code(), Some(i32::from(!is_there)), "{logged:?}");
    assert!(is_there || text(&logged.stderr).contains("syslog (/dev/log) does not have the head: "), "{logged:?}");
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
    let (code, why) = refused(&run(&store, &["audit", "head", "--to", path(&file)]));
    assert!(code == 2 && why.contains("must be file:PATH, syslog or cmd:COMMAND"), "{why}");
}

#[test]
fn a_file_of_heads_shows_a_token_that_was_put_back_and_one_that_was_in_between() {
    let (store, directory) = with_acts("witness-back");
    let (older, newer, file) = (directory.join("older"), directory.join("newer"), directory.join("heads.jsonl"));
    let to = format!("file:{}", path(&file));
    let keep = || said(&run(&store, &["audit", "head", "--to", &to]));
    let verify = || run(&store, &["--json", "audit", "verify", "--head", path(&file)]);
    let odd = |output: &std::process::Output| {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let answer = json(&text(&output.stdout));
        assert_eq!(answer["data"]["whole"], false);
        answer["data"]["odd_heads"].clone()
    };
    keep();
    store.copy(&older);
    said(&run(&store, &["key", "create", "later", "--kind", "aes-256"]));
    keep();
    store.copy(&newer);
    let verified = json(&said(&verify()))["data"].clone();
    assert_eq!(
        (&verified["whole"], &verified["heads"], &verified["odd_heads"]),
        (&true.into(), &2.into(), &json("[]"))
    );
    // Cut off at the end, by who can write all of this machine.
    put_back(&store, &older);
    said(&run(&store, &["audit", "verify"]));
    let found = odd(&verify());
    assert!(["line", "n", "why"].iter().all(|field| found[0].get(field).is_some()), "{found}");
    assert_eq!((&found[0]["line"], &found[0]["n"], found.as_array().unwrap().len()), (&2.into(), &8.into(), 1));
    // Something else was done in the place of what was taken away.
    said(&run(&store, &["key", "create", "other", "--kind", "aes-256"]));
    assert_eq!(odd(&verify())[0]["line"], 2);
    keep();
    let found = odd(&verify());
    assert!(found[1]["why"].as_str().unwrap().contains("line 3 of") && found[1]["line"] == 3, "{found}");
    assert!(found[1]["why"].as_str().unwrap().contains("has another entry 8 than line 2 before it"), "{found}");

    // And the newer one back in its place, as if nothing had been.
    put_back(&store, &older);
    fs::write(&file, fs::read_to_string(&file).unwrap().lines().take(2).collect::<Vec<_>>().join("\n")).unwrap();
    keep();
    put_back(&store, &newer);
    keep();
    let words = run(&store, &["audit", "verify", "--head", path(&file)]);
    assert_eq!(words.status.code(), Some(1));
    let words = text(&words.stdout);
    assert!(
        words.starts_with("line 3 of") && words.contains("ends with entry 7, and line 2 before it with 8"),
        "{words}"
    );
    assert!(words.contains("an older state was put back in between") && words.lines().count() == 1, "{words}");
}

#[test]
fn every_head_of_the_token_is_held_against_an_export_and_others_are_skipped() {
    let (store, directory) = with_acts("witness-export");
    let (file, key, export) = (directory.join("heads"), directory.join("audit.pem"), directory.join("audit.jsonl"));
    fs::write(&key, said(&run(&store, &["audit", "key"]))).unwrap();
    said(&run(&store, &["audit", "export", "--out", path(&export)]));
    let other = Store::new("witness-other");
    let to = format!("file:{}", path(&file));
    said(&run(&other, &["audit", "head", "--to", &to]));
    let verify = ["audit", "verify", path(&export), "--public-key", path(&key), "--head", path(&file)];
    let (code, why) = refused(&store.run(&verify));
    assert!(code == 1 && why.contains("has no head of the token with serial number"), "{code} {why}");
    assert_eq!(refused(&run(&store, &["audit", "verify", "--head", path(&file)])).0, 1);
    let head = said(&run(&store, &["audit", "head", "--to", &to]));
    assert!(said(&store.run(&verify)).contains("the head in"));
    said(&run(&store, &["key", "create", "later", "--kind", "aes-256"]));
    for _ in 0..2 {
        said(&run(&store, &["audit", "head", "--to", &to]));
    }
    let found = store.run(&verify);
    assert_eq!(found.status.code(), Some(1));
    assert!(text(&found.stdout).contains(&format!("entry 8 is not the one that was seen (line 3 of {}", path(&file))));
    fs::write(&file, format!("{head}{{\"n\":8\n")).unwrap();
    let torn = store.run(&verify);
    assert_eq!(torn.status.code(), Some(1));
    let words = text(&torn.stdout);
    assert!(words.starts_with("line 2 of") && words.contains("is no head: it was cut off"), "{words}");
    fs::write(&file, "").unwrap();
    assert_eq!(refused(&store.run(&verify)).0, 2);
}

#[test]
fn a_file_of_heads_shows_a_book_of_uses_that_is_older_or_gone() {
    let (store, directory) = with_acts("witness-book");
    let (file, message) = (directory.join("heads"), directory.join("message"));
    fs::write(&message, "a message").unwrap();
    let to = format!("file:{}", path(&file));
    said(&store.run(&["token", "set", "--use-audit", "each", "--so-pin", "env:SO_PIN"]));
    said(&run(&store, &["key", "create", "mac", "--kind", "hmac-sha256"]));
    let used = || said(&run(&store, &["mac", "mac", path(&message)]));
    used();
    let book = || {
        let mut files = fs::read_dir(store.state()).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|extension| extension == "uses")).unwrap()
    };
    let (book, older) = (book(), directory.join("older.uses"));
    fs::copy(&book, &older).unwrap();
    used();
    said(&run(&store, &["audit", "head", "--to", &to]));
    let verify = || run(&store, &["audit", "verify", "--head", path(&file)]);
    said(&verify());
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", path(&book)));
    }
    fs::copy(&older, &book).unwrap();
    let found = verify();
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    assert!(text(&found.stdout).starts_with("use 2 of book "), "{found:?}");
    said(&run(&store, &["audit", "head", "--to", &to]));
    assert!(text(&verify().stdout).contains("ends with use 1, and line 1 before it with 2"));
    fs::remove_file(&book).unwrap();
    fs::write(&file, fs::read_to_string(&file).unwrap().lines().next().unwrap()).unwrap();
    let gone = said(&verify());
    assert!(gone.contains("they are of other machines, or were removed from this one"), "{gone}");
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
    let refusal =
        |file: &Path, key: &Path| refused(&store.run(&["audit", "verify", path(file), "--public-key", path(key)]));
    assert_eq!(refusal(&directory.join("nothing"), &key).0, 2);
    assert!(refusal(&empty, &key).1.contains("has no entry"));
    assert!(refusal(&no_key, &key).1.contains("--serial"));
    assert!(refusal(&empty, &no_key).1.contains("is not what `audit key` prints"));
}
