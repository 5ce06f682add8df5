//! `strongroom doctor --for`: whether a program can use a token on this machine.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

use crate::store::{Store, text};
use serde_json::Value;

/// A store, and an installed command with a module beside it that has the head of a shared object for this machine.
struct Machine {
    store: Store,
    installed: PathBuf,
}

impl Machine {
    fn new(name: &str) -> Self {
        let store = Store::new(name);
        let installed = store.0.join("installed");
        for place in ["installed", "bin", "engines"] {
            fs::create_dir(store.0.join(place)).unwrap();
        }
        let own = env!("CARGO_BIN_EXE_strongroom");
        fs::copy(own, installed.join("strongroom")).unwrap();
        let machine = Self { store, installed };
        fs::write(machine.module(), &fs::read(own).unwrap()[..4096]).unwrap();
        machine
    }

    fn module(&self) -> PathBuf {
        self.installed.join("libstrongroom.so")
    }

    /// A program that is on PATH, and nothing else is.
    fn program(&self, name: &str, script: &str) {
        let path = self.store.0.join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }

    fn openssl(&self, version: &str) {
        let engines = self.store.0.join("engines").display().to_string();
        self.program(
            "openssl",
            &format!("case \"$2\" in -?) echo 'DIR: \"{engines}\"';; *) echo 'OpenSSL {version}';; esac"),
        );
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let given = self.store.command(&[]);
        let mut command = Command::new(self.installed.join("strongroom"));
        for (name, value) in given.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.args(arguments).env("PATH", self.store.0.join("bin"));
        command.env_remove("OPENSSL_ENGINES").env_remove("OPENSSL_MODULES");
        command
    }

    fn doctor(&self, program: &str) -> Output {
        self.command(&["doctor", "--for", program]).output().unwrap()
    }
}

/// What was found, which is a fault.
fn faults(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    text(&output.stdout)
}

/// What was found, which is no fault.
fn good(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    text(&output.stdout)
}

#[test]
fn a_program_that_is_not_there_is_named_with_its_package() {
    let machine = Machine::new("doctor-none");
    for (program, command, package) in [
        ("pkcs11-tool", "pkcs11-tool", "opensc"),
        ("openssl", "openssl", "openssl"),
        ("openssl-provider", "openssl", "openssl"),
        ("java", "java", "default-jdk-headless"),
        ("go", "go", "golang-go"),
        ("python", "python3", "python3"),
        ("ssh", "ssh-keygen", "openssh-client"),
        ("gnutls", "p11tool", "gnutls-bin"),
        ("p11-kit", "p11-kit", "p11-kit"),
        ("nss", "modutil", "libnss3-tools"),
        ("nginx", "nginx", "nginx"),
    ] {
        let said = faults(&machine.doctor(program));
        let fault = format!("{command} is not on PATH: `apt install {package}` installs it");
        assert!(said.starts_with(&format!("{program}: not there\n")) && said.contains(&fault), "{said}");
    }
    assert_eq!(machine.doctor("emacs").status.code(), Some(2));
}

#[test]
fn a_program_that_is_there_is_told_with_its_version_and_what_it_lacks() {
    let machine = Machine::new("doctor-there");
    machine.openssl("3.0.19 27 Jan 2026");
    let said = faults(&machine.doctor("openssl"));
    assert!(said.contains("bin/openssl 3.0.19\n"), "{said}");
    assert!(
        said.contains("libp11's engine is not in") && said.contains("`apt install libengine-pkcs11-openssl`"),
        "{said}"
    );
    let engine = machine.store.0.join("engines/pkcs11.so");
    fs::write(&engine, "").unwrap();
    let said = good(&machine.doctor("openssl"));
    assert!(said.contains("nothing is wrong\n") && said.contains("note: libp11's engine is"), "{said}");

    let output = machine.command(&["--json", "doctor", "--for", "openssl"]).output().unwrap();
    let told: Value = serde_json::from_str(&good(&output)).unwrap();
    let program = &told["data"]["program"];
    assert_eq!((&program["name"], &program["version"]), (&"openssl".into(), &"3.0.19".into()), "{told}");
    assert_eq!(program["path"], machine.store.0.join("bin/openssl").display().to_string(), "{told}");
    assert!(program["notes"].as_array().unwrap().len() > 1, "{told}");
    let output = machine.command(&["--json", "doctor"]).output().unwrap();
    let told: Value = serde_json::from_str(&good(&output)).unwrap();
    assert!(told["data"]["program"].is_null(), "{told}");
}

