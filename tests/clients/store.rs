//! A token of a test's own, for programs that load the module.

use std::{
    env, fs,
    path::PathBuf,
    process::{self, Command, Output},
};

pub(crate) const OFFICER_PIN: &str = "12345678";
pub(crate) const USER_PIN: &str = "1234";

/// The shared object that was built with this test.
pub(crate) fn module() -> PathBuf {
    env::current_exe().unwrap().with_file_name("libstrongroom.so")
}

/// The directory of the `strongroom` command.
pub(crate) fn commands() -> PathBuf {
    let directory = env::current_exe().unwrap().parent().unwrap().with_file_name("");
    assert!(directory.join("strongroom").exists(), "build the workspace first: cargo build --workspace");
    directory
}

/// A folder of this project, below its root.
pub(crate) fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a command printed; it must have succeeded.
pub(crate) fn succeeded(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

/// A directory with a store, gone with this value.
pub(crate) struct Store(pub(crate) PathBuf);

impl Store {
    pub(crate) fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("strongroom-clients-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A store with a token named `test`, with both PINs.
    pub(crate) fn with_token(name: &str) -> Self {
        let store = Self::new(name);
        store.succeeds(&["--init-token", "--slot", "0", "--label", "test", "--so-pin", OFFICER_PIN]);
        store.succeeds(&["--login", "--login-type", "so", "--so-pin", OFFICER_PIN, "--init-pin", "--pin", USER_PIN]);
        store
    }

    /// A program that finds the store, and the module in `PKCS11_MODULE`; it begins in a directory of the test's own.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.0)
            .env("STRONGROOM_STORE", self.0.join("store"))
            .env("STRONGROOM_STATE", self.0.join("state"))
            .env("PKCS11_MODULE", module());
        command
    }

    pub(crate) fn pkcs11_tool(&self, arguments: &[&str]) -> Output {
        let output = self.command("pkcs11-tool").arg("--module").arg(module()).args(arguments).output();
        output.expect("pkcs11-tool is in the package opensc: install it")
    }

    /// What `pkcs11-tool` printed; it must have succeeded.
    pub(crate) fn succeeds(&self, arguments: &[&str]) -> String {
        succeeded(self.command("pkcs11-tool").arg("--module").arg(module()).args(arguments))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
