use std::sync::Arc;

use crypto::{Error as Fault, Hash, SUITE, dsa};
use types::{AttributeType, KeyType, MechanismType, Params, Value};

use crate::{
    Error,
    key::{Material, prepare::dsa_group},
    object::{Object, ObjectBuilder},
};

use super::{
    Mechanism, Parts, no_parameter,
    signature::{self, Check, Sign},
};

/// What all rows have. Sizes are those of the prime in bits.
const DSA: Mechanism = Mechanism { key_size: (1024, 3072), ..Mechanism::BLANK };

/// DSA over a message.
macro_rules! dsa {
    ($id:ident, $hash:ident) => {
        Mechanism {
            id: MechanismType::$id,
            keys: &[KeyType::DSA],
            sign: Some(|key, params| signature::sign_digested(signing(key, params)?, Hash::$hash)),
            verify: Some(|key, params| signature::check_digested(checking(key, params)?, Hash::$hash)),
            ..DSA
        }
    };
}

pub(super) static MECHANISMS: &[Mechanism] = &[
    Mechanism {
        id: MechanismType::DSA_KEY_PAIR_GEN,
        makes: Some(KeyType::DSA),
        generate_pair: Some(generate_pair),
        ..DSA
    },
    Mechanism {
        id: MechanismType::DSA,
        keys: &[KeyType::DSA],
        sign: Some(|key, params| Ok(signature::sign_whole(signing(key, params)?))),
        verify: Some(|key, params| Ok(signature::check_whole(checking(key, params)?))),
        ..DSA
    },
    dsa!(DSA_SHA1, Sha1),
    dsa!(DSA_SHA224, Sha224),
    dsa!(DSA_SHA256, Sha256),
    dsa!(DSA_SHA384, Sha384),
    dsa!(DSA_SHA512, Sha512),
];

struct Signing(Arc<dyn dsa::PrivateKey>);

fn signing(key: &Object, params: &Params) -> Result<Signing, Error> {
    no_parameter(params)?;
    match key.material()? {
        Material::DsaPrivate(key) => Ok(Signing(Arc::clone(key))),
        _ => Err(Error::KeyTypeInconsistent),
    }
}

impl Sign for Signing {
    fn signature_len(&self) -> usize {
        self.0.signature_len()
    }

    fn sign(&self, input: &[u8], output: &mut [u8]) -> Result<(), Error> {
        must_be_digest(input)?;
        Ok(self.0.sign(input, output)?)
    }
}

struct Checking(Arc<dyn dsa::PublicKey>);

fn checking(key: &Object, params: &Params) -> Result<Checking, Error> {
    no_parameter(params)?;
    match key.material()? {
        Material::DsaPublic(key) => Ok(Checking(Arc::clone(key))),
        _ => Err(Error::KeyTypeInconsistent),
    }
}

impl Check for Checking {
    fn check(&self, input: &[u8], signature: &[u8]) -> Result<(), Error> {
        must_be_digest(input)?;
        Ok(self.0.verify(input, signature)?)
    }
}

/// As long as that of one of our hashes (PKCS#11, DSA without hashing).
fn must_be_digest(input: &[u8]) -> Result<(), Error> {
    let fits = Hash::ALL.iter().any(|hash| hash.output_len() == input.len());
    if fits { Ok(()) } else { Err(Error::Crypto(Fault::InputLength)) }
}

fn generate_pair(params: &Params, public: &ObjectBuilder, _: &ObjectBuilder) -> Result<(Parts, Parts), Error> {
    no_parameter(params)?;
    let group = dsa_group(public.attributes())?;
    let pair = group.generate().map_err(|fault| match fault {
        Fault::KeyInvalid | Fault::KeySize => Error::DomainParamsInvalid,
        other => Error::Crypto(other),
    })?;
    must_work(group, &pair)?;
    let parts = |value| {
        vec![
            (AttributeType::PRIME, Value::bytes(group.p)),
            (AttributeType::SUBPRIME, Value::bytes(group.q)),
            (AttributeType::BASE, Value::bytes(group.g)),
            (AttributeType::VALUE, value),
        ]
    };
    Ok((parts(Value::bytes(pair.public)), parts(Value::Bytes(pair.private.into()))))
}

/// What one key of a pair signs, the other must accept.
fn must_work(group: dsa::Group<'_>, pair: &dsa::KeyPair) -> Result<(), Error> {
    const DIGEST: [u8; 32] = [0x5a; 32];
    let key = (SUITE.dsa_private)(group, &pair.private)?;
    let mut signature = vec![0; key.signature_len()];
    key.sign(&DIGEST, &mut signature)?;
    let check = (SUITE.dsa_public)(group, &pair.public)?;
    check.verify(&DIGEST, &signature).map_err(|_| Error::Crypto(Fault::Fault))
}
