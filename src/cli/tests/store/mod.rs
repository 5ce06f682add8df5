//! A store of a test's own, and the command that works with it.
#![allow(dead_code)] // Each file uses what it needs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use engine::{Access, Engine, Report, Settings, User};
use types::{AttributeType, ObjectClass, SlotId, Template, Value};

pub(crate) const SO_PIN: &str = "officer-12345";
pub(crate) const PIN: &str = "user-12345";

/// A store of its own with a token.
pub(crate) struct Store(pub(crate) PathBuf);

impl Store {
    pub(crate) fn new(name: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("strongroom-{name}-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        let store = Self(path);
        let made = store.run(&["token", "init", "mine", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"]);
        assert!(made.status.success(), "{made:?}");
        store
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("STRONGROOM_")) {
            command.env_remove(name);
        }
        command.args(arguments).envs([("SO_PIN", SO_PIN), ("PIN", PIN), ("WRONG", "wrong-12345")]);
        command.env("STRONGROOM_STORE", self.tokens()).env("STRONGROOM_STATE", self.state()).stdin(Stdio::null());
        command
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.0.join("tokens")
    }

    /// What this machine has seen of the tokens.
    pub(crate) fn state(&self) -> PathBuf {
        self.tokens().join("state")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn rotate(&self, pin: &str) -> Output {
        self.run(&["token", "rotate-keys", "--slot", "0", "--so-pin", "env:SO_PIN", "--pin", pin])
    }

    pub(crate) fn start(&self) -> Child {
        let mut command =
            self.command(&["token", "rotate-keys", "--slot", "0", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    pub(crate) fn engine(&self) -> Engine {
        let (store, state) = (self.tokens(), self.state());
        Engine::new(Settings { store, state, ..Settings::load() })
    }

    /// Makes objects, every second one of them private.
    pub(crate) fn fill(&self, count: u64) {
        let engine = self.engine();
        let session = engine.open_session(SlotId(0), Access::ReadWrite).unwrap();
        engine.login(session, User::User, PIN.as_bytes()).unwrap();
        for number in 0..count {
            let template: Template = vec![
                (AttributeType::CLASS, Value::Number(ObjectClass::DATA.0)),
                (AttributeType::TOKEN, Value::Flag(true)),
                (AttributeType::PRIVATE, Value::Flag(number % 2 == 0)),
                (AttributeType::VALUE, Value::bytes(number.to_be_bytes())),
            ];
            engine.create_object(session, template).unwrap();
        }
    }

    pub(crate) fn check(&self) -> Report {
        let engine = self.engine();
        let session = engine.open_session(SlotId(0), Access::ReadOnly).unwrap();
        engine.login(session, User::User, PIN.as_bytes()).unwrap();
        engine.check_token(session).unwrap()
    }

    /// The token file and what belongs to it, without what this machine has seen.
    pub(crate) fn copy(&self, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(self.tokens()).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command says, if it does it.
pub(crate) fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

/// What a command says, and its exit code, if it does not.
pub(crate) fn refused(output: &Output) -> (i32, String) {
    assert!(!output.status.success(), "{output:?}");
    (output.status.code().unwrap(), text(&output.stderr))
}

/// The fields that `docs/command.md` promises for a verb.
pub(crate) fn promised(verb: &str) -> Vec<String> {
    let table = include_str!("../../../../docs/command.md");
    let row = table
        .lines()
        .find(|line| line.starts_with('|') && line.split('|').nth(1).unwrap().contains(&format!("`{verb}`")));
    let fields = row.unwrap_or_else(|| panic!("{verb} has no row")).split('|').nth(2).unwrap();
    fields.split('`').skip(1).step_by(2).filter(|word| !word.contains(' ')).map(str::to_owned).collect()
}
