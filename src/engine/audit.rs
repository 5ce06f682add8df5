//! The audit: what was done to a token and its objects, in entries that are chained.
//!
//! An entry is one line of JSON. Its *link* is a hash of the link before it, its number and its text; the token's sealed
//! header has the last one, written in the transaction of each change. A *checkpoint* is an entry that has a signature over
//! the link before it, by a key of the token. How it looks outside: `docs/format-audit.md`.

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use types::{AttributeType, KeyType, ObjectClass};

use crate::{
    Error, alarms,
    hex::digits,
    line,
    object::{Attributes, KeyState, rules::is_internal},
};

/// What an entry is linked to the one before it by.
pub type Link = [u8; 32];

/// Before the first entry.
pub const BEFORE_THE_FIRST: Link = [0; 32];

/// Something that is written down.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    name: &'static str,
    facts: Map<String, Json>,
}

impl Event {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, facts: Map::new() }
    }

    /// Whether it is signed.
    pub(crate) fn is_checkpoint(&self) -> bool {
        self.name == CHECKPOINT
    }

    /// The same with one more fact.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// A new object.
    pub(crate) fn created(object: &Attributes) -> Self {
        let until = object.number(AttributeType::SR_IMPORT_UNTIL);
        let made = made_by(object);
        let event = Self::new("object-created").about(object);
        let event = match until {
            Some(until) => event.with("import_until", until),
            None => event,
        };
        match made {
            Some(mechanism) => event.with("made_by", mechanism),
            None => event,
        }
    }

    /// An object that is gone.
    pub(crate) fn destroyed(object: &Attributes) -> Self {
        Self::new("object-destroyed").about(object)
    }

    /// Something that somebody wanted to do to an object, and may not.
    pub(crate) fn refused(act: &str, object: &Attributes, why: &Error) -> Self {
        Self::new("act-refused").with("act", act).with("why", why.to_string()).about(object)
    }

    /// A key that has left, wrapped.
    pub(crate) fn wrapped(object: &Attributes) -> Self {
        Self::new("key-wrapped").about(object)
    }

    /// A key that came in under one that was made for that, and is gone by it.
    pub(crate) fn imported(object: &Attributes) -> Self {
        Self::new("key-imported").about(object)
    }

    /// A key that was to come in under one that was made for that, and did not.
    pub(crate) fn import_refused(by: &Attributes, why: &Error) -> Self {
        Self::new("key-import-refused").with("why", why.to_string()).about(by)
    }

    /// What has become of an object; `None` if nobody sees a difference.
    pub(crate) fn changed(old: &Attributes, new: &Attributes) -> Option<Self> {
        let (before, after) = (KeyState::of(old), KeyState::of(new));
        if before != after {
            let event = match (before, after) {
                (_, KeyState::PendingDeletion) => {
                    let until = new.number(AttributeType::SR_DELETE_AT).unwrap_or_default();
                    Self::new("key-deleted").with("until", until)
                }
                (KeyState::PendingDeletion, _) => Self::new("key-restored"),
                _ => Self::new("key-state"),
            };
            return Some(event.with("from", before.to_string()).with("to", after.to_string()).about(new));
        }
        let differ = |name: &AttributeType| !is_internal(*name) && old.get(*name) != new.get(*name);
        let mut names: Vec<AttributeType> = old.iter().chain(new.iter()).map(|(name, _)| name).filter(differ).collect();
        names.sort_unstable();
        names.dedup();
        let least =
            new.number(AttributeType::SR_MIN_VERSION).filter(|_| names.contains(&AttributeType::SR_MIN_VERSION));
        let names: Vec<Json> = names.into_iter().map(|name| Json::from(name.to_string())).collect();
        let event = (!names.is_empty()).then(|| Self::new("object-changed").with("attributes", names).about(new))?;
        Some(match least {
            Some(least) => event.with("min_version", least),
            None => event,
        })
    }

    /// The same with what names an object.
    fn about(mut self, object: &Attributes) -> Self {
        self.facts.extend(names(object));
        self
    }

    /// Its text under a number, now.
    pub(crate) fn text(&self, number: u64, who: &str) -> String {
        Json::Object(self.members(number, who)).to_string()
    }

    /// The text of a checkpoint: with a signature over the same text without it.
    ///
    /// # Errors
    /// What `sign` says.
    pub(crate) fn signed_text<E>(
        &self,
        number: u64,
        who: &str,
        sign: impl FnOnce(&str) -> Result<Vec<u8>, E>,
    ) -> Result<String, E> {
        let mut members = self.members(number, who);
        let signature = sign(&Json::Object(members.clone()).to_string())?;
        members.insert("signature".to_owned(), Json::from(digits(&signature)));
        Ok(Json::Object(members).to_string())
    }

    fn members(&self, number: u64, who: &str) -> Map<String, Json> {
        let mut all = self.facts.clone();
        let common = [
            ("n", Json::from(number)),
            ("time", Json::from(alarms::now())),
            ("event", Json::from(self.name)),
            ("who", Json::from(who)),
            ("process", Json::from(std::process::id())),
            ("program", Json::from(alarms::program().unwrap_or_default())),
        ];
        all.extend(common.map(|(name, value)| (name.to_owned(), value)));
        all
    }
}

/// More characters of a label, or bytes of an id, are not written down.
const LONGEST_NAME: usize = 256;

