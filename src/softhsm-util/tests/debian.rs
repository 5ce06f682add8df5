//! What Debian's softhsm2-util (package softhsm2) says and does, and what ours does of the same arguments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use engine::{Access, Engine, Settings, User};
use types::{AttributeType as A, MechanismType as M, ObjectClass, Output as Room, Params, SlotId, Value};

const DEBIANS: &str = "/usr/bin/softhsm2-util";
const OURS: &str = env!("CARGO_BIN_EXE_strongroom-softhsm2-util");
const SO_PIN: &str = "officer-12345";
const PIN: &str = "user-12345";

/// Both, each with nothing yet.
struct Both(tempfile::TempDir);

impl Both {
    fn new() -> Self {
        let both = Self(tempfile::tempdir().unwrap());
        fs::create_dir(both.path("tokens")).unwrap();
        let text = format!("directories.tokendir = {}\n", both.path("tokens").display());
        fs::write(both.path("softhsm2.conf"), text).unwrap();
        both
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Makes a file with a key or a certificate.
    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("STRONGROOM_")) {
            command.env_remove(name);
        }
        command.args(arguments).env("SOFTHSM2_CONF", self.path("softhsm2.conf")).arg0("softhsm2-util");
        command.env("STRONGROOM_STORE", self.path("store")).stdin(Stdio::null()).output().unwrap()
    }

    /// What both print, which must have one shape, and their exit code, which must be one. Gives our lines.
    fn same(&self, code: i32, arguments: &[&str]) -> String {
        let [theirs, ours] = [DEBIANS, OURS].map(|program| self.run(program, arguments));
        assert_eq!(theirs.status.code(), Some(code), "{arguments:?}: {theirs:?}");
        assert_eq!(ours.status.code(), Some(code), "{arguments:?}: {ours:?}");
        assert_eq!(shape(&ours.stdout), shape(&theirs.stdout), "{arguments:?}: {ours:?}");
        assert_eq!(ours.stderr.is_empty(), theirs.stderr.is_empty(), "{arguments:?}: {ours:?} {theirs:?}");
        String::from_utf8(ours.stdout).unwrap()
    }

    /// As `same`; both say the same on standard error, too.
    fn refused(&self, arguments: &[&str]) {
        self.same(1, arguments);
        let [theirs, ours] = [DEBIANS, OURS].map(|program| self.run(program, arguments).stderr);
        assert_eq!(shape(&ours), shape(&theirs), "{arguments:?}");
    }

    fn engine(&self) -> Engine {
        let (store, state) = (self.path("store"), self.path("store").join("state"));
        Engine::new(Settings { store, state, ..Settings::load() })
    }
}

/// Lines with `#` for each number, be it decimal or hexadecimal, and for what describes the two.
fn shape(text: &[u8]) -> Vec<String> {
    let word = |word: &str| {
        let digits = word.trim_matches(['(', ')', '.', ',', ':']);
        let is_number = digits.len() > 15 && digits.chars().all(|one| one.is_ascii_hexdigit() || one == '-')
            || !digits.is_empty() && digits.chars().all(|one| one.is_ascii_digit() || one == '.');
        if is_number { word.replace(digits, "#") } else { word.to_owned() }
    };
    let line = |line: &str| match line.split_once(": ") {
        // A row of --show-slots: its width is of the shape, and yes and no.
        Some((name, value)) if line.starts_with("        ") => {
            let value = value.trim_start();
            match value {
                "yes" | "no" => line.to_owned(),
                _ if name.ends_with("version") => format!("{name}: #"),
                _ => format!("{name}: {} wide", line.len()),
            }
        }
        _ => line.split(' ').map(word).collect::<Vec<_>>().join(" "),
    };
    String::from_utf8_lossy(text).lines().map(line).collect()
}

