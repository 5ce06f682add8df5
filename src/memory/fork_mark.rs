//! A mark that no forked child inherits.

use std::io;
use std::sync::atomic::Ordering;

use crate::mapping::PrivatePage;

/// A mark that is gone in a forked child, however the child was forked: the kernel wipes the page that it is on. So it
/// also tells of a fork that runs no handlers (`pthread_atfork`), a raw system call for one.
#[derive(Debug)]
pub struct ForkMark(PrivatePage);

impl ForkMark {
    /// A mark that is set.
    ///
    /// # Errors
    /// What the system says if it has no memory, or is too old to wipe pages (Linux before 4.14).
    pub fn new() -> io::Result<Self> {
        let mark = Self(PrivatePage::wiped_on_fork()?);
        mark.set();
        Ok(mark)
    }

    /// Whether this process is the one that has set it.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.word().load(Ordering::Relaxed) != 0
    }

    /// Sets it in this process.
    pub fn set(&self) {
        self.0.word().store(1, Ordering::Relaxed);
    }
}
