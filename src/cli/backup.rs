//! Backups of whole tokens: taken while programs use them, sealed under a key that is shared out, put back anywhere.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use clap::{Args, Subcommand};
use engine::{
    Engine, Error, Over, Restored, Settings, Standing, User,
    backup::{self, Header, Key, Moment, PART, Parts, Place, TAG},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use types::SlotId;
use zeroize::Zeroizing;

use crate::{
    answer::{Answer, Found},
    fault::{Fault, quoted},
    flow::{self, Input, Outlet},
    key::hex,
    pending::moment,
    pin::Source,
    select::{self, TokenChoice},
    share,
    times::{self, Times},
    token::{OFFICERS, USERS},
};

/// More than a store secret has; it stands in the first part.
const MOST_SECRET: usize = 4096;
/// More than a file with a share has.
const MOST_SHARE: usize = 4096;

#[derive(Subcommand)]
pub(crate) enum BackupVerb {
    /// Makes a backup of a token while programs use it, and shares of the key that opens it. In it the token is sealed by its
    /// PINs as it is here.
    Create(Create),
    /// Opens a backup, and says whether the token in it is whole; with its user's PIN, whether every object is. Nothing here
    /// is touched.
    Verify {
        #[command(flatten)]
        opening: Opening,
        /// Where the user's PIN of the token in the backup comes from.
        #[arg(long)]
        pin: Option<Source>,
    },
    /// Shows what a backup tells to everybody.
    Show {
        /// The backup.
        file: PathBuf,
    },
    /// Puts the token of a backup where the token is, or into the free slot. What is newer than the backup stays, unless
    /// --accept-rollback gives it up.
    Restore(Restore),
}

#[derive(Args)]
pub(crate) struct Create {
    #[command(flatten)]
    token: TokenChoice,
    /// Where the backup goes.
    #[arg(long, short)]
    out: PathBuf,
    /// How many shares there are of the key.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    shares: u8,
    /// How many of them open the backup.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    threshold: u8,
    #[command(flatten)]
    handing: Handing,
    /// Puts the store secret into the backup too, without which no PIN of the token opens it (setting store_secret).
    #[arg(long)]
    with_store_secret: bool,
}

/// How the shares are handed out.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Handing {
    /// The directory for the shares, a file each, which its owner alone may read.
    #[arg(long)]
    share_dir: Option<PathBuf>,
    /// Prints the shares instead.
    #[arg(long)]
    print: bool,
}

/// A backup, and what opens it.
#[derive(Args)]
pub(crate) struct Opening {
    /// The backup.
    file: PathBuf,
    /// A file with a share, as often as shares are needed.
    #[arg(long, required = true)]
    share: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    opening: Opening,
    /// Puts an older state in the place of a newer one, or of what cannot be read: what was made since is lost. Stop the
    /// programs that use the token first: they go on refusing it.
    #[arg(long)]
    accept_rollback: bool,
    /// Where the security officer's PIN of the token in the backup comes from; needed for --accept-rollback only.
    #[arg(long, default_value = "prompt")]
    so_pin: Source,
    /// Where the store secret goes that is in the backup. The file must not be there yet.
    #[arg(long)]
    store_secret_out: Option<PathBuf>,
}

pub(crate) fn run(engine: &Engine, verb: &BackupVerb) -> Result<Answer, Fault> {
    match verb {
        BackupVerb::Create(asked) => create(engine, asked),
        BackupVerb::Verify { opening, pin } => verify(engine.settings(), opening, pin.as_ref()),
        BackupVerb::Show { file } => {
            let (header, _) = start(file)?;
            Ok(Answer::new(headline(&header), told(&header)))
        }
        BackupVerb::Restore(asked) => restore(engine, asked),
    }
}

