//! Keys that are destroyed where the token keeps them for a time.

use store::faulty::{Fault, Span, Verb, When};

use super::*;
use crate::{KeyState, NewRules, Pins};

const OFFICER: Pins<'_> = Pins { officer: SO_PIN, user: None };

/// A token that keeps keys for 30 days, and a session of its user's.
fn keeping() -> (World, SessionHandle) {
    let world = World::new();
    set(&world, NewRules { deletion_days: Some(30), ..NewRules::default() }).unwrap();
    let session = user_session(&world.engine, SlotId(0));
    (world, session)
}

fn set(world: &World, rules: NewRules) -> Result<(), Error> {
    world.engine.change_rules(SlotId(0), &OFFICER, rules)
}

fn named(label: &str) -> Template {
    let mut template = aes(true, true);
    template.push((A::LABEL, Value::bytes(label)));
    template
}

fn by_label(label: &str) -> Template {
    vec![(A::LABEL, Value::bytes(label))]
}

fn alarms(world: &World) -> Vec<String> {
    world.engine.alarms().unwrap()
}

#[test]
fn a_destroyed_key_is_gone_for_every_program_and_comes_back_disabled_when_it_is_restored() {
    let (world, session) = keeping();
    let engine = &world.engine;
    let other = world.another_process();
    let theirs = user_session(&other, SlotId(0));
    let key = engine.create_object(session, named("k")).unwrap();
    let [same] = find(&other, theirs, vec![]).unwrap()[..] else { panic!("one key") };
    assert!(encrypt(&other, theirs, same).is_ok());
    engine.destroy_object(session, key).unwrap();
    for template in [vec![], by_label("k"), vec![(A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0))]] {
        assert_eq!(find(engine, session, template).unwrap(), []);
    }
    assert_eq!(encrypt(engine, session, key), Err(Error::KeyHandleInvalid));
    assert_eq!(encrypt(&other, theirs, same), Err(Error::KeyHandleInvalid), "at its next use");
    assert_eq!(engine.destroy_object(session, key), Err(Error::ObjectHandleInvalid));

    let pending = engine.pending_keys(session).unwrap();
    let [pending] = &pending[..] else { panic!("one key") };
    assert!(pending.view.attribute(A::LABEL) == Ok(&Value::bytes("k")));
    let until = pending.view.attribute(A::SR_DELETE_AT).unwrap().as_number().unwrap();
    let left = until - crate::alarms::now();
    assert!((30 * 86_400 - 60..=30 * 86_400).contains(&left), "{left}");
    engine.restore_keys(session, &[pending]).unwrap();
    assert_eq!(engine.restore_keys(session, &[pending]), Err(Error::ObjectHandleInvalid), "once");
    let [back] = find(engine, session, by_label("k")).unwrap()[..] else { panic!("it is found") };
    assert_eq!(encrypt(engine, session, back), Err(Error::KeyFunctionNotPermitted), "disabled");
    engine.set_attributes(session, back, vec![(A::SR_KEY_STATE, KeyState::Enabled.value())]).unwrap();
    assert!(encrypt(engine, session, back).is_ok());
    assert!(engine.object(session, back).unwrap().attribute(A::SR_DELETE_AT).is_err());
}

