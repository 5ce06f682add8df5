//! Memory for keys: pages that a forked child finds full of zeros, that are in no core dump, and that are locked as far as
//! a fair share of the host's limit goes.
//!
//! What is allocated inside of [`keys`] comes from here, if the program uses [`Heap`] as its allocator: the keys of
//! objects, the rings of a login, what a library makes of a key. A key that is in use is not elsewhere.
//!
//! A child that was forked can go on allocating. What its parent had here it must not use, and does not free.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::mapping::Region;

/// How much address space is reserved, the first that is to be had. Nothing of it is memory before it is used.
const SPACES: [usize; 4] = [1 << 30, 1 << 28, 1 << 26, 1 << 24];

/// How much becomes memory at a time.
const CHUNK: usize = 256 * 1024;

/// The smallest and the largest block, as powers of two.
const SMALLEST: u32 = 4;
const LARGEST: u32 = 21;
const CLASSES: usize = (LARGEST - SMALLEST + 1) as usize;

/// The most that is locked, whatever the host allows.
const MOST_LOCKED: u64 = 64 << 20;

thread_local! {
    /// How many scopes of [`keys`] this thread is in. It has no destructor, so it is there to the end of the thread.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// What `make` allocates is a key's.
///
/// Nothing may be made in it that outlives the keys of a process and is used in a forked child: a library's state, for one.
pub fn keys<T>(make: impl FnOnce() -> T) -> T {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get().saturating_sub(1));
        }
    }
    DEPTH.set(DEPTH.get().saturating_add(1));
    let _leave = Leave;
    make()
}

/// Whether this thread is making a key.
pub(crate) fn is_inside() -> bool {
    DEPTH.get() > 0
}

/// Small free blocks that a thread keeps, so that two threads do not wait for each other at each use of a key.
struct Kept {
    blocks: [[usize; KEPT]; KEPT_CLASSES],
    counts: [usize; KEPT_CLASSES],
}

/// How many blocks of a class a thread keeps, and of how many classes: up to 1 KiB.
const KEPT: usize = 8;
const KEPT_CLASSES: usize = 7;

thread_local! {
    static KEPT_BLOCKS: RefCell<Kept> = const { RefCell::new(Kept { blocks: [[0; KEPT]; KEPT_CLASSES], counts: [0; KEPT_CLASSES] }) };
}

impl Kept {
    fn take(&mut self, class: usize) -> Option<usize> {
        let count = self.counts.get_mut(class)?;
        *count = count.checked_sub(1)?;
        self.blocks.get(class)?.get(*count).copied()
    }

    /// Whether there was room for it.
    fn keep(&mut self, class: usize, block: usize) -> bool {
        let (Some(blocks), Some(count)) = (self.blocks.get_mut(class), self.counts.get_mut(class)) else {
            return false;
        };
        let Some(place) = blocks.get_mut(*count) else { return false };
        *place = block;
        *count += 1;
        true
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for class in 0..KEPT_CLASSES {
            while let Some(block) = self.take(class) {
                ARENA.put(class, block);
            }
        }
    }
}

/// A block of this class that this thread has kept.
fn take_kept(class: usize) -> Option<usize> {
    // A thread that is coming to its end keeps nothing any more.
    KEPT_BLOCKS.try_with(|kept| kept.try_borrow_mut().ok()?.take(class)).ok()?
}

fn keep(class: usize, block: usize) -> bool {
    KEPT_BLOCKS.try_with(|kept| kept.try_borrow_mut().is_ok_and(|mut kept| kept.keep(class, block))).unwrap_or(false)
}

/// The arena of this process.
pub(crate) struct Arena {
    /// Where it begins, and how long it is; 0 before the first use, and for ever if there is no room.
    start: AtomicUsize,
    len: AtomicUsize,
    tried: AtomicBool,
    /// Held for a few instructions, and over a fork: a child must not find it held by a thread that it does not have.
    held: AtomicBool,
    /// What was never given out begins here, and what is memory ends here; both are used while `held`.
    next: AtomicUsize,
    end: AtomicUsize,
    locked: AtomicUsize,
    /// The first free block of each class, whose first word is the address of the next. In a forked child that word is 0,
    /// and the list ends: what the parent had free is lost to the child, and nothing else happens.
    free: [AtomicUsize; CLASSES],
}

