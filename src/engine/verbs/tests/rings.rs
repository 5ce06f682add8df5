//! What the officer's ring opens, and what it does not.

use super::*;
use crate::Recovery;

const NEW: &[u8] = b"new-pin";

fn world(recovery: Recovery) -> World {
    World::with(Settings { recovery, ..settings() })
}

/// Lets the officer set the user's PIN.
fn reset(engine: &Engine) {
    let session = engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
    engine.login(session, User::Officer, SO_PIN).unwrap();
    engine.init_pin(session, NEW).unwrap();
    engine.close_session(session).unwrap();
}

fn log_in(engine: &Engine, pin: &[u8]) -> SessionHandle {
    let session = engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
    engine.login(session, User::User, pin).unwrap();
    session
}

/// A private key and a public object on the token; what the key makes of a block.
fn fill(engine: &Engine) -> [u8; 16] {
    let session = user_session(engine, SlotId(0));
    let key = engine.create_object(session, aes(true, true)).unwrap();
    engine.create_object(session, aes(true, false)).unwrap();
    let made = encrypt(engine, session, key).unwrap();
    engine.close_session(session).unwrap();
    made
}

fn private() -> Template {
    vec![flag(A::PRIVATE, true)]
}

fn report(engine: &Engine, session: SessionHandle) -> Vec<String> {
    engine.check_token(session).unwrap().faults
}

#[test]
fn a_user_who_forgot_his_pin_gets_his_objects_back_from_the_officer() {
    let world = world(Recovery::ByOfficer);
    let engine = &world.engine;
    let made = fill(engine);
    reset(engine);
    let session = log_in(engine, NEW);
    let found = find(engine, session, private()).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(encrypt(engine, session, found[0]), Ok(made));
    assert_eq!(report(engine, session), Vec::<String>::new());
}

#[test]
fn the_officer_sees_no_private_object_whatever_is_in_his_ring() {
    for recovery in [Recovery::ByOfficer, Recovery::Never] {
        let world = world(recovery);
        let engine = &world.engine;
        fill(engine);
        let session = engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
        engine.login(session, User::Officer, SO_PIN).unwrap();
        assert_eq!(find(engine, session, private()), Ok(vec![]));
        assert_eq!(find(engine, session, vec![]).unwrap().len(), 1, "the public one");
        assert_eq!(report(engine, session), Vec::<String>::new());
    }
}

#[test]
fn without_recovery_a_new_pin_opens_nothing_that_was_private_and_what_is_lost_is_named() {
    let world = world(Recovery::Never);
    let engine = &world.engine;
    fill(engine);
    reset(engine);
    let session = log_in(engine, NEW);
    assert_eq!(find(engine, session, private()), Ok(vec![]));
    assert_eq!(find(engine, session, vec![]).unwrap().len(), 1, "the public one is there");
    let faults = report(engine, session);
    assert!(faults.len() == 1 && faults[0].contains("lost"), "{faults:?}");

    let key = engine.create_object(session, aes(true, true)).unwrap();
    assert!(encrypt(engine, session, key).is_ok(), "the new ring has a domain key of its own");
    assert_eq!(find(engine, session, private()).unwrap().len(), 1);
    engine.set_pin(session, NEW, PIN).unwrap();
    engine.close_session(session).unwrap();
    let session = log_in(engine, PIN);
    assert_eq!(find(engine, session, private()).unwrap().len(), 1, "a change of the PIN loses nothing");
}

#[test]
fn profile_and_recovery_are_the_tokens_and_not_the_callers() {
    let world = World::with(Settings { profile: crate::Profile::Strict, ..settings() });
    let other = world.another_process();
    let summary = |engine: &Engine| engine.token_summary(SlotId(0)).unwrap();
    assert_eq!(summary(&other).profile, crate::Profile::Strict);
    other.init_token(SlotId(0), SO_PIN, &LABEL).unwrap();
    assert_eq!(summary(&world.engine).profile, crate::Profile::Strict, "also when it is initialised anew");
}

#[test]
fn a_user_who_is_logged_in_when_his_ring_is_replaced_makes_nothing_that_is_lost() {
    let world = world(Recovery::Never);
    let engine = &world.engine;
    let session = user_session(engine, SlotId(0));
    reset(&world.another_process());
    assert_eq!(engine.create_object(session, aes(true, true)), Err(Error::LoginOver));
    assert_eq!(engine.logout(session), Err(Error::UserNotLoggedIn), "that login is over");
    engine.login(session, User::User, NEW).unwrap();
    let key = engine.create_object(session, aes(true, true)).unwrap();
    assert!(encrypt(engine, session, key).is_ok());
}
