use std::{
    env, fs,
    io::{IsTerminal, Read},
    process::{Command, Stdio},
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use zeroize::Zeroizing;

use crate::fault::Fault;

/// Where a PIN comes from.
#[derive(Clone)]
pub(crate) enum Source {
    Variable(String),
    File(String),
    Descriptor(u32),
    Command(String),
    Prompt,
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("env", name)) => Ok(Self::Variable(name.to_owned())),
            Some(("file", path)) => Ok(Self::File(path.to_owned())),
            Some(("fd", number)) => number.parse().map(Self::Descriptor).map_err(|_| "fd: wants a number".to_owned()),
            Some(("cmd", command)) => Ok(Self::Command(command.to_owned())),
            None if text == "prompt" => Ok(Self::Prompt),
            _ => Err("a PIN comes from env:NAME, file:PATH, fd:NUMBER, cmd:COMMAND or prompt".to_owned()),
        }
    }
}

/// A PIN, wiped when it is dropped.
pub(crate) type Pin = Zeroizing<Vec<u8>>;

impl Source {
    /// The PIN, without the end of its line.
    pub(crate) fn read(&self, what: &str) -> Result<Pin, Fault> {
        let mut pin = self.bytes(what).map_err(Fault::Usage)?;
        // A line of Windows ends in two bytes.
        for end in [b'\n', b'\r'] {
            if pin.last() == Some(&end) {
                pin.pop();
            }
        }
        Ok(pin)
    }

    /// A PIN that is set: asked for twice where it is typed.
    pub(crate) fn read_new(&self, what: &str) -> Result<Pin, Fault> {
        let pin = self.read(what)?;
        if matches!(self, Self::Prompt) && *pin != *self.read(&format!("{what} again"))? {
            return Err(Fault::Usage(format!("{what}: the two are not the same")));
        }
        Ok(pin)
    }

    fn bytes(&self, what: &str) -> Result<Pin, String> {
        match self {
            Self::Variable(name) => {
                let value =
                    env::var_os(name).ok_or_else(|| format!("{what}: there is no environment variable {name}"))?;
                READ.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
                Ok(Zeroizing::new(value.into_encoded_bytes()))
            }
            Self::File(path) => {
                fs::read(path).map(Zeroizing::new).map_err(|why| format!("{what}: {path} cannot be read: {why}"))
            }
            Self::Descriptor(number) => from_descriptor(*number).map_err(|why| format!("{what}: fd:{number}: {why}")),
            Self::Command(command) => from_command(command).map_err(|why| format!("{what}: cmd:{command}: {why}")),
            Self::Prompt if !std::io::stdin().is_terminal() && fs::File::open("/dev/tty").is_err() => Err(format!(
                "{what}: there is no terminal to ask on; env:NAME, file:PATH, fd:NUMBER and cmd:COMMAND do without"
            )),
            Self::Prompt => {
                let typed = rpassword::prompt_password(format!("{what}: "));
                Ok(Zeroizing::new(typed.map_err(|why| format!("{what} cannot be asked for: {why}"))?.into_bytes()))
            }
        }
    }
}

/// The variables from which PINs were read.
static READ: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Takes the PINs out of the environment of a program that somebody else has written.
pub(crate) fn take_from(program: &mut Command) -> &mut Command {
    READ.lock().unwrap_or_else(PoisonError::into_inner).iter().fold(program, |program, name| program.env_remove(name))
}

/// Reads what a shell has put behind a descriptor.
fn from_descriptor(number: u32) -> std::io::Result<Pin> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    fs::File::open(format!("/proc/self/fd/{number}"))?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads what a command prints.
fn from_command(command: &str) -> Result<Pin, String> {
    let mut shell = Command::new("sh");
    let mut child = take_from(shell.args(["-c", command])).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let child = child.as_mut().map_err(|why| why.to_string())?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    let read = child.stdout.take().map(|mut output| output.read_to_end(&mut bytes)).transpose();
    let status = child.wait().map_err(|why| why.to_string())?;
    read.map_err(|why| why.to_string())?;
    if status.success() { Ok(bytes) } else { Err(format!("it ended with {status}")) }
}
