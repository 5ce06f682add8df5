//! Keys, and what else is in a token.

use clap::Subcommand;
use engine::{Access, Engine, Error, KeyState};
use serde_json::{Value as Json, json};
use types::{AttributeType as A, KeyType, ObjectClass, ObjectHandle, SessionHandle, Template, Value};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::{
    answer::{Answer, done},
    attest::{self, Attest},
    byok,
    fault::Fault,
    kind::{self, Kind, Recipe, Use},
    label::Label,
    pending, progress,
    rotation::{self, Schedule},
    select::{self, Chosen, TokenChoice, UserLogin},
    series::date,
    sight, transfer, usage, versions,
};

#[derive(Subcommand)]
pub(crate) enum KeyVerb {
    /// Makes a key, or a pair of keys, that never leaves the token unless --extractable says so.
    Create {
        /// Its label.
        label: String,
        /// rsa-2048, rsa-3072, rsa-4096, p256, p384, p521, secp256k1, ed25519, x25519, aes-128, aes-192, aes-256,
        /// hmac-sha256, hmac-sha384, hmac-sha512 or secret-256.
        #[arg(long, short)]
        kind: Kind,
        #[command(flatten)]
        traits: Traits,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Lists the keys.
    List {
        /// Those that were deleted and can be restored instead.
        #[arg(long)]
        pending: bool,
        /// Those that are to be rotated now (`key rotate --every`) only.
        #[arg(long, conflicts_with = "pending")]
        due: bool,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Shows one key.
    Show {
        #[command(flatten)]
        choice: KeyChoice,
    },
    /// Puts a new version of a key in its place: same label, id and URI. The old version decrypts and verifies only.
    Rotate(rotation::Rotate),
    /// Lists the versions of a key, the newest first.
    Versions {
        #[command(flatten)]
        choice: KeyChoice,
        /// Lets the versions before this one do nothing, by no program: what only they open stays closed. 1 lets all decrypt and verify
        /// again.
        #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u64).range(1..))]
        min_decrypt_version: Option<u64>,
    },
    /// Lets a key that was disabled be used again.
    Enable {
        #[command(flatten)]
        choice: KeyChoice,
    },
    /// Lets a key be used for nothing, by no program, until it is enabled again.
    Disable {
        #[command(flatten)]
        choice: KeyChoice,
    },
    /// Says that somebody else may have a key: it decrypts and verifies only, and nothing brings it back.
    Compromised {
        #[command(flatten)]
        choice: KeyChoice,
        /// That it is meant.
        #[arg(long)]
        yes: bool,
    },
    /// Brings a deleted key back, disabled, where the token keeps those for a time (`token set --deletion-days`).
    Restore {
        /// The key: its label, id:HEX, or unique:ID.
        key: String,
        #[command(flatten)]
        login: UserLogin,
    },
    /// Deletes a key, both halves of a pair: for good, or for the time for which the token keeps it.
    Delete {
        #[command(flatten)]
        choice: KeyChoice,
        /// That it is meant.
        #[arg(long)]
        yes: bool,
    },
    /// Prints the `pkcs11:` URI of a key (RFC 7512).
    Uri {
        #[command(flatten)]
        choice: KeyChoice,
    },
    /// Prints a statement about a key, signed by the token: where it was made, whether it was ever able to leave, what it can do.
    Attest(Attest),
    /// Says whether a statement that `key attest` made is as the token has signed it, and what it says. It takes the token's public
    /// key alone.
    VerifyAttestation(attest::Verify),
    /// Prints the public half of a pair (SubjectPublicKeyInfo, PEM); with --private, the private half of one that may leave.
    Export(transfer::Export),
    /// Takes a key from a file into the token: PKCS#8, PKCS#1, SEC1, PKCS#12, OpenSSH, JWK, public keys, bytes. `begin` and `finish`
    /// take one that was wrapped elsewhere, and that no file and no command ever has in the clear.
    Import(byok::Imports),
    /// Makes a copy of a key under another label.
    Copy(transfer::Copy),
    /// Writes a key that may leave, wrapped by another one.
    Wrap(transfer::Wrap),
    /// Takes a wrapped key into the token.
    Unwrap(transfer::Unwrap),
}

/// What a key is to be that comes into a token.
#[derive(clap::Args)]
pub(crate) struct Traits {
    /// Its id (CKA_ID), in hexadecimal digits. Without one, a pair gets an id that is made of its public key, a secret key a
    /// random one.
    #[arg(long)]
    pub(crate) id: Option<Hex>,
    /// What it can do, and nothing else: sign, verify, encrypt, decrypt, wrap, unwrap, derive.
    #[arg(long, value_delimiter = ',')]
    pub(crate) can: Vec<Use>,
    /// Lets it leave the token.
    #[arg(long)]
    pub(crate) extractable: bool,
}

/// A key of a token.
#[derive(clap::Args)]
pub(crate) struct KeyChoice {
    /// The key: its label, id:HEX, or a `pkcs11:` URI.
    key: String,
    #[command(flatten)]
    login: UserLogin,
}

/// Bytes that are written as hexadecimal digits.
#[derive(Clone)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl std::str::FromStr for Hex {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits: Vec<char> = text.chars().filter(|c| *c != ':').collect();
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).ok();
        let bytes = digits.chunks(2).map(|pair| byte(pair).filter(|_| pair.len() == 2)).collect::<Option<Vec<u8>>>();
        bytes
            .filter(|bytes| !bytes.is_empty())
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not hexadecimal digits, two for a byte"))
    }
}

