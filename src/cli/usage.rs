//! How keys were used over time, of what was written down of it.

use std::collections::BTreeMap;

use engine::{Engine, UseAudit, UseOutcome};
use serde_json::{Value as Json, json};
use types::SessionHandle;

use crate::{
    audit,
    fault::Fault,
    key::{self, Key},
    label::Label,
    select::Chosen,
    series::{DAY, HOUR, Series, date},
};

/// How many days and hours are looked at.
const DAYS: usize = 90;
const HOURS: usize = 48;

/// Uses of the keys of a token.
pub(crate) struct Usage {
    pub(crate) book: Book,
    pub(crate) days: Counts,
    pub(crate) hours: Counts,
    /// Of each key, in the order of the keys, its older versions with it.
    pub(crate) keys: Vec<Uses>,
    /// By the program's name.
    pub(crate) programs: BTreeMap<String, Uses>,
}

/// What there is of what was written down.
pub(crate) enum Book {
    /// Nothing was.
    Missing,
    /// So many entries, all as they were written.
    Whole(u64),
    /// Why they are not.
    Broken(String),
}

/// Uses over time.
#[derive(Clone)]
pub(crate) struct Counts {
    /// Those that were allowed.
    pub(crate) allowed: Series,
    pub(crate) refused: Series,
}

/// Uses by days, and the last one.
#[derive(Clone)]
pub(crate) struct Uses {
    pub(crate) days: Counts,
    /// The last one that was allowed.
    pub(crate) last: Option<Last>,
}

/// A use.
#[derive(Clone)]
pub(crate) struct Last {
    /// In seconds since 1970.
    pub(crate) at: u64,
    pub(crate) program: String,
    pub(crate) operation: String,
}

/// An entry, as far as it is looked at.
struct Entry {
    operation: String,
    program: String,
    uses: u64,
    at: u64,
    outcome: UseOutcome,
}

impl Entry {
    fn of(text: &str) -> Option<Self> {
        let entry: Json = serde_json::from_str(text).ok()?;
        let text = |name: &str| Some(entry.get(name)?.as_str()?.to_owned());
        let number = |name: &str| entry.get(name)?.as_u64();
        let operation = text("operation")?;
        let (_, outcome) = UseOutcome::split(&operation);
        Some(Self { operation, program: text("program")?, uses: number("uses")?, at: number("to")?, outcome })
    }
}

impl Last {
    /// As it is told to programs.
    pub(crate) fn told(&self) -> Json {
        let Self { at, program, operation } = self;
        json!({ "at": at, "program": program, "operation": operation })
    }
}

impl Counts {
    fn new(part: u64, parts: usize, now: u64) -> Self {
        let empty = Series::new(part, parts, now);
        Self { allowed: empty.clone(), refused: empty }
    }

    fn add(&mut self, entry: &Entry) {
        match entry.outcome {
            UseOutcome::Allowed => self.allowed.add(entry.at, entry.uses),
            UseOutcome::Denied => self.refused.add(entry.at, entry.uses),
            // It was allowed, too, and is counted there.
            UseOutcome::Failed => {}
        }
    }

    /// How many there are, allowed and refused.
    pub(crate) fn total(&self) -> u64 {
        self.allowed.total().saturating_add(self.refused.total())
    }

    fn told(&self) -> Json {
        let Self { allowed, refused } = self;
        json!({ "from": allowed.first(), "uses": allowed.counts(), "refused": refused.counts() })
    }
}

impl Uses {
    fn new(now: u64) -> Self {
        Self { days: Counts::new(DAY, DAYS, now), last: None }
    }

    fn add(&mut self, entry: &Entry) {
        self.days.add(entry);
        if entry.outcome == UseOutcome::Allowed && self.last.as_ref().is_none_or(|last| last.at <= entry.at) {
            let Entry { at, program, operation, .. } = entry;
            self.last = Some(Last { at: *at, program: program.clone(), operation: operation.clone() });
        }
    }

    pub(crate) fn told(&self) -> Json {
        let last = self.last.as_ref().map(Last::told);
        json!({ "days": self.days.told(), "last": last })
    }
}

