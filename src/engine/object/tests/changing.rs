use super::*;

/// Changes an object in place, and its copy.
const WAYS: [Way; 2] = [modify, copy];

type Way = fn(&Attributes, Template, SessionRights) -> Result<Attributes, Error>;

fn aes(changes: impl IntoIterator<Item = (A, Value)>) -> Attributes {
    create(with(secret(KeyType::AES), changes)).unwrap()
}

#[test]
fn what_may_be_modified_can_be() {
    let date = || Value::Date(Some(Date(*b"20260101")));
    let cases = [
        (data(), bytes(A::LABEL, b"new")),
        (secret(KeyType::AES), bytes(A::LABEL, b"new")),
        (secret(KeyType::AES), bytes(A::ID, b"new")),
        (secret(KeyType::AES), (A::START_DATE, date())),
        (secret(KeyType::AES), (A::END_DATE, date())),
        (secret(KeyType::AES), flag(A::ENCRYPT, false)),
        (secret(KeyType::AES), flag(A::DERIVE, true)),
        (secret(KeyType::AES), flag(A::WRAP_WITH_TRUSTED, true)),
        (secret(KeyType::AES), flag(A::COPYABLE, false)),
        (secret(KeyType::AES), bytes(A::CHECK_VALUE, b"")),
        (private(KeyType::EC), bytes(A::SUBJECT, b"new")),
        (private(KeyType::EC), flag(A::SIGN, false)),
        (public(KeyType::RSA), bytes(A::SUBJECT, b"new")),
        (public(KeyType::RSA), flag(A::WRAP, false)),
        (certificate(CertificateType::X_509), bytes(A::ID, b"new")),
        (certificate(CertificateType::X_509), bytes(A::ISSUER, b"new")),
        (certificate(CertificateType::X_509), bytes(A::SERIAL_NUMBER, b"new")),
        (certificate(CertificateType::X_509_ATTR_CERT), bytes(A::AC_ISSUER, b"new")),
        (certificate(CertificateType::X_509_ATTR_CERT), bytes(A::ATTR_TYPES, b"new")),
        (certificate(CertificateType::WTLS), bytes(A::ISSUER, b"new")),
    ];
    for (template, (name, value)) in cases {
        let object = create(template).unwrap();
        for change in WAYS {
            let changed = change(&object, vec![(name, value.duplicate())], USER).unwrap();
            assert!(changed.get(name) == Some(&value), "{name}");
        }
    }
}

#[test]
fn what_may_not_be_modified_stays() {
    let cases = [
        (secret(KeyType::AES), number(A::CLASS, C::DATA.0)),
        (secret(KeyType::AES), number(A::CLASS, C::SECRET_KEY.0)),
        (secret(KeyType::AES), number(A::KEY_TYPE, KeyType::GENERIC_SECRET.0)),
        (secret(KeyType::AES), bytes(A::VALUE, [7; 32])),
        (secret(KeyType::AES), number(A::VALUE_LEN, 16)),
        (secret(KeyType::AES), bytes(A::UNIQUE_ID, b"mine")),
        (secret(KeyType::AES), flag(A::LOCAL, true)),
        (secret(KeyType::AES), flag(A::ALWAYS_SENSITIVE, true)),
        (secret(KeyType::AES), flag(A::NEVER_EXTRACTABLE, true)),
        (secret(KeyType::AES), number(A::KEY_GEN_MECHANISM, 0)),
        (secret(KeyType::AES), bytes(A::CHECK_VALUE, [1, 2, 3])),
        (secret(KeyType::AES), (A::ALLOWED_MECHANISMS, Value::Numbers(vec![1]))),
        (secret(KeyType::AES), (A::WRAP_TEMPLATE, Value::Template(Vec::new()))),
        (private(KeyType::RSA), bytes(A::PUBLIC_KEY_INFO, b"another")),
        (private(KeyType::RSA), flag(A::ALWAYS_AUTHENTICATE, true)),
        (public(KeyType::RSA), bytes(A::MODULUS, [1; 128])),
        (public(KeyType::RSA), number(A::MODULUS_BITS, 2048)),
        (certificate(CertificateType::X_509), bytes(A::VALUE, b"another")),
        (certificate(CertificateType::X_509), bytes(A::SUBJECT, b"another")),
        (certificate(CertificateType::X_509), number(A::CERTIFICATE_CATEGORY, 1)),
        (data(), bytes(A::VALUE, b"another")),
        (data(), bytes(A::APPLICATION, b"another")),
    ];
    for (template, (name, value)) in cases {
        let object = create(template).unwrap();
        for change in WAYS {
            let refused = refusal(change(&object, vec![(name, value.duplicate())], USER));
            assert_eq!(refused, Some(Error::AttributeReadOnly(name)));
        }
    }
}

