//! Rotation of a token's keys, interrupted wherever it can be.

use std::{collections::BTreeSet, sync::Mutex};

use store::{
    Record, TokenLocation,
    faulty::{Fault, Span, Verb, When},
};

use super::*;
use crate::{Pins, Recovery, Rotated, Start};

const SLOT: SlotId = SlotId(0);

/// How many private keys [`fill`] makes, and public ones as well.
const EACH: usize = 3;

fn rotate(engine: &Engine) -> Result<Rotated, Error> {
    engine.rotate_keys(SLOT, &Pins { officer: SO_PIN, user: Some(PIN) }, &mut |_, _| {})
}

/// Keys that are private and keys that are public; what they make of a block.
fn fill(engine: &Engine) -> [u8; 16] {
    let session = user_session(engine, SLOT);
    let keys = (0..2 * EACH).map(|number| engine.create_object(session, aes(true, number % 2 == 0)).unwrap());
    let keys: Vec<_> = keys.collect();
    let made = encrypt(engine, session, keys[0]).unwrap();
    engine.close_session(session).unwrap();
    made
}

/// Everything is there, is found and works, and nothing is wrong but what is `expected`.
fn must_be_whole(world: &World, made: [u8; 16], expected: &[&str]) {
    let engine = world.another_process();
    let session = user_session(&engine, SLOT);
    let mut all = Vec::new();
    for private in [true, false] {
        let found = find(&engine, session, vec![flag(A::PRIVATE, private)]).unwrap();
        let class = (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0));
        let by_term = find(&engine, session, vec![flag(A::PRIVATE, private), class]).unwrap();
        assert_eq!((found.len(), &found), (EACH, &by_term), "private: {private}");
        all.extend(found);
    }
    for key in all {
        assert_eq!(encrypt(&engine, session, key), Ok(made));
    }
    let faults = engine.check_token(session).unwrap().faults;
    assert!(
        faults.len() == expected.len() && faults.iter().zip(expected).all(|(fault, word)| fault.contains(word)),
        "{faults:?}"
    );
}

fn records(world: &World) -> Vec<Record> {
    let location = world.directory.tokens().unwrap().remove(0);
    let store = world.directory.open(&TokenLocation { ..location }).unwrap();
    let names = store.find(&[], None, usize::MAX).unwrap();
    names.into_iter().map(|id| store.read(id).unwrap().unwrap()).collect()
}

/// The ids of the keys that records are sealed with.
fn keys_in_use(world: &World) -> BTreeSet<[u8; 4]> {
    records(world).iter().map(|record| record.sealed[2..6].try_into().unwrap()).collect()
}

const FIRST: [[u8; 4]; 2] = [[0, 0, 0, 1], [0, 0, 0, 2]];

fn has_first(world: &World) -> bool {
    keys_in_use(world).iter().any(|key| FIRST.contains(key))
}

#[test]
fn after_a_rotation_everything_works_and_nothing_is_sealed_with_the_keys_of_before() {
    for recovery in [Recovery::ByOfficer, Recovery::Never] {
        let world = World::with(Settings { recovery, ..settings() });
        let made = fill(&world.engine);
        assert_eq!(keys_in_use(&world).len(), 2);
        for _ in 0..2 {
            let before = keys_in_use(&world);
            let mut told = Vec::new();
            let pins = Pins { officer: SO_PIN, user: Some(PIN) };
            let rotated = world.engine.rotate_keys(SLOT, &pins, &mut |done, total| told.push((done, total))).unwrap();
            assert_eq!(rotated, Rotated { start: Start::NewKeys, sealed: 6, left: vec![] });
            assert_eq!(told, [(0, 6), (2, 6), (4, 6), (6, 6)]);
            must_be_whole(&world, made, &[]);
            assert!(keys_in_use(&world).is_disjoint(&before));
        }
        let session = world.engine.open_session(SLOT, Access::ReadWrite).unwrap();
        world.engine.login(session, User::Officer, SO_PIN).unwrap();
        world.engine.init_pin(session, PIN).unwrap();
        if recovery == Recovery::ByOfficer {
            must_be_whole(&world, made, &[]);
        }
    }
}

#[test]
fn a_token_whose_user_has_no_pin_yet_gets_other_keys_too() {
    for recovery in [Recovery::ByOfficer, Recovery::Never] {
        let world = World::with(Settings { recovery, ..settings() });
        world.engine.init_token(SLOT, SO_PIN, &LABEL).unwrap();
        let officer_only = Pins { officer: SO_PIN, user: None };
        assert_eq!(world.engine.rotate_keys(SLOT, &officer_only, &mut |_, _| {}).unwrap().sealed, 0);
        let session = world.engine.open_session(SLOT, Access::ReadWrite).unwrap();
        world.engine.login(session, User::Officer, SO_PIN).unwrap();
        world.engine.init_pin(session, PIN).unwrap();
        world.engine.close_session(session).unwrap();
        must_be_whole(&world, fill(&world.engine), &[]);
        assert!(!has_first(&world), "it was rotated");
    }
}

