//! Processes that are killed while they change a token.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::{Duration, Instant},
};

use cryptoki_sys::*;

use crate::{
    object::{
        create_data, create_key, destroy, find_all, generate_pair, initialize, is_key, is_pair, read, read_class,
        read_label, session, set_label, value_of,
    },
    p11,
    process::{Choices, Journal, Scene, duration},
    raw::{self, WRITABLE, length, text},
};

/// An object: its class, its number, and how often it was given another label.
type Objects = BTreeMap<(CK_OBJECT_CLASS, u64), u64>;

fn label(number: u64, version: u64) -> String {
    format!("{number} {version}")
}

/// Says what is on the token and whether it works; then changes things until somebody kills it.
pub(crate) fn check_and_change() {
    let journal = Journal::open();
    let session = session();
    let mut objects = BTreeMap::new();
    for handle in find_all(session).unwrap() {
        let class = read_class(session, handle).unwrap();
        let label = read_label(session, handle).unwrap();
        let (number, version) = label.split_once(' ').unwrap();
        let (number, version): (u64, u64) = (number.parse().unwrap(), version.parse().unwrap());
        assert!(objects.insert((class, number), (handle, version)).is_none(), "{label} is there twice");
    }
    for (&(class, number), &(handle, version)) in &objects {
        let works = match class {
            CKO_SECRET_KEY => is_key(session, handle, &value_of(number)),
            CKO_DATA => read(session, handle, CKA_VALUE).map(|value| value == value_of(number)),
            CKO_PRIVATE_KEY => match objects.get(&(CKO_PUBLIC_KEY, number)) {
                Some(&(public, _)) => is_pair(session, public, handle),
                None => Ok(true),
            },
            _ => Ok(true),
        };
        assert_eq!(works, Ok(true), "{class} {number} works");
        journal.say(format!("has {class} {number} {version}"));
    }
    journal.say("ready");

    let mut choices = Choices::of_worker();
    let mut next = choices.next() >> 16;
    let mut objects: Vec<_> = objects.into_iter().map(|(name, (handle, version))| (name, handle, version)).collect();
    loop {
        let what = choices.below(if objects.len() < 30 { 10 } else { 16 });
        if objects.is_empty() || what < 5 {
            next += 1;
            match what {
                0 | 1 => {
                    journal.say(format!("will create {CKO_SECRET_KEY} {next}"));
                    let made = create_key(session, true, &label(next, 0), &value_of(next)).unwrap();
                    journal.say("done");
                    objects.push(((CKO_SECRET_KEY, next), made, 0));
                }
                2 => {
                    journal.say(format!("will create {CKO_PUBLIC_KEY} {CKO_PRIVATE_KEY} {next}"));
                    let (public, private) = generate_pair(session, &label(next, 0)).unwrap();
                    journal.say("done");
                    objects.push(((CKO_PUBLIC_KEY, next), public, 0));
                    objects.push(((CKO_PRIVATE_KEY, next), private, 0));
                }
                _ => {
                    journal.say(format!("will create {CKO_DATA} {next}"));
                    let made = create_data(session, &label(next, 0), &value_of(next), (next % 2) as CK_BBOOL).unwrap();
                    journal.say("done");
                    objects.push(((CKO_DATA, next), made, 0));
                }
            }
            continue;
        }
        let at = choices.below(objects.len());
        let ((class, number), handle, version) = objects[at];
        if what < 8 {
            journal.say(format!("will change {class} {number} {}", version + 1));
            set_label(session, handle, &label(number, version + 1)).unwrap();
            journal.say("done");
            objects[at].2 = version + 1;
        } else {
            journal.say(format!("will destroy {class} {number}"));
            destroy(session, handle).unwrap();
            journal.say("done");
            objects.swap_remove(at);
        }
    }
}

