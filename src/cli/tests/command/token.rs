//! `strongroom token`, as its user runs it and as the system kills it.

use std::{fs, process::Stdio, thread, time::Duration};

use crate::store::{Store, text};
use engine::Report;

#[test]
fn the_command_rotates_and_says_what_it_did() {
    let store = Store::new("rotates");
    store.fill(10);
    let wrong = store.rotate("env:WRONG");
    assert_eq!(wrong.status.code(), Some(4), "{wrong:?}");
    let done = store.rotate("env:PIN");
    assert_eq!(text(&done.stdout), "The token has new keys: 10 objects are sealed anew.\n", "{done:?}");
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), String::new()), "no bar where there is no terminal");
    let json = ["--json", "token", "rotate-keys", "--slot", "0", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"];
    let said = text(&store.run(&json).stdout);
    assert_eq!(said, "{\"data\":{\"left\":[],\"sealed\":10,\"start\":\"new keys\"},\"ok\":true}\n");
    assert_eq!(store.check(), Report { whole: 10, faults: vec![] });
    let doctor = store.run(&["doctor", "--slot", "0", "--pin", "env:PIN"]);
    assert!(text(&doctor.stdout).starts_with("10 objects are whole\nnothing is wrong\n"), "{doctor:?}");
}

#[test]
fn the_officer_changes_the_rules_of_a_token_and_no_rule_is_a_wrong_usage() {
    let store = Store::new("rules");
    let set = |rules: &[&str]| {
        let given = ["token", "set", "--slot", "0", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"];
        store.run(&[&given[..], rules].concat())
    };
    let done = set(&["--profile", "strict", "--recovery", "never", "--pin-tries", "5", "--pin-passes", "3"]);
    let said = text(&done.stdout);
    assert!(
        said.contains("profile strict, recovery never, use audit off\nkeys that are deleted are gone at once\n5 wrong PINs in a row lock; a PIN costs 65536 KiB"),
        "{done:?}"
    );
    assert_eq!(set(&[]).status.code(), Some(2));
    assert_eq!(set(&["--pin-passes", "1"]).status.code(), Some(2));
    assert_eq!(store.check(), Report { whole: 0, faults: vec![] });
}

#[test]
fn a_token_file_from_before_a_rotation_is_noticed_after_it() {
    let store = Store::new("rotated-back");
    store.fill(4);
    let backup = store.0.join("backup");
    store.copy(&backup);
    assert!(store.rotate("env:PIN").status.success());
    for entry in fs::read_dir(&backup).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), store.tokens().join(entry.file_name())).unwrap();
    }
    let changes = [
        &["pin", "set", "--pin", "env:PIN", "--new-pin", "env:PIN"][..],
        &["token", "set", "--pin-tries", "5", "--so-pin", "env:SO_PIN"],
        &["token", "rotate-keys", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"],
        &["doctor", "--slot", "0", "--pin", "env:PIN"],
    ];
    for arguments in changes {
        let refused = store.run(arguments);
        assert!(text(&refused.stderr).contains("older than it was"), "{arguments:?}: {refused:?}");
    }
    let accepted = store.run(&["token", "accept-rollback", "--slot", "0", "--so-pin", "env:SO_PIN"]);
    assert!(accepted.status.success(), "{accepted:?}");
    assert_eq!(store.check(), Report { whole: 4, faults: vec![] });
}

#[test]
fn a_rotation_that_is_killed_at_any_instant_loses_nothing_and_goes_on() {
    const OBJECTS: u64 = 1500;
    let store = Store::new("killed");
    store.fill(OBJECTS);
    let (mut unfinished, mut wait, mut kills) = (0, 20, 0);
    // However slow the machine is, some kills are in the middle.
    while kills < 24 || unfinished < 3 && kills < 200 {
        kills += 1;
        let mut rotation = store.start();
        thread::sleep(Duration::from_millis(wait));
        let finished = rotation.try_wait().unwrap().is_some();
        // Only ours: it is our child, and not waited for yet.
        let _ = rotation.kill();
        rotation.wait().unwrap();
        // From early to late, and early again once it is too late to interrupt anything.
        wait = if finished { 30 } else { wait + 25 };
        let report = store.check();
        assert_eq!(report.whole, OBJECTS, "{:?}", report.faults);
        match &*report.faults {
            [] => {}
            [fault] if fault.contains("unfinished") => unfinished += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(unfinished > 0, "none of {kills} kills was in the middle");
    let done = store.rotate("env:PIN");
    assert!(done.status.success(), "{done:?}");
    assert_eq!(store.check(), Report { whole: OBJECTS, faults: vec![] });
}

#[test]
fn a_token_that_is_killed_while_it_is_made_anew_is_the_old_one_or_the_new_one() {
    let store = Store::new("killed-anew");
    let (mut olds, mut news, mut wait) = (0, 0, 5);
    for round in 0..24 {
        let old = store.check().whole;
        if old == 0 {
            store.fill(40);
        }
        let mut command = store.command(&["token", "reinit", "--label", "mine", "--so-pin", "env:SO_PIN"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(wait));
        let finished = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        child.wait().unwrap();
        // Also a machine that is busy comes to the end of it.
        wait = if finished { 5 } else { wait + wait / 2 + 6 };
        let reset = ["pin", "reset", "--so-pin", "env:SO_PIN", "--new-pin", "env:PIN"];
        assert!(store.run(&reset).status.success(), "the officer's PIN is right, in round {round}");
        let report = store.check();
        assert_eq!(report.faults, Vec::<String>::new());
        match report.whole {
            40 => olds += 1,
            0 => news += 1,
            some => panic!("{some} of 40 objects"),
        }
    }
    assert!(olds > 0 && news > 0, "{olds} old, {news} new");
}
