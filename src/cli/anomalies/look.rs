//! `strongroom alarms look`: the rules over what was written down of a token.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    str::FromStr,
};

use clap::{Args, Subcommand};
use engine::{Engine, UseAudit, audit::AuditEntry};
use serde_json::{Value as Json, json};
use types::SessionHandle;
use x509_cert::der::DateTime;

use super::{
    Finding, Latest, Order, Rule, Settings, Sure, Use, Watch,
    deny::{self, Enabled},
    notify::{Notify, Told},
    rules::RULES,
};
use crate::{
    answer::{Answer, Found},
    audit::{self, parsed},
    backup, cert,
    fault::Fault,
    key::{self, Key},
    label,
    pending::{self, moment},
    rotation::Period,
    select::UserLogin,
    series::DAY,
    sight::{self, Event, Inside},
};

#[derive(Subcommand)]
pub(crate) enum AlarmsVerb {
    /// Looks for what is out of the ordinary in how a token's keys were used: exit code 1 if there is something. What a key usually
    /// does is learned of all that was written down (`token set --use-audit`).
    Look(Look),
}

#[derive(Args)]
pub(crate) struct Look {
    /// Only what was found since then: 2026-11-28T05:00:00Z, or so long ago: 90d, 12h, 30m or 45s. What was before is learned from.
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// A file of TOML that switches rules off and sets their thresholds (docs/guides/alarms.md).
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Tells of what was found, of each rule and key once an hour: file:PATH (lines of JSON are added), syslog,
    /// command:PROGRAM (gets them on its standard input), or https://ADDRESS (curl posts them). May be given more than once.
    #[arg(long, value_name = "WAY")]
    notify: Vec<Notify>,
    #[command(flatten)]
    login: UserLogin,
}

/// A time, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    At(u64),
    Ago(u64),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.parse::<DateTime>(), text.parse::<Period>()) {
            (Ok(at), _) => Ok(Self::At(at.unix_duration().as_secs())),
            (_, Ok(Period(ago))) if ago > 0 => Ok(Self::Ago(ago)),
            _ => Err("must be a time as 2026-11-28T05:00:00Z, or so long ago as 90d, 12h, 30m or 45s".to_owned()),
        }
    }
}

impl Since {
    fn seconds(self, now: u64) -> u64 {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.saturating_sub(ago),
        }
    }
}

pub(crate) fn run(engine: &Engine, verb: &AlarmsVerb) -> Result<Answer, Fault> {
    let AlarmsVerb::Look(asked) = verb;
    let settings = match &asked.rules {
        None => Settings::default(),
        Some(path) => {
            let wrong = |why: String| Fault::Usage(format!("{}: {why}", path.display()));
            let text = fs::read_to_string(path).map_err(|why| wrong(why.to_string()))?;
            Settings::read(&text).map_err(|why| wrong(why.trim_end().to_owned()))?
        }
    };
    let now = sight::now();
    let since = asked.since.map_or(0, |since| since.seconds(now));
    let inside = Inside::of(engine, &asked.login)?;
    let rule = engine.token_summary(inside.chosen.slot)?.uses;
    let Looked { mut findings, latest, named, enabled, unread } =
        looked(engine, &inside, (settings.clone(), rule, now))?;
    // What is due stays so.
    findings.retain(|found| found.at >= since || [Rule::Due, Rule::OldBackup].contains(&found.rule));
    findings.sort_by_key(|found| found.at);
    let notes: Vec<String> = notes(rule, &settings).into_iter().chain(unread).collect();
    // Before anything is done: what was told is to be known.
    let mut told = if asked.notify.is_empty() { None } else { Some(Told::open(&engine.settings().state)?) };
    let denied = deny::disable(engine, inside.session, (&settings, &latest, now), (&named, &enabled));
    let serial = &inside.serial;
    let lines: Vec<Json> = findings.iter().map(|found| line(found, &inside)).collect();
    let mut new: Vec<&Json> = Vec::new();
    if let Some(told) = &mut told {
        let found = findings.iter().zip(&lines);
        new.extend(found.filter(|(found, _)| told.is_new(serial, found, now)).map(|(_, line)| line));
    }
    // What was done is told in any case.
    let acts = denied.told(&inside.chosen.label, serial, now);
    let mut failed = Vec::new();
    if !(new.is_empty() && acts.is_empty()) {
        let all: Vec<&Json> = new.iter().copied().chain(&acts).collect();
        failed.extend(asked.notify.iter().filter_map(|way| way.tell(&all).err()));
        // Kept only after it was told: what could not be told is told the next time, to those who were too.
        if let Some(told) = told.filter(|_| failed.is_empty()) {
            told.keep()?;
        }
    }
    let mut text: String = findings.iter().map(|found| format!("{}\n", words(found))).collect();
    if findings.is_empty() && acts.is_empty() {
        text.push_str("nothing is out of the ordinary\n");
    }
    text.extend(notes.iter().map(|note| format!("note: {note}\n")));
    text.extend(
        denied
            .keys
            .iter()
            .map(|key| format!("key {key} is disabled because of that: `strongroom key enable` ends it\n")),
    );
    text.extend(failed.iter().chain(&denied.failed).map(|why| format!("{why}\n")));
    let is_quiet = findings.is_empty() && acts.is_empty();
    let found = if is_quiet { Found::Nothing } else { Found::Faults };
    let notified = if failed.is_empty() { new.len() } else { 0 };
    Ok(Answer {
        found,
        ..Answer::new(
            text,
            json!({
                "findings": lines, "notified": notified, "failed": failed, "notes": notes,
                "disabled": denied.keys.iter().map(|key| &**key).collect::<Vec<_>>(), "not_disabled": denied.failed,
            }),
        )
    })
}

