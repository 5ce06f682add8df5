use serde_json::{Value, json};
use zeroize::{Zeroize, Zeroizing};

use crate::fault::Fault;

/// JSON whose texts are wiped when it is dropped.
pub(crate) struct Wiped(pub(crate) Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What a verb has to say: for people, and for programs. There may be a key in it: it is wiped. What the standard library has in
/// its buffer of standard output is not.
pub(crate) struct Answer {
    pub(crate) text: Zeroizing<String>,
    /// What goes to standard output instead of words, unless it is told to programs.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) data: Wiped,
    /// Nothing is said, since the result itself went to standard output.
    pub(crate) silent: bool,
    pub(crate) found: Found,
    /// The exit code of a command that was run, or of what was done in part; else it follows from what was found.
    pub(crate) code: Option<u8>,
}

/// Whether a verb that looks for faults has found one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Faults,
}

impl Answer {
    /// An answer without faults. The text gets its end of line.
    pub(crate) fn new(text: impl Into<String>, data: Value) -> Self {
        let mut text = text.into();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Self {
            text: Zeroizing::new(text),
            bytes: Zeroizing::default(),
            data: Wiped(data),
            silent: false,
            found: Found::Nothing,
            code: None,
        }
    }
}

/// That it is done, in a sentence.
pub(crate) fn done(text: impl Into<String>) -> Result<Answer, Fault> {
    let text = text.into();
    Ok(Answer::new(text.clone(), json!({ "message": text })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_an_answer_is_wiped() {
        let mut value = json!({ "jwk": { "d": "secret" }, "all": ["one", 2, null] });
        wipe(&mut value);
        assert_eq!(value, json!({ "jwk": { "d": "" }, "all": ["", 2, null] }));
    }
}
