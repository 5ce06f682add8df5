//! Stores that live as long as the process: for tests, and for tokens that must leave nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, RwLock};

use crate::{
    Change, ChangeCounter, Counters, Durability, Error, Head, IndexTerm, LogEntry, NewUse, Record, RecordDigest,
    RecordId, Revision, Scope, Serial, Store, TokenDirectory, TokenLocation, Turn, UseEntry, UseHead, UseLog, UseTotal,
    log_ends_elsewhere,
};

/// A directory without a place on any disk. Clones of the [`Arc`] around it see the same tokens; a new one is empty.
#[derive(Default)]
pub struct MemoryTokenDirectory {
    tokens: RwLock<Tokens>,
}

#[derive(Default)]
struct Tokens {
    next_slot: u32,
    by_serial: BTreeMap<Serial, Token>,
}

struct Token {
    slot: u32,
    store: Arc<MemoryStore>,
    counters: Arc<MemoryCounters>,
    uses: Arc<MemoryUses>,
}

impl MemoryTokenDirectory {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn token<T>(&self, location: &TokenLocation, of: impl FnOnce(&Token) -> T) -> Result<T, Error> {
        let tokens = self.tokens.read();
        let token = tokens.by_serial.get(&location.serial).filter(|token| token.slot == location.slot);
        token.map(of).ok_or(Error::Missing)
    }
}

impl TokenDirectory for MemoryTokenDirectory {
    fn tokens(&self) -> Result<Vec<TokenLocation>, Error> {
        let tokens = self.tokens.read();
        let mut places: Vec<TokenLocation> =
            tokens.by_serial.iter().map(|(serial, t)| TokenLocation { slot: t.slot, serial: serial.clone() }).collect();
        places.sort();
        Ok(places)
    }

    fn free_slot(&self) -> Result<u32, Error> {
        Ok(self.tokens.read().next_slot)
    }

    fn open(&self, location: &TokenLocation) -> Result<Arc<dyn Store>, Error> {
        self.token(location, |token| Arc::clone(&token.store) as Arc<dyn Store>)
    }

    fn create(&self, location: &TokenLocation, clear: Vec<u8>, sealed: Vec<u8>) -> Result<Arc<dyn Store>, Error> {
        let mut tokens = self.tokens.write();
        if location.slot != tokens.next_slot || tokens.by_serial.contains_key(&location.serial) {
            return Err(Error::Conflict);
        }
        tokens.next_slot = location.slot.checked_add(1).ok_or_else(|| Error::Full("every slot is taken".to_owned()))?;
        let store = Arc::new(MemoryStore::new(clear, sealed));
        let token =
            Token { slot: location.slot, store: Arc::clone(&store), counters: Arc::default(), uses: Arc::default() };
        tokens.by_serial.insert(location.serial.clone(), token);
        Ok(store)
    }

    fn remove(&self, location: &TokenLocation) -> Result<(), Error> {
        self.token(location, |token| token.store.discard())?;
        self.tokens.write().by_serial.remove(&location.serial);
        Ok(())
    }

    fn counters(&self, location: &TokenLocation) -> Result<Arc<dyn Counters>, Error> {
        self.token(location, |token| Arc::clone(&token.counters) as Arc<dyn Counters>)
    }

    fn uses(&self, location: &TokenLocation) -> Result<Arc<dyn UseLog>, Error> {
        self.token(location, |token| Arc::clone(&token.uses) as Arc<dyn UseLog>)
    }
}

/// One token's records in memory.
pub struct MemoryStore {
    /// `None` once the token was removed.
    contents: RwLock<Option<Contents>>,
    changes: Changes,
}

/// How often each scope was changed.
struct Changes {
    head: AtomicU64,
    buckets: [AtomicU64; 256],
}

impl Changes {
    fn of(&self, scope: Scope) -> Option<&AtomicU64> {
        match scope {
            Scope::Token | Scope::Head => Some(&self.head),
            Scope::Bucket(first_byte) => self.buckets.get(usize::from(first_byte)),
        }
    }

    fn count(&self, scope: Scope) {
        if let Some(counter) = self.of(scope) {
            counter.fetch_add(1, Ordering::Release);
        }
    }
}

struct Contents {
    head: Head,
    records: BTreeMap<RecordId, (Record, Vec<IndexTerm>)>,
    index: BTreeSet<(IndexTerm, RecordId)>,
    log: Vec<Vec<u8>>,
}

impl MemoryStore {
    /// A store at revision 0 with this head and no records.
    #[must_use]
    pub fn new(clear: Vec<u8>, sealed: Vec<u8>) -> Self {
        let head = Head { revision: Revision(0), clear, sealed };
        let contents = Contents { head, records: BTreeMap::new(), index: BTreeSet::new(), log: Vec::new() };
        let changes = Changes { head: AtomicU64::new(0), buckets: [const { AtomicU64::new(0) }; 256] };
        Self { contents: RwLock::new(Some(contents)), changes }
    }

