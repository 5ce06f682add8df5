//! A file with the connections to it: a few that read, one that writes, each made when it is first needed.

use std::fs::{self, Metadata};
use std::path::Path;
use std::sync::{Arc, Condvar};

use parking_lot::Mutex;
use rusqlite::Connection;

use super::connection::{Journal, Mode, Opening};
use super::file::{self, Fingerprint, Identity, Owner};
use super::patience::Patience;
use super::schema::Format;
use super::{failure, fork_guard};
use crate::Error;

/// More readers would wait for the disk, not for each other.
const READERS: usize = 4;

/// How often a read starts over because the file changed under it.
const ATTEMPTS: usize = 8;

/// What may be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It is ours to write.
    ReadWrite,
    /// Others may write it, we may not.
    ReadOnly,
}

/// An open file. Needs no closing: SQLite's files are whole at any moment.
#[derive(Debug)]
pub(super) struct Database {
    opening: Opening,
    access: Access,
    identity: Identity,
    owner: Owner,
    connections: Arc<Connections>,
    reader_freed: Condvar,
    writer_freed: Condvar,
}

/// The connections to one file. The locks are taken inside the gate of `fork_guard` only, so that no fork finds
/// them held.
#[derive(Debug, Default)]
pub(super) struct Connections {
    readers: Mutex<Readers>,
    writer: Mutex<Option<Connection>>,
}

impl Connections {
    /// Closes all of them. Nobody may be using one.
    pub(super) fn close(&self) {
        *self.writer.lock() = None;
        self.forget_readers();
    }

    fn forget_readers(&self) {
        let mut readers = self.readers.lock();
        readers.epoch += 1;
        readers.idle.clear();
    }
}

#[derive(Debug, Default)]
struct Readers {
    idle: Vec<Reader>,
    lent: usize,
    /// Those from an earlier one are not taken back.
    epoch: u64,
}

#[derive(Debug)]
struct Reader {
    connection: Connection,
    epoch: u64,
    /// How the file looked before it was opened as one that nobody changes.
    frozen: Option<Fingerprint>,
}

/// What becomes of the writing connection after use.
pub(super) enum Verdict {
    /// It is as good as before.
    Keep,
    /// Nobody knows what it thinks: all connections are closed, and the file is read again.
    Drop,
}

impl Readers {
    /// A reader, or leave to open one.
    #[allow(clippy::option_option)]
    fn lend(&mut self) -> Option<Option<Reader>> {
        let idle = self.idle.pop();
        if idle.is_none() && self.lent >= READERS {
            return None;
        }
        self.lent += 1;
        Some(idle)
    }
}

impl Drop for Database {
    /// To close a connection is to be inside SQLite.
    fn drop(&mut self) {
        let _entered = fork_guard::enter();
        self.connections.close();
        fork_guard::forget(&self.connections);
    }
}

impl Database {
    /// Looks at the file, but opens it only when it is read: a first read is what tells whether it is sound.
    pub(super) fn new(path: &Path, format: &'static Format, page_limit: Option<u32>) -> Result<Arc<Self>, Error> {
        let metadata = file::inspect(path)?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let access =
            if file::may_write(path) && file::may_write(directory) { Access::ReadWrite } else { Access::ReadOnly };
        let opening = Opening { path: path.to_owned(), format, journal: Journal::at(path), page_limit };
        let database = Arc::new(Self {
            opening,
            access,
            identity: Identity::of(&metadata),
            owner: Owner::of(&metadata),
            connections: Arc::default(),
            reader_freed: Condvar::new(),
            writer_freed: Condvar::new(),
        });
        fork_guard::register(&database.connections);
        Ok(database)
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }

    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// Whether the name still stands for the file that was opened.
    pub(super) fn in_place(&self) -> Result<Metadata, Error> {
        let path = &self.opening.path;
        let metadata = fs::symlink_metadata(path).map_err(|e| failure::reading(path, &e))?;
        if Identity::of(&metadata) != self.identity {
            return Err(Error::Damaged(format!("{} was replaced while it was open", path.display())));
        }
        Ok(metadata)
    }

