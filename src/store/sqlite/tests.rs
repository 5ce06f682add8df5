use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::SqliteTokenDirectory;
use super::directory::Directory;
use super::fork_guard::{self, fork_guard};
use crate::conformance::conformance;
use crate::{
    Change, ChangeCounter, Error, Present, Record, RecordId, Revision, Scope, Serial, SlotConflict, Store,
    TokenDirectory, TokenLocation,
};

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("strongroom-store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
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

fn record(n: u8) -> Record {
    Record { id: RecordId([n; 16]), version: Revision(1), clear: None, sealed: vec![n; 300], tag: [n; 16] }
}

#[test]
fn the_sqlite_store_conforms() {
    let scratches = std::sync::Mutex::new(Vec::new());
    conformance(&|| {
        let scratch = Scratch::new();
        let directory = scratch.directory();
        scratches.lock().unwrap().push(scratch);
        Box::new(directory)
    });
}

#[test]
fn the_memory_store_conforms() {
    conformance(&|| Box::new(crate::memory::MemoryTokenDirectory::new()));
}

#[test]
fn listing_a_missing_or_empty_directory_writes_nothing() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    assert_eq!((directory.tokens(), directory.free_slot()), (Ok(vec![]), Ok(0)));
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
}

#[test]
fn listing_opens_no_token() {
    let scratch = Scratch::new();
    drop(scratch.directory().create(&location(), vec![], vec![]).unwrap());
    let names = || fs::read_dir(scratch.0.join("store")).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    let before = names();
    assert_eq!(scratch.directory().tokens(), Ok(vec![location()]));
    assert_eq!(names(), before);
}

#[test]
fn writers_in_many_threads_lose_nothing() {
    let scratch = Scratch::new();
    scratch.directory().create(&location(), vec![], vec![]).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let store = scratch.directory().open(&location()).unwrap();
            scope.spawn(move || {
                for n in 0..25 {
                    loop {
                        let base = store.head().unwrap().revision;
                        let change = Change::Put(record(thread * 25 + n), vec![]);
                        match store.commit(base, vec![], vec![], vec![change]) {
                            Ok(_) => break,
                            Err(Error::Conflict) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                }
            });
        }
    });
    let store = scratch.directory().open(&location()).unwrap();
    assert_eq!(store.find(&[], None, 1000).unwrap().len(), 100);
    assert_eq!(store.head().unwrap().revision, Revision(100));
}

#[test]
fn a_file_of_a_newer_release_is_too_new() {
    let scratch = Scratch::new();
    drop(scratch.directory().create(&location(), vec![], vec![]).unwrap());
    let path = scratch.0.join("store/00000000000000ff.0.token");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert_eq!(scratch.directory().open(&location()).unwrap().head(), Err(Error::TooNew(99)));
}

#[test]
fn a_changed_byte_is_refused_or_changes_nothing_and_never_panics() {
    let scratch = Scratch::new();
    let store = scratch.directory().create(&location(), b"clear".to_vec(), b"sealed".to_vec()).unwrap();
    store.commit(Revision(0), vec![], vec![], (0..20).map(|n| Change::Put(record(n), vec![])).collect()).unwrap();
    drop(store);
    let path = scratch.0.join("store/00000000000000ff.0.token");
    let whole = fs::read(&path).unwrap();
    for position in (0..whole.len()).step_by(37) {
        let mut changed = whole.clone();
        changed[position] ^= 0x41;
        fs::write(&path, &changed).unwrap();
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(path.with_file_name(format!("00000000000000ff.0.token{suffix}")));
        }
        if let Ok(store) = scratch.directory().open(&location()) {
            let _ = store.head();
            for id in store.find(&[], None, 100).unwrap_or_default() {
                let _ = store.read(id);
            }
        }
    }
}

#[test]
fn a_token_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    drop(scratch.directory().create(&location(), vec![], vec![]).unwrap());
    let path = scratch.0.join("store/00000000000000ff.0.token");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let opened = scratch.directory().open(&location()).and_then(|store| store.head());
    assert!(matches!(opened, Err(Error::Unreadable(_))), "{opened:?}");
}

#[test]
fn a_fork_does_not_wait_for_another_process() {
    let scratch = Scratch::new();
    let store = scratch.directory().create(&location(), vec![], vec![]).unwrap();
    let other = rusqlite::Connection::open(scratch.0.join("store/00000000000000ff.0.token")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let committing = scope.spawn(|| store.commit(Revision(0), vec![], vec![], vec![]));
        std::thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        drop(fork_guard());
        let waited = start.elapsed();
        other.execute_batch("ROLLBACK").unwrap();
        assert!(waited < Duration::from_millis(200), "{waited:?}");
        assert_eq!(committing.join().unwrap(), Ok(Revision(1)), "the commit still waits for its turn");
    });
}

