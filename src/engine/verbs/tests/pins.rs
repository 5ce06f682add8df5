//! Counting PINs, and changing them, when others do it too.

use std::{fs, thread};

use store::faulty::{Fault, Span, Verb, When};

use super::*;

const WRONG: &[u8] = b"wrong-pin";
const NEW: &[u8] = b"new-pin";
/// What the token of the tests allows.
const TRIES: usize = 3;

fn session(engine: &Engine) -> SessionHandle {
    engine.open_session(SlotId(0), Access::ReadWrite).unwrap()
}

/// Logs in and out again.
fn try_pin(engine: &Engine, pin: &[u8]) -> Result<(), Error> {
    let session = session(engine);
    let outcome = engine.login(session, User::User, pin);
    engine.close_session(session).unwrap();
    outcome
}

fn flags(engine: &Engine) -> u64 {
    engine.token_info(SlotId(0)).unwrap().flags & 0x0077_0000
}

#[test]
fn the_last_wrong_pin_locks_and_the_flags_say_how_many_are_left() {
    let world = World::new();
    let engine = &world.engine;
    assert_eq!(flags(engine), 0);
    assert_eq!(try_pin(engine, WRONG), Err(Error::PinIncorrect));
    assert_eq!(flags(engine), 0x1_0000, "COUNT_LOW");
    assert_eq!(try_pin(engine, PIN), Ok(()));
    assert_eq!(flags(engine), 0, "a right PIN forgives");
    assert_eq!(try_pin(engine, WRONG), Err(Error::PinIncorrect));
    assert_eq!(try_pin(engine, WRONG), Err(Error::PinIncorrect));
    assert_eq!(flags(engine), 0x3_0000, "COUNT_LOW and FINAL_TRY");
    assert_eq!(try_pin(engine, WRONG), Err(Error::PinLocked));
    assert_eq!(flags(engine), 0x5_0000, "COUNT_LOW and LOCKED");
    assert_eq!(try_pin(engine, PIN), Err(Error::PinLocked), "also the right one");

    let session = session(engine);
    engine.login(session, User::Officer, SO_PIN).unwrap();
    engine.init_pin(session, NEW).unwrap();
    engine.close_session(session).unwrap();
    assert_eq!(flags(engine), 0);
    assert_eq!(try_pin(engine, NEW), Ok(()));
}

#[test]
fn a_pin_that_cannot_be_one_is_wrong_and_not_counted() {
    let world = World::new();
    for pin in [&b""[..], b"123", &[b'x'; 256]] {
        for _ in 0..2 * TRIES {
            assert_eq!(try_pin(&world.engine, pin), Err(Error::PinIncorrect));
        }
    }
    assert_eq!(flags(&world.engine), 0);
    let session = user_session(&world.engine, SlotId(0));
    for pin in [&b""[..], b"123", &[b'x'; 256]] {
        assert_eq!(world.engine.set_pin(session, PIN, pin), Err(Error::PinLenRange), "where one is set");
    }
}

#[test]
fn a_pin_is_not_tried_unless_it_is_counted() {
    let world = World::new();
    let full = || store::Error::Full("no room".to_owned());
    for verb in [Verb::Turn, Verb::Count, Verb::Set] {
        world.plan.fail(Fault { verb: Some(verb), nth: 1, when: When::Before, span: Span::Lasting, error: full() });
        for _ in 0..2 * TRIES {
            for pin in [WRONG, PIN] {
                assert_eq!(try_pin(&world.engine, pin), Err(Error::Store(full())), "{verb:?}");
            }
        }
        world.plan.heal();
    }
    assert_eq!(try_pin(&world.engine, PIN), Ok(()), "nothing was counted either");
}

#[test]
fn where_counts_cannot_be_written_the_token_can_still_be_used() {
    let world = World::new();
    let error = store::Error::ReadOnly("a mount".to_owned());
    world.plan.fail(Fault { verb: Some(Verb::Turn), nth: 1, when: When::Before, span: Span::Lasting, error });
    assert_eq!(try_pin(&world.engine, WRONG), Err(Error::PinIncorrect));
    assert_eq!(try_pin(&world.engine, PIN), Ok(()));
}

#[test]
fn a_lost_count_leaves_one_try() {
    let world = World::new();
    world.plan.lose_count("2");
    assert_eq!(flags(&world.engine), 0x3_0000, "the flags say so");
    assert_eq!(try_pin(&world.engine, PIN), Ok(()), "the right PIN sets it right");
    assert_eq!(flags(&world.engine), 0);
    world.plan.lose_count("2");
    assert_eq!(try_pin(&world.engine, WRONG), Err(Error::PinLocked), "a wrong one was the last");
    assert_eq!(try_pin(&world.engine, PIN), Err(Error::PinLocked));
}

#[test]
fn thirty_two_logins_at_once_with_the_right_pin_all_succeed() {
    let world = World::new();
    let processes: Vec<_> = (0..4).map(|_| world.another_process()).collect();
    thread::scope(|scope| {
        for process in &processes {
            for _ in 0..8 {
                scope.spawn(|| {
                    let session = session(process);
                    match process.login(session, User::User, PIN) {
                        Ok(()) | Err(Error::UserAlreadyLoggedIn) => {}
                        Err(fault) => panic!("{fault}"),
                    }
                });
            }
        }
    });
    assert_eq!(flags(&world.engine), 0);
}

