//! Uses of keys: what is counted of them, and how it is written down.
//!
//! The chain is like that of the audit, in a file of its own beside the counts of PINs: who uses keys need not be able to
//! write the token. How it looks outside: `docs/format-audit.md`.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Weak},
};

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{NewUse, UseTotal};
use types::{AttributeType, MechanismType};

use crate::{Error, alarms, audit::Link, object::Object};

/// What is written down of uses of a token's keys. It holds from the next login on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UseAudit {
    /// Nothing.
    #[default]
    Off,
    /// How often each key was used, in what way, by which program, in each minute.
    Counted,
    /// Each use, within a tenth of a second as long as others follow, and at logout.
    Each,
    /// Each use, before it happens: what cannot be written down does not happen.
    Forced,
}

/// The words for them, and their numbers in a token header.
const WORDS: [(UseAudit, &str, u8); 4] = [
    (UseAudit::Off, "off", 0),
    (UseAudit::Counted, "counted", 1),
    (UseAudit::Each, "each", 2),
    (UseAudit::Forced, "forced", 3),
];

impl UseAudit {
    pub(crate) fn number(self) -> u8 {
        WORDS.iter().find(|(rule, ..)| *rule == self).map_or(0, |(_, _, number)| *number)
    }

    pub(crate) fn of_number(number: u8) -> Option<Self> {
        WORDS.iter().find(|(.., known)| *known == number).map(|(rule, ..)| *rule)
    }
}

impl fmt::Display for UseAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WORDS.iter().find(|(rule, ..)| rule == self).map_or("", |(_, word, _)| word))
    }
}

impl FromStr for UseAudit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = WORDS.iter().find(|(_, word, _)| *word == text).map(|(rule, ..)| *rule);
        found.ok_or_else(|| "must be off, counted, each or forced".to_owned())
    }
}

/// What came of a wish to use a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was allowed.
    Allowed,
    /// It was not.
    Denied,
    /// It was allowed and so is written down by itself, but what was to be decrypted or unwrapped was nothing that the key opens.
    Failed,
}

/// The words behind an operation whose outcome is no success.
const OUTCOMES: [(&str, Outcome); 2] = [(" denied", Outcome::Denied), (" failed", Outcome::Failed)];

impl Outcome {
    /// What an entry's member `operation` says: the operation itself, and its outcome.
    #[must_use]
    pub fn split(operation: &str) -> (&str, Self) {
        let cut = OUTCOMES.iter().find_map(|(word, outcome)| Some((operation.strip_suffix(word)?, *outcome)));
        cut.unwrap_or((operation, Self::Allowed))
    }

    fn word(self) -> &'static str {
        OUTCOMES.iter().find(|(_, outcome)| *outcome == self).map_or("", |(word, _)| word)
    }
}

/// Uses of a key in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    key: Vec<u8>,
    /// Who was logged in.
    who: &'static str,
    way: Way,
    count: u64,
    /// The first and the last time, in seconds since 1970.
    between: (u64, u64),
}

/// In what way a key is used: what is done, by which mechanism if by one, and whether that was allowed.
pub(crate) type Way = (Operation, Option<MechanismType>, Outcome);

/// What is done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// What an attribute allows: `CKA_SIGN`, …
    By(AttributeType),
    /// Its value goes into a digest.
    Digest,
    /// It leaves, wrapped by another key.
    Wrapped,
    /// A session gets a copy of it, whose uses are not written down.
    Copied,
}

impl Operation {
    fn word(self) -> String {
        match self {
            Self::By(attribute) => word(attribute),
            Self::Digest => "digest".to_owned(),
            Self::Wrapped => "wrapped".to_owned(),
            Self::Copied => "copied".to_owned(),
        }
    }
}

/// A use of a key by what allows it: `sign` of `CKA_SIGN`.
pub(crate) fn word(attribute: AttributeType) -> String {
    let word = attribute.to_string();
    word.strip_prefix("CKA_").unwrap_or(&word).to_lowercase()
}

impl Use {
    /// One use, now.
    pub(crate) fn now(key: &Object, who: &'static str, way: Way) -> Self {
        let now = alarms::now();
        let unique_id = key.attributes.bytes(AttributeType::UNIQUE_ID).unwrap_or_default();
        Self { key: unique_id.to_vec(), who, way, count: 1, between: (now, now) }
    }

    /// Whether it is one of the same key, by the same person, in the same way.
    fn is_like(&self, other: &Self) -> bool {
        (&self.key, self.who, self.way) == (&other.key, other.who, other.way)
    }

