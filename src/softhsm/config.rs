//! `softhsm2.conf`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Error;

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
    use super::value;

    #[test]
    fn lines_are_read_as_softhsm_reads_them() {
        let text = "# directories.tokendir = /a\n directories.tokendir = /b = c # d\nlog.level=INFO\nnothing\nslots.removable =\n";
        assert_eq!(value(text, "directories.tokendir"), Some("/b"));
        assert_eq!(value(text, "log.level"), Some("INFO"));
        assert_eq!(value(text, "slots.removable"), None);
        assert_eq!(value(text, "objectstore.backend"), None);
    }
}
