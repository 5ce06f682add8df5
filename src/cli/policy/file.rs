//! A policy as a file, and its rules.

use std::{collections::BTreeMap, path::Path};

use engine::{Lifecycle, NewRules, PinCost, PolicySigner, Profile, Summary, UseAudit};
use toml::Value;

use crate::{audit::ed25519_key, fault::Fault, flow::Input, key::hex};

/// No policy file is longer.
const LONGEST: usize = 65_536;

/// A policy as a file says it.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) text: Vec<u8>,
    pub(super) version: u64,
    /// The token that it is for: its label or serial number.
    token: Option<String>,
    pub(super) signer: Option<[u8; 32]>,
    rules: BTreeMap<&'static str, Value>,
}

/// A rule: its name in a file, what a token has, and how a value is read.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) now: fn(&Summary) -> Value,
    set: fn(&mut NewRules, &Summary, &Value) -> Result<(), String>,
}

const fn row(
    name: &'static str,
    now: fn(&Summary) -> Value,
    set: fn(&mut NewRules, &Summary, &Value) -> Result<(), String>,
) -> Row {
    Row { name, now, set }
}

/// Every rule that a policy can have, in the order in which they are shown.
pub(super) static ROWS: [Row; 9] = [
    row(
        "profile",
        |token| token.profile.to_string().into(),
        |rules, _, value| {
            rules.profile = Some(word(value)?);
            Ok(())
        },
    ),
    row(
        "recovery",
        |token| token.recovery.to_string().into(),
        |rules, token, value| {
            // To change it takes the user's PIN.
            rules.recovery = Some(word(value)?).filter(|recovery| *recovery != token.recovery);
            Ok(())
        },
    ),
    row(
        "deletion-days",
        |token| i64::from(token.lifecycle.deletion_days).into(),
        |rules, _, value| {
            rules.deletion_days = Some(number(value, 0, Lifecycle::MOST_DAYS.into())?);
            Ok(())
        },
    ),
    row(
        "lock-deletion",
        |token| token.lifecycle.locked.into(),
        |rules, _, value| {
            rules.lock_deletion = value.as_bool().ok_or("must be true or false")?;
            Ok(())
        },
    ),
    row(
        "dates",
        |token| (if token.lifecycle.dates { HOLD } else { REFERENCE }).into(),
        |rules, _, value| {
            rules.dates = match value.as_str() {
                Some(HOLD) => Some(true),
                Some(REFERENCE) => Some(false),
                _ => return Err(format!("must be \"{HOLD}\" or \"{REFERENCE}\"")),
            };
            Ok(())
        },
    ),
    row(
        "use-audit",
        |token| token.uses.to_string().into(),
        |rules, _, value| {
            rules.uses = Some(word::<UseAudit>(value)?);
            Ok(())
        },
    ),
    row(
        "pin-tries",
        |token| i64::from(token.pin_tries).into(),
        |rules, _, value| {
            rules.pin_tries = Some(number(value, 1, 1000)?);
            Ok(())
        },
    ),
    row(
        "pin-memory-kib",
        |token| i64::from(token.pin_cost.memory_kib).into(),
        |rules, token, value| {
            let memory_kib = number(value, PinCost::FLOOR.memory_kib.into(), PinCost::CAP.memory_kib.into())?;
            rules.pin_cost = Some(PinCost { memory_kib, ..rules.pin_cost.unwrap_or(token.pin_cost) });
            Ok(())
        },
    ),
    row(
        "pin-passes",
        |token| i64::from(token.pin_cost.passes).into(),
        |rules, token, value| {
            let passes = number(value, PinCost::FLOOR.passes.into(), PinCost::CAP.passes.into())?;
            rules.pin_cost = Some(PinCost { passes, ..rules.pin_cost.unwrap_or(token.pin_cost) });
            Ok(())
        },
    ),
];

const HOLD: &str = "hold";
const REFERENCE: &str = "reference";
/// What a file has.
const HEAD: [&str; 4] = ["version", "token", "signer", "rules"];

fn word<T: std::str::FromStr<Err = String>>(value: &Value) -> Result<T, String> {
    value.as_str().ok_or("must be a word in quotation marks")?.parse()
}

fn number<T: TryFrom<i64>>(value: &Value, least: i64, most: i64) -> Result<T, String> {
    let number = value.as_integer().filter(|number| (least..=most).contains(number));
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| format!("must be a number from {least} to {most}"))
}

