//! `softhsm2.conf`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use types::MechanismType;

use crate::Error;

/// What a `softhsm2.conf` says, for who takes SoftHSM's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file itself.
    pub file: PathBuf,
    /// `directories.tokendir`.
    pub token_directory: PathBuf,
    /// `log.level`.
    pub log_level: LogLevel,
    /// `slots.removable`.
    pub removable: bool,
    /// `slots.mechanisms`.
    pub mechanisms: Mechanisms,
    /// `library.reset_on_fork`.
    pub reset_on_fork: bool,
    /// Lines that SoftHSM passes over with a warning, each in words.
    pub passed_over: Vec<String>,
}

/// From which severity on something is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// What has failed.
    Error,
    /// What may be wrong.
    Warning,
    /// What was done; the default.
    Info,
    /// Every call.
    Debug,
}

const LOG_LEVELS: &[(&str, LogLevel)] =
    &[("ERROR", LogLevel::Error), ("WARNING", LogLevel::Warning), ("INFO", LogLevel::Info), ("DEBUG", LogLevel::Debug)];

/// Which mechanisms are offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanisms {
    /// `ALL`.
    All,
    /// A list.
    Only(Vec<MechanismType>),
    /// A list with `-` in front.
    AllBut(Vec<MechanismType>),
}

impl Mechanisms {
    /// Whether a mechanism is one of them.
    #[must_use]
    pub fn offer(&self, id: MechanismType) -> bool {
        match self {
            Self::All => true,
            Self::Only(listed) => listed.contains(&id),
            Self::AllBut(listed) => !listed.contains(&id),
        }
    }

    fn parse(text: &str, passed_over: &mut Vec<String>) -> Self {
        if text == "ALL" {
            return Self::All;
        }
        let (names, list): (&str, fn(Vec<MechanismType>) -> Self) = match text.strip_prefix('-') {
            Some(names) => (names, Self::AllBut),
            None => (text, Self::Only),
        };
        let mut listed = Vec::new();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match MechanismType::from_name(name) {
                Some(id) => listed.push(id),
                None => passed_over.push(format!("slots.mechanisms: there is no mechanism {name}")),
            }
        }
        list(listed)
    }
}

/// Every key of the file, those of later releases of SoftHSM's too.
const KEYS: &[&str] = &[
    "directories.tokendir",
    "objectstore.backend",
    "objectstore.umask",
    "log.level",
    "log.file",
    "slots.removable",
    "slots.mechanisms",
    "library.reset_on_fork",
];

/// Reads a `softhsm2.conf` as SoftHSM reads it when it is initialised: what stops it there is an error here, and what it passes over
/// is in [`Config::passed_over`].
///
/// # Errors
/// [`Error::Unreadable`]; [`Error::Unsuitable`] for a directory of tokens that is not there, an unknown backend or level.
pub fn config(from: &Path) -> Result<Config, Error> {
    let text = fs::read_to_string(from).map_err(Error::unreadable(from))?;
    let unsuitable = |what| Err(Error::Unsuitable(from.to_owned(), what));
    let mut passed_over = Vec::new();
    for line in text.lines() {
        let Some((name, _)) = line.split('#').next().and_then(|line| line.split_once('=')) else { continue };
        if !KEYS.contains(&name.trim()) {
            passed_over.push(format!("there is no key {}", name.trim()));
        }
    }
    let Some(directory) = value(&text, "directories.tokendir").map(PathBuf::from) else {
        return unsuitable("it has no directories.tokendir");
    };
    if !directory.is_absolute() {
        return unsuitable("its directories.tokendir must be an absolute path");
    }
    if !fs::metadata(&directory).map_err(Error::unreadable(&directory))?.is_dir() {
        return unsuitable("its directories.tokendir is no directory");
    }
    if !matches!(value(&text, "objectstore.backend"), None | Some("file" | "db")) {
        return unsuitable("its objectstore.backend is not known: file or db");
    }
    if let Some(mask) = value(&text, "objectstore.umask")
        && u32::from_str_radix(mask, 8).map_or(true, |mask| mask & 0o077 != 0o077)
    {
        passed_over.push(format!("objectstore.umask = {mask}: tokens are their owner's alone, as with 0077"));
    }
    let level = value(&text, "log.level").unwrap_or("INFO");
    let Some((_, log_level)) = LOG_LEVELS.iter().find(|(name, _)| *name == level) else {
        return unsuitable("its log.level is not known: ERROR, WARNING, INFO or DEBUG");
    };
    let removable = flag(&text, "slots.removable", &mut passed_over);
    let reset_on_fork = flag(&text, "library.reset_on_fork", &mut passed_over);
    let mechanisms = Mechanisms::parse(value(&text, "slots.mechanisms").unwrap_or("ALL"), &mut passed_over);
    let file = from.to_owned();
    Ok(Config {
        file,
        token_directory: directory,
        log_level: *log_level,
        removable,
        mechanisms,
        reset_on_fork,
        passed_over,
    })
}

