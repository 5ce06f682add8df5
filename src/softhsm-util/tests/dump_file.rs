//! What Debian's softhsm2-dump-file (package softhsm2) prints of a file, and what ours does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const DEBIANS: &str = "/usr/bin/softhsm2-dump-file";
const OURS: &str = env!("CARGO_BIN_EXE_strongroom-softhsm2-dump-file");

fn run(program: &str, arguments: &[&Path]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

/// Both print the same of a file, byte for byte, and end alike. Gives what that is.
fn same(path: &Path) -> String {
    let [theirs, ours] = [DEBIANS, OURS].map(|program| run(program, &[path]));
    assert_eq!(String::from_utf8_lossy(&ours.stdout), String::from_utf8_lossy(&theirs.stdout));
    assert_eq!((ours.status.code(), ours.stderr), (theirs.status.code(), theirs.stderr));
    String::from_utf8(ours.stdout).unwrap()
}

fn softhsm(place: &Path, arguments: &[&str]) {
    let mut command = Command::new("/usr/bin/softhsm2-util");
    let output = command.args(arguments).env("SOFTHSM2_CONF", place.join("conf")).current_dir(place).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_files_of_a_token_are_printed_as_debians_prints_them() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    fs::create_dir(place.join("tokens")).unwrap();
    fs::write(place.join("conf"), format!("directories.tokendir = {}\n", place.join("tokens").display())).unwrap();
    softhsm(place, &["--init-token", "--free", "--label", "one", "--so-pin", "officer-12345", "--pin", "user-12345"]);
    let keys = [("RSA", &[][..]), ("EC", &["-pkeyopt", "ec_paramgen_curve:P-256"]), ("ed25519", &[])];
    for (id, (algorithm, more)) in ["01", "02", "03"].into_iter().zip(keys) {
        let mut command = Command::new("openssl");
        command.args(["genpkey", "-algorithm", algorithm, "-out", "key"]).args(more).current_dir(place);
        assert!(command.output().unwrap().status.success());
        softhsm(place, &["--import", "key", "--token", "one", "--label", algorithm, "--id", id, "--pin", "user-12345"]);
    }
    fs::write(place.join("aes"), [7; 32]).unwrap();
    softhsm(
        place,
        &["--import", "aes", "--aes", "--token", "one", "--label", "a", "--id", "04", "--pin", "user-12345"],
    );
    let token = fs::read_dir(place.join("tokens")).unwrap().next().unwrap().unwrap().path();
    let files = fs::read_dir(token).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "object")).collect();
    assert_eq!(files.len(), 8, "{files:?}");
    let text: String = files.iter().map(|path| same(path)).collect();
    for line in
        ["CKO_PRIVATE_KEY", "CKK_EC_EDWARDS", "CKA_OS_SOPIN", "CKA_UNWRAP_TEMPLATE", "CK_UNAVAILABLE_INFORMATION"]
    {
        assert!(text.contains(line), "{line}");
    }
}

/// An attribute: its number, its kind, and what follows.
fn attribute(name: u64, kind: u64, value: &[&[u8]]) -> Vec<u8> {
    [&name.to_be_bytes()[..], &kind.to_be_bytes(), &value.concat()].concat()
}

#[test]
fn a_file_is_printed_as_far_as_it_can_be_read_wherever_it_is_cut_off() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    let number = |number: u64| number.to_be_bytes();
    let mechanisms = attribute(0x4000_0600, 5, &[&number(2), &number(1), &number(0x1086)]);
    let map = [
        attribute(0, 2, &[&number(4)]),
        attribute(1, 1, &[&[0xff]]),
        attribute(3, 3, &[&number(3), b"a b"]),
        mechanisms.clone(),
    ];
    let map = map.concat();
    let whole = [
        number(7).to_vec(),
        attribute(0, 2, &[&number(0x8000_0001)]),
        attribute(1, 1, &[&[7]]),
        attribute(3, 3, &[&number(11), b"<a>\\ \x7f\x80\xff12"]),
        attribute(0x121, 2, &[&number(2048)]),
        attribute(0x134, 2, &[&number(u64::MAX)]),
        attribute(0x166, 2, &[&number(1 << 40)]),
        attribute(0x4000_0211, 4, &[&number(map.len() as u64), &map]),
        mechanisms,
        attribute(0x8000_5349, 3, &[&number(0)]),
        attribute(0x9000_0000, 1, &[&[0]]),
    ];
    let whole = whole.concat();
    for len in 0..=whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        same(&path);
    }
    let bad = [
        attribute(1, 9, &[&number(1), &number(2)]),
        attribute(3, 3, &[&number(1 << 40), b"abc"]),
        attribute(0x4000_0211, 4, &[&number(24), &attribute(3, 4, &[&number(0)])]),
        attribute(0x4000_0211, 4, &[&number(20), &map]),
    ];
    for bad in bad {
        fs::write(&path, [&number(1)[..], &bad].concat()).unwrap();
        same(&path);
    }
}

#[test]
fn what_came_after_debians_list_was_made_has_its_name() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    fs::write(&path, [&1u64.to_be_bytes()[..], &attribute(0x61d, 2, &[&2u64.to_be_bytes()])].concat()).unwrap();
    let [theirs, ours] = [DEBIANS, OURS].map(|program| String::from_utf8(run(program, &[&path]).stdout).unwrap());
    assert_eq!(theirs.replace("unknown 0x61d", "CKA_PARAMETER_SET"), ours);
}

#[test]
fn exit_codes_are_debians_also_where_they_are_odd() {
    let place = tempfile::tempdir().unwrap();
    let nowhere = &*place.path().join("nowhere");
    for arguments in [&[][..], &[nowhere, nowhere], &[nowhere], &[place.path()]] {
        let [theirs, ours] = [DEBIANS, OURS].map(|program| run(program, arguments).status.code());
        assert_eq!(theirs, ours, "{arguments:?}");
    }
}
