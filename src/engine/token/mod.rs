//! A token: its store, its keys, and who is logged in.
//!
//! # What is kept
//!
//! `docs/format.md` has it byte by byte. In short: a PIN opens its person's *ring* of keys. T, the token key, is in
//! everybody's ring; the sealed header, the digests and the records of public objects hang on it. D, the domain key, is
//! in the user's; the records and index terms of private objects hang on it. The officer's ring has D too, so that
//! he can give a user who forgot his PIN his objects back, unless the token was made so that he cannot.
//! Headers are sections that can be added to; everything sealed names its key and its algorithm.
//!
//! # What is noticed
//!
//! Each bucket hash covers the name, version and tag of every record whose name begins with one byte. A
//! bucket is compared with the store when an object of it is first read after its hash in the header has
//! changed, and every bucket at a search without index and in [`Token::check`]. So a record that was
//! removed, added, exchanged or rolled back is noticed, at a cost that does not grow with logging in. Who
//! puts the *whole* file of yesterday in the place of today's is noticed by this process, and by this machine: `witness`.

mod audit;
mod bytes;
pub(crate) mod fuzz;
mod index;
mod lifecycle;
mod log;
mod objects;
mod people;
mod pin;
mod policy;
mod record;
mod ring;
mod rotation;
mod rules;
mod seal;
mod sealed_header;
mod sections;
mod signer;
mod standing;
#[cfg(test)]
mod tests;
mod token_header;
mod uses;
mod witness;

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use store::{
    Change, ChangeCounter, Counters, Durability, Head, RecordId, Revision, Scope, Serial, Store, TokenDirectory,
    TokenLocation, Turn, UseLog,
};

use crate::{
    Error, Settings,
    audit::Event,
    settings::PinCost,
    token::{
        pin::{Owner, PinPolicy, StoreSecret, Wrap},
        policy::Policy,
        ring::{KeyId, Purpose, Ring, RingKey},
        seal::Keys,
        sealed_header::{DigestBucket, SealedHeader},
        token_header::{PersonId, TokenHeader},
        witness::{Testimony, Witness},
    },
    uses::UseAudit,
};

pub(crate) use index::Domain;
pub use lifecycle::Lifecycle;
pub use objects::Report;
pub use people::Pins;
pub use policy::{Profile, Recovery};
pub use rotation::{Rotated, Start};
pub use rules::NewRules;
pub use signer::{PolicySigner, SignedPolicy};
pub(crate) use standing::{accepted, epoch, forgive, seen};
pub use uses::{USES, UsesHead, UsesVerifier};

/// As whom somebody is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The security officer: sets the user's PIN, sees no private object.
    Officer,
    /// The user.
    User,
}

impl Role {
    /// Its number in what is sealed; never 0.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Officer => 1,
            Self::User => 2,
        }
    }

    /// The role with this number.
    pub(crate) fn of_number(number: u64) -> Option<Self> {
        [Self::Officer, Self::User].into_iter().find(|role| u64::from(role.number()) == number)
    }

    /// What people call him.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Officer => "officer",
            Self::User => "user",
        }
    }

    /// Who has it: there is one officer and one user without a name.
    fn person(self) -> PersonId {
        match self {
            Self::Officer => PersonId(1),
            Self::User => PersonId(2),
        }
    }

    /// The name of its count of wrong PINs: the person's id.
    fn counter(self) -> String {
        self.person().0.to_string()
    }
}

/// How many wrong PINs may still follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tries {
    /// All of them.
    Full,
    /// At least one was wrong.
    Low,
    /// One more wrong PIN locks, after at least one that was wrong.
    Final,
    /// One wrong PIN locks, and none was wrong yet.
    Single,
    /// None.
    Locked,
}

impl Tries {
    /// Whether a PIN was wrong since the last right one (CKF_…_PIN_COUNT_LOW).
    pub(crate) fn wrong(self) -> bool {
        matches!(self, Self::Low | Self::Final | Self::Locked)
    }

    /// Whether the next wrong PIN locks (CKF_…_PIN_FINAL_TRY).
    pub(crate) fn last(self) -> bool {
        matches!(self, Self::Final | Self::Single)
    }
}

/// What a token tells before anybody has logged in.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The label, padded with blanks.
    pub label: [u8; 32],
    /// The serial number.
    pub serial: Serial,
    /// Whether the user has a PIN.
    pub user_pin_set: bool,
    /// Whether this process cannot write the token.
    pub write_protected: bool,
    /// How many bytes a PIN has, at least and at most.
    pub pin_len: RangeInclusive<usize>,
    /// How many wrong PINs in a row lock.
    pub pin_tries: u32,
    /// What a PIN costs that is set from now on.
    pub pin_cost: PinCost,
    /// The user's tries.
    pub user_tries: Tries,
    /// The security officer's tries.
    pub officer_tries: Tries,
    /// Which uses of keys it allows.
    pub profile: Profile,
    /// Whether the officer can give a user his private objects back.
    pub recovery: Recovery,
    /// What holds for the lives of keys.
    pub lifecycle: Lifecycle,
    /// What is written down of uses of keys.
    pub uses: UseAudit,
    /// Who signs what changes these rules, if it has to be signed.
    pub signer: Option<PolicySigner>,
    /// Whether the PINs need a store secret beside them.
    pub needs_store_secret: bool,
}

