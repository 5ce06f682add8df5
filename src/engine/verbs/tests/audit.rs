//! What is written down, and that it is noticed when somebody changes it.

use serde_json::Value as Json;

use super::*;
use crate::{
    NewRules, Pins, Profile,
    audit::{AuditEntry, Verifier},
};

const SLOT: SlotId = SlotId(0);
const PINS: Pins<'static> = Pins { officer: SO_PIN, user: Some(PIN) };

/// The whole audit, which is whole.
fn entries(engine: &Engine, session: SessionHandle) -> Vec<AuditEntry> {
    let mut entries = Vec::new();
    let verified = engine.audit(session, &mut |entry| entries.push(entry.clone())).unwrap().unwrap();
    assert_eq!((verified.entries, verified.last), (entries.len() as u64, entries.last().unwrap().link));
    entries
}

fn json(entry: &AuditEntry) -> Json {
    serde_json::from_str(&entry.text).unwrap()
}

fn events(entries: &[AuditEntry]) -> Vec<String> {
    entries.iter().map(|entry| json(entry)["event"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn everything_that_is_done_to_a_token_is_written_down_with_who_did_it() {
    let world = World::new();
    let engine = &world.engine;
    let session = user_session(engine, SLOT);
    let label = (A::LABEL, Value::bytes(*b"a \"key\""));
    let mut template = aes(true, true);
    template.push((A::LABEL, label.1.duplicate()));
    let key = engine.create_object(session, template).unwrap();
    engine.set_attributes(session, key, vec![(A::LABEL, Value::bytes(*b"renamed"))]).unwrap();
    engine.set_attributes(session, key, vec![(A::SR_KEY_STATE, crate::KeyState::Disabled.value())]).unwrap();
    engine.destroy_object(session, key).unwrap();
    let generate = Mechanism { id: MechanismType::AES_KEY_GEN, params: Params::None };
    let made = vec![(A::VALUE_LEN, Value::Number(16)), flag(A::TOKEN, true)];
    engine.generate_key(session, &generate, made).unwrap();
    engine.generate_key(session, &generate, vec![(A::VALUE_LEN, Value::Number(16))]).unwrap();
    engine.set_pin(session, PIN, b"another-pin").unwrap();
    let pins = Pins { officer: SO_PIN, user: Some(b"another-pin") };
    engine.change_rules(SLOT, &pins, NewRules { profile: Some(Profile::Strict), ..NewRules::default() }).unwrap();
    engine.audit_checkpoint(session).unwrap();
    let entries = entries(engine, session);
    let expected = [
        "token-initialized",
        "pin-set",
        "object-created",
        "object-changed",
        "key-state",
        "object-destroyed",
        "object-created",
        "pin-changed",
        "rules-changed",
        "checkpoint",
    ];
    assert_eq!(events(&entries), expected, "a session object is nobody's business");
    let by: Vec<_> = entries.iter().map(|entry| json(entry)["who"].as_str().unwrap().to_owned()).collect();
    let [officer, user] = ["officer", "user"];
    assert_eq!(by, [officer, officer, user, user, user, user, user, user, officer, user]);
    let created = json(&entries[2]);
    assert_eq!((&created["label"], &created["class"]), (&Json::from("a \"key\""), &Json::from("CKO_SECRET_KEY")));
    assert_eq!(json(&entries[3])["attributes"], serde_json::json!(["CKA_LABEL"]));
    assert_eq!((&json(&entries[4])["from"], &json(&entries[4])["to"]), (&"enabled".into(), &"disabled".into()));
    assert_eq!(json(&entries[6])["made_by"], "CKM_AES_KEY_GEN");
    assert_eq!(json(&entries[8])["profile"], "strict");
    for entry in &entries {
        let value: String = aes(true, true)[2].1.as_bytes().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!entry.text.contains(&value), "no entry has a key's value");
    }
}

#[test]
fn what_is_written_down_goes_on_through_a_rotation_a_new_initialisation_and_other_processes() {
    let world = World::new();
    let session = user_session(&world.engine, SLOT);
    world.engine.create_object(session, aes(true, true)).unwrap();
    let before = entries(&world.engine, session);
    world.engine.logout(session).unwrap();
    world.another_process().rotate_keys(SLOT, &PINS, &mut |_, _| {}).unwrap();
    world.engine.login(session, User::User, PIN).unwrap();
    let rotated = entries(&world.engine, session);
    assert_eq!(rotated[..before.len()], before);
    assert_eq!(events(&rotated[before.len()..]), ["token-keys-exchanged", "old-token-keys-gone"]);
    world.engine.close_session(session).unwrap();
    world.engine.init_token(SLOT, SO_PIN, &LABEL).unwrap();
    let session = world.engine.open_session(SLOT, Access::ReadWrite).unwrap();
    world.engine.login(session, User::Officer, SO_PIN).unwrap();
    let anew = entries(&world.engine, session);
    assert_eq!(anew[..rotated.len()], rotated);
    let last = json(anew.last().unwrap());
    assert_eq!((&last["event"], &last["objects_gone"]), (&"token-initialized".into(), &Json::from(1)));
}

#[test]
fn an_export_is_checked_with_the_public_key_alone_and_each_change_to_it_is_found() {
    let world = World::new();
    let engine = &world.engine;
    let session = user_session(engine, SLOT);
    for _ in 0..3 {
        engine.create_object(session, aes(true, true)).unwrap();
    }
    engine.audit_checkpoint(session).unwrap();
    engine.create_object(session, aes(true, true)).unwrap();
    let key = engine.audit_key(session).unwrap();
    let serial = json(&entries(engine, session)[0])["serial"].as_str().unwrap().to_owned();
    let lines: Vec<String> = entries(engine, session).iter().map(AuditEntry::line).collect();
    for line in &lines {
        assert!(serde_json::from_str::<Json>(line).is_ok_and(|line| line["link"].is_string()), "{line}");
    }
    let check = |lines: &[String], key: &[u8]| {
        let mut verifier = Verifier::new(&serial, Some(key));
        lines.iter().try_for_each(|line| verifier.line(line)).map(|()| verifier.found())
    };
    let whole = check(&lines, &key).unwrap();
    assert_eq!((whole.entries, whole.checkpoint), (7, Some(6)));
    let broken = |change: &dyn Fn(&mut Vec<String>)| {
        let mut changed = lines.clone();
        change(&mut changed);
        check(&changed, &key).unwrap_err().number
    };
    assert_eq!(broken(&|lines| lines[2] = lines[2].replace("\"who\":\"user\"", "\"who\":\"nobody\"")), 3);
    assert_eq!(broken(&|lines| drop(lines.remove(2))), 3);
    assert_eq!(broken(&|lines| lines.insert(3, lines[2].clone())), 4);
    assert_eq!(broken(&|lines| lines.swap(2, 3)), 3);
    assert_eq!(broken(&|lines| lines[4].truncate(40)), 5);
    // Whoever makes the whole chain anew lacks the signature.
    let forged = |lines: &mut Vec<String>| {
        let mut last = crate::audit::BEFORE_THE_FIRST;
        let texts: Vec<String> =
            entries(engine, session).iter().map(|entry| entry.text.replace("CKO_SECRET_KEY", "CKO_DATA")).collect();
        *lines = (1..)
            .zip(texts)
            .map(|(number, text)| {
                last = crate::audit::link(&last, number, &text);
                AuditEntry { number, text, link: last }.line()
            })
            .collect();
    };
    assert_eq!(broken(&forged), 6, "the checkpoint");
    // Nor can the signed entry itself become another one, with its signature kept.
    let invented = |lines: &mut Vec<String>| {
        let all = entries(engine, session);
        let text = all[5].text.replace("\"event\":\"checkpoint\"", "\"event\":\"pin-changed\"");
        let link = crate::audit::link(&all[4].link, 6, &text);
        lines[5] = AuditEntry { number: 6, text, link }.line();
        lines.truncate(6);
    };
    assert_eq!(broken(&invented), 6);
    let at_another_time = |lines: &mut Vec<String>| {
        let all = entries(engine, session);
        let text = all[5].text.replace("\"time\":1", "\"time\":2");
        let link = crate::audit::link(&all[4].link, 6, &text);
        lines[5] = AuditEntry { number: 6, text, link }.line();
        lines.truncate(6);
    };
    assert_eq!(broken(&at_another_time), 6);
    let mut other = key.clone();
    other[0] ^= 1;
    assert_eq!(check(&lines, &other).unwrap_err().number, 6);
}

#[test]
fn what_cannot_be_written_down_is_not_done() {
    let world = World::new();
    let engine = &world.engine;
    let session = user_session(engine, SLOT);
    let before = entries(engine, session).len();
    world.plan.fail_before(store::faulty::Verb::Commit, 1, store::Error::Full("no room".to_owned()));
    assert!(engine.create_object(session, aes(true, true)).is_err());
    assert_eq!(entries(engine, session).len(), before);
    assert_eq!(find(engine, session, vec![]).unwrap().len(), 0);
}

#[test]
fn two_processes_write_one_chain() {
    let world = World::new();
    let processes: Vec<_> = (0..2).map(|_| world.another_process()).collect();
    std::thread::scope(|scope| {
        for process in &processes {
            scope.spawn(|| {
                let session = user_session(process, SLOT);
                for _ in 0..20 {
                    process.create_object(session, aes(true, true)).unwrap();
                }
            });
        }
    });
    let session = user_session(&world.engine, SLOT);
    let created = events(&entries(&world.engine, session)).into_iter().filter(|event| event == "object-created");
    assert_eq!(created.count(), 40);
}

#[test]
fn wrong_pins_are_written_down_by_the_next_right_one_and_a_locked_pin_raises_an_alarm() {
    let world = World::new();
    let engine = &world.engine;
    let session = engine.open_session(SLOT, Access::ReadWrite).unwrap();
    for _ in 0..2 {
        assert_eq!(engine.login(session, User::User, b"wrong-pin"), Err(Error::PinIncorrect));
    }
    engine.login(session, User::User, PIN).unwrap();
    let all = entries(engine, session);
    let last = json(all.last().unwrap());
    assert_eq!(
        (&last["event"], &last["whose"], &last["count"]),
        (&"wrong-pins".into(), &"user".into(), &Json::from(2))
    );
    engine.logout(session).unwrap();
    engine.login(session, User::User, PIN).unwrap();
    assert_eq!(entries(engine, session).len(), all.len(), "once");
    engine.logout(session).unwrap();
    assert_eq!(engine.alarms().unwrap(), Vec::<String>::new());
    while engine.login(session, User::User, b"wrong-pin") != Err(Error::PinLocked) {}
    let alarms = engine.alarms().unwrap();
    assert!(alarms.len() == 1 && alarms[0].contains("\"alarm\":\"pin-locked\""), "{alarms:?}");
}

#[test]
fn a_key_that_leaves_is_written_down_and_one_that_is_only_asked_for_its_length_is_not() {
    let world = World::new();
    let engine = &world.engine;
    let session = user_session(engine, SLOT);
    let key = engine.create_object(session, aes(true, true)).unwrap();
    let mut template = vec![(A::VALUE_LEN, Value::Number(32)), (A::LABEL, Value::bytes(*b"kek"))];
    template.push(flag(A::WRAP, true));
    let generate = Mechanism { id: MechanismType::AES_KEY_GEN, params: Params::None };
    let kek = engine.generate_key(session, &generate, template).unwrap();
    let kwp = Mechanism { id: MechanismType::AES_KEY_WRAP_KWP, params: Params::None };
    let before = entries(engine, session).len();
    engine.wrap_key(session, &kwp, kek, key, Output::LengthQuery).unwrap();
    assert_eq!(entries(engine, session).len(), before);
    let mut out = [0; 64];
    engine.wrap_key(session, &kwp, kek, key, Output::Buffer(&mut out)).unwrap();
    let all = entries(engine, session);
    let last = json(all.last().unwrap());
    assert_eq!((all.len(), &last["event"], &last["by_label"]), (before + 1, &"key-wrapped".into(), &"kek".into()));
    assert_eq!(last["mechanism"], "CKM_AES_KEY_WRAP_KWP");
    // A session key is of this process alone.
    let passing = engine.create_object(session, aes(false, true)).unwrap();
    engine.wrap_key(session, &kwp, kek, passing, Output::Buffer(&mut out)).unwrap();
    assert_eq!(entries(engine, session).len(), before + 1);
}

#[test]
fn whoever_uses_a_key_that_is_disabled_raises_an_alarm() {
    let world = World::new();
    let engine = &world.engine;
    let session = user_session(engine, SLOT);
    let key = engine.create_object(session, aes(true, true)).unwrap();
    engine.set_attributes(session, key, vec![(A::SR_KEY_STATE, crate::KeyState::Disabled.value())]).unwrap();
    for _ in 0..2 {
        assert_eq!(encrypt(engine, session, key), Err(Error::KeyFunctionNotPermitted));
    }
    let alarms = engine.alarms().unwrap();
    let is = |part: &str| alarms.len() == 1 && alarms[0].contains(part);
    assert!(
        is("\"alarm\":\"key-state\"") && is("\"operation\":\"CKA_ENCRYPT\"") && is("\"state\":\"disabled\""),
        "{alarms:?}"
    );
}

#[test]
fn what_somebody_wanted_to_do_to_an_object_and_may_not_is_written_down_once() {
    let world = World::new();
    let engine = &world.engine;
    let session = user_session(engine, SLOT);
    let guarded = |more: &[A]| {
        let mut template = vec![(A::VALUE_LEN, Value::Number(16)), flag(A::TOKEN, true)];
        template.extend(more.iter().map(|name| flag(*name, false)));
        let generate = Mechanism { id: MechanismType::AES_KEY_GEN, params: Params::None };
        engine.generate_key(session, &generate, template).unwrap()
    };
    let key = guarded(&[A::DESTROYABLE, A::COPYABLE, A::EXTRACTABLE]);
    for _ in 0..3 {
        assert_eq!(engine.destroy_object(session, key), Err(Error::ActionProhibited));
        assert_eq!(engine.destroy_objects(session, &[key]), Err(Error::ActionProhibited));
        assert_eq!(engine.copy_object(session, key, vec![]), Err(Error::ActionProhibited));
        let leave = vec![flag(A::EXTRACTABLE, true)];
        assert_eq!(engine.set_attributes(session, key, leave), Err(Error::AttributeReadOnly(A::EXTRACTABLE)));
    }
    // Neither a session's own object nor a mistake in a template is anybody's business.
    let mut own = aes(false, true);
    own.push(flag(A::DESTROYABLE, false));
    let own = engine.create_object(session, own).unwrap();
    assert_eq!(engine.destroy_object(session, own), Err(Error::ActionProhibited));
    assert!(engine.set_attributes(session, key, vec![(A::LABEL, Value::Number(1))]).is_err());
    let entries = entries(engine, session);
    let refused: Vec<(Json, Json)> = entries
        .iter()
        .map(json)
        .filter(|entry| entry["event"] == "act-refused")
        .map(|entry| (entry["act"].clone(), entry["why"].clone()))
        .collect();
    let acts: Vec<&str> = refused.iter().map(|(act, _)| act.as_str().unwrap()).collect();
    assert_eq!(acts, ["destroy", "copy", "change"]);
    assert!(refused[2].1.as_str().unwrap().contains("CKA_EXTRACTABLE"), "{refused:?}");

    // A program that tries a thousand keys is noticed, and does not fill the token.
    let many: Vec<ObjectHandle> = (0..70).map(|_| guarded(&[A::COPYABLE])).collect();
    many.iter().for_each(|key| assert!(engine.copy_object(session, *key, vec![]).is_err()));
    let all = events(&self::entries(engine, session));
    assert_eq!(all.iter().filter(|event| *event == "act-refused").count(), 64);
    // Of another session, too, even one that changes nothing.
    let reader = engine.open_session(SLOT, Access::ReadOnly).unwrap();
    assert!(engine.copy_object(reader, key, vec![]).is_err());
    assert_eq!(events(&self::entries(engine, session)).len(), all.len() + 1);
}
