//! Which token and which key somebody means.

use std::cell::RefCell;

use clap::Args;
use engine::{Engine, User};
use serde_json::{Value, json};
use types::{SessionHandle, SlotId};

use crate::{
    fault::Fault,
    label::{self, Label},
    pin::Source,
    token,
};

/// The token that a verb is about.
#[derive(Args, Clone)]
pub(crate) struct TokenChoice {
    /// The token: its label, its serial number, slot:NUMBER, or a `pkcs11:` URI. Not needed if there is only one.
    #[arg(long, short)]
    pub(crate) token: Option<String>,
    /// Its slot.
    #[arg(long, conflicts_with = "token")]
    pub(crate) slot: Option<u64>,
}

/// The token that a verb is about, whose user logs in for it.
#[derive(Args)]
pub(crate) struct UserLogin {
    #[command(flatten)]
    pub(crate) token: TokenChoice,
    /// Where the user's PIN comes from.
    #[arg(long, default_value = "prompt")]
    pin: Source,
}

/// A token that was chosen.
#[derive(Clone)]
pub(crate) struct Chosen {
    pub(crate) slot: SlotId,
    pub(crate) label: Label,
    pub(crate) tries: u32,
}

thread_local! {
    /// What was chosen last: faults are told of it.
    static CHOSEN: RefCell<Option<Chosen>> = const { RefCell::new(None) };
}

/// The token that was chosen last.
pub(crate) fn chosen() -> Option<Chosen> {
    CHOSEN.with_borrow(Clone::clone)
}

/// The tokens that there are, each as it is told, or as what is the matter with it.
pub(crate) fn tokens(engine: &Engine) -> Result<Vec<Listed>, Fault> {
    Ok(engine.tokens()?.into_iter().map(|slot| (slot, describe(engine, slot))).collect())
}

/// A token and its slot, as it is told to programs, or what is the matter with it.
pub(crate) type Listed = (SlotId, Result<Value, engine::Error>);

/// A token as it is told to programs.
pub(crate) fn describe(engine: &Engine, slot: SlotId) -> Result<Value, engine::Error> {
    let info = engine.token_info(slot)?;
    if info.serial.is_empty() {
        return Err(engine::Error::TokenNotInitialized);
    }
    let summary = engine.token_summary(slot)?;
    let flags: Vec<&str> = FLAGS.iter().filter(|(bit, _)| info.flags & bit != 0).map(|(_, name)| *name).collect();
    Ok(json!({
        "slot": slot.0,
        "label": label_of(&info.label),
        "serial": info.serial,
        "flags": flags,
        "profile": summary.profile.to_string(),
        "recovery": summary.recovery.to_string(),
        "deletion_days": summary.lifecycle.deletion_days,
        "deletion_locked": summary.lifecycle.locked,
        "dates_hold": summary.lifecycle.dates,
        "use_audit": summary.uses.to_string(),
        "pin_tries": summary.pin_tries,
        "pin_cost": {
            "memory_kib": summary.pin_cost.memory_kib,
            "passes": summary.pin_cost.passes,
            "lanes": summary.pin_cost.lanes,
        },
        "needs_store_secret": summary.needs_store_secret,
    }))
}

/// The flags of a token (PKCS#11, `CK_TOKEN_INFO`), by the names that they have there.
const FLAGS: [(u64, &str); 12] = [
    (0x0000_0001, "CKF_RNG"),
    (0x0000_0002, "CKF_WRITE_PROTECTED"),
    (0x0000_0004, "CKF_LOGIN_REQUIRED"),
    (0x0000_0008, "CKF_USER_PIN_INITIALIZED"),
    (0x0000_0200, "CKF_DUAL_CRYPTO_OPERATIONS"),
    (0x0000_0400, "CKF_TOKEN_INITIALIZED"),
    (0x0001_0000, "CKF_USER_PIN_COUNT_LOW"),
    (0x0002_0000, "CKF_USER_PIN_FINAL_TRY"),
    (0x0004_0000, "CKF_USER_PIN_LOCKED"),
    (0x0010_0000, "CKF_SO_PIN_COUNT_LOW"),
    (0x0020_0000, "CKF_SO_PIN_FINAL_TRY"),
    (0x0040_0000, "CKF_SO_PIN_LOCKED"),
];

/// A label without the blanks that PKCS#11 fills it up with.
pub(crate) fn label_of(padded: &[u8; 32]) -> String {
    String::from_utf8_lossy(padded).trim_end_matches(' ').to_owned()
}

impl UserLogin {
    /// For a token that was chosen in another way.
    pub(crate) fn new(token: TokenChoice, pin: Source) -> Self {
        Self { token, pin }
    }

    /// The token that is meant, and a session in which its user is logged in.
    pub(crate) fn log_in(&self, engine: &Engine) -> Result<(Chosen, SessionHandle), Fault> {
        self.log_in_to(engine, &self.token)
    }

    /// The same, of another token.
    pub(crate) fn log_in_to(&self, engine: &Engine, token: &TokenChoice) -> Result<(Chosen, SessionHandle), Fault> {
        let token = token.choose(engine)?;
        let session = token::session(engine, &token, User::User, &self.pin.read(token::USERS)?)?;
        Ok((token, session))
    }
}