#[test]
fn what_was_lost_before_a_rotation_is_still_named_after_it() {
    let world = World::with(Settings { recovery: Recovery::Never, ..settings() });
    fill(&world.engine);
    let session = world.engine.open_session(SLOT, Access::ReadWrite).unwrap();
    world.engine.login(session, User::Officer, SO_PIN).unwrap();
    world.engine.init_pin(session, PIN).unwrap();
    world.engine.close_session(session).unwrap();
    assert_eq!(rotate(&world.engine).unwrap().sealed, 2 * EACH as u64);
    let session = user_session(&world.engine, SLOT);
    let report = world.engine.check_token(session).unwrap();
    assert_eq!(report.whole, EACH as u64);
    assert!(report.faults.len() == EACH && report.faults.iter().all(|fault| fault.contains("lost")), "{report:?}");
    assert!(!has_first(&world));
}

#[test]
fn a_wrong_pin_of_either_rotates_nothing_and_counts() {
    let world = World::new();
    fill(&world.engine);
    let with = |officer, user| world.engine.rotate_keys(SLOT, &Pins { officer, user }, &mut |_, _| {});
    assert_eq!(with(b"wrong-pin", Some(PIN)), Err(Error::PinIncorrect));
    assert_eq!(with(SO_PIN, Some(b"wrong-pin")), Err(Error::PinIncorrect));
    assert_eq!(with(SO_PIN, None), Err(Error::ArgumentsBad));
    assert!(world.engine.token_summary(SLOT).unwrap().user_tries.wrong());
    assert_eq!(keys_in_use(&world), BTreeSet::from(FIRST));
}

#[test]
fn whoever_was_logged_in_before_is_told_to_log_in_again_and_can() {
    let world = World::new();
    let made = fill(&world.engine);
    let other = world.another_process();
    let (session, here) = (user_session(&other, SLOT), user_session(&world.engine, SLOT));
    let key = find(&other, session, vec![flag(A::PRIVATE, true)]).unwrap()[0];
    assert_eq!(encrypt(&other, session, key), Ok(made));
    rotate(&world.engine).unwrap();
    assert_eq!(encrypt(&other, session, key), Err(Error::LoginOver));
    for (engine, session) in [(&other, session), (&world.engine, here)] {
        assert_eq!(state(engine, session), 2, "read-write, public");
        engine.login(session, User::User, PIN).unwrap();
    }
    let key = find(&other, session, vec![flag(A::PRIVATE, true)]).unwrap()[0];
    assert_eq!(encrypt(&other, session, key), Ok(made));
}

/// Whether a fault of this plan was still to come when the rotation was done.
fn rotates_under(verb: Verb, nth: u64, when: When, span: Span) -> bool {
    let world = World::new();
    let made = fill(&world.engine);
    let error = store::Error::Failed("on purpose".to_owned());
    let before = world.plan.calls(verb);
    world.plan.fail(Fault { verb: Some(verb), nth, when, span, error });
    let outcome = rotate(&world.another_process());
    let came = world.plan.calls(verb) >= before + nth;
    world.plan.heal();
    let unfinished: &[&str] = if outcome.is_ok() || !is_begun(&world) { &[] } else { &["unfinished"] };
    // The acknowledgement of the last commit may have been lost: then it is finished, and nobody knows.
    let is_finished = !has_first(&world) && faults(&world).is_empty();
    must_be_whole(&world, made, if is_finished { &[] } else { unfinished });
    assert_eq!(rotate(&world.another_process()).unwrap().left, Vec::<String>::new());
    must_be_whole(&world, made, &[]);
    assert!(!has_first(&world), "{verb:?} {nth} {when:?} {span:?}");
    came
}

fn faults(world: &World) -> Vec<String> {
    let engine = world.another_process();
    let session = user_session(&engine, SLOT);
    engine.check_token(session).unwrap().faults
}

/// Whether the rings have retired keys.
fn is_begun(world: &World) -> bool {
    faults(world).iter().any(|fault| fault.contains("unfinished"))
}

#[test]
fn a_rotation_that_fails_or_dies_at_any_commit_leaves_a_whole_token_and_goes_on_later() {
    for when in [When::Before, When::After] {
        for span in [Span::Once, Span::Lasting] {
            let commits = (1..100).take_while(|nth| rotates_under(Verb::Commit, *nth, when, span)).count();
            assert!(commits >= 5, "begin, three batches, end: {commits}");
        }
    }
}

#[test]
fn a_rotation_that_fails_at_any_other_call_leaves_a_whole_token_and_goes_on_later() {
    for verb in [Verb::Head, Verb::Read, Verb::Find, Verb::ChangeCounter, Verb::Count, Verb::Set, Verb::SetNote] {
        let calls = (1..100).take_while(|nth| rotates_under(verb, *nth, When::Before, Span::Once)).count();
        assert!(calls >= 1, "{verb:?}");
    }
    for nth in [1, 2, 100, 256, 257, 260] {
        rotates_under(Verb::Digests, nth, When::Before, Span::Once);
    }
}

