//! Counts and notes in small files of their own, which those may write who may not write the token.
//!
//! A count has one line: the count, twice, in decimal digits. Anything else in it is damage.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use once_cell::sync::OnceCell;
use parking_lot::Mutex;

use super::directory::Directory;
use super::failure;
use super::held_file::HeldFile;
use super::patience::Patience;
use crate::regular::{self, Links};
use crate::{Counters, Durability, Error, Turn};

/// The counts of one token.
pub(super) struct FileCounters {
    path: PathBuf,
    /// The directory, once it was there.
    directory: OnceCell<Directory>,
    stem: String,
    /// The note that was written last: each commit writes it.
    open_note: Mutex<Option<OpenNote>>,
}

/// A note whose file is kept open.
struct OpenNote {
    name: String,
    path: PathBuf,
    file: File,
}

/// Neither a count nor a note has more bytes than this.
const MOST_BYTES: u64 = 4096;

/// The first and the longest pause before a turn is asked for again.
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

impl FileCounters {
    pub(super) fn new(path: PathBuf, stem: String) -> Self {
        Self { path, directory: OnceCell::new(), stem, open_note: Mutex::new(None) }
    }

    /// The directory, if it is there.
    fn existing(&self) -> Result<Option<&Directory>, Error> {
        if let Some(known) = self.directory.get() {
            return Ok(Some(known));
        }
        let Some(directory) = Directory::existing(&self.path)? else { return Ok(None) };
        Ok(Some(self.directory.get_or_init(|| directory)))
    }

    /// The directory, made if it is not there.
    fn made(&self) -> Result<&Directory, Error> {
        self.directory.get_or_try_init(|| Directory::made(&self.path))
    }

    /// Does something in the directory, made again if somebody has removed it since.
    fn within<T>(&self, act: impl Fn(&Directory) -> Result<T, Error>) -> Result<T, Error> {
        let directory = self.made()?;
        match act(directory) {
            Err(Error::Missing) => {
                Directory::made(&self.path)?;
                act(directory)
            }
            done => done,
        }
    }

    fn file_name(&self, name: &str) -> String {
        format!("{}.{name}.count", self.stem)
    }

    fn note_name(&self, name: &str) -> String {
        format!("{}.{name}.note", self.stem)
    }

    /// What is in a file; `None` if it is not there.
    fn contents(&self, file_name: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(directory) = self.existing()? else { return Ok(None) };
        match read(&directory.path().join(file_name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Missing) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Removes the files of a token.
    pub(super) fn discard(&self) -> Result<(), Error> {
        let Some(directory) = self.existing()? else { return Ok(()) };
        let entries = fs::read_dir(directory.path()).map_err(|e| failure::reading(directory.path(), &e))?;
        let ours = |name: &str| {
            let rest = name.strip_prefix(&self.stem).and_then(|rest| rest.strip_prefix('.'));
            rest.is_some_and(|rest| [".count", ".note", ".turn"].iter().any(|suffix| rest.ends_with(suffix)))
        };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(ours) {
                super::file::discard(&entry.path())?;
            }
        }
        Ok(())
    }
}

impl Counters for FileCounters {
    fn count(&self, name: &str) -> Result<Option<u64>, Error> {
        Ok(self.contents(&self.file_name(name))?.and_then(|bytes| parse(&bytes)))
    }

    fn set(&self, name: &str, count: u64, durability: Durability) -> Result<(), Error> {
        self.within(|directory| {
            let file_name = self.file_name(name);
            directory.overwrite(&file_name, format!("{count} {count}\n").as_bytes(), durability)?;
            let path = directory.path().join(file_name);
            match parse(&read(&path)?) {
                Some(written) if written == count => Ok(()),
                _ => Err(Error::Failed(format!("{}: it was not written as it should be", path.display()))),
            }
        })
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.contents(&self.note_name(name))
    }

    fn set_note(&self, name: &str, bytes: &[u8], durability: Durability) -> Result<(), Error> {
        self.within(|directory| self.write_note(directory, name, bytes, durability))
    }

    fn turn(&self, name: &str, patience: Duration) -> Result<Turn, Error> {
        self.within(|directory| self.take_turn(directory, name, patience))
    }
}

impl FileCounters {
    fn write_note(&self, directory: &Directory, name: &str, bytes: &[u8], durability: Durability) -> Result<(), Error> {
        let mut open = self.open_note.lock();
        if let Some(OpenNote { path, file, .. }) = open.as_ref().filter(|note| note.name == name) {
            match directory.write_in_place(path, file, bytes, durability) {
                // Somebody has removed it: another one is made.
                Err(Error::Missing) => {}
                done => return done,
            }
        }
        let path = directory.path().join(self.note_name(name));
        let file = directory.open_lock(&path).map_err(|e| failure::writing(&path, &e))?;
        directory.write_in_place(&path, &file, bytes, durability)?;
        *open = Some(OpenNote { name: name.to_owned(), path, file });
        Ok(())
    }

    fn take_turn(&self, directory: &Directory, name: &str, patience: Duration) -> Result<Turn, Error> {
        let path = directory.path().join(format!("{}.{name}.turn", self.stem));
        let mut patience = Patience::with_pauses(patience, FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let held = HeldFile::lock(|| directory.open_lock(&path)).map_err(|e| failure::writing(&path, &e))?;
            if let Some(held) = held {
                return Ok(Turn::new(held));
            }
            // Polled, since the holder may be stopped: waiting in the kernel could last for ever.
            if !patience.pause() {
                return Err(Error::Busy);
            }
        }
    }
}

/// The first bytes of a file, which is never longer when we have written it.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let opened = regular::open(path, OpenOptions::new().read(true), Links::Refused);
    let file: File = opened.map_err(|e| failure::reading(path, &e))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|e| failure::reading(path, &e))?;
    Ok(bytes)
}

/// The count in a file; `None` if it is damaged.
fn parse(bytes: &[u8]) -> Option<u64> {
    let text = str::from_utf8(bytes).ok()?;
    let (first, second) = text.strip_suffix('\n')?.split_once(' ')?;
    let count = first.parse().ok()?;
    (first == second && first == format!("{count}")).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_count_is_no_count() {
        assert_eq!(parse(b"0 0\n"), Some(0));
        assert_eq!(parse(b"12 12\n"), Some(12));
        for damaged in ["", "\n", "0", "0 0", "0 1\n", "1 2\n", "-1 -1\n", "+1 +1\n", "01 01\n", "1 1 1\n", " 1 1\n"] {
            assert_eq!(parse(damaged.as_bytes()), None, "{damaged:?}");
        }
    }
}
