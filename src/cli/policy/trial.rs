//! A policy held against the uses of keys that were written down.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use engine::{Engine, Profile, UseAudit, UseOutcome, replay};
use serde_json::json;
use types::{AttributeType as A, ObjectHandle, SessionHandle, Value};

use super::file::Policy;
use crate::{
    anomalies::Use,
    answer::{Answer, Found},
    audit::{self, Lines},
    fault::Fault,
    key,
    select::UserLogin,
    series::date,
    uses,
};

/// How the book calls a session's copy of a key, and what else it has that no date stops.
const COPIED: &str = "copied";
const TIMELESS: [&str; 3] = [COPIED, "wrapped", "digest"];

/// A key as the book's entries are told of it.
struct Known {
    label: String,
    /// The first and the last day on which it may be used, if it has them and they hold: YYYY-MM-DD.
    dates: [Option<String>; 2],
}

/// Uses of one kind.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    label: String,
    unique_id: String,
    operation: String,
    mechanism: String,
    program: String,
    why: &'static str,
    is_certain: bool,
}

/// What holds the uses against a policy.
struct Judge {
    profile: Profile,
    dates: bool,
    uses: UseAudit,
    /// By their unique ids.
    keys: HashMap<String, Known>,
    refused: BTreeMap<Way, u64>,
    seen: u64,
}

pub(super) fn run(engine: &Engine, policy: &Policy, file: Option<&Path>, login: &UserLogin) -> Result<Answer, Fault> {
    let (token, session) = login.log_in(engine)?;
    let summary = engine.token_summary(token.slot)?;
    let rules = policy.rules(&summary)?;
    policy.must_be_possible(&summary, &rules)?;
    let mut judge = Judge {
        profile: rules.profile.unwrap_or(summary.profile),
        dates: rules.dates.unwrap_or(summary.lifecycle.dates),
        uses: rules.uses.unwrap_or(summary.uses),
        keys: HashMap::new(),
        refused: BTreeMap::new(),
        seen: 0,
    };
    for key in key::all(engine, session)?.into_iter().chain(key::all_older(engine, session)?) {
        for (handle, id) in key.handles().into_iter().zip(key.unique_ids()) {
            let dates = if judge.dates { dates(engine, session, handle)? } else { [None, None] };
            let known = Known { label: (*key.label).to_owned(), dates };
            judge.keys.insert(id.to_owned(), known);
        }
    }
    match file {
        Some(path) => judge.read(path)?,
        None => {
            let read = engine.uses(session, &mut |entry, _| {
                if let Some(used) = Use::of(&entry.text) {
                    judge.look(&used);
                }
            })?;
            read.map_err(|broken| Fault::Failed(audit::words(&broken)))?;
        }
    }
    if judge.seen == 0 {
        return Err(Fault::Failed(
            "no use was written down that could be tried: `strongroom token set --use-audit each` lets them be".into(),
        ));
    }
    Ok(judge.answer())
}

/// The first and the last day of a key.
fn dates(engine: &Engine, session: SessionHandle, key: ObjectHandle) -> Result<[Option<String>; 2], Fault> {
    let object = engine.object(session, key)?;
    Ok([A::START_DATE, A::END_DATE].map(|name| match object.attribute(name) {
        Ok(Value::Date(Some(date))) => {
            let digits = String::from_utf8_lossy(&date.0).into_owned();
            Some(format!("{}-{}-{}", digits.get(..4)?, digits.get(4..6)?, digits.get(6..)?))
        }
        _ => None,
    }))
}

impl Judge {
    /// Looks at what `audit uses export` has put out. A line that is something else could hide what was done.
    fn read(&mut self, path: &Path) -> Result<(), Fault> {
        let (mut lines, mut number) = (Lines::of(path)?, 0);
        while let Some(line) = lines.next_line(path)? {
            number += 1;
            match Use::of(&line) {
                Some(used) => self.look(&used),
                None if uses::end(&line).is_some() => {}
                None => {
                    let name = path.display();
                    return Err(Fault::Usage(format!(
                        "line {number} of {name} is no use of a key: `strongroom audit uses export` puts them out"
                    )));
                }
            }
        }
        Ok(())
    }

    fn look(&mut self, used: &Use) {
        // What was allowed and failed is there twice.
        if used.outcome == UseOutcome::Failed {
            return;
        }
        self.seen = self.seen.saturating_add(used.uses);
        // What was refused is refused still.
        let allowed = used.outcome == UseOutcome::Allowed;
        let Some((why, is_certain)) = self.refusal(used).filter(|_| allowed) else { return };
        let label = self.keys.get(&used.key).map_or_else(String::new, |known| known.label.clone());
        let (unique_id, operation) = (used.key.clone(), used.operation.clone());
        let (mechanism, program) = (used.mechanism.clone(), used.program.clone());
        let way = Way { label, unique_id, operation, mechanism, program, why, is_certain };
        let uses = self.refused.entry(way).or_default();
        *uses = uses.saturating_add(used.uses);
    }

    /// Why it would be refused, and whether that is certain.
    fn refusal(&self, used: &Use) -> Option<(&'static str, bool)> {
        if used.operation == COPIED && self.uses == UseAudit::Forced {
            return Some(("a copy of a token key in a session, whose uses nobody writes down", true));
        }
        let timed = !TIMELESS.contains(&used.operation.as_str());
        if let Some(Known { dates: [start, end], .. }) = self.keys.get(&used.key).filter(|_| timed) {
            let day = date(used.at);
            if start.as_ref().is_some_and(|start| day < *start) || end.as_ref().is_some_and(|end| day > *end) {
                return Some(("use a key outside its dates", true));
            }
        }
        replay::refusal(self.profile, &used.operation, &used.mechanism).map(|why| (why.what, why.is_certain))
    }

    fn answer(self) -> Answer {
        let mut text = String::new();
        let mut rows = Vec::new();
        for (Way { label, unique_id, operation, mechanism, program, why, is_certain }, uses) in &self.refused {
            let name = if label.is_empty() { unique_id } else { label };
            let would = if *is_certain { "would be refused" } else { "may be refused" };
            let with = if mechanism.is_empty() { String::new() } else { format!(" with {mechanism}") };
            let times = if *uses == 1 { "once".to_owned() } else { format!("{uses} times") };
            text.push_str(&format!("{name}: {operation}{with} by {program}, {times}, {would}: {why}\n"));
            rows.push(json!({
                "key": label, "unique_id": unique_id, "operation": operation, "mechanism": mechanism, "program": program,
                "uses": uses, "certain": is_certain, "why": why,
            }));
        }
        if rows.is_empty() {
            text = format!("none of the {} uses would be refused\n", self.seen);
        }
        let found = if rows.is_empty() { Found::Nothing } else { Found::Faults };
        Answer { found, ..Answer::new(text, json!({ "uses": self.seen, "refused": rows })) }
    }
}
