//! The `strongroom` command: what the module's owner does with it that no PKCS#11 call does.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 PIN wrong or locked, 5 not allowed,
//! 6 store damaged or of another version.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)] // It is a command: this is what it is for.

mod pin;
mod progress;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use engine::{Access, Engine, Error, NewRules, PinCost, Pins, Profile, Recovery, Rotated, Settings, Start, User};
use serde_json::{Value, json};
use types::{Rv, SlotId};

use pin::Source;

/// A software HSM: tokens, their PINs, and what is the matter with them.
#[derive(Parser)]
#[command(name = "strongroom", version)]
struct Arguments {
    /// Prints one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand)]
enum Noun {
    /// Makes, lists, shows and deletes tokens.
    #[command(subcommand)]
    Token(TokenVerb),
    /// Sets and resets the user's PIN.
    #[command(subcommand)]
    Pin(PinVerb),
    /// Shows what the module is set to.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Says what is wrong with the store and the settings.
    Doctor {
        /// Opens every object too; needs the user's PIN of this token.
        #[arg(long, requires = "pin")]
        slot: Option<u64>,
        /// Where the user's PIN comes from: env:NAME, file:PATH, fd:NUMBER or prompt.
        #[arg(long)]
        pin: Option<Source>,
    },
}

#[derive(Subcommand)]
enum TokenVerb {
    /// Makes a token in the free slot.
    Init {
        /// At most 32 bytes.
        label: String,
        /// Where the security officer's PIN comes from: env:NAME, file:PATH, fd:NUMBER or prompt.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
        /// Where the user's PIN comes from.
        #[arg(long, default_value = "prompt")]
        pin: Source,
        /// Which uses of keys the token allows: compatible or strict.
        #[arg(long)]
        profile: Option<Profile>,
        /// Lets nobody, not even the security officer, give a user who forgot his PIN his private objects back.
        #[arg(long)]
        no_recovery: bool,
    },
    /// Lists the tokens.
    List,
    /// Shows one token.
    Show {
        /// Its slot.
        #[arg(long)]
        slot: u64,
    },
    /// Takes a token as it is that is older than this machine has seen it: after a backup was put back on purpose.
    /// Stop the programs that use it first: they go on refusing it.
    AcceptRollback {
        /// Its slot.
        #[arg(long)]
        slot: u64,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
    },
    /// Changes rules of a token. Objects stay as they are.
    Set {
        /// Its slot.
        #[arg(long)]
        slot: u64,
        #[command(flatten)]
        rules: Rules,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
        /// Where the user's PIN comes from; needed for --recovery only.
        #[arg(long, default_value = "prompt")]
        pin: Source,
    },
    /// Gives a token new keys and seals every object anew with them. What was interrupted goes on. Programs that are
    /// logged in have to log in again.
    RotateKeys {
        /// Its slot.
        #[arg(long)]
        slot: u64,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
        /// Where the user's PIN comes from. It is not asked for if the user has none yet.
        #[arg(long, default_value = "prompt")]
        pin: Source,
    },
    /// Deletes a token and everything in it, for good.
    Delete {
        /// Its slot.
        #[arg(long)]
        slot: u64,
        /// Its label, typed again.
        #[arg(long)]
        label: String,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
    },
}

/// The rules that `token set` changes.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct Rules {
    /// Which uses of keys the token allows: compatible or strict.
    #[arg(long)]
    profile: Option<Profile>,
    /// Who can give a user who forgot his PIN his private objects back: officer or never. Rotate the keys after
    /// "never": backups of before have them for the officer too.
    #[arg(long)]
    recovery: Option<Recovery>,
    /// How many wrong PINs in a row lock.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pin_tries: Option<u32>,
    /// Memory that trying a PIN takes, in KiB. PINs that are there change at their next login.
    #[arg(long, value_parser = clap::value_parser!(u32).range(i64::from(PinCost::FLOOR.memory_kib)..=i64::from(PinCost::CAP.memory_kib)))]
    pin_memory_kib: Option<u32>,
    /// Passes over that memory.
    #[arg(long, value_parser = clap::value_parser!(u32).range(i64::from(PinCost::FLOOR.passes)..=i64::from(PinCost::CAP.passes)))]
    pin_passes: Option<u32>,
}

