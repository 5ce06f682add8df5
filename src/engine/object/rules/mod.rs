//! Which attributes an object has: the specification's tables, a row for each attribute of each kind of
//! object, with the specification's footnotes.
//!
//! Where the specification leaves a default to the token, it is ours that stands here. It differs from what other
//! tokens do: a key that came to be without a word about it is sensitive and, unless it was unwrapped, cannot be
//! extracted. That is what a token is for, and it can be said otherwise.

mod certificate;
mod data;
mod key;
mod private_key;
mod public_key;
mod secret_key;
mod storage;

use types::{AttributeType, CertificateType, KeyType, Kind, MechanismType, ObjectClass, Value};

use super::{
    Attributes, SessionRights,
    parts::{self, Settle},
    uses,
};
use crate::{Error, key::types as key_types};

/// How an object comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From what the caller says.
    Created,
    /// Made in the token by this mechanism.
    Generated(MechanismType),
    /// From a wrapped key.
    Unwrapped,
    /// From another key, with what its attributes say.
    Derived { always_sensitive: bool, never_extractable: bool, sensitive: bool, extractable: bool },
    /// From another token, which says itself where it came from and how it has been protected.
    Adopted,
}

/// One attribute of one kind of object.
pub(crate) struct Rule {
    pub(crate) name: AttributeType,
    /// The specification's footnotes by their numbers (PKCS#11, common attributes, "Common footnotes"),
    /// and the two of our own.
    notes: &'static [u8],
    /// What it is when nobody says anything.
    silent: Silent,
}

/// What the token remembers of an object, and nobody else sees.
const INTERNAL: [AttributeType; 4] =
    [AttributeType::PAST_USES, AttributeType::PAST_STATE, AttributeType::DUE_SEEN, AttributeType::ADOPTED];

/// Whether the token remembers this for itself.
pub(crate) fn is_internal(name: AttributeType) -> bool {
    INTERNAL.contains(&name)
}

/// Attributes that the specification does not have (CKA_VENDOR_DEFINED).
const VENDOR: u64 = 0x8000_0000;

/// Not a footnote of the specification: may be chosen anew when the object is copied.
const COPY: u8 = 0x10;
/// Not a footnote of the specification: may be made empty later, and nothing else.
const ERASE: u8 = 0x11;

/// What an attribute is when nobody says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silent {
    /// The object does not have it. Not the same as empty.
    Absent,
    Flag(bool),
    /// True if keys of this type can do it.
    Able,
    Number(u64),
    /// No bytes, no text, no date.
    Empty,
    /// Found out when the object is complete.
    Computed,
}

const OFF: Silent = Silent::Flag(false);
const ON: Silent = Silent::Flag(true);

const fn rule(name: AttributeType, notes: &'static [u8], silent: Silent) -> Rule {
    Rule { name, notes, silent }
}

/// When an attribute may be set on an object that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// On the object itself (`C_SetAttributeValue`).
    Modify,
    /// On its copy (`C_CopyObject`).
    Copy,
}

impl Rule {
    fn has(&self, note: u8) -> bool {
        self.notes.contains(&note)
    }

    /// Whether the caller must give it.
    pub(crate) fn needed(&self, origin: Origin) -> bool {
        match origin {
            Origin::Created | Origin::Adopted => self.has(1),
            Origin::Generated(_) => self.has(3),
            Origin::Unwrapped => self.has(5),
            Origin::Derived { .. } => false,
        }
    }

    /// Whether the caller may not give it. A derived key is in this a generated one.
    pub(crate) fn refused(&self, origin: Origin) -> bool {
        match origin {
            Origin::Created => self.has(2),
            Origin::Generated(_) | Origin::Derived { .. } => self.has(4),
            Origin::Unwrapped => self.has(6),
            // What no other token could say: the name that this one gives, and what it keeps of its own.
            Origin::Adopted => self.has(2) && (self.name == AttributeType::UNIQUE_ID || self.name.0 & VENDOR != 0),
        }
    }

