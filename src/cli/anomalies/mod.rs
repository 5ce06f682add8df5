//! What is out of the ordinary in how keys are used: rules over the uses that were written down, in one pass.
//!
//! What a key usually does is learned of its own uses (`baseline`). Nothing here reads or writes anything; `look` does.

mod baseline;
mod deny;
pub(crate) mod look;
mod notify;
mod rules;
mod settings;
#[cfg(test)]
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use engine::UseOutcome;
use serde_json::{Value as Json, json};

use self::baseline::Baseline;
pub(crate) use self::{rules::Rule, settings::Settings};
use crate::series::HOUR;

/// The same finding of the same key is not told again for so long: what lasts a night is told once.
const QUIET: u64 = 6 * HOUR;

/// Of more processes it is not known when they used a key last. Those that did so longest ago are forgotten.
const MOST_PROCESSES: usize = 4096;

/// A use of a key, or several of one kind within a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// How the key is called.
    pub(crate) key: String,
    pub(crate) operation: String,
    pub(crate) mechanism: String,
    pub(crate) program: String,
    /// Who was logged in.
    pub(crate) who: String,
    pub(crate) process: u64,
    pub(crate) outcome: UseOutcome,
    pub(crate) uses: u64,
    /// When the last of them was, in seconds since 1970.
    pub(crate) at: u64,
}

impl Use {
    /// Of an entry of the book, without its key's name.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let entry: Json = serde_json::from_str(text).ok()?;
        let text = |name: &str| Some(entry.get(name)?.as_str()?.to_owned());
        let number = |name: &str| entry.get(name)?.as_u64();
        let whole = text("operation")?;
        let (operation, outcome) = UseOutcome::split(&whole);
        Some(Self {
            key: text("key")?,
            operation: operation.to_owned(),
            mechanism: text("mechanism")?,
            program: text("program")?,
            who: text("who")?,
            process: number("process")?,
            outcome,
            uses: number("uses")?,
            at: number("to")?,
        })
    }

    fn caller(&self) -> String {
        format!("{} ({})", self.program, self.who)
    }

    fn way(&self) -> String {
        if self.mechanism.is_empty() {
            self.operation.clone()
        } else {
            format!("{} with {}", self.operation, self.mechanism)
        }
    }
}

/// How sure it is that a finding is more than chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sure {
    /// It is what it says.
    Certain,
    /// It hardly happens by chance.
    Likely,
    /// It may well be what somebody meant to do.
    Possible,
}

impl Sure {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

/// Something out of the ordinary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    /// How the key is called; nothing if it is about none.
    pub(crate) key: String,
    /// In seconds since 1970.
    pub(crate) at: u64,
    /// The program and who was logged in, if it is about one.
    pub(crate) caller: String,
    pub(crate) words: String,
    pub(crate) sure: Sure,
}

impl Finding {
    pub(crate) fn told(&self) -> Json {
        let Self { rule, key, at, caller, words, sure } = self;
        json!({
            "rule": rule.name(), "key": key, "time": at, "caller": caller, "words": words, "sure": sure.word(),
        })
    }
}

/// Whether the entries of a process come in the order of their times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// They do: each use is written down by itself.
    ByTime,
    /// Uses are counted first, and a session that rests tells them late.
    Loose,
}

/// Times by rule and key.
type Latest = BTreeMap<(Rule, String), u64>;

/// Takes uses as they were written down, and keeps what is out of the ordinary.
pub(crate) struct Watch {
    settings: Settings,
    order: Order,
    now: u64,
    keys: BTreeMap<String, Baseline>,
    /// When each process used a key last.
    processes: BTreeMap<(u64, String), u64>,
    /// When each was told last, by rule, key, and what tells one from another.
    told: BTreeMap<(Rule, String, String), u64>,
    findings: Vec<Finding>,
    /// When each rule found something about each key last, whether that was told or not.
    latest: Latest,
    /// When somebody has let each key be used, as findings call it: what failed before that has been looked at.
    enabled: BTreeMap<String, u64>,
    /// When the last entry of the management audit was written.
    managed: u64,
}

impl Watch {
    pub(crate) fn new(settings: Settings, order: Order, now: u64) -> Self {
        Self {
            settings,
            order,
            now,
            keys: BTreeMap::new(),
            processes: BTreeMap::new(),
            told: BTreeMap::new(),
            findings: Vec::new(),
            latest: Latest::new(),
            enabled: BTreeMap::new(),
            managed: 0,
        }
    }

    /// Says when somebody has let a key be used.
    pub(crate) fn enabled(&mut self, key: &str, at: u64) {
        self.enabled.insert(key.to_owned(), at);
    }

