//! python-pkcs11 and PyKCS11; their results are checked by cryptography.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    cache, guide,
    store::{Store, USER_PIN, commands, project, succeeded},
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

/// The program of a page in `docs`.
fn program(page: &str, name: &str) -> String {
    let text = fs::read_to_string(project("docs").join(page)).unwrap();
    let block = text.split(&format!("```python {name}\n")).nth(1).expect("the page has the program");
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn what_the_command_has_encrypted_is_opened_by_the_python_of_its_page() {
    let store = Store::with_token("blob");
    fs::write(store.0.join("open.py"), program("format-blob.md", "open.py")).unwrap();
    let strongroom = |arguments: &str| {
        let pin = ["--token", "test", "--pin", "env:PIN"];
        let mut command = store.command(commands().join("strongroom").to_str().unwrap());
        succeeded(command.env("PIN", USER_PIN).args(arguments.split(' ')).args(pin))
    };
    let plain: Vec<u8> = (0..=250).cycle().take(2 * 65_536 + 77).collect();
    fs::write(store.0.join("plain"), &plain).unwrap();
    fs::write(store.0.join("aes-256"), (0..32).map(|byte| format!("{byte:02x}")).collect::<String>()).unwrap();
    strongroom("key import aes-256 --label aes-256 --kind aes-256 --encoding hex --id 0102 --can encrypt,decrypt");
    let keys = [
        ("rsa-2048", "encrypt,decrypt", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..]),
        ("p256", "derive", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("p521", "derive", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
        ("x25519", "derive", &["genpkey", "-algorithm", "X25519"]),
    ];
    for (name, can, made) in keys {
        succeeded(store.command("openssl").args(made).args(["-out", name]));
        strongroom(&format!("key import {name} --label {name} --can {can}"));
    }
    for name in ["aes-256", "rsa-2048", "p256", "p521", "x25519"] {
        strongroom(&format!("encrypt {name} plain --context b=2 --context a=1 --out sealed"));
        let opened = store
            .command("timeout")
            .arg("60")
            .arg(python())
            .args(["-B", "open.py", name, "sealed", "a=1", "b=2"])
            .output();
        let opened = opened.unwrap();
        assert!(
            opened.status.success() && opened.stdout == plain,
            "{name}: {}",
            String::from_utf8_lossy(&opened.stderr)
        );
        let other = store
            .command("timeout")
            .arg("60")
            .arg(python())
            .args(["-B", "open.py", name, "sealed", "a=2", "b=2"])
            .output();
        assert!(!other.unwrap().status.success(), "{name}: not in another context");
    }
    // The worked example.
    let page = fs::read_to_string(project("docs/format-blob.md")).unwrap();
    let cell = |row: &str| {
        let line = page.lines().find(|line| line.starts_with(&format!("| {row}, base64 |"))).unwrap();
        line.split('`').nth(1).unwrap().to_owned()
    };
    fs::write(store.0.join("blob.b64"), cell("blob")).unwrap();
    succeeded(store.command("sh").args(["-c", "base64 -d blob.b64 >blob"]));
    let context = ["project=payroll", "year=2026"];
    let opened =
        store.command(python().to_str().unwrap()).args(["-B", "open.py", "aes-256", "blob"]).args(context).output();
    fs::write(store.0.join("key"), opened.unwrap().stdout).unwrap();
    assert_eq!(succeeded(store.command("base64").args(["-w0", "key"])), cell("data key"));
    let here = strongroom("datakey decrypt aes-256 blob --context year=2026 --context project=payroll");
    assert!(here.contains(&cell("data key")), "{here}");
}

#[test]
fn a_data_key_of_the_command_is_opened_by_the_program_of_its_page_through_the_module_whatever_its_version() {
    let store = Store::with_token("envelope");
    fs::write(store.0.join("envelope.py"), program("format-blob.md", "envelope.py")).unwrap();
    let strongroom = |arguments: &str| {
        let pin = ["--token", "test", "--pin", "env:PIN"];
        let mut command = store.command(commands().join("strongroom").to_str().unwrap());
        succeeded(command.env("PIN", USER_PIN).args(arguments.split(' ')).args(pin))
    };
    strongroom("key create kek --kind aes-256");
    let made = strongroom("datakey generate kek --context project=payroll");
    let line = |name: &str| made.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    fs::write(store.0.join("blob"), line("blob")).unwrap();
    for _ in 0..3 {
        let opened = store
            .command("timeout")
            .arg("60")
            .arg(python())
            .args(["-B", "envelope.py"])
            .arg(crate::store::module())
            .args([USER_PIN, "kek"])
            .stdin(fs::File::open(store.0.join("blob")).unwrap())
            .output()
            .unwrap();
        assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
        assert_eq!(String::from_utf8(opened.stdout).unwrap().trim(), line("key"));
        strongroom("key rotate kek");
    }
}
