//! What is shown of a token, its PINs, and the tests that pkcs11-tool has of its own.

use super::bench::Bench;
use crate::store::{OFFICER_PIN, USER_PIN};

#[test]
fn the_library_its_slots_and_its_mechanisms_are_shown() {
    let bench = Bench::new("show");
    let info = bench.anybody("--show-info");
    assert!(info.contains("Cryptoki version 3.2") && info.contains("Manufacturer     strongroom"), "{info}");
    let interfaces = bench.anybody("--list-interfaces");
    for version in ["version: 3.2", "version: 3.0", "version: 2.40"] {
        assert!(interfaces.contains(version), "{interfaces}");
    }
    let slots = bench.anybody("--list-slots");
    assert!(slots.contains("token label        : test"), "{slots}");
    assert!(slots.contains("token state:   uninitialized"), "one is free for another token: {slots}");
    let flags = "login required, rng, token initialized, PIN initialized";
    let tokens = bench.anybody("--list-token-slots");
    assert!(tokens.contains(flags) && !tokens.contains("PIN count low"), "{tokens}");

    let mechanisms = bench.anybody("--list-mechanisms");
    let expected = [
        ("RSA-PKCS-KEY-PAIR-GEN", "generate_key_pair"),
        ("RSA-PKCS-PSS", "sign, verify"),
        ("RSA-PKCS-OAEP", "encrypt, decrypt, wrap, unwrap"),
        ("ECDSA-KEY-PAIR-GEN", "generate_key_pair"),
        ("ECDSA-SHA256", "sign, verify"),
        ("ECDH1-DERIVE", "derive"),
        ("EDDSA", "sign, verify"),
        ("AES-KEY-GEN", "generate"),
        ("AES-GCM", "encrypt, decrypt, wrap, unwrap"),
        ("SHA512", "digest"),
    ];
    for (name, uses) in expected {
        let line = mechanisms.lines().find(|line| line.trim_start().starts_with(&format!("{name},")));
        assert!(line.is_some_and(|line| line.contains(uses)), "{name}: {mechanisms}");
    }
}

#[test]
fn random_bytes_are_as_many_as_asked() {
    let bench = Bench::new("random");
    for (file, length) in [("first", 32), ("second", 32), ("long", 5000)] {
        bench.anybody(&format!("--generate-random {length} --output-file {file}"));
        assert_eq!(bench.read(file).len(), length);
    }
    assert_ne!(bench.read("first"), bench.read("second"));
}

#[test]
fn pins_are_set_changed_and_unlocked() {
    let bench = Bench::new("pins");
    bench.user("--keypairgen --key-type EC:prime256v1 --id 01 --label kept");
    let works = |pin: &str| {
        let listed = bench.anybody(&format!("--login --pin {pin} --list-objects --type privkey"));
        assert!(listed.contains("label:      kept"), "{listed}");
    };
    let wrong = |pin: &str| bench.refused(&format!("--login --pin {pin} --list-objects"));

    bench.anybody(&format!("--change-pin --pin {USER_PIN} --new-pin 23456"));
    works("23456");
    assert!(wrong(USER_PIN).contains("CKR_PIN_INCORRECT"));
    bench.officer("--init-pin --new-pin 34567");
    works("34567");

    // There is no PUK: the officer gives a new PIN.
    let unlock = "--unlock-pin --login-type context-specific --puk 000000 --new-pin 45678";
    assert!(bench.refused(unlock).contains("CKR_PIN_INCORRECT"));
    works("34567");
    let locked = (0..20).map(|_| wrong("00000")).position(|text| text.contains("CKR_PIN_LOCKED"));
    assert_eq!(locked, Some(9), "the tenth wrong PIN locks");
    assert!(wrong("34567").contains("CKR_PIN_LOCKED"), "the right one too");
    assert!(bench.anybody("--list-slots").contains("user PIN locked"));
    bench.officer(&format!("--init-pin --new-pin {USER_PIN}"));
    works(USER_PIN);

    bench.officer("--change-pin --new-pin 87654321");
    let officer = |pin: &str| format!("--login --login-type so --so-pin {pin} --init-pin --new-pin 56789");
    assert!(bench.refused(&officer(OFFICER_PIN)).contains("CKR_PIN_INCORRECT"));
    bench.anybody(&officer("87654321"));
    works("56789");
}

#[test]
fn a_wrong_pin_is_refused() {
    let text = Bench::new("pin").refused("--login --pin 4321 --list-objects");
    assert!(text.contains("CKR_PIN_INCORRECT"), "{text}");
}

#[test]
fn the_tools_own_tests_find_no_error() {
    let bench = Bench::new("test");
    bench.user("--keypairgen --key-type rsa:2048 --id 01 --label rsa");
    let text = bench.user("--test");
    assert!(text.contains("No errors"), "{text}");
    for (at, curve) in ["prime256v1", "secp384r1", "secp521r1"].iter().enumerate() {
        let text = bench.user(&format!("--test-ec --session-rw --key-type EC:{curve} --id 1{at} --label {curve}"));
        assert!(text.contains("==> OK") && !text.contains("rror"), "{curve}: {text}");
    }
    bench.anybody("--test-fork");
    // Two threads: with locks, the library, the slots, the first token. The tool waits for half a minute if they have not
    // ended when it has, so it gets something to do.
    let text = bench.user("--list-mechanisms --test-threads ILGISLT0 --test-threads ILGISLT0");
    assert!(text.matches("C_GetSlotList returned CKR_OK").count() >= 2, "{text}");
    assert!(!text.contains("Unknown test") && text.contains("all threads have ended with CKR_OK"), "{text}");
}
