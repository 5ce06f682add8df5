//! Processes that share a token.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use cryptoki_sys::*;

use crate::{
    object::{Outcome, create_key, destroy, encrypt, finalize, find_all, find_label, read_label, session, value_of},
    process::{Choices, Journal, Scene, Worker, die_with_parent, duration},
};

const WORKERS: u64 = 4;
/// After this time a change is seen by everybody.
const SEEN_AFTER_US: u64 = 200_000;

/// Microseconds of the clock that all processes have.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_nsec.cast_unsigned() / 1000
}

/// Creates, looks for, uses and destroys keys until the time is over.
pub(crate) fn share() {
    let choices = Choices::of_worker();
    let number = u64::from(std::process::id());
    work(&Journal::open(), choices, number);
}

/// The same by children of one process that has the token open.
pub(crate) fn share_as_siblings() {
    let journal = Journal::open();
    let mut choices = Choices::of_worker();
    let session = session();
    find_all(session).unwrap();
    let children: Vec<_> =
        (0..WORKERS).map(|n| Sibling::fork(|_| work(&journal, Choices::from(choices.next()), n))).collect();
    children.into_iter().for_each(Sibling::finish);
    finalize();
}

/// A forked child, and the way to talk with it.
struct Sibling {
    pid: libc::pid_t,
    stream: UnixStream,
}

impl Sibling {
    fn fork(work: impl FnOnce(UnixStream)) -> Self {
        let (here, there) = UnixStream::pair().unwrap();
        // SAFETY: the child calls what a forked process may call, the module being what is under test, and leaves
        // without anybody's destructors.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let _ = die_with_parent();
            drop(here);
            let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(there))).is_ok();
            // SAFETY: takes a number.
            unsafe { libc::_exit(if lived { 0 } else { 1 }) };
        }
        assert!(pid > 0);
        Self { pid, stream: here }
    }

    /// Has it do what this letter means, and gives the return value.
    fn ask(&mut self, letter: u8) -> CK_RV {
        let mut rv = [0; size_of::<CK_RV>()];
        self.stream.write_all(&[letter]).unwrap();
        self.stream.read_exact(&mut rv).unwrap();
        CK_RV::from_ne_bytes(rv)
    }

    fn finish(mut self) {
        // Not by closing: siblings that were forked later have this end, too.
        let _ = self.stream.write_all(b"q");
        let mut status = 0;
        // SAFETY: it is our child, and the place is there.
        let waited = unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
        assert_eq!((waited, status), (self.pid, 0), "a sibling: wait status {status:#x}");
    }
}

/// What a sibling does when it is asked: `c` creates the key, `u` uses it, `d` destroys it, `x` changes something else.
fn obey(mut stream: UnixStream, key: &str) {
    let session = session();
    let theirs = || Ok(find_label(session, key)?.first().copied().unwrap_or_default());
    let (mut handle, mut letter) = (0, [0]);
    while stream.read_exact(&mut letter).is_ok() && letter != *b"q" {
        let done: Outcome<()> = match letter[0] {
            b'c' => create_key(session, true, key, &value_of(1)).map(|_| ()),
            b'u' if handle == 0 => theirs().and_then(|found| {
                handle = found;
                encrypt(session, handle).map(|_| ())
            }),
            b'u' => encrypt(session, handle).map(|_| ()),
            b'd' => theirs().and_then(|found| destroy(session, found)),
            _ => create_key(session, true, "other", &value_of(2)).map(|_| ()),
        };
        stream.write_all(&done.map_or_else(|rv| rv, |()| CKR_OK).to_ne_bytes()).unwrap();
    }
    finalize();
}

/// One sibling creates a key, the second uses it, the third destroys it, the second uses it again: each as the first
/// change or as one of the next that it makes after the fork.
pub(crate) fn take_turns() {
    let journal = Journal::open();
    let session = session();
    let (mut choices, end) = (Choices::of_worker(), Instant::now() + duration(4));
    // Whoever forks has worked before.
    let before = create_key(session, true, "before", &value_of(3)).unwrap();
    destroy(session, before).unwrap();
    for round in 0.. {
        if Instant::now() > end {
            break;
        }
        let key = format!("key {round}");
        let mut siblings: Vec<_> = (0..3).map(|_| Sibling::fork(|stream| obey(stream, &key))).collect();
        let (first, last) = (choices.below(4), choices.below(4));
        let turns = [vec![(0, b'x'); first], vec![(2, b'x'); last], vec![(0, b'c'), (1, b'u'), (2, b'd')]].concat();
        let failed = turns.into_iter().find_map(|(who, what)| match siblings[who].ask(what) {
            CKR_OK => None,
            rv => Some(format!("failed: {} of sibling {who} gives {rv:#x}", char::from(what))),
        });
        let came = failed.unwrap_or_else(|| {
            thread::sleep(Duration::from_micros(SEEN_AFTER_US));
            match siblings[1].ask(b'u') {
                CKR_KEY_HANDLE_INVALID => "refused".to_owned(),
                rv => format!("used: {rv:#x}"),
            }
        });
        journal.say(format!("{came} ({first}, {last})"));
        siblings.into_iter().for_each(Sibling::finish);
        let cleaned =
            find_all(session).and_then(|left| left.into_iter().try_for_each(|object| destroy(session, object)));
        if let Err(rv) = cleaned {
            journal.say(format!("failed: the parent's call gives {rv:#x}"));
        }
    }
    finalize();
}

