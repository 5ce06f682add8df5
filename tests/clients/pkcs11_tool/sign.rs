//! Signatures: the token's are checked by OpenSSL, and OpenSSL's by the token.

use super::bench::Bench;

/// How OpenSSL does the same.
enum Same {
    /// `openssl dgst`, with a digest.
    Digest(&'static str),
    /// `openssl pkeyutl`, on what is given.
    Plain,
    /// The same without a padding, which `pkeyutl` calls encryption: it signs nothing longer than a digest.
    Raw,
}
use Same::{Digest, Plain, Raw};

struct Row {
    tool: &'static str,
    input: &'static str,
    same: Same,
    options: &'static str,
}

const fn row(tool: &'static str, input: &'static str, same: Same, options: &'static str) -> Row {
    Row { tool, input, same, options }
}

const PSS: &str = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";

const RSA: &[Row] = &[
    row("RSA-PKCS", "message", Plain, "-pkeyopt rsa_padding_mode:pkcs1"),
    row("RSA-X-509", "block", Raw, "-pkeyopt rsa_padding_mode:none"),
    row("SHA1-RSA-PKCS", "message", Digest("sha1"), ""),
    row("SHA224-RSA-PKCS", "message", Digest("sha224"), ""),
    row("SHA256-RSA-PKCS", "message", Digest("sha256"), ""),
    row("SHA384-RSA-PKCS", "message", Digest("sha384"), ""),
    row("SHA512-RSA-PKCS", "message", Digest("sha512"), ""),
    row("SHA1-RSA-PKCS-PSS", "message", Digest("sha1"), PSS),
    row("SHA224-RSA-PKCS-PSS", "message", Digest("sha224"), PSS),
    row("SHA256-RSA-PKCS-PSS", "message", Digest("sha256"), PSS),
    row("SHA384-RSA-PKCS-PSS", "message", Digest("sha384"), PSS),
    row("SHA512-RSA-PKCS-PSS", "message", Digest("sha512"), PSS),
    row(
        "SHA256-RSA-PKCS-PSS --salt-len 11",
        "message",
        Digest("sha256"),
        "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:11",
    ),
    row(
        "RSA-PKCS-PSS --hash-algorithm SHA-1 --mgf MGF1-SHA1",
        "sha1",
        Plain,
        "-pkeyopt rsa_padding_mode:pss -pkeyopt digest:sha1 -pkeyopt rsa_pss_saltlen:digest",
    ),
    row(
        "RSA-PKCS-PSS --hash-algorithm SHA256 --mgf MGF1-SHA256",
        "sha256",
        Plain,
        "-pkeyopt rsa_padding_mode:pss -pkeyopt digest:sha256 -pkeyopt rsa_pss_saltlen:digest",
    ),
    row(
        "RSA-PKCS-PSS --hash-algorithm SHA384 --mgf MGF1-SHA512 --salt-len 0",
        "sha384",
        Plain,
        "-pkeyopt rsa_padding_mode:pss -pkeyopt digest:sha384 -pkeyopt rsa_mgf1_md:sha512 -pkeyopt rsa_pss_saltlen:0",
    ),
    row(
        "RSA-PKCS-PSS --hash-algorithm SHA512 --mgf MGF1-SHA256 --salt-len 20",
        "sha512",
        Plain,
        "-pkeyopt rsa_padding_mode:pss -pkeyopt digest:sha512 -pkeyopt rsa_mgf1_md:sha256 -pkeyopt rsa_pss_saltlen:20",
    ),
];

const ECDSA: &[Row] = &[
    row("ECDSA --signature-format openssl", "sha256", Plain, ""),
    row("ECDSA-SHA1 --signature-format openssl", "message", Digest("sha1"), ""),
    row("ECDSA-SHA224 --signature-format openssl", "message", Digest("sha224"), ""),
    row("ECDSA-SHA256 --signature-format openssl", "message", Digest("sha256"), ""),
    row("ECDSA-SHA384 --signature-format openssl", "message", Digest("sha384"), ""),
    row("ECDSA-SHA512 --signature-format sequence", "message", Digest("sha512"), ""),
];

fn bench(name: &str) -> Bench {
    let bench = Bench::new(name);
    for digest in ["sha1", "sha224", "sha256", "sha384", "sha512"] {
        bench.openssl(&format!("dgst -{digest} -binary -out {digest} message"));
        bench.openssl(&format!("dgst -{digest} -binary -out another-{digest} another"));
    }
    bench
}

/// `public` is the key 01 of the token, and `theirs.pem` the private half of 02.
fn both_agree(bench: &Bench, rows: &[Row]) {
    bench.openssl("pkey -in theirs.pem -pubout -outform DER -out theirs.der");
    bench.user("--write-object theirs.der --type pubkey --id 02 --label theirs");
    for Row { tool, input, same, options } in rows {
        bench.made("signature", |bench| {
            drop(
                bench.user(&format!("--sign --mechanism {tool} --id 01 --input-file {input} --output-file signature")),
            );
        });
        bench.openssl(&match same {
            Digest(digest) => format!("dgst -{digest} {options} -verify public -signature signature {input}"),
            Plain => format!("pkeyutl -verify {options} -pubin -inkey public -sigfile signature -in {input}"),
            Raw => format!("pkeyutl -encrypt {options} -pubin -inkey public -in signature -out recovered"),
        });
        if matches!(same, Raw) {
            assert_eq!(bench.read("recovered"), bench.read(input));
        }
        bench.verifies(&format!("--mechanism {tool} --id 01 --input-file {input}"), true);
        let other = if *input == "message" { "another".to_owned() } else { format!("another-{input}") };
        bench.verifies(&format!("--mechanism {tool} --id 01 --input-file {other}"), false);

        bench.made("signature", |bench| {
            drop(bench.openssl(&match same {
                Digest(digest) => format!("dgst -{digest} {options} -sign theirs.pem -out signature {input}"),
                Plain => format!("pkeyutl -sign {options} -inkey theirs.pem -out signature -in {input}"),
                Raw => format!("pkeyutl -decrypt {options} -inkey theirs.pem -out signature -in {input}"),
            }));
        });
        bench.verifies(&format!("--mechanism {tool} --id 02 --input-file {input}"), true);
        bench.verifies(&format!("--mechanism {tool} --id 01 --input-file {input}"), false);
    }
}

fn rsa_agrees(bits: usize) {
    let bench = bench(&format!("rsa-{bits}"));
    // Raw RSA takes a block of the key's length that is less than the modulus.
    for (file, filling) in [("block", 0x5a), ("another-block", 0x5b)] {
        bench.write(file, &[vec![0], vec![filling; bits / 8 - 1]].concat());
    }
    bench.user(&format!("--keypairgen --key-type rsa:{bits} --id 01 --label ours"));
    bench.public_key("01");
    bench.openssl(&format!("genrsa -out theirs.pem {bits}"));
    both_agree(&bench, RSA);
}

#[test]
fn signatures_of_rsa_2048_of_every_kind_are_those_of_openssl() {
    rsa_agrees(2048);
}

#[test]
fn signatures_of_rsa_3072_of_every_kind_are_those_of_openssl() {
    rsa_agrees(3072);
}

#[test]
fn ecdsa_signatures_of_every_kind_are_those_of_openssl() {
    for curve in ["prime256v1", "secp384r1", "secp521r1", "secp256k1"] {
        let bench = bench(&format!("ecdsa-{curve}"));
        bench.user(&format!("--keypairgen --key-type EC:{curve} --id 01 --label ours --usage-sign"));
        bench.public_key_of_curve("ours");
        bench.openssl(&format!("ecparam -genkey -noout -name {curve} -out theirs.pem"));
        both_agree(&bench, ECDSA);
        // Two numbers side by side, as PKCS #11 has them, are the tool's own form.
        bench.made("signature", |bench| {
            drop(bench.user("--sign --mechanism ECDSA-SHA256 --id 01 --input-file message --output-file signature"));
        });
        let size = bench.openssl("pkey -pubin -in public -noout -text");
        let bits: usize = size.split(&['(', ' '][..]).find_map(|word| word.parse().ok()).unwrap();
        assert_eq!(bench.read("signature").len(), 2 * bits.div_ceil(8), "{size}");
        bench.verifies("--mechanism ECDSA-SHA256 --id 01 --input-file message", true);
    }
}

#[test]
fn an_ed25519_signature_is_verified_by_openssl() {
    let bench = bench("eddsa");
    // Writing an Edwards key is not in pkcs11-tool 0.23 ("Unsupported key type"), so OpenSSL only verifies.
    bench.user("--keypairgen --key-type EC:edwards25519 --id 01 --label ours --usage-sign");
    bench.public_key("01");
    bench.user("--sign --mechanism EDDSA --id 01 --input-file message --output-file signature");
    bench.openssl("pkeyutl -verify -rawin -pubin -inkey public -sigfile signature -in message");
    bench.verifies("--mechanism EDDSA --id 01 --input-file message", true);
    bench.verifies("--mechanism EDDSA --id 01 --input-file another", false);
}

#[test]
fn a_mac_of_every_digest_is_that_of_openssl() {
    // AES-CMAC is not in pkcs11-tool 0.23: it looks for a private key.
    let bench = bench("macs");
    bench.user("--keygen --key-type GENERIC:40 --id 01 --label ours --extractable");
    bench.user("--read-object --type secrkey --id 01 --output-file key");
    let key = bench.hex("key");
    let macs = [
        ("SHA-1-HMAC", "SHA1"),
        ("SHA224-HMAC", "SHA224"),
        ("SHA256-HMAC", "SHA256"),
        ("SHA384-HMAC", "SHA384"),
        ("SHA512-HMAC", "SHA512"),
    ];
    for (mechanism, digest) in macs {
        let ours =
            bench.made("signature", |bench| {
                drop(bench.user(&format!(
                    "--sign --mechanism {mechanism} --id 01 --input-file message --output-file signature"
                )));
            });
        let theirs = bench.made("mac", |bench| {
            drop(
                bench.openssl(&format!("mac -binary -digest {digest} -macopt hexkey:{key} -in message -out mac HMAC")),
            );
        });
        assert_eq!(ours, theirs, "{mechanism}");
        bench.user_verifies(&format!("--mechanism {mechanism} --id 01 --input-file message"), true);
        bench.user_verifies(&format!("--mechanism {mechanism} --id 01 --input-file another"), false);
    }
}

#[test]
fn a_digest_of_every_kind_is_that_of_openssl() {
    let bench = bench("digests");
    for (mechanism, file) in
        [("SHA-1", "sha1"), ("SHA224", "sha224"), ("SHA256", "sha256"), ("SHA384", "sha384"), ("SHA512", "sha512")]
    {
        bench.anybody(&format!("--hash --mechanism {mechanism} --input-file message --output-file digest"));
        assert_eq!(bench.read("digest"), bench.read(file), "{mechanism}");
    }
}