/// A finding as programs are told of it.
fn line(found: &Finding, inside: &Inside) -> Json {
    let mut line = found.told();
    if let Some(line) = line.as_object_mut() {
        line.insert("token".to_owned(), json!(&*inside.chosen.label));
        line.insert("serial".to_owned(), json!(inside.serial));
    }
    line
}

fn words(found: &Finding) -> String {
    let Finding { rule, key, at, words, sure, .. } = found;
    let key = if key.is_empty() { String::new() } else { format!("key '{key}': ") };
    label::line(&format!("{}  {}  {key}{words} ({})", moment(*at), rule.name(), sure.word()))
}

/// What the rules do not see of a token with its rule about uses.
fn notes(rule: UseAudit, settings: &Settings) -> Vec<String> {
    match rule {
        UseAudit::Off => {
            vec!["uses of keys are not written down: `strongroom token set --use-audit each` does that".to_owned()]
        }
        UseAudit::Counted => RULES
            .iter()
            .filter(|row| settings.is_on(row.rule) && !row.blind.is_empty())
            .map(|row| format!("uses are counted only: {} {}", row.name, row.blind))
            .collect(),
        UseAudit::Each | UseAudit::Forced => Vec::new(),
    }
}

/// What was found, and what is needed to act on it.
struct Looked {
    findings: Vec<Finding>,
    latest: Latest,
    /// The keys by what findings call them.
    named: BTreeMap<String, Key>,
    enabled: Enabled,
    /// What could not be read, in words.
    unread: Vec<String>,
}

