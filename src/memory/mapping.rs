//! A page of a file in memory, which other processes write to.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// How many words are mapped.
pub(crate) const WORDS: usize = 512;

/// How many bytes are mapped: what the smallest pages of our systems have.
pub(crate) const BYTES: usize = WORDS * size_of::<AtomicU64>();

/// The first 4,096 bytes of a file, shared with everybody who maps it.
///
/// If the file is made shorter than a page while it is mapped, what is cut off reads as zeros; if it is cut to nothing,
/// the system kills the process that looks (SIGBUS). No code here can exclude that.
#[derive(Debug)]
pub(crate) struct Mapping(NonNull<[AtomicU64; WORDS]>);

// SAFETY: the pointer is to memory of the whole process, which no thread owns, and whoever has the mapping uses it
// through atomics alone.
unsafe impl Send for Mapping {}
// SAFETY: as above; `words` gives out shared references to atomics only.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps a file that is open for reading and writing and has [`BYTES`] bytes or more.
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        let flags = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses the place (the address is null), so no memory that is in use is replaced.
        let start = unsafe { mmap(ptr::null_mut(), BYTES, flags, MapFlags::SHARED, file, 0) }?;
        // The kernel promises a page boundary, and that is enough for words.
        NonNull::new(start.cast()).map(Self).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    pub(crate) fn words(&self) -> &[AtomicU64; WORDS] {
        // SAFETY: `new` mapped this many bytes for reading and writing, `drop` has not run, and every bit pattern is an
        // `AtomicU64`. Other processes change the words meanwhile, which atomics allow. That the file stays
        // long enough is the promise of those who may write it (see the type).
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `new` mapped exactly these bytes, and no reference to them outlives `self`.
        let _ = unsafe { munmap(self.0.as_ptr().cast::<c_void>(), BYTES) };
    }
}
