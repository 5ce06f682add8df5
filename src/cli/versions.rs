//! The versions of a key, and the least of them that does anything.

use engine::Engine;
use serde_json::json;
use types::{AttributeType as A, Value};

use crate::{
    answer::Answer,
    fault::Fault,
    key::{self, Key, KeyChoice},
};

/// What a version below the least one is called, whatever its state.
const BARRED: &str = "barred";

pub(crate) fn run(engine: &Engine, choice: &KeyChoice, least: Option<u64>) -> Result<Answer, Fault> {
    let (_, session, key) = choice.choose(engine)?;
    let mut all = key::older(engine, session, &key)?;
    all.insert(0, key);
    if let Some(least) = least {
        let newest = all.first().map_or(1, |key| key.version);
        if least > newest {
            return Err(Fault::Usage(format!(
                "there is no version {least} yet: the newest, {newest}, is not barred; `strongroom key rotate` makes another"
            )));
        }
        let halves: Vec<_> = all.iter().flat_map(Key::handles).collect();
        engine.set_attributes_of_all(session, &halves, &vec![(A::SR_MIN_VERSION, Value::Number(least))])?;
        for key in &mut all {
            key.min_version = least;
        }
    }
    Ok(Answer::new(all.iter().map(line).collect::<String>(), all.iter().map(told).collect()))
}

/// What a version is, and what it can do if it is let.
fn line(key: &Key) -> String {
    let state = if key.is_barred() { BARRED.to_owned() } else { key.state.to_string() };
    format!("version {:<4}  {state:11}  {}\n", key.version, key.can.join(", "))
}

fn told(key: &Key) -> serde_json::Value {
    json!({
        "version": key.version,
        "state": key.state.to_string(),
        "barred": key.is_barred(),
        "can": key.can,
    })
}

impl Key {
    /// Whether it is below the least version that does anything.
    pub(crate) fn is_barred(&self) -> bool {
        self.version < self.min_version
    }
}
