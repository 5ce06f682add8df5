//! Statements about keys, and that each change of one is noticed.

use serde_json::{Value as Json, json};

use super::*;
use crate::{
    KeyState, NewRules, Pins, Profile, Witness,
    attestation::{Doubt, LONGEST_CHALLENGE, verify},
};

const SLOT: SlotId = SlotId(0);
const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

/// What a statement says that the token has signed.
fn attested(engine: &Engine, session: SessionHandle, key: ObjectHandle) -> Json {
    let line = engine.attest(session, key, Some("now")).unwrap();
    let text = verify(&line, &engine.audit_key(session).unwrap(), Some("now")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The members of these names.
fn said(statement: &Json, names: &[&str]) -> Vec<Json> {
    names.iter().map(|name| statement[name].clone()).collect()
}

const PROTECTION: [&str; 5] = ["local", "sensitive", "always_sensitive", "extractable", "never_extractable"];

fn made(engine: &Engine, session: SessionHandle, extractable: bool) -> ObjectHandle {
    let generate = Mechanism { id: MechanismType::AES_KEY_GEN, params: Params::None };
    let template = vec![
        flag(A::TOKEN, true),
        (A::LABEL, Value::bytes("pay\"roll")),
        (A::ID, Value::bytes([0xab, 1])),
        (A::VALUE_LEN, Value::Number(32)),
        flag(A::ENCRYPT, true),
        flag(A::DECRYPT, true),
        flag(A::SIGN, false),
        flag(A::VERIFY, false),
        flag(A::WRAP, false),
        flag(A::UNWRAP, false),
        flag(A::SENSITIVE, true),
        flag(A::EXTRACTABLE, extractable),
    ];
    engine.generate_key(session, &generate, template).unwrap()
}

fn pair(engine: &Engine, session: SessionHandle) -> (ObjectHandle, ObjectHandle) {
    let generate = Mechanism { id: MechanismType::EC_KEY_PAIR_GEN, params: Params::None };
    let public = vec![(A::EC_PARAMS, Value::bytes(P256)), flag(A::TOKEN, true)];
    engine.generate_key_pair(session, &generate, public, vec![flag(A::TOKEN, true)]).unwrap()
}

#[test]
fn a_statement_about_a_key_that_was_made_here_says_what_it_is_and_where() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let key = made(engine, session, false);
    let statement = attested(engine, session, key);
    assert_eq!(said(&statement, &PROTECTION), [true, true, true, false, true].map(Json::from));
    let named = ["class", "key_type", "bits", "label", "id", "made_by", "state", "version", "uses", "challenge"];
    assert_eq!(
        said(&statement, &named),
        [
            json!("CKO_SECRET_KEY"),
            json!("CKK_AES"),
            json!(256),
            json!("pay\"roll"),
            json!("ab01"),
            json!("CKM_AES_KEY_GEN"),
            json!("enabled"),
            json!(1),
            json!(["encrypt", "decrypt"]),
            json!("now"),
        ]
    );
    let serial = engine.token_summary(SLOT).unwrap().serial.as_str().to_owned();
    assert_eq!(statement["token"], json!({ "label": "a token", "profile": "compatible", "serial": serial }));
    let view = engine.object(session, key).unwrap();
    let unique = view.attribute(A::UNIQUE_ID).unwrap().as_bytes().unwrap();
    assert_eq!(statement["unique_id"].as_str().unwrap().as_bytes(), unique);
    assert!(crate::alarms::now().abs_diff(statement["time"].as_u64().unwrap()) < 60);
    for name in ["public_key", "curve", "migrated", "barred", "past_uses", "mechanisms"] {
        assert!(statement[name].is_null(), "{name} of a key that has none: {statement}");
    }
}

#[test]
fn a_statement_about_a_pair_has_its_public_key_and_its_curve() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let (public, private) = pair(engine, session);
    let info = engine.object(session, public).unwrap();
    let info = crate::hex::digits(info.attribute(A::PUBLIC_KEY_INFO).unwrap().as_bytes().unwrap());
    let told = ["class", "key_type", "bits", "curve", "public_key", "local"];
    for (key, class) in [(private, "CKO_PRIVATE_KEY"), (public, "CKO_PUBLIC_KEY")] {
        let statement = attested(engine, session, key);
        let expected = [json!(class), json!("CKK_EC"), json!(256), json!("secp256r1"), json!(info), json!(true)];
        assert_eq!(said(&statement, &told), expected);
        assert_eq!(statement["never_extractable"].is_null(), key == public, "{statement}");
    }
}

