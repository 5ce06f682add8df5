use crypto::SUITE;
use types::{AttributeType, Template, UNAVAILABLE, Value};

use super::{
    Attributes,
    rules::{self, ObjectKind, Origin},
    uses,
};
use crate::{Error, Profile, profile::Risk};

/// Who asks, as far as attributes care.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionRights {
    /// Whether it is the security officer.
    pub(crate) officer: bool,
    /// Whether it is the user.
    pub(crate) user: bool,
    /// What the token allows.
    pub(crate) profile: Profile,
}

/// What the caller wants of a new object, checked.
pub(crate) struct ObjectBuilder {
    attributes: Attributes,
    origin: Origin,
    rights: SessionRights,
    kind: &'static ObjectKind,
}

/// The template of a key that is made like this one.
pub(crate) fn like(object: &Attributes, origin: Origin) -> Template {
    let Some(kind) = rules::of(object) else { return Template::new() };
    let inherited = |name| kind.rule(name).is_some_and(|rule| rule.inherited(origin));
    object.iter().filter(|(name, _)| inherited(*name)).map(|(name, value)| (name, value.duplicate())).collect()
}

impl ObjectBuilder {
    /// Takes a template in. `preset` is what the call itself decides; who says otherwise contradicts it.
    ///
    /// # Errors
    /// Those of templates.
    pub(crate) fn new(
        template: Template,
        origin: Origin,
        rights: SessionRights,
        preset: &[(AttributeType, Value)],
    ) -> Result<Self, Error> {
        let attributes = merge(template, preset)?;
        let kind = rules::for_new(&attributes)?;
        if !kind.arises(origin) {
            return Err(Error::TemplateInconsistent("such an object does not come to be in this way"));
        }
        for (name, value) in attributes.iter() {
            let rule = kind.rule(name).ok_or(Error::AttributeTypeInvalid(name))?;
            rule.check(value)?;
            if rule.refused(origin) || (rule.officers() && *value == Value::Flag(true) && !may_trust(origin, rights)) {
                return Err(Error::AttributeReadOnly(name));
            }
        }
        if let Some(rule) = kind.rules().find(|rule| rule.needed(origin) && !attributes.has(rule.name)) {
            return Err(Error::TemplateIncomplete(rule.name));
        }
        must_protect(&attributes, origin, rights, preset)?;
        must_be_consistent(&attributes)?;
        uses::must_stay_apart(&attributes, rights)?;
        Ok(Self { attributes, origin, rights, kind })
    }

    /// What the template and the call say, without defaults.
    pub(crate) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Makes it the attributes of an object: adds what making it gave, defaults, and all that the token
    /// computes.
    ///
    /// # Errors
    /// Those of templates, and for numbers that are no such key.
    pub(crate) fn complete(self, parts: Vec<(AttributeType, Value)>) -> Result<Attributes, Error> {
        let Self { mut attributes, origin, rights, kind } = self;
        for (name, value) in parts {
            let names_the_kind = matches!(name, AttributeType::CLASS | AttributeType::KEY_TYPE);
            if kind.rule(name).is_none() || (names_the_kind && attributes.get(name) != Some(&value)) {
                return Err(Error::Internal("making a key gave an attribute that it does not have"));
            }
            attributes.set(name, value);
        }
        if let Origin::Derived { sensitive, extractable, .. } = origin {
            for (name, inherited) in [(AttributeType::SENSITIVE, sensitive), (AttributeType::EXTRACTABLE, extractable)]
            {
                if !attributes.has(name) {
                    attributes.set(name, Value::Flag(inherited));
                }
            }
        }
        if origin == Origin::Unwrapped && !attributes.has(AttributeType::EXTRACTABLE) {
            // "The CKA_EXTRACTABLE attribute is by default set to CK_TRUE" (C_UnwrapKey): it was outside.
            attributes.set(AttributeType::EXTRACTABLE, Value::Flag(true));
        }
        if origin == Origin::Adopted {
            // It could do no more where it was.
            kind.deny_unsaid_uses(&mut attributes);
        }
        kind.set_defaults(&mut attributes, rights);
        if let Some(rule) = kind.rules().find(|rule| rule.essential() && !attributes.has(rule.name)) {
            return Err(match origin {
                Origin::Created | Origin::Adopted => Error::TemplateIncomplete(rule.name),
                Origin::Unwrapped => Error::WrappedKeyInvalid,
                Origin::Generated(_) | Origin::Derived { .. } => Error::Internal("making a key gave too little of it"),
            });
        }
        (kind.settle)(&mut attributes, origin)?;
        set_provenance(&mut attributes, kind, origin)?;
        attributes.set(AttributeType::UNIQUE_ID, unique_id()?);
        must_be_consistent(&attributes)?;
        uses::must_stay_apart(&attributes, rights)?;
        Ok(attributes)
    }
}

/// A template and what the call decides.
fn merge(template: Template, preset: &[(AttributeType, Value)]) -> Result<Attributes, Error> {
    let mut attributes = Attributes::default();
    for (name, value) in template {
        match attributes.get(name) {
            // What is said twice in the same way is said once.
            Some(said) if *said == value => {}
            Some(_) => return Err(Error::TemplateInconsistent("an attribute stands twice")),
            None => attributes.set(name, value),
        }
    }
    for (name, value) in preset {
        match attributes.get(*name) {
            Some(said) if said != value => {
                return Err(Error::TemplateInconsistent("an attribute contradicts the mechanism or the key"));
            }
            Some(_) => {}
            None => attributes.set(*name, value.duplicate()),
        }
    }
    Ok(attributes)
}

