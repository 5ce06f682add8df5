//! Tokens: which there are, and what opens them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use types::{AttributeType, Template, Value};

use crate::{
    Error, Objects,
    cipher::{MasterKey, WRAPPED},
    file,
    parse::{self, Depth, Reader},
};

const TOKEN_FILE: &str = "token.object";

/// SoftHSM's own attributes of a token: 'SH' among the vendor's.
const LABEL: AttributeType = AttributeType(0x8000_5349);
const SERIAL: AttributeType = AttributeType(0x8000_534a);
const FLAGS: AttributeType = AttributeType(0x8000_534b);
const OFFICERS_PIN: AttributeType = AttributeType(0x8000_534c);
const USERS_PIN: AttributeType = AttributeType(0x8000_534d);

/// Whose PIN it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The user.
    User,
    /// The security officer. His PIN opens all that the user's does.
    Officer,
}

/// A token. Nothing private of it is open.
#[derive(PartialEq, Eq)]
pub struct Token {
    directory: PathBuf,
    label: [u8; 32],
    serial: String,
    flags: u64,
    officer: [u8; WRAPPED],
    user: Option<[u8; WRAPPED]>,
}

/// The tokens of a directory, in the order of their directories' names; or the one token whose directory it is.
///
/// # Errors
/// [`Error::Unreadable`] if the directory cannot be listed, [`Error::Unsuitable`] if it has no token. What is wrong with one token
/// stands in its place.
pub fn tokens(directory: &Path) -> Result<Vec<Result<Token, Error>>, Error> {
    if directory.join(TOKEN_FILE).exists() {
        return Ok(vec![Token::read(directory)]);
    }
    let entries = fs::read_dir(directory).map_err(Error::unreadable(directory))?;
    let mut found = Vec::new();
    for entry in entries {
        found.push(entry.map_err(Error::unreadable(directory))?.path());
    }
    found.sort();
    let is_token = |path: &PathBuf| path.join(TOKEN_FILE).exists();
    if !found.iter().any(is_token) {
        let what = if found.iter().any(|path| path.join("sqlite3.db").exists()) {
            "its tokens are in SQLite (objectstore.backend = db), and only files are read"
        } else {
            "there is no token of SoftHSM in it"
        };
        return Err(Error::Unsuitable(directory.to_owned(), what));
    }
    Ok(found.into_iter().filter(is_token).map(|path| Token::read(&path)).collect())
}

impl Token {
    fn read(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(TOKEN_FILE);
        let bytes = file::read(&path)?;
        let damaged = |what| Error::Damaged(path.clone(), what);
        let mut reader = Reader::new(&bytes);
        reader.number().map_err(damaged)?;
        let attributes = parse::attributes(&mut reader, Depth::Object).map_err(damaged)?;
        let serial = bytes_of::<16>(&attributes, SERIAL).filter(|serial| serial.iter().all(u8::is_ascii_hexdigit));
        let serial = serial.ok_or_else(|| damaged("it has no serial number"))?;
        let user = match find(&attributes, USERS_PIN) {
            None => None,
            Some(_) => Some(bytes_of(&attributes, USERS_PIN).ok_or_else(|| damaged("the user's PIN is none"))?),
        };
        Ok(Self {
            directory: directory.to_owned(),
            label: bytes_of(&attributes, LABEL).ok_or_else(|| damaged("it has no label"))?,
            serial: String::from_utf8_lossy(&serial).into_owned(),
            flags: find(&attributes, FLAGS).and_then(Value::as_number).ok_or_else(|| damaged("it has no flags"))?,
            officer: bytes_of(&attributes, OFFICERS_PIN).ok_or_else(|| damaged("it has no security officer's PIN"))?,
            user,
        })
    }

    /// Its label, padded with blanks.
    #[must_use]
    pub fn label(&self) -> &[u8; 32] {
        &self.label
    }

    /// Its serial number: 16 hexadecimal digits.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Its flags (`CK_TOKEN_INFO`).
    #[must_use]
    pub fn flags(&self) -> u64 {
        self.flags
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether somebody has set the user's PIN.
    #[must_use]
    pub fn has_user_pin(&self) -> bool {
        self.user.is_some()
    }

    /// Opens what is private in it.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`], [`Error::PinNotSet`].
    pub fn open(&self, who: Who, pin: &[u8]) -> Result<OpenToken<'_>, Error> {
        let wrapped = match who {
            Who::Officer => Some(&self.officer),
            Who::User => self.user.as_ref(),
        };
        let wrapped = wrapped.ok_or_else(|| Error::PinNotSet(self.directory.clone()))?;
        let key = MasterKey::open(wrapped, pin).ok_or_else(|| Error::PinIncorrect(self.directory.clone()))?;
        Ok(OpenToken { token: self, key })
    }
}

/// A token whose private values can be read.
#[derive(PartialEq, Eq)]
pub struct OpenToken<'a> {
    token: &'a Token,
    key: MasterKey,
}

impl OpenToken<'_> {
    /// Its objects, one after the other, each read when it is asked for.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the directory cannot be listed.
    pub fn objects(&self) -> Result<Objects<'_>, Error> {
        Objects::of(&self.token.directory, TOKEN_FILE, &self.key)
    }
}

fn find(attributes: &Template, name: AttributeType) -> Option<&Value> {
    attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

fn bytes_of<const N: usize>(attributes: &Template, name: AttributeType) -> Option<[u8; N]> {
    find(attributes, name)?.as_bytes()?.try_into().ok()
}