/// What a change makes of the objects.
fn apply(change: &str, to: &Objects) -> Objects {
    let words: Vec<_> = change.split(' ').collect();
    let number = |at: usize| words[at].parse::<u64>().unwrap();
    let mut after = to.clone();
    match words[1] {
        "create" => {
            let (number, classes) = words[2..].split_last().unwrap();
            for class in classes {
                after.insert((class.parse().unwrap(), number.parse().unwrap()), 0);
            }
        }
        "change" => {
            after.insert((number(2) as CK_OBJECT_CLASS, number(3)), number(4));
        }
        _ => {
            after.remove(&(number(2) as CK_OBJECT_CLASS, number(3)));
        }
    }
    after
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_instant() {
    let scene = Scene::with_token();
    let mut choices = Choices::new();
    let end = Instant::now() + duration(5);
    // What the token may hold: with or without the change that was under way when the worker was killed.
    let mut possible = BTreeSet::from([Objects::new()]);
    let (mut kills, mut early, mut acknowledged, mut open) = (0, 0, 0, 0);
    while Instant::now() < end {
        let mut worker = scene.start("check and change", choices.next());
        if choices.below(8) == 0 {
            // While it opens what the last one left behind.
            thread::sleep(Duration::from_millis(choices.below(100) as u64));
            early += 1;
        } else {
            if !worker.wait_for("ready", 20) {
                panic!("after {kills} kills: {}", worker.finish(0).unwrap_err());
            }
            if choices.below(2) == 0 {
                // However slow the disk is, something is acknowledged.
                worker.wait_for("done", 20);
            }
            thread::sleep(Duration::from_micros(1000 + choices.below(59_000) as u64));
        }
        let lines = worker.kill();
        kills += 1;
        let Some(ready) = lines.iter().position(|line| line == "ready") else { continue };
        let found: Objects = lines[..ready]
            .iter()
            .map(|line| {
                let words: Vec<u64> = line.split(' ').skip(1).map(|word| word.parse().unwrap()).collect();
                ((words[0] as CK_OBJECT_CLASS, words[1]), words[2])
            })
            .collect();
        assert!(possible.contains(&found), "after {kills} kills: {found:?} is none of {possible:?}");

        let mut now = found;
        possible.clear();
        for pair in lines[ready + 1..].chunks(2) {
            let after = apply(&pair[0], &now);
            if pair.get(1).is_some_and(|line| line == "done") {
                acknowledged += 1;
                now = after;
            } else {
                open += 1;
                possible.insert(after);
            }
        }
        possible.insert(now);
    }
    println!(
        "killed {kills} times ({early} at the start): {acknowledged} changes acknowledged, 0 of them lost; \
         {open} under way, whole or not at all"
    );
    assert!(acknowledged > 0);
}

/// The PINs that are set in turn.
const PINS: [&[u8]; 2] = [b"user-12345", b"user-67890"];

/// Says which PINs are right; then changes it to and fro until somebody kills it.
pub(crate) fn change_pins() {
    let journal = Journal::open();
    initialize();
    let session = raw::open(raw::slots()[0], WRITABLE);
    let right = PINS.map(|pin| raw::login(session, CKU_USER, pin) == CKR_OK && p11!(C_Logout(session)) == CKR_OK);
    journal.say(format!("right {} {}", right[0], right[1]));
    let mut now = usize::from(right[1]);
    journal.say(format!("acknowledged {now}"));
    loop {
        let (old, new) = (PINS[now], PINS[1 - now]);
        journal.say("changing");
        assert_eq!(p11!(C_SetPIN(session, text(old), length(old), text(new), length(new))), CKR_OK);
        now = 1 - now;
        journal.say(format!("acknowledged {now}"));
    }
}

#[test]
fn a_change_of_the_pin_that_is_killed_leaves_the_old_or_the_new_one() {
    let scene = Scene::with_token();
    let mut choices = Choices::new();
    let end = Instant::now() + duration(3);
    let (mut kills, mut changes, mut open) = (0, 0, 0);
    let mut possible = vec![0];
    while Instant::now() < end {
        let mut worker = scene.start("change PINs", choices.next());
        assert!(worker.wait_for("acknowledged", 20), "{}", worker.finish(0).unwrap_err());
        thread::sleep(Duration::from_micros(choices.below(150_000) as u64));
        let lines = worker.kill();
        kills += 1;
        let right = if lines[0] == "right true false" { 0 } else { 1 };
        assert!(right == 0 || lines[0] == "right false true", "one is right: {}", lines[0]);
        assert!(possible.contains(&right), "PIN {right} and not {possible:?}, after {kills} kills");
        changes += lines.iter().filter(|line| *line == "changing").count();
        let last = lines.iter().rev().find_map(|line| line.strip_prefix("acknowledged ")).unwrap().parse().unwrap();
        possible = vec![last];
        if lines.last().unwrap() == "changing" {
            open += 1;
            possible.push(1 - last);
        }
    }
    println!("PINs changed {changes} times, killed {kills} times ({open} in a change): 0 lost");
}

/// Says how many tokens there are, and tries them; says whether the free slot takes another one.
pub(crate) fn try_tokens() {
    let journal = Journal::open();
    initialize();
    let slots = raw::slots();
    let (free, made) = slots.split_last().unwrap();
    let mut users = 0;
    for slot in made {
        let mut info = CK_TOKEN_INFO::default();
        assert_eq!(p11!(C_GetTokenInfo(*slot, &raw mut info)), CKR_OK);
        assert_ne!(info.flags & CKF_TOKEN_INITIALIZED, 0);
        let session = raw::open(*slot, WRITABLE);
        assert_eq!(raw::login(session, CKU_SO, raw::OFFICER_PIN), CKR_OK, "a token that is there is whole");
        p11!(C_Logout(session));
        if info.flags & CKF_USER_PIN_INITIALIZED != 0 {
            users += 1;
            assert_eq!(raw::login(session, CKU_USER, raw::USER_PIN), CKR_OK);
        }
    }
    let mut label = [b' '; 32];
    let pin = raw::OFFICER_PIN;
    assert_eq!(p11!(C_InitToken(*free, text(pin), length(pin), label.as_mut_ptr())), CKR_OK, "the next can be made");
    journal.say(format!("{} {users}", made.len()));
}

#[test]
fn a_token_that_is_killed_while_it_is_made_is_whole_or_not_there() {
    let scene = Scene::new();
    let mut choices = Choices::new();
    let end = Instant::now() + duration(3);
    let (mut kills, mut none, mut officers, mut users) = (0, 0, 0, 0);
    while Instant::now() < end {
        let directory = scene.directory.join(format!("round {kills}"));
        fs::create_dir(&directory).unwrap();
        let worker = scene.start_in(&directory, "make a token", 0, |_| {});
        thread::sleep(Duration::from_micros(choices.below(250_000) as u64));
        worker.kill();
        kills += 1;
        let said = scene.start_in(&directory, "try tokens", 0, |_| {}).finish(20).unwrap();
        match said[0].as_str() {
            "0 0" => none += 1,
            "1 0" => officers += 1,
            "1 1" => users += 1,
            other => panic!("{other}"),
        }
    }
    println!(
        "killed {kills} times while a token was made: {none} times none, {officers} times one without a user's PIN, \
         {users} times a whole one"
    );
}
