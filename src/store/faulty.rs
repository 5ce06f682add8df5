//! A medium that fails on purpose, at a chosen call: how the callers of a store are tested.
//!
//! Wrap a directory with [`Faulty::directory`] (or a single store with [`Faulty::new`]), keep its [`Plan`], and tell
//! the plan what goes wrong. All that was opened through one directory follows, and counts for, the same plan.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::{
    Change, ChangeCounter, Counters, Durability, Error, Head, IndexTerm, LogEntry, NewUse, Present, Record,
    RecordDigest, RecordId, Revision, Scope, Serial, SlotConflict, Store, TokenDirectory, TokenLocation, Turn,
    UseEntry, UseHead, UseLog, UseTotal,
};

/// What can be made to fail. [`Store::writable`], [`TokenDirectory::conflicts`] and what snapshots need cannot, and are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// [`Store::head`].
    Head,
    /// [`Store::read`].
    Read,
    /// [`Store::find`].
    Find,
    /// [`Store::digests`].
    Digests,
    /// [`Store::log`].
    Log,
    /// [`Store::commit`].
    Commit,
    /// [`Store::change_counter`].
    ChangeCounter,
    /// [`Counters::count`].
    Count,
    /// [`Counters::set`].
    Set,
    /// [`Counters::turn`].
    Turn,
    /// [`Counters::note`].
    Note,
    /// [`Counters::set_note`].
    SetNote,
    /// [`TokenDirectory::tokens`].
    Tokens,
    /// [`TokenDirectory::free_slot`].
    FreeSlot,
    /// [`TokenDirectory::open`].
    Open,
    /// [`TokenDirectory::create`].
    Create,
    /// [`TokenDirectory::remove`].
    Remove,
    /// [`TokenDirectory::counters`].
    Counters,
    /// [`UseLog::append`].
    AppendUses,
}

/// On which side of its effect a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing has happened.
    Before,
    /// It has happened, and is reported as failed: the acknowledgement was lost.
    After,
}

/// How often a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// At one call; the next one succeeds.
    Once,
    /// At this call and at each that follows, until [`Plan::heal`].
    Lasting,
}

/// One thing that goes wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which calls are counted; `None` for all of them.
    pub verb: Option<Verb>,
    /// The first that fails: 1 is the next one after [`Plan::fail`].
    pub nth: u64,
    /// Before or after its effect.
    pub when: When,
    /// Once, or from then on.
    pub span: Span,
    /// What it says.
    pub error: Error,
}

/// What goes wrong and when, and what was called so far.
#[derive(Default)]
pub struct Plan {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: BTreeMap<Verb, u64>,
    faults: Vec<Fault>,
    events: Vec<Event>,
    damaged: BTreeSet<RecordId>,
    hidden: BTreeSet<RecordId>,
    lost_counts: BTreeSet<String>,
}

/// Something that happens just before a call: what another thread or process would do at that moment.
struct Event {
    verb: Verb,
    nth: u64,
    happens: Box<dyn FnOnce() + Send>,
}

impl Plan {
    /// Adds a fault to those already planned.
    pub fn fail(&self, fault: Fault) {
        self.state.lock().faults.push(fault);
    }

    /// Lets the `nth` next call of `verb` fail once, with nothing done.
    pub fn fail_before(&self, verb: Verb, nth: u64, error: Error) {
        self.fail(Fault { verb: Some(verb), nth, when: When::Before, span: Span::Once, error });
    }

    /// Lets the `nth` next call of `verb` do its work and say that it failed, once.
    pub fn fail_after(&self, verb: Verb, nth: u64, error: Error) {
        self.fail(Fault { verb: Some(verb), nth, when: When::After, span: Span::Once, error });
    }

    /// Lets `happens` happen just before the `nth` next call of `verb`, once. It may use the store, and
    /// whatever else the caller of that call has not locked.
    pub fn meanwhile(&self, verb: Verb, nth: u64, happens: impl FnOnce() + Send + 'static) {
        self.state.lock().events.push(Event { verb, nth, happens: Box::new(happens) });
    }

