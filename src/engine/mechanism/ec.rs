use std::sync::Arc;

use crypto::{Error as Fault, Hash, SUITE, Secret, digest::MAX_OUTPUT_LEN, ec, edwards, montgomery, room};
use types::{AttributeType, Kdf, KeyType, MechanismType, Params, Shape, Value};
use zeroize::Zeroizing;

use crate::{
    Error,
    curve::Curve,
    key::Material,
    object::{Object, ObjectBuilder},
};

use super::{
    Mechanism, Parts, Signing, Verifying, no_parameter, put, secret,
    signature::{self, Check, Sign},
};

/// Prime fields; curves by identifier and by name; points uncompressed and compressed (`CKF_EC_F_P`,
/// `CKF_EC_OID`, `CKF_EC_CURVENAME`, `CKF_EC_UNCOMPRESS`, `CKF_EC_COMPRESS`).
const TRAITS: u64 = 0x0010_0000 | 0x0080_0000 | 0x0400_0000 | 0x0100_0000 | 0x0200_0000;

/// What all rows have. Sizes are those of the field in bits.
const WEIERSTRASS: Mechanism = Mechanism { key_size: (224, 521), traits: TRAITS, ..Mechanism::BLANK };
const EDWARDS: Mechanism = Mechanism { key_size: (255, 255), traits: TRAITS, ..Mechanism::BLANK };
const MONTGOMERY: Mechanism = Mechanism { key_size: (255, 255), traits: TRAITS, ..Mechanism::BLANK };

/// ECDSA over a message.
macro_rules! ecdsa {
    ($id:ident, $hash:ident) => {
        Mechanism {
            id: MechanismType::$id,
            keys: &[KeyType::EC],
            sign: Some(|key, params| signature::sign_digested(ecdsa_signing(key, params)?, Hash::$hash)),
            verify: Some(|key, params| signature::check_digested(ecdsa_checking(key, params)?, Hash::$hash)),
            ..WEIERSTRASS
        }
    };
}

pub(super) static MECHANISMS: &[Mechanism] = &[
    Mechanism {
        id: MechanismType::EC_KEY_PAIR_GEN,
        makes: Some(KeyType::EC),
        generate_pair: Some(|params, public, _| generate_pair(params, public, KeyType::EC)),
        ..WEIERSTRASS
    },
    Mechanism {
        id: MechanismType::ECDSA,
        keys: &[KeyType::EC],
        sign: Some(|key, params| Ok(signature::sign_whole(ecdsa_signing(key, params)?))),
        verify: Some(|key, params| Ok(signature::check_whole(ecdsa_checking(key, params)?))),
        ..WEIERSTRASS
    },
    ecdsa!(ECDSA_SHA1, Sha1),
    ecdsa!(ECDSA_SHA224, Sha224),
    ecdsa!(ECDSA_SHA256, Sha256),
    ecdsa!(ECDSA_SHA384, Sha384),
    ecdsa!(ECDSA_SHA512, Sha512),
    Mechanism {
        id: MechanismType::ECDH1_DERIVE,
        shape: Shape::Ecdh,
        keys: &[KeyType::EC, KeyType::EC_MONTGOMERY],
        derive: Some(derive),
        ..WEIERSTRASS
    },
    // All of our curves with a point format have the cofactor 1, so it is the same here.
    Mechanism {
        id: MechanismType::ECDH1_COFACTOR_DERIVE,
        shape: Shape::Ecdh,
        keys: &[KeyType::EC],
        derive: Some(derive),
        ..WEIERSTRASS
    },
    Mechanism {
        id: MechanismType::EC_EDWARDS_KEY_PAIR_GEN,
        makes: Some(KeyType::EC_EDWARDS),
        generate_pair: Some(|params, public, _| generate_pair(params, public, KeyType::EC_EDWARDS)),
        ..EDWARDS
    },
    Mechanism {
        id: MechanismType::EDDSA,
        shape: Shape::OptionalEddsa,
        keys: &[KeyType::EC_EDWARDS],
        sign: Some(eddsa_sign),
        verify: Some(eddsa_verify),
        ..EDWARDS
    },
    Mechanism {
        id: MechanismType::EC_MONTGOMERY_KEY_PAIR_GEN,
        makes: Some(KeyType::EC_MONTGOMERY),
        generate_pair: Some(|params, public, _| generate_pair(params, public, KeyType::EC_MONTGOMERY)),
        ..MONTGOMERY
    },
];

/// What ECDSA takes as a digest is not longer than this (PKCS#11, ECDSA without hashing). A caller who
/// gives more has most likely given a message, of which only the beginning would be signed.
const MAX_DIGEST_LEN: usize = 128;

struct EcdsaSigning {
    curve: ec::Curve,
    key: Arc<dyn ec::PrivateKey>,
}

