//! Whatever else is in a token.

use clap::Subcommand;
use engine::Engine;
use serde_json::{Map, Value as Json, json};
use types::{AttributeType as A, ObjectClass, ObjectHandle, SessionHandle, Value};

use crate::{
    answer::{Answer, done},
    fault::Fault,
    key::{self, Hex, hex},
    label::{self, Label},
    select::UserLogin,
};

#[derive(Subcommand)]
pub(crate) enum ObjectVerb {
    /// Lists every object: its class, label and id.
    List {
        #[command(flatten)]
        login: UserLogin,
    },
    /// Shows every attribute of an object that may be seen.
    Show {
        #[command(flatten)]
        choice: ObjectChoice,
    },
    /// Deletes one object: of a pair of keys, one half. A key can be restored for the time for which the token keeps it
    /// (`key restore`); all else is gone for good.
    Delete {
        #[command(flatten)]
        choice: ObjectChoice,
        /// That it is meant.
        #[arg(long)]
        yes: bool,
    },
}

/// An object of a token.
#[derive(clap::Args)]
pub(crate) struct ObjectChoice {
    /// The object: its label, or id:HEX.
    object: String,
    /// Its class, where a key has two halves or a certificate has its key's name.
    #[arg(long)]
    class: Option<Class>,
    #[command(flatten)]
    login: UserLogin,
}

/// The class of an object.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Class {
    PrivateKey,
    PublicKey,
    SecretKey,
    Certificate,
    Data,
}

impl Class {
    fn number(self) -> ObjectClass {
        match self {
            Self::PrivateKey => ObjectClass::PRIVATE_KEY,
            Self::PublicKey => ObjectClass::PUBLIC_KEY,
            Self::SecretKey => ObjectClass::SECRET_KEY,
            Self::Certificate => ObjectClass::CERTIFICATE,
            Self::Data => ObjectClass::DATA,
        }
    }
}

/// An object, as it is listed.
struct Row {
    handle: ObjectHandle,
    /// `None` if it cannot be read.
    class: Option<ObjectClass>,
    label: Label,
    id: Vec<u8>,
}

impl Row {
    fn class(&self) -> &'static str {
        self.class.map_or("damaged", key::word)
    }

    fn line(&self) -> String {
        format!("{:12}  {:40}  {}\n", self.class(), hex(&self.id), self.label)
    }
}

fn rows(engine: &Engine, session: SessionHandle) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    for handle in key::find(engine, session, vec![(A::TOKEN, Value::Flag(true))])? {
        let Ok(object) = engine.object(session, handle) else {
            rows.push(Row { handle, class: None, label: Label::of(&[]), id: Vec::new() });
            continue;
        };
        let bytes = |name| object.attribute(name).ok().and_then(Value::as_bytes).unwrap_or_default().to_vec();
        let class = object.attribute(A::CLASS).ok().and_then(Value::as_number).map(ObjectClass);
        let label = Label::of(&bytes(A::LABEL));
        rows.push(Row { handle, class, label, id: bytes(A::ID) });
    }
    Ok(rows)
}

pub(crate) fn run(engine: &Engine, verb: &ObjectVerb) -> Result<Answer, Fault> {
    match verb {
        ObjectVerb::List { login } => {
            let (_, session) = login.log_in(engine)?;
            let rows = rows(engine, session)?;
            let told = |row: &Row| json!({ "class": row.class(), "label": &*row.label, "id": hex(&row.id) });
            Ok(Answer::new(rows.iter().map(Row::line).collect::<String>(), rows.iter().map(told).collect()))
        }
        ObjectVerb::Show { choice } => {
            let (session, row) = choice.choose(engine)?;
            let object = engine.object(session, row.handle)?;
            let mut told = Map::new();
            let mut text = String::new();
            for (name, value) in object.attributes() {
                let value = as_json(value);
                let words = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                text.push_str(&format!("{name:34}  {}\n", label::line(&words)));
                told.insert(name.to_string(), value);
            }
            Ok(Answer::new(text, Json::Object(told)))
        }
        ObjectVerb::Delete { choice, yes } => {
            if !yes {
                return Err(match key::deletion_days(engine, &choice.login.token)? {
                    0 => key::not_meant("an object", 0),
                    days => key::not_meant("an object that is no key is gone for good, and a key", days),
                });
            }
            let (session, row) = choice.choose(engine)?;
            engine.destroy_object(session, row.handle)?;
            let is_key =
                matches!(row.class, Some(ObjectClass::PRIVATE_KEY | ObjectClass::SECRET_KEY | ObjectClass::PUBLIC_KEY));
            let days = if is_key { key::deletion_days(engine, &choice.login.token)? } else { 0 };
            done(format!("The {} {} is deleted.{}", row.class(), row.label, key::way_back(days)))
        }
    }
}

/// Text as text, other bytes as hexadecimal digits.
fn as_json(value: &Value) -> Json {
    let bytes = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control));
        text.map_or_else(|| hex(bytes), str::to_owned)
    };
    match value {
        Value::Flag(flag) => Json::Bool(*flag),
        Value::Number(number) => json!(number),
        Value::Numbers(numbers) => json!(numbers),
        Value::Date(date) => date.map_or(Json::Null, |date| Json::String(bytes(&date.0))),
        Value::Bytes(value) => Json::String(bytes(value.expose())),
        Value::Template(template) => {
            let entry = |(name, value): &(A, Value)| (name.to_string(), as_json(value));
            Json::Object(template.iter().map(entry).collect())
        }
    }
}

impl ObjectChoice {
    fn choose(&self, engine: &Engine) -> Result<(SessionHandle, Row), Fault> {
        let (token, session) = self.login.log_in(engine)?;
        let id = self.object.strip_prefix("id:").map(str::parse::<Hex>).transpose().map_err(Fault::Usage)?;
        let fits = |row: &Row| {
            let named = id.as_ref().map_or(*row.label == self.object, |Hex(id)| row.id == *id);
            named && self.class.is_none_or(|class| row.class == Some(class.number()))
        };
        let mut found: Vec<Row> = rows(engine, session)?.into_iter().filter(fits).collect();
        match (found.len(), found.pop()) {
            (1, Some(row)) => Ok((session, row)),
            (_, None) => Err(Fault::NotFound(format!(
                "there is no object '{}' in token {}: `strongroom object list` has all",
                self.object, token.label
            ))),
            (_, Some(last)) => {
                found.push(last);
                let several: String = found.iter().map(Row::line).collect();
                Err(Fault::Usage(format!(
                    "'{}' could be any of these; --class and id:HEX say which:\n{several}",
                    self.object
                )))
            }
        }
    }
}
