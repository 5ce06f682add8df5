use crypto::{Error as Fault, Hash};
use types::{AttributeType, KeyType, MechanismType, Mgf, ObjectClass, Params, Shape, Value};

use crate::{
    Error,
    curve::Curve,
    mechanism::{Mechanism, Signing, Transform, Verifying, all},
    object::{Object, Origin},
};

use super::{
    fixture::{self, builder, bytes, number, object, row, secret},
    groups, name,
};

/// A key of each half that the row takes.
fn keys(row: &Mechanism) -> Option<(Object, Object)> {
    let copy = |key: &Object, class, key_type| {
        object(class, key_type, key.attributes.iter().map(|(name, value)| (name, value.duplicate())).collect())
    };
    let split = |pair: &fixture::Pair, key_type| {
        (copy(&pair.public, ObjectClass::PUBLIC_KEY, key_type), copy(&pair.private, ObjectClass::PRIVATE_KEY, key_type))
    };
    match *row.keys.first()? {
        KeyType::RSA => Some(split(&fixture::RSA, KeyType::RSA)),
        KeyType::EC => Some(split(&fixture::curve_pair(Curve::Weierstrass(crypto::ec::Curve::P256)), KeyType::EC)),
        KeyType::EC_EDWARDS => {
            let pair = fixture::curve_pair(Curve::Edwards(crypto::edwards::Curve::Ed25519));
            Some(split(&pair, KeyType::EC_EDWARDS))
        }
        KeyType::DH => Some(split(&fixture::dh_pair(), KeyType::DH)),
        KeyType::DSA => {
            let [pair, _] = fixture::dsa_pairs();
            Some(split(&pair, KeyType::DSA))
        }
        key_type => Some((secret(key_type, &bytes(16)), secret(key_type, &bytes(16)))),
    }
}

/// What a function of a row says to a parameter. `None` if the row has no function that looks at it.
fn answers(row: &Mechanism, params: &Params) -> Vec<Option<Error>> {
    let Some((public, private)) = keys(row) else { return vec![] };
    let mut answers = Vec::new();
    answers.extend(row.encrypt.map(|start| start(&public, params).err()));
    answers.extend(row.decrypt.map(|start| start(&private, params).err()));
    answers.extend(row.sign.map(|start| start(&private, params).err()));
    answers.extend(row.verify.map(|start| start(&public, params).err()));
    answers.extend(row.sign_recover.map(|start| start(&private, params).err()));
    answers.extend(row.verify_recover.map(|start| start(&public, params).err()));
    answers.extend(row.wrap.map(|wrap| wrap(&public, params, &bytes(16)).err()));
    answers.extend(row.unwrap.map(|unwrap| unwrap(&private, params, &bytes(16)).err()));
    let origin =
        Origin::Derived { always_sensitive: false, never_extractable: false, sensitive: false, extractable: true };
    let builder = builder(ObjectClass::SECRET_KEY, KeyType::GENERIC_SECRET, origin, vec![]).unwrap();
    answers.extend(row.derive.map(|derive| derive(&private, params, &builder).err()));
    answers
}

fn refuses(id: MechanismType, params: &Params) {
    let row = row(id);
    for answer in answers(row, params) {
        assert_eq!(answer, Some(Error::MechanismParamInvalid), "{}", name(row));
    }
}

#[test]
fn a_parameter_of_another_shape_is_refused_everywhere() {
    let others: [(&[Shape], Params); 5] = [
        (&[Shape::None, Shape::OptionalIv(4), Shape::OptionalIv(8), Shape::OptionalEddsa], Params::None),
        (&[Shape::OutputLength], Params::OutputLength(8)),
        (&[Shape::Iv(8), Shape::OptionalIv(8)], Params::Iv(vec![0; 8])),
        (&[Shape::Iv(16)], Params::Iv(vec![0; 16])),
        (&[], Params::Iv(vec![0; 15])),
    ];
    for row in all() {
        for (shapes, params) in &others {
            if !shapes.contains(&row.shape) {
                refuses(row.id, params);
            }
        }
    }
}

