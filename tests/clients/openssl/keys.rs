//! Requests, certificates, signatures, decryption, agreement.

use super::bench::{Bench, ED25519, P256, P384, P521, RSA, Way};
use crate::store::succeeded;

/// Every key that the way knows. A token with a key on an Edwards curve is not for the engine of libp11 0.4.12: "Unable to
/// enumerate private keys", in any module (libp11's issue 427).
fn keys(way: Way) -> Vec<&'static str> {
    let mut keys = vec![RSA, P256, P384, P521];
    if way == Way::Provider {
        keys.push(ED25519);
    }
    keys
}

fn requests_and_certificates(way: Way) {
    let bench = Bench::new("certificates", way);
    for id in keys(way) {
        bench.key(id);
    }
    // What OpenSSL says is the public key is what another program reads from the token.
    for id in [RSA, P256] {
        bench.store.succeeds(&["--read-object", "--type", "pubkey", "--id", id, "--output-file", "their.der"]);
        bench.plain(&format!("pkey -pubin -in {id}.pub -outform DER -out ours.der"));
        assert_eq!(bench.read("ours.der"), bench.read("their.der"));
    }
    bench.authority(RSA);
    for id in keys(way) {
        let key = bench.options("key", "keyform", id);
        let public = bench.read(&format!("{id}.pub"));

        bench.certificate(id, RSA);
        assert!(bench.plain(&format!("req -verify -noout -in {id}.csr")).contains("verify OK"));
        let request = bench.plain(&format!("req -in {id}.csr -noout -pubkey"));
        assert_eq!(request.as_bytes(), public);

        bench.token(&format!("req -new -x509 {key} -subj /CN=self -extensions authority -out self.pem"));
        bench.plain("verify -x509_strict -CAfile self.pem self.pem");
        let certificate = bench.plain("x509 -in self.pem -noout -pubkey");
        assert_eq!(certificate.as_bytes(), public);
        bench.refused("verify -CAfile authority.pem self.pem", "self-signed");

        let key = bench.options("signkey", "keyform", id);
        bench.token(&format!("x509 -x509toreq -in self.pem {key} -out again.csr"));
        assert!(bench.plain("req -verify -noout -in again.csr").contains("verify OK"));
    }
}

/// Signs `message` in the token. OpenSSL verifies it, but not another message, nor with another key.
fn signs(bench: &Bench, id: &str, digest: &str, options: &str) {
    let key = bench.options("sign", "keyform", id);
    bench.token(&format!("dgst -{digest} {options} {key} -out signature message"));
    let verify =
        |id: &str, message| format!("dgst -{digest} {options} -verify {id}.pub -signature signature {message}");
    assert!(bench.plain(&verify(id, "message")).contains("Verified OK"));
    bench.refused(&verify(id, "another"), "verification failure");
    let other = if id == RSA { P256 } else { RSA };
    bench.refused(&verify(other, "message"), "error");
}

/// The same on a digest alone.
fn signs_digest(bench: &Bench, id: &str, options: &str) {
    for message in ["message", "another"] {
        bench.plain(&format!("dgst -sha384 -binary -out {message}.digest {message}"));
    }
    let key = bench.options("inkey", "keyform", id);
    bench.token(&format!("pkeyutl -sign {key} {options} -in message.digest -out signature"));
    let verify =
        |message| format!("pkeyutl -verify -pubin -inkey {id}.pub {options} -in {message}.digest -sigfile signature");
    assert!(bench.plain(&verify("message")).contains("Verified Successfully"));
    bench.refused(&verify("another"), "failure");
}

