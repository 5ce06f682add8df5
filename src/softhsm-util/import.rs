//! `--import`.

use std::{fs, path::Path};

use data_encoding::HEXLOWER_PERMISSIVE;
use engine::{Access, Engine, Error, User};
use types::{AttributeType as A, KeyType, ObjectClass, SessionHandle, Template, Value};
use zeroize::Zeroizing;

use crate::{
    Fault,
    arguments::{Arguments, Kind},
    fault, key_file,
    pin::{self, Whose},
    slot::{self, Free},
};

/// What SoftHSM lets an imported key do, also where no mechanism does it.
const PRIVATE: [A; 2] = [A::SIGN, A::SIGN_RECOVER];
const PRIVATE_RSA: [A; 4] = [A::SIGN, A::SIGN_RECOVER, A::DECRYPT, A::UNWRAP];
const AGREES: [A; 1] = [A::DERIVE];
const PUBLIC: [A; 2] = [A::VERIFY, A::VERIFY_RECOVER];
const PUBLIC_RSA: [A; 4] = [A::VERIFY, A::VERIFY_RECOVER, A::ENCRYPT, A::WRAP];
const SECRET: [A; 6] = [A::ENCRYPT, A::DECRYPT, A::WRAP, A::UNWRAP, A::SIGN, A::VERIFY];

/// Label and id.
struct Name<'a> {
    label: &'a str,
    id: Vec<u8>,
}

pub(crate) fn import(engine: &Engine, arguments: &Arguments, path: &Path) -> Result<(), Fault> {
    let place = slot::chosen(engine, arguments, Free::Not)?;
    let name = name(arguments)?;
    if !place.initialised {
        return fault("Could not open a session on the given slot.");
    }
    let session = engine.open_session(place.slot, Access::ReadWrite)?;
    let imported = log_in_and_import(engine, session, arguments, path, &name);
    engine.close_session(session)?;
    imported
}

fn name(arguments: &Arguments) -> Result<Name<'_>, Fault> {
    let Some(label) = &arguments.label else {
        return fault("A label for the object must be supplied. Use --label <text>");
    };
    let Some(id) = &arguments.id else {
        return fault("An ID for the object must be supplied. Use --id <hex>");
    };
    let how = "Please edit --id <hex> to correct error.";
    if !id.len().is_multiple_of(2) {
        return fault(format!("Invalid length on hex string.\n{how}"));
    }
    match HEXLOWER_PERMISSIVE.decode(id.as_bytes()) {
        Ok(id) if !id.is_empty() => Ok(Name { label, id }),
        Ok(_) => fault(format!("Invalid length on hex string.\n{how}")),
        Err(_) => fault(format!("Invalid character in hex string.\n{how}")),
    }
}

fn log_in_and_import(
    engine: &Engine,
    session: SessionHandle,
    arguments: &Arguments,
    path: &Path,
    name: &Name<'_>,
) -> Result<(), Fault> {
    let pin = pin::read(arguments.pin.as_deref(), Whose::User)?;
    engine.login(session, User::User, &pin).map_err(|why| match why {
        Error::PinIncorrect => Fault("ERROR: The given user PIN does not match the one in the token.".to_owned()),
        other => other.into(),
    })?;
    if !arguments.force && is_taken(engine, session, &name.id)? {
        return fault("The ID is already assigned to another object. Use --force to override this message.");
    }
    let kind = arguments.kind();
    let what = match kind {
        Kind::Keypair => "PKCS#8 file",
        Kind::Aes => "secret key file",
        Kind::Cert => "certificate file",
    };
    let bytes =
        fs::read(path).map_err(|why| Fault(format!("ERROR: Could not open the {what}: {}: {why}", path.display())))?;
    let bytes = Zeroizing::new(bytes);
    match kind {
        Kind::Keypair => {
            let info = key_file::pkcs8(&bytes, arguments.file_pin.as_deref())?;
            key_pair(engine, session, &info, name, !arguments.no_public_key)?;
            println!("The key pair has been imported.");
        }
        Kind::Aes => {
            if ![16, 24, 32].contains(&bytes.len()) {
                return fault(format!(
                    "An AES key has 16, 24 or 32 bytes, and {} has {}.",
                    path.display(),
                    bytes.len()
                ));
            }
            let key = [
                (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
                (A::KEY_TYPE, Value::Number(KeyType::AES.0)),
                (A::VALUE, Value::bytes(bytes.as_slice())),
            ];
            let template = key.into_iter().chain(named(name)).chain(guarded()).chain(uses(&SECRET));
            engine.create_object(session, template.collect())?;
        }
        Kind::Cert => {
            let template = key_file::certificate(&bytes)?.into_iter().chain(named(name));
            engine.create_object(session, template.chain([(A::PRIVATE, Value::Flag(false))]).collect())?;
            println!("The certificate has been imported.");
        }
    }
    Ok(())
}

/// Both halves, or none.
fn key_pair(
    engine: &Engine,
    session: SessionHandle,
    info: &[u8],
    name: &Name<'_>,
    with_public: bool,
) -> Result<(), Fault> {
    let key = engine::keys(|| key_file::private(info))?;
    let key_type = key.iter().find(|(name, _)| *name == A::KEY_TYPE).and_then(|(_, value)| value.as_number());
    let (private_uses, public_uses) = match key_type.map(KeyType) {
        Some(KeyType::RSA) => (&PRIVATE_RSA[..], &PUBLIC_RSA[..]),
        Some(KeyType::EC_MONTGOMERY) => (&AGREES[..], &[][..]),
        _ => (&PRIVATE[..], &PUBLIC[..]),
    };
    let template = key.into_iter().chain(named(name)).chain(guarded()).chain(uses(private_uses));
    let private = engine.create_object(session, template.collect())?;
    if !with_public {
        return Ok(());
    }
    let half = || -> Result<(), Fault> {
        let view = engine.object(session, private)?;
        let info = view.attribute(A::PUBLIC_KEY_INFO)?.as_bytes().unwrap_or_default();
        let template = key_file::public(info)?.into_iter().chain(named(name)).chain(uses(public_uses));
        engine.create_object(session, template.chain([(A::PRIVATE, Value::Flag(false))]).collect())?;
        Ok(())
    };
    let made = half();
    if made.is_err() {
        engine.destroy_object(session, private)?;
    }
    made
}

fn is_taken(engine: &Engine, session: SessionHandle, id: &[u8]) -> Result<bool, Fault> {
    engine.find_init(session, vec![(A::ID, Value::bytes(id))])?;
    let found = engine.find(session, 1);
    engine.find_final(session)?;
    Ok(!found?.is_empty())
}

fn named(name: &Name<'_>) -> Template {
    vec![(A::TOKEN, Value::Flag(true)), (A::LABEL, Value::bytes(name.label)), (A::ID, Value::bytes(name.id.as_slice()))]
}

fn guarded() -> Template {
    vec![(A::PRIVATE, Value::Flag(true)), (A::SENSITIVE, Value::Flag(true)), (A::EXTRACTABLE, Value::Flag(false))]
}

/// What a key can do, and nothing else.
fn uses(can: &[A]) -> Template {
    can.iter().map(|name| (*name, Value::Flag(true))).collect()
}