#[test]
fn generators_take_no_parameter() {
    let params = Params::OutputLength(1);
    for row in all() {
        let Some(key_type) = row.makes else { continue };
        let builder = |class| {
            let params = |curve: Curve| vec![(AttributeType::EC_PARAMS, Value::bytes(curve.params().unwrap()))];
            let template = match (class, key_type) {
                (ObjectClass::SECRET_KEY, KeyType::DES3) => vec![],
                (ObjectClass::SECRET_KEY, _) => vec![number(AttributeType::VALUE_LEN, 16)],
                (ObjectClass::PUBLIC_KEY, KeyType::RSA) => vec![number(AttributeType::MODULUS_BITS, 1024)],
                (ObjectClass::PUBLIC_KEY, KeyType::DH) => groups::dh(),
                (ObjectClass::PUBLIC_KEY, KeyType::DSA) => {
                    let [group, _] = groups::dsa();
                    group
                }
                (ObjectClass::PUBLIC_KEY, _) => params(Curve::Weierstrass(crypto::ec::Curve::P256)),
                _ => vec![],
            };
            builder(class, key_type, Origin::Generated(row.id), template).unwrap()
        };
        if let Some(generate) = row.generate {
            let made = generate(&params, &builder(ObjectClass::SECRET_KEY));
            assert_eq!(made.err(), Some(Error::MechanismParamInvalid), "{}", name(row));
        }
        if let Some(generate) = row.generate_pair {
            let made = generate(&params, &builder(ObjectClass::PUBLIC_KEY), &builder(ObjectClass::PRIVATE_KEY));
            assert_eq!(made.err(), Some(Error::MechanismParamInvalid), "{}", name(row));
        }
    }
}

#[test]
fn codes_are_four_bytes_to_all_of_it_long() {
    let general = all().filter(|row| row.shape == Shape::OutputLength);
    for general in general {
        let (_, key) = keys(general).unwrap();
        let sign = general.sign.unwrap();
        let (Ok(Signing::Stream(_)), lengths) = (sign(&key, &Params::OutputLength(4)), 1..=64) else {
            panic!("{} gives four bytes", name(general));
        };
        let most = lengths.filter(|len| sign(&key, &Params::OutputLength(*len)).is_ok()).max().unwrap();
        let whole = MechanismType::from_name(name(general).strip_suffix("_GENERAL").unwrap()).unwrap();
        let Ok(Signing::Stream(signer)) = row(whole).sign.unwrap()(&key, &Params::None) else { panic!("no code") };
        assert_eq!(most, signer.signature_len() as u64, "{}", name(general));
        for len in [0, 3, most + 1, u64::MAX] {
            refuses(general.id, &Params::OutputLength(len));
        }
    }
}

#[test]
fn counters_have_1_to_128_bits() {
    let ctr = |counter_bits| Params::Ctr { counter_bits, block: [0; 16] };
    for bits in [1, 32, 128] {
        assert!(answers(row(MechanismType::AES_CTR), &ctr(bits)).contains(&None));
    }
    for bits in [0, 129, u64::MAX] {
        refuses(MechanismType::AES_CTR, &ctr(bits));
    }
}

#[test]
fn a_counter_that_runs_over_is_an_error_of_length() {
    let (key, _) = keys(row(MechanismType::AES_CTR)).unwrap();
    let mut block = [0; 16];
    block[15] = 1;
    let params = Params::Ctr { counter_bits: 2, block };
    let run = |len: usize| {
        let Ok(Transform::Stream(mut cipher)) = row(MechanismType::AES_CTR).encrypt.unwrap()(&key, &params) else {
            panic!("it encrypts in parts")
        };
        cipher.update(&vec![0; len], &mut vec![0; len])
    };
    assert!(run(48).is_ok(), "three blocks are left");
    assert_eq!(run(49).err(), Some(Fault::Exhausted));
}

#[test]
fn gcm_takes_the_tags_of_its_standard_and_a_nonce() {
    let gcm = |iv: usize, tag_bits| Params::Gcm { iv: bytes(iv), aad: vec![], tag_bits };
    for (iv, tag_bits) in [(12, 128), (12, 32), (12, 64), (12, 96), (12, 104), (1, 112), (16, 120), (60, 128)] {
        assert_eq!(answers(row(MechanismType::AES_GCM), &gcm(iv, tag_bits))[0], None, "{iv} {tag_bits}");
    }
    for (iv, tag_bits) in [(0, 128), (12, 0), (12, 8), (12, 40), (12, 72), (12, 127), (12, 136), (12, u64::MAX)] {
        refuses(MechanismType::AES_GCM, &gcm(iv, tag_bits));
    }
}

