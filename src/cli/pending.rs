//! Keys that were deleted and can be restored, and alarms.

use std::time::{Duration, UNIX_EPOCH};

use engine::{Engine, PendingKey};
use serde_json::{Value as Json, json};
use types::{AttributeType as A, SessionHandle, Value};
use x509_cert::der::DateTime;

use crate::{
    answer::{Answer, done},
    fault::{Fault, quoted},
    key::{self, Hex, hex},
    kind,
    label::{self, Label},
    select::UserLogin,
};

/// One half of a key that was deleted.
pub(crate) struct Row {
    key: PendingKey,
    pub(crate) label: Label,
    pub(crate) id: Vec<u8>,
    pub(crate) unique: String,
    pub(crate) class: &'static str,
    pub(crate) kind: String,
    /// When it goes for good, in seconds since 1970.
    pub(crate) gone_at: u64,
}

impl Row {
    fn of(key: PendingKey) -> Self {
        let bytes = |name| key.view.attribute(name).ok().and_then(Value::as_bytes).unwrap_or_default().to_vec();
        let number = |name| key.view.attribute(name).ok().and_then(Value::as_number);
        let text = |name| String::from_utf8_lossy(&bytes(name)).into_owned();
        Self {
            label: Label::of(&bytes(A::LABEL)),
            id: bytes(A::ID),
            unique: text(A::UNIQUE_ID),
            class: number(A::CLASS).map_or("key", |class| key::word(types::ObjectClass(class))),
            kind: kind::of(&key.view),
            gone_at: number(A::SR_DELETE_AT).unwrap_or(0),
            key,
        }
    }

    /// Whether another one is the other half of its key.
    pub(crate) fn is_of_same_key(&self, other: &Self) -> bool {
        (&self.label, &self.id, self.gone_at) == (&other.label, &other.id, other.gone_at) && self.class != other.class
    }

    /// As a shell takes it.
    fn named(&self) -> String {
        if self.label.is_empty() { format!("id:{}", hex(&self.id)) } else { quoted(&self.label) }
    }

    fn line(&self) -> String {
        format!("{:12}  {:40}  gone {}  {}\n", self.class, hex(&self.id), moment(self.gone_at), self.label)
    }

    pub(crate) fn told(&self) -> Json {
        json!({
            "label": &*self.label,
            "id": hex(&self.id),
            "unique_id": self.unique,
            "class": self.class,
            "gone_at": self.gone_at,
        })
    }
}

/// What is said to whoever asks for a key that was deleted and can be restored. It raises the alarm, too, that a program's look-up
/// raises.
pub(crate) fn missed(
    engine: &Engine,
    session: SessionHandle,
    (label, id): (Option<&str>, Option<&[u8]>),
) -> Result<Option<Fault>, Fault> {
    let fits = |row: &Row| label.is_none_or(|label| *label == *row.label) && id.is_none_or(|id| *id == *row.id);
    let Some(row) = rows(engine, session)?.into_iter().find(fits) else { return Ok(None) };
    let by_label = label.map(|label| (A::LABEL, Value::bytes(label)));
    let by_id = id.map(|id| (A::ID, Value::bytes(id)));
    engine.find_init(session, by_label.into_iter().chain(by_id).collect())?;
    engine.find_final(session)?;
    Ok(Some(Fault::NotFound(format!(
        "key {} was deleted, and is gone for good at {}: `strongroom key restore {}` brings it back",
        row.label,
        moment(row.gone_at),
        row.named()
    ))))
}

/// A time of UTC, as people read it.
pub(crate) fn moment(seconds: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    time.and_then(|time| DateTime::from_system_time(time).ok())
        .map_or_else(|| seconds.to_string(), |time| time.to_string())
}

/// What of keys was deleted and can be restored.
pub(crate) fn rows(engine: &Engine, session: SessionHandle) -> Result<Vec<Row>, Fault> {
    Ok(engine.pending_keys(session)?.into_iter().map(Row::of).collect())
}

/// The first half of each key: both go together.
pub(crate) fn keys(rows: &[Row]) -> impl Iterator<Item = &Row> {
    let first = |at: usize, row: &Row| !rows.iter().take(at).any(|other| other.is_of_same_key(row));
    rows.iter().enumerate().filter(move |(at, row)| first(*at, row)).map(|(_, row)| row)
}

pub(crate) fn list(engine: &Engine, login: &UserLogin) -> Result<Answer, Fault> {
    let (_, session) = login.log_in(engine)?;
    let rows = rows(engine, session)?;
    let text: String = rows.iter().map(Row::line).collect();
    let text = if text.is_empty() { "no deleted key can be restored".to_owned() } else { text };
    Ok(Answer::new(text, rows.iter().map(Row::told).collect()))
}

