use crypto::{Error as Fault, Hash, SUITE, aes::Cipher, ec};
use types::{AttributeType, Kdf, KeyType, MechanismType, Mgf, ObjectClass, Params, Shape, Value};

use crate::{
    Error,
    curve::Curve,
    key::{Lengths, Material},
    mechanism::{Mechanism, Signing, Transform, Verifying, all, digest, flag::*},
    message::{self as messages, Way},
    object::{Object, Origin},
    wrapping::{self, Padding},
};

use super::{
    fixture::{self, Pair, builder, bytes, number, object, secret},
    name,
    reference::{self, hash_in},
};

/// A parameter that the row takes.
fn params(row: &Mechanism) -> Params {
    let hash = hash_in(row).unwrap_or(Hash::Sha384);
    let hash_id = all().find(|row| row.digest == Some(hash)).unwrap().id;
    match row.shape {
        Shape::None | Shape::OptionalIv(_) | Shape::OptionalEddsa => Params::None,
        Shape::Iv(len) => Params::Iv(bytes(len)),
        Shape::OutputLength => Params::OutputLength(7),
        Shape::Ctr => Params::Ctr { counter_bits: 64, block: [0xff; 16].map(|byte| byte ^ 0x11) },
        Shape::Gcm => Params::Gcm { iv: bytes(12), aad: bytes(21), tag_bits: 120 },
        Shape::Pss => Params::Pss { hash: hash_id, mgf: Mgf::MGF1_SHA1, salt_len: 17 },
        Shape::Oaep => Params::Oaep { hash: hash_id, mgf: Mgf::MGF1_SHA1, label: bytes(5) },
        Shape::RsaAesWrap => {
            Params::RsaAesWrap { aes_bits: 256, hash: hash_id, mgf: Mgf::MGF1_SHA256, label: bytes(3) }
        }
        Shape::Context => Params::Context(bytes(9)),
        Shape::Ecdh | Shape::PublicValue => panic!("{} needs a peer", name(row)),
    }
}

/// A secret key is its own pair.
fn twice(make: impl Fn() -> Object) -> Pair {
    Pair { public: make(), private: make() }
}

/// A pair again: objects are not cloned otherwise.
fn again(pair: &Pair, key_type: KeyType) -> Pair {
    let copy = |key: &Object, class| {
        let parts = key.attributes.iter().map(|(name, value)| (name, value.duplicate())).collect();
        object(class, key_type, parts)
    };
    Pair { public: copy(&pair.public, ObjectClass::PUBLIC_KEY), private: copy(&pair.private, ObjectClass::PRIVATE_KEY) }
}

/// Keys that a row takes: of every type and size.
fn keys(row: &Mechanism) -> Vec<Pair> {
    row.keys
        .iter()
        .flat_map(|&key_type| match key_type {
            KeyType::RSA => vec![again(&fixture::RSA, key_type)],
            KeyType::EC => ec::Curve::ALL.map(|curve| fixture::curve_pair(Curve::Weierstrass(curve))).into(),
            KeyType::EC_EDWARDS => vec![fixture::curve_pair(Curve::Edwards(crypto::edwards::Curve::Ed25519))],
            KeyType::EC_MONTGOMERY => vec![fixture::curve_pair(Curve::Montgomery(crypto::montgomery::Curve::X25519))],
            KeyType::AES => [16, 24, 32].map(|len| twice(|| secret(KeyType::AES, &bytes(len)))).into(),
            KeyType::DH => vec![fixture::dh_pair()],
            KeyType::DSA => fixture::dsa_pairs().into(),
            KeyType::DES2 => vec![twice(|| secret(key_type, &bytes(16)))],
            KeyType::DES3 => vec![twice(|| secret(key_type, &bytes(24)))],
            other => [1, 33, 200].map(|len| twice(|| secret(other, &bytes(len)))).into(),
        })
        .collect()
}

