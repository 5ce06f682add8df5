//! What every store must do, as one function that each store's test calls.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::indexing_slicing)] // It is a test.

use std::time::Duration;

use crate::{
    Change, Durability, Error, IndexTerm, Record, RecordId, Revision, Scope, Serial, Store, TokenDirectory,
    TokenLocation,
};

/// Panics with the rule that is broken. `make` gives an empty directory each time.
///
/// # Panics
/// If a rule is broken.
pub fn conformance(make: &dyn Fn() -> Box<dyn TokenDirectory>) {
    an_empty_cabinet_has_no_tokens(make().as_ref());
    a_slot_is_given_once(make().as_ref());
    a_commit_is_whole_and_refused_from_an_old_base(make().as_ref());
    a_log_grows_by_what_is_committed_and_by_nothing_else(&*make());
    records_are_found_by_their_terms(make().as_ref());
    a_second_handle_sees_what_the_first_commits(make().as_ref());
    a_change_counter_counts_the_changes_of_its_scope(make().as_ref());
    counters_count(make().as_ref());
}

fn location(slot: u32) -> TokenLocation {
    TokenLocation { slot, serial: Serial::new(&format!("{:016x}", 0xabc0 + u64::from(slot))).expect("16 digits") }
}

fn record(first: u8, last: u8, version: u64) -> Record {
    let mut id = [0; 16];
    (id[0], id[15]) = (first, last);
    let (clear, sealed) = ((last.is_multiple_of(2)).then(|| vec![last; 3]), vec![first; 500]);
    Record { id: RecordId(id), version: Revision(version), clear, sealed, tag: [last; 16] }
}

fn term(byte: u8) -> IndexTerm {
    IndexTerm([byte; 16])
}

fn an_empty_cabinet_has_no_tokens(directory: &dyn TokenDirectory) {
    assert_eq!(directory.tokens(), Ok(vec![]));
    assert_eq!(directory.free_slot(), Ok(0), "the first slot is 0");
    assert_eq!(directory.open(&location(0)).err(), Some(Error::Missing));
}

fn a_slot_is_given_once(directory: &dyn TokenDirectory) {
    assert_eq!(directory.create(&location(3), vec![], vec![]).err(), Some(Error::Conflict), "3 is not the free slot");
    for slot in 0..2 {
        directory.create(&location(slot), vec![1], vec![2]).expect("the free slot can be taken");
        assert_eq!(directory.free_slot(), Ok(slot + 1));
    }
    assert_eq!(directory.tokens(), Ok(vec![location(0), location(1)]));
    directory.remove(&location(1)).expect("a token can be removed");
    assert_eq!(directory.tokens(), Ok(vec![location(0)]));
    assert_eq!(directory.free_slot(), Ok(2), "a removed token's slot is not given again");
    assert_eq!(directory.open(&location(1)).err(), Some(Error::Missing));
}

fn a_commit_is_whole_and_refused_from_an_old_base(directory: &dyn TokenDirectory) {
    let store = directory.create(&location(0), b"clear".to_vec(), b"sealed".to_vec()).expect("create");
    let head = store.head().expect("head");
    assert_eq!((head.revision, &head.clear[..], &head.sealed[..]), (Revision(0), &b"clear"[..], &b"sealed"[..]));
    assert!(store.writable());

    let (one, two) = (record(1, 1, 1), record(1, 2, 1));
    let change_counter = store.change_counter(Scope::Token).expect("change_counter");
    assert_eq!(store.change_counter(Scope::Token), Ok(change_counter), "nothing has changed");
    let changes = vec![Change::Put(one.clone(), vec![]), Change::Put(two.clone(), vec![])];
    assert_eq!(store.commit(Revision(0), b"c".to_vec(), b"s".to_vec(), changes), Ok(Revision(1)));
    assert_ne!(store.change_counter(Scope::Token), Ok(change_counter), "a commit shows at a change_counter");
    assert_eq!(store.read(one.id), Ok(Some(one.clone())));
    assert_eq!(store.read(two.id), Ok(Some(two.clone())));
    assert_eq!(store.read(RecordId([9; 16])), Ok(None));
    let head = store.head().expect("head");
    assert_eq!((head.revision, head.clear, head.sealed), (Revision(1), b"c".to_vec(), b"s".to_vec()));

    let late = store.commit(Revision(0), vec![], vec![], vec![Change::Remove(one.id)]);
    assert_eq!(late, Err(Error::Conflict), "the base is old");
    let missing = vec![Change::Remove(one.id), Change::Remove(RecordId([9; 16]))];
    assert_eq!(store.commit(Revision(1), vec![], vec![], missing), Err(Error::Conflict), "what is not there");
    assert_eq!(store.read(one.id), Ok(Some(one.clone())), "all or nothing");
    assert_eq!(store.head().expect("head").revision, Revision(1));

    let newer = Record { version: Revision(2), ..record(1, 1, 2) };
    let changes = vec![Change::Put(newer.clone(), vec![]), Change::Remove(two.id)];
    assert_eq!(store.commit(Revision(1), vec![], vec![], changes), Ok(Revision(2)));
    assert_eq!(store.read(newer.id), Ok(Some(newer.clone())), "replaced");
    assert_eq!(store.read(two.id), Ok(None), "removed");
    let digests = store.digests(1).expect("digests");
    assert_eq!(
        digests.iter().map(|digest| (digest.id, digest.version, digest.tag)).collect::<Vec<_>>(),
        vec![(newer.id, newer.version, newer.tag)]
    );
}

