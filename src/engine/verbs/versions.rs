//! What was made by an older version of a key, opened by naming the newest one (`mechanism::Versions`).

use std::sync::{Arc, Weak};

use crypto::{Error as Fault, Secret};
use types::{AttributeType, ObjectHandle, Params};

use crate::{
    Error,
    mechanism::{Mechanism, SinglePart, Start, Transform, Versions},
    object::{self, KeyState, Object},
    session::Session,
    uses::{Operation, Outcome},
};

use super::key_usage::{DECRYPT, KeyUsage, UsableKey};

/// What an older version can be.
const STATES: [KeyState; 2] = [KeyState::Retired, KeyState::Compromised];

impl Session {
    /// The older versions of a key that may be used in this way, the newest first; none unless the mechanism asks for them, and of
    /// none that is for one import. That they are used is not written down yet.
    pub(super) fn older(&self, key: &Object, usage: &KeyUsage, row: &Mechanism) -> Result<Vec<UsableKey>, Error> {
        let newest = object::version(&key.attributes);
        if row.versions == Versions::Named || newest == 1 || key.facts.import_until.is_some() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for state in STATES {
            let Some(mut template) = object::common(&key.attributes) else { break };
            template.push((AttributeType::SR_KEY_STATE, state.value()));
            for record in self.slot.search(&template)? {
                let now = self.slot.freshness(record)?;
                // One that is damaged opens nothing; the others may.
                let Ok(Some(version)) = self.slot.load(record) else { continue };
                let older = object::version(&version.attributes) < newest && !object::is_barred(&version.attributes);
                let fits = older && version.facts.import_until.is_none();
                if !fits || !object::matches(&version.attributes, &template) {
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

    /// Lets a decryption by a key try its older versions if it opens nothing.
    pub(super) fn with_older(
        self: &Arc<Self>,
        newest: Transform,
        (handle, row): (ObjectHandle, &'static Mechanism),
        (begin, params): (Start<Transform>, &Params),
    ) -> Transform {
        match newest {
            Transform::SinglePart(newest) if row.versions == Versions::All => {
                let older = Older { session: Arc::downgrade(self), handle, row, begin, params: params.clone() };
                Transform::SinglePart(Box::new(Attempts { newest, older }))
            }
            other => other,
        }
    }
}

/// Decryptions of one thing by all versions of a key.
struct Attempts {
    newest: Box<dyn SinglePart>,
    older: Older,
}

/// What finds the older versions of a key, and begins with them.
struct Older {
    /// Not held: the session holds this.
    session: Weak<Session>,
    handle: ObjectHandle,
    row: &'static Mechanism,
    begin: Start<Transform>,
    params: Params,
}

impl Older {
    /// What one of them makes of it; `None` if it is nothing to any.
    fn open(&self, input: &[u8]) -> Result<Option<Secret>, Error> {
        let session = self.session.upgrade().ok_or(Error::SessionClosed)?;
        let key = session.slot.object(self.handle)?;
        for version in session.older(&key, &DECRYPT, self.row)? {
            // One that cannot begin opens nothing.
            let Ok(Transform::SinglePart(mut run)) = (self.begin)(&version, &self.params) else { continue };
            match run.run(input) {
                Ok(plain) => {
                    let way = (Operation::By(DECRYPT.attribute), Some(self.row.id), Outcome::Allowed);
                    session.slot.note_use(&session.tally, version.object(), way)?;
                    return Ok(Some(plain));
                }
                Err(Error::Crypto(Fault::CiphertextInvalid)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(None)
    }
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
        self.older.open(input)?.map_or(first, Ok)
    }
}
