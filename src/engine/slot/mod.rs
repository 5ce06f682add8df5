//! Slots: the sessions, the login and the objects of a token in this process.

mod audit;
mod copies;
mod info;
mod objects;
mod pending;
mod state;
mod uses;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use store::{Durability, RecordId, Serial, SlotConflict, TokenDirectory, TokenLocation};
use types::{AttributeType, ObjectHandle, SessionHandle, SlotId, Value};

use crate::{
    Access, Compatibility, Error, Profile, Report, Settings, Summary,
    alarms::{Alarm, Alarms},
    object::{Attributes, Object, ObjectLocation, Visibility},
    token::{Login, NewRules, Pins, Role, Rotated, SignedPolicy, Token},
};

use objects::{Entry, Objects, Place};
use state::{EndedObjects, SessionCount, SlotState};

pub(crate) use copies::Recent;
pub use info::{SlotInfo, TokenInfo};
pub(crate) use objects::Freshness;
pub(crate) use pending::asks_for_hidden;
pub(crate) use state::LoginNumber;

/// The slots: one for each token, and one more for the next.
pub(crate) struct Slots {
    directory: Arc<dyn TokenDirectory>,
    compatibility: Compatibility,
    /// Those that this process has made where a number follows from the serial: they stay where they were made until the module
    /// is finalised, as SoftHSM's do.
    made: RwLock<BTreeMap<String, SlotId>>,
    /// Those whose tokens this process has opened.
    opened: RwLock<BTreeMap<SlotId, Arc<Slot>>>,
}

/// A slot with an initialised token that this process has opened.
pub(crate) struct Slot {
    pub(crate) id: SlotId,
    token: Token,
    state: Mutex<SlotState<Arc<Login>>>,
    /// Login number and role as they were at the last transition, to be read without the lock.
    published: AtomicU64,
    /// Rises when another process has initialised the token anew: sessions from before are not valid.
    generation: AtomicU64,
    objects: Objects,
    alarms: Alarms,
    uses: uses::Uses,
}

impl Slots {
    pub(crate) fn new(directory: Arc<dyn TokenDirectory>, compatibility: Compatibility) -> Self {
        Self { directory, compatibility, made: RwLock::default(), opened: RwLock::default() }
    }

    /// The number of the slot in which a token is for callers.
    pub(crate) fn number(&self, location: &TokenLocation) -> SlotId {
        let own = SlotId(u64::from(location.slot));
        match self.compatibility {
            Compatibility::None => own,
            Compatibility::SoftHsm => {
                let made = self.made.read().get(location.serial.as_str()).copied();
                made.or_else(|| softhsm::slot_of(location.serial.as_str()).map(|slot| SlotId(slot.into())))
                    .unwrap_or(own)
            }
        }
    }

    /// The slots that have a token. A directory that cannot be listed has none; the reason is logged.
    pub(crate) fn locations(&self) -> Vec<TokenLocation> {
        self.directory.tokens().unwrap_or_else(|fault| {
            tracing::warn!(%fault, "the tokens cannot be listed");
            Vec::new()
        })
    }

    /// The slots that have a token.
    ///
    /// # Errors
    /// The store's, if the directory cannot be listed.
    pub(crate) fn with_token(&self) -> Result<Vec<SlotId>, Error> {
        Ok(self.directory.tokens()?.iter().map(|location| self.number(location)).collect())
    }

    /// The slot in which the next token will be.
    pub(crate) fn free(&self) -> SlotId {
        if self.compatibility == Compatibility::SoftHsm {
            // As many as there are tokens: SoftHSM's rule.
            let taken: Vec<SlotId> = self.locations().iter().map(|location| self.number(location)).collect();
            let mut free = SlotId(taken.len() as u64);
            while taken.contains(&free) {
                free.0 += 1;
            }
            return free;
        }
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
        let Some(location) = self.location(id)? else {
            return Err(if id == self.free() { Error::TokenNotInitialized } else { Error::SlotIdInvalid });
        };
        let token = Token::open(self.directory.as_ref(), &location, settings)?;
        let slot = Arc::new(Slot::new(id, token, settings));
        // Another thread may have been faster; then its slot is the one.
        Ok(Arc::clone(self.opened.write().entry(id).or_insert(slot)))
    }

