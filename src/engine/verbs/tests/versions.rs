//! Keys that are rotated.

use store::faulty::{Fault, Span, When};

use super::*;
use crate::{KeyState, NewRules, Pins};

const ED25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];

fn generated(engine: &Engine, session: SessionHandle) -> ObjectHandle {
    let template = vec![
        flag(A::TOKEN, true),
        (A::LABEL, Value::bytes("k")),
        (A::ID, Value::bytes([1, 2])),
        (A::VALUE_LEN, Value::Number(32)),
        flag(A::ENCRYPT, true),
        flag(A::DECRYPT, true),
        flag(A::SIGN, false),
        flag(A::EXTRACTABLE, true),
    ];
    engine.generate_key(session, &Mechanism { id: MechanismType::AES_KEY_GEN, params: Params::None }, template).unwrap()
}

fn by_label() -> Template {
    vec![(A::LABEL, Value::bytes("k"))]
}

fn retired() -> Template {
    vec![(A::LABEL, Value::bytes("k")), (A::SR_KEY_STATE, KeyState::Retired.value())]
}

fn decrypt(engine: &Engine, session: SessionHandle, key: ObjectHandle, block: &[u8]) -> Result<[u8; 16], Error> {
    engine.decrypt_init(session, &ecb(), key)?;
    let mut out = [0; 16];
    engine.decrypt(session, block, Output::Buffer(&mut out))?;
    Ok(out)
}

#[test]
fn a_rotated_secret_key_keeps_its_name_and_rules_and_the_old_version_decrypts_only() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let other = world.another_process();
    let theirs = user_session(&other, SlotId(0));
    let first = generated(engine, session);
    let [same] = find(&other, theirs, by_label()).unwrap()[..] else { panic!("one key") };
    let sealed = encrypt(engine, session, first).unwrap();
    assert!(encrypt(&other, theirs, same).is_ok());
    let second = engine.rotate_key(session, first).unwrap();
    assert_eq!(find(engine, session, by_label()).unwrap(), [second], "by its name, the new one");
    assert_eq!(find(engine, session, vec![]).unwrap(), [second], "and so without a name");
    assert_ne!(encrypt(engine, session, second).unwrap(), sealed, "another key");
    let [new, old] = [second, first].map(|key| engine.object(session, key).unwrap());
    for name in [
        A::LABEL,
        A::ID,
        A::ENCRYPT,
        A::DECRYPT,
        A::SIGN,
        A::EXTRACTABLE,
        A::SENSITIVE,
        A::VALUE_LEN,
        A::KEY_GEN_MECHANISM,
    ] {
        assert!(new.attribute(name) == old.attribute(name), "{name}");
    }
    assert!(new.attribute(A::UNIQUE_ID) != old.attribute(A::UNIQUE_ID));
    assert!(
        new.attribute(A::SR_KEY_VERSION) == Ok(&Value::Number(2))
            && old.attribute(A::SR_KEY_VERSION) == Ok(&Value::Number(1))
    );
    for (engine, session, key) in [(engine, session, first), (&other, theirs, same)] {
        assert_eq!(encrypt(engine, session, key), Err(Error::KeyFunctionNotPermitted));
        assert_eq!(decrypt(engine, session, key, &sealed).unwrap(), [1; 16]);
    }
    assert_eq!(engine.rotate_key(session, first), Err(Error::KeyFunctionNotPermitted), "only the newest");

    let third = engine.rotate_key(session, second).unwrap();
    let versions = find(&other, theirs, retired()).unwrap();
    assert_eq!(versions.len(), 2);
    let opened = versions.iter().filter(|key| decrypt(&other, theirs, **key, &sealed) == Ok([1; 16])).count();
    assert_eq!(opened, 1, "another process finds the version that opens it");
    assert_eq!(find(engine, session, vec![(A::SR_KEY_VERSION, Value::Number(1))]).unwrap(), [first]);
    assert_eq!(find(engine, session, by_label()).unwrap(), [third]);
    assert_eq!(engine.check_token(session).unwrap().faults, Vec::<String>::new());
}

