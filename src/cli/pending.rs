//! Keys that were deleted and can be restored, and alarms.

use std::time::{Duration, UNIX_EPOCH};

use engine::{Engine, PendingKey};
use serde_json::{Value as Json, json};
use types::{AttributeType as A, SessionHandle, Value};
use x509_cert::der::DateTime;

use crate::{
    answer::{Answer, done},
    fault::Fault,
    key::{self, Hex, hex},
    label::{self, Label},
    select::UserLogin,
};

/// One half of a key that was deleted.
struct Row {
    key: PendingKey,
    label: Label,
    id: Vec<u8>,
    unique: String,
    class: &'static str,
    gone_at: u64,
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
            gone_at: number(A::SR_DELETE_AT).unwrap_or(0),
            key,
        }
    }

    fn line(&self) -> String {
        format!("{:12}  {:40}  gone {}  {}\n", self.class, hex(&self.id), moment(self.gone_at), self.label)
    }

    fn told(&self) -> Json {
        json!({
            "label": &*self.label,
            "id": hex(&self.id),
            "unique_id": self.unique,
            "class": self.class,
            "gone_at": self.gone_at,
        })
    }
}

/// A time of UTC, as people read it.
pub(crate) fn moment(seconds: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    time.and_then(|time| DateTime::from_system_time(time).ok())
        .map_or_else(|| seconds.to_string(), |time| time.to_string())
}

fn rows(engine: &Engine, session: SessionHandle) -> Result<Vec<Row>, Fault> {
    Ok(engine.pending_keys(session)?.into_iter().map(Row::of).collect())
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

pub(crate) fn alarms(engine: &Engine) -> Result<Answer, Fault> {
    let lines = engine.alarms().map_err(|why| Fault::Failed(format!("the alarms cannot be read: {why}")))?;
    let read = |line: &String| serde_json::from_str::<Json>(line).unwrap_or_else(|_| json!({ "unreadable": line }));
    let told: Vec<Json> = lines.iter().map(read).collect();
    let words = |alarm: &Json| {
        let text = |name: &str| label::line(alarm.get(name).and_then(Json::as_str).unwrap_or_default());
        let time = moment(alarm.get("time").and_then(Json::as_u64).unwrap_or(0));
        let process = alarm.get("process").and_then(Json::as_u64).unwrap_or(0);
        match text("alarm").as_str() {
            "pending-key" => format!(
                "{time}  {} of the deleted key '{}' (id {}) of token {} by {} as {}, process {process}. Gone {}. `{}` brings it back.\n",
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
                "{time}  {} was wanted of the key '{}' (id {}) of token {}, which is {}, by {} as {}, process {process}.\n",
                text("operation"),
                text("key"),
                text("id"),
                text("token"),
                text("state"),
                text("program"),
                text("user"),
            ),
            "pin-locked" => format!(
                "{time}  A PIN was tried of the {} of token {}, and it is locked, by {}, process {process}.\n",
                text("whose"),
                text("token"),
                text("program"),
            ),
            "uses-not-written" => format!(
                "{time}  Uses of keys of token {} could not be written down by {}, process {process}: {}. They wait.\n",
                text("token"),
                text("program"),
                text("why"),
            ),
            "uses-lost" => format!(
                "{time}  {} uses of keys of token {} were never written down: {}, process {process}, has ended.\n",
                text("uses"),
                text("token"),
                text("program"),
            ),
            _ => format!("{time}  {alarm}\n"),
        }
    };
    let text: String = told.iter().map(words).collect();
    let text = if text.is_empty() { "no alarm was raised".to_owned() } else { text };
    Ok(Answer::new(text, Json::Array(told)))
}
