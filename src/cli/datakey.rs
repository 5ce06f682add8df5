//! Data keys: made here, used elsewhere, and kept beside what they encrypt, as blobs that a key of the token opens.

use std::path::PathBuf;

use clap::Subcommand;
use engine::{
    Engine,
    blob::{Blob, Content},
};
use serde_json::{Map, Value as Json, json};
use types::{AttributeType as A, Template, Value};
use zeroize::Zeroizing;

use crate::{
    answer::Answer,
    carrier::Carrier,
    cert,
    context::Pair,
    envelope::{Given, Recipient, opened},
    fault::Fault,
    flow::Input,
    key::{self, KeyChoice},
    kind::{Kind, Recipe},
    progress,
};

/// The longest data key.
const MOST_DATA_KEY: u32 = 1024;
/// More than any blob has.
const MOST_BLOB: usize = 70_000;
/// More than is said around a data key and its blob: words, and a public key.
const MOST_WORDS: usize = 4096;

#[derive(Subcommand)]
pub(crate) enum DataKeyVerb {
    /// Makes a data key, and prints it (base64) and the blob (base64) of which `decrypt` makes it again.
    Generate {
        #[command(flatten)]
        choice: KeyChoice,
        /// Makes a pair instead: rsa-2048, p256, ed25519 …; the key is its private half (PKCS#8), and the public half is printed too
        /// (PEM).
        #[arg(long, value_name = "KIND", conflicts_with = "bytes")]
        pair: Option<Kind>,
        /// How many bytes it has.
        #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_DATA_KEY)))]
        bytes: u32,
        /// Prints the blob only, for whoever will use the key later.
        #[arg(long)]
        no_plaintext: bool,
        #[command(flatten)]
        context: Given,
    },
    /// Prints the data key (base64) of a blob.
    Decrypt {
        #[command(flatten)]
        choice: KeyChoice,
        /// The file with the blob, base64 or raw; standard input if none is given.
        file: Option<PathBuf>,
        #[command(flatten)]
        context: Given,
    },
    /// Prints a blob (base64) for another key of the token, which holds the same data key. The data key is shown to nobody.
    Reencrypt {
        #[command(flatten)]
        choice: KeyChoice,
        /// The key for which it is encrypted now: its label, or id:HEX.
        to: String,
        /// The file with the blob, base64 or raw; standard input if none is given.
        file: Option<PathBuf>,
        #[command(flatten)]
        context: Given,
        /// The context of the new blob; the same if none is given.
        #[arg(long)]
        new_context: Vec<Pair>,
    },
}

/// A data key's blob, from a file or from what comes in.
fn blob_of(file: &Option<PathBuf>) -> Result<Blob, Fault> {
    let mut input = Input::open(file.as_deref(), "")?;
    let bytes = input.whole(MOST_BLOB * 2)?;
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = data_encoding::BASE64.decode(&text).unwrap_or(bytes);
    let named = |why: String| Fault::Failed(format!("{} is no blob of a data key: {why}", input.name()));
    let (blob, rest) = Blob::split(&bytes).map_err(named)?;
    match (blob.content, rest.is_empty()) {
        (Content::DataKey, true) => Ok(blob),
        (Content::DataKey, false) => Err(named("something follows it".into())),
        (Content::File, _) => Err(Fault::Usage(format!("{} is a file: `strongroom decrypt` opens it", input.name()))),
    }
}

/// A data key that was just made.
struct Made {
    value: Zeroizing<Vec<u8>>,
    /// The public half of a pair (PEM), whose private half the value is (PKCS#8).
    public: Option<String>,
}

impl Made {
    fn bytes(by: &Recipient<'_>, len: u32) -> Result<Self, Fault> {
        let mut value = Zeroizing::new(vec![0; usize::try_from(len).unwrap_or(0)]);
        by.engine.random(by.session, &mut value)?;
        Ok(Self { value, public: None })
    }