#[test]
fn tokens_are_made_listed_and_deleted_as_with_softhsms_own() {
    let both = Both::new();
    both.same(0, &["--show-slots"]);
    let init = ["--init-token", "--free", "--label", "one", "--so-pin", SO_PIN, "--pin", PIN];
    let said = both.same(0, &init);
    assert!(said.ends_with("The token has been initialized and is reassigned to slot 0\n"), "{said}");
    both.same(0, &["--show-slots"]);
    // Abbreviated as getopt has it, and a token anew.
    both.same(0, &["--init", "--tok", "one", "--lab", "two", "--so-pin", SO_PIN, "--pin", PIN]);
    both.refused(&["--init-token", "--token", "two", "--label", "x", "--so-pin", "wrong-12345", "--pin", PIN]);
    both.refused(&["--init-token", "--label", "x", "--so-pin", SO_PIN, "--pin", PIN]);
    both.refused(&["--init-token", "--slot", "99", "--label", "x", "--so-pin", SO_PIN, "--pin", PIN]);
    both.refused(&["--init-token", "--token", "none", "--label", "x", "--so-pin", SO_PIN, "--pin", PIN]);
    let long = "x".repeat(33);
    both.refused(&["--init-token", "--free", "--label", &long, "--so-pin", SO_PIN, "--pin", PIN]);
    both.refused(&["--delete-token"]);
    both.refused(&["--delete-token", "--token", "none"]);

    // SoftHSM's deletes what it is not shown a PIN of, and names files.
    let refused = both.run(OURS, &["--delete-token", "--token", "two", "--so-pin", "wrong-12345"]);
    assert_eq!(refused.status.code(), Some(1));
    let deleted = both.run(OURS, &["--delete-token", "--token", "two", "--so-pin", SO_PIN]);
    let theirs = both.run(DEBIANS, &["--delete-token", "--token", "two"]);
    assert_eq!((deleted.status.code(), theirs.status.code()), (Some(0), Some(0)), "{deleted:?} {theirs:?}");
    let first = |output: &Output| shape(&output.stdout)[0].clone();
    assert_eq!(first(&deleted), first(&theirs));
    both.same(0, &["--show-slots"]);
}

