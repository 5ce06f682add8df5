//! What was written down of a token: shown, checked, put out, signed. `docs/format-audit.md` describes it.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use clap::{Subcommand, ValueEnum};
use engine::{
    Engine,
    audit::{AuditEntry, Broken, Verified, Verifier},
};
use serde_json::{Value as Json, json};
use types::SessionHandle;
use x509_cert::{
    der::{Decode, Encode, asn1::BitString},
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
};

use crate::{
    answer::{Answer, Found, done},
    cert,
    fault::Fault,
    flow::{Outlet, is_dash},
    formats::ED25519,
    key::hex,
    label,
    pending::moment,
    select::{Chosen, UserLogin},
    uses::{self, UsesVerb},
    witness::{self, Heads, Odd, Place, Witness},
};

#[derive(Subcommand)]
pub(crate) enum AuditVerb {
    /// Lists what was done to a token and its objects, the oldest first.
    List {
        /// Only what was done to an object with this label, id or unique id.
        #[arg(long)]
        key: Option<String>,
        /// Only events of this name: object-created, key-state, pin-changed …
        #[arg(long)]
        event: Option<String>,
        /// Only the last so many.
        #[arg(long)]
        last: Option<usize>,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Says whether what was written down is as it was written, and names the first entry that is not: of a token, or of a file
    /// that `audit export` made, which takes the public key alone.
    Verify {
        /// An export, or - for standard input.
        #[arg(requires = "public_key")]
        file: Option<PathBuf>,
        /// The token's public key, as `audit key` prints it.
        #[arg(long)]
        public_key: Option<PathBuf>,
        /// The token's serial number, if the export's first entry does not say it.
        #[arg(long, requires = "file")]
        serial: Option<String>,
        /// What `audit head` has put out earlier, once or often: those entries must still be there.
        #[arg(long)]
        head: Option<PathBuf>,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Puts the entries out, a line each.
    Export {
        /// jsonl (as docs/format-audit.md has it; only this can be verified), cef (ArcSight) or rfc5424 (syslog).
        #[arg(long, default_value = "jsonl")]
        format: Format,
        /// Only the entries after this number. What is cut off in front cannot be verified.
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// The file; else standard output.
        #[arg(long, short)]
        out: Option<PathBuf>,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Signs what was written down so far, in an entry of its own.
    Checkpoint {
        #[command(flatten)]
        login: UserLogin,
    },
    /// Prints the number and the link of the last entry, and of the last use on this machine. Kept elsewhere, it shows later that
    /// nothing was taken away.
    Head {
        /// Puts it there as well: file:PATH (a line is added), syslog, or cmd:COMMAND (gets the line on its standard input). May
        /// be given more than once.
        #[arg(long, value_name = "WHERE")]
        to: Vec<Place>,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Prints the public key that checks checkpoints.
    Key {
        #[command(flatten)]
        login: UserLogin,
    },
    /// What was written down of uses of keys.
    #[command(subcommand)]
    Uses(UsesVerb),
}

impl AuditVerb {
    /// Whether standard output is for data.
    pub(crate) fn is_data(&self) -> bool {
        matches!(self, Self::Export { .. } | Self::Uses(UsesVerb::Export { .. }))
    }
}

/// How entries are put out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Jsonl,
    Cef,
    Rfc5424,
}

impl Format {
    fn line(self, serial: &str, entry: &AuditEntry) -> Result<String, Fault> {
        match self {
            Self::Jsonl => Ok(entry.line()),
            Self::Cef => Ok(cef(serial, &parsed(&entry.text)?)),
            Self::Rfc5424 => Ok(rfc5424(serial, &parsed(&entry.text)?)),
        }
    }
}

/// Longer lines are no entries.
const LONGEST_LINE: u64 = 1 << 20;

pub(crate) fn run(engine: &Engine, verb: &AuditVerb) -> Result<Answer, Fault> {
    match verb {
        AuditVerb::List { key, event, last, login } => list(engine, login, key.as_deref(), event.as_deref(), *last),
        AuditVerb::Verify { file: Some(file), public_key, serial, head, .. } => {
            let key = public_key.as_deref().map(read_key).transpose()?;
            let head = head.as_deref().map(Heads::read).transpose()?;
            verify_file(file, key.as_deref(), serial.clone(), head)
        }
        AuditVerb::Verify { head, login, .. } => {
            let head = head.as_deref().map(Heads::read).transpose()?;
            verify_token(engine, login, head)
        }
        AuditVerb::Export { format, after, out, login } => export(engine, login, *format, *after, out.as_deref()),
        AuditVerb::Checkpoint { login } => {
            let (_, session) = login.log_in(engine)?;
            engine.audit_checkpoint(session)?;
            let signed = whole(engine, session, &mut |_| {})?.entries.saturating_sub(1);
            done(format!("{signed} entries are signed"))
        }
        AuditVerb::Head { to, login } => {
            let (chosen, session) = login.log_in(engine)?;
            let head = witness::head(engine, session, &serial(engine, &chosen)?)?;
            let failed: Vec<String> = to.iter().filter_map(|place| place.keep(&head).err()).collect();
            // The head itself is put out in any case.
            let unread = head
                .get("uses")
                .and_then(|uses| uses.get("unread"))
                .map(|why| format!("the book of uses: {}", plain(why)));
            let wrong: Vec<String> = failed.into_iter().chain(unread).collect();
            for why in &wrong {
                eprintln!("strongroom: {}", label::line(why));
            }
            let found = if wrong.is_empty() { Found::Nothing } else { Found::Faults };
            let text = head.to_string();
            let mut told = head;
            if let Some(members) = told.as_object_mut().filter(|_| !wrong.is_empty()) {
                members.insert("failed".to_owned(), json!(wrong));
            }
            Ok(Answer { found, ..Answer::new(text, told) })
        }
        AuditVerb::Uses(verb) => uses::run(engine, verb),
        AuditVerb::Key { login } => {
            let (_, session) = login.log_in(engine)?;
            let pem = ed25519_pem(&engine.audit_key(session)?)?;
            Ok(Answer::new(pem.clone(), json!({ "pem": pem })))
        }
    }
}

pub(crate) fn serial(engine: &Engine, chosen: &Chosen) -> Result<String, Fault> {
    Ok(engine.token_summary(chosen.slot)?.serial.as_str().to_owned())
}

/// Reads the whole audit of a token, which must be whole.
fn whole(engine: &Engine, session: SessionHandle, each: &mut dyn FnMut(&AuditEntry)) -> Result<Verified, Fault> {
    engine.audit(session, each)?.map_err(|broken| Fault::Failed(words(&broken)))
}

pub(crate) fn words(broken: &Broken) -> String {
    format!("entry {} is not as it was written: {}", broken.number, broken.why)
}

pub(crate) fn parsed(text: &str) -> Result<Json, Fault> {
    serde_json::from_str(text).map_err(|why| Fault::Failed(format!("an entry is no JSON: {why}")))
}

fn list(
    engine: &Engine,
    login: &UserLogin,
    key: Option<&str>,
    event: Option<&str>,
    last: Option<usize>,
) -> Result<Answer, Fault> {
    let (_, session) = login.log_in(engine)?;
    let mut found = Vec::new();
    let is = |entry: &Json, name: &str, wanted: &str| entry.get(name).and_then(Json::as_str) == Some(wanted);
    let broken = engine.audit(session, &mut |entry| {
        if let Ok(entry) = serde_json::from_str::<Json>(&entry.text) {
            let named = |key| ["label", "id", "unique_id"].iter().any(|name| is(&entry, name, key));
            if key.is_none_or(named) && event.is_none_or(|event| is(&entry, "event", event)) {
                found.push(entry);
            }
        }
    })?;
    let skipped = last.map_or(0, |last| found.len().saturating_sub(last));
    let found: Vec<Json> = found.into_iter().skip(skipped).collect();
    let mut text: String = found.iter().map(row).collect();
    let mut data = json!({ "entries": found });
    if let (Err(broken), Some(data)) = (&broken, data.as_object_mut()) {
        text.push_str(&words(broken));
        data.insert("broken".to_owned(), json!({ "n": broken.number, "why": broken.why }));
    }
    let text = if text.is_empty() { "nothing was written down that is asked for".to_owned() } else { text };
    let found = if broken.is_err() { Found::Faults } else { Found::Nothing };
    Ok(Answer { found, ..Answer::new(text, data) })
}

/// An entry as a row of a list.
fn row(entry: &Json) -> String {
    let number = |name: &str| entry.get(name).and_then(Json::as_u64).unwrap_or_default();
    let others: Vec<String> = others(entry).map(|(name, value)| format!("{name}={}", plain(value))).collect();
    let line = format!(
        "{:>5}  {}  {:20}  {:8}  {} ({})  {}",
        number("n"),
        moment(number("time")),
        plain(entry.get("event").unwrap_or(&Json::Null)),
        plain(entry.get("who").unwrap_or(&Json::Null)),
        plain(entry.get("program").unwrap_or(&Json::Null)),
        number("process"),
        others.join(" ")
    );
    format!("{}\n", label::lines(line.replace('\n', " ").trim_end()))
}

/// A value without the quotation marks of JSON.
fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// What was found in a token of our own or in a file, in words.
fn report(found: Result<Verified, Broken>, witness: &Witness, own: bool) -> Answer {
    let found = match found {
        Err(broken) => {
            let told = json!({ "whole": false, "broken": { "n": broken.number, "why": broken.why } });
            return Answer { found: Found::Faults, ..Answer::new(words(&broken), told) };
        }
        Ok(found) => found,
    };
    let Verified { entries, checkpoint, last } = found;
    let odd = witness.odd(entries);
    let whole = odd.is_empty() && (own || checkpoint == Some(entries));
    let told = json!({
        "whole": whole, "entries": entries, "checkpoint": checkpoint, "link": hex(&last), "heads": witness.heads(),
        "odd_heads": odd.iter().map(Odd::told).collect::<Vec<_>>(),
    });
    if !odd.is_empty() {
        let text: String = odd.iter().map(|odd| format!("{}\n", odd.words)).collect();
        return Answer { found: Found::Faults, ..Answer::new(text, told) };
    }
    // A token's own header vouches for its last entry. In a file nothing does but the last checkpoint.
    let after = entries.saturating_sub(checkpoint.unwrap_or_default());
    let found = if !own && after > 0 { Found::Faults } else { Found::Nothing };
    let text = match (own, checkpoint) {
        (true, Some(number)) => {
            format!(
                "all {entries} entries are as they were written; the last checkpoint whose signature is right is entry {number}"
            )
        }
        (true, None) => format!(
            "all {entries} entries are as they were written; none is signed yet: `strongroom audit checkpoint` does that"
        ),
        (false, Some(number)) if after == 0 => {
            format!(
                "all {entries} entries are as they were written: the signature of the last one, checkpoint {number}, is right"
            )
        }
        (false, Some(number)) => format!(
            "entries 1 to {number} are as they were written and signed; the {after} after them are chained, and anybody can chain: \
             `strongroom audit checkpoint` before the export signs them"
        ),
        (false, None) => format!(
            "the {entries} entries are chained, and anybody can chain: none is signed. `strongroom audit checkpoint` before the export signs them"
        ),
    };
    Answer { found, ..Answer::new(text + &witness.notes(), told) }
}

/// The heads of a token, if some were given.
fn witness(heads: Option<Heads>, serial: &str) -> Result<Witness, Fault> {
    heads.map_or_else(|| Ok(Witness::default()), |heads| heads.of(serial))
}

fn verify_token(engine: &Engine, login: &UserLogin, heads: Option<Heads>) -> Result<Answer, Fault> {
    let (chosen, session) = login.log_in(engine)?;
    let mut witness = witness(heads, &serial(engine, &chosen)?)?;
    let found = engine.audit(session, &mut |entry| witness.see(entry.number, &entry.link))?;
    witness.see_uses(engine, session);
    Ok(report(found, &witness, true))
}

fn verify_file(path: &Path, key: Option<&[u8]>, serial: Option<String>, heads: Option<Heads>) -> Result<Answer, Fault> {
    let name = path.display();
    let mut lines = Lines::of(path)?;
    let Some(first) = lines.next_line(path)? else {
        return Err(Fault::Usage(format!("{name} has no entry")));
    };
    let said = serde_json::from_str::<Json>(&first).ok();
    let said = said.and_then(|entry| Some(entry.get("serial")?.as_str()?.to_owned()));
    let serial = serial.or(said).ok_or_else(|| {
        Fault::Usage(format!(
            "the first entry of {name} does not say of which token it is: give its serial number by --serial"
        ))
    })?;
    let mut verifier = Verifier::new(&serial, key);
    let mut witness = witness(heads, &serial)?;
    let mut line = Some(first);
    while let Some(entry) = line {
        if let Err(broken) = verifier.line(&entry) {
            return Ok(report(Err(broken), &witness, false));
        }
        let found = verifier.found();
        witness.see(found.entries, &found.last);
        line = lines.next_line(path)?;
    }
    Ok(report(Ok(verifier.found()), &witness, false))
}

/// Lines of a length that an entry can have.
pub(crate) struct Lines(BufReader<Box<dyn Read>>);

impl Lines {
    pub(crate) fn of(path: &Path) -> Result<Self, Fault> {
        let reader: Box<dyn Read> = if is_dash(path) {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).map_err(|why| cannot_be_read(path, &why))?)
        };
        Ok(Self(BufReader::new(reader)))
    }

    pub(crate) fn next_line(&mut self, path: &Path) -> Result<Option<String>, Fault> {
        let mut line = String::new();
        let read = (&mut self.0).take(LONGEST_LINE).read_line(&mut line);
        if read.map_err(|why| cannot_be_read(path, &why))? == 0 {
            return Ok(None);
        }
        if line.ends_with('\n') {
            line.pop();
        }
        Ok(Some(line))
    }
}

fn cannot_be_read(path: &Path, why: &io::Error) -> Fault {
    Fault::Usage(format!("{} cannot be read: {why}", path.display()))
}

/// The 32 bytes of a public key in PEM.
pub(crate) fn read_key(path: &Path) -> Result<Vec<u8>, Fault> {
    let name = path.display();
    let text = fs::read(path).map_err(|why| Fault::Usage(format!("{name} cannot be read: {why}")))?;
    let key = ed25519_key(&text).map(Vec::from);
    key.ok_or_else(|| Fault::Usage(format!("{name} is not what `audit key` prints: an Ed25519 public key in PEM")))
}

/// An Ed25519 public key as PEM.
pub(crate) fn ed25519_pem(key: &[u8]) -> Result<String, Fault> {
    let failed = |why: der::Error| Fault::Failed(why.to_string());
    let subject_public_key = BitString::from_bytes(key).map_err(failed)?;
    let algorithm = AlgorithmIdentifierOwned { oid: ED25519, parameters: None };
    let info = SubjectPublicKeyInfoOwned { algorithm, subject_public_key }.to_der().map_err(failed)?;
    cert::pem("PUBLIC KEY", &info)
}

/// The Ed25519 public key of a PEM.
pub(crate) fn ed25519_key(pem: &[u8]) -> Option<[u8; 32]> {
    let der = pem_rfc7468::decode_vec(pem).ok().filter(|(kind, _)| *kind == "PUBLIC KEY").map(|(_, der)| der);
    let info = der.and_then(|der| SubjectPublicKeyInfoOwned::from_der(&der).ok());
    let key = info.filter(|info| info.algorithm.oid == ED25519)?;
    key.subject_public_key.as_bytes()?.try_into().ok()
}

fn export(engine: &Engine, login: &UserLogin, format: Format, after: u64, out: Option<&Path>) -> Result<Answer, Fault> {
    let (chosen, session) = login.log_in(engine)?;
    let serial = serial(engine, &chosen)?;
    let mut outlet = Outlet::open_private(out)?;
    let (mut put, mut failed) = (0_u64, None);
    let found = engine.audit(session, &mut |entry| {
        if entry.number <= after || failed.is_some() {
            return;
        }
        let line = format.line(&serial, entry);
        match line.and_then(|line| outlet.put(format!("{line}\n").as_bytes())) {
            Ok(()) => put += 1,
            Err(fault) => failed = Some(fault),
        }
    })?;
    failed.map_or(Ok(()), Err)?;
    // What is whole is worth having.
    outlet.finish()?;
    found.map_err(|broken| Fault::Failed(format!("{}; those before it were put out", words(&broken))))?;
    match out.filter(|out| !is_dash(out)) {
        Some(out) => done(format!("{put} entries are in {}", out.display())),
        None => Ok(Answer::new("", json!({ "entries": put }))),
    }
}

/// An entry in ArcSight's Common Event Format.
fn cef(serial: &str, entry: &Json) -> String {
    let number = |name: &str| entry.get(name).and_then(Json::as_u64).unwrap_or_default();
    let text = |name: &str| entry.get(name).map(plain).unwrap_or_default();
    let header = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ");
    let value = |text: &str| text.replace('\\', "\\\\").replace('=', "\\=").replace('\n', "\\n").replace('\r', "\\r");
    let event = header(&text("event"));
    let version = env!("CARGO_PKG_VERSION");
    let mut line = format!(
        "CEF:0|strongroom|strongroom|{version}|{event}|{event}|3|rt={} externalId={} deviceExternalId={} suser={} spid={} sproc={}",
        number("time").saturating_mul(1000),
        number("n"),
        value(serial),
        value(&text("who")),
        number("process"),
        value(&text("program")),
    );
    for (name, told) in others(entry) {
        line.push_str(&format!(" strongroom{}={}", camel(name), value(&plain(told))));
    }
    line
}

/// An entry as a message of syslog (RFC 5424), facility 13 ("log audit"), severity 5 ("notice").
fn rfc5424(serial: &str, entry: &Json) -> String {
    let number = |name: &str| entry.get(name).and_then(Json::as_u64).unwrap_or_default();
    let text = |name: &str| entry.get(name).map(plain).unwrap_or_default();
    let value = |text: &str| {
        let mut escaped = String::new();
        for c in text.chars() {
            match c {
                '"' | '\\' | ']' => escaped.extend(['\\', c]),
                c if c.is_control() => escaped.push(' '),
                c => escaped.push(c),
            }
        }
        escaped
    };
    // The number of the enterprise is the one that is kept for examples (RFC 5612): nobody has asked for another.
    let mut line = format!(
        "<109>1 {} - strongroom {} {} [audit@32473 token=\"{}\" n=\"{}\" who=\"{}\" program=\"{}\"",
        moment(number("time")),
        number("process"),
        text("event"),
        value(serial),
        number("n"),
        value(&text("who")),
        value(&text("program")),
    );
    for (name, told) in others(entry) {
        line.push_str(&format!(" {name}=\"{}\"", value(&plain(told))));
    }
    line.push(']');
    line
}

/// The members that not every entry has.
fn others(entry: &Json) -> impl Iterator<Item = (&String, &Json)> {
    const COMMON: [&str; 6] = ["n", "time", "event", "who", "process", "program"];
    entry.as_object().into_iter().flatten().filter(|(name, _)| !COMMON.contains(&name.as_str()))
}

/// `unique_id` as `UniqueId`.
fn camel(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    name.split('_').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Json {
        json!({
            "n": 3, "time": 1_795_813_200, "event": "object-created", "who": "user", "process": 7, "program": "a b",
            "label": "x=\"1\"|]\\\n", "unique_id": "u",
        })
    }

    #[test]
    fn an_entry_in_cef_has_its_signs_escaped() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            cef("0123", &entry()),
            format!(
                "CEF:0|strongroom|strongroom|{version}|object-created|object-created|3|rt=1795813200000 externalId=3 \
                 deviceExternalId=0123 suser=user spid=7 sproc=a b strongroomLabel=x\\=\"1\"|]\\\\\\n strongroomUniqueId=u"
            )
        );
    }

    #[test]
    fn an_entry_for_syslog_is_as_rfc_5424_has_it() {
        assert_eq!(
            rfc5424("0123", &entry()),
            "<109>1 2026-11-27T21:00:00Z - strongroom 7 object-created [audit@32473 token=\"0123\" n=\"3\" who=\"user\" \
             program=\"a b\" label=\"x=\\\"1\\\"|\\]\\\\ \" unique_id=\"u\"]"
        );
    }
}
