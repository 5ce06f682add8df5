//! New versions of keys: now, and when they are due.

use std::{fmt, str::FromStr};

use engine::{Engine, Error, KeyState};
use serde_json::{Value as Json, json};
use types::{AttributeType as A, ObjectClass, SessionHandle, Value};

use crate::{
    answer::{Answer, Found},
    fault::Fault,
    key::{self, Key},
    pending::moment,
    progress,
    select::{Chosen, UserLogin},
    sight,
};

#[derive(clap::Args)]
pub(crate) struct Rotate {
    /// The key: its label, id:HEX, or a `pkcs11:` URI.
    #[arg(required_unless_present = "due", conflicts_with = "due")]
    key: Option<String>,
    /// Does not rotate it now, but says how often it is to be: 90d, 12h, 30m or 45s; `never` ends that. `key list --due` has those that
    /// are due.
    #[arg(long, value_name = "PERIOD", conflicts_with = "due")]
    every: Option<Period>,
    /// Rotates all keys that are due.
    #[arg(long)]
    due: bool,
    #[command(flatten)]
    login: UserLogin,
}

/// A time between rotations, in seconds; 0 for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period(pub(crate) u64);

/// Units of a period: letter, word and seconds, the longest first.
const UNITS: [(char, &str, u64); 4] =
    [('d', "day", 86_400), ('h', "hour", 3600), ('m', "minute", 60), ('s', "second", 1)];

/// A hundred years.
const LONGEST: u64 = 36_500 * 86_400;

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self(0));
        }
        let read = || {
            let (_, _, seconds) = UNITS.iter().find(|(letter, ..)| text.ends_with(*letter))?;
            let number: u64 = text.get(..text.len() - 1)?.parse().ok()?;
            number.checked_mul(*seconds).filter(|period| (1..=LONGEST).contains(period))
        };
        read().map(Self).ok_or_else(|| "a period is 90d, 12h, 30m or 45s, up to 36500d; or never".to_owned())
    }
}

impl fmt::Display for Period {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, _, seconds)| self.0.is_multiple_of(*seconds));
        let (_, word, seconds) = whole.unwrap_or(&('s', "second", 1));
        match self.0 / seconds {
            1 => write!(to, "1 {word}"),
            number => write!(to, "{number} {word}s"),
        }
    }
}

/// When a key is to be rotated.
#[derive(Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) every: Period,
    /// Seconds since 1970.
    pub(crate) at: u64,
}

impl Schedule {
    /// Of the numbers that a key has.
    pub(crate) fn of(every: Option<u64>, at: Option<u64>) -> Option<Self> {
        Some(Self { every: Period(every?), at: at? })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "every {}, due {}", self.every, moment(self.at))
    }
}

/// Whether a key is due at a time. One that is not enabled is not rotated.
pub(crate) fn is_due(key: &Key, at: u64) -> bool {
    key.state == KeyState::Enabled && key.schedule.is_some_and(|schedule| schedule.at <= at)
}

/// The keys that are due.
pub(crate) fn due(keys: Vec<Key>) -> Vec<Key> {
    let now = sight::now();
    keys.into_iter().filter(|key| is_due(key, now)).collect()
}

pub(crate) fn run(engine: &Engine, asked: &Rotate) -> Result<Answer, Fault> {
    let Some(wanted) = &asked.key else { return all_due(engine, &asked.login) };
    let (token, session, key) = key::choose(engine, wanted, &asked.login)?;
    if let Some(every) = asked.every {
        return schedule(engine, session, &token, &key, every);
    }
    let made = rotated(engine, session, &key)?;
    Ok(Answer::new(said(&key, &made, &token), made.told(engine, &token)?))
}

/// Says how often a key is to be rotated.
fn schedule(
    engine: &Engine,
    session: SessionHandle,
    token: &Chosen,
    key: &Key,
    every: Period,
) -> Result<Answer, Fault> {
    let half = key.made_half()?;
    engine.set_attributes(session, half, vec![(A::SR_ROTATE_EVERY, Value::Number(every.0))])?;
    let key = key::describe(engine, session, half)?;
    let text = match key.schedule {
        Some(schedule) => format!(
            "Key {} of token {} is to be rotated {schedule}: `strongroom key rotate --due` does that.",
            key.label, token.label
        ),
        None => format!("Key {} of token {} has no period.", key.label, token.label),
    };
    Ok(Answer::new(text, key.told(engine, token)?))
}

/// Rotates each key that is due. One that cannot be does not stop the others.
fn all_due(engine: &Engine, login: &UserLogin) -> Result<Answer, Fault> {
    let (token, session) = login.log_in(engine)?;
    let keys = due(key::all(engine, session)?);
    let (mut text, mut made, mut failed) = (String::new(), Vec::new(), Vec::new());
    for key in &keys {
        match rotated(engine, session, key) {
            Ok(new) => {
                text.push_str(&format!("{}\n", said(key, &new, &token)));
                made.push(new.told(engine, &token)?);
            }
            Err(fault) => {
                let why = fault.text(None);
                text.push_str(&format!("Key {} of token {} is not rotated: {why}\n", key.label, token.label));
                failed.push(json!({ "label": &*key.label, "id": key::hex(&key.id), "why": why }));
            }
        }
    }
    if keys.is_empty() {
        text.push_str("no key is due\n");
    }
    let found = if failed.is_empty() { Found::Nothing } else { Found::Faults };
    Ok(Answer { found, ..Answer::new(text, json!({ "rotated": Json::Array(made), "failed": failed })) })
}

/// The new version of a key.
fn rotated(engine: &Engine, session: SessionHandle, key: &Key) -> Result<Key, Fault> {
    let half = key.made_half()?;
    let bar = progress::spinner("making the key");
    let rotated = engine.rotate_key(session, half);
    bar.finish_and_clear();
    let made = rotated.map_err(|error| match (error, key.state) {
        (error @ Error::KeyFunctionNotPermitted, KeyState::Disabled) => Fault::Explained(
            format!("key {} is disabled, and is not rotated: `strongroom key enable` first", key.label),
            error,
        ),
        (error @ Error::KeyFunctionNotPermitted, KeyState::Compromised) => Fault::Explained(
            format!("key {} is compromised, and is not rotated: `strongroom key create` makes another", key.label),
            error,
        ),
        (error, _) => error.into(),
    })?;
    key::describe(engine, session, made)
}

fn said(old: &Key, new: &Key, token: &Chosen) -> String {
    format!(
        "Key {} of token {} has version {} now. Version {} decrypts and verifies only.",
        old.label, token.label, new.version, old.version
    )
}

impl Key {
    /// The half that the other one is made of; of a secret key, the key.
    fn made_half(&self) -> Result<types::ObjectHandle, Fault> {
        self.half(ObjectClass::SECRET_KEY).map_or_else(|| self.must_have(ObjectClass::PRIVATE_KEY), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_and_a_unit_and_is_told_in_the_longest_that_fits() {
        for (text, seconds, words) in [
            ("90d", 90 * 86_400, "90 days"),
            ("24h", 86_400, "1 day"),
            ("90m", 5400, "90 minutes"),
            ("45s", 45, "45 seconds"),
            ("36500d", LONGEST, "36500 days"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!((period.0, &*period.to_string()), (seconds, words));
        }
        assert_eq!("never".parse(), Ok(Period(0)));
        for text in ["", "d", "90", "0d", "-1d", "1.5d", "36501d", "18446744073709551615d", "90é", "90 days"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
