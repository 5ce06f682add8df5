//! A token in another software's module, moved here: what it gives away, or wraps.

use std::path::{Path, PathBuf};

use clap::Args;
use cryptoki::{
    mechanism::{Mechanism as Theirs, MechanismType as Name},
    object::ObjectHandle,
};
use engine::{Engine, Witness};
use types::{AttributeType as A, MechanismType, ObjectClass, Params, Template, Value};
use zeroize::Zeroizing;

use super::{
    foreign::{ForeignSession, ForeignToken, Module},
    pins::Pins,
    proof, report,
    target::{self, Content, Items, Place, Rehearsal, SourceItem, Target, Wrapped, get},
};
use crate::{
    answer::Answer,
    fault::{Fault, quoted},
    pin::Source,
    token,
};

#[derive(Args)]
pub(crate) struct Pkcs11 {
    /// The other software's PKCS#11 module.
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// A text that the module wants in C_Initialize (pReserved), as NSS does.
    #[arg(long, value_name = "TEXT")]
    init_text: Option<String>,
    /// The token: its label or serial number there. Not needed if there is only one.
    #[arg(long, short)]
    token: Option<String>,
    #[command(flatten)]
    way: Way,
}

#[derive(Args)]
pub(crate) struct Nss {
    /// The directory of the database (cert9.db and key4.db).
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// NSS's own module.
    #[arg(long, value_name = "FILE", default_value = "libsoftokn3.so")]
    module: PathBuf,
    #[command(flatten)]
    way: Way,
}

#[derive(Args)]
struct Way {
    /// Where the user's PIN comes from, or the password of the database. It stays his PIN.
    #[arg(long, value_name = "SOURCE", default_value = "prompt")]
    pin: Source,
    /// Where the PIN of the security officer of the token here comes from.
    #[arg(long, value_name = "SOURCE", default_value = "prompt")]
    so_pin: Source,
    /// Another PIN for the user.
    #[arg(long, value_name = "SOURCE")]
    new_pin: Option<Source>,
    /// Another label for the token here.
    #[arg(long, short)]
    label: Option<String>,
    /// Asks every key there and here the same, and compares the answers: a signature, a ciphertext, a shared secret.
    #[arg(long)]
    prove: bool,
    /// Does everything but write: into a token in memory, which is gone afterwards.
    #[arg(long)]
    dry_run: bool,
}

/// The label that NSS gives the token of a database.
const NSS_TOKEN: &str = "NSS Certificate DB";

pub(super) fn from_nss(engine: &Engine, asked: &Nss) -> Result<Answer, Fault> {
    let from = asked.from.display().to_string();
    let directory = from.strip_prefix("sql:").unwrap_or(&from);
    if !Path::new(directory).join("key4.db").is_file() {
        return Err(Fault::NotFound(format!(
            "{} has no key4.db: it is no directory of NSS, or one of before 2018, which \
             `certutil -K -d sql:DIR` makes anew",
            quoted(directory)
        )));
    }
    if directory.contains(['\'', '"', '\\']) {
        return Err(Fault::Usage(format!("NSS takes no path with quotes: {}", quoted(directory))));
    }
    let text = format!("configdir='sql:{directory}' certPrefix='' keyPrefix='' secmod='' flags=readOnly,noModDB");
    move_token(engine, &Module::load(&asked.module, Some(&text))?, Some(NSS_TOKEN), &asked.way)
}

pub(super) fn from_pkcs11(engine: &Engine, asked: &Pkcs11) -> Result<Answer, Fault> {
    let module = Module::load(&asked.module, asked.init_text.as_deref())?;
    move_token(engine, &module, asked.token.as_deref(), &asked.way)
}

