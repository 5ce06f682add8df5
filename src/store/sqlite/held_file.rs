//! Files that are locked for longer than a statement takes, and closed in a forked child.
//!
//! A lock of `flock` belongs to the open file. A forked child inherits that, and would keep the lock when its parent
//! has died. So every such file is opened, locked and closed under one lock of the process, which the thread that
//! forks holds over the fork; and the child closes them all.

use std::fs::{File, TryLockError};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

// A lock of std: the child's only thread, which took it, gives it back.
static HELD: Mutex<Vec<Option<File>>> = Mutex::new(Vec::new());

/// A locked file. The lock ends with it.
pub(super) struct HeldFile {
    index: usize,
}

impl HeldFile {
    /// Opens and locks a file; `None` if somebody else has it locked.
    pub(super) fn lock(open: impl FnOnce() -> io::Result<File>) -> io::Result<Option<Self>> {
        let mut held = lock();
        let file = open()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let free = held.iter().position(Option::is_none);
        match free.and_then(|index| Some((index, held.get_mut(index)?))) {
            Some((index, place)) => {
                *place = Some(file);
                Ok(Some(Self { index }))
            }
            None => {
                held.push(Some(file));
                Ok(Some(Self { index: held.len() - 1 }))
            }
        }
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        if let Some(file) = lock().get_mut(self.index).and_then(Option::take) {
            // Not only closed: the child of a raw fork, which runs no handler, has the open file too.
            let _ = file.unlock();
        }
    }
}

/// To be held over a fork: while it lives, no file is opened, locked or closed here.
#[must_use]
pub struct HeldFiles(MutexGuard<'static, Vec<Option<File>>>);

/// Waits until no thread opens or closes a locked file. That takes a few system calls at most.
pub fn held_files() -> HeldFiles {
    HeldFiles(lock())
}

impl HeldFiles {
    /// In a forked child: closes what was inherited. The parent's locks stay the parent's.
    pub fn close_inherited(&mut self) {
        self.0.clear();
    }
}

fn lock() -> MutexGuard<'static, Vec<Option<File>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}
