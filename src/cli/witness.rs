//! The head of a token's audit, kept where the token is not: it shows later that nothing was taken away.
//! `docs/format-audit.md` describes it.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
};

use engine::{Engine, UsesHead};
use serde_json::{Value as Json, json};
use types::SessionHandle;

use crate::{
    audit::words,
    deliver::{self, PATIENCE, SYSLOG, Severity},
    fault::Fault,
    key::hex,
    sight,
};

/// Where a head is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A line is added to a file.
    File(PathBuf),
    /// A message of RFC 5424 to this machine's syslog.
    Syslog,
    /// A command of the shell gets the line on its standard input.
    Command(String),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("cmd", command)) if !command.trim().is_empty() => Ok(Self::Command(command.to_owned())),
            None if text == "syslog" => Ok(Self::Syslog),
            _ => Err("must be file:PATH, syslog or cmd:COMMAND".to_owned()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Syslog => write!(f, "syslog ({SYSLOG})"),
            Self::Command(command) => write!(f, "cmd:{command}"),
        }
    }
}

impl Place {
    /// Gives a head away, or says in words why it could not.
    pub(crate) fn keep(&self, head: &Json) -> Result<(), String> {
        let kept = match self {
            Self::File(path) => deliver::keep(path, &head.to_string()),
            Self::Syslog => deliver::log(Path::new(SYSLOG), &deliver::message(Severity::Notice, "audit-head", head)),
            Self::Command(command) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", command]);
                deliver::feed(shell, format!("{head}\n"), PATIENCE)
            }
        };
        kept.map_err(|why| format!("{self} does not have the head: {why}"))
    }
}

/// The end of a token's audit, and of the book of uses on this machine if there is one.
pub(crate) fn head(engine: &Engine, session: SessionHandle, serial: &str) -> Result<Json, Fault> {
    let last = engine.audit(session, &mut |_| {})?.map_err(|broken| Fault::Failed(words(&broken)))?;
    let mut head = json!({ "time": sight::now(), "serial": serial, "n": last.entries, "link": hex(&last.last) });
    let uses = match engine.uses(session, &mut |_, _| {}) {
        Ok(Ok(None)) => None,
        Ok(Ok(Some(UsesHead { book, entries, link, .. }))) => {
            Some(json!({ "book": hex(&book), "n": entries, "link": hex(&link) }))
        }
        Ok(Err(broken)) => Some(json!({ "unread": words(&broken) })),
        Err(why) => Some(json!({ "unread": why.to_string() })),
    };
    if let (Some(head), Some(uses)) = (head.as_object_mut(), uses) {
        head.insert("uses".to_owned(), uses);
    }
    Ok(head)
}

/// Heads that were kept, of any token, in their order.
pub(crate) struct Heads {
    file: String,
    all: Vec<Head>,
    /// Lines that are no heads: cut off, or not ours.
    torn: Vec<usize>,
}

struct Head {
    /// Heads of old do not say of which token they are.
    serial: Option<String>,
    audit: Kept,
    /// By the number of the book.
    uses: Option<(String, Kept)>,
}

/// An entry that was the last one when it was kept.
struct Kept {
    /// Where it is in the file.
    line: usize,
    number: u64,
    link: String,
}

impl Kept {
    fn of(json: &Json, line: usize) -> Option<Self> {
        let link = json.get("link")?.as_str()?.to_owned();
        Some(Self { line, number: json.get("n")?.as_u64()?, link })
    }
}

impl Head {
    fn of(json: &Json, line: usize) -> Option<Self> {
        // With --json the head is inside of an answer.
        let json = json.get("data").unwrap_or(json);
        let text = |json: &Json, name: &str| Some(json.get(name)?.as_str()?.to_owned());
        let uses = json.get("uses").and_then(|uses| Some((text(uses, "book")?, Kept::of(uses, line)?)));
        Some(Self { serial: text(json, "serial"), audit: Kept::of(json, line)?, uses })
    }
}

impl Heads {
    /// Reads what `audit head` has put out: once, or often.
    pub(crate) fn read(path: &Path) -> Result<Self, Fault> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|why| Fault::Usage(format!("{file} cannot be read: {why}")))?;
        let (mut all, mut torn) = (Vec::new(), Vec::new());
        // An answer that somebody has laid out over several lines is one head.
        if let Some(head) = serde_json::from_str(&text).ok().and_then(|json| Head::of(&json, 1)) {
            all.push(head);
        } else {
            for (line, text) in text.lines().enumerate().map(|(at, text)| (at + 1, text.trim())) {
                match serde_json::from_str(text).ok().and_then(|json| Head::of(&json, line)) {
                    Some(head) => all.push(head),
                    None if text.is_empty() => {}
                    None => torn.push(line),
                }
            }
        }
        if all.is_empty() {
            return Err(Fault::Usage(format!("{file} has no head, which `audit head` puts out")));
        }
        Ok(Self { file, all, torn })
    }

    /// Those of one token.
    pub(crate) fn of(self, serial: &str) -> Result<Witness, Fault> {
        let Self { file, all, torn } = self;
        let is_other = |head: &&Head| head.serial.as_ref().is_some_and(|other| other != serial);
        let other = all.iter().rfind(is_other).and_then(|head| head.serial.clone()).unwrap_or_default();
        let (mut audit, mut uses) = (Vec::new(), BTreeMap::<String, Vec<Kept>>::new());
        for head in all.into_iter().filter(|head| !is_other(&head)) {
            audit.push(head.audit);
            if let Some((book, kept)) = head.uses {
                uses.entry(book).or_default().push(kept);
            }
        }
        if audit.is_empty() {
            return Err(Fault::Failed(format!(
                "{file} has no head of the token with serial number {serial}: the last one is of {other}"
            )));
        }
        let uses = uses.into_iter().map(|(book, kept)| (book, Chain::of(kept))).collect();
        Ok(Witness { file, audit: Chain::of(audit), uses, book: None, torn })
    }
}

