//! `strongroom top`: a picture that is printed, and one that lives in a terminal.

use std::{fs, process::Command, time::Duration};

use expectrl::{Eof, Expect, Session, session::OsSession};
use serde_json::Value as Json;

use crate::store::{PIN, Store, promised, refused, said};

/// What a terminal is told when a program takes a screen of its own, and when it gives it back.
const SCREEN: &str = "\u{1b}[?1049h";
const BACK: &str = "\u{1b}[?1049l";

fn run(store: &Store, arguments: &[&str]) -> String {
    let mut command = store.command(&[arguments, &["--pin", "env:PIN"]].concat());
    said(&command.env_remove("COLUMNS").output().unwrap())
}

/// A token with a key that was used three times and refused once, one that is due in 60 days, and one that was deleted.
fn used(name: &str) -> Store {
    let store = Store::new(name);
    said(&store.run(&["token", "set", "--use-audit", "each", "--deletion-days", "30", "--so-pin", "env:SO_PIN"]));
    for (key, kind) in [("payroll", "hmac-sha256"), ("web", "p256"), ("old", "p384")] {
        run(&store, &["key", "create", key, "--kind", kind]);
    }
    let message = store.0.join("message");
    fs::write(&message, "a message").unwrap();
    let mac = ["mac", "payroll", message.to_str().unwrap()];
    (0..3).for_each(|_| drop(run(&store, &mac)));
    run(&store, &["key", "disable", "payroll"]);
    refused(&store.run(&[&mac[..], &["--pin", "env:PIN"]].concat()));
    run(&store, &["key", "rotate", "web", "--every", "60d"]);
    run(&store, &["key", "delete", "old", "--yes"]);
    store
}

#[test]
fn one_picture_is_printed_with_keys_uses_what_is_due_and_alarms() {
    let store = used("top-once");
    let text = run(&store, &["top", "--once"]);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let line = |start: &str| {
        let found = text.lines().find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("{start}:\n{text}"))
    };
    assert!(line("mine  ").contains("compatible serial "), "{text}");
    assert!(line("uses: each, ").ends_with("3 in all, 1 refused"), "{text}");
    assert!(line("PIN: set") == "PIN: set" && line("audit: ").contains("are as they were written"), "{text}");
    let payroll = line("payroll ");
    assert!(payroll.contains("disabled") && payroll.contains("  3 !1  ") && payroll.contains(" strongroom"), "{text}");
    assert!(line("old        p384 ").contains("pending, gone 20") && line("web ").contains("rotation 20"), "{text}");
    let alarm = "key-state by strongroom: CKA_SIGN was wanted of the key 'payroll'";
    for words in ["key is to be rotated: web", "deleted key is gone for good: old", alarm] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    assert!(!text.contains('\u{1b}') && !text.contains("q quit"), "{text}");
    let narrow = store.command(&["top", "--once", "--pin", "env:PIN"]).env("COLUMNS", "50").output().unwrap();
    let narrow = said(&narrow);
    assert!(narrow.contains("payroll") && narrow.lines().all(|line| line.chars().count() <= 50), "{narrow}");
}

#[test]
fn programs_are_told_the_same_numbers() {
    let store = used("top-json");
    let told: Json = serde_json::from_str(&run(&store, &["--json", "top", "--once"])).unwrap();
    let data = &told["data"];
    for field in promised("top --once") {
        assert!(data.get(&field).is_some(), "{field}: {data}");
    }
    let key = |label: &str| data["keys"].as_array().unwrap().iter().find(|key| key["label"] == label).unwrap();
    let payroll = key("payroll");
    assert_eq!((&payroll["uses"]["total"], &payroll["uses"]["refused"]), (&3.into(), &1.into()), "{payroll}");
    // Three within the minute before, unless this took longer.
    assert!(payroll["uses"]["per_second"].as_f64().unwrap() <= 0.05 && payroll["state"] == "disabled", "{payroll}");
    assert_eq!(payroll["uses"]["last"]["program"], "strongroom");
    assert!(key("old")["gone_at"].is_u64() && key("old")["state"] == "pending deletion", "{data}");
    assert_eq!(key("web")["due"]["event"], "rotation");
    let lately = data["uses"]["lately"]["uses"].as_array().unwrap();
    assert_eq!((lately.iter().filter_map(Json::as_u64).sum::<u64>(), &data["uses"]["total"]), (3, &3.into()));
    assert_eq!(data["token"]["use_audit"], "each");
    assert_eq!(data["alarms"][0]["alarm"], "key-state", "{data}");
}

