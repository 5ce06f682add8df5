//! Envelopes: blobs that an AES key of the token makes and opens (`CKM_SR_ENVELOPE`).

use types::{MessageParams, OutputResult};

use super::*;
use crate::{
    KeyState, NewRules, Pins, UseAudit,
    blob::{Blob, Content, Wrap},
};

const SLOT: SlotId = SlotId(0);

fn envelope(context: &[u8]) -> Mechanism {
    Mechanism { id: MechanismType::SR_ENVELOPE, params: Params::Context(context.to_vec()) }
}

/// A key of the token that can do what envelopes need.
fn key_for_keys(engine: &Engine, session: SessionHandle) -> ObjectHandle {
    let can = [A::ENCRYPT, A::DECRYPT, A::WRAP, A::UNWRAP].map(|name| flag(name, true));
    let mut template = vec![
        flag(A::TOKEN, true),
        (A::LABEL, Value::bytes("kek")),
        (A::ID, Value::bytes([1, 2])),
        (A::VALUE_LEN, Value::Number(32)),
    ];
    template.extend(can);
    engine.generate_key(session, &Mechanism { id: MechanismType::AES_KEY_GEN, params: Params::None }, template).unwrap()
}

/// The result of the second of two calls, for which the first one says how much room it takes.
fn whole(mut call: impl FnMut(Output<'_>) -> Result<OutputResult, Error>) -> Result<Vec<u8>, Error> {
    let OutputResult::Length(room) = call(Output::LengthQuery)? else { panic!("a length is asked for") };
    let mut out = vec![0; room];
    let OutputResult::Written(len) = call(Output::Buffer(&mut out))? else { panic!("the room is as was said") };
    out.truncate(len);
    Ok(out)
}

fn seal(engine: &Engine, session: SessionHandle, key: ObjectHandle, plain: &[u8], context: &[u8]) -> Vec<u8> {
    engine.encrypt_init(session, &envelope(context), key).unwrap();
    whole(|out| engine.encrypt(session, plain, out)).unwrap()
}

fn open(
    engine: &Engine,
    session: SessionHandle,
    key: ObjectHandle,
    blob: &[u8],
    context: &[u8],
) -> Result<Vec<u8>, Error> {
    engine.decrypt_init(session, &envelope(context), key)?;
    whole(|out| engine.decrypt(session, blob, out))
}

const SEALED_OTHERWISE: Result<Vec<u8>, Error> = Err(Error::Crypto(crypto::Error::CiphertextInvalid));

#[test]
fn an_envelope_is_opened_with_its_context_only_and_not_if_a_bit_of_it_is_another() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let key = key_for_keys(engine, session);
    for plain in [&b""[..], b"a data key", &[7; 60_000]] {
        let blob = seal(engine, session, key, plain, b"context");
        assert_eq!(open(engine, session, key, &blob, b"context").unwrap(), plain);
        for other in [&b""[..], b"contexu", b"context "] {
            assert_eq!(open(engine, session, key, &blob, other), SEALED_OTHERWISE);
        }
    }
    let blob = seal(engine, session, key, b"a data key", b"");
    let another = seal(engine, session, key, b"a data key", b"");
    assert_ne!(blob, another, "the nonce is the token's");
    for at in 0..blob.len() {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        assert_eq!(open(engine, session, key, &changed, b""), SEALED_OTHERWISE, "byte {at}");
        assert_eq!(open(engine, session, key, &blob[..at], b""), SEALED_OTHERWISE, "cut off at {at}");
    }
    assert_eq!(open(engine, session, key, &[&*blob, b"x"].concat(), b""), SEALED_OTHERWISE);
    let decoded = Blob::decode(&blob).unwrap();
    assert_eq!((decoded.content, decoded.wrap, &*decoded.key_id), (Content::DataKey, Wrap::AesGcm, &[1, 2][..]));
}

#[test]
fn more_than_a_blob_can_hold_is_refused_and_so_is_an_id_that_is_too_long() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let key = key_for_keys(engine, session);
    let most = usize::from(u16::MAX) - 12 - 16;
    assert_eq!(seal(engine, session, key, &vec![1; most], b"").len(), 7 + 2 + 2 + usize::from(u16::MAX));
    engine.encrypt_init(session, &envelope(b""), key).unwrap();
    let mut room = vec![0; 70_000];
    let refused = engine.encrypt(session, &vec![1; most + 1], Output::Buffer(&mut room));
    assert!(matches!(refused, Err(Error::Crypto(crypto::Error::InputLength))));
    engine.set_attributes(session, key, vec![(A::ID, Value::bytes([7; 256]))]).unwrap();
    assert_eq!(engine.encrypt_init(session, &envelope(b""), key), Err(Error::KeySizeRange));
}

/// An AES key of the session.
fn data_key(engine: &Engine, session: SessionHandle) -> ObjectHandle {
    engine.create_object(session, aes(false, true)).unwrap()
}