/// A message that the row takes, longer than any block.
fn message(row: &Mechanism) -> Vec<u8> {
    match row.id {
        MechanismType::RSA_PKCS_PSS => bytes(Hash::Sha384.output_len()),
        MechanismType::ECDSA | MechanismType::DSA => bytes(32),
        _ => bytes(96),
    }
}

#[test]
fn every_function_of_every_row_works() {
    for row in all() {
        let mut tried = row.traits;
        if let Some(hash) = row.digest {
            digests(hash);
            tried |= DIGEST;
        }
        if row.generate.is_some() {
            generates(row);
            tried |= GENERATE;
        }
        if row.generate_pair.is_some() {
            // The pairs are the keys of all others; see also the tests of parameters.
            tried |= GENERATE_KEY_PAIR;
        }
        for pair in keys(row) {
            if row.encrypt.is_some() {
                encrypts(row, &pair);
                tried |= ENCRYPT | DECRYPT;
            }
            if row.message.is_some() {
                encrypts_messages(row, &pair);
                tried |= MESSAGE_ENCRYPT | MESSAGE_DECRYPT | MULTI_MESSAGE;
            }
            if row.sign.is_some() {
                signs(row, &pair);
                tried |= SIGN | VERIFY;
            }
            if row.sign_recover.is_some() {
                recovers(row, &pair);
                tried |= SIGN_RECOVER | VERIFY_RECOVER;
            }
            if row.wrap.is_some() {
                wraps(row, &pair);
                tried |= WRAP | UNWRAP;
            }
            if row.derive.is_some() {
                match row.shape {
                    Shape::PublicValue => derives_modulo_a_prime(row, &pair),
                    _ => derives(row, &pair),
                }
                tried |= DERIVE;
            }
        }
        assert_eq!(tried, row.flags(), "{}: every function was tried", name(row));
    }
}

/// A message in parts is what the row encrypts in one, with the tag apart.
fn encrypts_messages(row: &Mechanism, pair: &Pair) {
    let (plain, iv, aad) = (message(row), bytes(12), bytes(21));
    let params = row.message.unwrap()(iv.clone(), aad.clone(), 96);
    let Transform::Stream(mut whole) = row.encrypt.unwrap()(&pair.public, &params).unwrap() else { panic!() };
    let mut expected = vec![0; whole.once_len(plain.len())];
    whole.once(&plain, &mut expected).unwrap();
    let begin = |way, key| messages::begin(row, way, key, iv.clone(), &aad, 96).unwrap();
    let mut sealing = begin(Way::Encrypt, &pair.public);
    let mut cipher = vec![0; plain.len()];
    let given = sealing.update(&plain[..31], &mut cipher).unwrap();
    let (rest, tag) = sealing.seal(&plain[31..], &mut cipher[given..]).unwrap();
    assert_eq!((given + rest, [&cipher[..], &tag].concat()), (plain.len(), expected), "{}", name(row));
    let mut opening = begin(Way::Decrypt, &pair.private);
    opening.update(&cipher[..50], &mut []).unwrap();
    let mut opened = vec![0; opening.end_len(cipher.len() - 50)];
    let len = opening.open(&cipher[50..], &tag, &mut opened).unwrap();
    assert_eq!(opened[..len], plain, "{}", name(row));
}

fn digests(hash: Hash) {
    let message = bytes(1000);
    let mut digest = (SUITE.digest)(hash).unwrap();
    message.chunks(77).for_each(|part| digest.update(part));
    let mut output = vec![0; digest.output_len()];
    digest.finish(&mut output);
    assert_eq!(output, reference::digest_of(hash, &message));
}