#[test]
fn usage_and_what_is_not_offered_end_with_1_and_a_reason() {
    let both = Both::new();
    for arguments in [&[][..], &["--show-slots", "--init-token"]] {
        let [theirs, ours] = [DEBIANS, OURS].map(|program| both.run(program, arguments).status.code());
        assert_eq!((theirs, ours), (Some(1), Some(1)), "{arguments:?}");
    }
    // SoftHSM's ends with 0 here, and a script goes on.
    let unknown = both.run(OURS, &["--bogus"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("--bogus"), "{unknown:?}");
    for arguments in [["--help"], ["-h"], ["--version"], ["-v"]] {
        let [theirs, ours] = [DEBIANS, OURS].map(|program| both.run(program, &arguments));
        assert_eq!((theirs.status.code(), ours.status.code()), (Some(0), Some(0)), "{arguments:?}");
        assert!(!ours.stdout.is_empty());
    }
    let other = both.run(OURS, &["--module", "/usr/lib/softhsm/libsofthsm2.so", "--show-slots"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("strongroom's tokens only"), "{other:?}");
    let ours = both.run(OURS, &["--module", "/anywhere/libstrongroom.so", "--show-slots"]);
    assert_eq!(ours.status.code(), Some(0));
    let no_pin = ["--init-token", "--free", "--label", "x", "--pin", PIN];
    // Nobody is there to be asked.
    let mut alone = Command::new("setsid");
    alone.args(["-w", OURS]).args(no_pin).env("STRONGROOM_STORE", both.path("store")).stdin(Stdio::null());
    let asked = alone.output().unwrap();
    assert_eq!(asked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&asked.stderr).ends_with("ERROR: Could not get SO PIN\n"), "{asked:?}");
}

#[test]
fn what_is_imported_has_the_attributes_that_softhsm_gives_it_and_signs() {
    let both = Both::new();
    both.same(0, &["--init-token", "--free", "--label", "one", "--so-pin", SO_PIN, "--pin", PIN]);
    both.openssl(&["genpkey", "-algorithm", "RSA", "-out", "rsa"]);
    both.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ec"]);
    both.openssl(&["genpkey", "-algorithm", "ed25519", "-out", "ed"]);
    both.openssl(&["pkcs8", "-topk8", "-in", "ec", "-out", "locked", "-passout", "pass:a password"]);
    fs::write(both.path("aes"), [7; 32]).unwrap();
    let import = |file: &str, id: &str, more: &[&str]| {
        let file_name = both.name(file);
        let fixed = ["--import", &file_name, "--token", "one", "--label", file, "--id", id, "--pin", PIN];
        [&fixed[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |code, arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if code == 0 { drop(both.same(0, &arguments)) } else { both.refused(&arguments) }
    };
    for (file, id) in [("rsa", "0a"), ("ec", "0b"), ("ed", "0c")] {
        run(0, import(file, id, &[]));
    }
    run(0, import("aes", "0D", &["--aes"]));
    run(0, import("locked", "0e", &["--file-pin", "a password", "--no-public-key"]));
    run(1, import("locked", "0f", &["--file-pin", "another"]));
    run(1, import("locked", "0f", &[]));
    run(1, import("ec", "0a", &[]));
    run(1, import("ec", "1", &[]));
    run(1, import("ec", "0x", &[]));
    run(1, import("ec", "0f", &["--pin", "wrong-12345"]));
    run(1, vec!["--import".into(), both.name("ec"), "--token".into(), "one".into(), "--id".into(), "0f".into()]);

    let tokens = softhsm::tokens(&both.path("tokens")).unwrap();
    let token = tokens[0].as_ref().unwrap();
    let open = token.open(softhsm::Who::User, PIN.as_bytes()).unwrap();
    let objects = open.objects().unwrap().map(|object| object.attributes.unwrap());
    let engine = both.engine();
    let session = engine.open_session(SlotId(0), Access::ReadOnly).unwrap();
    engine.login(session, User::User, PIN.as_bytes()).unwrap();
    let find = |wanted| {
        engine.find_init(session, wanted).unwrap();
        let found = engine.find(session, 2).unwrap();
        engine.find_final(session).unwrap();
        assert_eq!(found.len(), 1);
        found[0]
    };
    let (mut kinds, mut different) = (BTreeMap::new(), Vec::<String>::new());
    for object in objects {
        let get =
            |name: A| object.iter().find(|(known, _)| *known == name).map(|(_, value)| value.duplicate()).unwrap();
        let label = get(A::LABEL);
        let label = String::from_utf8_lossy(label.as_bytes().unwrap()).into_owned();
        let ours = find(vec![(A::CLASS, get(A::CLASS)), (A::ID, get(A::ID)), (A::LABEL, get(A::LABEL))]);
        let view = engine.object(session, ours).unwrap();
        for (name, value) in object.iter().filter(|(_, value)| matches!(value, Value::Flag(_))) {
            if view.attribute(*name).ok() != Some(value) {
                different.push(format!("{} {label} {name}", view.attribute(A::CLASS).unwrap().as_number().unwrap()));
            }
        }
        *kinds.entry(label).or_insert(0) += 1;
    }
    assert!(different.is_empty(), "{different:?}");
    let expected = [("aes", 1), ("ec", 2), ("ed", 2), ("locked", 1), ("rsa", 2)];
    assert_eq!(kinds, expected.map(|(label, count)| (label.to_owned(), count)).into());

    for (label, id) in [("rsa", M::SHA256_RSA_PKCS), ("ec", M::ECDSA_SHA256), ("ed", M::EDDSA)] {
        let of = |class: ObjectClass| find(vec![(A::CLASS, Value::Number(class.0)), (A::LABEL, Value::bytes(label))]);
        let mechanism = types::Mechanism { id, params: Params::None };
        engine.sign_init(session, &mechanism, of(ObjectClass::PRIVATE_KEY)).unwrap();
        let mut signature = vec![0; 512];
        let types::OutputResult::Written(len) = engine.sign(session, b"text", Room::Buffer(&mut signature)).unwrap()
        else {
            panic!("{label}")
        };
        engine.verify_init(session, &mechanism, of(ObjectClass::PUBLIC_KEY)).unwrap();
        engine.verify(session, b"text", &signature[..len]).unwrap();
    }

    both.openssl(&["req", "-x509", "-key", "ec", "-subj", "/CN=me", "-out", "cert"]);
    let certificate = import("cert", "10", &["--import-type", "cert"]);
    let certificate = both.run(OURS, &certificate.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(certificate.status.code(), Some(0), "{certificate:?}");
    find(vec![(A::CLASS, Value::Number(ObjectClass::CERTIFICATE.0)), (A::LABEL, Value::bytes("cert"))]);
}

/// Ours, where SoftHSM's slot numbers and configuration hold: by the setting, or by the module's name.
fn in_softhsms_place(both: &Both, more: &[&str], arguments: &[&str]) -> String {
    let mut command = Command::new(both.path("installed/softhsm2-util"));
    for (name, _) in env::vars().filter(|(name, _)| name.starts_with("STRONGROOM_") || name.starts_with("XDG_")) {
        command.env_remove(name);
    }
    command.env("SOFTHSM2_CONF", both.path("softhsm2.conf")).env("HOME", both.path("home")).stdin(Stdio::null());
    command.env("STRONGROOM_STATE", both.path("state"));
    if more.is_empty() {
        command.env("STRONGROOM_COMPATIBILITY", "softhsm");
    }
    let output = command.args(more).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn rows<'a>(slots: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    slots.lines().filter_map(move |line| line.trim().strip_prefix(name)).map(str::trim)
}

#[test]
fn in_softhsms_place_slots_have_its_numbers_and_names() {
    let both = Both::new();
    let module = both.path("libsofthsm2.so");
    // As they are installed: one beside the other.
    fs::create_dir(both.path("installed")).unwrap();
    fs::copy(OURS, both.path("installed/softhsm2-util")).unwrap();
    let built = env::current_exe().unwrap().with_file_name("libstrongroom.so");
    for copy in [&both.path("installed/libstrongroom.so"), &module] {
        fs::copy(&built, copy).unwrap();
    }
    let by_module = ["--module", module.to_str().unwrap()];
    let init = ["--init-token", "--free", "--label", "one", "--so-pin", SO_PIN, "--pin", PIN];
    let theirs = |arguments: &[&str]| String::from_utf8(both.run(DEBIANS, arguments).stdout).unwrap();
    let mut told = vec![(theirs(&init), theirs(&["--show-slots"]))];
    told.push((in_softhsms_place(&both, &[], &init), in_softhsms_place(&both, &by_module, &["--show-slots"])));
    assert_eq!(told[1].1, in_softhsms_place(&both, &[], &["--show-slots"]));
    for (made, slots) in &told {
        let serial =
            rows(slots, "Serial number:").find(|serial| !serial.is_empty()).expect("a token has a serial number");
        let number = u32::from_str_radix(&serial[8..], 16).unwrap() & 0x7fff_ffff;
        assert!(made.ends_with(&format!("reassigned to slot {number}\n")), "{made} {slots}");
        let numbers: Vec<_> = rows(slots, "Slot ").filter_map(|number| number.parse::<u32>().ok()).collect();
        assert_eq!(numbers, [number, 1], "{slots}");
        assert!(rows(slots, "Description:").any(|text| text == format!("SoftHSM slot ID {number:#x}")), "{slots}");
    }
    let [theirs, ours] = [0, 1].map(|at| {
        let (made, slots): &(String, String) = &told[at];
        let named =
            |line: &&str| ["Manufacturer", "Model", "Label", "init", "Initialized"].iter().any(|it| line.contains(it));
        let named = slots.lines().filter(named).map(str::to_owned).collect::<Vec<_>>();
        (shape(made.as_bytes()), shape(slots.as_bytes()), named)
    });
    assert_eq!(ours, theirs);
    // Three tokens: each has the number of its own, and the free slot how many there are.
    for label in ["two", "three"] {
        in_softhsms_place(
            &both,
            &by_module,
            &["--init-token", "--free", "--label", label, "--so-pin", SO_PIN, "--pin", PIN],
        );
    }
    assert!(in_softhsms_place(&both, &[], &["--show-slots"]).contains("\nSlot 3\n"));
    in_softhsms_place(&both, &[], &["--delete-token", "--token", "two", "--so-pin", SO_PIN]);
}