/// The id of a secret key that is given none.
pub(crate) fn random_id(engine: &Engine, session: SessionHandle) -> Result<Vec<u8>, Fault> {
    let mut id = vec![0; 16];
    engine.random(session, &mut id)?;
    Ok(id)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One half of a key.
struct Half {
    class: ObjectClass,
    handle: ObjectHandle,
    unique_id: String,
}

/// A key as people count: a secret key, or both halves of a pair.
pub(crate) struct Key {
    pub(crate) label: Label,
    pub(crate) id: Vec<u8>,
    pub(crate) kind: String,
    pub(crate) key_type: Option<KeyType>,
    /// Bits of an RSA modulus, else 0.
    pub(crate) bits: usize,
    halves: Vec<Half>,
    pub(crate) can: Vec<&'static str>,
    extractable: bool,
    sensitive: bool,
    local: bool,
    pub(crate) state: KeyState,
    pub(crate) version: u64,
    /// The least version that does anything.
    pub(crate) min_version: u64,
    pub(crate) schedule: Option<Schedule>,
    /// Until when a key can come in under it, if it is for that, in seconds since 1970.
    pub(crate) import_until: Option<u64>,
    /// Its public half (SubjectPublicKeyInfo); empty for a secret key.
    pub(crate) info: Vec<u8>,
}

pub(crate) fn run(engine: &Engine, verb: &KeyVerb) -> Result<Answer, Fault> {
    match verb {
        KeyVerb::Create { label, kind, traits: Traits { id, can, extractable }, login } => {
            let (public, private) = kind.flags(can).map_err(Fault::Usage)?;
            let (token, session) = login.log_in(engine)?;
            let mut id = id.as_ref().map(|Hex(id)| id.clone());
            if id.is_none() && matches!(kind.recipe, Recipe::Secret(..)) {
                // A pair gets one that is made of its public key; what is encrypted names its key by this.
                id = Some(random_id(engine, session)?);
            }
            let common = || -> Template {
                let id = id.as_ref().map(|id| (A::ID, Value::bytes(id.as_slice())));
                let always = [(A::TOKEN, Value::Flag(true)), (A::LABEL, Value::bytes(label.as_str()))];
                always.into_iter().chain(id).collect()
            };
            let guarded = || [(A::EXTRACTABLE, Value::Flag(*extractable)), (A::SENSITIVE, Value::Flag(true))];
            let bar = progress::spinner("making the key");
            let handle = match kind.recipe {
                Recipe::Secret(..) => {
                    let template = common().into_iter().chain(kind.parameters()).chain(private).chain(guarded());
                    engine.generate_key(session, &kind.mechanism(), template.collect())
                }
                Recipe::Rsa(_) | Recipe::Curve(..) => {
                    let public = common().into_iter().chain(kind.parameters()).chain(public);
                    let private = common().into_iter().chain(private).chain(guarded());
                    let pair =
                        engine.generate_key_pair(session, &kind.mechanism(), public.collect(), private.collect());
                    pair.map(|(_, private)| private)
                }
            };
            bar.finish_and_clear();
            let made = describe(engine, session, handle?)?;
            let text = format!("Key {label} of kind {} is in token {}.", made.kind, token.label);
            Ok(Answer::new(text, made.told(engine, &token)?))
        }
        KeyVerb::List { pending: true, login, .. } => pending::list(engine, login),
        KeyVerb::Restore { key, login } => pending::restore(engine, key, login),
        KeyVerb::List { pending: false, due, login } => {
            let (token, session) = login.log_in(engine)?;
            let keys = all(engine, session)?;
            let keys = if *due { rotation::due(keys) } else { keys };
            let text = if keys.is_empty() && *due {
                "no key is due".to_owned()
            } else if keys.is_empty() {
                "there is no key yet: `strongroom key create LABEL --kind p256` makes one".to_owned()
            } else {
                table(&keys)
            };
            let data = keys.iter().map(|key| key.told(engine, &token)).collect::<Result<Vec<_>, _>>()?;
            Ok(Answer::new(text, Json::Array(data)))
        }
        KeyVerb::Show { choice } => {
            let (token, session, key) = choice.choose(engine)?;
            let older = older(engine, session, &key)?;
            let versions: Vec<&Key> = std::iter::once(&key).chain(&older).collect();
            let uses = usage::lately(engine, (&token, session), &versions, sight::now())?;
            let halves: Vec<&str> = key.halves.iter().map(|half| word(half.class)).collect();
            let yes = |flag: bool| if flag { "yes" } else { "no" };
            let mut text = format!(
                "label        {}\nid           {}\nkind         {}\nis           {}\nstate        {}\nversion      {}\nrotation     {}\ncan          {}\nextractable  {}\n\
                 sensitive    {}\nmade here    {}\nuri          {}",
                key.label,
                hex(&key.id),
                key.kind,
                halves.join(" and "),
                key.standing(),
                key.version,
                key.schedule.map_or("no period".to_owned(), |schedule| schedule.to_string()),
                key.can.join(", "),
                yes(key.extractable),
                yes(key.sensitive),
                yes(key.local),
                key.uri(engine, &token)?,
            );
            if let Some(days) = &uses {
                text.push_str(&format!("\nuses         {}", usage::line(days)));
            }
            let mut told = key.told(engine, &token)?;
            if let Some(told) = told.as_object_mut() {
                let uses = uses.map(|days| json!({ "first_day": date(days.first()), "days": days.counts() }));
                told.insert("uses".to_owned(), uses.into());
            }
            Ok(Answer::new(text, told))
        }
        KeyVerb::Rotate(asked) => rotation::run(engine, asked),
        KeyVerb::Versions { choice, min_decrypt_version } => versions::run(engine, choice, *min_decrypt_version),
        KeyVerb::Enable { choice } => set_state(engine, choice, KeyState::Enabled),
        KeyVerb::Disable { choice } => set_state(engine, choice, KeyState::Disabled),
        KeyVerb::Compromised { choice, yes } => {
            if !yes {
                return Err(Fault::Usage(
                    "nothing brings back a key that is compromised: --yes says that it is meant".into(),
                ));
            }
            set_state(engine, choice, KeyState::Compromised)
        }
        KeyVerb::Delete { choice, yes } => {
            if !yes {
                return Err(not_meant("a key", deletion_days(engine, &choice.token())?));
            }
            let (token, session, key) = choice.choose(engine)?;
            let halves: Vec<ObjectHandle> = key.halves.iter().map(|half| half.handle).collect();
            engine.destroy_objects(session, &halves)?;
            let back = way_back(engine.token_summary(token.slot)?.lifecycle.deletion_days);
            done(format!("Key {} is deleted from token {}.{back}", key.label, token.label))
        }
        KeyVerb::Uri { choice } => {
            let (token, _, key) = choice.choose(engine)?;
            let uri = key.uri(engine, &token)?;
            Ok(Answer::new(uri.clone(), json!({ "uri": uri })))
        }
        KeyVerb::Attest(asked) => attest::attest(engine, asked),
        KeyVerb::VerifyAttestation(asked) => attest::verify(asked),
        KeyVerb::Export(asked) => transfer::export(engine, asked),
        KeyVerb::Import(asked) => byok::run(engine, asked),
        KeyVerb::Copy(asked) => transfer::copy(engine, asked),
        KeyVerb::Wrap(asked) => transfer::wrap(engine, asked),
        KeyVerb::Unwrap(asked) => transfer::unwrap(engine, asked),
    }
}

/// For how many days a token keeps keys that are deleted.
pub(crate) fn deletion_days(engine: &Engine, token: &TokenChoice) -> Result<u16, Fault> {
    Ok(engine.token_summary(token.choose(engine)?.slot)?.lifecycle.deletion_days)
}

/// That nobody said --yes, and what it would mean.
pub(crate) fn not_meant(what: &str, days: u16) -> Fault {
    let then = match days {
        0 => "is gone for good".to_owned(),
        days => format!("can be restored for {days} days (`strongroom key restore`), and is gone for good then"),
    };
    Fault::Usage(format!("{what} that is deleted {then}: --yes says that it is meant"))
}

/// How a key that was deleted comes back, after what was said.
pub(crate) fn way_back(days: u16) -> String {
    match days {
        0 => String::new(),
        days => format!(" For {days} days `strongroom key restore` brings it back."),
    }
}

/// Brings all of a key to a state.
fn set_state(engine: &Engine, choice: &KeyChoice, state: KeyState) -> Result<Answer, Fault> {
    let (token, session, key) = choice.choose(engine)?;
    let halves: Vec<ObjectHandle> = key.halves.iter().map(|half| half.handle).collect();
    let changes = vec![(A::SR_KEY_STATE, state.value())];
    engine.set_attributes_of_all(session, &halves, &changes).map_err(|error| match error {
        error @ Error::AttributeReadOnly(A::SR_KEY_STATE) => Fault::Explained(
            format!(
                "key {} of token {} is {}, and stays so: `strongroom key create` makes another",
                key.label, token.label, key.state
            ),
            error,
        ),
        other => other.into(),
    })?;
    done(format!("Key {} of token {} is {state}.", key.label, token.label))
}

pub(crate) fn random(engine: &Engine, token: &TokenChoice, bytes: u32) -> Result<Answer, Fault> {
    let token = token.choose(engine)?;
    let session = engine.open_session(token.slot, Access::ReadOnly)?;
    let mut random = vec![0; usize::try_from(bytes).unwrap_or(0)];
    engine.random(session, &mut random)?;
    Ok(Answer::new(hex(&random), json!({ "hex": hex(&random) })))
}

/// How many handles are asked for at a time.
const PAGE: usize = 1000;

pub(crate) fn find(engine: &Engine, session: SessionHandle, template: Template) -> Result<Vec<ObjectHandle>, Fault> {
    engine.find_init(session, template)?;
    let mut found = Vec::new();
    loop {
        let page = engine.find(session, PAGE)?;
        let last = page.len() < PAGE;
        found.extend(page);
        if last {
            break;
        }
    }
    engine.find_final(session)?;
    Ok(found)
}

/// The classes of keys, with the half that says most first.
const CLASSES: [ObjectClass; 3] = [ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY, ObjectClass::PUBLIC_KEY];

/// Every key, halves of a pair together: those with the same public key, id and label.
pub(crate) fn all(engine: &Engine, session: SessionHandle) -> Result<Vec<Key>, Fault> {
    let mut keys = like(engine, session, Vec::new)?;
    keys.sort_by(|one, other| (&one.label, &one.id, &one.kind).cmp(&(&other.label, &other.id, &other.kind)));
    Ok(keys)
}

/// The older versions of a key, the newest of them first.
pub(crate) fn older(engine: &Engine, session: SessionHandle, key: &Key) -> Result<Vec<Key>, Fault> {
    let mut versions = Vec::new();
    // One that was retired may be compromised by now.
    for state in [KeyState::Retired, KeyState::Compromised] {
        let named = || vec![(A::LABEL, Value::bytes(&*key.label)), (A::SR_KEY_STATE, state.value())];
        let before = |other: &Key| other.id == key.id && other.version < key.version;
        versions.extend(like(engine, session, named)?.into_iter().filter(before));
    }
    versions.sort_by_key(|key| std::cmp::Reverse(key.version));
    Ok(versions)
}

/// The older versions of all keys; and the newest of those that are compromised, which looks like an older one.
pub(crate) fn all_older(engine: &Engine, session: SessionHandle) -> Result<Vec<Key>, Fault> {
    let mut versions = Vec::new();
    for state in [KeyState::Retired, KeyState::Compromised] {
        versions.extend(like(engine, session, || vec![(A::SR_KEY_STATE, state.value())])?);
    }
    Ok(versions)
}

/// The keys of the token that a template says, halves of a pair together.
fn like(engine: &Engine, session: SessionHandle, template: impl Fn() -> Template) -> Result<Vec<Key>, Fault> {
    let mut keys: Vec<Key> = Vec::new();
    for class in CLASSES {
        let class_of_token = [(A::TOKEN, Value::Flag(true)), (A::CLASS, Value::Number(class.0))];
        let template: Template = template().into_iter().chain(class_of_token).collect();
        for handle in find(engine, session, template)? {
            let mut half = describe(engine, session, handle)?;
            let fits = |known: &&mut Key| {
                let same = (&known.label, &known.id, &known.info) == (&half.label, &half.id, &half.info);
                same && !half.info.is_empty() && known.halves.iter().all(|other| other.class != class)
            };
            match keys.iter_mut().find(fits) {
                Some(known) => {
                    known.halves.append(&mut half.halves);
                    known.can.extend(half.can.into_iter().filter(|can| !known.can.contains(can)).collect::<Vec<_>>());
                }
                None => keys.push(half),
            }
        }
    }
    Ok(keys)
}

pub(crate) fn describe(engine: &Engine, session: SessionHandle, handle: ObjectHandle) -> Result<Key, Fault> {
    let object = engine.object(session, handle)?;
    let number = |name| object.attribute(name).ok().and_then(Value::as_number);
    let bytes = |name| object.attribute(name).ok().and_then(Value::as_bytes).unwrap_or_default().to_vec();
    let flag = |name| object.attribute(name).ok().and_then(Value::as_flag).unwrap_or(false);
    let class = ObjectClass(number(A::CLASS).unwrap_or(u64::MAX));
    let bits = bytes(A::MODULUS).len() * 8;
    let key_type = number(A::KEY_TYPE).map(KeyType);
    Ok(Key {
        label: Label::of(&bytes(A::LABEL)),
        id: bytes(A::ID),
        kind: kind::of(&object),
        key_type,
        bits,
        halves: vec![Half { class, handle, unique_id: String::from_utf8_lossy(&bytes(A::UNIQUE_ID)).into_owned() }],
        can: kind::uses(flag),
        extractable: flag(A::EXTRACTABLE),
        sensitive: flag(A::SENSITIVE),
        local: flag(A::LOCAL),
        version: number(A::SR_KEY_VERSION).unwrap_or(1),
        min_version: number(A::SR_MIN_VERSION).unwrap_or(1),
        schedule: Schedule::of(number(A::SR_ROTATE_EVERY), number(A::SR_ROTATE_AT)),
        import_until: number(A::SR_IMPORT_UNTIL),
        state: number(A::SR_KEY_STATE).map_or(KeyState::Enabled, KeyState::from_number),
        info: bytes(A::PUBLIC_KEY_INFO),
    })
}

pub(crate) fn word(class: ObjectClass) -> &'static str {
    match class {
        ObjectClass::PRIVATE_KEY => "private key",
        ObjectClass::PUBLIC_KEY => "public key",
        ObjectClass::SECRET_KEY => "secret key",
        ObjectClass::CERTIFICATE => "certificate",
        ObjectClass::DATA => "data",
        _ => "other",
    }
}

