//! What may leave a token, in which profile.

use types::{Generator, KeyType, MessageParams, Output};

use super::*;
use crate::{NewRules, Pins, Profile};

const SLOT: SlotId = SlotId(0);

fn number(name: A, value: u64) -> (A, Value) {
    (name, Value::Number(value))
}

fn mechanism(id: MechanismType) -> Mechanism {
    Mechanism { id, params: Params::None }
}

fn kwp() -> Mechanism {
    mechanism(MechanismType::AES_KEY_WRAP_KWP)
}

fn cbc_pad() -> Mechanism {
    Mechanism { id: MechanismType::AES_CBC_PAD, params: Params::Iv(vec![0; 16]) }
}

/// An AES key of the session that can be changed by `changes`.
fn aes_key(engine: &Engine, session: SessionHandle, changes: &[(A, Value)]) -> Result<ObjectHandle, Error> {
    let mut template: Template = vec![number(A::VALUE_LEN, 32)];
    template.extend(changes.iter().map(|(name, value)| (*name, value.duplicate())));
    engine.generate_key(session, &mechanism(MechanismType::AES_KEY_GEN), template)
}

fn wrap(
    engine: &Engine,
    session: SessionHandle,
    with: &Mechanism,
    by: ObjectHandle,
    key: ObjectHandle,
) -> Result<Vec<u8>, Error> {
    let mut out = [0; 600];
    let wrapped = engine.wrap_key(session, with, by, key, Output::Buffer(&mut out))?;
    let types::OutputResult::Written(len) = wrapped else { panic!("it is written") };
    Ok(out[..len].to_vec())
}

fn unwrap(
    engine: &Engine,
    session: SessionHandle,
    with: &Mechanism,
    by: ObjectHandle,
    wrapped: &[u8],
    changes: &[(A, Value)],
) -> Result<ObjectHandle, Error> {
    let mut template = vec![number(A::CLASS, ObjectClass::SECRET_KEY.0), number(A::KEY_TYPE, KeyType::AES.0)];
    template.extend(changes.iter().map(|(name, value)| (*name, value.duplicate())));
    engine.unwrap_key(session, with, by, wrapped, template)
}

fn read(engine: &Engine, session: SessionHandle, key: ObjectHandle, name: A) -> Option<Value> {
    engine.object(session, key).unwrap().attribute(name).ok().map(Value::duplicate)
}

/// A user's session with a token of this profile, and a trusted wrapping key in it.
fn with_trusted_key(profile: Profile) -> (World, SessionHandle, ObjectHandle) {
    let world = World::with(Settings { profile, ..settings() });
    let engine = &world.engine;
    let session = engine.open_session(SLOT, Access::ReadWrite).unwrap();
    engine.login(session, User::Officer, SO_PIN).unwrap();
    let trusted = [flag(A::TOKEN, true), flag(A::PRIVATE, false), flag(A::TRUSTED, true)];
    aes_key(engine, session, &trusted).unwrap();
    engine.logout(session).unwrap();
    engine.login(session, User::User, PIN).unwrap();
    let key = find(engine, session, vec![flag(A::TRUSTED, true)]).unwrap()[0];
    (world, session, key)
}

