//! The guide to what is out of the ordinary.

use crate::guide;

#[test]
fn the_guide_to_what_is_out_of_the_ordinary_can_be_followed() {
    let said = guide::follow("alarms");
    for what in ["nothing is out of the ordinary", "failure-burst  key 'signer': 10 uses", "somebody tries"] {
        assert!(said.contains(what), "{what}: {said}");
    }
}
