use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::params;

use super::counters::FileCounters;
use super::directory::{self, Directory};
use super::schema::TOKEN;
use super::store::SqliteStore;
use super::{failure, file};
use crate::{Counters, Error, Serial, Store, TokenDirectory, TokenLocation};

/// A directory of tokens.
pub struct SqliteTokenDirectory {
    directory: PathBuf,
    state_directory: PathBuf,
}

/// The file that remembers which slots were given.
const NEXT_SLOT: &str = "next-slot";

/// Where tokens are listed whose slot another one has: somebody copied a file from elsewhere. Far from
/// where slots are given.
const DOUBLES: u32 = 0x4000_0000;

impl SqliteTokenDirectory {
    /// Says where the tokens are, and where what must be written even by readers is. Touches nothing.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, state_directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), state_directory: state_directory.into() }
    }

    /// The token files, by slot and serial as their names say.
    fn files(&self) -> Result<BTreeSet<TokenLocation>, Error> {
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
        Ok(names.filter_map(|name| place_of(&name)).collect())
    }

    /// The name of a token's files without what comes after the last dot.
    fn stem(&self, serial: &Serial) -> Result<String, Error> {
        let file = self.files()?.into_iter().find(|file| file.serial == *serial).ok_or(Error::Missing)?;
        Ok(stem(&file))
    }

    fn path(&self, name: &str) -> Result<PathBuf, Error> {
        let directory = Directory::existing(&self.directory)?.ok_or(Error::Missing)?;
        Ok(directory.path().join(name))
    }

    fn remembered(&self) -> u32 {
        let text = fs::read_to_string(self.directory.join(NEXT_SLOT)).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }
}

impl TokenDirectory for SqliteTokenDirectory {
    fn tokens(&self) -> Result<Vec<TokenLocation>, Error> {
        let mut given = BTreeSet::new();
        let mut double = DOUBLES;
        let mut places: Vec<_> = self
            .files()?
            .into_iter()
            .map(|TokenLocation { slot, serial }| {
                if given.insert(slot) {
                    return TokenLocation { slot, serial };
                }
                double = double.saturating_add(1);
                TokenLocation { slot: double, serial }
            })
            .collect();
        places.sort();
        Ok(places)
    }

    fn free_slot(&self) -> Result<u32, Error> {
        let highest = self.files()?.last().map_or(0, |last| last.slot.saturating_add(1));
        Ok(self.remembered().max(highest))
    }

    fn open(&self, location: &TokenLocation) -> Result<Arc<dyn Store>, Error> {
        let stem = self.stem(&location.serial)?;
        let store = SqliteStore::new(&self.path(&format!("{stem}.token"))?, self.path(&format!("{stem}.seq"))?)?;
        Ok(Arc::new(store))
    }

    fn create(&self, location: &TokenLocation, clear: Vec<u8>, sealed: Vec<u8>) -> Result<Arc<dyn Store>, Error> {
        let directory = Directory::made(&self.directory)?;
        let lock = directory.lock()?;
        if location.slot != self.free_slot()? || self.stem(&location.serial).is_ok() {
            return Err(Error::Conflict);
        }
        // The number is used up first: if what follows fails, it is not given again.
        directory.replace(NEXT_SLOT, format!("{}\n", location.slot.saturating_add(1)).as_bytes())?;
        directory::found(&directory, &format!("{}.token", stem(location)), &TOKEN, |connection| {
            let query = "INSERT INTO head (only, revision, clear, sealed) VALUES (1, 0, ?1, ?2)";
            connection.execute(query, params![clear, sealed]).map(|_| ())
        })?;
        drop(lock);
        self.open(location)
    }

    fn remove(&self, location: &TokenLocation) -> Result<(), Error> {
        let stem = self.stem(&location.serial)?;
        let directory = Directory::existing(&self.directory)?.ok_or(Error::Missing)?;
        let _lock = directory.lock()?;
        let next = self.free_slot()?;
        directory.replace(NEXT_SLOT, format!("{next}\n").as_bytes())?;
        let token = directory.path().join(format!("{stem}.token"));
        for suffix in ["", "-wal", "-shm", "-journal"] {
            file::discard(&file::beside(&token, suffix))?;
        }
        file::discard(&directory.path().join(format!("{stem}.seq")))?;
        directory.sync()?;
        FileCounters::new(self.state_directory.clone(), stem).discard()
    }

    fn counters(&self, location: &TokenLocation) -> Result<Arc<dyn Counters>, Error> {
        Ok(Arc::new(FileCounters::new(self.state_directory.clone(), self.stem(&location.serial)?)))
    }
}

fn stem(location: &TokenLocation) -> String {
    format!("{}.{}", location.serial.as_str(), location.slot)
}

/// What a file name says, if it is a token's.
fn place_of(name: &str) -> Option<TokenLocation> {
    let (serial, slot) = name.strip_suffix(".token")?.split_once('.')?;
    let location = TokenLocation { serial: Serial::new(serial)?, slot: slot.parse().ok()? };
    // Written in one way only: no sign, no zeros in front.
    (location.slot.to_string() == slot).then_some(location)
}
