//! Settings, and what is wrong with them and with the store.

use clap::Subcommand;
use engine::{Engine, Settings, User};
use serde_json::json;

use crate::{
    answer::{Answer, Found},
    ephemeral,
    fault::{Fault, quoted},
    integrate::Program,
    needs::Readiness,
    pin::Source,
    select::{self, TokenChoice},
    token,
};

#[derive(Subcommand)]
pub(crate) enum ConfigVerb {
    /// Shows each key, its value, and where it comes from.
    Show,
    /// Says what is wrong with the settings.
    Check,
    /// Names the file that the settings come from.
    Path,
    /// Names the module, for programs that load it.
    Module,
}

pub(crate) fn config(settings: &Settings, verb: &ConfigVerb) -> Result<Answer, Fault> {
    Ok(match verb {
        ConfigVerb::Show => {
            let rows = settings.sources.iter();
            let text: String =
                rows.clone().map(|row| format!("{} = {}  ({})\n", row.key, row.value, row.source)).collect();
            let data = rows.map(|row| json!({ "key": row.key, "value": row.value, "source": row.source })).collect();
            Answer::new(text, data)
        }
        ConfigVerb::Check => {
            let problems: Vec<&str> = settings.problems.iter().map(|problem| problem.text.as_str()).collect();
            let text = if problems.is_empty() { "nothing is wrong".to_owned() } else { problems.join("\n") };
            let found = if problems.is_empty() { Found::Nothing } else { Found::Faults };
            Answer { found, ..Answer::new(text, json!({ "problems": problems })) }
        }
        ConfigVerb::Path => {
            let path = settings.file.as_ref().map(|path| path.display().to_string());
            let none = || "there is no file: the defaults and the environment hold".to_owned();
            Answer::new(path.clone().unwrap_or_else(none), json!({ "path": path }))
        }
        ConfigVerb::Module => {
            let path = ephemeral::installed_module()?.display().to_string();
            Answer::new(path.clone(), json!({ "path": path }))
        }
    })
}

pub(crate) fn doctor(
    engine: &Engine,
    program: Option<&Program>,
    choice: &TokenChoice,
    pin: Option<&Source>,
) -> Result<Answer, Fault> {
    let settings = engine.settings();
    let mut faults: Vec<String> = settings.problems.iter().map(|problem| problem.text.clone()).collect();
    match std::fs::read_dir(&settings.store) {
        Ok(_) => {
            if let Err(fault) = engine.tokens() {
                faults.push(fault.to_string());
            }
        }
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            faults.push(format!("{} is not there yet: `strongroom token init` makes it", settings.store.display()));
        }
        Err(why) => faults.push(format!("{} cannot be listed: {why}", settings.store.display())),
    }
    match engine.slot_conflicts() {
        Ok(conflicts) => faults.extend(conflicts),
        Err(fault) => faults.push(format!("the slots cannot be compared: {fault}")),
    }
    for slot in engine.tokens().unwrap_or_default() {
        if let Err(fault) = engine.token_info(slot) {
            faults.push(format!("slot {}: {fault}", slot.0));
        }
    }
    let looked =
        program.map(|program| (program.name, program.needs.look(ephemeral::installed_module().ok().as_deref())));
    if let Some((_, found)) = &looked {
        faults.extend(found.faults.iter().cloned());
        faults.extend(without_token(engine, choice));
    }
    let mut whole = None;
    if let Some(pin) = pin {
        let chosen = choice.choose(engine)?;
        let session = token::session(engine, &chosen, User::User, &pin.read("User's PIN")?)?;
        let report = engine.check_token(session)?;
        whole = Some(report.whole);
        faults.extend(report.faults);
    }
    let mut text = looked.as_ref().map(|(name, found)| headline(name, found)).unwrap_or_default();
    text.extend(faults.iter().map(|fault| format!("{fault}\n")));
    if let Some(whole) = whole {
        text.push_str(&format!("{whole} objects are whole\n"));
    }
    if faults.is_empty() {
        text.push_str("nothing is wrong\n");
    }
    let notes = looked.iter().flat_map(|(_, found)| &found.notes);
    text.extend(notes.map(|note| format!("note: {note}\n")));
    let lockable = memory::lockable();
    let locked = format!("up to {} KiB of them are locked in memory", lockable / 1024);
    text.push_str(&format!("keys are in no core dump and no forked child; {locked}\n"));
    let found = if faults.is_empty() { Found::Nothing } else { Found::Faults };
    let program = looked.map(|(name, Readiness { path, version, notes, .. })| {
        json!({ "name": name, "path": path, "version": version, "notes": notes })
    });
    let data = json!({ "faults": faults, "whole": whole, "lockable_bytes": lockable, "program": program });
    Ok(Answer { found, ..Answer::new(text, data) })
}

/// Where a program is, in a line.
fn headline(name: &str, found: &Readiness) -> String {
    let version = found.version.as_deref().unwrap_or("of a version that it does not tell");
    match &found.path {
        Some(path) => format!("{name}: {} {version}\n", path.display()),
        None => format!("{name}: not there\n"),
    }
}

/// Why there is no token that a program could use.
fn without_token(engine: &Engine, choice: &TokenChoice) -> Option<String> {
    let token = choice.choose(engine).and_then(|chosen| Ok((select::describe(engine, chosen.slot)?, chosen.label)));
    let (told, label) = match token {
        Ok(token) => token,
        Err(fault) => return Some(fault.text(None)),
    };
    let has = |flag: &str| {
        told.get("flags")
            .and_then(serde_json::Value::as_array)
            .is_some_and(|flags| flags.iter().any(|known| known == flag))
    };
    let reset = || format!("`strongroom pin reset --token {}` (the security officer's PIN)", quoted(&label));
    if has("CKF_USER_PIN_LOCKED") {
        Some(format!("the user's PIN of token {label} is locked: {} opens it", reset()))
    } else if has("CKF_USER_PIN_INITIALIZED") {
        None
    } else {
        Some(format!("token {label} has no user's PIN yet: {} sets it", reset()))
    }
}
