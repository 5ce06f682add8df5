//! How a file is opened, and with which settings.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use super::schema::{Age, Format};
use super::{failure, file};
use crate::Error;
use crate::regular;

/// How long SQLite itself waits for another process. Short, since a fork waits for it too: see `patience`. Not zero,
/// since a writer that waits here keeps new readers out where there is no log.
const WAIT: Duration = Duration::from_millis(5);

/// More than there are different statements.
const STATEMENTS: usize = 64;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Commits.
    Write,
    /// Reads only, but takes part in locking, and tidies up when it is the last to leave.
    Read,
    /// Reads what it must not write, with the help of a writer's files.
    Guest,
    /// Reads a file that nobody changes, and locks nothing. The caller sees to it that nobody does.
    Immutable,
}

/// How commits are made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    /// A log that is written first: one sync per commit, and readers do not wait.
    Log,
    /// A copy of what is overwritten, for places where processes share no memory.
    Rollback,
}

impl Journal {
    /// What suits the file system that `path` is on.
    pub(super) fn at(path: &Path) -> Self {
        if file::on_network(path) { Self::Rollback } else { Self::Log }
    }

    /// The least of `synchronous` with which nothing acknowledged is lost: FULL and EXTRA.
    fn synchronous(self) -> i64 {
        match self {
            Self::Log => 2,
            Self::Rollback => 3,
        }
    }
}

/// All that is needed to open a file again.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    /// Its directory without symbolic links in it.
    pub(super) path: PathBuf,
    pub(super) format: &'static Format,
    pub(super) journal: Journal,
    /// How many pages it may grow to.
    pub(super) page_limit: Option<u32>,
}

impl Opening {
    /// A connection with every setting asserted, to a file of the right format.
    pub(super) fn connect(&self, mode: Mode) -> Result<Connection, Error> {
        let connection = self.raw(mode)?;
        if self.journal == Journal::Rollback && matches!(mode, Mode::Write | Mode::Read) {
            self.alone(&connection)?;
        }
        let age = self.format.age(&self.path, &connection)?;
        if mode == Mode::Immutable || mode == Mode::Guest {
            return match age {
                Age::Current => Ok(connection),
                Age::Old => Err(Error::ReadOnly(format!(
                    "{} was written by an older release: open it once where it can be written",
                    self.path.display()
                ))),
            };
        }
        self.settle_journal(&connection)?;
        if age == Age::Old {
            self.format.migrate(&connection, |_| Ok(())).map_err(|e| self.failed(&e))?;
        }
        if mode == Mode::Read {
            self.set(&connection, "query_only", 1)?;
        }
        Ok(connection)
    }

    /// A connection to a file that has nothing in it yet, which `fill` changes.
    pub(super) fn begin(&self, fill: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<(), Error> {
        let connection = self.raw(Mode::Write)?;
        self.format.migrate(&connection, fill).map_err(|e| self.failed(&e))?;
        self.settle_journal(&connection)?;
        connection.close().map_err(|(_, e)| self.failed(&e))
    }

    pub(super) fn failed(&self, error: &rusqlite::Error) -> Error {
        failure::sqlite(&self.path, error)
    }

    fn raw(&self, mode: Mode) -> Result<Connection, Error> {
        let access = match mode {
            Mode::Write | Mode::Read => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Mode::Guest => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Mode::Immutable => OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
        };
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let path = file::beside(&self.path, suffix);
            regular::must_be_file_or_absent(&path).map_err(|e| failure::reading(&path, &e))?;
        }
        // A connection is used by one thread at a time, so SQLite need not lock it.
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let opened = match mode {
            Mode::Immutable => Connection::open_with_flags(immutable(&self.path), flags),
            _ => Connection::open_with_flags(&self.path, flags),
        };
        let connection = opened.map_err(|e| self.failed(&e))?;
        self.configure(&connection).map_err(|e| self.failed(&e))?;
        for (setting, value) in [("trusted_schema", 0), ("cell_size_check", 1), ("mmap_size", 0), ("secure_delete", 1)]
        {
            self.set(&connection, setting, value)?;
        }
        self.set(&connection, "synchronous", self.journal.synchronous())?;
        Ok(connection)
    }

    fn configure(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(WAIT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // A file from a stranger has only tables.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
        if let Some(pages) = self.page_limit {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        Ok(())
    }

    /// Sets, and reads back.
    fn set(&self, connection: &Connection, setting: &str, value: i64) -> Result<(), Error> {
        connection.pragma(None, setting, value, |_| Ok(())).map_err(|e| self.failed(&e))?;
        let read: Result<i64, _> = connection.pragma_query_value(None, setting, |row| row.get(0));
        match read {
            Ok(read) if read == value => Ok(()),
            Ok(read) => self.refused(setting, &read.to_string()),
            // SQLite built without memory mapping has no such setting, and that is what we want.
            Err(rusqlite::Error::QueryReturnedNoRows) if value == 0 => Ok(()),
            Err(e) => Err(self.failed(&e)),
        }
    }

    /// The log if it can be had; else the rollback journal, synced harder.
    fn settle_journal(&self, connection: &Connection) -> Result<(), Error> {
        let switch = |wanted| -> rusqlite::Result<String> {
            connection.pragma_update_and_check(None, "journal_mode", wanted, |row| row.get(0))
        };
        if self.journal == Journal::Log {
            match switch("wal") {
                Ok(mode) if mode == "wal" => return Ok(()),
                Err(e) if !lacks_shared_memory(&e) => return Err(self.failed(&e)),
                _ => {}
            }
        }
        self.alone(connection)?;
        let mode = switch("delete").map_err(|e| self.failed(&e))?;
        if mode != "delete" {
            return self.refused("journal_mode", &mode);
        }
        self.set(connection, "synchronous", Journal::Rollback.synchronous())?;
        connection.pragma(None, "locking_mode", "NORMAL", |_| Ok(())).map_err(|e| self.failed(&e))?;
        // The lock is given back at the end of the next read.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(|e| self.failed(&e))
    }

    /// Lets a file be read that has a log, where there is no memory to share: nobody else may have it then.
    fn alone(&self, connection: &Connection) -> Result<(), Error> {
        connection.pragma(None, "locking_mode", "EXCLUSIVE", |_| Ok(())).map_err(|e| self.failed(&e))
    }

    fn refused(&self, setting: &str, read: &str) -> Result<(), Error> {
        Err(Error::Failed(format!("{}: SQLite insists on {setting}={read}", self.path.display())))
    }
}

fn lacks_shared_memory(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|e| e.extended_code);
    matches!(code, Some(ffi::SQLITE_IOERR_SHMOPEN | ffi::SQLITE_IOERR_SHMMAP | ffi::SQLITE_IOERR_SHMLOCK))
}

/// The file's name with the one setting that only a URI can say.
fn immutable(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri + "?immutable=1"
}