    /// Makes a token with this serial number, and says in which slot it is.
    ///
    /// # Errors
    /// [`Error::ArgumentsBad`] if it is no serial number; [`Error::SlotIdInvalid`] if there is a token with it or in its slot; and
    /// those of [`Token::create`].
    pub(crate) fn create_kept(
        &self,
        serial: &str,
        so_pin: &[u8],
        label: &[u8; 32],
        settings: &Settings,
    ) -> Result<SlotId, Error> {
        let serial = Serial::new(serial).ok_or(Error::ArgumentsBad)?;
        let tokens = self.directory.tokens()?;
        let location = TokenLocation { slot: self.directory.free_slot()?, serial };
        let id = self.number(&location);
        if tokens.iter().any(|other| other.serial == location.serial || self.number(other) == id) {
            return Err(Error::SlotIdInvalid);
        }
        let token =
            Token::create(self.directory.as_ref(), location.slot, Some(&location.serial), so_pin, label, settings)?;
        self.opened.write().insert(id, Arc::new(Slot::new(id, token, settings)));
        Ok(id)
    }

    /// Makes a token in the free slot.
    pub(crate) fn create(&self, id: SlotId, so_pin: &[u8], label: &[u8; 32], settings: &Settings) -> Result<(), Error> {
        let number = match self.compatibility {
            Compatibility::None => u32::try_from(id.0).map_err(|_| Error::SlotIdInvalid)?,
            Compatibility::SoftHsm => self.directory.free_slot()?,
        };
        let token = Token::create(self.directory.as_ref(), number, None, so_pin, label, settings)?;
        if self.compatibility == Compatibility::SoftHsm {
            self.made.write().insert(token.serial(), id);
        }
        self.opened.write().insert(id, Arc::new(Slot::new(id, token, settings)));
        Ok(())
    }

    /// Removes a token for good.
    pub(crate) fn remove(&self, id: SlotId) -> Result<(), Error> {
        let location = self.location(id)?.ok_or(Error::SlotIdInvalid)?;
        self.opened.write().remove(&id);
        Ok(self.directory.remove(&location)?)
    }

    /// The tokens that ask for a slot that another one has.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn conflicts(&self) -> Result<Vec<SlotConflict>, Error> {
        Ok(self.directory.conflicts()?)
    }

    /// Ends every login.
    pub(crate) fn finalize(&self) {
        for slot in self.opened.read().values() {
            // Where nobody is logged in, there is nothing to end.
            let _ = slot.log_out();
        }
    }

    /// Those whose tokens this process has opened.
    pub(crate) fn all_opened(&self) -> Vec<Arc<Slot>> {
        self.opened.read().values().map(Arc::clone).collect()
    }

    pub(crate) fn location(&self, id: SlotId) -> Result<Option<TokenLocation>, Error> {
        Ok(self.directory.tokens()?.into_iter().find(|location| self.number(location) == id))
    }
}

/// Sessions and login.
impl Slot {
    fn new(id: SlotId, token: Token, settings: &Settings) -> Self {
        let alarms = Alarms::new(&settings.state);
        Self {
            id,
            token,
            state: Mutex::new(SlotState::new()),
            published: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            objects: Objects::new(),
            alarms,
            uses: uses::Uses::default(),
        }
    }

    /// Who is logged in.
    pub(crate) fn role(&self) -> Option<Role> {
        Role::of_number(self.published.load(Ordering::Acquire) & 3)
    }

    /// Differs after each login and each logout.
    pub(crate) fn login_number(&self) -> LoginNumber {
        LoginNumber(self.published.load(Ordering::Acquire) >> 2)
    }