#[test]
fn key_wraps_take_an_initial_value_of_their_length() {
    let rows =
        [(MechanismType::AES_KEY_WRAP, 8), (MechanismType::AES_KEY_WRAP_KWP, 4), (MechanismType::AES_KEY_WRAP_PAD, 4)];
    for (id, len) in rows {
        let (key, _) = keys(row(id)).unwrap();
        let (wrap, unwrap) = (row(id).wrap.unwrap(), row(id).unwrap.unwrap());
        let params = Params::Iv(bytes(len));
        let wrapped = wrap(&key, &params, &bytes(16)).unwrap();
        assert_eq!(*unwrap(&key, &params, &wrapped).unwrap(), bytes(16));
        let usual = unwrap(&key, &Params::None, &wrapped).err();
        assert_eq!(usual, Some(Error::Crypto(Fault::CiphertextInvalid)), "{id}: another initial value");
        for wrong in [0, 3, 5, 12, 16] {
            refuses(id, &Params::Iv(bytes(wrong)));
        }
    }
}

#[test]
fn a_key_wrap_encrypts_whole_semiblocks_only() {
    let (key, _) = keys(row(MechanismType::AES_KEY_WRAP)).unwrap();
    for (id, len, taken) in [
        (MechanismType::AES_KEY_WRAP, 24, true),
        (MechanismType::AES_KEY_WRAP, 20, false),
        (MechanismType::AES_KEY_WRAP, 8, false),
        (MechanismType::AES_KEY_WRAP_KWP, 20, true),
        (MechanismType::AES_KEY_WRAP_KWP, 1, true),
        (MechanismType::AES_KEY_WRAP_KWP, 0, false),
    ] {
        let Ok(Transform::SinglePart(mut whole)) = row(id).encrypt.unwrap()(&key, &Params::None) else {
            panic!("{id} is done in one part");
        };
        let done = whole.run(&bytes(len)).map(|_| ());
        let expected = if taken { Ok(()) } else { Err(Error::Crypto(Fault::InputLength)) };
        assert_eq!(done, expected, "{id} of {len} bytes");
    }
}

#[test]
fn ecb_and_cbc_take_whole_blocks_only() {
    for (id, params) in [(MechanismType::AES_ECB, Params::None), (MechanismType::AES_CBC, Params::Iv(bytes(16)))] {
        let (key, _) = keys(row(id)).unwrap();
        let run = |start: Option<crate::mechanism::Start<Transform>>, len| {
            let Ok(Transform::Stream(mut cipher)) = start.unwrap()(&key, &params) else {
                panic!("{id} is done in parts");
            };
            let mut output = vec![0; cipher.once_len(len)];
            cipher.once(&bytes(len), &mut output).err()
        };
        assert_eq!(run(row(id).encrypt, 32), None);
        assert_eq!(run(row(id).encrypt, 31), Some(Fault::InputLength));
        assert_eq!(run(row(id).decrypt, 31), Some(Fault::CiphertextLength));
    }
}

fn pss(hash: MechanismType, mgf: Mgf, salt_len: u64) -> Params {
    Params::Pss { hash, mgf, salt_len }
}

#[test]
fn a_pss_parameter_names_the_hash_of_the_mechanism() {
    let params = pss(MechanismType::SHA256, Mgf::MGF1_SHA512, 32);
    assert_eq!(answers(row(MechanismType::SHA256_RSA_PKCS_PSS), &params), [None, None], "the mask may have another");
    refuses(MechanismType::SHA1_RSA_PKCS_PSS, &params);
    refuses(MechanismType::SHA512_RSA_PKCS_PSS, &params);
    assert_eq!(answers(row(MechanismType::RSA_PKCS_PSS), &params), [None, None]);
    refuses(MechanismType::RSA_PKCS_PSS, &pss(MechanismType::SHA3_256, Mgf::MGF1_SHA1, 0));
    refuses(MechanismType::RSA_PKCS_PSS, &pss(MechanismType::SHA256, Mgf::MGF1_SHA3_256, 0));
}

