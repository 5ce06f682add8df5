//! States of keys: what each allows, at once, in every process.

use super::*;
use crate::KeyState;

fn set(engine: &Engine, session: SessionHandle, key: ObjectHandle, state: KeyState) -> Result<(), Error> {
    engine.set_attributes(session, key, vec![(A::SR_KEY_STATE, state.value())])
}

fn decrypt(engine: &Engine, session: SessionHandle, key: ObjectHandle) -> Result<(), Error> {
    engine.decrypt_init(session, &ecb(), key)?;
    engine.decrypt(session, &[1; 16], Output::Buffer(&mut [0; 16])).map(drop)
}

#[test]
fn a_key_that_is_disabled_is_refused_at_its_next_use_by_every_session_and_process_and_works_when_it_is_enabled() {
    let world = World::new();
    let other = world.another_process();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let (second, theirs) = (user_session(engine, SlotId(0)), user_session(&other, SlotId(0)));
    let key = engine.create_object(session, aes(true, true)).unwrap();
    let [same] = find(&other, theirs, vec![]).unwrap()[..] else { panic!("one key") };
    let everybody = |expected: Result<(), Error>| {
        for (engine, session, key) in [(engine, session, key), (engine, second, key), (&other, theirs, same)] {
            assert_eq!(encrypt(engine, session, key).map(drop), expected);
            assert_eq!(decrypt(engine, session, key), expected);
        }
    };
    everybody(Ok(()));
    set(engine, session, key, KeyState::Disabled).unwrap();
    everybody(Err(Error::KeyFunctionNotPermitted));
    assert_eq!(find(&other, theirs, vec![]).unwrap().len(), 1, "it is found");
    set(&other, theirs, same, KeyState::Enabled).unwrap();
    everybody(Ok(()));
}

#[test]
fn a_compromised_key_decrypts_only_and_nothing_brings_it_back() {
    for token in [true, false] {
        let world = World::new();
        let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
        let key = engine.create_object(session, aes(token, true)).unwrap();
        set(engine, session, key, KeyState::Compromised).unwrap();
        assert_eq!(encrypt(engine, session, key), Err(Error::KeyFunctionNotPermitted));
        assert_eq!(decrypt(engine, session, key), Ok(()));
        for state in [KeyState::Enabled, KeyState::Disabled, KeyState::Retired, KeyState::PendingDeletion] {
            assert_eq!(set(engine, session, key, state), Err(Error::AttributeReadOnly(A::SR_KEY_STATE)));
            let copy = engine.copy_object(session, key, vec![(A::SR_KEY_STATE, state.value())]);
            assert_eq!(copy, Err(Error::AttributeReadOnly(A::SR_KEY_STATE)), "nor a copy");
        }
        let copy = engine.copy_object(session, key, vec![]).unwrap();
        assert_eq!(encrypt(engine, session, copy), Err(Error::KeyFunctionNotPermitted));
    }
}

#[test]
fn a_key_that_is_not_enabled_is_not_wrapped_lest_it_come_back_as_if_nothing_had_happened() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let with = |flags: &[A]| {
        let mut template = aes(false, true);
        template.retain(|(name, _)| ![A::ENCRYPT, A::DECRYPT, A::SIGN].contains(name));
        template.extend(flags.iter().map(|name| flag(*name, true)));
        engine.create_object(session, template).unwrap()
    };
    let (wrapping, key) = (with(&[A::WRAP]), with(&[A::ENCRYPT]));
    let mechanism = Mechanism { id: MechanismType::AES_KEY_WRAP_KWP, params: Params::None };
    let wrap = || engine.wrap_key(session, &mechanism, wrapping, key, Output::LengthQuery).map(drop);
    assert_eq!(wrap(), Ok(()));
    set(engine, session, key, KeyState::Disabled).unwrap();
    assert_eq!(wrap(), Err(Error::KeyNotWrappable));
    set(engine, session, key, KeyState::Enabled).unwrap();
    set(engine, session, wrapping, KeyState::Disabled).unwrap();
    assert_eq!(wrap(), Err(Error::KeyFunctionNotPermitted));
}

#[test]
fn a_state_is_not_given_when_a_key_is_made_and_is_set_also_where_nothing_else_is() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let mut template = aes(true, true);
    template.push((A::SR_KEY_STATE, KeyState::Disabled.value()));
    assert_eq!(engine.create_object(session, template), Err(Error::AttributeReadOnly(A::SR_KEY_STATE)));
    let mut template = aes(true, true);
    template.push(flag(A::MODIFIABLE, false));
    let key = engine.create_object(session, template).unwrap();
    let both = vec![(A::SR_KEY_STATE, KeyState::Disabled.value()), (A::LABEL, Value::bytes(*b"x"))];
    assert_eq!(engine.set_attributes(session, key, both), Err(Error::ActionProhibited));
    set(engine, session, key, KeyState::Disabled).unwrap();
    assert_eq!(encrypt(engine, session, key), Err(Error::KeyFunctionNotPermitted));
    for name in [A::SR_DELETE_AT, A::SR_KEY_VERSION] {
        let refused = engine.set_attributes(session, key, vec![(name, Value::Number(1))]);
        assert!(matches!(refused, Err(Error::ActionProhibited | Error::AttributeReadOnly(_))), "{refused:?}");
    }
}