/// The log has what was committed, in its order, without a gap.
fn a_log_grows_by_what_is_committed_and_by_nothing_else(directory: &dyn TokenDirectory) {
    let store = directory.create(&location(0), vec![], vec![]).expect("the slot is free");
    let append = |number, text: &str| Change::Append(number, text.into());
    assert_eq!(store.log(0, 10), Ok(vec![]));
    let both = vec![append(1, "one"), Change::Put(record(1, 1, 1), vec![]), append(2, "two")];
    assert_eq!(store.commit(Revision(0), vec![], vec![], both), Ok(Revision(1)));
    for wrong in [append(2, "again"), append(4, "a gap"), append(0, "none"), append(u64::MAX, "the last")] {
        let changes = vec![Change::Put(record(2, 2, 2), vec![]), wrong];
        assert!(matches!(store.commit(Revision(1), vec![], vec![], changes), Err(Error::Damaged(_))));
    }
    assert_eq!(store.read(record(2, 2, 2).id), Ok(None), "nothing of it happened");
    assert_eq!(store.commit(Revision(1), vec![], vec![], vec![append(3, "three")]), Ok(Revision(2)));
    let entry = |number, text: &str| (number, text.as_bytes().to_vec());
    assert_eq!(store.log(0, 10), Ok(vec![entry(1, "one"), entry(2, "two"), entry(3, "three")]));
    assert_eq!(store.log(1, 1), Ok(vec![entry(2, "two")]));
    assert_eq!(store.log(3, 10), Ok(vec![]));
    let anew = vec![Change::EmptyLog, append(1, "anew")];
    assert_eq!(store.commit(Revision(2), vec![], vec![], anew), Ok(Revision(3)));
    assert_eq!(store.log(0, 10), Ok(vec![entry(1, "anew")]));
}

fn records_are_found_by_their_terms(directory: &dyn TokenDirectory) {
    let store = directory.create(&location(0), vec![], vec![]).expect("create");
    let all: Vec<Record> = (0..40).map(|n| record(n % 4, n, 1)).collect();
    let terms = |n: u8| vec![term(n % 2), term(10 + n % 4)];
    let put = |n: usize| Change::Put(all[n].clone(), terms(u8::try_from(n).expect("small")));
    store.commit(Revision(0), vec![], vec![], (0..40).map(put).collect()).expect("commit");

    let found = |terms: &[IndexTerm]| store.find(terms, None, 1000).expect("find");
    assert_eq!(found(&[]).len(), 40);
    assert!(found(&[]).is_sorted(), "in the order of the names");
    assert_eq!(found(&[term(0)]).len(), 20);
    assert_eq!(found(&[term(12), term(0)]).len(), 10);
    assert_eq!(found(&[term(12), term(1)]).len(), 0);
    assert_eq!(found(&[term(99)]).len(), 0);
    for terms in [vec![], vec![term(1)]] {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = store.find(&terms, after, 7).expect("find");
            assert!(page.len() <= 7);
            let Some(last) = page.last() else { break };
            after = Some(*last);
            pages.extend(page);
        }
        assert_eq!(pages, found(&terms), "pages make the whole");
    }
    assert_eq!(store.digests(2).expect("digests").len(), 10);
    assert_eq!(store.digests(255).expect("digests").len(), 0);

    let again = Change::Put(Record { version: Revision(2), ..all[0].clone() }, vec![term(77)]);
    store.commit(Revision(1), vec![], vec![], vec![again, Change::Remove(all[1].id)]).expect("commit");
    assert_eq!(found(&[term(77)]), vec![all[0].id]);
    assert_eq!(found(&[term(0)]).len(), 19, "old terms are gone");
    assert_eq!(found(&[term(1)]).len(), 19, "a removed record is not found");
}

