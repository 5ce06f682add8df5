use std::ptr::NonNull;

use cryptoki_sys::{CK_BYTE, CK_ULONG};
use types::{Output, OutputResult, Rv};

use crate::{
    Outcome, memory,
    memory::TokenLocation,
    number::{from_c, length_to_c},
};

/// A place of the caller's for one value, which it must give.
///
/// # Safety
/// As for [`TokenLocation::new`].
pub(crate) unsafe fn place<T: Copy>(ptr: *mut T) -> Result<TokenLocation<T>, Rv> {
    // SAFETY: by our caller's promise, which is the same.
    unsafe { TokenLocation::new(ptr) }.ok_or(Rv::ARGUMENTS_BAD)
}

/// Where the caller wants an output of variable length: PKCS#11, 5.2, for all functions.
pub(crate) struct Target {
    buffer: Option<NonNull<CK_BYTE>>,
    length: TokenLocation<CK_ULONG>,
}

impl Target {
    /// # Safety
    /// Unless null, `length` must be as for [`TokenLocation::new`], and `buffer` to as many bytes as it says.
    pub(crate) unsafe fn new(buffer: *mut CK_BYTE, length: *mut CK_ULONG) -> Result<Self, Rv> {
        // SAFETY: by our caller's promise, which is the same.
        let length = unsafe { place(length) }?;
        Ok(Self { buffer: NonNull::new(buffer), length })
    }

    /// Whether writing the output may change `input`.
    pub(crate) fn overlaps(&self, input: &[u8]) -> bool {
        let Some(buffer) = self.buffer else { return false };
        let start = buffer.addr().get();
        let claimed = usize::try_from(from_c(self.length.read())).unwrap_or(usize::MAX);
        let input = input.as_ptr_range();
        start < input.end.addr() && input.start.addr() < start.saturating_add(claimed)
    }

