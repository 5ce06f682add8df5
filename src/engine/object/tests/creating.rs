use super::*;
use crate::mechanism::fixture;

#[test]
fn every_kind_of_object_can_be_created_and_all_of_it_read() {
    for template in every_kind() {
        let given = duplicate(&template);
        let object = create(with(template, [flag(A::EXTRACTABLE, true), flag(A::SENSITIVE, false)]))
            .or_else(|_| create(duplicate(&given)))
            .unwrap();
        for (name, _) in object.iter() {
            assert!(readable(&object, name).is_ok(), "{name} of {:?}", object.class());
        }
    }
}

#[test]
fn what_must_be_given_is_missed() {
    for template in every_kind() {
        for (name, _) in &template {
            let (class, lacking) = (template[0].1.as_number(), without(duplicate(&template), *name));
            let optional = class == Some(C::DATA.0) && *name == A::VALUE
                || matches!(*name, A::PRIME_1 | A::PRIME_2 | A::EXPONENT_1 | A::EXPONENT_2 | A::COEFFICIENT);
            if !optional {
                assert_eq!(refusal(create(lacking)), Some(Error::TemplateIncomplete(*name)));
            }
        }
    }
}

#[test]
fn an_rsa_key_needs_no_primes() {
    let names = [A::PRIME_1, A::PRIME_2, A::EXPONENT_1, A::EXPONENT_2, A::COEFFICIENT];
    let template = names.into_iter().fold(private(KeyType::RSA), without);
    assert!(create(template).is_ok());
}

#[test]
fn what_the_token_says_cannot_be_said() {
    let own = [
        bytes(A::UNIQUE_ID, b"mine"),
        flag(A::LOCAL, true),
        number(A::KEY_GEN_MECHANISM, 0),
        flag(A::ALWAYS_SENSITIVE, true),
        flag(A::NEVER_EXTRACTABLE, true),
        number(A::VALUE_LEN, 32),
    ];
    for said in &own {
        let template = with(secret(KeyType::AES), duplicate(std::slice::from_ref(said)));
        assert_eq!(refusal(create(template)), Some(Error::AttributeReadOnly(said.0)));
    }
    let template = with(public(KeyType::RSA), [number(A::MODULUS_BITS, 1024)]);
    assert_eq!(refusal(create(template)), Some(Error::AttributeReadOnly(A::MODULUS_BITS)));
    for template in every_kind() {
        let template = with(template, [bytes(A::UNIQUE_ID, b"mine")]);
        assert_eq!(refusal(create(template)), Some(Error::AttributeReadOnly(A::UNIQUE_ID)));
    }
}

#[test]
fn only_the_officer_says_what_is_trusted() {
    for template in [certificate(CertificateType::X_509), public(KeyType::RSA), secret(KeyType::AES)] {
        let trusted = || with(duplicate(&template), [flag(A::TRUSTED, true)]);
        assert_eq!(refusal(create(trusted())), Some(Error::AttributeReadOnly(A::TRUSTED)));
        assert!(create_as(OFFICER, trusted()).unwrap().flag(A::TRUSTED));
        let template = with(duplicate(&template), [flag(A::TRUSTED, false)]);
        assert!(create(template).is_ok(), "that it is not may be said by all");
    }
}

#[test]
fn attributes_that_the_object_does_not_have_are_refused() {
    let vendor = A(0xce53_4351);
    let cases = [
        (secret(KeyType::AES), bytes(vendor, b"x")),
        (secret(KeyType::AES), bytes(A::MODULUS, b"x")),
        (secret(KeyType::AES), bytes(A::SUBJECT, b"x")),
        (public(KeyType::RSA), flag(A::SENSITIVE, true)),
        (public(KeyType::EC), bytes(A::MODULUS, b"x")),
        (private(KeyType::EC), bytes(A::EC_POINT, b"x")),
        (private(KeyType::RSA), number(A::MODULUS_BITS, 1024)),
        (data(), bytes(A::ID, b"x")),
        (certificate(CertificateType::WTLS), bytes(A::ID, b"x")),
    ];
    for (template, extra) in cases {
        let name = extra.0;
        assert_eq!(refusal(create(with(template, [extra]))), Some(Error::AttributeTypeInvalid(name)));
    }
}

#[test]
fn uses_that_the_type_is_not_made_for_may_be_asked_for() {
    let template = with(secret(KeyType::GENERIC_SECRET), [flag(A::ENCRYPT, true), flag(A::WRAP, true)]);
    assert!(create(template).unwrap().flag(A::WRAP), "programs ask for all of them, whatever the type");
}

