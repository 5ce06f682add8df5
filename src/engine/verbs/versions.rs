//! What was made by an older version of a key, opened by naming the newest one (`mechanism::Versions`).

use std::sync::Arc;

use crypto::{Error as Fault, Secret};
use types::{AttributeType, Params, Value};

use crate::{
    Error,
    mechanism::{Mechanism, SinglePart, Start, Transform, Versions},
    object::{self, KeyState, Object},
    session::Session,
    uses::{Operation, Outcome},
};

use super::key_usage::{DECRYPT, KeyUsage, UsableKey};

/// The attributes that all versions of a key have in common.
const COMMON: [AttributeType; 4] =
    [AttributeType::CLASS, AttributeType::KEY_TYPE, AttributeType::LABEL, AttributeType::ID];

/// What an older version can be.
const STATES: [KeyState; 2] = [KeyState::Retired, KeyState::Compromised];

impl Session {
    /// The older versions of a key that may be used in this way, the newest first; none unless the mechanism asks for them. That
    /// they are used is not written down yet.
    pub(super) fn older(&self, key: &Object, usage: &KeyUsage, row: &Mechanism) -> Result<Vec<UsableKey>, Error> {
        let newest = object::version(&key.attributes);
        if row.versions == Versions::Named || newest == 1 {
            return Ok(Vec::new());
        }
        let common = COMMON.iter().filter_map(|name| Some((*name, key.attributes.get(*name)?.duplicate())));
        let common: Vec<(AttributeType, Value)> = common.collect();
        let mut found = Vec::new();
        for state in STATES {
            let mut template: Vec<_> = common.iter().map(|(name, value)| (*name, value.duplicate())).collect();
            template.push((AttributeType::SR_KEY_STATE, state.value()));
            for record in self.slot.search(&template)? {
                let now = self.slot.freshness(record)?;
                // One that is damaged opens nothing; the others may.
                let Ok(Some(version)) = self.slot.load(record) else { continue };
                let older = object::version(&version.attributes) < newest && !object::is_barred(&version.attributes);
                if !older || !object::matches(&version.attributes, &template) {
                    continue;
                }
                let handle = self.slot.handle_of(record, version, now);
                if let Ok(version) = self.usable(handle, usage, row) {
                    found.push(version);
                }
            }
        }
        found.sort_by_key(|version| std::cmp::Reverse(object::version(&version.attributes)));
        Ok(found)
    }

    /// Lets a decryption by a key try its older versions, too.
    pub(super) fn with_older(
        self: &Arc<Self>,
        newest: Transform,
        key: &Object,
        row: &'static Mechanism,
        (begin, params): (Start<Transform>, &Params),
    ) -> Result<Transform, Error> {
        let Transform::SinglePart(newest) = newest else { return Ok(newest) };
        let mut older = Vec::new();
        for version in self.older(key, &DECRYPT, row)? {
            if let Transform::SinglePart(run) = begin(&version, params)? {
                older.push((Arc::clone(version.object()), run));
            }
        }
        if older.is_empty() {
            return Ok(Transform::SinglePart(newest));
        }
        let session = Arc::downgrade(self);
        let note: Note = Box::new(move |version: &Arc<Object>| {
            let session = session.upgrade().ok_or(Error::SessionClosed)?;
            let way = (Operation::By(DECRYPT.attribute), Some(row.id), Outcome::Allowed);
            session.slot.note_use(&session.tally, version, way)
        });
        Ok(Transform::SinglePart(Box::new(Attempts { newest, older, note })))
    }
}

type Note = Box<dyn Fn(&Arc<Object>) -> Result<(), Error> + Send>;

/// Decryptions of one thing by all versions of a key.
struct Attempts {
    newest: Box<dyn SinglePart>,
    /// The newest of them first.
    older: Vec<(Arc<Object>, Box<dyn SinglePart>)>,
    /// Writes down that one of them was used.
    note: Note,
}

impl SinglePart for Attempts {
    fn output_len(&self, input_len: usize) -> usize {
        self.newest.output_len(input_len)
    }

    fn run(&mut self, input: &[u8]) -> Result<Secret, Error> {
        let first = self.newest.run(input);
        if !matches!(first, Err(Error::Crypto(Fault::CiphertextInvalid))) {
            return first;
        }
        for (version, run) in &mut self.older {
            if let Ok(plain) = run.run(input) {
                (self.note)(version)?;
                return Ok(plain);
            }
        }
        first
    }
}
