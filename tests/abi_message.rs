//! Message-based encryption and authenticated wrapping through the C ABI (PKCS#11 3.0, 5.9 and 5.11; 3.2, 5.18).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod raw;

use std::ptr;

use cryptoki_sys::*;
use raw::{Module, attribute, length, mechanism, mechanism_with, secret_key, text};

const AAD: &[u8] = b"what goes with it";

/// The parameters of a message with places of their own.
struct Message {
    iv: [u8; 12],
    tag: [u8; 16],
    params: CK_GCM_MESSAGE_PARAMS,
}

impl Message {
    fn new(generator: CK_GENERATOR_FUNCTION) -> Box<Self> {
        let params = CK_GCM_MESSAGE_PARAMS {
            pIv: ptr::null_mut(),
            ulIvLen: 12,
            ulIvFixedBits: 0,
            ivGenerator: generator,
            pTag: ptr::null_mut(),
            ulTagBits: 128,
        };
        let mut message = Box::new(Self { iv: [7; 12], tag: [0; 16], params });
        message.params.pIv = message.iv.as_mut_ptr();
        message.params.pTag = message.tag.as_mut_ptr();
        message
    }

    fn ptr(&mut self) -> *mut std::ffi::c_void {
        (&raw mut self.params).cast()
    }
}

const LEN: CK_ULONG = size_of::<CK_GCM_MESSAGE_PARAMS>() as CK_ULONG;

fn start(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
    let mut gcm = mechanism(CKM_AES_GCM);
    assert_eq!(p11!(C_MessageEncryptInit(session, &raw mut gcm, key)), CKR_OK);
    assert_eq!(p11!(C_MessageDecryptInit(session, &raw mut gcm, key)), CKR_OK);
}

fn encrypt(session: CK_SESSION_HANDLE, message: &mut Message, plain: &[u8]) -> (CK_RV, Vec<u8>) {
    let mut out = vec![0xaa; plain.len() + 8];
    let mut len = out.len() as CK_ULONG;
    let rv = p11!(C_EncryptMessage(
        session,
        message.ptr(),
        LEN,
        text(AAD),
        length(AAD),
        text(plain),
        length(plain),
        out.as_mut_ptr(),
        &raw mut len
    ));
    assert_eq!(out[plain.len()..], [0xaa; 8], "nothing is written behind the ciphertext");
    out.truncate(len as usize);
    (rv, out)
}

fn decrypt(session: CK_SESSION_HANDLE, message: &mut Message, aad: &[u8], cipher: &[u8]) -> (CK_RV, Vec<u8>) {
    let mut out = vec![0; cipher.len()];
    let mut len = out.len() as CK_ULONG;
    let rv = p11!(C_DecryptMessage(
        session,
        message.ptr(),
        LEN,
        text(aad),
        length(aad),
        text(cipher),
        length(cipher),
        out.as_mut_ptr(),
        &raw mut len
    ));
    out.truncate(len as usize);
    (rv, out)
}

/// What `C_Encrypt` makes under the same nonce: ciphertext and tag.
fn plain_gcm(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, iv: &[u8], plain: &[u8]) -> Vec<u8> {
    let params = CK_GCM_PARAMS {
        pIv: text(iv),
        ulIvLen: length(iv),
        ulIvBits: 0,
        pAAD: text(AAD),
        ulAADLen: length(AAD),
        ulTagBits: 128,
    };
    let mut gcm = mechanism_with(CKM_AES_GCM, &params);
    assert_eq!(p11!(C_EncryptInit(session, &raw mut gcm, key)), CKR_OK);
    let mut out = vec![0; plain.len() + 16];
    let mut len = out.len() as CK_ULONG;
    let rv = p11!(C_Encrypt(session, text(plain), length(plain), out.as_mut_ptr(), &raw mut len));
    assert_eq!((rv, len as usize), (CKR_OK, out.len()));
    out
}

