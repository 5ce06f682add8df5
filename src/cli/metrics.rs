//! Numbers about tokens for Prometheus, in its text format (exposition formats, 0.0.4).

use std::{collections::BTreeMap, fmt::Write as _};

use engine::Engine;
use serde_json::{Value as Json, json};

use crate::{
    answer::Answer,
    fault::Fault,
    label,
    pin::Source,
    rotation,
    select::{TokenChoice, UserLogin},
    sight::{Inside, Outside, Token},
};

/// One number.
struct Sample {
    labels: Vec<(&'static str, String)>,
    value: u64,
}

/// The numbers of one name, in the order in which they were found.
#[derive(Default)]
struct Families(BTreeMap<&'static str, Vec<Sample>>);

/// What each is; those that only rise are counters.
const FAMILIES: &[(&str, &str, &str)] = &[
    ("strongroom_alarms_total", "counter", "Alarms that this machine's files have, by kind."),
    ("strongroom_audit_checkpoint", "gauge", "The number of the last entry that is a checkpoint; 0 if there is none."),
    ("strongroom_audit_entries", "gauge", "Entries that were written down of a token."),
    ("strongroom_audit_whole", "gauge", "1 if all entries are as they were written, else 0."),
    ("strongroom_keys", "gauge", "Keys by kind and state; a pair is one."),
    ("strongroom_keys_due", "gauge", "Keys whose rotation is due."),
    ("strongroom_keys_pending_deletion", "gauge", "Halves of keys that were deleted and can be restored."),
    ("strongroom_pin_locked", "gauge", "1 if a PIN is locked."),
    ("strongroom_pin_wrong", "gauge", "1 if a PIN was wrong since the last right one."),
    ("strongroom_token_damaged", "gauge", "1 if a token cannot be read."),
    ("strongroom_token_deletion_window_days", "gauge", "For how many days keys that are deleted can be restored."),
    ("strongroom_token_info", "gauge", "A token."),
    ("strongroom_token_write_protected", "gauge", "1 if a token cannot be written by this user."),
];

impl Families {
    fn add(&mut self, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.0.entry(name).or_default().push(Sample { labels, value });
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, kind, help) in FAMILIES {
            let Some(samples) = self.0.get(name) else { continue };
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for Sample { labels, value } in samples {
                let labels: Vec<String> =
                    labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
                let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        text
    }

    fn told(&self) -> Json {
        let sample = |name: &str, sample: &Sample| {
            let labels: BTreeMap<_, _> = sample.labels.iter().cloned().collect();
            json!({ "name": name, "labels": labels, "value": sample.value })
        };
        self.0.iter().flat_map(|(name, samples)| samples.iter().map(move |one| sample(name, one))).collect()
    }
}

/// The value of a label as the format has it, without what would turn the terminal round.
fn escaped(value: &str) -> String {
    label::line(value).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

pub(crate) fn run(engine: &Engine, token: &TokenChoice, pin: Option<&Source>) -> Result<Answer, Fault> {
    let mut families = Families::default();
    let outside = Outside::of(engine)?;
    outside.tokens.iter().for_each(|token| of_token(&mut families, token));
    let mut alarms: BTreeMap<&str, u64> = BTreeMap::new();
    for alarm in &outside.alarms {
        let kind = alarm.get("alarm").and_then(Json::as_str);
        *alarms.entry(kind.unwrap_or("unreadable")).or_default() += 1;
    }
    for (kind, count) in alarms {
        families.add("strongroom_alarms_total", &[("alarm", kind)], count);
    }
    if let Some(pin) = pin {
        of_keys(&mut families, engine, &UserLogin::new(token.clone(), pin.clone()))?;
    }
    Ok(Answer::new(families.text(), families.told()))
}

/// What a token tells before anybody has logged in.
fn of_token(families: &mut Families, token: &Token) {
    let slot = token.slot.0.to_string();
    families.add("strongroom_token_damaged", &[("slot", &slot)], token.told.is_err().into());
    if token.told.is_err() {
        return;
    }
    let serial = ("serial", token.text("serial"));
    families.add(
        "strongroom_token_info",
        &[serial, ("label", token.text("label")), ("slot", &slot), ("profile", token.text("profile"))],
        1,
    );
    families.add("strongroom_token_write_protected", &[serial], token.has("CKF_WRITE_PROTECTED").into());
    families.add("strongroom_token_deletion_window_days", &[serial], token.number("/deletion_days"));
    for (whose, flags) in [("user", "USER"), ("officer", "SO")] {
        let labels = [serial, ("whose", whose)];
        families.add("strongroom_pin_locked", &labels, token.has(&format!("CKF_{flags}_PIN_LOCKED")).into());
        families.add("strongroom_pin_wrong", &labels, token.has(&format!("CKF_{flags}_PIN_COUNT_LOW")).into());
    }
}

/// What is in a token, for its user.
fn of_keys(families: &mut Families, engine: &Engine, login: &UserLogin) -> Result<(), Fault> {
    let Inside { serial, keys, pending, audit, .. } = Inside::of(engine, login)?;
    let serial = ("serial", &*serial);
    let mut kinds: BTreeMap<(String, String), u64> = BTreeMap::new();
    for key in &keys {
        *kinds.entry((key.kind.clone(), key.state.to_string())).or_default() += 1;
    }
    for ((kind, state), count) in &kinds {
        families.add("strongroom_keys", &[serial, ("kind", kind), ("state", state)], *count);
    }
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    families.add("strongroom_keys_due", &[serial], number(rotation::due(keys).len()));
    families.add("strongroom_keys_pending_deletion", &[serial], number(pending.len()));
    families.add("strongroom_audit_entries", &[serial], audit.entries);
    families.add("strongroom_audit_whole", &[serial], audit.broken.is_none().into());
    families.add("strongroom_audit_checkpoint", &[serial], audit.checkpoint.unwrap_or_default());
    Ok(())
}
