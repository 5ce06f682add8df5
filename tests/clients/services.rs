//! What a key-management service does: each feature by the command or the call that the guide names.

use std::{collections::BTreeSet, fs, process::Command};

use crate::{
    guide,
    store::{commands, module, project, succeeded},
};

#[test]
fn the_guide_from_a_key_management_service_can_be_followed() {
    let said = guide::follow("services");
    for what in [
        // Encrypt, sign, authenticate.
        "AES: decrypted",
        "Signature is valid",
        "it is the same public key",
        "RSA: decrypted",
        "5 MB: decrypted",
        "another context opens nothing",
        "The signature of message is right (ecdsa-sha256)",
        "The code of message is right (hmac-sha256)",
        "Key spec-rsa-4096 of kind rsa-4096",
        "The signature of message is right (rsa-pss-sha256)",
        "The signature of message is right (ecdsa-sha384)",
        "The signature of message is right (ecdsa-sha512)",
        "The signature of message is right (ed25519)",
        "Key spec-secp256k1 of kind secp256k1",
        "ED25519 Public-Key:",
        "Key spec-hmac-sha512 of kind hmac-sha512",
        "28 code",
        "both have the same secret",
        // Data keys.
        "the data key has 32 bytes",
        "the data key needs its context",
        "it is the same data key",
        // What a key cannot do.
        "CKA_PRIVATE  true\nCKA_SENSITIVE  true\nCKA_EXTRACTABLE  false\nCKA_NEVER_EXTRACTABLE  true\nCKA_ALWAYS_SENSITIVE  true\n",
        "C_WrapKey failed: rv = CKR_KEY_UNEXTRACTABLE",
        "it does not leave",
        "Key wrapped",
        "[CKR_KEY_UNEXTRACTABLE]",
        "not in any other way",
        "C_SignInit failed: rv = CKR_MECHANISM_INVALID",
        "not by another mechanism",
        "C_DecryptInit failed: rv = CKR_KEY_FUNCTION_NOT_PERMITTED",
        "not for another use",
        "C_SignInit failed: rv = CKR_KEY_FUNCTION_NOT_PERMITTED",
        "a disabled key does not sign",
        "a compromised key does not sign",
        // Rotation.
        "the old blob opens still",
        "version 1     retired",
        "version 1     barred",
        "version 1 opens nothing any more",
        "Key signer of token kms has version 2 now",
        "is to be rotated every 90 days",
        // Deletion.
        "secret key    01 ",
        "Secret key not found",
        "it is not found",
        "lookup of the deleted key 'aes' (id 01)",
        "strongroom key restore unique:",
        "it is back",
        "C_InitToken failed: rv = CKR_FUNCTION_FAILED",
        "it is not emptied",
        "a locked window is not shortened",
        // The log.
        "signer  sign  CKM_ECDSA_SHA256  ",
        "the signature of the last one, checkpoint ",
        " checkpoint [audit@32473 ",
        "entry 5 is not as it was written",
        "one byte is noticed",
        "the 7 entries are chained, but entry ",
        "what was cut off is noticed",
        "C_SignInit failed: rv = CKR_DEVICE_ERROR",
        "what is not written down is not done",
        "are as they were written and signed",
        // What is out of the ordinary.
        "failure-burst  key 'archive': 5 uses were refused",
        "something is out of the ordinary",
        "\"rule\":\"failure-burst\"",
        "key records is disabled because of that",
        "the door is shut",
        "rate-jump  key 'archive': it was used 11 times within the hour, by strongroom (user) last; 10 are the most",
        // Wrong PINs.
        "C_Login failed: rv = CKR_PIN_INCORRECT",
        "C_Login failed: rv = CKR_PIN_LOCKED",
        "the right one does not help any more",
        "The PIN is set.",
        // The rules as a file.
        "profile: \"compatible\", and the policy says \"strict\"",
        "records: encrypt with CKM_AES_GCM by strongroom",
        "something would be refused",
        "uses would be refused",
        "The policy holds for token kms; other than before: pin-tries.",
        "the token is as the policy says",
        // A key of one's own, and what the token says of one.
        "Key brought of kind aes-256 is in token kms",
        "it comes in once",
        "the signature is right: the token has said this of the key",
        "can leave    no, and it never could",
        "forged.json shows nothing",
        "a forged statement is noticed",
        // Backup.
        "objects are whole",
        "one share opens nothing",
        "nothing is lost",
        // Metrics, programs.
        "strongroom_keys{",
        "strongroom_keys_pending_deletion{",
        "nothing is wrong",
        "  2  p256         enabled  ",
        "No errors",
        "*** Calling C_Initialize in forked child process ***",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    // By the public half of a key of the token, and by that of a pair of data keys.
    assert_eq!(said.matches("Verified OK").count(), 2, "{said}");
}

/// The cells of a row of the guide's table.
fn cells(line: &str) -> [&str; 3] {
    line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().try_into().unwrap()
}

/// The guide's table of features, without its head.
fn rows(guide: &str) -> Vec<[&str; 3]> {
    let table = guide.lines().skip_while(|line| !line.starts_with("| feature | what")).skip(2);
    table.take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// What stands in a cell as code.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_feature_of_the_guide_names_a_verb_an_option_or_a_function_that_exists_and_is_typed_below() {
    let guide = fs::read_to_string(project("docs/guides/services.md")).unwrap();
    let blocks: String = guide.split("```sh\n").skip(1).filter_map(|text| text.split("```").next()).collect();
    let typed = blocks.replace("pkcs11-tool --module \"$MODULE\" ", "pkcs11-tool ").replace("p11 ", "pkcs11-tool ");
    let exported = succeeded(Command::new("nm").args(["-D", "--defined-only"]).arg(module()));
    let functions: BTreeSet<&str> = exported.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    // Its exit code is 1, whatever it is asked.
    let tool = Command::new("pkcs11-tool").arg("--help").output().unwrap();
    let tool = String::from_utf8_lossy(&[tool.stdout, tool.stderr].concat()).into_owned();

    let rows = rows(&guide);
    assert!(rows.len() >= 28, "a row for each feature: {}", rows.len());
    for [feature, there, here] in rows {
        assert!(!feature.is_empty() && !there.is_empty(), "{feature}: {there}");
        let named = code(here);
        let known = named.iter().filter(|named| !named.starts_with("CKA_"));
        assert!(known.clone().count() > 0, "{feature}: it names what to type");
        for named in known {
            let (words, options): (Vec<&str>, Vec<&str>) =
                named.split_whitespace().partition(|word| !word.starts_with("--"));
            let text = match words.split_first() {
                Some((&"strongroom", verb)) => {
                    assert!(typed.contains(&words.join(" ")), "{named} is not typed");
                    // It fails for a verb that does not exist.
                    succeeded(Command::new(commands().join("strongroom")).arg("help").args(verb))
                }
                Some((&"pkcs11-tool", [])) => {
                    assert!(options.iter().all(|option| typed.contains(option)), "{named} is not typed");
                    tool.clone()
                }
                Some((function, [])) if function.starts_with("C_") => {
                    assert!(functions.contains(function), "{feature}: there is no {function}");
                    continue;
                }
                _ => panic!("{feature}: '{named}' is neither a verb nor a function"),
            };
            for option in options {
                let is_there =
                    text.split_whitespace().any(|word| word.trim_matches(['<', '>', '|', '[', ']', ',']) == option);
                assert!(is_there, "{feature}: {named} has no {option}");
            }
        }
    }
}
