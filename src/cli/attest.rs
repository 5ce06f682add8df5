//! Statements about keys, which the token signs: made, and checked without a token. `docs/format-attestation.md` describes them.

use std::{path::PathBuf, str::FromStr};

use clap::Args;
use engine::{
    Engine,
    attestation::{self, LONGEST_CHALLENGE},
};
use serde_json::{Value as Json, json};

use crate::{
    answer::{Answer, Found},
    audit::{self, read_key},
    cert,
    fault::Fault,
    flow::{self, Input, Outlet},
    key::{Hex, KeyChoice},
    label,
    pending::moment,
    sign::of_version,
};

/// No statement is longer.
const LONGEST: usize = 1 << 20;

/// What whoever asks for a statement has thought of, so that it is a new one.
#[derive(Clone)]
struct Challenge(String);

impl FromStr for Challenge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.len() {
            0 => Err("a challenge has one byte at least".to_owned()),
            1..=LONGEST_CHALLENGE => Ok(Self(text.to_owned())),
            len => Err(format!("it has {len} bytes: {LONGEST_CHALLENGE} at most go into a statement")),
        }
    }
}

#[derive(Args)]
pub(crate) struct Attest {
    #[command(flatten)]
    choice: KeyChoice,
    /// What whoever asks has thought of, 1 to 256 bytes: it stands in the statement, so that an old one is not taken for a new one.
    #[arg(long)]
    challenge: Option<Challenge>,
    /// The version of the key (`key versions`); the newest if none is given.
    #[arg(long)]
    key_version: Option<u64>,
    /// The file; else standard output.
    #[arg(long, short)]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Verify {
    /// The statement, or - for standard input.
    file: PathBuf,
    /// The token's public key, as `audit key` prints it.
    #[arg(long)]
    public_key: PathBuf,
    /// The challenge for which it must have been made.
    #[arg(long)]
    challenge: Option<Challenge>,
}

impl Attest {
    /// Whether the result goes to standard output, and nothing but the result.
    pub(crate) fn is_data(&self) -> bool {
        self.out.as_deref().is_some_and(flow::is_dash)
    }
}

pub(crate) fn attest(engine: &Engine, asked: &Attest) -> Result<Answer, Fault> {
    let Attest { choice, challenge, key_version, out } = asked;
    let (_, session, key) = choice.choose(engine)?;
    let key = of_version(engine, session, key, *key_version)?;
    // Of a pair the private half, which has the public key too.
    let handle = key.handles().first().copied();
    let handle = handle.ok_or_else(|| Fault::Failed(format!("key {} has no object", key.label)))?;
    let line = engine.attest(session, handle, challenge.as_ref().map(|Challenge(text)| text.as_str()))?;
    let bytes = format!("{line}\n").into_bytes().into();
    let data = json!({ "attestation": line });
    match out.as_deref().filter(|out| !flow::is_dash(out)) {
        None => Ok(Answer { bytes, ..Answer::new("", data) }),
        Some(path) => {
            Outlet::open(Some(path))?.whole(&bytes)?;
            Ok(Answer::new(
                format!("What key {} is stands in {}, signed by the token.", key.label, path.display()),
                data,
            ))
        }
    }
}

pub(crate) fn verify(asked: &Verify) -> Result<Answer, Fault> {
    let Verify { file, public_key, challenge } = asked;
    let key = read_key(public_key)?;
    let mut input = Input::open(Some(file), "")?;
    let bytes = input.whole(LONGEST)?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let wanted = challenge.as_ref().map(|Challenge(text)| text.as_str());
    // What is no UTF-8 has no statement in it.
    match attestation::verify(std::str::from_utf8(line).unwrap_or_default(), &key, wanted) {
        Ok(text) => {
            let statement = audit::parsed(&text)?;
            let words = words(&statement, wanted.is_some())?;
            Ok(Answer::new(words, json!({ "whole": true, "statement": statement })))
        }
        Err(doubt) => {
            let why = doubt.to_string();
            let text = format!("{} shows nothing: {}", input.name(), label::line(&why));
            let told = json!({ "whole": false, "why": why });
            Ok(Answer { found: Found::Faults, ..Answer::new(text, told) })
        }
    }
}