#[test]
fn a_fork_gets_its_turn_among_busy_threads() {
    let scratch = Scratch::new();
    let store = scratch.directory().create(&location(), vec![], vec![]).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let base = store.head().unwrap().revision;
                    assert!(matches!(store.commit(base, vec![], vec![], vec![]), Ok(_) | Err(Error::Conflict)));
                }
            });
        }
        let longest = (0..20).map(|_| {
            std::thread::sleep(Duration::from_millis(5));
            let start = Instant::now();
            drop(fork_guard());
            start.elapsed()
        });
        let longest = longest.max();
        stop.store(true, Ordering::Relaxed);
        assert!(longest < Some(Duration::from_secs(2)), "{longest:?}");
    });
}

#[test]
fn a_thread_that_is_inside_may_enter_while_a_fork_waits() {
    let entered = fork_guard::enter();
    std::thread::scope(|scope| {
        let forking = scope.spawn(|| drop(fork_guard()));
        std::thread::sleep(Duration::from_millis(50));
        drop(fork_guard::enter());
        drop(entered);
        forking.join().unwrap();
    });
}

/// Long enough for a look at the files.
fn look_around() {
    std::thread::sleep(Duration::from_millis(110));
}

fn commit(store: &dyn Store) -> Result<Revision, Error> {
    store.commit(store.head()?.revision, vec![], vec![], vec![])
}

/// Whether the counter comes from the page, and not from the database.
fn is_counted(store: &dyn Store, scope: Scope) -> bool {
    let counter = store.change_counter(scope).unwrap();
    counter != ChangeCounter::revision(store.head().unwrap().revision)
}

#[test]
fn a_page_that_was_removed_or_replaced_is_noticed() {
    let scratch = Scratch::new();
    let first = scratch.directory().create(&location(), vec![], vec![]).unwrap();
    let second = scratch.directory().open(&location()).unwrap();
    let (page, aside) = (scratch.0.join("store/00000000000000ff.0.seq"), scratch.0.join("aside"));
    commit(&*first).unwrap();
    for by in ["nothing", "a copy", "zeros"] {
        let before = second.change_counter(Scope::Token).unwrap();
        assert!(is_counted(&*second, Scope::Token));
        fs::rename(&page, &aside).unwrap();
        match by {
            "a copy" => drop(fs::copy(&aside, &page).unwrap()),
            "zeros" => fs::write(&page, [0; 4096]).unwrap(),
            _ => {}
        }
        commit(&*first).unwrap();
        look_around();
        assert_ne!(second.change_counter(Scope::Token), Ok(before), "replaced by {by}");
        assert!(is_counted(&*second, Scope::Token), "the commit has made a page");
        let before = second.change_counter(Scope::Token).unwrap();
        commit(&*first).unwrap();
        assert_ne!(second.change_counter(Scope::Token), Ok(before), "both use the same page again");
    }
}

#[test]
fn a_page_that_was_cut_to_nothing_ends_no_process() {
    let scratch = Scratch::new();
    let first = scratch.directory().create(&location(), vec![], vec![]).unwrap();
    let second = scratch.directory().open(&location()).unwrap();
    let page = scratch.0.join("store/00000000000000ff.0.seq");
    commit(&*first).unwrap();
    assert!(is_counted(&*second, Scope::Token));
    fs::OpenOptions::new().write(true).open(&page).unwrap().set_len(0).unwrap();
    look_around();
    assert!(!is_counted(&*second, Scope::Token), "the database is asked");
    commit(&*first).unwrap();
    assert_eq!(fs::metadata(&page).unwrap().len(), 4096, "the next commit makes a page");
    look_around();
    assert!(is_counted(&*second, Scope::Token));
}

#[test]
fn a_commit_that_cannot_count_fails_and_changes_nothing() {
    let scratch = Scratch::new();
    let store = scratch.directory().create(&location(), vec![], vec![]).unwrap();
    let page = scratch.0.join("store/00000000000000ff.0.seq");
    fs::create_dir(&page).unwrap();
    assert!(commit(&*store).is_err());
    assert_eq!(store.head().unwrap().revision, Revision(0));
    assert!(store.change_counter(Scope::Token).is_ok(), "readers ask the database");
    fs::remove_dir(&page).unwrap();
    assert_eq!(commit(&*store), Ok(Revision(1)));
}

