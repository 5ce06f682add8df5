//! Tokens of SoftHSM 2, moved here: as they were, and with their PINs.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Args;
use engine::{Engine, Settings};
use serde_json::json;
use softhsm::{SourceObject, Token, Who};
use types::{AttributeType as A, KeyType, Template, Value};

use super::{
    foreign::Module,
    pins::Pins,
    proof,
    report::{self, Report},
    target::{self, Content, Items, Place, Rehearsal, SourceItem, Target, get, kept_place, set},
};
use crate::{
    answer::Answer,
    child::{self, Signals},
    fault::Fault,
    pin::{Pin, Source},
    select,
};

#[derive(Args)]
pub(crate) struct SoftHsm {
    /// Its softhsm2.conf, or the directory of its tokens, or of one token.
    #[arg(long, value_name = "CONF|DIR")]
    from: PathBuf,
    /// Only the token with this label or serial number.
    #[arg(long, short)]
    token: Option<String>,
    /// Where the user's PIN comes from. It stays his PIN.
    #[arg(long, value_name = "SOURCE")]
    pin: Option<Source>,
    /// Where the security officer's PIN comes from. It stays his PIN, and opens what the user's opens; what is trusted stays
    /// so (CKA_TRUSTED).
    #[arg(long, value_name = "SOURCE")]
    so_pin: Option<Source>,
    /// Another PIN for the user.
    #[arg(long, value_name = "SOURCE")]
    new_pin: Option<Source>,
    /// Another PIN for the security officer.
    #[arg(long, value_name = "SOURCE")]
    new_so_pin: Option<Source>,
    /// Each token keeps SoftHSM's serial number, and with compatibility = "softhsm" the number of its slot too.
    #[arg(long)]
    keep_slot_id: bool,
    /// Asks every key the same here and in SoftHSM's module, and compares the answers: a signature, a ciphertext, a shared secret.
    /// SoftHSM opens a copy of its files for that, since it writes into them when somebody logs in.
    #[arg(long, value_name = "MODULE", num_args = 0..=1, default_missing_value = MODULE, requires = "pin")]
    prove: Option<PathBuf>,
    /// The copy, which SoftHSM is told of by SOFTHSM2_CONF: this command runs itself with it.
    #[arg(long, hide = true, requires = "prove")]
    copied: bool,
    /// Does everything but write: into tokens in memory, which are gone afterwards.
    #[arg(long)]
    dry_run: bool,
}

impl From<softhsm::Error> for Fault {
    fn from(error: softhsm::Error) -> Self {
        let words = error.to_string();
        match error {
            softhsm::Error::Unreadable(_, why) if why.kind() == io::ErrorKind::NotFound => Self::NotFound(words),
            softhsm::Error::PinIncorrect(_) | softhsm::Error::PinNotSet(_) => Self::Pin(words),
            softhsm::Error::Unsuitable(..) => Self::NotFound(words),
            softhsm::Error::Unreadable(..) | softhsm::Error::Damaged(..) => Self::Failed(words),
        }
    }
}

pub(super) fn from_softhsm(engine: &Engine, asked: &SoftHsm) -> Result<Answer, Fault> {
    let directory = softhsm::token_directory(&asked.from)?;
    if asked.prove.is_some() && !asked.copied {
        return with_a_copy(engine.settings(), &directory);
    }
    let module = asked.prove.as_ref().map(|path| Module::load(path, None)).transpose()?;
    let (tokens, damaged) = chosen(softhsm::tokens(&directory)?, asked.token.as_deref())?;
    let pins = Pins::read([&asked.pin, &asked.so_pin], [&asked.new_pin, &asked.new_so_pin])?;
    // Nothing is written before it is known that every token opens and has a place.
    let (user, officer) = pins.kept()?;
    let mut moves = Vec::new();
    for source in &tokens {
        let label = std::str::from_utf8(source.label()).map(|label| label.trim_end_matches(' ').to_owned());
        let label = label.map_err(|_| Fault::Usage(format!("the label of token {} is not UTF-8", source.serial())))?;
        if moves.iter().any(|other: &Move<'_>| other.label == label) {
            return Err(Fault::Usage(format!("two tokens have the label '{label}': --token SERIAL moves one of them")));
        }
        let open = open(source, &pins)?;
        let place = target::place(engine, &label, user, officer)?;
        let place = if asked.keep_slot_id { kept_place(engine, source.serial(), &label, place)? } else { place };
        let place = match place {
            // Tokens in memory are all new.
            Place::Empty(_) if asked.dry_run => Place::New,
            other => other,
        };
        moves.push(Move { label, source, open, place });
    }

    let rehearsal = if asked.dry_run { Some(Rehearsal::new(engine)?) } else { None };
    let here = rehearsal.as_ref().map_or(engine, |rehearsal| &rehearsal.engine);
    let mut made = Vec::new();
    let reports = match move_all(here, moves, (&pins, module.as_ref()), &mut made) {
        Ok(reports) => reports,
        Err(why) => return Err(report::taken_back(why, &made)),
    };
    Ok(report::answer(&reports, &damaged, asked.dry_run))
}

