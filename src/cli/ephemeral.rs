//! A token for one command, gone afterwards.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use engine::{Engine, Settings};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    answer::Answer,
    child::Signals,
    fault::{Fault, quoted},
    token,
};

/// The label of the token.
const LABEL: &str = "ephemeral";

/// Programs that take a module by an option and not by the environment.
const PROGRAMS: [(&str, &str); 2] = [("pkcs11-tool", "--module"), ("p11tool", "--provider")];

/// Runs a command with a token of its own, and gives the command's end.
pub(crate) fn run(command: &[OsString]) -> Result<ExitStatus, Fault> {
    let (program, arguments) = command.split_first().ok_or_else(|| Fault::Usage("which command?".into()))?;
    let failed = |why: String| Fault::Usage(why);
    // Before there is a token: what comes from now on waits until there is somebody to hand it to.
    let signals = Signals::catch()?;
    let Ephemeral { directory, store, state, so_pin, pin } = Ephemeral::make()?;

    let module = module();
    let mut child = Command::new(program);
    let name = Path::new(program).file_name().unwrap_or_default();
    let option = PROGRAMS.iter().find(|(known, _)| name == *known).map(|(_, option)| *option);
    let given = |option: &str| arguments.iter().any(|argument| argument.to_string_lossy().starts_with(option));
    if let (Some(option), Some(module)) = (option.filter(|option| !given(option)), &module) {
        child.arg(option).arg(module);
    }
    child.args(arguments);
    child.env("STRONGROOM_STORE", &store).env("STRONGROOM_STATE", &state).env_remove("STRONGROOM_STORE_SECRET");
    child.env("TOKEN_LABEL", LABEL).env("TOKEN_PIN", &pin).env("TOKEN_SO_PIN", &so_pin);
    if let Some(module) = &module {
        child.env("PKCS11_MODULE", module).env("PKCS11_PROVIDER_MODULE", module);
    }
    let status = signals.run(&mut child);
    let closed = directory.close();
    let status = status.map_err(|why| failed(format!("{} cannot be started: {why}", program.to_string_lossy())))?;
    closed.map_err(|why| failed(format!("the token is not quite gone: {why}")))?;
    Ok(status)
}

/// What a shell has to do to work with a token of its own. The token goes when the shell ends.
pub(crate) fn env() -> Result<Answer, Fault> {
    let Ephemeral { directory, store, state, so_pin, pin } = Ephemeral::make()?;
    let directory = directory.keep();
    let path = |path: &Path| quoted(&path.display().to_string());
    let mut text = format!(
        "export STRONGROOM_STORE={} STRONGROOM_STATE={}\nexport TOKEN_LABEL={LABEL} TOKEN_PIN={pin} TOKEN_SO_PIN={so_pin}\n\
         unset STRONGROOM_STORE_SECRET\ntrap {} EXIT\n",
        path(&store),
        path(&state),
        // A word of a word: the trap is read once more when it is sprung.
        quoted(&format!("rm -rf -- {}", path(&directory))),
    );
    if let Some(module) = module() {
        let module = path(&module.canonicalize().unwrap_or(module));
        text.push_str(&format!("export PKCS11_MODULE={module} PKCS11_PROVIDER_MODULE={module}\n"));
    }
    let data = json!({ "store": store, "state": state, "label": LABEL, "pin": pin, "so_pin": so_pin });
    Ok(Answer::new(text, data))
}

/// A token in a directory of its own, which goes with this value.
struct Ephemeral {
    directory: TempDir,
    store: PathBuf,
    state: PathBuf,
    so_pin: String,
    pin: String,
}

impl Ephemeral {
    /// Makes the token; its PINs are random.
    fn make() -> Result<Self, Fault> {
        let failed = |why: io::Error| Fault::Usage(format!("there is no place for a token: {why}"));
        let directory = tempfile::Builder::new().prefix("strongroom-").tempdir().map_err(failed)?;
        let (store, state) = (directory.path().join("tokens"), directory.path().join("state"));
        let settings = Settings { store: store.clone(), state: state.clone(), store_secret: None, ..Settings::load() };
        let engine = Engine::new(settings);
        // The first token's PIN is drawn before there is a token to draw it: from the engine all the same.
        let (so_pin, pin) = (engine.random_text()?, engine.random_text()?);
        token::make(&engine, LABEL, so_pin.as_bytes(), pin.as_bytes())?;
        Ok(Self { directory, store, state, so_pin, pin })
    }
}

/// The module that belongs to this command: beside it, or where it is installed.
pub(crate) fn module() -> Option<PathBuf> {
    let own = env::current_exe().ok()?;
    let here = own.parent()?;
    let name = "libstrongroom.so";
    let places = [
        here.join(name),
        here.join("../lib/pkcs11").join(name),
        PathBuf::from(format!("/usr/lib/{}-linux-gnu/pkcs11", env::consts::ARCH)).join(name),
        PathBuf::from("/usr/lib/pkcs11").join(name),
        PathBuf::from("/usr/local/lib/pkcs11").join(name),
    ];
    places.into_iter().find(|path| path.is_file())
}

/// The same, without `bin/../lib`.
///
/// # Errors
/// That it is in none of these places.
pub(crate) fn installed_module() -> Result<PathBuf, Fault> {
    let module = module().ok_or_else(|| {
        let why =
            "the module libstrongroom.so is neither beside this command nor where it is installed: `make install`";
        Fault::NotFound(why.into())
    })?;
    Ok(module.canonicalize().unwrap_or(module))
}
