//! A token in another software's module, over the C interface.

use std::path::Path;

use cryptoki::{
    context::Pkcs11,
    error::Error as Cryptoki,
    mechanism::{Mechanism, MechanismType},
    object::{Attribute, AttributeType as Ask, ObjectClass as Class, ObjectHandle},
    session::{Session, UserType},
    slot::Slot,
    types::RawAuthPin,
};
use types::{AttributeType as A, Date, ObjectClass, Template, Value};

use crate::{
    fault::{Fault, quoted},
    pin::Pin,
};

/// What kinds of objects have, in the order in which it is asked for.
const ALL: &[Ask] =
    &[Ask::Class, Ask::Token, Ask::Private, Ask::Modifiable, Ask::Copyable, Ask::Destroyable, Ask::Label];
const DATA: &[Ask] = &[Ask::Application, Ask::ObjectId, Ask::Value];
const CERTIFICATE: &[Ask] = &[
    Ask::CertificateType,
    Ask::Trusted,
    Ask::Id,
    Ask::Subject,
    Ask::Issuer,
    Ask::SerialNumber,
    Ask::Value,
    Ask::Url,
    Ask::StartDate,
    Ask::EndDate,
    Ask::HashOfSubjectPublicKey,
    Ask::HashOfIssuerPublicKey,
];
const KEY: &[Ask] = &[
    Ask::KeyType,
    Ask::Id,
    Ask::StartDate,
    Ask::EndDate,
    Ask::Derive,
    Ask::Local,
    Ask::KeyGenMechanism,
    Ask::AllowedMechanisms,
    Ask::Modulus,
    Ask::PublicExponent,
    Ask::EcParams,
];
const PUBLIC: &[Ask] = &[
    Ask::Subject,
    Ask::Encrypt,
    Ask::Verify,
    Ask::VerifyRecover,
    Ask::Wrap,
    Ask::Trusted,
    Ask::ModulusBits,
    Ask::EcPoint,
];
const PRIVATE: &[Ask] = &[
    Ask::Subject,
    Ask::Sensitive,
    Ask::Extractable,
    Ask::AlwaysSensitive,
    Ask::NeverExtractable,
    Ask::Decrypt,
    Ask::Sign,
    Ask::SignRecover,
    Ask::Unwrap,
    Ask::WrapWithTrusted,
    Ask::AlwaysAuthenticate,
];
const SECRET: &[Ask] = &[
    Ask::Sensitive,
    Ask::Extractable,
    Ask::AlwaysSensitive,
    Ask::NeverExtractable,
    Ask::Encrypt,
    Ask::Decrypt,
    Ask::Sign,
    Ask::Verify,
    Ask::Wrap,
    Ask::Unwrap,
    Ask::WrapWithTrusted,
    Ask::Trusted,
    Ask::ValueLen,
];
/// What a module gives away of a key that is not sensitive.
const VALUES: &[Ask] =
    &[Ask::Value, Ask::PrivateExponent, Ask::Prime1, Ask::Prime2, Ask::Exponent1, Ask::Exponent2, Ask::Coefficient];

/// A module that is loaded.
pub(super) struct Module {
    pkcs11: Pkcs11,
    name: String,
}

/// A token that the module has.
pub(super) struct ForeignToken {
    pub(super) slot: Slot,
    pub(super) label: String,
    pub(super) serial: String,
    /// Without it everybody sees everything: a database of NSS without a password.
    needs_login: bool,
}

impl Module {
    /// `text` is for `C_Initialize` of modules that want one.
    pub(super) fn load(path: &Path, text: Option<&str>) -> Result<Self, Fault> {
        let name = path.display().to_string();
        match foreign::load(path, text) {
            Ok(pkcs11) => Ok(Self { pkcs11, name }),
            Err(why @ Cryptoki::Pkcs11(..)) => {
                Err(Fault::Failed(format!("the module {}: {}", quoted(&name), words(&why))))
            }
            Err(why) => Err(Fault::Usage(format!("the module {} cannot be loaded: {}", quoted(&name), words(&why)))),
        }
    }