/// A token that is to be moved: its new label, itself, opened, and where it goes.
struct Move<'a> {
    label: String,
    source: &'a Token,
    open: softhsm::OpenToken<'a>,
    place: Place,
}

/// Moves tokens, and says which were made or filled by then, also if one fails.
fn move_all<'a>(
    engine: &'a Engine,
    moves: Vec<Move<'_>>,
    (pins, module): (&'a Pins, Option<&Module>),
    made: &mut Vec<Target<'a>>,
) -> Result<Vec<Report>, Fault> {
    let (user, officer) = pins.kept()?;
    let mut reports = Vec::new();
    for Move { label, source, open, place } in moves {
        let target = Target::make(engine, label, source.serial(), place, user, officer)?;
        let mut report = target.report("SoftHSM", source.serial());
        let filled = open.objects().map_err(Fault::from);
        let filled = filled.and_then(|objects| {
            target
                .fill(&mut report, Items { items: &mut objects.map(item), wrapped_with: None, witness: pins.witness() })
        });
        let filled = filled.and_then(|()| match (module, &pins.user) {
            (Some(module), Some(user)) => compare(module, source, user, &target, &mut report),
            _ => Ok(()),
        });
        made.push(target);
        filled?;
        reports.push(report);
    }
    Ok(reports)
}

/// Compares the keys of a token with those that SoftHSM's module has of it.
fn compare(module: &Module, source: &Token, user: &Pin, target: &Target<'_>, report: &mut Report) -> Result<(), Fault> {
    let token = module.tokens()?.into_iter().find(|token| token.serial == source.serial());
    let token =
        token.ok_or_else(|| Fault::Failed(format!("SoftHSM's module does not find token {}", source.serial())))?;
    proof::prove(&module.log_in(&token, user)?, target, report)
}

/// Where Debian and Fedora have SoftHSM's module.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// Runs this command once more, with SoftHSM set to a copy of its tokens.
fn with_a_copy(settings: &Settings, directory: &Path) -> Result<Answer, Fault> {
    let failed = |why: io::Error| Fault::Failed(format!("SoftHSM's tokens cannot be copied: {why}"));
    let signals = Signals::catch()?;
    let place = tempfile::tempdir().map_err(failed)?;
    let tokens = place.path().join("tokens");
    let mut backend = "file";
    fs::create_dir(&tokens).map_err(failed)?;
    for token in fs::read_dir(directory).map_err(failed)? {
        let (from, to) = token.map(|token| (token.path(), tokens.join(token.file_name()))).map_err(failed)?;
        if !from.is_dir() {
            continue;
        }
        fs::create_dir(&to).map_err(failed)?;
        for file in fs::read_dir(from).map_err(failed)? {
            let file = file.map_err(failed)?;
            if file.file_name() == "sqlite3.db" {
                backend = "db";
            }
            fs::copy(file.path(), to.join(file.file_name())).map_err(failed)?;
        }
    }
    let conf = place.path().join("softhsm2.conf");
    let text = format!("directories.tokendir = {}\nobjectstore.backend = {backend}\n", tokens.display());
    fs::write(&conf, text).map_err(failed)?;
    let again = env::current_exe().and_then(|this| {
        let mut again = Command::new(this);
        again.args(env::args_os().skip(1)).arg("--copied").env("SOFTHSM2_CONF", &conf);
        // Where SoftHSM's configuration says where tokens are here, it does not mean the copy.
        again.env("STRONGROOM_STORE", &settings.store).env("STRONGROOM_STATE", &settings.state);
        signals.run(&mut again)
    });
    let status = again.map_err(|why| Fault::Failed(format!("this command does not start again: {why}")))?;
    Ok(Answer { code: Some(child::code(status)), silent: true, ..Answer::new("", json!({})) })
}

