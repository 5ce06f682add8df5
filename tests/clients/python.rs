//! python-pkcs11 and PyKCS11; their results are checked by cryptography.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    cache, guide,
    store::{Store, project, succeeded},
};

/// A Python with the packages of `requirements.txt`.
fn python() -> PathBuf {
    let requirements = project("tests/clients/python/requirements.txt");
    let version = succeeded(Command::new("python3").args(["-c", "import sys; print(sys.version, sys.base_prefix)"]));
    let made_from = version + &fs::read_to_string(&requirements).unwrap();
    let packages = cache::kept("python", &made_from, |path| {
        succeeded(Command::new("python3").args(["-m", "venv"]).arg(path));
        let mut pip = Command::new(path.join("bin/python"));
        // A hash for every package is asked for by the file; nothing is built, so no compiler is needed.
        succeeded(
            pip.args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--requirement"]).arg(requirements),
        );
    });
    packages.join("bin/python")
}

fn does_its_work(program: &str, checks: u32) {
    let store = Store::with_token(program);
    let file = project("tests/clients/python").join(format!("{program}.py"));
    // -B: no bytecode beside the program.
    let said = succeeded(store.command("timeout").arg("120").arg(python()).arg("-B").arg(file));
    assert_eq!(said.lines().last(), Some(&*format!("{checks} checks")), "{said}");
}

#[test]
fn python_pkcs11_does_its_work() {
    does_its_work("with_python_pkcs11", 435);
}

#[test]
fn pykcs11_does_its_work() {
    does_its_work("with_pykcs11", 395);
}

#[test]
fn the_guide_to_python_can_be_followed() {
    let said = guide::follow("python");
    assert!(said.contains("the signature is good"), "{said}");
}
