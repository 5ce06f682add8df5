//! Pages of memory: of a file that other processes write to, and of this process alone.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};

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

/// A page of this process alone, which a forked child finds full of zeros.
#[derive(Debug)]
pub(crate) struct PrivatePage(NonNull<AtomicU64>);

// SAFETY: the pointer is to memory of the whole process, which no thread owns, and it is used through an atomic alone.
unsafe impl Send for PrivatePage {}
// SAFETY: as above; `word` gives out a shared reference to an atomic only.
unsafe impl Sync for PrivatePage {}

impl PrivatePage {
    pub(crate) fn wiped_on_fork() -> io::Result<Self> {
        let flags = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses the place (the address is null), so no memory that is in use is replaced.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), BYTES, flags, MapFlags::PRIVATE) }?;
        let page = NonNull::new(start.cast()).map(Self).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: the page was mapped just now, with this length, and nobody else knows it.
        unsafe { madvise(start, BYTES, Advice::LinuxWipeOnFork) }?;
        Ok(page)
    }

    pub(crate) fn word(&self) -> &AtomicU64 {
        // SAFETY: `wiped_on_fork` mapped a page for reading and writing, at a page boundary; `drop` has not run, and
        // every bit pattern is an `AtomicU64`. In a forked child the page is there too, with zeros.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for PrivatePage {
    fn drop(&mut self) {
        // SAFETY: `wiped_on_fork` mapped exactly these bytes, and no reference to them outlives `self`.
        let _ = unsafe { munmap(self.0.as_ptr().cast::<c_void>(), BYTES) };
    }
}
