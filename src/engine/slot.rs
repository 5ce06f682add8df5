use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use store::{RecordId, TokenDirectory, TokenLocation};
use types::{AttributeType, ObjectHandle, SessionHandle, SlotId};

use crate::{
    Access, Error, Settings,
    handles::Table,
    object::{Attributes, Object, ObjectLocation},
    token::{Role, Token},
};

/// The slots: one for each token, and one more for the next.
pub(crate) struct Slots {
    directory: Arc<dyn TokenDirectory>,
    /// Those whose tokens this process has opened.
    opened: RwLock<BTreeMap<SlotId, Arc<Slot>>>,
}

/// A slot with an initialised token that this process has opened.
pub(crate) struct Slot {
    pub(crate) id: SlotId,
    pub(crate) token: Token,
    /// The sessions that are open with it.
    pub(crate) open_sessions: Mutex<OpenSessions>,
    objects: Table<Arc<Entry>>,
    /// The handles of token objects, so that one object has one handle.
    records: RwLock<HashMap<RecordId, ObjectHandle>>,
    /// The handles of session objects.
    session_objects: Mutex<BTreeSet<ObjectHandle>>,
    /// About how many token objects are held in memory.
    held: AtomicUsize,
}

/// More token objects than this are not held in memory at a time.
const HELD_AT_MOST: usize = 2048;

/// Who has sessions open.
#[derive(Default)]
pub(crate) struct OpenSessions {
    pub(crate) read_only: BTreeSet<SessionHandle>,
    pub(crate) read_write: BTreeSet<SessionHandle>,
}

/// What an object handle stands for.
enum Entry {
    Session(RwLock<Arc<Object>>),
    Token { record: RecordId, private: bool, held: RwLock<Option<Held>> },
}

/// When a token object was looked at: what it was then, it is until one of the two differs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    change_counter: store::ChangeCounter,
    login_epoch: u64,
}

/// A token object in memory, and since when it is known to be the token's.
struct Held {
    object: Arc<Object>,
    since: Moment,
}

/// What `C_GetSlotInfo` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotInfo {
    /// What the slot is called.
    pub description: String,
    /// Who made it.
    pub manufacturer: &'static str,
    /// Version of the hardware, major and minor.
    pub hardware: (u8, u8),
    /// Version of the firmware, major and minor.
    pub firmware: (u8, u8),
}

/// What `C_GetTokenInfo` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// The label, padded with blanks.
    pub label: [u8; 32],
    /// Who made it.
    pub manufacturer: &'static str,
    /// The model.
    pub model: &'static str,
    /// The serial number; empty if the token is not initialised.
    pub serial: String,
    /// The `CKF_` flags.
    pub flags: u64,
    /// How many sessions can be open; 0 means that there is no limit.
    pub max_sessions: u64,
    /// How many this process has open.
    pub sessions: u64,
    /// How many read-write sessions can be open; 0 means that there is no limit.
    pub max_rw_sessions: u64,
    /// How many this process has open.
    pub rw_sessions: u64,
    /// The longest PIN in bytes.
    pub max_pin_len: u64,
    /// The shortest PIN in bytes.
    pub min_pin_len: u64,
    /// Version of the hardware, major and minor.
    pub hardware: (u8, u8),
    /// Version of the firmware, major and minor.
    pub firmware: (u8, u8),
}

impl OpenSessions {
    /// The sessions of one kind.
    pub(crate) fn of(&mut self, access: Access) -> &mut BTreeSet<SessionHandle> {
        match access {
            Access::ReadOnly => &mut self.read_only,
            Access::ReadWrite => &mut self.read_write,
        }
    }

    pub(crate) fn all(&self) -> Vec<SessionHandle> {
        self.read_only.union(&self.read_write).copied().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.read_only.is_empty() && self.read_write.is_empty()
    }
}

impl Slots {
    pub(crate) fn new(directory: Arc<dyn TokenDirectory>) -> Self {
        Self { directory, opened: RwLock::default() }
    }

    /// The slots that have a token. A place that cannot be listed has none; the reason is logged.
    pub(crate) fn locations(&self) -> Vec<TokenLocation> {
        self.directory.tokens().unwrap_or_else(|fault| {
            tracing::warn!(%fault, "the tokens cannot be listed");
            Vec::new()
        })
    }

