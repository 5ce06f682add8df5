//! Encryption, agreement and wrapping: one side is the token, the other OpenSSL.

use super::bench::{Bench, IV, MESSAGE};

/// Makes an AES key that may be read, and gives its value.
fn aes(bench: &Bench, id: &str, length: usize) -> String {
    bench.user(&format!("--keygen --key-type AES:{length} --id {id} --label aes-{length} --extractable"));
    bench.user(&format!("--read-object --type secrkey --id {id} --output-file key"));
    assert_eq!(bench.read("key").len(), length);
    bench.hex("key")
}

#[test]
fn aes_encrypts_as_openssl_does() {
    // CTR and GCM are not in pkcs11-tool 0.23 ("Mechanism AES-CTR illegal or not supported").
    let ways = [
        ("AES-ECB", "blocks", "ecb", "-nopad"),
        ("AES-CBC", "blocks", "cbc", "-nopad"),
        ("AES-CBC-PAD", "message", "cbc", ""),
        ("AES-CBC-PAD", "blocks", "cbc", ""),
    ];
    let bench = Bench::new("aes");
    for (id, length) in [("01", 16), ("02", 24), ("03", 32)] {
        let key = aes(&bench, id, length);
        for (mechanism, input, mode, options) in ways {
            let iv = if mode == "ecb" { String::new() } else { format!("-iv {IV}") };
            let theirs = bench.made("theirs", |bench| {
                let cipher = format!("-aes-{}-{mode} -K {key}", length * 8);
                drop(bench.openssl(&format!("enc {cipher} {iv} {options} -in {input} -out theirs")));
            });
            let verb = format!("--mechanism {mechanism} --iv {IV} --id {id}");
            let ours = bench.made("ours", |bench| {
                drop(bench.user(&format!("--encrypt {verb} --input-file {input} --output-file ours")));
            });
            assert_eq!(ours, theirs, "{mechanism} with {length} bytes");
            let plain = bench.made("plain", |bench| {
                drop(bench.user(&format!("--decrypt {verb} --input-file theirs --output-file plain")));
            });
            assert_eq!(plain, bench.read(input), "{mechanism} with {length} bytes");
        }
    }
}

#[test]
fn rsa_decrypts_what_openssl_encrypted() {
    // pkcs11-tool 0.23 encrypts with secret keys only ("Secret key not found").
    let ways = [
        ("RSA-PKCS", "pkcs1"),
        ("RSA-PKCS-OAEP --hash-algorithm SHA-1", "oaep -pkeyopt rsa_oaep_md:sha1"),
        ("RSA-PKCS-OAEP --hash-algorithm SHA224", "oaep -pkeyopt rsa_oaep_md:sha224"),
        ("RSA-PKCS-OAEP --hash-algorithm SHA256", "oaep -pkeyopt rsa_oaep_md:sha256"),
        ("RSA-PKCS-OAEP --hash-algorithm SHA384", "oaep -pkeyopt rsa_oaep_md:sha384"),
        ("RSA-PKCS-OAEP --hash-algorithm SHA512", "oaep -pkeyopt rsa_oaep_md:sha512"),
        (
            "RSA-PKCS-OAEP --hash-algorithm SHA256 --mgf MGF1-SHA1",
            "oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha1",
        ),
    ];
    let bench = Bench::new("rsa-decrypt");
    for (id, bits) in [("01", 2048), ("02", 3072)] {
        bench.user(&format!("--keypairgen --key-type rsa:{bits} --id {id} --label rsa --usage-decrypt"));
        bench.public_key(id);
        for (tool, padding) in ways {
            let options = format!("-pubin -inkey public -pkeyopt rsa_padding_mode:{padding}");
            bench.openssl(&format!("pkeyutl -encrypt {options} -in message -out cipher"));
            let verb = format!("--decrypt --mechanism {tool} --id {id} --input-file cipher --output-file plain");
            assert_eq!(bench.made("plain", |bench| drop(bench.user(&verb))), MESSAGE, "{tool}");
        }
        // The last of the ways was OAEP; one bit of what it made is turned. The tool goes on after a C_Decrypt that
        // failed, and shows what is said to that.
        let mut cipher = bench.read("cipher");
        *cipher.last_mut().unwrap() ^= 1;
        bench.write("cipher", &cipher);
        bench.user_is_refused(
            &format!("--decrypt --mechanism RSA-PKCS-OAEP --hash-algorithm SHA256 --mgf MGF1-SHA1 --id {id} --input-file cipher"),
            "CKR_OPERATION_NOT_INITIALIZED",
        );
        let block = [vec![0], vec![0x5a; bits / 8 - 1]].concat();
        bench.write("block", &block);
        bench.openssl("pkeyutl -encrypt -pubin -inkey public -pkeyopt rsa_padding_mode:none -in block -out cipher");
        let verb = format!("--decrypt --mechanism RSA-X-509 --id {id} --input-file cipher --output-file plain");
        assert_eq!(bench.made("plain", |bench| drop(bench.user(&verb))), block);
    }
}