    /// A pair that is nowhere when this returns but in what it gives.
    fn pair(by: &Recipient<'_>, kind: &Kind) -> Result<Self, Fault> {
        if matches!(kind.recipe, Recipe::Secret(..)) {
            return Err(Fault::Usage(format!(
                "{} is no kind of pair: --bytes says how long a secret key is",
                kind.name
            )));
        }
        let (engine, session) = (by.engine, by.session);
        let public: Template = kind.parameters().into_iter().chain([(A::PRIVATE, Value::Flag(false))]).collect();
        let private = vec![(A::EXTRACTABLE, Value::Flag(true)), (A::SENSITIVE, Value::Flag(true))];
        let bar = progress::spinner("making the pair");
        let made = engine.generate_key_pair(session, &kind.mechanism(), public, private);
        bar.finish_and_clear();
        let (public, private) = made?;
        let info = key::describe(engine, session, private)?.info;
        let value = Carrier::new(engine, session)?.bring_out(private);
        [public, private].into_iter().try_for_each(|half| engine.destroy_object(session, half))?;
        Ok(Self { value: value?, public: Some(cert::pem("PUBLIC KEY", &info)?) })
    }

    /// As it is printed, with its blob.
    fn told(&self, blob: &str, no_plaintext: bool) -> Answer {
        let value = Zeroizing::new(data_encoding::BASE64.encode(&self.value));
        let mut data = Map::new();
        data.insert("blob".to_owned(), json!(blob));
        // All of it at once: what grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(value.len() + blob.len() + MOST_WORDS));
        if no_plaintext && self.public.is_none() {
            text.push_str(blob);
        } else {
            if !no_plaintext {
                data.insert("key".to_owned(), json!(*value));
                ["key   ", value.as_str(), "\n"].iter().for_each(|part| text.push_str(part));
            }
            ["blob  ", blob].iter().for_each(|part| text.push_str(part));
        }
        if let Some(public) = &self.public {
            data.insert("pem".to_owned(), json!(public));
            ["\n", public].iter().for_each(|part| text.push_str(part));
        }
        Answer::new(text.as_str(), Json::Object(data))
    }
}

pub(crate) fn run(engine: &Engine, verb: &DataKeyVerb) -> Result<Answer, Fault> {
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    match verb {
        DataKeyVerb::Generate { choice, pair, bytes, no_plaintext, context } => {
            let context = context.canonical()?;
            let (_, session, key) = choice.choose(engine)?;
            let recipient = Recipient { engine, session, key: &key };
            let made = match pair {
                Some(kind) => Made::pair(&recipient, kind)?,
                None => Made::bytes(&recipient, *bytes)?,
            };
            let blob = base64(&recipient.seal(Content::DataKey, &made.value, &context)?);
            Ok(made.told(&blob, *no_plaintext))
        }
        DataKeyVerb::Decrypt { choice, file, context } => {
            let (context, blob) = (context.canonical()?, blob_of(file)?);
            let (_, session, key) = choice.choose(engine)?;
            let value = Zeroizing::new(base64(&opened(engine, session, &key, &blob, &context)?));
            Ok(Answer::new(value.as_str(), json!({ "key": *value })))
        }
        DataKeyVerb::Reencrypt { choice, to, file, context, new_context } => {
            let (context, blob) = (context.canonical()?, blob_of(file)?);
            let new = if new_context.is_empty() {
                context.clone()
            } else {
                Given { context: new_context.clone() }.canonical()?
            };
            let (token, session, key) = choice.choose(engine)?;
            let to = key::choose_in(engine, session, &token, to)?;
            let value = opened(engine, session, &key, &blob, &context)?;
            let blob = base64(&Recipient { engine, session, key: &to }.seal(Content::DataKey, &value, &new)?);
            Ok(Answer::new(blob.clone(), json!({ "blob": blob })))
        }
    }
}