fn signatures(way: Way) {
    let bench = Bench::new("signatures", way);
    for id in keys(way) {
        bench.key(id);
    }
    let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen";
    for digest in ["sha1", "sha224", "sha256", "sha384", "sha512"] {
        signs(&bench, RSA, digest, "");
        signs(&bench, RSA, digest, &format!("{pss}:digest"));
        for id in [P256, P384, P521] {
            signs(&bench, id, digest, "");
        }
    }
    // pkcs11-provider 1.0 takes 0 for "not said".
    if way == Way::Engine {
        signs(&bench, RSA, "sha256", &format!("{pss}:0"));
    }
    signs(&bench, RSA, "sha256", &format!("{pss}:max"));
    signs(&bench, RSA, "sha512", &format!("{pss}:11 -sigopt rsa_mgf1_md:sha256"));

    for id in [RSA, P256, P384, P521] {
        signs_digest(&bench, id, "-pkeyopt digest:sha384");
    }
    signs_digest(&bench, RSA, "-pkeyopt digest:sha384 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:20");
    // The caller's own block, without the name of a digest.
    signs_digest(&bench, RSA, "-pkeyopt rsa_padding_mode:pkcs1");

    if way == Way::Provider {
        let key = bench.options("inkey", "keyform", ED25519);
        bench.token(&format!("pkeyutl -sign -rawin {key} -in message -out signature"));
        let verify =
            |message| format!("pkeyutl -verify -rawin -pubin -inkey {ED25519}.pub -in {message} -sigfile signature");
        assert!(bench.plain(&verify("message")).contains("Verified Successfully"));
        bench.refused(&verify("another"), "failure");
    }
}

fn decryption(way: Way) {
    let bench = Bench::new("decryption", way);
    bench.key(RSA);
    let key = bench.options("inkey", "keyform", RSA);
    let mut cases = vec![
        "pkcs1",
        "oaep -pkeyopt rsa_oaep_md:sha1 -pkeyopt rsa_mgf1_md:sha1",
        "oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256",
        "oaep -pkeyopt rsa_oaep_md:sha512 -pkeyopt rsa_mgf1_md:sha256",
        "oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 -pkeyopt rsa_oaep_label:6c6162656c",
    ];
    // pkcs11-provider 1.0 names no digest to the token where its caller names none, and that is refused.
    if way == Way::Engine {
        cases.extend(["oaep", "oaep -pkeyopt rsa_oaep_md:sha256"]);
    }
    for options in cases {
        let options = format!("-pkeyopt rsa_padding_mode:{options}");
        bench.plain(&format!("pkeyutl -encrypt -pubin -inkey {RSA}.pub {options} -in message -out secret"));
        let _ = std::fs::remove_file(bench.path("opened"));
        bench.token(&format!("pkeyutl -decrypt {key} {options} -in secret -out opened"));
        assert_eq!(bench.read("opened"), bench.read("message"), "{options}");
    }
    // What was changed on its way does not become the message.
    let oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256";
    bench.plain(&format!("pkeyutl -encrypt -pubin -inkey {RSA}.pub {oaep} -in message -out secret"));
    let decrypt = |file| bench.with_token(&format!("pkeyutl -decrypt {key} {oaep} -in {file} -out opened")).output();
    assert!(decrypt("secret").unwrap().status.success());
    let mut changed = bench.read("secret");
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(bench.path("changed"), changed).unwrap();
    let output = decrypt("changed").unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

fn agreement(way: Way) {
    let bench = Bench::new("agreement", way);
    for (id, curve) in [(P256, "P-256"), (P384, "P-384"), (P521, "P-521")] {
        bench.key(id);
        bench.plain(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} -out their.key"));
        bench.plain("pkey -in their.key -pubout -out their.pub");
        let key = bench.options("inkey", "keyform", id);
        succeeded(&mut bench.with_token(&format!("pkeyutl -derive {key} -peerkey their.pub -out ours")));
        bench.plain(&format!("pkeyutl -derive -inkey their.key -peerkey {id}.pub -out theirs"));
        assert_eq!(bench.read("ours"), bench.read("theirs"), "{curve}");
    }
}

#[test]
fn requests_and_certificates_by_keys_of_the_engine_are_verified_by_openssl() {
    requests_and_certificates(Way::Engine);
}

#[test]
fn requests_and_certificates_by_keys_of_the_provider_are_verified_by_openssl() {
    requests_and_certificates(Way::Provider);
}

#[test]
fn signatures_of_every_kind_by_the_engine_are_verified_by_openssl() {
    signatures(Way::Engine);
}

#[test]
fn signatures_of_every_kind_by_the_provider_are_verified_by_openssl() {
    signatures(Way::Provider);
}

#[test]
fn the_engine_decrypts_what_openssl_encrypts() {
    decryption(Way::Engine);
}

#[test]
fn the_provider_decrypts_what_openssl_encrypts() {
    decryption(Way::Provider);
}

#[test]
fn the_engine_and_openssl_agree_on_a_secret() {
    agreement(Way::Engine);
}

#[test]
fn the_provider_and_openssl_agree_on_a_secret() {
    agreement(Way::Provider);
}
