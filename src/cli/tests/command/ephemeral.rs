//! `strongroom exec --ephemeral` and the signals that reach it.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::store::Store;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// Waits for something that comes soon.
fn soon<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(ready) = ready() {
            return ready;
        }
        assert!(Instant::now() < deadline, "it does not come: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Starts a shell with a token of its own; once `first` is done, it is heard of. Gives it, the number of its process, and the directory of the token.
fn start(store: &Store, first: &str, script: &str) -> (Child, Pid, PathBuf) {
    let said = store.0.join("said");
    let _ = fs::remove_file(&said);
    let script = format!("{first}echo $$ >said.new; echo $STRONGROOM_STORE >>said.new; mv said.new said; {script}");
    let mut command: Command = store.command(&["exec", "--ephemeral", "--", "sh", "-c", &script]);
    let child = command.current_dir(&store.0).stdout(Stdio::null()).spawn().unwrap();
    let text = soon("the command", || fs::read_to_string(&said).ok());
    let (pid, path) = text.trim().split_once('\n').unwrap();
    (child, Pid::from_raw(pid.parse().unwrap()).unwrap(), PathBuf::from(path).parent().unwrap().to_owned())
}

#[test]
fn a_signal_that_ends_it_ends_the_command_and_the_token_goes() {
    let store = Store::new("signals");
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let (mut child, command, directory) = start(&store, "", "exec sleep 60");
        assert!(directory.is_dir());
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = soon("the end", || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(code), "{signal:?}");
        assert!(test_kill_process(command).is_err(), "{signal:?}: the command goes on");
        assert!(!directory.exists(), "{signal:?}: {}", directory.display());
    }
}

#[test]
fn a_command_that_takes_its_time_to_end_still_has_its_token() {
    let store = Store::new("slow-end");
    let trap = "trap 'test -d $STRONGROOM_STORE && exit 7' TERM; ";
    let (mut child, _, directory) = start(&store, trap, "while :; do sleep 0.05; done");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = soon("the end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(7));
    assert!(!directory.exists());
}