#[test]
fn a_rotated_pair_signs_with_the_new_half_and_verifies_with_the_old_one() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let common = || vec![flag(A::TOKEN, true), (A::LABEL, Value::bytes("k"))];
    let public = [common(), vec![(A::EC_PARAMS, Value::bytes(ED25519))]].concat_templates();
    let mechanism = Mechanism { id: MechanismType::EC_EDWARDS_KEY_PAIR_GEN, params: Params::None };
    let (old_public, old) = engine.generate_key_pair(session, &mechanism, public, common()).unwrap();
    let eddsa = Mechanism { id: MechanismType::EDDSA, params: Params::None };
    let sign = |key| {
        engine.sign_init(session, &eddsa, key)?;
        let mut signature = [0; 64];
        engine.sign(session, b"message", Output::Buffer(&mut signature))?;
        Ok::<_, Error>(signature)
    };
    let verify = |key, signature: &[u8]| {
        engine.verify_init(session, &eddsa, key)?;
        engine.verify(session, b"message", signature)
    };
    let before = sign(old).unwrap();
    let new = engine.rotate_key(session, old).unwrap();
    assert_eq!(sign(old), Err(Error::KeyFunctionNotPermitted));
    let found = find(engine, session, by_label()).unwrap();
    assert!(found.len() == 2 && found.contains(&new), "both halves");
    let new_public = *found.iter().find(|key| **key != new).unwrap();
    let after = sign(new).unwrap();
    assert_eq!(verify(new_public, &after), Ok(()));
    assert!(verify(new_public, &before).is_err());
    assert_eq!(verify(old_public, &before), Ok(()));
}

trait Concat {
    fn concat_templates(self) -> Template;
}

impl Concat for [Template; 2] {
    fn concat_templates(self) -> Template {
        self.into_iter().flatten().collect()
    }
}

#[test]
fn a_rotation_that_fails_leaves_one_key_of_the_name_and_never_two_or_none() {
    for when in [When::Before, When::After] {
        for nth in 1..40 {
            let world = World::new();
            let session = user_session(&world.engine, SlotId(0));
            let key = generated(&world.engine, session);
            world.plan.fail(Fault { verb: None, nth, when, span: Span::Once, error: store::Error::Busy });
            let rotated = world.engine.rotate_key(session, key);
            world.plan.heal();
            let other = world.another_process();
            let theirs = user_session(&other, SlotId(0));
            assert_eq!(find(&other, theirs, by_label()).unwrap().len(), 1, "{when:?} {nth}: {rotated:?}");
            let old = find(&other, theirs, retired()).unwrap().len();
            assert!(rotated.is_err() || old == 1, "{when:?} {nth}: what was said is so");
        }
    }
}

#[test]
fn of_two_rotations_at_once_one_happens() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let key = generated(&world.engine, session);
    let other = world.another_process();
    let theirs = user_session(&other, SlotId(0));
    let [same] = find(&other, theirs, by_label()).unwrap()[..] else { panic!("one key") };
    world.plan.meanwhile(store::faulty::Verb::Commit, 1, move || {
        other.rotate_key(theirs, same).unwrap();
    });
    assert_eq!(world.engine.rotate_key(session, key), Err(Error::ObjectHandleInvalid));
    assert_eq!(find(&world.engine, session, by_label()).unwrap().len(), 1);
}

#[test]
fn a_retired_key_is_kept_by_a_rotation_of_the_tokens_keys_and_found_after_it() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let key = generated(&world.engine, session);
    world.engine.rotate_key(session, key).unwrap();
    let pins = Pins { officer: SO_PIN, user: Some(PIN) };
    world.engine.rotate_keys(SlotId(0), &pins, &mut |_, _| {}).unwrap();
    let session = user_session(&world.engine, SlotId(0));
    assert_eq!(find(&world.engine, session, by_label()).unwrap().len(), 1);
    assert_eq!(find(&world.engine, session, retired()).unwrap().len(), 1);
}

fn set(engine: &Engine, session: SessionHandle, key: ObjectHandle, every: u64) -> Result<(), Error> {
    engine.set_attributes(session, key, vec![(A::SR_ROTATE_EVERY, Value::Number(every))])
}

