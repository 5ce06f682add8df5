//! pkcs11-tool of OpenSC.

use crate::{guide, store::Store};

#[test]
fn every_type_of_key_can_be_made_and_listed() {
    let store = Store::with_token("types");
    let pairs = ["rsa:2048", "EC:prime256v1", "EC:secp384r1", "EC:secp521r1", "EC:secp256k1", "EC:edwards25519"];
    for (id, kind) in pairs.iter().enumerate() {
        store.succeeds(&[
            "-l",
            "--pin",
            "1234",
            "-k",
            "--key-type",
            kind,
            "--label",
            kind,
            "--id",
            &format!("{id:02x}"),
        ]);
    }
    for kind in ["AES:16", "AES:24", "AES:32", "GENERIC:64"] {
        store.succeeds(&["-l", "--pin", "1234", "--keygen", "--key-type", kind, "--label", kind]);
    }
    let listed = store.succeeds(&["-l", "--pin", "1234", "-O"]);
    assert_eq!(listed.matches("Private Key Object").count(), pairs.len(), "{listed}");
    assert_eq!(listed.matches("Secret Key Object").count(), 4, "{listed}");
}

#[test]
fn the_tools_own_tests_find_no_error() {
    let store = Store::with_token("test");
    store.succeeds(&["-l", "--pin", "1234", "-k", "--key-type", "rsa:2048", "--id", "01"]);
    let text = store.succeeds(&["-l", "--pin", "1234", "--test"]);
    assert!(text.contains("No errors"), "{text}");
    store.succeeds(&["--test-fork"]);
}

#[test]
fn a_wrong_pin_is_refused() {
    let store = Store::with_token("pin");
    let output = store.pkcs11_tool(&["-l", "--pin", "4321", "-O"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("CKR_PIN_INCORRECT"));
}

#[test]
fn the_guide_to_pkcs11_tool_can_be_followed() {
    let said = guide::follow("pkcs11-tool");
    assert!(said.contains("Verified OK"), "{said}");
}
