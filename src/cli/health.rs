//! Settings, and what is wrong with them and with the store.

use clap::Subcommand;
use engine::{Engine, Settings, User};
use serde_json::json;

use crate::{
    answer::{Answer, Found},
    ephemeral,
    fault::Fault,
    pin::Source,
    select::TokenChoice,
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

pub(crate) fn doctor(engine: &Engine, choice: &TokenChoice, pin: Option<&Source>) -> Result<Answer, Fault> {
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
    let mut whole = None;
    if let Some(pin) = pin {
        let chosen = choice.choose(engine)?;
        let session = token::session(engine, &chosen, User::User, &pin.read("User's PIN")?)?;
        let report = engine.check_token(session)?;
        whole = Some(report.whole);
        faults.extend(report.faults);
    }
    let mut text: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    if let Some(whole) = whole {
        text.push_str(&format!("{whole} objects are whole\n"));
    }
    if faults.is_empty() {
        text.push_str("nothing is wrong\n");
    }
    let lockable = memory::lockable();
    let locked = format!("up to {} KiB of them are locked in memory", lockable / 1024);
    text.push_str(&format!("keys are in no core dump and no forked child; {locked}\n"));
    let found = if faults.is_empty() { Found::Nothing } else { Found::Faults };
    let data = json!({ "faults": faults, "whole": whole, "lockable_bytes": lockable });
    Ok(Answer { found, ..Answer::new(text, data) })
}
