use types::{AttributeType, ObjectClass, Template, Value};

use super::{
    Attributes, SessionRights,
    rotation::{schedule, version},
    rules::{self, Change},
    state::KeyState,
    template::{must_be_consistent, unique_id},
    uses,
};
use crate::{Error, alarms};

/// What takes a key out of use.
const OUT_OF_USE: [AttributeType; 2] = [AttributeType::SR_KEY_STATE, AttributeType::SR_MIN_VERSION];

/// The object with other attributes (`C_SetAttributeValue`).
///
/// # Errors
/// [`Error::ActionProhibited`] if the object cannot be modified, [`Error::AttributeReadOnly`] if an
/// attribute cannot, or not to this value; and those of templates.
pub(crate) fn modify(object: &Attributes, changes: Template, rights: SessionRights) -> Result<Attributes, Error> {
    // "Trusted certificates cannot be modified." But trust may end.
    let sealed =
        object.class() == Some(ObjectClass::CERTIFICATE) && object.flag(AttributeType::TRUSTED) && !rights.officer;
    // A key that cannot be modified can be taken out of use all the same.
    let only_use = changes.iter().all(|(name, _)| OUT_OF_USE.contains(name));
    if sealed || !(object.flag(AttributeType::MODIFIABLE) || only_use) {
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
        uses::remember(object, &mut original);
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
    let mut seen = Attributes::default();
    for (name, value) in changes {
        match seen.get(name) {
            Some(said) if *said == value => continue,
            Some(_) => return Err(Error::TemplateInconsistent("an attribute stands twice")),
            None => seen.set(name, value.duplicate()),
        }
        let rule = kind.rule(name).ok_or(Error::AttributeTypeInvalid(name))?;
        rule.check(&value)?;
        let allowed = rule.may_become(object.get(name), &value, change, rights.officer)
            && (name != AttributeType::SR_KEY_STATE || KeyState::of(&object).may_become(&value));
        // One after the other within a template is one after the other.
        let mut so_far = changed.duplicate();
        uses::remember(&object, &mut so_far);
        if !allowed || !uses::may_change(&so_far, name, &value, rights) {
            return Err(Error::AttributeReadOnly(name));
        }
        let bars_itself = name == AttributeType::SR_MIN_VERSION
            && matches!(KeyState::of(&object), KeyState::Enabled | KeyState::Disabled)
            && value.as_number().is_some_and(|least| least > version(&object));
        if bars_itself {
            return Err(Error::AttributeValueInvalid(name));
        }
        match value.as_number().filter(|_| name == AttributeType::SR_ROTATE_EVERY) {
            Some(every) => schedule(&mut changed, every, alarms::now()),
            None => changed.set(name, value),
        }
    }
    uses::remember(&object, &mut changed);
    must_be_consistent(&changed)?;
    if uses::differ(&object, &changed) {
        uses::must_stay_apart(&changed, rights)?;
    }
    Ok(changed)
}