#[test]
fn a_version_that_is_known_not_to_work_is_a_fault() {
    let machine = Machine::new("doctor-versions");
    fs::write(machine.store.0.join("engines/pkcs11.so"), "").unwrap();
    machine.openssl("4.0.1 1 May 2026");
    assert!(faults(&machine.doctor("openssl")).contains("OpenSSL has no engines from version 4 on"));
    good(&machine.doctor("openssl-provider"));
    machine.openssl("1.1.1w 11 Sep 2023");
    assert!(faults(&machine.doctor("openssl-provider")).contains("providers from version 3 on"));
    machine.program("go", "echo go version go1.24.4 linux/amd64");
    let said = faults(&machine.doctor("go"));
    assert!(
        said.contains("crypto11 1.6.2 needs Go 1.25") && said.contains("none of gcc, clang, cc is on PATH"),
        "{said}"
    );
    machine
        .program("java", "case $1 in -version) echo 'openjdk version \"17.0.15\"' >&2;; *) echo java.base@17;; esac");
    assert!(faults(&machine.doctor("java")).contains("no module jdk.crypto.cryptoki"));
    machine.program("python3", "test \"$1\" = --version && echo Python 3.11.7");
    assert!(faults(&machine.doctor("python")).contains("python3 -m pip install python-pkcs11"));
}

#[test]
fn a_module_that_cannot_be_loaded_is_a_fault() {
    let machine = Machine::new("doctor-module");
    machine.program("modutil", "");
    good(&machine.doctor("nss"));
    fs::set_permissions(machine.module(), Permissions::from_mode(0o000)).unwrap();
    let mut doctor = machine.command(&["doctor", "--for", "nss"]);
    if rustix::process::geteuid().is_root() {
        // Root reads everything: somebody else looks.
        use std::os::unix::process::CommandExt;
        doctor.uid(65534).gid(65534);
    }
    let said = faults(&doctor.output().unwrap());
    assert!(said.contains("libstrongroom.so cannot be read by you: Permission denied"), "{said}");

    fs::set_permissions(machine.module(), Permissions::from_mode(0o644)).unwrap();
    fs::write(machine.module(), "short").unwrap();
    assert!(faults(&machine.doctor("nss")).contains("is not a shared object"));
    fs::write(machine.module(), "a text that is longer than the head of a file").unwrap();
    assert!(faults(&machine.doctor("nss")).contains("is not a shared object for this machine"));
    fs::remove_file(machine.module()).unwrap();
    // Where the machine has an installed module, that one is found.
    if machine.command(&["config", "module"]).output().unwrap().status.code() == Some(3) {
        assert!(faults(&machine.doctor("nss")).contains("`make install`"));
    }
}

#[test]
fn without_a_token_that_can_be_used_no_program_can() {
    let machine = Machine::new("doctor-token");
    machine.program("modutil", "");
    let nowhere = machine.store.0.join("nowhere");
    let none = machine.command(&["doctor", "--for", "nss"]).env("STRONGROOM_STORE", &nowhere).output().unwrap();
    assert!(faults(&none).contains("`strongroom token init LABEL` makes one"));
    let other = machine.command(&["doctor", "--for", "nss", "--token", "other"]).output().unwrap();
    assert!(faults(&other).contains("there is no token 'other'"));

    let sign = ["token", "set", "--slot", "0", "--so-pin", "env:SO_PIN", "--pin", "env:PIN", "--pin-tries", "2"];
    good(&machine.command(&sign).output().unwrap());
    for _ in 0..2 {
        machine.store.run(&["key", "list", "--pin", "env:WRONG"]);
    }
    let said = faults(&machine.doctor("nss"));
    assert!(said.contains("the user's PIN of token mine is locked: `strongroom pin reset --token mine`"), "{said}");
}
