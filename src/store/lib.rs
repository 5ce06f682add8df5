//! Opaque sealed records.
//!
//! This crate knows no key and no word of PKCS#11. It keeps what it is given, finds it again by opaque
//! terms, and changes it all at once or not at all. Two seams: a [`TokenDirectory`] holds stores, a [`Store`]
//! holds the records of one token.
#![forbid(unsafe_code)]

pub mod clock;
pub mod conformance;
mod error;
pub mod faulty;
pub mod memory;
pub mod regular;
pub mod sqlite;
mod uses;

use std::{path::Path, sync::Arc, time::Duration};

pub use error::Error;
pub use uses::{NewUse, UseEntry, UseHead, UseLog, UseTotal};

/// Names a record for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub [u8; 16]);

/// Counts commits of a store. Equal revisions mean that nothing has changed in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// By what a record is found: a keyed hash whose meaning only the caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexTerm(pub [u8; 16]);

/// What is kept under a [`RecordId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub id: RecordId,
    /// The revision of the store in which it was last written, as its writer says.
    pub version: Revision,
    /// What may be read without a key; `None` if nothing may.
    pub clear: Option<Vec<u8>>,
    /// What may not.
    pub sealed: Vec<u8>,
    /// A short authenticator of all of the above, made by the caller.
    pub tag: [u8; 16],
}

/// A record without its contents: what is needed to tell whether records were exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordDigest {
    /// The record's name.
    pub id: RecordId,
    /// Its version.
    pub version: Revision,
    /// Its authenticator.
    pub tag: [u8; 16],
}

/// What belongs to the store as a whole, replaced at every commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Counts commits.
    pub revision: Revision,
    /// What may be read without a key.
    pub clear: Vec<u8>,
    /// What may not.
    pub sealed: Vec<u8>,
}

/// One step of a commit.
#[derive(Clone, Debug)]
pub enum Change {
    /// Writes a record, new or not, and the terms by which it is found from now on.
    Put(Record, Vec<IndexTerm>),
    /// Removes a record, which must be there, and its terms.
    Remove(RecordId),
    /// Adds an entry to the log, under the number that follows the last one's; the first is 1.
    Append(u64, Vec<u8>),
    /// Empties the log. The next entry is the first.
    EmptyLog,
}

impl Change {
    /// The record that it changes, if it changes one.
    #[must_use]
    pub fn record(&self) -> Option<RecordId> {
        match self {
            Self::Put(Record { id, .. }, _) | Self::Remove(id) => Some(*id),
            Self::Append(..) | Self::EmptyLog => None,
        }
    }
}

/// Why nothing is added to a log that was changed.
pub(crate) fn log_ends_elsewhere(number: u64) -> Error {
    Error::Damaged(format!("entry {number} of the log is not the one that follows its last: it was changed"))
}

/// An entry of the log, under its number.
pub type LogEntry = (u64, Vec<u8>);

/// What a change counter counts the changes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All that the store holds. Each commit changes it.
    Token,
    /// The head. Each commit changes it.
    Head,
    /// The records whose name begins with this byte.
    Bucket(u8),
}

/// Two equal values of one scope of one store mean that nobody, in any process, has committed a change to that scope
/// in between. They say nothing else: not how much has changed, and two values may differ though nothing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChangeCounter(Counted);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    /// A count that only rises, and the id of the page that it is in.
    Count { page: u64, count: u64 },
    /// Of the whole store.
    Revision(Revision),
}

impl ChangeCounter {
    /// A count that only rises as long as the page has this id.
    #[must_use]
    pub fn counted(page: u64, count: u64) -> Self {
        Self(Counted::Count { page, count })
    }

    /// For a store that knows its revision only.
    #[must_use]
    pub fn revision(revision: Revision) -> Self {
        Self(Counted::Revision(revision))
    }
}

/// The records of one token. A cluster implements the same verbs.
pub trait Store: Send + Sync {
    /// The head as it is now.
    fn head(&self) -> Result<Head, Error>;

    /// A record, if it is there.
    fn read(&self, id: RecordId) -> Result<Option<Record>, Error>;

    /// The records that carry each of `terms`, in the order of their names, from the first after `after`,
    /// at most `limit`. The first term should be the rarest. Without terms: every record.
    fn find(&self, terms: &[IndexTerm], after: Option<RecordId>, limit: usize) -> Result<Vec<RecordId>, Error>;

    /// The digests of all records whose name begins with this byte, in order.
    fn digests(&self, first_byte: u8) -> Result<Vec<RecordDigest>, Error>;

    /// The entries of the log whose numbers are above `after`, in their order, at most `limit`.
    fn log(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, Error>;

    /// Applies all changes and the new head or none, if the store is still at `base`; the new revision is
    /// `base + 1`. What it returns `Ok` for survives the loss of power.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the store has moved on: read again and decide anew. [`Error::Damaged`] if the log does not
    /// end where the store is said to be: somebody has changed it.
    fn commit(&self, base: Revision, clear: Vec<u8>, sealed: Vec<u8>, changes: Vec<Change>) -> Result<Revision, Error>;

    /// The head's change counter as this handle's last commit left it, if that made this revision. As long as
    /// [`Store::change_counter`] gives the same, the head is the one that was committed.
    fn counter_after(&self, _revision: Revision) -> Option<ChangeCounter> {
        None
    }

    /// The change counter of a scope as it is now. Cheap enough for each use of a key.
    fn change_counter(&self, scope: Scope) -> Result<ChangeCounter, Error>;

    /// Milliseconds of a clock that only goes on. Just after [`Store::change_counter`] it is behind by a tenth of a second at
    /// most, and costs less than to ask for the time.
    fn millis(&self) -> u64 {
        clock::millis()
    }

    /// Whether a commit can succeed as far as file permissions tell.
    fn writable(&self) -> bool;
}

/// Numbers and notes that are written even by those who only read records: counts of wrong PINs, for one.
///
/// Whoever changes a count holds its turn, so that nobody changes it between being read and being set.
pub trait Counters: Send + Sync {
    /// The count under a name; `None` if there is none that can be believed: it was never set, was removed, or is
    /// damaged.
    fn count(&self, name: &str) -> Result<Option<u64>, Error>;

