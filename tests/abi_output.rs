//! PKCS#11, 5.2, for every function with an output of variable length; and outputs that overlap inputs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod raw;

use std::ptr;

use cryptoki_sys::*;
use raw::{Module, length, mechanism, mechanism_with, text};

const CANARY: u8 = 0xa5;

/// Keeps the convention with one call: `start` brings the session to where `call` puts something out, and
/// `exact` says whether the length that is told is the length that comes.
fn keeps_the_convention(
    name: &str,
    exact: bool,
    start: impl Fn(),
    call: impl Fn(*mut CK_BYTE, *mut CK_ULONG) -> CK_RV,
) -> Vec<u8> {
    start();
    assert_eq!(call(ptr::null_mut(), ptr::null_mut()), CKR_ARGUMENTS_BAD, "{name}: no place for the length");

    start();
    let mut told = CK_ULONG::MAX - 1;
    assert_eq!(call(ptr::null_mut(), &raw mut told), CKR_OK, "{name}: asking for the length");
    let told_first = told;
    assert!(told > 0 && told < 100_000, "{name}: {told}");
    assert_eq!(call(ptr::null_mut(), &raw mut told), CKR_OK, "{name}: asking ends nothing");
    assert_eq!(told, told_first);

    let mut buffer = vec![CANARY; told as usize + 64];
    for small in [0, 1] {
        let mut len = small;
        assert_eq!(call(buffer.as_mut_ptr(), &raw mut len), CKR_BUFFER_TOO_SMALL, "{name}: {small} bytes of room");
        assert!(len > small && len <= told, "{name}: the length is told when the buffer is too small");
        assert!(buffer.iter().all(|byte| *byte == CANARY), "{name}: and nothing is written");
    }

    // More room than there is: what is claimed is not believed, and what is written fits.
    let mut len = CK_ULONG::MAX;
    assert_eq!(call(buffer.as_mut_ptr(), &raw mut len), CKR_OK, "{name}: a buffer too small ends nothing");
    assert!(if exact { len == told } else { len <= told }, "{name}: {len} of {told}");
    assert!(buffer[len as usize..].iter().all(|byte| *byte == CANARY), "{name}: nothing is written behind the end");
    buffer.truncate(len as usize);
    buffer
}

/// An initialisation whose success is not in question.
fn begun(rv: CK_RV) {
    assert_eq!(rv, CKR_OK);
}

const IV: [u8; 16] = [7; 16];
const DATA: [u8; 48] = *b"what is encrypted, signed, digested and so on...";

fn cancel(session: CK_SESSION_HANDLE) {
    begun(p11!(C_SessionCancel(session, CK_FLAGS::MAX)));
}

#[test]
fn encryption_and_decryption() {
    // The last block has some text beside its padding: of what is nothing, no room is too little.
    const PLAIN: &[u8] = DATA.split_at(45).0;
    let module = Module::new();
    let session = module.session();
    let key = raw::secret_key(session, CKM_AES_KEY_GEN);
    let mut cbc = mechanism_with(CKM_AES_CBC_PAD, &IV);
    let mechanism = &raw mut cbc;
    let encrypt = || {
        cancel(session);
        begun(p11!(C_EncryptInit(session, mechanism, key)));
    };
    let decrypt = || {
        cancel(session);
        begun(p11!(C_DecryptInit(session, mechanism, key)));
    };

    let whole = keeps_the_convention("C_Encrypt", true, encrypt, |to, len| {
        p11!(C_Encrypt(session, text(PLAIN), length(PLAIN), to, len))
    });
    let mut parts = keeps_the_convention("C_EncryptUpdate", true, encrypt, |to, len| {
        p11!(C_EncryptUpdate(session, text(PLAIN), length(PLAIN), to, len))
    });
    let last = keeps_the_convention(
        "C_EncryptFinal",
        true,
        || {
            encrypt();
            let (mut place, mut len) = ([0; 64], 64);
            begun(p11!(C_EncryptUpdate(session, text(PLAIN), length(PLAIN), place.as_mut_ptr(), &raw mut len)));
        },
        |to, len| p11!(C_EncryptFinal(session, to, len)),
    );
    parts.extend(last);
    assert_eq!(whole, parts);

    let plain = keeps_the_convention("C_Decrypt", false, decrypt, |to, len| {
        p11!(C_Decrypt(session, text(&whole), length(&whole), to, len))
    });
    assert_eq!(plain, PLAIN);
    let mut parts = keeps_the_convention("C_DecryptUpdate", false, decrypt, |to, len| {
        p11!(C_DecryptUpdate(session, text(&whole), length(&whole), to, len))
    });
    let last = keeps_the_convention(
        "C_DecryptFinal",
        false,
        || {
            decrypt();
            let (mut place, mut len) = ([0; 64], 64);
            let rv = p11!(C_DecryptUpdate(session, text(&whole), length(&whole), place.as_mut_ptr(), &raw mut len));
            begun(rv);
        },
        |to, len| p11!(C_DecryptFinal(session, to, len)),
    );
    parts.extend(last);
    assert_eq!(parts, PLAIN);
}