    /// Lets each read of a record give a sealed part in which a bit differs.
    pub fn damage(&self, id: RecordId) {
        self.state.lock().damaged.insert(id);
    }

    /// Hides a record, as if somebody had taken it out of the file.
    pub fn hide(&self, id: RecordId) {
        self.state.lock().hidden.insert(id);
    }

    fn is_hidden(&self, id: RecordId) -> bool {
        self.state.lock().hidden.contains(&id)
    }

    /// Gives a record as it is again.
    pub fn mend(&self, id: RecordId) {
        self.state.lock().damaged.remove(&id);
    }

    /// Loses a count, until it is set again: as if its file had been removed or damaged.
    pub fn lose_count(&self, name: &str) {
        self.state.lock().lost_counts.insert(name.to_owned());
    }

    /// Forgets every fault; the counts stay.
    pub fn heal(&self) {
        self.state.lock().faults.clear();
    }

    /// How often `verb` was called, failures included.
    #[must_use]
    pub fn calls(&self, verb: Verb) -> u64 {
        self.state.lock().calls.get(&verb).copied().unwrap_or(0)
    }

    /// How often anything was called.
    #[must_use]
    pub fn all_calls(&self) -> u64 {
        self.state.lock().calls.values().sum()
    }

    /// Counts a call; how it fails, if it does.
    fn count(&self, verb: Verb) -> Option<(When, Error)> {
        let mut state = self.state.lock();
        *state.calls.entry(verb).or_insert(0) += 1;
        let mut due = None;
        state.faults.retain_mut(|fault| {
            if fault.verb.is_some_and(|chosen| chosen != verb) {
                return true;
            }
            fault.nth = fault.nth.saturating_sub(1);
            if fault.nth > 0 || due.is_some() {
                return true;
            }
            due = Some((fault.when, fault.error.clone()));
            fault.span == Span::Lasting
        });
        due
    }

    /// The events that are due before a call.
    fn due(&self, verb: Verb) -> Vec<Event> {
        let mut state = self.state.lock();
        for event in state.events.iter_mut().filter(|event| event.verb == verb) {
            event.nth = event.nth.saturating_sub(1);
        }
        state.events.extract_if(.., |event| event.nth == 0).collect()
    }

    fn run<T>(&self, verb: Verb, call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        // Outside of the lock: they may call the store.
        for event in self.due(verb) {
            (event.happens)();
        }
        match self.count(verb) {
            None => call(),
            Some((When::Before, error)) => Err(error),
            Some((When::After, error)) => call().and(Err(error)),
        }
    }
}

/// A store, its counters or a directory that fails as its plan says.
pub struct Faulty<S: ?Sized> {
    plan: Arc<Plan>,
    inner: Arc<S>,
}

impl<S: ?Sized> Faulty<S> {
    /// Puts `inner` under a plan.
    #[must_use]
    pub fn new(inner: Arc<S>, plan: Arc<Plan>) -> Self {
        Self { plan, inner }
    }
}

impl Faulty<dyn TokenDirectory> {
    /// A directory that works until its plan, which comes with it, is told otherwise.
    #[must_use]
    pub fn directory(inner: impl TokenDirectory + 'static) -> (Self, Arc<Plan>) {
        let plan = Arc::new(Plan::default());
        (Self::new(Arc::new(inner), Arc::clone(&plan)), plan)
    }

    fn store(&self, inner: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Faulty::new(inner, Arc::clone(&self.plan)))
    }
}

impl<S: Store + ?Sized> Store for Faulty<S> {
    fn head(&self) -> Result<Head, Error> {
        self.plan.run(Verb::Head, || self.inner.head())
    }

    fn read(&self, id: RecordId) -> Result<Option<Record>, Error> {
        let damaged = self.plan.state.lock().damaged.contains(&id);
        let read = self.plan.run(Verb::Read, || self.inner.read(id))?.filter(|_| !self.plan.is_hidden(id));
        Ok(read.map(|mut record| {
            if let Some(last) = record.sealed.last_mut().filter(|_| damaged) {
                *last ^= 1;
            }
            record
        }))
    }

