//! `strongroom cert issue` and `show`, `object`, `token label` and `env`.

use std::{
    fs,
    process::{Command, Output},
};

use crate::store::{Store, refused, said, text};

fn run(store: &Store, arguments: &[&str]) -> Output {
    store.command(&[arguments, &["--pin", "env:PIN"]].concat()).current_dir(&store.0).output().unwrap()
}

fn sh(store: &Store, line: &str) -> String {
    let output = Command::new("sh").args(["-ec", line]).current_dir(&store.0).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    text(&output.stdout)
}

#[test]
fn a_certificate_is_issued_for_a_request_and_openssl_finds_the_chain_right() {
    let store = Store::new("issue");
    for (ca, kind) in [("ca-rsa", "rsa-2048"), ("ca-p256", "p256"), ("ca-ed", "ed25519")] {
        said(&run(&store, &["key", "create", ca, "--kind", kind]));
        let root = said(&run(&store, &["cert", "self-sign", ca, "--ca", "--subject", "CN=Root"]));
        fs::write(store.0.join("root.pem"), root).unwrap();
        for make in ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-384", "ed25519"] {
            sh(
                &store,
                &format!(
                    "openssl req -new -newkey {make} -nodes -keyout k -subj '/CN=server/O=Us' -addext subjectAltName=DNS:a.example,DNS:b.example -out csr 2>/dev/null"
                ),
            );
            fs::write(
                store.0.join("leaf.pem"),
                said(&run(&store, &["cert", "issue", ca, "--csr", "csr", "--days", "30"])),
            )
            .unwrap();
            sh(
                &store,
                "openssl verify -x509_strict -CAfile root.pem -verify_hostname b.example -purpose sslserver leaf.pem",
            );
            let words = sh(&store, "openssl x509 -in leaf.pem -noout -subject -issuer");
            assert!(words.contains("server") && words.contains("Root"), "{words}");
        }
        let other = said(&run(&store, &["cert", "issue", ca, "--csr", "csr", "--dns", "only.example", "--ca"]));
        fs::write(store.0.join("leaf.pem"), other).unwrap();
        let words = sh(&store, "openssl x509 -in leaf.pem -noout -text");
        assert!(
            words.contains("DNS:only.example") && !words.contains("a.example") && words.contains("CA:TRUE"),
            "{words}"
        );
    }
    said(&run(&store, &["cert", "import", "leaf.pem", "--label", "leaf"]));
    let shown = said(&run(&store, &["cert", "show", "leaf"]));
    for words in ["issuer   CN=Root", "hosts    only.example", "ca       yes"] {
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn a_request_that_is_not_signed_by_its_key_and_a_key_that_is_no_authoritys_are_refused() {
    let store = Store::new("not-issued");
    said(&run(&store, &["key", "create", "ca", "--kind", "p256"]));
    sh(
        &store,
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=x -outform DER -out csr 2>/dev/null",
    );
    let (code, why) = refused(&run(&store, &["cert", "issue", "ca", "--csr", "csr"]));
    assert!(code == 2 && why.contains("self-sign --ca"), "{why}");
    said(&run(&store, &["cert", "self-sign", "ca"]));
    assert_eq!(refused(&run(&store, &["cert", "issue", "ca", "--csr", "csr"])).0, 2, "it is no authority's");
    said(&run(&store, &["cert", "self-sign", "ca", "--ca"]));
    said(&run(&store, &["cert", "issue", "ca", "--csr", "csr"]));
    let mut bytes = fs::read(store.0.join("csr")).unwrap();
    let name = bytes.windows(2).position(|two| two == b"\x01x").unwrap() + 1;
    bytes[name] = b'y';
    fs::write(store.0.join("csr"), bytes).unwrap();
    let (code, why) = refused(&run(&store, &["cert", "issue", "ca", "--csr", "csr"]));
    assert!(code == 1 && why.contains("does not have its key"), "{why}");
    fs::write(store.0.join("csr"), "no request").unwrap();
    let (code, why) = refused(&run(&store, &["cert", "issue", "ca", "--csr", "csr"]));
    assert!(code == 2 && why.contains("no signing request"), "{why}");
}

#[test]
fn an_object_is_shown_with_what_may_be_seen_and_one_half_of_a_pair_is_deleted() {
    let store = Store::new("objects");
    said(&run(&store, &["key", "create", "k", "--kind", "p256"]));
    let (code, why) = refused(&run(&store, &["object", "show", "k"]));
    assert!(code == 2 && why.contains("could be any of these"), "{why}");
    let shown = said(&run(&store, &["object", "show", "k", "--class", "private-key"]));
    assert!(!shown.contains("CKA_VALUE ") && shown.contains("CKA_LABEL") && shown.contains("CKA_SENSITIVE"), "{shown}");
    let told = said(&run(&store, &["--json", "object", "show", "k", "--class", "private-key"]));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(told["data"]["CKA_LABEL"] == "k" && told["data"]["CKA_SENSITIVE"] == true, "{told}");
    assert_eq!(refused(&run(&store, &["object", "delete", "k", "--class", "public-key"])).0, 2);
    said(&run(&store, &["object", "delete", "k", "--class", "public-key", "--yes"]));
    assert!(said(&run(&store, &["key", "show", "k"])).contains("is           private key\n"));
    assert_eq!(refused(&run(&store, &["object", "show", "nothing"])).0, 3);
}

#[test]
fn a_token_gets_another_label_and_keeps_its_keys_and_serial_number() {
    let store = Store::new("label");
    said(&run(&store, &["key", "create", "k", "--kind", "p256"]));
    let serial = |token: &str| {
        let told: serde_json::Value =
            serde_json::from_str(&said(&store.run(&["--json", "token", "show", "--token", token]))).unwrap();
        told["data"]["serial"].as_str().unwrap().to_owned()
    };
    let before = serial("mine");
    assert_eq!(refused(&store.run(&["token", "label", "ours", "--so-pin", "env:WRONG"])).0, 4);
    said(&store.run(&["token", "label", "ours", "--so-pin", "env:SO_PIN"]));
    assert_eq!(serial("ours"), before);
    assert_eq!(refused(&store.run(&["token", "show", "--token", "mine"])).0, 3);
    said(&run(&store, &["sign", "k", "/dev/null"]));
    let (code, why) = refused(&store.run(&["token", "label", &"x".repeat(33), "--so-pin", "env:SO_PIN"]));
    assert!(code == 2 && why.contains("at most 32 bytes"), "{why}");
}

#[test]
fn a_shell_works_with_a_token_of_its_own_that_goes_with_it() {
    let store = Store::new("env");
    let line = "eval \"$(\"$STRONGROOM\" env --ephemeral)\"; \"$STRONGROOM\" key create k --kind p256 --pin env:TOKEN_PIN; echo \"$STRONGROOM_STORE\"; ls \"$STRONGROOM_STORE\" | wc -l";
    let mut shell = Command::new("bash");
    shell
        .args(["-ec", line])
        .env("STRONGROOM", env!("CARGO_BIN_EXE_strongroom"))
        .env("STRONGROOM_STORE", store.tokens());
    let output = said(&shell.output().unwrap());
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "Key k of kind p256 is in token ephemeral.");
    assert!(lines[2].trim().parse::<u32>().unwrap() > 0, "{output}");
    assert!(!fs::exists(lines[1]).unwrap(), "it is gone");
}

#[test]
fn the_shells_own_token_is_removed_and_nothing_else_wherever_it_is() {
    let store = Store::new("quoting");
    for odd in ["a blank", "it's", "semi;touch pwned;", "$(touch pwned)"] {
        let place = store.0.join(odd);
        fs::create_dir_all(&place).unwrap();
        let beside = store.0.join(odd.split(' ').next().unwrap()).join("beside");
        fs::create_dir_all(&beside).unwrap();
        let line =
            "eval \"$(\"$STRONGROOM\" env --ephemeral)\"; test -d \"$STRONGROOM_STORE\"; echo \"$STRONGROOM_STORE\"";
        let mut shell = Command::new("bash");
        shell.args(["-ec", line]).env("STRONGROOM", env!("CARGO_BIN_EXE_strongroom")).env("TMPDIR", &place);
        let output = said(&shell.current_dir(&store.0).output().unwrap());
        assert!(!fs::exists(output.trim()).unwrap(), "{odd}: it is gone");
        assert!(beside.exists() && !store.0.join("pwned").exists(), "{odd}: and nothing else has happened");
    }
}
