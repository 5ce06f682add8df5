//! What Debian's softhsm2-keyconv (package softhsm2) makes of BIND's keys, and what ours does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use data_encoding::{BASE64, HEXLOWER};

const DEBIANS: &str = "/usr/bin/softhsm2-keyconv";
const OURS: &str = env!("CARGO_BIN_EXE_strongroom-softhsm2-keyconv");

/// A directory with keys.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(program).args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run("openssl", arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output.stdout
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.0.path().join(name)).ok()
    }

    /// The numbers that OpenSSL prints of a key, in hexadecimal digits.
    fn numbers(&self, key: &str) -> BTreeMap<String, String> {
        let text = String::from_utf8(self.openssl(&["pkey", "-in", key, "-noout", "-text"])).unwrap();
        let (mut numbers, mut name) = (BTreeMap::<String, String>::new(), String::new());
        for line in text.lines() {
            if line.starts_with(' ') {
                numbers.entry(name.clone()).or_default().push_str(&line.trim().replace(':', ""));
            } else if let Some((now, value)) = line.split_once(':') {
                name = now.to_owned();
                if let Some((_, digits)) = value.split_once("(0x") {
                    let digits = digits.trim_end_matches(')');
                    let even = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_owned() };
                    numbers.insert(name.clone(), even);
                }
            }
        }
        numbers
    }

    /// Writes BIND's file of a key of OpenSSL's.
    fn bind(&self, key: &str, algorithm: &str, names: &[(&str, &str)]) -> String {
        let numbers = self.numbers(key);
        let mut text = format!("Private-key-format: v1.3\nAlgorithm: {algorithm}\n");
        for (name, openssls) in names {
            let bytes = HEXLOWER.decode(numbers[*openssls].as_bytes()).unwrap();
            let bytes = if *name == "PrivateKey" { &bytes[..] } else { bytes.strip_prefix(&[0]).unwrap_or(&bytes) };
            text.push_str(&format!("{name}: {}\n", BASE64.encode(bytes)));
        }
        text.push_str("Created: 20261101000000\nPublish: 20261101000000\nActivate: 20261101000000\n");
        self.write(&format!("{key}.private"), &text);
        text
    }

    fn public(&self, key: &str) -> Vec<u8> {
        self.openssl(&["pkey", "-in", key, "-passin", "pass:a password", "-pubout"])
    }
}

const RSA: [(&str, &str); 8] = [
    ("Modulus", "modulus"),
    ("PublicExponent", "publicExponent"),
    ("PrivateExponent", "privateExponent"),
    ("Prime1", "prime1"),
    ("Prime2", "prime2"),
    ("Exponent1", "exponent1"),
    ("Exponent2", "exponent2"),
    ("Coefficient", "coefficient"),
];
const DSA: [(&str, &str); 5] = [
    ("Prime(p)", "P"),
    ("Subprime(q)", "Q"),
    ("Base(g)", "G"),
    ("Private_value(x)", "priv"),
    ("Public_value(y)", "pub"),
];
const SHORT: [(&str, &str); 1] = [("PrivateKey", "priv")];

#[test]
fn keys_that_debians_converts_come_out_byte_for_byte_the_same() {
    let place = Place::new();
    place.openssl(&["genpkey", "-algorithm", "RSA", "-out", "rsa"]);
    place.openssl(&[
        "genpkey",
        "-genparam",
        "-algorithm",
        "DSA",
        "-pkeyopt",
        "dsa_paramgen_bits:1024",
        "-out",
        "params",
    ]);
    place.openssl(&["genpkey", "-paramfile", "params", "-out", "dsa"]);
    let algorithms = [("1 (RSA)", "rsa", &RSA[..]), ("3 (DSA)", "dsa", &DSA), ("5 (RSASHA1)", "rsa", &RSA)];
    let more = [("6 (NSEC3DSA)", "dsa", &DSA[..]), ("7 (NSEC3RSASHA1)", "rsa", &RSA), ("8 (RSASHA256)", "rsa", &RSA)];
    for (algorithm, key, names) in algorithms.into_iter().chain(more).chain([("10 (RSASHA512)", "rsa", &RSA[..])]) {
        place.bind(key, algorithm, names);
        let input = format!("{key}.private");
        let made = [DEBIANS, OURS].map(|program| {
            let output = place.run(program, &["--in", &input, "--out", "out"]);
            assert_eq!(output.status.code(), Some(0), "{algorithm}: {output:?}");
            (output.stdout, output.stderr, place.read("out").unwrap())
        });
        assert!(made[0] == made[1], "{algorithm}: {} {}", made[0].2, made[1].2);
        assert_eq!(place.public("out"), place.public(key), "{algorithm}");
    }
    let mode = fs::metadata(place.0.path().join("out")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn keys_of_elliptic_curves_which_debians_does_not_convert_are_converted() {
    let place = Place::new();
    place.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "p256"]);
    place.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", "p384"]);
    place.openssl(&["genpkey", "-algorithm", "ed25519", "-out", "ed25519"]);
    place.openssl(&["genpkey", "-algorithm", "ed448", "-out", "ed448"]);
    let keys = [
        ("13 (ECDSAP256SHA256)", "p256"),
        ("14 (ECDSAP384SHA384)", "p384"),
        ("15 (ED25519)", "ed25519"),
        ("16 (ED448)", "ed448"),
    ];
    for (algorithm, key) in keys {
        place.bind(key, algorithm, &SHORT);
        let input = format!("{key}.private");
        let theirs = place.run(DEBIANS, &["--in", &input, "--out", "theirs"]);
        assert_eq!(theirs.status.code(), Some(1), "Debian's can do it by now: {theirs:?}");
        let output = place.run(OURS, &["--in", &input, "--out", "out"]);
        assert_eq!(output.status.code(), Some(0), "{algorithm}: {output:?}");
        assert_eq!(place.public("out"), place.public(key), "{algorithm}");
    }
}

