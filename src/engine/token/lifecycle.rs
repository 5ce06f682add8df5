//! What a token does with keys that are destroyed, and with dates: a section of the token header.

use super::bytes::{Reader, Sink};

/// What holds for the lives of keys. A token that says nothing has none of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// For how many days a key that is destroyed can be restored; 0 for none.
    pub deletion_days: u16,
    /// Nobody can make that less, not even the officer.
    pub locked: bool,
    /// CKA_START_DATE and CKA_END_DATE hold. The specification has them "for reference only".
    pub dates: bool,
}

impl Lifecycle {
    /// What a `strict` token has that is told nothing else.
    pub const STRICT: Self = Self { deletion_days: 30, locked: false, dates: false };
    /// The longest window.
    pub const MOST_DAYS: u16 = 3650;

    /// For how long a key can be restored, in seconds; `None` if it cannot.
    pub(crate) fn window(self) -> Option<u64> {
        (self.deletion_days > 0).then_some(u64::from(self.deletion_days) * 86_400)
    }

    /// Nothing, if there is nothing to say.
    pub(super) fn encode(self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.put(&self.deletion_days.to_be_bytes());
        bytes.put(&[u8::from(self.locked) | u8::from(self.dates) << 1]);
        (self != Self::default()).then_some(bytes)
    }

    /// `None` if it says what we never write.
    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (deletion_days, flags) = (from.u16()?, from.u8()?);
        let read = Self { deletion_days, locked: flags & 1 != 0, dates: flags & 2 != 0 };
        let ours = flags < 4 && deletion_days <= Self::MOST_DAYS && read != Self::default();
        ours.then_some(read)
    }
}
