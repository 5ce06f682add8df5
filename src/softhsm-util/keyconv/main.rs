//! `softhsm2-keyconv`: what was a key of BIND's becomes a file that `softhsm2-util --import` takes.
//!
//! Exit codes are SoftHSM's: 0 done, 1 not.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)] // It is a command: this is what it is for.

mod bind;
mod encoded;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{ArgAction, CommandFactory, Parser};
use zeroize::Zeroizing;

/// Makes a PKCS#8 file of a key of BIND's (.private)
#[derive(Parser)]
#[command(
    name = "softhsm2-keyconv",
    override_usage = "softhsm2-keyconv [OPTIONS]",
    infer_long_args = true,
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
struct Arguments {
    /// Prints this
    #[arg(short, long, action = ArgAction::SetTrue)]
    help: bool,
    /// The file to read
    #[arg(long = "in", value_name = "path")]
    input: Option<PathBuf>,
    /// The file to write
    #[arg(long = "out", value_name = "path")]
    output: Option<PathBuf>,
    /// The password of the file to write; without it, it has none
    #[arg(long, value_name = "PIN")]
    pin: Option<String>,
    /// Prints the version
    #[arg(short, long, action = ArgAction::SetTrue)]
    version: bool,
}

/// Why there is no key, in SoftHSM's words where a script may read them.
struct Fault(String);

/// A fault in these words.
fn fault<T>(words: impl std::fmt::Display) -> Result<T, Fault> {
    Err(Fault(format!("ERROR: {words}")))
}

/// Keys lie apart from everything else.
#[global_allocator]
static HEAP: memory::Heap = memory::Heap;

fn main() -> ExitCode {
    let asked_nothing = std::env::args_os().len() < 2;
    match Arguments::try_parse() {
        Ok(arguments) if arguments.version => println!("{}", env!("CARGO_PKG_VERSION")),
        Ok(arguments) if arguments.help || asked_nothing => print!("{}", Arguments::command().render_help()),
        Ok(arguments) => {
            if let Err(Fault(words)) = memory::keys(|| convert(&arguments)) {
                eprintln!("{words}");
                return ExitCode::FAILURE;
            }
        }
        Err(why) => {
            eprint!("{why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn convert(arguments: &Arguments) -> Result<(), Fault> {
    let Some(input) = &arguments.input else {
        return fault("A path to the input file must be supplied. Use --in <path>");
    };
    let Some(output) = &arguments.output else {
        return fault("A path to the output file must be supplied. Use --out <path>");
    };
    let Ok(text) = fs::read(input).map(Zeroizing::new) else {
        return fault(format!("Could not open input file {} for reading.", input.display()));
    };
    let key = bind::read(&text)?;
    let pem = encoded::pem(&key, arguments.pin.as_deref())?;
    // The key is whole by now: a file that was there is not emptied for nothing.
    let mut file = open(output).map_err(|why| {
        let number = why.raw_os_error().unwrap_or_default();
        Fault(format!("ERROR: Could not open the output file: {} (errno {number})", output.display()))
    })?;
    if let Err(why) = file.write_all(pem.as_bytes()).and_then(|()| file.flush()) {
        return fault(format!("Could not write to the file {}: {why}", output.display()));
    }
    println!("The key has been written to {}", output.display());
    Ok(())
}

/// Only its owner reads a new file.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}
