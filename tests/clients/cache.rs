//! What a client needs to be installed once, kept between runs.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// A directory that is made again only when what it is made from has changed.
pub(crate) fn kept(name: &str, made_from: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Tests of one binary run in threads, and those of several side by side.
    let lock = File::create(path.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let stamp = path.join("made-from");
    if fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == made_from) {
        return path;
    }
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    make(&path);
    fs::write(stamp, made_from).unwrap();
    path
}