#[derive(Subcommand)]
enum PinVerb {
    /// Changes the user's PIN.
    Set {
        /// The token's slot.
        #[arg(long)]
        slot: u64,
        /// Where the PIN comes from that holds now.
        #[arg(long, default_value = "prompt")]
        pin: Source,
        /// Where the new one comes from.
        #[arg(long, default_value = "prompt")]
        new_pin: Source,
    },
    /// Sets the user's PIN with the security officer's, and unlocks it.
    Reset {
        /// The token's slot.
        #[arg(long)]
        slot: u64,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
        /// Where the new PIN comes from.
        #[arg(long, default_value = "prompt")]
        new_pin: Source,
    },
}

#[derive(Subcommand)]
enum ConfigVerb {
    /// Shows each key, its value, and where it comes from.
    Show,
}

/// What a verb has to say: for people, and for programs.
struct Answer {
    text: String,
    data: Value,
    found: Found,
}

/// Whether a verb that looks for faults has found one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Faults,
}

/// Why a verb did not do it.
enum Fault {
    Engine(Error),
    Pin(String),
    Label,
    NotFound,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl Fault {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Pin(_) | Self::Label => 2,
            Self::NotFound => 3,
            Self::Engine(error) => match Rv::from(error) {
                Rv::SLOT_ID_INVALID => 3,
                Rv::PIN_INCORRECT | Rv::PIN_LOCKED | Rv::PIN_LEN_RANGE | Rv::USER_PIN_NOT_INITIALIZED => 4,
                Rv::USER_NOT_LOGGED_IN | Rv::TOKEN_WRITE_PROTECTED | Rv::SESSION_EXISTS => 5,
                Rv::DEVICE_ERROR | Rv::TOKEN_NOT_RECOGNIZED => 6,
                _ => 1,
            },
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Engine(error) => error.to_string(),
            Self::Pin(why) => why.clone(),
            Self::Label => {
                "the label does not fit: it has at most 32 bytes, and to delete a token it is the token's".into()
            }
            Self::NotFound => "there is no token in that slot: `strongroom token list` says where they are".into(),
        }
    }
}

/// Keys lie apart from everything else.
#[global_allocator]
static HEAP: memory::Heap = memory::Heap;