fn generates(row: &Mechanism) {
    let key_type = row.makes.unwrap();
    let make_of = |template| {
        let builder = builder(ObjectClass::SECRET_KEY, key_type, Origin::Generated(row.id), template)?;
        row.generate.unwrap()(&Params::None, &builder)
    };
    let make = |len| make_of(vec![number(AttributeType::VALUE_LEN, len)]);
    let lengths = match Lengths::of(key_type).unwrap() {
        Lengths::OneOf(lengths) => lengths,
        Lengths::UpTo(_) => &[16, 24, 32],
    };
    for len in lengths.iter().map(|len| *len as u64) {
        let [one, other] = [make(len).unwrap(), make(len).unwrap()];
        assert!(one != other, "{}", name(row));
        let key = object(ObjectClass::SECRET_KEY, key_type, one);
        assert_eq!(key.attributes.bytes(AttributeType::VALUE).unwrap().len() as u64, len);
        assert!(!matches!(key.material().unwrap(), Material::None), "{} makes a key for something", name(row));
    }
    assert_eq!(make(0).err(), Some(Error::AttributeValueInvalid(AttributeType::VALUE_LEN)), "{}", name(row));
    let missing = make_of(vec![]).map(|parts| parts.len());
    let expected = match lengths {
        [_] => Ok(1),
        _ => Err(Error::TemplateIncomplete(AttributeType::VALUE_LEN)),
    };
    assert_eq!(missing, expected, "{}: the length is named where there are several", name(row));
}

/// A transformation in one step.
fn once(transform: Transform, input: &[u8]) -> Result<Vec<u8>, Error> {
    match transform {
        Transform::Stream(mut cipher) => {
            let mut output = vec![0; cipher.once_len(input.len())];
            let len = cipher.once(input, &mut output)?;
            output.truncate(len);
            Ok(output)
        }
        Transform::SinglePart(mut whole) => {
            let output = whole.run(input)?;
            assert!(output.len() <= whole.output_len(input.len()), "the length that was told is enough");
            Ok(output.to_vec())
        }
    }
}

/// A transformation in steps.
fn stepwise(mut cipher: Box<dyn Cipher>, input: &[u8], step: usize) -> Result<Vec<u8>, Error> {
    let mut output = Vec::new();
    for part in input.chunks(step) {
        let mut place = vec![0; cipher.update_len(part.len())];
        let len = cipher.update(part, &mut place)?;
        output.extend_from_slice(&place[..len]);
    }
    let mut place = vec![0; cipher.finish_len()];
    let len = cipher.finish(&mut place)?;
    output.extend_from_slice(&place[..len]);
    Ok(output)
}

fn encrypts(row: &Mechanism, keys: &Pair) {
    let (name, params, message) = (name(row), params(row), message(row));
    let encrypt = || row.encrypt.unwrap()(&keys.public, &params).unwrap();
    let decrypt = || row.decrypt.unwrap()(&keys.private, &params).unwrap();
    let ciphertext = once(encrypt(), &message).unwrap();
    match reference::encrypted(row, &params, &keys.public, &message) {
        Some(expected) => assert_eq!(ciphertext, expected, "{name}"),
        None => assert_eq!(reference::decrypted(&params, &keys.private, &ciphertext), message, "{name}"),
    }
    let mut expected = message.clone();
    if row.id == MechanismType::RSA_X_509 {
        expected.splice(0..0, vec![0; ciphertext.len() - message.len()]);
    }
    assert_eq!(once(decrypt(), &ciphertext).unwrap(), expected, "{name}");
    for step in [1, 15, 16, 17, 200] {
        if let Transform::Stream(cipher) = encrypt() {
            assert_eq!(stepwise(cipher, &message, step).unwrap(), ciphertext, "{name} in steps of {step}");
        }
        if let Transform::Stream(cipher) = decrypt() {
            assert_eq!(stepwise(cipher, &ciphertext, step).unwrap(), message, "{name} in steps of {step}");
        }
    }
    let short = once(decrypt(), &ciphertext[1..]).err();
    if [Shape::Gcm, Shape::Context].contains(&row.shape) {
        assert_eq!(short, Some(Error::Crypto(Fault::CiphertextInvalid)), "{name}");
    } else if row.shape != Shape::Ctr {
        assert_eq!(short, Some(Error::Crypto(Fault::CiphertextLength)), "{name}");
    }
    let wrong_key = row.encrypt.unwrap()(&secret(KeyType::GENERIC_SECRET, b"key"), &params).err();
    assert_eq!(wrong_key, Some(Error::KeyTypeInconsistent), "{name}");
}

