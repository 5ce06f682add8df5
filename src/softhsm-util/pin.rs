//! PINs: from the command line, or asked for as SoftHSM asks.

use std::{fs, io::IsTerminal};

use zeroize::Zeroizing;

use crate::{Fault, fault};

/// A PIN, wiped when it is dropped.
pub(crate) type Pin = Zeroizing<Vec<u8>>;

/// Whose PIN it is.
#[derive(Clone, Copy)]
pub(crate) enum Whose {
    User,
    Officer,
}

impl Whose {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::User => ("User PIN", "user PIN"),
            Self::Officer => ("SO PIN", "SO PIN"),
        }
    }
}

/// A PIN. It is asked for twice, as SoftHSM asks, also where it is known already: scripts answer twice.
/// One that is too short or too long is asked for again.
pub(crate) fn read(given: Option<&str>, whose: Whose) -> Result<Pin, Fault> {
    let fits = |pin: &[u8]| (4..=255).contains(&pin.len());
    if let Some(given) = given.map(str::as_bytes).filter(|given| fits(given)) {
        return Ok(Zeroizing::new(given.to_vec()));
    }
    let (title, words) = whose.words();
    println!("=== {title} (4-255 characters) ===");
    loop {
        let typed = ask(&format!("Please enter {words}: "), words)?;
        if !fits(&typed) {
            println!("ERROR: The length of the PIN is out of range.");
        } else if *typed != *ask(&format!("Please reenter {words}: "), words)? {
            println!("ERROR: The entered PINs are not equal.");
        } else {
            return Ok(typed);
        }
    }
}

fn ask(prompt: &str, words: &str) -> Result<Pin, Fault> {
    if !std::io::stdin().is_terminal() && fs::File::open("/dev/tty").is_err() {
        return fault(format!("Could not get {words}"));
    }
    match rpassword::prompt_password(prompt) {
        Ok(typed) => Ok(Zeroizing::new(typed.into_bytes())),
        Err(_) => fault(format!("Could not get {words}")),
    }
}