impl TokenChoice {
    /// The token that is meant.
    pub(crate) fn choose(&self, engine: &Engine) -> Result<Chosen, Fault> {
        let slot = self.slot_of(engine)?;
        let token = describe(engine, slot)?;
        let text = |key: &str| token.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let tries = token.get("pin_tries").and_then(Value::as_u64).and_then(|tries| u32::try_from(tries).ok());
        let chosen = Chosen { slot, label: text("label").into(), tries: tries.unwrap_or(0) };
        CHOSEN.set(Some(chosen.clone()));
        Ok(chosen)
    }

    fn slot_of(&self, engine: &Engine) -> Result<SlotId, Fault> {
        if let Some(slot) = self.slot {
            return in_slot(engine, slot);
        }
        let tokens = tokens(engine)?;
        let Some(wanted) = &self.token else {
            return match &*tokens {
                [(slot, _)] => Ok(*slot),
                [] => Err(Fault::NotFound("there is no token yet: `strongroom token init LABEL` makes one".into())),
                several => Err(Fault::Usage(format!("which token? --token takes one of these:\n{}", list(several)))),
            };
        };
        if let Some(number) = wanted.strip_prefix("slot:") {
            let number = number.parse().map_err(|_| Fault::Usage("slot: wants a number".into()))?;
            return in_slot(engine, number);
        }
        let wanted = if wanted.starts_with("pkcs11:") { Wanted::uri(wanted)? } else { Wanted::name(wanted) };
        let fits =
            |token: &&(SlotId, Result<Value, engine::Error>)| token.1.as_ref().is_ok_and(|token| wanted.fits(token));
        let found: Vec<_> = tokens.iter().filter(fits).collect();
        match &*found {
            [(slot, _)] => Ok(*slot),
            [] => {
                let there = if tokens.is_empty() {
                    "there is none".to_owned()
                } else {
                    format!("there are:\n{}", list(&tokens))
                };
                Err(Fault::NotFound(format!("there is no token '{}'; {there}", wanted.said)))
            }
            _ => {
                let found: Vec<_> = found.into_iter().map(|(slot, token)| (*slot, token.clone())).collect();
                let several = list(&found);
                Err(Fault::Usage(format!(
                    "'{}' could be any of these; its serial number or slot:NUMBER says which:\n{several}",
                    wanted.said
                )))
            }
        }
    }
}

fn in_slot(engine: &Engine, slot: u64) -> Result<SlotId, Fault> {
    let known = tokens(engine)?.iter().any(|(known, _)| known.0 == slot);
    if known {
        Ok(SlotId(slot))
    } else {
        Err(Fault::NotFound(format!("there is no token in slot {slot}: `strongroom token list` says where they are")))
    }
}

/// What a token must have.
struct Wanted {
    said: String,
    /// Label or serial number; or each of them.
    either: Option<String>,
    label: Option<String>,
    serial: Option<String>,
}

impl Wanted {
    fn name(name: &str) -> Self {
        Self { said: name.to_owned(), either: Some(name.to_owned()), label: None, serial: None }
    }

    /// Of a URI (RFC 7512).
    fn uri(uri: &str) -> Result<Self, Fault> {
        let mut wanted = Self { said: uri.to_owned(), either: None, label: None, serial: None };
        for (name, value) in uri_path(uri)? {
            match name.as_str() {
                "token" => wanted.label = Some(String::from_utf8_lossy(&value).into_owned()),
                "serial" => wanted.serial = Some(String::from_utf8_lossy(&value).into_owned()),
                _ => {}
            }
        }
        Ok(wanted)
    }

    fn fits(&self, token: &Value) -> bool {
        let text = |key: &str| token.get(key).and_then(Value::as_str).unwrap_or_default();
        let named = self.either.as_deref().is_none_or(|name| {
            // A label with blanks at its end is typed without them, or with them.
            text("label") == name || text("label") == name.trim_end_matches(' ') || text("serial") == name
        });
        named
            && self.label.as_deref().is_none_or(|label| text("label") == label.trim_end_matches(' '))
            && self.serial.as_deref().is_none_or(|serial| text("serial") == serial)
    }
}

/// The attributes in the path of a `pkcs11:` URI, their percent signs decoded.
pub(crate) fn uri_path(uri: &str) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    let path = uri.strip_prefix("pkcs11:").unwrap_or_default().split('?').next().unwrap_or_default();
    let parts = path.split(';').filter(|part| !part.is_empty());
    let read = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.to_owned(), percent_encoding::percent_decode_str(value).collect()))
    };
    parts
        .map(|part| read(part).ok_or_else(|| Fault::Usage(format!("'{part}' in the URI is no attribute (RFC 7512)"))))
        .collect()
}

/// Tokens, a line each.
fn list(tokens: &[Listed]) -> String {
    tokens.iter().map(|(slot, token)| line(*slot, token)).collect::<Vec<_>>().join("\n")
}

/// A token in one line.
pub(crate) fn line(slot: SlotId, token: &Result<Value, engine::Error>) -> String {
    match token {
        Ok(token) => {
            let text = |key: &str| token.get(key).and_then(Value::as_str).unwrap_or_default();
            format!("slot {}  serial {}  {}", slot.0, text("serial"), label::line(text("label")))
        }
        Err(fault) => format!("slot {}  damaged: {fault}", slot.0),
    }
}
