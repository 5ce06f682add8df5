//! Types of keys: one row each, and all that tells a type from others but what its mechanisms do.
//!
//! To add one is to add a row here and a family of `mechanism`.

use ::types::{AttributeType as A, KeyType, ObjectClass as C};
use crypto::Secret;
use pkcs8::PrivateKeyInfoRef;

use super::{
    Lengths, MAX_SECRET_LEN,
    prepare::{self, Prepare},
    strength,
};
use crate::{
    Error, der,
    mechanism::Parts,
    object::{
        Attributes,
        check_value::{self, OfKey},
        parts,
        rules::{ObjectKind, groups},
    },
};

/// One type of key.
pub(crate) struct TypeOfKey {
    pub(crate) id: KeyType,
    pub(crate) keys: Keys,
    /// How hard a key of the type is to find, in bits.
    pub(crate) strength: fn(&Attributes) -> usize,
}

/// Whether keys of a type come alone or in pairs.
pub(crate) enum Keys {
    Secret { key: Half, lengths: Lengths, check_value: OfKey },
    Pair { public: Half, private: Half, encoding: Encoding },
}

/// One class of keys of a type.
pub(crate) struct Half {
    /// Which attributes its objects have.
    object: ObjectKind,
    pub(super) prepare: Prepare,
}

/// How keys of a type look outside.
pub(crate) struct Encoding {
    /// SubjectPublicKeyInfo of either key; `None` for private keys that do not say enough.
    pub(crate) public_info: fn(&Attributes) -> Result<Option<Vec<u8>>, Error>,
    /// PKCS#8 of a private key.
    pub(crate) private_info: fn(&Attributes) -> Result<Secret, Error>,
    /// What a PKCS#8 says of a private key; `None` if it is of another type.
    pub(crate) read: fn(&PrivateKeyInfoRef<'_>) -> Result<Option<Parts>, Error>,
}

const CIPHER: &[A] = &[A::ENCRYPT, A::DECRYPT, A::WRAP, A::UNWRAP, A::SIGN, A::VERIFY];
const MAC: &[A] = &[A::SIGN, A::VERIFY];

/// A secret key without an algorithm of its own.
macro_rules! bytes {
    ($id:ident) => {
        TypeOfKey {
            id: KeyType::$id,
            keys: Keys::Secret {
                key: Half {
                    object: ObjectKind::key(C::SECRET_KEY, KeyType::$id, groups::SECRET, MAC, parts::secret),
                    prepare: prepare::secret,
                },
                lengths: Lengths::UpTo(MAX_SECRET_LEN),
                check_value: check_value::of_bytes,
            },
            strength: strength::of_secret,
        }
    };
}

/// A key of a block cipher.
macro_rules! cipher {
    ($id:ident, $groups:ident, $lengths:expr, $prepare:expr, $settle:expr, $check_value:expr, $strength:expr) => {
        TypeOfKey {
            id: KeyType::$id,
            keys: Keys::Secret {
                key: Half {
                    object: ObjectKind::key(C::SECRET_KEY, KeyType::$id, groups::$groups, CIPHER, $settle),
                    prepare: $prepare,
                },
                lengths: Lengths::OneOf($lengths),
                check_value: $check_value,
            },
            strength: $strength,
        }
    };
}

/// Keys of elliptic curves: what each half can do, and how PKCS#8 is read.
macro_rules! curve {
    ($id:ident, $public:expr, $private:expr, $read:expr) => {
        TypeOfKey {
            id: KeyType::$id,
            keys: Keys::Pair {
                public: Half {
                    object: ObjectKind::key(C::PUBLIC_KEY, KeyType::$id, groups::PUBLIC_EC, $public, parts::ec_public),
                    prepare: prepare::point,
                },
                private: Half {
                    object: ObjectKind::key(
                        C::PRIVATE_KEY,
                        KeyType::$id,
                        groups::PRIVATE_EC,
                        $private,
                        parts::ec_private,
                    ),
                    prepare: prepare::scalar,
                },
                encoding: Encoding {
                    public_info: der::curve::public_info,
                    private_info: der::curve::private_info,
                    read: $read,
                },
            },
            strength: strength::of_curve,
        }
    };
}

static TYPES: &[TypeOfKey] = &[
    TypeOfKey {
        id: KeyType::RSA,
        keys: Keys::Pair {
            public: Half {
                object: ObjectKind::key(
                    C::PUBLIC_KEY,
                    KeyType::RSA,
                    groups::PUBLIC_RSA,
                    &[A::ENCRYPT, A::VERIFY, A::VERIFY_RECOVER, A::WRAP],
                    parts::rsa_public,
                ),
                prepare: prepare::rsa_public,
            },
            private: Half {
                object: ObjectKind::key(
                    C::PRIVATE_KEY,
                    KeyType::RSA,
                    groups::PRIVATE_RSA,
                    &[A::DECRYPT, A::SIGN, A::SIGN_RECOVER, A::UNWRAP],
                    parts::rsa_private,
                ),
                prepare: prepare::rsa_private,
            },
            encoding: Encoding {
                public_info: der::rsa::public_info,
                private_info: der::rsa::private_info,
                read: der::rsa::read,
            },
        },
        strength: strength::of_rsa,
    },
    curve!(EC, &[A::VERIFY], &[A::SIGN], der::curve::read),
    curve!(EC_EDWARDS, &[A::VERIFY], &[A::SIGN], der::curve::read_edwards),
    // By the specification no key derives unless somebody says so. These can do nothing else.
    curve!(EC_MONTGOMERY, &[], &[A::DERIVE], der::curve::read_montgomery),
    // As those of a Montgomery curve, these can do nothing else.
    TypeOfKey {
        id: KeyType::DH,
        keys: Keys::Pair {
            public: Half {
                object: ObjectKind::key(C::PUBLIC_KEY, KeyType::DH, groups::PUBLIC_DH, &[], parts::finite),
                prepare: prepare::dh_public,
            },
            private: Half {
                object: ObjectKind::key(
                    C::PRIVATE_KEY,
                    KeyType::DH,
                    groups::PRIVATE_DH,
                    &[A::DERIVE],
                    parts::dh_private,
                ),
                prepare: prepare::dh_private,
            },
            encoding: Encoding {
                public_info: der::dh::public_info,
                private_info: der::dh::private_info,
                read: der::dh::read,
            },
        },
        strength: strength::of_dh,
    },
    TypeOfKey {
        id: KeyType::DSA,
        keys: Keys::Pair {
            public: Half {
                object: ObjectKind::key(C::PUBLIC_KEY, KeyType::DSA, groups::PUBLIC_DSA, &[A::VERIFY], parts::finite),
                prepare: prepare::dsa_public,
            },
            private: Half {
                object: ObjectKind::key(C::PRIVATE_KEY, KeyType::DSA, groups::PRIVATE_DSA, &[A::SIGN], parts::finite),
                prepare: prepare::dsa_private,
            },
            encoding: Encoding {
                public_info: der::dsa::public_info,
                private_info: der::dsa::private_info,
                read: der::dsa::read,
            },
        },
        strength: strength::of_dsa,
    },
    cipher!(AES, SECRET, &[16, 24, 32], prepare::aes, parts::secret, check_value::of_aes, strength::of_secret),
    cipher!(DES2, SECRET_OF_ONE_LENGTH, &[16], prepare::tdes, parts::tdes, check_value::of_tdes, strength::of_tdes),
    cipher!(DES3, SECRET_OF_ONE_LENGTH, &[24], prepare::tdes, parts::tdes, check_value::of_tdes, strength::of_tdes),
    bytes!(GENERIC_SECRET),
    bytes!(SHA_1_HMAC),
    bytes!(SHA224_HMAC),
    bytes!(SHA256_HMAC),
    bytes!(SHA384_HMAC),
    bytes!(SHA512_HMAC),
];

/// The row of a type, if it is offered.
pub(crate) fn find(id: KeyType) -> Option<&'static TypeOfKey> {
    TYPES.iter().find(|row| row.id == id)
}

