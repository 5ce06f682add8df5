//! PINs that are guessed by processes that are killed.

use std::{
    thread,
    time::{Duration, Instant},
};

use cryptoki_sys::*;

use crate::{
    object::{finalize, initialize},
    process::{Choices, Journal, Scene, Worker, duration},
    raw::{self, OFFICER_PIN, SERIAL, USER_PIN, WRITABLE},
};

/// The setting's default.
const LIMIT: usize = 10;

/// Guesses until the PIN is locked, or somebody kills it.
pub(crate) fn guess() {
    let journal = Journal::open();
    initialize();
    let session = raw::open(raw::slots()[0], SERIAL);
    loop {
        journal.say("guess");
        let rv = raw::login(session, CKU_USER, b"wrong-12345");
        journal.say(format!("answer {rv:#x}"));
        if rv != CKR_PIN_INCORRECT {
            break;
        }
    }
    finalize();
}

/// Says what the right PIN gives.
pub(crate) fn right_pin() {
    let journal = Journal::open();
    initialize();
    let session = raw::open(raw::slots()[0], SERIAL);
    journal.say(format!("answer {:#x}", raw::login(session, CKU_USER, USER_PIN)));
    finalize();
}

/// Sets the user's PIN again, which unlocks it.
pub(crate) fn unlock() {
    initialize();
    let session = raw::open(raw::slots()[0], WRITABLE);
    assert_eq!(raw::login(session, CKU_SO, OFFICER_PIN), CKR_OK);
    let pin = raw::text(USER_PIN);
    assert_eq!(crate::p11!(C_InitPIN(session, pin, raw::length(USER_PIN))), CKR_OK);
    finalize();
}

#[test]
fn a_wrong_pin_is_counted_whatever_happens() {
    let scene = Scene::with_token();
    let mut choices = Choices::new();
    let end = Instant::now() + duration(5);
    let (mut rounds, mut kills, mut guesses, mut answers, mut most) = (0, 0, 0, 0, 0);
    while Instant::now() < end {
        rounds += 1;
        let (mut begun, mut answered, mut locked) = (0, 0, false);
        // At most two of them at a time: what is raced for is the count.
        while !locked {
            let mut workers: Vec<Worker> =
                (0..=choices.below(2)).map(|_| scene.start("guess", choices.next())).collect();
            for worker in &mut workers {
                worker.wait_for("guess", 20);
            }
            // A guess takes some tens of milliseconds.
            let most = if choices.below(10) == 0 { 1_500_000 } else { 90_000 };
            thread::sleep(Duration::from_micros(choices.below(most) as u64));
            for worker in workers {
                let lines = worker.kill();
                kills += 1;
                begun += lines.iter().filter(|line| *line == "guess").count();
                for answer in lines.iter().filter_map(|line| line.strip_prefix("answer ")) {
                    match answer {
                        _ if answer == format!("{CKR_PIN_INCORRECT:#x}") => answered += 1,
                        _ if answer == format!("{CKR_PIN_LOCKED:#x}") => locked = true,
                        other => panic!("a wrong PIN gives {other}"),
                    }
                }
            }
            assert!(answered <= LIMIT, "{answered} wrong PINs were answered in round {rounds}");
            assert!(begun < 1000, "{begun} guesses and no lock");
        }
        assert_eq!(scene.run("right pin", 0, 20).unwrap(), [format!("answer {CKR_PIN_LOCKED:#x}")], "it stays locked");
        scene.run("unlock", 0, 20).unwrap();
        assert_eq!(scene.run("right pin", 0, 20).unwrap(), ["answer 0x0"], "the officer unlocks");
        guesses += begun;
        answers += answered;
        most = most.max(answered);
    }
    println!(
        "{rounds} times to the lock with {kills} kills: {guesses} guesses begun, {answers} answered as wrong, \
         at most {most} of {LIMIT} in a row"
    );
}
