//! Other software's PKCS#11 modules, loaded into this process.
//!
//! `cryptoki` wraps all of the C interface, but for what `C_Initialize` takes besides: some modules want a text there (`pReserved`;
//! NSS has it as `LibraryParameters`, in the same place).

#![deny(unsafe_code)]

use std::{ffi::CString, path::Path, ptr::NonNull};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::Error,
};

/// Loads a module and begins to use it, with the text that it wants, if it wants one.
///
/// # Errors
/// That it cannot be loaded, and what it says itself.
#[allow(unsafe_code, reason = "C_Initialize takes a pointer")]
pub fn load(module: &Path, text: Option<&str>) -> Result<Pkcs11, Error> {
    let pkcs11 = Pkcs11::new(module)?;
    let flags = CInitializeFlags::OS_LOCKING_OK;
    let Some(text) = text else {
        pkcs11.initialize(CInitializeArgs::new(flags))?;
        return Ok(pkcs11);
    };
    let text = CString::new(text)?;
    let pointer = NonNull::from(text.as_c_str()).cast();
    // SAFETY: the pointer is to a text that ends with a zero, which outlives the call. Modules that take one copy it before they
    // return, since PKCS#11 has no call that would give it back; those that take none refuse a pointer, as the specification says.
    let begun = pkcs11.initialize(unsafe { CInitializeArgs::new_with_reserved(flags, pointer) });
    begun.map(|()| pkcs11)
}
