//! What the second suite says.

use crypto::{
    Hash,
    aes::Mode,
    backends::rustcrypto::SUITE,
    dsa,
    rsa::{self, Oaep, Pss},
    tdes,
};
use types::{AttributeType, KeyType, MechanismType, Params, Shape};

use crate::{
    curve::Curve,
    mechanism::{Mechanism, digest},
    object::Object,
};

use super::{fixture::Pair, name};

fn bytes(key: &Object, name: AttributeType) -> &[u8] {
    key.attributes.bytes(name).unwrap()
}

pub(super) fn digest_of(hash: Hash, message: &[u8]) -> Vec<u8> {
    let mut digest = (SUITE.digest)(hash).unwrap();
    digest.update(message);
    let mut output = vec![0; hash.output_len()];
    digest.finish(&mut output);
    output
}

/// The hash in a mechanism's name.
pub(super) fn hash_in(row: &Mechanism) -> Option<Hash> {
    let names = [
        ("SHA1", Hash::Sha1),
        ("SHA_1", Hash::Sha1),
        ("SHA224", Hash::Sha224),
        ("SHA256", Hash::Sha256),
        ("SHA384", Hash::Sha384),
        ("SHA512", Hash::Sha512),
    ];
    names.into_iter().find(|(part, _)| name(row).contains(part)).map(|(_, hash)| hash)
}

pub(super) fn rsa_public(key: &Object) -> std::sync::Arc<dyn rsa::PublicKey> {
    (SUITE.rsa_public)(bytes(key, AttributeType::MODULUS), bytes(key, AttributeType::PUBLIC_EXPONENT)).unwrap()
}

pub(super) fn rsa_private(key: &Object) -> std::sync::Arc<dyn rsa::PrivateKey> {
    let parts = rsa::PrivateParts {
        n: bytes(key, AttributeType::MODULUS),
        e: bytes(key, AttributeType::PUBLIC_EXPONENT),
        d: bytes(key, AttributeType::PRIVATE_EXPONENT),
        crt: Some(rsa::CrtParts {
            p: bytes(key, AttributeType::PRIME_1),
            q: bytes(key, AttributeType::PRIME_2),
            dp: bytes(key, AttributeType::EXPONENT_1),
            dq: bytes(key, AttributeType::EXPONENT_2),
            qinv: bytes(key, AttributeType::COEFFICIENT),
        }),
    };
    (SUITE.rsa_private)(parts).unwrap()
}

