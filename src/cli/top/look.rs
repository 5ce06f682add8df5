//! Looks at a token while its user is logged in: the login is the same each time, and what was seen is not read again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use engine::{Engine, UseOutcome, UseTotal};
use serde_json::Value as Json;
use types::SessionHandle;

use super::model::{Before, Look, MINUTE, Row, Tallies, scale};
use crate::{
    audit,
    cert::{self, Found},
    fault::Fault,
    key::{self, Key},
    pending::{self, raised},
    select::{self, Chosen, UserLogin},
    sight::{self, Audit, Event, Token},
    usage::{self, Last},
};

/// The audit is read and checked this often. It is of what is done to the token, and short beside the book of uses.
const AUDIT: Duration = Duration::from_secs(60);

/// A token that is looked at.
pub(super) struct Watched {
    chosen: Chosen,
    session: SessionHandle,
    serial: String,
    began: Instant,
    /// When it was checked, by the clock of looks, and what was found.
    audit: Option<(Duration, Audit)>,
}

impl Watched {
    pub(super) fn log_in(engine: &Engine, login: &UserLogin) -> Result<Self, Fault> {
        let (chosen, session) = login.log_in(engine)?;
        let serial = audit::serial(engine, &chosen)?;
        Ok(Self { chosen, session, serial, began: Instant::now(), audit: None })
    }

    /// What is there now.
    pub(super) fn look(&mut self, engine: &Engine) -> Result<Look, Fault> {
        let session = self.session;
        // So that nothing of before the first look is before its clock.
        let clock = MINUTE.saturating_add(self.began.elapsed());
        let at = sight::now();
        let slot = self.chosen.slot;
        let token = Token::of(engine, (slot, Ok(select::describe(engine, slot)?)));
        let rule = engine.token_summary(slot)?.uses;
        let keys = key::all(engine, session)?;
        let halves = pending::rows(engine, session)?;
        let certificates = cert::all(engine, session)?;
        let totals = engine.use_totals(session, None)?;
        let owners = usage::owners(engine, session, &keys)?;
        let mut lasts = lasts(&totals);
        let mut rows: Vec<Row> = keys.iter().map(|key| row(key, &certificates)).collect();
        for (unique_id, place) in owners {
            if let Some(row) = rows.get_mut(place) {
                row.last = later(row.last.take(), lasts.remove(&unique_id));
                row.unique_ids.push(unique_id);
            }
        }
        rows.extend(pending::keys(&halves).map(|half| deleted(half, &halves, &mut lasts)));
        let due = sight::due_of(&keys, &halves, &certificates, at);
        let of_it = |alarm: &Json| alarm.get("token").is_none_or(|token| token == &*self.serial);
        let alarms = raised(engine)?.into_iter().filter(of_it).collect();
        let audit = self.audit(engine, clock)?;
        Ok(Look { at, clock, token, rule, rows, tallies: tallies(&totals), audit, due, alarms })
    }

    fn audit(&mut self, engine: &Engine, clock: Duration) -> Result<Audit, Fault> {
        let fresh = self.audit.take().filter(|(checked, _)| clock.saturating_sub(*checked) < AUDIT);
        let (checked, audit) = match fresh {
            Some(known) => known,
            None => (clock, Audit::of(engine, self.session)?),
        };
        self.audit = Some((checked, audit.clone()));
        Ok(audit)
    }

    /// What was used lately before the first look. Of the book of uses only the end of each key is read that was used then.
    pub(super) fn before(&self, engine: &Engine, first: &Look) -> Result<Before, Fault> {
        let (part, parts) = scale(first.rule);
        let from = first.at.saturating_sub(part.saturating_mul(parts as u64));
        let totals = engine.use_totals(self.session, None)?;
        let used: BTreeSet<&str> =
            totals.iter().filter(|total| total.between.1 >= from).map(|total| &*total.key).collect();
        let mut before = Before { minute: BTreeMap::new(), times: Vec::new() };
        let minute = first.at.saturating_sub(MINUTE.as_secs());
        for unique_id in used {
            let times = usage::times_since(engine, self.session, unique_id, from)?;
            let lately = times.iter().filter(|(at, _)| *at > minute);
            before.minute.insert(unique_id.to_owned(), lately.map(|(_, uses)| *uses).fold(0, u64::saturating_add));
            before.times.extend(times);
        }
        before.times.sort_unstable();
        Ok(before)
    }
}

fn row(key: &Key, certificates: &[Found]) -> Row {
    let rotation = key.schedule.map(|schedule| (Event::Rotation, schedule.at));
    let is_its = |found: &&Found| !key.id.is_empty() && found.id == key.id;
    let ends = certificates.iter().filter(is_its).filter_map(Found::ends_at).map(|at| (Event::Expiry, at));
    Row {
        label: key.label.clone(),
        id: key.id.clone(),
        kind: key.kind.clone(),
        version: Some(key.version),
        state: key.state,
        gone_at: None,
        unique_ids: Vec::new(),
        last: None,
        due: rotation.into_iter().chain(ends).min_by_key(|(_, at)| *at),
    }
}

fn deleted(half: &pending::Row, halves: &[pending::Row], lasts: &mut BTreeMap<String, Last>) -> Row {
    let of_it = |other: &&pending::Row| other.unique == half.unique || other.is_of_same_key(half);
    let unique_ids: Vec<String> = halves.iter().filter(of_it).map(|half| half.unique.clone()).collect();
    let last = unique_ids.iter().fold(None, |last, unique_id| later(last, lasts.remove(unique_id)));
    Row {
        label: half.label.clone(),
        id: half.id.clone(),
        kind: half.kind.clone(),
        version: None,
        state: engine::KeyState::PendingDeletion,
        gone_at: Some(half.gone_at),
        unique_ids,
        last,
        due: None,
    }
}

/// What came of uses in this way.
fn outcome(total: &UseTotal) -> UseOutcome {
    UseOutcome::split(&total.operation).1
}

fn tallies(totals: &[UseTotal]) -> Tallies {
    let mut tallies = Tallies::new();
    for total in totals {
        let tally = tallies.entry(total.key.clone()).or_default();
        let count = match outcome(total) {
            UseOutcome::Allowed => &mut tally.allowed,
            UseOutcome::Denied => &mut tally.refused,
            // They were allowed, too, and are counted there.
            UseOutcome::Failed => continue,
        };
        *count = count.saturating_add(total.uses);
    }
    tallies
}

/// The last use of each object that was allowed.
fn lasts(totals: &[UseTotal]) -> BTreeMap<String, Last> {
    let mut lasts: BTreeMap<String, Last> = BTreeMap::new();
    for total in totals.iter().filter(|total| outcome(total) == UseOutcome::Allowed) {
        let (program, operation) = (total.program.clone(), total.operation.clone());
        let last = later(lasts.remove(&total.key), Some(Last { at: total.between.1, program, operation }));
        lasts.extend(last.map(|last| (total.key.clone(), last)));
    }
    lasts
}

fn later(one: Option<Last>, other: Option<Last>) -> Option<Last> {
    [one, other].into_iter().flatten().max_by_key(|last| last.at)
}
