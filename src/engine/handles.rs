use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::RwLock;

/// The next handle of the process, for sessions and objects alike. It only rises, also over
/// `C_Finalize` and `C_Initialize`: a handle that a caller kept too long names nothing else.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Handles and what they stand for. A handle is never 0 and never given twice in a process, so one that
/// was given by another table is in none but that.
///
/// Split into shards, so that threads that use different handles do not wait for each other.
pub(crate) struct Table<T> {
    shards: [Padded<RwLock<HandleMap<u64, T>>>; SHARDS],
}

/// What is on cache lines of its own; processors fetch them in pairs.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct Padded<T>(pub(crate) T);

/// A map whose keys are handles.
pub(crate) type HandleMap<K, V> = HashMap<K, V, BuildHasherDefault<HandleHasher>>;

/// Hashes handles. They are numbers that we count up ourselves, so nobody can choose ones that collide.
#[derive(Default)]
pub(crate) struct HandleHasher(u64);

impl Hasher for HandleHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        // The map takes its bits from both ends of the hash: a product with an odd number spreads them.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}

const SHARDS: usize = 16;

impl<T: Clone> Table<T> {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Padded(RwLock::default())) }
    }

    /// A handle that stands for nothing yet.
    pub(crate) fn reserve() -> u64 {
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets a reserved handle stand for something.
    pub(crate) fn insert(&self, handle: u64, value: T) {
        if let Some(shard) = self.shard(handle) {
            shard.write().insert(handle, value);
        }
    }

    /// Keeps what `make` makes of its new handle.
    pub(crate) fn insert_with(&self, make: impl FnOnce(u64) -> T) -> (u64, T) {
        let handle = Self::reserve();
        let value = make(handle);
        self.insert(handle, value.clone());
        (handle, value)
    }

    pub(crate) fn get(&self, handle: u64) -> Option<T> {
        self.shard(handle)?.read().get(&handle).cloned()
    }

    pub(crate) fn remove(&self, handle: u64) -> Option<T> {
        self.shard(handle)?.write().remove(&handle)
    }

    /// Everything that is in the table, in no order.
    pub(crate) fn values(&self) -> Vec<T> {
        self.shards.iter().flat_map(|shard| shard.0.read().values().cloned().collect::<Vec<_>>()).collect()
    }

    #[allow(clippy::cast_possible_truncation)] // Only the low bits choose the shard.
    fn shard(&self, handle: u64) -> Option<&RwLock<HandleMap<u64, T>>> {
        self.shards.get(handle as usize % SHARDS).map(|shard| &shard.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_handle_is_never_zero_and_never_given_twice() {
        let table = Table::new();
        let handles: Vec<u64> = (0..100).map(|n| table.insert_with(|_| n).0).collect();
        for &handle in &handles {
            assert_ne!(handle, 0);
            assert!(table.remove(handle).is_some());
        }
        let (again, _) = table.insert_with(|_| 7);
        assert!(!handles.contains(&again), "a freed handle is not given again");
    }

    #[test]
    fn two_tables_never_give_the_same_handle() {
        let (one, other) = (Table::new(), Table::new());
        let (first, _) = one.insert_with(|_| 1);
        let (second, _) = other.insert_with(|_| 2);
        assert_ne!(first, second);
        assert_eq!(other.get(first), None, "a handle of one table is none of another's");
    }
}