#[test]
fn nothing_stands_twice_with_two_values() {
    let with_both = |both: [(A, Value); 2]| create(secret(KeyType::AES).into_iter().chain(both).collect());
    let contrary = with_both([flag(A::SENSITIVE, true), flag(A::SENSITIVE, false)]);
    assert!(matches!(contrary, Err(Error::TemplateInconsistent(_))));
    assert!(with_both([flag(A::SIGN, true), flag(A::SIGN, true)]).is_ok(), "said twice in the same way");
}

#[test]
fn classes_and_types_are_those_of_the_tables() {
    for class in [C::HW_FEATURE, C::DOMAIN_PARAMETERS, C::MECHANISM, C::PROFILE, C::TRUST, C(0x8000_0001)] {
        let template = vec![number(A::CLASS, class.0)];
        assert_eq!(refusal(create(template)), Some(Error::AttributeValueInvalid(A::CLASS)), "{class}");
    }
    let template = with(secret(KeyType::AES), [number(A::KEY_TYPE, KeyType::BATON.0)]);
    assert_eq!(refusal(create(template)), Some(Error::AttributeValueInvalid(A::KEY_TYPE)));
    let template = with(secret(KeyType::AES), [number(A::KEY_TYPE, KeyType::RSA.0)]);
    assert!(matches!(create(template), Err(Error::TemplateInconsistent(_))), "there are no secret RSA keys");
    let template = with(certificate(CertificateType::X_509), [number(A::CERTIFICATE_TYPE, 9)]);
    assert_eq!(refusal(create(template)), Some(Error::AttributeValueInvalid(A::CERTIFICATE_TYPE)));
}

#[test]
fn values_that_cannot_be_are_refused() {
    let cases = [
        (secret(KeyType::AES), number(A::SENSITIVE, 1)),
        (secret(KeyType::AES), (A::START_DATE, Value::Date(Some(Date(*b"2026-1-1"))))),
        (secret(KeyType::AES), number(A::OBJECT_VALIDATION_FLAGS, 1)),
        (secret(KeyType::AES), bytes(A::VALUE, [7; 31])),
        (secret(KeyType::AES), bytes(A::VALUE, [])),
        (secret(KeyType::GENERIC_SECRET), bytes(A::VALUE, [])),
        (secret(KeyType::SHA256_HMAC), bytes(A::VALUE, [])),
        (secret(KeyType::AES), bytes(A::CHECK_VALUE, [1, 2, 3])),
        (certificate(CertificateType::X_509), bytes(A::CHECK_VALUE, [1, 2, 3])),
        (certificate(CertificateType::X_509), number(A::CERTIFICATE_CATEGORY, 4)),
        (certificate(CertificateType::X_509), number(A::JAVA_MIDP_SECURITY_DOMAIN, 4)),
        (certificate(CertificateType::X_509), bytes(A::VALUE, [])),
        (public(KeyType::RSA), bytes(A::MODULUS, [0x81; 64])),
        (public(KeyType::RSA), bytes(A::MODULUS, [])),
        (public(KeyType::RSA), bytes(A::MODULUS, [0xff; 2049])),
        (public(KeyType::EC), bytes(A::EC_POINT, [4; 65])),
        (public(KeyType::EC), bytes(A::EC_POINT, [4, 0])),
        (public(KeyType::EC_EDWARDS), bytes(A::EC_POINT, [4; 31])),
        (public(KeyType::EC_MONTGOMERY), bytes(A::EC_POINT, [4; 33])),
        (private(KeyType::EC), bytes(A::VALUE, [0; 32])),
        (private(KeyType::EC), bytes(A::VALUE, [0xff; 32])),
        (private(KeyType::EC_EDWARDS), bytes(A::VALUE, [1; 31])),
        (private(KeyType::EC_MONTGOMERY), bytes(A::VALUE, [1; 33])),
        (public(KeyType::RSA), bytes(A::PUBLIC_KEY_INFO, b"another")),
        (private(KeyType::EC), bytes(A::PUBLIC_KEY_INFO, b"another")),
    ];
    for (template, value) in cases {
        let name = value.0;
        let class = template[0].1.as_number();
        let refused = refusal(create(with(template, [value])));
        assert_eq!(refused, Some(Error::AttributeValueInvalid(name)), "{name} of class {class:?}");
    }
}

