//! Files that are files: a fifo or a device in the place of one is an error, and nobody waits for it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Whether the last part of a path may be a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// It may.
    Followed,
    /// It may not.
    Refused,
}

/// Opens a file.
///
/// # Errors
/// The system's, and [`io::ErrorKind::InvalidInput`] if it is no regular file.
pub fn open(path: &Path, options: &mut OpenOptions, links: Links) -> io::Result<File> {
    let mut flags = OFlags::NONBLOCK;
    flags.set(OFlags::NOFOLLOW, links == Links::Refused);
    let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_a_file()) }
}

/// Reads a file as a whole.
///
/// # Errors
/// Those of [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path, OpenOptions::new().read(true), Links::Followed)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Refuses what is there and is no file. What is not there, is not refused.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`].
pub fn must_be_file_or_absent(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(not_a_file()),
        _ => Ok(()),
    }
}

fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")
}
