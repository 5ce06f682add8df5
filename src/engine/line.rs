//! Lines of JSON whose last member is about the text before it: a link, or a signature.

use crypto::{SUITE, edwards::Curve};

use crate::hex::digits;

/// What stands between a text without its brace and the value of the last member.
fn before(name: &str) -> String {
    format!(",\"{name}\":\"")
}

/// A text, an object of JSON, with one more member behind all others.
pub(crate) fn with_last(text: &str, name: &str, value: &[u8]) -> String {
    let inner = text.strip_suffix('}').unwrap_or(text);
    format!("{inner}{}{}\"}}", before(name), digits(value))
}

/// The text of such a line, and the digits of its last member; `None` if it does not end with that.
pub(crate) fn without_last<'l>(line: &'l str, name: &str) -> Option<(String, &'l str)> {
    let before = before(name);
    let (inner, rest) = line.split_at_checked(line.rfind(&before)?)?;
    let told = rest.strip_prefix(&*before)?.strip_suffix("\"}")?;
    Some((format!("{inner}}}"), told))
}

/// Whether a message was signed by this key (Ed25519).
pub(crate) fn is_signed(message: &[u8], signature: &[u8], public_key: &[u8]) -> bool {
    let key = (SUITE.edwards_public)(Curve::Ed25519, public_key);
    key.and_then(|key| key.verify(message, signature)).is_ok()
}
