use types::{AttributeType, Kind, Value};

use super::{
    Attributes,
    parts::without_zeros,
    rules::{self, Rule},
};
use crate::Error;

/// The value of an attribute (`C_GetAttributeValue`).
///
/// # Errors
/// [`Error::AttributeSensitive`] if it may not be seen, also when it is not there;
/// [`Error::AttributeTypeInvalid`] if the object has no such attribute.
pub(crate) fn readable(object: &Attributes, name: AttributeType) -> Result<&Value, Error> {
    let rule = rules::of(object).and_then(|kind| kind.rule(name));
    let rule = rule.ok_or(Error::AttributeTypeInvalid(name))?;
    if hidden(object, rule) {
        return Err(Error::AttributeSensitive(name));
    }
    object.get(name).ok_or(Error::AttributeTypeInvalid(name))
}

/// Whether the object has all of these attributes (`C_FindObjects`). What may not be seen matches nothing,
/// lest it be found out by trying.
pub(crate) fn matches(object: &Attributes, template: &[(AttributeType, Value)]) -> bool {
    template.iter().all(|(name, wanted)| readable(object, *name).is_ok_and(|value| same(*name, value, wanted)))
}

/// About how many bytes an object takes (`C_GetObjectSize`): for each attribute 16 bytes, and its value, in
/// which a number counts as 8 bytes, a flag as one, and an embedded template as its attributes.
pub(crate) fn size(object: &Attributes) -> u64 {
    object.iter().map(|(_, value)| attribute_size(value)).sum()
}

fn hidden(object: &Attributes, rule: &Rule) -> bool {
    rule.secret() && (object.flag(AttributeType::SENSITIVE) || !object.flag(AttributeType::EXTRACTABLE))
}

fn same(name: AttributeType, value: &Value, wanted: &Value) -> bool {
    match (name.kind(), value, wanted) {
        // Numbers are kept without zeros in front, and asked for with them.
        (Some(Kind::BigInteger), Value::Bytes(value), Value::Bytes(wanted)) => {
            without_zeros(value.expose()) == without_zeros(wanted.expose())
        }
        _ => value == wanted,
    }
}

fn attribute_size(value: &Value) -> u64 {
    let len = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    let value = match value {
        Value::Flag(_) => 1,
        Value::Number(_) => 8,
        Value::Numbers(numbers) => len(numbers.len()).saturating_mul(8),
        Value::Date(date) => date.map_or(0, |date| len(date.0.len())),
        Value::Bytes(bytes) => len(bytes.len()),
        Value::Template(template) => template.iter().map(|(_, value)| attribute_size(value)).sum(),
    };
    value.saturating_add(16)
}
