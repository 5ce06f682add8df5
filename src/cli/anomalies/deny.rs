//! Keys that are disabled because of what was found, where a rule says so.

use std::collections::BTreeMap;

use engine::{Engine, KeyState};
use serde_json::{Value as Json, json};
use types::{AttributeType as A, SessionHandle};

use super::{Latest, Settings};
use crate::{key::Key, label::Label, series::DAY};

/// What is older has had its consequences, or should have none.
const OLD: u64 = DAY;

/// When somebody has let each object be used, by its unique id: what was found before that has been looked at.
#[derive(Default)]
pub(super) struct Enabled {
    enabled: BTreeMap<String, u64>,
    made: BTreeMap<String, u64>,
}

impl Enabled {
    /// Learns of an entry of the audit.
    pub(super) fn learn(&mut self, entry: &Json) {
        let text = |name: &str| entry.get(name).and_then(Json::as_str);
        let times = match text("event") {
            Some("key-state") if text("to") == Some(&*KeyState::Enabled.to_string()) => &mut self.enabled,
            Some("object-created") => &mut self.made,
            _ => return,
        };
        if let (Some(key), Some(at)) = (text("unique_id"), entry.get("time").and_then(Json::as_u64)) {
            times.insert(key.to_owned(), at);
        }
    }

    /// When that was of a key last; of a new version, when it was made. A time that has not come says nothing.
    pub(super) fn last(&self, key: &Key, now: u64) -> u64 {
        let made = key.version > 1;
        let times = key.unique_ids().flat_map(|unique_id| {
            let made = self.made.get(unique_id).filter(|_| made);
            self.enabled.get(unique_id).into_iter().chain(made).copied()
        });
        times.filter(|at| *at <= now).max().unwrap_or_default()
    }
}

/// What was disabled, and what should have been and could not, in words.
#[derive(Default)]
pub(super) struct Disabled {
    pub(super) keys: Vec<Label>,
    pub(super) failed: Vec<String>,
}

impl Disabled {
    /// As others are told of it, a line each.
    pub(super) fn told(&self, token: &str, serial: &str, now: u64) -> Vec<Json> {
        let line = |act: &str, words: &str| json!({ "act": act, "words": words, "time": now, "token": token, "serial": serial });
        let done = self.keys.iter().map(|key| line("key-disabled", &format!("key {key} was disabled")));
        done.chain(self.failed.iter().map(|why| line("key-not-disabled", why))).collect()
    }
}

/// Disables the keys about which something was found by a rule that wants it. `named` has the keys by what findings call them.
pub(super) fn disable(
    engine: &Engine,
    session: SessionHandle,
    (settings, latest, now): (&Settings, &Latest, u64),
    (named, enabled): (&BTreeMap<String, Key>, &Enabled),
) -> Disabled {
    let mut done = Disabled::default();
    // When a rule that disables has found something of each key last.
    let mut last = BTreeMap::<&str, u64>::new();
    for ((_, key), at) in latest.iter().filter(|((rule, _), _)| settings.disables(*rule)) {
        let known = last.entry(key).or_default();
        *known = (*known).max(*at);
    }
    for (name, key) in named {
        let since = enabled.last(key, now).max(now.saturating_sub(OLD));
        let at = last.get(name.as_str()).copied().unwrap_or_default();
        if key.state != KeyState::Enabled || at <= since {
            continue;
        }
        let changes = vec![(A::SR_KEY_STATE, KeyState::Disabled.value())];
        match engine.set_attributes_of_all(session, &key.handles(), &changes) {
            Ok(()) => done.keys.push(key.label.clone()),
            Err(fault) => done.failed.push(format!("key {} could not be disabled: {fault}", key.label)),
        }
    }
    done
}