    /// The slot in which the next token will be.
    pub(crate) fn free(&self) -> SlotId {
        let number = self.directory.free_slot().unwrap_or_else(|fault| {
            tracing::warn!(%fault, "the free slot cannot be told");
            0
        });
        SlotId(u64::from(number))
    }

    /// The slot, its token opened.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`], or [`Error::TokenNotInitialized`] for the free slot.
    pub(crate) fn open(&self, id: SlotId, settings: &Settings) -> Result<Arc<Slot>, Error> {
        if let Some(slot) = self.opened.read().get(&id) {
            return Ok(Arc::clone(slot));
        }
        let Some(location) = self.locations().into_iter().find(|location| u64::from(location.slot) == id.0) else {
            return Err(if id == self.free() { Error::TokenNotInitialized } else { Error::SlotIdInvalid });
        };
        let token = Token::open(self.directory.as_ref(), &location, settings)?;
        let slot = Arc::new(Slot::new(id, token));
        // Another thread may have been faster; then its slot is the one.
        Ok(Arc::clone(self.opened.write().entry(id).or_insert(slot)))
    }

    /// Makes a token in the free slot.
    pub(crate) fn create(&self, id: SlotId, so_pin: &[u8], label: &[u8; 32], settings: &Settings) -> Result<(), Error> {
        let number = u32::try_from(id.0).map_err(|_| Error::SlotIdInvalid)?;
        let token = Token::create(self.directory.as_ref(), number, so_pin, label, settings)?;
        self.opened.write().insert(id, Arc::new(Slot::new(id, token)));
        Ok(())
    }

    /// Removes a token for good.
    pub(crate) fn remove(&self, id: SlotId) -> Result<(), Error> {
        let location = self
            .locations()
            .into_iter()
            .find(|location| u64::from(location.slot) == id.0)
            .ok_or(Error::SlotIdInvalid)?;
        self.opened.write().remove(&id);
        Ok(self.directory.remove(&location)?)
    }
}

impl Slot {
    fn new(id: SlotId, token: Token) -> Self {
        Self {
            id,
            token,
            open_sessions: Mutex::default(),
            objects: Table::new(),
            records: RwLock::default(),
            session_objects: Mutex::default(),
            held: AtomicUsize::new(0),
        }
    }

    /// The object behind a handle, as it is now, if it may be seen.
    pub(crate) fn object(&self, handle: ObjectHandle) -> Result<Arc<Object>, Error> {
        let entry = self.objects.get(handle.0).ok_or(Error::ObjectHandleInvalid)?;
        match entry.as_ref() {
            Entry::Session(object) => {
                let object = Arc::clone(&object.read());
                self.may_see(&object.attributes).then_some(object).ok_or(Error::ObjectHandleInvalid)
            }
            Entry::Token { record, held, .. } => {
                let now = self.moment()?;
                if let Some(held) = held.read().as_ref()
                    && held.since == now
                {
                    return Ok(Arc::clone(&held.object));
                }
                self.reload(*record, held, now)
            }
        }
    }

    /// Now. To be asked before an object is read: a change after it is seen at the next use.
    pub(crate) fn moment(&self) -> Result<Moment, Error> {
        Ok(Moment { change_counter: self.token.change_counter()?, login_epoch: self.token.login_epoch() })
    }

    fn reload(&self, record: RecordId, place: &RwLock<Option<Held>>, now: Moment) -> Result<Arc<Object>, Error> {
        let loaded = self.token.load(record)?;
        let mut place = place.write();
        let Some(loaded) = loaded else {
            if place.take().is_some() {
                self.held.fetch_sub(1, Ordering::Relaxed);
            }
            return Err(Error::ObjectHandleInvalid);
        };
        // The same version under the same login: keep the one whose key is ready.
        let object = match place.take() {
            Some(held) if held.object.home == loaded.home && held.since.login_epoch == now.login_epoch => held.object,
            Some(_) => Arc::new(loaded),
            None => {
                self.held.fetch_add(1, Ordering::Relaxed);
                Arc::new(loaded)
            }
        };
        *place = Some(Held { object: Arc::clone(&object), since: now });
        drop(place);
        if self.held.load(Ordering::Relaxed) > HELD_AT_MOST {
            self.let_go();
        }
        Ok(object)
    }

