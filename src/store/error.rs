use std::fmt;

/// What may go wrong with a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Somebody else has committed since: read again and decide anew.
    Conflict,
    /// The thing is not there.
    Missing,
    /// It is there and may not be read by this process.
    Unreadable(String),
    /// It may not be written: permissions, or a read-only file system.
    ReadOnly(String),
    /// No room is left.
    Full(String),
    /// Others held it for too long.
    Busy,
    /// What is there is not what was written: damaged, or not ours.
    Damaged(String),
    /// It was written by a newer release.
    TooNew(u32),
    /// The medium failed.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("the store has changed in between"),
            Self::Missing => f.write_str("there is no such token"),
            Self::Unreadable(why) => write!(f, "the store cannot be read: {why}"),
            Self::ReadOnly(why) => write!(f, "the store cannot be written: {why}"),
            Self::Full(why) => write!(f, "no room is left for the store: {why}"),
            Self::Busy => f.write_str("another process holds the store"),
            Self::Damaged(why) => write!(f, "the store is damaged: {why}"),
            Self::TooNew(version) => write!(f, "the store has format {version}, which a newer release wrote"),
            Self::Failed(why) => write!(f, "the store failed: {why}"),
        }
    }
}

impl std::error::Error for Error {}
