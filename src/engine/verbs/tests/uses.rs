//! What is written down of uses of keys.

use std::thread;

use serde_json::Value as Json;
use store::faulty::{Fault, Span, Verb, When};

use super::*;
use crate::{KeyState, NewRules, Pins, UseAudit, UseEntry};

const SLOT: SlotId = SlotId(0);

fn world(rule: UseAudit) -> World {
    let world = World::new();
    let pins = Pins { officer: SO_PIN, user: None };
    world.engine.change_rules(SLOT, &pins, NewRules { uses: Some(rule), ..NewRules::default() }).unwrap();
    world
}

/// The same with a session of the user's, and a key of the token.
fn with_key(rule: UseAudit) -> (World, SessionHandle, ObjectHandle) {
    let world = world(rule);
    let session = user_session(&world.engine, SLOT);
    let key = world.engine.create_object(session, aes(true, true)).unwrap();
    (world, session, key)
}

fn no_room() -> store::Error {
    store::Error::Full("no room".to_owned())
}

fn no_room_from_now_on(world: &World) {
    let (verb, when, span) = (Some(Verb::AppendUses), When::Before, Span::Lasting);
    world.plan.fail(Fault { verb, nth: 1, when, span, error: no_room() });
}

/// What was written down, which is whole.
fn written(engine: &Engine, session: SessionHandle) -> Vec<UseEntry> {
    let mut entries = Vec::new();
    let head = engine.uses(session, &mut |entry, _| entries.push(entry.clone())).unwrap().unwrap();
    assert_eq!(head.map_or(0, |head| head.entries), entries.len() as u64);
    entries
}

fn member(entry: &UseEntry, name: &str) -> Json {
    serde_json::from_str::<Json>(&entry.text).unwrap()[name].clone()
}

/// The operation and the count of each entry.
fn counts(entries: &[UseEntry]) -> Vec<(String, u64)> {
    let of = |entry| (member(entry, "operation").as_str().unwrap().to_owned(), member(entry, "uses").as_u64().unwrap());
    entries.iter().map(of).collect()
}

fn unique_id(engine: &Engine, session: SessionHandle, key: ObjectHandle) -> String {
    let view = engine.object(session, key).unwrap();
    String::from_utf8(view.attribute(A::UNIQUE_ID).unwrap().as_bytes().unwrap().to_vec()).unwrap()
}

#[test]
fn uses_are_counted_by_key_and_way_and_written_when_the_login_ends() {
    let world = world(UseAudit::Counted);
    let engine = &world.engine;
    let [session, other] = [(); 2].map(|()| user_session(engine, SLOT));
    let key = engine.create_object(session, aes(true, true)).unwrap();
    let of_the_session = engine.create_object(session, aes(false, true)).unwrap();
    for _ in 0..5 {
        encrypt(engine, session, key).unwrap();
        encrypt(engine, other, key).unwrap();
        encrypt(engine, session, of_the_session).unwrap();
    }
    engine.decrypt_init(session, &ecb(), key).unwrap();
    let id = unique_id(engine, session, key);
    engine.close_session(other).unwrap();
    assert_eq!(engine.use_totals(session, None).unwrap(), [], "nothing is written at each use, or for each session");
    engine.logout(session).unwrap();
    engine.login(session, User::User, PIN).unwrap();
    let entries = written(engine, session);
    assert_eq!(counts(&entries), [("encrypt".into(), 10), ("decrypt".into(), 1)]);
    assert!(entries.iter().all(|entry| entry.key == id && member(entry, "who") == "user"));
    assert_eq!(member(&entries[0], "mechanism"), "CKM_AES_ECB");
    assert!(member(&entries[0], "audit")["n"].as_u64().unwrap() >= 3, "it names the last entry of the audit");

    let process = world.another_process();
    let theirs = user_session(&process, SLOT);
    let same = find(&process, theirs, vec![(A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0))]).unwrap();
    encrypt(&process, theirs, same[0]).unwrap();
    process.finalize();
    let totals = engine.use_totals(session, Some(&id)).unwrap();
    let encrypted = totals.iter().find(|total| total.operation == "encrypt").unwrap();
    assert_eq!((encrypted.uses, encrypted.who.as_str()), (11, "user"));
    assert_eq!(written(engine, session).len(), 3);
    assert_eq!(engine.uses_of(session, &id, 1).unwrap()[0].number, 3);
}