#[test]
fn a_counter_that_a_crash_left_odd_is_set_right_by_the_next_commit() {
    let scratch = Scratch::new();
    let store = scratch.directory().create(&location(), vec![], vec![]).unwrap();
    commit(&*store).unwrap();
    let page = scratch.0.join("store/00000000000000ff.0.seq");
    let file = fs::OpenOptions::new().read(true).write(true).open(&page).unwrap();
    drop(memory::CounterPage::map(file, false).unwrap().unwrap().begin(|_| true).unwrap());
    for scope in [Scope::Token, Scope::Head, Scope::Bucket(9)] {
        assert!(!is_counted(&*store, scope), "the database is asked");
    }
    commit(&*store).unwrap();
    for scope in [Scope::Token, Scope::Head, Scope::Bucket(9)] {
        assert!(is_counted(&*store, scope));
    }
}

#[test]
fn a_token_that_was_opened_and_not_written_has_a_page() {
    let scratch = Scratch::new();
    let store = scratch.directory().create(&location(), vec![], vec![]).unwrap();
    assert!(is_counted(&*store, Scope::Token));
    let names = fs::read_dir(scratch.0.join("store")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert!(!names.into_iter().any(|name| name.ends_with(".new")), "nothing half made is left");
}

#[test]
fn a_fork_waits_until_the_lock_of_the_directory_is_given_back() {
    let scratch = Scratch::new();
    let directory = Directory::made(&scratch.0).unwrap();
    let lock = directory.lock().unwrap();
    let forked = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let forking = scope.spawn(|| {
            let guard = fork_guard();
            forked.store(true, Ordering::Relaxed);
            drop(guard);
        });
        std::thread::sleep(Duration::from_millis(50));
        assert!(!forked.load(Ordering::Relaxed));
        drop(lock);
        forking.join().unwrap();
    });
}

#[test]
fn a_fork_does_not_wait_for_somebody_elses_lock_of_the_directory() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let directory = Directory::made(&scratch.0).unwrap();
    drop(directory.lock().unwrap());
    let path = scratch.0.join(".lock");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // Another open file is to the system as another process.
    let other = fs::File::open(&path).unwrap();
    other.lock().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Directory::made(&scratch.0).unwrap().lock().map(drop));
        std::thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        drop(fork_guard());
        let waited = start.elapsed();
        assert!(!waiting.is_finished());
        drop(other);
        assert!(waited < Duration::from_millis(200), "{waited:?}");
        assert_eq!(waiting.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_directory_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    drop(scratch.directory().create(&location(), vec![], vec![]).unwrap());
    for mode in [0o777, 0o770, 0o1777] {
        fs::set_permissions(scratch.0.join("store"), fs::Permissions::from_mode(mode)).unwrap();
        let opened = scratch.directory().open(&location()).map(|_| ());
        assert!(matches!(opened, Err(Error::Unreadable(_))), "{mode:o}: {opened:?}");
    }
}

#[test]
fn a_token_that_is_copied_in_gets_a_slot_of_its_own_and_the_first_keeps_its() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let file = |name: &str| scratch.0.join("store").join(name);
    let at = |slot, serial| TokenLocation { slot, serial: Serial::new(serial).unwrap() };
    let (lower, other) = ("0000000000000011", "0000000000000022");
    drop(directory.create(&location(), b"first".to_vec(), vec![]).unwrap());
    let elsewhere = Scratch::new();
    drop(elsewhere.directory().create(&at(0, lower), b"copied".to_vec(), vec![]).unwrap());
    fs::copy(elsewhere.0.join(format!("store/{lower}.0.token")), file(&format!("{lower}.0.token"))).unwrap();

    let [first, copied] = &directory.tokens().unwrap()[..] else { panic!("two tokens") };
    assert_eq!((first, &copied.serial), (&location(), &Serial::new(lower).unwrap()), "the lower serial came later");
    assert_eq!(directory.open(first).unwrap().head().unwrap().clear, b"first");
    assert_eq!(directory.open(copied).unwrap().head().unwrap().clear, b"copied");
    assert_eq!(directory.free_slot(), Ok(1));
    let conflict = SlotConflict { slot: 0, owner: location().serial, token: copied.clone() };
    assert_eq!(directory.conflicts(), Ok(vec![conflict]));

    drop(directory.create(&at(1, other), vec![], vec![]).unwrap());
    assert_eq!(directory.tokens(), Ok(vec![location(), at(1, other), at(2, lower)]), "for good");
    assert_eq!(directory.open(copied).unwrap().head().unwrap().clear, b"copied", "the temporary slot is understood");
    assert_eq!(directory.conflicts().unwrap().len(), 1, "the name still asks for slot 0");

    directory.remove(&location()).unwrap();
    assert_eq!(directory.tokens(), Ok(vec![at(1, other), at(2, lower)]), "a slot does not change");
    assert_eq!((directory.free_slot(), directory.conflicts()), (Ok(3), Ok(vec![])));
    directory.remove(&at(2, lower)).unwrap();
    assert!(!file(&format!("{lower}.0.token")).exists());
    assert_eq!(directory.free_slot(), Ok(3));
}