#[test]
fn a_private_key_whose_numbers_contradict_each_other_is_none() {
    let mut d = rsa().d.to_vec();
    *d.last_mut().unwrap() ^= 2;
    let template = with(private(KeyType::RSA), [bytes(A::PRIVATE_EXPONENT, d)]);
    assert_eq!(refusal(create(template)), Some(Error::AttributeValueInvalid(A::PRIVATE_EXPONENT)));
}

#[test]
fn a_curve_that_is_not_offered_is_refused() {
    let explicit = [0x30, 0x03, 0x02, 0x01, 0x01];
    let brainpool = [0x06, 0x09, 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07];
    let ed25519 = [0x06, 0x03, 0x2b, 0x65, 0x70];
    for (params, refused) in [
        (&explicit[..], Error::CurveNotSupported),
        (&brainpool, Error::CurveNotSupported),
        (&ed25519, Error::CurveNotSupported),
        (b"", Error::DomainParamsInvalid),
    ] {
        for template in [public(KeyType::EC), private(KeyType::EC)] {
            let template = with(template, [bytes(A::EC_PARAMS, params)]);
            assert_eq!(refusal(create(template)), Some(refused.clone()), "{params:02x?}");
        }
    }
    let name = b"\x13\x0cedwards25519";
    let object = create(with(public(KeyType::EC_EDWARDS), [bytes(A::EC_PARAMS, name)])).unwrap();
    assert_eq!(object.bytes(A::EC_PARAMS), Some(&name[..]), "a curve keeps the name it was given by");
}

#[test]
fn points_are_taken_raw_and_wrapped_and_given_wrapped() {
    for key_type in [KeyType::EC, KeyType::EC_EDWARDS, KeyType::EC_MONTGOMERY] {
        let (curve, point, _) = curve_pair(key_type);
        let wrapped = curve.encode_point(point).unwrap();
        for given in [point, &wrapped] {
            let object = create(with(public(key_type), [bytes(A::EC_POINT, given)])).unwrap();
            assert_eq!(object.bytes(A::EC_POINT), Some(&wrapped[..]));
        }
    }
}

#[test]
fn numbers_are_kept_without_zeros_in_front() {
    let zeros = |number: &[u8]| [&[0, 0], number].concat();
    let plain = create(public(KeyType::RSA)).unwrap();
    let template = [bytes(A::MODULUS, zeros(&rsa().n)), bytes(A::PUBLIC_EXPONENT, zeros(&rsa().e))];
    let object = create(with(public(KeyType::RSA), template)).unwrap();
    for name in [A::MODULUS, A::PUBLIC_EXPONENT, A::MODULUS_BITS, A::PUBLIC_KEY_INFO] {
        assert!(object.get(name) == plain.get(name), "{name}");
    }
    assert_eq!(object.number(A::MODULUS_BITS), Some(1024));
    let private: Template = private(KeyType::RSA)
        .into_iter()
        .map(|(name, value)| match value.as_bytes() {
            Some(number) => bytes(name, zeros(number)),
            None => (name, value),
        })
        .collect();
    let object = create(private).unwrap();
    assert_eq!(object.bytes(A::PRIME_1), Some(&rsa().p[..]));
    let (_, _, scalar) = curve_pair(KeyType::EC);
    let object = create(with(super::private(KeyType::EC), [bytes(A::VALUE, zeros(scalar))])).unwrap();
    assert_eq!(object.bytes(A::VALUE).unwrap().len(), 32, "as long as the order of P-256");
    let one = with(super::private(KeyType::EC), [bytes(A::VALUE, [1])]);
    assert_eq!(create(one).unwrap().bytes(A::VALUE).unwrap(), [&[0; 31][..], &[1]].concat());
}

#[test]
fn both_keys_of_a_pair_say_what_the_public_one_is() {
    for key_type in PAIR_TYPES {
        let public_key = create(public(key_type)).unwrap();
        let private_key = create(private(key_type)).unwrap();
        let info = public_key.bytes(A::PUBLIC_KEY_INFO).unwrap();
        assert!(!info.is_empty());
        assert_eq!(private_key.bytes(A::PUBLIC_KEY_INFO), Some(info), "{key_type}");
        for template in [public(key_type), private(key_type)] {
            let object = create(with(duplicate(&template), [bytes(A::PUBLIC_KEY_INFO, info)])).unwrap();
            assert_eq!(object.bytes(A::PUBLIC_KEY_INFO), Some(info), "the right one may be said");
            let object = create(with(template, [bytes(A::PUBLIC_KEY_INFO, b"")])).unwrap();
            assert_eq!(object.bytes(A::PUBLIC_KEY_INFO), Some(info), "an empty one says nothing");
        }
    }
}