    /// Lets `call` put out, and tells the caller the length in all cases but an error.
    ///
    /// # Safety
    /// The promise made to [`Target::new`] must still hold, and nobody may look at the buffer meanwhile:
    /// what `call` reads must not overlap it.
    pub(crate) unsafe fn fill<E: Into<Rv>>(self, call: impl FnOnce(Output<'_>) -> Result<OutputResult, E>) -> Outcome {
        let out = match self.buffer {
            None => Output::LengthQuery,
            // SAFETY: by the promise made to `new` and to us.
            Some(buffer) => Output::Buffer(unsafe { memory::buffer(buffer, self.length.read()) }),
        };
        let (length, outcome) = match call(out).map_err(Into::into)? {
            OutputResult::Length(needed) => (needed, Ok(())),
            OutputResult::TooSmall(needed) => (needed, Err(Rv::BUFFER_TOO_SMALL)),
            OutputResult::Written(written) => (written, Ok(())),
        };
        self.length.write(length_to_c(length));
        outcome
    }
}

/// Puts out a list whose length the caller may ask for first: slots, mechanisms, interfaces.
///
/// # Safety
/// Unless null, `count` must be as for [`TokenLocation::new`], and `list` to as many elements as it says.
pub(crate) unsafe fn list<T: Copy>(list: *mut T, count: *mut CK_ULONG, items: &[T]) -> Outcome {
    // SAFETY: by our caller's promise, which is the same.
    let count = unsafe { place(count) }?;
    let needed = length_to_c(items.len());
    let outcome = match NonNull::new(list) {
        None => Ok(()),
        Some(_) if count.read() < needed => Err(Rv::BUFFER_TOO_SMALL),
        Some(list) => {
            // SAFETY: there are as many places as `count` says, and that is enough.
            unsafe { memory::write(list, items) };
            Ok(())
        }
    };
    count.write(needed);
    outcome
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    fn put(bytes: &'static [u8]) -> impl FnOnce(Output<'_>) -> Result<OutputResult, Rv> {
        move |out| Ok(out.put(bytes))
    }

    #[test]
    fn without_a_buffer_the_length_is_told() {
        let mut len = 77;
        // SAFETY: the place is ours.
        unsafe {
            assert_eq!(Target::new(ptr::null_mut(), &raw mut len).unwrap().fill(put(b"eleven byte")), Ok(()));
        }
        assert_eq!(len, 11);
    }

    #[test]
    fn the_length_is_written_when_the_buffer_is_too_small() {
        let (mut buffer, mut len) = ([0xaa; 16], 10);
        // SAFETY: both are ours.
        unsafe {
            let target = Target::new(buffer.as_mut_ptr(), &raw mut len).unwrap();
            assert_eq!(target.fill(put(b"eleven byte")), Err(Rv::BUFFER_TOO_SMALL));
        }
        assert_eq!((len, buffer), (11, [0xaa; 16]), "nothing else is written");
    }

    #[test]
    fn what_fits_is_written_and_nothing_behind_it() {
        let (mut buffer, mut len) = ([0xaa; 16], 16);
        // SAFETY: both are ours.
        unsafe {
            assert_eq!(Target::new(buffer.as_mut_ptr(), &raw mut len).unwrap().fill(put(b"seven b")), Ok(()));
        }
        assert_eq!((len, &buffer[..7], &buffer[7..]), (7, &b"seven b"[..], &[0xaa; 9][..]));
    }

    #[test]
    fn a_length_that_cannot_be_does_no_harm() {
        let (mut buffer, mut len) = ([0xaa; 16], CK_ULONG::MAX);
        // SAFETY: only what is put out is written, and that fits.
        unsafe {
            assert_eq!(Target::new(buffer.as_mut_ptr(), &raw mut len).unwrap().fill(put(b"seven b")), Ok(()));
        }
        assert_eq!((len, &buffer[7..]), (7, &[0xaa; 9][..]));
    }

    #[test]
    fn an_error_leaves_the_length_alone() {
        let mut len = 3;
        // SAFETY: the place is ours.
        let outcome = unsafe {
            Target::new(ptr::null_mut(), &raw mut len).unwrap().fill(|_| Err::<OutputResult, _>(Rv::DEVICE_ERROR))
        };
        assert_eq!((outcome, len), (Err(Rv::DEVICE_ERROR), 3));
    }

    #[test]
    fn without_a_place_for_the_length_nothing_is_done() {
        let mut buffer = [0; 4];
        // SAFETY: null is allowed.
        assert_eq!(unsafe { Target::new(buffer.as_mut_ptr(), ptr::null_mut()) }.err(), Some(Rv::ARGUMENTS_BAD));
    }

    #[test]
    fn an_overlap_is_seen_and_a_neighbour_is_none() {
        let mut memory = [0u8; 64];
        let base = memory.as_mut_ptr();
        // (offset and length of the output, offset and length of the input)
        let cases = [
            ((0, 16), (0, 16), true),
            ((0, 17), (16, 16), true),
            ((0, 16), (16, 16), false),
            ((16, 16), (0, 16), false),
            ((15, 16), (0, 16), true),
            ((20, 1), (16, 16), true),
            ((16, 16), (20, 1), true),
            ((16, 0), (20, 1), false),
            ((0, 64), (8, 0), false),
        ];
        for ((to, out), (from, len), overlap) in cases {
            let mut out = out;
            // SAFETY: all offsets are within `memory`, which nobody writes to.
            unsafe {
                let input = if len == 0 { &[] } else { memory::bytes(base.add(from), len).unwrap() };
                let target = Target::new(base.add(to), &raw mut out).unwrap();
                assert_eq!(target.overlaps(input), overlap, "{to} {out} / {from} {len}");
            }
        }
    }

    #[test]
    fn a_list_is_counted_refused_or_written() {
        let (mut places, mut count) = ([0u64; 4], 0);
        // SAFETY: all places are ours.
        unsafe {
            assert_eq!(list(ptr::null_mut(), &raw mut count, &[5u64, 6, 7]), Ok(()));
            assert_eq!(count, 3);
            count = 2;
            assert_eq!(list(places.as_mut_ptr(), &raw mut count, &[5, 6, 7]), Err(Rv::BUFFER_TOO_SMALL));
            assert_eq!((count, places), (3, [0; 4]));
            count = 4;
            assert_eq!(list(places.as_mut_ptr(), &raw mut count, &[5, 6, 7]), Ok(()));
            assert_eq!((count, places), (3, [5, 6, 7, 0]));
            assert_eq!(list(places.as_mut_ptr(), ptr::null_mut(), &[5]), Err(Rv::ARGUMENTS_BAD));
        }
    }
}