/// What a statement says, for a person.
fn words(statement: &Json, challenged: bool) -> Result<String, Fault> {
    let text = |of: &Json, name: &str| label::line(of.get(name).and_then(Json::as_str).unwrap_or_default());
    let said = |name: &str| text(statement, name);
    let number = |name: &str| statement.get(name).and_then(Json::as_u64).unwrap_or_default();
    let flag = |name: &str| statement.get(name).and_then(Json::as_bool);
    let is = |name: &str| flag(name) == Some(true);
    let list = |name: &str| {
        let words = statement.get(name).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        words.map(label::line).collect::<Vec<_>>().join(", ")
    };
    let token = statement.get("token").unwrap_or(&Json::Null);
    let curve = statement.get("curve").map(|_| format!(" ({})", said("curve"))).unwrap_or_default();
    let past = list("past_uses");
    let mut rows = vec![
        ("label", said("label")),
        ("id", said("id")),
        ("unique id", said("unique_id")),
        ("is", format!("{}, {} of {} bits{curve}", said("class"), said("key_type"), number("bits"))),
        ("version", number("version").to_string()),
        ("state", format!("{}{}", said("state"), if is("barred") { ", and barred: it does nothing" } else { "" })),
        ("made here", origin(statement)),
        ("can", format!("{}{}", list("uses"), if past.is_empty() { past } else { format!(" (once: {past})") })),
    ];
    if let Some(extractable) = flag("extractable") {
        let leaves = match (extractable, is("never_extractable"), is("wrap_with_trusted")) {
            (true, _, true) => "yes, wrapped by a trusted key",
            (true, _, false) => "yes",
            (false, true, _) => "no, and it never could",
            (false, false, _) => "no; that it never could is not said",
        };
        let shown = match (is("sensitive"), is("always_sensitive")) {
            (false, _) => "yes",
            (true, true) => "no, and it never could be",
            (true, false) => "no; that it never could be is not said",
        };
        rows.extend([("can leave", leaves.to_owned()), ("can be read", shown.to_owned())]);
    }
    rows.push(("can change", if is("modifiable") { "yes" } else { "no" }.to_owned()));
    if statement.get("mechanisms").is_some() {
        rows.push(("mechanisms", list("mechanisms")));
    }
    rows.push((
        "token",
        format!("{}, serial {}, profile {}", text(token, "label"), text(token, "serial"), text(token, "profile")),
    ));
    rows.push(("time", format!("{}, by the clock of that machine", moment(number("time")))));
    let made_for = match (statement.get("challenge"), challenged) {
        (Some(_), true) => format!("{}, as was asked", said("challenge")),
        (Some(_), false) => format!("{}; none was asked for, so this may be an old statement", said("challenge")),
        (None, _) => "none, so this may be an old statement".to_owned(),
    };
    rows.push(("challenge", made_for));
    let mut all = "the signature is right: the token has said this of the key\n".to_owned();
    all.extend(rows.iter().map(|(name, value)| format!("{name:11}  {value}\n")));
    if let Some(Hex(info)) = said("public_key").parse().ok().filter(|_| statement.get("public_key").is_some()) {
        all.push_str(&cert::pem("PUBLIC KEY", &info)?);
    }
    Ok(all)
}

/// Where a key comes from.
fn origin(statement: &Json) -> String {
    let is = |name: &str| statement.get(name).and_then(Json::as_bool) == Some(true);
    match statement.get("made_by").and_then(Json::as_str) {
        Some(mechanism) if is("local") => format!("yes, by {}", label::line(mechanism)),
        _ if is("local") => "yes".to_owned(),
        _ if is("migrated") => {
            "no: it was moved here from another token, and what that said of it is not said here".to_owned()
        }
        _ => "no: whoever made it, or had it before, may have it still".to_owned(),
    }
}
