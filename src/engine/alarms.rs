//! Alarms: what somebody has to hear of. A line of JSON each, in a file of the state directory, and in the trace.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use rustix::fs::OFlags;

/// The file in the state directory, and what it is called when it was full.
const FILE: &str = "alarms.jsonl";
const BEFORE: &str = "alarms.1.jsonl";

/// A file of this length is full.
const FULL: u64 = 4 << 20;

/// The same alarm is not raised again for so many seconds.
const QUIET: u64 = 10;

/// Where the alarms of this process go.
pub(crate) struct Alarms {
    directory: PathBuf,
    /// When each was raised last.
    raised: Mutex<BTreeMap<String, u64>>,
}

/// Something that somebody has to hear of.
pub(crate) struct Alarm<'a> {
    /// What kind it is, in one word.
    pub(crate) kind: &'static str,
    /// What it is about, as names and values; the first one tells one alarm from another of its kind.
    pub(crate) facts: &'a [(&'static str, String)],
}

/// The file name of this process's program, if that can be told.
pub(crate) fn program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// Where this process's program lies and the number of the user whose rights it has, as its system says.
pub(crate) fn caller() -> serde_json::Value {
    let path = std::env::current_exe().ok().map(|path| path.to_string_lossy().into_owned());
    serde_json::json!({ "path": path, "uid": rustix::process::geteuid().as_raw() })
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Today by UTC, as CK_DATE has it: eight digits.
pub(crate) fn today() -> [u8; 8] {
    date_of(now() / 86_400)
}

/// The date so many days after 1 January 1970. From March on, months have a simple rhythm (Howard Hinnant, "chrono-compatible
/// low-level date algorithms").
fn date_of(days: u64) -> [u8; 8] {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let text = format!("{year:04}{month:02}{day:02}");
    let mut digits = [b'0'; 8];
    digits.iter_mut().zip(text.bytes()).for_each(|(place, digit)| *place = digit);
    digits
}

impl Alarms {
    pub(crate) fn new(state: &Path) -> Self {
        Self { directory: state.to_owned(), raised: Mutex::default() }
    }

    /// Raises an alarm. What cannot be written is in the trace.
    pub(crate) fn raise(&self, alarm: &Alarm<'_>) {
        let Alarm { kind, facts } = alarm;
        let name = format!("{kind} {}", facts.first().map_or("", |(_, value)| value));
        let now = now();
        {
            let mut raised = self.raised.lock();
            raised.retain(|_, at| *at + QUIET > now);
            if raised.insert(name, now).is_some() {
                return;
            }
        }
        let process = std::process::id();
        let mut line = format!("{{\"time\":{now},\"alarm\":{},\"process\":{process}", quoted(kind));
        let program = program().map(|program| ("program", program));
        for (name, value) in program.iter().chain(*facts) {
            line.push_str(&format!(",{}:{}", quoted(name), quoted(value)));
        }
        line.push_str("}\n");
        tracing::warn!("alarm: {}", line.trim_end());
        if let Err(why) = self.write(&line) {
            tracing::error!(%why, "the alarm cannot be written");
        }
    }

    fn write(&self, line: &str) -> std::io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let path = self.directory.join(FILE);
        if fs::metadata(&path).is_ok_and(|there| there.len() >= FULL) {
            fs::rename(&path, self.directory.join(BEFORE))?;
        }
        // One write for a line, so that two processes do not mix theirs.
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600).custom_flags(flags());
        options.open(path)?.write_all(line.as_bytes())
    }
}

/// What is in the place of the file is not followed or waited for.
fn flags() -> i32 {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    i32::try_from(flags.bits()).unwrap_or(0)
}

/// The lines of all alarms, the oldest first.
pub(crate) fn read(state: &Path) -> std::io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for file in [BEFORE, FILE] {
        let opened = OpenOptions::new().read(true).custom_flags(flags()).open(state.join(file));
        match opened.and_then(regular) {
            Ok(bytes) => lines.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned)),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
            Err(why) => return Err(why),
        }
    }
    Ok(lines)
}

/// What is in a file, if it is one.
fn regular(mut file: File) -> std::io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A string of JSON (RFC 8259, 7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if u32::from(c) < 0x20 => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_one_line_and_is_not_repeated_at_once() {
        let directory = std::env::temp_dir().join(format!("strongroom-alarms-{}", std::process::id()));
        let alarms = Alarms::new(&directory);
        for (key, times) in [("a \"key\"\n", 3), ("another", 2)] {
            for _ in 0..times {
                alarms.raise(&Alarm { kind: "pending-key", facts: &[("key", key.into())] });
            }
        }
        let lines = read(&directory).unwrap();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines[0].contains(r#""key":"a \"key\"\u000a""#) && lines[0].contains(r#""alarm":"pending-key""#),
            "{lines:?}"
        );
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn days_have_their_dates() {
        // As `date -u -d @SECONDS +%Y%m%d` has them.
        for (days, date) in
            [(0, b"19700101"), (59, b"19700301"), (11_016, b"20000229"), (20_784, b"20261127"), (47_540, b"21000228")]
        {
            assert_eq!(date_of(days), *date, "{days}");
        }
    }

    #[test]
    fn a_link_in_the_place_of_the_file_is_not_followed() {
        let directory = std::env::temp_dir().join(format!("strongroom-alarms-link-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let target = directory.join("target");
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, directory.join(FILE)).unwrap();
        assert!(Alarms::new(&directory).write("x\n").is_err());
        assert_eq!(fs::read(&target).unwrap(), b"");
        fs::remove_dir_all(directory).unwrap();
    }
}
