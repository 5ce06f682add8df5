//! The interfaces: the function lists by name and version.

use std::ffi::{CStr, c_void};

use cryptoki_sys::{CK_FLAGS, CK_INTERFACE, CK_ULONG, CK_UTF8CHAR, CK_VERSION};
use types::Rv;

use crate::{
    Outcome,
    functions::{LIST_2_40, LIST_3_0, LIST_3_2},
    memory, output,
    output::place,
};

const NAME: &CStr = c"PKCS 11";

/// Interfaces are shared by all threads; what they point to is constant.
struct Shared([CK_INTERFACE; 3]);

// SAFETY: all pointers are to statics that nobody writes to.
unsafe impl Sync for Shared {}

/// Every interface, the newest first: it is the one that is given when none is asked for.
static INTERFACES: Shared = Shared([
    interface((&raw const LIST_3_2).cast()),
    interface((&raw const LIST_3_0).cast()),
    interface((&raw const LIST_2_40).cast()),
]);

/// No flag is set: after a fork the child must initialise anew (PKCS#11, `CKF_INTERFACE_FORK_SAFE`).
const fn interface(list: *const c_void) -> CK_INTERFACE {
    CK_INTERFACE { pInterfaceName: NAME.as_ptr().cast_mut().cast(), pFunctionList: list.cast_mut(), flags: 0 }
}

/// The version of an interface, which each list begins with.
fn version(interface: &CK_INTERFACE) -> CK_VERSION {
    // SAFETY: each of the three lists is a static that begins with its version.
    unsafe { *interface.pFunctionList.cast::<CK_VERSION>() }
}

/// `C_GetInterfaceList`.
///
/// # Safety
/// As for [`output::list`].
pub(crate) unsafe fn list(list: *mut CK_INTERFACE, count: *mut CK_ULONG) -> Outcome {
    // SAFETY: by our caller's promise, which is the same.
    unsafe { output::list(list, count, &INTERFACES.0) }
}

/// `C_GetInterface`. Without a name or a version, any will do.
///
/// # Safety
/// Unless null, `name` must be to text with a terminator, `wanted` to a version, `found` to a place.
pub(crate) unsafe fn find(
    name: *const CK_UTF8CHAR,
    wanted: *const CK_VERSION,
    found: *mut *mut CK_INTERFACE,
    flags: CK_FLAGS,
) -> Outcome {
    // SAFETY: by our caller's promise.
    let (place, wanted) = unsafe { (place(found)?, memory::value(wanted)) };
    // SAFETY: not null, and with a terminator by our caller's promise.
    let known = name.is_null() || unsafe { CStr::from_ptr(name.cast()) } == NAME;
    let fits = |interface: &&CK_INTERFACE| {
        let has = version(interface);
        let right = wanted.is_none_or(|wanted| (wanted.major, wanted.minor) == (has.major, has.minor));
        right && interface.flags & flags == flags
    };
    let interface = INTERFACES.0.iter().filter(|_| known).find(fits).ok_or(Rv::FUNCTION_FAILED)?;
    place.write((&raw const *interface).cast_mut());
    Ok(())
}
