use super::*;

fn make(template: Template, origin: Origin, parts: Template) -> Result<Attributes, Error> {
    ObjectBuilder::new(template, origin, USER, &[])?.complete(parts)
}

fn aes(changes: impl IntoIterator<Item = (A, Value)>) -> Template {
    with(key(C::SECRET_KEY, KeyType::AES, Vec::new()), changes)
}

fn value() -> Template {
    vec![bytes(A::VALUE, [7; 32])]
}

fn generated(changes: impl IntoIterator<Item = (A, Value)>) -> Result<Attributes, Error> {
    make(with(aes([number(A::VALUE_LEN, 32)]), changes), GENERATED, value())
}

fn unwrapped(changes: impl IntoIterator<Item = (A, Value)>) -> Result<Attributes, Error> {
    make(aes(changes), Origin::Unwrapped, value())
}

fn derived(origin: Origin, changes: impl IntoIterator<Item = (A, Value)>) -> Result<Attributes, Error> {
    make(aes(changes), origin, value())
}

#[test]
fn a_generated_key_knows_how_it_was_made() {
    let object = generated([]).unwrap();
    assert!(object.flag(A::LOCAL));
    assert_eq!(object.number(A::KEY_GEN_MECHANISM), Some(MechanismType::AES_KEY_GEN.0));
    assert!(object.flag(A::SENSITIVE) && !object.flag(A::EXTRACTABLE));
    assert!(object.flag(A::ALWAYS_SENSITIVE) && object.flag(A::NEVER_EXTRACTABLE));
    assert_eq!(object.number(A::VALUE_LEN), Some(32));
    assert_eq!(object.bytes(A::CHECK_VALUE).unwrap().len(), 3);
    let object = generated([flag(A::SENSITIVE, false), flag(A::EXTRACTABLE, true)]).unwrap();
    assert!(!object.flag(A::ALWAYS_SENSITIVE) && !object.flag(A::NEVER_EXTRACTABLE));
}

#[test]
fn key_pairs_are_made_of_what_the_mechanism_gives() {
    for key_type in PAIR_TYPES {
        let (asked, asked_for) = if key_type == KeyType::RSA {
            (number(A::MODULUS_BITS, 1024), A::MODULUS_BITS)
        } else {
            (bytes(A::EC_PARAMS, curve_pair(key_type).0.params().unwrap()), A::EC_PARAMS)
        };
        let class = key(C::PUBLIC_KEY, key_type, Vec::new());
        let lacking = make(duplicate(&class), GENERATED, public_parts(key_type));
        assert_eq!(refusal(lacking), Some(Error::TemplateIncomplete(asked_for)));
        let public_key = make(with(class, [asked]), GENERATED, public_parts(key_type)).unwrap();
        let private_key = key(C::PRIVATE_KEY, key_type, Vec::new());
        let private_key = make(private_key, GENERATED, private_parts(key_type)).unwrap();
        assert!(public_key.flag(A::LOCAL) && private_key.flag(A::LOCAL));
        assert!(private_key.flag(A::NEVER_EXTRACTABLE));
        assert!(public_key.get(A::PUBLIC_KEY_INFO) == private_key.get(A::PUBLIC_KEY_INFO), "{key_type}");
    }
}

#[test]
fn what_making_gives_cannot_be_given() {
    for origin in [GENERATED, Origin::Unwrapped, DERIVED] {
        for name in [A::VALUE, A::UNIQUE_ID] {
            let template = aes([number(A::VALUE_LEN, 32), bytes(name, [7; 32])]);
            assert_eq!(refusal(make(template, origin, value())), Some(Error::AttributeReadOnly(name)), "{origin:?}");
        }
        for name in [A::LOCAL, A::ALWAYS_SENSITIVE, A::NEVER_EXTRACTABLE] {
            let template = aes([number(A::VALUE_LEN, 32), flag(name, true)]);
            assert_eq!(refusal(make(template, origin, value())), Some(Error::AttributeReadOnly(name)), "{origin:?}");
        }
        let template = aes([number(A::VALUE_LEN, 32), number(A::OBJECT_VALIDATION_FLAGS, 0)]);
        let refused = refusal(make(template, origin, value()));
        assert_eq!(refused, Some(Error::AttributeReadOnly(A::OBJECT_VALIDATION_FLAGS)));
    }
    for (name, _) in private_parts(KeyType::RSA) {
        for origin in [GENERATED, Origin::Unwrapped] {
            let template = key(C::PRIVATE_KEY, KeyType::RSA, vec![bytes(name, [1; 128])]);
            assert_eq!(refusal(make(template, origin, Vec::new())), Some(Error::AttributeReadOnly(name)));
        }
    }
    let template = key(C::PUBLIC_KEY, KeyType::EC, vec![bytes(A::EC_POINT, [1; 65])]);
    assert_eq!(refusal(make(template, GENERATED, Vec::new())), Some(Error::AttributeReadOnly(A::EC_POINT)));
}