    /// Sets a count. What it returns `Ok` for was read back.
    fn set(&self, name: &str, count: u64, durability: Durability) -> Result<(), Error>;

    /// A note: a few bytes whose meaning only the caller knows. `None` if there is none.
    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Writes a note. If the system dies meanwhile, it may be neither the old nor the new.
    fn set_note(&self, name: &str, bytes: &[u8], durability: Durability) -> Result<(), Error>;

    /// Waits until no other thread or process has the turn of this name.
    ///
    /// # Errors
    /// [`Error::Busy`] if that takes longer than `patience`.
    fn turn(&self, name: &str, patience: Duration) -> Result<Turn, Error>;
}

/// What survives when a count or a note was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The death of this process.
    Process,
    /// The loss of power too.
    Power,
}

/// A turn at a count: while it lives, nobody else has the same. It ends when its process dies, and a forked child
/// does not have it.
#[must_use]
pub struct Turn(#[allow(dead_code)] Box<dyn Send>);

impl Turn {
    /// A turn that ends when `held` is dropped.
    pub fn new(held: impl Send + 'static) -> Self {
        Self(Box::new(held))
    }
}

/// Names a token: 16 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(String);

impl Serial {
    /// `None` unless `text` is 16 lower-case hexadecimal digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (text.len() == 16 && digits).then(|| Self(text.to_owned()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a token stands: its serial and its slot, which never change. (A token that was copied from elsewhere may
/// have a temporary slot first.)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenLocation {
    /// The number of the slot; small, given once, never given again.
    pub slot: u32,
    /// The token's name.
    pub serial: Serial,
}

/// A token that asks for a slot that another token has: somebody has copied it from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotConflict {
    /// The slot that it asks for.
    pub slot: u32,
    /// The token that has the slot.
    pub owner: Serial,
    /// The token that asks, in the slot that it was given instead.
    pub token: TokenLocation,
}

/// A place with several stores. Listing writes nothing, and a place that is not there has no tokens.
pub trait TokenDirectory: Send + Sync {
    /// Which tokens there are, in the order of their slots. Opens none of them, writes nothing.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the place is there and cannot be listed.
    fn tokens(&self) -> Result<Vec<TokenLocation>, Error>;

    /// The number that the next token's slot gets. Writes nothing.
    fn free_slot(&self) -> Result<u32, Error>;

    /// Opens a token's store.
    fn open(&self, location: &TokenLocation) -> Result<Arc<dyn Store>, Error>;

    /// Makes a store at revision 0 with this head and no records, all or nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the slot is not [`TokenDirectory::free_slot`] any more.
    fn create(&self, location: &TokenLocation, clear: Vec<u8>, sealed: Vec<u8>) -> Result<Arc<dyn Store>, Error>;

    /// Removes a token and all that belongs to it. Its slot is not given again.
    fn remove(&self, location: &TokenLocation) -> Result<(), Error>;

    /// The tokens that ask for a slot that another one has, for those who look for what is wrong. Writes nothing.
    fn conflicts(&self) -> Result<Vec<SlotConflict>, Error> {
        Ok(Vec::new())
    }

    /// Writes what a token is at one moment into a new file, and gives its head. Others read and write the token meanwhile.
    fn snapshot(&self, _location: &TokenLocation, _to: &Path) -> Result<Head, Error> {
        Err(no_files())
    }

    /// The head of a snapshot, which was found whole as a file.
    fn snapshot_head(&self, _snapshot: &Path) -> Result<Head, Error> {
        Err(no_files())
    }

    /// The counters of a token that is away, if its place is kept for it.
    fn kept_counters(&self, _serial: &Serial) -> Result<Option<Arc<dyn Counters>>, Error> {
        Ok(None)
    }

    /// Puts a snapshot in the place of a token, or into the free slot if it is absent; all or nothing. Those who have the token
    /// open see it as they see any commit.
    ///
    /// # Errors
    /// [`Error::Conflict`] if what is there is not `present`.
    fn restore(&self, _serial: &Serial, _snapshot: &Path, _present: Present) -> Result<TokenLocation, Error> {
        Err(no_files())
    }

    /// The uses of a token's keys on this machine.
    fn uses(&self, _location: &TokenLocation) -> Result<Arc<dyn UseLog>, Error> {
        Err(no_files())
    }

    /// The counters of a token.
    fn counters(&self, location: &TokenLocation) -> Result<Arc<dyn Counters>, Error>;
}

/// What is in the place of a token that is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    Absent,
    /// The token, at this revision.
    At(Revision),
    /// What cannot be read. The file is replaced as one: who has it open is told that it was exchanged.
    Damaged,
}

fn no_files() -> Error {
    Error::Failed("its tokens are in no files: there are no snapshots of them, and no files beside them".to_owned())
}
