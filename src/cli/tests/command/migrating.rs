//! What `strongroom migrate` refuses, leaves behind and takes back. Tokens are Debian's SoftHSM's (softhsm2, opensc).

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::converted;
use crate::store::{PIN, SO_PIN, Store, refused, said, text};
use serde_json::Value as Json;

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// What a run is asked for, but for the place.
const PINS: [&str; 4] = ["--pin", "env:PIN", "--so-pin", "env:SO_PIN"];

/// SoftHSM with tokens, beside a store.
struct Old<'a>(&'a Store);

impl<'a> Old<'a> {
    /// With tokens of these labels, each with an AES key and a note.
    fn with(store: &'a Store, labels: &[&str]) -> Self {
        let old = Self(store);
        fs::create_dir(old.tokens()).unwrap();
        fs::write(old.conf(), format!("directories.tokendir = {}\n", old.tokens().display())).unwrap();
        let value = store.0.join("value");
        fs::write(&value, b"an AES-128 key..").unwrap();
        let value = value.to_str().unwrap();
        for label in labels {
            old.run("softhsm2-util", &["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN]);
            let login = ["--module", SOFTHSM, "--token-label", label, "--login", "--pin", PIN, "--write-object", value];
            let aes = ["--type", "secrkey", "--key-type", "AES:16", "--label", "aes", "--sensitive"];
            old.run("pkcs11-tool", &[&login[..], &aes].concat());
            old.run("pkcs11-tool", &[&login[..], &["--type", "data", "--label", "note", "--private"]].concat());
        }
        old
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(program).args(arguments).env("SOFTHSM2_CONF", self.conf()).output();
        let output = output.unwrap_or_else(|why| panic!("{program} (packages softhsm2, opensc): {why}"));
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    }

    fn tokens(&self) -> PathBuf {
        self.0.0.join("softhsm")
    }

    fn conf(&self) -> PathBuf {
        self.0.0.join("softhsm2.conf")
    }

    /// The directories of its tokens, in the order in which they are moved.
    fn directories(&self) -> Vec<PathBuf> {
        let mut found: Vec<_> = fs::read_dir(self.tokens()).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    }

    /// Moves everything, with these arguments too.
    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let conf = self.conf().display().to_string();
        let all = [&["migrate", "softhsm", "--from", &conf], more].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    fn migrate(&self, more: &[&str]) -> std::process::Output {
        let arguments = self.arguments(more);
        self.0.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// Every file below with its bytes.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn labels(store: &Store) -> Vec<String> {
    let told: Json = serde_json::from_str(&said(&store.run(&["--json", "token", "list"]))).unwrap();
    let label = |token: &Json| token["label"].as_str().unwrap().to_owned();
    told["data"].as_array().unwrap().iter().map(label).collect()
}

/// A public data object, as SoftHSM writes one.
fn data_object(value: &[u8]) -> Vec<u8> {
    let number = |number: u64| number.to_be_bytes().to_vec();
    let flag = |name, byte| [number(name), number(1), vec![byte]].concat();
    let bytes = |name, value: &[u8]| [number(name), number(3), number(value.len() as u64), value.to_vec()].concat();
    [
        number(1),
        [number(0), number(2), number(0)].concat(),
        flag(1, 0xff),
        flag(2, 0),
        bytes(3, b"large"),
        bytes(0x10, b""),
        bytes(0x11, value),
        bytes(0x12, b""),
        flag(0x170, 0xff),
        flag(0x171, 0xff),
        flag(0x172, 0xff),
    ]
    .concat()
}

#[test]
fn a_dry_run_says_what_a_run_would_do_and_writes_nothing() {
    let store = Store::new("migrate-dry");
    let old = Old::with(&store, &["one", "two"]);
    let before = files(&store.0);
    let told: Json =
        serde_json::from_str(&said(&old.migrate(&[&PINS[..], &["--dry-run", "--json"]].concat()))).unwrap();
    assert_eq!((&told["ok"], &told["data"]["complete"]), (&Json::Bool(true), &Json::Bool(true)));
    let tokens = told["data"]["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    for token in tokens {
        assert_eq!(token["slot"], Json::Null);
        assert_eq!(token["objects"]["secret key CKK_AES"]["after"], 1, "{token}");
    }
    assert!(said(&old.migrate(&[&PINS[..], &["--dry-run"]].concat())).ends_with("Nothing was written.\n"));
    assert!(files(&store.0) == before, "no file is another, and none is new");

    said(&old.migrate(&PINS));
    let mut now = labels(&store);
    now.sort();
    assert_eq!(now, ["mine", "one", "two"]);
}

#[test]
fn a_damaged_object_and_a_damaged_token_are_named_and_the_rest_is_moved() {
    let store = Store::new("migrate-damaged");
    let old = Old::with(&store, &["one", "two"]);
    let [first, second] = <[PathBuf; 2]>::try_from(old.directories()).unwrap();
    let objects = fs::read_dir(&first).unwrap().map(|entry| entry.unwrap().path());
    let is_object = |path: &PathBuf| {
        path.extension().is_some_and(|end| end == "object") && path.file_name().unwrap() != "token.object"
    };
    let damaged = objects.filter(is_object).min().unwrap();
    let bytes = fs::read(&damaged).unwrap();
    fs::write(&damaged, &bytes[..bytes.len() - 3]).unwrap();
    fs::write(second.join("token.object"), b"nothing of SoftHSM's").unwrap();

    let output = old.migrate(&[&PINS[..], &["--json", "--dry-run"]].concat());
    assert_eq!(output.status.code(), Some(8));
    let told: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["ok"], &told["data"]["complete"]), (&Json::Bool(true), &Json::Bool(false)));

    let output = old.migrate(&PINS);
    assert_eq!(output.status.code(), Some(8), "{output:?}");
    let words = text(&output.stdout);
    let name = damaged.file_name().unwrap().to_str().unwrap();
    assert!(words.contains(&format!("left behind: '' ({name})")), "{words}");
    assert!(words.contains(&format!("left behind: {} is damaged", second.join("token.object").display())), "{words}");
    assert_eq!(labels(&store).len(), 2);
    let label = labels(&store).into_iter().find(|label| label != "mine").unwrap();
    let listed: Json =
        serde_json::from_str(&said(&store.run(&["--json", "object", "list", "--token", &label, "--pin", "env:PIN"])))
            .unwrap();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "one of two objects was whole: {listed}");
}