#[test]
fn a_use_that_is_not_allowed_is_written_down_as_that() {
    let (world, session, key) = with_key(UseAudit::Each);
    let engine = &world.engine;
    encrypt(engine, session, key).unwrap();
    engine.set_attributes(session, key, vec![(A::SR_KEY_STATE, KeyState::Disabled.value())]).unwrap();
    assert_eq!(encrypt(engine, session, key), Err(Error::KeyFunctionNotPermitted));
    encrypt(engine, session, key).unwrap_err();
    let said = counts(&written(engine, session));
    let once = |operation: &str| (operation.to_owned(), 1);
    assert_eq!(said, [once("encrypt"), once("encrypt denied"), once("encrypt denied")], "each by itself");
}

#[test]
fn without_the_rule_nothing_is_written_down_and_with_it_nobody_reads_it_without_a_login() {
    let world = World::new();
    let engine = &world.engine;
    let session = user_session(engine, SLOT);
    let key = engine.create_object(session, aes(true, true)).unwrap();
    encrypt(engine, session, key).unwrap();
    assert_eq!(written(engine, session), []);
    engine.logout(session).unwrap();
    assert_eq!(engine.use_totals(session, None), Err(Error::UserNotLoggedIn));
    assert_eq!(engine.uses(session, &mut |_, _| {}).unwrap_err(), Error::UserNotLoggedIn);
}

#[test]
fn what_must_be_written_down_and_cannot_be_does_not_happen() {
    let (world, session, key) = with_key(UseAudit::Forced);
    let engine = &world.engine;
    encrypt(engine, session, key).unwrap();
    for when in [When::Before, When::After] {
        world.plan.fail(Fault { verb: Some(Verb::AppendUses), nth: 1, when, span: Span::Once, error: no_room() });
        let refused = encrypt(engine, session, key);
        assert!(matches!(refused, Err(Error::UseNotWritten(_))), "{refused:?}");
        assert_eq!(types::Rv::from(&refused.unwrap_err()), types::Rv::DEVICE_ERROR);
    }
    encrypt(engine, session, key).unwrap();
    let said = counts(&written(engine, session));
    let allowed = said.iter().filter(|(operation, _)| operation == "encrypt").count();
    // What failed after it was written is written again, as what did not happen, with what had waited before it.
    assert_eq!((allowed, said.len()), (3, 6), "{said:?}");
}

#[test]
fn what_cannot_be_written_down_where_it_need_not_be_waits_and_is_an_alarm() {
    let (world, session, key) = with_key(UseAudit::Each);
    let engine = &world.engine;
    encrypt(engine, session, key).unwrap();
    world.plan.fail_before(Verb::AppendUses, 1, no_room());
    engine.uses(session, &mut |_, _| {}).unwrap().unwrap();
    let alarms = engine.alarms().unwrap();
    assert!(alarms.iter().any(|line| line.contains("uses-not-written") && line.contains("no room")), "{alarms:?}");
    encrypt(engine, session, key).unwrap();
    assert_eq!(written(engine, session).len(), 2, "nothing is lost");
}

#[test]
fn two_processes_that_write_at_once_write_one_chain() {
    let (world, session, key) = with_key(UseAudit::Forced);
    let engine = &world.engine;
    let other = world.another_process();
    let theirs = user_session(&other, SLOT);
    let same = find(&other, theirs, vec![(A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0))]).unwrap()[0];
    let process = Arc::clone(&other);
    world.plan.meanwhile(Verb::AppendUses, 1, move || {
        encrypt(&process, theirs, same).unwrap();
    });
    encrypt(engine, session, key).unwrap();
    assert_eq!(counts(&written(engine, session)), [("encrypt".into(), 1), ("encrypt".into(), 1)]);
    assert_eq!(written(&other, theirs).len(), 2);
}

