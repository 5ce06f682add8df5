//! `strongroom sign`, `verify`, `mac` and `digest`. OpenSSL is the judge.

use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use crate::store::{Store, refused, said, text};

fn run(store: &Store, arguments: &[&str]) -> Output {
    store.run(&[arguments, &["--pin", "env:PIN"]].concat())
}

fn openssl(store: &Store, arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).current_dir(&store.0).output().unwrap()
}

/// A message of many parts, of which the last is not whole.
fn message(store: &Store) -> PathBuf {
    let path = store.0.join("message");
    let bytes: Vec<u8> = (0..=255).cycle().take(3 << 20 | 77).collect();
    fs::write(&path, bytes).unwrap();
    path
}

/// How OpenSSL checks a scheme.
const JUDGED: [(&str, Option<&str>, &[&str]); 10] = [
    ("rsa-2048", None, &["dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]),
    (
        "rsa-2048",
        Some("rsa-pss-sha512"),
        &["dgst", "-sha512", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:64"],
    ),
    ("rsa-2048", Some("rsa-pkcs1-sha256"), &["dgst", "-sha256"]),
    ("rsa-2048", Some("rsa-pkcs1-sha384"), &["dgst", "-sha384"]),
    ("p256", None, &["dgst", "-sha256"]),
    ("p256", Some("ecdsa-sha512"), &["dgst", "-sha512"]),
    ("p384", None, &["dgst", "-sha384"]),
    ("p521", None, &["dgst", "-sha512"]),
    ("secp256k1", None, &["dgst", "-sha256"]),
    ("ed25519", None, &["pkeyutl", "-rawin"]),
];

#[test]
fn a_signature_of_each_scheme_is_right_to_openssl_and_to_the_command_and_a_changed_message_is_not() {
    let store = Store::new("sign");
    let message = message(&store);
    let file = message.to_str().unwrap();
    for (number, (kind, scheme, judge)) in JUDGED.iter().enumerate() {
        let key = format!("{kind}-{number}");
        said(&run(&store, &["key", "create", &key, "--kind", kind]));
        fs::write(store.0.join("public.pem"), said(&run(&store, &["key", "export", &key]))).unwrap();
        let signature = store.0.join("signature");
        let option: Vec<&str> = scheme.iter().flat_map(|scheme| ["--scheme", scheme]).collect();
        let out = ["--out", signature.to_str().unwrap()];
        said(&run(&store, &[&["sign", &key, file], &option[..], &out].concat()));
        let public: &[&str] = match judge[0] {
            "dgst" => &["-verify", "public.pem", "-signature", "signature", "message"],
            _ => &["-verify", "-pubin", "-inkey", "public.pem", "-sigfile", "signature", "-in", "message"],
        };
        let judged = openssl(&store, &[judge, public].concat());
        assert!(judged.status.success(), "{key} {scheme:?}: {judged:?}");

        let verify = [&["verify", &key, file, "--signature", "signature"], &option[..]].concat();
        let verify = |file: &str| {
            let mut arguments = verify.clone();
            arguments[2] = file;
            arguments[4] = signature.to_str().unwrap();
            run(&store, &arguments)
        };
        assert!(said(&verify(file)).contains("is right"));
        let other = store.0.join("other");
        fs::write(&other, "another message").unwrap();
        let (code, why) = refused(&verify(other.to_str().unwrap()));
        assert!(code == 1 && why.contains("WRONG"), "{why}");
    }
}

#[test]
fn signatures_are_written_in_every_way_that_is_offered_and_read_again() {
    let store = Store::new("forms");
    said(&run(&store, &["key", "create", "k", "--kind", "p256"]));
    fs::write(store.0.join("m"), "a message").unwrap();
    let (file, signature) = (store.0.join("m"), store.0.join("s"));
    let (file, signature) = (file.to_str().unwrap(), signature.to_str().unwrap());
    for encoding in ["raw", "hex", "base64"] {
        for form in ["der", "plain"] {
            let made = run(&store, &["sign", "k", file, "--encoding", encoding, "--form", form]);
            assert!(made.status.success(), "{made:?}");
            assert_eq!(
                form == "plain" && encoding == "raw",
                made.stdout.len() == 64 && made.stdout[0] != 0x30,
                "{encoding}"
            );
            fs::write(signature, made.stdout).unwrap();
            said(&run(&store, &["verify", "k", file, "--signature", signature, "--form", form]));
        }
    }
    let told = said(&run(&store, &["--json", "sign", "k", file]));
    assert!(told.contains(r#""scheme":"ecdsa-sha256""#) && told.contains(r#""signature":"ME"#), "{told}");
    fs::write(signature, "neither digits nor a signature").unwrap();
    let (code, why) = refused(&run(&store, &["verify", "k", file, "--signature", signature]));
    assert!(code == 1 && why.contains("not even the form"), "{why}");
}

#[test]
fn codes_and_digests_are_those_of_openssl() {
    let store = Store::new("codes");
    let file = message(&store);
    let file = file.to_str().unwrap();
    for hash in ["sha1", "sha224", "sha256", "sha384", "sha512"] {
        let digest = said(&store.run(&["digest", file, "--hash", hash]));
        let judged = openssl(&store, &["dgst", "-r", &format!("-{hash}"), "message"]);
        assert_eq!(digest.trim(), text(&judged.stdout).split(' ').next().unwrap());
    }
    for (kind, scheme) in [("hmac-sha256", None), ("secret-256", Some("hmac-sha512")), ("aes-128", None)] {
        said(&run(&store, &["key", "create", kind, "--kind", kind]));
        let option: Vec<&str> = scheme.iter().flat_map(|scheme| ["--scheme", scheme]).collect();
        let code = said(&run(&store, &[&["mac", kind, file], &option[..]].concat()));
        said(&run(&store, &[&["mac", kind, file, "--check", code.trim()], &option[..]].concat()));
        let mut wrong = code.trim().to_owned();
        wrong.replace_range(0..1, if wrong.starts_with('0') { "1" } else { "0" });
        assert_eq!(refused(&run(&store, &[&["mac", kind, file, "--check", &wrong], &option[..]].concat())).0, 1);
    }
}

#[test]
fn what_comes_in_by_a_pipe_is_signed_too() {
    let store = Store::new("pipe");
    said(&run(&store, &["key", "create", "k", "--kind", "hmac-sha256"]));
    fs::write(store.0.join("m"), "a message").unwrap();
    let of_file = said(&run(&store, &["mac", "k", store.0.join("m").to_str().unwrap()]));
    let mut child = store.command(&["mac", "k", "--pin", "env:PIN"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a message").unwrap();
    assert_eq!(said(&child.wait_with_output().unwrap()), of_file);
}

#[test]
fn what_cannot_be_done_is_said_in_words() {
    let store = Store::new("cannot");
    for kind in ["p256", "aes-256", "x25519"] {
        said(&run(&store, &["key", "create", kind, "--kind", kind]));
    }
    said(&run(&store, &["key", "create", "agrees", "--kind", "p256", "--can", "derive"]));
    let file = message(&store);
    let file = file.to_str().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let cases: [(&[&str], i32, &str); 8] = [
        (&["sign", "aes-256", file], 2, "key aes-256 of kind aes-256 has no private key here"),
        (&["sign", "p256", file, "--scheme", "ed25519"], 2, "there are ecdsa-sha256, ecdsa-sha384, ecdsa-sha512"),
        (&["sign", "x25519", file], 2, "key x25519 of kind x25519 does not do that"),
        (&["sign", "agrees", file], 5, "`strongroom key show` says what it can"),
        (&["sign", "p256", "/nowhere"], 2, "/nowhere cannot be read"),
        (&["sign", "p256", "/tmp"], 2, "/tmp is a directory"),
        (&["sign", "p256", file, "--out", "/nowhere/signature"], 2, "/nowhere/signature cannot be written"),
        (&["sign", "p256", file, "--out", "/dev/full"], 1, "/dev/full cannot be written: No space left"),
    ];
    for (arguments, code, words) in cases {
        let (found, why) = refused(&run(&store, arguments));
        assert!(found == code && why.contains(words), "{arguments:?}: {found} {why}");
    }
    let output = store.command(&["sign", "p256", file, "--pin", "env:PIN"]).stdout(full).output().unwrap();
    assert!(!output.status.success() && text(&output.stderr).contains("No space left"), "{output:?}");
}

#[test]
fn a_signature_of_an_older_version_is_right_by_that_version() {
    let store = Store::new("versions");
    said(&run(&store, &["key", "create", "k", "--kind", "p256"]));
    fs::write(store.0.join("m"), "a message").unwrap();
    let (file, signature) = (store.0.join("m"), store.0.join("s"));
    let (file, signature) = (file.to_str().unwrap(), signature.to_str().unwrap());
    said(&run(&store, &["sign", "k", file, "--out", signature]));
    let uri = said(&run(&store, &["key", "uri", "k"]));
    said(&run(&store, &["key", "rotate", "k"]));
    assert_eq!(said(&run(&store, &["key", "uri", "k"])), uri, "programs find it where it was");
    let verify = |more: &[&str]| run(&store, &[&["verify", "k", file, "--signature", signature], more].concat());
    assert_eq!(refused(&verify(&[])).0, 1);
    said(&verify(&["--key-version", "1"]));
    let (code, why) = refused(&verify(&["--key-version", "7"]));
    assert!(code == 3 && why.contains("has no version 7"), "{why}");
    said(&run(&store, &["sign", "k", file, "--out", signature]));
    said(&verify(&[]));
}