/// The tokens that are meant, and what is the matter with those that cannot be read.
fn chosen(found: Vec<Result<Token, softhsm::Error>>, wanted: Option<&str>) -> Result<(Vec<Token>, Vec<String>), Fault> {
    let mut damaged = Vec::new();
    let mut tokens = Vec::new();
    for token in found {
        match token {
            Ok(token) => tokens.push(token),
            Err(why) => damaged.push(why.to_string()),
        }
    }
    let Some(wanted) = wanted else { return Ok((tokens, damaged)) };
    let label = |token: &Token| select::label_of(token.label());
    let there: Vec<String> = tokens.iter().map(|token| format!("{}  {}", token.serial(), label(token))).collect();
    tokens.retain(|token| label(token) == wanted.trim_end_matches(' ') || token.serial() == wanted);
    match tokens.len() {
        0 => Err(Fault::NotFound(format!(
            "SoftHSM has no token '{wanted}'. It has:\n{}",
            there.into_iter().chain(damaged).collect::<Vec<_>>().join("\n")
        ))),
        // What was not asked for is not missed.
        _ => Ok((tokens, Vec::new())),
    }
}

/// Opens a token with every PIN that was given.
fn open<'a>(source: &'a Token, pins: &Pins) -> Result<softhsm::OpenToken<'a>, Fault> {
    let given = [(Who::User, &pins.user), (Who::Officer, &pins.officer)];
    let mut opened = None;
    for (who, pin) in given {
        let Some(pin) = pin else { continue };
        if who == Who::User && !source.has_user_pin() && pins.officer.is_some() {
            // Nobody has set it. The officer's will do.
            continue;
        }
        let words = match who {
            Who::User => "the user's PIN",
            Who::Officer => "the security officer's PIN",
        };
        let label = select::label_of(source.label());
        let now = source.open(who, pin).map_err(|why| Fault::Pin(format!("token '{label}', {words}: {why}")))?;
        if opened.as_ref().is_some_and(|before| *before != now) {
            return Err(Fault::Failed(format!("token '{label}' is damaged: its two PINs open two different keys")));
        }
        opened = Some(now);
    }
    opened.ok_or_else(|| Fault::Usage("a PIN that opens the token is needed: --pin, or --so-pin".into()))
}

/// An object as it goes into the token here.
fn item(SourceObject { file, attributes }: SourceObject) -> SourceItem<'static> {
    let file = file.file_name().map(OsStr::to_string_lossy).unwrap_or_default().into_owned();
    match attributes {
        Err(why) => SourceItem { file, content: Content::Damaged(why.to_string()), note: None },
        Ok(mut template) => {
            let note = retype(&mut template)
                .then(|| "it was a CKK_EC_EDWARDS key of the curve X25519, and is a CKK_EC_MONTGOMERY key".into());
            SourceItem { file, content: Content::Whole(template), note }
        }
    }
}

/// CKA_EC_PARAMS of X25519: its object identifier, and its names as PrintableString.
const X25519: [&[u8]; 3] = [&[0x06, 0x03, 0x2b, 0x65, 0x6e], b"\x13\x0acurve25519", b"\x13\x06X25519"];

/// Gives a key of X25519 its type: SoftHSM has CKK_EC_EDWARDS for it. Says whether it was one.
fn retype(template: &mut Template) -> bool {
    let edwards = get(template, A::KEY_TYPE) == Some(&Value::Number(KeyType::EC_EDWARDS.0));
    let params = get(template, A::EC_PARAMS).and_then(Value::as_bytes);
    let wrong = edwards && params.is_some_and(|params| X25519.contains(&params));
    if wrong {
        set(template, A::KEY_TYPE, Value::Number(KeyType::EC_MONTGOMERY.0));
    }
    wrong
}
