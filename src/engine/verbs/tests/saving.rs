//! Digests that are saved and go on.

use super::*;

fn sha256() -> Mechanism {
    Mechanism { id: MechanismType::SHA256, params: Params::None }
}

fn saved(engine: &Engine, session: SessionHandle) -> Result<Vec<u8>, Error> {
    let types::OutputResult::Length(len) = engine.operation_state(session, Output::LengthQuery)? else {
        panic!("a length")
    };
    let mut state = vec![0; len];
    assert_eq!(engine.operation_state(session, Output::Buffer(&mut state)), Ok(types::OutputResult::Written(len)));
    Ok(state)
}

fn finished(engine: &Engine, session: SessionHandle) -> [u8; 32] {
    let mut digest = [0; 32];
    engine.digest_final(session, Output::Buffer(&mut digest)).unwrap();
    digest
}

#[test]
fn a_digest_of_each_hash_goes_on_in_another_session_where_it_was_saved() {
    let world = World::new();
    let engine = &world.engine;
    let [one, other] = [0, 1].map(|_| engine.open_session(SlotId(0), Access::ReadOnly).unwrap());
    let message: Vec<u8> = (0..=255).cycle().take(700).collect();
    for id in [
        MechanismType::SHA_1,
        MechanismType::SHA224,
        MechanismType::SHA256,
        MechanismType::SHA384,
        MechanismType::SHA512,
    ] {
        let mechanism = Mechanism { id, params: Params::None };
        let mut whole = vec![0; 64];
        engine.digest_init(one, &mechanism).unwrap();
        engine.digest(one, &message, Output::Buffer(&mut whole)).unwrap();
        for at in [0, 1, 63, 64, 65, 127, 128, 500, 700] {
            engine.digest_init(one, &mechanism).unwrap();
            if at > 0 {
                engine.digest_update(one, &message[..at]).unwrap();
            }
            let state = saved(engine, one).unwrap();
            engine.set_operation_state(other, &state, None, None).unwrap();
            engine.digest_update(other, &message[at..]).unwrap();
            engine.digest_update(one, &message[at..]).unwrap();
            for session in [one, other] {
                let mut digest = vec![0; 64];
                engine.digest_final(session, Output::Buffer(&mut digest)).unwrap();
                assert_eq!(digest, whole, "{id} at {at}");
            }
        }
    }
}

#[test]
fn only_a_digest_alone_is_saved() {
    let world = World::new();
    let engine = &world.engine;
    let session = user_session(engine, SlotId(0));
    assert_eq!(saved(engine, session), Err(Error::OperationNotInitialized));
    let key = engine.create_object(session, aes(false, true)).unwrap();
    engine.encrypt_init(session, &ecb(), key).unwrap();
    assert_eq!(saved(engine, session), Err(Error::StateUnsaveable));
    engine.digest_init(session, &sha256()).unwrap();
    assert_eq!(saved(engine, session), Err(Error::StateUnsaveable), "both would have to be");
}

#[test]
fn a_state_that_was_changed_or_is_anothers_is_refused_and_ends_nothing() {
    let world = World::new();
    let engine = &world.engine;
    let session = engine.open_session(SlotId(0), Access::ReadOnly).unwrap();
    engine.digest_init(session, &sha256()).unwrap();
    engine.digest_update(session, b"ab").unwrap();
    let state = saved(engine, session).unwrap();
    assert!(!state.windows(2).any(|two| two == b"ab"), "what was digested may have been a key");
    for at in 0..state.len() {
        let mut changed = state.clone();
        changed[at] ^= 1;
        assert_eq!(engine.set_operation_state(session, &changed, None, None), Err(Error::SavedStateInvalid), "{at}");
        assert_eq!(
            engine.set_operation_state(session, &state[..at], None, None),
            Err(Error::SavedStateInvalid),
            "{at}"
        );
    }
    let other = world.another_process();
    let theirs = other.open_session(SlotId(0), Access::ReadOnly).unwrap();
    assert_eq!(other.set_operation_state(theirs, &state, None, None), Err(Error::SavedStateInvalid));
    let key = Some(ObjectHandle(1));
    assert_eq!(engine.set_operation_state(session, &state, key, None), Err(Error::KeyNotNeeded));
    engine.digest_update(session, b"c").unwrap();
    let once = finished(engine, session);
    engine.set_operation_state(session, &state, None, None).unwrap();
    engine.digest_update(session, b"c").unwrap();
    assert_eq!(finished(engine, session), once, "a state may be used more than once");
}
