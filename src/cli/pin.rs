use std::{env, fs, io::Read, str::FromStr};

use zeroize::Zeroizing;

/// Where a PIN comes from.
#[derive(Clone)]
pub(crate) enum Source {
    Variable(String),
    File(String),
    Descriptor(u32),
    Prompt,
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("env", name)) => Ok(Self::Variable(name.to_owned())),
            Some(("file", path)) => Ok(Self::File(path.to_owned())),
            Some(("fd", number)) => number.parse().map(Self::Descriptor).map_err(|_| "fd: wants a number".to_owned()),
            None if text == "prompt" => Ok(Self::Prompt),
            _ => Err("a PIN comes from env:NAME, file:PATH, fd:NUMBER or prompt".to_owned()),
        }
    }
}

impl Source {
    /// The PIN, without the end of its line.
    pub(crate) fn read(&self, what: &str) -> Result<Zeroizing<Vec<u8>>, String> {
        let mut pin = match self {
            Self::Variable(name) => Zeroizing::new(
                env::var(name).map_err(|why| format!("environment variable {name}: {why}"))?.into_bytes(),
            ),
            Self::File(path) => Zeroizing::new(fs::read(path).map_err(|why| format!("{path}: {why}"))?),
            Self::Descriptor(number) => from_descriptor(*number)?,
            Self::Prompt => {
                let typed = rpassword::prompt_password(format!("{what}: "));
                Zeroizing::new(typed.map_err(|why| format!("{what} cannot be asked for: {why}"))?.into_bytes())
            }
        };
        if pin.last() == Some(&b'\n') {
            pin.pop();
        }
        Ok(pin)
    }
}

/// Reads what a shell has put behind a descriptor.
fn from_descriptor(number: u32) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    let mut file = fs::File::open(format!("/proc/self/fd/{number}")).map_err(|why| format!("fd:{number}: {why}"))?;
    file.read_to_end(&mut bytes).map_err(|why| format!("fd:{number}: {why}"))?;
    Ok(bytes)
}
