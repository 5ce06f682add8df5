//! ECDSA signatures as certificates and OpenSSL have them (RFC 3279, 2.2.3), and as PKCS#11 has them.

use der::{Decode, Encode, asn1::UintRef};

use crate::fault::Fault;

#[derive(der::Sequence)]
struct Numbers<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// Of both numbers one after the other.
pub(crate) fn to_der(plain: &[u8]) -> Result<Vec<u8>, Fault> {
    let encoding = |why: der::Error| Fault::Usage(format!("this cannot be written as a signature: {why}"));
    let (r, s) = plain.split_at(plain.len() / 2);
    let numbers = Numbers { r: UintRef::new(r).map_err(encoding)?, s: UintRef::new(s).map_err(encoding)? };
    numbers.to_der().map_err(encoding)
}

/// Both numbers, each in `width` bytes; `None` if it is no such signature.
pub(crate) fn from_der(bytes: &[u8], width: usize) -> Option<Vec<u8>> {
    let Numbers { r, s } = Numbers::from_der(bytes).ok()?;
    let mut plain = vec![0; 2 * width];
    for (number, end) in [(r, width), (s, 2 * width)] {
        let digits = number.as_bytes();
        plain
            .get_mut(end.checked_sub(digits.len()).filter(|start| start + width >= end)?..end)?
            .copy_from_slice(digits);
    }
    Some(plain)
}
