//! Calls in an order that the specification does not have, and what it says of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod raw;

use std::ptr;

use cryptoki_sys::*;
use raw::{Module, mechanism, mechanism_with, text};

const IV: [u8; 16] = [7; 16];
const DATA: [u8; 32] = [1; 32];
const NO_OPERATION: CK_RV = CKR_OPERATION_NOT_INITIALIZED;

#[test]
fn what_was_not_begun_cannot_go_on() {
    let module = Module::new();
    let session = module.session();
    let (mut place, mut len, mut count) = ([0u8; 512], 512, 0);
    let (to, n, data) = (place.as_mut_ptr(), &raw mut len, text(&DATA));
    let values = [
        p11!(C_Encrypt(session, data, 32, to, n)),
        p11!(C_EncryptUpdate(session, data, 32, to, n)),
        p11!(C_EncryptFinal(session, to, n)),
        p11!(C_Decrypt(session, data, 32, to, n)),
        p11!(C_DecryptUpdate(session, data, 32, to, n)),
        p11!(C_DecryptFinal(session, to, n)),
        p11!(C_Digest(session, data, 32, to, n)),
        p11!(C_DigestUpdate(session, data, 32)),
        p11!(C_DigestFinal(session, to, n)),
        p11!(C_Sign(session, data, 32, to, n)),
        p11!(C_SignUpdate(session, data, 32)),
        p11!(C_SignFinal(session, to, n)),
        p11!(C_SignRecover(session, data, 32, to, n)),
        p11!(C_Verify(session, data, 32, data, 32)),
        p11!(C_VerifyUpdate(session, data, 32)),
        p11!(C_VerifyFinal(session, data, 32)),
        p11!(C_VerifyRecover(session, data, 32, to, n)),
        p11!(C_VerifySignature(session, data, 32)),
        p11!(C_VerifySignatureUpdate(session, data, 32)),
        p11!(C_VerifySignatureFinal(session)),
        p11!(C_DigestEncryptUpdate(session, data, 32, to, n)),
        p11!(C_DecryptDigestUpdate(session, data, 32, to, n)),
        p11!(C_SignEncryptUpdate(session, data, 32, to, n)),
        p11!(C_DecryptVerifyUpdate(session, data, 32, to, n)),
        p11!(C_GetOperationState(session, to, n)),
        p11!(C_FindObjects(session, to.cast(), 1, &raw mut count)),
        p11!(C_FindObjectsFinal(session)),
    ];
    for (index, rv) in values.into_iter().enumerate() {
        assert_eq!(rv, NO_OPERATION, "the call with index {index}");
    }
}

#[test]
fn what_is_going_on_cannot_be_begun_again() {
    let module = Module::new();
    let session = module.session();
    let (aes, secret) =
        (raw::secret_key(session, CKM_AES_KEY_GEN), raw::secret_key(session, CKM_GENERIC_SECRET_KEY_GEN));
    let (mut cbc, mut sha, mut hmac) =
        (mechanism_with(CKM_AES_CBC, &IV), mechanism(CKM_SHA256), mechanism(CKM_SHA256_HMAC));
    for want in [CKR_OK, CKR_OPERATION_ACTIVE] {
        assert_eq!(p11!(C_EncryptInit(session, &raw mut cbc, aes)), want);
        assert_eq!(p11!(C_DecryptInit(session, &raw mut cbc, aes)), want);
        assert_eq!(p11!(C_DigestInit(session, &raw mut sha)), want);
        assert_eq!(p11!(C_SignInit(session, &raw mut hmac, secret)), want);
        assert_eq!(p11!(C_VerifyInit(session, &raw mut hmac, secret)), want);
        assert_eq!(p11!(C_FindObjectsInit(session, ptr::null_mut(), 0)), want);
    }
    // A null mechanism ends its own kind of operation, and none of the others.
    let none = ptr::null_mut();
    assert_eq!(p11!(C_EncryptInit(session, none, 0)), CKR_OK);
    assert_eq!(p11!(C_EncryptInit(session, none, 0)), CKR_OK, "there need not be one");
    assert_eq!(p11!(C_EncryptInit(session, &raw mut cbc, aes)), CKR_OK);
    assert_eq!(p11!(C_DecryptInit(session, &raw mut cbc, aes)), CKR_OPERATION_ACTIVE);
    assert_eq!(p11!(C_DigestInit(session, none)), CKR_OK);
    assert_eq!(p11!(C_SignInit(session, none, 0)), CKR_OK);
    assert_eq!(p11!(C_VerifyInit(session, none, 0)), CKR_OK);
    assert_eq!(p11!(C_SignInit(session, &raw mut hmac, secret)), CKR_OK);
    assert_eq!(p11!(C_SessionCancel(session, CKF_ENCRYPT | CKF_DECRYPT)), CKR_OK);
    assert_eq!(p11!(C_DecryptInit(session, &raw mut cbc, aes)), CKR_OK);
    assert_eq!(p11!(C_SignInit(session, &raw mut hmac, secret)), CKR_OPERATION_ACTIVE);
}