#[test]
fn a_wrong_pin_and_a_missing_directory_are_told_before_anything_is_made() {
    let store = Store::new("migrate-wrong");
    let old = Old::with(&store, &["one"]);
    let (code, words) = refused(&old.migrate(&["--pin", "env:WRONG", "--so-pin", "env:SO_PIN"]));
    assert_eq!(code, 4);
    assert!(words.contains("token 'one', the user's PIN: the PIN does not open"), "{words}");
    let (code, words) = refused(&old.migrate(&["--pin", "env:PIN", "--so-pin", "env:WRONG"]));
    assert_eq!(code, 4);
    assert!(words.contains("the security officer's PIN"), "{words}");
    let (code, words) = refused(&old.migrate(&["--pin", "env:PIN"]));
    assert_eq!(code, 2);
    assert!(words.contains("--new-so-pin sets another"), "{words}");
    let (code, words) = refused(&old.migrate(&[&PINS[..], &["--token", "three"]].concat()));
    assert_eq!(code, 3);
    assert!(words.contains("SoftHSM has no token 'three'") && words.contains("  one"), "{words}");

    let none = store.0.join("none");
    let from = ["migrate", "softhsm", "--from", none.to_str().unwrap()];
    let (code, words) = refused(&store.run(&[&from[..], &PINS].concat()));
    assert_eq!(code, 3);
    assert!(words.contains(none.to_str().unwrap()), "{words}");
    fs::create_dir(&none).unwrap();
    let (code, words) = refused(&store.run(&[&from[..], &PINS].concat()));
    assert_eq!(code, 3);
    assert!(words.contains("there is no token of SoftHSM in it"), "{words}");
    assert_eq!(labels(&store), ["mine"]);
}

#[test]
fn a_failure_in_the_middle_takes_every_token_of_the_run_back() {
    let store = Store::new("migrate-middle");
    let old = Old::with(&store, &["one", "two"]);
    // The token that is moved last has an object for which there is no room.
    let last = old.directories().pop().unwrap();
    let large = last.join("ffffffff-0000-0000-0000-000000000000.object");
    fs::write(&large, data_object(&vec![7; 2_000_000])).unwrap();
    let softhsms = files(&old.tokens());
    let names = || files(&store.tokens()).into_keys().filter(|path| path.parent() == Some(&store.tokens()));
    let before: Vec<_> = names().collect();

    // No file gets longer than a megabyte, root's neither.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_strongroom")]);
    shell.args(old.arguments(&PINS)).env("STRONGROOM_STORE", store.tokens());
    shell.envs([("PIN", PIN), ("SO_PIN", SO_PIN)]).arg0("sh");
    let (code, words) = refused(&shell.output().unwrap());
    assert_eq!(code, 6, "{words}");
    assert!(words.contains("the store failed"), "{words}");
    assert!(!words.contains("cannot be taken back"), "{words}");
    assert_eq!(labels(&store), ["mine"], "{words}");
    assert_eq!(names().collect::<Vec<_>>(), before);
    assert!(files(&old.tokens()) == softhsms, "SoftHSM's files are as they were");

    // With room it goes.
    said(&old.migrate(&PINS));
    assert_eq!(labels(&store).len(), 3);
}