pub(crate) static ARENA: Arena = Arena::new();

impl Arena {
    const fn new() -> Self {
        Self {
            start: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            tried: AtomicBool::new(false),
            held: AtomicBool::new(false),
            next: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            locked: AtomicUsize::new(0),
            free: [const { AtomicUsize::new(0) }; CLASSES],
        }
    }

    /// Whether an address is in it.
    pub(crate) fn contains(&self, address: usize) -> bool {
        // The length is there before the start is.
        let start = self.start.load(Ordering::Acquire);
        start != 0 && address.wrapping_sub(start) < self.len.load(Ordering::Relaxed)
    }

    /// The address of a block of so many bytes, at a multiple of its size rounded up to a power of two; `None` if it has
    /// none, and then the memory of everybody has to do.
    pub(crate) fn take(&self, size: usize) -> Option<usize> {
        let class = class_of(size)?;
        if class < KEPT_CLASSES
            && self.is_the_process()
            && let Some(block) = take_kept(class)
        {
            return Some(block);
        }
        let _held = self.hold();
        let list = self.free.get(class)?;
        let first = list.load(Ordering::Relaxed);
        if first != 0 {
            list.store(Region::first_word(first), Ordering::Relaxed);
            Region::wipe(first, size_of::<usize>());
            return Some(first);
        }
        self.carve(1_usize << SMALLEST << class)
    }

    /// Takes a block back that [`Arena::take`] gave for this size, and wipes it.
    pub(crate) fn give_back(&self, address: usize, size: usize) {
        let Some(class) = class_of(size) else { return };
        Region::wipe(address, size);
        let kept = class < KEPT_CLASSES && self.is_the_process() && keep(class, address);
        if !kept {
            self.put(class, address);
        }
    }

    /// Whether it is the one of which threads keep blocks.
    fn is_the_process(&self) -> bool {
        std::ptr::eq(self, &raw const ARENA)
    }

    fn put(&self, class: usize, address: usize) {
        let _held = self.hold();
        let Some(list) = self.free.get(class) else { return };
        Region::set_first_word(address, list.load(Ordering::Relaxed));
        list.store(address, Ordering::Relaxed);
    }

    /// A block of what was never given out.
    fn carve(&self, size: usize) -> Option<usize> {
        if !self.tried.swap(true, Ordering::Relaxed)
            && let Some((start, len)) = SPACES.iter().find_map(|len| Some((Region::reserve(*len)?, *len)))
        {
            self.next.store(start, Ordering::Relaxed);
            self.end.store(start, Ordering::Relaxed);
            self.len.store(len, Ordering::Relaxed);
            self.start.store(start, Ordering::Release);
        }
        let (start, len) = (self.start.load(Ordering::Relaxed), self.len.load(Ordering::Relaxed));
        let address = self.next.load(Ordering::Relaxed).checked_next_multiple_of(size)?;
        let after = address.checked_add(size).filter(|after| *after <= start + len && len > 0)?;
        let end = self.end.load(Ordering::Relaxed);
        if after > end {
            let grown = (after - end).next_multiple_of(CHUNK).min(start + len - end);
            if !Region::open(end, grown) {
                return None;
            }
            let share = lockable();
            let locked = self.locked.load(Ordering::Relaxed);
            if (locked + grown) as u64 <= share && Region::lock(end, grown) {
                self.locked.store(locked + grown, Ordering::Relaxed);
            }
            self.end.store(end + grown, Ordering::Relaxed);
        }
        self.next.store(after, Ordering::Relaxed);
        Some(address)
    }

