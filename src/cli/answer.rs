use serde_json::{Value, json};

use crate::fault::Fault;

/// What a verb has to say: for people, and for programs.
pub(crate) struct Answer {
    pub(crate) text: String,
    /// What goes to standard output instead of words, unless it is told to programs.
    pub(crate) bytes: Vec<u8>,
    pub(crate) data: Value,
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
        Self { text, bytes: Vec::new(), data, silent: false, found: Found::Nothing, code: None }
    }
}

/// That it is done, in a sentence.
pub(crate) fn done(text: impl Into<String>) -> Result<Answer, Fault> {
    let text = text.into();
    Ok(Answer::new(text.clone(), json!({ "message": text })))
}
