//! A token as a whole: a snapshot of it while it is in use, and a snapshot in its place.

use std::{cmp::Ordering, path::Path};

use store::{Present, Revision, Serial, TokenLocation};
use types::SlotId;

use crate::{
    Engine, Error,
    backup::Moment,
    token::{self, Tries},
};

/// What a snapshot may take the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Nothing, or a state of the token that is not newer.
    Older,
    /// Whatever is there.
    Any,
}

/// What became of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It is the token in this slot.
    In(SlotId),
    /// Nothing was changed.
    Refused(Standing),
}

/// Why a snapshot is not put in the place of what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The token that is there is newer.
    Newer(Moment),
    /// The token that is there has the same number and is another state: somebody has gone on from a copy.
    Other,
    /// The token is not there, or damaged, and this machine has seen a newer state of it.
    SeenNewer(Moment),
    /// This machine has accepted an older state of the token since: what was done after that is not in the snapshot, although its
    /// number is higher.
    Diverged,
    /// What is there cannot be read, so nobody knows how new it is.
    Damaged(String),
    /// Two files have the serial number.
    Several,
}

/// How often it is looked again at what is there if that changes meanwhile.
const ATTEMPTS: usize = 100;

impl Engine {
    /// Writes what a token is at one moment into a new file, which is sealed by its PINs as the token is. Others use it meanwhile.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`], and the store's.
    pub fn snapshot(&self, slot: SlotId, to: &Path) -> Result<Moment, Error> {
        let location = self.slots.location(slot)?.ok_or(Error::SlotIdInvalid)?;
        let head = self.directory.snapshot(&location, to)?;
        moment(&head, &location.serial)
    }

    /// Puts a snapshot of the token with this serial number where the token is, or into the free slot; all or nothing.
    ///
    /// # Errors
    /// [`Error::PinLocked`] if the officer, who is to accept it, is locked out here; the store's; and those of a snapshot that is
    /// damaged, or is one of another token.
    pub fn restore(&self, serial: &str, snapshot: &Path, over: Over) -> Result<Restored, Error> {
        let serial = Serial::new(serial).ok_or(Error::ArgumentsBad)?;
        let head = self.directory.snapshot_head(snapshot)?;
        let then = moment(&head, &serial)?;
        for _ in 0..ATTEMPTS {
            match self.restore_once(&serial, snapshot, (&head, &then), over) {
                Err(Error::Store(store::Error::Conflict)) => {}
                done => return done,
            }
        }
        Err(store::Error::Busy.into())
    }

    fn restore_once(
        &self,
        serial: &Serial,
        snapshot: &Path,
        (head, then): (&store::Head, &Moment),
        over: Over,
    ) -> Result<Restored, Error> {
        let there = self.locate(|location| location.serial == *serial)?;
        let (present, standing) = match &*there {
            [] => {
                let kept = self.directory.kept_counters(serial)?;
                let seen = kept.map(|counters| token::seen(&*counters)).transpose()?.flatten();
                (Present::Absent, newer_was_seen(seen, then))
            }
            [location] => self.compare(location, head, then)?,
            _ => return Ok(Restored::Refused(Standing::Several)),
        };
        if let Some(standing) = standing.filter(|_| over == Over::Older) {
            return Ok(Restored::Refused(standing));
        }
        if let (Present::At(_), [location]) = (present, &*there)
            && over == Over::Any
            && self.token_summary(self.slots.number(location))?.officer_tries == Tries::Locked
        {
            return Err(Error::PinLocked);
        }
        let placed = match self.directory.restore(serial, snapshot, present) {
            // Its head could be read, and something else of it not.
            Err(store::Error::Damaged(why)) if matches!(present, Present::At(_)) => match over {
                Over::Older => return Ok(Restored::Refused(Standing::Damaged(why))),
                Over::Any => self.directory.restore(serial, snapshot, Present::Damaged)?,
            },
            placed => placed?,
        };
        if present == Present::Absent {
            // Else a single wrong PIN would lock it: a count that is not there is not believed to be 0.
            token::forgive(&*self.directory.counters(&placed)?)?;
        }
        Ok(Restored::In(self.slots.number(&placed)))
    }

    /// What is there, and why it should stay, if it should.
    fn compare(
        &self,
        location: &TokenLocation,
        head: &store::Head,
        then: &Moment,
    ) -> Result<(Present, Option<Standing>), Error> {
        let now = match self.directory.open(location).and_then(|store| store.head()) {
            Ok(now) => now,
            Err(store::Error::Damaged(why)) => return self.damaged(location, then, why),
            Err(why) => return Err(why.into()),
        };
        let present = match moment(&now, &location.serial) {
            Ok(present) => present,
            Err(Error::Store(store::Error::Damaged(why))) => return self.damaged(location, then, why),
            Err(why) => return Err(why),
        };
        let accepted = token::accepted(&*self.directory.counters(location)?)?;
        let standing = match present.order().cmp(&then.order()) {
            Ordering::Less if accepted.is_some_and(|accepted| accepted < then.order()) => Some(Standing::Diverged),
            Ordering::Less => None,
            Ordering::Equal => (now.sealed != head.sealed).then_some(Standing::Other),
            Ordering::Greater => Some(Standing::Newer(present)),
        };
        Ok((Present::At(now.revision), standing))
    }

    fn damaged(
        &self,
        location: &TokenLocation,
        then: &Moment,
        why: String,
    ) -> Result<(Present, Option<Standing>), Error> {
        let seen = token::seen(&*self.directory.counters(location)?)?;
        Ok((Present::Damaged, newer_was_seen(seen, then).or(Some(Standing::Damaged(why)))))
    }

    fn locate(&self, wanted: impl Fn(&TokenLocation) -> bool) -> Result<Vec<TokenLocation>, Error> {
        Ok(self.directory.tokens()?.into_iter().filter(wanted).collect())
    }
}

fn newer_was_seen(seen: Option<(u64, u64)>, then: &Moment) -> Option<Standing> {
    let (epoch, revision) = seen.filter(|seen| *seen > then.order())?;
    Some(Standing::SeenNewer(Moment { serial: then.serial.clone(), epoch, revision }))
}

fn moment(head: &store::Head, serial: &Serial) -> Result<Moment, Error> {
    let Revision(revision) = head.revision;
    Ok(Moment { serial: serial.as_str().to_owned(), epoch: token::epoch(head, serial)?, revision })
}
