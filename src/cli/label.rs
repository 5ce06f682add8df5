//! Text from a token, as it is shown to people.

use std::{fmt, ops::Deref};

/// Text that somebody put into a token. It is shown in one line, with nothing in it that tells a terminal what to do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label(String);

impl Label {
    /// Of bytes that should be UTF-8.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }
}

impl From<String> for Label {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// As it is, for what is no person.
impl Deref for Label {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&line(&self.0))
    }
}

/// A text in one line.
pub(crate) fn line(text: &str) -> String {
    escaped(text, |_| false)
}

/// A text of several lines, and of columns between tabs.
pub(crate) fn lines(text: &str) -> String {
    escaped(text, |c| c == '\n' || c == '\t')
}

/// What a terminal would obey and not show is written out, as `\u{1b}`.
fn escaped(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if !kept(c) && (c.is_control() || turns(c)) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Characters that change the direction of what stands beside them, or end a line (Unicode, UAX #9 and UAX #14).
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out_and_all_else_stays() {
        let label = Label::of("a\u{1b}[2J\nb\u{202e}c\u{9b}".as_bytes());
        assert_eq!(label.to_string(), "a\\u{1b}[2J\\nb\\u{202e}c\\u{9b}");
        assert_eq!(format!("{:12}|", Label::of("Schlüssel 鍵".as_bytes())), "Schlüssel 鍵 |");
        assert_eq!(lines("one\ttwo\nthree\r"), "one\ttwo\nthree\\r");
    }
}
