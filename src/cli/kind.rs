//! Kinds of keys and uses of keys, by the names that people have for them.

use std::str::FromStr;

use engine::View;
use types::{AttributeType as A, KeyType, Mechanism, MechanismType as M, ObjectClass, Params, Template, Value};

use crate::fault::Fault;

/// How a key is made.
#[derive(Clone, Copy)]
pub(crate) enum Recipe {
    /// An RSA pair with a modulus of so many bits.
    Rsa(u64),
    /// A pair on the curve with these parameters (CKA_EC_PARAMS).
    Curve(M, &'static [u8]),
    /// A secret key of so many bytes.
    Secret(M, u64),
}

/// A kind of key.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) recipe: Recipe,
    /// What it can be made for: of a secret key, or of the public and the private half of a pair.
    public: &'static [Use],
    private: &'static [Use],
}

/// A use of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Sign,
    Verify,
    Encrypt,
    Decrypt,
    Wrap,
    Unwrap,
    Derive,
}

const USES: [(&str, Use, A); 7] = [
    ("sign", Use::Sign, A::SIGN),
    ("verify", Use::Verify, A::VERIFY),
    ("encrypt", Use::Encrypt, A::ENCRYPT),
    ("decrypt", Use::Decrypt, A::DECRYPT),
    ("wrap", Use::Wrap, A::WRAP),
    ("unwrap", Use::Unwrap, A::UNWRAP),
    ("derive", Use::Derive, A::DERIVE),
];

impl FromStr for Use {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = USES.iter().find(|(name, ..)| *name == text);
        let all = || USES.map(|(name, ..)| name).join(", ");
        known.map(|(_, use_, _)| *use_).ok_or_else(|| format!("a key can {}", all()))
    }
}

/// The uses that a key has, in words.
pub(crate) fn uses(has: impl Fn(A) -> bool) -> Vec<&'static str> {
    USES.iter().filter(|(_, _, attribute)| has(*attribute)).map(|(name, ..)| *name).collect()
}

const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x22];
const P521: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x23];
const SECP256K1: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x0a];
const ED25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];
const X25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x6e];

/// The names of curves that have one, as a PrintableString (PKCS#11, "Edwards elliptic curve public key objects").
const NAMES: [(&[u8], &[u8]); 2] = [(ED25519, b"\x13\x0cedwards25519"), (X25519, b"\x13\x0acurve25519")];

const RSA_PUBLIC: &[Use] = &[Use::Verify, Use::Encrypt, Use::Wrap];
const RSA_PRIVATE: &[Use] = &[Use::Sign, Use::Decrypt, Use::Unwrap];
const CIPHER: &[Use] = &[Use::Encrypt, Use::Decrypt, Use::Wrap, Use::Unwrap, Use::Sign, Use::Verify];
const MAC: &[Use] = &[Use::Sign, Use::Verify];

const fn rsa(name: &'static str, bits: u64) -> Kind {
    Kind { name, recipe: Recipe::Rsa(bits), public: RSA_PUBLIC, private: RSA_PRIVATE }
}

const fn curve(name: &'static str, params: &'static [u8]) -> Kind {
    let recipe = Recipe::Curve(M::EC_KEY_PAIR_GEN, params);
    Kind { name, recipe, public: &[Use::Verify], private: &[Use::Sign, Use::Derive] }
}

const fn secret(name: &'static str, id: M, len: u64, uses: &'static [Use]) -> Kind {
    Kind { name, recipe: Recipe::Secret(id, len), public: &[], private: uses }
}

const KINDS: &[Kind] = &[
    rsa("rsa-2048", 2048),
    rsa("rsa-3072", 3072),
    rsa("rsa-4096", 4096),
    curve("p256", P256),
    curve("p384", P384),
    curve("p521", P521),
    curve("secp256k1", SECP256K1),
    Kind {
        name: "ed25519",
        recipe: Recipe::Curve(M::EC_EDWARDS_KEY_PAIR_GEN, ED25519),
        public: &[Use::Verify],
        private: &[Use::Sign],
    },
    Kind {
        name: "x25519",
        recipe: Recipe::Curve(M::EC_MONTGOMERY_KEY_PAIR_GEN, X25519),
        public: &[],
        private: &[Use::Derive],
    },
    secret("aes-128", M::AES_KEY_GEN, 16, CIPHER),
    secret("aes-192", M::AES_KEY_GEN, 24, CIPHER),
    secret("aes-256", M::AES_KEY_GEN, 32, CIPHER),
    secret("hmac-sha256", M::SHA256_KEY_GEN, 32, MAC),
    secret("hmac-sha384", M::SHA384_KEY_GEN, 48, MAC),
    secret("hmac-sha512", M::SHA512_KEY_GEN, 64, MAC),
    secret("secret-256", M::GENERIC_SECRET_KEY_GEN, 32, MAC),
];

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = || KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        KINDS.iter().find(|kind| kind.name == text).copied().ok_or_else(|| format!("kinds of keys are {}", all()))
    }
}

impl Kind {
    /// What makes it.
    pub(crate) fn mechanism(&self) -> Mechanism {
        let id = match self.recipe {
            Recipe::Rsa(_) => M::RSA_PKCS_KEY_PAIR_GEN,
            Recipe::Curve(id, _) | Recipe::Secret(id, _) => id,
        };
        Mechanism { id, params: Params::None }
    }

    /// The template of the public half with the parameters of the pair; of a secret key, with its length.
    pub(crate) fn parameters(&self) -> Template {
        match self.recipe {
            Recipe::Rsa(bits) => vec![(A::MODULUS_BITS, Value::Number(bits))],
            Recipe::Curve(_, params) => vec![(A::EC_PARAMS, Value::bytes(params))],
            Recipe::Secret(_, len) => vec![(A::VALUE_LEN, Value::Number(len))],
        }
    }