fn ecdsa_signing(key: &Object, params: &Params) -> Result<EcdsaSigning, Error> {
    no_parameter(params)?;
    match key.material()? {
        Material::EcPrivate(curve, key) => Ok(EcdsaSigning { curve: *curve, key: Arc::clone(key) }),
        _ => Err(Error::KeyTypeInconsistent),
    }
}

impl Sign for EcdsaSigning {
    fn signature_len(&self) -> usize {
        2 * self.curve.field_len()
    }

    fn sign(&self, input: &[u8], output: &mut [u8]) -> Result<(), Error> {
        must_be_digest(input)?;
        if self.key.sign(input, output)? == output.len() { Ok(()) } else { Err(Error::Crypto(Fault::Fault)) }
    }
}

struct EcdsaChecking {
    curve: ec::Curve,
    key: Arc<dyn ec::PublicKey>,
}

fn ecdsa_checking(key: &Object, params: &Params) -> Result<EcdsaChecking, Error> {
    no_parameter(params)?;
    match key.material()? {
        Material::EcPublic(curve, key) => Ok(EcdsaChecking { curve: *curve, key: Arc::clone(key) }),
        _ => Err(Error::KeyTypeInconsistent),
    }
}

impl Check for EcdsaChecking {
    /// The halves may lack leading zeros, both as many (PKCS#11, EC Signatures).
    fn check(&self, input: &[u8], signature: &[u8]) -> Result<(), Error> {
        must_be_digest(input)?;
        let full = self.curve.field_len();
        let half = signature.len() / 2;
        if half == 0 || half > full || signature.len() != 2 * half {
            return Err(Error::Crypto(Fault::SignatureLength));
        }
        if half == full {
            return Ok(self.key.verify(input, signature)?);
        }
        let zeros = vec![0; full - half];
        let (r, s) = signature.split_at_checked(half).unwrap_or_default();
        Ok(self.key.verify(input, &[&zeros, r, &zeros, s].concat())?)
    }
}

fn must_be_digest(input: &[u8]) -> Result<(), Error> {
    if input.len() <= MAX_DIGEST_LEN { Ok(()) } else { Err(Error::Crypto(Fault::InputLength)) }
}

struct EddsaSigning {
    curve: edwards::Curve,
    key: Arc<dyn edwards::PrivateKey>,
}

fn eddsa_sign(key: &Object, params: &Params) -> Result<Signing, Error> {
    must_be_pure(params)?;
    match key.material()? {
        Material::EdwardsPrivate(curve, key) => {
            Ok(signature::sign_collected(EddsaSigning { curve: *curve, key: Arc::clone(key) }))
        }
        _ => Err(Error::KeyTypeInconsistent),
    }
}

impl Sign for EddsaSigning {
    fn signature_len(&self) -> usize {
        self.curve.signature_len()
    }

    fn sign(&self, input: &[u8], output: &mut [u8]) -> Result<(), Error> {
        put(output, &self.key.sign(input)?)
    }
}

struct EddsaChecking {
    curve: edwards::Curve,
    key: Arc<dyn edwards::PublicKey>,
}

fn eddsa_verify(key: &Object, params: &Params) -> Result<Verifying, Error> {
    must_be_pure(params)?;
    match key.material()? {
        Material::EdwardsPublic(curve, key) => {
            Ok(signature::check_collected(EddsaChecking { curve: *curve, key: Arc::clone(key) }))
        }
        _ => Err(Error::KeyTypeInconsistent),
    }
}

impl Check for EddsaChecking {
    fn check(&self, input: &[u8], signature: &[u8]) -> Result<(), Error> {
        if signature.len() != self.curve.signature_len() {
            return Err(Error::Crypto(Fault::SignatureLength));
        }
        Ok(self.key.verify(input, signature)?)
    }
}

/// Ed25519 has no parameter. With one, it is Ed25519ctx or Ed25519ph (RFC 8032), whose signatures are others.
fn must_be_pure(params: &Params) -> Result<(), Error> {
    match params {
        Params::None => Ok(()),
        _ => Err(Error::MechanismParamInvalid),
    }
}

const KDFS: [(Kdf, Hash); 5] = [
    (Kdf::SHA1_KDF, Hash::Sha1),
    (Kdf::SHA224_KDF, Hash::Sha224),
    (Kdf::SHA256_KDF, Hash::Sha256),
    (Kdf::SHA384_KDF, Hash::Sha384),
    (Kdf::SHA512_KDF, Hash::Sha512),
];

