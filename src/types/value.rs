use crate::{AttributeType, Secret};

/// The value of an attribute, owned.
///
/// What a template brings is taken in by its attribute's [`crate::Kind`]; a value whose size does not fit
/// its kind never becomes a `Value`.
pub enum Value {
    /// A `CK_BBOOL`.
    Flag(bool),
    /// A `CK_ULONG`.
    Number(u64),
    /// An array of `CK_ULONG`.
    Numbers(Vec<u64>),
    /// A date, or none.
    Date(Option<Date>),
    /// Bytes, text or a big integer. All of them wipe themselves: most of a key is kept this way.
    Bytes(Secret),
    /// A template.
    Template(Template),
}

/// A `CK_DATE` as its eight digits `YYYYMMDD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub [u8; 8]);

/// Attributes in the order in which they were given. Duplicates are kept: who reads it says what they mean.
pub type Template = Vec<(AttributeType, Value)>;

impl Value {
    /// Bytes, text or a big integer.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(Secret::new(bytes.into()))
    }

    /// The flag, if it is one.
    #[must_use]
    pub fn as_flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The bytes, if it has such.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes.expose()),
            _ => None,
        }
    }

    /// The numbers, if it is an array of them.
    #[must_use]
    pub fn as_numbers(&self) -> Option<&[u64]> {
        match self {
            Self::Numbers(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// The template, if it is one.
    #[must_use]
    pub fn as_template(&self) -> Option<&Template> {
        match self {
            Self::Template(template) => Some(template),
            _ => None,
        }
    }

    /// A second value like this one.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Flag(flag) => Self::Flag(*flag),
            Self::Number(number) => Self::Number(*number),
            Self::Numbers(numbers) => Self::Numbers(numbers.clone()),
            Self::Date(date) => Self::Date(*date),
            Self::Bytes(bytes) => Self::Bytes(bytes.duplicate()),
            Self::Template(template) => {
                Self::Template(template.iter().map(|(name, value)| (*name, value.duplicate())).collect())
            }
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Flag(a), Self::Flag(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Numbers(a), Self::Numbers(b)) => a == b,
            (Self::Date(a), Self::Date(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a.expose() == b.expose(),
            (Self::Template(a), Self::Template(b)) => a == b,
            _ => false,
        }
    }
}