#[test]
fn each_use_of_many_threads_is_written_before_it_happens() {
    let (world, session, key) = with_key(UseAudit::Forced);
    let engine = &world.engine;
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let session = engine.open_session(SLOT, Access::ReadOnly).unwrap();
                for done in 1..=25 {
                    encrypt(engine, session, key).unwrap();
                    let mut mine = 0;
                    engine.uses(session, &mut |_, _| mine += 1).unwrap().unwrap();
                    assert!(mine >= done, "{mine} of at least {done}");
                }
            });
        }
    });
    assert_eq!(written(engine, session).len(), 200);
}

#[test]
fn a_key_that_is_digested_wrapped_or_copied_is_used_too_and_a_forced_token_gives_no_copies_to_sessions() {
    let world = world(UseAudit::Forced);
    let engine = &world.engine;
    let session = user_session(engine, SLOT);
    let mut template = aes(true, true);
    template.push(flag(A::WRAP, true));
    let [key, wrapping] = [aes(true, true), template].map(|template| engine.create_object(session, template).unwrap());
    engine.digest_init(session, &Mechanism { id: MechanismType::SHA256, params: Params::None }).unwrap();
    engine.digest_key(session, key).unwrap();
    let kwp = Mechanism { id: MechanismType::AES_KEY_WRAP_KWP, params: Params::None };
    engine.wrap_key(session, &kwp, wrapping, key, Output::Buffer(&mut [0; 64])).unwrap();
    let copy = engine.copy_object(session, key, vec![flag(A::TOKEN, false)]);
    assert_eq!(copy, Err(Error::ActionProhibited));
    engine.copy_object(session, key, vec![]).unwrap();
    let id = unique_id(engine, session, key);
    let entries: Vec<_> = written(engine, session).into_iter().filter(|entry| entry.key == id).collect();
    let said: Vec<_> = counts(&entries).into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(said, ["digest", "wrapped", "copied denied"]);
}

#[test]
fn a_use_is_of_the_one_who_was_logged_in_whoever_is_when_it_is_written() {
    let (world, session, key) = with_key(UseAudit::Each);
    let engine = &world.engine;
    encrypt(engine, session, key).unwrap();
    world.plan.fail_before(Verb::AppendUses, 1, no_room());
    engine.logout(session).unwrap();
    engine.login(session, User::Officer, SO_PIN).unwrap();
    let entries = written(engine, session);
    assert_eq!((entries.len(), member(&entries[0], "who")), (1, "user".into()));
}

#[test]
fn uses_that_nobody_could_write_are_an_alarm_when_their_program_ends() {
    let (world, session, key) = with_key(UseAudit::Counted);
    let engine = &world.engine;
    encrypt(engine, session, key).unwrap();
    encrypt(engine, session, key).unwrap();
    no_room_from_now_on(&world);
    engine.finalize();
    let alarms = engine.alarms().unwrap();
    let lost = alarms.iter().find(|line| line.contains("uses-lost")).unwrap();
    assert!(lost.contains(r#""uses":"2""#), "{lost}");
}

#[test]
fn threads_that_wait_for_one_write_share_its_failure() {
    let (world, session, key) = with_key(UseAudit::Forced);
    let engine = &world.engine;
    no_room_from_now_on(&world);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let session = engine.open_session(SLOT, Access::ReadOnly).unwrap();
                assert!(matches!(encrypt(engine, session, key), Err(Error::UseNotWritten(_))));
            });
        }
    });
    world.plan.heal();
    encrypt(engine, session, key).unwrap();
    let said = counts(&written(engine, session));
    let denied = said.iter().filter(|(operation, _)| operation == "encrypt denied").count();
    assert_eq!((denied, said.len()), (8, 9), "{said:?}");
}

