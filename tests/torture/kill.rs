//! Processes that are killed while they change a token.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use cryptoki_sys::*;

use crate::{
    object::{
        create_data, create_key, destroy, find_all, generate_pair, is_key, is_pair, read, read_class, read_label,
        session, set_label, value_of,
    },
    process::{Choices, Journal, Scene, duration},
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
    let end = Instant::now() + duration(7);
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