/// Checks a signature or a code that a row made.
pub(super) fn check_signature(row: &Mechanism, params: &Params, keys: &Pair, message: &[u8], signature: &[u8]) {
    let name = name(row);
    let digest = hash_in(row).map(|hash| digest_of(hash, message));
    match keys.public.attributes.key_type().unwrap() {
        KeyType::RSA => {
            let key = rsa_public(&keys.public);
            match (params, hash_in(row)) {
                (Params::Pss { hash, salt_len, .. }, _) => {
                    let hash = digest::hash(*hash).unwrap();
                    let salt_len = usize::try_from(*salt_len).unwrap();
                    let pss = Pss { hash, mgf: Hash::Sha1, salt_len };
                    key.verify_pss(pss, digest.as_deref().unwrap_or(message), signature).unwrap();
                }
                (_, Some(hash)) => {
                    let info = [hash.digest_info_prefix(), &digest.unwrap()].concat();
                    key.verify_pkcs1(&info, signature).unwrap();
                }
                (_, None) if row.id == MechanismType::RSA_X_509 => {
                    assert_eq!(rsa_private(&keys.private).raw(message).unwrap().as_slice(), signature, "{name}");
                }
                (_, None) => key.verify_pkcs1(message, signature).unwrap(),
            }
        }
        KeyType::EC => {
            let Ok(Curve::Weierstrass(curve)) = Curve::of(bytes(&keys.public, AttributeType::EC_PARAMS)) else {
                panic!("{name}: not such a curve");
            };
            let point = Curve::Weierstrass(curve).point(bytes(&keys.public, AttributeType::EC_POINT)).unwrap();
            let key = (SUITE.ec_public)(curve, point).unwrap();
            key.verify(digest.as_deref().unwrap_or(message), signature).unwrap();
        }
        KeyType::DSA => {
            let number = |name| bytes(&keys.public, name);
            let (p, q, g) =
                (number(AttributeType::PRIME), number(AttributeType::SUBPRIME), number(AttributeType::BASE));
            let key = (SUITE.dsa_public)(dsa::Group { p, q, g }, number(AttributeType::VALUE)).unwrap();
            key.verify(digest.as_deref().unwrap_or(message), signature).unwrap();
        }
        KeyType::EC_EDWARDS => {
            let seed = bytes(&keys.private, AttributeType::VALUE);
            let key = (SUITE.edwards_private)(crypto::edwards::Curve::Ed25519, seed).unwrap();
            assert_eq!(key.sign(message).unwrap(), signature, "{name}");
        }
        KeyType::DES2 | KeyType::DES3 => {
            let key = (SUITE.tdes)(bytes(&keys.private, AttributeType::VALUE)).unwrap().cmac();
            check_code(&*key, message, signature, name);
        }
        KeyType::AES => {
            let key = (SUITE.aes)(bytes(&keys.private, AttributeType::VALUE)).unwrap().cmac();
            check_code(&*key, message, signature, name);
        }
        _ => {
            let key = (SUITE.hmac)(hash_in(row).unwrap(), bytes(&keys.private, AttributeType::VALUE)).unwrap();
            check_code(&*key, message, signature, name);
        }
    }
}

fn check_code(key: &dyn crypto::mac::MacKey, message: &[u8], code: &[u8], name: &str) {
    let mut whole = vec![0; key.output_len()];
    key.once(message, &mut whole);
    assert!(whole.starts_with(code), "{name}");
}

/// The ciphertext of a message, where there is only one.
pub(super) fn encrypted(row: &Mechanism, params: &Params, key: &Object, message: &[u8]) -> Option<Vec<u8>> {
    if row.shape == Shape::Oaep || row.id == MechanismType::RSA_PKCS {
        return None;
    }
    if row.id == MechanismType::RSA_X_509 {
        return Some(rsa_public(key).raw(message).unwrap());
    }
    if row.keys.contains(&KeyType::DES3) {
        let key = (SUITE.tdes)(bytes(key, AttributeType::VALUE)).unwrap();
        let mode = match (params, row.id) {
            (Params::Iv(iv), MechanismType::DES3_CBC) => tdes::Mode::Cbc { iv: iv.as_slice().try_into().unwrap() },
            (Params::Iv(iv), _) => tdes::Mode::CbcPad { iv: iv.as_slice().try_into().unwrap() },
            _ => tdes::Mode::Ecb,
        };
        let mut cipher = key.encryptor(mode);
        let mut output = vec![0; cipher.once_len(message.len())];
        let len = cipher.once(message, &mut output).unwrap();
        output.truncate(len);
        return Some(output);
    }
    let aes = (SUITE.aes)(bytes(key, AttributeType::VALUE)).unwrap();
    let mode = match (params, row.id) {
        (Params::None, MechanismType::AES_ECB) => Mode::Ecb,
        (Params::Iv(iv), MechanismType::AES_CBC) => Mode::Cbc { iv: iv.as_slice().try_into().unwrap() },
        (Params::Iv(iv), MechanismType::AES_CBC_PAD) => Mode::CbcPad { iv: iv.as_slice().try_into().unwrap() },
        (Params::Ctr { counter_bits, block }, _) => {
            Mode::Ctr { block, counter_bits: u32::try_from(*counter_bits).unwrap() }
        }
        (Params::Context(_), _) => return None,
        (Params::Gcm { iv, aad, tag_bits }, _) => {
            Mode::Gcm { iv, aad, tag_len: usize::try_from(*tag_bits).unwrap() / 8 }
        }
        (_, MechanismType::AES_KEY_WRAP) => {
            return Some(aes.wrap(crypto::aes::KeyWrap::Kw(crypto::aes::KeyWrap::KW_IV), message).unwrap());
        }
        _ => return Some(aes.wrap(crypto::aes::KeyWrap::Kwp(crypto::aes::KeyWrap::KWP_IV), message).unwrap()),
    };
    let mut cipher = aes.encryptor(mode).unwrap();
    let mut output = vec![0; cipher.once_len(message.len())];
    let len = cipher.once(message, &mut output).unwrap();
    output.truncate(len);
    Some(output)
}