#[test]
fn tokens_in_databases_are_moved_as_those_in_files_and_what_is_damaged_is_left_behind() {
    let store = Store::new("migrate-database");
    let old = Old::with(&store, &["one", "two", "three"]);
    let directories = old.directories();
    for directory in &directories {
        converted::convert(directory);
    }
    let conf = fs::read_to_string(old.conf()).unwrap();
    fs::write(old.conf(), format!("{conf}objectstore.backend = db\n")).unwrap();
    // One object of the first is damaged, and all of the second.
    let database = |number: usize| directories[number].join("sqlite3.db");
    let connection = rusqlite::Connection::open(database(0)).unwrap();
    connection.execute("update attribute_boolean set value = 7 where object_id = 2 and type = 1", []).unwrap();
    drop(connection);
    fs::write(database(1), "no database").unwrap();
    let softhsms = files(&old.tokens());

    let output = old.migrate(&[&PINS[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(8), "{output:?}");
    assert!(files(&old.tokens()) == softhsms, "SoftHSM's files are as they were, and none is new");
    let told: Json = serde_json::from_slice(&output.stdout).unwrap();
    let damaged = told["data"]["damaged"].as_array().unwrap();
    assert!(damaged[0].as_str().unwrap().contains("it is no SQLite database"), "{damaged:?}");
    let tokens = told["data"]["tokens"].as_array().unwrap();
    assert_eq!((damaged.len(), tokens.len()), (1, 2), "{told}");
    let left = tokens[0]["left"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["file"]), (1, &Json::from("sqlite3.db#2")), "{left:?}");
    assert_eq!(tokens[1]["left"], Json::Array(Vec::new()));
    for kind in ["secret key CKK_AES", "data"] {
        assert_eq!(tokens[1]["objects"][kind]["after"], 1, "{kind}: {told}");
    }
    assert_eq!(labels(&store).len(), 3);
}

#[test]
fn a_token_that_keeps_its_slot_id_is_found_by_softhsms_slot_and_uri() {
    let store = Store::new("migrate-kept");
    let old = Old::with(&store, &["one"]);
    let login = ["--module", SOFTHSM, "--token-label", "one", "--login", "--pin", PIN];
    old.run(
        "pkcs11-tool",
        &[&login[..], &["--keypairgen", "--key-type", "EC:prime256v1", "--label", "signer"]].concat(),
    );
    let run = |program: &str, arguments: &[&str], configuration: &Path| {
        let mut command = Command::new(program);
        command.args(arguments).env("SOFTHSM2_CONF", old.conf()).env("STRONGROOM_STORE", store.tokens());
        said(&command.env("OPENSSL_CONF", configuration).env("HOME", &store.0).output().unwrap())
    };
    let none = Path::new("/dev/null");
    let listed = run("softhsm2-util", &["--show-slots"], none);
    let row = |name: &str| listed.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap().trim().to_owned();
    let (slot, serial) = (row("Slot "), row("Serial number:"));

    let kept = [&PINS[..], &["--keep-slot-id"]].concat();
    let migrate = |mode: &str, more: &[&str]| {
        let arguments = old.arguments(more);
        let mut command = store.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("STRONGROOM_COMPATIBILITY", mode).env("SOFTHSM2_CONF", old.conf()).output().unwrap()
    };
    said(&migrate("softhsm", &[&kept[..], &["--dry-run"]].concat()));
    said(&migrate("softhsm", &kept));

    let ours = store.0.join("libsofthsm2.so");
    fs::copy(std::env::current_exe().unwrap().with_file_name("libstrongroom.so"), &ours).unwrap();
    let ours = ours.to_str().unwrap();
    let uri = format!(
        "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial={serial};token=one;object=signer;type=public"
    );
    let told = [SOFTHSM, ours].map(|module| {
        let login = ["--module", module, "--slot", &slot, "--login", "--pin", PIN];
        let listed = run("pkcs11-tool", &[&login[..], &["--list-objects"]].concat(), none);
        assert!(listed.contains("signer") && listed.contains("note"), "{module}: {listed}");
        let engine = store.0.join("engine.cnf");
        let text = format!(
            "openssl_conf = all\n[all]\nengines = engines\n[engines]\npkcs11 = pkcs11\n[pkcs11]\nengine_id = pkcs11\n\
             MODULE_PATH = {module}\nPIN = {PIN}\ninit = 0\n"
        );
        fs::write(&engine, text).unwrap();
        run("openssl", &["pkey", "-engine", "pkcs11", "-inform", "engine", "-in", &uri, "-pubin", "-pubout"], &engine)
    });
    assert!(told[0].contains("BEGIN PUBLIC KEY"), "{told:?}");
    assert_eq!(told[0], told[1]);

    // The serial number is one token's only.
    let rename = ["token", "label", "other", "--token", &serial, "--so-pin", "env:SO_PIN"];
    said(&store.run(&rename));
    let (code, words) = refused(&migrate("softhsm", &kept));
    assert_eq!(code, 2);
    assert!(words.contains(&format!("there is a token with the serial number {serial} here already")), "{words}");
    // One that was here and is gone is no reason; and it is kept without the other module's slot numbers, too.
    said(&store.run(&["token", "delete", "--label", "other", "--token", "other", "--so-pin", "env:SO_PIN"]));
    said(&migrate("none", &kept));
    let told: Json = serde_json::from_str(&said(&store.run(&["--json", "token", "list"]))).unwrap();
    let one = told["data"].as_array().unwrap().iter().find(|token| token["label"] == "one").unwrap();
    assert_eq!((&one["serial"], &one["slot"]), (&Json::String(serial), &Json::Number(2.into())));
    said(&store.run(&["object", "list", "--token", "one", "--pin", "env:PIN"]));
}
