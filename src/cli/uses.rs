//! What was written down of uses of keys: shown, checked, put out. `docs/format-audit.md` describes it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use engine::{Engine, UseTotal, UsesHead, UsesVerifier, audit::Broken};
use serde_json::{Value as Json, json};
use types::SessionHandle;

use crate::{
    answer::{Answer, Found, done},
    audit::{Lines, parsed, read_key, serial, words},
    fault::Fault,
    flow::{Outlet, is_dash},
    key::{self, hex},
    label,
    pending::{self, moment},
    select::UserLogin,
};

#[derive(Subcommand)]
pub(crate) enum UsesVerb {
    /// Says how often keys were used on this machine: in which ways, by which programs, and when first and last.
    List {
        /// Only a key with this label, id or unique id.
        #[arg(long)]
        key: Option<String>,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Shows the last entries of a key, the newest first.
    Of {
        /// Its label, id or unique id.
        key: String,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        last: usize,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Says whether the entries are as they were written, and names the first that is not: of a token on this machine, or of a
    /// file that `audit uses export` made, which takes the public key alone.
    Verify {
        /// An export, or - for standard input.
        #[arg(requires = "public_key")]
        file: Option<PathBuf>,
        /// The token's public key, as `audit key` prints it.
        #[arg(long)]
        public_key: Option<PathBuf>,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Puts the entries out, a line each, and a last line with the signature over them.
    Export {
        /// The file; else standard output.
        #[arg(long, short)]
        out: Option<PathBuf>,
        #[command(flatten)]
        login: UserLogin,
    },
}

pub(crate) fn run(engine: &Engine, verb: &UsesVerb) -> Result<Answer, Fault> {
    match verb {
        UsesVerb::List { key, login } => list(engine, login, key.as_deref()),
        UsesVerb::Of { key, last, login } => of(engine, login, key, *last),
        UsesVerb::Verify { file: Some(file), public_key, .. } => {
            verify_file(file, public_key.as_deref().map(read_key).transpose()?.as_deref())
        }
        UsesVerb::Verify { login, .. } => {
            let (_, session) = login.log_in(engine)?;
            verify(engine, session)
        }
        UsesVerb::Export { out, login } => export(engine, login, out.as_deref()),
    }
}

/// The keys of a token: label and id by unique id. What an older version did, or a key that is pending deletion, is found too.
type Keys = BTreeMap<String, (String, String)>;

fn keys(engine: &Engine, session: SessionHandle) -> Result<Keys, Fault> {
    let mut keys = Keys::new();
    for half in pending::rows(engine, session)? {
        keys.insert(half.unique, ((*half.label).to_owned(), hex(&half.id)));
    }
    for key in key::all_older(engine, session)?.into_iter().chain(key::all(engine, session)?) {
        let named = ((*key.label).to_owned(), hex(&key.id));
        keys.extend(key.unique_ids().map(|unique_id| (unique_id.to_owned(), named.clone())));
    }
    Ok(keys)
}

/// The unique ids of what is called so. A key that is gone is found by its unique id.
fn called(keys: &Keys, name: &str) -> Vec<String> {
    let is =
        |(unique_id, (label, id)): &(&String, &(String, String))| *unique_id == name || label == name || id == name;
    let found: Vec<String> = keys.iter().filter(is).map(|(unique_id, _)| unique_id.clone()).collect();
    if found.is_empty() { vec![name.to_owned()] } else { found }
}

fn list(engine: &Engine, login: &UserLogin, key: Option<&str>) -> Result<Answer, Fault> {
    let (_, session) = login.log_in(engine)?;
    let keys = keys(engine, session)?;
    let totals = match key {
        None => engine.use_totals(session, None)?,
        Some(key) => {
            let of = |unique_id: &String| engine.use_totals(session, Some(unique_id));
            called(&keys, key).iter().map(of).collect::<Result<Vec<_>, _>>()?.concat()
        }
    };
    let rows: Vec<Json> = totals.iter().map(|total| json_of(total, &keys)).collect();
    let mut text = String::new();
    for (total, row) in totals.iter().zip(&rows) {
        let UseTotal { key, operation, mechanism, program, who, uses, between: (first, last) } = total;
        let name = row.get("label").and_then(Json::as_str).filter(|label| !label.is_empty()).unwrap_or(key);
        let line = format!(
            "{name}  {operation}  {mechanism}  {uses} ×  {program} ({who})  {} to {}",
            moment(*first),
            moment(*last)
        );
        text.push_str(&format!("{}\n", label::lines(&line.replace('\n', " "))));
    }
    if text.is_empty() {
        text = match key {
            Some(key) => nothing_of(key),
            None => {
                "no use was written down. `strongroom token set --use-audit counted` lets a token do that".to_owned()
            }
        };
    }
    Ok(Answer::new(text, json!({ "uses": rows })))
}

fn nothing_of(key: &str) -> String {
    format!("no use of '{key}' was written down")
}

fn json_of(total: &UseTotal, keys: &Keys) -> Json {
    let UseTotal { key, operation, mechanism, program, who, uses, between: (first, last) } = total;
    let (label, id) = keys.get(key).cloned().unwrap_or_default();
    json!({
        "unique_id": key, "label": label, "id": id, "operation": operation, "mechanism": mechanism,
        "program": program, "who": who, "uses": uses, "first": first, "last": last,
    })
}

fn of(engine: &Engine, login: &UserLogin, key: &str, last: usize) -> Result<Answer, Fault> {
    let (_, session) = login.log_in(engine)?;
    let keys = keys(engine, session)?;
    let mut entries = Vec::new();
    for unique_id in called(&keys, key) {
        for entry in engine.uses_of(session, &unique_id, last)? {
            entries.push(parsed(&entry.text)?);
        }
    }
    let number = |entry: &Json, name: &str| entry.get(name).and_then(Json::as_u64).unwrap_or_default();
    entries.sort_by_key(|entry| std::cmp::Reverse(number(entry, "n")));
    entries.truncate(last);
    let mut text = String::new();
    for entry in &entries {
        let said = |name: &str| entry.get(name).and_then(Json::as_str).unwrap_or_default();
        let line = format!(
            "{:>7}  {}  {}  {}  {} ×  {} ({}, process {}, {})",
            number(entry, "n"),
            moment(number(entry, "to")),
            said("operation"),
            said("mechanism"),
            number(entry, "uses"),
            said("program"),
            said("who"),
            number(entry, "process"),
            caller(entry),
        );
        text.push_str(&format!("{}\n", label::lines(&line.replace('\n', " "))));
    }
    if text.is_empty() {
        text = nothing_of(key);
    }
    Ok(Answer::new(text, json!({ "entries": entries })))
}

/// Whose rights a program had, and where it lay, in words: as it said itself.
fn caller(entry: &Json) -> String {
    let said = |name: &str| entry.get("caller").and_then(|caller| caller.get(name));
    let uid = said("uid").and_then(Json::as_u64).map_or_else(|| "?".to_owned(), |uid| uid.to_string());
    format!("uid {uid}, {}", said("path").and_then(Json::as_str).unwrap_or("?"))
}

/// The end of a chain of uses that a checkpoint of the token names.
struct Named {
    /// The number of the checkpoint.
    checkpoint: u64,
    book: String,
    entries: u64,
    link: String,
}

impl Named {
    /// By each checkpoint that names one, the first of them first.
    fn all(engine: &Engine, session: SessionHandle) -> Result<Vec<Self>, Fault> {
        let mut all = Vec::new();
        let found = engine.audit(session, &mut |entry| {
            let Ok(said) = serde_json::from_str::<Json>(&entry.text) else { return };
            if said.get("event").and_then(Json::as_str) != Some("checkpoint") {
                return;
            }
            let text = |name: &str| Some(said.get("uses")?.get(name)?.as_str()?.to_owned());
            let entries = said.get("uses").and_then(|uses| uses.get("n")?.as_u64());
            if let (Some(book), Some(entries), Some(link)) = (text("book"), entries, text("link")) {
                all.push(Self { checkpoint: entry.number, book, entries, link });
            }
        })?;
        found.map_err(|broken| Fault::Failed(format!("the token's own log: {}", words(&broken))))?;
        Ok(all)
    }

    /// In words, of a book that is not here.
    fn elsewhere(&self) -> String {
        format!(
            "checkpoint {} of the token names another book, {}, with {} entries: it is of another machine, or was removed from this one",
            self.checkpoint, self.book, self.entries
        )
    }
}

/// Checks the book of this machine, also against each end of it that a checkpoint of the token names: the last one alone would
/// let an older book pass once it was signed again.
fn verify(engine: &Engine, session: SessionHandle) -> Result<Answer, Fault> {
    let named = Named::all(engine, session)?;
    let mut links: BTreeMap<u64, String> = named.iter().map(|named| (named.entries, String::new())).collect();
    let found = engine.uses(session, &mut |entry, now| {
        if let Some(link) = links.get_mut(&entry.number) {
            *link = hex(now);
        }
    })?;
    // What is broken says so itself.
    let Some(last) = named.last().filter(|_| found.is_ok()) else { return Ok(report(found)) };
    let here = found.as_ref().ok().and_then(Option::as_ref).map(|head| (hex(&head.book), head.entries));
    let (of_this, others): (Vec<&Named>, Vec<&Named>) =
        named.iter().partition(|named| here.as_ref().is_some_and(|(book, _)| *book == named.book));
    let now = here.as_ref().map_or(0, |(_, entries)| *entries);
    let older = of_this.iter().find(|named| named.entries > now);
    let differs = of_this.iter().find(|named| links.get(&named.entries) != Some(&named.link));
    let (agrees, mut words, told) = match (older, differs, of_this.last()) {
        (Some(named), ..) => {
            let Named { checkpoint, entries, .. } = named;
            let words =
                format!("the book is an older one: checkpoint {checkpoint} of the token names {entries} entries of it");
            (Some(false), words, *named)
        }
        (None, Some(named), _) => {
            let Named { checkpoint, entries, .. } = named;
            (Some(false), format!("entry {entries} is another than checkpoint {checkpoint} of the token names"), *named)
        }
        (None, None, Some(named)) => {
            let Named { checkpoint, entries, .. } = named;
            (Some(true), format!("up to entry {entries} checkpoint {checkpoint} of the token says so, too"), *named)
        }
        (None, None, None) => (None, last.elsewhere(), last),
    };
    // Of each other book the last that was heard of it.
    let others: BTreeMap<&str, &Named> = others.into_iter().map(|named| (named.book.as_str(), named)).collect();
    for other in others.values().filter(|other| other.checkpoint != told.checkpoint) {
        words.push_str(&format!("\n{}", other.elsewhere()));
    }
    let Answer { text, mut data, found, .. } = report(found);
    let told = json!({ "n": told.checkpoint, "book": told.book, "entries": told.entries, "agrees": agrees });
    if let Some(members) = data.0.as_object_mut() {
        members.insert("checkpoint".to_owned(), told);
        members.insert("other_books".to_owned(), json!(others.keys().collect::<Vec<_>>()));
    }
    let whole = Answer::new(format!("{}\n{words}", text.trim_end()), std::mem::take(&mut data.0));
    Ok(Answer { found: if agrees == Some(false) { Found::Faults } else { found }, ..whole })
}

/// What was found, in words.
fn report(found: Result<Option<UsesHead>, Broken>) -> Answer {
    match found {
        Err(broken) => {
            let told = json!({ "whole": false, "broken": { "n": broken.number, "why": broken.why } });
            Answer { found: Found::Faults, ..Answer::new(words(&broken), told) }
        }
        Ok(None) => Answer::new("no use was written down", json!({ "whole": true, "entries": 0 })),
        Ok(Some(UsesHead { book, entries, link, .. })) => {
            let told = json!({ "whole": true, "entries": entries, "book": hex(&book), "link": hex(&link) });
            let text = format!("all {entries} entries of book {} are as they were written and signed", hex(&book));
            Answer::new(text, told)
        }
    }
}

/// What the last line of an export is.
const END: &str = "uses-end";

fn export(engine: &Engine, login: &UserLogin, out: Option<&Path>) -> Result<Answer, Fault> {
    let (chosen, session) = login.log_in(engine)?;
    let serial = serial(engine, &chosen)?;
    let mut outlet = Outlet::open_private(out)?;
    let mut failed = None;
    let found = engine.uses(session, &mut |entry, _| {
        if failed.is_none() {
            failed = outlet.put(format!("{}\n", entry.text).as_bytes()).err();
        }
    })?;
    failed.map_or(Ok(()), Err)?;
    let head = found.map_err(|broken| Fault::Failed(format!("{}; those before it were put out", words(&broken))))?;
    let entries = head.as_ref().map_or(0, |head| head.entries);
    if let Some(UsesHead { book, entries, link, signature }) = head {
        let end = json!({
            "event": END, "serial": serial, "book": hex(&book), "n": entries, "link": hex(&link),
            "signature": hex(&signature),
        });
        outlet.put(format!("{end}\n").as_bytes())?;
    }
    outlet.finish()?;
    match out.filter(|out| !is_dash(out)) {
        Some(out) => done(format!("{entries} entries are in {}", out.display())),
        None => Ok(Answer::new("", json!({ "entries": entries }))),
    }
}

fn verify_file(path: &Path, key: Option<&[u8]>) -> Result<Answer, Fault> {
    let mut lines = Lines::of(path)?;
    let mut verifier = UsesVerifier::default();
    let mut number = 0;
    while let Some(line) = lines.next_line(path)? {
        if let Some((serial, head)) = end(&line) {
            let ended = verifier.end(&head, &serial, key);
            let more = lines.next_line(path)?.is_some();
            let behind = Broken { number: number + 1, why: "it stands behind the end" };
            return Ok(report(if more { Err(behind) } else { ended.map(|()| Some(head)) }));
        }
        number += 1;
        if let Err(broken) = verifier.entry(number, &line) {
            return Ok(report(Err(broken)));
        }
    }
    Ok(report(Err(Broken { number: number + 1, why: "the last line, which signs those before it, is not there" })))
}

/// The last line of an export.
pub(crate) fn end(line: &str) -> Option<(String, UsesHead)> {
    let json: Json = serde_json::from_str(line).ok()?;
    let text = |name: &str| json.get(name).and_then(Json::as_str);
    let bytes = |name: &str| data_encoding::HEXLOWER.decode(text(name)?.as_bytes()).ok();
    (text("event")? == END).then_some(())?;
    let head = UsesHead {
        book: bytes("book")?.try_into().ok()?,
        entries: json.get("n")?.as_u64()?,
        link: bytes("link")?.try_into().ok()?,
        signature: bytes("signature")?,
    };
    Some((text("serial")?.to_owned(), head))
}