impl Usage {
    /// Of keys of a token. What is the matter with the book is a part of it.
    pub(crate) fn of(engine: &Engine, session: SessionHandle, keys: &[Key], now: u64) -> Result<Self, Fault> {
        let owners = owners(engine, session, keys)?;
        let (mut days, mut hours) = (Counts::new(DAY, DAYS, now), Counts::new(HOUR, HOURS, now));
        let mut by_key = vec![Uses::new(now); keys.len()];
        let mut programs: BTreeMap<String, Uses> = BTreeMap::new();
        let mut unreadable = None;
        let found = engine.uses(session, &mut |told, _| {
            let Some(entry) = Entry::of(&told.text) else {
                unreadable.get_or_insert(told.number);
                return;
            };
            days.add(&entry);
            hours.add(&entry);
            if let Some(uses) = owners.get(&told.key).and_then(|at| by_key.get_mut(*at)) {
                uses.add(&entry);
            }
            programs.entry(entry.program.clone()).or_insert_with(|| Uses::new(now)).add(&entry);
        });
        let book = match (found, unreadable) {
            (Err(fault), _) => Book::Broken(fault.to_string()),
            (Ok(Err(broken)), _) => Book::Broken(audit::words(&broken)),
            (Ok(Ok(_)), Some(number)) => Book::Broken(format!("entry {number} cannot be read")),
            (Ok(Ok(None)), None) => Book::Missing,
            (Ok(Ok(Some(head))), None) => Book::Whole(head.entries),
        };
        Ok(Self { book, days, hours, keys: by_key, programs })
    }

    pub(crate) fn told(&self) -> Json {
        let (entries, broken) = match &self.book {
            Book::Missing => (Some(0), None),
            Book::Whole(entries) => (Some(*entries), None),
            Book::Broken(why) => (None, Some(why)),
        };
        let programs: BTreeMap<&String, Json> = self.programs.iter().map(|(name, uses)| (name, uses.told())).collect();
        json!({
            "whole": broken.is_none(), "entries": entries, "broken": broken,
            "days": self.days.told(), "hours": self.hours.told(), "programs": programs,
        })
    }
}

/// Which key, by its place, has the objects with these unique ids. Those of older versions are the key's.
pub(crate) fn owners(engine: &Engine, session: SessionHandle, keys: &[Key]) -> Result<BTreeMap<String, usize>, Fault> {
    let mut places: BTreeMap<(&Label, &[u8]), usize> = BTreeMap::new();
    for (at, key) in keys.iter().enumerate() {
        places.entry((&key.label, &key.id)).or_insert(at);
    }
    let mut owners = BTreeMap::new();
    for version in key::all_older(engine, session)? {
        if let Some(at) = places.get(&(&version.label, version.id.as_slice())) {
            owners.extend(version.unique_ids().map(|unique_id| (unique_id.to_owned(), *at)));
        }
    }
    // Each has its own, also where two are called the same.
    for (at, key) in keys.iter().enumerate() {
        owners.extend(key.unique_ids().map(|unique_id| (unique_id.to_owned(), at)));
    }
    Ok(owners)
}

/// So many entries of a key are asked for at first.
const PAGE: usize = 1000;

/// The entries of an object from a time on, and some before it, the newest first. The rest of the book is not read.
fn entries_since(
    engine: &Engine,
    session: SessionHandle,
    unique_id: &str,
    from: u64,
) -> Result<impl Iterator<Item = Entry> + use<>, Fault> {
    let mut limit = PAGE;
    let entries = loop {
        let entries = engine.uses_of(session, unique_id, limit)?;
        // The newest come first.
        let oldest = entries.last().and_then(|entry| Entry::of(&entry.text));
        if entries.len() < limit || oldest.is_some_and(|entry| entry.at < from) {
            break entries;
        }
        limit = limit.saturating_mul(4);
    };
    Ok(entries.into_iter().filter_map(|entry| Entry::of(&entry.text)))
}

/// When an object was used from a time on, and how often.
pub(crate) fn times_since(
    engine: &Engine,
    session: SessionHandle,
    unique_id: &str,
    from: u64,
) -> Result<Vec<(u64, u64)>, Fault> {
    let entries = entries_since(engine, session, unique_id, from)?;
    Ok(entries
        .filter(|entry| entry.outcome == UseOutcome::Allowed && entry.at >= from)
        .map(|entry| (entry.at, entry.uses))
        .collect())
}

/// How often a key of a token and its older versions were used on each of the last 30 days; `None` where nobody writes that
/// down, and nobody did.
pub(crate) fn lately(
    engine: &Engine,
    (token, session): (&Chosen, SessionHandle),
    versions: &[&Key],
    now: u64,
) -> Result<Option<Series>, Fault> {
    let mut days = Series::new(DAY, 30, now);
    let mut known = engine.token_summary(token.slot)?.uses != UseAudit::Off;
    for unique_id in versions.iter().flat_map(|key| key.unique_ids()) {
        for entry in entries_since(engine, session, unique_id, days.first())? {
            known = true;
            if entry.outcome == UseOutcome::Allowed {
                days.add(entry.at, entry.uses);
            }
        }
    }
    Ok(known.then_some(days))
}

/// A line of bars for them, in words.
pub(crate) fn line(days: &Series) -> String {
    let most = match days.most() {
        0 => String::new(),
        most => format!(", at most {most} a day"),
    };
    format!("{}  {} since {}{most}", days.bars(), days.total(), date(days.first()))
}