#[test]
fn the_length_of_a_generated_secret_key_is_said() {
    for key_type in SECRET_TYPES {
        let template = key(C::SECRET_KEY, key_type, Vec::new());
        let refused = refusal(make(template, GENERATED, value()));
        assert_eq!(refused, Some(Error::TemplateIncomplete(A::VALUE_LEN)), "{key_type}");
    }
}

#[test]
fn lengths_that_contradict_each_other_are_refused() {
    let wrong = || [number(A::VALUE_LEN, 16)];
    assert!(matches!(generated(wrong()), Err(Error::TemplateInconsistent(_))));
    assert!(matches!(derived(DERIVED, wrong()), Err(Error::TemplateInconsistent(_))));
    assert_eq!(refusal(unwrapped(wrong())), Some(Error::WrappedKeyLenRange));
    assert!(unwrapped([number(A::VALUE_LEN, 32)]).is_ok());
    let short = || vec![bytes(A::VALUE, [7; 5])];
    assert_eq!(refusal(make(aes([]), Origin::Unwrapped, short())), Some(Error::WrappedKeyLenRange));
    assert_eq!(refusal(make(aes([]), DERIVED, short())), Some(Error::KeySizeRange));
}

#[test]
fn the_call_decides_what_the_template_may_not_contradict() {
    let preset = [number(A::CLASS, C::SECRET_KEY.0), number(A::KEY_TYPE, KeyType::AES.0)];
    let new = |template| ObjectBuilder::new(template, GENERATED, USER, &preset);
    let builder = new(vec![number(A::VALUE_LEN, 16)]).unwrap();
    assert_eq!(builder.attributes().key_type(), Some(KeyType::AES));
    assert!(!builder.attributes().has(A::SENSITIVE), "a builder has no defaults");
    assert!(new(aes([number(A::VALUE_LEN, 16)])).is_ok(), "who says the same says nothing");
    for other in [number(A::CLASS, C::PRIVATE_KEY.0), number(A::KEY_TYPE, KeyType::GENERIC_SECRET.0)] {
        let template = vec![number(A::VALUE_LEN, 16), other];
        assert!(matches!(new(template), Err(Error::TemplateInconsistent(_))));
    }
}

#[test]
fn only_keys_are_made_and_only_secret_ones_are_derived() {
    let arises =
        |template: Template, origin| !matches!(make(template, origin, value()), Err(Error::TemplateInconsistent(_)));
    for origin in [GENERATED, Origin::Unwrapped, DERIVED] {
        assert!(!arises(data(), origin));
        assert!(!arises(certificate(CertificateType::X_509), origin));
    }
    assert!(!arises(key(C::PUBLIC_KEY, KeyType::RSA, Vec::new()), Origin::Unwrapped));
    assert!(!arises(key(C::PUBLIC_KEY, KeyType::RSA, Vec::new()), DERIVED));
    assert!(!arises(key(C::PRIVATE_KEY, KeyType::RSA, Vec::new()), DERIVED));
}

#[test]
fn an_unwrapped_key_was_outside() {
    let object = unwrapped([]).unwrap();
    assert!(object.flag(A::SENSITIVE) && object.flag(A::EXTRACTABLE), "it was outside, and cannot be read");
    for name in [A::ALWAYS_SENSITIVE, A::NEVER_EXTRACTABLE, A::LOCAL, A::TRUSTED] {
        assert!(!object.flag(name), "{name}");
    }
    assert_eq!(object.number(A::KEY_GEN_MECHANISM), Some(types::UNAVAILABLE));
    let object = make(key(C::PRIVATE_KEY, KeyType::EC, Vec::new()), Origin::Unwrapped, private_parts(KeyType::EC));
    assert!(object.unwrap().flag(A::SENSITIVE));
    let nothing = make(key(C::PRIVATE_KEY, KeyType::EC, Vec::new()), Origin::Unwrapped, Vec::new());
    assert_eq!(refusal(nothing), Some(Error::WrappedKeyInvalid));
    for name in [A::CLASS, A::KEY_TYPE] {
        let lacking = make(without(aes([]), name), Origin::Unwrapped, value());
        assert_eq!(refusal(lacking), Some(Error::TemplateIncomplete(name)));
    }
}

#[test]
fn an_unwrapped_key_can_be_made_readable_but_in_a_strict_token_only_where_its_unwrapping_key_says_so() {
    let open = || [flag(A::SENSITIVE, false), flag(A::EXTRACTABLE, true)];
    let object = unwrapped(open()).unwrap();
    assert!(readable(&object, A::VALUE).is_ok() && !object.flag(A::ALWAYS_SENSITIVE));
    let strictly = |template, preset: &[(A, Value)]| ObjectBuilder::new(template, Origin::Unwrapped, STRICT, preset);
    assert!(matches!(strictly(aes(open()), &[]), Err(Error::TemplateInconsistent(_))));
    let [insensitive, extractable] = open();
    assert!(
        matches!(strictly(aes([insensitive]), &[]), Err(Error::TemplateInconsistent(_))),
        "it may leave by default"
    );
    assert!(strictly(aes([extractable]), &[]).is_ok(), "it still cannot be read");
    assert!(strictly(aes([flag(A::SENSITIVE, false), flag(A::EXTRACTABLE, false)]), &[]).is_ok(), "nor this one");
    for template in [aes(open()), aes([])] {
        assert!(strictly(template, &open()).is_ok());
    }
    let [insensitive, extractable] = open();
    let half = strictly(aes([insensitive]), &[extractable]);
    assert!(matches!(half, Err(Error::TemplateInconsistent(_))), "half a permission is none");
}

