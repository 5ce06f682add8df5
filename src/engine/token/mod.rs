//! A token: its store, its keys, and who is logged in.
//!
//! # What is kept
//!
//! All numbers are big-endian; a *varint* has seven bits a byte, the least significant first. Hashes are
//! SHA-256, cut to their first half where 16 bytes are said. Sealing is AES-256-GCM with a random nonce.
//!
//! | part of the head | bytes |
//! | --- | --- |
//! | token header, clear | `STRGROOM`, format (2), serial (16), epoch (8), salt (16), label (32), the officer's wrap, 0 or 1, the user's wrap if 1, checksum (16) |
//! | a wrap | Argon2id memory in KiB (4), passes (4), lanes (4), store secret used (1) and its fingerprint (8), salt (16), nonce (12), the token key sealed (32), tag (16) |
//! | header, sealed | nonce (12), sealed: revision (8), count (8), hash of the token header (32), 256 bucket hashes (16 each); tag (16) |
//!
//! | part of a record | bytes |
//! | --- | --- |
//! | sealed | nonce (12), sealed: the attributes |
//! | clear | the attributes of a public object, but for what makes a key secret |
//! | tag | the tag of `sealed`, which binds format, serial, epoch, name, version and the hash of `clear` |
//!
//! Attributes are their number (varint), then each: number (varint), kind (1), value. They stand in the
//! order of their numbers, each once, so that an object has one encoding.
//!
//! The key that a PIN gives is HKDF of (Argon2id of the PIN, store secret). It unwraps the token key, from
//! which all others are derived: one for the header, one for each object, one for index terms, one for
//! digests. Making the token anew makes a new token key and counts the epoch.
//!
//! # What is noticed
//!
//! Each bucket hash covers the name, version and tag of every record whose name begins with one byte. A
//! bucket is compared with the store when an object of it is first read after its hash in the header has
//! changed, and every bucket at a search without index and in [`Token::check`]. So a record that was
//! removed, added, exchanged or rolled back is noticed, at a cost that does not grow with logging in. Who
//! puts the *whole* file of yesterday in the place of today's is noticed only by a process that has seen
//! today's.

mod bytes;
mod index;
mod objects;
mod pin;
mod record;
mod seal;
mod sealed_header;
#[cfg(test)]
mod tests;
mod token_header;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use store::{Change, Counters, Head, Revision, Serial, Store, TokenDirectory, TokenLocation};

use crate::{
    Error, Settings,
    settings::PinCost,
    token::{
        pin::{Owner, StoreSecret, Wrap},
        seal::{Key, Keys},
        sealed_header::{DigestBucket, SealedHeader},
        token_header::TokenHeader,
    },
};

pub use objects::Report;
pub(crate) use pin::PIN_LEN;

/// As whom somebody is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The security officer: sets the user's PIN, sees no private object.
    Officer,
    /// The user.
    User,
}

impl Role {
    /// Its number in what is sealed.
    fn number(self) -> u8 {
        match self {
            Self::Officer => 1,
            Self::User => 2,
        }
    }

    /// The name of its count of wrong PINs.
    fn counter(self) -> &'static str {
        match self {
            Self::Officer => "so",
            Self::User => "user",
        }
    }
}

/// How many wrong PINs may still follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tries {
    /// All of them.
    Full,
    /// At least one was wrong.
    Low,
    /// One more wrong PIN locks.
    Final,
    /// None.
    Locked,
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
    /// The user's tries.
    pub user_tries: Tries,
    /// The security officer's tries.
    pub officer_tries: Tries,
    /// Whether the PINs need a store secret beside them.
    pub needs_store_secret: bool,
}

/// A token of this process.
pub(crate) struct Token {
    serial: Serial,
    store: Arc<dyn Store>,
    counters: Arc<dyn Counters>,
    policy: Policy,
    login: RwLock<Option<Arc<Login>>>,
    /// The number of who is logged in, to be asked without a lock; 0 for nobody.
    role: AtomicU8,
    login_epoch: AtomicU64,
}

/// What the settings say about PINs.
struct Policy {
    cost: PinCost,
    tries: u64,
    store_secret: Option<PathBuf>,
}

/// Somebody is logged in.
struct Login {
    role: Role,
    keys: Keys,
    seen: Mutex<Seen>,
}

