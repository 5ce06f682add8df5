use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::counting::{self, Begun};
use crate::mapping::{BYTES, Mapping, WORDS};

/// `STRGCNT1`: says what the file is, and the layout.
const KIND: u64 = u64::from_le_bytes(*b"STRGCNT1");

/// The words before the counters: the kind, the id, the number of the file.
const HEADER: usize = 3;

/// A page of counters in a file that processes share.
///
/// The page has an id, drawn when it is made, and the number of the file that it was made in. So a page that
/// was copied, or put back from a backup under the same name, is told from the page that was there.
///
/// The file must not be truncated while anybody has it mapped. A look at a page that was cut short gives `None`; a
/// look at a page that was cut to nothing kills the process. Call [`CounterPage::whole`] now and then; what happens
/// between two calls cannot be excluded.
#[derive(Debug)]
pub struct CounterPage {
    mapping: Mapping,
    file: File,
    id: u64,
}

impl CounterPage {
    /// How many counters there are.
    pub const COUNTERS: usize = WORDS - HEADER;

    /// Makes an empty file a page with counters at 0, with the room for it on the disk.
    ///
    /// # Errors
    /// What the system says: no room, for one.
    pub fn fill(file: &mut File, id: u64) -> io::Result<()> {
        // What is not there yet cannot fault later, when the disk is full.
        match rustix::fs::fallocate(&*file, FallocateFlags::empty(), 0, BYTES as u64) {
            // Some file systems cannot; what is written below takes its room there.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = Vec::with_capacity(BYTES);
        for word in [KIND, id, file.metadata()?.ino()] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        bytes.resize(BYTES, 0);
        file.write_all(&bytes)?;
        file.sync_all()
    }

    /// Maps a file that is open for reading and writing. `None` if it is not a page, or not the file that the page was
    /// made in; `moved` allows the latter.
    ///
    /// # Errors
    /// What the system says.
    pub fn map(file: File, moved: bool) -> io::Result<Option<Self>> {
        let metadata = file.metadata()?;
        if metadata.len() < BYTES as u64 {
            return Ok(None);
        }
        let mapping = Mapping::new(&file)?;
        let [kind, id, number, ..] = mapping.words();
        let [kind, id, number] = [kind, id, number].map(|word| word.load(Ordering::Relaxed));
        let ours = kind == KIND && id != 0 && (moved || number == metadata.ino());
        Ok(ours.then_some(Self { mapping, file, id }))
    }

    /// The number that was drawn when the page was made.
    #[must_use]
    #[inline]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether the file is as long as it was, has a name, and has the page in it that was there.
    #[must_use]
    pub fn whole(&self) -> bool {
        self.file.metadata().is_ok_and(|file| file.len() >= BYTES as u64 && file.nlink() > 0) && self.same()
    }

    /// The count of a counter, if no commit is happening and the page is the one that was there.
    #[must_use]
    #[inline]
    pub fn look(&self, counter: usize) -> Option<u64> {
        let count = counting::look(self.counters().get(counter)?)?;
        self.same().then_some(count)
    }

    /// Begins a commit that touches these counters. Only with the writers' lock held.
    ///
    /// # Errors
    /// If the file was cut short or is another page by now: what was counted is seen by nobody.
    pub fn begin(&self, touched: impl Fn(usize) -> bool) -> io::Result<Begun> {
        let begun = counting::begin(self.counters(), touched);
        // Asked afterwards, so that it covers the time until then too.
        if self.whole() {
            return Ok(begun);
        }
        Err(io::Error::other("the page of counters was changed while it was in use"))
    }

    /// Ends a commit that has happened.
    pub fn finish(&self, begun: Begun) {
        if self.whole() {
            counting::finish(self.counters(), begun);
        }
    }

    fn same(&self) -> bool {
        let [_, id, ..] = self.mapping.words();
        id.load(Ordering::SeqCst) == self.id
    }

    fn counters(&self) -> &[AtomicU64] {
        self.mapping.words().get(HEADER..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::path::PathBuf;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("strongroom-memory-{}-{name}", std::process::id()));
            let _ = fs::remove_file(&path);
            Self(path)
        }

        fn open(&self) -> File {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.0).unwrap()
        }

        fn page(&self) -> CounterPage {
            CounterPage::fill(&mut self.open(), 77).unwrap();
            CounterPage::map(self.open(), false).unwrap().unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn what_one_mapping_counts_another_sees() {
        let scratch = Scratch::new("two");
        let (one, two) = (scratch.page(), CounterPage::map(scratch.open(), false).unwrap().unwrap());
        let begun = one.begin(|counter| counter == 5).unwrap();
        assert_eq!((two.look(5), two.look(6)), (None, Some(0)));
        one.finish(begun);
        assert_eq!((two.look(5), two.look(6), two.id()), (Some(2), Some(0), 77));
        assert_eq!(two.look(CounterPage::COUNTERS), None, "there is no such counter");
    }

    #[test]
    fn a_page_that_was_cut_short_counts_nothing() {
        let scratch = Scratch::new("short");
        let page = scratch.page();
        scratch.open().set_len(8).unwrap();
        assert_eq!((page.whole(), page.look(5)), (false, None));
        assert!(page.begin(|_| true).is_err());
    }

    #[test]
    fn a_copy_of_a_page_is_not_a_page() {
        let (scratch, copy) = (Scratch::new("original"), Scratch::new("copy"));
        drop(scratch.page());
        fs::copy(&scratch.0, &copy.0).unwrap();
        assert!(CounterPage::map(copy.open(), false).unwrap().is_none());
        assert!(CounterPage::map(copy.open(), true).unwrap().is_some());
        fs::write(&copy.0, [0; 5000]).unwrap();
        assert!(CounterPage::map(copy.open(), true).unwrap().is_none(), "nor is a file of zeros");
    }
}
