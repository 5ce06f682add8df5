//! The rules of a token, changed by its officer: profile, recovery, and what holds for its PINs.

use super::{
    Lifecycle, Role, Token,
    people::{Person, Pins, Whose},
    pin::least_cost,
    policy::{Profile, Recovery},
    ring::{KeyId, Purpose, Ring, RingKey},
    signer::{PolicySigner, SignedPolicy},
};
use sha2::{Digest, Sha256};

use crate::{Error, audit::Event, hex::digits, settings::PinCost, uses::UseAudit};

/// Which rules of a token are to be others. `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewRules {
    /// What it is called, padded with blanks.
    pub label: Option<[u8; 32]>,
    /// Which uses of keys it allows.
    pub profile: Option<Profile>,
    /// Whether the officer can give the user his private objects back. It takes the user's PIN to change that.
    pub recovery: Option<Recovery>,
    /// For how many days keys that are destroyed can be restored.
    pub deletion_days: Option<u16>,
    /// From now on nobody makes that less.
    pub lock_deletion: bool,
    /// Whether the dates of keys hold.
    pub dates: Option<bool>,
    /// What is written down of uses of keys, from the next logins on.
    pub uses: Option<UseAudit>,
    /// How many wrong PINs in a row lock a user.
    pub pin_tries: Option<u32>,
    /// What PINs cost. Those that are there become dearer at the next login.
    pub pin_cost: Option<PinCost>,
}

impl NewRules {
    /// What is written down of them.
    fn event(&self, policy: Option<&SignedPolicy<'_>>) -> Event {
        let Self { label, profile, recovery, deletion_days, lock_deletion, dates, uses, pin_tries, pin_cost } = self;
        let facts = [
            label.map(|label| ("label", String::from_utf8_lossy(&label).trim_end().to_owned())),
            profile.map(|profile| ("profile", profile.to_string())),
            recovery.map(|recovery| ("recovery", recovery.to_string())),
            deletion_days.map(|days| ("deletion_days", days.to_string())),
            lock_deletion.then(|| ("deletion_days_locked", "true".to_owned())),
            dates.map(|dates| ("dates_hold", dates.to_string())),
            uses.map(|uses| ("use_audit", uses.to_string())),
            pin_tries.map(|tries| ("pin_tries", tries.to_string())),
            pin_cost.map(|cost| ("pin_cost", format!("{} KiB, {} passes", cost.memory_kib, cost.passes))),
        ];
        let event = match policy {
            Some(SignedPolicy { text, version, signer, .. }) => Event::new("policy-applied")
                .with("version", *version)
                .with("sha256", digits(&Sha256::digest(text)))
                .with("signer", digits(signer)),
            None => Event::new("rules-changed"),
        };
        facts.into_iter().flatten().fold(event, |event, (name, value)| event.with(name, value))
    }

    fn is_name_only(self) -> bool {
        self.label.is_some() && Self { label: None, ..self } == Self::default()
    }
}

impl Token {
    /// Changes rules of the token. No object is touched.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::ArgumentsBad`] if the user's PIN is missing where it is
    /// needed or a value is out of bounds, [`Error::PolicySigned`], [`Error::PolicySignature`], [`Error::PolicyVersion`], and
    /// the store's.
    pub(crate) fn change_rules(
        &self,
        pins: &Pins<'_>,
        rules: NewRules,
        policy: Option<&SignedPolicy<'_>>,
    ) -> Result<(), Error> {
        let NewRules { label, profile, recovery, deletion_days, lock_deletion, dates, uses, pin_tries, pin_cost } =
            rules;
        let bounded = pin_cost.is_none_or(|cost| cost.is_bounded());
        if pin_tries == Some(0) || !bounded || deletion_days.is_some_and(|days| days > Lifecycle::MOST_DAYS) {
            return Err(Error::ArgumentsBad);
        }
        pin_cost.map_or(Ok(()), |cost| self.must_be_affordable(cost))?;
        // What a token is called is no rule.
        let named = policy.is_none() && rules.is_name_only();
        let signer_after = |now| if named { Ok(now) } else { PolicySigner::after(now, policy) };
        loop {
            let header = self.token_header()?;
            signer_after(header.policy.signer)?;
            let lifecycle = header.lifecycle;
            if lifecycle.locked && deletion_days.is_some_and(|days| days < lifecycle.deletion_days) {
                return Err(Error::DeletionWindow(lifecycle.deletion_days));
            }
            let people = match recovery {
                Some(_) => self.try_all(pins)?,
                None => self.try_officer(pins)?,
            };
            let rings = crypto::keys(|| rings(&people, recovery))?;
            let whose = if recovery.is_some() { Whose::All } else { Whose::Officer };
            let exchanged = self.exchange(
                &people,
                &rings,
                whose,
                |header| {
                    header.policy.signer = signer_after(header.policy.signer)?;
                    header.label = label.unwrap_or(header.label);
                    header.policy.profile = profile.unwrap_or(header.policy.profile);
                    header.policy.recovery = recovery.unwrap_or(header.policy.recovery);
                    header.policy.uses = uses.unwrap_or(header.policy.uses);
                    // Whoever was faster may have locked it.
                    let least = if header.lifecycle.locked { header.lifecycle.deletion_days } else { 0 };
                    header.lifecycle = Lifecycle {
                        deletion_days: deletion_days.unwrap_or(header.lifecycle.deletion_days).max(least),
                        locked: header.lifecycle.locked || lock_deletion,
                        dates: dates.unwrap_or(header.lifecycle.dates),
                    };
                    header.pins.tries = pin_tries.unwrap_or(header.pins.tries);
                    header.pins.cost = pin_cost.unwrap_or(header.pins.cost).max(least_cost(header.policy.profile));
                    Ok(())
                },
                &rules.event(policy),
            )?;
            if exchanged.is_some() {
                return Ok(());
            }
        }
    }
}

/// Everybody's ring; the officer's with the domain keys or without them, if that changes.
fn rings(people: &[Person], recovery: Option<Recovery>) -> Result<Vec<Ring>, Error> {
    let users = people.iter().find(|person| person.role() == Role::User);
    let ring = |person: &Person| {
        let own = &person.login.keys.ring;
        match recovery.filter(|_| person.role() == Role::Officer) {
            None => Ok(own.filtered(|_| true)),
            Some(Recovery::Never) => Ok(own.filtered(|key| key.purpose == Purpose::Token)),
            // What the user's ring has, the officer's may have too.
            Some(Recovery::ByOfficer) => match users {
                Some(user) => Ok(user.login.keys.ring.filtered(|_| true)),
                None if own.active(Purpose::Domain).is_some() => Ok(own.filtered(|_| true)),
                None => {
                    let mut ring = own.filtered(|_| true);
                    ring.add(RingKey::new(Purpose::Domain, KeyId::random()?)?)?;
                    Ok(ring)
                }
            },
        }
    };
    people.iter().map(ring).collect()
}
