//! Handles of objects, and the objects behind them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
    },
};

use parking_lot::RwLock;
use store::{ChangeCounter, RecordId, Revision};
use types::ObjectHandle;

use super::{
    copies::{Copies, Recent},
    state::LoginNumber,
};
use crate::{
    Error,
    handles::Table,
    object::{Attributes, Object, Visibility},
};

/// The objects of a slot that have a handle.
pub(super) struct Objects {
    entries: Table<Arc<Entry>>,
    /// The handles of token objects, so that one object has one handle.
    records: RwLock<HashMap<RecordId, ObjectHandle>>,
    /// About how many token objects are cached.
    cached: AtomicUsize,
}

/// More token objects than this are not cached at a time.
const CACHED_AT_MOST: usize = 2048;

/// What a handle stands for.
pub(super) struct Entry {
    pub(super) place: Place,
    /// The handle has ended: nothing of the object is kept here any more.
    ended: AtomicBool,
    copies: Copies,
}

/// Where the object is.
pub(super) enum Place {
    Session(SessionEntry),
    Token(TokenEntry),
}

/// A session object. Changed under its lock, read and written in one step.
pub(super) struct SessionEntry {
    /// `None` if the handle has ended.
    object: RwLock<Option<Arc<Object>>>,
    /// How often it was changed.
    changes: AtomicU64,
}

/// A token object, read from the token when it is used.
pub(super) struct TokenEntry {
    pub(super) record: RecordId,
    /// For a private object the login in which the handle was given: with it the handle ends.
    login: Option<LoginNumber>,
    cache: RwLock<Cache>,
}

/// The place of a token object in memory.
enum Cache {
    Empty,
    Filled(Cached),
    /// The handle has ended: nothing is put here any more, also not by a thread that was reading the object meanwhile.
    Ended,
}

/// Two equal values for one record mean that it is the same, and that nobody has logged in or out in between.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freshness {
    pub(super) change_counter: ChangeCounter,
    pub(super) login_number: LoginNumber,
}

/// A token object in memory, as it was at `read`.
struct Cached {
    object: Arc<Object>,
    read: Freshness,
}

impl SessionEntry {
    pub(super) fn object(&self) -> Option<Arc<Object>> {
        self.object.read().clone()
    }

    /// To be asked before the object is read: a change after it is seen at the next use.
    pub(super) fn freshness(&self, login_number: LoginNumber) -> Freshness {
        let changes = Revision(self.changes.load(Ordering::Acquire));
        Freshness { change_counter: ChangeCounter::revision(changes), login_number }
    }

