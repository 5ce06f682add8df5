use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use types::{ObjectHandle, SessionHandle, SlotId};

use crate::{
    Error,
    operation::Operations,
    slot::{Freshness, LoginNumber, Recent, Slot},
    token::{Profile, Role},
    uses::Tally,
};

/// A session of this process with a token.
pub(crate) struct Session {
    pub(crate) handle: SessionHandle,
    pub(crate) slot: Arc<Slot>,
    pub(crate) access: Access,
    /// The slot's generation when it was opened; with another one the session is not valid any more.
    generation: u64,
    /// What is going on in it. One lock for each session, and none that two of them share.
    pub(crate) operations: Mutex<Operations>,
    /// The key that it used last.
    pub(crate) recent: Recent,
    /// What it has counted of its uses of keys.
    pub(crate) tally: Mutex<Tally>,
    /// What was refused to it and is written down.
    pub(crate) refusals: Mutex<BTreeSet<(ObjectHandle, &'static str)>>,
    /// The token's profile when it was asked last, and what would differ if it were another one.
    seen_profile: Mutex<Option<(Freshness, Profile)>>,
}

/// What a session may do to token objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Use them.
    ReadOnly,
    /// Use, make, change and destroy them.
    ReadWrite,
}

/// Who is logged in, as a session sees it (`CK_STATE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody, in a read-only session.
    ReadOnlyPublic,
    /// The user, in a read-only session.
    ReadOnlyUser,
    /// Nobody, in a read-write session.
    ReadWritePublic,
    /// The user, in a read-write session.
    ReadWriteUser,
    /// The security officer, in a read-write session.
    ReadWriteOfficer,
}

impl State {
    /// The number of the state in the specification.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::ReadOnlyPublic => 0,
            Self::ReadOnlyUser => 1,
            Self::ReadWritePublic => 2,
            Self::ReadWriteUser => 3,
            Self::ReadWriteOfficer => 4,
        }
    }
}

/// What `C_GetSessionInfo` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// The slot whose token the session is with.
    pub slot: SlotId,
    /// Who is logged in.
    pub state: State,
    /// What the session may do.
    pub access: Access,
    /// An error of the device; always 0.
    pub device_error: u64,
}

impl Session {
    /// Which uses of keys the token allows, without a lock or a look that other sessions share unless somebody has changed the
    /// token's head since.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn profile(&self) -> Result<Profile, Error> {
        // Asked before the profile is read: a change after it is seen at the next use.
        let now = self.slot.freshness_of_head()?;
        let mut seen = self.seen_profile.lock();
        if let Some((at, profile)) = *seen
            && at == now
        {
            return Ok(profile);
        }
        let profile = self.slot.profile()?;
        *seen = Some((now, profile));
        Ok(profile)
    }

    pub(crate) fn new(handle: SessionHandle, slot: Arc<Slot>, access: Access, generation: u64) -> Self {
        Self {
            handle,
            slot,
            access,
            generation,
            operations: Mutex::default(),
            recent: Recent::new(),
            tally: Mutex::default(),
            refusals: Mutex::default(),
            seen_profile: Mutex::default(),
        }
    }

    /// Whether the token is still the one that the session was opened with.
    pub(crate) fn is_valid(&self) -> bool {
        self.generation == self.slot.generation()
    }

    /// The login that there is now.
    pub(crate) fn now(&self) -> LoginNumber {
        self.slot.login_number()
    }

    /// # Errors
    /// [`Error::SessionReadOnly`] unless it may change token objects.
    pub(crate) fn must_be_read_write(&self) -> Result<(), Error> {
        match self.access {
            Access::ReadOnly => Err(Error::SessionReadOnly),
            Access::ReadWrite => Ok(()),
        }
    }

    pub(crate) fn state(&self) -> State {
        match (self.access, self.slot.role()) {
            (Access::ReadOnly, None) => State::ReadOnlyPublic,
            // There is no read-only session while the officer is logged in.
            (Access::ReadOnly, Some(_)) => State::ReadOnlyUser,
            (Access::ReadWrite, None) => State::ReadWritePublic,
            (Access::ReadWrite, Some(Role::User)) => State::ReadWriteUser,
            (Access::ReadWrite, Some(Role::Officer)) => State::ReadWriteOfficer,
        }
    }
}
