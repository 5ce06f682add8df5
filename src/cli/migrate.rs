//! Tokens of other software, moved here: as they were, and with their PINs.

use std::{cell::RefCell, collections::BTreeMap, ffi::OsStr, mem, path::PathBuf};

use clap::{Args, Subcommand};
use engine::{Access, Adoptable, Engine, Error, Settings, User, Witness};
use serde_json::{Value as Json, json};
use softhsm::{SourceObject, Token, Who};
use types::{AttributeType as A, KeyType, ObjectClass, ObjectHandle, SessionHandle, SlotId, Template, Value};

use crate::{
    answer::Answer,
    fault::{Fault, quoted},
    key,
    pin::{Pin, Source},
    progress, select, token,
};

#[derive(Subcommand)]
pub(crate) enum MigrateVerb {
    /// Makes a token of every token of SoftHSM 2: the same label, PINs and objects. SoftHSM's files are only read; stop the
    /// programs that use them.
    Softhsm(SoftHsm),
}

#[derive(Args)]
pub(crate) struct SoftHsm {
    /// Its softhsm2.conf, or the directory of its tokens, or of one token.
    #[arg(long, value_name = "CONF|DIR")]
    from: PathBuf,
    /// Only the token with this label or serial number.
    #[arg(long, short)]
    token: Option<String>,
    /// Where the user's PIN comes from. It stays his PIN.
    #[arg(long, value_name = "SOURCE")]
    pin: Option<Source>,
    /// Where the security officer's PIN comes from. It stays his PIN, and opens what the user's opens; what is trusted stays
    /// so (CKA_TRUSTED).
    #[arg(long, value_name = "SOURCE")]
    so_pin: Option<Source>,
    /// Another PIN for the user.
    #[arg(long, value_name = "SOURCE")]
    new_pin: Option<Source>,
    /// Another PIN for the security officer.
    #[arg(long, value_name = "SOURCE")]
    new_so_pin: Option<Source>,
    /// Each token keeps SoftHSM's serial number, and with compatibility = "softhsm" the number of its slot too.
    #[arg(long)]
    keep_slot_id: bool,
    /// Does everything but write: into tokens in memory, which are gone afterwards.
    #[arg(long)]
    dry_run: bool,
}

/// Done, but for what is named.
const IN_PART: u8 = 8;

pub(crate) fn run(engine: &Engine, verb: MigrateVerb) -> Result<Answer, Fault> {
    match verb {
        MigrateVerb::Softhsm(asked) => from_softhsm(engine, &asked),
    }
}

/// The PINs, each asked for once.
struct Pins {
    /// Those that open the old token.
    user: Option<Pin>,
    officer: Option<Pin>,
    /// Those of the new one, if they are others.
    new_user: Option<Pin>,
    new_officer: Option<Pin>,
}

impl Pins {
    fn read(asked: &SoftHsm) -> Result<Self, Fault> {
        let old = |source: &Option<Source>, what| source.as_ref().map(|source| source.read(what)).transpose();
        let new = |source: &Option<Source>, what| source.as_ref().map(|source| source.read_new(what)).transpose();
        let nobody = asked.pin.is_none() && asked.so_pin.is_none();
        let asked_for = |source: &Option<Source>| if nobody { Some(Source::Prompt) } else { source.clone() };
        Ok(Self {
            user: old(&asked_for(&asked.pin), token::USERS)?,
            officer: old(&asked_for(&asked.so_pin), token::OFFICERS)?,
            new_user: new(&asked.new_pin, "New user's PIN")?,
            new_officer: new(&asked.new_so_pin, "New security officer's PIN")?,
        })
    }

    /// The user's and the officer's PIN of the new token.
    fn kept(&self) -> Result<(&Pin, &Pin), Fault> {
        let chosen = |new: &'_ Option<Pin>, old: &'_ Option<Pin>| new.is_some() || old.is_some();
        if !chosen(&self.new_user, &self.user) {
            return Err(Fault::Usage("the user needs a PIN: --pin keeps his, --new-pin sets another".into()));
        }
        let user = self.new_user.as_ref().or(self.user.as_ref());
        let officer = self.new_officer.as_ref().or(self.officer.as_ref());
        let (Some(user), Some(officer)) = (user, officer) else {
            return Err(Fault::Usage(
                "the security officer needs a PIN: --so-pin keeps his, --new-so-pin sets another".into(),
            ));
        };
        for (what, option, pin) in [(token::USERS, "--new-pin", user), (token::OFFICERS, "--new-so-pin", officer)] {
            token::must_have_length(what, pin)
                .map_err(|why| Fault::Usage(format!("{}: {option} sets another", why.text(None))))?;
        }
        Ok((user, officer))
    }