#[test]
fn check_values_are_computed_confirmed_or_unwanted() {
    let aes = create(secret(KeyType::AES)).unwrap();
    let mac = create(secret(KeyType::SHA512_HMAC)).unwrap();
    let certificate = create(certificate(CertificateType::X_509)).unwrap();
    for object in [&aes, &mac, &certificate] {
        assert_eq!(object.bytes(A::CHECK_VALUE).unwrap().len(), 3);
    }
    let right = aes.bytes(A::CHECK_VALUE).unwrap();
    assert!(create(with(secret(KeyType::AES), [bytes(A::CHECK_VALUE, right)])).is_ok());
    let object = create(with(secret(KeyType::AES), [bytes(A::CHECK_VALUE, b"")])).unwrap();
    assert_eq!(object.bytes(A::CHECK_VALUE), Some(&[][..]), "who wants none gets none");
}

#[test]
fn a_certificate_is_here_or_says_where_it_is() {
    let url = |value: &[u8]| {
        with(certificate(CertificateType::X_509), [bytes(A::URL, b"https://example.org/c"), bytes(A::VALUE, value)])
    };
    let subject = || bytes(A::HASH_OF_SUBJECT_PUBLIC_KEY, [1; 20]);
    let issuer = || bytes(A::HASH_OF_ISSUER_PUBLIC_KEY, [1; 20]);
    let missing = Some(Error::TemplateIncomplete(A::HASH_OF_SUBJECT_PUBLIC_KEY));
    assert_eq!(refusal(create(url(b""))), missing);
    let missing = Some(Error::TemplateIncomplete(A::HASH_OF_ISSUER_PUBLIC_KEY));
    assert_eq!(refusal(create(with(url(b""), [subject()]))), missing);
    let object = create(with(url(b""), [subject(), issuer()])).unwrap();
    assert_eq!(object.bytes(A::CHECK_VALUE), Some(&[][..]), "there is nothing to compute it from");
    assert!(create(with(url(&CERTIFICATE), [subject(), issuer()])).is_ok());
}

#[test]
fn what_is_no_certificate_and_no_day_is_refused() {
    for certificate_type in [CertificateType::X_509, CertificateType::X_509_ATTR_CERT] {
        let longer = [&CERTIFICATE[..], &[0]].concat();
        for value in [&b"certificate"[..], &CERTIFICATE[..19], &longer, &[0x30, 0]] {
            let template = with(certificate(certificate_type), [bytes(A::VALUE, value)]);
            assert_eq!(refusal(create(template)), Some(Error::AttributeValueInvalid(A::VALUE)), "{value:02x?}");
        }
    }
    let on = |day: &[u8; 8]| create(with(secret(KeyType::AES), [(A::END_DATE, Value::Date(Some(Date(*day))))]));
    assert!(on(b"20240229").is_ok());
    assert_eq!(refusal(on(b"20230229")), Some(Error::AttributeValueInvalid(A::END_DATE)));
}

#[test]
fn a_session_object_is_as_private_as_its_session_can_have_it() {
    let nobody = SessionRights { user: false, ..USER };
    for (template, rights, private) in [
        (secret(KeyType::AES), USER, true),
        (secret(KeyType::AES), nobody, false),
        (private(KeyType::EC), nobody, false),
        (with(secret(KeyType::AES), [flag(A::TOKEN, true)]), nobody, true),
        (with(secret(KeyType::AES), [flag(A::PRIVATE, true)]), nobody, true),
    ] {
        assert_eq!(create_as(rights, template).unwrap().flag(A::PRIVATE), private);
    }
}

