#![allow(clippy::useless_conversion)] // `CK_ULONG` has 64 bits here and 32 elsewhere.

use cryptoki_sys::{CK_ULONG, CK_UNAVAILABLE_INFORMATION};

/// A number from C in 64 bits, whatever it had.
pub(crate) fn from_c(number: CK_ULONG) -> u64 {
    match number {
        CK_UNAVAILABLE_INFORMATION => types::UNAVAILABLE,
        number => u64::from(number),
    }
}

/// A number for C. What does not fit there cannot be told.
pub(crate) fn to_c(number: u64) -> CK_ULONG {
    CK_ULONG::try_from(number).unwrap_or(CK_UNAVAILABLE_INFORMATION)
}

/// A length for C.
pub(crate) fn length_to_c(length: usize) -> CK_ULONG {
    CK_ULONG::try_from(length).unwrap_or(CK_UNAVAILABLE_INFORMATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_stays_so() {
        assert_eq!(from_c(CK_UNAVAILABLE_INFORMATION), types::UNAVAILABLE);
        assert_eq!(to_c(types::UNAVAILABLE), CK_UNAVAILABLE_INFORMATION);
        assert_eq!(to_c(from_c(7)), 7);
    }
}
