//! Uses of keys, written down beside a token: by those too who may not write the token itself.

use crate::Error;

/// What is written down of uses of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUse {
    /// What the chain of entries is made of.
    pub text: String,
    /// What it adds to.
    pub total: UseTotal,
}

/// How often a key was used in one way by one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseTotal {
    /// The key's `CKA_UNIQUE_ID`.
    pub key: String,
    /// What was done with it.
    pub operation: String,
    /// The mechanism.
    pub mechanism: String,
    /// The program, as it says of itself.
    pub program: String,
    /// Who was logged in.
    pub who: String,
    /// How often.
    pub uses: u64,
    /// The first and the last time, in seconds since 1970.
    pub between: (u64, u64),
}

impl UseTotal {
    /// What it is about: key, operation, mechanism, program, person.
    #[must_use]
    pub fn about(&self) -> [&str; 5] {
        [&self.key, &self.operation, &self.mechanism, &self.program, &self.who]
    }

    /// Adds uses that are about the same.
    pub fn add(&mut self, uses: u64, (first, last): (u64, u64)) {
        self.uses = self.uses.saturating_add(uses);
        self.between = (self.between.0.min(first), self.between.1.max(last));
    }
}

/// An entry as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseEntry {
    /// Its number; the first is 1.
    pub number: u64,
    /// The key's `CKA_UNIQUE_ID`.
    pub key: String,
    /// Its text.
    pub text: String,
}

/// Where the chain of entries ends, in bytes that only the caller understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseHead {
    /// How many entries there are.
    pub entries: u64,
    /// What the caller says of them.
    pub bytes: Vec<u8>,
}

/// The uses of one token's keys on this machine. Nobody needs to be able to write the token.
pub trait UseLog: Send + Sync {
    /// Where the chain ends; `None` before the first entry.
    fn head(&self) -> Result<Option<UseHead>, Error>;

    /// Adds entries behind the first `after`, all or none, with the head that belongs to them. What it returns `Ok` for
    /// survives the loss of power.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there are more or fewer than `after` by now.
    fn append(&self, after: u64, uses: &[NewUse], head: &[u8]) -> Result<(), Error>;

    /// The entries whose numbers are above `after`, in their order, at most `limit`.
    fn entries(&self, after: u64, limit: usize) -> Result<Vec<UseEntry>, Error>;

    /// The last entries of a key, the newest first, at most `limit`.
    fn of_key(&self, key: &str, limit: usize) -> Result<Vec<UseEntry>, Error>;

    /// How often each key was used in each way by each program; or one key.
    fn totals(&self, key: Option<&str>) -> Result<Vec<UseTotal>, Error>;
}
