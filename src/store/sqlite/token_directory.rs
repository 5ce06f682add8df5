use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::params;

use super::counters::FileCounters;
use super::directory::{self, Directory};
use super::schema::TOKEN;
use super::slots::{self, Slots, Stem};
use super::snapshot::Snapshot;
use super::store::SqliteStore;
use super::uses::SqliteUses;
use super::{failure, file};
use crate::regular;
use crate::{Counters, Error, Head, Present, Serial, SlotConflict, Store, TokenDirectory, TokenLocation, UseLog};

/// A directory of tokens.
pub struct SqliteTokenDirectory {
    directory: PathBuf,
    state_directory: PathBuf,
}

impl SqliteTokenDirectory {
    /// Says where the tokens are, and where what must be written even by readers is. Touches nothing.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, state_directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), state_directory: state_directory.into() }
    }

    /// The names of the token files.
    fn files(&self) -> Result<BTreeSet<Stem>, Error> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(e) => {
                return match failure::reading(&self.directory, &e) {
                    Error::Missing => Ok(BTreeSet::new()),
                    Error::Failed(why) => Err(Error::Unreadable(why)),
                    other => Err(other),
                };
            }
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| Stem::parse(name.strip_suffix(".token")?)).collect())
    }

    fn slots(&self) -> Result<Slots, Error> {
        let path = self.directory.join(slots::NAME);
        match regular::read(&path) {
            Ok(bytes) => Ok(Slots::parse(&String::from_utf8_lossy(&bytes))),
            Err(e) => match failure::reading(&path, &e) {
                Error::Missing => Ok(Slots::default()),
                Error::Failed(why) => Err(Error::Unreadable(why)),
                other => Err(other),
            },
        }
    }

    /// The name of a token's files without what comes after the last dot.
    fn stem(&self, location: &TokenLocation) -> Result<Stem, Error> {
        let files = self.files()?;
        match self.slots()?.locate(&files).remove(&location.slot) {
            Some(stem) if stem.serial == location.serial => return Ok(stem),
            _ => {}
        }
        // The slot may have been a temporary one. Of two copies nobody knows which one is meant.
        let mut same = files.into_iter().filter(|stem| stem.serial == location.serial);
        same.next().filter(|_| same.next().is_none()).ok_or(Error::Missing)
    }

    fn store(&self, location: &TokenLocation) -> Result<SqliteStore, Error> {
        let stem = self.stem(location)?;
        SqliteStore::new(&self.path(&format!("{stem}.token"))?, self.path(&format!("{stem}.seq"))?)
    }

    /// Where a file stands.
    fn location(&self, stem: &Stem) -> Result<TokenLocation, Error> {
        let placed = self.slots()?.locate(&self.files()?);
        let slot = placed.into_iter().find(|(_, other)| other == stem).map(|(slot, _)| slot).ok_or(Error::Missing)?;
        Ok(TokenLocation { slot, serial: stem.serial.clone() })
    }

    fn path(&self, name: &str) -> Result<PathBuf, Error> {
        let directory = Directory::existing(&self.directory)?.ok_or(Error::Missing)?;
        Ok(directory.path().join(name))
    }
}

impl TokenDirectory for SqliteTokenDirectory {
    fn tokens(&self) -> Result<Vec<TokenLocation>, Error> {
        let files = self.files()?;
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let placed = self.slots()?.locate(&files);
        Ok(placed.into_iter().map(|(slot, Stem { serial, .. })| TokenLocation { slot, serial }).collect())
    }

    fn free_slot(&self) -> Result<u32, Error> {
        Ok(self.slots()?.free(&self.files()?))
    }

    fn conflicts(&self) -> Result<Vec<SlotConflict>, Error> {
        Ok(self.slots()?.conflicts(&self.files()?))
    }

    fn open(&self, location: &TokenLocation) -> Result<Arc<dyn Store>, Error> {
        Ok(Arc::new(self.store(location)?))
    }

