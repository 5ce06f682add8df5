//! Objects of a token.

use std::{
    fs,
    path::{Path, PathBuf},
    vec,
};

use types::{AttributeType as A, ObjectClass, Secret, Template, Value};

use crate::{
    Error,
    cipher::MasterKey,
    file,
    parse::{self, Depth, Fault, Reader},
};

/// An object as its file has it, private values decrypted.
pub struct SourceObject {
    /// Its file.
    pub file: PathBuf,
    /// Its attributes, in the order of their numbers; or why they cannot be read.
    pub attributes: Result<Template, Error>,
}

/// The objects of a token, in the order of their files' names.
pub struct Objects<'a> {
    files: vec::IntoIter<PathBuf>,
    key: &'a MasterKey,
}

impl<'a> Objects<'a> {
    pub(crate) fn of(directory: &Path, other: &str, key: &'a MasterKey) -> Result<Self, Error> {
        let mut files = Vec::new();
        for entry in fs::read_dir(directory).map_err(Error::unreadable(directory))? {
            let path = entry.map_err(Error::unreadable(directory))?.path();
            let is_object = path.extension().is_some_and(|end| end == "object");
            if is_object && path.file_name().is_some_and(|name| name != other) {
                files.push(path);
            }
        }
        files.sort();
        Ok(Self { files: files.into_iter(), key })
    }
}

impl Iterator for Objects<'_> {
    type Item = SourceObject;

    fn next(&mut self) -> Option<SourceObject> {
        loop {
            let file = self.files.next()?;
            let attributes = match file::read(&file) {
                // SoftHSM makes the file before it writes it.
                Ok(bytes) if bytes.is_empty() => continue,
                Ok(bytes) => read(&bytes, self.key).map_err(|what| Error::Damaged(file.clone(), what)),
                Err(why) => Err(why),
            };
            return Some(SourceObject { file, attributes });
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.files.len()))
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

fn read(bytes: &[u8], key: &MasterKey) -> Result<Template, Fault> {
    let mut reader = Reader::new(bytes);
    // How often it was changed.
    reader.number()?;
    let stored = parse::attributes(&mut reader, Depth::Object)?;
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
