use data_encoding::HEXLOWER;

/// Bytes as hexadecimal digits, two for each.
pub(crate) fn digits(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// The bytes that such digits stand for.
pub(crate) fn bytes(digits: &str) -> Option<Vec<u8>> {
    HEXLOWER.decode(digits.as_bytes()).ok()
}
