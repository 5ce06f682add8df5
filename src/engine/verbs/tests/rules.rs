//! Rules of a token that its officer changes.

use super::*;
use crate::{NewRules, PinCost, Pins, Profile, Recovery};

const SLOT: SlotId = SlotId(0);
const BOTH: Pins<'_> = Pins { officer: SO_PIN, user: Some(PIN) };
const OFFICER: Pins<'_> = Pins { officer: SO_PIN, user: None };

/// A private object on the token; how many of them the user sees after the officer has set his PIN anew.
fn left_after_a_reset(engine: &Engine) -> usize {
    let session = user_session(engine, SLOT);
    engine.create_object(session, aes(true, true)).unwrap();
    engine.close_session(session).unwrap();
    let session = engine.open_session(SLOT, Access::ReadWrite).unwrap();
    engine.login(session, User::Officer, SO_PIN).unwrap();
    engine.init_pin(session, PIN).unwrap();
    engine.close_session(session).unwrap();
    let session = user_session(engine, SLOT);
    let found = find(engine, session, vec![flag(A::PRIVATE, true)]).unwrap().len();
    engine.close_session(session).unwrap();
    found
}

#[test]
fn the_officer_changes_the_profile_and_what_holds_for_pins_without_the_user() {
    let world = World::new();
    let cost = PinCost { passes: 3, ..PinCost::FLOOR };
    let rules =
        NewRules { profile: Some(Profile::Strict), pin_tries: Some(1), pin_cost: Some(cost), ..NewRules::default() };
    let wrong = Pins { officer: b"wrong-pin", user: None };
    assert_eq!(world.engine.change_rules(SLOT, &wrong, rules), Err(Error::PinIncorrect));
    let user = user_session(&world.engine, SLOT);
    world.engine.change_rules(SLOT, &OFFICER, rules).unwrap();
    let other = world.another_process();
    assert_eq!(other.token_summary(SLOT).unwrap().profile, Profile::Strict);
    world.engine.create_object(user, aes(true, true)).unwrap();
    assert!(find(&world.engine, user, vec![]).unwrap().len() == 1, "who is logged in goes on");
    world.engine.close_session(user).unwrap();
    let session = other.open_session(SLOT, Access::ReadWrite).unwrap();
    assert_eq!(other.login(session, User::User, b"wrong-pin"), Err(Error::PinLocked), "one try");
}

#[test]
fn a_pin_that_costs_much_more_than_this_machine_would_set_is_refused_in_words_and_not_tried() {
    let dear = PinCost { memory_kib: 128 * 1024, passes: 7, lanes: 1 };
    let rich = Settings { pin_cost: PinCost { memory_kib: 64 * 1024, passes: 4, lanes: 1 }, ..settings() };
    let world = World::with(rich);
    world.engine.change_rules(SLOT, &OFFICER, NewRules { pin_cost: Some(dear), ..NewRules::default() }).unwrap();
    let poor = world.another_process();
    let session = poor.open_session(SLOT, Access::ReadWrite).unwrap();
    let refused = poor.login(session, User::User, PIN).unwrap_err();
    assert!(refused.to_string().contains("pin_memory_kib"), "{refused}");
    assert!(!poor.token_summary(SLOT).unwrap().user_tries.wrong(), "it was not counted as wrong");
    let session = world.engine.open_session(SLOT, Access::ReadWrite).unwrap();
    assert_eq!(world.engine.login(session, User::User, PIN), Ok(()));
}

#[test]
fn a_strict_token_has_dearer_pins() {
    let world = World::with(Settings { profile: Profile::Strict, ..settings() });
    assert_eq!(world.engine.token_summary(SLOT).unwrap().pin_cost, PinCost::STRICT);
    let world = World::new();
    let strict = NewRules { profile: Some(Profile::Strict), pin_cost: Some(PinCost::FLOOR), ..NewRules::default() };
    world.engine.change_rules(SLOT, &OFFICER, strict).unwrap();
    assert_eq!(world.engine.token_summary(SLOT).unwrap().pin_cost, PinCost::STRICT);
}

#[test]
fn rules_that_no_token_can_have_are_refused() {
    let world = World::new();
    let free = PinCost { passes: 0, ..PinCost::FLOOR };
    for rules in [
        NewRules { pin_tries: Some(0), ..NewRules::default() },
        NewRules { pin_cost: Some(free), ..NewRules::default() },
        NewRules { recovery: Some(Recovery::Never), ..NewRules::default() },
    ] {
        assert_eq!(world.engine.change_rules(SLOT, &OFFICER, rules), Err(Error::ArgumentsBad), "{rules:?}");
    }
}

#[test]
fn recovery_is_taken_from_the_officer_and_given_back_with_the_users_pin() {
    let world = World::new();
    let engine = &world.engine;
    let to = |recovery| NewRules { recovery: Some(recovery), ..NewRules::default() };
    assert_eq!(left_after_a_reset(engine), 1);
    engine.change_rules(SLOT, &BOTH, to(Recovery::Never)).unwrap();
    assert_eq!(engine.token_summary(SLOT).unwrap().recovery, Recovery::Never);
    assert_eq!(left_after_a_reset(engine), 0);
    engine.change_rules(SLOT, &BOTH, to(Recovery::ByOfficer)).unwrap();
    assert_eq!(left_after_a_reset(engine), 1);
}

#[test]
fn recovery_can_be_chosen_before_there_is_a_user() {
    for (from, to) in [(Recovery::ByOfficer, Recovery::Never), (Recovery::Never, Recovery::ByOfficer)] {
        let world = World::with(Settings { recovery: from, ..settings() });
        world.engine.init_token(SLOT, SO_PIN, &LABEL).unwrap();
        world.engine.change_rules(SLOT, &OFFICER, NewRules { recovery: Some(to), ..NewRules::default() }).unwrap();
        let session = world.engine.open_session(SLOT, Access::ReadWrite).unwrap();
        world.engine.login(session, User::Officer, SO_PIN).unwrap();
        world.engine.init_pin(session, PIN).unwrap();
        world.engine.close_session(session).unwrap();
        assert_eq!(left_after_a_reset(&world.engine), usize::from(to == Recovery::ByOfficer));
    }
}

#[test]
fn an_officer_who_was_logged_in_when_recovery_changed_does_not_do_the_contrary() {
    for (from, to) in [(Recovery::Never, Recovery::ByOfficer), (Recovery::ByOfficer, Recovery::Never)] {
        let world = World::with(Settings { recovery: from, ..settings() });
        let engine = &world.engine;
        let session = user_session(engine, SLOT);
        engine.create_object(session, aes(true, true)).unwrap();
        engine.close_session(session).unwrap();
        let officer = engine.open_session(SLOT, Access::ReadWrite).unwrap();
        engine.login(officer, User::Officer, SO_PIN).unwrap();
        let rules = NewRules { recovery: Some(to), ..NewRules::default() };
        world.another_process().change_rules(SLOT, &BOTH, rules).unwrap();
        assert_eq!(engine.init_pin(officer, b"new-pin"), Err(Error::LoginOver), "from {from}");
        assert_eq!(state(engine, officer), 2, "read-write, public");
        engine.login(officer, User::User, PIN).unwrap();
        assert_eq!(find(engine, officer, vec![flag(A::PRIVATE, true)]).unwrap().len(), 1, "nothing is lost");
        engine.logout(officer).unwrap();
        engine.login(officer, User::Officer, SO_PIN).unwrap();
    }
}