/// Keys in columns.
fn table(keys: &[Key]) -> String {
    let width = |of: fn(&Key) -> usize, least: usize| keys.iter().map(of).max().unwrap_or(0).max(least);
    let (label, kind) = (width(|key| key.label.to_string().chars().count(), 5), width(|key| key.kind.len(), 4));
    let state = keys.iter().map(|key| key.standing().len()).max().unwrap_or(0).max(11);
    // Only where some key has one.
    let due = |key: &Key| key.schedule.map(|schedule| pending::moment(schedule.at));
    let column =
        |text: &str| if keys.iter().any(|key| due(key).is_some()) { format!("{text:20}  ") } else { String::new() };
    let mut text = format!(
        "{:label$}  {:kind$}  {:40}  {:state$}  {}can\n",
        "label",
        "kind",
        "id",
        "state",
        column("rotation due")
    );
    for key in keys {
        text.push_str(&format!(
            "{:label$}  {:kind$}  {:40}  {:state$}  {}{}\n",
            key.label,
            key.kind,
            hex(&key.id),
            key.standing(),
            column(&due(key).unwrap_or_default()),
            key.can.join(", ")
        ));
    }
    text
}

impl Key {
    /// The object of one half.
    pub(crate) fn half(&self, class: ObjectClass) -> Option<ObjectHandle> {
        self.halves.iter().find(|half| half.class == class).map(|half| half.handle)
    }