impl Policy {
    /// # Errors
    /// In words.
    fn read(text: Vec<u8>) -> Result<Self, String> {
        let file = str::from_utf8(&text).map_err(|_| "it is no text")?;
        let file: toml::Table = file.parse().map_err(|why: toml::de::Error| why.to_string())?;
        if let Some(name) = file.keys().find(|name| !HEAD.contains(&name.as_str())) {
            return Err(format!("there is no '{name}': there are {}", HEAD.join(", ")));
        }
        let string = |name: &str| match file.get(name).map(|value| value.as_str().ok_or(value)) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(_)) => Err(format!("{name} must be text in quotation marks")),
        };
        let signer = string("signer")?.map(|pem| ed25519_key(pem.as_bytes()).ok_or(SIGNER)).transpose()?;
        let version = file.get("version").map(|value| number(value, 1, u32::MAX.into())).transpose();
        let version = version.map_err(|why| format!("version {why}"))?;
        if signer.is_some() && version.is_none() {
            return Err("a policy that has a signer has a version".into());
        }
        let none = toml::Table::new();
        let table = file.get("rules").map_or(Some(&none), Value::as_table).ok_or("'rules' must be a table: [rules]")?;
        let mut rules = BTreeMap::new();
        for (name, value) in table {
            let names = || ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
            let row = ROWS.iter().find(|row| row.name == name);
            let row = row.ok_or_else(|| format!("there is no rule '{name}': there are {}", names()))?;
            rules.insert(row.name, value.clone());
        }
        let (token, version) = (string("token")?.map(str::to_owned), version.unwrap_or(0));
        Ok(Self { version, token, signer, rules, text })
    }

    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let mut input = Input::open(Some(path), "")?;
        Self::read(input.whole(LONGEST)?).map_err(|why| Fault::Usage(format!("{}: {why}", input.name())))
    }

    /// The rules for a token, if the policy is for it. A signed one names its token by what nobody can change: who brings it may
    /// call another token so.
    pub(super) fn rules(&self, token: &Summary) -> Result<NewRules, Fault> {
        let (serial, label) = (token.serial.as_str(), String::from_utf8_lossy(&token.label));
        let is_meant = match (&self.token, self.signer) {
            (None, Some(_)) => {
                return Err(Fault::Usage(format!(
                    "a policy that has a signer has a token, by its serial number: '{serial}'?"
                )));
            }
            (Some(meant), Some(_)) => meant == serial,
            (meant, None) => meant.as_ref().is_none_or(|meant| meant == serial || meant == label.trim_end()),
        };
        if !is_meant {
            let meant = self.token.as_deref().unwrap_or_default();
            return Err(Fault::Usage(format!(
                "the policy is for token '{meant}', and not for '{serial}' ({})",
                label.trim_end()
            )));
        }
        let mut rules = NewRules::default();
        // In the order of the table.
        for row in &ROWS {
            let Some(value) = self.rules.get(row.name) else { continue };
            (row.set)(&mut rules, token, value).map_err(|why| Fault::Usage(format!("{} {why}", row.name)))?;
        }
        Ok(rules)
    }

    /// Refuses what the token would not take as it stands there.
    pub(super) fn must_be_possible(&self, token: &Summary, rules: &NewRules) -> Result<(), Fault> {
        if token.lifecycle.locked && self.rules.get("lock-deletion").and_then(Value::as_bool) == Some(false) {
            return Err(Fault::Usage("lock-deletion cannot be undone".into()));
        }
        if rules.lock_deletion && rules.deletion_days.unwrap_or(token.lifecycle.deletion_days) == 0 {
            return Err(Fault::Usage("a token that keeps no keys has nothing to lock: deletion-days is 0".into()));
        }
        let least = match rules.profile.unwrap_or(token.profile) {
            Profile::Compatible => PinCost::FLOOR,
            Profile::Strict => PinCost::STRICT,
        };
        for (name, given, least) in [
            ("pin-memory-kib", rules.pin_cost.map(|cost| cost.memory_kib), least.memory_kib),
            ("pin-passes", rules.pin_cost.map(|cost| cost.passes), least.passes),
        ] {
            if self.rules.contains_key(name) && given.is_some_and(|given| given < least) {
                return Err(Fault::Usage(format!("{name} must be {least} at least in a strict token")));
            }
        }
        Ok(())
    }

    /// In what a token is another: name, what it has, what the policy says.
    pub(super) fn differences(&self, token: &Summary) -> Vec<(&'static str, Value, Value)> {
        let of = |row: &Row| Some((row.name, (row.now)(token), self.rules.get(row.name)?.clone()));
        let mut all: Vec<_> = ROWS.iter().filter_map(of).collect();
        if let Some(signer) = &self.signer {
            let now = |tell: fn(&PolicySigner) -> Value| token.signer.as_ref().map_or(Value::from("none"), tell);
            all.push(("signer", now(|signer| hex(&signer.public_key).into()), hex(signer).into()));
            all.push(("version", now(|signer| version(signer.version)), version(self.version)));
        }
        all.retain(|(_, now, said)| now != said);
        all
    }
}

fn version(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

const SIGNER: &str = "signer must be an Ed25519 public key in PEM, as `key export` prints it";