    /// Rises when another process has initialised the token anew.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Makes a transition, and publishes what it led to.
    fn transition<T>(&self, change: impl FnOnce(&mut SlotState<Arc<Login>>) -> T) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state);
        let role = state.role().map_or(0, Role::number);
        self.published.store(state.login_number().0 << 2 | u64::from(role), Ordering::Release);
        result
    }

    /// Opens a session, and gives the generation in which it is valid.
    ///
    /// # Errors
    /// [`Error::SessionReadWriteSoExists`].
    pub(crate) fn open_session(&self, session: SessionHandle, access: Access) -> Result<u64, Error> {
        self.transition(|state| state.open(session, access).map(|()| self.generation()))
    }

    /// # Errors
    /// [`Error::SessionHandleInvalid`] if it is not open.
    pub(crate) fn close_session(&self, session: SessionHandle) -> Result<(), Error> {
        let (closed, ended_login) = self.transition(|state| {
            let login = state.is_last(session).then(|| state.login().map(Arc::clone)).flatten();
            (state.close(session), login)
        });
        self.drop_objects(closed?);
        if ended_login.is_some() {
            self.leave_witness(ended_login);
            self.objects.forget_private();
        }
        Ok(())
    }

    /// The handles of the open sessions.
    pub(crate) fn sessions(&self) -> Vec<SessionHandle> {
        self.state.lock().sessions()
    }

    pub(crate) fn session_count(&self) -> SessionCount {
        self.state.lock().count()
    }

    /// Logs in. The PIN is tried outside of the lock.
    ///
    /// # Errors
    /// [`Error::SessionClosed`] if the session was closed meanwhile, [`Error::UserAlreadyLoggedIn`],
    /// [`Error::UserAnotherAlreadyLoggedIn`], [`Error::SessionReadOnlyExists`], and those of
    /// [`Token::authenticate`].
    pub(crate) fn log_in(&self, session: SessionHandle, role: Role, pin: &[u8]) -> Result<(), Error> {
        let ticket = self.state.lock().begin_login(session, role)?;
        let login = Arc::new(self.tried(role, self.token.authenticate(role, pin))?);
        self.learn_use_audit(&login);
        self.transition(|state| {
            // The token may have been made anew since the PIN was tried.
            if self.token.is_known(&login) { state.finish_login(ticket, login) } else { Err(Error::TokenReplaced) }
        })?;
        if role == Role::User
            && let Err(fault) = self.pending()
        {
            // Whoever comes next purges what is due.
            tracing::debug!(%fault, "keys that are due are not purged");
        }
        Ok(())
    }

    /// What came of trying a PIN. If it is locked, there is an alarm.
    fn tried<T>(&self, role: Role, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::PinLocked) = outcome {
            let facts = [("token", self.token.serial()), ("whose", role.word().to_owned())];
            self.alarms.raise(&Alarm { kind: "pin-locked", facts: &facts });
        }
        self.watched(outcome)
    }

    /// # Errors
    /// [`Error::UserNotLoggedIn`].
    pub(crate) fn log_out(&self) -> Result<(), Error> {
        let (login, ended) = self.transition(|state| {
            let login = state.login().map(Arc::clone);
            state.log_out().map(|ended| (login, ended))
        })?;
        self.leave_witness(login);
        self.drop_objects(ended);
        self.objects.forget_private();
        Ok(())
    }

    fn login(&self) -> Option<Arc<Login>> {
        self.state.lock().login().map(Arc::clone)
    }

    /// Leaves what a login that is over has seen last.
    fn leave_witness(&self, login: Option<Arc<Login>>) {
        if let Some(login) = login {
            self.token.leave_witness(&login, Durability::Power);
        }
    }

    fn must_be_logged_in(&self) -> Result<Arc<Login>, Error> {
        self.login().ok_or(Error::UserNotLoggedIn)
    }

    fn drop_objects(&self, ended: EndedObjects) {
        for handle in ended.0 {
            self.objects.forget(handle);
        }
    }

    /// Notices that somebody has initialised the token anew or exchanged its keys, and draws the consequence.
    fn watched<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        match &outcome {
            Err(Error::TokenReplaced) => self.take_replacement()?,
            Err(Error::LoginOver) => self.end_stale_login(),
            _ => {}
        }
        outcome
    }

    /// Logs out, if the login that there is opens nothing any more. The client sees a session without a login, and can
    /// log in again.
    fn end_stale_login(&self) {
        let Some(stale) = self.login() else { return };
        if !self.token.is_over(&stale) {
            // Somebody has logged in again already.
            return;
        }
        let ended = self.transition(|state| match state.login() {
            Some(now) if Arc::ptr_eq(now, &stale) => state.log_out().ok(),
            _ => None,
        });
        if let Some(ended) = ended {
            self.drop_objects(ended);
            self.objects.forget_private();
        }
    }

    /// Takes a token that another process has initialised anew. It is as if the token had been taken out and another put
    /// in (PKCS#11, 6.7.5): every session with it is closed.
    fn take_replacement(&self) -> Result<(), Error> {
        let ended = self.transition(|state| {
            // Another thread may have noticed it before, and sessions of now are with the new token.
            if !self.token.accept_replacement()? {
                return Ok(EndedObjects::default());
            }
            self.generation.fetch_add(1, Ordering::AcqRel);
            Ok(state.close_all())
        });
        let ended: Result<EndedObjects, Error> = ended;
        self.drop_objects(ended?);
        self.objects.forget_all();
        Ok(())
    }
}

