//! `softhsm2-util` for strongroom's tokens: what scripts tell SoftHSM's command, they tell this one, and they read the same lines.
//!
//! Exit codes are SoftHSM's: 0 done, 1 not.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)] // It is a command: this is what it is for.

mod arguments;
mod import;
mod key_file;
mod pin;
mod slot;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use engine::{Access, Compatibility, Engine, Error, ProblemKind, Settings, User};
use types::SlotId;

use arguments::{Action, Arguments};
use pin::{Pin, Whose};
use slot::Place;

/// Why it was not done, in SoftHSM's words where a script may read them.
struct Fault(String);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(format!("ERROR: {error}"))
    }
}

/// A fault in these words.
fn fault<T>(words: impl std::fmt::Display) -> Result<T, Fault> {
    Err(Fault(format!("ERROR: {words}")))
}

/// Keys lie apart from everything else.
#[global_allocator]
static HEAP: memory::Heap = memory::Heap;

fn main() -> ExitCode {
    engine::use_heap();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(why) => {
            eprint!("{why}");
            return ExitCode::FAILURE;
        }
    };
    match run(&arguments) {
        Ok(code) => code,
        Err(Fault(words)) => {
            eprintln!("{words}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    Arguments::command().render_help().to_string()
}

fn run(arguments: &Arguments) -> Result<ExitCode, Fault> {
    let Some(action) = arguments.action() else {
        print!("{}", usage());
        return Ok(ExitCode::FAILURE);
    };
    match action {
        Action::Help => print!("{}", usage()),
        Action::Version => println!("{}", env!("CARGO_PKG_VERSION")),
        Action::ShowConfig(name) => println!("{}", config(name)?),
        Action::ShowSlots => show_slots(&engine(arguments)?)?,
        Action::InitToken => init_token(engine(arguments)?, arguments)?,
        Action::DeleteToken => delete_token(&engine(arguments)?, arguments)?,
        Action::Import(path) => import::import(&engine(arguments)?, arguments, path)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The engine over the user's store.
fn engine(arguments: &Arguments) -> Result<Engine, Fault> {
    let settings = match arguments.module.as_deref() {
        None => Settings::load(),
        Some(module) => match compatibility(module) {
            Some(compatibility) => Settings::load_as(compatibility),
            None => {
                return fault(format!(
                    "--module {}: this command works on strongroom's tokens only; SoftHSM's own softhsm2-util takes other modules",
                    module.display()
                ));
            }
        },
    };
    match settings.problems.iter().find(|problem| problem.kind != ProblemKind::Unreadable) {
        Some(problem) => fault(format!("{} (`strongroom config show` has all settings)", problem.text)),
        None => Ok(Engine::new(settings)),
    }
}

/// The module's names, and what each means for slots and configuration. A file `libsofthsm2.so` may be SoftHSM's own.
const NAMES: &[(&str, Compatibility)] =
    &[("libstrongroom.so", Compatibility::None), ("libsofthsm2.so", Compatibility::SoftHsm)];

/// Whose slot numbers and configuration hold with this module, if it is this project's: where one is installed, it has the bytes of the
/// other.
fn compatibility(path: &Path) -> Option<Compatibility> {
    let name = path.file_name()?;
    let (_, compatibility) = NAMES.iter().find(|(known, _)| name == *known)?;
    let ours = match compatibility {
        Compatibility::None => true,
        Compatibility::SoftHsm => module().is_some_and(|ours| has_the_same_bytes(&ours, path)),
    };
    ours.then_some(*compatibility)
}

fn has_the_same_bytes(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}

/// A value that SoftHSM's was built with.
fn config(name: &str) -> Result<String, Fault> {
    if name != "default-pkcs11-lib" {
        return fault(format!("Unknown configuration: {name}. There is default-pkcs11-lib"));
    }
    match module() {
        Some(path) => Ok(path.display().to_string()),
        None => fault("the module libstrongroom.so is not where it is installed: `make install`"),
    }
}

/// The module that was installed with this command: in a directory of the module's, below one of those in which the command is.
fn module() -> Option<PathBuf> {
    let command = fs::canonicalize(env::current_exe().ok()?).ok()?;
    let places = ["libstrongroom.so", "pkcs11/libstrongroom.so", "lib/pkcs11/libstrongroom.so"];
    command.ancestors().flat_map(|above| places.map(|place| above.join(place))).find(|path| path.is_file())
}

fn show_slots(engine: &Engine) -> Result<(), Fault> {
    println!("Available slots:");
    for slot in engine.slots() {
        print!("{}", slot::described(engine, slot)?);
    }
    Ok(())
}

fn init_token(engine: Engine, arguments: &Arguments) -> Result<(), Fault> {
    let place = slot::chosen(&engine, arguments, slot::Free::Offered)?;
    let Place { slot, initialised } = place;
    let Some(label) = &arguments.label else {
        return fault("A label for the token must be supplied. Use --label <text>");
    };
    let mut padded = [b' '; 32];
    match padded.get_mut(..label.len()) {
        Some(room) => room.copy_from_slice(label.as_bytes()),
        None => return fault("The token label must not have a length greater than 32 chars."),
    }
    let officer = pin::read(arguments.so_pin.as_deref(), Whose::Officer)?;
    let user = pin::read(arguments.pin.as_deref(), Whose::User)?;
    let made = match initialised {
        true => engine.init_token(slot, &officer, &padded),
        false => engine.create_token(slot, &officer, &padded),
    };
    made.map_err(|why| match why {
        Error::PinIncorrect => Fault(
            "CKR_PIN_INCORRECT: The given SO PIN does not match the one in the token. Needed when reinitializing the token."
                .to_owned(),
        ),
        other => other.into(),
    })?;
    if let Err(why) = give_user(&engine, slot, &officer, &user) {
        if !initialised {
            // Half a token is none.
            engine.delete_token(slot, &officer)?;
        }
        return Err(why);
    }
    // Its slot may be another one to the next program, and scripts read its number from that line.
    let serial = engine.token_info(slot)?.serial;
    drop(engine);
    let Some(slot) = slot::of_serial(&crate::engine(arguments)?, &serial)? else {
        return fault("The token was made, and is gone.");
    };
    let words = if initialised { "on slot" } else { "and is reassigned to slot" };
    println!("The token has been initialized {words} {}", slot.0);
    Ok(())
}

fn give_user(engine: &Engine, slot: SlotId, officer: &Pin, user: &Pin) -> Result<(), Fault> {
    let session = engine.open_session(slot, Access::ReadWrite)?;
    let set = engine.login(session, User::Officer, officer).and_then(|()| engine.init_pin(session, user));
    engine.close_session(session)?;
    Ok(set?)
}

fn delete_token(engine: &Engine, arguments: &Arguments) -> Result<(), Fault> {
    if arguments.token.is_none() && arguments.serial.is_none() {
        return fault("A token must be supplied. Use --serial <serial> or --token <label>");
    }
    let Some((slot, info)) = slot::named(engine, arguments)? else {
        return fault("Could not find a token using --serial or --token.");
    };
    let by = if arguments.token.is_some() { "label" } else { "serial" };
    println!("Found token ({}) with matching token {by}.", info.serial);
    let officer = pin::read(arguments.so_pin.as_deref(), Whose::Officer)?;
    engine.delete_token(slot, &officer).map_err(|why| match why {
        Error::PinIncorrect => Fault("ERROR: The given SO PIN does not match the one in the token.".to_owned()),
        other => other.into(),
    })?;
    println!("The token ({}) has been deleted.", info.serial);
    Ok(())
}
