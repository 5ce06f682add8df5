//! `softhsm2-dump-file`: what is in a file of a token of SoftHSM's, eight bytes a line and what they mean.
//!
//! Exit codes are SoftHSM's, which are not what one expects: 1 when a file was read, whatever is in it, and 0 when none
//! was. Whoever calls it in a script knows that by now.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)] // It is a command: this is what it is for.

mod dump;
mod names;

use std::{
    env,
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::Path,
    process::ExitCode,
};

use zeroize::Zeroizing;

use dump::Dump;

const READ: ExitCode = ExitCode::FAILURE;
const NOT_READ: ExitCode = ExitCode::SUCCESS;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        println!("Prints what is in an object file of SoftHSM 2.\nUsage: softhsm2-dump-file path");
        return NOT_READ;
    };
    let path = Path::new(&path);
    match File::open(path) {
        Ok(file) => {
            if let Err(why) = print(path, file) {
                eprintln!("{}: {why}", path.display());
            }
            READ
        }
        Err(why) => {
            eprintln!("can't open object file {}: {why}", path.display());
            NOT_READ
        }
    }
}

/// The bytes wipe themselves: what is not private in SoftHSM stands there as it is, keys too.
fn print(path: &Path, mut file: File) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "Dump of object file \"{}\"", path.display())?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes)?;
    Dump::new(&bytes, &mut out).object()
}
