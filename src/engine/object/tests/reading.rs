use super::*;

const SECRETS: [A; 7] =
    [A::VALUE, A::PRIVATE_EXPONENT, A::PRIME_1, A::PRIME_2, A::EXPONENT_1, A::EXPONENT_2, A::COEFFICIENT];

fn keys() -> Vec<Template> {
    PAIR_TYPES.map(private).into_iter().chain(SECRET_TYPES.map(secret)).collect()
}

#[test]
fn a_key_is_read_only_if_it_is_neither_sensitive_nor_kept() {
    for template in keys() {
        for (sensitive, extractable) in [(true, true), (true, false), (false, false), (false, true)] {
            let flags = [flag(A::SENSITIVE, sensitive), flag(A::EXTRACTABLE, extractable)];
            let object = create(with(duplicate(&template), flags)).unwrap();
            for (name, _) in &template {
                let hidden = SECRETS.contains(name) && (sensitive || !extractable);
                let expected = hidden.then_some(Error::AttributeSensitive(*name));
                assert_eq!(refusal(readable(&object, *name)), expected, "{name}");
            }
        }
    }
}

#[test]
fn what_a_sensitive_key_lacks_is_hidden_too() {
    let names = [A::PRIME_1, A::PRIME_2, A::EXPONENT_1, A::EXPONENT_2, A::COEFFICIENT];
    let short = || names.into_iter().fold(private(KeyType::RSA), without);
    let object = create(short()).unwrap();
    assert_eq!(refusal(readable(&object, A::PRIME_1)), Some(Error::AttributeSensitive(A::PRIME_1)));
    let open = [flag(A::SENSITIVE, false), flag(A::EXTRACTABLE, true)];
    let object = create(with(short(), open)).unwrap();
    assert_eq!(refusal(readable(&object, A::PRIME_1)), Some(Error::AttributeTypeInvalid(A::PRIME_1)));
}

#[test]
fn what_an_object_does_not_have_is_not_read() {
    let object = create(secret(KeyType::AES)).unwrap();
    for name in [A::MODULUS, A::PAST_USES, A::WRAP_TEMPLATE, A(0x8000_0001)] {
        assert_eq!(refusal(readable(&object, name)), Some(Error::AttributeTypeInvalid(name)));
    }
}

#[test]
fn objects_are_found_by_what_can_be_read() {
    let object = create(with(secret(KeyType::AES), [bytes(A::LABEL, b"key"), bytes(A::ID, [1])])).unwrap();
    assert!(matches(&object, &[]), "an empty template matches all");
    assert!(matches(&object, &[bytes(A::LABEL, b"key"), bytes(A::ID, [1]), flag(A::SENSITIVE, true)]));
    assert!(!matches(&object, &[bytes(A::LABEL, b"key"), bytes(A::ID, [2])]), "all of it must match");
    assert!(!matches(&object, &[bytes(A::LABEL, b"ke")]));
    assert!(!matches(&object, &[bytes(A::SUBJECT, b"")]), "what it does not have does not match");
    assert!(!matches(&object, &[bytes(A(0x8000_0001), b"")]), "what nobody knows does not match");
    assert!(!matches(&object, &[number(A::SENSITIVE, 1)]), "a value of another kind does not match");
}

#[test]
fn nobody_finds_a_key_by_guessing_it() {
    for template in keys() {
        let object = create(duplicate(&template)).unwrap();
        let open = with(duplicate(&template), [flag(A::SENSITIVE, false), flag(A::EXTRACTABLE, true)]);
        let open = create(open).unwrap();
        for (name, value) in template.into_iter().filter(|(name, _)| SECRETS.contains(name)) {
            assert!(matches(&open, &[(name, value.duplicate())]), "{name}");
            assert!(!matches(&object, &[(name, value)]), "{name}");
        }
    }
}

#[test]
fn numbers_are_found_with_and_without_zeros_in_front() {
    let object = create(public(KeyType::RSA)).unwrap();
    for modulus in [rsa().n.clone(), [&[0, 0], &rsa().n[..]].concat()] {
        assert!(matches(&object, &[bytes(A::MODULUS, modulus)]));
    }
}

#[test]
fn a_larger_object_takes_more() {
    let small = create(data()).unwrap();
    let large = create(with(data(), [bytes(A::VALUE, [0; 1000])])).unwrap();
    assert_eq!(size(&large) - size(&small), 1000 - 4);
}