fn create(engine: &Engine, asked: &Create) -> Result<Answer, Fault> {
    let Create { token, out, shares, threshold, handing, with_store_secret } = asked;
    if threshold > shares {
        return Err(Fault::Usage(format!("of {shares} shares no {threshold} can open it: --threshold is to be less")));
    }
    if flow::is_dash(out) {
        return Err(Fault::Usage("a backup goes to a file: --out names it".into()));
    }
    let secret = if *with_store_secret { store_secret(engine.settings())? } else { Zeroizing::default() };
    let token = token.choose(engine)?;
    let beside = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let room = room_in(beside)?;
    let snapshot = room.path().join("snapshot");
    let state = engine.snapshot(token.slot, &snapshot)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let header = Header {
        id: backup::id()?,
        moment: state,
        made_at: now,
        threshold: *threshold,
        shares: *shares,
        store_secret: *with_store_secret,
    };
    let key = Key::random()?;
    let lines = share::deal(&key, &header)?;

    if out.exists() {
        return Err(Fault::Usage(format!("{} is there already: a backup is not written over", out.display())));
    }
    let mut outlet = Outlet::open_private(Some(out))?;
    outlet.put(&header.encode())?;
    seal(&mut outlet, Parts::new(&key, &header), &secret, &snapshot)?;
    // The shares first: a backup that nobody can open is none.
    let handed = handing.share_dir.as_deref().map(|directory| hand_out(directory, out, &lines)).transpose()?;
    outlet.finish().inspect_err(|_| handed.iter().flatten().for_each(discard))?;

    let mut text = format!("Backup {} of token {} is in {}.\n", hex(&header.id), token.label, out.display());
    text.push_str(&format!("{threshold} of these {shares} shares open it:\n"));
    let files: Vec<String> = handed.iter().flatten().map(|path| path.display().to_string()).collect();
    let shown = if handing.print { lines.iter().map(|line| line.as_str()).collect() } else { Vec::new() };
    for line in files.iter().map(String::as_str).chain(shown.iter().copied()) {
        text.push_str(line);
        text.push('\n');
    }
    if engine.token_summary(token.slot)?.needs_store_secret && !with_store_secret {
        text.push_str(
            "Its PINs need the store secret of this machine too, which is not in it (--with-store-secret).\n",
        );
    }
    if let Err(why) = noted(engine, &header) {
        text.push_str(&format!(
            "When it was made is not remembered, so `strongroom alarms look` does not see it age: {}\n",
            why.text(None)
        ));
    }
    let mut data = told(&header);
    if let Value::Object(fields) = &mut data {
        fields.insert("file".into(), json!(out.display().to_string()));
        fields.insert("share_files".into(), json!(files));
        fields.insert("share_lines".into(), json!(shown));
    }
    Ok(Answer::new(text, data))
}

/// What this machine remembers of backups: by serial number, when the last one was made, and the token's revision then.
const MADE: &str = "backups.json";

fn made(engine: &Engine) -> Result<(PathBuf, Times), Fault> {
    let path = engine.settings().state.join(MADE);
    let times = times::read(&path, "what was remembered of backups; without it none was made")?;
    Ok((path, times))
}

/// Remembers that a backup was made.
fn noted(engine: &Engine, header: &Header) -> Result<(), Fault> {
    let (path, mut times) = made(engine)?;
    times.insert(header.moment.serial.clone(), (header.made_at, header.moment.revision));
    times::write(&path, &times)
}

/// When a backup of a token was made last, in seconds since 1970, as this machine remembers.
pub(crate) fn last(engine: &Engine, serial: &str) -> Result<Option<u64>, Fault> {
    Ok(made(engine)?.1.get(serial).map(|(at, _)| *at))
}

/// A directory of our own, gone when it is dropped.
fn room_in(directory: &Path) -> Result<TempDir, Fault> {
    let made = tempfile::Builder::new().prefix(".strongroom-").tempdir_in(directory);
    made.map_err(|why| Fault::Failed(format!("{} cannot be written: {why}", directory.display())))
}

fn store_secret(settings: &Settings) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let none =
        || Fault::Usage("there is no store secret here (setting store_secret): leave --with-store-secret out".into());
    let path = settings.store_secret.as_deref().ok_or_else(none)?;
    let secret = fs::read(path).map(Zeroizing::new);
    let secret = secret.map_err(|why| Fault::Failed(format!("{} cannot be read: {why}", path.display())))?;
    if secret.len() > MOST_SECRET {
        return Err(Fault::Failed(format!("{} has more than {MOST_SECRET} bytes", path.display())));
    }
    Ok(secret)
}

