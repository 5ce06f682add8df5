//! Keys that unwrap once (CKA_SR_IMPORT_UNTIL).

use std::{
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use store::faulty::Verb;

use super::*;
use crate::alarms;

const KWP: Mechanism = Mechanism { id: MechanismType::AES_KEY_WRAP_KWP, params: Params::None };

/// A key of the token that unwraps once, until a time, and what it unwraps.
fn once(engine: &Engine, session: SessionHandle, until: u64) -> Vec<u8> {
    let template = vec![
        flag(A::TOKEN, true),
        flag(A::WRAP, true),
        flag(A::UNWRAP, true),
        (A::LABEL, Value::bytes("once")),
        (A::VALUE_LEN, Value::Number(32)),
        (A::SR_IMPORT_UNTIL, Value::Number(until)),
    ];
    let generate = Mechanism { id: MechanismType::AES_KEY_GEN, params: Params::None };
    let by = engine.generate_key(session, &generate, template).unwrap();
    let key = engine.create_object(session, aes(false, true)).unwrap();
    let mut wrapped = vec![0; 24];
    engine.wrap_key(session, &KWP, by, key, Output::Buffer(&mut wrapped)).unwrap();
    wrapped
}

fn unwrap(engine: &Engine, session: SessionHandle, by: ObjectHandle, wrapped: &[u8]) -> Result<ObjectHandle, Error> {
    let template = vec![
        (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
        (A::KEY_TYPE, Value::Number(KeyType::AES.0)),
        flag(A::TOKEN, true),
        (A::LABEL, Value::bytes("in")),
    ];
    engine.unwrap_key(session, &KWP, by, wrapped, template)
}

fn of(engine: &Engine, session: SessionHandle, label: &str) -> Vec<ObjectHandle> {
    find(engine, session, vec![(A::LABEL, Value::bytes(label))]).unwrap()
}

#[test]
fn what_another_process_has_imported_meanwhile_is_not_imported_again() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let wrapped = once(engine, session, u64::MAX);
    let mine = of(engine, session, "once")[0];
    let other = world.another_process();
    let theirs = user_session(&other, SlotId(0));
    let by = of(&other, theirs, "once")[0];
    let same = wrapped.clone();
    // After everything was looked at, just before the pair goes.
    world.plan.meanwhile(Verb::Commit, 1, move || assert!(unwrap(&other, theirs, by, &same).is_ok()));
    assert_eq!(unwrap(engine, session, mine, &wrapped), Err(Error::UnwrappingKeyHandleInvalid));
    assert_eq!((of(engine, session, "in").len(), of(engine, session, "once").len()), (1, 0));
}

#[test]
fn of_two_threads_that_import_with_one_key_one_does() {
    for _ in 0..20 {
        let world = World::new();
        let session = user_session(&world.engine, SlotId(0));
        let wrapped = once(&world.engine, session, u64::MAX);
        let by = of(&world.engine, session, "once")[0];
        let barrier = Barrier::new(2);
        let made = thread::scope(|scope| {
            let attempt = || {
                let own = user_session(&world.engine, SlotId(0));
                barrier.wait();
                unwrap(&world.engine, own, by, &wrapped)
            };
            [scope.spawn(attempt), scope.spawn(attempt)].map(|thread| thread.join().unwrap())
        });
        assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1, "{made:?}");
        assert_eq!((of(&world.engine, session, "in").len(), of(&world.engine, session, "once").len()), (1, 0));
    }
}

#[test]
fn a_key_whose_time_is_over_unwraps_nothing_in_any_process_and_stays_what_it_is() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let until = alarms::now() + 3;
    let wrapped = once(engine, session, until);
    while alarms::now() < until {
        thread::sleep(Duration::from_millis(50));
    }
    let by = of(engine, session, "once")[0];
    assert_eq!(unwrap(engine, session, by, &wrapped), Err(Error::KeyFunctionNotPermitted));
    let other: Arc<Engine> = world.another_process();
    let theirs = user_session(&other, SlotId(0));
    let same = of(&other, theirs, "once")[0];
    assert_eq!(unwrap(&other, theirs, same, &wrapped), Err(Error::KeyFunctionNotPermitted));
    // Nobody gives it more time.
    let later = vec![(A::SR_IMPORT_UNTIL, Value::Number(u64::MAX))];
    assert!(matches!(engine.set_attributes(session, by, later), Err(Error::AttributeReadOnly(_))));
    assert!(of(engine, session, "in").is_empty());
}
