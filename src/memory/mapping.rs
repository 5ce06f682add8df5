//! Pages of memory: of a file that other processes write to, and of this process alone.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mlock, mmap, mmap_anonymous, mprotect, munmap};

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

/// Address space of this process alone, for ever: pages that are in no core dump, and that a forked child finds full of
/// zeros. Its bytes are spoken of by their addresses, and whoever does so was given them by the arena.
pub(crate) struct Region;

impl Region {
    /// Reserves so many bytes, none of which may be used yet. Their address.
    pub(crate) fn reserve(len: usize) -> Option<usize> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: the kernel chooses the place (the address is null), so no memory that is in use is replaced.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), len, ProtFlags::empty(), flags) }.ok()?;
        // SAFETY: the pages were mapped just now, with this length, and nobody else knows them.
        let kept = unsafe {
            madvise(start, len, Advice::LinuxWipeOnFork).and_then(|()| madvise(start, len, Advice::LinuxDontDump))
        };
        if kept.is_err() {
            // SAFETY: as above.
            let _ = unsafe { munmap(start, len) };
            return None;
        }
        Some(start.expose_provenance())
    }

    /// Lets reserved pages be used.
    pub(crate) fn open(address: usize, len: usize) -> bool {
        let flags = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: the arena opens pages of its region only, which nobody has used yet.
        unsafe { mprotect(ptr::with_exposed_provenance_mut(address), len, flags) }.is_ok()
    }

    /// Keeps pages from being written to a disk, if the host allows it.
    pub(crate) fn lock(address: usize, len: usize) -> bool {
        // SAFETY: the arena locks pages of its region only.
        unsafe { mlock(ptr::with_exposed_provenance_mut(address), len) }.is_ok()
    }

    /// The first word of a block that nobody uses.
    pub(crate) fn first_word(address: usize) -> usize {
        // SAFETY: the arena asks for blocks of its own that are free, aligned to 16 bytes and as long at least.
        unsafe { ptr::with_exposed_provenance::<usize>(address).read() }
    }

    /// Sets the first word of a block that nobody uses.
    pub(crate) fn set_first_word(address: usize, word: usize) {
        // SAFETY: as in `first_word`.
        unsafe { ptr::with_exposed_provenance_mut::<usize>(address).write(word) }
    }

    /// Overwrites a block with zeros, in a way that the compiler does not take away.
    pub(crate) fn wipe(address: usize, len: usize) {
        // SAFETY: the arena wipes blocks of its own that nobody uses any more.
        unsafe { libc::explicit_bzero(ptr::with_exposed_provenance_mut(address), len) }
    }
}