/// A token of this process.
pub(crate) struct Token {
    serial: Serial,
    store: Arc<dyn Store>,
    counters: Arc<dyn Counters>,
    /// Where uses of keys are written down, if there is such a place.
    uses: Option<Arc<dyn UseLog>>,
    /// The book of uses that this process has written to last, and how many entries it had then.
    last_use: Mutex<Option<([u8; 8], u64)>>,
    /// The most work that a PIN may be here: a changed file must not stop the process.
    most_work: u64,
    /// The file that holds the store secret, if there is one.
    store_secret: Option<PathBuf>,
    /// The token that this process knows: another epoch means that it was made anew.
    epoch: AtomicU64,
    /// The epoch that this process is about to begin; the same as `epoch` at all other times.
    next_epoch: AtomicU64,
    reinitializing: Mutex<()>,
    /// The newest state that this process has seen.
    newest: Mutex<Option<Witness>>,
    /// The state that this process has kept last so that it survives the loss of power.
    kept: Mutex<Option<Witness>>,
}

/// What logging in gives: the keys, and what was seen with them.
pub(crate) struct Login {
    keys: Keys,
    seen: Mutex<Seen>,
}

impl Login {
    fn new(keys: Keys) -> Self {
        Self { keys, seen: Mutex::default() }
    }
}

/// A token made anew, before it replaces the old one.
pub(crate) struct Reinitialization {
    token_header: TokenHeader,
    keys: Keys,
    /// The keys of the old one.
    before: Keys,
}

/// What was seen of the store since the login.
#[derive(Default)]
struct Seen {
    /// The store at the last look.
    current: Option<(ChangeCounter, Arc<Current>)>,
    /// The hashes of those buckets that were compared with the store.
    compared: HashMap<u8, (KeyId, DigestBucket)>,
}

/// A head that was opened.
struct Current {
    token_header: TokenHeader,
    header: SealedHeader,
    head: Head,
}

/// The epoch of a token that was initialised once.
const FIRST_EPOCH: u64 = 1;

impl Token {
    pub(crate) fn open(
        directory: &dyn TokenDirectory,
        location: &TokenLocation,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let store = directory.open(location)?;
        let beside = (directory.counters(location)?, directory.uses(location).ok());
        let token = Self::over(store, beside, &location.serial, settings);
        token.accept_replacement()?;
        Ok(token)
    }

    /// Makes a token in the free slot, with a serial number of its own unless it keeps one.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`] if it is not free any more, [`Error::PinLenRange`], and the store's.
    pub(crate) fn create(
        directory: &dyn TokenDirectory,
        slot: u32,
        kept: Option<&Serial>,
        so_pin: &[u8],
        label: &[u8; 32],
        settings: &Settings,
    ) -> Result<Self, Error> {
        let pins = PinPolicy::of(settings);
        pins.must_fit(so_pin)?;
        let digits = crate::hex::digits(&seal::random::<8>()?);
        let fresh = || Serial::new(&digits).ok_or(Error::Internal("a serial is not 16 digits"));
        let serial = kept.cloned().map_or_else(fresh, Ok)?;
        let secret = settings.store_secret.as_deref().map(StoreSecret::read).transpose()?;
        let policy = Policy::new(settings.profile, settings.recovery);
        let lifecycle = if policy.profile == Profile::Strict { Lifecycle::STRICT } else { Lifecycle::default() };
        let rules = (pins, policy, lifecycle);
        let (token_header, keys) = found(&serial, FIRST_EPOCH, so_pin, label, rules, secret.as_ref())?;
        let clear = token_header.encode();
        let header = SealedHeader::blank(&keys, Revision(0), &clear)?.seal(&keys)?;
        let location = TokenLocation { slot, serial };
        let store = directory.create(&location, clear, header).map_err(|fault| match fault {
            store::Error::Conflict => Error::SlotIdInvalid,
            other => other.into(),
        })?;
        let beside = (directory.counters(&location)?, directory.uses(&location).ok());
        let token = Self::over(store, beside, &location.serial, settings);
        for role in [Role::Officer, Role::User] {
            token.forgive(role);
        }
        // One with that serial number may have been here before and be gone; this one is no older copy of it.
        let known = kept.map(|_| seen(&*token.counters)).transpose().map(Option::flatten);
        if let Err(fault) = known.and_then(|known| known.map_or(Ok(()), |_| token.accept_rollback(so_pin))) {
            directory.remove(&location)?;
            return Err(fault);
        }
        let mut event = Event::new("token-initialized");
        event = event.with("label", String::from_utf8_lossy(label).trim_end()).with("serial", token.serial.as_str());
        if let Err(fault) = token.note(&Login::new(keys), &event) {
            // It is whole without its first entry.
            tracing::warn!(%fault, "that the token was made is not written down");
        }
        Ok(token)
    }