/// Seals the store secret, after its length, and the snapshot.
fn seal(outlet: &mut Outlet, mut parts: Parts, secret: &[u8], snapshot: &Path) -> Result<(), Fault> {
    let mut input = Input::open(Some(snapshot), "sealing")?;
    let len = u32::try_from(secret.len()).unwrap_or(u32::MAX);
    let mut this = Zeroizing::new([&len.to_be_bytes()[..], secret].concat());
    let read = |input: &mut Input, begun: &mut Zeroizing<Vec<u8>>| -> Result<(), Fault> {
        let start = begun.len();
        begun.resize(PART, 0);
        let filled = input.fill(begun.get_mut(start..).unwrap_or_default())?;
        begun.truncate(start + filled);
        Ok(())
    };
    read(&mut input, &mut this)?;
    loop {
        let mut next = Zeroizing::new(Vec::with_capacity(PART + TAG));
        read(&mut input, &mut next)?;
        let last = next.is_empty();
        parts.seal(&mut this, if last { Place::Last } else { Place::Within })?;
        outlet.put(&this)?;
        if last {
            return Ok(());
        }
        this = next;
    }
}

/// Writes a file for each share, all of them or none.
fn hand_out(directory: &Path, out: &Path, lines: &[Zeroizing<String>]) -> Result<Vec<PathBuf>, Fault> {
    let cannot = |path: &Path, why: io::Error| Fault::Failed(format!("{} cannot be written: {why}", path.display()));
    fs::create_dir_all(directory).map_err(|why| cannot(directory, why))?;
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let mut written = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let path = directory.join(format!("{name}.share-{number}"));
        if let Err(why) = write_new(&path, &Zeroizing::new([line.as_bytes(), b"\n"].concat())) {
            written.iter().for_each(discard);
            return Err(cannot(&path, why));
        }
        written.push(path);
    }
    Ok(written)
}

/// Writes a file that was not there, for its owner only.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.inspect_err(|_| discard(&path.to_owned()))
}

/// What cannot be removed stays: it opens nothing.
fn discard(path: &PathBuf) {
    let _ = fs::remove_file(path);
}

/// The header of a backup, and the file behind it.
fn start(path: &Path) -> Result<(Header, File), Fault> {
    let cannot = |why: io::Error| Fault::Usage(format!("{} cannot be read: {why}", path.display()));
    let mut file = File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(Header::LEN as u64).read_to_end(&mut bytes).map_err(cannot)?;
    let header = Header::decode(&bytes).map_err(|why| Fault::Failed(format!("{}: {why}", path.display())))?;
    Ok((header, file))
}

/// A backup that was opened: its token is a file in a directory of our own, sealed by its PINs.
struct Opened {
    header: Header,
    room: TempDir,
    secret: Option<Zeroizing<Vec<u8>>>,
}

impl Opening {
    fn open(&self) -> Result<Opened, Fault> {
        let (header, mut file) = start(&self.file)?;
        let named = |path: &PathBuf| {
            let name = path.display().to_string();
            let text = Zeroizing::new(Input::open(Some(path), "reading")?.whole(MOST_SHARE)?);
            let share = share::read(&Zeroizing::new(String::from_utf8_lossy(&text).into_owned()));
            share.map_err(|why| Fault::Failed(format!("{name}: {why}"))).map(|share| (name, share))
        };
        let shares = self.share.iter().map(named).collect::<Result<Vec<_>, Fault>>()?;
        let failed = |why: &str| Fault::Failed(format!("{}: {why}", self.file.display()));
        let key = share::combine(&header, &shares).map_err(|why| failed(&why))?;
        let room = room_in(&std::env::temp_dir())?;
        let mut opened = Opened { header, room, secret: None };
        let changed = "it was changed, cut off or put together anew, or its shares were";
        let mut parts = Parts::new(&key, &opened.header);
        let mut to = File::create_new(opened.snapshot()).map_err(|why| failed(&why.to_string()))?;
        let (mut this, mut number) = (read_part(&mut file).map_err(|why| failed(&why.to_string()))?, 0_u64);
        loop {
            let next = read_part(&mut file).map_err(|why| failed(&why.to_string()))?;
            let place = if next.is_empty() { Place::Last } else { Place::Within };
            if !parts.open(&mut this, place) {
                return Err(failed(changed));
            }
            let mut plain = this.as_slice();
            if number == 0 {
                let (len, rest) = plain.split_first_chunk().ok_or_else(|| failed(changed))?;
                let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
                let (secret, rest) = rest.split_at_checked(len).ok_or_else(|| failed(changed))?;
                opened.secret = opened.header.store_secret.then(|| Zeroizing::new(secret.to_vec()));
                plain = rest;
            }
            to.write_all(plain).map_err(|why| Fault::Failed(format!("there is no room to open it: {why}")))?;
            if place == Place::Last {
                return Ok(opened);
            }
            (this, number) = (next, number + 1);
        }
    }
}