    /// Who vouches for what is trusted.
    fn witness(&self) -> Witness {
        if self.officer.is_some() { Witness::Officer } else { Witness::User }
    }
}

impl From<softhsm::Error> for Fault {
    fn from(error: softhsm::Error) -> Self {
        let words = error.to_string();
        match error {
            softhsm::Error::Unreadable(_, why) if why.kind() == std::io::ErrorKind::NotFound => Self::NotFound(words),
            softhsm::Error::PinIncorrect(_) | softhsm::Error::PinNotSet(_) => Self::Pin(words),
            softhsm::Error::Unsuitable(..) => Self::NotFound(words),
            softhsm::Error::Unreadable(..) | softhsm::Error::Damaged(..) => Self::Failed(words),
        }
    }
}

fn from_softhsm(engine: &Engine, asked: &SoftHsm) -> Result<Answer, Fault> {
    let directory = softhsm::token_directory(&asked.from)?;
    let (tokens, damaged) = chosen(softhsm::tokens(&directory)?, asked.token.as_deref())?;
    let pins = Pins::read(asked)?;
    // Nothing is written before it is known that every token opens and has a place.
    let (user, officer) = pins.kept()?;
    let mut moves = Vec::new();
    for source in &tokens {
        let label = std::str::from_utf8(source.label()).map(|label| label.trim_end_matches(' ').to_owned());
        let label = label.map_err(|_| Fault::Usage(format!("the label of token {} is not UTF-8", source.serial())))?;
        if moves.iter().any(|other: &Move<'_>| other.label == label) {
            return Err(Fault::Usage(format!("two tokens have the label '{label}': --token SERIAL moves one of them")));
        }
        let open = open(source, &pins)?;
        let place = place(engine, &label, user, officer)?;
        let place = if asked.keep_slot_id { kept_place(engine, source, &label, place)? } else { place };
        let place = match place {
            // Tokens in memory are all new.
            Place::Empty(_) if asked.dry_run => Place::New,
            other => other,
        };
        moves.push(Move { label, source, open, place });
    }

    let memory =
        if asked.dry_run { Some(tempfile::tempdir().map_err(|why| Fault::Failed(why.to_string()))?) } else { None };
    let rehearsal = memory.as_ref().map(|place| {
        let state = place.path().to_owned();
        Engine::in_memory(Settings { state, ..engine.settings().clone() })
    });
    let here = rehearsal.as_ref().unwrap_or(engine);
    let mut made = Vec::new();
    let reports = match move_all(here, moves, &pins, &mut made) {
        Ok(reports) => reports,
        Err(why) => return Err(taken_back(why, &made)),
    };
    Ok(answer(&reports, &damaged, asked.dry_run))
}

/// Takes back what a run made, as far as that goes. What stopped it comes first in the error, whatever else is said.
fn taken_back(why: Fault, made: &[Target<'_>]) -> Fault {
    let undone = |target: &Target<'_>| {
        let failed = target.undo().err()?;
        Some(format!("; token '{}' cannot be taken back: {}", target.label, failed.text(None)))
    };
    let stay: String = made.iter().filter_map(undone).collect();
    if stay.is_empty() {
        return why;
    }
    let words = |first: &str| format!("{}{stay}", first.trim_end());
    match why {
        Fault::Engine(_) | Fault::Explained(..) => Fault::Failed(words(&why.text(None))),
        Fault::Usage(first) => Fault::Usage(words(&first)),
        Fault::NotFound(first) => Fault::NotFound(words(&first)),
        Fault::Settings(first) => Fault::Settings(words(&first)),
        Fault::Pin(first) => Fault::Pin(words(&first)),
        Fault::Failed(first) => Fault::Failed(words(&first)),
    }
}

/// A token that is to be moved: its new label, itself, opened, and where it goes.
struct Move<'a> {
    label: String,
    source: &'a Token,
    open: softhsm::OpenToken<'a>,
    place: Place,
}