#[test]
fn whoever_looks_for_a_pending_key_or_uses_it_raises_an_alarm_that_names_it_and_the_way_back() {
    let (world, session) = keeping();
    let engine = &world.engine;
    let other = world.another_process();
    let theirs = user_session(&other, SlotId(0));
    let key = engine.create_object(session, named("payroll")).unwrap();
    let [same] = find(&other, theirs, vec![]).unwrap()[..] else { panic!("one key") };
    assert!(encrypt(&other, theirs, same).is_ok());
    let before = alarms(&world).len();
    engine.destroy_object(session, key).unwrap();
    find(engine, session, vec![]).unwrap();
    find(engine, session, by_label("another")).unwrap();
    assert_eq!(alarms(&world).len(), before, "who lists everything looks for nothing");
    find(engine, session, by_label("payroll")).unwrap();
    let raised = alarms(&world);
    assert_eq!(raised.len(), before + 1, "{raised:?}");
    let last = raised.last().unwrap();
    for words in [
        r#""key":"payroll""#,
        r#""operation":"lookup""#,
        r#""user":"user""#,
        r#""gone_at":"#,
        "strongroom key restore unique:",
    ] {
        assert!(last.contains(words), "{words}: {last}");
    }
    assert!(last.contains(&format!(r#""process":{}"#, std::process::id())), "{last}");
    assert!(encrypt(&other, theirs, same).is_err());
    assert!(alarms(&world).last().unwrap().contains(r#""operation":"use""#), "another engine, another process");
}

#[test]
fn only_keys_are_kept_and_only_where_the_token_has_a_window() {
    let (world, session) = keeping();
    let engine = &world.engine;
    let data = vec![(A::CLASS, Value::Number(ObjectClass::DATA.0)), flag(A::TOKEN, true), flag(A::PRIVATE, true)];
    let data = engine.create_object(session, data).unwrap();
    engine.destroy_object(session, data).unwrap();
    let of_session = engine.create_object(session, aes(false, true)).unwrap();
    engine.destroy_object(session, of_session).unwrap();
    assert!(engine.pending_keys(session).unwrap().is_empty());
    set(&world, NewRules { deletion_days: Some(0), ..NewRules::default() }).unwrap();
    let key = engine.create_object(session, aes(true, true)).unwrap();
    engine.destroy_object(session, key).unwrap();
    assert!(engine.pending_keys(session).unwrap().is_empty());
    assert_eq!(engine.check_token(session).unwrap(), crate::Report::default(), "nothing is left");
}

#[test]
fn what_is_due_is_gone_for_good_at_the_next_login_and_what_is_not_stays() {
    let (world, session) = keeping();
    let engine = &world.engine;
    for label in ["due", "not due"] {
        let key = engine.create_object(session, named(label)).unwrap();
        engine.destroy_object(session, key).unwrap();
    }
    let slot = Arc::clone(&engine.session(session).unwrap().slot);
    slot.set_pending(A::SR_DELETE_AT, &|label| if label == b"due" { 1 } else { u64::MAX >> 1 }).unwrap();
    slot.set_pending(A::DUE_SEEN, &|_| 2).unwrap();
    engine.logout(session).unwrap();
    let report = |session| engine.check_token(session).unwrap().whole;
    engine.login(session, User::User, PIN).unwrap();
    assert_eq!(report(session), 1);
    let pending = engine.pending_keys(session).unwrap();
    assert!(pending.len() == 1 && pending[0].view.attribute(A::LABEL) == Ok(&Value::bytes("not due")));
}

#[test]
fn a_key_that_is_restored_while_another_process_purges_it_stays() {
    let (world, session) = keeping();
    let engine = Arc::clone(&world.engine);
    let key = engine.create_object(session, named("k")).unwrap();
    engine.destroy_object(session, key).unwrap();
    let slot = Arc::clone(&engine.session(session).unwrap().slot);
    slot.set_pending(A::SR_DELETE_AT, &|_| 1).unwrap();
    slot.set_pending(A::DUE_SEEN, &|_| 2).unwrap();
    let record = slot.first_pending().unwrap();
    let restores = Arc::clone(&slot);
    world.plan.meanwhile(Verb::Commit, 1, move || restores.restore(&[record]).unwrap());
    engine.pending_keys(session).unwrap();
    assert_eq!(find(&engine, session, by_label("k")).unwrap().len(), 1, "who restores it is not undone");
}

#[test]
fn a_token_that_keeps_keys_is_not_emptied_at_once_and_a_locked_window_is_shortened_by_nobody() {
    let (world, session) = keeping();
    let engine = &world.engine;
    engine.create_object(session, aes(true, true)).unwrap();
    engine.close_all_sessions(SlotId(0)).unwrap();
    assert_eq!(engine.init_token(SlotId(0), SO_PIN, &LABEL), Err(Error::DeletionWindow(30)));
    assert_eq!(engine.delete_token(SlotId(0), SO_PIN), Err(Error::DeletionWindow(30)));
    let days = |days| NewRules { deletion_days: Some(days), ..NewRules::default() };
    set(&world, days(7)).unwrap();
    set(&world, NewRules { lock_deletion: true, ..NewRules::default() }).unwrap();
    assert_eq!(set(&world, days(6)), Err(Error::DeletionWindow(7)));
    assert_eq!(set(&world, days(0)), Err(Error::DeletionWindow(7)));
    set(&world, days(8)).unwrap();
    assert_eq!(set(&world, days(7)), Err(Error::DeletionWindow(8)));
    set(&world, NewRules { pin_tries: Some(5), ..NewRules::default() }).unwrap();
    assert_eq!(engine.token_summary(SlotId(0)).unwrap().lifecycle.deletion_days, 8);
    assert_eq!(engine.init_token(SlotId(0), SO_PIN, &LABEL), Err(Error::DeletionWindow(8)));
}

#[test]
fn an_empty_token_is_made_anew_and_keeps_its_window() {
    let (world, session) = keeping();
    world.engine.close_session(session).unwrap();
    world.engine.init_token(SlotId(0), SO_PIN, &LABEL).unwrap();
    assert_eq!(world.engine.token_summary(SlotId(0)).unwrap().lifecycle.deletion_days, 30);
}

#[test]
fn a_strict_token_keeps_keys_for_30_days_and_a_compatible_one_does_not() {
    for (profile, days) in [(crate::Profile::Strict, 30), (crate::Profile::Compatible, 0)] {
        let world = World::with(Settings { profile, ..settings() });
        assert_eq!(world.engine.token_summary(SlotId(0)).unwrap().lifecycle.deletion_days, days);
    }
}

#[test]
fn a_destruction_that_fails_leaves_the_key_there_or_pending_and_never_gone() {
    for when in [When::Before, When::After] {
        for nth in 1..40 {
            let (world, session) = keeping();
            let key = world.engine.create_object(session, named("k")).unwrap();
            world.plan.fail(Fault { verb: None, nth, when, span: Span::Once, error: store::Error::Busy });
            let destroyed = world.engine.destroy_object(session, key);
            world.plan.heal();
            let other = world.another_process();
            let theirs = user_session(&other, SlotId(0));
            let found = find(&other, theirs, by_label("k")).unwrap().len();
            let pending = other.pending_keys(theirs).unwrap().len();
            assert_eq!(found + pending, 1, "{when:?} {nth}: {destroyed:?}");
            assert!(destroyed.is_err() || pending == 1, "{when:?} {nth}: what was said is so");
        }
    }
}

#[test]
fn dates_hold_where_the_token_says_so() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let dated = |start: Option<[u8; 8]>, end: Option<[u8; 8]>| {
        let mut template = aes(true, true);
        for (name, date) in [(A::START_DATE, start), (A::END_DATE, end)] {
            template.extend(date.map(|date| (name, Value::Date(Some(types::Date(date))))));
        }
        engine.create_object(session, template).unwrap()
    };
    let (past, future, today) = (*b"20200101", *b"29990101", crate::alarms::today());
    let keys = [
        (dated(None, None), true),
        (dated(Some(past), Some(future)), true),
        (dated(Some(today), Some(today)), true),
        (dated(Some(future), None), false),
        (dated(None, Some(past)), false),
    ];
    for (key, _) in keys {
        assert!(encrypt(engine, session, key).is_ok(), "for reference only");
    }
    set(&world, NewRules { dates: Some(true), ..NewRules::default() }).unwrap();
    for (key, holds) in keys {
        assert_eq!(encrypt(engine, session, key).is_ok(), holds);
    }
    set(&world, NewRules { dates: Some(false), ..NewRules::default() }).unwrap();
    for (key, _) in keys {
        assert!(encrypt(engine, session, key).is_ok());
    }
}

#[test]
fn a_clock_that_is_wrong_for_a_while_destroys_nothing() {
    let (world, session) = keeping();
    let engine = &world.engine;
    let key = engine.create_object(session, named("k")).unwrap();
    engine.destroy_object(session, key).unwrap();
    let slot = Arc::clone(&engine.session(session).unwrap().slot);
    // As if the clock were far ahead: the key is late, and is seen to be.
    slot.set_pending(A::SR_DELETE_AT, &|_| 1).unwrap();
    for _ in 0..3 {
        assert_eq!(engine.pending_keys(session).unwrap().len(), 1, "not at once");
    }
    // The clock is right again: it is not late any more, and what was seen is forgotten.
    slot.set_pending(A::SR_DELETE_AT, &|_| u64::MAX >> 1).unwrap();
    assert_eq!(engine.pending_keys(session).unwrap().len(), 1);
    slot.set_pending(A::SR_DELETE_AT, &|_| 1).unwrap();
    assert_eq!(engine.pending_keys(session).unwrap().len(), 1, "the day begins anew");
    engine.restore_keys(session, &[&engine.pending_keys(session).unwrap()[0]]).unwrap();
    assert_eq!(find(engine, session, by_label("k")).unwrap().len(), 1);
}

#[test]
fn a_key_that_is_destroyed_and_restored_can_do_no_more_than_before() {
    let (world, session) = keeping();
    let engine = &world.engine;
    let key = engine.create_object(session, named("k")).unwrap();
    engine.set_attributes(session, key, vec![(A::SR_KEY_STATE, KeyState::Compromised.value())]).unwrap();
    engine.destroy_object(session, key).unwrap();
    engine.restore_keys(session, &[&engine.pending_keys(session).unwrap()[0]]).unwrap();
    let [back] = find(engine, session, by_label("k")).unwrap()[..] else { panic!("it is found") };
    let view = engine.object(session, back).unwrap();
    assert!(view.attribute(A::SR_KEY_STATE) == Ok(&KeyState::Compromised.value()));
    assert!(view.attribute(A::PAST_STATE).is_err() && view.attribute(A::DUE_SEEN).is_err(), "the token's own");
    let enable = engine.set_attributes(session, back, vec![(A::SR_KEY_STATE, KeyState::Enabled.value())]);
    assert_eq!(enable, Err(Error::AttributeReadOnly(A::SR_KEY_STATE)));
}

#[test]
fn keys_are_found_by_the_state_that_they_are_in() {
    let (world, session) = keeping();
    let engine = &world.engine;
    let [enabled, disabled, gone] = ["a", "b", "c"].map(|label| engine.create_object(session, named(label)).unwrap());
    engine.set_attributes(session, disabled, vec![(A::SR_KEY_STATE, KeyState::Disabled.value())]).unwrap();
    engine.destroy_object(session, gone).unwrap();
    let by = |state: KeyState| find(engine, session, vec![(A::SR_KEY_STATE, state.value())]).unwrap();
    assert_eq!(by(KeyState::Enabled), [enabled]);
    assert_eq!(by(KeyState::Disabled), [disabled]);
    assert_eq!(by(KeyState::PendingDeletion), [], "by nobody");
}

#[test]
fn an_officer_does_not_destroy_by_a_new_pin_what_the_token_keeps() {
    let world = World::with(Settings { recovery: crate::Recovery::Never, ..settings() });
    set(&world, NewRules { deletion_days: Some(30), ..NewRules::default() }).unwrap();
    let session = user_session(&world.engine, SlotId(0));
    world.engine.create_object(session, named("k")).unwrap();
    world.engine.logout(session).unwrap();
    world.engine.login(session, User::Officer, SO_PIN).unwrap();
    assert_eq!(world.engine.init_pin(session, b"another-pin"), Err(Error::DeletionWindow(30)));
    world.engine.logout(session).unwrap();
    world.engine.login(session, User::User, PIN).unwrap();
    assert_eq!(find(&world.engine, session, by_label("k")).unwrap().len(), 1);
}

#[test]
fn both_halves_of_a_pair_are_changed_deleted_and_restored_together_or_not_at_all() {
    let (world, session) = keeping();
    let engine = &world.engine;
    let is =
        |key, state: KeyState| engine.object(session, key).unwrap().attribute(A::SR_KEY_STATE) == Ok(&state.value());
    let generate = Mechanism { id: MechanismType::EC_EDWARDS_KEY_PAIR_GEN, params: Params::None };
    let curve = vec![(A::EC_PARAMS, Value::bytes([0x06, 0x03, 0x2b, 0x65, 0x70])), flag(A::TOKEN, true)];
    let (public, private) = engine.generate_key_pair(session, &generate, curve, vec![flag(A::TOKEN, true)]).unwrap();
    let disable = vec![(A::SR_KEY_STATE, KeyState::Disabled.value())];
    // Somebody destroys one half while the other is changed.
    let other = world.another_process();
    let theirs = user_session(&other, SlotId(0));
    let victim = find(&other, theirs, vec![(A::CLASS, Value::Number(ObjectClass::PUBLIC_KEY.0))]).unwrap()[0];
    world.plan.meanwhile(Verb::Commit, 1, move || other.destroy_object(theirs, victim).unwrap());
    let gone = engine.set_attributes_of_all(session, &[private, public], &disable);
    assert!(
        matches!(gone, Err(Error::ObjectHandleInvalid | Error::ActionProhibited | Error::AttributeReadOnly(_))),
        "{gone:?}"
    );
    assert!(!is(private, KeyState::Disabled), "nothing is half done");
    engine.restore_keys(session, &[&engine.pending_keys(session).unwrap()[0]]).unwrap();
    let public_again = find(engine, session, vec![(A::CLASS, Value::Number(ObjectClass::PUBLIC_KEY.0))]).unwrap()[0];
    engine.set_attributes_of_all(session, &[private, public_again], &disable).unwrap();
    for half in [private, public_again] {
        assert!(is(half, KeyState::Disabled));
    }
    engine.destroy_objects(session, &[private, public_again]).unwrap();
    let pending = engine.pending_keys(session).unwrap();
    assert_eq!(pending.len(), 2);
    engine.restore_keys(session, &pending.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(engine.pending_keys(session).unwrap().len(), 0);
    assert_eq!(engine.restore_keys(session, &pending.iter().collect::<Vec<_>>()), Err(Error::ObjectHandleInvalid));
}