fn read_part(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut part = Zeroizing::new(Vec::with_capacity(PART + TAG));
    file.take((PART + TAG) as u64).read_to_end(&mut part)?;
    Ok(part)
}

impl Opened {
    fn snapshot(&self) -> PathBuf {
        self.room.path().join("snapshot")
    }

    /// Puts the token into a store of its own, where it can be tried.
    fn trial(&self, settings: &Settings) -> Result<(Engine, SlotId), Fault> {
        let room = self.room.path();
        let mut settings = Settings { store: room.join("tokens"), state: room.join("state"), ..settings.clone() };
        if let Some(secret) = &self.secret {
            let path = room.join("secret");
            write_new(&path, secret).map_err(|why| Fault::Failed(format!("there is no room to try it: {why}")))?;
            settings.store_secret = Some(path);
        }
        let trial = Engine::new(settings);
        match trial.restore(&self.header.moment.serial, &self.snapshot(), Over::Older)? {
            Restored::In(slot) => Ok((trial, slot)),
            Restored::Refused(_) => Err(Fault::Failed("an empty store has a token".into())),
        }
    }
}

fn verify(settings: &Settings, opening: &Opening, pin: Option<&Source>) -> Result<Answer, Fault> {
    let opened = opening.open()?;
    let pin = pin.map(|pin| pin.read(USERS)).transpose()?;
    let (trial, slot) = opened.trial(settings)?;
    let label = select::label_of(&trial.token_info(slot)?.label);
    let mut text = headline(&opened.header) + &format!("The token in it, {label}, is whole.\n");
    let (mut whole, mut faults) = (None, Vec::new());
    if let Some(pin) = pin {
        let session = trial.open_session(slot, engine::Access::ReadWrite)?;
        trial.login(session, User::User, &pin)?;
        let report = trial.check_token(session)?;
        report.faults.iter().for_each(|fault| text.push_str(&format!("{fault}\n")));
        text.push_str(&format!("{} objects are whole\n", report.whole));
        (whole, faults) = (Some(report.whole), report.faults);
    }
    let found = if faults.is_empty() { Found::Nothing } else { Found::Faults };
    let mut data = told(&opened.header);
    if let Value::Object(fields) = &mut data {
        fields.insert("label".into(), json!(label));
        fields.insert("whole".into(), json!(whole));
        fields.insert("faults".into(), json!(faults));
    }
    Ok(Answer { found, ..Answer::new(text, data) })
}

