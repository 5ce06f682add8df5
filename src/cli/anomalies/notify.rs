//! Who is told of findings, and how often.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
};

use serde_json::Value as Json;

use super::Finding;
use crate::{
    deliver::{self, PATIENCE, SYSLOG, Severity},
    fault::Fault,
    series::HOUR,
    times::{self, Times},
};

/// A way to tell somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notify {
    /// Lines of JSON are added to a file.
    File(PathBuf),
    /// Messages of RFC 5424 to this machine's syslog.
    Syslog,
    /// A program gets the lines on its standard input.
    Command(PathBuf),
    /// The lines are posted to an address, by curl.
    Webhook(String),
}

impl FromStr for Notify {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("command", program)) if !program.is_empty() => Ok(Self::Command(program.into())),
            Some(("https" | "http", rest)) if rest.len() > 2 && rest.starts_with("//") => {
                Ok(Self::Webhook(text.to_owned()))
            }
            None if text == "syslog" => Ok(Self::Syslog),
            _ => Err("must be file:PATH, syslog, command:PROGRAM or https://ADDRESS".to_owned()),
        }
    }
}

impl Notify {
    /// Tells of findings, or says in words why it could not.
    pub(crate) fn tell(&self, lines: &[&Json]) -> Result<(), String> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let (name, told) = match self {
            Self::File(path) => (path.display().to_string(), deliver::add(path, &text)),
            Self::Syslog => (SYSLOG.to_owned(), lines.iter().try_for_each(|line| log(line))),
            Self::Command(program) => {
                (program.display().to_string(), deliver::feed(Command::new(program), text, PATIENCE))
            }
            Self::Webhook(address) => (address.clone(), deliver::post(address, text)),
        };
        told.map_err(|why| format!("{name} could not be told of the findings ({}): {why}", lines.len()))
    }
}

/// A finding is a warning, and its rule the kind of message.
fn log(line: &Json) -> io::Result<()> {
    let rule = line.get("rule").and_then(Json::as_str).unwrap_or("-");
    deliver::log(Path::new(SYSLOG), &deliver::message(Severity::Warning, rule, line))
}

/// What was told, and when: a rule of a key is told once an hour.
pub(crate) struct Told {
    path: PathBuf,
    /// By token, rule and key: when it was told, and the time of the last finding that was.
    times: Times,
    new: Times,
}

/// The file, beside that of the alarms.
const FILE: &str = "alarms-told.json";

impl Told {
    pub(crate) fn open(state: &Path) -> Result<Self, Fault> {
        let path = state.join(FILE);
        let times = times::read(&path, "what was told of alarms; without it everything is told again")?;
        Ok(Self { path, times, new: Times::new() })
    }

    /// Whether a finding is to be told now; if so, it is noted.
    pub(crate) fn is_new(&mut self, serial: &str, found: &Finding, now: u64) -> bool {
        let name = format!("{serial} {} {}", found.rule.name(), found.key);
        // A clock that was ahead must not silence a rule until then.
        let before = self.times.get(&name).copied().filter(|(told, last)| *told <= now && *last <= now);
        let (told, last) = before.unwrap_or_default();
        if told.saturating_add(HOUR) > now || found.at <= last {
            return false;
        }
        // All that is new of a rule and a key is told at once.
        let newest = self.new.get(&name).map_or(found.at, |(_, at)| found.at.max(*at));
        self.new.insert(name, (now, newest));
        true
    }

    /// Keeps what was told, in one step.
    pub(crate) fn keep(mut self) -> Result<(), Fault> {
        self.times.append(&mut self.new);
        times::write(&self.path, &self.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomalies::{Rule, Sure};

    fn finding(at: u64) -> Finding {
        let (key, caller, words) = ("k".to_owned(), String::new(), String::new());
        Finding { rule: Rule::RateJump, key, at, caller, words, sure: Sure::Likely }
    }

    #[test]
    fn a_rule_of_a_key_is_told_once_an_hour_and_what_was_told_never_again() {
        let directory = tempfile::tempdir().unwrap();
        let is_new = |at, now| {
            let mut told = Told::open(directory.path()).unwrap_or_else(|_| panic!("the file is wrong"));
            let is_new = told.is_new("s", &finding(at), now);
            assert!(told.keep().is_ok());
            is_new
        };
        assert!(is_new(1000, 10_000));
        assert!(!is_new(1000, 10_000) && !is_new(2000, 10_000 + HOUR - 1));
        assert!(is_new(2000, 10_000 + HOUR));
        assert!(!is_new(2000, 10_000 + 9 * HOUR), "it was told");
    }

    #[test]
    fn a_program_that_fails_is_named_and_one_that_reads_gets_the_lines() {
        let line = serde_json::json!({ "rule": "due" });
        assert!(Notify::Command("/bin/cat".into()).tell(&[&line]).is_ok());
        for program in ["/bin/false", "/nonexistent/program"] {
            let why = Notify::Command(program.into()).tell(&[&line]).err();
            assert!(
                why.is_some_and(|why| why.starts_with(&format!("{program} could not be told of the findings (1): ")))
            );
        }
    }

    #[test]
    fn a_way_to_tell_is_one_of_four() {
        assert_eq!("file:/x".parse(), Ok(Notify::File("/x".into())));
        assert_eq!("command:curl.sh".parse(), Ok(Notify::Command("curl.sh".into())));
        assert_eq!("syslog".parse(), Ok(Notify::Syslog));
        assert_eq!("https://x/y".parse(), Ok(Notify::Webhook("https://x/y".into())));
        for text in ["", "file:", "command:", "mail:me", "syslog:x", "https:", "https://", "ftp://x"] {
            assert!(text.parse::<Notify>().is_err(), "{text}");
        }
    }
}