#[test]
fn a_message_is_what_gcm_makes_under_the_nonce_that_the_token_gives() {
    let module = Module::new();
    let session = module.session();
    let key = secret_key(session, CKM_AES_KEY_GEN);
    start(session, key);
    let mut nonces = std::collections::HashSet::new();
    for (size, generator) in [0usize, 1, 16, 333, 4096, 4097, 70_000]
        .into_iter()
        .flat_map(|size| [CKG_GENERATE, CKG_GENERATE_RANDOM, CKG_NO_GENERATE].map(|generator| (size, generator)))
    {
        let plain: Vec<u8> = (0..=255).cycle().take(size).collect();
        let mut message = Message::new(generator);
        let (rv, cipher) = encrypt(session, &mut message, &plain);
        assert_eq!(rv, CKR_OK);
        assert_eq!(message.iv == [7; 12], generator == CKG_NO_GENERATE);
        assert!(generator == CKG_NO_GENERATE || nonces.insert(message.iv), "a nonce comes twice");
        let joined = [&cipher[..], &message.tag].concat();
        assert_eq!(joined, plain_gcm(session, key, &message.iv, &plain));
        assert_eq!(decrypt(session, &mut message, AAD, &cipher), (CKR_OK, plain));
        assert_eq!(decrypt(session, &mut message, b"other", &cipher).0, CKR_AEAD_DECRYPT_FAILED);
        message.tag[3] ^= 1;
        assert_eq!(decrypt(session, &mut message, AAD, &cipher).0, CKR_AEAD_DECRYPT_FAILED);
    }
    assert_eq!(p11!(C_MessageEncryptFinal(session)), CKR_OK);
    assert_eq!(p11!(C_MessageEncryptFinal(session)), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(p11!(C_MessageDecryptFinal(session)), CKR_OK);
}

#[test]
fn a_message_in_parts_is_the_same_and_its_tag_comes_at_the_end() {
    let module = Module::new();
    let session = module.session();
    let key = secret_key(session, CKM_AES_KEY_GEN);
    start(session, key);
    let plain: Vec<u8> = (0..100u8).collect();
    let mut message = Message::new(CKG_GENERATE);
    assert_eq!(p11!(C_EncryptMessageBegin(session, message.ptr(), LEN, text(AAD), length(AAD))), CKR_OK);
    assert_ne!(message.iv, [7; 12], "the nonce is there from the beginning");
    assert_eq!(p11!(C_EncryptMessageBegin(session, message.ptr(), LEN, text(AAD), length(AAD))), CKR_OPERATION_ACTIVE);
    assert_eq!(encrypt(session, &mut message, b"x").0, CKR_OPERATION_ACTIVE);
    assert_eq!(p11!(C_MessageEncryptFinal(session)), CKR_OPERATION_ACTIVE);
    let mut cipher = Vec::new();
    for (range, flags) in [(0..33, 0), (33..33, 0), (33..70, 0), (70..100, CKF_END_OF_MESSAGE)] {
        let part = &plain[range];
        let mut len = 0;
        let (ptr, count) = (text(part), length(part));
        let mut next = |out: *mut u8, len: &mut CK_ULONG| {
            p11!(C_EncryptMessageNext(session, message.ptr(), LEN, ptr, count, out, ptr::from_mut(len), flags))
        };
        assert_eq!((next(ptr::null_mut(), &mut len), len), (CKR_OK, count), "the length is told");
        let mut out = vec![0; part.len()];
        if !part.is_empty() {
            len = count - 1;
            assert_eq!((next(out.as_mut_ptr(), &mut len), len), (CKR_BUFFER_TOO_SMALL, count));
        }
        len = count;
        assert_eq!((next(out.as_mut_ptr(), &mut len), len), (CKR_OK, count));
        assert_eq!(message.tag == [0; 16], flags == 0);
        cipher.extend(out);
    }
    assert_eq!([&cipher[..], &message.tag].concat(), plain_gcm(session, key, &message.iv, &plain));
    assert_eq!(p11!(C_DecryptMessageBegin(session, message.ptr(), LEN, text(AAD), length(AAD))), CKR_OK);
    let mut out = [0u8; 100];
    let mut len = 100;
    let (first, second) = cipher.split_at(41);
    let rv = p11!(C_DecryptMessageNext(
        session,
        ptr::null_mut(),
        0,
        text(first),
        length(first),
        out.as_mut_ptr(),
        &raw mut len,
        0
    ));
    assert_eq!((rv, len), (CKR_OK, 0), "nothing comes out before the tag was seen");
    for (room, want) in [(99, CKR_BUFFER_TOO_SMALL), (100, CKR_OK)] {
        len = room;
        let rv = p11!(C_DecryptMessageNext(
            session,
            message.ptr(),
            LEN,
            text(second),
            length(second),
            out.as_mut_ptr(),
            &raw mut len,
            CKF_END_OF_MESSAGE
        ));
        assert_eq!((rv, len), (want, 100));
    }
    assert_eq!(out[..], plain[..]);
}

#[test]
fn wrong_parameters_are_refused_and_end_only_the_message() {
    let module = Module::new();
    let session = module.session();
    let key = secret_key(session, CKM_AES_KEY_GEN);
    let mut message = Message::new(CKG_GENERATE);
    assert_eq!(encrypt(session, &mut message, b"x").0, CKR_OPERATION_NOT_INITIALIZED);
    let mut cbc = mechanism(CKM_AES_CBC);
    assert_eq!(p11!(C_MessageEncryptInit(session, &raw mut cbc, key)), CKR_MECHANISM_INVALID);
    start(session, key);
    let mut gcm = mechanism(CKM_AES_GCM);
    assert_eq!(p11!(C_MessageEncryptInit(session, &raw mut gcm, key)), CKR_OPERATION_ACTIVE);
    type Spoil = fn(&mut Message);
    let wrong: [Spoil; 9] = [
        |m| m.params.ulIvLen = 0,
        |m| m.params.ulIvLen = 257,
        |m| m.params.pIv = ptr::null_mut(),
        |m| m.params.ulIvFixedBits = 97,
        |m| m.params.ulIvFixedBits = 1,
        |m| m.params.ivGenerator = 5,
        |m| m.params.ulTagBits = 127,
        |m| m.params.ulTagBits = CK_ULONG::MAX,
        |m| m.params.pTag = ptr::null_mut(),
    ];
    for (index, spoil) in wrong.into_iter().enumerate() {
        let mut message = Message::new(CKG_GENERATE);
        spoil(&mut message);
        assert_eq!(encrypt(session, &mut message, b"text").0, CKR_MECHANISM_PARAM_INVALID, "{index}");
        assert_eq!((message.iv, message.tag), ([7; 12], [0; 16]), "nothing was written: {index}");
    }
    for len in [0, LEN - 1, LEN + 1] {
        let rv = p11!(C_EncryptMessageBegin(session, message.ptr(), len, text(AAD), length(AAD)));
        assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID);
    }
    // A tag of another length than was begun with would be written where there is no room.
    assert_eq!(p11!(C_EncryptMessageBegin(session, message.ptr(), LEN, text(AAD), length(AAD))), CKR_OK);
    message.params.ulTagBits = 32;
    let (mut out, mut len) = ([0u8; 8], 8);
    let mut next = |message: &mut Message, flags| {
        len = 8;
        p11!(C_EncryptMessageNext(session, message.ptr(), LEN, text(b"x"), 1, out.as_mut_ptr(), &raw mut len, flags))
    };
    assert_eq!(next(&mut message, CKF_END_OF_MESSAGE), CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(next(&mut message, CKF_END_OF_MESSAGE), CKR_OPERATION_NOT_INITIALIZED, "the message is over");
    message.params.ulTagBits = 128;
    assert_eq!(p11!(C_EncryptMessageBegin(session, message.ptr(), LEN, text(AAD), length(AAD))), CKR_OK);
    assert_eq!(next(&mut message, 2), CKR_ARGUMENTS_BAD);
    assert_eq!(next(&mut message, 0), CKR_OPERATION_NOT_INITIALIZED, "an argument that is wrong ends it too");
    assert_eq!(encrypt(session, &mut message, b"text").0, CKR_OK, "the others are not over");
}

#[test]
fn messages_end_with_their_key_their_login_and_when_they_are_cancelled() {
    let module = Module::new();
    let session = module.session();
    let key = secret_key(session, CKM_AES_KEY_GEN);
    let mut message = Message::new(CKG_GENERATE);
    start(session, key);
    assert_eq!(p11!(C_SessionCancel(session, CKF_MESSAGE_ENCRYPT)), CKR_OK);
    assert_eq!(encrypt(session, &mut message, b"x").0, CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(p11!(C_MessageDecryptInit(session, ptr::null_mut(), 0)), CKR_OK, "without a mechanism it is cancelled");
    assert_eq!(decrypt(session, &mut message, AAD, b"x").0, CKR_OPERATION_NOT_INITIALIZED);
    start(session, key);
    assert_eq!(encrypt(session, &mut message, b"x").0, CKR_OK);
    assert_eq!(p11!(C_DestroyObject(session, key)), CKR_OK);
    assert_eq!(encrypt(session, &mut message, b"x").0, CKR_KEY_HANDLE_INVALID);
    assert_eq!(p11!(C_MessageEncryptFinal(session)), CKR_OK);
    assert_eq!(p11!(C_MessageDecryptFinal(session)), CKR_OK);
    let key = raw::token_key(session);
    start(session, key);
    assert_eq!(p11!(C_Logout(session)), CKR_OK);
    assert_eq!(encrypt(session, &mut message, b"x").0, CKR_OPERATION_NOT_INITIALIZED);
}

#[test]
fn a_counter_counts_from_zero_in_the_bits_that_are_not_fixed() {
    let module = Module::new();
    let session = module.session();
    let key = secret_key(session, CKM_AES_KEY_GEN);
    start(session, key);
    let mut message = Message::new(CKG_GENERATE_COUNTER);
    message.params.ulIvFixedBits = 32;
    for count in 0..3u8 {
        assert_eq!(encrypt(session, &mut message, b"x").0, CKR_OK);
        assert_eq!(message.iv, [7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, count]);
    }
}

#[test]
fn a_key_is_wrapped_with_associated_data_and_comes_back_only_with_the_same() {
    let module = Module::new();
    let session = module.session();
    let (kek, key) = (secret_key(session, CKM_AES_KEY_GEN), secret_key(session, CKM_GENERIC_SECRET_KEY_GEN));
    for generator in [CKG_GENERATE, CKG_NO_GENERATE] {
        let mut message = Message::new(generator);
        let mut gcm = mechanism_with(CKM_AES_GCM, &message.params);
        let (mut out, mut len) = ([0u8; 64], 0);
        let mut wrap = |out: *mut u8, len: &mut CK_ULONG| {
            p11!(C_WrapKeyAuthenticated(
                session,
                &raw mut gcm,
                kek,
                key,
                text(AAD),
                length(AAD),
                out,
                ptr::from_mut(len)
            ))
        };
        assert_eq!((wrap(ptr::null_mut(), &mut len), len), (CKR_OK, 32));
        assert_eq!((message.iv, message.tag), ([7; 12], [0; 16]), "a question changes nothing");
        len = 31;
        assert_eq!((wrap(out.as_mut_ptr(), &mut len), len), (CKR_BUFFER_TOO_SMALL, 32));
        len = 64;
        assert_eq!((wrap(out.as_mut_ptr(), &mut len), len), (CKR_OK, 32));
        assert_eq!(message.iv == [7; 12], generator == CKG_NO_GENERATE);
        assert_ne!(message.tag, [0; 16]);
        let (class, kind, no, yes) = (CKO_SECRET_KEY, CKK_GENERIC_SECRET, CK_FALSE, CK_TRUE);
        let mut template = [
            attribute(CKA_CLASS, &class),
            attribute(CKA_KEY_TYPE, &kind),
            attribute(CKA_SENSITIVE, &no),
            attribute(CKA_SIGN, &yes),
            attribute(CKA_EXTRACTABLE, &yes),
        ];
        let mut unwrap = |message: &Message, aad: &[u8]| {
            let (mut gcm, mut handle) = (mechanism_with(CKM_AES_GCM, &message.params), 0);
            let count = template.len() as CK_ULONG;
            let rv = p11!(C_UnwrapKeyAuthenticated(
                session,
                &raw mut gcm,
                kek,
                out.as_mut_ptr(),
                32,
                template.as_mut_ptr(),
                count,
                text(aad),
                length(aad),
                &raw mut handle
            ));
            (rv, handle)
        };
        assert_eq!(unwrap(&message, b"other").0, CKR_AEAD_DECRYPT_FAILED);
        let (rv, back) = unwrap(&message, AAD);
        assert_eq!(rv, CKR_OK);
        assert_eq!(mac(session, back), mac(session, key));
        message.tag[0] ^= 0x80;
        assert_eq!(unwrap(&message, AAD).0, CKR_AEAD_DECRYPT_FAILED);
    }
    let message = Message::new(CKG_GENERATE_COUNTER);
    let (mut gcm, mut len) = (mechanism_with(CKM_AES_GCM, &message.params), 64);
    let mut out = [0u8; 64];
    let rv = p11!(C_WrapKeyAuthenticated(
        session,
        &raw mut gcm,
        kek,
        key,
        ptr::null_mut(),
        0,
        out.as_mut_ptr(),
        &raw mut len
    ));
    assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID, "each call would count from zero");
}

fn mac(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> [u8; 32] {
    let mut hmac = mechanism(CKM_SHA256_HMAC);
    assert_eq!(p11!(C_SignInit(session, &raw mut hmac, key)), CKR_OK);
    let (mut out, mut len) = ([0; 32], 32);
    assert_eq!(p11!(C_Sign(session, text(b"message"), 7, out.as_mut_ptr(), &raw mut len)), CKR_OK);
    out
}

/// `CKM_SR_ENVELOPE` (`include/strongroom.h`) with a context of so many bytes.
fn envelope(context: *const u8, len: CK_ULONG) -> CK_MECHANISM {
    CK_MECHANISM {
        mechanism: CKM_VENDOR_DEFINED | 0x5352_0001,
        pParameter: context.cast_mut().cast(),
        ulParameterLen: len,
    }
}

#[test]
fn an_envelope_is_made_and_opened_through_the_c_abi_and_its_return_values_are_those_of_the_header() {
    let module = Module::new();
    let session = module.session();
    let key = secret_key(session, CKM_AES_KEY_GEN);
    let mut info = CK_MECHANISM_INFO::default();
    assert_eq!(p11!(C_GetMechanismInfo(module.slot, envelope(ptr::null(), 0).mechanism, &raw mut info)), CKR_OK);
    assert_eq!(info.flags, CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP);
    assert_eq!((info.ulMinKeySize, info.ulMaxKeySize), (16, 32));

    let context = b"any bytes";
    let mut with = envelope(context.as_ptr(), length(context));
    assert_eq!(p11!(C_EncryptInit(session, &raw mut with, key)), CKR_OK);
    let mut len = 0;
    assert_eq!(p11!(C_Encrypt(session, text(b"data key"), 8, ptr::null_mut(), &raw mut len)), CKR_OK);
    let mut blob = vec![0; len as usize];
    let mut short = len - 1;
    let rv = p11!(C_Encrypt(session, text(b"data key"), 8, blob.as_mut_ptr(), &raw mut short));
    assert_eq!((rv, short), (CKR_BUFFER_TOO_SMALL, len));
    assert_eq!(p11!(C_Encrypt(session, text(b"data key"), 8, blob.as_mut_ptr(), &raw mut len)), CKR_OK);
    assert_eq!(len as usize, blob.len());
    assert!(blob.starts_with(b"SRB\x01\x01\x01"));

    let open = |with: &mut CK_MECHANISM, blob: &[u8]| {
        let mut out = [0xaa_u8; 64];
        let mut len = 64;
        assert_eq!(p11!(C_DecryptInit(session, with, key)), CKR_OK);
        let rv = p11!(C_Decrypt(session, text(blob), length(blob), out.as_mut_ptr(), &raw mut len));
        (rv, out[..if rv == CKR_OK { len as usize } else { 0 }].to_vec())
    };
    assert_eq!(open(&mut with, &blob), (CKR_OK, b"data key".to_vec()));
    assert_eq!(open(&mut envelope(ptr::null(), 0), &blob).0, CKR_ENCRYPTED_DATA_INVALID);
    assert_eq!(open(&mut with, &blob[1..]).0, CKR_ENCRYPTED_DATA_INVALID);
    assert_eq!(open(&mut with, b"").0, CKR_ENCRYPTED_DATA_INVALID);

    let long = vec![0_u8; 65_508];
    let mut room = vec![0_u8; 70_000];
    let mut len = 70_000;
    assert_eq!(p11!(C_EncryptInit(session, &raw mut with, key)), CKR_OK);
    let rv = p11!(C_Encrypt(session, text(&long), length(&long), room.as_mut_ptr(), &raw mut len));
    assert_eq!(rv, CKR_DATA_LEN_RANGE);
    let too_long = vec![0_u8; (1 << 16) + 1];
    for (context, len) in [(ptr::null(), 1), (context.as_ptr(), CK_ULONG::MAX), (too_long.as_ptr(), length(&too_long))]
    {
        let mut with = envelope(context, len);
        let rv = p11!(C_EncryptInit(session, &raw mut with, key));
        assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID, "{len}");
    }
}