#[test]
fn digests_signatures_and_macs() {
    let module = Module::new();
    let session = module.session();
    let mut sha256 = mechanism(CKM_SHA256);
    let sha256 = &raw mut sha256;
    let digest = || {
        cancel(session);
        begun(p11!(C_DigestInit(session, sha256)));
    };
    let whole =
        keeps_the_convention("C_Digest", true, digest, |to, len| p11!(C_Digest(session, text(&DATA), 48, to, len)));
    let parts = keeps_the_convention(
        "C_DigestFinal",
        true,
        || {
            digest();
            begun(p11!(C_DigestUpdate(session, text(&DATA), 48)));
        },
        |to, len| p11!(C_DigestFinal(session, to, len)),
    );
    assert_eq!(whole, parts);

    let (secret, (_, private)) = (raw::secret_key(session, CKM_GENERIC_SECRET_KEY_GEN), raw::signing_pair(session));
    for (id, key) in [(CKM_SHA256_HMAC, secret), (CKM_ECDSA_SHA256, private)] {
        let mut mechanism = mechanism(id);
        let mechanism = &raw mut mechanism;
        let sign = || {
            cancel(session);
            begun(p11!(C_SignInit(session, mechanism, key)));
        };
        keeps_the_convention("C_Sign", true, sign, |to, len| p11!(C_Sign(session, text(&DATA), 48, to, len)));
        let fed = || {
            sign();
            begun(p11!(C_SignUpdate(session, text(&DATA), 48)));
        };
        keeps_the_convention("C_SignFinal", true, fed, |to, len| p11!(C_SignFinal(session, to, len)));
    }
}

#[test]
fn two_operations_at_once() {
    let module = Module::new();
    let session = module.session();
    let key = raw::secret_key(session, CKM_AES_KEY_GEN);
    let secret = raw::secret_key(session, CKM_GENERIC_SECRET_KEY_GEN);
    let (mut cbc, mut sha256, mut hmac) =
        (mechanism_with(CKM_AES_CBC, &IV), mechanism(CKM_SHA256), mechanism(CKM_SHA256_HMAC));
    let (cbc, sha256, hmac) = (&raw mut cbc, &raw mut sha256, &raw mut hmac);
    let both = |first: CK_RV, second: CK_RV| begun(first | second);

    let encrypted = keeps_the_convention(
        "C_DigestEncryptUpdate",
        true,
        || {
            cancel(session);
            both(p11!(C_DigestInit(session, sha256)), p11!(C_EncryptInit(session, cbc, key)));
        },
        |to, len| p11!(C_DigestEncryptUpdate(session, text(&DATA), 48, to, len)),
    );
    let signed = keeps_the_convention(
        "C_SignEncryptUpdate",
        true,
        || {
            cancel(session);
            both(p11!(C_SignInit(session, hmac, secret)), p11!(C_EncryptInit(session, cbc, key)));
        },
        |to, len| p11!(C_SignEncryptUpdate(session, text(&DATA), 48, to, len)),
    );
    assert_eq!(encrypted, signed);
    let plain = keeps_the_convention(
        "C_DecryptDigestUpdate",
        true,
        || {
            cancel(session);
            both(p11!(C_DigestInit(session, sha256)), p11!(C_DecryptInit(session, cbc, key)));
        },
        |to, len| p11!(C_DecryptDigestUpdate(session, text(&encrypted), 48, to, len)),
    );
    assert_eq!(plain, DATA);
    let plain = keeps_the_convention(
        "C_DecryptVerifyUpdate",
        true,
        || {
            cancel(session);
            both(p11!(C_VerifyInit(session, hmac, secret)), p11!(C_DecryptInit(session, cbc, key)));
        },
        |to, len| p11!(C_DecryptVerifyUpdate(session, text(&encrypted), 48, to, len)),
    );
    assert_eq!(plain, DATA);
}