    /// The object of one half.
    ///
    /// # Errors
    /// That there is none.
    pub(crate) fn must_have(&self, class: ObjectClass) -> Result<ObjectHandle, Fault> {
        let missing = || Fault::Usage(format!("key {} of kind {} has no {} here", self.label, self.kind, word(class)));
        self.half(class).ok_or_else(missing)
    }

    /// The public half as it stands in certificates: of a curve, a point.
    pub(crate) fn point(&self) -> Option<Vec<u8>> {
        let info = SubjectPublicKeyInfoRef::try_from(self.info.as_slice()).ok()?;
        Some(info.subject_public_key.raw_bytes().to_vec())
    }

    /// How many bytes a number of the key's curve has, if it is a short Weierstrass curve.
    pub(crate) fn coordinate_len(&self) -> Option<usize> {
        let point = self.point().filter(|point| self.key_type == Some(KeyType::EC) && point.first() == Some(&4))?;
        Some(point.len() / 2)
    }

    /// The public half of a pair (SubjectPublicKeyInfo, DER).
    pub(crate) fn public_key_info(&self, engine: &Engine, session: SessionHandle) -> Option<Vec<u8>> {
        self.halves.iter().find_map(|half| {
            let object = engine.object(session, half.handle).ok()?;
            let info = object.attribute(A::PUBLIC_KEY_INFO).ok()?.as_bytes()?.to_vec();
            (!info.is_empty()).then_some(info)
        })
    }