    fn find(&self, terms: &[IndexTerm], after: Option<RecordId>, limit: usize) -> Result<Vec<RecordId>, Error> {
        let mut found = self.plan.run(Verb::Find, || self.inner.find(terms, after, limit))?;
        found.retain(|id| !self.plan.is_hidden(*id));
        Ok(found)
    }

    fn digests(&self, first_byte: u8) -> Result<Vec<RecordDigest>, Error> {
        let mut digests = self.plan.run(Verb::Digests, || self.inner.digests(first_byte))?;
        digests.retain(|digest| !self.plan.is_hidden(digest.id));
        Ok(digests)
    }

    fn millis(&self) -> u64 {
        self.inner.millis()
    }

    fn log(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, Error> {
        self.plan.run(Verb::Log, || self.inner.log(after, limit))
    }

    fn commit(&self, base: Revision, clear: Vec<u8>, sealed: Vec<u8>, changes: Vec<Change>) -> Result<Revision, Error> {
        self.plan.run(Verb::Commit, || self.inner.commit(base, clear, sealed, changes))
    }

    fn counter_after(&self, revision: Revision) -> Option<ChangeCounter> {
        self.inner.counter_after(revision)
    }

    fn change_counter(&self, scope: Scope) -> Result<ChangeCounter, Error> {
        self.plan.run(Verb::ChangeCounter, || self.inner.change_counter(scope))
    }

    fn writable(&self) -> bool {
        self.inner.writable()
    }
}

impl<S: Counters + ?Sized> Counters for Faulty<S> {
    fn count(&self, name: &str) -> Result<Option<u64>, Error> {
        let lost = self.plan.state.lock().lost_counts.contains(name);
        self.plan.run(Verb::Count, || if lost { Ok(None) } else { self.inner.count(name) })
    }

    fn set(&self, name: &str, count: u64, durability: Durability) -> Result<(), Error> {
        self.plan.run(Verb::Set, || self.inner.set(name, count, durability))?;
        self.plan.state.lock().lost_counts.remove(name);
        Ok(())
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.plan.run(Verb::Note, || self.inner.note(name))
    }

    fn set_note(&self, name: &str, bytes: &[u8], durability: Durability) -> Result<(), Error> {
        self.plan.run(Verb::SetNote, || self.inner.set_note(name, bytes, durability))
    }

    fn turn(&self, name: &str, patience: Duration) -> Result<Turn, Error> {
        self.plan.run(Verb::Turn, || self.inner.turn(name, patience))
    }
}

impl UseLog for Faulty<dyn UseLog> {
    fn head(&self) -> Result<Option<UseHead>, Error> {
        self.inner.head()
    }

    fn append(&self, after: u64, uses: &[NewUse], head: &[u8]) -> Result<(), Error> {
        self.plan.run(Verb::AppendUses, || self.inner.append(after, uses, head))
    }

    fn entries(&self, after: u64, limit: usize) -> Result<Vec<UseEntry>, Error> {
        self.inner.entries(after, limit)
    }

    fn of_key(&self, key: &str, limit: usize) -> Result<Vec<UseEntry>, Error> {
        self.inner.of_key(key, limit)
    }

    fn totals(&self, key: Option<&str>) -> Result<Vec<UseTotal>, Error> {
        self.inner.totals(key)
    }
}

impl TokenDirectory for Faulty<dyn TokenDirectory> {
    fn tokens(&self) -> Result<Vec<TokenLocation>, Error> {
        self.plan.run(Verb::Tokens, || self.inner.tokens())
    }

    fn free_slot(&self) -> Result<u32, Error> {
        self.plan.run(Verb::FreeSlot, || self.inner.free_slot())
    }

    fn open(&self, location: &TokenLocation) -> Result<Arc<dyn Store>, Error> {
        self.plan.run(Verb::Open, || Ok(self.store(self.inner.open(location)?)))
    }