#[test]
fn a_pss_salt_is_as_long_as_the_modulus_lets_it() {
    let params = |salt_len| pss(MechanismType::SHA256, Mgf::MGF1_SHA256, salt_len);
    let most = 2048 / 8 - 2 - 32;
    assert_eq!(answers(row(MechanismType::RSA_PKCS_PSS), &params(most)), [None, None]);
    refuses(MechanismType::RSA_PKCS_PSS, &params(most + 1));
    refuses(MechanismType::RSA_PKCS_PSS, &params(u64::MAX));
}

#[test]
fn a_pss_digest_has_the_length_of_its_hash() {
    let (public, private) = keys(row(MechanismType::RSA_PKCS_PSS)).unwrap();
    let params = pss(MechanismType::SHA256, Mgf::MGF1_SHA256, 32);
    let Ok(Signing::SinglePart(mut signer)) = row(MechanismType::RSA_PKCS_PSS).sign.unwrap()(&private, &params) else {
        panic!("a digest comes in one part");
    };
    let Ok(Verifying::SinglePart(mut verifier)) = row(MechanismType::RSA_PKCS_PSS).verify.unwrap()(&public, &params)
    else {
        panic!("a digest comes in one part");
    };
    for len in [0, 20, 31, 33] {
        let length = Err(Error::Crypto(Fault::InputLength));
        assert_eq!(signer.once(&bytes(len), &mut [0; 256]), length);
        assert_eq!(verifier.once(&bytes(len), &[0; 256]), length);
    }
}

#[test]
fn oaep_takes_every_pair_of_our_hashes_and_any_label() {
    let (public, private) = keys(row(MechanismType::RSA_PKCS_OAEP)).unwrap();
    let hashes = all().filter(|row| row.digest.is_some()).map(|row| row.id);
    let masks = [Mgf::MGF1_SHA1, Mgf::MGF1_SHA224, Mgf::MGF1_SHA256, Mgf::MGF1_SHA384, Mgf::MGF1_SHA512];
    for (hash, mgf) in hashes.flat_map(|hash| masks.map(|mgf| (hash, mgf))) {
        let params = |label: &[u8]| Params::Oaep { hash, mgf, label: label.to_vec() };
        let (wrap, unwrap) =
            (row(MechanismType::RSA_PKCS_OAEP).wrap.unwrap(), row(MechanismType::RSA_PKCS_OAEP).unwrap);
        let wrapped = wrap(&public, &params(b"label"), &bytes(32)).unwrap();
        assert_eq!(*unwrap.unwrap()(&private, &params(b"label"), &wrapped).unwrap(), bytes(32), "{hash} {mgf}");
        let other = unwrap.unwrap()(&private, &params(b""), &wrapped).err();
        assert_eq!(other, Some(Error::Crypto(Fault::CiphertextInvalid)), "{hash} {mgf}: another label");
    }
    let unknown = |hash, mgf| refuses(MechanismType::RSA_PKCS_OAEP, &Params::Oaep { hash, mgf, label: vec![] });
    unknown(MechanismType::MD5, Mgf::MGF1_SHA1);
    unknown(MechanismType::SHA256, Mgf(0));
}

#[test]
fn an_rsa_key_takes_messages_that_fit() {
    let (public, _) = keys(row(MechanismType::RSA_PKCS)).unwrap();
    let oaep = Params::Oaep { hash: MechanismType::SHA256, mgf: Mgf::MGF1_SHA256, label: vec![] };
    let rows = [
        (MechanismType::RSA_PKCS, &Params::None, 256 - 11),
        (MechanismType::RSA_PKCS_OAEP, &oaep, 256 - 66),
        (MechanismType::RSA_X_509, &Params::None, 256),
    ];
    let encrypt = |id, params: &Params, plain: &[u8]| match row(id).encrypt.unwrap()(&public, params) {
        Ok(Transform::SinglePart(mut encryption)) => encryption.run(plain),
        _ => panic!("it encrypts in one part"),
    };
    for (id, params, most) in rows {
        let wrap = |len| encrypt(id, params, &vec![1; len]);
        assert_eq!(wrap(most).unwrap().len(), 256, "{id}");
        assert_eq!(wrap(most + 1).err(), Some(Error::Crypto(Fault::InputLength)), "{id}");
    }
    let too_large = encrypt(MechanismType::RSA_X_509, &Params::None, &[0xff; 256]);
    assert_eq!(too_large.err(), Some(Error::Crypto(Fault::InputValue)), "not below the modulus");
}