#[test]
fn trust_does_not_come_from_a_key() {
    for origin in [Origin::Unwrapped, DERIVED] {
        let builder = ObjectBuilder::new(aes([flag(A::TRUSTED, true)]), origin, OFFICER, &[]);
        assert_eq!(refusal(builder), Some(Error::AttributeReadOnly(A::TRUSTED)), "not even for the officer");
        let builder = ObjectBuilder::new(aes([]), origin, USER, &[flag(A::TRUSTED, true)]);
        assert_eq!(refusal(builder), Some(Error::AttributeReadOnly(A::TRUSTED)), "nor through an embedded template");
    }
}

#[test]
fn a_derived_key_is_protected_like_its_base() {
    let object = derived(KEPT, []).unwrap();
    assert!(object.flag(A::SENSITIVE) && !object.flag(A::EXTRACTABLE));
    assert!(object.flag(A::ALWAYS_SENSITIVE) && object.flag(A::NEVER_EXTRACTABLE));
    assert!(!object.flag(A::LOCAL));
    for weaker in [flag(A::SENSITIVE, false), flag(A::EXTRACTABLE, true)] {
        assert!(matches!(derived(KEPT, [weaker]), Err(Error::TemplateInconsistent(_))));
    }
    assert!(derived(KEPT, [flag(A::SENSITIVE, true), flag(A::EXTRACTABLE, false)]).is_ok());
    let object = derived(DERIVED, []).unwrap();
    assert!(!object.flag(A::SENSITIVE) && object.flag(A::EXTRACTABLE), "who says nothing inherits");
    let object = derived(DERIVED, [flag(A::SENSITIVE, true), flag(A::EXTRACTABLE, false)]).unwrap();
    assert!(object.flag(A::SENSITIVE) && !object.flag(A::EXTRACTABLE));
    assert!(!object.flag(A::ALWAYS_SENSITIVE) && !object.flag(A::NEVER_EXTRACTABLE), "its base could be read");
}

#[test]
fn derivation_remembers_what_the_base_once_was() {
    for (always, never) in [(true, false), (false, true)] {
        let origin =
            Origin::Derived { always_sensitive: always, never_extractable: never, sensitive: true, extractable: false };
        let object = derived(origin, []).unwrap();
        assert_eq!((object.flag(A::ALWAYS_SENSITIVE), object.flag(A::NEVER_EXTRACTABLE)), (always, never));
    }
}

#[test]
fn a_derived_key_that_may_be_seen_was_not_always_hidden() {
    // The mechanism lets it be less protected than its base, which never left.
    let origin =
        Origin::Derived { always_sensitive: true, never_extractable: true, sensitive: false, extractable: true };
    let object = derived(origin, []).unwrap();
    assert!(!object.flag(A::ALWAYS_SENSITIVE) && !object.flag(A::NEVER_EXTRACTABLE));
    let object = derived(origin, [flag(A::SENSITIVE, true), flag(A::EXTRACTABLE, false)]).unwrap();
    assert!(object.flag(A::ALWAYS_SENSITIVE) && object.flag(A::NEVER_EXTRACTABLE));
}

#[test]
fn a_triple_des_key_has_odd_parity_or_gets_it() {
    for (key_type, len) in [(KeyType::DES2, 16), (KeyType::DES3, 24)] {
        let template = || key(C::SECRET_KEY, key_type, Vec::new());
        let (even, odd) = (vec![0x03; len], vec![0x02; len]);
        for origin in [GENERATED, DERIVED] {
            let made = make(template(), origin, vec![bytes(A::VALUE, &even)]).unwrap();
            assert_eq!(made.bytes(A::VALUE), Some(&odd[..]), "{key_type}");
            assert_eq!(made.number(A::VALUE_LEN), Some(len as u64));
        }
        let unwrapped = |value: &[u8]| make(template(), Origin::Unwrapped, vec![bytes(A::VALUE, value)]);
        assert_eq!(refusal(unwrapped(&even)), Some(Error::WrappedKeyInvalid));
        assert_eq!(unwrapped(&odd).unwrap().bytes(A::CHECK_VALUE).map(<[u8]>::len), Some(3));
        let created = |value: &[u8]| create(with(template(), [bytes(A::VALUE, value)]));
        assert_eq!(refusal(created(&even)), Some(Error::AttributeValueInvalid(A::VALUE)));
        assert!(created(&odd).is_ok());
        assert_eq!(refusal(created(&odd[1..])), Some(Error::AttributeValueInvalid(A::VALUE)));
    }
}
