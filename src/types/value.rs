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

impl Date {
    /// Whether there is such a day, in the Gregorian calendar.
    #[must_use]
    pub fn exists(self) -> bool {
        let digits = self.0.map(|digit| u32::from(digit).wrapping_sub(u32::from(b'0')));
        if digits.iter().any(|digit| *digit > 9) {
            return false;
        }
        let [a, b, c, d, e, f, g, h] = digits;
        let (year, month, day) = (a * 1000 + b * 100 + c * 10 + d, e * 10 + f, g * 10 + h);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => 0,
        };
        (1..=days).contains(&day)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_there_are_and_days_that_there_are_not() {
        for day in [b"20240229", b"20000229", b"20261231", b"99991130", b"00010101"] {
            assert!(Date(*day).exists(), "{day:?}");
        }
        for no_day in [b"20230229", b"19000229", b"20261301", b"20260431", b"20260100", b"20260001", b"2026-1-1"] {
            assert!(!Date(*no_day).exists(), "{no_day:?}");
        }
    }
}
