//! The rules of a token as a file, as somebody types it who keeps them so.

use crate::guide;

#[test]
fn the_guide_to_policies_can_be_followed() {
    let said = guide::follow("policy");
    for what in [
        "the token is as the policy says",
        "profile: \"compatible\", and the policy says \"strict\"",
        "they differ",
        "records: encrypt with CKM_AES_GCM by strongroom",
        "something would be refused",
        "Version 1 of the policy holds for token vault",
        "not without the board",
        "not a second time",
        "policy-applied",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
}