    fn over(
        store: Arc<dyn Store>,
        (counters, uses): (Arc<dyn Counters>, Option<Arc<dyn UseLog>>),
        serial: &Serial,
        settings: &Settings,
    ) -> Self {
        Self {
            serial: serial.clone(),
            store,
            counters,
            uses,
            last_use: Mutex::new(None),
            most_work: pin::most_work(settings),
            store_secret: settings.store_secret.clone(),
            epoch: AtomicU64::new(FIRST_EPOCH),
            next_epoch: AtomicU64::new(FIRST_EPOCH),
            reinitializing: Mutex::new(()),
            newest: Mutex::new(None),
            kept: Mutex::new(None),
        }
    }

    /// Tries the officer's PIN and makes a new token key. Nothing is written yet.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::PinLenRange`], and the store's.
    pub(crate) fn prepare_reinitialization(&self, so_pin: &[u8], label: &[u8; 32]) -> Result<Reinitialization, Error> {
        let TriedPin { token_header, keys: before, .. } = self.try_pin(Role::Officer, so_pin)?;
        self.must_not_keep_keys()?;
        let epoch = token_header.epoch.saturating_add(1);
        let secret = self.secret()?;
        let rules = (token_header.pins, token_header.policy, token_header.lifecycle);
        let (token_header, keys) = found(&self.serial, epoch, so_pin, label, rules, secret.as_ref())?;
        Ok(Reinitialization { token_header, keys, before })
    }

    /// Makes the token anew: all objects and the user's PIN go, serial and slot stay.
    ///
    /// # Errors
    /// [`Error::TokenReplaced`] if somebody else has made it anew since, and the store's.
    pub(crate) fn reinitialize(&self, prepared: &Reinitialization) -> Result<(), Error> {
        let _one_at_a_time = self.reinitializing.lock();
        let Reinitialization { token_header, keys, before } = prepared;
        let clear = token_header.encode();
        self.next_epoch.store(token_header.epoch, Ordering::Release);
        let committed = retrying(|_| {
            let head = self.store.head()?;
            let now = TokenHeader::decode(&head.clear, &self.serial)?;
            if now.epoch.saturating_add(1) != token_header.epoch {
                return Err(Error::TokenReplaced);
            }
            // What the officer, or a policy, has changed since must not be undone by this.
            let rules = |header: &TokenHeader| (header.pins, header.policy, header.lifecycle);
            if rules(&now) != rules(token_header) {
                return Err(Error::TokenReplaced);
            }
            // A key may have been made since the PIN was tried.
            self.must_not_keep_keys()?;
            let mut header = SealedHeader::blank(keys, next(head.revision), &clear)?;
            let records = self.store.find(&[], None, usize::MAX)?;
            let mut event = Event::new("token-initialized").with("objects_gone", records.len());
            event = event.with("serial", self.serial.as_str());
            let mut changes: Vec<_> = records.into_iter().map(Change::Remove).collect();
            let lost = match SealedHeader::open(before, &head.sealed).and_then(|old| old.log()) {
                // What was written down of the token goes on, if it ends where it should.
                Ok(log) => match self.store.log(log.size.saturating_sub(1), 2)?.as_slice() {
                    [] if log.size == 0 => None,
                    [(last, _)] if *last == log.size => {
                        header.keep_log(log);
                        None
                    }
                    _ => Some("the log does not end where it should".to_owned()),
                },
                // Who makes a damaged token anew loses that too.
                Err(fault @ Error::Tampered(_)) => Some(fault.to_string()),
                Err(fault) => return Err(fault),
            };
            if let Some(why) = lost {
                event = event.with("entries_lost", why);
                changes.push(Change::EmptyLog);
            }
            changes.push(header.note(keys, &event)?);
            self.commit(keys, head.revision, clear.clone(), header.seal(keys)?, changes)
        });
        match committed {
            Ok(_) => self.epoch.store(token_header.epoch, Ordering::Release),
            Err(_) => self.next_epoch.store(self.epoch.load(Ordering::Acquire), Ordering::Release),
        }
        committed?;
        self.forgive(Role::User);
        Ok(())
    }

    /// Whether a login is with the token that this process knows.
    pub(crate) fn is_known(&self, login: &Login) -> bool {
        self.epoch.load(Ordering::Acquire) == login.keys.epoch
    }

    /// Whether the keys of a login open nothing any more.
    pub(crate) fn is_over(&self, login: &Login) -> bool {
        matches!(self.read_head(&login.keys), Err(Error::LoginOver))
    }

