//! The rules of a token as a file: shown, compared, tried on what was done, applied.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use engine::{
    Engine, Lifecycle, NewRules, PinCost, Pins, PolicySigner, Profile, SignedPolicy, Summary, UseAudit, replay,
};
use serde_json::{Value as Json, json};

use toml::Value;

use crate::{
    anomalies::Use,
    answer::{Answer, Found},
    audit::{self, Lines, ed25519_key},
    fault::Fault,
    flow::Input,
    key::{self, Dates, hex},
    pin::Source,
    select::{Chosen, TokenChoice, UserLogin},
    series::date,
    token::{OFFICERS, USERS},
};

#[derive(Subcommand)]
pub(crate) enum PolicyVerb {
    /// Prints the rules of a token as a policy file.
    Show {
        #[command(flatten)]
        token: TokenChoice,
    },
    /// Says in which rules a token and a policy file differ. The exit code is 1 if they do.
    Diff {
        /// The policy file.
        file: PathBuf,
        #[command(flatten)]
        token: TokenChoice,
    },
    /// Says which of the uses that were written down a token with this policy would have refused. The exit code is 1 if there are any.
    Test {
        /// The policy file.
        file: PathBuf,
        /// The uses: what `audit uses export` has put out, or - for standard input. Else those of this machine.
        #[arg(long)]
        replay: Option<PathBuf>,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Gives a token the rules of a policy file. If the file has a signer, it has to be signed, and from then on only a newer
    /// policy that is signed by the same one changes the token's rules.
    Apply {
        /// The policy file.
        file: PathBuf,
        /// The file with the signature over it (Ed25519; raw, base64 or hexadecimal digits).
        #[arg(long)]
        signature: Option<PathBuf>,
        #[command(flatten)]
        token: TokenChoice,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
        /// Where the user's PIN comes from, which is needed if recovery changes.
        #[arg(long, default_value = "prompt")]
        pin: Source,
    },
}

/// No policy file is longer.
const LONGEST: u64 = 65_536;

/// A policy as a file says it.
#[derive(Debug)]
struct Policy {
    text: Vec<u8>,
    version: u64,
    /// The token that it is for: its label or serial number.
    token: Option<String>,
    signer: Option<[u8; 32]>,
    rules: BTreeMap<&'static str, Value>,
}

/// A rule: its name in a file, what a token has, and how a value is read.
struct Row {
    name: &'static str,
    now: fn(&Summary) -> Value,
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
static ROWS: [Row; 9] = [
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
        |rules, token, value| {
            rules.lock_deletion = value.as_bool().ok_or("must be true or false")?;
            if token.lifecycle.locked && !rules.lock_deletion { Err("cannot be undone".into()) } else { Ok(()) }
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
        let version = file.get("version").map(|value| number(value, 1, i64::MAX)).transpose();
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

    fn open(path: &Path) -> Result<Self, Fault> {
        let name = path.display();
        let cannot = |why: std::io::Error| Fault::Usage(format!("{name} cannot be read: {why}"));
        if fs::metadata(path).map_err(cannot)?.len() > LONGEST {
            return Err(Fault::Usage(format!("{name} is longer than any policy")));
        }
        Self::read(fs::read(path).map_err(cannot)?).map_err(|why| Fault::Usage(format!("{name}: {why}")))
    }

    /// The rules for a token.
    fn rules(&self, token: &Summary) -> Result<NewRules, Fault> {
        let serial = token.serial.as_str();
        let label = String::from_utf8_lossy(&token.label);
        if let Some(meant) = &self.token
            && meant != serial
            && meant != label.trim_end()
        {
            return Err(Fault::Usage(format!("the policy is for token '{meant}', and not for '{}'", label.trim_end())));
        }
        let mut rules = NewRules::default();
        // In the order of the table.
        for row in &ROWS {
            let Some(value) = self.rules.get(row.name) else { continue };
            (row.set)(&mut rules, token, value).map_err(|why| Fault::Usage(format!("{} {why}", row.name)))?;
        }
        // The token would take the least that its profile has, and be another than the file says.
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
        Ok(rules)
    }

    /// In which rules a token is another: name, what it has, what the policy says.
    fn differences(&self, token: &Summary) -> Vec<(&'static str, Value, &Value)> {
        let of = |row: &'static Row| Some((row.name, (row.now)(token), self.rules.get(row.name)?));
        ROWS.iter().filter_map(of).filter(|(_, now, said)| now != *said).collect()
    }
}

const SIGNER: &str = "signer must be an Ed25519 public key in PEM, as `key export` prints it";

pub(crate) fn run(engine: &Engine, verb: &PolicyVerb) -> Result<Answer, Fault> {
    match verb {
        PolicyVerb::Show { token } => show(engine, &token.choose(engine)?),
        PolicyVerb::Diff { file, token } => {
            let policy = Policy::open(file)?;
            diff(&policy, &engine.token_summary(token.choose(engine)?.slot)?)
        }
        PolicyVerb::Test { file, replay, login } => test(engine, &Policy::open(file)?, replay.as_deref(), login),
        PolicyVerb::Apply { file, signature, token, so_pin, pin } => {
            apply(engine, &token.choose(engine)?, &Policy::open(file)?, signature.as_deref(), (so_pin, pin))
        }
    }
}

fn show(engine: &Engine, token: &Chosen) -> Result<Answer, Fault> {
    let summary = engine.token_summary(token.slot)?;
    let mut text = String::new();
    let next = summary.signer.map_or(1, |signer| signer.version.saturating_add(1));
    if let Some(PolicySigner { public_key, version }) = summary.signer {
        text.push_str(&format!("# Version {version} was applied last; the next one has a higher version.\n"));
        text.push_str(&format!("version = {next}\n"));
        text.push_str(&format!("signer = \"\"\"\n{}\"\"\"\n", audit::ed25519_pem(&public_key)?));
    }
    text.push_str(&format!("token = \"{}\"\n\n[rules]\n", summary.serial.as_str()));
    for row in &ROWS {
        text.push_str(&format!("{} = {}\n", row.name, (row.now)(&summary)));
    }
    let rules: serde_json::Map<String, Json> =
        ROWS.iter().map(|row| (row.name.to_owned(), told(&(row.now)(&summary)))).collect();
    let signer =
        summary.signer.map(|signer| json!({ "public_key": hex(&signer.public_key), "version": signer.version }));
    Ok(Answer::new(text, json!({ "token": summary.serial.as_str(), "signer": signer, "rules": rules })))
}

fn told(value: &Value) -> Json {
    match value {
        Value::Integer(number) => json!(number),
        Value::Boolean(flag) => json!(flag),
        other => json!(other.as_str().map_or_else(|| other.to_string(), str::to_owned)),
    }
}

fn diff(policy: &Policy, token: &Summary) -> Result<Answer, Fault> {
    policy.rules(token)?;
    let differences = policy.differences(token);
    let line = |(name, now, said): &(&str, Value, &Value)| format!("{name}: {now}, and the policy says {said}\n");
    let text: String = differences.iter().map(line).collect();
    let text = if text.is_empty() { "the token is as the policy says\n".to_owned() } else { text };
    let told =
        |(name, now, said): &(&str, Value, &Value)| json!({ "rule": name, "token": told(now), "policy": told(said) });
    let found = if differences.is_empty() { Found::Nothing } else { Found::Faults };
    Ok(Answer { found, ..Answer::new(text, differences.iter().map(told).collect()) })
}

fn apply(
    engine: &Engine,
    token: &Chosen,
    policy: &Policy,
    signature: Option<&Path>,
    (so_pin, pin): (&Source, &Source),
) -> Result<Answer, Fault> {
    let summary = engine.token_summary(token.slot)?;
    let rules = policy.rules(&summary)?;
    if rules.lock_deletion && rules.deletion_days.unwrap_or(summary.lifecycle.deletion_days) == 0 {
        return Err(Fault::Usage("a token that keeps no keys has nothing to lock: deletion-days is 0".into()));
    }
    let signed = match (policy.signer, signature) {
        (Some(signer), Some(path)) => Some((signer, read_signature(path)?)),
        (Some(_), None) => {
            return Err(Fault::Usage("the policy has a signer: --signature names the file with its signature".into()));
        }
        (None, Some(_)) => {
            return Err(Fault::Usage("the policy has no signer, whose signature could be checked".into()));
        }
        (None, None) => None,
    };
    let officer = so_pin.read(OFFICERS)?;
    let user = (rules.recovery.is_some() && summary.user_pin_set).then(|| pin.read(USERS)).transpose()?;
    let pins = Pins { officer: &officer, user: user.as_deref().map(Vec::as_slice) };
    match &signed {
        Some((signer, signature)) => {
            let signed = SignedPolicy { text: &policy.text, signature, version: policy.version, signer: *signer };
            engine.apply_policy(token.slot, &pins, rules, &signed)?;
        }
        None => engine.change_rules(token.slot, &pins, rules)?,
    }
    let changed: Vec<&str> = policy.differences(&summary).into_iter().map(|(name, ..)| name).collect();
    let what = if changed.is_empty() {
        "no rule was another".to_owned()
    } else {
        format!("other than before: {}", changed.join(", "))
    };
    let text = match signed {
        Some(_) => format!("Version {} of the policy holds for token {}; {what}.", policy.version, token.label),
        None => format!("The policy holds for token {}; {what}.", token.label),
    };
    Ok(Answer::new(text, json!({ "changed": changed, "version": signed.map(|_| policy.version) })))
}

fn read_signature(path: &Path) -> Result<Vec<u8>, Fault> {
    let bytes = Input::open(Some(path), "")?.whole(1024)?;
    if bytes.len() == 64 {
        return Ok(bytes);
    }
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let decoded = data_encoding::HEXLOWER_PERMISSIVE.decode(&text).or_else(|_| data_encoding::BASE64.decode(&text));
    decoded
        .map_err(|_| Fault::Usage(format!("{} has no Ed25519 signature: raw, base64 or hexadecimal", path.display())))
}

/// A use that would be refused, and why.
type Way = (String, String, String, String, String);

fn test(engine: &Engine, policy: &Policy, file: Option<&Path>, login: &UserLogin) -> Result<Answer, Fault> {
    let (token, session) = login.log_in(engine)?;
    let summary = engine.token_summary(token.slot)?;
    let rules = policy.rules(&summary)?;
    let mut judge = Judge {
        profile: rules.profile.unwrap_or(summary.profile),
        dates: rules.dates.unwrap_or(summary.lifecycle.dates),
        keys: HashMap::new(),
        refused: BTreeMap::new(),
        uses: 0,
    };
    for key in key::all(engine, session)?.into_iter().chain(key::all_older(engine, session)?) {
        for id in key.unique_ids() {
            judge.keys.insert(id.to_owned(), (key.label.to_string(), key.dates.clone()));
        }
    }
    match file {
        Some(path) => {
            let mut lines = Lines::of(path)?;
            let (mut number, mut known) = (0, 0);
            while let Some(line) = lines.next_line(path)? {
                number += 1;
                if let Some(used) = Use::of(&line) {
                    known += 1;
                    judge.look(&used);
                }
            }
            if known == 0 && number > 0 {
                let name = path.display();
                return Err(Fault::Usage(format!(
                    "{name} has no use of a key: `strongroom audit uses export` puts them out"
                )));
            }
        }
        None => {
            let read = engine.uses(session, &mut |entry, _| {
                if let Some(used) = Use::of(&entry.text) {
                    judge.look(&used);
                }
            })?;
            read.map_err(|broken| Fault::Failed(audit::words(&broken)))?;
        }
    }
    judge.answer()
}

/// What holds the uses against a policy.
struct Judge {
    profile: Profile,
    dates: bool,
    /// Of each key, by its unique id: its label, and its dates.
    keys: HashMap<String, (String, Dates)>,
    refused: BTreeMap<Way, (u64, bool)>,
    uses: u64,
}

impl Judge {
    fn look(&mut self, used: &Use) {
        // What was refused is refused still.
        if used.is_denied {
            return;
        }
        self.uses = self.uses.saturating_add(used.uses);
        let known = self.keys.get(&used.key);
        let label = known.map_or_else(|| used.key.clone(), |(label, _)| label.clone());
        let day = date(used.at);
        let out_of_time = known.filter(|_| self.dates).is_some_and(|(_, (start, end))| {
            start.as_ref().is_some_and(|start| day < *start) || end.as_ref().is_some_and(|end| day > *end)
        });
        let refusal = replay::refusal(self.profile, &used.operation, &used.mechanism);
        let (why, is_certain) = match refusal {
            _ if out_of_time => ("use a key outside its dates", true),
            Some(refusal) => (refusal.what, refusal.is_certain),
            None => return,
        };
        let way = (label, used.operation.clone(), used.mechanism.clone(), used.program.clone(), why.to_owned());
        let entry = self.refused.entry(way).or_insert((0, is_certain));
        entry.0 = entry.0.saturating_add(used.uses);
    }

    fn answer(self) -> Result<Answer, Fault> {
        let mut text = String::new();
        let mut rows = Vec::new();
        for ((label, operation, mechanism, program, why), (uses, is_certain)) in &self.refused {
            let would = if *is_certain { "would be refused" } else { "may be refused" };
            text.push_str(&format!(
                "{label}: {operation} with {mechanism} by {program}, {uses} uses, {would}: {why}\n"
            ));
            rows.push(json!({
                "key": label, "operation": operation, "mechanism": mechanism, "program": program, "uses": uses,
                "certain": is_certain, "why": why,
            }));
        }
        if rows.is_empty() {
            text = format!("none of the {} uses would be refused\n", self.uses);
        }
        let found = if rows.is_empty() { Found::Nothing } else { Found::Faults };
        Ok(Answer { found, ..Answer::new(text, json!({ "uses": self.uses, "refused": rows })) })
    }
}