fn unwrap(
    engine: &Engine,
    session: SessionHandle,
    by: ObjectHandle,
    blob: &[u8],
    context: &[u8],
) -> Result<ObjectHandle, Error> {
    let template = vec![
        (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
        (A::KEY_TYPE, Value::Number(KeyType::AES.0)),
        flag(A::ENCRYPT, true),
    ];
    engine.unwrap_key(session, &envelope(context), by, blob, template)
}

#[test]
fn a_key_that_is_wrapped_in_an_envelope_comes_back_and_is_what_wrapping_with_associated_data_makes() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let (kek, key) = (key_for_keys(engine, session), data_key(engine, session));
    let blob = whole(|out| engine.wrap_key(session, &envelope(b"c"), kek, key, out)).unwrap();
    let same = unwrap(engine, session, kek, &blob, b"c").unwrap();
    assert_eq!(encrypt(engine, session, same).unwrap(), encrypt(engine, session, key).unwrap());
    assert_eq!(unwrap(engine, session, kek, &blob, b"d"), Err(Error::WrappedKeyInvalid));
    assert_eq!(open(engine, session, kek, &blob, b"c").unwrap(), [7; 16], "and is the data key of an encryption, too");

    // The same by the specification's own call: the header and the context are its associated data.
    let decoded = Blob::decode(&blob).unwrap();
    let bound = [Blob::header(decoded.content, decoded.wrap, &decoded.key_id).unwrap(), b"c".to_vec()].concat();
    let (nonce, sealed) = decoded.wrapped.split_at(12);
    let (sealed, tag) = sealed.split_at(sealed.len() - 16);
    let params = MessageParams {
        iv: nonce.to_vec(),
        fixed_bits: 0,
        generator: types::Generator::NO_GENERATE,
        tag_bits: 128,
        tag: tag.to_vec(),
    };
    let template = vec![
        (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
        (A::KEY_TYPE, Value::Number(KeyType::AES.0)),
        flag(A::ENCRYPT, true),
    ];
    let by_the_call = engine
        .unwrap_key_authenticated(session, (MechanismType::AES_GCM, params), kek, sealed, template, &bound)
        .unwrap();
    assert_eq!(encrypt(engine, session, by_the_call).unwrap(), encrypt(engine, session, key).unwrap());

    // And made by it.
    let mut params = MessageParams {
        iv: vec![0; 12],
        fixed_bits: 0,
        generator: types::Generator::GENERATE_RANDOM,
        tag_bits: 128,
        tag: vec![0; 16],
    };
    let mut out = [0; 16];
    let with = (MechanismType::AES_GCM, &mut params);
    engine.wrap_key_authenticated(session, with, kek, key, &bound, Output::Buffer(&mut out)).unwrap();
    let wrapped = [&*params.iv, &out, &*params.tag].concat();
    let made = Blob { content: decoded.content, wrap: decoded.wrap, key_id: decoded.key_id, wrapped };
    assert_eq!(open(engine, session, kek, &made.encode().unwrap(), b"c").unwrap(), [7; 16]);
}

/// Rotates the key, and gives the newest version.
fn rotated(engine: &Engine, session: SessionHandle, times: u32) -> ObjectHandle {
    (0..times).fold(find(engine, session, vec![(A::LABEL, Value::bytes("kek"))]).unwrap()[0], |key, _| {
        engine.rotate_key(session, key).unwrap()
    })
}

#[test]
fn an_envelope_of_an_older_version_is_opened_by_naming_the_newest_in_every_process() {
    let world = World::new();
    let pins = Pins { officer: SO_PIN, user: None };
    world.engine.change_rules(SLOT, &pins, NewRules { uses: Some(UseAudit::Each), ..NewRules::default() }).unwrap();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let first = key_for_keys(engine, session);
    let other_id = {
        let template = vec![(A::ID, Value::bytes([3])), flag(A::ENCRYPT, true), flag(A::DECRYPT, true)];
        let template = [template, aes(true, true).into_iter().take(3).collect()].into_iter().flatten().collect();
        engine.create_object(session, template).unwrap()
    };
    let key = data_key(engine, session);
    let blob = seal(engine, session, first, b"by the first", b"c");
    let wrapped = whole(|out| engine.wrap_key(session, &envelope(b"c"), first, key, out)).unwrap();
    let newest = rotated(engine, session, 3);

    let other = world.another_process();
    let theirs = user_session(&other, SLOT);
    let found = find(&other, theirs, vec![(A::LABEL, Value::bytes("kek"))]).unwrap()[0];
    for (engine, session, newest) in [(&**engine, session, newest), (&*other, theirs, found)] {
        assert_eq!(open(engine, session, newest, &blob, b"c").unwrap(), b"by the first");
        assert_eq!(open(engine, session, newest, &blob, b"d"), SEALED_OTHERWISE);
        assert!(unwrap(engine, session, newest, &wrapped, b"c").is_ok());
        assert_eq!(unwrap(engine, session, newest, &wrapped, b"d"), Err(Error::WrappedKeyInvalid));
    }
    assert_eq!(open(engine, session, other_id, &blob, b"c"), SEALED_OTHERWISE, "another key");

    // What was used is the version that opened it.
    let unique_id = engine.object(session, first).unwrap().attribute(A::UNIQUE_ID).unwrap().duplicate();
    let unique_id = String::from_utf8(unique_id.as_bytes().unwrap().to_vec()).unwrap();
    other.logout(theirs).unwrap();
    engine.logout(session).unwrap();
    let session = user_session(engine, SLOT);
    let totals = engine.use_totals(session, Some(&unique_id)).unwrap();
    let used = |operation: &str| totals.iter().find(|total| total.operation == operation).map_or(0, |total| total.uses);
    assert_eq!((used("encrypt"), used("wrap"), used("decrypt"), used("unwrap")), (1, 2, 2, 2));

    // One that nobody may use any more opens nothing.
    let newest = find(engine, session, vec![(A::LABEL, Value::bytes("kek"))]).unwrap()[0];
    let old = find(engine, session, vec![(A::SR_KEY_STATE, KeyState::Retired.value())]).unwrap();
    let all: Vec<ObjectHandle> = old.iter().copied().chain([newest]).collect();
    engine.set_attributes_of_all(session, &all, &vec![(A::SR_MIN_VERSION, Value::Number(2))]).unwrap();
    assert_eq!(open(engine, session, newest, &blob, b"c"), SEALED_OTHERWISE);
    assert_eq!(unwrap(engine, session, newest, &wrapped, b"c"), Err(Error::WrappedKeyInvalid));
}

#[test]
fn an_older_version_is_tried_in_no_mechanism_but_this() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let (first, key) = (key_for_keys(engine, session), data_key(engine, session));
    let kwp = Mechanism { id: MechanismType::AES_KEY_WRAP_KWP, params: Params::None };
    let wrapped = whole(|out| engine.wrap_key(session, &kwp, first, key, out)).unwrap();
    let newest = rotated(engine, session, 1);
    engine.decrypt_init(session, &kwp, newest).unwrap();
    assert_eq!(whole(|out| engine.decrypt(session, &wrapped, out)), SEALED_OTHERWISE);
    let template =
        vec![(A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)), (A::KEY_TYPE, Value::Number(KeyType::AES.0))];
    assert_eq!(engine.unwrap_key(session, &kwp, newest, &wrapped, template), Err(Error::WrappedKeyInvalid));
}

