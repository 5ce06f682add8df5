//! Inputs for which there is no memory, or which are longer than any may be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod raw;

use std::{fs, ptr};

use cryptoki_sys::*;
use raw::{Module, Report, mechanism_with};

/// Memory that nobody has written to: it reads as zeros, and takes no room.
fn empty(len: usize) -> *mut u8 {
    let (read, flags) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
    // SAFETY: the kernel chooses the place.
    let place = unsafe { libc::mmap(ptr::null_mut(), len, read, flags, -1, 0) };
    assert_ne!(place, libc::MAP_FAILED);
    place.cast()
}

/// Lets this process have so many bytes of address space more than it has, and no more.
fn leave(bytes: u64) {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    let most = pages * 4096 + bytes;
    let limit = libc::rlimit { rlim_cur: most, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the struct is there.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

struct Keys {
    session: CK_SESSION_HANDLE,
    aes: CK_OBJECT_HANDLE,
    mac: CK_OBJECT_HANDLE,
}

/// What gets `len` bytes at `data`; each with the value that says that this is too much.
fn calls(report: &mut Report, keys: &Keys, data: *mut u8, len: CK_ULONG, too_much: CK_RV) {
    let Keys { session, aes, mac } = *keys;
    let mut nonce = [1; 12];
    let gcm = CK_GCM_PARAMS {
        pIv: nonce.as_mut_ptr(),
        ulIvLen: 12,
        ulIvBits: 0,
        pAAD: ptr::null_mut(),
        ulAADLen: 0,
        ulTagBits: 128,
    };
    let (mut gcm, mut hmac) = (mechanism_with(CKM_AES_GCM, &gcm), raw::mechanism(CKM_SHA256_HMAC));
    let mut wrap = raw::mechanism(CKM_AES_KEY_WRAP_KWP);
    let (mut place, mut room) = ([0_u8; 64], 64);
    let to = place.as_mut_ptr();
    p11!(C_DecryptInit(session, &raw mut gcm, aes));
    report.expect("decryption in parts", too_much, || p11!(C_DecryptUpdate(session, data, len, to, &raw mut room)));
    p11!(C_EncryptInit(session, &raw mut wrap, aes));
    // The output would be as long, and is claimed to be there.
    let mut claimed = len + 64;
    report.expect("encryption by a key wrap", too_much, || p11!(C_Encrypt(session, data, len, to, &raw mut claimed)));
    p11!(C_SessionCancel(session, CKF_ENCRYPT));
    report.expect("a signature that is kept", too_much, || {
        p11!(C_VerifySignatureInit(session, &raw mut hmac, mac, data, len))
    });
    p11!(C_SessionCancel(session, CKF_VERIFY));
    let (class, kind, mut made) = (CKO_SECRET_KEY, CKK_AES, 0);
    let mut template = [raw::attribute(CKA_CLASS, &class), raw::attribute(CKA_KEY_TYPE, &kind)];
    let wrapped = if too_much == CKR_HOST_MEMORY { CKR_WRAPPED_KEY_LEN_RANGE } else { too_much };
    report.expect("a wrapped key", wrapped, || {
        p11!(C_UnwrapKey(session, &raw mut wrap, aes, data, len, template.as_mut_ptr(), 2, &raw mut made))
    });
    report.expect("a value", CKR_ATTRIBUTE_VALUE_INVALID, || {
        let mut data = CK_ATTRIBUTE { type_: CKA_VALUE, pValue: data.cast(), ulValueLen: len };
        p11!(C_CreateObject(session, &raw mut data, 1, &raw mut made))
    });
    p11!(C_SignInit(session, &raw mut hmac, mac));
    let signed = if too_much == CKR_HOST_MEMORY { CKR_OK } else { too_much };
    report.expect("a message that is not kept", signed, || p11!(C_SignUpdate(session, data, len)));
    p11!(C_SessionCancel(session, CKF_SIGN));
}

fn with_keys(module: &Module, cases: impl FnOnce(&mut Report, &Keys)) {
    raw::in_child(|report| {
        assert_eq!(p11!(C_Initialize(ptr::null_mut())), CKR_OK);
        let session = module.session();
        let aes = raw::secret_key(session, CKM_AES_KEY_GEN);
        let mac = raw::secret_key(session, CKM_GENERIC_SECRET_KEY_GEN);
        cases(report, &Keys { session, aes, mac });
    });
}

#[test]
fn sixty_four_gibibytes_are_refused_before_one_byte_is_read() {
    let module = Module::new();
    with_keys(&module, |report, keys| {
        let len = 64 << 30;
        let data = empty(len);
        let before = resident();
        calls(report, keys, data, len as CK_ULONG, CKR_DATA_LEN_RANGE);
        report.check("nothing was read", || {
            let grown = resident().saturating_sub(before);
            (grown > 8 << 20).then(|| format!("{grown} bytes more are resident"))
        });
    });
}

#[test]
fn what_there_is_no_memory_for_is_said_and_ends_nobody() {
    let module = Module::new();
    with_keys(&module, |report, keys| {
        let len = 64 << 20;
        let data = empty(len);
        leave(4 << 20);
        calls(report, keys, data, len as CK_ULONG, CKR_HOST_MEMORY);
    });
}

/// How many bytes of this process are in memory.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
