//! Counts in a file of their own, which those may write who may not write the token.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};

use super::database::{Database, Verdict};
use super::directory::{self, Directory};
use super::file;
use super::schema::STATE;
use crate::{Counters, Error};

/// The counters of one token.
pub(super) struct SqliteCounters {
    directory: PathBuf,
    name: String,
    database: Mutex<Option<Arc<Database>>>,
}

impl SqliteCounters {
    pub(super) fn new(directory: PathBuf, name: String) -> Self {
        Self { directory, name, database: Mutex::new(None) }
    }

    /// The file, if it is there.
    fn existing(&self) -> Result<Option<Arc<Database>>, Error> {
        let mut database = self.database.lock();
        if let Some(known) = database.as_ref().filter(|known| known.in_place().is_ok()) {
            return Ok(Some(Arc::clone(known)));
        }
        *database = None;
        let Some(directory) = Directory::existing(&self.directory)? else { return Ok(None) };
        let path = directory.path().join(&self.name);
        if !file::exists(&path) {
            return Ok(None);
        }
        let opened = Database::new(&path, &STATE, None)?;
        *database = Some(Arc::clone(&opened));
        Ok(Some(opened))
    }

    /// The file, made if it is not there.
    fn made(&self) -> Result<Arc<Database>, Error> {
        if let Some(existing) = self.existing()? {
            return Ok(existing);
        }
        let directory = Directory::made(&self.directory)?;
        let lock = directory.lock()?;
        let path = directory.path().join(&self.name);
        if !file::exists(&path) {
            directory::found(&directory, &self.name, &STATE, |_| Ok(()))?;
        }
        drop(lock);
        self.existing()?.ok_or(Error::Missing)
    }

    fn change<T>(&self, change: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let database = self.made()?;
        database.write(|connection| match change(connection) {
            Ok(value) => (Ok(value), Verdict::Keep),
            Err(error) => (Err(database.failed(&error)), Verdict::Drop),
        })
    }
}

impl Counters for SqliteCounters {
    fn count(&self, name: &str) -> Result<u64, Error> {
        let Some(database) = self.existing()? else { return Ok(0) };
        database.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT value FROM counter WHERE name = ?1")?;
            let value: Option<i64> = statement.query_row(params![name], |row| row.get(0)).optional()?;
            Ok(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0))
        })
    }

    fn raise(&self, name: &str) -> Result<u64, Error> {
        self.change(|connection| {
            let mut statement = connection.prepare_cached(
                "INSERT INTO counter (name, value) VALUES (?1, 1)
                 ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            )?;
            let value: i64 = statement.query_row(params![name], |row| row.get(0))?;
            Ok(u64::try_from(value).unwrap_or(0))
        })
    }

    fn clear(&self, name: &str) -> Result<(), Error> {
        if self.count(name)? == 0 {
            return Ok(());
        }
        self.change(|connection| {
            connection.prepare_cached("DELETE FROM counter WHERE name = ?1")?.execute(params![name]).map(|_| ())
        })
    }
}
