//! What can be seen of tokens at one time. `metrics` and `report` show it, each in its way.

use std::time::{SystemTime, UNIX_EPOCH};

use engine::Engine;
use serde_json::{Value as Json, json};
use types::{SessionHandle, SlotId};

use crate::{
    audit,
    cert::Found,
    fault::Fault,
    key::{self, Key},
    label::Label,
    pending::{self, Row},
    rotation,
    select::{self, Chosen, UserLogin},
    series::DAY,
    token,
};

/// What is seen without a login.
pub(crate) struct Outside {
    /// When it was seen, in seconds since 1970.
    pub(crate) at: u64,
    pub(crate) tokens: Vec<Token>,
    /// The oldest first.
    pub(crate) alarms: Vec<Json>,
}

/// A token as it is seen without a login.
pub(crate) struct Token {
    pub(crate) slot: SlotId,
    /// As it is told to programs, or what is the matter with it.
    pub(crate) told: Result<Json, String>,
    /// What becomes of keys that are deleted.
    pub(crate) kept: String,
}

/// What is in a token, for its user.
pub(crate) struct Inside {
    pub(crate) chosen: Chosen,
    pub(crate) session: SessionHandle,
    pub(crate) serial: String,
    pub(crate) keys: Vec<Key>,
    /// Halves of keys that were deleted and can be restored.
    pub(crate) pending: Vec<Row>,
    pub(crate) audit: Audit,
}

/// What was written down of a token.
#[derive(Clone)]
pub(crate) struct Audit {
    pub(crate) entries: u64,
    /// The number of the last entry that is a checkpoint.
    pub(crate) checkpoint: Option<u64>,
    /// Why not all entries are as they were written.
    pub(crate) broken: Option<String>,
}

/// The words for what is the matter with a token, by its flags.
const FLAGS: [(&str, &str); 7] = [
    ("CKF_USER_PIN_LOCKED", "the user's PIN is locked"),
    ("CKF_SO_PIN_LOCKED", "the security officer's PIN is locked"),
    ("CKF_USER_PIN_FINAL_TRY", "the user's PIN has one try left"),
    ("CKF_SO_PIN_FINAL_TRY", "the security officer's PIN has one try left"),
    ("CKF_USER_PIN_COUNT_LOW", "the user's PIN was wrong since it was right"),
    ("CKF_SO_PIN_COUNT_LOW", "the security officer's PIN was wrong since it was right"),
    ("CKF_WRITE_PROTECTED", "this user cannot write it"),
];

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Outside {
    pub(crate) fn of(engine: &Engine) -> Result<Self, Fault> {
        let tokens = select::tokens(engine)?.into_iter().map(|listed| Token::of(engine, listed)).collect();
        Ok(Self { at: now(), tokens, alarms: pending::raised(engine)? })
    }
}

impl Token {
    pub(crate) fn of(engine: &Engine, (slot, told): select::Listed) -> Self {
        let kept = engine.token_summary(slot).map(|summary| token::kept(&summary.lifecycle)).unwrap_or_default();
        Self { slot, told: told.map_err(|fault| fault.to_string()), kept }
    }

    /// What is the matter with it, in words.
    pub(crate) fn matter(&self) -> Vec<&'static str> {
        FLAGS.iter().filter(|(flag, _)| self.has(flag)).map(|(_, words)| *words).collect()
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.told.as_ref().ok().and_then(|told| told.get(name)?.as_str()).unwrap_or_default()
    }

    pub(crate) fn number(&self, pointer: &str) -> u64 {
        self.told.as_ref().ok().and_then(|told| told.pointer(pointer)?.as_u64()).unwrap_or_default()
    }

    /// Whether PKCS#11 has a flag of it.
    pub(crate) fn has(&self, flag: &str) -> bool {
        let flags = self.told.as_ref().ok().and_then(|told| told.get("flags")?.as_array());
        flags.is_some_and(|flags| flags.iter().any(|known| known == flag))
    }
}

impl Inside {
    pub(crate) fn of(engine: &Engine, login: &UserLogin) -> Result<Self, Fault> {
        let (chosen, session) = login.log_in(engine)?;
        let serial = audit::serial(engine, &chosen)?;
        let keys = key::all(engine, session)?;
        let pending = pending::rows(engine, session)?;
        let audit = Audit::of(engine, session)?;
        Ok(Self { chosen, session, serial, keys, pending, audit })
    }
}

impl Audit {
    /// Reads all of it.
    pub(crate) fn of(engine: &Engine, session: SessionHandle) -> Result<Self, Fault> {
        let mut entries = 0;
        let found = engine.audit(session, &mut |entry| entries = entry.number)?;
        let broken = found.as_ref().err().map(audit::words);
        let checkpoint = found.ok().and_then(|found| found.checkpoint);
        Ok(Self { entries, checkpoint, broken })
    }

    pub(crate) fn told(&self) -> Json {
        let Self { entries, checkpoint, broken } = self;
        json!({ "whole": broken.is_none(), "entries": entries, "checkpoint": checkpoint, "broken": broken })
    }

    pub(crate) fn words(&self) -> String {
        match (&self.broken, self.checkpoint) {
            (Some(why), _) => why.clone(),
            (None, Some(number)) => {
                format!("all {} entries are as they were written; the last checkpoint is entry {number}", self.entries)
            }
            (None, None) => format!("all {} entries are as they were written; none is signed yet", self.entries),
        }
    }
}

/// Something that is to be done by a time, or happens then.
pub(crate) struct Due {
    pub(crate) event: Event,
    /// Of what.
    pub(crate) label: Label,
    /// In seconds since 1970.
    pub(crate) at: u64,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A key is to be rotated.
    Rotation,
    /// A certificate ends.
    Expiry,
    /// A key that was deleted can be restored no longer.
    Loss,
}

impl Event {
    /// To programs, and to people.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Rotation => ("rotation", "key is to be rotated"),
            Self::Expiry => ("expiry", "certificate ends"),
            Self::Loss => ("loss", "deleted key is gone for good"),
        }
    }
}

impl Due {
    /// As it is told to programs.
    pub(crate) fn told(&self) -> Json {
        let Self { event, label, at } = self;
        json!({ "event": event.words().0, "label": &**label, "at": at })
    }
}

/// How far ahead one looks.
const AHEAD: u64 = 90 * DAY;

/// What is due in a token within 90 days, and each key that was deleted, the first thing first.
pub(crate) fn due(inside: &Inside, certificates: &[Found], now: u64) -> Vec<Due> {
    due_of(&inside.keys, &inside.pending, certificates, now)
}

/// The same, of what there is.
pub(crate) fn due_of(keys: &[Key], pending: &[Row], certificates: &[Found], now: u64) -> Vec<Due> {
    let until = now.saturating_add(AHEAD);
    let rotation = |key: &&Key| rotation::is_due(key, until);
    let rotations = keys
        .iter()
        .filter(rotation)
        .filter_map(|key| Some(Due { event: Event::Rotation, label: key.label.clone(), at: key.schedule?.at }));
    let expiry = |found: &Found| {
        let at = found.ends_at().filter(|at| *at <= until)?;
        Some(Due { event: Event::Expiry, label: found.label.clone(), at })
    };
    let loss = |row: &Row| Due { event: Event::Loss, label: row.label.clone(), at: row.gone_at };
    let losses = pending::keys(pending).map(loss);
    let mut all: Vec<Due> = rotations.chain(certificates.iter().filter_map(expiry)).chain(losses).collect();
    all.sort_by(|one, other| (one.at, &one.label).cmp(&(other.at, &other.label)));
    all
}