#[test]
fn signatures_with_recovery() {
    let module = Module::new();
    let session = module.session();
    let (public, private) = raw::rsa_pair(session);
    let mut mechanism = mechanism(CKM_RSA_PKCS);
    let mechanism = &raw mut mechanism;
    let mut info = CK_MECHANISM_INFO::default();
    begun(p11!(C_GetMechanismInfo(module.slot, CKM_RSA_PKCS, &raw mut info)));
    if info.flags & CKF_SIGN_RECOVER == 0 {
        let rv = p11!(C_SignRecoverInit(session, mechanism, private));
        assert_eq!(rv, CKR_MECHANISM_INVALID, "what is not offered is refused");
        return;
    }
    let signature = keeps_the_convention(
        "C_SignRecover",
        true,
        || {
            cancel(session);
            begun(p11!(C_SignRecoverInit(session, mechanism, private)));
        },
        |to, len| p11!(C_SignRecover(session, text(&DATA), 48, to, len)),
    );
    let data = keeps_the_convention(
        "C_VerifyRecover",
        false,
        || {
            cancel(session);
            begun(p11!(C_VerifyRecoverInit(session, mechanism, public)));
        },
        |to, len| p11!(C_VerifyRecover(session, text(&signature), length(&signature), to, len)),
    );
    assert_eq!(data, DATA);
}

#[test]
fn wrapped_keys() {
    let module = Module::new();
    let session = module.session();
    let wrapping = raw::secret_key(session, CKM_AES_KEY_GEN);
    let key = raw::secret_key(session, CKM_GENERIC_SECRET_KEY_GEN);
    let mut mechanism = mechanism(CKM_AES_KEY_WRAP_KWP);
    let mechanism = &raw mut mechanism;
    let wrapped = keeps_the_convention(
        "C_WrapKey",
        true,
        || (),
        |to, len| p11!(C_WrapKey(session, mechanism, wrapping, key, to, len)),
    );
    assert_eq!(wrapped.len(), 40);
}

