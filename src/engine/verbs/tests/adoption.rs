//! Objects that come from another token.

use store::faulty::Verb;

use super::*;
use crate::Witness;

/// What another token says of a key that it made and never let go.
fn made_elsewhere() -> Template {
    let mut template = aes(true, true);
    template.retain(|(name, _)| !matches!(*name, A::SENSITIVE | A::EXTRACTABLE));
    template.extend([
        flag(A::LOCAL, true),
        flag(A::SENSITIVE, true),
        flag(A::EXTRACTABLE, false),
        flag(A::ALWAYS_SENSITIVE, true),
        flag(A::NEVER_EXTRACTABLE, true),
        flag(A::MODIFIABLE, false),
        flag(A::COPYABLE, false),
        flag(A::DESTROYABLE, false),
        (A::KEY_GEN_MECHANISM, Value::Number(MechanismType::AES_KEY_GEN.0)),
        (A::VALUE_LEN, Value::Number(16)),
        (A::ALLOWED_MECHANISMS, Value::Numbers(vec![MechanismType::AES_ECB.0])),
        (A::START_DATE, Value::Date(Some(types::Date(*b"20240229")))),
        (A::WRAP_TEMPLATE, Value::Template(vec![flag(A::EXTRACTABLE, true)])),
    ]);
    template
}

fn with(mut template: Template, name: A, value: Value) -> Template {
    template.retain(|(known, _)| *known != name);
    template.push((name, value));
    template
}

fn adopt(engine: &Engine, session: SessionHandle, template: Template, witness: Witness) -> Result<ObjectHandle, Error> {
    let object = engine.adoptable(session, template, witness)?;
    let [handle] = engine.adopt_objects(session, vec![object])?[..] else { panic!("one object") };
    Ok(handle)
}

#[test]
fn an_adopted_key_says_what_it_said_where_it_was_and_works() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let key = adopt(&world.engine, session, made_elsewhere(), Witness::User).unwrap();
    let view = world.engine.object(session, key).unwrap();
    for (name, value) in made_elsewhere() {
        match view.attribute(name) {
            Ok(kept) => assert!(*kept == value, "{name}"),
            Err(fault) => assert_eq!((name, fault), (A::VALUE, Error::AttributeSensitive(A::VALUE))),
        }
    }
    assert_eq!(view.attribute(A::UNIQUE_ID).unwrap().as_bytes().map(<[u8]>::len), Some(36));
    assert_eq!(view.attribute(A::CHECK_VALUE).unwrap().as_bytes().map(<[u8]>::len), Some(3));
    encrypt(&world.engine, session, key).unwrap();
    // Another process reads it as it is.
    let other = world.another_process();
    let session = user_session(&other, SlotId(0));
    let [found] = find(&other, session, vec![flag(A::LOCAL, true), flag(A::NEVER_EXTRACTABLE, true)]).unwrap()[..]
    else {
        panic!("one key")
    };
    encrypt(&other, session, found).unwrap();
}

#[test]
fn an_adopted_key_cannot_do_what_nobody_said_that_it_can() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let mut silent = made_elsewhere();
    silent.retain(|(name, _)| *name != A::ENCRYPT);
    let key = adopt(&world.engine, session, silent, Witness::User).unwrap();
    let view = world.engine.object(session, key).unwrap();
    for name in [A::ENCRYPT, A::WRAP, A::UNWRAP, A::DERIVE, A::VERIFY] {
        assert!(*view.attribute(name).unwrap() == Value::Flag(false), "{name}");
    }
    assert_eq!(encrypt(&world.engine, session, key), Err(Error::KeyFunctionNotPermitted));
}

