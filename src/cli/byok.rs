//! A key from outside, which comes in under a pair of keys that was made for it and is gone afterwards.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use engine::Engine;
use serde_json::json;
use types::{
    AttributeType as A, Mechanism, MechanismType as M, ObjectClass, ObjectHandle, Params, SessionHandle, Template,
    Value,
};

use crate::{
    answer::{Answer, done},
    carrier::MOST_WRAPPED,
    export::{self, Format, Subject},
    fault::{Fault, quoted},
    flow::{self, Input, Outlet},
    key::{self, Hex, Key, Traits},
    kind::Kind,
    pending::moment,
    progress,
    rotation::Period,
    select::{Chosen, UserLogin},
    sight,
    transfer::{self, Scheme},
};

/// `key import`: of a file, or in steps.
pub(crate) enum Imports {
    Step(Box<Step>),
    File(Box<transfer::Import>),
}

/// By hand, because a flattened struct that flattens others is never found to be there or not.
impl FromArgMatches for Imports {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand() {
            Some(_) => Ok(Self::Step(Box::new(Step::from_arg_matches(matches)?))),
            None => Ok(Self::File(Box::new(transfer::Import::from_arg_matches(matches)?))),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Imports {
    fn augment_args(command: Command) -> Command {
        let command = Step::augment_subcommands(transfer::Import::augment_args(command));
        command.args_conflicts_with_subcommands(true).subcommand_negates_reqs(true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// A step of an import under a pair that was made for it.
#[derive(Subcommand)]
pub(crate) enum Step {
    /// Makes a pair of keys for one import, and writes its public half: under that the owner of a key wraps it.
    Begin(Begin),
    /// Takes the wrapped key into the token, as `begin` said, and deletes the pair for good.
    Finish {
        /// The file with the wrapped key; `-` is standard input.
        file: PathBuf,
        #[command(flatten)]
        choice: ImportChoice,
    },
    /// Deletes the pair of an import that was begun: nothing comes in under it any more.
    Cancel {
        #[command(flatten)]
        choice: ImportChoice,
    },
}

#[derive(Args)]
pub(crate) struct Begin {
    /// The label that the key will have.
    #[arg(long, short)]
    label: String,
    /// Its kind, as for `key create`.
    #[arg(long, short)]
    kind: Kind,
    #[command(flatten)]
    traits: Traits,
    /// For how long it can come in: 24h, 30m; 30 days at most.
    #[arg(long, value_name = "PERIOD", default_value = "24h")]
    within: Period,
    /// Where the public half of the pair goes (PEM).
    #[arg(long, short)]
    out: PathBuf,
    #[command(flatten)]
    login: UserLogin,
}

/// An import that was begun.
#[derive(Args)]
pub(crate) struct ImportChoice {
    /// The label that the key will have, as for `begin`.
    #[arg(long, short)]
    label: String,
    #[command(flatten)]
    login: UserLogin,
}

/// The longest time for an import, in seconds.
const LONGEST: u64 = 30 * 86_400;

/// Bits of a pair for an import: as strong as AES-128 (NIST SP 800-57, part 1).
const BITS: u64 = 3072;

pub(crate) fn run(engine: &Engine, asked: &Imports) -> Result<Answer, Fault> {
    let step = match asked {
        Imports::File(file) => return transfer::import(engine, file),
        Imports::Step(step) => step,
    };
    match &**step {
        Step::Begin(asked) => begin(engine, asked),
        Step::Finish { file, choice } => finish(engine, file, choice),
        Step::Cancel { choice } => cancel(engine, choice),
    }
}

impl Imports {
    /// Whether the result goes to standard output, and nothing but the result.
    pub(crate) fn is_data(&self) -> bool {
        matches!(self, Self::Step(step) if matches!(&**step, Step::Begin(begin) if flow::is_dash(&begin.out)))
    }
}

/// What a pair is called with which a key is to come in.
fn name(label: &str, kind: &str) -> String {
    format!("{label} (import of {kind})")
}

fn begin(engine: &Engine, asked: &Begin) -> Result<Answer, Fault> {
    let Begin { label, kind, traits: Traits { id, can, extractable }, within, out, login } = asked;
    if !(1..=LONGEST).contains(&within.0) {
        return Err(Fault::Usage("a key can come in within 1s to 30d".into()));
    }
    let (_, flags) = kind.flags(can).map_err(Fault::Usage)?;
    let (token, session) = login.log_in(engine)?;
    let keys = key::all(engine, session)?;
    if keys.iter().any(|key| *key.label == **label) {
        return Err(Fault::Usage(format!("there is a key {label} in token {} already: another label", token.label)));
    }
    if let Some(begun) = keys.iter().find(|key| key.import_until.is_some() && kind_in(key, label).is_some()) {
        return Err(Fault::Usage(format!(
            "the import of {label} was begun already ({}): `strongroom key import cancel --label {label}` ends it",
            begun.standing()
        )));
    }
    let mut id = id.as_ref().map(|Hex(id)| id.clone());
    if id.is_none() && kind.secret_len().is_some() {
        id = Some(key::random_id(engine, session)?);
    }
    // The value of the key is all that is not said here.
    let mut forced = kind.class_and_type();
    forced.extend(
        kind.secret_len().and_then(|len| u64::try_from(len).ok()).map(|len| (A::VALUE_LEN, Value::Number(len))),
    );
    forced.extend([(A::LABEL, Value::bytes(label.as_str()))]);
    forced.extend(id.map(|id| (A::ID, Value::bytes(id))));
    forced.extend(flags);
    let guarded = [(A::TOKEN, true), (A::PRIVATE, true), (A::SENSITIVE, true), (A::EXTRACTABLE, *extractable)];
    forced.extend(guarded.map(|(name, flag)| (name, Value::Flag(flag))));

    let until = sight::now().saturating_add(within.0);
    let common = || -> Template {
        vec![
            (A::TOKEN, Value::Flag(true)),
            (A::LABEL, Value::bytes(name(label, kind.name))),
            (A::MODIFIABLE, Value::Flag(false)),
            (A::COPYABLE, Value::Flag(false)),
            (A::ALLOWED_MECHANISMS, Value::Numbers(vec![M::RSA_AES_KEY_WRAP.0, M::RSA_PKCS_OAEP.0])),
            (A::SR_IMPORT_UNTIL, Value::Number(until)),
        ]
    };
    let only = |able: A, others: &[A]| -> Template {
        let off = others.iter().map(|name| (*name, Value::Flag(false)));
        std::iter::once((able, Value::Flag(true))).chain(off).collect()
    };
    let public: Template = common()
        .into_iter()
        .chain([(A::MODULUS_BITS, Value::Number(BITS))])
        .chain(only(A::WRAP, &[A::ENCRYPT, A::VERIFY, A::VERIFY_RECOVER]))
        .collect();
    let private: Template = common()
        .into_iter()
        .chain(only(A::UNWRAP, &[A::DECRYPT, A::SIGN, A::SIGN_RECOVER, A::EXTRACTABLE]))
        .chain([(A::SENSITIVE, Value::Flag(true)), (A::UNWRAP_TEMPLATE, Value::Template(forced))])
        .collect();
    let bar = progress::spinner("making the pair");
    let mechanism = Mechanism { id: M::RSA_PKCS_KEY_PAIR_GEN, params: Params::None };
    let pair = engine.generate_key_pair(session, &mechanism, public, private);
    bar.finish_and_clear();
    let (public, private) = pair?;
    let written = write_public(engine, session, private, out);
    let pem = match written {
        Ok(pem) => pem,
        Err(fault) => {
            // Nobody could use it.
            engine.destroy_objects(session, &[private, public])?;
            return Err(fault);
        }
    };
    let file = if flow::is_dash(out) { Path::new("wrapping-key.pem") } else { out.as_path() };
    let text = format!(
        "A {} key {label} can come into token {} once, until {}.\n{}",
        kind.name,
        token.label,
        moment(until),
        lines(kind, label, &file.display().to_string())
    );
    Ok(Answer::new(text, json!({ "label": label, "kind": kind.name, "import_until": until, "pem": pem })))
}

fn write_public(engine: &Engine, session: SessionHandle, private: ObjectHandle, out: &Path) -> Result<String, Fault> {
    let pair = key::describe(engine, session, private)?;
    let subject = Subject { label: &pair.label, id: &pair.id, kind: &pair.kind, info: &pair.info };
    let bytes = export::public(Format::Spki, &subject)?.bytes;
    Outlet::open(Some(out))?.whole(&bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the owner of the key types.
fn lines(kind: &Kind, label: &str, pem: &str) -> String {
    let (what, first, input) = if kind.secret_len().is_some() {
        ("the bytes of the key are in key.bin", "", "key.bin")
    } else {
        (
            "the private key is in key.pem",
            "  openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der\n",
            "key.der",
        )
    };
    let rest = if first.is_empty() { "" } else { " key.der" };
    // As a shell takes them, and as people read them.
    let shown = crate::label::line(pem);
    let (wrapping, label, file) = (quoted(&format!("wrapping for {label}")), quoted(label), quoted(pem));
    format!(
        "Its owner, who has {shown}, wraps it with OpenSSL 3 where {what}:\n  \
         umask 077\n{first}  \
         openssl rand -out kek.bin 32\n  \
         openssl enc -id-aes256-wrap-pad -K \"$(od -An -v -tx1 kek.bin | tr -d ' \\n')\" -iv A65959A6 -in {input} -out key.kwp\n  \
         openssl pkeyutl -encrypt -pubin -inkey {file} -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 \
         -pkeyopt rsa_mgf1_md:sha256 -in kek.bin -out kek.oaep\n  \
         cat kek.oaep key.kwp >wrapped.bin\n  \
         rm kek.bin kek.oaep key.kwp{rest}\n\
         or from a token of strongroom, if the key, KEY here, may leave that:\n  \
         strongroom key import {file} --label={wrapping} --can wrap &&\n  \
         strongroom key wrap KEY --by={wrapping} --out wrapped.bin &&\n  \
         strongroom key delete {wrapping} --yes\n\
         Then here:\n  strongroom key import finish wrapped.bin --label={label}"
    )
}

/// The kind of key that a pair is for, if it is for one of that label.
fn kind_in<'a>(pair: &'a Key, label: &str) -> Option<&'a str> {
    pair.label.strip_prefix(label)?.strip_prefix(" (import of ")?.strip_suffix(')')
}

/// The pair of an import that was begun.
fn begun(engine: &Engine, choice: &ImportChoice) -> Result<(Chosen, SessionHandle, Key), Fault> {
    let label = &choice.label;
    let (token, session) = choice.login.log_in(engine)?;
    let of_it = |key: &Key| key.import_until.is_some() && kind_in(key, label).is_some();
    let found = key::all(engine, session)?.into_iter().find(of_it);
    let missing = || {
        Fault::NotFound(format!(
            "no import of {label} was begun in token {}, or it is done: `strongroom key import begin --label {label}` begins one",
            token.label
        ))
    };
    let pair = found.ok_or_else(missing)?;
    Ok((token, session, pair))
}

fn cancel(engine: &Engine, choice: &ImportChoice) -> Result<Answer, Fault> {
    let (token, session, pair) = begun(engine, choice)?;
    engine.destroy_objects(session, &pair.handles())?;
    done(format!("The import of {} into token {} is over: its pair of keys is gone.", choice.label, token.label))
}

fn finish(engine: &Engine, file: &Path, choice: &ImportChoice) -> Result<Answer, Fault> {
    let label = &choice.label;
    let wrapped = Input::open(Some(file), "")?.whole(MOST_WRAPPED)?;
    let (token, session, pair) = begun(engine, choice)?;
    if let Some(until) = pair.import_until.filter(|until| *until <= sight::now()) {
        engine.destroy_objects(session, &pair.handles())?;
        return Err(Fault::Failed(format!(
            "the import of {label} was over at {}, and its pair of keys is deleted now: `strongroom key import begin` makes another, under \
             which the key is to be wrapped again",
            moment(until)
        )));
    }
    let unwrapping = pair.must_have(ObjectClass::PRIVATE_KEY)?;
    let made = engine.unwrap_key(session, &Scheme::RsaAes.mechanism(), unwrapping, &wrapped, Vec::new());
    let made = made.map_err(|error| {
        let until = pair.import_until.map(moment).unwrap_or_default();
        Fault::Explained(
            format!(
                "{} has no key of kind {} that is wrapped under the pair for {label}: damaged, wrapped under another one, or of another \
                 kind. Nothing has come in; another file can be tried until {until}",
                file.display(),
                kind_in(&pair, label).unwrap_or("that was said")
            ),
            error,
        )
    })?;
    // The private half went with that.
    if let Some(public) = pair.half(ObjectClass::PUBLIC_KEY) {
        engine.destroy_object(session, public)?;
    }
    match completed(engine, session, &pair, made, label) {
        Ok((key, words)) => {
            let text = format!(
                "Key {label} of kind {} is in token {}, and the pair under which it came is gone.{words}",
                key.kind, token.label
            );
            Ok(Answer::new(text, key.told(engine, &token)?))
        }
        Err(fault) => {
            engine.destroy_object(session, made)?;
            Err(fault)
        }
    }
}

/// Uses of a private key, and of the public half that goes with it.
const COUNTERPARTS: [(A, A); 3] = [(A::SIGN, A::VERIFY), (A::DECRYPT, A::ENCRYPT), (A::UNWRAP, A::WRAP)];

/// A key that came in, with its id and its public half.
fn completed(
    engine: &Engine,
    session: SessionHandle,
    pair: &Key,
    made: ObjectHandle,
    label: &str,
) -> Result<(Key, &'static str), Fault> {
    let key = key::describe(engine, session, made)?;
    if let Some(kind) = kind_in(pair, label).filter(|kind| *kind != key.kind) {
        return Err(Fault::Usage(format!(
            "what was wrapped is of kind {}, and {kind} was said: it is deleted, and so is the pair of keys. `strongroom key import begin` \
             makes another",
            key.kind
        )));
    }
    if key.half(ObjectClass::PRIVATE_KEY).is_none() {
        return Ok((key, ""));
    }
    if key.info.is_empty() {
        return Ok((key, " Its public half cannot be derived from it: import that too."));
    }
    if key.id.is_empty() {
        let id = transfer::id_of(engine, session, &key.info)?;
        engine.set_attributes(session, made, vec![(A::ID, Value::bytes(id))])?;
    }
    let key = key::describe(engine, session, made)?;
    let (_, parts) = transfer::public_parts(&key.info)?;
    let object = engine.object(session, made)?;
    let able = |name| object.attribute(name).ok().and_then(Value::as_flag).unwrap_or(false);
    let uses = COUNTERPARTS.map(|(private, public)| (public, Value::Flag(able(private))));
    let template: Template = parts.into_iter().chain(transfer::common(label, &key.id)).chain(uses).collect();
    engine.create_object(session, template)?;
    Ok((key, " Its public half was derived from it, and is there too."))
}

impl Key {
    /// What state it is in; of a pair for an import, until when that is.
    pub(crate) fn standing(&self) -> String {
        match self.import_until {
            Some(until) if until <= sight::now() => format!("import was until {}", moment(until)),
            Some(until) => format!("import until {}", moment(until)),
            None => self.state.to_string(),
        }
    }
}
