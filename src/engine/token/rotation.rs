//! Rotation: new keys in the rings, and everything sealed anew with them.
//!
//! 1. *Begin.* One commit puts a new token key and a new domain key in the rings, retires the ones of before, and seals the
//!    header with the new token key. From then on nothing more is sealed with the old ones: who has only those can
//!    read no head, and so commit nothing.
//! 2. *Batches.* What is sealed with retired keys is opened and sealed with active ones, some records in each commit.
//! 3. *End.* One commit takes the retired keys out of the rings.
//!
//! A token is whole after each of these commits, and works as ever between them. Who finds retired keys in the rings goes
//! on with the batches.

use store::RecordId;

use super::{
    Login, Token,
    objects::hex,
    people::{Person, Pins, Whose},
    record::{self, Opened},
    retrying,
    ring::{KeyId, KeyState, Purpose, Ring, RingKey},
};
use crate::{Error, audit::Event};

/// How many records are looked at for one commit. In tests so few that a handful of objects makes several commits.
const BATCH: usize = if cfg!(test) { 2 } else { 256 };

/// With more keys in a ring than this, for records that do not open, there are no new ones: a ring has an end.
const MOST_LEFT: usize = 32;

/// How often it begins again when others come in between.
const ATTEMPTS: usize = 4;

/// What a rotation has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// Where it began.
    pub start: Start,
    /// How many records were sealed anew.
    pub sealed: u64,
    /// What could not be opened, in words. As long as there is any, the keys of before stay in the rings.
    pub left: Vec<String>,
}

/// Where a rotation began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With new keys.
    NewKeys,
    /// In the middle of one that was not finished.
    Unfinished,
}

/// What sealing everything anew has come to.
#[derive(Default)]
struct Sealed {
    sealed: u64,
    left: Vec<String>,
}

