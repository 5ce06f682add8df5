//! What the system and SQLite say, in this crate's words.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::Error;

/// Why something could not be read.
pub(super) fn reading(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::Missing,
        io::ErrorKind::PermissionDenied => Error::Unreadable(say(path, error)),
        _ => Error::Failed(say(path, error)),
    }
}

/// Why something could not be written.
pub(super) fn writing(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Error::ReadOnly(say(path, error)),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full(say(path, error)),
        _ => reading(path, error),
    }
}

/// Why a statement failed. The statements are ours, so one that is not understood means a file that is not.
pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> Error {
    let said = say(path, error);
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => coded(*failure, said),
        rusqlite::Error::SqlInputError { error, .. } if error.code == ErrorCode::Unknown => Error::Damaged(said),
        rusqlite::Error::SqlInputError { error, .. } => coded(*error, said),
        rusqlite::Error::QueryReturnedNoRows
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => Error::Damaged(said),
        _ => Error::Failed(said),
    }
}

fn coded(failure: ffi::Error, said: String) -> Error {
    // The finer codes first.
    match failure.extended_code {
        ffi::SQLITE_READONLY_DBMOVED => return Error::Missing,
        // It was left behind by a writer and needs one to be tidied up.
        ffi::SQLITE_READONLY_CANTINIT | ffi::SQLITE_READONLY_RECOVERY | ffi::SQLITE_READONLY_ROLLBACK => {
            return Error::Unreadable(said);
        }
        // SQLite says so when the `-shm` cannot be made as large as it must be.
        ffi::SQLITE_IOERR_SHMSIZE => return Error::Full(said),
        _ => {}
    }
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => Error::Busy,
        ErrorCode::DiskFull => Error::Full(said),
        ErrorCode::ReadOnly => Error::ReadOnly(said),
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            Error::Unreadable(said)
        }
        ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::TypeMismatch
        | ErrorCode::TooBig
        | ErrorCode::ConstraintViolation => Error::Damaged(said),
        _ => Error::Failed(said),
    }
}

fn say(path: &Path, error: &dyn std::error::Error) -> String {
    format!("{}: {error}", path.display())
}
