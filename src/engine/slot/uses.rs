//! Uses of the keys of a slot's token, on their way to where they are written down.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use parking_lot::Mutex;
use store::{UseEntry, UseTotal, clock};

use super::Slot;
use crate::{
    Error,
    alarms::Alarm,
    audit::{Broken, Link},
    object::{Attributes, Object, ObjectLocation},
    token::{Login, UsesHead},
    uses::{Operation, Outcome, Pending, Tally, Use, UseAudit, Way},
};
use types::{AttributeType, ObjectClass};

/// What this process has not written down yet of uses of a token's keys.
#[derive(Default)]
pub(super) struct Uses {
    /// The token's rule at the last login, as a number.
    rule: AtomicU8,
    pending: Mutex<Pending>,
    /// Held by the one who writes. The others wait, and find that theirs was written with his.
    writing: Mutex<()>,
}

impl Slot {
    fn use_audit(&self) -> UseAudit {
        UseAudit::of_number(self.uses.rule.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// Learns the token's rule. Where it cannot be read, the hardest holds.
    pub(super) fn learn_use_audit(&self, login: &Login) {
        let rule = self.token.use_audit(login).unwrap_or_else(|fault| {
            tracing::warn!(%fault, "what is to be written down of uses cannot be read");
            UseAudit::Forced
        });
        self.uses.rule.store(rule.number(), Ordering::Relaxed);
    }

    /// Notes that a session gets a copy of a token's key: uses of the copy are not written down.
    ///
    /// # Errors
    /// [`Error::ActionProhibited`] if the token wants each use written down.
    pub(crate) fn note_copy(&self, tally: &Mutex<Tally>, key: &Arc<Object>, copy: &Attributes) -> Result<(), Error> {
        let secret = [ObjectClass::SECRET_KEY, ObjectClass::PRIVATE_KEY].map(Some).contains(&key.facts.class);
        if copy.flag(AttributeType::TOKEN) || !secret {
            return Ok(());
        }
        let refused = self.use_audit() == UseAudit::Forced && matches!(key.location, ObjectLocation::Token { .. });
        let outcome = if refused { Outcome::Denied } else { Outcome::Allowed };
        self.note_use(tally, key, (Operation::Copied, None, outcome))?;
        if refused { Err(Error::ActionProhibited) } else { Ok(()) }
    }

    /// Notes that a key is used, or that somebody wanted to and may not. Keys that are in no token are nobody's business.
    ///
    /// # Errors
    /// [`Error::UseNotWritten`] if the token wants each use written down before it happens, and that cannot be done.
    pub(crate) fn note_use(&self, tally: &Mutex<Tally>, key: &Arc<Object>, way: Way) -> Result<(), Error> {
        let rule = self.use_audit();
        if rule == UseAudit::Off || matches!(key.location, ObjectLocation::Session(_)) {
            return Ok(());
        }
        let Some(role) = self.role() else { return Ok(()) };
        if rule == UseAudit::Counted {
            let due = tally.lock().count(key, role.word(), way, self.token.millis());
            if due {
                self.tell(tally);
            }
            return Ok(());
        }
        let now = clock::millis();
        let (place, due) = {
            let mut pending = self.uses.pending.lock();
            let place = pending.push(Use::now(key, role.word(), way), now);
            (place, pending.is_due(rule, now))
        };
        let (.., outcome) = way;
        if rule == UseAudit::Forced && outcome == Outcome::Allowed {
            return self.write_uses(Some(place)).map_err(|fault| Error::UseNotWritten(fault.to_string()));
        }
        if due {
            self.try_to_write_uses();
        }
        Ok(())
    }

    /// Takes over what a session has counted, and writes it down if it is time.
    pub(crate) fn tell(&self, tally: &Mutex<Tally>) {
        let mut tally = tally.lock();
        if tally.is_empty() && !self.uses_wait() {
            return;
        }
        let now = clock::millis();
        let counted = tally.take(now);
        drop(tally);
        let due = {
            let mut pending = self.uses.pending.lock();
            pending.merge(counted);
            pending.is_due(self.use_audit(), now)
        };
        if due {
            self.try_to_write_uses();
        }
    }

    /// Whether uses wait to be written down.
    pub(crate) fn uses_wait(&self) -> bool {
        !self.uses.pending.lock().is_empty()
    }

    /// Writes down what waits, if somebody is logged in. If that fails, it goes on waiting, and there is an alarm.
    pub(crate) fn try_to_write_uses(&self) {
        // There is an alarm.
        let _ = self.write_uses(None);
    }

    /// Says how many uses were never written down, as nobody comes any more who could do it.
    pub(crate) fn give_up_uses(&self) {
        let lost = self.uses.pending.lock().waiting();
        if lost > 0 {
            let facts = [("token", self.token.serial()), ("uses", lost.to_string())];
            self.alarms.raise(&Alarm { kind: "uses-lost", facts: &facts });
        }
    }

    /// Writes down what waits. For the use in one place: unless somebody has written it, or tried to, meanwhile; if it
    /// cannot be written, it does not happen.
    fn write_uses(&self, place: Option<u64>) -> Result<(), Error> {
        let _writing = self.uses.writing.lock();
        let batch = {
            let mut pending = self.uses.pending.lock();
            if let Some(place) = place
                && let Some(outcome) = pending.outcome(place)
            {
                if outcome.is_err() {
                    pending.deny(place);
                }
                return outcome;
            }
            if pending.is_empty() {
                return Ok(());
            }
            pending.take()
        };
        let written = self.must_be_logged_in().and_then(|login| self.token.write_uses(&login, &batch));
        if let Err(fault) = &written {
            let facts = [("token", self.token.serial()), ("why", fault.to_string())];
            self.alarms.raise(&Alarm { kind: "uses-not-written", facts: &facts });
        }
        let mut pending = self.uses.pending.lock();
        match &written {
            Ok(()) => pending.written(&batch, clock::millis()),
            Err(why) => {
                pending.failed(batch, why.clone(), clock::millis());
                place.into_iter().for_each(|place| pending.deny(place));
            }
        }
        written
    }

    /// Reads and checks every use that was written down.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn read_uses(
        &self,
        each: &mut dyn FnMut(&UseEntry, &Link),
    ) -> Result<Result<Option<UsesHead>, Broken>, Error> {
        let login = self.must_be_logged_in()?;
        self.watched(self.token.read_uses(&login, each))
    }

    /// How often keys were used. Whoever may not log in sees nothing.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn use_totals(&self, key: Option<&str>) -> Result<Vec<UseTotal>, Error> {
        self.must_be_logged_in()?;
        self.token.use_totals(key)
    }

    /// The last uses of a key, the newest first.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's.
    pub(crate) fn uses_of(&self, key: &str, limit: usize) -> Result<Vec<UseEntry>, Error> {
        self.must_be_logged_in()?;
        self.token.uses_of(key, limit)
    }
}