fn work(journal: &Journal, mut choices: Choices, worker: u64) {
    let session = session();
    let mut known = BTreeMap::<u64, CK_OBJECT_HANDLE>::new();
    let mut expected = BTreeMap::<u64, Vec<u8>>::new();
    let mut next = worker * 1_000_000;
    let end = Instant::now() + duration(4);
    while Instant::now() < end {
        let pick = |choices: &mut Choices| known.iter().nth(choices.below(known.len())).map(|(n, h)| (*n, *h));
        match choices.below(20) {
            what @ 0..4 if known.len() < 25 || what == 0 => {
                next += 1;
                journal.say(format!("creating {next} {}", now()));
                match create_key(session, true, &next.to_string(), &value_of(next)) {
                    Ok(handle) => {
                        journal.say(format!("created {next} {}", now()));
                        known.insert(next, handle);
                    }
                    Err(rv) => journal.say(format!("wrong: creating gives {rv:#x}")),
                }
            }
            4 => {
                let begun = now();
                match find_all(session) {
                    Ok(found) => {
                        let mut seen = Vec::new();
                        for handle in found {
                            match read_label(session, handle) {
                                Ok(label) => {
                                    known.insert(label.parse().unwrap(), handle);
                                    seen.push(label);
                                }
                                Err(CKR_OBJECT_HANDLE_INVALID) => {}
                                Err(rv) => journal.say(format!("wrong: reading a label gives {rv:#x}")),
                            }
                        }
                        journal.say(format!("saw {begun} {} {}", now(), seen.join(" ")));
                    }
                    Err(rv) => journal.say(format!("wrong: searching gives {rv:#x}")),
                }
            }
            5 | 6 if known.len() > 8 => {
                let Some((key, handle)) = pick(&mut choices) else { continue };
                journal.say(format!("destroying {key} {}", now()));
                match destroy(session, handle) {
                    Ok(()) => journal.say(format!("destroyed {key} {}", now())),
                    Err(CKR_OBJECT_HANDLE_INVALID) => {}
                    Err(rv) => journal.say(format!("wrong: destroying gives {rv:#x}")),
                }
                if choices.below(2) == 0 {
                    known.remove(&key);
                }
            }
            _ if known.is_empty() => {}
            _ => {
                let Some((key, handle)) = pick(&mut choices) else { continue };
                let right = expected.entry(key).or_insert_with(|| {
                    let copy = create_key(session, false, "copy", &value_of(key)).unwrap();
                    let right = encrypt(session, copy).unwrap();
                    destroy(session, copy).unwrap();
                    right
                });
                let begun = now();
                match encrypt(session, handle) {
                    Ok(got) if got == *right => journal.say(format!("used {key} {begun}")),
                    Ok(_) => journal.say(format!("wrong: {key} encrypts like another key")),
                    Err(CKR_KEY_HANDLE_INVALID | CKR_OBJECT_HANDLE_INVALID) => {
                        journal.say(format!("refused {key} {begun}"));
                        if choices.below(8) == 0 {
                            known.remove(&key);
                        }
                    }
                    Err(rv) => journal.say(format!("wrong: using gives {rv:#x}")),
                }
            }
        }
    }
    finalize();
}

