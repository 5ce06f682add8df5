//! A file, whole, under SoftHSM's lock.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, OFlags, fcntl_lock},
    io::Errno,
};
use zeroize::Zeroizing;

use crate::Error;

/// How long a file may be. SoftHSM has no limit; what is longer than this is no key and no certificate.
const MAX_LEN: u64 = 64 * 1024 * 1024;
/// How long somebody may write it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What is in a file. The bytes wipe themselves: public objects show their keys.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let file = open(path)?;
    lock(&file).map_err(Error::unreadable(path))?;
    let metadata = file.metadata().map_err(Error::unreadable(path))?;
    let len = usize::try_from(metadata.len()).ok().filter(|_| metadata.len() <= MAX_LEN);
    let len = len.ok_or_else(|| Error::Damaged(path.to_owned(), "it is longer than 64 MiB"))?;
    // Room for a byte more: a vector that grew would leave what it had behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(len + 1));
    (&file).take(metadata.len() + 1).read_to_end(&mut bytes).map_err(Error::unreadable(path))?;
    if bytes.len() == len { Ok(bytes) } else { Err(Error::Damaged(path.to_owned(), "it changes while it is read")) }
}

/// Opens a regular file. A fifo in its place is not waited for.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::CLOEXEC).bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(Error::unreadable(path))?;
    if !file.metadata().map_err(Error::unreadable(path))?.is_file() {
        return Err(Error::Damaged(path.to_owned(), "it is no regular file"));
    }
    Ok(file)
}

/// Takes the lock of a reader (POSIX, by file), which goes when the file is closed.
fn lock(file: &File) -> io::Result<()> {
    let begin = Instant::now();
    loop {
        match fcntl_lock(file, FlockOperation::NonBlockingLockShared) {
            Err(Errno::AGAIN | Errno::ACCESS) if begin.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(10)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => {
                return Err(io::Error::other("somebody is writing it: stop that first"));
            }
            done => return Ok(done?),
        }
    }
}