    /// Adds to uses of the same key in the same way, if there are such.
    fn merge(self, into: &mut Vec<Self>) {
        match into.iter_mut().find(|known| known.is_like(&self)) {
            Some(known) => {
                known.count = known.count.saturating_add(self.count);
                known.between = (known.between.0.min(self.between.0), known.between.1.max(self.between.1));
            }
            None => into.push(self),
        }
    }

    /// The entry for it. `caller` is what [`alarms::caller`] says.
    pub(crate) fn entry(&self, number: u64, caller: &Json, first: Option<&BatchFacts>) -> NewUse {
        let Self { key, who, way: (operation, mechanism, outcome), count, between } = self;
        let operation = format!("{}{}", operation.word(), outcome.word());
        let total = UseTotal {
            key: String::from_utf8_lossy(key).into_owned(),
            operation,
            mechanism: mechanism.map(|mechanism| mechanism.to_string()).unwrap_or_default(),
            program: alarms::program().unwrap_or_default(),
            who: (*who).to_owned(),
            uses: *count,
            between: *between,
        };
        let mut text = json!({
            "n": number,
            "event": "key-used",
            "key": total.key,
            "operation": total.operation,
            "mechanism": total.mechanism,
            "program": total.program,
            "process": std::process::id(),
            "caller": caller,
            "who": total.who,
            "uses": total.uses,
            "from": total.between.0,
            "to": total.between.1,
        });
        if let (Some(text), Some(BatchFacts { audit: (entries, link), lost })) = (text.as_object_mut(), first) {
            text.insert("audit".to_owned(), json!({ "n": entries, "link": crate::hex::digits(link) }));
            if *lost > 0 {
                text.insert("lost".to_owned(), json!(lost));
            }
        }
        NewUse { text: text.to_string(), total }
    }
}

/// What the first entry of those that are written together says of more than itself.
pub(crate) struct BatchFacts {
    /// Number and link of the last entry of the token's audit.
    pub(crate) audit: (u64, Link),
    /// How many uses could not be written down before.
    pub(crate) lost: u64,
}

/// The link of an entry.
pub(crate) fn link(before: &Link, number: u64, text: &str) -> Link {
    let mut hash = Sha256::new();
    hash.update(b"strongroom uses");
    hash.update(before);
    hash.update(number.to_be_bytes());
    hash.update(text.as_bytes());
    hash.finalize().into()
}

/// What a session has counted since it told its slot last.
#[derive(Default)]
pub(crate) struct Tally {
    uses: Vec<Use>,
    /// The key that was used last, in which way, and where that is counted. Not held, so that it goes when it has to; and
    /// as long as this is there, no other object has its address.
    last: Option<(Weak<Object>, &'static str, Way, usize)>,
    /// When the first of them was counted, in milliseconds of a clock that only goes on. While they are here, the times of
    /// uses are by it too.
    since: u64,
}

impl Tally {
    /// Counts a use, and says whether it is time to tell the slot.
    pub(crate) fn count(&mut self, key: &Arc<Object>, who: &'static str, way: Way, now: u64) -> bool {
        if let Some((last, last_who, last_way, at)) = &self.last
            && Weak::as_ptr(last) == Arc::as_ptr(key)
            && (*last_who, *last_way) == (who, way)
            && let Some(known) = self.uses.get_mut(*at)
        {
            known.count = known.count.saturating_add(1);
            known.between.1 = now;
        } else {
            if self.uses.is_empty() {
                self.since = now;
            }
            let new = Use { between: (now, now), ..Use::now(key, who, way) };
            let at = self.uses.iter().position(|known| known.is_like(&new)).unwrap_or(self.uses.len());
            new.merge(&mut self.uses);
            self.last = Some((Arc::downgrade(key), who, way, at));
        }
        now.saturating_sub(self.since) >= MINUTE || self.uses.len() >= MOST_COUNTED
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }

