//! What became of tokens that were moved.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use types::SlotId;

use super::target::Target;
use crate::{
    answer::Answer,
    fault::{Fault, quoted},
};

/// Done, but for what is named.
const IN_PART: u8 = 8;

/// What became of a token.
pub(super) struct Report {
    /// Where the token comes from.
    pub(super) from: &'static str,
    pub(super) label: String,
    pub(super) serial: String,
    pub(super) slot: SlotId,
    /// How many objects of each kind there were, and are.
    pub(super) counts: BTreeMap<String, (usize, usize)>,
    /// How many keys of each kind gave the same answers here as there, if they were asked.
    pub(super) proven: Option<BTreeMap<String, usize>>,
    pub(super) left: Vec<Remark>,
    pub(super) notes: Vec<Remark>,
}

/// What is to be said of an object.
pub(super) struct Remark {
    pub(super) file: String,
    pub(super) label: String,
    pub(super) words: String,
}

pub(super) fn answer(reports: &[Report], damaged: &[String], dry_run: bool) -> Answer {
    let mut text: String = reports.iter().map(|report| report.text(dry_run)).collect();
    for why in damaged {
        text.push_str(&format!("left behind: {why}\n"));
    }
    if dry_run {
        text.push_str("Nothing was written.\n");
    }
    let complete = damaged.is_empty() && reports.iter().all(|report| report.left.is_empty());
    let data = json!({
        "complete": complete,
        "dry_run": dry_run,
        "tokens": reports.iter().map(|report| report.told(dry_run)).collect::<Vec<_>>(),
        "damaged": damaged,
    });
    Answer { code: if complete { None } else { Some(IN_PART) }, ..Answer::new(text, data) }
}

impl Report {
    fn text(&self, dry_run: bool) -> String {
        let Self { from, label, serial, slot, counts, proven, left, notes } = self;
        let what = if dry_run { "would be moved".to_owned() } else { format!("is in slot {}", slot.0) };
        let mut text = format!("Token {} ({from}'s {serial}) {what}.\n", quoted(label));
        let many = from.len().max(7);
        let width = counts.keys().map(String::len).max().unwrap_or(0).max("objects".len());
        text.push_str(&format!(
            "{:width$}  {from:>many$}  {:>7}{}\n",
            "objects",
            "here",
            if proven.is_some() { "  the same" } else { "" }
        ));
        for (kind, (before, after)) in counts {
            let same = proven.as_ref().map(|proven| proven.get(kind).map_or_else(String::new, usize::to_string));
            let same = same.map_or_else(String::new, |same| format!("  {same:>8}"));
            text.push_str(format!("{kind:width$}  {before:>many$}  {after:>7}{same}").trim_end());
            text.push('\n');
        }
        for (word, remarks) in [("left behind", left), ("note", notes)] {
            for Remark { file, label, words } in remarks {
                text.push_str(&format!("{word}: '{label}' ({file}): {words}\n"));
            }
        }
        text
    }

    fn told(&self, dry_run: bool) -> Json {
        let counts = self
            .counts
            .iter()
            .map(|(kind, (before, after))| (kind.clone(), json!({ "before": before, "after": after })));
        let remarks = |remarks: &[Remark]| -> Vec<Json> {
            let told = |remark: &Remark| json!({ "file": remark.file, "label": remark.label, "reason": remark.words });
            remarks.iter().map(told).collect()
        };
        json!({
            "label": self.label,
            "serial": self.serial,
            "slot": if dry_run { Json::Null } else { json!(self.slot.0) },
            "objects": counts.collect::<serde_json::Map<_, _>>(),
            "proven": self.proven,
            "left": remarks(&self.left),
            "notes": remarks(&self.notes),
        })
    }
}
/// Takes back what a run made, as far as that goes. What stopped it comes first in the error, whatever else is said.
pub(super) fn taken_back(why: Fault, made: &[Target<'_>]) -> Fault {
    let undone = |target: &Target<'_>| {
        let failed = target.undo().err()?;
        Some(format!("; token '{}' cannot be taken back: {}", target.label, failed.text(None)))
    };
    let stay: String = made.iter().filter_map(undone).collect();
    if stay.is_empty() {
        return why;
    }
    let words = |first: &str| format!("{}{stay}", first.trim_end());
    match why {
        Fault::Engine(_) | Fault::Explained(..) => Fault::Failed(words(&why.text(None))),
        Fault::Usage(first) => Fault::Usage(words(&first)),
        Fault::NotFound(first) => Fault::NotFound(words(&first)),
        Fault::Settings(first) => Fault::Settings(words(&first)),
        Fault::Pin(first) => Fault::Pin(words(&first)),
        Fault::Failed(first) => Fault::Failed(words(&first)),
    }
}
