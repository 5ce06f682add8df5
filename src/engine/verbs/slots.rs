use types::{MechanismType, SessionHandle, SlotId};

use crate::{
    Engine, Error, RELEASE, Report, SlotInfo, Summary, TokenInfo,
    mechanism::{self, Mechanism},
    token::{NewRules, Pins, Role, Rotated, SignedPolicy, Tries},
};

/// The `CKF_` bits of a token (PKCS#11, `CK_TOKEN_INFO`).
mod flag {
    pub(super) const RNG: u64 = 0x0000_0001;
    pub(super) const WRITE_PROTECTED: u64 = 0x0000_0002;
    pub(super) const LOGIN_REQUIRED: u64 = 0x0000_0004;
    pub(super) const USER_PIN_INITIALIZED: u64 = 0x0000_0008;
    pub(super) const DUAL_CRYPTO_OPERATIONS: u64 = 0x0000_0200;
    pub(super) const TOKEN_INITIALIZED: u64 = 0x0000_0400;
    pub(super) const USER_PIN_COUNT_LOW: u64 = 0x0001_0000;
    pub(super) const USER_PIN_FINAL_TRY: u64 = 0x0002_0000;
    pub(super) const USER_PIN_LOCKED: u64 = 0x0004_0000;
    pub(super) const SO_PIN_COUNT_LOW: u64 = 0x0010_0000;
    pub(super) const SO_PIN_FINAL_TRY: u64 = 0x0020_0000;
    pub(super) const SO_PIN_LOCKED: u64 = 0x0040_0000;
}

impl Engine {
    /// The slots: those with a token in the order of their numbers, then the free one. Every slot has a
    /// token, initialised or not.
    #[must_use]
    pub fn slots(&self) -> Vec<SlotId> {
        let mut slots: Vec<_> = self.slots.locations().iter().map(|location| self.slots.number(location)).collect();
        slots.push(self.slots.free());
        slots
    }

    /// The slots as a caller lists them: a change is seen when they are counted again (`C_GetSlotList` with NULL), so that the
    /// room for as many as were counted is enough.
    #[must_use]
    pub fn slot_list(&self, counts: bool) -> Vec<SlotId> {
        let mut told = self.told.lock();
        match &*told {
            Some(known) if !counts => known.clone(),
            _ => {
                let slots = self.slots();
                if counts {
                    *told = Some(slots.clone());
                }
                slots
            }
        }
    }

    /// The slots that have a token, for who wants to know why there is none. [`Engine::slots`] logs that only.
    ///
    /// # Errors
    /// The store's, if the directory cannot be listed.
    pub fn tokens(&self) -> Result<Vec<SlotId>, Error> {
        self.slots.with_token()
    }

    /// # Errors
    /// [`Error::SlotIdInvalid`].
    pub fn slot_info(&self, slot: SlotId) -> Result<SlotInfo, Error> {
        self.must_be_slot(slot)?;
        Ok(SlotInfo {
            description: self.settings.compatibility.description(slot.0),
            manufacturer: self.names().manufacturer,
            removable: self.settings.softhsm.as_ref().is_some_and(|config| config.removable),
            hardware: (0, 0),
            firmware: RELEASE,
        })
    }

    /// # Errors
    /// [`Error::SlotIdInvalid`], and what the store says of a token that cannot be read.
    pub fn token_info(&self, slot: SlotId) -> Result<TokenInfo, Error> {
        let blank = TokenInfo {
            label: [b' '; 32],
            manufacturer: self.names().manufacturer,
            model: self.names().model,
            serial: String::new(),
            flags: flag::RNG | flag::LOGIN_REQUIRED,
            max_sessions: 0,
            sessions: 0,
            max_rw_sessions: 0,
            rw_sessions: 0,
            // Those of a token that is yet to be made.
            max_pin_len: 255,
            min_pin_len: 4,
            hardware: (0, 0),
            firmware: RELEASE,
        };
        let slot = match self.slots.open(slot, &self.settings) {
            Ok(slot) => slot,
            Err(Error::TokenNotInitialized) => return Ok(blank),
            Err(fault) => return Err(fault),
        };
        let summary = slot.summary()?;
        let open = slot.session_count();
        let (user, officer) = (summary.user_tries, summary.officer_tries);
        let states = [
            (true, flag::TOKEN_INITIALIZED | flag::DUAL_CRYPTO_OPERATIONS),
            (summary.user_pin_set, flag::USER_PIN_INITIALIZED),
            (summary.write_protected, flag::WRITE_PROTECTED),
            (user.wrong(), flag::USER_PIN_COUNT_LOW),
            (user.last(), flag::USER_PIN_FINAL_TRY),
            (user == Tries::Locked, flag::USER_PIN_LOCKED),
            (officer.wrong(), flag::SO_PIN_COUNT_LOW),
            (officer.last(), flag::SO_PIN_FINAL_TRY),
            (officer == Tries::Locked, flag::SO_PIN_LOCKED),
        ];
        Ok(TokenInfo {
            label: summary.label,
            serial: summary.serial.as_str().to_owned(),
            flags: states.iter().filter(|(holds, _)| *holds).fold(blank.flags, |flags, (_, bits)| flags | bits),
            sessions: (open.read_only + open.read_write) as u64,
            rw_sessions: open.read_write as u64,
            max_pin_len: *summary.pin_len.end() as u64,
            min_pin_len: *summary.pin_len.start() as u64,
            ..blank
        })
    }

