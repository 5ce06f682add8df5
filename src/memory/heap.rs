//! Allocators that put keys into the arena: Rust's, and a C library's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::ptr;

use crate::arena::{ARENA, is_inside};

/// The system's allocator, but for what is allocated inside of [`crate::keys`].
pub struct Heap;

// SAFETY: a block is the system's or the arena's, as long as it lives, and its address tells whose: the arena's region
// is ours alone. The arena gives blocks that are apart, at multiples of their size rounded up to a power of two, and so
// of every alignment up to that.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_inside()
            && let Some(address) = ARENA.take(layout.size().max(layout.align()))
        {
            return ptr::with_exposed_provenance_mut(address);
        }
        // SAFETY: by our caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if ARENA.contains(block.addr()) {
            return ARENA.give_back(block.addr(), layout.size().max(layout.align()));
        }
        // SAFETY: by our caller's promise; it is not the arena's, so it is the system's.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !ARENA.contains(block.addr()) && !is_inside() {
            // SAFETY: by our caller's promise.
            return unsafe { System.realloc(block, layout, new_size) };
        }
        // SAFETY: the size is not 0 and not too large for the alignment, by our caller's promise.
        let fresh = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // What was a key's stays one.
        let moved = crate::keys(|| {
            // SAFETY: as above.
            unsafe { self.alloc(fresh) }
        });
        if !moved.is_null() {
            // SAFETY: both blocks are there, apart, and as long as the shorter of both lengths.
            unsafe {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}

/// What stands before a block of a C library: its length. As wide as the strictest alignment.
const HEADER: usize = 16;

/// `malloc`, for a C library that keeps keys.
pub extern "C" fn c_malloc(size: usize) -> *mut c_void {
    let Some(whole) = size.checked_add(HEADER) else { return ptr::null_mut() };
    let taken = if is_inside() { ARENA.take(whole) } else { None };
    let block = match taken {
        Some(address) => ptr::with_exposed_provenance_mut::<c_void>(address),
        // SAFETY: a length is all that it takes.
        None => unsafe { libc::malloc(whole) },
    };
    if block.is_null() {
        return block;
    }
    // SAFETY: the block has room for the header, and its alignment is that of the header at least.
    unsafe {
        block.cast::<usize>().write(size);
        block.byte_add(HEADER)
    }
}

/// `free`, which wipes.
///
/// # Safety
/// `block` must be null, or from [`c_malloc`] or [`c_realloc`] and not freed yet.
pub unsafe extern "C" fn c_free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: by our caller's promise the header stands before it.
    let (whole, size) = unsafe {
        let whole = block.byte_sub(HEADER);
        (whole, whole.cast::<usize>().read())
    };
    if ARENA.contains(whole.addr()) {
        return ARENA.give_back(whole.addr(), size + HEADER);
    }
    // SAFETY: by our caller's promise it is ours, and so long. The wipe is not taken away: libc's function for it.
    unsafe {
        libc::explicit_bzero(block, size);
        libc::free(whole);
    }
}

/// `realloc`, which wipes what it leaves.
///
/// # Safety
/// As for [`c_free`].
pub unsafe extern "C" fn c_realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if block.is_null() {
        return c_malloc(size);
    }
    // SAFETY: by our caller's promise the header stands before it.
    let (whole, old) = unsafe {
        let whole = block.byte_sub(HEADER);
        (whole, whole.cast::<usize>().read())
    };
    // What was a key's stays one.
    let moved = if ARENA.contains(whole.addr()) { crate::keys(|| c_malloc(size)) } else { c_malloc(size) };
    if !moved.is_null() {
        // SAFETY: both blocks are there, apart, and as long as the shorter of both lengths.
        unsafe {
            ptr::copy_nonoverlapping(block.cast::<u8>(), moved.cast::<u8>(), old.min(size));
            c_free(block);
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_in_a_scope_is_in_the_arena_and_stays_there_when_it_grows() {
        let heap = Heap;
        let layout = Layout::from_size_align(100, 8).unwrap();
        let larger = Layout::from_size_align(5000, 8).unwrap();
        // SAFETY: each block is used as long as it is there, with its own layout.
        unsafe {
            let outside = heap.alloc(layout);
            let inside = crate::keys(|| heap.alloc(layout));
            assert!(!ARENA.contains(outside.addr()) && ARENA.contains(inside.addr()));
            inside.write_bytes(7, 100);
            let grown = heap.realloc(inside, layout, 5000);
            assert!(ARENA.contains(grown.addr()) && grown.add(99).read() == 7);
            heap.dealloc(grown, larger);
            heap.dealloc(outside, layout);

            let (outside, inside) = (c_malloc(100), crate::keys(|| c_malloc(100)));
            assert!(!ARENA.contains(outside.addr()) && ARENA.contains(inside.addr()));
            inside.cast::<u8>().write_bytes(7, 100);
            let grown = c_realloc(inside, 5000);
            assert!(ARENA.contains(grown.addr()) && grown.cast::<u8>().add(99).read() == 7);
            c_free(grown);
            c_free(c_realloc(outside, 5000));
            c_free(ptr::null_mut());
        }
    }
}