    /// Takes the token as it is now for the one that this process knows. Whether it is another than before.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn accept_replacement(&self) -> Result<bool, Error> {
        let epoch = TokenHeader::decode(&self.store.head()?.clear, &self.serial)?.epoch;
        self.next_epoch.store(epoch, Ordering::Release);
        Ok(self.epoch.swap(epoch, Ordering::AcqRel) != epoch)
    }

    /// Which uses of keys the token allows. With a login it is what the sealed header vouches for.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn profile(&self, login: Option<&Login>) -> Result<Profile, Error> {
        match login {
            Some(login) => Ok(self.look(login)?.token_header.policy.profile),
            None => Ok(self.token_header()?.policy.profile),
        }
    }

    /// Whether this process can write it.
    pub(crate) fn is_writable(&self) -> bool {
        self.store.writable()
    }

    /// Its serial number.
    pub(crate) fn serial(&self) -> String {
        self.serial.as_str().to_owned()
    }

    /// What holds for the lives of keys.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn lifecycle(&self, login: Option<&Login>) -> Result<Lifecycle, Error> {
        match login {
            Some(login) => Ok(self.look(login)?.token_header.lifecycle),
            None => Ok(self.token_header()?.lifecycle),
        }
    }

    /// Refuses to destroy everything at once where keys that are destroyed can be restored.
    ///
    /// # Errors
    /// [`Error::DeletionWindow`] unless the token is empty, and the store's.
    pub(crate) fn must_not_keep_keys(&self) -> Result<(), Error> {
        let days = self.token_header()?.lifecycle.deletion_days;
        let keeps = days > 0 && !self.store.find(&[], None, 1)?.is_empty();
        if keeps { Err(Error::DeletionWindow(days)) } else { Ok(()) }
    }

    /// What the token tells now.
    pub(crate) fn summary(&self) -> Result<Summary, Error> {
        let token_header = self.token_header()?;
        let secret = |role| token_header.wrap(role).is_some_and(Wrap::needs_secret);
        Ok(Summary {
            label: token_header.label,
            serial: self.serial.clone(),
            user_pin_set: token_header.wrap(Role::User).is_some(),
            profile: token_header.policy.profile,
            recovery: token_header.policy.recovery,
            lifecycle: token_header.lifecycle,
            signer: token_header.policy.signer,
            uses: token_header.policy.uses,
            write_protected: !self.store.writable(),
            pin_len: usize::from(token_header.pins.shortest)..=usize::from(token_header.pins.longest),
            pin_tries: token_header.pins.tries,
            pin_cost: token_header.pins.cost,
            user_tries: self.tries(&token_header, Role::User)?,
            officer_tries: self.tries(&token_header, Role::Officer)?,
            needs_store_secret: [Role::Officer, Role::User].into_iter().any(secret),
        })
    }

    /// Tries a PIN, and gives what logging in with it gives.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::UserPinNotInitialized`],
    /// [`Error::TokenReplaced`], [`Error::Tampered`], and the store's.
    pub(crate) fn authenticate(&self, role: Role, pin: &[u8]) -> Result<Login, Error> {
        loop {
            let TriedPin { token_header, wrap, keys, wrong_before } = self.try_pin(role, pin)?;
            let login = Login::new(keys);
            // Read before the token: what was seen by then, the token must have reached.
            let seen = self.read_witness();
            let Some(current) = self.unless_overtaken(role, &wrap, self.look(&login))? else { continue };
            must_be_as_new_as(seen.as_deref(), &login.keys, current.witness())?;
            self.leave_witness(&login, Durability::Power);
            self.renew(&token_header.pins, &wrap, &login, pin);
            if wrong_before > 0 && self.store.writable() {
                // Before this nobody had the key to write it down with.
                let event = Event::new("wrong-pins").with("whose", role.word()).with("count", wrong_before);
                if let Err(fault) = self.note(&login, &event) {
                    tracing::warn!(%fault, "that PINs were wrong is not written down");
                }
            }
            return Ok(login);
        }
    }

    /// Checks a PIN, and counts it if it is wrong.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::UserPinNotInitialized`], and the store's.
    pub(crate) fn verify_pin(&self, role: Role, pin: &[u8]) -> Result<(), Error> {
        self.try_pin(role, pin).map(|_| ())
    }

    /// Sets the user's PIN, whether he had one or not.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`] if it is not the officer's login, [`Error::PinLenRange`], and the store's.
    pub(crate) fn init_pin(&self, login: &Login, pin: &[u8]) -> Result<(), Error> {
        if login.keys.role != Role::Officer {
            return Err(Error::UserNotLoggedIn);
        }
        let pins = self.token_header()?.pins;
        pins.must_fit(pin)?;
        self.must_be_affordable(pins.cost)?;
        self.give_pin(login, pin, pins.cost)?;
        self.forgive(Role::User);
        Ok(())
    }

    /// Changes a PIN. No object is touched.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::PinLenRange`],
    /// [`Error::UserPinNotInitialized`], and the store's.
    pub(crate) fn set_pin(&self, role: Role, old: &[u8], new: &[u8]) -> Result<(), Error> {
        self.token_header()?.pins.must_fit(new)?;
        loop {
            let TriedPin { token_header, wrap, keys, .. } = self.try_pin(role, old)?;
            match self.rewrap(&keys, new, token_header.pins.cost, &wrap, "pin-changed")? {
                Rewrapped::Written => return Ok(()),
                // Somebody has changed the PIN since. Then the old one is tried against what is there now.
                Rewrapped::Overtaken => {}
            }
        }
    }

    /// Differs when anybody has changed a record of the same bucket in between.
    pub(crate) fn change_counter(&self, record: RecordId) -> Result<ChangeCounter, Error> {
        let [first, ..] = record.0;
        Ok(self.store.change_counter(Scope::Bucket(first))?)
    }

    /// Differs when anybody has committed in between.
    pub(crate) fn head_counter(&self) -> Result<ChangeCounter, Error> {
        Ok(self.store.change_counter(Scope::Head)?)
    }

    /// The clear header of the token that this process knows.
    ///
    /// # Errors
    /// [`Error::TokenReplaced`] if somebody else has made the token anew.
    fn token_header(&self) -> Result<TokenHeader, Error> {
        let token_header = TokenHeader::decode(&self.store.head()?.clear, &self.serial)?;
        self.must_be_known(&token_header)?;
        Ok(token_header)
    }

    fn must_be_known(&self, token_header: &TokenHeader) -> Result<(), Error> {
        let known = [&self.epoch, &self.next_epoch].map(|epoch| epoch.load(Ordering::Acquire));
        if known.contains(&token_header.epoch) { Ok(()) } else { Err(Error::TokenReplaced) }
    }

    /// Refuses a cost that is more than this machine takes on.
    ///
    /// # Errors
    /// [`store::Error::Unreadable`], in words.
    fn must_be_affordable(&self, cost: PinCost) -> Result<(), Error> {
        if cost.work() <= self.most_work {
            return Ok(());
        }
        let PinCost { memory_kib, passes, .. } = cost;
        let why = format!(
            "the token's PINs cost {memory_kib} KiB and {passes} passes, more than four times what this machine is set to: \
             if that is meant, set pin_memory_kib and pin_passes to as much"
        );
        Err(store::Error::Unreadable(why).into())
    }

    fn secret(&self) -> Result<Option<StoreSecret>, Error> {
        self.store_secret.as_deref().map(StoreSecret::read).transpose()
    }

    fn tries(&self, token_header: &TokenHeader, role: Role) -> Result<Tries, Error> {
        let tries = u64::from(token_header.pins.tries);
        let wrong = match self.counters.count(&role.counter()) {
            Ok(wrong) => wrong_pins(wrong, tries),
            Err(store::Error::ReadOnly(_) | store::Error::Unreadable(_)) => 0,
            Err(fault) => return Err(fault.into()),
        };
        Ok(match tries.saturating_sub(wrong) {
            0 => Tries::Locked,
            1 if wrong > 0 => Tries::Final,
            1 => Tries::Single,
            _ if wrong > 0 => Tries::Low,
            _ => Tries::Full,
        })
    }

    /// Tries a PIN. It counts as wrong, durably, before it is tried, so that a process that is killed has not
    /// tried for nothing; and those who try one role's PIN take turns, so that a right one is not counted
    /// beside another's.
    fn try_pin(&self, role: Role, pin: &[u8]) -> Result<TriedPin, Error> {
        let secret = self.secret()?;
        if self.token_header()?.wrap(role).is_none() {
            return Err(Error::UserPinNotInitialized);
        }
        let turn = self.turn(role)?;
        // Read in the turn: who had it before may have changed the PIN.
        let token_header = self.token_header()?;
        let wrap = token_header.wrap(role).ok_or(Error::UserPinNotInitialized)?.clone();
        if !token_header.pins.fits(pin) {
            // It cannot be right, and trying it tells nobody anything.
            return Err(Error::PinIncorrect);
        }
        // Not a matter of the PIN, so it is not counted.
        self.must_be_affordable(wrap.cost())?;
        self.must_be_affordable(token_header.pins.cost)?;
        wrap.must_fit(&self.serial, secret.as_ref())?;
        let tries = u64::from(token_header.pins.tries);
        let kept = self.counters.count(&role.counter());
        let wrong_before = kept.as_ref().ok().copied().flatten().unwrap_or(0);
        let counted = match &turn {
            Some(_) => wrong_pins(kept?, tries),
            // What can be read counts, also where nothing can be written.
            None => wrong_before,
        };
        if counted >= tries {
            return Err(Error::PinLocked);
        }
        if turn.is_none() && token_header.policy.profile == Profile::Strict {
            return Err(store::Error::ReadOnly("a PIN that cannot be counted is not tried".to_owned()).into());
        }
        if turn.is_some() {
            self.counters.set(&role.counter(), counted.saturating_add(1), Durability::Power)?;
        }
        let owner = Owner::of(role, &self.serial, token_header.epoch);
        let opened = crypto::keys(|| wrap.open(pin, owner, secret.as_ref())).inspect_err(|_| {
            // It was not tried, for want of memory for one.
            if turn.is_some() {
                let _ = self.counters.set(&role.counter(), counted, Durability::Process);
            }
        });
        let Some(ring) = opened? else {
            let last = turn.is_some() && counted.saturating_add(1) == tries;
            return Err(if last { Error::PinLocked } else { Error::PinIncorrect });
        };
        if turn.is_some() {
            self.set_forgiven(role);
        }
        let keys = crypto::keys(|| Keys::new(ring, role, &self.serial, token_header.epoch))?;
        Ok(TriedPin { token_header, wrap, keys, wrong_before })
    }

    /// The turn at a role's count; `None` where counts cannot be written. Signing needs no place to write to,
    /// and who can read the token can guess without asking us.
    fn turn(&self, role: Role) -> Result<Option<Turn>, Error> {
        match self.counters.turn(&role.counter(), PATIENCE) {
            Ok(turn) => Ok(Some(turn)),
            Err(store::Error::ReadOnly(why)) => {
                tracing::warn!(why, "wrong PINs cannot be counted");
                Ok(None)
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// Forgives the wrong PINs of before, in a turn of its own.
    fn forgive(&self, role: Role) {
        match self.turn(role) {
            Ok(Some(_turn)) => self.set_forgiven(role),
            Ok(None) => {}
            Err(fault) => tracing::warn!(%fault, "the count of wrong PINs stays"),
        }
    }

    fn set_forgiven(&self, role: Role) {
        // If this is lost with the power, one more PIN counts as wrong: no reason to wait for the disk.
        if let Err(fault) = self.counters.set(&role.counter(), 0, Durability::Process) {
            tracing::warn!(%fault, "the count of wrong PINs stays");
        }
    }

    /// Seals a person's ring under another PIN and writes it down, in the place of the wrap that was opened.
    fn rewrap(
        &self,
        keys: &Keys,
        pin: &[u8],
        cost: PinCost,
        opened: &Wrap,
        what: &'static str,
    ) -> Result<Rewrapped, Error> {
        let (role, secret) = (keys.role, self.secret()?);
        let owner = Owner::of(role, &self.serial, keys.epoch);
        let wrap = Wrap::make(pin, &keys.ring, owner, cost, secret.as_ref())?;
        let event = Event::new(what).with("whose", role.word());
        retrying(|_| {
            let current = self.unless_overtaken(role, opened, self.vouched_head(keys))?;
            let Some(Current { mut token_header, mut header, head }) = current else { return Ok(Rewrapped::Overtaken) };
            if token_header.wrap(role) != Some(opened) {
                return Ok(Rewrapped::Overtaken);
            }
            token_header.set_wrap(role, wrap.clone());
            header.revision = next(head.revision);
            self.commit_headers(keys, head.revision, &token_header, header, Vec::new(), &event)?;
            Ok(Rewrapped::Written)
        })
    }

    /// Commits a token header and the sealed header that vouches for it.
    fn commit_headers(
        &self,
        keys: &Keys,
        base: Revision,
        token_header: &TokenHeader,
        mut header: SealedHeader,
        mut changes: Vec<Change>,
        event: &Event,
    ) -> Result<Revision, Error> {
        let clear = token_header.encode();
        header.token_header_hash = seal::digest(&[&clear]);
        changes.push(header.note(keys, event)?);
        self.commit(keys, base, clear, header.seal(keys)?, changes)
    }

    /// Gives the user a PIN and a ring: the officer's, or one with a new domain key if the officer has none. What hung on
    /// the old one is lost then, and marked so.
    fn give_pin(&self, login: &Login, pin: &[u8], cost: PinCost) -> Result<(), Error> {
        let secret = self.secret()?;
        let officer = &login.keys;
        let mut new_domain = None;
        let ring = crypto::keys(|| {
            let mut ring = officer.ring.filtered(|_| true);
            if ring.active(Purpose::Domain).is_none() {
                let domain = KeyId::random()?;
                ring.add(RingKey::new(Purpose::Domain, domain)?)?;
                new_domain = Some(domain);
            }
            Ok::<_, Error>(ring)
        })?;
        let owner = Owner::of(Role::User, &self.serial, officer.epoch);
        let wrap = Wrap::make(pin, &ring, owner, cost, secret.as_ref())?;
        retrying(|_| {
            let Current { mut token_header, mut header, head } = self.vouched_head(officer)?;
            let mut changes = Vec::new();
            header.revision = next(head.revision);
            if let Some(domain) = new_domain {
                header.domain = domain;
                let window = token_header.lifecycle;
                if window.deletion_days > 0 && token_header.wrap(Role::User).is_some() {
                    // What is lost with the PIN would be lost at once.
                    return Err(Error::DeletionWindow(window.deletion_days));
                }
                for lost in self.records_of_others(officer)? {
                    let marked = record::seal_lost(officer, lost.id, header.revision, &record::remains(&lost))?;
                    header.strike(officer, &record::digest_of(&lost))?;
                    header.enter(officer, &record::digest_of(&marked))?;
                    changes.push(Change::Put(marked, Vec::new()));
                }
            }
            token_header.set_wrap(Role::User, wrap.clone());
            let event = Event::new("pin-set").with("whose", Role::User.word()).with("objects_lost", changes.len());
            self.commit_headers(officer, head.revision, &token_header, header, changes, &event)
        })?;
        Ok(())
    }

    /// Makes a PIN as dear as the token's PINs are to be. If it cannot be written, it stays as it was.
    fn renew(&self, pins: &PinPolicy, wrap: &Wrap, login: &Login, pin: &[u8]) {
        let renewal = || -> Result<(), Error> {
            let secret = self.secret()?;
            match wrap.renewal(pins.cost, secret.as_ref()) {
                Some(cost) if self.store.writable() => {
                    // If somebody has changed the PIN since, it has its cost already.
                    self.rewrap(&login.keys, pin, cost, wrap, "pin-made-dearer").map(|_| ())
                }
                _ => Ok(()),
            }
        };
        if let Err(fault) = renewal() {
            tracing::warn!(%fault, "a PIN stays as cheap as it was");
        }
    }

    /// Reads the head and checks that its parts belong together.
    fn read_head(&self, keys: &Keys) -> Result<Current, Error> {
        let head = self.store.head()?;
        let token_header = TokenHeader::decode(&head.clear, &self.serial)?;
        self.must_be_known(&token_header)?;
        if token_header.epoch != keys.epoch {
            // This process has made the token anew: these keys open nothing any more.
            return Err(Error::UserNotLoggedIn);
        }
        let header = SealedHeader::open(keys, &head.sealed)?;
        if keys.domain().is_some_and(|domain| domain.id != header.domain) {
            // The user has another ring since: from the officer, or after a rotation.
            return Err(Error::LoginOver);
        }
        if header.revision != head.revision {
            return Err(Error::Tampered("the token's revision"));
        }
        if header.token_header_hash != seal::digest(&[&head.clear]) {
            return Err(Error::Tampered("the token's clear header"));
        }
        let recovers = token_header.policy.recovery == Recovery::ByOfficer;
        if keys.role == Role::Officer && keys.domain().is_some() != recovers {
            // Recovery was given to the officer or taken from him since: with this ring he would do the contrary.
            return Err(Error::LoginOver);
        }
        Ok(Current { token_header, header, head })
    }

    /// The head for who is about to change it without having logged in: not one that is older than what was seen.
    fn vouched_head(&self, keys: &Keys) -> Result<Current, Error> {
        let seen = self.read_witness();
        let current = self.read_newest(keys)?;
        must_be_as_new_as(seen.as_deref(), keys, current.witness())?;
        Ok(current)
    }

    /// The head, not older than what this process has seen.
    fn read_newest(&self, keys: &Keys) -> Result<Current, Error> {
        // Taken before the head is read: what was seen by then, the token must have reached.
        let newest = *self.newest.lock();
        let current = self.read_head(keys)?;
        if newest.is_some_and(|seen| seen.says_of(&current.witness()) == Testimony::Older) {
            return Err(Error::RolledBack);
        }
        Ok(current)
    }

    /// What was made of the head by who has just opened a wrap; `None` if another wrap is in the place of that by now. As
    /// long as it is there, its keys must fit the head.
    fn unless_overtaken<T>(&self, role: Role, opened: &Wrap, made: Result<T, Error>) -> Result<Option<T>, Error> {
        match made {
            Err(Error::LoginOver) if self.token_header()?.wrap(role) != Some(opened) => Ok(None),
            Err(Error::LoginOver) => Err(Error::Tampered("the token's header")),
            made => made.map(Some),
        }
    }

    /// The head as it is now, read only if anybody has committed since.
    fn look(&self, login: &Login) -> Result<Arc<Current>, Error> {
        let change_counter = self.store.change_counter(Scope::Head)?;
        let before = login.seen.lock().current.clone();
        if let Some((seen, current)) = &before
            && *seen == change_counter
        {
            return Ok(Arc::clone(current));
        }
        let current = Arc::new(self.read_newest(&login.keys)?);
        self.remember(current.witness());
        login.seen.lock().current = Some((change_counter, Arc::clone(&current)));
        Ok(current)
    }
}

/// What was seen of the token.
impl Token {
    /// Remembers the newest state for as long as the process lives, whoever logs in and out.
    fn remember(&self, seen: Witness) {
        let mut newest = self.newest.lock();
        if newest.is_none_or(|newest| newest.says_of(&seen) == Testimony::Fresh) {
            *newest = Some(seen);
        }
    }

    /// What this machine has seen last, as it is kept.
    fn read_witness(&self) -> Option<Vec<u8>> {
        self.counters.note(WITNESS).unwrap_or_else(|fault| {
            tracing::warn!(%fault, "what this machine has seen of the token cannot be read");
            None
        })
    }

    /// Leaves the newest state that this process has seen. Where it cannot be written, a later rollback is not noticed.
    pub(crate) fn leave_witness(&self, login: &Login, durability: Durability) {
        let newest = *self.newest.lock();
        if let Some(newest) = newest.filter(|newest| newest.epoch == login.keys.epoch) {
            self.write_witness(&login.keys, newest, durability);
        }
    }

    fn write_witness(&self, keys: &Keys, witness: Witness, durability: Durability) {
        let mut kept = self.kept.lock();
        if durability == Durability::Power && *kept == Some(witness) {
            return;
        }
        // What was just committed is the newest. At a login or logout another process may have left a newer one.
        if durability == Durability::Power {
            let is_newer = |bytes: &[u8]| match Witness::decode(keys, bytes) {
                Some(left) => left.says_of(&witness) == Testimony::Older,
                None => Witness::foretells(keys, bytes, &witness),
            };
            if self.read_witness().is_some_and(|bytes| is_newer(&bytes)) {
                return;
            }
        }
        let written = witness.encode(keys).and_then(|bytes| Ok(self.counters.set_note(WITNESS, &bytes, durability)?));
        if let Err(fault) = written {
            tracing::warn!(%fault, "what was seen of the token cannot be kept: a rollback will not be noticed");
            *kept = None;
        } else {
            *kept = Some(witness).filter(|_| durability == Durability::Power);
        }
    }

    /// Commits, and leaves a witness of it.
    fn commit(
        &self,
        keys: &Keys,
        base: Revision,
        clear: Vec<u8>,
        sealed: Vec<u8>,
        changes: Vec<Change>,
    ) -> Result<Revision, Error> {
        let witness = Witness::new(keys.epoch, next(base), &sealed);
        let revision = self.store.commit(base, clear, sealed, changes)?;
        self.remember(witness);
        self.write_witness(keys, witness, Durability::Process);
        Ok(revision)
    }

    /// Takes the token as it is for the newest that was seen: after a backup was put back on purpose.
    ///
    /// # Errors
    /// Those of [`Token::verify_pin`].
    pub(crate) fn accept_rollback(&self, so_pin: &[u8]) -> Result<(), Error> {
        let (keys, current) = loop {
            let TriedPin { wrap, keys, .. } = self.try_pin(Role::Officer, so_pin)?;
            if let Some(current) = self.unless_overtaken(Role::Officer, &wrap, self.read_head(&keys))? {
                break (keys, current);
            }
        };
        *self.newest.lock() = Some(current.witness());
        let bytes = current.witness().encode(&keys)?;
        self.counters.set_note(WITNESS, &bytes, Durability::Power)?;
        let order = [current.token_header.epoch, current.head.revision.0].map(u64::to_be_bytes).concat();
        self.counters.set_note(standing::ACCEPTED, &order, Durability::Power)?;
        self.note(&Login::new(keys), &Event::new("rollback-accepted"))
    }
}

impl Current {
    fn witness(&self) -> Witness {
        Witness::new(self.token_header.epoch, self.head.revision, &self.head.sealed)
    }
}

/// Refuses a state that is older than one that this machine has seen.
fn must_be_as_new_as(seen: Option<&[u8]>, keys: &Keys, now: Witness) -> Result<(), Error> {
    let Some(bytes) = seen else { return Ok(()) };
    let older = match Witness::decode(keys, bytes) {
        Some(seen) => seen.says_of(&now) == Testimony::Older,
        None => Witness::foretells(keys, bytes, &now),
    };
    if older { Err(Error::RolledBack) } else { Ok(()) }
}

/// The name of the witness among the notes of a token.
const WITNESS: &str = "witness";

/// A PIN that was right: what it opened, and where.
struct TriedPin {
    token_header: TokenHeader,
    wrap: Wrap,
    keys: Keys,
    /// How many wrong ones there were since the last right one.
    wrong_before: u64,
}

/// What became of a new wrap.
enum Rewrapped {
    Written,
    /// Another one was there than it was to replace. Nothing is changed.
    Overtaken,
}

/// How long to wait for those who try the same role's PIN.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many wrong PINs there were. A count that cannot be believed leaves one try: who removes it gains
/// nothing, and who lost it is let in by the right PIN.
fn wrong_pins(count: Option<u64>, tries: u64) -> u64 {
    count.unwrap_or(tries.saturating_sub(1))
}

/// A token header without a user, and the officer's keys.
fn found(
    serial: &Serial,
    epoch: u64,
    so_pin: &[u8],
    label: &[u8; 32],
    (pins, policy, lifecycle): (PinPolicy, Policy, Lifecycle),
    secret: Option<&StoreSecret>,
) -> Result<(TokenHeader, Keys), Error> {
    let ring = Ring::new()?.filtered(|key| match policy.recovery {
        Recovery::ByOfficer => true,
        Recovery::Never => key.purpose == Purpose::Token,
    });
    let owner = Owner::of(Role::Officer, serial, epoch);
    let officer = Wrap::make(so_pin, &ring, owner, pins.cost, secret)?;
    let mut token_header = TokenHeader::new(serial, epoch, label, pins, policy, officer)?;
    token_header.lifecycle = lifecycle;
    Ok((token_header, Keys::new(ring, Role::Officer, serial, epoch)?))
}

/// How an attempt to commit reads the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// What was seen last will do.
    First,
    /// Somebody has committed since: what was seen is old.
    Again,
}

/// More attempts than this mean that something else is wrong.
const ATTEMPTS: usize = 1000;

/// Does it again as long as somebody else was faster.
fn retrying<T>(mut attempt: impl FnMut(Attempt) -> Result<T, Error>) -> Result<T, Error> {
    let mut kind = Attempt::First;
    for _ in 0..ATTEMPTS {
        match attempt(kind) {
            Err(Error::Store(store::Error::Conflict)) => kind = Attempt::Again,
            outcome => return outcome,
        }
    }
    Err(store::Error::Busy.into())
}

fn next(revision: Revision) -> Revision {
    Revision(revision.0.saturating_add(1))
}