    /// What was counted up to `now`, and since when; nothing is left.
    pub(crate) fn take(&mut self, now: u64) -> (Vec<Use>, u64) {
        self.last = None;
        let today = alarms::now();
        let time = |at: u64| today.saturating_sub(now.saturating_sub(at) / 1000);
        let mut uses = std::mem::take(&mut self.uses);
        uses.iter_mut().for_each(|one| one.between = (time(one.between.0), time(one.between.1)));
        (uses, self.since)
    }
}

/// For how long uses are counted before they are written down, in milliseconds.
const MINUTE: u64 = 60_000;

/// More ways of using keys than this are not counted by one session at a time.
const MOST_COUNTED: usize = 64;

/// Uses that wait to be written down, in the order in which they came.
#[derive(Default)]
pub(crate) struct Pending {
    uses: Vec<Use>,
    /// How many are being written just now; they came before those.
    in_flight: u64,
    /// How many were written since the beginning, or lost.
    done: u64,
    /// How many of them nobody could write down.
    lost: u64,
    /// The last place among those that were lost.
    lost_through: u64,
    /// The last place that could not be written at the last attempt, and why. It is not tried again before a time.
    failure: Option<Failure>,
    /// When the first of them came, in milliseconds of a clock that only goes on.
    since: u64,
}

struct Failure {
    through: u64,
    why: Error,
    again: u64,
}

/// Uses that are being written down.
pub(crate) struct Batch {
    pub(crate) uses: Vec<Use>,
    /// How many were lost before.
    pub(crate) lost: u64,
}

/// More uses do not wait: where they cannot be written down, the oldest are lost, and that is written down.
const MOST_PENDING: usize = 65_536;

/// So many are written down at once.
const BATCH: usize = 1024;

/// For how long nobody tries again to write what could not be written, in milliseconds.
const PAUSE: u64 = 10_000;

/// For how long each of them waits at most if others follow, in milliseconds.
const WAIT: u64 = 100;

impl Pending {
    /// Adds uses that were counted since a time to those that wait.
    pub(crate) fn merge(&mut self, (counted, since): (Vec<Use>, u64)) {
        if counted.is_empty() {
            return;
        }
        self.begin(since);
        counted.into_iter().for_each(|one| one.merge(&mut self.uses));
        self.bound();
    }

    /// Adds one use, and gives its place: it is written down once that many were.
    pub(crate) fn push(&mut self, one: Use, now: u64) -> u64 {
        self.begin(now);
        self.uses.push(one);
        self.bound();
        self.done.saturating_add(self.in_flight).saturating_add(self.uses.len() as u64)
    }

    /// Whether it is time to write them down, each by itself or as counted.
    pub(crate) fn is_due(&self, rule: UseAudit, now: u64) -> bool {
        let wait = match rule {
            UseAudit::Each | UseAudit::Forced => WAIT,
            UseAudit::Off | UseAudit::Counted => MINUTE,
        };
        let waited = now.saturating_sub(self.since) >= wait || self.uses.len() >= BATCH;
        let paused = self.failure.as_ref().is_some_and(|failure| now < failure.again);
        !self.uses.is_empty() && waited && !paused
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }

    /// How many uses wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.uses.iter().map(|one| one.count).sum()
    }

    /// What has become of the use in a place: `None` while it waits and nobody has tried to write it.
    pub(crate) fn outcome(&self, place: u64) -> Option<Result<(), Error>> {
        if place <= self.lost_through {
            return Some(Err(Error::Internal("a use waited for too long")));
        }
        if place <= self.done {
            return Some(Ok(()));
        }
        self.failure.as_ref().filter(|failure| place <= failure.through).map(|failure| Err(failure.why.clone()))
    }

    /// What is to be written. Until [`Pending::finish`] it is called no second time.
    pub(crate) fn take(&mut self) -> Batch {
        self.in_flight = self.uses.len() as u64;
        Batch { uses: std::mem::take(&mut self.uses), lost: self.lost }
    }

    /// They were written.
    pub(crate) fn written(&mut self, batch: &Batch, now: u64) {
        self.done = self.done.saturating_add(std::mem::take(&mut self.in_flight));
        self.lost = self.lost.saturating_sub(batch.lost);
        self.failure = None;
        self.since = now;
    }

    /// They were not, and wait again.
    pub(crate) fn failed(&mut self, batch: Batch, why: Error, now: u64) {
        self.in_flight = 0;
        let through = self.done.saturating_add(batch.uses.len() as u64);
        self.failure = Some(Failure { through, why, again: now.saturating_add(PAUSE) });
        let later = std::mem::replace(&mut self.uses, batch.uses);
        self.uses.extend(later);
        self.since = now;
        self.bound();
    }

    /// A use that waits does not happen.
    pub(crate) fn deny(&mut self, place: u64) {
        let at = place.checked_sub(self.done).and_then(|at| at.checked_sub(1)).and_then(|at| usize::try_from(at).ok());
        if let Some(one) = at.and_then(|at| self.uses.get_mut(at)) {
            one.way.2 = Outcome::Denied;
        }
    }

    fn begin(&mut self, now: u64) {
        if self.uses.is_empty() {
            self.since = now;
        }
    }

    fn bound(&mut self) {
        let over = self.uses.len().saturating_sub(MOST_PENDING);
        self.lost = self.lost.saturating_add(self.uses.drain(..over).map(|one| one.count).sum());
        self.done = self.done.saturating_add(over as u64);
        if over > 0 {
            self.lost_through = self.done;
        }
    }
}
