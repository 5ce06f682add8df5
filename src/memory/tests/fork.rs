//! What holds across a real fork. Here, since to fork is unsafe.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, process};

use store::sqlite::{SqliteTokenDirectory, fork_guard};
use store::{Error, Scope, Serial, Store, TokenDirectory, TokenLocation};

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("strongroom-fork-{}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn directory(&self) -> SqliteTokenDirectory {
        SqliteTokenDirectory::new(self.0.join("store"), self.0.join("state"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn location() -> TokenLocation {
    TokenLocation { slot: 0, serial: Serial::new("00000000000000ff").unwrap() }
}

/// Ends a thread's loop, also if the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Forks a child that does this and ends.
fn fork(act: impl FnOnce()) -> libc::pid_t {
    let guard = fork_guard();
    // SAFETY: the child runs on the one thread that it has, with the guard's promise that nobody was inside SQLite; glibc
    // sees to the allocator. It ends by `_exit`, so nothing of the parent is torn down.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    drop(guard);
    if child == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        // SAFETY: any time.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    child
}

fn wait(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: the status is ours to write.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child failed");
}

/// Commits, and each time notes the revision with the counters that belong to it.
fn commits(store: &Arc<dyn Store>) -> String {
    let mut seen = String::new();
    for _ in 0..40 {
        let base = store.head().unwrap().revision;
        match store.commit(base, vec![], vec![], vec![]) {
            Ok(_) | Err(Error::Conflict) => {}
            Err(other) => panic!("{other}"),
        }
        let before = store.head().unwrap().revision;
        let counter = store.change_counter(Scope::Token).unwrap();
        if store.head().unwrap().revision == before {
            seen += &format!("{}\t{counter:?}\n", before.0);
        }
    }
    seen
}

#[test]
fn siblings_that_commit_never_repeat_a_number() {
    let scratch = Scratch::new("siblings");
    let store = scratch.directory().create(&location(), vec![], vec![]).unwrap();
    store.commit(store.head().unwrap().revision, vec![], vec![], vec![]).unwrap();
    store.change_counter(Scope::Token).unwrap();
    let files = ["one", "two"].map(|name| scratch.0.join(name));
    let children = files.each_ref().map(|file| fork(|| fs::write(file, commits(&store)).unwrap()));
    children.into_iter().for_each(wait);
    let mut revisions: HashMap<String, String> = HashMap::new();
    for file in &files {
        for line in fs::read_to_string(file).unwrap().lines() {
            let (revision, counter) = line.split_once('\t').unwrap();
            let known = revisions.entry(counter.to_owned()).or_insert_with(|| revision.to_owned());
            assert_eq!(known, revision, "{counter} belongs to two revisions");
        }
    }
    assert!(revisions.len() > 10, "{}", revisions.len());
}

#[test]
fn a_child_sees_what_its_sibling_and_its_parent_commit() {
    let scratch = Scratch::new("seen");
    let store = scratch.directory().create(&location(), vec![], vec![]).unwrap();
    let commit = || store.commit(store.head().unwrap().revision, vec![], vec![], vec![]).unwrap();
    commit();
    let before = store.change_counter(Scope::Token).unwrap();
    wait(fork(|| {
        commit();
    }));
    let between = store.change_counter(Scope::Token).unwrap();
    assert_ne!(between, before);
    commit();
    let after = store.change_counter(Scope::Token).unwrap();
    wait(fork(|| {
        assert_eq!(store.change_counter(Scope::Token), Ok(after));
        commit();
        assert_ne!(store.change_counter(Scope::Token), Ok(after));
    }));
    assert_ne!(store.change_counter(Scope::Token), Ok(after));
}

#[test]
fn a_child_that_was_forked_meanwhile_keeps_no_lock() {
    let scratch = Scratch::new("lock");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stopping = Stop(&stop);
        // Tokens are made and removed all the time, each under the lock of the directory.
        let making = scope.spawn(|| {
            let directory = scratch.directory();
            while !stop.load(Ordering::Relaxed) {
                let slot = directory.free_slot().unwrap();
                let serial = Serial::new(&format!("{slot:016x}")).unwrap();
                let location = TokenLocation { slot, serial };
                drop(directory.create(&location, vec![], vec![]).unwrap());
                directory.remove(&location).unwrap();
            }
        });
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(3));
            wait(fork(|| {
                for entry in fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
                    let target = fs::read_link(entry.path()).unwrap_or_default();
                    let name = target.file_name().unwrap_or_default().to_string_lossy();
                    let ours = target.starts_with(&scratch.0) && (name == ".lock" || name.contains(".token"));
                    assert!(!ours, "{} is open", target.display());
                }
            }));
        }
        drop(stopping);
        making.join().unwrap();
    });
}

#[test]
fn a_child_can_use_a_token_whatever_its_parent_was_doing() {
    let scratch = Scratch::new("busy");
    let store = scratch.directory().create(&location(), vec![], vec![]).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stopping = Stop(&stop);
        // Opens, reads and closes: the child must find SQLite with nobody in it.
        let opening = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                scratch.directory().open(&location()).unwrap().head().unwrap();
            }
        });
        for _ in 0..60 {
            wait(fork(|| {
                // SAFETY: it ends this process if it hangs.
                unsafe { libc::alarm(5) };
                store.head().unwrap();
            }));
        }
        drop(stopping);
        opening.join().unwrap();
    });
}