#[test]
fn a_key_for_one_import_opens_nothing_in_the_name_of_another_and_is_not_rotated() {
    let world = World::new();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let can = [A::WRAP, A::UNWRAP].map(|name| flag(name, true));
    let named = || vec![flag(A::TOKEN, true), (A::LABEL, Value::bytes("kek")), (A::ID, Value::bytes([1, 2]))];
    let mut once = named();
    once.extend(can);
    once.extend([(A::VALUE_LEN, Value::Number(32)), (A::SR_IMPORT_UNTIL, Value::Number(4_000_000_000))]);
    let generate = Mechanism { id: MechanismType::AES_KEY_GEN, params: Params::None };
    let once = engine.generate_key(session, &generate, once).unwrap();
    let key = data_key(engine, session);
    let wrapped = whole(|out| engine.wrap_key(session, &envelope(b""), once, key, out)).unwrap();
    assert_eq!(engine.rotate_key(session, once), Err(Error::KeyFunctionNotPermitted));
    engine.set_attributes(session, once, vec![(A::SR_KEY_STATE, KeyState::Compromised.value())]).unwrap();
    let other = key_for_keys(engine, session);
    let other = engine.rotate_key(session, other).unwrap();
    assert_eq!(unwrap(engine, session, other, &wrapped, b""), Err(Error::WrappedKeyInvalid));
    assert!(unwrap(engine, session, once, &wrapped, b"").is_ok(), "by its own name, once");
    assert_eq!(unwrap(engine, session, once, &wrapped, b""), Err(Error::UnwrappingKeyHandleInvalid));
}

#[test]
fn what_an_older_version_opens_and_the_template_does_not_take_is_said_so() {
    let world = World::new();
    let pins = Pins { officer: SO_PIN, user: None };
    world.engine.change_rules(SLOT, &pins, NewRules { uses: Some(UseAudit::Each), ..NewRules::default() }).unwrap();
    let (engine, session) = (&world.engine, user_session(&world.engine, SLOT));
    let first = key_for_keys(engine, session);
    let key = data_key(engine, session);
    let wrapped = whole(|out| engine.wrap_key(session, &envelope(b""), first, key, out)).unwrap();
    let newest = rotated(engine, session, 2);
    let template = vec![
        (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
        (A::KEY_TYPE, Value::Number(KeyType::AES.0)),
        (A::VALUE_LEN, Value::Number(32)),
    ];
    let refused = engine.unwrap_key(session, &envelope(b""), newest, &wrapped, template);
    assert_eq!(refused, Err(Error::WrappedKeyLenRange));
    engine.logout(session).unwrap();
    let session = user_session(engine, SLOT);
    let totals = engine.use_totals(session, None).unwrap();
    let ways: Vec<&str> = totals.iter().map(|total| &*total.operation).collect();
    assert_eq!(
        ways.iter().filter(|way| **way == "unwrap").count(),
        2,
        "the newest and the one that opened it: {ways:?}"
    );
    assert!(!ways.contains(&"unwrap failed"), "it was a mistake in the template: {ways:?}");
}