fn sign_once(signing: Signing, message: &[u8]) -> Result<Vec<u8>, Error> {
    let (Signing::Stream(mut signer) | Signing::SinglePart(mut signer)) = signing;
    let mut signature = vec![0; signer.signature_len()];
    signer.once(message, &mut signature)?;
    Ok(signature)
}

fn verify_once(verifying: Verifying, message: &[u8], signature: &[u8]) -> Result<(), Error> {
    let (Verifying::Stream(mut verifier) | Verifying::SinglePart(mut verifier)) = verifying;
    verifier.once(message, signature)
}

fn signs(row: &Mechanism, keys: &Pair) {
    let (name, params, message) = (name(row), params(row), message(row));
    let sign = || row.sign.unwrap()(&keys.private, &params).unwrap();
    let verify = || row.verify.unwrap()(&keys.public, &params).unwrap();
    let signature = sign_once(sign(), &message).unwrap();
    reference::check_signature(row, &params, keys, &message, &signature);
    verify_once(verify(), &message, &signature).unwrap();

    let mut other = message.clone();
    other[0] ^= 1;
    let invalid = Err(Error::Crypto(Fault::SignatureInvalid));
    assert_eq!(verify_once(verify(), &other, &signature), invalid, "{name}: another message");
    let mut bent = signature.clone();
    *bent.last_mut().unwrap() ^= 1;
    assert_eq!(verify_once(verify(), &message, &bent), invalid, "{name}: another signature");
    for wrong in [&signature[1..], &[], &[signature.as_slice(), &[0, 0]].concat()] {
        let verified = verify_once(verify(), &message, wrong);
        assert_eq!(verified, Err(Error::Crypto(Fault::SignatureLength)), "{name}: {} bytes", wrong.len());
    }

    match (sign(), verify()) {
        (Signing::Stream(_), Verifying::Stream(_)) => {
            for step in [1, 63, 64, 65, 500] {
                let (Signing::Stream(mut signer), Verifying::Stream(mut verifier)) = (sign(), verify()) else {
                    panic!("{name} has changed its mind");
                };
                let mut signature = vec![0; signer.signature_len()];
                for part in message.chunks(step) {
                    signer.update(part).unwrap();
                    verifier.update(part).unwrap();
                }
                signer.finish(&mut signature).unwrap();
                verifier.finish(&signature).unwrap();
                verify_once(verify(), &message, &signature).unwrap();
            }
            let empty = sign_once(sign(), b"").unwrap();
            let Verifying::Stream(mut verifier) = verify() else { panic!("{name} has changed its mind") };
            verifier.finish(&empty).unwrap();
        }
        (Signing::SinglePart(mut signer), Verifying::SinglePart(mut verifier)) => {
            assert!(signer.update(b"part").is_err(), "{name}");
            assert!(verifier.update(b"part").is_err(), "{name}");
        }
        _ => panic!("{name}: signing and verifying differ"),
    }
    let wrong_key = object(ObjectClass::DATA, KeyType::DSA, vec![]);
    assert_eq!(row.sign.unwrap()(&wrong_key, &params).err(), Some(Error::KeyTypeInconsistent), "{name}");
    assert_eq!(row.verify.unwrap()(&wrong_key, &params).err(), Some(Error::KeyTypeInconsistent), "{name}");
}

fn recovers(row: &Mechanism, keys: &Pair) {
    let (name, params, message) = (name(row), params(row), message(row));
    let mut signer = row.sign_recover.unwrap()(&keys.private, &params).unwrap();
    let mut opener = row.verify_recover.unwrap()(&keys.public, &params).unwrap();
    let signature = signer.run(&message).unwrap();
    reference::check_signature(row, &params, keys, &message, &signature);
    let recovered = opener.run(&signature).unwrap();
    assert!(recovered.len() <= opener.output_len(signature.len()), "{name}");
    assert!(recovered.ends_with(&message), "{name}");
    let zeros = recovered.len() - message.len();
    assert!(recovered[..zeros].iter().all(|byte| *byte == 0), "{name}");
    assert_eq!(zeros != 0, row.id == MechanismType::RSA_X_509, "{name} recovers what was signed and no more");
    assert_eq!(opener.run(&signature[1..]).err(), Some(Error::Crypto(Fault::SignatureLength)), "{name}");
    assert_eq!(opener.run(&vec![0xff; signature.len()]).err(), Some(Error::Crypto(Fault::SignatureInvalid)), "{name}");
}

