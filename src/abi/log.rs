use std::{
    env,
    fs::File,
    io,
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::Level;

/// Begins to write the trace if `STRONGROOM_LOG` has a level (`error`, `warn`, `info`, `debug`, `trace`):
/// to the end of the file that `STRONGROOM_LOG_FILE` names, else to standard error. Without that
/// variable the module writes nothing anywhere. Once per process.
///
/// The subscriber is the default of the whole process as `tracing` sees it, and in the shared object that
/// is the shared object: its copy of `tracing` is its own. Only a Rust program that links this crate
/// shares it, and what such a program has set up before stays.
pub(crate) fn start() {
    static STARTED: AtomicBool = AtomicBool::new(false);
    // Not `Once`, which a child forked meanwhile would wait for.
    if STARTED.swap(true, Ordering::Relaxed) {
        return;
    }
    let Some(level) = env::var("STRONGROOM_LOG").ok().and_then(|level| level.parse::<Level>().ok()) else { return };
    // In a program with more rights than its user, the environment is the user's and the file is not.
    if ::memory::is_privileged() {
        return;
    }
    let Ok(file) = open() else { return };
    // A bare `File` takes no lock that a fork could leave locked.
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(Arc::new(file)).finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn open() -> io::Result<File> {
    match env::var_os("STRONGROOM_LOG_FILE") {
        Some(path) => File::options().append(true).create(true).open(path),
        None => io::stderr().as_fd().try_clone_to_owned().map(File::from),
    }
}