#[test]
fn raw_rsa_says_what_is_wrong_with_a_ciphertext() {
    let (_, private) = keys(row(MechanismType::RSA_X_509)).unwrap();
    let unwrap = |len, byte| match row(MechanismType::RSA_X_509).decrypt.unwrap()(&private, &Params::None) {
        Ok(Transform::SinglePart(mut decryption)) => decryption.run(&vec![byte; len]),
        _ => panic!("it decrypts in one part"),
    };
    assert_eq!(unwrap(255, 1).err(), Some(Error::Crypto(Fault::CiphertextLength)));
    assert_eq!(unwrap(257, 0).err(), Some(Error::Crypto(Fault::CiphertextLength)));
    assert_eq!(unwrap(256, 0xff).err(), Some(Error::Crypto(Fault::CiphertextInvalid)));
}

#[test]
fn a_wrong_pkcs1_padding_is_never_an_error() {
    let (_, private) = keys(row(MechanismType::RSA_PKCS)).unwrap();
    let unwrap = |ciphertext: &[u8]| row(MechanismType::RSA_PKCS).unwrap.unwrap()(&private, &Params::None, ciphertext);
    for start in 0..20 {
        let mut ciphertext = bytes(256);
        ciphertext[0] = 0;
        ciphertext[100] = start;
        let once = unwrap(&ciphertext).unwrap();
        assert_eq!(once, unwrap(&ciphertext).unwrap(), "the same comes out each time");
    }
}

#[test]
fn the_temporary_key_of_a_wrap_is_an_aes_key() {
    let params =
        |aes_bits| Params::RsaAesWrap { aes_bits, hash: MechanismType::SHA256, mgf: Mgf::MGF1_SHA256, label: vec![] };
    let id = MechanismType::RSA_AES_KEY_WRAP;
    let (public, private) = keys(row(id)).unwrap();
    let (wrap, unwrap) = (row(id).wrap.unwrap(), row(id).unwrap.unwrap());
    for bits in [128, 192, 256] {
        let wrapped = wrap(&public, &params(bits), &bytes(100)).unwrap();
        assert_eq!(wrapped.len(), 256 + 8 + 104, "{bits}");
        assert_eq!(*unwrap(&private, &params(bits), &wrapped).unwrap(), bytes(100));
        let other = if bits == 256 { 128 } else { 256 };
        let refused = unwrap(&private, &params(other), &wrapped).err();
        assert_eq!(refused, Some(Error::Crypto(Fault::CiphertextInvalid)), "another size than was said");
        assert_eq!(
            unwrap(&private, &params(bits), &wrapped[..256]).err(),
            Some(Error::Crypto(Fault::CiphertextLength))
        );
        assert_eq!(
            unwrap(&private, &params(bits), &wrapped[..200]).err(),
            Some(Error::Crypto(Fault::CiphertextLength))
        );
    }
    for bits in [0, 64, 127, 512] {
        refuses(id, &params(bits));
    }
}

#[test]
fn ed25519_has_no_context_and_no_prehash() {
    let params = |prehash, context: &[u8]| Params::Eddsa { prehash, context: context.to_vec() };
    // Ed25519ctx with an empty context is not Ed25519.
    refuses(MechanismType::EDDSA, &params(false, b""));
    refuses(MechanismType::EDDSA, &params(true, b""));
    refuses(MechanismType::EDDSA, &params(false, b"context"));
}

