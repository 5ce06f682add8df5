//! A secret key that several sessions use: each has a copy, and no copy outlives the key or what it may do.

use std::sync::{Arc, Weak, atomic::AtomicBool, atomic::Ordering};

use super::*;
use crate::object::Object;

/// More than there are copies, so that some sessions share one.
const SESSIONS: usize = 10;

/// The object that a session computes with.
fn used(engine: &Engine, session: SessionHandle, key: ObjectHandle) -> Result<Arc<Object>, Error> {
    let session = engine.session(session)?;
    session.slot.key(&session.recent, key, &Error::KeyHandleInvalid)
}

fn sessions(world: &World) -> Vec<SessionHandle> {
    (0..SESSIONS).map(|_| user_session(&world.engine, SlotId(0))).collect()
}

/// Uses a key in each session, and gives what they computed with.
fn warm(world: &World, sessions: &[SessionHandle], key: ObjectHandle) -> Vec<Weak<Object>> {
    let use_it = |session: &SessionHandle| {
        encrypt(&world.engine, *session, key).unwrap();
        Arc::downgrade(&used(&world.engine, *session, key).unwrap())
    };
    sessions.iter().map(use_it).collect()
}

#[test]
fn two_sessions_that_use_one_secret_key_share_no_count() {
    for token in [false, true] {
        let world = World::new();
        let sessions = sessions(&world);
        let key = world.engine.create_object(sessions[0], aes(token, true)).unwrap();
        for pair in sessions.windows(2) {
            let [one, other] = [pair[0], pair[1]].map(|session| used(&world.engine, session, key).unwrap());
            assert!(!Arc::ptr_eq(&one, &other), "token: {token}");
            assert!(Arc::ptr_eq(&one, &used(&world.engine, pair[0], key).unwrap()), "it is not made anew each time");
        }
    }
}

#[test]
fn a_key_that_is_changed_destroyed_or_logged_out_of_is_so_for_every_session_and_leaves_no_copy() {
    type Event = fn(&World, SessionHandle, ObjectHandle);
    let change: Event = |world, session, key| {
        world.engine.set_attributes(session, key, vec![flag(A::ENCRYPT, false)]).unwrap();
    };
    let destroy: Event = |world, session, key| world.engine.destroy_object(session, key).unwrap();
    let log_out: Event = |world, session, _| world.engine.logout(session).unwrap();
    let events = [
        (change, Error::KeyFunctionNotPermitted),
        (destroy, Error::KeyHandleInvalid),
        (log_out, Error::KeyHandleInvalid),
    ];
    for token in [false, true] {
        for by in [0, 1, SESSIONS - 1] {
            for (event, expected) in &events {
                let world = World::new();
                let sessions = sessions(&world);
                let key = world.engine.create_object(sessions[0], aes(token, true)).unwrap();
                let before = warm(&world, &sessions, key);
                event(&world, sessions[by], key);
                for session in &sessions {
                    assert_eq!(
                        encrypt(&world.engine, *session, key).as_ref(),
                        Err(expected),
                        "token: {token}, by {by}"
                    );
                }
                assert!(before.iter().all(|object| object.upgrade().is_none()), "token: {token}, by {by}");
            }
        }
    }
}

#[test]
fn a_key_that_another_process_destroys_is_gone_for_every_session_and_leaves_no_copy_after_the_next_use() {
    let world = World::new();
    let sessions = sessions(&world);
    let key = world.engine.create_object(sessions[0], aes(true, true)).unwrap();
    let before = warm(&world, &sessions, key);
    let other = world.another_process();
    let theirs = user_session(&other, SlotId(0));
    let [same] = find(&other, theirs, vec![]).unwrap()[..] else { panic!("one key") };
    other.destroy_object(theirs, same).unwrap();
    for session in sessions.iter().rev() {
        assert_eq!(encrypt(&world.engine, *session, key), Err(Error::KeyHandleInvalid));
    }
    assert!(before.iter().all(|object| object.upgrade().is_none()));
}

#[test]
fn a_key_that_is_destroyed_while_sessions_use_it_leaves_no_copy() {
    let world = World::new();
    let sessions = sessions(&world);
    for round in 0..200 {
        let key = world.engine.create_object(sessions[0], aes(round % 2 == 0, true)).unwrap();
        let stop = AtomicBool::new(false);
        let last: Vec<Weak<Object>> = std::thread::scope(|scope| {
            let users: Vec<_> = sessions[1..4]
                .iter()
                .map(|session| {
                    scope.spawn(|| {
                        let mut seen = Weak::new();
                        while !stop.load(Ordering::Relaxed) {
                            match used(&world.engine, *session, key) {
                                Ok(object) => seen = Arc::downgrade(&object),
                                Err(fault) => assert_eq!(fault, Error::KeyHandleInvalid),
                            }
                        }
                        seen
                    })
                })
                .collect();
            world.engine.destroy_object(sessions[0], key).unwrap();
            stop.store(true, Ordering::Relaxed);
            users.into_iter().map(|user| user.join().unwrap()).collect()
        });
        assert!(last.iter().all(|object| object.upgrade().is_none()), "round {round}");
        assert!(sessions.iter().all(|session| used(&world.engine, *session, key).is_err()));
    }
}