#[test]
fn what_only_trusted_keys_may_wrap_leaves_in_no_other_way_whatever_the_profile() {
    for profile in [Profile::Compatible, Profile::Strict] {
        let (world, session, trusted) = with_trusted_key(profile);
        let engine = &world.engine;
        let bound = aes_key(engine, session, &[flag(A::WRAP_WITH_TRUSTED, true), flag(A::EXTRACTABLE, true)]).unwrap();
        let own = aes_key(engine, session, &[flag(A::WRAP, true), flag(A::UNWRAP, true)]).unwrap();
        assert_eq!(wrap(engine, session, &kwp(), own, bound), Err(Error::KeyNotWrappable), "not by any key");
        let open = wrap(engine, session, &cbc_pad(), trusted, bound);
        let refused = if profile == Profile::Strict { Error::MechanismInvalid } else { Error::KeyNotWrappable };
        assert_eq!(open, Err(refused), "not without integrity");

        let wrapped = wrap(engine, session, &kwp(), trusted, bound).unwrap();
        assert!(engine.decrypt_init(session, &kwp(), trusted).is_err(), "a trusted key shows nothing");
        for weaker in [flag(A::SENSITIVE, false), flag(A::WRAP_WITH_TRUSTED, false)] {
            let released = unwrap(engine, session, &kwp(), trusted, &wrapped, &[weaker]);
            assert!(matches!(released, Err(Error::TemplateInconsistent(_))), "{released:?}");
        }
        let back = unwrap(engine, session, &kwp(), trusted, &wrapped, &[number(A::VALUE_LEN, 32)]).unwrap();
        for name in [A::SENSITIVE, A::WRAP_WITH_TRUSTED] {
            assert!(read(engine, session, back, name) == Some(Value::Flag(true)), "{name}");
        }
        assert_eq!(wrap(engine, session, &kwp(), own, back), Err(Error::KeyNotWrappable));
        let copied = engine.copy_object(session, back, vec![flag(A::WRAP_WITH_TRUSTED, false)]);
        assert_eq!(copied, Err(Error::AttributeReadOnly(A::WRAP_WITH_TRUSTED)));
        let cbc = unwrap(engine, session, &cbc_pad(), trusted, &[0; 48], &[]);
        assert_eq!(cbc, Err(Error::MechanismInvalid), "and nothing comes in that way");

        // A copy of the trusted key is not trusted, but what it unwraps is what the trusted one has wrapped.
        let twin = engine.copy_object(session, trusted, vec![flag(A::TOKEN, false)]).unwrap();
        assert!(read(engine, session, twin, A::TRUSTED) == Some(Value::Flag(false)));
        for weaker in [flag(A::SENSITIVE, false), flag(A::WRAP_WITH_TRUSTED, false)] {
            let released = unwrap(engine, session, &kwp(), twin, &wrapped, &[weaker]);
            assert!(matches!(released, Err(Error::TemplateInconsistent(_))), "{released:?}");
        }
        // Two keys under one IV of the caller's give each other away.
        let gcm = Mechanism {
            id: MechanismType::AES_GCM,
            params: Params::Gcm { iv: vec![1; 12], aad: vec![], tag_bits: 128 },
        };
        let by_gcm = wrap(engine, session, &gcm, trusted, bound);
        let refused = if profile == Profile::Strict { Error::MechanismInvalid } else { Error::KeyNotWrappable };
        assert_eq!(by_gcm, Err(refused));
    }
}

#[test]
fn a_private_key_does_not_come_back_as_bytes_from_a_trusted_key() {
    let (world, session, trusted) = with_trusted_key(Profile::Compatible);
    let engine = &world.engine;
    let curve = vec![(A::EC_PARAMS, Value::bytes([6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]))];
    let bound = vec![flag(A::WRAP_WITH_TRUSTED, true), flag(A::EXTRACTABLE, true)];
    let pair = engine.generate_key_pair(session, &mechanism(MechanismType::EC_KEY_PAIR_GEN), curve, bound).unwrap();
    let wrapped = wrap(engine, session, &kwp(), trusted, pair.1).unwrap();
    let template = vec![number(A::CLASS, ObjectClass::SECRET_KEY.0), number(A::KEY_TYPE, KeyType::GENERIC_SECRET.0)];
    let disguised = engine.unwrap_key(session, &kwp(), trusted, &wrapped, template);
    assert_eq!(disguised, Err(Error::WrappedKeyInvalid));
    let as_it_was = vec![number(A::CLASS, ObjectClass::PRIVATE_KEY.0), number(A::KEY_TYPE, KeyType::EC.0)];
    assert!(engine.unwrap_key(session, &kwp(), trusted, &wrapped, as_it_was).is_ok());
}

#[test]
fn a_compatible_token_does_what_clients_need() {
    let world = World::new();
    let engine = &world.engine;
    let session = user_session(engine, SLOT);
    let both = aes_key(engine, session, &[]).unwrap();
    let key = aes_key(engine, session, &[flag(A::EXTRACTABLE, true)]).unwrap();
    let wrapped = wrap(engine, session, &cbc_pad(), both, key).unwrap();
    let readable = [flag(A::SENSITIVE, false), flag(A::EXTRACTABLE, true), number(A::VALUE_LEN, 32)];
    let back = unwrap(engine, session, &cbc_pad(), both, &wrapped, &readable).unwrap();
    assert_eq!(read(engine, session, back, A::VALUE).unwrap().as_bytes().unwrap().len(), 32);
    let silent = unwrap(engine, session, &cbc_pad(), both, &wrapped, &[]).unwrap();
    assert!(read(engine, session, silent, A::EXTRACTABLE) == Some(Value::Flag(true)));
    assert!(read(engine, session, silent, A::SENSITIVE) == Some(Value::Flag(true)));
    let untrue = unwrap(engine, session, &cbc_pad(), both, &wrapped, &[number(A::VALUE_LEN, 16)]);
    assert_eq!(untrue, Err(Error::WrappedKeyLenRange));
    assert_eq!(engine.decrypt_init(session, &cbc_pad(), both), Ok(()));
}