    /// Whether no object is whole without it.
    pub(crate) fn essential(&self) -> bool {
        self.has(1)
    }

    /// Whether it shows the key itself.
    pub(crate) fn secret(&self) -> bool {
        self.has(7)
    }

    /// Whether a key that is made like another one takes this from it.
    pub(crate) fn inherited(&self, origin: Origin) -> bool {
        let of_its_own = [AttributeType::UNIQUE_ID, AttributeType::PUBLIC_KEY_INFO, AttributeType::CHECK_VALUE];
        !self.refused(origin) && !self.secret() && !self.officers() && !of_its_own.contains(&self.name)
    }

    /// Whether only the security officer may set it to true.
    pub(crate) fn officers(&self) -> bool {
        self.has(10)
    }

    /// Whether a new value may follow the one that the object has.
    pub(crate) fn may_become(&self, old: Option<&Value>, new: &Value, change: Change, officer: bool) -> bool {
        if self.officers() {
            // Who may not give trust may not take it away either; a copy has none to take.
            return officer || (change == Change::Copy && *new == Value::Flag(false));
        }
        if self.has(ERASE) {
            return new.as_bytes().is_some_and(<[u8]>::is_empty);
        }
        if change == Change::Copy && self.has(COPY) {
            return true;
        }
        let latched = |note, end| self.has(note) && old == Some(&Value::Flag(end)) && *new != Value::Flag(end);
        (self.has(8) || self.has(11) || self.has(12)) && !latched(11, true) && !latched(12, false)
    }

    /// The value when nobody says anything.
    fn default(&self, able: &[AttributeType]) -> Option<Value> {
        match self.silent {
            Silent::Absent | Silent::Computed => None,
            Silent::Flag(flag) => Some(Value::Flag(flag)),
            Silent::Able => Some(Value::Flag(able.contains(&self.name))),
            Silent::Number(number) => Some(Value::Number(number)),
            Silent::Empty if self.name.kind() == Some(Kind::Date) => Some(Value::Date(None)),
            Silent::Empty if self.name.kind() == Some(Kind::Numbers) => Some(Value::Numbers(Vec::new())),
            Silent::Empty => Some(Value::bytes([])),
        }
    }

    /// Whether an attribute of this name can have this value at all.
    ///
    /// # Errors
    /// [`Error::AttributeValueInvalid`]; for what an embedded template says also
    /// [`Error::TemplateInconsistent`] and [`Error::AttributeTypeInvalid`].
    pub(crate) fn check(&self, value: &Value) -> Result<(), Error> {
        let invalid = Err(Error::AttributeValueInvalid(self.name));
        if !self.name.kind().is_some_and(|kind| fits(kind, value)) {
            return invalid;
        }
        match (self.name, value) {
            (_, Value::Date(Some(date))) if !date.exists() => invalid,
            // "Unspecified", and three more.
            (AttributeType::CERTIFICATE_CATEGORY | AttributeType::JAVA_MIDP_SECURITY_DOMAIN, Value::Number(4..)) => {
                invalid
            }
            // Nobody has validated this token.
            (AttributeType::OBJECT_VALIDATION_FLAGS, Value::Number(1..)) => invalid,
            (_, Value::Template(template)) => check_embedded(self.name, template),
            _ => Ok(()),
        }
    }
}

/// A template that is an attribute's value: one level deep, and every attribute one that some object has.
fn check_embedded(outer: AttributeType, template: &[(AttributeType, Value)]) -> Result<(), Error> {
    for (index, (name, value)) in template.iter().enumerate() {
        let kind = name.kind().filter(|_| !INTERNAL.contains(name));
        let kind = kind.ok_or(Error::AttributeTypeInvalid(*name))?;
        if kind == Kind::Template {
            return Err(Error::AttributeValueInvalid(outer));
        }
        if !fits(kind, value) {
            return Err(Error::AttributeValueInvalid(*name));
        }
        if template.iter().take(index).any(|(before, said)| before == name && said != value) {
            return Err(Error::TemplateInconsistent("an attribute stands twice in an embedded template"));
        }
    }
    Ok(())
}

