//! What every function says when nothing is there.

use std::ptr;

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*};

type Call = fn(&Hsm, CK_SESSION_HANDLE) -> CK_RV;

/// Functions of a session with arguments that are right but for it.
const CALLS: &[(&str, Call)] = &[
    ("C_CloseSession", |t, s| call!(t, C_CloseSession(s))),
    ("C_GetSessionInfo", |t, s| {
        // SAFETY: numbers.
        let mut info: CK_SESSION_INFO = unsafe { std::mem::zeroed() };
        call!(t, C_GetSessionInfo(s, &raw mut info))
    }),
    ("C_Login", |t, s| t.login(s, CKU_USER, USER_PIN)),
    ("C_Logout", |t, s| call!(t, C_Logout(s))),
    ("C_InitPIN", |t, s| call!(t, C_InitPIN(s, data(USER_PIN), length(USER_PIN)))),
    ("C_SetPIN", |t, s| call!(t, C_SetPIN(s, data(USER_PIN), length(USER_PIN), data(USER_PIN), length(USER_PIN)))),
    ("C_CreateObject", |t, s| {
        let attributes = [number(CKA_CLASS, CKO_DATA)];
        let (mut one, mut object) = (template(&attributes), 0);
        call!(t, C_CreateObject(s, one.as_mut_ptr(), 1, &raw mut object))
    }),
    ("C_DestroyObject", |t, s| call!(t, C_DestroyObject(s, 1))),
    ("C_CopyObject", |t, s| {
        let mut object = 0;
        call!(t, C_CopyObject(s, 1, ptr::null_mut(), 0, &raw mut object))
    }),
    ("C_GetAttributeValue", |t, s| {
        let mut one = CK_ATTRIBUTE { type_: CKA_LABEL, pValue: ptr::null_mut(), ulValueLen: 0 };
        call!(t, C_GetAttributeValue(s, 1, &raw mut one, 1))
    }),
    ("C_SetAttributeValue", |t, s| {
        let attributes = [bytes(CKA_LABEL, b"x")];
        let mut one = template(&attributes);
        call!(t, C_SetAttributeValue(s, 1, one.as_mut_ptr(), 1))
    }),
    ("C_FindObjectsInit", |t, s| call!(t, C_FindObjectsInit(s, ptr::null_mut(), 0))),
    ("C_FindObjectsFinal", |t, s| call!(t, C_FindObjectsFinal(s))),
    ("C_EncryptInit", |t, s| call!(t, C_EncryptInit(s, plain(CKM_AES_ECB).raw(), 1))),
    ("C_DecryptInit", |t, s| call!(t, C_DecryptInit(s, plain(CKM_AES_ECB).raw(), 1))),
    ("C_DigestInit", |t, s| call!(t, C_DigestInit(s, plain(CKM_SHA256).raw()))),
    ("C_DigestUpdate", |t, s| call!(t, C_DigestUpdate(s, data(b"x"), 1))),
    ("C_SignInit", |t, s| call!(t, C_SignInit(s, plain(CKM_SHA256_HMAC).raw(), 1))),
    ("C_VerifyInit", |t, s| call!(t, C_VerifyInit(s, plain(CKM_SHA256_HMAC).raw(), 1))),
    ("C_GenerateKey", |t, s| {
        let attributes = [number(CKA_VALUE_LEN, 16)];
        let (mut one, mut key) = (template(&attributes), 0);
        call!(t, C_GenerateKey(s, plain(CKM_AES_KEY_GEN).raw(), one.as_mut_ptr(), 1, &raw mut key))
    }),
    ("C_GenerateRandom", |t, s| {
        let mut one = [0; 1];
        call!(t, C_GenerateRandom(s, one.as_mut_ptr(), 1))
    }),
    ("C_GetOperationState", |t, s| {
        let (mut place, mut room) = ([0; 64], 64);
        call!(t, C_GetOperationState(s, place.as_mut_ptr(), &raw mut room))
    }),
    ("C_GetFunctionStatus", |t, s| call!(t, C_GetFunctionStatus(s))),
];

pub(crate) fn cases(list: &mut Cases) {
    list.group("Errors");
    for (name, run) in CALLS {
        let then = if *name == "C_CopyObject" { "ARGUMENTS_BAD" } else { "SESSION_HANDLE_INVALID" };
        let want = format!("CRYPTOKI_NOT_INITIALIZED {then}");
        list.add(format!("{name} before the module is initialised, and in no session"), want, |t| {
            t.rv(run(t, 1));
            t.token();
            t.rv(run(t, NOBODY));
        });
    }
    list.add("the handle zero", "SESSION_HANDLE_INVALID OBJECT_HANDLE_INVALID", |t| {
        let session = t.user();
        say!(t, C_CloseSession(0));
        say!(t, C_DestroyObject(session, 0));
    });
}
