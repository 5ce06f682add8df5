//! The caller's memory. Nothing here knows what the bytes mean.
//!
//! That a pointer which is not null leads to what the caller says it leads to cannot be checked from
//! inside a process: it is the caller's promise, and the one that every `SAFETY` note here names. What
//! can be checked is: null with a length, a length beyond memory, a sum that wraps around. Alignment is
//! never relied on, since templates and parameters are copied byte by byte.

use std::{ptr, ptr::NonNull, slice};

use cryptoki_sys::{CK_BYTE, CK_ULONG};
use types::Rv;

/// No argument has as many bytes as this, in or out. More is not offered to the algorithms, some of which count in
/// 32 bits.
pub(crate) const DATA_MAX: usize = 1 << 31;

/// Why nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It cannot be there: null with a length, beyond the end of memory, or more than is ever taken.
    Impossible,
    /// There is no memory for a copy.
    Exhausted,
}

impl Fault {
    /// The return value, when the caller's fault is called `blame` here.
    pub(crate) fn of(blame: Rv) -> impl FnOnce(Self) -> Rv {
        move |fault| match fault {
            Self::Impossible => blame,
            Self::Exhausted => Rv::HOST_MEMORY,
        }
    }
}

/// The `len` bytes at `ptr`. C may write an empty slice as a null pointer, Rust may not, so the length
/// decides. `None` if they cannot be there.
///
/// # Safety
/// Unless null, `ptr` must be to `len` bytes that nobody writes to during `'a`.
pub(crate) unsafe fn bytes<'a>(ptr: *const CK_BYTE, len: CK_ULONG) -> Option<&'a [u8]> {
    let len = usize::try_from(len).ok()?;
    if len == 0 {
        return Some(&[]);
    }
    if ptr.is_null() || !fits(ptr.addr(), len) {
        return None;
    }
    // SAFETY: not null, not beyond memory; there, and left alone, by our caller's promise.
    Some(unsafe { slice::from_raw_parts(ptr, len) })
}

/// The buffer at `ptr`, to be written to. A length beyond [`DATA_MAX`] or beyond memory is cut: what
/// somebody claims who does not know its buffer's size is not believed, and nothing needs so much.
///
/// # Safety
/// `ptr` must be to `len` bytes, or as many of them as are written, that nobody else looks at during
/// `'a`. They may be uninitialised: that they were is not visible from here, and nothing reads them
/// before it has written them.
pub(crate) unsafe fn buffer<'a>(ptr: NonNull<CK_BYTE>, len: CK_ULONG) -> &'a mut [u8] {
    let len = usize::try_from(len).unwrap_or(DATA_MAX).min(DATA_MAX);
    let len = len.min(usize::MAX - ptr.addr().get()).min(isize::MAX.unsigned_abs());
    // SAFETY: not null, not beyond memory; there, and left alone, by our caller's promise.
    unsafe { slice::from_raw_parts_mut(ptr.as_ptr(), len) }
}

/// A copy of the `len` bytes at `ptr`, if they are not more than `max`.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn copy(ptr: *const CK_BYTE, len: CK_ULONG, max: usize) -> Result<Vec<u8>, Fault> {
    // SAFETY: by our caller's promise, which is the same.
    let bytes = unsafe { bytes(ptr, len) }.filter(|bytes| bytes.len() <= max).ok_or(Fault::Impossible)?;
    owned(bytes)
}

/// A copy of bytes that does not end the host when memory is short.
pub(crate) fn owned(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| Fault::Exhausted)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// A copy of the `count` elements at `ptr`, if they are not more than `max`.
///
/// # Safety
/// Unless null, `ptr` must be to `count` elements, aligned or not; whatever bits are there must make a `T`.
pub(crate) unsafe fn elements<T: Copy>(ptr: *const T, count: CK_ULONG, max: usize) -> Result<Vec<T>, Fault> {
    let count = usize::try_from(count).ok().filter(|count| *count <= max).ok_or(Fault::Impossible)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let len = count.checked_mul(size_of::<T>()).ok_or(Fault::Impossible)?;
    if ptr.is_null() || !fits(ptr.addr(), len) {
        return Err(Fault::Impossible);
    }
    let mut copies = Vec::new();
    copies.try_reserve_exact(count).map_err(|_| Fault::Exhausted)?;
    for index in 0..count {
        // SAFETY: `index` is below `count`, and so many are there by our caller's promise.
        copies.push(unsafe { ptr.add(index).read_unaligned() });
    }
    Ok(copies)
}

/// A copy of the value at `ptr`; `None` if it is null.
///
/// # Safety
/// Unless null, `ptr` must be to a value, aligned or not; whatever bits are there must make a `T`.
pub(crate) unsafe fn value<T: Copy>(ptr: *const T) -> Option<T> {
    // SAFETY: not null; there by our caller's promise.
    (!ptr.is_null()).then(|| unsafe { ptr.read_unaligned() })
}

/// A place of the caller's for one value.
#[derive(Debug)]
pub(crate) struct TokenLocation<T>(NonNull<T>);

