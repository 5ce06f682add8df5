//! Handles of objects, and the objects behind them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::RwLock;
use store::{ChangeCounter, RecordId};
use types::ObjectHandle;

use super::state::LoginNumber;
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
pub(super) enum Entry {
    /// A session object. Changed under its lock, read and written in one step.
    Session(RwLock<Arc<Object>>),
    /// A token object.
    Token(TokenEntry),
}

/// A token object, read from the token when it is used.
pub(super) struct TokenEntry {
    pub(super) record: RecordId,
    /// For a private object the login in which the handle was given: with it the handle ends.
    login: Option<LoginNumber>,
    cached: RwLock<Option<Cached>>,
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

impl Objects {
    pub(super) fn new() -> Self {
        Self { entries: Table::new(), records: RwLock::default(), cached: AtomicUsize::new(0) }
    }

    /// What a handle stands for, if the handle is valid in this login.
    pub(super) fn entry(&self, handle: ObjectHandle, now: LoginNumber) -> Result<Arc<Entry>, Error> {
        let entry = self.entries.get(handle.0).ok_or(Error::ObjectHandleInvalid)?;
        match entry.as_ref() {
            Entry::Token(TokenEntry { login: Some(given), .. }) if *given != now => Err(Error::ObjectHandleInvalid),
            _ => Ok(entry),
        }
    }

    /// Gives a session object its handle. Nobody finds it before the slot's state has it.
    pub(super) fn add_session_object(&self, object: Object) -> ObjectHandle {
        let (handle, _) = self.entries.insert_with(|_| Arc::new(Entry::Session(RwLock::new(Arc::new(object)))));
        ObjectHandle(handle)
    }

    /// The handle of a token object, the same each time as long as it is valid. The object is cached if it
    /// was read just now.
    pub(super) fn handle_of(
        &self,
        record: RecordId,
        visibility: Visibility,
        now: LoginNumber,
        object: Option<(Object, Freshness)>,
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
        let has_room = self.cached.load(Ordering::Relaxed) < CACHED_AT_MOST;
        let cached = object.filter(|_| has_room).map(|(object, read)| Cached { object: Arc::new(object), read });
        if cached.is_some() {
            self.cached.fetch_add(1, Ordering::Relaxed);
        }
        let login = (visibility == Visibility::Private).then_some(now);
        let entry = Entry::Token(TokenEntry { record, login, cached: RwLock::new(cached) });
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
            let ended = match entry.as_deref() {
                Some(Entry::Token(entry)) => ends(entry),
                Some(Entry::Session(_)) | None => true,
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
        let Entry::Token(entry) = entry.as_ref() else { return None };
        if entry.cached.write().take().is_some() {
            self.cached.fetch_sub(1, Ordering::Relaxed);
        }
        Some(entry.record)
    }

    /// The cached object, if it is still as it was read.
    pub(super) fn cached(entry: &TokenEntry, now: Freshness) -> Option<Arc<Object>> {
        let cached = entry.cached.read();
        cached.as_ref().filter(|cached| cached.read == now).map(|cached| Arc::clone(&cached.object))
    }

    /// Caches what was read; `None` if the object is gone.
    pub(super) fn cache(&self, entry: &TokenEntry, loaded: Option<Object>, read: Freshness) -> Option<Arc<Object>> {
        let mut place = entry.cached.write();
        let before = place.take();
        if before.is_some() {
            self.cached.fetch_sub(1, Ordering::Relaxed);
        }
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
        *place = Some(Cached { object: Arc::clone(&object), read });
        drop(place);
        if self.cached.fetch_add(1, Ordering::Relaxed) >= CACHED_AT_MOST {
            self.drop_cache();
        }
        Some(object)
    }

    /// Changes a session object to what `change` makes of it.
    pub(super) fn change_session_object(
        object: &RwLock<Arc<Object>>,
        change: impl FnOnce(&Attributes) -> Result<Attributes, Error>,
    ) -> Result<(), Error> {
        // Read and written under one lock: of two threads that change it, neither undoes the other.
        let mut place = object.write();
        let changed = change(&place.attributes)?;
        let location = place.location;
        *place = Arc::new(Object::new(changed, location));
        Ok(())
    }

    /// Drops the token objects in memory; the next use reads them again.
    fn drop_cache(&self) {
        for entry in self.entries.values() {
            if let Entry::Token(entry) = entry.as_ref()
                && entry.cached.write().take().is_some()
            {
                self.cached.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