#[test]
fn rsa_parts_that_do_not_belong_together_are_refused() {
    let other = private(KeyType::RSA);
    assert!(create(other).is_ok());
    let parts = [
        A::MODULUS,
        A::PUBLIC_EXPONENT,
        A::PRIVATE_EXPONENT,
        A::PRIME_1,
        A::PRIME_2,
        A::EXPONENT_1,
        A::EXPONENT_2,
        A::COEFFICIENT,
    ];
    let bent = |template: Template, name: A, at: usize| -> Template {
        let bend = |value: &Value| {
            let mut number = value.as_bytes().unwrap().to_vec();
            let at = at.min(number.len() - 1);
            number[at] ^= 4;
            Value::bytes(number)
        };
        template
            .into_iter()
            .map(|(part, value)| if part == name { (part, bend(&value)) } else { (part, value) })
            .collect()
    };
    let primes = [A::PRIME_1, A::PRIME_2, A::EXPONENT_1, A::EXPONENT_2, A::COEFFICIENT];
    for name in parts {
        for at in [1, 20, usize::MAX] {
            let whole = create(bent(private(KeyType::RSA), name, at));
            assert!(matches!(whole, Err(Error::AttributeValueInvalid(_))), "{name} at {at}: {:?}", refusal(whole));
            if primes.contains(&name) {
                continue;
            }
            let bare = primes.iter().fold(private(KeyType::RSA), |template, prime| without(template, *prime));
            let bare = create(bent(bare, name, at));
            assert!(matches!(bare, Err(Error::AttributeValueInvalid(_))), "{name} without primes: {:?}", refusal(bare));
        }
    }
    // Some of what makes it fast is of no use, and is not kept.
    for left_out in primes {
        let some = create(without(private(KeyType::RSA), left_out)).unwrap();
        assert!(primes.iter().all(|name| !some.has(*name)), "without {left_out}");
    }
    let bent = create(bent(without(private(KeyType::RSA), A::COEFFICIENT), A::PRIME_2, usize::MAX));
    assert_eq!(refusal(bent), Some(Error::AttributeValueInvalid(A::PRIME_1)), "they are not those of the modulus");
}

#[test]
fn embedded_templates_are_templates() {
    let embed = |inner: Template| with(secret(KeyType::AES), [(A::UNWRAP_TEMPLATE, Value::Template(inner))]);
    assert!(create(embed(vec![flag(A::SENSITIVE, true), bytes(A::LABEL, b"x")])).is_ok());
    assert!(create(embed(Vec::new())).unwrap().has(A::UNWRAP_TEMPLATE));
    let nested = embed(vec![(A::UNWRAP_TEMPLATE, Value::Template(Vec::new()))]);
    assert_eq!(refusal(create(nested)), Some(Error::AttributeValueInvalid(A::UNWRAP_TEMPLATE)));
    let ours = embed(vec![number(A::PAST_USES, 0)]);
    assert_eq!(refusal(create(ours)), Some(Error::AttributeTypeInvalid(A::PAST_USES)));
    let unknown = embed(vec![bytes(A(0x8000_0001), b"x")]);
    assert_eq!(refusal(create(unknown)), Some(Error::AttributeTypeInvalid(A(0x8000_0001))));
    let unfit = embed(vec![number(A::SENSITIVE, 1)]);
    assert_eq!(refusal(create(unfit)), Some(Error::AttributeValueInvalid(A::SENSITIVE)));
    let twice = embed(vec![flag(A::SENSITIVE, true), flag(A::SENSITIVE, false)]);
    assert!(matches!(create(twice), Err(Error::TemplateInconsistent(_))));
}

#[test]
fn only_a_private_object_asks_for_its_user() {
    let asking = || with(private(KeyType::EC), [flag(A::ALWAYS_AUTHENTICATE, true)]);
    assert!(create(asking()).is_ok(), "a private key is private if nobody says otherwise");
    let public = with(asking(), [flag(A::PRIVATE, false)]);
    assert!(matches!(create(public), Err(Error::TemplateInconsistent(_))));
}

#[test]
fn who_says_nothing_gets_the_defaults() {
    let objects: Vec<_> = every_kind().into_iter().map(|template| create(template).unwrap()).collect();
    for object in &objects {
        let class = object.class().unwrap();
        for (name, default) in [(A::TOKEN, false), (A::MODIFIABLE, true), (A::COPYABLE, true), (A::DESTROYABLE, true)] {
            assert_eq!(object.flag(name), default, "{name}");
        }
        assert_eq!(object.flag(A::PRIVATE), matches!(class, C::PRIVATE_KEY | C::SECRET_KEY), "{class}");
        assert_eq!(object.bytes(A::LABEL), Some(&[][..]));
        if let C::PRIVATE_KEY | C::SECRET_KEY = class {
            assert!(object.flag(A::SENSITIVE) && !object.flag(A::EXTRACTABLE), "custody first");
            assert!(!object.flag(A::ALWAYS_SENSITIVE) && !object.flag(A::NEVER_EXTRACTABLE), "it was outside");
        }
        if let C::PRIVATE_KEY | C::SECRET_KEY | C::PUBLIC_KEY = class {
            assert!(!object.flag(A::LOCAL));
            assert_eq!(object.number(A::KEY_GEN_MECHANISM), Some(types::UNAVAILABLE));
            assert_eq!(object.get(A::START_DATE).map(|date| *date == Value::Date(None)), Some(true));
            let list = readable(object, A::ALLOWED_MECHANISMS).unwrap();
            assert_eq!(list.as_numbers(), Some(&[][..]), "an empty list: no restriction");
        }
    }
}

