//! A host that calls the module while it comes to its end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod raw;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use raw::Module;

fn compile(arguments: &[&Path]) {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status = Command::new(compiler).args(arguments).status().expect("a C compiler, which linking needs too");
    assert!(status.success());
}

/// Builds the host in a directory.
fn host(directory: &Path) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts");
    let (library, host) = (directory.join("liblate.so"), directory.join("late"));
    let path = Path::new;
    compile(&[path("-shared"), path("-fPIC"), path("-o"), &library, &sources.join("library.c")]);
    compile(&[path("-o"), &host, &sources.join("late.c"), path("-ldl"), path("-lpthread")]);
    host
}

/// What the host says, if it ends by itself, in time and without a signal.
fn run(host: &Path, log: Option<&Path>) -> Vec<String> {
    let mut command = Command::new(host);
    command
        .arg(raw::shared_object())
        .arg(host.with_file_name("liblate.so"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(log) = log {
        command.env("STRONGROOM_LOG", "trace").env("STRONGROOM_LOG_FILE", log);
    }
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it hangs: {}", String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr));
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{} {said}", output.status);
    said.lines().map(str::to_owned).collect()
}

#[test]
fn a_host_that_calls_while_it_ends_gets_an_answer_with_and_without_a_trace() {
    let module = Module::new();
    let directory = module.turn.store.join("host");
    fs::create_dir(&directory).unwrap();
    let host = host(&directory);
    let log = directory.join("log");
    for log in [None, Some(&*log)] {
        let said = run(&host, log);
        for what in ["thread key 0", "main key 0", "child 0", "after the fork key 0"] {
            assert!(said.contains(&what.to_owned()), "{what}: {said:#?}");
        }
        for when in ["main", "thread", "end of a thread", "registered after", "registered before"] {
            assert!(said.contains(&format!("{when} random 0")), "{when}: {said:#?}");
        }
        // Once our own destructor has run, the module is as good as gone: CKR_CRYPTOKI_NOT_INITIALIZED.
        let answers = ["0", "190"];
        for when in ["destructor random", "destructor of a library random"] {
            assert!(answers.iter().any(|rv| said.contains(&format!("{when} {rv}"))), "{when}: {said:#?}");
        }
    }
    let traced = fs::read_to_string(&log).unwrap();
    assert!(traced.lines().any(|line| line.contains("DEBUG") && line.ends_with("C_GenerateRandom CKR_OK")), "{traced}");
    assert!(traced.lines().all(|line| line.as_bytes()[4] == b'-' && line.contains('Z')), "each line has its time");
}