/// A value that is true or false; anything else is passed over.
fn flag(text: &str, name: &str, passed_over: &mut Vec<String>) -> bool {
    match value(text, name) {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            passed_over.push(format!("{name} = {other}: it must be true or false, and is false"));
            false
        }
    }
}

/// Whether a directory has tokens of SoftHSM's. They are not looked into.
#[must_use]
pub fn has_tokens(directory: &Path) -> bool {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .any(|token| ["token.object", "sqlite3.db"].iter().any(|file| token.join(file).is_file()))
}

/// The slot in which SoftHSM has the token with this serial number: its last 8 digits, without the highest bit.
#[must_use]
pub fn slot_of(serial: &str) -> Option<u32> {
    let last = serial.get(serial.len().checked_sub(8)?..)?;
    u32::from_str_radix(last, 16).ok().map(|number| number & 0x7fff_ffff)
}

/// Where the tokens are: the directory itself, or what a `softhsm2.conf` says.
///
/// # Errors
/// [`Error::Unreadable`]; [`Error::Unsuitable`] if the file names no directory, or a backend that SoftHSM does not have.
pub fn token_directory(from: &Path) -> Result<PathBuf, Error> {
    if fs::metadata(from).map_err(Error::unreadable(from))?.is_dir() {
        return Ok(from.to_owned());
    }
    let text = fs::read_to_string(from).map_err(Error::unreadable(from))?;
    let unsuitable = |what| Err(Error::Unsuitable(from.to_owned(), what));
    match value(&text, "objectstore.backend") {
        // How a token is kept is seen where it is.
        None | Some("file" | "db") => {}
        Some(_) => return unsuitable("its objectstore.backend is not known"),
    }
    match value(&text, "directories.tokendir") {
        Some(directory) => Ok(PathBuf::from(directory)),
        None => unsuitable("it has no directories.tokendir, so it is no softhsm2.conf: name the directory itself"),
    }
}

/// A value, as SoftHSM reads it: what follows a `#` is a comment, also in a value, and a second `=` ends the value.
fn value<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    let read = |line: &'a str| {
        let line = line.split('#').next()?;
        let mut parts = line.split('=').map(str::trim);
        let (name, value) = (parts.next()?, parts.next()?);
        (name == wanted && !value.is_empty()).then_some(value)
    };
    // Of several, the last counts.
    text.lines().filter_map(read).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_softhsm_reads_them() {
        let text = "# directories.tokendir = /a\n directories.tokendir = /b = c # d\nlog.level=INFO\nnothing\nslots.removable =\n";
        assert_eq!(value(text, "directories.tokendir"), Some("/b"));
        assert_eq!(value(text, "log.level"), Some("INFO"));
        assert_eq!(value(text, "slots.removable"), None);
        assert_eq!(value(text, "objectstore.backend"), None);
    }

    fn read(lines: &str) -> Result<Config, Error> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("softhsm2.conf");
        fs::write(&path, format!("directories.tokendir = {}\n{lines}\n", place.path().display())).unwrap();
        config(&path)
    }

    #[test]
    fn a_file_without_more_has_softhsms_defaults() {
        let config = read("").unwrap();
        assert_eq!((config.log_level, config.removable, config.reset_on_fork), (LogLevel::Info, false, false));
        assert_eq!((config.mechanisms, config.passed_over), (Mechanisms::All, Vec::new()));
    }

    #[test]
    fn what_stops_softhsm_is_an_error() {
        for wrong in ["log.level = LOUD", "objectstore.backend = cake", "directories.tokendir = /nowhere/at/all"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_softhsm_passes_over_is_said() {
        for odd in [
            "unknown.key = 3",
            "slots.removable = maybe",
            "slots.mechanisms = CKM_NONSENSE",
            "objectstore.umask = 0022",
        ] {
            assert_eq!(read(odd).unwrap().passed_over.len(), 1, "{odd}");
        }
    }

    #[test]
    fn mechanisms_are_all_or_a_list_or_all_but_a_list() {
        let offer = |text| {
            let mechanisms = read(&format!("slots.mechanisms = {text}")).unwrap().mechanisms;
            [MechanismType::RSA_PKCS, MechanismType::AES_CBC, MechanismType::SHA256].map(|id| mechanisms.offer(id))
        };
        assert_eq!(offer("ALL"), [true; 3]);
        assert_eq!(offer("CKM_RSA_PKCS,CKM_SHA256"), [true, false, true]);
        assert_eq!(offer("-CKM_RSA_PKCS,CKM_SHA256"), [false, true, false]);
    }

    #[test]
    fn a_slot_is_the_end_of_the_serial_number() {
        assert_eq!(slot_of("45a68690f419ff94"), Some(1_947_860_884), "as Debian's SoftHSM says");
        assert_eq!(slot_of("f419"), None);
    }
}