    /// Changes it to what `change` makes of it.
    pub(super) fn change(&self, change: impl FnOnce(&Attributes) -> Result<Attributes, Error>) -> Result<(), Error> {
        // Read and written under one lock: of two threads that change it, neither undoes the other.
        let mut place = self.object.write();
        let object = place.as_ref().ok_or(Error::ObjectHandleInvalid)?;
        let changed = change(&object.attributes)?;
        let location = object.location;
        *place = Some(Arc::new(Object::new(changed, location)));
        self.changes.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

impl Entry {
    fn new(place: Place) -> Self {
        Self { place, ended: AtomicBool::new(false), copies: Copies::default() }
    }

    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if the handle has ended, with the login in which it was given for one.
    pub(super) fn must_be_valid(&self, now: LoginNumber) -> Result<(), Error> {
        let of_another_login =
            matches!(self.place, Place::Token(TokenEntry { login: Some(given), .. }) if given != now);
        let over = of_another_login || self.ended.load(Ordering::Acquire);
        if over { Err(Error::ObjectHandleInvalid) } else { Ok(()) }
    }

    /// A session's copy, if it has one that is as the object is now.
    pub(super) fn copy(&self, recent: Option<&Recent>, now: Freshness) -> Option<Arc<Object>> {
        self.copies.get(recent?, now)
    }

    /// The object, or a copy for this session if it is worth one.
    pub(super) fn for_session(&self, recent: Option<&Recent>, object: Arc<Object>, read: Freshness) -> Arc<Object> {
        recent.and_then(|recent| self.copies.make(recent, &object, read, &self.ended)).unwrap_or(object)
    }
}

impl Objects {
    pub(super) fn new() -> Self {
        Self { entries: Table::new(), records: RwLock::default(), cached: AtomicUsize::new(0) }
    }

    /// What a handle stands for, if the handle is valid in this login.
    pub(super) fn entry(&self, handle: ObjectHandle, now: LoginNumber) -> Result<Arc<Entry>, Error> {
        let entry = self.entries.get(handle.0).ok_or(Error::ObjectHandleInvalid)?;
        entry.must_be_valid(now)?;
        Ok(entry)
    }

    /// Gives a session object its handle. Nobody finds it before the slot's state has it.
    pub(super) fn add_session_object(&self, object: Object) -> ObjectHandle {
        let place = SessionEntry { object: RwLock::new(Some(Arc::new(object))), changes: AtomicU64::new(0) };
        let (handle, _) = self.entries.insert_with(|_| Arc::new(Entry::new(Place::Session(place))));
        ObjectHandle(handle)
    }

    /// The handle of a token object, the same each time as long as it is valid. The object is cached if it
    /// was read just now, and if the login is still the one in which it was read.
    pub(super) fn handle_of(
        &self,
        record: RecordId,
        visibility: Visibility,
        now: LoginNumber,
        object: Option<(Object, Freshness)>,
        is_now: impl Fn() -> bool,
    ) -> ObjectHandle {
        if let Some(handle) = self.records.read().get(&record)
            && self.entry(*handle, now).is_ok()
        {
            return *handle;
        }
        let mut records = self.records.write();
        if let Some(handle) = records.get(&record) {
            if self.entry(*handle, now).is_ok() {
                return *handle;
            }
            self.remove_entry(*handle);
        }
        // Asked with the records locked: a logout ends the private ones after it was published, with the same lock.
        let keeps = self.cached.load(Ordering::Relaxed) < CACHED_AT_MOST && is_now();
        let cache = match object.filter(|_| keeps) {
            Some((object, read)) => {
                self.cached.fetch_add(1, Ordering::Relaxed);
                Cache::Filled(Cached { object: Arc::new(object), read })
            }
            None => Cache::Empty,
        };
        let login = (visibility == Visibility::Private).then_some(now);
        let entry = Entry::new(Place::Token(TokenEntry { record, login, cache: RwLock::new(cache) }));
        let handle = ObjectHandle(self.entries.insert_with(|_| Arc::new(entry)).0);
        records.insert(record, handle);
        handle
    }

    /// Ends a handle.
    pub(super) fn forget(&self, handle: ObjectHandle) {
        if let Some(record) = self.remove_entry(handle) {
            let mut records = self.records.write();
            // Another thread may have given the object a new handle.
            if records.get(&record) == Some(&handle) {
                records.remove(&record);
            }
        }
    }

    /// Ends the handles of private token objects.
    pub(super) fn forget_private(&self) {
        self.forget_token_objects(|entry| entry.login.is_some());
        self.drop_cache();
    }

    /// Ends the handles of all token objects.
    pub(super) fn forget_all(&self) {
        self.forget_token_objects(|_| true);
    }

    fn forget_token_objects(&self, ends: impl Fn(&TokenEntry) -> bool) {
        self.records.write().retain(|_, handle| {
            let entry = self.entries.get(handle.0);
            let ended = match entry.as_deref().map(|entry| &entry.place) {
                Some(Place::Token(entry)) => ends(entry),
                Some(Place::Session(_)) | None => true,
            };
            if ended {
                self.remove_entry(*handle);
            }
            !ended
        });
    }

    /// Removes an entry; the record if it was a token object's.
    fn remove_entry(&self, handle: ObjectHandle) -> Option<RecordId> {
        let entry = self.entries.remove(handle.0)?;
        // A session may remember the entry, and has to find nothing in it.
        entry.ended.store(true, Ordering::Release);
        // Either whoever makes a copy sees that, or its place is seen here.
        fence(Ordering::SeqCst);
        entry.copies.clear();
        match &entry.place {
            Place::Session(session) => {
                *session.object.write() = None;
                None
            }
            Place::Token(token) => {
                self.empty(&mut token.cache.write(), Cache::Ended);
                Some(token.record)
            }
        }
    }

    /// The cached object, if it is still as it was read.
    pub(super) fn cached(entry: &TokenEntry, now: Freshness) -> Option<Arc<Object>> {
        match &*entry.cache.read() {
            Cache::Filled(cached) if cached.read == now => Some(Arc::clone(&cached.object)),
            Cache::Filled(_) | Cache::Empty | Cache::Ended => None,
        }
    }

    /// Puts something else in the place of what is cached, and gives that.
    fn empty(&self, cache: &mut Cache, instead: Cache) -> Option<Cached> {
        match std::mem::replace(cache, instead) {
            Cache::Filled(cached) => {
                self.cached.fetch_sub(1, Ordering::Relaxed);
                Some(cached)
            }
            Cache::Empty | Cache::Ended => None,
        }
    }

    /// Caches what was read; `None` if the object is gone.
    pub(super) fn cache(&self, entry: &Entry, loaded: Option<Object>, read: Freshness) -> Option<Arc<Object>> {
        let Place::Token(token) = &entry.place else { return None };
        if loaded.is_none() {
            entry.copies.clear();
        }
        let mut cache = token.cache.write();
        if matches!(*cache, Cache::Ended) {
            return loaded.map(Arc::new);
        }
        let before = self.empty(&mut cache, Cache::Empty);
        let loaded = loaded?;
        // The same version under the same login: keep the one whose key is ready.
        let object = match before {
            Some(cached)
                if cached.object.location == loaded.location && cached.read.login_number == read.login_number =>
            {
                cached.object
            }
            _ => Arc::new(loaded),
        };
        *cache = Cache::Filled(Cached { object: Arc::clone(&object), read });
        drop(cache);
        if self.cached.fetch_add(1, Ordering::Relaxed) >= CACHED_AT_MOST {
            self.drop_cache();
        }
        Some(object)
    }

    /// Drops the token objects in memory; the next use reads them again.
    fn drop_cache(&self) {
        for entry in self.entries.values() {
            if let Place::Token(token) = &entry.place {
                entry.copies.clear();
                let mut cache = token.cache.write();
                if matches!(*cache, Cache::Filled(_)) {
                    self.empty(&mut cache, Cache::Empty);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use store::{RecordId, Revision};
    use types::{AttributeType, Value};

    use super::*;
    use crate::object::ObjectLocation;

    const NOW: LoginNumber = LoginNumber(1);
    const RECORD: RecordId = RecordId([7; 16]);

    fn object() -> Object {
        let attributes = [(AttributeType::PRIVATE, Value::Flag(true))].into_iter().collect();
        Object::new(attributes, ObjectLocation::Token { record: RECORD, version: Revision(1) })
    }

    fn read() -> Freshness {
        Freshness { change_counter: ChangeCounter::revision(Revision(1)), login_number: NOW }
    }

    fn token_entry(entry: &Entry) -> &TokenEntry {
        let Place::Token(entry) = &entry.place else { panic!("a token object") };
        entry
    }

    #[test]
    fn what_was_read_before_its_handle_ended_is_not_cached_after_it() {
        let objects = Objects::new();
        let handle = objects.handle_of(RECORD, Visibility::Private, NOW, None, || true);
        let entry = objects.entry(handle, NOW).unwrap();
        // One thread has read the object; another logs out; the first one puts away what it has read.
        objects.forget_private();
        assert!(objects.cache(&entry, Some(object()), read()).is_some(), "it is used once more");
        assert!(Objects::cached(token_entry(&entry), read()).is_none());
        assert_eq!(objects.cached.load(Ordering::Relaxed), 0, "nobody counts what nobody can find");
    }

    #[test]
    fn what_was_found_before_a_logout_is_not_cached_after_it() {
        let objects = Objects::new();
        let handle = objects.handle_of(RECORD, Visibility::Private, NOW, Some((object(), read())), || false);
        let entry = objects.entry(handle, NOW).unwrap();
        assert!(Objects::cached(token_entry(&entry), read()).is_none());
        assert_eq!(objects.cached.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_count_of_what_is_cached_is_right_after_every_sequence_of_events() {
        type Event = fn(&Objects, &Entry);
        let events: [Event; 5] = [
            |objects, entry| drop(objects.cache(entry, Some(object()), read())),
            |objects, entry| drop(objects.cache(entry, None, read())),
            |objects, _| objects.drop_cache(),
            |objects, _| objects.forget_private(),
            |objects, _| {
                objects.handle_of(RECORD, Visibility::Private, NOW, Some((object(), read())), || true);
            },
        ];
        for mut number in 0..events.len().pow(5) {
            let objects = Objects::new();
            let first = objects.handle_of(RECORD, Visibility::Private, NOW, None, || true);
            let entry = objects.entry(first, NOW).unwrap();
            for _ in 0..5 {
                events[number % events.len()](&objects, &entry);
                number /= events.len();
                let filled = |entry: &Entry| matches!(*token_entry(entry).cache.read(), Cache::Filled(_));
                let found = objects.entries.values().iter().filter(|entry| filled(entry)).count();
                assert_eq!(objects.cached.load(Ordering::Relaxed), found);
                assert!(objects.records.read().len() <= 1);
            }
        }
    }
}
