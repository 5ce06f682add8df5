//! Tokens: which there are, and what opens them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use types::{AttributeType, Template, Value};

use crate::{
    Error, Objects,
    backend::Backend,
    cipher::{MasterKey, WRAPPED},
};

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
    backend: Backend,
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
    if let Some(backend) = Backend::of(directory) {
        return Ok(vec![Token::read(directory, backend)]);
    }
    let entries = fs::read_dir(directory).map_err(Error::unreadable(directory))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::unreadable(directory))?.path();
        found.extend(Backend::of(&path).map(|backend| (path, backend)));
    }
    if found.is_empty() {
        return Err(Error::Unsuitable(directory.to_owned(), "there is no token of SoftHSM in it"));
    }
    found.sort();
    Ok(found.into_iter().map(|(path, backend)| Token::read(&path, backend)).collect())
}

impl Token {
    fn read(directory: &Path, backend: Backend) -> Result<Self, Error> {
        let (path, attributes) = backend.token(directory)?;
        let damaged = |what| Error::Damaged(path.clone(), what);
        let serial = bytes_of::<16>(&attributes, SERIAL).filter(|serial| serial.iter().all(u8::is_ascii_hexdigit));
        let serial = serial.ok_or_else(|| damaged("it has no serial number"))?;
        let user = match find(&attributes, USERS_PIN) {
            None => None,
            Some(_) => Some(bytes_of(&attributes, USERS_PIN).ok_or_else(|| damaged("the user's PIN is none"))?),
        };
        Ok(Self {
            directory: directory.to_owned(),
            backend,
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
    /// [`Error::Unreadable`] if the directory cannot be listed or the database not searched.
    pub fn objects(&self) -> Result<Objects<'_>, Error> {
        Ok(Objects::new(self.token.backend.objects(&self.token.directory)?, &self.key))
    }
}

fn find(attributes: &Template, name: AttributeType) -> Option<&Value> {
    attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

fn bytes_of<const N: usize>(attributes: &Template, name: AttributeType) -> Option<[u8; N]> {
    find(attributes, name)?.as_bytes()?.try_into().ok()
}