    fn create(&self, location: &TokenLocation, clear: Vec<u8>, sealed: Vec<u8>) -> Result<Arc<dyn Store>, Error> {
        let directory = Directory::made(&self.directory)?;
        let lock = directory.lock()?;
        let (files, mut slots, stem) = (self.files()?, self.slots()?, Stem::of(location));
        if location.slot != slots.free(&files) || files.iter().any(|file| file.serial == location.serial) {
            return Err(Error::Conflict);
        }
        if location.slot >= slots::TEMPORARY {
            return Err(Error::Full("every slot is taken".to_owned()));
        }
        // The number is used up first: if what follows fails, it is not given again.
        slots.settle(&files, Some(&stem));
        directory.replace(slots::NAME, slots.text().as_bytes())?;
        directory::found(&directory, &format!("{stem}.token"), &TOKEN, |connection| {
            let query = "INSERT INTO head (only, revision, clear, sealed) VALUES (1, 0, ?1, ?2)";
            connection.execute(query, params![clear, sealed]).map(|_| ())
        })?;
        // Of a token that had the same name once.
        SqliteUses::new(self.state_directory.clone(), &stem.to_string()).discard()?;
        drop(lock);
        self.open(location)
    }

    fn remove(&self, location: &TokenLocation) -> Result<(), Error> {
        let directory = Directory::existing(&self.directory)?.ok_or(Error::Missing)?;
        let _lock = directory.lock()?;
        let (files, mut slots, stem) = (self.files()?, self.slots()?, self.stem(location)?);
        slots.settle(&files, None);
        slots.forget(&stem);
        directory.replace(slots::NAME, slots.text().as_bytes())?;
        let token = directory.path().join(format!("{stem}.token"));
        for suffix in ["", "-wal", "-shm", "-journal"] {
            file::discard(&file::beside(&token, suffix))?;
        }
        file::discard(&directory.path().join(format!("{stem}.seq")))?;
        directory.sync()?;
        SqliteUses::new(self.state_directory.clone(), &stem.to_string()).discard()?;
        FileCounters::new(self.state_directory.clone(), stem.to_string()).discard()
    }

    fn snapshot(&self, location: &TokenLocation, to: &Path) -> Result<Head, Error> {
        self.store(location)?.snapshot(to)?;
        self.snapshot_head(to)
    }

    fn snapshot_head(&self, snapshot: &Path) -> Result<Head, Error> {
        Snapshot::open(snapshot)?.head().map_err(|e| failure::sqlite(snapshot, &e))
    }

    fn kept_counters(&self, serial: &Serial) -> Result<Option<Arc<dyn Counters>>, Error> {
        let stem = self.slots()?.known(serial).map(Stem::to_string);
        Ok(stem.map(|stem| Arc::new(FileCounters::new(self.state_directory.clone(), stem)) as Arc<dyn Counters>))
    }

    fn restore(&self, serial: &Serial, snapshot: &Path, present: Present) -> Result<TokenLocation, Error> {
        let snapshot = Snapshot::open(snapshot)?;
        let directory = Directory::made(&self.directory)?;
        let lock = directory.lock()?;
        let (files, mut slots) = (self.files()?, self.slots()?);
        let there: Vec<&Stem> = files.iter().filter(|stem| stem.serial == *serial).collect();
        let stem = match (&*there, present) {
            ([], Present::Absent) => {
                let slot = slots.free(&files);
                let stem = slots.known(serial).cloned().unwrap_or(Stem { slot, serial: serial.clone() });
                if stem.slot >= slots::TEMPORARY {
                    return Err(Error::Full("every slot is taken".to_owned()));
                }
                let new = slots.known(serial).is_none().then_some(&stem);
                slots.settle(&files, new);
                directory.replace(slots::NAME, slots.text().as_bytes())?;
                stem
            }
            ([stem], Present::Damaged) => (*stem).clone(),
            ([stem], Present::At(base)) => {
                // Whoever makes or removes files need not wait; the commit looks itself at what is there.
                drop(lock);
                let store =
                    SqliteStore::new(&self.path(&format!("{stem}.token"))?, self.path(&format!("{stem}.seq"))?)?;
                store.replace(&snapshot, base)?;
                return self.location(stem);
            }
            _ => return Err(Error::Conflict),
        };
        directory::found(&directory, &format!("{stem}.token"), &TOKEN, |connection| snapshot.pour(connection))?;
        drop(lock);
        self.location(&stem)
    }

    fn uses(&self, location: &TokenLocation) -> Result<Arc<dyn UseLog>, Error> {
        Ok(Arc::new(SqliteUses::new(self.state_directory.clone(), &self.stem(location)?.to_string())))
    }

    fn counters(&self, location: &TokenLocation) -> Result<Arc<dyn Counters>, Error> {
        Ok(Arc::new(FileCounters::new(self.state_directory.clone(), self.stem(location)?.to_string())))
    }
}
