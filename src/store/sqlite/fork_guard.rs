//! A moment without SQLite, for those who fork.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use super::database::Database;

// Locks of std, not of parking_lot: a forked child unlocks them, and must not look for threads it does not have.
static GATE: RwLock<()> = RwLock::new(());
static OPEN: Mutex<Vec<Weak<Database>>> = Mutex::new(Vec::new());

/// While it lives, no thread of this process is inside SQLite, and no token file is open.
#[must_use]
pub struct ForkGuard {
    _open: MutexGuard<'static, Vec<Weak<Database>>>,
    _gate: RwLockWriteGuard<'static, ()>,
}

/// Waits for every call that is under way in this process and closes every connection. Calls that come while the
/// result lives wait; afterwards they open anew what they need, in the parent and in the child.
///
/// To be called before `fork` (from a `pthread_atfork` handler, say) and dropped after it on both sides.
pub fn fork_guard() -> ForkGuard {
    let gate = GATE.write().unwrap_or_else(PoisonError::into_inner);
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|database| database.upgrade().inspect(|database| database.close()).is_some());
    ForkGuard { _open: open, _gate: gate }
}

/// To be held while inside SQLite; never twice by one thread.
pub(super) fn enter() -> RwLockReadGuard<'static, ()> {
    GATE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Lets [`fork_guard`] close what this database has open.
pub(super) fn register(database: &Arc<Database>) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|known| known.strong_count() > 0);
    open.push(Arc::downgrade(database));
}
