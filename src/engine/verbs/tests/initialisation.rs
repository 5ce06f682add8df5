//! A token that is made anew, and what interrupts that.

use store::faulty::{Fault, Span, Verb, When};

use super::*;

const SLOT: SlotId = SlotId(0);
const NEW_LABEL: [u8; 32] = *b"another label                   ";

/// Makes the token anew under a fault, and says whether the fault came. Either it is the old one with all its objects and
/// both PINs, or the new one without any.
fn initialises_under(verb: Verb, nth: u64, when: When, span: Span) -> bool {
    let world = World::new();
    let session = user_session(&world.engine, SLOT);
    let key = world.engine.create_object(session, aes(true, true)).unwrap();
    let made = encrypt(&world.engine, session, key).unwrap();
    world.engine.close_session(session).unwrap();

    let error = store::Error::Failed("on purpose".to_owned());
    let before = world.plan.calls(verb);
    world.plan.fail(Fault { verb: Some(verb), nth, when, span, error });
    let outcome = world.another_process().init_token(SLOT, SO_PIN, &NEW_LABEL);
    let came = world.plan.calls(verb) >= before + nth;
    world.plan.heal();

    let engine = world.another_process();
    let summary = engine.token_summary(SLOT).unwrap();
    let session = engine.open_session(SLOT, Access::ReadWrite).unwrap();
    if summary.label == LABEL {
        assert!(outcome.is_err(), "{verb:?} {nth} {when:?}: it was said to be done");
        engine.login(session, User::User, PIN).unwrap();
        let found = find(&engine, session, vec![]).unwrap();
        assert_eq!(encrypt(&engine, session, found[0]), Ok(made), "{verb:?} {nth} {when:?}");
    } else {
        assert_eq!((summary.label, summary.user_pin_set), (NEW_LABEL, false));
        engine.login(session, User::Officer, SO_PIN).unwrap();
        engine.init_pin(session, PIN).unwrap();
        engine.logout(session).unwrap();
        engine.login(session, User::User, PIN).unwrap();
        assert_eq!(find(&engine, session, vec![]), Ok(vec![]), "{verb:?} {nth} {when:?}: nothing of the old one");
        assert!(engine.create_object(session, aes(true, true)).is_ok());
    }
    assert_eq!(engine.check_token(session).unwrap().faults, Vec::<String>::new(), "{verb:?} {nth} {when:?}");
    came
}

#[test]
fn a_token_that_is_made_anew_is_the_old_one_or_the_new_one_whatever_fails() {
    let verbs = [Verb::Head, Verb::Find, Verb::Commit, Verb::Count, Verb::Set, Verb::Turn, Verb::Note, Verb::SetNote];
    for verb in verbs {
        for (when, span) in [(When::Before, Span::Once), (When::After, Span::Once), (When::Before, Span::Lasting)] {
            let calls = (1..50).take_while(|nth| initialises_under(verb, *nth, when, span)).count();
            assert!(calls > 0 || verb == Verb::Note, "{verb:?} is never called");
        }
    }
}

#[test]
fn whoever_means_a_new_token_does_not_destroy_one_that_was_made_there_meanwhile() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    world.engine.create_object(session, aes(true, true)).unwrap();
    world.engine.close_session(session).unwrap();
    assert_eq!(world.engine.create_token(SlotId(0), SO_PIN, &LABEL), Err(Error::SlotIdInvalid));
    let session = user_session(&world.engine, SlotId(0));
    assert_eq!(find(&world.engine, session, vec![]).unwrap().len(), 1);
    assert_eq!(world.engine.create_token(SlotId(1), SO_PIN, &LABEL), Ok(()));
}
