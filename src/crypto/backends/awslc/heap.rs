//! AWS-LC's memory, given by the program's own allocator.

use std::ffi::{c_char, c_int, c_void};

use aws_lc_sys as ffi;

unsafe extern "C" fn malloc(size: usize, _: *const c_char, _: c_int) -> *mut c_void {
    memory::c_malloc(size)
}

unsafe extern "C" fn realloc(block: *mut c_void, size: usize, _: *const c_char, _: c_int) -> *mut c_void {
    // SAFETY: AWS-LC gives back what it got from these functions, since they were set before it asked for anything.
    unsafe { memory::c_realloc(block, size) }
}

unsafe extern "C" fn free(block: *mut c_void, _: *const c_char, _: c_int) {
    // SAFETY: as above.
    unsafe { memory::c_free(block) }
}

/// Lets AWS-LC allocate with [`memory::c_malloc`]. It wipes nothing then, and `memory::c_free` does.
pub fn use_heap() {
    // SAFETY: the functions keep C's promises. It refuses to be told twice.
    unsafe { ffi::CRYPTO_set_mem_functions(Some(malloc), Some(realloc), Some(free)) };
}
