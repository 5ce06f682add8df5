//! A moment without SQLite, for those who fork.
//!
//! A thread goes through the gate before it calls SQLite and leaves the gate before it waits for anybody: for another
//! process, or for a thread of this one. So a fork waits for the statements that are running, and for nothing else.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::database::Connections;

// Locks of std, not of parking_lot: a forked child unlocks them, and must not look for threads it does not have.

/// Held by the thread that forks. The others that want to fork wait here, where the child does not count them.
static FORKS: Mutex<()> = Mutex::new(());
static GATE: Mutex<Gate> = Mutex::new(Gate { inside: 0, waiting: 0, forking: false, open: Vec::new() });
/// Told when the last thread has left.
static EMPTY: Condvar = Condvar::new();
/// Told when a fork is over.
static REOPENED: Condvar = Condvar::new();

struct Gate {
    /// How many threads are inside.
    inside: usize,
    /// How many threads wait for what others inside have. To tell nobody would cost a system call.
    waiting: usize,
    /// Whether a thread waits to fork: nobody else enters then, so the wait ends.
    forking: bool,
    /// Not weak: a database whose last user has just let go of it waits outside to close what it has open.
    open: Vec<Arc<Connections>>,
}

thread_local! {
    /// How often this thread has entered and not left.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// While it lives, no thread of this process is inside SQLite, no token file is open, and no lock on a directory
/// is held.
#[must_use]
pub struct ForkGuard {
    /// `Some` until it is dropped.
    gate: Option<MutexGuard<'static, Gate>>,
    _forks: MutexGuard<'static, ()>,
}

/// Waits for every statement that is running in this process and closes every connection. Calls that come while the
/// result lives wait; afterwards they open anew what they need, in the parent and in the child.
///
/// To be called before `fork` (from a `pthread_atfork` handler, say) and dropped after it on both sides.
pub fn fork_guard() -> ForkGuard {
    let forks = FORKS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut gate = lock();
    gate.forking = true;
    while gate.inside > 0 {
        gate = EMPTY.wait(gate).unwrap_or_else(PoisonError::into_inner);
    }
    gate.open.iter().for_each(|connections| connections.close());
    ForkGuard { gate: Some(gate), _forks: forks }
}

impl Drop for ForkGuard {
    fn drop(&mut self) {
        if let Some(mut gate) = self.gate.take() {
            gate.forking = false;
        }
        REOPENED.notify_all();
    }
}

/// A thread's presence inside the gate. A thread that is inside may enter again.
#[must_use]
pub(super) struct Entered<'a> {
    /// Told when this thread leaves.
    freed: Option<&'a Condvar>,
    /// It belongs to its thread.
    _thread: PhantomData<*const ()>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut gate = lock();
        gate.inside = gate.inside.saturating_sub(1);
        DEPTH.set(DEPTH.get().saturating_sub(1));
        if gate.inside == 0 && gate.forking {
            EMPTY.notify_all();
        }
        let somebody_waits = gate.waiting > 0;
        drop(gate);
        if let Some(freed) = self.freed.filter(|_| somebody_waits) {
            freed.notify_one();
        }
    }
}

/// Enters as soon as nobody forks.
pub(super) fn enter() -> Entered<'static> {
    let mut gate = lock();
    while gate.forking && DEPTH.get() == 0 {
        gate = REOPENED.wait(gate).unwrap_or_else(PoisonError::into_inner);
    }
    count(&mut gate);
    Entered { freed: None, _thread: PhantomData }
}

/// Enters as soon as nobody forks and `take` gives something, or `None` at the deadline. Waits outside. `freed` is
/// told whenever somebody leaves who entered with it, so what is taken must be given back before that.
pub(super) fn enter_with<T>(
    freed: &Condvar,
    deadline: Instant,
    mut take: impl FnMut() -> Option<T>,
) -> Option<(Entered<'_>, T)> {
    let mut gate = lock();
    loop {
        if gate.forking && DEPTH.get() == 0 {
            gate = REOPENED.wait(gate).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        if let Some(taken) = take() {
            count(&mut gate);
            return Some((Entered { freed: Some(freed), _thread: PhantomData }, taken));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        gate.waiting += 1;
        gate = freed.wait_timeout(gate, left).unwrap_or_else(PoisonError::into_inner).0;
        gate.waiting = gate.waiting.saturating_sub(1);
    }
}

/// Lets [`fork_guard`] close these connections.
pub(super) fn register(connections: &Arc<Connections>) {
    lock().open.push(Arc::clone(connections));
}

/// Undoes [`register`], when all of them are closed for good.
pub(super) fn forget(connections: &Arc<Connections>) {
    lock().open.retain(|known| !Arc::ptr_eq(known, connections));
}

fn lock() -> MutexGuard<'static, Gate> {
    GATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(gate: &mut Gate) {
    gate.inside += 1;
    DEPTH.set(DEPTH.get() + 1);
}