#[test]
fn many_guessers_at_once_get_no_more_tries_than_one() {
    let world = World::new();
    let answers = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| answers.lock().unwrap().push(try_pin(&world.another_process(), WRONG)));
        }
    });
    let answers = answers.into_inner().unwrap();
    let incorrect = answers.iter().filter(|answer| **answer == Err(Error::PinIncorrect)).count();
    assert_eq!(incorrect, TRIES - 1, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer, Err(Error::PinIncorrect | Error::PinLocked))));
}

#[test]
fn tries_are_the_tokens_and_not_the_callers() {
    let world = World::new();
    let generous = world.process_with(Settings { pin_tries: 1000, ..settings() });
    for _ in 0..TRIES {
        let _ = try_pin(&generous, WRONG);
    }
    assert_eq!(try_pin(&generous, PIN), Err(Error::PinLocked));
}

#[test]
fn of_four_changes_of_one_pin_at_once_the_one_that_is_acknowledged_holds() {
    let world = World::new();
    let pins: [&[u8]; 4] = [b"first", b"second", b"third", b"fourth"];
    let processes: Vec<_> = pins.iter().map(|_| world.another_process()).collect();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let change = |(process, pin): (&Arc<Engine>, &'static [u8])| {
            let process = Arc::clone(process);
            scope.spawn(move || process.set_pin(session(&process), PIN, pin))
        };
        let threads: Vec<_> = processes.iter().zip(pins).map(change).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    let holds = outcomes.iter().position(Result::is_ok).unwrap();
    // The three that were late had the wrong old PIN by then, which has locked the user out.
    world.plan.lose_count("2");
    assert_eq!(try_pin(&world.engine, pins[holds]), Ok(()));
}

#[test]
fn a_pin_that_the_officer_sets_is_not_undone_by_a_change_under_way() {
    let world = World::new();
    let other = world.another_process();
    let ours = session(&world.engine);
    // After the old PIN was found right, and before the new one is written.
    world.plan.meanwhile(Verb::Commit, 1, move || {
        let officer = session(&other);
        other.login(officer, User::Officer, SO_PIN).unwrap();
        other.init_pin(officer, b"officers-choice").unwrap();
    });
    assert_eq!(world.engine.set_pin(ours, PIN, NEW), Err(Error::PinIncorrect), "the old PIN is not right any more");
    assert_eq!(try_pin(&world.engine, b"officers-choice"), Ok(()));
}

#[test]
fn a_pin_that_is_made_dearer_at_a_login_does_not_come_back_after_a_change() {
    let world = World::new();
    let path = std::env::temp_dir().join(format!("strongroom-secret-{}", std::process::id()));
    fs::write(&path, [7; 32]).unwrap();
    let with_secret = Settings { store_secret: Some(path.clone()), ..settings() };
    let ours = world.process_with(with_secret.clone());
    let other = world.process_with(with_secret);
    // The login wants to put the store secret in; meanwhile the PIN is changed.
    world.plan.meanwhile(Verb::Commit, 1, move || {
        let theirs = session(&other);
        // It needs the turn that the login has given back by now.
        other.set_pin(theirs, PIN, NEW).unwrap();
    });
    assert_eq!(try_pin(&ours, PIN), Ok(()), "it was right when it was tried");
    assert_eq!(try_pin(&ours, PIN), Err(Error::PinIncorrect), "and is not any more");
    assert_eq!(try_pin(&ours, NEW), Ok(()));
    fs::remove_file(path).unwrap();
}

#[test]
fn a_pin_that_cannot_be_tried_for_want_of_the_store_secret_is_not_counted() {
    let world = World::new();
    let path = std::env::temp_dir().join(format!("strongroom-secret-2-{}", std::process::id()));
    fs::write(&path, [7; 32]).unwrap();
    let with_secret = world.process_with(Settings { store_secret: Some(path.clone()), ..settings() });
    assert_eq!(try_pin(&with_secret, PIN), Ok(()), "from now on the PIN needs the secret");
    for _ in 0..2 * TRIES {
        assert!(matches!(try_pin(&world.engine, PIN), Err(Error::Store(store::Error::Unreadable(_)))));
    }
    assert_eq!(flags(&with_secret), 0);
    assert_eq!(try_pin(&with_secret, PIN), Ok(()));
    fs::remove_file(path).unwrap();
}

#[test]
fn where_counts_cannot_be_written_a_locked_pin_stays_locked_and_a_strict_token_tries_none() {
    let read_only = |world: &World| {
        let error = store::Error::ReadOnly("a mount".to_owned());
        world.plan.fail(Fault { verb: Some(Verb::Turn), nth: 1, when: When::Before, span: Span::Lasting, error });
    };
    let world = World::new();
    for _ in 0..TRIES {
        let _ = try_pin(&world.engine, WRONG);
    }
    read_only(&world);
    assert_eq!(try_pin(&world.engine, PIN), Err(Error::PinLocked), "what can be read counts");

    let strict = World::with(Settings { profile: crate::Profile::Strict, ..settings() });
    read_only(&strict);
    assert!(matches!(try_pin(&strict.engine, PIN), Err(Error::Store(store::Error::ReadOnly(_)))));
}
