//! The life of a key, as the command and a PKCS#11 program see it.

use crate::guide;

#[test]
fn the_guide_to_the_life_of_a_key_can_be_followed() {
    let said = guide::follow("lifecycle");
    for what in [
        "version 2     enabled",
        "version 1     retired",
        "is to be rotated every 90 days",
        "no key is due",
        "CKR_KEY_FUNCTION_NOT_PERMITTED",
        "a disabled key does not sign",
        "Private key not found",
        "a deleted key is not found",
        "lookup of the deleted key 'signer'",
        "strongroom key restore unique:",
        "a key that was restored is disabled",
        "a locked window is not shortened",
        "a token that keeps keys is not deleted",
        "CKR_FUNCTION_FAILED",
        "60 days",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
}
