//! pkcs11-tool of OpenSC: every verb that a token of software has. Its results are checked by OpenSSL.
//!
//! What OpenSC 0.23 (Debian 12) cannot do is said where it would be.

mod bench;
mod objects;
mod secrets;
mod sign;
mod token;

use crate::guide;

#[test]
fn the_guide_to_pkcs11_tool_can_be_followed() {
    let said = guide::follow("pkcs11-tool");
    assert!(said.contains("Verified OK"), "{said}");
}