/// The class and type of a key; `None` for what is no key that is offered.
pub(super) fn half_of(attributes: &Attributes) -> Option<&'static Half> {
    let class = attributes.class()?;
    find(attributes.key_type()?)?.halves().into_iter().flatten().find(|half| half.object.is_of(class))
}

/// What a secret key of a type is.
pub(crate) fn secret(id: KeyType) -> Option<(Lengths, OfKey)> {
    match find(id)?.keys {
        Keys::Secret { lengths, check_value, .. } => Some((lengths, check_value)),
        Keys::Pair { .. } => None,
    }
}

/// How the pairs of a type look outside.
pub(crate) fn encoding(id: KeyType) -> Option<&'static Encoding> {
    find(id)?.encoding()
}

/// Those of all types.
pub(crate) fn encodings() -> impl Iterator<Item = (KeyType, &'static Encoding)> {
    TYPES.iter().filter_map(|row| Some((row.id, row.encoding()?)))
}

/// Which objects keys are.
pub(crate) fn object_kinds() -> impl Iterator<Item = &'static ObjectKind> {
    TYPES.iter().flat_map(|row| row.halves().into_iter().flatten()).map(|half| &half.object)
}

impl TypeOfKey {
    fn halves(&self) -> [Option<&Half>; 2] {
        match &self.keys {
            Keys::Secret { key, .. } => [Some(key), None],
            Keys::Pair { public, private, .. } => [Some(public), Some(private)],
        }
    }

    fn encoding(&self) -> Option<&Encoding> {
        match &self.keys {
            Keys::Secret { .. } => None,
            Keys::Pair { encoding, .. } => Some(encoding),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_row_and_its_halves_are_of_the_right_class() {
        for row in TYPES {
            assert!(std::ptr::eq(find(row.id).unwrap(), row), "{} has two rows", row.id);
            match &row.keys {
                Keys::Secret { key, .. } => assert!(key.object.is_of(C::SECRET_KEY), "{}", row.id),
                Keys::Pair { public, private, .. } => {
                    assert!(public.object.is_of(C::PUBLIC_KEY) && private.object.is_of(C::PRIVATE_KEY), "{}", row.id);
                }
            }
        }
    }
}
