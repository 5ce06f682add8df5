use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why a token of SoftHSM, or a part of it, is not read.
#[derive(Debug)]
pub enum Error {
    /// A file or directory cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A file is not as SoftHSM writes it.
    Damaged(PathBuf, &'static str),
    /// The configuration does not say where the tokens are, or they are of another kind.
    Unsuitable(PathBuf, &'static str),
    /// The PIN is wrong.
    PinIncorrect(PathBuf),
    /// Nobody has set this PIN.
    PinNotSet(PathBuf),
}

impl Error {
    pub(crate) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |why| Self::Unreadable(path.to_owned(), why)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, why) => write!(to, "{} cannot be read: {why}", path.display()),
            Self::Damaged(path, what) => write!(to, "{} is damaged: {what}", path.display()),
            Self::Unsuitable(path, what) => write!(to, "{}: {what}", path.display()),
            Self::PinIncorrect(path) => write!(to, "the PIN does not open {}", path.display()),
            Self::PinNotSet(path) => write!(to, "nobody has set this PIN of {}", path.display()),
        }
    }
}

impl std::error::Error for Error {}