/// What was seen of the store since the login.
#[derive(Default)]
struct Seen {
    /// The store at the last look.
    current: Option<(store::ChangeCounter, Arc<Current>)>,
    /// The hashes of those buckets that were compared with the store.
    compared: HashMap<u8, DigestBucket>,
}

/// A head that was opened.
struct Current {
    token_header: TokenHeader,
    header: SealedHeader,
    head: Head,
}

impl Token {
    pub(crate) fn open(
        directory: &dyn TokenDirectory,
        location: &TokenLocation,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let store = directory.open(location)?;
        let token = Self::over(store, directory.counters(location)?, &location.serial, settings);
        token.token_header()?;
        Ok(token)
    }

    /// Makes a token in the free slot.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`] if it is not free any more, [`Error::PinLenRange`], and the store's.
    pub(crate) fn create(
        directory: &dyn TokenDirectory,
        slot: u32,
        so_pin: &[u8],
        label: &[u8; 32],
        settings: &Settings,
    ) -> Result<Self, Error> {
        pin::measure(so_pin)?;
        let digits: String = seal::random::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let serial = Serial::new(&digits).ok_or(Error::Internal("a serial is not 16 digits"))?;
        let policy = Policy::of(settings);
        let (token_header, keys) = policy.found(&serial, 1, so_pin, label)?;
        let clear = token_header.encode();
        let header = SealedHeader::blank(Revision(0), &clear).seal(&keys)?;
        let location = TokenLocation { slot, serial };
        let store = directory.create(&location, clear, header).map_err(|fault| match fault {
            store::Error::Conflict => Error::SlotIdInvalid,
            other => other.into(),
        })?;
        Ok(Self::over(store, directory.counters(&location)?, &location.serial, settings))
    }

    fn over(store: Arc<dyn Store>, counters: Arc<dyn Counters>, serial: &Serial, settings: &Settings) -> Self {
        Self {
            serial: serial.clone(),
            store,
            counters,
            policy: Policy::of(settings),
            login: RwLock::new(None),
            role: AtomicU8::new(0),
            login_epoch: AtomicU64::new(0),
        }
    }

    /// Makes the token anew: all objects and the user's PIN go, serial and slot stay.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::PinLenRange`], and the store's.
    pub(crate) fn reinitialize(&self, so_pin: &[u8], label: &[u8; 32]) -> Result<(), Error> {
        let (token_header, _) = self.try_pin(Role::Officer, so_pin)?;
        let (token_header, keys) =
            self.policy.found(&self.serial, token_header.epoch.saturating_add(1), so_pin, label)?;
        let clear = token_header.encode();
        retrying(|| {
            let head = self.store.head()?;
            let header = SealedHeader::blank(next(head.revision), &clear).seal(&keys)?;
            let records = self.store.find(&[], None, usize::MAX)?;
            let changes = records.into_iter().map(Change::Remove).collect();
            Ok(self.store.commit(head.revision, clear.clone(), header, changes)?)
        })?;
        self.logout();
        self.settle(Role::User);
        Ok(())
    }

    /// What the token tells now.
    pub(crate) fn summary(&self) -> Result<Summary, Error> {
        let token_header = self.token_header()?;
        let secret = |wrap: &Wrap| wrap.needs_secret();
        Ok(Summary {
            label: token_header.label,
            serial: self.serial.clone(),
            user_pin_set: token_header.user.is_some(),
            write_protected: !self.store.writable(),
            user_tries: self.tries(Role::User)?,
            officer_tries: self.tries(Role::Officer)?,
            needs_store_secret: secret(&token_header.officer) || token_header.user.as_ref().is_some_and(secret),
        })
    }

    /// Who is logged in, in this process.
    pub(crate) fn role(&self) -> Option<Role> {
        let number = self.role.load(Ordering::Acquire);
        [Role::Officer, Role::User].into_iter().find(|role| role.number() == number)
    }

    /// Differs after each login and logout.
    pub(crate) fn login_epoch(&self) -> u64 {
        self.login_epoch.load(Ordering::Acquire)
    }

