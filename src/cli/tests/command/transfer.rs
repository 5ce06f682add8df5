//! `strongroom key import`, `export`, `copy`, `wrap` and `unwrap`. OpenSSL and OpenSSH make the files.

use std::{
    fs,
    process::{Command, Output},
};

use crate::store::{Store, refused, said, text};

fn run(store: &Store, arguments: &[&str]) -> Output {
    store
        .command(&[arguments, &["--pin", "env:PIN"]].concat())
        .current_dir(&store.0)
        .env("PASSWORD", "a password")
        .output()
        .unwrap()
}

/// A command line of another program, in the store's directory.
fn sh(store: &Store, line: &str) {
    let output = Command::new("sh").args(["-ec", line]).current_dir(&store.0).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

/// Signs with a key of the token; OpenSSL checks it with the public key of the file.
fn signs(store: &Store, label: &str, public: &str) {
    fs::write(store.0.join("m"), "a message").unwrap();
    said(&run(store, &["sign", label, "m", "--out", "s"]));
    let how = if label.contains("rsa") { "-sigopt rsa_padding_mode:pss" } else { "" };
    let check = match label {
        _ if label.contains("ed25519") => {
            format!("openssl pkeyutl -verify -rawin -pubin -inkey {public} -sigfile s -in m")
        }
        _ if label.contains("384") => format!("openssl dgst -sha384 -verify {public} -signature s m"),
        _ if label.contains("521") => format!("openssl dgst -sha512 -verify {public} -signature s m"),
        _ => format!("openssl dgst -sha256 {how} -verify {public} -signature s m"),
    };
    sh(store, &check);
}

/// Makes a key in `key.pem` (PKCS#8) and its public half in `public.pem`.
const KEYS: [(&str, &str); 6] = [
    ("rsa", "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem 2>/dev/null"),
    ("p256", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem"),
    ("p384", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out key.pem"),
    ("p521", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out key.pem"),
    ("secp256k1", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out key.pem"),
    ("ed25519", "openssl genpkey -algorithm ed25519 -out key.pem"),
];

/// Makes `file` of `key.pem`, in another form.
const FORMS: [(&str, &str); 8] = [
    ("pkcs8", "cp key.pem file"),
    ("pkcs8-der", "openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out file"),
    ("pbes2", "openssl pkcs8 -topk8 -in key.pem -passout 'pass:a password' -out file"),
    ("scrypt-der", "openssl pkcs8 -topk8 -scrypt -in key.pem -passout 'pass:a password' -outform DER -out file"),
    ("traditional", "openssl pkey -traditional -in key.pem -out file"),
    ("traditional-der", "openssl pkey -traditional -in key.pem -outform DER -out file"),
    (
        "pkcs12",
        "openssl req -x509 -new -key key.pem -subj /CN=imported -out cert.pem && \
         openssl pkcs12 -export -inkey key.pem -in cert.pem -passout 'pass:a password' -out file",
    ),
    ("again", "openssl pkcs8 -topk8 -nocrypt -in key.pem -out file"),
];

#[test]
fn a_key_in_each_form_that_openssl_writes_is_taken_in_and_signs() {
    let store = Store::new("import");
    for (kind, make) in KEYS {
        sh(&store, &format!("{make} && openssl pkey -in key.pem -pubout -out public.pem"));
        // OpenSSL has no older form for the newer curves.
        for (form, write) in FORMS.iter().filter(|(form, _)| kind != "ed25519" || !form.starts_with("traditional")) {
            sh(&store, write);
            let label = format!("{kind}-{form}");
            let made = run(&store, &["key", "import", "file", "--label", &label, "--password", "env:PASSWORD"]);
            assert!(said(&made).contains("The file still has it"), "{label}");
            let shown = said(&run(&store, &["key", "show", &label]));
            assert!(
                shown.contains("is           private key and public key") && shown.contains("made here    no"),
                "{shown}"
            );
            assert!(shown.contains("extractable  no") && shown.contains("sensitive    yes"), "{shown}");
            signs(&store, &label, "public.pem");
            let (code, why) =
                refused(&run(&store, &["key", "import", "file", "-l", "twice", "--password", "env:PASSWORD"]));
            assert!(code == 2 && why.contains(&format!("it is in the token already: {label}")), "{why}");
            said(&run(&store, &["key", "delete", &label, "--yes"]));
            if *form == "pkcs12" {
                assert!(said(&run(&store, &["cert", "list"])).contains("CN=imported"));
                said(&run(&store, &["cert", "delete", &label, "--yes"]));
            }
        }
    }
}

#[test]
fn keys_of_openssh_are_taken_in() {
    let store = Store::new("openssh");
    for (label, options) in
        [("rsa", "-t rsa -b 2048"), ("p256", "-t ecdsa -b 256"), ("p384", "-t ecdsa -b 384"), ("ed25519", "-t ed25519")]
    {
        for password in ["", "a password"] {
            sh(&store, &format!("rm -f id id.pub && ssh-keygen -q {options} -N '{password}' -C x -f id"));
            said(&run(&store, &["key", "import", "id", "--label", label, "--password", "env:PASSWORD"]));
            fs::write(store.0.join("public.pem"), said(&run(&store, &["key", "export", label]))).unwrap();
            signs(&store, label, "public.pem");
            if label != "ed25519" {
                // The public key of the file is the one that OpenSSH knows.
                sh(
                    &store,
                    "ssh-keygen -e -m PKCS8 -f id.pub >theirs.pem && openssl pkey -pubin -in theirs.pem -outform DER -out a && openssl pkey -pubin -in public.pem -outform DER -out b && cmp a b",
                );
            }
            said(&run(&store, &["key", "delete", label, "--yes"]));
        }
    }
}

/// Whether the private value in this key of OpenSSH, which no password guards, is shorter than the curve's numbers.
fn has_a_short_value(pem: &str, width: usize) -> bool {
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let file = data_encoding::BASE64.decode(lines.as_bytes()).unwrap();
    let (mut at, mut strings) = ("openssh-key-v1\0".len(), Vec::new());
    let word = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    // cipher, KDF, its options | number of keys | public key | length, check twice | kind, curve, point, value
    for (before, count) in [(0, 3), (4, 1), (12, 4)] {
        at += before;
        for _ in 0..count {
            strings.push(word(at));
            at += 4 + word(at);
        }
    }
    strings.last().is_some_and(|value| *value < width)
}

#[test]
fn a_key_of_openssh_is_read_whose_private_value_begins_with_zeros() {
    let store = Store::new("openssh-short");
    for (bits, width, wanted) in [(521, 66, 2), (256, 32, 1)] {
        let (label, mut seen) = (format!("p{bits}"), 0);
        while seen < wanted {
            sh(&store, &format!("rm -f id id.pub && ssh-keygen -q -t ecdsa -b {bits} -N '' -f id"));
            if !has_a_short_value(&fs::read_to_string(store.0.join("id")).unwrap(), width) {
                continue;
            }
            seen += 1;
            for protect in ["true", "ssh-keygen -q -p -P '' -N 'a password' -f id"] {
                sh(&store, protect);
                said(&run(&store, &["key", "import", "id", "--label", &label, "--password", "env:PASSWORD"]));
                fs::write(store.0.join("public.pem"), said(&run(&store, &["key", "export", &label]))).unwrap();
                signs(&store, &label, "public.pem");
                said(&run(&store, &["key", "delete", &label, "--yes"]));
            }
        }
    }
}

/// RFC 7517, A.2 (EC), RFC 8037, A.1 (OKP), RFC 7515, A.1.1 (oct).
const JWKS: [(&str, &str); 2] = [
    (
        "p256",
        r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#,
    ),
    (
        "ed25519",
        r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    ),
];

#[test]
fn keys_of_json_are_taken_in() {
    let store = Store::new("jwk");
    for (label, jwk) in JWKS {
        fs::write(store.0.join("jwk"), jwk).unwrap();
        said(&run(&store, &["key", "import", "jwk", "--label", label]));
        fs::write(store.0.join("public.pem"), said(&run(&store, &["key", "export", label]))).unwrap();
        signs(&store, label, "public.pem");
    }
    let spki = "openssl pkey -pubin -in public.pem -outform DER | tail -c 32 | base64 | tr '+/' '-_' | tr -d '=' >x";
    sh(&store, spki);
    assert_eq!(fs::read_to_string(store.0.join("x")).unwrap().trim(), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    // 32 zeros.
    fs::write(store.0.join("jwk"), r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#).unwrap();
    let (code, why) = refused(&run(&store, &["key", "import", "jwk", "-l", "k"]));
    assert!(code == 2 && why.contains("--kind says which"), "{why}");
}

#[test]
fn the_bytes_of_a_secret_key_are_taken_in_and_given_out_again_if_they_may_leave() {
    let store = Store::new("secret");
    let bytes: Vec<u8> = (0..32).collect();
    fs::write(store.0.join("raw"), &bytes).unwrap();
    fs::write(store.0.join("hex"), format!("{}\n", data_encoding::HEXLOWER.encode(&bytes))).unwrap();
    fs::write(store.0.join("base64"), data_encoding::BASE64.encode(&bytes)).unwrap();
    fs::write(store.0.join("m"), "a message").unwrap();
    sh(&store, "openssl dgst -sha256 -mac HMAC -macopt hexkey:$(cat hex) -r m | cut -d' ' -f1 >code");
    let expected = fs::read_to_string(store.0.join("code")).unwrap();
    for form in ["raw", "hex", "base64"] {
        said(&run(&store, &["key", "import", form, "-l", form, "-k", "hmac-sha256", "--extractable"]));
        assert_eq!(said(&run(&store, &["mac", form, "m"])), expected);
        let out = said(&run(&store, &["key", "export", form, "--private", "--plain"]));
        assert_eq!(out.trim(), data_encoding::BASE64.encode(&bytes));
    }
    let (code, why) = refused(&run(&store, &["key", "import", "m", "-l", "x", "-k", "aes-256"]));
    assert!(code == 2 && why.contains("has not the 32 bytes of a key of kind aes-256"), "{why}");
}

#[test]
fn a_private_key_that_may_leave_goes_under_a_password_and_one_that_may_not_says_why() {
    let store = Store::new("private");
    for kind in ["rsa-2048", "p256", "ed25519", "x25519"] {
        said(&run(&store, &["key", "create", kind, "-k", kind, "--extractable"]));
        said(&run(&store, &["key", "export", kind, "--private", "--password", "env:PASSWORD", "-o", "out.pem"]));
        fs::write(store.0.join("public.pem"), said(&run(&store, &["key", "export", kind]))).unwrap();
        sh(
            &store,
            "openssl pkey -in out.pem -passin 'pass:a password' -pubout -out theirs.pem && cmp theirs.pem public.pem",
        );
        let plain = said(&run(&store, &["key", "export", kind, "--private", "--plain"]));
        assert!(plain.starts_with("-----BEGIN PRIVATE KEY-----"), "{plain}");
    }
    said(&run(&store, &["key", "create", "stays", "-k", "p256"]));
    let (code, why) = refused(&run(&store, &["key", "export", "stays", "--private", "--plain"]));
    assert!(code == 5 && why.contains("--extractable"), "{why}");
}

#[test]
fn a_key_is_copied_with_both_halves_and_the_copy_can_be_kept_in() {
    let store = Store::new("copy");
    said(&run(&store, &["key", "create", "k", "-k", "p256", "--extractable"]));
    said(&run(&store, &["key", "copy", "k", "copy", "--id", "0102", "--not-extractable"]));
    let shown = said(&run(&store, &["key", "show", "copy"]));
    assert!(shown.contains("private key and public key") && shown.contains("id           0102"), "{shown}");
    assert!(shown.contains("extractable  no"), "{shown}");
    let exports = ["k", "copy"].map(|key| said(&run(&store, &["key", "export", key])));
    assert_eq!(exports[0], exports[1]);
}

#[test]
fn a_key_that_may_leave_is_wrapped_and_unwrapped_in_every_way() {
    let store = Store::new("wrap");
    said(&run(&store, &["key", "create", "kek", "-k", "aes-256", "--can", "wrap,unwrap"]));
    said(&run(&store, &["key", "create", "rsa-kek", "-k", "rsa-2048", "--can", "wrap,unwrap"]));
    said(&run(&store, &["key", "create", "pair", "-k", "p256", "--extractable"]));
    said(&run(&store, &["key", "create", "secret", "-k", "hmac-sha256", "--extractable"]));
    fs::write(store.0.join("m"), "a message").unwrap();
    let code = said(&run(&store, &["mac", "secret", "m"]));
    let public = said(&run(&store, &["key", "export", "pair"]));
    fs::write(store.0.join("public.pem"), public).unwrap();
    for (by, scheme) in [("kek", None), ("kek", Some("aes-kwp")), ("rsa-kek", None), ("rsa-kek", Some("rsa-oaep"))] {
        let option: Vec<&str> = scheme.iter().flat_map(|scheme| ["--scheme", scheme]).collect();
        said(&run(&store, &[&["key", "wrap", "secret", "--by", by, "-o", "w"], &option[..]].concat()));
        said(&run(
            &store,
            &[&["key", "unwrap", "w", "--by", by, "-k", "hmac-sha256", "-l", "back"], &option[..]].concat(),
        ));
        assert_eq!(said(&run(&store, &["mac", "back", "m"])), code);
        said(&run(&store, &["key", "delete", "back", "--yes"]));
        if scheme == Some("rsa-oaep") {
            continue;
        }
        said(&run(&store, &[&["key", "wrap", "pair", "--by", by, "-o", "w"], &option[..]].concat()));
        said(&run(
            &store,
            &[&["key", "unwrap", "w", "--by", by, "-k", "p256", "-l", "p256-back"], &option[..]].concat(),
        ));
        signs(&store, "p256-back", "public.pem");
        said(&run(&store, &["key", "delete", "p256-back", "--yes"]));
    }
    fs::write(store.0.join("w"), [7; 40]).unwrap();
    let (code, why) = refused(&run(&store, &["key", "unwrap", "w", "--by", "kek", "-k", "aes-256", "-l", "x"]));
    assert!(code == 1 && why.contains("CKR_WRAPPED_KEY_INVALID"), "{why}");
    let (code, why) = refused(&run(&store, &["key", "wrap", "kek", "--by", "kek"]));
    assert!(code == 5 && why.contains("CKR_KEY_UNEXTRACTABLE"), "{why}");
    let (code, why) = refused(&run(&store, &["key", "wrap", "pair", "--by", "kek", "--scheme", "rsa-aes"]));
    assert!(code == 2 && why.contains("does not wrap in this way"), "{why}");
}

#[test]
fn a_strict_token_takes_keys_in_and_gives_them_out_too() {
    let store = Store::new("strict");
    said(&store.run(&["token", "set", "--profile", "strict", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"]));
    sh(
        &store,
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem && openssl pkey -in key.pem -pubout -out public.pem",
    );
    said(&run(&store, &["key", "import", "key.pem", "-l", "p256", "--extractable"]));
    signs(&store, "p256", "public.pem");
    let out = said(&run(&store, &["key", "export", "p256", "--private", "--plain"]));
    fs::write(store.0.join("out.pem"), out).unwrap();
    sh(&store, "openssl pkey -in out.pem -pubout -out theirs.pem && cmp theirs.pem public.pem");
}

#[test]
fn what_is_no_key_or_has_another_password_is_refused_in_words_and_leaves_nothing() {
    let store = Store::new("bad");
    sh(&store, "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem");
    sh(
        &store,
        "openssl pkcs8 -topk8 -in key.pem -passout pass:other -out enc && openssl rsa -in key.pem 2>/dev/null || true",
    );
    sh(&store, "openssl genrsa -traditional -aes128 -passout pass:old -out old 2>/dev/null");
    sh(
        &store,
        "openssl req -x509 -new -key key.pem -subj /CN=x -out cert.pem && openssl pkcs12 -export -inkey key.pem -in cert.pem -passout pass:other -out p12",
    );
    sh(
        &store,
        "openssl genpkey -algorithm ed448 -out ed448 && head -c 60 key.pem >cut && openssl pkey -in key.pem -outform DER | head -c 100 >cut.der",
    );
    sh(
        &store,
        "openssl dsaparam -out dsap 1024 2>/dev/null && openssl gendsa -out dsa dsap 2>/dev/null && echo '{\"kty\":\"EC\"}' >jwk && echo hello >text",
    );
    sh(&store, "openssl ecparam -name brainpoolP256r1 -genkey -noout -out brainpool");
    for (file, words) in [
        ("enc", "the password is wrong"),
        ("p12", "the password is wrong"),
        ("old", "openssl pkcs8 -topk8"),
        ("ed448", "are not offered"),
        ("cut", "cannot be read"),
        ("cut.der", "neither PKCS#8"),
        ("dsa", "offered"),
        ("jwk", "the JWK"),
        ("text", "no key in a form that is known"),
        ("brainpool", "CKR_CURVE_NOT_SUPPORTED"),
        ("nowhere", "cannot be read"),
    ] {
        let (code, why) = refused(&run(&store, &["key", "import", file, "-l", "x", "--password", "env:PASSWORD"]));
        assert!(why.contains(words) && (code == 2 || code == 1), "{file}: {code} {why}");
    }
    assert!(said(&run(&store, &["object", "list"])).is_empty());
    for (file, kind) in [("cert.pem", "a certificate"), ("public.pem", "a public key")] {
        sh(&store, "openssl pkey -in key.pem -pubout -out public.pem");
        said(&run(&store, &["key", "import", file, "-l", kind]));
        assert!(said(&run(&store, &["key", "show", kind])).contains("is           public key"));
        said(&run(&store, &["key", "delete", kind, "--yes"]));
    }
    assert!(text(&run(&store, &["key", "list"]).stdout).contains("there is no key yet"));
}

#[test]
fn a_private_key_is_found_wherever_it_is_in_a_file_and_a_public_one_is_called_that() {
    let store = Store::new("order");
    sh(
        &store,
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj /CN=both -out cert.pem 2>/dev/null",
    );
    sh(
        &store,
        "cat cert.pem key.pem >first && cat key.pem cert.pem >last && openssl pkey -in key.pem -pubout -out public.pem",
    );
    for file in ["first", "last"] {
        said(&run(&store, &["key", "import", file, "-l", file]));
        let shown = said(&run(&store, &["key", "show", file]));
        assert!(shown.contains("is           private key and public key"), "{file}: {shown}");
        assert!(said(&run(&store, &["cert", "list"])).contains("CN=both"), "{file}");
        said(&run(&store, &["key", "delete", file, "--yes"]));
        said(&run(&store, &["cert", "delete", file, "--yes"]));
    }
    let made = said(&run(&store, &["key", "import", "public.pem", "-l", "p"]));
    assert!(made.contains("Only its public half") && !made.contains("delete it"), "{made}");
}

/// A form, what it is asked for, and what OpenSSL or OpenSSH makes its public half with, in `theirs`.
const OUT: [(&str, &str, &str); 4] = [
    ("pkcs1", "--plain", "openssl rsa -in out -pubout -out theirs 2>/dev/null"),
    ("sec1", "--plain", "openssl ec -in out -pubout -out theirs 2>/dev/null"),
    (
        "pkcs12",
        "--password=env:PASSWORD",
        "openssl pkcs12 -in out -passin 'pass:a password' -nodes -out both && openssl pkey -in both -pubout -out theirs",
    ),
    (
        "openssh",
        "--password=env:PASSWORD",
        "cp out id && chmod 600 id && ssh-keygen -y -P 'a password' -f id | cut -d' ' -f1,2 >theirs",
    ),
];

#[test]
fn a_key_is_written_in_every_form_that_its_kind_has_and_other_programs_read_it() {
    let store = Store::new("forms");
    for kind in ["rsa-2048", "p256", "p384", "p521", "secp256k1", "ed25519", "x25519"] {
        said(&run(&store, &["key", "create", kind, "-k", kind, "--extractable"]));
        said(&run(&store, &["key", "export", kind, "-o", "public.pem"]));
        let mut has_certificate = false;
        if kind != "x25519" && kind != "secp256k1" {
            said(&run(&store, &["cert", "self-sign", kind]));
            has_certificate = true;
        }
        for (form, password, read) in OUT {
            let made = run(&store, &["key", "export", kind, "--private", "--format", form, password, "-o", "out"]);
            let fits = match form {
                "pkcs1" => kind.starts_with("rsa"),
                "sec1" => kind.starts_with('p') || kind == "secp256k1",
                "openssh" => kind != "x25519" && kind != "secp256k1",
                _ => true,
            };
            if !fits {
                let (code, why) = refused(&made);
                assert!(code == 2 && why.contains(&format!("of kind {kind} has no form as {form}")), "{why}");
                continue;
            }
            said(&made);
            sh(&store, read);
            if form == "openssh" {
                said(&run(&store, &["key", "export", kind, "--format", "ssh", "-o", "line"]));
                sh(&store, "cut -d' ' -f1,2 line | cmp - theirs && ssh-keygen -l -f line >/dev/null");
                let line = fs::read_to_string(store.0.join("line")).unwrap();
                assert!(line.ends_with(&format!(" {kind}\n")), "{line}");
                said(&run(&store, &["key", "export", kind, "--private", "--format", form, "--plain", "-o", "id"]));
                sh(&store, "ssh-keygen -y -P '' -f id | cut -d' ' -f1,2 | cmp - theirs");
            } else {
                sh(&store, "cmp theirs public.pem");
            }
            if form == "pkcs12" {
                let both = fs::read_to_string(store.0.join("both")).unwrap();
                assert_eq!(both.contains("BEGIN CERTIFICATE"), has_certificate, "{kind}");
            }
        }
        // What is written as JSON is read again as the same key.
        said(&run(&store, &["key", "export", kind, "--private", "--format", "jwk", "--plain", "-o", "jwk"]));
        said(&run(&store, &["key", "delete", kind, "--yes"]));
        said(&run(&store, &["key", "import", "jwk", "-l", kind]));
        said(&run(&store, &["key", "export", kind, "-o", "again.pem"]));
        sh(&store, "cmp again.pem public.pem");
    }
    said(&run(&store, &["key", "export", "rsa-2048", "--format", "pkcs1", "-o", "out"]));
    said(&run(&store, &["key", "export", "rsa-2048", "-o", "public.pem"]));
    sh(&store, "openssl rsa -RSAPublicKey_in -in out -pubout -out theirs 2>/dev/null && cmp theirs public.pem");
    let (code, why) = refused(&run(&store, &["key", "export", "p256", "--private", "--format", "sec1"]));
    assert!(code == 2 && why.contains("--plain"), "{why}");
    let (code, why) = refused(&run(&store, &["key", "export", "p256", "--private", "--format", "pkcs12", "--plain"]));
    assert!(code == 2 && why.contains("leave --plain out"), "{why}");
}

#[test]
fn a_public_key_is_taken_in_from_json_and_from_a_line_of_openssh() {
    let store = Store::new("public");
    for kind in ["rsa-2048", "p256", "p384", "p521", "secp256k1", "ed25519", "x25519"] {
        said(&run(&store, &["key", "create", kind, "-k", kind, "--extractable"]));
        said(&run(&store, &["key", "export", kind, "-o", "public.pem"]));
        let forms: &[&str] = if ["secp256k1", "x25519"].contains(&kind) { &["jwk"] } else { &["jwk", "openssh"] };
        let file = |form: &str| format!("{form}.{kind}");
        for form in forms {
            said(&run(&store, &["key", "export", kind, "--format", form, "-o", &file(form)]));
        }
        said(&run(&store, &["key", "delete", kind, "--yes"]));
        for form in forms {
            let made = said(&run(&store, &["key", "import", &file(form), "-l", form]));
            assert!(made.contains("Only its public half"), "{made}");
            said(&run(&store, &["key", "export", form, "-o", "again.pem"]));
            sh(&store, "cmp again.pem public.pem");
            said(&run(&store, &["key", "delete", form, "--yes"]));
        }
    }
}

#[test]
fn a_key_whose_parts_contradict_each_other_is_refused_in_words() {
    let store = Store::new("contradiction");
    let jwk = |number: usize| JWKS[number].1.to_owned();
    // Another point of the curve: RFC 7515, A.3.
    let other = jwk(0)
        .replace("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")
        .replace("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    let off = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"}"#;
    said(&run(&store, &["key", "create", "r", "-k", "rsa-2048", "--extractable"]));
    let rsa = said(&run(&store, &["key", "export", "r", "--private", "--plain", "--format", "jwk"]));
    said(&run(&store, &["key", "delete", "r", "--yes"]));
    let none: String = data_encoding::BASE64URL_NOPAD.encode(&[0; 32]);
    for (text, words) in [
        (other, "its parts do not belong together"),
        (jwk(1).replace("11qYAYKxCrfVS", "11qYAYKxCrfVT"), "is not that of the private value"),
        (jwk(0).replace("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE", &none), "out of range"),
        (off.to_owned(), "not on the curve"),
        (jwk(0).replace("870MB6gfuTJ4", "870M"), "'d' of the JWK has 26 bytes, and 32 on the curve P-256"),
        (jwk(1).replace("\"d\":\"nW", "\"d\":\"?"), "'d' of the JWK is not base64url"),
        (rsa.replace("\"e\":\"AQAB\"", "\"e\":\"Aw\""), "exponents of the RSA key do not belong together"),
        ("ssh-ed25519 AAAA".to_owned(), "a public key of OpenSSH that cannot be read"),
    ] {
        fs::write(store.0.join("file"), text).unwrap();
        let (code, why) = refused(&run(&store, &["key", "import", "file", "-l", "k"]));
        assert!(code == 2 && why.contains(words) && !why.contains("CKR_"), "{words}: {why}");
    }
    // The same contradiction in PKCS#8 and SEC1, of the private value of one key and the point of another.
    sh(
        &store,
        "for n in 1 2; do openssl ecparam -name prime256v1 -genkey -noout -outform DER -out $n; done; \
         { head -c 57 1; tail -c 64 2; } >file; openssl ec -inform DER -in 1 -conv_form compressed -out small 2>/dev/null",
    );
    let (code, why) = refused(&run(&store, &["key", "import", "file", "-l", "k"]));
    assert!(code == 2 && why.contains("its parts do not belong together"), "{why}");
    assert!(text(&run(&store, &["key", "list"]).stdout).contains("there is no key yet"));
    said(&run(&store, &["key", "import", "small", "-l", "compressed"]));
}

#[test]
fn a_key_in_json_has_the_numbers_that_the_rfc_has() {
    let store = Store::new("jwk-out");
    for (label, jwk) in JWKS {
        fs::write(store.0.join("jwk"), jwk).unwrap();
        said(&run(&store, &["key", "import", "jwk", "--label", label, "--extractable"]));
        let out = said(&run(&store, &["key", "export", label, "--private", "--plain", "--format", "jwk"]));
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&out), read(jwk));
        let mut public = read(jwk);
        public.as_object_mut().unwrap().remove("d");
        assert_eq!(read(&said(&run(&store, &["key", "export", label, "--format", "jwk"]))), public);
    }
    said(&run(&store, &["key", "create", "s", "-k", "aes-256", "--extractable"]));
    let out = said(&run(&store, &["key", "export", "s", "--private", "--plain", "--format", "jwk"]));
    fs::write(store.0.join("jwk"), out).unwrap();
    said(&run(&store, &["key", "import", "jwk", "-l", "again", "-k", "aes-256"]));
}