#[test]
fn an_argument_that_is_refused_ends_the_operation() {
    let module = Module::new();
    let session = module.session();
    let key = raw::secret_key(session, CKM_AES_KEY_GEN);
    let secret = raw::secret_key(session, CKM_GENERIC_SECRET_KEY_GEN);
    let (mut cbc, mut sha, mut hmac) =
        (mechanism_with(CKM_AES_CBC, &IV), mechanism(CKM_SHA256), mechanism(CKM_SHA256_HMAC));
    let (mut place, mut len) = ([0u8; 64], 64);
    let (null, data, to, n) = (ptr::null_mut(), text(&DATA), place.as_mut_ptr(), &raw mut len);

    assert_eq!(p11!(C_EncryptInit(session, &raw mut cbc, key)), CKR_OK);
    assert_eq!(p11!(C_Encrypt(session, data, 32, to, ptr::null_mut())), CKR_ARGUMENTS_BAD);
    assert_eq!(p11!(C_Encrypt(session, data, 32, to, n)), NO_OPERATION);
    assert_eq!(p11!(C_EncryptInit(session, &raw mut cbc, key)), CKR_OK);
    assert_eq!(p11!(C_EncryptUpdate(session, null, 32, to, n)), CKR_ARGUMENTS_BAD);
    assert_eq!(p11!(C_EncryptFinal(session, to, n)), NO_OPERATION);

    assert_eq!(p11!(C_DigestInit(session, &raw mut sha)), CKR_OK);
    assert_eq!(p11!(C_DigestUpdate(session, null, 1)), CKR_ARGUMENTS_BAD);
    assert_eq!(p11!(C_DigestFinal(session, to, n)), NO_OPERATION);

    assert_eq!(p11!(C_VerifyInit(session, &raw mut hmac, secret)), CKR_OK);
    assert_eq!(p11!(C_Verify(session, data, 32, null, 32)), CKR_ARGUMENTS_BAD);
    assert_eq!(p11!(C_Verify(session, data, 32, data, 32)), NO_OPERATION);

    assert_eq!(p11!(C_SignInit(session, &raw mut hmac, secret)), CKR_OK);
    assert_eq!(p11!(C_SignUpdate(session, data, (1 << 32) + 8)), CKR_DATA_LEN_RANGE, "it is not cut to 32 bits");
    assert_eq!(p11!(C_SignFinal(session, to, n)), NO_OPERATION);
}

#[test]
fn parts_and_wholes_do_not_mix() {
    let module = Module::new();
    let session = module.session();
    let (mut sha, mut place, mut len) = (mechanism(CKM_SHA256), [0u8; 64], 64);
    let (to, n) = (place.as_mut_ptr(), &raw mut len);
    assert_eq!(p11!(C_DigestInit(session, &raw mut sha)), CKR_OK);
    assert_eq!(p11!(C_DigestUpdate(session, text(&DATA), 32)), CKR_OK);
    assert_eq!(p11!(C_Digest(session, text(&DATA), 32, to, n)), CKR_OPERATION_ACTIVE);
    assert_eq!(p11!(C_DigestFinal(session, to, n)), NO_OPERATION);
}

