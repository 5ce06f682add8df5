//! PKCS#11 itself: who may do what, when, and what it means.
//!
//! [`Engine`] is the whole module without its C skin. Its methods take and return plain values, never
//! pointers, so that the same engine serves the shared object, the command and, one day, a daemon.
//! The methods are in `verbs`, a file for each chapter of the specification.
#![forbid(unsafe_code)]

mod alarms;
pub mod attestation;
pub mod audit;
pub mod backup;
pub mod blob;
mod compatibility;
mod curve;
mod der;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod handles;
mod hex;
mod key;
mod line;
pub mod mechanism;
mod message;
mod object;
mod operation;
pub mod profile;
pub mod replay;
mod saved;
mod session;
pub mod settings;
mod slot;
mod token;
mod uses;
mod verbs;
mod wrapping;

use std::sync::Arc;

use parking_lot::Mutex;
use store::{TokenDirectory, memory::MemoryTokenDirectory, sqlite::SqliteTokenDirectory};
use types::{SessionHandle, SlotId};

use handles::Table;
use session::Session;
use slot::Slots;

pub use compatibility::{Compatibility, Names};
pub use crypto::{keys, use_heap};
pub use error::Error;
pub use object::KeyState;
pub use session::{Access, SessionInfo, State};
pub use settings::{PinCost, Problem, ProblemKind, Settings};
pub use slot::{SlotInfo, TokenInfo};
pub use softhsm::{Config as SoftHsmConfig, LogLevel};
pub use store::sqlite::{ForkGuard, HeldFiles, fork_guard, held_files};
pub use store::{UseEntry, UseTotal};
pub use token::{
    Lifecycle, NewRules, Pins, PolicySigner, Profile, Recovery, Report, Rotated, SignedPolicy, Start, Summary, USES,
    UsesHead, UsesVerifier,
};
pub use uses::{Outcome as UseOutcome, UseAudit};

pub use verbs::{Adoptable, MessagePart, Over, PendingKey, Restored, Standing, User, View, Witness};

/// Who made the module: in slot, token and library information, and in users' `pkcs11:` URIs, for ever.
pub const MANUFACTURER: &str = "strongroom";
/// The token's model, likewise.
pub const MODEL: &str = "strongroom";
/// The release, as major and minor number.
pub const RELEASE: (u8, u8) = (0, 1);

/// The module: every token that this process can reach, every session and object handle it has.
pub struct Engine {
    slots: Slots,
    /// Where the tokens are, for what is done to one as a whole.
    directory: Arc<dyn TokenDirectory>,
    sessions: Table<Arc<Session>>,
    state_key: saved::StateKey,
    /// The slots as they were last counted for a caller.
    told: Mutex<Option<Vec<SlotId>>>,
    settings: Settings,
}

impl Engine {
    /// A module over the embedded store. Touches nothing: not the store, not the process.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let token_directory = SqliteTokenDirectory::new(settings.store.clone(), settings.state.clone());
        Self::over(Arc::new(token_directory), settings)
    }

    /// A module whose tokens are in this process's memory, and gone with it.
    #[must_use]
    pub fn in_memory(settings: Settings) -> Self {
        Self::over(Arc::new(MemoryTokenDirectory::new()), settings)
    }

    /// A module over any store.
    #[must_use]
    pub fn over(token_directory: Arc<dyn TokenDirectory>, settings: Settings) -> Self {
        Self {
            slots: Slots::new(Arc::clone(&token_directory), settings.compatibility),
            directory: token_directory,
            sessions: Table::new(),
            state_key: saved::StateKey::default(),
            told: Mutex::default(),
            settings,
        }
    }

    /// What the module was set to.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the module and its tokens are called.
    #[must_use]
    pub fn names(&self) -> &'static Names {
        self.settings.compatibility.names()
    }

    /// The directory with tokens of SoftHSM's that are not seen here, as long as there are no others.
    #[must_use]
    pub fn tokens_to_migrate(&self) -> Option<&std::path::Path> {
        let config = self.settings.softhsm.as_ref()?;
        let none = self.tokens().is_ok_and(|tokens| tokens.is_empty());
        (none && softhsm::has_tokens(&config.token_directory)).then_some(config.token_directory.as_path())
    }

    /// Ends what is going on, as the module is finalised: every login, and what is kept of it.
    pub fn finalize(&self) {
        self.write_all_uses();
        self.slots.finalize();
    }

    fn session(&self, handle: SessionHandle) -> Result<Arc<Session>, Error> {
        let session = self.sessions.get(handle.0).ok_or(Error::SessionHandleInvalid)?;
        if session.is_valid() {
            return Ok(session);
        }
        self.sessions.remove(handle.0);
        Err(Error::SessionHandleInvalid)
    }
}
