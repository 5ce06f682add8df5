//! Tokens and their PINs.

use clap::{Args, Subcommand};
use engine::{Access, Engine, Lifecycle, NewRules, PinCost, Pins, Profile, Recovery, Rotated, Start, UseAudit, User};
use serde_json::{Value, json};
use types::SlotId;

use crate::{
    answer::{Answer, Found, done},
    fault::Fault,
    pin::Source,
    progress,
    select::{self, Chosen, Listed, TokenChoice, UserLogin},
};

#[derive(Subcommand)]
pub(crate) enum TokenVerb {
    /// Makes a token in the free slot.
    Init {
        /// At most 32 bytes.
        label: String,
        /// Where the security officer's PIN comes from: env:NAME, file:PATH, fd:NUMBER, cmd:COMMAND or prompt.
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
    /// Lists the tokens. One that is damaged is listed as that.
    List,
    /// Shows one token.
    Show {
        #[command(flatten)]
        token: TokenChoice,
    },
    /// Takes a token as it is that is older than this machine has seen it: after a backup was put back on purpose.
    /// Stop the programs that use it first: they go on refusing it.
    AcceptRollback {
        #[command(flatten)]
        token: TokenChoice,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
    },
    /// Changes rules of a token. Objects stay as they are.
    Set {
        #[command(flatten)]
        token: TokenChoice,
        #[command(flatten)]
        rules: Rules,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
        /// Where the user's PIN comes from; needed for --recovery only.
        #[arg(long, default_value = "prompt")]
        pin: Source,
    },
    /// Gives a token another label. Programs that find it by its label have to be told.
    Label {
        /// The new label, at most 32 bytes.
        new: String,
        #[command(flatten)]
        token: TokenChoice,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
    },
    /// Gives a token new keys and seals every object anew with them. What was interrupted goes on. Programs that are
    /// logged in have to log in again.
    RotateKeys {
        #[command(flatten)]
        token: TokenChoice,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
        /// Where the user's PIN comes from. It is not asked for if the user has none yet.
        #[arg(long, default_value = "prompt")]
        pin: Source,
    },
    /// Destroys everything in a token and gives it a label again. Serial number and slot stay; the user has no PIN then.
    Reinit {
        #[command(flatten)]
        token: TokenChoice,
        /// Its label, typed again.
        #[arg(long)]
        label: String,
        /// The label that it gets; the same if none is given.
        #[arg(long)]
        new_label: Option<String>,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
    },
    /// Opens every object of a token, and says what is wrong.
    Check {
        #[command(flatten)]
        login: UserLogin,
    },
    /// Deletes a token and everything in it, for good.
    Delete {
        #[command(flatten)]
        token: TokenChoice,
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
pub(crate) struct Rules {
    /// Which uses of keys the token allows: compatible or strict.
    #[arg(long)]
    profile: Option<Profile>,
    /// Who can give a user who forgot his PIN his private objects back: officer or never. Rotate the keys after
    /// "never": backups of before have them for the officer too.
    #[arg(long)]
    recovery: Option<Recovery>,
    /// For how many days keys that are deleted can be restored (`key restore`); 0 for none.
    #[arg(long, value_parser = clap::value_parser!(u16).range(0..=i64::from(Lifecycle::MOST_DAYS)))]
    deletion_days: Option<u16>,
    /// Lets nobody make that less again, not even the security officer, and nobody empty the token while it has keys.
    #[arg(long)]
    lock_deletion: bool,
    /// Whether the dates of keys (CKA_START_DATE, CKA_END_DATE) hold, or are for reference only, as PKCS#11 has it.
    #[arg(long)]
    dates: Option<Dates>,
    /// What is written down of uses of keys, from the next logins on: off, counted (each minute), each, or forced (before it
    /// happens, and what cannot be written down does not happen).
    #[arg(long)]
    use_audit: Option<UseAudit>,
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

/// What the dates of keys are.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Dates {
    Hold,
    Reference,
}

#[derive(Subcommand)]
pub(crate) enum PinVerb {
    /// Changes the user's PIN, or the security officer's.
    Set {
        #[command(flatten)]
        token: TokenChoice,
        /// The security officer's instead of the user's.
        #[arg(long)]
        so: bool,
        /// Where the PIN comes from that holds now.
        #[arg(long, default_value = "prompt")]
        pin: Source,
        /// Where the new one comes from.
        #[arg(long, default_value = "prompt")]
        new_pin: Source,
    },
    /// Sets the user's PIN with the security officer's, and unlocks it.
    #[command(visible_alias = "unlock")]
    Reset {
        #[command(flatten)]
        token: TokenChoice,
        /// Where the security officer's PIN comes from.
        #[arg(long, default_value = "prompt")]
        so_pin: Source,
        /// Where the new PIN comes from.
        #[arg(long, default_value = "prompt")]
        new_pin: Source,
    },
}

pub(crate) const OFFICERS: &str = "Security officer's PIN";
pub(crate) const USERS: &str = "User's PIN";

pub(crate) fn run(engine: &Engine, verb: TokenVerb) -> Result<Answer, Fault> {
    match verb {
        TokenVerb::Init { label, so_pin, pin, .. } => init(engine, &label, &so_pin, &pin),
        TokenVerb::List => list(engine),
        TokenVerb::Show { token } => show(engine, &token.choose(engine)?),
        TokenVerb::AcceptRollback { token, so_pin } => {
            let token = token.choose(engine)?;
            engine.accept_rollback(token.slot, &so_pin.read(OFFICERS)?)?;
            done(format!("Token {} is accepted as it is.", token.label))
        }
        TokenVerb::Set { token, rules, so_pin, pin } => {
            set_rules(engine, &token.choose(engine)?, &rules, &so_pin, &pin)
        }
        TokenVerb::Label { new, token, so_pin } => {
            let token = token.choose(engine)?;
            let label = Some(padded(&new)?);
            let pins = Pins { officer: &so_pin.read(OFFICERS)?, user: None };
            engine.change_rules(token.slot, &pins, NewRules { label, ..NewRules::default() })?;
            done(format!("Token {} is {new} now.", token.label))
        }
        TokenVerb::RotateKeys { token, so_pin, pin } => rotate_keys(engine, &token.choose(engine)?, &so_pin, &pin),
        TokenVerb::Reinit { token, label, new_label, so_pin } => {
            let token = token.choose(engine)?;
            must_be_typed(&token, &label)?;
            let label = padded(new_label.as_deref().unwrap_or(&label))?;
            engine.init_token(token.slot, &so_pin.read(OFFICERS)?, &label)?;
            done(format!(
                "Token {} is empty. The user has no PIN: `strongroom pin reset` sets it.",
                select::label_of(&label)
            ))
        }
        TokenVerb::Check { login } => {
            let (_, session) = login.log_in(engine)?;
            let report = engine.check_token(session)?;
            let mut text: String = report.faults.iter().map(|fault| format!("{fault}\n")).collect();
            text.push_str(&format!("{} objects are whole\n", report.whole));
            let found = if report.faults.is_empty() { Found::Nothing } else { Found::Faults };
            Ok(Answer { found, ..Answer::new(text, json!({ "whole": report.whole, "faults": report.faults })) })
        }
        TokenVerb::Delete { token, label, so_pin } => {
            let token = token.choose(engine)?;
            must_be_typed(&token, &label)?;
            engine.delete_token(token.slot, &so_pin.read(OFFICERS)?)?;
            done(format!("Token {} is deleted.", token.label))
        }
    }
}

pub(crate) fn run_pin(engine: &Engine, verb: &PinVerb) -> Result<Answer, Fault> {
    match verb {
        PinVerb::Set { token, so, pin, new_pin } => {
            let token = token.choose(engine)?;
            let (user, what) = if *so { (User::Officer, OFFICERS) } else { (User::User, USERS) };
            let old = pin.read(what)?;
            let session = engine.open_session(token.slot, Access::ReadWrite)?;
            if *so {
                engine.login(session, user, &old)?;
            }
            engine.set_pin(session, &old, &new_pin.read_new(&format!("New {}", what.to_lowercase()))?)?;
            done("The PIN is changed.")
        }
        PinVerb::Reset { token, so_pin, new_pin } => {
            let token = token.choose(engine)?;
            let session = session(engine, &token, User::Officer, &so_pin.read(OFFICERS)?)?;
            engine.init_pin(session, &new_pin.read_new("New user's PIN")?)?;
            done("The PIN is set.")
        }
    }
}

/// A session in which somebody is logged in.
pub(crate) fn session(engine: &Engine, token: &Chosen, user: User, pin: &[u8]) -> Result<types::SessionHandle, Fault> {
    let session = engine.open_session(token.slot, Access::ReadWrite)?;
    engine.login(session, user, pin)?;
    Ok(session)
}

pub(crate) fn padded(label: &str) -> Result<[u8; 32], Fault> {
    let mut padded = [b' '; 32];
    let place = padded.get_mut(..label.len());
    let place =
        place.ok_or_else(|| Fault::Usage(format!("a label has at most 32 bytes, and this one has {}", label.len())))?;
    place.copy_from_slice(label.as_bytes());
    Ok(padded)
}

fn must_be_typed(token: &Chosen, label: &str) -> Result<(), Fault> {
    if label.trim_end_matches(' ') == &*token.label {
        return Ok(());
    }
    Err(Fault::Usage(format!("--label is to be the token's, '{}', as a sign that it is meant", token.label)))
}

fn init(engine: &Engine, label: &str, so_pin: &Source, pin: &Source) -> Result<Answer, Fault> {
    // Before somebody types PINs for nothing.
    padded(label)?;
    let so_pin = so_pin.read_new(OFFICERS)?;
    let pin = pin.read_new(USERS)?;
    for (what, pin) in [(OFFICERS, &so_pin), (USERS, &pin)] {
        must_have_length(what, pin)?;
    }
    let slot = make(engine, label, &so_pin, &pin)?;
    let text = format!("Token {label} is in slot {}.", slot.0);
    Ok(Answer::new(text, select::describe(engine, slot)?))
}

/// Refuses a PIN for a new token that is too short or too long.
pub(crate) fn must_have_length(what: &str, pin: &[u8]) -> Result<(), Fault> {
    if (4..=255).contains(&pin.len()) {
        return Ok(());
    }
    Err(Fault::Usage(format!("{what} has {} bytes, and must have 4 to 255", pin.len())))
}

/// Makes a whole token or none, in the free slot.
pub(crate) fn make(engine: &Engine, label: &str, so_pin: &[u8], pin: &[u8]) -> Result<SlotId, Fault> {
    let padded = padded(label)?;
    let slot = *engine.slots().last().ok_or_else(|| Fault::NotFound("there is no free slot".into()))?;
    engine.create_token(slot, so_pin, &padded)?;
    finished_or_none(engine, slot, so_pin, pin)
}

/// Makes a token that keeps the serial number of SoftHSM's, and with it the slot.
pub(crate) fn make_as(engine: &Engine, serial: &str, label: &str, so_pin: &[u8], pin: &[u8]) -> Result<SlotId, Fault> {
    let slot = engine.create_token_as(serial, so_pin, &padded(label)?).map_err(|why| match why {
        engine::Error::SlotIdInvalid => Fault::Usage(format!(
            "the serial number {serial}, or the slot that SoftHSM has for it, is another token's here: without --keep-slot-id \
             '{label}' gets others"
        )),
        engine::Error::ArgumentsBad => Fault::Usage(format!(
            "'{serial}' is not 16 hexadecimal digits, which a serial number is here: without --keep-slot-id '{label}' gets one"
        )),
        other => other.into(),
    })?;
    finished_or_none(engine, slot, so_pin, pin)
}

fn finished_or_none(engine: &Engine, slot: SlotId, so_pin: &[u8], pin: &[u8]) -> Result<SlotId, Fault> {
    let finished = finish(engine, slot, so_pin, pin);
    if finished.is_err() {
        // Half a token is none.
        engine.delete_token(slot, so_pin)?;
    }
    finished.map(|()| slot)
}

/// Gives a token that was just initialised its user.
pub(crate) fn finish(engine: &Engine, slot: SlotId, so_pin: &[u8], pin: &[u8]) -> Result<(), Fault> {
    let session = engine.open_session(slot, Access::ReadWrite)?;
    let set = engine.login(session, User::Officer, so_pin).and_then(|()| engine.init_pin(session, pin));
    engine.close_session(session)?;
    Ok(set?)
}

fn list(engine: &Engine) -> Result<Answer, Fault> {
    let tokens = select::tokens(engine)?;
    let text: String = tokens.iter().map(|(slot, token)| select::line(*slot, token) + "\n").collect();
    let told = |(slot, token): &Listed| match token {
        Ok(token) => token.clone(),
        Err(fault) => json!({ "slot": slot.0, "damaged": fault.to_string() }),
    };
    let data = tokens.iter().map(told).collect();
    let text = if tokens.is_empty() {
        "there is no token yet: `strongroom token init LABEL` makes one\n".into()
    } else {
        text
    };
    let whole = tokens.iter().all(|(_, token)| token.is_ok());
    Ok(Answer { found: if whole { Found::Nothing } else { Found::Faults }, ..Answer::new(text, data) })
}

fn show(engine: &Engine, token: &Chosen) -> Result<Answer, Fault> {
    let data = select::describe(engine, token.slot)?;
    let text = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |pointer: &str| data.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let flags: Vec<&str> =
        data.get("flags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let text = format!(
        "{}\nprofile {}, recovery {}, use audit {}\n{}\n{} wrong PINs in a row lock; a PIN costs {} KiB and {} passes\n{}\n",
        select::line(token.slot, &Ok(data.clone())),
        text("profile"),
        text("recovery"),
        text("use_audit"),
        kept(&engine.token_summary(token.slot)?.lifecycle),
        number("/pin_tries"),
        number("/pin_cost/memory_kib"),
        number("/pin_cost/passes"),
        flags.join(" "),
    );
    Ok(Answer::new(text, data))
}

/// What becomes of keys that are deleted, in words.
pub(crate) fn kept(lifecycle: &Lifecycle) -> String {
    let Lifecycle { deletion_days, locked, dates } = *lifecycle;
    let kept = match (deletion_days, locked) {
        (0, _) => "keys that are deleted are gone at once".to_owned(),
        (days, false) => format!("keys that are deleted can be restored for {days} days"),
        (days, true) => format!("keys that are deleted can be restored for {days} days, which nobody can shorten"),
    };
    if dates { kept + "; their dates hold" } else { kept }
}

fn set_rules(engine: &Engine, token: &Chosen, rules: &Rules, so_pin: &Source, pin: &Source) -> Result<Answer, Fault> {
    let summary = engine.token_summary(token.slot)?;
    let Rules {
        profile,
        recovery,
        pin_tries,
        pin_memory_kib,
        pin_passes,
        deletion_days,
        lock_deletion,
        dates,
        use_audit: uses,
    } = *rules;
    if lock_deletion && deletion_days.unwrap_or(summary.lifecycle.deletion_days) == 0 {
        return Err(Fault::Usage(
            "a token that keeps no keys has nothing to lock: --deletion-days says for how long".into(),
        ));
    }
    let pin_cost = (pin_memory_kib.is_some() || pin_passes.is_some()).then(|| PinCost {
        memory_kib: pin_memory_kib.unwrap_or(summary.pin_cost.memory_kib),
        passes: pin_passes.unwrap_or(summary.pin_cost.passes),
        ..summary.pin_cost
    });
    let dates = dates.map(|dates| dates == Dates::Hold);
    let rules =
        NewRules { label: None, profile, recovery, pin_tries, pin_cost, deletion_days, lock_deletion, dates, uses };
    let officer = so_pin.read(OFFICERS)?;
    let needs_user = recovery.is_some() && summary.user_pin_set;
    let user = needs_user.then(|| pin.read(USERS)).transpose()?;
    let pins = Pins { officer: &officer, user: user.as_deref().map(Vec::as_slice) };
    engine.change_rules(token.slot, &pins, rules)?;
    show(engine, token)
}

fn rotate_keys(engine: &Engine, token: &Chosen, so_pin: &Source, pin: &Source) -> Result<Answer, Fault> {
    let user_pin_set = engine.token_summary(token.slot)?.user_pin_set;
    let officer = so_pin.read(OFFICERS)?;
    let user = user_pin_set.then(|| pin.read(USERS)).transpose()?;
    let bar = progress::bar("sealing objects");
    let pins = Pins { officer: &officer, user: user.as_deref().map(Vec::as_slice) };
    let rotated = engine.rotate_keys(token.slot, &pins, &mut |done, total| {
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
    Ok(Answer { found, ..Answer::new(text, json!({ "start": start, "sealed": sealed, "left": left })) })
}