#[test]
fn an_imported_key_was_not_made_here_and_is_not_said_to_have_been_safe_before() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let mut template = aes(true, true);
    template.retain(|(name, _)| !matches!(*name, A::SENSITIVE | A::EXTRACTABLE));
    template.extend([flag(A::SENSITIVE, true), flag(A::EXTRACTABLE, false)]);
    let key = engine.create_object(session, template).unwrap();
    let statement = attested(engine, session, key);
    assert_eq!(said(&statement, &PROTECTION), [false, true, false, false, false].map(Json::from));
    assert!(statement["made_by"].is_null(), "{statement}");
}

/// Takes a key over as one that another token has made and never let go.
fn adopted(engine: &Engine, session: SessionHandle, mut key: Template, made_by: MechanismType) -> ObjectHandle {
    key.retain(|(name, _)| !matches!(*name, A::SENSITIVE | A::EXTRACTABLE));
    key.extend([
        flag(A::LOCAL, true),
        (A::KEY_GEN_MECHANISM, Value::Number(made_by.0)),
        flag(A::SENSITIVE, true),
        flag(A::EXTRACTABLE, false),
        flag(A::ALWAYS_SENSITIVE, true),
        flag(A::NEVER_EXTRACTABLE, true),
    ]);
    let object = engine.adoptable(session, key, Witness::User).unwrap();
    let [key] = engine.adopt_objects(session, vec![object]).unwrap()[..] else { panic!("one key") };
    key
}

#[test]
fn what_another_token_said_of_a_key_that_was_moved_here_is_not_attested() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let key = adopted(engine, session, aes(true, true), MechanismType::AES_KEY_GEN);
    let copy = engine.copy_object(session, key, vec![]).unwrap();
    for key in [key, copy] {
        let statement = attested(engine, session, key);
        assert_eq!(said(&statement, &PROTECTION), [false, true, false, false, false].map(Json::from));
        assert_eq!(said(&statement, &["migrated", "made_by"]), [Json::Bool(true), Json::Null]);
    }
    let mut created = Vec::new();
    let _ = engine.audit(session, &mut |entry| created.push(entry.text.clone())).unwrap().unwrap();
    assert!(created.iter().all(|text| !text.contains("made_by")), "it was not made here: {created:?}");
    // Another version of it is a key of its own, which is made here.
    let next = engine.rotate_key(session, key).unwrap();
    let statement = attested(engine, session, next);
    assert_eq!(said(&statement, &["local", "migrated", "version"]), [json!(true), Json::Null, json!(2)]);
}

#[test]
fn what_is_derived_from_a_key_that_was_moved_here_is_not_said_to_be_safer_than_that() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let generate = Mechanism { id: MechanismType::EC_KEY_PAIR_GEN, params: Params::None };
    let readable = vec![flag(A::SENSITIVE, false), flag(A::EXTRACTABLE, true)];
    let public = vec![(A::EC_PARAMS, Value::bytes(P256))];
    let (public, private) = engine.generate_key_pair(session, &generate, public, readable).unwrap();
    let bytes = |key, name| {
        let view = engine.object(session, key).unwrap();
        view.attribute(name).unwrap().as_bytes().unwrap().to_vec()
    };
    let template = vec![
        (A::CLASS, Value::Number(ObjectClass::PRIVATE_KEY.0)),
        (A::KEY_TYPE, Value::Number(KeyType::EC.0)),
        (A::EC_PARAMS, Value::bytes(P256)),
        (A::VALUE, Value::bytes(bytes(private, A::VALUE))),
        flag(A::TOKEN, true),
        flag(A::PRIVATE, true),
        flag(A::DERIVE, true),
    ];
    let base = adopted(engine, session, template, MechanismType::EC_KEY_PAIR_GEN);
    let params = Params::Ecdh { kdf: types::Kdf::NULL, shared: vec![], public: bytes(public, A::EC_POINT) };
    let derive = Mechanism { id: MechanismType::ECDH1_DERIVE, params };
    let kept = vec![flag(A::TOKEN, true), flag(A::SENSITIVE, true), flag(A::EXTRACTABLE, false)];
    let derived = engine.derive_key(session, &derive, base, kept).unwrap();
    let view = engine.object(session, derived).unwrap();
    assert!(*view.attribute(A::NEVER_EXTRACTABLE).unwrap() == Value::Flag(true), "as PKCS#11 has it");
    let statement = attested(engine, session, derived);
    assert_eq!(said(&statement, &PROTECTION), [false, true, false, false, false].map(Json::from));
    assert_eq!(statement["migrated"], true);
}