    pub(super) fn fault(&self, why: &Cryptoki) -> Fault {
        Fault::Failed(format!("the module {}: {}", quoted(&self.name), words(why)))
    }

    pub(super) fn tokens(&self) -> Result<Vec<ForeignToken>, Fault> {
        let slots = self.pkcs11.get_slots_with_initialized_token().map_err(|why| self.fault(&why))?;
        let about = |slot| {
            let info = self.pkcs11.get_token_info(slot).map_err(|why| self.fault(&why))?;
            let (label, serial) = (info.label().to_owned(), info.serial_number().to_owned());
            Ok(ForeignToken { slot, label, serial, needs_login: info.login_required() })
        };
        slots.into_iter().map(about).collect()
    }

    /// A session in which the user is logged in, if the token wants that.
    pub(super) fn log_in(&self, token: &ForeignToken, pin: &Pin) -> Result<ForeignSession<'_>, Fault> {
        let session = self.pkcs11.open_rw_session(token.slot).or_else(|_| self.pkcs11.open_ro_session(token.slot));
        let session = session.map_err(|why| self.fault(&why))?;
        if token.needs_login {
            let logged_in = session.login_with_raw(UserType::User, &RawAuthPin::new(Box::new(pin.to_vec())));
            logged_in.map_err(|why| {
                Fault::Pin(format!("token {} does not take the user's PIN: {}", quoted(&token.label), words(&why)))
            })?;
        }
        let mechanisms = self.pkcs11.get_mechanism_list(token.slot).map_err(|why| self.fault(&why))?;
        let wraps =
            |id: &MechanismType| self.pkcs11.get_mechanism_info(token.slot, *id).is_ok_and(|about| about.wrap());
        Ok(ForeignSession { module: self, session, wraps: mechanisms.into_iter().filter(wraps).collect() })
    }
}

/// A session of a module.
pub(super) struct ForeignSession<'a> {
    module: &'a Module,
    pub(super) session: Session,
    /// The ways to wrap keys that it has.
    pub(super) wraps: Vec<MechanismType>,
}

impl ForeignSession<'_> {
    /// The objects that stay in the token.
    pub(super) fn objects(&self) -> Result<Vec<ObjectHandle>, Fault> {
        self.session.find_objects(&[Attribute::Token(true)]).map_err(|why| self.module.fault(&why))
    }

    /// What an object says of itself, and its value as far as the module gives it away. `None` if it is of a vendor's class:
    /// no other module would know what it is.
    pub(super) fn read(&self, object: ObjectHandle) -> Option<Template> {
        let attributes = self.session.get_attributes(object, &[Ask::Class]).ok()?;
        let class = attributes.into_iter().find_map(|attribute| value(attribute).1?.as_number())?;
        let lists: &[&[Ask]] = match ObjectClass(class) {
            ObjectClass::DATA => &[ALL, DATA],
            ObjectClass::CERTIFICATE => &[ALL, CERTIFICATE],
            ObjectClass::PUBLIC_KEY => &[ALL, KEY, PUBLIC, &[Ask::Value]],
            ObjectClass::PRIVATE_KEY => &[ALL, KEY, PRIVATE, VALUES],
            ObjectClass::SECRET_KEY => &[ALL, KEY, SECRET, VALUES],
            // Hardware features, mechanisms, profiles: the module's own.
            _ => return None,
        };
        let mut template = Template::new();
        for list in lists {
            // What a module writes in a form of its own spoils no other answer.
            let answers = self.session.get_attributes(object, list).unwrap_or_else(|_| {
                list.iter().filter_map(|name| self.session.get_attributes(object, &[*name]).ok()).flatten().collect()
            });
            for (name, value) in answers.into_iter().map(value) {
                template.extend(value.filter(|value| !is_empty(value)).map(|value| (name, value)));
            }
        }
        Some(template)
    }

    /// A key of the session that wraps others, with this value.
    pub(super) fn wrapping_key(&self, value: &[u8]) -> Result<ObjectHandle, Cryptoki> {
        self.session.create_object(&[
            Attribute::Class(Class::SECRET_KEY),
            Attribute::KeyType(cryptoki::object::KeyType::AES),
            Attribute::Token(false),
            Attribute::Wrap(true),
            Attribute::Encrypt(true),
            Attribute::Value(value.to_vec()),
        ])
    }

    pub(super) fn wrap(&self, mechanism: &Mechanism<'_>, by: ObjectHandle, key: ObjectHandle) -> Option<Vec<u8>> {
        self.session.wrap_key(mechanism, by, key).ok()
    }
}

