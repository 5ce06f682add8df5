//! The page of change counters beside a token.
//!
//! To ask SQLite whether anybody has committed costs microseconds and locks; to look at a counter in shared memory
//! does not. Every process that may write the token maps the page, and a commit counts what it touches there
//! before and after it happens (see `memory::counting`).
//!
//! A reader asks the database instead (the revision):
//! * while a counter is odd: somebody is committing, or has died so; the next commit sets it right;
//! * if it may not write the token, so that it could not make the page;
//! * on overlayfs, where a reader may have mapped a file that a writer then copies and changes;
//! * if there is no page and none can be made. A commit that cannot count fails for that reason, or readers that
//!   have a page would miss it.
//!
//! On a network file system there is no page, and commits do not count: machines share no memory. A token
//! that one machine sees as a network file and another as its own disk's is not supported.
//!
//! The page appears under its name whole. It is never truncated, and replaced only if it is not a page (a copy is
//! none). Readers look every 100 ms whether the file is in its place, as long as it was, and the page in it the same:
//! only a page that somebody removes by hand can hide commits, for that long. Writers look at each commit.
//! What cannot be excluded: somebody who may write the page cuts it to nothing, and a process looks at it before its
//! next look around. The system ends that process (SIGBUS).
//!
//! The page need not survive anything: it says nothing about the token, only that two looks found the same. A page
//! that comes back after a loss of power repeats numbers that no living process has seen.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use memory::CounterPage;

use super::failure;
use super::file::{self, Identity, Owner};
use crate::clock::millis as now;
use crate::{Change, ChangeCounter, Error, Scope};

/// How often it is looked whether the files are still in their places.
const LOOK_AROUND: u64 = 100;

/// The counters of the token and of the head; those of the buckets follow.
const TOKEN: usize = 0;
const HEAD: usize = 1;
const BUCKETS: usize = 2;

/// How far a page can be trusted where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// All processes see one page.
    Shared,
    /// A reader may see another page than the writers: it is counted, but not looked at.
    Uncertain,
    /// There is no page.
    Absent,
}

/// The change counters of one token.
pub(super) struct ChangePage {
    path: PathBuf,
    owner: Owner,
    sharing: Sharing,
    first: Next,
}

/// The page as it was found. A page is replaced hardly ever and looked at in each use of a key. So all that were found are
/// kept, one behind the other: to read that nothing comes behind one is all that a look costs.
struct Found {
    /// `None` if there was none: it is not looked for at each use.
    page: Option<(CounterPage, Identity)>,
    /// When it was last seen in its place, as [`clock`](crate::clock) tells it.
    seen: AtomicU64,
    next: Next,
}

type Next = OnceLock<Arc<Found>>;

/// How many pages are kept. If somebody removes the page more often than that, what is found after it is not kept: the
/// last one that is grows old, and each use looks at the file.
const KEPT: usize = 100;

/// Why a page cannot be had.
enum Lack {
    /// There is a file, and it is not a page.
    NotAPage,
    /// The system says so.
    Failed(Error),
}

impl ChangePage {
    /// Touches nothing.
    pub(super) fn new(path: PathBuf, owner: Owner) -> Self {
        let directory = path.parent().unwrap_or(Path::new("/"));
        let sharing = if file::on_network(directory) {
            Sharing::Absent
        } else if file::on_overlay(directory) {
            Sharing::Uncertain
        } else {
            Sharing::Shared
        };
        Self { path, owner, sharing, first: Next::new() }
    }

