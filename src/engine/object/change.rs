use types::{AttributeType, ObjectClass, Template, Value};

use super::{
    Attributes, SessionRights,
    rules::{self, Change},
    template::{must_be_consistent, unique_id},
};
use crate::Error;

/// Uses that one secret key may not gain side by side: what one of them lets out in the wrapping, the other
/// lets be read.
const APART: [(AttributeType, AttributeType); 2] =
    [(AttributeType::WRAP, AttributeType::DECRYPT), (AttributeType::DECRYPT, AttributeType::WRAP)];

/// The object with other attributes (`C_SetAttributeValue`).
///
/// # Errors
/// [`Error::ActionProhibited`] if the object cannot be modified, [`Error::AttributeReadOnly`] if an
/// attribute cannot, or not to this value; and those of templates.
pub(crate) fn modify(object: &Attributes, changes: Template, rights: SessionRights) -> Result<Attributes, Error> {
    // "Trusted certificates cannot be modified." But trust may end.
    let sealed =
        object.class() == Some(ObjectClass::CERTIFICATE) && object.flag(AttributeType::TRUSTED) && !rights.officer;
    if sealed || !object.flag(AttributeType::MODIFIABLE) {
        return Err(Error::ActionProhibited);
    }
    apply(object.duplicate(), changes, Change::Modify, rights)
}

/// A second object like the first, but for what the template says (`C_CopyObject`).
///
/// # Errors
/// [`Error::ActionProhibited`] if the object cannot be copied, [`Error::TemplateInconsistent`] if everybody
/// could see the copy of what not everybody could see; else those of [`modify`].
pub(crate) fn copy(object: &Attributes, changes: Template, rights: SessionRights) -> Result<Attributes, Error> {
    if !object.flag(AttributeType::COPYABLE) {
        return Err(Error::ActionProhibited);
    }
    let mut original = object.duplicate();
    if original.has(AttributeType::TRUSTED) {
        // Trust was given to that object, not to this one.
        original.set(AttributeType::TRUSTED, Value::Flag(false));
    }
    let mut copy = apply(original, changes, Change::Copy, rights)?;
    if object.flag(AttributeType::PRIVATE) && !copy.flag(AttributeType::PRIVATE) {
        return Err(Error::TemplateInconsistent("the copy of a private object is private"));
    }
    copy.set(AttributeType::UNIQUE_ID, unique_id()?);
    Ok(copy)
}

fn apply(object: Attributes, changes: Template, change: Change, rights: SessionRights) -> Result<Attributes, Error> {
    let kind = rules::of(&object).ok_or(Error::ActionProhibited)?;
    let mut changed = object.duplicate();
    let mut seen = Vec::with_capacity(changes.len());
    for (name, value) in changes {
        if seen.contains(&name) {
            return Err(Error::TemplateInconsistent("an attribute stands twice"));
        }
        seen.push(name);
        let rule = kind.rule(name).ok_or(Error::AttributeTypeInvalid(name))?;
        rule.check(&value)?;
        let allowed = rule.may_become(object.get(name), &value, change, rights.officer);
        if !allowed || joins(&object, &changed, name, &value) {
            return Err(Error::AttributeReadOnly(name));
        }
        changed.set(name, value);
    }
    must_be_consistent(&changed)?;
    Ok(changed)
}

/// Whether a key would gain a use beside another that it must stay apart from, or in its place.
fn joins(object: &Attributes, changed: &Attributes, name: AttributeType, value: &Value) -> bool {
    let gained = *value == Value::Flag(true) && !object.flag(name);
    gained && APART.iter().any(|(use_, other)| *use_ == name && (object.flag(*other) || changed.flag(*other)))
}