#[test]
fn a_pin_encrypts_the_file_and_an_empty_one_does_not_pass_for_one() {
    let place = Place::new();
    place.openssl(&["genpkey", "-algorithm", "RSA", "-out", "rsa"]);
    place.bind("rsa", "8 (RSASHA256)", &RSA);
    let output = place.run(OURS, &["--in", "rsa.private", "--out", "out", "--pin", "a password"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(place.read("out").unwrap().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    assert_eq!(place.public("out"), place.public("rsa"));
    let wrong = place.run("openssl", &["pkey", "-in", "out", "-passin", "pass:another", "-noout"]);
    assert!(!wrong.status.success());
    let empty = place.run(OURS, &["--in", "rsa.private", "--out", "empty", "--pin", ""]);
    assert_eq!((empty.status.code(), place.read("empty")), (Some(1), None), "{empty:?}");
}

#[test]
fn what_is_refused_has_debians_words_and_writes_no_file() {
    let place = Place::new();
    place.openssl(&["genpkey", "-algorithm", "RSA", "-out", "rsa"]);
    let whole = place.bind("rsa", "8 (RSASHA256)", &RSA);
    let without =
        |name: &str| whole.lines().filter(|line| !line.starts_with(name)).map(|line| format!("{line}\n")).collect();
    let files: [(&str, String); 7] = [
        ("a part", without("Modulus")),
        ("no algorithm", without("Algorithm")),
        ("version", whole.replace("v1.3", "v2.0")),
        ("later", whole.replace("v1.3", "v1.9")),
        ("unknown", whole.replace("8 (RSASHA256)", "12 (ECC-GOST)")),
        ("base64", whole.replace("Modulus: ", "Modulus: !")),
        ("nothing", String::new()),
    ];
    for (name, text) in &files {
        place.write("in", text);
        let [theirs, ours] =
            [DEBIANS, OURS].map(|program| place.run(program, &["--in", "in", "--out", "out of theirs"]));
        assert_eq!((theirs.status.code(), ours.status.code()), (Some(1), Some(1)), "{name}: {theirs:?} {ours:?}");
        assert_eq!(String::from_utf8_lossy(&ours.stderr), String::from_utf8_lossy(&theirs.stderr), "{name}");
        let ours = place.run(OURS, &["--in", "in", "--out", "out"]);
        assert_eq!((ours.status.code(), place.read("out")), (Some(1), None), "{name}");
    }
    place.write("in", &whole);
    place.write("there", "what was there");
    let calls =
        [&["--in", "in"][..], &["--out", "x"], &["--in", "no", "--out", "x"], &["--in", "in", "--out", "no/x"], &["x"]];
    for arguments in calls {
        let [theirs, ours] = [DEBIANS, OURS].map(|program| place.run(program, arguments));
        assert_eq!(
            (theirs.status.code(), ours.status.code()),
            (Some(1), Some(1)),
            "{arguments:?}: {theirs:?} {ours:?}"
        );
    }
    for arguments in
        [&["--in", "in"][..], &["--out", "x"], &["--in", "no", "--out", "x"], &["--in", "in", "--out", "no/x"]]
    {
        let [theirs, ours] = [DEBIANS, OURS].map(|program| place.run(program, arguments).stderr);
        assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs), "{arguments:?}");
    }
    place.write("in", &files[0].1);
    assert_eq!(place.run(OURS, &["--in", "in", "--out", "there"]).status.code(), Some(1));
    assert_eq!(place.read("there").as_deref(), Some("what was there"));
}

#[test]
fn a_line_without_a_meaning_is_named_by_its_number_and_not_shown() {
    let place = Place::new();
    place.openssl(&["genpkey", "-algorithm", "RSA", "-out", "rsa"]);
    let whole = place.bind("rsa", "8 (RSASHA256)", &RSA);
    place.write("in", &format!("{whole}Hidden: c2VjcmV0\n"));
    let [theirs, ours] = [DEBIANS, OURS].map(|program| place.run(program, &["--in", "in", "--out", "out"]));
    assert_eq!((theirs.status.code(), ours.status.code()), (Some(0), Some(0)));
    assert_eq!(String::from_utf8_lossy(&ours.stderr), "ERROR: Unrecognized input line 14\n");
    assert!(String::from_utf8_lossy(&theirs.stderr).starts_with("ERROR: Unrecognized input line 14\n"));
}

#[test]
fn help_and_version_end_with_0() {
    let place = Place::new();
    for arguments in [&[][..], &["-h"], &["--help"], &["-v"], &["--version"]] {
        let [theirs, ours] = [DEBIANS, OURS].map(|program| place.run(program, arguments));
        assert_eq!((theirs.status.code(), ours.status.code()), (Some(0), Some(0)), "{arguments:?}");
        assert!(!ours.stdout.is_empty() && ours.stderr.is_empty());
    }
    // SoftHSM's ends with 0 here, and a script goes on.
    assert_eq!(place.run(OURS, &["--bogus"]).status.code(), Some(1));
}