    /// What was found, as it came.
    #[cfg(test)]
    pub(crate) fn findings(self) -> Vec<Finding> {
        self.findings
    }

    /// The same, and when each rule found something last.
    pub(crate) fn end(self) -> (Vec<Finding>, Latest) {
        (self.findings, self.latest)
    }

    /// A use, in the order in which they were written down.
    pub(crate) fn used(&mut self, one: &Use) {
        self.clock(one);
        // A time that has not come teaches nothing.
        if one.at > self.now.saturating_add(self.settings.clock_back_seconds) {
            return;
        }
        let mut key = self.keys.remove(&one.key).unwrap_or_else(|| Baseline::new(one.at));
        if let Some(enabled) = self.enabled.get(&one.key).filter(|enabled| one.at > **enabled) {
            key.forget_refused(*enabled);
        }
        for rule in rules::OF_USES {
            if let Some(found) = rule(&mut key, one, &self.settings) {
                // What was refused has misused nothing; a burst of it may.
                if one.outcome != UseOutcome::Denied || found.0.rule == Rule::FailureBurst {
                    let latest = self.latest.entry((found.0.rule, found.0.key.clone())).or_default();
                    *latest = found.0.at.max(*latest);
                }
                self.tell(found);
            }
        }
        self.keys.insert(one.key.clone(), key);
    }

    /// An entry of the management audit, and how many wrong PINs of whom it tells of.
    pub(crate) fn managed(&mut self, at: u64, wrong: Option<(&str, u64)>) {
        if at.saturating_add(self.settings.clock_back_seconds) < self.managed {
            self.clock_back(at, self.managed, "", "an entry of the audit");
        }
        self.managed = at;
        if let Some((whose, count)) = wrong.filter(|(_, count)| *count >= self.settings.wrong_pins) {
            self.tell((
                Finding {
                    rule: Rule::PinFailures,
                    key: String::new(),
                    at,
                    caller: whose.to_owned(),
                    words: format!("{count} wrong PINs of the {whose} were tried before the right one"),
                    sure: Sure::Likely,
                },
                at.to_string(),
            ));
        }
    }

    /// What is found by somebody else, if its rule is on.
    pub(crate) fn found(&mut self, finding: Finding) {
        let apart = finding.words.clone();
        self.tell((finding, apart));
    }

    fn clock(&mut self, one: &Use) {
        if one.at > self.now.saturating_add(self.settings.clock_back_seconds) {
            self.clock_back(self.now, one.at, &one.key, "now");
        }
        if self.order == Order::Loose {
            return;
        }
        let process = (one.process, one.program.clone());
        let before = self.processes.insert(process, one.at).unwrap_or_default();
        if one.at.saturating_add(self.settings.clock_back_seconds) < before {
            self.clock_back(one.at, before, &one.key, "a use");
        }
        if self.processes.len() > MOST_PROCESSES
            && let Some(oldest) = self.processes.iter().min_by_key(|(_, at)| **at).map(|(process, _)| process.clone())
        {
            self.processes.remove(&oldest);
        }
    }

    fn clock_back(&mut self, at: u64, before: u64, key: &str, what: &str) {
        let words = format!("{what} is {} seconds before what was written down earlier", before.saturating_sub(at));
        // When it was noticed: whoever asks for what is new must not miss it because the clock was set.
        let (key, caller, at) = (key.to_owned(), String::new(), before.max(at).min(self.now));
        self.tell((Finding { rule: Rule::ClockBack, key, at, caller, words, sure: Sure::Certain }, String::new()));
    }

    /// Keeps a finding, unless its rule is off or the same was told lately.
    fn tell(&mut self, (finding, apart): (Finding, String)) {
        if !self.settings.is_on(finding.rule) {
            return;
        }
        let at = finding.at;
        let before = self.told.get(&(finding.rule, finding.key.clone(), apart.clone()));
        if before.is_some_and(|before| before.abs_diff(at) < QUIET) {
            return;
        }
        self.told.insert((finding.rule, finding.key.clone(), apart), at);
        self.findings.push(finding);
    }
}

/// Who uses a key, or how, up to a number: whatever is more is taken for known, so that nobody fills the memory.
#[derive(Default)]
struct Known(BTreeSet<String>);

/// A key that is used by more programs, or in more ways, has no habit.
const MOST_KNOWN: usize = 256;

impl Known {
    /// Whether it was not known.
    fn learn(&mut self, one: &str) -> bool {
        !self.0.contains(one) && self.0.len() < MOST_KNOWN && self.0.insert(one.to_owned())
    }
}
