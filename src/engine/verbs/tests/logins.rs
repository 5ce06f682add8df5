//! Logins, logouts and re-initialisations that meet.

use store::faulty::Verb;

use super::*;

#[test]
fn a_login_whose_last_session_is_closed_meanwhile_leaves_nobody_logged_in() {
    for close_all in [false, true] {
        let world = World::new();
        let session = world.engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
        let engine = Arc::clone(&world.engine);
        world.plan.meanwhile(Verb::Head, 1, move || {
            if close_all {
                engine.close_all_sessions(SlotId(0)).unwrap();
            } else {
                engine.close_session(session).unwrap();
            }
        });
        assert_eq!(world.engine.login(session, User::User, PIN), Err(Error::SessionClosed));
        let next = world.engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
        assert_eq!(state(&world.engine, next), 2, "a public session");
    }
}

#[test]
fn a_session_is_opened_while_a_token_is_initialised_and_the_token_stays() {
    let world = World::new();
    let engine = Arc::clone(&world.engine);
    world.plan.meanwhile(Verb::Head, 1, move || {
        engine.open_session(SlotId(0), Access::ReadOnly).unwrap();
    });
    assert_eq!(world.engine.init_token(SlotId(0), SO_PIN, &LABEL), Err(Error::SessionExists));
    user_session(&world.engine, SlotId(0));
}

#[test]
fn a_session_that_is_opened_during_the_commit_is_with_the_new_token() {
    let world = World::new();
    let engine = Arc::clone(&world.engine);
    let (send, opened) = std::sync::mpsc::channel();
    world.plan.meanwhile(Verb::Commit, 1, move || {
        send.send(engine.open_session(SlotId(0), Access::ReadWrite).unwrap()).unwrap();
    });
    world.engine.init_token(SlotId(0), SO_PIN, &LABEL).unwrap();
    let session = opened.recv().unwrap();
    assert_eq!(world.engine.login(session, User::User, PIN), Err(Error::UserPinNotInitialized));
    world.engine.login(session, User::Officer, SO_PIN).unwrap();
}

#[test]
fn another_process_that_initialises_the_token_closes_our_sessions() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let key = world.engine.create_object(session, aes(true, true)).unwrap();
    world.another_process().init_token(SlotId(0), SO_PIN, &LABEL).unwrap();
    assert_eq!(encrypt(&world.engine, session, key), Err(Error::TokenReplaced), "the call that notices it");
    assert_eq!(encrypt(&world.engine, session, key), Err(Error::SessionHandleInvalid), "every call after it");
    assert_eq!(world.engine.session_info(session).err(), Some(Error::SessionHandleInvalid));
    assert_eq!(world.engine.token_info(SlotId(0)).unwrap().sessions, 0);

    let session = world.engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
    assert_eq!(state(&world.engine, session), 2, "nobody is logged in");
    assert_eq!(encrypt(&world.engine, session, key), Err(Error::KeyHandleInvalid), "old handles are gone");
    world.engine.login(session, User::Officer, SO_PIN).unwrap();
}

#[test]
fn a_token_that_is_initialised_while_a_pin_is_tried_lets_nobody_in() {
    let world = World::new();
    let other = world.another_process();
    let session = world.engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
    // The third look at the head is after the PIN was found right.
    world.plan.meanwhile(Verb::Head, 3, move || other.init_token(SlotId(0), SO_PIN, &LABEL).unwrap());
    assert_eq!(world.engine.login(session, User::User, PIN), Err(Error::TokenReplaced));
    let session = world.engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
    assert_eq!(state(&world.engine, session), 2);
}

#[test]
fn a_context_specific_login_belongs_to_the_operation_that_asked() {
    let world = World::new();
    let engine = &world.engine;
    let session = user_session(engine, SlotId(0));
    let p256 = crate::curve::Curve::Weierstrass(crypto::ec::Curve::P256);
    let careful = |label: &[u8]| {
        let mut private: Template = vec![
            flag(A::TOKEN, false),
            flag(A::PRIVATE, true),
            flag(A::SIGN, true),
            flag(A::ALWAYS_AUTHENTICATE, true),
        ];
        private.push((A::LABEL, Value::bytes(label)));
        let public = vec![(A::EC_PARAMS, Value::bytes(p256.params().unwrap())), flag(A::TOKEN, false)];
        let generation = Mechanism { id: MechanismType::EC_KEY_PAIR_GEN, params: Params::None };
        engine.generate_key_pair(session, &generation, public, private).unwrap().1
    };
    let (one, other) = (careful(b"one"), careful(b"other"));
    let ecdsa = Mechanism { id: MechanismType::ECDSA, params: Params::None };
    let sign = || {
        let mut out = [0; 64];
        engine.sign(session, &[1; 32], Output::Buffer(&mut out)).map(|_| ())
    };

    engine.sign_init(session, &ecdsa, one).unwrap();
    engine.login(session, User::ContextSpecific, PIN).unwrap();
    assert_eq!(sign(), Ok(()));
    engine.sign_init(session, &ecdsa, one).unwrap();
    assert_eq!(sign(), Err(Error::UserNotLoggedIn), "each use asks again");

    // While the PIN is tried for the one key, the operation is swapped for one with the other key.
    engine.sign_init(session, &ecdsa, one).unwrap();
    let inner = Arc::clone(engine);
    world.plan.meanwhile(Verb::Head, 1, move || {
        inner.session_cancel(session, 0x800).unwrap();
        let ecdsa = Mechanism { id: MechanismType::ECDSA, params: Params::None };
        inner.sign_init(session, &ecdsa, other).unwrap();
    });
    assert_eq!(engine.login(session, User::ContextSpecific, PIN), Err(Error::OperationNotInitialized));
    assert_eq!(sign(), Err(Error::UserNotLoggedIn), "the other operation was not asked for");
}

#[test]
fn a_key_that_was_found_before_a_logout_signs_nothing_after_it() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let key = world.engine.create_object(session, aes(true, true)).unwrap();
    assert!(encrypt(&world.engine, session, key).is_ok());
    world.engine.encrypt_init(session, &ecb(), key).unwrap();
    world.engine.logout(session).unwrap();
    let mut out = [0; 16];
    let refused = world.engine.encrypt(session, &[1; 16], Output::Buffer(&mut out));
    assert_eq!(refused, Err(Error::OperationNotInitialized));
    user_session(&world.engine, SlotId(0));
    assert_eq!(encrypt(&world.engine, session, key), Err(Error::KeyHandleInvalid), "the handle has ended");

    // In the middle of the Init, when the key is read.
    let key = world.engine.create_object(session, aes(true, true)).unwrap();
    let engine = Arc::clone(&world.engine);
    world.plan.meanwhile(Verb::Read, 1, move || engine.logout(session).unwrap());
    assert!(encrypt(&world.engine, session, key).is_err());
}
