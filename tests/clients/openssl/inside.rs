//! What only the provider can: it makes keys in the token, and has the token do the work of public keys and digests too.

use std::{fs, process::Command};

use super::{
    bench::{Bench, P256, RSA, Way},
    tls::{CLIENT, SERVER, Server, asks},
};
use crate::store::{USER_PIN, succeeded};

/// Who can do without the token shall not.
const INSIDE: &str = "-propquery ?provider=pkcs11";

/// With the options of the provider's configuration that this takes.
fn bench(name: &str, options: &str) -> Bench {
    let bench = Bench::new(name, Way::Provider);
    let configuration = String::from_utf8(bench.read("token.cnf")).unwrap();
    bench.write("token.cnf", &configuration.replacen("[pkcs11]\n", &format!("[pkcs11]\n{options}\n"), 1));
    bench
}

#[test]
fn the_provider_makes_keys_that_never_leave_the_token() {
    let bench = bench("made", "pkcs11-module-encode-provider-uri-to-pem = true");
    let kinds = [
        ("rsa", "RSA -pkeyopt rsa_keygen_bits:2048", "dgst -sha256", ""),
        ("pss", "RSA-PSS -pkeyopt rsa_keygen_bits:2048", "dgst -sha256 -sigopt rsa_padding_mode:pss", ""),
        ("p256", "EC -pkeyopt ec_paramgen_curve:P-256", "dgst -sha256", ""),
        ("p521", "EC -pkeyopt ec_paramgen_curve:P-521", "dgst -sha512", ""),
        ("ed25519", "ED25519", "", "pkeyutl -rawin"),
    ];
    for (label, kind, dgst, pkeyutl) in kinds {
        let uri = format!("pkcs11:token=test;object={label}");
        // What it writes is no key, but where it is.
        bench.token(&format!(
            "genpkey -propquery provider=pkcs11 -algorithm {kind} -pkeyopt pkcs11_uri:{uri} -out {label}"
        ));
        let written = String::from_utf8(bench.read(label)).unwrap();
        assert!(written.starts_with("-----BEGIN PKCS#11 PROVIDER URI-----"), "{written}");

        // A key for PSS alone is read by its URI only.
        let key = if label == "pss" { format!("{uri};type=private") } else { label.to_owned() };
        bench.token(&format!("pkey -in {key} -pubout -out {label}.pub"));
        if pkeyutl.is_empty() {
            bench.token(&format!("{dgst} -sign {key} -out signature message"));
            bench.plain(&format!("{dgst} -verify {label}.pub -signature signature message"));
            bench.refused(&format!("{dgst} -verify {label}.pub -signature signature another"), "verification failure");
        } else {
            bench.token(&format!("{pkeyutl} -sign -inkey {key} -in message -out signature"));
            bench.plain(&format!("{pkeyutl} -verify -pubin -inkey {label}.pub -in message -sigfile signature"));
        }
    }
    let objects = bench.store.succeeds(&["-l", "--pin", USER_PIN, "-O", "--type", "privkey"]);
    let protection = "sensitive, always sensitive, never extractable, local";
    assert_eq!(objects.matches(protection).count(), kinds.len(), "{objects}");

    // The token holds the caller to what the key was made for.
    let mut other =
        bench.with_token("dgst -sha256 -sign pkcs11:token=test;object=pss;type=private -out signature message");
    assert_eq!(other.output().unwrap().status.code(), Some(1));
}

#[test]
fn the_token_verifies_encrypts_and_digests_for_openssl() {
    let bench = bench("inside", "pkcs11-module-load-behavior = early");
    for id in [RSA, P256] {
        bench.key(id);
    }
    // Does it, and says whether it was the token that did.
    let inside = |command: &mut Command, function: &str| {
        let _ = fs::remove_file(bench.path("log"));
        let output =
            command.env("STRONGROOM_LOG", "debug").env("STRONGROOM_LOG_FILE", bench.path("log")).output().unwrap();
        let log = fs::read_to_string(bench.path("log")).unwrap();
        assert!(log.contains(function), "{function}: {log}");
        output
    };

    for id in [RSA, P256] {
        bench.token(&format!("dgst -sha256 -sign {} -out signature message", bench.uri(id)));
        for (message, code, answer) in [("message", 0, "CKR_OK"), ("another", 1, "CKR_SIGNATURE_INVALID")] {
            let mut verify = bench.with_token(&format!(
                "pkeyutl {INSIDE} -verify -rawin -digest sha256 -pubin -inkey pkcs11:token=test;id=%{id};type=public -in {message} -sigfile signature"
            ));
            let output = inside(&mut verify, &format!("C_VerifyFinal {answer}"));
            assert_eq!(output.status.code(), Some(code), "{output:?}");
        }
    }

    let oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256";
    let mut encrypt = bench.with_token(&format!(
        "pkeyutl {INSIDE} -encrypt -pubin -inkey pkcs11:token=test;id=%{RSA};type=public {oaep} -in message -out secret"
    ));
    assert!(inside(&mut encrypt, "C_Encrypt CKR_OK").status.success());
    bench.token(&format!("pkeyutl -decrypt -inkey {} {oaep} -in secret -out opened", bench.uri(RSA)));
    assert_eq!(bench.read("opened"), bench.read("message"));

    for digest in ["sha1", "sha224", "sha256", "sha384", "sha512"] {
        let output =
            inside(&mut bench.with_token(&format!("dgst {INSIDE} -{digest} -r message")), "C_DigestFinal CKR_OK");
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            succeeded(&mut bench.without_token(&format!("dgst -{digest} -r message")))
        );
    }
}

#[test]
fn a_server_has_the_token_do_all_that_it_can_for_tls() {
    // Digests are among it: TLS copies those that are under way, and the token saves their state.
    let bench = bench("tls", "");
    bench.key(P256);
    bench.authority(P256);
    bench.certificate(P256, P256);
    let key = bench.options("key", "keyform", P256);
    let server = Server::new(bench.with_token(&format!("{SERVER} {INSIDE} {key} -cert {P256}.pem")));
    let (succeeded, said) = asks(bench.without_token(&format!("{CLIENT} -connect 127.0.0.1:{}", server.port)));
    assert!(succeeded && said.contains("strongroom\n"), "{said}");
    server.ended();
}
