//! What is in the files, and how older ones become newer.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::failure;
use crate::Error;

/// A kind of file.
#[derive(Debug)]
pub(super) struct Format {
    /// Stands in the file's header, for `file(1)` and for us.
    application_id: i64,
    /// Each step brings a file from the version of its index to the next. Never edited, only added to.
    steps: &'static [&'static str],
}

/// `STRG`.
pub(super) static TOKEN: Format = Format {
    application_id: 0x5354_5247,
    // `record` is what `digests` and `find` read: 70 to a page, however long the bodies are. A body is reached by its
    // number, and new ones lie side by side at the end. `terms` repeats the rows of `term`, 16 bytes each, so that
    // they can be found again without an index that turns it round. `log` is the audit's; `epoch` is for what
    // `C_InitToken` has retired, and this release writes nothing to it.
    steps: &["
        CREATE TABLE head (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            revision INTEGER NOT NULL,
            clear BLOB NOT NULL,
            sealed BLOB NOT NULL
        ) STRICT;
        CREATE TABLE record (
            id BLOB PRIMARY KEY NOT NULL,
            version INTEGER NOT NULL,
            tag BLOB NOT NULL,
            body INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE body (
            number INTEGER PRIMARY KEY,
            terms BLOB NOT NULL,
            clear BLOB,
            sealed BLOB NOT NULL
        ) STRICT;
        CREATE TABLE term (
            term BLOB NOT NULL,
            record BLOB NOT NULL,
            PRIMARY KEY (term, record)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE log (
            number INTEGER PRIMARY KEY,
            entry BLOB NOT NULL
        ) STRICT;
        CREATE TABLE epoch (
            number INTEGER PRIMARY KEY,
            until INTEGER NOT NULL,
            clear BLOB NOT NULL,
            sealed BLOB NOT NULL
        ) STRICT;
    "],
};

/// `STRU`: uses of keys. A total is what the entries of one key, operation, mechanism, program and person add up to.
pub(super) static USES: Format = Format {
    application_id: 0x5354_5255,
    steps: &["
        CREATE TABLE head (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            entries INTEGER NOT NULL,
            bytes BLOB NOT NULL
        ) STRICT;
        CREATE TABLE entry (
            number INTEGER PRIMARY KEY,
            key TEXT NOT NULL,
            text TEXT NOT NULL
        ) STRICT;
        CREATE INDEX entry_of_key ON entry (key, number);
        CREATE TABLE total (
            key TEXT NOT NULL,
            operation TEXT NOT NULL,
            mechanism TEXT NOT NULL,
            program TEXT NOT NULL,
            who TEXT NOT NULL,
            uses INTEGER NOT NULL,
            first INTEGER NOT NULL,
            last INTEGER NOT NULL,
            PRIMARY KEY (key, operation, mechanism, program, who)
        ) STRICT, WITHOUT ROWID;
    "],
};

/// How a file stands to this release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// As this release writes it.
    Current,
    /// To be brought up to date first.
    Old,
}

impl Format {
    /// Whether the file is of this format, without changing it.
    pub(super) fn age(&self, path: &Path, connection: &Connection) -> Result<Age, Error> {
        let failed = |e| failure::sqlite(path, &e);
        let application_id: i64 =
            connection.pragma_query_value(None, "application_id", |r| r.get(0)).map_err(failed)?;
        if application_id != self.application_id {
            return Err(Error::Damaged(format!("{}: this is not a file of ours", path.display())));
        }
        let version: i64 = connection.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(failed)?;
        let Ok(version) = u32::try_from(version) else {
            return Err(Error::Damaged(format!("{}: there is no format {version}", path.display())));
        };
        match version.cmp(&self.version()) {
            std::cmp::Ordering::Less if version == 0 => {
                Err(Error::Damaged(format!("{}: it was never finished", path.display())))
            }
            std::cmp::Ordering::Less => Ok(Age::Old),
            std::cmp::Ordering::Equal => Ok(Age::Current),
            std::cmp::Ordering::Greater => Err(Error::TooNew(version)),
        }
    }

    /// Brings a file, which may be empty, up to date in one transaction, and does `more` in the same one.
    pub(super) fn migrate(
        &self,
        connection: &Connection,
        more: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        // Asked again inside: another process may have been faster.
        let version: i64 = transaction.pragma_query_value(None, "user_version", |r| r.get(0))?;
        for step in self.steps.iter().skip(usize::try_from(version).unwrap_or(usize::MAX)) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", self.application_id)?;
        transaction.pragma_update(None, "user_version", self.version())?;
        more(&transaction)?;
        transaction.commit()
    }

    fn version(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }
}
