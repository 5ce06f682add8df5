//! Signed and encrypted messages: CMS, and S/MIME of before.

use super::bench::{Bench, P256, RSA, Way};

/// The message comes out of a signed one, and not out of one that was changed.
fn opens(bench: &Bench, options: &str) {
    let _ = std::fs::remove_file(bench.path("opened"));
    let said = bench.plain(&format!("cms -verify -binary {options} -CAfile authority.pem -out opened"));
    assert!(said.contains("Verification successful"), "{said}");
    assert_eq!(bench.read("opened"), bench.read("message"));
}

fn signed(way: Way) {
    let bench = Bench::new("signed", way);
    for id in [RSA, P256] {
        bench.key(id);
    }
    bench.authority(RSA);
    for id in [RSA, P256] {
        bench.certificate(id, RSA);
    }
    let pss = "-keyopt rsa_padding_mode:pss";
    for (id, options) in [(RSA, ""), (RSA, "-md sha512"), (RSA, pss), (P256, ""), (P256, "-md sha384 -noattr")] {
        let key = bench.options("inkey", "keyform", id);
        let sign = format!("cms -sign -binary -signer {id}.pem {key} {options} -in message -outform DER");
        bench.token(&format!("{sign} -nodetach -out attached"));
        opens(&bench, "-inform DER -in attached");
        bench.token(&format!("{sign} -out detached"));
        opens(&bench, "-inform DER -in detached -content message");
        bench.refused(
            "cms -verify -binary -inform DER -in detached -content another -CAfile authority.pem -out opened",
            "verification failure",
        );
    }
    // Two signers, the second of whom comes later.
    let key = bench.options("inkey", "keyform", RSA);
    bench.token(&format!("cms -sign -binary -nodetach -signer {RSA}.pem {key} -in message -outform DER -out first"));
    let key = bench.options("inkey", "keyform", P256);
    bench.token(&format!("cms -resign -inform DER -in first -signer {P256}.pem {key} -outform DER -out second"));
    opens(&bench, "-inform DER -in second");
    let said = bench.plain("cms -cmsout -inform DER -in second -print -noout");
    assert_eq!(said.matches("d.issuerAndSerialNumber").count(), 2, "{said}");

    let key = bench.options("inkey", "keyform", RSA);
    bench.token(&format!("smime -sign -signer {RSA}.pem {key} -in message -out mail"));
    assert!(
        bench.plain("smime -verify -in mail -CAfile authority.pem -out opened").contains("Verification successful")
    );
}

fn encrypted(way: Way) {
    let bench = Bench::new("encrypted", way);
    for id in [RSA, P256] {
        bench.key(id);
    }
    bench.authority(RSA);
    for id in [RSA, P256] {
        bench.certificate(id, RSA);
    }
    for (id, options, recipient) in [
        (RSA, "-aes256", ""),
        (RSA, "-aes-256-gcm", ""),
        (RSA, "-aes128", "-keyopt rsa_padding_mode:oaep"),
        (RSA, "-aes128", "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256"),
        (P256, "-aes256", ""),
        (P256, "-aes256", "-keyopt ecdh_kdf_md:sha256"),
    ] {
        bench.plain(&format!(
            "cms -encrypt -binary {options} -in message -outform DER -out secret -recip {id}.pem {recipient}"
        ));
        let key = bench.options("inkey", "keyform", id);
        let _ = std::fs::remove_file(bench.path("opened"));
        bench.token(&format!("cms -decrypt -binary -inform DER -in secret -recip {id}.pem {key} -out opened"));
        assert_eq!(bench.read("opened"), bench.read("message"), "{id} {options} {recipient}");
    }
    let key = bench.options("inkey", "keyform", RSA);
    bench.plain(&format!("smime -encrypt -binary -aes256 -in message -out mail {RSA}.pem"));
    bench.token(&format!("smime -decrypt -in mail -recip {RSA}.pem {key} -out opened"));
    assert_eq!(bench.read("opened"), bench.read("message"));
}

#[test]
fn messages_that_the_engine_signs_are_verified_by_openssl() {
    signed(Way::Engine);
}

#[test]
fn messages_that_the_provider_signs_are_verified_by_openssl() {
    signed(Way::Provider);
}

#[test]
fn the_engine_decrypts_messages_that_openssl_encrypts() {
    encrypted(Way::Engine);
}

#[test]
fn the_provider_decrypts_messages_that_openssl_encrypts() {
    encrypted(Way::Provider);
}