/// The token.
impl Slot {
    /// What the token tells now.
    pub(crate) fn summary(&self) -> Result<Summary, Error> {
        match self.watched(self.token.summary()) {
            Err(Error::TokenReplaced) => self.token.summary(),
            outcome => outcome,
        }
    }

    /// Whether the dates of keys hold.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn dates_hold(&self) -> Result<bool, Error> {
        Ok(self.watched(self.token.lifecycle(self.login().as_deref()))?.dates)
    }

    /// Which uses of keys the token allows.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn profile(&self) -> Result<Profile, Error> {
        self.watched(self.token.profile(self.login().as_deref()))
    }

    /// Makes the token anew.
    ///
    /// # Errors
    /// [`Error::SessionExists`], and those of [`Token::prepare_reinitialization`].
    pub(crate) fn reinitialize(&self, so_pin: &[u8], label: &[u8; 32]) -> Result<(), Error> {
        self.must_have_no_session()?;
        let prepared = self.watched(self.token.prepare_reinitialization(so_pin, label))?;
        // A session that was opened while the PIN was tried keeps its token.
        self.must_have_no_session()?;
        self.watched(self.token.reinitialize(&prepared))?;
        // Who opened a session during the commit has it with the new token, and has not logged in to that.
        let _ = self.log_out();
        self.objects.forget_all();
        Ok(())
    }

    /// # Errors
    /// Those of [`Token::must_not_keep_keys`].
    pub(crate) fn must_not_keep_keys(&self) -> Result<(), Error> {
        self.watched(self.token.must_not_keep_keys())
    }

    /// # Errors
    /// [`Error::SessionExists`].
    pub(crate) fn must_have_no_session(&self) -> Result<(), Error> {
        if self.session_count() == SessionCount::default() { Ok(()) } else { Err(Error::SessionExists) }
    }

    /// Takes the token as it is, also if it is older than what was seen.
    ///
    /// # Errors
    /// Those of [`Token::verify_pin`].
    pub(crate) fn accept_rollback(&self, so_pin: &[u8]) -> Result<(), Error> {
        self.watched(self.token.accept_rollback(so_pin))
    }

    /// Changes rules of the token.
    ///
    /// # Errors
    /// Those of [`Token::change_rules`].
    pub(crate) fn change_rules(
        &self,
        pins: &Pins<'_>,
        rules: NewRules,
        policy: Option<&SignedPolicy<'_>>,
    ) -> Result<(), Error> {
        self.watched(self.token.change_rules(pins, rules, policy))
    }

    /// Gives the token other keys.
    ///
    /// # Errors
    /// Those of [`Token::rotate`].
    pub(crate) fn rotate_keys(&self, pins: &Pins<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<Rotated, Error> {
        let rotated = self.watched(self.token.rotate(pins, progress));
        // Who is logged in here has the keys of before.
        self.end_stale_login();
        rotated
    }

    /// # Errors
    /// Those of [`Token::verify_pin`].
    pub(crate) fn verify_pin(&self, role: Role, pin: &[u8]) -> Result<(), Error> {
        self.tried(role, self.token.verify_pin(role, pin))
    }

    /// Sets the user's PIN; the officer must be logged in.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and those of [`Token::init_pin`].
    pub(crate) fn init_pin(&self, pin: &[u8]) -> Result<(), Error> {
        let login = self.must_be_logged_in()?;
        self.watched(self.token.init_pin(&login, pin))
    }

    /// Changes the PIN of who is logged in, or the user's if nobody is.
    ///
    /// # Errors
    /// Those of [`Token::set_pin`].
    pub(crate) fn set_pin(&self, old: &[u8], new: &[u8]) -> Result<(), Error> {
        self.watched(self.token.set_pin(self.role().unwrap_or(Role::User), old, new))
    }

    /// Reads and opens everything.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn check(&self) -> Result<Report, Error> {
        let login = self.must_be_logged_in()?;
        self.watched(self.token.check(&login))
    }
}

/// Objects.
impl Slot {
    /// The object behind a handle, or what the caller calls it if there is none.
    pub(crate) fn object_or(&self, handle: ObjectHandle, missing: &Error) -> Result<Arc<Object>, Error> {
        self.object(handle).map_err(|fault| fault.or_if_missing(missing))
    }