#[test]
fn a_copy_of_a_token_under_another_slot_is_another_token() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let store = directory.create(&location(), vec![], vec![]).unwrap();
    let file = |slot| scratch.0.join(format!("store/00000000000000ff.{slot}.token"));
    fs::copy(file(0), file(5)).unwrap();
    commit(&*store).unwrap();
    let copy = TokenLocation { slot: 5, ..location() };
    assert_eq!(directory.tokens(), Ok(vec![location(), copy.clone()]));
    let revision = |location: &TokenLocation| directory.open(location).unwrap().head().unwrap().revision;
    assert_eq!((revision(&location()), revision(&copy)), (Revision(1), Revision(0)), "each in its own file");
    let neither = TokenLocation { slot: 7, ..location() };
    assert_eq!(directory.open(&neither).err(), Some(Error::Missing));
    directory.remove(&copy).unwrap();
    assert_eq!((file(0).exists(), file(5).exists()), (true, false));
}

#[test]
fn a_reader_and_a_writer_in_other_processes_use_one_page() {
    const SCRATCH: &str = "STRONGROOM_TEST_OTHER_PROCESS";
    if let Some(path) = std::env::var_os(SCRATCH) {
        // The other process: this test again.
        let scratch = std::mem::ManuallyDrop::new(Scratch(path.into()));
        commit(&*scratch.directory().open(&location()).unwrap()).unwrap();
        return;
    }
    let scratch = Scratch::new();
    let store = scratch.directory().create(&location(), vec![], vec![]).unwrap();
    for _ in 0..3 {
        let before = store.change_counter(Scope::Token).unwrap();
        let buckets = store.change_counter(Scope::Bucket(1)).unwrap();
        let name = "sqlite::tests::a_reader_and_a_writer_in_other_processes_use_one_page";
        let mut other = std::process::Command::new(std::env::current_exe().unwrap());
        assert!(other.args(["--exact", name]).env(SCRATCH, &scratch.0).output().unwrap().status.success());
        assert!(is_counted(&*store, Scope::Token));
        assert_ne!(store.change_counter(Scope::Token), Ok(before));
        assert_eq!(store.change_counter(Scope::Bucket(1)), Ok(buckets), "no record was touched");
    }
}

#[test]
fn a_state_directory_that_was_removed_is_made_again() {
    let scratch = Scratch::new();
    drop(scratch.directory().create(&location(), vec![], vec![]).unwrap());
    let counters = scratch.directory().counters(&location()).unwrap();
    let (short, durability) = (Duration::from_millis(100), crate::Durability::Process);
    counters.set("1", 3, durability).unwrap();
    counters.set_note("seen", b"note", durability).unwrap();
    for _ in 0..2 {
        fs::remove_dir_all(scratch.0.join("state")).unwrap();
        assert_eq!((counters.count("1"), counters.note("seen")), (Ok(None), Ok(None)));
        drop(counters.turn("1", short).unwrap());
        assert_eq!(counters.set_note("seen", b"again", durability), Ok(()));
        assert_eq!(counters.set("1", 0, durability), Ok(()));
        assert_eq!((counters.count("1"), counters.note("seen")), (Ok(Some(0)), Ok(Some(b"again".to_vec()))));
    }
}

/// A token at this revision, whose records have the number of their revision.
fn grown(directory: &SqliteTokenDirectory, revisions: u8) -> std::sync::Arc<dyn Store> {
    let store = directory.create(&location(), b"clear".to_vec(), b"sealed".to_vec()).unwrap();
    for n in 0..revisions {
        let changes = vec![Change::Put(record(n), vec![]), Change::Append(u64::from(n) + 1, vec![n])];
        store.commit(Revision(n.into()), vec![n], vec![n], changes).unwrap();
    }
    store
}