/// Keys to wrap, of both classes.
fn wrappable() -> Vec<Object> {
    let curves = [
        Curve::Weierstrass(ec::Curve::P521),
        Curve::Edwards(crypto::edwards::Curve::Ed25519),
        Curve::Montgomery(crypto::montgomery::Curve::X25519),
    ];
    let mut keys = vec![
        secret(KeyType::AES, &bytes(16)),
        secret(KeyType::AES, &bytes(24)),
        secret(KeyType::AES, &bytes(32)),
        secret(KeyType::DES2, &bytes(16)),
        secret(KeyType::DES3, &bytes(24)),
        secret(KeyType::GENERIC_SECRET, &bytes(20)),
        secret(KeyType::SHA256_HMAC, &bytes(64)),
        again(&fixture::RSA, KeyType::RSA).private,
    ];
    keys.extend(curves.map(|curve| fixture::curve_pair(curve).private));
    keys.push(fixture::dh_pair().private);
    keys.extend(fixture::dsa_pairs().map(|pair| pair.private));
    keys
}

fn wraps(row: &Mechanism, keys: &Pair) {
    let (name, params) = (name(row), params(row));
    for key in wrappable() {
        let (class, key_type) = (key.attributes.class().unwrap(), key.attributes.key_type().unwrap());
        if !row.wraps.contains(&class) {
            assert_eq!(wrapping::to_wrap(&key, row).err(), Some(Error::KeyNotWrappable), "{name} and {class}");
            continue;
        }
        let plain = wrapping::to_wrap(&key, row).unwrap();
        let wrapped = row.wrap.unwrap()(&keys.public, &params, &plain).unwrap();
        let unwrapped = row.unwrap.unwrap()(&keys.private, &params, &wrapped).unwrap();
        let template = match key.attributes.bytes(AttributeType::VALUE) {
            Some(value) if class == ObjectClass::SECRET_KEY && row.padding != Padding::None => {
                vec![number(AttributeType::VALUE_LEN, value.len() as u64)]
            }
            _ => vec![],
        };
        let builder = builder(class, key_type, Origin::Unwrapped, template).unwrap();
        for (part, value) in wrapping::from_wrapped(&unwrapped, &builder, row).unwrap() {
            assert!(key.attributes.get(part) == Some(&value), "{name}: {part} of {key_type}");
        }

        let short = row.unwrap.unwrap()(&keys.private, &params, &wrapped[..wrapped.len() - 1]);
        match row.shape {
            Shape::Ctr => assert_eq!(short.unwrap().len(), plain.len() - 1),
            _ => assert!(
                matches!(short, Err(Error::Crypto(Fault::CiphertextLength | Fault::CiphertextInvalid))),
                "{name} with a byte less"
            ),
        }
    }
    let wrong_key = secret(KeyType::GENERIC_SECRET, b"key");
    assert_eq!(row.wrap.unwrap()(&wrong_key, &params, &bytes(16)).err(), Some(Error::KeyTypeInconsistent), "{name}");
    assert_eq!(row.unwrap.unwrap()(&wrong_key, &params, &bytes(16)).err(), Some(Error::KeyTypeInconsistent), "{name}");
}