/// The mechanism by which a key was made in this token; `None` if it was not, whatever another token said of it.
pub(crate) fn made_by(key: &Attributes) -> Option<&'static str> {
    let here = key.flag(AttributeType::LOCAL) && !key.flag(AttributeType::ADOPTED);
    let mechanism = key.number(AttributeType::KEY_GEN_MECHANISM).filter(|_| here).map(types::MechanismType);
    mechanism.and_then(types::MechanismType::name)
}

/// What names an object.
pub(crate) fn names(object: &Attributes) -> Map<String, Json> {
    // A name of any length would make entries of any length.
    let bytes = |name| object.bytes(name).unwrap_or_default();
    let text = |name| {
        let text = String::from_utf8_lossy(bytes(name));
        match text.char_indices().nth(LONGEST_NAME) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text.into_owned(),
        }
    };
    let id = bytes(AttributeType::ID);
    let named = [
        ("class", Some(object.class().and_then(ObjectClass::name).unwrap_or("CKO_?").to_owned())),
        ("label", Some(text(AttributeType::LABEL))),
        ("id", Some(digits(id.get(..LONGEST_NAME).unwrap_or(id)))),
        ("unique_id", Some(text(AttributeType::UNIQUE_ID))),
        ("key_type", object.key_type().and_then(KeyType::name).map(str::to_owned)),
    ];
    named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Json::from(value?)))).collect()
}

/// The link of an entry.
pub(crate) fn link(before: &Link, number: u64, text: &str) -> Link {
    let mut hash = Sha256::new();
    hash.update(b"strongroom audit");
    hash.update(before);
    hash.update(number.to_be_bytes());
    hash.update(text.as_bytes());
    hash.finalize().into()
}

/// What a checkpoint signs: the token, and the link that its text would have without the signature.
pub(crate) fn signed(serial: &str, link: &Link) -> Vec<u8> {
    format!("strongroom audit checkpoint\n{serial}\n{}\n", digits(link)).into_bytes()
}

/// The event of an entry that has a signature, and of no other.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// An entry as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number; the first is 1.
    pub number: u64,
    /// Its text: an object of JSON in one line.
    pub text: String,
    /// Its link.
    pub link: Link,
}

impl AuditEntry {
    /// The line that it is exported as: its text, with its link as the last member.
    #[must_use]
    pub fn line(&self) -> String {
        line::with_last(&self.text, LINK, &self.link)
    }
}

/// The last member of a line.
const LINK: &str = "link";

/// How far a chain is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries there are.
    pub entries: u64,
    /// The number of the last checkpoint whose signature was checked.
    pub checkpoint: Option<u64>,
    /// The link of the last entry.
    pub last: Link,
}

/// Where a chain breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The first entry that is not as it was written, or that is not there.
    pub number: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Checks entries one after the other.
pub struct Verifier<'a> {
    serial: &'a str,
    public_key: Option<&'a [u8]>,
    found: Verified,
}

impl<'a> Verifier<'a> {
    /// For the entries of the token with this serial number. Without its public key (Ed25519, 32 bytes) no checkpoint's
    /// signature is checked.
    #[must_use]
    pub fn new(serial: &'a str, public_key: Option<&'a [u8]>) -> Self {
        Self { serial, public_key, found: Verified { entries: 0, checkpoint: None, last: BEFORE_THE_FIRST } }
    }

    /// The next line of an export.
    ///
    /// # Errors
    /// [`Broken`], and nothing can follow.
    pub fn line(&mut self, line: &str) -> Result<(), Broken> {
        let number = self.found.entries.saturating_add(1);
        let broken = |why| Broken { number, why };
        let (text, told) = line::without_last(line, LINK).ok_or(broken("it is cut off, or no entry"))?;
        let link = self.entry(number, &text)?;
        if told == digits(&link) { Ok(()) } else { Err(broken("it was changed, or one before it was")) }
    }

    /// The next entry, and its link.
    ///
    /// # Errors
    /// [`Broken`], and nothing can follow.
    pub fn entry(&mut self, number: u64, text: &str) -> Result<Link, Broken> {
        let expected = self.found.entries.saturating_add(1);
        let broken = |why| Broken { number: expected, why };
        let json: Json = serde_json::from_str(text).map_err(|_| broken("it is no JSON"))?;
        let said = json.get("n").and_then(Json::as_u64);
        if number != expected || said != Some(expected) {
            return Err(broken("another entry is in its place"));
        }
        let before = self.found.last;
        let is_checkpoint = json.get("event").and_then(Json::as_str) == Some(CHECKPOINT);
        if is_checkpoint != json.get("signature").is_some() {
            return Err(broken("checkpoints have a signature, and nothing else has"));
        }
        if let Some(told) = json.get("signature") {
            let told = told.as_str().unwrap_or_default();
            let signature = crate::hex::bytes(told).ok_or(broken("its signature is none"))?;
            let member = format!(",\"signature\":\"{told}\"");
            let (front, back) = text.split_once(&member).ok_or(broken("its signature is not where it was put"))?;
            if let Some(key) = self.public_key {
                let message = signed(self.serial, &link(&before, number, &format!("{front}{back}")));
                if !line::is_signed(&message, &signature, key) {
                    return Err(broken("its signature is wrong: an entry before it was changed, or another key"));
                }
                self.found.checkpoint = Some(number);
            }
        }
        self.found.last = link(&before, number, text);
        self.found.entries = number;
        Ok(self.found.last)
    }

    /// What was found so far.
    #[must_use]
    pub fn found(&self) -> Verified {
        self.found
    }
}

impl From<Broken> for Error {
    fn from(_: Broken) -> Self {
        Self::Tampered("the audit")
    }
}
