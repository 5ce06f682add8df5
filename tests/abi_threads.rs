//! Threads of a host that use one token at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod raw;

use std::{sync::Barrier, thread};

use cryptoki_sys::*;
use raw::Module;

const THREADS: u8 = 8;

/// A signature of CKM_SHA256_HMAC.
fn sign(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, message: &[u8]) -> Result<[u8; 32], CK_RV> {
    let mut mechanism = raw::mechanism(CKM_SHA256_HMAC);
    let rv = p11!(C_SignInit(session, &raw mut mechanism, key));
    if rv != CKR_OK {
        return Err(rv);
    }
    let (mut out, mut room) = ([0; 32], 32);
    match p11!(C_Sign(session, raw::text(message), raw::length(message), out.as_mut_ptr(), &raw mut room)) {
        CKR_OK => Ok(out),
        rv => Err(rv),
    }
}

// SoftHSM #688, rust-cryptoki #260: after C_Initialize(NULL) SoftHSM locks nothing, and threads end the process.
#[test]
fn threads_that_open_sign_search_and_close_at_once_after_an_initialisation_without_arguments_get_what_one_gets() {
    let module = Module::new();
    let session = module.session();
    let key = raw::secret_key(session, CKM_GENERIC_SECRET_KEY_GEN);
    let wanted: Vec<_> = (0..THREADS).map(|n| sign(session, key, &[n; 40]).unwrap()).collect();
    let begin = Barrier::new(THREADS.into());
    thread::scope(|scope| {
        for (n, wanted) in (0..THREADS).zip(&wanted) {
            let (module, begin) = (&module, &begin);
            scope.spawn(move || {
                begin.wait();
                for _ in 0..200 {
                    let session = module.session();
                    assert_eq!(sign(session, key, &[n; 40]).as_ref(), Ok(wanted));
                    let own = raw::secret_key(session, CKM_AES_KEY_GEN);
                    assert_eq!(p11!(C_FindObjectsInit(session, std::ptr::null_mut(), 0)), CKR_OK);
                    let (mut found, mut count) = ([0; 64], 0);
                    assert_eq!(p11!(C_FindObjects(session, found.as_mut_ptr(), 64, &raw mut count)), CKR_OK);
                    let found = &found[..count as usize];
                    assert!(found.contains(&own) && found.contains(&key), "{found:?}");
                    assert_eq!(p11!(C_FindObjectsFinal(session)), CKR_OK);
                    assert_eq!(p11!(C_CloseSession(session)), CKR_OK);
                }
            });
        }
    });
}