#[test]
fn ecdsa_takes_halves_without_leading_zeros() {
    // The order has one bit more than 65 bytes: every other half begins with a zero.
    let pair = fixture::curve_pair(Curve::Weierstrass(crypto::ec::Curve::P521));
    let id = MechanismType::ECDSA_SHA256;
    let sign = || {
        let Ok(Signing::Stream(mut signer)) = row(id).sign.unwrap()(&pair.private, &Params::None) else { panic!() };
        let mut signature = [0; 132];
        signer.once(b"message", &mut signature).unwrap();
        signature
    };
    let verify = |signature: &[u8]| {
        let Ok(Verifying::Stream(mut verifier)) = row(id).verify.unwrap()(&pair.public, &Params::None) else {
            panic!()
        };
        verifier.once(b"message", signature)
    };
    let signature = std::iter::repeat_with(sign).find(|signature| signature[0] == 0 && signature[66] == 0).unwrap();
    assert_eq!(verify(&signature), Ok(()));
    let shorter = [&signature[1..66], &signature[67..]].concat();
    assert_eq!(verify(&shorter), Ok(()), "both halves lack a zero");
    assert_eq!(verify(&shorter[1..]), Err(Error::Crypto(Fault::SignatureLength)), "odd");
    assert_eq!(verify(&shorter[2..]), Err(Error::Crypto(Fault::SignatureInvalid)));
    assert_eq!(verify(&[]), Err(Error::Crypto(Fault::SignatureLength)));
}

#[test]
fn ecdsa_takes_no_message_for_a_digest() {
    let (_, private) = keys(row(MechanismType::ECDSA)).unwrap();
    let Ok(Signing::SinglePart(mut signer)) = row(MechanismType::ECDSA).sign.unwrap()(&private, &Params::None) else {
        panic!("a digest comes in one part");
    };
    for len in [1, 20, 32, 64, 128] {
        assert_eq!(signer.once(&bytes(len), &mut [0; 64]), Ok(()), "{len}");
    }
    assert_eq!(signer.once(&bytes(129), &mut [0; 64]), Err(Error::Crypto(Fault::InputLength)));
}

#[test]
fn an_rsa_pair_is_what_the_template_asks_for() {
    let make = |template| {
        let row = row(MechanismType::RSA_PKCS_KEY_PAIR_GEN);
        let public = builder(ObjectClass::PUBLIC_KEY, KeyType::RSA, Origin::Generated(row.id), template)?;
        let private = builder(ObjectClass::PRIVATE_KEY, KeyType::RSA, Origin::Generated(row.id), vec![])?;
        row.generate_pair.unwrap()(&Params::None, &public, &private)
    };
    let bits = |bits| number(AttributeType::MODULUS_BITS, bits);
    let exponent = |bytes: &[u8]| (AttributeType::PUBLIC_EXPONENT, Value::bytes(bytes));
    let (public, private) = make(vec![bits(1024)]).unwrap();
    let find = |parts: &crate::mechanism::Parts, name| {
        parts.iter().find(|(known, _)| *known == name).map(|(_, value)| value.duplicate()).unwrap()
    };
    assert!(find(&public, AttributeType::PUBLIC_EXPONENT) == Value::bytes([1, 0, 1]), "65537 unless told otherwise");
    assert!(find(&public, AttributeType::MODULUS) == find(&private, AttributeType::MODULUS));
    assert!(find(&public, AttributeType::MODULUS_BITS) == Value::Number(1024));
    let (public, _) = make(vec![bits(1024), exponent(&[0, 0, 3])]).unwrap();
    assert!(find(&public, AttributeType::PUBLIC_EXPONENT) == Value::bytes([3]));

    assert_eq!(make(vec![]).err(), Some(Error::TemplateIncomplete(AttributeType::MODULUS_BITS)));
    for wrong in [0, 512, 1023, 16385, u64::MAX] {
        let refused = make(vec![bits(wrong)]).err();
        assert_eq!(refused, Some(Error::AttributeValueInvalid(AttributeType::MODULUS_BITS)), "{wrong}");
    }
    for wrong in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[1; 33]] {
        let refused = make(vec![bits(1024), exponent(wrong)]).err();
        assert!(matches!(refused, Some(Error::TemplateInconsistent(_))), "{wrong:?}");
    }
}