    /// # Errors
    /// [`Error::UserAlreadyLoggedIn`], [`Error::UserAnotherAlreadyLoggedIn`], [`Error::PinIncorrect`],
    /// [`Error::PinLocked`], [`Error::UserPinNotInitialized`], [`Error::Tampered`], and the store's.
    pub(crate) fn login(&self, role: Role, pin: &[u8]) -> Result<(), Error> {
        self.must_be_free_for(role)?;
        let (token_header, keys) = self.try_pin(role, pin)?;
        let login = Arc::new(Login { role, keys, seen: Mutex::default() });
        self.look(&login)?;
        self.renew(&token_header, &login, pin);
        let mut place = self.login.write();
        // Trying a PIN takes long: somebody may have been faster.
        self.must_be_free_for(role)?;
        *place = Some(login);
        self.role.store(role.number(), Ordering::Release);
        self.login_epoch.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Checks a PIN, and counts it if it is wrong.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::UserPinNotInitialized`], and the store's.
    pub(crate) fn verify_pin(&self, role: Role, pin: &[u8]) -> Result<(), Error> {
        self.try_pin(role, pin).map(|_| ())
    }

    /// Forgets the keys.
    pub(crate) fn logout(&self) {
        let mut place = self.login.write();
        if place.take().is_some() {
            self.role.store(0, Ordering::Release);
            self.login_epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Sets the user's PIN, whether he had one or not. The officer must be logged in.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], [`Error::PinLenRange`], and the store's.
    pub(crate) fn init_pin(&self, pin: &[u8]) -> Result<(), Error> {
        pin::measure(pin)?;
        let login = self.logged_in().filter(|login| login.role == Role::Officer).ok_or(Error::UserNotLoggedIn)?;
        self.rewrap(&login.keys, Role::User, pin, self.policy.cost)?;
        self.settle(Role::User);
        Ok(())
    }

    /// Changes a PIN. No object is touched.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::PinLenRange`],
    /// [`Error::UserPinNotInitialized`], and the store's.
    pub(crate) fn set_pin(&self, role: Role, old: &[u8], new: &[u8]) -> Result<(), Error> {
        pin::measure(new)?;
        let (_, keys) = self.try_pin(role, old)?;
        self.rewrap(&keys, role, new, self.policy.cost)
    }

    /// A number that differs when anybody has committed in between.
    pub(crate) fn change_counter(&self) -> Result<store::ChangeCounter, Error> {
        Ok(self.store.change_counter(store::Scope::Token)?)
    }

    fn token_header(&self) -> Result<TokenHeader, Error> {
        TokenHeader::decode(&self.store.head()?.clear, &self.serial)
    }

    fn logged_in(&self) -> Option<Arc<Login>> {
        self.login.read().clone()
    }

    fn must_be_free_for(&self, role: Role) -> Result<(), Error> {
        match self.role() {
            None => Ok(()),
            Some(now) if now == role => Err(Error::UserAlreadyLoggedIn),
            Some(_) => Err(Error::UserAnotherAlreadyLoggedIn),
        }
    }

    fn tries(&self, role: Role) -> Result<Tries, Error> {
        let wrong = self.counters.count(role.counter())?;
        Ok(match self.policy.tries.saturating_sub(wrong) {
            0 => Tries::Locked,
            1 => Tries::Final,
            _ if wrong > 0 => Tries::Low,
            _ => Tries::Full,
        })
    }

    /// Tries a PIN: it counts as wrong, durably, before it is tried, so that a process that is killed has
    /// not tried for nothing.
    fn try_pin(&self, role: Role, pin: &[u8]) -> Result<(TokenHeader, Keys), Error> {
        pin::measure(pin)?;
        let token_header = self.token_header()?;
        let wrap = token_header.wrap(role).ok_or(Error::UserPinNotInitialized)?;
        let secret = self.policy.secret()?;
        if self.counters.count(role.counter())? >= self.policy.tries {
            return Err(Error::PinLocked);
        }
        let tried = match self.counters.raise(role.counter()) {
            Ok(tried) => tried,
            // Signing needs no place to write to. Who can read the token can guess without asking us.
            Err(store::Error::ReadOnly(why)) => {
                tracing::warn!(why, "wrong PINs cannot be counted");
                0
            }
            Err(fault) => return Err(fault.into()),
        };
        if tried > self.policy.tries {
            return Err(Error::PinLocked);
        }
        let owner = Owner { role, serial: &self.serial, epoch: token_header.epoch };
        let Some(key) = wrap.open(pin, owner, secret.as_ref())? else {
            return Err(if tried == self.policy.tries { Error::PinLocked } else { Error::PinIncorrect });
        };
        self.settle(role);
        let keys = Keys::new(key, &self.serial, token_header.epoch)?;
        Ok((token_header, keys))
    }