#[test]
fn what_cannot_be_is_not_adopted() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let inconsistent = "the key is less protected than it says it always was";
    let cases = [
        (A::SENSITIVE, Value::Flag(false), Error::TemplateInconsistent(inconsistent)),
        (A::EXTRACTABLE, Value::Flag(true), Error::TemplateInconsistent(inconsistent)),
        (A::VALUE, Value::bytes([7; 15]), Error::AttributeValueInvalid(A::VALUE)),
        (A::VALUE_LEN, Value::Number(32), Error::TemplateInconsistent("the key has another length")),
        (A::CHECK_VALUE, Value::bytes([1, 2, 3]), Error::AttributeValueInvalid(A::CHECK_VALUE)),
        (A::START_DATE, Value::Date(Some(types::Date(*b"20230229"))), Error::AttributeValueInvalid(A::START_DATE)),
        (A::UNIQUE_ID, Value::bytes("mine"), Error::AttributeReadOnly(A::UNIQUE_ID)),
        (A::SR_KEY_STATE, Value::Number(1), Error::AttributeReadOnly(A::SR_KEY_STATE)),
        (A::SR_DELETE_AT, Value::Number(1), Error::AttributeReadOnly(A::SR_DELETE_AT)),
        (A::PAST_USES, Value::Number(1), Error::AttributeTypeInvalid(A::PAST_USES)),
        (A::MODULUS, Value::bytes([1]), Error::AttributeTypeInvalid(A::MODULUS)),
        (A::KEY_TYPE, Value::Number(KeyType::DES.0), Error::AttributeValueInvalid(A::KEY_TYPE)),
    ];
    for (name, value, fault) in cases {
        let template = with(made_elsewhere(), name, value);
        assert_eq!(adopt(&world.engine, session, template, Witness::User), Err(fault), "{name}");
    }
    assert_eq!(find(&world.engine, session, Vec::new()).unwrap(), []);
    let reader = world.engine.open_session(SlotId(0), Access::ReadOnly).unwrap();
    let adopted = adopt(&world.engine, reader, made_elsewhere(), Witness::User);
    assert_eq!(adopted, Err(Error::SessionReadOnly));
}

#[test]
fn trust_comes_with_the_officer_only_and_under_the_same_rules() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let trusted = || with(made_elsewhere(), A::TRUSTED, Value::Flag(true));
    let adopted = adopt(&world.engine, session, trusted(), Witness::User);
    assert_eq!(adopted, Err(Error::AttributeReadOnly(A::TRUSTED)));
    // It encrypts too, so that it would show what it wraps.
    let adopted = adopt(&world.engine, session, trusted(), Witness::Officer);
    assert!(matches!(adopted, Err(Error::TemplateInconsistent(_))), "{adopted:?}");
    let only_wraps = [A::ENCRYPT, A::DECRYPT, A::SIGN];
    let template = only_wraps.into_iter().fold(trusted(), |template, name| with(template, name, Value::Flag(false)));
    let key = adopt(&world.engine, session, template, Witness::Officer).unwrap();
    let view = world.engine.object(session, key).unwrap();
    assert!(*view.attribute(A::TRUSTED).unwrap() == Value::Flag(true));
}

#[test]
fn objects_are_adopted_together_in_one_commit_or_not_at_all() {
    let world = World::new();
    let session = user_session(&world.engine, SlotId(0));
    let object = |label: &str| {
        let template = with(made_elsewhere(), A::LABEL, Value::bytes(label));
        world.engine.adoptable(session, template, Witness::User).unwrap()
    };
    let before = world.plan.calls(Verb::Commit);
    assert_eq!(world.engine.adopt_objects(session, Vec::new()).unwrap(), []);
    assert_eq!(world.plan.calls(Verb::Commit), before);
    let labels = ["one", "two", "three"];
    let handles = world.engine.adopt_objects(session, labels.map(object).into()).unwrap();
    assert_eq!(world.plan.calls(Verb::Commit), before + 1);
    for (label, handle) in labels.into_iter().zip(&handles) {
        let view = world.engine.object(session, *handle).unwrap();
        assert!(*view.attribute(A::LABEL).unwrap() == Value::bytes(label));
        encrypt(&world.engine, session, *handle).unwrap();
    }
    let more: Vec<_> = ["four", "five"].map(object).into();
    world.plan.fail_before(Verb::Commit, 1, store::Error::Full("no room".to_owned()));
    assert!(world.engine.adopt_objects(session, more).is_err());
    let other = world.another_process();
    let session = user_session(&other, SlotId(0));
    assert_eq!(find(&other, session, Vec::new()).unwrap().len(), 3);
}