fn fits(kind: Kind, value: &Value) -> bool {
    match value {
        Value::Flag(_) => kind == Kind::Flag,
        Value::Number(_) => kind == Kind::Number,
        Value::Numbers(_) => kind == Kind::Numbers,
        Value::Date(_) => kind == Kind::Date,
        Value::Bytes(_) => matches!(kind, Kind::Bytes | Kind::BigInteger | Kind::Text),
        Value::Template(_) => kind == Kind::Template,
    }
}

/// What objects of one class and type are made of.
pub(crate) struct ObjectKind {
    class: ObjectClass,
    /// The attribute that tells the types of a class apart, and its number.
    variety: Option<(AttributeType, u64)>,
    groups: &'static [&'static [Rule]],
    /// What keys of this type can do.
    able: &'static [AttributeType],
    /// Brings what the object is made of into one form and checks it.
    pub(crate) settle: Settle,
}

impl ObjectKind {
    pub(crate) const fn key(
        class: ObjectClass,
        key_type: KeyType,
        groups: &'static [&'static [Rule]],
        able: &'static [AttributeType],
        settle: Settle,
    ) -> Self {
        Self { class, variety: Some((AttributeType::KEY_TYPE, key_type.0)), groups, able, settle }
    }

    const fn certificate(certificate_type: CertificateType, groups: &'static [&'static [Rule]]) -> Self {
        Self {
            class: ObjectClass::CERTIFICATE,
            variety: Some((AttributeType::CERTIFICATE_TYPE, certificate_type.0)),
            groups,
            able: &[],
            settle: parts::certificate,
        }
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    pub(crate) fn rule(&self, name: AttributeType) -> Option<&'static Rule> {
        self.rules().find(|rule| rule.name == name)
    }

    /// Whether it is of keys of this class.
    pub(crate) fn is_of(&self, class: ObjectClass) -> bool {
        self.class == class
    }

    /// Whether objects of this kind can come to be in this way.
    pub(crate) fn arises(&self, origin: Origin) -> bool {
        match origin {
            Origin::Created | Origin::Adopted => true,
            Origin::Generated(_) => {
                matches!(self.class, ObjectClass::PUBLIC_KEY | ObjectClass::PRIVATE_KEY | ObjectClass::SECRET_KEY)
            }
            Origin::Unwrapped => matches!(self.class, ObjectClass::PRIVATE_KEY | ObjectClass::SECRET_KEY),
            Origin::Derived { .. } => self.class == ObjectClass::SECRET_KEY,
        }
    }

    /// Says of every use that nobody has said anything about that there is none.
    pub(crate) fn deny_unsaid_uses(&self, attributes: &mut Attributes) {
        for rule in self.rules().filter(|rule| rule.silent == Silent::Able) {
            if !attributes.has(rule.name) {
                attributes.set(rule.name, Value::Flag(false));
            }
        }
    }

    /// Sets what nobody has said anything about.
    pub(crate) fn set_defaults(&self, attributes: &mut Attributes, rights: SessionRights) {
        // A session object is as private as its session can have it.
        let open = !rights.user && !attributes.flag(AttributeType::TOKEN);
        let silent = |rule: &Rule| match rule.default(self.able)? {
            Value::Flag(true) if open && rule.name == AttributeType::PRIVATE => Some(Value::Flag(false)),
            Value::Flag(true) if uses::not_by_default(attributes, rights, rule.name) => Some(Value::Flag(false)),
            value => Some(value),
        };
        let unsaid = self.rules().filter(|rule| !attributes.has(rule.name));
        let defaults: Vec<_> = unsaid.filter_map(|rule| Some((rule.name, silent(rule)?))).collect();
        defaults.into_iter().for_each(|(name, value)| attributes.set(name, value));
    }
}

