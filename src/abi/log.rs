use std::{
    env,
    fmt::{self, Write as _},
    fs::File,
    io::{self, Write as _},
    os::{
        fd::AsFd,
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use engine::LogLevel;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Begins to write the trace if `STRONGROOM_LOG` has a level (`error`, `warn`, `info`, `debug`, `trace`):
/// to the end of the file that `STRONGROOM_LOG_FILE` names, else to standard error. Without that
/// variable the module writes nothing anywhere; where `softhsm2.conf` holds, its `log.level` is the level of such a file.
/// Once per process.
///
/// The subscriber is the default of the whole process as `tracing` sees it, and in the shared object that
/// is the shared object: its copy of `tracing` is its own. Only a Rust program that links this crate
/// shares it, and what such a program has set up before stays.
pub(crate) fn start(of_softhsm: Option<LogLevel>) {
    static STARTED: AtomicBool = AtomicBool::new(false);
    // Not `Once`, which a child forked meanwhile would wait for.
    if STARTED.swap(true, Ordering::Relaxed) {
        return;
    }
    let named = env::var("STRONGROOM_LOG").ok().and_then(|level| level.parse::<Level>().ok());
    // SoftHSM's level alone opens no file: it has the system's log, and standard error is the host's.
    let configured = of_softhsm.filter(|_| env::var_os("STRONGROOM_LOG_FILE").is_some()).map(|level| match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warning => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
    });
    let Some(level) = named.or(configured) else { return };
    // In a program with more rights than its user, the environment is the user's and the file is not.
    if ::memory::is_privileged() {
        return;
    }
    let Ok(file) = open() else { return };
    let _ = tracing::subscriber::set_global_default(Trace { level, file });
}

fn open() -> io::Result<File> {
    match env::var_os("STRONGROOM_LOG_FILE") {
        Some(path) => {
            // Not a fifo, which would have to wait for its reader.
            let flags = libc::O_NONBLOCK;
            let file = File::options().append(true).create(true).custom_flags(flags).open(path)?;
            let kind = file.metadata()?.file_type();
            if kind.is_file() || kind.is_char_device() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
        }
        None => io::stderr().as_fd().try_clone_to_owned().map(File::from),
    }
}

/// Writes one line for each event, in one piece.
///
/// It keeps nothing for a thread, unlike the subscribers of libraries: a host may call us while a thread, or the whole
/// process, is coming to its end and what was kept for the thread is gone. A bare file takes no lock that a fork could
/// leave locked.
struct Trace {
    level: Level,
    file: File,
}

impl Subscriber for Trace {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let time = humantime::format_rfc3339_micros(SystemTime::now());
        let mut line = Line(format!("{time} {:>5} {}:", metadata.level().as_str(), metadata.target()));
        event.record(&mut line);
        line.0.push('\n');
        // A trace that cannot be written is lost; nobody could be told.
        let _ = (&self.file).write_all(line.0.as_bytes());
    }

    // We have no spans.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// A line to which the fields of an event are added.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