    /// The object behind a handle, as it is now, if it may be seen.
    pub(crate) fn object(&self, handle: ObjectHandle) -> Result<Arc<Object>, Error> {
        let login_number = self.login_number();
        let entry = self.objects.entry(handle, login_number)?;
        self.current(&entry, login_number, None)
    }

    /// The same for a session that uses it as a key again and again, without a count or lock that other sessions write.
    pub(crate) fn key(&self, recent: &Recent, handle: ObjectHandle, missing: &Error) -> Result<Arc<Object>, Error> {
        let login_number = self.login_number();
        let mut last = recent.last.lock();
        let entry = match &*last {
            Some((known, entry)) if *known == handle && entry.must_be_valid(login_number).is_ok() => entry,
            _ => {
                *last = None;
                let entry = self.objects.entry(handle, login_number).map_err(|fault| fault.or_if_missing(missing))?;
                &last.insert((handle, entry)).1
            }
        };
        self.current(entry, login_number, Some(recent)).map_err(|fault| fault.or_if_missing(missing))
    }

    fn current(&self, entry: &Entry, login_number: LoginNumber, recent: Option<&Recent>) -> Result<Arc<Object>, Error> {
        match &entry.place {
            Place::Session(session) => {
                let now = session.freshness(login_number);
                if let Some(copy) = entry.copy(recent, now) {
                    return Ok(copy);
                }
                let object = session.object().filter(|object| self.may_see(&object.attributes));
                Ok(entry.for_session(recent, object.ok_or(Error::ObjectHandleInvalid)?, now))
            }
            Place::Token(token) => {
                let now = Freshness { change_counter: self.token.change_counter(token.record)?, login_number };
                if let Some(copy) = entry.copy(recent, now) {
                    return Ok(copy);
                }
                let object = match Objects::cached(token, now) {
                    Some(object) => object,
                    None => {
                        let loaded = self.load_used(token.record)?;
                        self.objects.cache(entry, loaded, now).ok_or(Error::ObjectHandleInvalid)?
                    }
                };
                Ok(entry.for_session(recent, object, now))
            }
        }
    }

    /// The same for what the head says.
    pub(crate) fn freshness_of_head(&self) -> Result<Freshness, Error> {
        Ok(Freshness { login_number: self.login_number(), change_counter: self.token.head_counter()? })
    }

    /// Now. To be asked before a record is read: a change after it is seen at the next use.
    pub(crate) fn freshness(&self, record: RecordId) -> Result<Freshness, Error> {
        Ok(Freshness { login_number: self.login_number(), change_counter: self.token.change_counter(record)? })
    }

    /// A token object as it is now; `None` if it is gone or may not be seen.
    ///
    /// # Errors
    /// [`Error::ObjectDamaged`], and the store's.
    pub(crate) fn load(&self, record: RecordId) -> Result<Option<Object>, Error> {
        let loaded = self.watched(self.token.load(self.login().as_deref(), record))?;
        Ok(loaded.filter(|object| !pending::is_pending(&object.attributes)))
    }

    /// The same, for somebody who has a handle of it: if somebody else has destroyed it meanwhile, there is an alarm.
    fn load_used(&self, record: RecordId) -> Result<Option<Object>, Error> {
        let loaded = self.watched(self.token.load(self.login().as_deref(), record))?;
        let (gone, there) = loaded.map_or((None, None), |object| match pending::is_pending(&object.attributes) {
            true => (Some(object), None),
            false => (None, Some(object)),
        });
        if let Some(gone) = gone {
            self.alarm(&gone, "use");
        }
        Ok(there)
    }

    /// The names of the token objects that may match a template.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn search(&self, template: &[(AttributeType, Value)]) -> Result<Vec<RecordId>, Error> {
        self.notice_lookup(template)?;
        let login = self.login();
        let mut found = Vec::new();
        for domain in pending::domains(template) {
            found.extend(self.watched(self.token.search(login.as_deref(), *domain, template))?);
        }
        // Without anything that is indexed, each is in both.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Whether an object with these attributes exists for who is logged in now.
    pub(crate) fn may_see(&self, attributes: &Attributes) -> bool {
        !attributes.flag(AttributeType::PRIVATE) || self.role() == Some(Role::User)
    }