/// The rules for an object that is there; `None` for one of a kind that this release does not have.
pub(crate) fn of(object: &Attributes) -> Option<&'static ObjectKind> {
    let class = object.class()?;
    let fits = |variety: Option<(AttributeType, u64)>| match variety {
        Some((name, number)) => object.number(name) == Some(number),
        None => true,
    };
    kinds().find(|kind| kind.class == class && fits(kind.variety))
}

/// The rules for an object that is to be.
///
/// # Errors
/// [`Error::TemplateIncomplete`] if class or type are not given, [`Error::AttributeValueInvalid`] if there
/// are no objects of the class or type, [`Error::TemplateInconsistent`] if there are none of both together.
pub(crate) fn for_new(template: &Attributes) -> Result<&'static ObjectKind, Error> {
    let class = template.class().ok_or(Error::TemplateIncomplete(AttributeType::CLASS))?;
    let of_class = kinds().find(|kind| kind.class == class);
    let of_class = of_class.ok_or(Error::AttributeValueInvalid(AttributeType::CLASS))?;
    let Some((name, _)) = of_class.variety else { return Ok(of_class) };
    let number = template.number(name).ok_or(Error::TemplateIncomplete(name))?;
    of(template).ok_or_else(|| {
        if kinds().any(|kind| kind.variety == Some((name, number))) {
            Error::TemplateInconsistent("no key of this class has this type")
        } else {
            Error::AttributeValueInvalid(name)
        }
    })
}

use ObjectClass as C;

/// The tables of keys, for the rows of [`crate::key::types`].
pub(crate) mod groups {
    use super::{Rule, key, private_key, public_key, secret_key, storage};

    pub(crate) const PUBLIC_RSA: &[&[Rule]] = &[storage::RULES, key::RULES, public_key::RULES, public_key::RSA];
    pub(crate) const PUBLIC_EC: &[&[Rule]] = &[storage::RULES, key::RULES, public_key::RULES, public_key::EC];
    pub(crate) const PRIVATE_RSA: &[&[Rule]] = &[storage::RULES, key::RULES, private_key::RULES, private_key::RSA];
    pub(crate) const PRIVATE_EC: &[&[Rule]] = &[storage::RULES, key::RULES, private_key::RULES, private_key::EC];
    pub(crate) const PUBLIC_DH: &[&[Rule]] = &[storage::RULES, key::RULES, public_key::RULES, public_key::DH];
    pub(crate) const PRIVATE_DH: &[&[Rule]] = &[storage::RULES, key::RULES, private_key::RULES, private_key::DH];
    pub(crate) const PUBLIC_DSA: &[&[Rule]] = &[storage::RULES, key::RULES, public_key::RULES, public_key::DSA];
    pub(crate) const PRIVATE_DSA: &[&[Rule]] = &[storage::RULES, key::RULES, private_key::RULES, private_key::DSA];
    pub(crate) const SECRET: &[&[Rule]] = &[storage::RULES, key::RULES, secret_key::RULES, secret_key::LENGTH];
    pub(crate) const SECRET_OF_ONE_LENGTH: &[&[Rule]] =
        &[storage::RULES, key::RULES, secret_key::RULES, secret_key::ONLY_LENGTH];
}

/// Every kind of object that can be made: these, and the keys.
fn kinds() -> impl Iterator<Item = &'static ObjectKind> {
    OTHERS.iter().chain(key_types::object_kinds())
}