#[test]
fn a_token_that_writes_no_uses_down_says_so_and_shows_no_number_for_them() {
    let store = Store::new("top-off");
    run(&store, &["key", "create", "k", "--kind", "p256"]);
    let text = run(&store, &["top", "--once"]);
    assert!(text.contains("uses: off, none is written down") && text.contains("--use-audit counted"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("k ") && line.contains("not kept")), "{text}");
    let told: Json = serde_json::from_str(&run(&store, &["--json", "top", "--once"])).unwrap();
    assert!(told["data"]["uses"].is_null() && told["data"]["keys"][0]["uses"].is_null(), "{told}");
}

#[test]
fn without_a_terminal_or_with_what_cannot_be_it_says_what_to_do() {
    let store = Store::new("top-refused");
    for (arguments, code, words) in [
        (&["top"][..], 2, "`top --once` prints one picture, `strongroom report`"),
        (&["top"], 2, "`strongroom metrics`"),
        (&["top", "--every", "0"], 2, "0 is not in 1..="),
        (&["top", "--once", "--token", "none"], 3, "there is no token 'none'"),
    ] {
        let (found, why) = refused(&store.run(&[arguments, &["--pin", "env:PIN"]].concat()));
        assert!(found == code && why.contains(words), "{arguments:?}: {found} {why}");
    }
    let (code, why) = refused(&store.run(&["top", "--once", "--pin", "env:WRONG"]));
    assert!(code == 4 && why.contains("CKR_PIN_INCORRECT"), "{code} {why}");
    let output = store.run(&["top", "--json", "--pin", "env:PIN"]);
    let told: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told["error"]["message"].as_str().unwrap().contains("--json wants --once"), "{told}");
}

/// The live picture in a terminal of a shell, which says how the terminal was before, how it is afterwards, and how it ended.
fn live(store: &Store, more: &[&str]) -> OsSession {
    let top = store.command(&[&["top", "--every", "1"], more].concat());
    let mut shell = Command::new("sh");
    let script = "stty cols 100 rows 30; echo before $(stty -g); \"$@\"; echo ended with $? after $(stty -g)";
    shell.args(["-c", script, "sh"]).arg(top.get_program()).args(top.get_args()).env("TERM", "xterm");
    for (name, value) in top.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut session = Session::spawn(shell).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(30)));
    session
}

/// The settings of the terminal, which the shell tells before.
fn settings(session: &mut OsSession) -> String {
    session.expect("before ").unwrap();
    let line = session.expect("\n").unwrap();
    String::from_utf8_lossy(line.before()).trim().to_owned()
}

/// What comes to the end.
fn rest(mut session: OsSession) -> String {
    let end = session.expect(Eof).unwrap();
    String::from_utf8_lossy(end.as_bytes()).into_owned()
}

/// That it ended so, the screen was given back before anything else was said, and the terminal is as it was.
fn assert_ended(end: &str, code: u8, settings: &str) {
    let (before, after) = end.split_once("ended with ").unwrap_or_else(|| panic!("{end:?}"));
    assert_eq!(after.trim(), format!("{code} after {settings}"), "{end:?}");
    let back = before.rfind(BACK).unwrap_or_else(|| panic!("{end:?}"));
    assert!(before.rfind(SCREEN).is_none_or(|at| at < back), "{end:?}");
    assert!(before.contains("\u{1b}[?25h"), "the cursor is seen: {end:?}");
    assert!(before.rfind("strongroom: token").is_none_or(|at| at > back), "{end:?}");
}

