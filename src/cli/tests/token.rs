//! `strongroom token`, as its user runs it and as the system kills it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use engine::{Access, Engine, Report, Settings, User};
use types::{AttributeType, ObjectClass, SlotId, Template, Value};

const SO_PIN: &str = "officer-12345";
const PIN: &str = "user-12345";

/// A store of its own with a token.
struct Store(PathBuf);

impl Store {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("strongroom-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        let store = Self(path);
        let made = store.run(&["token", "init", "mine", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"]);
        assert!(made.status.success(), "{made:?}");
        store
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("STRONGROOM_")) {
            command.env_remove(name);
        }
        command.args(arguments).envs([("SO_PIN", SO_PIN), ("PIN", PIN), ("WRONG", "wrong-12345")]);
        command.env("STRONGROOM_STORE", self.tokens()).stdin(Stdio::null());
        command
    }

    fn tokens(&self) -> PathBuf {
        self.0.join("tokens")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn rotate(&self, pin: &str) -> Output {
        self.run(&["token", "rotate-keys", "--slot", "0", "--so-pin", "env:SO_PIN", "--pin", pin])
    }

    fn start(&self) -> Child {
        let mut command =
            self.command(&["token", "rotate-keys", "--slot", "0", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn engine(&self) -> Engine {
        let (store, state) = (self.tokens(), self.tokens().join("state"));
        Engine::new(Settings { store, state, ..Settings::load() })
    }

    /// Makes objects, every second one of them private.
    fn fill(&self, count: u64) {
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

    fn check(&self) -> Report {
        let engine = self.engine();
        let session = engine.open_session(SlotId(0), Access::ReadOnly).unwrap();
        engine.login(session, User::User, PIN.as_bytes()).unwrap();
        engine.check_token(session).unwrap()
    }

    /// The token file and what belongs to it, without what this machine has seen.
    fn copy(&self, to: &Path) {
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_command_rotates_and_says_what_it_did() {
    let store = Store::new("rotates");
    store.fill(10);
    let wrong = store.rotate("env:WRONG");
    assert_eq!(wrong.status.code(), Some(4), "{wrong:?}");
    let done = store.rotate("env:PIN");
    assert_eq!(text(&done.stdout), "The token has new keys: 10 objects are sealed anew.\n", "{done:?}");
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), String::new()), "no bar where there is no terminal");
    let json = ["--json", "token", "rotate-keys", "--slot", "0", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"];
    let said = text(&store.run(&json).stdout);
    assert_eq!(said, "{\"data\":{\"left\":[],\"sealed\":10,\"start\":\"new keys\"},\"ok\":true}\n");
    assert_eq!(store.check(), Report { whole: 10, faults: vec![] });
    let doctor = store.run(&["doctor", "--slot", "0", "--pin", "env:PIN"]);
    assert_eq!(text(&doctor.stdout), "10 objects are whole\nnothing is wrong\n");
}

#[test]
fn the_officer_changes_the_rules_of_a_token_and_no_rule_is_a_wrong_usage() {
    let store = Store::new("rules");
    let set = |rules: &[&str]| {
        let given = ["token", "set", "--slot", "0", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"];
        store.run(&[&given[..], rules].concat())
    };
    let done = set(&["--profile", "strict", "--recovery", "never", "--pin-tries", "5", "--pin-passes", "3"]);
    let said = text(&done.stdout);
    assert!(
        said.contains("profile strict, recovery never\n5 wrong PINs in a row lock; a PIN costs 65536 KiB"),
        "{done:?}"
    );
    assert_eq!(set(&[]).status.code(), Some(2));
    assert_eq!(set(&["--pin-passes", "1"]).status.code(), Some(2));
    assert_eq!(store.check(), Report { whole: 0, faults: vec![] });
}

#[test]
fn a_token_file_from_before_a_rotation_is_noticed_after_it() {
    let store = Store::new("rotated-back");
    store.fill(4);
    let backup = store.0.join("backup");
    store.copy(&backup);
    assert!(store.rotate("env:PIN").status.success());
    for entry in fs::read_dir(&backup).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), store.tokens().join(entry.file_name())).unwrap();
    }
    let refused = store.run(&["doctor", "--slot", "0", "--pin", "env:PIN"]);
    assert!(text(&refused.stderr).contains("older than it was"), "{refused:?}");
    let accepted = store.run(&["token", "accept-rollback", "--slot", "0", "--so-pin", "env:SO_PIN"]);
    assert!(accepted.status.success(), "{accepted:?}");
    assert_eq!(store.check(), Report { whole: 4, faults: vec![] });
}

#[test]
fn a_rotation_that_is_killed_at_any_instant_loses_nothing_and_goes_on() {
    const OBJECTS: u64 = 1500;
    let store = Store::new("killed");
    store.fill(OBJECTS);
    let (mut unfinished, mut wait, mut kills) = (0, 20, 0);
    // However slow the machine is, some kills are in the middle.
    while kills < 24 || unfinished < 3 && kills < 200 {
        kills += 1;
        let mut rotation = store.start();
        thread::sleep(Duration::from_millis(wait));
        let finished = rotation.try_wait().unwrap().is_some();
        // Only ours: it is our child, and not waited for yet.
        let _ = rotation.kill();
        rotation.wait().unwrap();
        // From early to late, and early again once it is too late to interrupt anything.
        wait = if finished { 30 } else { wait + 25 };
        let report = store.check();
        assert_eq!(report.whole, OBJECTS, "{:?}", report.faults);
        match &*report.faults {
            [] => {}
            [fault] if fault.contains("unfinished") => unfinished += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(unfinished > 0, "none of {kills} kills was in the middle");
    let done = store.rotate("env:PIN");
    assert!(done.status.success(), "{done:?}");
    assert_eq!(store.check(), Report { whole: OBJECTS, faults: vec![] });
}
