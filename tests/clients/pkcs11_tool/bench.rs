//! A token, and beside it files that pkcs11-tool and OpenSSL read and write.

use std::fs;

use crate::store::{OFFICER_PIN, Store, USER_PIN, succeeded};

/// What is signed, digested and stored; no multiple of a block.
pub(super) const MESSAGE: &[u8] = b"a message that no block ends with";
pub(super) const IV: &str = "000102030405060708090a0b0c0d0e0f";

pub(super) struct Bench(Store);

impl Bench {
    /// With the files `message` and `another`, and `blocks`, which is four blocks long.
    pub(super) fn new(name: &str) -> Self {
        let bench = Self(Store::with_token(name));
        bench.write("message", MESSAGE);
        bench.write("another", b"another message");
        bench.write("blocks", &[0xb1; 64]);
        bench
    }

    pub(super) fn write(&self, file: &str, bytes: &[u8]) {
        fs::write(self.0.0.join(file), bytes).unwrap();
    }

    pub(super) fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.0.0.join(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
    }

    pub(super) fn hex(&self, file: &str) -> String {
        self.read(file).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What a file holds that the command writes; a file of before is not taken for it.
    pub(super) fn made(&self, file: &str, command: impl FnOnce(&Self)) -> Vec<u8> {
        let _ = fs::remove_file(self.0.0.join(file));
        command(self);
        self.read(file)
    }

    /// A command of OpenSSL, as words.
    pub(super) fn openssl(&self, words: &str) -> String {
        succeeded(self.0.command("openssl").args(words.split_whitespace()))
    }

    /// A verb of pkcs11-tool without a log-in.
    pub(super) fn anybody(&self, words: &str) -> String {
        self.0.succeeds(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// A verb of pkcs11-tool, of the user who is logged in.
    pub(super) fn user(&self, words: &str) -> String {
        self.anybody(&format!("--login --pin {USER_PIN} {words}"))
    }

    /// The same of the officer.
    pub(super) fn officer(&self, words: &str) -> String {
        self.anybody(&format!("--login --login-type so --so-pin {OFFICER_PIN} {words}"))
    }

    /// What pkcs11-tool says when it fails, which it must.
    pub(super) fn refused(&self, words: &str) -> String {
        let output = self.0.pkcs11_tool(&words.split_whitespace().collect::<Vec<_>>());
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success(), "{words}: {text}");
        text
    }

    pub(super) fn user_is_refused(&self, words: &str, why: &str) {
        let text = self.refused(&format!("--login --pin {USER_PIN} {words}"));
        assert!(text.contains(why), "{words}: {text}");
    }

    /// Anybody may verify with a public key. The tool says it in words only: it ends well in either case.
    pub(super) fn verifies(&self, words: &str, is_valid: bool) {
        says(&self.anybody(&verify(words)), is_valid);
    }

    /// The same with a secret key, which takes a log-in.
    pub(super) fn user_verifies(&self, words: &str, is_valid: bool) {
        says(&self.user(&verify(words)), is_valid);
    }

    /// Writes a public key of the token to the file `public`, in a form that OpenSSL reads.
    pub(super) fn public_key(&self, id: &str) {
        self.made("public", |bench| drop(bench.user(&format!("--read-object --type pubkey --id {id} -o public"))));
    }

    /// The same for a curve of Weierstrass form, from the list of objects: pkcs11-tool 0.23 writes none of P-384
    /// ("cannot create EVP_PKEY").
    pub(super) fn public_key_of_curve(&self, label: &str) {
        let listed = self.user("--list-objects --type pubkey");
        let of_key = listed.split("Public Key Object").find(|text| text.contains(&format!("label:      {label}\n")));
        let hex = |name: &str| {
            let line = of_key.and_then(|text| text.lines().find_map(|line| line.trim().strip_prefix(name)));
            let line = line.unwrap_or_else(|| panic!("{label}: {listed}")).trim();
            let digits = line.split(' ').next().unwrap();
            (0..digits.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
                .collect::<Vec<_>>()
        };
        let (params, point) = (hex("EC_PARAMS:"), hex("EC_POINT:"));
        // An OCTET STRING becomes a BIT STRING: the point is the same.
        let point = &point[if point[1] == 0x81 { 3 } else { 2 }..];
        let id_ec_public_key = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        let algorithm = der(0x30, &[&id_ec_public_key, &*params].concat());
        let bits = der(0x03, &[&[0], point].concat());
        self.write("public", &der(0x30, &[algorithm, bits].concat()));
    }
}

fn verify(words: &str) -> String {
    format!("--verify {words} --signature-file signature")
}

fn says(text: &str, is_valid: bool) {
    let expected = if is_valid { "Signature is valid" } else { "Invalid signature" };
    assert!(text.contains(expected), "{text}");
}

/// DER of a value of less than 256 bytes.
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap();
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head, value.to_vec()].concat()
}