    fn with<T>(&self, of: impl FnOnce(&Contents) -> T) -> Result<T, Error> {
        self.contents.read().as_ref().map(of).ok_or(Error::Missing)
    }

    /// What a reader of a removed token sees, in each process, with every medium.
    fn discard(&self) {
        *self.contents.write() = None;
        self.changes.count(Scope::Head);
        (0..=u8::MAX).for_each(|first_byte| self.changes.count(Scope::Bucket(first_byte)));
    }
}

impl Store for MemoryStore {
    fn head(&self) -> Result<Head, Error> {
        self.with(|contents| contents.head.clone())
    }

    fn read(&self, id: RecordId) -> Result<Option<Record>, Error> {
        self.with(|contents| contents.records.get(&id).map(|(record, _)| record.clone()))
    }

    fn find(&self, terms: &[IndexTerm], after: Option<RecordId>, limit: usize) -> Result<Vec<RecordId>, Error> {
        self.with(|contents| match terms {
            [] => contents.all(after).take(limit).collect(),
            [first, others @ ..] => contents
                .carrying(*first, after)
                .filter(|id| others.iter().all(|term| contents.index.contains(&(*term, *id))))
                .take(limit)
                .collect(),
        })
    }

    fn digests(&self, first_byte: u8) -> Result<Vec<RecordDigest>, Error> {
        let (mut first, mut last) = ([0; 16], [u8::MAX; 16]);
        first[0] = first_byte;
        last[0] = first_byte;
        self.with(|contents| {
            let records = contents.records.range(RecordId(first)..=RecordId(last));
            records
                .map(|(id, (record, _))| RecordDigest { id: *id, version: record.version, tag: record.tag })
                .collect()
        })
    }

    fn log(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, Error> {
        let skipped = usize::try_from(after).unwrap_or(usize::MAX);
        self.with(|contents| (1..).zip(contents.log.iter().cloned()).skip(skipped).take(limit).collect())
    }

    fn commit(&self, base: Revision, clear: Vec<u8>, sealed: Vec<u8>, changes: Vec<Change>) -> Result<Revision, Error> {
        let mut guard = self.contents.write();
        let contents = guard.as_mut().ok_or(Error::Missing)?;
        if contents.head.revision != base || !contents.allow(&changes) {
            return Err(Error::Conflict);
        }
        contents.log_goes_on(&changes)?;
        let next = base.0.checked_add(1).ok_or_else(|| Error::Full("every revision is taken".to_owned()))?;
        let mut touched = BTreeSet::new();
        for change in changes {
            touched.extend(change.record().and_then(|id| id.0.first().copied()));
            contents.apply(change);
        }
        let revision = Revision(next);
        contents.head = Head { revision, clear, sealed };
        self.changes.count(Scope::Head);
        touched.into_iter().for_each(|first_byte| self.changes.count(Scope::Bucket(first_byte)));
        Ok(revision)
    }

    fn change_counter(&self, scope: Scope) -> Result<ChangeCounter, Error> {
        let count = self.changes.of(scope).map_or(0, |counter| counter.load(Ordering::Acquire));
        Ok(ChangeCounter::counted(0, count))
    }

    fn writable(&self) -> bool {
        true
    }
}

impl Contents {
    fn all(&self, after: Option<RecordId>) -> impl Iterator<Item = RecordId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.records.range((from, Bound::Unbounded)).map(|(id, _)| *id)
    }

    fn carrying(&self, term: IndexTerm, after: Option<RecordId>) -> impl Iterator<Item = RecordId> {
        let from = after.map_or(Bound::Included((term, RecordId([0; 16]))), |id| Bound::Excluded((term, id)));
        let to = Bound::Included((term, RecordId([u8::MAX; 16])));
        self.index.range((from, to)).map(|(_, id)| *id)
    }

    /// Whether every record to be removed will be there when its turn comes.
    fn allow(&self, changes: &[Change]) -> bool {
        let mut planned = BTreeMap::new();
        changes.iter().all(|change| match change {
            Change::Put(record, _) => {
                planned.insert(record.id, true);
                true
            }
            Change::Remove(id) => planned.insert(*id, false).unwrap_or_else(|| self.records.contains_key(id)),
            Change::Append(..) | Change::EmptyLog => true,
        })
    }