/// Modules answer so for what an object may have and has not.
fn is_empty(value: &Value) -> bool {
    value.as_bytes().is_some_and(<[u8]>::is_empty)
}

/// An attribute as it is said here. `None` if it is nothing that is asked for.
fn value(attribute: Attribute) -> (A, Option<Value>) {
    let name = A(attribute.attribute_type().into());
    let value = match attribute {
        Attribute::AlwaysAuthenticate(flag)
        | Attribute::AlwaysSensitive(flag)
        | Attribute::Copyable(flag)
        | Attribute::Decrypt(flag)
        | Attribute::Derive(flag)
        | Attribute::Destroyable(flag)
        | Attribute::Encrypt(flag)
        | Attribute::Extractable(flag)
        | Attribute::Local(flag)
        | Attribute::Modifiable(flag)
        | Attribute::NeverExtractable(flag)
        | Attribute::Private(flag)
        | Attribute::Sensitive(flag)
        | Attribute::Sign(flag)
        | Attribute::SignRecover(flag)
        | Attribute::Token(flag)
        | Attribute::Trusted(flag)
        | Attribute::Unwrap(flag)
        | Attribute::Verify(flag)
        | Attribute::VerifyRecover(flag)
        | Attribute::Wrap(flag)
        | Attribute::WrapWithTrusted(flag) => Value::Flag(flag),
        Attribute::Class(class) => Value::Number(class.into()),
        Attribute::KeyType(key_type) => Value::Number(key_type.into()),
        Attribute::CertificateType(certificate_type) => Value::Number(certificate_type.into()),
        Attribute::KeyGenMechanism(mechanism) => Value::Number(mechanism.into()),
        Attribute::ModulusBits(number) | Attribute::ValueLen(number) => Value::Number(number.into()),
        Attribute::AllowedMechanisms(mechanisms) => Value::Numbers(mechanisms.into_iter().map(Into::into).collect()),
        Attribute::StartDate(date) | Attribute::EndDate(date) => {
            let digits = [&date.year[..], &date.month, &date.day].concat();
            Value::Date(digits.try_into().ok().map(Date).filter(|date| date.exists()))
        }
        Attribute::Application(bytes)
        | Attribute::Coefficient(bytes)
        | Attribute::EcParams(bytes)
        | Attribute::EcPoint(bytes)
        | Attribute::Exponent1(bytes)
        | Attribute::Exponent2(bytes)
        | Attribute::HashOfIssuerPublicKey(bytes)
        | Attribute::HashOfSubjectPublicKey(bytes)
        | Attribute::Id(bytes)
        | Attribute::Issuer(bytes)
        | Attribute::Label(bytes)
        | Attribute::Modulus(bytes)
        | Attribute::ObjectId(bytes)
        | Attribute::Prime1(bytes)
        | Attribute::Prime2(bytes)
        | Attribute::PrivateExponent(bytes)
        | Attribute::PublicExponent(bytes)
        | Attribute::SerialNumber(bytes)
        | Attribute::Subject(bytes)
        | Attribute::Url(bytes)
        | Attribute::Value(bytes) => Value::bytes(bytes),
        _ => return (name, None),
    };
    (name, Some(value))
}

/// A function and a return value by the names that the specification has for them.
pub(super) fn words(why: &Cryptoki) -> String {
    let Cryptoki::Pkcs11(value, function) = why else { return why.to_string() };
    let mut name = String::from("CKR");
    for letter in format!("{value:?}").chars().take_while(|letter| letter.is_ascii_alphanumeric()) {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    format!("C_{function:?} says {name}")
}