impl Token {
    /// Gives the token other keys and seals everything anew with them, or goes on where that was interrupted. `progress` is
    /// told how many records are done, and of how many.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::ArgumentsBad`] if the user has a PIN and it is not given,
    /// [`Error::Tampered`], and the store's. What is done stays done.
    pub(crate) fn rotate(&self, pins: &Pins<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<Rotated, Error> {
        let mut rotated = Err(Error::LoginOver);
        for _ in 0..ATTEMPTS {
            rotated = self.rotate_once(pins, progress);
            // Somebody else has begun another one in the middle of this one. It takes part in that.
            if rotated != Err(Error::LoginOver) {
                break;
            }
        }
        rotated
    }

    fn rotate_once(&self, pins: &Pins<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<Rotated, Error> {
        let mut people = self.try_all(pins)?;
        let mut start = Start::NewKeys;
        if retired(&people).next().is_some() {
            let Sealed { sealed, left } = self.finish(pins, &people, progress)?;
            if sealed > 0 {
                return Ok(Rotated { start: Start::Unfinished, sealed, left });
            }
            // It was as good as done, or what it has left will never open.
            people = self.try_all(pins)?;
            if people.iter().any(|person| person.login.keys.ring.keys().len() > MOST_LEFT) {
                return Ok(Rotated { start: Start::Unfinished, sealed, left });
            }
        }
        people = loop {
            match self.exchange(
                &people,
                &crypto::keys(|| with_new_keys(&people))?,
                Whose::All,
                |_| Ok(()),
                &Event::new("token-keys-exchanged"),
            )? {
                Some(begun) => break begun,
                None => people = self.try_all(pins)?,
            }
            if retired(&people).next().is_some() {
                // Somebody else has begun one meanwhile: this one goes on with that.
                start = Start::Unfinished;
                break people;
            }
        };
        let Sealed { sealed, left } = self.finish(pins, &people, progress)?;
        Ok(Rotated { start, sealed, left })
    }

    /// Seals everything anew, and ends it if nothing is left.
    fn finish(&self, pins: &Pins<'_>, people: &[Person], progress: &mut dyn FnMut(u64, u64)) -> Result<Sealed, Error> {
        let sealed = self.seal_all(people, progress)?;
        if sealed.left.is_empty() {
            self.end(pins, people)?;
        }
        Ok(sealed)
    }

    /// Seals with active keys what is sealed with retired ones.
    fn seal_all(&self, people: &[Person], progress: &mut dyn FnMut(u64, u64)) -> Result<Sealed, Error> {
        // The user's ring has everything, the officer's not always. Without a user there are no private objects.
        let Some(Person { login, .. }) = people.last() else { return Ok(Sealed::default()) };
        let names = self.names(&[])?;
        let total = names.len() as u64;
        let (mut all, mut done) = (Sealed::default(), 0);
        progress(done, total);
        for batch in names.chunks(BATCH) {
            let Sealed { sealed, left } = self.seal_batch(login, batch)?;
            all.sealed = all.sealed.saturating_add(sealed);
            all.left.extend(left);
            done += batch.len() as u64;
            progress(done, total);
        }
        Ok(all)
    }

    fn seal_batch(&self, login: &Login, batch: &[RecordId]) -> Result<Sealed, Error> {
        let keys = &login.keys;
        retrying(|attempt| {
            let mut edit = self.edit(login, attempt)?;
            let mut batch_sealed = Sealed::default();
            for id in batch {
                let opened = match self.stored(login, &edit.current, *id) {
                    Ok(None) => continue,
                    Ok(Some(record)) if record::key_of(&record).is_some_and(|key| keys.is_active(key)) => continue,
                    Ok(Some(record)) => record::open(keys, &record).map(|opened| (record, opened)),
                    Err(fault) => Err(fault),
                };
                match opened {
                    Ok((record, Opened::Object(attributes))) => edit.put(*id, &attributes, Some(&record))?,
                    Ok((record, Opened::Lost(remains))) => edit.put_lost(&record, &remains)?,
                    Ok((_, Opened::Unknown)) => {
                        batch_sealed.left.push(format!("record {}: a newer release has put it there", hex(id)));
                        continue;
                    }
                    Err(fault @ Error::ObjectDamaged) => {
                        batch_sealed.left.push(format!("record {}: {fault}", hex(id)));
                        continue;
                    }
                    Err(fault) => return Err(fault),
                }
                batch_sealed.sealed += 1;
            }
            if !edit.is_empty() {
                edit.commit()?;
            }
            Ok(batch_sealed)
        })
    }

    /// Takes those retired keys out of the rings that `people` have, now that nothing is sealed with them.
    fn end(&self, pins: &Pins<'_>, people: &[Person]) -> Result<(), Error> {
        let done: Vec<KeyId> = retired(people).collect();
        let without = |people: &[Person]| -> Vec<Ring> {
            let keep = |key: &RingKey| key.state == KeyState::Active || !done.contains(&key.id);
            crypto::keys(|| people.iter().map(|person| person.login.keys.ring.filtered(keep)).collect())
        };
        let mut again;
        let mut people = people;
        let event = Event::new("old-token-keys-gone");
        while self.exchange(people, &without(people), Whose::All, |_| Ok(()), &event)?.is_none() {
            // Somebody has changed a PIN. What he has put in its place is tried with what was given.
            again = self.try_all(pins)?;
            people = &again;
        }
        Ok(())
    }
}

/// The retired keys in anybody's ring.
fn retired(people: &[Person]) -> impl Iterator<Item = KeyId> {
    people.iter().flat_map(|person| person.login.keys.ring.retired())
}

/// Everybody's ring with new keys: the same token key in all, the same domain key in those that have one.
fn with_new_keys(people: &[Person]) -> Result<Vec<Ring>, Error> {
    let fresh = [Purpose::Token, Purpose::Domain].map(|purpose| RingKey::new(purpose, KeyId::random()?));
    let [token, domain] = fresh;
    let (token, domain) = (token?, domain?);
    let ring = |person: &Person| {
        let mut ring = person.login.keys.ring.filtered(|_| true);
        ring.add(token.duplicate())?;
        if ring.active(Purpose::Domain).is_some() {
            ring.add(domain.duplicate())?;
        }
        Ok(ring)
    };
    people.iter().map(ring).collect()
}
