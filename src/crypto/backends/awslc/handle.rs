//! What AWS-LC allocates, owned.

use std::{
    ffi::{c_int, c_void},
    mem,
    ptr::NonNull,
};

use aws_lc_sys as ffi;

use crate::Error;

/// A pointer to an object that AWS-LC allocated for us alone, freed when dropped. AWS-LC wipes what it
/// frees.
pub(super) struct Owned<T: Object>(NonNull<T>);

impl<T: Object> Owned<T> {
    /// Takes what an AWS-LC constructor returned; `None` if it failed.
    ///
    /// # Safety
    /// Unless null, `ptr` must own one reference to an object that nobody else frees.
    pub(super) unsafe fn new(ptr: *mut T) -> Option<Self> {
        let owned = NonNull::new(ptr).map(Self);
        if owned.is_none() {
            forget_errors();
        }
        owned
    }

    /// For AWS-LC functions that only read, or that lock by themselves what they change.
    pub(super) fn as_ptr(&self) -> *const T {
        self.0.as_ptr()
    }

    /// For AWS-LC functions that change the object.
    pub(super) fn as_mut_ptr(&mut self) -> *mut T {
        self.0.as_ptr()
    }

    /// Gives the object away, to an AWS-LC function that takes it over.
    pub(super) fn into_raw(self) -> *mut T {
        let ptr = self.0.as_ptr();
        mem::forget(self);
        ptr
    }
}

impl<T: Object> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: by the promise to `new` the object is ours, and nobody frees it but this line.
        unsafe { T::free(self.0.as_ptr()) }
    }
}

// SAFETY: AWS-LC's objects belong to no thread: they may be used and freed by any, one at a time
// (`Object`'s promise).
unsafe impl<T: Object> Send for Owned<T> {}
// SAFETY: `&Owned` gives out `*const T`, and AWS-LC promises for every type marked `Shared` that functions
// which take it as `const`, or use it as a key, may run in several threads.
unsafe impl<T: Shared> Sync for Owned<T> {}

/// A type of AWS-LC with a destructor.
///
/// # Safety
/// `free` must give back an object of this type, and objects must not be tied to the thread that made them.
pub(super) unsafe trait Object {
    /// # Safety
    /// `ptr` must be an object that is not used afterwards.
    unsafe fn free(ptr: *mut Self);
}

/// A type of AWS-LC that threads may share.
///
/// # Safety
/// The header must promise it.
pub(super) unsafe trait Shared: Object {}

macro_rules! objects {
    ($($object:ident => $free:ident;)*) => {$(
        // SAFETY: the header of `$object` names `$free` as its destructor, and AWS-LC keeps in threads only
        // errors and random-number states.
        unsafe impl Object for ffi::$object {
            unsafe fn free(ptr: *mut Self) {
                // SAFETY: the caller's promise.
                unsafe { ffi::$free(ptr) }
            }
        }
    )*};
}

objects! {
    BIGNUM => BN_clear_free;
    BN_CTX => BN_CTX_free;
    BN_MONT_CTX => BN_MONT_CTX_free;
    DSA => DSA_free;
    DSA_SIG => DSA_SIG_free;
    ECDSA_SIG => ECDSA_SIG_free;
    EC_KEY => EC_KEY_free;
    EC_POINT => EC_POINT_free;
    EVP_AEAD_CTX => EVP_AEAD_CTX_free;
    EVP_CIPHER_CTX => EVP_CIPHER_CTX_free;
    EVP_PKEY => EVP_PKEY_free;
    EVP_PKEY_CTX => EVP_PKEY_CTX_free;
    RSA => RSA_free;
}

// SAFETY: aead.h: a context may be used by several threads once it is initialised; seal and open take it `const`.
unsafe impl Shared for ffi::EVP_AEAD_CTX {}
// SAFETY: dsa.h: functions that take it as `const` may run in several threads; Montgomery contexts that appear during
// use are behind the key's own lock.
unsafe impl Shared for ffi::DSA {}
// SAFETY: ec_key.h: concurrent use of a key that nobody changes is safe.
unsafe impl Shared for ffi::EC_KEY {}
// SAFETY: evp.h: the same; an `EVP_PKEY_CTX` made from it is per thread.
unsafe impl Shared for ffi::EVP_PKEY {}
// SAFETY: rsa.h: the same, although operations take it as `*mut`: Montgomery contexts and blinding values
// that appear during use are behind the key's own lock.
unsafe impl Shared for ffi::RSA {}

/// Whether an AWS-LC function that returns 1 for success has succeeded.
pub(super) fn succeeded(code: c_int) -> bool {
    let good = code == 1;
    if !good {
        forget_errors();
    }
    good
}

/// [`Error::Fault`] if a function has failed that has no reason to.
pub(super) fn done(code: c_int) -> Result<(), Error> {
    if succeeded(code) { Ok(()) } else { Err(Error::Fault) }
}

/// Empties this thread's error queue.
pub(super) fn forget_errors() {
    // SAFETY: takes nothing, touches the calling thread's queue only.
    unsafe { ffi::ERR_clear_error() }
}

/// Plain C data that is wiped when it is dropped.
pub(super) struct Wiped<T: Copy>(pub(super) T);

impl<T: Copy> Drop for Wiped<T> {
    fn drop(&mut self) {
        // SAFETY: these are the bytes of our own field. What they mean afterwards does not matter, since `Copy`
        // data has no destructor that could look at them.
        unsafe { ffi::OPENSSL_cleanse((&raw mut self.0).cast::<c_void>(), size_of::<T>()) }
    }
}
