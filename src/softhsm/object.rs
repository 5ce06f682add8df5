//! Objects of a token.

use std::path::PathBuf;

use types::{AttributeType as A, ObjectClass, Secret, Template, Value};

use crate::{
    Error,
    backend::Source,
    cipher::MasterKey,
    parse::{self, Fault},
};

/// An object as it is stored, private values decrypted.
pub struct SourceObject {
    /// Its file; of one in a database, the database and the number of its row: `sqlite3.db#2`.
    pub file: PathBuf,
    /// Its attributes, in the order of their numbers; or why they cannot be read.
    pub attributes: Result<Template, Error>,
}

/// The objects of a token, in the order of their files' names, or of their numbers.
pub struct Objects<'a> {
    source: Source,
    key: &'a MasterKey,
}

impl<'a> Objects<'a> {
    pub(crate) fn new(source: Source, key: &'a MasterKey) -> Self {
        Self { source, key }
    }
}

impl Iterator for Objects<'_> {
    type Item = SourceObject;

    fn next(&mut self) -> Option<SourceObject> {
        let (file, stored) = self.source.next()?;
        let attributes =
            stored.and_then(|stored| opened(stored, self.key).map_err(|what| Error::Damaged(file.clone(), what)));
        Some(SourceObject { file, attributes })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.source.at_most()))
    }
}

/// What SoftHSM writes of every object of a class, whatever its template said. A file that was cut off after an attribute
/// lacks some of it.
const WHOLE: [(Option<ObjectClass>, &[A]); 5] = [
    (None, &[A::CLASS, A::TOKEN, A::PRIVATE, A::LABEL, A::MODIFIABLE]),
    (Some(ObjectClass::CERTIFICATE), &[A::CERTIFICATE_TYPE, A::TRUSTED, A::VALUE]),
    (Some(ObjectClass::PUBLIC_KEY), &[A::KEY_TYPE, A::ID, A::LOCAL, A::TRUSTED, A::WRAP_TEMPLATE]),
    (
        Some(ObjectClass::PRIVATE_KEY),
        &[A::KEY_TYPE, A::ID, A::SENSITIVE, A::EXTRACTABLE, A::LOCAL, A::WRAP_WITH_TRUSTED, A::UNWRAP_TEMPLATE],
    ),
    (
        Some(ObjectClass::SECRET_KEY),
        &[A::KEY_TYPE, A::ID, A::SENSITIVE, A::EXTRACTABLE, A::LOCAL, A::WRAP_WITH_TRUSTED, A::UNWRAP_TEMPLATE],
    ),
];

/// An object as it was before SoftHSM stored it.
fn opened(stored: Template, key: &MasterKey) -> Result<Template, Fault> {
    let find = |name| stored.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    let private = find(A::PRIVATE).and_then(Value::as_flag).ok_or("it does not say whether it is private")?;
    let class = find(A::CLASS).and_then(Value::as_number).map(ObjectClass);
    let missing = |(of, names): &(Option<ObjectClass>, &[A])| {
        (of.is_none() || *of == class) && names.iter().any(|name| find(*name).is_none())
    };
    if WHOLE.iter().any(missing) {
        return Err("it lacks attributes that SoftHSM gives every such object");
    }
    stored.into_iter().map(|(name, value)| Ok((name, open(name, value, private, key)?))).collect()
}

/// A value as it was before SoftHSM stored it.
fn open(name: A, value: Value, private: bool, key: &MasterKey) -> Result<Value, Fault> {
    // SoftHSM never encrypts dates.
    let plain = !private || matches!(name, A::START_DATE | A::END_DATE);
    let value = match value {
        Value::Bytes(bytes) if !plain && !bytes.is_empty() => {
            let opened = key.decrypt(bytes.expose()).ok_or("a private value does not decrypt")?;
            Value::Bytes(Secret::from(opened))
        }
        value => value,
    };
    parse::typed(name, value)
}