/// The period of a key, and in how many seconds it is due.
fn period(engine: &Engine, session: SessionHandle, key: ObjectHandle) -> Option<(u64, u64)> {
    let key = engine.object(session, key).unwrap();
    let number = |name| key.attribute(name).ok().and_then(Value::as_number);
    Some((number(A::SR_ROTATE_EVERY)?, number(A::SR_ROTATE_AT)? - crate::alarms::now()))
}

#[test]
fn a_key_with_a_period_is_due_that_long_after_it_was_set_or_rotated_and_its_new_version_has_the_period() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let first = generated(engine, session);
    assert_eq!(period(engine, session, first), None);
    set(engine, session, first, 1000).unwrap();
    assert!(matches!(period(engine, session, first), Some((1000, 990..=1000))));
    let second = engine.rotate_key(session, first).unwrap();
    assert!(matches!(period(engine, session, second), Some((1000, 990..=1000))));
    assert_eq!(period(engine, session, first), None, "an old version is never due");
    set(engine, session, second, 0).unwrap();
    assert_eq!(period(engine, session, second), None);
    let third = engine.rotate_key(session, second).unwrap();
    assert_eq!(period(engine, session, third), None);
    set(engine, session, third, u64::MAX).unwrap();
    assert_eq!(engine.check_token(session).unwrap().faults, Vec::<String>::new());
}

#[test]
fn the_private_half_of_a_pair_has_the_period_and_the_public_one_none() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let common = || vec![flag(A::TOKEN, true), (A::LABEL, Value::bytes("k"))];
    let public = [common(), vec![(A::EC_PARAMS, Value::bytes(ED25519))]].concat_templates();
    let mechanism = Mechanism { id: MechanismType::EC_EDWARDS_KEY_PAIR_GEN, params: Params::None };
    let (public, private) = engine.generate_key_pair(session, &mechanism, public, common()).unwrap();
    assert_eq!(set(engine, session, public, 60), Err(Error::AttributeTypeInvalid(A::SR_ROTATE_EVERY)));
    set(engine, session, private, 60).unwrap();
    let private = engine.rotate_key(session, private).unwrap();
    assert!(matches!(period(engine, session, private), Some((60, 50..=60))));
}

#[test]
fn when_a_key_is_due_is_said_by_nobody_but_the_token() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let key = generated(engine, session);
    let at = vec![(A::SR_ROTATE_AT, Value::Number(1))];
    assert_eq!(engine.set_attributes(session, key, at), Err(Error::AttributeReadOnly(A::SR_ROTATE_AT)));
    let mut template = aes(true, true);
    template.push((A::SR_ROTATE_EVERY, Value::Number(1)));
    assert_eq!(engine.create_object(session, template), Err(Error::AttributeReadOnly(A::SR_ROTATE_EVERY)));
}

fn bar(engine: &Engine, session: SessionHandle, keys: &[ObjectHandle], least: u64) -> Result<(), Error> {
    engine.set_attributes_of_all(session, keys, &vec![(A::SR_MIN_VERSION, Value::Number(least))])
}

