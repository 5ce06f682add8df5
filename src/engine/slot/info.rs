//! What slots and tokens tell of themselves.

/// What `C_GetSlotInfo` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotInfo {
    /// What the slot is called.
    pub description: String,
    /// Who made it.
    pub manufacturer: &'static str,
    /// Whether its token is said to be one that can be taken out.
    pub removable: bool,
    /// Version of the hardware, major and minor.
    pub hardware: (u8, u8),
    /// Version of the firmware, major and minor.
    pub firmware: (u8, u8),
}

/// What `C_GetTokenInfo` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// The label, padded with blanks.
    pub label: [u8; 32],
    /// Who made it.
    pub manufacturer: &'static str,
    /// The model.
    pub model: &'static str,
    /// The serial number; empty if the token is not initialised.
    pub serial: String,
    /// The `CKF_` flags.
    pub flags: u64,
    /// How many sessions can be open; 0 means that there is no limit.
    pub max_sessions: u64,
    /// How many this process has open.
    pub sessions: u64,
    /// How many read-write sessions can be open; 0 means that there is no limit.
    pub max_rw_sessions: u64,
    /// How many this process has open.
    pub rw_sessions: u64,
    /// The longest PIN in bytes.
    pub max_pin_len: u64,
    /// The shortest PIN in bytes.
    pub min_pin_len: u64,
    /// Version of the hardware, major and minor.
    pub hardware: (u8, u8),
    /// Version of the firmware, major and minor.
    pub firmware: (u8, u8),
}
