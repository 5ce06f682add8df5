//! What may be opened, by whom, and whether it is still the same.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;

use super::failure;
use crate::Error;

/// Which file a name stands for, as long as that file exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    number: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), number: metadata.ino() }
    }
}

/// What changes when a file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// To whom files belong that are made on behalf of a user: `sudo` must not leave what that user cannot open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { user: metadata.uid(), group: metadata.gid() }
    }

    /// Gives a file to this owner. Only root gives files away; for everybody else they are his own already.
    pub(super) fn adopt(self, file: &fs::File) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() || Owner::of(&file.metadata()?).user == self.user {
            return Ok(());
        }
        std::os::unix::fs::fchown(file, Some(self.user), Some(self.group))
    }
}

/// Refuses a file that others could have put there or changed.
pub(super) fn inspect(path: &Path) -> Result<Metadata, Error> {
    let metadata = fs::symlink_metadata(path).map_err(|e| failure::reading(path, &e))?;
    let refuse = |why: &str| Err(Error::Unreadable(format!("{} {why}", path.display())));
    if metadata.is_symlink() {
        return refuse("is a symbolic link: put the file itself there");
    }
    if !metadata.is_file() {
        return refuse("is not a file");
    }
    if metadata.mode() & 0o022 != 0 {
        return refuse("can be written by others than its owner: chmod go-w");
    }
    must_be_ours(path, &metadata)?;
    Ok(metadata)
}

/// Refuses a directory in which others could exchange files.
pub(super) fn inspect_directory(path: &Path) -> Result<Metadata, Error> {
    let metadata = fs::metadata(path).map_err(|e| failure::reading(path, &e))?;
    if !metadata.is_dir() {
        return Err(Error::Unreadable(format!("{} is not a directory", path.display())));
    }
    if metadata.mode() & 0o022 != 0 {
        let why = "can be written by others than its owner: chmod go-w";
        return Err(Error::Unreadable(format!("{} {why}", path.display())));
    }
    must_be_ours(path, &metadata)?;
    Ok(metadata)
}

/// Refuses what belongs neither to the user nor to root. Root may use what is another's, since that is how
/// `sudo` serves its caller; but not in a program that somebody has started with more rights than his own.
fn must_be_ours(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    let user = rustix::process::geteuid();
    let serves = user.is_root() && !memory::is_privileged();
    if serves || metadata.uid() == user.as_raw() || metadata.uid() == 0 {
        return Ok(());
    }
    let why = "belongs to another user: chown it to the user who uses it, or to root";
    Err(Error::Unreadable(format!("{} {why}", path.display())))
}

/// Whether file permissions and the mount allow writing.
pub(super) fn may_write(path: &Path) -> bool {
    match rustix::fs::accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS) {
        Ok(()) => true,
        // Kernels that cannot tell for the effective user: the first write will.
        Err(Errno::NOSYS | Errno::INVAL) => true,
        Err(_) => false,
    }
}

/// Whether other machines may have the file open, or the memory that WAL shares between processes may not be shared.
#[cfg(target_os = "linux")]
pub(super) fn on_network(path: &Path) -> bool {
    /// NFS, SMB (three generations), 9p, AFS, Coda, Ceph, Lustre, GFS2, OCFS2, BeeGFS, VirtualBox, FUSE.
    const KINDS: [u32; 14] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        0x5346_414f,
        0x7375_7245,
        0x00c3_6400,
        0x0bd0_0bd0,
        0x0116_1970,
        0x7461_636f,
        0x1983_0326,
        0x786f_4256,
        0x6573_5546,
    ];
    kind(path).is_some_and(|kind| KINDS.contains(&kind))
}

/// Whether a file may be another one once somebody writes to it.
#[cfg(target_os = "linux")]
pub(super) fn on_overlay(path: &Path) -> bool {
    kind(path) == Some(0x794c_7630)
}

#[cfg(target_os = "linux")]
fn kind(path: &Path) -> Option<u32> {
    // The width and sign of the field are the architecture's; the magic numbers have 32 bits everywhere.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unnecessary_cast)]
    rustix::fs::statfs(path).ok().map(|system| system.f_type as u32)
}

/// Only asked where the answer is known.
#[cfg(not(target_os = "linux"))]
pub(super) fn on_network(_path: &Path) -> bool {
    false
}

/// Only asked where the answer is known.
#[cfg(not(target_os = "linux"))]
pub(super) fn on_overlay(_path: &Path) -> bool {
    false
}

/// `path` with something after its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether something has this name. What cannot be told counts as there.
pub(super) fn exists(path: &Path) -> bool {
    !fs::symlink_metadata(path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
}

/// Removes a file, unless it is gone already.
pub(super) fn discard(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failure::writing(path, &e)),
        _ => Ok(()),
    }
}
