//! What holds for a token as a whole. The officer changes it, and the sealed header vouches for it.

use std::{fmt, str::FromStr};

use super::{bytes::Reader, signer::PolicySigner};
use crate::uses::UseAudit;

/// What holds for a token as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) profile: Profile,
    pub(super) recovery: Recovery,
    /// A section of its own.
    pub(super) uses: UseAudit,
    /// Another, if what changes this has to be signed.
    pub(super) signer: Option<PolicySigner>,
}

/// Which uses of keys a token allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// What clients of other tokens do works.
    #[default]
    Compatible,
    /// What could let a key out in a way that its owner did not mean is refused.
    Strict,
}

/// Whether the officer can give a user who forgot his PIN his private objects back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recovery {
    /// He can: his ring has the domain key.
    #[default]
    ByOfficer,
    /// Nobody can. A PIN that the officer sets anew opens nothing that was private before.
    Never,
}

impl Policy {
    /// What a new token has of this profile.
    pub(super) fn new(profile: Profile, recovery: Recovery) -> Self {
        let uses = match profile {
            Profile::Compatible => UseAudit::Off,
            Profile::Strict => UseAudit::Counted,
        };
        Self { profile, recovery, uses, signer: None }
    }

    pub(super) fn encode(self) -> [u8; 2] {
        let profile = match self.profile {
            Profile::Compatible => 1,
            Profile::Strict => 2,
        };
        let recovery = match self.recovery {
            Recovery::ByOfficer => 1,
            Recovery::Never => 2,
        };
        [profile, recovery]
    }

    /// `None` if it says what we never write.
    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let profile = match from.u8()? {
            1 => Profile::Compatible,
            2 => Profile::Strict,
            _ => return None,
        };
        let recovery = match from.u8()? {
            1 => Recovery::ByOfficer,
            2 => Recovery::Never,
            _ => return None,
        };
        Some(Self { profile, recovery, uses: UseAudit::Off, signer: None })
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compatible => "compatible",
            Self::Strict => "strict",
        })
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByOfficer => "officer",
            Self::Never => "never",
        })
    }
}

impl FromStr for Recovery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "officer" => Ok(Self::ByOfficer),
            "never" => Ok(Self::Never),
            _ => Err("must be officer or never".to_owned()),
        }
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "compatible" => Ok(Self::Compatible),
            "strict" => Ok(Self::Strict),
            _ => Err("must be compatible or strict".to_owned()),
        }
    }
}