#[test]
fn two_rotations_at_once_leave_a_whole_token_at_whatever_commit_they_meet() {
    for nth in 1..6 {
        let world = World::new();
        let made = fill(&world.engine);
        let (other, outcome) = (world.another_process(), Arc::new(Mutex::new(None)));
        let seen = Arc::clone(&outcome);
        world.plan.meanwhile(Verb::Commit, nth, move || *seen.lock().unwrap() = Some(rotate(&other)));
        let mine = rotate(&world.engine);
        let theirs = outcome.lock().unwrap().take().unwrap();
        assert!(theirs.is_ok(), "who comes in between is not disturbed at {nth}: {theirs:?}");
        assert!(mine.is_ok(), "at {nth}: {mine:?}");
        must_be_whole(&world, made, &[]);
        assert!(!has_first(&world), "at {nth}");
    }
}

#[test]
fn an_object_made_while_a_rotation_is_under_way_is_kept() {
    for nth in 2..6 {
        let world = World::new();
        fill(&world.engine);
        let other = world.another_process();
        world.plan.meanwhile(Verb::Commit, nth, move || {
            let session = user_session(&other, SLOT);
            other.create_object(session, aes(true, true)).unwrap();
            other.create_object(session, aes(true, false)).unwrap();
        });
        rotate(&world.engine).unwrap();
        let engine = world.another_process();
        let session = user_session(&engine, SLOT);
        let found = find(&engine, session, vec![]).unwrap();
        assert_eq!(found.len(), 2 * EACH + 2);
        found.iter().for_each(|key| assert!(encrypt(&engine, session, *key).is_ok()));
        assert!(!has_first(&world));
    }
}

#[test]
fn a_pin_that_is_changed_while_a_rotation_is_under_way_stays_changed() {
    const OTHER: &[u8] = b"other-pin";
    for nth in 1..6 {
        let world = World::new();
        let made = fill(&world.engine);
        let other = world.another_process();
        world.plan.meanwhile(Verb::Commit, nth, move || {
            let session = other.open_session(SLOT, Access::ReadWrite).unwrap();
            other.set_pin(session, PIN, OTHER).unwrap();
        });
        assert_eq!(rotate(&world.engine), Err(Error::PinIncorrect), "at {nth}: it cannot seal a ring for that one");
        let pins = Pins { officer: SO_PIN, user: Some(OTHER) };
        world.engine.rotate_keys(SLOT, &pins, &mut |_, _| {}).unwrap();
        let session = world.engine.open_session(SLOT, Access::ReadWrite).unwrap();
        world.engine.set_pin(session, OTHER, PIN).unwrap();
        must_be_whole(&world, made, &[]);
        assert!(!has_first(&world), "at {nth}");
    }
}

#[test]
fn the_keys_of_before_stay_as_long_as_something_does_not_open_that_may_be_mended() {
    let world = World::new();
    let made = fill(&world.engine);
    let damaged = records(&world).iter().find(|record| record.clear.is_none()).unwrap().id;
    world.plan.damage(damaged);
    for start in [Start::NewKeys, Start::NewKeys] {
        let rotated = rotate(&world.engine).unwrap();
        assert_eq!((rotated.start, rotated.sealed, rotated.left.len()), (start, 5, 1), "{:?}", rotated.left);
        assert!(rotated.left[0].contains("damaged"));
    }
    world.plan.mend(damaged);
    must_be_whole(&world, made, &["unfinished"]);
    let rotated = rotate(&world.engine).unwrap();
    assert_eq!(rotated, Rotated { start: Start::Unfinished, sealed: 1, left: vec![] });
    must_be_whole(&world, made, &[]);
    assert!(!has_first(&world));
}

#[test]
fn a_set_of_records_that_somebody_has_changed_is_named_by_a_check_and_vouched_for_by_no_rotation() {
    let world = World::new();
    fill(&world.engine);
    let taken = records(&world)[0].id;
    world.plan.hide(taken);
    let bucket = format!("begin with {:02x}", taken.0[0]);
    let faults = faults(&world);
    assert!(faults.len() == 2 && faults[0].contains(&bucket) && faults[1].contains("there are 5"), "{faults:?}");
    assert_eq!(rotate(&world.engine), Err(Error::Tampered("the set of objects")));
    assert_eq!(keys_in_use(&world), BTreeSet::from(FIRST), "nothing was begun");
}

#[test]
fn a_user_who_gets_his_first_pin_while_a_rotation_begins_is_not_left_behind() {
    for nth in 1..3 {
        let world = World::new();
        world.engine.init_token(SLOT, SO_PIN, &LABEL).unwrap();
        let other = world.another_process();
        world.plan.meanwhile(Verb::Commit, nth, move || {
            let session = other.open_session(SLOT, Access::ReadWrite).unwrap();
            other.login(session, User::Officer, SO_PIN).unwrap();
            other.init_pin(session, PIN).unwrap();
        });
        let officer_only = Pins { officer: SO_PIN, user: None };
        let outcome = world.engine.rotate_keys(SLOT, &officer_only, &mut |_, _| {});
        assert_eq!(outcome, Err(Error::ArgumentsBad), "at {nth}: the user's PIN is needed now");
        let made = fill(&world.another_process());
        rotate(&world.another_process()).unwrap();
        must_be_whole(&world, made, &[]);
    }
}