#[test]
fn where_and_for_whom_an_object_is_can_be_chosen_for_a_copy_only() {
    let object = create(data()).unwrap();
    for (name, value) in [(A::TOKEN, true), (A::PRIVATE, true), (A::MODIFIABLE, false), (A::DESTROYABLE, false)] {
        let refused = refusal(modify(&object, vec![flag(name, value)], USER));
        assert_eq!(refused, Some(Error::AttributeReadOnly(name)));
        assert_eq!(copy(&object, vec![flag(name, value)], USER).unwrap().flag(name), value);
    }
}

#[test]
fn protection_is_added_and_never_taken_away() {
    let ends = [(A::SENSITIVE, true), (A::EXTRACTABLE, false), (A::WRAP_WITH_TRUSTED, true), (A::COPYABLE, false)];
    let templates: Vec<_> = SECRET_TYPES.map(secret).into_iter().chain(PAIR_TYPES.map(private)).collect();
    for (template, (name, end)) in templates.iter().flat_map(|template| ends.map(|end| (template, end))) {
        let open = [flag(A::SENSITIVE, false), flag(A::EXTRACTABLE, true)];
        let begin = create(with(with(duplicate(template), open), [flag(name, !end)])).unwrap();
        assert!(modify(&begin, vec![flag(name, !end)], USER).is_ok(), "{name}: what is so may be said");
        assert_eq!(copy(&begin, vec![flag(name, end)], USER).unwrap().flag(name), end);
        let ended = modify(&begin, vec![flag(name, end)], USER).unwrap();
        assert_eq!(ended.flag(name), end);
        assert!(modify(&ended, vec![flag(name, end)], USER).is_ok(), "{name}: what is so may be said");
        let back = refusal(modify(&ended, vec![flag(name, !end)], USER));
        assert_eq!(back, Some(Error::AttributeReadOnly(name)));
        if name != A::COPYABLE {
            let back = refusal(copy(&ended, vec![flag(name, !end)], USER));
            assert_eq!(back, Some(Error::AttributeReadOnly(name)));
        }
    }
}

#[test]
fn protection_that_comes_later_is_not_from_the_beginning() {
    let object = aes([flag(A::SENSITIVE, false), flag(A::EXTRACTABLE, true)]);
    for change in WAYS {
        let changed = change(&object, vec![flag(A::SENSITIVE, true), flag(A::EXTRACTABLE, false)], USER).unwrap();
        assert!(changed.flag(A::SENSITIVE) && !changed.flag(A::EXTRACTABLE));
        assert!(!changed.flag(A::ALWAYS_SENSITIVE) && !changed.flag(A::NEVER_EXTRACTABLE));
    }
}

#[test]
fn in_a_strict_token_uses_that_show_what_others_hide_never_meet_in_one_key() {
    for (one, other) in [(A::DECRYPT, A::WRAP), (A::WRAP, A::DECRYPT), (A::UNWRAP, A::ENCRYPT), (A::ENCRYPT, A::UNWRAP)]
    {
        let neither = || secret(KeyType::AES).into_iter().chain([flag(one, false), flag(other, false)]).collect();
        let both = with(neither(), [flag(one, true), flag(other, true)]);
        assert!(matches!(create_as(STRICT, both), Err(Error::TemplateInconsistent(_))));
        let object = create_as(STRICT, with(neither(), [flag(one, true)])).unwrap();
        for change in WAYS {
            for changes in [vec![flag(other, true)], vec![flag(one, false), flag(other, true)]] {
                let refused = refusal(change(&object, changes, STRICT));
                assert_eq!(refused, Some(Error::AttributeReadOnly(other)), "also not in its place");
            }
            let without = change(&object, vec![flag(one, false)], STRICT).unwrap();
            let later = refusal(change(&without, vec![flag(other, true)], STRICT));
            assert_eq!(later, Some(Error::AttributeReadOnly(other)), "what it once was is remembered");
            let copied = copy(&without, vec![], STRICT).unwrap();
            assert!(change(&copied, vec![flag(other, true)], STRICT).is_err(), "by a copy too");
            assert!(change(&without, vec![flag(one, true)], STRICT).is_ok());
            assert!(change(&object, vec![flag(other, true)], USER).is_ok(), "a compatible token lets it");
        }
        let free = create_as(STRICT, neither()).unwrap();
        let together = refusal(modify(&free, vec![flag(one, true), flag(other, true)], STRICT));
        assert_eq!(together, Some(Error::AttributeReadOnly(other)));
    }
    let silent = create_as(STRICT, secret(KeyType::AES)).unwrap();
    assert!(silent.flag(A::DECRYPT) && silent.flag(A::ENCRYPT) && !silent.flag(A::WRAP) && !silent.flag(A::UNWRAP));
    let wrapping = with(secret(KeyType::AES), [flag(A::WRAP, true), flag(A::UNWRAP, true)]);
    let wrapping = create_as(STRICT, wrapping).unwrap();
    assert!(wrapping.flag(A::WRAP) && !wrapping.flag(A::DECRYPT) && !wrapping.flag(A::ENCRYPT));
}