#[test]
fn what_a_key_does_not_open_is_written_down_beside_its_use_in_every_way_of_decrypting() {
    use types::{Generator, MessageParams};
    let (world, session, key) = with_key(UseAudit::Each);
    let engine = &world.engine;
    engine.set_attributes(session, key, vec![flag(A::ENCRYPT, true)]).unwrap();
    let unwraps = {
        let mut template = aes(true, true);
        template.push(flag(A::UNWRAP, true));
        engine.create_object(session, template).unwrap()
    };
    let gcm =
        Mechanism { id: MechanismType::AES_GCM, params: Params::Gcm { iv: vec![1; 12], aad: vec![], tag_bits: 128 } };
    let mut out = [0; 64];
    let whole = |input: &[u8], out: &mut [u8]| {
        engine.decrypt_init(session, &gcm, key).unwrap();
        engine.decrypt(session, input, Output::Buffer(out))
    };
    assert!(whole(&[7; 32], &mut out).is_err());
    assert!(whole(&[7; 3], &mut out).is_err(), "too short to be one");
    engine.decrypt_init(session, &gcm, key).unwrap();
    engine.decrypt_update(session, &[7; 32], Output::Buffer(&mut out)).unwrap();
    assert!(engine.decrypt_final(session, Output::Buffer(&mut out)).is_err());
    engine.message_decrypt_init(session, MechanismType::AES_GCM, key).unwrap();
    let params = MessageParams {
        iv: vec![1; 12],
        fixed_bits: 0,
        generator: Generator::NO_GENERATE,
        tag: vec![0; 16],
        tag_bits: 128,
    };
    assert!(engine.decrypt_message(session, &params, b"", &[7; 16], Output::Buffer(&mut out)).is_err());
    let kwp = Mechanism { id: MechanismType::AES_KEY_WRAP_KWP, params: Params::None };
    let template =
        vec![(A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)), (A::KEY_TYPE, Value::Number(KeyType::AES.0))];
    assert!(engine.unwrap_key(session, &kwp, unwraps, &[7; 40], template).is_err());
    // What is no ciphertext's fault is none.
    engine.decrypt_init(session, &gcm, key).unwrap();
    assert!(engine.decrypt_update(session, &[7; 32], Output::LengthQuery).is_ok());
    engine.logout(session).unwrap();

    let session = user_session(engine, SLOT);
    let failed = |operation: &str| {
        let totals = engine.use_totals(session, None).unwrap();
        totals.iter().filter(|total| total.operation == operation).map(|total| total.uses).sum::<u64>()
    };
    assert_eq!(failed("decrypt failed"), 4);
    assert_eq!(failed("decrypt"), 6, "each Init, and the message");
    assert_eq!((failed("unwrap failed"), failed("unwrap")), (1, 1));
    let entries = written(engine, session);
    let first = member(&entries[0], "caller");
    assert!(first["path"].as_str().unwrap().starts_with('/') && first["uid"].is_u64(), "{first}");
}

#[test]
fn who_wants_a_key_wrapped_that_may_not_leave_is_written_down_with_it() {
    let (world, session, key) = with_key(UseAudit::Each);
    let engine = &world.engine;
    let generate = Mechanism { id: MechanismType::AES_KEY_GEN, params: Params::None };
    let made = |more: (A, Value)| {
        engine.generate_key(session, &generate, vec![(A::VALUE_LEN, Value::Number(16)), flag(A::TOKEN, true), more])
    };
    let by = made(flag(A::WRAP, true)).unwrap();
    let stays = made(flag(A::EXTRACTABLE, false)).unwrap();
    let kwp = Mechanism { id: MechanismType::AES_KEY_WRAP_KWP, params: Params::None };
    let mut out = [0; 64];
    let mut wrap = |key| engine.wrap_key(session, &kwp, by, key, Output::Buffer(&mut out));
    assert_eq!(wrap(stays), Err(Error::KeyUnextractable));
    assert!(wrap(key).is_ok());
    let of = |key| unique_id(engine, session, key);
    let (stays, leaves) = (of(stays), of(key));
    engine.logout(session).unwrap();
    let session = user_session(engine, SLOT);
    let ways = |key: &str| {
        let totals = engine.use_totals(session, Some(key)).unwrap();
        totals.into_iter().map(|total| total.operation).collect::<Vec<_>>()
    };
    assert_eq!((ways(&stays), ways(&leaves)), (vec!["wrapped denied".to_owned()], vec!["wrapped".to_owned()]));
}
