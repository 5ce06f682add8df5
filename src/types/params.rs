use crate::MechanismType;

/// A mechanism with its parameters, owned (`CK_MECHANISM`).
#[derive(Clone)]
pub struct Mechanism {
    /// Which one.
    pub id: MechanismType,
    /// With what.
    pub params: Params,
}

/// What kind of parameter a mechanism takes, and so how `abi` reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// None at all.
    None,
    /// Exactly so many bytes: an initialisation vector.
    Iv(usize),
    /// None, or exactly so many bytes.
    OptionalIv(usize),
    /// A `CK_MAC_GENERAL_PARAMS`.
    OutputLength,
    /// A `CK_AES_CTR_PARAMS`.
    Ctr,
    /// A `CK_GCM_PARAMS`, in the layout with `ulIvBits` or the one without.
    Gcm,
    /// A `CK_RSA_PKCS_PSS_PARAMS`.
    Pss,
    /// A `CK_RSA_PKCS_OAEP_PARAMS`.
    Oaep,
    /// A `CK_ECDH1_DERIVE_PARAMS`.
    Ecdh,
    /// None, or a `CK_EDDSA_PARAMS`.
    OptionalEddsa,
    /// A `CK_RSA_AES_KEY_WRAP_PARAMS`.
    RsaAesWrap,
    /// The peer's public value, a number of any length.
    PublicValue,
    /// None, or an encryption context: bytes, 65,536 at most.
    Context,
}

/// The parameters of a mechanism. Nothing is checked yet but that they could be read.
#[derive(Clone)]
pub enum Params {
    /// None.
    None,
    /// An initialisation vector.
    Iv(Vec<u8>),
    /// Length of a MAC in bytes.
    OutputLength(u64),
    /// Counter mode.
    Ctr {
        /// How many low bits of the block count.
        counter_bits: u64,
        /// The first block.
        block: [u8; 16],
    },
    /// Galois/counter mode.
    Gcm {
        /// The nonce.
        iv: Vec<u8>,
        /// What is authenticated but not encrypted.
        aad: Vec<u8>,
        /// Length of the tag in bits.
        tag_bits: u64,
    },
    /// RSA-PSS.
    Pss {
        /// The hash, as a digest mechanism.
        hash: MechanismType,
        /// The mask generation function.
        mgf: Mgf,
        /// Length of the salt in bytes.
        salt_len: u64,
    },
    /// RSA-OAEP.
    Oaep {
        /// The hash, as a digest mechanism.
        hash: MechanismType,
        /// The mask generation function.
        mgf: Mgf,
        /// The label (encoding parameter).
        label: Vec<u8>,
    },
    /// Elliptic curve Diffie-Hellman.
    Ecdh {
        /// What is made of the shared secret.
        kdf: Kdf,
        /// Data that both sides put into the KDF.
        shared: Vec<u8>,
        /// The peer's public key: a point, or its DER.
        public: Vec<u8>,
    },
    /// EdDSA.
    Eddsa {
        /// Whether the message is hashed first.
        prehash: bool,
        /// The context.
        context: Vec<u8>,
    },
    /// Diffie-Hellman: the peer's public value.
    PublicValue(Vec<u8>),
    /// An encryption context.
    Context(Vec<u8>),
    /// A key wrapped by an AES key that is wrapped by RSA-OAEP.
    RsaAesWrap {
        /// Size of the AES key in bits.
        aes_bits: u64,
        /// Hash of the OAEP.
        hash: MechanismType,
        /// Mask generation function of the OAEP.
        mgf: Mgf,
        /// Label of the OAEP.
        label: Vec<u8>,
    },
}

pub use kdf::Kdf;
pub use mgf::Mgf;

mod mgf {
    use crate::number::numbers;

    numbers! {
        /// A mask generation function (`CK_RSA_PKCS_MGF_TYPE`).
        Mgf, "CKG_" {
            MGF1_SHA1 = 0x00000001,
            MGF1_SHA256 = 0x00000002,
            MGF1_SHA384 = 0x00000003,
            MGF1_SHA512 = 0x00000004,
            MGF1_SHA224 = 0x00000005,
            MGF1_SHA3_224 = 0x00000006,
            MGF1_SHA3_256 = 0x00000007,
            MGF1_SHA3_384 = 0x00000008,
            MGF1_SHA3_512 = 0x00000009,
        }
    }
}

mod kdf {
    use crate::number::numbers;

    numbers! {
        /// A key derivation function behind a Diffie-Hellman (`CK_EC_KDF_TYPE`).
        Kdf, "CKD_" {
            NULL = 0x00000001,
            SHA1_KDF = 0x00000002,
            SHA1_KDF_ASN1 = 0x00000003,
            SHA1_KDF_CONCATENATE = 0x00000004,
            SHA224_KDF = 0x00000005,
            SHA256_KDF = 0x00000006,
            SHA384_KDF = 0x00000007,
            SHA512_KDF = 0x00000008,
        }
    }
}

/// What comes with each message of message-based encryption (`CK_GCM_MESSAGE_PARAMS`).
#[derive(Clone)]
pub struct MessageParams {
    /// The nonce; where the token makes it, its length and its fixed part.
    pub iv: Vec<u8>,
    /// How many of the nonce's highest bits are fixed.
    pub fixed_bits: u64,
    /// Who makes the other ones.
    pub generator: Generator,
    /// The tag: given for a decryption, made by an encryption.
    pub tag: Vec<u8>,
    /// Length of the tag in bits.
    pub tag_bits: u64,
}

/// How the part of a nonce is made that is not fixed (`CK_GENERATOR_FUNCTION`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generator(pub u64);

#[allow(missing_docs)] // The names are the specification's.
impl Generator {
    pub const NO_GENERATE: Self = Self(0);
    pub const GENERATE: Self = Self(1);
    pub const GENERATE_COUNTER: Self = Self(2);
    pub const GENERATE_RANDOM: Self = Self(3);
    pub const GENERATE_COUNTER_XOR: Self = Self(4);
}