#[test]
fn an_extractable_key_is_said_to_be_one_also_after_it_is_none_any_more() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let key = made(engine, session, true);
    let statement = attested(engine, session, key);
    assert_eq!(said(&statement, &PROTECTION), [true, true, true, true, false].map(Json::from));
    engine.set_attributes(session, key, vec![flag(A::EXTRACTABLE, false)]).unwrap();
    let statement = attested(engine, session, key);
    assert_eq!(said(&statement, &PROTECTION), [true, true, true, false, false].map(Json::from));
}

#[test]
fn a_use_that_was_taken_from_a_key_is_said_to_be_past() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let key = made(engine, session, false);
    engine.set_attributes(session, key, vec![flag(A::DECRYPT, false)]).unwrap();
    let statement = attested(engine, session, key);
    assert_eq!(said(&statement, &["uses", "past_uses"]), [json!(["encrypt"]), json!(["decrypt"])]);
}

#[test]
fn each_version_of_a_rotated_key_is_said_to_be_that_version_in_its_state() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let first = made(engine, session, false);
    let second = engine.rotate_key(session, first).unwrap();
    let [old, new] = [first, second].map(|key| attested(engine, session, key));
    assert_eq!(said(&old, &["version", "state", "label"]), [json!(1), json!("retired"), json!("pay\"roll")]);
    assert_eq!(said(&new, &["version", "state", "label"]), [json!(2), json!("enabled"), json!("pay\"roll")]);
    assert_eq!(said(&new, &PROTECTION), [true, true, true, false, true].map(Json::from));
    assert_ne!(old["unique_id"], new["unique_id"]);
    engine.set_attributes(session, first, vec![(A::SR_MIN_VERSION, Value::Number(2))]).unwrap();
    let barred = attested(engine, session, first);
    assert_eq!(said(&barred, &["state", "barred"]), [json!("retired"), json!(true)]);
    engine.set_attributes(session, second, vec![(A::SR_KEY_STATE, KeyState::Compromised.value())]).unwrap();
    assert_eq!(attested(engine, session, second)["state"], "compromised");
}

#[test]
fn a_statement_says_the_profile_that_the_token_has_then() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let key = made(engine, session, false);
    let line = engine.attest(session, key, None).unwrap();
    let pins = Pins { officer: SO_PIN, user: Some(PIN) };
    world
        .another_process()
        .change_rules(SLOT, &pins, NewRules { profile: Some(Profile::Strict), ..NewRules::default() })
        .unwrap();
    assert_eq!(attested(engine, session, key)["token"]["profile"], "strict");
    assert!(line.contains("\"profile\":\"compatible\""), "{line}");
    // The signing key stays through a rotation of the token's keys, so what was signed before is checked as before.
    engine.logout(session).unwrap();
    engine.rotate_keys(SLOT, &pins, &mut |_, _| {}).unwrap();
    engine.login(session, User::User, PIN).unwrap();
    assert!(verify(&line, &engine.audit_key(session).unwrap(), None).is_ok());
}

#[test]
fn a_statement_that_is_changed_in_any_bit_of_any_byte_or_cut_off_anywhere_shows_nothing() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let (_, private) = pair(engine, session);
    let key = engine.audit_key(session).unwrap();
    let line = engine.attest(session, private, Some("c")).unwrap();
    assert!(line.ends_with("\"}") && !line.contains('\n'), "{line}");
    assert!(verify(&line, &key, Some("c")).is_ok());
    for place in 0..line.len() {
        // What is no UTF-8 any more is no text, so it cannot be given.
        for bit in 0..7 {
            let mut changed = line.clone().into_bytes();
            changed[place] ^= 1 << bit;
            let changed = String::from_utf8(changed).unwrap();
            assert!(verify(&changed, &key, Some("c")).is_err(), "bit {bit} of byte {place}: {changed}");
        }
        assert_eq!(verify(&line[..place], &key, Some("c")), Err(Doubt::NoStatement), "cut off at {place}");
    }
    for longer in [format!("{line} "), format!(" {line}"), format!("{line}\n"), format!("{line}{line}")] {
        assert!(verify(&longer, &key, Some("c")).is_err(), "{longer}");
    }
}

#[test]
fn another_challenge_is_noticed_and_so_is_one_that_is_missing() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let key = made(engine, session, false);
    let public_key = engine.audit_key(session).unwrap();
    let hostile = "\",\"local\":true,\"x\":\"\n,\"signature\":\"00\"}é\u{0}";
    for challenge in ["c", hostile] {
        let line = engine.attest(session, key, Some(challenge)).unwrap();
        let text = verify(&line, &public_key, Some(challenge)).unwrap();
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap()["challenge"], challenge, "as it was given");
        assert_eq!(verify(&line, &public_key, Some("d")), Err(Doubt::Challenge(Some(challenge.to_owned()))));
        assert_eq!(verify(&line, &public_key, None), Ok(text), "who asks for none gets one");
    }
    let line = engine.attest(session, key, None).unwrap();
    assert_eq!(verify(&line, &public_key, Some("c")), Err(Doubt::Challenge(None)));
    let most = "a".repeat(LONGEST_CHALLENGE);
    assert!(engine.attest(session, key, Some(&most)).is_ok());
    for wrong in [String::new(), format!("{most}a"), "é".repeat(LONGEST_CHALLENGE / 2 + 1)] {
        assert_eq!(engine.attest(session, key, Some(&wrong)), Err(Error::ArgumentsBad));
    }
}

