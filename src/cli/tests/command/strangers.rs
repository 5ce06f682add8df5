//! Things in the places of our files that are none.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::store::{Store, text};

/// What a command says, if it does not wait for something that never comes.
fn in_time(mut command: Command, what: &str) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it hangs: {what}");
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// All files of a store and of its state directory.
fn files(store: &Store) -> Vec<PathBuf> {
    let in_directory = |path: &Path| -> Vec<PathBuf> {
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
    };
    let tokens = store.tokens();
    [in_directory(&tokens), in_directory(&tokens.join("state"))].concat()
}

#[test]
fn a_fifo_in_the_place_of_a_file_is_a_clear_error_and_nobody_waits_for_it() {
    let store = Store::new("fifo");
    store.fill(1);
    let token = files(&store).into_iter().find(|path| path.extension().is_some_and(|end| end == "token")).unwrap();
    let beside = ["-wal", "-shm", "-journal"].map(|end| PathBuf::from(format!("{}{end}", token.display())));
    let mut seen = 0;
    for path in files(&store).into_iter().chain(beside) {
        let kept = path.is_file().then(|| fs::read(&path).unwrap());
        let _ = fs::remove_file(&path);
        fifo(&path);
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let set = ["pin", "set", "--slot", "0", "--pin", "env:PIN", "--new-pin", "env:PIN"];
        let changed = in_time(store.command(&set), &format!("pin set, {name}"));
        let doctor = in_time(store.command(&["doctor", "--slot", "0", "--pin", "env:PIN"]), &format!("doctor, {name}"));
        let said = [&changed.stderr[..], &changed.stdout, &doctor.stdout, &doctor.stderr].concat();
        let said = text(&said);
        // What can be done without, is made anew or not needed is no error.
        let refused = !changed.status.success() || !doctor.status.success();
        if refused {
            assert!(said.contains("is not a file"), "{name}: {said}");
            seen += 1;
        }
        fs::remove_file(&path).unwrap();
        if let Some(bytes) = kept {
            fs::write(&path, bytes).unwrap();
        }
    }
    assert!(seen >= 3, "{seen}");
    let whole = store.run(&["doctor", "--slot", "0", "--pin", "env:PIN"]);
    assert!(whole.status.success(), "{whole:?}");
}

#[test]
fn a_fifo_in_the_place_of_a_setting_or_a_secret_is_a_clear_error() {
    let store = Store::new("fifo-settings");
    let path = store.0.join("fifo");
    fifo(&path);
    for variable in ["STRONGROOM_CONFIG", "STRONGROOM_STORE_SECRET"] {
        let mut command = store.command(&["token", "init", "other", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"]);
        command.env(variable, &path);
        let said = in_time(command, variable);
        let words = text(&[said.stderr, said.stdout].concat());
        assert!(!said.status.success() || variable == "STRONGROOM_CONFIG", "{variable}: {words}");
        let mut doctor = store.command(&["doctor"]);
        doctor.env(variable, &path);
        let doctor = in_time(doctor, variable);
        let words = words + &text(&[doctor.stderr, doctor.stdout].concat());
        assert!(words.contains("is not a file"), "{variable}: {words}");
    }
    let mut logged = store.command(&["token", "list"]);
    logged.env("STRONGROOM_LOG", "debug").env("STRONGROOM_LOG_FILE", &path);
    assert!(in_time(logged, "the log").status.success());
}

#[test]
fn a_store_that_others_can_write_is_named_by_doctor() {
    use std::os::unix::fs::PermissionsExt;
    let store = Store::new("open-to-all");
    fs::set_permissions(store.tokens(), fs::Permissions::from_mode(0o777)).unwrap();
    let doctor = store.run(&["doctor"]);
    assert!(text(&doctor.stdout).contains("can be written by others"), "{doctor:?}");
    assert!(!doctor.status.success());
}