/// The bytes of the key that the builder describes, from a shared secret.
fn derive(key: &Object, params: &Params, builder: &ObjectBuilder) -> Result<Secret, Error> {
    let Params::Ecdh { kdf, shared, public } = params else { return Err(Error::MechanismParamInvalid) };
    let hash = match KDFS.iter().find(|(known, _)| known == kdf) {
        Some((_, hash)) => Some(*hash),
        // Nothing takes the data that both sides share.
        None if *kdf == Kdf::NULL && shared.is_empty() => None,
        None => return Err(Error::MechanismParamInvalid),
    };
    let template = builder.attributes();
    let lengths = secret::lengths_of(template)?;
    let wanted = lengths.wanted(template)?;
    let secret = agree(key, public)?;
    match (hash, wanted) {
        (Some(hash), Some(len)) => expand(hash, &secret, shared, len),
        (None, wanted) => secret::of_agreed(secret, lengths, wanted),
        // A KDF gives any length.
        (Some(_), None) => Err(Error::TemplateIncomplete(AttributeType::VALUE_LEN)),
    }
}

/// The raw shared secret.
fn agree(key: &Object, public: &[u8]) -> Result<Secret, Error> {
    let peer = |curve: Curve| curve.point(public).ok_or(Error::Crypto(Fault::PeerInvalid));
    match key.material()? {
        Material::EcPrivate(curve, key) => Ok(key.agree(peer(Curve::Weierstrass(*curve))?)?),
        Material::MontgomeryPrivate(curve, key) => Ok(key.agree(peer(Curve::Montgomery(*curve))?)?),
        _ => Err(Error::KeyTypeInconsistent),
    }
}

/// The key derivation function of ANSI X9.63 (SEC 1, 3.6.1).
fn expand(hash: Hash, secret: &[u8], shared: &[u8], len: usize) -> Result<Secret, Error> {
    let mut output = room::zeros(len)?;
    let mut digest = (SUITE.digest)(hash)?;
    let mut block = Zeroizing::new([0; MAX_OUTPUT_LEN]);
    for (counter, chunk) in (1_u32..).zip(output.chunks_mut(hash.output_len())) {
        digest.update(secret);
        digest.update(&counter.to_be_bytes());
        digest.update(shared);
        digest.finish(&mut *block);
        chunk.copy_from_slice(block.get(..chunk.len()).unwrap_or_default());
    }
    Ok(output)
}

fn generate_pair(params: &Params, public: &ObjectBuilder, key_type: KeyType) -> Result<(Parts, Parts), Error> {
    no_parameter(params)?;
    let ec_params = AttributeType::EC_PARAMS;
    let named = public.attributes().bytes(ec_params).ok_or(Error::TemplateIncomplete(ec_params))?;
    let curve = Curve::of(named)?;
    if curve.key_type() != key_type {
        return Err(Error::CurveNotSupported);
    }
    let (value, point) = match curve {
        Curve::Weierstrass(curve) => {
            let pair = (SUITE.ec_generate)(curve)?;
            (pair.scalar, pair.point)
        }
        Curve::Edwards(curve) => {
            let pair = (SUITE.edwards_generate)(curve)?;
            (pair.seed, pair.public)
        }
        Curve::Montgomery(curve) => {
            let pair = (SUITE.montgomery_generate)(curve)?;
            (pair.scalar, pair.public)
        }
    };
    must_work(curve, &value, &point).map_err(|_| Error::Crypto(Fault::Fault))?;
    let point = curve.encode_point(&point).ok_or(Error::Crypto(Fault::Fault))?;
    let public = vec![(ec_params, Value::bytes(named)), (AttributeType::EC_POINT, Value::bytes(point))];
    let private = vec![(ec_params, Value::bytes(named)), (AttributeType::VALUE, Value::Bytes(value.into()))];
    Ok((public, private))
}

/// What one key of a pair signs, the other must accept; and where nothing can be signed, both sides of an
/// agreement must come to the same.
fn must_work(curve: Curve, value: &[u8], point: &[u8]) -> Result<(), Fault> {
    const DIGEST: [u8; 32] = [0x5a; 32];
    match curve {
        Curve::Weierstrass(curve) => {
            let mut signature = vec![0; 2 * curve.field_len()];
            (SUITE.ec_private)(curve, value)?.sign(&DIGEST, &mut signature)?;
            (SUITE.ec_public)(curve, point)?.verify(&DIGEST, &signature)
        }
        Curve::Edwards(curve) => {
            let signature = (SUITE.edwards_private)(curve, value)?.sign(&DIGEST)?;
            (SUITE.edwards_public)(curve, point)?.verify(&DIGEST, &signature)
        }
        Curve::Montgomery(curve) => both_ways(curve, value, point),
    }
}

fn both_ways(curve: montgomery::Curve, value: &[u8], point: &[u8]) -> Result<(), Fault> {
    let other = (SUITE.montgomery_generate)(curve)?;
    let here = (SUITE.montgomery_private)(curve, value)?.agree(&other.public)?;
    let there = (SUITE.montgomery_private)(curve, &other.scalar)?.agree(point)?;
    if here == there { Ok(()) } else { Err(Fault::Fault) }
}
