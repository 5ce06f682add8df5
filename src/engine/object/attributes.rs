use types::{AttributeType, KeyType, ObjectClass, Value};

/// Who may see an object (CKA_PRIVATE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Everybody.
    Public,
    /// The user.
    Private,
}

/// The attributes of one object, each at most once, in the order of their numbers.
#[derive(Default)]
pub(crate) struct Attributes(Vec<(AttributeType, Value)>);

impl Attributes {
    pub(crate) fn get(&self, name: AttributeType) -> Option<&Value> {
        let index = self.0.binary_search_by_key(&name, |(known, _)| *known).ok()?;
        self.0.get(index).map(|(_, value)| value)
    }

    /// Sets an attribute, whether it was there or not.
    pub(crate) fn set(&mut self, name: AttributeType, value: Value) {
        match self.0.binary_search_by_key(&name, |(known, _)| *known) {
            Ok(index) => {
                if let Some(entry) = self.0.get_mut(index) {
                    entry.1 = value;
                }
            }
            Err(index) => self.0.insert(index, (name, value)),
        }
    }

    pub(crate) fn remove(&mut self, name: AttributeType) -> Option<Value> {
        let index = self.0.binary_search_by_key(&name, |(known, _)| *known).ok()?;
        Some(self.0.remove(index).1)
    }

    pub(crate) fn has(&self, name: AttributeType) -> bool {
        self.get(name).is_some()
    }

    /// A flag; one that the object does not have is false.
    pub(crate) fn flag(&self, name: AttributeType) -> bool {
        self.get(name).and_then(Value::as_flag).unwrap_or(false)
    }

    /// Who may see an object with these attributes.
    pub(crate) fn visibility(&self) -> Visibility {
        if self.flag(AttributeType::PRIVATE) { Visibility::Private } else { Visibility::Public }
    }

    pub(crate) fn number(&self, name: AttributeType) -> Option<u64> {
        self.get(name).and_then(Value::as_number)
    }

    pub(crate) fn bytes(&self, name: AttributeType) -> Option<&[u8]> {
        self.get(name).and_then(Value::as_bytes)
    }

    pub(crate) fn class(&self) -> Option<ObjectClass> {
        self.number(AttributeType::CLASS).map(ObjectClass)
    }

    pub(crate) fn key_type(&self) -> Option<KeyType> {
        self.number(AttributeType::KEY_TYPE).map(KeyType)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (AttributeType, &Value)> + Clone {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    pub(crate) fn duplicate(&self) -> Self {
        self.iter().map(|(name, value)| (name, value.duplicate())).collect()
    }
}

impl FromIterator<(AttributeType, Value)> for Attributes {
    /// Of duplicates, the last counts.
    fn from_iter<I: IntoIterator<Item = (AttributeType, Value)>>(entries: I) -> Self {
        let mut attributes = Self::default();
        for (name, value) in entries {
            attributes.set(name, value);
        }
        attributes
    }
}