    fn create(&self, location: &TokenLocation, clear: Vec<u8>, sealed: Vec<u8>) -> Result<Arc<dyn Store>, Error> {
        self.plan.run(Verb::Create, || Ok(self.store(self.inner.create(location, clear, sealed)?)))
    }

    fn remove(&self, location: &TokenLocation) -> Result<(), Error> {
        self.plan.run(Verb::Remove, || self.inner.remove(location))
    }

    fn conflicts(&self) -> Result<Vec<SlotConflict>, Error> {
        self.inner.conflicts()
    }

    fn snapshot(&self, location: &TokenLocation, to: &Path) -> Result<Head, Error> {
        self.inner.snapshot(location, to)
    }

    fn snapshot_head(&self, snapshot: &Path) -> Result<Head, Error> {
        self.inner.snapshot_head(snapshot)
    }

    fn kept_counters(&self, serial: &Serial) -> Result<Option<Arc<dyn Counters>>, Error> {
        self.inner.kept_counters(serial)
    }

    fn restore(&self, serial: &Serial, snapshot: &Path, present: Present) -> Result<TokenLocation, Error> {
        self.inner.restore(serial, snapshot, present)
    }

    fn uses(&self, location: &TokenLocation) -> Result<Arc<dyn UseLog>, Error> {
        let inner = self.inner.uses(location)?;
        Ok(Arc::new(Faulty::new(inner, Arc::clone(&self.plan))))
    }

    fn counters(&self, location: &TokenLocation) -> Result<Arc<dyn Counters>, Error> {
        self.plan.run(Verb::Counters, || {
            let inner = self.inner.counters(location)?;
            Ok(Arc::new(Faulty::new(inner, Arc::clone(&self.plan))) as Arc<dyn Counters>)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::memory::{MemoryStore, MemoryTokenDirectory};

    use super::*;

    fn store() -> (Faulty<dyn Store>, Arc<Plan>) {
        let plan = Arc::new(Plan::default());
        (Faulty::new(Arc::new(MemoryStore::new(vec![], vec![])), Arc::clone(&plan)), plan)
    }

    fn commit(store: &Faulty<dyn Store>, base: u64) -> Result<Revision, Error> {
        store.commit(Revision(base), vec![], vec![], vec![])
    }

    #[test]
    fn without_faults_it_does_what_every_store_must() {
        crate::conformance::conformance(&|| Box::new(Faulty::directory(MemoryTokenDirectory::new()).0));
    }

    #[test]
    fn the_chosen_call_fails_and_no_other() {
        let (store, plan) = store();
        plan.fail_before(Verb::Commit, 2, Error::Busy);
        assert_eq!(commit(&store, 0), Ok(Revision(1)));
        assert!(store.head().is_ok(), "another verb is not counted");
        assert_eq!(commit(&store, 1), Err(Error::Busy));
        assert_eq!(commit(&store, 1), Ok(Revision(2)), "nothing had happened");
        assert_eq!((plan.calls(Verb::Commit), plan.all_calls()), (3, 4));
    }

    #[test]
    fn a_lost_acknowledgement_has_its_effect() {
        let (store, plan) = store();
        plan.fail_after(Verb::Commit, 1, Error::Failed("lost".to_owned()));
        assert_eq!(commit(&store, 0), Err(Error::Failed("lost".to_owned())));
        assert_eq!(store.head().unwrap().revision, Revision(1));
    }

    #[test]
    fn a_lasting_fault_lasts_until_it_is_healed() {
        let (store, plan) = store();
        plan.fail(Fault { verb: None, nth: 2, when: When::Before, span: Span::Lasting, error: Error::Busy });
        assert!(store.change_counter(Scope::Token).is_ok());
        assert_eq!(store.change_counter(Scope::Token), Err(Error::Busy));
        assert_eq!(store.head(), Err(Error::Busy));
        plan.heal();
        assert!(store.head().is_ok());
    }
}
