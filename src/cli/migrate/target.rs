//! A token that is being filled with another's objects.

use std::{cell::RefCell, collections::BTreeMap, mem};

use engine::{Access, Adoptable, Engine, Error, Settings, User, Witness};
use serde_json::Value as Json;
use types::{
    AttributeType as A, KeyType, Mechanism, MechanismType, ObjectClass, ObjectHandle, Params, SessionHandle, SlotId,
    Template, Value,
};

use super::report::{Remark, Report};
use crate::{carrier, fault::Fault, key, pin::Pin, progress, select, token};

/// An object of another software's token.
pub(super) struct SourceItem<'a> {
    /// Where it is there.
    pub(super) file: String,
    pub(super) content: Content<'a>,
    /// What is to be said of it besides.
    pub(super) note: Option<String>,
}

/// What there is of an object.
pub(super) enum Content<'a> {
    /// All of it.
    Whole(Template),
    /// All but the value, which is wrapped with the key that both sides have: in several ways, of which one does.
    Wrapped(Template, Box<dyn Iterator<Item = Wrapped> + 'a>),
    /// It has to stay behind, and why.
    Stays(Template, String),
    /// It cannot be read, and why.
    Damaged(String),
    /// It is nothing that another module would know: nobody misses it.
    Other,
}

/// A key as another module has wrapped it.
pub(super) struct Wrapped {
    pub(super) mechanism: MechanismType,
    pub(super) params: Params,
    pub(super) bytes: Vec<u8>,
}

/// Objects, and the value of the key that some of them are wrapped with.
pub(super) struct Items<'a, 's> {
    pub(super) items: &'a mut dyn Iterator<Item = SourceItem<'s>>,
    pub(super) wrapped_with: Option<&'a [u8]>,
    pub(super) witness: Witness,
}

/// Tokens in memory, which are gone afterwards.
pub(super) struct Rehearsal {
    pub(super) engine: Engine,
    _state: tempfile::TempDir,
}

impl Rehearsal {
    pub(super) fn new(like: &Engine) -> Result<Self, Fault> {
        let state = tempfile::tempdir().map_err(|why| Fault::Failed(why.to_string()))?;
        let settings = Settings { state: state.path().to_owned(), ..like.settings().clone() };
        Ok(Self { engine: Engine::in_memory(settings), _state: state })
    }
}

/// Where a token goes.
#[derive(Clone, Copy)]
pub(super) enum Place {
    New,
    /// A new token with the old one's serial number.
    Kept,
    /// A token that is there, has the label and the PINs, and nothing in it.
    Empty(SlotId),
}

