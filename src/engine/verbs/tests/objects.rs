//! Objects and handles that two threads, two tokens or two processes have at once.

use store::{
    RecordId,
    faulty::{Fault, Span, Verb, When},
};

use super::*;

#[test]
fn a_handle_of_one_token_is_none_of_another() {
    let world = World::new();
    world.add_token(SlotId(1));
    let engine = &world.engine;
    let (one, other) = (user_session(engine, SlotId(0)), user_session(engine, SlotId(1)));
    for token in [true, false] {
        let key = engine.create_object(one, aes(token, true)).unwrap();
        engine.create_object(other, aes(token, true)).unwrap();
        assert_eq!(encrypt(engine, other, key), Err(Error::KeyHandleInvalid));
        assert_eq!(engine.destroy_object(other, key), Err(Error::ObjectHandleInvalid));
        assert!(encrypt(engine, one, key).is_ok());
    }
}

#[test]
fn a_handle_is_not_given_again_by_the_next_engine_of_the_process() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let key = world.engine.create_object(session, aes(true, true)).unwrap();
    let next = world.another_process();
    assert_eq!(next.session_info(session).err(), Some(Error::SessionHandleInvalid));
    let session = user_session(&next, SlotId(0));
    let found = find(&next, session, vec![]).unwrap();
    assert_eq!(found.len(), 1);
    assert_ne!(found[0], key);
}

#[test]
fn two_threads_that_change_one_session_object_lose_no_change() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    for _ in 0..200 {
        let key = world.engine.create_object(session, aes(false, true)).unwrap();
        let change = |changes: Template| world.engine.set_attributes(session, key, changes);
        std::thread::scope(|scope| {
            scope.spawn(|| change(vec![flag(A::SENSITIVE, true)]).unwrap());
            scope.spawn(|| change(vec![(A::LABEL, Value::bytes(*b"new"))]).unwrap());
        });
        let view = world.engine.object(session, key).unwrap();
        assert!(view.attribute(A::SENSITIVE) == Ok(&Value::Flag(true)), "what was acknowledged holds");
        assert!(view.attribute(A::LABEL) == Ok(&Value::bytes(*b"new")));
    }
}

#[test]
fn a_session_object_made_while_its_session_closes_does_not_stay() {
    let world = World::new();
    let stays = world.engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
    for _ in 0..300 {
        let session = world.engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| while world.engine.create_object(session, aes(false, false)).is_ok() {});
            scope.spawn(|| world.engine.close_session(session).unwrap());
        });
        assert_eq!(find(&world.engine, stays, vec![]), Ok(vec![]));
    }
}

#[test]
fn a_damaged_record_fails_its_own_use_only() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    for label in [*b"one", *b"two"] {
        let mut template = aes(true, true);
        template.push((A::LABEL, Value::bytes(label)));
        world.engine.create_object(session, template).unwrap();
    }
    let named = |label: &[u8; 3]| vec![(A::LABEL, Value::bytes(*label))];
    world.plan.damage(newest(&world));

    let next = world.another_process();
    let session = user_session(&next, SlotId(0));
    let all = find(&next, session, vec![]).unwrap();
    assert_eq!(all.len(), 2, "the listing has both");
    let works = |key: &ObjectHandle| encrypt(&next, session, *key);
    assert_eq!(all.iter().filter(|key| works(key).is_ok()).count(), 1);
    assert!(all.iter().map(works).any(|outcome| outcome == Err(Error::ObjectDamaged)), "and says which is damaged");
    assert_eq!(find(&next, session, named(b"one")).unwrap().len(), 1);
    assert!(works(&find(&next, session, named(b"one")).unwrap()[0]).is_ok());
}

/// The record that was written last.
fn newest(world: &World) -> RecordId {
    let location = world.directory.tokens().unwrap().remove(0);
    let store = world.directory.open(&location).unwrap();
    let names = store.find(&[], None, 100).unwrap();
    let records: Vec<_> = names.iter().map(|id| store.read(*id).unwrap().unwrap()).collect();
    records.into_iter().max_by_key(|record| record.version).unwrap().id
}

#[test]
fn a_change_that_somebody_else_overtakes_is_made_on_what_is_there_then() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let key = world.engine.create_object(session, aes(true, true)).unwrap();
    let other = world.another_process();
    let others = user_session(&other, SlotId(0));
    let theirs = find(&other, others, vec![]).unwrap()[0];
    world.plan.meanwhile(Verb::Commit, 1, move || {
        other.set_attributes(others, theirs, vec![flag(A::SENSITIVE, true)]).unwrap();
    });
    world.engine.set_attributes(session, key, vec![(A::LABEL, Value::bytes(*b"new"))]).unwrap();
    let view = world.engine.object(session, key).unwrap();
    assert!(view.attribute(A::SENSITIVE) == Ok(&Value::Flag(true)), "the other's change holds");
    assert!(view.attribute(A::LABEL) == Ok(&Value::bytes(*b"new")));
}

#[test]
fn a_key_that_another_process_destroys_is_gone_at_the_next_use() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let key = world.engine.create_object(session, aes(true, true)).unwrap();
    assert!(encrypt(&world.engine, session, key).is_ok());
    let other = world.another_process();
    let others = user_session(&other, SlotId(0));
    let theirs = find(&other, others, vec![]).unwrap()[0];
    other.destroy_object(others, theirs).unwrap();
    assert_eq!(encrypt(&world.engine, session, key), Err(Error::KeyHandleInvalid));
    assert_eq!(world.engine.destroy_object(session, key), Err(Error::ObjectHandleInvalid));
}

#[test]
fn whatever_call_of_the_store_fails_the_engine_says_so_and_goes_on_when_it_is_mended() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    world.engine.create_object(session, aes(true, true)).unwrap();
    type Call = fn(&Engine, SessionHandle, ObjectHandle) -> Result<(), Error>;
    let calls: [(&str, Call); 6] = [
        ("create", |engine, session, _| engine.create_object(session, aes(true, true)).map(|_| ())),
        ("use", |engine, session, key| encrypt(engine, session, key).map(|_| ())),
        ("change", |engine, session, key| engine.set_attributes(session, key, vec![(A::LABEL, Value::bytes(*b"x"))])),
        ("search", |engine, session, _| find(engine, session, vec![]).map(|_| ())),
        ("login", |engine, session, _| {
            engine.logout(session)?;
            engine.login(session, User::User, PIN)
        }),
        ("copy and destroy", |engine, session, key| {
            let copy = engine.copy_object(session, key, vec![])?;
            engine.destroy_object(session, copy)
        }),
    ];
    for (name, call) in calls {
        let mut failures = 0;
        for nth in 1..40 {
            let session = user_session(&world.engine, SlotId(0));
            let key = find(&world.engine, session, vec![]).unwrap()[0];
            let fault = store::Error::Failed("on purpose".to_owned());
            world.plan.fail(Fault { verb: None, nth, when: When::Before, span: Span::Lasting, error: fault.clone() });
            let outcome = call(&world.engine, session, key);
            world.plan.heal();
            match outcome {
                Ok(()) => break,
                Err(Error::Store(said)) => assert_eq!(said, fault, "{name}, call {nth}"),
                Err(other) => panic!("{name}, call {nth}: {other}"),
            }
            failures += 1;
            let session = user_session(&world.engine, SlotId(0));
            let key = find(&world.engine, session, vec![]).unwrap()[0];
            call(&world.engine, session, key).unwrap_or_else(|fault| panic!("{name} after call {nth}: {fault}"));
        }
        assert!(failures > 0 && failures < 39, "{name} fails {failures} times, and then succeeds");
    }
}