fn derives(row: &Mechanism, keys: &Pair) {
    let name = name(row);
    let curve = Curve::of(keys.private.attributes.bytes(AttributeType::EC_PARAMS).unwrap()).unwrap();
    let peer = fixture::curve_pair(curve);
    let encoded = peer.public.attributes.bytes(AttributeType::EC_POINT).unwrap();
    let raw = curve.point(encoded).unwrap();
    let secret = reference::agreed(&keys.private, &peer.public);
    let derive = |kdf, shared: &[u8], public: &[u8], key_type, template| {
        let params = Params::Ecdh { kdf, shared: shared.to_vec(), public: public.to_vec() };
        let origin =
            Origin::Derived { always_sensitive: false, never_extractable: false, sensitive: false, extractable: true };
        let builder = builder(ObjectClass::SECRET_KEY, key_type, origin, template)?;
        row.derive.unwrap()(&keys.private, &params, &builder).map(|value| value.to_vec())
    };
    let len = |len: usize| vec![number(AttributeType::VALUE_LEN, len as u64)];
    for public in [raw, encoded] {
        let whole = derive(Kdf::NULL, b"", public, KeyType::GENERIC_SECRET, vec![]).unwrap();
        assert_eq!(whole, secret, "{name} gives the whole secret if nothing else is asked for");
        let key = derive(Kdf::NULL, b"", public, KeyType::AES, len(16)).unwrap();
        assert_eq!(key, secret[secret.len() - 16..], "{name} takes away leading bytes");
    }
    let too_long = derive(Kdf::NULL, b"", raw, KeyType::GENERIC_SECRET, len(secret.len() + 1));
    assert_eq!(too_long, Err(Error::KeySizeRange), "{name}");
    let aes = derive(Kdf::NULL, b"", raw, KeyType::AES, vec![]);
    match secret.len() {
        32 => assert_eq!(aes, Ok(secret.clone()), "{name}"),
        _ => assert_eq!(aes, Err(Error::TemplateIncomplete(AttributeType::VALUE_LEN)), "{name}"),
    }
    let kdfs = [Kdf::SHA1_KDF, Kdf::SHA224_KDF, Kdf::SHA256_KDF, Kdf::SHA384_KDF, Kdf::SHA512_KDF];
    for (kdf, hash) in kdfs.into_iter().zip(Hash::ALL) {
        for (shared, wanted) in [(&b"shared"[..], 200), (b"", 7)] {
            let key = derive(kdf, shared, raw, KeyType::GENERIC_SECRET, len(wanted)).unwrap();
            assert_eq!(key, reference::x963(hash, &secret, shared, wanted), "{name} with {kdf}");
        }
        let unknown = derive(kdf, b"", raw, KeyType::GENERIC_SECRET, vec![]);
        assert_eq!(unknown, Err(Error::TemplateIncomplete(AttributeType::VALUE_LEN)), "{name} with {kdf}");
    }
    for (kdf, shared) in [(Kdf::NULL, &b"data"[..]), (Kdf::SHA1_KDF_ASN1, b""), (Kdf(99), b"")] {
        let refused = derive(kdf, shared, raw, KeyType::GENERIC_SECRET, len(16));
        assert_eq!(refused, Err(Error::MechanismParamInvalid), "{name} with {kdf}");
    }
    let zeros = vec![0; raw.len()];
    for public in [&raw[1..], &[], &zeros] {
        let refused = derive(Kdf::NULL, b"", public, KeyType::GENERIC_SECRET, vec![]);
        assert_eq!(refused, Err(Error::Crypto(Fault::PeerInvalid)), "{name}: a point that is none");
    }
    let odd = derive(Kdf::NULL, b"", raw, KeyType::AES, len(17));
    assert_eq!(odd, Err(Error::AttributeValueInvalid(AttributeType::VALUE_LEN)), "{name}");
}

