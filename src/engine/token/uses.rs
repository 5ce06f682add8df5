//! Writing down uses of a token's keys, and reading what was.
//!
//! The head of the chain has the number of the book, which is drawn when the first use is written, the link of the last entry,
//! and a signature by the key that signs checkpoints. So who cannot log in cannot make a chain that ends well.

use std::{borrow::Cow, collections::HashMap};

use serde::Deserialize;
use store::{NewUse, UseEntry, UseHead, UseLog, UseTotal};

use super::{
    Login, Token,
    bytes::{Reader, Sink},
    log::Log,
    seal,
};
use crate::{
    Error, alarms,
    audit::{BEFORE_THE_FIRST, Broken, Link},
    hex::digits,
    line::is_signed,
    uses::{self, Batch, BatchFacts, UseAudit},
};

/// How many entries are read at a time.
const PAGE: usize = 1024;

/// What somebody has changed, if it is that.
pub const USES: &str = "what was written down of uses";

/// More attempts than this to be the next who writes mean that something else is wrong.
const ATTEMPTS: usize = 1000;

/// Where a chain of uses ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsesHead {
    /// The number of the book: eight random bytes, drawn when it was begun.
    pub book: [u8; 8],
    /// How many entries there are.
    pub entries: u64,
    /// The link of the last one.
    pub link: Link,
    /// Ed25519, by the key that signs checkpoints, over what [`UsesHead::message`] gives.
    pub signature: Vec<u8>,
}

impl UsesHead {
    /// What is signed.
    #[must_use]
    pub fn message(serial: &str, book: &[u8; 8], entries: u64, link: &Link) -> Vec<u8> {
        format!("strongroom uses\n{serial}\n{}\n{entries}\n{}\n", digits(book), digits(link)).into_bytes()
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put(&self.book);
        bytes.put(&self.link);
        bytes.put(&self.signature);
        bytes
    }

    fn decode(head: &UseHead) -> Option<Self> {
        let mut reader = Reader::new(&head.bytes);
        let (book, link, signature) = (reader.array()?, reader.array()?, reader.array::<64>()?.to_vec());
        reader.is_empty().then_some(Self { book, entries: head.entries, link, signature })
    }

    /// Whether it was signed by this key.
    #[must_use]
    pub fn is_signed_by(&self, serial: &str, public_key: &[u8]) -> bool {
        let message = Self::message(serial, &self.book, self.entries, &self.link);
        is_signed(&message, &self.signature, public_key)
    }
}

/// Follows a chain of uses.
pub struct UsesVerifier {
    entries: u64,
    link: Link,
}

impl Default for UsesVerifier {
    fn default() -> Self {
        Self { entries: 0, link: BEFORE_THE_FIRST }
    }
}

impl UsesVerifier {
    /// The next entry, and its link.
    ///
    /// # Errors
    /// [`Broken`], and nothing can follow.
    pub fn entry(&mut self, number: u64, text: &str) -> Result<Link, Broken> {
        let said: Result<Numbered, _> = serde_json::from_str(text);
        let no_json = Broken { number: self.entries.saturating_add(1), why: "it is no JSON" };
        self.follow(number, said.map_err(|_| no_json)?.n, text)
    }

    /// The same of an entry whose number was read.
    fn follow(&mut self, number: u64, said: u64, text: &str) -> Result<Link, Broken> {
        let expected = self.entries.saturating_add(1);
        if number != expected || said != expected {
            return Err(Broken { number: expected, why: "another entry is in its place" });
        }
        self.link = uses::link(&self.link, number, text);
        self.entries = expected;
        Ok(self.link)
    }

    /// After the last entry.
    ///
    /// # Errors
    /// [`Broken`] if the chain does not end where the head says, or the head is not the token's.
    pub fn end(&self, head: &UsesHead, serial: &str, public_key: Option<&[u8]>) -> Result<(), Broken> {
        if self.entries < head.entries {
            return Err(Broken { number: self.entries.saturating_add(1), why: "it is not there: the end was cut off" });
        }
        if self.entries > head.entries {
            return Err(Broken { number: head.entries.saturating_add(1), why: "it was put in" });
        }
        if self.link != head.link {
            return Err(Broken { number: self.entries, why: "it, or one before it, is not what was written" });
        }
        match public_key {
            Some(key) if !head.is_signed_by(serial, key) => {
                Err(Broken { number: self.entries, why: "the signature over the end of the chain is wrong" })
            }
            _ => Ok(()),
        }
    }
}