/// What was kept of a chain, and what it has at those numbers.
#[derive(Default)]
struct Chain {
    kept: Vec<Kept>,
    seen: BTreeMap<u64, Option<String>>,
}

impl Chain {
    fn of(kept: Vec<Kept>) -> Self {
        Self { seen: kept.iter().map(|kept| (kept.number, None)).collect(), kept }
    }

    fn see(&mut self, number: u64, link: &[u8]) {
        if let Some(seen) = self.seen.get_mut(&number) {
            *seen = Some(hex(link));
        }
    }

    /// The first that the chain does not have.
    fn missed(&self) -> Option<&Kept> {
        let has = |kept: &Kept| self.seen.get(&kept.number).and_then(Option::as_ref) == Some(&kept.link);
        self.kept.iter().find(|kept| !has(kept))
    }

    /// Those that go back behind the one before them, and that one: a chain only grows.
    fn back(&self) -> impl Iterator<Item = (&Kept, &Kept)> {
        self.kept.iter().zip(self.kept.iter().skip(1)).filter(|(before, now)| {
            now.number < before.number || (now.number == before.number && now.link != before.link)
        })
    }
}

/// Heads of one token, which are held against what is there now. Without any, nothing is missed.
#[derive(Default)]
pub(crate) struct Witness {
    file: String,
    audit: Chain,
    /// By the number of the book.
    uses: BTreeMap<String, Chain>,
    /// The book of this machine, if it was read.
    book: Option<Book>,
    /// Lines that are no heads.
    torn: Vec<usize>,
}

/// What was found of the book of uses on this machine.
enum Book {
    Whole(Option<String>),
    /// In words.
    Broken(String),
}

/// A head that does not agree.
pub(crate) struct Odd {
    line: usize,
    number: u64,
    pub(crate) words: String,
}

impl Odd {
    pub(crate) fn told(&self) -> Json {
        json!({ "line": self.line, "n": self.number, "why": self.words })
    }
}

impl Witness {
    pub(crate) fn see(&mut self, number: u64, link: &[u8]) {
        self.audit.see(number, link);
    }

    /// How many heads of the audit there are.
    pub(crate) fn heads(&self) -> usize {
        self.audit.kept.len()
    }

    /// Reads the book of uses on this machine, if a head names one.
    pub(crate) fn see_uses(&mut self, engine: &Engine, session: SessionHandle) {
        if self.uses.is_empty() {
            return;
        }
        let chains = &mut self.uses;
        let found = engine.uses(session, &mut |entry, link| {
            for chain in chains.values_mut() {
                chain.see(entry.number, link);
            }
        });
        self.book = Some(match found {
            Ok(Ok(head)) => Book::Whole(head.map(|head| hex(&head.book))),
            Ok(Err(broken)) => Book::Broken(words(&broken)),
            Err(why) => Book::Broken(why.to_string()),
        });
    }

    /// The heads that do not agree with so many entries of the audit, or with the one before them.
    pub(crate) fn odd(&self, entries: u64) -> Vec<Odd> {
        let file = &self.file;
        let mut odd = Vec::new();
        odd.extend(self.audit.missed().map(|Kept { line, number, .. }| Odd {
            line: *line,
            number: *number,
            words: format!(
                "the {entries} entries are chained, but entry {number} is not the one that was seen (line {line} of {file}): it is an \
                 older token, or another one"
            ),
        }));
        odd.extend(self.back("entry", &self.audit));
        odd.extend(self.torn.iter().map(|line| Odd {
            line: *line,
            number: 0,
            words: format!("line {line} of {file} is no head: it was cut off, or somebody else has written it"),
        }));
        match &self.book {
            Some(Book::Broken(why)) => {
                let last = self.uses.values().filter_map(|chain| chain.kept.last()).max_by_key(|kept| kept.line);
                odd.extend(last.map(|Kept { line, number, .. }| Odd {
                    line: *line,
                    number: *number,
                    words: format!(
                        "line {line} of {file} names a book of uses, and that of this machine is wrong: {why}"
                    ),
                }));
            }
            Some(Book::Whole(Some(book))) => {
                let missed = self.uses.get(book).and_then(Chain::missed);
                odd.extend(missed.map(|Kept { line, number, .. }| Odd {
                    line: *line,
                    number: *number,
                    words: format!(
                        "use {number} of book {book} is not the one that was seen (line {line} of {file}): the book is an older one, or \
                         was changed"
                    ),
                }));
            }
            Some(Book::Whole(None)) | None => {}
        }
        for chain in self.uses.values() {
            odd.extend(self.back("use", chain));
        }
        odd
    }