#[test]
fn a_state_that_cannot_be_saved_has_no_length() {
    let module = Module::new();
    let (session, mut len) = (module.session(), 5);
    assert_eq!(p11!(C_GetOperationState(session, ptr::null_mut(), ptr::null_mut())), CKR_ARGUMENTS_BAD);
    assert_eq!(p11!(C_GetOperationState(session, ptr::null_mut(), &raw mut len)), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(len, 5);
}

#[test]
fn lists_are_counted_refused_and_written() {
    let module = Module::new();
    let mut count = 0;
    assert_eq!(p11!(C_GetMechanismList(module.slot, ptr::null_mut(), &raw mut count)), CKR_OK);
    let all = count;
    assert!(all > 20, "{all}");
    let mut places = vec![CK_MECHANISM_TYPE::MAX; all as usize];
    count = all - 1;
    let rv = p11!(C_GetMechanismList(module.slot, places.as_mut_ptr(), &raw mut count));
    assert_eq!((rv, count), (CKR_BUFFER_TOO_SMALL, all));
    assert!(places.iter().all(|place| *place == CK_MECHANISM_TYPE::MAX), "nothing is written");
    assert_eq!(p11!(C_GetMechanismList(module.slot, places.as_mut_ptr(), &raw mut count)), CKR_OK);
    assert!(places.iter().all(|place| *place != CK_MECHANISM_TYPE::MAX));
    assert_eq!(p11!(C_GetMechanismList(module.slot, places.as_mut_ptr(), ptr::null_mut())), CKR_ARGUMENTS_BAD);

    // The token was made since the slots were counted.
    let (mut slot, mut count) = (CK_SLOT_ID::MAX, 1);
    assert_eq!(p11!(C_GetSlotList(CK_TRUE, &raw mut slot, &raw mut count)), CKR_OK);
    assert_eq!((slot, count), (module.slot, 1), "as many as were counted");
    assert_eq!(p11!(C_GetSlotList(CK_TRUE, ptr::null_mut(), &raw mut count)), CKR_OK);
    let (mut slot, mut count) = (CK_SLOT_ID::MAX, 0);
    assert_eq!(p11!(C_GetSlotList(CK_TRUE, &raw mut slot, &raw mut count)), CKR_BUFFER_TOO_SMALL);
    assert_eq!((slot, count), (CK_SLOT_ID::MAX, 2), "the token, and the one that could be made");
    assert_eq!(p11!(C_GetSlotList(CK_TRUE, ptr::null_mut(), ptr::null_mut())), CKR_ARGUMENTS_BAD);
}

#[test]
fn output_may_overlap_input_in_any_way() {
    let module = Module::new();
    let session = module.session();
    let key = raw::secret_key(session, CKM_AES_KEY_GEN);
    let counter = CK_AES_CTR_PARAMS { ulCounterBits: 128, cb: IV };
    let nonce = [1u8; 12];
    let gcm = CK_GCM_PARAMS {
        pIv: text(&nonce),
        ulIvLen: 12,
        ulIvBits: 96,
        pAAD: ptr::null_mut(),
        ulAADLen: 0,
        ulTagBits: 128,
    };
    let mechanisms = [
        mechanism_with(CKM_AES_CBC, &IV),
        mechanism_with(CKM_AES_CBC_PAD, &IV),
        mechanism_with(CKM_AES_CTR, &counter),
        mechanism_with(CKM_AES_GCM, &gcm),
    ];
    let plain: Vec<u8> = (0..160u8).collect();
    for mut mechanism in mechanisms {
        let mechanism = &raw mut mechanism;
        let run = |memory: &mut [u8], from: usize, len: usize, to: usize, decrypt: bool| {
            let mut room = (memory.len() - to) as CK_ULONG;
            let base = memory.as_mut_ptr();
            let (input, output) = (base.wrapping_add(from), base.wrapping_add(to));
            let rv = if decrypt {
                begun(p11!(C_DecryptInit(session, mechanism, key)));
                p11!(C_Decrypt(session, input, len as CK_ULONG, output, &raw mut room))
            } else {
                begun(p11!(C_EncryptInit(session, mechanism, key)));
                p11!(C_Encrypt(session, input, len as CK_ULONG, output, &raw mut room))
            };
            assert_eq!(rv, CKR_OK);
            memory[to..to + room as usize].to_vec()
        };
        let mut apart = vec![0; 1024];
        apart[..160].copy_from_slice(&plain);
        let encrypted = run(&mut apart, 0, 160, 512, false);
        for (from, to) in [(64, 64), (64, 63), (64, 65), (64, 80), (80, 64), (64, 223), (64, 224), (0, 300)] {
            let mut memory = vec![0; 1024];
            memory[from..from + 160].copy_from_slice(&plain);
            assert_eq!(run(&mut memory, from, 160, to, false), encrypted, "{from} to {to}");
            let mut memory = vec![0; 1024];
            memory[from..from + encrypted.len()].copy_from_slice(&encrypted);
            assert_eq!(run(&mut memory, from, encrypted.len(), to, true), plain, "{from} to {to}");
        }
    }

    // A signature over the bytes that it replaces.
    let (public, private) = raw::signing_pair(session);
    let mut mechanism = mechanism(CKM_ECDSA_SHA256);
    let mut memory = DATA;
    let mut memory = [&mut memory[..], &mut [0; 32]].concat();
    let mut len = length(&memory);
    begun(p11!(C_SignInit(session, &raw mut mechanism, private)));
    begun(p11!(C_Sign(session, memory.as_mut_ptr(), 48, memory.as_mut_ptr(), &raw mut len)));
    begun(p11!(C_VerifyInit(session, &raw mut mechanism, public)));
    begun(p11!(C_Verify(session, text(&DATA), 48, memory.as_mut_ptr(), len)));
}

#[test]
fn attributes_are_told_as_far_as_they_can_be() {
    let module = Module::new();
    let session = module.session();
    let (mut label, mut value) = (*b"a label", [1u8; 20]);
    let (class, kind, yes, no) = (CKO_SECRET_KEY, CKK_GENERIC_SECRET, CK_TRUE, CK_FALSE);
    let mut template = [
        raw::attribute(CKA_CLASS, &class),
        raw::attribute(CKA_KEY_TYPE, &kind),
        raw::attribute(CKA_TOKEN, &no),
        raw::attribute(CKA_SENSITIVE, &yes),
        raw::attribute(CKA_LABEL, &label),
        raw::attribute(CKA_VALUE, &value),
    ];
    let mut key = 0;
    begun(p11!(C_CreateObject(session, template.as_mut_ptr(), 6, &raw mut key)));
    (label, value) = ([CANARY; 7], [CANARY; 20]);
    let mut class = 0 as CK_OBJECT_CLASS;
    let mut small = [CANARY; 3];
    let at = |type_, place: *mut u8, len| CK_ATTRIBUTE { type_, pValue: place.cast(), ulValueLen: len };
    let mut asked = [
        at(CKA_VALUE, value.as_mut_ptr(), 20),
        at(CKA_LABEL, small.as_mut_ptr(), 3),
        at(CKA_MODULUS, ptr::null_mut(), 0),
        at(CKA_LABEL, label.as_mut_ptr(), 7),
        at(CKA_CLASS, (&raw mut class).cast(), 8),
        at(CKA_LABEL, ptr::null_mut(), 0),
    ];
    let rv = p11!(C_GetAttributeValue(session, key, asked.as_mut_ptr(), 6));
    assert_eq!(rv, CKR_ATTRIBUTE_SENSITIVE);
    const NO: CK_ULONG = CK_UNAVAILABLE_INFORMATION;
    assert_eq!(asked.map(|attribute| attribute.ulValueLen), [NO, NO, NO, 7, 8, 7]);
    assert_eq!((&label, class), (b"a label", CKO_SECRET_KEY));
    assert_eq!((value, small), ([CANARY; 20], [CANARY; 3]), "what cannot be told is not written");
    assert_eq!(p11!(C_GetAttributeValue(session, key, asked[1..].as_mut_ptr(), 5)), CKR_ATTRIBUTE_TYPE_INVALID);
    asked[1].ulValueLen = 3;
    assert_eq!(p11!(C_GetAttributeValue(session, key, asked[1..].as_mut_ptr(), 1)), CKR_BUFFER_TOO_SMALL);
    assert_eq!(p11!(C_GetAttributeValue(session, key, asked[3..].as_mut_ptr(), 2)), CKR_OK);
}

#[test]
fn the_length_of_a_decryption_in_parts_is_never_told_as_nothing() {
    let module = Module::new();
    let session = module.session();
    let key = raw::secret_key(session, CKM_AES_KEY_GEN);
    let mut nonce = [1; 12];
    let params = CK_GCM_PARAMS {
        pIv: nonce.as_mut_ptr(),
        ulIvLen: 12,
        ulIvBits: 96,
        pAAD: ptr::null_mut(),
        ulAADLen: 0,
        ulTagBits: 128,
    };
    let mut gcm = mechanism_with(CKM_AES_GCM, &params);
    let (mut told, mut room, mut place) = (0, 48, [0; 48]);
    begun(p11!(C_DecryptInit(session, &raw mut gcm, key)));
    assert_eq!(p11!(C_DecryptUpdate(session, text(&DATA), 48, ptr::null_mut(), &raw mut told)), CKR_OK);
    assert_eq!(told, 48, "an upper bound");
    assert_eq!(p11!(C_DecryptUpdate(session, text(&DATA), 48, place.as_mut_ptr(), &raw mut room)), CKR_OK);
    assert_eq!((room, place), (0, [0; 48]), "nothing comes before its tag was checked");
}

#[test]
fn oaep_without_a_source_has_the_empty_label() {
    let module = Module::new();
    let session = module.session();
    let (public, private) = raw::rsa_pair(session);
    let oaep = |source| CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA256,
        mgf: CKG_MGF1_SHA256,
        source,
        pSourceData: ptr::null_mut(),
        ulSourceDataLen: 0,
    };
    let (with, without) = (oaep(CKZ_DATA_SPECIFIED), oaep(0));
    let (mut with, mut without) =
        (mechanism_with(CKM_RSA_PKCS_OAEP, &with), mechanism_with(CKM_RSA_PKCS_OAEP, &without));
    let (mut sealed, mut len, mut opened, mut room) = ([0; 256], 256, [0; 256], 256);
    begun(p11!(C_EncryptInit(session, &raw mut without, public)));
    begun(p11!(C_Encrypt(session, text(&DATA), 48, sealed.as_mut_ptr(), &raw mut len)));
    begun(p11!(C_DecryptInit(session, &raw mut with, private)));
    begun(p11!(C_Decrypt(session, sealed.as_mut_ptr(), len, opened.as_mut_ptr(), &raw mut room)));
    assert_eq!(opened[..room as usize], DATA);
}