    /// The objects of its halves.
    pub(crate) fn handles(&self) -> Vec<ObjectHandle> {
        self.halves.iter().map(|half| half.handle).collect()
    }

    /// The `CKA_UNIQUE_ID` of each half.
    pub(crate) fn unique_ids(&self) -> impl Iterator<Item = &str> {
        self.halves.iter().map(|half| half.unique_id.as_str())
    }

    /// As it is told to programs.
    pub(crate) fn told(&self, engine: &Engine, token: &Chosen) -> Result<Json, Fault> {
        let halves: Vec<&str> = self.halves.iter().map(|half| word(half.class)).collect();
        Ok(json!({
            "label": &*self.label,
            "id": hex(&self.id),
            "kind": self.kind,
            "objects": halves,
            "state": self.state.to_string(),
            "version": self.version,
            "min_decrypt_version": self.min_version,
            "rotate_every": self.schedule.map(|schedule| schedule.every.0),
            "rotate_at": self.schedule.map(|schedule| schedule.at),
            "import_until": self.import_until,
            "can": self.can,
            "extractable": self.extractable,
            "sensitive": self.sensitive,
            "made_here": self.local,
            "uri": self.uri(engine, token)?,
        }))
    }

    /// RFC 7512. With the token's serial number, so that it is this one.
    fn uri(&self, engine: &Engine, token: &Chosen) -> Result<String, Fault> {
        let info = engine.token_info(token.slot)?;
        let text =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let id: String = self.id.iter().map(|byte| format!("%{byte:02x}")).collect();
        let kind = match self.halves.first().map(|half| half.class) {
            Some(ObjectClass::PRIVATE_KEY) => "private",
            Some(ObjectClass::SECRET_KEY) => "secret-key",
            _ => "public",
        };
        let id = if id.is_empty() { id } else { format!(";id={id}") };
        Ok(format!(
            "pkcs11:token={};serial={};object={}{id};type={kind}",
            text(&token.label),
            info.serial,
            text(&self.label)
        ))
    }
}