pub(super) fn place(engine: &Engine, label: &str, user: &Pin, officer: &Pin) -> Result<Place, Fault> {
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
pub(super) fn kept_place(engine: &Engine, serial: &str, label: &str, place: Place) -> Result<Place, Fault> {
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
pub(super) struct Target<'a> {
    pub(super) engine: &'a Engine,
    pub(super) label: String,
    place: Place,
    pub(super) slot: SlotId,
    pub(super) user: &'a Pin,
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

impl<'a> Target<'a> {
    pub(super) fn make(
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

    /// Random bytes of the token's generator.
    pub(super) fn random(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        let session = self.engine.open_session(self.slot, Access::ReadOnly)?;
        let drawn = self.engine.random(session, bytes);
        self.engine.close_session(session)?;
        Ok(drawn?)
    }

    /// Takes back what was done: no token is left that is not whole.
    pub(super) fn undo(&self) -> Result<(), Fault> {
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

    /// Puts objects into the token. What became of them is added to the report.
    pub(super) fn fill(&self, report: &mut Report, items: Items<'_, '_>) -> Result<(), Fault> {
        let session = self.engine.open_session(self.slot, Access::ReadWrite)?;
        let filled = self.adopt_all(session, report, items);
        self.engine.close_session(session)?;
        filled
    }

    /// What is said of the token before anything was moved.
    pub(super) fn report(&self, from: &'static str, serial: &str) -> Report {
        Report {
            from,
            label: self.label.clone(),
            serial: serial.to_owned(),
            slot: self.slot,
            counts: BTreeMap::new(),
            proven: None,
            left: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn adopt_all(&self, session: SessionHandle, report: &mut Report, items: Items<'_, '_>) -> Result<(), Fault> {
        self.engine.login(session, User::User, self.user)?;
        let Items { items, wrapped_with, witness } = items;
        let unwrapping =
            wrapped_with.map(|value| carrier::wrapping_key(self.engine, session, value, A::UNWRAP)).transpose()?;
        let bar = progress::bar("moving objects");
        bar.set_length(items.size_hint().1.and_then(|most| u64::try_from(most).ok()).unwrap_or(0));
        // What is read are keys, mostly.
        let mut batch = Batch::default();
        while let Some(item) = engine::keys(|| items.next()) {
            self.take(session, item, (witness, unwrapping), &mut batch, report)?;
            if batch.is_full() {
                self.keep(session, mem::take(&mut batch))?;
            }
            bar.inc(1);
        }
        self.keep(session, batch)?;
        bar.finish_and_clear();
        // What is there is counted there.
        for handle in key::find(self.engine, session, vec![(A::TOKEN, Value::Flag(true))])? {
            let view = self.engine.object(session, handle)?;
            let number = |name| view.attribute(name).ok().and_then(Value::as_number);
            report.counts.entry(kind(number(A::CLASS), number(A::KEY_TYPE))).or_default().1 += 1;
        }
        Ok(())
    }

    /// Puts an object into the batch, or says why it stays behind.
    fn take(
        &self,
        session: SessionHandle,
        item: SourceItem<'_>,
        (witness, unwrapping): (Witness, Option<ObjectHandle>),
        batch: &mut Batch,
        report: &mut Report,
    ) -> Result<(), Fault> {
        let SourceItem { file, content, note } = item;
        let (template, wrapped, stays) = match content {
            Content::Whole(template) => (template, None, None),
            Content::Wrapped(template, wrapped) => (template, Some(wrapped), None),
            Content::Stays(template, words) => (template, None, Some(words)),
            Content::Other => {
                let words = "it is of a class of the module's own, and stays there".to_owned();
                report.notes.push(Remark { file, label: String::new(), words });
                return Ok(());
            }
            Content::Damaged(words) => {
                report.counts.entry("damaged".to_owned()).or_default().0 += 1;
                report.left.push(Remark { file, label: String::new(), words });
                return Ok(());
            }
        };
        let label = get(&template, A::LABEL).and_then(Value::as_bytes).unwrap_or_default();
        let label = String::from_utf8_lossy(label).into_owned();
        if let Some(words) = note {
            report.notes.push(Remark { file: file.clone(), label: label.clone(), words });
        }
        let number = |name| get(&template, name).and_then(Value::as_number);
        report.counts.entry(kind(number(A::CLASS), number(A::KEY_TYPE))).or_default().0 += 1;
        if let Some(words) = stays {
            report.left.push(Remark { file, label, words });
            return Ok(());
        }
        if let (Some(wrapped), Some(unwrapping)) = (wrapped, unwrapping) {
            if let Some(words) = self.unwrap(session, unwrapping, &template, wrapped)? {
                report.left.push(Remark { file, label, words });
            }
            return Ok(());
        }
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

    /// Unwraps a key, or says why it stays behind.
    fn unwrap(
        &self,
        session: SessionHandle,
        by: ObjectHandle,
        template: &Template,
        ways: impl Iterator<Item = Wrapped>,
    ) -> Result<Option<String>, Fault> {
        let mut refusal = None;
        for Wrapped { mechanism, params, bytes } in ways {
            let mechanism = Mechanism { id: mechanism, params };
            match self.engine.unwrap_key(session, &mechanism, by, &bytes, duplicate(template)) {
                Ok(made) => {
                    self.remember(session, made);
                    return Ok(None);
                }
                Err(why) if is_about_the_object(&why) || is_about_the_way(&why) => refusal = Some(why.to_string()),
                Err(why) => return Err(why.into()),
            }
        }
        Ok(Some(refusal.unwrap_or_else(|| "its module wraps it in no way that is known here".into())))
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

/// Whether a wrapped key is refused for how it was wrapped: another way may do.
fn is_about_the_way(why: &Error) -> bool {
    matches!(
        why,
        Error::WrappedKeyInvalid | Error::WrappedKeyLenRange | Error::MechanismInvalid | Error::MechanismParamInvalid
    )
}

pub(super) fn get(template: &Template, name: A) -> Option<&Value> {
    template.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

pub(super) fn set(template: &mut Template, name: A, value: Value) {
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
pub(super) fn kind(class: Option<u64>, key_type: Option<u64>) -> String {
    let class = class.map(ObjectClass);
    let word = class.map_or("other", key::word);
    match (word, class, key_type) {
        ("other", Some(class), _) => class.to_string(),
        (word, _, Some(key_type)) => format!("{word} {}", KeyType(key_type)),
        (word, _, None) => word.to_owned(),
    }
}
