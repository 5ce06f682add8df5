//! Initialisation, information about the module and its slots.

use std::ptr;

use cryptoki_sys::*;

use crate::{case::Cases, hsm::*};

fn arguments(flags: CK_FLAGS) -> CK_C_INITIALIZE_ARGS {
    CK_C_INITIALIZE_ARGS {
        CreateMutex: None,
        DestroyMutex: None,
        LockMutex: None,
        UnlockMutex: None,
        flags,
        pReserved: ptr::null_mut(),
    }
}

unsafe extern "C" fn create(place: *mut *mut std::ffi::c_void) -> CK_RV {
    // SAFETY: the module gives the place of a pointer.
    unsafe { *place = ptr::null_mut() };
    CKR_OK
}

unsafe extern "C" fn nothing(_: *mut std::ffi::c_void) -> CK_RV {
    CKR_OK
}

pub(crate) fn cases(list: &mut Cases) {
    list.group("Initialisation and information");
    list.add("initialise with nothing, and finalise", "OK OK", |t| {
        say!(t, C_Initialize(ptr::null_mut()));
        say!(t, C_Finalize(ptr::null_mut()));
    });
    list.add("initialise twice", "OK CRYPTOKI_ALREADY_INITIALIZED", |t| {
        say!(t, C_Initialize(ptr::null_mut()));
        say!(t, C_Initialize(ptr::null_mut()));
    });
    list.add("initialise again after the end", "OK OK OK OK", |t| {
        for _ in 0..2 {
            say!(t, C_Initialize(ptr::null_mut()));
            say!(t, C_Finalize(ptr::null_mut()));
        }
    });
    list.add("finalise what was not initialised", "CRYPTOKI_NOT_INITIALIZED", |t| {
        say!(t, C_Finalize(ptr::null_mut()));
    });
    list.add("finalise with an argument", "OK ARGUMENTS_BAD", |t| {
        say!(t, C_Initialize(ptr::null_mut()));
        say!(t, C_Finalize((&raw const *t).cast_mut().cast()));
    });
    list.add("initialise with something reserved", "ARGUMENTS_BAD", |t| {
        let mut all = arguments(CKF_OS_LOCKING_OK);
        all.pReserved = (&raw const *t).cast_mut().cast();
        say!(t, C_Initialize((&raw mut all).cast()));
    });
    list.add("initialise with some locking functions only", "ARGUMENTS_BAD", |t| {
        let mut all = arguments(0);
        all.CreateMutex = Some(create);
        say!(t, C_Initialize((&raw mut all).cast()));
    });
    list.add("initialise with locking functions and no other choice", "OK", |t| {
        let mut all = arguments(0);
        all.CreateMutex = Some(create);
        all.DestroyMutex = Some(nothing);
        all.LockMutex = Some(nothing);
        all.UnlockMutex = Some(nothing);
        say!(t, C_Initialize((&raw mut all).cast()));
    });
    list.add("initialise with locking functions or the system's", "OK", |t| {
        let mut all = arguments(CKF_OS_LOCKING_OK);
        all.CreateMutex = Some(create);
        all.DestroyMutex = Some(nothing);
        all.LockMutex = Some(nothing);
        all.UnlockMutex = Some(nothing);
        say!(t, C_Initialize((&raw mut all).cast()));
    });
    list.add("initialise and forbid threads", "OK", |t| {
        let mut all = arguments(CKF_LIBRARY_CANT_CREATE_OS_THREADS | CKF_OS_LOCKING_OK);
        say!(t, C_Initialize((&raw mut all).cast()));
    });
    list.add("information about what was not initialised", "CRYPTOKI_NOT_INITIALIZED", |t| {
        // SAFETY: numbers and bytes.
        let mut info: CK_INFO = unsafe { std::mem::zeroed() };
        say!(t, C_GetInfo(&raw mut info));
    });
    list.add("the version of the interface", "OK 2.40 0", |t| {
        t.start();
        // SAFETY: numbers and bytes.
        let mut info: CK_INFO = unsafe { std::mem::zeroed() };
        say!(t, C_GetInfo(&raw mut info));
        t.word(format!("{}.{}", info.cryptokiVersion.major, info.cryptokiVersion.minor));
        t.word(info.flags);
    });
    list.add("the version of the function list", "2.40", |t| {
        t.word(format!("{}.{}", t.list.version.major, t.list.version.minor));
    });
    list.add("information to nowhere", "ARGUMENTS_BAD ARGUMENTS_BAD ARGUMENTS_BAD", |t| {
        t.start();
        say!(t, C_GetInfo(ptr::null_mut()));
        say!(t, C_GetSlotInfo(t.slot, ptr::null_mut()));
        say!(t, C_GetTokenInfo(t.slot, ptr::null_mut()));
    });
    list.add("the function list to nowhere", "ARGUMENTS_BAD", |t| {
        say!(t, C_GetFunctionList(ptr::null_mut()));
    });
    list.add("the functions of old about parallel work", "FUNCTION_NOT_PARALLEL FUNCTION_NOT_PARALLEL", |t| {
        let session = t.user();
        say!(t, C_GetFunctionStatus(session));
        say!(t, C_CancelFunction(session));
    });

    list.group("Slots");
    list.add("slots of an empty store", "1 1", |t| {
        t.start();
        t.word(t.slots(CK_FALSE).len());
        t.word(t.slots(CK_TRUE).len());
    });
    list.add("slots once there is a token", "1 2", |t| {
        t.officer_only();
        t.word(t.slots(CK_TRUE).len());
        call!(t, C_Finalize(ptr::null_mut()));
        call!(t, C_Initialize(ptr::null_mut()));
        t.word(t.slots(CK_TRUE).len());
    });
    list.add("a token's slot after the end", "other", |t| {
        t.officer_only();
        let before = t.slot;
        call!(t, C_Finalize(ptr::null_mut()));
        t.start();
        t.word(if t.slot == before { "same" } else { "other" });
    });
    list.add("the list of slots in the room that was enough before a token was made", "OK 1", |t| {
        t.start();
        let (mut slots, mut count) = ([0; 1], 0);
        call!(t, C_GetSlotList(CK_TRUE, ptr::null_mut(), &raw mut count));
        t.init_token(OFFICER_PIN, "case");
        say!(t, C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count));
        t.word(count);
    });
    list.add("the list of slots in too small a place", "BUFFER_TOO_SMALL 1", |t| {
        t.start();
        let (mut slots, mut count) = ([0; 1], 0);
        say!(t, C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count));
        t.word(count);
    });
    list.add("the list of slots without a count", "ARGUMENTS_BAD", |t| {
        t.start();
        say!(t, C_GetSlotList(CK_TRUE, ptr::null_mut(), ptr::null_mut()));
    });
    list.add("a slot that is not there", "SLOT_ID_INVALID SLOT_ID_INVALID SLOT_ID_INVALID SLOT_ID_INVALID", |t| {
        t.start();
        // SAFETY: numbers and bytes.
        let (mut slot, mut token): (CK_SLOT_INFO, CK_TOKEN_INFO) = unsafe { std::mem::zeroed() };
        let (mut count, mut session) = (0, 0);
        say!(t, C_GetSlotInfo(NOBODY, &raw mut slot));
        say!(t, C_GetTokenInfo(NOBODY, &raw mut token));
        say!(t, C_GetMechanismList(NOBODY, ptr::null_mut(), &raw mut count));
        say!(t, C_OpenSession(NOBODY, WRITER, ptr::null_mut(), None, &raw mut session));
    });
    list.add("a slot's flags", "1", |t| {
        t.start();
        // SAFETY: numbers and bytes.
        let mut slot: CK_SLOT_INFO = unsafe { std::mem::zeroed() };
        call!(t, C_GetSlotInfo(t.slot, &raw mut slot));
        t.word(slot.flags);
    });
    list.add("a slot event without waiting", "NO_EVENT", |t| {
        t.start();
        let mut slot = 0;
        say!(t, C_WaitForSlotEvent(CKF_DONT_BLOCK, &raw mut slot, ptr::null_mut()));
    });
    list.add("the list of mechanisms in too small a place", "BUFFER_TOO_SMALL more", |t| {
        t.start();
        let (mut one, mut count) = ([0; 1], 1);
        say!(t, C_GetMechanismList(t.slot, one.as_mut_ptr(), &raw mut count));
        t.word(if count > 1 { "more" } else { "one" });
    });
    list.add("a mechanism that is not there", "MECHANISM_INVALID", |t| {
        t.start();
        // SAFETY: numbers.
        let mut info: CK_MECHANISM_INFO = unsafe { std::mem::zeroed() };
        say!(t, C_GetMechanismInfo(t.slot, 0x8765_4321, &raw mut info));
    });
    for (mechanism, name, want) in [
        (CKM_RSA_PKCS, "RSA_PKCS", "OK 512 16384 62b00"),
        (CKM_RSA_PKCS_PSS, "RSA_PKCS_PSS", "OK 512 16384 2800"),
        (CKM_RSA_PKCS_KEY_PAIR_GEN, "RSA_PKCS_KEY_PAIR_GEN", "OK 512 16384 10000"),
        (CKM_EC_KEY_PAIR_GEN, "EC_KEY_PAIR_GEN", "OK 112 521 1910000"),
        (CKM_ECDSA, "ECDSA", "OK 112 521 1902800"),
        (CKM_AES_KEY_GEN, "AES_KEY_GEN", "OK 16 32 8000"),
        (CKM_AES_CBC, "AES_CBC", "OK 16 32 20300"),
        (CKM_AES_CBC_PAD, "AES_CBC_PAD", "OK 16 32 300"),
        (CKM_AES_GCM, "AES_GCM", "OK 16 32 300"),
        (CKM_AES_CMAC, "AES_CMAC", "OK 16 32 2800"),
        (CKM_SHA256, "SHA256", "OK 0 0 400"),
        (CKM_SHA256_HMAC, "SHA256_HMAC", "OK 32 512 2800"),
        (CKM_GENERIC_SECRET_KEY_GEN, "GENERIC_SECRET_KEY_GEN", "OK 1 2147483648 8000"),
        (CKM_MD5, "MD5", "OK 0 0 400"),
        (CKM_DES3_CBC, "DES3_CBC", "OK 0 0 20300"),
        (CKM_DES2_KEY_GEN, "DES2_KEY_GEN", "OK 0 0 8000"),
        (CKM_DSA_SHA256, "DSA_SHA256", "OK 512 1024 2800"),
        (CKM_DH_PKCS_DERIVE, "DH_PKCS_DERIVE", "OK 512 10000 80000"),
        (CKM_AES_CBC_ENCRYPT_DATA, "AES_CBC_ENCRYPT_DATA", "OK 0 0 80000"),
        (CKM_ECDH1_COFACTOR_DERIVE, "ECDH1_COFACTOR_DERIVE", "MECHANISM_INVALID 0 0 0"),
        (CKM_AES_CTS, "AES_CTS", "MECHANISM_INVALID 0 0 0"),
    ] {
        list.add(format!("information about CKM_{name}"), want, move |t| {
            t.start();
            // SAFETY: numbers.
            let mut info: CK_MECHANISM_INFO = unsafe { std::mem::zeroed() };
            say!(t, C_GetMechanismInfo(t.slot, mechanism, &raw mut info));
            t.word(info.ulMinKeySize);
            t.word(info.ulMaxKeySize);
            t.word(format!("{:x}", info.flags));
        });
    }
}