    fn hold(&self) -> Held<'_> {
        let mut rounds = 0_u32;
        while self.held.swap(true, Ordering::Acquire) {
            rounds = rounds.saturating_add(1);
            if rounds < 100 {
                std::thread::yield_now();
            } else {
                // Whoever holds it may be of a lower priority, and would never run.
                std::thread::sleep(std::time::Duration::from_micros(20));
            }
        }
        Held(self)
    }
}

struct Held<'a>(&'a Arena);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.store(false, Ordering::Release);
    }
}

/// Holds the arena over a fork, so that a child finds it free. To be released in both processes.
#[must_use]
pub struct ArenaFork(());

impl ArenaFork {
    /// Waits for the few instructions that another thread may hold it.
    pub fn hold() -> Self {
        std::mem::forget(ARENA.hold());
        Self(())
    }

    /// Releases it in a child. Locks in memory are not inherited: what the child makes, goes where they are taken anew.
    pub fn release_in_child(self) {
        for list in &ARENA.free {
            list.store(0, Ordering::Relaxed);
        }
        ARENA.next.store(ARENA.end.load(Ordering::Relaxed), Ordering::Relaxed);
        ARENA.locked.store(0, Ordering::Relaxed);
        let _ = KEPT_BLOCKS.try_with(|kept| {
            if let Ok(mut kept) = kept.try_borrow_mut() {
                kept.counts = [0; KEPT_CLASSES];
            }
        });
    }
}

impl Drop for ArenaFork {
    fn drop(&mut self) {
        ARENA.held.store(false, Ordering::Release);
    }
}

/// How many bytes of keys a process may lock here: a fair share of the host's limit, half, since it may want to lock
/// something itself.
#[must_use]
pub fn lockable() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
    limit.map_or(MOST_LOCKED, |limit| limit / 2).min(MOST_LOCKED)
}

fn class_of(size: usize) -> Option<usize> {
    let class = size.max(1).checked_next_power_of_two()?.trailing_zeros().max(SMALLEST);
    (class <= LARGEST).then_some((class - SMALLEST) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_apart_aligned_and_come_again_empty() {
        let arena = Arena::new();
        let sizes = [1, 16, 17, 31, 64, 1000, 4096, 100_000, 1 << 20];
        let blocks: Vec<(usize, usize)> = sizes.iter().map(|size| (arena.take(*size).unwrap(), *size)).collect();
        for (index, (address, size)) in blocks.iter().enumerate() {
            assert!(arena.contains(*address) && arena.contains(address + size - 1));
            assert_eq!(address % size.next_power_of_two().clamp(16, 4096), 0, "{size}");
            for (other, len) in &blocks[..index] {
                assert!(address + size <= *other || other + len <= *address);
            }
            Region::set_first_word(*address, usize::MAX);
        }
        for (address, size) in &blocks {
            arena.give_back(*address, *size);
        }
        for (address, size) in blocks.iter().rev() {
            let again = arena.take(*size).unwrap();
            assert_eq!(Region::first_word(again), 0, "{address:x}");
        }
        assert!(arena.take((1 << 21) + 1).is_none(), "what is larger is nobody's key");
    }

    #[test]
    fn what_threads_keep_comes_back_when_they_end() {
        let rounds = || {
            let blocks: Vec<usize> = (0..40).filter_map(|_| ARENA.take(100)).collect();
            blocks.iter().for_each(|block| ARENA.give_back(*block, 100));
            blocks.into_iter().max()
        };
        let first = std::thread::spawn(rounds).join().unwrap();
        for _ in 0..50 {
            assert!(
                std::thread::spawn(rounds).join().unwrap() <= first.map(|most| most + 200 * 128),
                "nothing is lost"
            );
        }
    }

    #[test]
    fn a_scope_ends_also_by_a_panic() {
        assert!(!is_inside());
        let inside = keys(|| keys(is_inside) && is_inside());
        assert!(inside && !is_inside());
        let _ = std::panic::catch_unwind(|| keys(|| panic!("on purpose")));
        assert!(!is_inside());
    }
}
