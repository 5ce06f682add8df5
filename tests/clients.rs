//! Real programs do their work with the module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn module_path() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.with_file_name("libstrongroom.so")
}

struct Store(PathBuf);

impl Store {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("strongroom-clients-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn pkcs11_tool(&self, arguments: &[&str]) -> Output {
        let output = Command::new("pkcs11-tool")
            .env("STRONGROOM_STORE", &self.0)
            .env("STRONGROOM_STATE", self.0.join("state"))
            .arg("--module")
            .arg(module_path())
            .args(arguments)
            .output();
        output.expect("pkcs11-tool is in the package opensc: install it")
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.pkcs11_tool(arguments);
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}");
        text
    }

    fn with_token(name: &str) -> Self {
        let store = Self::new(name);
        store.succeeds(&["--init-token", "--slot", "0", "--label", "test", "--so-pin", "12345678"]);
        store.succeeds(&["--login", "--login-type", "so", "--so-pin", "12345678", "--init-pin", "--pin", "1234"]);
        store
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_type_of_key_can_be_made_and_listed() {
    let store = Store::with_token("types");
    let pairs = ["rsa:2048", "EC:prime256v1", "EC:secp384r1", "EC:secp521r1", "EC:secp256k1", "EC:edwards25519"];
    for (id, kind) in pairs.iter().enumerate() {
        store.succeeds(&[
            "-l",
            "--pin",
            "1234",
            "-k",
            "--key-type",
            kind,
            "--label",
            kind,
            "--id",
            &format!("{id:02x}"),
        ]);
    }
    for kind in ["AES:16", "AES:24", "AES:32", "GENERIC:64"] {
        store.succeeds(&["-l", "--pin", "1234", "--keygen", "--key-type", kind, "--label", kind]);
    }
    let listed = store.succeeds(&["-l", "--pin", "1234", "-O"]);
    assert_eq!(listed.matches("Private Key Object").count(), pairs.len(), "{listed}");
    assert_eq!(listed.matches("Secret Key Object").count(), 4, "{listed}");
}

#[test]
fn the_tools_own_tests_find_no_error() {
    let store = Store::with_token("test");
    store.succeeds(&["-l", "--pin", "1234", "-k", "--key-type", "rsa:2048", "--id", "01"]);
    let text = store.succeeds(&["-l", "--pin", "1234", "--test"]);
    assert!(text.contains("No errors"), "{text}");
    store.succeeds(&["--test-fork"]);
}

#[test]
fn a_wrong_pin_is_refused() {
    let store = Store::with_token("pin");
    let output = store.pkcs11_tool(&["-l", "--pin", "4321", "-O"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("CKR_PIN_INCORRECT"));
}

#[test]
fn the_demo_succeeds() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/run");
    let output = Command::new(demo).arg(module_path()).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
}

#[test]
fn only_functions_of_the_specification_are_exported() {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(module_path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(names.len(), 104, "every function of 3.2");
    assert!(names.iter().all(|name| name.starts_with("C_")), "{names:?}");
}