#[test]
fn what_cannot_be_modified_is_not() {
    let object = aes([flag(A::MODIFIABLE, false)]);
    assert_eq!(refusal(modify(&object, vec![bytes(A::LABEL, b"new")], USER)), Some(Error::ActionProhibited));
    assert!(copy(&object, vec![bytes(A::LABEL, b"new")], USER).is_ok(), "its copy is another object");
}

#[test]
fn what_cannot_be_copied_is_not() {
    let object = aes([flag(A::COPYABLE, false)]);
    assert_eq!(refusal(copy(&object, Vec::new(), USER)), Some(Error::ActionProhibited));
}

#[test]
fn a_copy_has_all_but_the_name_and_the_trust() {
    let template = with(secret(KeyType::AES), [flag(A::TRUSTED, true), bytes(A::LABEL, b"key")]);
    let object = create_as(OFFICER, template).unwrap();
    let second = copy(&object, Vec::new(), OFFICER).unwrap();
    for (name, value) in object.iter() {
        let same = second.get(name) == Some(value);
        assert_eq!(same, !matches!(name, A::UNIQUE_ID | A::TRUSTED), "{name}");
    }
    assert!(!second.flag(A::TRUSTED));
    let refused = refusal(copy(&object, vec![flag(A::TRUSTED, true)], USER));
    assert_eq!(refused, Some(Error::AttributeReadOnly(A::TRUSTED)));
    assert!(copy(&object, vec![flag(A::TRUSTED, true)], OFFICER).unwrap().flag(A::TRUSTED));
    assert!(copy(&object, vec![flag(A::TRUSTED, false)], USER).is_ok());
}

#[test]
fn a_copy_of_a_generated_key_was_made_here_too() {
    let template = key(C::SECRET_KEY, KeyType::AES, vec![number(A::VALUE_LEN, 16)]);
    let builder = ObjectBuilder::new(template, GENERATED, USER, &[]).unwrap();
    let object = builder.complete(vec![bytes(A::VALUE, [7; 16])]).unwrap();
    let second = copy(&object, Vec::new(), USER).unwrap();
    assert!(second.flag(A::LOCAL) && second.flag(A::ALWAYS_SENSITIVE) && second.flag(A::NEVER_EXTRACTABLE));
}

#[test]
fn a_private_object_has_no_public_copy() {
    let object = aes([]);
    let public = copy(&object, vec![flag(A::PRIVATE, false)], USER);
    assert!(matches!(public, Err(Error::TemplateInconsistent(_))));
    assert!(copy(&object, vec![flag(A::PRIVATE, true)], USER).is_ok());
}

/// An RSA key that can be trusted: it wraps and does nothing else.
fn wrapping_rsa() -> Template {
    with(public(KeyType::RSA), [A::ENCRYPT, A::VERIFY, A::VERIFY_RECOVER].map(|name| flag(name, false)))
}

#[test]
fn trust_is_the_officers_to_give_and_to_take() {
    for template in [certificate(CertificateType::X_509), wrapping_rsa(), wrapping_aes()] {
        let object = create(template).unwrap();
        for value in [true, false] {
            let refused = refusal(modify(&object, vec![flag(A::TRUSTED, value)], USER));
            assert_eq!(refused, Some(Error::AttributeReadOnly(A::TRUSTED)));
        }
        let trusted = modify(&object, vec![flag(A::TRUSTED, true)], OFFICER).unwrap();
        assert!(trusted.flag(A::TRUSTED));
        assert!(!modify(&trusted, vec![flag(A::TRUSTED, false)], OFFICER).unwrap().flag(A::TRUSTED));
    }
}