#[test]
fn the_secret_that_two_curve_keys_agree_on_is_that_of_openssl() {
    let bench = Bench::new("derive");
    for (at, curve) in ["prime256v1", "secp384r1", "secp521r1", "secp256k1"].iter().enumerate() {
        bench.user(&format!("--keypairgen --key-type EC:{curve} --id 0{at} --label {curve} --usage-derive"));
        bench.public_key_of_curve(curve);
        bench.openssl(&format!("ecparam -genkey -noout -name {curve} -out theirs.pem"));
        bench.openssl("pkey -in theirs.pem -pubout -outform DER -out theirs.der");
        let theirs = bench.made("theirs", |bench| {
            drop(bench.openssl("pkeyutl -derive -inkey theirs.pem -peerkey public -out theirs"));
        });
        for way in ["ECDH1-DERIVE", "ECDH1-COFACTOR-DERIVE", "ECDH1-DERIVE --derive-pass-der"] {
            let ours = bench.made("ours", |bench| {
                drop(bench.user(&format!("--derive --mechanism {way} --id 0{at} -i theirs.der --output-file ours")));
            });
            assert_eq!(ours, theirs, "{way} of {curve}");
        }
    }
}

#[test]
fn a_key_that_the_token_wrapped_is_unwrapped_by_openssl_and_the_reverse() {
    // RSA-PKCS-OAEP and AES-GCM get no parameter from pkcs11-tool 0.23, and it wraps secret keys only.
    // AES-KEY-WRAP-KWP has no name there.
    let ways = [
        ("AES-CBC", "-aes-256-cbc -nopad", IV),
        ("AES-CBC-PAD", "-aes-256-cbc", IV),
        ("AES-KEY-WRAP", "-id-aes256-wrap", "a6a6a6a6a6a6a6a6"),
        ("0x210B", "-id-aes256-wrap-pad", "a65959a6"),
    ];
    let bench = Bench::new("wrap");
    let wrapping = aes(&bench, "01", 32);
    let value = aes(&bench, "02", 16);
    let unwrapped = |id: &str| {
        bench.user(&format!("--read-object --type secrkey --id {id} --output-file unwrapped"));
        bench.hex("unwrapped")
    };
    for (at, (mechanism, cipher, iv)) in ways.iter().enumerate() {
        let given = if *iv == IV { format!("--iv {IV}") } else { String::new() };
        let verb = format!("--mechanism {mechanism} {given} --id 01");
        bench.made("wrapped", |bench| {
            drop(bench.user(&format!("--wrap {verb} --application-id 02 --output-file wrapped")));
        });
        let same = format!("enc {cipher} -K {wrapping} -iv {iv}");
        bench.made("plain", |bench| drop(bench.openssl(&format!("{same} -d -in wrapped -out plain"))));
        assert_eq!(bench.hex("plain"), value, "{mechanism}");

        bench.write("plain", &[0x30 + u8::try_from(at).unwrap(); 16]);
        let expected = bench.hex("plain");
        bench.openssl(&format!("{same} -in plain -out wrapped"));
        let into = format!("--application-id 1{at} --application-label back --key-type AES: --extractable");
        bench.user(&format!("--unwrap {verb} -i wrapped {into}"));
        assert_eq!(unwrapped(&format!("1{at}")), expected, "{mechanism}");
    }

    // The wrapping key is OpenSSL's, and the token has it too.
    bench.openssl("genrsa -out theirs.pem 2048");
    bench.openssl("pkey -in theirs.pem -pubout -outform DER -out theirs.der");
    bench.user("--write-object theirs.pem --type privkey --id 03 --label theirs --usage-decrypt");
    bench.user("--write-object theirs.der --type pubkey --id 03 --label theirs");
    bench.user("--wrap --mechanism RSA-PKCS --id 03 --application-id 02 --output-file wrapped");
    bench.made("plain", |bench| drop(bench.openssl("pkeyutl -decrypt -inkey theirs.pem -in wrapped -out plain")));
    assert_eq!(bench.hex("plain"), value);
    bench.write("plain", &[0x40; 16]);
    let expected = bench.hex("plain");
    bench.openssl("pkeyutl -encrypt -pubin -inkey theirs.der -in plain -out wrapped");
    let into = "--application-id 20 --application-label back --key-type AES: --extractable";
    bench.user(&format!("--unwrap --mechanism RSA-PKCS --id 03 -i wrapped {into}"));
    assert_eq!(unwrapped("20"), expected);

    bench.user("--keygen --key-type AES:16 --id 04 --label kept");
    bench.user_is_refused("--wrap --mechanism AES-KEY-WRAP --id 01 --application-id 04", "CKR_KEY_UNEXTRACTABLE");
}