impl KeyChoice {
    /// The token in which the key is; a URI may say so.
    fn token(&self) -> TokenChoice {
        token_of(&self.key, &self.login)
    }

    /// The key that is meant, and a session in which its user is logged in.
    pub(crate) fn choose(&self, engine: &Engine) -> Result<(Chosen, SessionHandle, Key), Fault> {
        choose(engine, &self.key, &self.login)
    }
}

/// The token in which a key is; a URI may say so.
fn token_of(key: &str, login: &UserLogin) -> TokenChoice {
    match &login.token {
        TokenChoice { token: None, slot: None } if key.starts_with("pkcs11:") => {
            TokenChoice { token: Some(key.to_owned()), slot: None }
        }
        choice => choice.clone(),
    }
}

/// The key that is meant, and a session in which its user is logged in.
pub(crate) fn choose(engine: &Engine, wanted: &str, login: &UserLogin) -> Result<(Chosen, SessionHandle, Key), Fault> {
    let (token, session) = login.log_in_to(engine, &token_of(wanted, login))?;
    let key = choose_in(engine, session, &token, wanted)?;
    Ok((token, session, key))
}

/// A key of a token whose user is logged in: by its label, id:HEX, or a `pkcs11:` URI.
pub(crate) fn choose_in(engine: &Engine, session: SessionHandle, token: &Chosen, wanted: &str) -> Result<Key, Fault> {
    let (mut label, mut id) = (None, None);
    if wanted.starts_with("pkcs11:") {
        for (name, value) in select::uri_path(wanted)? {
            match name.as_str() {
                "id" => id = Some(value),
                "object" => label = Some(String::from_utf8_lossy(&value).into_owned()),
                _ => {}
            }
        }
    } else if let Some(digits) = wanted.strip_prefix("id:") {
        let Hex(bytes) = digits.parse().map_err(Fault::Usage)?;
        id = Some(bytes);
    } else {
        label = Some(wanted.to_owned());
    }
    let fits = |key: &Key| {
        label.as_ref().is_none_or(|label| **label == *key.label) && id.as_ref().is_none_or(|id| *id == key.id)
    };
    let (mut found, others): (Vec<Key>, Vec<Key>) = all(engine, session)?.into_iter().partition(fits);
    match (found.len(), found.pop()) {
        (1, Some(key)) => Ok(key),
        (_, None) => {
            if let Some(fault) = pending::missed(engine, session, (label.as_deref(), id.as_deref()))? {
                return Err(fault);
            }
            let there =
                if others.is_empty() { "there is none".into() } else { format!("there are:\n{}", table(&others)) };
            Err(Fault::NotFound(format!("there is no key '{wanted}' in token {}; {there}", token.label)))
        }
        (_, Some(last)) => {
            found.push(last);
            let several = table(&found);
            Err(Fault::Usage(format!("'{wanted}' could be any of these; id:HEX says which:\n{several}")))
        }
    }
}