/// A key that comes from outside, or from another key, is not trusted before the security officer has seen
/// what it is. For one that is adopted, [`crate::Engine::adoptable`] has asked for him.
fn may_trust(origin: Origin, rights: SessionRights) -> bool {
    match origin {
        Origin::Created | Origin::Generated(_) => rights.officer,
        Origin::Unwrapped | Origin::Derived { .. } => false,
        Origin::Adopted => true,
    }
}

/// Refuses a template that makes a key less protected than what it comes from.
///
/// A wrapped key does not say how it was protected. Therefore a strict token lets it come back readable only where the
/// key that unwraps it says so, in its CKA_UNWRAP_TEMPLATE. Either of the two flags may be given, since each of
/// them alone keeps the key from being seen.
fn must_protect(
    attributes: &Attributes,
    origin: Origin,
    rights: SessionRights,
    preset: &[(AttributeType, Value)],
) -> Result<(), Error> {
    let exposing = [(AttributeType::SENSITIVE, Value::Flag(false)), (AttributeType::EXTRACTABLE, Value::Flag(true))];
    let says = |(name, value): &(AttributeType, Value)| attributes.get(*name) == Some(value);
    let exposed = match origin {
        Origin::Created | Origin::Generated(_) | Origin::Adopted => false,
        Origin::Unwrapped => {
            let [insensitive, extracting] = &exposing;
            // Who says nothing gets a key that may leave, but is sensitive.
            let readable = says(insensitive) && (says(extracting) || !attributes.has(AttributeType::EXTRACTABLE));
            readable
                && !exposing.iter().all(|flag| preset.contains(flag))
                && rights.profile.refuses(Risk::ReadableUnwrapping)
        }
        Origin::Derived { sensitive, extractable, .. } => {
            let [insensitive, extracting] = &exposing;
            (sensitive && says(insensitive)) || (!extractable && says(extracting))
        }
    };
    if exposed { Err(Error::TemplateInconsistent("the key would be less protected than before")) } else { Ok(()) }
}

/// Refuses attributes that cannot be true together.
pub(super) fn must_be_consistent(attributes: &Attributes) -> Result<(), Error> {
    let public = attributes.get(AttributeType::PRIVATE) == Some(&Value::Flag(false));
    if public && attributes.flag(AttributeType::ALWAYS_AUTHENTICATE) {
        return Err(Error::TemplateInconsistent("a public object cannot ask for its user"));
    }
    Ok(())
}

/// Where a key comes from, and how it has been protected from the beginning.
fn set_provenance(attributes: &mut Attributes, kind: &ObjectKind, origin: Origin) -> Result<(), Error> {
    if kind.rule(AttributeType::LOCAL).is_some() {
        let (local, mechanism) = match origin {
            Origin::Generated(mechanism) => (true, mechanism.0),
            Origin::Created | Origin::Unwrapped | Origin::Derived { .. } => (false, UNAVAILABLE),
            Origin::Adopted => (
                attributes.flag(AttributeType::LOCAL),
                attributes.number(AttributeType::KEY_GEN_MECHANISM).unwrap_or(UNAVAILABLE),
            ),
        };
        if origin == Origin::Adopted {
            // What it says of itself, nobody here has seen: it is not attested.
            attributes.set(AttributeType::ADOPTED, Value::Flag(true));
        }
        attributes.set(AttributeType::LOCAL, Value::Flag(local));
        attributes.set(AttributeType::KEY_GEN_MECHANISM, Value::Number(mechanism));
    }
    if kind.rule(AttributeType::SENSITIVE).is_some() {
        let (sensitive, kept) =
            (attributes.flag(AttributeType::SENSITIVE), !attributes.flag(AttributeType::EXTRACTABLE));
        let (always, never) = match origin {
            Origin::Generated(_) => (sensitive, kept),
            Origin::Created | Origin::Unwrapped => (false, false),
            Origin::Derived { always_sensitive, never_extractable, .. } => {
                (always_sensitive && sensitive, never_extractable && kept)
            }
            Origin::Adopted => {
                let (always, never) = (
                    attributes.flag(AttributeType::ALWAYS_SENSITIVE),
                    attributes.flag(AttributeType::NEVER_EXTRACTABLE),
                );
                if (always && !sensitive) || (never && !kept) {
                    return Err(Error::TemplateInconsistent("the key is less protected than it says it always was"));
                }
                (always, never)
            }
        };
        attributes.set(AttributeType::ALWAYS_SENSITIVE, Value::Flag(always));
        attributes.set(AttributeType::NEVER_EXTRACTABLE, Value::Flag(never));
    }
    Ok(())
}

/// A name that no other object has: a random UUID (RFC 9562, version 4) as text.
pub(super) fn unique_id() -> Result<Value, Error> {
    let mut bytes = [0; 16];
    (SUITE.random)(&mut bytes)?;
    let random = u128::from_be_bytes(bytes);
    let uuid = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{uuid:032x}");
    let mut text = String::with_capacity(36);
    for (index, digit) in hex.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    Ok(Value::bytes(text))
}
