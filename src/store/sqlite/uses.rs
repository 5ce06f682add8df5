//! Uses of keys, in a file of their own in the state directory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::database::{Database, Verdict};
use super::directory::{self, Directory};
use super::file;
use super::patience::Patience;
use super::schema::USES;
use crate::{Error, NewUse, UseEntry, UseHead, UseLog, UseTotal};

/// How long to wait for others who write.
const PATIENCE: Duration = Duration::from_secs(3);

/// The uses of one token's keys.
pub(super) struct SqliteUses {
    directory: PathBuf,
    name: String,
    /// The file, once it was opened.
    open: Mutex<Option<Arc<Database>>>,
}

impl SqliteUses {
    /// Touches nothing.
    pub(super) fn new(directory: PathBuf, stem: &str) -> Self {
        Self { directory, name: format!("{stem}.uses"), open: Mutex::new(None) }
    }

    /// Removes it.
    pub(super) fn discard(&self) -> Result<(), Error> {
        *self.open.lock() = None;
        let Some(directory) = Directory::existing(&self.directory)? else { return Ok(()) };
        let path = directory.path().join(&self.name);
        ["", "-wal", "-shm", "-journal"].iter().try_for_each(|suffix| file::discard(&file::beside(&path, suffix)))
    }

    /// The file, if it is there.
    fn existing(&self) -> Result<Option<Arc<Database>>, Error> {
        let mut open = self.open.lock();
        if let Some(database) = &*open
            && database.in_place().is_ok()
        {
            return Ok(Some(Arc::clone(database)));
        }
        *open = match Directory::existing(&self.directory)? {
            Some(directory) => match Database::new(&directory.path().join(&self.name), &USES, None) {
                Ok(database) => Some(database),
                Err(Error::Missing) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        Ok(open.clone())
    }

    /// The file, made if it is not there.
    fn made(&self) -> Result<Arc<Database>, Error> {
        if let Some(database) = self.existing()? {
            return Ok(database);
        }
        let directory = Directory::made(&self.directory)?;
        {
            let _lock = directory.lock()?;
            // Another process may have been faster.
            if !file::exists(&directory.path().join(&self.name)) {
                directory::found(&directory, &self.name, &USES, |_| Ok(()))?;
            }
        }
        self.existing()?.ok_or(Error::Missing)
    }

    fn read<T: Default>(&self, read: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        self.existing()?.map_or_else(|| Ok(T::default()), |database| database.read(read))
    }
}

impl UseLog for SqliteUses {
    fn head(&self) -> Result<Option<UseHead>, Error> {
        self.read(head)
    }

    fn append(&self, after: u64, uses: &[NewUse], bytes: &[u8]) -> Result<(), Error> {
        let database = self.made()?;
        // Whoever uses a key waits for this.
        let patience = Patience::with_pauses(PATIENCE, Duration::from_micros(200), Duration::from_millis(10));
        database.write_within(patience, |connection| {
            let failed = |e: rusqlite::Error| database.failed(&e);
            match head(connection).map_err(failed) {
                Ok(head) if head.as_ref().map_or(0, |head| head.entries) != after => {
                    (Err(Error::Conflict), Verdict::Keep)
                }
                Ok(_) => match append(connection, after, uses, bytes).map_err(failed) {
                    Ok(()) => (Ok(()), Verdict::Keep),
                    Err(error) => (Err(error), Verdict::Drop),
                },
                Err(error) => (Err(error), Verdict::Drop),
            }
        })
    }

    fn entries(&self, after: u64, limit: usize) -> Result<Vec<UseEntry>, Error> {
        self.read(|connection| {
            let query = "SELECT number, key, text FROM entry WHERE number > ?1 ORDER BY number LIMIT ?2";
            let mut statement = connection.prepare_cached(query)?;
            statement.query_map(params![signed(after), signed(limit as u64)], entry)?.collect()
        })
    }

    fn of_key(&self, key: &str, limit: usize) -> Result<Vec<UseEntry>, Error> {
        self.read(|connection| {
            let query = "SELECT number, key, text FROM entry WHERE key = ?1 ORDER BY number DESC LIMIT ?2";
            let mut statement = connection.prepare_cached(query)?;
            statement.query_map(params![key, signed(limit as u64)], entry)?.collect()
        })
    }

    fn totals(&self, key: Option<&str>) -> Result<Vec<UseTotal>, Error> {
        self.read(|connection| {
            let query = "SELECT key, operation, mechanism, program, who, uses, first, last FROM total
                WHERE ?1 IS NULL OR key = ?1 ORDER BY key, last DESC";
            let mut statement = connection.prepare_cached(query)?;
            statement.query_map([key], total)?.collect()
        })
    }
}

fn head(connection: &Connection) -> rusqlite::Result<Option<UseHead>> {
    let query = "SELECT entries, bytes FROM head";
    let read = |row: &Row<'_>| Ok(UseHead { entries: unsigned(row.get(0)?), bytes: row.get(1)? });
    connection.query_row(query, [], read).optional()
}

fn append(connection: &Connection, after: u64, uses: &[NewUse], bytes: &[u8]) -> rusqlite::Result<()> {
    let mut entry = connection.prepare_cached("INSERT INTO entry (number, key, text) VALUES (?1, ?2, ?3)")?;
    let mut total = connection.prepare_cached(
        "INSERT INTO total (key, operation, mechanism, program, who, uses, first, last)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            ON CONFLICT DO UPDATE SET uses = uses + excluded.uses, first = min(first, excluded.first),
                last = max(last, excluded.last)",
    )?;
    let mut number = after;
    for new in uses {
        number = number.saturating_add(1);
        let UseTotal { key, operation, mechanism, program, who, uses, between: (first, last) } = &new.total;
        entry.execute(params![signed(number), key, new.text])?;
        let numbers = (signed(*uses), signed(*first), signed(*last));
        total.execute(params![key, operation, mechanism, program, who, numbers.0, numbers.1, numbers.2])?;
    }
    let query = "INSERT INTO head (only, entries, bytes) VALUES (1, ?1, ?2)
        ON CONFLICT DO UPDATE SET entries = excluded.entries, bytes = excluded.bytes";
    connection.prepare_cached(query)?.execute(params![signed(number), bytes]).map(drop)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<UseEntry> {
    Ok(UseEntry { number: unsigned(row.get(0)?), key: row.get(1)?, text: row.get(2)? })
}

fn total(row: &Row<'_>) -> rusqlite::Result<UseTotal> {
    Ok(UseTotal {
        key: row.get(0)?,
        operation: row.get(1)?,
        mechanism: row.get(2)?,
        program: row.get(3)?,
        who: row.get(4)?,
        uses: unsigned(row.get(5)?),
        between: (unsigned(row.get(6)?), unsigned(row.get(7)?)),
    })
}

/// SQLite counts up to 2^63; what is more is as good as that.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory that goes with the test.
    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("strongroom-uses-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn used(key: &str, operation: &str, at: u64) -> NewUse {
        let words = |word: &str| word.to_owned();
        let total = UseTotal {
            key: words(key),
            operation: words(operation),
            mechanism: words("CKM_SHA256_HMAC"),
            program: words("a program"),
            who: words("user"),
            uses: 2,
            between: (at, at + 1),
        };
        NewUse { text: format!("{key} {operation} {at}"), total }
    }

    #[test]
    fn uses_are_written_in_turn_and_found_by_key() {
        let directory = scratch("in-turn");
        let state = directory.join("state");
        let [one, other] = [(); 2].map(|()| SqliteUses::new(state.clone(), "0"));
        assert_eq!(one.head(), Ok(None));
        assert!(!state.exists(), "who only reads makes nothing");
        one.append(0, &[used("a", "sign", 10), used("b", "sign", 11)], b"first").unwrap();
        assert_eq!(other.append(0, &[used("a", "sign", 12)], b"late"), Err(Error::Conflict));
        other.append(2, &[used("a", "sign", 5), used("a", "verify", 13)], b"second").unwrap();
        assert_eq!(one.head(), Ok(Some(UseHead { entries: 4, bytes: b"second".to_vec() })));
        let numbers = |entries: Vec<UseEntry>| entries.iter().map(|entry| entry.number).collect::<Vec<_>>();
        assert_eq!(numbers(one.entries(1, 2).unwrap()), [2, 3]);
        assert_eq!(numbers(one.of_key("a", 2).unwrap()), [4, 3]);
        let totals = one.totals(Some("a")).unwrap();
        assert_eq!(totals.len(), 2);
        let signed = totals.iter().find(|total| total.operation == "sign").unwrap();
        assert_eq!((signed.uses, signed.between), (4, (5, 11)));
        assert_eq!(one.totals(None).unwrap().len(), 3);
        one.discard().unwrap();
        assert_eq!(other.head(), Ok(None));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_file_that_is_removed_is_made_anew_and_what_is_none_is_refused() {
        let directory = scratch("removed");
        let uses = SqliteUses::new(directory.clone(), "0");
        uses.append(0, &[used("a", "sign", 10)], b"first").unwrap();
        fs::remove_file(directory.join("0.uses")).unwrap();
        assert_eq!(uses.head(), Ok(None));
        uses.append(0, &[used("a", "sign", 10)], b"again").unwrap();
        assert_eq!(uses.head().unwrap().unwrap().entries, 1);
        fs::write(directory.join("1.uses"), "no database").unwrap();
        let none = SqliteUses::new(directory.clone(), "1");
        assert!(matches!(none.head(), Err(Error::Damaged(_))));
        assert!(matches!(none.append(0, &[], b""), Err(Error::Damaged(_))));
        fs::remove_dir_all(directory).unwrap();
    }
}
