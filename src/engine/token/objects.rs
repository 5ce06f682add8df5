//! The objects of a token.

use std::sync::Arc;

use store::{Change, IndexTerm, Record, RecordId};
use types::{AttributeType, Value};

use super::{
    Attempt, Current, Login, Role, Token,
    index::{Domain, Indexer},
    next,
    record::{self, Opened},
    retrying,
    ring::Purpose,
    seal::{self, Keys},
    sealed_header::{SealedHeader, buckets},
};
use crate::{
    Error,
    audit::{Broken, Event},
    hex::digits,
    object::{Attributes, Object, ObjectLocation, Visibility},
};

/// How many names are asked of the store at a time.
const PAGE: usize = 4096;

/// What a check of a whole token found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many objects are whole.
    pub whole: u64,
    /// What is wrong, in words.
    pub faults: Vec<String>,
}

impl Token {
    /// Keeps new objects, all or none.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn insert(&self, login: &Login, objects: Vec<Attributes>) -> Result<Vec<(RecordId, Visibility)>, Error> {
        if login.keys.role != Role::User && objects.iter().any(|object| object.visibility() == Visibility::Private) {
            return Err(Error::UserNotLoggedIn);
        }
        self.replace(login, objects, &[], &|same| Ok(same.duplicate()))
    }

    /// Changes an object to what `change` makes of it. It may be asked more than once.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if it is gone, [`Error::UserNotLoggedIn`], what `change` says, and the
    /// store's.
    pub(crate) fn update(
        &self,
        login: &Login,
        id: RecordId,
        change: &mut dyn FnMut(&Attributes) -> Result<Attributes, Error>,
    ) -> Result<(), Error> {
        retrying(|attempt| {
            let mut edit = self.edit(login, attempt)?;
            let (before, old) = self.opened(login, &edit.current, id)?.ok_or(Error::ObjectHandleInvalid)?;
            edit.change(id, &old, &change(&old)?, &before)?;
            edit.commit()
        })?;
        Ok(())
    }

    /// Keeps new objects and changes others, all or none.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if one of the others is gone, what `change` says, and the store's.
    pub(crate) fn replace(
        &self,
        login: &Login,
        new: Vec<Attributes>,
        others: &[RecordId],
        change: &dyn Fn(&Attributes) -> Result<Attributes, Error>,
    ) -> Result<Vec<(RecordId, Visibility)>, Error> {
        let named = new
            .into_iter()
            .map(|attributes| Ok((RecordId(seal::random()?), attributes)))
            .collect::<Result<Vec<_>, Error>>()?;
        retrying(|attempt| {
            let mut edit = self.edit(login, attempt)?;
            for id in others {
                let (before, old) = self.opened(login, &edit.current, *id)?.ok_or(Error::ObjectHandleInvalid)?;
                edit.change(*id, &old, &change(&old)?, &before)?;
            }
            for (id, attributes) in &named {
                edit.put(*id, attributes, None)?;
                edit.note(Event::created(attributes));
            }
            edit.commit()
        })?;
        Ok(named.into_iter().map(|(id, attributes)| (id, attributes.visibility())).collect())
    }

    /// Destroys objects, all or none.
    ///
    /// # Errors
    /// [`Error::ObjectHandleInvalid`] if one is gone, [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn remove(&self, login: &Login, ids: &[RecordId]) -> Result<(), Error> {
        retrying(|attempt| {
            let mut edit = self.edit(login, attempt)?;
            for id in ids {
                let (before, attributes) = self.opened(login, &edit.current, *id)?.ok_or(Error::ObjectHandleInvalid)?;
                edit.remove(&before)?;
                edit.note(Event::destroyed(&attributes));
            }
            edit.commit()
        })?;
        Ok(())
    }

    /// Destroys what `is_due` says of these objects, at once. How many they were.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn purge(
        &self,
        login: &Login,
        ids: &[RecordId],
        is_due: &dyn Fn(&Attributes) -> bool,
    ) -> Result<usize, Error> {
        let mut purged = 0;
        retrying(|attempt| {
            let mut edit = self.edit(login, attempt)?;
            purged = 0;
            for id in ids {
                // Somebody else may have been faster.
                if let Some((before, attributes)) = self.opened(login, &edit.current, *id)?
                    && is_due(&attributes)
                {
                    edit.remove(&before)?;
                    edit.note(Event::destroyed(&attributes).with("after", "its window"));
                    purged += 1;
                }
            }
            if edit.is_empty() { Ok(edit.current.head.revision) } else { edit.commit() }
        })?;
        Ok(purged)
    }

    /// An object as it is now; `None` if it is gone, or may not be seen with this login. Without a login a
    /// public object is as its record shows it, which nobody has checked yet.
    ///
    /// # Errors
    /// [`Error::ObjectDamaged`] if its record cannot be read or opened, and the store's.
    pub(crate) fn load(&self, login: Option<&Login>, id: RecordId) -> Result<Option<Object>, Error> {
        let location = |record: &Record| ObjectLocation::Token { record: id, version: record.version };
        let Some(login) = login else {
            let Some(record) = self.read(id)? else { return Ok(None) };
            let attributes = record::open_clear(&record)?;
            return Ok(attributes.map(|attributes| Object::new(attributes, location(&record))));
        };
        let current = self.look(login)?;
        let opened = self.opened(login, &current, id)?;
        Ok(opened.map(|(record, attributes)| Object::new(attributes, location(&record))))
    }

    /// The names of the objects that may match a template: those that have its index terms, or all if it
    /// has nothing that is indexed.
    pub(crate) fn search(
        &self,
        login: Option<&Login>,
        domain: Domain,
        template: &[(AttributeType, Value)],
    ) -> Result<Vec<RecordId>, Error> {
        let salt = match login {
            Some(login) => self.look(login)?.token_header.salt,
            None => self.token_header()?.salt,
        };
        let asked = Indexer::public(&salt)?.asked(domain, template);
        if asked.is_empty() {
            if let Some(login) = login {
                self.compare_all(login)?;
            }
            return self.names(&[]);
        }
        let mut found = self.names(&asked)?;
        if let Some(login) = login.filter(|login| login.keys.role == Role::User) {
            for keys in login.keys.domains() {
                found.extend(self.names(&Indexer::Private(keys).asked(domain, template))?);
            }
            // A name stands among both only if somebody has put it there.
            found.sort_unstable();
            found.dedup();
        }
        Ok(found)
    }

    /// Reads and opens everything.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn check(&self, login: &Login) -> Result<Report, Error> {
        let current = self.look(login)?;
        let mut report = Report::default();
        for first in buckets() {
            match self.compare(login, &current.header, first) {
                Ok(()) => {}
                Err(Error::Tampered(_)) => report.faults.push(format!(
                    "the records whose names begin with {first:02x} are not those that were written: \
                     one was added, removed or exchanged"
                )),
                Err(fault) => report.faults.push(format!("the records whose names begin with {first:02x}: {fault}")),
            }
        }
        let names = self.names(&[])?;
        for id in &names {
            let opened = match self.read(*id) {
                Ok(Some(stored)) if self.is_hidden(login, &stored) => continue,
                Ok(Some(stored)) => record::open(&login.keys, &stored),
                Ok(None) => Err(Error::Tampered("the list of objects")),
                Err(fault) => Err(fault),
            };
            match opened {
                Ok(Opened::Object(_)) => report.whole += 1,
                Ok(Opened::Lost(_)) => {
                    let why = "it is lost: its key went with a PIN that nobody has any more";
                    report.faults.push(format!("record {}: {why}", hex(id)));
                }
                Ok(Opened::Unknown) => {}
                Err(fault) => report.faults.push(format!("record {}: {fault}", hex(id))),
            }
        }
        if u64::try_from(names.len()).ok() != Some(current.header.count) {
            report.faults.push(format!(
                "there are {} objects, and there should be {}",
                names.len(),
                current.header.count
            ));
        }
        match self.audit(login, &mut |_| {}) {
            Ok(Ok(_)) => {}
            Ok(Err(Broken { number, why })) => report
                .faults
                .push(format!("entry {number} of what was written down of the token is not as it was written: {why}")),
            Err(fault) => report.faults.push(format!("what was written down of the token: {fault}")),
        }
        if login.keys.ring.retired().next().is_some() {
            report
                .faults
                .push("a rotation of the token's keys is unfinished: `strongroom token rotate-keys` goes on".into());
        }
        Ok(report)
    }

    pub(super) fn names(&self, terms: &[IndexTerm]) -> Result<Vec<RecordId>, Error> {
        let mut names = Vec::new();
        loop {
            let page = self.store.find(terms, names.last().copied(), PAGE)?;
            let last = page.len() < PAGE;
            names.extend(page);
            if last {
                return Ok(names);
            }
        }
    }

    /// A record of a bucket that was compared with the header.
    pub(super) fn stored(&self, login: &Login, current: &Current, id: RecordId) -> Result<Option<Record>, Error> {
        let [first, ..] = id.0;
        self.compare(login, &current.header, first)?;
        self.read(id)
    }

    /// A record, and the object in it if it may be seen with this login.
    fn opened(&self, login: &Login, current: &Current, id: RecordId) -> Result<Option<(Record, Attributes)>, Error> {
        let Some(record) = self.stored(login, current, id)? else { return Ok(None) };
        if self.is_hidden(login, &record) {
            return Ok(None);
        }
        match record::open(&login.keys, &record)? {
            Opened::Object(attributes) => Ok(Some((record, attributes))),
            Opened::Lost(_) | Opened::Unknown => Ok(None),
        }
    }

    /// The records that are sealed with a key that is not in a ring.
    pub(super) fn records_of_others(&self, keys: &Keys) -> Result<Vec<Record>, Error> {
        let is_other = |record: &Record| record::key_of(record).is_some_and(|key| keys.purpose(key).is_none());
        let mut others = Vec::new();
        for id in self.names(&[])? {
            match self.read(id) {
                Ok(record) => others.extend(record.filter(is_other)),
                // It stays damaged.
                Err(Error::ObjectDamaged) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(others)
    }

    /// Whether a record is the user's alone, and this login is not his. The officer's ring may have the domain
    /// key, to give it to a user: no object is opened with it.
    fn is_hidden(&self, login: &Login, record: &Record) -> bool {
        let purpose = record::key_of(record).and_then(|key| login.keys.purpose(key));
        login.keys.role == Role::Officer && purpose != Some(Purpose::Token)
    }

    /// A record as it is stored.
    fn read(&self, id: RecordId) -> Result<Option<Record>, Error> {
        let read = self.store.read(id).map_err(|fault| match fault {
            // What is damaged is this record's, as far as anybody knows.
            store::Error::Damaged(why) => {
                tracing::error!(why, "a record cannot be read");
                Error::ObjectDamaged
            }
            other => other.into(),
        });
        // Looked at before what it says of its key is believed.
        read.and_then(|record| match record {
            Some(record) if !record::is_whole(&record) => Err(Error::ObjectDamaged),
            record => Ok(record),
        })
    }

    /// Compares a bucket with the store, unless that was done since its hash changed.
    fn compare(&self, login: &Login, header: &SealedHeader, first: u8) -> Result<(), Error> {
        let mut newer: Option<SealedHeader> = None;
        for _ in 0..16 {
            let header = newer.as_ref().unwrap_or(header);
            let expected = (header.key, header.bucket(first));
            if login.seen.lock().compared.get(&first) == Some(&expected) {
                return Ok(());
            }
            let found = header.bucket_of(&login.keys, &self.store.digests(first)?)?;
            if found == header.bucket(first) {
                login.seen.lock().compared.insert(first, expected);
                return Ok(());
            }
            // Somebody may have committed since the header was read.
            let now = self.read_head(&login.keys)?.header;
            if expected == (now.key, now.bucket(first)) {
                return Err(Error::Tampered("the set of objects"));
            }
            newer = Some(now);
        }
        Err(store::Error::Busy.into())
    }

    fn compare_all(&self, login: &Login) -> Result<(), Error> {
        let current = self.look(login)?;
        buckets().try_for_each(|first| self.compare(login, &current.header, first))
    }

    pub(super) fn edit<'a>(&'a self, login: &'a Login, attempt: Attempt) -> Result<Edit<'a>, Error> {
        if attempt == Attempt::Again {
            login.seen.lock().current = None;
        }
        let current = self.look(login)?;
        let mut header = current.header.clone();
        header.revision = next(current.head.revision);
        Ok(Edit { token: self, login, current, header, changes: Vec::new(), events: Vec::new() })
    }
}

/// Changes that are made together.
pub(super) struct Edit<'a> {
    token: &'a Token,
    login: &'a Login,
    pub(super) current: Arc<Current>,
    header: SealedHeader,
    changes: Vec<Change>,
    /// What is written down of it.
    events: Vec<Event>,
}