fn a_second_handle_sees_what_the_first_commits(directory: &dyn TokenDirectory) {
    let first = directory.create(&location(0), vec![], vec![]).expect("create");
    let second = directory.open(&location(0)).expect("open");
    let change_counter = second.change_counter(Scope::Token).expect("change_counter");
    first.commit(Revision(0), vec![], vec![], vec![Change::Put(record(5, 5, 1), vec![term(5)])]).expect("commit");
    assert_ne!(second.change_counter(Scope::Token), Ok(change_counter));
    assert_eq!(second.find(&[term(5)], None, 10), Ok(vec![record(5, 5, 1).id]));
    assert_eq!(second.commit(Revision(0), vec![], vec![], vec![]), Err(Error::Conflict));
    assert_eq!(second.commit(Revision(1), vec![], vec![], vec![]), Ok(Revision(2)));
    assert_eq!(first.head().expect("head").revision, Revision(2));
}

/// Where the medium can tell no more than the revision (a network file system, overlayfs), this fails: a test goes
/// elsewhere.
fn a_change_counter_counts_the_changes_of_its_scope(directory: &dyn TokenDirectory) {
    let first = directory.create(&location(0), vec![], vec![]).expect("create");
    let second = directory.open(&location(0)).expect("open");
    let all = |store: &dyn Store| -> Vec<_> {
        let scopes = [Scope::Token, Scope::Head].into_iter().chain((0..=u8::MAX).map(Scope::Bucket));
        scopes.map(|scope| (scope, store.change_counter(scope).expect("change_counter"))).collect()
    };
    let put = |bucket| Change::Put(record(bucket, 5, 1), vec![term(5)]);
    first.commit(Revision(0), vec![], vec![], vec![put(7), put(8)]).expect("commit");
    let mut before = all(first.as_ref());
    assert_eq!(before, all(second.as_ref()), "the counters are the token's, not the handle's");
    let commits =
        [(vec![put(9)], vec![9]), (vec![Change::Remove(record(7, 5, 1).id), put(8)], vec![7, 8]), (vec![], vec![])];
    for (base, (changes, buckets)) in (1..).zip(commits) {
        first.commit(Revision(base), vec![], vec![], changes).expect("commit");
        let after = all(second.as_ref());
        let changed: Vec<_> = before.iter().zip(&after).filter(|(old, new)| old != new).map(|(old, _)| old.0).collect();
        let expected: Vec<_> =
            [Scope::Token, Scope::Head].into_iter().chain(buckets.into_iter().map(Scope::Bucket)).collect();
        assert_eq!(changed, expected, "what a commit touches changes, and nothing else");
        before = after;
    }
    let late = first.commit(Revision(0), vec![], vec![], vec![put(7)]);
    assert_eq!((late, all(second.as_ref())), (Err(Error::Conflict), before), "a refused commit changes nothing");
}

const POWER: Durability = Durability::Power;

fn counters_count(directory: &dyn TokenDirectory) {
    directory.create(&location(0), vec![], vec![]).expect("create");
    let counters = directory.counters(&location(0)).expect("counters");
    assert_eq!(counters.count("a"), Ok(None), "never set");
    assert_eq!(
        (counters.set("a", 1, POWER), counters.set("a", 2, POWER), counters.set("b", 1, POWER)),
        (Ok(()), Ok(()), Ok(()))
    );
    let again = directory.counters(&location(0)).expect("counters");
    assert_eq!((again.count("a"), again.count("b")), (Ok(Some(2)), Ok(Some(1))), "kept, each name for itself");

    let short = Duration::from_millis(50);
    let turn = counters.turn("a", short).expect("a turn that nobody has");
    assert_eq!(again.turn("a", short).err(), Some(Error::Busy), "somebody has it");
    drop(again.turn("b", short).expect("the turn of another name"));
    drop(turn);
    drop(again.turn("a", short).expect("it was given back"));

    counters.set("a", 0, POWER).expect("set");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let counters = directory.counters(&location(0)).expect("counters");
                for _ in 0..5 {
                    let turn = counters.turn("a", Duration::from_secs(60)).expect("a turn");
                    let count = counters.count("a").expect("count").expect("it was set");
                    counters.set("a", count + 1, Durability::Process).expect("set");
                    drop(turn);
                }
            });
        }
    });
    assert_eq!(counters.count("a"), Ok(Some(40)), "no two have the turn at once");
}

/// Keeps the trait object safe to use from several threads.
const _: fn() = || {
    fn shared<T: Send + Sync + ?Sized>() {}
    shared::<dyn Store>();
};
