//! Index terms: by what objects are found without unsealing all of them.

use store::IndexTerm;
use types::{AttributeType, Value};

use super::{
    record::value_bytes,
    seal::{DomainKeys, Hasher, Keys},
};
use crate::{
    Error,
    object::{Attributes, KeyState, Visibility},
};

/// The attributes by which objects are found, the rarest value first.
const INDEXED: [AttributeType; 11] = [
    AttributeType::UNIQUE_ID,
    AttributeType::ID,
    AttributeType::LABEL,
    AttributeType::SERIAL_NUMBER,
    AttributeType::SUBJECT,
    AttributeType::OBJECT_ID,
    AttributeType::APPLICATION,
    AttributeType::ISSUER,
    AttributeType::KEY_TYPE,
    AttributeType::CERTIFICATE_TYPE,
    AttributeType::CLASS,
];

/// The domain of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    /// Objects that are there.
    Live = 1,
    /// Keys that are not found by what they are: destroyed for a time, or replaced by another version.
    Hidden = 2,
}

impl Domain {
    pub(super) fn of(attributes: &Attributes) -> Self {
        if KeyState::of(attributes).is_hidden() { Self::Hidden } else { Self::Live }
    }
}

/// More terms than this are not asked for: what is found is compared with the template anyway.
const ASKED_AT_MOST: usize = 2;

/// Makes terms. Those of private objects say nothing to who has not the token's key; those of public
/// objects anybody can make who reads the token header, like the objects themselves.
pub(super) enum Indexer<'a> {
    Private(&'a DomainKeys),
    Public(Hasher),
}

impl<'a> Indexer<'a> {
    pub(super) fn public(salt: &[u8; 16]) -> Result<Self, Error> {
        Hasher::new(salt).map(Self::Public)
    }

    /// Which one finds this object.
    pub(super) fn for_object(attributes: &Attributes, keys: &'a Keys, salt: &[u8; 16]) -> Result<Self, Error> {
        match attributes.visibility() {
            Visibility::Private => keys.domain().map(Self::Private).ok_or(Error::UserNotLoggedIn),
            Visibility::Public => Self::public(salt),
        }
    }

    /// The terms by which an object is found.
    pub(super) fn terms(&self, attributes: &Attributes) -> Vec<IndexTerm> {
        let domain = Domain::of(attributes);
        // All that are hidden are found by their state.
        let state = (domain == Domain::Hidden).then_some(AttributeType::SR_KEY_STATE);
        let names = INDEXED.into_iter().chain(state);
        names.filter_map(|name| Some(self.term(domain, name, attributes.get(name)?))).collect()
    }

    /// The terms that objects like this have; none if the template has nothing that is indexed.
    pub(super) fn asked(&self, domain: Domain, template: &[(AttributeType, Value)]) -> Vec<IndexTerm> {
        let state = (domain == Domain::Hidden).then_some(AttributeType::SR_KEY_STATE);
        let named = |name: AttributeType| template.iter().find(move |(given, _)| *given == name);
        let names = INDEXED.into_iter().chain(state);
        let terms = names.filter_map(|name| named(name).map(|(name, value)| self.term(domain, *name, value)));
        terms.take(ASKED_AT_MOST).collect()
    }

    fn term(&self, domain: Domain, name: AttributeType, value: &Value) -> IndexTerm {
        let hasher = match self {
            Self::Private(keys) => &keys.index,
            Self::Public(hasher) => hasher,
        };
        IndexTerm(hasher.hash(&[&[domain as u8], &name.0.to_be_bytes(), &value_bytes(value)]))
    }
}