    /// Whether new entries follow the last one.
    fn log_goes_on(&self, changes: &[Change]) -> Result<(), Error> {
        let mut logged = self.log.len() as u64;
        changes.iter().try_for_each(|change| match change {
            Change::Append(number, _) if *number == logged + 1 => {
                logged += 1;
                Ok(())
            }
            Change::Append(number, _) => Err(log_ends_elsewhere(*number)),
            Change::EmptyLog => {
                logged = 0;
                Ok(())
            }
            Change::Put(..) | Change::Remove(_) => Ok(()),
        })
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Append(_, entry) => return self.log.push(entry),
            Change::EmptyLog => return self.log.clear(),
            Change::Put(..) | Change::Remove(_) => {}
        }
        let Some(id) = change.record() else { return };
        if let Some((old, terms)) = self.records.remove(&id) {
            for term in terms {
                self.index.remove(&(term, old.id));
            }
        }
        if let Change::Put(record, terms) = change {
            self.index.extend(terms.iter().map(|term| (*term, record.id)));
            self.records.insert(record.id, (record, terms));
        }
    }
}

/// Counts in memory.
#[derive(Default)]
pub struct MemoryCounters {
    counts: Mutex<BTreeMap<String, u64>>,
    notes: Mutex<BTreeMap<String, Vec<u8>>>,
    turns: Arc<Turns>,
}

/// The turns that somebody has.
#[derive(Default)]
struct Turns {
    taken: Mutex<BTreeSet<String>>,
    given_back: Condvar,
}

/// Gives a turn back when it is dropped.
struct TakenTurn {
    turns: Arc<Turns>,
    name: String,
}

impl Drop for TakenTurn {
    fn drop(&mut self) {
        self.turns.taken.lock().remove(&self.name);
        self.turns.given_back.notify_all();
    }
}

impl Counters for MemoryCounters {
    fn count(&self, name: &str) -> Result<Option<u64>, Error> {
        Ok(self.counts.lock().get(name).copied())
    }

    fn set(&self, name: &str, count: u64, _durability: Durability) -> Result<(), Error> {
        self.counts.lock().insert(name.to_owned(), count);
        Ok(())
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.notes.lock().get(name).cloned())
    }

    fn set_note(&self, name: &str, bytes: &[u8], _durability: Durability) -> Result<(), Error> {
        self.notes.lock().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn turn(&self, name: &str, patience: Duration) -> Result<Turn, Error> {
        let deadline = Instant::now() + patience;
        let mut taken = self.turns.taken.lock();
        while taken.contains(name) {
            if self.turns.given_back.wait_until(&mut taken, deadline).timed_out() {
                return Err(Error::Busy);
            }
        }
        taken.insert(name.to_owned());
        Ok(Turn::new(TakenTurn { turns: Arc::clone(&self.turns), name: name.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_what_every_store_must() {
        crate::conformance::conformance(&|| Box::new(MemoryTokenDirectory::new()));
    }
}

/// The uses of one token's keys in memory.
#[derive(Default)]
struct MemoryUses(Mutex<(Vec<NewUse>, Option<Vec<u8>>)>);

impl UseLog for MemoryUses {
    fn head(&self) -> Result<Option<UseHead>, Error> {
        let (uses, head) = &*self.0.lock();
        Ok(head.clone().map(|bytes| UseHead { entries: uses.len() as u64, bytes }))
    }

    fn append(&self, after: u64, new: &[NewUse], bytes: &[u8]) -> Result<(), Error> {
        let (uses, head) = &mut *self.0.lock();
        if uses.len() as u64 != after {
            return Err(Error::Conflict);
        }
        uses.extend_from_slice(new);
        *head = Some(bytes.to_vec());
        Ok(())
    }

    fn entries(&self, after: u64, limit: usize) -> Result<Vec<UseEntry>, Error> {
        let (uses, _) = &*self.0.lock();
        Ok(numbered(uses).filter(|entry| entry.number > after).take(limit).collect())
    }

    fn of_key(&self, key: &str, limit: usize) -> Result<Vec<UseEntry>, Error> {
        let (uses, _) = &*self.0.lock();
        let mut found: Vec<_> = numbered(uses).filter(|entry| entry.key == key).collect();
        found.reverse();
        found.truncate(limit);
        Ok(found)
    }

    fn totals(&self, key: Option<&str>) -> Result<Vec<UseTotal>, Error> {
        let (uses, _) = &*self.0.lock();
        let mut totals = Vec::<UseTotal>::new();
        for new in uses.iter().map(|new| &new.total).filter(|new| key.is_none_or(|key| new.key == key)) {
            match totals.iter_mut().find(|total| total.about() == new.about()) {
                Some(total) => total.add(new.uses, new.between),
                None => totals.push(new.clone()),
            }
        }
        Ok(totals)
    }
}

fn numbered(uses: &[NewUse]) -> impl Iterator<Item = UseEntry> {
    let entry = |(number, new): (u64, &NewUse)| UseEntry { number, key: new.total.key.clone(), text: new.text.clone() };
    (1..).zip(uses).map(entry)
}
