//! A directory of ours: made, locked, and files put into it whole.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::connection::{Journal, Opening};
use super::file::{self, Owner};
use super::fork_guard::Entered;
use super::patience::Patience;
use super::schema::Format;
use super::{failure, fork_guard};
use crate::regular::{self, Links};
use crate::{Durability, Error};

/// A directory that is there. Its path has no symbolic links, which SQLite is told not to follow.
pub(super) struct Directory {
    path: PathBuf,
    owner: Owner,
}

/// The lock of a directory.
#[must_use]
pub(super) struct DirectoryLock {
    // Closed before the gate is left.
    _file: File,
    _entered: Entered<'static>,
}

impl Directory {
    /// The directory, if it is there.
    pub(super) fn existing(path: &Path) -> Result<Option<Self>, Error> {
        match fs::canonicalize(path) {
            Ok(path) => {
                let metadata = file::inspect_directory(&path)?;
                Ok(Some(Self { owner: Owner::of(&metadata), path }))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => match failure::reading(path, &e) {
                Error::Missing => Ok(None),
                other => Err(other),
            },
        }
    }

    /// The directory, made if it is not there: for its owner only.
    pub(super) fn made(path: &Path) -> Result<Self, Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| failure::writing(path, &e))?;
        Self::existing(path)?.ok_or(Error::Missing)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until nobody else makes or removes files here. The lock ends with the result.
    ///
    /// The system's lock belongs to the open file, which a forked child would inherit and keep locked. So the file is
    /// open inside the gate of `fork_guard` only: a fork waits until the lock is given back, and whoever
    /// finds it taken waits outside.
    ///
    /// # Errors
    /// [`Error::Busy`] if somebody else holds it for too long.
    pub(super) fn lock(&self) -> Result<DirectoryLock, Error> {
        let path = self.path.join(".lock");
        let failed = |e: io::Error| failure::writing(&path, &e);
        let mut patience = Patience::new();
        loop {
            let entered = fork_guard::enter();
            let file = self.open_lock(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => return Ok(DirectoryLock { _file: file, _entered: entered }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            drop((file, entered));
            if !patience.pause() {
                return Err(Error::Busy);
            }
        }
    }

    /// Opens a file to lock it or to write it in its place, and makes it if it is not there. Only its owner may open it: who
    /// can read a file can lock it.
    pub(super) fn open_lock(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = regular::open(path, &mut options, Links::Refused)?;
        self.owner.adopt(&file)?;
        Ok(file)
    }

    /// Writes a small file, all or nothing.
    pub(super) fn replace(&self, name: &str, contents: &[u8]) -> Result<(), Error> {
        let (path, new) = (self.path.join(name), self.path.join(format!(".{name}.new")));
        file::discard(&new)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options.open(&new).and_then(|mut file| {
            self.owner.adopt(&file)?;
            file.write_all(contents)?;
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&new, &path)).map_err(|e| failure::writing(&path, &e))?;
        self.sync()
    }

    /// Writes a small file in its place. If the system dies meanwhile, what is in the file may be neither the old nor the
    /// new, so whoever reads it must be able to tell.
    pub(super) fn overwrite(&self, name: &str, contents: &[u8], durability: Durability) -> Result<(), Error> {
        let path = self.path.join(name);
        let file = self.open_lock(&path).map_err(|e| failure::writing(&path, &e))?;
        self.write_in_place(&path, &file, contents, durability)
    }

    /// Writes a small file that is open.
    ///
    /// # Errors
    /// [`Error::Missing`] if somebody has removed it since: nobody would find what is written.
    pub(super) fn write_in_place(
        &self,
        path: &Path,
        file: &File,
        contents: &[u8],
        durability: Durability,
    ) -> Result<(), Error> {
        let failed = |e: io::Error| failure::writing(path, &e);
        let metadata = file.metadata().map_err(failed)?;
        if metadata.nlink() == 0 {
            return Err(Error::Missing);
        }
        let before = metadata.len();
        file.write_all_at(contents, 0).map_err(failed)?;
        if before > contents.len() as u64 {
            file.set_len(contents.len() as u64).map_err(failed)?;
        }
        if durability == Durability::Power {
            file.sync_all().map_err(failed)?;
        }
        // A file that is new has a name that is not durable yet.
        if before == 0 { self.sync() } else { Ok(()) }
    }

    /// Makes names durable.
    pub(super) fn sync(&self) -> Result<(), Error> {
        File::open(&self.path).and_then(|directory| directory.sync_all()).map_err(|e| failure::writing(&self.path, &e))
    }
}

/// Makes a file of this format that appears under its name only when it is complete. What a writer has left beside an older
/// file of that name is removed just before.
pub(super) fn found(
    directory: &Directory,
    name: &str,
    format: &'static Format,
    fill: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<(), Error> {
    let _entered = fork_guard::enter();
    let (path, new) = (directory.path.join(name), directory.path.join(format!(".{name}.new")));
    let leftovers = ["", "-wal", "-shm", "-journal"].map(|suffix| file::beside(&new, suffix));
    leftovers.iter().try_for_each(|path| file::discard(path))?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let made = options.open(&new).map_err(|e| failure::writing(&new, &e))?;
    directory.owner.adopt(&made).map_err(|e| failure::writing(&new, &e))?;
    drop(made);
    let opening = Opening { journal: Journal::at(&new), path: new.clone(), format, page_limit: None };
    let finished = opening.begin(fill).and_then(|()| {
        let synced = File::open(&new).and_then(|file| file.sync_all());
        ["-wal", "-shm", "-journal"].iter().try_for_each(|suffix| file::discard(&file::beside(&path, suffix)))?;
        synced.and_then(|()| fs::rename(&new, &path)).map_err(|e| failure::writing(&path, &e))?;
        directory.sync()
    });
    leftovers.iter().try_for_each(|path| file::discard(path))?;
    finished
}