#[test]
fn a_curve_pair_is_made_by_the_mechanism_for_its_form() {
    let curves = [
        Curve::Weierstrass(crypto::ec::Curve::P256),
        Curve::Edwards(crypto::edwards::Curve::Ed25519),
        Curve::Montgomery(crypto::montgomery::Curve::X25519),
    ];
    let rows = all().filter(|row| row.generate_pair.is_some() && row.traits != 0);
    for row in rows {
        let make = |template| {
            let key_type = row.makes.unwrap();
            let public = builder(ObjectClass::PUBLIC_KEY, key_type, Origin::Generated(row.id), template)?;
            let private = builder(ObjectClass::PRIVATE_KEY, key_type, Origin::Generated(row.id), vec![])?;
            row.generate_pair.unwrap()(&Params::None, &public, &private).map(|_| ())
        };
        let named = |params: &[u8]| vec![(AttributeType::EC_PARAMS, Value::bytes(params))];
        for curve in curves {
            let made = make(named(&curve.params().unwrap()));
            let fits = Some(curve.key_type()) == row.makes;
            assert_eq!(made, if fits { Ok(()) } else { Err(Error::CurveNotSupported) }, "{} {curve:?}", name(row));
        }
        assert_eq!(make(vec![]), Err(Error::TemplateIncomplete(AttributeType::EC_PARAMS)), "{}", name(row));
        assert_eq!(make(named(&[5, 0])), Err(Error::DomainParamsInvalid), "{}", name(row));
    }
}

#[test]
fn small_rsa_keys_do_not_take_large_hashes() {
    let pair = fixture::rsa_pair(1024);
    let oaep = Params::Oaep { hash: MechanismType::SHA512, mgf: Mgf::MGF1_SHA512, label: vec![] };
    let refused = row(MechanismType::RSA_PKCS_OAEP).encrypt.unwrap()(&pair.public, &oaep).err();
    assert_eq!(refused, Some(Error::KeySizeRange), "not even an empty message fits");
    assert_eq!(Hash::Sha512.output_len() * 2 + 2, 130);
    let pss = pss(MechanismType::SHA512, Mgf::MGF1_SHA512, 62);
    assert!(row(MechanismType::SHA512_RSA_PKCS_PSS).sign.unwrap()(&pair.private, &pss).is_ok());
}

#[test]
fn a_private_value_has_as_many_bits_as_the_template_says() {
    let row = row(MechanismType::DH_PKCS_KEY_PAIR_GEN);
    let make = |group, bits: Option<u64>| {
        let origin = Origin::Generated(row.id);
        let public = builder(ObjectClass::PUBLIC_KEY, KeyType::DH, origin, group)?;
        let bits = bits.map(|bits| number(AttributeType::VALUE_BITS, bits)).into_iter().collect();
        let private = builder(ObjectClass::PRIVATE_KEY, KeyType::DH, origin, bits)?;
        let (_, parts) = row.generate_pair.unwrap()(&Params::None, &public, &private)?;
        private.complete(parts).map(|made| made.number(AttributeType::VALUE_BITS).unwrap())
    };
    assert_eq!(make(groups::dh(), Some(225)), Ok(225));
    assert!(make(groups::dh(), None).is_ok_and(|bits| (1900..2048).contains(&bits)));
    for bits in [0, 159, 2048, u64::MAX] {
        let refused = make(groups::dh(), Some(bits));
        assert_eq!(refused, Err(Error::AttributeValueInvalid(AttributeType::VALUE_BITS)), "{bits}");
    }
    let group = |prime: &[u8], base: &[u8]| {
        vec![(AttributeType::PRIME, Value::bytes(prime)), (AttributeType::BASE, Value::bytes(base))]
    };
    for group in [group(&[0xff; 64], &[2]), group(&[0xfe; 256], &[2]), group(&[0xff; 256], &[1])] {
        assert_eq!(make(group, None), Err(Error::DomainParamsInvalid));
    }
}

#[test]
fn dsa_takes_a_digest_of_a_length_that_a_hash_gives() {
    let (public, private) = keys(row(MechanismType::DSA)).unwrap();
    let Ok(Signing::SinglePart(mut signer)) = row(MechanismType::DSA).sign.unwrap()(&private, &Params::None) else {
        panic!("a digest comes in one part");
    };
    let Ok(Verifying::SinglePart(mut verifier)) = row(MechanismType::DSA).verify.unwrap()(&public, &Params::None)
    else {
        panic!("a digest comes in one part");
    };
    for len in [0, 19, 21, 65] {
        let length = Err(Error::Crypto(Fault::InputLength));
        assert_eq!(signer.once(&bytes(len), &mut [0; 40]), length);
        assert_eq!(verifier.once(&bytes(len), &[0; 40]), length);
    }
    assert_eq!(signer.once(&bytes(48), &mut [0; 40]), Ok(()));
}