fn move_token(engine: &Engine, module: &Module, wanted: Option<&str>, asked: &Way) -> Result<Answer, Fault> {
    let token = chosen(module.tokens()?, wanted)?;
    let pins = Pins {
        user: Some(asked.pin.read(token::USERS)?),
        officer: None,
        new_user: asked.new_pin.as_ref().map(|source| source.read_new("New user's PIN")).transpose()?,
        new_officer: Some(asked.so_pin.read_new(token::OFFICERS)?),
        others: ["--new-pin", "--so-pin"],
    };
    let (user, officer) = pins.kept()?;
    let label = asked.label.as_ref().unwrap_or(&token.label).clone();
    let place = target::place(engine, &label, user, officer)?;
    let there = module.log_in(&token, pins.user.as_ref().unwrap_or(user))?;

    let rehearsal = if asked.dry_run { Some(Rehearsal::new(engine)?) } else { None };
    let here = rehearsal.as_ref().map_or(engine, |rehearsal| &rehearsal.engine);
    let place = if asked.dry_run { Place::New } else { place };
    let objects = there.objects()?;
    let target = Target::make(here, label, &token.serial, place, user, officer)?;
    let mut report = target.report("the module", &token.serial);
    let filled = fill(&target, &mut report, &there, objects);
    let filled = filled.and_then(|()| if asked.prove { proof::prove(&there, &target, &mut report) } else { Ok(()) });
    filled.map_err(|why| report::taken_back(why, &[target]))?;
    Ok(report::answer(&[report], &[], asked.dry_run))
}

/// The token that is meant.
fn chosen(tokens: Vec<ForeignToken>, wanted: Option<&str>) -> Result<ForeignToken, Fault> {
    let there: Vec<String> = tokens.iter().map(|token| format!("{}  {}", token.serial, token.label)).collect();
    let there = there.join("\n");
    let fits = |token: &ForeignToken| wanted.is_none_or(|wanted| token.label == wanted || token.serial == wanted);
    let mut fitting: Vec<ForeignToken> = tokens.into_iter().filter(fits).collect();
    match (fitting.pop(), fitting.is_empty(), wanted) {
        (Some(token), true, _) => Ok(token),
        (Some(_), false, Some(wanted)) => {
            Err(Fault::Usage(format!("several tokens are {}; there are:\n{there}", quoted(wanted))))
        }
        (Some(_), false, None) => Err(Fault::Usage(format!("which token? --token takes one of:\n{there}"))),
        (None, _, Some(wanted)) => {
            Err(Fault::NotFound(format!("the module has no token {}. It has:\n{there}", quoted(wanted))))
        }
        (None, _, None) => Err(Fault::NotFound("the module has no token that is initialized".into())),
    }
}

fn fill(
    target: &Target<'_>,
    report: &mut report::Report,
    there: &ForeignSession<'_>,
    objects: Vec<ObjectHandle>,
) -> Result<(), Fault> {
    let mut value = Zeroizing::new([0; 32]);
    target.random(&mut *value)?;
    // Some modules take no key from outside: then what is sensitive stays behind.
    let by = engine::keys(|| there.wrapping_key(&*value)).ok();
    let mut items = objects.into_iter().enumerate().map(|(at, object)| SourceItem {
        file: format!("object {}", at + 1),
        content: content(there, object, by),
        note: None,
    });
    target.fill(report, Items { items: &mut items, wrapped_with: Some(&*value), witness: Witness::User })
}

