//! Keys that are disabled because of what was found, where a rule says so.

use std::collections::BTreeMap;

use engine::{Engine, KeyState, audit::AuditEntry};
use serde_json::Value as Json;
use types::{AttributeType as A, SessionHandle};

use super::{Latest, Settings};
use crate::{audit::parsed, key::Key, label::Label, series::DAY};

/// What is older has had its consequences, or should have none.
const OLD: u64 = DAY;

/// When somebody has let each object be used, by its unique id: what was found before that has been looked at.
#[derive(Default)]
pub(super) struct Enabled(BTreeMap<String, u64>);

impl Enabled {
    /// Learns of an entry of the audit.
    pub(super) fn learn(&mut self, entry: &AuditEntry) {
        let Ok(entry) = parsed(&entry.text) else { return };
        let text = |name: &str| entry.get(name).and_then(Json::as_str);
        let enabled = text("event") == Some("key-state") && text("to") == Some(&*KeyState::Enabled.to_string());
        if let (true, Some(key), Some(at)) = (enabled, text("unique_id"), entry.get("time").and_then(Json::as_u64)) {
            self.0.insert(key.to_owned(), at);
        }
    }

    fn last(&self, key: &Key) -> u64 {
        key.unique_ids().filter_map(|unique_id| self.0.get(unique_id)).copied().max().unwrap_or_default()
    }
}

/// What was disabled, and what should have been and could not, in words.
#[derive(Default)]
pub(super) struct Disabled {
    pub(super) keys: Vec<Label>,
    pub(super) failed: Vec<String>,
}

/// Disables the keys about which something was found by a rule that wants it. `named` has the keys by what findings call them.
pub(super) fn disable(
    engine: &Engine,
    session: SessionHandle,
    (settings, latest, now): (&Settings, &Latest, u64),
    (named, enabled): (&BTreeMap<String, Key>, &Enabled),
) -> Disabled {
    let mut done = Disabled::default();
    for (name, key) in named {
        let since = enabled.last(key).max(now.saturating_sub(OLD));
        let wanted = latest.iter().any(|((rule, found), at)| settings.disables(*rule) && found == name && *at > since);
        if key.state != KeyState::Enabled || !wanted {
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