    fn back<'a>(&'a self, what: &'a str, chain: &'a Chain) -> impl Iterator<Item = Odd> + 'a {
        chain.back().map(move |(before, now)| {
            let (line, number, file) = (now.line, now.number, &self.file);
            let how = if number < before.number {
                format!("ends with {what} {number}, and line {} before it with {}", before.line, before.number)
            } else {
                format!("has another {what} {number} than line {} before it", before.line)
            };
            Odd { line, number, words: format!("line {line} of {file} {how}: an older state was put back in between") }
        })
    }

    /// What agrees, in words, and what could not be compared.
    pub(crate) fn notes(&self) -> String {
        let mut text = match self.heads() {
            0 => return String::new(),
            1 => format!("\nthe head in {} agrees", self.file),
            heads => format!("\nthe {heads} heads of this token in {} agree", self.file),
        };
        let others: Vec<&str> = match &self.book {
            Some(Book::Whole(here)) => {
                self.uses.keys().filter(|book| here.as_ref() != Some(*book)).map(|book| &**book).collect()
            }
            Some(Book::Broken(_)) | None => Vec::new(),
        };
        if !others.is_empty() {
            text.push_str(&format!(
                "\nthey also name books of uses that are not this machine's, {}: they are of other machines, or were removed from this one",
                others.join(", ")
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(text: &str) -> Result<Heads, Fault> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("heads");
        fs::write(&path, text).unwrap();
        Heads::read(&path)
    }

    fn odd(text: &str) -> Vec<usize> {
        let mut witness = heads(text).ok().and_then(|heads| heads.of("s").ok()).unwrap();
        (1..=9).for_each(|number| witness.see(number, &[u8::try_from(number).unwrap()]));
        witness.odd(9).iter().map(|odd| odd.line).collect()
    }

    #[test]
    fn every_head_of_a_token_is_compared_with_it_and_with_the_one_before() {
        let line = |number: u64, link: u64| format!("{{\"serial\":\"s\",\"n\":{number},\"link\":\"{link:02x}\"}}\n");
        let file = |heads: &[(u64, u64)]| heads.iter().map(|(n, link)| line(*n, *link)).collect::<String>();
        assert_eq!(odd(&file(&[(1, 1), (3, 3), (3, 3), (9, 9)])), [0; 0]);
        assert_eq!(odd(&file(&[(1, 1), (3, 4), (4, 3)])), [2], "the first that does not agree");
        assert_eq!(odd(&file(&[(3, 3), (10, 10)])), [2]);
        assert_eq!(odd(&file(&[(3, 3), (2, 2), (4, 4)])), [2], "it went back");
        assert_eq!(odd(&file(&[(3, 7), (3, 3)])), [1, 2], "another of the same number");
        let other = "{\"serial\":\"t\",\"n\":20,\"link\":\"20\"}\n";
        assert_eq!(odd(&format!("{}\n{other}{}", line(2, 2), line(3, 4))), [4], "another token's is skipped");
        assert!(
            matches!(heads(other).map(|heads| heads.of("s").err()), Ok(Some(Fault::Failed(why))) if why.contains("is of t"))
        );
    }

    #[test]
    fn what_is_no_head_is_named_by_its_line() {
        let good = "{\"n\":1,\"link\":\"01\"}\n";
        for none in ["", "\n", "{\"n\":2", "a\nb\n"] {
            assert!(matches!(heads(none), Err(Fault::Usage(why)) if why.contains("has no head")), "{none}");
        }
        // One that was cut off does not hide the others.
        assert_eq!(odd(&format!("{good}{{\"n\":2")), [2]);
        assert_eq!(odd(&format!("{good}\n\n{{\"n\":2}}\n{good}")), [4]);
        assert_eq!(odd(&format!("{{\"li\n{good}{{\"n\":2,\"link\":\"03\"}}\n")), [3, 1], "and is named behind them");
        assert!(heads("{\"ok\":true,\n \"data\":{\"n\":1,\n\"link\":\"01\"}}").is_ok(), "an answer with --json");
    }

    #[test]
    fn a_place_is_one_of_three() {
        assert_eq!("file:/x".parse(), Ok(Place::File("/x".into())));
        assert_eq!("cmd:ssh host 'cat >>heads'".parse(), Ok(Place::Command("ssh host 'cat >>heads'".into())));
        assert_eq!("syslog".parse(), Ok(Place::Syslog));
        for text in ["", "file:", "cmd:", "cmd: ", "/x", "syslog:x"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