#[test]
fn it_lives_in_a_terminal_until_q_and_gives_the_terminal_back() {
    let store = used("top-live");
    let mut session = live(&store, &[]);
    let before = settings(&mut session);
    session.expect("PIN: ").unwrap();
    session.send_line(PIN).unwrap();
    session.expect(SCREEN).unwrap();
    session.expect("payroll").unwrap();
    session.send("?").unwrap();
    session.expect("arrows,").unwrap();
    // Of the help, not of the picture.
    session.send("q").unwrap();
    session.send("/").unwrap();
    session.send("web").unwrap();
    session.expect("of 3 keys, with").unwrap();
    session.send("\u{1b}").unwrap();
    session.expect("keys─").unwrap();
    session.send("q").unwrap();
    let end = rest(session);
    assert!(!end.contains(PIN), "{end:?}");
    assert_ended(&end, 0, &before);
}

#[test]
fn what_others_do_is_seen_at_the_next_look() {
    let store = used("top-others");
    let mut session = live(&store, &["--pin", "env:PIN"]);
    let before = settings(&mut session);
    session.expect("3 keys").unwrap();
    run(&store, &["key", "create", "fresh", "--kind", "hmac-sha256"]);
    session.expect("fresh").unwrap();
    run(&store, &["key", "disable", "web"]);
    session.expect("disabled").unwrap();
    run(&store, &["mac", "fresh", store.0.join("message").to_str().unwrap()]);
    session.expect("strongroom").unwrap();
    session.send(expectrl::ControlCode::EndOfText).unwrap();
    let end = rest(session);
    assert_ended(&end, 0, &before);
}

#[test]
fn asked_to_end_by_a_signal_it_gives_the_terminal_back() {
    let store = used("top-signal");
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut session = live(&store, &["--pin", &format!("cmd:echo $PPID > '{}'; echo {PIN}", pid(&store))]);
        let before = settings(&mut session);
        session.expect("3 keys").unwrap();
        let process = fs::read_to_string(pid(&store)).unwrap();
        let sent = Command::new("kill").args([&format!("-{signal}"), process.trim()]).status().unwrap();
        assert!(sent.success());
        let end = rest(session);
        assert_ended(&end, code, &before);
    }
}

#[test]
fn an_interrupt_at_the_prompt_for_the_pin_ends_it_without_a_picture() {
    let store = Store::new("top-interrupt");
    let mut session = Session::spawn(store.command(&["top"])).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(30)));
    session.expect("PIN: ").unwrap();
    session.send(expectrl::ControlCode::EndOfText).unwrap();
    assert!(!rest(session).contains(SCREEN));
}

/// The file with the number of the process that has asked for a PIN.
fn pid(store: &Store) -> String {
    store.0.join("pid").display().to_string()
}

#[test]
fn a_login_that_is_lost_and_a_token_that_is_gone_end_it_with_the_reason_below_the_picture() {
    let officer = ["--so-pin", "env:SO_PIN"];
    for (change, code, words) in [
        (&["token", "rotate-keys", "--pin", "env:PIN"][..], 5, "CKR_USER_NOT_LOGGED_IN"),
        (&["token", "delete", "--label", "mine"], 1, "there is no such token [CKR_DEVICE_REMOVED]"),
    ] {
        let store = used("top-lost");
        said(&store.run(&[&["token", "set", "--deletion-days", "0"], &officer[..]].concat()));
        let mut session = live(&store, &["--pin", "env:PIN"]);
        let before = settings(&mut session);
        session.expect("3 keys").unwrap();
        said(&store.run(&[change, &officer].concat()));
        let end = rest(session);
        assert!(end.contains("strongroom: token 'mine': ") && end.contains(words), "{end:?}");
        assert_ended(&end, code, &before);
    }
}
