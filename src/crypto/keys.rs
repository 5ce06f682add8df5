//! Where keys lie in memory.

use std::cell::Cell;

use crate::SUITE;

thread_local! {
    /// Whether this thread's random generator has what it needs. It has no destructor.
    static STARTED: Cell<bool> = const { Cell::new(false) };
}

/// What `make` allocates is a key's, and lies where [`memory::keys`] says.
///
/// The library's random generator keeps a state for each thread, which must not lie there: a forked child would find it
/// wiped. So it is made before.
pub fn keys<T>(make: impl FnOnce() -> T) -> T {
    if !STARTED.get() {
        // If it fails, whoever needs random bytes will say so.
        let _ = (SUITE.random)(&mut [0]);
        STARTED.set(true);
    }
    memory::keys(make)
}

/// Lets the library behind [`SUITE`] allocate as the program does that uses [`memory::Heap`]. To be called before
/// anything else of this crate.
pub fn use_heap() {
    #[cfg(feature = "awslc")]
    crate::backends::awslc::use_heap();
}