impl Token {
    /// What is written down of uses of keys.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn use_audit(&self, login: &Login) -> Result<UseAudit, Error> {
        Ok(self.look(login)?.token_header.policy.uses)
    }

    /// Milliseconds of a clock that only goes on, as of the last use of a key.
    pub(crate) fn millis(&self) -> u64 {
        self.store.millis()
    }

    fn use_log(&self) -> Result<&dyn UseLog, Error> {
        self.uses.as_deref().ok_or(Error::Internal("there is no place for uses of keys"))
    }

    /// Writes uses down.
    ///
    /// # Errors
    /// [`Error::Tampered`] if what is there is not what was written, and the store's.
    pub(crate) fn write_uses(&self, login: &Login, batch: &Batch) -> Result<(), Error> {
        let book = self.use_log()?;
        let (log, caller) = (self.look(login)?.header.log()?, alarms::caller());
        for _ in 0..ATTEMPTS {
            let head = self.uses_head_with(&log)?;
            self.must_not_be_older(head.as_ref())?;
            let (id, after, mut link) = match head {
                Some(head) => (head.book, head.entries, head.link),
                None => (seal::random()?, 0, BEFORE_THE_FIRST),
            };
            let mut facts = Some(BatchFacts { audit: (log.size, log.last), lost: batch.lost });
            let (mut number, mut entries) = (after, Vec::<NewUse>::with_capacity(batch.uses.len()));
            for one in &batch.uses {
                number = number.saturating_add(1);
                let entry = one.entry(number, &caller, facts.take().as_ref());
                link = uses::link(&link, number, &entry.text);
                entries.push(entry);
            }
            let signature = log.sign(&UsesHead::message(self.serial.as_str(), &id, number, &link))?;
            let head = UsesHead { book: id, entries: number, link, signature };
            match book.append(after, &entries, &head.encode()) {
                Err(store::Error::Conflict) => {}
                written => {
                    written?;
                    *self.last_use.lock() = Some((id, number));
                    return Ok(());
                }
            }
        }
        Err(store::Error::Busy.into())
    }

    /// Notices if a book that this process has written to is gone, or is an older one.
    fn must_not_be_older(&self, head: Option<&UsesHead>) -> Result<(), Error> {
        let mut last = self.last_use.lock();
        let older =
            last.is_some_and(|(book, entries)| head.is_none_or(|head| head.book != book || head.entries < entries));
        if !older {
            return Ok(());
        }
        // Said once: what is there now is what there is.
        *last = None;
        Err(Error::Tampered(USES))
    }

    fn uses_head_with(&self, log: &Log) -> Result<Option<UsesHead>, Error> {
        let Some(head) = self.use_log()?.head()? else { return Ok(None) };
        let head = UsesHead::decode(&head).ok_or(Error::Tampered(USES))?;
        let signed = head.is_signed_by(self.serial.as_str(), &log.public_key()?);
        if signed { Ok(Some(head)) } else { Err(Error::Tampered(USES)) }
    }

    /// Where the chain of uses ends; `None` before the first.
    ///
    /// # Errors
    /// [`Error::Tampered`] if it was not signed by this token, and the store's.
    pub(crate) fn uses_head(&self, login: &Login) -> Result<Option<UsesHead>, Error> {
        let log = self.look(login)?.header.log()?;
        if self.uses.is_none() {
            return Ok(None);
        }
        self.uses_head_with(&log)
    }

    /// Reads every use that was written down, checks it, and shows it to `each`, with its link.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn read_uses(
        &self,
        login: &Login,
        each: &mut dyn FnMut(&UseEntry, &Link),
    ) -> Result<Result<Option<UsesHead>, Broken>, Error> {
        let Some(head) = self.uses_head(login)? else { return Ok(Ok(None)) };
        let (book, mut verifier) = (self.use_log()?, UsesVerifier::default());
        let mut totals = Totals::default();
        while verifier.entries < head.entries {
            let missing = usize::try_from(head.entries - verifier.entries).unwrap_or(usize::MAX);
            let page = book.entries(verifier.entries, PAGE.min(missing))?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                let said: Option<Said<'_>> = serde_json::from_str(&entry.text).ok();
                let followed = match &said {
                    Some(said) => verifier.follow(entry.number, said.n, &entry.text),
                    None => verifier.entry(entry.number, &entry.text),
                };
                match followed {
                    Ok(link) => each(&entry, &link),
                    Err(broken) => return Ok(Err(broken)),
                }
                match said.filter(|said| said.key == entry.key) {
                    Some(said) => totals.add(&said),
                    None => return Ok(Err(Broken { number: entry.number, why: "it is filed under another key" })),
                }
            }
        }
        if let Err(broken) = verifier.end(&head, self.serial.as_str(), None) {
            return Ok(Err(broken));
        }
        let (more, sums) = (book.entries(head.entries, 1)?, book.totals(None)?);
        // If somebody has written since, these are no more those of the head that was read: another reader looks at them.
        if book.head()?.is_none_or(|now| now.entries == head.entries) {
            if !more.is_empty() {
                return Ok(Err(Broken { number: head.entries.saturating_add(1), why: "it was put in" }));
            }
            if !totals.are(&sums) {
                return Ok(Err(Broken { number: head.entries, why: "the sums are not those of the entries" }));
            }
        }
        Ok(Ok(Some(head)))
    }

    /// How often each key was used in each way by each program; or one key, by its `CKA_UNIQUE_ID`.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn use_totals(&self, key: Option<&str>) -> Result<Vec<UseTotal>, Error> {
        self.uses.as_ref().map_or(Ok(Vec::new()), |book| Ok(book.totals(key)?))
    }

    /// The last uses of a key, the newest first.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn uses_of(&self, key: &str, limit: usize) -> Result<Vec<UseEntry>, Error> {
        self.uses.as_ref().map_or(Ok(Vec::new()), |book| Ok(book.of_key(key, limit)?))
    }
}