fn restore(engine: &Engine, asked: &Restore) -> Result<Answer, Fault> {
    let Restore { opening, accept_rollback, so_pin, store_secret_out } = asked;
    let opened = opening.open()?;
    if store_secret_out.is_some() && opened.secret.is_none() {
        return Err(Fault::Usage("there is no store secret in the backup: leave --store-secret-out out".into()));
    }
    // Asked for before the store secret lies anywhere: who is asked may go away.
    let officer = accept_rollback.then(|| so_pin.read(OFFICERS)).transpose()?;
    let (trial, slot) = opened.trial(engine.settings())?;
    // The PIN is tried before anything is changed.
    if let Some(officer) = &officer {
        trial.accept_rollback(slot, officer)?;
    }
    drop(trial);
    if let (Some(path), Some(secret)) = (store_secret_out, &opened.secret) {
        write_new(path, secret).map_err(|why| Fault::Failed(format!("{} cannot be written: {why}", path.display())))?;
    }
    let over = if *accept_rollback { Over::Any } else { Over::Older };
    let serial = &opened.header.moment.serial;
    let restored = engine.restore(serial, &opened.snapshot(), over).map_err(Fault::from).and_then(|done| match done {
        Restored::In(slot) => Ok(slot),
        Restored::Refused(why) => Err(refusal(&why, &opened.header.moment)),
    });
    let slot = restored.inspect_err(|_| store_secret_out.iter().for_each(discard))?;
    if let Some(officer) = &officer {
        // Another engine: this one may remember what was there.
        let settings = match (store_secret_out, &opened.secret) {
            (Some(path), Some(_)) => Settings { store_secret: Some(path.clone()), ..engine.settings().clone() },
            _ => engine.settings().clone(),
        };
        Engine::new(settings).accept_rollback(slot, officer)?;
    }
    let data = select::describe(&Engine::new(engine.settings().clone()), slot)?;
    let label = data.get("label").and_then(Value::as_str).unwrap_or_default();
    let mut text = format!("Token {label} is in slot {}, as it was {}.\n", slot.0, moment(opened.header.made_at));
    if let Some(path) = store_secret_out.as_deref().filter(|_| engine.settings().store_secret.is_none()) {
        text.push_str(&format!("Its PINs need the store secret: set store_secret to {}.\n", path.display()));
    }
    Ok(Answer::new(text, data))
}

/// Why a backup does not take the place of what is there.
fn refusal(why: &Standing, then: &Moment) -> Fault {
    let give_up = "--accept-rollback, with the security officer's PIN, gives up what was made since";
    let words = match why {
        Standing::Newer(now) => format!(
            "the token that is here is newer than the backup: it has changed {} since. {give_up}",
            times(now, then)
        ),
        Standing::SeenNewer(seen) => format!(
            "this machine has seen the token in a newer state than that of the backup: it has changed {} since. {give_up}",
            times(seen, then)
        ),
        Standing::Diverged => {
            "this machine has accepted an older state of the token, and what was done to it since is not in the backup"
                .to_owned()
        }
        Standing::Other => {
            format!("the token that is here and that of the backup come from one and have changed apart. {give_up}")
        }
        Standing::Damaged(what) => format!(
            "the token that is here cannot be read, so that nobody knows whether it is newer than the backup ({what}). \
             --accept-rollback, with the security officer's PIN, puts the backup in its place"
        ),
        Standing::Several => {
            return Fault::Usage(format!(
                "two files of the store are the token with the serial number {}: remove one",
                quoted(&then.serial)
            ));
        }
    };
    Fault::Explained(words, Error::RolledBack)
}

fn times(now: &Moment, then: &Moment) -> String {
    match (now.epoch == then.epoch, now.revision.saturating_sub(then.revision)) {
        (true, 1) => "once".to_owned(),
        (true, times) => format!("{times} times"),
        (false, _) => "from the ground up (it was initialised)".to_owned(),
    }
}

/// What a backup tells everybody, for people.
fn headline(header: &Header) -> String {
    let Header { id, moment: Moment { serial, revision, .. }, made_at, threshold, shares, store_secret } = header;
    let secret = if *store_secret { ", with the store secret" } else { "" };
    format!(
        "backup {} of the token with the serial number {serial}, made {} at its revision {revision}{secret}\n{threshold} of \
         {shares} shares open it\n",
        hex(id),
        moment(*made_at)
    )
}

/// The same for programs.
fn told(header: &Header) -> Value {
    let Header { id, moment: Moment { serial, epoch, revision }, made_at, threshold, shares, store_secret } = header;
    json!({
        "backup": hex(id),
        "serial": serial,
        "epoch": epoch,
        "revision": revision,
        "made_at": made_at,
        "threshold": threshold,
        "shares": shares,
        "store_secret": store_secret,
    })
}
