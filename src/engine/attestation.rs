//! Statements about keys, signed by the token that has them.
//!
//! A statement is one line of JSON. Its text says what a key is at a time: where it was made, whether it was ever able to leave,
//! what it may do. The signature after it is by the key that signs checkpoints of the audit, over other words than those have.
//! How it looks outside, and what it shows: `docs/format-attestation.md`.

use std::fmt;

use serde_json::{Map, Value as Json};
use types::{AttributeType as A, MechanismType, Value};

use crate::{
    alarms, audit,
    curve::Curve,
    hex::{self, digits},
    line,
    object::{self, Attributes, KeyState, parts},
    uses,
};

/// A challenge has this many bytes at most.
pub const LONGEST_CHALLENGE: usize = 256;

/// The form of a statement. One with another number means something else.
const FORM: u64 = 1;

/// What a key says of how it is protected; a public key does not have it.
const PROTECTION: [(&str, A); 3] =
    [("extractable", A::EXTRACTABLE), ("sensitive", A::SENSITIVE), ("wrap_with_trusted", A::WRAP_WITH_TRUSTED)];

/// What a key says of its past; no word of it is of this token if the key was adopted.
const PAST: [(&str, A); 2] = [("always_sensitive", A::ALWAYS_SENSITIVE), ("never_extractable", A::NEVER_EXTRACTABLE)];

/// The text of a statement: the line without the signature.
pub(crate) fn text(key: &Attributes, token: &Json, challenge: Option<&str>) -> String {
    let mut members = audit::names(key);
    let mut say = |name: &str, value: Json| drop(members.insert(name.to_owned(), value));
    say("attestation", FORM.into());
    say("time", alarms::now().into());
    say("token", token.clone());
    say("version", object::version(key).into());
    say("state", KeyState::of(key).to_string().into());
    if KeyState::in_effect(key) != KeyState::of(key) {
        say("barred", true.into());
    }
    let seen = !key.flag(A::ADOPTED);
    say("local", (seen && key.flag(A::LOCAL)).into());
    if !seen {
        say("migrated", true.into());
    }
    if let Some(mechanism) = audit::made_by(key) {
        say("made_by", mechanism.into());
    }
    for (name, attribute) in PROTECTION.into_iter().filter(|(_, attribute)| key.has(*attribute)) {
        say(name, key.flag(attribute).into());
    }
    for (name, attribute) in PAST.into_iter().filter(|(_, attribute)| key.has(*attribute)) {
        say(name, (seen && key.flag(attribute)).into());
    }
    say("modifiable", key.flag(A::MODIFIABLE).into());
    let words = |has: &dyn Fn(A) -> bool| -> Vec<String> {
        object::all_uses().filter(|attribute| has(*attribute)).map(uses::word).collect()
    };
    say("uses", words(&|attribute| key.flag(attribute)).into());
    let past = words(&|attribute| object::ever(key, attribute) && !key.flag(attribute));
    if !past.is_empty() {
        say("past_uses", past.into());
    }
    let mechanisms = key.get(A::ALLOWED_MECHANISMS).and_then(Value::as_numbers).unwrap_or_default();
    if !mechanisms.is_empty() {
        say("mechanisms", mechanisms.iter().map(|number| MechanismType(*number).to_string()).collect());
    }
    if let Some(bits) = bits(key) {
        say("bits", bits.into());
    }
    if let Some(name) = curve(key).and_then(Curve::name) {
        say("curve", name.into());
    }
    if let Some(info) = key.bytes(A::PUBLIC_KEY_INFO).filter(|info| !info.is_empty()) {
        say("public_key", digits(info).into());
    }
    if let Some(challenge) = challenge {
        say("challenge", challenge.into());
    }
    Json::Object(members).to_string()
}

/// How long a key is: its modulus, its prime, the field of its curve, or itself.
fn bits(key: &Attributes) -> Option<u64> {
    let number = [A::MODULUS, A::PRIME].into_iter().find_map(|name| key.bytes(name)).map(parts::bits);
    let field = || curve(key).and_then(|curve| u64::try_from(curve.bits()).ok());
    let value = || key.number(A::VALUE_LEN).map(|len| len.saturating_mul(8));
    number.or_else(field).or_else(value)
}

fn curve(key: &Attributes) -> Option<Curve> {
    Curve::of(key.bytes(A::EC_PARAMS)?).ok()
}

/// What is signed: nothing else that the key signs begins so.
pub(crate) fn signed(serial: &str, text: &str) -> Vec<u8> {
    format!("strongroom attestation\n{serial}\n{text}\n").into_bytes()
}

/// The last member of a statement.
const SIGNATURE: &str = "signature";

/// A statement with its signature.
pub(crate) fn line(text: &str, signature: &[u8]) -> String {
    line::with_last(text, SIGNATURE, signature)
}

/// Why a statement shows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is no statement, or it was cut off or changed so that it is none any more.
    NoStatement,
    /// The signature is wrong.
    Signature,
    /// It was made for another challenge, or for none.
    Challenge(Option<String>),
    /// A newer release has made it.
    Form,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStatement => f.write_str("it is no statement about a key, or it was cut off or changed"),
            Self::Signature => f.write_str("its signature is wrong: it was changed, or another token has made it"),
            Self::Challenge(None) => f.write_str("it was made without a challenge, so it may be an old one"),
            Self::Challenge(Some(said)) => {
                write!(f, "it was made for the challenge '{said}', so it may be an old one")
            }
            Self::Form => {
                f.write_str("it was made by a newer release of strongroom, which this one does not understand")
            }
        }
    }
}

/// The text of a statement that was signed by the token with this public key (Ed25519, 32 bytes) and, if a challenge is given, was
/// made for it. `line` is without its end.
///
/// # Errors
/// [`Doubt`], and nothing that stands there is shown.
pub fn verify(line: &str, public_key: &[u8], challenge: Option<&str>) -> Result<String, Doubt> {
    let (text, told) = line::without_last(line, SIGNATURE).ok_or(Doubt::NoStatement)?;
    let signature = hex::bytes(told).ok_or(Doubt::NoStatement)?;
    let members: Map<String, Json> = serde_json::from_str(&text).map_err(|_| Doubt::NoStatement)?;
    let serial = members.get("token").and_then(|token| token.get("serial")).and_then(Json::as_str);
    let message = signed(serial.ok_or(Doubt::NoStatement)?, &text);
    if !line::is_signed(&message, &signature, public_key) {
        return Err(Doubt::Signature);
    }
    if members.get("attestation").and_then(Json::as_u64) != Some(FORM) {
        return Err(Doubt::Form);
    }
    let said = members.get("challenge").and_then(Json::as_str);
    match challenge {
        Some(wanted) if said != Some(wanted) => Err(Doubt::Challenge(said.map(str::to_owned))),
        _ => Ok(text),
    }
}