/// Every kind of object that is no key.
static OTHERS: [ObjectKind; 4] = [
    ObjectKind {
        class: C::DATA,
        variety: None,
        groups: &[storage::RULES, data::RULES],
        able: &[],
        settle: parts::nothing,
    },
    ObjectKind::certificate(CertificateType::X_509, &[storage::RULES, certificate::RULES, certificate::X_509]),
    ObjectKind::certificate(
        CertificateType::X_509_ATTR_CERT,
        &[storage::RULES, certificate::RULES, certificate::ATTR_CERT],
    ),
    ObjectKind::certificate(CertificateType::WTLS, &[storage::RULES, certificate::RULES, certificate::WTLS]),
];

#[cfg(test)]
mod tests {
    use AttributeType as A;

    use super::*;

    #[test]
    fn every_row_is_one_of_the_specification() {
        for kind in kinds() {
            for rule in kind.rules() {
                let value_kind = rule.name.kind();
                assert!(value_kind.is_some(), "{} has no kind", rule.name);
                assert!(rule.notes.is_sorted_by(|a, b| a < b), "{}: footnotes stand in order", rule.name);
                assert!(rule.notes.iter().all(|note| matches!(note, 1..=13 | &COPY | &ERASE)), "{}", rule.name);
                if let Some(value) = rule.default(kind.able) {
                    assert!(
                        value_kind.is_some_and(|kind| fits(kind, &value)),
                        "{}: the default is of its kind",
                        rule.name
                    );
                    assert_eq!(rule.check(&value), Ok(()), "{}: the default is allowed", rule.name);
                }
            }
        }
    }

    #[test]
    fn no_attribute_has_two_rows() {
        for kind in kinds() {
            let names: Vec<_> = kind.rules().map(|rule| rule.name).collect();
            for (index, name) in names.iter().enumerate() {
                assert!(!names[..index].contains(name), "{name} of {:?}", kind.variety);
            }
        }
    }

    #[test]
    fn no_kind_of_object_has_two_tables() {
        let kinds: Vec<_> = kinds().collect();
        for (index, kind) in kinds.iter().enumerate() {
            let same = |other: &&ObjectKind| other.class == kind.class && other.variety == kind.variety;
            assert!(!kinds[..index].iter().any(same), "{:?}", kind.variety);
        }
    }

    #[test]
    fn footnotes_do_not_contradict_each_other() {
        for rule in kinds().flat_map(ObjectKind::rules) {
            for (must, must_not) in [(1, 2), (3, 4), (5, 6), (11, 12), (8, 10)] {
                assert!(!(rule.has(must) && rule.has(must_not)), "{}", rule.name);
            }
            let flag = rule.name.kind() == Some(Kind::Flag);
            assert!(flag || ![10, 11, 12].iter().any(|note| rule.has(*note)), "{} is no flag", rule.name);
            let computed = rule.silent == Silent::Computed;
            // A number of our own, which the token gives every key, and one that only a few keys get later.
            let ours = rule.name.0 > A::SR_KEY_STATE.0 || rule.name == A::SR_KEY_STATE;
            assert!(!rule.has(2) || computed || ours, "{}: what nobody may give the token computes", rule.name);
            assert!(
                !rule.essential() || rule.silent == Silent::Absent,
                "{}: what must be given has no default",
                rule.name
            );
        }
    }

    #[test]
    fn what_a_key_can_do_is_in_its_table() {
        for kind in kinds() {
            for name in kind.able {
                let row = kind.rule(*name).map(|rule| rule.silent);
                assert_eq!(row, Some(Silent::Able), "{name} of {:?}", kind.variety);
            }
        }
    }

    #[test]
    fn a_secret_is_never_modified_and_belongs_to_a_key_that_can_be_sensitive() {
        for kind in kinds() {
            for rule in kind.rules().filter(|rule| rule.secret()) {
                assert!(!rule.has(8) && !rule.has(COPY), "{}", rule.name);
                for name in [A::SENSITIVE, A::EXTRACTABLE] {
                    assert!(kind.rule(name).is_some(), "{} could not be hidden", rule.name);
                }
            }
        }
    }
}
