//! Which slot is meant, and what a slot looks like.

use std::fmt::Write;

use engine::{Engine, TokenInfo};
use types::SlotId;

use crate::{Fault, arguments::Arguments, fault};

/// Of `CK_TOKEN_INFO`.
const USER_PIN_INITIALIZED: u64 = 0x8;
const TOKEN_INITIALIZED: u64 = 0x400;

/// Whether a slot without a token can be meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Free {
    Offered,
    Not,
}

/// A slot, and whether it has a token.
pub(crate) struct Place {
    pub(crate) slot: SlotId,
    pub(crate) initialised: bool,
}

/// The slot that is meant. Says what it was found by.
pub(crate) fn chosen(engine: &Engine, arguments: &Arguments, free: Free) -> Result<Place, Fault> {
    let place = |slot, initialised| Ok(Place { slot, initialised });
    if let Some(number) = arguments.slot {
        let slot = SlotId(number);
        if !engine.slots().contains(&slot) {
            return match free {
                Free::Offered => Err(Fault(format!("CKR_SLOT_ID_INVALID: Slot {number} does not exist."))),
                Free::Not => fault("The given slot does not exist."),
            };
        }
        return place(slot, is_initialised(&engine.token_info(slot)?));
    }
    if arguments.token.is_some() || arguments.serial.is_some() {
        let Some((slot, _)) = named(engine, arguments)? else {
            return match free {
                Free::Offered => fault("Could not find a slot/token using --serial, --token, or --free."),
                Free::Not => fault("Could not find a slot/token using --serial, or --token"),
            };
        };
        println!("Found slot {} with matching {}.", slot.0, matched(arguments));
        return place(slot, true);
    }
    if arguments.free && free == Free::Offered {
        let Some(slot) = engine.slots().last().copied() else {
            return fault("Could not find a free slot.");
        };
        println!("Slot {} has a free/uninitialized token.", slot.0);
        return place(slot, false);
    }
    match free {
        Free::Offered => {
            fault("A slot/token must be supplied. Use --slot <number>, --serial <serial>, --token <label>, or --free")
        }
        Free::Not => fault("A slot/token must be supplied. Use --slot <number>, --serial <serial>, or --token <label>"),
    }
}

fn matched(arguments: &Arguments) -> &'static str {
    match (&arguments.serial, &arguments.token) {
        (Some(_), Some(_)) => "serial and token label",
        (Some(_), None) => "serial",
        (None, _) => "token label",
    }
}

/// The token that has the label and the serial number, as far as they were given; there may be only one.
pub(crate) fn named(engine: &Engine, arguments: &Arguments) -> Result<Option<(SlotId, TokenInfo)>, Fault> {
    let mut found = None;
    for slot in engine.slots() {
        let info = engine.token_info(slot)?;
        let label = arguments.token.as_ref().is_none_or(|label| text(&info.label) == label.trim_end_matches(' '));
        let serial = arguments.serial.as_ref().is_none_or(|serial| info.serial == *serial);
        if is_initialised(&info) && label && serial && found.replace((slot, info)).is_some() {
            return fault("Found multiple matching slots/tokens: --serial <serial> names one");
        }
    }
    Ok(found)
}

/// The slot of the token with a serial number.
pub(crate) fn of_serial(engine: &Engine, serial: &str) -> Result<Option<SlotId>, Fault> {
    for slot in engine.tokens()? {
        if engine.token_info(slot)?.serial == serial {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

fn is_initialised(info: &TokenInfo) -> bool {
    info.flags & TOKEN_INITIALIZED != 0
}

fn text(padded: &[u8; 32]) -> String {
    String::from_utf8_lossy(padded).trim_end_matches(' ').to_owned()
}

/// A slot and its token, in the lines that scripts read.
pub(crate) fn described(engine: &Engine, slot: SlotId) -> Result<String, Fault> {
    let info = engine.slot_info(slot)?;
    let token = engine.token_info(slot)?;
    let yes = |holds| if holds { "yes" } else { "no" };
    let version = |(major, minor): (u8, u8)| format!("{major}.{minor}");
    let slots = [
        ("Description:", format!("{:64}", info.description)),
        ("Manufacturer ID:", format!("{:32}", info.manufacturer)),
        ("Hardware version:", version(info.hardware)),
        ("Firmware version:", version(info.firmware)),
        ("Token present:", "yes".to_owned()),
    ];
    let tokens = [
        ("Manufacturer ID:", format!("{:32}", token.manufacturer)),
        ("Model:", format!("{:16}", token.model)),
        ("Hardware version:", version(token.hardware)),
        ("Firmware version:", version(token.firmware)),
        ("Serial number:", format!("{:16}", token.serial)),
        ("Initialized:", yes(is_initialised(&token)).to_owned()),
        ("User PIN init.:", yes(token.flags & USER_PIN_INITIALIZED != 0).to_owned()),
        ("Label:", format!("{:32}", text(&token.label))),
    ];
    let mut lines = format!("Slot {}\n", slot.0);
    for (title, rows) in [("Slot info:", &slots[..]), ("Token info:", &tokens[..])] {
        lines.push_str(&format!("    {title}\n"));
        for (name, value) in rows {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "        {name:17} {value}");
        }
    }
    Ok(lines)
}