impl Edit<'_> {
    /// Writes an object, in the place of the record `before` if there was one.
    pub(super) fn put(&mut self, id: RecordId, attributes: &Attributes, before: Option<&Record>) -> Result<(), Error> {
        let keys = &self.login.keys;
        let sealed = record::seal(keys, id, self.header.revision, attributes)?;
        if let Some(before) = before {
            self.header.strike(keys, &record::digest_of(before))?;
        }
        self.header.enter(keys, &record::digest_of(&sealed))?;
        let terms = Indexer::for_object(attributes, keys, &self.current.token_header.salt)?.terms(attributes);
        self.changes.push(Change::Put(sealed, terms));
        Ok(())
    }

    /// Writes what has become of an object, and writes it down if anybody sees a difference.
    fn change(&mut self, id: RecordId, old: &Attributes, new: &Attributes, before: &Record) -> Result<(), Error> {
        self.put(id, new, Some(before))?;
        self.events.extend(Event::changed(old, new));
        Ok(())
    }

    /// Writes something down.
    pub(super) fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Seals anew what is kept of a lost object.
    pub(super) fn put_lost(&mut self, before: &Record, remains: &[u8]) -> Result<(), Error> {
        let keys = &self.login.keys;
        let sealed = record::seal_lost(keys, before.id, self.header.revision, remains)?;
        self.header.strike(keys, &record::digest_of(before))?;
        self.header.enter(keys, &record::digest_of(&sealed))?;
        self.changes.push(Change::Put(sealed, Vec::new()));
        Ok(())
    }

    /// Whether it changes anything.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn remove(&mut self, before: &Record) -> Result<(), Error> {
        self.header.strike(&self.login.keys, &record::digest_of(before))?;
        self.changes.push(Change::Remove(before.id));
        Ok(())
    }

    pub(super) fn commit(self) -> Result<store::Revision, Error> {
        let Self { token, login, current, mut header, mut changes, events } = self;
        for event in &events {
            changes.push(header.note(&login.keys, event)?);
        }
        let (clear, sealed) = (current.head.clear.clone(), header.seal(&login.keys)?);
        let revision = token.commit(&login.keys, current.head.revision, clear.clone(), sealed.clone(), changes)?;
        if let Some(counter) = token.store.counter_after(revision) {
            // The head that was written need not be read again.
            let head = store::Head { revision, clear, sealed };
            let next = Current { token_header: current.token_header.clone(), header, head };
            login.seen.lock().current = Some((counter, Arc::new(next)));
        }
        Ok(revision)
    }
}

pub(super) fn hex(id: &RecordId) -> String {
    digits(&id.0)
}
