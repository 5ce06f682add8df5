//! A key ceremony, as the people at it type it.

use crate::guide;

#[test]
fn the_guide_to_a_key_ceremony_can_be_followed() {
    let said = guide::follow("key-ceremony");
    for what in [
        "2 of these 3 shares open it",
        "2 of 3 shares open it",
        "The token in it, authority, is whole.",
        "2 objects are whole",
        "2 of its 3 shares open it, and 1 came: number 2",
        "one share opens nothing",
        "Token authority is in slot 0, as it was",
        "it is the same key",
        "newer than the backup: it has changed",
        "the token here is newer",
        "the partner's key is here",
        "it comes in once",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let kept = said.rsplit("Token authority is in slot 0").next().unwrap();
    assert!(kept.contains("root") && !kept.contains("later"), "{kept}");
}
