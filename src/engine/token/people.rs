//! Everybody with a ring, and how their rings are exchanged together.

use zeroize::Zeroizing;

use super::{
    Current, Login, Role, Token, TriedPin, next,
    pin::{Owner, Wrap},
    retrying,
    ring::Ring,
    seal::Keys,
    sealed_header::{SealedHeader, buckets},
    token_header::TokenHeader,
};
use crate::{Error, audit::Event};

/// The PINs of everybody who has a ring.
pub struct Pins<'a> {
    /// The security officer's.
    pub officer: &'a [u8],
    /// The user's, if he has one.
    pub user: Option<&'a [u8]>,
}

/// Whose rings an exchange is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Everybody's who has one.
    All,
    /// The officer's alone: it stays as it is, and only the header changes.
    Officer,
}

/// Somebody whose PIN was right.
pub(super) struct Person {
    pin: Zeroizing<Vec<u8>>,
    wrap: Wrap,
    pub(super) login: Login,
}

impl Token {
    /// Tries everybody's PIN.
    pub(super) fn try_all(&self, pins: &Pins<'_>) -> Result<Vec<Person>, Error> {
        let mut given = vec![(Role::Officer, pins.officer)];
        if self.token_header()?.wrap(Role::User).is_some() {
            given.push((Role::User, pins.user.ok_or(Error::ArgumentsBad)?));
        }
        self.try_people(&given)
    }

    /// Tries the officer's PIN alone.
    pub(super) fn try_officer(&self, pins: &Pins<'_>) -> Result<Vec<Person>, Error> {
        self.try_people(&[(Role::Officer, pins.officer)])
    }

    fn try_people(&self, given: &[(Role, &[u8])]) -> Result<Vec<Person>, Error> {
        let tried = given.iter().map(|&(role, pin)| {
            let TriedPin { wrap, keys, .. } = self.try_pin(role, pin)?;
            Ok(Person { pin: Zeroizing::new(pin.to_vec()), wrap, login: Login::new(keys) })
        });
        tried.collect()
    }

    /// Puts other rings in the place of theirs and edits the token header, in one commit. `None` if somebody has changed a PIN since.
    pub(super) fn exchange(
        &self,
        people: &[Person],
        rings: &[Ring],
        whose: Whose,
        edit: impl Fn(&mut TokenHeader) -> Result<(), Error>,
        event: &Event,
    ) -> Result<Option<Vec<Person>>, Error> {
        let (secret, cost) = (self.secret()?, self.token_header()?.pins.cost);
        let make = |(person, ring): (&Person, &Ring)| {
            let Keys { role, epoch, .. } = person.login.keys;
            let owner = Owner::of(role, &self.serial, epoch);
            let wrap = Wrap::make(&person.pin, ring, owner, cost, secret.as_ref())?;
            let keys = Keys::new(ring.filtered(|_| true), role, &self.serial, epoch)?;
            Ok(Person { pin: person.pin.clone(), wrap, login: Login::new(keys) })
        };
        let fresh = crypto::keys(|| people.iter().zip(rings).map(make).collect::<Result<Vec<_>, Error>>())?;
        let ([.., old], [.., new]) = (people, &*fresh) else { return Err(Error::Internal("a token has no officer")) };
        let committed = retrying(|_| {
            let read = self.vouched_head(&old.login.keys);
            let read = self.unless_overtaken(old.role(), &old.wrap, read)?;
            let Some(current) = read.filter(|read| people.iter().all(|person| person.is_behind(read))) else {
                return Ok(None);
            };
            let users = |role| people.iter().any(|person| person.role() == role);
            if whose == Whose::All && current.token_header.wrap(Role::User).is_some() != users(Role::User) {
                // He has got his first PIN since: his ring is to be exchanged too.
                return Ok(None);
            }
            let header = self.under_new_keys(&current, &old.login.keys, &new.login.keys)?;
            let (mut token_header, head) = (current.token_header, current.head);
            fresh.iter().for_each(|person| token_header.set_wrap(person.role(), person.wrap.clone()));
            edit(&mut token_header)?;
            self.commit_headers(&new.login.keys, head.revision, &token_header, header, Vec::new(), event).map(Some)
        })?;
        Ok(committed.map(|_| fresh))
    }

    /// The sealed header that follows, under the token key that is active then.
    fn under_new_keys(&self, current: &Current, old: &Keys, new: &Keys) -> Result<SealedHeader, Error> {
        let Current { header, head, .. } = current;
        let mut next_header = header.clone();
        next_header.revision = next(head.revision);
        next_header.key = new.token()?.id;
        if let Some(domain) = new.domain() {
            next_header.domain = domain.id;
        }
        if next_header.key != header.key {
            next_header.keep_log(header.log()?.under_a_new_key()?);
            for first in buckets() {
                let digests = self.store.digests(first)?;
                let moved = next_header.move_bucket((header, old), new, first, &digests);
                if moved.is_err() && self.store.head()?.revision != head.revision {
                    // Not changed by somebody who may not, but by somebody who may.
                    return Err(store::Error::Conflict.into());
                }
                moved?;
            }
        }
        Ok(next_header)
    }
}

impl Person {
    pub(super) fn role(&self) -> Role {
        self.login.keys.role
    }

    /// Whether the wrap that was opened is still there.
    fn is_behind(&self, current: &Current) -> bool {
        current.token_header.wrap(self.role()) == Some(&self.wrap)
    }
}
