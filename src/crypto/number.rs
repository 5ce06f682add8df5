//! Unsigned numbers as bytes, most significant first: no arithmetic but what needs none.

/// Without leading zeros.
pub(crate) fn strip(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// How many bits a number has.
pub(crate) fn bits(number: &[u8]) -> usize {
    let number = strip(number);
    number.first().map_or(0, |first| 8 * number.len() - first.leading_zeros() as usize)
}

/// Whether one number is less than another, in a time that depends on lengths only.
pub(crate) fn is_below(one: &[u8], other: &[u8]) -> bool {
    let len = one.len().max(other.len());
    // From the last byte on; what is not there is 0.
    let byte = |number: &[u8], index| {
        let at = number.len().checked_sub(index + 1);
        u16::from(at.and_then(|at| number.get(at)).copied().unwrap_or_default())
    };
    let borrow =
        (0..len).fold(0, |borrow, index| byte(one, index).wrapping_sub(byte(other, index)).wrapping_sub(borrow) >> 15);
    borrow == 1
}

/// Whether a number is from 2 to `p - 2`, for an odd `p`: what a generator and a public value are at least.
pub(crate) fn is_inside(number: &[u8], p: &[u8]) -> bool {
    let mut last = strip(p).to_vec();
    if let Some(byte) = last.last_mut() {
        *byte &= 0xfe;
    }
    is_below(&[1], number) && is_below(number, &last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_whatever_zeros_stand_before_them() {
        assert!(is_below(&[0, 0, 1], &[2]) && is_below(&[2], &[0, 1, 0]) && !is_below(&[0, 5], &[5]));
        assert!(!is_below(&[], &[0]) && is_below(&[1, 0xff], &[2, 0]) && !is_below(&[2, 0], &[1, 0xff]));
        assert_eq!([bits(&[]), bits(&[0, 1]), bits(&[0x80]), bits(&[1, 0])], [0, 1, 8, 9]);
        let inside: Vec<u8> = (0..=13).filter(|number| is_inside(&[0, *number], &[0, 11])).collect();
        assert_eq!(inside, [2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
