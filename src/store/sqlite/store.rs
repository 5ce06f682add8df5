//! The records of one token in one file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter, types::Value};

use super::change_page::ChangePage;
use super::database::{Access, Database, Verdict};
use super::schema::TOKEN;
use super::snapshot::{self, Snapshot};
use crate::{
    Change, ChangeCounter, Error, Head, IndexTerm, LogEntry, Record, RecordDigest, RecordId, Revision, Scope, Store,
    log_ends_elsewhere,
};

/// A token file.
pub(super) struct SqliteStore {
    database: Arc<Database>,
    change_page: ChangePage,
    /// What the last commit made here, and how it left the counter of the head.
    last_commit: Mutex<Option<(Revision, ChangeCounter)>>,
}

impl SqliteStore {
    pub(super) fn new(path: &Path, change_page: PathBuf) -> Result<Self, Error> {
        let database = Database::new(path, &TOKEN, None)?;
        let change_page = ChangePage::new(change_page, database.owner());
        Ok(Self { database, change_page, last_commit: Mutex::new(None) })
    }

    /// The same for a file that may grow to so many pages only: a disk that is full.
    #[cfg(test)]
    pub(super) fn limited(path: &Path, change_page: PathBuf, pages: u32) -> Result<Self, Error> {
        let database = Database::new(path, &TOKEN, Some(pages))?;
        let change_page = ChangePage::new(change_page, database.owner());
        Ok(Self { database, change_page, last_commit: Mutex::new(None) })
    }

    fn revision(&self) -> Result<Revision, Error> {
        self.database.read(|connection| {
            connection
                .prepare_cached("SELECT revision FROM head")?
                .query_row([], |row| Ok(Revision(unsigned(row.get(0)?))))
        })
    }

    fn transact(
        &self,
        connection: &Connection,
        base: Revision,
        head: (&[u8], &[u8]),
        changes: &[Change],
    ) -> Result<Revision, Error> {
        let failed = |error: &rusqlite::Error| self.database.failed(error);
        let now: i64 = connection
            .prepare_cached("SELECT revision FROM head")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(|e| failed(&e))?;
        if Revision(unsigned(now)) != base {
            return Err(Error::Conflict);
        }
        let revision = Revision(base.0.saturating_add(1));
        for change in changes {
            let done = match change {
                Change::Put(record, terms) => put(connection, record, terms).map(|()| true),
                Change::Remove(id) => remove(connection, *id),
                Change::EmptyLog => {
                    connection.prepare_cached("DELETE FROM log").and_then(|mut all| all.execute([])).map(|_| true)
                }
                Change::Append(number, entry) => match append(connection, *number, entry) {
                    Ok(false) => return Err(log_ends_elsewhere(*number)),
                    done => done,
                },
            };
            if !done.map_err(|e| failed(&e))? {
                return Err(Error::Conflict);
            }
        }
        let (clear, sealed) = head;
        connection
            .prepare_cached("UPDATE head SET revision = ?1, clear = ?2, sealed = ?3")
            .and_then(|mut statement| statement.execute(params![signed(revision.0), clear, sealed]))
            .map_err(|e| failed(&e))?;
        let commit = || connection.execute_batch("COMMIT").map_err(|e| failed(&e));
        let counter = self.change_page.counted(changes, commit)?;
        *self.last_commit.lock() = counter.map(|counter| (revision, counter));
        Ok(revision)
    }
}

/// A token as a whole.
impl SqliteStore {
    /// Writes what it is at one moment into a new file.
    pub(super) fn snapshot(&self, to: &Path) -> Result<(), Error> {
        snapshot::take(&self.database, to)
    }

    /// Puts a snapshot in the place of everything, in one commit, if it is still at `base`.
    pub(super) fn replace(&self, from: &Snapshot, base: Revision) -> Result<(), Error> {
        self.database.write(|connection| {
            let failed = |error: &rusqlite::Error| self.database.failed(error);
            let outcome = connection
                .query_row("SELECT revision FROM head", [], |row| row.get(0))
                .map_err(|e| failed(&e))
                .and_then(|now| if Revision(unsigned(now)) == base { Ok(()) } else { Err(Error::Conflict) })
                .and_then(|()| from.pour(connection).map_err(|e| failed(&e)))
                .and_then(|()| {
                    let commit = || connection.execute_batch("COMMIT").map_err(|e| failed(&e));
                    self.change_page.counted_whole(commit)
                });
            *self.last_commit.lock() = None;
            let verdict = match outcome {
                Ok(()) | Err(Error::Conflict | Error::Busy) => Verdict::Keep,
                Err(_) => Verdict::Drop,
            };
            (outcome, verdict)
        })
    }
}

fn put(connection: &Connection, record: &Record, terms: &[IndexTerm]) -> rusqlite::Result<()> {
    remove(connection, record.id)?;
    let Record { id, version, clear, sealed, tag } = record;
    let kept: Vec<u8> = terms.iter().flat_map(|term| term.0).collect();
    let mut statement = connection.prepare_cached("INSERT INTO body (terms, clear, sealed) VALUES (?1, ?2, ?3)")?;
    let body = statement.insert(params![kept, clear, sealed])?;
    connection
        .prepare_cached("INSERT INTO record (id, version, tag, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id.0, signed(version.0), tag, body])?;
    let mut statement = connection.prepare_cached("INSERT OR IGNORE INTO term (term, record) VALUES (?1, ?2)")?;
    for term in terms {
        statement.execute(params![term.0, id.0])?;
    }
    Ok(())
}

/// Whether the number is the one that follows.
fn append(connection: &Connection, number: u64, entry: &[u8]) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO log (number, entry) SELECT ?1, ?2 WHERE ?1 = 1 + (SELECT coalesce(max(number), 0) FROM log)",
    )?;
    Ok(statement.execute(params![signed(number), entry])? == 1)
}