/// Moves tokens, and says which were made or filled by then, also if one fails.
fn move_all<'a>(
    engine: &'a Engine,
    moves: Vec<Move<'_>>,
    pins: &'a Pins,
    made: &mut Vec<Target<'a>>,
) -> Result<Vec<Report>, Fault> {
    let (user, officer) = pins.kept()?;
    let mut reports = Vec::new();
    for Move { label, source, open, place } in moves {
        let target = Target::make(engine, label, source.serial(), place, user, officer)?;
        let filled = target.fill(source, &open, pins.witness());
        made.push(target);
        reports.push(filled?);
    }
    Ok(reports)
}

/// The tokens that are meant, and what is the matter with those that cannot be read.
fn chosen(found: Vec<Result<Token, softhsm::Error>>, wanted: Option<&str>) -> Result<(Vec<Token>, Vec<String>), Fault> {
    let mut damaged = Vec::new();
    let mut tokens = Vec::new();
    for token in found {
        match token {
            Ok(token) => tokens.push(token),
            Err(why) => damaged.push(why.to_string()),
        }
    }
    let Some(wanted) = wanted else { return Ok((tokens, damaged)) };
    let label = |token: &Token| select::label_of(token.label());
    let there: Vec<String> = tokens.iter().map(|token| format!("{}  {}", token.serial(), label(token))).collect();
    tokens.retain(|token| label(token) == wanted.trim_end_matches(' ') || token.serial() == wanted);
    match tokens.len() {
        0 => Err(Fault::NotFound(format!(
            "SoftHSM has no token '{wanted}'. It has:\n{}",
            there.into_iter().chain(damaged).collect::<Vec<_>>().join("\n")
        ))),
        // What was not asked for is not missed.
        _ => Ok((tokens, Vec::new())),
    }
}

/// Opens a token with every PIN that was given.
fn open<'a>(source: &'a Token, pins: &Pins) -> Result<softhsm::OpenToken<'a>, Fault> {
    let given = [(Who::User, &pins.user), (Who::Officer, &pins.officer)];
    let mut opened = None;
    for (who, pin) in given {
        let Some(pin) = pin else { continue };
        if who == Who::User && !source.has_user_pin() && pins.officer.is_some() {
            // Nobody has set it. The officer's will do.
            continue;
        }
        let words = match who {
            Who::User => "the user's PIN",
            Who::Officer => "the security officer's PIN",
        };
        let label = select::label_of(source.label());
        let now = source.open(who, pin).map_err(|why| Fault::Pin(format!("token '{label}', {words}: {why}")))?;
        if opened.as_ref().is_some_and(|before| *before != now) {
            return Err(Fault::Failed(format!("token '{label}' is damaged: its two PINs open two different keys")));
        }
        opened = Some(now);
    }
    opened.ok_or_else(|| Fault::Usage("a PIN that opens the token is needed: --pin, or --so-pin".into()))
}

/// Where a token goes.
#[derive(Clone, Copy)]
enum Place {
    New,
    /// A new token with SoftHSM's serial number.
    Kept,
    /// A token that is there, has the label and the PINs, and nothing in it.
    Empty(SlotId),
}

fn place(engine: &Engine, label: &str, user: &Pin, officer: &Pin) -> Result<Place, Fault> {
    token::padded(label)?;
    let same = |listed: &select::Listed| match &listed.1 {
        Ok(told) => told.get("label").and_then(Json::as_str) == Some(label),
        Err(_) => false,
    };
    let Some((slot, _)) = select::tokens(engine)?.into_iter().find(|listed| same(listed)) else {
        return Ok(Place::New);
    };
    let taken = |why: &str| {
        Fault::Usage(format!(
            "there is a token '{label}' here already, and {why}: `strongroom token label` gives it another name"
        ))
    };
    let session = engine.open_session(slot, Access::ReadWrite)?;
    let looked = || -> Result<bool, Fault> {
        engine.login(session, User::Officer, officer)?;
        engine.logout(session)?;
        engine.login(session, User::User, user)?;
        // Older versions and deleted keys are found by no search, and are there.
        let report = engine.check_token(session)?;
        Ok(report.whole == 0 && report.faults.is_empty())
    };
    let empty = looked();
    engine.close_session(session)?;
    match empty {
        Ok(true) => Ok(Place::Empty(slot)),
        Ok(false) => Err(taken("it is not empty")),
        Err(Fault::Engine(Error::PinIncorrect | Error::PinLocked | Error::UserPinNotInitialized)) => {
            Err(taken("its PINs are others"))
        }
        Err(other) => Err(other),
    }
}

