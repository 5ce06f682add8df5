//! Snapshots: a token as it was at one moment, in a file of its own.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, ffi, params_from_iter, types::Value};

use super::connection::{Journal, Mode, Opening};
use super::database::Database;
use super::schema::TOKEN;
use super::{failure, fork_guard};
use crate::{Error, Head, Revision};

/// The tables of a token, and how many columns each has.
const TABLES: [(&str, usize); 6] = [("head", 4), ("record", 4), ("body", 4), ("term", 2), ("log", 2), ("epoch", 4)];

/// A snapshot that was read and found whole. It is closed inside the gate of `fork_guard`.
pub(super) struct Snapshot(Option<Connection>);

impl Drop for Snapshot {
    fn drop(&mut self) {
        let _entered = fork_guard::enter();
        self.0 = None;
    }
}

/// Writes what a token is at one moment into a new file. Others read and write the token meanwhile.
pub(super) fn take(from: &Database, to: &Path) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(to).map_err(|e| failure::writing(to, &e))?;
    drop(made);
    // One step, so that what is read is one state; a writer's log grows meanwhile, and nobody waits. What fails for the
    // sake of the copy is not to be taken for a fault of the token.
    let copied = from.read(|connection| {
        let done = copy_pages(connection, to);
        match done {
            Err(rusqlite::Error::SqliteFailure(failure, _))
                if matches!(failure.code, rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure) =>
            {
                Ok(done.map_err(|e| failure::sqlite(to, &e)))
            }
            done => done.map(Ok),
        }
    })?;
    copied?;
    File::open(to).and_then(|file| file.sync_all()).map_err(|e| failure::writing(to, &e))
}

fn copy_pages(connection: &Connection, to: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut copy = Connection::open_with_flags(to, flags)?;
    let step = Backup::new(connection, &mut copy)?.step(-1)?;
    if step != StepResult::Done {
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None));
    }
    // All of it in one file.
    copy.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))
}

impl Snapshot {
    /// Opens a snapshot, which nobody changes meanwhile, and looks whether it is whole.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let _entered = fork_guard::enter();
        let path = path.canonicalize().map_err(|e| failure::reading(path, &e))?;
        let opening = Opening { path: path.clone(), format: &TOKEN, journal: Journal::Rollback, page_limit: None };
        let connection = opening.connect(Mode::Immutable)?;
        let said: String = connection
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(|e| failure::sqlite(&path, &e))?;
        if said != "ok" {
            return Err(Error::Damaged(format!("{}: {said}", path.display())));
        }
        let snapshot = Self(Some(connection));
        snapshot.head().map_err(|e| failure::sqlite(&path, &e))?;
        Ok(snapshot)
    }

    /// The head in it.
    pub(super) fn head(&self) -> rusqlite::Result<Head> {
        self.connection()?.query_row("SELECT revision, clear, sealed FROM head", [], |row| {
            let revision = Revision(u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default());
            Ok(Head { revision, clear: row.get(1)?, sealed: row.get(2)? })
        })
    }

    /// Puts everything that is in it into the tables of `to`, in the place of what is there. Inside of a transaction.
    pub(super) fn pour(&self, to: &Connection) -> rusqlite::Result<()> {
        for (table, columns) in TABLES {
            to.execute(&format!("DELETE FROM {table}"), [])?;
            let places: Vec<String> = (1..=columns).map(|n| format!("?{n}")).collect();
            let mut into = to.prepare(&format!("INSERT INTO {table} VALUES ({})", places.join(", ")))?;
            let mut from = self.connection()?.prepare(&format!("SELECT * FROM {table}"))?;
            let mut rows = from.query([])?;
            while let Some(row) = rows.next()? {
                let values: Vec<Value> = (0..columns).map(|n| row.get(n)).collect::<rusqlite::Result<_>>()?;
                into.execute(params_from_iter(values))?;
            }
        }
        Ok(())
    }

    /// It is there until it is dropped.
    fn connection(&self) -> rusqlite::Result<&Connection> {
        self.0.as_ref().ok_or(rusqlite::Error::InvalidQuery)
    }
}
