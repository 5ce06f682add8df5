//! Processes that fork while their threads are in the middle of something.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use cryptoki_sys::*;

use crate::{
    object::{
        create_data, create_key, encrypt, finalize, find_all, find_label, initialize, is_key, read_label, session,
        value_of,
    },
    p11,
    process::{Choices, Journal, Scene, die_with_parent, duration},
    raw::{self, USER_PIN, WRITABLE},
};

/// Two threads sign, two commit, and the main one forks until the time is over.
pub(crate) fn fork_under_threads() {
    let journal = Journal::open();
    let first = session();
    let key = create_key(first, true, "shared", &value_of(1)).unwrap();
    let expected = encrypt(first, key).unwrap();
    let slot = raw::slots()[0];
    let end = Instant::now() + duration(4);
    let (over, calls, mut choices) = (AtomicBool::new(false), AtomicU64::new(0), Choices::of_worker());
    thread::scope(|scope| {
        for thread in 0..4 {
            let (journal, expected, over, calls) = (&journal, &expected, &over, &calls);
            scope.spawn(move || {
                let session = raw::open(slot, WRITABLE);
                for count in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    if thread < 2 {
                        assert_eq!(encrypt(session, key).as_ref(), Ok(expected), "the parent goes on");
                    } else {
                        let label = format!("of thread {thread}: {count}");
                        create_data(session, &label, b"data", CK_TRUE).unwrap();
                        journal.say(format!("created {label}"));
                        thread::sleep(Duration::from_millis(1));
                    }
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while Instant::now() < end {
            thread::sleep(Duration::from_micros(choices.below(20_000) as u64));
            if let Err(why) = fork_once(&journal, &expected) {
                over.store(true, Ordering::Relaxed);
                panic!("{why}");
            }
            journal.say("forked");
        }
        over.store(true, Ordering::Relaxed);
    });
    journal.say(format!("calls {}", calls.into_inner()));
    finalize();
}

/// A child that does all that a new process may do, and must do it in time.
fn fork_once(journal: &Journal, expected: &[u8]) -> Result<(), String> {
    // SAFETY: the child calls what a forked process may call, the module being what is under test, and leaves without
    // anybody's destructors.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let _ = die_with_parent();
        // SAFETY: takes a number. A child that hangs ends by this signal.
        unsafe { libc::alarm(20) };
        let lived = std::panic::catch_unwind(|| live(journal, expected)).is_ok();
        // SAFETY: takes a number.
        unsafe { libc::_exit(if lived { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: it is our child, and the place is there.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    if waited == pid && status == 0 { Ok(()) } else { Err(format!("a child: wait status {status:#x}")) }
}

fn live(journal: &Journal, expected: &[u8]) {
    let mut info = CK_INFO::default();
    let says = |what: &str, rv: CK_RV, wanted: CK_RV| {
        if rv != wanted {
            journal.say(format!("child: {what} gives {rv:#x}"));
            panic!("a child does not go on");
        }
    };
    says("C_GetInfo before C_Initialize", p11!(C_GetInfo(&raw mut info)), CKR_CRYPTOKI_NOT_INITIALIZED);
    let mut count = 0;
    let listed = p11!(C_GetSlotList(CK_TRUE, std::ptr::null_mut(), &raw mut count));
    says("C_GetSlotList before C_Initialize", listed, CKR_CRYPTOKI_NOT_INITIALIZED);
    initialize();
    let session = raw::open(raw::slots()[0], WRITABLE);
    says("C_Login", raw::login(session, CKU_USER, USER_PIN), CKR_OK);
    let key = find_label(session, "shared").unwrap();
    says("the use of a key", encrypt(session, key[0]).map_or_else(|rv| rv, |got| u64::from(got != expected)), 0);
    finalize();
}

/// Says the labels of all objects, and tries all keys.
pub(crate) fn list() {
    let journal = Journal::open();
    let session = session();
    for handle in find_all(session).unwrap() {
        let label = read_label(session, handle).unwrap();
        if label == "shared" {
            assert_eq!(is_key(session, handle, &value_of(1)), Ok(true));
        }
        journal.say(label);
    }
    finalize();
}

#[test]
fn forked_children_start_clean_and_parents_go_on() {
    let scene = Scene::with_token();
    let mut choices = Choices::new();
    let lines = scene.run("fork under threads", choices.next(), duration(4).as_secs() + 40).unwrap();
    let forks = lines.iter().filter(|line| *line == "forked").count();
    let created: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("created ")).collect();
    let calls = lines.last().and_then(|line| line.strip_prefix("calls ")).unwrap();
    let listed = scene.run("list", 0, 60).unwrap();
    let lost: Vec<_> = created.iter().filter(|label| !listed.iter().any(|there| there == *label)).collect();
    println!(
        "forked {forks} times under 4 threads: {calls} calls of the parent, {} commits acknowledged, {} lost",
        created.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(listed.len(), created.len() + 1, "nothing is there that nobody made");
    assert!(forks > 0);
}
