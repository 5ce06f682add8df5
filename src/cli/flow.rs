//! Where data comes from and where it goes: files and streams, of any length, a buffer at a time.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use indicatif::ProgressBar;
use tempfile::NamedTempFile;

use crate::{fault::Fault, progress};

/// How much is read at a time.
pub(crate) const PART: usize = 1 << 20;

/// From this length on there is a bar.
const LONG: u64 = 32 << 20;

/// Whether a path stands for standard input or output.
pub(crate) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// Data to read.
pub(crate) struct Input {
    reader: Box<dyn Read + Send>,
    name: String,
    bar: Option<ProgressBar>,
}

impl Input {
    /// A file, or standard input for none and for `-`.
    pub(crate) fn open(path: Option<&Path>, doing: &'static str) -> Result<Self, Fault> {
        let Some(path) = path.filter(|path| !is_dash(path)) else {
            return Ok(Self { reader: Box::new(io::stdin()), name: "standard input".into(), bar: None });
        };
        let name = path.display().to_string();
        let cannot = |why: io::Error| Fault::Usage(format!("{name} cannot be read: {why}"));
        let file = File::open(path).map_err(cannot)?;
        let metadata = file.metadata().map_err(cannot)?;
        if metadata.is_dir() {
            return Err(Fault::Usage(format!("{name} is a directory")));
        }
        let len = metadata.len();
        let bar = (len >= LONG).then(|| progress::bar(doing)).inspect(|bar| bar.set_length(len));
        Ok(Self { reader: Box::new(file), name, bar })
    }

    /// Fills a buffer as far as there is data, and says how far.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.some(room)? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }

    /// Reads what there is, and says how much; nothing at the end.
    pub(crate) fn some(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            match self.reader.read(buffer) {
                Ok(read) => {
                    if let Some(bar) = &self.bar {
                        bar.inc(read as u64);
                    }
                    return Ok(read);
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Err(Fault::Failed(format!("{} cannot be read on: {why}", self.name))),
            }
        }
    }

    /// All of it, if it is not longer than `most` bytes.
    pub(crate) fn whole(&mut self, most: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(most as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|why| Fault::Failed(format!("{} cannot be read on: {why}", self.name)))?;
        if bytes.len() > most {
            return Err(Fault::Usage(format!("{} has more than the {most} bytes that go at once", self.name)));
        }
        Ok(bytes)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Where results go.
pub(crate) struct Outlet(To);

enum To {
    Stdout,
    /// A device or a pipe.
    Special(File, PathBuf),
    /// A new file, which gets its name when it is whole.
    New(NamedTempFile, PathBuf),
}

impl Outlet {
    /// A file, or standard output for none and for `-`. A file is there as a whole or not at all.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Fault> {
        Self::with_mode(path, 0o666)
    }

    /// The same for what only its owner may read.
    pub(crate) fn open_private(path: Option<&Path>) -> Result<Self, Fault> {
        Self::with_mode(path, 0o600)
    }

    /// Puts out all of it, and finishes.
    pub(crate) fn whole(mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.put(bytes)?;
        self.finish()
    }

    fn with_mode(path: Option<&Path>, mode: u32) -> Result<Self, Fault> {
        let Some(path) = path.filter(|path| !is_dash(path)) else { return Ok(Self(To::Stdout)) };
        let cannot = |why: io::Error| Fault::Usage(format!("{} cannot be written: {why}", path.display()));
        let there = fs::metadata(path).ok();
        // What is replaced was readable for whom its owner wanted.
        let mode = there.as_ref().map_or(mode, |there| there.permissions().mode() & 0o777 & mode);
        if there.is_some_and(|there| !there.is_file()) {
            let file = File::options().write(true).open(path).map_err(cannot)?;
            return Ok(Self(To::Special(file, path.to_owned())));
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".strongroom-").permissions(Permissions::from_mode(mode));
        let file = builder.tempfile_in(directory).map_err(cannot)?;
        let unfinished = file.path().to_owned();
        // Once is enough: a verb has one output. Without the handler a part is left behind, and nothing else happens.
        let _ = ctrlc::set_handler(move || {
            let _ = fs::remove_file(&unfinished);
            std::process::exit(130);
        });
        Ok(Self(To::New(file, path.to_owned())))
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let (written, name) = match &mut self.0 {
            To::Stdout => (io::stdout().write_all(bytes), "standard output".to_owned()),
            To::Special(file, path) => (file.write_all(bytes), path.display().to_string()),
            To::New(file, path) => (file.write_all(bytes), path.display().to_string()),
        };
        written.map_err(|why| Fault::Failed(format!("{name} cannot be written: {why}")))
    }

    /// That it was all.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        let failed =
            |path: &Path, why: io::Error| Fault::Failed(format!("{} cannot be written: {why}", path.display()));
        match self.0 {
            To::Stdout => io::stdout().flush().map_err(|why| Fault::Failed(format!("standard output: {why}"))),
            To::Special(mut file, path) => file.flush().map_err(|why| failed(&path, why)),
            To::New(file, path) => {
                file.as_file().sync_all().map_err(|why| failed(&path, why))?;
                file.persist(&path).map(drop).map_err(|why| failed(&path, why.error))
            }
        }
    }
}