    /// Forgives the wrong PINs of before.
    fn settle(&self, role: Role) {
        if let Err(fault) = self.counters.clear(role.counter()) {
            tracing::warn!(%fault, "the count of wrong PINs stays");
        }
    }

    /// Wraps the token key under a PIN and writes it down.
    fn rewrap(&self, keys: &Keys, role: Role, pin: &[u8], cost: PinCost) -> Result<(), Error> {
        let secret = self.policy.secret()?;
        let owner = Owner { role, serial: &self.serial, epoch: keys.epoch };
        let wrap = Wrap::make(pin, &keys.token, owner, cost, secret.as_ref())?;
        retrying(|| {
            let Current { mut token_header, mut header, head } = self.read_head(keys)?;
            token_header.set_wrap(role, wrap.clone());
            let clear = token_header.encode();
            header.token_header_hash = seal::digest(&[&clear]);
            header.revision = next(head.revision);
            Ok(self.store.commit(head.revision, clear, header.seal(keys)?, Vec::new())?)
        })?;
        Ok(())
    }

    /// Makes a PIN as dear as PINs are to be now. If it cannot be written, it stays as it was.
    fn renew(&self, token_header: &TokenHeader, login: &Login, pin: &[u8]) {
        let renewal = || -> Result<(), Error> {
            let secret = self.policy.secret()?;
            let wrap = token_header.wrap(login.role);
            match wrap.and_then(|wrap| wrap.renewal(self.policy.cost, secret.as_ref())) {
                Some(cost) if self.store.writable() => self.rewrap(&login.keys, login.role, pin, cost),
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
        if token_header.epoch != keys.epoch {
            // Somebody has made the token anew: these keys open nothing any more.
            self.logout();
            return Err(Error::UserNotLoggedIn);
        }
        let header = SealedHeader::open(keys, &head.sealed)?;
        if header.revision != head.revision {
            return Err(Error::Tampered("the token's revision"));
        }
        if header.token_header_hash != seal::digest(&[&head.clear]) {
            return Err(Error::Tampered("the token's token_header"));
        }
        Ok(Current { token_header, header, head })
    }

    /// The head as it is now, read only if anybody has committed since.
    fn look(&self, login: &Login) -> Result<Arc<Current>, Error> {
        let change_counter = self.store.change_counter(store::Scope::Token)?;
        let before = login.seen.lock().current.clone();
        if let Some((seen, current)) = &before
            && *seen == change_counter
        {
            return Ok(Arc::clone(current));
        }
        let current = Arc::new(self.read_head(&login.keys)?);
        if before.is_some_and(|(_, before)| current.header.revision < before.header.revision) {
            return Err(Error::Tampered("the token: it is older than it was"));
        }
        login.seen.lock().current = Some((change_counter, Arc::clone(&current)));
        Ok(current)
    }
}

impl Policy {
    fn of(settings: &Settings) -> Self {
        Self { cost: settings.pin_cost, tries: settings.pin_tries, store_secret: settings.store_secret.clone() }
    }

    fn secret(&self) -> Result<Option<StoreSecret>, Error> {
        self.store_secret.as_deref().map(StoreSecret::read).transpose()
    }

    /// A token header without a user, and its new keys.
    fn found(
        &self,
        serial: &Serial,
        epoch: u64,
        so_pin: &[u8],
        label: &[u8; 32],
    ) -> Result<(TokenHeader, Keys), Error> {
        let key = Key::random()?;
        let owner = Owner { role: Role::Officer, serial, epoch };
        let officer = Wrap::make(so_pin, &key, owner, self.cost, self.secret()?.as_ref())?;
        let token_header =
            TokenHeader { serial: serial.clone(), epoch, salt: seal::random()?, label: *label, officer, user: None };
        Ok((token_header, Keys::new(key, serial, epoch)?))
    }
}

/// More tries than this mean that something else is wrong.
const ATTEMPTS: usize = 1000;

/// Does it again as long as somebody else was faster.
fn retrying<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 0..ATTEMPTS {
        match attempt() {
            Err(Error::Store(store::Error::Conflict)) => {}
            outcome => return outcome,
        }
    }
    Err(store::Error::Busy.into())
}

fn next(revision: Revision) -> Revision {
    Revision(revision.0.saturating_add(1))
}
