//! How writers count, so that a reader that sees the same count twice has missed no commit.
//!
//! A counter only rises. While it is odd, a commit may be happening. Writers take turns by a lock of their own, which
//! a commit gives back; each calls [`begin`] with the lock held and before the commit, and [`finish`] after
//! it, without the lock.
//!
//! * A commit happens only while each counter that it touches is odd. Only the writer that has begun last makes it
//!   even, since [`finish`] changes nothing if somebody has counted in between.
//! * A writer that dies leaves odd counters. The next one finishes them after its own commit, whether
//!   it touches them or not. Not earlier: what the dead one has half written is out of reach only then.

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// What a writer has begun. Dropped without [`finish`], the counters stay odd: so it must be when nobody knows whether
/// the commit has happened.
#[derive(Debug)]
#[must_use]
pub struct Begun(Vec<(usize, u64)>);

impl Begun {
    /// The count that a counter has after [`finish`], as long as nobody else counts; `None` if it was not begun here.
    #[must_use]
    pub fn finished(&self, counter: usize) -> Option<u64> {
        self.0.iter().find(|(index, _)| *index == counter).map(|(_, odd)| odd.wrapping_add(1))
    }
}

/// Makes the touched counters odd, each with a number that it never had. Only with the writers' lock held.
pub fn begin(counters: &[AtomicU64], touched: impl Fn(usize) -> bool) -> Begun {
    let mut odd = Vec::new();
    for (index, counter) in counters.iter().enumerate() {
        if touched(index) {
            // Nobody but the writer before may change it now, and only to the next even number: the same odd one follows.
            let mine = counter.load(Ordering::SeqCst).wrapping_add(1) | 1;
            counter.store(mine, Ordering::SeqCst);
            odd.push((index, mine));
        } else {
            let left = counter.load(Ordering::SeqCst);
            if left % 2 == 1 {
                odd.push((index, left));
            }
        }
    }
    // The commit comes after all of these.
    fence(Ordering::SeqCst);
    Begun(odd)
}

/// Makes even what [`begin`] found or made odd, unless somebody has counted since.
pub fn finish(counters: &[AtomicU64], begun: Begun) {
    fence(Ordering::SeqCst);
    for (index, odd) in begun.0 {
        if let Some(counter) = counters.get(index) {
            let _ = counter.compare_exchange(odd, odd.wrapping_add(1), Ordering::SeqCst, Ordering::SeqCst);
        }
    }
}

/// The count, if no commit is happening.
#[inline]
pub fn look(counter: &AtomicU64) -> Option<u64> {
    Some(counter.load(Ordering::SeqCst)).filter(|count| count % 2 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a writer stops for ever.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Dies {
        Never,
        BeforeCommit,
        AfterCommit,
    }

    #[derive(Clone, Debug)]
    struct Writer {
        touches: usize,
        dies: Dies,
        step: usize,
        begun: Vec<(usize, u64)>,
    }

    #[derive(Clone, Copy, Debug, Default)]
    struct Reader {
        step: usize,
        first: Option<u64>,
        version: u64,
    }

    /// Two counters, what they count, and who does what.
    #[derive(Clone, Debug)]
    struct World {
        counts: [u64; 2],
        versions: [u64; 2],
        locked: bool,
        writers: Vec<Writer>,
        reader: Reader,
    }

    impl World {
        fn with_counters<T>(&mut self, act: impl FnOnce(&[AtomicU64]) -> T) -> T {
            let counters = self.counts.map(AtomicU64::new);
            let result = act(&counters);
            self.counts = counters.map(AtomicU64::into_inner);
            result
        }

        /// One step of a writer; `false` if it can make none.
        fn write(&mut self, index: usize) -> bool {
            let Writer { touches, dies, step, begun } = self.writers[index].clone();
            match step {
                0 if self.locked => return false,
                0 => self.locked = true,
                1 => {
                    self.writers[index].begun = self.with_counters(|counters| begin(counters, |i| i == touches).0);
                    if dies == Dies::BeforeCommit {
                        self.locked = false;
                        self.writers[index].step = 9;
                    }
                }
                2 => {
                    self.versions[touches] += 1;
                    self.locked = false;
                    if dies == Dies::AfterCommit {
                        self.writers[index].step = 9;
                    }
                }
                3 => self.with_counters(|counters| finish(counters, Begun(begun))),
                _ => return false,
            }
            self.writers[index].step += 1;
            true
        }

        /// One step of the reader of counter 0: look, read, look again.
        fn read(&mut self) -> bool {
            let count = self.with_counters(|counters| look(&counters[0]));
            let reader = &mut self.reader;
            match reader.step {
                0 => reader.first = count,
                1 => reader.version = self.versions[0],
                2 if count.is_some() && count == reader.first => {
                    assert_eq!(reader.version, self.versions[0], "a commit was missed");
                }
                2 => {}
                _ => return false,
            }
            reader.step += 1;
            true
        }

        /// Goes through every order of the steps; how many there are.
        fn explore(&self) -> u64 {
            let mut ends = 0;
            for actor in 0..=self.writers.len() {
                let mut next = self.clone();
                let moved = if actor == self.writers.len() { next.read() } else { next.write(actor) };
                if moved {
                    ends += next.explore();
                }
            }
            if ends == 0 {
                let living = self.writers.iter().rposition(|writer| writer.dies == Dies::Never);
                assert!(!self.locked && (living.is_none() || self.reader.step == 3));
            }
            ends.max(1)
        }
    }

    #[test]
    fn in_every_order_of_steps_a_reader_that_sees_a_count_twice_has_missed_no_commit() {
        let fates = [Dies::Never, Dies::BeforeCommit, Dies::AfterCommit];
        let kinds: Vec<(usize, Dies)> = (0..2).flat_map(|touches| fates.map(|dies| (touches, dies))).collect();
        let mut orders = 0;
        for first in &kinds {
            for second in &kinds {
                let writers = [*first, *second, (0, Dies::Never)].map(|(touches, dies)| Writer {
                    touches,
                    dies,
                    step: 0,
                    begun: Vec::new(),
                });
                let reader = Reader::default();
                let world =
                    World { counts: [0; 2], versions: [0; 2], locked: false, writers: writers.to_vec(), reader };
                orders += world.explore();
            }
        }
        assert!(orders > 10_000, "{orders}");
    }

    #[test]
    fn the_next_writer_finishes_what_a_dead_one_has_left() {
        let counters = [0, 0, 0].map(AtomicU64::new);
        drop(begin(&counters, |index| index < 2));
        assert_eq!([0, 1, 2].map(|index| look(&counters[index])), [None, None, Some(0)]);
        let begun = begin(&counters, |index| index == 0);
        assert_eq!(look(&counters[1]), None, "not before its own commit");
        assert_eq!((begun.finished(0), begun.finished(2)), (Some(4), None));
        finish(&counters, begun);
        assert_eq!([0, 1, 2].map(|index| look(&counters[index])), [Some(4), Some(2), Some(0)]);
    }
}