/// What a module gives away of an object.
fn content<'a>(there: &'a ForeignSession<'_>, object: ObjectHandle, by: Option<ObjectHandle>) -> Content<'a> {
    let Some(template) = there.read(object) else { return Content::Other };
    let class = get(&template, A::CLASS).and_then(Value::as_number).map(ObjectClass);
    let is_guarded = matches!(class, Some(ObjectClass::PRIVATE_KEY | ObjectClass::SECRET_KEY));
    if !is_guarded || [A::VALUE, A::PRIVATE_EXPONENT].iter().any(|name| get(&template, *name).is_some()) {
        return Content::Whole(template);
    }
    if get(&template, A::EXTRACTABLE) == Some(&Value::Flag(false)) {
        return Content::Stays(template, "it may not leave its token (CKA_EXTRACTABLE)".into());
    }
    let Some(by) = by else {
        return Content::Stays(template, "its module takes no key that would wrap it".into());
    };
    let is_private = class == Some(ObjectClass::PRIVATE_KEY);
    let ways = WAYS.iter().filter(move |way| there.wraps.contains(&way.name) && (way.has_check || is_private));
    // One after the other, as long as the one before does not do.
    let ways = ways.flat_map(move |way| {
        let bytes = there.wrap(&(way.theirs)(), by, object).unwrap_or_default();
        let lengths: Vec<usize> = lengths(&bytes, way.block).collect();
        lengths.into_iter().filter_map(move |len| {
            let bytes = bytes.get(..len)?.to_vec();
            Some(Wrapped { mechanism: way.ours, params: (way.params)(), bytes })
        })
    });
    Content::Wrapped(unwrapped(template), Box::new(ways))
}

/// A way to wrap, as the module there and the one here know it.
struct WayToWrap {
    name: Name,
    theirs: fn() -> Theirs<'static>,
    ours: MechanismType,
    params: fn() -> Params,
    /// The length is a multiple of this.
    block: usize,
    /// Whether what was wrapped wrong is noticed. Without it private keys alone are wrapped, which have a form that is noticed.
    has_check: bool,
}

const IV: [u8; 16] = [0; 16];

const WAYS: [WayToWrap; 3] = [
    // With the padding of RFC 5649, as most have it.
    WayToWrap {
        name: Name::AES_KEY_WRAP_PAD,
        theirs: || Theirs::AesKeyWrapPad,
        ours: MechanismType::AES_KEY_WRAP_KWP,
        params: || Params::None,
        block: 8,
        has_check: true,
    },
    WayToWrap {
        name: Name::AES_KEY_WRAP,
        theirs: || Theirs::AesKeyWrap,
        ours: MechanismType::AES_KEY_WRAP,
        params: || Params::None,
        block: 8,
        has_check: true,
    },
    WayToWrap {
        name: Name::AES_CBC_PAD,
        theirs: || Theirs::AesCbcPad(IV),
        ours: MechanismType::AES_CBC_PAD,
        params: || Params::Iv(IV.to_vec()),
        block: 16,
        has_check: false,
    },
];

/// How long a wrapped key may be, the longest first. `cryptoki` 0.12 gives the whole buffer, with zeros behind what the module
/// wrote into it: NSS asks for a longer one than it needs.
fn lengths(buffer: &[u8], block: usize) -> impl Iterator<Item = usize> {
    let zeros = buffer.iter().rev().take_while(|byte| **byte == 0).count();
    let least = (buffer.len() - zeros).max(block);
    (least..=buffer.len()).rev().filter(move |len| len.is_multiple_of(block))
}

/// What a wrapped key brings along, or what is true of every key that was one.
const NOT_SAID: &[A] = &[
    A::LOCAL,
    A::KEY_GEN_MECHANISM,
    A::ALWAYS_SENSITIVE,
    A::NEVER_EXTRACTABLE,
    A::MODULUS,
    A::PUBLIC_EXPONENT,
    A::EC_PARAMS,
    A::VALUE_LEN,
    A::TRUSTED,
];

fn unwrapped(template: Template) -> Template {
    template.into_iter().filter(|(name, _)| !NOT_SAID.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::lengths;

    #[test]
    fn a_wrapped_key_may_end_with_any_of_the_zeros_behind_it() {
        let found = |buffer: &[u8], block| lengths(buffer, block).collect::<Vec<_>>();
        let mut buffer = vec![0; 37];
        buffer[..17].fill(7);
        assert_eq!(found(&buffer, 8), [32, 24]);
        assert_eq!(found(&buffer, 16), [32]);
        assert_eq!(found(&[7; 24], 8), [24]);
        assert_eq!(found(&[0; 9], 8), [8]);
        assert!(found(&[], 8).is_empty());
    }
}