/// Where a token goes that keeps its serial number.
fn kept_place(engine: &Engine, source: &Token, label: &str, place: Place) -> Result<Place, Fault> {
    let serial = source.serial();
    let same = |listed: &select::Listed| matches!(&listed.1, Ok(told) if told.get("serial").and_then(Json::as_str) == Some(serial));
    if select::tokens(engine)?.iter().any(same) {
        return Err(Fault::Usage(format!(
            "there is a token with the serial number {serial} here already: without --keep-slot-id '{label}' gets another"
        )));
    }
    if let Place::Empty(_) = place {
        return Err(Fault::Usage(format!(
            "there is a token '{label}' here already, with a serial number of its own: without --keep-slot-id it is filled"
        )));
    }
    Ok(Place::Kept)
}

/// A token that is being filled.
struct Target<'a> {
    engine: &'a Engine,
    label: String,
    place: Place,
    slot: SlotId,
    user: &'a Pin,
    officer: &'a Pin,
    /// The unique ids of what was put there so far.
    adopted: RefCell<Vec<Vec<u8>>>,
}

/// Objects that are written together: a durable commit takes longer than an object.
#[derive(Default)]
struct Batch {
    objects: Vec<Adoptable>,
    size: usize,
}

impl Batch {
    /// How many objects are written together, and how many bytes: they are in memory until then.
    const MOST: usize = 256;
    const MOST_BYTES: usize = 1 << 20;

    fn add(&mut self, object: Adoptable, size: usize) {
        self.objects.push(object);
        self.size = self.size.saturating_add(size);
    }

    fn is_full(&self) -> bool {
        self.objects.len() >= Self::MOST || self.size >= Self::MOST_BYTES
    }
}

/// What became of a token.
struct Report {
    label: String,
    serial: String,
    slot: SlotId,
    /// How many objects of each kind there were, and are.
    counts: BTreeMap<String, (usize, usize)>,
    left: Vec<Remark>,
    notes: Vec<Remark>,
}

/// What is to be said of an object.
struct Remark {
    file: String,
    label: String,
    words: String,
}

impl<'a> Target<'a> {
    fn make(
        engine: &'a Engine,
        label: String,
        serial: &str,
        place: Place,
        user: &'a Pin,
        officer: &'a Pin,
    ) -> Result<Self, Fault> {
        let slot = match place {
            Place::New => token::make(engine, &label, officer, user)?,
            Place::Kept => token::make_as(engine, serial, &label, officer, user)?,
            Place::Empty(slot) => slot,
        };
        Ok(Self { engine, label, place, slot, user, officer, adopted: RefCell::default() })
    }

    /// Takes back what was done: no token is left that is not whole.
    fn undo(&self) -> Result<(), Fault> {
        match self.place {
            Place::New | Place::Kept => self.engine.delete_token(self.slot, self.officer)?,
            // What was put there, and nothing else: somebody may use the token meanwhile.
            Place::Empty(slot) => {
                let session = self.engine.open_session(slot, Access::ReadWrite)?;
                let taken_back = || -> Result<(), Fault> {
                    self.engine.login(session, User::User, self.user)?;
                    for unique in &*self.adopted.borrow() {
                        let template = vec![(A::UNIQUE_ID, Value::bytes(unique.as_slice()))];
                        for handle in key::find(self.engine, session, template)? {
                            self.engine.destroy_object(session, handle)?;
                        }
                    }
                    Ok(())
                };
                let taken_back = taken_back();
                self.engine.close_session(session)?;
                taken_back?;
            }
        }
        Ok(())
    }

    fn fill(&self, source: &Token, open: &softhsm::OpenToken<'_>, witness: Witness) -> Result<Report, Fault> {
        let session = self.engine.open_session(self.slot, Access::ReadWrite)?;
        let filled = self.adopt_all(session, source, open, witness);
        self.engine.close_session(session)?;
        filled
    }

    fn adopt_all(
        &self,
        session: SessionHandle,
        source: &Token,
        open: &softhsm::OpenToken<'_>,
        witness: Witness,
    ) -> Result<Report, Fault> {
        self.engine.login(session, User::User, self.user)?;
        let mut report = Report {
            label: self.label.clone(),
            serial: source.serial().to_owned(),
            slot: self.slot,
            counts: BTreeMap::new(),
            left: Vec::new(),
            notes: Vec::new(),
        };
        let mut objects = open.objects()?;
        let bar = progress::bar("moving objects");
        bar.set_length(objects.size_hint().1.and_then(|most| u64::try_from(most).ok()).unwrap_or(0));
        // What is read are keys, mostly.
        let mut batch = Batch::default();
        while let Some(object) = engine::keys(|| objects.next()) {
            self.take(session, object, witness, &mut batch, &mut report)?;
            if batch.is_full() {
                self.keep(session, mem::take(&mut batch))?;
            }
            bar.inc(1);
        }
        self.keep(session, batch)?;
        bar.finish_and_clear();
        // What is there is counted there.
        for handle in key::find(self.engine, session, Vec::new())? {
            let view = self.engine.object(session, handle)?;
            let number = |name| view.attribute(name).ok().and_then(Value::as_number);
            report.counts.entry(kind(number(A::CLASS), number(A::KEY_TYPE))).or_default().1 += 1;
        }
        Ok(report)
    }

