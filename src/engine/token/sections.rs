//! Sections: how headers grow. Each has a type, a length and a value.
//!
//! The highest bit of the type says what a reader does that does not know it: refuse the token, or keep the section as
//! it is when it writes the header again.

use super::bytes::{Reader, Sink};

/// The bit of a type that says that a reader must understand the section.
const MUST_UNDERSTAND: u16 = 0x8000;

/// What a reader does that does not know a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It refuses the header.
    Refuse,
    /// It keeps the section as it is.
    Keep,
}

/// A section as it stands in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// Its type, without the bit.
    pub(super) kind: u16,
    pub(super) unknown: Unknown,
    pub(super) value: Vec<u8>,
}

impl Section {
    /// A section that must be understood.
    pub(super) fn required(kind: u16, value: Vec<u8>) -> Self {
        Self { kind, unknown: Unknown::Refuse, value }
    }

    pub(super) fn write(&self, out: &mut impl Sink) {
        let Self { kind, unknown, value } = self;
        let bit = match unknown {
            Unknown::Refuse => MUST_UNDERSTAND,
            Unknown::Keep => 0,
        };
        out.put(&(kind | bit).to_be_bytes());
        out.put(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.put(value);
    }

    /// The next section; `None` if it is cut off.
    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let kind = from.u16()?;
        let len = usize::try_from(from.u32()?).ok()?;
        let value = from.take(len)?.to_vec();
        let unknown = if kind & MUST_UNDERSTAND == 0 { Unknown::Keep } else { Unknown::Refuse };
        Some(Self { kind: kind & !MUST_UNDERSTAND, unknown, value })
    }

    /// All sections up to the end.
    pub(super) fn read_all(from: &mut Reader<'_>) -> Option<Vec<Self>> {
        let mut sections = Vec::new();
        while !from.is_empty() {
            sections.push(Self::read(from)?);
        }
        Some(sections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read_as_they_were_written_and_never_cut_off() {
        let sections =
            [Section::required(1, vec![7; 3]), Section { kind: 9, unknown: Unknown::Keep, value: Vec::new() }];
        let mut bytes = Vec::new();
        sections.iter().for_each(|section| section.write(&mut bytes));
        assert_eq!(Section::read_all(&mut Reader::new(&bytes)).unwrap(), sections);
        for len in 1..bytes.len() {
            let cut = Section::read_all(&mut Reader::new(&bytes[..len]));
            assert!(cut.is_none() || len == 9, "cut off at {len}");
        }
        let endless = [0x80, 1, 0xff, 0xff, 0xff, 0xff, 0];
        assert!(Section::read_all(&mut Reader::new(&endless)).is_none(), "a length that nothing has");
    }
}