/// The message of a ciphertext that differs each time.
pub(super) fn decrypted(params: &Params, key: &Object, ciphertext: &[u8]) -> Vec<u8> {
    if let Params::Context(context) = params {
        return enveloped(context, key, ciphertext);
    }
    let key = rsa_private(key);
    match params {
        Params::Oaep { hash, label, .. } => {
            let oaep = Oaep { hash: digest::hash(*hash).unwrap(), mgf: Hash::Sha1, label };
            key.decrypt_oaep(oaep, ciphertext).unwrap().to_vec()
        }
        _ => key.decrypt_pkcs1(ciphertext).unwrap().to_vec(),
    }
}

/// What is in the envelope of a key without an id, cut apart at fixed places.
fn enveloped(context: &[u8], key: &Object, blob: &[u8]) -> Vec<u8> {
    let (header, rest) = blob.split_at(7);
    assert_eq!(header, b"SRB\x01\x01\x01\0");
    let (len, wrapped) = rest.split_at(2);
    assert_eq!(len, u16::try_from(wrapped.len()).unwrap().to_be_bytes());
    let (iv, sealed) = wrapped.split_at(12);
    let aes = (SUITE.aes)(bytes(key, AttributeType::VALUE)).unwrap();
    let aad = [header, context].concat();
    let mut cipher = aes.decryptor(Mode::Gcm { iv, aad: &aad, tag_len: 16 }).unwrap();
    let mut output = vec![0; cipher.once_len(sealed.len())];
    let len = cipher.once(sealed, &mut output).unwrap();
    output.truncate(len);
    output
}

/// The raw shared secret of two key pairs.
pub(super) fn agreed(private: &Object, public: &Object) -> Vec<u8> {
    let value = bytes(private, AttributeType::VALUE);
    let curve = Curve::of(bytes(private, AttributeType::EC_PARAMS)).unwrap();
    let point = curve.point(bytes(public, AttributeType::EC_POINT)).unwrap();
    match curve {
        Curve::Weierstrass(curve) => (SUITE.ec_private)(curve, value).unwrap().agree(point).unwrap().to_vec(),
        Curve::Montgomery(curve) => (SUITE.montgomery_private)(curve, value).unwrap().agree(point).unwrap().to_vec(),
        Curve::Edwards(_) => panic!("nothing is agreed on an Edwards curve"),
    }
}

/// The shared secret of a Diffie-Hellman key and a public value.
pub(super) fn agreed_modulo_a_prime(private: &Object, public: &[u8]) -> Vec<u8> {
    let number = |name| bytes(private, name);
    (SUITE.power)(number(AttributeType::PRIME), public, number(AttributeType::VALUE)).unwrap().to_vec()
}

/// The key derivation function of ANSI X9.63, written out again.
pub(super) fn x963(hash: Hash, secret: &[u8], shared: &[u8], len: usize) -> Vec<u8> {
    let blocks = (1_u32..).map(|counter| digest_of(hash, &[secret, &counter.to_be_bytes(), shared].concat()));
    blocks.flatten().take(len).collect()
}