    /// Flags for what the key is made for, of the public half and of the other, which is all of a secret key. Nothing is
    /// said if nothing was asked for.
    ///
    /// # Errors
    /// In words, for a use that such a key does not have.
    pub(crate) fn flags(&self, asked: &[Use]) -> Result<(Template, Template), String> {
        if let Some(strange) = asked.iter().find(|asked| !self.public.contains(asked) && !self.private.contains(asked))
        {
            let name = USES.iter().find(|(_, known, _)| known == strange).map_or("do that", |(name, ..)| name);
            return Err(format!("a key of kind {} cannot {name}", self.name));
        }
        let flags = |able: &[Use]| -> Template {
            let of_this = USES.iter().filter(|(_, use_, _)| able.contains(use_) && !asked.is_empty());
            of_this.map(|(_, use_, attribute)| (*attribute, Value::Flag(asked.contains(use_)))).collect()
        };
        Ok((flags(self.public), flags(self.private)))
    }
}

/// A kind of pair of this type, for what such keys can do.
pub(crate) fn like(key_type: KeyType) -> Result<&'static Kind, Fault> {
    let found = KINDS.iter().find(|kind| kind.pair_type() == Some(key_type));
    found.ok_or_else(|| Fault::Usage(format!("keys of type {key_type} are not offered")))
}

impl Kind {
    fn pair_type(&self) -> Option<KeyType> {
        match self.recipe {
            Recipe::Rsa(_) => Some(KeyType::RSA),
            Recipe::Curve(M::EC_KEY_PAIR_GEN, _) => Some(KeyType::EC),
            Recipe::Curve(M::EC_EDWARDS_KEY_PAIR_GEN, _) => Some(KeyType::EC_EDWARDS),
            Recipe::Curve(..) => Some(KeyType::EC_MONTGOMERY),
            Recipe::Secret(..) => None,
        }
    }

    /// How many bytes a secret key of this kind has.
    pub(crate) fn secret_len(&self) -> Option<usize> {
        match self.recipe {
            Recipe::Secret(_, len) => usize::try_from(len).ok(),
            Recipe::Rsa(_) | Recipe::Curve(..) => None,
        }
    }

    /// Class and type of the secret key, or of the private half.
    pub(crate) fn class_and_type(&self) -> Template {
        let (class, key_type) = match self.recipe {
            Recipe::Secret(id, _) => (ObjectClass::SECRET_KEY, secret_type(id)),
            Recipe::Rsa(_) | Recipe::Curve(..) => (ObjectClass::PRIVATE_KEY, self.pair_type()),
        };
        let key_type = key_type.map(|key_type| (A::KEY_TYPE, Value::Number(key_type.0)));
        [(A::CLASS, Value::Number(class.0))].into_iter().chain(key_type).collect()
    }
}

/// What an object that is a key is called.
pub(crate) fn of(object: &View) -> String {
    let number = |name| object.attribute(name).ok().and_then(Value::as_number);
    let bytes = |name| object.attribute(name).ok().and_then(Value::as_bytes).unwrap_or_default();
    let modulus = Some(bytes(A::MODULUS).len() as u64 * 8).filter(|bits| *bits > 0);
    name_of(number(A::KEY_TYPE).map(KeyType), number(A::VALUE_LEN), modulus, bytes(A::EC_PARAMS))
}

/// What a key is called: its kind as far as its attributes tell.
fn name_of(key_type: Option<KeyType>, len: Option<u64>, bits: Option<u64>, params: &[u8]) -> String {
    let fits = |kind: &&Kind| match kind.recipe {
        Recipe::Rsa(known) => key_type == Some(KeyType::RSA) && bits == Some(known),
        // Curves of newer forms have names too (CKA_EC_PARAMS as a PrintableString).
        Recipe::Curve(_, known) => !params.is_empty() && (known == params || NAMES.contains(&(known, params))),
        Recipe::Secret(id, known) => len == Some(known) && secret_type(id) == key_type,
    };
    match (KINDS.iter().find(fits), key_type, bits, len) {
        (Some(kind), ..) => kind.name.to_owned(),
        (None, Some(KeyType::RSA), Some(bits), _) => format!("rsa-{bits}"),
        (None, Some(key_type), _, Some(len)) => format!("{key_type} of {len} bytes"),
        (None, Some(key_type), ..) => key_type.to_string(),
        (None, None, ..) => "unknown".to_owned(),
    }
}

fn secret_type(id: M) -> Option<KeyType> {
    match id {
        M::AES_KEY_GEN => Some(KeyType::AES),
        M::SHA256_KEY_GEN => Some(KeyType::SHA256_HMAC),
        M::SHA384_KEY_GEN => Some(KeyType::SHA384_HMAC),
        M::SHA512_KEY_GEN => Some(KeyType::SHA512_HMAC),
        M::GENERIC_SECRET_KEY_GEN => Some(KeyType::GENERIC_SECRET),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_called_the_same_by_its_number_and_by_its_name() {
        for (key_type, params) in [(KeyType::EC_EDWARDS, ED25519), (KeyType::EC_EDWARDS, b"\x13\x0cedwards25519")] {
            assert_eq!(name_of(Some(key_type), None, None, params), "ed25519");
        }
        assert_eq!(name_of(Some(KeyType::EC_MONTGOMERY), None, None, b"\x13\x0acurve25519"), "x25519");
    }
}