#[test]
fn a_version_below_the_least_one_does_nothing_in_any_process_until_it_is_let_again() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let other = world.another_process();
    let theirs = user_session(&other, SlotId(0));
    let first = generated(engine, session);
    let sealed = encrypt(engine, session, first).unwrap();
    let second = engine.rotate_key(session, first).unwrap();
    let third = engine.rotate_key(session, second).unwrap();
    let same = find(&other, theirs, vec![(A::SR_KEY_VERSION, Value::Number(1))]).unwrap()[0];
    let opens = || [decrypt(engine, session, first, &sealed), decrypt(&other, theirs, same, &sealed)];
    assert_eq!(opens(), [Ok([1; 16]), Ok([1; 16])]);

    let all = [first, second, third];
    assert_eq!(bar(engine, session, &all, 4), Err(Error::AttributeValueInvalid(A::SR_MIN_VERSION)), "all or none");
    assert_eq!(opens(), [Ok([1; 16]), Ok([1; 16])]);
    bar(engine, session, &all, 2).unwrap();
    assert_eq!(opens(), [Err(Error::KeyFunctionNotPermitted), Err(Error::KeyFunctionNotPermitted)]);
    let alarms = engine.alarms().unwrap();
    assert!(alarms.last().unwrap().contains("\"state\":\"barred\""), "{alarms:?}");
    let mut entries = Vec::new();
    engine.audit(session, &mut |entry| entries.push(entry.text.clone())).unwrap().unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.contains("\"min_version\":2")).count(), 3, "{entries:?}");
    let block = encrypt(engine, session, third).unwrap();
    assert!(decrypt(engine, session, second, &block).is_ok(), "this one is not barred");
    let compromised = vec![(A::SR_KEY_STATE, KeyState::Compromised.value())];
    engine.set_attributes(session, first, compromised).unwrap();
    assert_eq!(opens(), [Err(Error::KeyFunctionNotPermitted), Err(Error::KeyFunctionNotPermitted)]);

    let fourth = engine.rotate_key(session, third).unwrap();
    let least = engine.object(session, fourth).unwrap().attribute(A::SR_MIN_VERSION).unwrap().as_number();
    assert_eq!(least, Some(2), "the new version has it");
    bar(engine, session, &[first, second, third, fourth], 1).unwrap();
    assert_eq!(opens(), [Ok([1; 16]), Ok([1; 16])]);
    assert_eq!(engine.check_token(session).unwrap().faults, Vec::<String>::new());
}

#[test]
fn a_key_that_cannot_be_modified_can_be_barred_and_none_is_made_that_way() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let template = [aes(true, true), vec![flag(A::TOKEN, true), flag(A::MODIFIABLE, false)]].concat_templates();
    let first = engine.create_object(session, template).unwrap();
    let second = engine.rotate_key(session, first).unwrap();
    bar(engine, session, &[first, second], 2).unwrap();
    assert_eq!(engine.decrypt_init(session, &ecb(), first), Err(Error::KeyFunctionNotPermitted));
    let mut template = aes(true, true);
    template.push((A::SR_MIN_VERSION, Value::Number(1)));
    assert_eq!(engine.create_object(session, template), Err(Error::AttributeReadOnly(A::SR_MIN_VERSION)));
}

#[test]
fn a_version_that_was_deleted_while_it_was_barred_comes_back_barred() {
    let world = World::new();
    let pins = Pins { officer: SO_PIN, user: None };
    let window = NewRules { deletion_days: Some(7), ..NewRules::default() };
    world.engine.change_rules(SlotId(0), &pins, window).unwrap();
    let (engine, session) = (&world.engine, user_session(&world.engine, SlotId(0)));
    let first = generated(engine, session);
    let sealed = encrypt(engine, session, first).unwrap();
    let second = engine.rotate_key(session, first).unwrap();
    engine.destroy_object(session, first).unwrap();
    bar(engine, session, &[second], 2).unwrap();
    let pending = engine.pending_keys(session).unwrap();
    engine.restore_keys(session, &pending.iter().collect::<Vec<_>>()).unwrap();
    let first = find(engine, session, vec![(A::SR_KEY_VERSION, Value::Number(1))]).unwrap()[0];
    assert_eq!(decrypt(engine, session, first, &sealed), Err(Error::KeyFunctionNotPermitted));
    bar(engine, session, &[first, second], 1).unwrap();
    assert_eq!(decrypt(engine, session, first, &sealed), Ok([1; 16]));

    // Also if the newest one, which says so, is deleted by then.
    engine.destroy_object(session, first).unwrap();
    bar(engine, session, &[second], 2).unwrap();
    engine.destroy_object(session, second).unwrap();
    let pending = engine.pending_keys(session).unwrap();
    assert_eq!(pending.len(), 2);
    engine.restore_keys(session, &pending.iter().collect::<Vec<_>>()).unwrap();
    let first = find(engine, session, vec![(A::SR_KEY_VERSION, Value::Number(1))]).unwrap()[0];
    assert_eq!(decrypt(engine, session, first, &sealed), Err(Error::KeyFunctionNotPermitted));
    assert_eq!(find(engine, session, by_label()).unwrap().len(), 1, "the newest, disabled");
}