    /// Whether an object with these attributes exists for who is logged in now.
    pub(crate) fn may_see(&self, attributes: &Attributes) -> bool {
        !attributes.flag(AttributeType::PRIVATE) || self.token.role() == Some(Role::User)
    }

    /// Gives a session object its handle.
    pub(crate) fn keep(&self, object: Object) -> ObjectHandle {
        let (handle, _) = self.objects.insert_with(|_| Arc::new(Entry::Session(RwLock::new(Arc::new(object)))));
        let handle = ObjectHandle(handle);
        self.session_objects.lock().insert(handle);
        handle
    }

    /// The handle of a token object, the same each time. Holds the object if it was read just now.
    pub(crate) fn handle_of(&self, record: RecordId, object: Object, read: Option<Moment>) -> ObjectHandle {
        if let Some(handle) = self.records.read().get(&record) {
            return *handle;
        }
        let mut records = self.records.write();
        *records.entry(record).or_insert_with(|| {
            let private = object.attributes.flag(AttributeType::PRIVATE);
            let out = self.held.load(Ordering::Relaxed) < HELD_AT_MOST;
            let held = read.filter(|_| out).map(|since| Held { object: Arc::new(object), since });
            if held.is_some() {
                self.held.fetch_add(1, Ordering::Relaxed);
            }
            let entry = Arc::new(Entry::Token { record, private, held: RwLock::new(held) });
            ObjectHandle(self.objects.insert_with(|_| entry).0)
        })
    }

    /// Puts the new version of an object in the place of the old.
    pub(crate) fn replace(&self, handle: ObjectHandle, object: Object) {
        match self.objects.get(handle.0).as_deref() {
            Some(Entry::Session(place)) => *place.write() = Arc::new(object),
            // The next use sees that the store has changed.
            Some(Entry::Token { .. }) | None => {}
        }
    }

    /// Ends a handle, and the object with it if it is a session object.
    pub(crate) fn forget(&self, handle: ObjectHandle) {
        let Some(entry) = self.objects.remove(handle.0) else { return };
        match entry.as_ref() {
            Entry::Session(_) => {
                self.session_objects.lock().remove(&handle);
            }
            Entry::Token { record, held, .. } => {
                self.records.write().remove(record);
                if held.write().take().is_some() {
                    self.held.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// The handles of the session objects that may be seen now.
    pub(crate) fn session_objects(&self) -> Vec<ObjectHandle> {
        self.session_objects.lock().iter().copied().collect()
    }

    /// Ends the session objects of a session that is closed.
    pub(crate) fn forget_session(&self, session: SessionHandle) {
        self.forget_where(|object| object.home == ObjectLocation::Session(session));
    }

    /// Ends what only the user may have, when nobody is logged in any more: the handles of private objects
    /// stay invalid even if he logs in again (PKCS#11, `C_Logout`).
    pub(crate) fn forget_private(&self) {
        self.forget_where(|object| object.attributes.flag(AttributeType::PRIVATE));
        let records: Vec<_> = self.records.read().values().copied().collect();
        for handle in records {
            if let Some(Entry::Token { private: true, .. }) = self.objects.get(handle.0).as_deref() {
                self.forget(handle);
            }
        }
        self.let_go();
    }

    fn forget_where(&self, ends: impl Fn(&Object) -> bool) {
        for handle in self.session_objects() {
            if let Some(Entry::Session(object)) = self.objects.get(handle.0).as_deref()
                && ends(&object.read())
            {
                self.forget(handle);
            }
        }
    }

    /// Ends every handle of a token that was initialised anew.
    pub(crate) fn forget_all(&self) {
        let records: Vec<_> = self.records.read().values().copied().collect();
        for handle in records.into_iter().chain(self.session_objects()) {
            self.forget(handle);
        }
    }

    /// Lets go of the token objects in memory; the next use reads them again.
    fn let_go(&self) {
        for entry in self.objects.values() {
            if let Entry::Token { held, .. } = entry.as_ref() {
                held.write().take();
            }
        }
        self.held.store(0, Ordering::Relaxed);
    }
}