#[test]
fn a_strict_token_wraps_under_keys_that_are_as_strong_and_by_mechanisms_with_integrity() {
    let world = World::with(Settings { profile: Profile::Strict, ..settings() });
    let engine = &world.engine;
    let session = user_session(engine, SLOT);
    let wrapping = [flag(A::WRAP, true), flag(A::UNWRAP, true)];
    let strong = aes_key(engine, session, &wrapping).unwrap();
    let mut weak: Template = wrapping.iter().map(|(name, value)| (*name, value.duplicate())).collect();
    weak.push(number(A::VALUE_LEN, 16));
    let weak = engine.generate_key(session, &mechanism(MechanismType::AES_KEY_GEN), weak).unwrap();
    let key = aes_key(engine, session, &[flag(A::EXTRACTABLE, true)]).unwrap();
    assert_eq!(wrap(engine, session, &kwp(), weak, key), Err(Error::WrappingKeySizeRange));
    assert_eq!(wrap(engine, session, &cbc_pad(), strong, key), Err(Error::MechanismInvalid));
    let wrapped = wrap(engine, session, &kwp(), strong, key).unwrap();
    assert!(unwrap(engine, session, &kwp(), strong, &wrapped, &[]).is_ok());
    let readable = [flag(A::SENSITIVE, false)];
    let refused = unwrap(engine, session, &kwp(), strong, &wrapped, &readable);
    assert!(matches!(refused, Err(Error::TemplateInconsistent(_))));
}

#[test]
fn a_strict_token_answers_no_question_about_padding() {
    let world = World::with(Settings { profile: Profile::Strict, ..settings() });
    let engine = &world.engine;
    let session = user_session(engine, SLOT);
    let key = aes_key(engine, session, &[]).unwrap();
    assert_eq!(engine.encrypt_init(session, &cbc_pad(), key), Ok(()));
    assert_eq!(engine.decrypt_init(session, &cbc_pad(), key), Err(Error::MechanismInvalid));
    let named = (A::ALLOWED_MECHANISMS, Value::Numbers(vec![MechanismType::AES_CBC_PAD.0]));
    let knows = aes_key(engine, session, &[named]).unwrap();
    assert_eq!(engine.decrypt_init(session, &cbc_pad(), knows), Ok(()));
    let bits = vec![number(A::MODULUS_BITS, 2048)];
    let rsa = mechanism(MechanismType::RSA_PKCS_KEY_PAIR_GEN);
    let (_, private) = engine.generate_key_pair(session, &rsa, bits, vec![]).unwrap();
    let session = engine.open_session(SLOT, Access::ReadWrite).unwrap();
    let pkcs1 = mechanism(MechanismType::RSA_PKCS);
    assert_eq!(engine.decrypt_init(session, &pkcs1, private), Err(Error::MechanismInvalid));
    assert_eq!(engine.sign_init(session, &pkcs1, private), Ok(()), "a signature tells nothing");
}

#[test]
fn a_strict_token_makes_no_mac_of_less_than_8_bytes_and_no_token_one_of_less_than_4() {
    for (profile, least) in [(Profile::Compatible, 4), (Profile::Strict, 8)] {
        let world = World::with(Settings { profile, ..settings() });
        let session = user_session(&world.engine, SLOT);
        let key = aes_key(&world.engine, session, &[]).unwrap();
        let general = |len| Mechanism { id: MechanismType::AES_CMAC_GENERAL, params: Params::OutputLength(len) };
        let short = world.engine.sign_init(session, &general(least - 1), key);
        assert_eq!(short, Err(Error::MechanismParamInvalid), "{profile}");
        assert_eq!(world.engine.verify_init(session, &general(least - 1), key), Err(Error::MechanismParamInvalid));
        assert_eq!(world.engine.sign_init(session, &general(least), key), Ok(()), "{profile}");
    }
}

#[test]
fn a_profile_that_the_officer_changes_holds_at_once_for_who_is_logged_in() {
    let world = World::new();
    let session = user_session(&world.engine, SLOT);
    let both = [flag(A::WRAP, true), flag(A::DECRYPT, true)];
    assert!(aes_key(&world.engine, session, &both).is_ok());
    let key = aes_key(&world.engine, session, &[]).unwrap();
    let params = Params::Gcm { iv: vec![1; 12], aad: vec![], tag_bits: 128 };
    let gcm = Mechanism { id: MechanismType::AES_GCM, params };
    assert_eq!(world.engine.encrypt_init(session, &gcm, key), Ok(()));
    world.engine.session_cancel(session, 0x100).unwrap();
    let strict = NewRules { profile: Some(Profile::Strict), ..NewRules::default() };
    let pins = Pins { officer: SO_PIN, user: None };
    world.another_process().change_rules(SLOT, &pins, strict).unwrap();
    assert!(matches!(aes_key(&world.engine, session, &both), Err(Error::TemplateInconsistent(_))));
    assert_eq!(world.engine.encrypt_init(session, &gcm, key), Err(Error::MechanismParamInvalid));
}