#[test]
fn a_snapshot_is_put_in_the_place_of_a_token_under_those_who_have_it_open() {
    let (here, elsewhere) = (Scratch::new(), Scratch::new());
    let (store, other) = (grown(&here.directory(), 2), grown(&elsewhere.directory(), 9));
    let snapshot = elsewhere.0.join("snapshot");
    let head = elsewhere.directory().snapshot(&location(), &snapshot).unwrap();
    assert_eq!(head, other.head().unwrap());
    let again = elsewhere.directory().snapshot(&location(), &snapshot);
    assert!(again.is_err(), "no file is written over");

    let counters = |store: &dyn Store| {
        [Scope::Token, Scope::Head, Scope::Bucket(0), Scope::Bucket(200)]
            .map(|scope| store.change_counter(scope).unwrap())
    };
    let before = counters(&*store);
    let restore = |present| here.directory().restore(&location().serial, &snapshot, present);
    for wrong in [Present::Absent, Present::At(Revision(1))] {
        assert_eq!(restore(wrong), Err(Error::Conflict));
    }
    assert_eq!(counters(&*store), before);
    assert_eq!(restore(Present::At(Revision(2))), Ok(location()));
    assert_eq!(store.head().unwrap(), head);
    assert_eq!(store.log(0, 100).unwrap().len(), 9);
    assert_eq!(store.read(RecordId([8; 16])).unwrap(), Some(record(8)));
    assert!(counters(&*store).iter().zip(before).all(|(after, before)| *after != before), "every counter has moved");
    store.commit(Revision(9), vec![], vec![], vec![]).unwrap();
}

#[test]
fn a_snapshot_goes_to_the_place_that_is_kept_for_its_token_or_to_the_free_slot() {
    let (here, elsewhere) = (Scratch::new(), Scratch::new());
    drop(grown(&elsewhere.directory(), 3));
    let snapshot = elsewhere.0.join("snapshot");
    elsewhere.directory().snapshot(&location(), &snapshot).unwrap();
    let neighbour = TokenLocation { slot: 0, serial: Serial::new("00000000000000aa").unwrap() };
    here.directory().create(&neighbour, vec![], vec![]).unwrap();
    let placed = here.directory().restore(&location().serial, &snapshot, Present::Absent).unwrap();
    assert_eq!(placed, TokenLocation { slot: 1, ..location() });
    assert_eq!(here.directory().tokens().unwrap(), [neighbour, placed.clone()]);
    let token = here.0.join("store/00000000000000ff.1.token");
    fs::remove_file(&token).unwrap();
    let again = here.directory().restore(&location().serial, &snapshot, Present::Absent).unwrap();
    assert_eq!((again, token.exists()), (placed, true));
}

#[test]
fn a_snapshot_for_which_there_is_no_room_changes_nothing() {
    let (here, elsewhere) = (Scratch::new(), Scratch::new());
    drop(grown(&elsewhere.directory(), 200));
    let snapshot = elsewhere.0.join("snapshot");
    elsewhere.directory().snapshot(&location(), &snapshot).unwrap();
    let store = grown(&here.directory(), 2);
    let path = here.0.join("store/00000000000000ff.0.token");
    let full = super::store::SqliteStore::limited(&path, here.0.join("store/00000000000000ff.0.seq"), 12).unwrap();
    let snapshot = super::snapshot::Snapshot::open(&snapshot).unwrap();
    assert!(matches!(full.replace(&snapshot, Revision(2)), Err(Error::Full(_))));
    assert_eq!(store.head().unwrap().revision, Revision(2));
    assert_eq!(store.find(&[], None, 1000).unwrap().len(), 2);
    store.commit(Revision(2), vec![], vec![], vec![]).unwrap();
}

#[test]
fn what_is_no_whole_snapshot_of_a_token_is_refused() {
    let scratch = Scratch::new();
    drop(grown(&scratch.directory(), 100));
    let (snapshot, changed) = (scratch.0.join("snapshot"), scratch.0.join("changed"));
    scratch.directory().snapshot(&location(), &snapshot).unwrap();
    let whole = fs::read(&snapshot).unwrap();
    let mut torn = whole.clone();
    let middle = torn.len() / 2;
    torn[middle - 4096..middle].fill(0x5a);
    for bytes in [torn, whole[..whole.len() / 2].to_vec(), b"no database".repeat(100), Vec::new()] {
        fs::write(&changed, bytes).unwrap();
        let refused = scratch.directory().snapshot_head(&changed);
        assert!(matches!(refused, Err(Error::Damaged(_))), "{refused:?}");
    }
}
