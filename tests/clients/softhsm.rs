//! Programs that were set up for SoftHSM.

use std::fs;

use crate::{
    guide,
    store::{Store, module},
};

#[test]
fn the_guide_to_softhsms_place_can_be_followed() {
    let place = Store::new("softhsms-place");
    let ours = place.0.join("libsofthsm2.so");
    fs::copy(module(), &ours).unwrap();
    let said = guide::follow_with("softhsm", &[("MODULE", ours.display().to_string())]);
    let (before, after) = said.split_once(" is in slot ").unwrap_or_else(|| panic!("{said}"));
    assert!(before.contains("SoftHSM slot ID 0x0"), "{said}");
    assert!(after.contains("Private Key Object") && after.contains("signer"), "{said}");
}