fn wrapping_aes() -> Template {
    let off = [A::ENCRYPT, A::DECRYPT, A::SIGN, A::VERIFY].map(|name| flag(name, false));
    with(secret(KeyType::AES), off)
}

#[test]
fn a_trusted_key_wraps_and_unwraps_and_never_did_anything_else() {
    let trust = || vec![flag(A::TRUSTED, true)];
    for other in [A::ENCRYPT, A::DECRYPT, A::SIGN, A::VERIFY, A::DERIVE] {
        let uses_it = create(with(wrapping_aes(), [flag(other, true)])).unwrap();
        assert!(matches!(modify(&uses_it, trust(), OFFICER), Err(Error::TemplateInconsistent(_))), "{other}");
        let used_it = modify(&uses_it, vec![flag(other, false)], USER).unwrap();
        assert!(matches!(modify(&used_it, trust(), OFFICER), Err(Error::TemplateInconsistent(_))), "{other} once");
        let at_once = create_as(OFFICER, with(wrapping_aes(), [flag(A::TRUSTED, true), flag(other, true)]));
        assert!(matches!(at_once, Err(Error::TemplateInconsistent(_))), "{other}");
    }
    for open in [flag(A::SENSITIVE, false), flag(A::EXTRACTABLE, true)] {
        let open = create(with(wrapping_aes(), [open])).unwrap();
        assert!(matches!(modify(&open, trust(), OFFICER), Err(Error::TemplateInconsistent(_))));
    }
    let silent = create_as(OFFICER, with(secret(KeyType::AES), trust())).unwrap();
    assert!(silent.flag(A::WRAP) && silent.flag(A::UNWRAP) && !silent.flag(A::DECRYPT) && !silent.flag(A::SIGN));
}

#[test]
fn a_key_that_was_trusted_and_its_copy_never_get_another_use() {
    let trusted = create_as(OFFICER, with(wrapping_aes(), [flag(A::TRUSTED, true)])).unwrap();
    let released = modify(&trusted, vec![flag(A::TRUSTED, false)], OFFICER).unwrap();
    let copied = copy(&trusted, vec![], USER).unwrap();
    for key in [&trusted, &released, &copied, &copy(&copied, vec![], USER).unwrap()] {
        for change in WAYS {
            for name in [A::DECRYPT, A::SIGN, A::DERIVE] {
                let refused = refusal(change(key, vec![flag(name, true)], USER));
                assert_eq!(refused, Some(Error::AttributeReadOnly(name)));
            }
            assert!(change(key, vec![flag(A::WRAP, false)], USER).is_err(), "nor loses one");
            assert!(change(key, vec![flag(A::DECRYPT, false), bytes(A::LABEL, b"x")], USER).is_ok(), "nothing changes");
        }
    }
}

#[test]
fn a_trusted_certificate_cannot_be_modified() {
    let template = with(certificate(CertificateType::X_509), [flag(A::TRUSTED, true)]);
    let object = create_as(OFFICER, template).unwrap();
    assert_eq!(refusal(modify(&object, vec![bytes(A::ID, b"new")], USER)), Some(Error::ActionProhibited));
    assert!(copy(&object, vec![bytes(A::ID, b"new")], USER).is_ok(), "its copy is not trusted");
}

#[test]
fn changes_are_checked_like_templates() {
    let object = aes([]);
    for change in WAYS {
        let unknown = refusal(change(&object, vec![bytes(A(0x8000_0001), b"x")], USER));
        assert_eq!(unknown, Some(Error::AttributeTypeInvalid(A(0x8000_0001))));
        let foreign = refusal(change(&object, vec![bytes(A::SUBJECT, b"x")], USER));
        assert_eq!(foreign, Some(Error::AttributeTypeInvalid(A::SUBJECT)));
        let unfit = refusal(change(&object, vec![number(A::SIGN, 1)], USER));
        assert_eq!(unfit, Some(Error::AttributeValueInvalid(A::SIGN)));
        let twice = change(&object, vec![bytes(A::LABEL, b"a"), bytes(A::LABEL, b"b")], USER);
        assert!(matches!(twice, Err(Error::TemplateInconsistent(_))));
    }
}