#[test]
fn keys_may_do_what_their_type_can() {
    let uses = [
        A::ENCRYPT,
        A::DECRYPT,
        A::WRAP,
        A::UNWRAP,
        A::SIGN,
        A::SIGN_RECOVER,
        A::VERIFY,
        A::VERIFY_RECOVER,
        A::DERIVE,
        A::ENCAPSULATE,
        A::DECAPSULATE,
    ];
    let cases: [(Template, &[A]); 10] = [
        (public(KeyType::RSA), &[A::ENCRYPT, A::WRAP, A::VERIFY, A::VERIFY_RECOVER]),
        (private(KeyType::RSA), &[A::DECRYPT, A::UNWRAP, A::SIGN, A::SIGN_RECOVER]),
        (public(KeyType::EC), &[A::VERIFY]),
        (private(KeyType::EC), &[A::SIGN]),
        (public(KeyType::EC_EDWARDS), &[A::VERIFY]),
        (private(KeyType::EC_EDWARDS), &[A::SIGN]),
        (public(KeyType::EC_MONTGOMERY), &[]),
        (private(KeyType::EC_MONTGOMERY), &[A::DERIVE]),
        (secret(KeyType::AES), &[A::ENCRYPT, A::DECRYPT, A::WRAP, A::UNWRAP, A::SIGN, A::VERIFY]),
        (secret(KeyType::GENERIC_SECRET), &[A::SIGN, A::VERIFY]),
    ];
    for (template, able) in cases {
        let object = create(template).unwrap();
        for name in uses {
            assert_eq!(object.flag(name), able.contains(&name), "{name} of {:?}", object.key_type());
        }
    }
}

#[test]
fn every_object_has_a_name_of_its_own() {
    let ids: Vec<_> = (0..100).map(|_| create(data()).unwrap().bytes(A::UNIQUE_ID).unwrap().to_vec()).collect();
    for (index, id) in ids.iter().enumerate() {
        assert!(!ids[..index].contains(id));
        let text = std::str::from_utf8(id).unwrap();
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(text.as_bytes()[14], b'4', "version 4");
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "the variant of the RFC");
    }
}

#[test]
fn keys_modulo_a_prime_are_created_of_numbers_that_are_keys() {
    let pairs = [(KeyType::DH, fixture::dh_pair())].into_iter();
    for (key_type, pair) in pairs.chain(fixture::dsa_pairs().map(|pair| (KeyType::DSA, pair))) {
        let prime = pair.public.attributes.bytes(A::PRIME).unwrap();
        for (class, made) in [(C::PUBLIC_KEY, &pair.public), (C::PRIVATE_KEY, &pair.private)] {
            let parts = || made.attributes.iter().map(|(name, value)| (name, value.duplicate()));
            let template = || with(key(class, key_type, Vec::new()), parts());
            let object = create(template()).unwrap();
            let value = object.bytes(A::VALUE).unwrap();
            assert!(object.bytes(A::PUBLIC_KEY_INFO).is_some_and(|info| !info.is_empty()), "{key_type}");
            assert_eq!(object.number(A::VALUE_BITS).is_some(), (class, key_type) == (C::PRIVATE_KEY, KeyType::DH));
            let zeros = create(with(template(), [bytes(A::VALUE, [&[0, 0], value].concat())])).unwrap();
            assert_eq!(zeros.bytes(A::VALUE), Some(value), "{key_type}: without zeros in front");
            for wrong in [&[][..], &[0], prime] {
                let refused = refusal(create(with(template(), [bytes(A::VALUE, wrong)])));
                assert_eq!(refused, Some(Error::AttributeValueInvalid(A::VALUE)), "{key_type} {class}");
            }
            let lacking = refusal(create(without(template(), A::BASE)));
            assert_eq!(lacking, Some(Error::TemplateIncomplete(A::BASE)), "{key_type} {class}");
        }
    }
}