    /// What a token tells beside [`Engine::token_info`].
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`], [`Error::TokenNotInitialized`], and the store's.
    pub fn token_summary(&self, slot: SlotId) -> Result<Summary, Error> {
        self.slots.open(slot, &self.settings)?.summary()
    }

    /// The mechanisms of a slot's token.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`].
    pub fn mechanisms(&self, slot: SlotId) -> Result<Vec<MechanismType>, Error> {
        self.must_be_slot(slot)?;
        Ok(mechanism::all().map(|row| row.id).filter(|id| self.offers(*id)).collect())
    }

    /// What a mechanism can do.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`], [`Error::MechanismInvalid`].
    pub fn mechanism_info(&self, slot: SlotId, id: MechanismType) -> Result<&'static Mechanism, Error> {
        self.must_be_slot(slot)?;
        self.mechanism(id).ok_or(Error::MechanismInvalid)
    }

    /// A mechanism, if it is offered to callers.
    #[must_use]
    pub fn mechanism(&self, id: MechanismType) -> Option<&'static Mechanism> {
        mechanism::find(id).filter(|_| self.offers(id))
    }

    fn offers(&self, id: MechanismType) -> bool {
        self.settings.softhsm.as_ref().is_none_or(|config| config.mechanisms.offer(id))
    }

    /// Makes a token in the free slot, or makes the token of another slot anew: then the PIN must be its
    /// officer's, and everything in it is destroyed. The label is padded with blanks.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`], [`Error::SessionExists`], [`Error::PinIncorrect`], [`Error::PinLocked`],
    /// [`Error::PinLenRange`], and those of the store.
    pub fn init_token(&self, slot: SlotId, so_pin: &[u8], label: &[u8; 32]) -> Result<(), Error> {
        let slot = match self.slots.open(slot, &self.settings) {
            Err(Error::TokenNotInitialized) => return self.slots.create(slot, so_pin, label, &self.settings),
            opened => opened?,
        };
        slot.reinitialize(so_pin, label)
    }

    /// Makes a token in the free slot, and in no other: whoever means a new token does not destroy one that somebody has made
    /// there meanwhile.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`] if the slot is not free any more, [`Error::PinLenRange`], and the store's.
    pub fn create_token(&self, slot: SlotId, so_pin: &[u8], label: &[u8; 32]) -> Result<(), Error> {
        match self.slots.open(slot, &self.settings) {
            Err(Error::TokenNotInitialized) => self.slots.create(slot, so_pin, label, &self.settings),
            Ok(_) => Err(Error::SlotIdInvalid),
            Err(fault) => Err(fault),
        }
    }

    /// Makes a token that keeps a serial number: that of a token of other software which is moved here. Gives its slot, which
    /// with [`crate::Compatibility::SoftHsm`] is the one that SoftHSM has for it.
    ///
    /// # Errors
    /// [`Error::ArgumentsBad`] if it is not 16 hexadecimal digits in lower case; [`Error::SlotIdInvalid`] if the serial number or
    /// the slot is taken; [`Error::PinLenRange`], and the store's.
    pub fn create_token_as(&self, serial: &str, so_pin: &[u8], label: &[u8; 32]) -> Result<SlotId, Error> {
        self.slots.create_kept(serial, so_pin, label, &self.settings)
    }

    /// Removes a token and everything in it, for good. Needs its officer's PIN.
    ///
    /// # Errors
    /// Those of [`Engine::init_token`].
    pub fn delete_token(&self, slot: SlotId, so_pin: &[u8]) -> Result<(), Error> {
        let opened = self.slots.open(slot, &self.settings)?;
        opened.must_have_no_session()?;
        opened.verify_pin(Role::Officer, so_pin)?;
        opened.must_have_no_session()?;
        opened.must_not_keep_keys()?;
        self.slots.remove(slot)
    }

    /// Takes a token that is older than this machine has seen it, as it is after a backup was put back. Needs the
    /// officer's PIN.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`], [`Error::PinIncorrect`], [`Error::PinLocked`], and the store's.
    pub fn accept_rollback(&self, slot: SlotId, so_pin: &[u8]) -> Result<(), Error> {
        self.slots.open(slot, &self.settings)?.accept_rollback(so_pin)
    }

    /// Changes rules of a token. The user's PIN is needed only where recovery changes.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`], [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::ArgumentsBad`] if the user's PIN is
    /// missing or a value is out of bounds, and the store's.
    /// [`Error::PolicySigned`] if what changes them has to be signed.
    pub fn change_rules(&self, slot: SlotId, pins: &Pins<'_>, rules: NewRules) -> Result<(), Error> {
        self.slots.open(slot, &self.settings)?.change_rules(pins, rules, None)
    }

    /// Changes rules of a token to what a signed policy says, which the caller has read. From then on what changes them has to be
    /// signed, and be newer.
    ///
    /// # Errors
    /// As [`Engine::change_rules`]; [`Error::PolicySignature`], [`Error::PolicyVersion`].
    pub fn apply_policy(
        &self,
        slot: SlotId,
        pins: &Pins<'_>,
        rules: NewRules,
        policy: &SignedPolicy<'_>,
    ) -> Result<(), Error> {
        self.slots.open(slot, &self.settings)?.change_rules(pins, rules, Some(policy))
    }

    /// Gives a token other keys and seals everything in it anew, or goes on where that was interrupted. Every login of before
    /// is over then. `progress` is told how many records are done, and of how many.
    ///
    /// # Errors
    /// [`Error::SlotIdInvalid`], [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::ArgumentsBad`] if the user has
    /// a PIN and it is not given, [`Error::Tampered`], and the store's. What is done by then stays done.
    pub fn rotate_keys(
        &self,
        slot: SlotId,
        pins: &Pins<'_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Rotated, Error> {
        self.slots.open(slot, &self.settings)?.rotate_keys(pins, progress)
    }

    /// Sets the user's PIN; the officer must be logged in.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], [`Error::PinLenRange`], and those of the store.
    pub fn init_pin(&self, session: SessionHandle, pin: &[u8]) -> Result<(), Error> {
        self.session(session)?.slot.init_pin(pin)
    }

    /// Changes the PIN of who is logged in, or the user's if nobody is.
    ///
    /// # Errors
    /// [`Error::SessionReadOnly`], [`Error::PinIncorrect`], [`Error::PinLocked`], [`Error::PinLenRange`],
    /// [`Error::UserPinNotInitialized`], and those of the store.
    pub fn set_pin(&self, session: SessionHandle, old: &[u8], new: &[u8]) -> Result<(), Error> {
        let session = self.session(session)?;
        session.must_be_read_write()?;
        session.slot.set_pin(old, new)
    }

    /// Reads and opens every object of the session's token; somebody must be logged in.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`], and the store's. What is found to be wrong is in the report.
    pub fn check_token(&self, session: SessionHandle) -> Result<Report, Error> {
        self.session(session)?.slot.check()
    }

    /// What is wrong with the tokens as a whole, in words; nothing if nothing is.
    ///
    /// # Errors
    /// Those of the store.
    pub fn slot_conflicts(&self) -> Result<Vec<String>, Error> {
        let conflicts = self.slots.conflicts()?;
        let words = |conflict: &store::SlotConflict| {
            let store::SlotConflict { slot, owner, token } = conflict;
            format!(
                "tokens {} and {} both ask for slot {slot}: {} was there first and keeps it, {} is in slot {}",
                owner.as_str(),
                token.serial.as_str(),
                owner.as_str(),
                token.serial.as_str(),
                token.slot
            )
        };
        Ok(conflicts.iter().map(words).collect())
    }

    fn must_be_slot(&self, slot: SlotId) -> Result<(), Error> {
        if self.slots().contains(&slot) { Ok(()) } else { Err(Error::SlotIdInvalid) }
    }
}