    /// Puts an object into the batch, or says why it stays behind.
    fn take(
        &self,
        session: SessionHandle,
        object: SourceObject,
        witness: Witness,
        batch: &mut Batch,
        report: &mut Report,
    ) -> Result<(), Fault> {
        let file = object.file.file_name().map(OsStr::to_string_lossy).unwrap_or_default().into_owned();
        let mut template = match object.attributes {
            Ok(template) => template,
            Err(why) => {
                report.counts.entry("damaged".to_owned()).or_default().0 += 1;
                report.left.push(Remark { file, label: String::new(), words: why.to_string() });
                return Ok(());
            }
        };
        let label = get(&template, A::LABEL).and_then(Value::as_bytes).unwrap_or_default();
        let label = String::from_utf8_lossy(label).into_owned();
        if retype(&mut template) {
            let words = "it was a CKK_EC_EDWARDS key of the curve X25519, and is a CKK_EC_MONTGOMERY key".to_owned();
            report.notes.push(Remark { file: file.clone(), label: label.clone(), words });
        }
        let number = |name| get(&template, name).and_then(Value::as_number);
        report.counts.entry(kind(number(A::CLASS), number(A::KEY_TYPE))).or_default().0 += 1;
        let size = size(&template);
        let trusted = get(&template, A::TRUSTED) == Some(&Value::Flag(true));
        let adoptable = if trusted && witness == Witness::Officer {
            match self.engine.adoptable(session, duplicate(&template), witness) {
                Err(Error::TemplateInconsistent(why)) => self.untrusted(session, template).inspect(|_| {
                    let words = format!("it is not trusted any more (CKA_TRUSTED): {why}");
                    report.notes.push(Remark { file: file.clone(), label: label.clone(), words });
                }),
                adoptable => adoptable,
            }
        } else if trusted {
            self.untrusted(session, template).inspect(|_| {
                let words = "it is not trusted any more (CKA_TRUSTED): --so-pin shows that it may be".to_owned();
                report.notes.push(Remark { file: file.clone(), label: label.clone(), words });
            })
        } else {
            self.engine.adoptable(session, template, witness)
        };
        match adoptable {
            Ok(object) => {
                batch.add(object, size);
                Ok(())
            }
            Err(why) if is_about_the_object(&why) => {
                report.left.push(Remark { file, label, words: why.to_string() });
                Ok(())
            }
            Err(why) => Err(why.into()),
        }
    }

    fn untrusted(&self, session: SessionHandle, mut template: Template) -> Result<Adoptable, Error> {
        set(&mut template, A::TRUSTED, Value::Flag(false));
        self.engine.adoptable(session, template, Witness::User)
    }

    /// Writes a batch, all of it or nothing.
    fn keep(&self, session: SessionHandle, batch: Batch) -> Result<(), Fault> {
        for made in self.engine.adopt_objects(session, batch.objects)? {
            self.remember(session, made);
        }
        Ok(())
    }

    /// What may have to be taken back. A new token goes as a whole.
    fn remember(&self, session: SessionHandle, made: ObjectHandle) {
        if let Place::New = self.place {
            return;
        }
        let unique = self.engine.object(session, made).ok();
        let unique = unique.and_then(|view| Some(view.attribute(A::UNIQUE_ID).ok()?.as_bytes()?.to_vec()));
        self.adopted.borrow_mut().extend(unique);
    }
}

/// Whether an object is refused for what it is. Anything else would meet every other object, too.
fn is_about_the_object(why: &Error) -> bool {
    matches!(
        why,
        Error::AttributeReadOnly(_)
            | Error::AttributeTypeInvalid(_)
            | Error::AttributeValueInvalid(_)
            | Error::TemplateIncomplete(_)
            | Error::TemplateInconsistent(_)
            | Error::CurveNotSupported
            | Error::DomainParamsInvalid
            | Error::KeySizeRange
            | Error::KeyTypeInconsistent
            | Error::Crypto(_)
    )
}

