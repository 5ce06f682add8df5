use crate::number::numbers;

pub use certificate::CertificateType;
pub use feature::HwFeatureType;
pub use key::KeyType;
pub use object::ObjectClass;
pub use profile::ProfileId;

mod object {
    use super::numbers;

    numbers! {
        /// What an object is (`CK_OBJECT_CLASS`).
        ObjectClass, "CKO_" {
            DATA = 0x00000000,
            CERTIFICATE = 0x00000001,
            PUBLIC_KEY = 0x00000002,
            PRIVATE_KEY = 0x00000003,
            SECRET_KEY = 0x00000004,
            HW_FEATURE = 0x00000005,
            DOMAIN_PARAMETERS = 0x00000006,
            MECHANISM = 0x00000007,
            OTP_KEY = 0x00000008,
            PROFILE = 0x00000009,
            VALIDATION = 0x0000000a,
            TRUST = 0x0000000b,
        }
    }
}

mod key {
    use super::numbers;

    numbers! {
        /// What a key is for (`CK_KEY_TYPE`).
        KeyType, "CKK_" {
            RSA = 0x00000000,
            DSA = 0x00000001,
            DH = 0x00000002,
            EC = 0x00000003,
            X9_42_DH = 0x00000004,
            KEA = 0x00000005,
            GENERIC_SECRET = 0x00000010,
            RC2 = 0x00000011,
            RC4 = 0x00000012,
            DES = 0x00000013,
            DES2 = 0x00000014,
            DES3 = 0x00000015,
            CAST = 0x00000016,
            CAST3 = 0x00000017,
            CAST128 = 0x00000018,
            RC5 = 0x00000019,
            IDEA = 0x0000001a,
            SKIPJACK = 0x0000001b,
            BATON = 0x0000001c,
            JUNIPER = 0x0000001d,
            CDMF = 0x0000001e,
            AES = 0x0000001f,
            BLOWFISH = 0x00000020,
            TWOFISH = 0x00000021,
            SECURID = 0x00000022,
            HOTP = 0x00000023,
            ACTI = 0x00000024,
            CAMELLIA = 0x00000025,
            ARIA = 0x00000026,
            MD5_HMAC = 0x00000027,
            SHA_1_HMAC = 0x00000028,
            RIPEMD128_HMAC = 0x00000029,
            RIPEMD160_HMAC = 0x0000002a,
            SHA256_HMAC = 0x0000002b,
            SHA384_HMAC = 0x0000002c,
            SHA512_HMAC = 0x0000002d,
            SHA224_HMAC = 0x0000002e,
            SEED = 0x0000002f,
            GOSTR3410 = 0x00000030,
            GOSTR3411 = 0x00000031,
            GOST28147 = 0x00000032,
            CHACHA20 = 0x00000033,
            POLY1305 = 0x00000034,
            AES_XTS = 0x00000035,
            SHA3_224_HMAC = 0x00000036,
            SHA3_256_HMAC = 0x00000037,
            SHA3_384_HMAC = 0x00000038,
            SHA3_512_HMAC = 0x00000039,
            BLAKE2B_160_HMAC = 0x0000003a,
            BLAKE2B_256_HMAC = 0x0000003b,
            BLAKE2B_384_HMAC = 0x0000003c,
            BLAKE2B_512_HMAC = 0x0000003d,
            SALSA20 = 0x0000003e,
            X2RATCHET = 0x0000003f,
            EC_EDWARDS = 0x00000040,
            EC_MONTGOMERY = 0x00000041,
            HKDF = 0x00000042,
            SHA512_224_HMAC = 0x00000043,
            SHA512_256_HMAC = 0x00000044,
            SHA512_T_HMAC = 0x00000045,
            HSS = 0x00000046,
            XMSS = 0x00000047,
            XMSSMT = 0x00000048,
            ML_KEM = 0x00000049,
            ML_DSA = 0x0000004a,
            SLH_DSA = 0x0000004b,
        }
    }
}

mod certificate {
    use super::numbers;

    numbers! {
        /// What kind of certificate a certificate object holds (`CK_CERTIFICATE_TYPE`).
        CertificateType, "CKC_" {
            X_509 = 0x00000000,
            X_509_ATTR_CERT = 0x00000001,
            WTLS = 0x00000002,
        }
    }
}

mod feature {
    use super::numbers;

    numbers! {
        /// What a hardware feature object stands for (`CK_HW_FEATURE_TYPE`).
        HwFeatureType, "CKH_" {
            MONOTONIC_COUNTER = 0x00000001,
            CLOCK = 0x00000002,
            USER_INTERFACE = 0x00000003,
        }
    }
}

mod profile {
    use super::numbers;

    numbers! {
        /// A profile that a token conforms to (`CK_PROFILE_ID`).
        ProfileId, "CKP_" {
            INVALID_ID = 0x00000000,
            BASELINE_PROVIDER = 0x00000001,
            EXTENDED_PROVIDER = 0x00000002,
            AUTHENTICATION_TOKEN = 0x00000003,
            PUBLIC_CERTIFICATES_TOKEN = 0x00000004,
            COMPLETE_PROVIDER = 0x00000005,
            HKDF_TLS_TOKEN = 0x00000006,
        }
    }
}