fn main() -> ExitCode {
    engine::use_heap();
    let Arguments { json, noun } = Arguments::parse();
    match run(noun) {
        Ok(Answer { text, data, found }) => {
            if json {
                println!("{}", json!({ "ok": true, "data": data }));
            } else {
                print!("{text}");
            }
            if found == Found::Nothing { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(fault) => {
            let ckr = match &fault {
                Fault::Engine(error) => Some(Rv::from(error).to_string()),
                Fault::Pin(_) | Fault::Label | Fault::NotFound => None,
            };
            if json {
                println!("{}", json!({ "ok": false, "error": { "message": fault.text(), "ckr": ckr } }));
            } else {
                eprintln!("strongroom: {}", fault.text());
            }
            ExitCode::from(fault.exit_code())
        }
    }
}

fn run(noun: Noun) -> Result<Answer, Fault> {
    let mut settings = Settings::load();
    if let Noun::Token(TokenVerb::Init { profile, no_recovery, .. }) = &noun {
        settings.profile = profile.unwrap_or(settings.profile);
        if *no_recovery {
            settings.recovery = Recovery::Never;
        }
    }
    let engine = Engine::new(settings);
    match noun {
        Noun::Token(TokenVerb::Init { label, so_pin, pin, .. }) => token_init(&engine, &label, &so_pin, &pin),
        Noun::Token(TokenVerb::List) => {
            let tokens = tokens(&engine)?;
            let lines = tokens.iter().map(|token| format!("{}\n", line(token)));
            Ok(Answer { text: lines.collect(), data: Value::Array(tokens), found: Found::Nothing })
        }
        Noun::Token(TokenVerb::Show { slot }) => show(&engine, slot),
        Noun::Token(TokenVerb::AcceptRollback { slot, so_pin }) => {
            engine.accept_rollback(SlotId(slot), &so_pin.read("Security officer's PIN").map_err(Fault::Pin)?)?;
            done(format!("The token in slot {slot} is accepted as it is."))
        }
        Noun::Token(TokenVerb::Set { slot, rules, so_pin, pin }) => set_rules(&engine, slot, &rules, &so_pin, &pin),
        Noun::Token(TokenVerb::RotateKeys { slot, so_pin, pin }) => rotate_keys(&engine, slot, &so_pin, &pin),
        Noun::Token(TokenVerb::Delete { slot, label, so_pin }) => {
            if describe(&engine, slot)?.get("label").and_then(Value::as_str) != Some(&label) {
                return Err(Fault::Label);
            }
            engine.delete_token(SlotId(slot), &so_pin.read("Security officer's PIN").map_err(Fault::Pin)?)?;
            done(format!("Token {label} is deleted."))
        }
        Noun::Pin(PinVerb::Set { slot, pin, new_pin }) => {
            let session = engine.open_session(SlotId(slot), Access::ReadWrite)?;
            let (old, new) = (pin.read("PIN").map_err(Fault::Pin)?, new_pin.read("New PIN").map_err(Fault::Pin)?);
            engine.set_pin(session, &old, &new)?;
            done("The PIN is changed.".into())
        }
        Noun::Pin(PinVerb::Reset { slot, so_pin, new_pin }) => {
            let session = engine.open_session(SlotId(slot), Access::ReadWrite)?;
            engine.login(session, User::Officer, &so_pin.read("Security officer's PIN").map_err(Fault::Pin)?)?;
            engine.init_pin(session, &new_pin.read("New PIN").map_err(Fault::Pin)?)?;
            done("The PIN is set.".into())
        }
        Noun::Config(ConfigVerb::Show) => Ok(config(engine.settings())),
        Noun::Doctor { slot, pin } => doctor(&engine, slot.zip(pin)),
    }
}

fn done(text: String) -> Result<Answer, Fault> {
    Ok(Answer { data: json!({ "message": text }), text: text + "\n", found: Found::Nothing })
}

fn token_init(engine: &Engine, label: &str, so_pin: &Source, pin: &Source) -> Result<Answer, Fault> {
    let mut padded = [b' '; 32];
    padded.get_mut(..label.len()).ok_or(Fault::Label)?.copy_from_slice(label.as_bytes());
    let slot = *engine.slots().last().ok_or(Fault::NotFound)?;
    let so_pin = so_pin.read("Security officer's PIN").map_err(Fault::Pin)?;
    let pin = pin.read("User's PIN").map_err(Fault::Pin)?;
    engine.init_token(slot, &so_pin, &padded)?;
    let session = engine.open_session(slot, Access::ReadWrite)?;
    engine.login(session, User::Officer, &so_pin)?;
    engine.init_pin(session, &pin)?;
    let text = format!("Token {label} is in slot {}.\n", slot.0);
    Ok(Answer { text, data: describe(engine, slot.0)?, found: Found::Nothing })
}

fn show(engine: &Engine, slot: u64) -> Result<Answer, Fault> {
    let token = describe(engine, slot)?;
    let text = |key: &str| token.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |pointer: &str| token.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let text = format!(
        "{}\nprofile {}, recovery {}\n{} wrong PINs in a row lock; a PIN costs {} KiB and {} passes\n",
        line(&token),
        text("profile"),
        text("recovery"),
        number("/pin_tries"),
        number("/pin_cost/memory_kib"),
        number("/pin_cost/passes"),
    );
    Ok(Answer { text, data: token, found: Found::Nothing })
}

fn set_rules(engine: &Engine, slot: u64, rules: &Rules, so_pin: &Source, pin: &Source) -> Result<Answer, Fault> {
    let summary = engine.token_summary(SlotId(slot))?;
    let Rules { profile, recovery, pin_tries, pin_memory_kib, pin_passes } = *rules;
    let pin_cost = (pin_memory_kib.is_some() || pin_passes.is_some()).then(|| PinCost {
        memory_kib: pin_memory_kib.unwrap_or(summary.pin_cost.memory_kib),
        passes: pin_passes.unwrap_or(summary.pin_cost.passes),
        ..summary.pin_cost
    });
    let officer = so_pin.read("Security officer's PIN").map_err(Fault::Pin)?;
    let needs_user = recovery.is_some() && summary.user_pin_set;
    let user = needs_user.then(|| pin.read("User's PIN").map_err(Fault::Pin)).transpose()?;
    let pins = Pins { officer: &officer, user: user.as_deref().map(Vec::as_slice) };
    engine.change_rules(SlotId(slot), &pins, NewRules { profile, recovery, pin_tries, pin_cost })?;
    show(engine, slot)
}

fn rotate_keys(engine: &Engine, slot: u64, so_pin: &Source, pin: &Source) -> Result<Answer, Fault> {
    let user_pin_set = engine.token_summary(SlotId(slot))?.user_pin_set;
    let officer = so_pin.read("Security officer's PIN").map_err(Fault::Pin)?;
    let user = user_pin_set.then(|| pin.read("User's PIN").map_err(Fault::Pin)).transpose()?;
    let bar = progress::bar("sealing objects");
    let pins = Pins { officer: &officer, user: user.as_deref().map(Vec::as_slice) };
    let rotated = engine.rotate_keys(SlotId(slot), &pins, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let Rotated { start, sealed, left } = rotated?;
    let (began, start) = match start {
        Start::NewKeys => ("The token has new keys", "new keys"),
        Start::Unfinished => ("The rotation that was interrupted is done", "unfinished"),
    };
    let mut text = format!("{began}: {sealed} objects are sealed anew.\n");
    text.extend(left.iter().map(|what| format!("{what}\n")));
    if !left.is_empty() {
        text.push_str("The keys of before stay, for what could not be opened.\n");
    }
    let found = if left.is_empty() { Found::Nothing } else { Found::Faults };
    Ok(Answer { text, data: json!({ "start": start, "sealed": sealed, "left": left }), found })
}

fn tokens(engine: &Engine) -> Result<Vec<Value>, Fault> {
    let slots = engine.slots();
    let with_token = slots.split_last().map(|(_, tokens)| tokens).unwrap_or_default();
    with_token.iter().map(|slot| describe(engine, slot.0)).collect()
}

fn describe(engine: &Engine, slot: u64) -> Result<Value, Fault> {
    let info = engine.token_info(SlotId(slot))?;
    if info.serial.is_empty() {
        return Err(Fault::NotFound);
    }
    let label = String::from_utf8_lossy(&info.label).trim_end().to_owned();
    let summary = engine.token_summary(SlotId(slot))?;
    Ok(json!({
        "slot": slot,
        "label": label,
        "serial": info.serial,
        "flags": info.flags,
        "profile": summary.profile.to_string(),
        "recovery": summary.recovery.to_string(),
        "pin_tries": summary.pin_tries,
        "pin_cost": {
            "memory_kib": summary.pin_cost.memory_kib,
            "passes": summary.pin_cost.passes,
            "lanes": summary.pin_cost.lanes,
        },
    }))
}

fn line(token: &Value) -> String {
    let text = |key: &str| token.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let slot = token.get("slot").and_then(Value::as_u64).unwrap_or_default();
    format!("slot {slot}  serial {}  {}", text("serial"), text("label"))
}

fn config(settings: &Settings) -> Answer {
    let rows = settings.sources.iter();
    let text = rows.clone().map(|row| format!("{} = {}  ({})\n", row.key, row.value, row.source)).collect();
    let data = rows.map(|row| json!({ "key": row.key, "value": row.value, "source": row.source })).collect();
    Answer { text, data, found: Found::Nothing }
}

fn doctor(engine: &Engine, checked: Option<(u64, Source)>) -> Result<Answer, Fault> {
    let settings = engine.settings();
    let mut faults = settings.problems.clone();
    match std::fs::read_dir(&settings.store) {
        Ok(_) => {}
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            faults.push(format!("{} is not there yet: `strongroom token init` makes it", settings.store.display()));
        }
        Err(why) => faults.push(format!("{} cannot be listed: {why}", settings.store.display())),
    }
    match engine.slot_conflicts() {
        Ok(conflicts) => faults.extend(conflicts),
        Err(fault) => faults.push(format!("the slots cannot be compared: {fault}")),
    }
    let slots = engine.slots();
    for slot in slots.split_last().map(|(_, tokens)| tokens).unwrap_or_default() {
        if let Err(fault) = engine.token_info(*slot) {
            faults.push(format!("slot {}: {fault}", slot.0));
        }
    }
    let mut whole = None;
    if let Some((slot, pin)) = checked {
        let session = engine.open_session(SlotId(slot), Access::ReadOnly)?;
        engine.login(session, User::User, &pin.read("User's PIN").map_err(Fault::Pin)?)?;
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
    text.push_str(&format!(
        "keys are in no core dump and no forked child; up to {} KiB of them are locked in memory\n",
        lockable / 1024
    ));
    let found = if faults.is_empty() { Found::Nothing } else { Found::Faults };
    Ok(Answer { text, data: json!({ "faults": faults, "whole": whole, "lockable_bytes": lockable }), found })
}