/// Compares what all processes said with what may be, and with what is there at the end.
fn judge(what: &str, lines: &[String], listed: &[String]) {
    let mut times = BTreeMap::<&str, BTreeMap<u64, u64>>::new();
    let mut wrong = Vec::new();
    let mut twice = 0;
    for line in lines {
        let words: Vec<_> = line.split(' ').collect();
        if let ["creating" | "created" | "destroying" | "destroyed", key, at] = words[..] {
            let (key, at) = (key.parse().unwrap(), at.parse().unwrap());
            let known = times.entry(words[0]).or_default().entry(key).or_insert(at);
            if *known != at {
                twice += usize::from(words[0] == "destroyed");
                *known = at.min(*known);
            }
        }
        if line.starts_with("wrong") {
            wrong.push(line.clone());
        }
    }
    let time = |name: &str, key: u64| times.get(name).and_then(|times| times.get(&key)).copied();
    let (mut uses, mut refusals, mut searches) = (0, 0, 0);
    for line in lines {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let mut numbers = words.filter_map(|word| word.parse::<u64>().ok());
        match name {
            "used" | "refused" => {
                let (key, at) = (numbers.next().unwrap(), numbers.next().unwrap());
                if name == "used" {
                    uses += 1;
                    if let Some(gone) = time("destroyed", key).filter(|gone| at > gone + SEEN_AFTER_US) {
                        wrong.push(format!("{key} was used {} us after it was destroyed", at - gone));
                    }
                } else {
                    refusals += 1;
                    // Not even begun to be destroyed when it was refused.
                    if time("destroying", key).is_none() {
                        wrong.push(format!("{key} was refused, and nobody destroyed it"));
                    }
                }
            }
            "saw" => {
                searches += 1;
                let (begun, done) = (numbers.next().unwrap(), numbers.next().unwrap());
                let seen: BTreeSet<u64> = numbers.collect();
                for (key, made) in times.get("created").into_iter().flatten() {
                    let there = made + SEEN_AFTER_US < begun && time("destroying", *key).is_none_or(|at| at > done);
                    let gone = time("destroyed", *key).is_some_and(|at| at + SEEN_AFTER_US < begun);
                    if there && !seen.contains(key) {
                        wrong.push(format!("{key} was not found {} us after it was created", begun - made));
                    }
                    if gone && seen.contains(key) {
                        wrong.push(format!("{key} was found after it was destroyed"));
                    }
                }
            }
            _ => {}
        }
    }
    let count = |name| times.get(name).map_or(0, BTreeMap::len);
    let listed: BTreeSet<u64> = listed.iter().map(|label| label.parse().unwrap()).collect();
    let mut lost = 0;
    for key in times.get("created").into_iter().flat_map(BTreeMap::keys) {
        let there = listed.contains(key);
        if !there && time("destroying", *key).is_none() {
            lost += 1;
            wrong.push(format!("{key} is lost"));
        }
        if there && time("destroyed", *key).is_some() {
            lost += 1;
            wrong.push(format!("{key} has come back"));
        }
    }
    println!(
        "{what}: {} keys created, {} destroyed ({twice} of them twice), {uses} uses, {refusals} refusals, \
         {searches} searches, {lost} changes lost, {} wrong",
        count("created"),
        count("destroyed"),
        wrong.len()
    );
    wrong.iter().take(20).for_each(|line| println!("    {line}"));
    assert!(wrong.is_empty() && twice == 0, "{} times", wrong.len());
    assert!(count("destroyed") > 0 && uses > 0 && refusals > 0);
}

#[test]
fn processes_that_share_a_token_see_each_others_changes() {
    let scene = Scene::with_token();
    let mut choices = Choices::new();
    let workers: Vec<Worker> = (0..WORKERS).map(|_| scene.start("share", choices.next())).collect();
    let seconds = duration(4).as_secs() + 60;
    let lines: Vec<_> = workers.into_iter().flat_map(|worker| worker.finish(seconds).unwrap()).collect();
    judge("4 processes", &lines, &scene.run("list", 0, 20).unwrap());
}

#[test]
fn forked_siblings_that_share_a_token_see_each_others_changes() {
    let scene = Scene::with_token();
    let lines = scene.run("share as siblings", Choices::new().next(), duration(4).as_secs() + 60).unwrap();
    judge("4 siblings", &lines, &scene.run("list", 0, 20).unwrap());
}

#[test]
fn a_sibling_does_not_use_a_key_that_another_has_destroyed() {
    let scene = Scene::with_token();
    let lines = scene.run("take turns", Choices::new().next(), duration(4).as_secs() + 60).unwrap();
    let beginning = |what| lines.iter().filter(|line| line.starts_with(what)).count();
    println!(
        "siblings in turn: {} times, {} keys used after a sibling had destroyed them, {} calls failed",
        lines.len(),
        beginning("used"),
        beginning("failed")
    );
    let wrong: Vec<_> = lines.iter().filter(|line| !line.starts_with("refused")).collect();
    assert!(wrong.is_empty(), "after so many changes of the one that creates and the one that destroys: {wrong:#?}");
}