#[test]
fn a_statement_of_another_token_is_noticed() {
    let world = World::new();
    world.add_token(SlotId(1));
    let engine = &world.engine;
    let lines = [SLOT, SlotId(1)].map(|slot| {
        let session = user_session(engine, slot);
        let key = made(engine, session, false);
        (engine.attest(session, key, None).unwrap(), engine.audit_key(session).unwrap())
    });
    let [(first, first_key), (second, second_key)] = &lines;
    assert!(verify(first, first_key, None).is_ok() && verify(second, second_key, None).is_ok());
    assert_eq!(verify(first, second_key, None), Err(Doubt::Signature));
    assert_eq!(verify(second, first_key, None), Err(Doubt::Signature));
    assert_eq!(verify(first, &first_key[..31], None), Err(Doubt::Signature), "what is no key");
    let serial =
        |line: &str| serde_json::from_str::<Json>(line).unwrap()["token"]["serial"].as_str().unwrap().to_owned();
    let renamed = first.replace(&serial(first), &serial(second));
    assert_eq!(verify(&renamed, first_key, None), Err(Doubt::Signature));
}

#[test]
fn what_the_token_signs_for_its_audit_is_no_statement() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    engine.audit_checkpoint(session).unwrap();
    let mut last = String::new();
    let _ = engine.audit(session, &mut |entry| last.clone_from(&entry.text)).unwrap().unwrap();
    let checkpoint: Json = serde_json::from_str(&last).unwrap();
    let signature = crate::hex::bytes(checkpoint["signature"].as_str().unwrap()).unwrap();
    let text = "{\"attestation\":1,\"token\":{\"serial\":\"0\"}}";
    let line = crate::attestation::line(text, &signature);
    assert_eq!(verify(&line, &engine.audit_key(session).unwrap(), None), Err(Doubt::Signature));
}

#[test]
fn a_statement_is_made_for_keys_of_the_token_only_and_writes_nothing() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let passing = engine.create_object(session, aes(false, true)).unwrap();
    let data = vec![(A::CLASS, Value::Number(ObjectClass::DATA.0)), flag(A::TOKEN, true)];
    let data = engine.create_object(session, data).unwrap();
    for no_key in [passing, data, ObjectHandle(4711)] {
        assert_eq!(engine.attest(session, no_key, None), Err(Error::KeyHandleInvalid));
    }
    let (public, private) = pair(engine, session);
    let commits = world.plan.calls(store::faulty::Verb::Commit);
    let reader = engine.open_session(SLOT, Access::ReadOnly).unwrap();
    assert!(engine.attest(reader, private, None).is_ok());
    assert_eq!(world.plan.calls(store::faulty::Verb::Commit), commits);
    engine.logout(session).unwrap();
    assert_eq!(engine.attest(session, private, None), Err(Error::KeyHandleInvalid), "a private object is not seen");
    let found = find(engine, session, vec![(A::CLASS, Value::Number(ObjectClass::PUBLIC_KEY.0))]).unwrap();
    assert_eq!((found.len(), found[0]), (1, public));
    assert_eq!(engine.attest(session, public, None), Err(Error::UserNotLoggedIn));
}

#[test]
fn a_key_that_was_deleted_is_in_no_statement_until_it_is_restored() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let key = made(engine, session, false);
    let pins = Pins { officer: SO_PIN, user: Some(PIN) };
    engine.change_rules(SLOT, &pins, NewRules { deletion_days: Some(7), ..NewRules::default() }).unwrap();
    engine.destroy_object(session, key).unwrap();
    assert_eq!(engine.attest(session, key, None), Err(Error::KeyHandleInvalid));
    let pending = engine.pending_keys(session).unwrap();
    engine.restore_keys(session, &pending.iter().collect::<Vec<_>>()).unwrap();
    let [key] = find(engine, session, vec![(A::LABEL, Value::bytes("pay\"roll"))]).unwrap()[..] else {
        panic!("one key")
    };
    assert_eq!(attested(engine, session, key)["state"], "disabled");
}