fn derives_modulo_a_prime(row: &Mechanism, keys: &Pair) {
    let name = name(row);
    let peer = fixture::dh_pair();
    let public = peer.public.attributes.bytes(AttributeType::VALUE).unwrap();
    let secret = reference::agreed_modulo_a_prime(&keys.private, public);
    let derive = |public: &[u8], key_type, template| {
        let origin =
            Origin::Derived { always_sensitive: false, never_extractable: false, sensitive: false, extractable: true };
        let builder = builder(ObjectClass::SECRET_KEY, key_type, origin, template)?;
        let params = Params::PublicValue(public.to_vec());
        row.derive.unwrap()(&keys.private, &params, &builder).map(|value| value.to_vec())
    };
    let len = |len: usize| vec![number(AttributeType::VALUE_LEN, len as u64)];
    assert_eq!(secret.len(), 256, "with the zeros in front");
    assert_eq!(derive(public, KeyType::GENERIC_SECRET, vec![]), Ok(secret.clone()), "{name}");
    assert_eq!(derive(&[&[0], public].concat(), KeyType::GENERIC_SECRET, vec![]), Ok(secret.clone()), "{name}");
    assert_eq!(derive(public, KeyType::AES, len(32)), Ok(secret[224..].to_vec()), "{name} takes away leading bytes");
    assert_eq!(derive(public, KeyType::DES3, vec![]), Ok(secret[232..].to_vec()), "{name}: there is one length");
    let unknown = derive(public, KeyType::AES, vec![]);
    assert_eq!(unknown, Err(Error::TemplateIncomplete(AttributeType::VALUE_LEN)), "{name}");
    assert_eq!(derive(public, KeyType::GENERIC_SECRET, len(257)), Err(Error::KeySizeRange), "{name}");
    let prime = keys.public.attributes.bytes(AttributeType::PRIME).unwrap();
    let mut last = prime.to_vec();
    *last.last_mut().unwrap() -= 1;
    for public in [&[0][..], &[1], &last, prime, &[0xff; 300]] {
        let refused = derive(public, KeyType::GENERIC_SECRET, vec![]);
        assert_eq!(refused, Err(Error::Crypto(Fault::PeerInvalid)), "{name}: a value that is none");
    }
}

#[test]
fn the_hash_of_a_parameter_is_any_of_ours() {
    for hash in Hash::ALL {
        let id = all().find(|row| row.digest == Some(hash)).unwrap().id;
        assert_eq!(digest::hash(id), Ok(hash));
    }
    assert_eq!(digest::hash(MechanismType::MD5), Err(Error::MechanismParamInvalid));
    assert_eq!(digest::hash(MechanismType::SHA256_HMAC), Err(Error::MechanismParamInvalid));
}

#[test]
fn keys_that_are_none_are_noticed() {
    let wrong = |key: &Object| key.material().err();
    let invalid = Some(Error::Crypto(Fault::KeyInvalid));
    let pair = fixture::curve_pair(Curve::Weierstrass(ec::Curve::P256));
    let params = || (AttributeType::EC_PARAMS, Value::bytes(Curve::Weierstrass(ec::Curve::P256).params().unwrap()));
    for scalar in [vec![0; 32], vec![0xff; 32], vec![]] {
        let parts = vec![params(), (AttributeType::VALUE, Value::bytes(scalar))];
        assert_eq!(wrong(&object(ObjectClass::PRIVATE_KEY, KeyType::EC, parts)), invalid);
    }
    let mut point = pair.public.attributes.bytes(AttributeType::EC_POINT).unwrap().to_vec();
    point[10] ^= 1;
    for point in [point, vec![4, 1, 0], vec![]] {
        let parts = vec![params(), (AttributeType::EC_POINT, Value::bytes(point))];
        assert_eq!(wrong(&object(ObjectClass::PUBLIC_KEY, KeyType::EC, parts)), invalid);
    }
    assert_eq!(wrong(&object(ObjectClass::PRIVATE_KEY, KeyType::RSA, vec![])), invalid);
    assert_eq!(wrong(&object(ObjectClass::PRIVATE_KEY, KeyType::EC_EDWARDS, vec![params()])), invalid);
    let parts = vec![params(), (AttributeType::VALUE, Value::bytes([1; 32]))];
    assert_eq!(wrong(&object(ObjectClass::PRIVATE_KEY, KeyType::EC_EDWARDS, parts)), Some(Error::CurveNotSupported));
    assert!(wrong(&secret(KeyType::AES, &bytes(17))).is_some());
    let certificate = object(ObjectClass::CERTIFICATE, KeyType::RSA, vec![]);
    assert!(matches!(certificate.material(), Ok(Material::None)));
}