/// The number that an entry says it has.
#[derive(Deserialize)]
struct Numbered {
    n: u64,
}

/// What is read of an entry, without a copy of what has no escapes.
#[derive(Deserialize)]
struct Said<'t> {
    n: u64,
    #[serde(borrow)]
    key: Cow<'t, str>,
    #[serde(borrow)]
    operation: Cow<'t, str>,
    #[serde(borrow)]
    mechanism: Cow<'t, str>,
    #[serde(borrow)]
    program: Cow<'t, str>,
    #[serde(borrow)]
    who: Cow<'t, str>,
    uses: u64,
    from: u64,
    to: u64,
}

/// Sums of entries, by what they are about. There are few of them and many entries, so that none is made of one that is known.
#[derive(Default)]
struct Totals {
    sums: HashMap<String, UseTotal>,
    about: String,
}

impl Totals {
    fn add(&mut self, said: &Said<'_>) {
        let about = [&said.key, &said.operation, &said.mechanism, &said.program, &said.who];
        join(&mut self.about, about.map(AsRef::as_ref));
        let between = (said.from, said.to);
        match self.sums.get_mut(&*self.about) {
            Some(total) => total.add(said.uses, between),
            None => {
                let [key, operation, mechanism, program, who] = about.map(|text| text.clone().into_owned());
                let total = UseTotal { key, operation, mechanism, program, who, uses: said.uses, between };
                self.sums.insert(self.about.clone(), total);
            }
        }
    }

    /// Whether they are the sums that are kept.
    fn are(&mut self, kept: &[UseTotal]) -> bool {
        kept.len() == self.sums.len()
            && kept.iter().all(|sum| {
                join(&mut self.about, sum.about());
                self.sums.get(&*self.about) == Some(sum)
            })
    }
}

/// Puts words together so that others do not become the same.
fn join(into: &mut String, words: [&str; 5]) {
    into.clear();
    for word in words {
        into.push_str(word);
        into.push('\0');
    }
}
