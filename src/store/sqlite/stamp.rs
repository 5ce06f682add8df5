//! Eight bytes beside a token that change with each commit.
//!
//! Asking SQLite whether anything has changed costs microseconds and locks; reading eight bytes does not. A writer,
//! while it holds SQLite's write lock, puts a fresh odd number there before it commits. Afterwards it takes the lock
//! again and puts a fresh even number. The numbers are random, so none comes back.
//!
//! * *Even*: nobody is committing. An even number is written once and under the lock, with no commit half done. Whoever
//!   reads it twice knows that nothing was written to this file in between, and so that nobody has committed.
//! * *Odd*, or too short: somebody is committing, or died while committing, or the file is new. The reader must ask
//!   the database ([`Stamp::look`] gives `None`).
//!
//! That a number is not revised to mean a revision has a reason: nothing is ever concluded from the number alone, only
//! from seeing the *same* one twice within the life of a process. So it does not matter that the file is never
//! synced and may be older than the token after a loss of power, or belongs to another copy of the token after a
//! backup was put back: the next commit writes a number that was not there before.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::failure;
use super::file::{Identity, Owner};
use crate::Error;

/// What a stamp says about the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A commit is about to happen.
    Committing,
    /// None is.
    Settled,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Stamp {
    path: PathBuf,
    file: File,
    identity: Identity,
}

impl Stamp {
    /// Opens it for writing, and makes it if it is not there.
    pub(super) fn make(path: &Path, owner: Owner) -> Result<Self, Error> {
        // Not truncated: two processes may be making it.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = open(path, options).map_err(|e| failure::writing(path, &e))?;
        owner.adopt(&file).map_err(|e| failure::writing(path, &e))?;
        Self::of(path, file)
    }

    /// Opens it for reading, if it is there and may be read.
    pub(super) fn peek(path: &Path) -> Option<Self> {
        let mut options = OpenOptions::new();
        options.read(true);
        Self::of(path, open(path, options).ok()?).ok()
    }

    fn of(path: &Path, file: File) -> Result<Self, Error> {
        let metadata = file.metadata().map_err(|e| failure::reading(path, &e))?;
        Ok(Self { path: path.to_owned(), file, identity: Identity::of(&metadata) })
    }

    /// The number, if nobody is committing.
    pub(super) fn look(&self) -> Option<u64> {
        let mut bytes = [0; 8];
        match self.file.read_at(&mut bytes, 0) {
            Ok(8) => Some(u64::from_le_bytes(bytes)).filter(|number| number % 2 == 0),
            _ => None,
        }
    }

    /// Replaces the number. Only under SQLite's write lock, with a number that was never used.
    pub(super) fn mark(&self, random: u64, moment: Moment) -> Result<(), Error> {
        let number = match moment {
            Moment::Committing => random | 1,
            Moment::Settled => random & !1,
        };
        self.file.write_all_at(&number.to_le_bytes(), 0).map_err(|e| failure::writing(&self.path, &e))
    }

    /// Whether others find the same file under its name.
    pub(super) fn in_place(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|metadata| Identity::of(&metadata) == self.identity)
    }
}

fn open(path: &Path, mut options: OpenOptions) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed()).open(path)
}