/// Whether there was something to remove.
fn remove(connection: &Connection, id: RecordId) -> rusqlite::Result<bool> {
    let body: Option<i64> = connection
        .prepare_cached("SELECT body FROM record WHERE id = ?1")?
        .query_row(params![id.0], |row| row.get(0))
        .optional()?;
    let Some(body) = body else { return Ok(false) };
    let terms: Vec<u8> = connection
        .prepare_cached("SELECT terms FROM body WHERE number = ?1")?
        .query_row(params![body], |row| row.get(0))
        .optional()?
        .unwrap_or_default();
    let mut statement = connection.prepare_cached("DELETE FROM term WHERE term = ?1 AND record = ?2")?;
    for term in terms.chunks_exact(16) {
        statement.execute(params![term, id.0])?;
    }
    connection.prepare_cached("DELETE FROM body WHERE number = ?1")?.execute(params![body])?;
    connection.prepare_cached("DELETE FROM record WHERE id = ?1")?.execute(params![id.0])?;
    Ok(true)
}

impl Store for SqliteStore {
    fn head(&self) -> Result<Head, Error> {
        self.database.read(|connection| {
            connection.prepare_cached("SELECT revision, clear, sealed FROM head")?.query_row([], |row| {
                Ok(Head { revision: Revision(unsigned(row.get(0)?)), clear: row.get(1)?, sealed: row.get(2)? })
            })
        })
    }

    fn read(&self, id: RecordId) -> Result<Option<Record>, Error> {
        self.database.read(|connection| {
            let mut statement = connection.prepare_cached(
                // A record without a body is damaged, not gone: then `sealed` is null, which is no value of it.
                "SELECT version, tag, clear, sealed FROM record LEFT JOIN body ON number = body WHERE id = ?1",
            )?;
            let read = statement.query_row(params![id.0], |row| {
                let version = Revision(unsigned(row.get(0)?));
                Ok(Record { id, version, tag: row.get(1)?, clear: row.get(2)?, sealed: row.get(3)? })
            });
            read.optional()
        })
    }

    fn find(&self, terms: &[IndexTerm], after: Option<RecordId>, limit: usize) -> Result<Vec<RecordId>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = after.map(|id| id.0.to_vec()).unwrap_or_default();
        let query = match terms.split_first() {
            None => "SELECT id FROM record WHERE id > ?1 ORDER BY id LIMIT ?2".to_owned(),
            Some((_, others)) => {
                let conditions: String = (4..4 + others.len())
                    .map(|n| format!(" AND EXISTS (SELECT 1 FROM term o WHERE o.term = ?{n} AND o.record = t.record)"))
                    .collect();
                format!(
                    "SELECT t.record FROM term t WHERE t.term = ?3 AND t.record > ?1{conditions} ORDER BY t.record LIMIT ?2"
                )
            }
        };
        let given: Vec<Value> = [Value::Blob(after), Value::Integer(limit)]
            .into_iter()
            .chain(terms.iter().map(|term| Value::Blob(term.0.to_vec())))
            .collect();
        self.database.read(|connection| {
            let mut statement = connection.prepare_cached(&query)?;
            let rows = statement.query_map(params_from_iter(given.iter()), |row| Ok(RecordId(row.get(0)?)))?;
            rows.collect()
        })
    }

    fn digests(&self, first_byte: u8) -> Result<Vec<RecordDigest>, Error> {
        // Names have 16 bytes, so this is behind the last of them.
        let last = [[first_byte].as_slice(), &[0xff; 16]].concat();
        self.database.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT id, version, tag FROM record WHERE id >= ?1 AND id <= ?2 ORDER BY id")?;
            let rows = statement.query_map(params![[first_byte], last], |row| {
                Ok(RecordDigest {
                    id: RecordId(row.get(0)?),
                    version: Revision(unsigned(row.get(1)?)),
                    tag: row.get(2)?,
                })
            })?;
            rows.collect()
        })
    }

    fn log(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.database.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT number, entry FROM log WHERE number > ?1 ORDER BY number LIMIT ?2")?;
            let rows =
                statement.query_map(params![signed(after), limit], |row| Ok((unsigned(row.get(0)?), row.get(1)?)))?;
            rows.collect()
        })
    }

    fn commit(&self, base: Revision, clear: Vec<u8>, sealed: Vec<u8>, changes: Vec<Change>) -> Result<Revision, Error> {
        self.database.write(|connection| {
            let outcome = self.transact(connection, base, (&clear, &sealed), &changes);
            let verdict = match outcome {
                Ok(_) | Err(Error::Conflict | Error::Busy) => Verdict::Keep,
                Err(_) => Verdict::Drop,
            };
            (outcome, verdict)
        })
    }

    fn counter_after(&self, revision: Revision) -> Option<ChangeCounter> {
        let last = *self.last_commit.lock();
        last.filter(|(made, _)| *made == revision).map(|(_, counter)| counter)
    }

    fn change_counter(&self, scope: Scope) -> Result<ChangeCounter, Error> {
        let look_around = || self.database.in_place().map(drop);
        let looked = match self.database.access() {
            Access::ReadWrite => self.change_page.look(scope, look_around)?,
            Access::ReadOnly => None,
        };
        match looked {
            Some(counter) => Ok(counter),
            None => Ok(ChangeCounter::revision(self.revision()?)),
        }
    }

    fn millis(&self) -> u64 {
        self.change_page.last_seen()
    }

    fn writable(&self) -> bool {
        self.database.access() == Access::ReadWrite
    }
}

/// SQLite counts up to 2^63, and no store is committed to as often.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