#[test]
fn a_session_must_be_there() {
    let module = Module::new();
    let session = module.session();
    assert_eq!(p11!(C_CloseSession(session)), CKR_OK);
    let mut info = CK_SESSION_INFO::default();
    let (mut bytes, mut hmac, mut key) = ([0u8; 16], mechanism(CKM_SHA256_HMAC), 0);
    for gone in [session, 0, CK_SESSION_HANDLE::MAX, 1 << 32 | session] {
        let values = [
            p11!(C_CloseSession(gone)),
            p11!(C_GetSessionInfo(gone, &raw mut info)),
            p11!(C_Logout(gone)),
            raw::login(gone, CKU_USER, raw::USER_PIN),
            p11!(C_GenerateRandom(gone, bytes.as_mut_ptr(), 16)),
            p11!(C_SeedRandom(gone, bytes.as_mut_ptr(), 16)),
            p11!(C_SignInit(gone, &raw mut hmac, 1)),
            p11!(C_FindObjectsInit(gone, ptr::null_mut(), 0)),
            p11!(C_CreateObject(gone, ptr::null_mut(), 0, &raw mut key)),
            p11!(C_SessionCancel(gone, 0)),
        ];
        for (index, rv) in values.into_iter().enumerate() {
            assert_eq!(rv, CKR_SESSION_HANDLE_INVALID, "the call with index {index} on {gone:#x}");
        }
    }
}

#[test]
fn sessions_are_opened_as_the_specification_says() {
    let module = Module::new();
    let (slot, mut session) = (module.slot, 0);
    let mut open = |slot, flags, to: bool| {
        let to = if to { &raw mut session } else { ptr::null_mut() };
        p11!(C_OpenSession(slot, flags, ptr::null_mut(), None, to))
    };
    assert_eq!(open(slot, 0, true), CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    assert_eq!(open(slot, CKF_RW_SESSION, true), CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    assert_eq!(open(slot, raw::SERIAL | CKF_ASYNC_SESSION, true), CKR_SESSION_ASYNC_NOT_SUPPORTED);
    assert_eq!(open(slot, raw::SERIAL, false), CKR_ARGUMENTS_BAD);
    assert_eq!(open(12345, raw::SERIAL, true), CKR_SLOT_ID_INVALID);
    assert_eq!(open(slot, raw::SERIAL, true), CKR_OK);
}

#[test]
fn asking_for_the_length_of_a_double_step_changes_nothing() {
    let module = Module::new();
    let session = module.session();
    let key = raw::secret_key(session, CKM_AES_KEY_GEN);
    let (mut cbc, mut sha) = (mechanism_with(CKM_AES_CBC, &IV), mechanism(CKM_SHA256));
    let (mut place, mut little, mut enough) = ([0u8; 64], 1, 64);
    let (data, to, n) = (text(&DATA), place.as_mut_ptr(), &raw mut enough);
    assert_eq!(p11!(C_DigestInit(session, &raw mut sha)), CKR_OK);
    assert_eq!(p11!(C_EncryptInit(session, &raw mut cbc, key)), CKR_OK);
    assert_eq!(p11!(C_DigestEncryptUpdate(session, data, 32, ptr::null_mut(), n)), CKR_OK);
    assert_eq!(p11!(C_DigestEncryptUpdate(session, data, 32, to, &raw mut little)), CKR_BUFFER_TOO_SMALL);
    enough = 64;
    std::hint::black_box(&mut enough); // It is written through the pointer above.
    assert_eq!(p11!(C_Digest(session, data, 32, to, n)), CKR_OK, "a whole message: nothing was fed");
    assert_eq!(p11!(C_Encrypt(session, data, 32, to, n)), CKR_OK);
}