    /// Reads with one of a few connections. What `read` does is repeated if the file changed meanwhile, and if
    /// somebody else has it locked.
    pub(super) fn read<T>(&self, read: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let mut patience = Patience::new();
        let mut attempts = 0;
        loop {
            match self.read_once(&patience, &read) {
                Ok(Some(value)) => return Ok(value),
                Ok(None) if attempts < ATTEMPTS => attempts += 1,
                Ok(None) => return Err(Error::Busy),
                Err(Error::Busy) if patience.pause() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Works with the connection that writes, of which there is one, in a transaction that has the write lock. The
    /// transaction is committed if `write` succeeds and says [`Verdict::Keep`], unless it has done so itself;
    /// else it is undone.
    pub(super) fn write<T>(&self, write: impl FnOnce(&Connection) -> (Result<T, Error>, Verdict)) -> Result<T, Error> {
        self.write_within(Patience::new(), write)
    }

    /// The same, with another patience with those who have the file.
    pub(super) fn write_within<T>(
        &self,
        mut patience: Patience,
        write: impl FnOnce(&Connection) -> (Result<T, Error>, Verdict),
    ) -> Result<T, Error> {
        if self.access == Access::ReadOnly {
            return Err(Error::ReadOnly(self.opening.path.display().to_string()));
        }
        loop {
            let take = || self.connections.writer.try_lock();
            let (_entered, mut writer) =
                fork_guard::enter_with(&self.writer_freed, patience.deadline(), take).ok_or(Error::Busy)?;
            match self.begin(&mut writer) {
                Ok(connection) => return self.finish(&mut writer, connection, write),
                Err(Error::Busy) => {}
                Err(error) => return Err(error),
            }
            drop((writer, _entered));
            if !patience.pause() {
                return Err(Error::Busy);
            }
        }
    }

    /// A failure of SQLite in this file.
    pub(super) fn failed(&self, error: &rusqlite::Error) -> Error {
        self.opening.failed(error)
    }

    /// `None` if the file changed under the reader.
    fn read_once<T>(
        &self,
        patience: &Patience,
        read: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let take = || self.connections.readers.lock().lend();
        let (_entered, idle) =
            fork_guard::enter_with(&self.reader_freed, patience.deadline(), take).ok_or(Error::Busy)?;
        let reader = self.freshen(idle)?;
        let result = read(&reader.connection).map_err(|e| self.opening.failed(&e));
        let steady = match reader.frozen {
            None => Ok(true),
            Some(_) => self.frozen().map(|frozen| frozen == reader.frozen),
        };
        let sound = matches!(steady, Ok(true)) && matches!(result, Ok(_) | Err(Error::Busy));
        self.take_back(sound.then_some(reader));
        if steady? { result.map(Some) } else { Ok(None) }
    }

    /// The writing connection with a transaction begun.
    fn begin(&self, writer: &mut Option<Connection>) -> Result<Connection, Error> {
        self.in_place()?;
        let connection = match writer.take() {
            Some(connection) => connection,
            None => self.opening.connect(Mode::Write)?,
        };
        // With a log this locks out writers only. Without one it locks out readers too: now, not at the end,
        // where the transaction would have to wait for them.
        match connection.execute_batch("BEGIN EXCLUSIVE").map_err(|e| self.failed(&e)) {
            Ok(()) => Ok(connection),
            Err(error) => {
                if error == Error::Busy {
                    *writer = Some(connection);
                }
                Err(error)
            }
        }
    }

    fn finish<T>(
        &self,
        writer: &mut Option<Connection>,
        connection: Connection,
        write: impl FnOnce(&Connection) -> (Result<T, Error>, Verdict),
    ) -> Result<T, Error> {
        let (mut result, mut verdict) = write(&connection);
        if result.is_ok()
            && matches!(verdict, Verdict::Keep)
            && !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("COMMIT")
        {
            (result, verdict) = (Err(self.failed(&error)), Verdict::Drop);
        }
        let clean = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        match verdict {
            Verdict::Keep if clean => *writer = Some(connection),
            _ => {
                drop(connection);
                self.connections.forget_readers();
            }
        }
        result
    }

    /// The reader that was lent if it is still good, or a new one in its place.
    fn freshen(&self, idle: Option<Reader>) -> Result<Reader, Error> {
        let Some(reader) = idle else { return self.replace() };
        let fresh = self.in_place().and_then(|_| Ok(reader.frozen.is_none() || self.frozen()? == reader.frozen));
        match fresh {
            Ok(true) => Ok(reader),
            Ok(false) => self.replace(),
            Err(error) => {
                self.take_back(None);
                Err(error)
            }
        }
    }

    /// A new reader in a place that was counted already.
    fn replace(&self) -> Result<Reader, Error> {
        let epoch = self.connections.readers.lock().epoch;
        let opened = self.connect().map(|(connection, frozen)| Reader { connection, epoch, frozen });
        if opened.is_err() {
            self.take_back(None);
        }
        opened
    }

    fn take_back(&self, reader: Option<Reader>) {
        let mut readers = self.connections.readers.lock();
        readers.lent = readers.lent.saturating_sub(1);
        let epoch = readers.epoch;
        readers.idle.extend(reader.filter(|reader| reader.epoch == epoch));
    }

    fn connect(&self) -> Result<(Connection, Option<Fingerprint>), Error> {
        self.in_place()?;
        if self.access == Access::ReadWrite {
            let connection = self.opening.connect(Mode::Read)?;
            // Between the two looks nobody has put another file there.
            self.in_place()?;
            return Ok((connection, None));
        }
        if let Some(frozen) = self.frozen()? {
            return Ok((self.opening.connect(Mode::Immutable)?, Some(frozen)));
        }
        match self.opening.connect(Mode::Guest) {
            Ok(connection) => Ok((connection, None)),
            Err(Error::Unreadable(why) | Error::ReadOnly(why)) => Err(Error::Unreadable(format!(
                "{why} (a writer has left a log beside it: open it once where it can be written)"
            ))),
            Err(error) => Err(error),
        }
    }

    /// How the file looks, if no writer has left or keeps anything beside it: then it is all there is.
    fn frozen(&self) -> Result<Option<Fingerprint>, Error> {
        let path = &self.opening.path;
        let metadata = self.in_place()?;
        let log = fs::symlink_metadata(file::beside(path, "-wal"));
        // An empty log has nothing to say, unless somebody is about to fill it.
        let alive = file::exists(&file::beside(path, "-shm")) || file::exists(&file::beside(path, "-journal"));
        let quiet = match log {
            Ok(log) => log.len() == 0 && !alive,
            Err(_) => !alive,
        };
        Ok(quiet.then(|| Fingerprint::of(&metadata)))
    }
}