/// CKA_EC_PARAMS of X25519: its object identifier, and its names as PrintableString.
const X25519: [&[u8]; 3] = [&[0x06, 0x03, 0x2b, 0x65, 0x6e], b"\x13\x0acurve25519", b"\x13\x06X25519"];

/// Gives a key of X25519 its type: SoftHSM has CKK_EC_EDWARDS for it. Says whether it was one.
fn retype(template: &mut Template) -> bool {
    let edwards = get(template, A::KEY_TYPE) == Some(&Value::Number(KeyType::EC_EDWARDS.0));
    let params = get(template, A::EC_PARAMS).and_then(Value::as_bytes);
    let wrong = edwards && params.is_some_and(|params| X25519.contains(&params));
    if wrong {
        set(template, A::KEY_TYPE, Value::Number(KeyType::EC_MONTGOMERY.0));
    }
    wrong
}

fn get(template: &Template, name: A) -> Option<&Value> {
    template.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

fn set(template: &mut Template, name: A, value: Value) {
    template.retain(|(known, _)| *known != name);
    template.push((name, value));
}

/// About how many bytes an object has.
fn size(template: &Template) -> usize {
    template.iter().map(|(_, value)| value.as_bytes().map_or(8, <[u8]>::len)).sum()
}

fn duplicate(template: &Template) -> Template {
    engine::keys(|| template.iter().map(|(name, value)| (*name, value.duplicate())).collect())
}

/// What an object is, for people who count.
fn kind(class: Option<u64>, key_type: Option<u64>) -> String {
    let class = class.map(ObjectClass);
    let word = class.map_or("other", key::word);
    match (word, class, key_type) {
        ("other", Some(class), _) => class.to_string(),
        (word, _, Some(key_type)) => format!("{word} {}", KeyType(key_type)),
        (word, _, None) => word.to_owned(),
    }
}

fn answer(reports: &[Report], damaged: &[String], dry_run: bool) -> Answer {
    let mut text: String = reports.iter().map(|report| report.text(dry_run)).collect();
    for why in damaged {
        text.push_str(&format!("left behind: {why}\n"));
    }
    if dry_run {
        text.push_str("Nothing was written.\n");
    }
    let complete = damaged.is_empty() && reports.iter().all(|report| report.left.is_empty());
    let data = json!({
        "complete": complete,
        "dry_run": dry_run,
        "tokens": reports.iter().map(|report| report.told(dry_run)).collect::<Vec<_>>(),
        "damaged": damaged,
    });
    Answer { code: if complete { None } else { Some(IN_PART) }, ..Answer::new(text, data) }
}

impl Report {
    fn text(&self, dry_run: bool) -> String {
        let Self { label, serial, slot, counts, left, notes } = self;
        let what = if dry_run { "would be moved".to_owned() } else { format!("is in slot {}", slot.0) };
        let mut text = format!("Token {} (SoftHSM's {serial}) {what}.\n", quoted(label));
        let width = counts.keys().map(String::len).max().unwrap_or(0).max("objects".len());
        text.push_str(&format!("{:width$}  {:>7}  {:>7}\n", "objects", "SoftHSM", "here"));
        for (kind, (before, after)) in counts {
            text.push_str(&format!("{kind:width$}  {before:>7}  {after:>7}\n"));
        }
        for (word, remarks) in [("left behind", left), ("note", notes)] {
            for Remark { file, label, words } in remarks {
                text.push_str(&format!("{word}: '{label}' ({file}): {words}\n"));
            }
        }
        text
    }

    fn told(&self, dry_run: bool) -> Json {
        let counts = self
            .counts
            .iter()
            .map(|(kind, (before, after))| (kind.clone(), json!({ "before": before, "after": after })));
        let remarks = |remarks: &[Remark]| -> Vec<Json> {
            let told = |remark: &Remark| json!({ "file": remark.file, "label": remark.label, "reason": remark.words });
            remarks.iter().map(told).collect()
        };
        json!({
            "label": self.label,
            "serial": self.serial,
            "slot": if dry_run { Json::Null } else { json!(self.slot.0) },
            "objects": counts.collect::<serde_json::Map<_, _>>(),
            "left": remarks(&self.left),
            "notes": remarks(&self.notes),
        })
    }
}