#[test]
fn a_strict_token_protects_nothing_by_triple_des_but_reads_what_is_there() {
    let cbc = || Mechanism { id: MechanismType::DES3_CBC, params: Params::Iv(vec![0; 8]) };
    let cmac = || mechanism(MechanismType::DES3_CMAC);
    for (profile, expected) in [(Profile::Compatible, Ok(())), (Profile::Strict, Err(Error::MechanismInvalid))] {
        let world = World::with(Settings { profile, ..settings() });
        let engine = &world.engine;
        let session = user_session(engine, SLOT);
        let key = engine.generate_key(session, &mechanism(MechanismType::DES3_KEY_GEN), vec![]).unwrap();
        assert_eq!(engine.encrypt_init(session, &cbc(), key), expected, "{profile:?}");
        assert_eq!(engine.sign_init(session, &cmac(), key), expected, "{profile:?}");
        assert_eq!(engine.decrypt_init(session, &cbc(), key), Ok(()), "{profile:?}");
        assert_eq!(engine.verify_init(session, &cmac(), key), Ok(()), "{profile:?}");
    }
}

#[test]
fn a_strict_token_encrypts_by_gcm_under_nonces_that_it_makes_only() {
    for (profile, expected) in [(Profile::Compatible, Ok(())), (Profile::Strict, Err(Error::MechanismParamInvalid))] {
        let world = World::with(Settings { profile, ..settings() });
        let engine = &world.engine;
        let session = user_session(engine, SLOT);
        let key = aes_key(engine, session, &[]).unwrap();
        let params = Params::Gcm { iv: vec![1; 12], aad: vec![], tag_bits: 128 };
        let gcm = Mechanism { id: MechanismType::AES_GCM, params };
        assert_eq!(engine.encrypt_init(session, &gcm, key), expected, "{profile}");
        assert_eq!(engine.decrypt_init(session, &gcm, key), Ok(()), "what is encrypted elsewhere can be read");
        engine.message_encrypt_init(session, gcm.id, key).unwrap();
        let encrypt = |generator| {
            let mut params = message(generator);
            let mut out = [0; 4];
            engine.encrypt_message(session, &mut params, b"", b"text", Output::Buffer(&mut out)).map(|_| ())
        };
        assert_eq!(encrypt(Generator::GENERATE), Ok(()));
        assert_eq!(encrypt(Generator::GENERATE_RANDOM), Ok(()));
        for generator in [Generator::NO_GENERATE, Generator::GENERATE_COUNTER, Generator::GENERATE_COUNTER_XOR] {
            assert_eq!(encrypt(generator), expected, "{profile} {generator:?}");
        }
        // An authenticated wrap with a nonce of the token's has integrity; with the caller's it may have none.
        let kek = aes_key(engine, session, &[flag(A::WRAP, true)]).unwrap();
        let leaving = aes_key(engine, session, &[flag(A::EXTRACTABLE, true)]).unwrap();
        let wrap = |generator| {
            let (mut params, mut out) = (message(generator), [0; 32]);
            let how = (MechanismType::AES_GCM, &mut params);
            engine.wrap_key_authenticated(session, how, kek, leaving, b"", Output::Buffer(&mut out)).map(|_| ())
        };
        assert_eq!(wrap(Generator::GENERATE), Ok(()), "{profile}");
        let callers = wrap(Generator::NO_GENERATE);
        assert_eq!(callers, expected.map_err(|_| Error::MechanismInvalid), "{profile}");
    }
}

#[test]
fn no_trusted_key_wraps_by_gcm_because_one_nonce_that_comes_twice_would_open_all() {
    let (world, session, trusted) = with_trusted_key(Profile::Compatible);
    let bound =
        aes_key(&world.engine, session, &[flag(A::EXTRACTABLE, true), flag(A::WRAP_WITH_TRUSTED, true)]).unwrap();
    let (mut params, mut out) = (message(Generator::GENERATE), [0; 32]);
    let how = (MechanismType::AES_GCM, &mut params);
    let wrapped = world.engine.wrap_key_authenticated(session, how, trusted, bound, b"", Output::Buffer(&mut out));
    assert_eq!(wrapped, Err(Error::KeyNotWrappable));
}

fn message(generator: Generator) -> MessageParams {
    MessageParams { iv: vec![1; 12], fixed_bits: 0, generator, tag: vec![], tag_bits: 128 }
}
