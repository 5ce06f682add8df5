//! Where strongroom does something else than SoftHSM, and why.
//!
//! What is on purpose has the section of the specification that says so, or the README's. A gap is what is not there,
//! or wrong: its cases fail when that changes.

use crate::case::Kind::{self, Gap, OnPurpose};

/// Cases with one reason: each with what strongroom says.
pub(crate) struct Difference {
    pub(crate) kind: Kind,
    pub(crate) why: &'static str,
    pub(crate) cases: &'static [(&'static str, &'static str)],
}

pub(crate) const ALL: &[Difference] = &[
    Difference {
        kind: OnPurpose,
        why: "A token stays in its slot: there is no new number after C_InitToken. C_GetSlotList; C_InitToken",
        cases: &[("a token's slot after the end", "same")],
    },
    Difference {
        kind: OnPurpose,
        why: "It is another product. CK_TOKEN_INFO",
        cases: &[("the token's words about itself", "strongroom strongroom 16")],
    },
    Difference {
        kind: OnPurpose,
        why: "CKF_DUAL_CRYPTO_OPERATIONS is true here, and no state of an operation can be saved, so that CKF_RESTORE_KEY_NOT_NEEDED says nothing. CK_TOKEN_INFO: flags",
        cases: &[("all flags of a token", "60d")],
    },
    Difference {
        kind: OnPurpose,
        why: "Locking functions of the caller are not called: without the choice of the system's they are refused. C_Initialize, case 3; README",
        cases: &[("initialise with locking functions and no other choice", "CANT_LOCK")],
    },
    Difference {
        kind: OnPurpose,
        why: "The interface is of version 3.2; the list of C_GetFunctionList is the one of 2.40 in both. CK_INFO",
        cases: &[("the version of the interface", "OK 3.2 0")],
    },
    Difference {
        kind: OnPurpose,
        why: "There is always one slot more, for the next token. It is seen when the slots are counted again. C_GetSlotList",
        cases: &[("slots once there is a token", "2 2")],
    },
    Difference {
        kind: OnPurpose,
        why: "Keys of less than 1,024 bits are not made or taken. RSA, key sizes are a token's choice: C_GetMechanismInfo",
        cases: &[
            ("information about CKM_RSA_PKCS", "OK 1024 16384 67b00"),
            ("information about CKM_RSA_PKCS_PSS", "OK 1024 16384 2800"),
            ("information about CKM_RSA_PKCS_KEY_PAIR_GEN", "OK 1024 16384 10000"),
            ("make an RSA pair of 512 bits", "ATTRIBUTE_VALUE_INVALID"),
        ],
    },
    Difference {
        kind: Gap,
        why: "No curves but P-224, P-256, P-384, P-521, secp256k1, Ed25519 and X25519: P-192, brainpool and Ed448 are missing",
        cases: &[
            ("information about CKM_EC_KEY_PAIR_GEN", "OK 224 521 7910000"),
            ("information about CKM_ECDSA", "OK 224 521 7902800"),
            ("make a pair on P-192, and sign", "CURVE_NOT_SUPPORTED"),
            ("make a pair on brainpoolP256r1, and sign", "CURVE_NOT_SUPPORTED"),
            ("make a pair on Ed448", "CURVE_NOT_SUPPORTED"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "It can be done here: more mechanisms, or more of one. C_GetMechanismInfo; AES; Elliptic curves; HMAC; RSA",
        cases: &[
            ("information about CKM_AES_CBC", "OK 16 32 60300"),
            ("information about CKM_AES_CBC_PAD", "OK 16 32 60300"),
            ("information about CKM_AES_GCM", "OK 16 32 60326"),
            ("information about CKM_ECDH1_COFACTOR_DERIVE", "OK 224 521 7980000"),
            ("make a pair on X25519, by the mechanism for Montgomery curves", "OK"),
            ("PSS whose two hashes differ", "OK 128"),
            ("CKM_ECDSA_SHA256", "64 OK 64 OK SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID"),
            (
                "CKM_EDDSA at once, in parts, and verified",
                "64 OK 64 OK SIGNATURE_INVALID SIGNATURE_LEN_RANGE SIGNATURE_INVALID",
            ),
            ("sign and verify with recovery", "OK OK"),
            ("CKM_SHA256_HMAC_GENERAL", "16"),
            ("CKM_RSA_PKCS_OAEP with SHA-256, there and back", "128 same"),
            ("CKM_RSA_PKCS_OAEP with two hashes, there and back", "128 same"),
            ("CKM_RSA_PKCS_OAEP with a label, there and back", "128 same"),
            ("wrap and unwrap an AES key by CKM_AES_CBC", "885768d9fabb87fb/16 0001020304050607/16"),
            ("wrap and unwrap an AES key by CKM_AES_CBC_PAD", "885768d9fabb87fb/32 0001020304050607/16"),
            ("ECDH with a KDF", "OK"),
            ("by the list of allowed mechanisms", "1"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "A MAC's key may have any length up to a megabyte; the length of a generic secret is told in bits. HMAC mechanisms; Generic secret key generation",
        cases: &[
            ("information about CKM_SHA256_HMAC", "OK 1 1048576 2800"),
            ("information about CKM_GENERIC_SECRET_KEY_GEN", "OK 8 8388608 8000"),
            ("CKM_SHA256_HMAC with a key of 31 bytes", "OK"),
        ],
    },
    Difference {
        kind: Gap,
        why: "No MD5",
        cases: &[
            ("information about CKM_MD5", "MECHANISM_INVALID 0 0 0"),
            ("MD5 of abc, at once and in parts", "MECHANISM_INVALID MECHANISM_INVALID"),
            ("CKM_MD5_RSA_PKCS at once, in parts, and verified", "MECHANISM_INVALID"),
            ("CKM_MD5_HMAC at once, in parts, and verified", "MECHANISM_INVALID MECHANISM_INVALID"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "The sizes of keys are told as the mechanism takes them: bytes for 3DES, bits for groups, of which none has less than 1,024 or, for DSA, more than FIPS 186-4 has. C_GetMechanismInfo",
        cases: &[
            ("information about CKM_DES3_CBC", "OK 16 24 60300"),
            ("information about CKM_DES2_KEY_GEN", "OK 16 16 8000"),
            ("information about CKM_DSA_SHA256", "OK 1024 3072 2800"),
            ("information about CKM_DH_PKCS_DERIVE", "OK 1024 8192 80000"),
            ("make a DH pair", "DOMAIN_PARAMS_INVALID"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "Keys of 3DES have odd parity: these have not. DES3 secret key objects: keys \"must always have their parity bits properly set\"",
        cases: &[
            ("CKM_DES3_CMAC", "ATTRIBUTE_VALUE_INVALID"),
            ("CKM_DES3_ECB, at once and in parts", "ATTRIBUTE_VALUE_INVALID"),
            ("CKM_DES3_CBC, at once and in parts", "ATTRIBUTE_VALUE_INVALID"),
            ("CKM_DES3_CBC_PAD, at once and in parts", "ATTRIBUTE_VALUE_INVALID"),
        ],
    },
    Difference {
        kind: Gap,
        why: "No single DES",
        cases: &[("create a DES key", "ATTRIBUTE_VALUE_INVALID"), ("make a DES key", "MECHANISM_INVALID")],
    },
    Difference {
        kind: Gap,
        why: "No parameters of groups as objects, and none are made",
        cases: &[
            ("create DSA parameters", "ATTRIBUTE_VALUE_INVALID"),
            ("make DSA parameters", "MECHANISM_INVALID"),
            ("make DH parameters", "MECHANISM_INVALID"),
        ],
    },
    Difference {
        kind: Gap,
        why: "No derivation by encryption",
        cases: &[
            ("information about CKM_AES_CBC_ENCRYPT_DATA", "MECHANISM_INVALID 0 0 0"),
            ("CKM_AES_ECB_ENCRYPT_DATA", "MECHANISM_INVALID"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "A PIN's length is told as such. C_InitToken, C_SetPIN: CKR_PIN_LEN_RANGE",
        cases: &[
            ("initialise a token with a PIN of three bytes", "PIN_LEN_RANGE"),
            ("initialise a token with a PIN of 256 bytes", "PIN_LEN_RANGE"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "Sessions are counted. CK_TOKEN_INFO: ulSessionCount",
        cases: &[("the counts of sessions", "1 1")],
    },
    Difference {
        kind: OnPurpose,
        why: "Wrong PINs are counted, and the user is locked then. C_Login: CKR_PIN_LOCKED; CK_TOKEN_INFO flags",
        cases: &[
            ("twenty wrong PINs of the user", "PIN_LOCKED PIN_LOCKED"),
            ("twenty wrong PINs of the officer", "PIN_LOCKED PIN_LOCKED"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "Who is not logged in cannot log out. C_Logout: CKR_USER_NOT_LOGGED_IN",
        cases: &[("log out without a log-in", "USER_NOT_LOGGED_IN"), ("log out twice", "OK USER_NOT_LOGGED_IN")],
    },
    Difference {
        kind: OnPurpose,
        why: "The function is there; what cannot be saved or restored is told as such. C_GetOperationState, C_SetOperationState",
        cases: &[
            ("save the state of a digest", "OK OK"),
            ("save the state of no operation", "OPERATION_NOT_INITIALIZED"),
            ("restore a state", "SAVED_STATE_INVALID"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "A certificate's value must be a certificate: here it is five bytes of DER. X.509 certificate objects: CKA_VALUE; C_CreateObject: CKR_ATTRIBUTE_VALUE_INVALID",
        cases: &[("create a certificate", "ATTRIBUTE_VALUE_INVALID")],
    },
    Difference {
        kind: OnPurpose,
        why: "A value must be one that the attribute can have. C_CreateObject: CKR_ATTRIBUTE_VALUE_INVALID; AES secret key objects: 16, 24 or 32 bytes; CK_BBOOL",
        cases: &[
            ("create an AES key of 15 bytes", "ATTRIBUTE_VALUE_INVALID"),
            ("create an object with a flag of two", "ATTRIBUTE_VALUE_INVALID"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "An attribute has one value. C_CreateObject; Creating objects: two values for one attribute are CKR_TEMPLATE_INCONSISTENT",
        cases: &[("create an object with an attribute twice", "TEMPLATE_INCONSISTENT")],
    },
    Difference {
        kind: OnPurpose,
        why: "Token objects are made after log-in only, public ones too: what is on the token is sealed. README",
        cases: &[("create a public token object without a log-in", "USER_NOT_LOGGED_IN")],
    },
    Difference {
        kind: OnPurpose,
        why: "A session object that nobody says CKA_PRIVATE of is as private as its session can have it. Storage objects: the default is the token's choice; README",
        cases: &[("create an object that says nothing of CKA_PRIVATE without a log-in", "OK")],
    },
    Difference {
        kind: OnPurpose,
        why: "The size is known. C_GetObjectSize",
        cases: &[("the size of an object", "OK known")],
    },
    Difference {
        kind: OnPurpose,
        why: "These may be changed once, to the safer value. Storage objects: CKA_COPYABLE; Key objects: CKA_WRAP_WITH_TRUSTED",
        cases: &[
            ("change CKA_WRAP_WITH_TRUSTED of an AES key", "OK"),
            ("change CKA_COPYABLE to false of an AES key", "OK"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "A change is made as a whole or not at all. C_SetAttributeValue",
        cases: &[("of several changes one is wrong", "ATTRIBUTE_READ_ONLY 646174756d/5")],
    },
    Difference {
        kind: OnPurpose,
        why: "A search does not tell values that cannot be read. C_FindObjectsInit; CKA_SENSITIVE",
        cases: &[("by the value of a sensitive key", "0")],
    },
    Difference {
        kind: OnPurpose,
        why: "Operations of different kinds run beside each other: none prevents another here. Function return values: CKR_OPERATION_ACTIVE is for what prevents another; the example of a search that does is not followed",
        cases: &[
            ("a search beside a digest", "OK OK"),
            ("sign beside an encryption", "OK OK"),
            ("encrypt twice at a time, and decrypt meanwhile", "OK OPERATION_ACTIVE OK"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "What was destroyed is not found. C_FindObjects",
        cases: &[("an object that is destroyed meanwhile", "0 OBJECT_HANDLE_INVALID")],
    },
    Difference {
        kind: OnPurpose,
        why: "The template contradicts the mechanism. C_GenerateKey: CKR_TEMPLATE_INCONSISTENT",
        cases: &[("make an AES key that says public key", "TEMPLATE_INCONSISTENT")],
    },
    Difference {
        kind: OnPurpose,
        why: "The length is there, and its value is wrong. C_GenerateKey: CKR_ATTRIBUTE_VALUE_INVALID",
        cases: &[("make a generic secret of no byte", "ATTRIBUTE_VALUE_INVALID")],
    },
    Difference {
        kind: OnPurpose,
        why: "Secret and private keys are sensitive when nobody says anything. README; Private key objects: CKA_SENSITIVE is the token's choice",
        cases: &[
            (
                "the attributes of a secret key when nobody says anything",
                "no yes yes no yes yes yes yes yes yes no yes",
            ),
            (
                "the attributes of a pair when nobody says anything",
                "no no yes yes yes yes no no yes yes no yes yes yes yes no",
            ),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "The return value names what is wrong instead of CKR_GENERAL_ERROR or CKR_FUNCTION_FAILED. Function return values; RSA; Elliptic curves: CKR_CURVE_NOT_SUPPORTED; C_Decrypt, C_UnwrapKey, C_DeriveKey",
        cases: &[
            ("make an RSA pair of 128 bits", "ATTRIBUTE_VALUE_INVALID"),
            ("make an RSA pair of 20000 bits", "ATTRIBUTE_VALUE_INVALID"),
            ("make an RSA pair with the exponent 2", "TEMPLATE_INCONSISTENT"),
            ("make a pair on an unknown curve", "CURVE_NOT_SUPPORTED"),
            ("PSS of a digest whose length is another's", "OK DATA_LEN_RANGE"),
            ("PSS with more salt than there is room for", "MECHANISM_PARAM_INVALID"),
            ("CKM_RSA_PKCS of 118 bytes with 1024 bits", "DATA_LEN_RANGE"),
            ("decrypt by CKM_AES_CBC_PAD of wrong bytes", "ENCRYPTED_DATA_INVALID"),
            ("decrypt by CKM_AES_CBC_PAD of nothing", "ENCRYPTED_DATA_LEN_RANGE"),
            ("decrypt by CKM_AES_GCM of wrong bytes", "ENCRYPTED_DATA_INVALID"),
            ("decrypt by CKM_AES_GCM of less than a tag", "ENCRYPTED_DATA_LEN_RANGE"),
            ("CKM_RSA_PKCS of 118 bytes, there and back", "DATA_LEN_RANGE"),
            ("CKM_RSA_PKCS_OAEP of 87 bytes, there and back", "DATA_LEN_RANGE"),
            ("decrypt wrong bytes by CKM_RSA_PKCS_OAEP", "ENCRYPTED_DATA_INVALID"),
            ("decrypt too many bytes by CKM_RSA_PKCS", "ENCRYPTED_DATA_LEN_RANGE"),
            ("unwrap wrong bytes", "WRAPPED_KEY_INVALID"),
            ("ECDH to more bytes than there are", "KEY_SIZE_RANGE"),
            ("ECDH with a point that is none", "MECHANISM_PARAM_INVALID"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "X25519 keys are made by their own mechanism and are no Edwards keys. Elliptic curves: CKM_EC_MONTGOMERY_KEY_PAIR_GEN",
        cases: &[("make a pair on X25519, by the mechanism for Edwards curves", "CURVE_NOT_SUPPORTED")],
    },
    Difference {
        kind: OnPurpose,
        why: "After a part the whole is refused. C_Digest, C_Sign, C_Encrypt: it \"cannot be used to terminate a multi-part operation\"",
        cases: &[
            ("a digest at once after a part", "OPERATION_ACTIVE"),
            ("a signature at once after a part", "OPERATION_ACTIVE"),
            ("an encryption at once after a part", "OPERATION_ACTIVE"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "A parameter that is missing, of another size or impossible is CKR_MECHANISM_PARAM_INVALID. Function return values; SHA-256 has none",
        cases: &[
            ("a digest with a parameter", "MECHANISM_PARAM_INVALID"),
            ("PSS without a parameter", "MECHANISM_PARAM_INVALID"),
            ("PSS with half a parameter", "MECHANISM_PARAM_INVALID"),
            ("PSS of a hash that is none", "MECHANISM_PARAM_INVALID"),
            ("PSS of another hash than its mechanism's", "MECHANISM_PARAM_INVALID"),
            ("encrypt by CKM_AES_CBC without an IV", "MECHANISM_PARAM_INVALID"),
            ("encrypt by CKM_AES_CBC with half an IV", "MECHANISM_PARAM_INVALID"),
            ("encrypt by CKM_AES_CTR without a parameter", "MECHANISM_PARAM_INVALID"),
            ("encrypt by CKM_AES_GCM without a parameter", "MECHANISM_PARAM_INVALID"),
            ("encrypt by CKM_AES_GCM with a tag of 129 bits", "MECHANISM_PARAM_INVALID"),
            ("CKM_RSA_PKCS_OAEP without a parameter, there and back", "MECHANISM_PARAM_INVALID"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "No mechanism ends the operation, since 3.0. C_DigestInit: it \"can be called with pMechanism set to NULL_PTR to terminate\"; CKR_KEY_HANDLE_INVALID is for keys: C_SignInit, C_EncryptInit",
        cases: &[
            ("a digest by a mechanism that is none", "MECHANISM_INVALID OK"),
            ("sign with no key, by no mechanism, by one for something else", "KEY_HANDLE_INVALID OK MECHANISM_INVALID"),
            (
                "encrypt with no key, by no mechanism, by one for something else",
                "KEY_HANDLE_INVALID OK MECHANISM_INVALID",
            ),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "The raw operation takes no more bytes than the modulus has; SoftHSM ends the whole process. C_Sign: CKR_DATA_LEN_RANGE; RSA: X.509 (raw)",
        cases: &[("CKM_RSA_X_509 of 129 bytes with 1024 bits", "DATA_LEN_RANGE")],
    },
    Difference {
        kind: OnPurpose,
        why: "The key's type is looked at when the operation begins. C_SignInit: CKR_KEY_TYPE_INCONSISTENT",
        cases: &[(
            "sign with a key of another type",
            "KEY_TYPE_INCONSISTENT KEY_TYPE_INCONSISTENT KEY_TYPE_INCONSISTENT",
        )],
    },
    Difference {
        kind: OnPurpose,
        why: "The dual functions are there. Dual-function cryptographic functions",
        cases: &[("two operations at once in one call", "OPERATION_NOT_INITIALIZED OPERATION_NOT_INITIALIZED")],
    },
    Difference {
        kind: OnPurpose,
        why: "A mechanism for one part has none to go on with. RSA: single-part operations only; C_EncryptUpdate: CKR_OPERATION_NOT_INITIALIZED",
        cases: &[("CKM_RSA_PKCS in parts", "OPERATION_NOT_INITIALIZED")],
    },
    Difference {
        kind: OnPurpose,
        why: "A key is wrapped with its own length, as RFC 5649 says: SoftHSM fills it with zeros up to eight bytes, which its owner finds in the key. AES key wrap: CKM_AES_KEY_WRAP_PAD",
        cases: &[
            ("wrap and unwrap a secret of 20 bytes by CKM_AES_KEY_WRAP_PAD", "32 0001020304050607/20"),
            (
                "the PKCS #8 of a wrapped RSA private key",
                "635 30820277020100300d06092a864886f70d0101010500048202613082025d02010002818100a98db7",
            ),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "A key that asks for trusted ones is not wrapped by others. Key objects: CKA_WRAP_WITH_TRUSTED. SoftHSM refuses to set it, so its key asks for nothing",
        cases: &[("wrap a key for trusted ones with another", "KEY_NOT_WRAPPABLE")],
    },
    Difference {
        kind: OnPurpose,
        why: "A public key is not one that can be wrapped. C_WrapKey: CKR_KEY_NOT_WRAPPABLE",
        cases: &[("wrap a public key", "KEY_NOT_WRAPPABLE")],
    },
    Difference {
        kind: OnPurpose,
        why: "A length that is the right one may be told. C_UnwrapKey; AES secret key objects: CKA_VALUE_LEN",
        cases: &[("unwrap with a length in the template", "OK")],
    },
    Difference {
        kind: OnPurpose,
        why: "A key's handle that is none is CKR_KEY_HANDLE_INVALID. C_DeriveKey",
        cases: &[("derive from no key, and by no mechanism", "KEY_HANDLE_INVALID MECHANISM_INVALID")],
    },
    Difference {
        kind: OnPurpose,
        why: "Nobody seeds the generator: it is the system's. C_SeedRandom: CKR_RANDOM_SEED_NOT_SUPPORTED",
        cases: &[("a seed", "RANDOM_SEED_NOT_SUPPORTED ARGUMENTS_BAD")],
    },
    Difference {
        kind: OnPurpose,
        why: "A template of no attributes may be a null pointer. C_CopyObject: ulCount is zero",
        cases: &[(
            "C_CopyObject before the module is initialised, and in no session",
            "CRYPTOKI_NOT_INITIALIZED SESSION_HANDLE_INVALID",
        )],
    },
    Difference {
        kind: OnPurpose,
        why: "The function of old says what it always says. C_GetFunctionStatus",
        cases: &[(
            "C_GetFunctionStatus before the module is initialised, and in no session",
            "CRYPTOKI_NOT_INITIALIZED FUNCTION_NOT_PARALLEL",
        )],
    },
    Difference {
        kind: OnPurpose,
        why: "SoftHSM opens the file of every object for a search, and that of a key for each signature. Here they are in one file, and who has changed nothing is asked nothing. README: speed",
        cases: &[
            ("#680, #711: a search reads less often than there are objects", "1 yes"),
            ("#137, #439: twenty signatures by a key of the token read less than twenty times", "yes"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "An object of a session that is gone takes no memory. C_DestroyObject; C_CloseSession",
        cases: &[
            ("#562, #563, #863: memory after twenty thousand objects that were destroyed", "as before"),
            (
                "#562, #563, #863: memory after twenty thousand objects that were left to a session that is closed",
                "as before",
            ),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "A token that another process has made is there once the slots are counted again. C_GetSlotList",
        cases: &[("PowerDNS #2823: a token that another process makes", "0 1 1")],
    },
    Difference {
        kind: OnPurpose,
        why: "Who logs out ends what private keys were doing. C_Logout",
        cases: &[("#900: a private key signs after a log-out", "OK OPERATION_NOT_INITIALIZED")],
    },
    Difference {
        kind: OnPurpose,
        why: "Every attribute that can be read can be searched for, and a date is read as it was written. C_FindObjectsInit; C_GetAttributeValue",
        cases: &[
            ("#898: a private key is found by its template for wrapping", "1 1"),
            ("dns-tools #8: the dates of a private key", "3230323630313031/8 3230333630313031/8"),
        ],
    },
    Difference {
        kind: OnPurpose,
        why: "What says a length and has nothing is refused; SoftHSM ends the whole process. CK_ATTRIBUTE; CK_GCM_PARAMS",
        cases: &[
            ("#904: a template that says a length and has nothing", "ATTRIBUTE_VALUE_INVALID"),
            ("#904: CKM_AES_GCM with an IV that says a length and has nothing", "MECHANISM_PARAM_INVALID"),
        ],
    },
];
