//! Where a token is kept (objectstore.backend).

use std::{
    fs,
    path::{Path, PathBuf},
    vec,
};

use types::Template;

use crate::{
    Error,
    database::{self, Rows},
    file,
    parse::{self, Depth, Fault, Reader},
};

const TOKEN_FILE: &str = "token.object";
const DATABASE: &str = "sqlite3.db";

/// What SoftHSM can keep a token in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Backend {
    /// A file for each object.
    Files,
    /// A database of SQLite's.
    Database,
}

/// What an object has, as it is stored, and where.
pub(crate) type Stored = (PathBuf, Result<Template, Error>);

/// The objects of a token, one after the other.
pub(crate) enum Source {
    Files(vec::IntoIter<PathBuf>),
    Database(Rows),
}

impl Backend {
    /// What keeps the token of a directory, if it is one's.
    pub(crate) fn of(directory: &Path) -> Option<Self> {
        let kept = [(TOKEN_FILE, Self::Files), (DATABASE, Self::Database)];
        kept.into_iter().find(|(file, _)| directory.join(file).exists()).map(|(_, backend)| backend)
    }

    /// What a token says of itself, and where it says so.
    pub(crate) fn token(self, directory: &Path) -> Result<(PathBuf, Template), Error> {
        match self {
            Self::Files if directory.join(DATABASE).exists() => Err(Error::Damaged(
                directory.to_owned(),
                "it has a token.object and a sqlite3.db: move away the one that objectstore.backend does not mean",
            )),
            Self::Files => {
                let path = directory.join(TOKEN_FILE);
                let attributes = attributes(&file::read(&path)?);
                let attributes = attributes.map_err(|what| Error::Damaged(path.clone(), what))?;
                Ok((path, attributes))
            }
            Self::Database => {
                let path = directory.join(DATABASE);
                let attributes = database::token(&path)?;
                Ok((path, attributes))
            }
        }
    }

    /// The objects of the token of a directory.
    pub(crate) fn objects(self, directory: &Path) -> Result<Source, Error> {
        match self {
            Self::Files => {
                let mut files = Vec::new();
                for entry in fs::read_dir(directory).map_err(Error::unreadable(directory))? {
                    let path = entry.map_err(Error::unreadable(directory))?.path();
                    let is_object = path.extension().is_some_and(|end| end == "object");
                    if is_object && path.file_name().is_some_and(|name| name != TOKEN_FILE) {
                        files.push(path);
                    }
                }
                files.sort();
                Ok(Source::Files(files.into_iter()))
            }
            Self::Database => Ok(Source::Database(Rows::of(&directory.join(DATABASE))?)),
        }
    }
}

impl Source {
    pub(crate) fn next(&mut self) -> Option<Stored> {
        match self {
            Self::Files(files) => loop {
                let file = files.next()?;
                let attributes = match file::read(&file) {
                    // SoftHSM makes the file before it writes it.
                    Ok(bytes) if bytes.is_empty() => continue,
                    Ok(bytes) => attributes(&bytes).map_err(|what| Error::Damaged(file.clone(), what)),
                    Err(why) => Err(why),
                };
                return Some((file, attributes));
            },
            Self::Database(rows) => rows.next(),
        }
    }

    /// How many are left at most.
    pub(crate) fn at_most(&self) -> usize {
        match self {
            Self::Files(files) => files.len(),
            Self::Database(rows) => rows.at_most(),
        }
    }
}

/// What is in a file.
fn attributes(bytes: &[u8]) -> Result<Template, Fault> {
    let mut reader = Reader::new(bytes);
    // How often it was changed.
    reader.number()?;
    parse::attributes(&mut reader, Depth::Object)
}