fn looked(engine: &Engine, inside: &Inside, (settings, rule, now): (Settings, UseAudit, u64)) -> Result<Looked, Fault> {
    let session = inside.session;
    let ahead = now.saturating_add(settings.due_days.saturating_mul(DAY));
    let old = settings.backup_days.saturating_mul(DAY);
    let mut unread = Vec::new();
    let backup = backup::last(engine, &inside.serial).unwrap_or_else(|fault| {
        unread.push(fault.text(None).to_string());
        None
    });
    let raised = pending::raised(engine).unwrap_or_else(|fault| {
        unread.push(fault.text(None).to_string());
        Vec::new()
    });
    // How much is in no backup, and since when.
    let mut unsaved: Option<(u64, u64)> = None;
    let order = if matches!(rule, UseAudit::Each | UseAudit::Forced) { Order::ByTime } else { Order::Loose };
    let mut watch = Watch::new(settings, order, now);
    let broken = |what: &str, why: String| Finding {
        rule: Rule::ChainBroken,
        key: String::new(),
        at: now,
        caller: String::new(),
        words: format!("{what}: {why}"),
        sure: Sure::Certain,
    };
    // First what was done to the token.
    let mut enabled = Enabled::default();
    let mut learn = |entry: &AuditEntry| {
        let Ok(entry) = parsed(&entry.text) else { return };
        managed(&mut watch, &entry);
        enabled.learn(&entry);
        if let Some(at) = changed(&entry).filter(|at| backup.is_some_and(|backup| *at > backup)) {
            let (count, first) = unsaved.unwrap_or((0, at));
            unsaved = Some((count + 1, first));
        }
    };
    if let Err(why) = engine.audit(session, &mut learn)? {
        watch.found(broken("the audit", audit::words(&why)));
    }
    let (names, named) = names(engine, session)?;
    for (name, key) in &named {
        watch.enabled(name, enabled.last(key, now));
    }
    let mut unreadable = None;
    let found = engine.uses(session, &mut |entry, _| match Use::of(&entry.text) {
        Some(mut one) => {
            if let Some(name) = names.get(&one.key) {
                one.key.clone_from(name);
            }
            watch.used(&one);
        }
        None => {
            unreadable.get_or_insert(entry.number);
        }
    });
    let why = match (found, unreadable) {
        (Err(fault), _) => Some(fault.to_string()),
        (Ok(Err(why)), _) => Some(audit::words(&why)),
        (Ok(Ok(_)), Some(number)) => Some(format!("entry {number} cannot be read")),
        (Ok(Ok(_)), None) => None,
    };
    if let Some(why) = why {
        watch.found(broken("the book of uses", why));
    }
    if let (Some(backup), Some((count, first))) =
        (backup, unsaved.filter(|(_, first)| now.saturating_sub(*first) > old))
    {
        let what = if count == 1 { "1 change is".to_owned() } else { format!("{count} changes are") };
        watch.found(Finding {
            rule: Rule::OldBackup,
            key: String::new(),
            at: first.saturating_add(old),
            caller: String::new(),
            words: format!("{what} in no backup, since {}: the last one is of {}", moment(first), moment(backup)),
            sure: Sure::Certain,
        });
    }
    for alarm in &raised {
        let text = |name: &str| alarm.get(name).and_then(Json::as_str).unwrap_or_default();
        // What a state has refused is in the book, and counted there.
        if text("token") == inside.serial && text("alarm") != "key-state" {
            watch.found(Finding {
                rule: Rule::Raised,
                key: text("key").to_owned(),
                at: pending::raised_at(alarm),
                caller: text("program").to_owned(),
                words: pending::words(alarm),
                sure: Sure::Certain,
            });
        }
    }
    let certificates = cert::all(engine, session)?;
    let due = sight::due(inside, &certificates, now);
    for one in due.iter().filter(|due| due.at <= ahead && due.event != Event::Loss) {
        let (_, words) = one.event.words();
        watch.found(Finding {
            rule: Rule::Due,
            key: one.label.to_string(),
            // Since when it is near: always the same time, so that it is told once.
            at: one.at.saturating_sub(ahead - now),
            caller: String::new(),
            words: format!("{words} {}", moment(one.at)),
            sure: Sure::Certain,
        });
    }
    let (findings, latest) = watch.end();
    Ok(Looked { findings, latest, named, enabled, unread })
}

/// When an entry of the audit has changed what a backup should have.
fn changed(entry: &Json) -> Option<u64> {
    let event = entry.get("event").and_then(Json::as_str)?;
    let is_note = NOTES.contains(&event);
    entry.get("time").and_then(Json::as_u64).filter(|_| !is_note)
}

/// Events after which the token is what it was before.
const NOTES: [&str; 6] =
    ["checkpoint", "wrong-pins", "act-refused", "key-wrapped", "key-import-refused", "rollback-accepted"];

fn managed(watch: &mut Watch, entry: &Json) {
    let number = |name: &str| entry.get(name).and_then(Json::as_u64);
    let text = |name: &str| entry.get(name).and_then(Json::as_str);
    let wrong = (text("event") == Some("wrong-pins")).then(|| Some((text("whose")?, number("count")?))).flatten();
    if let Some(at) = number("time") {
        watch.managed(at, wrong);
    }
}

type ByUniqueId = BTreeMap<String, String>;

/// How the keys are called, by unique id, and the newest version of each by that. Versions of a key are one: what an older one did
/// is its habit.
fn names(engine: &Engine, session: SessionHandle) -> Result<(ByUniqueId, BTreeMap<String, Key>), Fault> {
    let (older, all) = (key::all_older(engine, session)?, key::all(engine, session)?);
    // Two keys may have one label.
    let mut ids = BTreeMap::<&str, BTreeSet<&[u8]>>::new();
    for key in &all {
        ids.entry(&key.label).or_default().insert(&key.id);
    }
    let name = |key: &Key| {
        let others = ids.get(&*key.label);
        let other = others.is_some_and(|ids| ids.iter().any(|id| **id != *key.id));
        if other || key.label.is_empty() {
            format!("{} (id {})", key.label, key::hex(&key.id))
        } else {
            key.label.to_string()
        }
    };
    let mut names = BTreeMap::new();
    for key in older.iter().chain(&all) {
        names.extend(key.unique_ids().map(|unique_id| (unique_id.to_owned(), name(key))));
    }
    let titles: Vec<String> = all.iter().map(name).collect();
    Ok((names, titles.into_iter().zip(all).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        assert_eq!("2026-11-28T05:00:00Z".parse(), Ok(Since::At(1_795_842_000)));
        assert_eq!("2d".parse::<Since>().map(|since| since.seconds(200_000)), Ok(27_200));
        for text in ["", "never", "yesterday", "2026-11-28", "0d"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }
}