    /// A counter, if it can be told without the database. `look_around` is called every 100 ms before the page
    /// is looked for again.
    #[inline]
    pub(super) fn look(
        &self,
        scope: Scope,
        look_around: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Option<ChangeCounter>, Error> {
        if self.sharing != Sharing::Shared {
            return Ok(None);
        }
        if let Some(found) = self.last().filter(|found| !found.is_old()) {
            return Ok(found.counter(scope));
        }
        look_around()?;
        let page = self.mapped_or_made();
        Ok(page.counter(scope))
    }

    /// Commits with the counters of everything that `changes` touch counted before and after. Only with SQLite's
    /// write lock held.
    ///
    /// # Errors
    /// If it cannot count, before `commit` is called; and what `commit` says.
    ///
    /// Gives the counter of the head as this commit leaves it, if readers look at it.
    pub(super) fn counted(
        &self,
        changes: &[Change],
        commit: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Option<ChangeCounter>, Error> {
        let mut touched = [false; 256];
        for change in changes {
            if let Some(id) = change.record()
                && let Some(bucket) = touched.get_mut(usize::from(first_byte(id.0)))
            {
                *bucket = true;
            }
        }
        self.counted_in(&touched, commit)
    }

    /// The same for a commit that touches everything.
    pub(super) fn counted_whole(&self, commit: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        self.counted_in(&[true; 256], commit).map(drop)
    }

    fn counted_in(
        &self,
        touched: &[bool; 256],
        commit: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Option<ChangeCounter>, Error> {
        if self.sharing == Sharing::Absent {
            return commit().map(|()| None);
        }
        let found = self.for_commit()?;
        let Some((page, _)) = &found.page else { return Err(Error::Missing) };
        let touches = |counter: usize| match counter.checked_sub(BUCKETS) {
            None => true,
            Some(bucket) => touched.get(bucket).is_some_and(|touched| *touched),
        };
        let begun = page.begin(touches).map_err(|e| failure::writing(&self.path, &e))?;
        // If it fails, nobody knows what has happened: the counters stay odd until the next commit.
        commit()?;
        let head = begun.finished(HEAD).map(|count| ChangeCounter::counted(page.id(), count));
        page.finish(begun);
        Ok(head.filter(|_| self.sharing == Sharing::Shared))
    }

    /// When the page was last seen in its place; else now.
    #[inline]
    pub(super) fn last_seen(&self) -> u64 {
        match self.last() {
            Some(found) if self.sharing == Sharing::Shared => found.seen.load(Ordering::Relaxed),
            _ => now(),
        }
    }

    fn last(&self) -> Option<&Arc<Found>> {
        let mut last = self.first.get()?;
        while let Some(next) = last.next.get() {
            last = next;
        }
        Some(last)
    }

    fn remember(&self, page: Option<(CounterPage, Identity)>) -> Arc<Found> {
        if let Some(last) = self.last().filter(|last| last.page.is_none() && page.is_none()) {
            last.seen.store(now(), Ordering::Relaxed);
            return Arc::clone(last);
        }
        let found = Arc::new(Found { page, seen: AtomicU64::new(now()), next: Next::new() });
        let mut end = &self.first;
        for _ in 0..KEPT {
            if end.set(Arc::clone(&found)).is_ok() {
                break;
            }
            // It was not empty.
            let Some(next) = end.get() else { break };
            end = &next.next;
        }
        found
    }

    /// The page that was found before, if others find the same one.
    fn in_place(&self) -> Option<Arc<Found>> {
        let found = self.last()?;
        let (page, identity) = found.page.as_ref()?;
        let metadata = fs::symlink_metadata(&self.path).ok()?;
        if Identity::of(&metadata) != *identity || !page.whole() {
            return None;
        }
        found.seen.store(now(), Ordering::Relaxed);
        Some(Arc::clone(found))
    }

    /// What a reader finds: it makes a page where there is none, and leaves a bad one to the next writer.
    fn mapped_or_made(&self) -> Arc<Found> {
        if let Some(found) = self.in_place() {
            return found;
        }
        let page = match self.map() {
            Err(Lack::Failed(Error::Missing)) => self.make(Appear::IfAbsent).ok().and_then(|()| self.map().ok()),
            mapped => mapped.ok(),
        };
        self.remember(page)
    }

    /// What a writer must have.
    fn for_commit(&self) -> Result<Arc<Found>, Error> {
        if let Some(found) = self.in_place() {
            return Ok(found);
        }
        let page = match self.map() {
            Ok(page) => page,
            Err(lack) => {
                match lack {
                    Lack::Failed(Error::Missing) => self.make(Appear::IfAbsent).or_else(|_| self.make(Appear::Over))?,
                    Lack::NotAPage => self.make(Appear::Over)?,
                    Lack::Failed(error) => return Err(error),
                }
                self.map().map_err(|lack| match lack {
                    Lack::NotAPage => Error::Damaged(format!("{} is not a page of counters", self.path.display())),
                    Lack::Failed(error) => error,
                })?
            }
        };
        Ok(self.remember(Some(page)))
    }

    fn map(&self) -> Result<(CounterPage, Identity), Lack> {
        let metadata = file::inspect(&self.path).map_err(|error| match error {
            Error::Unreadable(_) => Lack::NotAPage,
            other => Lack::Failed(other),
        })?;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(flags.bits().cast_signed());
        let failed = |e: io::Error| Lack::Failed(failure::writing(&self.path, &e));
        let file = options.open(&self.path).map_err(failed)?;
        let identity = Identity::of(&file.metadata().map_err(failed)?);
        if identity != Identity::of(&metadata) {
            return Err(Lack::NotAPage); // Exchanged between the two looks.
        }
        let page = CounterPage::map(file, self.sharing == Sharing::Uncertain).map_err(failed)?;
        page.map(|page| (page, identity)).ok_or(Lack::NotAPage)
    }

    /// Makes a page that appears under its name whole.
    fn make(&self, appear: Appear) -> Result<(), Error> {
        let failed = |e: io::Error| failure::writing(&self.path, &e);
        let draw =
            || getrandom::u64().map(|number| number | 1).map_err(|e| Error::Failed(format!("no random number: {e}")));
        let id = draw()?;
        let new = file::beside(&self.path, &format!(".{:016x}.new", draw()?));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let fill = |mut file: File| {
            self.owner.adopt(&file)?;
            CounterPage::fill(&mut file, id)
        };
        let made = options.open(&new).and_then(fill).and_then(|()| match appear {
            Appear::IfAbsent => fs::hard_link(&new, &self.path),
            Appear::Over => fs::rename(&new, &self.path),
        });
        let _ = fs::remove_file(&new);
        match made {
            // Somebody was faster.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(failed),
        }
    }
}

/// How a new page takes its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Appear {
    /// Unless another file has it.
    IfAbsent,
    /// In place of what has it. Only with SQLite's write lock held.
    Over,
}

impl Found {
    fn is_old(&self) -> bool {
        now().saturating_sub(self.seen.load(Ordering::Relaxed)) >= LOOK_AROUND
    }

    fn counter(&self, scope: Scope) -> Option<ChangeCounter> {
        let (page, _) = self.page.as_ref()?;
        let counter = match scope {
            Scope::Token => TOKEN,
            Scope::Head => HEAD,
            Scope::Bucket(first_byte) => BUCKETS + usize::from(first_byte),
        };
        Some(ChangeCounter::counted(page.id(), page.look(counter)?))
    }
}

fn first_byte(id: [u8; 16]) -> u8 {
    let [first, ..] = id;
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(name: &str, sharing: [Sharing; 2]) -> (PathBuf, [ChangePage; 2]) {
        let directory = std::env::temp_dir().join(format!("strongroom-page-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let owner = Owner::of(&fs::metadata(&directory).unwrap());
        let pages = sharing.map(|sharing| ChangePage { sharing, ..ChangePage::new(directory.join("x.seq"), owner) });
        (directory, pages)
    }

    fn look(page: &ChangePage) -> Option<ChangeCounter> {
        page.look(Scope::Token, || Ok(())).unwrap()
    }

    #[test]
    fn where_a_reader_may_see_another_page_commits_are_counted_and_readers_ask_the_database() {
        let (directory, [uncertain, shared]) = pages("overlay", [Sharing::Uncertain, Sharing::Shared]);
        let before = look(&shared).unwrap();
        assert_eq!(uncertain.counted(&[], || Ok(())), Ok(None), "nobody looks at it");
        assert_eq!(look(&uncertain), None);
        assert_ne!(look(&shared), Some(before), "others, who see the page itself, see the commit");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn where_no_memory_is_shared_there_is_no_page() {
        let (directory, [absent, _]) = pages("network", [Sharing::Absent; 2]);
        assert_eq!(absent.counted(&[], || Ok(())), Ok(None));
        assert_eq!(look(&absent), None);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn while_a_commit_happens_and_after_one_that_failed_readers_ask_the_database() {
        let (directory, [one, other]) = pages("failed", [Sharing::Shared; 2]);
        assert!(look(&other).is_some());
        let during = || {
            assert_eq!(look(&other), None);
            Err(Error::Busy)
        };
        assert_eq!(one.counted(&[], during), Err(Error::Busy));
        assert_eq!(look(&other), None, "it may have happened");
        assert!(one.counted(&[], || Ok(())).is_ok_and(|counter| counter.is_some()));
        assert!(look(&other).is_some());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn however_often_the_page_is_removed_no_commit_is_missed() {
        let (directory, [reader, writer]) = pages("removed", [Sharing::Shared; 2]);
        let mut before = look(&reader);
        for _ in 0..KEPT + 20 {
            fs::remove_file(directory.join("x.seq")).unwrap();
            writer.counted(&[], || Ok(())).unwrap();
            if let Some(last) = reader.last() {
                last.seen.store(0, Ordering::Relaxed); // As if time had passed.
            }
            let after = look(&reader);
            assert!(after.is_some() && after != before);
            before = after;
        }
        fs::remove_dir_all(directory).unwrap();
    }
}