impl<T: Copy> TokenLocation<T> {
    /// `None` if `ptr` is null.
    ///
    /// # Safety
    /// Unless null, `ptr` must be to a `T` that may be read and written to, aligned or not, as long as the
    /// `TokenLocation` lives; whatever bits are there must make a `T`.
    pub(crate) unsafe fn new(ptr: *mut T) -> Option<Self> {
        NonNull::new(ptr).map(Self)
    }

    /// What is there.
    pub(crate) fn read(&self) -> T {
        // SAFETY: there by the promise made to `new`.
        unsafe { self.0.read_unaligned() }
    }

    /// Puts a value there.
    pub(crate) fn write(self, value: T) {
        // SAFETY: there by the promise made to `new`.
        unsafe { self.0.write_unaligned(value) }
    }
}

/// Writes `values` to `ptr`, one after the other.
///
/// # Safety
/// `ptr` must be to as many elements that may be written to, aligned or not.
pub(crate) unsafe fn write<T: Copy>(ptr: NonNull<T>, values: &[T]) {
    // SAFETY: the place is there by our caller's promise; what is ours does not overlap what is the
    // caller's; and as bytes both are aligned.
    unsafe { ptr::copy_nonoverlapping(values.as_ptr().cast::<u8>(), ptr.as_ptr().cast::<u8>(), size_of_val(values)) }
}

/// Whether something of that length at that address ends before memory does: a process has at most the
/// lower half of all addresses.
fn fits(address: usize, len: usize) -> bool {
    /// No system gives a process more addresses than this, in bits.
    const ADDRESS_BITS: u32 = if usize::BITS == 64 { 57 } else { usize::BITS };
    address
        .checked_add(len)
        .is_some_and(|end| isize::try_from(end).is_ok() && end.checked_shr(ADDRESS_BITS - 1).unwrap_or(0) == 0)
}

#[cfg(test)]
mod tests {
    use cryptoki_sys::CK_ATTRIBUTE;

    use super::*;

    const HUGE: [CK_ULONG; 5] = [1 << 63, CK_ULONG::MAX, CK_ULONG::MAX / 8, CK_ULONG::MAX - 7, (1 << 63) - 1];

    #[test]
    fn nothing_may_be_null() {
        // SAFETY: null is allowed.
        unsafe {
            assert_eq!(bytes(ptr::null(), 0), Some(&[][..]));
            assert_eq!(copy(ptr::null(), 0, 0), Ok(vec![]));
            assert_eq!(elements::<u64>(ptr::null(), 0, 0), Ok(vec![]));
        }
    }

    #[test]
    fn something_may_not_be_null() {
        // SAFETY: null is allowed.
        unsafe {
            for len in [1, 8, 1 << 31, 1 << 32].into_iter().chain(HUGE) {
                assert_eq!(bytes(ptr::null(), len), None);
                assert_eq!(copy(ptr::null(), len, usize::MAX), Err(Fault::Impossible));
                assert_eq!(elements::<u64>(ptr::null(), len, usize::MAX), Err(Fault::Impossible));
            }
            assert_eq!(value::<u64>(ptr::null()), None);
            assert!(TokenLocation::<u64>::new(ptr::null_mut()).is_none());
        }
    }

    #[test]
    fn what_is_longer_than_memory_is_not_there() {
        let byte = 7u8;
        for len in HUGE {
            // SAFETY: the promise is broken on purpose; the length is refused before the memory is touched.
            unsafe {
                assert_eq!(bytes(&raw const byte, len), None);
                assert_eq!(
                    elements((&raw const byte).cast::<CK_ATTRIBUTE>(), len, usize::MAX).err(),
                    Some(Fault::Impossible)
                );
            }
        }
    }

    #[test]
    fn more_than_is_taken_is_not_read() {
        let numbers = [1u64, 2, 3];
        // SAFETY: they are there.
        unsafe {
            assert_eq!(elements(numbers.as_ptr(), 3, 3), Ok(vec![1, 2, 3]));
            assert_eq!(elements(numbers.as_ptr(), 3, 2), Err(Fault::Impossible));
            assert_eq!(copy(numbers.as_ptr().cast(), 24, 23), Err(Fault::Impossible));
        }
    }

    #[test]
    fn alignment_does_not_matter() {
        let mut out = [0u8; 33];
        let odd = out.as_mut_ptr().wrapping_add(1).cast::<u64>();
        // SAFETY: four numbers fit behind the first byte, aligned or not.
        unsafe {
            write(NonNull::new(odd).unwrap(), &[1, 2, 3, 4]);
            assert_eq!(elements(odd, 4, 4), Ok(vec![1, 2, 3, 4]));
            let place = TokenLocation::new(odd).unwrap();
            assert_eq!(place.read(), 1);
            place.write(9);
            assert_eq!(value(odd), Some(9));
        }
    }

    #[test]
    fn a_claimed_length_is_cut() {
        let mut byte = 0u8;
        let ptr = NonNull::from(&mut byte);
        for len in HUGE {
            // SAFETY: nothing is written to it.
            let buffer = unsafe { buffer(ptr, len) };
            assert!(buffer.len() <= DATA_MAX);
        }
        let last = NonNull::new(ptr::without_provenance_mut::<u8>(usize::MAX - 3)).unwrap();
        // SAFETY: nothing is written to it.
        assert_eq!(unsafe { buffer(last, 100) }.len(), 3, "the end of memory is an end");
    }
}