    /// Gives a session object its handle, if its session is still open and the login is there that it needs.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::UserNotLoggedIn`].
    pub(crate) fn keep(&self, session: SessionHandle, attributes: Attributes) -> Result<ObjectHandle, Error> {
        let visibility = attributes.visibility();
        let handle = self.objects.add_session_object(Object::new(attributes, ObjectLocation::Session(session)));
        let placed = self.state.lock().place(session, handle, visibility);
        if placed.is_err() {
            self.objects.forget(handle);
        }
        placed.map(|()| handle)
    }

    /// Stores new token objects, all or none, and gives them their handles.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn insert(&self, objects: Vec<Attributes>) -> Result<Vec<ObjectHandle>, Error> {
        let login_number = self.login_number();
        let login = self.must_be_logged_in()?;
        let stored = self.watched(self.token.insert(&login, objects))?;
        Ok(self.handles_of(stored, login_number))
    }

    /// The handles of token objects that were stored just now, in this login.
    fn handles_of(&self, stored: Vec<(RecordId, Visibility)>, login_number: LoginNumber) -> Vec<ObjectHandle> {
        let handle = |(record, visibility)| self.objects.handle_of(record, visibility, login_number, None, || true);
        stored.into_iter().map(handle).collect()
    }

    /// The handle of a token object that was read just now.
    pub(crate) fn handle_of(&self, record: RecordId, object: Object, read: Freshness) -> ObjectHandle {
        let visibility = object.attributes.visibility();
        let is_now = || self.login_number() == read.login_number;
        self.objects.handle_of(record, visibility, read.login_number, Some((object, read)), is_now)
    }

    /// The handle of a token object that cannot be read. It is valid until the next login or logout.
    pub(crate) fn handle_of_damaged(&self, record: RecordId, read: Freshness) -> ObjectHandle {
        self.objects.handle_of(record, Visibility::Private, read.login_number, None, || true)
    }

    /// Changes an object to what `change` makes of it, in one step. It may be asked more than once.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`], what `change` says, and the store's.
    pub(crate) fn change(
        &self,
        handle: ObjectHandle,
        change: &mut dyn FnMut(&Attributes) -> Result<Attributes, Error>,
    ) -> Result<(), Error> {
        let entry = self.objects.entry(handle, self.login_number())?;
        match &entry.place {
            Place::Session(session) => session.change(change),
            Place::Token(token) => {
                let login = self.must_be_logged_in()?;
                self.watched(self.token.update(&login, token.record, change))
            }
        }
    }

    /// Destroys an object.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if somebody else was faster, and the store's.
    pub(crate) fn destroy(&self, handle: ObjectHandle, object: &Object) -> Result<(), Error> {
        match object.location {
            ObjectLocation::Session(session) => {
                if !self.state.lock().remove(session, handle) {
                    return Err(Error::ObjectHandleInvalid);
                }
            }
            ObjectLocation::Token { record, .. } => self.destroy_records(&[(record, &object.attributes)])?,
        }
        self.objects.forget(handle);
        Ok(())
    }

    /// Destroys token objects, all or none.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if one is a session object or gone, and the store's.
    pub(crate) fn destroy_all(&self, objects: &[(ObjectHandle, Arc<Object>)]) -> Result<(), Error> {
        self.destroy_records(&records(objects)?)?;
        objects.iter().for_each(|(handle, _)| self.objects.forget(*handle));
        Ok(())
    }

    /// Changes token objects to what `change` makes of each, all or none.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if one is a session object or gone, what `change` says, and the store's.
    pub(crate) fn change_all(
        &self,
        objects: &[(ObjectHandle, Arc<Object>)],
        change: &dyn Fn(&Attributes) -> Result<Attributes, Error>,
    ) -> Result<(), Error> {
        let login = self.must_be_logged_in()?;
        let records: Vec<RecordId> = records(objects)?.into_iter().map(|(record, _)| record).collect();
        self.watched(self.token.replace(&login, Vec::new(), &records, change)).map(|_| ())
    }

    /// The handles of the session objects.
    pub(crate) fn session_objects(&self) -> Vec<ObjectHandle> {
        self.state.lock().objects()
    }
}

/// Where token objects lie.
fn records(objects: &[(ObjectHandle, Arc<Object>)]) -> Result<Vec<(RecordId, &Attributes)>, Error> {
    let record = |(_, object): &'_ (ObjectHandle, Arc<Object>)| match object.location {
        ObjectLocation::Token { record, .. } => Ok(record),
        ObjectLocation::Session(_) => Err(Error::ObjectHandleInvalid),
    };
    objects.iter().map(|object| Ok((record(object)?, &object.1.attributes))).collect()
}