/// Brings back every half of the key that is meant.
pub(crate) fn restore(engine: &Engine, wanted: &str, login: &UserLogin) -> Result<Answer, Fault> {
    let (token, session) = login.log_in(engine)?;
    let id = wanted.strip_prefix("id:").map(str::parse::<Hex>).transpose().map_err(Fault::Usage)?;
    let unique = wanted.strip_prefix("unique:");
    let fits = |row: &Row| match (&id, unique) {
        (Some(Hex(id)), _) => row.id == *id,
        (None, Some(unique)) => row.unique == unique,
        (None, None) => *row.label == *wanted,
    };
    let rows = rows(engine, session)?;
    // Of a pair, both halves, whichever was named.
    let whole: Vec<(Label, Vec<u8>)> =
        rows.iter().filter(|row| fits(row)).map(|row| (row.label.clone(), row.id.clone())).collect();
    let of_it = |row: &Row| {
        fits(row) || unique.is_some() && whole.iter().any(|(label, id)| (label, id) == (&row.label, &row.id))
    };
    let found: Vec<Row> = rows.into_iter().filter(of_it).collect();
    let Some(first) = found.first() else {
        return Err(Fault::NotFound(format!(
            "no key '{wanted}' of token {} can be restored: `strongroom key list --pending` has those that can",
            token.label
        )));
    };
    let twice = |row: &Row| found.iter().filter(|other| other.class == row.class).count() > 1;
    if found.iter().any(|row| row.id != first.id || twice(row)) {
        let several: String = found.iter().map(|row| format!("unique:{}  {}", row.unique, row.line())).collect();
        return Err(Fault::Usage(format!("'{wanted}' could be any of these; unique:… says which:\n{several}")));
    }
    let keys: Vec<&PendingKey> = found.iter().map(|row| &row.key).collect();
    engine.restore_keys(session, &keys)?;
    done(format!(
        "Key {} is back in token {}, disabled: `strongroom key enable` lets it be used.",
        first.label, token.label
    ))
}

/// The alarms that this machine's files have, the oldest first, as they are told to programs.
pub(crate) fn raised(engine: &Engine) -> Result<Vec<Json>, Fault> {
    let lines = engine.alarms().map_err(|why| Fault::Failed(format!("the alarms cannot be read: {why}")))?;
    let read = |line: &String| serde_json::from_str::<Json>(line).unwrap_or_else(|_| json!({ "unreadable": line }));
    Ok(lines.iter().map(read).collect())
}

pub(crate) fn alarms(engine: &Engine) -> Result<Answer, Fault> {
    let told = raised(engine)?;
    let line = |alarm: &Json| format!("{}  {}\n", moment(raised_at(alarm)), words(alarm));
    let text: String = told.iter().map(line).collect();
    let text = if text.is_empty() { "no alarm was raised".to_owned() } else { text };
    Ok(Answer::new(text, Json::Array(told)))
}

/// When an alarm was raised, in seconds since 1970.
pub(crate) fn raised_at(alarm: &Json) -> u64 {
    alarm.get("time").and_then(Json::as_u64).unwrap_or(0)
}

/// An alarm in words, without its time.
pub(crate) fn words(alarm: &Json) -> String {
    let text = |name: &str| label::line(alarm.get(name).and_then(Json::as_str).unwrap_or_default());
    let process = alarm.get("process").and_then(Json::as_u64).unwrap_or(0);
    match text("alarm").as_str() {
        "pending-key" => format!(
            "{} of the deleted key '{}' (id {}) of token {} by {} as {}, process {process}. Gone {}. `{}` brings it back.",
            text("operation"),
            text("key"),
            text("id"),
            text("token"),
            text("program"),
            text("user"),
            moment(text("gone_at").parse().unwrap_or(0)),
            text("restore"),
        ),
        "key-state" => format!(
            "{} was wanted of the key '{}' (id {}) of token {}, which is {}, by {} as {}, process {process}.",
            text("operation"),
            text("key"),
            text("id"),
            text("token"),
            text("state"),
            text("program"),
            text("user"),
        ),
        "pin-locked" => format!(
            "A PIN was tried of the {} of token {}, and it is locked, by {}, process {process}.",
            text("whose"),
            text("token"),
            text("program"),
        ),
        "uses-not-written" => format!(
            "Uses of keys of token {} could not be written down by {}, process {process}: {}. They wait.",
            text("token"),
            text("program"),
            text("why"),
        ),
        "uses-lost" => format!(
            "{} uses of keys of token {} were never written down: {}, process {process}, has ended.",
            text("uses"),
            text("token"),
            text("program"),
        ),
        _ => label::line(&alarm.to_string()),
    }
}
