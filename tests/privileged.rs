//! A program that runs with rights that its caller does not have.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)] // These are tests.

use std::{
    env, fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{self, Command},
};

const NOBODY: u32 = 65534;

#[test]
#[ignore = "the program that the test below starts"]
fn say_where_the_tokens_are() {
    let settings = engine::Settings::load();
    println!("store={} state={} problems={:?}", settings.store.display(), settings.state.display(), settings.problems);
}

#[test]
fn a_program_with_anothers_rights_takes_neither_environment_nor_home_for_settings() {
    if !is_root() {
        println!("skipped: only root can make a set-user-ID program");
        return;
    }
    let directory = env::temp_dir().join(format!("strongroom-privileged-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    let program = directory.join("program");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let run = |mode: u32| {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        let output = Command::new(&program)
            .args(["--exact", "say_where_the_tokens_are", "--ignored", "--nocapture"])
            .env_clear()
            .env("STRONGROOM_STORE", "/callers/store")
            .env("HOME", "/callers/home")
            .env("XDG_DATA_HOME", "/callers/data")
            .uid(NOBODY)
            .gid(NOBODY)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (plain, privileged) = (run(0o755), run(0o4755));
    fs::remove_dir_all(&directory).unwrap();
    assert!(plain.contains("store=/callers/store"), "without other rights the environment counts: {plain}");
    let system = PathBuf::from("/var/lib/strongroom");
    assert!(privileged.contains(&format!("store={}", system.display())), "{privileged}");
    assert!(!privileged.contains("callers"), "{privileged}");
}

fn is_root() -> bool {
    // SAFETY: it asks for a number.
    unsafe { libc::geteuid() == 0 }
}
