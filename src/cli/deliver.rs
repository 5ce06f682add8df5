//! Ways to give lines of JSON to somebody else: a file, the system's log, a program.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::{fs::OpenOptionsExt, net::UnixDatagram},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value as Json;

use crate::{pending::moment, pin};

/// Whoever is given something has so long to take it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where the system takes messages.
pub(crate) const SYSLOG: &str = "/dev/log";

/// Adds lines to a file, which is made if it is not there.
pub(crate) fn add(path: &Path, text: &str) -> io::Result<()> {
    open(path)?.write_all(text.as_bytes())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Adds a line to a file, so that it is on the disk afterwards. Whatever is no file of the usual kind is refused: it keeps nothing.
pub(crate) fn keep(path: &Path, line: &str) -> io::Result<()> {
    let regular = |found: &fs::Metadata| {
        if found.is_file() { Ok(()) } else { Err(io::Error::other("it is not a regular file")) }
    };
    // Before it is opened: a pipe would let us wait for its reader.
    let is_new = match fs::metadata(path) {
        Ok(found) => regular(&found).map(|()| false)?,
        Err(why) if why.kind() == io::ErrorKind::NotFound => true,
        Err(why) => return Err(why),
    };
    let mut file = open(path)?;
    regular(&file.metadata()?)?;
    // What was cut off by a full disk must not take this line with it.
    let start = if is_torn(path) { "\n" } else { "" };
    file.write_all(format!("{start}{line}\n").as_bytes())?;
    file.sync_all()?;
    if !is_new {
        return Ok(());
    }
    // Its name is on the disk when the directory is.
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Whether the last line of a file has no end. Nobody knows of one that can only be written.
fn is_torn(path: &Path) -> bool {
    let last = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        io::Result::Ok(last)
    };
    last().is_ok_and(|last| last != *b"\n")
}

/// How much a message of syslog weighs, of facility 13 ("log audit").
#[derive(Clone, Copy)]
pub(crate) enum Severity {
    Warning,
    Notice,
}

impl Severity {
    /// Facility and severity in one number (RFC 5424, 6.2.1).
    fn priority(self) -> u8 {
        let severity = match self {
            Self::Warning => 4,
            Self::Notice => 5,
        };
        13 * 8 + severity
    }
}

/// A line as a message of syslog (RFC 5424), whose time the line has.
pub(crate) fn message(severity: Severity, id: &str, line: &Json) -> String {
    let at = line.get("time").and_then(Json::as_u64).unwrap_or_default();
    format!("<{}>1 {} - strongroom {} {id} - {line}", severity.priority(), moment(at), std::process::id())
}

/// Sends a message to a socket of syslog.
pub(crate) fn log(socket: &Path, message: &str) -> io::Result<()> {
    let sender = UnixDatagram::unbound()?;
    sender.set_write_timeout(Some(PATIENCE))?;
    sender.send_to(message.as_bytes(), socket).map(|_| ())
}

/// Runs a program with a text on its standard input.
pub(crate) fn feed(mut program: Command, text: String, patience: Duration) -> io::Result<()> {
    let mut child = pin::take_from(&mut program).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let input = child.stdin.take();
    // By another thread: a program that does not read must not hold us up.
    let writer = thread::spawn(move || input.map_or(Ok(()), |mut input| input.write_all(text.as_bytes())));
    let until = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            // Whoever ends well need not have read everything.
            return if status.success() { Ok(()) } else { Err(io::Error::other(format!("it ended with {status}"))) };
        }
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            drop(writer);
            return Err(io::Error::other(format!("it took longer than {} seconds", patience.as_secs())));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Posts lines of JSON to an address. curl does it: it knows the certificates and proxies of its machine.
pub(crate) fn post(address: &str, text: String) -> io::Result<()> {
    let mut curl = Command::new("curl");
    curl.args(["-q", "--globoff", "--fail", "--silent", "--show-error", "--max-time"])
        .arg(PATIENCE.as_secs().to_string());
    curl.args(["--header", "Content-Type: application/x-ndjson", "--data-binary", "@-", "--url", address]);
    // A little longer than curl itself waits, which says why.
    feed(curl, text, PATIENCE + Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_for_syslog_has_the_header_of_rfc_5424_and_arrives() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let socket = UnixDatagram::bind(&path).unwrap();
        let line = serde_json::json!({ "rule": "due", "time": 1_795_842_000 });
        for (severity, priority) in [(Severity::Warning, 108), (Severity::Notice, 109)] {
            log(&path, &message(severity, "due", &line)).unwrap();
            let mut got = [0; 1024];
            let len = socket.recv(&mut got).unwrap();
            let process = std::process::id();
            let wanted = format!("<{priority}>1 2026-11-28T05:00:00Z - strongroom {process} due - {line}");
            assert_eq!(String::from_utf8_lossy(&got[..len]), wanted);
        }
        assert!(log(&directory.path().join("none"), "a message").is_err());
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let mut program = Command::new("sleep");
        program.arg("60");
        let begun = Instant::now();
        let why = feed(program, "a line".to_owned(), Duration::from_millis(50)).err().map(|why| why.to_string());
        assert!(why.is_some_and(|why| why.starts_with("it took longer than")));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_line_is_kept_as_a_line_of_its_own_also_behind_one_that_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        keep(&path, "one").unwrap();
        add(&path, "tw").unwrap();
        keep(&path, "three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntw\nthree\n");
        assert!(keep(directory.path(), "one").is_err());
    }
}
